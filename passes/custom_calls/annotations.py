"""Calls that only say something about their operands to who places and partitions a program: the operands themselves."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import SSAValue

from stepwell.dialects.stablehlo import CustomCallOp
from stepwell.dialects.stablehlo.custom_calls import check_annotation


def expand_annotation(op: CustomCallOp) -> Sequence[SSAValue]:
    """The operands, as results of the same types."""
    check_annotation(op)
    return tuple(op.operands)


__all__ = ["expand_annotation"]
