"""The `attention-gradient` strategy: scores of a few queries at a time, made again, never stored beyond a core's own caches.

A task does the queries of one batch, block by block, and adds up what they pass back to its keys and values. Per block, lanes
are queries as in `attention`, and all of its scores are in scratch: tiles of products become scores, whose maximum is known
after the first sweep over the keys; the second makes exponentials of them, their sum, what the result passes back to each
weight, and how much of that the row takes back; the third makes weights and what is passed back to the products, adds these
times the values' gradients and times the queries to the gradients of the block's keys and values (tiles `keys x columns`, terms
are queries) and the keys times these to the gradients of the queries (tiles `depths x queries`). Nothing is merged between
lanes, so results do not depend on who did what; parts of the queries, where there are any, are added up in their order.

Keys that the causal mask hides from a whole block are passed over as in `attention`, unless some maximum is as low as the fill
or not finite, or an operand is so large that what is left out could be something else than 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from xdsl.dialects import arith
from xdsl.dialects import math as math_dialect
from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.arith import FastMathFlagsAttr
from xdsl.dialects.builtin import TensorType
from xdsl.dialects.utils.fast_math import FastMathFlag
from xdsl.dialects.vector import CombiningKindAttr, CombiningKindFlag
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import kernel, vector
from stepwell.dialects.structured_attention_gradient import AttentionGradientOp
from stepwell.ir.dtypes import byte_width
from stepwell.passes.schedules.attention_gradient_choice import GradientTiles
from stepwell.passes.schedules.attention_scores import AttentionScores
from stepwell.passes.schedules.attention_staging import D0, D1, narrow, widen
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
from stepwell.passes.schedules.loops import schedule_around
from stepwell.passes.schedules.nest import Access
from stepwell.passes.schedules.plan import Machine

HIDDEN, HIDDEN_WIDE = 110.0, 760.0
"""By how much a score has to be below another one for its weight to be 0, in f32 (104) and in f64 (746)."""
LARGEST, LARGEST_WIDE = 3.0e38, 1.0e308
"""Below the largest number of f32 and of f64."""
HIGHEST, TOTAL, TAKEN, STATE = range(4)
"""Rows of what is known of each query: its highest score, the sum of exponentials, and of these times what is passed back."""
TERMS = 4
"""Queries that follow each other in the sums for keys and values."""

Values = Sequence[SSAValue]


def schedule_attention_gradient(
    builder: KernelBuilder, machine: Machine, tiles: Callable[[AttentionGradientOp], GradientTiles]
) -> None:
    """Gradients of attention by tiles; the rest as loops."""

    def whole(op: Operation) -> Sequence[Operation] | None:
        if not isinstance(op, AttentionGradientOp):
            return None
        AttentionGradientPhase(builder, op, tiles(op), machine).emit()
        return []

    schedule_around(builder, machine, whole)


class AttentionGradientPhase(AttentionScores):
    """Emits the phases of one gradient."""

    passed_turned: SSAValue
    """The result's gradients of the block at hand: rows are columns, lanes queries."""
    query_lines: SSAValue
    """The queries of the block as they are: rows are queries."""
    passed_lines: SSAValue
    """The result's gradients of the block as they are."""
    turned_extras: Sequence[SSAValue | None]

    def __init__(self, builder: KernelBuilder, op: AttentionGradientOp, tiles: GradientTiles, machine: Machine):
        super().__init__(builder, op, tiles.tiles, machine)
        self.gradient_op = op
        self.parts = tiles.parts
        self.passed = builder.resolve(op.gradient, op.maps[3].results)
        self.rest = self.sizes[self.key] % self.tiles.keys
        """Keys of the tile that is not whole: the first ones, since it is the last ones that a mask hides."""
        self.needs_products = op.slope.block.args[1].first_use is not None

    def emit(self) -> None:
        """One phase, and one that adds up the parts where there are several."""
        builder, op = self.builder, self.gradient_op
        self.em.location = op.location
        homes = [builder.destination(op, r) for r in op.res]
        own = [self.sizes[d] for d in op.own]
        targets = list(homes)
        if self.parts > 1:
            shapes = [[*own, self.parts, self.sizes[self.key], self.sizes[d]] for d in (self.depth, self.column)]
            kinds = [TensorType(self.kind, shape) for shape in shapes]
            targets[1:] = [builder.scratch(kind, kernel.ScratchScope.LAUNCH) for kind in kinds]
        made = list(builder.phase([*own, self.parts], targets, lambda ivs, outs: self._task(ivs[:-1], ivs[-1], outs)))
        if self.parts > 1:
            partial = made[1:]
            inner = (self.depth, self.column)
            made[1:] = builder.phase(
                [*own, 1],
                homes[1:],
                lambda ivs, outs: [self._added_up(ivs[:-1], *a) for a in zip(inner, partial, outs, strict=True)],
            )
        for result, value, home in zip(op.res, made, homes, strict=True):
            builder.define(result, value, builder.home(home))

    # A task.

    def _task(self, own: Sequence[Index], part: Index, outs: Values) -> Sequence[Slice]:
        em, op, queries = self.em, self.gradient_op, self.sizes[self.query]
        blocks = -(-queries // self.tiles.queries)
        chunk = -(-blocks // self.parts) * self.tiles.queries
        first = em.apply(D0 * chunk, [part])
        extent: Index = min(chunk, queries)
        if queries % chunk and queries > chunk:
            extent = em.minimum(chunk, em.apply(D0 * -1 + queries, [first]))
        self.at = [0] * len(self.sizes)
        for dim, iv in zip(op.own, own, strict=True):
            self.at[dim] = iv
        offsets: list[Index] = [first if d == self.query else self.at[d] for d in op.places(0)]
        sizes: list[Index] = [extent if d == self.query else 1 if d in op.own else self.sizes[d] for d in op.places(0)]
        query_slice = (offsets, sizes)
        piece = self.builder.slice_of(outs[0], *query_slice)
        if self.tiles.pack:
            self.keys = self._packed(self.keys, self.depth)
            self.values = self._packed(self.values, self.column)
        keys, inner = self.sizes[self.key], (self.depth, self.column)
        sums = [self._filled([keys, self._padded(self.sizes[d])], 0.0) for d in inner]
        shared = [d for d in range(op.batch) if d not in op.own]
        made = self._each(shared, [piece, *sums], lambda held: self._all_queries(first, extent, held))
        left = [self._left(o, own, part, d, s) for o, d, s in zip(outs[1:], inner, made[1:], strict=True)]
        return [(made[0], *query_slice), *left]

    def _each(self, dims: Sequence[int], carried: Values, body: Callable[[Values], Values]) -> Values:
        """`body(carried)` for every point of some batch dims, being there."""
        if not dims:
            return body(carried)

        def trip(iv: Index, held: Values) -> Values:
            self.at[dims[0]] = iv
            return self._each(dims[1:], held, body)

        return self.em.loop(0, self.sizes[dims[0]], 1, carried, trip)

    def _left(self, out: SSAValue, own: Sequence[Index], part: Index, dim: int, sums: SSAValue) -> Slice:
        """What a task leaves of the gradients of keys or values: in their place, or in that of its part."""
        em = self.em

        def value(r: Index, c: Index, mask: SSAValue | None) -> SSAValue:
            del mask
            return transfer_read(em, sums, [r, c], [self.lanes])

        if self.parts == 1:
            return self._lines_left(out, self.gradient_op.places(1 if dim == self.depth else 2), own, value)
        lead: list[Index] = [*own, part]
        offsets: list[Index] = [*lead, 0, 0]
        sizes: list[Index] = [*([1] * len(lead)), self.sizes[self.key], self.sizes[dim]]
        piece = self.builder.slice_of(out, offsets, sizes)
        return self._filled_lines(piece, [0] * len(lead), len(lead), dim, value), offsets, sizes

    def _added_up(self, own: Sequence[Index], dim: int, partial: SSAValue, out: SSAValue) -> Slice:
        """The sums of what the parts of a batch have left, in their order."""
        em = self.em

        def value(r: Index, c: Index, mask: SSAValue | None) -> SSAValue:
            def one(p: Index) -> SSAValue:
                return transfer_read(em, partial, [*own, p, r, c], [self.lanes], mask)

            return em.loop(1, self.parts, 1, [one(0)], lambda p, acc: [self._sum(acc[0], one(p))])[0]

        return self._lines_left(out, self.gradient_op.places(1 if dim == self.depth else 2), own, value)

    def _lines_left(
        self, out: SSAValue, places: Sequence[int], own: Sequence[Index], value: Callable[..., SSAValue]
    ) -> Slice:
        """The gradients of the keys or values of a batch, wherever their dims are."""
        batch = dict(zip(self.gradient_op.own, own, strict=True))
        offsets = [batch.get(d, 0) for d in places]
        sizes: list[Index] = [1 if d in batch else self.sizes[d] for d in places]
        piece = self.builder.slice_of(out, offsets, sizes)
        made = self._filled_lines(piece, [0] * (len(places) - 2), places.index(self.key), places[-1], value)
        return made, offsets, sizes

    def _filled_lines(
        self, out: SSAValue, inside: Sequence[Index], at: int, dim: int, value: Callable[..., SSAValue]
    ) -> SSAValue:
        """Every line of keys, which is index `at` of the tensor, of `value(key, column, mask)` along a dim."""
        em = self.em
        assert isinstance(out.type, TensorType)
        kind = out.type.element_type

        def row(r: Index, args: Values) -> Values:
            where = [*inside[:at], r, *inside[at:]]

            def piece(c: Index, held: Values, mask: SSAValue | None) -> Values:
                made = narrow(em, value(r, c, mask), kind)
                return [transfer_write(em, made, held[0], [*where, c], mask)]

            return self._by_lanes(self.sizes[dim], args, piece)

        return em.loop(0, self.sizes[self.key], 1, [out], row)[0]

    # Which keys have to be looked at.

    def _all_queries(self, first: Index, extent: Index, carried: Values) -> Values:
        """The queries of a task at one point of the batch."""
        self.harmless = self._harmless(first, extent) if self.op.causal is not None else None
        return self.em.loop(0, extent, self.tiles.queries, carried, lambda iv, args: self._queries(first, iv, *args))

    def _harmless(self, first: Index, extent: Index) -> SSAValue:
        """Whether every operand is finite, and no sum of products of values and gradients can overflow."""
        em, keys = self.em, self.sizes[self.key]
        queries = self._magnitude(self.queries, self.query, self.depth, first, extent)
        others = self._magnitude(self.keys, self.key, self.depth, 0, keys)
        values = self._magnitude(self.values, self.key, self.column, 0, keys)
        passed = self._magnitude(self.passed, self.query, self.column, first, extent)
        zero = em.constant(number(self.kind, 0.0), self.kind)
        nothing = em.add(arith.MulfOp(self._sum(queries, others), zero)).result
        most = self._sum(em.add(arith.MulfOp(values, passed)).result, nothing)
        largest = LARGEST if byte_width(self.kind) == 4 else LARGEST_WIDE
        return em.add(arith.CmpfOp(most, em.constant(number(self.kind, largest), self.kind), "olt")).result

    def _magnitude(self, source: Access, line: int, dim: int, first: Index, count: Index) -> SSAValue:
        """The sum of the absolute values of some lines: no number where one of them is none."""
        em = self.em

        def row(r: Index, args: Values) -> Values:
            def piece(c: Index, held: Values, mask: SSAValue | None) -> Values:
                at = list(self.at)
                at[line], at[dim] = em.apply(D0 + D1, [first, r]), c
                value = read(em, source, Point(at, lanes_along(dim, self.lanes, mask)))
                value = widen(em, broadcast(em, value, self.lanes), self.kind)
                return [self._sum(held[0], em.add(math_dialect.AbsFOp(value)).result)]

            return self._by_lanes(self.sizes[dim], args, piece)

        zero = em.splat(number(self.kind, 0), vector_of(self.kind, self.lanes))
        (total,) = em.loop(0, count, 1, [zero], row)
        properties = {
            "kind": CombiningKindAttr(CombiningKindFlag.ADD),
            "fastmath": FastMathFlagsAttr([FastMathFlag.REASSOC]),
        }
        op = upstream_vector.ReductionOp.create(operands=[total], result_types=[self.kind], properties=properties)
        return em.add(op).results[0]

    def _visible(self) -> Index:
        """Where the keys begin that the mask hides from every query of the block: what is left of it ends whole tiles."""
        em, keys, tile = self.em, self.sizes[self.key], self.tiles.keys
        if self.op.causal is None or self.harmless is None:
            return keys
        # Key j is seen by query i where j <= i + causal: the last query is start + rows - 1.
        hidden = em.apply(D0 * -1 + (keys - self.rows - self.op.causal.value.data), [self.start])
        above = em.add(arith.MaxSIOp(em.index(hidden), em.index(0))).result
        visible = em.apply(D0 // tile * -tile + keys, [em.minimum(above, keys)])
        return em.add(arith.SelectOp(self.harmless, em.index(visible), em.index(keys))).result

    # A block of queries.

    def _queries(self, first: Index, local: Index, piece: SSAValue, of_keys: SSAValue, of_values: SSAValue) -> Values:
        """One block of queries; the last one overlaps the one before so that its lanes are full, where there are so many."""
        em = self.em
        em.location = self.op.location
        wanted = em.apply(D0 + D1, [first, local])
        start = wanted
        if self.sizes[self.query] % self.tiles.queries and self.rows == self.tiles.queries:
            start = em.minimum(wanted, self.sizes[self.query] - self.rows)
        self.start = self.at[self.query] = start
        skipped = em.apply(D0 - D1, [wanted, start])
        self.query_lines = self._lines_of(self.queries, self.depth, 0, self.sizes[self.depth], self.kind)
        self.passed_lines = self._lines_of(self.passed, self.column, 0, self.sizes[self.column], self.kind)
        self.turned = self._turned_lines(self.query_lines)
        self.passed_turned = self._turned_lines(self.passed_lines)
        self.turned_extras = [self._turned_extra(e, 0, self.sizes[self.key]) for e in self.extras]
        shape = [self.sizes[self.key], self.tiles.queries]
        state = self._scratch([STATE, self.tiles.queries])
        for row, value in ((HIGHEST, -math.inf), (TOTAL, 0.0), (TAKEN, 0.0)):
            state = self._set_row(state, row, self._splat(value))
        held = [state, self._scratch(shape), *([self._scratch(shape)] if self.needs_products else [])]
        held, done = self._all_scores(held)
        state, weights, passed = self._over_tiles(0, done, [held[0], held[1], self._scratch(shape)], self._weigh)
        state = self._averaged(state)
        of_queries = self._filled([self._padded(self.sizes[self.depth]), self.tiles.queries], 0.0)
        carried = [weights, passed, of_queries, of_keys, of_values]
        products = held[2] if self.needs_products else None
        carried = self._over_blocks(
            done, carried, lambda b, end, args: self._pass_back(b, end, skipped, state, products, args)
        )
        return [self._write_queries(carried[2], skipped, local, piece), carried[3], carried[4]]

    def _turned_lines(self, lines: SSAValue) -> SSAValue:
        assert isinstance(lines.type, TensorType)
        return self._transposed(lines, self._scratch(lines.type.get_shape()[::-1]))

    def _over_tiles(
        self, begin: Index, end: Index, carried: Values, tile: Callable[[Index, int, Values], Values]
    ) -> Values:
        """`tile(key, rows, carried)` for the keys from `begin`, 0 or where whole tiles begin, to `end`, where one ends."""
        if isinstance(begin, int) and begin == 0 and self.rest:
            carried, begin = tile(0, self.rest, carried), self.rest
        rows = self.tiles.keys
        return self.em.loop(begin, end, rows, carried, lambda k, args: tile(k, rows, args))

    def _over_blocks(self, end: Index, carried: Values, block: Callable[[Index, Index, Values], Values]) -> Values:
        """`block(begin, end, carried)` for runs of whole tiles; the tile that is not whole is one of its own."""
        em = self.em
        if self.rest:
            carried = block(0, self.rest, carried)
        return em.loop(
            self.rest,
            end,
            self.tiles.block,
            carried,
            lambda b, args: block(b, em.minimum(em.apply(D0 + self.tiles.block, [b]), end), args),
        )

    # First sweep: scores and their maximum.

    def _all_scores(self, held: Values) -> tuple[Values, Index]:
        """The scores of all keys that count, and where those that do not begin."""
        em, keys, visible = self.em, self.sizes[self.key], self._visible()
        if isinstance(visible, int):
            return self._over_tiles(0, keys, held, self._score), keys
        if self.rest:
            held = self._score(0, self.rest, held)
        assert self.op.fill is not None
        limit = self._splat(self.op.fill.value.data + (HIDDEN if byte_width(self.kind) == 4 else HIDDEN_WIDE))

        def both(iv: Index, args: Values) -> Values:
            # What the queries see; then the rest, where some maximum is as low as the fill, or no number.
            begin, end, *inner = args
            inner = em.loop(begin, end, self.tiles.keys, inner, lambda k, a: self._score(k, self.tiles.keys, a))
            highest = self._row_of(inner[0], HIGHEST)
            low = em.add(arith.CmpfOp(highest, limit, "ule")).result
            high = em.add(arith.CmpfOp(highest, self._splat(math.inf), "oeq")).result
            more = self._any(em.add(arith.OrIOp(low, high)).result)
            return [end, em.add(arith.SelectOp(more, em.index(keys), end)).result, *inner]

        done, _, *held = em.loop(0, 2, 1, [em.index(self.rest), visible, *held], both)
        return held, done

    def _score(self, key: Index, rows: int, held: Values) -> Values:
        """A tile of scores."""
        em, op = self.em, self.gradient_op
        products = self._products(self.keys, self.depth, self.turned, key, rows)
        scored = self._region(op.score.block, [products], key, key, self.turned_extras)
        if op.fill is not None:
            scored = self._causal(scored, key, op.fill)
        highest = self._pairwise([self._row_of(held[0], HIGHEST), *self._rows_of(scored)], self._most)
        made = [self._set_row(held[0], HIGHEST, highest), transfer_write(em, scored, held[1], [key, 0])]
        return [*made, *(transfer_write(em, products, h, [key, 0]) for h in held[2:])]

    def _most(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self.em.add(arith.MaximumfOp(a, b)).result

    # Second sweep: exponentials, and what the result passes back to each.

    def _weigh(self, key: Index, rows: int, held: Values) -> Values:
        """A tile of exponentials, and of what is passed back to weights; their sums grow."""
        em, (state, weights, passed) = self.em, held
        highest = self._row_of(state, HIGHEST)

        def exponential(r: Index, count: int, args: Values) -> Values:
            value = transfer_read(em, args[1], [r, 0], [count, self.tiles.queries])
            value = em.add(arith.SubfOp(value, self._spread(highest, [count, self.tiles.queries]))).result
            value = em.add(math_dialect.ExpOp(value)).result
            total = self._pairwise(self._rows_of(value), self._sum)
            return [self._sum(args[0], total), transfer_write(em, value, args[1], [r, 0])]

        total, weights = self._in_rows(key, rows, [self._row_of(state, TOTAL), weights], exponential)
        products = self._products(self.values, self.column, self.passed_turned, key, rows)
        value = transfer_read(em, weights, [key, 0], [rows, self.tiles.queries])
        taken = self._pairwise(self._rows_of(em.add(arith.MulfOp(value, products)).result), self._sum)
        state = self._set_row(self._set_row(state, TOTAL, total), TAKEN, self._sum(self._row_of(state, TAKEN), taken))
        return [state, weights, transfer_write(em, products, passed, [key, 0])]

    def _in_rows(
        self, first: Index, rows: int, carried: Values, some: Callable[[Index, int, Values], Values]
    ) -> Values:
        """`some(row, count, carried)` for a few rows at a time."""
        em = self.em
        step = max(1, self.machine.unroll * self.lanes // self.tiles.queries)
        main = rows // step * step
        end = em.apply(D0 + main, [first])
        carried = em.loop(first, end, step, carried, lambda r, args: some(r, step, args))
        return some(end, rows - main, carried) if main < rows else carried

    def _averaged(self, state: SSAValue) -> SSAValue:
        """Sums become what weights are multiplied with, and what each row takes back of what is passed to it."""
        em = self.em
        inverse = em.add(arith.DivfOp(self._splat(1.0), self._row_of(state, TOTAL))).result
        taken = em.add(arith.MulfOp(self._row_of(state, TAKEN), inverse)).result
        return self._set_row(self._set_row(state, TOTAL, inverse), TAKEN, taken)

    # Third sweep: what is passed back to the products, and through them.

    def _pass_back(
        self, begin: Index, end: Index, skipped: Index, state: SSAValue, products: SSAValue | None, held: Values
    ) -> Values:
        """A block of keys: weights, what is passed back, and what both make of the gradients."""
        weights, passed, of_queries, of_keys, of_values = held

        def slopes(key: Index, rows: int, args: Values) -> Values:
            return self._slopes(key, rows, state, products, args)

        def grow(key: Index, rows: int, args: Values) -> Values:
            some = self._grow(self.depth, key, rows, skipped, passed, self.query_lines, args[0])
            return [some, self._grow(self.column, key, rows, skipped, weights, self.passed_lines, args[1])]

        whole = not (isinstance(begin, int) and begin == 0 and self.rest)
        if whole:
            rows, loop = self.tiles.keys, self.em.loop
            weights, passed = loop(begin, end, rows, [weights, passed], lambda k, a: slopes(k, rows, a))
            of_keys, of_values = loop(begin, end, rows, [of_keys, of_values], lambda k, a: grow(k, rows, a))
        else:
            weights, passed = slopes(0, self.rest, [weights, passed])
            of_keys, of_values = grow(0, self.rest, [of_keys, of_values])
        return [weights, passed, self._add_keys(begin, end, passed, of_queries), of_keys, of_values]

    def _slopes(self, key: Index, rows: int, state: SSAValue, products: SSAValue | None, held: Values) -> Values:
        """Exponentials become weights, and what is passed back to them what is passed back to the products."""
        em, op = self.em, self.gradient_op
        inverse, taken = self._row_of(state, TOTAL), self._row_of(state, TAKEN)

        def some(r: Index, count: int, args: Values) -> Values:
            shape = [count, self.tiles.queries]
            weight = transfer_read(em, args[0], [r, 0], shape)
            weight = em.add(arith.MulfOp(weight, self._spread(inverse, shape))).result
            value = transfer_read(em, args[1], [r, 0], shape)
            value = em.add(arith.SubfOp(value, self._spread(taken, shape))).result
            value = em.add(arith.MulfOp(value, weight)).result
            product = value if products is None else transfer_read(em, products, [r, 0], shape)
            value = self._region(op.slope.block, [value, product], r, r, self.turned_extras)
            if op.causal is not None:
                value = self._causal(value, r, number(self.kind, 0.0))
            return [transfer_write(em, weight, args[0], [r, 0]), transfer_write(em, value, args[1], [r, 0])]

        return self._in_rows(key, rows, held, some)

    def _grow(
        self, dim: int, key: Index, rows: int, skipped: Index, factors: SSAValue, lines: SSAValue, sums: SSAValue
    ) -> SSAValue:
        """The gradients of a tile of keys (or values) and what the queries of the block add: sums over them of factors times lines."""
        em, columns = self.em, self._padded(self.sizes[dim])

        def tile(c: Index, width: int, held: SSAValue) -> SSAValue:
            def some(q: Index, count: int, args: Values) -> Values:
                value = args[0]
                for u in range(count):
                    at = em.apply(D0 + u, [q])
                    left = transfer_read(em, factors, [key, at], [rows, 1])
                    value = self._multiply(left, transfer_read(em, lines, [at, c], [1, width]), value)
                return [value]

            (made,) = self._over_queries(skipped, [transfer_read(em, held, [key, c], [rows, width])], some)
            return transfer_write(em, made, held, [key, c])

        wide = min(columns, 2 * self.lanes)
        main = columns // wide * wide
        (sums,) = em.loop(0, main, wide, [sums], lambda c, args: [tile(c, wide, args[0])])
        return tile(main, columns - main, sums) if main < columns else sums

    def _over_queries(self, skipped: Index, carried: Values, some: Callable[[Index, int, Values], Values]) -> Values:
        """`some(query, count, carried)` for the queries of the block that no block before has done."""
        loop = self.em.loop
        if not isinstance(skipped, int):
            return loop(skipped, self.rows, 1, carried, lambda q, args: some(q, 1, args))
        main = skipped + (self.rows - skipped) // TERMS * TERMS
        carried = loop(skipped, main, TERMS, carried, lambda q, args: some(q, TERMS, args))
        return loop(main, self.rows, 1, carried, lambda q, args: some(q, 1, args))

    def _add_keys(self, begin: Index, end: Index, factors: SSAValue, sums: SSAValue) -> SSAValue:
        """The gradients of the queries, and what the keys of a block add: depths are rows."""
        em, depth, high, lanes = self.em, self.sizes[self.depth], self.tiles.columns, self.tiles.queries

        def tile(d: Index, rows: int, held: SSAValue) -> SSAValue:
            at = list(self.at)
            at[self.depth] = d

            def term(k: Index, args: Values) -> Values:
                at[self.key] = k
                left = self._column_of(self.keys, at, self.depth, self.key, rows)
                return [self._multiply(left, transfer_read(em, factors, [k, 0], [1, lanes]), args[0])]

            value = transfer_read(em, held, [d, 0], [rows, lanes])
            return transfer_write(em, em.loop(begin, end, 1, [value], term)[0], held, [d, 0])

        main = depth // high * high
        (sums,) = em.loop(0, main, high, [sums], lambda d, args: [tile(d, high, args[0])])
        return tile(main, depth - main, sums) if main < depth else sums

    def _write_queries(self, sums: SSAValue, skipped: Index, local: Index, out: SSAValue) -> SSAValue:
        """The rows of a block that no block before has written, in the type of the result."""
        em, op, lanes = self.em, self.gradient_op, self.lanes
        assert isinstance(sums.type, TensorType)
        assert isinstance(out.type, TensorType)
        kind, columns = out.type.element_type, sums.type.get_shape()[0]

        def turned(r: Index, c: Index, held: SSAValue) -> SSAValue:
            value = transfer_read(em, sums, [c, r], [lanes, lanes])
            return transfer_write(em, em.add(vector.TransposeOp(value, [1, 0])).result, held, [r, c])

        rows = self._by_tiles(columns, self._scratch([self.tiles.queries, columns]), turned)
        places = op.places(0)

        def row(r: Index, args: Values) -> Values:
            target = em.apply(D0 - D1 + AffineExpr.dimension(2), [r, skipped, local])
            where = [target if d == self.query else 0 if d in op.own else self.at[d] for d in places[:-1]]

            def piece(c: Index, held: Values, mask: SSAValue | None) -> Values:
                value = narrow(em, transfer_read(em, rows, [r, c], [lanes]), kind)
                return [transfer_write(em, value, held[0], [*where, c], mask)]

            return self._by_lanes(self.sizes[self.depth], args, piece)

        return em.loop(skipped, self.rows, 1, [out], row)[0]


__all__ = ["AttentionGradientPhase", "schedule_attention_gradient"]
