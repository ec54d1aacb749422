"""GPUs: their primary contexts, streams and memory, opened on first use.

Memory is stream-ordered: allocated and freed in the order of a stream's work, from a pool that keeps what was freed. Each thread
has a stream of its own on a device, so that calls from several threads overlap; streams live as long as the device.
"""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass
from typing import Any

from stepwell.ir.errors import InvalidProgramError
from stepwell.runtime.cuda import driver
from stepwell.runtime.cuda.driver import checked
from stepwell.runtime.cuda.errors import DeviceOutOfMemoryError

ALIGNMENT = 16
"""What kernels may rely on for the address of an argument: vectors of 16 bytes are loaded at once."""

_SMALLEST = 256
_KEEP_ALL = (1 << 64) - 1
_STREAM_NON_BLOCKING = 1
_EVENT_DISABLE_TIMING = 2


@dataclass(frozen=True)
class DeviceProperties:
    """What a device says of itself, as a machine description needs it."""

    name: str
    capability: tuple[int, int]
    multiprocessors: int
    subgroup: int
    block_threads: int
    core_threads: int
    """Threads that a multiprocessor holds at once."""
    shared_bytes: int
    shared_limit: int
    registers: int
    l2_bytes: int
    memory_bytes: int
    bandwidth: int
    """Bytes a second that the memory moves at most; 0 where the driver does not say."""

    @property
    def cpu(self) -> str:
        """The name code is generated for: `sm_90`."""
        return f"sm_{self.capability[0]}{self.capability[1]}"

    def machine(self) -> dict[str, int | str]:
        """The entries of `#stepwell.target` that are known from the device."""
        return {
            "arch": "nvptx64",
            "level": "simt",
            "cpu": self.cpu,
            "subgroup": self.subgroup,
            "cores": self.multiprocessors,
            "block_threads": self.block_threads,
            "shared_bytes": self.shared_bytes,
            "shared_limit": self.shared_limit,
            "l2_bytes": self.l2_bytes,
        }


_ATTRIBUTES = {
    "major": "COMPUTE_CAPABILITY_MAJOR",
    "minor": "COMPUTE_CAPABILITY_MINOR",
    "multiprocessors": "MULTIPROCESSOR_COUNT",
    "subgroup": "WARP_SIZE",
    "block_threads": "MAX_THREADS_PER_BLOCK",
    "core_threads": "MAX_THREADS_PER_MULTIPROCESSOR",
    "shared_bytes": "MAX_SHARED_MEMORY_PER_BLOCK",
    "shared_limit": "MAX_SHARED_MEMORY_PER_BLOCK_OPTIN",
    "registers": "MAX_REGISTERS_PER_BLOCK",
    "l2_bytes": "L2_CACHE_SIZE",
    "clock_khz": "MEMORY_CLOCK_RATE",
    "bus_bits": "GLOBAL_MEMORY_BUS_WIDTH",
}


@dataclass(frozen=True)
class MemoryStatistics:
    """Bytes of a device's memory.

    Attributes:
        used: of arrays, and of programs that run.
        most: the most that was used at once.
        reserved: kept for later arrays, what is used included.
        free: what nobody has, other processes included.
        total: what the device has.
    """

    used: int
    most: int
    reserved: int
    free: int
    total: int


class Stream:
    """Work that a device does in order."""

    __slots__ = ("device", "handle")

    def __init__(self, device: Device, handle: Any):
        self.device = device
        self.handle = handle

    def wait_for(self, other: Stream) -> None:
        """Have later work here wait for what is in `other` now."""
        if other is not self:
            self.wait_for_handle(other.handle)

    def wait_for_handle(self, handle: Any) -> None:
        """The same for the driver's own handle of a stream."""
        self.device.order(handle, self.handle)

    def synchronize(self, doing: str = "wait for the device") -> None:
        """Wait until all work here is done; errors of kernels come out here."""
        api = self.device.api
        checked(api, api.cuStreamSynchronize(self.handle), doing)


class _Lease:
    """A thread's stream, given back when the thread ends."""

    def __init__(self, device: Device):
        self._idle = device.idle_streams
        try:
            self.stream = self._idle.pop()
        except IndexError:
            self.stream = device.new_stream()

    def __del__(self) -> None:
        if hasattr(self, "stream"):
            self._idle.append(self.stream)


class _Current:
    """`with` this, the device's context is the thread's; the one before it is again afterwards."""

    __slots__ = ("_api", "_context")

    def __init__(self, api: Any, context: Any):
        self._api = api
        self._context = context

    def __enter__(self) -> None:
        checked(self._api, self._api.cuCtxPushCurrent(self._context), "use the device in this thread")

    def __exit__(self, *error: object) -> None:
        self._api.cuCtxPopCurrent()


class Device:
    """One GPU; `device(ordinal)` gives the only object of each.

    Attributes:
        ordinal: its number.
        api: the driver's functions.
        current: a context manager in which the thread uses this device.
        alive: False in a forked child, where nothing of the parent's may be touched.
    """

    def __init__(self, ordinal: int):
        self.api = driver.api()
        self.ordinal = ordinal
        self.alive = True
        self.idle_streams: list[Stream] = []
        self._events: list[Any] = []
        self._local = threading.local()
        self._handle = self._ask(self.api.cuDeviceGet(ordinal), "find the device")
        context = self._ask(self.api.cuDevicePrimaryCtxRetain(self._handle), "open the device")
        self.current = _Current(self.api, context)
        with self.current:
            self._pool = self._memory_pool()

    def __str__(self) -> str:
        return f"cuda:{self.ordinal}"

    def __repr__(self) -> str:
        return f"<{self}: {self.properties.name}>"

    def _ask(self, result: tuple[Any, ...], doing: str) -> Any:
        return checked(self.api, result, f"{doing} {self}")

    def attribute(self, name: str) -> int:
        """A number the driver knows, by its name without `CU_DEVICE_ATTRIBUTE_`."""
        key = getattr(self.api.CUdevice_attribute, f"CU_DEVICE_ATTRIBUTE_{name}")
        return int(self._ask(self.api.cuDeviceGetAttribute(key, self._handle), "ask for a property of"))

    @functools.cached_property
    def properties(self) -> DeviceProperties:
        """What the device says of itself."""
        values = {key: self.attribute(name) for key, name in _ATTRIBUTES.items()}
        name = self._ask(self.api.cuDeviceGetName(256, self._handle), "ask for the name of")
        # A C string in a buffer: what is behind its end means nothing.
        text = name.split(b"\0")[0].decode(errors="replace") if isinstance(name, bytes) else str(name)
        capability = (values.pop("major"), values.pop("minor"))
        bandwidth = 2 * values.pop("clock_khz") * 1000 * values.pop("bus_bits") // 8  # two transfers a clock
        memory = int(self._ask(self.api.cuDeviceTotalMem(self._handle), "ask for the memory of"))
        return DeviceProperties(name=text, capability=capability, memory_bytes=memory, bandwidth=bandwidth, **values)

    # Streams ------------------------------------------------------------------------------------------------------

    def stream(self) -> Stream:
        """This thread's stream."""
        lease = getattr(self._local, "lease", None)
        if lease is None:
            lease = self._local.lease = _Lease(self)
        return lease.stream

    def new_stream(self) -> Stream:
        """Another stream, which lives as long as the device."""
        with self.current:
            handle = self._ask(self.api.cuStreamCreate(_STREAM_NON_BLOCKING), "make a stream on")
        return Stream(self, handle)

    def order(self, first: Any, then: Any) -> None:
        """Have stream `then` wait for what is in stream `first` now."""
        event = self.take_event()
        self._ask(self.api.cuEventRecord(event, first), "order work on")
        self._ask(self.api.cuStreamWaitEvent(then, event, 0), "order work on")
        self._events.append(event)  # the wait is for what it recorded so far: it can record again

    def take_event(self) -> Any:
        """An event without timing; `give_event` takes it back."""
        try:
            return self._events.pop()  # atomic, as append is
        except IndexError:
            return self._ask(self.api.cuEventCreate(_EVENT_DISABLE_TIMING), "make an event on")

    def give_event(self, event: Any) -> None:
        """Take back an event that nobody asks any more."""
        self._events.append(event)

    # Memory -------------------------------------------------------------------------------------------------------

    def _memory_pool(self) -> Any:
        """A pool that keeps what is freed, or None where the device has only the old allocator."""
        if not self.attribute("MEMORY_POOLS_SUPPORTED"):
            return None
        api = self.api
        wanted = api.CUmemPoolProps()
        wanted.allocType = api.CUmemAllocationType.CU_MEM_ALLOCATION_TYPE_PINNED
        wanted.location.type = api.CUmemLocationType.CU_MEM_LOCATION_TYPE_DEVICE
        wanted.location.id = self.ordinal
        pool = self._ask(api.cuMemPoolCreate(wanted), "make a memory pool on")
        threshold = api.CUmemPool_attribute.CU_MEMPOOL_ATTR_RELEASE_THRESHOLD
        self._ask(api.cuMemPoolSetAttribute(pool, threshold, api.cuuint64_t(_KEEP_ALL)), "set up memory on")
        return pool

    def allocate(self, size: int, stream: Stream) -> int:
        """The address of `size` bytes (at least one), usable by later work in `stream`.

        Raises:
            DeviceOutOfMemoryError: there are not that many, even when all that is freed is given back.
        """
        size = -(-max(size, 1) // _SMALLEST) * _SMALLEST
        try:
            return self._allocated(size, stream)
        except DeviceOutOfMemoryError:
            self.api.cuCtxSynchronize()
            if self._pool is not None:
                self.api.cuMemPoolTrimTo(self._pool, 0)
        return self._allocated(size, stream)

    def _allocated(self, size: int, stream: Stream) -> int:
        if self._pool is None:
            result = self.api.cuMemAlloc(size)
        else:
            result = self.api.cuMemAllocFromPoolAsync(size, self._pool, stream.handle)
        if result[0]:
            self._ask(result, f"allocate {size} bytes on")
        return int(result[1])

    def free(self, address: int, stream: Stream) -> None:
        """Free memory once the work in `stream` is done. Never fails: what frees is often a destructor."""
        if not self.alive:
            return
        try:
            with self.current:
                self.free_current(address, stream)
        except Exception:  # the driver is gone: the process ends
            return

    def free_current(self, address: int, stream: Stream) -> None:
        """The same where the device is current."""
        if self._pool is None:
            self.api.cuStreamSynchronize(stream.handle)
            self.api.cuMemFree(address)
        else:
            self.api.cuMemFreeAsync(address, stream.handle)

    def copy(self, target: int, source: int, size: int, stream: Stream) -> None:
        """Copy within the device, in stream order; the device must be current."""
        self._ask(self.api.cuMemcpyDtoDAsync(target, source, size, stream.handle), f"copy {size} bytes on")

    def memory_info(self) -> tuple[int, int]:
        """(free, total) bytes."""
        api = self.api
        with self.current:
            status, *values = api.cuMemGetInfo()
        checked(api, (status,), f"ask for the memory of {self}")
        return int(values[0]), int(values[1])

    def memory_statistics(self) -> MemoryStatistics:
        """What memory is used for; where the device has no memory pools, what is ours is not told apart and counts as 0."""
        free, total = self.memory_info()
        return MemoryStatistics(
            used=self._pool_bytes("USED_MEM_CURRENT"),
            most=self._pool_bytes("USED_MEM_HIGH"),
            reserved=self._pool_bytes("RESERVED_MEM_CURRENT"),
            free=free,
            total=total,
        )

    def _pool_bytes(self, name: str) -> int:
        if self._pool is None:
            return 0
        key = getattr(self.api.CUmemPool_attribute, f"CU_MEMPOOL_ATTR_{name}")
        return int(self._ask(self.api.cuMemPoolGetAttribute(self._pool, key), "ask for the memory in use on"))

    def synchronize(self) -> None:
        """Wait for all work of this process on the device.

        Raises:
            CudaError: some of it failed.
        """
        with self.current:
            self._ask(self.api.cuCtxSynchronize(), "wait for")


_lock = threading.RLock()
_devices: dict[int, Device] = {}


def _forget() -> None:
    global _lock
    _lock = threading.RLock()
    for known in _devices.values():
        known.alive = False
    _devices.clear()


driver.on_change(_forget)


def device_count() -> int:
    """How many GPUs there are.

    Raises:
        NoDriverError: no driver, or no GPU.
    """
    api = driver.api()
    return int(checked(api, api.cuDeviceGetCount(), "count the devices"))


def device(ordinal: int = 0) -> Device:
    """The GPU of a number, opened on first use.

    Raises:
        NoDriverError: no driver, or no GPU at all.
        InvalidProgramError: no such GPU.
    """
    found = _devices.get(ordinal)
    if found is not None:
        return found
    with _lock:
        count = device_count()
        if not 0 <= ordinal < count:
            names = ", ".join(f"cuda:{i}" for i in range(count))
            raise InvalidProgramError(f"there is no device 'cuda:{ordinal}'; the devices are: cpu, {names}")
        if ordinal not in _devices:
            _devices[ordinal] = Device(ordinal)
        return _devices[ordinal]


def parse_device(name: str) -> int | None:
    """The number of "cuda" or "cuda:N"; None for "cpu".

    Raises:
        InvalidProgramError: neither.
    """
    kind, colon, number = name.partition(":") if type(name) is str else ("", "", "")
    if name == "cpu":
        return None
    if kind != "cuda" or (colon and not (number.isascii() and number.isdigit() and len(number) < 4)):
        raise InvalidProgramError(f"there is no device {name!r}; devices are 'cpu', 'cuda', 'cuda:1', ...")
    return int(number) if colon else 0
