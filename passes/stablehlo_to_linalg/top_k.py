"""`chlo.top_k` where the machine selects without sorting: `structured.top_k`."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.dialects.builtin import IntegerType, Signedness
from xdsl.ir import Operation, SSAValue

from stepwell.dialects import chlo, structured
from stepwell.ir.machine import machine_of
from stepwell.passes.hlo import element_of as written_element
from stepwell.passes.hlo import shape_of as written_shape
from stepwell.passes.stablehlo_to_linalg.lowering import Lowering, Rule, element_of, shape_of
from stepwell.passes.stablehlo_to_linalg.scalars import signless_element
from stepwell.passes.structured_loops.top_k import has_keys

LONG = 256
"""Shorter lines are sorted: that takes no longer."""
PART = 4
"""A k that is more than one part in so many of a line asks for most of a sort."""


def is_selected(op: chlo.TopKOp) -> bool:
    """Whether the largest elements are selected, not sorted out."""
    shape, k = written_shape(op.operand), op.k.value.data
    if any(n < 1 for n in shape) or shape[-1] < LONG or not 1 <= k <= shape[-1] // PART:
        return False
    return machine_of(op).subgroup == 1 and has_keys(signless_element(written_element(op.operand)))


def top_k(low: Lowering, op: chlo.TopKOp) -> Sequence[SSAValue]:
    """Lines of one dim in front, so that they can be shared out."""
    kind = written_element(op.operand)
    unsigned = isinstance(kind, IntegerType) and kind.signedness.data == Signedness.UNSIGNED
    value = low.get(op.operand)
    *lines, length = shape_of(value)
    count, k = prod(lines), op.k.value.data
    groups = [[*range(len(lines))], [len(lines)]] if len(lines) > 1 else [[d] for d in range(len(lines) + 1)]
    flat = low.collapse(value, groups, [count, length]) if len(lines) > 1 else value
    shape = [*([count] if lines else []), k]
    targets = [low.empty(shape, element_of(value)), low.empty(shape, low.result_type(op, 1).element_type)]
    found = low.builder.insert(structured.TopKOp(flat, targets, unsigned=unsigned))
    if len(lines) < 2:
        return found.results
    return [low.expand(r, groups, [*lines, k]) for r in found.results]


RULES: dict[type[Operation], Rule] = {chlo.TopKOp: top_k}

__all__ = ["RULES", "is_selected", "top_k"]
