"""`stepwell.num_threads` and `stepwell.set_num_threads`: what may be asked for, and that results keep their bits."""

from __future__ import annotations

import threading
import types

import numpy as np
import pytest

import stepwell
from stepwell.errors import InvalidProgramError
from stepwell.runtime import pool as pool_module
from stepwell.runtime.pool import worker_count

PROGRAM = """func.func @main(%x: tensor<300x4000xf32>) -> (tensor<300xf32>, tensor<f32>) {
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %e = stablehlo.exponential %x : tensor<300x4000xf32>
  %rows = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1]
    : (tensor<300x4000xf32>, tensor<f32>) -> tensor<300xf32>
  %all = stablehlo.reduce(%x init: %zero) applies stablehlo.add across dimensions = [0, 1]
    : (tensor<300x4000xf32>, tensor<f32>) -> tensor<f32>
  return %rows, %all : tensor<300xf32>, tensor<f32>
}"""


@pytest.fixture
def fresh(monkeypatch):
    """As in a process that has no pool yet, with three threads asked for."""
    monkeypatch.setenv("STEPWELL_NUM_THREADS", "3")
    monkeypatch.setattr(pool_module, "_state", state := {})
    return state


def test_results_have_the_same_bits_for_any_number_of_threads():
    program = stepwell.compile(PROGRAM)
    x = np.random.default_rng(0).standard_normal((300, 4000)).astype(np.float32)
    before = stepwell.num_threads()
    try:
        found = []
        for threads in (before, 1, worker_count(), 1, 0):
            stepwell.set_num_threads(threads)
            found.append([result.tobytes() for result in program(x)])
    finally:
        stepwell.set_num_threads(before)
    assert all(result == found[0] for result in found)
    assert stepwell.num_threads() == before


def test_the_number_is_what_was_asked_for_last(fresh):
    assert stepwell.num_threads() == 3
    assert "workers" not in fresh  # asking settles nothing
    assert worker_count() == 3
    for asked, got in ((1, 1), (3, 3), (np.int64(2), 2), (0, 3)):
        stepwell.set_num_threads(asked)
        assert (stepwell.num_threads(), worker_count()) == (got, 3)


def test_before_the_first_program_there_may_be_more_and_afterwards_not(fresh):
    stepwell.set_num_threads(7)
    stepwell.set_num_threads(5)
    assert stepwell.num_threads() == worker_count() == 5
    with pytest.raises(
        InvalidProgramError, match=r"this process has 5 threads, not 6(.|\n)*hint: .*STEPWELL_NUM_THREADS"
    ):
        stepwell.set_num_threads(6)
    assert stepwell.num_threads() == 5


def test_fewer_than_the_environment_says_leave_room_for_the_rest(fresh):
    stepwell.set_num_threads(2)
    assert (stepwell.num_threads(), worker_count()) == (2, 3)
    stepwell.set_num_threads(3)
    assert stepwell.num_threads() == 3


@pytest.mark.parametrize("count", [-1, 4097, 1.0, "2", None, True])
def test_what_is_no_number_of_threads_is_refused(fresh, count):
    with pytest.raises(InvalidProgramError, match="a number of threads is 1 to 4096, or 0 for all there are, not"):
        stepwell.set_num_threads(count)
    assert stepwell.num_threads() == 3


def test_the_pool_is_told_under_a_lock(fresh, monkeypatch):
    told = []
    monkeypatch.setattr(
        pool_module, "Pool", lambda data, workers, pin: types.SimpleNamespace(workers=workers, limit=told.append)
    )
    stepwell.set_num_threads(2)
    pool_module.process_pool(b"")
    assert told == [2]
    stepwell.set_num_threads(0)
    assert told == [2, 3]

    def work():
        for count in (1, 2, 3) * 50:
            stepwell.set_num_threads(count)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 602
    assert told[-1] == stepwell.num_threads() == 3
