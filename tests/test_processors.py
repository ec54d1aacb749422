"""Code for processors by name, what this machine is, and figures of what it can do."""

import json

import pytest
from llvmlite import binding as llvm

import stepwell
from stepwell import machine_limits
from stepwell.backends.measure import KERNELS, measurement_text, symbol
from stepwell.backends.object import compile_llvm, emit_asm, target_machine
from stepwell.backends.target import LEVELS, cpu_target, host_level, missing_here, target_for
from stepwell.backends.x86_cpus import CPUS
from stepwell.cli import main
from stepwell.machine_limits import assumed_limits, limits_as_json, limits_from_json
from stepwell.runtime.timed_kernels import TimedKernels

ADD = """
func.func @main(%x: tensor<64xf32>) -> tensor<64xf32> {
  %s = stablehlo.add %x, %x : tensor<64xf32>
  return %s : tensor<64xf32>
}
"""
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
        (["--target-features", "+avx2"], "name it with --target-cpu"),
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
