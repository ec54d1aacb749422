"""Places in sorted lines, counts, and different elements, with shapes that are known beforehand."""

from __future__ import annotations

from typing import Any

from stepwell.frontends.api import api
from stepwell.frontends.dtypes import BOOL, INT32, as_dtype, is_float, kind
from stepwell.frontends.errors import refuse
from stepwell.frontends.numpy_api.core import broadcast, lifted
from stepwell.frontends.numpy_api.creation import full
from stepwell.frontends.numpy_api.elementwise import where
from stepwell.frontends.numpy_api.indexing import take
from stepwell.frontends.numpy_api.manipulation import concatenate, reshape
from stepwell.frontends.numpy_api.reductions import cumsum
from stepwell.frontends.numpy_api.sorting import in_order, sort
from stepwell.frontends.numpy_api.updates import at_update
from stepwell.frontends.tracer import Tracer, converted, emit, promoted, static_int


def _before(a: Tracer, b: Tracer) -> Tracer:
    """`a < b` in the order of `sort`: NaNs are last, and equal."""
    return emit("compare", "LT", in_order(a), in_order(b), is_float(a.dtype))


@api("v")
def searchsorted(a: Any, v: Any, /, *, side: str = "left") -> Any:
    """Where the elements of v go in the ascending line a (int32): in front of equal ones ("left") or behind ("right").

    A binary search of all elements at once, in ceil(log2(n + 1)) steps for n elements of a.
    """
    (line, values), common, _ = promoted(a, v)
    if len(line.shape) != 1 or kind(line.dtype) == 3 or kind(values.dtype) == 3:
        raise refuse(
            f"searchsorted: the line has shape {line.shape} and type {line.dtype}; it needs one real dimension"
        )
    if side not in ("left", "right"):
        raise refuse(f"searchsorted: side is 'left' or 'right', not {side!r}")
    if common == BOOL:
        line, values = converted(line, INT32), converted(values, INT32)
    low: Any = full(values.shape, 0, INT32)
    high: Any = full(values.shape, line.shape[0], INT32)
    for _ in range(line.shape[0].bit_length()):
        middle = (low + high) // 2
        found = take(line, middle)
        behind = _before(found, values) if side == "left" else ~_before(values, found)
        behind = behind & (low < high)
        low, high = where(behind, middle + 1, low), where(behind, high, middle)
    return low


@api("x")
def digitize(x: Any, bins: Any, /, *, right: bool = False) -> Any:
    """The number of the bin each element of x is in: bins[i - 1] <= x < bins[i], with `right` bins[i - 1] < x <= bins[i]."""
    return searchsorted(bins, x, side="left" if right else "right")


@api()
def bincount(x: Any, /, *, length: int, weights: Any = None) -> Any:
    """How often each of 0 .. length - 1 is in the integers x, or the sum of their weights; others do not count."""
    indices, count = lifted(x), static_int(length, "length")
    if kind(indices.dtype) not in (0, 1) or count < 0:
        raise refuse(f"bincount: needs integers and a length of 0 or more, got {indices.dtype} and {count}")
    flat = reshape(converted(indices, INT32), (indices.size,))
    given = full((indices.size,), 1, INT32) if weights is None else reshape(lifted(weights), (indices.size,))
    # What is below 0 would count from the end: it goes where updates are dropped.
    place = where(flat < 0, count, flat)
    return at_update(full((count,), 0, given.dtype), (place,), given, "add")


@api()
def unique(x: Any, /, *, size: int, fill_value: Any = None) -> Any:
    """The first `size` different elements of x in ascending order; when there are fewer, `fill_value` (default: the least) follows."""
    a, count = lifted(x), static_int(size, "size")
    if count < 0 or (a.size == 0 and fill_value is None and count):
        raise refuse(f"unique: {count} elements of an array of {a.size} need a fill_value")
    line: Any = sort(reshape(a, (a.size,)))
    filling = take(line, full((), 0, INT32)) if fill_value is None else converted(lifted(fill_value), a.dtype)
    result = broadcast(reshape(filling, ()), (count,))
    if not a.size or not count:
        return result
    earlier, later = (converted(v, INT32) if a.dtype == BOOL else v for v in (line[:-1], line[1:]))
    place = concatenate([full((1,), 0, INT32), cumsum(converted(_before(earlier, later), INT32))])
    return at_update(result, (place,), line, "set")


@api()
def one_hot(x: Any, num_classes: int, /, *, dtype: Any = "float32") -> Any:
    """A new last dim of `num_classes` with a 1 at each integer's place; a row of zeros for one out of range."""
    indices, count = lifted(x), static_int(num_classes, "num_classes")
    if kind(indices.dtype) not in (0, 1):
        raise refuse(f"one_hot: needs integers, got {indices.dtype}")
    shape = (*indices.shape, count)
    spread = emit("broadcast_in_dim", indices, shape, tuple(range(len(indices.shape))))
    places = emit("iota", indices.dtype, shape, len(shape) - 1)
    return converted(emit("compare", "EQ", spread, places), as_dtype(dtype))


__all__ = ["bincount", "digitize", "one_hot", "searchsorted", "unique"]
