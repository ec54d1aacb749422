"""`exe.submit` and `stepwell.submit`: futures of calls, overlapping, failing, cancelled, and around forks and ends."""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib.util
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import stepwell
from stepwell.errors import InvalidProgramError
from stepwell.runtime import futures

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ADD = """func.func @main(%x: tensor<70000xf32>, %y: tensor<70000xf32>) -> tensor<70000xf32> {
  %0 = stablehlo.add %x, %y : tensor<70000xf32>
  return %0 : tensor<70000xf32>
}"""
ANY = """func.func @main(%x: tensor<?xf32>) -> tensor<?xf32> {
  %0 = stablehlo.negate %x : tensor<?xf32>
  return %0 : tensor<?xf32>
}"""
X = np.arange(70000, dtype=np.float32)
WAIT = 600
"""Seconds that nothing here takes, however busy the machine, but what hangs."""


@pytest.fixture(scope="module")
def add():
    return stepwell.compile(ADD)


@pytest.fixture
def busy():
    """All threads of `submit` wait, until the test lets them go."""
    go = threading.Event()
    stepwell.submit(int).result(WAIT)  # the threads are there
    count = futures._executors[0]._max_workers
    started = threading.Semaphore(0)

    def wait():
        started.release()
        return go.wait(WAIT)

    waiting = [stepwell.submit(wait) for _ in range(count)]
    for _ in waiting:
        assert started.acquire(timeout=WAIT)
    yield go, waiting
    go.set()
    assert all(future.result(WAIT) for future in waiting)


def test_a_future_has_what_a_call_gives(add):
    future = add.submit(X, X)
    assert isinstance(future, concurrent.futures.Future)
    (result,) = future.result(WAIT)
    assert np.array_equal(result, 2 * X)
    assert future.done()
    assert future.exception(WAIT) is None
    seen = []
    future.add_done_callback(seen.append)
    assert seen == [future]


def test_results_may_be_written_to_arrays_of_the_caller(add):
    out = np.empty_like(X)
    (result,) = add.submit(X, X, out=[out]).result(WAIT)
    assert result is out
    assert np.array_equal(out, 2 * X)


def test_what_a_call_raises_comes_out_of_the_future(add):
    wrong = add.submit(X, X[1:])
    assert isinstance(wrong.exception(WAIT), InvalidProgramError)
    with pytest.raises(InvalidProgramError, match="argument 1 must be"):
        wrong.result(WAIT)
    with pytest.raises(InvalidProgramError, match="takes 2 argument"):
        add.submit(X).result(WAIT)
    with pytest.raises(ZeroDivisionError):
        stepwell.submit(lambda: 1 // 0).result(WAIT)


def test_many_calls_at_once_have_memory_and_results_of_their_own(add):
    running = [add.submit(X, np.full_like(X, i)) for i in range(60)]
    direct = [add(X, np.full_like(X, i))[0] for i in range(60)]
    for i, future in enumerate(running):
        (result,) = future.result(WAIT)
        assert np.array_equal(result, X + np.float32(i))
        assert np.array_equal(result, direct[i])
    assert len({f.result()[0].ctypes.data for f in running}) == 60


def test_calls_overlap():
    both = threading.Barrier(2)
    first, second = (stepwell.submit(both.wait, WAIT) for _ in range(2))
    assert {first.result(WAIT), second.result(WAIT)} == {0, 1}


def test_a_call_that_waits_its_turn_may_be_cancelled_and_one_that_runs_may_not(add, busy):
    go, waiting = busy
    queued, kept = add.submit(X, X), add.submit(X, X)
    assert not waiting[0].cancel()
    assert waiting[0].running()
    assert queued.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        queued.result(WAIT)
    with pytest.raises(concurrent.futures.TimeoutError):
        kept.result(0.01)
    go.set()
    assert np.array_equal(kept.result(WAIT)[0], 2 * X)


def test_calls_may_submit_calls_and_wait_for_them_however_many_and_however_deep():
    def tree(depth):
        if depth == 0:
            return 1
        return sum(future.result() for future in [stepwell.submit(tree, depth - 1) for _ in range(3)])

    assert [future.result(WAIT) for future in [stepwell.submit(tree, 4) for _ in range(8)]] == [81] * 8


def test_what_a_call_waits_for_may_raise_or_be_cancelled(busy):
    go, _ = busy
    seen = []

    def outer():
        failing, dropped = stepwell.submit(lambda: 1 // 0), stepwell.submit(seen.append, "dropped")
        assert dropped.cancel()
        assert isinstance(failing.exception(), ZeroDivisionError)
        with pytest.raises(concurrent.futures.CancelledError):
            dropped.result()
        return "done"

    waiting = stepwell.submit(outer)
    go.set()
    assert waiting.result(WAIT) == "done"
    assert not seen


def test_who_waits_for_some_time_only_is_not_kept_by_the_work(busy, monkeypatch):
    monkeypatch.setattr(futures._here, "is_executor", True, raising=False)
    done_by = []
    queued = stepwell.submit(lambda: done_by.append(threading.current_thread()))
    with pytest.raises(concurrent.futures.TimeoutError):
        queued.result(0.01)
    assert not done_by
    assert queued.result() is None
    assert done_by == [threading.current_thread()]


@pytest.mark.parametrize("how", ["interpreter", "dynamic"])
def test_other_kinds_of_executables_have_futures_too(how):
    if how == "interpreter":
        exe = stepwell.compile(ADD, target="interpreter")
        assert np.array_equal(exe.submit(X, X).result(WAIT)[0], 2 * X)
        return
    exe = stepwell.compile(ANY)
    running = [exe.submit(X[:n]) for n in (3, 5, 3)]
    assert [f.result(WAIT)[0].tolist() for f in running] == [(-X[:n]).tolist() for n in (3, 5, 3)]


def test_a_jitted_function_is_submitted_with_its_arguments_by_name():
    scaled = stepwell.jit(lambda x, scale: {"y": x * scale})
    assert np.array_equal(stepwell.submit(scaled, X, scale=2.0).result(WAIT)["y"], 2 * X)


def test_a_future_can_be_awaited(add):
    async def both():
        return await asyncio.gather(*(asyncio.wrap_future(add.submit(X, y)) for y in (X, -X)))

    (twice,), (nothing,) = asyncio.run(both())
    assert np.array_equal(twice, 2 * X)
    assert not nothing.any()


def test_calls_of_futures_are_recorded_with_their_threads(add):
    with stepwell.Profiler() as profiler:
        add.submit(X, X).result(WAIT)
    assert [section.name for section in profiler.sections] == ["call"]
    assert '"stepwell-calls_' in profiler.chrome_trace()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own(add):
    add.submit(X, X).result(WAIT)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            (result,) = add.submit(X, X).result(WAIT)
            status = 0 if np.array_equal(result, 2 * X) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


AT_THE_END = """
import os, time
from stepwell.runtime.futures import submit
def late(name):
    time.sleep(0.05)
    os.write(1, (name + "\\n").encode())  # whole lines: print writes a line's end by itself
for name in "abcd":
    submit(late, name)
"""


def test_the_process_waits_at_its_end_for_what_was_submitted():
    ended = subprocess.run([sys.executable, "-c", AT_THE_END], capture_output=True, text=True, check=True, timeout=WAIT)
    assert sorted(ended.stdout.split()) == list("abcd")
    assert ended.stderr == ""


def test_the_example_counts_the_same_both_ways(capsys):
    spec = importlib.util.spec_from_file_location("overlap", EXAMPLES / "overlap.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    example.main()
    first, second = capsys.readouterr().out.splitlines()
    assert first.split()[1] == second.split()[1] != "0"
