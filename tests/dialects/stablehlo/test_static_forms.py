"""Dynamic ops, legalized with sizes as values and with sizes as constants, mean what the interpreter's rules say."""

from __future__ import annotations

import numpy as np
import pytest

import stepwell

rng = np.random.default_rng(20)


def dense(values):
    return str(np.asarray(values).tolist())


def run(text, arguments, **options):
    return stepwell.compile(text, **options)(*arguments)[0]


def with_constants(text, arguments):
    """The program with its i64 arguments as constants, and the arguments that are left."""
    head, _, body = text.partition("{\n")
    constants, kept, parameters = [], [], []
    for parameter, value in zip(head[head.index("(") + 1 : head.index(") ->")].split(", "), arguments, strict=True):
        name, type_ = parameter.split(": ")
        if type_.endswith("i64>"):
            constants.append(f"{name} = stablehlo.constant dense<{dense(value)}> : {type_}")
        else:
            parameters.append(parameter)
            kept.append(value)
    head = f"func.func @main({', '.join(parameters)}) {head[head.index('->') :]}"
    return head + "{\n" + "\n".join(constants) + "\n" + body, kept


def shape_text(shape):
    return "".join(f"{e}x" for e in shape) + "f32"


def random_pad():
    rank = int(rng.integers(1, 4))
    shape = rng.integers(0, 5, rank)
    low, high = rng.integers(-2, 4, rank), rng.integers(-2, 4, rank)
    interior = rng.integers(0, 3, rank)
    result = low + shape + np.maximum(shape - 1, 0) * interior + high
    high, result = high - np.minimum(result, 0), np.maximum(result, 0)
    sizes = f"tensor<{rank}xi64>"
    text = f"""func.func @main(%x: tensor<{shape_text(shape)}>, %v: tensor<f32>, %l: {sizes}, %h: {sizes}, %i: {sizes}) -> tensor<{shape_text(result)}> {{
  %r = stablehlo.dynamic_pad %x, %v, %l, %h, %i : (tensor<{shape_text(shape)}>, tensor<f32>, {sizes}, {sizes}, {sizes}) -> tensor<{shape_text(result)}>
  return %r : tensor<{shape_text(result)}>
}}"""
    return text, [rng.standard_normal(shape).astype(np.float32), np.float32(7), low, high, interior]


def random_slice():
    rank = int(rng.integers(1, 4))
    shape = rng.integers(0, 7, rank)
    limit = rng.integers(0, shape + 1)
    start, stride = rng.integers(0, limit + 1), rng.integers(1, 4, rank)
    result = -(-(limit - start) // stride)
    sizes = f"tensor<{rank}xi64>"
    text = f"""func.func @main(%x: tensor<{shape_text(shape)}>, %s: {sizes}, %l: {sizes}, %t: {sizes}) -> tensor<{shape_text(result)}> {{
  %r = stablehlo.real_dynamic_slice %x, %s, %l, %t : (tensor<{shape_text(shape)}>, {sizes}, {sizes}, {sizes}) -> tensor<{shape_text(result)}>
  return %r : tensor<{shape_text(result)}>
}}"""
    return text, [rng.standard_normal(shape).astype(np.float32), start, limit, stride]


def random_conv():
    size, window = int(rng.integers(0, 6)), int(rng.integers(1, 4))
    stride, spread, gap = (int(v) for v in rng.integers(1, 4, 3))
    low, high = (int(v) for v in rng.integers(-1, 4, 2))
    padded = max(low + (size and (size - 1) * spread + 1) + high, 0)
    high = padded - low - (size and (size - 1) * spread + 1)
    reach = (window - 1) * gap + 1
    count = 0 if padded == 0 or reach > padded else (padded - reach) // stride + 1
    text = f"""func.func @main(%x: tensor<2x{size}x2xf32>, %k: tensor<{window}x2x3xf32>, %p: tensor<1x2xi64>) -> tensor<2x{count}x3xf32> {{
  %r = "stablehlo.dynamic_conv"(%x, %k, %p) <{{window_strides = array<i64: {stride}>, lhs_dilation = array<i64: {spread}>, rhs_dilation = array<i64: {gap}>, window_reversal = array<i1: {str(bool(gap % 2)).lower()}>, dimension_numbers = #stablehlo.conv<[b, 0, f]x[0, i, o]->[b, 0, f]>, feature_group_count = 1 : i64, batch_group_count = 1 : i64}}> : (tensor<2x{size}x2xf32>, tensor<{window}x2x3xf32>, tensor<1x2xi64>) -> tensor<2x{count}x3xf32>
  return %r : tensor<2x{count}x3xf32>
}}"""
    kernel = rng.standard_normal((window, 2, 3)).astype(np.float32)
    return text, [rng.standard_normal((2, size, 2)).astype(np.float32), kernel, np.array([[low, high]])]


@pytest.mark.parametrize("make", [random_pad, random_slice, random_conv])
def test_sizes_as_values_and_as_constants_mean_the_same(make):
    for _ in range(8):
        text, arguments = make()
        expected = run(text, arguments, target="interpreter")
        lowered = run(text, arguments, target="interpreter", step="structured")
        static, kept = with_constants(text, arguments)
        for got in (lowered, run(static, kept, target="interpreter", step="tensor")):
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6, err_msg=text)


@pytest.mark.parametrize("make", [random_pad, random_slice, random_conv])
def test_native_code_takes_sizes_as_values(make):
    for _ in range(2):
        text, arguments = make()
        expected = run(text, arguments, target="interpreter")
        np.testing.assert_allclose(run(text, arguments, opt_level=1), expected, rtol=1e-5, atol=1e-6, err_msg=text)


MISMATCH = """func.func @main(%x: tensor<6xf32>, %s: tensor<1xi64>) -> tensor<6xf32> {
  %r = stablehlo.dynamic_reshape %x, %s : (tensor<6xf32>, tensor<1xi64>) -> tensor<6xf32>
  return %r : tensor<6xf32>
}"""


def test_the_interpreter_reports_sizes_that_contradict_the_types():
    x = np.zeros(6, np.float32)
    assert run(MISMATCH, [x, np.array([6])], target="interpreter").shape == (6,)
    with pytest.raises(stepwell.CompileError, match=r"operand has 6 elements, result has 5"):
        run(MISMATCH, [x, np.array([5])], target="interpreter")
    text = MISMATCH.replace("dynamic_reshape %x, %s", "dynamic_iota %s, dim = 0").replace(": (tensor<6xf32>, ", ": (")
    with pytest.raises(stepwell.CompileError, match=r"\[5\] makes a result of shape \[5\], its type is tensor<6xf32>"):
        run(text, [x, np.array([5])], target="interpreter")
