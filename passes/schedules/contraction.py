"""The `contraction` strategy: sums of products as register tiles of vectors, with the epilogue done on the tile.

The loop dims of `C[..] += A[..] * B[..]` are classed by who uses them: batch (all three), m (A and C), n (B and C; one of
them is last in C and becomes the vector dim), k (A and B). One m and one n dim are tiled by mr x nr, the others are
looped over. A task does some rows and columns:

```
for batch dims and other dims of B
  for blocks of columns, so many panels of nr as stay in the L2 cache
    for runs of kc terms of the sums:        B's part is packed as panels
      for other dims of A, for mr rows:      A's part is packed where that helps, and stays in the L1 cache
        for nr columns:                      a tile in registers: read the sums so far, add kc terms, write
```

The sums so far are kept in the result, or where that has another element type in scratch; the epilogue is done on a tile when
its last terms are added. With `k_split` parts of the terms are tasks too, and a second phase adds up their sums
(`contraction_parts`). Tiles at the edges have their own, static, size. Every other op of the kernel is done by the `loops` strategy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.dialects import arith, scf
from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.builtin import (
    AffineMapAttr,
    ArrayAttr,
    BoolAttr,
    FloatAttr,
    IntegerAttr,
    IntegerType,
    TensorType,
    VectorType,
)
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineExpr, AffineMap

from stepwell.dialects import kernel, vector
from stepwell.ir.dtypes import byte_width
from stepwell.passes.schedules.contraction_analysis import (
    Contraction,
    epilogue_of,
    find_contraction,
    ops_between,
)
from stepwell.passes.schedules.contraction_choice import (
    Tiling,
    a_is_direct,
    b_is_direct,
    choose_grid,
    turned,
    unit_of,
    units_of,
    whole_vectors,
)
from stepwell.passes.schedules.contraction_lines import term_lines
from stepwell.passes.schedules.contraction_operands import Operand, Packer, Sums
from stepwell.passes.schedules.contraction_parts import Merger, in_parts, merged_ops, terms_of
from stepwell.passes.schedules.contraction_word_operands import WordPacker
from stepwell.passes.schedules.contraction_words import words_of
from stepwell.passes.schedules.convolution import stages
from stepwell.passes.schedules.emit import Emitter, Index, number
from stepwell.passes.schedules.kernel_builder import KernelBuilder, Slice, is_scheduled
from stepwell.passes.schedules.lanes import (
    Lanes,
    Point,
    broadcast,
    evaluate_on_tile,
    is_tile,
    read,
    vector_of,
    write_tile,
)
from stepwell.passes.schedules.loops import escapes, schedule_around
from stepwell.passes.schedules.nest import Access, is_contiguous, uses_dim
from stepwell.passes.schedules.plan import WIDE_BYTES, Machine
from stepwell.passes.schedules.space import tiled_loop
from stepwell.passes.schedules.staging import Stage, Stager, copied_apart, placeholder
from stepwell.passes.schedules.tasks import part_of

Body = Callable[[], Sequence[SSAValue]]


def schedule_contraction(
    builder: KernelBuilder, machine: Machine, tilings: Callable[[Contraction], Tiling | str], most: int
) -> None:
    """Contractions of the kernel as tiles, with the pointwise ops on their results; the rest as loops.

    Images in borders are copied in parts of at most `most` bytes.
    """
    staged = stages(builder.func, most)
    copied = copied_apart(staged.values())

    def whole(op: Operation) -> Sequence[Operation] | None:
        if op in copied:
            return []
        found = find_contraction(op)
        if not isinstance(found, Contraction):
            return None
        found = turned(found)
        tiling = tilings(found)
        if not isinstance(tiling, Tiling) or not _init_suits(found):
            return None
        remove = placeholder(builder, staged[op].border) if op in staged else None
        done = _ContractionPhase(builder, found, tiling, machine, staged.get(op)).emit()
        if remove is not None:
            remove()
        return done

    schedule_around(builder, machine, whole)


def _init_suits(found: Contraction) -> bool:
    """The accumulator starts from one number, or from a tensor (read by tiles)."""
    return found.op.body.block.args[2].type == found.accumulator


@dataclass(frozen=True)
class _Place:
    """Where a tile is."""

    index: list[Index]
    """Of the whole space."""
    local: list[Index]
    """Of the task's part of the results."""
    column: Index
    """In the block of columns."""
    run: Sums


class _ContractionPhase:
    """Emits the phase of one contraction."""

    def __init__(
        self, builder: KernelBuilder, found: Contraction, tiling: Tiling, machine: Machine, stage: Stage | None
    ):
        self.stager = None if stage is None else Stager(builder, stage, tiling.vector_bytes)
        self.stages_b = stage is not None and stage.border.insert.result is found.op.inputs[found.b]
        self.builder = builder
        found, self.around = found.inside(tiling.kc) if stage is None else (found, ())
        self.found = found
        self.tiling = tiling
        self.machine = machine
        self.em: Emitter = builder.em
        self.nest = builder.nest(found.op)
        self.a, self.b = self.nest.inputs[found.a], self.nest.inputs[found.b]
        apart = stage is not None and stage.apart is not None
        rows_are_near = a_is_direct(found) or (apart and not self.stages_b)
        lines_are_near = b_is_direct(found) or (apart and self.stages_b)
        self.pack_a = tiling.pack_a or not isinstance(self.a, Access) or not rows_are_near
        self.pack_b = tiling.pack_b or not isinstance(self.b, Access) or not lines_are_near
        cut = terms_of(found, tiling, self.pack_a or self.pack_b)
        self.parts, self.terms = cut.parts, cut.run
        self.epilogue = epilogue_of(found)
        ops: list[Operation] = [found.op, *self.epilogue]
        if self.parts.tasks > 1:
            ops = merged_ops(ops)
        # Ops in between (empties, constants) must be known before the tile reads them.
        self.skipped = [o for o in ops_between(found.op, ops) if not is_scheduled(o) and builder.pass_through(o)]
        self.done = [*ops[1:], *self.skipped]
        self.exprs, self.init = found.maps[2].results, self.nest.outputs[0].init
        self.merger: Merger | None = None
        if self.parts.tasks > 1:
            self.merger = Merger(builder, self.nest, ops, machine)
            self.exprs, self.init, self.epilogue, ops = in_parts(self.exprs), None, [], ops[:1]
        self.epilogue_nests = [builder.nest(op) for op in self.epilogue]
        self.stored = [(op, r) for op in ops for r in op.results if escapes(r, ops)]
        self.ahead_a = self._fetches_a()
        words = words_of(found, tiling.word)
        packing = (builder, found, tiling, self.terms)
        self.packer = Packer(*packing) if words is None else WordPacker(*packing, words)
        lines = self.pack_b and words is None and not self.stages_b
        self.b_lines = term_lines(self.packer, self.b) if lines else None
        on_b = found.maps[1].results
        fixed = stage.fixed if stage is not None and self.stages_b else ()
        self.outer_b = sorted((d for d in found.outer if uses_dim(on_b, d)), key=lambda d: d not in fixed)
        self.outer_a = [d for d in found.outer if d not in self.outer_b]
        self.starts: dict[int, Index] = {}
        self.extents: dict[int, Index] = {}

    def _fetches_a(self) -> bool:
        """Whether the next rows of A are fetched while tiles of the ones before are computed: rows of one long line each."""
        found, a = self.found, self.a
        if not self.machine.prefetch or found.m is None or len(found.reduced) != 1 or not isinstance(a, Access):
            return False
        return is_tile(a.exprs, (found.m, found.reduced[0]))

    def _lanes(self) -> int:
        return self.tiling.vector_bytes // byte_width(self.found.accumulator)

    def emit(self) -> list[Operation]:
        """Emit; returns the ops that are done besides the contraction."""
        builder, em = self.builder, self.em
        em.location = self.found.op.location
        parts = self.parts.tasks
        if self.merger is not None:
            homes = [self.merger.scratch(parts)]
        else:
            homes = [builder.destination(op, r) for op, r in self.stored]
        self.sums = self._home_of_sums(homes)
        self.homes = homes if self.sums < len(homes) else [*homes, self._scratch()]
        grid = choose_grid(self.found, self.tiling, self.machine.tasks, self.machine.grain, parts)

        def task(ivs: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
            return self._task(grid.cuts, ivs, outs)

        counts = [*([parts] if parts > 1 else []), *(n for _, n in grid.cuts)]
        results = builder.phase(counts or [1], self.homes, task)
        if self.merger is not None:
            self.merger.merge(self.parts, results[0])
            return self.done
        for (_, original), home, result in zip(self.stored, homes, results, strict=False):
            builder.define(original, result, builder.home(home))
        return self.done

    def _home_of_sums(self, homes: Sequence[SSAValue]) -> int:
        """Which result holds the sums between runs: the contraction's, another of its type, or (one past all) scratch."""
        if self.terms >= self.parts.chunk and not self.around:
            return 0
        suits = [i for i, home in enumerate(homes) if _element(home) == self.found.accumulator]
        own = [i for i in suits if self.stored[i][0] is self.found.op]
        return (own or suits or [len(homes)])[0]

    def _scratch(self) -> SSAValue:
        return self.builder.scratch(self.found.op.results[0].type, kernel.ScratchScope.LAUNCH)

    # A task.

    def _task(
        self, cuts: Sequence[tuple[int, int]], task: Sequence[Index], outs: Sequence[SSAValue]
    ) -> Sequence[Slice]:
        found, em = self.found, self.em
        self.starts = {}
        self.extents = dict(enumerate(found.sizes))
        offsets: list[Index] = []
        sizes: list[Index] = []
        if self.merger is not None:
            offsets, sizes, task = [task[0]], [1], task[1:]
            part = part_of(em, self.parts, found.sizes[self.parts.dim], offsets[0])
            self.starts[part.dim], self.extents[part.dim] = part.start, part.extent
        for (dim, parts), iv in zip(cuts, task, strict=False):
            self.starts[dim], self.extents[dim] = self._part(dim, parts, iv)
        for expr in found.maps[2].results:
            assert isinstance(expr, AffineDimExpr)
            offsets.append(self.starts.get(expr.position, 0))
            sizes.append(self.extents[expr.position])
        slices = [self.builder.slice_of(out, offsets, sizes) for out in outs]
        last = self._over(self.outer_b, [0] * len(found.sizes), slices, self._blocks)
        em.location = found.op.location
        return [(v, offsets, sizes) for v in last]

    def _part(self, dim: int, parts: int, task: Index) -> tuple[Index, Index]:
        """First point and extent of a task's part of a dim: whole tiles, shared out evenly."""
        em, size = self.em, self.found.sizes[dim]
        unit, units = unit_of(self.found, self.tiling, dim), units_of(self.found, self.tiling, dim)
        d = AffineExpr.dimension(0)
        start = em.apply((d * units) // parts * unit, [task])
        if size % (parts * unit) == 0:
            return start, size // parts
        end = em.minimum(em.apply(((d + 1) * units) // parts * unit, [task]), size)
        return start, em.apply(d - AffineExpr.dimension(1), [end, start])

    def _most(self, dim: int) -> int:
        """A bound of the extent of a task's part of a dim."""
        extent = self.extents[dim]
        return extent if isinstance(extent, int) else self.found.sizes[dim]

    def _over(
        self,
        dims: Sequence[int],
        local: list[Index],
        outs: Sequence[SSAValue],
        body: Callable[[list[Index], Sequence[SSAValue]], Sequence[SSAValue]],
    ) -> Sequence[SSAValue]:
        """Loops over dims, one point at a time."""
        if not dims:
            return body(local, outs)
        dim, *rest = dims

        def at(point: Index) -> list[Index]:
            inner = list(local)
            inner[dim] = point
            return inner

        def points(first: Index, count: Index, values: Sequence[SSAValue]) -> Sequence[SSAValue]:
            return self.em.loop(
                0, count, 1, values, lambda iv, args: self._over(rest, at(self._sum(first, iv)), args, body)
            )

        def part(first: Index, count: Index, image: Access, values: Sequence[SSAValue]) -> Sequence[SSAValue]:
            saved = self.a, self.b
            self.a, self.b = (self.a, image) if self.stages_b else (image, self.b)
            made = points(first, count, values)
            self.a, self.b = saved
            return made

        if self.stager is None or dim != self.stager.stage.block:
            return points(0, self.extents[dim], outs)
        return self.stager.parts(self.extents[dim], lambda first: self._absolute(at(first)), outs, part)

    def _blocks(self, local: list[Index], outs: Sequence[SSAValue]) -> Sequence[SSAValue]:
        """Blocks of B panels that stay in L2."""
        em, tiling = self.em, self.tiling
        extent, width = self.extents[self.found.n], tiling.block * tiling.nr
        if isinstance(extent, int):
            # Blocks of about equal size, whole panels each.
            blocks = -(-extent // width)
            width = -(-extent // (blocks * tiling.nr)) * tiling.nr
            if blocks == 1:
                return self._runs(local, (0, extent, extent), outs)
            if extent % width == 0:
                return em.loop(0, extent, width, outs, lambda iv, args: self._runs(local, (iv, width, width), args))

        def trip(iv: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            left = em.apply(AffineExpr.dimension(0) - AffineExpr.dimension(1), [extent, iv])
            return self._runs(local, (iv, em.minimum(width, left), min(width, self._most(self.found.n))), args)

        return em.loop(0, extent, width, outs, trip)

    def _runs(
        self, local: list[Index], columns: tuple[Index, Index, int], outs: Sequence[SSAValue]
    ) -> Sequence[SSAValue]:
        """Runs of terms of the sums; in each, all rows. `columns`: the first, how many, at most how many."""
        return self._around(self.around, local, (True, True), columns, outs)

    def _around(
        self,
        dims: Sequence[int],
        local: list[Index],
        ends: tuple[SSAValue | bool, SSAValue | bool],
        columns: tuple[Index, Index, int],
        outs: Sequence[SSAValue],
    ) -> Sequence[SSAValue]:
        """Loops over the dims of the sums of which runs do one point; `ends`: whether these are the first, and the last."""
        if not dims:
            return self._run(local, ends, columns, outs)
        dim, *rest = dims
        last = self.found.sizes[dim] - 1

        def trip(k: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            at = list(local)
            at[dim] = k
            here = self._both(ends[0], self._is(k, 0)), self._both(ends[1], self._is(k, last))
            return self._around(rest, at, here, columns, args)

        return self.em.loop(0, last + 1, 1, outs, trip)

    def _is(self, k: Index, point: int) -> SSAValue | bool:
        return k == point if isinstance(k, int) else self.em.add(arith.CmpiOp(k, self.em.index(point), "eq")).result

    def _both(self, x: SSAValue | bool, y: SSAValue | bool) -> SSAValue | bool:
        if isinstance(x, bool):
            return y if x else False
        if isinstance(y, bool):
            return x if y else False
        return self.em.add(arith.AndIOp(x, y)).result

    def _run(
        self,
        local: list[Index],
        ends: tuple[SSAValue | bool, SSAValue | bool],
        columns: tuple[Index, Index, int],
        outs: Sequence[SSAValue],
    ) -> Sequence[SSAValue]:
        """Runs along the outermost of the other dims of the sums."""
        em, size = self.em, self.extents[self.parts.dim]
        start = self.starts.get(self.parts.dim, 0)
        less = AffineExpr.dimension(0) - AffineExpr.dimension(1)
        first, count, most = columns

        def trip(k: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            run = Sums(start, size, *ends)
            if not isinstance(k, int):
                left = em.apply(less, [size, k])
                even = isinstance(size, int) and size % self.terms == 0
                extent = self.terms if even else em.minimum(self.terms, left)
                is_first = self._both(ends[0], self._is(k, 0))
                is_last = em.add(arith.CmpiOp(em.index(left), em.index(self.terms), "sle")).result
                run = Sums(self._sum(start, k), extent, is_first, self._both(ends[1], is_last))
            b = self._operand_b(local, first, count, most, run)
            return self._over(
                self.outer_a, local, args, lambda at, values: self._rows(at, (first, count), b, run, values)
            )

        if self.terms >= self.parts.chunk:
            return trip(0, outs)
        return em.loop(0, size, self.terms, outs, trip)

    def _operand_b(self, local: list[Index], first: Index, columns: Index, most: int, run: Sums) -> Operand:
        if not self.pack_b:
            assert isinstance(self.b, Access)
            return self.packer.direct_b(self.b)
        index = self._absolute(local)
        start = self._sum(index[self.found.n], first)
        if self.b_lines is not None:
            return self.b_lines.pack(index, start, columns, most, run)
        return self.packer.pack_b(self.b, index, start, columns, most, run)

    def _operand_a(self, local: list[Index], rows: int, run: Sums) -> Operand:
        if not self.pack_a:
            assert isinstance(self.a, Access)
            return self.packer.direct_a(self.a)
        return self.packer.pack_a(self.a, self._absolute(local), rows, run)

    def _sum(self, x: Index, y: Index) -> Index:
        return self.em.apply(AffineExpr.dimension(0) + AffineExpr.dimension(1), [x, y])

    def _absolute(self, local: Sequence[Index]) -> list[Index]:
        return [self._sum(self.starts.get(d, 0), i) for d, i in enumerate(local)]

    def _rows(
        self,
        local: list[Index],
        columns: tuple[Index, Index],
        b: Operand,
        run: Sums,
        outs: Sequence[SSAValue],
    ) -> Sequence[SSAValue]:
        """Tiles: `mr` rows at a time, of these `nr` columns at a time."""
        found, tiling = self.found, self.tiling
        first, count = columns
        self.tiles = max(1, (count if isinstance(count, int) else found.sizes[found.n]) // tiling.nr)

        def row(i: Index, rows: int, args: Sequence[SSAValue], a: Operand | None = None) -> Sequence[SSAValue]:
            at = list(local)
            if found.m is not None:
                at[found.m] = i
            a = a or self._operand_a(at, rows, run)

            def column(j: Index, width: int, inner: Sequence[SSAValue]) -> Sequence[SSAValue]:
                here = list(at)
                here[found.n] = self._sum(first, j)
                place = _Place(self._absolute(here), here, j, run)
                return self._tile(place, (a, b), (rows, width), inner)

            return tiled_loop(self.em, count, found.sizes[found.n] % tiling.nr, tiling.nr, args, column)

        if found.m is None:
            return row(0, 1, outs)
        together = self.packer.rows_together(self.a) if self.pack_a and (self.stager is None or self.stages_b) else 0
        if together:
            return self._packed_rows(local, together, run, outs, row)
        return tiled_loop(self.em, self.extents[found.m], found.sizes[found.m] % tiling.mr, tiling.mr, outs, row)

    def _packed_rows(
        self,
        local: list[Index],
        together: int,
        run: Sums,
        outs: Sequence[SSAValue],
        row: Callable[..., Sequence[SSAValue]],
    ) -> Sequence[SSAValue]:
        """Tiles of rows that are packed `together`."""
        em, m, mr = self.em, self.found.m, self.tiling.mr
        assert m is not None
        assert isinstance(self.a, Access)
        source, extent, edge = self.a, self.extents[m], self.found.sizes[m] % mr

        def some(start: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            at = list(local)
            at[m] = start
            left = em.apply(AffineExpr.dimension(0) - AffineExpr.dimension(1), [extent, start])
            whole = isinstance(extent, int) and extent % together == 0
            count = together if whole else em.minimum(together, left)
            a = self.packer.pack_rows(source, self._absolute(at), (start, count), run)
            return tiled_loop(em, count, edge, mr, args, lambda i, n, inner: row(self._sum(start, i), n, inner, a))

        return em.loop(0, extent, together, outs, some)

    # A tile.

    def _tile(
        self, place: _Place, operands: tuple[Operand, Operand], shape: tuple[int, int], outs: Sequence[SSAValue]
    ) -> Sequence[SSAValue]:
        """One register tile: accumulate over k, run the epilogue, write."""
        rows, columns = shape
        width, mask = self._columns(rows, columns)
        lanes = Lanes((self.found.m if self.found.m is not None else -1, self.found.n), (rows, width), mask)
        one_run = place.run.first is True
        initial = broadcast(self.em, self._start(place, lanes, outs), lanes.shape) if one_run else self._zeros(lanes)
        summed, initial = self.packer.summed(initial, operands[1], place.column, lanes)
        local = list(place.local)
        local[self.found.n] = place.column
        ahead = self._ahead(place, lanes, outs)
        total = self._accumulate(0, (list(place.index), local), summed, initial, operands, place.run, ahead)
        if summed.width > width:
            total = self.em.add(vector.ExtractStridedSliceOp(total, [0, 0], [rows, width])).result
        if not one_run:
            total = self._with_before(place, lanes, total, outs)
        return self._finish(place, lanes, total, outs)

    def _columns(self, rows: int, columns: int) -> tuple[int, SSAValue | None]:
        """Vector width of a tile: the edge is masked where all operations take masks, else as wide as it is."""
        lanes = self._lanes()
        width = whole_vectors(columns, lanes)
        if columns == width or self.tiling.vector_bytes < WIDE_BYTES:
            return columns, None
        return width, self.em.constant_mask([rows, columns], [rows, width])

    def _zeros(self, lanes: Lanes) -> SSAValue:
        kind = self.found.accumulator
        return self.em.splat(number(kind, 0), vector_of(kind, lanes.shape))

    def _ahead(self, place: _Place, lanes: Lanes, outs: Sequence[SSAValue]) -> Callable[[Index, int], None] | None:
        """What fetches along a tile's terms, so many at once, its part of the results and of the rows of A that come next.

        All at the tile's start would keep what the tile itself waits for from coming.
        """
        found, em = self.found, self.em
        if not self.machine.prefetch or len(found.reduced) > 1 or self.tiling.word > 1:
            return None

        def fetch(k: Index, terms: int) -> None:
            if is_tile(self.exprs, lanes.dims):
                rows, steps = lanes.shape[0], max(1, self.terms // terms)
                each, at_once = max(1, steps // rows) * terms, -(-rows // steps)
                row = em.apply(AffineExpr.dimension(0) // each * at_once, [k])
                at = list(place.local)
                at[lanes.dims[0]] = self._sum(at[lanes.dims[0]], row)
                indices = em.indices([em.apply(e, at) for e in self.exprs])
                for out in outs:
                    em.add(kernel.PrefetchOp(out, indices, vector_of(_element(out), (at_once, lanes.shape[1]))))
            if self.ahead_a:
                assert isinstance(self.a, Access)
                at = list(place.index)
                at[found.reduced[0]] = self._sum(place.run.start, k)
                self.packer.prefetch_a(self.a, at, place.column, self.tiles, terms)

        return fetch

    def _with_before(self, place: _Place, lanes: Lanes, total: SSAValue, outs: Sequence[SSAValue]) -> SSAValue:
        """A run's sums with those before it: what the sums start from, or what the run before left."""
        em = self.em
        add = arith.AddiOp if isinstance(self.found.accumulator, IntegerType) else arith.AddfOp

        def plus(value: SSAValue) -> list[SSAValue]:
            return [em.add(add(total, broadcast(em, value, lanes.shape))).results[0]]

        def start() -> list[SSAValue]:
            init = self.init
            return [total] if init is None or _is_zero(init) else plus(self._start(place, lanes, outs))

        def so_far() -> list[SSAValue]:
            return plus(read(em, Access(outs[self.sums], self.exprs), Point(place.local, lanes)))

        if self._starts_in_place() == self.sums:
            return so_far()[0]
        return self._either(place.run.first, start, so_far)[0]

    def _starts_in_place(self) -> int | None:
        """The result that holds what the sums start from."""
        init = self.init
        homes = [i for i, home in enumerate(self.homes) if isinstance(init, Access) and home is init.value]
        return homes[0] if homes else None

    def _start(self, place: _Place, lanes: Lanes, outs: Sequence[SSAValue]) -> SSAValue:
        init = self.init
        if init is None:
            kind = vector_of(self.found.accumulator, lanes.shape)
            return self.em.splat(number(self.found.accumulator, 0), kind)
        if not isinstance(init, Access):
            return init
        at = self._starts_in_place()
        if at is not None:
            return read(self.em, Access(outs[at], self.exprs), Point(place.local, lanes))
        return read(self.em, init, Point(place.index, lanes))

    def _either(self, condition: SSAValue | bool, then: Body, otherwise: Body) -> Sequence[SSAValue]:
        """The values of one of two bodies."""
        if isinstance(condition, bool):
            return then() if condition else otherwise()
        em = self.em
        blocks = (Block(), Block())
        types = []

        def fill(body: Body) -> None:
            values = body()
            types[:] = [v.type for v in values]
            em.add(scf.YieldOp(*values))

        for block, body in zip(blocks, (then, otherwise), strict=True):
            em.inside(block, lambda body=body: fill(body))
        return em.add(scf.IfOp(condition, types, Region(blocks[0]), Region(blocks[1]))).results

    def _accumulate(
        self,
        level: int,
        at: tuple[list[Index], list[Index]],
        lanes: Lanes,
        total: SSAValue,
        operands: tuple[Operand, Operand],
        run: Sums,
        ahead: Callable[[Index, int], None] | None,
    ) -> SSAValue:
        """Loops over the k dims carrying the tile; `at` counts them from the start of all and of the run."""
        found, em = self.found, self.em
        dim = found.reduced[level]
        extent = run.extent if level == 0 else found.sizes[dim]
        start = run.start if level == 0 else 0
        # Terms of the innermost dim are taken a word at a time, and counted in words where they are packed.
        word = self.tiling.word if level == len(found.reduced) - 1 else 1

        def there(k: Index) -> tuple[list[Index], list[Index]]:
            index, local = list(at[0]), list(at[1])
            index[dim], local[dim] = self._sum(start, em.apply(AffineExpr.dimension(0) * word, [k])), k
            return index, local

        if level < len(found.reduced) - 1:

            def trip(k: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
                return [self._accumulate(level + 1, there(k), lanes, args[0], operands, run, ahead)]

            return em.loop(0, extent, 1, [total], trip)[0]

        def steps(k: Index, count: int, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            value = args[0]
            for u in range(count):
                value = self._multiply(there(self._sum(k, u)), lanes, value, operands)
            return [value]

        unroll = self.tiling.unroll // word
        words = em.apply((AffineExpr.dimension(0) + (word - 1)) // word, [extent])
        edge = -(-found.sizes[dim] // word) % unroll
        if ahead is None:
            return tiled_loop(em, words, edge, unroll, [total], steps)[0]
        return self._lines(words, edge, unroll, total, steps, ahead)

    def _lines(
        self,
        terms: Index,
        edge: int,
        unroll: int,
        total: SSAValue,
        steps: Callable[[Index, int, Sequence[SSAValue]], Sequence[SSAValue]],
        ahead: Callable[[Index, int], None],
    ) -> SSAValue:
        """The loop over terms in parts of about a cache line, at each of which something is fetched."""
        em, d = self.em, AffineExpr.dimension(0)
        part = -(-self._lanes() // unroll) * unroll

        def line(k: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            ahead(k, part)
            return em.loop(0, part, unroll, args, lambda i, values: steps(self._sum(k, i), unroll, values))

        whole = em.apply(d // part * part, [terms])
        values = em.loop(0, whole, part, [total], line)
        rest = em.apply(d % part, [terms])
        if rest == 0:
            return values[0]
        return tiled_loop(em, rest, edge, unroll, values, lambda k, n, args: steps(self._sum(whole, k), n, args))[0]

    def _multiply(
        self, at: tuple[list[Index], list[Index]], lanes: Lanes, total: SSAValue, operands: tuple[Operand, Operand]
    ) -> SSAValue:
        """One step of k: column of A times row of B."""
        if isinstance(self.packer, WordPacker):
            return self.packer.multiply(*at, lanes, total, operands)
        em, (rows, width) = self.em, lanes.shape
        mask = None
        if lanes.mask is not None:
            assert isinstance(lanes.mask.owner, vector.ConstantMaskOp)
            mask = em.constant_mask([lanes.mask.owner.mask_dim_sizes.get_values()[1]], [width])
        row = self.packer.row(operands[1], *at, width, mask)
        column = self.packer.column(operands[0], *at, rows)
        m, n, k = (AffineExpr.dimension(d) for d in range(3))
        maps = [AffineMap(3, 0, r) for r in ((m, k), (k, n), (m, n))]
        return em.add(vector.ContractOp(column, row, total, maps, ["parallel", "parallel", "reduction"])).result

    def _finish(self, place: _Place, lanes: Lanes, total: SSAValue, outs: Sequence[SSAValue]) -> Sequence[SSAValue]:
        """After the last run the epilogue on the tile and the results, before it the sums so far."""

        def results() -> Sequence[SSAValue]:
            return self._results(place, lanes, total, outs)

        def so_far() -> Sequence[SSAValue]:
            kept = list(outs)
            kept[self.sums] = self._write(total, outs[self.sums], place, lanes)
            return kept

        if not self.epilogue and self.sums < len(self.stored):
            return results()
        return self._either(place.run.last, results, so_far)

    def _results(self, place: _Place, lanes: Lanes, total: SSAValue, outs: Sequence[SSAValue]) -> list[SSAValue]:
        em = self.em
        values: dict[SSAValue, SSAValue] = {self.found.op.results[0]: total}
        order = [e.position for e in self.exprs if isinstance(e, AffineDimExpr)]
        dims = tuple(order.index(d) if d in order else -1 for d in lanes.dims)
        point = Point([place.index[d] for d in order], Lanes(dims, lanes.shape, lanes.mask))
        evaluate_on_tile(
            em, self.epilogue_nests, self.builder.resolve, values, point, lambda access: read(em, access, point)
        )
        written = list(outs)
        for i, (_, original) in enumerate(self.stored):
            written[i] = self._write(values[original], outs[i], place, lanes)
        return written

    def _write(self, value: SSAValue, out: SSAValue, place: _Place, lanes: Lanes) -> SSAValue:
        """A tile of a result: row by row, or where its rows are contiguous there turned in registers first."""
        m = lanes.dims[0]
        if not is_contiguous(self.exprs, m):
            return write_tile(self.em, value, out, self.exprs, place.local, lanes)
        value = broadcast(self.em, value, lanes.shape)
        assert isinstance(value.type, VectorType)
        columns = lanes.shape[1]
        if lanes.mask is not None:
            assert isinstance(lanes.mask.owner, vector.ConstantMaskOp)
            columns = lanes.mask.owner.mask_dim_sizes.get_values()[1]
        value = self.em.add(vector.TransposeOp(value, [1, 0])).result
        if columns < lanes.shape[1]:
            value = self.em.add(vector.ExtractStridedSliceOp(value, [0], [columns])).result
        across = next(i for i, e in enumerate(self.exprs) if uses_dim([e], lanes.dims[1]))
        dims = (AffineExpr.dimension(across), AffineExpr.dimension(len(self.exprs) - 1))
        indices = self.em.indices([self.em.apply(e, place.local) for e in self.exprs])
        in_bounds = ArrayAttr([BoolAttr.from_bool(True)] * 2)
        amap = AffineMapAttr(AffineMap(len(indices), 0, dims))
        assert isinstance(out.type, TensorType)
        op = upstream_vector.TransferWriteOp(value, out, indices, in_bounds, None, amap, out.type)
        result = self.em.add(op).result
        assert result is not None
        return result


def _is_zero(value: SSAValue | Access) -> bool:
    """Whether sums start from a zero that changes none, not even a negative zero's sign: one of them is a sum of products."""
    op = value.owner if isinstance(value, SSAValue) else None
    if not isinstance(op, arith.ConstantOp) or not isinstance(op.value, FloatAttr | IntegerAttr):
        return False
    return op.value.value.data == 0


def _element(value: SSAValue) -> Attribute:
    assert isinstance(value.type, TensorType)
    return value.type.element_type
