"""`stepwell fuzz --schedules`: schedules drawn at random are obeyed or refused with a reason; what they break is found and can be run again."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

import stepwell
from stepwell.cli import main
from stepwell.dialects.registry import context
from stepwell.fuzz import schedules
from stepwell.fuzz.check import levels
from stepwell.fuzz.run import Plan, run, write_reproducer
from stepwell.fuzz.schedules import check_schedules, scheduled_program
from stepwell.ir.machine import MachineDescription
from stepwell.passes.schedules.grids import given_by
from stepwell.passes.schedules.parameters import STRATEGIES, problem_of, schedule

CONTRACTION = schedule("contraction", {"vector": 64, "mr": 6, "nr": 64, "k_unroll": 2, "kc": 256}, "")


def test_the_programs_verify_and_have_the_ops_that_strategies_are_for():
    texts = [scheduled_program(seed).text() for seed in range(120)]
    for text in texts[:30]:
        stepwell.parse(text)
    joined = "".join(texts)
    wanted = ("dot_general", "convolution", "exponential", "rsqrt", "reduce(", "reduce_window", "transpose", "gather")
    assert all(f"stablehlo.{name}" in joined or f'"stablehlo.{name}"' in joined for name in wanted)


def test_every_schedule_drawn_is_one_that_the_table_allows_and_most_differ():
    from xdsl.parser import Parser

    rng, drawn = random.Random(0), []
    for _ in range(300):
        text = schedules._changed(rng, CONTRACTION, MachineDescription())
        made = Parser(context(), text).parse_attribute()
        assert problem_of(made) is None, text
        drawn.append(made)
    assert len(dict.fromkeys(map(str, drawn))) > 200
    assert len(dict.fromkeys(s.strategy.data for s in drawn)) > 2
    for parameter in STRATEGIES["contraction"].own:
        values = [given_by(s).get(parameter.name) for s in drawn]
        assert len(dict.fromkeys(values)) > 1, parameter.name


def test_the_schedules_reach_the_kernels(monkeypatch: pytest.MonkeyPatch):
    asked: list[dict[str, str]] = []
    warned: list[str] = []
    compiled = stepwell.compile

    def watched(module, **options):
        asked.append(options.get("schedules") or {})
        return compiled(module, **options)

    monkeypatch.setattr(stepwell, "compile", watched)
    monkeypatch.setattr("stepwell.passes.schedules.records.warn", lambda op, text, hint=None: warned.append(text))
    seed = next(s for s in range(100) if "dot_general" in scheduled_program(s).text())
    assert check_schedules(seed, (2,), levels()).kind in ("ok", "refused")
    assert any(asked)
    assert not warned  # each is for a kernel that there is


def test_a_refusal_names_the_kernel_whose_schedule_is_left_away():
    asked = {"aa": "first", "bb": "second"}
    names = {"aa": "k_map_0", "bb": "k_rows_1"}
    assert schedules._without(asked, names, "error: 'kernel.func' op @k_rows_1 has a wrong one") == {"aa": "first"}
    assert schedules._without(asked, names, "something else") == {}


def test_a_wrong_result_is_found_and_written_with_its_schedules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from stepwell.dialects import stablehlo
    from stepwell.passes.stablehlo_to_linalg.scalar_rules import SCALAR_RULES

    monkeypatch.setitem(SCALAR_RULES, stablehlo.TanhOp, lambda s, op, args: args[0])
    seeds = [seed for seed in range(400) if "stablehlo.tanh" in scheduled_program(seed).text()]
    outcome = next(o for seed in seeds if (o := check_schedules(seed, (2,), levels())).kind == "wrong")
    assert outcome.schedules
    record = {"seed": outcome.seed, "kind": "wrong", "detail": outcome.detail, "text": outcome.text}
    inputs = tmp_path / "made.npz"
    inputs.write_bytes(b"")
    path = write_reproducer(
        {**record, "schedules": outcome.schedules, "inputs": str(inputs)}, Plan(schedules=True), tmp_path
    )
    assert f"stepwell fuzz --schedules --seed {outcome.seed} --count 1" in path.read_text()
    assert f"--schedules {path.stem}.json" in path.read_text()
    kernels = json.loads(path.with_suffix(".json").read_text())["kernels"]
    assert {k["kernel"]: k["schedule"] for k in kernels} == outcome.schedules
    stepwell.compile(path.read_text(), schedules=str(path.with_suffix(".json")), cache=False)


def test_random_schedules_change_no_result(tmp_path: Path):
    said: list[str] = []
    assert run(Plan(first=1000, count=12, schedules=True, opt_levels=(2,)), tmp_path, said.append) == 0, "\n".join(said)


def test_programs_and_broken_texts_are_one_or_the_other(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["fuzz", "--schedules", "--mutants"])
    assert "not allowed with argument" in capsys.readouterr().err
