"""`stepwell tune`: what is tried is legal and gives the same results, and what is kept is taken again."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

import stepwell
from stepwell.backends.target import host_target, target_for
from stepwell.cli import main
from stepwell.ir.machine import MachineDescription
from stepwell.passes.schedules.grids import GRIDS, TOGETHER, neighbours, other_strategies, values_of
from stepwell.passes.schedules.parameters import STRATEGIES, problem_of
from stepwell.schedule_files import asked_schedules
from stepwell.tuning import tune as tuning
from stepwell.tuning.alone import SAME, Bench
from stepwell.tuning.records import Record, keep_records, machine_name, parse_record, read_records, records_file

PRODUCT = """
func.func @main(%x: tensor<33x20xf32>, %w: tensor<20x41xf32>) -> tensor<33x41xf32> {
  %p = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<33x20xf32>, tensor<20x41xf32>) -> tensor<33x41xf32>
  return %p : tensor<33x41xf32>
}
"""
MACHINE = MachineDescription(level="avx2", vector_bits=256, cores=2, features=("+fma",))


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("STEPWELL_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def two_rows_win(monkeypatch):
    """A search with few neighbours, in which schedules that say `mr = 2` are faster."""

    def few(current, machine):
        return (pair for pair in neighbours(current, machine) if pair[0] in ("mr = 2", "mr = 3"))

    monkeypatch.setattr(tuning, "neighbours", few)
    monkeypatch.setattr(tuning, "other_strategies", lambda current: iter(()))
    monkeypatch.setattr(Bench, "race", race_won_by("mr = 2"))


def race_won_by(winner):
    """A race that schedules which say `winner` win."""

    def race(self, first, second, rounds):
        return tuple(0.5 if winner in str(c.schedule) else 1.0 for c in (first, second))

    return race


def test_grids_are_of_parameters_that_exist():
    known = {p.name: p for s in STRATEGIES.values() for where in ("cores", "subgroups") for p in s.parameters(where)}
    for name in (*GRIDS, *(n for pair in TOGETHER for n in pair)):
        assert name in known, name
    for name, values in GRIDS.items():
        assert len(set(values)) == len(values) > 1, name
        owners = [
            p
            for s in STRATEGIES.values()
            for where in ("cores", "subgroups")
            for p in s.parameters(where)
            if p.name == name
        ]
        assert all(set(values_of(p, MACHINE)) == set(values) for p in owners), name
    assert {64, 128, 192, 256, 384, 512} == set(GRIDS["kc"])
    assert set(GRIDS["bm"]) == set(GRIDS["bn"]) == {32, 64, 128}
    assert {8, 16} <= set(GRIDS["bk"])


@pytest.mark.parametrize("strategy", [s.name for s in STRATEGIES.values() if s.where != "subgroups"])
def test_every_neighbour_is_a_schedule_and_differs(strategy):
    current = stepwell.schedule(strategy, vector=32, unroll=4, tasks=8)
    found = [*neighbours(current, MACHINE), *other_strategies(current)]
    texts = [str(made) for _, made in found]
    assert len(set(texts)) == len(texts) > 10
    for what, made in found:
        assert problem_of(made) is None, what
        assert made.params.data["vector"].value.data <= 32
    assert texts == [str(made) for _, made in (*neighbours(current, MACHINE), *other_strategies(current))]


def test_what_wins_is_recorded_and_taken_again(two_rows_win):
    found = stepwell.tune(PRODUCT, simd="avx2", budget=3600)
    (record,) = found.records
    assert "mr = 2" in record.schedule
    assert record.chosen_seconds == 2 * record.seconds
    assert record.tried >= 1
    assert abs((datetime.now(UTC) - datetime.fromisoformat(record.measured)).total_seconds()) < 3600
    assert found.keep() == records_file()

    assert "mr = 2" not in chosen()
    assert "mr = 2" in chosen(opt_level=3)
    assert "mr = 2" not in chosen(opt_level=3, simd="sse4.2")
    assert "mr = 2" in chosen(schedules=records_file())
    tuned = stepwell.compile(PRODUCT, simd="avx2", opt_level=3)
    text = tuned.ir("llvm")
    assert stepwell.compile(PRODUCT, simd="avx2", opt_level=3, schedules=records_file()).ir("llvm") == text
    x, w = (np.random.default_rng(0).standard_normal(s).astype(np.float32) for s in ((33, 20), (20, 41)))
    np.testing.assert_allclose(tuned(x, w)[0], x @ w, rtol=1e-4, atol=1e-4)


def test_what_does_not_win_is_not_recorded(monkeypatch):
    monkeypatch.setattr(Bench, "race", lambda self, first, second, rounds: (1.0, 0.98))
    found = tuning.tune(PRODUCT, simd="avx2", budget=0.5)
    assert found.records == ()
    assert "nothing better" in found.lines[0]


def test_other_results_and_illegal_schedules_are_refused():
    module = stepwell.parse(stepwell.compile(PRODUCT, simd="avx2").ir("kernels"))
    function = next(op for op in module.body.block.ops if op.name == "kernel.func")
    chosen = stepwell.schedule("contraction", vector=32, mr=4, nr=8)
    bench = Bench(function, chosen, target_for("avx2"), 2)
    assert not isinstance(bench.candidate(stepwell.schedule("contraction", vector=32, mr=2, nr=16)), str)
    assert "has no parameter 'mr'" in str(bench.candidate(unchecked("loops", mr=3)))
    assert bench.candidate(stepwell.schedule("contraction", vector=32, mr=2, nr=16, reason="another")) == SAME
    bench.chosen.outputs[0][3, 4] += 1
    assert "other results" in str(bench.candidate(stepwell.schedule("contraction", vector=32, mr=3, nr=8)))


def chosen(simd="avx2", opt_level=2, schedules=None):
    """The schedule of the product."""
    return stepwell.explain(PRODUCT, simd=simd, opt_level=opt_level, schedules=schedules).kernels[0].schedule


def unchecked(strategy, **parameters):
    from xdsl.dialects.builtin import IntegerAttr, i64

    from stepwell.dialects.kernel import ScheduleAttr

    return ScheduleAttr(strategy, {name: IntegerAttr(value, i64) for name, value in parameters.items()})


def record(**changes):
    values = {
        "kernel": "ab",
        "machine": machine_name(host_target("avx2")),
        "schedule": str(stepwell.schedule("loops", vector=32)),
        "name": "k",
        "kind": "map",
        "chosen": "",
        "seconds": 1.0,
        "chosen_seconds": 2.0,
        "tried": 1,
        "refused": 0,
        "measured": "2026-11-27T01:02:03+00:00",
        "compiler": stepwell.__version__,
    }
    return Record(**(values | changes))


def test_a_record_is_of_a_machine_with_these_caches():
    target = host_target("avx2")
    names = {
        machine_name(replace(target, **{field: 3 << 10}))
        for field in ("cores", "l1_bytes", "l2_bytes", "l3_bytes", "line_bytes")
    }
    assert len(names | {machine_name(target)}) == 6


def test_a_record_replaces_that_of_the_same_kernel_and_machine(tmp_path):
    path = tmp_path / "r.jsonl"
    keep_records(path, [record(), record(kernel="cd")])
    keep_records(path, [record(seconds=0.5), record(machine="other")])
    assert [(r.kernel, r.machine, r.seconds) for r in read_records(path)] == [
        ("ab", record().machine, 0.5),
        ("cd", record().machine, 1.0),
        ("ab", "other", 1.0),
    ]
    assert parse_record(record().line()) == record()


def test_a_file_of_records_may_have_any_name(tmp_path):
    keep_records(tmp_path / "best", [record()])
    assert asked_schedules(tmp_path / "best").tuned == ((record().kernel, record().schedule),)
    assert not asked_schedules(tmp_path / "best").asked


def test_a_file_that_was_asked_for_is_there_also_without_a_record(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(tuning, "neighbours", lambda current, machine: iter(()))
    monkeypatch.setattr(tuning, "other_strategies", lambda current: iter(()))
    (tmp_path / "p.mlir").write_text(PRODUCT)
    words = ["tune", str(tmp_path / "p.mlir"), "--quiet", "--simd", "avx2"]
    assert main(words) == 0
    assert "kept" not in capsys.readouterr().out
    assert main([*words, "-o", str(tmp_path / "none.jsonl")]) == 0
    assert f"no records kept in {tmp_path / 'none.jsonl'}" in capsys.readouterr().out
    stepwell.compile(PRODUCT, simd="avx2", schedules=tmp_path / "none.jsonl")


def test_kept_records_that_do_not_fit_are_left_out():
    found = record(kernel=stepwell.explain(PRODUCT, simd="avx2").kernels[0].hash)
    fits = record(kernel=found.kernel, schedule=str(stepwell.schedule("contraction", vector=32, mr=2)))
    wrong = [
        "no schedule",
        '#kernel.schedule<"loops", {mr = 3 : i64}>',
        '#kernel.schedule<"attention", {vector = 32 : i64}>',
    ]
    plain = chosen(opt_level=3)
    for schedule in wrong:
        keep_records(records_file(), [record(kernel=found.kernel, schedule=schedule)])
        assert chosen(opt_level=3) == plain
    keep_records(records_file(), [record(kernel=found.kernel, schedule=fits.schedule, compiler="0.0.1")])
    assert chosen(opt_level=3) == plain
    keep_records(records_file(), [fits])
    assert chosen(opt_level=3) != plain
    records_file().write_text("damaged\n")
    assert chosen(opt_level=3) == plain


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "r.jsonl:1:1: error: no tuning record"),
        ("3", '"format" is not'),
        ('{"format": "stepwell-record-1", "kernel": "ab"}', '"format" is not "stepwell-record-2"'),
        ('{"format": "stepwell-record-2"}', 'has no "kernel"'),
    ],
)
def test_a_wrong_file_of_records_says_where(tmp_path, line, message):
    (tmp_path / "r.jsonl").write_text(line)
    with pytest.raises(stepwell.InvalidProgramError) as error:
        asked_schedules(tmp_path / "r.jsonl")
    assert message in str(error.value)


def test_a_program_whose_schedules_are_carried_out_is_not_tuned():
    program = stepwell.compile(PRODUCT, simd="avx2").ir("buffers")
    with pytest.raises(
        stepwell.InvalidProgramError, match="comes in on step 'buffers', where its schedules are carried"
    ):
        tuning.tune(program, simd="avx2", budget=1)


def test_the_command_keeps_records_and_says_what_it_did(tmp_path, capsys, two_rows_win):
    (tmp_path / "p.mlir").write_text(PRODUCT)
    out = tmp_path / "r.jsonl"
    assert main(["tune", str(tmp_path / "p.mlir"), "--simd", "avx2", "--budget", "3600s", "-o", str(out)]) == 0
    said = capsys.readouterr()
    assert "schedules tried" in said.out
    assert "mr = 2" in said.err
    assert json.loads(out.read_text())["name"] == "k_contraction_0"
    with pytest.raises(SystemExit) as error:
        main(["tune", str(tmp_path / "p.mlir"), "--budget", "soon"])
    assert error.value.code == 2
    assert "invalid budget" in capsys.readouterr().err


def test_unknown_extents_and_no_budget_are_refused():
    dynamic = "func.func @main(%x: tensor<?xf32>) -> tensor<?xf32> { return %x : tensor<?xf32> }"
    with pytest.raises(stepwell.UnsupportedError, match="unknown extents"):
        tuning.tune(dynamic)
    for budget in (0, float("nan"), "1m", True):
        with pytest.raises(stepwell.InvalidProgramError, match="the budget is a number of seconds, not"):
            tuning.tune(PRODUCT, budget=budget)
    with pytest.raises(stepwell.InvalidProgramError, match="level 1 to 3"):
        tuning.tune(PRODUCT, opt_level=0)
