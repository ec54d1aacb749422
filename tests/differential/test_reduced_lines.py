"""Reductions over neighbouring dims whose last one is short go over one long line; small floats count what rounding them takes."""

from __future__ import annotations

import re

import numpy as np
import pytest

import stepwell
from tests.differential.test_schedules import DTYPES, check, tensor, values


def reduction(shape, dims, dtype: str) -> str:
    """The sum (of whole numbers the largest) over some dims."""
    op, start = ("addf", "0.5") if dtype[0] == "f" else ("maxsi", "-5")
    kept = [f"d{d}" for d in range(len(shape)) if d not in dims]
    space = ", ".join(f"d{d}" for d in range(len(shape)))
    kinds = ", ".join('"reduction"' if d in dims else '"parallel"' for d in range(len(shape)))
    x, y = tensor(shape, dtype), tensor([s for d, s in enumerate(shape) if d not in dims], dtype)
    return f"""kernel.func @k(%x: {x}, %o: {y}) -> {y} attributes {{access = ["read", "write"]}} {{
      %e = tensor.empty() : {y}
      %c = arith.constant {start} : {dtype}
      %f = linalg.fill ins(%c : {dtype}) outs(%e : {y}) -> {y}
      %r = linalg.generic {{indexing_maps = [affine_map<({space}) -> ({space})>, affine_map<({space}) -> ({", ".join(kept)})>],
          iterator_types = [{kinds}]}} ins(%x : {x}) outs(%f : {y}) {{
      ^bb0(%a: {dtype}, %s: {dtype}):
        %t = arith.{op} %s, %a : {dtype}
        linalg.yield %t : {dtype}
      }} -> {y}
      kernel.return %r : {y}
    }}"""


@pytest.mark.parametrize("level", ["avx512", "avx2", "sse4.2"])
@pytest.mark.parametrize("dtype", ["f32", "i32"])
@pytest.mark.every(2)
def test_neighbouring_dims_that_are_reduced_are_one(level, dtype):
    rng = np.random.default_rng(2)
    for shape, dims in (
        ((67, 3), (0, 1)),
        ((1, 7), (0, 1)),
        ((3, 13, 5), (1, 2)),
        ((4, 9, 3), (0, 1)),
        ((7, 3, 4), (0, 2)),
        ((0, 3), (0, 1)),
    ):
        result = np.zeros([s for d, s in enumerate(shape) if d not in dims], DTYPES[dtype])
        for grain in (30000, 1):
            text = check(
                reduction(shape, dims, dtype), [values(rng, shape, dtype), result], level, grain=grain, tolerance=1e-4
            )
            merged = dims in ((0, 1), (1, 2)) and 0 not in shape and shape[dims[0]] > 1
            assert ("tensor.collapse_shape %x" in text) >= merged, (shape, dims)


def test_lines_keep_what_is_no_number():
    x = np.ones((5000, 3), np.float32)
    text = """func.func @main(%x: tensor<5000x3xf32>) -> tensor<f32> {
      %z = stablehlo.constant dense<0.0> : tensor<f32>
      %0 = stablehlo.reduce(%x init: %z) applies stablehlo.add across dimensions = [0, 1] : (tensor<5000x3xf32>, tensor<f32>) -> tensor<f32>
      return %0 : tensor<f32>
    }"""
    exe = stepwell.compile(text)
    assert float(exe(x)[0]) == 15000
    for value in (np.nan, np.inf, -np.inf):
        x[4999, 2] = value
        np.testing.assert_equal(float(exe(x)[0]), float(value))


def test_rounding_small_floats_is_work_that_is_shared_out():
    def tasks(dtype: str) -> int:
        x = f"tensor<64x4096x{dtype}>"
        exe = stepwell.compile(
            f"""func.func @main(%x: {x}) -> {x} {{
              %0 = stablehlo.multiply %x, %x : {x}
              %1 = stablehlo.add %0, %x : {x}
              %2 = stablehlo.multiply %1, %0 : {x}
              %3 = stablehlo.add %2, %1 : {x}
              return %3 : {x}
            }}"""
        )
        return max(int(n) for n in re.findall(r"scf.forall \([^)]*\) in \((\d+)", exe.ir("scheduled")))

    if stepwell.num_threads() < 2:
        pytest.skip("one core")
    assert tasks("bf16") > 1
    assert tasks("bf16") >= tasks("f32")
