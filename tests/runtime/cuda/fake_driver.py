"""A CUDA driver without a GPU: the functions of `cuda.bindings.driver` that the runtime calls, over NumPy memory.

It is as unhelpful as a GPU may be. Work on a stream is done as late as possible: when somebody waits for it, or when other work that
is waited for comes after it. So host memory that is overwritten before a copy has read it, or read before a copy has written it, shows. Device
addresses are no addresses of this process. Wrong pointers, use before allocation or after free in stream order, double frees, missing
contexts, copies from memory that is not page-locked and more memory than there is are errors, those of the driver.

A module is text with lines `.entry NAME COUNT [KEY]` (COUNT pointer arguments); `kernels[KEY or NAME]` runs it:
`f(memory, grid, block, shared, pointers)`.
"""

from __future__ import annotations

import ctypes
import enum
import itertools
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

SUCCESS, INVALID_VALUE, OUT_OF_MEMORY, NO_DEVICE, INVALID_DEVICE = 0, 1, 2, 100, 101
INVALID_IMAGE, INVALID_CONTEXT, UPDATE_FAILURE, INVALID_PTX, NOT_FOUND, NOT_READY = 200, 201, 910, 218, 500, 600
ILLEGAL_ADDRESS, INVALID_HANDLE, CAPTURE_INVALID = 700, 400, 901
NAMES = {
    INVALID_VALUE: ("CUDA_ERROR_INVALID_VALUE", "invalid argument"),
    OUT_OF_MEMORY: ("CUDA_ERROR_OUT_OF_MEMORY", "out of memory"),
    NO_DEVICE: ("CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"),
    INVALID_DEVICE: ("CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"),
    INVALID_IMAGE: ("CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"),
    INVALID_CONTEXT: ("CUDA_ERROR_INVALID_CONTEXT", "invalid device context"),
    INVALID_PTX: ("CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"),
    NOT_FOUND: ("CUDA_ERROR_NOT_FOUND", "named symbol not found"),
    NOT_READY: ("CUDA_ERROR_NOT_READY", "device not ready"),
    ILLEGAL_ADDRESS: ("CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"),
    INVALID_HANDLE: ("CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"),
    UPDATE_FAILURE: ("CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE", "the graph update was not performed"),
    CAPTURE_INVALID: (
        "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED",
        "operation failed due to a previous error during capture",
    ),
}
FREED = 0xDD
FIRST_ADDRESS = 0x7A_0000_0000_0000  # above what a process can map
PROPERTIES = {
    "COMPUTE_CAPABILITY_MAJOR": 9,
    "COMPUTE_CAPABILITY_MINOR": 0,
    "MULTIPROCESSOR_COUNT": 132,
    "WARP_SIZE": 32,
    "MAX_THREADS_PER_BLOCK": 1024,
    "MAX_THREADS_PER_MULTIPROCESSOR": 2048,
    "MAX_SHARED_MEMORY_PER_BLOCK": 49152,
    "MAX_SHARED_MEMORY_PER_BLOCK_OPTIN": 232448,
    "MAX_REGISTERS_PER_BLOCK": 65536,
    "L2_CACHE_SIZE": 50 << 20,
    "MEMORY_CLOCK_RATE": 2_619_000,
    "GLOBAL_MEMORY_BUS_WIDTH": 5120,
    "MEMORY_POOLS_SUPPORTED": 1,
}


class DeviceError(Exception):
    """A failure while a stream's work is done."""

    def __init__(self, status: int):
        super().__init__(NAMES[status][0])
        self.status = status


class Allocation:
    """Device memory; `live` once its stream has come to the allocation and until it comes to the free."""

    def __init__(self, device: int, address: int, size: int):
        self.device = device
        self.address = address
        self.data = np.full(size, FREED, np.uint8)
        self.live = False
        self.freed = False


class FakeStream:
    """Work not done yet."""

    def __init__(self, device: int):
        self.device = device
        self.work: deque[Callable[[], None]] = deque()
        self.capture: list[tuple[Any, Callable[[], None]]] | None = None


class FakeEvent:
    """How far a stream was when it was recorded."""

    def __init__(self) -> None:
        self.stream: FakeStream | None = None
        self.done = True
        self.time = 0.0


class Handle:
    """A driver's handle: it can be an int, as those of the bindings can."""

    numbers = itertools.count(0x1000, 16)

    def __init__(self, value: Any):
        self.value = value
        self.number = next(self.numbers)

    def __int__(self) -> int:
        return self.number


def _enumeration(*names: str) -> Any:
    return enum.IntEnum("E", {name: i for i, name in enumerate(names)})


class FakeDriver:
    """What `stepwell.runtime.cuda.driver.use` takes."""

    CUjit_option = _enumeration("CU_JIT_ERROR_LOG_BUFFER", "CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES")
    CUfunction_attribute = _enumeration("CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES")
    CUmemPool_attribute = _enumeration(
        *(
            f"CU_MEMPOOL_ATTR_{n}"
            for n in ("RELEASE_THRESHOLD", "USED_MEM_CURRENT", "USED_MEM_HIGH", "RESERVED_MEM_CURRENT")
        )
    )
    CUmemAllocationType = _enumeration("INVALID", "CU_MEM_ALLOCATION_TYPE_PINNED")
    CUmemLocationType = _enumeration("INVALID", "CU_MEM_LOCATION_TYPE_DEVICE")
    CUmemorytype = enum.IntEnum("M", {"CU_MEMORYTYPE_HOST": 1, "CU_MEMORYTYPE_DEVICE": 2})
    CUstreamCaptureMode = _enumeration("GLOBAL", "THREAD_LOCAL", "RELAXED")
    CUdevice_attribute = enum.Enum("A", {f"CU_DEVICE_ATTRIBUTE_{name}": name for name in PROPERTIES})
    cuuint64_t = int

    def __init__(self, devices: int = 1, memory: int = 1 << 30, **properties: int):
        self.devices = devices
        self.memory = memory
        self.properties = PROPERTIES | properties
        self.kernels: dict[str, Callable[..., None]] = {}
        self.calls: list[str] = []
        self.launches: list[tuple[str, int, int, int]] = []
        self.used = [0] * devices
        self.most = [0] * devices
        self.clock = 0.0
        self.fail: dict[str, int] = {}
        self.pinned: dict[int, Any] = {}
        self._allocations: list[Allocation] = []
        self._next = FIRST_ADDRESS
        self._reusable: dict[tuple[int, int], list[Allocation]] = defaultdict(list)
        self._local = threading.local()
        self._lock = threading.RLock()
        self._sticky = 0
        self._contexts = [Handle(i) for i in range(devices)]
        self._streams: list[Handle] = []
        self._legacy = {1: Handle(FakeStream(0)), 2: Handle(FakeStream(0))}

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if not name.startswith("cu") or not callable(found) or name == "cuuint64_t":
            return found

        def call(*arguments: Any) -> Any:
            with self._lock:
                self.calls.append(name)
                if name in self.fail:
                    return (self.fail[name], None)
                if self._sticky and name not in ("cuGetErrorName", "cuGetErrorString", "cuCtxPopCurrent"):
                    return (self._sticky, None)
                try:
                    return found(*arguments)
                except DeviceError as error:
                    if error.status == ILLEGAL_ADDRESS:
                        self._sticky = error.status  # the context is lost, as on a GPU
                    return (error.status, None)

        return call

    # Errors, devices, contexts ------------------------------------------------------------------------------------

    def cuInit(self, flags: int) -> tuple[int]:
        return (SUCCESS if self.devices else NO_DEVICE,)

    def cuDriverGetVersion(self) -> tuple[int, int]:
        return SUCCESS, 13010

    def cuGetErrorName(self, status: int) -> tuple[int, bytes]:
        return (SUCCESS, NAMES[status][0].encode()) if status in NAMES else (INVALID_VALUE, b"")

    def cuGetErrorString(self, status: int) -> tuple[int, bytes]:
        return (SUCCESS, NAMES[status][1].encode()) if status in NAMES else (INVALID_VALUE, b"")

    def cuDeviceGetCount(self) -> tuple[int, int]:
        return SUCCESS, self.devices

    def cuDeviceGet(self, ordinal: int) -> tuple[int, Any]:
        return (SUCCESS, ordinal) if ordinal < self.devices else (INVALID_DEVICE, None)

    def cuDeviceGetName(self, length: int, device: int) -> tuple[int, bytes]:
        return SUCCESS, b"Fake GPU\0".ljust(length)  # a real one leaves the rest of the buffer as it finds it

    def cuDeviceTotalMem(self, device: int) -> tuple[int, int]:
        return SUCCESS, self.memory

    def cuDeviceGetAttribute(self, attribute: Any, device: int) -> tuple[int, int]:
        return SUCCESS, self.properties[attribute.value]

    def cuDevicePrimaryCtxRetain(self, device: int) -> tuple[int, Any]:
        return SUCCESS, self._contexts[device]

    @property
    def _stack(self) -> list[int]:
        if not hasattr(self._local, "stack"):
            self._local.stack = []
        return self._local.stack

    def _device(self) -> int:
        if not self._stack:
            raise DeviceError(INVALID_CONTEXT)
        return self._stack[-1]

    def cuCtxPushCurrent(self, context: Any) -> tuple[int]:
        self._stack.append(context.value)
        return (SUCCESS,)

    def cuCtxPopCurrent(self) -> tuple[int, Any]:
        return SUCCESS, self._contexts[self._stack.pop()]

    def cuCtxSynchronize(self) -> tuple[int]:
        device = self._device()
        for handle in [*self._streams, *self._legacy.values()]:
            if handle.value.device == device:
                self._drain(handle.value)
        return (SUCCESS,)

    # Streams and events -------------------------------------------------------------------------------------------

    def cuStreamCreate(self, flags: int) -> tuple[int, Any]:
        handle = Handle(FakeStream(self._device()))
        self._streams.append(handle)
        return SUCCESS, handle

    def _stream(self, handle: Any) -> FakeStream:
        if isinstance(handle, int):
            handle = self._legacy.get(handle) or next((h for h in self._streams if int(h) == handle), None)
        if not isinstance(handle, Handle) or not isinstance(handle.value, FakeStream):
            raise DeviceError(INVALID_HANDLE)
        return handle.value

    def _do(self, handle: Any, kind: Any, work: Callable[[], None]) -> tuple[int]:
        """Put work on a stream, or into the graph that it is being captured into."""
        stream = self._stream(handle)
        if self._device() != stream.device:
            raise DeviceError(INVALID_HANDLE)
        if stream.capture is not None:
            stream.capture.append((kind, work))
        else:
            stream.work.append(work)
        return (SUCCESS,)

    def _drain(self, stream: FakeStream, until: Callable[[], bool] = lambda: False) -> None:
        while stream.work and not until():
            stream.work.popleft()()
            self.clock += 1

    def cuStreamSynchronize(self, handle: Any) -> tuple[int]:
        self._drain(self._stream(handle))
        return (SUCCESS,)

    def cuEventCreate(self, flags: int) -> tuple[int, Any]:
        self._device()
        return SUCCESS, Handle(FakeEvent())

    def cuEventRecord(self, event: Any, handle: Any) -> tuple[int]:
        stream = self._stream(handle)
        if stream.capture is not None:
            raise DeviceError(CAPTURE_INVALID)
        record = FakeEvent()  # what waits for the event waits for this record, whatever is recorded later
        record.stream, record.done = stream, False
        event.value = record

        def work() -> None:
            record.done, record.time = True, self.clock

        stream.work.append(work)
        return (SUCCESS,)

    def cuEventElapsedTime(self, start: Any, end: Any) -> tuple[int, float | None]:
        """A millisecond for each piece of work."""
        one, other = start.value, end.value
        if one.stream is None or other.stream is None or one.stream.device != other.stream.device:
            raise DeviceError(INVALID_HANDLE)
        if not (one.done and other.done):
            return NOT_READY, None
        return SUCCESS, other.time - one.time

    def cuEventDestroy(self, event: Any) -> tuple[int]:
        event.value = None
        return (SUCCESS,)

    def _complete(self, event: FakeEvent) -> None:
        if event.stream is not None:
            self._drain(event.stream, lambda: event.done)

    def cuStreamWaitEvent(self, handle: Any, event: Any, flags: int) -> tuple[int]:
        record: FakeEvent = event.value
        return self._do(handle, "wait", lambda: self._complete(record))

    def cuEventQuery(self, event: Any) -> tuple[int]:
        return (SUCCESS if event.value.done else NOT_READY,)

    def cuEventSynchronize(self, event: Any) -> tuple[int]:
        self._complete(event.value)
        return (SUCCESS,)

    # Memory -------------------------------------------------------------------------------------------------------

    def CUmemPoolProps(self) -> Any:
        return SimpleNamespace(allocType=None, location=SimpleNamespace(type=None, id=None))

    def CUDA_MEMCPY2D(self) -> Any:
        return SimpleNamespace(srcHost=0, srcDevice=0, dstHost=0, dstDevice=0)

    def cuMemPoolCreate(self, wanted: Any) -> tuple[int, Any]:
        return SUCCESS, Handle(wanted.location.id)

    def cuMemPoolSetAttribute(self, pool: Any, attribute: Any, value: int) -> tuple[int]:
        return (SUCCESS,)

    def cuMemPoolGetAttribute(self, pool: Any, attribute: Any) -> tuple[int, int]:
        used, most = self.used[pool.value], self.most[pool.value]
        kept = sum(size * len(idle) for (_, size), idle in self._reusable.items())  # of one device, or nobody asks
        return SUCCESS, [0, used, most, used + kept][attribute]

    def cuMemPoolTrimTo(self, pool: Any, size: int) -> tuple[int]:
        self._reusable.clear()
        return (SUCCESS,)

    def cuMemGetInfo(self) -> tuple[int, int, int]:
        return SUCCESS, self.memory - self.used[self._device()], self.memory

    def cuMemAllocFromPoolAsync(self, size: int, pool: Any, handle: Any) -> tuple[int, int]:
        stream, device = self._stream(handle), pool.value
        if device != self._device() or size == 0:
            raise DeviceError(INVALID_VALUE)
        if self.used[device] + size > self.memory:
            raise DeviceError(OUT_OF_MEMORY)
        self.used[device] += size
        self.most[device] = max(self.most[device], self.used[device])
        idle = self._reusable[id(stream), size]
        allocation = idle.pop() if idle else self._new(device, size)
        allocation.freed = False
        self._do(handle, "allocate", lambda: setattr(allocation, "live", True))
        return SUCCESS, allocation.address

    def _new(self, device: int, size: int) -> Allocation:
        allocation = Allocation(device, self._next, size)
        self._next += size + 256
        self._allocations.append(allocation)
        return allocation

    def cuMemFreeAsync(self, address: int, handle: Any) -> tuple[int]:
        allocation = next((a for a in self._allocations if a.address == address), None)
        if allocation is None or allocation.freed:
            raise DeviceError(INVALID_VALUE)
        allocation.freed = True
        self.used[allocation.device] -= allocation.data.size
        self._reusable[id(self._stream(handle)), allocation.data.size].append(allocation)

        def work() -> None:
            allocation.live = False
            allocation.data[:] = FREED

        return self._do(handle, "free", work)

    def cuMemAlloc(self, size: int) -> tuple[int, int]:
        device = self._device()
        if self.used[device] + size > self.memory:
            raise DeviceError(OUT_OF_MEMORY)
        self.used[device] += size
        allocation = self._new(device, size)
        allocation.live = True
        return SUCCESS, allocation.address

    def cuMemFree(self, address: int) -> tuple[int]:
        allocation = next((a for a in self._allocations if a.address == address and a.live), None)
        if allocation is None:
            raise DeviceError(INVALID_VALUE)
        allocation.live, allocation.freed = False, True
        self.used[allocation.device] -= allocation.data.size
        return (SUCCESS,)

    def cuMemHostAlloc(self, size: int, flags: int) -> tuple[int, int]:
        room = (ctypes.c_uint8 * (size + 4096))()
        address = -(-ctypes.addressof(room) // 4096) * 4096  # whole pages
        self.pinned[address] = (ctypes.c_uint8 * size).from_buffer(room, address - ctypes.addressof(room))
        return SUCCESS, address

    def memory_at(self, address: int, size: int, device: int) -> np.ndarray[Any, Any]:
        """The bytes at a device address, now."""
        for allocation in self._allocations:
            if allocation.address <= address < allocation.address + allocation.data.size:
                start = address - allocation.address
                if not allocation.live or allocation.device != device or start + size > allocation.data.size:
                    break
                return allocation.data[start : start + size]
        raise DeviceError(ILLEGAL_ADDRESS)

    def host_at(self, address: int, size: int) -> np.ndarray[Any, Any]:
        """Page-locked bytes of the host."""
        for start, block in self.pinned.items():
            if start <= address and address + size <= start + len(block):
                return np.frombuffer(block, np.uint8)[address - start : address - start + size]
        raise DeviceError(INVALID_VALUE)

    def _copy(self, handle: Any, kind: str, target: Callable[[], Any], source: Callable[[], Any]) -> tuple[int]:
        def work() -> None:
            target()[...] = source()

        return self._do(handle, kind, work)

    def cuMemcpyHtoDAsync(self, target: int, source: int, size: int, handle: Any) -> tuple[int]:
        self.host_at(source, size)
        device = self._device()
        return self._copy(
            handle, "HtoD", lambda: self.memory_at(target, size, device), lambda: self.host_at(source, size)
        )

    def cuMemcpyDtoHAsync(self, target: int, source: int, size: int, handle: Any) -> tuple[int]:
        self.host_at(target, size)
        device = self._device()
        return self._copy(
            handle, "DtoH", lambda: self.host_at(target, size), lambda: self.memory_at(source, size, device)
        )

    def cuMemcpyDtoDAsync(self, target: int, source: int, size: int, handle: Any) -> tuple[int]:
        device = self._device()
        return self._copy(
            handle,
            ("DtoD", size),
            lambda: self.memory_at(target, size, device),
            lambda: self.memory_at(source, size, device),
        )

    def cuMemcpy2DAsync(self, what: Any, handle: Any) -> tuple[int]:
        device = self._device()
        if what.srcPitch < what.WidthInBytes or what.dstPitch < what.WidthInBytes:
            raise DeviceError(INVALID_VALUE)

        def side(kind: Any, host: int, address: int, pitch: int) -> Callable[[], Any]:
            def rows() -> Any:
                size = pitch * (what.Height - 1) + what.WidthInBytes
                on_host = kind == self.CUmemorytype.CU_MEMORYTYPE_HOST
                flat = self.host_at(host, size) if on_host else self.memory_at(address, size, device)
                return np.lib.stride_tricks.as_strided(flat, (what.Height, what.WidthInBytes), (pitch, 1))

            return rows

        target = side(what.dstMemoryType, what.dstHost, what.dstDevice, what.dstPitch)
        source = side(what.srcMemoryType, what.srcHost, what.srcDevice, what.srcPitch)
        return self._copy(handle, ("2D", what.Height, what.WidthInBytes), target, source)

    def _memset(self, handle: Any, address: int, pitch: int, value: int, unit: int, width: int, height: int) -> Any:
        device = self._device()
        if address % unit or value >> 8 * unit or (height > 1 and (pitch % unit or pitch < width * unit)):
            raise DeviceError(INVALID_VALUE)

        def work() -> None:
            flat = self.memory_at(address, pitch * (height - 1) + width * unit, device)
            rows = np.lib.stride_tricks.as_strided(flat, (height, width, unit), (pitch, unit, 1))
            rows[...] = np.frombuffer(value.to_bytes(unit, "little"), np.uint8)

        return self._do(handle, ("memset", value, unit, width, height), work)

    def cuMemsetD8Async(self, address: int, value: int, count: int, handle: Any) -> Any:
        return self._memset(handle, address, 0, value, 1, count, 1)

    def cuMemsetD16Async(self, address: int, value: int, count: int, handle: Any) -> Any:
        return self._memset(handle, address, 0, value, 2, count, 1)

    def cuMemsetD32Async(self, address: int, value: int, count: int, handle: Any) -> Any:
        return self._memset(handle, address, 0, value, 4, count, 1)

    def cuMemsetD2D8Async(self, address: int, pitch: int, value: int, width: int, height: int, handle: Any) -> Any:
        return self._memset(handle, address, pitch, value, 1, width, height)

    def cuMemsetD2D16Async(self, address: int, pitch: int, value: int, width: int, height: int, handle: Any) -> Any:
        return self._memset(handle, address, pitch, value, 2, width, height)

    def cuMemsetD2D32Async(self, address: int, pitch: int, value: int, width: int, height: int, handle: Any) -> Any:
        return self._memset(handle, address, pitch, value, 4, width, height)

    # Kernels ------------------------------------------------------------------------------------------------------

    def cuModuleLoadDataEx(self, image: bytes, count: int, options: list[Any], values: list[Any]) -> tuple[int, Any]:
        self._device()
        text = image.decode()
        if not text.endswith("\0"):
            raise DeviceError(INVALID_IMAGE)
        if "nonsense" in text:
            message = b"ptxas application ptx input, line 3; fatal: Parsing error near 'nonsense'"
            values[0][: len(message)] = message
            raise DeviceError(INVALID_PTX)
        found: dict[str, tuple[int, str]] = {}
        for line in text.rstrip("\0").splitlines():
            words = line.split()
            if words[:1] == [".entry"]:
                found[words[1]] = int(words[2]), words[-1] if len(words) > 3 else words[1]
        return SUCCESS, Handle(found)

    def cuModuleGetFunction(self, module: Any, name: bytes) -> tuple[int, Any]:
        text = name.decode()
        if text not in module.value:
            raise DeviceError(NOT_FOUND)
        count, key = module.value[text]
        return SUCCESS, Handle(SimpleNamespace(name=key, count=count, shared=49152, module=module))

    def cuModuleUnload(self, module: Any) -> tuple[int]:
        module.value = None
        return (SUCCESS,)

    def cuFuncSetAttribute(self, function: Any, attribute: Any, value: int) -> tuple[int]:
        if value > self.properties["MAX_SHARED_MEMORY_PER_BLOCK_OPTIN"]:
            raise DeviceError(INVALID_VALUE)
        function.value.shared = value
        return (SUCCESS,)

    def cuLaunchKernel(self, function: Any, gx: int, gy: int, gz: int, bx: int, by: int, bz: int, *rest: Any) -> Any:
        shared, handle, parameters, _ = rest
        kernel = function.value
        if (
            min(gx, gy, gz, bx, by, bz) < 1
            or bx * by * bz > 1024
            or shared > kernel.shared
            or kernel.module.value is None
        ):
            raise DeviceError(INVALID_VALUE)
        slots = (ctypes.c_uint64 * kernel.count).from_address(parameters) if kernel.count else []
        pointers = [ctypes.c_uint64.from_address(slot).value for slot in slots]  # copied now, as the driver does
        device = self._device()

        def work() -> None:
            self.launches.append((kernel.name, gx, bx, shared))
            self.kernels[kernel.name](Memory(self, device), gx, bx, shared, pointers)

        return self._do(handle, ("launch", kernel.name, gx, bx, shared), work)

    # Graphs -------------------------------------------------------------------------------------------------------

    def cuStreamBeginCapture(self, handle: Any, mode: Any) -> tuple[int]:
        stream = self._stream(handle)
        if stream.capture is not None:
            raise DeviceError(CAPTURE_INVALID)
        stream.capture = []
        return (SUCCESS,)

    def cuStreamEndCapture(self, handle: Any) -> tuple[int, Any]:
        stream = self._stream(handle)
        captured, stream.capture = stream.capture, None
        if captured is None:
            raise DeviceError(CAPTURE_INVALID)
        return SUCCESS, Handle(captured)

    def cuGraphInstantiate(self, graph: Any, flags: int) -> tuple[int, Any]:
        return SUCCESS, Handle(list(graph.value))

    def cuGraphExecUpdate(self, exec_: Any, graph: Any) -> tuple[int, Any]:
        if [kind for kind, _ in exec_.value] != [kind for kind, _ in graph.value]:
            return UPDATE_FAILURE, None
        exec_.value = list(graph.value)
        return SUCCESS, None

    def cuGraphLaunch(self, exec_: Any, handle: Any) -> tuple[int]:
        for kind, work in exec_.value:
            self._do(handle, kind, work)
        return (SUCCESS,)

    def cuGraphDestroy(self, graph: Any) -> tuple[int]:
        graph.value = None
        return (SUCCESS,)

    def cuGraphExecDestroy(self, exec_: Any) -> tuple[int]:
        exec_.value = None
        return (SUCCESS,)

    @property
    def live_bytes(self) -> int:
        """Bytes that are allocated and not freed."""
        return sum(self.used)


class Memory:
    """Device memory as a kernel sees it."""

    def __init__(self, driver: FakeDriver, device: int):
        self._driver = driver
        self._device = device

    def __call__(self, address: int, shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray[Any, Any]:
        """The array at an address."""
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        return self._driver.memory_at(address, size, self._device).view(dtype).reshape(shape)
