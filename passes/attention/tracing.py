"""Looking through ops that only move elements: what an element of a value is, said by index expressions.

An index expression is over the dims of some space (`AffineExpr`), bare dims and 0 only: what broadcasts, transposes and
reshapes that add or drop dims of one element make of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, TensorType
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr, AffineExpr

from stepwell.dialects import stablehlo
from stepwell.ir.dense import splat_value

Exprs = tuple[AffineExpr, ...]
ZERO = AffineExpr.constant(0)


def shape_of(value: SSAValue) -> tuple[int, ...]:
    """The shape of a tensor value."""
    assert isinstance(value.type, TensorType)
    return value.type.get_shape()


def element_of(value: SSAValue) -> Attribute:
    """The element type of a tensor value."""
    assert isinstance(value.type, TensorType)
    return value.type.get_element_type()


def identity(rank: int) -> Exprs:
    """Every dim of a space."""
    return tuple(AffineExpr.dimension(d) for d in range(rank))


def moved(op: Operation, exprs: Exprs) -> Exprs | None:
    """Where the operand's element is of the element at `exprs` of an op's result; None for ops that do more than move."""
    if isinstance(op, stablehlo.BroadcastInDimOp):
        shape = shape_of(op.operands[0])
        return tuple(
            exprs[d] if n != 1 else ZERO for d, n in zip(op.broadcast_dimensions.get_values(), shape, strict=True)
        )
    if isinstance(op, stablehlo.TransposeOp):
        order = op.permutation.get_values()
        return tuple(exprs[order.index(d)] for d in range(len(order)))
    if isinstance(op, stablehlo.ReshapeOp):
        return _through_units(shape_of(op.operands[0]), shape_of(op.results[0]), exprs)
    return None


def _through_units(source: Sequence[int], target: Sequence[int], exprs: Exprs) -> Exprs | None:
    """The indices before a reshape that only adds or drops dims of one element."""
    if [n for n in source if n != 1] != [n for n in target if n != 1]:
        return None
    kept = iter([e for e, n in zip(exprs, target, strict=True) if n != 1])
    return tuple(next(kept) if n != 1 else ZERO for n in source)


def trace(value: SSAValue, exprs: Exprs, through: tuple[type[Operation], ...] = ()) -> tuple[SSAValue, Exprs]:
    """The value behind moves (and ops `through` of one operand, element by element), and the element's place there."""
    while isinstance(value.owner, Operation):
        op = value.owner
        before = exprs if isinstance(op, through) else moved(op, exprs)
        if before is None:
            break
        value, exprs = op.operands[0], before
    return value, exprs


def same_place(a: Exprs, b: Exprs, shape: Sequence[int]) -> bool:
    """Whether two index lists into a tensor of `shape` name the same element: dims of one element do not count."""
    return len(a) == len(b) == len(shape) and all(n == 1 or x == y for x, y, n in zip(a, b, shape, strict=True))


def dim_of(expr: AffineExpr) -> int | None:
    """The dim an index expression is, None for 0."""
    if isinstance(expr, AffineDimExpr):
        return expr.position
    assert isinstance(expr, AffineConstantExpr)
    return None


def splat_of(value: SSAValue) -> Any:
    """The constant (an attribute) that a value holds everywhere, looking through moves; None when it is none."""
    op = value.owner
    while isinstance(op, stablehlo.BroadcastInDimOp | stablehlo.ReshapeOp | stablehlo.TransposeOp):
        op = op.operands[0].owner
    if not isinstance(op, stablehlo.ConstantOp) or not isinstance(op.value, DenseIntOrFPElementsAttr):
        return None
    return splat_value(op.value)


__all__ = ["ZERO", "Exprs", "dim_of", "element_of", "identity", "moved", "same_place", "shape_of", "splat_of", "trace"]
