"""The operands of a contraction that is done a word at a time: packed as words of several terms, or read in place.

B is packed as panels `[panel][k..][nr]` of words, A as the rows of one tile, `[k..][row][k]` or `[k..][k][row]`; the innermost
k dim counts words. Terms beyond the last are zeros in B. A whose terms lie next to each other, as a word has them, is read
where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects import arith
from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.builtin import (
    AffineMapAttr,
    ArrayAttr,
    BoolAttr,
    IntegerAttr,
    IntegerType,
    TensorType,
    VectorType,
    i32,
)
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr, AffineExpr, AffineMap

from stepwell.dialects import kernel, vector
from stepwell.passes.schedules.contraction_choice import whole_vectors
from stepwell.passes.schedules.contraction_operands import Operand, Packer, Sums
from stepwell.passes.schedules.contraction_words import HALF_BITS, Words
from stepwell.passes.schedules.emit import Index
from stepwell.passes.schedules.lanes import (
    Lanes,
    Point,
    broadcast,
    lanes_along,
    read,
    transfer_read,
    transfer_write,
    vector_of,
)
from stepwell.passes.schedules.nest import Access, is_contiguous
from stepwell.passes.schedules.plan import WIDE_BYTES
from stepwell.passes.schedules.space import tiled_loop

WORD_BYTES = 4
SIGN_BITS = -0x7F7F7F80
"""The sign bits of the four bytes of a word (0x80808080)."""
ONES = 0x01010101


@dataclass(frozen=True)
class WordPacker(Packer):
    """Packs the operands of one contraction as words."""

    words: Words

    @property
    def step(self) -> int:
        """Terms that packing takes at once, along a row; runs are whole steps."""
        return self.words.terms * self.lanes(i32)

    # B.

    def pack_b(
        self, source: Access | SSAValue, index: Sequence[Index], first: Index, columns: Index, most: int, run: Sums
    ) -> Operand:
        """The columns from `first` (of the whole) as panels; `index` holds the outer dims, `most` bounds the columns."""
        found, nr = self.found, self.tiling.nr
        shape = [-(-most // nr), *self._inner_words(), self._whole(nr)]
        target = self.builder.scratch(TensorType(i32, shape), kernel.ScratchScope.WORKER)
        along = isinstance(source, Access) and is_contiguous(source.exprs, found.reduced[-1])

        def panel(ks: Sequence[Index], j: Index, width: int, steps: int, out: SSAValue) -> SSAValue:
            at = self.moved(index, ks, run)
            place = [self.em.apply(AffineExpr.dimension(0) // nr, [j]), *self._word_of(ks)]
            lanes = self.lanes(i32)
            for piece in range(0, width, lanes if along else width):
                at[found.n] = self.sum(first, self.sum(j, piece))
                if along:
                    words = self._along(source, 1, at, (found.n, min(lanes, width - piece)), steps)
                    value = self.em.add(vector.TransposeOp(words, [1, 0])).result
                else:
                    value = self._across(source, 1, at, (found.n, width), steps)
                out = transfer_write(self.em, value, out, [*place, piece])
            return out

        def panels(ks: Sequence[Index], steps: int, out: SSAValue) -> SSAValue:
            edge = found.sizes[found.n] % nr
            return tiled_loop(
                self.em, columns, edge, nr, [out], lambda j, width, args: [panel(ks, j, width, steps, args[0])]
            )[0]

        def terms_of(j: Index, width: int, out: SSAValue) -> SSAValue:
            return self._over_terms(run, self.step, out, lambda ks, steps, inner: panel(ks, j, width, steps, inner))

        if along:
            # Along rows of B: what comes next in each is near.
            edge = found.sizes[found.n] % nr
            target = tiled_loop(
                self.em, columns, edge, nr, [target], lambda j, width, args: [terms_of(j, width, args[0])]
            )[0]
        else:
            target = self._over_terms(run, self.words.terms, target, panels)
        exprs: list[AffineExpr] = [AffineExpr.dimension(found.n) // nr]
        exprs += [AffineExpr.dimension(d) for d in found.reduced]
        sums = self._column_sums(target, columns, run) if self.words.flips else None
        return Operand(Access(target, (*exprs, AffineExpr.constant(0))), packed=True, sums=sums)

    def _column_sums(self, panels: SSAValue, columns: Index, run: Sums) -> SSAValue:
        """What flipped factors add to each sum, negative: of each column of the packed panels, the sum and how often."""
        assert isinstance(panels.type, TensorType)
        count, *_, line = panels.type.get_shape()
        target = self.builder.scratch(TensorType(i32, [count, line]), kernel.ScratchScope.WORKER)
        em, words = self.em, self.words
        ones = em.splat(IntegerAttr(ONES, i32), vector_of(i32, (1, 1)))
        times = em.splat(IntegerAttr(-words.excess, i32), vector_of(i32, (1, line)))
        own, other = words.factors

        def level(number: int, ks: list[Index], panel: Index, total: SSAValue) -> SSAValue:
            if number == len(self.found.reduced):
                row = transfer_read(em, panels, [panel, *ks, 0], (1, line))
                return em.add(kernel.DotOp(ones, row, total, own, other)).result
            extent = self._words_in(number, run.extent)
            return em.loop(0, extent, 1, [total], lambda k, args: [level(number + 1, [*ks, k], panel, args[0])])[0]

        def body(panel: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            zero = em.splat(IntegerAttr(0, i32), vector_of(i32, (1, line)))
            scaled = em.add(arith.MuliOp(level(0, [], panel, zero), times)).result
            return [transfer_write(em, scaled, args[0], [panel, 0])]

        nr = self.tiling.nr
        last = em.apply((AffineExpr.dimension(0) + (nr - 1)) // nr, [columns])
        return em.loop(0, last, 1, [target], body)[0]

    def summed(self, initial: SSAValue, operand: Operand, column: Index, lanes: Lanes) -> tuple[Lanes, SSAValue]:
        """Sums are taken in whole registers, as many as a power of two, and start without what flipped factors add to them.

        Registers are joined to wider vectors and taken apart again for nothing only where these can be halved.
        """
        em, (rows, width) = self.em, lanes.shape
        wide = self._whole(width)
        shape = (rows, wide)
        if wide > width:
            zeros = em.splat(IntegerAttr(0, i32), vector_of(i32, shape))
            initial = em.add(vector.InsertStridedSliceOp(initial, zeros, [0, 0])).result
        if operand.sums is not None:
            panel = em.apply(AffineExpr.dimension(0) // self.tiling.nr, [column])
            row = transfer_read(em, operand.sums, [panel, 0], [wide])
            spread = em.add(upstream_vector.BroadcastOp(row, vector_of(i32, shape))).results[0]
            initial = em.add(arith.AddiOp(initial, spread)).result
        return Lanes(lanes.dims, shape), initial

    # A.

    def rows_together(self, source: Access | SSAValue) -> int:
        """Words are made of the terms of one tile's rows at a time."""
        del source
        return 0

    def pack_a(self, source: Access | SSAValue, index: Sequence[Index], rows: int, run: Sums) -> Operand:
        """The rows of one tile; `index` holds the outer dims and the first row."""
        found, m = self.found, -1 if self.found.m is None else self.found.m
        line = self.em.line_bytes // WORD_BYTES
        *outer, inner = self._inner_words()
        terms: list[AffineExpr] = [AffineExpr.dimension(d) for d in found.reduced]
        zero = AffineExpr.constant(0)
        columns = rows > 1 and isinstance(source, Access) and is_contiguous(source.exprs, m)
        if columns:
            shape, exprs = [*outer, inner, -(-self.tiling.mr // line) * line], (*terms, zero)
        else:
            # Rows are an odd number of lines apart, so that they spread over the sets of the cache.
            shape = [*outer, self.tiling.mr, (-(-inner // line) // 2 * 2 + 1) * line]
            exprs = (*terms[:-1], zero, terms[-1])
        target = self.builder.scratch(TensorType(i32, shape), kernel.ScratchScope.WORKER)

        def copy(ks: Sequence[Index], steps: int, out: SSAValue) -> SSAValue:
            at, (*before, word) = self.moved(index, ks, run), self._word_of(ks)
            if columns:
                value, place = self._across(source, 0, at, (m, rows), steps), [*before, word, 0]
            else:
                value, place = self._along(source, 0, at, (m, rows), steps), [*before, 0, word]
            return transfer_write(self.em, self._flipped(value), out, place)

        target = self._over_terms(run, self.words.terms if columns else self.step, target, copy)
        return Operand(Access(target, exprs), packed=True, rows=len(shape) - (1 if columns else 2))

    def _flipped(self, value: SSAValue) -> SSAValue:
        if not self.words.flips:
            return value
        assert isinstance(value.type, VectorType)
        return self.em.add(arith.XOrIOp(value, self.em.splat(IntegerAttr(SIGN_BITS, i32), value.type))).result

    # Words.

    def _whole(self, columns: int) -> int:
        """Columns in whole registers, as many as a power of two."""
        return whole_vectors(columns, self.lanes(i32))

    def _inner_words(self) -> list[int]:
        """Extents of the k dims in a run, at most; the innermost in words."""
        inner = [self.terms, *(self.found.sizes[d] for d in self.found.reduced[1:])]
        return [*inner[:-1], -(-inner[-1] // self.words.terms)]

    def _words_in(self, number: int, extent: Index) -> Index:
        """How far a loop over one of the k dims goes; `extent` is that of the outermost."""
        found = self.found
        points = extent if number == 0 else found.sizes[found.reduced[number]]
        return self.words_in(points) if number == len(found.reduced) - 1 else points

    def words_in(self, terms: Index) -> Index:
        """Words that so many terms take."""
        each = self.words.terms
        return self.em.apply((AffineExpr.dimension(0) + (each - 1)) // each, [terms])

    def _word_of(self, ks: Sequence[Index]) -> list[Index]:
        return [*ks[:-1], self.em.apply(AffineExpr.dimension(0) // self.words.terms, [ks[-1]])]

    def _along(
        self, source: Access | SSAValue, side: int, at: Sequence[Index], rows: tuple[int, int], steps: int
    ) -> SSAValue:
        """Rows of words whose terms follow each other in a row: `rows` is the dim and how many."""
        em, (dim, count) = self.em, rows
        value = self.piece(source, (), at, (dim, self.found.reduced[-1]), (count, steps))
        value = self._widened(value, side)
        words = -(-steps // self.words.terms)
        assert isinstance(value.type, VectorType)
        if words * self.words.terms != steps:
            kind = vector_of(value.type.element_type, (count, words * self.words.terms))
            zeros = em.splat(IntegerAttr(0, _integer(value.type.element_type)), kind)
            value = em.add(vector.InsertStridedSliceOp(value, zeros, [0, 0])).result
        return em.add(upstream_vector.BitcastOp(value, vector_of(i32, (count, words)))).result

    def _across(
        self, source: Access | SSAValue, side: int, at: Sequence[Index], columns: tuple[int, int], terms: int
    ) -> SSAValue:
        """A row of words whose terms are in rows below each other: `columns` is the dim and how many."""
        em, (dim, width), k = self.em, columns, self.found.reduced[-1]
        lanes, mask = self.lanes(i32), None
        wide = width
        if width % lanes and self.tiling.vector_bytes >= WIDE_BYTES:
            wide = -(-width // lanes) * lanes
            mask = em.constant_mask([width], [wide])
        total: SSAValue | None = None
        for term in range(terms):
            index = list(at)
            index[k] = self.sum(at[k], term)
            value = source
            if isinstance(source, Access):
                value = read(em, source, Point(index, lanes_along(dim, wide, mask)))
            assert isinstance(value, SSAValue)
            value = self._widened(broadcast(em, value, wide), side)
            word = self._cast(arith.ExtUIOp, value, i32)
            if term:
                by = em.splat(IntegerAttr(term * self.words.bits, i32), vector_of(i32, wide))
                word = em.add(arith.ShLIOp(word, by)).result
            total = word if total is None else em.add(arith.OrIOp(total, word)).result
        assert total is not None
        return total

    def _widened(self, value: SSAValue, side: int) -> SSAValue:
        """Bytes as the halves of a word."""
        if not self.words.narrow[side]:
            return value
        return self._cast(arith.ExtSIOp if self.words.signed[side] else arith.ExtUIOp, value, IntegerType(HALF_BITS))

    def _cast(self, op: type[arith.ExtSIOp | arith.ExtUIOp], value: SSAValue, kind: Attribute) -> SSAValue:
        assert isinstance(value.type, VectorType)
        return self.em.add(op.create(operands=[value], result_types=[vector_of(kind, value.type.get_shape())])).result

    # Reading.

    def multiply(
        self,
        at: Sequence[Index],
        local: Sequence[Index],
        lanes: Lanes,
        total: SSAValue,
        operands: tuple[Operand, Operand],
    ) -> SSAValue:
        """A word of each sum: `at` counts terms, `local` words from the start of the run."""
        rows, width = lanes.shape
        row = self.row(operands[1], at, local, width, None)
        column = self.column(operands[0], at, local, rows)
        return self.em.add(kernel.DotOp(column, row, total, *self.words.factors)).result

    def column(self, operand: Operand, at: Sequence[Index], local: Sequence[Index], rows: int) -> SSAValue:
        """The words of A that a tile multiplies a row of B with."""
        if operand.packed:
            return super().column(operand, at, local, rows)
        em, access = self.em, operand.access
        indices = em.indices([em.apply(e, at, access.symbols) for e in access.exprs])
        row = AffineConstantExpr(0) if operand.rows is None or rows == 1 else AffineDimExpr(operand.rows)
        dims = row, AffineDimExpr(len(indices) - 1)
        value = em.add(
            upstream_vector.TransferReadOp(
                access.value,
                indices,
                em.zero(access.element),
                VectorType(access.element, [rows, self.words.terms]),
                ArrayAttr([BoolAttr.from_bool(True)] * 2),
                AffineMapAttr(AffineMap(len(indices), 0, dims)),
            )
        ).result
        return em.add(upstream_vector.BitcastOp(value, vector_of(i32, (rows, 1)))).result


def _integer(kind: Attribute) -> IntegerType:
    assert isinstance(kind, IntegerType)
    return kind
