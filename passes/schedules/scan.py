"""Scans: which lines a task has, and what says that a line may be done a vector at a time.

The lines of a scan do not depend on each other: tasks get some of them. What neighbours in memory belong to is written on
the op for `lower-structured-to-loops`: the bytes of a vector, and along the last dim the neutral element of a combiner that
may be reassociated.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float8E8M0FNUType, IntegerAttr, i1, i64
from xdsl.ir import Attribute, SSAValue
from xdsl.rewriter import Rewriter

from stepwell.dialects.structured import ScanOp, element_type_of, shape_of
from stepwell.passes.schedules.emit import Index
from stepwell.passes.schedules.kernel_builder import KernelBuilder, Slice
from stepwell.passes.schedules.long_scan import LongScan
from stepwell.passes.schedules.nest import COMBINERS, neutral
from stepwell.passes.schedules.plan import Machine
from stepwell.passes.schedules.tasks import Cut, cut_dim, part_of
from stepwell.passes.structured_loops.scan import NEUTRAL
from stepwell.passes.structured_loops.vectors import VECTOR

LINES = 64
"""Lines next to each other in memory go to one task in such multiples: whole vectors, no cache line shared."""

LONG = 1024
"""Chunks of a long line are multiples of so many elements: whole vectors of any width, several at once."""


def neutral_of(op: ScanOp) -> Attribute | None:
    """What is neutral to the combiner of a scan, when it is one op that may be reassociated."""
    block = op.combiner.block
    last = block.last_op
    combiner = block.first_op
    if combiner is None or last is None or combiner.next_op is not last or len(block.args) != 2:
        return None
    if type(combiner) not in COMBINERS or tuple(combiner.operands) != tuple(block.args):
        return None
    kind = block.args[0].type
    if last.operands[0] is not combiner.results[0] or combiner.results[0].type != kind:
        return None
    if isinstance(combiner, arith.AddfOp) and isinstance(kind, Float8E8M0FNUType):
        return None
    return neutral(combiner, kind)


def scan_phase(builder: KernelBuilder, op: ScanOp, machine: Machine) -> None:
    """One phase: the lines of a scan over tasks."""
    chunk = _long_chunk(op, machine)
    value = neutral_of(op)
    if chunk is not None and value is not None:
        LongScan(builder, op, machine, chunk, value).emit(lambda parts: scan_of(op, parts, machine))
        return
    homes = [builder.destination(op, r) for r in op.results]
    values = [builder.value(v) for v in op.ins]
    cut = cut_of(op, machine)
    count = len(op.inputs)
    axis = op.dimension.value.data
    shape = shape_of(op.outs[0])

    def task(ivs: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
        offsets: list[Index] = [0] * len(shape)
        sizes: list[Index] = list(shape)
        if cut is not None:
            part = part_of(builder.em, cut, shape[cut.dim], ivs[0])
            offsets[cut.dim], sizes[cut.dim] = part.start, part.extent
        lines = [[*whole[:axis], *whole[axis + 1 :]] for whole in (offsets, sizes)]
        inputs = [builder.slice_of(v, offsets, sizes) for v in values[:count]]
        inits = [builder.slice_of(v, *lines) if shape_of(v) else v for v in values[count:]]
        parts = [builder.slice_of(out, offsets, sizes) for out in outs]
        copy = scan_of(op, [*inputs, *inits, *parts], machine)
        builder.em.add(copy)
        return [(r, offsets, sizes) for r in copy.results]

    results = builder.phase([cut.tasks if cut is not None else 1], homes, task)
    for result, home, new in zip(op.results, homes, results, strict=True):
        builder.define(result, new, builder.home(home))


def scan_of(op: ScanOp, operands: Sequence[SSAValue], machine: Machine) -> ScanOp:
    """The op on other operands, with how it is done."""
    old = [*op.inputs, *op.inits, *op.outs]
    copy = op.clone(dict(zip(old, operands, strict=True)))
    copy.operands = list(operands)  # one value may be several operands, each with a place of its own
    for result, part in zip(copy.results, operands[len(operands) - len(op.outs) :], strict=True):
        Rewriter.replace_value_with_new_type(result, part.type)
    _annotate(copy, op, machine)
    return copy


def _long_chunk(op: ScanOp, machine: Machine) -> int | None:
    """Elements of one line for a task, where there is no other line and this one is long; None: the line is one task."""
    shape = shape_of(op.outs[0])
    if len(shape) != 1 or len(op.outs) != 1 or not machine.vector_bytes or not _is_numeric(op):
        return None
    # Each element is read twice: that pays for itself with two workers at least.
    wanted = min(machine.tasks, shape[0] // (2 * machine.grain))
    if wanted < 2:
        return None
    share = -(-shape[0] // wanted)
    chunk = -(-share // LONG) * LONG
    return chunk if chunk < shape[0] else None


def _is_numeric(op: ScanOp) -> bool:
    """Whether elements have lanes."""
    return element_type_of(op.outs[0]) != i1


def _annotate(copy: ScanOp, op: ScanOp, machine: Machine) -> None:
    """Say how the lines of a task are done."""
    if not machine.vector_bytes:
        return
    copy.attributes[VECTOR] = IntegerAttr(machine.vector_bytes, i64)
    value = neutral_of(op)
    if value is not None and op.dimension.value.data == len(shape_of(op.outs[0])) - 1:
        copy.attributes[NEUTRAL] = value


def cut_of(op: ScanOp, machine: Machine) -> Cut | None:
    """The lines over tasks: a dim that is not the scan's, the outermost that is long enough; None: one task."""
    shape, axis = shape_of(op.outs[0]), op.dimension.value.data
    others = [d for d in range(len(shape)) if d != axis]
    if not others or 0 in shape:
        return None
    # An element at a time waits for the one before it, about 2 ns; vectors are as quick as memory.
    vectors = machine.vector_bytes > 0 and (axis != len(shape) - 1 or neutral_of(op) is not None)
    work = prod(shape) * len(op.outs) // 2 if vectors else prod(shape) * len(op.outs) * 2
    wanted = min(machine.tasks, work // machine.grain)
    if wanted < 2:
        return None
    dim = next((d for d in others if shape[d] >= wanted), max(others, key=lambda d: shape[d]))
    chunk = -(-shape[dim] // min(wanted, shape[dim]))
    if dim == len(shape) - 1:
        chunk = -(-chunk // LINES) * LINES
    cut = cut_dim(dim, shape[dim], chunk)
    return cut if cut.tasks > 1 else None


__all__ = ["cut_of", "neutral_of", "scan_of", "scan_phase"]
