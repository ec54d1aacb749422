"""The `loops` strategy: each op, or run of pointwise ops over one space, is a parallel phase of vectorized loops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod

from xdsl.dialects import tensor
from xdsl.dialects.builtin import TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineExpr
from xdsl.rewriter import Rewriter

from stepwell.dialects import structured
from stepwell.dialects.structured_winograd import WinogradOp
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.structured import iterator_kinds
from stepwell.passes.fusion.classify import captures
from stepwell.passes.fusion.epilogue import not_of_a_reduction
from stepwell.passes.fusion.sweeps import reads_once
from stepwell.passes.schedules.emit import Index
from stepwell.passes.schedules.fold import folding
from stepwell.passes.schedules.interleaving import schedule_interleaving
from stepwell.passes.schedules.kernel_builder import KernelBuilder, Slice, is_scheduled
from stepwell.passes.schedules.lines import with_lines
from stepwell.passes.schedules.merge import (
    Groups,
    collapse,
    dense_nests,
    expand,
    merge_groups,
    merged_exprs,
    merged_nest,
    result_runs,
)
from stepwell.passes.schedules.nest import Access, Nest, Output, following, renumber
from stepwell.passes.schedules.plan import Machine, Plan, plan_space, tasks_for, traffic
from stepwell.passes.schedules.scan import scan_phase
from stepwell.passes.schedules.scan_rows import schedule_scan_groups
from stepwell.passes.schedules.selection import selecting
from stepwell.passes.schedules.short_columns import ShortColumns, find_short_columns, short_columns
from stepwell.passes.schedules.simt import simt_phase
from stepwell.passes.schedules.sorting import annotate, cut_sort, top_k_phase
from stepwell.passes.schedules.space import Target
from stepwell.passes.schedules.split_reduction import Split, find_split, merging_nest, partial_targets
from stepwell.passes.schedules.sweep import is_sweep, sweep_phases
from stepwell.passes.schedules.tasks import Cut, cut_dim, emit_task, step_of
from stepwell.passes.schedules.updates import update_phase
from stepwell.passes.schedules.winograd import winograd_phase

LINES_A_TASK = 64
"""Lines that a task reduces for each line of results that is merged afterwards."""

Whole = Callable[[Operation], Sequence[Operation] | None]
"""Makes phases of its own of an op: returns the other ops that are done with it, or None where the op is not for it."""


def schedule_loops(builder: KernelBuilder, machine: Machine) -> None:
    """Schedule every op of the kernel, in order."""

    def fill(op: Operation) -> None:
        flush(builder, [op], machine)

    def whole(op: Operation) -> Sequence[Operation] | None:
        done = schedule_interleaving(builder, machine, op)
        return schedule_scan_groups(builder, machine, op, fill) if done is None else done

    schedule_around(builder, machine, whole)


def schedule_around(builder: KernelBuilder, machine: Machine, whole: Whole) -> None:
    """Schedule every op of the kernel, in order: `whole` those it takes, loops the others."""
    done: dict[Operation, None] = {}
    group: list[Operation] = []
    for op in [o for o in builder.func.body.block.ops if o is not builder.func.return_op]:
        if op in done or is_only_init(op):
            continue
        if (
            is_scheduled(op)
            and group
            and (joins(group, op) or _sweeps(group, op, machine) or _ends(group, op, machine))
        ):
            group.append(op)
            continue
        if is_scheduled(op) or depends(op, group):
            flush(builder, group, machine)
        others = whole(op)
        if others is not None:
            done |= dict.fromkeys(others)
        elif not builder.pass_through(op):
            group.append(op)
    flush(builder, group, machine)


def depends(op: Operation, group: Sequence[Operation]) -> bool:
    """Whether an op reads what the group computes."""
    return any(o.owner in group for o in op._operands)  # pyright: ignore[reportPrivateUsage]


def joins(group: Sequence[Operation], op: Operation) -> bool:
    """Whether a generic reads what the group produces pointwise over the same space (or nothing of it)."""
    first = group[0]
    if not isinstance(op, linalg.GenericOp) or not isinstance(first, linalg.GenericOp):
        return False
    if not _all_parallel(op) or not _all_parallel(first):
        return False
    shape = _shape(first.results[0])
    if any(_shape(r) != shape for r in op.results) or not _identity_outputs(first) or not _identity_outputs(op):
        return False
    produced = [o for o in op._operands if o.owner in group]  # pyright: ignore[reportPrivateUsage]
    if any(o.owner in group for o in op.outputs):
        return False
    reads = zip(op.inputs, op.indexing_maps.data, strict=False)
    return bool(produced) and all(_identity(m.data.results) for o, m in reads if o in produced)


def _sweeps(group: Sequence[Operation], op: Operation, machine: Machine) -> bool:
    """Whether one worker's pass over an array does all of these reductions of it."""
    return machine.subgroup == 1 and reads_once([*group, op])


def _ends(group: Sequence[Operation], op: Operation, machine: Machine) -> bool:
    """Whether an op is a map of what the reduction of the group makes, done on each point of it."""
    return machine.subgroup == 1 and not_of_a_reduction([*group, op]) is None


def _all_parallel(op: linalg.GenericOp) -> bool:
    return all(k == "parallel" for k in iterator_kinds(op))


def _identity_outputs(op: linalg.GenericOp) -> bool:
    return all(_identity(m.data.results) for m in op.indexing_maps.data[len(op.inputs) :])


def _identity(exprs: Sequence[AffineExpr]) -> bool:
    return all(e == AffineExpr.dimension(i) for i, e in enumerate(exprs))


def _shape(value: SSAValue) -> tuple[int, ...]:
    assert isinstance(value.type, TensorType)
    return value.type.get_shape()


def flush(builder: KernelBuilder, group: list[Operation], machine: Machine) -> None:
    """Make one phase of the group and empty it."""
    ops = list(group)
    group.clear()
    if not ops:
        return
    builder.em.location = ops[0].location
    if isinstance(ops[0], structured.StructuredOp):
        structured_phase(builder, ops[0], machine)
        return
    if is_only_init(ops[0]):
        return
    nests = [selecting_nest(builder, op, ops) for op in ops]
    if machine.subgroup == 1:
        nests = [folding(n) for n in nests]
    if len(ops) > 1 and reads_once(ops) and not is_sweep(nests):
        for op, nest in zip(ops, nests, strict=True):
            nest_phase(builder, [op], [nest], machine)
        return
    if len(ops) > 1 and machine.subgroup == 1 and not_of_a_reduction(ops) is None:
        nests[1:] = [following(n, nests[0]) for n in nests[1:]]
    forward_within(nests)
    nest_phase(builder, ops, nests, machine)


def selecting_nest(builder: KernelBuilder, op: Operation, ops: Sequence[Operation]) -> Nest:
    """An op as a nest, marked where it selects, given the ops it is done together with."""
    nest = builder.nest(op)
    return selecting(nest, [o.original for o in nest.outputs if escapes(o.original, ops)])


def is_only_init(op: Operation) -> bool:
    """A fill that only reductions and readers of its scalar use needs no phase."""
    return isinstance(op, linalg.FillOp) and all(isinstance(u.operation, linalg.GenericOp) for u in op.results[0].uses)


def forward_within(nests: Sequence[Nest]) -> None:
    """Let each nest take what earlier ones of the group produce from registers."""
    produced: list[SSAValue] = []
    for nest in nests:
        for position, access in enumerate(nest.inputs):
            if isinstance(access, Access) and access.value in produced:
                nest.forwarded[position] = access.value
        produced += [o.original for o in nest.outputs if not o.reduced]


def nest_phase(builder: KernelBuilder, ops: Sequence[Operation], nests: Sequence[Nest], machine: Machine) -> None:
    """One phase for fused nests of one space: chunk a parallel dim over tasks, loop inside."""
    stored = [
        (op, output)
        for op, nest in zip(ops, nests, strict=True)
        for output in nest.outputs
        if escapes(output.original, ops)
    ]
    homes = [builder.destination(op, output.original) for op, output in stored]
    if all(0 in _shape(home) for home in homes):
        for (_, output), home in zip(stored, homes, strict=True):
            builder.define(output.original, home, builder.home(home))
        return
    targets = [_target(builder, op, output, home) for (op, output), home in zip(stored, homes, strict=True)]
    results = placed_phase(builder, nests, targets, homes, machine)
    for (_, output), home, result in zip(stored, homes, results, strict=True):
        builder.define(output.original, result, builder.home(home))


def groups_for(nests: Sequence[Nest], machine: Machine) -> Groups | None:
    """The dims to merge: where they are short for a core's vectors, wherever they can be for a subgroup's."""
    if machine.subgroup > 1:
        return merge_groups(nests, None, reductions=True)
    if any(n.fold is not None for n in nests):
        return merge_groups(nests, None, reductions=True)  # parts are cut off the outermost dim that is reduced
    return merge_groups(nests, 16 * machine.vector_bytes, reductions=True)


def placed_phase(
    builder: KernelBuilder,
    nests: Sequence[Nest],
    targets: Sequence[Target],
    homes: Sequence[SSAValue],
    machine: Machine,
) -> Sequence[SSAValue]:
    """The phase, with dims merged where that helps."""
    groups = groups_for(nests, machine)
    if groups is None or any(t.symbols for t in targets):
        return space_phase(builder, nests, targets, homes, machine)
    return _merged_phase(builder, nests, targets, homes, machine, groups)


def _merged_phase(
    builder: KernelBuilder,
    nests: Sequence[Nest],
    targets: Sequence[Target],
    homes: Sequence[SSAValue],
    machine: Machine,
    groups: Groups,
) -> Sequence[SSAValue]:
    """The phase over merged dims, on collapsed tensors."""
    em = builder.em
    runs = [result_runs(t.exprs, groups) for t in targets]
    flat = [collapse(em, home, r) for home, r in zip(homes, runs, strict=True)]
    merged = [merged_nest(n, groups, lambda value, runs: collapse(em, value, runs)) for n in nests]
    outputs = {o.original: o for n in merged for o in n.outputs}
    placed = [replace(t, output=outputs[t.output.original], exprs=merged_exprs(t.exprs, groups)) for t in targets]
    results = space_phase(builder, merged, placed, flat, machine)
    expanded: list[SSAValue] = []
    for result, home, r in zip(results, homes, runs, strict=True):
        assert isinstance(home.type, TensorType)
        expanded.append(expand(em, result, r, home.type))
    return expanded


def space_phase(
    builder: KernelBuilder,
    nests: Sequence[Nest],
    targets: Sequence[Target],
    homes: Sequence[SSAValue],
    machine: Machine,
) -> Sequence[SSAValue]:
    """The phase itself: tasks over a parallel dim, each looping over its part of the space."""
    if machine.subgroup > 1:
        return simt_phase(builder, nests, targets, homes, machine)
    nests = dense_nests(nests, lambda value, runs: collapse(builder.em, value, runs))
    if is_sweep(nests):
        return _swept(builder, nests, targets, homes, machine)
    columns = find_short_columns(nests, machine)
    if columns is not None:
        return _short_columns(builder, nests, columns, targets, homes, machine)
    plan = with_lines(plan_space(nests, machine), nests, targets, machine)
    cuts = choose_cut(plan, nests, targets, machine)
    split = _find_parts(plan, nests, targets, cuts, machine)
    if split is not None:
        return _split_phases(builder, nests, split, targets, homes, machine)

    def task(ivs: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
        return emit_task(builder, nests, plan, targets, cuts, ivs, outs)

    return builder.phase([c.tasks for c in cuts] or [1], homes, task)


def _short_columns(
    builder: KernelBuilder,
    nests: Sequence[Nest],
    columns: ShortColumns,
    targets: Sequence[Target],
    homes: Sequence[SSAValue],
    machine: Machine,
) -> Sequence[SSAValue]:
    """Reductions along lines shorter than a vector, several of them at once."""
    stored = {t.output.original: t for t in targets}

    def phase(nests: Sequence[Nest], targets: Sequence[Target], homes: Sequence[SSAValue], machine: Machine):
        return space_phase(builder, nests, targets, homes, machine)

    def merge(
        nests: Sequence[Nest], split: Split, wanted: Sequence[Target], parts: Sequence[SSAValue], machine: Machine
    ) -> Sequence[SSAValue]:
        places = [_ending(w, stored) for w in wanted]
        return merge_phase(builder, nests, split, (stored, places), parts, homes, machine)

    return short_columns(builder, nests, columns, machine, phase, merge)


def _ending(target: Target, stored: Mapping[SSAValue, Target]) -> Target:
    """Where a result goes in the end; it no longer starts from what is there where it starts from something else."""
    known = stored.get(target.output.original, target)
    return replace(known, output=target.output, reads_old=known.reads_old and target.output.init is known.output.init)


def _swept(
    builder: KernelBuilder,
    nests: Sequence[Nest],
    targets: Sequence[Target],
    homes: Sequence[SSAValue],
    machine: Machine,
) -> Sequence[SSAValue]:
    """Reductions along different dims in one pass, then their parts merged."""
    results, merges = sweep_phases(builder, nests, targets, homes, machine)
    for i, merged, target in merges:
        (results[i],) = space_phase(builder, [merged], [target], [homes[i]], replace(machine, tasks=1))
    return results


def _find_parts(
    plan: Plan, nests: Sequence[Nest], targets: Sequence[Target], cuts: Sequence[Cut], machine: Machine
) -> Split | None:
    """The parts of a reduction to few points, for tasks that no cut of its results would give."""
    wanted = tasks_for(_work(nests, plan), machine)
    given = cuts[0].tasks if cuts else 1
    if plan.lines and cuts and cuts[0].dim == plan.vector and _worth_merging(nests[0], plan, wanted):
        given = 1  # lines are read from end to end
    reductions = [n for n in nests if not n.after]
    # A schedule has four tasks a core: of fewer, which do not share out evenly, one core waits for another.
    uneven = given < wanted and given % max(1, machine.tasks // 4) > 0
    if (wanted < 2 * given and not uneven) or any(not o.reduced for n in reductions for o in n.outputs):
        return None
    made = [o.original for n in reductions for o in n.outputs]
    return find_split(
        plan, reductions, [t for t in targets if t.output.original in made], replace(machine, split=wanted)
    )


def _worth_merging(nest: Nest, plan: Plan, tasks: int) -> bool:
    """Whether merging a line of results for each task takes a few hundredths of the time at most."""
    return prod(nest.sizes[d] for d in plan.inner) >= LINES_A_TASK * tasks


def _split_phases(
    builder: KernelBuilder,
    nests: Sequence[Nest],
    split: Split,
    targets: Sequence[Target],
    homes: Sequence[SSAValue],
    machine: Machine,
) -> Sequence[SSAValue]:
    """Parts of the reductions, one a task, into launch scratch; then the parts merged, in order, and what comes after."""
    nest = nests[0]
    stored = {t.output.original: t for t in targets}
    # Parts are merged by all results, whichever are stored in the end.
    wanted = [stored.get(o.original, Target(o, o.exprs)) for o in nest.outputs]
    partial, places, scratch = partial_targets(builder, nest, split, wanted, [homes[0]] * len(wanted))

    def task(ivs: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
        return emit_task(builder, [partial], split.plan, places, [split.cut], ivs, outs)

    results = builder.phase([split.cut.tasks], scratch, task)
    alone = replace(machine, tasks=1, lines=0)
    return merge_phase(builder, nests, split, (stored, wanted), results, homes, alone)


def merge_phase(
    builder: KernelBuilder,
    nests: Sequence[Nest],
    split: Split,
    targets: tuple[Mapping[SSAValue, Target], Sequence[Target]],
    parts: Sequence[SSAValue],
    homes: Sequence[SSAValue],
    machine: Machine,
) -> Sequence[SSAValue]:
    """The phase that merges, in order, the parts of what the first nest reduces, and does the others on each point of it.

    `targets`: where what is stored goes, in the order of `homes`, and where all results of the first nest would.
    """
    nest, *others = nests
    stored, wanted = targets
    merged, merged_targets = merging_nest(nest, split, wanted, parts)
    kept_dims = [d for d in nest.dims if not nest.reduction[d]]
    ends = [replace(renumber(n, kept_dims), sizes=merged.sizes, reduction=merged.reduction) for n in others]
    late = {o.original: o for n in ends for o in n.outputs}
    kept = {t.output.original: t for t in merged_targets}
    kept |= {name: replace(stored[name], output=o, exprs=o.exprs) for name, o in late.items() if name in stored}
    return space_phase(builder, [merged, *ends], [kept[name] for name in stored], homes, machine)


def escapes(value: SSAValue, ops: Sequence[Operation]) -> bool:
    """Whether a result is used outside the group."""
    return any(u.operation not in ops for u in value.uses)


def _target(builder: KernelBuilder, op: Operation, output: Output, home: SSAValue) -> Target:
    symbols: tuple[SSAValue, ...] = ()
    if isinstance(op, tensor.InsertSliceOp):
        symbols = builder.insert_exprs(op)[1]
    return Target(output, output.exprs, symbols, output.updates(home))


def _work(nests: Sequence[Nest], plan: Plan) -> float:
    """Estimated nanoseconds of a phase: of its points, or of the memory it moves."""
    return max(nests[0].points * plan.cost, traffic(nests))


def choose_cut(plan: Plan, nests: Sequence[Nest], targets: Sequence[Target], machine: Machine) -> list[Cut]:
    """The dim cut over tasks, one at most: none when there is too little work."""
    first = nests[0]
    wanted = tasks_for(_work(nests, plan), machine)
    candidates = [d for d in plan.outer if all(step_of(t, d) == 1 for t in targets)]
    if wanted < 2 or not candidates:
        return []
    units = {d: -(-first.sizes[d] // plan.unit(d)) for d in candidates}
    fitting = [d for d in candidates if units[d] >= wanted]
    dim = fitting[0] if fitting else max(candidates, key=lambda d: units[d])
    cut = cut_dim(dim, first.sizes[dim], -(-units[dim] // min(wanted, units[dim])) * plan.unit(dim))
    return [cut] if cut.tasks > 1 else []


def structured_phase(builder: KernelBuilder, op: structured.StructuredOp, machine: Machine) -> None:
    """A structured op stays itself on its destinations: one task, or lines of a sort over tasks.

    Raises:
        UnsupportedError: the machine's tasks are those of subgroups, which do no structured op but updates.
    """
    if machine.subgroup > 1:
        if not isinstance(op, structured.UpdateSliceOp):
            raise unsupported(op, "it has no form for subgroups", "place its kernel on the host")
        update_phase(builder, op, machine)
        return
    if isinstance(op, structured.ScanOp):
        scan_phase(builder, op, machine)
        return
    if isinstance(op, structured.TopKOp):
        top_k_phase(builder, op, machine)
        return
    if isinstance(op, WinogradOp):
        winograd_phase(builder, op, machine)
        return
    homes = [builder.destination(op, r) for r in op.results]
    values = {v: builder.value(v) for v in op.ins}
    dim, chunk, tasks = cut_sort(op, machine) if isinstance(op, structured.SortOp) else (0, 0, 1)

    def task(ivs: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
        em = builder.em
        offsets: list[Index] = [0] * len(_shape(outs[0]))
        sizes: list[Index] = list(_shape(outs[0]))
        if tasks > 1:
            extent = sizes[dim]
            offsets[dim] = em.apply(AffineExpr.dimension(0) * chunk, [ivs[0]])
            left = em.apply(AffineExpr.dimension(0) * (-1) + _shape(outs[0])[dim], [offsets[dim]])
            sizes[dim] = chunk if tasks * chunk == extent else em.minimum(chunk, left)
            parts = [builder.slice_of(out, offsets, sizes) for out in outs]
        else:
            parts = list(outs)
        inner = {v: builder.value(v) for v in captures(op)}
        copy = op.clone({**values, **inner, **dict(zip(op.destinations, parts, strict=True))})
        for result, part in zip(copy.results, parts, strict=True):
            Rewriter.replace_value_with_new_type(result, part.type)
        annotate(copy, machine)
        em.add(copy)
        if tasks > 1:
            return [(r, offsets, sizes) for r in copy.results]
        return [builder.whole(r) for r in copy.results]

    results = builder.phase([tasks], homes, task)
    for old, home, new in zip(op.results, homes, results, strict=True):
        builder.define(old, new, builder.home(home))


def copy_phase(builder: KernelBuilder, source: SSAValue, target: SSAValue, machine: Machine) -> SSAValue:
    """Copy a tensor of the new kernel (or fill with a scalar) into another tensor of it."""
    shape = _shape(target)
    if 0 in shape:
        return target
    exprs = tuple(AffineExpr.dimension(d) for d in range(len(shape)))
    output = Output(target, exprs, reduced=False)
    given = Access(source, exprs) if isinstance(source.type, TensorType) else source
    nest = Nest(shape, (False,) * len(shape), [given], [output], None, builder.em.location)
    emit = placed_phase if machine.subgroup > 1 else space_phase
    return emit(builder, [nest], [Target(output, exprs)], [target], machine)[0]
