"""Batch normalization: the formulas against NumPy, the decomposition against the interpreter."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import stepwell
from stepwell.dialects.registry import context, interpreter_rules
from stepwell.ir.interpreter import Interpreter
from stepwell.ir.parser import parse_module
from stepwell.passes.decompose_batch_norm import DecomposeBatchNormPass

DTYPES = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64}
TOLERANCE = {"f16": 2e-3, "bf16": 1.6e-2, "f32": 2e-5, "f64": 1e-12}


def program(op, element, shape, feature, vectors, results):
    x = f"tensor<{'x'.join([*map(str, shape), element])}>"
    v = f"tensor<{shape[feature]}x{element}>"
    types = [x] + [v] * vectors + ([x] if op == "grad" else [])
    names = ", ".join(f"%a{i}" for i in range(len(types)))
    signature = ", ".join(f"%a{i}: {t}" for i, t in enumerate(types))
    returned = [x, v, v][:results]
    values = ", ".join(f"%r#{i}" for i in range(results)) if results > 1 else "%r"
    return (
        f"func.func @main({signature}) -> ({', '.join(returned)}) {{\n"
        f'%r{":" + str(results) if results > 1 else ""} = "stablehlo.batch_norm_{op}"({names}) '
        f"<{{epsilon = 1.0e-2 : f32, feature_index = {feature} : i64}}> : "
        f"({', '.join(types)}) -> ({', '.join(returned)})\nreturn {values} : {', '.join(returned)}\n}}"
    )


FORMS = {"training": (2, 3), "inference": (4, 1), "grad": (3, 3)}


def arguments(op, element, shape, feature):
    generator = np.random.default_rng(7)
    x = generator.normal(3, 2, shape)
    vectors = [generator.uniform(0.5, 2, shape[feature]) for _ in range(FORMS[op][0])]
    arrays = [x, *vectors] + ([generator.normal(0, 1, shape)] if op == "grad" else [])
    return [np.asarray(a).astype(DTYPES[element]) for a in arrays]


def interpret(text, args, *, decompose):
    module = parse_module(text, "program.mlir", context())
    if decompose:
        DecomposeBatchNormPass().apply(context(), module)
    module.verify()
    return Interpreter(module, interpreter_rules()).call("main", args)


def close(got, want, element):
    for g, w in zip(got, want, strict=True):
        w = np.asarray(w).astype(np.float64)
        tolerance = TOLERANCE[element] * max(1.0, float(np.abs(w).max(initial=0)))
        np.testing.assert_allclose(np.asarray(g).astype(np.float64), w, rtol=TOLERANCE[element], atol=tolerance)


@pytest.mark.parametrize("element", DTYPES)
@pytest.mark.parametrize("op", FORMS)
@pytest.mark.parametrize(("shape", "feature"), [((5, 3, 2), 1), ((4,), 0), ((3, 4), 0)])
@pytest.mark.every(3)
def test_the_decomposition_agrees_with_the_interpreter(op, element, shape, feature):
    text, args = program(op, element, shape, feature, *FORMS[op]), arguments(op, element, shape, feature)
    close(interpret(text, args, decompose=True), interpret(text, args, decompose=False), element)


@pytest.mark.parametrize("op", FORMS)
def test_native_code_agrees_with_the_interpreter(op):
    text, args = program(op, "f32", (6, 5, 7), 2, *FORMS[op]), arguments(op, "f32", (6, 5, 7), 2)
    got = stepwell.compile(text)(*args)
    close(got if isinstance(got, tuple) else [got], interpret(text, args, decompose=False), "f32")


def test_training_normalizes_by_mean_and_variance_of_each_feature():
    text, args = program("training", "f64", (8, 3), 1, 2, 3), arguments("training", "f64", (8, 3), 1)
    x, scale, offset = args
    output, mean, variance = interpret(text, args, decompose=False)
    np.testing.assert_allclose(mean, x.mean(0))
    np.testing.assert_allclose(variance, x.var(0))
    np.testing.assert_allclose(output, (x - x.mean(0)) / np.sqrt(x.var(0) + 0.01) * scale + offset, rtol=1e-7)


def test_the_gradient_is_that_of_training():
    shape, feature = (5, 3), 1
    x, scale, _, _, grad = arguments("grad", "f64", shape, feature)
    args = [x, scale, x.mean(0), x.var(0), grad]
    grad_operand, grad_scale, grad_offset = interpret(
        program("grad", "f64", shape, feature, 3, 3), args, decompose=False
    )

    def loss(x, scale, offset):
        text = program("training", "f64", shape, feature, 2, 3)
        return float((interpret(text, [x, scale, offset], decompose=False)[0] * grad).sum())

    def numeric(index, array):
        result = np.zeros_like(array)
        for place in np.ndindex(*array.shape):
            step = np.zeros_like(array)
            step[place] = 1e-5
            inputs = [x, scale, np.zeros(3)]
            up, down = list(inputs), list(inputs)
            up[index], down[index] = inputs[index] + step, inputs[index] - step
            result[place] = (loss(*up) - loss(*down)) / 2e-5
        return result

    np.testing.assert_allclose(grad_operand, numeric(0, x), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(grad_scale, numeric(1, scale), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(grad_offset, numeric(2, np.zeros(3)), rtol=1e-5, atol=1e-7)


def test_the_variance_keeps_its_digits_beside_a_large_mean():
    text = program("training", "f32", (64, 2), 1, 2, 3)
    x = (np.random.default_rng(3).normal(0, 1, (64, 2)) + 10000).astype(np.float32)
    _, _, variance = stepwell.compile(text)(x, np.ones(2, np.float32), np.zeros(2, np.float32))
    np.testing.assert_allclose(np.asarray(variance), x.astype(np.float64).var(0), rtol=1e-3)


def test_a_half_precision_count_does_not_overflow():
    text = program("training", "f16", (70000, 1), 1, 2, 3)
    x = np.random.default_rng(3).normal(1, 1, (70000, 1)).astype(np.float16)
    _, mean, variance = stepwell.compile(text)(x, np.ones(1, np.float16), np.zeros(1, np.float16))
    np.testing.assert_allclose(np.asarray(mean).astype(float), 1, rtol=0.02)
    np.testing.assert_allclose(np.asarray(variance).astype(float), 1, rtol=0.03)
