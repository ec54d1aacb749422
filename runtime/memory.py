"""Aligned buffers that are pooled: an output returns to the pool when its array dies, an arena when its call ends.

A block is a 64-byte aligned piece of a private anonymous mapping (large ones in huge pages where the system gives them), so a
forked child has its own. Small blocks are carved out of slabs: the system limits how many mappings a process may have. Blocks
are kept by size class, and at most `LIMIT` bytes are kept idle. What cannot fit in the machine's memory is refused when asked
for, not when touched.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import mmap
import os
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ALIGNMENT = 64
LIMIT = 1 << 30
"""Bytes kept idle at most; beyond, freed blocks go back to the system."""

_HUGE = 4 << 20
_SMALL = 64 << 10
TINY = 64 << 10
"""The memory of arrays up to so many bytes comes from NumPy, which is quick with it."""
_SLAB = 1 << 20


@functools.cache
def memory_bytes() -> int:
    """What this process may use at most: the machine's memory, or its control group's where that is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        total = min(total, _number_in(path) or total)
    return total


def free_bytes() -> int:
    """What this process could still have: what the machine has left, or its control group where that is less."""
    total = memory_bytes()
    left = [total]
    for path in ("/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes"):
        left.append(max(total - (_number_in(path) or 0), 0))
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                left.append(int(line.split()[1]) << 10)
    return min(left)


def _number_in(path: str) -> int | None:
    try:
        text = Path(path).read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


class _Mapping:
    """Private anonymous memory of `size` bytes from `address`, a multiple of `ALIGNMENT`; unmapped when it dies."""

    __slots__ = ("_store", "address", "size")

    def __init__(self, size: int):
        self.size = size
        self._store = mmap.mmap(-1, max(size, 1) + ALIGNMENT, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if size >= _HUGE and hasattr(mmap, "MADV_HUGEPAGE"):
            with contextlib.suppress(OSError):
                self._store.madvise(mmap.MADV_HUGEPAGE)
        base = ctypes.addressof(ctypes.c_char.from_buffer(self._store))
        self.address = -(-base // ALIGNMENT) * ALIGNMENT


class Block:
    """`size` usable bytes at `address`, aligned; keeps the mapping that it is a piece of."""

    __slots__ = ("_mapping", "address", "size")

    def __init__(self, mapping: _Mapping, offset: int, size: int):
        self._mapping = mapping
        self.address = mapping.address + offset
        self.size = size


@functools.lru_cache(1024)  # calls ask for the same sizes again and again
def size_class(size: int) -> int:
    """The block size that serves `size` bytes: multiples of 64 up to 4 KiB, then eight steps an octave."""
    if size <= 4096:
        return max(ALIGNMENT, -(-size // ALIGNMENT) * ALIGNMENT)
    step = 1 << max(size.bit_length() - 4, 6)
    return -(-size // step) * step


@dataclass(frozen=True)
class HostMemoryStatistics:
    """Bytes of the host's memory that arrays of more than 64 KiB, temporaries and scratch of workers are in.

    Smaller arrays are NumPy's own, and not counted. Names are those of a GPU's statistics where they mean the same.

    Attributes:
        used: of arrays and of programs that run, or ran and keep their memory for the next call.
        most: the most that was used at once.
        reserved: kept for later arrays, what is used included.
        free: what the machine, or the process's control group, has left.
        total: what this process may use at most.
        allocations: how many blocks were handed out.
    """

    used: int
    most: int
    reserved: int
    free: int
    total: int
    allocations: int

    @property
    def kept(self) -> int:
        """Bytes nobody uses that are kept for later arrays."""
        return self.reserved - self.used


Watcher = Callable[[int, int, int], None]
"""Is told of each block that is handed out or comes back: its bytes (less than 0 when it comes back), address, and the bytes used then."""


class Pool:
    """Idle blocks by size class; thread-safe."""

    def __init__(self, limit: int = LIMIT):
        self._free: defaultdict[int, list[Block]] = defaultdict(list)
        self._lock = threading.RLock()  # a collection inside `take` may free an array, and so call `give`
        self._idle = 0
        self._reserved = 0  # what is idle and what is used: so that a block that moves costs one subtraction
        self._most = 0
        self._allocations = 0
        self.watcher: Watcher | None = None
        """Called with the lock held, perhaps from within a collection: it may take no lock of its own."""
        self._limit = limit
        self._slab: _Mapping | None = None
        self._carved = 0

    def after_fork(self) -> None:
        """In a forked child: a thread that is gone may have held the lock."""
        self._lock = threading.RLock()

    def take(self, size: int) -> Block:
        """A block of at least `size` bytes, contents undefined.

        Raises:
            MemoryError: the system has not that much.
        """
        rounded = size_class(size)
        with self._lock:
            free = self._free.get(rounded)
            if free:
                block = free.pop()
                self._idle -= rounded
                return self._handed_out(block)
        if rounded > memory_bytes():
            raise MemoryError(f"{size} bytes are more than the {memory_bytes()} of this machine")
        block = self._new_or_none(rounded)
        if block is None:
            self.clear()
            block = self._new_or_none(rounded)
        if block is None:
            raise MemoryError(f"cannot allocate {size} bytes")
        with self._lock:
            self._reserved += rounded
            return self._handed_out(block)

    def _handed_out(self, block: Block) -> Block:
        """Count a block, under the lock."""
        self._allocations += 1
        used = self._reserved - self._idle
        if used > self._most:
            self._most = used
        if self.watcher is not None:
            self.watcher(block.size, block.address, used)
        return block

    def _new_or_none(self, size: int) -> Block | None:
        try:
            return self._new(size)
        except (OSError, OverflowError, ValueError):
            return None

    def _new(self, size: int) -> Block:
        if size > _SMALL:
            return Block(_Mapping(size), 0, size)
        with self._lock:
            if self._slab is None or self._carved + size > _SLAB:
                self._slab, self._carved = _Mapping(_SLAB), 0
            offset = self._carved
            self._carved += size
            return Block(self._slab, offset, size)

    def clear(self) -> None:
        """Give all idle blocks back to the system."""
        with self._lock:
            self._free.clear()
            self._reserved -= self._idle
            self._idle = 0
            self._slab = None

    def give(self, block: Block) -> None:
        """Return a block."""
        with self._lock:
            if self._idle + block.size <= self._limit:
                self._free[block.size].append(block)
                self._idle += block.size
            else:
                self._reserved -= block.size
            if self.watcher is not None:
                self.watcher(-block.size, block.address, self._reserved - self._idle)

    def statistics(self) -> HostMemoryStatistics:
        """What the pool's memory is used for."""
        free, total = free_bytes(), memory_bytes()
        with self._lock:
            used = self._reserved - self._idle
            return HostMemoryStatistics(used, self._most, self._reserved, free, total, self._allocations)

    @property
    def idle_bytes(self) -> int:
        """Bytes in idle blocks."""
        return self._idle

    @property
    def used_bytes(self) -> int:
        """Bytes in blocks that are handed out."""
        with self._lock:
            return self._reserved - self._idle


POOL = Pool()
"""The process's pool."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=POOL.after_fork)


word_at = ctypes.c_size_t.from_address
"""`word_at(address).value` is the word in memory there."""

DATA = object.__basicsize__
"""Where an array object has the address of its elements: the first field of NumPy's public `PyArrayObject`, after Python's own."""

_probe = np.empty(8, np.uint8)[3:]
HAS_DATA = word_at(id(_probe) + DATA).value == _probe.__array_interface__["data"][0]
"""Whether it is there, in this Python and NumPy."""
del _probe


def address_of(array: np.ndarray[Any, Any]) -> int:
    """The address of an array's elements; asking NumPy for it takes longer than a small kernel."""
    return word_at(id(array) + DATA).value if HAS_DATA else array.__array_interface__["data"][0]


@functools.cache
def _owner_of(size: int) -> type[ctypes.Array[ctypes.c_char]]:
    """The type of objects that lend a block of `size` bytes to arrays, and give it back when the last of them dies."""
    give = POOL.give  # kept: the module may be gone when the interpreter ends

    def __del__(self: Any) -> None:
        give(self.block)

    return type("Owner", (ctypes.c_char * size,), {"__del__": __del__})


def pooled_array(shape: tuple[int, ...], dtype: np.dtype[Any], size: int) -> tuple[np.ndarray[Any, Any], int]:
    """(a NumPy array of `size` bytes, its address, a multiple of 64): over a pooled block, or a small one in memory of NumPy's own."""
    if size <= TINY:
        memory = np.empty(size + ALIGNMENT - 1, np.uint8)
        unaligned = address_of(memory)
        address = -(-unaligned // ALIGNMENT) * ALIGNMENT
        return np.ndarray(shape, dtype, memory, address - unaligned), address
    block = POOL.take(size)
    owner: Any = _owner_of(block.size).from_address(block.address)
    owner.block = block
    return np.ndarray(shape, dtype, owner), block.address
