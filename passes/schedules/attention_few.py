"""The `attention` strategy for few queries, as when a text is continued word by word: keys and values are read once.

Rows are the queries of all batches that share keys and values. A task does a run of keys of one batch, block by block: scores of
all rows, the score's region on vectors of keys, the highest score and the weights of each row, the weighted values. Where there
are fewer batches than tasks wanted, keys are cut into parts, and a second phase merges what the parts have left: their
results, the highest score that these are relative to, and the sum of weights, in the order of the keys.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from math import prod

from xdsl.dialects import arith, tensor
from xdsl.dialects import math as math_dialect
from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.arith import FastMathFlagsAttr
from xdsl.dialects.builtin import TensorType
from xdsl.dialects.utils.fast_math import FastMathFlag
from xdsl.dialects.vector import CombiningKindAttr, CombiningKindFlag
from xdsl.ir import SSAValue

from stepwell.dialects import kernel, vector
from stepwell.passes.schedules.attention_choice import key_parts, row_dims_of
from stepwell.passes.schedules.attention_products import Along, FewRows
from stepwell.passes.schedules.attention_staging import D0, D1, narrow, widen
from stepwell.passes.schedules.emit import Index, number
from stepwell.passes.schedules.kernel_builder import Slice
from stepwell.passes.schedules.lanes import (
    Point,
    broadcast,
    lanes_along,
    read,
    transfer_read,
    transfer_write,
    vector_of,
)

Values = Sequence[SSAValue]


class FewQueriesPhase(FewRows):
    """Emits the phases of one attention of few queries."""

    def emit(self) -> None:
        """One phase, or one over parts of keys and one that merges them."""
        builder, op = self.builder, self.op
        self.em.location = op.location
        self.row_dims = row_dims_of(op)
        self.own = [d for d in range(op.batch) if d not in self.row_dims]
        self.count = prod(self.sizes[d] for d in self.row_dims)
        self.columns = self._padded(self.sizes[self.column])
        parts, length = key_parts(op, self.tiles, self.machine.tasks)
        home = builder.destination(op, op.res[0])
        counts = [self.sizes[d] for d in self.own]
        if parts == 1:
            (result,) = builder.phase([*counts, 1], [home], lambda ivs, outs: [self._alone(ivs[:-1], outs[0])])
        else:
            # Behind the results of a row: its highest score and its sum of weights.
            kind = TensorType(self.kind, [*counts, parts, self.count, self.columns + self.lanes])
            partial = builder.scratch(kind, kernel.ScratchScope.LAUNCH)
            (partial,) = builder.phase(
                [*counts, parts], [partial], lambda ivs, outs: [self._part(ivs[:-1], ivs[-1], length, outs[0])]
            )
            (result,) = builder.phase(
                [*counts, 1], [home], lambda ivs, outs: [self._merged(ivs[:-1], parts, partial, outs[0])]
            )
        builder.define(op.res[0], result, builder.home(home))

    # Tasks.

    def _enter(self, ivs: Sequence[Index]) -> None:
        """Be at the first row of a batch."""
        self.at: list[Index] = [0] * len(self.sizes)
        for dim, iv in zip(self.own, ivs, strict=True):
            self.at[dim] = iv

    def _alone(self, ivs: Sequence[Index], out: SSAValue) -> Slice:
        """All keys of a batch."""
        self._enter(ivs)
        sums, _, totals = self._keys(0, self.sizes[self.key])
        em = self.em

        def row(r: Index, held: SSAValue) -> SSAValue:
            total = self._reduced(transfer_read(em, totals, [r, 0], [self.lanes]), CombiningKindFlag.ADD)
            inverse = broadcast(em, em.add(arith.DivfOp(self._number(1.0), total)).result, self.lanes)

            def value(c: Index) -> SSAValue:
                return em.add(arith.MulfOp(transfer_read(em, sums, [r, c], [self.lanes]), inverse)).result

            return self._write_row(value, held)

        return self._results(out, row)

    def _part(self, ivs: Sequence[Index], part: Index, length: int, out: SSAValue) -> Slice:
        """A run of the keys of a batch."""
        self._enter(ivs)
        em, keys = self.em, self.sizes[self.key]
        begin = em.apply(D0 * length, [part])
        end = em.apply(D0 + length, [begin])
        sums, highest, totals = self._keys(begin, end if keys % length == 0 else em.minimum(end, keys))
        offsets = [*ivs, part, 0, 0]
        sizes = [*([1] * (len(ivs) + 1)), self.count, self.columns + self.lanes]
        place: list[Index] = [0] * (len(ivs) + 1)

        def row(r: Index, args: Values) -> Values:
            def piece(c: Index, held: Values, mask: SSAValue | None) -> Values:
                del mask
                return [transfer_write(em, transfer_read(em, sums, [r, c], [self.lanes]), held[0], [*place, r, c])]

            (held,) = self._by_lanes(self.columns, args, piece)
            total = self._reduced(transfer_read(em, totals, [r, 0], [self.lanes]), CombiningKindFlag.ADD)
            held = self._put(held, [*place, r, self.columns], self._get(highest, [r]))
            return [self._put(held, [*place, r, self.columns + 1], total)]

        (made,) = em.loop(0, self.count, 1, [self.builder.slice_of(out, offsets, sizes)], row)
        return made, offsets, sizes

    def _merged(self, ivs: Sequence[Index], parts: int, partial: SSAValue, out: SSAValue) -> Slice:
        """What the parts of a batch have left, relative to the highest score of them all."""
        self._enter(ivs)
        em = self.em
        factors = self._scratch([parts])

        def row(r: Index, held: SSAValue) -> SSAValue:
            def known(part: Index, which: int) -> SSAValue:
                return self._get(partial, [*ivs, part, r, self.columns + which])

            (highest,) = em.loop(
                0, parts, 1, [self._number(-math.inf)], lambda p, args: [self._larger(args[0], known(p, 0))]
            )
            base = self._base(highest)

            def factor(p: Index, args: Values) -> Values:
                weight = self._correction(known(p, 0), base)
                total = em.add(arith.MulfOp(known(p, 1), weight)).result
                return [self._sum(args[0], total), self._put(args[1], [p], weight)]

            total, weights = em.loop(0, parts, 1, [self._number(0.0), factors], factor)
            inverse = broadcast(em, em.add(arith.DivfOp(self._number(1.0), total)).result, self.lanes)

            def value(c: Index) -> SSAValue:
                def add(p: Index, args: Values) -> Values:
                    weight = broadcast(em, self._get(weights, [p]), self.lanes)
                    piece = transfer_read(em, partial, [*ivs, p, r, c], [self.lanes])
                    return [self._sum(args[0], em.add(arith.MulfOp(piece, weight)).result)]

                (sums,) = em.loop(0, parts, 1, [self._lanes_of(0.0)], add)
                return em.add(arith.MulfOp(sums, inverse)).result

            return self._write_row(value, held)

        return self._results(out, row)

    # Rows.

    def _each_row(self, carried: Values, body: Callable[[Index, Values], Values]) -> Values:
        """`body(number, carried)` for every row, being at it."""
        em = self.em

        def over(dims: Sequence[int], row: Index, args: Values) -> Values:
            if not dims:
                return body(row, args)

            def trip(iv: Index, held: Values) -> Values:
                self.at[dims[0]] = iv
                return over(dims[1:], em.apply(D0 * self.sizes[dims[0]] + D1, [row, iv]), held)

            made = em.loop(0, self.sizes[dims[0]], 1, args, trip)
            self.at[dims[0]] = 0
            return made

        return over(self.row_dims, 0, carried)

    def _results(self, out: SSAValue, row: Callable[[Index, SSAValue], SSAValue]) -> Slice:
        """The rows of a batch in the result."""
        places = [next(iter(e.used_dims())) for e in self.op.maps[-1].results]
        offsets: list[Index] = [self.at[d] if d in self.own else 0 for d in places]
        sizes: list[Index] = [1 if d in self.own else self.sizes[d] for d in places]
        self.places = places
        piece = self.builder.slice_of(out, offsets, sizes)
        (made,) = self._each_row([piece], lambda r, args: [row(r, args[0])])
        return made, offsets, sizes

    def _write_row(self, value: Callable[[Index], SSAValue], out: SSAValue) -> SSAValue:
        """The row that the loops are at, in the type of the result."""
        em = self.em
        assert isinstance(out.type, TensorType)
        kind = out.type.element_type
        where: list[Index] = [self.at[d] if d in self.row_dims else 0 for d in self.places]

        def piece(c: Index, held: Values, mask: SSAValue | None) -> Values:
            return [transfer_write(em, narrow(em, value(c), kind), held[0], [*where[:-1], c], mask)]

        return self._by_lanes(self.sizes[self.column], [out], piece)[0]

    def _dense_queries(self) -> SSAValue:
        """The rows of queries in the type of scores, padded by zeros."""
        em, depth = self.em, self.sizes[self.depth]

        def row(r: Index, args: Values) -> Values:
            def piece(c: Index, held: Values, mask: SSAValue | None) -> Values:
                at = list(self.at)
                at[self.depth] = c
                value = read(em, self.queries, Point(at, lanes_along(self.depth, self.lanes, mask)))
                value = widen(em, broadcast(em, value, self.lanes), self.kind)
                return [transfer_write(em, value, held[0], [r, c])]

            return self._by_lanes(depth, args, piece)

        return self._each_row([self._scratch([self.count, self._padded(depth)])], row)[0]

    # Keys.

    def _keys(self, begin: Index, end: Index) -> Values:
        """The results of all rows over a run of keys, before they are divided; their highest scores; the sums of weights."""
        em, block, keys = self.em, self.tiles.block, self.sizes[self.key]
        queries = self._dense_queries()
        zero = self._lanes_of(0.0)

        def start(r: Index, args: Values) -> Values:
            highest = self._put(args[1], [r], self._number(-math.inf))
            return [
                em.loop(0, self.columns, self.lanes, [args[0]], lambda c, a: [transfer_write(em, zero, a[0], [r, c])])[
                    0
                ],
                highest,
                transfer_write(em, zero, args[2], [r, 0]),
            ]

        fresh = [self._scratch([self.count, self.columns]), self._scratch([self.count])]
        state = em.loop(0, self.count, 1, [*fresh, self._scratch([self.count, self.lanes])], start)

        def trip(iv: Index, args: Values) -> Values:
            count: Index = block
            if isinstance(iv, int) and isinstance(end, int):
                count = min(block, end - iv)
            elif keys % block:
                count = em.minimum(block, em.apply(D0 - D1, [end, iv]))
            return self._key_block(queries, iv, count, *args)

        return em.loop(begin, end, block, state, trip)

    def _key_block(
        self, queries: SSAValue, begin: Index, count: Index, sums: SSAValue, highest: SSAValue, totals: SSAValue
    ) -> Values:
        """A block of keys: scores, the new maxima and weights of each row, the values they weight."""
        em, lanes = self.em, self.lanes
        keys = Along(self.key, begin, count)
        room = self._scratch([self.count, self._padded(self.tiles.block)])
        depths = Along(self.depth, 0, self.sizes[self.depth])
        scores = self._product(queries, self.keys, depths, keys, room)
        corrections = self._scratch([self.count])

        def row(r: Index, args: Values) -> Values:
            held, best, weights, corrected = args
            top, held = self._score_row(r, keys, held)
            before = self._get(best, [r])
            now = self._larger(before, top)
            base = self._base(now)
            correction = self._correction(before, base)
            total = transfer_read(em, weights, [r, 0], [lanes])
            total = em.add(arith.MulfOp(total, broadcast(em, correction, lanes))).result
            total, held = self._weigh_row(r, count, base, total, held)
            weights = transfer_write(em, total, weights, [r, 0])
            return [held, self._put(best, [r], now), weights, self._put(corrected, [r], correction)]

        scores, highest, totals, corrections = self._each_row([scores, highest, totals, corrections], row)
        columns = Along(self.column, 0, self.sizes[self.column])
        weighted = self._product(scores, self.values, keys, columns, self._scratch([self.count, self.columns]))
        return [self._added(sums, corrections, weighted), highest, totals]

    def _score_row(self, r: Index, keys: Along, scores: SSAValue) -> Values:
        """The region on the products of a row; the highest of its scores; -inf where there is no key."""
        em, lanes = self.em, self.lanes
        lowest = self._lanes_of(-math.inf)

        def piece(c: Index, args: Values, mask: SSAValue | None) -> Values:
            value = self._score(transfer_read(em, args[1], [r, c], [lanes]), em.apply(D0 + D1, [keys.begin, c]), mask)
            if mask is not None:
                value = em.add(arith.SelectOp(mask, value, lowest)).result
            return [self._larger(args[0], value), transfer_write(em, value, args[1], [r, c])]

        top, scores = self._by_lanes(keys.count, [lowest, scores], piece)
        return [self._reduced(top, CombiningKindFlag.MAXNUMF), scores]

    def _score(self, products: SSAValue, key: Index, mask: SSAValue | None) -> SSAValue:
        """The scores of a row and a vector of keys."""
        em, lanes, op = self.em, self.lanes, self.op
        at = list(self.at)
        at[self.key] = key
        block = op.score.block
        steps = em.add(arith.AddiOp(em.add(vector.StepOp(lanes)).result, broadcast(em, em.index(key), lanes))).result
        values: dict[SSAValue, SSAValue] = {
            block.args[0]: products,
            block.args[1]: em.index(at[self.query]),
            block.args[2]: steps,
        }
        for argument, access in zip(block.args[3:], self.extras, strict=True):
            if argument.first_use is not None:
                values[argument] = read(em, access, Point(at, lanes_along(self.key, lanes, mask)))
        scored = self._scored(self.op.score.block, values, [lanes])
        if op.causal is None or op.fill is None:
            return scored
        last = em.index(em.apply(D0 + op.causal.value.data, [at[self.query]]))
        hidden = em.add(arith.CmpiOp(steps, broadcast(em, last, lanes), "sgt")).result
        return em.add(arith.SelectOp(hidden, em.splat(op.fill, vector_of(self.kind, lanes)), scored)).result

    def _weigh_row(self, r: Index, count: Index, base: SSAValue, total: SSAValue, scores: SSAValue) -> Values:
        """Scores become weights in place, and their sum grows; weights of no key are 0."""
        em, lanes = self.em, self.lanes
        lowest, factor = broadcast(em, base, lanes), self._lanes_of(self._smaller())

        def piece(c: Index, args: Values, mask: SSAValue | None) -> Values:
            del mask
            value = em.add(arith.SubfOp(transfer_read(em, args[1], [r, c], [lanes]), lowest)).result
            value = em.add(math_dialect.ExpOp(value)).result
            value = em.add(arith.MulfOp(value, factor)).result
            return [self._sum(args[0], value), transfer_write(em, value, args[1], [r, c])]

        return self._by_lanes(count, [total, scores], piece)

    def _added(self, sums: SSAValue, corrections: SSAValue, weighted: SSAValue) -> SSAValue:
        """The results so far, corrected, plus those of a block."""
        em, lanes = self.em, self.lanes

        def row(r: Index, args: Values) -> Values:
            factor = broadcast(em, self._get(corrections, [r]), lanes)

            def piece(c: Index, held: Values) -> Values:
                value = em.add(arith.MulfOp(transfer_read(em, held[0], [r, c], [lanes]), factor)).result
                value = self._sum(value, transfer_read(em, weighted, [r, c], [lanes]))
                return [transfer_write(em, value, held[0], [r, c])]

            return em.loop(0, self.columns, lanes, args, piece)

        return em.loop(0, self.count, 1, [sums], row)[0]

    # Numbers.

    def _number(self, value: float) -> SSAValue:
        return self.em.constant(number(self.kind, value), self.kind)

    def _lanes_of(self, value: float) -> SSAValue:
        return self.em.splat(number(self.kind, value), vector_of(self.kind, self.lanes))

    def _get(self, source: SSAValue, indices: Sequence[Index]) -> SSAValue:
        return self.em.add(tensor.ExtractOp(source, self.em.indices(indices), self.kind)).result

    def _put(self, target: SSAValue, indices: Sequence[Index], value: SSAValue) -> SSAValue:
        return self.em.add(tensor.InsertOp(value, target, self.em.indices(indices))).result

    def _base(self, highest: SSAValue) -> SSAValue:
        """What scores are relative to: rows that have seen only -inf keep weights of 0, not NaN."""
        em = self.em
        nothing = em.add(arith.CmpfOp(highest, self._number(-math.inf), "oeq")).result
        return em.add(arith.SelectOp(nothing, self._number(0.0), highest)).result

    def _correction(self, before: SSAValue, base: SSAValue) -> SSAValue:
        """What weights relative to an earlier maximum are multiplied with."""
        return self.em.add(math_dialect.ExpOp(self.em.add(arith.SubfOp(before, base)).result)).result

    def _reduced(self, lanes: SSAValue, kind: CombiningKindFlag) -> SSAValue:
        """All lanes as one number."""
        flags = FastMathFlagsAttr([FastMathFlag.REASSOC] if kind is CombiningKindFlag.ADD else "none")
        properties = {"kind": CombiningKindAttr(kind), "fastmath": flags}
        op = upstream_vector.ReductionOp.create(operands=[lanes], result_types=[self.kind], properties=properties)
        return self.em.add(op).results[0]


__all__ = ["FewQueriesPhase"]
