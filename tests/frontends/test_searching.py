"""`searchsorted`, `digitize`, `bincount`, `unique` and `one_hot` against NumPy, at the edges of lines and of bins."""

from __future__ import annotations

import numpy as np
import pytest

import stepwell
import stepwell.numpy as snp

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("line", [[], [1.0], [1.0, 1.0, 2.0, 5.0, 5.0, INF], [-INF, -1.0, 0.0, 0.0, 3.0, NAN, NAN]])
def test_elements_go_where_numpy_puts_them(line, side):
    a = np.array(line, np.float32)
    v = np.array([[-INF, -1.0, -0.0, 0.0], [1.0, 4.0, 5.0, INF]], np.float32)
    np.testing.assert_array_equal(snp.searchsorted(a, v, side=side), np.searchsorted(a, v, side=side))
    if not np.isnan(a).any():  # NaNs are behind all numbers
        assert int(snp.searchsorted(a, np.float32(NAN), side=side)) == a.size


def test_long_lines_of_integers_in_a_jitted_function():
    rng = np.random.default_rng(0)
    a, v = np.sort(rng.integers(-500, 500, 777)).astype(np.int32), rng.integers(-600, 600, (3, 50)).astype(np.int32)
    np.testing.assert_array_equal(stepwell.jit(snp.searchsorted)(a, v), np.searchsorted(a, v))


@pytest.mark.parametrize("right", [False, True])
def test_bins(right):
    x, bins = np.array([0.2, 6.4, 3.0, 1.6, 2.5, 0.0], np.float32), np.array([0.0, 1.0, 2.5, 4.0, 10.0], np.float32)
    np.testing.assert_array_equal(snp.digitize(x, bins, right=right), np.digitize(x, bins, right=right))


def test_counts_and_weights():
    x = np.array([[0, 3, 3], [1, 5, 3]], np.int32)
    np.testing.assert_array_equal(snp.bincount(x, length=6), np.bincount(x.reshape(-1), minlength=6))
    weights = np.arange(6, dtype=np.float32).reshape(2, 3)
    want = np.bincount(x.reshape(-1), weights.reshape(-1), 6)
    np.testing.assert_allclose(snp.bincount(x, length=6, weights=weights), want)
    np.testing.assert_array_equal(snp.bincount(np.array([-1, 2, 9], np.int32), length=3), [0, 0, 1])


@pytest.mark.parametrize("x", [[3, 1, 3, 3, -2, 1], [7], [True, False, True], [2.5, NAN, -0.0, 2.5, NAN, 0.0]])
def test_different_elements_and_what_fills_the_rest(x):
    a = np.array(x, np.float32 if isinstance(x[0], float) else None)
    a = a.astype(np.int32) if a.dtype == np.int64 else a
    want = np.unique(a)
    got = np.asarray(snp.unique(a, size=6))
    np.testing.assert_array_equal(got[: want.size], want)
    np.testing.assert_array_equal(got[want.size :], np.repeat(want[:1], 6 - want.size))
    np.testing.assert_array_equal(snp.unique(a, size=1), want[:1])


def test_a_fill_value_and_no_elements():
    np.testing.assert_array_equal(snp.unique(np.array([4, 4], np.int32), size=3, fill_value=9), [4, 9, 9])
    np.testing.assert_array_equal(snp.unique(np.zeros((0, 2), np.int32), size=2, fill_value=-1), [-1, -1])
    with pytest.raises(stepwell.TracingError, match="need a fill_value"):
        snp.unique(np.zeros(0, np.int32), size=2)


def test_one_hot_rows():
    x = np.array([[0, 2], [5, -1]], np.int32)
    want = (x[..., None] == np.arange(3)).astype(np.float32)
    np.testing.assert_array_equal(snp.one_hot(x, 3), want)
    assert np.asarray(snp.one_hot(x, 3, dtype="int8")).dtype == np.int8


@pytest.mark.parametrize("call", [
    lambda: snp.searchsorted(np.zeros((2, 2), np.float32), 1.0),
    lambda: snp.searchsorted(np.zeros(2, np.float32), 1.0, side="middle"),
    lambda: snp.bincount(np.zeros(2, np.float32), length=2),
    lambda: snp.one_hot(np.zeros(2, np.float32), 2),
])  # fmt: skip
def test_what_has_no_meaning_is_refused(call):
    with pytest.raises(stepwell.TracingError):
        call()
