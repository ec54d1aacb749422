"""Implicit broadcasting: `broadcast_in_dim` of the operands, then the op on equal shapes."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import SSAValue

from stepwell.dialects import chlo
from stepwell.ir.diagnostics import unsupported
from stepwell.passes.hlo import Hlo, shape_of


def broadcast(h: Hlo, op: chlo.BroadcastingOp) -> Sequence[SSAValue]:
    """The counterpart on operands that all have the result's shape.

    Raises:
        UnsupportedError: a dynamic shape.
    """
    shape, maps = op.broadcast()
    if any(n < 0 for n in shape) or any(n < 0 for o in op.operands for n in shape_of(o)):
        raise unsupported(op, "implicit broadcasting of dynamic shapes", "refine the program to static shapes first")
    operands = [_spread(h, o, shape, dims) for o, dims in zip(op.operands, maps, strict=True)]
    return [h.insert(op.counterpart(operands))]


def _spread(h: Hlo, value: SSAValue, shape: Sequence[int], dims: Sequence[int]) -> SSAValue:
    return h.broadcast(value, shape, dims)
