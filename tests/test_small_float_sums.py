"""Sums and products of small floats accumulate in f32 and round once, on every step and at every level."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import stepwell

SUM = """func.func public @main(%x: tensor<{n}xbf16>) -> tensor<bf16> {{
  %zero = stablehlo.constant dense<0.0> : tensor<bf16>
  %0 = stablehlo.reduce(%x init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<{n}xbf16>, tensor<bf16>) -> tensor<bf16>
  return %0 : tensor<bf16>
}}"""
CUMSUM = """func.func public @main(%x: tensor<600xf16>) -> tensor<600xf16> {
  %zero = stablehlo.constant dense<0.0> : tensor<f16>
  %0 = "stablehlo.reduce_window"(%x, %zero) <{padding = dense<[[599, 0]]> : tensor<1x2xi64>, window_dimensions = array<i64: 600>}> ({
  ^bb0(%a: tensor<f16>, %b: tensor<f16>):
    %1 = stablehlo.add %a, %b : tensor<f16>
    stablehlo.return %1 : tensor<f16>
  }) : (tensor<600xf16>, tensor<f16>) -> tensor<600xf16>
  return %0 : tensor<600xf16>
}"""
WAYS = [
    {"target": "interpreter"},
    {"target": "interpreter", "step": "structured"},
    {"opt_level": 0},
    {"opt_level": 2},
    {"simd": "sse4.2"},
]


@pytest.mark.parametrize("options", WAYS, ids=str)
def test_a_long_bf16_sum_keeps_counting(options):
    (total,) = stepwell.compile(SUM.format(n=4096), **options)(np.ones(4096, ml_dtypes.bfloat16))
    assert float(total) == 4096


@pytest.mark.parametrize("options", WAYS, ids=str)
def test_a_long_f16_running_sum_keeps_counting(options):
    x = np.full(600, 10, np.float16)
    (sums,) = stepwell.compile(CUMSUM, **options)(x)
    assert np.array_equal(sums, np.cumsum(x.astype(np.float32)).astype(np.float16))


@pytest.mark.parametrize(("name", "init"), [("maximum", "0xFF80"), ("minimum", "0x7F80")])
def test_maxima_of_small_floats_keep_signs_and_nan(name: str, init: str) -> None:
    text = f"""func.func @main(%x: tensor<5x301xbf16>) -> tensor<5xbf16> {{
      %low = stablehlo.constant dense<{init}> : tensor<bf16>
      %a = stablehlo.reduce(%x init: %low) applies stablehlo.{name} across dimensions = [1]
          : (tensor<5x301xbf16>, tensor<bf16>) -> tensor<5xbf16>
      return %a : tensor<5xbf16>
    }}"""
    x = np.random.default_rng(3).standard_normal((5, 301)).astype(ml_dtypes.bfloat16)
    x[0, 5], x[1, 7], x[1, 9] = np.nan, -np.inf, np.inf
    x[2], x[2, 300] = -0.0, 0.0
    x[3] = x[3] * ml_dtypes.bfloat16(1e-39)
    (want,) = stepwell.compile(text, target="interpreter")(x)
    for simd in ("avx512", "sse4.2"):
        (got,) = stepwell.compile(text, simd=simd)(x)
        np.testing.assert_array_equal(np.asarray(got, np.float32), np.asarray(want, np.float32))
        np.testing.assert_array_equal(np.signbit(np.asarray(got)), np.signbit(np.asarray(want)))
