"""`stepwell.lax`: convolutions and windows against loops in NumPy, and their errors; scans backwards, bits."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import stepwell
import stepwell.lax as lax
import stepwell.numpy as snp

RNG = np.random.default_rng(11)


def f32(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def spread(x: np.ndarray, dilation: Sequence[int], fill: float) -> np.ndarray:
    """X with `dilation - 1` fills between neighbours, per dim."""
    out = np.full([(e - 1) * d + 1 for e, d in zip(x.shape, dilation, strict=True)], fill, x.dtype)
    out[tuple(slice(None, None, d) for d in dilation)] = x
    return out


def padded(x: np.ndarray, pairs: Sequence[tuple[int, int]], fill: float) -> np.ndarray:
    wide = np.pad(x, [(max(lo, 0), max(hi, 0)) for lo, hi in pairs], constant_values=fill)
    return wide[tuple(slice(max(-lo, 0), e - max(-hi, 0)) for (lo, hi), e in zip(pairs, wide.shape, strict=True))]


def convolved(
    x: np.ndarray,
    kernel: np.ndarray,
    strides: Sequence[int],
    pairs: Sequence[tuple[int, int]],
    left: Sequence[int],
    right: Sequence[int],
    groups: int = 1,
    batch_groups: int = 1,
) -> np.ndarray:
    """Window by window, batch and features first."""
    x = padded(spread(x.astype(np.float64), (1, 1, *left), 0), ((0, 0), (0, 0), *pairs), 0)
    kernel = spread(kernel.astype(np.float64), (1, 1, *right), 0)
    out_features, in_features, *window = kernel.shape
    counts = [(e - w) // s + 1 for e, w, s in zip(x.shape[2:], window, strides, strict=True)]
    batch = x.shape[0] // batch_groups
    out = np.zeros((batch, out_features, *counts))
    for o in range(out_features):
        first = o // (out_features // groups) * in_features
        rows = slice(o // (out_features // batch_groups) * batch, None)
        part = x[rows][:batch, first : first + in_features]
        for place in itertools.product(*map(range, counts)):
            box = tuple(slice(p * s, p * s + w) for p, s, w in zip(place, strides, window, strict=True))
            out[:, o, *place] = (part[:, :, *box] * kernel[o]).reshape(batch, -1).sum(1)
    return out


@pytest.mark.parametrize(
    ("shape", "kernel", "strides", "padding", "left", "right", "groups"),
    [
        ((2, 3, 9), (4, 3, 3), (1,), [(0, 0)], (1,), (1,), (1, 1)),
        ((2, 3, 9), (4, 3, 3), (2,), [(2, 1)], (1,), (2,), (1, 1)),
        ((1, 2, 5, 6), (3, 2, 2, 3), (1, 2), [(0, 1), (1, 0)], (1, 1), (1, 1), (1, 1)),
        ((1, 2, 5, 6), (3, 2, 2, 3), (1, 1), [(2, 2), (1, 3)], (2, 3), (1, 1), (1, 1)),
        ((2, 3, 7, 7), (3, 3, 3, 3), (1, 1), [(-1, 0), (1, -2)], (1, 1), (2, 1), (1, 1)),
        ((2, 6, 6, 6), (4, 3, 3, 3), (1, 1), [(1, 1), (1, 1)], (1, 1), (1, 1), (2, 1)),
        ((2, 4, 6, 6), (4, 1, 3, 3), (2, 2), [(1, 1), (1, 1)], (1, 1), (1, 1), (4, 1)),
        ((4, 3, 6), (4, 3, 2), (1,), [(0, 0)], (1,), (1,), (1, 2)),
        ((1, 2, 3, 4, 5), (2, 2, 2, 2, 2), (1, 1, 2), [(0, 0)] * 3, (1, 1, 1), (1, 2, 1), (1, 1)),
    ],
)
def test_convolutions(shape: Any, kernel: Any, strides: Any, padding: Any, left: Any, right: Any, groups: Any):
    x, k = f32(*shape), f32(*kernel)
    got = lax.conv_general_dilated(x, k, strides, padding, left, right, None, *groups)
    np.testing.assert_allclose(
        got.numpy(), convolved(x, k, strides, padding, left, right, *groups), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(("extent", "window", "stride"), [(12, 3, 1), (11, 4, 2), (7, 2, 3), (5, 5, 1), (4, 1, 2)])
def test_named_paddings_keep_the_extent(extent: int, window: int, stride: int):
    x, k = f32(1, 2, extent), f32(3, 2, window)
    total = max((-(-extent // stride) - 1) * stride + window - extent, 0)
    pairs = {"VALID": (0, 0), "SAME": (total // 2, total - total // 2), "SAME_LOWER": (total - total // 2, total // 2)}
    for name, pair in pairs.items():
        wanted = convolved(x, k, (stride,), [pair], (1,), (1,))
        np.testing.assert_allclose(lax.conv(x, k, (stride,), name).numpy(), wanted, rtol=1e-4, atol=1e-5)


def test_dimension_numbers_name_the_dims():
    x, k = f32(2, 3, 6, 7), f32(4, 3, 2, 3)
    plain = lax.conv(x, k, (1, 2), "VALID").numpy()
    nhwc = lax.conv_general_dilated(
        x.transpose(0, 2, 3, 1), k.transpose(2, 3, 1, 0), (1, 2), "VALID", None, None, ("NHWC", "HWIO", "NHWC")
    )
    np.testing.assert_allclose(nhwc.numpy().transpose(0, 3, 1, 2), plain, rtol=1e-5, atol=1e-6)
    # strides and padding are in the order of the kernel's letters, whatever the order in x
    numbers = ("WNHC", "OHWI", "CHWN")
    mixed = lax.conv_general_dilated(
        x.transpose(3, 0, 2, 1), k.transpose(0, 2, 3, 1), (1, 2), "VALID", dimension_numbers=numbers
    )
    np.testing.assert_allclose(mixed.numpy().transpose(3, 0, 1, 2), plain, rtol=1e-5, atol=1e-6)


def test_convolutions_of_small_types_sum_in_the_wanted_one():
    x, k = (RNG.integers(-100, 100, s).astype(np.int8) for s in ((1, 8, 9), (2, 8, 4)))
    got = lax.conv_general_dilated(x, k, (1,), "VALID", preferred_element_type=snp.int32)
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got.numpy(), convolved(x, k, (1,), [(0, 0)], (1,), (1,)))
    assert lax.conv(x.astype(ml_dtypes.bfloat16), k.astype(np.float32), (1,), "VALID").dtype == np.float32


def windows_of(x: np.ndarray, window: Any, strides: Any, pairs: Any, base: Any, dilation: Any, fill: float) -> Any:
    x = padded(spread(x, base, fill), pairs, fill)
    reach = [(w - 1) * d + 1 for w, d in zip(window, dilation, strict=True)]
    counts = [(e - r) // s + 1 for e, r, s in zip(x.shape, reach, strides, strict=True)]
    for place in itertools.product(*map(range, counts)):
        box = tuple(slice(p * s, p * s + r, d) for p, s, r, d in zip(place, strides, reach, dilation, strict=True))
        yield counts, place, x[box]


@pytest.mark.parametrize(
    ("window", "strides", "padding", "base", "dilation"),
    [
        ((2, 2), (2, 2), [(0, 0), (0, 0)], (1, 1), (1, 1)),
        ((3, 1), (1, 2), [(1, 1), (0, 0)], (1, 1), (1, 1)),
        ((2, 3), (1, 1), [(0, 1), (2, 0)], (1, 2), (2, 1)),
    ],
)
def test_reductions_of_windows(window: Any, strides: Any, padding: Any, base: Any, dilation: Any):
    x = f32(6, 7)
    for combine, init, numpys in ((snp.maximum, -snp.inf, np.max), (snp.add, 0, np.sum)):
        got = lax.reduce_window(x, init, combine, window, strides, padding, base, dilation).numpy()
        for counts, place, box in windows_of(x, window, strides, padding, base, dilation, init):
            assert list(got.shape) == counts
            np.testing.assert_allclose(got[place], numpys(box), rtol=1e-5, atol=1e-6)


def test_reductions_by_any_function():
    x = RNG.integers(1, 50, (3, 4, 5)).astype(np.int32)
    wanted = np.bitwise_xor.reduce(x, axis=1)
    np.testing.assert_array_equal(lax.reduce(x, 0, snp.bitwise_xor, 1).numpy(), wanted)
    clipped = stepwell.jit(lambda x: lax.reduce(x, 0.0, lambda a, b: snp.minimum(a + b, 1.5), (0, 1)))
    assert clipped(np.full((4, 5), 0.25, np.float32)).item() == 1.5


def test_running_extremes():
    x = np.array([[1, 3, 2, np.nan, 0], [-np.inf, -1, -2, 5, 4]], np.float32)
    for ours, numpys in ((lax.cummax, np.maximum), (lax.cummin, np.minimum)):
        for axis in (0, 1, -1):
            np.testing.assert_array_equal(ours(x, axis).numpy(), numpys.accumulate(x, axis))
    whole = RNG.integers(-9, 9, (13,)).astype(np.int8)
    np.testing.assert_array_equal(lax.cummax(whole).numpy(), np.maximum.accumulate(whole))


def test_a_scan_backwards_keeps_the_places():
    x = f32(5, 3)
    last, sums = lax.scan(lambda c, v: (c + v, c + v), np.zeros(3, np.float32), x, reverse=True)
    wanted = np.cumsum(x[::-1], 0)[::-1]
    np.testing.assert_allclose(sums.numpy(), wanted, rtol=1e-6)
    np.testing.assert_allclose(last.numpy(), wanted[0], rtol=1e-6)


def test_bits_are_seen_as_other_types():
    x = f32(3, 4)
    for dtype in (np.int32, np.uint32, np.uint8, np.int16):
        got = lax.bitcast_convert_type(x, dtype).numpy()
        np.testing.assert_array_equal(got.reshape(3, -1), x.view(dtype))
        np.testing.assert_array_equal(lax.bitcast_convert_type(got, np.float32).numpy(), x)


X = np.arange(12, dtype=np.float32).reshape(1, 3, 4)


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: lax.conv(x, x[0], (1,), "VALID"), "an array and a kernel of one rank"),
        (lambda x: lax.conv(x, x, (1, 1), "VALID"), "window_strides must be 1 positive numbers"),
        (lambda x: lax.conv(x, x, (0,), "VALID"), "window_strides must be 1 positive numbers"),
        (lambda x: lax.conv(x, x, (1,), "FULL"), "there is no padding 'FULL'"),
        (lambda x: lax.conv(x, x, (1,), [(1, 1), (1, 1)]), "padding must be 1 pairs"),
        (lambda x: lax.conv(x, x[:, :2], (1,), "VALID"), "convolution: C14: kernel has 2 input features"),
        (lambda x: lax.conv_general_dilated(x, x, (1,), "SAME", (2,)), "lhs_dilation needs explicit padding"),
        (
            lambda x: lax.conv_general_dilated(x, x, (1,), "VALID", None, None, ("NCH", "OI", "NCH")),
            "do not name the 3",
        ),
        (
            lambda x: lax.conv_general_dilated(x, x, (1,), "VALID", None, None, ("NCW", "OIH", "NCH")),
            "do not name the 3",
        ),
        (lambda x: lax.conv_general_dilated(x, x, (1,), "VALID", None, None, "NCH"), "do not name the 3 dims"),
        (lambda x: lax.conv_general_dilated(x, x, (1,), "VALID", feature_group_count=2), "not divisible by feature"),
        (lambda x: lax.reduce_window(x, 0, snp.add, (2, 2)), "window_dimensions must be 3 positive numbers"),
        (
            lambda x: lax.reduce_window(x, 0, snp.less, (1, 1, 2)),
            r"combines elements returns bool\[\], not float32\[\]",
        ),
        (lambda x: lax.reduce(x, 0, snp.add, 3), "axis 3 is out of bounds"),
        (lambda x: lax.bitcast_convert_type(x, "float64"), "2 numbers of float32 make one float64"),
        (lambda x: lax.bitcast_convert_type(x, bool), "the bits of float32 are no bool"),
    ],
)
def test_wrong_windows_are_refused_at_the_users_line(f: Any, message: str):
    with pytest.raises(stepwell.TracingError, match=message) as caught:
        stepwell.jit(f)(X)
    location = caught.value.diagnostic.location
    assert location is not None
    assert (location.file, location.line) == (__file__, f.__code__.co_firstlineno)
