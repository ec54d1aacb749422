"""What GPUs have in common as targets: their description as `#stepwell.target`, and whether a `gpu.module` fits one.

LLVM aborts the process when asked for an instruction that the processor lacks, so everything it would refuse is refused here
first, by name and place.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import prod

from xdsl.dialects.builtin import ComplexType, IntegerAttr, MemRefType, ShapedType, StringAttr, TensorType, i64
from xdsl.ir import Attribute, Operation

from stepwell.backends.llvm.types import element_bytes
from stepwell.backends.target import Target
from stepwell.dialects import gpu, nvgpu
from stepwell.dialects.stepwell import TargetAttr
from stepwell.ir.diagnostics import invalid, unsupported
from stepwell.ir.errors import UnsupportedError

LEVEL = "simt"
LANE_BITS = 128
"""What one lane moves in one access: its part of a vector register."""
BLOCK_THREADS = 1024
MAX_GRID = (1 << 31) - 1
PARAMETER_BYTES = 4096
SHARED_ALIGN = 128
"""Of every piece of shared memory: a row of all its banks."""


@dataclass(frozen=True, kw_only=True)
class DeviceTarget(ABC):
    """What code generation and the cost models need to know of a GPU."""

    cpu: str
    arch: str
    subgroup: int
    cores: int
    shared_bytes: int
    """Of a block, without asking for more."""
    shared_limit: int
    """Of a block that asks."""
    features: tuple[str, ...] = ()
    block_threads: int = BLOCK_THREADS
    level: str = LEVEL

    @property
    def vector_bits(self) -> int:
        """Bits of the vector a subgroup holds."""
        return self.subgroup * LANE_BITS

    @property
    @abstractmethod
    def llvm_triple(self) -> str:
        """LLVM's name of the machine and what drives it."""

    @property
    @abstractmethod
    def llvm_features(self) -> str:
        """LLVM's feature string."""

    @abstractmethod
    def lacks(self, op: Operation) -> str | None:
        """Why an op has no form on this processor; None for one that has."""

    @abstractmethod
    def describe(self) -> list[tuple[str, str]]:
        """Name and value pairs for `stepwell doctor`."""

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


def check_gpu_module(module: gpu.ModuleOp, target: DeviceTarget) -> None:
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


def _check_launch(func: gpu.FuncOp, target: DeviceTarget) -> None:
    block, grid = func.block_size, func.grid_size
    if block is not None and prod(block) > target.block_threads:
        raise invalid(func, f"has blocks of {prod(block)} threads; {target.cpu} runs at most {target.block_threads}")
    if block is not None and prod(block[1:]) != 1:
        raise unsupported(func, f"a block of {'x'.join(map(str, block))} threads; blocks are one-dimensional here")
    if grid is not None and (grid[0] > MAX_GRID or max(grid[1:]) > 0xFFFF):
        raise invalid(func, f"has a grid of {'x'.join(map(str, grid))} blocks, more than {target.cpu} launches")


def _check_shared(func: gpu.FuncOp, target: DeviceTarget) -> None:
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


def _check_op(op: Operation, block: tuple[int, ...] | None, target: DeviceTarget) -> None:
    lacking = target.lacks(op)
    if lacking is not None:
        raise unsupported(op, lacking)
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


def _check_type(op: Operation, type_: Attribute) -> None:
    element: Attribute = type_.get_element_type() if isinstance(type_, ShapedType) else type_  # pyright: ignore
    if isinstance(type_, TensorType):
        raise unsupported(op, f"{type_} on a device; tensors become buffers first (run bufferize)")
    if isinstance(element, ComplexType):
        raise unsupported(op, f"complex numbers have no device form: {type_}")
