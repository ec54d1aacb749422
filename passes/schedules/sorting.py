"""Sorts and scatters: which lines of a sort a task has, and whether lines and windows are done in vectors.

A comparator that compares keys (`structured_loops/sort_keys`) lets `lower-structured-to-loops` sort these in vectors: written
on the op as the bytes of a vector. Any other is carried out an element at a time. A scatter goes through its indices in
order; the window of one is updated in vectors where it is contiguous and inside.
"""

from __future__ import annotations

from math import prod

from xdsl.dialects.builtin import IntegerAttr, i64

from stepwell.dialects.structured import ScatterOp, SortOp, StructuredOp, shape_of
from stepwell.passes.schedules.plan import Machine
from stepwell.passes.structured_loops.sort_keys import key_of
from stepwell.passes.structured_loops.vectors import VECTOR


def annotate(copy: StructuredOp, machine: Machine) -> None:
    """Say how wide the vectors are that the lines of a task are sorted in, or the windows of a scatter updated."""
    vectors = isinstance(copy, ScatterOp) or (isinstance(copy, SortOp) and key_of(copy.comparator) is not None)
    if machine.vector_bytes and vectors:
        copy.attributes[VECTOR] = IntegerAttr(machine.vector_bytes, i64)


def cut_sort(op: SortOp, machine: Machine) -> tuple[int, int, int]:
    """The dim cut over tasks, lines per task, tasks."""
    shape = shape_of(op.outs[0])
    line = op.dimension.value.data
    others = [d for d in range(len(shape)) if d != line]
    if not others or 0 in shape:
        return 0, 0, 1
    dim = max(others, key=lambda d: shape[d])
    levels = max(1, shape[line].bit_length())
    if machine.vector_bytes and key_of(op.comparator) is not None:
        # A network has levels * (levels + 1) / 2 layers, of about 0.05 ns an element each.
        work = prod(shape) * levels * (levels + 1) // 40
    else:
        # Merging: about 4 ns per element and level.
        work = 4 * prod(shape) * levels
    wanted = min(machine.tasks, work // machine.grain, shape[dim])
    if wanted < 2:
        return 0, 0, 1
    chunk = -(-shape[dim] // wanted)
    return dim, chunk, -(-shape[dim] // chunk)


__all__ = ["annotate", "cut_sort"]
