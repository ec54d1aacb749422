"""One row of a vector to and from memory, and its masks.

A row that is not contiguous in memory moves lane by lane, masked by a gather or scatter. Where a masked move is no instruction,
a row whose lanes are all set has a way of its own: one branch instead of one a lane, and one wide access instead of narrow ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stepwell.backends.llvm.arith import suffix_of
from stepwell.backends.llvm.types import SUB_BYTE, element_bytes, memory_type, scalar_type, splat_literal
from stepwell.backends.llvm.writer import Buffer, FunctionWriter, Index


def splat(w: FunctionWriter, value: str, name: str, lanes: int) -> str:
    """A row with every lane equal to a scalar."""
    if value[0] not in "%@":
        return splat_literal(value, name)
    row = f"<{lanes} x {name}>"
    first = w.emit(f"insertelement {row} poison, {name} {value}, i64 0")
    if lanes == 1:
        return first
    return w.emit(f"shufflevector {row} {first}, {row} poison, <{lanes} x i32> zeroinitializer")


def narrowed(w: FunctionWriter, value: str, kind: str, lanes: int = 0) -> str:
    """A byte of memory, or a vector of such, in a register type that is smaller: any byte but 0 is true.

    What others hand in, as a view of bytes for one, need not hold 0 or 1.
    """
    if kind == "i1":
        memory = f"<{lanes} x i8>" if lanes else "i8"
        return w.emit(f"icmp ne {memory} {value}, {'zeroinitializer' if lanes else 0}")
    return resized(w, "trunc", value, "i8", kind, lanes)


def resized(w: FunctionWriter, how: str, value: str, source: str, target: str, lanes: int = 0) -> str:
    """An integer, or a vector of such, of another size; lane by lane where vectors of small ones do not work."""
    if not lanes or w.module.strategy.small_vectors or "i1" in (source, target):
        kinds = (f"<{lanes} x {source}>", f"<{lanes} x {target}>") if lanes else (source, target)
        return w.emit(f"{how} {kinds[0]} {value} to {kinds[1]}")
    whole = "poison"
    for lane in range(lanes):
        one = w.emit(f"extractelement <{lanes} x {source}> {value}, i64 {lane}")
        made = w.emit(f"{how} {source} {one} to {target}")
        whole = w.emit(f"insertelement <{lanes} x {target}> {whole}, {target} {made}, i64 {lane}")
    return whole


def lane_mask(w: FunctionWriter, limit: Index, lanes: int) -> str:
    """The mask of lanes below `limit` (any integer)."""
    if isinstance(limit, int):
        if limit <= 0:
            return "zeroinitializer"
        if limit >= lanes:
            return splat_literal("true", "i1")
        return "<" + ", ".join(f"i1 {'true' if i < limit else 'false'}" for i in range(lanes)) + ">"
    if lanes == 1:
        mask = splat(w, w.emit(f"icmp sgt i64 {limit}, 0"), "i1", 1)
        w.prefixes[mask] = limit
        return mask
    low = w.call("i64", "llvm.smax.i64", [("i64", str(limit)), ("i64", "0")])
    clamped = w.call("i64", "llvm.smin.i64", [("i64", low), ("i64", str(lanes))])
    narrow = splat(w, w.emit(f"trunc i64 {clamped} to i32"), "i32", lanes)
    steps = "<" + ", ".join(f"i32 {i}" for i in range(lanes)) + ">"
    mask = w.emit(f"icmp ult <{lanes} x i32> {steps}, {narrow}")
    w.prefixes[mask] = limit
    return mask


def and_masks(w: FunctionWriter, masks: Sequence[str | None], lanes: int) -> str | None:
    """The conjunction of masks; None is all true."""
    known = [m for m in masks if m is not None and m != splat_literal("true", "i1")]
    if not known:
        return None
    result = known[0]
    for mask in known[1:]:
        result = w.emit(f"and <{lanes} x i1> {result}, {mask}")
    return result


def sole_lane(mask: str) -> int | None:
    """The one lane that a mask written as a constant has; None where it has others, or is no constant."""
    if mask.count("true") != 1 or not mask.startswith("<i1"):
        return None
    return next(i for i, lane in enumerate(mask.strip("<>").split(",")) if "true" in lane)


def where_all(
    w: FunctionWriter,
    mask: str,
    lanes: int,
    whole: Callable[[], str],
    some: Callable[[], str],
    type_: str | None = None,
) -> str:
    """`whole` where all lanes of a mask are set, else `some`; both of `type_` (None: nothing).

    Only `some`, which is right for every mask, where masked moves are instructions or the mask is known.
    """
    if w.module.strategy.masked_moves or mask[0] != "%":
        return some()
    limit = w.prefixes.get(mask)
    if limit is not None:
        full = w.emit(f"icmp sge i64 {limit}, {lanes}")
    else:
        full = w.call("i1", f"llvm.vector.reduce.and.v{lanes}i1", [(f"<{lanes} x i1>", mask)])
    then, otherwise, exit_ = w.fresh_labels("row.whole", "row.some", "row.end")
    w.line(f"br i1 {full}, label %{then}, label %{otherwise}")
    sources: list[str] = []
    for label, act in ((then, whole), (otherwise, some)):
        w.start_block(label)
        sources.append(f"[ {act()}, %{w.block} ]")
        w.branch(exit_)
    w.start_block(exit_)
    return w.emit(f"phi {type_} {', '.join(sources)}") if type_ is not None else ""


@dataclass(frozen=True)
class Place:
    """An address with the bytes it is surely aligned to."""

    pointer: str
    align: int


class RowAccess:
    """Reads and writes one row of `lanes` elements of a buffer, `stride` elements apart."""

    def __init__(self, w: FunctionWriter, buffer: Buffer, lanes: int, stride: Index, suffix: str = ""):
        self.w = w
        self.buffer = buffer
        self.lanes = lanes
        self.stride: Index = 1 if lanes == 1 else stride
        self.suffix = suffix
        self.name = scalar_type(buffer.element)
        self.memory = memory_type(buffer.element)
        self.width = element_bytes(buffer.element)
        self.row = f"<{lanes} x {self.name}>"
        self.stored = f"<{lanes} x {self.memory}>"

    def _narrow(self, value: str) -> str:
        if self.name not in SUB_BYTE:
            return value
        return narrowed(self.w, value, self.name, self.lanes)

    def _widen(self, value: str) -> str:
        if self.name not in SUB_BYTE:
            return value
        return resized(self.w, "zext", value, self.name, self.memory, self.lanes)

    def _lane_pointers(self, pointer: str) -> str:
        offsets = [f"i64 {self.stride * i}" if isinstance(self.stride, int) else "" for i in range(self.lanes)]
        if isinstance(self.stride, int):
            steps = f"<{', '.join(offsets)}>"
        else:
            counts = "<" + ", ".join(f"i64 {i}" for i in range(self.lanes)) + ">"
            wide = splat(self.w, self.stride, "i64", self.lanes)
            steps = self.w.emit(f"mul <{self.lanes} x i64> {counts}, {wide}")
        return self.pointers(pointer, steps, "i64")

    def pointers(self, pointer: str, offsets: str, kind: str) -> str:
        """`pointer` moved by a vector of element offsets."""
        base = f"{self.buffer.pointer} {pointer}"
        return self.w.emit(f"getelementptr {self.memory}, {base}, <{self.lanes} x {kind}> {offsets}")

    def read(self, at: Place, mask: str | None = None, other: str | None = None) -> str:
        """The row at a place; lanes outside the mask are those of `other` (a row in register form)."""
        if mask is None:
            return self._narrow(self._read_all(at))
        through = self._widen(other) if other is not None else "zeroinitializer"
        result = where_all(
            self.w,
            mask,
            self.lanes,
            lambda: self._read_all(at),
            lambda: self._read_some(at, mask, through),
            self.stored,
        )
        return self._narrow(result)

    def _read_all(self, at: Place) -> str:
        """Every lane, as stored."""
        w, pointer = self.w, self.buffer.pointer
        if self.stride == 1:
            return w.emit(f"load {self.stored}, {pointer} {at.pointer}, align {at.align}{self.suffix}")
        result = "poison"
        for lane in range(self.lanes):
            offset = w.mul(self.stride, lane)
            moved = at.pointer
            if offset != 0:
                moved = w.emit(f"getelementptr {self.memory}, {pointer} {at.pointer}, i64 {offset}")
            value = w.emit(f"load {self.memory}, {pointer} {moved}, align {self.width}{self.suffix}")
            result = w.emit(f"insertelement {self.stored} {result}, {self.memory} {value}, i64 {lane}")
        return result

    def _read_some(self, at: Place, mask: str, through: str) -> str:
        if self.stride != 1:
            return self._gather(self._lane_pointers(at.pointer), mask, through)
        if self.lanes == 1 and not self.w.module.strategy.masked_moves:
            return through
        name = f"llvm.masked.load.{suffix_of(self.memory, self.lanes)}.p{self.buffer.space}"
        mask_type, pointer = f"<{self.lanes} x i1>", self.buffer.pointer
        self.w.module.declare(name, f"declare {self.stored} @{name}({pointer}, {mask_type}, {self.stored})")
        return self.w.emit(
            f"call {self.stored} @{name}({pointer} align {at.align} {at.pointer}, {mask_type} {mask}, "
            f"{self.stored} {through})"
        )

    def write(self, value: str, at: Place, mask: str | None = None) -> None:
        """Store a row."""
        value = self._widen(value)
        if mask is None:
            self._write_all(value, at)
            return
        where_all(
            self.w, mask, self.lanes, lambda: self._write_all(value, at), lambda: self._write_some(value, at, mask)
        )

    def _write_all(self, value: str, at: Place) -> str:
        if self.stride == 1:
            self._write_lines(value, at)
        else:
            self._scatter(value, self._lane_pointers(at.pointer), splat_literal("true", "i1"))
        return ""

    def _write_lines(self, value: str, at: Place) -> None:
        """The row, a cache line at a time.

        LLVM stores the halves of a value wider than a register in any order, and a line that two stores share is slow to
        write when others come between them.
        """
        kind = self.buffer.pointer
        per_line = self.w.module.strategy.line_bytes // self.width
        if self.lanes <= per_line:
            self.w.line(f"store {self.stored} {value}, {kind} {at.pointer}, align {at.align}{self.suffix}")
            return
        for first in range(0, self.lanes, per_line):
            lanes = range(first, min(first + per_line, self.lanes))
            picked = ", ".join(f"i32 {i}" for i in lanes)
            piece = f"<{len(lanes)} x {self.memory}>"
            part = self.w.emit(
                f"shufflevector {self.stored} {value}, {self.stored} poison, <{len(lanes)} x i32> <{picked}>"
            )
            pointer, distance = at.pointer, first * self.width
            if distance:
                pointer = self.w.emit(f"getelementptr i8, {kind} {at.pointer}, i64 {distance}")
            align = math.gcd(at.align, distance) if distance else at.align
            self.w.line(f"store {piece} {part}, {kind} {pointer}, align {align}{self.suffix}")

    def _write_some(self, value: str, at: Place, mask: str) -> str:
        if self.stride != 1:
            self._scatter(value, self._lane_pointers(at.pointer), mask)
            return ""
        if self.lanes == 1 and not self.w.module.strategy.masked_moves:
            return ""
        lane = sole_lane(mask)
        if lane is not None:
            # LLVM 22 writes the wide element where a narrowed vector is stored under a constant mask of one lane.
            element = self.w.emit(f"extractelement {self.stored} {value}, i64 {lane}")
            target = at.pointer
            if lane:
                target = self.w.emit(f"getelementptr i8, {self.buffer.pointer} {at.pointer}, i64 {lane * self.width}")
            align = math.gcd(at.align, lane * self.width) if lane else at.align
            self.w.line(f"store {self.memory} {element}, {self.buffer.pointer} {target}, align {align}{self.suffix}")
            return ""
        name = f"llvm.masked.store.{suffix_of(self.memory, self.lanes)}.p{self.buffer.space}"
        mask_type, pointer = f"<{self.lanes} x i1>", self.buffer.pointer
        self.w.module.declare(name, f"declare void @{name}({self.stored}, {pointer}, {mask_type})")
        self.w.line(
            f"call void @{name}({self.stored} {value}, {pointer} align {at.align} {at.pointer}, {mask_type} {mask})"
        )
        return ""

    def gather(self, pointers: str, mask: str, other: str | None) -> str:
        """Lanes read from a vector of pointers."""
        through = self._widen(other) if other is not None else "zeroinitializer"
        return self._narrow(self._masked(mask, lambda bits: self._gather(pointers, bits, through), self.stored))

    def _masked(self, mask: str, act: Callable[[str], str], type_: str | None) -> str:
        """`act` under a mask, with a way of its own for a full one."""
        full = splat_literal("true", "i1")
        return where_all(self.w, mask, self.lanes, lambda: act(full), lambda: act(mask), type_)

    def _gather(self, pointers: str, mask: str, through: str) -> str:
        space = self.buffer.space
        name = f"llvm.masked.gather.{suffix_of(self.memory, self.lanes)}.v{self.lanes}p{space}"
        types = (f"<{self.lanes} x {self.buffer.pointer}>", f"<{self.lanes} x i1>", self.stored)
        self.w.module.declare(name, f"declare {self.stored} @{name}({', '.join(types)})")
        return self.w.emit(
            f"call {self.stored} @{name}({types[0]} align {self.width} {pointers}, {types[1]} {mask}, "
            f"{types[2]} {through})"
        )

    def scatter(self, value: str, pointers: str, mask: str) -> None:
        """Lanes written to a vector of pointers, in lane order."""
        value = self._widen(value)
        self._masked(mask, lambda bits: self._scatter(value, pointers, bits), None)

    def _scatter(self, value: str, pointers: str, mask: str) -> str:
        name = f"llvm.masked.scatter.{suffix_of(self.memory, self.lanes)}.v{self.lanes}p{self.buffer.space}"
        types = (self.stored, f"<{self.lanes} x {self.buffer.pointer}>", f"<{self.lanes} x i1>")
        self.w.module.declare(name, f"declare void @{name}({', '.join(types)})")
        self.w.line(
            f"call void @{name}({types[0]} {value}, {types[1]} align {self.width} {pointers}, {types[2]} {mask})"
        )
        return ""
