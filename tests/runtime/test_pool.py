"""The thread pool: every index once, from many threads at once, nested, failing, and around forks."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import random
import resource
import signal
import threading
import time

import numpy as np
import pytest

from stepwell.backends.llvm_ir import write_llvm
from stepwell.backends.object import compile_llvm
from stepwell.backends.pool import pool_object, pool_source
from stepwell.backends.target import host_target, target_for
from stepwell.dialects.registry import context
from stepwell.ir import cores
from stepwell.ir.parser import parse_module
from stepwell.runtime import pool as pool_module
from stepwell.runtime.loader import Library
from stepwell.runtime.pool import Pool

BODY = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
PARALLEL_FOR = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
SPAWN = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
AWAIT = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)
WORKERS = 8
PATIENCE = 120
"""Seconds to wait for what comes soon where the machine is idle; only who hangs takes so long."""
PROCESS = os.getpid()
fork_with_threads = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@pytest.fixture(scope="module")
def pool():
    return Pool(pool_object(host_target()), WORKERS)


@pytest.fixture(scope="module")
def pool_of_old_kernel():
    """As where the kernel does not know MADV_WIPEONFORK (18)."""
    known = "%wipe_on_fork = arith.constant 18 : i32"
    assert known in pool_source()
    (host,) = write_llvm(
        parse_module(pool_source().replace(known, known.replace("18", "9999")), "pool.mlir", context()), host_target()
    )
    return Pool(compile_llvm(host.text, host_target(), 1), WORKERS)


@pytest.fixture(params=["wiped by the kernel", "told by the process number"])
def forking_pool(request):
    names = {"wiped by the kernel": "pool", "told by the process number": "pool_of_old_kernel"}
    return request.getfixturevalue(names[request.param])


def run(pool, body, n, grain):
    callback = BODY(lambda _, begin, end, worker: body(begin, end, worker) or 0)
    return PARALLEL_FOR(pool.parallel_for)(ctypes.cast(callback, ctypes.c_void_p), None, n, grain)


def spread(pool, body, n):
    """Runs each index as a task of its own that lets others have a part."""

    def each(begin, end, worker):
        for i in range(begin, end):
            body(i, worker)

    assert run(pool, each, n, 1) == 0


def exit_of(child, seconds=PATIENCE):
    """How a child process ends; it fails the test when it does not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    pytest.fail("the child hangs")


def in_child(work):
    """How a forked child ends that does `work`: with 0 when it returns true."""
    child = os.fork()
    if child == 0:
        status = 2
        try:
            status = 0 if work() else 3
        finally:
            os._exit(status)
    return exit_of(child)


class Numbers:
    """Checks that no two tasks of one call have the same worker number at the same time."""

    def __init__(self):
        self.inside, self.seen, self.failures, self.most = set(), set(), [], 0
        self._changed = threading.Condition()
        self._deadline = time.monotonic() + PATIENCE

    def task(self, worker, seconds=0.0, together=1):
        """One task; it stays until so many were inside `together`, however long these take to get a core."""
        with self._changed:
            if worker in self.inside or not 0 <= worker < WORKERS:
                self.failures.append(worker)
            self.inside.add(worker)
            self.seen.add(worker)
            self.most = max(self.most, len(self.inside))
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.most >= together, max(0.0, self._deadline - time.monotonic()))
        time.sleep(seconds)
        with self._changed:
            self.inside.discard(worker)


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

    assert run(pool, body, n, grain) == 0
    assert (counts[: max(n, 0)] == 1).all()
    assert len(chunks) <= 128 * WORKERS
    assert all(end - begin >= min(grain, n - begin) for begin, end in chunks)


def test_workers_share_a_slow_loop_and_never_share_a_number(pool):
    numbers = Numbers()
    spread(pool, lambda _, worker: numbers.task(worker, 0.002, together=2), 200)
    assert not numbers.failures
    assert len(numbers.seen) > 1


def test_idle_workers_take_pieces_of_a_nested_loop(pool):
    numbers = Numbers()

    def outer(i, _):
        if i == 0:
            spread(pool, lambda _, worker: numbers.task(worker, 0.002, together=2), 60)

    spread(pool, outer, 2)
    assert not numbers.failures
    assert len(numbers.seen) > 1


def test_callers_at_once_nested_loops_and_numbers_private_to_each_call(pool):
    """Twelve threads run loops of random sizes whose tasks run loops: each index once, numbers unique within a call."""
    failures = []

    def caller(seed):
        draw = random.Random(seed)
        for _ in range(6):
            rows, columns, grain = draw.randint(1, 17), draw.randint(0, 40), draw.randint(1, 5)
            counts, numbers = np.zeros((rows, columns), np.int64), Numbers()

            def outer(i, _, counts=counts, numbers=numbers, columns=columns, grain=grain):
                def inner(low, high, worker):
                    numbers.task(worker)
                    counts[i, low:high] += 1

                run(pool, inner, columns, grain)

            spread(pool, outer, rows)
            if not (counts == 1).all() or numbers.failures:
                failures.append((seed, rows, columns, numbers.failures))

    threads = [threading.Thread(target=caller, args=(i,)) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert not failures


def test_loops_nested_five_deep_run_each_task_once(pool):
    counts = np.zeros((3,) * 5, np.int64)

    def level(place):
        def body(i, _):
            if len(place) == 4:
                counts[(*place, i)] += 1
            else:
                level((*place, i))

        spread(pool, body, 3)

    level(())
    assert (counts == 1).all()


def test_more_callers_than_the_pool_has_records_for_all_finish(pool):
    done, gate = [], threading.Barrier(80)

    def caller():
        gate.wait()
        total = []
        spread(pool, lambda i, _: total.append(i), 9)
        done.append(sorted(total) == list(range(9)))

    threads = [threading.Thread(target=caller) for _ in range(80)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert done == [True] * 80


def test_the_first_error_of_a_task_stops_the_loop_and_reaches_the_caller(pool):
    ran = []

    def body(begin, end, worker):
        ran.append(begin)
        time.sleep(0.0005)
        return 41 if begin == 3 else 0

    assert run(pool, body, 400, 1) == 41
    assert len(ran) < 400
    assert run(pool, lambda *_: 0, 400, 1) == 0  # nothing of it is left behind
    assert run(pool, lambda *_: -5, 1, 1) == -5  # also of a loop that nobody shares


def test_an_error_of_a_nested_loop_reaches_the_caller_through_the_tasks(pool):
    def outer(begin, end, worker):
        for i in range(begin, end):
            status = run(pool, lambda low, high, _, i=i: 7 if i == 5 and low <= 11 < high else 0, 30, 1)
            if status:
                return status
        return 0

    assert run(pool, outer, 12, 1) == 7


def test_workers_without_work_sleep_and_wake_for_the_next_loop(pool):
    for _ in range(3):
        before = pool.sleeps()
        numbers = Numbers()
        spread(pool, lambda _, worker, numbers=numbers: numbers.task(worker, 0.002, together=2), 100)
        assert len(numbers.seen) > 1
        until(lambda before=before: pool.sleeps() > before)


def until(holds, seconds=PATIENCE):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_no_more_workers_are_woken_than_there_are_cores():
    fresh = Pool(pool_object(host_target()), 8)
    spread(fresh, lambda *_: None, 2)
    until(lambda: fresh.sleeps() >= 7)
    numbers = Numbers()
    spread(fresh, lambda _, worker: numbers.task(worker, 0.002, together=2), 150)
    assert 2 <= numbers.most <= max(2, len(os.sched_getaffinity(0)))


@pytest.fixture(scope="module")
def eight_cores():
    """A pool of eight threads that thinks that there are cores for all of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool_module, "allowed_cores", lambda: WORKERS)
        return Pool(pool_object(host_target()), WORKERS)


def test_no_more_threads_work_on_a_loop_than_may_and_all_again_afterwards(eight_cores):
    counts = []
    for limit in (WORKERS, 3, 1, 2, WORKERS):
        eight_cores.limit(limit)
        time.sleep(0.02)  # who spins falls asleep
        numbers, jobs = Numbers(), eight_cores.jobs()
        together = min(limit, 4)
        spread(eight_cores, lambda _, worker, n=numbers, k=together: n.task(worker, 0.002, together=k), 120)
        assert not numbers.failures
        counts.append(numbers.most)
        assert (eight_cores.jobs() > jobs) == (limit > 1)
        if limit == 1:
            assert numbers.seen == {0}
    assert counts[1:4] == [3, 1, 2]
    assert min(counts[0], counts[4]) > 3


def test_threads_that_find_work_without_end_stop_when_they_may_not(eight_cores):
    """A caller after the other, so that threads never have the time to fall asleep by themselves."""
    stop, threads = threading.Event(), []

    def caller():
        while not stop.is_set():
            spread(eight_cores, lambda *_: time.sleep(0.0005), 30)

    eight_cores.limit(WORKERS)
    for _ in range(3):
        threads.append(threading.Thread(target=caller))
        threads[-1].start()
    try:
        time.sleep(0.1)
        eight_cores.limit(2)
        time.sleep(0.2)
        inside, most, lock = 0, 0, threading.Lock()

        def body(*_):
            nonlocal inside, most
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.001)
            with lock:
                inside -= 1

        spread(eight_cores, body, 100)
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        eight_cores.limit(WORKERS)
    assert most <= 2


def test_limits_that_change_in_the_middle_of_loops_lose_no_task(eight_cores):
    """One thread changes the limit all the time, others run loops whose tasks run loops."""
    stop, failures, rounds = threading.Event(), [], []

    def change():
        draw = random.Random(0)
        while not stop.is_set():
            eight_cores.limit(draw.randint(1, WORKERS))
            time.sleep(draw.random() * 0.001)

    def caller(seed):
        draw = random.Random(seed)
        while not stop.is_set():
            rows, columns = draw.randint(1, 9), draw.randint(0, 30)
            counts, numbers = np.zeros((rows, columns), np.int64), Numbers()

            def outer(i, _, counts=counts, numbers=numbers, columns=columns):
                def inner(low, high, worker):
                    numbers.task(worker, 0.0002)
                    counts[i, low:high] += 1

                run(eight_cores, inner, columns, 1)

            spread(eight_cores, outer, rows)
            rounds.append(seed)
            if not (counts == 1).all() or numbers.failures:
                failures.append((seed, rows, columns, numbers.failures))

    threads = [threading.Thread(target=change), *(threading.Thread(target=caller, args=(i,)) for i in range(3))]
    for thread in threads:
        thread.start()
    try:
        time.sleep(0.5)
        until(lambda: len(set(rounds)) == 3)
    finally:
        stop.set()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    eight_cores.limit(WORKERS)
    assert not failures
    assert len(set(rounds)) == 3


@fork_with_threads
def test_a_forked_child_keeps_the_limit(eight_cores):
    eight_cores.limit(1)

    def work():
        numbers = Numbers()
        spread(eight_cores, lambda _, worker: numbers.task(worker, 0.001), 20)
        alone = numbers.seen == {0}
        eight_cores.limit(3)
        return alone and shares_a_loop(eight_cores)

    assert in_child(work) == 0
    eight_cores.limit(WORKERS)


@fork_with_threads
def test_a_pool_that_gets_fewer_threads_than_it_wants_works_with_those():
    wants = Pool(pool_object(host_target()), 400)

    def work():
        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (100 << 20), resource.RLIM_INFINITY))  # a dozen stacks
        counts, workers = np.zeros(500, np.int64), set()

        def body(i, worker):
            counts[i] += 1
            workers.add(worker)

        spread(wants, body, 500)
        with open("/proc/self/stat") as file:
            threads = int(file.read().rsplit(")", 1)[1].split()[17])
        return (counts == 1).all() and threads < 200 and max(workers) < threads

    assert in_child(work) == 0


def test_futures_run_once_in_any_order_and_bring_their_status(pool):
    spawn, await_ = SPAWN(pool.library.address("stepwell_spawn")), AWAIT(pool.library.address("stepwell_await"))
    ran, lock = [], threading.Lock()

    def start(number, seconds):
        def body(_, begin, end, worker):
            time.sleep(seconds)
            with lock:
                ran.append(number)
            return 100 + number

        future, callback = (ctypes.c_int64 * 24)(), BODY(body)
        address = (ctypes.addressof(future) + 63) // 64 * 64
        spawn(ctypes.cast(callback, ctypes.c_void_p), None, address)
        return address, (future, callback)

    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]):
        ran.clear()
        futures = [start(i, 0.002) for i in range(4)]
        assert run(pool, lambda *_: 0, 50, 1) == 0  # a loop between the two is no matter
        assert [await_(futures[i][0]) for i in order] == [100 + i for i in order]
        assert sorted(ran) == [0, 1, 2, 3]
    many = [start(i, 0.0) for i in range(50)]  # more than a deque holds
    assert [await_(address) for address, _ in reversed(many)] == [100 + i for i in range(49, -1, -1)]


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


def shares_a_loop(pool):
    """Whether a slow loop is done right, by several threads."""
    counts, numbers = np.zeros(100, np.int64), Numbers()

    def body(i, worker):
        counts[i] += 1
        numbers.task(worker, 0.001, together=2)

    spread(pool, body, 100)
    return (counts == 1).all() and len(numbers.seen) > 1 and not numbers.failures


@fork_with_threads
def test_a_forked_child_starts_its_own_threads_and_so_does_its_child(forking_pool):
    assert shares_a_loop(forking_pool)  # the parent's threads exist

    def work():
        return (
            shares_a_loop(forking_pool)
            and in_child(lambda: shares_a_loop(forking_pool)) == 0
            and shares_a_loop(forking_pool)
        )

    assert in_child(work) == 0
    assert shares_a_loop(forking_pool)


@fork_with_threads
def test_a_fork_in_the_middle_of_other_threads_loops_hangs_nobody(forking_pool):
    stop, results = threading.Event(), []

    def caller():
        while not stop.is_set():
            results.append(shares_a_loop(forking_pool))

    threads = [threading.Thread(target=caller) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(4):
            assert in_child(lambda: shares_a_loop(forking_pool)) == 0
        until(lambda: results)
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
    assert results
    assert all(results)


@fork_with_threads
@pytest.mark.parametrize("forks", ["the caller", "a worker"])
def test_a_child_forked_by_a_task_works_alone_and_cannot_wait_for_its_parents_threads(forking_pool, forks):
    """It may leave; where it goes on with the loop, it is stopped rather than left waiting."""
    both, forked, children, main = threading.Barrier(2), threading.Event(), [], threading.get_ident()

    def body(i, _):
        both.wait(PATIENCE)  # two threads have a piece each
        if (threading.get_ident() == main) != (forks == "the caller"):
            assert forked.wait(PATIENCE)
            return
        child = os.fork()
        if child == 0:
            faulthandler.disable()
            done = []
            spread(forking_pool, lambda k, _: done.append(k), 20)
            if sorted(done) != list(range(20)):
                os._exit(1)
        else:
            children.append(child)
            forked.set()

    spread(forking_pool, body, 2)
    if os.getpid() != PROCESS:
        os._exit(4)
    assert exit_of(children[0]) == -signal.SIGABRT
    assert shares_a_loop(forking_pool)


@pytest.mark.parametrize(
    ("environment", "count"),
    [
        ({"STEPWELL_NUM_THREADS": "3", "OMP_NUM_THREADS": "5"}, 3),
        ({"OMP_NUM_THREADS": "5,2"}, 5),
        ({"OMP_NUM_THREADS": "x"}, None),
        ({"STEPWELL_NUM_THREADS": "0", "OMP_NUM_THREADS": "5"}, None),
    ],
)
def test_the_environment_sets_the_worker_count(monkeypatch, environment, count):
    for name in ("STEPWELL_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(pool_module, "_state", {})
    got = pool_module.worker_count()
    assert got == (count if count is not None else min(len(os.sched_getaffinity(0)), cores.cpu_quota() or 4096))


@pytest.mark.parametrize(("asked", "count"), [(None, 2), ("0", 2), ("5", 5)])
def test_a_quota_bounds_the_threads_that_nobody_asked_for(monkeypatch, asked, count):
    """In a container with the time of two cores on a machine of 64."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("STEPWELL_NUM_THREADS", raising=False)
    if asked is not None:
        monkeypatch.setenv("STEPWELL_NUM_THREADS", asked)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(cores, "cpu_quota", lambda: 2)
    monkeypatch.setattr(pool_module, "_state", {})
    assert pool_module.num_threads() == count
    assert pool_module.worker_count() == count
    assert target_for("sse4.2").cores == 2


def test_a_bad_thread_count_is_refused(monkeypatch):
    monkeypatch.setattr(pool_module, "_state", {})
    for value in ("many", "-1", "4097", "1.5", "\u0663"):
        monkeypatch.setenv("STEPWELL_NUM_THREADS", value)
        for ask in (pool_module.worker_count, pool_module.num_threads):
            with pytest.raises(ValueError, match="STEPWELL_NUM_THREADS must be 1 to 4096, or 0 for all cores"):
                ask()


def test_affinity_binds_each_thread_to_a_core_and_changes_no_result(monkeypatch):
    assert not pool_module.threads_stay()
    monkeypatch.setenv("STEPWELL_AFFINITY", "cores")
    assert pool_module.threads_stay()
    bound = Pool(pool_object(host_target()), 3, pin=True)
    cores, numbers = {}, Numbers()

    def body(i, worker):
        cores[worker] = os.sched_getaffinity(threading.get_native_id())
        numbers.task(worker, 0.002)

    spread(bound, body, 100)
    assert not numbers.failures
    allowed = sorted(os.sched_getaffinity(0))
    for worker, place in cores.items():
        if worker:
            assert place == {allowed[worker % len(allowed)]}


@pytest.fixture(scope="module")
def leave_core():
    """`leave_core` by itself: called on a core, it gives the one that its thread is on then."""
    wrapped = """
      func.func @stepwell_leave_core() -> i64 {
        %before = rt.call_external @sched_getcpu() : () -> i32
        %core = arith.extsi %before : i32 to i64
        func.call @leave_core(%core) : (i64) -> ()
        %after = rt.call_external @sched_getcpu() : () -> i32
        %same = arith.cmpi eq, %before, %after : i32
        %stayed = arith.extui %same : i1 to i64
        func.return %stayed : i64
      }"""
    (host,) = write_llvm(parse_module(pool_source() + wrapped, "pool.mlir", context()), host_target())
    library = Library([compile_llvm(host.text, host_target(), 1)], ("stepwell_leave_core",))
    return library, ctypes.CFUNCTYPE(ctypes.c_int64)(library.address("stepwell_leave_core"))


def test_a_thread_leaves_its_core_and_may_go_where_it_could(leave_core):
    _, call = leave_core
    cores = os.sched_getaffinity(0)
    # A thread that is taken off the core between the two looks may be back on it: not in all of many calls.
    assert len(cores) == 1 or not all(call() for _ in range(100))
    assert os.sched_getaffinity(0) == cores


def test_a_thread_with_one_core_stays_on_it(leave_core):
    _, call = leave_core
    places = []

    def body():
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        places.append((os.sched_getaffinity(0), call(), os.sched_getaffinity(0)))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    ((before, stayed, after),) = places
    assert stayed == 1
    assert before == after


def test_woken_threads_keep_their_cores_to_choose_from():
    woken, places = Pool(pool_object(host_target()), 3), {}

    def body(i, worker):
        places[worker] = os.sched_getaffinity(threading.get_native_id())
        time.sleep(0.0005)

    for _ in range(20):
        spread(woken, body, 8)
        time.sleep(0.002)
    until(lambda: woken.sleeps() > 0)
    assert all(place == os.sched_getaffinity(0) for place in places.values())


def test_a_bad_affinity_is_refused(monkeypatch):
    monkeypatch.setenv("STEPWELL_AFFINITY", "yes")
    with pytest.raises(ValueError, match="STEPWELL_AFFINITY"):
        pool_module.threads_stay()
