"""Pooled memory: aligned, distinct, private to a forked child, and many small blocks in few mappings."""

from __future__ import annotations

import ctypes
import gc
import itertools
import os
import threading
from pathlib import Path

import numpy as np
import pytest

import stepwell
from stepwell.ir.errors import InvalidProgramError
from stepwell.runtime import memory
from stepwell.runtime.memory import ALIGNMENT, POOL, Pool, address_of, pooled_array, size_class


def mappings() -> int:
    return len(Path("/proc/self/maps").read_text().splitlines())


def test_blocks_are_aligned_and_distinct():
    pool = Pool()
    rng = np.random.default_rng(0)
    blocks = [pool.take(int(size)) for size in rng.integers(0, 200_000, 300)]
    spans = sorted((b.address, b.address + b.size) for b in blocks)
    assert all(begin % ALIGNMENT == 0 for begin, _ in spans)
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(spans))


def test_a_block_of_a_slab_survives_its_neighbours_and_the_pool():
    pool = Pool()
    blocks = [pool.take(1024) for _ in range(3000)]
    kept = blocks[1500]
    view = np.frombuffer((ctypes.c_char * kept.size).from_address(kept.address), np.uint8)
    view[:] = 7
    del blocks
    pool.clear()
    del pool
    gc.collect()
    assert (view == 7).all()


def test_more_small_blocks_than_a_process_may_have_mappings():
    pool = Pool()
    before = mappings()
    blocks = [pool.take(64) for _ in range(70_000)] + [pool.take(65536) for _ in range(2000)]
    assert mappings() - before < 1000
    places = sorted((block.address, block.size) for block in blocks)
    assert all(a + size <= b for (a, size), (b, _) in itertools.pairwise(places))


def test_what_is_used_the_most_that_was_and_what_is_kept_are_counted():
    pool = Pool(limit=150_000)
    first, second = pool.take(100_000), pool.take(60)
    large = first.size
    assert large >= 100_000
    assert (second.size, pool.statistics().used, pool.statistics().allocations) == (64, large + 64, 2)
    pool.give(first)
    now = pool.statistics()
    assert (now.used, now.most, now.reserved, now.kept) == (64, large + 64, large + 64, large)
    again, other = pool.take(large), pool.take(large)
    assert again is first
    now = pool.statistics()
    assert (now.used, now.most, now.kept, now.allocations) == (2 * large + 64, 2 * large + 64, 0, 4)
    for block in (again, other, second):  # there is room for one of the two large ones
        pool.give(block)
    now = pool.statistics()
    assert (now.used, now.most, now.kept) == (0, 2 * large + 64, large + 64)
    pool.clear()
    now = pool.statistics()
    assert (now.used, now.reserved, now.allocations) == (0, 0, 4)
    assert now.most == 2 * large + 64
    assert 0 < now.free <= now.total


def test_what_cannot_be_had_is_not_counted(monkeypatch):
    pool = Pool()
    with pytest.raises(MemoryError):
        pool.take(1 << 60)
    monkeypatch.setattr(memory, "_Mapping", lambda size: (_ for _ in ()).throw(OSError("no memory")))
    with pytest.raises(MemoryError, match="cannot allocate 1000000 bytes"):
        pool.take(1_000_000)
    now = pool.statistics()
    assert (now.used, now.most, now.reserved, now.allocations) == (0, 0, 0, 0)


def test_the_pools_counts_are_right_after_many_threads_used_it():
    pool = Pool()
    rng = np.random.default_rng(0)
    sizes = [int(s) for s in rng.integers(1, 200_000, 200)]

    def work():
        for size in sizes:
            pool.give(pool.take(size))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    now = pool.statistics()
    assert (now.used, now.allocations) == (0, 1200)
    assert now.kept == pool.idle_bytes
    assert max(sizes) <= now.most <= now.reserved


def test_statistics_of_the_cpu_follow_results_and_programs():
    text = "func.func @main(%x: tensor<100000xf32>) -> tensor<100000xf32> {\n  return %x : tensor<100000xf32>\n}"
    identity = stepwell.compile(text)
    x = np.zeros(100000, np.float32)
    identity(x)
    gc.collect()
    before = stepwell.memory_statistics("cpu")
    result = identity(x)
    during = stepwell.memory_statistics("cpu")
    assert during.used - before.used == size_class(x.nbytes)
    assert during.allocations - before.allocations == 1
    assert during.most >= during.used
    del result
    after = stepwell.memory_statistics("cpu")
    assert (after.used, after.reserved) == (before.used, before.reserved)


def test_a_watcher_is_told_of_each_block():
    pool = Pool()
    seen = []
    pool.watcher = lambda size, address, used: seen.append((size, address, used))
    a = pool.take(100_000)
    b = pool.take(10)
    pool.give(a)
    pool.watcher = None
    pool.give(b)
    assert seen == [(a.size, a.address, a.size), (64, b.address, a.size + 64), (-a.size, a.address, 64)]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("count", [16, 1 << 20, 8 << 20])
def test_a_forked_child_writes_to_its_own_arrays(count):
    array, _ = pooled_array((count,), np.dtype(np.float32), count * 4)
    array[...] = 1
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if (array == 1).all() else 2
            array[...] = 99
            fresh, _ = pooled_array((count,), np.dtype(np.float32), count * 4)
            fresh[...] = 98
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (array == 1).all()


def test_the_address_of_an_array_is_that_of_its_elements():
    base = np.arange(30.0).reshape(5, 6)
    for array in (base, base[2:, 1:], base[::-1], np.zeros((0, 3)), np.zeros((), np.int8), base.view(np.uint8)):
        assert address_of(array) == array.ctypes.data


def test_large_arrays_come_from_the_pool_and_go_back_with_their_last_view():
    array, address = pooled_array((50000,), np.dtype(np.float32), 200000)
    assert address == array.ctypes.data
    assert address % ALIGNMENT == 0
    view = array[10:20]
    view[:] = 7.0
    del array
    idle = POOL.idle_bytes
    assert (view == 7.0).all()
    del view
    assert POOL.idle_bytes > idle
    again, reused = pooled_array((50000,), np.dtype(np.float32), 200000)
    assert reused == address
    assert again.flags.writeable


def test_later_calls_look_at_their_arguments_as_the_first_did():
    text = "func.func @main(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {\n  return %x : tensor<2x3xf32>\n}"
    identity = stepwell.compile(text)
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    for _ in range(3):
        results = [identity(a)[0] for a in (x, np.asfortranarray(x), x[::-1][::-1], np.flip(np.flip(x)))]
        assert all(np.array_equal(r, x) and r is not x for r in results)
        assert not np.shares_memory(results[0], results[1])
        for wrong in (x.T, x.astype(np.float64), x[0]):
            with pytest.raises(InvalidProgramError, match="argument 0 must be float32"):
                identity(wrong)
        with pytest.raises(InvalidProgramError, match="takes 1 argument"):
            identity(x, x)
