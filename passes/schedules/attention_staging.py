"""What the parts of the `attention` strategy share: scratch, and bringing operands into it the way that tiles read them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from xdsl.dialects import arith
from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.builtin import (
    AffineMapAttr,
    AnyFloat,
    ArrayAttr,
    BoolAttr,
    IntegerAttr,
    IntegerType,
    TensorType,
    VectorType,
    f32,
    i1,
)
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from stepwell.dialects import kernel, vector
from stepwell.dialects.structured_attention import AttentionOp
from stepwell.dialects.structured_attention_gradient import AttentionGradientOp
from stepwell.ir.dtypes import byte_width
from stepwell.passes.schedules.attention_choice import AttentionTiles, dims_of, index_of
from stepwell.passes.schedules.emit import Emitter, Index, number
from stepwell.passes.schedules.kernel_builder import KernelBuilder
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
from stepwell.passes.schedules.plan import Machine

D0, D1 = AffineExpr.dimension(0), AffineExpr.dimension(1)
HIGHEST, TOTAL, CORRECTION, BEFORE, STATE = range(5)
"""Rows of what is known of each query: its highest score so far, the sum of weights, what both were corrected by last."""


class AttentionStaging:
    """One attention being emitted: its operands, sizes and tiles, and moves between tensors and scratch."""

    at: list[Index]
    """Where the loops are: an index per dim, that of the queries their first one."""
    start: Index
    """The first query of the block at hand."""
    turned: SSAValue
    """The queries of the block at hand: rows are depths, lanes queries."""

    def __init__(
        self, builder: KernelBuilder, op: AttentionOp | AttentionGradientOp, tiles: AttentionTiles, machine: Machine
    ):
        self.builder = builder
        self.em: Emitter = builder.em
        self.op = op
        self.tiles = tiles
        self.machine = machine
        self.kind = op.score_type
        self.query, self.key, self.depth, self.column = dims_of(op)
        self.sizes = op.extents
        self.lanes = max(1, machine.vector_bytes // byte_width(self.kind))
        self.rows = min(tiles.queries, self.sizes[self.query])
        """Lanes that are queries."""
        self.wide = vector_of(self.kind, tiles.queries)
        self.queries = builder.resolve(op.query, op.maps[0].results)
        self.keys = builder.resolve(op.key, op.maps[1].results)
        self.values = builder.resolve(op.value, op.maps[2].results)
        self.extras = [builder.resolve(e, m.results) for e, m in zip(op.extras, op.extra_maps, strict=True)]

    def _scratch(self, shape: Sequence[int], kind: Attribute | None = None) -> SSAValue:
        return self.builder.scratch(TensorType(kind or self.kind, list(shape)), kernel.ScratchScope.WORKER)

    def _padded(self, count: int) -> int:
        return -(-count // self.lanes) * self.lanes

    def _splat(self, value: float, shape: Sequence[int] = ()) -> SSAValue:
        return self.em.splat(number(self.kind, value), vector_of(self.kind, [*shape, self.tiles.queries]))

    def _filled(self, shape: Sequence[int], value: float) -> SSAValue:
        """Scratch of equal elements."""
        em, row = self.em, vector_of(self.kind, [1, shape[1]])
        filling = em.splat(number(self.kind, value), row)
        return em.loop(
            0, shape[0], 1, [self._scratch(shape)], lambda i, args: [transfer_write(em, filling, args[0], [i, 0])]
        )[0]

    def _row_of(self, state: SSAValue, row: int) -> SSAValue:
        return transfer_read(self.em, state, [row, 0], [self.tiles.queries])

    def _set_row(self, state: SSAValue, row: int, value: SSAValue) -> SSAValue:
        return transfer_write(self.em, value, state, [row, 0])

    def _by_lanes(
        self,
        count: Index,
        carried: Sequence[SSAValue],
        piece: Callable[[Index, Sequence[SSAValue], SSAValue | None], Sequence[SSAValue]],
        first: Index = 0,
    ) -> Sequence[SSAValue]:
        """`piece(begin, carried, mask)` for vectors of `count` elements from `first`, the last masked where it is not full."""
        em = self.em
        whole = isinstance(count, int) and count % self.lanes == 0
        main = count if whole else em.apply(D0 // self.lanes * self.lanes, [count])
        done = em.loop(first, main, self.lanes, carried, lambda c, args: piece(c, args, None))
        if whole:
            return done
        left = em.apply(D0 - D1, [count, main])
        if isinstance(left, int):
            return piece(main, done, em.constant_mask([left], [self.lanes]))
        # No lane beyond the last element is read, and nothing is done where none is left.
        mask = em.add(upstream_vector.CreateMaskOp([em.index(left)], vector_of(i1, self.lanes))).results[0]
        return em.loop(main, count, self.lanes, done, lambda c, args: piece(c, args, mask))

    def _by_tiles(self, columns: int, held: SSAValue, tile: Callable[[Index, Index, SSAValue], SSAValue]) -> SSAValue:
        """`tile(first query, first column, held)` for the square tiles of a block."""
        em, lanes = self.em, self.lanes

        def row(r: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            return em.loop(0, columns, lanes, args, lambda c, inner: [tile(r, c, inner[0])])

        return em.loop(0, self.tiles.queries, lanes, [held], row)[0]

    def _spread(self, value: SSAValue, shape: Sequence[int]) -> SSAValue:
        """A row as every row of a tile."""
        assert isinstance(value.type, VectorType)
        return self.em.add(upstream_vector.BroadcastOp(value, vector_of(value.type.element_type, list(shape)))).results[
            0
        ]

    def _multiply(self, left: SSAValue, row: SSAValue, acc: SSAValue) -> SSAValue:
        """A tile plus a column times a row."""
        m, n, k = (AffineExpr.dimension(d) for d in range(3))
        maps = [AffineMap(3, 0, r) for r in ((m, k), (k, n), (m, n))]
        return self.em.add(vector.ContractOp(left, row, acc, maps, ["parallel", "parallel", "reduction"])).result

    def _larger(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """The larger ones; where one is NaN, `a`: a NaN score makes its weight, and so the sum, NaN."""
        above = self.em.add(arith.CmpfOp(b, a, "ogt")).result
        return self.em.add(arith.SelectOp(above, b, a)).result

    def _sum(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self.em.add(arith.AddfOp(a, b)).result

    @staticmethod
    def _pairwise(values: Sequence[SSAValue], combine: Callable[[SSAValue, SSAValue], SSAValue]) -> SSAValue:
        """Values combined two by two, so that few wait for each other."""
        left = list(values)
        while len(left) > 1:
            left = [combine(*left[i : i + 2]) if i + 1 < len(left) else left[i] for i in range(0, len(left), 2)]
        return left[0]

    def _rows_of(self, tile: SSAValue) -> list[SSAValue]:
        """The rows of a tile."""
        assert isinstance(tile.type, VectorType)
        count, width = tile.type.get_shape()
        kind = vector_of(tile.type.element_type, width)
        return [self.em.add(upstream_vector.ExtractOp(tile, [i], kind)).result for i in range(count)]

    def _smaller(self) -> float:
        """What weights are multiplied with, a power of two and so exact: a sum of weighted values is no larger than a value."""
        return 2.0 ** -math.ceil(math.log2(self.sizes[self.key]) + 1)

    def _scored(self, block: Block, values: dict[SSAValue, SSAValue], shape: Sequence[int]) -> SSAValue:
        """A region on vectors, `values` being what its arguments are."""
        for op in block.ops:
            if op is block.last_op:
                return broadcast(self.em, values[op.operands[0]], shape)
            self._evaluate(op, values, shape)
        raise AssertionError("a region without an end")

    def _evaluate(self, op: Operation, values: dict[SSAValue, SSAValue], shape: Sequence[int]) -> None:
        """One op of the region on vectors; what is the same everywhere stays a scalar."""
        em = self.em
        if isinstance(op, arith.ConstantOp):
            values[op.result] = em.constant(op.value, op.result.type)
            return
        operands = [values[o] for o in op.operands]
        results: Sequence[Attribute] = [r.type for r in op.results]
        if any(isinstance(o.type, VectorType) for o in operands):
            operands = [broadcast(em, o, shape) for o in operands]
            results = [vector_of(t, shape) for t in results]
        copy = type(op).create(
            operands=operands, result_types=results, properties=dict(op.properties), attributes=dict(op.attributes)
        )
        em.add(copy)
        values.update(zip(op.results, copy.results, strict=True))

    def _tile_of(self, access: Access, at: Sequence[Index], dims: tuple[int, int], shape: tuple[int, int]) -> SSAValue:
        """A tile along two dims, wherever in the tensor they are."""
        em = self.em
        indices = [em.apply(e, at, access.symbols) for e in access.exprs]
        places = [index_of(access.exprs, d) for d in dims]
        assert None not in places
        amap = AffineMap(len(indices), 0, tuple(AffineExpr.dimension(p) for p in places if p is not None))
        in_bounds = ArrayAttr([BoolAttr.from_bool(True)] * 2)
        kind = VectorType(access.element, list(shape))
        op = upstream_vector.TransferReadOp(
            access.value, em.indices(indices), em.zero(access.element), kind, in_bounds, AffineMapAttr(amap), None
        )
        return em.add(op).result

    def _column_of(self, access: Access, at: Sequence[Index], rows: int, along: int, count: int) -> SSAValue:
        """`count` elements along the dim `rows`, one each row: read one by one, whatever the layout."""
        return self._tile_of(access, at, (rows, along), (count, 1))

    def _packed(self, source: Access, other: int) -> Access:
        """The keys or values of a task, dense in scratch in the type of scores; lines are an odd number of cache lines."""
        em = self.em
        lines, inner = (other, self.key) if is_contiguous(source.exprs, self.key) else (self.key, other)
        lines_of_row = -(-self.sizes[inner] * byte_width(self.kind) // em.line_bytes)
        stride = (lines_of_row + 1 - lines_of_row % 2) * em.line_bytes // byte_width(self.kind)

        def row(r: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            def piece(c: Index, held: Sequence[SSAValue], mask: SSAValue | None) -> Sequence[SSAValue]:
                at = list(self.at)
                at[lines], at[inner] = r, c
                value = read(em, source, Point(at, lanes_along(inner, self.lanes, mask)))
                value = widen(em, broadcast(em, value, self.lanes), self.kind)
                return [transfer_write(em, value, held[0], [r, c])]

            return self._by_lanes(self.sizes[inner], args, piece)

        (made,) = em.loop(0, self.sizes[lines], 1, [self._scratch([self.sizes[lines], stride])], row)
        return Access(made, (AffineExpr.dimension(lines), AffineExpr.dimension(inner)))

    def _turned(self, access: Access, dim: int, begin: Index, count: Index, kind: Attribute) -> SSAValue:
        """`count` elements along a dim, from `begin`, of each query: as rows of queries, in scratch."""
        if self.rows == self.tiles.queries and isinstance(count, int) and self._has_tiles(access, dim, count, kind):
            return self._turned_in_place(access, dim, begin, count)
        rows = self._lines_of(access, dim, begin, count, kind)
        assert isinstance(rows.type, TensorType)
        return self._transposed(rows, self._scratch(rows.type.get_shape()[::-1], kind))

    def _lines_of(self, access: Access, dim: int, begin: Index, count: Index, kind: Attribute) -> SSAValue:
        """The same as a row for each query, in scratch; rows are whole vectors, and 0 where a lane is no query."""
        em = self.em
        most = count if isinstance(count, int) else min(self.tiles.block, self.sizes[dim])
        shape = [self._padded(most), self.tiles.queries]
        rows = self._scratch([shape[1], shape[0]], kind)

        def line(r: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            def piece(c: Index, inner: Sequence[SSAValue], mask: SSAValue | None) -> Sequence[SSAValue]:
                at = list(self.at)
                at[self.query] = em.apply(D0 + D1, [self.start, r])
                at[dim] = em.apply(D0 + D1, [begin, c])
                value = read(em, access, Point(at, lanes_along(dim, self.lanes, mask)))
                value = widen(em, broadcast(em, value, self.lanes), kind)
                return [transfer_write(em, value, inner[0], [r, c])]

            return self._by_lanes(count, args, piece)

        filled = em.loop(0, self.rows, 1, [rows], line)[0]
        return self._zero_rows(filled, shape, kind) if self.rows < shape[1] else filled

    def _has_tiles(self, access: Access, dim: int, count: int, kind: Attribute) -> bool:
        """Whether tiles of queries can be read where they are: full ones, of the type wanted."""
        aligned = count % self.lanes == 0 and access.element == kind
        return aligned and is_contiguous(access.exprs, dim) and index_of(access.exprs, self.query) is not None

    def _turned_in_place(self, access: Access, dim: int, begin: Index, count: int) -> SSAValue:
        em, lanes = self.em, self.lanes

        def tile(r: Index, c: Index, held: SSAValue) -> SSAValue:
            at = list(self.at)
            at[self.query] = em.apply(D0 + D1, [self.start, r])
            at[dim] = em.apply(D0 + D1, [begin, c])
            value = self._tile_of(access, at, (self.query, dim), (lanes, lanes))
            turned = em.add(vector.TransposeOp(value, [1, 0])).result
            return transfer_write(em, turned, held, [c, r])

        return self._by_tiles(count, self._scratch([count, self.tiles.queries], access.element), tile)

    def _zero_rows(self, rows: SSAValue, shape: Sequence[int], kind: Attribute) -> SSAValue:
        """Lanes that are no queries get numbers, so that nothing depends on what was in the scratch."""
        em = self.em
        zero = em.splat(number(kind, 0), vector_of(kind, [1, shape[0]]))
        return em.loop(self.rows, shape[1], 1, [rows], lambda r, args: [transfer_write(em, zero, args[0], [r, 0])])[0]

    def _transposed(self, source: SSAValue, target: SSAValue) -> SSAValue:
        """Rows of queries, transposed tile by tile into other scratch."""
        em, lanes = self.em, self.lanes
        assert isinstance(source.type, TensorType)

        def tile(r: Index, c: Index, held: SSAValue) -> SSAValue:
            turned = em.add(vector.TransposeOp(transfer_read(em, source, [r, c], [lanes, lanes]), [1, 0])).result
            return transfer_write(em, turned, held, [c, r])

        return self._by_tiles(source.type.get_shape()[1], target, tile)


def widened(kind: Attribute) -> Attribute:
    """The type in which elements are turned: 32 bits at least."""
    if isinstance(kind, IntegerType):
        return IntegerType(max(32, kind.width.data))
    assert isinstance(kind, AnyFloat)
    return kind if byte_width(kind) >= 4 else f32


def widen(em: Emitter, value: SSAValue, kind: Attribute) -> SSAValue:
    """Lanes in a wider type of the same sort."""
    assert isinstance(value.type, VectorType)
    source = value.type.element_type
    if source == kind:
        return value
    target = vector_of(kind, value.type.get_shape())
    if not isinstance(kind, IntegerType):
        return em.add(arith.ExtFOp(value, target)).result  # pyright: ignore[reportArgumentType]
    return em.add(arith.ExtUIOp(value, target)).result  # pyright: ignore[reportArgumentType]


def narrow(em: Emitter, value: SSAValue, kind: Attribute) -> SSAValue:
    """The inverse of `widen`; floats are rounded."""
    assert isinstance(value.type, VectorType)
    source = value.type.element_type
    if source == kind:
        return value
    target = vector_of(kind, value.type.get_shape())
    if not isinstance(kind, IntegerType):
        return em.add(arith.TruncFOp(value, target)).result  # pyright: ignore[reportArgumentType]
    if kind == i1:
        zero = em.splat(IntegerAttr(0, source), value.type)  # pyright: ignore[reportArgumentType]
        return em.add(arith.CmpiOp(value, zero, "ne")).result
    return em.add(arith.TruncIOp(value, target)).result  # pyright: ignore[reportArgumentType]


__all__ = ["BEFORE", "CORRECTION", "D0", "D1", "HIGHEST", "STATE", "TOTAL", "AttentionStaging", "narrow", "widen"]
