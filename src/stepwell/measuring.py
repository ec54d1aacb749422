"""`stepwell targets --measure`: how many operations and bytes a second this machine does, by kernels of ours.

Every figure is the best of many short runs, and on one thread in the thread's own time, so that what else the machine does matters little;
with several threads each works on a part of its own. The figures are kept in the cache folder, for `explain` and profiles to say shares of.
"""

from __future__ import annotations

import ctypes
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from stepwell.backends.measure import KERNELS, STRIDE, measurement_text, operations_a_round, symbol
from stepwell.backends.object import compile_llvm
from stepwell.backends.target import LEVELS, Target, host_level, host_target
from stepwell.device_targets import listing
from stepwell.machine_limits import Limits, Rates, limits_as_json, limits_file, limits_of, machine_key, read_limits
from stepwell.runtime.loader import Library, native_entry
from stepwell.runtime.memory import POOL, Block
from stepwell.runtime.pool import worker_count

MEMORY_BYTES = 64 << 20
"""Of each array of the measurements in memory."""
RUNS = 15
_SECONDS = 0.003
"""What one run takes at least: less than a thread is usually left alone for, far more than starting one takes."""

Progress = Callable[[str], None]


class _Kernels:
    """The loaded kernels, and memory for them."""

    def __init__(self, target: Target, threads: int):
        self.threads = threads
        library = Library([compile_llvm(measurement_text(target), target)], [symbol(name) for name in KERNELS])
        self._library = library
        self._entries = {name: native_entry(library.address(symbol(name))) for name in KERNELS}
        self.arrays = [POOL.take(MEMORY_BYTES) for _ in range(3)]
        self._results = [POOL.take(4096) for _ in range(threads)]
        for block in (
            *self.arrays,
            *self._results,
        ):  # touched, so that no page is missing, and 1.0 everywhere: nothing is denormal
            _view(block)[:] = 1.0

    def close(self) -> None:
        """Give the memory back."""
        for block in (*self.arrays, *self._results):
            POOL.give(block)

    def seconds(self, name: str, words: Callable[[int], Sequence[int]], threads: int) -> float:
        """The least time of several runs of a kernel on so many threads; `words` gives the arguments of each."""
        results = [self._results[t].address for t in range(threads)]
        calls = [_call(self._entries[name], words(t), results[t]) for t in range(threads)]
        return min(_together(calls) for _ in range(RUNS))


def _view(block: Block) -> Any:
    return np.frombuffer((ctypes.c_char * block.size).from_address(block.address), np.float32)


def _call(entry: Callable[[int], int], words: Sequence[int], result: int) -> Callable[[], None]:
    values = (ctypes.c_uint64 * (len(words) + 1))(*words, result)

    def call() -> None:
        entry(ctypes.addressof(values))

    return call


def _together(calls: Sequence[Callable[[], None]]) -> float:
    """Seconds from the first start to the last end of calls on a thread each."""
    if len(calls) == 1:
        start = time.thread_time()
        calls[0]()
        return time.thread_time() - start
    barrier = threading.Barrier(len(calls))
    times: list[tuple[float, float]] = []

    def work(call: Callable[[], None]) -> None:
        barrier.wait()
        start = time.perf_counter()
        call()
        times.append((start, time.perf_counter()))

    workers = [threading.Thread(target=work, args=(call,)) for call in calls]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return max(end for _, end in times) - min(start for start, _ in times)


def _seconds_a_round(run: Callable[[int], float], rounds: int) -> float:
    """Seconds that a round takes in runs that are long enough; `run` gives those of so many rounds."""
    while True:
        seconds = run(rounds)
        if seconds >= _SECONDS:
            return seconds / rounds
        rounds *= max(2, min(1024, int(1.5 * _SECONDS / max(seconds, 1e-7))))


def _flops(kernels: _Kernels, target: Target, name: str, threads: int) -> float:
    """Operations a second of multiply-adds in registers."""

    def run(rounds: int) -> float:
        return kernels.seconds(name, lambda _: (rounds,), threads)

    return threads * operations_a_round(target, name) / _seconds_a_round(run, 1 << 12)


def _bandwidth(kernels: _Kernels, name: str, size: int, threads: int) -> float:
    """Bytes a second (of all arrays of a kernel) over `size` bytes a thread of each."""
    arrays = {"read": 1, "copy": 2, "triad": 3}[name]
    size = max(STRIDE, size // STRIDE * STRIDE)

    def run(rounds: int) -> float:
        def words(thread: int) -> Sequence[int]:
            return (size, rounds, *(block.address + thread * size for block in kernels.arrays[:arrays]))

        return kernels.seconds(name, words, threads)

    return threads * size * arrays / _seconds_a_round(run, 1)


def _rates(kernels: _Kernels, target: Target, threads: int, progress: Progress) -> Rates:
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


def measure(target: Target, progress: Progress = lambda _: None) -> Limits:
    """Measure a machine on one thread and on all, in some seconds.

    Args:
        target: this machine, at the level to measure.
        progress: told every figure as it comes.
    """
    threads = worker_count()
    kernels = _Kernels(target, threads)
    try:
        one = _rates(kernels, target, 1, progress)
        every = _rates(kernels, target, threads, progress) if threads > 1 else one
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
    known = [("cpu", target.cpu), *target.describe(), ("features", target.features.replace("+", "").replace(",", " "))]
    lines += [f"  {name:<10}{value}" for name, value in known]
    if limits.source == "measured":
        lines += ["", *_limit_lines(limits)]
    else:
        lines += ["  limits    not measured: 'stepwell targets --measure' does"]
    return "\n".join(lines)


def _as_json(target: Target, limits: Limits) -> str:
    machine = {
        **asdict(target),
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
