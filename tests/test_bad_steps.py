"""Programs of later steps that say of themselves what is not so: refused where it stands, never trusted by native code."""

from __future__ import annotations

import re

import numpy as np
import pytest

import stepwell

ADD = "func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {\n  %r = stablehlo.add %a, %a : tensor<4xf32>\n  return %r : tensor<4xf32>\n}\n"


@pytest.fixture(scope="module")
def device() -> str:
    return stepwell.compile(ADD).ir("device")


def test_a_program_of_the_last_step_runs(device: str):
    assert 'inputs = ["tensor<4xf32>"]' in device
    assert stepwell.compile(device)(np.arange(4, dtype=np.float32))[0].tolist() == [0.0, 2.0, 4.0, 6.0]


@pytest.mark.parametrize(
    ("written", "instead", "message"),
    [
        ('inputs = ["tensor<4xf32>"]', 'inputs = ["tensor<1e999x0xf32>"]', "which is no type of an array"),
        ('inputs = ["tensor<4xf32>"]', 'inputs = ["f32"]', "which is no type of an array"),
        ('inputs = ["tensor<4xf32>"]', 'inputs = ["tensor<4x!stablehlo.token>"]', "which is no type of an array"),
        ('inputs = ["tensor<4xf32>"]', 'inputs = ["tensor<3xf32>"]', "takes a memref<4xf32> as buffer 0"),
        ('outputs = ["tensor<4xf32>"]', 'outputs = ["tensor<2x1xf32>"]', "takes a memref<4xf32> as buffer 1"),
        ('inputs = ["tensor<4xf32>"]', "inputs = []", "asks for 3"),
    ],
)
def test_an_abi_that_is_not_that_of_the_buffers_is_refused(device: str, written: str, instead: str, message: str):
    assert device.count(written) == 1
    with pytest.raises(stepwell.InvalidProgramError, match=message) as caught:
        stepwell.compile(device.replace(written, instead))
    assert str(caught.value).startswith("<string>:")


LAYERS = """
func.func @main(%x: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %0 = stablehlo.dot_general %x, %x, contracting_dims = [1] x [0] : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %1 = stablehlo.dot_general %0, %x, contracting_dims = [1] x [0] : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %1 : tensor<64x64xf32>
}
"""


def test_a_temporary_outside_of_the_arena_is_refused():
    device = stepwell.compile(LAYERS).ir("device")
    x = np.eye(64, dtype=np.float32)
    np.testing.assert_array_equal(stepwell.compile(device)(x)[0], x)
    smaller = re.sub(r"arena_bytes = \d+", "arena_bytes = 64", device)
    assert smaller != device
    with pytest.raises(stepwell.InvalidProgramError, match="lies outside of the arena"):
        stepwell.compile(smaller)
