"""Sorts and scatters: which lines of a sort a task has, and whether lines and windows are done in vectors.

A comparator that compares keys (`structured_loops/sort_keys`) lets `lower-structured-to-loops` sort these in vectors: written
on the op as the bytes of a vector. Any other is carried out an element at a time. A scatter goes through its indices in
order; the window of one is updated in vectors where it is contiguous and inside. A selection of the largest (`top_k`) reads
its lines where they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.dialects.builtin import IntegerAttr, i64
from xdsl.ir import SSAValue
from xdsl.rewriter import Rewriter

from stepwell.dialects.structured import ScatterOp, SortOp, StructuredOp, TopKOp, shape_of
from stepwell.passes.schedules.emit import Index
from stepwell.passes.schedules.kernel_builder import KernelBuilder, Slice
from stepwell.passes.schedules.plan import Machine
from stepwell.passes.schedules.tasks import Cut, cut_dim, part_of
from stepwell.passes.structured_loops.sort_keys import key_of
from stepwell.passes.structured_loops.vectors import VECTOR


def annotate(copy: StructuredOp, machine: Machine) -> None:
    """Say how wide the vectors are that the lines of a task are sorted in, or the windows of a scatter updated."""
    vectors = isinstance(copy, ScatterOp | TopKOp) or (isinstance(copy, SortOp) and key_of(copy.comparator) is not None)
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


def top_k_phase(builder: KernelBuilder, op: TopKOp, machine: Machine) -> None:
    """One phase: the lines of a selection over tasks."""
    homes = [builder.destination(op, r) for r in op.results]
    source, cut = builder.value(op.input), _cut_lines(op, machine)

    def task(ivs: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
        start: list[Index] = [0] * (len(shape_of(op.input)) - 1)
        lines: list[Index] = list(shape_of(op.input)[:-1])
        if cut is not None:
            part = part_of(builder.em, cut, shape_of(op.input)[cut.dim], ivs[0])
            start[cut.dim], lines[cut.dim] = part.start, part.extent
        offsets = [*start, 0]
        sizes = [*lines, shape_of(op.outs[0])[-1]]
        parts = [builder.slice_of(out, offsets, sizes) for out in outs]
        taken = builder.slice_of(source, offsets, [*lines, shape_of(op.input)[-1]])
        copy = op.clone(dict(zip([op.input, *op.outs], [taken, *parts], strict=True)))
        for result, out in zip(copy.results, parts, strict=True):
            Rewriter.replace_value_with_new_type(result, out.type)
        annotate(copy, machine)
        builder.em.add(copy)
        return [(r, offsets, sizes) for r in copy.results]

    results = builder.phase([cut.tasks if cut is not None else 1], homes, task)
    for result, home, new in zip(op.results, homes, results, strict=True):
        builder.define(result, new, builder.home(home))


def _cut_lines(op: TopKOp, machine: Machine) -> Cut | None:
    """The lines of a selection over tasks; None: one task."""
    *lines, length = shape_of(op.input)
    if not lines or 0 in lines:
        return None
    k = shape_of(op.outs[0])[-1]
    # Comparing takes about 0.2 ns an element; what is set aside, sorted more than once, about 40.
    work = prod(lines) * (length // 5 + 40 * k)
    wanted = min(machine.tasks, work // machine.grain)
    if wanted < 2:
        return None
    dim = next((d for d, n in enumerate(lines) if n >= wanted), max(range(len(lines)), key=lambda d: lines[d]))
    cut = cut_dim(dim, lines[dim], -(-lines[dim] // min(wanted, lines[dim])))
    return cut if cut.tasks > 1 else None


__all__ = ["annotate", "cut_sort", "top_k_phase"]
