"""Validation finds passes and code that are wrong, names them and the op; and says nothing about those that are right."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import wrong_passes as wrong
from xdsl.dialects.builtin import FloatAttr

import stepwell
from stepwell.arrays import load_arrays
from stepwell.backends.target import target_for
from stepwell.compiler import lower
from stepwell.device_targets import set_machine
from stepwell.dialects.registry import context
from stepwell.errors import InternalError, MiscompileError
from stepwell.ir.diagnostics import Diagnostic, diagnostic_handler
from stepwell.ir.pass_manager import Pipeline, build_pipeline
from stepwell.passes.registry import PASSES, get_pass
from stepwell.reduction.reducer import count_ops
from stepwell.source import parse
from stepwell.validate import Validation

DATA = Path(__file__).parents[1] / "data" / "jax"

PROGRAM = """
func.func @main(%a: tensor<6x24xf32>, %b: tensor<6x24xf32>, %i: tensor<5xi32>) -> (tensor<5x24xf32>, tensor<6x24xf32>) {
  %low = stablehlo.constant dense<-0.5> : tensor<6x24xf32>
  %high = stablehlo.constant dense<0.75> : tensor<6x24xf32>
  %0 = stablehlo.clamp %low, %a, %high : tensor<6x24xf32>
  %1 = stablehlo.add %0, %b : tensor<6x24xf32>
  %2 = stablehlo.negate %1 : tensor<6x24xf32>
  %3 = stablehlo.maximum %2, %b : tensor<6x24xf32>
  %4 = stablehlo.compare LT, %0, %high : (tensor<6x24xf32>, tensor<6x24xf32>) -> tensor<6x24xi1>
  %5 = stablehlo.select %4, %3, %a : tensor<6x24xi1>, tensor<6x24xf32>
  %6 = stablehlo.iota dim = 1 : tensor<6x24xf32>
  %7 = stablehlo.multiply %5, %6 : tensor<6x24xf32>
  %8 = "stablehlo.gather"(%7, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0],
      start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 24>, indices_are_sorted = false}>
      : (tensor<6x24xf32>, tensor<5xi32>) -> tensor<5x24xf32>
  %9 = stablehlo.slice %7 [0:5, 0:23] : (tensor<6x24xf32>) -> tensor<5x23xf32>
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %10 = stablehlo.pad %9, %z, low = [1, 0], high = [0, 1], interior = [0, 0] : (tensor<5x23xf32>, tensor<f32>) -> tensor<6x24xf32>
  return %8, %10 : tensor<5x24xf32>, tensor<6x24xf32>
}
"""

TENSOR = "canonicalize,cse"
MUTANTS = {
    "an addition turned into a subtraction": (wrong.swap_add, "tensor", "stablehlo.add", 4),
    "a clamp dropped": (wrong.drop_clamp, "tensor", "stablehlo.clamp", 5),
    "a slice off by one": (wrong.shift_slice, "tensor", "stablehlo.slice", 4),
    "a comparison with ties": (wrong.weaken_compare, "tensor", "stablehlo.compare", 4),
    "a wrong sign of zero": (wrong.negate_by_subtraction, "tensor", "stablehlo.negate", 4),
    "a lost NaN": (wrong.lose_nan, "tensor", "stablehlo.maximum", 4),
    "two ops taken for one": (wrong.merge_iotas, "tensor", "stablehlo.iota", 4),
    "an index that is not clamped": (wrong.loosen_index, "structured", "arith.minsi", 18),
}


def run(pipeline: str, change, text: str = PROGRAM, *, rounding: bool = False, **options) -> MiscompileError:
    """The error of a pipeline that ends with a wrong pass."""
    module = parse(text)
    set_machine(module, target_for("avx2", generic=True))
    first = build_pipeline(f"builtin.module({pipeline})", get_pass, list(PASSES)).items
    last = (wrong.WrongRoundingPass if rounding else wrong.WrongPass)(change)
    with pytest.raises(MiscompileError) as caught:
        Pipeline((*first, last), [Validation(**options)]).run(context(), module)
    return caught.value


PIPELINES = {
    "tensor": "canonicalize,cse",
    "structured": "canonicalize,convert-stablehlo-to-linalg",
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_pass_is_named_and_its_function_reduced(name, tmp_path):
    change, step, op, most = MUTANTS[name]
    error = run(PIPELINES[step], change, folder=tmp_path)
    assert "error: pass 'wrong' changes what @main computes" in str(error)
    reduced = parse(error.files[0])
    assert op in str(reduced)
    assert count_ops(reduced) <= most, str(reduced)


DEEP_PROGRAM = """
func.func @main(%a: tensor<6x21xf32>, %b: tensor<6x21xf32>) -> (tensor<6x21xf32>, tensor<6xf32>) {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = stablehlo.add %a, %b : tensor<6x21xf32>
  %1 = stablehlo.reduce(%0 init: %z) applies stablehlo.add across dimensions = [0] : (tensor<6x21xf32>, tensor<f32>) -> tensor<21xf32>
  %2 = stablehlo.broadcast_in_dim %1, dims = [1] : (tensor<21xf32>) -> tensor<6x21xf32>
  %3 = stablehlo.reduce(%b init: %z) applies stablehlo.maximum across dimensions = [0] : (tensor<6x21xf32>, tensor<f32>) -> tensor<21xf32>
  %4 = stablehlo.broadcast_in_dim %3, dims = [1] : (tensor<21xf32>) -> tensor<6x21xf32>
  %5 = stablehlo.multiply %2, %4 : tensor<6x21xf32>
  %6 = stablehlo.dot_general %5, %b, contracting_dims = [1] x [1] : (tensor<6x21xf32>, tensor<6x21xf32>) -> tensor<6x6xf32>
  %7 = stablehlo.reduce(%6 init: %z) applies stablehlo.add across dimensions = [1] : (tensor<6x6xf32>, tensor<f32>) -> tensor<6xf32>
  return %5, %7 : tensor<6x21xf32>, tensor<6xf32>
}
"""
DEEP_MUTANTS = {
    "a tail one element short": (wrong.unmask, "scheduled", True),
    "a launch that writes what it reads": (wrong.write_the_input, "buffers", False),
    "temporaries that overlap": (wrong.overlap_temporaries, "buffers", False),
    "a loop that runs once less": (wrong.shorten_loop, "scheduled", True),
}


@functools.cache
def deep_program(step: str):
    return lower(parse(DEEP_PROGRAM), step, target=target_for("avx512", generic=True))


@pytest.mark.parametrize("name", DEEP_MUTANTS)
def test_a_wrong_pass_is_named_on_the_steps_below(name, tmp_path):
    change, step, rounding = DEEP_MUTANTS[name]
    module = deep_program(step).clone()
    before = count_ops(module)
    item = (wrong.WrongRoundingPass if rounding else wrong.WrongPass)(change)
    with pytest.raises(MiscompileError) as caught:
        Pipeline((item,), [Validation(folder=tmp_path, most_tests=10)]).run(context(), module)
    assert f"error: pass '{item.name}' changes what @main computes" in str(caught.value)
    assert count_ops(parse(caught.value.files[0])) < before


EXP = "func.func @main(%a: tensor<99xf32>) -> tensor<99xf32> { %0 = stablehlo.exponential %a : tensor<99xf32> return %0 : tensor<99xf32> }"

SUM = """
func.func @main(%a: tensor<4x50xf32>, %b: tensor<50x4xf32>) -> (tensor<4x4xf32>, tensor<4xi32>) {
  %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<4x50xf32>, tensor<50x4xf32>) -> tensor<4x4xf32>
  %1 = stablehlo.exponential %0 : tensor<4x4xf32>
  %2 = stablehlo.subtract %1, %1 : tensor<4x4xf32>
  %3 = stablehlo.slice %1 [0:4, 0:1] : (tensor<4x4xf32>) -> tensor<4x1xf32>
  %4 = stablehlo.reshape %3 : (tensor<4x1xf32>) -> tensor<4xf32>
  %5 = stablehlo.convert %4 : (tensor<4xf32>) -> tensor<4xi32>
  return %1, %5 : tensor<4x4xf32>, tensor<4xi32>
}
"""


def test_what_rounding_explains_is_no_difference():
    stepwell.compile(SUM, validate=True)


def test_rounding_is_a_difference_after_a_pass_that_may_not_round():
    module = lower(parse(EXP), "kernels", target=target_for("avx2", generic=True))
    items = build_pipeline("builtin.module(choose-schedules,apply-schedule,expand-math)", get_pass, list(PASSES)).items
    Pipeline(items, [Validation(reduce=False)]).run(context(), module.clone())
    exact = type("ExactPass", (type(items[-1]),), {"numerics": "exact"})()
    with pytest.raises(MiscompileError, match="pass 'expand-math' changes"):
        Pipeline((*items[:-1], exact), [Validation(reduce=False)]).run(context(), module)


def test_a_wrong_polynomial_is_no_rounding():
    def spoil(op):
        if op.name == "arith.constant" and isinstance(value := op.properties["value"], FloatAttr):
            if value.value.data == 0.5:
                op.properties["value"] = FloatAttr(0.501, value.type)

    module = lower(parse(EXP), "scheduled", opt_level=0, target=target_for("avx2", generic=True))
    with pytest.raises(MiscompileError, match="pass 'wrong-rounding' changes"):
        Pipeline((wrong.WrongRoundingPass(spoil),), [Validation(reduce=False)]).run(context(), module)


# Reports


@pytest.fixture
def registered(monkeypatch):
    """The wrong pass, as stepwell-opt finds passes."""
    from stepwell.passes import registry

    monkeypatch.setitem(registry.PASSES, "wrong", ("wrong_passes", "WrongPass"))
    monkeypatch.setattr(registry, "get_pass", lambda name: wrong.WrongPass if name == "wrong" else get_pass(name))


def test_a_reproducer_fails_again_with_the_same_inputs(registered, tmp_path, capsys):
    from stepwell.opt import main

    error = run(PIPELINES["tensor"], wrong.swap_add, folder=tmp_path, seed=7)
    path, inputs, before, after = error.files
    assert main(["--run-reproducer", str(path)]) == 1
    printed = capsys.readouterr().err
    assert "error: pass 'wrong' changes what @main computes" in printed
    assert "inputs of seed 7" in printed
    (a, *_), (want,), (got,) = (load_arrays(p) for p in (inputs, before, after))
    assert want.shape == got.shape == a.shape
    assert not np.array_equal(want, got, equal_nan=True)


def test_a_reproducer_of_a_pass_that_is_right_by_now_succeeds(registered, tmp_path, monkeypatch, capsys):
    from stepwell.opt import main

    error = run(PIPELINES["tensor"], wrong.swap_add, folder=tmp_path)
    monkeypatch.setattr(wrong.WrongPass, "apply", lambda self, ctx, op: None)
    assert main(["--run-reproducer", str(error.files[0])]) == 0


def test_the_error_is_an_internal_one_with_everything_in_it(tmp_path):
    error = run(PIPELINES["tensor"], wrong.swap_add, folder=tmp_path)
    assert isinstance(error, InternalError)
    text = str(error)
    for part in (
        "on ordinary inputs of seed 0",
        "input 0: float32[",
        "before, result 0: ",
        "after, result 0: ",
        "it takes 3 ops",
    ):
        assert part in text
    assert f"stepwell-opt --run-reproducer {error.files[0]}" in text


@pytest.mark.parametrize("seed", [-1, 1.5, "x", True])
def test_a_seed_is_a_whole_number(seed):
    program = "func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> { return %x : tensor<2xf32> }"
    with pytest.raises(stepwell.InvalidProgramError, match="a seed is a whole number from 0 on, not"):
        stepwell.compile(program, validate=True, seed=seed)


def test_the_same_seed_gives_the_same_report(tmp_path):
    texts = [str(run(PIPELINES["tensor"], wrong.drop_clamp, folder=tmp_path, seed=3)) for _ in range(2)]
    first, second = (text.split("note: inputs and results are in")[0] for text in texts)
    assert first == second


def remarks_of(action) -> list[str]:
    found: list[Diagnostic] = []
    with diagnostic_handler(found.append):
        action()
    return [d.message for d in found]


def test_what_cannot_be_run_is_said(monkeypatch):
    monkeypatch.setattr("stepwell.validation.execution.STEP_LIMIT", 1000)
    text = """
      func.func @main(%a: tensor<?xf32>) -> tensor<?xf32> { return %a : tensor<?xf32> }
      func.func @loop(%a: tensor<i32>) -> tensor<i32> {
        %0 = stablehlo.while(%x = %a) : tensor<i32>
          cond { %t = stablehlo.constant dense<true> : tensor<i1>  stablehlo.return %t : tensor<i1> }
          do { stablehlo.return %x : tensor<i32> }
        return %0 : tensor<i32>
      }"""
    items = build_pipeline("builtin.module(cse)", get_pass, list(PASSES)).items
    found = remarks_of(lambda: Pipeline(items, [Validation()]).run(context(), parse(text)))
    assert any("@main is not validated: the shape of tensor<?xf32> is not known" in r for r in found), found
    assert any("@loop is not validated on ordinary inputs: it takes more than 1,000 steps" in r for r in found), found


# Native code


@pytest.fixture
def wrong_code(monkeypatch):
    """A writer of LLVM IR that subtracts where it should add."""
    import dataclasses

    from stepwell import native

    right = native.write_llvm

    def write(*arguments):
        return [dataclasses.replace(part, text=part.text.replace(" fadd ", " fsub ")) for part in right(*arguments)]

    monkeypatch.setattr(native, "write_llvm", write)


ADD = "func.func @main(%a: tensor<5xf32>) -> tensor<5xf32> { %0 = stablehlo.add %a, %a : tensor<5xf32> return %0 : tensor<5xf32> }"


def test_native_code_that_differs_is_an_error_with_a_reproducer(wrong_code, capsys):
    from stepwell.opt import main

    with pytest.raises(MiscompileError, match="native code changes what @main computes") as caught:
        stepwell.compile(ADD, validate=True)
    files = caught.value.files
    try:
        assert main(["--run-reproducer", str(files[0])]) == 1
        assert "native code changes what @main computes" in capsys.readouterr().err
    finally:
        for path in files:
            path.unlink()


@pytest.mark.parametrize("validate", ["--validate-each", "--validate-each=5"])
def test_the_command_line_validates_native_code(validate, wrong_code, tmp_path, monkeypatch, capsys):
    from stepwell.cli import main
    from stepwell.validation import native

    monkeypatch.setattr(native.NativeSuspect, "is_interesting", lambda self, module: False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    file = tmp_path / "add.mlir"
    file.write_text(ADD)
    assert main(["compile", validate, str(file), "-o", str(tmp_path / "out.mlir")]) == 1
    assert f"seed {validate.partition('=')[2] or '0'}" in capsys.readouterr().err


def test_a_smaller_program_is_tried_in_a_process_of_its_own():
    from stepwell.validation.native import NativeSuspect

    script = """
import dataclasses, sys
from stepwell import native, opt
right = native.write_llvm
native.write_llvm = lambda *a: [dataclasses.replace(p, text=p.text.replace(" fadd ", " fsub ")) for p in right(*a)]
sys.exit(opt.main())
"""
    module = parse(ADD)
    broken = NativeSuspect("main", 2, None, 0, command=(sys.executable, "-c", script))
    assert broken.is_interesting(module)
    assert not NativeSuspect("main", 2, None, 0).is_interesting(module)


# No false alarm


CASES = {case["name"]: case for case in map(json.loads, (DATA / "cases.jsonl").read_text().splitlines())}
SAMPLE = (
    "cond_flip",
    "contractions",
    "scatter_forms",
    "math",
    "matmul_bf16",
)


@pytest.mark.parametrize("name", SAMPLE)
def test_programs_of_jax_are_validated_without_a_remark(name):
    assert remarks_of(lambda: stepwell.compile(DATA / CASES[name]["mlir"], validate=True)) == []


def test_a_reduction_that_is_not_associative_has_no_order_to_keep():
    stepwell.compile(
        """func.func @main(%a: tensor<7x3x5xf32>, %b: tensor<7x3x5xi32>, %c: tensor<f32>, %d: tensor<i32>) -> (tensor<5xf32>, tensor<3xi32>) {
          %0 = stablehlo.reduce(%a init: %c) across dimensions = [0, 1] : (tensor<7x3x5xf32>, tensor<f32>) -> tensor<5xf32>
            reducer(%acc: tensor<f32>, %x: tensor<f32>) {
              %s = stablehlo.subtract %acc, %x : tensor<f32>
              stablehlo.return %s : tensor<f32>
            }
          %1 = stablehlo.reduce(%b init: %d) across dimensions = [0, 2] : (tensor<7x3x5xi32>, tensor<i32>) -> tensor<3xi32>
            reducer(%acc: tensor<i32>, %x: tensor<i32>) {
              %s = stablehlo.subtract %acc, %x : tensor<i32>
              stablehlo.return %s : tensor<i32>
            }
          return %0, %1 : tensor<5xf32>, tensor<3xi32>
        }""",
        validate=True,
    )
