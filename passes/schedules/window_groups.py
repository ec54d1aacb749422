"""Groups of few channels as lanes of a window: what a vector of the result is multiplied with, shuffled out of the image.

`x[.., n floordiv F * C + c]`, where `n` is the vector dim: lanes of one group read the same channel. A vector of the image holds
all channels of as many groups as a vector of the result; it is read once, and for each channel its lanes are put in their places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.ir import SSAValue
from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
)

from stepwell.dialects import vector
from stepwell.passes.schedules.emit import Emitter, Index
from stepwell.passes.schedules.lanes import Lanes, shuffled, transfer_read
from stepwell.passes.schedules.nest import Access


@dataclass(frozen=True)
class WindowGroups:
    """How lanes find their channels along the last dim of the image."""

    features: int
    channels: int
    """Of a group."""
    channel: int | None
    """The dim of the sums that counts channels; None: there is one."""


def window_groups(expr: AffineExpr, lanes: int, sizes: Sequence[int]) -> WindowGroups | None:
    """Read the index of a dim of the image as whole groups of the lane dim, and a channel of them."""
    parts, channel = _terms(expr), None
    if len(parts) == 2:
        channel = next((e.position for e in parts if isinstance(e, AffineDimExpr) and e.position != lanes), None)
        parts = [e for e in parts if e != AffineDimExpr(channel)] if channel is not None else []
    if len(parts) != 1:
        return None
    group, channels = _factor(parts[0])
    quotient, features = _quotient(group)
    if quotient != AffineDimExpr(lanes) or features < 2 or sizes[lanes] % features:
        return None
    extent = 1 if channel is None else sizes[channel]
    return WindowGroups(features, channels, channel) if extent == channels else None


def _terms(expr: AffineExpr) -> list[AffineExpr]:
    if isinstance(expr, AffineBinaryOpExpr) and expr.kind is AffineBinaryOpKind.Add:
        return [expr.lhs, expr.rhs]
    return [expr]


def _factor(expr: AffineExpr) -> tuple[AffineExpr, int]:
    """An expression as another one times a number."""
    if isinstance(expr, AffineBinaryOpExpr) and expr.kind is AffineBinaryOpKind.Mul:
        for factor, number in ((expr.lhs, expr.rhs), (expr.rhs, expr.lhs)):
            if isinstance(number, AffineConstantExpr):
                return factor, number.value
    return expr, 1


def _quotient(expr: AffineExpr) -> tuple[AffineExpr, int]:
    """An expression as another one over a number."""
    if isinstance(expr, AffineBinaryOpExpr) and expr.kind is AffineBinaryOpKind.FloorDiv:
        if isinstance(expr.rhs, AffineConstantExpr):
            return expr.lhs, expr.rhs.value
    return expr, 0


def read_groups(em: Emitter, access: Access, groups: WindowGroups, index: Sequence[Index], lanes: Lanes) -> SSAValue:
    """All channels of the groups that some lanes are of; `index` is of the first of these, and of the first channel."""
    per = groups.channels, groups.features
    width = lanes.width * per[0] // per[1]
    mask = None
    if lanes.mask is not None:
        assert isinstance(lanes.mask.owner, vector.ConstantMaskOp)
        count = lanes.mask.owner.mask_dim_sizes.get_values()[-1] * per[0] // per[1]
        mask = em.constant_mask([count], [width])
    places = [em.apply(e, index, access.symbols) for e in access.exprs]
    return transfer_read(em, access.value, places, [width], mask)


def pick_channel(em: Emitter, value: SSAValue, groups: WindowGroups, channel: int, lanes: Lanes) -> SSAValue:
    """One channel of each lane's group, out of all of them."""
    picks = [lane // groups.features * groups.channels + channel for lane in range(lanes.width)]
    return shuffled(em, value, value, picks)


__all__ = ["WindowGroups", "pick_channel", "read_groups", "window_groups"]
