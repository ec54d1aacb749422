"""Code for AArch64: it is made here, not run; what is scheduled for it is run as code of this machine."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from llvmlite import binding as llvm

import stepwell
from stepwell.arrays import load_arrays
from stepwell.backends.arm_cpus import ARM_CPUS
from stepwell.backends.object import target_machine, undefined_symbols
from stepwell.backends.target import cpu_target, host_target
from stepwell.cli import main
from stepwell.compare import Tolerance, first_difference
from stepwell.native import emit

DATA = Path(__file__).parents[1] / "data" / "jax"
CASES = [json.loads(line) for line in (DATA / "cases.jsonl").read_text().splitlines()]
EM_AARCH64 = 183

PROBE = """
define void @add(ptr %a) {
  %x = atomicrmw add ptr %a, i64 5 monotonic
  ret void
}
define void @halves(ptr %a) {
  %x = load <8 x half>, ptr %a
  %z = fadd <8 x half> %x, %x
  store <8 x half> %z, ptr %a
  ret void
}
define void @rounded(ptr %a) {
  %x = load <4 x float>, ptr %a
  %z = fptrunc <4 x float> %x to <4 x bfloat>
  store <4 x bfloat> %z, ptr %a
  ret void
}
"""
SIGNS = {"lse": r"\tstadd|\tldadd", "fullfp16": r"fadd\tv\d+\.8h", "bf16": r"\tbfcvtn"}


def product(m: int, k: int, n: int) -> str:
    types = [f"tensor<{a}x{b}xf32>" for a, b in ((m, k), (k, n), (m, n))]
    return f"""func.func @main(%x: {types[0]}, %y: {types[1]}) -> {types[2]} {{
  %0 = stablehlo.dot_general %x, %y, contracting_dims = [1] x [0] : ({types[0]}, {types[1]}) -> {types[2]}
  return %0 : {types[2]}
}}"""


@pytest.mark.parametrize("cpu", ARM_CPUS)
def test_the_features_of_a_processor_are_what_llvm_makes_of_its_name(cpu, capfd):
    target_machine(cpu_target(cpu), 2)  # LLVM is ready now
    machine = llvm.Target.from_triple("aarch64-unknown-linux-gnu").create_target_machine(cpu=cpu, opt=1)
    asm = machine.emit_assembly(llvm.parse_assembly(PROBE))
    features = cpu_target(cpu).features.split(",")
    assert {name: re.search(sign, asm) is not None for name, sign in SIGNS.items()} == {
        name: f"+{name}" in features for name in SIGNS
    }
    target_machine(cpu_target(cpu), 1).emit_assembly(llvm.parse_assembly(PROBE))
    assert capfd.readouterr().err == "", "LLVM knows the processor and its features"


def test_a_product_is_made_of_multiply_adds_by_an_element():
    asm = emit(product(96, 64, 96), "asm", target="cpu:neoverse-n1")
    assert len(re.findall(r"fmla\tv\d+\.4s, v\d+\.4s, v\d+\.s\[\d\]", asm)) > 24
    assert "mm0" not in asm
    loop = max(re.split(r"^\.LBB", asm, flags=re.MULTILINE), key=lambda block: block.count("fmla"))
    assert "[sp" not in loop[loop.index("fmla") : loop.rindex("fmla")], "all sums are in registers"


BYTES = """func.func @main(%x: tensor<24x64xi8>, %y: tensor<64x48xi8>) -> tensor<24x48xi32> {
  %0 = stablehlo.dot_general %x, %y, contracting_dims = [1] x [0] : (tensor<24x64xi8>, tensor<64x48xi8>) -> tensor<24x48xi32>
  return %0 : tensor<24x48xi32>
}"""


@pytest.mark.parametrize(("cpu", "instruction"), [("neoverse-n2", "usdot"), ("neoverse-n1", "mla")])
def test_products_of_bytes_take_the_instruction_there_is(cpu, instruction):
    asm = emit(BYTES, "asm", target=f"cpu:{cpu}")
    assert len(re.findall(rf"\t{instruction}\tv\d+\.4s", asm)) > 8
    assert ("usdot" in asm) == (instruction == "usdot")
    rng = np.random.default_rng(0)
    x, y = (rng.integers(-128, 128, shape, np.int8) for shape in ((24, 64), (64, 48)))
    exe = stepwell.compile(emit(BYTES, "device", target=f"cpu:{cpu}"))
    np.testing.assert_array_equal(exe(x, y)[0], x.astype(np.int32) @ y.astype(np.int32))


def test_the_command_writes_an_object_and_lists_the_processors(tmp_path, capsys):
    (tmp_path / "p.mlir").write_text(product(5, 6, 7))
    words = ["compile", str(tmp_path / "p.mlir"), "--target-cpu", "apple-m1"]
    assert main([*words, "--emit=obj", "-o", str(tmp_path / "p.o")]) == 0
    data = (tmp_path / "p.o").read_bytes()
    assert data[:4] == b"\x7fELF"
    assert struct.unpack_from("<H", data, 18) == (EM_AARCH64,)
    assert main([*words, "--target-features=-dotprod", "--emit=kernels"]) == 0
    text = capsys.readouterr().out
    assert 'arch = "aarch64", level = "neon", cpu = "apple-m1"' in text
    assert "-dotprod" in text
    assert main(["targets"]) == 0
    assert re.search(r"cpu:neoverse-n1 +code for an AArch64 processor", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["compile", "--target-cpu", "neoverse-n11"], "did you mean 'cpu:neoverse-n1'"),
        (["compile", "--target-cpu", "apple-m1", "--target-features", "+avx2"], "unknown feature 'avx2'"),
        (["compile", "--target-cpu", "apple-m1", "--target-features=-neon"], "no code for apple-m1 without neon"),
        (["compile", "--target-cpu", "apple-m1", "--simd", "avx2"], "two instruction sets"),
        (["run", "--target-cpu", "apple-m1"], "cannot run code for apple-m1: it is no aarch64"),
    ],
)
def test_what_there_is_no_code_for_is_said(tmp_path, capsys, words, message):
    (tmp_path / "p.mlir").write_text(product(5, 6, 7))
    assert main([words[0], str(tmp_path / "p.mlir"), *words[1:]]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
@pytest.mark.every(18)
def test_jaxs_programs_become_objects_that_call_nothing_unknown(case):
    names = undefined_symbols(emit(DATA / case["mlir"], "obj", target="cpu:cortex-a76"))
    assert {*names} <= {"stepwell_parallel_for", "memcpy", "memmove", "memset"}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
@pytest.mark.every(18)
def test_what_is_scheduled_for_it_means_what_jax_meant(case):
    exe = stepwell.compile(emit(DATA / case["mlir"], "device", target="cpu:neoverse-v1"))
    for got, want, rule in zip(
        exe(*load_arrays(DATA / case["inputs"])), load_arrays(DATA / case["expected"]), case["checks"], strict=True
    ):
        tolerance = Tolerance() if rule["kind"] == "eq" else Tolerance(rule["rtol"], rule["atol"])
        assert first_difference(got, want, tolerance) is None


@pytest.mark.skipif(host_target().level == "scalar", reason="this machine has no vectors")
@pytest.mark.parametrize("size", [(1, 1, 1), (5, 7, 15), (6, 16, 16), (7, 17, 17), (13, 64, 100)])
def test_products_of_its_tiles_are_right(size):
    m, k, n = size
    rng = np.random.default_rng(m)
    x, y = (rng.standard_normal(s).astype(np.float32) for s in ((m, k), (k, n)))
    exe = stepwell.compile(emit(product(m, k, n), "device", target="cpu:neoverse-n1"))
    np.testing.assert_allclose(exe(x, y)[0], x.astype(np.float64) @ y, rtol=1e-5, atol=1e-5)
