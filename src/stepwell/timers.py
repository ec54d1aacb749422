"""`stepwell.Timer`: a stopwatch in nanoseconds of a clock that never goes back; read while it runs, paused and resumed."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Literal

from stepwell.ir.errors import InvalidProgramError


class Timer:
    """A stopwatch, for one thread at a time.

    Example:
        with stepwell.Timer() as timer:
            step(x)
            timer.pause()
            log(x)
            timer.resume()
            step(x)
        print(timer.elapsed_ms)
    """

    __slots__ = ("_before", "_since", "_state")

    def __init__(self) -> None:
        """Make a timer that stands at 0."""
        self._state: Literal["stopped", "running", "paused"] = "stopped"
        self._before = 0
        self._since = 0

    @property
    def running(self) -> bool:
        """Whether time is counted now."""
        return self._state == "running"

    @property
    def paused(self) -> bool:
        """Whether it was started, and waits to be resumed or stopped."""
        return self._state == "paused"

    @property
    def elapsed_ns(self) -> int:
        """Nanoseconds since the start, without pauses: up to now, or to the stop."""
        if self._state == "running":
            return self._before + time.perf_counter_ns() - self._since
        return self._before

    @property
    def elapsed_us(self) -> float:
        """The same in microseconds."""
        return self.elapsed_ns / 1e3

    @property
    def elapsed_ms(self) -> float:
        """The same in milliseconds."""
        return self.elapsed_ns / 1e6

    @property
    def elapsed(self) -> float:
        """The same in seconds."""
        return self.elapsed_ns / 1e9

    def start(self) -> None:
        """Start from 0.

        Raises:
            InvalidProgramError: it was started already.
        """
        if self._state != "stopped":
            raise InvalidProgramError(f"the timer is {self._state}: stop it before it is started again")
        self._before, self._state = 0, "running"
        self._since = time.perf_counter_ns()

    def pause(self) -> None:
        """Count no time until it is resumed.

        Raises:
            InvalidProgramError: it does not run.
        """
        now = time.perf_counter_ns()
        self._must_be("running", "paused")
        self._before += now - self._since
        self._state = "paused"

    def resume(self) -> None:
        """Count time again.

        Raises:
            InvalidProgramError: it is not paused.
        """
        self._must_be("paused", "resumed")
        self._state = "running"
        self._since = time.perf_counter_ns()

    def stop(self) -> float:
        """Count no more time; the seconds since the start, without pauses.

        Raises:
            InvalidProgramError: it was not started.
        """
        now = time.perf_counter_ns()
        if self._state == "stopped":
            raise InvalidProgramError("the timer was not started")
        if self._state == "running":
            self._before += now - self._since
        self._state = "stopped"
        return self.elapsed

    def reset(self) -> None:
        """Stand at 0, stopped."""
        self._before, self._state = 0, "stopped"

    def __enter__(self) -> Timer:
        """Start it, from 0."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop it, unless the block did."""
        if self._state != "stopped":
            self.stop()

    def __repr__(self) -> str:
        return f"<stepwell.Timer {self._state} at {self.elapsed_ms:.6f} ms>"

    def _must_be(self, state: str, doing: str) -> None:
        if self._state != state:
            raise InvalidProgramError(f"the timer is {self._state}, not {state}: it cannot be {doing}")


__all__ = ["Timer"]
