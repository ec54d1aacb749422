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
from pathlib import Path
from typing import Any

import numpy as np

from stepwell.backends.measure import KERNELS, STRIDE, measurement_text, operations_a_round, symbol
from stepwell.backends.object import compile_llvm
from stepwell.backends.target import Target
from stepwell.machine_limits import Limits, Rates, limits_as_json, limits_file, machine_key, read_limits
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


__all__ = ["keep", "measure"]
