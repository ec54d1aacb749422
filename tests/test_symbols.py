"""A program may use any name: of C's, LLVM's or our own functions."""

from __future__ import annotations

import numpy as np
import pytest

import stepwell

PROGRAM = """func.func public @"{name}"(%x: tensor<64x64xf32>, %n: tensor<i32>) -> tensor<64x64xf32> {{
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %table = stablehlo.constant dense<[{table}]> : tensor<64xf32>
  %t = stablehlo.broadcast_in_dim %table, dims = [1] : (tensor<64xf32>) -> tensor<64x64xf32>
  %c = stablehlo.compare GT, %n, %zero, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
  %r = "stablehlo.if"(%c) ({{
    %a = func.call @"{helper}"(%x) : (tensor<64x64xf32>) -> tensor<64x64xf32>
    stablehlo.return %a : tensor<64x64xf32>
  }}, {{
    stablehlo.return %t : tensor<64x64xf32>
  }}) : (tensor<i1>) -> tensor<64x64xf32>
  return %r : tensor<64x64xf32>
}}
func.func private @"{helper}"(%x: tensor<64x64xf32>) -> tensor<64x64xf32> {{
  %0 = stablehlo.add %x, %x : tensor<64x64xf32>
  return %0 : tensor<64x64xf32>
}}
""".replace("{table}", ", ".join(f"{i}.0" for i in range(64)))
X = np.arange(4096, dtype=np.float32).reshape(64, 64)
NAMES = [
    ("k_map_0", "k_single_0"),
    ("stepwell_parallel_for", "constant_0"),
    ("llvm.foo", "memset"),
    ("memcpy", "main"),
    ("stepwell_entry_main", "stepwell.func.stepwell_entry_main"),
    ("main", "main.impl"),
    ('a \\22b" c'.replace('"', ""), "\u00e9t\u00e9 $20 \\5C"),
]


@pytest.mark.parametrize("opt_level", [0, 2])
@pytest.mark.parametrize(("name", "helper"), NAMES, ids=[n for n, _ in NAMES])
def test_names_of_functions_collide_with_nothing(name, helper, opt_level):
    entry = stepwell.parse(PROGRAM.format(name=name, helper=helper)).body.block.first_op.sym_name.data
    exe = stepwell.compile(PROGRAM.format(name=name, helper=helper), entry=entry, opt_level=opt_level)
    assert np.array_equal(exe(X, np.array(1, np.int32))[0], X + X)
    assert np.array_equal(exe(X, np.array(0, np.int32))[0], np.broadcast_to(np.arange(64, dtype=np.float32), (64, 64)))
    again = stepwell.compile(exe.ir("device"), entry=entry)
    assert np.array_equal(again(X, np.array(1, np.int32))[0], X + X)


def test_a_kernel_of_the_program_keeps_its_name():
    text = """
    kernel.func @k_map_0(%x: tensor<8xf32>, %out: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["read", "write"]} {
      %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<8xf32>) outs(%out : tensor<8xf32>) {
      ^bb0(%a: f32, %o: f32):
        %b = arith.mulf %a, %a : f32
        linalg.yield %b : f32
      } -> tensor<8xf32>
      kernel.return %r : tensor<8xf32>
    }
    func.func @main(%x: tensor<8xf32>) -> tensor<8xf32> {
      %d = tensor.empty() : tensor<8xf32>
      %r = kernel.launch @k_map_0 ins(%x : tensor<8xf32>) outs(%d : tensor<8xf32>) -> tensor<8xf32>
      return %r : tensor<8xf32>
    }"""
    x = np.arange(8, dtype=np.float32)
    assert np.array_equal(stepwell.compile(text)(x)[0], x * x)
    linked = stepwell.native.emit(text, "llvm")
    assert "@stepwell.kernel.k_map_0" in linked
    assert "@stepwell_entry_main" in linked
