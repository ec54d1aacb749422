"""Slices at run-time places, and the bits of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stepwell.frontends.api import api
from stepwell.frontends.dtypes import BOOL, INT32, as_dtype, bits, is_integer
from stepwell.frontends.errors import refuse
from stepwell.frontends.numpy_api.core import extents, lifted
from stepwell.frontends.tracer import Tracer, converted, emit, is_scalar


@api("starts")
def dynamic_slice(x: Any, starts: Sequence[Any], sizes: Any) -> Any:
    """A slice of static sizes at run-time starts, moved inside where it would reach out."""
    return emit("dynamic_slice", lifted(x), _start_indices(starts), list(extents(sizes)))


@api("starts")
def dynamic_update_slice(x: Any, update: Any, starts: Sequence[Any]) -> Any:
    """X with `update` written at run-time starts, moved inside where it would reach out."""
    a = lifted(x)
    return emit("dynamic_update_slice", a, converted(update, a.dtype), _start_indices(starts))


def _start_indices(starts: Sequence[Any]) -> list[Tracer]:
    tracers = [lifted(s) for s in starts]
    for tracer in tracers:
        if tracer.shape or not is_integer(tracer.dtype):
            raise refuse(f"a start must be a 0-d integer, not {tracer.dtype.name}{list(tracer.shape)}")
    dtype = next((t.dtype for t in tracers if not t.weak), INT32)
    return [converted(s if is_scalar(s) else t, dtype) for s, t in zip(starts, tracers, strict=True)]


@api()
def bitcast_convert_type(x: Any, dtype: Any) -> Any:
    """The bits of x as numbers of another dtype; where the widths differ, a last dim holds the narrower ones."""
    a, wanted = lifted(x), as_dtype(dtype)
    if (a.dtype == BOOL) != (wanted == BOOL):
        raise refuse(f"the bits of {a.dtype.name} are no {wanted.name}", "convert with astype")
    ratio = bits(wanted) // bits(a.dtype)
    if ratio > 1 and a.shape[-1:] != (ratio,):
        raise refuse(
            f"{ratio} numbers of {a.dtype.name} make one {wanted.name}: the last dim of {a.shape} must be that"
        )
    return emit("bitcast", a, wanted)
