"""Running single native functions on one thread or several at once, and how long that takes: what measuring a machine needs."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from stepwell.runtime.loader import Library, native_entry
from stepwell.runtime.memory import POOL, Block

RUNS = 15


class TimedKernels:
    """Loaded functions `i32 (ptr %words)`, arrays for them to work on, and a result for each thread."""

    def __init__(self, data: bytes, symbols: Mapping[str, str], threads: int, arrays: int, array_bytes: int):
        """Load an object.

        Args:
            data: the object.
            symbols: its functions, by name.
            threads: how many may run at once.
            arrays: how many arrays there are.
            array_bytes: how large each is.
        """
        self._library = Library([data], list(symbols.values()))
        self._entries = {name: native_entry(self._library.address(symbol)) for name, symbol in symbols.items()}
        self._arrays = [POOL.take(array_bytes) for _ in range(arrays)]
        self._results = [POOL.take(4096) for _ in range(threads)]
        for block in (*self._arrays, *self._results):  # so that no page is missing, and nothing is denormal
            _floats(block)[:] = 1.0

    def addresses(self, count: int) -> list[int]:
        """Where the first arrays start."""
        return [block.address for block in self._arrays[:count]]

    def array(self, number: int) -> Any:
        """What is in an array, as f32."""
        return _floats(self._arrays[number])

    def close(self) -> None:
        """Give the memory back."""
        for block in (*self._arrays, *self._results):
            POOL.give(block)

    def seconds(self, name: str, words: Callable[[int], Sequence[int]], threads: int) -> float:
        """The least time of `RUNS` runs of a function on so many threads at once.

        `words` gives the arguments of each thread's call, which end with the address of its result. A single thread is
        measured in its own time, so that others on its core do not count.
        """
        calls = [self._call(name, words(t), self._results[t].address) for t in range(threads)]
        return min(_together(calls) for _ in range(RUNS))

    def _call(self, name: str, words: Sequence[int], result: int) -> Callable[[], None]:
        values = (ctypes.c_uint64 * (len(words) + 1))(*words, result)
        entry = self._entries[name]

        def call() -> None:
            entry(ctypes.addressof(values))

        return call


def _floats(block: Block) -> Any:
    buffer: Any = (ctypes.c_char * block.size).from_address(block.address)
    return np.frombuffer(buffer, np.float32)


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


__all__ = ["RUNS", "TimedKernels"]
