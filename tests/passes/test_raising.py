"""What is recognized computes what was there: programs before raising, with composites, and with their parts put back."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import stepwell
from stepwell.dialects.registry import context
from stepwell.dialects.stablehlo import CompositeOp
from stepwell.passes.inline_composites import TITLES
from stepwell.passes.registry import get_pass

HERE = Path(__file__).parent
RAISERS = ("raise-softmax", "raise-norm", "raise-activation", "raise-convolution")
ELEMENTS = {"f32": np.float32, "bf16": "bfloat16"}


def programs(name: str) -> list[str]:
    """The cases of a raiser's lit file in which a composite is expected, entered at `main`."""
    cases = (HERE / f"{name}.mlir").read_text().split("// -----")
    found = [case for case in cases if '= stablehlo.composite "stepwell.' in case]
    assert len(found) > 2
    return [re.sub(r"func\.func @\w+", "func.func @main", case) for case in found]


def arguments(text: str) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    signature = re.search(r"func\.func @main\((.*?)\) ->", text)
    assert signature is not None
    made = []
    for kind in re.findall(r"tensor<([^>]*)>", signature[1]):
        *sizes, element = kind.split("x")
        values = np.abs(rng.standard_normal([int(n) for n in sizes])) + 0.1
        made.append(values.astype(np.dtype(ELEMENTS[element])))
    return made


def run(text: str, inputs: list[np.ndarray]) -> list[np.ndarray]:
    results = stepwell.compile(text, target="interpreter")(*inputs)
    return list(results) if isinstance(results, tuple | list) else [results]


@pytest.mark.parametrize("raiser", RAISERS)
def test_raising_and_putting_back_change_no_bit(raiser: str):
    for text in programs(raiser):
        inputs = arguments(text)
        expected = run(text, inputs)
        module = stepwell.parse(text)
        get_pass(raiser)().apply(context(), module)
        composites = [op for op in module.walk() if isinstance(op, CompositeOp)]
        assert len(composites) == 1
        assert composites[0].composite_name.data in TITLES
        raised = run(str(module), inputs)
        get_pass("inline-composites")().apply(context(), module)
        assert not any(isinstance(op, CompositeOp) for op in module.walk())
        for results in (raised, run(str(module), inputs)):
            for got, wanted in zip(results, expected, strict=True):
                assert got.tobytes() == wanted.tobytes()


def test_what_was_recognized_is_said_of_its_kernel():
    (softmax, *_), (norm, *_) = programs("raise-softmax"), programs("raise-norm")
    assert "softmax over dim 1 of 64x96xf32" in stepwell.explain(softmax, simd="avx2").text
    assert "layer norm over dim 1 of 64x96xf32" in stepwell.explain(norm, simd="avx2").text


def test_the_parts_of_attention_are_not_named_again():
    text = (HERE / "raise-attention.mlir").read_text().split("// -----")[0]
    module = stepwell.parse(text)
    for name in ("raise-attention", *RAISERS):
        get_pass(name)().apply(context(), module)
    names = [op.composite_name.data for op in module.walk() if isinstance(op, CompositeOp)]
    assert names == ["stepwell.attention"]
