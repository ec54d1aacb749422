"""Targets by name, and programs for a GPU without one: simulated, as PTX and machine code, refused in one located message."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects.builtin import StringAttr

import stepwell
from stepwell import dispatch
from stepwell.backends.ptx import ptxas
from stepwell.cli import main
from stepwell.compiler import lower
from stepwell.device_targets import (
    GpuMachine,
    TargetName,
    choose,
    default_target,
    listing,
    machine_for,
    parse_target,
)
from stepwell.errors import CompileError, InvalidProgramError, SimulationError
from stepwell.ir.diagnostics import Diagnostic, diagnostic_handler
from stepwell.ir.printer import print_ir
from stepwell.native import emit
from stepwell.runtime.cuda import NoDriverError, driver
from stepwell.steps import STEP_NAMES, check_planned, current_step

JAX = Path(__file__).parent / "data" / "jax"

ADD = """func.func public @main(%x: tensor<64xf32>) -> tensor<64xf32> {
  %0 = stablehlo.add %x, %x : tensor<64xf32>
  return %0 : tensor<64xf32>
}
"""

SORT = """func.func public @main(%x: tensor<64xf32>) -> tensor<64xf32> {
  %0 = stablehlo.add %x, %x : tensor<64xf32>
  %1 = "stablehlo.sort"(%0) <{dimension = 0 : i64, is_stable = true}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %p = stablehlo.compare LT, %a, %b, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }) : (tensor<64xf32>) -> tensor<64xf32>
  return %1 : tensor<64xf32>
}
"""

TARGET = (
    '#stepwell.target<{arch = "nvptx64", level = "simt", cpu = "sm_90", subgroup = 32 : i64, block_threads = 1024 : i64, '
    "shared_bytes = 49152 : i64, shared_limit = 232448 : i64}>"
)

ABI = (
    '#stepwell.abi<{inputs = ["tensor<64xf32>"], outputs = ["tensor<64xf32>"], donated = array<i64>, '
    "arena_bytes = 0 : i64, worker_bytes = 0 : i64, staging_bytes = 0 : i64}>"
)

DEVICE = f"""builtin.module attributes {{stepwell.target = {TARGET}}} {{
  gpu.module @k_map_0 {{
    gpu.func @phase0(%x: memref<64xf32>, %out: memref<64xf32>) kernel attributes {{known_block_size = array<i32: 64, 1, 1>}} {{
      %t = gpu.thread_id x
      %v = memref.load %x[%t] : memref<64xf32>
      %w = arith.addf %v, %v : f32
      memref.store %w, %out[%t] : memref<64xf32>
      gpu.return
    }}
  }}
  func.func @main(%x: memref<64xf32>, %out: memref<64xf32>, %arena: memref<?xi8>, %workers: memref<?x0xi8>, %staging: memref<?xi8>) attributes {{stepwell.abi = {ABI}}} {{
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    gpu.launch_func @k_map_0::@phase0 blocks in (%c1, %c1, %c1) threads in (%c64, %c1, %c1) args(%x : memref<64xf32>, %out : memref<64xf32>)
    func.return
  }}
}}
"""
X = np.arange(64, dtype=np.float32)
MACHINE = "gpu-sim:sm_80"


@pytest.fixture
def no_driver():
    """A machine without one, wherever this runs."""

    class Absent:
        @staticmethod
        def cuInit(flags: int) -> None:
            raise RuntimeError("libcuda is not here")

    driver.use(Absent)
    yield
    driver.use(None)


@pytest.fixture
def quiet():
    said: list[Diagnostic] = []
    with diagnostic_handler(said.append):
        yield said


# Names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["cpu", "cpu:avx2", "interpreter", "gpu-sim", "gpu-sim:sm_80", "cuda", "cuda:sm_90a"])
def test_a_target_reads_back_as_it_is_written(text):
    assert str(parse_target(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tpu", "unknown target 'tpu'; the targets are cpu, interpreter, gpu-sim, cuda"),
        ("gpusim", "did you mean 'gpu-sim'"),
        ("sm_90", "did you mean 'gpu-sim:sm_90' or 'cuda:sm_90'"),
        ("cuda:sm_91", "did you mean 'cuda:sm_90'"),
        ("cuda:", "'cuda:' is followed by one of sm_75, sm_80"),
        ("cuda:1000", "'cuda:' is followed by one of"),
        ("CPU", "unknown target 'CPU'"),
        ("cpu:avx3", "did you mean 'cpu:avx2'"),
        ("interpreter:x", "'interpreter' takes nothing after it"),
        ("", "unknown target ''"),
        (3, "a target is a name such as 'cpu' or 'cuda:sm_90', not 3"),
    ],
)
def test_an_unknown_target_says_what_is_near(text, message):
    with pytest.raises(InvalidProgramError, match=message):
        stepwell.compile(ADD, target=text)


def test_every_target_that_is_listed_can_be_named():
    for line in listing().splitlines():
        parse_target(line.split()[0])


def test_the_variable_sets_the_default(monkeypatch):
    assert default_target() == TargetName("cpu")
    monkeypatch.setenv("STEPWELL_TARGET", MACHINE)
    assert str(default_target()) == MACHINE
    assert str(choose("cpu", stepwell.parse(ADD))) == "cpu"
    monkeypatch.setenv("STEPWELL_TARGET", "gpusim")
    with pytest.raises(InvalidProgramError, match="did you mean 'gpu-sim'\\?\nnote: STEPWELL_TARGET says so"):
        stepwell.compile(ADD)
    assert stepwell.compile(ADD, target="cpu")(X)[0].tolist() == (X + X).tolist()


def test_two_instruction_sets_are_one_too_many():
    with pytest.raises(InvalidProgramError, match=r"target 'cpu:sse4.2' and simd='avx2' are two instruction sets"):
        stepwell.compile(ADD, target="cpu:sse4.2", simd="avx2")
    assert "sse4.2" in stepwell.compile(ADD, target="cpu:sse4.2").ir("tensor")


# Which machine a program is for ------------------------------------------------------------------------------------


def test_a_program_that_is_scheduled_says_for_which_machine(monkeypatch):
    module = stepwell.parse(DEVICE)
    assert choose(None, module) == TargetName("gpu-sim", "sm_90")
    assert choose("cuda", module) == TargetName("cuda", "sm_90")
    monkeypatch.setenv("STEPWELL_TARGET", "cuda")
    assert choose(None, module) == TargetName("cuda", "sm_90")
    scheduled = lower(stepwell.parse(ADD), "scheduled")
    assert choose(None, scheduled) == TargetName("cpu")


def test_an_earlier_step_may_go_to_another_machine(quiet):
    module = lower(stepwell.parse(ADD), "kernels", target=machine_for(parse_target(MACHINE)))
    assert choose(None, module) == TargetName("cpu")
    assert 'arch = "x86_64"' in print_ir(lower(module.clone(), "kernels", target=machine_for(TargetName("cpu"))))
    assert stepwell.compile(print_ir(module))(X)[0].tolist() == (X + X).tolist()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("cpu", "<string>:1:1: error: .* is written for the GPU sm_90 .*, not for a CPU"),
        ("gpu-sim:sm_80", "is written for the GPU sm_90 .*, not for sm_80\n(.|\n)*take target 'gpu-sim:sm_90'"),
        ("cuda:sm_80", "is written for the GPU sm_90"),
    ],
)
def test_a_program_is_not_run_on_another_machine_than_it_is_scheduled_for(target, message):
    with pytest.raises(InvalidProgramError, match=message):
        stepwell.compile(DEVICE, target=target)


def test_a_program_scheduled_for_a_cpu_is_not_run_on_a_gpu():
    text = print_ir(lower(stepwell.parse(ADD), "scheduled"))
    with pytest.raises(InvalidProgramError, match=r"is written for a CPU .*, not for sm_80"):
        stepwell.compile(text, target=MACHINE)


def test_the_module_carries_the_gpu_and_its_host():
    text = print_ir(lower(stepwell.parse(ADD), "tensor", target=machine_for(parse_target("cuda:sm_80"))))
    assert 'arch = "nvptx64", level = "simt", cpu = "sm_80"' in text
    assert 'host = {arch = "x86_64"' in text


# Steps -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "gpu.module @k {}",
        "gpu.module @k { gpu.func @f(%m: memref<4xf32>) kernel { gpu.return } }",
        "func.func @main(%a: memref<4xf32>, %b: memref<4xf32>) { gpu.memcpy %a, %b : memref<4xf32>, memref<4xf32>\n func.return }",
    ],
)
def test_ops_of_a_device_prove_the_last_step(body):
    assert STEP_NAMES[current_step(stepwell.parse(f"builtin.module {{ {body} }}"))] == "device"


def test_a_placed_kernel_is_on_step_three(quiet):
    module = lower(stepwell.parse(SORT), "kernels", target=machine_for(parse_target(MACHINE)))
    del module.attributes["stepwell.step"]
    assert STEP_NAMES[current_step(module)] == "kernels"
    places = [op.attributes["kernel.place"] for op in module.body.block.ops if op.name == "kernel.func"]
    assert places == [StringAttr("device"), StringAttr("host")]
    assert [d.severity for d in quiet] == ["remark"]
    assert "runs on the host: structured.sort has no device form" in quiet[0].message
    assert quiet[0].location is not None
    assert quiet[0].location.line == 3


def test_the_entry_of_a_device_program_takes_staging_memory():
    check_planned(stepwell.parse(DEVICE))
    text = DEVICE.replace(", %staging: memref<?xi8>", "")
    with pytest.raises(InvalidProgramError, match=r"has 4 arguments; its stepwell.abi asks for 5: .* and the staging"):
        stepwell.compile(text)


# Simulated ---------------------------------------------------------------------------------------------------------


def test_a_device_program_runs_without_naming_a_target():
    assert stepwell.compile(DEVICE)(X)[0].tolist() == (X + X).tolist()
    unnamed = DEVICE.replace(f" attributes {{stepwell.target = {TARGET}}}", "", 1)
    assert "stepwell.target" not in unnamed
    assert stepwell.compile(unnamed)(X)[0].tolist() == (X + X).tolist()


def test_what_a_kernel_does_wrong_is_one_located_error_and_the_process_goes_on():
    line = DEVICE.splitlines().index("      %v = memref.load %x[%t] : memref<64xf32>") + 1
    wrong = DEVICE.replace("%v = memref.load %x[%t]", "%u = arith.addi %t, %t : index\n      %v = memref.load %x[%u]")
    exe = stepwell.compile(wrong)
    with pytest.raises(SimulationError, match=f"<string>:{line + 1}:\\d+: error: out of bounds.*@k_map_0::@phase0"):
        exe(X)
    assert stepwell.compile(ADD, target="cpu")(X)[0].tolist() == (X + X).tolist()


# Code --------------------------------------------------------------------------------------------------------------


def test_the_code_of_a_device_program():
    assert "define ptx_kernel void @k_map_0__phase0" in emit(DEVICE, "llvm", target="cuda:sm_90")
    ptx = emit(DEVICE, "ptx", target="cuda:sm_90")
    assert isinstance(ptx, str)
    assert ".target sm_90" in ptx
    assert ".visible .entry k_map_0__phase0(" in ptx
    assert emit(DEVICE, "ptx") == ptx


def test_kernels_of_one_name_in_two_modules_stay_apart():
    one = DEVICE[DEVICE.index("  gpu.module") : DEVICE.index("  func.func")]
    text = DEVICE.replace(one, one + one.replace("@k_map_0", "@k_map_1") + one.replace("@k_map_0", "@k_map"))
    ptx = emit(text, "ptx")
    assert isinstance(ptx, str)
    assert [line.split()[2][:-1] for line in ptx.splitlines() if line.startswith(".visible .entry")] == [
        "k_map_0__phase0",
        "k_map_1__phase0",
        "k_map__phase0",
    ]


@pytest.mark.skipif(ptxas() is None, reason="needs ptxas")
def test_machine_code_and_what_it_takes():
    cubin = emit(DEVICE, "cubin", target="cuda:sm_90")
    assert isinstance(cubin, bytes)
    assert cubin.startswith(b"\x7fELF")
    table = emit(DEVICE, "resources")
    assert isinstance(table, str)
    head, row = table.splitlines()
    assert head.split()[:2] == ["kernel", "registers"]
    assert row.split()[0] == "k_map_0__phase0"


@pytest.mark.parametrize(
    ("what", "target", "message"),
    [
        ("asm", "cuda:sm_90", "'asm' is made for a CPU, not for sm_90"),
        ("obj", MACHINE, "'obj' is made for a CPU"),
        ("ptx", "cpu", "'ptx' is made for an NVIDIA GPU"),
        ("resources", None, "'resources' is made for a GPU"),
        ("sass", "cuda:sm_90", "nothing called 'sass' to emit"),
    ],
)
def test_code_of_another_kind_of_machine_is_refused(what, target, message):
    with pytest.raises(InvalidProgramError, match=message):
        emit(ADD, what, target=target)


def test_code_beyond_the_machine_is_refused_where_it_stands():
    wide = DEVICE.replace(
        "(%x: memref<64xf32>, %out: memref<64xf32>) kernel",
        "(%x: memref<64xf32>, %out: memref<64xf32>) workgroup(%s: memref<75000xf32, #gpu.address_space<workgroup>>) kernel",
    )
    with pytest.raises(
        InvalidProgramError, match=r"<string>:3:5: error: .* shares 300000 bytes in a block; sm_90 has at most 232448"
    ):
        emit(wide, "ptx")
    with pytest.raises(CompileError, match=r"<string>:.* 300000 bytes"):
        stepwell.compile(wide)(X)
    with pytest.raises(InvalidProgramError, match=r"<string>:3:.* a block of 2048 threads"):
        stepwell.compile(DEVICE.replace("i32: 64", "i32: 2048"))


def test_a_program_without_a_device_kernel_has_no_ptx(quiet):
    text = "func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {\n  return %x : tensor<4xf32>\n}\n"
    with pytest.raises(InvalidProgramError, match="has no kernel on the GPU, so there is no ptx of it"):
        emit(text, "ptx", target="cuda:sm_90")


# CUDA --------------------------------------------------------------------------------------------------------------


def test_without_a_driver_there_is_one_message_and_the_cpu_still_works(no_driver):
    with pytest.raises(NoDriverError, match=r"no NVIDIA driver(.|\n)*hint: name a GPU, as in 'cuda:sm_90'"):
        stepwell.compile(ADD, target="cuda")
    exe = stepwell.compile(DEVICE, target="cuda:sm_90")
    with pytest.raises(NoDriverError, match="no NVIDIA driver"):
        exe(X)
    assert ".target sm_90" in exe.ir("ptx")
    assert stepwell.compile(ADD)(X)[0].tolist() == (X + X).tolist()


def test_cuda_alone_is_the_gpu_at_hand(monkeypatch):
    class Properties:
        cpu = "sm_80"
        multiprocessors = 7
        memory_bytes = 300

    class Device:
        properties = Properties

    monkeypatch.setattr("stepwell.runtime.cuda.device.device", lambda number: Device)
    machine = machine_for(parse_target("cuda"))
    assert isinstance(machine, GpuMachine)
    assert (machine.cpu, machine.gpu.cores) == ("sm_80", 7)
    with pytest.raises(
        InvalidProgramError, match="arguments, results and temporaries take 512 bytes, more than the 300"
    ):
        stepwell.compile(ADD, target="cuda")


def test_the_page_about_gpus_runs(quiet):
    text = (Path(__file__).parents[1] / "docs" / "gpu.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "docs/gpu.md", "exec"), {})


# Functions ---------------------------------------------------------------------------------------------------------


def test_a_traced_function_has_a_target():
    f = stepwell.jit(lambda x: x + x, target="gpu-sim:sm_80")
    assert 'cpu = "sm_80"' in f.lower(X).ir("kernels")
    with pytest.raises(InvalidProgramError, match="unknown target 'gpusim'"):
        stepwell.jit(lambda x: x, target="gpusim")


def test_a_traced_function_is_simulated_and_kept():
    f = stepwell.jit(lambda x: {"twice": x + x}, target="gpu-sim")
    for _ in range(2):
        assert np.asarray(f(X)["twice"]).tolist() == (X + X).tolist()
    assert f.cache_size() == 1


def test_eager_functions_are_kept_per_default_target(monkeypatch):
    dispatch._EAGER_PROGRAMS.clear()
    stepwell.numpy.add(X, X)
    stepwell.numpy.add(X, X)
    assert len(dispatch._EAGER_PROGRAMS) == 1
    monkeypatch.setenv("STEPWELL_TARGET", "interpreter")
    stepwell.numpy.add(X, X)
    assert len(dispatch._EAGER_PROGRAMS) == 2


# The command line --------------------------------------------------------------------------------------------------


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    try:
        code = main([str(a) for a in arguments])
    except SystemExit as error:
        code = int(error.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_wrong_target_is_a_wrong_command_line(capsys, tmp_path):
    (tmp_path / "p.mlir").write_text(ADD)
    code, _, err = run(capsys, "run", tmp_path / "p.mlir", "--target", "cuda:sm_91")
    assert code == 2
    assert "argument --target: unknown target 'cuda:sm_91'" in err
    assert "did you mean 'cuda:sm_90'" in err


def test_the_command_lists_targets(capsys):
    code, out, _ = run(capsys, "targets")
    assert code == 0
    assert "cuda:sm_90 " in out
    assert "cpu:avx2 " in out


def test_the_doctor_says_what_there_is_for_gpus(capsys, no_driver):
    code, out, _ = run(capsys, "doctor")
    assert code == 0
    lines = dict(line.split(":", 1) for line in out.splitlines())
    assert "no NVIDIA driver" in lines["cuda"]
    assert lines["ptxas"].strip() == ptxas() or "pip install nvidia-cuda-nvcc" in lines["ptxas"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "{add}", "--target", "cuda"], "error: CUDA cannot be used here: no NVIDIA driver"),
        (["run", "{device}", "--inputs", "{in}", "--target", "cuda:sm_90"], "error: CUDA cannot be used here"),
        (["run", "{device}", "--inputs", "{in}", "--target", "cpu"], "device.mlir:1:1: error: 'builtin.module' op"),
        (["run", "{wrong}", "--inputs", "{in}"], "wrong.mlir:5:12: error: out of bounds"),
        (["compile", "{add}", "--emit", "ptx"], "error: 'ptx' is made for an NVIDIA GPU"),
        (["compile", "{device}", "--emit", "kernels"], "the program is already below step 'kernels'"),
    ],
)
def test_a_mistake_with_a_gpu_is_one_message(capsys, tmp_path, no_driver, arguments, message):
    (tmp_path / "add.mlir").write_text(ADD)
    (tmp_path / "device.mlir").write_text(DEVICE)
    (tmp_path / "wrong.mlir").write_text(DEVICE.replace("%t = gpu.thread_id x", "%t = arith.constant 64 : index"))
    np.savez(tmp_path / "in.npz", X)
    names = {n: tmp_path / f"{n}.mlir" for n in ("add", "device", "wrong")} | {"in": tmp_path / "in.npz"}
    code, _, err = run(capsys, *(a.format(**names) for a in arguments))
    assert code == 1
    assert message in err
    assert err.count("error:") == 1
    assert "Traceback" not in err


def test_the_command_runs_and_shows_a_device_program(capsys, tmp_path):
    (tmp_path / "device.mlir").write_text(DEVICE)
    np.savez(tmp_path / "in.npz", X)
    code, out, _ = run(capsys, "run", tmp_path / "device.mlir", "--inputs", tmp_path / "in.npz")
    assert code == 0
    assert "result 0: float32[64] [0.0, 2.0, 4.0" in out
    code, out, _ = run(capsys, "compile", tmp_path / "device.mlir", "--emit=ptx")
    assert code == 0
    assert ".entry k_map_0__phase0" in out


def test_code_without_vectors_has_a_name_everywhere(capsys, tmp_path):
    file = tmp_path / "add.mlir"
    file.write_text(ADD)
    for words in (["--simd", "scalar"], ["--target", "cpu:scalar"], ["--target-cpu", "scalar"]):
        assert main(["compile", str(file), "--emit=scheduled", *words]) == 0
        text = capsys.readouterr().out
        assert 'level = "scalar"' in text
        assert "vector." not in text.split("kernel.func", 1)[1]
