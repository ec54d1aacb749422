"""Writing at indices: `x.at[index].set(value)` and its kin, which give a changed copy."""

from __future__ import annotations

from typing import Any

from stepwell.dialects.stablehlo import ScatterDimensionNumbers
from stepwell.frontends.api import api
from stepwell.frontends.dtypes import BOOL
from stepwell.frontends.errors import refuse
from stepwell.frontends.numpy_api.core import broadcast, lifted
from stepwell.frontends.numpy_api.indexing import (
    Dim,
    beside_arrays,
    dims_of,
    expanded,
    has_index_arrays,
    picks,
    sliced,
    starts_of,
)
from stepwell.frontends.numpy_api.manipulation import reshape
from stepwell.frontends.operators import NewAxis
from stepwell.frontends.tracer import Tracer, body, converted, current_trace, emit


@api("value")
def at_update(x: Any, index: Any, value: Any, combine: str) -> Any:
    """A copy of x with the elements at an index replaced ("set") or combined with `value` by a binary op."""
    a = lifted(x)
    parts = expanded(index, len(a.shape))
    update = converted(value, a.dtype)
    if has_index_arrays(parts):
        dims, _ = dims_of(a, beside_arrays(parts))
        box = sliced(a, dims)
        box = _scattered(box, parts, update, combine)
        return box if box.shape == a.shape and not _reversed(dims) else _placed(a, dims, box)
    if any(isinstance(p, NewAxis) for p in parts):
        raise refuse("at[...] takes no newaxis", "reshape the value instead")
    dims, _ = dims_of(a, parts)
    new = broadcast(update, tuple(d.count for d in dims if not d.dropped))
    new = reshape(new, tuple(d.count for d in dims))
    return _placed(a, dims, new if combine == "set" else emit("binary", combine, sliced(a, dims), new))


def _scattered(a: Tracer, parts: list[Any], update: Tracer, combine: str) -> Tracer:
    """Updates at index arrays, one after the other: an element that is named twice is updated twice."""
    chosen = picks(a, parts)
    update = broadcast(update, chosen.result_shape(a.shape))
    windows = chosen.window_dims(len(a.shape))
    numbers = ScatterDimensionNumbers(windows, chosen.dims, (), (), chosen.dims, len(chosen.shape))
    how = body(lambda _, new: [new]) if combine == "set" else combine
    return emit("scatter", a, chosen.vectors, update, numbers, how)


def _reversed(dims: list[Dim]) -> list[int]:
    return [i for i, d in enumerate(dims) if d.step < 0 and d.count > 1]


def _placed(a: Tracer, dims: list[Dim], new: Tracer) -> Tracer:
    """X with the elements that `dims` name replaced; `new` keeps all dims."""
    if any(d.count == 0 for d in dims):
        return a
    backwards = _reversed(dims)
    if backwards:
        new = emit("reverse", new, backwards)
        dims = [Dim(d.start + (d.count - 1) * d.step, d.count, -d.step) if d.step < 0 else d for d in dims]
    if any(d.step > 1 and d.count > 1 for d in dims):
        return _strided(a, dims, new)
    return emit("dynamic_update_slice", a, new, starts_of([d.start for d in dims]))


def _strided(a: Tracer, dims: list[Dim], new: Tracer) -> Tracer:
    """Steps above one: the new elements spread out by padding, chosen where a mask spread likewise is true."""
    if any(d.is_dynamic for d in dims):
        raise refuse("at[...] takes no run-time index beside a slice with a step", "update in two steps")
    low = [d.start for d in dims]
    gaps = [d.step - 1 if d.count > 1 else 0 for d in dims]
    high = [e - d.start - (d.count - 1) * (g + 1) - 1 for e, d, g in zip(a.shape, dims, gaps, strict=True)]
    trace = current_trace()
    spread = emit("pad", new, trace.lift(0, a.dtype), low, high, gaps)
    mask = broadcast(trace.lift(True, BOOL), new.shape)
    return emit("select", emit("pad", mask, trace.lift(False, BOOL), low, high, gaps), spread, a)
