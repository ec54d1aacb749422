"""Any step can be entered: what a step printed runs as the program did, and a module says which step it is on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import stepwell
from stepwell.arrays import load_arrays
from stepwell.backends.target import host_target
from stepwell.compare import Tolerance, first_difference
from stepwell.compiler import lower
from stepwell.ir.printer import print_ir
from stepwell.steps import STEP, STEP_NAMES, current_step

DATA = Path(__file__).parent / "data" / "jax"
CASES = [json.loads(line) for line in (DATA / "cases.jsonl").read_text().splitlines()]
TURNS = [(step, case) for i, step in enumerate(STEP_NAMES) for case in CASES[i % 3 :: 3]]
IDS = [f"{step}-{case['name']}" for step, case in TURNS]


@pytest.mark.parametrize(("step", "case"), TURNS, ids=IDS)
@pytest.mark.every(8)
def test_a_printed_step_is_a_program(step, case):
    text = print_ir(lower(stepwell.parse(DATA / case["mlir"]), step))
    inputs, expected = load_arrays(DATA / case["inputs"]), load_arrays(DATA / case["expected"])
    for target in ("cpu", "interpreter"):
        results = stepwell.compile(text, target=target)(*inputs)
        for got, want, rule in zip(results, expected, case["checks"], strict=True):
            tolerance = Tolerance() if rule["kind"] == "eq" else Tolerance(rule["rtol"], rule["atol"])
            assert first_difference(got, want, tolerance) is None, target


PROGRAMS = {
    "a constant": "func.func @main() -> tensor<3xf32> {\n"
    "%0 = stablehlo.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>\nreturn %0 : tensor<3xf32>\n}",
    "its argument": "func.func @main(%x: tensor<3xf32>) -> tensor<3xf32> {\nreturn %x : tensor<3xf32>\n}",
    "nothing": "func.func @main() {\nreturn\n}",
    "no elements": "func.func @main(%x: tensor<0x3xf32>) -> tensor<0x3xf32> {\n"
    "%0 = stablehlo.add %x, %x : tensor<0x3xf32>\nreturn %0 : tensor<0x3xf32>\n}",
    "a sort": "func.func @main(%x: tensor<3xf32>) -> tensor<3xf32> {\n"
    '%0 = "stablehlo.sort"(%x) <{dimension = 0 : i64}> ({\n^bb0(%a: tensor<f32>, %b: tensor<f32>):\n'
    "%c = stablehlo.compare LT, %a, %b : (tensor<f32>, tensor<f32>) -> tensor<i1>\n"
    "stablehlo.return %c : tensor<i1>\n}) : (tensor<3xf32>) -> tensor<3xf32>\nreturn %0 : tensor<3xf32>\n}",
}


@pytest.mark.parametrize("opt_level", [0, 2])
@pytest.mark.parametrize("step", STEP_NAMES)
@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.every(2)
def test_small_programs_enter_at_every_step_with_and_without_its_name(name, step, opt_level):
    module = lower(stepwell.parse(PROGRAMS[name]), step, opt_level=opt_level)
    assert current_step(module) == STEP_NAMES.index(step)
    marked = print_ir(module)
    del module.attributes[STEP]
    inputs = [np.arange(t.shape[0] * 3 if len(t.shape) == 2 else 3, dtype=t.dtype).reshape(t.shape)[::-1]
              for t in stepwell.compile(PROGRAMS[name]).input_types]  # fmt: skip
    expected = stepwell.compile(PROGRAMS[name], target="interpreter")(*inputs)
    for text in (marked, print_ir(module)):
        for target in ("cpu", "interpreter"):
            for got, want in zip(stepwell.compile(text, target=target)(*inputs), expected, strict=True):
                assert np.array_equal(got, want)


def test_what_the_ops_prove_corrects_a_stale_name():
    module = lower(stepwell.parse(PROGRAMS["no elements"]), "buffers")
    module.attributes[STEP] = lower(stepwell.parse(PROGRAMS["a constant"]), "kernels").attributes[STEP]
    assert STEP_NAMES[current_step(module)] == "buffers"
    first = stepwell.parse(PROGRAMS["no elements"])
    first.attributes[STEP] = module.attributes[STEP]
    assert STEP_NAMES[current_step(first)] == "tensor"


def test_a_module_that_says_a_step_there_is_not():
    text = f'module attributes {{stepwell.step = "kernel"}} {{\n{PROGRAMS["nothing"]}\n}}'
    with pytest.raises(stepwell.InvalidProgramError, match=r"there is no step 'kernel'(.|\n)*did you mean 'kernels'"):
        stepwell.compile(text)


def test_buffers_without_planned_memory_are_refused():
    text = print_ir(lower(stepwell.parse(PROGRAMS["its argument"]), "buffers")).replace("arena_bytes", "other_bytes")
    with pytest.raises(stepwell.InvalidProgramError, match="@main cannot be run: its memory is not planned"):
        stepwell.compile(text)


def test_an_entry_name_is_a_name_whatever_its_letters():
    for name in ('ma"in', "a b", "a,b=c}", "\\"):
        written = name.replace("\\", "\\\\").replace('"', '\\"')
        text = PROGRAMS["its argument"].replace("@main", f'@"{written}"')
        assert stepwell.compile(text, entry=name)(np.ones(3, np.float32))[0].tolist() == [1, 1, 1]
        with pytest.raises(stepwell.InvalidProgramError, match="no entry function"):
            stepwell.compile(PROGRAMS["its argument"], entry=name)


def test_donating_later_is_too_late_once_memory_is_planned():
    module = stepwell.parse(PROGRAMS["no elements"])
    kernels = print_ir(lower(module.clone(), "kernels"))
    assert "donated = array<i64: 0>" in print_ir(lower(stepwell.parse(kernels), "kernels", donate=(0,)))
    buffers = print_ir(lower(module, "buffers"))
    with pytest.raises(stepwell.InvalidProgramError, match="the memory of this module is already planned"):
        lower(stepwell.parse(buffers), "device", donate=(0,), target=host_target())
