"""Calls of targets that have a meaning of their own: `custom_call`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from xdsl.dialects.builtin import (
    ArrayAttr,
    DictionaryAttr,
    FloatAttr,
    IntegerAttr,
    StringAttr,
    f64,
    i64,
)
from xdsl.ir import Attribute

from stepwell.frontends.api import api
from stepwell.frontends.build import tensor
from stepwell.frontends.dtypes import as_dtype, element_type
from stepwell.frontends.errors import refuse
from stepwell.frontends.numpy_api.core import extents
from stepwell.frontends.tracer import current_trace
from stepwell.ir.dense import array_to_dense


@api()
def custom_call(target: str, results: Any, /, *operands: Any, has_side_effect: bool = False, **attributes: Any) -> Any:
    """What a custom call's target makes of the operands: a LAPACK routine, or what `stepwell.register_custom_call` registered.

    Args:
        target: the name.
        results: the call's result, as anything with a shape and a dtype or as a pair of them; a list of such for several results.
        operands: arrays.
        has_side_effect: keep the call also where its results are not used.
        attributes: numbers, booleans, text, lists and dicts of them, and NumPy arrays and scalars (of their own types).

    Returns:
        An array, or a tuple of them when `results` is a list.
    """
    trace = current_trace()
    wanted = results if isinstance(results, list) else [results]
    types = [tensor(*_dtype_and_shape(r)) for r in wanted]
    config = {name: _attribute(name, value) for name, value in attributes.items()}
    values = trace.function.custom_call(target, [trace.value(o) for o in operands], types, config, has_side_effect)
    made = tuple(trace.tracer(v) for v in values)
    return made if isinstance(results, list) else made[0]


def _dtype_and_shape(result: Any) -> tuple[Any, ...]:
    if hasattr(result, "shape") and hasattr(result, "dtype"):
        return as_dtype(result.dtype), *extents(result.shape)
    if isinstance(result, tuple) and len(result) == 2:
        return as_dtype(result[1]), *extents(result[0])
    raise refuse(
        f"a result of a custom call is given by its shape and dtype, not by {result!r}",
        "for instance ((3, 4), 'float32')",
    )


def _attribute(name: str, value: Any) -> Attribute:
    match value:
        case bool() | np.bool_():
            return IntegerAttr.from_bool(bool(value))
        case np.ndarray() | np.generic() if value.ndim == 0 and value.dtype.kind in "iuf":
            made: Any = IntegerAttr if value.dtype.kind in "iu" else FloatAttr
            return made(value.item(), element_type(as_dtype(value.dtype)))
        case np.ndarray():
            return array_to_dense(value, element_type(as_dtype(value.dtype)))
        case int():
            return IntegerAttr(value, i64)
        case float():
            return FloatAttr(value, f64)
        case str():
            return StringAttr(value)
        case list() | tuple():
            return ArrayAttr([_attribute(name, v) for v in value])
        case Mapping():
            return DictionaryAttr({str(k): _attribute(name, v) for k, v in value.items()})
        case _:
            raise refuse(
                f"the attribute {name} of a custom call cannot be {value!r}", "arrays are operands, not attributes"
            )


__all__ = ["custom_call"]
