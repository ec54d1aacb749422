"""docs/floating-point.md says what the code and the tests use."""

from __future__ import annotations

import re
from pathlib import Path

import stepwell
from stepwell.compare import TOLERANCES
from stepwell.native import emit

TEXT = (Path(__file__).parent.parent / "docs" / "floating-point.md").read_text()


def test_the_tolerance_table_is_the_one_in_the_code():
    rows = re.findall(r"^\| ([a-z0-9, ]+) \| ([0-9.e-]+) \| ([0-9.e-]+) \|$", TEXT, re.M)
    documented = {name: (float(rtol), float(atol)) for names, rtol, atol in rows for name in names.split(", ")}
    for name, tolerance in TOLERANCES.items():
        assert documented[name] == (tolerance.rtol, tolerance.atol)


PROGRAM = """func.func public @main(%x: tensor<8x250xf32>, %w: tensor<250x40xf32>) -> tensor<8x40xf32> {
  %0 = stablehlo.tanh %x : tensor<8x250xf32>
  %1 = stablehlo.multiply %0, %x : tensor<8x250xf32>
  %2 = stablehlo.add %1, %x : tensor<8x250xf32>
  %3 = stablehlo.rsqrt %2 : tensor<8x250xf32>
  %4 = stablehlo.divide %2, %3 : tensor<8x250xf32>
  %5 = stablehlo.dot_general %4, %w, contracting_dims = [1] x [0] : (tensor<8x250xf32>, tensor<250x40xf32>) -> tensor<8x40xf32>
  return %5 : tensor<8x40xf32>
}
"""
ARITHMETIC = re.compile(
    r"^\s*(?:@\S+ )?((?:add|sub|mul|div|fma|mad|sqrt|rsqrt|rcp|ex2|lg2|tanh|sin|cos)\.\S*f(?:16|32|64)\S*)", re.M
)


def test_ptx_rounds_every_operation_once_and_flushes_nothing():
    said = ARITHMETIC.findall(emit(stepwell.parse(PROGRAM), "ptx", target="cuda:sm_90"))
    kinds = {text.split(".")[0] for text in said}
    assert {"add", "mul", "div", "sqrt", "fma"} <= kinds
    assert {text for text in said if ".rn" not in text or ".ftz" in text or ".approx" in text} == set()


def test_a_product_and_a_sum_of_two_user_ops_stay_two_roundings():
    text = """func.func public @main(%x: tensor<64xf32>, %y: tensor<64xf32>) -> tensor<64xf32> {
      %0 = stablehlo.multiply %x, %y : tensor<64xf32>
      %1 = stablehlo.add %0, %x : tensor<64xf32>
      return %1 : tensor<64xf32>
    }"""
    said = ARITHMETIC.findall(emit(stepwell.parse(text), "ptx", target="cuda:sm_90"))
    assert sorted(set(said)) == ["add.rn.f32", "mul.rn.f32"]
