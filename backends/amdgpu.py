"""An AMD GPU as a target: what each processor has. Code is made for it; nothing here runs it."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import Operation

from stepwell.backends.gpu_target import DeviceTarget
from stepwell.ir.diagnostics import close_name
from stepwell.ir.errors import InvalidProgramError

ARCH = "amdgcn"
TRIPLE = "amdgcn-amd-amdhsa"
SHARED = 64 << 10
"""Bytes of local data share that a block may have, on every processor; none must be asked for."""
CODE_OBJECT = 500
"""The version of the code object format, a hundred times as large: what ROCm 5.7 and later load."""


@dataclass(frozen=True)
class _Processor:
    """Lanes of a subgroup, compute units of its usual card, whether lanes move within rows of 16 by any exclusive or."""

    subgroup: int
    cores: int
    row_moves: bool


_PROCESSORS = {
    "gfx90a": _Processor(64, 110, row_moves=False),
    "gfx942": _Processor(64, 304, row_moves=False),
    "gfx1030": _Processor(32, 80, row_moves=True),
    "gfx1100": _Processor(32, 96, row_moves=True),
}
"""MI200 (one of its two dies), MI300, RX 6800 and 6900, RX 7900."""
PROCESSORS = tuple(_PROCESSORS)
"""The processors there is a target for."""


@dataclass(frozen=True, kw_only=True)
class AmdTarget(DeviceTarget):
    """An AMD GPU: no matrix unit and no copies that complete later, as NVIDIA's ops have them."""

    arch: str = ARCH
    shared_bytes: int = SHARED
    shared_limit: int = SHARED
    row_moves: bool = False
    """An instruction moves words between the lanes of a row of 16, by any exclusive or of their numbers, and between two rows."""

    @property
    def llvm_triple(self) -> str:
        """LLVM's name of the machine and what drives it."""
        return TRIPLE

    @property
    def llvm_features(self) -> str:
        """LLVM's feature string: the size of a subgroup, where a processor has two."""
        return "+wavefrontsize32" if self.subgroup == 32 else "+wavefrontsize64"

    def lacks(self, op: Operation) -> str | None:
        """Why an op has no form on this processor; None for one that has."""
        if op.name.startswith("nvgpu."):
            return f"it is an instruction of NVIDIA's GPUs, for which {self.cpu} has no equal; schedule the kernel for {self.cpu}"
        return None

    def describe(self) -> list[tuple[str, str]]:
        """Name and value pairs for `stepwell doctor`."""
        return [
            ("processor", self.cpu),
            ("compute units", str(self.cores)),
            ("lanes of a wavefront", str(self.subgroup)),
            ("local data share", f"{self.shared_bytes >> 10} KiB"),
        ]


def amd_target(cpu: str, cores: int | None = None) -> AmdTarget:
    """The target of a processor such as `gfx90a`.

    Args:
        cpu: LLVM's name of the processor.
        cores: compute units, if not those of the usual card.

    Raises:
        InvalidProgramError: there is no such processor.
    """
    processor = _PROCESSORS.get(cpu)
    if processor is None:
        near = close_name(cpu, PROCESSORS)
        raise InvalidProgramError(
            f"unknown AMD processor '{cpu}'; {near + ' ' if near else ''}the processors are {', '.join(PROCESSORS)}"
        )
    return AmdTarget(
        cpu=cpu, subgroup=processor.subgroup, cores=cores or processor.cores, row_moves=processor.row_moves
    )
