"""The `contraction` strategy: sums of products as register tiles of vectors, with the epilogue done on the tile.

The loop dims of `C[..] += A[..] * B[..]` are classed by who uses them: batch (all three), m (A and C), n (B and C; one of
them is last in C and becomes the vector dim), k (A and B). One m and one n dim are tiled by mr x nr, the others are
looped over. An operand is copied to scratch first when its layout (or element type) does not suit the inner loop: B as
panels `[..][n/nr][k][nr]`, A as rows `[..][m][k]` padded against cache-set conflicts. Tiles at the edges have their own,
static, size. Every other op of the kernel is done by the `loops` strategy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod

from xdsl.dialects.builtin import TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineExpr, AffineMap

from stepwell.dialects import kernel, vector
from stepwell.ir.dtypes import byte_width
from stepwell.passes.schedules.contraction_analysis import (
    Contraction,
    Tiling,
    epilogue_of,
    find_contraction,
    ops_between,
)
from stepwell.passes.schedules.emit import Emitter, Index, number
from stepwell.passes.schedules.kernel_builder import KernelBuilder, Slice, is_scheduled
from stepwell.passes.schedules.lanes import (
    Lanes,
    Point,
    broadcast,
    evaluate_on_tile,
    read,
    transfer_read,
    vector_of,
    write_tile,
)
from stepwell.passes.schedules.loops import escapes, schedule_around, space_phase
from stepwell.passes.schedules.nest import (
    Access,
    Nest,
    Output,
    uses_dim,
)
from stepwell.passes.schedules.plan import Machine
from stepwell.passes.schedules.space import Target, tiled_loop


def schedule_contraction(
    builder: KernelBuilder, machine: Machine, tilings: Callable[[Contraction], Tiling | str]
) -> None:
    """Contractions of the kernel as tiles, with the pointwise ops on their results; the rest as loops."""

    def whole(op: Operation) -> Sequence[Operation] | None:
        found = find_contraction(op)
        if not isinstance(found, Contraction):
            return None
        tiling = tilings(found)
        if not isinstance(tiling, Tiling) or not _init_suits(found):
            return None
        return _ContractionPhase(builder, found, tiling, machine).emit()

    schedule_around(builder, machine, whole)


def _init_suits(found: Contraction) -> bool:
    """The accumulator starts from one number, or from a tensor (read by tiles)."""
    return found.op.body.block.args[2].type == found.accumulator


class _ContractionPhase:
    """Emits the packing and the main phase of one contraction."""

    def __init__(self, builder: KernelBuilder, found: Contraction, tiling: Tiling, machine: Machine):
        self.builder = builder
        self.found = found
        self.tiling = tiling
        self.machine = machine
        self.em: Emitter = builder.em
        self.nest = builder.nest(found.op)
        self.epilogue = epilogue_of(found)
        ops: list[Operation] = [found.op, *self.epilogue]
        # Ops in between (empties, constants) must be known before the tile reads them.
        self.skipped = [o for o in ops_between(found, ops) if not is_scheduled(o) and builder.pass_through(o)]
        self.epilogue_nests = [builder.nest(op) for op in self.epilogue]
        self.stored = [(op, r) for op in ops for r in op.results if escapes(r, ops)]
        self.exprs = found.maps[2].results
        self.panelled = False

    def emit(self) -> list[Operation]:
        """Emit; returns the ops that are done besides the contraction."""
        builder, em = self.builder, self.em
        em.location = self.found.op.location
        a, b = self.nest.inputs[self.found.a], self.nest.inputs[self.found.b]
        self.a = self._pack_a(a) if self.tiling.pack_a or not isinstance(a, Access) else a
        self.b = self._pack_b(b) if self.tiling.pack_b or not isinstance(b, Access) else b
        homes = [builder.destination(op, r) for op, r in self.stored]
        self.homes = homes
        cut = self._cut()

        def task(ivs: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
            return self._task(cut, ivs[0], outs)

        results = builder.phase([cut[2]], homes, task)
        for (_, original), home, result in zip(self.stored, homes, results, strict=True):
            builder.define(original, result, builder.home(home))
        return [*self.epilogue, *self.skipped]

    # Packing.

    def _cast_block(self, casts: Sequence[Operation], kind: Attribute) -> Block | None:
        if not casts:
            return None
        block = Block(arg_types=[kind, casts[-1].results[0].type])
        value: SSAValue = block.args[0]
        for cast in casts:
            copy = type(cast).create(operands=[value], result_types=[cast.results[0].type])
            block.add_op(copy)
            value = copy.results[0]
        block.add_op(linalg.YieldOp(value))
        return block

    def _copy(
        self,
        source: Access | SSAValue,
        casts: Sequence[Operation],
        sizes: Sequence[int],
        exprs: Sequence[AffineExpr],
        target: SSAValue,
    ) -> SSAValue:
        """A phase that writes the (cast) operand into scratch."""
        kind = source.element if isinstance(source, Access) else source.type
        output = Output(target, tuple(exprs), reduced=False)
        nest = Nest(
            tuple(sizes), (False,) * len(sizes), [source], [output], self._cast_block(casts, kind), self.em.location
        )
        return space_phase(self.builder, [nest], [Target(output, tuple(exprs))], [target], self.machine)[0]

    def _packed_type(self, casts: Sequence[Operation], source: Access | SSAValue) -> Attribute:
        if casts:
            return casts[-1].results[0].type
        return source.element if isinstance(source, Access) else source.type

    def _pack_a(self, source: Access | SSAValue) -> Access:
        """A as `[outer][m][k]`, rows padded by a cache line when they would share cache sets."""
        found = self.found
        dims = [d for d in found.outer if uses_dim(found.maps[0].results, d)]
        dims += [found.m] if found.m is not None else []
        order = [*dims, *found.reduced]
        shape = [found.sizes[d] for d in order]
        if found.m is None:
            shape.insert(len(dims), 1)
        kind = self._packed_type(found.a_casts, source)
        if shape[-1] * byte_width(kind) % 1024 == 0:
            shape[-1] += 64 // byte_width(kind)
        target = self.builder.scratch(TensorType(kind, shape), kernel.ScratchScope.LAUNCH)
        exprs: list[AffineExpr] = [AffineExpr.dimension(i) for i in range(len(order))]
        if found.m is None:
            exprs.insert(len(dims), AffineExpr.constant(0))
        moved = self._moved(source, order, None)
        packed = self._copy(moved, found.a_casts, [found.sizes[d] for d in order], exprs, target)
        final = list(self._dims(order))
        if found.m is None:
            final.insert(len(dims), AffineExpr.constant(0))
        if found.m is not None and len(found.reduced) > 1:
            # The kernel reads [m, k] as the two minor dims: bring m behind the outer k dims.
            return self._a_minor(source, dims, kind)
        return Access(packed, tuple(final))

    def _a_minor(self, source: Access | SSAValue, dims: Sequence[int], kind: Attribute) -> Access:
        """A as `[outer][outer k][m][inner k]`, for several k dims."""
        found = self.found
        assert found.m is not None
        order = [*dims[:-1], *found.reduced[:-1], found.m, found.reduced[-1]]
        shape = [found.sizes[d] for d in order]
        target = self.builder.scratch(TensorType(kind, shape), kernel.ScratchScope.LAUNCH)
        moved = self._moved(source, order, None)
        packed = self._copy(moved, found.a_casts, shape, self._positions(len(order)), target)
        return Access(packed, self._dims(order))

    @staticmethod
    def _positions(count: int) -> list[AffineExpr]:
        return [AffineExpr.dimension(i) for i in range(count)]

    def _dims(self, order: Sequence[int]) -> tuple[AffineExpr, ...]:
        return tuple(AffineExpr.dimension(d) for d in order)

    def _moved(self, source: Access | SSAValue, order: Sequence[int], n: AffineExpr | None) -> Access | SSAValue:
        """The operand over the copy's dims (`order`), with n replaced when given."""
        if not isinstance(source, Access):
            return source
        exprs: list[AffineExpr] = []
        for d in range(len(self.found.sizes)):
            if d == self.found.n and n is not None:
                exprs.append(n)
            else:
                exprs.append(AffineExpr.dimension(order.index(d)) if d in order else AffineExpr.constant(0))
        symbols = [AffineExpr.symbol(i) for i in range(len(source.symbols))]
        return replace(source, exprs=tuple(e.replace_dims_and_symbols(exprs, symbols) for e in source.exprs))

    def _pack_b(self, source: Access | SSAValue) -> Access:
        """B as panels `[outer][n/nr][k][nr]`; the last panel only as wide as it is."""
        found, nr = self.found, self.tiling.nr
        outer = [d for d in found.outer if uses_dim(found.maps[1].results, d)]
        depth = [found.sizes[d] for d in found.reduced]
        columns = found.sizes[found.n]
        kind = self._packed_type(found.b_casts, source)
        panels = -(-columns // nr)
        lead = [found.sizes[d] for d in outer]
        target = self.builder.scratch(TensorType(kind, [*lead, panels, *depth, nr]), kernel.ScratchScope.LAUNCH)
        for first, count, width in ((0, columns // nr, nr), (columns // nr, 1, columns % nr)):
            if not count or not width:
                continue
            # Copy dims: outer, panel, k, column in the panel.
            order = [*outer, -1, *found.reduced, -2]
            panel, column = AffineExpr.dimension(len(outer)), AffineExpr.dimension(len(order) - 1)
            moved = self._moved(source, order, (panel + first) * nr + column)
            exprs = self._positions(len(order))
            exprs[len(outer)] = panel + first
            target = self._copy(moved, found.b_casts, [*lead, count, *depth, width], exprs, target)
        # Tiles start at panels: the panel number is a symbol, set per tile.
        place, inside = AffineExpr.symbol(0), AffineExpr.constant(0)
        self.panelled = True
        return Access(target, (*self._dims(outer), place, *self._dims(found.reduced), inside))

    # The main phase.

    def _cut(self) -> tuple[int | None, int, int]:
        """The dim cut over tasks, its points per task (whole tiles), and how many tasks."""
        found, tiling = self.found, self.tiling
        peak = 2.0 * tiling.vector_bytes / byte_width(found.accumulator)
        wanted = min(self.machine.tasks, int(prod(found.sizes) / peak / self.machine.grain))
        if wanted < 2:
            return None, 0, 1
        best: tuple[int, int, int] | None = None
        for dim in (*found.outer, *([found.m] if found.m is not None else []), found.n):
            unit = tiling.mr if dim == found.m else tiling.nr if dim == found.n else 1
            units = -(-found.sizes[dim] // unit)
            chunk = -(-units // min(wanted, units))
            tasks = -(-units // chunk)
            if best is None or tasks > best[2]:
                best = dim, chunk * unit, tasks
            if units >= wanted:
                break
        return best if best is not None and best[2] > 1 else (None, 0, 1)

    def _task(self, cut: tuple[int | None, int, int], task: Index, outs: Sequence[SSAValue]) -> Sequence[Slice]:
        found, em = self.found, self.em
        dim, chunk, tasks = cut
        self.starts: dict[int, Index] = {}
        self.extents: dict[int, Index] = {d: s for d, s in enumerate(found.sizes)}
        if dim is not None:
            size = found.sizes[dim]
            self.starts[dim] = em.apply(AffineExpr.dimension(0) * chunk, [task])
            left = em.apply(AffineExpr.dimension(0) * (-chunk) + size, [task])
            self.extents[dim] = chunk if tasks * chunk == size else em.minimum(chunk, left)
        offsets: list[Index] = []
        sizes: list[Index] = []
        for expr in self.exprs:
            assert isinstance(expr, AffineDimExpr)
            offsets.append(self.starts.get(expr.position, 0))
            sizes.append(self.extents[expr.position])
        slices = [self.builder.slice_of(out, offsets, sizes) for out in outs]
        last = self._outer(0, [0] * len(found.sizes), slices)
        em.location = found.op.location
        return [(v, offsets, sizes) for v in last]

    def _outer(self, level: int, local: list[Index], outs: Sequence[SSAValue]) -> Sequence[SSAValue]:
        """Loops over batch and the other m and n dims."""
        if level == len(self.found.outer):
            return self._blocks(local, outs)
        dim = self.found.outer[level]

        def trip(iv: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            inner = list(local)
            inner[dim] = iv
            return self._outer(level + 1, inner, args)

        return self.em.loop(0, self.extents[dim], 1, outs, trip)

    def _blocks(self, local: list[Index], outs: Sequence[SSAValue]) -> Sequence[SSAValue]:
        """Blocks of B panels that stay in L2; in each, all of A's panels."""
        em, found, tiling = self.em, self.found, self.tiling
        extent, width = self.extents[found.n], tiling.block * tiling.nr
        if isinstance(extent, int):
            # Blocks of about equal size, whole panels each.
            blocks = -(-extent // width)
            width = -(-extent // (blocks * tiling.nr)) * tiling.nr
            if blocks == 1:
                return self._panels(local, 0, extent, outs)
            if extent % width == 0:
                return em.loop(0, extent, width, outs, lambda iv, args: self._panels(local, iv, width, args))

        def trip(iv: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            left = em.apply(AffineExpr.dimension(0) - AffineExpr.dimension(1), [extent, iv])
            return self._panels(local, iv, em.minimum(width, left), args)

        return em.loop(0, extent, width, outs, trip)

    def _panels(self, local: list[Index], first: Index, columns: Index, outs: Sequence[SSAValue]) -> Sequence[SSAValue]:
        found, tiling = self.found, self.tiling

        def row(i: Index, rows: int, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            def column(j: Index, width: int, inner: Sequence[SSAValue]) -> Sequence[SSAValue]:
                at = list(local)
                if found.m is not None:
                    at[found.m] = i
                at[found.n] = self.em.apply(AffineExpr.dimension(0) + AffineExpr.dimension(1), [first, j])
                return self._tile(at, rows, width, inner)

            return self._tiles(columns, found.sizes[found.n], tiling.nr, args, column)

        if found.m is None:
            return row(0, 1, outs)
        return self._tiles(self.extents[found.m], found.sizes[found.m], tiling.mr, outs, row)

    def _tiles(
        self,
        extent: Index,
        size: int,
        step: int,
        outs: Sequence[SSAValue],
        body: Callable[[Index, int, Sequence[SSAValue]], Sequence[SSAValue]],
    ) -> Sequence[SSAValue]:
        """Full tiles, then the edge tile."""
        return tiled_loop(self.em, extent, size % step, step, outs, body)

    def _tile(self, local: list[Index], rows: int, columns: int, outs: Sequence[SSAValue]) -> Sequence[SSAValue]:
        """One register tile: accumulate over k, run the epilogue, write."""
        em, found = self.em, self.found
        index: list[Index] = [
            em.apply(AffineExpr.dimension(0) + AffineExpr.dimension(1), [self.starts.get(d, 0), i])
            for d, i in enumerate(local)
        ]
        width, mask = self._columns(rows, columns)
        rows_dim = found.m if found.m is not None else -1
        lanes = Lanes((rows_dim, found.n), (rows, width), mask)
        initial = self._initial(Point(index, lanes), Point(local, lanes), outs)
        b = self.b
        if self.panelled:
            panel = em.apply(AffineExpr.dimension(0) // self.tiling.nr, [index[found.n]])
            b = replace(b, symbols=(em.index(panel),))
        total = self._accumulate(0, index, lanes, initial, b)
        return self._finish(index, local, lanes, total, outs)

    def _columns(self, rows: int, columns: int) -> tuple[int, SSAValue | None]:
        """Vector width of a tile: the edge is masked where all operations take masks (at 64 bytes), else as wide as it is."""
        lanes = self.tiling.vector_bytes // byte_width(self.found.accumulator)
        if columns % lanes == 0 or self.tiling.vector_bytes < 64:
            return columns, None
        width = -(-columns // lanes) * lanes
        return width, self.em.constant_mask([rows, columns], [rows, width])

    def _initial(self, point: Point, local: Point, outs: Sequence[SSAValue]) -> SSAValue:
        assert point.lanes is not None
        init = self.nest.outputs[0].init
        kind = vector_of(self.found.accumulator, point.lanes.shape)
        if init is None:
            return self.em.splat(number(self.found.accumulator, 0), kind)
        if isinstance(init, Access):
            in_place = [i for i, home in enumerate(self.homes) if home is init.value]
            if in_place:
                value = read(self.em, Access(outs[in_place[0]], self.exprs), local)
            else:
                value = read(self.em, init, point)
        else:
            value = init
        return broadcast(self.em, value, point.lanes.shape)

    def _accumulate(self, level: int, index: list[Index], lanes: Lanes, acc: SSAValue, b: Access) -> SSAValue:
        """Loops over the k dims carrying the tile."""
        found, em = self.found, self.em
        dim = found.reduced[level]
        innermost = level == len(found.reduced) - 1
        step = self.tiling.unroll if innermost else 1

        def trip(iv: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            value = args[0]
            for u in range(step):
                at = list(index)
                at[dim] = em.apply(AffineExpr.dimension(0) + u, [iv])
                if innermost:
                    value = self._multiply(at, lanes, value, b)
                else:
                    value = self._accumulate(level + 1, at, lanes, value, b)
            return [value]

        return em.loop(0, found.sizes[dim], step, [acc], trip)[0]

    def _multiply(self, index: list[Index], lanes: Lanes, acc: SSAValue, b: Access) -> SSAValue:
        """One step of k: column of A times row of B."""
        em, (rows, width) = self.em, lanes.shape
        mask = None
        if lanes.mask is not None:
            assert isinstance(lanes.mask.owner, vector.ConstantMaskOp)
            columns = lanes.mask.owner.mask_dim_sizes.get_values()[1]
            mask = em.constant_mask([1, columns], [1, width])
        column = self._operand(self.a, index, (rows, 1), None)
        row = self._operand(b, index, (1, width), mask)
        m, n, k = (AffineExpr.dimension(d) for d in range(3))
        maps = [AffineMap(3, 0, r) for r in ((m, k), (k, n), (m, n))]
        return em.add(vector.ContractOp(column, row, acc, maps, ["parallel", "parallel", "reduction"])).result

    def _operand(self, access: Access, index: list[Index], shape: tuple[int, int], mask: SSAValue | None) -> SSAValue:
        indices = [self.em.apply(e, index, access.symbols) for e in access.exprs]
        return transfer_read(self.em, access.value, indices, shape, mask)

    def _finish(
        self, index: list[Index], local: list[Index], lanes: Lanes, total: SSAValue, outs: Sequence[SSAValue]
    ) -> Sequence[SSAValue]:
        """The epilogue on the tile, then the writes."""
        em = self.em
        values: dict[SSAValue, SSAValue] = {self.found.op.results[0]: total}
        place = [e.position for e in self.exprs if isinstance(e, AffineDimExpr)]
        dims = tuple(place.index(d) if d in place else -1 for d in lanes.dims)
        point = Point([index[d] for d in place], Lanes(dims, lanes.shape, lanes.mask))
        evaluate_on_tile(
            em, self.epilogue_nests, self.builder.resolve, values, point, lambda access: read(em, access, point)
        )
        written: list[SSAValue] = []
        for (_, original), out in zip(self.stored, outs, strict=True):
            written.append(write_tile(em, values[original], out, self.exprs, local, lanes))
        return written
