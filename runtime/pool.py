"""The process's one thread pool: loading its object, how many workers it has and where they run.

The pool is written in `runtime/pool.mlir` and the files it names; whoever compiles hands its object over.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from typing import Any

from stepwell.ir.errors import InvalidProgramError
from stepwell.runtime.loader import PARALLEL_FOR, Library

SPAWN = "stepwell_spawn"
AWAIT = "stepwell_await"
CALL = "stepwell_call"
CALL_INTO = "stepwell_call_into"
RECORDED_FOR = "stepwell_recorded_parallel_for"
RECORD = "stepwell_record_loops"
THREADS = "STEPWELL_NUM_THREADS"
AFFINITY = "STEPWELL_AFFINITY"

_CONFIGURE = "stepwell_configure_pool"
_COUNTER = "stepwell_pool_counter"
_EXPORTS = (PARALLEL_FOR, SPAWN, AWAIT, CALL, CALL_INTO, RECORDED_FOR, RECORD, _CONFIGURE, _COUNTER)
_MOST = 4096
_LOOPS, _STEALS, _SLEEPS = 23, 26, 27
"""Words of a worker's record (runtime/deque.mlir) that count."""

_lock = threading.Lock()
_state: dict[str, Any] = {}
_loaded: list[Library] = []
"""Never unloaded: threads run their code."""


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def worker_count() -> int:
    """Threads that work on a loop, the caller included: `STEPWELL_NUM_THREADS`, else `OMP_NUM_THREADS`, else the cores.

    Raises:
        InvalidProgramError: `STEPWELL_NUM_THREADS` is not a number of threads.
    """
    asked = os.environ.get(THREADS)
    if asked:
        if not asked.isdigit() or not 1 <= int(asked) <= _MOST:
            raise InvalidProgramError(f"{THREADS} must be 1 to {_MOST}, not '{asked}'")
        return int(asked)
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(int(first), _MOST) if first.isdigit() and int(first) > 0 else _cores()


def threads_stay() -> bool:
    """Whether each thread of the pool stays on one core: `STEPWELL_AFFINITY=cores`.

    Raises:
        InvalidProgramError: `STEPWELL_AFFINITY` is something else.
    """
    asked = os.environ.get(AFFINITY, "none")
    if asked not in ("none", "cores"):
        raise InvalidProgramError(f"{AFFINITY} is 'none' (the default) or 'cores', not '{asked}'")
    return asked == "cores"


class Pool:
    """A loaded pool."""

    def __init__(self, data: bytes, workers: int, *, pin: bool = False):
        self.library = Library([data], _EXPORTS)
        _loaded.append(self.library)
        self.parallel_for = self.library.address(PARALLEL_FOR)
        self.calls = (self.library.address(CALL), self.library.address(CALL_INTO))
        configure = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(self.library.address(_CONFIGURE))
        configure(workers, _cores(), int(pin))
        self.record_loops = ctypes.CFUNCTYPE(None, ctypes.c_int64)(self.library.address(RECORD))
        """Says where loops of programs linked to `recorded_symbols` write what was done when and by whom: an address, or 0."""
        self._counter = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(self.library.address(_COUNTER))

    def symbols(self) -> dict[str, int]:
        """What compiled code calls, by name."""
        return {name: self.library.address(name) for name in (PARALLEL_FOR, SPAWN, AWAIT)}

    def recorded_symbols(self) -> dict[str, int]:
        """The same for a program whose loops are recorded."""
        return {**self.symbols(), PARALLEL_FOR: self.library.address(RECORDED_FOR)}

    def jobs(self) -> int:
        """How many loops and futures other threads could take a part of."""
        return int(self._counter(_LOOPS))

    def steals(self) -> int:
        """How many pieces of loops moved to another thread."""
        return int(self._counter(_STEALS))

    def sleeps(self) -> int:
        """How often a thread went to sleep since there was nothing to do."""
        return int(self._counter(_SLEEPS))


def process_pool(data: bytes) -> Pool:
    """The pool of this process, loaded from `data` the first time. It is never unloaded: its threads live on."""
    with _lock:
        if "pool" not in _state:
            _state["pool"] = Pool(data, worker_count(), pin=threads_stay())
        return _state["pool"]


def _after_fork() -> None:
    """Another thread may have held the lock; a child has one thread, which holds none."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def runtime_symbols(data: bytes) -> dict[str, int]:
    """What compiled code calls of the pool's object, by name."""
    return process_pool(data).symbols()


def call_addresses(data: bytes) -> tuple[int, int]:
    """The addresses of `stepwell_call` and `stepwell_call_into`, from the pool's object."""
    return process_pool(data).calls


def parallel_for_address(data: bytes) -> int:
    """The address of `stepwell_parallel_for`, from the pool's object."""
    return process_pool(data).parallel_for
