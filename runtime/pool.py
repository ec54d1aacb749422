"""The process's thread pool: loads the object of `pool.mlir`, says how many threads, survives fork."""

from __future__ import annotations

import ctypes
import os
import threading

from stepwell.runtime.loader import Library

_EXPORTS = ("stepwell_parallel_for", "stepwell_pool_configure", "stepwell_pool_reset")
_lock = threading.Lock()
_pools: dict[bytes, Library] = {}


def worker_count() -> int:
    """How many threads a call may use: `STEPWELL_NUM_THREADS`, `OMP_NUM_THREADS`, or the CPUs this process may run on."""
    for name in ("STEPWELL_NUM_THREADS", "OMP_NUM_THREADS"):
        text = os.environ.get(name, "")
        if text.isdigit() and int(text) > 0:
            return int(text)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parallel_for_address(pool_object: bytes) -> int:
    """The address of `stepwell_parallel_for` of a pool object, loaded once a process; threads start at the first parallel loop."""
    with _lock:
        library = _pools.get(pool_object)
        if library is None:
            library = Library([pool_object], _EXPORTS)
            configure = ctypes.CFUNCTYPE(None, ctypes.c_int64)(library.address("stepwell_pool_configure"))
            configure(worker_count())
            _pools[pool_object] = library
    return library.address("stepwell_parallel_for")


def _after_fork() -> None:
    for library in _pools.values():
        ctypes.CFUNCTYPE(None)(library.address("stepwell_pool_reset"))()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
