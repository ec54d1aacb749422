"""AMDGPU: how the writer treats an AMD GPU, and its LLVM module of a `gpu.module`.

A kernel is `define amdgpu_kernel void @<name>(ptr addrspace(1) ..., scalars...)`; what LLVM's AMDGPU guide calls a wavefront is a
subgroup, a workgroup is a block, and a thread's memory is of space 5. Lanes of a wavefront move together, but memory and LLVM have
to be told that they wait for each other. They exchange words through moves of the vector unit where it has one, else through the
paths of the local data share, which take no memory of it; all lanes of a subgroup take part in every exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xdsl.dialects.builtin import IntegerType, ModuleOp, VectorType
from xdsl.ir import Operation

from stepwell.backends.amdgpu import CODE_OBJECT, AmdTarget
from stepwell.backends.llvm import arith, math
from stepwell.backends.llvm.device import DeviceStrategy, Exchange, Register
from stepwell.backends.llvm.device_module import device_module
from stepwell.backends.llvm.lane_by_lane import lane_by_lane
from stepwell.backends.llvm.module import module_text
from stepwell.backends.llvm.types import element_type, vector_shape
from stepwell.backends.llvm.writer import Emitter, FunctionWriter, Index
from stepwell.dialects import gpu
from stepwell.dialects.memref import Scope

PRIVATE_SPACE = 5
_PACKET_SPACE = 4
_WORKGROUP_SIZE, _GRID_SIZE = 4, 12
"""Offsets in the packet of a dispatch: sizes of a workgroup as `i16`s, of the grid, in threads, as `i32`s."""
_QUADS = {1: 0xB1, 2: 0x4E}
"""Controls of moves within four lanes: to the neighbour, and to the neighbouring pair."""
_ROW_XOR = 0x160
"""The control of moves within sixteen lanes, by an exclusive or that is added to it."""
_ROW, _SWIZZLED = 16, 32
"""Lanes within which words move by a control, and by a swizzle."""
_SWAPPED_ROWS = (0x76543210, 0xFEDCBA98)
"""Each lane reads the lane of its own place, of the other row."""


@dataclass(frozen=True)
class AmdgpuStrategy(DeviceStrategy):
    """How the emitters treat an AMD GPU."""

    stack_space: int = PRIVATE_SPACE
    small_vectors: bool = False
    convention: str = "amdgpu_kernel"
    scopes: Mapping[Scope, str] = field(default_factory=lambda: {Scope.BLOCK: "workgroup", Scope.DEVICE: "agent"})
    row_moves: bool = False
    """Words move within rows of 16 lanes by any exclusive or, and between two rows."""

    def bounds(self, op: gpu.FuncOp) -> str:
        """The sizes of a block: registers are shared out by them."""
        size = op.block_size
        sizes = "1,1024" if size is None else f"{size[0]},{size[0]}"
        return f'"amdgpu-flat-work-group-size"="{sizes}" "uniform-work-group-size"="true"'

    def register(self, w: FunctionWriter, which: Register, axis: str, first: int, last: int) -> str:
        """A register of the kernel, or a number of the packet that launched it."""
        if which in (Register.THREAD, Register.BLOCK):
            full = f"llvm.amdgcn.{'workitem' if which is Register.THREAD else 'workgroup'}.id.{axis}"
            w.module.declare(full, f"declare i32 @{full}()")
            return w.emit(f"call range(i32 {first}, {last + 1}) i32 @{full}()")
        place = "xyz".index(axis)
        block = w.emit(f"zext i16 {self._packet(w, _WORKGROUP_SIZE + 2 * place, 'i16')} to i32")
        if which is Register.BLOCK_SIZE:
            return block
        return w.emit(f"udiv i32 {self._packet(w, _GRID_SIZE + 4 * place, 'i32')}, {block}")

    @staticmethod
    def _packet(w: FunctionWriter, offset: int, kind: str) -> str:
        """A number of the packet that launched the kernel."""
        pointer = f"ptr addrspace({_PACKET_SPACE})"
        packet = w.call(pointer, "llvm.amdgcn.dispatch.ptr", [])
        place = w.emit(f"getelementptr i8, {pointer} {packet}, i64 {offset}")
        return w.emit(f"load {kind}, {pointer} {place}, align {int(kind[1:]) // 8}")

    def barrier(self, w: FunctionWriter) -> None:
        """`s_barrier` waits for threads only; the fences are for memory."""
        self._wait(w, "llvm.amdgcn.s.barrier", "workgroup")

    def subgroup_barrier(self, w: FunctionWriter) -> None:
        """No instruction, but neither LLVM nor memory moves anything across."""
        self._wait(w, "llvm.amdgcn.wave.barrier", "wavefront")

    @staticmethod
    def _wait(w: FunctionWriter, name: str, scope: str) -> None:
        w.line(f'fence syncscope("{scope}") release')
        w.call("void", name, [])
        w.line(f'fence syncscope("{scope}") acquire')

    # Exchanging

    def _lane(self, w: FunctionWriter) -> str:
        """The lane's number: how many lanes are before it."""
        low = w.call("i32", "llvm.amdgcn.mbcnt.lo", [("i32", "-1"), ("i32", "0")])
        if self.subgroup == 32:
            return low
        return w.call("i32", "llvm.amdgcn.mbcnt.hi", [("i32", "-1"), ("i32", low)])

    def shuffle(self, w: FunctionWriter, mode: gpu.ShuffleMode, offset: Index, width: Index) -> Exchange:
        """Two lanes are in one segment where their numbers differ in bits below its width only."""
        known = isinstance(offset, int) and isinstance(width, int) and 0 <= offset < width
        if known and mode is gpu.ShuffleMode.XOR:
            return Exchange(lambda word: self.butterfly(w, word, int(offset)), lambda: "true")
        if known and mode is gpu.ShuffleMode.IDX and width == self.subgroup:
            return Exchange(lambda word: self._read_lane(w, word, int(offset)), lambda: "true")
        lane = self._lane(w)
        source = self._source(w, mode, lane, offset, width)
        distance = w.emit(f"xor i32 {source}, {lane}")
        valid = w.emit(f"icmp ult i32 {distance}, {width}")
        address = w.emit(f"shl i32 {w.emit(f'select i1 {valid}, i32 {source}, i32 {lane}')}, 2")
        return Exchange(lambda word: self._permute(w, address, word), lambda: valid)

    @staticmethod
    def _source(w: FunctionWriter, mode: gpu.ShuffleMode, lane: str, offset: Index, width: Index) -> str:
        """The lane to read, which may be none of the segment."""
        if mode is gpu.ShuffleMode.XOR:
            return w.emit(f"xor i32 {lane}, {offset}")
        if mode is gpu.ShuffleMode.UP:
            return w.emit(f"sub i32 {lane}, {offset}")
        if mode is gpu.ShuffleMode.DOWN:
            return w.emit(f"add i32 {lane}, {offset}")
        last = width - 1 if isinstance(width, int) else w.emit(f"sub i32 {width}, 1")
        first = w.emit(f"and i32 {lane}, {w.emit(f'xor i32 {last}, -1')}")
        return w.emit(f"add i32 {first}, {offset}")

    @staticmethod
    def _read_lane(w: FunctionWriter, word: str, lane: int) -> str:
        """The word of one lane, in all lanes."""
        return w.call("i32", "llvm.amdgcn.readlane.i32", [("i32", word), ("i32", str(lane))])

    @staticmethod
    def _permute(w: FunctionWriter, address: str, word: str) -> str:
        """The word of the lane at an address, four bytes a lane."""
        return w.call("i32", "llvm.amdgcn.ds.bpermute", [("i32", address), ("i32", word)])

    def butterfly(self, w: FunctionWriter, word: str, step: int) -> str:
        """The word of the lane whose number is this one's exclusive or `step`."""
        if step == 0:
            return word
        control = _QUADS.get(step) or (_ROW_XOR + step if self.row_moves and step < _ROW else None)
        if control is not None:
            whole = [("i32", str(control)), ("i32", "15"), ("i32", "15"), ("i1", "true")]
            return w.call("i32", "llvm.amdgcn.update.dpp.i32", [("i32", "poison"), ("i32", word), *whole])
        if self.row_moves and step == _ROW:
            picks = [("i32", str(pick - (1 << 32) if pick >> 31 else pick)) for pick in _SWAPPED_ROWS]
            arguments = [("i32", "poison"), ("i32", word), *picks, ("i1", "false"), ("i1", "false")]
            return w.call("i32", "llvm.amdgcn.permlanex16.i32", arguments)
        if step < _SWIZZLED:
            control = step << 10 | _SWIZZLED - 1
            return w.call("i32", "llvm.amdgcn.ds.swizzle", [("i32", word), ("i32", str(control))])
        address = w.emit(f"shl i32 {w.emit(f'xor i32 {self._lane(w)}, {step}')}, 2")
        return self._permute(w, address, word)

    # Asking

    def ballot(self, w: FunctionWriter, predicate: str) -> str:
        """A comparison in all lanes."""
        return w.call(f"i{self.subgroup}", f"llvm.amdgcn.ballot.i{self.subgroup}", [("i1", predicate)])

    def vote(self, w: FunctionWriter, mode: gpu.VoteMode, predicate: str) -> str:
        """Whether some lane holds true, or none holds false."""
        if mode is gpu.VoteMode.ANY:
            return w.emit(f"icmp ne i{self.subgroup} {self.ballot(w, predicate)}, 0")
        against = self.ballot(w, w.emit(f"xor i1 {predicate}, true"))
        return w.emit(f"icmp eq i{self.subgroup} {against}, 0")

    def match_any(self, w: FunctionWriter, bits: int, value: str) -> str:
        """Bit by bit those who have it are asked: who agrees in all of them has the value."""
        kind = f"i{self.subgroup}"
        mask = "-1"
        for bit in range(bits):
            shifted = w.emit(f"lshr i{bits} {value}, {bit}") if bit else value
            has = w.emit(f"trunc i{bits} {shifted} to i1")
            set_ = self.ballot(w, has)
            clear = w.emit(f"xor {kind} {set_}, -1")
            agreeing = w.emit(f"select i1 {has}, {kind} {set_}, {kind} {clear}")
            mask = w.emit(f"and {kind} {mask}, {agreeing}")
        return mask

    def match_all(self, w: FunctionWriter, bits: int, value: str) -> tuple[str, str]:
        """Whether all lanes have the value of the first."""
        first = self._first(w, bits, value)
        same = self.vote(w, gpu.VoteMode.ALL, w.emit(f"icmp eq i{bits} {value}, {first}"))
        kind = f"i{self.subgroup}"
        return w.emit(f"select i1 {same}, {kind} -1, {kind} 0"), same

    @staticmethod
    def _first(w: FunctionWriter, bits: int, value: str) -> str:
        """The value of the first lane, in all lanes."""
        kind = f"i{bits}"
        return w.call(kind, f"llvm.amdgcn.readfirstlane.{kind}", [(kind, value)])


# What LLVM has no working code for


def _has_small_integers(op: Operation) -> bool:
    """Vectors of integers smaller than a byte: LLVM's AMDGPU aborts on most of what is done with them."""
    kinds = [v.type for v in (*op.operands, *op.results) if isinstance(v.type, VectorType)]
    elements = [element_type(kind) for kind in kinds if vector_shape(kind)[-1] > 1]
    return any(isinstance(e, IntegerType) and e.width.data in (2, 4) for e in elements)


def _has_one_lane(op: Operation) -> bool:
    """A copied sign in a vector of one lane: LLVM's AMDGPU aborts on it for `f64`."""
    type_ = op.results[0].type
    return isinstance(type_, VectorType) and vector_shape(type_)[-1] == 1


_OTHER_FORMS = (
    "arith.addui_extended",
    "arith.bitcast",
    "arith.constant",
    "arith.mulsi_extended",
    "arith.mului_extended",
)
"""Ops of `arith` that are not done lane by lane: constants, views of bits, and what has no small integers."""
_EMITTERS: Mapping[str, Emitter] = {
    **{
        name: lane_by_lane(emitter, _has_small_integers)
        for name, emitter in (*arith.EMITTERS.items(), *math.EMITTERS.items())
        if name not in _OTHER_FORMS
    },
    "math.copysign": lane_by_lane(math.EMITTERS["math.copysign"], _has_one_lane),
}


def device_strategy(target: AmdTarget) -> AmdgpuStrategy:
    """How the writer treats a GPU."""
    return AmdgpuStrategy(fma=True, half=True, subgroup=target.subgroup, row_moves=target.row_moves)


def write_gpu_module(program: ModuleOp, module: gpu.ModuleOp, target: AmdTarget) -> str:
    """The LLVM module of a `gpu.module` of a step-6 program, for a processor that can run it.

    Raises:
        InvalidProgramError: a launch is beyond the machine.
        UnsupportedError: an op or type has no rule, or no form on this processor.
    """
    context = device_module(program, module, target, device_strategy(target), _EMITTERS)
    context.flag("amdhsa_code_object_version", CODE_OBJECT)
    return module_text(context)
