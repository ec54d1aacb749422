"""Matrix products of every awkward shape, value and buffer: partial tiles, one row, one term, alignment, overlap, many callers."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest

import stepwell
import stepwell.numpy as snp

EDGES = (1, 7, 15, 17, 31, 33, 63, 65)
POWERS = [2**i for i in range(11)]
ODD = [3, 7, 15, 17, 31, 33, 63, 65, 127, 129]
RECTANGLES = [(1, 100, 1), (100, 1, 100), (10, 20, 30), (100, 50, 25), (17, 31, 63), (1000, 1, 1000)]


@stepwell.jit
def product(a, b):
    return snp.matmul(a, b)


def sequential(rows: int, columns: int) -> np.ndarray:
    """0, 1, 2, ... in a period that keeps sums exact in f32 up to 1024 terms."""
    return (np.arange(rows * columns) % 61).astype(np.float32).reshape(rows, columns)


def check(m: int, k: int, n: int) -> None:
    """Small whole numbers: the product is exact in f32 in any order."""
    a, b = sequential(m, k), sequential(k, n)
    np.testing.assert_array_equal(np.asarray(product(a, b)), a.astype(np.float64) @ b.astype(np.float64))


@pytest.mark.every(64)
@pytest.mark.parametrize(("m", "k", "n"), list(itertools.product(EDGES, EDGES, EDGES)))
def test_partial_tiles_of_all_three_extents(m, k, n):
    check(m, k, n)


@pytest.mark.every(6)
@pytest.mark.parametrize("size", [*POWERS, *ODD])
def test_squares(size):
    check(size, size, size)


@pytest.mark.every(2)
@pytest.mark.parametrize(("m", "k", "n"), RECTANGLES)
def test_rectangles(m, k, n):
    check(m, k, n)


def test_a_dim_of_size_zero_gives_an_empty_result_or_zeros():
    assert np.asarray(product(np.ones((0, 4), np.float32), np.ones((4, 3), np.float32))).shape == (0, 3)
    np.testing.assert_array_equal(
        np.asarray(product(np.ones((2, 0), np.float32), np.ones((0, 3), np.float32))), np.zeros((2, 3))
    )


def test_the_identity_and_zeros_give_the_matrix_and_zeros():
    a = np.random.default_rng(1).standard_normal((100, 100), dtype=np.float32)
    np.testing.assert_array_equal(np.asarray(product(a, np.eye(100, dtype=np.float32))), a)
    np.testing.assert_array_equal(np.asarray(product(a, np.zeros((100, 100), np.float32))), np.zeros((100, 100)))


@pytest.mark.parametrize(("value", "expected"), [(1e18, 1e37), (1e20, np.inf), (1e-20, 1e-39), (1e-30, 0.0)])
def test_large_values_stay_finite_or_become_infinite_and_small_ones_denormal_or_zero(value, expected):
    a = np.full((10, 10), value, np.float32)
    np.testing.assert_allclose(np.asarray(product(a, a)), np.full((10, 10), expected), rtol=1e-5)


@pytest.mark.parametrize("offset", [1, 3])
def test_operands_need_no_alignment_beyond_that_of_an_element(offset):
    a = np.empty(64 * 64 + offset, np.float32)[offset:].reshape(64, 64)
    a[...] = sequential(64, 64)
    np.testing.assert_array_equal(np.asarray(product(a, a)), a.astype(np.float64) @ a.astype(np.float64))


def test_operands_may_overlap():
    both = sequential(48, 32)
    a, b = both[:32], both[16:]
    np.testing.assert_array_equal(np.asarray(product(a, b)), a.astype(np.float64) @ b.astype(np.float64))


def test_eight_threads_multiply_at_once():
    results: dict[int, np.ndarray] = {}
    operands = {i: (sequential(128, 128) + np.float32(i), sequential(128, 128)) for i in range(8)}
    threads = [
        threading.Thread(target=lambda i=i: results.__setitem__(i, np.asarray(product(*operands[i])))) for i in operands
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for i, (a, b) in operands.items():
        np.testing.assert_array_equal(results[i], a.astype(np.float64) @ b.astype(np.float64))
