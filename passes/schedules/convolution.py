"""Convolutions as contractions: which images a task copies into their border, in parts, while it does its rows.

A contraction that reads an operand through a window reads each number of it many times; where that is an image in a border, the
lines that some rows of the result need are copied to scratch with the border around them, and no padded image is stored. The
image is A, whose rows are then points, or B, where groups have too few features to fill vectors.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from xdsl.ir import Operation

from stepwell.dialects import kernel
from stepwell.ir.machine import MachineDescription
from stepwell.ir.structured import indexing_maps
from stepwell.passes.schedules.contraction_analysis import Contraction, find_contraction
from stepwell.passes.schedules.contraction_choice import Tiling, choose_tiling, columns_apart, rows_apart, turned
from stepwell.passes.schedules.nest import uses_dim
from stepwell.passes.schedules.staging import Apart, Stage, border_of, plan_stage

MOST_TIMES, MOST_TIMES_APART = 2, 16
"""Copies of a part of an image that cost no more than storing it once in its border, and reading it back; and where points that
lie apart are next to each other in the copy, which spares picking them out for each tile."""


def most_copied(machine: MachineDescription) -> int:
    """Bytes of an image that are copied at once: the rest of the cache is for the other operand."""
    return machine.l2_bytes // 4


def stage_of(found: Contraction, most: int) -> Stage | None:
    """What of an image is copied with its border at once, in at most so many bytes: some points of a dim that moves in the window."""
    around = [d for d in found.outer if uses_dim(found.maps[1].results, d)]
    if border_of(found.op.inputs[found.a]) is not None:
        rows = [d for d in found.outer if d not in around]
        return _planned(found, (found.a, found.m), (around, rows), most, rows_apart(found))
    return _planned(found, (found.b, found.n), ([], around), most, columns_apart(found))


def _planned(
    found: Contraction,
    line: tuple[int, int | None],
    loops: tuple[list[int], list[int]],
    most: int,
    place: tuple[int, int] | None,
) -> Stage | None:
    """The same of one operand, and the dim of its lines; `loops`: around all of its dims, and those to choose from, in their order."""
    (position, along), (around, dims) = line, loops
    border, exprs = border_of(found.op.inputs[position]), indexing_maps(found.op)[position].results
    if border is None or not most:
        return None
    in_window = [d for d in dims if any(d in e.used_dims() and len(e.used_dims()) > 1 for e in exprs)]
    if position == found.b:
        # Of a B with groups a task has some, and copies no others: what does not move in the window is fixed.
        dims = [*(d for d in dims if d not in in_window), *in_window]
    block = next(iter(in_window), dims[-1] if dims else None)
    if block is None:
        return None
    # Points of a line that lie along another dim than the last are read one step apart along that.
    by_line = along is not None and not uses_dim(exprs[:-1], along)
    stage = plan_stage(border, exprs, found.sizes, [*around, *dims[: dims.index(block)]], (block, 1), most, by_line)
    if stage is None or place is None or along is None:
        return stage
    return replace(stage, apart=Apart(along, *place))


def stages(func: kernel.FuncOp, most: int) -> dict[Operation, Stage]:
    """The contractions of a kernel whose images are copied in parts."""
    found = {op: find_contraction(op) for op in func.body.block.ops}
    planned = {op: stage_of(turned(c), most) for op, c in found.items() if isinstance(c, Contraction)}
    return {op: stage for op, stage in planned.items() if stage is not None}


def copied(op: Operation, machine: MachineDescription) -> Stage | None:
    """How an op that is a contraction has its image copied in parts, if it can be, and is not copied again and again."""
    found = find_contraction(op)
    if not isinstance(found, Contraction):
        return None
    found = turned(found)
    tiling = choose_tiling(found, machine)
    most = MOST_TIMES if rows_apart(found) is None else MOST_TIMES_APART
    if not isinstance(tiling, Tiling) or _times_copied(found, tiling, machine) > most:
        return None
    return stage_of(found, most_copied(machine))


def _times_copied(found: Contraction, tiling: Tiling, machine: MachineDescription) -> int:
    """How often a task copies the same part: of A for each run of terms, and each block of its columns."""
    if border_of(found.op.inputs[found.a]) is None:
        return 1
    outermost, *others = (found.sizes[d] for d in found.reduced)
    runs = -(-outermost // max(1, tiling.kc // prod(others)))
    return runs * -(-found.sizes[found.n] // (tiling.block * tiling.nr * machine.cores))


__all__ = ["copied", "most_copied", "stage_of", "stages"]
