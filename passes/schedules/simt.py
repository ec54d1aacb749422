"""Phases of a machine whose vectors are held by subgroups: a task is a subgroup's, a thread's, or a block's.

Wide vectors along one dim are a subgroup's work; what has no vector form is done a point a thread; points read along
another dim than they are written along are transposed by blocks; a reduction to few points is cut into parts first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xdsl.ir import SSAValue

from stepwell.dialects.kernel import Level
from stepwell.passes.schedules.block_transpose import find_crossing, transpose_phase
from stepwell.passes.schedules.emit import Index
from stepwell.passes.schedules.kernel_builder import KernelBuilder, Slice
from stepwell.passes.schedules.nest import Nest
from stepwell.passes.schedules.plan import Machine
from stepwell.passes.schedules.space import Target
from stepwell.passes.schedules.split_reduction import Split, find_split, merging_nest, partial_targets
from stepwell.passes.schedules.subgroup_plan import choose_cuts, plan_lanes
from stepwell.passes.schedules.tasks import Cut, emit_task


def simt_phase(
    builder: KernelBuilder,
    nests: Sequence[Nest],
    targets: Sequence[Target],
    homes: Sequence[SSAValue],
    machine: Machine,
) -> Sequence[SSAValue]:
    """The phase of fused nests of one space, or its two when their reductions are split."""
    plan = plan_lanes(nests, machine)
    crossing = find_crossing(plan, nests, targets, machine)
    if crossing is not None:
        return transpose_phase(builder, nests, plan, crossing, targets, homes, machine)
    cuts = choose_cuts(plan, nests, targets, machine)
    split = find_split(plan, nests, targets, machine)
    if split is not None:
        return _split_phases(builder, nests[0], split, cuts, targets, homes, machine)
    level = Level.THREAD if plan.vector is None else Level.SUBGROUP

    def task(ivs: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
        return emit_task(builder, nests, plan, targets, cuts, ivs, outs)

    return builder.phase([c.tasks for c in cuts] or [1], homes, task, level)


def _split_phases(
    builder: KernelBuilder,
    nest: Nest,
    split: Split,
    cuts: Sequence[Cut],
    targets: Sequence[Target],
    homes: Sequence[SSAValue],
    machine: Machine,
) -> Sequence[SSAValue]:
    """Parts of the reductions into launch scratch, beside what is stored on the way; then the parts merged."""
    stored, given = [t.output.original for t in targets], homes
    if nest.selection is not None:
        # Parts are merged by what they have selected, too, whether it is stored in the end or not.
        known = dict(zip(stored, targets, strict=True))
        targets, homes = [known.get(o.original, Target(o, o.exprs)) for o in nest.outputs], [homes[0]] * 2
    partial, places, scratch = partial_targets(builder, nest, split, targets, homes)
    parts = [*cuts, split.cut]

    def task(ivs: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
        return emit_task(builder, [partial], split.plan, places, parts, ivs, outs)

    results = list(builder.phase([c.tasks for c in parts], scratch, task, Level.SUBGROUP))
    merged, merged_targets = merging_nest(nest, split, targets, results)
    machine = replace(machine, split=1, tile=0)
    if nest.selection is not None:
        kept = [t for t in merged_targets if t.output.original in stored]
        return simt_phase(builder, [merged], kept, given, machine)
    reduced = [i for i, t in enumerate(targets) if t.output.reduced]
    last = simt_phase(builder, [merged], merged_targets, [homes[i] for i in reduced], machine)
    for i, result in zip(reduced, last, strict=True):
        results[i] = result
    return results
