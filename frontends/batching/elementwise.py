"""Batching rules of ops that work number by number, and of those that work on the last dims alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.ir import Operation, SSAValue

from stepwell.dialects import chlo, stablehlo
from stepwell.dialects.chlo.base import ChloBinaryOp, ChloUnaryOp
from stepwell.dialects.stablehlo.elementwise import BinaryElementwiseOp, UnaryElementwiseOp
from stepwell.frontends.batching.batcher import Batched, Batcher, Rule, shape_of

Operands = Sequence[Batched]


def _leading(batcher: Batcher, op: Operation, operands: Operands) -> Sequence[SSAValue]:
    """The same op: dims in front are nothing to it."""
    return batcher.again(op, [batcher.full(b) for b in operands])


def _select(batcher: Batcher, op: stablehlo.SelectOp, operands: Operands) -> Sequence[SSAValue]:
    """One choice for all elements of an example becomes one for each."""
    values = [batcher.full(b) for b in operands]
    if operands[0].has_batch or shape_of(op.pred):
        values[0] = batcher.spread(values[0], shape_of(values[1])) if not shape_of(op.pred) else values[0]
    else:
        values[0] = operands[0].value
    return batcher.again(op, values)


def _clamp(batcher: Batcher, op: stablehlo.ClampOp, operands: Operands) -> Sequence[SSAValue]:
    value = batcher.full(operands[1])

    def bound(b: Batched, original: SSAValue) -> SSAValue:
        if shape_of(original):
            return batcher.full(b)
        return batcher.spread(b.value, shape_of(value)) if b.has_batch else b.value

    return batcher.again(op, [bound(operands[0], op.min), value, bound(operands[2], op.max)])


_LEADING: tuple[type[Any], ...] = (
    UnaryElementwiseOp,
    BinaryElementwiseOp,
    ChloUnaryOp,
    ChloBinaryOp,
    stablehlo.IsFiniteOp,
    stablehlo.ComplexOp,
    stablehlo.CompareOp,
    stablehlo.ReducePrecisionOp,
    stablehlo.BitcastConvertOp,
    stablehlo.ReshapeOp,
    stablehlo.FftOp,
    stablehlo.CholeskyOp,
    stablehlo.TriangularSolveOp,
    chlo.TopKOp,
    stablehlo.CustomCallOp,  # of LAPACK: its routines take any dims in front
)
RULES: dict[type[Operation], Rule] = {
    **dict.fromkeys(_LEADING, _leading),
    stablehlo.SelectOp: _select,
    stablehlo.ClampOp: _clamp,
}
