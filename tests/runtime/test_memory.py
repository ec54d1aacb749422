"""Pooled memory: aligned, distinct, private to a forked child, and many small blocks in few mappings."""

from __future__ import annotations

import ctypes
import gc
import itertools
import os
from pathlib import Path

import numpy as np
import pytest

import stepwell
from stepwell.ir.errors import InvalidProgramError
from stepwell.runtime.memory import ALIGNMENT, POOL, Pool, address_of, pooled_array


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
