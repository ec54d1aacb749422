"""`DeviceArray`: a dense array in a GPU's memory, shared with NumPy by copying and with other GPU libraries without."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from stepwell.ir.errors import InvalidProgramError
from stepwell.runtime.cuda import dlpack
from stepwell.runtime.cuda.device import Stream, device
from stepwell.runtime.cuda.memory import Buffer, DeviceBuffer, ForeignBuffer, download, upload

HostArray = np.ndarray[Any, Any]

_LEGACY_STREAM = 1


class DeviceArray:
    """What a program on a GPU takes and gives. Its contents may still be on their way: reading them waits.

    Attributes:
        buffer: the memory and the streams that use it.
        shape: one size a dimension.
        dtype: NumPy's dtype of an element.
    """

    __slots__ = ("__weakref__", "_host", "buffer", "dtype", "shape")

    def __init__(self, buffer: Buffer, shape: tuple[int, ...], dtype: np.dtype[Any]):
        self.buffer = buffer
        self.shape = shape
        self.dtype = dtype
        self._host: HostArray | None = None

    @property
    def device(self) -> str:
        """Where it is: "cuda:0"."""
        return str(self.buffer.device)

    @property
    def nbytes(self) -> int:
        """Bytes of its elements."""
        return prod(self.shape) * self.dtype.itemsize

    def acquire(self, stream: Stream) -> int:
        """Its address, usable by later work in a stream of its device."""
        return self.buffer.acquire(stream)

    def numpy(self) -> HostArray:
        """The elements as a read-only NumPy array; copied to the host the first time.

        Raises:
            CudaError: the copy failed, or a kernel before it did.
        """
        host = self._host
        if host is None:
            host = np.empty(self.shape, self.dtype)
            self.copy_to(host)
            host.flags.writeable = False
            self._host = host
        return host

    def copy_to(self, host: HostArray) -> None:
        """Copy the elements to a C-contiguous array of the same shape and dtype, and wait for them."""
        where = self.buffer.device
        with where.current:
            stream = where.stream()
            download(self.acquire(stream), host, stream)

    def overlaps(self, other: DeviceArray) -> bool:
        """Whether the two share memory."""
        a, b = self.buffer, other.buffer
        near = a.address < b.address + b.size and b.address < a.address + a.size
        return a is b or (near and a.device is b.device)

    def overwritten(self) -> None:
        """A program writes here: what was copied to the host is not the contents any more."""
        self._host = None

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> HostArray:
        if copy is False and self._host is None:
            raise ValueError(f"an array on {self.device} cannot be had without a copy")
        host = self.numpy()
        if dtype is not None and np.dtype(dtype) != host.dtype:
            if copy is False:
                raise ValueError(f"a copy is needed to convert {host.dtype} to {dtype}")
            return host.astype(dtype)
        return host.copy() if copy else host

    def __dlpack_device__(self) -> tuple[int, int]:
        return dlpack.CUDA, self.buffer.device.ordinal

    def __dlpack__(
        self,
        *,
        stream: int | None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[Any, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        where = self.__dlpack_device__()
        if dl_device is not None and (int(dl_device[0]), dl_device[1]) != where:
            if int(dl_device[0]) != 1 or copy is False:
                raise BufferError(f"an array on {self.device} cannot be given on DLPack device {dl_device}")
            return self.numpy().copy().__dlpack__(max_version=max_version)
        if stream == 0:
            raise BufferError("stream 0 is ambiguous: pass 1 (the legacy default stream) or 2 (per thread)")
        source = self.copied() if copy else self
        versioned = max_version is not None and max_version[0] >= 1
        made = dlpack.capsule(source, source.buffer.address, self.shape, self.dtype, where[1], versioned)
        source.share(stream)
        return made

    def share(self, stream: int | None) -> None:
        """Let another library use it in a stream of its own (None: the default one; -1: it takes care itself)."""
        buffer = self.buffer
        if stream == -1:
            buffer.exported = True
            return
        handle = _LEGACY_STREAM if stream is None else stream
        with buffer.device.current:
            buffer.device.order(buffer.stream.handle, handle)
        buffer.used_by(handle)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        if self.dtype.isbuiltin != 1:
            raise AttributeError(f"the CUDA array interface has no form of {self.dtype.name}; use DLPack")
        self.buffer.exported = True
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "data": (self.buffer.address if self.nbytes else 0, False),
            "strides": None,
            "stream": int(self.buffer.stream.handle),
            "version": 3,
        }

    def copied(self) -> DeviceArray:
        """A copy on the same device."""
        where = self.buffer.device
        with where.current:
            stream = where.stream()
            result = DeviceArray(DeviceBuffer(stream, self.nbytes), self.shape, self.dtype)
            if self.nbytes:
                where.copy(result.buffer.address, self.acquire(stream), self.nbytes, stream)
        return result

    def __repr__(self) -> str:
        shape = ",".join(map(str, self.shape))
        return f"DeviceArray({self.dtype.name}[{shape}], device='{self.device}')"

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a 0-d array has no length")
        return self.shape[0]


def to_device(array: Any, ordinal: int) -> DeviceArray:
    """A NumPy array, or one of another device, in the memory of device number `ordinal`.

    Raises:
        NoDriverError: there is no GPU.
        InvalidProgramError: there is no such GPU.
        DeviceOutOfMemoryError: it has not that much memory.
    """
    where = device(ordinal)
    if isinstance(array, DeviceArray):
        if array.buffer.device is where:
            return array
        array = array.numpy()
    source = np.asarray(array, order="C")
    with where.current:
        stream = where.stream()
        result = DeviceArray(DeviceBuffer(stream, source.nbytes), source.shape, source.dtype)
        upload(source, result.buffer.address, stream)
    return result


def on_gpu(value: Any) -> bool:
    """Whether an object is an array in CUDA memory, of ours or of a library that has DLPack."""
    if isinstance(value, DeviceArray):
        return True
    ask = getattr(type(value), "__dlpack_device__", None)
    return ask is not None and not isinstance(value, np.ndarray) and int(ask(value)[0]) == dlpack.CUDA


def from_dlpack(value: Any) -> DeviceArray:
    """An array over the memory of another library's CUDA array, which lives as long as this.

    Raises:
        InvalidProgramError: it is not dense, or of a type there is no dtype for.
    """
    if isinstance(value, DeviceArray):
        return value
    kind, number = value.__dlpack_device__()
    if int(kind) != dlpack.CUDA:
        raise InvalidProgramError(
            f"a {type(value).__name__} on DLPack device {(int(kind), number)} is not in CUDA memory"
        )
    where = device(number)
    stream = where.stream()
    try:
        taken = value.__dlpack__(stream=int(stream.handle), max_version=(1, 0))
    except TypeError:  # a library from before versions
        taken = value.__dlpack__(stream=int(stream.handle))
    found = dlpack.Imported(taken)
    size = prod(found.shape) * found.dtype.itemsize
    return DeviceArray(ForeignBuffer(stream, found.address, size, found.release), found.shape, found.dtype)
