"""Calling a program whose host reads the clock around its launches (`passes/profile_launches.py`), and reading what it wrote."""

from __future__ import annotations

import contextlib
import ctypes
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stepwell.ir.errors import CompileError
from stepwell.runtime.memory import POOL

Array = np.ndarray[Any, np.dtype[Any]]

LOOP_HEADER, LOOP_WORDS = 8, 5
"""The words of a record of loops, as runtime/recorded.mlir says."""
HEADER, SITE_WORDS, EVENT_WORDS = 8, 4, 3
"""The words of the buffer, as the pass says."""
MOST_EVENTS = 1 << 16
"""Launches whose times are kept one by one; of more, counts and sums."""
_NEVER = (1 << 63) - 1
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Event:
    """One launch: its site, and its start and end in nanoseconds of the monotonic clock."""

    site: int
    start: int
    end: int


@dataclass(frozen=True)
class Piece:
    """A part of a loop that a worker did at once: indices from `first` up to `last`, and when, in nanoseconds."""

    worker: int
    first: int
    last: int
    start: int
    end: int


@dataclass(frozen=True)
class Times:
    """All launches of one site, in nanoseconds."""

    count: int
    total: int
    least: int
    most: int


@dataclass(frozen=True)
class Recording:
    """What was recorded: calls (start, end), the times of each site, and the first launches one by one."""

    calls: tuple[tuple[int, int], ...]
    sites: tuple[Times, ...]
    events: tuple[Event, ...]
    dropped: int
    """Launches beyond those kept one by one."""
    pieces: tuple[Piece, ...] = ()
    """What workers did of the kernels' loops, by time; loops of one task have none."""
    dropped_pieces: int = 0


class ProfiledEntry:
    """A native entry with a buffer for times."""

    def __init__(
        self,
        entry: Callable[[int], int],
        sites: int,
        memory: tuple[int, int],
        keep_alive: Any = None,
        most_events: int = MOST_EVENTS,
        record_loops: Callable[[int], None] | None = None,
    ):
        self._entry = entry
        self._memory = memory  # bytes of the arena, and of all workers
        self._keep_alive = keep_alive
        self._sites = sites
        self._capacity = most_events
        self._record_loops = record_loops  # of a pool, where the program's loops are recorded
        self._loops = np.zeros(LOOP_HEADER + (0 if record_loops is None else most_events * LOOP_WORDS), np.int64)
        self._words = np.zeros(HEADER + sites * SITE_WORDS + most_events * EVENT_WORDS, np.int64)

    def record(self, inputs: Callable[[], Sequence[Array]], outputs: Sequence[Array], repeat: int) -> Recording:
        """Run once to warm up and `repeat` times to record; `inputs` gives the arguments of each call.

        Raises:
            CompileError: the program stopped with an error.
        """
        arena, workers = (POOL.take(max(size, 64)) for size in self._memory)
        try:
            addresses = (arena.address, workers.address, self._words.ctypes.data)
            self._call(inputs(), outputs, addresses)
            self._reset()
            with self._recording_loops():
                calls = [self._call(inputs(), outputs, addresses) for _ in range(repeat)]
        finally:
            POOL.give(arena)
            POOL.give(workers)
        return self._recording(calls)

    @contextlib.contextmanager
    def _recording_loops(self) -> Generator[None]:
        """Have the pool record the loops of this program; one profile at a time."""
        if self._record_loops is None:
            yield
            return
        with _one_at_a_time:
            self._loops[:] = 0
            self._loops[0] = self._capacity
            self._record_loops(self._loops.ctypes.data)
            try:
                yield
            finally:
                self._record_loops(0)

    def _call(self, inputs: Sequence[Array], outputs: Sequence[Array], memory: Sequence[int]) -> tuple[int, int]:
        values = [*(a.ctypes.data for a in (*inputs, *outputs)), *memory]
        pointers = (ctypes.c_void_p * len(values))(*values)
        start = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        status = self._entry(ctypes.addressof(pointers))
        end = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        if status:
            raise CompileError(f"the program stopped with status {status}")
        return start, end

    def _reset(self) -> None:
        self._words[:] = 0
        self._words[0], self._words[2] = self._capacity, self._sites
        self._table()[:, 2] = _NEVER

    def _table(self) -> Array:
        return self._words[HEADER : HEADER + self._sites * SITE_WORDS].reshape(self._sites, SITE_WORDS)

    def _recording(self, calls: list[tuple[int, int]]) -> Recording:
        sites = tuple(Times(n, total, least if n else 0, most) for n, total, least, most in self._table().tolist())
        seen = int(self._words[1])
        kept = min(seen, self._capacity)
        first = HEADER + self._sites * SITE_WORDS
        events = self._words[first : first + kept * EVENT_WORDS].reshape(kept, EVENT_WORDS).tolist()
        pieces, dropped = self._pieces()
        return Recording(tuple(calls), sites, tuple(Event(*event) for event in events), seen - kept, pieces, dropped)

    def _pieces(self) -> tuple[tuple[Piece, ...], int]:
        """(the pieces of loops by time, how many more there were)."""
        if self._record_loops is None:
            return (), 0
        seen = int(self._loops[1])
        kept = min(seen, self._capacity)
        table = self._loops[LOOP_HEADER : LOOP_HEADER + kept * LOOP_WORDS].reshape(kept, LOOP_WORDS)
        pieces = sorted(
            (Piece(*row) for row in table.tolist()), key=lambda piece: (piece.start, piece.worker, piece.end)
        )
        return tuple(pieces), seen - kept


__all__ = ["MOST_EVENTS", "Event", "Piece", "ProfiledEntry", "Recording", "Times"]
