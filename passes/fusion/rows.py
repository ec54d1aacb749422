"""Which generics can run row by row: the leading parallel dims they share, and whether rows are worth it."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.dialects.builtin import TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Operation
from xdsl.ir.affine import AffineDimExpr

from stepwell.ir.dtypes import byte_width
from stepwell.ir.structured import indexing_maps, iterator_kinds, loop_bounds
from stepwell.passes.fusion.classify import on_static_tensors, shape_of, volume

MAX_ROW_BYTES = 256 * 1024
"""Results of one row at most: they stay in a core's cache."""
MIN_ROWS = 8
SMALL = 64 * 1024
"""Fewer rows are accepted when all results together are this small: there is nothing to share out."""


def shared_rows(ops: Sequence[linalg.GenericOp], parts: Sequence[Sequence[Operation]] = ()) -> tuple[int, ...] | str:
    """Extents of the leading parallel dims that all ops share, or why they run in no common row.

    Every result starts with these dims, and every value between the ops is read with them unchanged. `parts` are the
    groups to be joined: a join must not leave much fewer rows than each part had.
    """
    if not all(on_static_tensors(op) for op in ops):
        return "not all shapes are static"
    rank = min(len(shape_of(r)) for op in ops for r in op.results)
    sizes = next((s for count in range(rank, 0, -1) if (s := _rows(ops, count)) is not None), None)
    if sizes is None:
        return "no leading parallel dims in common"
    if 0 in sizes:
        return "no rows"
    rows = prod(sizes)
    total = sum(volume(r) * _width(r) for op in ops for r in op.results)
    if total // rows > MAX_ROW_BYTES:
        return f"a row needs {total // rows} bytes"
    if rows < MIN_ROWS and total > SMALL:
        return f"only {rows} rows"
    for part in parts:
        alone = [op for op in part if isinstance(op, linalg.GenericOp)]
        most = prod(shape_of(alone[0].results[0])) if len(alone) == 1 else prod(_most_rows(alone) or ())
        if rows < 64 and most > 16 * rows and total > SMALL:
            return f"{rows} rows where one part has {most}"
    return sizes


def _most_rows(ops: Sequence[linalg.GenericOp]) -> tuple[int, ...] | None:
    rank = min(len(shape_of(r)) for op in ops for r in op.results)
    return next((s for count in range(rank, 0, -1) if (s := _rows(ops, count)) is not None), None)


def _width(value: object) -> int:
    kind = value.type  # pyright: ignore
    assert isinstance(kind, TensorType)
    return byte_width(kind.element_type)


def _rows(ops: Sequence[linalg.GenericOp], count: int) -> tuple[int, ...] | None:
    """Extents of `count` common row dims, or None."""
    seen: dict[Operation, None] = {}
    sizes: tuple[int, ...] | None = None
    for op in ops:
        maps = indexing_maps(op)
        leading = maps[len(op.inputs)].results[:count]
        if any(m.results[:count] != leading for m in maps[len(op.inputs) :]):
            return None
        dims = [e.position for e in leading if isinstance(e, AffineDimExpr)]
        kinds = iterator_kinds(op)
        if len(dims) != count or any(kinds[d] != "parallel" for d in dims):
            return None
        bounds = loop_bounds(op)
        extents = tuple(bounds[d] for d in dims)
        if sizes is not None and extents != sizes:
            return None
        sizes = extents
        seen[op] = None
        for operand, amap in zip(op.operands, maps, strict=True):
            if operand.owner in seen and amap.results[:count] != leading:
                return None
    return sizes
