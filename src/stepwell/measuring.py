"""`stepwell targets --measure`: how many operations and bytes a second this machine does, by kernels of ours.

Every figure is the best of many short runs, and on one thread in the thread's own time, so that what else the machine does matters little;
with several threads each works on a part of its own. The figures are kept in the cache folder, for `explain` and profiles to say shares of.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from xdsl.dialects.builtin import ModuleOp

from stepwell.backends.measure import KERNELS, STRIDE, measurement_text, operations_a_round, symbol
from stepwell.backends.object import compile_llvm
from stepwell.backends.target import LEVELS, Target, host_level, host_target
from stepwell.device_targets import listing
from stepwell.dialects.stepwell import TARGET
from stepwell.ir.machine import machine_of
from stepwell.machine_limits import Limits, Rates, limits_as_json, limits_file, limits_of, machine_key, read_limits
from stepwell.runtime.pool import worker_count
from stepwell.runtime.timed_kernels import TimedKernels

MEMORY_BYTES = 64 << 20
"""Of each array of the measurements in memory."""
_SECONDS = 0.003
"""What one run takes at least: less than a thread is usually left alone for, far more than starting one takes."""

Progress = Callable[[str], None]


def _seconds_a_round(run: Callable[[int], float], rounds: int) -> float:
    """Seconds that a round takes in runs that are long enough; `run` gives those of so many rounds."""
    while True:
        seconds = run(rounds)
        if seconds >= _SECONDS:
            return seconds / rounds
        rounds *= max(2, min(1024, int(1.5 * _SECONDS / max(seconds, 1e-7))))


def _flops(kernels: TimedKernels, target: Target, name: str, threads: int) -> float:
    """Operations a second of multiply-adds in registers."""

    def run(rounds: int) -> float:
        return kernels.seconds(name, lambda _: (rounds,), threads)

    return threads * operations_a_round(target, name) / _seconds_a_round(run, 1 << 12)


def _bandwidth(kernels: TimedKernels, name: str, size: int, threads: int) -> float:
    """Bytes a second (of all arrays of a kernel) over `size` bytes a thread of each."""
    arrays = {"read": 1, "copy": 2, "triad": 3}[name]
    size = max(STRIDE, size // STRIDE * STRIDE)

    def run(rounds: int) -> float:
        def words(thread: int) -> Sequence[int]:
            return (size, rounds, *(start + thread * size for start in kernels.addresses(arrays)))

        return kernels.seconds(name, words, threads)

    return threads * size * arrays / _seconds_a_round(run, 1)


def _rates(kernels: TimedKernels, target: Target, threads: int, progress: Progress) -> Rates:
    """Everything with so many threads."""

    def measured(what: str, value: float) -> float:
        progress(f"{what}, {threads} thread{'s' if threads > 1 else ''}: {value / 1e9:.1f} G/s")
        return value

    flops = {e: measured(f"{e} flop", _flops(kernels, target, f"fma_{e}", threads)) for e in ("f32", "f64")}
    memory = MEMORY_BYTES // threads
    sizes = {
        "L1": target.l1_bytes // 2,
        "L2": target.l2_bytes // 2,
        "L3": min(memory, max(target.l3_bytes // 4 // threads, 2 * target.l2_bytes)),
        "memory": memory,
    }
    read = {
        place: measured(f"{place} read", _bandwidth(kernels, "read", size, threads)) for place, size in sizes.items()
    }
    copy = measured("memory copy", _bandwidth(kernels, "copy", memory, threads))
    triad = measured("memory triad", _bandwidth(kernels, "triad", memory, threads))
    return Rates(threads, flops, read, triad, copy)


def _at_least(one: Rates, every: Rates, progress: Progress) -> Rates:
    """The rates of all threads; where they did less than one, others had the cores, and that of one is the better limit."""

    def larger(less: Mapping[str, float], more: Mapping[str, float]) -> dict[str, float]:
        return {name: max(less[name], more[name]) for name in more}

    raised = Rates(
        every.threads,
        larger(one.flops, every.flops),
        larger(one.read, every.read),
        max(one.triad, every.triad),
        max(one.copy, every.copy),
    )
    if raised != every:
        progress("several threads did less than one: measure again while the machine is idle")
    return raised


def measure(target: Target, progress: Progress = lambda _: None) -> Limits:
    """Measure a machine on one thread and on all, in some seconds.

    Args:
        target: this machine, at the level to measure.
        progress: told every figure as it comes.
    """
    threads = worker_count()
    symbols = {name: symbol(name) for name in KERNELS}
    kernels = TimedKernels(compile_llvm(measurement_text(target), target), symbols, threads, 3, MEMORY_BYTES)
    try:
        one = _rates(kernels, target, 1, progress)
        every = _at_least(one, _rates(kernels, target, threads, progress), progress) if threads > 1 else one
    finally:
        kernels.close()
    return Limits("measured", one, every, {"L2": target.l2_bytes, "L3": target.l3_bytes})


def keep(target: Target, limits: Limits) -> Path:
    """Write the figures of a machine to the cache folder, beside those of others; returns the file."""
    path = limits_file()
    known = read_limits(path)
    known[machine_key(target)] = limits_as_json(limits)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".machine-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({"format": 1, "machines": known}, file, indent=1, sort_keys=True)
    Path(name).replace(path)
    return path


def describe(
    simd: str | None = None, *, measured: bool = False, as_json: bool = False, progress: Progress | None = None
) -> str:
    """`stepwell targets`: the targets there are, this machine, and what it can do as far as that was measured.

    Args:
        simd: the instruction set, instead of the widest.
        measured: measure it now, and keep the figures.
        as_json: as JSON instead of text.
        progress: told every figure as it is measured.
    """
    target = host_target(simd)
    if measured:
        keep(target, measure(target, progress or (lambda _: None)))
    limits = limits_of(target)
    if as_json:
        return _as_json(target, limits)
    lines = [listing(), "", "this machine"]
    known = [("cpu", target.cpu), *target.describe(), ("has", _abilities_text(target))]
    known += [("features", target.features.replace("+", "").replace(",", " "))]
    lines += [f"  {name:<10}{value}" for name, value in known]
    if limits.source == "measured":
        lines += ["", *_limit_lines(limits)]
    else:
        lines += ["  limits    not measured: 'stepwell targets --measure' does"]
    return "\n".join(lines)


def _abilities(target: Target) -> dict[str, bool]:
    """What schedules may ask for at the target's level, by name."""
    machine = machine_of(ModuleOp([], {TARGET: target.attribute()}))
    return {
        "fma": machine.has_fma,
        "gather_scatter": machine.has_gather_scatter,
        "masked_ops": machine.has_masked_ops,
        "byte_dots": machine.has_byte_dots,
    }


def _abilities_text(target: Target) -> str:
    every = _abilities(target)
    names = [
        name.replace("_", "/" if name == "gather_scatter" else " ") for name, is_there in every.items() if is_there
    ]
    return ", ".join(names) or "no fma, gather/scatter, masked ops, byte dots"


def _as_json(target: Target, limits: Limits) -> str:
    machine = {
        **asdict(target),
        **{f"has_{name}": is_there for name, is_there in _abilities(target).items()},
        "levels": [level for level in LEVELS if LEVELS.index(level) <= LEVELS.index(host_level())],
    }
    names = [line.split()[0] for line in listing().splitlines()]
    found = limits_as_json(limits) if limits.source == "measured" else None
    return json.dumps({"targets": names, "machine": machine, "limits": found}, indent=2)


def _limit_lines(limits: Limits) -> list[str]:
    """The figures as a table of one thread and all."""
    columns = (limits.one, limits.all) if limits.all.threads > 1 else (limits.one,)
    heads = [f"{rates.threads} thread{'s' if rates.threads > 1 else ''}" for rates in columns]
    rows = [("measured", *heads)]
    rows += [(f"{e} flop/s", *(_giga(r.flops[e]) for r in columns)) for e in ("f32", "f64")]
    rows += [(f"{p} read B/s", *(_giga(r.read[p]) for r in columns)) for p in ("L1", "L2", "L3", "memory")]
    rows += [("memory copy B/s", *(_giga(r.copy) for r in columns))]
    rows += [("memory triad B/s", *(_giga(r.triad) for r in columns))]
    return ["  " + row[0].ljust(18) + "".join(cell.rjust(12) for cell in row[1:]) for row in rows]


def _giga(value: float) -> str:
    return f"{value / 1e9:.1f} G"


__all__ = ["describe", "keep", "measure"]
