"""Whole programs for AMD GPUs: simulated at their subgroups of 64 lanes, as assembly in registers, and refused where they would run."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import stepwell
from stepwell.arrays import load_arrays
from stepwell.cli import main
from stepwell.compare import first_difference, tolerance_for
from stepwell.errors import InvalidProgramError, UnsupportedError
from stepwell.ir.diagnostics import diagnostic_handler
from stepwell.native import emit
from stepwell.source import element_dtypes

JAX = Path(__file__).parent / "data" / "jax"
PROGRAMS = sorted(p.stem for p in JAX.glob("*.mlir"))


@pytest.fixture(autouse=True)
def quiet():
    with diagnostic_handler(lambda d: None):
        yield


ADD = """func.func public @main(%x: tensor<300x41xf32>) -> tensor<300x41xf32> {
  %c = stablehlo.constant dense<0.0> : tensor<f32>
  %s = stablehlo.reduce(%x init: %c) applies stablehlo.add across dimensions = [1] : (tensor<300x41xf32>, tensor<f32>) -> tensor<300xf32>
  %b = stablehlo.broadcast_in_dim %s, dims = [0] : (tensor<300xf32>) -> tensor<300x41xf32>
  %0 = stablehlo.divide %x, %b : tensor<300x41xf32>
  return %0 : tensor<300x41xf32>
}
"""
X = np.random.default_rng(0).random((300, 41), np.float32)


# Simulated ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.every(18)
def test_a_program_for_subgroups_of_64_gives_what_jax_gave(name):
    source = JAX / f"{name}.mlir"
    executable = stepwell.compile(source, target="gpu-sim:gfx90a")
    expected = load_arrays(source.with_suffix(".out.npz"))
    through = element_dtypes(stepwell.parse(source))
    for got, want in zip(executable(*load_arrays(source.with_suffix(".in.npz"))), expected, strict=True):
        assert first_difference(got, want, tolerance_for(want.dtype, through)) is None


@pytest.mark.parametrize("gpu", ["gfx90a", "gfx1100"])
def test_rows_are_done_by_subgroups_of_the_machine(gpu):
    exe = stepwell.compile(ADD, target=f"gpu-sim:{gpu}")
    np.testing.assert_allclose(exe(X)[0], X / X.sum(1, keepdims=True), rtol=1e-5)
    lanes = {"gfx90a": 64, "gfx1100": 32}[gpu]
    assert f"subgroup = {lanes} : i64, subgroups" in exe.ir("scheduled")
    assert f"gpu.lane_id upper_bound {lanes}" in exe.ir("device")


SIZES = (0, 1, 2, 7, 31, 63, 64, 65, 128, 129, 257)


@pytest.mark.parametrize("k", SIZES)
@pytest.mark.every(3)
def test_edges_of_64_lanes_and_special_values(k):
    """A product, a softmax, sums along either dim and a transpose of arrays about as long as subgroups are wide."""
    text = f"""func.func public @main(%a: tensor<5x{k}xf32>, %b: tensor<{k}x67xf32>)
        -> (tensor<5x67xf32>, tensor<{k}xf32>, tensor<5xf32>, tensor<{k}x5xf32>) {{
      %z = stablehlo.constant dense<0.0> : tensor<f32>
      %m = stablehlo.constant dense<0xFF800000> : tensor<f32>
      %p = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<5x{k}xf32>, tensor<{k}x67xf32>) -> tensor<5x67xf32>
      %c = stablehlo.reduce(%a init: %z) applies stablehlo.add across dimensions = [0] : (tensor<5x{k}xf32>, tensor<f32>) -> tensor<{k}xf32>
      %r = stablehlo.reduce(%a init: %m) applies stablehlo.maximum across dimensions = [1] : (tensor<5x{k}xf32>, tensor<f32>) -> tensor<5xf32>
      %t = stablehlo.transpose %a, dims = [1, 0] : (tensor<5x{k}xf32>) -> tensor<{k}x5xf32>
      return %p, %c, %r, %t : tensor<5x67xf32>, tensor<{k}xf32>, tensor<5xf32>, tensor<{k}x5xf32>
    }}"""
    rng = np.random.default_rng(k)
    a, b = rng.normal(size=(5, k)).astype(np.float32), rng.normal(size=(k, 67)).astype(np.float32)
    if k > 6:
        a[0, k // 2], a[1, 1], a[2, 0], a[3, 3] = np.nan, np.inf, -0.0, 1e-42
        b[k - 1, 3] = -np.inf
    with np.errstate(all="ignore"):
        want = (a.astype(np.float64) @ b, a.sum(0), a.max(1, initial=-np.inf), a.T)
        got = stepwell.compile(text, target="gpu-sim:gfx90a")(a, b)
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(np.signbit(got[3]), np.signbit(a.T))


# Code --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("gpu", ["gfx90a", "gfx1100"])
@pytest.mark.every(36)
def test_a_program_is_assembly_without_memory_of_its_threads(name, gpu):
    table = emit(JAX / f"{name}.mlir", "resources", target=f"amdgpu:{gpu}")
    assert isinstance(table, str)
    rows = [line.split() for line in table.splitlines()[1:]]
    assert rows
    assert not [row for row in rows if row[3:6] != ["0", "0", "0"]]


@pytest.mark.parametrize("name", ["softmax", "matmul_bf16"])
def test_a_program_as_assembly_is_the_same_each_time(name):
    first, second = (emit(JAX / f"{name}.mlir", "gcn", target="amdgpu:gfx90a") for _ in range(2))
    assert isinstance(first, str)
    assert '.amdgcn_target "amdgcn-amd-amdhsa--gfx90a"' in first
    assert first == second


def test_products_are_not_for_a_matrix_unit_that_the_machine_has_not():
    text = """func.func public @main(%a: tensor<128x64xbf16>, %b: tensor<64x128xbf16>) -> tensor<128x128xf32> {
      %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<128x64xbf16>, tensor<64x128xbf16>) -> tensor<128x128xf32>
      return %0 : tensor<128x128xf32>
    }"""
    assert 'form = "matrix"' in emit(text, "scheduled", target="cuda:sm_90")
    scheduled = emit(text, "scheduled", target="amdgpu:gfx90a")
    assert isinstance(scheduled, str)
    assert re.search(r'"block-contraction".* form = "(register|shared)"', scheduled)
    assert "nvgpu" not in emit(text, "device", target="amdgpu:gfx90a")


def test_an_executable_has_its_steps_and_its_code():
    exe = stepwell.compile(ADD, target="amdgpu:gfx1100")
    assert 'arch = "amdgcn"' in exe.ir("device")
    assert "define amdgpu_kernel void" in exe.ir("llvm")
    assert exe.asm() == exe.ir("gcn")
    assert "s_endpgm" in exe.asm()


# Refused -----------------------------------------------------------------------------------------------------------


def test_a_call_is_refused_at_the_entry_and_says_what_to_do():
    exe = stepwell.compile(ADD, target="amdgpu:gfx90a")
    with pytest.raises(UnsupportedError, match=r"<string>:1:1: error: .*there is no runtime for AMD GPUs") as caught:
        exe(X)
    assert "hint: simulate it with target 'gpu-sim:gfx90a', or take its code: --emit=gcn" in str(caught.value)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("amdgpu", "target 'amdgpu' does not say which: 'amdgpu:' and one of gfx90a"),
        ("amdgpu:gfx90b", "unknown target 'amdgpu:gfx90b'.*did you mean 'amdgpu:gfx90a'"),
        ("amdgpu:0", "unknown target 'amdgpu:0'"),
        ("gfx942", "did you mean 'gpu-sim:gfx942' or 'amdgpu:gfx942'"),
        ("cuda:gfx90a", "unknown target 'cuda:gfx90a'"),
        ("amdgpu:sm_90", "unknown target 'amdgpu:sm_90'"),
    ],
)
def test_an_unknown_target_says_what_there_is(target, message):
    with pytest.raises(InvalidProgramError, match=re.compile(message, re.DOTALL)):
        stepwell.compile(ADD, target=target)


@pytest.mark.parametrize(
    ("what", "target", "message"),
    [
        ("ptx", "amdgpu:gfx90a", "'ptx' is made for an NVIDIA GPU, not for gfx90a\nhint: take --emit=gcn"),
        ("cubin", "amdgpu:gfx90a", "'cubin' is made for an NVIDIA GPU"),
        ("obj", "amdgpu:gfx90a", "'obj' is made for a CPU"),
        ("gcn", "cuda:sm_90", "'gcn' is made for an AMD GPU, not for sm_90\nhint: take --emit=ptx"),
        ("gcn", "cpu:avx2", "'gcn' is made for an AMD GPU.*\nhint: name one: --target amdgpu:gfx90a"),
    ],
)
def test_code_of_another_kind_of_machine_is_refused(what, target, message):
    with pytest.raises(InvalidProgramError, match=message):
        emit(ADD, what, target=target)


def test_a_program_for_one_machine_is_no_program_for_another():
    text = emit(ADD, "device", target="amdgpu:gfx90a")
    assert emit(text, "gcn", target="amdgpu:gfx90a") == emit(ADD, "gcn", target="amdgpu:gfx90a")
    np.testing.assert_allclose(stepwell.compile(text)(X)[0], X / X.sum(1, keepdims=True), rtol=1e-5)
    for target in ("amdgpu:gfx1100", "gpu-sim:sm_90", "cuda:sm_90"):
        with pytest.raises(InvalidProgramError, match=r"is written for the GPU gfx90a (.|\n)*'amdgpu:gfx90a'"):
            stepwell.compile(text, target=target)


def test_the_command_emits_and_refuses(capsys, tmp_path):
    file = tmp_path / "add.mlir"
    file.write_text(ADD)
    np.savez(tmp_path / "in.npz", X)
    assert main(["compile", str(file), "--target", "amdgpu:gfx90a", "--emit=gcn"]) == 0
    assert ".amdhsa_kernel" in capsys.readouterr().out
    assert main(["run", str(file), "--target", "amdgpu:gfx90a", "--inputs", str(tmp_path / "in.npz")]) == 1
    err = capsys.readouterr().err
    assert re.match(r".*add\.mlir:1:1: error: .*no runtime for AMD GPUs", err)
    assert err.count("error:") == 1
    assert "Traceback" not in err
    assert main(["targets"]) == 0
    assert "amdgpu:gfx90a " in capsys.readouterr().out
