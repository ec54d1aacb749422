"""`chlo.top_k`: pairs of value and position, sorted descending and stably in the total order, then cut."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue

from stepwell.dialects import chlo, stablehlo
from stepwell.dialects.stablehlo import ComparisonDirection, ComparisonType
from stepwell.dialects.stablehlo.base import FLOAT, element_kind
from stepwell.ir.diagnostics import unsupported
from stepwell.passes.hlo import Hlo, element_of, shape_of


def top_k(h: Hlo, op: chlo.TopKOp) -> Sequence[SSAValue]:
    """NaN counts as more than infinity.

    Raises:
        UnsupportedError: a dynamic shape.
    """
    shape = shape_of(op.operand)
    if any(n < 0 for n in shape):
        raise unsupported(op, "the largest elements of a dynamic shape", "refine the program to static shapes first")
    axis = len(shape) - 1
    index = element_of(op.indices)
    element = element_of(op.operand)
    scalars = [TensorType(t, []) for t in (element, element, index, index)]
    comparator = h.region(scalars, lambda a, b, *_: _greater(h, a, b))
    ordered = h.builder.insert(stablehlo.SortOp([op.operand, h.iota(axis, shape, index)], axis, True, comparator))
    return [h.slice(v, [0] * len(shape), [*shape[:-1], op.k.value.data]) for v in ordered.results]


def _greater(h: Hlo, a: SSAValue, b: SSAValue) -> SSAValue:
    if element_kind(element_of(a)) == FLOAT:
        return h.insert(stablehlo.CompareOp(a, b, ComparisonDirection.GT, ComparisonType.TOTALORDER))
    return h.gt(a, b)
