"""Cutting the space of a phase over tasks: which part of it a task does, and which slices of the results are its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr, AffineSymExpr

from stepwell.passes.schedules.emit import Emitter, Index
from stepwell.passes.schedules.kernel_builder import KernelBuilder, Slice
from stepwell.passes.schedules.lines import LinesEmitter
from stepwell.passes.schedules.nest import Nest, coefficient, uses_dim
from stepwell.passes.schedules.plan import Plan
from stepwell.passes.schedules.space import SpaceEmitter, Target
from stepwell.passes.schedules.turning import TurningEmitter


@dataclass(frozen=True)
class Cut:
    """A dim in pieces of `chunk` points (the last may be smaller), one a task."""

    dim: int
    chunk: int
    tasks: int


@dataclass(frozen=True)
class Part:
    """A task's piece of a cut dim."""

    dim: int
    number: Index
    start: Index
    extent: Index


def cut_dim(dim: int, size: int, chunk: int) -> Cut:
    """A dim of `size` points in pieces of `chunk`."""
    return Cut(dim, chunk, -(-size // chunk))


def step_of(target: Target, dim: int) -> int | None:
    """By how much a point along `dim` moves the result, when only `dim` moves it along that dim of the tensor."""
    using = [e for e in target.exprs if uses_dim([e], dim)]
    if len(using) != 1 or len(using[0].used_dims()) != 1:
        return None
    step = coefficient(using[0], dim)
    return step if step is not None and step > 0 else None


def part_of(em: Emitter, cut: Cut, size: int, task: Index) -> Part:
    """The piece of task `task`."""
    start = em.apply(AffineExpr.dimension(0) * cut.chunk, [task])
    if cut.tasks * cut.chunk == size:
        return Part(cut.dim, task, start, cut.chunk)
    left = em.apply(AffineExpr.dimension(0) * (-cut.chunk) + size, [task])
    return Part(cut.dim, task, start, em.minimum(cut.chunk, left))


def place(
    em: Emitter, target: Target, parts: Sequence[Part], shape: Sequence[Index]
) -> tuple[Target, list[Index], list[Index]]:
    """The target relative to a task's slice of an output, and the slice: offsets and sizes."""
    exprs = list(target.exprs)
    offsets: list[Index] = [0] * len(shape)
    sizes: list[Index] = list(shape)
    d = AffineExpr.dimension(0)
    for part in parts:
        position = next((i for i, e in enumerate(exprs) if uses_dim([e], part.dim)), None)
        if position is None:
            assert target.part is not None, "a task's results do not tell it from others"
            offsets[target.part], sizes[target.part] = part.number, 1
            continue
        step = coefficient(exprs[position], part.dim)
        assert step is not None
        base = _without_dims(exprs[position])
        offsets[position] = em.apply(d * step + base, [part.start], target.symbols)
        sizes[position] = part.extent if step == 1 else em.apply((d - 1) * step + 1, [part.extent])
        exprs[position] = AffineExpr.dimension(part.dim) * step
    return replace(target, exprs=tuple(exprs)), offsets, sizes


def _without_dims(expr: AffineExpr) -> AffineExpr:
    """What is left of an expression at the origin: a constant and symbols."""
    dims = 1 + max(expr.used_dims(), default=-1)
    symbols = 1 + max((e.position for e in expr.dfs() if isinstance(e, AffineSymExpr)), default=-1)
    kept = [AffineExpr.symbol(i) for i in range(symbols)]
    return expr.replace_dims_and_symbols([AffineExpr.constant(0)] * dims, kept)


def emit_task(
    builder: KernelBuilder,
    nests: Sequence[Nest],
    plan: Plan,
    targets: Sequence[Target],
    cuts: Sequence[Cut],
    task: Sequence[Index],
    outs: Sequence[SSAValue],
) -> Sequence[Slice]:
    """The loops of one task over its part, on slices of the shared outputs."""
    em, sizes = builder.em, nests[0].sizes
    parts = [part_of(em, cut, sizes[cut.dim], iv) for cut, iv in zip(cuts, task, strict=False)]
    slices: dict[SSAValue, SSAValue] = {}
    placed: dict[SSAValue, Target] = {}
    places: list[tuple[Sequence[Index], Sequence[Index]]] = []
    for target, out in zip(targets, outs, strict=True):
        assert isinstance(out.type, TensorType)
        local, offsets, extents = place(em, target, parts, out.type.get_shape())
        slices[target.output.original] = builder.slice_of(out, offsets, extents)
        placed[target.output.original] = local
        places.append((offsets, extents))
    starts = {p.dim: p.start for p in parts}
    kind = LinesEmitter if plan.lines else SpaceEmitter if plan.stage is None else TurningEmitter
    emitter = kind(em, nests, plan, builder.resolve, placed, starts, {p.dim: p.extent for p in parts})
    last = emitter.run(slices, [0] * len(sizes))
    em.location = nests[0].location
    return [(last[t.output.original], o, s) for t, (o, s) in zip(targets, places, strict=True)]


__all__ = ["Cut", "Part", "cut_dim", "emit_task", "part_of", "place", "step_of"]
