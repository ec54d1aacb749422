"""A GPU as the emitters see it: how a kernel begins, which thread this is, how lanes wait for each other and exchange words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from xdsl.dialects.builtin import MemRefType
from xdsl.ir import Attribute

from stepwell.backends.llvm.strategy import Strategy
from stepwell.backends.llvm.writer import FunctionWriter, Index
from stepwell.dialects import gpu
from stepwell.dialects.memref import Scope
from stepwell.ir.errors import UnsupportedError

GLOBAL_SPACE = 1
SHARED_SPACE = 3
DYNAMIC_SHARED = "stepwell_dynamic_shared"
"""The LLVM symbol of the shared memory whose size the launch says."""


class Register(Enum):
    """What a thread can ask about itself, along an axis."""

    THREAD = "thread"
    BLOCK = "block"
    BLOCK_SIZE = "block size"
    GRID_SIZE = "grid size"


@dataclass
class Exchange:
    """One shuffle: `read` takes a word of this lane to that of the lane it reads, or its own where that is no lane of its segment."""

    read: Callable[[str], str]
    valid: Callable[[], str]
    """The `i1` that says which; asked after a word was read."""


@dataclass(frozen=True)
class DeviceStrategy(Strategy, ABC):
    """A GPU: IEEE arithmetic with denormals, masks as branches, three kinds of memory. All words are `i32`."""

    masked_moves: bool = False
    prefetches: bool = False
    subgroup: int = 32
    """Lanes of a subgroup."""
    convention: str = ""
    """LLVM's calling convention of a kernel."""
    scopes: Mapping[Scope, str] = field(default_factory=dict[Scope, str])
    """LLVM's names of the threads among which memory order holds; none means all of the system."""

    def space(self, type_: MemRefType[Attribute]) -> int:
        """The address space of a memref."""
        kind = gpu.address_space(type_)
        if kind is None:
            raise UnsupportedError(f"a memref in an unknown memory space: {type_}")
        spaces = {gpu.AddressSpace.GLOBAL: GLOBAL_SPACE, gpu.AddressSpace.WORKGROUP: SHARED_SPACE}
        return spaces.get(kind, self.stack_space)

    def sync_scope(self, scope: Scope, space: int) -> str:
        """The scope by LLVM's name of it."""
        if space == self.stack_space:
            raise UnsupportedError("a thread's own memory has no atomic updates; nobody else sees it")
        name = self.scopes.get(scope)
        return f' syncscope("{name}")' if name else ""

    @abstractmethod
    def bounds(self, op: gpu.FuncOp) -> str:
        """LLVM's attributes that say how many threads a block has."""

    @abstractmethod
    def register(self, w: FunctionWriter, which: Register, axis: str, first: int, last: int) -> str:
        """An `i32` that is at least `first` and at most `last`."""

    @abstractmethod
    def barrier(self, w: FunctionWriter) -> None:
        """All threads of the block wait for each other, and see what they wrote."""

    @abstractmethod
    def subgroup_barrier(self, w: FunctionWriter) -> None:
        """All lanes of the subgroup wait for each other, and see what they wrote."""

    @abstractmethod
    def shuffle(self, w: FunctionWriter, mode: gpu.ShuffleMode, offset: Index, width: Index) -> Exchange:
        """Words of other lanes, in segments of `width`."""

    @abstractmethod
    def butterfly(self, w: FunctionWriter, word: str, step: int) -> str:
        """The word of the lane whose number is this one's with the bit `step` flipped."""

    def reduce_word(self, w: FunctionWriter, kind: str, word: str) -> str:
        """The words of all lanes combined, in every lane; asked only of machines that have `reductions`."""
        raise NotImplementedError

    @abstractmethod
    def ballot(self, w: FunctionWriter, predicate: str) -> str:
        """The lanes that hold true as a mask, an integer of a bit a lane."""

    @abstractmethod
    def vote(self, w: FunctionWriter, mode: gpu.VoteMode, predicate: str) -> str:
        """Whether any lane, or all of them, hold true: an `i1`."""

    @abstractmethod
    def match_any(self, w: FunctionWriter, bits: int, value: str) -> str:
        """The mask of the lanes that hold this lane's value, of 32 or 64 bits."""

    @abstractmethod
    def match_all(self, w: FunctionWriter, bits: int, value: str) -> tuple[str, str]:
        """The mask of all lanes and true where they hold one value, else 0 and false."""


def device_of(w: FunctionWriter) -> DeviceStrategy:
    """The GPU that a function is written for."""
    strategy = w.module.strategy
    assert isinstance(strategy, DeviceStrategy), "code of a device is written for one"
    return strategy
