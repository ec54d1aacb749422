"""Joining the ops of a block into kernels: a queue of pairs, those first that save most memory traffic.

A pair is a value with a reader, or two readers of one large value. It is worth the bytes that are not moved when both are in one
kernel: the read, and the reader's share of the write. Whether two groups may be one is a rule of the kind they would be (an
epilogue of a contraction, rows, a map). A refused pair gets another chance when one of its groups has grown, twice at most, so
that everything stays near linear; what is refused in the end is a decision, as what is taken.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Operation, SSAValue

from stepwell.ir.machine import MachineDescription
from stepwell.ir.structured import indexing_maps, is_identity_map
from stepwell.passes.fusion.classify import captures, is_elementwise, is_parallel, shape_of, volume
from stepwell.passes.fusion.decisions import Decision, described, place_of, size_text
from stepwell.passes.fusion.epilogue import not_an_epilogue, not_of_a_reduction
from stepwell.passes.fusion.graph import Group, Groups
from stepwell.passes.fusion.rows import SMALL, shared_rows
from stepwell.passes.fusion.sweeps import reads_once
from stepwell.passes.fusion.weigh import bytes_of

MAX_OPS = 32
"""Ops in one group at most."""
MAX_STREAMS = 16
"""Arrays that a kernel which only shares its operands reads and writes at most: caches and registers hold no more at once."""
TRIES = 3
"""How often a pair is looked at."""
CYCLE = "a value would leave and come back"
TILES, LINES = (20, 45), (11, 20)
"""Cycles a core takes to read and to write a vector that comes from memory: tile by tile, and line after line."""


@dataclass(eq=False)
class Pair:
    """Two ops whose groups may become one."""

    first: linalg.GenericOp
    second: linalg.GenericOp
    value: SSAValue
    """What passes between them, or what both read."""
    saved: int
    siblings: bool = False
    tries: int = 0
    reason: str = ""
    """Why they are apart, when they are."""


@dataclass
class _Joined:
    """What a group would be."""

    kind: str
    reason: str


@dataclass
class Joiner:
    """Joins the generics of one block."""

    groups: Groups
    machine: MachineDescription
    tiled: dict[Operation, None]
    """The sums of products that are done in tiles."""
    _index: dict[Operation, int] = field(default_factory=dict[Operation, int])
    _waiting: dict[Group, list[Pair]] = field(default_factory=dict[Group, list[Pair]])
    _heads: dict[Group, linalg.GenericOp] = field(default_factory=dict[Group, linalg.GenericOp])

    def run(self) -> None:
        """Join what saves most first, and note every decision on the group."""
        generics = [op for op in self.groups.block.ops if isinstance(op, linalg.GenericOp)]
        self._index = {op: i for i, op in enumerate(self.groups.block.ops)}
        for op in generics:
            if op in self.tiled:
                group = self.groups.of[op]
                group.kind, group.reason = "contraction", _epilogue_reason(1)
                self._heads[group] = op
        pairs = [*self._readers(generics), *self._siblings(generics)]
        queue = [(-pair.saved, number) for number, pair in enumerate(pairs)]
        heapq.heapify(queue)
        numbers = {pair: number for number, pair in enumerate(pairs)}
        while queue:
            pair = pairs[heapq.heappop(queue)[1]]
            for again in self._try(pair):
                heapq.heappush(queue, (-again.saved, numbers[again]))
        for pair in pairs:
            self._note_refused(pair)

    # Pairs.

    def _readers(self, generics: Sequence[linalg.GenericOp]) -> list[Pair]:
        """Every value with every generic that reads it; contractions first where they save as much."""
        pairs: list[Pair] = []
        for op in generics:
            if op in self.tiled:
                continue  # what it reads it packs
            for value in dict.fromkeys(op.inputs):
                maker = value.owner
                if isinstance(maker, linalg.GenericOp) and maker in self.groups.of:
                    pairs.append(Pair(maker, op, value, self._saving(value)))
        pairs.sort(key=lambda pair: pair.first not in self.tiled)
        return pairs

    def _saving(self, value: SSAValue) -> int:
        """Bytes not moved when a reader is in the kernel that makes a value: its read, and its share of the write."""
        size, readers = bytes_of(value), value.uses.get_length()
        kept = all(isinstance(use.operation, linalg.GenericOp) for use in value.uses)
        return size + (size // readers if kept else 0)

    def _siblings(self, generics: Sequence[linalg.GenericOp]) -> list[Pair]:
        """Generics next to each other that read one large value."""
        if self.machine.subgroup > 1:
            return []
        pairs: list[Pair] = []
        last: dict[SSAValue, linalg.GenericOp] = {}
        for op in generics:
            for value in dict.fromkeys(op.inputs):
                if bytes_of(value) > SMALL:
                    if value in last and op not in self.tiled and last[value] not in self.tiled:
                        pairs.append(Pair(last[value], op, value, bytes_of(value), siblings=True))
                    last[value] = op
        return pairs

    # Joining.

    def _try(self, pair: Pair) -> list[Pair]:
        """Join the groups of a pair if that is possible; the pairs to look at again because of it."""
        before, after = self.groups.of[pair.first], self.groups.of[pair.second]
        if before is after:
            return []
        pair.tries += 1
        found = self._joined(pair, before, after)
        group = None if isinstance(found, str) else self.groups.merge(before, after)
        if group is None:
            pair.reason = found if isinstance(found, str) else CYCLE
            for one in (before, after):
                self._waiting.setdefault(one, []).append(pair)
            return []
        assert isinstance(found, _Joined)
        head = self._heads.get(before)
        group.kind, group.reason = found.kind, found.reason
        group.ops.sort(key=lambda op: self._index[op])
        if head is not None:
            self._heads[group] = head
        group.decisions.append(_taken(pair))
        waiting = [*self._waiting.pop(before, ()), *self._waiting.pop(after, ())]
        return [again for again in dict.fromkeys(waiting) if again.tries < TRIES]

    def _joined(self, pair: Pair, before: Group, after: Group) -> _Joined | str:
        """What two groups would be together, or why they are not put together."""
        if after.kind == "contraction" or (pair.siblings and before.kind == "contraction"):
            return "it is a sum of products"
        members = sorted([*before.ops, *after.ops], key=lambda op: self._index[op])
        generics = [op for op in members if isinstance(op, linalg.GenericOp)]
        if len(generics) < len(members):
            return "not all of its ops are loops over tensors"
        if len(members) > MAX_OPS:
            return "the kernel is long enough"
        if pair.siblings and _streams(generics) > MAX_STREAMS:
            return "the kernel would read and write too many arrays at once"
        if before.kind == "contraction":
            return self._epilogue(before, after, len(members))
        if _one_space(generics):
            return _not_one_map(generics) or _Joined("map", f"{len(members)} maps over one space")
        rows = _rows_of(generics, self.machine, (before.ops, after.ops))
        if isinstance(rows, tuple) and pair.siblings and not _by_rows(pair.value, generics, len(rows)):
            return "not all read it by rows"
        if isinstance(rows, str):
            return rows if self._not_after(pair, generics) else _Joined("single", _after_reason(len(members)))
        return _Joined("rows", f"{len(members)} ops share {len(rows)} leading dims")

    def _not_after(self, pair: Pair, generics: Sequence[linalg.GenericOp]) -> bool:
        """Whether maps of a reduction's result cannot be done on its points, or had better not."""
        if pair.siblings or self.machine.subgroup > 1 or not_of_a_reduction(generics) is not None:
            return True
        # An array that is reduced along other dims as well is read once if nothing else is to be done.
        first = generics[0]
        others = [u.operation for u in first.inputs[0].uses if u.operation is not first]
        return reads_once([first]) and any(reads_once([o]) for o in others if isinstance(o, linalg.GenericOp))

    def _epilogue(self, before: Group, after: Group, count: int) -> _Joined | str:
        """A contraction with the maps of `after` behind those it has."""
        if after.kind == "rows":
            return "it is done by rows"
        head = self._heads[before]
        values: dict[SSAValue, None] = {r: None for op in before.ops for r in op.results}
        for op in after.ops:
            assert isinstance(op, linalg.GenericOp)
            reason = not_an_epilogue(op, head, values)
            if reason is not None:
                return reason
            values.update(dict.fromkeys(op.results))
        joined = _Joined("contraction", _epilogue_reason(count))
        return self._better_by_lines(head, [*before.ops, *after.ops], values) or joined

    def _better_by_lines(
        self, head: linalg.GenericOp, ops: Sequence[Operation], values: dict[SSAValue, None]
    ) -> str | None:
        """Why maps take longer on tiles than alone: they move several tensors that no near cache holds, a piece of each line a tile."""
        result, members = head.results[0], dict.fromkeys(ops)
        if self.machine.subgroup > 1 or bytes_of(result) <= self.machine.l2_bytes:
            return None
        given = [o for op in ops if isinstance(op, linalg.GenericOp) and op is not head for o in op.inputs]
        read = [o for o in dict.fromkeys(given) if o not in values and shape_of(o) == shape_of(result)]
        written = [v for v in values if any(use.operation not in members for use in v.uses)]
        # Where sums are alone, they are written and read again.
        tiles = TILES[0] * len(read) + TILES[1] * (len(written) - 1)
        lines = LINES[0] * (len(read) + 1) + LINES[1] * len(written)
        if tiles <= lines:
            return None
        return f"{len(read)} tensors to read and {len(written)} to write take longer on tiles than line after line"

    def _note_refused(self, pair: Pair) -> None:
        before, after = self.groups.of[pair.first], self.groups.of[pair.second]
        if before is after or not pair.reason:
            return
        if pair.siblings:
            about = f"lets {described(pair.second)} read its operand again: {pair.reason}"
        else:
            about = f"keeps {described(pair.second)} out of the kernel that makes its operand: {pair.reason}"
        about += f" (it would save {size_text(pair.saved)} of memory traffic)"
        after.decisions.append(Decision(False, about, pair.saved, 0, place_of(pair.second)))


def _taken(pair: Pair) -> Decision:
    what = "reads the same operand in one kernel with" if pair.siblings else "takes its operand, in one kernel, from"
    about = f"{described(pair.second)} {what} {described(pair.first)}: "
    about += f"saves {size_text(pair.saved)} of memory traffic, repeats 0 flops"
    return Decision(True, about, pair.saved, 0, place_of(pair.second))


def _epilogue_reason(members: int) -> str:
    return f"a sum of products in tiles, with {members - 1} maps of its result"


def _after_reason(members: int) -> str:
    return f"a reduction, with {members - 1} maps of its result"


def _one_space(ops: Sequence[linalg.GenericOp]) -> bool:
    """Whether all are maps over one space: they need no rows."""
    shape = shape_of(ops[0].results[0])
    return all(is_parallel(op) and shape_of(op.results[0]) == shape for op in ops)


def _rows_of(
    ops: Sequence[linalg.GenericOp], machine: MachineDescription, parts: Sequence[Sequence[Operation]]
) -> tuple[int, ...] | str:
    """Extents of the rows that ops run in together, or why they do not."""
    rows = shared_rows(ops, machine, parts)
    if isinstance(rows, str):
        return rows
    results = {r: None for op in ops for r in op.results}
    for op in ops:
        if any(v in results for v in captures(op)):
            return "a row gathers from other rows"
        if any(v in results for v in op.outputs):
            return "a result is updated in place"
        if not is_parallel(op) and _runs_over_columns(op, len(rows)):
            return "its rows are not contiguous"
    return rows


def _by_rows(value: SSAValue, ops: Sequence[linalg.GenericOp], count: int) -> bool:
    """Whether each op that reads a value reads of it, in one row, a row."""
    for op in ops:
        maps = indexing_maps(op)
        leading = maps[len(op.inputs)].results[:count]
        if any(v is value and m.results[:count] != leading for v, m in zip(op.inputs, maps, strict=False)):
            return False
    return True


def _runs_over_columns(op: linalg.GenericOp, count: int) -> bool:
    """Whether one row of a reduction's largest input lies scattered: its last index is that of the row."""
    maps = indexing_maps(op)
    dims = {d for e in maps[len(op.inputs)].results[:count] for d in e.used_dims()}
    sized = [(volume(v), m.results) for v, m in zip(op.inputs, maps, strict=False) if m.results]
    if not sized:
        return False
    last = max(sized, key=lambda pair: pair[0])[1][-1].used_dims()
    return bool(last) and last <= dims


def is_plain_map(op: linalg.GenericOp) -> bool:
    """Whether a generic is a map that writes its results in order."""
    maps = indexing_maps(op)[len(op.inputs) :]
    return is_elementwise(op) and all(is_identity_map(m) for m in maps)


def _streams(ops: Sequence[linalg.GenericOp]) -> int:
    """Tensors that ops read and write, those they pass to each other included."""
    return len(dict.fromkeys(v for op in ops for v in (*op.inputs, *op.results) if shape_of(v)))


def _not_one_map(ops: Sequence[linalg.GenericOp]) -> str | None:
    """Why maps cannot run in one loop, each point of the later ones right after that of the earlier ones."""
    results = {r: None for op in ops for r in op.results}
    for op in ops:
        if not is_plain_map(op):
            return "the reader permutes its result"
        if any(v in results and not is_identity_map(m) for v, m in zip(op.inputs, indexing_maps(op), strict=False)):
            return "the result is not read point by point"
        if any(v in results for v in captures(op)):
            return "the reader gathers from the result"
    return None
