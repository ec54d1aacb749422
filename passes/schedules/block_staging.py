"""Bringing an operand's tile to block scratch: each subgroup copies its share, by vectors along the operand's own rows.

A vector spans several rows where one is too short for all lanes. What lies beyond the operand's extents is zero. Where the
tile lies the other way round than the operand, rows are written as columns; an operand that is contiguous along neither dim
is gathered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects import tensor
from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.builtin import AffineMapAttr, ArrayAttr, BoolAttr, TensorType, UnitAttr, VectorType, i1
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from stepwell.passes.schedules.block_tiles import Share, Staging, copied_singly, is_plain
from stepwell.passes.schedules.emit import Emitter, Index
from stepwell.passes.schedules.lanes import Lanes, Point, read, transfer_read, vector_of
from stepwell.passes.schedules.nest import Access, is_contiguous


@dataclass(frozen=True)
class Operand:
    """An operand and how it is staged. `extents` are those of the loop dims; `edges` say which of the tile's dims may end early."""

    access: Access
    casts: Sequence[Operation]
    side: Staging
    share: Share
    extents: tuple[int, int]
    asynchronous: bool

    @property
    def edges(self) -> tuple[bool, bool]:
        """Along which dims the last tile is not full."""
        first, second = (e % s != 0 for e, s in zip(self.extents, self.side.shape, strict=True))
        return first, second


def corner_of(em: Emitter, parts: tuple[int, int], extents: tuple[int, int], subgroup: Index) -> tuple[Index, Index]:
    """Where a subgroup's part of a tile starts, when it is made of `parts` (down, across) of `extents`, numbered by rows."""
    down, across = parts
    d = AffineExpr.dimension(0)
    row = d // across if down > 1 else AffineExpr.constant(0)
    column = d % across if down > 1 else d
    return em.apply(row * extents[0], [subgroup]), em.apply(column * extents[1], [subgroup])


def copy_share(
    em: Emitter, operand: Operand, index: Sequence[Index], offsets: tuple[Index, Index], part: SSAValue
) -> SSAValue:
    """Copy a subgroup's share of the tile that starts at `index` (per loop dim) into its slice of the scratch.

    `offsets` is where the share starts in the tile.
    """
    side, region = operand.side, operand.share.region
    along = side.contiguous
    vectors = along is not None and is_contiguous(operand.access.exprs, along)
    tall = operand.share.vector if vectors and _rows_are_plain(operand) else _single_row(operand, vectors)

    def down(i: Index, outer: Sequence[SSAValue]) -> Sequence[SSAValue]:
        def across(j: Index, inner: Sequence[SSAValue]) -> Sequence[SSAValue]:
            start = list(index)
            add = AffineExpr.dimension(0) + AffineExpr.dimension(1) + AffineExpr.dimension(2)
            for dim, offset, step in zip(side.dims, offsets, (i, j), strict=True):
                start[dim] = em.apply(add, [index[dim], offset, step])
            value = _read(em, operand, start, tall) if vectors else _gather(em, operand, start, tall[1])
            value = _cast(em, operand.casts, value)
            return [_write(em, operand, value, inner[0], (i, j))]

        return em.loop(0, region[1], tall[1], outer, across)

    return em.loop(0, region[0], tall[0], [part], down)[0]


def _rows_are_plain(operand: Operand) -> bool:
    return is_plain(operand.access.exprs, _other(operand.side)) is not None


def _other(side: Staging) -> int:
    """The dim of the tile that the operand is not contiguous along."""
    return side.dims[1] if side.crossed else side.dims[0]


def _single_row(operand: Operand, vectors: bool) -> tuple[int, int]:
    """The extents of a vector along one row, of the operand if it has contiguous ones, else of the scratch."""
    region = operand.share.region
    return (region[0], 1) if vectors and operand.side.crossed else (1, region[1])


def _left(em: Emitter, extent: int, start: Index) -> Index:
    return em.apply(AffineExpr.dimension(0) * -1 + extent, [start])


def _read(em: Emitter, operand: Operand, start: Sequence[Index], extents: tuple[int, int]) -> SSAValue:
    """A vector of the operand's rows: one, or several with the rows' dim first."""
    side, access = operand.side, operand.access
    order = (1, 0) if side.crossed else (0, 1)
    rows, columns = (extents[p] for p in order)
    shape = [columns] if rows == 1 else [rows, columns]
    mask: SSAValue | None = None
    if any(operand.edges):
        counts = [_left(em, operand.extents[p], start[side.dims[p]]) if operand.edges[p] else extents[p] for p in order]
        if rows == 1:
            counts = [_none_beyond(em, operand, start, counts[1], order[0])]
        mask = create_mask(em, counts, shape)
    source, indices = _window(em, access, start, side.dims[order[0]], rows)
    return transfer_read(em, source, indices, shape, mask)


def _none_beyond(em: Emitter, operand: Operand, start: Sequence[Index], count: Index, position: int) -> Index:
    """`count`, or zero in a row that the operand does not have."""
    if not operand.edges[position]:
        return count
    left = _left(em, operand.extents[position], start[operand.side.dims[position]])
    if isinstance(left, int) and isinstance(count, int):
        return count if left > 0 else 0
    # As large as the row when there is one, never positive when there is none.
    scaled = em.apply(AffineExpr.dimension(0) * max(operand.extents), [left])
    return em.minimum(scaled, count)


def _window(
    em: Emitter, access: Access, start: Sequence[Index], rows_dim: int, rows: int
) -> tuple[SSAValue, list[Index]]:
    """The tensor to read and where: a slice of two dims where rows are not the last dim but one."""
    indices = [em.apply(e, start, access.symbols) for e in access.exprs]
    place = is_plain(access.exprs, rows_dim)
    rank = len(indices)
    if rows == 1 or place == rank - 2:
        return access.value, indices
    assert place is not None
    return plane(em, access.value, indices, place), [indices[place], indices[-1]]


def plane(em: Emitter, value: SSAValue, indices: Sequence[Index], place: int) -> SSAValue:
    """The two-dim slice of a tensor along dim `place` and the last one, at `indices` of the others."""
    assert isinstance(value.type, TensorType)
    shape = value.type.get_shape()
    last = len(shape) - 1
    offsets: list[Index] = [0 if d in (place, last) else i for d, i in enumerate(indices)]
    sizes = [n if d in (place, last) else 1 for d, n in enumerate(shape)]
    kind = TensorType(value.type.element_type, [shape[place], shape[last]])
    return em.add(tensor.ExtractSliceOp(value, offsets, sizes, [1] * len(shape), kind)).result


def _gather(em: Emitter, operand: Operand, start: list[Index], width: int) -> SSAValue:
    """A row of the scratch, from wherever the operand has its elements."""
    side = operand.side
    mask: SSAValue | None = None
    if any(operand.edges):
        count = _left(em, operand.extents[1], start[side.dims[1]]) if operand.edges[1] else width
        mask = create_mask(em, [_none_beyond(em, operand, start, count, 0)], [width])
    return read(em, operand.access, Point(start, Lanes((side.dims[1],), (width,), mask)))


def _cast(em: Emitter, casts: Sequence[Operation], value: SSAValue) -> SSAValue:
    for cast in casts:
        assert isinstance(value.type, VectorType)
        kind = vector_of(cast.results[0].type, value.type.get_shape())
        copy = type(cast).create(
            operands=[value], result_types=[kind], properties=dict(cast.properties), attributes=dict(cast.attributes)
        )
        value = em.add(copy).results[0]
    return value


def _write(em: Emitter, operand: Operand, value: SSAValue, part: SSAValue, at: tuple[Index, Index]) -> SSAValue:
    """Put a vector where it belongs in a slice `[stage, rows, columns]`; rows of a crossed operand become columns."""
    assert isinstance(value.type, VectorType)
    assert isinstance(part.type, TensorType)
    rank = len(value.type.get_shape())
    first, second = AffineExpr.dimension(1), AffineExpr.dimension(2)
    crossed = operand.side.crossed and is_contiguous(operand.access.exprs, operand.side.dims[0])
    dims = ([second, first] if crossed else [first, second])[2 - rank :]
    op = upstream_vector.TransferWriteOp(
        value,
        part,
        em.indices([0, *at]),
        ArrayAttr([BoolAttr.from_bool(True)] * rank),
        None,
        AffineMapAttr(AffineMap(3, 0, tuple(dims))),
        part.type,
    )
    whole = not crossed or copied_singly(operand.side)
    if operand.asynchronous and whole and isinstance(value.owner, upstream_vector.TransferReadOp):
        op.attributes["async"] = UnitAttr()
    result = em.add(op).result
    assert result is not None
    return result


def create_mask(em: Emitter, sizes: Sequence[Index], shape: Sequence[int]) -> SSAValue | None:
    """The lanes below `sizes`, which may be beyond the shape or negative; None when those are all."""
    if all(isinstance(s, int) and s >= n for s, n in zip(sizes, shape, strict=True)):
        return None
    return em.add(upstream_vector.CreateMaskOp([*em.indices(sizes)], vector_of(i1, shape))).results[0]


__all__ = ["Operand", "copy_share", "corner_of", "create_mask", "plane"]
