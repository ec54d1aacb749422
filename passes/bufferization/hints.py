"""Where a result should better be written: destinations propagated backwards from terminators.

A value that a loop yields should live in the loop's carry, one that a function returns in the function's
output. The walk goes back from each terminator operand over ops whose result is their updated destination,
and over reshapes.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects import scf, tensor
from xdsl.ir import Operation, SSAValue
from xdsl.traits import IsTerminator

from stepwell.ir.destinations import destination_index
from stepwell.passes.bufferization.reads import ReadTable, is_tensor


@dataclass(frozen=True)
class Hint:
    """Operand `index` of `terminator` wants the value; on the way back the `reshapes` were crossed."""

    terminator: Operation
    index: int
    reshapes: tuple[Operation, ...]


def tied_operand(value: SSAValue) -> SSAValue | None:
    """The destination operand whose updated contents `value` is, if its op has one."""
    op = value.owner
    if not isinstance(op, Operation):
        return None
    position = op.results.index(value)  # pyright: ignore[reportArgumentType]
    if isinstance(op, scf.ForOp):
        return op.iter_args[position]
    index = destination_index(op, position)
    return None if index is None else op.operands[index]


def carried_operand(value: SSAValue) -> SSAValue | None:
    """The operand of an `scf.while` that its result `value` is the last state of."""
    op = value.owner
    if not isinstance(op, scf.WhileOp):
        return None
    condition = op.before_region.block.last_op
    assert isinstance(condition, scf.ConditionOp)
    passed = condition.args[op.results.index(value)]  # pyright: ignore[reportArgumentType]
    for argument, operand in zip(op.before_region.block.args, op.arguments, strict=True):
        if passed is argument:
            return operand
    return None


def collect_hints(root: Operation, table: ReadTable) -> dict[SSAValue, Hint]:
    """The hint of each value that some terminator below `root` wants; linear, each value is visited once.

    The walk stops at a value that is still read after its update: that update will not be in place.
    """
    hints: dict[SSAValue, Hint] = {}
    for op in root.walk():
        if not op.has_trait(IsTerminator):
            continue
        for index, operand in enumerate(op.operands):
            if is_tensor(operand):
                _propagate(hints, table, operand, Hint(op, index, ()))
    return hints


def _propagate(hints: dict[SSAValue, Hint], table: ReadTable, value: SSAValue | None, hint: Hint) -> None:
    while value is not None and value not in hints:
        hints[value] = hint
        owner = value.owner
        if isinstance(owner, tensor.CollapseShapeOp | tensor.ExpandShapeOp):
            hint = Hint(hint.terminator, hint.index, (*hint.reshapes, owner))
            value = owner.src
        else:
            tied = tied_operand(value)
            value = tied if tied is not None else carried_operand(value)
            if value is not None and isinstance(owner, Operation) and table.last_read(value) > table.start[owner]:
                return
