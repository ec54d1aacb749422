"""Indices as in NumPy: arrays of them beside slices, reading and writing, eager and traced; what is checked, clamped, dropped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import stepwell
import stepwell.numpy as snp

X = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
PAIR = np.array([0, 2])
INDICES: dict[str, Any] = {
    "first": (PAIR,),
    "negative": (np.array([-1, 0]),),
    "inner": (slice(None), PAIR),
    "two apart": (PAIR, slice(None), np.array([1, -1])),
    "integer and array": (0, slice(1, 3), PAIR),
    "beside a reversed slice": (slice(None, None, -1), PAIR, 1),
    "beside steps": (slice(None, None, 2), PAIR, slice(1, None, 2)),
    "broadcast": (np.array([[0], [1]]), np.array([1, 2, 3])),
    "all dims": (PAIR, np.array([3, 3]), np.array([0, 1])),
    "ellipsis": (..., PAIR),
    "wide": (np.array([0, 2], np.int64), np.array([1, 1], np.uint32)),
    "small": (np.array([1, 2], np.int8), np.array([1, 3], np.uint8)),
    "no elements": (np.array([], np.int32),),
}


@pytest.mark.parametrize("name", INDICES)
def test_arrays_of_indices_read_as_numpys(name: str):
    index = INDICES[name]
    for read in (stepwell.jit(lambda x: x[index]), lambda x: snp.asarray(x)[index]):
        np.testing.assert_array_equal(read(X).numpy(), X[index])
    traced = stepwell.jit(lambda x, parts: x[tuple(parts)], static_argnames=())
    if all(isinstance(p, np.ndarray) for p in index):
        np.testing.assert_array_equal(traced(X, list(index)).numpy(), X[index])


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.every(2)
def test_arrays_of_indices_write_as_numpys(name: str):
    index = INDICES[name]
    value = np.arange(X[index].size, dtype=np.float32).reshape(X[index].shape) - 7
    operations = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply, "min": np.minimum, "max": np.maximum}
    f = stepwell.jit(lambda x, v: {n: getattr(x.at[index], n)(v) for n in ("set", *operations)})
    got = f(X, value)
    wanted = X.copy()
    wanted[index] = value
    np.testing.assert_array_equal(got["set"].numpy(), wanted)
    for operation, ufunc in operations.items():
        wanted = X.copy()
        ufunc.at(wanted, index, value)
        np.testing.assert_array_equal(got[operation].numpy(), wanted, err_msg=operation)
    np.testing.assert_array_equal(snp.asarray(X).at[index].set(value).numpy(), got["set"].numpy())


@pytest.mark.parametrize(
    "index", [(1,), (slice(1, 3), slice(None), 2), (slice(None, None, 2), slice(3, None, -2)), (-1, ..., 0)]
)
def test_slices_are_updated(index: Any):
    f = stepwell.jit(lambda x: (x.at[index].add(2), x.at[index].max(30), x.at[index].set(1.5)))
    for got, change in zip(f(X), (lambda v: v + 2, lambda v: np.maximum(v, 30), lambda v: v * 0 + 1.5), strict=True):
        wanted = X.copy()
        wanted[index] = change(X[index])
        np.testing.assert_array_equal(got.numpy(), wanted)


def test_an_element_named_twice_is_updated_twice():
    f = stepwell.jit(lambda i: snp.zeros(4).at[i].add(1.0))
    np.testing.assert_array_equal(f(np.array([1, 1, 3, 1], np.int32)).numpy(), [0, 3, 0, 1])
    last = stepwell.jit(lambda i, v: snp.zeros(3).at[i].set(v))
    np.testing.assert_array_equal(last(np.array([2, 2], np.int32), np.array([5, 6], np.float32)).numpy(), [0, 0, 6])


def test_run_time_arrays_are_clamped_when_read_and_dropped_when_written():
    f = stepwell.jit(lambda x, i: (x[i], x.at[i].set(-1)))
    x, i = np.arange(4, dtype=np.float32), np.array([1, 9, -9, -1], np.int32)
    read, written = f(x, i)
    np.testing.assert_array_equal(read.numpy(), [1, 3, 0, 3])
    np.testing.assert_array_equal(written.numpy(), [0, -1, 2, -1])


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: x[np.array([0, 3])], "index 3 is out of bounds for dim 0 of extent 3"),
        (lambda x: x[0, np.array([-5])], "index -5 is out of bounds for dim 1 of extent 4"),
        (lambda x: x.at[np.array([7])].add(1), "index 7 is out of bounds for dim 0"),
        (lambda x: x[np.int64(4)], "index 4 is out of bounds for dim 0"),
        (lambda x: snp.take(x, np.array([5]), axis=2), "index 5 is out of bounds for dim 2"),
        (lambda x: x[PAIR, None], "newaxis cannot stand beside index arrays"),
        (lambda x: x.at[None].set(0), r"at\[...\] takes no newaxis"),
        (lambda x: x[np.array([0.5])], "indices must be integers, not float64"),
        (lambda x: x[np.array([True, False, True])], "boolean masks cannot index"),
        (lambda x: x.at[x > 1].set(0), "boolean masks cannot index"),
        (lambda x: x[True], "boolean masks cannot index"),
        (lambda x: x[PAIR, np.array([0, 1, 2])], "do not broadcast together"),
        (lambda x: x.at[PAIR].set(snp.ones((4, 4))), "cannot be broadcast|do not broadcast"),
        (lambda x: x[:0][PAIR[:1] * 0 + snp.argmax(x)], "an empty array of shape"),
        (lambda x: x[0, "a"], "an index must be an integer"),
        (lambda x: x[1.0], "an index must be an integer"),
        (lambda x: x["a":], "a bound of a slice must be an integer, not 'a'"),
        (lambda x: x[::0], "the step of a slice must not be zero"),
        (lambda x: x[snp.argmax(x) :], "a Python integer needs the elements"),
    ],
)
def test_wrong_indices_are_refused_at_the_users_line(f: Any, message: str):
    with pytest.raises(stepwell.TracingError, match=message) as caught:
        stepwell.jit(f)(X)
    location = caught.value.diagnostic.location
    assert location is not None
    assert (location.file, location.line) == (__file__, f.__code__.co_firstlineno)
