"""Tiles of scores for the `attention` strategy: products, the score's region on them, masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects import arith, scf
from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.builtin import VectorType, i1, i32
from xdsl.dialects.vector import CombiningKindAttr, CombiningKindFlag
from xdsl.ir import Attribute, Block, Region, SSAValue

from stepwell.dialects import vector
from stepwell.passes.schedules.attention_choice import index_of
from stepwell.passes.schedules.attention_staging import D0, D1, AttentionStaging, narrow, widened
from stepwell.passes.schedules.emit import INDEX, Emitter, Index
from stepwell.passes.schedules.lanes import (
    Lanes,
    Point,
    broadcast,
    read,
    transfer_read,
    vector_of,
)
from stepwell.passes.schedules.nest import Access, uses_dim


class AttentionScores(AttentionStaging):
    """Makes tiles of scores: rows are keys, lanes queries."""

    def _turned_extra(self, access: Access, begin: Index, count: Index) -> SSAValue | None:
        """An operand that queries and keys index, as rows of queries, where it is not so in memory."""
        if not (uses_dim(access.exprs, self.query) and uses_dim(access.exprs, self.key)):
            return None
        if index_of(access.exprs, self.query) == len(access.exprs) - 1:
            return None
        return self._turned(access, self.key, begin, count, widened(access.element))

    def _scores(self, begin: Index, base: Index, turned: Sequence[SSAValue | None]) -> SSAValue:
        """One tile of scores, masked."""
        key = self.em.apply(D0 + D1, [begin, base])
        products = self._products(self.keys, self.depth, self.turned, key, self.tiles.keys)
        scored = self._region(self.op.score.block, [products], key, base, turned)
        return scored if self.op.fill is None else self._causal(scored, key, self.op.fill)

    def _products(self, source: Access, dim: int, turned: SSAValue, key: Index, rows: int) -> SSAValue:
        """A tile of `rows` keys, from `key` on: sums along a dim of what keys and what queries (turned) have there."""
        em, shape, at = self.em, [rows, self.tiles.queries], list(self.at)
        at[self.key] = key
        step = 2 - self.sizes[dim] % 2

        def trip(iv: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            value = args[0]
            for u in range(step):
                at[dim] = em.apply(D0 + u, [iv])
                left = self._column_of(source, at, self.key, dim, rows)
                row = transfer_read(em, turned, [at[dim], 0], [1, shape[1]])
                value = self._multiply(left, row, value)
            return [value]

        return em.loop(0, self.sizes[dim], step, [self._splat(0.0, [rows])], trip)[0]

    def _causal(self, scored: SSAValue, key: Index, fill: Attribute) -> SSAValue:
        """The fill above the diagonal; only tiles that cross it are looked at closely."""
        em, op = self.em, self.op
        assert op.causal is not None
        assert isinstance(scored.type, VectorType)
        shape = scored.type.get_shape()
        offset = op.causal.value.data
        # Row r is key + r, lane l is start + l: hidden where r > l + (start + offset - key).
        room = em.apply(D0 - D1 + offset, [self.start, key])
        filling = em.splat(fill, vector_of(self.kind, shape))

        def masked() -> SSAValue:
            distance = em.add(arith.IndexCastOp(em.index(room), i32)).result
            steps = em.add(vector.StepOp(shape[1], i32)).result
            reach = em.add(arith.AddiOp(steps, broadcast(em, distance, shape[1]))).result
            hidden = em.add(arith.CmpiOp(self._row_numbers(shape, i32), self._spread(reach, shape), "sgt")).result
            return em.add(arith.SelectOp(hidden, filling, scored)).result

        crosses = em.add(arith.CmpiOp(em.index(room), em.index(shape[0] - 1), "slt")).result
        return _branch(em, crosses, masked, lambda: scored)

    def _any(self, flags: SSAValue) -> SSAValue:
        """Whether a lane that is a query is set."""
        em = self.em
        if self.rows < self.tiles.queries:
            mask = em.constant_mask([self.rows], [self.tiles.queries])
            flags = em.add(arith.AndIOp(flags, mask)).result
        properties = {"kind": CombiningKindAttr(CombiningKindFlag.OR)}
        op = upstream_vector.ReductionOp.create(operands=[flags], result_types=[i1], properties=properties)
        return em.add(op).results[0]

    def _row_numbers(self, shape: Sequence[int], kind: Attribute) -> SSAValue:
        """Each row's number in all of its lanes."""
        em = self.em
        step = em.add(vector.StepOp(shape[0], kind)).result  # pyright: ignore[reportArgumentType]
        column = em.add(vector.ShapeCastOp(step, vector_of(kind, [shape[0], 1]))).result
        return em.add(upstream_vector.BroadcastOp(column, vector_of(kind, list(shape)))).results[0]

    def _region(
        self, block: Block, tiles: Sequence[SSAValue], key: Index, base: Index, turned: Sequence[SSAValue | None]
    ) -> SSAValue:
        """A region on tiles that start at a key; `base` is that key in the operands that were turned."""
        em = self.em
        assert isinstance(tiles[0].type, VectorType)
        shape, at = tiles[0].type.get_shape(), list(self.at)
        at[self.key] = key
        given, (query_number, key_number, *arguments) = block.args[: len(tiles)], block.args[len(tiles) :]
        values: dict[SSAValue, SSAValue] = dict(zip(given, tiles, strict=True))
        if query_number.first_use is not None:
            lanes = em.add(vector.StepOp(shape[1])).result
            numbers = em.add(arith.AddiOp(lanes, broadcast(em, em.index(at[self.query]), shape[1]))).result
            values[query_number] = self._spread(numbers, shape)
        if key_number.first_use is not None:
            first = broadcast(em, em.index(key), shape)
            values[key_number] = em.add(arith.AddiOp(self._row_numbers(shape, INDEX), first)).result
        for argument, access, rows in zip(arguments, self.extras, turned, strict=True):
            if argument.first_use is not None:
                values[argument] = self._extra(access, rows, at, base, shape)
        return self._scored(block, values, shape)

    def _extra(
        self, access: Access, rows: SSAValue | None, at: Sequence[Index], base: Index, shape: Sequence[int]
    ) -> SSAValue:
        """The elements of an extra operand of one tile: a scalar or a tile."""
        em = self.em
        if rows is not None:
            return narrow(em, transfer_read(em, rows, [base, 0], shape), access.element)
        mask = None if self.rows == shape[1] else em.constant_mask([shape[0], self.rows], shape)
        if not uses_dim(access.exprs, self.query) and not uses_dim(access.exprs, self.key):
            return read(em, access, Point(list(at)))
        return read(em, access, Point(list(at), Lanes((self.key, self.query), tuple(shape), mask)))


def _branch(
    em: Emitter, condition: SSAValue, on_true: Callable[[], SSAValue], on_false: Callable[[], SSAValue]
) -> SSAValue:
    """One value from one of two blocks."""
    blocks = [Block(), Block()]
    kinds: list[Attribute] = []
    for block, make in zip(blocks, (on_true, on_false), strict=True):

        def fill(make: Callable[[], SSAValue] = make) -> None:
            made = make()
            kinds.append(made.type)
            em.add(scf.YieldOp(made))

        em.inside(block, fill)
    return em.add(scf.IfOp(condition, [kinds[0]], Region(blocks[0]), Region(blocks[1]))).results[0]


__all__ = ["AttentionScores"]
