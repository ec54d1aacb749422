"""Calls that run beside the code that asked for them: `submit` gives a `concurrent.futures.Future` of what a function returns.

They run on a few threads of the process, made when the first call is submitted. Calls of compiled programs release the interpreter's lock
and have memory of their own, so several run at once, and share the threads of the pool (`runtime/pool.py`). The interpreter waits at
its end for calls that were submitted. A forked child has threads of its own; futures of its parent stay as they were.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from stepwell.ir.cores import usable_cores

P = ParamSpec("P")
R = TypeVar("R")

_MOST = 32
_lock = threading.Lock()
_executors: list[ThreadPoolExecutor] = []
"""The process's one, once it is made."""


def submit(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
    """Call a function on another thread; what it returns, or raises, comes out of the future.

    As many calls run at once as there are cores, two at least; others wait their turn, and may be cancelled until then. A function
    that waits for other futures of `submit` keeps its thread meanwhile.

    Args:
        function: what to call: a jitted function, an executable, or any other.
        *args: its arguments. Arrays are not copied: leave them as they are until the call is done.
        **kwargs: its arguments by name.
    """
    return _executor().submit(function, *args, **kwargs)


def _executor() -> ThreadPoolExecutor:
    with _lock:
        if not _executors:
            _executors.append(
                ThreadPoolExecutor(min(max(usable_cores(), 2), _MOST), thread_name_prefix="stepwell-calls")
            )
        return _executors[0]


def _after_fork() -> None:
    """Another thread may have held the lock; the threads of the executor are the parent's."""
    global _lock
    _lock = threading.Lock()
    _executors.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

__all__ = ["submit"]
