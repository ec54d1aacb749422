"""Indexing: `x[...]`, `x.at[...]`, take and its kin. Static indices are checked, run-time ones clamped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stepwell.dialects.stablehlo.attrs import GatherDimensionNumbers
from stepwell.frontends.api import api
from stepwell.frontends.dtypes import BOOL, INT32, is_integer, is_unsigned
from stepwell.frontends.errors import ConcretizationError, refuse
from stepwell.frontends.numpy_api.core import broadcast, broadcast_shapes, lifted, one_axis, scalar_like
from stepwell.frontends.numpy_api.manipulation import moveaxis, reshape
from stepwell.frontends.operators import EncodedSlice
from stepwell.frontends.tracer import Tracer, converted, current_trace, emit, is_array, static_int


@dataclass(frozen=True)
class _Dim:
    """What an index does with one dim: a start (maybe traced), how many, how far apart, whether the dim goes."""

    start: Any
    count: int
    step: int = 1
    dropped: bool = False

    @property
    def is_dynamic(self) -> bool:
        return isinstance(self.start, Tracer)


@api()
def getitem(x: Any, index: Any) -> Any:
    """`x[index]`."""
    a = lifted(x)
    parts = _expanded(index, len(a.shape))
    arrays = [i for i, part in enumerate(parts) if is_array(part) and lifted(part).shape]
    if arrays:
        return _advanced(a, parts, arrays)
    dims, new_axes = _dims(a, parts)
    return _inserted(_basic(a, dims), dims, new_axes)


def _expanded(index: tuple[Any, ...], rank: int) -> list[Any]:
    """The index with its ellipsis written out."""
    used = sum(1 for part in index if not isinstance(part, str) and part is not Ellipsis)
    if used > rank or sum(1 for part in index if part is Ellipsis) > 1:
        raise refuse(f"an array of {rank} dims takes no index with {used} parts (and at most one ellipsis)")
    fill = [EncodedSlice((None, None, None))] * (rank - used)
    place = next((i for i, part in enumerate(index) if part is Ellipsis), None)
    if place is None:
        return [*index, *fill]
    return [*index[:place], *fill, *index[place + 1 :]]


def _dims(a: Tracer, parts: list[Any]) -> tuple[list[_Dim], list[int]]:
    """(one entry a dim, where new dims go among the results')."""
    dims: list[_Dim] = []
    new_axes: list[int] = []
    place = 0
    for part in parts:
        if isinstance(part, str):
            new_axes.append(place)
            place += 1
            continue
        dim = _one_dim(part, a.shape[len(dims)], len(dims))
        place += not dim.dropped
        dims.append(dim)
    return dims, new_axes


def _one_dim(part: Any, extent: int, number: int) -> _Dim:
    if isinstance(part, EncodedSlice):
        start, stop, step = (None if p is None else static_int(p, "a bound of a slice") for p in part)
        if step == 0:
            raise refuse("the step of a slice must not be zero")
        chosen = range(*slice(start, stop, step).indices(extent))
        return _Dim(chosen.start, len(chosen), chosen.step)
    if isinstance(part, bool) or (is_array(part) and part.dtype == BOOL):
        hint = "the shape would depend on data: use stepwell.numpy.where(mask, x, 0)"
        raise refuse("boolean masks cannot index", hint, ConcretizationError)
    if is_array(part):
        return _Dim(_wrapped(lifted(part), extent), 1, dropped=True)
    position = static_int(part, "an index")
    if not -extent <= position < extent:
        raise refuse(f"index {position} is out of bounds for dim {number} of extent {extent}")
    return _Dim(position % extent, 1, dropped=True)


def _wrapped(index: Tracer, extent: int) -> Tracer:
    """Negative run-time indices count from the end."""
    if not is_integer(index.dtype):
        raise refuse(f"indices must be integers, not {index.dtype.name}")
    if is_unsigned(index.dtype):
        return index
    index = converted(index, INT32) if index.dtype.itemsize < 4 else index
    moved = emit("binary", "add", index, scalar_like(extent, index))
    return emit("select", emit("compare", "LT", index, scalar_like(0, index)), moved, index)


def _basic(a: Tracer, dims: list[_Dim]) -> Tracer:
    """The slice, all dims kept."""
    if any(d.is_dynamic for d in dims):
        sizes = [1 if d.is_dynamic else e for d, e in zip(dims, a.shape, strict=True)]
        starts = [d.start if d.is_dynamic else 0 for d in dims]
        a = emit("dynamic_slice", a, _starts(starts), sizes)
        dims = [_Dim(0, 1, dropped=True) if d.is_dynamic else d for d in dims]
    starts = [d.start if d.step > 0 else d.start + (d.count - 1) * d.step for d in dims]
    starts = [max(s, 0) if d.count else 0 for s, d in zip(starts, dims, strict=True)]
    steps = [max(d.step, -d.step) if d.count > 1 else 1 for d in dims]
    limits = [s + (d.count - 1) * step + 1 if d.count else s for s, d, step in zip(starts, dims, steps, strict=True)]
    if any(s or n != e or step != 1 for s, n, e, step in zip(starts, limits, a.shape, steps, strict=True)):
        a = emit("slice", a, starts, limits, steps)
    backwards = [i for i, d in enumerate(dims) if d.step < 0 and d.count > 1]
    return emit("reverse", a, backwards) if backwards else a


def _starts(starts: list[Any]) -> list[Tracer]:
    dtype = next((s.dtype for s in starts if isinstance(s, Tracer)), INT32)
    wide = next((s.dtype for s in starts if isinstance(s, Tracer) and s.dtype.itemsize > 4), dtype)
    return [converted(s, wide) for s in starts]


def _inserted(a: Tracer, dims: list[_Dim], new_axes: list[int]) -> Tracer:
    shape = [e for e, d in zip(a.shape, dims, strict=True) if not d.dropped]
    for place in new_axes:
        shape.insert(place, 1)
    return reshape(a, tuple(shape))


def _advanced(a: Tracer, parts: list[Any], arrays: list[int]) -> Tracer:
    """Integer arrays: all dims they index are gathered together; slices beside them first."""
    masks = [parts[i] for i in arrays if lifted(parts[i]).dtype == BOOL]
    if masks:
        _one_dim(masks[0], 0, 0)
    scalars = [i for i, p in enumerate(parts) if i not in arrays and not isinstance(p, str | EncodedSlice)]
    chosen = sorted([*arrays, *scalars])
    if chosen != list(range(chosen[0], chosen[-1] + 1)) or any(isinstance(p, str) for p in parts):
        raise refuse("index arrays must stand next to each other, without newaxis", "use transpose and reshape")
    sliced = [EncodedSlice((None, None, None)) if i in chosen else p for i, p in enumerate(parts)]
    a = _basic(a, _dims(a, sliced)[0])
    indices = [_wrapped(lifted(parts[i]), a.shape[i]) for i in chosen]
    return _gathered(a, indices, chosen[0])


def _gathered(a: Tracer, indices: list[Tracer], first: int) -> Tracer:
    """Elements of dims first, first + 1, ... at index arrays broadcast together; the batch stands in their place."""
    shape = broadcast_shapes(*[i.shape for i in indices])
    wide = indices[0].dtype if len(indices) == 1 else INT32
    columns = [reshape(broadcast(converted(i, wide), shape), (*shape, 1)) for i in indices]
    vector = columns[0] if len(columns) == 1 else emit("concatenate", columns, len(shape))
    dims = tuple(range(first, first + len(indices)))
    rest = len(a.shape) - len(dims)
    after = len(shape)
    offset = tuple(d if d < first else d + after for d in range(rest))
    numbers = GatherDimensionNumbers(offset, dims, (), (), dims, after)
    sizes = [1 if d in dims else e for d, e in enumerate(a.shape)]
    if any(a.shape[d] == 0 for d in dims) and all(shape):
        raise refuse(f"an empty array of shape {a.shape} has no elements to take")
    return emit("gather", a, vector, numbers, sizes)


@api("indices")
def take(x: Any, indices: Any, /, axis: int | None = None) -> Any:
    """Slices of x at indices along an axis; out of bounds is clamped, negative counts from the end."""
    a = lifted(x)
    if axis is None:
        a, axis = reshape(a, (a.size,)), 0
    dim = one_axis(axis, len(a.shape))
    return _gathered(a, [_wrapped(lifted(indices), a.shape[dim])], dim)


@api()
def take_along_axis(x: Any, indices: Any, /, axis: int = -1) -> Any:
    """For each line along an axis, its elements at the line of indices."""
    a, i = lifted(x), lifted(indices)
    if len(a.shape) != len(i.shape):
        raise refuse(f"take_along_axis: x has {len(a.shape)} dims, the indices {len(i.shape)}")
    dim = one_axis(axis, len(a.shape))
    batch = broadcast_shapes(a.shape[:dim] + a.shape[dim + 1 :], i.shape[:dim] + i.shape[dim + 1 :])
    a = broadcast(a, (*batch[:dim], a.shape[dim], *batch[dim:]))
    i = broadcast(_wrapped(i, a.shape[dim]), (*batch[:dim], i.shape[dim], *batch[dim:]))
    others = tuple(d for d in range(len(a.shape)) if d != dim)
    numbers = GatherDimensionNumbers((), (dim,), others, others, (dim,), len(i.shape))
    return emit("gather", a, reshape(i, (*i.shape, 1)), numbers, [1] * len(a.shape))


@api("value")
def at_set(x: Any, index: Any, value: Any) -> Any:
    """`x.at[index].set(value)`, for indices of integers and slices."""
    a = lifted(x)
    parts = _expanded(index, len(a.shape))
    if any(is_array(p) and lifted(p).shape for p in parts) or any(isinstance(p, str) for p in parts):
        raise refuse("at[...].set takes integers and slices as indices")
    dims, _ = _dims(a, parts)
    kept = tuple(d.count for d in dims if not d.dropped)
    new = broadcast(converted(value, a.dtype), kept)
    new = reshape(new, tuple(d.count for d in dims))
    if any(d.step < 0 and d.count > 1 for d in dims):
        new = emit("reverse", new, [i for i, d in enumerate(dims) if d.step < 0 and d.count > 1])
        dims = [_Dim(d.start + (d.count - 1) * d.step, d.count, -d.step) if d.step < 0 else d for d in dims]
    if any(d.count == 0 for d in dims):
        return a
    if any(d.step > 1 and d.count > 1 for d in dims):
        return _strided_set(a, dims, new)
    return emit("dynamic_update_slice", a, new, _starts([d.start for d in dims]))


def _strided_set(a: Tracer, dims: list[_Dim], new: Tracer) -> Tracer:
    """Steps above one: the new elements spread out by padding, chosen where a mask spread likewise is true."""
    if any(d.is_dynamic for d in dims):
        raise refuse("at[...].set takes no run-time index beside a slice with a step")
    low = [d.start for d in dims]
    gaps = [d.step - 1 if d.count > 1 else 0 for d in dims]
    high = [e - d.start - (d.count - 1) * (g + 1) - 1 for e, d, g in zip(a.shape, dims, gaps, strict=True)]
    trace = current_trace()
    spread = emit("pad", new, trace.lift(0, a.dtype), low, high, gaps)
    mask = broadcast(trace.lift(True, BOOL), new.shape)
    return emit("select", emit("pad", mask, trace.lift(False, BOOL), low, high, gaps), spread, a)


@api()
def diagonal(x: Any, /) -> Any:
    """The diagonal of the last two dims."""
    a = lifted(x)
    if len(a.shape) < 2:
        raise refuse(f"a diagonal needs at least two dims, got shape {a.shape}")
    extent = min(a.shape[-2:])
    line = emit("iota", INT32, (extent,), 0)
    return _gathered(a, [line, line], len(a.shape) - 2)


@api()
def diag(x: Any, /) -> Any:
    """The diagonal of a matrix, or the matrix with a diagonal."""
    a = lifted(x)
    if len(a.shape) != 1:
        return diagonal(a)
    shape = (a.shape[0],) * 2
    mask = emit("compare", "EQ", emit("iota", INT32, shape, 0), emit("iota", INT32, shape, 1))
    return emit("select", mask, broadcast(a, shape), broadcast(current_trace().lift(0, a.dtype), shape))


__all__ = ["at_set", "diag", "diagonal", "getitem", "moveaxis", "take", "take_along_axis"]
