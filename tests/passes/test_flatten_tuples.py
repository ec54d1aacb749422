"""Programs with tuples, tokens and shardings compute natively what the interpreter says they mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import stepwell

DATA = Path(__file__).resolve().parent.parent / "data"

LOOP = """
func.func public @main(%k: !stablehlo.token, %t: tuple<tensor<4xf32>, tensor<i32>>)
    -> (!stablehlo.token, tuple<tensor<4xf32>, tuple<tensor<i32>>>) {
  %r:2 = stablehlo.while(%s = %t, %kk = %k) : tuple<tensor<4xf32>, tensor<i32>>, !stablehlo.token
  cond {
    %i = stablehlo.get_tuple_element %s[1] : (tuple<tensor<4xf32>, tensor<i32>>) -> tensor<i32>
    %n = stablehlo.constant dense<5> : tensor<i32>
    %c = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %p = func.call @step(%s, %kk) : (tuple<tensor<4xf32>, tensor<i32>>, !stablehlo.token) -> tuple<tensor<4xf32>, tensor<i32>>
    stablehlo.return %p, %kk : tuple<tensor<4xf32>, tensor<i32>>, !stablehlo.token
  }
  %v = stablehlo.get_tuple_element %r#0[0] : (tuple<tensor<4xf32>, tensor<i32>>) -> tensor<4xf32>
  %i = stablehlo.get_tuple_element %r#0[1] : (tuple<tensor<4xf32>, tensor<i32>>) -> tensor<i32>
  %u = stablehlo.tuple %i : tuple<tensor<i32>>
  %w = stablehlo.tuple %v, %u : tuple<tensor<4xf32>, tuple<tensor<i32>>>
  return %r#1, %w : !stablehlo.token, tuple<tensor<4xf32>, tuple<tensor<i32>>>
}
func.func private @step(%s: tuple<tensor<4xf32>, tensor<i32>>, %k: !stablehlo.token) -> tuple<tensor<4xf32>, tensor<i32>> {
  %v = stablehlo.get_tuple_element %s[0] : (tuple<tensor<4xf32>, tensor<i32>>) -> tensor<4xf32>
  %i = stablehlo.get_tuple_element %s[1] : (tuple<tensor<4xf32>, tensor<i32>>) -> tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %d = stablehlo.add %v, %v : tensor<4xf32>
  %j = stablehlo.add %i, %one : tensor<i32>
  %p = stablehlo.tuple %d, %j : tuple<tensor<4xf32>, tensor<i32>>
  return %p : tuple<tensor<4xf32>, tensor<i32>>
}
"""


@pytest.mark.parametrize("target", ["cpu", "interpreter"])
def test_a_tuple_is_passed_member_by_member_and_a_token_not_at_all(target: str):
    executable = stepwell.compile(LOOP, target=target)
    vector, count = executable(np.arange(4, dtype=np.float32), np.int32(2))
    np.testing.assert_array_equal(vector, np.arange(4, dtype=np.float32) * 8)
    assert count == 5


def test_shardings_do_not_change_what_one_process_computes():
    with np.load(DATA / "sharded" / "arrays.npz") as arrays:
        x, wanted = arrays["named_sharding.in0"], arrays["named_sharding.out0"]
    (found,) = [stepwell.compile((DATA / "sharded" / "named_sharding.mlir").read_text())(x)]
    np.testing.assert_allclose(np.asarray(found).reshape(wanted.shape), wanted, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("target", ["cpu", "interpreter"])
def test_a_program_for_one_device_runs_its_collectives_alone(target: str):
    x = np.arange(128, dtype=np.float32).reshape(8, 16)
    mean, index = stepwell.compile((DATA / "printed" / "shard_map_on_one.mlir").read_text(), target=target)(x)
    np.testing.assert_array_equal(mean, x)
    np.testing.assert_array_equal(index, np.zeros(1, np.int32))
