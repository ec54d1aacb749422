"""An NVIDIA GPU as a target: what each processor has."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.builtin import bf16
from xdsl.ir import Operation

from stepwell.backends.gpu_target import DeviceTarget
from stepwell.dialects import nvgpu
from stepwell.ir.diagnostics import close_name
from stepwell.ir.errors import InvalidProgramError

ARCH = "nvptx64"
TRIPLE = "nvptx64-nvidia-cuda"
SUBGROUP = 32
STATIC_SHARED = 48 << 10
"""Shared memory that needs no opting in, the same on every processor."""

PTX_VERSIONS = (63, 64, 65, *range(70, 79), *range(80, 89), 90)
"""Versions of the PTX language that LLVM writes, ten times as large."""


@dataclass(frozen=True)
class _Processor:
    """Major and minor version, least PTX version, shared memory with opting in, multiprocessors of its usual card."""

    version: int
    ptx: int
    shared_limit: int
    cores: int


_KIB = 1 << 10
_PROCESSORS = {
    "sm_75": _Processor(75, 63, 64 * _KIB, 40),
    "sm_80": _Processor(80, 70, 163 * _KIB, 108),
    "sm_86": _Processor(86, 71, 99 * _KIB, 84),
    "sm_87": _Processor(87, 74, 163 * _KIB, 16),
    "sm_89": _Processor(89, 78, 99 * _KIB, 128),
    "sm_90": _Processor(90, 78, 227 * _KIB, 132),
    "sm_90a": _Processor(90, 80, 227 * _KIB, 132),
    "sm_100": _Processor(100, 86, 227 * _KIB, 148),
    "sm_100a": _Processor(100, 86, 227 * _KIB, 148),
    "sm_103": _Processor(103, 88, 227 * _KIB, 148),
    "sm_103a": _Processor(103, 88, 227 * _KIB, 148),
    "sm_120": _Processor(120, 87, 99 * _KIB, 170),
    "sm_120a": _Processor(120, 87, 99 * _KIB, 170),
    "sm_121": _Processor(121, 88, 99 * _KIB, 48),
    "sm_121a": _Processor(121, 88, 99 * _KIB, 48),
}
PROCESSORS = tuple(_PROCESSORS)
"""The processors there is a target for."""

_FEATURES = (("mma_f16", 80), ("mma_bf16", 80), ("async_copy", 80))
"""What passes may ask for, and the first processor version that has it."""


@dataclass(frozen=True, kw_only=True)
class GpuTarget(DeviceTarget):
    """An NVIDIA GPU."""

    ptx: int
    version: int
    arch: str = ARCH
    subgroup: int = SUBGROUP
    shared_bytes: int = STATIC_SHARED

    @property
    def llvm_triple(self) -> str:
        """LLVM's name of the machine and what drives it."""
        return TRIPLE

    @property
    def llvm_features(self) -> str:
        """LLVM's feature string."""
        return f"+ptx{self.ptx}"

    def lacks(self, op: Operation) -> str | None:
        """Why an op has no form on this processor; None for one that has."""
        need = _needed_feature(op)
        if need is None or self.has(need):
            return None
        return f"{self.cpu} does not have it; the first processor that does is sm_{_first_with(need)}"

    def describe(self) -> list[tuple[str, str]]:
        """Name and value pairs for `stepwell doctor`."""
        return [
            ("processor", f"{self.cpu} (PTX {self.ptx // 10}.{self.ptx % 10})"),
            ("multiprocessors", str(self.cores)),
            ("shared memory", f"{self.shared_bytes >> 10} KiB, up to {self.shared_limit >> 10} KiB"),
            ("features", ", ".join(self.features) or "none"),
        ]


def gpu_target(cpu: str, ptx: int | None = None, cores: int | None = None) -> GpuTarget:
    """The target of a processor such as `sm_90`.

    Args:
        cpu: LLVM's and ptxas's name of the processor.
        ptx: ten times the PTX version, `83` for 8.3; the least the processor has by default, which is what most drivers know.
        cores: multiprocessors, if the card at hand is known.

    Raises:
        InvalidProgramError: there is no such processor or PTX version, or the version is too old for the processor.
    """
    processor = _PROCESSORS.get(cpu)
    if processor is None:
        near = close_name(cpu, PROCESSORS)
        raise InvalidProgramError(
            f"unknown GPU processor '{cpu}'; {near + ' ' if near else ''}the processors are {', '.join(PROCESSORS)}"
        )
    version = processor.ptx if ptx is None else ptx
    if version not in PTX_VERSIONS:
        known = ", ".join(str(v) for v in PTX_VERSIONS)
        raise InvalidProgramError(f"unknown PTX version {version}; the versions, ten times as large, are {known}")
    if version < processor.ptx:
        raise InvalidProgramError(f"PTX version {version} does not know {cpu}; the first that does is {processor.ptx}")
    features = tuple(name for name, first in _FEATURES if processor.version >= first)
    return GpuTarget(
        cpu=cpu,
        ptx=version,
        version=processor.version,
        cores=cores or processor.cores,
        shared_limit=processor.shared_limit,
        features=features,
    )


_ASYNC_OPS = ("nvgpu.device_async_copy", "nvgpu.device_async_create_group", "nvgpu.device_async_wait")


def _needed_feature(op: Operation) -> str | None:
    """The feature an op needs; what every processor here has needs none."""
    if op.name in _ASYNC_OPS:
        return "async_copy"
    if isinstance(op, nvgpu.MmaSyncOp) and op.shape == (16, 8, 16):
        return "mma_bf16" if op.a.type.get_element_type() == bf16 else "mma_f16"  # pyright: ignore
    return None


def _first_with(feature: str) -> int:
    return next(first for name, first in _FEATURES if name == feature)
