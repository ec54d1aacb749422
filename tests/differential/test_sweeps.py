"""Reductions of one array along different dims: one kernel that reads it once, and what NumPy gives."""

from __future__ import annotations

import numpy as np
import pytest

import stepwell


def program(shape, kind: str, first: tuple[str, str], second: tuple[str, str]) -> str:
    """`(op, init)` over all dims but the last, and over the last."""
    full = "x".join(map(str, shape)) + f"x{kind}"
    kept, rows = f"{shape[-1]}x{kind}", "x".join(map(str, shape[:-1])) + f"x{kind}"
    leading = ", ".join(str(d) for d in range(len(shape) - 1))
    return f"""func.func @main(%x: tensor<{full}>) -> (tensor<{kept}>, tensor<{rows}>) {{
      %i = stablehlo.constant dense<{first[1]}> : tensor<{kind}>
      %j = stablehlo.constant dense<{second[1]}> : tensor<{kind}>
      %m = stablehlo.reduce(%x init: %i) applies stablehlo.{first[0]} across dimensions = [{leading}]
        : (tensor<{full}>, tensor<{kind}>) -> tensor<{kept}>
      %s = stablehlo.reduce(%x init: %j) applies stablehlo.{second[0]} across dimensions = [{len(shape) - 1}]
        : (tensor<{full}>, tensor<{kind}>) -> tensor<{rows}>
      return %m, %s : tensor<{kept}>, tensor<{rows}>
    }}"""


@pytest.mark.parametrize(("simd", "shape"), [
    ("avx512", (64, 1024)), ("avx512", (257, 257)), ("avx2", (1021, 67)), ("sse4.2", (4, 32, 515)), ("avx512", (4001, 17)),
])  # fmt: skip
def test_rows_and_columns_of_floats_in_one_pass(simd, shape):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(np.float32)
    executable = stepwell.compile(program(shape, "f32", ("maximum", "0xFF800000"), ("add", "0.5")), simd=simd)
    assert "2 reductions read one array once" in executable.ir("kernels")
    leading = tuple(range(len(shape) - 1))
    columns, rows = executable(x)
    np.testing.assert_array_equal(columns, x.max(leading))
    np.testing.assert_allclose(rows, x.astype(np.float64).sum(-1) + 0.5, rtol=1e-4, atol=1e-4)
    x[..., 3] = -0.0
    x[-1, ..., 5] = np.nan
    x[0, ..., 7] = np.inf
    columns, rows = executable(x)
    np.testing.assert_array_equal(columns, x.max(leading))
    assert np.signbit(columns[3])
    np.testing.assert_array_equal(np.isnan(rows), np.isnan(x).any(-1))
    again = executable(x)
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(again, (columns, rows), strict=True))


def test_rows_and_columns_of_integers_in_one_pass():
    x = np.random.default_rng(1).integers(-100, 100, (300, 331)).astype(np.int32)
    executable = stepwell.compile(program((300, 331), "i32", ("add", "7"), ("minimum", "50")))
    columns, rows = executable(x)
    np.testing.assert_array_equal(columns, x.sum(0) + 7)
    np.testing.assert_array_equal(rows, np.minimum(x.min(1), 50))


@pytest.mark.parametrize("shape", [(8, 8), (0, 5), (1, 1)])
def test_small_arrays_are_reduced_apart(shape):
    executable = stepwell.compile(program(shape, "f32", ("maximum", "0xFF800000"), ("add", "0.0")))
    assert "read one array once" not in executable.ir("kernels")
    x = np.random.default_rng(2).standard_normal(shape).astype(np.float32)
    columns, rows = executable(x)
    np.testing.assert_array_equal(columns, x.max(0, initial=-np.inf))
    np.testing.assert_allclose(rows, x.sum(1), rtol=1e-5, atol=1e-6)
