"""Windows of a scatter in vectors: in the order of the indices, dropped where they lie outside, the last elements one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

import stepwell
from stepwell.dialects.registry import context, interpreter_rules
from stepwell.ir.interpreter import Interpreter
from stepwell.passes.registry import get_pass


def program(width: int, extent: int, vector: str, starts: str = "array<i64: 0>") -> ModuleOp:
    """Rows of `width` (and two of them) combined, not commutatively, into a destination of rows of `extent`."""
    text = f"""
    func.func @f(%i: memref<6x1xi32>, %u: memref<6x2x{width}xi32>, %x: memref<5x2x{extent}xi32>) {{
      structured.scatter ins(%i, %u : memref<6x1xi32>, memref<6x2x{width}xi32>) outs(%x : memref<5x2x{extent}xi32>) {{
        update_window_dims = array<i64: 1, 2>, inserted_window_dims = array<i64: 0>, input_batching_dims = array<i64>,
        scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = {starts}, index_vector_dim = 1 : i64
        {vector}
      }} {{
      ^bb0(%old: i32, %new: i32):
        %c = arith.constant 3 : i32
        %m = arith.muli %old, %c : i32
        %s = arith.subi %m, %new : i32
        structured.yield %s : i32
      }}
      func.return
    }}"""
    module = Parser(context(), text).parse_module()
    module.verify()
    return module


def run(module: ModuleOp, arrays: list[Any]) -> Any:
    copies = [np.array(a) for a in arrays]
    Interpreter(module, interpreter_rules()).call("f", copies)
    return copies[-1]


@pytest.mark.parametrize(("width", "extent"), [(1, 4), (3, 4), (4, 4), (5, 7), (9, 9)])
def test_windows_in_vectors_are_those_of_the_op(width: int, extent: int) -> None:
    rng = np.random.default_rng(width)
    indices = np.array([[2], [4], [2], [-1], [5], [0]], np.int32)
    arrays = [indices, rng.integers(-9, 9, (6, 2, width), np.int32), rng.integers(-9, 9, (5, 2, extent), np.int32)]
    want = run(program(width, extent, ""), arrays)
    for given in ("", ", vector = 16 : i64"):
        module = program(width, extent, given)
        get_pass("lower-structured-to-loops")().apply(context(), module)
        module.verify()
        assert ("vector.load" in str(module)) == (bool(given) and width >= 4)
        np.testing.assert_array_equal(run(module, arrays), want)


@pytest.mark.parametrize("level", ["avx512", "avx2", "sse4.2"])
def test_rows_are_added_in_the_order_of_their_indices(level: str) -> None:
    text = """
    func.func @main(%x: tensor<7x37xf32>, %i: tensor<20x1xi32>, %u: tensor<20x37xf32>) -> tensor<7x37xf32> {
      %y = "stablehlo.scatter"(%x, %i, %u) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1],
          inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
      ^bb0(%a: tensor<f32>, %b: tensor<f32>):
        %s = stablehlo.add %a, %b : tensor<f32>
        stablehlo.return %s : tensor<f32>
      }) : (tensor<7x37xf32>, tensor<20x1xi32>, tensor<20x37xf32>) -> tensor<7x37xf32>
      func.return %y : tensor<7x37xf32>
    }"""
    rng = np.random.default_rng(4)
    x, u = rng.standard_normal((7, 37)).astype(np.float32), rng.standard_normal((20, 37)).astype(np.float32)
    i = rng.integers(-2, 9, (20, 1), np.int32)
    want = x.copy()
    for row, update in zip(i[:, 0], u, strict=True):
        if 0 <= row < 7:
            want[row] += update
    try:
        exe = stepwell.compile(text, simd=level)
    except stepwell.UnsupportedError as error:
        pytest.skip(str(error))
    np.testing.assert_array_equal(exe(x, i, u)[0], want)
