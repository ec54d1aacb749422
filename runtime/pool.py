"""The process's one thread pool: loading its object, how many threads it has, how many of them work, and where they run.

The pool is written in `runtime/pool.mlir` and the files it names; whoever compiles hands its object over.
"""

from __future__ import annotations

import ctypes
import operator
import os
import threading
from typing import Any

from stepwell.ir.cores import allowed_cores, usable_cores
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
_LIMIT = "stepwell_limit_threads"
_COUNTER = "stepwell_pool_counter"
_EXPORTS = (PARALLEL_FOR, SPAWN, AWAIT, CALL, CALL_INTO, RECORDED_FOR, RECORD, _CONFIGURE, _LIMIT, _COUNTER)
_MOST = 4096
_LOOPS, _STEALS, _SLEEPS = 23, 26, 27
"""Words of a worker's record (runtime/deque.mlir) that count."""

_lock = threading.Lock()
_state: dict[str, Any] = {}
_loaded: list[Library] = []
"""Never unloaded: threads run their code."""


def _asked_for() -> int:
    asked = os.environ.get(THREADS)
    if asked:
        if not (asked.isascii() and asked.isdigit()) or int(asked) > _MOST:
            raise InvalidProgramError(f"{THREADS} must be 1 to {_MOST}, or 0 for all cores, not '{asked}'")
        return int(asked) or usable_cores()
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(int(first), _MOST) if first.isdigit() and int(first) > 0 else usable_cores()


def worker_count() -> int:
    """Threads that may ever work on a loop, the caller included, from the first time on that somebody asks.

    It is what `STEPWELL_NUM_THREADS` says, else `OMP_NUM_THREADS`, else the cores that may be kept busy (of the affinity mask, as
    many as CPU quotas pay for); what `set_num_threads` said before if that is more.

    Raises:
        InvalidProgramError: `STEPWELL_NUM_THREADS` is not a number of threads.
    """
    found = _state.get("workers")
    if found is None:
        with _lock:
            found = _state.setdefault("workers", max(_asked_for(), _state.get("limit", 1)))
    return found


def num_threads() -> int:
    """How many threads work on a parallel loop, the one that calls included."""
    limit = _state.get("limit")
    if limit is not None:
        return limit
    workers = _state.get("workers")
    return _asked_for() if workers is None else workers


def set_num_threads(count: int) -> None:
    """Say how many threads may work on a parallel loop from now on, the one that calls included; results keep their bits.

    Threads of the pool that are at work on a piece of a loop finish it first. One less than `count` of them stay awake, whoever
    calls: several threads that call programs at once share these.

    Args:
        count: 1 or more, at most as many as there were when the first program was made or loaded; before that, any number up to 4096.
            0: all there are, as at the beginning.

    Raises:
        InvalidProgramError: there are not that many, or it is no number of threads.
    """
    number = _checked(count)
    with _lock:
        workers = _state.get("workers")
        if workers is not None and number > workers:
            raise InvalidProgramError(
                f"this process has {workers} thread{'s' * (workers > 1)}, not {number}: that was settled when its first program "
                f"was made\nhint: call set_num_threads before that, or set {THREADS}"
            )
        if number:
            _state["limit"] = number
        else:
            _state.pop("limit", None)
        pool = _state.get("pool")
        if pool is not None:
            pool.limit(number or pool.workers)


def _checked(count: object) -> int:
    try:
        number = -1 if isinstance(count, bool) else operator.index(count)  # pyright: ignore[reportArgumentType]
    except TypeError:
        number = -1
    if not 0 <= number <= _MOST:
        raise InvalidProgramError(f"a number of threads is 1 to {_MOST}, or 0 for all there are, not {count!r}")
    return number


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
        self.workers = workers
        self.limit = ctypes.CFUNCTYPE(None, ctypes.c_int64)(self.library.address(_LIMIT))
        """Says how many threads may work on a loop from now on."""
        configure = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(self.library.address(_CONFIGURE))
        # Who asks for more threads than a quota pays for gets them: they may well run at once.
        configure(workers, allowed_cores(), int(pin))
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
    workers = worker_count()
    with _lock:
        pool: Pool | None = _state.get("pool")
        if pool is None:
            pool = Pool(data, workers, pin=threads_stay())
            pool.limit(_state.get("limit", workers))
            _state["pool"] = pool
        return pool


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
