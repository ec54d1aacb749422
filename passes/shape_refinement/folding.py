"""Arithmetic on sizes: small integer tensors of constants, computed by the rules of the interpreter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, IndexType, IntegerType, TensorType
from xdsl.ir import Attribute, Operation, OpResult, SSAValue

from stepwell.dialects import stablehlo
from stepwell.ir.dense import array_to_dense, dense_to_array
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.interpreter import Interpreter, Rule
from stepwell.ir.shapes import count

MAX_ELEMENTS = 256
"""Tensors with more elements are data, not sizes."""

FOLDED = frozenset(
    f"stablehlo.{name}"
    for name in (
        "abs add and broadcast_in_dim clamp compare concatenate convert count_leading_zeros divide dynamic_slice"
        " dynamic_update_slice gather maximum minimum multiply negate not or pad popcnt power reduce remainder reshape"
        " reverse select shift_left shift_right_arithmetic shift_right_logical sign slice subtract transpose xor"
    ).split()
)
"""What sizes are computed with."""


def _rules() -> dict[str, Rule]:
    """The interpreter's; only a program with sizes to compute pays for them."""
    from stepwell.dialects.interp.stablehlo import RULES

    return RULES


def is_small_integer(type_: Attribute) -> bool:
    """A tensor that may hold sizes: static, of integers, few of them."""
    return (
        isinstance(type_, TensorType)
        and isinstance(type_.element_type, IntegerType | IndexType)
        and type_.has_static_shape()
        and count(type_.get_shape()) <= MAX_ELEMENTS
    )


def size_constant(value: SSAValue) -> stablehlo.ConstantOp | None:
    """The constant op behind a value that may hold sizes."""
    if not isinstance(value, OpResult) or not isinstance(value.op, stablehlo.ConstantOp):
        return None
    known = isinstance(value.op.value, DenseIntOrFPElementsAttr) and is_small_integer(value.type)
    return value.op if known else None


def constant_like(values: Any, type_: Attribute) -> stablehlo.ConstantOp:
    """A constant of an integer tensor type."""
    tensor = cast("TensorType[Any]", type_)
    element = cast(Attribute, tensor.element_type)
    array = np.asarray(values).astype(numpy_dtype(element)).reshape(tensor.get_shape())
    return stablehlo.ConstantOp(array_to_dense(array, element))


def fold(op: Operation) -> Sequence[stablehlo.ConstantOp] | None:
    """The results of an op on constant sizes, as constants; None when it is no arithmetic on known sizes."""
    if op.name not in FOLDED or not op.operands or not all(is_small_integer(r.type) for r in op.results):
        return None
    constants = [size_constant(o) for o in op.operands]
    if any(c is None for c in constants):
        return None
    arguments = tuple(dense_to_array(cast(Any, c).value) for c in constants)
    rules = _rules()
    with np.errstate(all="ignore"):
        values = rules[op.name](Interpreter(op, rules), op, arguments)
    return [constant_like(v, r.type) for v, r in zip(values, op.results, strict=True)]


def cause(value: SSAValue) -> SSAValue:
    """Why a size is not known: the first value it is computed from that no arithmetic on sizes makes."""
    seen = 0
    while isinstance(value, OpResult) and value.op.name in FOLDED and seen < 1000:
        unknown = next((o for o in value.op.operands if size_constant(o) is None), None)
        if unknown is None or not is_small_integer(unknown.type):
            break
        value, seen = unknown, seen + 1
    return value


__all__ = ["FOLDED", "cause", "constant_like", "fold", "is_small_integer", "size_constant"]
