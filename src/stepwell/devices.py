"""Devices and the arrays on them: which there are, what they have, `stepwell.device_put`, and what `Array.to_device` needs.

The runtime is imported when a CUDA device is named, so that nobody else pays for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

from stepwell.frontends.array import DEVICES, Array, DeviceData, to_array
from stepwell.frontends.dtypes import as_dtype
from stepwell.frontends.errors import refuse
from stepwell.frontends.pytree import flatten
from stepwell.frontends.tracer import is_tracing
from stepwell.ir.errors import InvalidProgramError

if TYPE_CHECKING:
    from stepwell.runtime.cuda.device import Device, DeviceProperties, MemoryStatistics
    from stepwell.runtime.memory import HostMemoryStatistics


@dataclass(frozen=True)
class CpuProperties:
    """What this machine's processor is: its instruction set, cores and caches.

    Attributes:
        name: LLVM's name of the processor.
        arch: "x86_64".
        level: the widest instruction-set level that it runs: "scalar", "sse4.2", "avx2" or "avx512".
        vector_bits: bits of its vectors at that level.
        features: LLVM's names of what it has, sorted: "avx2", "fma", "avx512vnni", ...
        cores: those that this process may keep busy: of its affinity mask, as many as its CPU quota pays for.
        l1_bytes, l2_bytes, l3_bytes: of its data caches; 0 where there is none.
        line_bytes: what caches and memory exchange at once.
    """

    name: str
    arch: str
    level: str
    vector_bits: int
    features: tuple[str, ...]
    cores: int
    l1_bytes: int
    l2_bytes: int
    l3_bytes: int
    line_bytes: int

    def lanes(self, dtype: Any) -> int:
        """Elements of a type that a vector holds: 16 of float32 in 512 bits.

        >>> import stepwell
        >>> cpu = stepwell.device_properties("cpu")
        >>> cpu.lanes("float32") * 4 <= cpu.vector_bits // 8
        True

        Raises:
            PromotionError: there is no such element type.
        """
        bits = 8 * as_dtype(dtype).itemsize
        return 1 if self.level == "scalar" else max(1, self.vector_bits // bits)


def device_put(x: Any, device: str) -> Any:
    """The arrays of a tree on `device`: "cpu", "cuda" or "cuda:1", ...; one that is there already is not copied.

    Raises:
        NoDriverError: a CUDA device, and there is no driver or no GPU.
        TracingError: there is no such device, or `x` is being traced.
        DeviceOutOfMemoryError: the device has not that much memory.
    """
    if is_tracing():
        raise refuse("arrays are moved between devices outside of jit", "a program runs on one device")
    leaves, structure = flatten(x)
    return structure.unflatten([_put(to_array(leaf), device) for leaf in leaves])


def _put(array: Array, device: str) -> Array:
    from stepwell.runtime.cuda.array import to_device
    from stepwell.runtime.cuda.device import parse_device

    try:
        ordinal = parse_device(device)
        if ordinal is None:
            return array if array.device == "cpu" else Array(array.numpy())
        data = array.raw()
        return array if array.device == f"cuda:{ordinal}" else Array(to_device(data, ordinal))
    except InvalidProgramError as error:
        if type(error) is InvalidProgramError:  # no such device: say so at the user's line
            raise refuse(str(error)) from None
        raise


def available_devices() -> tuple[str, ...]:
    """The devices of this machine, as `device_put` takes them: "cpu", then "cuda:0", ... where there are a driver and GPUs."""
    from stepwell.runtime.cuda import available
    from stepwell.runtime.cuda.device import device_count

    return ("cpu", *(f"cuda:{i}" for i in range(device_count() if available() else 0)))


@overload
def device_properties(device: Literal["cpu"]) -> CpuProperties: ...
@overload
def device_properties(device: str = "cuda") -> DeviceProperties | CpuProperties: ...
def device_properties(device: str = "cuda") -> DeviceProperties | CpuProperties:
    """What a GPU says of itself (name, compute capability, multiprocessors, memory, limits of a block), or what "cpu" is.

    Raises:
        NoDriverError: a CUDA device, and there is no driver or no GPU.
        InvalidProgramError: there is no such device.
    """
    return _cpu_properties() if device == "cpu" else _gpu(device).properties


def _cpu_properties() -> CpuProperties:
    from stepwell.backends.target import host_level, target_for  # here: LLVM is asked

    host = target_for(host_level())
    features = tuple(sorted(name[1:] for name in host.features.split(",") if name.startswith("+")))
    caches = (host.l1_bytes, host.l2_bytes, host.l3_bytes, host.line_bytes)
    return CpuProperties(host.cpu, host.arch, host.level, host.vector_bits, features, host.cores, *caches)


def memory_statistics(device: str = "cuda") -> HostMemoryStatistics | MemoryStatistics:
    """What the memory of a device is used for, in bytes: `used`, `most`, `reserved`, `free`, `total`.

    Of "cpu" also `allocations`, how many blocks were handed out, and `kept`. What is used there are results of more than 64 KiB and the
    memory of programs (docs/profiling.md).

    Raises:
        NoDriverError: a GPU, and there is no driver or none.
        InvalidProgramError: there is no such device.
    """
    if device == "cpu":
        from stepwell.runtime.memory import POOL

        return POOL.statistics()
    return _gpu(device).memory_statistics()


def synchronize(device: str = "cuda") -> None:
    """Wait until a GPU has done all work of this process; failures of kernels come out here.

    Raises:
        NoDriverError: there is no driver or no GPU.
        InvalidProgramError: there is no such GPU.
        CudaError: something failed.
    """
    _gpu(device).synchronize()


def _gpu(name: str) -> Device:
    from stepwell.runtime.cuda.device import device, parse_device

    ordinal = parse_device(name)
    if ordinal is None:
        raise InvalidProgramError("'cpu' is no GPU; the names of GPUs are 'cuda', 'cuda:1', ...")
    return device(ordinal)


def _from_dlpack(value: Any) -> DeviceData:
    from stepwell.runtime.cuda.array import from_dlpack

    return from_dlpack(value)


DEVICES.put, DEVICES.from_dlpack = _put, _from_dlpack

__all__ = ["CpuProperties", "available_devices", "device_properties", "device_put", "memory_statistics", "synchronize"]
