"""Reductions of one space along different dims, in one pass over what they read.

```
m[j] = max_i x[i, j];  s[i] = sum_j x[i, j]
```
A task goes over its rows once. What is reduced along a row is in a register meanwhile; what is kept along it is updated in
the task's own line of scratch, which stays in its cache. The lines are merged in the order of the tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.passes.schedules.emit import Index
from stepwell.passes.schedules.kernel_builder import KernelBuilder, Slice
from stepwell.passes.schedules.nest import Access, Nest, Output, is_contiguous
from stepwell.passes.schedules.plan import Machine, Plan, plan_space, tasks_for, traffic
from stepwell.passes.schedules.space import SpaceEmitter, Target
from stepwell.passes.schedules.split_reduction import Split, merging_nest, partial_targets
from stepwell.passes.schedules.tasks import Cut, cut_dim, part_of, place


def is_sweep(nests: Sequence[Nest]) -> bool:
    """Whether nests are reductions of one space, some along its last dim alone and some along others."""
    first = nests[0]
    along = len(first.sizes) - 1
    if along < 1 or 0 in first.sizes or any(n.sizes != first.sizes for n in nests):
        return False
    ends = [n.reduction[along] for n in nests]
    return any(ends) and not all(ends) and all(_is_part(n, along) for n in nests)


def _is_part(nest: Nest, along: int) -> bool:
    """A reduction that may be merged from parts: along the last dim alone, or along the first one and not the last."""
    (output, *others) = nest.outputs
    if others or output.combiner is None or not output.reduced or isinstance(output.init, Access):
        return False
    if nest.reduction[along]:
        return sum(nest.reduction) == 1
    return nest.reduction[0] and is_contiguous(output.exprs, along)


def sweep_phases(
    builder: KernelBuilder,
    nests: Sequence[Nest],
    targets: Sequence[Target],
    homes: Sequence[SSAValue],
    machine: Machine,
) -> tuple[list[SSAValue], list[tuple[int, Nest, Target]]]:
    """The pass: its results, and which of them are parts, each with the nest that merges them and where that goes."""
    along = len(nests[0].sizes) - 1
    rows = [_of_a_row(n) for n in nests]
    plan = plan_space(rows, machine, range(along))
    cut = _cut(nests, plan, machine)
    begun: list[Nest] = list(nests)
    places, tensors = list(targets), list(homes)
    kept = [i for i, n in enumerate(nests) if not n.reduction[along]]
    for i in kept:
        split = Split(plan, cut, leading=True)
        begun[i], (places[i],), (tensors[i],) = partial_targets(builder, nests[i], split, [targets[i]], [homes[i]])
        places[i] = replace(places[i], reads_old=True)

    def task(ivs: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
        return _sweep(builder, begun, plan, places, cut, ivs[0], outs, machine)

    results = list(builder.phase([cut.tasks], tensors, task))
    merges: list[tuple[int, Nest, Target]] = []
    for i in kept:
        merged, (target,) = merging_nest(nests[i], Split(plan, cut, leading=True), [targets[i]], [results[i]])
        merges.append((i, merged, target))
    return results, merges


def _of_a_row(nest: Nest) -> Nest:
    """The nest as one row sees it: what is kept along a row is updated there, not reduced."""
    if nest.reduction[-1]:
        return nest
    outputs = [replace(o, reduced=False) for o in nest.outputs]
    return replace(nest, reduction=(False,) * len(nest.sizes), outputs=outputs)


def _cut(nests: Sequence[Nest], plan: Plan, machine: Machine) -> Cut:
    size = nests[0].sizes[0]
    work = max(nests[0].points * plan.cost, traffic(nests))
    return cut_dim(0, size, -(-size // min(tasks_for(work, machine), size)))


def _sweep(
    builder: KernelBuilder,
    nests: Sequence[Nest],
    plan: Plan,
    targets: Sequence[Target],
    cut: Cut,
    task: Index,
    outs: Sequence[SSAValue],
    machine: Machine,
) -> list[Slice]:
    """The loops of one task over its rows."""
    em, sizes = builder.em, nests[0].sizes
    part = part_of(em, cut, sizes[0], task)
    tensors: list[SSAValue] = []
    placed: dict[SSAValue, Target] = {}
    places: list[tuple[list[Index], list[Index]]] = []
    for nest, target, out in zip(nests, targets, outs, strict=True):
        assert isinstance(out.type, TensorType)
        local, offsets, extents = place(em, target, [part], out.type.get_shape())
        value = builder.slice_of(out, offsets, extents)
        tensors.append(_filled(builder, nest, value, machine) if target.reads_old else value)
        placed[target.output.original] = local
        places.append((offsets, extents))
    rows = [_of_a_row(n) for n in nests]
    names = [t.output.original for t in targets]

    def row(index: list[Index], local: list[Index], values: Sequence[SSAValue]) -> Sequence[SSAValue]:
        emitter = SpaceEmitter(em, rows, plan, builder.resolve, placed)
        last = emitter.run(dict(zip(names, values, strict=True)), [*index, 0], [*local, 0])
        return [last[name] for name in names]

    def loops(level: int, index: list[Index], local: list[Index], values: Sequence[SSAValue]) -> Sequence[SSAValue]:
        if level == len(sizes) - 1:
            return row(index, local, values)

        def trip(iv: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            at = iv if level else em.apply(AffineExpr.dimension(0) + AffineExpr.dimension(1), [part.start, iv])
            return loops(level + 1, [*index, at], [*local, iv], args)

        return em.loop(0, sizes[level] if level else part.extent, 1, values, trip)

    done = loops(0, [], [], tensors)
    em.location = nests[0].location
    return [(v, o, s) for v, (o, s) in zip(done, places, strict=True)]


def _filled(builder: KernelBuilder, nest: Nest, value: SSAValue, machine: Machine) -> SSAValue:
    """A task's line of scratch, holding what its reduction starts from."""
    assert isinstance(value.type, TensorType)
    shape = value.type.get_shape()
    init = nest.outputs[0].init
    assert isinstance(init, SSAValue)
    exprs = tuple(AffineExpr.dimension(d) for d in range(len(shape)))
    output = Output(nest.outputs[0].original, exprs, reduced=False, extents=shape)
    fill = Nest(shape, (False,) * len(shape), [init], [output], None, nest.location)
    targets = {output.original: Target(output, exprs, streams=False)}
    emitter = SpaceEmitter(builder.em, [fill], plan_space([fill], machine), builder.resolve, targets)
    return emitter.run({output.original: value}, [0] * len(shape))[output.original]


__all__ = ["is_sweep", "sweep_phases"]
