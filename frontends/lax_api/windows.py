"""Convolutions, and reductions over dims and windows by any function of two numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from stepwell.dialects.stablehlo import ConvDimensionNumbers
from stepwell.frontends.api import api
from stepwell.frontends.dtypes import as_dtype
from stepwell.frontends.errors import refuse
from stepwell.frontends.numpy_api.core import axes, lifted, shape_tuple
from stepwell.frontends.tracer import Tracer, body, converted, emit, emit_all, promoted, static_int

Pairs: TypeAlias = list[tuple[int, int]]
Combine: TypeAlias = Callable[[Any, Any], Any]


@api("init")
def reduce(x: Any, init: Any, combine: Combine, dimensions: Any) -> Any:
    """The elements along `dimensions` combined by a function of two numbers, such as `stepwell.numpy.maximum`.

    The function must be associative and `init` its neutral element: the order is the compiler's.
    """
    a = lifted(x)
    (result,) = emit_all(
        "reduce", [a], [converted(init, a.dtype)], axes(dimensions, len(a.shape)), _combiner(a, combine)
    )
    return result


@api("init")
def reduce_window(
    x: Any,
    init: Any,
    combine: Combine,
    window_dimensions: Any,
    window_strides: Any = None,
    padding: str | Sequence[tuple[int, int]] = "VALID",
    base_dilation: Any = None,
    window_dilation: Any = None,
) -> Any:
    """Every window of x combined by a function of two numbers; `init`, its neutral element, fills the padding.

    Max pooling is `reduce_window(x, -inf, maximum, (1, 1, 2, 2), (1, 1, 2, 2))`.
    """
    a = lifted(x)
    rank = len(a.shape)
    window = _entries(window_dimensions, rank, "window_dimensions", None)
    strides = _entries(window_strides, rank, "window_strides", 1)
    base = _entries(base_dilation, rank, "base_dilation", 1)
    dilation = _entries(window_dilation, rank, "window_dilation", 1)
    pads = _padding(padding, _dilated(a.shape, base), _dilated(window, dilation), strides)
    combiner = _combiner(a, combine)
    (result,) = emit_all(
        "reduce_window", [a], [converted(init, a.dtype)], window, combiner, strides, pads, base, dilation
    )
    return result


def _combiner(a: Tracer, combine: Combine) -> Any:
    def combined(x: Tracer, y: Tracer) -> list[Tracer]:
        result = lifted(combine(x, y))
        if result.shape or (result.dtype != a.dtype and not result.weak):
            got = f"{result.dtype.name}{list(result.shape)}"
            raise refuse(f"the function that combines elements returns {got}, not {a.dtype.name}[]")
        return [converted(result, a.dtype)]

    return body(combined)


@api()
def conv(x: Any, kernel: Any, window_strides: Any, padding: str | Sequence[tuple[int, int]]) -> Any:
    """`conv_general_dilated` of (batch, feature, spatial...) arrays with (out, in, spatial...) kernels."""
    return conv_general_dilated(x, kernel, window_strides, padding)


@api()
def conv_general_dilated(
    x: Any,
    kernel: Any,
    window_strides: Any,
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Any = None,
    rhs_dilation: Any = None,
    dimension_numbers: tuple[str, str, str] | None = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    preferred_element_type: Any = None,
) -> Any:
    """The convolution (cross-correlation) that neural networks use.

    Args:
        x: a batch of arrays with features.
        kernel: one dot product of features and window per output feature.
        window_strides: steps between windows, one per spatial dim.
        padding: "VALID" (none), "SAME" or "SAME_LOWER" (as many windows as strides, the odd element after or before),
            or (before, after) per spatial dim; negative crops.
        lhs_dilation: x is spread, with zeros between its elements (transposed convolutions).
        rhs_dilation: the kernel is spread.
        dimension_numbers: the dims of x, kernel and result, such as ("NHWC", "HWIO", "NHWC"): N batch, C feature, O and I
            the kernel's output and input features, other letters spatial. Without it batch and features come first.
        feature_group_count: input features are cut into that many groups, each with kernels of its own.
        batch_group_count: the same for the batch.
        preferred_element_type: dtype of the sum and the result.
    """
    (a, b), _, _ = promoted(x, kernel)
    rank = len(a.shape)
    if rank < 2 or rank != len(b.shape):
        raise refuse(f"a convolution needs an array and a kernel of one rank, at least 2, got {a.shape} and {b.shape}")
    numbers = _numbers(dimension_numbers, rank)
    strides, left, right = (
        _entries(value, rank - 2, name, 1)
        for value, name in (
            (window_strides, "window_strides"),
            (lhs_dilation, "lhs_dilation"),
            (rhs_dilation, "rhs_dilation"),
        )
    )
    if isinstance(padding, str) and any(d != 1 for d in left):
        raise refuse("lhs_dilation needs explicit padding", "give (before, after) per spatial dim")
    window = _dilated([b.shape[d] for d in numbers.kernel_spatial_dimensions], right)
    pads = _padding(padding, [a.shape[d] for d in numbers.input_spatial_dimensions], window, strides)
    dtype = None if preferred_element_type is None else as_dtype(preferred_element_type)
    groups = [static_int(g, "a group count") for g in (feature_group_count, batch_group_count)]
    return emit("convolution", a, b, numbers, strides, pads, left, right, *groups, dtype)


def _entries(value: Any, rank: int, what: str, default: int | None) -> tuple[int, ...]:
    """One positive number a dim."""
    if value is None and default is not None:
        return (default,) * rank
    entries = shape_tuple(value)
    if len(entries) != rank or any(e < 1 for e in entries):
        raise refuse(f"{what} must be {rank} positive numbers, not {value}")
    return entries


def _dilated(extents: Sequence[int], dilation: Sequence[int]) -> list[int]:
    return [(e - 1) * d + 1 if e else 0 for e, d in zip(extents, dilation, strict=True)]


def _padding(padding: Any, extents: Sequence[int], window: Sequence[int], strides: Sequence[int]) -> Pairs:
    """(before, after) per dim; `extents` and `window` are dilated already."""
    if isinstance(padding, str):
        return _named_padding(padding, extents, window, strides)
    pairs = [shape_tuple(pair) for pair in padding]
    if len(pairs) != len(extents) or any(len(pair) != 2 for pair in pairs):
        raise refuse(f"padding must be {len(extents)} pairs (before, after), not {padding}")
    return [(pair[0], pair[1]) for pair in pairs]


def _named_padding(name: str, extents: Sequence[int], window: Sequence[int], strides: Sequence[int]) -> Pairs:
    if name == "VALID":
        return [(0, 0)] * len(extents)
    if name not in ("SAME", "SAME_LOWER"):
        raise refuse(f"there is no padding '{name}'", "it is 'VALID', 'SAME', 'SAME_LOWER' or pairs (before, after)")
    pairs: Pairs = []
    for extent, size, stride in zip(extents, window, strides, strict=True):
        count = -(-extent // stride)
        total = max((count - 1) * stride + size - extent, 0)
        small, large = total // 2, total - total // 2
        pairs.append((small, large) if name == "SAME" else (large, small))
    return pairs


def _numbers(names: Any, rank: int) -> ConvDimensionNumbers:
    """The dimension numbers that three strings name; spatial dims in the order of the kernel's letters."""
    if names is None:
        spatial = tuple(range(2, rank))
        return ConvDimensionNumbers(0, 1, spatial, 1, 0, spatial, 0, 1, spatial)
    wrong = f"dimension_numbers {names!r} do not name the {rank} dims of x, kernel and result"
    if len(names) != 3 or not all(isinstance(n, str) and len(n) == len({*n}) == rank for n in names):
        raise refuse(wrong, "they are three strings such as ('NHWC', 'HWIO', 'NHWC')")
    letters = [c for c in names[1] if c not in "OI"]
    parts: list[Any] = []
    for name, roles in zip(names, ("NC", "IO", "NC"), strict=True):
        if sorted(name) != sorted([*roles, *letters]):
            raise refuse(wrong, f"'{name}' must have the letters {roles[0]}, {roles[1]} and {', '.join(letters)}")
        parts += [*(name.index(role) for role in roles), tuple(name.index(c) for c in letters)]
    return ConvDimensionNumbers(*parts)
