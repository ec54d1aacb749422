"""What the writer asks of a machine: which instructions it has, how its functions are marked, where a memref lives.

The emitters are the same for every machine; where one differs it asks the `Strategy` of the module being written, never for
an architecture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xdsl.dialects.builtin import MemRefType
from xdsl.ir import Attribute

from stepwell.dialects.memref import Scope

GENERIC = 0
"""LLVM's default address space."""


@dataclass(frozen=True)
class WordDot:
    """An instruction that multiplies what two words hold and adds it up, lane by lane."""

    intrinsics: tuple[tuple[int, str], ...]
    """LLVM's names by lanes."""
    swapped: bool = False
    """It wants the factors of the right operand first."""
    accumulates: bool = False
    """It takes the sums so far, before the factors."""


@dataclass(frozen=True)
class Strategy:
    """A machine as the emitters see it; the defaults are those of a CPU with fused multiply-add."""

    fma: bool = True
    """Fused multiply-add of `f32` and `f64` is an instruction."""
    half: bool = True
    """Conversions between `half` and `float` are instructions."""
    bfloat: bool = False
    """Rounding a `float` to `bfloat` is an instruction."""
    masked_moves: bool = True
    """A masked load or store is an instruction, or LLVM has a good sequence for it; otherwise it is a branch."""
    reductions: bool = False
    """Integers of the lanes of a subgroup are combined by an instruction."""
    word_dots: Mapping[tuple[str, str], WordDot] = field(default_factory=dict[tuple[str, str], WordDot])
    """For the factors of `kernel.dot`, such as ("ui8", "si8"), what does it; for others they are widened."""
    scales: Mapping[str, tuple[tuple[int, str], ...]] = field(default_factory=dict[str, tuple[tuple[int, str], ...]])
    """By the type of an element, what multiplies it by a power of two: LLVM's names by lanes, few first."""
    estimates: Mapping[tuple[str, str], tuple[tuple[int, str], ...]] = field(
        default_factory=dict[tuple[str, str], tuple[tuple[int, str], ...]]
    )
    """By an op ("math.rsqrt_estimate") and the type of an element, what does it: LLVM's names by lanes, few first."""
    pause: tuple[str, tuple[tuple[str, str], ...]] = ("llvm.x86.sse2.pause", ())
    """The intrinsic that says that this is a loop which waits, and its (type, value) arguments."""
    prefetches: bool = True
    """A cache line can be asked for before it is needed."""
    line_bytes: int = 64
    """Bytes that caches and memory exchange at once."""
    small_vectors: bool = True
    """LLVM has working code for vectors of integers of 2 and 4 bits."""
    stack_space: int = GENERIC
    """The address space of a function's own memory."""
    attributes: str = ""
    """More LLVM attributes of every function, as text."""

    def space(self, type_: MemRefType[Attribute]) -> int:
        """The LLVM address space of a memref.

        Raises:
            UnsupportedError: the machine has no such memory.
        """
        del type_
        return GENERIC

    def sync_scope(self, scope: Scope, space: int) -> str:
        """LLVM's words, with a space before, for the threads among which memory order holds; a CPU has one memory for all.

        Raises:
            UnsupportedError: memory of this address space cannot be updated atomically.
        """
        del scope, space
        return ""

    def atomic_assembly(self, instruction: str, type_: str, scope: Scope, space: int) -> str | None:
        """The assembly text of an `atomicrmw` where LLVM would not give it the scope: `$0` of `[$1]` and `$2`."""
        del instruction, type_, scope, space
        return None


def pointer_type(space: int) -> str:
    """The LLVM type of a pointer into an address space."""
    return f"ptr addrspace({space})" if space else "ptr"
