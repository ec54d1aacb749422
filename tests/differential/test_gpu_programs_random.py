"""Random programs of lanes' edges, on a simulated GPU against the interpreter on the program as written; found ones; schedules.

pytestmark = pytest.mark.every(2)

STEPWELL_RANDOM_PROGRAMS=N tests N programs (and half as many schedules) instead of the quick number, STEPWELL_RANDOM_SEED=S
starts elsewhere, STEPWELL_RANDOM_RESOURCES=1 also makes machine code of each, which must not spill.
"""

from __future__ import annotations

import importlib.util
import os
import random
import sys
from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, StringAttr, i64

import stepwell
from stepwell.backends.ptx import ptxas
from stepwell.compiler import lower
from stepwell.device_targets import machine_for, parse_target
from stepwell.dialects import kernel
from stepwell.dialects.registry import context
from stepwell.errors import InvalidProgramError, UnsupportedError
from stepwell.fuzz.values import mismatch
from stepwell.ir.diagnostics import DiagnosticError, diagnostic_handler
from stepwell.ir.printer import print_ir
from stepwell.native import emit
from stepwell.passes.choose_schedules import ChooseSchedulesPass
from stepwell.passes.schedules.parameters import STRATEGIES


def load(name: str):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


gpu_programs = load("gpu_programs")
COUNT = int(os.environ.get("STEPWELL_RANDOM_PROGRAMS", "14"))
FIRST = int(os.environ.get("STEPWELL_RANDOM_SEED", "0"))
RESOURCES = bool(os.environ.get("STEPWELL_RANDOM_RESOURCES")) and ptxas() is not None


@pytest.fixture(autouse=True)
def quiet():
    with diagnostic_handler(lambda d: None):
        yield


def expected(program):
    with np.errstate(all="ignore"):
        return stepwell.compile(program.text(), target="interpreter")(*program.inputs)


def check(program, executable, want) -> None:
    got = executable(*program.inputs)
    differences = [mismatch(g, w, v) for g, w, v in zip(got, want, program.results, strict=True)]
    assert not any(differences), f"{next(filter(None, differences))}\n{program.text()}"


def assert_no_spills(program: object, target: str, opt_level: int = 2) -> None:
    if "gpu.func" not in str(emit(program, "device", target=target, opt_level=opt_level)):
        return  # all of it runs on the host
    table = emit(program, "resources", target=target, opt_level=opt_level)
    assert isinstance(table, str)
    for row in table.strip().splitlines()[1:]:
        assert row.split()[4:6] == ["0", "0"], row


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_a_simulated_gpu_computes_what_the_program_says(seed):
    program = gpu_programs.generate(seed)
    gpu, opt_level = ("sm_80", "gfx90a", "sm_90", "gfx90a", "sm_75")[seed % 5], 0 if seed % 4 == 0 else 2
    executable = stepwell.compile(program.text(), target=f"gpu-sim:{gpu}", opt_level=opt_level, verify_each=True)
    check(program, executable, expected(program))
    if RESOURCES:
        assert_no_spills(program.text(), f"cuda:{('sm_80', 'sm_90', 'sm_100')[seed % 3]}", opt_level)


def test_programs_depend_on_the_seed_only():
    first, again = gpu_programs.generate(3), gpu_programs.generate(3)
    assert first.text() == again.text()
    assert first.text() != gpu_programs.generate(4).text()


# Schedules nobody would choose ---------------------------------------------------------------------------------------

VALUES = {
    "vector": [0, 32, 64, 128, 256, 1024, 4096, 48], "unroll": [1, 2, 3, 8], "subgroups": [1, 2, 3, 5, 8, 32, 64],
    "tasks": [1, 2, 7, 1000], "threads": [1, 32, 100, 1024], "vectors": [1, 2, 3, 100], "split": [1, 2, 3, 17, 1000],
    "kept": [0, 1, 4, 64], "shared": [0, 100, 4096, 200_000], "tile": [1, 5, 16, 33, 64], "pad": [0, 1, 3, 8],
    "bm": [8, 16, 48, 64, 128], "bn": [8, 32, 64, 96], "bk": [1, 4, 5, 8, 16, 32], "wm": [8, 16, 32], "wn": [8, 16, 32],
    "stages": [1, 2, 3, 5], "swizzle": [0, 2, 8, 16], "k_unroll": [1, 2, 3], "k_split": [1, 1, 2, 3, 7], "pack_a": [0, 0, 1], "pack_b": [0, 0, 1],
}  # fmt: skip
"""A few values of each parameter: usual, odd and, rarely, impossible ones."""
GRIDS = [(1, 32), (2, 16), (4, 8), (8, 4), (32, 1), (3, 8)]


def product_schedule(rng: random.Random) -> dict[str, int | str]:
    """Tiles of a product that mostly fit together."""
    form = rng.choice(["shared", "register", "matrix"])
    lanes_m, lanes_n = rng.choice(GRIDS) if form != "matrix" else (8, 4)
    wm = rng.choice([16, 32, 48]) if form == "matrix" else lanes_m * rng.choice([1, 2, 4])
    wn = rng.choice([8, 16, 32]) if form == "matrix" else lanes_n * rng.choice([1, 2, 4])
    numbers = {
        name: rng.choice(VALUES[name])
        for name in ("stages", "swizzle", "pad", "k_unroll", "k_split", "pack_a", "pack_b", "bk")
    }
    if form == "matrix":
        numbers["bk"] = rng.choice([16, 32, 48])
    return {
        **numbers, "form": form, "lanes_m": lanes_m, "lanes_n": lanes_n, "wm": wm, "wn": wn,
        "bm": wm * rng.choice([1, 2, 4]), "bn": wn * rng.choice([1, 2, 3]),
    }  # fmt: skip


def changed(rng: random.Random, schedule: kernel.ScheduleAttr) -> kernel.ScheduleAttr:
    """Another schedule of a kernel: other numbers, sometimes of another strategy."""
    name, entries = schedule.strategy.data, dict(schedule.params.data)
    given: dict[str, int | str] = {}
    if name == "block-contraction" and rng.random() < 0.8:
        entries.pop("subgroups", None)
        given = product_schedule(rng)
    else:
        if rng.random() < 0.35:
            name = rng.choice(["loops", "rows", "block-rows", "block-transpose"])
        known = [p.name for p in STRATEGIES[name].parameters("subgroups")]
        entries = {n: v for n, v in entries.items() if n in known}
        numbers = [n for n in known if n in VALUES]
        given = {n: rng.choice(VALUES[n]) for n in rng.sample(numbers, rng.randint(1, min(5, len(numbers))))}
    for key, value in given.items():
        entries[key] = IntegerAttr(value, i64) if isinstance(value, int) else StringAttr(value)
    return kernel.ScheduleAttr(name, entries)


def rescheduled(module: ModuleOp, rng: random.Random) -> str:
    """The text of a module on step 3 whose device kernels all have other schedules."""
    copy = module.clone()
    for function in copy.body.block.ops:
        if isinstance(function, kernel.FuncOp) and function.schedule is not None:
            if function.attributes["kernel.place"] == StringAttr("device"):
                function.properties["schedule"] = changed(rng, function.schedule)
    return print_ir(copy)


def compiled(text: str, target: str):
    """The executable, or why there is none."""
    try:
        return stepwell.compile(text, target=target, verify_each=True)
    except (InvalidProgramError, UnsupportedError) as error:
        return error


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT // 2))
def test_a_schedule_by_hand_is_right_or_refused_at_its_place(seed):
    rng = random.Random(seed)
    program = gpu_programs.patterns(seed)
    want, target = expected(program), f"gpu-sim:{rng.choice(['sm_75', 'sm_80', 'sm_90'])}"
    module = lower(stepwell.parse(program.text()), "kernels", target=machine_for(parse_target(target)))
    ChooseSchedulesPass().apply(context(), module)
    for _ in range(3):
        text = rescheduled(module, rng)
        executable = compiled(text, target)
        if isinstance(executable, Exception):
            assert isinstance(executable, DiagnosticError), text
            assert executable.diagnostic.location is not None, text
        else:
            check(program, executable, want)


# Programs that were wrong once ---------------------------------------------------------------------------------------

UPDATED = """func.func @main(%a: tensor<f32>, %x: tensor<4x{n}xf32>) -> (tensor<4x{n}xf32>, tensor<4xf32>) {{
  %s = stablehlo.add %x, %x : tensor<4x{n}xf32>
  %0 = stablehlo.reduce(%s init: %a) applies stablehlo.add across dimensions = [1] : (tensor<4x{n}xf32>, tensor<f32>) -> tensor<4xf32>
  %1 = stablehlo.broadcast_in_dim %0, dims = [0] : (tensor<4xf32>) -> tensor<4x{n}xf32>
  %2 = stablehlo.divide %s, %1 : tensor<4x{n}xf32>
  return %2, %0 : tensor<4x{n}xf32>, tensor<4xf32>
}}
"""
ROWS = 'schedule = #kernel.schedule<"{}", {{vector = 512 : i64, unroll = 1 : i64, subgroup = 32 : i64, subgroups = {} : i64, shared = {} : i64}}>, kernel.kind = "rows"'


@pytest.mark.parametrize("subgroups", [1, 3, 8])
@pytest.mark.parametrize(("strategy", "shared"), [("rows", 4096), ("rows", 0), ("block-rows", 4096), ("block-rows", 0)])
def test_rows_that_start_from_a_number_of_the_program_are_updated_in_place(strategy, shared, subgroups):
    """The starting number was read from the buffer beside the task's slice, for which the kernel was given copies."""
    text = emit(UPDATED.format(n=70), "kernels", target="gpu-sim")
    assert isinstance(text, str)
    assert text.count('kernel.kind = "rows"') == 1
    assert '"readwrite"' in text
    text = text.replace('kernel.kind = "rows"', ROWS.format(strategy, subgroups, shared))
    buffers = emit(text, "buffers", target="gpu-sim")
    assert isinstance(buffers, str)
    assert "memref.copy" not in buffers
    a, x = np.float32(3), np.random.default_rng(0).uniform(1, 2, (4, 70)).astype(np.float32)
    got = stepwell.compile(text, target="gpu-sim", verify_each=True)(a, x)
    total = (2 * x.astype(np.float64)).sum(1) + a
    np.testing.assert_allclose(got[1], total, rtol=1e-6)
    np.testing.assert_allclose(got[0], 2 * x / total[:, None], rtol=1e-6)


SLICED = """func.func @main(%a: tensor<6x12x67xbf16>, %b: tensor<3x7x2xbf16>) -> (tensor<3x64x2xf32>, tensor<3x7x64xbf16>) {
  %0 = stablehlo.slice %a [3:6, 3:10, 3:67] : (tensor<6x12x67xbf16>) -> tensor<3x7x64xbf16>
  %1 = stablehlo.dot_general %0, %b, batching_dims = [0] x [0], contracting_dims = [1] x [1] : (tensor<3x7x64xbf16>, tensor<3x7x2xbf16>) -> tensor<3x64x2xf32>
  return %1, %0 : tensor<3x64x2xf32>, tensor<3x7x64xbf16>
}
"""
KEPT = """func.func @main(%a: tensor<2x129x3xf32>) -> tensor<2x3xf32> {
  %low = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %e = stablehlo.exponential %a : tensor<2x129x3xf32>
  %m = stablehlo.reduce(%e init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<2x129x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %w = stablehlo.broadcast_in_dim %m, dims = [0, 2] : (tensor<2x3xf32>) -> tensor<2x129x3xf32>
  %d = stablehlo.subtract %e, %w : tensor<2x129x3xf32>
  %0 = stablehlo.reduce(%d init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<2x129x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}
"""


@pytest.mark.parametrize("text", [SLICED, KEPT])
def test_columns_of_a_row_that_was_stored_are_read_back(text):
    """A gather was taken from whole buffers only, never from a task's slice or a subgroup's part of shared memory."""
    want = stepwell.compile(text, target="interpreter")
    got = stepwell.compile(text, target="gpu-sim", verify_each=True)
    rng = np.random.default_rng(0)
    given = [rng.uniform(-1, 1, t.shape).astype(t.dtype) for t in got.signature.inputs]
    for g, w in zip(got(*given), want(*given), strict=True):
        np.testing.assert_allclose(g.astype(np.float64), w.astype(np.float64), rtol=1e-5, atol=1e-4)


FAR = """func.func @main(%x: tensor<200x3000000000xi8>, %c: tensor<i8>) -> tensor<i8> {
  %0 = stablehlo.slice %x [0:200, 5:6] : (tensor<200x3000000000xi8>) -> tensor<200x1xi8>
  %1 = stablehlo.reshape %0 : (tensor<200x1xi8>) -> tensor<200xi8>
  %2 = stablehlo.reduce(%1 init: %c) applies stablehlo.add across dimensions = [0] : (tensor<200xi8>, tensor<i8>) -> tensor<i8>
  return %2 : tensor<i8>
}
"""


@pytest.mark.parametrize("target", ["gpu-sim", "cpu:avx2"])
@pytest.mark.parametrize(("apart", "offsets"), [(3_000_000_000, "index"), (100_000_000, "index"), (1000, "i32")])
def test_offsets_of_rows_gigabytes_apart_do_not_wrap_around(apart, offsets, target):
    """They were multiplied in 32 bits; the tensors are too large to run here."""
    text = emit(FAR.replace("3000000000", str(apart)), "scheduled", target=target)
    gathers = [line for line in str(text).splitlines() if "vector.gather" in line]
    assert gathers
    assert all(f"x{offsets}>, vector" in line for line in gathers)
