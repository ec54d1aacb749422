"""Guarded calls: every argument, result and temporary next to a page that must not be touched.

For finding bugs: an access past the end of a buffer ("end") or in front of its start ("start") is a segmentation fault at the
instruction that makes it (`faulthandler` names the call), and one that stays on the buffer's own page changes a byte that is checked
after the call. What the pages of temporaries are is in the program (`Signature.guard`); arguments are copied in, results out.
"""

from __future__ import annotations

import ctypes
import faulthandler
import mmap
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stepwell.ir.errors import CompileError, UnsupportedError

Array = np.ndarray[Any, Any]

CANARY = 0xA5
"""What lies around buffers; undefined contents are 0xFF."""
_NOTHING = 0
"""`PROT_NONE`."""


@dataclass(frozen=True)
class Pages:
    """Of a piece of memory: where pages without access start, and the buffers (offset, size)."""

    pages: tuple[int, ...] = ()
    buffers: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class GuardPlan:
    """How a program wants its memory guarded: "end" or "start", the size of a page, its arena and a worker's row."""

    mode: str
    page: int
    arena: Pages
    row: Pages


class GuardedMemory:
    """`size` bytes, a canary everywhere but in the buffers, which are 0xFF, with pages that must not be touched."""

    def __init__(self, size: int, page: int, pages: Pages):
        self._store = mmap.mmap(-1, max(size, page), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._store))
        self._bytes: Array = np.frombuffer(self._store, np.uint8)
        self._pages = pages.pages
        self._page = page
        self._slack = np.ones(self._bytes.size, np.bool_)
        for start in pages.pages:
            self._slack[start : start + page] = False
        for start, length in pages.buffers:
            self._slack[start : start + length] = False
            self._bytes[start : start + length] = 0xFF
        self._bytes[self._slack] = CANARY
        for start in pages.pages:
            _protect(self.address + start, page, _NOTHING)

    def view(self, offset: int, size: int) -> Array:
        """The bytes of a buffer."""
        return self._bytes[offset : offset + size]

    def check(self, what: str) -> None:
        """Raise when a byte outside of all buffers was changed.

        Raises:
            CompileError: one was; the message says how far into which piece of memory.
        """
        places = np.flatnonzero(self._slack)
        changed = places[self._bytes[places] != CANARY]
        if changed.size:
            raise CompileError(
                f"the program wrote outside of its buffers: {changed.size} bytes of {what}, at {changed[0]}"
            )

    def release(self) -> None:
        """Give all pages their access back, so that the mapping can be reused."""
        for start in self._pages:
            _protect(self.address + start, self._page, mmap.PROT_READ | mmap.PROT_WRITE)


def _protect(address: int, size: int, access: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    mprotect = library.mprotect
    mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    if mprotect(address, size, access):
        raise CompileError(f"mprotect failed: error {ctypes.get_errno()}")


def require_guards() -> int:
    """The size of a page, on a system that can protect one.

    Raises:
        UnsupportedError: it cannot.
    """
    if sys.platform == "win32":
        raise UnsupportedError("STEPWELL_GUARD needs mprotect, which this system does not have")
    return mmap.PAGESIZE


def _alone(size: int, plan: GuardPlan) -> tuple[GuardedMemory, int]:
    """Memory for one buffer between two pages without access, and the buffer's offset."""
    page = plan.page
    room = -(-size // page) * page
    start = page if plan.mode == "start" else page + room - size
    return GuardedMemory(room + 2 * page, page, Pages((0, page + room), ((start, size),))), start


def run_guarded(
    entry: Any,
    plan: GuardPlan,
    arena_bytes: int,
    row_bytes: int,
    workers: int,
    inputs: Sequence[Array],
    outputs: Sequence[Array],
) -> int:
    """Call `entry` with guarded copies of everything, copy the results out, and check what lies around the buffers.

    Raises:
        CompileError: a byte outside of all buffers was changed.
    """
    if not faulthandler.is_enabled() and sys.stderr is not None:  # pyright: ignore[reportUnnecessaryComparison]
        faulthandler.enable()
    arrays = [*inputs, *outputs]
    places = [_alone(array.nbytes, plan) for array in arrays]
    for array, (memory, offset) in zip(inputs, places, strict=False):
        memory.view(offset, array.nbytes)[...] = _bytes_of(array)
    rows = Pages(
        tuple(p + row * row_bytes for row in range(workers) for p in plan.row.pages),
        tuple((start + row * row_bytes, size) for row in range(workers) for start, size in plan.row.buffers),
    )
    arena = GuardedMemory(arena_bytes, plan.page, plan.arena)
    slab = GuardedMemory(row_bytes * workers, plan.page, rows)
    pointers = (ctypes.c_void_p * (len(arrays) + 2))()
    for i, (memory, offset) in enumerate(places):
        pointers[i] = memory.address + offset
    pointers[len(arrays)], pointers[len(arrays) + 1] = arena.address, slab.address
    status = entry(ctypes.addressof(pointers))
    for i, (memory, _) in enumerate(places):
        memory.check(f"argument {i}" if i < len(inputs) else f"result {i - len(inputs)}")
    arena.check("the temporaries")
    slab.check("the workers' memory")
    for array, (memory, offset) in zip(outputs, places[len(inputs) :], strict=True):
        _bytes_of(array)[...] = memory.view(offset, array.nbytes)
    for memory in (arena, slab, *(memory for memory, _ in places)):
        memory.release()
    return status


def _bytes_of(array: Array) -> Array:
    return array.reshape(-1).view(np.uint8)


__all__ = ["GuardPlan", "GuardedMemory", "Pages", "require_guards", "run_guarded"]
