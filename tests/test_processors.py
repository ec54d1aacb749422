"""Code for processors by name, what this machine is, and figures of what it can do."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from llvmlite import binding as llvm

import stepwell
from stepwell import machine_limits
from stepwell.backends import target as target_module
from stepwell.backends.caches import Caches, read_caches
from stepwell.backends.llvm_ir import write_llvm
from stepwell.backends.measure import KERNELS, measurement_text, symbol
from stepwell.backends.object import compile_llvm, emit_asm, target_machine
from stepwell.backends.target import LEVELS, cpu_target, host_level, missing_here, target_for
from stepwell.backends.x86_cpus import CPUS
from stepwell.cli import main
from stepwell.compiler import lower
from stepwell.devices import CpuProperties
from stepwell.dialects.registry import DIALECTS, get_dialect
from stepwell.ir.context import make_context
from stepwell.ir.machine import machine_of
from stepwell.ir.parser import parse_module
from stepwell.ir.printer import print_ir
from stepwell.machine_limits import assumed_limits, limits_as_json, limits_from_json
from stepwell.runtime.timed_kernels import TimedKernels
from stepwell.target_names import parse_target

ADD = """
func.func @main(%x: tensor<64xf32>) -> tensor<64xf32> {
  %s = stablehlo.add %x, %x : tensor<64xf32>
  return %s : tensor<64xf32>
}
"""
EXP = ADD.replace("stablehlo.add %x, %x", "stablehlo.exponential %x")
PROBE = """
define void @bytes(ptr %a, ptr %b) {
  %x = load <64 x i8>, ptr %a
  %y = load <64 x i8>, ptr %b
  %z = add <64 x i8> %x, %y
  store <64 x i8> %z, ptr %a
  ret void
}
declare <8 x float> @llvm.fma.v8f32(<8 x float>, <8 x float>, <8 x float>)
define void @fused(ptr %a) {
  %x = load <8 x float>, ptr %a
  %z = call <8 x float> @llvm.fma.v8f32(<8 x float> %x, <8 x float> %x, <8 x float> %x)
  store <8 x float> %z, ptr %a
  ret void
}
define void @products(ptr %a) {
  %x = load <4 x i32>, ptr %a
  %z = mul <4 x i32> %x, %x
  store <4 x i32> %z, ptr %a
  ret void
}
"""


@pytest.mark.parametrize("cpu", CPUS)
def test_the_level_of_a_processor_is_what_llvm_makes_of_its_name(cpu):
    target_machine(target_for("scalar", generic=True), 2)  # LLVM is ready now
    triple = llvm.get_process_triple()
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, features="-prefer-256-bit", opt=1)
    asm = machine.emit_assembly(llvm.parse_assembly(PROBE))
    signs = {"avx512": "zmm", "avx2": "vfmadd", "sse4.2": "pmulld"}
    level = next((level for level, sign in signs.items() if sign in asm), "scalar")
    assert cpu_target(cpu).level == level


def test_features_change_the_level():
    assert cpu_target("haswell").vector_bits == 256
    assert cpu_target("haswell", "-fma").level == "sse4.2"
    assert not cpu_target("haswell", "-fma").has_fma
    assert "+avxvnni" in cpu_target("haswell", "+avxvnni").features
    assert "-avx512bf16" in cpu_target("znver4", "-avx512bf16").features
    assert cpu_target("avx2").cpu == "x86-64-v3"


@pytest.mark.parametrize(
    ("cpu", "changes", "level", "gone"),
    [
        ("znver4", "-avx512f", "avx2", r"zmm|\{%k"),
        ("znver4", "-avx2", "sse4.2", r"zmm|%k\d|vpbroadcast"),
        ("haswell", "-avx", "sse4.2", r"ymm|\bv[a-z]+[sp][sd]\b"),
        ("haswell", "-sse4.2", "scalar", r"ymm|\bv[a-z]+[sp][sd]\b"),
    ],
)
def test_what_a_processor_lacks_takes_what_needs_it(cpu, changes, level, gone):
    target = cpu_target(cpu, changes)
    assert target.level == level
    assert target.has_fma == (cpu == "znver4")
    named = [name for name in target.features.split(",") if name.startswith("+")]
    assert not any(name.startswith("+avx512") for name in named)
    asm = emit_asm(PROBE, target)
    assert not re.search(gone, asm)
    assert re.search(gone, emit_asm(PROBE, cpu_target(cpu)))


def test_features_are_changed_one_after_the_other_with_what_they_need():
    assert cpu_target("haswell", "+avx512vnni").features.endswith("+avx512vnni,+avx512f")
    assert cpu_target("haswell", "-avx,+avx2").level == "sse4.2"
    assert cpu_target("sandybridge", "+f16c,+avx2,+fma,+bmi,+bmi2,+lzcnt,+movbe").level == "avx2"
    assert cpu_target("haswell", "+avx512f,-avx2").level == "sse4.2"
    assert cpu_target("x86-64", "+avx512bw").has_fma
    assert cpu_target("neoverse-n1", "-fullfp16,+fp16fml").features.endswith("+dotprod,+fullfp16,+fp16fml")
    assert "-fp16fml" in cpu_target("neoverse-v1", "-fullfp16").features


@pytest.mark.parametrize(("cpu", "known"), [("cascadelake", True), ("brandnewlake", False)])
def test_what_a_hypervisor_keeps_to_itself_is_not_used(monkeypatch, cpu, known):
    """The name says AVX-512, what the processor says of itself does not: a name that LLVM knows and one that we do not."""
    seen = frozenset(target_module._FEATURES["avx2"])
    monkeypatch.setattr(target_module, "_host_features", lambda: seen)
    monkeypatch.setattr(target_module, "host_level", lambda: target_module.level_of(seen))
    monkeypatch.setattr(target_module.llvm, "get_host_cpu_name", lambda: cpu)
    host = target_for("avx2")
    assert (host.cpu, host.level) == (cpu, "avx2")
    assert "-avx512f" in host.features.split(",")
    assert host == cpu_target("native")
    if known:
        assert "zmm" not in emit_asm(PROBE, host)
        assert "%ymm" in emit_asm(PROBE, host)


def test_a_processor_that_has_what_its_name_says_is_described_as_ever(monkeypatch):
    level, extra = CPUS["cascadelake"]
    monkeypatch.setattr(target_module, "_host_features", lambda: frozenset((*target_module._FEATURES[level], *extra)))
    monkeypatch.setattr(target_module, "host_level", lambda: level)
    monkeypatch.setattr(target_module.llvm, "get_host_cpu_name", lambda: "cascadelake")
    assert all(name.startswith("+") for name in target_for(level).features.split(","))


def test_without_a_name_the_processor_is_the_one_at_hand():
    host = cpu_target("native")
    assert (host.cpu, host.level, host.l2_bytes) == (
        target_for(host_level()).cpu,
        host_level(),
        target_for(host_level()).l2_bytes,
    )
    assert parse_target("cpu:native") == parse_target("cpu")
    without = cpu_target("native", "-sse4.2")
    assert without.level == "scalar"
    assert without.cores == host.cores
    exe = stepwell.compile(ADD, target="cpu:native,-sse4.2")
    assert exe.ir("device").count('level = "scalar"') == 1


def test_code_for_another_processor_is_made_and_not_run(tmp_path, capsys):
    file = tmp_path / "add.mlir"
    file.write_text(ADD)
    other = next(cpu for cpu in ("graniterapids", "znver5") if missing_here(cpu_target(cpu)))
    assert main(["compile", str(file), "--target-cpu", other, "--emit=asm"]) == 0
    assert "zmm" in capsys.readouterr().out
    assert main(["compile", str(file), "--target-cpu", other, "--emit=obj", "-o", str(tmp_path / "add.o")]) == 0
    assert (tmp_path / "add.o").read_bytes()[:4] == b"\x7fELF"
    with pytest.raises(
        stepwell.InvalidProgramError, match=f"cannot run code for {other}: it lacks .*\nhint: stepwell compile"
    ):
        stepwell.compile(ADD, target=f"cpu:{other}")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--target-cpu", "haswel"], "did you mean 'cpu:haswell'"),
        (["--target-cpu", "haswell", "--target-features", "+avx3"], "unknown feature 'avx3'"),
        (["--target-cpu", "haswell", "--target-features", "avx2"], "'+name' or taken away as '-name', not 'avx2'"),
        (["--target-features", "+avx3"], "unknown feature 'avx3'"),
        (["--target-cpu", "nosuch"], "one of scalar, sse4.2, avx2, avx512, or by a processor's name (stepwell targets"),
        (["--target-cpu", "haswell", "--target-features=-sse2"], "no code for haswell without sse2"),
        (["--target-cpu", "haswell", "--target-features=-64bit"], "no code for haswell without 64bit"),
        (["--target-cpu", "haswell", "--target", "gpu-sim"], "two targets"),
        (["--target-cpu", "haswell", "--simd", "sse4.2"], "two instruction sets"),
    ],
)
def test_a_wrong_processor_says_what_is_wrong(tmp_path, capsys, words, message):
    (tmp_path / "add.mlir").write_text(ADD)
    assert main(["compile", str(tmp_path / "add.mlir"), *words]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("level", LEVELS[1:])
def test_the_measuring_kernels_do_what_they_say(level):
    if LEVELS.index(level) > LEVELS.index(host_level()):
        pytest.skip("not on this machine")
    target = target_for(level)
    text = measurement_text(target)
    asm = emit_asm(text, target)
    assert "memcpy" not in asm
    assert ("vfmadd" in asm) == target.has_fma
    kernels = TimedKernels(compile_llvm(text, target), {name: symbol(name) for name in KERNELS}, 2, 3, 1024)
    try:
        x, y, z = kernels.addresses(3)
        for name, words in (("copy", (512, 3, x, y)), ("triad", (512, 3, x, y, z)), ("read", (1024, 2, x))):
            assert kernels.seconds(name, lambda _, words=words: words, 1) >= 0
        floats = kernels.array(2)
        assert floats[:128].tolist() == [4.0] * 128
        assert floats[128:].tolist() == [1.0] * 128
        assert kernels.seconds("fma_f32", lambda _: (1000,), 2) > 0
    finally:
        kernels.close()


def test_figures_are_kept_and_found_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("STEPWELL_CACHE_DIR", str(tmp_path / "cache"))
    target = target_for("sse4.2")
    assert machine_limits.limits_of(target) == assumed_limits(target)
    made = limits_as_json(assumed_limits(target)) | {"source": "measured"}
    found = limits_from_json(json.loads(json.dumps(made)))
    from stepwell.measuring import keep

    assert found is not None
    path = keep(target, found)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert machine_limits.limits_of(target).source == "measured"
    assert machine_limits.limits_of(target_for("avx2")).source == "assumed"
    assert main(["targets", "--simd", "sse4.2"]) == 0
    assert "memory triad B/s" in capsys.readouterr().out
    assert main(["targets", "--simd", "sse4.2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["limits"]["one"]["triad"] == found.one.triad


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1, "machines": 3}', '{"format": 2, "machines": {}}'])
def test_damaged_figures_are_none(tmp_path, content):
    (tmp_path / "machine.json").write_text(content)
    assert machine_limits.read_limits(tmp_path / "machine.json") == {}


@pytest.mark.parametrize("change", [{"one": None}, {"capacities": {}}, {"all": {"threads": 2}}])
def test_figures_with_parts_missing_are_none(change):
    assert limits_from_json(limits_as_json(assumed_limits(target_for("sse4.2"))) | change) is None


def context():
    return make_context({name: (lambda name=name: get_dialect(name)) for name in DIALECTS})


def describe_caches(folder, *indices):
    """A folder as Linux has it: (level, type, size, line) of each index; None: no such file."""
    for number, index in enumerate(indices):
        path = folder / f"index{number}"
        path.mkdir()
        for name, text in zip(("level", "type", "size", "coherency_line_size"), index, strict=True):
            if text is not None:
                (path / name).write_text(f"{text}\n")
    return folder


L1, CODE, L2 = (1, "Data", "48K", 64), (1, "Instruction", "64K", 32), (2, "Unified", "2048K", 64)


@pytest.mark.parametrize(
    ("indices", "found"),
    [
        ([L1, CODE, L2, (3, "Unified", "36M", 64)], Caches(48 << 10, 2 << 20, 36 << 20, 64)),
        ([CODE, L2, L1, (3, "Unified", "1G", 64)], Caches(48 << 10, 2 << 20, 1 << 30, 64)),
        ([(1, "Data", "128k", 128), (2, "Unified", "12M", 128)], Caches(128 << 10, 12 << 20, 0, 128)),
        ([(1, "Data", "32768", 64), L2], Caches(32 << 10, 2 << 20, 0, 64)),
        ([L1], Caches(l1_bytes=48 << 10)),
        ([], Caches()),
        ([(1, "Data", "", 64), L2, (3, "Unified", "big", 64)], Caches(l2_bytes=2 << 20)),
        ([(1, "Data", "-4K", 0), (2, "Unified", "0K", 64)], Caches()),
        ([(1, "Data", "48K", 48), L2, (3, "Unified", "8M", None)], Caches(48 << 10, 2 << 20, 8 << 20, 64)),
        ([("one", "Data", "48K", 64), (2, None, "1M", 64)], Caches(l2_bytes=1 << 20)),
        ([(1, "Data", "²K", "6\u00b2"), (2, "Unified", "9" * 5000, 64)], Caches()),
    ],
)
def test_caches_are_read_entry_by_entry_and_default_where_they_make_no_sense(tmp_path, indices, found):
    assert read_caches(describe_caches(tmp_path, *indices)) == found


def test_a_folder_that_is_not_there_describes_nothing(tmp_path):
    assert read_caches(tmp_path / "none") == Caches()


def test_the_caches_of_this_machine_make_sense():
    found = read_caches()
    assert 0 < found.l1_bytes < found.l2_bytes
    assert found.l3_bytes == 0 or found.l3_bytes >= found.l2_bytes
    assert found.line_bytes in (32, 64, 128, 256)


def test_the_cpu_says_what_it_is(monkeypatch):
    monkeypatch.setenv("STEPWELL_SIMD", "sse4.2")  # says what code is made for, not what the machine is
    cpu = stepwell.device_properties("cpu")
    caches = read_caches()
    assert cpu.level == host_level()
    assert (cpu.l1_bytes, cpu.l2_bytes, cpu.l3_bytes, cpu.line_bytes) == (
        caches.l1_bytes,
        caches.l2_bytes,
        caches.l3_bytes,
        caches.line_bytes,
    )
    assert cpu.vector_bits == {"avx512": 512, "avx2": 256, "sse4.2": 128, "scalar": 64}[cpu.level]
    assert cpu.cores >= 1
    assert list(cpu.features) == sorted(set(cpu.features))
    assert ("avx2" in cpu.features) == (cpu.level in ("avx2", "avx512"))


@pytest.mark.parametrize(
    ("level", "bits", "lanes"),
    [("avx512", 512, (64, 32, 32, 16, 8, 4)), ("sse4.2", 128, (16, 8, 8, 4, 2, 1)), ("scalar", 64, (1,) * 6)],
)
def test_lanes_are_elements_of_a_vector(level, bits, lanes):
    cpu = CpuProperties("x", "x86_64", level, bits, (), 1, 1, 1, 1, 64)
    names = ("int8", "bfloat16", "float16", "float32", "float64", "complex128")
    assert tuple(cpu.lanes(name) for name in names) == lanes
    with pytest.raises(stepwell.TracingError, match="not a dtype"):
        cpu.lanes("float99")


def test_what_is_fetched_is_fetched_a_line_at_a_time():
    text = """
    kernel.func @k(%x: memref<4096xf32>) attributes {access = ["read"]} {
      %c = arith.constant 0 : index
      kernel.prefetch %x[%c] {part = vector<64xf32>} : memref<4096xf32>
      kernel.return
    }"""
    target = target_for("sse4.2", generic=True)
    counts = {}
    for line in (64, 128, 256):
        module = parse_module(text, "k.mlir", context())
        made = write_llvm(module, replace(target, line_bytes=line))[-1]
        counts[line] = made.text.count("call void @llvm.prefetch")
    assert counts == {64: 4, 128: 2, 256: 1}


@pytest.mark.parametrize(("line", "known"), [("128 : i64", 128), ("0 : i64", 64), ("96 : i64", 64), ('"x"', 64)])
def test_a_line_that_no_cache_has_is_not_believed(line, known):
    text = f"builtin.module attributes {{stepwell.target = {{line_bytes = {line}, l3_bytes = 7 : i64}}}} {{}}"
    described = machine_of(parse_module(text, "k.mlir", context()))
    assert (described.line_bytes, described.l3_bytes) == (known, 7)


def test_the_command_says_what_lanes_can_do(capsys):
    assert main(["targets", "--simd", "sse4.2"]) == 0
    assert "has       no fma, gather/scatter, masked ops, byte dots" in capsys.readouterr().out
    assert main(["targets", "--simd", "avx2", "--json"]) == 0
    machine = json.loads(capsys.readouterr().out)["machine"]
    assert (machine["has_fma"], machine["has_gather_scatter"], machine["has_masked_ops"]) == (True, False, False)


def test_a_program_that_was_lowered_for_wider_vectors_is_compiled_for_the_narrower_ones_asked_for():
    wide = print_ir(lower(stepwell.parse(EXP), "tensor", target=target_for("avx512", generic=True)))
    exe = stepwell.compile(wide, target="cpu:avx2")
    assert 'level = "avx2"' in exe.ir("scheduled")
    x = np.linspace(-3, 3, 64, dtype=np.float32)
    np.testing.assert_allclose(exe(x)[0], np.exp(x), rtol=1e-6)
