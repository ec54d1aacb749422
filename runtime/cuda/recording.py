"""When what calls start on a device runs there: an event before and after each kernel, copy and fill; host kernels by the host's clock.

Only programs that are prepared for it have any of this.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from stepwell.runtime.cuda.device import Device, Stream
from stepwell.runtime.cuda.event import Event
from stepwell.runtime.cuda.program import Copy, Fill, HostCall, Instruction, Launch
from stepwell.runtime.profiler import MOST_EVENTS, Recording, Times
from stepwell.runtime.profiler import Event as Span

Step = Callable[[Any], None]
"""A prepared instruction: what it is given knows the stream, `a.state.stream`."""
WAITING = 2048
"""Pairs of events that are not read yet, at most: then the device is waited for, and they are used again."""


def _now() -> int:
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


class Recorder:
    """Records one call after the other; times are those of the device, from where the host's clock was when a call began."""

    def __init__(self, device: Device, most_events: int = MOST_EVENTS):
        self.names: list[str] = []
        """What each site is: a kernel, "copy", "fill"."""
        self._device = device
        self._most = most_events
        self._idle: list[Event] = []
        self._pending: list[tuple[int, Event, Event]] = []
        self._origin: tuple[Event, int] | None = None
        self.clear()

    def clear(self) -> None:
        """Forget what was recorded."""
        self._calls: list[tuple[int, int]] = []
        self._events: list[Span] = []
        self._times: dict[int, Times] = {}
        self._dropped = 0

    # While a program is prepared.

    def around(self, instruction: Instruction, step: Step) -> Step:
        """A step that is recorded, where its instruction is one of those."""
        if isinstance(instruction, HostCall):
            return self._by_host(self._site(instruction.kernel), step)
        if isinstance(instruction, Launch):
            return self._by_device(self._site("::".join(instruction.kernel)), step)
        if isinstance(instruction, Copy | Fill):
            return self._by_device(self._site(type(instruction).__name__.lower()), step)
        return step

    def _site(self, name: str) -> int:
        self.names.append(name)
        return len(self.names) - 1

    def _by_device(self, site: int, step: Step) -> Step:
        def run(a: Any) -> None:
            before, after = self._event(), self._event()
            before.record(a.state.stream)
            step(a)
            after.record(a.state.stream)
            self._pending.append((site, before, after))
            if len(self._pending) >= WAITING:
                self._read()

        return run

    def _by_host(self, site: int, step: Step) -> Step:
        def run(a: Any) -> None:
            start = _now()
            step(a)
            self._add(site, start, _now())

        return run

    # Calls.

    def record(self, stream: Stream, call: Callable[[], None]) -> None:
        """Do one call, all of whose work is on a stream, and wait for it."""
        stream.synchronize("wait before a profiled call")
        origin, end = self._event(), self._event()
        self._origin = (origin, max(_now(), self._calls[-1][1] if self._calls else 0))
        origin.record(stream)
        call()
        end.record(stream)
        self._read()
        stop = self._time(end)
        self._calls.append((self._origin[1], max(stop, _now())))
        self._idle += [origin, end]
        self._origin = None

    def _event(self) -> Event:
        return self._idle.pop() if self._idle else Event(self._device)

    def _time(self, event: Event) -> int:
        assert self._origin is not None
        origin, zero = self._origin
        return zero + round(1e9 * event.seconds_since(origin))

    def _read(self) -> None:
        """Read the events that the device has come to, all of them."""
        for site, before, after in self._pending:
            start = self._time(before)
            self._add(site, start, start + round(1e9 * after.seconds_since(before)))
            self._idle += [before, after]
        self._pending.clear()

    def _add(self, site: int, start: int, end: int) -> None:
        took, known = end - start, self._times.get(site)
        if known is None:
            self._times[site] = Times(1, took, took, took)
        else:
            least, most = min(known.least, took), max(known.most, took)
            self._times[site] = Times(known.count + 1, known.total + took, least, most)
        if len(self._events) < self._most:
            self._events.append(Span(site, start, end))
        else:
            self._dropped += 1

    def recording(self) -> Recording:
        """What was recorded."""
        sites = [self._times.get(site, Times(0, 0, 0, 0)) for site in range(len(self.names))]
        return Recording(tuple(self._calls), tuple(sites), tuple(self._events), self._dropped)


__all__ = ["WAITING", "Recorder"]
