"""`stepwell.Profiler`: named sections of a user's code and Stepwell's own phases, timed; a table, a trace for Chrome and Perfetto.

Sections may nest and run in any thread; beside them there are instants and counters. While a profiler is used as a context manager,
Stepwell's phases are among its sections: `trace`; `compile`, and in it `parse`, each pass, `write LLVM IR`, `LLVM`, `load`; `call` for each
call of an executable; and what the memory pool hands out is recorded. Otherwise these phases only look whether there is a profiler, and
calls do not even that. `STEPWELL_PROFILE` turns the process's own profiler on.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from stepwell.ir.errors import InvalidProgramError
from stepwell.profile_events import (
    NO_ARGUMENTS,
    USER,
    Arguments,
    Counter,
    Instant,
    MemoryEvent,
    MemoryTotals,
    OpenSection,
    Recorded,
    Section,
    Total,
    argument,
    chrome_trace,
    number,
    report,
    totals,
)

if TYPE_CHECKING:
    from stepwell.runtime.executable import Executable

VARIABLE = "STEPWELL_PROFILE"
_NOTHING = contextlib.nullcontext()

P = ParamSpec("P")
R = TypeVar("R")


@dataclass
class _Thread:
    """A thread and its open sections, the innermost last; only that thread changes it."""

    number: int
    thread: threading.Thread
    open: list[OpenSection]


class Profiler:
    """Times of named sections, instants and counters; any thread may use it at any time.

    Example::

        with stepwell.Profiler() as profiler:
            with profiler.section("load", path="a.npz"):
                arrays = load("a.npz")
            profiler.counter("loss", step(*arrays))
        print(profiler.report())
        profiler.export_chrome_trace("trace.json")
    """

    def __init__(self, *, enabled: bool | None = None):
        """Make a profiler without sections.

        Args:
            enabled: whether anything is recorded from now on; by default, whether `STEPWELL_PROFILE` is set. As a context
                manager it is enabled inside.
        """
        self.enabled = VARIABLE in os.environ if enabled is None else enabled
        self._local = threading.local()
        self._was: list[bool] = []
        # Appended to without a lock: that is atomic, and a collection, which may come anywhere, frees memory, which is recorded.
        self._numbers = itertools.count()
        self._threads: list[_Thread] = []
        self._sections: list[Section] = []
        self._instants: list[Instant] = []
        self._counters: list[Counter] = []
        self._memory: list[MemoryEvent] = []

    def begin(self, name: str, /, **arguments: object) -> None:
        """Begin a section; nothing where the profiler is not enabled.

        Args:
            name: what to call it.
            **arguments: what a trace shall say of it.
        """
        if self.enabled:
            self._begin(name, USER, arguments)

    def end(self, name: str) -> None:
        """End the section of that name that this thread began last and did not end; nothing where the profiler is not enabled.

        Raises:
            InvalidProgramError: it began none.
        """
        if not self.enabled:
            return
        stop = time.monotonic_ns()
        if not self._end(name, stop):
            raise InvalidProgramError(f"no section '{name}' was begun in this thread")

    def section(self, name: str, /, category: str = USER, **arguments: object) -> AbstractContextManager[None]:
        """A section around a block, also where it raises.

        Args:
            name: what to call it.
            category: what kind of section it is.
            **arguments: what a trace shall say of it.
        """
        return self._section(name, category, arguments) if self.enabled else _NOTHING

    @contextlib.contextmanager
    def _section(self, name: str, category: str, arguments: dict[str, object]) -> Generator[None]:
        self._begin(name, category, arguments)
        try:
            yield
        finally:
            self._end(name, time.monotonic_ns())

    def instant(self, name: str, /, category: str = USER, **arguments: object) -> None:
        """Record that something happened now, in this thread.

        Args:
            name: what to call it.
            category: what kind of event it is.
            **arguments: what a trace shall say of it.
        """
        if self.enabled:
            now = time.monotonic_ns()
            said = _arguments(arguments)
            self._instants.append(Instant(name, now, self._thread().number, category, os.getpid(), said))

    def counter(self, name: str, value: float | None = None, /, **values: float) -> None:
        """Record what quantities are now: `counter("loss", 0.25)`, or several together, `counter("queue", waiting=3, done=17)`.

        Args:
            name: what they are quantities of; a trace has a graph for each name.
            value: the quantity, if there is one alone.
            **values: the quantities by name.

        Raises:
            InvalidProgramError: there is none, or one is no number.
        """
        if not self.enabled:
            return
        now = time.monotonic_ns()
        given: dict[str, object] = dict(values) if value is None else {"value": value, **values}
        found: dict[str, int | float] = {}
        for key, quantity in given.items():
            as_number = number(quantity)
            if as_number is None:
                raise InvalidProgramError(f"'{key}' of counter '{name}' is a {type(quantity).__name__}, not a number")
            found[key] = as_number
        if not found:
            raise InvalidProgramError(f"counter '{name}' is given no number")
        self._counters.append(Counter(name, now, os.getpid(), found))

    def call(self, name: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What a function returns, its call being a section."""
        with self.section(name):
            return function(*args, **kwargs)

    def profiled(self, function: Callable[P, R]) -> Callable[P, R]:
        """The function, every call of which is a section of its name; a decorator."""
        name = getattr(function, "__qualname__", repr(function))

        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            return self.call(name, function, *args, **kwargs)

        return wrapper

    @property
    def sections(self) -> tuple[Section, ...]:
        """Those that ended, in the order of their ends."""
        return tuple(self._sections)

    @property
    def instants(self) -> tuple[Instant, ...]:
        """What happened, in order."""
        return tuple(self._instants)

    @property
    def counters(self) -> tuple[Counter, ...]:
        """What quantities were, in order."""
        return tuple(self._counters)

    @property
    def memory_events(self) -> tuple[MemoryEvent, ...]:
        """Blocks of the host's memory that were handed out or came back, in order. The first has no size: it says what was used before."""
        return tuple(self._memory)

    @property
    def memory(self) -> MemoryTotals | None:
        """What of the host's memory was used while the profiler was a context manager; None if it never was."""
        events = self.memory_events
        if not events:
            return None
        most = max(event.used for event in events)
        return MemoryTotals(events[-1].used, most, sum(event.size > 0 for event in events))

    def clear(self) -> None:
        """Forget all that was recorded; sections that are open stay so."""
        for events in (self._sections, self._instants, self._counters, self._memory):
            events.clear()
        if self in _active:
            self._record_used()

    def totals(self) -> tuple[Total, ...]:
        """The sections by name, those that take most first; sections inside of others count for both."""
        return totals(self.sections)

    def report(self) -> str:
        """What memory was used, in MB of 2^20 bytes, then a table of `totals()`, in milliseconds."""
        return report(self.totals(), self.memory)

    def chrome_trace(self) -> str:
        """All that was recorded in Chrome's format, which Perfetto reads too: a row for each thread, a graph for each counter."""
        return json.dumps(chrome_trace(self._recorded()), allow_nan=False) + "\n"

    def export_chrome_trace(self, path: str | Path) -> None:
        """Write `chrome_trace()` to a file.

        Raises:
            InvalidProgramError: it cannot be written.
        """
        try:
            Path(path).write_text(self.chrome_trace(), encoding="utf-8")
        except OSError as error:
            raise InvalidProgramError(f"cannot write the trace: {error}") from None

    def export_tensorboard(self, logdir: str | Path, run: str | None = None) -> Path:
        """Write all that was recorded for TensorBoard: a profile, and scalars of the sections' times, counters and memory.

        Args:
            logdir: TensorBoard's folder; it is made.
            run: what TensorBoard is to call the profile; by default, the time.

        Returns:
            The folder of the profile, `logdir/plugins/profile/RUN`.

        Raises:
            InvalidProgramError: `run` is no name, or something cannot be written.
        """
        from stepwell import tensorboard

        return tensorboard.export(self._recorded(), logdir, run)

    def __enter__(self) -> Profiler:
        self._was.append(self.enabled)
        self.enabled = True
        self._record_used()
        _activate(self, self._record_memory)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _deactivate(self, self._record_memory)
        self.enabled = self._was.pop()

    def _recorded(self) -> Recorded:
        threads = tuple(self._threads)
        open_sections = [section for thread in threads for section in tuple(thread.open)]
        names = {thread.number: thread.thread.name for thread in threads}
        return Recorded(self.sections, open_sections, self.instants, self.counters, self.memory_events, names)

    def _thread(self) -> _Thread:
        found: _Thread | None = getattr(self._local, "thread", None)
        if found is None:
            found = self._local.thread = _Thread(next(self._numbers), threading.current_thread(), [])
            self._threads.append(found)
        return found

    def _begin(self, name: str, category: str, arguments: dict[str, object]) -> None:
        thread = self._thread()
        said = _arguments(arguments)
        opened = OpenSection(name, time.monotonic_ns(), thread.number, category, os.getpid(), said)
        thread.open.append(opened)

    def _end(self, name: str, stop: int) -> bool:
        thread = self._thread()
        for at in range(len(thread.open) - 1, -1, -1):
            if thread.open[at].name == name:
                _, start, _, category, process, arguments = thread.open.pop(at)
                self._sections.append(Section(name, start, stop, thread.number, category, process, arguments))
                return True
        return False

    def _record_memory(self, now: int, size: int, address: int, used: int) -> None:
        if not self.enabled:
            return
        thread: _Thread | None = getattr(self._local, "thread", None)
        section = thread.open[-1].name if thread is not None and thread.open else ""
        self._memory.append(MemoryEvent(now, size, address, used, section, os.getpid()))

    def _record_used(self) -> None:
        from stepwell.runtime.memory import POOL

        self._record_memory(time.monotonic_ns(), 0, 0, POOL.used_bytes)


def _arguments(given: dict[str, object]) -> Arguments:
    return {key: argument(value) for key, value in given.items()} if given else NO_ARGUMENTS


# Stepwell's own phases ---------------------------------------------------------------------------------------------------

_lock = threading.RLock()
_active: list[Profiler] = []
_watchers: list[Callable[[int, int, int, int], None]] = []
"""What the active profilers record memory with."""


def is_active() -> bool:
    """Whether somebody wants to know of Stepwell's phases."""
    return bool(_active)


def phase(name: str, category: str = "compile") -> AbstractContextManager[None]:
    """A phase of Stepwell's: a section of the profilers that are active."""
    active = tuple(_active)
    return _phase(name, category, active) if active else _NOTHING


@contextlib.contextmanager
def _phase(name: str, category: str, active: tuple[Profiler, ...]) -> Generator[None]:
    with contextlib.ExitStack() as stack:
        for profiler in active:
            stack.enter_context(profiler.section(name, category))
        yield


def _activate(profiler: Profiler, watcher: Callable[[int, int, int, int], None]) -> None:
    from stepwell.runtime.memory import POOL

    with _lock:
        if not _active:
            _record_calls()
            POOL.watcher = _record_memory
        _watchers.append(watcher)
        _active.append(profiler)


def _deactivate(profiler: Profiler, watcher: Callable[[int, int, int, int], None]) -> None:
    from stepwell.runtime.memory import POOL

    with _lock:
        _active.remove(profiler)
        _watchers.remove(watcher)
        if not _active:
            POOL.watcher = None
            _stop_recording_calls()


def record_calls_of(executables: type[Executable]) -> None:
    """Have calls of a class of executables recorded, one that has a way of its own to call them."""
    with _lock:
        _classes.append(executables)
        if _active:
            _record(executables)


def _record_calls() -> None:
    """Put what records calls in the place of what only calls: so calls that nobody records have nothing to ask."""
    from stepwell.runtime.executable import Executable

    for executables in (Executable, *_classes):
        _record(executables)


def _record(executables: type[Executable]) -> None:
    plain = executables.__call__

    def recorded(self: Executable, *arrays: Any, out: Any = None) -> Any:
        with phase("call", "run"):
            return plain(self, *arrays, out=out)

    _plain[executables] = plain
    executables.__call__ = functools.wraps(plain)(recorded)


def _stop_recording_calls() -> None:
    while _plain:
        executables, plain = _plain.popitem()
        executables.__call__ = plain


def _record_memory(size: int, address: int, used: int) -> None:
    now = time.monotonic_ns()
    for watcher in tuple(_watchers):
        watcher(now, size, address, used)


_classes: list[type[Executable]] = []
"""Those with a way of their own to be called, beside `Executable`."""
_plain: dict[type[Executable], Callable[..., Any]] = {}
"""The `__call__` of each class, while another is in its place."""


# The process's profiler --------------------------------------------------------------------------------------------------


@functools.cache
def _made() -> Profiler:
    return Profiler()


def default_profiler() -> Profiler:
    """The process's profiler, made when it is first asked for: enabled if `STEPWELL_PROFILE` is set."""
    start_from_environment()
    with _lock:
        return _made()


@functools.cache
def start_from_environment() -> None:
    """Where `STEPWELL_PROFILE` is set, record from now on, and say what was recorded when the process ends.

    A value that ends with `.json` is the file to write the trace to, one that ends with `/` TensorBoard's folder; any other has the report
    printed to standard error.
    """
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return
    with _lock:
        profiler = _made()
    profiler.__enter__()

    def finish() -> None:
        try:
            if wanted.endswith(".json"):
                profiler.export_chrome_trace(wanted)
            elif wanted.endswith("/"):
                profiler.export_tensorboard(wanted)
            else:
                print(profiler.report(), end="", file=sys.stderr)
        except InvalidProgramError as error:
            print(f"error: {error}", file=sys.stderr)

    atexit.register(finish)


__all__ = [
    "Profiler",
    "Section",
    "Total",
    "default_profiler",
    "is_active",
    "phase",
    "record_calls_of",
    "start_from_environment",
]
