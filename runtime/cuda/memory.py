"""Device memory with owners, page-locked host memory, and copies between the two.

A buffer belongs to the stream it was allocated on. Another stream that uses it first waits for the owner's work, and the buffer is
freed only after the work of all who used it: `acquire` and `__del__` see to both, at no cost while one stream does everything.
"""

from __future__ import annotations

import ctypes
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stepwell.runtime.cuda.device import Device, Stream
from stepwell.runtime.cuda.driver import checked, failure

Array = np.ndarray[Any, Any]

CHUNK = 4 << 20
"""Bytes copied at once through page-locked memory: while one chunk is on its way the next is filled."""
PINNED_LIMIT = 256 << 20
"""Page-locked bytes kept at most before old chunks are waited for."""

_PORTABLE = 1


class Buffer:
    """Device memory and the streams that use it.

    Attributes:
        address: where it is.
        size: how many bytes.
        stream: the one whose work it belongs to.
        device: the stream's.
        exported: another library may use it in streams that we do not know.
    """

    __slots__ = ("__weakref__", "_users", "address", "device", "exported", "size", "stream")

    def __init__(self, stream: Stream, address: int, size: int):
        self.device: Device = stream.device
        self.stream = stream
        self.address = address
        self.size = size
        self.exported = False
        self._users: list[Any] = []  # handles of other streams that used it

    def acquire(self, stream: Stream) -> int:
        """The address, usable by later work in `stream`."""
        if stream is not self.stream:
            stream.wait_for(self.stream)
            self.used_by(stream.handle)
        return self.address

    def used_by(self, handle: Any) -> None:
        """Remember that a stream uses the memory, ours or another library's."""
        if all(int(handle) != int(known) for known in self._users):
            self._users.append(handle)


class DeviceBuffer(Buffer):
    """Memory of ours; freed, in stream order, when the last reference goes."""

    __slots__ = ()

    def __init__(self, stream: Stream, size: int):
        super().__init__(stream, stream.device.allocate(size, stream), size)

    def release(self) -> None:
        """Free it now, when only its own stream used it; the device must be current."""
        address, self.address = self.address, 0
        self.device.free_current(address, self.stream)

    def __del__(self) -> None:
        if not getattr(self, "address", 0) or not self.device.alive:  # no memory to free, or no device any more
            return
        try:
            if self._users or self.exported:
                with self.device.current:
                    if self.exported:
                        self.device.api.cuCtxSynchronize()
                    for handle in self._users:
                        self.stream.wait_for_handle(handle)
        except Exception:  # the driver is gone, or the other stream is: nothing can use the memory any more
            return
        self.device.free(self.address, self.stream)


class ForeignBuffer(Buffer):
    """Memory of another library, given back by `release` once our work on it is done."""

    __slots__ = ("_release",)

    def __init__(self, stream: Stream, address: int, size: int, release: Callable[[], None]):
        super().__init__(stream, address, size)
        self._release = release

    def __del__(self) -> None:
        if self.device.alive:
            for handle in (self.stream.handle, *self._users):
                # Its owner knows nothing of our streams: it may use the memory again as soon as it has it back.
                try:
                    self.device.api.cuStreamSynchronize(handle)
                except Exception:  # the process ends
                    return
        self._release()


@dataclass
class PinnedBlock:
    """Page-locked host memory; `event` says when the last copy that used it is done."""

    address: int
    size: int
    event: Any = None


class PinnedPool:
    """Page-locked host memory of a device, by size class; thread-safe. Blocks go back to the system with the process."""

    def __init__(self, device: Device):
        self._device = device
        self._idle: dict[int, deque[PinnedBlock]] = {}
        self._lock = threading.RLock()
        self._total = 0

    def take(self, size: int) -> PinnedBlock:
        """A block of at least `size` bytes that no copy uses any more; the device must be current."""
        rounded = 1 << max(size - 1, 4095).bit_length()
        with self._lock:
            idle = self._idle.setdefault(rounded, deque())
            block = idle.popleft() if idle else None
            if block is not None and not self._done(block) and self._total + rounded <= PINNED_LIMIT:
                idle.appendleft(block)
                block = None
            if block is None:
                self._total += rounded
        if block is None:
            return self._new(rounded)
        self._wait(block)
        return block

    def give(self, block: PinnedBlock, stream: Stream | None) -> None:
        """Take a block back; the work in `stream` so far may still use it (None: nothing does)."""
        if stream is not None:
            api = self._device.api
            block.event = self._device.take_event()
            checked(api, api.cuEventRecord(block.event, stream.handle), "order a copy")
        with self._lock:
            self._idle.setdefault(block.size, deque()).append(block)

    def _new(self, size: int) -> PinnedBlock:
        api = self._device.api
        result = api.cuMemHostAlloc(size, _PORTABLE)
        if int(result[0]):
            with self._lock:
                self._total -= size
            raise failure(api, result[0], f"allocate {size} page-locked bytes of the host for {self._device}")
        return PinnedBlock(int(result[1]), size)

    def _done(self, block: PinnedBlock) -> bool:
        return block.event is None or int(self._device.api.cuEventQuery(block.event)[0]) == 0

    def _wait(self, block: PinnedBlock) -> None:
        if block.event is not None:
            api = self._device.api
            checked(api, api.cuEventSynchronize(block.event), "wait for a copy")
            self._device.give_event(block.event)
            block.event = None


_pools: dict[Device, PinnedPool] = {}


def pinned_pool(device: Device) -> PinnedPool:
    """The page-locked memory of a device."""
    found = _pools.get(device)
    if found is None:
        for dead in [d for d in _pools if not d.alive]:
            _pools.pop(dead, None)
        found = _pools.setdefault(device, PinnedPool(device))
    return found


def upload(array: Array, address: int, stream: Stream) -> None:
    """Copy a C-contiguous array to device memory; it may be changed when this returns. The device must be current."""
    source = array.__array_interface__["data"][0]
    api, pool = stream.device.api, pinned_pool(stream.device)
    for start in range(0, array.nbytes, CHUNK):
        size = min(CHUNK, array.nbytes - start)
        block = pool.take(size)
        ctypes.memmove(block.address, source + start, size)
        result = api.cuMemcpyHtoDAsync(address + start, block.address, size, stream.handle)
        checked(api, result, f"copy {array.nbytes} bytes to {stream.device}")
        pool.give(block, stream)


def download(address: int, array: Array, stream: Stream) -> None:
    """Copy device memory to a C-contiguous array, and wait for it. The device must be current."""
    target = array.__array_interface__["data"][0]
    api, pool = stream.device.api, pinned_pool(stream.device)
    doing = f"copy {array.nbytes} bytes from {stream.device}"
    pending: deque[tuple[int, int, PinnedBlock, Any]] = deque()

    def finish() -> None:
        start, size, block, event = pending.popleft()
        checked(api, api.cuEventSynchronize(event), doing)
        stream.device.give_event(event)
        ctypes.memmove(target + start, block.address, size)
        pool.give(block, None)

    for start in range(0, array.nbytes, CHUNK):
        size = min(CHUNK, array.nbytes - start)
        block, event = pool.take(size), stream.device.take_event()
        checked(api, api.cuMemcpyDtoHAsync(block.address, address + start, size, stream.handle), doing)
        checked(api, api.cuEventRecord(event, stream.handle), doing)
        pending.append((start, size, block, event))
        if len(pending) > 1:
            finish()
    while pending:
        finish()
