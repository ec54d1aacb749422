"""The ops after a contraction on a subgroup's tile: what they read there, and which of them can be done there at all.

A tile is a vector of rows and columns of the result. An input that does not vary along one of them is read along the other
and repeated; one that lies the other way round is not read here, and the op stays behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xdsl.dialects import tensor
from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, TensorType, i64
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.ir.structured import indexing_maps
from stepwell.passes.schedules.block_staging import create_mask, plane
from stepwell.passes.schedules.block_tiles import is_plain
from stepwell.passes.schedules.contraction_analysis import Contraction, epilogue_of
from stepwell.passes.schedules.emit import Emitter, Index
from stepwell.passes.schedules.lanes import Lanes, Point, read, transfer_read, unused, vector_of
from stepwell.passes.schedules.nest import Access, Nest, is_contiguous, uses_dim

_DIVISIONS = ("arith.divsi", "arith.divui", "arith.remsi", "arith.remui", "arith.ceildiv", "arith.floordiv")
"""What must not be asked of lanes beyond the result's edge, where operands are zero."""


def tile_epilogue(found: Contraction) -> list[linalg.GenericOp]:
    """The pointwise ops after a contraction that can be done on its tiles."""
    taken: list[linalg.GenericOp] = []
    for op in epilogue_of(found):
        if not _suits(found, op):
            break
        taken.append(op)
    return taken


def _suits(found: Contraction, op: linalg.GenericOp) -> bool:
    if any(inner.name.startswith(_DIVISIONS) for inner in op.body.block.ops):
        return False
    m, n = _tile_dims(found)
    for value, amap, argument in zip(op.inputs, indexing_maps(op), op.body.block.args, strict=False):
        if isinstance(value.type, TensorType) and not unused(argument) and not is_readable(amap.results, m, n):
            return False
    return True


def _tile_dims(found: Contraction) -> tuple[int, int]:
    """Rows and columns of the tile as dims of the result, which are those of the ops after it."""
    place = [e.position for e in found.maps[2].results]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
    assert found.m is not None
    return place.index(found.m), place.index(found.n)


def is_readable(exprs: Sequence[AffineExpr], rows: int, columns: int) -> bool:
    """Whether a tile can be read of a tensor: by rows, as one row or one column repeated, or as one number."""
    if not uses_dim(exprs, rows):
        return True
    if is_plain(exprs, rows) is None:
        return False
    return not uses_dim(exprs, columns) or is_contiguous(exprs, columns)


def with_columns(em: Emitter, access: Access, rows: int) -> Access:
    """An access that varies along rows by its last index, given a dim of one column behind (a free reshape)."""
    rank = len(access.exprs)
    if not rank or not uses_dim(access.exprs[-1:], rows):
        return access
    groups = [[d] for d in range(rank - 1)] + [[rank - 1, rank]]
    reassociation = ArrayAttr(ArrayAttr(IntegerAttr(d, i64) for d in group) for group in groups)
    shape = [*access.shape, 1]
    op = tensor.ExpandShapeOp(access.value, [], reassociation, shape, TensorType(access.element, shape))
    return replace(access, value=em.add(op).result, exprs=(*access.exprs, AffineExpr.constant(0)))


def prepare(em: Emitter, nest: Nest, rows: int, columns: int) -> None:
    """Reshape, in front of the phase, what is read as a column."""
    for position, access in enumerate(nest.inputs):
        if isinstance(access, Access) and uses_dim(access.exprs, rows) and not uses_dim(access.exprs, columns):
            nest.inputs[position] = with_columns(em, access, rows)


def read_tile(em: Emitter, access: Access, point: Point, counts: tuple[Index, Index] | None) -> SSAValue:
    """The tile of a tensor at a point, `counts` rows and columns of it, as a vector or as one number."""
    assert point.lanes is not None
    (rows, columns), shape = point.lanes.dims, point.lanes.shape
    exprs = access.exprs
    if not uses_dim(exprs, rows):
        return _row(em, access, point, counts)
    place = is_plain(exprs, rows)
    assert place is not None
    wide = uses_dim(exprs, columns)
    extents = shape if wide else (shape[0], 1)
    mask = None if counts is None else create_mask(em, (counts[0], counts[1] if wide else 1), extents)
    indices = [em.apply(e, point.index, access.symbols) for e in exprs]
    source = access.value
    if place != len(exprs) - 2:
        source, indices = plane(em, source, indices, place), [indices[place], indices[-1]]
    value = transfer_read(em, source, indices, extents, mask)
    return value if wide else repeat(em, value, shape)


def _row(em: Emitter, access: Access, point: Point, counts: tuple[Index, Index] | None) -> SSAValue:
    """One row repeated, or one number."""
    assert point.lanes is not None
    columns, shape = point.lanes.dims[1], point.lanes.shape
    mask: SSAValue | None = None
    if counts is not None and uses_dim(access.exprs, columns):
        mask = create_mask(em, counts[1:], shape[1:])
    value = read(em, access, Point(point.index, Lanes((columns,), shape[1:], mask)))
    return repeat(em, value, shape) if uses_dim(access.exprs, columns) else value


def repeat(em: Emitter, value: SSAValue, shape: Sequence[int]) -> SSAValue:
    """A row or a column as a tile of equal ones."""
    kind = vector_of(value.type.element_type, shape)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]
    return em.add(upstream_vector.BroadcastOp(value, kind)).results[0]


__all__ = ["is_readable", "prepare", "read_tile", "repeat", "tile_epilogue"]
