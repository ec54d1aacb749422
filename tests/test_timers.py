"""`stepwell.Timer`: what it counts, and what it refuses."""

from __future__ import annotations

import time

import pytest

import stepwell
from stepwell import Timer, timers


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self):
        self.now = 10**15

    def perf_counter_ns(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(timers, "time", made)
    return made


def test_a_timer_counts_what_is_between_start_and_stop_without_pauses(clock):
    timer = Timer()
    assert (timer.elapsed_ns, timer.running, timer.paused) == (0, False, False)
    timer.start()
    assert timer.running
    clock.now += 5
    assert timer.elapsed_ns == 5  # while it runs
    timer.pause()
    assert (timer.running, timer.paused) == (False, True)
    clock.now += 100
    assert timer.elapsed_ns == 5
    timer.resume()
    clock.now += 1_000_000
    assert timer.stop() == 1_000_005 / 1e9
    clock.now += 7
    assert (timer.elapsed_ns, timer.elapsed_us, timer.elapsed_ms) == (1_000_005, 1000.005, 1.000005)
    assert timer.elapsed == 1_000_005 / 1e9
    timer.start()  # from 0
    clock.now += 3
    assert timer.elapsed_ns == 3
    timer.pause()
    clock.now += 3
    timer.stop()
    assert (timer.elapsed_ns, timer.paused) == (3, False)
    timer.reset()
    assert (timer.elapsed_ns, timer.running) == (0, False)


def test_a_block_is_timed_to_its_end_or_to_its_stop(clock):
    def fails():
        clock.now += 4
        raise ZeroDivisionError

    failed = Timer()
    with pytest.raises(ZeroDivisionError), failed:
        fails()
    assert (failed.elapsed_ns, failed.running) == (4, False)
    with Timer() as stopped:
        clock.now += 1
        stopped.stop()
        clock.now += 1
    assert stopped.elapsed_ns == 1
    with stopped:
        clock.now += 6
        stopped.pause()
    assert (stopped.elapsed_ns, stopped.paused) == (6, False)
    assert repr(stopped) == "<stepwell.Timer stopped at 0.000006 ms>"


def test_what_does_not_fit_the_state_of_a_timer_is_refused_and_changes_nothing(clock):
    timer = Timer()
    for wrong in (timer.pause, timer.resume):
        with pytest.raises(stepwell.InvalidProgramError, match="the timer is stopped, not"):
            wrong()
    with pytest.raises(stepwell.InvalidProgramError, match="was not started"):
        timer.stop()
    timer.start()
    clock.now += 2
    with pytest.raises(stepwell.InvalidProgramError, match="the timer is running: stop it before"):
        timer.start()
    with pytest.raises(stepwell.InvalidProgramError, match="is running, not paused: it cannot be resumed"):
        timer.resume()
    timer.pause()
    with pytest.raises(stepwell.InvalidProgramError, match="is paused, not running: it cannot be paused"):
        timer.pause()
    with pytest.raises(stepwell.InvalidProgramError, match="the timer is paused"), timer:
        pass
    assert (timer.elapsed_ns, timer.paused) == (2, True)


def test_the_clock_of_a_timer_is_monotonic_and_finer_than_a_microsecond():
    assert time.get_clock_info("perf_counter").monotonic
    assert time.get_clock_info("perf_counter").resolution <= 1e-6
    with Timer() as timer:
        read = [timer.elapsed_ns for _ in range(100)]
    assert read == sorted(read)
    assert 0 < read[-1] <= timer.elapsed_ns
