"""The thread pool: every index once, from many threads at once, nested, and after a fork."""

from __future__ import annotations

import ctypes
import os
import threading
import time

import numpy as np
import pytest

from stepwell.backends.pool import pool_object
from stepwell.backends.target import host_target
from stepwell.runtime import pool as pool_module
from stepwell.runtime.pool import Pool

BODY = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
PARALLEL_FOR = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
WORKERS = 8


@pytest.fixture(scope="module")
def pool():
    return Pool(pool_object(host_target()), WORKERS)


def run(pool, body, n, grain):
    callback = BODY(lambda _, begin, end, worker: body(begin, end, worker))
    PARALLEL_FOR(pool.parallel_for)(ctypes.cast(callback, ctypes.c_void_p), None, n, grain)


@pytest.mark.parametrize(
    ("n", "grain"), [(0, 1), (-3, 1), (1, 1), (7, 3), (1000, 1), (1000, 999), (513, 64), (10**6, 1)]
)
def test_every_index_runs_once(pool, n, grain):
    counts = np.zeros(max(n, 1), np.int64)
    chunks = []

    def body(begin, end, worker):
        assert 0 <= worker < WORKERS
        chunks.append((begin, end))
        counts[begin:end] += 1

    run(pool, body, n, grain)
    assert (counts[: max(n, 0)] == 1).all()
    assert len(chunks) <= 128 * WORKERS
    assert all(end - begin >= min(grain, n - begin) for begin, end in chunks)


def test_workers_share_a_slow_loop_and_never_share_a_number(pool):
    inside, seen = set(), set()
    lock = threading.Lock()

    def body(begin, end, worker):
        with lock:
            assert worker not in inside
            inside.add(worker)
            seen.add(worker)
        time.sleep(0.002)
        with lock:
            inside.remove(worker)

    run(pool, body, 200, 1)
    assert len(seen) > 1


def test_callers_at_once_and_nested_loops(pool):
    """Eight threads run loops whose bodies run loops; each index of each is done once, by a worker of the outer number."""
    failures = []

    def caller(seed):
        for _ in range(20):
            counts = np.zeros((16, 33), np.int64)

            def outer(begin, end, worker, counts=counts):
                for i in range(begin, end):

                    def inner(low, high, nested, i=i, worker=worker, counts=counts):
                        counts[i, low:high] += 1
                        if worker and nested != worker:
                            failures.append((worker, nested))

                    run(pool, inner, 33, 2)

            run(pool, outer, 16, 1)
            if not (counts == 1).all():
                failures.append(seed)

    threads = [threading.Thread(target=caller, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert not failures


def test_many_small_loops_use_the_pool(pool):
    before = pool.jobs()
    total = 0

    def body(begin, end, worker):
        nonlocal total
        total += end - begin

    for _ in range(500):
        run(pool, body, 2, 1)
    assert total == 1000
    assert pool.jobs() - before == 500


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_starts_its_own_threads(pool):
    run(pool, lambda *_: time.sleep(0.001), 50, 1)  # the parent's threads exist
    child = os.fork()
    if child == 0:
        status = 1
        try:
            counts, seen = np.zeros(200, np.int64), set()

            def body(begin, end, worker):
                counts[begin:end] += 1
                seen.add(worker)
                time.sleep(0.001)

            run(pool, body, 200, 1)
            status = 0 if (counts == 1).all() and len(seen) > 1 else 2
        finally:
            os._exit(status)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert os.waitstatus_to_exitcode(status) == 0
            return
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    pytest.fail("the child hangs")


@pytest.mark.parametrize(
    ("environment", "count"),
    [
        ({"STEPWELL_NUM_THREADS": "3", "OMP_NUM_THREADS": "5"}, 3),
        ({"OMP_NUM_THREADS": "5,2"}, 5),
        ({"OMP_NUM_THREADS": "x"}, None),
    ],
)
def test_the_environment_sets_the_worker_count(monkeypatch, environment, count):
    for name in ("STEPWELL_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    got = pool_module.worker_count.__wrapped__()
    assert got == (count if count is not None else len(os.sched_getaffinity(0)))


def test_a_bad_thread_count_is_refused(monkeypatch):
    monkeypatch.setenv("STEPWELL_NUM_THREADS", "many")
    with pytest.raises(ValueError, match="STEPWELL_NUM_THREADS"):
        pool_module.worker_count.__wrapped__()
