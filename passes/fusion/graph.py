"""Groups of ops of one block, merged only where no value leaves a group and comes back.

The groups are kept in a topological order. Merging two of them looks only at what stands between: if the later one needs
something there that needs the earlier one, the merge is refused; else whatever depends on the earlier one moves behind.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

from xdsl.dialects import arith, tensor
from xdsl.dialects.builtin import TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, Operation, SSAValue

from stepwell.ir.diagnostics import invalid
from stepwell.passes.fusion.classify import captures
from stepwell.passes.fusion.decisions import Decision

REACH = 400
"""How many groups apart two may stand and still be merged: keeps planning linear."""


@dataclass(eq=False)
class Group:
    """Ops that become one."""

    ops: list[Operation]
    needs: list[Operation]
    """Ops of the block whose results the group's ops use (those inside included)."""
    position: int = 0
    kind: str = ""
    reason: str = ""
    """Why these ops are together; the same for equal groups wherever they stand."""
    decisions: list[Decision] = field(default_factory=list[Decision])
    """What was joined and what was not."""


class Groups:
    """The groups of one block, at first one per op; ops made again wherever needed are in none."""

    def __init__(self, block: Block):
        self.block = block
        self.of: dict[Operation, Group] = {}
        self._order: list[Group | None] = []
        for op in block.ops:
            if is_remade(op):
                continue
            group = Group([op], needed_ops(op, block), len(self._order))
            self.of[op] = group
            self._order.append(group)

    def all(self) -> list[Group]:
        """The groups in a topological order."""
        return [g for g in self._order if g is not None]

    def group_of(self, value: SSAValue) -> Group | None:
        """The group that computes a value, if it is computed in this block."""
        return self.of.get(value.owner) if isinstance(value.owner, Operation) else None

    def merge(self, first: Group, second: Group) -> Group | None:
        """One group of both; None when that would make a cycle (or they stand too far apart)."""
        if first is second:
            return first
        if first.position > second.position:
            first, second = second, first
        start, end = first.position, second.position
        if end - start > REACH:
            return None
        behind: dict[Group, None] = {first: None}
        before: list[Group | None] = []
        after: list[Group | None] = []
        for group in self._order[start + 1 : end]:
            if group is None:
                continue
            if any(self.of.get(op) in behind for op in group.needs):
                behind[group] = None
                after.append(group)
            else:
                before.append(group)
        if any(self.of[op] in behind and self.of[op] is not first for op in second.needs if op in self.of):
            return None
        first.ops.extend(second.ops)
        first.needs.extend(second.needs)
        first.decisions.extend(second.decisions)
        for op in second.ops:
            self.of[op] = first
        order: list[Group | None] = [*before, first, *after]
        order += [None] * (end - start + 1 - len(order))
        self._order[start : end + 1] = order
        for position, group in enumerate(order, start):
            if group is not None:
                group.position = position
        return first


def is_remade(op: Operation) -> bool:
    """Ops made again inside each kernel that needs them: empty tensors, constants, fills, scalars read from 0-d tensors."""
    if isinstance(op, tensor.EmptyOp | linalg.FillOp | arith.ConstantOp):
        return True
    return is_scalar_code(op)


def is_scalar_code(op: Operation) -> bool:
    """A scalar read from a 0-d tensor, or arithmetic on such."""
    if op.regions or len(op.results) != 1 or isinstance(op.results[0].type, TensorType):
        return False
    return isinstance(op, tensor.ExtractOp) or op.name.startswith("arith.")


def needed_ops(op: Operation, block: Block) -> list[Operation]:
    """Ops of the block that `op` waits for, seen through ops that are made again."""
    found: dict[Operation, None] = {}
    seen: dict[Operation, None] = {}
    pending = [*op._operands, *(captures(op) if op.regions else ())]  # pyright: ignore[reportPrivateUsage]
    while pending:
        owner = pending.pop().owner
        if not isinstance(owner, Operation) or owner.parent is not block or owner in seen:
            continue
        seen[owner] = None
        if is_remade(owner):
            pending.extend(owner._operands)  # pyright: ignore[reportPrivateUsage]
        else:
            found[owner] = None
    return list(found)


def sort_block(block: Block, groups: Sequence[Sequence[Operation]]) -> None:
    """Reorder a block so that each group's ops are adjacent and every value is defined before it is used.

    The order is stable: a group goes where its last op stands, or earlier where a reader stands before that.

    Raises:
        CompileError: groups wait for each other.
    """
    ops = list(block.ops)
    index = {op: i for i, op in enumerate(ops)}
    leader: dict[Operation, Operation] = {}
    members: dict[Operation, list[Operation]] = {}
    for group in groups:
        ordered = sorted(group, key=lambda op: index[op])
        members[ordered[-1]] = ordered
        for op in ordered:
            leader[op] = ordered[-1]
    users: dict[Operation, list[Operation]] = {}
    waiting: dict[Operation, int] = {}
    for op in ops:
        head = leader.setdefault(op, op)
        members.setdefault(head, [op])
        waiting.setdefault(head, 0)
    for op in ops:
        head = leader[op]
        values = [*op._operands, *(captures(op) if op.regions else ())]  # pyright: ignore[reportPrivateUsage]
        for value in values:
            owner = value.owner
            if isinstance(owner, Operation) and owner.parent is block and leader[owner] is not head:
                users.setdefault(leader[owner], []).append(head)
                waiting[head] += 1
    ready = [index[head] for head, count in waiting.items() if not count]
    heapq.heapify(ready)
    order: list[Operation] = []
    while ready:
        head = ops[heapq.heappop(ready)]
        order.extend(members[head])
        for user in users.get(head, ()):
            waiting[user] -= 1
            if not waiting[user]:
                heapq.heappush(ready, index[user])
    if len(order) < len(ops):
        stuck = next(head for head, count in waiting.items() if count and len(members[head]) > 1)
        raise invalid(
            members[stuck][0],
            "is grouped with an op that waits for it through an op of another group",
            "give them different `kernel.group` numbers",
        )
    if order != ops:
        for op in ops:
            block.detach_op(op)
        block.add_ops(order)
