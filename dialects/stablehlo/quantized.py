"""What the specification asks of quantized operands beyond equal types: parameters that move with dims, sums, contractions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, cast

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, SSAValue

from stepwell.dialects.quant import UniformType, quantized
from stepwell.ir.shapes import DYNAMIC, compatible

if TYPE_CHECKING:
    from typing import Any

    from stepwell.dialects.stablehlo.base import StableHLOOp


def is_quantized(value: SSAValue) -> bool:
    """True for tensors of a quantized element type."""
    return quantized(value.type) is not None


def _tensor(value: SSAValue) -> TensorType[Any]:
    return cast("TensorType[Any]", value.type)


def _element(value: SSAValue) -> Attribute:
    return _tensor(value).element_type


def _per_axis(value: SSAValue) -> UniformType | None:
    of = quantized(value.type)
    return of if of is not None and of.axis is not None else None


def verify_quantized_sum(op: StableHLOOp) -> None:
    """C1 to C7 of `add`, some operand or result of which is quantized."""
    values = (*op._operands, *op.results)  # pyright: ignore[reportPrivateUsage]
    types = [quantized(v.type) for v in values]
    text = ", ".join(str(v.type) for v in values)
    op.require("C2", all(t is not None for t in types), lambda: f"{text} must all be quantized")
    known = [t for t in types if t is not None]
    shape = _tensor(values[0]).get_shape()
    ok = all(compatible(_tensor(v).get_shape(), shape) for v in values)
    op.require("C1", ok, lambda: f"{text} must have one shape")
    op.require("C3", len({t.storage for t in known}) == 1, lambda: f"{text} must have one storage type")
    op.require("C4", len({t.expressed for t in known}) == 1, lambda: f"{text} must have one expressed type")
    lhs, rhs, result = (t.axis for t in known)
    ok = (lhs is not None or rhs is not None) == (result is not None)
    op.require("C5", ok, lambda: f"{text}: the result must be quantized per axis when and only when an operand is")
    for label, axis in (("C6", lhs), ("C7", rhs)):
        op.require(label, axis is None or axis == result, lambda: f"{text} must be quantized along one dim")


def verify_moved(op: StableHLOOp, operand: SSAValue, result: SSAValue, *, rescaled: bool = False) -> None:
    """C1 of `reshape`, `transpose` and `broadcast_in_dim`: the element type, but for a dim (and with `rescaled`, scales)."""
    source, target = _per_axis(operand), _per_axis(result)
    same = _element(operand) == _element(result)
    if not same and source is not None and target is not None:
        same = (source.storage, source.limits, source.expressed) == (target.storage, target.limits, target.expressed)
        if not rescaled:
            same = same and (source.scales, source.zero_points) == (target.scales, target.zero_points)
    op.require("C1", same, lambda: f"operand has type {operand.type}, result {result.type}")


def verify_broadcast_axis(op: StableHLOOp, operand: SSAValue, result: SSAValue, dimensions: Sequence[int]) -> None:
    """C6 of `broadcast_in_dim`: the dim goes along, and what is repeated keeps its parameters."""
    source, target = _per_axis(operand), _per_axis(result)
    if source is None or target is None or source.axis is None:
        return
    moved = dimensions[source.axis]
    op.require("C6", moved == target.axis, lambda: f"operand has type {operand.type}, result {result.type}")
    # One scale stands for an extent of one, which the type may leave unknown.
    repeated, count = len(source.scales) == 1, len(target.scales)
    wanted = (source.scales * count, source.zero_points * count)
    same = not repeated or (target.scales, target.zero_points) == wanted
    op.require("C6", same, lambda: f"operand has type {operand.type}, result {result.type}: the parameters differ")


def verify_reshape_axis(op: StableHLOOp, operand: SSAValue, result: SSAValue) -> None:
    """C3 of `reshape`: as many elements before the dim, along it and after it."""
    source, target = _per_axis(operand), _per_axis(result)
    if source is None or target is None:
        return
    shapes = _tensor(operand).get_shape(), _tensor(result).get_shape()
    if DYNAMIC in (*shapes[0], *shapes[1]):
        return
    parts = [
        (prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :]))
        for shape, axis in zip(shapes, (source.axis or 0, target.axis or 0), strict=True)
    ]
    op.require("C3", parts[0] == parts[1], lambda: f"operand has type {operand.type}, result {result.type}")


def verify_transpose_axis(op: StableHLOOp, operand: SSAValue, result: SSAValue, permutation: Sequence[int]) -> None:
    """C4 of `transpose`: the dim goes along."""
    source, target = _per_axis(operand), _per_axis(result)
    if source is None or target is None or target.axis is None:
        return
    ok = source.axis == permutation[target.axis]
    op.require("C4", ok, lambda: f"operand has type {operand.type}, result {result.type}")


def verify_dot(op: StableHLOOp, contracting: Sequence[int]) -> None:
    """C14 to C20 of `dot_general`, some operand or result of which is quantized."""
    lhs, rhs = op._operands  # pyright: ignore[reportPrivateUsage]
    _verify_product(op, "C14", lhs, rhs, op.results[0])
    of = quantized(rhs.type)
    assert of is not None
    op.require("C15", not any(of.zero_points), lambda: f"rhs has type {rhs.type}: its zero points must be 0")
    ok = of.axis is None or of.axis not in contracting
    op.require("C16", ok, lambda: f"rhs has type {rhs.type}, whose dim {of.axis} is contracted")
    _verify_product_types(op, ("C17", "C18", "C19", "C20"), lhs, rhs, op.results[0])


def verify_convolution(op: StableHLOOp, features: tuple[int, int]) -> None:
    """C28 to C34 of `convolution`, some operand or result of which is quantized; `features`: of the kernel, of the result."""
    lhs, rhs, *_ = op._operands  # pyright: ignore[reportPrivateUsage]
    result = op.results[0]
    _verify_product(op, "C28", lhs, rhs, result)
    for label, value, what, feature in (("C29", rhs, "rhs", features[0]), ("C30", result, "result", features[1])):
        of = _per_axis(value)
        ok = of is None or of.axis == feature
        op.require(label, ok, lambda v=value, w=what, f=feature: f"{w} has type {v.type}, whose features are dim {f}")
    _verify_product_types(op, ("C31", "C32", "C33", "C34"), lhs, rhs, result)


def _verify_product(op: StableHLOOp, label: str, lhs: SSAValue, rhs: SSAValue, result: SSAValue) -> None:
    text = f"lhs has type {lhs.type}, rhs {rhs.type}, result {result.type}"
    op.require("I1", _per_axis(lhs) is None, lambda: f"lhs has type {lhs.type}, which must be quantized per tensor")
    ok = is_quantized(lhs) == is_quantized(result) and is_quantized(rhs)
    op.require(label, ok, lambda: f"{text}: rhs must be quantized, and both or none of lhs and result")


def _verify_product_types(
    op: StableHLOOp, labels: tuple[str, str, str, str], lhs: SSAValue, rhs: SSAValue, result: SSAValue
) -> None:
    """Types of what is multiplied: of storage, expressed ones, per-tensor results, and those of a float lhs."""
    text = f"lhs has type {lhs.type}, rhs {rhs.type}, result {result.type}"
    left, right, product = quantized(lhs.type), quantized(rhs.type), quantized(result.type)
    assert right is not None
    if left is None or product is None:
        ok = _element(lhs) == right.expressed == _element(result)
        op.require(labels[3], ok, lambda: f"{text}: the floats must be those that rhs expresses")
        return
    op.require(labels[0], left.storage == right.storage, lambda: f"{text}: the storage types differ")
    ok = left.expressed == right.expressed == product.expressed
    op.require(labels[1], ok, lambda: f"{text}: the expressed types differ")
    ok = right.axis is not None or product.axis is None
    op.require(labels[2], ok, lambda: f"{text}: the result is quantized per axis, rhs is not")


__all__ = [
    "is_quantized",
    "verify_broadcast_axis",
    "verify_convolution",
    "verify_dot",
    "verify_moved",
    "verify_quantized_sum",
    "verify_reshape_axis",
    "verify_transpose_axis",
]
