"""Memory of results: aligned, and never that of an array somebody still has."""

from __future__ import annotations

import ctypes
import gc
import pickle
import threading

import numpy as np
import pytest

import stepwell
from stepwell.runtime.memory import ALIGNMENT, TINY, address_of, pooled_array
from stepwell.runtime.results import IDLE, KEPT_BYTES, Kept, results_of

F32 = np.dtype(np.float32)
PROGRAM = "func.func @main(%x: {t}) -> ({t}, {t}) {{ %0 = stablehlo.add %x, %x : {t} return %0, %x : {t}, {t} }}"
SIZES = [0, 1, 5, 16, 1000, TINY // 4, TINY // 4 + 1, KEPT_BYTES // 8]


def kept(count: int) -> Kept:
    return Kept((count,), F32, 4 * count)


@pytest.mark.parametrize("count", SIZES)
def test_memory_is_used_again_when_its_last_view_is_gone(count):
    assert IDLE > 0
    one = kept(count)
    assert one.references() == IDLE
    first = one.take()
    assert first.shape == (count,)
    assert first.dtype == F32
    assert first.flags.writeable
    assert address_of(first) % ALIGNMENT == 0
    place = address_of(first)
    part = first[1:][::-1].view(np.int32)  # a view of views
    del first
    second = one.take()
    assert count == 0 or address_of(second) != place
    del part
    third = one.take()
    assert address_of(third) == place
    assert count == 0 or not np.shares_memory(second, third)


def test_arrays_of_one_result_never_share_memory_however_many_there_are():
    one = kept(8)
    alive = [one.take() for _ in range(50)]
    for number, array in enumerate(alive):
        assert address_of(array) % ALIGNMENT == 0
        array[...] = number
    assert all((array == number).all() for number, array in enumerate(alive))
    del alive[::2]
    more = [one.take() for _ in range(50)]
    for array in more:
        array[...] = -1
    assert all((array == 2 * number + 1).all() for number, array in enumerate(alive))


@pytest.mark.parametrize(
    "keep",
    [
        lambda a: memoryview(a),
        lambda a: np.from_dlpack(a),
        lambda a: a.reshape(2, 4).T,
        lambda a: np.asarray(memoryview(a)[2:]),
        lambda a: a.ctypes.data_as(ctypes.c_void_p),
        lambda a: np.lib.stride_tricks.as_strided(a, (2,), (16,)),
        lambda a: iter(a),
        lambda a: a.flat,
    ],
)
@pytest.mark.parametrize("count", [8, TINY // 4 + 8])
def test_whatever_refers_to_a_result_keeps_its_memory(keep, count):
    one = kept(count)
    array = one.take()
    place = address_of(array)
    holder = keep(array[:8])
    del array
    assert all(address_of(one.take()) != place for _ in range(3))
    del holder
    gc.collect()
    assert place in {address_of(one.take()) for _ in range(2)}


def test_only_small_results_stay_with_their_frame():
    def all_kept(*sizes):
        return [isinstance(r, Kept) for r in results_of([((n,), np.dtype(np.uint8), n) for n in sizes])]

    assert all_kept(KEPT_BYTES - 8, 8) == [True, True]
    assert all_kept(KEPT_BYTES - 8, 9) == [False, False]
    big = results_of([((KEPT_BYTES + 1,), np.dtype(np.uint8), KEPT_BYTES + 1)])[0].take()
    assert address_of(big) % ALIGNMENT == 0


@pytest.mark.parametrize("count", [1, 3, 4096])
def test_results_of_calls_start_at_64_bytes_and_are_the_callers_own(count):
    exe = stepwell.compile(PROGRAM.format(t=f"tensor<{count}xf32>"))
    x = np.arange(count, dtype=np.float32)
    y, own = exe(x)
    before = y.copy(), own.copy()
    for _ in range(5):
        y2, own2 = exe(y)  # a result as an argument, while both are alive
        assert all(address_of(r) % ALIGNMENT == 0 for r in (y2, own2))
        assert not any(np.shares_memory(a, b) for a in (y, own) for b in (y2, own2))
        np.testing.assert_array_equal(y2, 2 * y)
    np.testing.assert_array_equal(y, before[0])
    np.testing.assert_array_equal(own, before[1])
    for step in range(3):  # each one replaces the one it is made of
        y, _ = exe(y)
        np.testing.assert_array_equal(y, x * 2 ** (step + 2))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(y)), y)
    del exe
    gc.collect()
    np.testing.assert_array_equal(y, x * 16)


def test_a_call_with_arguments_that_are_converted_has_aligned_results_too():
    exe = stepwell.compile(PROGRAM.format(t="tensor<5xf32>"))
    for _ in range(4):
        kept_alive = exe(np.arange(10, dtype=np.float32)[::2])
        assert all(address_of(r) % ALIGNMENT == 0 for r in kept_alive)
    array, address = pooled_array((3, 2), F32, 24)
    assert address == address_of(array)
    assert address % ALIGNMENT == 0


def test_threads_that_share_a_program_never_share_results():
    exe = stepwell.compile(PROGRAM.format(t="tensor<64xf32>"))
    wrong: list[int] = []

    def work(number: int) -> None:
        x = np.full(64, number, np.float32)
        held = []
        for turn in range(150):
            held.append(exe(x)[0])
            if turn % 3 == 0:
                held.clear()
            if any((h != 2 * number).any() for h in held):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
