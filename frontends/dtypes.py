"""Dtypes of the Python API: names, element types of step 1, promotion.

Within a kind promotion is the Array API's; between kinds the operand of the higher kind (bool < integer < float < complex)
decides. Python scalars are weak: they take the other operand's dtype unless their kind is higher.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, reduce
from typing import Any, TypeAlias

import ml_dtypes
import numpy as np
from xdsl.dialects.builtin import (
    BFloat16Type,
    ComplexType,
    Float8E4M3FNType,
    Float8E5M2Type,
    Float16Type,
    Float32Type,
    Float64Type,
    IntegerType,
    Signedness,
)
from xdsl.ir import Attribute

from stepwell.frontends.errors import PromotionError, refuse

DType: TypeAlias = np.dtype[Any]

BOOL: DType = np.dtype(np.bool_)
INT32: DType = np.dtype(np.int32)
INT64: DType = np.dtype(np.int64)
UINT32: DType = np.dtype(np.uint32)
FLOAT16: DType = np.dtype(np.float16)
BFLOAT16: DType = np.dtype(ml_dtypes.bfloat16)
FLOAT32: DType = np.dtype(np.float32)
FLOAT64: DType = np.dtype(np.float64)
COMPLEX64: DType = np.dtype(np.complex64)
COMPLEX128: DType = np.dtype(np.complex128)

_ELEMENT_TYPES: dict[str, Attribute] = {
    "bool": IntegerType(1),
    **{f"int{n}": IntegerType(n) for n in (4, 8, 16, 32, 64)},
    **{f"uint{n}": IntegerType(n, Signedness.UNSIGNED) for n in (4, 8, 16, 32, 64)},
    "float8_e4m3fn": Float8E4M3FNType(),
    "float8_e5m2": Float8E5M2Type(),
    "bfloat16": BFloat16Type(),
    "float16": Float16Type(),
    "float32": Float32Type(),
    "float64": Float64Type(),
    "complex64": ComplexType(Float32Type()),
    "complex128": ComplexType(Float64Type()),
}
DTYPES: dict[str, DType] = {
    name: np.dtype(getattr(ml_dtypes, name, None) or (np.bool_ if name == "bool" else getattr(np, name)))
    for name in _ELEMENT_TYPES
}
"""Every dtype that arrays may have, by name."""

_SCALARS: dict[type, DType] = {bool: BOOL, int: INT32, float: FLOAT32, complex: COMPLEX64}
_KINDS = {"b": 0, "i": 1, "u": 1, "f": 2, "c": 3}


@cache
def element_type(dtype: DType) -> Attribute:
    """The element type of step 1."""
    found = _ELEMENT_TYPES.get(dtype.name)
    if found is None:
        hint = f"the dtypes are {', '.join(_ELEMENT_TYPES)}"
        raise refuse(f"arrays cannot have the dtype {dtype.name}", hint, PromotionError)
    return found


def as_dtype(dtype: Any) -> DType:
    """What the user calls a dtype: a name, a NumPy or ml_dtypes type, or `bool`, `int`, `float`, `complex` (the defaults)."""
    if isinstance(dtype, type) and dtype in _SCALARS:
        return _SCALARS[dtype]
    try:
        found = DTYPES.get(dtype) if isinstance(dtype, str) else None
        found = np.dtype(dtype) if found is None else found
    except TypeError:
        raise refuse(f"{dtype!r} is not a dtype", kind=PromotionError) from None
    element_type(found)
    return found


def scalar_dtype(value: bool | int | float | complex) -> DType:
    """The default dtype of a Python scalar."""
    return _SCALARS[type(value)] if type(value) in _SCALARS else as_dtype(type(value))


@cache
def kind(dtype: DType) -> int:
    """0 boolean, 1 integer, 2 float, 3 complex."""
    if dtype.name in ("int4", "uint4"):
        return 1
    return _KINDS.get(dtype.kind, 2)


def is_float(dtype: DType) -> bool:
    """A real floating-point type."""
    return kind(dtype) == 2


def is_integer(dtype: DType) -> bool:
    """A signed or unsigned integer."""
    return kind(dtype) == 1


def is_unsigned(dtype: DType) -> bool:
    """An unsigned integer."""
    return dtype.name.startswith("uint")


def bits(dtype: DType) -> int:
    """Bits of a number."""
    return 4 if dtype.name in ("int4", "uint4") else dtype.itemsize * 8


@cache
def promote(a: DType, b: DType) -> DType:
    """The dtype that arrays of two dtypes have in common."""
    if a == b:
        return a
    low, high = (a, b) if kind(a) <= kind(b) else (b, a)
    if kind(low) < kind(high):
        if kind(high) == 3 and low == FLOAT64:
            return COMPLEX128
        return high
    match kind(a):
        case 1:
            return _promote_integers(a, b)
        case 2:
            return _promote_floats(a, b)
        case _:
            return a if a.itemsize > b.itemsize else b


def _promote_integers(a: DType, b: DType) -> DType:
    if is_unsigned(a) == is_unsigned(b):
        return a if bits(a) > bits(b) else b
    signed, unsigned = (b, a) if is_unsigned(a) else (a, b)
    if bits(signed) > bits(unsigned):
        return signed
    if bits(unsigned) == 64:
        raise refuse(f"{a.name} and {b.name} have no common integer type", "convert one with astype", PromotionError)
    return DTYPES[f"int{2 * bits(unsigned)}"]


def _promote_floats(a: DType, b: DType) -> DType:
    if bits(a) != bits(b):
        return a if bits(a) > bits(b) else b
    if bits(a) == 16:
        return FLOAT32
    raise refuse(f"{a.name} and {b.name} have no common type", "convert one with astype", PromotionError)


def result_type(operands: Iterable[tuple[DType, bool]]) -> tuple[DType, bool]:
    """(common dtype, weak) of operands given as (dtype, weak)."""
    pairs = list(operands)
    strong = [dtype for dtype, weak in pairs if not weak]
    weak = [dtype for dtype, is_weak in pairs if is_weak]
    if not strong:
        return reduce(promote, weak), True
    common = reduce(promote, strong)
    highest = max((kind(dtype) for dtype in weak), default=0)
    if highest <= kind(common):
        return common, False
    if highest == 3:
        return (COMPLEX128 if common == FLOAT64 else COMPLEX64), False
    return (inexact(common) if highest == 2 else INT32), False


def inexact(dtype: DType) -> DType:
    """The float type that functions of `dtype` have: itself, or for integers `float32` (`float64` for 64-bit ones)."""
    if kind(dtype) >= 2:
        return dtype
    return FLOAT64 if bits(dtype) == 64 else FLOAT32
