"""Calls that run beside the code that asked for them: `submit` gives a `concurrent.futures.Future` of what a function returns.

They run on a few threads of the process, made when the first call is submitted. Calls of compiled programs release the interpreter's lock
and have memory of their own, so several run at once, and share the threads of the pool (`runtime/pool.py`). The interpreter waits at
its end for calls that were submitted. A forked child has threads of its own; futures of its parent stay as they were.

A call may submit others and wait for them. Its thread then does what it waits for itself, where nobody has begun it: else all threads
could wait for calls that no thread is left for.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, ParamSpec, TypeVar

from stepwell.ir.cores import usable_cores

P = ParamSpec("P")
R = TypeVar("R")

_MOST = 32
_lock = threading.Lock()
_executors: list[ThreadPoolExecutor] = []
"""The process's one, once it is made."""
_here = threading.local()


class _Call(Future[R], Generic[R]):
    """The future of a call, which is done by whoever comes first: a thread of the executor, or one of them that waits for it."""

    def __init__(self, function: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]):
        super().__init__()
        self._unbegun = [(function, args, kwargs)]

    def do(self) -> None:
        """Call the function, unless that was begun or cancelled."""
        try:
            function, args, kwargs = self._unbegun.pop()  # of several threads one has it
        except IndexError:
            return
        if not self.set_running_or_notify_cancel():
            return
        try:
            made = function(*args, **kwargs)
        except BaseException as error:
            self.set_exception(error)
            del self  # the error has this frame, and the future has the error
        else:
            self.set_result(made)

    def _help(self, timeout: float | None) -> None:
        """Do it here rather than keep a thread waiting; who waits no longer than some time is not kept longer by work."""
        if timeout is None and getattr(_here, "is_executor", False):
            self.do()

    def result(self, timeout: float | None = None) -> R:
        """What the function returned."""
        self._help(timeout)
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What the function raised, or None."""
        self._help(timeout)
        return super().exception(timeout)


def submit(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
    """Call a function on another thread; what it returns, or raises, comes out of the future.

    As many calls run at once as there are cores, two at least; others wait their turn, and may be cancelled until then. A function
    may submit others: `result()` and `exception()` of what nobody has begun, without a timeout, do it on the thread that asks, so that
    calls do not wait for each other's threads; `concurrent.futures.wait` keeps a thread meanwhile.

    Args:
        function: what to call: a jitted function, an executable, or any other.
        *args: its arguments. Arrays are not copied: leave them as they are until the call is done.
        **kwargs: its arguments by name.
    """
    call: _Call[R] = _Call(function, args, kwargs)
    _executor().submit(call.do)
    return call


def _mark_thread() -> None:
    _here.is_executor = True


def _executor() -> ThreadPoolExecutor:
    with _lock:
        if not _executors:
            count = min(max(usable_cores(), 2), _MOST)
            _executors.append(ThreadPoolExecutor(count, thread_name_prefix="stepwell-calls", initializer=_mark_thread))
        return _executors[0]


def _after_fork() -> None:
    """Another thread may have held the lock; the threads of the executor are the parent's."""
    global _lock
    _lock = threading.Lock()
    _executors.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

__all__ = ["submit"]
