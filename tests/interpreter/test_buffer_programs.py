"""Every program of tests/data/jax keeps its meaning on buffers and in its device form, in the interpreter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.dialects import func, memref

from stepwell.arrays import load_arrays
from stepwell.backends.target import host_target
from stepwell.compare import Tolerance, first_difference
from stepwell.dialects import kernel
from stepwell.dialects.interp.entry import call_function
from stepwell.dialects.registry import context, interpreter_rules
from stepwell.dialects.stepwell import ABI
from stepwell.ir.interpreter import Interpreter
from stepwell.ir.parser import parse_module
from stepwell.ir.pass_manager import build_pipeline
from stepwell.passes.pipelines import steps
from stepwell.passes.registry import PASSES, get_pass

DATA = Path(__file__).parents[1] / "data" / "jax"
CASES = [json.loads(line) for line in (DATA / "cases.jsonl").read_text().splitlines()]
LOOP = """
module {
  func.func public @main(%x: tensor<4096x4096xf32>, %u: tensor<1x4096xf32>, %n: tensor<i32>) -> tensor<4096x4096xf32> {
    %zero = stablehlo.constant dense<0> : tensor<i32>
    %one = stablehlo.constant dense<1> : tensor<i32>
    %r:2 = stablehlo.while(%i = %zero, %a = %x) : tensor<i32>, tensor<4096x4096xf32>
    cond {
      %c = stablehlo.compare LT, %i, %n, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %c : tensor<i1>
    } do {
      %b = stablehlo.dynamic_update_slice %a, %u, %i, %zero
        : (tensor<4096x4096xf32>, tensor<1x4096xf32>, tensor<i32>, tensor<i32>) -> tensor<4096x4096xf32>
      %j = stablehlo.add %i, %one : tensor<i32>
      stablehlo.return %j, %b : tensor<i32>, tensor<4096x4096xf32>
    }
    func.return %r#1 : tensor<4096x4096xf32>
  }
}
"""


def lower(text: str, opt_level: int, last: str, entry: str = "main", donate: str = "") -> Any:
    module = parse_module(text, "program.mlir", context())
    module.attributes["stepwell.target"] = host_target().attribute()
    for step in steps(opt_level):
        pipeline = step.pipeline().replace("prepare-entry", f'prepare-entry{{entry="{entry}"{donate}}}')
        build_pipeline(pipeline, get_pass, tuple(PASSES)).run(context(), module)
        if step.name == last:
            break
    module.verify()
    return module


def entry_of(module: Any) -> func.FuncOp:
    return next(f for f in module.ops if isinstance(f, func.FuncOp) and ABI in f.attributes)


def checked_launch(interp: Interpreter, op: Any, args: tuple[Any, ...]) -> Any:
    """Kernel arguments are `noalias`."""
    for i in range(len(op.ins), len(args)):
        for j, other in enumerate(args):
            assert i == j or not np.shares_memory(args[i], other), f"operands {i} and {j} of {op} overlap"
    return interpreter_rules()["kernel.launch"](interp, op, args)


UNFUSED = (
    "cond_flip",
    "dynamic_slices",
    "embedding_grad",
    "rnn_scan_grad",
    "scatter_forms",
    "sort_topk_arg",
    "vmap_grad",
    "while_loop",
)
RUNS = [(case, 2) for case in CASES] + [(case, 0) for case in CASES if case["name"] in UNFUSED]


@pytest.mark.parametrize(("case", "opt_level"), RUNS, ids=[f"{case['name']}-O{level}" for case, level in RUNS])
@pytest.mark.every(3)
def test_interpreter_matches_xla(case: Any, opt_level: int) -> None:
    module = lower((DATA / case["mlir"]).read_text(), opt_level, "device", case["entry"])
    assert not any("tensor<" in str(v.type) for op in module.walk() for v in (*op.operands, *op.results))
    interp = Interpreter(module, {**interpreter_rules(), "kernel.launch": checked_launch})
    results = call_function(interp, entry_of(module), load_arrays(DATA / case["inputs"]))
    expected = load_arrays(DATA / case["expected"])
    for got, want, rule in zip(results, expected, case["checks"], strict=True):
        tolerance = Tolerance() if rule["kind"] == "eq" else Tolerance(rule["rtol"], rule["atol"])
        assert first_difference(np.asarray(got).view(want.dtype), want, tolerance) is None


def copied_bytes(op: Any) -> int:
    return sum(np.prod(o.source.type.get_shape()) * 4 for o in op.walk() if isinstance(o, memref.CopyOp))


def test_a_loop_over_a_large_carry_copies_only_the_update() -> None:
    module = lower(LOOP, 2, "buffers")
    entry = entry_of(module)
    loop = next(o for o in entry.walk() if o.name == "scf.while")
    assert copied_bytes(loop) == 0
    assert copied_bytes(entry) == 4096 * 4096 * 4  # The input, once, into the output.
    updates = [k for k in module.ops if isinstance(k, kernel.FuncOp) and copied_bytes(k)]
    assert [copied_bytes(k) for k in updates] == [4096 * 4]


def test_a_donated_input_is_the_carry() -> None:
    module = lower(LOOP, 2, "buffers", donate=" donate=0")
    entry = entry_of(module)
    loop = next(o for o in entry.walk() if o.name == "scf.while")
    assert copied_bytes(loop) == 0
    launch = next(o for o in loop.walk() if isinstance(o, kernel.LaunchOp) and len(o.outs[0].type.get_shape()) == 2)
    assert launch.outs[0] is entry.body.block.args[0]
