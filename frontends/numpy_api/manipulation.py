"""Functions that move elements: shapes, joining, splitting, repeating."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from stepwell.frontends.api import api
from stepwell.frontends.dtypes import BOOL
from stepwell.frontends.errors import refuse
from stepwell.frontends.numpy_api import core
from stepwell.frontends.numpy_api.core import axes, broadcast, extents, lifted, one_axis, shape_tuple
from stepwell.frontends.tracer import Tracer, converted, emit, promoted, static_int


def _reshaped(x: Tracer, shape: tuple[int, ...]) -> Tracer:
    return x if x.shape == shape else emit("reshape", x, shape, weak=x.weak)


@api("x")
def reshape(x: Any, shape: Any, /) -> Any:
    """X in another shape; one extent may be -1."""
    a, wanted = lifted(x), shape_tuple(shape)
    if wanted.count(-1) > 1:
        raise refuse(f"the shape {wanted} has more than one -1")
    if -1 in wanted:
        rest = 1
        for extent in wanted:
            rest *= extent if extent != -1 else 1
        if rest == 0 or a.size % rest:
            raise refuse(f"an array of shape {a.shape} cannot be reshaped to {wanted}")
        wanted = tuple(a.size // rest if e == -1 else e for e in wanted)
    size = 1
    for extent in wanted:
        size *= extent
    if size != a.size or any(e < 0 for e in wanted):
        raise refuse(f"an array of shape {a.shape} cannot be reshaped to {wanted}")
    return _reshaped(a, wanted)


@api("x")
def ravel(x: Any, /) -> Any:
    """All elements in one dim."""
    a = lifted(x)
    return _reshaped(a, (a.size,))


@api("x")
def transpose(x: Any, /, axes: Any = None) -> Any:
    """The dims in another order; without `axes` in the opposite one."""
    a = lifted(x)
    rank = len(a.shape)
    order = tuple(range(rank))[::-1] if axes is None else tuple(one_axis(d, rank) for d in axes)
    if sorted(order) != list(range(rank)):
        raise refuse(f"axes {axes} are not a permutation of the {rank} dims")
    return a if order == tuple(range(rank)) else emit("transpose", a, order, weak=a.weak)


permute_dims = transpose


@api("x")
def matrix_transpose(x: Any, /) -> Any:
    """The last two dims swapped."""
    return swapaxes(x, -1, -2)


@api("x")
def swapaxes(x: Any, axis1: int, axis2: int, /) -> Any:
    """Two dims swapped."""
    a = lifted(x)
    order = list(range(len(a.shape)))
    i, j = one_axis(axis1, len(order)), one_axis(axis2, len(order))
    order[i], order[j] = order[j], order[i]
    return transpose(a, tuple(order))


@api("x")
def moveaxis(x: Any, source: Any, destination: Any, /) -> Any:
    """Dims moved to other places, the others in order."""
    a = lifted(x)
    rank = len(a.shape)
    given = [one_axis(d, rank) for d in (source if isinstance(source, tuple | list) else (source,))]
    places = [one_axis(d, rank) for d in (destination if isinstance(destination, tuple | list) else (destination,))]
    if len(given) != len(places) or len({*given}) != len(given) or len({*places}) != len(places):
        raise refuse(f"moveaxis cannot move {source} to {destination}")
    order = [d for d in range(rank) if d not in given]
    for place, dim in sorted(zip(places, given, strict=True)):
        order.insert(place, dim)
    return transpose(a, tuple(order))


@api("x")
def expand_dims(x: Any, /, axis: Any) -> Any:
    """Dims of extent one put in."""
    a = lifted(x)
    chosen = axis if isinstance(axis, tuple | list) else (axis,)
    rank = len(a.shape) + len(chosen)
    places = core.axes(tuple(chosen), rank)
    rest = iter(a.shape)
    return _reshaped(a, tuple(1 if d in places else next(rest) for d in range(rank)))


@api("x")
def squeeze(x: Any, /, axis: Any = None) -> Any:
    """Dims of extent one taken out."""
    a = lifted(x)
    rank = len(a.shape)
    dims = tuple(d for d in range(rank) if a.shape[d] == 1) if axis is None else axes(axis, rank)
    for d in dims:
        if a.shape[d] != 1:
            raise refuse(f"squeeze: dim {d} of shape {a.shape} is not 1")
    return _reshaped(a, tuple(e for d, e in enumerate(a.shape) if d not in dims))


@api("x")
def broadcast_to(x: Any, /, shape: Any) -> Any:
    """X repeated to a shape."""
    return broadcast(lifted(x), extents(shape))


def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The shape that arrays of these shapes broadcast to."""
    return core.broadcast_shapes(*shapes)


@api("arrays")
def broadcast_arrays(*arrays: Any) -> Any:
    """The arrays repeated to their common shape."""
    tracers = [lifted(a) for a in arrays]
    shape = core.broadcast_shapes(*[t.shape for t in tracers])
    return [broadcast(t, shape) for t in tracers]


@api("arrays")
def concatenate(arrays: Sequence[Any], /, axis: int | None = 0) -> Any:
    """The arrays one after the other along an axis."""
    if not len(arrays):
        raise refuse("concatenate needs at least one array")
    tracers, _, _ = promoted(*arrays)
    if axis is None:
        tracers, axis = [_reshaped(t, (t.size,)) for t in tracers], 0
    if not tracers[0].shape:
        raise refuse("0-d arrays cannot be concatenated", "use stack")
    return emit("concatenate", tracers, one_axis(axis, len(tracers[0].shape)))


concat = concatenate


@api("arrays")
def stack(arrays: Sequence[Any], /, axis: int = 0) -> Any:
    """The arrays along a new axis."""
    tracers, _, _ = promoted(*arrays)
    shapes = [t.shape for t in tracers]
    if any(shape != shapes[0] for shape in shapes):
        raise refuse(f"stack needs arrays of one shape, got {shapes}")
    place = one_axis(axis, len(shapes[0]) + 1)
    return concatenate([expand_dims(t, place) for t in tracers], place)


def _at_least(x: Any, rank: int) -> Tracer:
    a = lifted(x)
    return a if len(a.shape) >= rank else _reshaped(a, (*(1,) * (rank - len(a.shape)), *a.shape))


@api("arrays")
def vstack(arrays: Sequence[Any], /) -> Any:
    """The arrays as rows, one below the other."""
    return concatenate([_at_least(a, 2) for a in arrays], 0)


@api("arrays")
def hstack(arrays: Sequence[Any], /) -> Any:
    """The arrays side by side."""
    tracers = [_at_least(a, 1) for a in arrays]
    return concatenate(tracers, 0 if len(tracers[0].shape) == 1 else 1)


@api("x")
def split(x: Any, indices_or_sections: Any, /, axis: int = 0) -> Any:
    """X cut into equal pieces, or at indices."""
    a = lifted(x)
    dim = one_axis(axis, len(a.shape))
    extent = a.shape[dim]
    if isinstance(indices_or_sections, tuple | list):
        cuts = [0, *[static_int(i, "an index of split") for i in indices_or_sections], extent]
    else:
        count = static_int(indices_or_sections, "the number of pieces")
        if count <= 0 or extent % count:
            raise refuse(f"split: {extent} elements cannot be cut into {count} equal pieces")
        cuts = [i * (extent // count) for i in range(count + 1)]
    pairs = [(slice(b, e).indices(extent)[:2]) for b, e in itertools.pairwise(cuts)]
    return [_slice_dim(a, dim, begin, max(begin, end)) for begin, end in pairs]


@api("x")
def unstack(x: Any, /, *, axis: int = 0) -> Any:
    """X as a tuple of its slices along an axis, which they lose."""
    a = lifted(x)
    dim = one_axis(axis, len(a.shape))
    return tuple([squeeze(_slice_dim(a, dim, i, i + 1), dim) for i in range(a.shape[dim])])


@api("x")
def diff(x: Any, /, n: int = 1, axis: int = -1) -> Any:
    """The differences of neighbours along an axis, `n` times."""
    a = lifted(x)
    dim = one_axis(axis, len(a.shape))
    for _ in range(static_int(n, "n")):
        extent = a.shape[dim]
        low, high = _slice_dim(a, dim, 0, max(extent - 1, 0)), _slice_dim(a, dim, min(1, extent), extent)
        a = emit("compare", "NE", high, low) if a.dtype == BOOL else emit("binary", "subtract", high, low)
    return a


def _slice_dim(x: Tracer, dim: int, begin: int, end: int) -> Tracer:
    starts = [begin if d == dim else 0 for d in range(len(x.shape))]
    limits = [end if d == dim else e for d, e in enumerate(x.shape)]
    return x if (begin, end) == (0, x.shape[dim]) else emit("slice", x, starts, limits)


@api("x", "constant_values")
def pad(x: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Any:
    """X with elements added before and after in each dim."""
    a = lifted(x)
    if mode != "constant":
        raise refuse(f"pad has no mode '{mode}' yet", "the mode is 'constant'")
    low, high = zip(*_pad_widths(pad_width, len(a.shape)), strict=True) if a.shape else ((), ())
    if any(w < 0 for w in (*low, *high)):
        raise refuse(f"pad widths {pad_width} must not be negative")
    return emit("pad", a, converted(constant_values, a.dtype), list(low), list(high))


def _pad_widths(widths: Any, rank: int) -> list[tuple[int, int]]:
    if not isinstance(widths, tuple | list):
        both = static_int(widths, "a pad width")
        return [(both, both)] * rank
    if len(widths) == 2 and not any(isinstance(w, tuple | list) for w in widths):
        return [(static_int(widths[0], "a pad width"), static_int(widths[1], "a pad width"))] * rank
    rows = [_pad_widths(w, 1)[0] for w in widths]
    if len(rows) == 1:
        rows = rows * rank
    if len(rows) != rank:
        raise refuse(f"pad: {len(rows)} pairs of widths for an array of {rank} dims")
    return rows


@api("x")
def flip(x: Any, /, axis: Any = None) -> Any:
    """The elements in opposite order along axes."""
    a = lifted(x)
    dims = axes(axis, len(a.shape))
    return emit("reverse", a, dims) if dims else a


@api("x")
def roll(x: Any, shift: Any, /, axis: Any = None) -> Any:
    """The elements moved along axes, those that leave at one end entering at the other."""
    a = lifted(x)
    if axis is None:
        return _reshaped(roll(_reshaped(a, (a.size,)), shift, 0), a.shape)
    dims = axis if isinstance(axis, tuple | list) else (axis,)
    shifts = shift if isinstance(shift, tuple | list) else (shift,) * len(dims)
    if len(shifts) != len(dims):
        raise refuse(f"roll: {len(shifts)} shifts for {len(dims)} axes")
    for amount, axis_ in zip(shifts, dims, strict=True):
        dim = one_axis(axis_, len(a.shape))
        extent = a.shape[dim]
        cut = (extent - static_int(amount, "a shift") % extent) % extent if extent else 0
        if cut:
            a = emit("concatenate", [_slice_dim(a, dim, cut, extent), _slice_dim(a, dim, 0, cut)], dim)
    return a


@api("x")
def tile(x: Any, repetitions: Any, /) -> Any:
    """Copies of x side by side."""
    counts = extents(repetitions)
    a = _at_least(x, len(counts))
    counts = (1,) * (len(a.shape) - len(counts)) + counts
    paired = tuple(e for pair in zip(counts, a.shape, strict=True) for e in pair)
    wide = emit("broadcast_in_dim", a, paired, tuple(range(1, len(paired), 2)))
    return _reshaped(wide, tuple(c * e for c, e in zip(counts, a.shape, strict=True)))


@api("x")
def repeat(x: Any, repeats: Any, /, axis: int | None = None) -> Any:
    """Each element `repeats` times."""
    a = lifted(x)
    (count,) = extents(static_int(repeats, "repeats"))
    if axis is None:
        a = _reshaped(a, (a.size,))
    dim = 0 if axis is None else one_axis(axis, len(a.shape))
    paired = (*a.shape[: dim + 1], count, *a.shape[dim + 1 :])
    dims = tuple(d for d in range(len(paired)) if d != dim + 1)
    wide = emit("broadcast_in_dim", a, paired, dims)
    return _reshaped(wide, (*a.shape[:dim], a.shape[dim] * count, *a.shape[dim + 1 :]))


@api("arrays")
def meshgrid(*arrays: Any, indexing: str = "xy") -> Any:
    """Coordinate arrays of a grid."""
    if indexing not in ("xy", "ij"):
        raise refuse(f"meshgrid has no indexing '{indexing}'", "it is 'xy' or 'ij'")
    tracers = [lifted(a) for a in arrays]
    for tracer in tracers:
        if len(tracer.shape) != 1:
            raise refuse(f"meshgrid takes 1-d arrays, got shape {tracer.shape}", "use ravel")
    order = list(range(len(tracers)))
    if indexing == "xy" and len(order) > 1:
        order[0], order[1] = 1, 0
    shape = tuple(tracers[i].shape[0] for i in order)
    return [emit("broadcast_in_dim", t, shape, (order.index(i),)) for i, t in enumerate(tracers)]
