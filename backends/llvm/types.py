"""LLVM types and constant literals of step-6 types.

`index` is `i64`. `i1`, `i2` and `i4` are themselves in registers and a byte in memory. Floats of 16 bits are held as `i16`, those
of 8, 6 and 4 bits as `i8` everywhere: their arithmetic is expanded before the writer, so only conversions, moves and selects touch them,
and no `half` or `bfloat` value can tempt LLVM into a library call.
"""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
from xdsl.dialects.builtin import (
    BFloat16Type,
    DenseIntOrFPElementsAttr,
    Float16Type,
    Float32Type,
    Float64Type,
    FloatAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    MemRefType,
    VectorType,
)
from xdsl.ir import Attribute

from stepwell.ir.dtypes import is_byte_float, numpy_dtype
from stepwell.ir.errors import UnsupportedError

_INTEGER_WIDTHS = (1, 2, 4, 8, 16, 32, 64)
SUB_BYTE = ("i1", "i2", "i4")
"""Register types that take a byte in memory, upper bits zero."""


def scalar_type(type_: Attribute) -> str:
    """The register type of a scalar: `i1`, `i8`..`i64`, `float`, `double`, or `ptr` for a memref or `!rt.ptr`.

    Raises:
        UnsupportedError: the type has no register form.
    """
    match type_:
        case IntegerType() if type_.width.data in _INTEGER_WIDTHS:
            return f"i{type_.width.data}"
        case IndexType():
            return "i64"
        case Float32Type():
            return "float"
        case Float64Type():
            return "double"
        case BFloat16Type() | Float16Type():
            return "i16"
        case MemRefType():
            return "ptr"
        case _:
            if type_.name == "rt.ptr":
                return "ptr"
            if is_byte_float(type_):
                return "i8"
    raise UnsupportedError(
        f"the LLVM writer has no register form for {type_}: element types are i1 to i64, index, floats of 4 to "
        "8 bits, f16, bf16, f32 and f64; others must be expanded by an earlier pass"
    )


def memory_type(element: Attribute) -> str:
    """The type an element has in memory: as in registers, but a byte for integers below a byte."""
    name = scalar_type(element)
    return "i8" if name in SUB_BYTE else name


def element_bytes(element: Attribute) -> int:
    """Bytes one element takes in memory."""
    return lane_bytes(memory_type(element))


def lane_bytes(name: str) -> int:
    """Bytes of a lane of LLVM's type `name`; 0 of one smaller than a byte."""
    return {"float": 4, "double": 8, "ptr": 8}.get(name) or int(name[1:]) // 8


def is_float(type_: Attribute) -> bool:
    """True for float scalars and vectors of floats."""
    if isinstance(type_, VectorType):
        type_ = type_.element_type
    return isinstance(type_, Float32Type | Float64Type) or is_small_float(type_)


def is_small_float(type_: Attribute) -> bool:
    """True for floats of 16 bits and less (and vectors of them), which the writer only moves and converts."""
    if isinstance(type_, VectorType):
        type_ = type_.element_type
    return isinstance(type_, BFloat16Type | Float16Type) or is_byte_float(type_)


def element_type(type_: Attribute) -> Attribute:
    """The element type of a vector, or the scalar type itself."""
    return type_.element_type if isinstance(type_, VectorType) else type_


def vector_shape(type_: VectorType[Attribute]) -> tuple[int, ...]:
    """The shape of a vector; a 0-d vector counts as `[1]`.

    Raises:
        UnsupportedError: the vector is scalable.
    """
    if type_.get_num_scalable_dims():
        raise UnsupportedError(f"the LLVM writer has no scalable vectors: {type_}")
    return tuple(type_.get_shape()) or (1,)


def row_type(type_: VectorType[Attribute]) -> str:
    """The LLVM type of one row (the minor dim) of a vector."""
    return f"<{vector_shape(type_)[-1]} x {scalar_type(type_.element_type)}>"


def row_count(type_: VectorType[Attribute]) -> int:
    """How many rows an n-D vector has."""
    return math.prod(vector_shape(type_)[:-1])


def float_literal(value: float, type_: str) -> str:
    """An LLVM literal of `float` or `double`: the bits of the double, exactly."""
    if type_ == "float":
        value = float(np.float32(value))
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"


def _small_float_bits(value: float, type_: Attribute) -> int:
    with np.errstate(all="ignore"):
        data = np.asarray(value, numpy_dtype(type_))
        return int(data.view(np.uint16 if data.itemsize == 2 else np.uint8))


def scalar_literal(attribute: Attribute, type_: Attribute) -> str:
    """The literal of an `arith.constant` scalar value.

    Raises:
        UnsupportedError: the attribute is not an integer or a float.
    """
    if isinstance(attribute, IntegerAttr):
        value = attribute.value.data
        return ("true" if value & 1 else "false") if scalar_type(type_) == "i1" else str(value)
    if isinstance(attribute, FloatAttr):
        value = attribute.value.data
        if is_small_float(type_):
            return str(_small_float_bits(value, type_))
        return float_literal(value, scalar_type(type_))
    raise UnsupportedError(f"arith.constant: the LLVM writer cannot write the value {attribute}")


def dense_array(value: DenseIntOrFPElementsAttr[Any], element: Attribute) -> np.ndarray[Any, np.dtype[Any]]:
    """The elements of a dense attribute as stored in memory, flat; `i1` as bytes 0/1. A splat may be one element."""
    data = value.data.data
    name = scalar_type(element)
    if name == "i1":
        return (np.frombuffer(data, np.uint8) != 0).astype(np.uint8)
    if name in SUB_BYTE:
        return np.frombuffer(data, np.uint8) & ((1 << int(name[1:])) - 1)
    if is_small_float(element):
        return np.frombuffer(data, np.uint16 if name == "i16" else np.uint8)
    return np.frombuffer(data, numpy_dtype(element))


def vector_literals(value: DenseIntOrFPElementsAttr[Any], type_: VectorType[Attribute]) -> list[str]:
    """One literal per row of a dense vector constant."""
    rows, lanes = row_count(type_), vector_shape(type_)[-1]
    name = scalar_type(type_.element_type)
    data = dense_array(value, type_.element_type)
    if data.size == 1 or data.tobytes() == data[:1].tobytes() * data.size:
        return [splat_literal(_element_literal(data[0], name), name)] * rows
    texts = [f"{name} {_element_literal(x, name)}" for x in data]
    return [f"<{', '.join(texts[r * lanes : (r + 1) * lanes])}>" for r in range(rows)]


def splat_literal(literal: str, name: str) -> str:
    """A vector literal with every lane equal."""
    return f"splat ({name} {literal})"


def _element_literal(value: Any, name: str) -> str:
    if name in ("float", "double"):
        return float_literal(float(value), name)
    if name == "i1":
        return "true" if value else "false"
    return str(int(value))


def constant_bytes_literal(data: bytes) -> str:
    """`c"..."` of raw bytes, quick also for megabytes."""
    return 'c"\\' + data.hex("\\") + '"' if data else 'c""'


def quoted(name: str) -> str:
    """An LLVM identifier, quoted when it needs it."""
    plain = name.replace("_", "a").replace(".", "a").replace("$", "a").isalnum()
    if plain and not name[0].isdigit() and name.isascii():
        return name
    return '"' + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\{b:02X}" for b in name.encode()) + '"'


def encoded(name: str) -> str:
    """A name as part of a symbol that needs no quotes: other bytes than letters, digits, `_` and `.` become `$XX`."""
    return "".join(chr(b) if (chr(b).isalnum() and b < 128) or b in b"_." else f"${b:02X}" for b in name.encode())
