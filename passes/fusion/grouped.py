"""Convolutions of few channels a group with these last: a vector is filled by several groups, or by points of a line.

Before: y[b, i, j, g, f] += x[b, i + k, j + l, g, c] * w[k, l, c, g, f]

As lanes:        y[b, i, j, n] += x[b, i + k, j + l, n floordiv F * C + c] * w[k, l, c, n]     where n = g * F + f
Points inside:   z[b, g, f, i, j] += x'[b, g, c, i + k, j + l] * w[k, l, c, g, f]              and a map makes y of z

A group of four features fills a quarter of a vector. Where powers of two make whole vectors of groups, these stay where they are:
a vector of the image has the channels of as many groups as one of the result, and what its lanes are multiplied with is shuffled
out of it (the `window` strategy). Else the image and the result are turned, which moves each number twice, so that points of a line
fill vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects import tensor
from xdsl.dialects.builtin import AffineMapAttr, ArrayAttr, TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.dialects.linalg.attrs import IteratorTypeAttr
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr, AffineExpr, AffineMap
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.dtypes import byte_width
from stepwell.ir.machine import machine_of
from stepwell.ir.structured import indexing_maps, iterator_kinds, loop_bounds
from stepwell.passes.fusion.classify import filled_with, shape_of
from stepwell.passes.schedules.staging import border_of

FEW = 8
"""Channels and features of a group below which vectors are better filled by points."""
LINE = 14
"""Points of a line that fill them."""
MOST_CHANNELS = 8
"""Channels of a group that are picked out of vectors: code for each is written one after the other."""


@dataclass(frozen=True)
class GroupLanes:
    """Sums of products whose result has groups and their features last, as the image has groups and their channels."""

    side: int
    """Position of the image."""
    group: int
    feature: int
    channel: int | None
    """Its dims; groups of one channel have none for it."""
    features: int
    channels: int
    """Of a group."""
    inner: int
    """How many dims of the image groups and channels are."""

    @property
    def expr(self) -> AffineExpr:
        """Where a lane, a feature of a group, finds a channel in the image, once each of the two pairs of dims is one."""
        group = AffineDimExpr(self.group) // self.features
        return group if self.channel is None else group * self.channels + AffineDimExpr(self.channel)


def group_lanes(op: linalg.GenericOp) -> GroupLanes | None:
    """How whole groups fill vectors of the result, where they do and are few features each."""
    machine = machine_of(op)
    found = next((lanes for side in (0, 1) if (lanes := _lanes(op, side)) is not None), None)
    if found is None or filled_with(op.outputs[0]) is None or found.channels > MOST_CHANNELS:
        return None
    lanes = machine.vector_bytes // byte_width(op.outputs[0].type.get_element_type())  # pyright: ignore[reportAttributeAccessIssue]
    powers = all(n & (n - 1) == 0 for n in (found.features, found.channels))
    return found if powers and 2 <= found.features <= lanes // 2 else None


def _lanes(op: linalg.GenericOp, side: int) -> GroupLanes | None:
    maps, bounds, kinds, shape = indexing_maps(op), loop_bounds(op), iterator_kinds(op), shape_of(op.inputs[side])
    exprs, weights = maps[side].results, maps[1 - side].used_dims()
    order = [e.position for e in maps[-1].results if isinstance(e, AffineDimExpr)]
    if len(exprs) < 2 or len(order) < 3 or any(len(e.used_dims()) > 1 for e in maps[1 - side].results):
        return None
    group, feature = order[-2:]
    count = 1 if exprs[-1] == AffineDimExpr(group) else 2
    channel = exprs[-1] if count == 2 else AffineConstantExpr(0)
    inner = [group, *(e.position for e in (channel,) if isinstance(e, AffineDimExpr))]
    extents = (bounds[group], bounds[inner[1]] if len(inner) == 2 else 1)
    if exprs[-count] != AffineDimExpr(group) or shape[-count:] != extents[:count]:
        return None
    if (len(inner) == 1 and channel != AffineConstantExpr(0)) or any(kinds[d] == "parallel" for d in inner[1:]):
        return None
    used = [d for e in exprs[:-count] for d in e.used_dims()]
    if not {*inner, feature} <= weights or any(d in used for d in (*inner, feature)):
        return None
    lines = [d for d in order[:-2] if any(d in e.used_dims() and len(e.used_dims()) > 1 for e in exprs)]
    if not lines or any(d in weights for d in lines):
        return None
    return GroupLanes(side, group, feature, inner[1] if len(inner) == 2 else None, bounds[feature], extents[1], count)


def with_features_last(op: linalg.GenericOp, found: GroupLanes, places: dict[Operation, int]) -> None:
    """Give the weights their groups and features last, if they are elsewhere: they are few."""
    number = 1 - found.side
    maps = list(indexing_maps(op))
    exprs = maps[number].results
    last = [exprs.index(AffineDimExpr(d)) for d in (found.group, found.feature)]
    order = [*(p for p in range(len(exprs)) if p not in last), *last]
    if order == list(range(len(exprs))):
        return
    moved = _moved(LocatedBuilder(InsertPoint.before(op), op.location), op.inputs[number], order)
    assert isinstance(moved.owner, Operation)
    places[moved.owner] = places[op]
    op.operands[number] = moved
    maps[number] = AffineMap(maps[number].num_dims, 0, tuple(exprs[p] for p in order))
    op.properties["indexing_maps"] = ArrayAttr([AffineMapAttr(m) for m in maps])


@dataclass(frozen=True)
class _Groups:
    """Sums of products over an image whose last dims are groups and their channels."""

    side: int
    """Position of the image."""
    image: tuple[int, ...]
    """Its dims in the order they are wanted in."""
    result: tuple[int, ...]
    """The same of the result."""


def with_points_inside(op: linalg.GenericOp, places: dict[Operation, int]) -> linalg.GenericOp:
    """The sums with points in place of few channels of many groups last; else the same op."""
    found = next((groups for side in (0, 1) if (groups := _find(op, side)) is not None), None)
    return op if found is None else _rewritten(op, found, places)


def _find(op: linalg.GenericOp, side: int) -> _Groups | None:
    maps, bounds, kinds = indexing_maps(op), loop_bounds(op), iterator_kinds(op)
    exprs, weights, fill = maps[side].results, maps[1 - side].used_dims(), filled_with(op.outputs[0])
    order = [e.position for e in maps[-1].results if isinstance(e, AffineDimExpr)]
    windows = [p for p, e in enumerate(exprs) if len(e.used_dims()) > 1]
    plain = {e.position: p for p, e in enumerate(exprs) if isinstance(e, AffineDimExpr)}
    last = exprs[-1] if exprs else None
    if fill is None or not windows or not isinstance(last, AffineDimExpr) or len(plain) + len(windows) < len(exprs):
        return None
    points = [d for d in order if any(d in exprs[p].used_dims() for p in windows)]
    own = [d for d in order if d in weights and d not in plain and d not in points]
    shared = [d for d in order if d in weights and d in plain]
    if len(own) != 1 or len(shared) != 1 or not points or order[-1] != own[0] or kinds[last.position] == "parallel":
        return None
    if any(d in weights for d in points) or bounds[shared[0]] < 2 or bounds[points[-1]] < LINE:
        return None
    if max(bounds[own[0]], bounds[last.position]) >= FEW or points[-1] not in exprs[windows[-1]].used_dims():
        return None
    inner = (plain[shared[0]], plain[last.position], *windows)
    outer = [p for p in range(len(exprs)) if p not in inner]
    rest = [d for d in order if d not in (*points, own[0], shared[0])]
    wanted = [*rest, shared[0], own[0], *points]
    return _Groups(side, (*outer, *inner), tuple(order.index(d) for d in wanted))


def _rewritten(op: linalg.GenericOp, found: _Groups, places: dict[Operation, int]) -> linalg.GenericOp:
    builder = LocatedBuilder(InsertPoint.before(op), op.location)
    maps, result, value = list(indexing_maps(op)), op.results[0], op.inputs[found.side]
    fill, before, first = filled_with(op.outputs[0]), value.owner, op.prev_op
    assert isinstance(result.type, TensorType)
    assert fill is not None
    count = len(loop_bounds(op))
    kind = TensorType(result.type.element_type, [result.type.get_shape()[p] for p in found.result])
    start = _filled(builder, fill, kind)
    operands = [*op.inputs, start]
    operands[found.side] = _turned_image(builder, value, found.image)
    for position, order in ((found.side, found.image), (len(maps) - 1, found.result)):
        maps[position] = AffineMap(count, 0, tuple(maps[position].results[p] for p in order))
    made = linalg.GenericOp.create(
        operands=operands,
        result_types=[kind],
        properties=dict(op.properties) | {"indexing_maps": ArrayAttr([AffineMapAttr(m) for m in maps])},
        attributes=dict(op.attributes),
        regions=[op.detach_region(op.body)],
    )
    builder.insert(made)
    back = _moved(builder, made.results[0], [found.result.index(p) for p in range(len(found.result))])
    back.name_hint = result.name_hint
    result.replace_all_uses_with(back)
    added = first.next_op if first is not None else op.parent_block().first_op  # pyright: ignore[reportOptionalMemberAccess]
    while added is not None and added is not op:
        places[added], added = places[op], added.next_op
    Rewriter.erase_op(op)
    if isinstance(before, tensor.InsertSliceOp) and not before.result.uses:
        Rewriter.erase_op(before)
    return made


def _turned_image(builder: LocatedBuilder, value: SSAValue, order: Sequence[int]) -> SSAValue:
    """The image with its dims in another order, turned before a border is put around it."""
    border = border_of(value)
    if border is None:
        return _moved(builder, value, order)
    assert isinstance(value.type, TensorType)
    source = _moved(builder, border.insert.source, order)
    kind = TensorType(value.type.element_type, [shape_of(value)[p] for p in order])
    around = _filled(builder, border.fill.inputs[0], kind)
    low = [border.low[p] for p in order]
    made = tensor.InsertSliceOp.from_static_parameters(source, around, low, shape_of(source))
    return builder.insert(made).result


def _filled(builder: LocatedBuilder, number: SSAValue, kind: TensorType) -> SSAValue:
    empty = builder.insert(tensor.EmptyOp([], kind)).tensor
    return builder.insert(linalg.FillOp([number], [empty], [kind])).results[0]


def _moved(builder: LocatedBuilder, value: SSAValue, order: Sequence[int]) -> SSAValue:
    """A value with its dims in another order: dim `i` is what was dim `order[i]`."""
    rank = len(order)
    assert isinstance(value.type, TensorType)
    kind = TensorType(value.type.element_type, [value.type.get_shape()[p] for p in order])
    empty = builder.insert(tensor.EmptyOp([], kind)).tensor
    body = Block(arg_types=[kind.element_type] * 2)
    body.add_op(linalg.YieldOp(body.args[0]))
    read = AffineMap(rank, 0, tuple(AffineDimExpr(order.index(p)) for p in range(rank)))
    maps = [AffineMapAttr(read), AffineMapAttr(AffineMap.identity(rank))]
    kinds = [IteratorTypeAttr.parallel()] * rank
    return builder.insert(linalg.GenericOp([value], [empty], Region(body), maps, kinds, [kind])).results[0]


__all__ = ["GroupLanes", "group_lanes", "with_features_last", "with_points_inside"]
