"""NVPTX: how the writer treats an NVIDIA GPU, and its LLVM module of a `gpu.module`.

A kernel is `define ptx_kernel void @<name>(ptr addrspace(1) ..., scalars...)`. A thread's memory is in the generic space, since
LLVM miscompiles stack slots of space 5. All lanes of a subgroup take part in every exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xdsl.dialects.builtin import ModuleOp

from stepwell.backends.llvm import nvgpu
from stepwell.backends.llvm.device import (
    GLOBAL_SPACE,
    SHARED_SPACE,
    DeviceStrategy,
    Exchange,
    Register,
)
from stepwell.backends.llvm.device_module import device_module
from stepwell.backends.llvm.module import module_text
from stepwell.backends.llvm.writer import FunctionWriter, Index
from stepwell.backends.nvptx import SUBGROUP, GpuTarget
from stepwell.dialects import gpu
from stepwell.dialects.memref import Scope

_ALL_LANES = ("i32", "-1")
_REGISTERS = {
    Register.THREAD: "tid",
    Register.BLOCK: "ctaid",
    Register.BLOCK_SIZE: "ntid",
    Register.GRID_SIZE: "nctaid",
}
_MODES = {
    gpu.ShuffleMode.XOR: "bfly",
    gpu.ShuffleMode.UP: "up",
    gpu.ShuffleMode.DOWN: "down",
    gpu.ShuffleMode.IDX: "idx",
}
_OPPOSITE = {gpu.ShuffleMode.UP: gpu.ShuffleMode.DOWN, gpu.ShuffleMode.DOWN: gpu.ShuffleMode.UP}
_REDUX = {
    "add": "add",
    "and": "and",
    "or": "or",
    "xor": "xor",
    "minsi": "min",
    "maxsi": "max",
    "minui": "umin",
    "maxui": "umax",
}

_PTX_BITS = {"i32": 32, "i64": 64, "float": 32, "double": 64}
"""Bits of what an update of PTX takes; narrower ones become loops in LLVM, which keeps their scope."""
_PTX_UPDATES = {
    "add": ("add", "u"),
    "and": ("and", "b"),
    "fadd": ("add", "f"),
    "max": ("max", "s"),
    "min": ("min", "s"),
    "or": ("or", "b"),
    "umax": ("max", "u"),
    "umin": ("min", "u"),
    "xchg": ("exch", "b"),
    "xor": ("xor", "b"),
}
"""LLVM's name of an update, PTX's, and how that reads its operands."""


@dataclass(frozen=True)
class NvptxStrategy(DeviceStrategy):
    """How the emitters treat an NVIDIA GPU."""

    subgroup: int = SUBGROUP
    convention: str = "ptx_kernel"
    scopes: Mapping[Scope, str] = field(default_factory=lambda: {Scope.BLOCK: "block", Scope.DEVICE: "device"})

    def atomic_assembly(self, instruction: str, type_: str, scope: Scope, space: int) -> str | None:
        """PTX of an update for another scope than the device: LLVM writes all of them for the device."""
        if scope is Scope.DEVICE or type_ not in _PTX_BITS:
            return None
        name, kind = _PTX_UPDATES[instruction]
        among = {Scope.BLOCK: "cta", Scope.SYSTEM: "sys"}[scope]
        where = {GLOBAL_SPACE: "global", SHARED_SPACE: "shared"}[space]
        return f"atom.relaxed.{among}.{where}.{name}.{kind}{_PTX_BITS[type_]} $0, [$1], $2;"

    def bounds(self, op: gpu.FuncOp) -> str:
        """The launch bounds: registers are shared out by them."""
        size = op.block_size
        if size is None:
            return '"nvvm.maxntid"="1024"'
        # One block a multiprocessor is enough: else ptxas spills rather than lower the number of blocks it guesses at.
        return f'"nvvm.reqntid"="{",".join(map(str, size))}" "nvvm.minctasm"="1"'

    def register(self, w: FunctionWriter, which: Register, axis: str, first: int, last: int) -> str:
        """A special register."""
        full = f"llvm.nvvm.read.ptx.sreg.{_REGISTERS[which]}.{axis}"
        w.module.declare(full, f"declare i32 @{full}()")
        return w.emit(f"call range(i32 {first}, {last + 1}) i32 @{full}()")

    def barrier(self, w: FunctionWriter) -> None:
        """`bar.sync`, which orders memory too."""
        w.call("void", "llvm.nvvm.barrier.cta.sync.aligned.all", [("i32", "0")])

    def subgroup_barrier(self, w: FunctionWriter) -> None:
        """`bar.warp.sync`, which orders memory too."""
        w.call("void", "llvm.nvvm.bar.warp.sync", [_ALL_LANES])

    def shuffle(self, w: FunctionWriter, mode: gpu.ShuffleMode, offset: Index, width: Index) -> Exchange:
        """`shfl.sync`; an offset of a segment or more reads nothing, where PTX would wrap around.

        PTX takes five bits of an offset, without a sign: one that may go the other way names the lane by its number.
        """
        known = isinstance(offset, int) and isinstance(width, int) and abs(offset) < width
        if known and int(offset) < 0 and mode in _OPPOSITE:
            return self.shuffle(w, _OPPOSITE[mode], -int(offset), width)
        known = known and int(offset) >= 0
        if not known and mode in _OPPOSITE:
            return self._shuffle_by_number(w, mode, offset, width)
        limits = self._segment(w, width, 0 if mode is gpu.ShuffleMode.UP else SUBGROUP - 1)
        full = f"llvm.nvvm.shfl.sync.{_MODES[mode]}.i32p"
        inside = "" if known else w.emit(f"icmp ult i32 {offset}, {width}")
        valid = "true"

        def read(word: str) -> str:
            nonlocal valid
            pair = w.call("{ i32, i1 }", full, [_ALL_LANES, ("i32", word), ("i32", str(offset)), ("i32", str(limits))])
            valid = w.emit(f"extractvalue {{ i32, i1 }} {pair}, 1")
            moved = w.emit(f"extractvalue {{ i32, i1 }} {pair}, 0")
            return w.emit(f"select i1 {inside}, i32 {moved}, i32 {word}") if inside else moved

        return Exchange(read, lambda: w.emit(f"and i1 {inside}, {valid}") if inside else valid)

    @staticmethod
    def _shuffle_by_number(w: FunctionWriter, mode: gpu.ShuffleMode, offset: Index, width: Index) -> Exchange:
        """Up or down, by the number of the lane to read: in the segment if it differs in bits below the width only."""
        lane = w.call("i32", "llvm.nvvm.read.ptx.sreg.laneid", [])
        source = w.emit(f"{'sub' if mode is gpu.ShuffleMode.UP else 'add'} i32 {lane}, {offset}")
        valid = w.emit(f"icmp ult i32 {w.emit(f'xor i32 {source}, {lane}')}, {width}")
        number = w.emit(f"select i1 {valid}, i32 {source}, i32 {lane}")

        def read(word: str) -> str:
            arguments = [_ALL_LANES, ("i32", word), ("i32", number), ("i32", str(SUBGROUP - 1))]
            return w.call("i32", "llvm.nvvm.shfl.sync.idx.i32", arguments)

        return Exchange(read, lambda: valid)

    @staticmethod
    def _segment(w: FunctionWriter, width: Index, last: int) -> Index:
        """PTX's third operand: which bits of a lane's number name its segment, and the last lane of one."""
        if isinstance(width, int):
            return ((SUBGROUP - width) << 8) | last
        fixed = w.emit(f"sub i32 {SUBGROUP}, {width}")
        return w.emit(f"or i32 {w.emit(f'shl i32 {fixed}, 8')}, {last}")

    def butterfly(self, w: FunctionWriter, word: str, step: int) -> str:
        """`shfl.sync.bfly` of all lanes."""
        arguments = [_ALL_LANES, ("i32", word), ("i32", str(step)), ("i32", str(SUBGROUP - 1))]
        return w.call("i32", "llvm.nvvm.shfl.sync.bfly.i32", arguments)

    def reduce_word(self, w: FunctionWriter, kind: str, word: str) -> str:
        """`redux.sync`."""
        return w.call("i32", f"llvm.nvvm.redux.sync.{_REDUX[kind]}", [("i32", word), _ALL_LANES])

    def ballot(self, w: FunctionWriter, predicate: str) -> str:
        """`vote.sync.ballot`."""
        return w.call("i32", "llvm.nvvm.vote.ballot.sync", [_ALL_LANES, ("i1", predicate)])

    def vote(self, w: FunctionWriter, mode: gpu.VoteMode, predicate: str) -> str:
        """`vote.sync`."""
        return w.call("i1", f"llvm.nvvm.vote.{mode}.sync", [_ALL_LANES, ("i1", predicate)])

    def match_any(self, w: FunctionWriter, bits: int, value: str) -> str:
        """`match.any.sync`."""
        return w.call("i32", f"llvm.nvvm.match.any.sync.i{bits}", [_ALL_LANES, (f"i{bits}", value)])

    def match_all(self, w: FunctionWriter, bits: int, value: str) -> tuple[str, str]:
        """`match.all.sync`."""
        arguments = [_ALL_LANES, (f"i{bits}", value)]
        pair = w.call("{ i32, i1 }", f"llvm.nvvm.match.all.sync.i{bits}p", arguments)
        mask, same = (w.emit(f"extractvalue {{ i32, i1 }} {pair}, {position}") for position in (0, 1))
        return mask, same


def device_strategy(target: GpuTarget) -> NvptxStrategy:
    """How the writer treats a GPU."""
    modern = target.version >= 80
    return NvptxStrategy(fma=True, half=True, bfloat=modern, reductions=modern)


def write_gpu_module(program: ModuleOp, module: gpu.ModuleOp, target: GpuTarget) -> str:
    """The LLVM module of a `gpu.module` of a step-6 program, for a processor that can run it.

    Raises:
        InvalidProgramError: a launch is beyond the machine.
        UnsupportedError: an op or type has no rule, or no form on this processor.
    """
    return module_text(device_module(program, module, target, device_strategy(target), nvgpu.EMITTERS))
