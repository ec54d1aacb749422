"""The `block-contraction` strategy: sums of products by blocks of subgroups that share the operands' tiles.

    forall block (batch, tile of m, tile of n):
      forall subgroup: sums = 0
      copy steps 0 .. stages - 2 of A and B to scratch
      for step along k:
        forall subgroup {wait}: sums += A tile * B tile, from slot step % stages
        forall subgroup: copy step + stages - 1, to the slot that was read a step ago
      forall subgroup: epilogue on the sums, write

A copy goes to the slot read last, after it was read, so that one meeting of the subgroups per step suffices; with one stage the
copy comes first. Where the last tile is not full, copies are filled up with zeros and writes are masked. The numbers come from
`block_tiles`, copies from `block_staging`, what follows the sums from `block_epilogue`. Every other op of the kernel is done by
the `loops` strategy.

With `k_split`, blocks make parts of the sums: each does some of the steps and leaves its tile in launch scratch, where a second
phase adds the parts up, in their order. The epilogue is then an op like others. With `pack_a` or `pack_b`, a phase before it
copies the factor to launch scratch whose rows start where lanes can take 16 bytes at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod

from xdsl.dialects import arith, scf, tensor
from xdsl.dialects.builtin import DYNAMIC_INDEX, IntegerAttr, TensorType, i64
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineExpr, AffineMap

from stepwell.dialects import kernel, vector
from stepwell.ir.dtypes import byte_width
from stepwell.passes.schedules.block_epilogue import is_readable, prepare, read_tile, tile_epilogue
from stepwell.passes.schedules.block_staging import Operand, copy_share, corner_of, create_mask
from stepwell.passes.schedules.block_tiles import (
    COPY_BYTES,
    BlockTile,
    casts_of,
    copied_singly,
    k_parts,
    refusal,
    share,
    staged,
    trips,
)
from stepwell.passes.schedules.contraction_analysis import Contraction, find_contraction, ops_between
from stepwell.passes.schedules.emit import Emitter, Index, number
from stepwell.passes.schedules.kernel_builder import KernelBuilder, Slice, is_scheduled
from stepwell.passes.schedules.lanes import (
    Lanes,
    Point,
    broadcast,
    evaluate_on_tile,
    transfer_read,
    transfer_write,
    vector_of,
)
from stepwell.passes.schedules.loops import escapes, placed_phase, schedule_around
from stepwell.passes.schedules.nest import Access, Nest, Output
from stepwell.passes.schedules.plan import Machine
from stepwell.passes.schedules.space import Target
from stepwell.passes.schedules.split_reduction import Split, merging_nest
from stepwell.passes.schedules.subgroup_plan import plan_lanes
from stepwell.passes.schedules.tasks import Cut

Tiles = Callable[[Contraction], BlockTile | str]
"""The tile for a contraction of the kernel, or why it has none."""


def schedule_block_contraction(builder: KernelBuilder, machine: Machine, tiles: Tiles) -> None:
    """Contractions of the kernel by blocks, with the pointwise ops on their results; the rest as loops."""

    def whole(op: Operation) -> Sequence[Operation] | None:
        phase = _phase_of(builder, op, machine, tiles)
        return None if phase is None else phase.emit()

    schedule_around(builder, machine, whole)


def _phase_of(builder: KernelBuilder, op: Operation, machine: Machine, tiles: Tiles) -> _BlockPhase | None:
    found = find_contraction(op)
    if not isinstance(found, Contraction) or refusal(found) is not None:
        return None
    tile = tiles(found)
    if not isinstance(tile, BlockTile):
        return None
    nest = builder.nest(op)
    operands = [nest.inputs[found.a], nest.inputs[found.b]]
    # An operand that is one number has nothing to copy.
    if not all(isinstance(o, Access) for o in operands):
        return None
    init = nest.outputs[0].init
    m, n = found.m, found.n
    assert m is not None
    if isinstance(init, Access) and not is_readable(init.exprs, m, n):
        return None
    return _BlockPhase(builder, found, nest, tile, machine)


class _BlockPhase:
    """Emits the phase of one contraction and its epilogue."""

    def __init__(self, builder: KernelBuilder, found: Contraction, nest: Nest, tile: BlockTile, machine: Machine):
        self.builder = builder
        self.found = found
        self.tile = tile
        self.em: Emitter = builder.em
        self.nest = nest
        assert found.m is not None
        self.m: int = found.m
        self.machine = machine
        self.parts, self.steps = k_parts(found, tile)
        self.epilogue = tile_epilogue(found) if self.parts == 1 else []
        ops: list[Operation] = [found.op, *self.epilogue]
        # Ops in between (empties, constants) must be known before the tile reads them.
        between = ops_between(found.op, ops)
        self.skipped = [op for op in between if not is_scheduled(op) and builder.pass_through(op)]
        self.epilogue_nests = [builder.nest(op) for op in self.epilogue]
        self.stored = [(op, r) for op in ops for r in op.results if escapes(r, ops)]
        self.place = [e.position for e in found.maps[2].results if isinstance(e, AffineDimExpr)]
        self.trips = trips(found, tile)
        self.bound: Index = self.steps
        """Steps of the block at hand."""
        self.first: Index = 0
        """Its first one."""
        # Those of every block: what is copied ahead of its first step is there.
        self.stages = min(tile.stages, self.trips - (self.parts - 1) * self.steps)
        self.operands = self._operands(machine.subgroup)

    def _operands(self, lanes: int) -> list[Operand]:
        found, tile = self.found, self.tile
        made: list[Operand] = []
        sides = staged(found, tile)
        for position, side, casts in zip((found.a, found.b), sides, casts_of(found, tile), strict=True):
            access = self.nest.inputs[position]
            assert isinstance(access, Access)
            ahead = self.stages > 1 and not casts
            part = share(side, tile.subgroups, lanes, ahead and copied_singly(side))
            assert part is not None, "a tile that was not checked"
            extents = found.sizes[side.dims[0]], found.sizes[side.dims[1]]
            made.append(Operand(access, casts, side, part, extents, ahead))
        return made

    def emit(self) -> list[Operation]:
        """Emit; returns the ops that are done besides the contraction."""
        builder, em, found, tile = self.builder, self.em, self.found, self.tile
        em.location = found.op.location
        rows, columns = self.place.index(self.m), self.place.index(found.n)
        for nest in self.epilogue_nests:
            prepare(em, nest, rows, columns)
        self.homes = [builder.destination(op, r) for op, r in self.stored]
        self._pack()
        counts = [found.sizes[d] for d in found.outer]
        counts += [-(-found.sizes[self.m] // tile.bm), -(-found.sizes[found.n] // tile.bn)]
        if self.parts > 1:
            results = self._merged(counts)
        else:
            results = builder.phase(counts, self.homes, self._task, kernel.Level.BLOCK)
        for (_, original), home, result in zip(self.stored, self.homes, results, strict=True):
            builder.define(original, result, builder.home(home))
        return [*self.epilogue, *self.skipped]

    def _pack(self) -> None:
        """Have factors in rows that start at multiples of what a lane copies at once."""
        for position, asked in enumerate((self.tile.pack_a, self.tile.pack_b)):
            operand = self.operands[position]
            if asked:
                access = replace(operand.access, value=self._packed(operand.access.value))
                self.operands[position] = replace(operand, access=access)

    def _packed(self, value: SSAValue) -> SSAValue:
        """A tensor in launch scratch whose last dim is longer, if it must be."""
        assert isinstance(value.type, TensorType)
        element, shape = value.type.element_type, value.type.get_shape()
        each = COPY_BYTES // byte_width(element)
        long = -(-shape[-1] // each) * each
        if long == shape[-1]:
            return value
        scratch = self.builder.scratch(TensorType(element, [*shape[:-1], long]), kernel.ScratchScope.LAUNCH)
        exprs = tuple(AffineExpr.dimension(d) for d in range(len(shape)))
        output = Output(scratch, exprs, reduced=False)
        nest = Nest(shape, (False,) * len(shape), [Access(value, exprs)], [output], None, self.found.op.location)
        machine = replace(self.machine, split=1, tile=0)
        return placed_phase(self.builder, [nest], [Target(output, exprs)], [scratch], machine)[0]

    def _merged(self, counts: Sequence[int]) -> Sequence[SSAValue]:
        """The parts of the sums in launch scratch, each tile's by `parts` blocks, and a phase that adds them up."""
        builder = self.builder
        output = self.nest.outputs[0]
        scratch = builder.scratch(
            TensorType(self.found.accumulator, [self.parts, *output.shape]), kernel.ScratchScope.LAUNCH
        )
        partial = builder.phase([self.parts, *counts], [scratch], self._task, kernel.Level.BLOCK)
        target = Target(output, output.exprs)
        cut = Cut(self.found.reduced[-1], self.steps * self.tile.bk, self.parts)
        split = Split(plan_lanes([self.nest], self.machine), cut, leading=True)
        nest, targets = merging_nest(self.nest, split, [target], partial)
        return placed_phase(builder, [nest], targets, self.homes, self._merger(output.element))

    def _merger(self, element: Attribute) -> Machine:
        """What adds parts up: there is one phase for it, and numbers are as many a lane as leave work for everybody."""
        machine, found = self.machine, self.found
        each = max(1, machine.vector_bytes // byte_width(element) // machine.subgroup)
        while each > 1 and prod(found.sizes[d] for d in (*found.outer, self.m, found.n)) < machine.tasks * each:
            each //= 2
        return replace(machine, vector_bytes=each * byte_width(element) * machine.subgroup, split=1, tile=0)

    # A block's task.

    def _task(self, ivs: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
        em, found, tile = self.em, self.found, self.tile
        d = AffineExpr.dimension(0)
        part: list[Index] = []
        if self.parts > 1:
            part, ivs = [ivs[0]], ivs[1:]
            self.first = em.apply(d * self.steps, part)
            if self.parts * self.steps != self.trips:
                self.bound = em.minimum(self.steps, em.apply(d * -1 + self.trips, [self.first]))
        self.index: list[Index] = [0] * len(found.sizes)
        for dim, iv in zip(found.outer, ivs, strict=False):
            self.index[dim] = iv
        self.index[self.m] = em.apply(d * tile.bm, [ivs[-2]])
        self.index[found.n] = em.apply(d * tile.bn, [ivs[-1]])
        self.counts = self._extent(self.m, tile.bm), self._extent(found.n, tile.bn)
        offsets = [self.index[p] for p in self.place]
        sizes: list[Index] = [
            self.counts[(self.m, found.n).index(p)] if p in (self.m, found.n) else 1 for p in self.place
        ]
        offsets, sizes = [*part, *offsets], [*(1 for _ in part), *sizes]
        parts = [self._slice(out, offsets, sizes) for out in outs]
        sums = self._zeroed(parts)
        sums = self._summed(sums)
        self.em.location = found.op.location
        return [(part, offsets, sizes) for part in self._finished(sums, parts)]

    def _extent(self, dim: int, step: int) -> Index:
        """How much of a tile the block has."""
        size = self.found.sizes[dim]
        if size % step == 0:
            return step
        return self.em.minimum(step, self.em.apply(AffineExpr.dimension(0) * -1 + size, [self.index[dim]]))

    def _slice(self, out: SSAValue, offsets: Sequence[Index], sizes: Sequence[Index]) -> SSAValue:
        """The block's part of a result; where rows are not the last dim but one, of these two dims only."""
        assert isinstance(out.type, TensorType)
        rank = len(sizes)
        if self._is_minor():
            return self.builder.slice_of(out, offsets, sizes)
        rows = self.place.index(self.m) + rank - len(self.place)
        shape = [s if isinstance(s, int) else DYNAMIC_INDEX for s in (sizes[rows], sizes[-1])]
        kind = TensorType(out.type.element_type, shape)
        return self.em.add(tensor.ExtractSliceOp(out, list(offsets), list(sizes), [1] * rank, kind)).result

    def _is_minor(self) -> bool:
        """Whether rows are the last dim but one of the result."""
        return self.place[-2:] == [self.m, self.found.n]

    def _subgroups(
        self,
        outs: Sequence[SSAValue],
        body: Callable[[Index, Sequence[SSAValue]], Sequence[Slice]],
        wait: int | None = None,
    ) -> Sequence[SSAValue]:
        """A loop over the subgroups of the block."""
        results = self.builder.phase(
            [self.tile.subgroups], outs, lambda ivs, args: body(ivs[0], args), kernel.Level.SUBGROUP
        )
        loop = results[0].owner
        if wait is not None and isinstance(loop, Operation):
            loop.attributes["wait"] = IntegerAttr(wait, i64)
        return results

    def _corner(self, subgroup: Index) -> tuple[Index, Index]:
        """Where a subgroup's part starts in the block's tile."""
        tile = self.tile
        parts = tile.bm // tile.wm, tile.bn // tile.wn
        return corner_of(self.em, parts, (tile.wm, tile.wn), subgroup)

    def _rest(self, corner: tuple[Index, Index]) -> tuple[Index, Index] | None:
        """Rows and columns that a subgroup's part has, perhaps beyond its size or negative; None when it is always full."""
        full = (self.tile.bm, self.tile.bn)
        if self.counts == full:
            return None
        less = AffineExpr.dimension(0) - AffineExpr.dimension(1)
        parts = (self.tile.wm, self.tile.wn)
        rest = [
            part if count == whole else self.em.apply(less, [count, start])
            for part, count, whole, start in zip(parts, self.counts, full, corner, strict=True)
        ]
        return rest[0], rest[1]

    def _point(self, corner: tuple[Index, Index]) -> list[Index]:
        """The loop index of a subgroup's part."""
        add = AffineExpr.dimension(0) + AffineExpr.dimension(1)
        index = list(self.index)
        for dim, start in zip((self.m, self.found.n), corner, strict=True):
            index[dim] = self.em.apply(add, [self.index[dim], start])
        return index

    # The sums: scratch with a part for each subgroup.

    def _sums_slice(self, subgroup: Index, sums: SSAValue) -> tuple[SSAValue, list[Index], list[Index]]:
        offsets: list[Index] = [subgroup, 0, 0]
        sizes: list[Index] = [1, self.tile.wm, self.tile.wn]
        return self.builder.slice_of(sums, offsets, sizes), offsets, sizes

    def _zeroed(self, parts: Sequence[SSAValue]) -> SSAValue:
        """The sums' first values."""
        tile, em = self.tile, self.em
        kind = TensorType(self.found.accumulator, [tile.subgroups, tile.wm, tile.wn])
        sums = self.builder.scratch(kind, kernel.ScratchScope.SUBGROUP)

        def start(subgroup: Index, outs: Sequence[SSAValue]) -> Sequence[Slice]:
            part, offsets, sizes = self._sums_slice(subgroup, outs[0])
            value = broadcast(em, self._initial(subgroup, parts), (tile.wm, tile.wn))
            return [(transfer_write(em, value, part, [0, 0, 0]), offsets, sizes)]

        return self._subgroups([sums], start)[0]

    def _initial(self, subgroup: Index, parts: Sequence[SSAValue]) -> SSAValue:
        em, tile = self.em, self.tile
        init = None if self.parts > 1 else self.nest.outputs[0].init
        if init is None:
            return em.splat(number(self.found.accumulator, 0), vector_of(self.found.accumulator, (tile.wm, tile.wn)))
        if not isinstance(init, Access):
            return init
        corner = self._corner(subgroup)
        rest = self._rest(corner)
        updated = [p for p, home in zip(parts, self.homes, strict=True) if home is init.value]
        if updated:
            # What it updates is read where it is written, so that it can stay there.
            mask = None if rest is None else create_mask(em, rest, (tile.wm, tile.wn))
            rank = len(updated[0].type.get_shape())  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]
            return transfer_read(em, updated[0], [*[0] * (rank - 2), *corner], (tile.wm, tile.wn), mask)
        lanes = Lanes((self.m, self.found.n), (tile.wm, tile.wn))
        return read_tile(em, init, Point(self._point(corner), lanes), rest)

    def _summed(self, sums: SSAValue) -> SSAValue:
        """The loop along k."""
        em, ahead = self.em, self.stages - 1
        rings = [self._ring(operand) for operand in self.operands]
        for step in range(ahead):
            rings = list(self._copied(rings, step, step))

        def trip(step: Index, carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
            total, *slots = carried
            if not ahead:
                slots = self._copied(slots, 0, step)
                return [self._multiplied(total, slots, 0, None), *slots]
            total = self._multiplied(total, slots, self._slot(step), self.stages - 2)
            later = em.apply(AffineExpr.dimension(0) + ahead, [step])
            return [total, *self._copied(slots, self._slot(later), later)]

        return em.loop(0, self.bound, 1, [sums, *rings], trip)[0]

    def _slot(self, step: Index) -> Index:
        """The slot of the rings that a step uses."""
        if isinstance(step, int):
            return step % self.stages
        return self.em.add(arith.RemUIOp(step, self.em.index(self.stages))).result

    # Copies.

    def _ring(self, operand: Operand) -> SSAValue:
        side = operand.side
        kind = TensorType(side.element, [self.stages, side.shape[0], side.row])
        ring = self.builder.scratch(kind, kernel.ScratchScope.BLOCK)
        if self.tile.swizzle:
            assert isinstance(ring.owner, Operation)
            ring.owner.attributes["swizzle"] = IntegerAttr(self.tile.swizzle, i64)
        return ring

    def _copied(self, rings: Sequence[SSAValue], slot: Index, step: Index) -> Sequence[SSAValue]:
        """Step `step` of both operands in a slot of their rings; nothing when there is no such step."""
        index = self._step_index(step)

        def body(subgroup: Index, outs: Sequence[SSAValue]) -> Sequence[Slice]:
            slices: list[Slice] = []
            starts: list[tuple[Index, Index]] = []
            for operand, out in zip(self.operands, outs, strict=True):
                own = operand.share
                first, second = corner_of(self.em, own.parts, own.region, subgroup)
                starts.append((first, second))
                offsets: list[Index] = [slot, first, second]
                sizes: list[Index] = [1, *own.region]
                slices.append((self.builder.slice_of(out, offsets, sizes), offsets, sizes))
            parts = [part for part, _, _ in slices]

            def copy() -> list[SSAValue]:
                given = zip(self.operands, starts, parts, strict=True)
                return [copy_share(self.em, operand, index, start, part) for operand, start, part in given]

            written = self._if_there(step, parts, copy)
            return [(part, o, s) for part, (_, o, s) in zip(written, slices, strict=True)]

        return self._subgroups(rings, body)

    def _if_there(
        self, step: Index, parts: Sequence[SSAValue], copy: Callable[[], list[SSAValue]]
    ) -> Sequence[SSAValue]:
        """`copy()` if the loop has such a step, else the parts as they are."""
        if isinstance(step, int) or self.stages == 1:
            return copy()
        em = self.em
        test = em.add(arith.CmpiOp(step, em.index(self.bound), "slt")).result
        then, otherwise = Block(), Block()
        em.inside(then, lambda: self._yield(copy()))
        em.inside(otherwise, lambda: self._yield(parts))
        return em.add(scf.IfOp(test, [p.type for p in parts], Region(then), Region(otherwise))).results

    def _yield(self, values: Sequence[SSAValue]) -> None:
        self.em.add(scf.YieldOp(*values))

    def _step_index(self, step: Index) -> list[Index]:
        """The loop index of a step of the block."""
        found, em = self.found, self.em
        index = list(self.index)
        if self.first != 0:
            step = em.apply(AffineExpr.dimension(0) + AffineExpr.dimension(1), [self.first, step])
        *outer, inner = found.reduced
        d = AffineExpr.dimension(0)
        tiles = -(-found.sizes[inner] // self.tile.bk)
        index[inner] = em.apply(d % tiles * self.tile.bk if outer else d * self.tile.bk, [step])
        below = tiles
        for dim in reversed(outer):
            index[dim] = em.apply(d // below % found.sizes[dim], [step])
            below *= found.sizes[dim]
        return index

    # Products.

    def _multiplied(self, sums: SSAValue, rings: Sequence[SSAValue], slot: Index, wait: int | None) -> SSAValue:
        """The sums with the products of one slot added."""
        em, tile = self.em, self.tile

        def body(subgroup: Index, outs: Sequence[SSAValue]) -> Sequence[Slice]:
            part, offsets, sizes = self._sums_slice(subgroup, outs[0])
            total = transfer_read(em, part, [0, 0, 0], (tile.wm, tile.wn))
            corner = self._corner(subgroup)
            step = tile.depth * tile.k_unroll if tile.bk % (tile.depth * tile.k_unroll) == 0 else tile.depth

            def trip(k: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
                value = args[0]
                for u in range(0, step, tile.depth):
                    at = em.apply(AffineExpr.dimension(0) + u, [k])
                    value = self._product(value, rings, slot, corner, at)
                return [value]

            total = em.loop(0, tile.bk, step, [total], trip)[0]
            return [(transfer_write(em, total, part, [0, 0, 0]), offsets, sizes)]

        return self._subgroups([sums], body, wait)[0]

    def _product(
        self, total: SSAValue, rings: Sequence[SSAValue], slot: Index, corner: tuple[Index, Index], k: Index
    ) -> SSAValue:
        """One op: `depth` terms, from where they lie in scratch."""
        em, tile = self.em, self.tile
        extents, positions = (tile.wm, tile.wn), (0, 1)
        factors: list[SSAValue] = []
        maps: list[AffineMap] = []
        inner = AffineExpr.dimension(2)
        for operand, ring, extent, start, position in zip(
            self.operands, rings, extents, corner, positions, strict=True
        ):
            dim = AffineExpr.dimension(position)
            order = [(k, tile.depth, inner), (start, extent, dim)]
            if operand.side.dims[1] == self.found.reduced[-1]:
                order.reverse()
            at, shape, exprs = zip(*order, strict=True)
            factors.append(transfer_read(em, ring, [slot, *at], shape))
            maps.append(AffineMap(3, 0, exprs))
        maps.append(AffineMap(3, 0, (AffineExpr.dimension(0), AffineExpr.dimension(1))))
        kinds = ["parallel", "parallel", "reduction"]
        return em.add(vector.ContractOp(factors[0], factors[1], total, maps, kinds)).result

    # What follows.

    def _finished(self, sums: SSAValue, parts: Sequence[SSAValue]) -> Sequence[SSAValue]:
        """The epilogue on the sums, then the writes."""
        em, tile = self.em, self.tile

        def body(subgroup: Index, outs: Sequence[SSAValue]) -> Sequence[Slice]:
            corner = self._corner(subgroup)
            rest = self._rest(corner)
            total = transfer_read(em, sums, [subgroup, 0, 0], (tile.wm, tile.wn))
            values = self._evaluated(total, corner, rest)
            mask = None if rest is None else create_mask(em, rest, (tile.wm, tile.wn))
            slices: list[Slice] = []
            for (_, original), out in zip(self.stored, outs, strict=True):
                part, offsets, sizes = self._own(out, corner, rest)
                value = broadcast(em, values[original], (tile.wm, tile.wn))
                slices.append((transfer_write(em, value, part, [0] * len(sizes), mask), offsets, sizes))
            return slices

        return self._subgroups(parts, body)

    def _own(
        self, out: SSAValue, corner: tuple[Index, Index], rest: tuple[Index, Index] | None
    ) -> tuple[SSAValue, list[Index], list[Index]]:
        """A subgroup's part of the block's."""
        assert isinstance(out.type, TensorType)
        lead = len(out.type.get_shape()) - 2
        offsets: list[Index] = [*[0] * lead, *corner]
        extents: list[Index] = [self.tile.wm, self.tile.wn]
        if rest is not None:
            extents = [self._clamped(left, size) for left, size in zip(rest, extents, strict=True)]
        sizes: list[Index] = [*[1] * lead, *extents]
        return self.builder.slice_of(out, offsets, sizes), offsets, sizes

    def _clamped(self, left: Index, most: Index) -> Index:
        """`left`, at least 0 and at most `most`."""
        if left == most:
            return most
        em = self.em
        return em.add(arith.MaxSIOp(em.index(em.minimum(left, most)), em.index(0))).result

    def _evaluated(
        self, total: SSAValue, corner: tuple[Index, Index], rest: tuple[Index, Index] | None
    ) -> dict[SSAValue, SSAValue]:
        """The results of the contraction and the epilogue on a subgroup's tile."""
        em = self.em
        values: dict[SSAValue, SSAValue] = {self.found.op.results[0]: total}
        index = self._point(corner)
        dims = self.place.index(self.m), self.place.index(self.found.n)
        point = Point([index[p] for p in self.place], Lanes(dims, (self.tile.wm, self.tile.wn)))
        evaluate_on_tile(
            em,
            self.epilogue_nests,
            self.builder.resolve,
            values,
            point,
            lambda access: read_tile(em, access, point, rest),
        )
        return values


__all__ = ["Tiles", "schedule_block_contraction"]
