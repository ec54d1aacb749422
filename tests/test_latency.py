"""Functions whose latency counts: what is asked is in the IR and in the key, small work wakes nobody, and every bit stays as it was."""

from __future__ import annotations

import numpy as np
import pytest

import stepwell
import stepwell.numpy as snp
from stepwell.cache import program_key
from stepwell.cli import main
from stepwell.ir.diagnostics import Diagnostic, diagnostic_handler
from stepwell.native import emit
from stepwell.request import checked_request
from stepwell.target_names import cpu_machine, parse_target

N = 98_304
CALLED = f"""func.func @main(%x: tensor<{N}xf32>) -> tensor<f32> {{
  %0 = func.call @f(%x) : (tensor<{N}xf32>) -> tensor<f32>
  return %0 : tensor<f32> }}
func.func private @f(%x: tensor<{N}xf32>) -> tensor<f32> {{
  %e = stablehlo.tanh %x : tensor<{N}xf32>
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %s = stablehlo.reduce(%e init: %z) applies stablehlo.add across dimensions = [0] : (tensor<{N}xf32>, tensor<f32>) -> tensor<f32>
  return %s : tensor<f32> }}"""
"""A sum that several threads share, of less work than waking one takes."""
SMALL = "func.func @main(%x: tensor<3xf32>) -> tensor<3xf32> { %0 = stablehlo.negate %x : tensor<3xf32>\n return %0 : tensor<3xf32> }"


def quietly(run):
    said: list[Diagnostic] = []
    with diagnostic_handler(said.append):
        return run(), said


@pytest.mark.parametrize("simd", ["avx512", "avx2", "sse4.2"])
def test_small_work_is_shared_without_a_target_and_not_with_one_and_gives_the_same_bits(simd):
    plain = stepwell.compile(CALLED, target="cpu", simd=simd)
    quick, _ = quietly(lambda: stepwell.compile(CALLED, target="cpu", simd=simd, latency_target_ns=1000))
    if "rt.parallel_for" in plain.ir("device"):  # on machines of more than one core
        assert "rt.parallel_for" not in quick.ir("device")
    x = np.random.default_rng(0).standard_normal(N).astype(np.float32)
    assert plain(x)[0].tobytes() == quick(x)[0].tobytes()


def test_the_work_is_shared_on_the_machine_that_texts_are_made_for():
    shared = emit(CALLED, "device", simd="avx2", reproducible=True)
    alone, _ = quietly(lambda: emit(CALLED, "device", simd="avx2", reproducible=True, latency_target_ns=1000))
    assert "rt.parallel_for" in shared
    assert "rt.parallel_for" not in alone


def test_a_printed_step_gives_the_same_code():
    options = {"simd": "avx2", "reproducible": True}
    whole, _ = quietly(lambda: emit(CALLED, "llvm", latency_target_ns=1000, **options))
    for step in ("tensor", "kernels", "scheduled"):
        text, _ = quietly(lambda step=step: emit(CALLED, step, latency_target_ns=1000, **options))
        again, _ = quietly(lambda text=text: emit(text, "llvm", **options))
        assert again == whole


def test_what_takes_longer_is_said_once_and_again_from_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("STEPWELL_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("STEPWELL_CACHE", "1")
    for _ in range(2):
        _, said = quietly(lambda: stepwell.compile(CALLED, target="cpu", latency_target_ns=10))
        (remark,) = [d for d in said if "target of 10 ns" in d.message]
        assert remark.severity == "remark"
        assert remark.notes[0].message.startswith("@k_")


def test_what_is_in_time_is_not_spoken_of():
    _, said = quietly(lambda: stepwell.compile(SMALL, target="cpu", latency_target_ns=100))
    assert said == []


def test_the_target_is_part_of_the_key(monkeypatch):
    monkeypatch.setattr("stepwell.cache.code_digest", lambda: "code")
    machine = cpu_machine(parse_target("cpu"), None)
    keys = [program_key(b"", checked_request(latency_target_ns=n), machine) for n in (None, 1, 2)]
    assert len(set(keys)) == 3


@pytest.mark.parametrize("wrong", [0, -5, 1.5, "500ns", True, 1 << 62])
def test_what_is_no_number_of_nanoseconds_is_refused(wrong):
    with pytest.raises(stepwell.CompileError, match="latency_target_ns is a number of nanoseconds"):
        stepwell.compile(SMALL, latency_target_ns=wrong)


def test_a_program_whose_schedules_are_carried_out_is_refused():
    text = emit(SMALL, "scheduled")
    with pytest.raises(stepwell.CompileError, match="comes in on step 'scheduled'"):
        stepwell.compile(text, latency_target_ns=50)


def test_a_gpu_is_refused():
    with pytest.raises(stepwell.CompileError, match="is for CPUs"):
        stepwell.compile(SMALL, target="gpu-sim", latency_target_ns=50)


def test_a_call_of_python_is_refused():
    stepwell.register_custom_call("latency_test.twice", callback=lambda x: x * 2)
    text = """func.func @main(%x: tensor<3xf32>) -> tensor<3xf32> {
      %0 = stablehlo.custom_call @latency_test.twice(%x) : (tensor<3xf32>) -> tensor<3xf32>
      return %0 : tensor<3xf32> }"""
    assert stepwell.compile(text, target="cpu")(np.ones(3, np.float32))[0].tolist() == [2, 2, 2]
    with pytest.raises(stepwell.CompileError, match="it calls Python"):
        stepwell.compile(text, target="cpu", latency_target_ns=50)


def test_sizes_that_calls_tell_keep_the_target():
    text = "func.func @main(%x: tensor<?xf32>) -> tensor<?xf32> { %0 = stablehlo.negate %x : tensor<?xf32>\n return %0 : tensor<?xf32> }"
    made = stepwell.compile(text, target="cpu", latency_target_ns=1)
    (result,), said = quietly(lambda: made(np.ones(3, np.float32)))
    assert result.tolist() == [-1, -1, -1]
    assert any("target of 1 ns" in d.message for d in said)


def test_jit_takes_it():
    negated = stepwell.jit(lambda x: snp.negative(x), target="cpu", latency_target_ns=100)
    lowered = negated.lower(np.ones(3, np.float32))
    assert "latency_target_ns = 100 : i64" in lowered.ir("kernels")
    assert np.asarray(negated(np.ones(3, np.float32))).tolist() == [-1, -1, -1]


def test_the_command_line_takes_it(tmp_path, capsys):
    path = tmp_path / "p.mlir"
    path.write_text(CALLED)
    assert main(["compile", str(path), "--emit=kernels", "--latency-target", "10"]) == 0
    assert "stepwell.latency_target_ns = 10 : i64" in capsys.readouterr().out
    assert main(["explain", str(path), "--latency-target", "10"]) == 0
    assert "above its target of 10 ns; @k_" in capsys.readouterr().out
    assert main(["compile", str(path), "--latency-target", "0"]) == 1
