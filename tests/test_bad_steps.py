"""Programs of later steps that say of themselves what is not so: refused where it stands, never trusted by native code."""

from __future__ import annotations

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
