"""Guarded memory: every buffer between inaccessible pages, undefined and dead contents poisoned.

A module with `stepwell.guard = {mode = "end", page = 4096 : i64}` is one to find bugs with: `bufferize` and `plan-memory` give each
temporary pages of its own, so that its end ("end") or its start ("start") is next to a page that the runtime takes all access from,
and write 0xFF (a NaN, -1, no boolean) into memory whose contents nobody may rely on.

    end:    [ slack | buffer ][ page without access ]
    start:  [ page without access ][ buffer | slack ]

What the runtime must know goes into `stepwell.abi` as `guard_pages` (where they start) and `guard_buffers` (offset, size, ...: all else
must keep what the runtime wrote there), of the arena and, with `worker_` in front, of a worker's row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import DenseArrayBase, DictionaryAttr, IntegerAttr, StringAttr, i64
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.rewriter import InsertPoint

from stepwell.dialects import rt
from stepwell.ir.builder import LocatedBuilder
from stepwell.passes.memory_planning import Interval, Plan

GUARD = "stepwell.guard"
"""On the module: how memory is guarded."""
GUARDS = "stepwell.guards"
"""On a kernel: the guarded plan of its launch scratch and of its part of a worker's row."""
END, START = "end", "start"


@dataclass(frozen=True)
class Guard:
    """Which side of a buffer is next to a page without access, and the size of a page."""

    mode: str
    page: int

    def attribute(self) -> DictionaryAttr:
        """The value of `stepwell.guard`."""
        return DictionaryAttr({"mode": StringAttr(self.mode), "page": IntegerAttr(self.page, i64)})


@dataclass(frozen=True)
class Guarded:
    """What the runtime must know of a piece of memory: pages without access, and where buffers are (offset, size)."""

    pages: tuple[int, ...] = ()
    buffers: tuple[tuple[int, int], ...] = ()

    def __add__(self, other: Guarded) -> Guarded:
        return Guarded(self.pages + other.pages, self.buffers + other.buffers)

    def moved(self, offset: int) -> Guarded:
        """The same, `offset` bytes further."""
        buffers = tuple((start + offset, size) for start, size in self.buffers)
        return Guarded(tuple(p + offset for p in self.pages), buffers)

    def entries(self, prefix: str = "") -> dict[str, Attribute]:
        """As entries of a dictionary attribute."""
        flat = [number for pair in self.buffers for number in pair]
        return {
            f"{prefix}guard_pages": DenseArrayBase.from_list(i64, list(self.pages)),
            f"{prefix}guard_buffers": DenseArrayBase.from_list(i64, flat),
        }

    @classmethod
    def of(cls, entries: Mapping[str, Attribute], prefix: str = "") -> Guarded:
        """From such entries; nothing where there are none."""
        pages, flat = _ints(entries.get(f"{prefix}guard_pages")), _ints(entries.get(f"{prefix}guard_buffers"))
        return cls(pages, tuple(zip(flat[::2], flat[1::2], strict=True)))


def _ints(attribute: Attribute | None) -> tuple[int, ...]:
    return tuple(attribute.get_values()) if isinstance(attribute, DenseArrayBase) else ()  # pyright: ignore


def guard_of(op: Operation) -> Guard | None:
    """How the module of `op` wants its memory guarded; None when not."""
    module = op
    while (parent := module.parent_op()) is not None:
        module = parent
    return guard_in(module.attributes.get(GUARD))


def guard_in(value: Attribute | None) -> Guard | None:
    """The guard an attribute describes."""
    if not isinstance(value, DictionaryAttr):
        return None
    mode, page = value.data.get("mode"), value.data.get("page")
    if not isinstance(mode, StringAttr) or not isinstance(page, IntegerAttr):
        return None
    return Guard(mode.data, page.value.data)


def guarded_plan(
    intervals: Sequence[Interval], guard: Guard, inner: Sequence[Guarded | None] | None = None
) -> tuple[Plan, Guarded]:
    """Offsets with every buffer on pages of its own, none shared over time.

    `inner` has, for a buffer that is itself memory of several buffers, their plan (its size is then a multiple of a page).
    """
    offsets: list[int] = []
    found = Guarded()
    total = 0
    for number, interval in enumerate(intervals):
        room = -(-interval.size // guard.page) * guard.page
        start = total + guard.page if guard.mode == START else total + room - interval.size
        offsets.append(start)
        page = total if guard.mode == START else total + room
        nested = inner[number] if inner is not None else None
        mine = Guarded(buffers=((start, interval.size),)) if nested is None else nested.moved(start)
        found += Guarded((page,)) + mine
        total += room + guard.page
    return Plan(tuple(offsets), total, total), found


def poison_at_start(view: SSAValue) -> None:
    """Nobody may rely on what a buffer holds before it is written."""
    owner = view.owner
    assert isinstance(owner, Operation)
    LocatedBuilder(InsertPoint.after(owner), owner.location).insert(rt.PoisonOp(view))


def poison_after(op: Operation, view: SSAValue) -> None:
    """Nobody may read a buffer after its last use, `op`."""
    LocatedBuilder(InsertPoint.after(op), op.location).insert(rt.PoisonOp(view))


__all__ = [
    "END",
    "GUARD",
    "GUARDS",
    "START",
    "Guard",
    "Guarded",
    "guard_in",
    "guard_of",
    "guarded_plan",
    "poison_after",
    "poison_at_start",
]
