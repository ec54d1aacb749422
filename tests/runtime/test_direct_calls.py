"""The direct way into an entry: taken by arguments that are what they should be, refused by all others, who come in as before."""

from __future__ import annotations

import ctypes
import threading

import numpy as np
import pytest

import stepwell
from stepwell.errors import InvalidProgramError
from stepwell.ir.errors import CompileError
from stepwell.runtime import direct_calls
from stepwell.runtime.direct_calls import ALIGNED, CONTIGUOUS, REFUSED, WRITEABLE, Plan, Wanted, native_call
from stepwell.runtime.loader import FOREIGN_CALLS

F32 = np.dtype(np.float32)
EXACT = CONTIGUOUS | ALIGNED
ENTRY = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.POINTER(ctypes.c_size_t))

ADD = """func.func @main(%x: tensor<2x3xf32>, %y: tensor<3xf32>) -> (tensor<2x3xf32>, tensor<f32>) {
  %0 = stablehlo.broadcast_in_dim %y, dims = [1] : (tensor<3xf32>) -> tensor<2x3xf32>
  %1 = stablehlo.add %x, %0 : tensor<2x3xf32>
  %2 = stablehlo.slice %y [0:1] : (tensor<3xf32>) -> tensor<1xf32>
  %3 = stablehlo.reshape %2 : (tensor<1xf32>) -> tensor<f32>
  return %1, %3 : tensor<2x3xf32>, tensor<f32>
}"""
X, Y = np.arange(6, dtype=F32).reshape(2, 3), np.array([1, 2, 4], F32)


@pytest.fixture(scope="module")
def add():
    exe = stepwell.compile(ADD)
    exe(X, Y)  # so that a frame is idle
    return exe


def test_arrays_and_tuples_are_laid_out_as_they_are_read():
    assert direct_calls.layout_is_known()


def test_exact_arguments_go_directly_in_one_foreign_call(add):
    before = FOREIGN_CALLS.value
    total, first = add._direct((X, Y))
    assert FOREIGN_CALLS.value == before + 1
    np.testing.assert_array_equal(total, X + Y)
    assert first == Y[0]
    assert first.shape == ()


UNALIGNED = np.zeros(25, np.uint8)[1:].view(F32).reshape(2, 3)
UNALIGNED[...] = X


class Named(np.ndarray):
    """An array that is more than one."""


@pytest.mark.parametrize(
    "x",
    [
        pytest.param(X.tolist(), id="lists"),
        pytest.param(np.asfortranarray(X), id="columns first"),
        pytest.param(np.repeat(X, 2, axis=1)[:, ::2], id="strides"),
        pytest.param(UNALIGNED, id="not aligned"),
        pytest.param(X.view(Named), id="subclass"),
        pytest.param(X.astype(np.dtype(np.float32, copy=True)), id="another object for the same type"),
    ],
)
def test_others_get_a_closer_look(add, x):
    if isinstance(x, list):
        x = np.asarray(x, F32).view(Named)
    if type(x) is np.ndarray and x.flags.num & EXACT == EXACT and x.dtype is F32:
        pytest.skip("NumPy has one object for the type")
    assert add._direct((x, Y)) is None
    np.testing.assert_array_equal(add(x, Y)[0], X + Y)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "takes 2 arguments, got 0"),
        ((X,), "takes 2 arguments, got 1"),
        ((X, Y, Y), "takes 2 arguments, got 3"),
        ((X, None), "argument 1 must be"),
        ((X, 1.0), "argument 1 must be"),
        ((X.astype(np.float64), Y), "argument 0 must be"),
        ((X.astype(">f4"), Y), "argument 0 must be"),
        ((X.view(np.int32), Y), "argument 0 must be"),
        ((X.T.copy(), Y), "argument 0 must be"),
        ((X.reshape(6), Y), "argument 0 must be"),
        ((X.reshape(1, 2, 3), Y), "argument 0 must be"),
        ((X, Y[:2]), "argument 1 must be"),
        ((X, Y[:0]), "argument 1 must be"),
    ],
)
def test_wrong_arguments_are_refused_in_words(add, arguments, said):
    assert add._direct(arguments) is None
    with pytest.raises(InvalidProgramError, match=said):
        add(*arguments)


def call(wanted, arguments, results=(), status=0, own=None):
    """(the status, the pointers that the entry was given) of a call of a Python function as entry; `own` says what results are the caller's."""
    seen: list[int] = []
    count = len(arguments) + len(results)

    @ENTRY
    def entry(pointers):
        seen.extend(pointers[i] for i in range(count))
        return status

    made = [Wanted(array.shape, array.dtype, EXACT) for array in results] if own is None else own
    plan = Plan(ctypes.cast(entry, ctypes.c_void_p).value, wanted, made)
    frame = (ctypes.c_size_t * (count + 1))(plan.address)
    got = native_call(native_addresses()[own is not None])(arguments, results, ctypes.addressof(frame))
    return got, seen


def native_addresses():
    from stepwell.backends.target import host_target
    from stepwell.objects import pool_object
    from stepwell.runtime.pool import call_addresses

    return call_addresses(pool_object(host_target()))


@pytest.mark.parametrize("shape", [(), (1,), (0,), (5,), (2, 3), (3, 0, 2), (1, 2, 3, 4, 5)])
def test_the_entry_gets_every_address_in_order(shape):
    dtypes = [np.dtype(name) for name in ("f4", "i1", "c16", "u8")]
    arguments = tuple(np.zeros(shape, dtype) for dtype in dtypes)
    results = (np.zeros(3, F32), np.zeros((), F32))
    wanted = [Wanted(shape, dtype, EXACT) for dtype in dtypes]
    status, seen = call(wanted, arguments, results)
    assert status == 0
    assert seen == [array.__array_interface__["data"][0] for array in (*arguments, *results)]
    for i in range(len(arguments)):
        others = [*arguments]
        others[i] = np.zeros((*shape, 1), dtypes[i])
        assert call(wanted, tuple(others), results) == (REFUSED, [])
        others[i] = np.zeros(shape, np.int16)
        assert call(wanted, tuple(others), results) == (REFUSED, [])


MIXED = [np.dtype(name) for name in ("f4", "i1", "c16")]
TAKEN = [Wanted((2, 3), dtype, EXACT) for dtype in MIXED]
OWN = [Wanted((4,), F32, EXACT | WRITEABLE), Wanted((), np.dtype(np.int64), EXACT | WRITEABLE)]


def mixed():
    """(arguments, results) that TAKEN and OWN are of."""
    return tuple(np.zeros((2, 3), dtype) for dtype in MIXED), (np.zeros(4, F32), np.zeros((), np.int64))


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def test_results_of_the_caller_go_directly_where_they_fit():
    arguments, results = mixed()
    status, seen = call(TAKEN, arguments, results, own=OWN)
    assert status == 0
    assert seen == [array.__array_interface__["data"][0] for array in (*arguments, *results)]
    assert call(TAKEN, arguments, results, status=9, own=OWN)[0] == 9
    empty = Wanted((3, 0), F32, EXACT | WRITEABLE)
    assert call([], (), (np.zeros((3, 0), F32),) * 2, own=[empty] * 2)[0] in (0, REFUSED)
    assert call([], (), (), own=[]) == (0, [])


@pytest.mark.parametrize(
    "results",
    [
        pytest.param(lambda a, r: r[:1], id="too few"),
        pytest.param(lambda a, r: (*r, r[0].copy()), id="too many"),
        pytest.param(lambda a, r: (r[0], None), id="no array"),
        pytest.param(lambda a, r: (r[0], r[1].astype(np.uint64)), id="another type"),
        pytest.param(lambda a, r: (r[0][:3], r[1]), id="another extent"),
        pytest.param(lambda a, r: (r[0].reshape(4, 1), r[1]), id="another rank"),
        pytest.param(lambda a, r: (np.zeros(8, F32)[::2], r[1]), id="strides"),
        pytest.param(lambda a, r: (np.zeros(17, np.uint8)[1:].view(F32), r[1]), id="not aligned"),
        pytest.param(lambda a, r: (read_only(r[0]), r[1]), id="read-only"),
        pytest.param(lambda a, r: (r[0].view(Named), r[1]), id="subclass"),
        pytest.param(lambda a, r: (a[0].reshape(6)[2:], r[1]), id="part of an argument"),
        pytest.param(lambda a, r: (a[2].reshape(6).view(F32)[:4], r[1]), id="start of an argument"),
        pytest.param(lambda a, r: (r[0], r[0][2:].view(np.int64).reshape(())), id="end of another result"),
    ],
)
def test_results_that_need_a_closer_look_are_refused_and_nothing_is_done(results):
    arguments, right = mixed()
    assert call(TAKEN, arguments, results(arguments, right), own=OWN) == (REFUSED, [])


def test_results_next_to_arguments_and_each_other_do_not_overlap():
    memory = np.zeros(12, F32)
    wanted = [Wanted((4,), F32, EXACT | WRITEABLE)] * 3
    pieces = memory[:4], memory[4:8], memory[8:]
    for first, second, third in (pieces, pieces[::-1], (pieces[1], pieces[0], pieces[2])):
        assert call(wanted[:1], (first,), (second, third), own=wanted[1:])[0] == 0


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_call_into_arrays_is_one_foreign_call(add, kind):
    out = kind([np.full((2, 3), np.nan, F32), np.full((), np.nan, F32)])
    before = FOREIGN_CALLS.value
    results = add._direct_into((X, Y), tuple(out))
    assert FOREIGN_CALLS.value == before + 1
    assert all(result is own for result, own in zip(results, out, strict=True))
    np.testing.assert_array_equal(out[0], X + Y)
    out[0][...] = np.nan
    results = add(X, Y, out=out)
    assert type(results) is tuple
    assert all(result is own for result, own in zip(results, out, strict=True))
    np.testing.assert_array_equal(out[0], X + Y)
    assert out[1] == Y[0]


def test_large_results_are_written_directly_too():
    size = 1 << 19
    exe = stepwell.compile(
        f"func.func @main(%x: tensor<{size}xf32>) -> tensor<{size}xf32> {{\n"
        f"  %0 = stablehlo.negate %x : tensor<{size}xf32>\n  return %0 : tensor<{size}xf32>\n}}"
    )
    x = np.arange(size, dtype=F32)
    (first,) = exe(x)
    assert exe._direct is None
    out = np.zeros_like(x)
    assert exe._direct_into((x,), (out,)) is not None
    np.testing.assert_array_equal(out, first)
    with pytest.raises(InvalidProgramError, match=r"out\[0\] overlaps argument 0"):
        exe(x, out=[x])


def test_a_program_without_arguments_is_called_too():
    assert call([], (), (Y,)) == (0, [Y.__array_interface__["data"][0]])
    assert call([], (X,)) == (REFUSED, [])


@pytest.mark.parametrize("status", [1, 7, -1, -(2**31)])
def test_a_status_comes_back_and_is_none_of_a_refusal(status):
    assert call([], (), status=status)[0] == status % 2**32 != REFUSED


def test_a_program_that_stops_says_so_and_its_frame_is_idle_again():
    class Frame:
        base = 0
        results = None

    frames = [Frame()]
    run = direct_calls.direct_call(lambda arguments, results, frame: 3, [((2,), F32, 8)], frames)
    with pytest.raises(CompileError, match="status 3"):
        run(())
    into = direct_calls.direct_call_into(lambda arguments, results, frame: 3, frames)
    with pytest.raises(CompileError, match="status 3"):
        into((), (np.zeros(2, F32),))
    assert len(frames) == 1


def test_threads_that_call_at_once_get_their_own_results(add):
    wrong: list[int] = []

    def work(number):
        x = np.full((2, 3), number, F32)
        for _ in range(200):
            if not np.array_equal(add(x, Y)[0], x + Y):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
