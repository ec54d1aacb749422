"""`exe.profile(...)`: time, rates and shares of the limit of every kernel; as a table, as JSON, as a trace for Chrome and Perfetto.

A profile is of another build of the program, whose host reads the clock around each launch; the program itself has nothing of this.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr

from stepwell.backends.llvm_ir import entry_symbol, write_llvm
from stepwell.backends.target import Target
from stepwell.compiler import no_garbage_collection
from stepwell.dialects.registry import context
from stepwell.explanation.explain import read_explanation, to_kernels
from stepwell.explanation.model import Explanation, Kernel
from stepwell.explanation.text import duration, quantity
from stepwell.machine_limits import Limits, limits_of
from stepwell.native import signature_of
from stepwell.native_program import NativeProgram
from stepwell.objects import compile_objects, pool_object
from stepwell.passes.profile_launches import SITES, ProfileLaunchesPass
from stepwell.runtime import host_calls
from stepwell.runtime.executable import Signature
from stepwell.runtime.loader import Library
from stepwell.runtime.memory import pooled_array
from stepwell.runtime.pool import process_pool, worker_count
from stepwell.runtime.profiler import Event, ProfiledEntry, Recording, Times

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class KernelTimes:
    """The launches of one kernel in all recorded calls; times in seconds.

    Attributes:
        name, kind: of the kernel.
        count: launches recorded.
        total, mean, least, most: seconds.
        flops, bytes: a second, at the mean; None where the program does not say what a launch needs.
        share: of what the machine's limits allow, at the mean (1 is the limit), None where they are not known.
        bound: which limit that is.
    """

    name: str
    kind: str
    count: int
    total: float
    mean: float
    least: float
    most: float
    flops: float | None
    bytes: float | None
    share: float | None
    bound: str


@dataclass(frozen=True)
class Profile:
    """What calls of a program spent their time on.

    Attributes:
        program: its name.
        calls: seconds of each recorded call.
        kernels: those that take most first.
        limits: where the machine's limits come from: "measured", "assumed", or "" for none.
        dropped: launches that the trace leaves out.
        recording: single launches, and pieces of their loops.
        sites: the kernel of each launch of the program.
        results: of the last call.
    """

    program: str
    calls: tuple[float, ...]
    kernels: tuple[KernelTimes, ...]
    limits: str
    dropped: int
    recording: Recording = field(repr=False)
    sites: tuple[str, ...] = field(repr=False)
    results: tuple[Array, ...] = field(repr=False)

    @property
    def outside(self) -> float:
        """Seconds a call that no kernel accounts for: the host's own work."""
        total = sum(self.calls) - sum(kernel.total for kernel in self.kernels)
        return max(0.0, total / len(self.calls))

    @property
    def workers(self) -> tuple[float, ...]:
        """Seconds that each worker spent on pieces of loops, the caller (worker 0) first."""
        pieces = self.recording.pieces
        count = 1 + max((piece.worker for piece in pieces), default=0)
        busy, until = [0] * count, [0] * count
        for piece in pieces:  # by time: what begins before the last one's end is inside of it
            if piece.start >= until[piece.worker]:
                busy[piece.worker] += piece.end - piece.start
                until[piece.worker] = piece.end
        return tuple(time * 1e-9 for time in busy)

    @property
    def text(self) -> str:
        """The profile as a table."""
        return _table(self)

    def json(self) -> str:
        """The profile as JSON, without single launches."""
        entries = {
            "program": self.program,
            "calls": list(self.calls),
            "outside": self.outside,
            "limits": self.limits,
            "workers": list(self.workers),
            "kernels": [asdict(kernel) for kernel in self.kernels],
        }
        return json.dumps(entries, indent=2) + "\n"

    def trace(self) -> str:
        """Calls and launches, and what each worker did of their loops, as a trace in Chrome's format, which Perfetto reads too."""
        return json.dumps({"displayTimeUnit": "ns", "traceEvents": _trace_events(self)}) + "\n"

    def __str__(self) -> str:
        return self.text


class Profiler:
    """The profiled build of a program, made when it is first asked for."""

    def __init__(self, source: ModuleOp, lowered: ModuleOp, entry: str, target: Target, opt_level: int):
        """Build it.

        Args:
            source: the program, which is lowered to kernels to count what they need.
            lowered: the program on its last step.
            entry: the function to call.
            target: the machine.
            opt_level: as the program was compiled with.
        """
        self._limits: Limits = limits_of(target)
        with no_garbage_collection():
            to_kernels(source, entry, target, opt_level, [])
            self._explanation: Explanation = read_explanation(source, entry, target, opt_level, ())
            name, self._signature = signature_of(lowered)
            ProfileLaunchesPass().apply(context(), lowered)
            sites = lowered.attributes[SITES]
            assert isinstance(sites, ArrayAttr)
            self._sites = tuple(s.data for s in sites.data if isinstance(s, StringAttr))
            texts = [part.text for part in write_llvm(lowered, target)]
        objects = tuple(compile_objects(texts, target, opt_level))
        native = NativeProgram(self._signature, entry_symbol(name), objects, pool_object(target))
        self._entry = _loaded(native, self._signature, len(self._sites))

    def profile(self, given: Sequence[Array], repeat: int) -> Profile:
        """Call the program so often on arguments in the form native code reads, and read its times."""
        outputs = [pooled_array(t.shape, t.dtype, t.nbytes)[0] for t in self._signature.outputs]
        donated = self._signature.donated

        def inputs() -> Sequence[Array]:
            return [a.copy() if i in donated else a for i, a in enumerate(given)]

        recording = self._entry.record(inputs, outputs, repeat)
        known = {kernel.name: kernel for kernel in self._explanation.kernels}
        name, limits = self._explanation.program, self._limits.source
        return profile_of(name, recording, self._sites, known, limits, tuple(outputs))


def profile_of(
    program: str,
    recording: Recording,
    sites: tuple[str, ...],
    known: Mapping[str, Kernel],
    limits: str,
    results: tuple[Array, ...],
) -> Profile:
    """A profile of what was recorded at sites of kernels, of which some are known."""
    found: dict[str, Times] = {}
    for name, times in zip(sites, recording.sites, strict=True):
        found[name] = _added(found.get(name), times)
    rows = [_times(name, times, known.get(name)) for name, times in found.items() if times.count]
    kernels = tuple(sorted(rows, key=lambda row: (-row.total, row.name)))
    calls = tuple((end - start) * 1e-9 for start, end in recording.calls)
    return Profile(program, calls, kernels, limits, recording.dropped, recording, sites, results)


def _loaded(native: NativeProgram, signature: Signature, sites: int) -> ProfiledEntry:
    pool = process_pool(native.pool)
    library = Library(native.objects, [native.symbol], {**pool.recorded_symbols(), **host_calls.symbols()})
    memory = (signature.arena_bytes, signature.worker_bytes * worker_count())
    entry = host_calls.checked_entry(library.address(native.symbol))
    return ProfiledEntry(entry, sites, memory, library, record_loops=pool.record_loops)


def _added(one: Times | None, other: Times) -> Times:
    if one is None or one.count == 0:
        return other
    if other.count == 0:
        return one
    return Times(
        one.count + other.count, one.total + other.total, min(one.least, other.least), max(one.most, other.most)
    )


def _times(name: str, times: Times, kernel: Kernel | None) -> KernelTimes:
    mean = times.total * 1e-9 / times.count
    moved = kernel.bytes if kernel is not None else None
    flops = kernel.flops if kernel is not None else None
    least = kernel.seconds if kernel is not None else None
    return KernelTimes(
        name=name,
        kind=kernel.kind if kernel is not None else "",
        count=times.count,
        total=times.total * 1e-9,
        mean=mean,
        least=times.least * 1e-9,
        most=times.most * 1e-9,
        flops=flops / mean if flops is not None and mean else None,
        bytes=moved / mean if moved is not None and mean else None,
        share=least / mean if least is not None and mean else None,
        bound=kernel.bound if kernel is not None else "",
    )


_COLUMNS = ("kernel", "count", "total", "mean", "min", "max", "flop/s", "bytes/s", "of the limit")


def _table(profile: Profile) -> str:
    calls = profile.calls
    head = (
        f"{profile.program}: {len(calls)} calls, {duration(min(calls))} at least, {duration(sum(calls) / len(calls))} on average, "
        f"{duration(profile.outside)} of it outside of kernels"
    )
    rows = [_COLUMNS, *(_row(kernel) for kernel in profile.kernels)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]).rstrip()
        for row in rows
    ]
    limits = (
        [f"limits: {profile.limits}" + (LIMITS_HINT if profile.limits == "assumed" else "")] if profile.limits else []
    )
    dropped = [f"{profile.dropped} later launches are counted, but not in the trace"] if profile.dropped else []
    pieces = profile.recording.dropped_pieces
    dropped += [f"{pieces} later pieces of loops are neither counted nor in the trace"] if pieces else []
    busy = profile.workers
    shared = ["in loops: " + ", ".join(f"worker {i} {duration(t)}" for i, t in enumerate(busy))] if any(busy) else []
    return "\n".join([head, *lines, *shared, *limits, *dropped]) + "\n"


LIMITS_HINT = " ('stepwell targets --measure' measures them)"


def _row(kernel: KernelTimes) -> tuple[str, ...]:
    share = "?" if kernel.share is None else f"{100 * kernel.share:.0f} % {kernel.bound}"
    times = (kernel.total, kernel.mean, kernel.least, kernel.most)
    rates = (quantity(kernel.flops, "flop/s"), quantity(kernel.bytes, "B/s"))
    return (kernel.name, str(kernel.count), *(duration(t) for t in times), *rates, share)


def _trace_events(profile: Profile) -> list[dict[str, Any]]:
    """Events by time: a row for calls, inside of which are the launches, and one for each worker, the caller's too."""
    recording = profile.recording
    origin = min((start for start, _ in recording.calls), default=0)
    process = os.getpid()
    rows = ["host", *(f"worker {i}" for i in range(len(profile.workers) if recording.pieces else 0))]
    events: list[dict[str, Any]] = [
        {"ph": "M", "pid": process, "name": "process_name", "args": {"name": f"stepwell {profile.program}"}},
        *(
            {"ph": "M", "pid": process, "tid": 1 + i, "name": "thread_name", "args": {"name": row}}
            for i, row in enumerate(rows)
        ),
    ]

    def event(name: str, row: int, start: int, end: int, arguments: dict[str, Any]) -> dict[str, Any]:
        times = {"ts": (start - origin) / 1000, "dur": (end - start) / 1000}
        place = {"pid": process, "tid": 1 + row}
        return {"ph": "X", **place, "name": name, "cat": "stepwell", **times, "args": arguments}

    for number, (start, end) in enumerate(recording.calls):
        events.append(event("call", 0, start, end, {"number": number}))
    for launch in recording.events:
        events.append(event(profile.sites[launch.site], 0, launch.start, launch.end, {"site": launch.site}))
    launched = _Launched(recording.events, profile.sites)
    for piece in recording.pieces:
        tasks = {"first": piece.first, "last": piece.last - 1}
        events.append(event(launched.at(piece.start), 1 + piece.worker, piece.start, piece.end, tasks))
    return events


class _Launched:
    """Which kernel ran when; launches of a call do not overlap."""

    def __init__(self, events: Sequence[Event], sites: Sequence[str]):
        self._events = sorted(events, key=lambda event: event.start)
        self._starts = [event.start for event in self._events]
        self._sites = sites

    def at(self, time: int) -> str:
        """The kernel that was launched last; "?" for one that was not kept."""
        found = bisect_right(self._starts, time) - 1
        if found < 0 or time > self._events[found].end:
            return "?"
        return self._sites[self._events[found].site]


__all__ = ["KernelTimes", "Profile", "Profiler"]
