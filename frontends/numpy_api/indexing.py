"""Reading at indices: `x[...]`, take and its kin. Indices known while tracing are checked, run-time ones clamped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stepwell.dialects.stablehlo import GatherDimensionNumbers
from stepwell.frontends.api import api
from stepwell.frontends.array import Array
from stepwell.frontends.dtypes import BOOL, INT32, INT64, UINT32, bits, is_integer, is_unsigned
from stepwell.frontends.errors import ConcretizationError, TracingError, refuse
from stepwell.frontends.numpy_api.core import broadcast, broadcast_shapes, lifted, one_axis, scalar_like
from stepwell.frontends.numpy_api.manipulation import reshape
from stepwell.frontends.operators import EncodedSlice, NewAxis
from stepwell.frontends.tracer import Tracer, converted, current_trace, emit, is_array, static_int


@dataclass(frozen=True)
class Dim:
    """What an index does with one dim: a start (maybe traced), how many, how far apart, whether the dim goes."""

    start: Any
    count: int
    step: int = 1
    dropped: bool = False

    @property
    def is_dynamic(self) -> bool:
        """Whether the start is known only when the program runs."""
        return isinstance(self.start, Tracer)


@dataclass(frozen=True)
class Picks:
    """Elements at index arrays, broadcast together to `shape`, of `dims`; `place` result dims stand before that shape.

    `vectors` holds one index vector, an entry a dim, per element of `shape`.
    """

    dims: tuple[int, ...]
    vectors: Tracer
    shape: tuple[int, ...]
    place: int

    def window_dims(self, rank: int) -> tuple[int, ...]:
        """The result dims that are not `shape`'s, for an array of `rank` dims."""
        rest = rank - len(self.dims)
        return tuple(i if i < self.place else i + len(self.shape) for i in range(rest))

    def result_shape(self, extents: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of what is picked from an array of these extents."""
        rest = tuple(e for d, e in enumerate(extents) if d not in self.dims)
        return (*rest[: self.place], *self.shape, *rest[self.place :])


@api()
def getitem(x: Any, index: Any) -> Any:
    """`x[index]`."""
    a = lifted(x)
    parts = expanded(index, len(a.shape))
    if has_index_arrays(parts):
        a = sliced(a, dims_of(a, beside_arrays(parts))[0])
        return _gathered(a, picks(a, parts))
    dims, new_axes = dims_of(a, parts)
    return _inserted(sliced(a, dims), dims, new_axes)


def expanded(index: tuple[Any, ...], rank: int) -> list[Any]:
    """The index with its ellipsis written out."""
    used = sum(1 for part in index if not isinstance(part, NewAxis) and part is not Ellipsis)
    if used > rank or sum(1 for part in index if part is Ellipsis) > 1:
        raise refuse(f"an array of {rank} dims takes no index with {used} parts (and at most one ellipsis)")
    fill = [EncodedSlice((None, None, None))] * (rank - used)
    place = next((i for i, part in enumerate(index) if part is Ellipsis), None)
    if place is None:
        return [*index, *fill]
    return [*index[:place], *fill, *index[place + 1 :]]


def dims_of(a: Tracer, parts: list[Any]) -> tuple[list[Dim], list[int]]:
    """(one entry a dim, where new dims go among the results')."""
    dims: list[Dim] = []
    new_axes: list[int] = []
    place = 0
    for part in parts:
        if isinstance(part, NewAxis):
            new_axes.append(place)
            place += 1
            continue
        dim = _one_dim(part, a.shape[len(dims)], len(dims))
        place += not dim.dropped
        dims.append(dim)
    return dims, new_axes


def _one_dim(part: Any, extent: int, number: int) -> Dim:
    if isinstance(part, EncodedSlice):
        start, stop, step = (None if p is None else static_int(p, "a bound of a slice") for p in part)
        if step == 0:
            raise refuse("the step of a slice must not be zero")
        chosen = range(*slice(start, stop, step).indices(extent))
        return Dim(chosen.start, len(chosen), chosen.step)
    if isinstance(part, bool | np.bool_):
        raise _no_masks()
    if is_array(part) and not isinstance(part, np.integer):
        return Dim(_wrapped(part, extent, number), 1, dropped=True)
    position = static_int(part, "an index")
    return Dim(_checked(np.asarray(position), extent, number).item(), 1, dropped=True)


def _no_masks() -> TracingError:
    hint = "the shape would depend on data: use stepwell.numpy.where(mask, x, 0)"
    return refuse("boolean masks cannot index", hint, ConcretizationError)


def _checked(index: np.ndarray[Any, Any], extent: int, number: int) -> np.ndarray[Any, Any]:
    """Indices known while tracing, counted from the start."""
    outside = index[(index < -extent) | (index >= extent)]
    if outside.size:
        raise refuse(f"index {outside.flat[0]} is out of bounds for dim {number} of extent {extent}")
    return index % max(extent, 1)


def _wrapped(part: Any, extent: int, number: int) -> Tracer:
    """An index array; negative ones count from the end."""
    if is_array(part) and part.dtype == BOOL:
        raise _no_masks()
    if isinstance(part, np.ndarray | np.generic | Array | int):
        known = np.asarray(part, None if is_array(part) else INT32.type)
        if known.dtype.kind in "iu":
            return lifted(_checked(known, extent, number).astype(known.dtype))
    index = lifted(part)
    if not is_integer(index.dtype):
        raise refuse(f"indices must be integers, not {index.dtype.name}")
    if is_unsigned(index.dtype):
        return index
    index = converted(index, INT32) if index.dtype.itemsize < 4 else index
    moved = emit("binary", "add", index, scalar_like(extent, index))
    return emit("select", emit("compare", "LT", index, scalar_like(0, index)), moved, index)


def sliced(a: Tracer, dims: list[Dim]) -> Tracer:
    """The slice, all dims kept."""
    if any(d.is_dynamic for d in dims):
        sizes = [1 if d.is_dynamic else e for d, e in zip(dims, a.shape, strict=True)]
        starts = [d.start if d.is_dynamic else 0 for d in dims]
        a = emit("dynamic_slice", a, starts_of(starts), sizes)
        dims = [Dim(0, 1, dropped=True) if d.is_dynamic else d for d in dims]
    starts = [d.start if d.step > 0 else d.start + (d.count - 1) * d.step for d in dims]
    starts = [max(s, 0) if d.count else 0 for s, d in zip(starts, dims, strict=True)]
    steps = [max(d.step, -d.step) if d.count > 1 else 1 for d in dims]
    limits = [s + (d.count - 1) * step + 1 if d.count else s for s, d, step in zip(starts, dims, steps, strict=True)]
    if any(s or n != e or step != 1 for s, n, e, step in zip(starts, limits, a.shape, steps, strict=True)):
        a = emit("slice", a, starts, limits, steps)
    backwards = [i for i, d in enumerate(dims) if d.step < 0 and d.count > 1]
    return emit("reverse", a, backwards) if backwards else a


def starts_of(starts: list[Any]) -> list[Tracer]:
    """Starts, some of them traced, as arrays of one dtype."""
    dtype = next((s.dtype for s in starts if isinstance(s, Tracer)), INT32)
    wide = next((s.dtype for s in starts if isinstance(s, Tracer) and s.dtype.itemsize > 4), dtype)
    return [converted(s, wide) for s in starts]


def _inserted(a: Tracer, dims: list[Dim], new_axes: list[int]) -> Tracer:
    shape = [e for e, d in zip(a.shape, dims, strict=True) if not d.dropped]
    for place in new_axes:
        shape.insert(place, 1)
    return reshape(a, tuple(shape))


def has_index_arrays(parts: list[Any]) -> bool:
    """Whether an index is more than integers, slices and newaxis."""
    return any(is_array(part) and part.shape for part in parts)


def _is_index(part: Any) -> bool:
    return not isinstance(part, EncodedSlice | NewAxis)


def beside_arrays(parts: list[Any]) -> list[Any]:
    """The slices of an index with index arrays; everything of the dims that arrays and integers index."""
    if any(isinstance(p, NewAxis) for p in parts):
        raise refuse("newaxis cannot stand beside index arrays", "index first, then expand_dims or reshape")
    return [EncodedSlice((None, None, None)) if _is_index(p) else p for p in parts]


def picks(a: Tracer, parts: list[Any]) -> Picks:
    """What the arrays and integers of an index pick from an array that was sliced already.

    As in NumPy their common shape stands in their place, or first when slices separate them.
    """
    dims = tuple(i for i, p in enumerate(parts) if _is_index(p))
    indices = [_wrapped(parts[d], a.shape[d], d) for d in dims]
    adjacent = dims[-1] - dims[0] == len(dims) - 1
    return picks_of(dims, indices, dims[0] if adjacent else 0)


def picks_of(dims: tuple[int, ...], indices: list[Tracer], place: int) -> Picks:
    """Picks at indices that are not negative."""
    shape = broadcast_shapes(*[i.shape for i in indices])
    wide = INT64 if any(bits(i.dtype) > 32 or i.dtype == UINT32 for i in indices) else INT32
    dtype = indices[0].dtype if len(indices) == 1 else wide
    columns = [reshape(broadcast(converted(i, dtype), shape), (*shape, 1)) for i in indices]
    vectors = columns[0] if len(columns) == 1 else emit("concatenate", columns, len(shape))
    return Picks(dims, vectors, shape, place)


def _gathered(a: Tracer, chosen: Picks) -> Tracer:
    dims = chosen.dims
    if any(a.shape[d] == 0 for d in dims) and all(chosen.shape):
        raise refuse(f"an empty array of shape {a.shape} has no elements to take")
    offset = chosen.window_dims(len(a.shape))
    numbers = GatherDimensionNumbers(offset, dims, (), (), dims, len(chosen.shape))
    return emit("gather", a, chosen.vectors, numbers, [1 if d in dims else e for d, e in enumerate(a.shape)])


@api("indices")
def take(x: Any, indices: Any, /, axis: int | None = None) -> Any:
    """Slices of x at indices along an axis; out of bounds is clamped, negative counts from the end."""
    a = lifted(x)
    if axis is None:
        a, axis = reshape(a, (a.size,)), 0
    dim = one_axis(axis, len(a.shape))
    return _gathered(a, picks_of((dim,), [_wrapped(indices, a.shape[dim], dim)], dim))


@api()
def take_along_axis(x: Any, indices: Any, /, axis: int = -1) -> Any:
    """For each line along an axis, its elements at the line of indices."""
    a, i = lifted(x), lifted(indices)
    if len(a.shape) != len(i.shape):
        raise refuse(f"take_along_axis: x has {len(a.shape)} dims, the indices {len(i.shape)}")
    dim = one_axis(axis, len(a.shape))
    batch = broadcast_shapes(a.shape[:dim] + a.shape[dim + 1 :], i.shape[:dim] + i.shape[dim + 1 :])
    a = broadcast(a, (*batch[:dim], a.shape[dim], *batch[dim:]))
    i = broadcast(_wrapped(i, a.shape[dim], dim), (*batch[:dim], i.shape[dim], *batch[dim:]))
    others = tuple(d for d in range(len(a.shape)) if d != dim)
    numbers = GatherDimensionNumbers((), (dim,), others, others, (dim,), len(i.shape))
    return emit("gather", a, reshape(i, (*i.shape, 1)), numbers, [1] * len(a.shape))


@api()
def diagonal(x: Any, /) -> Any:
    """The diagonal of the last two dims."""
    a = lifted(x)
    if len(a.shape) < 2:
        raise refuse(f"a diagonal needs at least two dims, got shape {a.shape}")
    extent = min(a.shape[-2:])
    line = emit("iota", INT32, (extent,), 0)
    dims = (len(a.shape) - 2, len(a.shape) - 1)
    return _gathered(a, picks_of(dims, [line, line], dims[0]))


@api()
def diag(x: Any, /) -> Any:
    """The diagonal of a matrix, or the matrix with a diagonal."""
    a = lifted(x)
    if len(a.shape) != 1:
        return diagonal(a)
    shape = (a.shape[0],) * 2
    mask = emit("compare", "EQ", emit("iota", INT32, shape, 0), emit("iota", INT32, shape, 1))
    return emit("select", mask, broadcast(a, shape), broadcast(current_trace().lift(0, a.dtype), shape))


def data_dependent(name: str, what: str, hint: str) -> Callable[..., Any]:
    """A function of NumPy's whose result has a shape that depends on the elements: it says what to use instead."""

    def function(*arrays: Any, **options: Any) -> Any:
        raise refuse(f"{name}: {what} have a shape that depends on data", hint, ConcretizationError)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Refused: {what} have a shape that depends on data; {hint}."
    return function


_INSTEAD = "use where(condition, x, 0) for the elements, argsort or top_k for a static number of indices"
nonzero = data_dependent("nonzero", "the indices of true elements", _INSTEAD)
flatnonzero = data_dependent("flatnonzero", "the indices of true elements", _INSTEAD)
argwhere = data_dependent("argwhere", "the indices of true elements", _INSTEAD)
extract = data_dependent("extract", "the elements that a condition picks", _INSTEAD)
