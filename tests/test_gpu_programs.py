"""Whole programs on the road to a GPU: simulated against JAX's results, entered at every step, and as PTX."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import stepwell
from stepwell.arrays import load_arrays
from stepwell.backends.nvptx import PROCESSORS
from stepwell.cli import main
from stepwell.compare import first_difference, tolerance_for
from stepwell.compiler import lower
from stepwell.device_targets import machine_for, parse_target
from stepwell.errors import InvalidProgramError
from stepwell.ir.diagnostics import Diagnostic, diagnostic_handler
from stepwell.ir.printer import print_ir
from stepwell.native import emit
from stepwell.source import element_dtypes
from stepwell.steps import STEP_NAMES

ROOT = Path(__file__).parents[1]
JAX = ROOT / "tests" / "data" / "jax"
PROGRAMS = sorted(p.stem for p in JAX.glob("*.mlir"))
HOST = ("convnet_grad", "embedding_grad", "scatter_forms", "sort_topk_arg")
"""Programs with kernels that have no device form."""


@pytest.fixture(autouse=True)
def said():
    found: list[Diagnostic] = []
    with diagnostic_handler(found.append):
        yield found


def check(name: str, program: object, target: str, **options: object) -> None:
    source = JAX / f"{name}.mlir"
    executable = stepwell.compile(program, target=target, **options)  # pyright: ignore[reportArgumentType]
    expected = load_arrays(source.with_suffix(".out.npz"))
    through = element_dtypes(stepwell.parse(source))
    for got, want in zip(executable(*load_arrays(source.with_suffix(".in.npz"))), expected, strict=True):
        assert first_difference(got, want, tolerance_for(want.dtype, through)) is None


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.every(4)
def test_a_simulated_program_gives_what_jax_gave(name):
    check(name, JAX / f"{name}.mlir", "gpu-sim", verify_each=True)


@pytest.mark.parametrize("name", ["contractions", "layer_norm", "reductions", "sort_topk_arg", "while_loop"])
def test_without_optimization_too(name):
    check(name, JAX / f"{name}.mlir", "gpu-sim:sm_80", opt_level=0)


@pytest.mark.parametrize("step", STEP_NAMES)
@pytest.mark.parametrize("name", ["softmax", "sort_topk_arg"])
@pytest.mark.every(2)
def test_a_program_is_entered_at_every_step_and_runs_on_it(name, step):
    text = emit(JAX / f"{name}.mlir", step, target="gpu-sim")
    check(name, text, "gpu-sim")
    check(name, JAX / f"{name}.mlir", "gpu-sim", step=step)


@pytest.mark.parametrize("name", HOST)
def test_what_stays_on_the_host_is_reported_once_at_its_place(name, said):
    module = lower(stepwell.parse(JAX / f"{name}.mlir"), "kernels", target=machine_for(parse_target("cuda:sm_90")))
    kernels = [op for op in module.body.block.ops if op.name == "kernel.func"]
    places = [str(op.attributes["kernel.place"]) for op in kernels]
    assert '"host"' in places
    assert len([d for d in said if d.severity == "remark"]) == places.count('"host"')
    assert all(d.location is not None and "runs on the host" in d.message for d in said)


@pytest.mark.parametrize("name", ["causal_attention", "matmul_bf16", "mlp", "random_normal", "sort_topk_arg"])
@pytest.mark.parametrize("cpu", ["sm_75", "sm_80", "sm_90"])
@pytest.mark.every(3)
def test_a_program_as_ptx_is_the_same_each_time(name, cpu):
    assert cpu in PROCESSORS
    first, second = (emit(JAX / f"{name}.mlir", "ptx", target=f"cuda:{cpu}") for _ in range(2))
    assert isinstance(first, str)
    assert f".target {cpu}\n" in first
    assert ".visible .entry" in first
    assert first == second


def test_compiling_leaves_the_module_as_it_is():
    module = stepwell.parse(JAX / "sort_topk_arg.mlir")
    before = print_ir(module)
    stepwell.compile(module, target="cuda:sm_90")
    stepwell.compile(module, target="gpu-sim")
    assert print_ir(module) == before


def test_kernels_of_the_host_are_native_code():
    exe = stepwell.compile(JAX / "sort_topk_arg.mlir", target="cuda:sm_90")
    text = exe.ir("llvm")
    assert "stepwell.kernel.k_" in text
    assert "define ptx_kernel void" in text


# Beyond the machine ------------------------------------------------------------------------------------------------

ROWS = """func.func public @main(%x: tensor<200x41xf32>) -> tensor<200x41xf32> {
  %c = stablehlo.constant dense<0.0> : tensor<f32>
  %s = stablehlo.reduce(%x init: %c) applies stablehlo.add across dimensions = [1] : (tensor<200x41xf32>, tensor<f32>) -> tensor<200xf32>
  %b = stablehlo.broadcast_in_dim %s, dims = [0] : (tensor<200xf32>) -> tensor<200x41xf32>
  %0 = stablehlo.divide %x, %b : tensor<200x41xf32>
  return %0 : tensor<200x41xf32>
}
"""


def scheduled_by_hand(**parameters: int) -> str:
    """ROWS on step 3 with a schedule of one's own."""
    listed = ", ".join(f"{name} = {value} : i64" for name, value in parameters.items())
    schedule = f'schedule = #kernel.schedule<"rows", {{vector = 128 : i64, subgroup = 32 : i64, {listed}}}>'
    text = emit(ROWS, "kernels", target="gpu-sim")
    assert isinstance(text, str)
    return text.replace('kernel.kind = "rows"', f'{schedule}, kernel.kind = "rows"', 1)


def test_a_schedule_by_hand_is_obeyed():
    x = np.random.default_rng(0).random((200, 41), np.float32)
    exe = stepwell.compile(scheduled_by_hand(subgroups=3), target="gpu-sim")
    assert "known_block_size = array<i32: 96, 1, 1>" in exe.ir("device")
    np.testing.assert_allclose(exe(x)[0], x / x.sum(1, keepdims=True), rtol=1e-5)


def test_blocks_beyond_the_machine_are_refused_and_the_process_goes_on(capsys, tmp_path):
    text = scheduled_by_hand(subgroups=64)
    with pytest.raises(
        InvalidProgramError, match=r"<string>:\d+:\d+: error: .*blocks of 2048 threads; .* at most 1024"
    ):
        stepwell.compile(text, target="gpu-sim")
    x = np.random.default_rng(0).random((200, 41), np.float32)
    np.testing.assert_allclose(stepwell.compile(ROWS, target="cpu")(x)[0], x / x.sum(1, keepdims=True), rtol=1e-5)
    (tmp_path / "rows.mlir").write_text(text)
    assert main(["compile", str(tmp_path / "rows.mlir"), "--target", "cuda:sm_90", "--emit=ptx"]) == 1
    err = capsys.readouterr().err
    assert "rows.mlir:" in err
    assert err.count("error:") == 1
    assert "Traceback" not in err


@pytest.mark.parametrize("kind", ["ui2", "ui4", "ui8", "ui64", "i4"])
def test_integers_of_every_width_are_passed_by_their_bits(kind):
    text = f"""func.func public @main(%x: tensor<3x{kind}>, %y: tensor<3x{kind}>) -> tensor<3x{kind}> {{
  %0 = stablehlo.maximum %x, %y : tensor<3x{kind}>
  return %0 : tensor<3x{kind}>
}}
"""
    executable = stepwell.compile(text, target="gpu-sim")
    dtype = executable.input_types[0].dtype
    x, y = np.array([1, 3, 0]).astype(dtype), np.array([2, 1, 3]).astype(dtype)
    (got,) = executable(x, y)
    (want,) = stepwell.compile(text, target="interpreter")(x, y)
    np.testing.assert_array_equal(got.astype(np.int64), want.astype(np.int64))
