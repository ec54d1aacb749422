"""The `attention` strategy: online softmax over blocks of keys, in tiles whose lanes are queries.

A task does a few blocks of queries of one batch. Per block of queries: Q is turned so that a row holds one depth of every
query; then, block of keys by block of keys, tiles `keys x queries` of scores go through the score's region into scratch that
stays in the first cache, the running maximum of each lane is brought up to date, scores become weights (and their sum) and
tiles `columns x queries` of results are corrected to the new maximum and added to. All of that is vertical: no lane meets
another one. At the end results are divided by the sums, turned back and written.

Weights are kept smaller by a power of two, the number of keys, so that a sum of weighted values is never larger than the
largest value and overflows only where a weighted mean would. Keys that the causal mask hides from all queries of a block are
passed over: their weights are 0 unless some maximum is as low as the fill, which is asked at run time; what 0 times their
values is (NaN where one is not finite) is added all the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from xdsl.dialects import arith
from xdsl.dialects import math as math_dialect
from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.builtin import (
    AffineMapAttr,
    ArrayAttr,
    BoolAttr,
    TensorType,
)
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, Operation, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from stepwell.dialects import kernel, vector
from stepwell.dialects.structured_attention import AttentionOp
from stepwell.ir.dtypes import byte_width
from stepwell.passes.schedules.attention_choice import AttentionTiles, parts_of
from stepwell.passes.schedules.attention_few import FewQueriesPhase
from stepwell.passes.schedules.attention_scores import AttentionScores
from stepwell.passes.schedules.attention_staging import BEFORE, CORRECTION, D0, D1, HIGHEST, STATE, TOTAL, narrow
from stepwell.passes.schedules.emit import Index, number
from stepwell.passes.schedules.kernel_builder import KernelBuilder, Slice
from stepwell.passes.schedules.lanes import (
    Point,
    broadcast,
    lanes_along,
    read,
    transfer_read,
    transfer_write,
    vector_of,
)
from stepwell.passes.schedules.loops import schedule_around, space_phase
from stepwell.passes.schedules.nest import Access, Nest, Output, uses_dim
from stepwell.passes.schedules.plan import Machine
from stepwell.passes.schedules.space import Target

HIDDEN, HIDDEN_WIDE = 110.0, 760.0
"""By how much a score has to be below another one for its weight to be 0, in f32 (104) and in f64 (746)."""


def schedule_attention(
    builder: KernelBuilder, machine: Machine, tiles: Callable[[AttentionOp], AttentionTiles]
) -> None:
    """Attentions of the kernel by tiles; the rest as loops."""

    def whole(op: Operation) -> Sequence[Operation] | None:
        if not isinstance(op, AttentionOp):
            return None
        made = tiles(op)
        (FewQueriesPhase if made.few else AttentionPhase)(builder, op, made, machine).emit()
        return []

    schedule_around(builder, machine, whole)


class AttentionPhase(AttentionScores):
    """Emits the phase of one attention."""

    def emit(self) -> None:
        """The casts of keys and values, then the phase itself."""
        builder, op, em = self.builder, self.op, self.em
        em.location = op.location
        self.keys = self._in_score_type(self.keys, (self.key, self.depth))
        self.values = self._in_score_type(self.values, (self.key, self.column))
        home = builder.destination(op, op.res[0])
        blocks = -(-self.sizes[self.query] // self.tiles.queries)
        parts = parts_of(op, self.tiles, self.machine.tasks)
        chunk = -(-blocks // parts)
        counts = [*self.sizes[: op.batch], parts]

        def task(ivs: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
            return self._task(ivs[:-1], ivs[-1], chunk * self.tiles.queries, outs[0])

        (result,) = builder.phase(counts, [home], task)
        builder.define(op.res[0], result, builder.home(home))

    def _in_score_type(self, source: Access, inner: tuple[int, int]) -> Access:
        """An operand of a narrower float type, copied into launch scratch in the type of scores where tasks do not copy it."""
        if source.element == self.kind or self.tiles.pack:
            return source
        dims = [*(d for d in range(self.op.batch) if uses_dim(source.exprs, d)), *inner]
        sizes = [self.sizes[d] for d in dims]
        target = self.builder.scratch(TensorType(self.kind, sizes), kernel.ScratchScope.LAUNCH)
        places = [
            AffineExpr.dimension(dims.index(d)) if d in dims else AffineExpr.constant(0) for d in range(len(self.sizes))
        ]
        symbols = [AffineExpr.symbol(i) for i in range(len(source.symbols))]
        moved = replace(source, exprs=tuple(e.replace_dims_and_symbols(places, symbols) for e in source.exprs))
        block = Block(arg_types=[source.element, self.kind])
        cast = arith.ExtFOp(block.args[0], self.kind)  # pyright: ignore[reportArgumentType]
        block.add_ops([cast, linalg.YieldOp(cast.result)])
        output = Output(target, tuple(AffineExpr.dimension(i) for i in range(len(dims))), reduced=False)
        nest = Nest(tuple(sizes), (False,) * len(sizes), [moved], [output], block, self.op.location)
        made = space_phase(self.builder, [nest], [Target(output, output.exprs)], [target], self.machine)[0]
        return Access(made, tuple(AffineExpr.dimension(d) for d in dims))

    def _task(self, batch: Sequence[Index], part: Index, chunk: int, out: SSAValue) -> Sequence[Slice]:
        em, queries = self.em, self.sizes[self.query]
        first = em.apply(D0 * chunk, [part])
        extent: Index = min(chunk, queries)
        if queries % chunk and queries > chunk:
            extent = em.minimum(chunk, em.apply(D0 * -1 + queries, [first]))
        places = [next(iter(e.used_dims())) for e in self.op.maps[-1].results]
        offsets: list[Index] = [batch[d] if d < self.op.batch else first if d == self.query else 0 for d in places]
        sizes: list[Index] = [1 if d < self.op.batch else extent if d == self.query else self.sizes[d] for d in places]
        piece = self.builder.slice_of(out, offsets, sizes)
        self.out_places = places
        self.at = [*batch, 0, 0, 0, 0]
        if self.tiles.pack:
            self.keys = self._packed(self.keys, self.depth)
            self.values = self._packed(self.values, self.column)
        self.nothing = self._nothing_of_values()

        def trip(iv: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            return [self._queries(list(batch), first, iv, args[0])]

        (last,) = em.loop(0, extent, self.tiles.queries, [piece], trip)
        return [(last, offsets, sizes)]

    def _queries(self, batch: list[Index], first: Index, local: Index, out: SSAValue) -> SSAValue:
        """One block of queries; the last one overlaps the one before so that its lanes are full, where there are so many."""
        em = self.em
        em.location = self.op.location
        wanted = em.apply(D0 + D1, [first, local])
        start = em.minimum(wanted, self.sizes[self.query] - self.rows)
        if self.sizes[self.query] % self.tiles.queries == 0 or self.rows < self.tiles.queries:
            start = wanted
        self.start = start
        self.at: list[Index] = [*batch, start, 0, 0, 0]
        self.turned = self._turned(self.queries, self.depth, 0, self.sizes[self.depth], self.kind)
        columns = self._padded(self.sizes[self.column])
        sums = self._filled([columns, self.tiles.queries], 0.0)
        state = self._scratch([STATE, self.tiles.queries])
        state = self._set_row(self._set_row(state, HIGHEST, self._splat(-math.inf)), TOTAL, self._splat(0.0))
        state, sums, done = self._all_keys(state, sums)
        total = self._row_of(state, TOTAL)
        return self._finish(total, sums, done, em.apply(D0 - D1, [wanted, start]), local, out)

    def _all_keys(self, state: SSAValue, sums: SSAValue) -> tuple[SSAValue, SSAValue, Index]:
        """Every key that counts; returns the state, the results, and where the keys that do not count begin."""
        em, keys, block = self.em, self.sizes[self.key], self.tiles.block

        def over(begin: Index, end: Index, carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
            def trip(iv: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
                if isinstance(end, int) and (end % block == 0 or isinstance(iv, int)):
                    count: Index = block if not isinstance(iv, int) else min(block, end - iv)
                else:
                    count = em.minimum(block, em.apply(D0 - D1, [end, iv]))
                return self._key_block(iv, count, *args)

            return em.loop(begin, end, block, carried, trip)

        visible = keys if self.op.causal is None else self._visible()
        if self.op.fill is None or (isinstance(visible, int) and visible >= keys):
            state, sums = over(0, keys, (state, sums))
            return state, sums, keys
        # The first pass does what the queries see; the second the rest, where some maximum is as low as the fill.
        limit = self.op.fill.value.data + (HIDDEN if byte_width(self.kind) == 4 else HIDDEN_WIDE)
        bound = self._splat(limit)

        def both(iv: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            begin, end, *held = args
            done = over(begin, end, held)
            low = em.add(arith.CmpfOp(self._row_of(done[0], HIGHEST), bound, "ole")).result
            more = em.add(arith.SelectOp(self._any(low), em.index(keys), end)).result
            return [end, more, *done]

        done, _, state, sums = em.loop(0, 2, 1, [em.index(0), em.index(visible), state, sums], both)
        return state, sums, done

    def _visible(self) -> Index:
        """The first keys that have to be looked at, since a query of the block may see them; whole tiles are left.

        Neither they nor what is left ends with less than a tile in the last block, so that every tile finds its rows.
        """
        em, keys, tile, block = self.em, self.sizes[self.key], self.tiles.keys, self.tiles.block
        assert self.op.causal is not None
        # Key j is seen by query i where j <= i + causal: the last query is start + rows - 1.
        hidden = em.apply(D0 * -1 + (keys - self.rows - self.op.causal.value.data), [self.start])
        if isinstance(hidden, int):
            hidden = min(max(hidden, 0), keys)
        else:
            hidden = em.minimum(em.add(arith.MaxSIOp(hidden, em.index(0))).result, keys)
        visible = em.apply(D0 // tile * -tile + keys, [hidden])
        rest = keys % tile
        if rest == 0:
            return visible
        if isinstance(visible, int):
            return visible + tile if visible % block == rest and visible < keys else visible
        short = em.add(arith.CmpiOp(em.index(em.apply(D0 % block, [visible])), em.index(rest), "eq")).result
        more = em.index(em.apply(D0 + tile, [visible]))
        return em.minimum(em.add(arith.SelectOp(short, more, visible)).result, keys)

    def _key_block(self, begin: Index, count: Index, state: SSAValue, sums: SSAValue) -> Sequence[SSAValue]:
        """One block of keys: its scores, the new maxima, weights and results."""
        em, queries = self.em, self.tiles.queries
        turned = [self._turned_extra(e, begin, count) for e in self.extras]
        scores = self._scratch([self.tiles.block, queries])
        tile = self.tiles.keys
        even = isinstance(count, int) and count % tile == 0
        state = self._set_row(state, BEFORE, self._row_of(state, HIGHEST))

        def row(t: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            # The last tile overlaps the one before: the same scores are made twice.
            base = t if even else em.minimum(t, em.apply(D0 - tile, [count]))
            made = self._scores(begin, base, turned)
            highest = self._larger(self._row_of(args[0], HIGHEST), self._highest(made))
            return [self._set_row(args[0], HIGHEST, highest), transfer_write(em, made, args[1], [base, 0])]

        state, scores = em.loop(0, count, tile, [state, scores], row)
        highest = self._row_of(state, HIGHEST)
        # Rows that have seen only -inf keep weights of 0, not NaN.
        nothing = em.add(arith.CmpfOp(highest, self._splat(-math.inf), "oeq")).result
        base = em.add(arith.SelectOp(nothing, self._splat(0.0), highest)).result
        before = em.add(arith.SubfOp(self._row_of(state, BEFORE), base)).result
        correction = em.add(math_dialect.ExpOp(before)).result
        state = self._set_row(state, CORRECTION, correction)
        total = em.add(arith.MulfOp(self._row_of(state, TOTAL), correction)).result
        total, scores = self._weights(count, base, total, scores)
        state = self._set_row(state, TOTAL, total)
        return [state, self._add_values(begin, count, state, scores, sums)]

    def _highest(self, tile: SSAValue) -> SSAValue:
        """The maximum over the rows of a tile, pairwise; NaN only where every row but the first is unordered."""
        return self._pairwise(self._rows_of(tile), self._larger)

    def _weights(self, count: Index, base: SSAValue, total: SSAValue, scores: SSAValue) -> Sequence[SSAValue]:
        """Scores become weights in place, and their sum grows."""
        em, queries = self.em, self.tiles.queries
        vectors = max(1, queries // self.lanes)
        step = max(1, self.machine.unroll // vectors)

        def some(rows: int, carried: Sequence[SSAValue], begin: Index, end: Index) -> Sequence[SSAValue]:
            lowest = self._spread(base, [rows, queries])
            factor = self._splat(self._smaller(), [rows])

            def trip(r: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
                value = transfer_read(em, args[1], [r, 0], [rows, queries])
                value = em.add(arith.SubfOp(value, lowest)).result
                value = em.add(math_dialect.ExpOp(value)).result
                value = em.add(arith.MulfOp(value, factor)).result
                held = args[0]
                for i in range(rows):
                    one = em.add(upstream_vector.ExtractOp(value, [i], self.wide)).result
                    held = em.add(arith.AddfOp(held, one)).result
                return [held, transfer_write(em, value, args[1], [r, 0])]

            return em.loop(begin, end, rows, carried, trip)

        return self._in_steps(count, step, [total, scores], some)

    def _in_steps(
        self,
        count: Index,
        step: int,
        carried: Sequence[SSAValue],
        some: Callable[[int, Sequence[SSAValue], Index, Index], Sequence[SSAValue]],
    ) -> Sequence[SSAValue]:
        """`some(rows, carried, begin, end)` by `step` keys, and one by one what is left of the last ones."""
        em = self.em
        if self._divides(count, step):
            return some(step, carried, 0, count)
        main = em.apply(D0 // step * step, [count])
        return some(1, some(step, carried, 0, main), main, count)

    def _divides(self, count: Index, step: int) -> bool:
        """Whether the keys of a block are surely a multiple of `step`."""
        if isinstance(count, int):
            return count % step == 0
        tiles, keys = self.tiles, self.sizes[self.key]
        return tiles.block % step == 0 and keys % step == 0 and (self.op.causal is None or tiles.keys % step == 0)

    def _add_values(self, begin: Index, count: Index, state: SSAValue, weights: SSAValue, sums: SSAValue) -> SSAValue:
        """Results, corrected to the new maxima, plus the weighted values of a block of keys."""
        columns, tile = self.sizes[self.column], self.tiles.columns
        main = columns // tile * tile

        def some(rows: int, first: int, last: int, held: SSAValue) -> SSAValue:
            return self.em.loop(
                first,
                last,
                rows,
                [held],
                lambda c, args: [self._add_tile(begin, count, state, weights, args[0], c, rows)],
            )[0]

        sums = some(tile, 0, main, sums)
        return some(columns - main, main, columns, sums) if main < columns else sums

    def _add_tile(
        self,
        begin: Index,
        count: Index,
        state: SSAValue,
        weights: SSAValue,
        sums: SSAValue,
        column: Index,
        rows: int,
    ) -> SSAValue:
        em, shape = self.em, [rows, self.tiles.queries]
        held = transfer_read(em, sums, [column, 0], shape)
        held = em.add(arith.MulfOp(held, self._spread(self._row_of(state, CORRECTION), shape))).result

        def some(step: int, carried: Sequence[SSAValue], first: Index, last: Index) -> Sequence[SSAValue]:
            def trip(r: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
                value = args[0]
                for u in range(step):
                    at = list(self.at)
                    at[self.column] = column
                    at[self.key] = em.apply(D0 + D1 + u, [begin, r])
                    left = self._column_of(self.values, at, self.column, self.key, rows)
                    row = transfer_read(em, weights, [em.apply(D0 + u, [r]), 0], [1, shape[1]])
                    value = self._multiply(left, row, value)
                return [value]

            return em.loop(first, last, step, carried, trip)

        (made,) = self._in_steps(count, 2, [held], some)
        return transfer_write(em, made, sums, [column, 0])

    def _finish(
        self, total: SSAValue, sums: SSAValue, done: Index, skipped: Index, local: Index, out: SSAValue
    ) -> SSAValue:
        """Divide by the sums of weights, turn, and write the rows that are this block's own."""
        em, queries, lanes = self.em, self.tiles.queries, self.lanes
        inverse = em.add(arith.DivfOp(self._splat(1.0), total)).result
        scale = transfer_write(em, inverse, self._scratch([1, queries]), [0, 0])
        nothing = self.nothing
        hidden = em.apply((D0 * -1 + self.sizes[self.key]) // self.tiles.keys, [done])

        def turned(r: Index, c: Index) -> SSAValue:
            """A tile of results, queries by columns."""
            value = transfer_read(em, sums, [c, r], [lanes, lanes])
            factor = transfer_read(em, scale, [0, r], [1, lanes])
            value = em.add(arith.MulfOp(value, self._spread(factor, [lanes, lanes]))).result
            value = em.add(vector.TransposeOp(value, [1, 0])).result
            if nothing is not None:
                added = transfer_read(em, nothing, [hidden, c], [1, lanes])
                value = em.add(arith.AddfOp(value, self._spread(added, [lanes, lanes]))).result
            return value

        if self._writes_tiles(out):
            return self._by_tiles(
                self.sizes[self.column], out, lambda r, c, held: self._write_tile(turned(r, c), held, r, c, local)
            )
        assert isinstance(sums.type, TensorType)
        columns = sums.type.get_shape()[0]
        rows = self._by_tiles(
            columns,
            self._scratch([queries, columns]),
            lambda r, c, held: transfer_write(em, turned(r, c), held, [r, c]),
        )
        return self._write_rows(rows, skipped, local, out)

    def _writes_tiles(self, out: SSAValue) -> bool:
        """Whether results go to their place tile by tile: full tiles of the result's own type."""
        assert isinstance(out.type, TensorType)
        full = self.sizes[self.query] % self.tiles.queries == 0 and self.sizes[self.column] % self.lanes == 0
        return full and out.type.element_type == self.kind

    def _write_tile(self, value: SSAValue, out: SSAValue, r: Index, c: Index, local: Index) -> SSAValue:
        em = self.em
        assert isinstance(out.type, TensorType)
        row = em.apply(D0 + D1, [r, local])
        where: list[Index] = [row if d == self.query else c if d == self.column else 0 for d in self.out_places]
        places = [self.out_places.index(d) for d in (self.query, self.column)]
        amap = AffineMapAttr(AffineMap(len(where), 0, tuple(AffineExpr.dimension(p) for p in places)))
        in_bounds = ArrayAttr([BoolAttr.from_bool(True)] * 2)
        op = upstream_vector.TransferWriteOp(value, out, em.indices(where), in_bounds, None, amap, out.type)
        result = em.add(op).result
        assert result is not None
        return result

    def _write_rows(self, rows: SSAValue, skipped: Index, local: Index, out: SSAValue) -> SSAValue:
        """The rows of a block that no block before has written, in the type of the result."""
        em = self.em
        assert isinstance(out.type, TensorType)
        kind = out.type.element_type

        def row(r: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            target = em.apply(D0 - D1 + AffineExpr.dimension(2), [r, skipped, local])
            where: list[Index] = [target if d == self.query else 0 for d in self.out_places]

            def piece(c: Index, held: Sequence[SSAValue], mask: SSAValue | None) -> Sequence[SSAValue]:
                value = narrow(em, transfer_read(em, rows, [r, c], [self.lanes]), kind)
                return [transfer_write(em, value, held[0], [*where[:-1], c], mask)]

            return self._by_lanes(self.sizes[self.column], args, piece)

        return em.loop(skipped, self.rows, 1, [out], row)[0]

    def _nothing_of_values(self) -> SSAValue | None:
        """0 times the values of the last j tiles of keys, summed, for each j: NaN where one of them is no number.

        None where the first block of queries already sees every key.
        """
        em, keys, tile = self.em, self.sizes[self.key], self.tiles.keys
        if self.op.causal is None or keys - self.rows <= self.op.causal.value.data:
            return None
        tiles = keys // tile
        zero = em.splat(number(self.kind, 0), vector_of(self.kind, self.lanes))
        columns = self._padded(self.sizes[self.column])

        def piece(c: Index, held: Sequence[SSAValue], mask: SSAValue | None) -> Sequence[SSAValue]:
            def one(j: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
                at = list(self.at)
                at[self.column] = c
                rows: list[SSAValue] = []
                for r in range(tile):
                    at[self.key] = em.apply(D0 * -tile + (keys - tile + r), [j])
                    value = read(em, self.values, Point(at, lanes_along(self.column, self.lanes, mask)))
                    rows.append(em.add(arith.MulfOp(broadcast(em, value, self.lanes), zero)).result)
                total = em.add(arith.AddfOp(args[0], self._pairwise(rows, self._sum))).result
                return [total, transfer_write(em, total, args[1], [em.apply(D0 + 1, [j]), c])]

            first = transfer_write(em, zero, held[0], [0, c])
            return [em.loop(0, tiles, 1, [zero, first], one)[1]]

        return self._by_lanes(self.sizes[self.column], [self._scratch([tiles + 1, columns])], piece)[0]


__all__ = ["AttentionPhase", "schedule_attention"]
