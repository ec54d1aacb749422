"""`stepwell fuzz`: what it makes is well-typed and covers the ops, a wrong compiler is found and its program cut down, broken texts get diagnostics."""

from __future__ import annotations

import random
import re
from pathlib import Path

import numpy as np
import pytest

import stepwell
from stepwell.cli import main
from stepwell.fuzz import check, mutation
from stepwell.fuzz.generator import MAKERS, Generator, generate
from stepwell.fuzz.mutation import mutant
from stepwell.fuzz.run import Plan, corpus_files, records, run, write_reproducer
from stepwell.ir.diagnostics import Diagnostic, InvalidProgramDiagnosticError

HERE = Path(__file__).resolve().parent
LIT = corpus_files([str(HERE.parent / "passes")])


def test_the_programs_have_every_kind_of_op():
    text = "".join(generate(seed).text() for seed in range(400))
    seen = set(re.findall(r"(?:stablehlo|chlo)\.\w+", text))
    wanted = {f"stablehlo.{name}" for name in """abs add and atan2 batch_norm_inference bitcast_convert broadcast_in_dim case ceil
        cholesky clamp compare complex concatenate constant convert convolution cosine count_leading_zeros divide dot_general
        dynamic_slice dynamic_update_slice exponential fft floor gather get_tuple_element if imag iota log logistic map maximum
        minimum multiply negate not optimization_barrier or pad popcnt power real reduce reduce_precision reduce_window remainder
        reshape reverse rng_bit_generator round_nearest_afz round_nearest_even rsqrt scatter select select_and_scatter shift_left
        shift_right_arithmetic shift_right_logical sign sine slice sort sqrt subtract tan tanh transpose triangular_solve tuple
        while xor""".split()} | {"chlo.top_k", "chlo.erf", "chlo.lgamma"}  # fmt: skip
    assert not wanted - seen
    assert len(MAKERS) > 40


def test_the_programs_verify():
    for seed in range(40):
        stepwell.parse(generate(seed).text())


def test_a_value_of_a_type_that_is_never_drawn_is_made_when_an_op_needs_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Generator, "dtype", lambda self: "f32")
    made = Generator(random.Random(1), np.random.default_rng(1), limit=100)
    assert made.any(lambda v: v.dtype == "i1").dtype == "i1"


def test_a_text_that_cannot_be_made_again_is_said_and_ends_no_run(monkeypatch: pytest.MonkeyPatch):
    def fail(job):
        raise AssertionError("no value fits")

    # A job that does not say its levels ends the process.
    monkeypatch.setattr(Plan, "job", lambda self, seed: {"what": "program", "seed": seed})
    monkeypatch.setattr("stepwell.fuzz.run.job_text", fail)
    found = list(records(Plan(first=2, count=2)))
    assert [(r["kind"], "no value fits" in r["text"]) for r in found] == [("crash", True)] * 2


def test_a_wrong_lowering_is_found_and_its_program_cut_down(monkeypatch: pytest.MonkeyPatch):
    from stepwell.dialects import stablehlo
    from stepwell.passes.stablehlo_to_linalg.scalar_rules import SCALAR_RULES

    monkeypatch.setitem(SCALAR_RULES, stablehlo.NegateOp, lambda s, op, args: args[0])
    seeds = [seed for seed in range(200) if "stablehlo.negate" in generate(seed).text()]
    outcome = next(o for seed in seeds if (o := check.check_program(seed, (0,))).kind == "wrong")
    assert outcome.text.count("stablehlo.") < generate(outcome.seed).text().count("stablehlo.")
    native = stepwell.compile(outcome.text, opt_level=0)(*outcome.inputs)
    want = stepwell.compile(outcome.text, target="interpreter")(*outcome.inputs)
    assert len(want) == 1
    assert not np.array_equal(native[0], want[0], equal_nan=True)


def test_a_failure_is_written_as_a_program_that_runs(tmp_path: Path):
    program = generate(11)
    record = {"seed": 11, "kind": "wrong", "detail": "-O2 avx2: %v1 at [0]", "text": program.text()}
    path = write_reproducer(record, Plan(), tmp_path)
    text = path.read_text()
    assert text.startswith("// wrong: -O2 avx2: %v1 at [0]\n// stepwell fuzz --seed 11 --count 1\n")
    stepwell.parse(path)


def test_a_worker_that_dies_is_the_outcome_of_its_seed_and_is_replaced(monkeypatch: pytest.MonkeyPatch):
    jobs = {3: {"what": "no such thing"}}  # an exception that ends the process
    original = Plan.job
    monkeypatch.setattr(Plan, "job", lambda self, seed: {**original(self, seed), **jobs.get(seed, {})})
    monkeypatch.setattr("stepwell.fuzz.run.job_text", lambda job: "text")
    found = {r["seed"]: r["kind"] for r in records(Plan(first=2, count=3, opt_levels=(9,)))}
    assert found[3] in ("crash", "error")
    assert set(found) == {2, 3, 4}


def test_the_command_says_how_many_passed_and_ends_with_1_when_one_did_not(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["fuzz", "--seed", "0", "--count", "2", "-O", "0"]) == 0
    assert "2/2 ok" in capsys.readouterr().out
    wrong = {"seed": 0, "kind": "wrong", "detail": "d", "text": "t"}
    monkeypatch.setattr("stepwell.fuzz.run.records", lambda plan: iter([wrong]))
    assert run(Plan(count=1), tmp_path / "out", lambda text: None) == 1
    assert (tmp_path / "out" / "program-0.mlir").exists()


def test_a_seed_below_0_is_a_wrong_command_line(capsys):
    with pytest.raises(SystemExit) as error:
        main(["fuzz", "--seed=-1", "--count=1"])
    assert error.value.code == 2
    assert "a seed is a whole number from 0 on, not '-1'" in capsys.readouterr().err


def test_mutants_depend_on_the_seed_only():
    files = [Path(name) for name in LIT]
    assert [mutant(seed, files) for seed in range(20)] == [mutant(seed, files) for seed in range(20)]


def test_a_mutant_is_of_one_program_of_a_split_file(tmp_path: Path):
    path = tmp_path / "split.mlir"
    path.write_text("// first\n// -----\n" * 2 + "func.func @other() {\n  return\n}\n")
    assert len(mutation._parts(path)) == 3
    assert mutation._with_entry(mutation._parts(path)[2]).startswith("func.func @main() {")


def test_a_diagnostic_without_a_place_is_a_failure(monkeypatch: pytest.MonkeyPatch):
    def refuse(data: bytes, cache: bool) -> None:
        raise InvalidProgramDiagnosticError(Diagnostic("error", None, "no"))

    monkeypatch.setattr(stepwell, "compile", refuse)
    assert check.check_mutant(1, []).detail.startswith("a diagnostic without a place")


def test_broken_texts_end_in_code_or_in_a_diagnostic(tmp_path: Path):
    said: list[str] = []
    plan = Plan(count=150, mutants=True, corpus=LIT, cpu_limit=10.0)
    assert run(plan, tmp_path, said.append) == 0, "\n".join(said)
