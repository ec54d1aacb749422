"""`stepwell run` and `stepwell compile`: the main job, and one located message for each user mistake."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stepwell.arrays import load_arrays, save_arrays
from stepwell.cli import main

PATIENCE = 600
"""Seconds that no process takes, however busy the machine, but one that hangs."""

ROOT = Path(__file__).parents[2]
JAX = ROOT / "tests" / "data" / "jax"
ADD = """func.func public @main(%x: tensor<2x3xf32>, %y: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = stablehlo.add %x, %y : tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}
"""


@pytest.fixture
def add(tmp_path):
    program, inputs = tmp_path / "add.mlir", tmp_path / "in.npz"
    program.write_text(ADD)
    save_arrays(inputs, [np.ones((2, 3), np.float32), np.full((2, 3), 2, np.float32)])
    return program, inputs


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    code = main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_run_prints_results_and_compares(capsys, tmp_path, add):
    program, inputs = add
    code, out, _ = run(capsys, "run", program, "--inputs", inputs, "--outputs", tmp_path / "o.npz")
    assert code == 0
    assert "result 0: float32[2x3] [3.0, 3.0" in out
    assert load_arrays(tmp_path / "o.npz")[0].tolist() == [[3] * 3] * 2
    code, out, _ = run(capsys, "run", program, "--inputs", inputs, "--expect", tmp_path / "o.npz")
    assert code == 0
    assert "all 1 results match" in out


def test_a_mismatch_names_the_first_index_and_exits_1(capsys, tmp_path, add):
    program, inputs = add
    want = np.full((2, 3), 3, np.float32)
    want[1, 1] = 7
    save_arrays(tmp_path / "w.npz", [want])
    code, _, err = run(capsys, "run", program, "--inputs", inputs, "--expect", tmp_path / "w.npz")
    assert code == 1
    assert "first difference at index [1, 1]: got 3.0, expected 7.0" in err


@pytest.mark.parametrize("name", sorted(p.stem for p in JAX.glob("*.mlir")))
@pytest.mark.every(3)
def test_every_jax_program_meets_the_tolerance_table(capsys, name):
    program = JAX / f"{name}.mlir"
    inputs, expected = program.with_suffix(".in.npz"), program.with_suffix(".out.npz")
    code, _, err = run(capsys, "run", program, "--inputs", inputs, "--expect", expected)
    assert code == 0, err


def test_the_interpreter_runs_the_same_program(capsys, add):
    program, inputs = add
    code, out, _ = run(capsys, "run", program, "--inputs", inputs, "--target", "interpreter")
    assert code == 0
    assert "result 0: float32[2x3] [3.0" in out


@pytest.mark.parametrize("step", ["tensor", "kernels", "device"])
def test_a_program_is_interpreted_at_a_step(capsys, step):
    inputs, expected = str(JAX / "softmax.in.npz"), str(JAX / "softmax.out.npz")
    command = ["run", str(JAX / "softmax.mlir"), "--target", "interpreter", "--step", step]
    assert main([*command, "--inputs", inputs, "--expect", expected]) == 0
    assert "match" in capsys.readouterr().out


def test_native_code_has_no_step_to_stop_at(capsys):
    assert main(["run", str(JAX / "softmax.mlir"), "--inputs", str(JAX / "softmax.in.npz"), "--step", "device"]) == 1
    assert "step='device' is for target='interpreter' and 'gpu-sim'" in capsys.readouterr().err


@pytest.mark.parametrize("step", ["tensor", "structured", "kernels", "scheduled", "buffers", "device"])
def test_a_file_of_any_step_compiles_and_runs(capsys, tmp_path, step):
    program = tmp_path / f"{step}.mlir"
    assert main(["compile", str(JAX / "softmax.mlir"), f"--emit={step}", "-o", str(program)]) == 0
    inputs, expected = JAX / "softmax.in.npz", JAX / "softmax.out.npz"
    for target in ("cpu", "interpreter"):
        code, _, err = run(capsys, "run", program, "--inputs", inputs, "--expect", expected, "--target", target)
        assert code == 0, err


def test_emits_llvm_assembly_and_object(capsys, tmp_path):
    for kind in ("llvm", "asm", "obj"):
        assert main(["compile", str(JAX / "softmax.mlir"), f"--emit={kind}", "-o", str(tmp_path / kind)]) == 0
    assert "define" in (tmp_path / "llvm").read_text()
    assert ".text" in (tmp_path / "asm").read_text()
    assert (tmp_path / "obj").read_bytes().startswith(b"\x7fELF")


MISTAKES = {
    "missing file": (["run", "{dir}/none.mlir"], "cannot read"),
    "missing entry": (["run", "{add}", "--entry", "mian", "--inputs", "{in}"], "main"),
    "too few inputs": (["run", "{add}"], "2"),
    "wrong shape": (["run", "{add}", "--inputs", "{dir}/shape.npz"], "2x3"),
    "wrong dtype": (["run", "{add}", "--inputs", "{dir}/dtype.npz"], "float32"),
    "unreadable npz": (["run", "{add}", "--inputs", "{dir}/bad.npz"], "not a readable npz"),
    "missing npz": (["run", "{add}", "--inputs", "{dir}/none.npz"], "no such file"),
    "truncated program": (["run", "{dir}/truncated.mlir"], "truncated.mlir:"),
    "binary program": (["run", "{dir}/binary.mlir"], "binary.mlir"),
    "bytecode": (["run", "{dir}/bytecode.mlir"], "bytecode"),
    "constant beyond memory": (["run", "{dir}/huge.mlir"], "huge.mlir:2:8: error: 'stablehlo.constant' op makes"),
    "array beyond memory": (
        ["run", "{dir}/huge_temporary.mlir"],
        "huge_temporary.mlir:5:8: error: 'stablehlo.reverse'",
    ),
    "plan beyond memory": (
        ["run", "{dir}/huge_plan.mlir"],
        "huge_plan.mlir:3:8: error: the program's results and temp",
    ),
    "array beyond memory, interpreted": (
        ["run", "{dir}/huge_plan.mlir", "--target=interpreter"],
        "huge_plan.mlir:3:8: error: 'stablehlo.iota' op makes",
    ),
    "outputs in no directory": (
        ["run", "{add}", "--inputs", "{in}", "--outputs", "{dir}/no/o.npz"],
        "cannot write: no di",
    ),
    "outputs to a directory": (["run", "{add}", "--inputs", "{in}", "--outputs", "{dir}"], "is a directory"),
    "output on a full disk": (["run", "{add}", "--inputs", "{in}", "--outputs", "/dev/full"], "No space left"),
    "compiled onto a full disk": (["compile", "{add}", "-o", "/dev/full"], "/dev/full: error: cannot write: No space"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.every(2)
def test_a_mistake_is_one_diagnostic_quickly(tmp_path, add, mistake):
    save_arrays(tmp_path / "shape.npz", [np.ones((3, 2), np.float32)] * 2)
    save_arrays(tmp_path / "dtype.npz", [np.ones((2, 3), np.float64)] * 2)
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04nonsense")
    (tmp_path / "truncated.mlir").write_text(ADD[: len(ADD) // 2])
    (tmp_path / "binary.mlir").write_bytes(bytes(range(256)) * 4)
    (tmp_path / "bytecode.mlir").write_bytes(b"ML\xefR\x01\x02")
    (tmp_path / "huge.mlir").write_text(
        "func.func public @main() -> tensor<1000000000000xi8> {\n"
        "  %0 = stablehlo.constant dense<0> : tensor<1000000000000xi8>\n  return %0 : tensor<1000000000000xi8>\n}\n"
    )
    (tmp_path / "huge_temporary.mlir").write_text(
        "func.func public @main() -> tensor<f32> {\n"
        "  %c = stablehlo.constant dense<1.0> : tensor<f32>\n"
        "  %0 = stablehlo.iota dim = 0 : tensor<1000000000000xf32>\n"
        "  %1 = stablehlo.sine %0 : tensor<1000000000000xf32>\n"
        "  %2 = stablehlo.reverse %1, dims = [0] : tensor<1000000000000xf32>\n"
        '  %s = "stablehlo.sort"(%2) <{dimension = 0 : i64, is_stable = true}> ({\n'
        "  ^bb0(%a: tensor<f32>, %b: tensor<f32>):\n"
        "    %p = stablehlo.compare LT, %a, %b, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>\n"
        "    stablehlo.return %p : tensor<i1>\n"
        "  }) : (tensor<1000000000000xf32>) -> tensor<1000000000000xf32>\n"
        "  %3 = stablehlo.slice %s [5:6] : (tensor<1000000000000xf32>) -> tensor<1xf32>\n"
        "  %4 = stablehlo.reshape %3 : (tensor<1xf32>) -> tensor<f32>\n"
        "  return %4 : tensor<f32>\n}\n"
    )
    (tmp_path / "huge_plan.mlir").write_text(
        "func.func public @main() -> tensor<f32> {\n"
        "  %c = stablehlo.constant dense<0.0> : tensor<f32>\n"
        "  %0 = stablehlo.iota dim = 0 : tensor<1000000000000xf32>\n"
        "  %1 = stablehlo.reduce(%0 init: %c) applies stablehlo.add across dimensions = [0]"
        " : (tensor<1000000000000xf32>, tensor<f32>) -> tensor<f32>\n"
        "  return %1 : tensor<f32>\n}\n"
    )
    names = {"dir": tmp_path, "add": add[0], "in": add[1]}
    arguments, message = MISTAKES[mistake]
    command = [sys.executable, "-m", "stepwell.cli", *(a.format(**names) for a in arguments)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # NumPy's own threads: as much memory as there are processors
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (500 << 20, 500 << 20)),
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 1, done.stderr
    assert message in done.stderr
    assert done.stderr.count("error:") == 1
    assert "Traceback" not in done.stderr
    # Under 2 s, imports included, where nothing else runs; processors shared with others take longer, trying to make it minutes.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 20


def test_wrong_inputs_are_refused_before_anything_is_compiled(capsys, monkeypatch, tmp_path, add):
    def never(*_: object, **__: object) -> None:
        raise AssertionError("compiled")

    monkeypatch.setattr("stepwell.native.write_llvm", never)
    save_arrays(tmp_path / "wrong.npz", [np.ones((3, 2), np.float32)] * 2)
    code, _, err = run(capsys, "run", add[0], "--inputs", tmp_path / "wrong.npz")
    assert code == 1
    assert "argument 0 must be float32[2x3], got float32[3x2]" in err
    code, _, err = run(capsys, "run", add[0])
    assert code == 1
    assert "the program takes 2 arguments, got 0: it needs (float32[2x3], float32[2x3])" in err


def test_our_own_mistake_is_no_traceback(capsys, monkeypatch, add):
    def broken(*_: object, **__: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr("stepwell.native.write_llvm", broken)
    monkeypatch.delenv("STEPWELL_DEBUG", raising=False)
    code, _, err = run(capsys, "compile", add[0], "--emit=llvm")
    assert code == 1
    assert err.startswith("stepwell: internal error: KeyError: 'oops'\nnote: STEPWELL_DEBUG=1")
    monkeypatch.setenv("STEPWELL_DEBUG", "1")
    with pytest.raises(KeyError):
        main(["compile", str(add[0]), "--emit=llvm"])


def test_outputs_go_to_the_named_file(capsys, tmp_path, add):
    code, _, _ = run(capsys, "run", add[0], "--inputs", add[1], "--outputs", tmp_path / "plain")
    assert code == 0
    assert not (tmp_path / "plain.npz").exists()
    assert load_arrays(tmp_path / "plain")[0].tolist() == [[3] * 3] * 2


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        (b"\0" * 100, 1, "<stdin>:1:1: error: this is a binary file"),
        (b"", 1, "<stdin>:1:1: error: no entry function @main"),
        (b"\xff\xfe", 1, "<stdin>:1:1: error: the text is not UTF-8"),
        (b"add.mlir", 1, "<stdin>:1:1: error:"),
        (b"func.func @main() {\n  return %x : f32\n}", 1, "<stdin>:2:10: error:"),
        (ADD.encode(), 1, "the program takes 2 arguments"),
    ],
)
@pytest.mark.every(2)
def test_standard_input_is_text_and_never_a_path(data, code, message):
    command = [sys.executable, "-m", "stepwell.cli", "run", "-"]
    done = subprocess.run(command, input=data, capture_output=True, check=False, timeout=PATIENCE)
    assert done.returncode == code
    assert message in done.stderr.decode()
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("run - <&-", 1, "standard input is closed"),
        ("compile {add} >&-", 1, "standard output is closed"),
        ("compile {add} -o {dir}/out >&-", 0, ""),
        ("run {add} --inputs {in} >&-", 0, ""),
        ("run {add} --inputs <(cat {in})", 0, ""),
        ("run <(cat {add}) --inputs {in}", 0, ""),
    ],
)
@pytest.mark.every(2)
def test_closed_streams_and_pipes(tmp_path, add, command, code, message):
    line = command.format(**{"dir": tmp_path, "add": add[0], "in": add[1]})
    command = ["bash", "-c", f"{sys.executable} -m stepwell.cli {line}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == code, done.stderr
    assert done.stderr == (f"stepwell: error: {message}\n" if message else "")


@pytest.mark.parametrize("command", [["compile", "{add}"], ["run", "{add}", "--inputs", "{in}"], ["doctor"]])
def test_a_full_disk_behind_standard_output_is_an_error(add, command):
    names = {"add": add[0], "in": add[1]}
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "stepwell.cli", *(a.format(**names) for a in command)],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=PATIENCE,
        )
    assert done.returncode == 1
    assert done.stderr.decode() == "stepwell: error: cannot write the output: No space left on device\n"


def test_a_wrong_command_line_exits_2():
    tolerances = [
        ["run", "x.mlir", f"--{name}={value}"] for name in ("rtol", "atol") for value in ("nan", "inf", "-1", "x")
    ]
    for arguments in (["frobnicate"], ["run"], ["compile", "x.mlir", "--emit=nothing"], *tolerances):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2


@pytest.mark.parametrize("option", ["--repeat=3", "--rtol=0.1", "--atol=0"])
def test_an_option_that_would_do_nothing_is_refused(capsys, option):
    assert main(["run", "x.mlir", option]) == 1
    needed = "--profile" if "repeat" in option else "--expect"
    assert f"{option.split('=')[0]} does nothing without {needed}" in capsys.readouterr().err


def test_the_interpreter_has_steps_and_no_code(tmp_path, capsys):
    (tmp_path / "p.mlir").write_text("func.func @main(%x: tensor<f32>) -> tensor<f32> { return %x : tensor<f32> }")
    words = ["compile", str(tmp_path / "p.mlir"), "--target", "interpreter"]
    assert main([*words, "--emit=kernels"]) == 0
    assert main([*words, "--emit=asm"]) == 1
    assert "'asm' is code of a machine, not for the interpreter\nhint: take --target cpu" in capsys.readouterr().err


def test_help_has_examples(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "stepwell run model.mlir --inputs in.npz" in capsys.readouterr().out


def test_doctor_names_the_machine(capsys):
    code, out, _ = run(capsys, "doctor")
    assert code == 0
    for name in ("stepwell:", "xdsl:", "llvm:", "simd:", "cuda:"):
        assert name in out
