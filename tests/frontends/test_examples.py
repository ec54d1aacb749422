"""The examples: the Python and the StableHLO of each give the same kernels and numbers, which are NumPy's."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import stepwell
from stepwell.compiler import lower
from stepwell.dialects import kernel
from stepwell.frontends.pytree import flatten
from stepwell.ir.structural_hash import structural_hash

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FUNCTIONS = {"mlp": "forward", "softmax_regression": "step", "attention": "attention"}


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def kernels(module: Any) -> list[str]:
    lowered = lower(module.clone(), "kernels")
    return sorted(structural_hash(op) for op in lowered.body.ops if isinstance(op, kernel.FuncOp))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_python_and_text_give_the_same_kernels_and_results(name: str):
    module = example(name)
    function, arguments = getattr(module, FUNCTIONS[name]), module.arguments()
    text = EXAMPLES / f"{name}.mlir"
    from_python, from_text = kernels(function.lower(*arguments).module), kernels(stepwell.parse(text))
    assert from_python == from_text
    assert len(from_python) >= 1
    wanted = stepwell.compile(text)(*flatten(arguments)[0])
    results = flatten(function(*module.arguments()))[0]
    for result, value in zip(results, wanted, strict=True):
        np.testing.assert_array_equal(result.numpy(), value)


def softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def test_the_mlp_is_numpys():
    module = example("mlp")
    layers, x = module.arguments()
    got = module.forward(layers, x)
    for layer in layers[:-1]:
        x = np.maximum(x @ layer["weight"] + layer["bias"], 0)
    np.testing.assert_allclose(got.numpy(), softmax(x @ layers[-1]["weight"] + layers[-1]["bias"]), rtol=2e-5)


def test_attention_is_numpys():
    module = example("attention")
    q, k, v = (a.astype(np.float64) for a in module.arguments())
    scores = q @ k.swapaxes(-1, -2) / 4
    scores[..., np.triu(np.ones((32, 32), bool), 1)] = -np.inf
    got = module.attention(*module.arguments())
    np.testing.assert_allclose(got.numpy(), softmax(scores) @ v, rtol=1e-4, atol=1e-6)


def test_softmax_regression_learns():
    module = example("softmax_regression")
    params, x, labels, rate = module.arguments()
    losses = []
    for _ in range(60):
        params, loss = module.step(params, x, labels, rate)
        losses.append(float(loss))
    assert losses[0] == pytest.approx(np.log(5), rel=1e-5)
    assert all(b < a for a, b in itertools.pairwise(losses))
    right = (x @ params["weight"].numpy() + params["bias"].numpy()).argmax(1) == labels
    assert right.mean() > 0.9


def test_the_gpu_example_is_numpys_and_uses_the_matrix_unit(capsys: pytest.CaptureFixture[str]):
    module = example("gpu_matmul")
    x, weight, bias = module.arguments()
    got = np.asarray(stepwell.jit(module.layer, target="gpu-sim:sm_90")(x, weight, bias))
    np.testing.assert_allclose(got.astype(np.float64), module.expected(x, weight, bias), rtol=2e-2, atol=2e-2)
    module.main()
    said = capsys.readouterr().out
    assert 'form = "matrix"' in said
    assert "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32" in said
