"""Scans whose lines pass through a cache with the maps before and after them."""

from __future__ import annotations

import numpy as np
import pytest

import stepwell


def program(shape, op, init, reverse, both, before, after) -> str:
    """A running reduction along the last dim, of squares or not, and what is made of it."""
    length, rank = shape[-1], len(shape)
    kind = f"tensor<{'x'.join(map(str, shape))}xf32>"
    window = ", ".join(["1"] * (rank - 1) + [str(length)])
    edges = [[0, 0]] * (rank - 1) + [[0, length - 1] if reverse else [length - 1, 0]]
    results = {(True, False): "%y", (True, True): "%y, %r", (False, False): "%r"}[after, both]
    types = ", ".join([kind] * (1 + both))
    return f"""func.func public @main(%x: {kind}, %b: {kind}) -> ({types}) {{
      %p = stablehlo.multiply %x, %x : {kind}
      %i = stablehlo.constant dense<{init}> : tensor<f32>
      %r = "stablehlo.reduce_window"({"%p" if before else "%x"}, %i) <{{window_dimensions = array<i64: {window}>, padding = dense<{edges}> : tensor<{rank}x2xi64>}}> ({{
        ^bb0(%a: tensor<f32>, %c: tensor<f32>):
          %s = stablehlo.{op} %a, %c : tensor<f32>
          stablehlo.return %s : tensor<f32>
      }}) : ({kind}, tensor<f32>) -> {kind}
      %t = stablehlo.multiply %r, %b : {kind}
      %y = stablehlo.{"add %t, %p" if before else "negate %t"} : {kind}
      return {results} : {types}
    }}"""


def wanted(x, b, op, reverse, before, after):
    given = x.astype(np.float64) ** 2 if before else x.astype(np.float64)
    line = given[..., ::-1] if reverse else given
    with np.errstate(invalid="ignore"):
        found = np.cumsum(line, -1) if op == "add" else np.maximum.accumulate(line, -1)
        found = found[..., ::-1] if reverse else found
        made = (found * b + given if before else -(found * b)) if after else found
    return made, found


@pytest.mark.parametrize(
    ("shape", "op", "reverse", "both", "before", "after", "simd", "phases"),
    [
        ((7, 33), "add", False, False, True, True, "avx512", 1),
        ((16, 5, 100), "maximum", True, True, True, True, "avx2", 1),
        ((300, 501), "add", False, False, True, False, "sse4.2", 1),
        ((1, 65), "add", True, True, False, True, "avx512", 2),
        ((5, 8), "add", False, False, True, True, "avx512", 3),
    ],
)
def test_lines_go_through_maps_and_scans_in_one_pass(shape, op, reverse, both, before, after, simd, phases):
    init = "0.0" if op == "add" else "0xFF800000"
    exe = stepwell.compile(program(shape, op, init, reverse, both, before, after), simd=simd)
    assert exe.ir("scheduled").count("scf.forall (") == phases
    rng = np.random.default_rng(0)
    x, b = (rng.standard_normal(shape).astype(np.float32) for _ in range(2))
    x[0, ..., 3], x[0, ..., 4] = -np.inf, np.nan
    made, found = wanted(x, b, op, reverse, before, after)
    got = exe(x, b)
    np.testing.assert_allclose(np.asarray(got[0]), made, rtol=1e-4, atol=2e-3)
    if both:
        np.testing.assert_allclose(np.asarray(got[1]), found, rtol=1e-4, atol=1e-4)
