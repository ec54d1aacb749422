"""Which reductions of one array along different dims can be done in one pass over it."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Operation

from stepwell.ir.structured import indexing_maps, is_identity_map, iterator_kinds, loop_bounds
from stepwell.passes.fusion.classify import captures, filled_with, on_static_tensors, volume
from stepwell.passes.schedules.lanes import can_vectorize
from stepwell.passes.schedules.nest import generic_outputs

LEAST = 1 << 16
"""Points that are worth it: fewer stay in a cache from one reduction to the next."""


def reads_once(ops: Sequence[Operation]) -> bool:
    """Whether these are such reductions of one array: of each row, and of the rows with each other."""
    generics = [op for op in ops if isinstance(op, linalg.GenericOp) and _is_reduction_of_all(op)]
    if len(generics) != len(ops):
        return False
    first = generics[0]
    if any(op.inputs[0] is not first.inputs[0] or op.results[0].type != op.outputs[0].type for op in generics):
        return False
    return len(generics) == 1 or len({iterator_kinds(op)[-1] for op in generics}) == 2


def _is_reduction_of_all(op: linalg.GenericOp) -> bool:
    """One large array, read point by point, reduced by a known combiner from a filled tensor: a row at a time, or rows."""
    if len(op.inputs) != 1 or len(op.results) != 1 or not on_static_tensors(op) or captures(op):
        return False
    if not is_identity_map(indexing_maps(op)[0]) or volume(op.inputs[0]) < LEAST or 0 in loop_bounds(op):
        return False
    kinds = [k != "parallel" for k in iterator_kinds(op)]
    if len(kinds) < 2 or filled_with(op.outputs[0]) is None or not can_vectorize(op.body.block):
        return False
    (output,) = generic_outputs(op)
    if output.combiner is None or not output.reduced:
        return False
    # Along the last dim alone, or along the first and not the last, which is then last in the result.
    return sum(kinds) == 1 if kinds[-1] else kinds[0]
