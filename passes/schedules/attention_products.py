"""Products of a few rows with keys or values for the `attention` strategy: every line is read once, whichever way it lies.

`target[r, n] = sum_k left[r, k] * source[k, n]` with the rows of `left` and `target` in scratch. Where neighbours in memory are
neighbours along n, a row of the source is multiplied by one number of each row of `left`; where they are neighbours along k,
vectors of products are summed lane by lane, and the sums of as many n as there are lanes are added up crosswise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.builtin import DenseArrayBase, TensorType, i64
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from stepwell.dialects import vector
from stepwell.passes.schedules.attention_staging import D0, D1, AttentionStaging, widen
from stepwell.passes.schedules.emit import Index, number
from stepwell.passes.schedules.lanes import (
    Point,
    broadcast,
    lanes_along,
    read,
    transfer_read,
    transfer_write,
    vector_of,
)
from stepwell.passes.schedules.nest import Access, is_contiguous

AT_ONCE = 4
"""Terms of a sum next to each other in a loop."""


@dataclass(frozen=True)
class Along:
    """Points of a dim: `count` from `begin`."""

    dim: int
    begin: Index
    count: Index


class FewRows(AttentionStaging):
    """Makes products of a few rows."""

    def _product(self, left: SSAValue, source: Access, k: Along, n: Along, target: SSAValue) -> SSAValue:
        """`left` times the source, along k; columns of the target beyond the last n are undefined.

        Rows are whole vectors: of `left`, what is beyond the last k is 0 where the source lies along k.
        """
        if is_contiguous(source.exprs, n.dim):
            return self._spread_product(left, source, k, n, target)
        return self._dot_product(left, source, k, n, target)

    def _row_groups(self, count: int, target: SSAValue, some: Callable[[Index, int, SSAValue], SSAValue]) -> SSAValue:
        """`some(first, rows, target)` for a few rows at a time."""
        em, rows = self.em, self.tiles.queries
        main = count // rows * rows
        (target,) = em.loop(0, main, rows, [target], lambda r, args: [some(r, rows, args[0])])
        return some(main, count - main, target) if main < count else target

    @staticmethod
    def _height(tensor: SSAValue) -> int:
        assert isinstance(tensor.type, TensorType)
        return tensor.type.get_shape()[0]

    # A row of the source times one number each.

    def _spread_product(self, left: SSAValue, source: Access, k: Along, n: Along, target: SSAValue) -> SSAValue:
        em, wide = self.em, self.tiles.columns
        count = self._height(left)

        def columns(c: Index, width: int, mask: SSAValue | None, held: SSAValue) -> SSAValue:
            def rows(r: Index, some: int, inner: SSAValue) -> SSAValue:
                made = self._spread_tile(
                    left, source, k, Along(n.dim, em.apply(D0 + D1, [n.begin, c]), width), mask, r, some
                )
                return transfer_write(em, made, inner, [r, c])

            return self._row_groups(count, held, rows)

        main = em.apply(D0 // wide * wide, [n.count])
        (target,) = em.loop(0, main, wide, [target], lambda c, args: [columns(c, wide, None, args[0])])
        if isinstance(main, int) and main == n.count:
            return target
        return self._by_lanes(n.count, [target], lambda c, args, mask: [columns(c, self.lanes, mask, args[0])], main)[0]

    def _spread_tile(
        self, left: SSAValue, source: Access, k: Along, n: Along, mask: SSAValue | None, first: Index, rows: int
    ) -> SSAValue:
        """`rows x n.count` sums."""
        em = self.em
        assert isinstance(n.count, int)
        shape = [1, n.count]
        lanes = lanes_along(n.dim, n.count, mask)

        def some(step: int, carried: Sequence[SSAValue], begin: Index, end: Index) -> Sequence[SSAValue]:
            def trip(t: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
                made = args[0]
                for u in range(step):
                    at = list(self.at)
                    at[n.dim], at[k.dim] = n.begin, em.apply(D0 + D1 + u, [k.begin, t])
                    row = widen(em, broadcast(em, read(em, source, Point(at, lanes)), shape[1]), self.kind)
                    row = em.add(vector.ShapeCastOp(row, vector_of(self.kind, shape))).result
                    column = transfer_read(em, left, [first, em.apply(D0 + u, [t])], [rows, 1])
                    made = self._multiply(column, row, made)
                return [made]

            return em.loop(begin, end, step, carried, trip)

        zero = em.splat(number(self.kind, 0), vector_of(self.kind, [rows, n.count]))
        main = em.apply(D0 // AT_ONCE * AT_ONCE, [k.count])
        return some(1, some(AT_ONCE, [zero], 0, main), main, k.count)[0]

    # Vectors of products, summed across.

    def _dot_product(self, left: SSAValue, source: Access, k: Along, n: Along, target: SSAValue) -> SSAValue:
        em, lanes = self.em, self.lanes
        even = isinstance(n.count, int) and n.count % lanes == 0
        count = self._height(left)

        def tile(t: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            # The last tile overlaps the one before: the same sums are made twice.
            base = t if even else em.minimum(t, em.apply(D0 - lanes, [n.count]))
            first = em.apply(D0 + D1, [n.begin, base])

            def rows(r: Index, some: int, held: SSAValue) -> SSAValue:
                sums = self._dot_tile(left, source, k, Along(n.dim, first, lanes), r, some)
                for i in range(some):
                    lines = self._rows_of(transfer_read(em, sums, [i, 0, 0], [lanes, lanes]))
                    held = transfer_write(em, self._across(lines), held, [em.apply(D0 + i, [r]), base])
                return held

            return [self._row_groups(count, args[0], rows)]

        return em.loop(0, n.count, lanes, [target], tile)[0]

    def _dot_tile(self, left: SSAValue, source: Access, k: Along, n: Along, first: Index, rows: int) -> SSAValue:
        """Scratch of `rows x lanes x lanes`: for each row and each n, a vector of sums."""
        em, lanes, high = self.em, self.lanes, self.tiles.keys
        maps = [AffineMap(3, 0, tuple(AffineExpr.dimension(d) for d in dims)) for dims in ((1, 2), (0, 2), (0, 1, 2))]
        zero = em.splat(number(self.kind, 0), vector_of(self.kind, [rows, high, lanes]))

        def some(s: Index, held: Sequence[SSAValue]) -> Sequence[SSAValue]:
            def piece(c: Index, args: Sequence[SSAValue], mask: SSAValue | None) -> Sequence[SSAValue]:
                at = list(self.at)
                at[n.dim], at[k.dim] = em.apply(D0 + D1, [n.begin, s]), em.apply(D0 + D1, [k.begin, c])
                lines = self._lines(source, at, (n.dim, k.dim), (high, lanes), mask)
                factors = transfer_read(em, left, [first, c], [rows, lanes])
                op = vector.ContractOp(lines, factors, args[0], maps, ["parallel"] * 3)
                return [em.add(op).result]

            (sums,) = self._by_lanes(k.count, [zero], piece)
            return [transfer_write(em, sums, held[0], [0, s, 0])]

        return em.loop(0, lanes, high, [self._scratch([rows, lanes, lanes])], some)[0]

    def _across(self, lines: Sequence[SSAValue]) -> SSAValue:
        """The sums over the lanes of as many vectors as there are lanes, one a lane.

        Halves are added to halves, two vectors at a time: these then share a vector, and so on with its halves.
        """
        left, width = list(lines), self.lanes
        while len(left) > 1:
            pairs = zip(left[: len(left) // 2], left[len(left) // 2 :], strict=True)
            left = [self._sum(*(self._halves(a, b, width, which) for which in (0, 1))) for a, b in pairs]
            width //= 2
        return left[0]

    def _halves(self, a: SSAValue, b: SSAValue, width: int, which: int) -> SSAValue:
        """Of every `width` lanes the first or the second half, of `a` and of `b` in turn."""
        half, lanes = width // 2, self.lanes
        picks: list[int] = []
        for first in range(which * half, lanes, width):
            picks += [*range(first, first + half), *range(lanes + first, lanes + first + half)]
        mask = DenseArrayBase.from_list(i64, picks)
        op = upstream_vector.ShuffleOp.create(operands=[a, b], result_types=[a.type], properties={"mask": mask})
        return self.em.add(op).results[0]

    def _lines(
        self, source: Access, at: list[Index], dims: tuple[int, int], shape: tuple[int, int], mask: SSAValue | None
    ) -> SSAValue:
        """Vectors of some lines, in the type of scores."""
        em = self.em
        if mask is None:
            return widen(em, self._tile_of(source, at, dims, shape), self.kind)
        tile = em.splat(number(self.kind, 0), vector_of(self.kind, list(shape)))
        for i in range(shape[0]):
            index = list(at)
            index[dims[0]] = em.apply(D0 + i, [at[dims[0]]])
            row = widen(em, read(em, source, Point(index, lanes_along(dims[1], shape[1], mask))), self.kind)
            tile = em.add(upstream_vector.InsertOp(row, tile, [i])).result
        return tile


__all__ = ["Along", "FewRows"]
