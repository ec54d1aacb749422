"""Which values of a block differ from example to example, found without emitting anything.

Loops need to know: a carry that starts the same for all may differ after one turn. What is said here to be the same for all is so
when the ops are replayed; ops of control flow are looked into, so that a loop's counter stays one number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.ir import Block, Operation, SSAValue

from stepwell.dialects import stablehlo


def free_values(op: Operation) -> tuple[SSAValue, ...]:
    """The values that an op's regions read from outside of it, each once, in order."""
    inside: dict[SSAValue, None] = {}
    read: dict[SSAValue, None] = {}
    for nested in op.walk():
        for region in nested.regions:
            for block in region.blocks:
                inside.update(dict.fromkeys(block.args))
        if nested is not op:
            inside.update(dict.fromkeys(nested.results))
            read.update(dict.fromkeys(nested.operands))
    return tuple(v for v in read if v not in inside)


class Flags:
    """The flags of values, from those of a block's arguments and of values outside (`outer`)."""

    def __init__(self, outer: Callable[[SSAValue], bool]):
        self._outer = outer
        self._known: dict[SSAValue, bool] = {}

    def _of(self, value: SSAValue) -> bool:
        known = self._known.get(value)
        return self._outer(value) if known is None else known

    def reads_what_differs(self, op: Operation) -> bool:
        """Whether an operand of an op that was looked at differs."""
        return any(self._of(v) for v in op.operands)

    def of_block(self, block: Block, arguments: Sequence[bool]) -> list[bool]:
        """The flags of what a block returns."""
        self._known.update(zip(block.args, arguments, strict=True))
        for op in block.ops:
            if isinstance(op, stablehlo.ReturnOp):
                return [self._of(v) for v in op.operands]
            self._known.update(zip(op.results, self._of_op(op), strict=True))
        return []

    def _of_op(self, op: Operation) -> list[bool]:
        if isinstance(op, stablehlo.WhileOp):
            return self.of_loop(op, [self._of(v) for v in op.operands])[0]
        if isinstance(op, stablehlo.IfOp | stablehlo.CaseOp):
            return self._of_branches(op)
        differs = any(self._of(v) for v in op.operands)
        if not differs and op.regions:
            differs = any(self._of(v) for v in free_values(op))
        return [differs] * len(op.results)

    def of_loop(self, op: stablehlo.WhileOp, start: Sequence[bool]) -> tuple[list[bool], bool]:
        """(the flags of the carries, whether the condition differs), from those of the first turn."""
        carried = list(start)
        while True:  # ends: each turn sets another flag
            condition = self.of_block(op.cond.block, carried)[0]
            after = self.of_block(op.body.block, carried)
            merged = [condition or a or b for a, b in zip(carried, after, strict=True)]
            if merged == carried:
                return carried, condition
            carried = merged

    def _of_branches(self, op: stablehlo.IfOp | stablehlo.CaseOp) -> list[bool]:
        if self._of(op.operands[0]):
            return [True] * len(op.results)
        results = [self.of_block(region.block, ()) for region in op.regions]
        return [any(flags) for flags in zip(*results, strict=True)] if results else []


def first_unknown(block: Block, is_known: Callable[[Operation], bool]) -> Operation | None:
    """The first op of a block, whose arguments differ, that reads what differs and is not known."""
    flags = Flags(lambda _: False)
    flags.of_block(block, [True] * len(block.args))
    for op in block.walk():
        if not isinstance(op, stablehlo.ReturnOp) and flags.reads_what_differs(op) and not is_known(op):
            return op
    return None
