"""How often a `stablehlo.while` runs where that follows from constants: a counter from one to another by a third."""

from __future__ import annotations

from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, IntegerAttr
from xdsl.ir import BlockArgument, Operation, SSAValue

from stepwell.dialects import stablehlo
from stepwell.ir.dense import splat_value

TRIPS = "stepwell.trips"
"""Name of the attribute on `scf.while` that says it; whoever counts launches reads it, nothing else may."""


def trip_count(op: stablehlo.WhileOp) -> int | None:
    """How often the body runs; None where constants do not say it."""
    condition, body = (region.block for region in op.regions)
    compared = _returned(condition.last_op, 0)
    if not isinstance(compared, stablehlo.CompareOp) or compared.comparison_direction.data not in ("LT", "LE"):
        return None
    counter, limit = compared.operands
    if not isinstance(counter, BlockArgument) or counter.block is not condition:
        return None
    stepped = _returned(body.last_op, counter.index)
    if not isinstance(stepped, stablehlo.AddOp) or stepped.operands[0] is not body.args[counter.index]:
        return None
    numbers = [_constant(v) for v in (op.operands[counter.index], limit, stepped.operands[1])]
    first, last, step = numbers
    if first is None or last is None or step is None or step <= 0:
        return None
    if compared.comparison_direction.data == "LE":
        last += 1
    return max(0, -(-(last - first) // step))


def _returned(terminator: Operation | None, index: int) -> Operation | None:
    """What defines an operand of a return."""
    if terminator is None or index >= len(terminator.operands):
        return None
    owner = terminator.operands[index].owner
    return owner if isinstance(owner, Operation) else None


def _constant(value: SSAValue) -> int | None:
    """The number of a constant integer of rank 0."""
    owner = value.owner
    if not isinstance(owner, stablehlo.ConstantOp):
        return None
    literal = owner.value
    number = splat_value(literal) if isinstance(literal, DenseIntOrFPElementsAttr) else None
    return number.value.data if isinstance(number, IntegerAttr) else None
