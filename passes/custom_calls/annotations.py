"""Calls that only say something about their operand to who places and partitions a program: the operand itself."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import SSAValue

from stepwell.dialects.stablehlo import CustomCallOp
from stepwell.ir.diagnostics import invalid

TARGETS = ("LayoutConstraint", "MoveToDevice", "MoveToHost", "Sharding", "annotate_device_placement")


def expand_annotation(op: CustomCallOp) -> Sequence[SSAValue]:
    """The operands, as results of the same types."""
    if list(op.operand_types) != list(op.result_types):
        raise invalid(op, f"of '{op.call_target_name.data}' has results of other types than its operands")
    return tuple(op.operands)


__all__ = ["TARGETS", "expand_annotation"]
