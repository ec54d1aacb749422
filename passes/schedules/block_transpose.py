"""Pointwise nests that read along another dim than they write along: a block transposes tiles through its scratch.

```
out[v, c] = f(in[c, v])  where v is contiguous in neither      a block does a tile of both dims:
  forall subgroups: rows of `in` along its contiguous dim      ->  scratch[v, c], lines longer than the tile by `pad`
  forall subgroups: columns of the scratch along v, all other inputs, the bodies   ->  rows of `out`
```
Both sides of memory see whole rows; the padding puts the elements of a column in different banks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.builtin import TensorType, i1
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects.kernel import Level, ScratchScope
from stepwell.passes.schedules.emit import Index
from stepwell.passes.schedules.kernel_builder import KernelBuilder, Slice
from stepwell.passes.schedules.lanes import can_vectorize, transfer_read, transfer_write, vector_of
from stepwell.passes.schedules.nest import Access, Nest, is_contiguous, uses_dim
from stepwell.passes.schedules.plan import Machine, Plan, legal
from stepwell.passes.schedules.space import SpaceEmitter, Target
from stepwell.passes.schedules.subgroup_plan import trips_at_once
from stepwell.passes.schedules.tasks import Part, cut_dim, part_of, place, step_of


@dataclass(frozen=True)
class _Tile:
    """A block's slice of an output: places relative to it, and its sizes."""

    target: Target
    sizes: Sequence[Index]


@dataclass(frozen=True)
class Crossing:
    """The dim written along, the one read along, and the inputs that are: (nest, position)."""

    along: int
    across: int
    inputs: tuple[tuple[int, int], ...]


def find_crossing(plan: Plan, nests: Sequence[Nest], targets: Sequence[Target], machine: Machine) -> Crossing | None:
    """The dims to transpose, when the schedule gives tiles for it and some input is contiguous along another dim.

    Extents of less than half a tile are not worth one: most lanes would have nothing to do.
    """
    if machine.tile < 1 or machine.vector_bytes == 0 or not plan.outer or plan.inner:
        return None
    along, sizes = plan.outer[-1], nests[0].sizes
    if not legal(nests, along) or not all(can_vectorize(n.body) for n in nests) or 2 * sizes[along] < machine.tile:
        return None
    for across in reversed(plan.outer):
        if across == along or 2 * sizes[across] < machine.tile:
            continue
        crossed = tuple(
            (n, i)
            for n, nest in enumerate(nests)
            for i, access in enumerate(nest.inputs)
            if isinstance(access, Access) and i not in nest.forwarded and _crosses(access, along, across)
        )
        if crossed and all(step_of(t, d) is not None for t in targets for d in (along, across)):
            return Crossing(along, across, crossed)
    return None


def _crosses(access: Access, along: int, across: int) -> bool:
    return access.element != i1 and is_contiguous(access.exprs, across) and uses_dim(access.exprs, along)


def transpose_phase(
    builder: KernelBuilder,
    nests: Sequence[Nest],
    plan: Plan,
    crossing: Crossing,
    targets: Sequence[Target],
    homes: Sequence[SSAValue],
    machine: Machine,
) -> Sequence[SSAValue]:
    """One block per tile of the two dims and point of the others."""
    phase = _Transpose(builder, nests, plan, crossing, targets, machine)
    return builder.phase([c.tasks for c in phase.cuts], homes, phase.block_task, Level.BLOCK)


class _Transpose:
    """Emits the tasks of one phase."""

    def __init__(
        self,
        builder: KernelBuilder,
        nests: Sequence[Nest],
        plan: Plan,
        crossing: Crossing,
        targets: Sequence[Target],
        machine: Machine,
    ):
        self.builder, self.em = builder, builder.em
        self.nests, self.crossing, self.targets = nests, crossing, targets
        sizes = nests[0].sizes
        self.tile = machine.tile
        self.lines = -(-machine.tile // machine.subgroups)
        """Lines of a tile that a subgroup does."""
        self.subgroups = -(-machine.tile // self.lines)
        self.pad = machine.pad
        others = [d for d in plan.outer if d not in (crossing.along, crossing.across)]
        cuttable = [d for d in others if all(step_of(t, d) is not None for t in targets)]
        self.cuts = [cut_dim(d, sizes[d], 1) for d in cuttable]
        self.cuts += [cut_dim(d, sizes[d], self.tile) for d in (crossing.across, crossing.along)]
        self.looped = tuple(d for d in others if d not in cuttable)
        rest = (*cuttable, crossing.across, crossing.along)
        at_once = trips_at_once(nests, -(-self.tile // machine.subgroup))
        self.plan = replace(
            plan, outer=rest, vector=crossing.along, width=self.tile, subgroup=machine.subgroup, at_once=at_once
        )

    def block_task(self, task: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
        """A tile: its slices of the outputs, one or (where a dim cannot be cut) several rounds of staging."""
        em, sizes = self.em, self.nests[0].sizes
        parts = [part_of(em, cut, sizes[cut.dim], iv) for cut, iv in zip(self.cuts, task, strict=True)]
        slices: list[SSAValue] = []
        local: list[_Tile] = []
        places: list[tuple[Sequence[Index], Sequence[Index]]] = []
        for target, out in zip(self.targets, outs, strict=True):
            assert isinstance(out.type, TensorType)
            moved, offsets, extents = place(em, target, parts, out.type.get_shape())
            local.append(_Tile(moved, extents))
            places.append((offsets, extents))
            slices.append(self.builder.slice_of(out, offsets, extents))
        index: list[Index] = [0] * len(sizes)
        for part in parts:
            index[part.dim] = part.start
        last = self._rounds(0, index, parts, local, slices)
        em.location = self.nests[0].location
        return [(value, o, s) for value, (o, s) in zip(last, places, strict=True)]

    def _rounds(
        self, level: int, index: list[Index], parts: Sequence[Part], targets: Sequence[_Tile], outs: Sequence[SSAValue]
    ) -> Sequence[SSAValue]:
        """Loops of the whole block over the dims that are not cut, then one round of staging."""
        if level == len(self.looped):
            staged = self._stage(index, parts)
            return self._columns(index, parts, staged, targets, outs)
        dim = self.looped[level]

        def trip(iv: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            at = list(index)
            at[dim] = iv
            return self._rounds(level + 1, at, parts, targets, args)

        return self.em.loop(0, self.nests[0].sizes[dim], 1, outs, trip)

    def _lines_of(self, subgroup: Index, extent: Index) -> tuple[Index, Index]:
        """The first line of a subgroup, relative to the tile, and how many of its lines the tile has."""
        em, d = self.em, AffineExpr.dimension(0)
        first = em.apply(d * self.lines, [subgroup])
        if extent == self.tile == self.lines * self.subgroups:
            return first, self.lines
        first = em.minimum(first, extent)
        return first, em.minimum(self.lines, em.apply(AffineExpr.dimension(1) - d, [first, extent]))

    @staticmethod
    def _part(parts: Sequence[Part], dim: int) -> Part:
        return next(p for p in parts if p.dim == dim)

    def _stage(self, index: list[Index], parts: Sequence[Part]) -> dict[tuple[int, int], SSAValue]:
        """Read the crossed inputs' rows of the tile into scratch of the block, a line per point along."""
        em, along, across = self.em, self._part(parts, self.crossing.along), self._part(parts, self.crossing.across)
        accesses = [self.nests[n].inputs[i] for n, i in self.crossing.inputs]
        shape = [self.lines * self.subgroups, self.tile + self.pad]
        kinds = [TensorType(a.element, shape) for a in accesses if isinstance(a, Access)]
        scratch = [self.builder.scratch(kind, ScratchScope.BLOCK) for kind in kinds]

        def task(ivs: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
            first, count = self._lines_of(ivs[0], along.extent)
            own_first = em.apply(AffineExpr.dimension(0) * self.lines, [ivs[0]])
            places: tuple[list[Index], list[Index]] = ([own_first, 0], [self.lines, shape[1]])
            own = [self.builder.slice_of(out, *places) for out in outs]
            mask = self._mask(across.extent)

            def line(iv: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
                point = list(index)
                d = AffineExpr.dimension
                point[along.dim] = em.apply(d(0) + d(1) + d(2), [along.start, first, iv])
                written: list[SSAValue] = []
                for access, target in zip(accesses, args, strict=True):
                    assert isinstance(access, Access)
                    indices = [em.apply(e, point, access.symbols) for e in access.exprs]
                    value = transfer_read(em, access.value, indices, [self.tile], mask)
                    written.append(transfer_write(em, value, target, [iv, 0]))
                return written

            return [(v, *places) for v in em.loop(0, count, 1, own, line, self.plan.at_once)]

        staged = self.builder.phase([self.subgroups], scratch, task, Level.SUBGROUP)
        return dict(zip(self.crossing.inputs, staged, strict=True))

    def _mask(self, extent: Index) -> SSAValue | None:
        """The lanes of a line that lie inside."""
        if extent == self.tile:
            return None
        if isinstance(extent, int):
            return self.em.constant_mask([extent], [self.tile])
        return self.em.add(upstream_vector.CreateMaskOp([extent], vector_of(i1, self.tile))).results[0]

    def _columns(
        self,
        index: list[Index],
        parts: Sequence[Part],
        staged: dict[tuple[int, int], SSAValue],
        targets: Sequence[_Tile],
        outs: Sequence[SSAValue],
    ) -> Sequence[SSAValue]:
        """Evaluate the bodies along the written dim, the crossed inputs read from the scratch's columns."""
        em, along, across = self.em, self._part(parts, self.crossing.along), self._part(parts, self.crossing.across)
        nests = [self._from_scratch(n, along, across, staged) for n in range(len(self.nests))]

        def task(ivs: Sequence[Index], shared: Sequence[SSAValue]) -> Sequence[Slice]:
            first, count = self._lines_of(ivs[0], across.extent)
            start = em.apply(AffineExpr.dimension(0) + AffineExpr.dimension(1), [across.start, first])
            own = Part(across.dim, 0, first, count)
            slices: dict[SSAValue, SSAValue] = {}
            local: dict[SSAValue, Target] = {}
            places: list[tuple[list[Index], list[Index]]] = []
            for tile, out in zip(targets, shared, strict=True):
                moved, offsets, sizes = place(em, tile.target, [own], tile.sizes)
                local[moved.output.original] = moved
                slices[moved.output.original] = self.builder.slice_of(out, offsets, sizes)
                places.append((offsets, sizes))
            starts = {p.dim: p.start for p in parts} | {across.dim: start}
            extents = {p.dim: p.extent for p in parts} | {across.dim: count}
            emitter = SpaceEmitter(em, nests, self.plan, self.builder.resolve, local, starts, extents)
            last = emitter.run(slices, list(index), [0 if d not in self.looped else i for d, i in enumerate(index)])
            return [(last[t.target.output.original], *p) for t, p in zip(targets, places, strict=True)]

        return self.builder.phase([self.subgroups], outs, task, Level.SUBGROUP)

    def _from_scratch(self, number: int, along: Part, across: Part, staged: dict[tuple[int, int], SSAValue]) -> Nest:
        """A nest whose crossed inputs are in the scratch, which starts where the tile does."""
        d, s = AffineExpr.dimension, AffineExpr.symbol
        exprs = (d(along.dim) - s(0), d(across.dim) - s(1))
        starts = tuple(self.em.indices([along.start, across.start]))
        nest = self.nests[number]
        inputs = list(nest.inputs)
        for position in range(len(inputs)):
            if (number, position) in staged:
                inputs[position] = Access(staged[number, position], exprs, starts)
        return replace(nest, inputs=inputs)


__all__ = ["Crossing", "find_crossing", "transpose_phase"]
