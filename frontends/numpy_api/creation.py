"""Functions that make arrays."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np

from stepwell.frontends.api import api
from stepwell.frontends.array import DEVICES, Array, checked_alignment, to_array
from stepwell.frontends.dtypes import FLOAT32, INT32, DType, as_dtype, inexact, is_float, kind, scalar_dtype
from stepwell.frontends.errors import refuse
from stepwell.frontends.numpy_api.core import broadcast, extents, lifted
from stepwell.frontends.numpy_api.elementwise import astype
from stepwell.frontends.operators import Operators
from stepwell.frontends.tracer import (
    ConcretizationError,
    Tracer,
    converted,
    current_trace,
    emit,
    is_scalar,
    is_tracing,
    static_int,
)

_CUDA = 2
"""DLPack's number for the memory of CUDA devices."""


def asarray(x: Any, /, dtype: Any = None, *, copy: bool | None = None) -> Any:
    """X as an array: Python numbers and lists get the default dtypes; NumPy arrays are shared, not copied."""
    if not is_tracing():
        if isinstance(x, Tracer):
            return astype(x, x.dtype)
        if isinstance(x, Array) and dtype is not None and as_dtype(dtype) != x.dtype:
            return astype(x, dtype)
        return to_array(x, dtype, copy)
    if isinstance(x, list | tuple) and _holds_tracer(x):
        return _stacked(list(x), dtype)
    if not isinstance(x, Operators) and not is_scalar(x):
        x = to_array(x, dtype)
    wanted = dtype if dtype is not None else scalar_dtype(x) if is_scalar(x) else None
    return lifted(x) if wanted is None else astype(x, wanted)


array = asarray


def _holds_tracer(x: Any) -> bool:
    return any(isinstance(e, Tracer) or (isinstance(e, list | tuple) and _holds_tracer(e)) for e in x)


def _stacked(parts: list[Any], dtype: Any) -> Any:
    from stepwell.frontends.numpy_api.manipulation import stack

    return stack([asarray(p, dtype) for p in parts])


def from_dlpack(x: Any, /) -> Array:
    """An array over another library's memory, of the host or a CUDA device, without copying."""
    try:
        if DEVICES.from_dlpack is not None and x.__dlpack_device__()[0] == _CUDA:
            return Array(DEVICES.from_dlpack(x))
        return Array(np.from_dlpack(x))
    except (BufferError, TypeError, RuntimeError, AttributeError) as error:
        if isinstance(error, ConcretizationError):
            raise
        raise refuse(f"cannot take {type(x).__name__} by DLPack: {error}") from None


def _placed(x: Any, alignment: int | None) -> Any:
    """A new array in memory that starts where it should; values inside of a program have no memory yet."""
    if not is_tracing():
        if alignment is None:
            return x.aligned() if x.device == "cpu" else x
        return x.aligned(alignment)
    if alignment is not None:
        checked_alignment(alignment)
        raise refuse("values of a program have no memory of their own to align", "make the array outside of jit")
    return x


def full(shape: Any, fill_value: Any, dtype: Any = None, *, alignment: int | None = None) -> Any:
    """An array of one value; outside of `jit` its memory starts at a multiple of `alignment` bytes, of 64 by default.

    >>> from stepwell import numpy as snp
    >>> snp.full((2, 2), 7)
    Array([[7, 7],
           [7, 7]], dtype=int32, shape=(2, 2))
    """
    return _placed(_full(shape, fill_value, dtype), alignment)


@api("fill_value")
def _full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    value = lifted(fill_value) if dtype is None else converted(fill_value, as_dtype(dtype))
    result = broadcast(value, extents(shape))
    return emit("convert", result, result.dtype) if result.weak else result


def zeros(shape: Any, dtype: Any = None, *, alignment: int | None = None) -> Any:
    """An array of zeros, float32 unless said otherwise; for `alignment` see `full`."""
    return _placed(_zeros(shape, dtype), alignment)


@api()
def _zeros(shape: Any, dtype: Any = None) -> Any:
    return _full(shape, 0, dtype=FLOAT32 if dtype is None else dtype)


def ones(shape: Any, dtype: Any = None, *, alignment: int | None = None) -> Any:
    """An array of ones, float32 unless said otherwise; for `alignment` see `full`."""
    return _placed(_ones(shape, dtype), alignment)


@api()
def _ones(shape: Any, dtype: Any = None) -> Any:
    return _full(shape, 1, dtype=FLOAT32 if dtype is None else dtype)


empty = zeros


@api()
def zeros_like(x: Any, /, dtype: Any = None) -> Any:
    """Zeros of x's shape and dtype."""
    return full(lifted(x).shape, 0, dtype=lifted(x).dtype if dtype is None else dtype)


@api()
def ones_like(x: Any, /, dtype: Any = None) -> Any:
    """Ones of x's shape and dtype."""
    return full(lifted(x).shape, 1, dtype=lifted(x).dtype if dtype is None else dtype)


empty_like = zeros_like


@api("fill_value")
def full_like(x: Any, /, fill_value: Any, dtype: Any = None) -> Any:
    """One value in x's shape and dtype."""
    return full(lifted(x).shape, fill_value, dtype=lifted(x).dtype if dtype is None else dtype)


@api()
def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
    """start, start + step, ... below stop; the bounds are static."""
    start, stop = (0, start) if stop is None else (start, stop)
    bounds = [_static_number(b) for b in (start, stop, step)]
    if bounds[2] == 0:
        raise refuse("arange needs a step that is not zero")
    default = FLOAT32 if any(isinstance(b, float) for b in bounds) else INT32
    wanted = default if dtype is None else as_dtype(dtype)
    count = max(0, int(np.ceil((bounds[1] - bounds[0]) / bounds[2])))
    return _ramp(count, bounds[0], bounds[2], wanted)


def _static_number(value: Any) -> int | float:
    if isinstance(value, Tracer):
        return static_int(value, "a bound of arange")
    number = value.item() if isinstance(value, np.generic | Array) else value
    if not isinstance(number, int | float) or not math.isfinite(number):
        raise refuse(f"a bound of arange must be a number, not {number!r}")
    return number


def _ramp(count: int, start: float, step: float, dtype: DType) -> Tracer:
    counting = dtype if kind(dtype) in (1, 2) and not (is_float(dtype) and dtype.itemsize < 4) else FLOAT32
    result = emit("iota", counting, (count,), 0)
    trace = current_trace()
    if step != 1:
        result = emit("binary", "multiply", result, broadcast(trace.lift(step, counting), (count,)))
    if start != 0:
        result = emit("binary", "add", result, broadcast(trace.lift(start, counting), (count,)))
    return converted(result, dtype)


@api("start", "stop")
def linspace(start: Any, stop: Any, num: int = 50, *, endpoint: bool = True, dtype: Any = None) -> Any:
    """`num` evenly spaced numbers from start to stop."""
    first, last = lifted(start), lifted(stop)
    wanted = inexact(first.dtype if dtype is None else as_dtype(dtype))
    (count,) = extents(static_int(num, "num"))
    a, b = converted(first, wanted), converted(last, wanted)
    steps = max(count - 1 if endpoint else count, 1)
    fraction = emit("iota", wanted, (count,), 0)
    step = emit("binary", "divide", emit("binary", "subtract", b, a), current_trace().lift(steps, wanted))
    line = emit("binary", "multiply", fraction, broadcast(step, (count,)))
    line = emit("binary", "add", line, broadcast(a, (count,)))
    if endpoint and count > 1:  # the last one exactly
        at_end = emit("compare", "EQ", fraction, broadcast(current_trace().lift(count - 1, wanted), (count,)))
        line = emit("select", at_end, broadcast(b, (count,)), line)
    return line if dtype is None else converted(line, as_dtype(dtype))


@api()
def eye(n_rows: int, n_cols: int | None = None, /, k: int = 0, dtype: Any = None) -> Any:
    """Ones on the k-th diagonal."""
    shape = extents((static_int(n_rows, "n_rows"), static_int(n_rows if n_cols is None else n_cols, "n_cols")))
    return converted(diagonal_mask(shape, k, "EQ"), FLOAT32 if dtype is None else as_dtype(dtype))


def identity(n: int, dtype: Any = None) -> Any:
    """The identity matrix."""
    return eye(n, dtype=dtype)


def diagonal_mask(shape: tuple[int, ...], k: int, direction: str) -> Tracer:
    """Where, in a matrix, `column - k` compares to `row`: "EQ" the k-th diagonal, "LE" it and below."""
    row, column = emit("iota", INT32, shape, 0), emit("iota", INT32, shape, 1)
    if k:
        row = emit("binary", "add", row, broadcast(current_trace().lift(k, INT32), shape))
    return emit("compare", direction, column, row)


@api()
def tri(n: int, m: int | None = None, k: int = 0, dtype: Any = None) -> Any:
    """Ones on and below the k-th diagonal."""
    shape = extents((static_int(n, "n"), static_int(n if m is None else m, "m")))
    return converted(diagonal_mask(shape, k, "LE"), FLOAT32 if dtype is None else as_dtype(dtype))


@api("x")
def tril(x: Any, /, k: int = 0) -> Any:
    """The lower triangle of matrices; zero above the k-th diagonal."""
    return _triangle(lifted(x), k, True)


@api("x")
def triu(x: Any, /, k: int = 0) -> Any:
    """The upper triangle of matrices; zero below the k-th diagonal."""
    return _triangle(lifted(x), k - 1, False)


def _triangle(x: Tracer, k: int, keep_lower: bool) -> Tracer:
    if len(x.shape) < 2:
        raise refuse(f"a triangle needs at least two dims, got shape {x.shape}")
    mask = broadcast(diagonal_mask(x.shape[-2:], k, "LE"), x.shape)
    zero = broadcast(current_trace().lift(0, x.dtype), x.shape)
    return emit("select", mask, x, zero) if keep_lower else emit("select", mask, zero, x)


def finfo(dtype: Any) -> Any:
    """The limits of a float dtype."""
    return ml_dtypes.finfo(as_dtype(dtype))


def iinfo(dtype: Any) -> Any:
    """The limits of an integer dtype."""
    return ml_dtypes.iinfo(as_dtype(dtype))
