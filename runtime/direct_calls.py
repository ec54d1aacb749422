"""The shortest way from Python into a native entry: `stepwell_call` (runtime/calls.mlir) looks at the arguments where they are.

`stepwell_call_into` looks at results that are the caller's own, too.

It reads arrays and tuples as the C interfaces of NumPy and Python fix them, and is used only where a look at some shows that they are so.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from stepwell.ir.errors import CompileError
from stepwell.runtime.loader import FOREIGN_CALLS
from stepwell.runtime.results import results_of

Array = np.ndarray[Any, np.dtype[Any]]

CONTIGUOUS, ALIGNED, WRITEABLE = 0x1, 0x100, 0x400
"""Bits of `flags.num`, as NumPy's C interface fixes them."""
REFUSED = 1 << 32
"""The status of a call whose arguments need a closer look."""

_TYPE, _LENGTH, _ITEMS = 1, 2, 3
_DATA, _RANK, _DIMENSIONS, _ELEMENT, _FLAGS = 2, 3, 4, 7, 8
_RECORDS, _RECORD_WORDS = 8, 5
_LOWER = (1 << 32) - 1

Call = Callable[[tuple[Any, ...], tuple[Any, ...], int], int]
"""Arguments, results and the address of a frame; the status."""


@dataclass(frozen=True)
class Wanted:
    """An argument or result that needs no closer look: its shape, dtype, and the flags it has."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    flags: int


def _words(value: object, count: int) -> list[int]:
    return list((ctypes.c_uint64 * count).from_address(id(value)))


@functools.cache
def layout_is_known() -> bool:
    """Whether arrays and tuples of this Python and NumPy are as `stepwell_call` reads them."""
    if ctypes.sizeof(ctypes.c_void_p) != 8 or object.__basicsize__ != 16 or not hasattr(ctypes, "pythonapi"):
        return False
    arrays = [np.zeros((3, 5, 7), np.int16)[1:, ::2].T, np.zeros((), np.float64), np.zeros(4, np.bool_)]
    pair = (arrays[0], arrays[1])
    tuple_words = _words(pair, 5)
    as_tuple = tuple_words[_LENGTH] == 2 and tuple_words[_ITEMS:] == [id(item) for item in pair]
    return as_tuple and all(_is_known(array) for array in arrays)


def _is_known(array: np.ndarray[Any, Any]) -> bool:
    words = _words(array, _FLAGS + 1)
    same = (
        words[_TYPE] == id(np.ndarray),
        words[_DATA] == array.__array_interface__["data"][0],
        words[_RANK] & _LOWER == array.ndim,
        words[_ELEMENT] == id(array.dtype),
        words[_FLAGS] & _LOWER == array.flags.num,
    )
    if not all(same):
        return False
    return tuple((ctypes.c_int64 * array.ndim).from_address(words[_DIMENSIONS])) == array.shape if array.ndim else True


def native_call(address: int) -> Call:
    """`stepwell_call` or `stepwell_call_into`, at its address; it runs with the interpreter's lock and gives it up for the entry."""
    return ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.py_object, ctypes.py_object, ctypes.c_void_p)(address)


class Plan:
    """What `stepwell_call` is to know of an executable; keeps what it names."""

    def __init__(self, entry: int, arguments: Sequence[Wanted], results: Sequence[Wanted]):
        """Lay out the plan.

        Args:
            entry: the address of the native entry.
            arguments: one each.
            results: one each; only those that are the caller's own are looked at.
        """
        api = ctypes.pythonapi
        wanted = (*arguments, *results)
        head = [
            len(arguments),
            len(results),
            id(np.ndarray),
            entry,
            *(_address(f) for f in (api.PyEval_SaveThread, api.PyEval_RestoreThread)),
            0,
            0,
        ]
        shapes_at = _RECORDS + _RECORD_WORDS * len(wanted)
        records: list[int] = []
        shapes: list[int] = []
        for one in wanted:
            size = prod(one.shape) * one.dtype.itemsize
            records += [id(one.dtype), one.flags, len(one.shape), shapes_at + len(shapes), size]
            shapes += one.shape
        words = [*head, *records, *shapes]
        self._words = (ctypes.c_uint64 * len(words))(*words)
        self._wanted = wanted
        self.address = ctypes.addressof(self._words)


def direct_call(
    call: Call, results: Sequence[tuple[tuple[int, ...], np.dtype[Any], int]], frames: list[Any]
) -> Callable[[tuple[Any, ...]], tuple[Array, ...] | None]:
    """What calls an entry on a tuple of arguments.

    It gives None, and nothing is done, where an argument needs a closer look or no frame is idle.

    Args:
        call: `stepwell_call`.
        results: shape, dtype and bytes of each.
        frames: those that are idle; each has a `base`, the address of its words, and room for `results`.
    """
    counter = FOREIGN_CALLS

    def run(arguments: tuple[Any, ...]) -> tuple[Array, ...] | None:
        try:
            frame = frames.pop()  # atomic, as append is: no lock that a fork could leave locked
        except IndexError:
            return None
        own = frame.results
        if own is None:
            own = frame.results = results_of(results)
        made = (own[0].take(),) if len(own) == 1 else tuple([one.take() for one in own])
        status = call(arguments, made, frame.base)
        frames.append(frame)
        if status:
            if status == REFUSED:
                return None
            raise CompileError(f"the program stopped with status {status}")
        counter.value += 1
        return made

    return run


def direct_call_into(
    call: Call, frames: list[Any]
) -> Callable[[tuple[Any, ...], tuple[Any, ...]], tuple[Array, ...] | None]:
    """What calls an entry on a tuple of arguments and one of results that are the caller's own; as `direct_call` else.

    Args:
        call: `stepwell_call_into`.
        frames: those that are idle.
    """
    counter = FOREIGN_CALLS

    def run(arguments: tuple[Any, ...], results: tuple[Any, ...]) -> tuple[Array, ...] | None:
        try:
            frame = frames.pop()
        except IndexError:
            return None
        status = call(arguments, results, frame.base)
        frames.append(frame)
        if status:
            if status == REFUSED:
                return None
            raise CompileError(f"the program stopped with status {status}")
        counter.value += 1
        return results

    return run


def _address(function: Any) -> int:
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return address


__all__ = [
    "ALIGNED",
    "CONTIGUOUS",
    "REFUSED",
    "WRITEABLE",
    "Call",
    "Plan",
    "Wanted",
    "direct_call",
    "direct_call_into",
    "layout_is_known",
    "native_call",
]
