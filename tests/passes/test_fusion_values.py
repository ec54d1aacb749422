"""What fusion and planning decide changes no result: programs on both sides of their decisions, against the interpreter."""

from __future__ import annotations

import numpy as np
import pytest

import stepwell
from stepwell.compare import first_difference

SPECIAL = (np.nan, np.inf, -np.inf, -0.0, 1e-42, 88.9, -104.0)
LEVELS = ("avx512", "avx2", "sse4.2")


def reduced(value: str, shape: tuple[int, int], dim: int, combiner: str = "add", init: str = "0.0") -> str:
    left = shape[1 - dim]
    return f"""
  %init_{value} = stablehlo.constant dense<{init}> : tensor<f32>
  %{value}_reduced = stablehlo.reduce(%{value} init: %init_{value}) applies stablehlo.{combiner} across dimensions = [{dim}] : (tensor<{shape[0]}x{shape[1]}xf32>, tensor<f32>) -> tensor<{left}xf32>"""


def two_ways(rows: int, columns: int) -> str:
    """An exponential summed along rows and along columns: readers that share no rows."""
    t, shape = f"tensor<{rows}x{columns}xf32>", (rows, columns)
    return f"""
func.func public @main(%x: {t}) -> (tensor<{rows}xf32>, tensor<{columns}xf32>) {{
  %e = stablehlo.exponential %x : {t}
  %d = stablehlo.negate %e : {t}
  {reduced("e", shape, 1)}
  {reduced("d", shape, 0)}
  return %e_reduced, %d_reduced : tensor<{rows}xf32>, tensor<{columns}xf32>
}}"""


def siblings(rows: int, columns: int) -> str:
    """A maximum of rows, and the rows divided by their sum: two things done with the rows of one array."""
    t, shape = f"tensor<{rows}x{columns}xf32>", (rows, columns)
    return f"""
func.func public @main(%x: {t}) -> (tensor<{rows}xf32>, {t}) {{
  %n = stablehlo.negate %x : {t}
  {reduced("n", shape, 1, "maximum", "0xFF800000")}
  {reduced("x", shape, 1)}
  %s = stablehlo.broadcast_in_dim %x_reduced, dims = [0] : (tensor<{rows}xf32>) -> {t}
  %q = stablehlo.divide %x, %s : {t}
  return %n_reduced, %q : tensor<{rows}xf32>, {t}
}}"""


def few(rows: int, columns: int) -> str:
    """A function of a few numbers, read at every point; and itself a result."""
    t, v = f"tensor<{rows}x{columns}xf32>", f"tensor<{columns}xf32>"
    return f"""
func.func public @main(%x: {t}, %v: {v}) -> ({t}, {v}) {{
  %r = stablehlo.logistic %v : {v}
  %b = stablehlo.broadcast_in_dim %r, dims = [1] : ({v}) -> {t}
  %q = stablehlo.multiply %x, %b : {t}
  %a = stablehlo.abs %v : {v}
  %c = stablehlo.broadcast_in_dim %a, dims = [1] : ({v}) -> {t}
  %w = stablehlo.add %q, %c : {t}
  return %w, %a : {t}, {v}
}}"""


@pytest.mark.parametrize(
    ("program", "shape"),
    [(siblings, (0, 5)), (two_ways, (7, 13)), (two_ways, (96, 257)), (siblings, (129, 257)), (few, (17, 33))],
)
def test_results_are_those_of_the_interpreter(program, shape: tuple[int, int]):
    text = program(*shape)
    rng = np.random.default_rng(7)
    x = rng.standard_normal(shape).astype(np.float32)
    x.flat[: len(SPECIAL)] = SPECIAL[: x.size]
    inputs = (x, rng.standard_normal(shape[1]).astype(np.float32))[: text.count("%v: ") + 1]
    expected = stepwell.compile(text, target="interpreter")(*inputs)
    for level in LEVELS:
        for got, wanted in zip(stepwell.compile(text, simd=level)(*inputs), expected, strict=True):
            assert first_difference(got, wanted) is None, level
