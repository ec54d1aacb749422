"""`stepwell.Profiler`: named sections of a user's code and Stepwell's own phases, timed; a table, a trace for Chrome and Perfetto.

Sections may nest and run in any thread. While a profiler is used as a context manager, Stepwell's phases are among its sections: `trace`;
`compile`, and in it `parse`, each pass, `write LLVM IR`, `LLVM`, `load`; `call` for each call of an executable. Otherwise these phases only
look whether there is a profiler, and calls do not even that. `STEPWELL_PROFILE` turns the process's own profiler on.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
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
from typing import Any, ParamSpec, TypeVar

from stepwell.ir.errors import InvalidProgramError

VARIABLE = "STEPWELL_PROFILE"
USER = "user"
"""The category of sections that are not Stepwell's."""

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Section:
    """A section that ended.

    Attributes:
        name: what it was called.
        start, end: nanoseconds of the monotonic clock.
        thread: the number of its thread, in the order in which threads had sections.
        category: "user", or the phase of Stepwell: "compile" or "run".
    """

    name: str
    start: int
    end: int
    thread: int
    category: str = USER


@dataclass(frozen=True)
class Total:
    """All sections of a name; times in seconds."""

    name: str
    count: int
    total: float
    least: float
    most: float

    @property
    def mean(self) -> float:
        """Seconds of one."""
        return self.total / self.count


@dataclass
class _Thread:
    """The open sections of a thread, the innermost last; only that thread touches it."""

    number: int
    name: str
    open: list[tuple[str, int, str]]


class Profiler:
    """Times of named sections; any thread may use it at any time.

    Example:
        with stepwell.Profiler() as profiler:
            with profiler.section("load"):
                arrays = load()
            step(*arrays)
        print(profiler.report())
        profiler.export_chrome_trace("trace.json")
    """

    def __init__(self, *, enabled: bool | None = None):
        """Make a profiler without sections.

        Args:
            enabled: whether sections are recorded from now on; by default, whether `STEPWELL_PROFILE` is set. As a context
                manager it is enabled inside.
        """
        self.enabled = VARIABLE in os.environ if enabled is None else enabled
        self._lock = threading.Lock()
        self._sections: list[Section] = []
        self._threads: list[_Thread] = []
        self._local = threading.local()
        self._was: list[bool] = []

    def begin(self, name: str) -> None:
        """Begin a section; nothing where the profiler is not enabled."""
        if self.enabled:
            self._begin(name, USER)

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

    @contextlib.contextmanager
    def section(self, name: str, category: str = USER) -> Generator[None]:
        """A section around a block, also where it raises."""
        if not self.enabled:
            yield
            return
        self._begin(name, category)
        try:
            yield
        finally:
            self._end(name, time.monotonic_ns())

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
        with self._lock:
            return tuple(self._sections)

    def clear(self) -> None:
        """Forget the sections that ended."""
        with self._lock:
            self._sections.clear()

    def totals(self) -> tuple[Total, ...]:
        """The sections by name, those that take most first; sections inside of others count for both."""
        found: dict[str, list[int]] = {}
        for section in self.sections:
            found.setdefault(section.name, []).append(section.end - section.start)
        rows = [
            Total(name, len(times), sum(times) * 1e-9, min(times) * 1e-9, max(times) * 1e-9)
            for name, times in found.items()
        ]
        return tuple(sorted(rows, key=lambda row: (-row.total, row.name)))

    def report(self) -> str:
        """A table of `totals()`, in milliseconds."""
        rows: list[tuple[str, ...]] = [("section", "count", "total ms", "mean ms", "min ms", "max ms")]
        for row in self.totals():
            times = (row.total, row.mean, row.least, row.most)
            rows.append((row.name, str(row.count), *(f"{1e3 * t:.3f}" for t in times)))
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
            for row in rows
        ]
        return "\n".join(lines) + "\n"

    def chrome_trace(self) -> str:
        """The sections in Chrome's format, which Perfetto reads too: a row for each thread."""
        with self._lock:
            sections = sorted(self._sections, key=lambda s: (s.start, -s.end))
            threads = [(thread.number, thread.name) for thread in self._threads]
        origin = sections[0].start if sections else 0
        events: list[dict[str, Any]] = [
            {"ph": "M", "pid": 1, "tid": number, "name": "thread_name", "args": {"name": name}}
            for number, name in threads
        ]
        for s in sections:
            times = {"ts": round((s.start - origin) / 1000, 3), "dur": round((s.end - s.start) / 1000, 3)}
            events.append({"ph": "X", "pid": 1, "tid": s.thread, "name": s.name, "cat": s.category, **times})
        return json.dumps({"displayTimeUnit": "ms", "traceEvents": events}) + "\n"

    def export_chrome_trace(self, path: str | Path) -> None:
        """Write `chrome_trace()` to a file.

        Raises:
            InvalidProgramError: it cannot be written.
        """
        try:
            Path(path).write_text(self.chrome_trace(), encoding="utf-8")
        except OSError as error:
            raise InvalidProgramError(f"cannot write the trace: {error}") from None

    def __enter__(self) -> Profiler:
        self._was.append(self.enabled)
        self.enabled = True
        _activate(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _deactivate(self)
        self.enabled = self._was.pop()

    def _thread(self) -> _Thread:
        found: _Thread | None = getattr(self._local, "thread", None)
        if found is None:
            with self._lock:
                found = _Thread(len(self._threads), threading.current_thread().name, [])
                self._threads.append(found)
            self._local.thread = found
        return found

    def _begin(self, name: str, category: str) -> None:
        self._thread().open.append((name, time.monotonic_ns(), category))

    def _end(self, name: str, stop: int) -> bool:
        thread = self._thread()
        for at in range(len(thread.open) - 1, -1, -1):
            if thread.open[at][0] == name:
                _, start, category = thread.open.pop(at)
                with self._lock:
                    self._sections.append(Section(name, start, stop, thread.number, category))
                return True
        return False


# Stepwell's own phases ---------------------------------------------------------------------------------------------------

_lock = threading.RLock()
_active: list[Profiler] = []
_NOTHING = contextlib.nullcontext()


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


def _activate(profiler: Profiler) -> None:
    with _lock:
        if not _active:
            _record_calls(True)
        _active.append(profiler)


def _deactivate(profiler: Profiler) -> None:
    with _lock:
        _active.remove(profiler)
        if not _active:
            _record_calls(False)


def _record_calls(on: bool) -> None:
    """Put what records calls in the place of what only calls, or back: so calls that nobody records have nothing to ask."""
    from stepwell.runtime.executable import Executable

    if not on:
        Executable.__call__ = _plain.pop()
        return
    plain = Executable.__call__
    _plain.append(plain)

    def recorded(self: Executable, *arrays: Any, out: Any = None) -> Any:
        with phase("call", "run"):
            return plain(self, *arrays, out=out)

    Executable.__call__ = functools.wraps(plain)(recorded)


_plain: list[Callable[..., Any]] = []
"""`Executable.__call__`, while another is in its place."""


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

    A value that ends with `.json` is the file to write the trace to; any other has the report printed to standard error.
    """
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return
    with _lock:
        profiler = _made()
    profiler.__enter__()

    def finish() -> None:
        if wanted.endswith(".json"):
            try:
                profiler.export_chrome_trace(wanted)
            except InvalidProgramError as error:
                print(f"error: {error}", file=sys.stderr)
        else:
            print(profiler.report(), end="", file=sys.stderr)

    atexit.register(finish)


__all__ = ["Profiler", "Section", "Total", "default_profiler", "is_active", "phase", "start_from_environment"]
