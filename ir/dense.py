"""Dense constants as NumPy arrays and back, straight from their bytes (never element by element).

xDSL packs `dense<...>` one element after the other, `i1` as one byte (0xff for true) and sub-byte integers as one byte.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from xdsl.dialects.builtin import (
    BytesAttr,
    ComplexType,
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    TensorType,
    VectorType,
)
from xdsl.ir import Attribute
from xdsl.utils.exceptions import VerifyException

from stepwell.ir.dtypes import numpy_dtype

MOST_LISTED = 1 << 20
"""The values that an attribute may list; what is data, and not a list, may be larger."""

Array = np.ndarray[Any, np.dtype[Any]]


def dense_to_array(attr: DenseIntOrFPElementsAttr[Any]) -> Array:
    """The values of a `dense<...>` attribute, in its shape; read-only."""
    element_type = attr.type.get_element_type()
    shape = attr.type.get_shape()
    dtype = numpy_dtype(element_type)
    data = attr.data.data
    if dtype == np.bool_:
        flat: Array = np.frombuffer(data, np.uint8) != 0
    elif isinstance(element_type, IntegerType) and element_type.width.data < 8:
        flat = np.frombuffer(data, np.int8).astype(dtype)
    else:
        flat = np.frombuffer(data, dtype)
    count = int(np.prod(shape, dtype=np.int64))
    if flat.size == 1 and count != 1:
        return np.broadcast_to(flat, (count,)).reshape(shape)
    return flat.reshape(shape)


def dense_to_list(attr: DenseIntOrFPElementsAttr[Any], *, flat: bool = False) -> list[Any]:
    """The values of a `dense<...>` attribute that says something about an op (groups, an order, indices), as nested lists or one flat list.

    Raises:
        VerifyException: there are more than `MOST_LISTED`; a splat says any number of them in a few characters.
    """
    values = dense_to_array(attr)
    if values.size > MOST_LISTED:
        raise VerifyException(f"a list of {values.size} values is above the limit of {MOST_LISTED}")
    return (values.reshape(-1) if flat else values).tolist()


def array_to_dense(array: Array, element_type: Attribute, *, vector: bool = False) -> DenseIntOrFPElementsAttr[Any]:
    """A `dense<...>` attribute with the values of `array`, of type `tensor<shape x element_type>`."""
    values = np.ascontiguousarray(array, numpy_dtype(element_type)).reshape(array.shape)
    if values.dtype == np.bool_:
        data = np.where(values, np.uint8(255), np.uint8(0)).tobytes()
    elif isinstance(element_type, IntegerType) and element_type.width.data < 8:
        data = values.astype(np.int8).tobytes()
    else:
        data = values.tobytes()
    shaped: Any = (VectorType if vector else TensorType)(element_type, array.shape)
    return DenseIntOrFPElementsAttr(shaped, BytesAttr(data))


def splat_value(attr: DenseIntOrFPElementsAttr[Any]) -> IntegerAttr[Any] | FloatAttr[Any] | None:
    """The one value of a splat constant of integers, indices or floats as an attribute, bit for bit; None when not a splat."""
    element_type = attr.type.get_element_type()
    data = attr.data.data
    size = element_type.compile_time_size
    if not data or data != data[:size] * (len(data) // size) or isinstance(element_type, ComplexType):
        return None
    if isinstance(element_type, IntegerType) and element_type.width.data == 1:
        return IntegerAttr(1 if data[0] else 0, element_type)
    try:
        if isinstance(element_type, IntegerType | IndexType):
            return IntegerAttr(element_type.unpack(data[:size], 1)[0], element_type)
        return FloatAttr(element_type.unpack(data[:size], 1)[0], element_type)
    except (NotImplementedError, TypeError):
        return None


__all__ = ["MOST_LISTED", "Array", "array_to_dense", "dense_to_array", "dense_to_list", "splat_value"]
