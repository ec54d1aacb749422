"""The `loops` strategy: each op, or run of pointwise ops over one space, is a parallel phase of vectorized loops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from xdsl.dialects import tensor
from xdsl.dialects.builtin import TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineExpr
from xdsl.rewriter import Rewriter

from stepwell.dialects import structured
from stepwell.ir.structured import iterator_kinds
from stepwell.passes.fusion.classify import captures
from stepwell.passes.schedules.emit import Index
from stepwell.passes.schedules.kernel_builder import KernelBuilder, Slice, is_scheduled
from stepwell.passes.schedules.merge import (
    Groups,
    collapse,
    expand,
    merge_groups,
    merged_exprs,
    merged_nest,
    result_runs,
)
from stepwell.passes.schedules.nest import Access, Nest, Output, linear_form, uses_dim
from stepwell.passes.schedules.space import Machine, Plan, SpaceEmitter, Target, plan_space


def schedule_loops(builder: KernelBuilder, machine: Machine) -> None:
    """Schedule every op of the kernel, in order."""
    group: list[Operation] = []
    for op in builder.func.body.block.ops:
        if op is builder.func.return_op:
            break
        if is_scheduled(op) and group and joins(group, op):
            group.append(op)
            continue
        if is_scheduled(op) or _depends(op, group):
            flush(builder, group, machine)
        if not builder.pass_through(op):
            group.append(op)
    flush(builder, group, machine)


def _depends(op: Operation, group: Sequence[Operation]) -> bool:
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
    if isinstance(ops[0], linalg.FillOp) and _is_only_init(ops[0]):
        return
    nests = [builder.nest(op) for op in ops]
    forward_within(nests)
    nest_phase(builder, ops, nests, machine)


def _is_only_init(op: linalg.FillOp) -> bool:
    """A fill that only reductions and readers of its scalar use needs no phase."""
    return all(isinstance(u.operation, linalg.GenericOp) for u in op.results[0].uses)


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
    groups = merge_groups(nests, 16 * machine.vector_bytes)
    if groups is None or any(t.symbols for t in targets):
        results = space_phase(builder, nests, targets, homes, machine)
    else:
        results = _merged_phase(builder, nests, targets, homes, machine, groups)
    for (_, output), home, result in zip(stored, homes, results, strict=True):
        builder.define(output.original, result, builder.home(home))


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
    merged = [merged_nest(em, n, groups) for n in nests]
    placed = [replace(t, exprs=merged_exprs(t.exprs, groups)) for t in targets]
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
    plan = plan_space(nests, machine)
    cut = choose_chunks(plan, nests, targets, machine)

    def task(ivs: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
        return _emit_task(builder, nests, plan, targets, cut, ivs[0], outs)

    return builder.phase([cut[2]], homes, task)


def escapes(value: SSAValue, ops: Sequence[Operation]) -> bool:
    """Whether a result is used outside the group."""
    return any(u.operation not in ops for u in value.uses)


def _target(builder: KernelBuilder, op: Operation, output: Output, home: SSAValue) -> Target:
    symbols: tuple[SSAValue, ...] = ()
    if isinstance(op, tensor.InsertSliceOp):
        symbols = builder.insert_exprs(op)[1]
    reads_old = isinstance(output.init, Access) and output.init.value is home
    return Target(output, output.exprs, symbols, reads_old)


def choose_chunks(
    plan: Plan, nests: Sequence[Nest], targets: Sequence[Target], machine: Machine
) -> tuple[int | None, int, int]:
    """The dim cut over tasks, points per task, and how many tasks; one task when there is too little work."""
    first = nests[0]
    wanted = min(machine.tasks, int(first.points * plan.cost / machine.grain))
    candidates = [d for d in plan.outer if all(_cuttable(t, d) for t in targets)]
    if wanted < 2 or not candidates:
        return None, 0, 1
    fitting = [d for d in candidates if first.sizes[d] >= wanted]
    dim = fitting[0] if fitting else max(candidates, key=lambda d: first.sizes[d])
    size = first.sizes[dim]
    chunk = -(-size // min(wanted, size))
    if dim in (plan.vector, plan.crossed):
        chunk = -(-chunk // plan.width) * plan.width
    tasks = -(-size // chunk)
    return (dim, chunk, tasks) if tasks > 1 else (None, 0, 1)


def _cuttable(target: Target, dim: int) -> bool:
    """The dim moves the result along exactly one of its dims, by ones."""
    using = [e for e in target.exprs if uses_dim([e], dim)]
    form = linear_form(using[0]) if len(using) == 1 else None
    return form is not None and form[0] == {dim: 1}


def _emit_task(
    builder: KernelBuilder,
    nests: Sequence[Nest],
    plan: Plan,
    targets: Sequence[Target],
    cut: tuple[int | None, int, int],
    task: Index,
    outs: Sequence[SSAValue],
) -> Sequence[Slice]:
    """The loops of one task over its chunk, on slices of the shared outputs."""
    dim, chunk, tasks = cut
    em = builder.em
    starts: dict[int, Index] = {}
    extents: dict[int, Index] = {}
    if dim is not None:
        size = nests[0].sizes[dim]
        starts[dim] = em.apply(AffineExpr.dimension(0) * chunk, [task])
        left = em.apply(AffineExpr.dimension(0) * (-chunk) + size, [task])
        extents[dim] = chunk if tasks * chunk == size else em.minimum(chunk, left)
    slices: dict[SSAValue, SSAValue] = {}
    placed: dict[SSAValue, Target] = {}
    places: list[tuple[Sequence[Index], Sequence[Index]]] = []
    for target, out in zip(targets, outs, strict=True):
        exprs, offsets, sizes = _place(builder, target, dim, starts, extents, _shape(out))
        slices[target.output.original] = builder.slice_of(out, offsets, sizes)
        placed[target.output.original] = replace(target, exprs=exprs)
        places.append((offsets, sizes))
    emitter = SpaceEmitter(em, nests, plan, builder.resolve, placed, starts, extents)
    last = emitter.run(slices, [0] * len(nests[0].sizes))
    em.location = nests[0].location
    return [(last[t.output.original], offsets, sizes) for t, (offsets, sizes) in zip(targets, places, strict=True)]


def _place(
    builder: KernelBuilder,
    target: Target,
    dim: int | None,
    starts: dict[int, Index],
    extents: dict[int, Index],
    shape: Sequence[int],
) -> tuple[tuple[AffineExpr, ...], list[Index], list[Index]]:
    """A task's slice of an output, and positions relative to it."""
    exprs = list(target.exprs)
    offsets: list[Index] = [0] * len(shape)
    sizes: list[Index] = list(shape)
    if dim is not None:
        position = next(i for i, e in enumerate(exprs) if uses_dim([e], dim))
        form = linear_form(exprs[position])
        assert form is not None
        offsets[position] = builder.em.apply(AffineExpr.dimension(0) + form[1], [starts[dim]])
        sizes[position] = extents[dim]
        exprs[position] = AffineExpr.dimension(dim)
    return tuple(exprs), offsets, sizes


def structured_phase(builder: KernelBuilder, op: structured.StructuredOp, machine: Machine) -> None:
    """A structured op stays itself on its destinations: one task, or lines of a sort over tasks."""
    homes = [builder.destination(op, r) for r in op.results]
    values = {v: builder.value(v) for v in op.ins}
    dim, chunk, tasks = _cut_lines(op, machine)

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
        em.add(copy)
        if tasks > 1:
            return [(r, offsets, sizes) for r in copy.results]
        return [builder.whole(r) for r in copy.results]

    results = builder.phase([tasks], homes, task)
    for old, home, new in zip(op.results, homes, results, strict=True):
        builder.define(old, new, builder.home(home))


def _cut_lines(op: structured.StructuredOp, machine: Machine) -> tuple[int, int, int]:
    """The dim of a sort cut over tasks, lines per task, tasks; other structured ops are one task."""
    if not isinstance(op, structured.SortOp):
        return 0, 0, 1
    shape = _shape(op.results[0])
    line = op.dimension.value.data
    others = [d for d in range(len(shape)) if d != line]
    if not others or 0 in shape:
        return 0, 0, 1
    dim = max(others, key=lambda d: shape[d])
    # Merge sort: about 4 ns per element and level.
    work = 4 * prod(shape) * max(1, shape[line].bit_length())
    wanted = min(machine.tasks, work // machine.grain, shape[dim])
    if wanted < 2:
        return 0, 0, 1
    chunk = -(-shape[dim] // wanted)
    return dim, chunk, -(-shape[dim] // chunk)


def copy_phase(builder: KernelBuilder, source: SSAValue, target: SSAValue) -> SSAValue:
    """Copy a tensor of the new kernel (or fill with a scalar) into another tensor of it."""
    shape = _shape(target)
    if 0 in shape:
        return target
    exprs = tuple(AffineExpr.dimension(d) for d in range(len(shape)))
    output = Output(target, exprs, reduced=False)
    given = Access(source, exprs) if isinstance(source.type, TensorType) else source
    nest = Nest(shape, (False,) * len(shape), [given], [output], None, builder.em.location)
    return space_phase(builder, [nest], [Target(output, exprs)], [target], Machine(16))[0]
