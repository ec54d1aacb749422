"""The kernels step: JAX's programs mean the same, the host holds only what it may, and what belongs together is one kernel."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stepwell.arrays import load_arrays
from stepwell.compare import Tolerance, first_difference
from stepwell.dialects import kernel
from stepwell.dialects.registry import context, interpreter_rules
from stepwell.ir.interpreter import Interpreter
from stepwell.ir.parser import parse_module
from stepwell.ir.verify import verify_module
from stepwell.passes.fusion.decide import Decider
from stepwell.passes.pipelines import KERNELS, STRUCTURED, TENSOR
from stepwell.passes.registry import get_pass

pytestmark = pytest.mark.every(2)

DATA = Path(__file__).parents[1] / "data" / "jax"
CASES = [json.loads(line) for line in (DATA / "cases.jsonl").read_text().splitlines()]
HOST_DIALECTS = ("func.", "scf.", "arith.")
HOST_OPS = ("kernel.launch", "tensor.empty", "tensor.expand_shape", "tensor.collapse_shape", "tensor.extract")


def kernels(text: str, name: str = "test.mlir"):
    ctx = context()
    module = parse_module(text, name, ctx)
    for step in (TENSOR, STRUCTURED, KERNELS):
        for pass_name, _ in step.passes:
            get_pass(pass_name)().apply(ctx, module)
    verify_module(module)
    return module


def functions(module) -> list[kernel.FuncOp]:
    return [op for op in module.body.block.ops if isinstance(op, kernel.FuncOp)]


def launches(module) -> list[str]:
    return [op.callee.root_reference.data for op in module.walk() if isinstance(op, kernel.LaunchOp)]


def signless(array: np.ndarray) -> np.ndarray:
    return array.view(f"i{array.dtype.itemsize}") if array.dtype.kind == "u" else array


@pytest.mark.parametrize("case", CASES, ids=[c["name"] for c in CASES])
def test_jax_programs_mean_the_same(case):
    module = kernels((DATA / case["mlir"]).read_text(), case["mlir"])
    for function in module.body.block.ops:
        if function.name == "func.func":
            for op in function.walk():
                assert op.name.startswith(HOST_DIALECTS) or op.name in HOST_OPS, f"{op.name} on the host"
    expected = load_arrays(DATA / case["expected"])
    inputs = [signless(a) for a in load_arrays(DATA / case["inputs"])]
    results = Interpreter(module, interpreter_rules()).call("main", inputs)
    for got, want, rule in zip(results, expected, case["checks"], strict=True):
        tolerance = Tolerance() if rule["kind"] == "eq" else Tolerance(rule["rtol"], rule["atol"])
        array = np.asarray(got)
        assert first_difference(array if array.dtype == want.dtype else array.view(want.dtype), want, tolerance) is None


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("softmax", ["rows"]),
        ("layer_norm", ["rows"]),
        ("gelu_silu", ["map"]),
        ("embedding", ["rows"]),
        # matmul + bias + relu, matmul + bias, log_softmax
        ("mlp", ["contraction", "contraction", "rows"]),
        # scores with scale and mask, softmax, values
        ("causal_attention", ["attention"]),
    ],
)
def test_what_belongs_together_is_one_kernel(name, kinds):
    module = kernels((DATA / f"{name}.mlir").read_text(), name)
    found = {f.sym_name.data: f.attributes["kernel.kind"].data for f in functions(module)}
    assert [found[callee] for callee in launches(module)] == kinds


def test_attention_reads_heads_in_place():
    """Slicing, reshaping and transposing q, k and v takes no kernel: two norms, four products, attention."""
    module = kernels((DATA / "gpt_block.mlir").read_text(), "gpt_block")
    kinds = {f.sym_name.data: f.attributes["kernel.kind"].data for f in functions(module)}
    assert sorted(kinds[callee] for callee in launches(module)) == ["attention"] + ["contraction"] * 4 + ["rows"] * 2


def mlp(layers: int) -> str:
    lines: list[str] = []
    value = "%x"
    arguments = ["%x: tensor<8x16xf32>"]
    for i in range(layers):
        arguments += [f"%w{i}: tensor<16x16xf32>", f"%b{i}: tensor<16xf32>"]
        kind = "tensor<8x16xf32>"
        lines += [
            f"%m{i} = stablehlo.dot_general {value}, %w{i}, contracting_dims = [1] x [0] "
            f": ({kind}, tensor<16x16xf32>) -> {kind}",
            f"%c{i} = stablehlo.broadcast_in_dim %b{i}, dims = [1] : (tensor<16xf32>) -> {kind}",
            f"%s{i} = stablehlo.add %m{i}, %c{i} : {kind}",
            f"%t{i} = stablehlo.tanh %s{i} : {kind}",
        ]
        value = f"%t{i}"
    body = "\n  ".join(lines)
    return (
        f"func.func public @main({', '.join(arguments)}) -> tensor<8x16xf32> {{\n"
        f"  {body}\n  return {value} : tensor<8x16xf32>\n}}\n"
    )


def test_equal_layers_are_one_kernel():
    for layers in (4, 16):
        module = kernels(mlp(layers))
        assert len(functions(module)) == 1
        assert len(launches(module)) == layers


def test_fusion_looks_at_each_use_a_bounded_number_of_times(monkeypatch):
    looks = {}
    refusal = Decider._refusal

    def counted(self, root, op, exprs):
        looks[layers] = looks.get(layers, 0) + 1
        return refusal(self, root, op, exprs)

    monkeypatch.setattr(Decider, "_refusal", counted)
    for layers in (8, 16, 32):
        kernels(mlp(layers))
    assert looks[16] <= 2.1 * looks[8]
    assert looks[32] <= 2.1 * looks[16]
