"""Small programs that random ones or the conformance suite once found wrong, at every level against the interpreter."""

from __future__ import annotations

import numpy as np
import pytest

import stepwell
from stepwell.backends.target import host_target

ORDER = ["scalar", "sse4.2", "avx2", "avx512"]
LEVELS = [level for level in ("sse4.2", "avx2", "avx512") if ORDER.index(level) <= ORDER.index(host_target().level)]

PROGRAMS = {
    "a dot without contracting dims is no sum to tile": """
      func.func @main(%a: tensor<17x9xf32>, %b: tensor<33xf32>) -> tensor<17x9x33xf32> {
        %r = stablehlo.dot_general %a, %b, contracting_dims = [] x [] : (tensor<17x9xf32>, tensor<33xf32>) -> tensor<17x9x33xf32>
        return %r : tensor<17x9x33xf32>
      }""",
    "a row's reductions to several numbers are kept in memory, one each": """
      func.func @main(%a: tensor<31x1x2xi8>, %i: tensor<i8>) -> tensor<1x2xi8> {
        %m = stablehlo.reduce(%a init: %i) applies stablehlo.maximum across dimensions = [0] : (tensor<31x1x2xi8>, tensor<i8>) -> tensor<1x2xi8>
        %r = stablehlo.reverse %m, dims = [1] : tensor<1x2xi8>
        return %r : tensor<1x2xi8>
      }""",
    "a slice from 0 of a product is no copy of it": """
      func.func @main(%a: tensor<5x8x8xi8>, %b: tensor<8x5xi8>, %p: tensor<i32>) -> tensor<8xi32> {
        %d = stablehlo.dot_general %b, %a, contracting_dims = [1, 0] x [0, 2] : (tensor<8x5xi8>, tensor<5x8x8xi8>) -> tensor<8xi32>
        %r = stablehlo.pad %d, %p, low = [1], high = [-1], interior = [0] : (tensor<8xi32>, tensor<i32>) -> tensor<8xi32>
        return %r : tensor<8xi32>
      }""",
    "the lines of a sort are cut over tasks unevenly": """
      func.func @main(%a: tensor<127x17xi8>) -> tensor<127x17xi8> {
        %q = stablehlo.constant dense<0.25> : tensor<127x17xf32>
        %r:2 = "stablehlo.sort"(%a, %q) <{dimension = 0 : i64, is_stable = true}> ({
        ^bb0(%x: tensor<i8>, %y: tensor<i8>, %u: tensor<f32>, %v: tensor<f32>):
          %c = stablehlo.compare LT, %x, %y, SIGNED : (tensor<i8>, tensor<i8>) -> tensor<i1>
          stablehlo.return %c : tensor<i1>
        }) : (tensor<127x17xi8>, tensor<127x17xf32>) -> (tensor<127x17xi8>, tensor<127x17xf32>)
        return %r#0 : tensor<127x17xi8>
      }""",
    "a logistic that is denormal keeps its digits": """
      func.func @main(%a: tensor<33xf32>) -> tensor<33xf32> {
        %low = stablehlo.constant dense<-96.0> : tensor<33xf32>
        %x = stablehlo.add %a, %low : tensor<33xf32>
        %r = stablehlo.logistic %x : tensor<33xf32>
        return %r : tensor<33xf32>
      }""",
    "a launch that makes nothing and has no operands goes": """
      func.func @main(%a: tensor<f32>) -> tensor<f32> {
        %zero = stablehlo.constant dense<0> : tensor<1x1xi32>
        %at = stablehlo.constant dense<7> : tensor<4x2xi32>
        %updates = stablehlo.constant dense<0> : tensor<4x1xi32>
        %dead = "stablehlo.scatter"(%zero, %at, %updates) <{scatter_dimension_numbers = #stablehlo.scatter<
            update_window_dims = [1], inserted_window_dims = [1], scatter_dims_to_operand_dims = [1, 0], index_vector_dim = 1>}> ({
        ^bb0(%x: tensor<i32>, %y: tensor<i32>):
          %s = stablehlo.add %x, %y : tensor<i32>
          stablehlo.return %s : tensor<i32>
        }) : (tensor<1x1xi32>, tensor<4x2xi32>, tensor<4x1xi32>) -> tensor<1x1xi32>
        %r = stablehlo.negate %a : tensor<f32>
        return %r : tensor<f32>
      }""",
    "maps of what a selection in lanes makes are done on its points": """
    func.func @main(%a0: tensor<i32>, %a1: tensor<3xi32>) -> (tensor<3xi32>, tensor<8x3xi32>) {
      %v1 = stablehlo.broadcast_in_dim %a0, dims = [] : (tensor<i32>) -> tensor<8x3xi32>
      %v2 = stablehlo.iota dim = 0 : tensor<8x3xi32>
      %v3 = stablehlo.constant dense<0> : tensor<i32>
      %v4 = stablehlo.constant dense<1> : tensor<i32>
      %v5:2 = stablehlo.reduce(%v1 init: %v4), (%v2 init: %v3) across dimensions = [0] : (tensor<8x3xi32>, tensor<8x3xi32>, tensor<i32>, tensor<i32>) -> (tensor<3xi32>, tensor<3xi32>)
       reducer(%x: tensor<i32>, %y: tensor<i32>) (%i: tensor<i32>, %j: tensor<i32>) {
        %gt = stablehlo.compare GT, %x, %y, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
        %eq = stablehlo.compare EQ, %x, %y, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
        %lt = stablehlo.compare LT, %i, %j, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
        %tie = stablehlo.and %eq, %lt : tensor<i1>
        %first = stablehlo.or %gt, %tie : tensor<i1>
        %v = stablehlo.select %gt, %x, %y : tensor<i1>, tensor<i32>
        %k = stablehlo.select %first, %i, %j : tensor<i1>, tensor<i32>
        stablehlo.return %v, %k : tensor<i32>, tensor<i32>
      }
      %v6 = stablehlo.clamp %a1, %v5#1, %a0 : (tensor<3xi32>, tensor<3xi32>, tensor<i32>) -> tensor<3xi32>
      %v9 = stablehlo.remainder %v6, %v6 : tensor<3xi32>
      %v13 = stablehlo.slice %v9 [0:3:1] : (tensor<3xi32>) -> tensor<3xi32>
      %v14 = stablehlo.multiply %v13, %v13 : tensor<3xi32>
      return %v14, %v1 : tensor<3xi32>, tensor<8x3xi32>
    }""",
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_found(name, level):
    text = PROGRAMS[name]
    reference = stepwell.compile(text, target="interpreter")
    rng = np.random.default_rng(0)
    inputs = []
    for kind in reference.signature.inputs:
        values = rng.standard_normal(kind.shape) * 3 if kind.dtype.kind == "f" else rng.integers(-100, 100, kind.shape)
        inputs.append(values.astype(kind.dtype))
    for opt_level in (0, 2):
        results = stepwell.compile(text, simd=level, opt_level=opt_level, verify_each=True)(*inputs)
        for got, want in zip(results, reference(*inputs), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-44 if want.dtype == np.float32 else 0)
