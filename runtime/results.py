"""Memory for the results of a program's calls, 64-byte aligned, used again as soon as nobody has the arrays any more.

A frame keeps two pieces of memory for each small result. The array a call gives is a view of one, and NumPy has every view of a
view refer to the memory itself: as long as anybody has one, the memory's reference count says so. That costs less than asking NumPy
for an array: no allocation, no lock, and nothing to do when an array dies. Who keeps all results gets new memory for each.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from stepwell.runtime.memory import pooled_array

KEPT_BYTES = 256 << 10
"""Results of a call up to so many bytes together are in memory that a frame keeps, twice as much."""

Array = np.ndarray[Any, np.dtype[Any]]
_count = sys.getrefcount


class Result(Protocol):
    """One result of calls with one frame."""

    def take(self) -> Array:
        """An array for it, contents undefined."""
        ...


class _Pooled:
    """A result whose memory comes from the pool each time."""

    __slots__ = ("_of",)

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], size: int):
        self._of = shape, dtype, size

    def take(self) -> Array:
        return pooled_array(*self._of)[0]


class Kept:
    """A result whose memory is used again; of one frame, which one call has at a time."""

    __slots__ = ("_first", "_first_memory", "_of", "_second", "_second_memory")
    _second: Any
    _second_memory: Any

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], size: int):
        """For arrays of a shape and type; memory for a second one is made when two are alive at a time."""
        self._of = shape, dtype, size
        self._first, self._first_memory = self._new()
        self._second = self._second_memory = None

    def _new(self) -> tuple[Array, Any]:
        """An array that nobody else gets, and what its views refer to."""
        array = pooled_array(*self._of)[0]
        return array, array[...].base

    def take(self) -> Array:
        """An array whose memory no other array has, contents undefined."""
        if _count(self._first_memory) == IDLE:
            return self._first[...]
        if _count(self._second_memory) == IDLE:
            return self._second[...]
        if self._second_memory is not None:  # the older one stays with the array that has it
            self._first, self._first_memory = self._second, self._second_memory
        self._second, self._second_memory = self._new()
        return self._second[...]

    def references(self) -> int:
        """References to the first memory."""
        return _count(self._first_memory)


def _idle_count() -> int:
    """References to memory of which there is no array but the one that `Kept` has; -1 where they do not tell."""
    probe = Kept((2, 3), np.dtype(np.float32), 24)
    idle = probe.references()
    view = probe._first[...]  # pyright: ignore[reportPrivateUsage]
    part = view[1:].T.view(np.int32)
    del view
    counted = probe.references() == idle + 1
    del part
    return idle if counted and probe.references() == idle else -1


IDLE = _idle_count()
"""References to memory that is free to be used again."""


def results_of(wanted: Sequence[tuple[tuple[int, ...], np.dtype[Any], int]]) -> list[Result]:
    """What makes a frame's results: shape, dtype and bytes of each."""
    keeps = sum(size for _, _, size in wanted) <= KEPT_BYTES and IDLE > 0
    return [(Kept if keeps else _Pooled)(*one) for one in wanted]


__all__ = ["IDLE", "KEPT_BYTES", "Kept", "Result", "results_of"]
