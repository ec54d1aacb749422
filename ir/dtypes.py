"""Element types and their NumPy (and ml_dtypes) counterparts.

One table for the interpreter, the runtime's argument checks and constant data. `i1` is one byte holding 0 or 1
everywhere in memory, as in NumPy.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
from xdsl.dialects import builtin
from xdsl.ir import Attribute

_FLOATS: dict[str, Any] = {
    "bf16": ml_dtypes.bfloat16,
    "f16": np.float16,
    "f32": np.float32,
    "f64": np.float64,
}


def numpy_dtype(element_type: Attribute) -> np.dtype[Any]:
    """The NumPy dtype that holds one element of `element_type` (index is int64; signless ints are signed).

    Raises:
        TypeError: the element type has no NumPy counterpart here.
    """
    match element_type:
        case builtin.IntegerType():
            width = element_type.width.data
            if width == 1:
                return np.dtype(np.bool_)
            if width in (2, 4):
                kind = "uint" if element_type.signedness.data == builtin.Signedness.UNSIGNED else "int"
                return np.dtype(getattr(ml_dtypes, f"{kind}{width}"))
            kind = "u" if element_type.signedness.data == builtin.Signedness.UNSIGNED else "i"
            if width in (8, 16, 32, 64):
                return np.dtype(f"{kind}{width // 8}")
        case builtin.IndexType():
            return np.dtype(np.int64)
        case builtin.ComplexType(element_type=builtin.Float32Type()):
            return np.dtype(np.complex64)
        case builtin.ComplexType(element_type=builtin.Float64Type()):
            return np.dtype(np.complex128)
        case _:
            name = getattr(element_type, "name", "")
            if name == "quant.uniform":  # an array of its integers
                return numpy_dtype(element_type.storage)  # pyright: ignore[reportAttributeAccessIssue]
            if name in _FLOATS:
                return np.dtype(_FLOATS[name])
            small = f"float{name[1:2]}_{name[2:].lower()}"  # f8E4M3FN -> float8_e4m3fn
            if is_byte_float(element_type) and hasattr(ml_dtypes, small):
                return np.dtype(getattr(ml_dtypes, small))
    raise TypeError(f"no NumPy dtype for element type {element_type}")


def is_byte_float(element_type: Attribute) -> bool:
    """True for the float formats of 8, 6 and 4 bits, each of which takes a byte."""
    return isinstance(element_type, builtin.ReducedPrecisionFloatType) and element_type.bitwidth <= 8


def float_limits(element_type: Attribute) -> tuple[float, float]:
    """The smallest and the largest value of a float type: infinities where it has them."""
    dtype = numpy_dtype(element_type)
    with np.errstate(all="ignore"):
        if np.isinf(np.asarray(np.inf, dtype)):
            return float("-inf"), float("inf")
    limits = ml_dtypes.finfo(dtype)
    return float(limits.min), float(limits.max)


def byte_width(element_type: Attribute) -> int:
    """Bytes one element takes in memory (i1 takes one)."""
    return numpy_dtype(element_type).itemsize
