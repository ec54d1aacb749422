"""Where threads must wait for each other.

Parts of a task that follow each other in the program are done by threads that run ahead of each other. Two parts conflict
when they access the same buffer and one of them writes; a barrier goes between them. A loop's body follows itself: its last
trip's accesses are pending when it starts again. Accesses of a ring buffer, at slots that differ on every trip, do not
conflict; that is found by computing both slots for all trips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from xdsl.dialects import affine, memref, scf
from xdsl.dialects import vector as upstream_vector
from xdsl.ir import Block, Operation, SSAValue

from stepwell.dialects import vector
from stepwell.dialects.scf import ForallOp
from stepwell.passes.gpu_mapping.places import Linear, Place, constant_of, evaluate_linear, place_of

MAX_TRIPS = 4096
"""Trips of a loop for which slots are compared; a longer one is taken to use all slots."""

MAX_BEHIND = 8
"""Trips back to which slots are told apart; what is pending for longer may be in any slot."""

LOOPS = (scf.ForOp, affine.ForOp, scf.WhileOp)


@dataclass(frozen=True)
class Slot:
    """The leading index of an access as a function of a loop's index, `behind` trips ago."""

    form: Linear
    loop: Operation
    behind: int = 0


@dataclass(frozen=True)
class Use:
    """One access of a buffer."""

    root: SSAValue
    writes: bool
    slot: Slot | None = None


@dataclass
class Order:
    """What must be preceded by a barrier."""

    barriers: dict[Operation, None] = field(default_factory=dict[Operation, None])


def plan_order(
    block: Block,
    is_part: Callable[[Operation], bool],
    shared: Callable[[SSAValue], bool],
    *,
    writes_conflict: bool,
) -> Order:
    """Barriers before the parts (ops for which `is_part`) of a task; `shared` are the buffers several threads access."""
    planner = _Planner(is_part, shared, writes_conflict)
    planner.walk(block, [], record=True)
    return planner.order


@dataclass
class _Facts:
    """What does not change while a block is gone through again and again."""

    uses: dict[Operation, list[Use]] = field(default_factory=dict[Operation, list[Use]])
    """The accesses of each part."""
    slots: dict[tuple[Linear, Operation], list[int] | None] = field(
        default_factory=dict[tuple[Linear, Operation], list[int] | None]
    )
    """The slots of a form on each trip of a loop; None when they are not known."""
    apart: dict[tuple[Slot, Slot], bool] = field(default_factory=dict[tuple[Slot, Slot], bool])


class _Planner:
    def __init__(
        self,
        is_part: Callable[[Operation], bool],
        shared: Callable[[SSAValue], bool],
        writes_conflict: bool,
        facts: _Facts | None = None,
    ):
        self.is_part = is_part
        self.shared = shared
        self.writes_conflict = writes_conflict
        self.order = Order()
        self.facts = facts if facts is not None else _Facts()

    def walk(self, block: Block, pending: list[Use], *, record: bool) -> list[Use]:
        """Go through a block with accesses pending; returns those pending at its end."""
        for op in block.ops:
            if self.is_part(op):
                uses = self.facts.uses.get(op)
                if uses is None:
                    uses = self.facts.uses[op] = list(self._uses(op))
                if "wait" in op.attributes or self._conflict(pending, uses):
                    pending = self._barrier(op, record)
                pending = [*pending, *uses]
            elif isinstance(op, LOOPS):
                pending = self._loop(op, pending, record)
            elif op.regions:
                branches = [self.walk(b, list(pending), record=record) for r in op.regions for b in r.blocks]
                pending = _union([pending, *branches])
        return pending

    def _barrier(self, op: Operation, record: bool) -> list[Use]:
        if record:
            self.order.barriers[op] = None
        return []

    def _loop(self, op: Operation, pending: list[Use], record: bool) -> list[Use]:
        blocks = [b for r in op.regions for b in r.blocks]
        last: list[Use] = []
        for _ in range(MAX_BEHIND):
            before = last
            for block in blocks:
                last = self.walk(block, _aged(before, op), record=False)
            # Once nothing of an earlier trip is left at the end of one, older trips do not matter.
            if last == before or not any(use in last for use in _aged(before, op)):
                break
        if pending and self._barriers_inside(blocks, pending, last, op) > self._barriers_inside(blocks, [], last, op):
            # Once before the loop, rather than on every trip for the sake of the first.
            pending = self._barrier(op, record)
        for block in blocks:
            last = self.walk(block, _union([pending, _aged(last, op)]), record=record)
        # Slots mean nothing once the loop has ended; it may not have run at all.
        return _union([pending, [replace(u, slot=None) for u in last]])

    def _barriers_inside(self, blocks: Sequence[Block], pending: list[Use], last: list[Use], loop: Operation) -> int:
        """How many barriers a trip needs when `pending` comes before the loop and `last` from the trip before."""
        trial = _Planner(self.is_part, self.shared, self.writes_conflict, self.facts)
        for block in blocks:
            trial.walk(block, _union([pending, _aged(last, loop)]), record=True)
        return len(trial.order.barriers)

    def _conflict(self, earlier: Sequence[Use], later: Sequence[Use]) -> bool:
        return any(
            a.root is b.root and self._orders(a, b) and not self._apart(a.slot, b.slot) for a in earlier for b in later
        )

    def _apart(self, a: Slot | None, b: Slot | None) -> bool:
        """Whether two accesses are of different slots on every trip."""
        if a is None or b is None or a.loop is not b.loop:
            return False
        found = self.facts.apart.get((a, b))
        if found is None:
            found = self.facts.apart[a, b] = _differ(self._slots(a), self._slots(b), a.behind, b.behind)
        return found

    def _slots(self, slot: Slot) -> list[int] | None:
        key = slot.form, slot.loop
        if key not in self.facts.slots:
            self.facts.slots[key] = _slots_of(slot)
        return self.facts.slots[key]

    def _orders(self, a: Use, b: Use) -> bool:
        if self.writes_conflict:
            return a.writes or b.writes
        return a.writes != b.writes

    def _uses(self, part: Operation) -> Iterator[Use]:
        """The accesses of a part; those deep inside of it, too."""
        for op in part.walk():
            for value, writes in accessed(op):
                place = place_of(value)
                if self.shared(place.root):
                    yield Use(storage_of(place.root), writes, _slot(op, place, part))


def storage_of(root: SSAValue) -> SSAValue:
    """The buffer whose memory a root is: reshapes share it, views of one slab are planned apart."""
    while isinstance(root.owner, memref.CollapseShapeOp | memref.ExpandShapeOp | memref.CastOp | memref.SubviewOp):
        root = root.owner.operands[0]
    return root


def accessed(op: Operation) -> list[tuple[SSAValue, bool]]:
    """The memrefs an op reads or writes, and whether it writes."""
    if isinstance(op, upstream_vector.TransferReadOp):
        return [(op.source, False)]
    if isinstance(op, upstream_vector.TransferWriteOp):
        return [(op.source, True)]
    if isinstance(op, memref.LoadOp | affine.LoadOp):
        return [(op.memref, False)]
    if isinstance(op, memref.StoreOp | affine.StoreOp):
        return [(op.memref, True)]
    if isinstance(op, vector.GatherOp):
        return [(op.base, False)]
    if isinstance(op, memref.CopyOp):
        return [(op.source, False), (op.destination, True)]
    return []


def _union(parts: Sequence[Sequence[Use]]) -> list[Use]:
    return list(dict.fromkeys(use for part in parts for use in part))


def _aged(uses: Sequence[Use], loop: Operation) -> list[Use]:
    """Accesses of one trip as the next one sees them."""
    aged: list[Use] = []
    for use in uses:
        slot = use.slot
        if slot is not None:
            kept = slot.loop is loop and slot.behind < MAX_BEHIND
            slot = replace(slot, behind=slot.behind + 1) if kept else None
        aged.append(replace(use, slot=slot))
    return aged


def _slot(op: Operation, place: Place, part: Operation) -> Slot | None:
    """The leading index of a transfer, when the vector lies in one slot and a loop around the part determines it."""
    if not isinstance(op, upstream_vector.TransferReadOp | upstream_vector.TransferWriteOp):
        return None
    rank = len(place.kind.get_shape())
    value = op.result if isinstance(op, upstream_vector.TransferReadOp) else op.vector
    if rank < 2:
        return None
    spanned = [place.dims[d] for d in range(len(place.dims)) if d >= len(place.dims) - len(value.type.get_shape())]  # pyright: ignore
    if 0 in spanned:
        return None
    loop = part.parent_op()
    while loop is not None and not isinstance(loop, scf.ForOp | affine.ForOp | ForallOp):
        loop = loop.parent_op()
    if not isinstance(loop, scf.ForOp | affine.ForOp):
        return None
    return Slot(place.at(list(op.indices))[0], loop)


def _trips(loop: Operation) -> range | None:
    """The values of a loop's index, when they are known."""
    if isinstance(loop, scf.ForOp):
        bounds = [constant_of(v) for v in (loop.lb, loop.ub, loop.step)]
        if any(b is None for b in bounds):
            return None
        lower, upper, step = (b for b in bounds if b is not None)
        return range(lower, upper, step)
    assert isinstance(loop, affine.ForOp)
    if loop.lowerBoundOperands or loop.upperBoundOperands:
        return None
    lows, highs = loop.lowerBoundMap.data.eval([], []), loop.upperBoundMap.data.eval([], [])
    return range(max(lows), min(highs), loop.step.value.data)


def _slots_of(slot: Slot) -> list[int] | None:
    """The slot on each trip of its loop, when they are known."""
    trips = _trips(slot.loop)
    if trips is None or len(trips) > MAX_TRIPS:
        return None
    index = slot.loop.regions[0].block.args[0]
    found: list[int] = []
    for i in trips:
        at = evaluate_linear(slot.form, {index: i})
        if at is None:
            return None
        found.append(at)
    return found


def _differ(a: list[int] | None, b: list[int] | None, behind_a: int, behind_b: int) -> bool:
    """Whether slots `behind` trips ago differ on every trip that has had these."""
    if a is None or b is None:
        return False
    first = max(behind_a, behind_b)
    return all(a[i - behind_a] != b[i - behind_b] for i in range(first, len(a)))


__all__ = ["LOOPS", "Order", "accessed", "plan_order", "storage_of"]
