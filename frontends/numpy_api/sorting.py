"""Sorting and searching."""

from __future__ import annotations

from typing import Any

from stepwell.frontends.api import api
from stepwell.frontends.dtypes import BOOL, INT32, is_float, kind
from stepwell.frontends.errors import refuse
from stepwell.frontends.numpy_api.core import lifted, one_axis, scalar_like
from stepwell.frontends.numpy_api.manipulation import reshape
from stepwell.frontends.tracer import Tracer, body, converted, emit, emit_all, static_int


def in_order(x: Tracer) -> Tracer:
    """Zeros without sign and NaNs of one kind, so that the total order puts NaNs last."""
    if not is_float(x.dtype):
        return x
    x = emit("select", emit("compare", "EQ", x, scalar_like(0, x)), scalar_like(0, x), x)
    return emit("select", emit("compare", "NE", x, x), scalar_like(float("nan"), x), x)


def _sorted(arrays: list[Tracer], dim: int, descending: bool) -> list[Tracer]:
    """`arrays` reordered by the first one; equal elements keep their order."""

    def before(a: Tracer, b: Tracer, *rest: Tracer) -> list[Tracer]:
        first, second = (b, a) if descending else (a, b)
        return [emit("compare", "LT", in_order(first), in_order(second), is_float(a.dtype))]

    return emit_all("sort", arrays, dim, body(before))


def _line(x: Any, axis: int | None) -> tuple[Tracer, int]:
    a = lifted(x)
    if kind(a.dtype) == 3:
        raise refuse("complex numbers cannot be sorted yet")
    if axis is None:
        a, axis = reshape(a, (a.size,)), 0
    return a, one_axis(axis, len(a.shape))


@api()
def sort(x: Any, /, axis: int | None = -1, *, descending: bool = False) -> Any:
    """The elements of each line in ascending order, NaNs last; a stable sort."""
    a, dim = _line(x, axis)
    if a.dtype == BOOL:
        return converted(_sorted([converted(a, INT32)], dim, descending)[0], BOOL)
    return _sorted([a], dim, descending)[0]


@api()
def argsort(x: Any, /, axis: int | None = -1, *, descending: bool = False) -> Any:
    """The indices (int32) that sort each line; equal elements in order."""
    a, dim = _line(x, axis)
    key = converted(a, INT32) if a.dtype == BOOL else a
    return _sorted([key, emit("iota", INT32, a.shape, dim)], dim, descending)[1]


@api()
def top_k(x: Any, k: int, /) -> Any:
    """(the k largest elements of each row in descending order, their indices)."""
    a, count = lifted(x), static_int(k, "k")
    if not a.shape or not 0 <= count <= a.shape[-1]:
        raise refuse(f"top_k: k = {count} does not fit an array of shape {a.shape}")
    return tuple(emit_all("top_k", a, count))
