"""An NVIDIA GPU as a target: what each processor has, as `#stepwell.target`, and whether a `gpu.module` fits it.

LLVM aborts the process when asked for an instruction the processor or the PTX version lacks, so everything it would refuse is
refused here first, by name and place.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from xdsl.dialects.builtin import ComplexType, IntegerAttr, MemRefType, ShapedType, StringAttr, TensorType, bf16, i64
from xdsl.ir import Attribute, Operation

from stepwell.backends.llvm.types import element_bytes
from stepwell.backends.target import Target
from stepwell.dialects import gpu, nvgpu
from stepwell.dialects.stepwell import TargetAttr
from stepwell.ir.diagnostics import close_name, invalid, unsupported
from stepwell.ir.errors import InvalidProgramError, UnsupportedError

ARCH = "nvptx64"
LEVEL = "simt"
SUBGROUP = 32
LANE_BITS = 128
"""What one lane moves in one access: its part of a vector register."""
BLOCK_THREADS = 1024
STATIC_SHARED = 48 << 10
"""Shared memory that needs no opting in, the same on every processor."""
MAX_GRID = (1 << 31) - 1
PARAMETER_BYTES = 4096
SHARED_ALIGN = 128
"""Of every piece of shared memory: a row of all its banks."""

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


@dataclass(frozen=True)
class GpuTarget:
    """What code generation and the cost models need to know of a GPU."""

    cpu: str
    ptx: int
    version: int
    cores: int
    shared_limit: int
    features: tuple[str, ...]
    arch: str = ARCH
    level: str = LEVEL
    subgroup: int = SUBGROUP
    block_threads: int = BLOCK_THREADS
    shared_bytes: int = STATIC_SHARED

    @property
    def vector_bits(self) -> int:
        """Bits of the vector a subgroup holds."""
        return self.subgroup * LANE_BITS

    @property
    def llvm_features(self) -> str:
        """LLVM's feature string."""
        return f"+ptx{self.ptx}"

    def has(self, feature: str) -> bool:
        """Whether the processor has a feature."""
        return feature in self.features

    def attribute(self, host: Target) -> TargetAttr:
        """The `#stepwell.target` attribute, with the machine that drives it as `host`."""
        numbers = ("subgroup", "vector_bits", "cores", "block_threads", "shared_bytes", "shared_limit")
        return TargetAttr(
            {
                "arch": StringAttr(self.arch),
                "level": StringAttr(self.level),
                "cpu": StringAttr(self.cpu),
                "features": StringAttr(",".join(self.features)),
                **{name: IntegerAttr(getattr(self, name), i64) for name in numbers},
                "host": host.attribute().entries,
            }
        )

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
    return GpuTarget(cpu, version, processor.version, cores or processor.cores, processor.shared_limit, features)


# Legality

_ASYNC_OPS = ("nvgpu.device_async_copy", "nvgpu.device_async_create_group", "nvgpu.device_async_wait")


def _needed_feature(op: Operation) -> str | None:
    """The feature an op needs; what every processor here has needs none."""
    if op.name in _ASYNC_OPS:
        return "async_copy"
    if isinstance(op, nvgpu.MmaSyncOp) and op.shape == (16, 8, 16):
        return "mma_bf16" if op.a.type.get_element_type() == bf16 else "mma_f16"  # pyright: ignore
    return None


def check_gpu_module(module: gpu.ModuleOp, target: GpuTarget) -> None:
    """Refuse a device module that the target cannot run.

    Raises:
        InvalidProgramDiagnosticError: a launch bound is beyond the machine.
        UnsupportedDiagnosticError: an op or type has no form on this processor.
    """
    for op in module.body.block.ops:
        if not isinstance(op, gpu.FuncOp):
            raise unsupported(op, "a device module holds gpu.func only; pass constants as arguments")
        if op.kernel is None:
            raise unsupported(op, "only kernels are compiled for the device; inline other functions first")
        _check_launch(op, target)
        _check_shared(op, target)
        _check_parameters(op)
        for inner in op.walk():
            _check_op(inner, op.block_size, target)


def _check_launch(func: gpu.FuncOp, target: GpuTarget) -> None:
    block, grid = func.block_size, func.grid_size
    if block is not None and prod(block) > target.block_threads:
        raise invalid(func, f"has blocks of {prod(block)} threads; {target.cpu} runs at most {target.block_threads}")
    if block is not None and prod(block[1:]) != 1:
        raise unsupported(func, f"a block of {'x'.join(map(str, block))} threads; blocks are one-dimensional here")
    if grid is not None and (grid[0] > MAX_GRID or max(grid[1:]) > 0xFFFF):
        raise invalid(func, f"has a grid of {'x'.join(map(str, grid))} blocks, more than {target.cpu} launches")


def _check_shared(func: gpu.FuncOp, target: GpuTarget) -> None:
    total = 0
    for argument in func.workgroup_args:
        if isinstance(argument.type, MemRefType):
            total = _aligned(total, SHARED_ALIGN) + _bytes(func, argument.type)
    if total > target.shared_limit:
        raise invalid(func, f"shares {total} bytes in a block; {target.cpu} has at most {target.shared_limit}")
    if total > target.shared_bytes:
        raise unsupported(
            func,
            f"{total} bytes of workgroup memory; more than {target.shared_bytes} must be gpu.dynamic_shared_memory",
        )


def _aligned(offset: int, align: int) -> int:
    return -(-offset // align) * align


def _bytes(func: gpu.FuncOp, type_: MemRefType[Attribute]) -> int:
    try:
        return prod(type_.get_shape()) * element_bytes(type_.element_type)
    except UnsupportedError as error:
        raise unsupported(func, str(error)) from error


def _check_parameters(func: gpu.FuncOp) -> None:
    size = 0
    for argument in func.args:
        width = _parameter_bytes(func, argument.type)
        size = _aligned(size, width) + width
    if size > PARAMETER_BYTES:
        raise unsupported(func, f"{size} bytes of arguments; a launch passes at most {PARAMETER_BYTES}")


def _parameter_bytes(func: gpu.FuncOp, type_: Attribute) -> int:
    try:
        return element_bytes(type_)
    except UnsupportedError as error:
        raise unsupported(func, f"an argument of type {type_}: {error}") from error


_WHOLE_SUBGROUP = (
    gpu.BallotOp,
    gpu.MatchOp,
    gpu.ShuffleOp,
    gpu.SubgroupBarrierOp,
    gpu.SubgroupReduceOp,
    gpu.VoteOp,
    nvgpu.LdMatrixOp,
    nvgpu.MmaSyncOp,
)
"""What all lanes of a subgroup do together."""


def _check_op(op: Operation, block: tuple[int, ...] | None, target: GpuTarget) -> None:
    need = _needed_feature(op)
    if need is not None and not target.has(need):
        raise unsupported(op, f"{target.cpu} does not have it; the first processor that does is sm_{_first_with(need)}")
    if isinstance(op, gpu.SubgroupReduceOp) and op.uniform is None:
        raise unsupported(op, "a reduction where lanes may be missing; it must be uniform")
    if isinstance(op, _WHOLE_SUBGROUP) and block is not None and block[0] % target.subgroup:
        raise unsupported(
            op, f"the last subgroup of a block of {block[0]} threads has less than {target.subgroup} lanes"
        )
    for value in op.results:
        _check_type(op, value.type)
    for region in op.regions:
        for body in region.blocks:
            for argument in body.args:
                _check_type(op, argument.type)


def _first_with(feature: str) -> int:
    return next(first for name, first in _FEATURES if name == feature)


def _check_type(op: Operation, type_: Attribute) -> None:
    element: Attribute = type_.get_element_type() if isinstance(type_, ShapedType) else type_  # pyright: ignore
    if isinstance(type_, TensorType):
        raise unsupported(op, f"{type_} on a device; tensors become buffers first (run bufferize)")
    if isinstance(element, ComplexType):
        raise unsupported(op, f"complex numbers have no device form: {type_}")
