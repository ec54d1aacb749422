"""Softmax of long rows in parts: the same numbers, with infinities and NaN anywhere, whatever is subtracted."""

import numpy as np
import pytest
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from stepwell.dialects.interp.entry import call_function
from stepwell.dialects.registry import context, interpreter_rules
from stepwell.ir.interpreter import Interpreter
from stepwell.passes.split_long_softmax import SplitLongSoftmaxPass

ROWS, LENGTH = 3, 2 * 367
"""Parts of 367, a prime; wanted are 256."""

TEXT = """
module attributes {stepwell.target = #stepwell.target<{level = "avx2", vector_bits = 256 : i64, cores = 2 : i64,
    l1_bytes = 2048 : i64, l2_bytes = 4096 : i64}>} {
  func.func @main(%x: tensor<3x734xf32>) -> (tensor<3x734xf32>, tensor<3xf32>) {
    %low = stablehlo.constant dense<0xff800000> : tensor<f32>
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %m = stablehlo.reduce(%x init: %low) applies stablehlo.maximum across dimensions = [1]
        : (tensor<3x734xf32>, tensor<f32>) -> tensor<3xf32>
    SHIFT
    %mr = stablehlo.broadcast_in_dim %g, dims = [0] : (tensor<3xf32>) -> tensor<3x734xf32>
    %d = stablehlo.subtract %x, %mr : tensor<3x734xf32>
    %e = stablehlo.exponential %d : tensor<3x734xf32>
    %s = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1]
        : (tensor<3x734xf32>, tensor<f32>) -> tensor<3xf32>
    %sr = stablehlo.broadcast_in_dim %s, dims = [0] : (tensor<3xf32>) -> tensor<3x734xf32>
    %r = stablehlo.divide %e, %sr : tensor<3x734xf32>
    func.return %r, %s : tensor<3x734xf32>, tensor<3xf32>
  }
}
"""
SHIFTS = {
    "maximum": "%g = stablehlo.maximum %m, %m : tensor<3xf32>",
    "guarded": """%z = stablehlo.constant dense<0.0> : tensor<3xf32>
    %f = stablehlo.is_finite %m : (tensor<3xf32>) -> tensor<3xi1>
    %g = stablehlo.select %f, %m, %z : tensor<3xi1>, tensor<3xf32>""",
    "nothing": "%g = stablehlo.constant dense<0.0> : tensor<3xf32>",
    "half": """%h = stablehlo.constant dense<0.5> : tensor<3xf32>
    %g = stablehlo.multiply %m, %h : tensor<3xf32>""",
}


def rows(kind: str) -> np.ndarray:
    x = (np.random.default_rng(7).standard_normal((ROWS, LENGTH)) * 20).astype(np.float32)
    if kind == "a part of -inf":
        x[:, :400] = -np.inf
    elif kind == "all -inf":
        x[1] = -np.inf
    elif kind == "+inf":
        x[0, 5] = x[1, -1] = np.inf
    elif kind == "both infinities":
        x[0, :367], x[0, 400] = -np.inf, np.inf
    elif kind == "NaN":
        x[0, 3] = x[2, -3] = np.nan
    elif kind == "far below":
        x[:, :400] -= 3e38
    elif kind == "zeros and denormals":
        x[:] = np.where(x > 0, np.float32(-0.0), np.float32(1e-42))
    return x


def results(module: ModuleOp, x: np.ndarray) -> list[np.ndarray]:
    main = next(op for op in module.body.block.ops if isinstance(op, func.FuncOp))
    with np.errstate(all="ignore"):
        return [np.asarray(v) for v in call_function(Interpreter(module, interpreter_rules()), main, [x])]


@pytest.mark.parametrize("shift", SHIFTS)
def test_parts_sum_up_to_the_whole(shift: str) -> None:
    text = TEXT.replace("SHIFT", SHIFTS[shift])
    whole, parts = Parser(context(), text).parse_module(), Parser(context(), text).parse_module()
    SplitLongSoftmaxPass().apply(context(), parts)
    parts.verify()
    assert "tensor<3x2x367xf32>" in str(parts)
    kinds = "plain; a part of -inf; all -inf; +inf; both infinities; NaN; far below; zeros and denormals"
    for kind in kinds.split("; "):
        x = rows(kind)
        for want, got in zip(results(whole, x), results(parts, x), strict=True):
            np.testing.assert_allclose(got, want, rtol=2e-5, atol=1e-44, err_msg=kind)
