"""Sums of products in parts along K: how many, where they begin, and how they are added up.

Few results of many terms (`8x100000 * 100000x8`) have no rows and columns to share out. The outermost dim of the sums is cut
instead: each task leaves the sums of its part in launch scratch, and a second phase adds the parts up, in their order, to what the
sums start from, with the epilogue on each point:

```
p[s, i, j] = sum_(k in part s) A[i, k] * B[k, j];      C[i, j] = epilogue(init[i, j] + p[0, i, j] + p[1, i, j] + ...)
```
How many parts there are is decided at compile time, so the result is the same for any number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm, prod

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import kernel
from stepwell.ir.dtypes import byte_width
from stepwell.ir.machine import MachineDescription
from stepwell.passes.fusion.epilogue import not_of_a_reduction
from stepwell.passes.schedules.contraction_analysis import Contraction
from stepwell.passes.schedules.contraction_choice import (
    TASK,
    Grid,
    Tiling,
    choose_grid,
    in_rounds,
    least_time,
    time_of,
    unit_of,
    units_of,
)
from stepwell.passes.schedules.contraction_operands import ROWS_AT_ONCE
from stepwell.passes.schedules.kernel_builder import KernelBuilder
from stepwell.passes.schedules.loops import escapes, forward_within, merge_phase
from stepwell.passes.schedules.nest import Nest, following, is_contiguous, uses_dim
from stepwell.passes.schedules.plan import BYTE, Machine, plan_space
from stepwell.passes.schedules.space import Target
from stepwell.passes.schedules.split_reduction import Split
from stepwell.passes.schedules.tasks import Cut, cut_dim

MERGE = 2_000
"""Nanoseconds that a second phase costs: all tasks are waited for, then it starts."""
WORTH = 0.9
"""Parts are made where they take less than so much of the time: results in another order of terms are another way to round."""
BEYOND = 128
"""Bytes that hardware fetches behind a piece of a line, for nothing."""
COUNTS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Numbers of parts that are thought about."""


@dataclass(frozen=True)
class Terms:
    """The outermost dim of the sums: in parts, one a task, and these in runs, one a pass over the results."""

    parts: Cut
    run: int
    """Points of a run; the last one of a part may have fewer."""


def terms_of(found: Contraction, tiling: Tiling, packs: bool) -> Terms:
    """Parts and runs of whole steps of the inner loop, and of what packing takes at once: only the last of all is shorter."""
    outermost, *others = (found.sizes[d] for d in found.reduced)
    points = -(-outermost // tiling.k_split)
    run = max(1, tiling.kc // prod(others))
    run = points if run >= points else -(-points // -(-points // run))
    if not others and run < outermost:
        step = tiling.unroll
        if packs:
            lanes = tiling.vector_bytes // byte_width(found.accumulator)
            step = lcm(step, ROWS_AT_ONCE, max(2, tiling.word) * lanes)
        run = -(-run // step) * step
    run = min(outermost, run)
    return Terms(cut_dim(found.reduced[0], outermost, -(-points // run) * run), run)


def choose_parts(found: Contraction, tiling: Tiling, machine: MachineDescription, tasks: int) -> int:
    """How many parts are done soonest, each by a task; 1: whole sums."""
    cores = max(1, machine.cores)

    def time(parts: int) -> float:
        grid = choose_grid(found, tiling, tasks, TASK, parts)
        return max(time_of(found, tiling, grid, tasks, parts), _moving(found, tiling, grid, parts, cores))

    least = whole = time(1)
    work = least_time(found, tiling)
    best = 1
    for parts in COUNTS:
        if parts > tasks or parts * TASK > work or parts > found.sizes[found.reduced[0]]:
            break
        parted = time(parts) + _merging(found, parts, cores)
        if parted < WORTH * whole and parted < 0.98 * least:
            best, least = parts, parted
    return best


def _moving(found: Contraction, tiling: Tiling, grid: Grid, parts: int, cores: int) -> float:
    """Nanoseconds until the factors of all tasks have been read, each once by each task."""
    cuts = {**dict(grid.cuts), **({found.reduced[0]: parts} if parts > 1 else {})}
    points = [float(size) for size in found.sizes]
    for dim, count in cuts.items():
        points[dim] = -(-units_of(found, tiling, dim) // count) * unit_of(found, tiling, dim)
    moved = 0.0
    for position, amap in zip((found.a, found.b), found.maps, strict=False):
        kind = found.op.inputs[position].type
        assert isinstance(kind, TensorType)
        size = byte_width(kind.element_type)
        elements = prod(points[d] for d in range(len(points)) if uses_dim(amap.results, d))
        last = next((d for d in cuts if is_contiguous(amap.results, d)), None)
        moved += elements * size * (1 if last is None else 1 + BEYOND / (size * points[last]))
    return in_rounds(prod(cuts.values()), cores) * moved * BYTE


def _merging(found: Contraction, parts: int, cores: int) -> float:
    """Nanoseconds that parts take besides: the sums of each are written, and read again."""
    results = prod(found.sizes[d] for e in found.maps[2].results for d in e.used_dims())
    return MERGE + 2 * parts * results * byte_width(found.accumulator) * BYTE / cores


def merged_ops(ops: Sequence[Operation]) -> list[Operation]:
    """A contraction and what of its epilogue is done where its parts are added up; the rest is left to loops."""
    return list(ops) if len(ops) == 1 or not_of_a_reduction(ops) is None else list(ops[:1])


class Merger:
    """Adds up the parts of a contraction's sums, with the maps of its results."""

    def __init__(self, builder: KernelBuilder, nest: Nest, ops: Sequence[Operation], machine: Machine):
        self.builder = builder
        self.machine = machine
        self.ops = list(ops)
        self.nests = [nest, *(following(builder.nest(op), nest) for op in self.ops[1:])]
        forward_within(self.nests)
        self.stored = [
            (op, output)
            for op, n in zip(self.ops, self.nests, strict=True)
            for output in n.outputs
            if escapes(output.original, self.ops)
        ]
        self.homes = [builder.destination(op, output.original) for op, output in self.stored]

    def scratch(self, parts: int) -> SSAValue:
        """What holds the sums of all parts."""
        output = self.nests[0].outputs[0]
        kind = TensorType(output.element, [parts, *output.shape])
        return self.builder.scratch(kind, kernel.ScratchScope.LAUNCH)

    def merge(self, cut: Cut, sums: SSAValue) -> None:
        """The phase; defines the results."""
        builder, nest = self.builder, self.nests[0]
        split = Split(plan_space([nest], self.machine), cut, leading=True)
        stored = {
            output.original: Target(output, output.exprs, (), output.updates(home))
            for (_, output), home in zip(self.stored, self.homes, strict=True)
        }
        wanted = [stored.get(o.original, Target(o, o.exprs)) for o in nest.outputs]
        results = merge_phase(builder, self.nests, split, (stored, wanted), [sums], self.homes, self.machine)
        for (_, output), home, result in zip(self.stored, self.homes, results, strict=True):
            builder.define(output.original, result, builder.home(home))


def in_parts(exprs: Sequence[AffineExpr]) -> tuple[AffineExpr, ...]:
    """Where a part of the results is, in its slice of the sums of all parts."""
    return (AffineExpr.constant(0), *exprs)


__all__ = ["Merger", "Terms", "choose_parts", "in_parts", "merged_ops", "terms_of"]
