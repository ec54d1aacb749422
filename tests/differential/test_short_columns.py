"""Reductions along lines shorter than a vector: several lines at once, and those left over, make what each line by itself does."""

from __future__ import annotations

import numpy as np
import pytest

import stepwell
import stepwell.numpy as sn
from tests.differential.test_schedules import DTYPES, check, tensor, values


def deviations(shape, dtype: str) -> str:
    """The sum and the largest of differences to a number a column, from given numbers, and the square of the sum."""
    x, y = tensor(shape, dtype), tensor(shape[1:], dtype)
    floats = dtype[0] in "bf"
    minus, plus, most, times = ("subf", "addf", "maximumf", "mulf") if floats else ("subi", "addi", "maxsi", "muli")
    rows, columns = "affine_map<(d0, d1) -> (d0, d1)>", "affine_map<(d0, d1) -> (d1)>"
    return f"""kernel.func @k(%x: {x}, %m: {y}, %o: {y}, %p: {y}) -> ({y}, {y}) attributes {{access = ["read", "read", "write", "write"]}} {{
      %e = tensor.empty() : {y}
      %z = arith.constant {"0.5" if floats else "3"} : {dtype}
      %i = linalg.fill ins(%z : {dtype}) outs(%e : {y}) -> {y}
      %s, %l = linalg.generic {{indexing_maps = [{rows}, {columns}, {columns}, {columns}],
          iterator_types = ["reduction", "parallel"]}} ins(%x, %m : {x}, {y}) outs(%i, %i : {y}, {y}) {{
      ^bb0(%a: {dtype}, %b: {dtype}, %c: {dtype}, %d: {dtype}):
        %t = arith.{minus} %a, %b : {dtype}
        %u = arith.{plus} %c, %t : {dtype}
        %v = arith.{most} %d, %t : {dtype}
        linalg.yield %u, %v : {dtype}, {dtype}
      }} -> ({y}, {y})
      %q = linalg.generic {{indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
          iterator_types = ["parallel"]}} ins(%s : {y}) outs(%e : {y}) {{
      ^bb0(%a: {dtype}, %b: {dtype}):
        %t = arith.{times} %a, %a : {dtype}
        linalg.yield %t : {dtype}
      }} -> {y}
      kernel.return %q, %l : {y}, {y}
    }}"""


@pytest.mark.parametrize("level", ["avx512", "avx2", "sse4.2"])
@pytest.mark.parametrize("dtype", ["f32", "f64", "i8"])
@pytest.mark.every(3)
def test_lines_are_taken_several_at_once(level, dtype):
    rng = np.random.default_rng(1)
    for shape, lines in (((768, 3), True), ((1031, 5), True), ((900, 2), True), ((31, 3), False), ((0, 3), False)):
        column = np.zeros(shape[1:], DTYPES[dtype])
        args = [values(rng, shape, dtype), values(rng, shape[1:], dtype), column, column]
        text = check(deviations(shape, dtype), args, level, "loops", grain=1, tolerance=1e-3)
        fits = lines and shape[1] < {"avx512": 64, "avx2": 32, "sse4.2": 16}[level] // (8 if dtype == "f64" else 4)
        assert ("tensor.collapse_shape %x" in text) >= fits, shape


def test_what_is_no_number_stays_in_its_column():
    x = np.random.default_rng(2).standard_normal((1003, 3)).astype(np.float32)
    text = stepwell.jit(lambda x: (sn.sum(x, axis=0), sn.max(x, axis=0), sn.mean(x, axis=0))).lower(x).as_text()
    exe = stepwell.compile(text)
    for row, value in ((5, np.nan), (1002, np.nan), (7, np.inf), (1001, -np.inf)):
        y = x.copy()
        y[row, 1] = value
        for got, want in zip(exe(y), (y.sum(0), y.max(0), y.mean(0)), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def test_few_rows_and_maps_of_their_sums_are_shared_by_tasks():
    """A sum and a map of it keep nothing of a row: parts of one long row are tasks of their own."""
    x = np.ones((1, 1_000_000), np.float32)
    exe = stepwell.compile(stepwell.jit(lambda x: sn.mean(x, axis=1)).lower(x).as_text())
    scheduled = str(exe.ir("scheduled"))
    assert '"loops"' in scheduled
    assert '"rows"' not in scheduled
    assert float(np.asarray(exe(x)).ravel()[0]) == 1
