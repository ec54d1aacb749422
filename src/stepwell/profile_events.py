"""What a `stepwell.Profiler` records, and what becomes of it: totals, a table, events in Chrome's format."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

USER = "user"
"""The category of what is not Stepwell's."""

Argument = str | int | float | bool | None
Arguments = Mapping[str, Argument]
NO_ARGUMENTS: Arguments = MappingProxyType({})
_MIB = 1 << 20


class Section(NamedTuple):
    """A section that ended.

    Attributes:
        name: what it was called.
        start, end: nanoseconds of the monotonic clock.
        thread: the number of its thread, in the order in which threads had sections.
        category: "user", or the phase of Stepwell: "compile" or "run".
        process: the number that the system has for its process.
        arguments: what was said of it.
    """

    name: str
    start: int
    end: int
    thread: int
    category: str = USER
    process: int = 0
    arguments: Arguments = NO_ARGUMENTS


class OpenSection(NamedTuple):
    """A section that did not end yet; attributes as of `Section`."""

    name: str
    start: int
    thread: int
    category: str
    process: int
    arguments: Arguments


class Instant(NamedTuple):
    """Something that happened at a time; attributes as of `Section`."""

    name: str
    time: int
    thread: int
    category: str
    process: int
    arguments: Arguments


class Counter(NamedTuple):
    """What quantities were at a time.

    Attributes:
        name: what they are quantities of.
        time: nanoseconds of the monotonic clock.
        process: the number that the system has for its process.
        values: the number of each.
    """

    name: str
    time: int
    process: int
    values: Mapping[str, int | float]


class MemoryEvent(NamedTuple):
    """A block of the host's memory that was handed out, or came back.

    Attributes:
        time: nanoseconds of the monotonic clock.
        size: bytes; less than 0 when it came back.
        address: where it is.
        used: bytes that are used from then on.
        section: the innermost section in which its thread was; "" outside of all.
        process: the number that the system has for its process.
    """

    time: int
    size: int
    address: int
    used: int
    section: str
    process: int


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


@dataclass(frozen=True)
class MemoryTotals:
    """Bytes of the host's memory that were used at the end of a recording and at most, and how many blocks were handed out in it."""

    used: int
    most: int
    allocations: int


@dataclass(frozen=True)
class Recorded:
    """All that was recorded; `threads` are the names of the threads by number."""

    sections: Sequence[Section]
    open_sections: Sequence[OpenSection]
    instants: Sequence[Instant]
    counters: Sequence[Counter]
    memory: Sequence[MemoryEvent]
    threads: Mapping[int, str]


def argument(value: object) -> Argument:
    """A value as something to keep: a number, a string, None; of others, what `str` says."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else str(value)


def number(value: object) -> int | float | None:
    """A value as a number; None where it is none."""
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else None


def totals(sections: Iterable[Section]) -> tuple[Total, ...]:
    """Sections by name, those that take most first."""
    found: dict[str, list[int]] = {}
    for section in sections:
        found.setdefault(section.name, []).append(section.end - section.start)
    rows = [
        Total(name, len(times), sum(times) * 1e-9, min(times) * 1e-9, max(times) * 1e-9)
        for name, times in found.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.total, row.name)))


def report(rows: Iterable[Total], memory: MemoryTotals | None) -> str:
    """Memory, then a table of times in milliseconds."""
    lines: list[str] = []
    if memory is not None:
        used, most = memory.used / _MIB, memory.most / _MIB
        lines.append(f"memory: {used:.2f} MB at the end, {most:.2f} MB at most, {memory.allocations} allocations")
    table: list[tuple[str, ...]] = [("section", "count", "total ms", "mean ms", "min ms", "max ms")]
    for row in rows:
        times = (row.total, row.mean, row.least, row.most)
        table.append((row.name, str(row.count), *(f"{1e3 * t:.3f}" for t in times)))
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    lines += [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in table
    ]
    return "\n".join(lines) + "\n"


def chrome_trace(recorded: Recorded) -> dict[str, Any]:
    """What was recorded in Chrome's format: a row for each thread, times from the first event on, sections by their begins."""
    origin = min(_times(recorded), default=0)
    events = [*_names(recorded)]
    for s in sorted(recorded.sections, key=lambda s: (s.start, -s.end)):
        duration = {"dur": _micro(s.end - s.start)}
        events.append(_event("X", s, s.start - origin) | duration | _on_thread(s.thread, s.category, s.arguments))
    for s in recorded.open_sections:  # a begin without an end: viewers draw it to the end of the trace
        events.append(_event("B", s, s.start - origin) | _on_thread(s.thread, s.category, s.arguments))
    for i in recorded.instants:
        events.append(_event("i", i, i.time - origin) | {"s": "t"} | _on_thread(i.thread, i.category, i.arguments))
    for c in recorded.counters:
        values = {key: value for key, value in c.values.items() if isinstance(_in_json(value), int | float)}
        if values:
            events.append(_event("C", c, c.time - origin) | {"args": values})
    for m in recorded.memory:
        event = {"ph": "C", "pid": m.process, "ts": _micro(m.time - origin), "name": "memory"}
        events.append(event | {"args": {"used": m.used}})
    return {"displayTimeUnit": "ms", "traceEvents": events}


def _times(recorded: Recorded) -> Iterable[int]:
    for section in (*recorded.sections, *recorded.open_sections):
        yield section.start
    for event in (*recorded.instants, *recorded.counters, *recorded.memory):
        yield event.time


def _names(recorded: Recorded) -> Iterable[dict[str, Any]]:
    """What the processes and threads of the events are called."""
    on_threads = [*recorded.sections, *recorded.open_sections, *recorded.instants]
    rows = sorted({(event.process, event.thread) for event in on_threads})
    others = {event.process for event in (*recorded.counters, *recorded.memory)}
    program = Path(sys.argv[0]).name if sys.argv and sys.argv[0] not in ("", "-c") else "python"
    for process in sorted(others.union(process for process, _ in rows)):
        yield {"ph": "M", "pid": process, "name": "process_name", "args": {"name": program}}
    for process, thread in rows:
        name = recorded.threads.get(thread, f"thread {thread}")
        yield {"ph": "M", "pid": process, "tid": thread, "name": "thread_name", "args": {"name": name}}


def _event(kind: str, event: Section | OpenSection | Instant | Counter, time: int) -> dict[str, Any]:
    return {"ph": kind, "pid": event.process, "ts": _micro(time), "name": event.name}


def _on_thread(thread: int, category: str, arguments: Arguments) -> dict[str, Any]:
    shown = {key: _in_json(value) for key, value in arguments.items()}
    return {"tid": thread, "cat": category} | ({"args": shown} if shown else {})


def _micro(nanoseconds: int) -> float:
    return round(nanoseconds / 1000, 3)


def _in_json(value: Argument) -> Argument:
    """What JSON and those who read a trace take: numbers beyond them as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        return hex(value)
    return value


__all__ = [
    "NO_ARGUMENTS",
    "USER",
    "Argument",
    "Arguments",
    "Counter",
    "Instant",
    "MemoryEvent",
    "MemoryTotals",
    "OpenSection",
    "Recorded",
    "Section",
    "Total",
    "argument",
    "chrome_trace",
    "number",
    "report",
    "totals",
]
