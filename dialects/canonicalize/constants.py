"""Constants as folders see them: the attribute behind a value, one scalar out of it, and back.

A scalar constant and a splat of it fold alike, so folders compute on Python ints and NumPy scalars of the
exact dtype (float arithmetic rounds once, in that dtype) and `like` puts the answer in the shape of the
result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from xdsl.dialects.builtin import (
    AnyFloat,
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    TensorType,
    VectorType,
)
from xdsl.ir import Attribute, Operation, OpResult, SSAValue

from stepwell.dialects.quant import quantized
from stepwell.ir.dense import array_to_dense, splat_value
from stepwell.ir.dtypes import numpy_dtype

CONSTANT_OPS = frozenset({"arith.constant", "stablehlo.constant"})

MAX_SPLAT_ELEMENTS = 1 << 16
"""Splat results larger than this are not made: a constant of that size is worse than the op."""


def constant_of(value: SSAValue) -> Attribute | None:
    """The attribute of a constant's result; None for any other value (a quantized one's attribute is not what it means)."""
    if isinstance(value, OpResult) and value.op.name in CONSTANT_OPS and quantized(value.type) is None:
        return value.op.properties.get("value")
    return None


def scalar_of(constant: Attribute | None) -> IntegerAttr[Any] | FloatAttr[Any] | None:
    """The one element of a scalar or splat constant."""
    if isinstance(constant, IntegerAttr | FloatAttr):
        return constant  # pyright: ignore[reportUnknownVariableType]
    if isinstance(constant, DenseIntOrFPElementsAttr):
        return splat_value(constant)  # pyright: ignore[reportUnknownArgumentType]
    return None


def int_of(constant: Attribute | None) -> int | None:
    """The value of an integer scalar or splat, as stored (signed for signless types)."""
    scalar = scalar_of(constant)
    return scalar.value.data if isinstance(scalar, IntegerAttr) else None


def float_of(constant: Attribute | None) -> float | None:
    """The value of a float scalar or splat."""
    scalar = scalar_of(constant)
    return scalar.value.data if isinstance(scalar, FloatAttr) else None


def element_type(of: Attribute) -> Attribute:
    """The element of a tensor or vector, else the type itself."""
    if isinstance(of, TensorType | VectorType):
        return of.element_type  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return of


def width_of(of: Attribute) -> int:
    """Bits of an integer (or container of integers); index counts as 64."""
    element = element_type(of)
    return element.width.data if isinstance(element, IntegerType) else 64


def wrap(value: int, width: int, *, signed: bool = True) -> int:
    """`value` modulo 2**width, read as signed or unsigned."""
    value &= (1 << width) - 1
    return value - (1 << width) if signed and value >> (width - 1) else value


def is_unsigned(of: Attribute) -> bool:
    """True for `ui` types, and for i1, whose one is 1."""
    element = element_type(of)
    return isinstance(element, IntegerType) and (element.signedness.data.name == "UNSIGNED" or element.width.data == 1)


def integer_like(result_type: Attribute, value: int) -> Attribute | None:
    """`value`, wrapped, as a constant of a scalar, vector or tensor integer type."""
    element = element_type(result_type)
    if not isinstance(element, IntegerType | IndexType):
        return None
    wrapped = wrap(value, width_of(element), signed=not is_unsigned(element))
    return _spread(result_type, IntegerAttr(wrapped, element), wrapped)


def float_like(result_type: Attribute, value: Any) -> Attribute | None:
    """A NumPy float scalar as a constant of a scalar, vector or tensor float type; None for a NaN."""
    element = element_type(result_type)
    if not isinstance(element, AnyFloat) or np.isnan(value):
        return None
    return _spread(result_type, FloatAttr(float(value), element), value)


def _spread(result_type: Attribute, scalar: Attribute, value: Any) -> Attribute | None:
    if not isinstance(result_type, TensorType | VectorType):
        return scalar
    shape: Sequence[int] = result_type.get_shape()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if any(extent < 0 for extent in shape) or int(np.prod(shape, dtype=np.int64)) > MAX_SPLAT_ELEMENTS:
        return None
    element = element_type(result_type)
    array = np.full(shape, value, numpy_dtype(element))
    return array_to_dense(array, element, vector=isinstance(result_type, VectorType))


def numpy_scalar(constant: Attribute | None) -> Any:
    """A float constant as a NumPy scalar of exactly its dtype; None when it is none."""
    scalar = scalar_of(constant)
    if not isinstance(scalar, FloatAttr):
        return None
    return numpy_dtype(scalar.type).type(scalar.value.data)  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]


def materialize(dialect: str, value: Attribute, result_type: Attribute) -> Operation | None:
    """A constant op of the family that `dialect` uses, holding `value`; None when it cannot."""
    from xdsl.dialects import arith

    if dialect in ("stablehlo", "chlo"):
        from stepwell.dialects.stablehlo import ConstantOp

        if not isinstance(result_type, TensorType):
            return None
        return ConstantOp.create(result_types=[result_type], properties={"value": value})
    return arith.ConstantOp.create(result_types=[result_type], properties={"value": value})
