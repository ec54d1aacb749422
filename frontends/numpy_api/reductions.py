"""Reductions: sums, extremes, truth, where extremes are, running sums."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from stepwell.frontends.api import api
from stepwell.frontends.dtypes import BOOL, FLOAT32, INT32, DType, as_dtype, bits, inexact, is_float, is_unsigned, kind
from stepwell.frontends.errors import refuse
from stepwell.frontends.numpy_api.core import axes, broadcast, lifted, one_axis
from stepwell.frontends.numpy_api.elementwise import astype, divide, sqrt, subtract, truth
from stepwell.frontends.tracer import Tracer, body, converted, current_trace, emit, emit_all


def reduced(x: Tracer, dims: tuple[int, ...], op: str, init: Any, keepdims: bool) -> Tracer:
    """X combined along `dims` by a binary op."""
    start = current_trace().lift(init, x.dtype)
    (result,) = emit_all("reduce", [x], [start], dims, op)
    return kept(result, x.shape, dims) if keepdims else result


def kept(x: Tracer, shape: tuple[int, ...], dims: tuple[int, ...]) -> Tracer:
    """A reduced array with the dims it lost as extents of one."""
    full = tuple(1 if d in dims else e for d, e in enumerate(shape))
    rest = tuple(d for d in range(len(shape)) if d not in dims)
    return emit("broadcast_in_dim", x, full, rest)


def sum_dtype(dtype: DType) -> DType:
    """What sums of `dtype` are: at least 32 bits for integers."""
    if dtype == BOOL:
        return INT32
    if kind(dtype) == 1 and bits(dtype) < 32:
        return as_dtype("uint32" if is_unsigned(dtype) else "int32")
    return dtype


def _accumulated(x: Any, axis: Any, dtype: Any, keepdims: bool, op: str, init: int) -> Tracer:
    """Small floats are combined in float32 and rounded once."""
    a = lifted(x)
    wanted = sum_dtype(a.dtype) if dtype is None else as_dtype(dtype)
    inner = FLOAT32 if is_float(wanted) and bits(wanted) < 32 else wanted
    result = reduced(astype(a, inner), axes(axis, len(a.shape)), op, init, keepdims)
    return converted(result, wanted)


@api()
def sum(x: Any, /, axis: Any = None, *, dtype: Any = None, keepdims: bool = False) -> Any:
    """The sum along axes."""
    return _accumulated(x, axis, dtype, keepdims, "add", 0)


@api()
def prod(x: Any, /, axis: Any = None, *, dtype: Any = None, keepdims: bool = False) -> Any:
    """The product along axes."""
    return _accumulated(x, axis, dtype, keepdims, "multiply", 1)


def extreme(dtype: DType, largest: bool) -> Any:
    """The value that every other one beats in a minimum (`largest`) or maximum."""
    if dtype == BOOL:
        return largest
    if kind(dtype) == 3:
        raise refuse("complex numbers have no order")
    if is_float(dtype):
        limits = ml_dtypes.finfo(dtype)
        infinity = float(np.asarray(np.inf).astype(dtype))
        bound = infinity if np.isinf(infinity) else float(limits.max)
        return bound if largest else -bound
    limits = ml_dtypes.iinfo(dtype)
    return int(limits.max if largest else limits.min)


def _extreme(x: Any, axis: Any, keepdims: bool, op: str, largest: bool) -> Tracer:
    a = lifted(x)
    dims = axes(axis, len(a.shape))
    if builtins.any(a.shape[d] == 0 for d in dims):
        raise refuse(f"an empty array of shape {a.shape} has no {op} along axis {axis}")
    return reduced(a, dims, op, extreme(a.dtype, largest), keepdims)


@api()
def max(x: Any, /, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The largest element along axes; NaN if any is."""
    return _extreme(x, axis, keepdims, "maximum", False)


@api()
def min(x: Any, /, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The smallest element along axes; NaN if any is."""
    return _extreme(x, axis, keepdims, "minimum", True)


@api()
def any(x: Any, /, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Whether some element along axes is not zero."""
    a = truth(x)
    return reduced(a, axes(axis, len(a.shape)), "or", False, keepdims)


@api()
def all(x: Any, /, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Whether all elements along axes are not zero."""
    a = truth(x)
    return reduced(a, axes(axis, len(a.shape)), "and", True, keepdims)


def _count(shape: tuple[int, ...], dims: tuple[int, ...]) -> int:
    count = 1
    for d in dims:
        count *= shape[d]
    return count


def _mean(x: Tracer, dims: tuple[int, ...], keepdims: bool, correction: float = 0) -> Tracer:
    total = reduced(x, dims, "add", 0, keepdims)
    count = builtins.max(_count(x.shape, dims) - correction, 0)
    return divide(total, broadcast(current_trace().lift(count, total.dtype), total.shape))


def _wide(x: Any) -> tuple[Tracer, DType]:
    """(x as a float of at least 32 bits, the dtype of results)."""
    a = lifted(x)
    result = inexact(a.dtype)
    return converted(a, FLOAT32 if bits(result) < 32 else result), result


@api()
def mean(x: Any, /, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The mean along axes."""
    a, dtype = _wide(x)
    return converted(_mean(a, axes(axis, len(a.shape)), keepdims), dtype)


def _var(x: Any, axis: Any, count: tuple[Any, Any], keepdims: bool) -> tuple[Tracer, DType]:
    """(the variance, the dtype of results); of complex numbers that of their distances, a real number."""
    correction, ddof = count
    if ddof is not None and correction is not None:
        raise refuse("ddof is another name of correction: give one of them")
    less = (0 if correction is None else correction) if ddof is None else ddof
    if not isinstance(less, int | builtins.float | np.number):
        raise refuse(f"the correction of a variance is a number, not {less!r}")
    a, dtype = _wide(x)
    dims = axes(axis, len(a.shape))
    centered = subtract(a, _mean(a, dims, True))
    parts = [centered] if kind(a.dtype) < 3 else [emit("unary", part, centered) for part in ("real", "imag")]
    squares = [emit("binary", "multiply", part, part) for part in parts]
    total = squares[0] if len(squares) == 1 else emit("binary", "add", *squares)
    return _mean(total, dims, keepdims, builtins.float(less)), dtype if kind(a.dtype) < 3 else total.dtype


@api()
def var(x: Any, /, axis: Any = None, *, correction: Any = None, keepdims: bool = False, ddof: Any = None) -> Any:
    """The variance along axes, over `count - correction` (which NumPy also calls `ddof`), by default `count`."""
    return converted(*_var(x, axis, (correction, ddof), keepdims))


@api()
def std(x: Any, /, axis: Any = None, *, correction: Any = None, keepdims: bool = False, ddof: Any = None) -> Any:
    """The standard deviation along axes, from the variance over `count - correction` (also `ddof`), by default `count`."""
    made, dtype = _var(x, axis, (correction, ddof), keepdims)
    return converted(sqrt(made), dtype)


def _argument(x: Any, axis: Any, keepdims: bool, direction: str, largest: bool) -> Tracer:
    a = lifted(x)
    if a.dtype == BOOL:
        a = converted(a, INT32)
    shape = a.shape
    if axis is None:
        a = emit("reshape", a, (a.size,))
    dim = 0 if axis is None else one_axis(axis, len(shape))
    if a.shape[dim] == 0:
        raise refuse(f"an empty array of shape {shape} has no largest or smallest element")
    result = _first_extreme(a, dim, direction, extreme(a.dtype, largest))
    if not keepdims:
        return result
    return kept(result, shape, axes(axis, len(shape)))


def _first_extreme(a: Tracer, dim: int, direction: str, init: Any) -> Tracer:
    """The index of the first NaN, or else of the first extreme element."""
    trace = current_trace()
    index = emit("iota", INT32, a.shape, dim)

    def pick(x: Tracer, i: Tracer, y: Tracer, j: Tracer) -> list[Tracer]:
        wins = emit("compare", direction, x, y)
        if is_float(a.dtype):
            wins = emit("binary", "or", wins, emit("compare", "NE", x, x))
        tie = emit("binary", "and", emit("compare", "EQ", x, y), emit("compare", "LT", i, j))
        earlier = emit("binary", "or", wins, tie)
        return [emit("select", wins, x, y), emit("select", earlier, i, j)]

    inits = [trace.lift(init, a.dtype), trace.lift(0, INT32)]
    return emit_all("reduce", [a, index], inits, (dim,), body(pick))[1]


@api()
def argmax(x: Any, /, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The index (int32) of the first largest element; of the first NaN if there is one."""
    return _argument(x, axis, keepdims, "GT", False)


@api()
def argmin(x: Any, /, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The index (int32) of the first smallest element; of the first NaN if there is one."""
    return _argument(x, axis, keepdims, "LT", True)


def _running(x: Any, axis: Any, op: str, init: Any, widen: Callable[[DType], DType]) -> Tracer:
    a = lifted(x)
    if axis is None:
        a = emit("reshape", a, (a.size,))
    dim = 0 if axis is None else one_axis(axis, len(a.shape))
    wanted = widen(a.dtype)
    inner = FLOAT32 if is_float(wanted) and bits(wanted) < 32 else wanted
    return converted(_scan(astype(a, inner), dim, op, init), wanted)


def _scan(a: Tracer, dim: int, op: str, init: Any) -> Tracer:
    """Log-step scan: after the step of distance d each element holds the last 2d elements combined."""
    extent, distance = a.shape[dim], 1
    start = current_trace().lift(init, a.dtype)
    while distance < extent:
        low = [distance if d == dim else 0 for d in range(len(a.shape))]
        shifted = emit("pad", a, start, low, [-e for e in low])
        a = emit("binary", op, shifted, a)
        distance *= 2
    return a


@api()
def cumsum(x: Any, /, axis: Any = None) -> Any:
    """Running sums along an axis."""
    return _running(x, axis, "add", 0, sum_dtype)


@api()
def cumprod(x: Any, /, axis: Any = None) -> Any:
    """Running products along an axis."""
    return _running(x, axis, "multiply", 1, sum_dtype)


@api()
def cummax(x: Any, /, axis: Any = None) -> Any:
    """The largest element so far along an axis; NaN from the first one on."""
    a = lifted(x)
    return _running(a, axis, "maximum", extreme(a.dtype, False), lambda dtype: dtype)


@api()
def cummin(x: Any, /, axis: Any = None) -> Any:
    """The smallest element so far along an axis; NaN from the first one on."""
    a = lifted(x)
    return _running(a, axis, "minimum", extreme(a.dtype, True), lambda dtype: dtype)


@api()
def count_nonzero(x: Any, /, axis: Any = None, *, keepdims: bool = False) -> Any:
    """How many elements are not zero."""
    return sum(truth(x), axis, keepdims=keepdims)


amax, amin = max, min
