"""Which generics can run row by row: the leading parallel dims they share, and whether rows are worth it."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.dialects.builtin import TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Operation
from xdsl.ir.affine import AffineDimExpr

from stepwell.ir.dtypes import byte_width
from stepwell.ir.machine import MachineDescription
from stepwell.ir.structured import indexing_maps, iterator_kinds, loop_bounds
from stepwell.passes.fusion.classify import is_parallel, on_static_tensors, shape_of, volume

MAX_ROW_BYTES = 256 * 1024
"""Results of one row at most, where one core does a row, if its cache does not hold more with what the row reads."""
MIN_ROWS = 8
SMALL = 64 * 1024
"""Fewer rows are accepted when all that is read and written is this small: there is nothing to share out."""

BLOCK_ROW = 1 << 15
"""Points that a block of subgroups does in about the time that starting another kernel takes."""
SUBGROUP_ROW = 1 << 11
"""The same for one subgroup."""


def shared_rows(
    ops: Sequence[linalg.GenericOp], machine: MachineDescription, parts: Sequence[Sequence[Operation]] = ()
) -> tuple[int, ...] | str:
    """Extents of the leading parallel dims that all ops share, or why they run in no common row.

    Every result starts with these dims, and every value between the ops is read with them unchanged. `parts` are the
    groups to be joined: a join must not leave much fewer rows than each part had, as far as that leaves the machine idle.
    """
    if not all(on_static_tensors(op) for op in ops):
        return "not all shapes are static"
    rank = min(len(shape_of(r)) for op in ops for r in op.results)
    sizes = next((s for count in range(rank, 0, -1) if (s := _rows(ops, count)) is not None), None)
    if sizes is None:
        return "no leading parallel dims in common"
    if 0 in sizes:
        return "no rows"
    groups = [[op for op in part if isinstance(op, linalg.GenericOp)] for part in parts]
    if machine.subgroup > 1:
        return _idle_subgroups(ops, prod(sizes), groups, machine) or sizes
    return _idle_cores(ops, prod(sizes), groups, machine) or sizes


def _idle_cores(
    ops: Sequence[linalg.GenericOp],
    rows: int,
    parts: Sequence[Sequence[linalg.GenericOp]],
    machine: MachineDescription,
) -> str | None:
    """Why cores that do a row each would wait for memory or for each other; None when they would not."""
    made = {r: volume(r) * _width(r) for op in ops for r in op.results}
    needed = sum(made.values()) // rows
    taken = {
        v: volume(v) * _width(v) for op in ops for v in op.inputs if v not in made and isinstance(v.type, TensorType)
    }
    # A core's second cache holds what a row reads and makes, and leaves room for what passes through it.
    if needed > MAX_ROW_BYTES and needed + sum(taken.values()) // rows > machine.l2_bytes * 7 // 8:
        return f"a row needs {needed} bytes"
    total = sum(made.values()) + sum(taken.values())
    if rows < MIN_ROWS and total > SMALL:
        return f"only {rows} rows"
    for alone in parts:
        most = prod(shape_of(alone[0].results[0])) if len(alone) == 1 else prod(_most_rows(alone) or ())
        if rows < 64 and most > 16 * rows and total > SMALL:
            return f"{rows} rows where one part has {most}"
    return None


def _idle_subgroups(
    ops: Sequence[linalg.GenericOp],
    rows: int,
    parts: Sequence[Sequence[linalg.GenericOp]],
    machine: MachineDescription,
) -> str | None:
    """Why rows would not fill a machine whose blocks can do a row together; None when they would."""
    length = max(prod(loop_bounds(op)) for op in ops) // rows
    if not fill_blocks(rows, length, machine):
        return f"{rows} rows of {length} points are too few for {machine.cores} cores"
    for alone in parts:
        # What is reduced to shorter rows is no segment of a longer one: one subgroup would have to do it all.
        most = prod(_most_rows(alone) or ()) if any(not is_parallel(op) for op in alone) else rows
        if most > rows and length > SUBGROUP_ROW:
            return f"{rows} rows where one part has {most}"
    return None


def fill_blocks(rows: int, length: int, machine: MachineDescription) -> bool:
    """Whether a block for each row is about as fast as the whole machine on all of them, or as starting a kernel."""
    return _keep_busy(rows, length, machine.cores, BLOCK_ROW)


def fill_subgroups(rows: int, length: int, machine: MachineDescription, subgroups: int) -> bool:
    """The same of a subgroup for each row, with `subgroups` on each core."""
    return _keep_busy(rows, length, machine.cores * subgroups, SUBGROUP_ROW)


def _keep_busy(rows: int, length: int, units: int, little: int) -> bool:
    """Whether units that do a row each take at most twice as long as if they shared the points, and `little` more."""
    rounds = -(-rows // units)
    return rounds * length <= little + 2 * rows * length // units


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
