"""Indices that a program promises to be in range: no check is left in the code, and what is in range is as it was."""

from __future__ import annotations

import numpy as np
import pytest

import stepwell
from stepwell import lax
from stepwell.cache import program_key
from stepwell.cli import main
from stepwell.ir.diagnostics import Diagnostic, diagnostic_handler
from stepwell.native import emit
from stepwell.request import checked_request
from stepwell.target_names import cpu_machine, parse_target

PROGRAM = """func.func @main(%x: tensor<ROWSx19xf32>, %i: tensor<5x1xi32>, %j: tensor<5x1xui8>, %k: tensor<i32>, %l: tensor<i32>,
    %u: tensor<2x19xf32>, %v: tensor<3x17xf32>)
    -> (tensor<5x19xf32>, tensor<5x19xf32>, tensor<2x7xf32>, tensor<ROWSx19xf32>, tensor<ROWSx19xf32>, tensor<ROWSx19xf32>) {
  %0 = "stablehlo.gather"(%x, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0],
    start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 19>}> : (tensor<ROWSx19xf32>, tensor<5x1xi32>) -> tensor<5x19xf32>
  %1 = "stablehlo.gather"(%x, %j) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0],
    start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 19>}> : (tensor<ROWSx19xf32>, tensor<5x1xui8>) -> tensor<5x19xf32>
  %2 = stablehlo.dynamic_slice %x, %k, %l, sizes = [2, 7] : (tensor<ROWSx19xf32>, tensor<i32>, tensor<i32>) -> tensor<2x7xf32>
  %z = stablehlo.constant dense<0> : tensor<i32>
  %3 = stablehlo.dynamic_update_slice %x, %u, %k, %z : (tensor<ROWSx19xf32>, tensor<2x19xf32>, tensor<i32>, tensor<i32>) -> tensor<ROWSx19xf32>
  %4 = "stablehlo.scatter"(%x, %i, %0) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1],
    inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %s = stablehlo.add %a, %b : tensor<f32>
    stablehlo.return %s : tensor<f32>
  }) : (tensor<ROWSx19xf32>, tensor<5x1xi32>, tensor<5x19xf32>) -> tensor<ROWSx19xf32>
  %p = stablehlo.reshape %l : (tensor<i32>) -> tensor<1xi32>
  %5 = "stablehlo.scatter"(%x, %p, %v) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [0, 1],
    scatter_dims_to_operand_dims = [1], index_vector_dim = 0>}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    stablehlo.return %b : tensor<f32>
  }) : (tensor<ROWSx19xf32>, tensor<1xi32>, tensor<3x17xf32>) -> tensor<ROWSx19xf32>
  return %0, %1, %2, %3, %4, %5 : tensor<5x19xf32>, tensor<5x19xf32>, tensor<2x7xf32>, tensor<ROWSx19xf32>, tensor<ROWSx19xf32>, tensor<ROWSx19xf32>
}"""
PROGRAM = PROGRAM.replace("ROWS", "300")
SMALL = "func.func @main(%x: tensor<3xf32>) -> tensor<3xf32> { %0 = stablehlo.negate %x : tensor<3xf32>\n return %0 : tensor<3xf32> }"
CHECKS = ("minsi", "maxsi", "minui", "cmpi")


def quietly(run):
    said: list[Diagnostic] = []
    with diagnostic_handler(said.append):
        return run(), said


def arguments(rows, columns):
    rng = np.random.default_rng(1)
    x, u, v = (rng.standard_normal(s).astype(np.float32) for s in ((300, 19), (2, 19), (3, 17)))
    i = np.array([[0], [299], [7], [7], [150]], np.int32)
    return x, i, i.astype(np.uint8), np.int32(rows), np.int32(columns), u, v


@pytest.mark.parametrize("simd", ["avx512", "avx2", "sse4.2"])
def test_indices_in_range_give_the_same_without_a_check(simd):
    checked = stepwell.compile(PROGRAM, target="cpu", simd=simd)
    unchecked, said = quietly(lambda: stepwell.compile(PROGRAM, target="cpu", simd=simd, unchecked_indices=True))
    assert (
        len([d for d in said if "undefined behaviour" in d.message]) == 6
    )  # that of the bytes is proven: 255 is in range
    assert all(d.location is not None and d.location.line > 1 for d in said)
    texts = [exe.ir("buffers") for exe in (checked, unchecked)]
    assert [sum(text.count(f"arith.{check}") for check in CHECKS) > 0 for text in texts] == [True, False]
    for place in ((0, 0), (298, 0), (11, 2)):
        for got, want in zip(unchecked(*arguments(*place)), checked(*arguments(*place)), strict=True):
            np.testing.assert_array_equal(got, want)


def test_a_printed_step_keeps_the_promise_and_a_program_without_it_its_checks():
    text, _ = quietly(lambda: emit(PROGRAM, "structured", unchecked_indices=True, simd="avx2", reproducible=True))
    again, said = quietly(lambda: emit(text, "buffers", simd="avx2", reproducible=True))
    whole, _ = quietly(lambda: emit(PROGRAM, "buffers", unchecked_indices=True, simd="avx2", reproducible=True))
    assert again == whole
    assert len(said) == 6
    plain, said = quietly(lambda: emit(PROGRAM, "buffers", latency_target_ns=10**9, simd="avx2", reproducible=True))
    assert "arith.minsi" in plain
    assert said == []


def test_the_promise_is_part_of_the_key(monkeypatch):
    monkeypatch.setattr("stepwell.cache.code_digest", lambda: "code")
    machine = cpu_machine(parse_target("cpu"), None)
    keys = [program_key(b"", checked_request(unchecked_indices=p), machine) for p in (False, True)]
    assert None not in keys
    assert len(set(keys)) == 2


@pytest.mark.parametrize("wrong", [1, None, "yes"])
def test_what_is_no_truth_value_is_refused(wrong):
    with pytest.raises(stepwell.CompileError, match="unchecked_indices is True or False"):
        stepwell.compile(SMALL, unchecked_indices=wrong)


def test_where_nothing_could_be_taken_out_it_is_refused(monkeypatch):
    with pytest.raises(stepwell.CompileError, match="comes in on step 'scheduled'"):
        stepwell.compile(emit(SMALL, "scheduled"), unchecked_indices=True)
    with pytest.raises(stepwell.CompileError, match="is for CPUs"):
        stepwell.compile(SMALL, target="gpu-sim", unchecked_indices=True)
    monkeypatch.setenv("STEPWELL_GUARD", "1")
    with pytest.raises(stepwell.CompileError, match="its memory is guarded"):
        stepwell.compile(SMALL, target="cpu", unchecked_indices=True)


def test_jit_and_the_command_line_take_it(tmp_path, capsys):
    def picked(x, i):
        return lax.dynamic_slice(x, (i,), (2,))

    f = stepwell.jit(picked, target="cpu", unchecked_indices=True)
    x = np.arange(6, dtype=np.float32)
    result, said = quietly(lambda: np.asarray(f(x, np.int32(3))))
    assert result.tolist() == [3, 4]
    assert len(said) == 1
    path = tmp_path / "p.mlir"
    path.write_text(PROGRAM)
    assert main(["compile", str(path), "--emit=buffers", "--unchecked-indices"]) == 0
    written = capsys.readouterr()
    assert "arith.minsi" not in written.out
    assert "is undefined behaviour" in written.err
