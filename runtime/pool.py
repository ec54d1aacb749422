"""The process's one thread pool: loading its object, and how many workers it has.

The pool is written in `runtime/pool.mlir`; whoever compiles hands its object over.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from typing import Any

from stepwell.ir.errors import InvalidProgramError
from stepwell.runtime.loader import PARALLEL_FOR, Library

_EXPORTS = (PARALLEL_FOR, "stepwell_set_workers", "stepwell_pool_jobs")
_MOST = 4096

_lock = threading.Lock()
_state: dict[str, Any] = {}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def worker_count() -> int:
    """Threads that work on a loop, the caller included: `STEPWELL_NUM_THREADS`, else `OMP_NUM_THREADS`, else the cores.

    Raises:
        InvalidProgramError: `STEPWELL_NUM_THREADS` is not a number of threads.
    """
    asked = os.environ.get("STEPWELL_NUM_THREADS")
    if asked:
        if not asked.isdigit() or not 1 <= int(asked) <= _MOST:
            raise InvalidProgramError(f"STEPWELL_NUM_THREADS must be 1 to {_MOST}, not '{asked}'")
        return int(asked)
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(int(first), _MOST) if first.isdigit() and int(first) > 0 else _cores()


class Pool:
    """A loaded pool."""

    def __init__(self, data: bytes, workers: int):
        self.library = Library([data], _EXPORTS)
        self.parallel_for = self.library.address(PARALLEL_FOR)
        set_workers = ctypes.CFUNCTYPE(None, ctypes.c_int64)(self.library.address("stepwell_set_workers"))
        set_workers(workers)
        self._jobs = ctypes.CFUNCTYPE(ctypes.c_int64)(self.library.address("stepwell_pool_jobs"))

    def jobs(self) -> int:
        """How many loops ran on more than one thread."""
        return int(self._jobs())


def process_pool(data: bytes) -> Pool:
    """The pool of this process, loaded from `data` the first time. It is never unloaded: its threads live on."""
    with _lock:
        if "pool" not in _state:
            _state["pool"] = Pool(data, worker_count())
        return _state["pool"]


def parallel_for_address(data: bytes) -> int:
    """The address of `stepwell_parallel_for`, from the pool's object."""
    return process_pool(data).parallel_for
