"""The search: for each kernel, the neighbours of its schedule in turn, and on from the best, as long as the budget lasts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import stepwell
from stepwell.backends.target import Target
from stepwell.compiler import no_garbage_collection
from stepwell.device_targets import choose, machine_for, parse_target
from stepwell.dialects import kernel
from stepwell.dialects.structured_host_call import HostCallOp
from stepwell.dynamic import is_dynamic_program
from stepwell.explanation.explain import read_explanation, to_kernels
from stepwell.explanation.text import duration
from stepwell.generated_inputs import NoInputError
from stepwell.ir.diagnostics import diagnostic_handler
from stepwell.ir.errors import CompileError, InvalidProgramError, UnsupportedError
from stepwell.ir.machine import machine_of
from stepwell.passes.schedules.grids import neighbours, other_strategies
from stepwell.passes.schedules.records import kernel_hash
from stepwell.schedule_files import check_before_schedules
from stepwell.source import parse
from stepwell.tuning.alone import SAME, Bench, Candidate
from stepwell.tuning.records import Record, keep_records, machine_name, now, records_file

Progress = Callable[[str], None]
_QUICK, _SURE = 5, 21
"""Rounds of a first look, and of the race that decides."""
_BETTER = 0.97
"""What a schedule has to take of the best's time to be worth a record."""


@dataclass(frozen=True)
class Tuning:
    """What tuning a program found: a record for each kernel that has a better schedule, and a line on every kernel."""

    records: tuple[Record, ...]
    lines: tuple[str, ...]

    def keep(self, path: str | Path | None = None) -> Path:
        """Write the records to a file, by default the one that -O3 reads, beside those of other kernels; returns it."""
        place = records_file() if path is None else Path(path)
        keep_records(place, self.records)
        return place


def tune(
    program: Any,
    entry: str = "main",
    opt_level: int = 2,
    *,
    simd: str | None = None,
    budget: float = 60.0,
    progress: Progress = lambda _: None,
) -> Tuning:
    """Measure other schedules for the kernels of a program on this machine.

    Every schedule is compiled and run alone, on arrays of the kernel's shapes made up from a seed, checked against the results of the
    schedule that was chosen, and timed in turn with the best so far. The budget goes to kernels by the time they take.

    Args:
        program: as for `stepwell.compile`.
        entry: the function whose kernels are tuned.
        opt_level: 1 to 3.
        simd: "avx512", "avx2", "sse4.2", "scalar" instead of the host's widest.
        budget: seconds to spend on all kernels together.
        progress: told what happens, line by line.

    Raises:
        InvalidProgramError: the program or an option is wrong.
        UnsupportedError: the program has unknown extents.
    """
    if opt_level not in (1, 2, 3):
        raise InvalidProgramError(f"what is tuned is compiled at level 1 to 3, not {opt_level!r}")
    if type(budget) not in (int, float) or not budget > 0:
        raise InvalidProgramError(f"the budget is a number of seconds, not {budget!r}")
    with no_garbage_collection():
        module = parse(program)
        check_before_schedules(module, "run it as it is: there is nothing to tune")
        if is_dynamic_program(module):
            raise UnsupportedError(
                "a program with unknown extents has no kernels to tune\nhint: run refine-shapes first"
            )
        machine = machine_for(choose(parse_target("cpu"), module), simd)
        assert isinstance(machine, Target)
        to_kernels(module, entry, machine, opt_level, [])
        launches = {k.name: max(1, k.launches) for k in read_explanation(module, entry, machine, opt_level, ()).kernels}
    kernels = [op for op in module.body.block.ops if isinstance(op, kernel.FuncOp) and op.schedule is not None]
    benches = _benches(kernels, machine, opt_level, progress)
    shares = _shares({name: bench.call * launches[name] for name, (_, bench) in benches.items()})
    records: list[Record] = []
    lines: list[str] = []
    left, open_share = budget, 1.0
    for name in sorted(benches, key=lambda n: -shares[n]):
        function, bench = benches[name]
        start = time.perf_counter()
        found = _Search(function, bench, machine, progress).run(max(0.0, left * shares[name] / open_share))
        left -= time.perf_counter() - start
        open_share = max(open_share - shares[name], 1e-9)
        lines.append(found.line)
        if found.record is not None:
            records.append(found.record)
    return Tuning(tuple(records), tuple(lines))


def _shares(times: dict[str, float]) -> dict[str, float]:
    """Shares of the budget: half of it by the time that kernels take, half of it equally, since small ones have to be compiled too."""
    total = sum(times.values()) or 1.0
    return {name: 0.5 * seconds / total + 0.5 / len(times) for name, seconds in times.items()}


def _benches(
    kernels: list[kernel.FuncOp], machine: Target, opt_level: int, progress: Progress
) -> dict[str, tuple[kernel.FuncOp, Bench]]:
    """The kernels that can be run alone."""
    benches: dict[str, tuple[kernel.FuncOp, Bench]] = {}
    for function in kernels:
        name = function.sym_name.data
        assert function.schedule is not None
        if any(isinstance(op, HostCallOp) for op in function.walk()):
            progress(f"{name}: not tuned: it calls a Python function")
            continue
        try:
            benches[name] = (function, Bench(function, function.schedule, machine, opt_level))
        except (CompileError, NoInputError) as error:
            progress(f"{name}: not tuned: {str(error).splitlines()[0]}")
    return benches


@dataclass(frozen=True)
class _Found:
    record: Record | None
    line: str


class _Search:
    """One kernel: all neighbours of the best so far, in the order of the table; a better one becomes the best."""

    def __init__(self, function: kernel.FuncOp, bench: Bench, target: Target, progress: Progress):
        self._function, self._bench, self._target, self._progress = function, bench, target, progress
        self._best: Candidate = bench.chosen
        self._seen = {str(bench.chosen.schedule.params): None}
        self.tried = self.refused = 0

    def run(self, budget: float) -> _Found:
        """Search for so many seconds."""
        deadline = time.perf_counter() + budget
        name = self._function.sym_name.data
        while time.perf_counter() < deadline and self._improve(deadline):
            pass
        chosen, best = self._bench.race(self._bench.chosen, self._best, _SURE)
        what = f"{name}: {self.tried} schedules tried, {self.refused} refused; "
        if self._best is self._bench.chosen or best >= _BETTER * chosen:
            return _Found(None, f"{what}nothing better than the one chosen, {duration(chosen)}")
        record = Record(
            kernel=kernel_hash(self._function),
            machine=machine_name(self._target),
            schedule=str(self._best.schedule),
            name=name,
            kind=getattr(self._function.attributes.get("kernel.kind"), "data", ""),
            chosen=str(self._bench.chosen.schedule),
            seconds=best,
            chosen_seconds=chosen,
            tried=self.tried,
            refused=self.refused,
            measured=now(),
            compiler=stepwell.__version__,
        )
        return _Found(record, f"{what}{duration(chosen)} to {duration(best)} ({chosen / best:.2f} times as fast)")

    def _improve(self, deadline: float) -> bool:
        """Try the neighbours of the best until one is better; whether one was."""
        for what, schedule in self._around():
            if time.perf_counter() >= deadline:
                return False
            key = f"{schedule.strategy.data} {_without_reason(schedule)}"
            if key in self._seen:
                continue
            self._seen[key] = None
            if self._is_better(what, schedule):
                return True
        return False

    def _around(self) -> Iterator[tuple[str, kernel.ScheduleAttr]]:
        yield from neighbours(self._best.schedule, machine_of(self._function))
        yield from other_strategies(self._best.schedule)

    def _is_better(self, what: str, schedule: kernel.ScheduleAttr) -> bool:
        with diagnostic_handler(lambda _: None):
            made = self._bench.candidate(schedule)
        if isinstance(made, str):
            self.refused += made != SAME
            return False
        self.tried += 1
        best, mine = self._bench.race(self._best, made, _QUICK)
        if mine >= _BETTER * best:
            return False
        best, mine = self._bench.race(self._best, made, _SURE)
        if mine >= _BETTER * best:
            return False
        self._progress(f"{self._function.sym_name.data}: {what}: {duration(best)} to {duration(mine)}")
        self._best = made
        return True


def _without_reason(schedule: kernel.ScheduleAttr) -> str:
    return ", ".join(f"{k} = {v}" for k, v in sorted(schedule.params.data.items()) if k != "reason")


__all__ = ["Tuning", "tune"]
