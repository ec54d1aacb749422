"""The `attention` strategy as a choice: which kernels it is for, and the tiles a machine is given.

Queries are the lanes of a tile, keys (then columns) its rows. A score tile has as many accumulators as leave registers for
a row of queries and a broadcast; keys come in blocks whose scores stay in the first cache, about equal in size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from xdsl.dialects.builtin import IntegerType
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import kernel
from stepwell.dialects.structured_attention import INNER, AttentionOp
from stepwell.ir.dtypes import byte_width
from stepwell.ir.machine import MachineDescription
from stepwell.passes.schedules.nest import Access, coefficient, is_contiguous, step_in_memory, uses_dim
from stepwell.passes.schedules.parameters import GRAIN

MOST_PACKED = 8 << 20
"""Bytes that a task copies at most."""
ROWS = {64: 14, 32: 6, 16: 4}
"""Rows of a tile of two vectors, by bytes of a vector register."""


@dataclass(frozen=True)
class AttentionTiles:
    """The numbers of an attention's schedule."""

    queries: int
    """Queries done together: the lanes of a tile."""
    keys: int
    """Keys of a tile of scores."""
    columns: int
    """Columns of a tile of results."""
    block: int
    """Keys between two corrections of the results: whole tiles of scores."""
    pack: bool = False
    """Whether a task copies its keys and values first, dense and in the type of scores."""


def find_attention(func: kernel.FuncOp) -> AttentionOp | None:
    """The attention of a kernel, if it has one."""
    return next((op for op in func.body.block.ops if isinstance(op, AttentionOp)), None)


def dims_of(op: AttentionOp) -> tuple[int, int, int, int]:
    """The numbers of the query, key, depth and column dims."""
    query, key, depth, column = range(op.batch, op.batch + INNER)
    return query, key, depth, column


def index_of(exprs: tuple[AffineExpr, ...], dim: int) -> int | None:
    """Which index of a tensor moves by one with a dim, where no other one moves."""
    using = [i for i, e in enumerate(exprs) if uses_dim([e], dim)]
    return using[0] if len(using) == 1 and coefficient(exprs[using[0]], dim) == 1 else None


def obstacle(op: AttentionOp) -> str | None:
    """Why the strategy is not for an attention."""
    query, key, depth, column = dims_of(op)
    if 0 in op.extents:
        return "it is empty"
    for name, number, dims in (("query", 0, (depth,)), ("key", 1, (key, depth)), ("value", 2, (key, column))):
        exprs = op.maps[number].results
        places = [index_of(exprs, d) for d in dims]
        if None in places or len(set(places)) < len(places):
            return f"its {name} is not read along its rows"
    for extra, amap in zip(op.extras, op.maps[3:-1], strict=True):
        kind = extra.type.get_element_type()  # pyright: ignore[reportAttributeAccessIssue]
        exprs = amap.results
        lines = [d for d in (query, key) if uses_dim(exprs, d)]
        apart = not any(is_contiguous(exprs, d) for d in lines)
        if kind == IntegerType(1) and query in lines and apart:
            return "a mask's elements are apart in memory"
    return None


def choose_attention(op: AttentionOp, machine: MachineDescription, tasks: int) -> dict[str, int]:
    """The parameters for an attention on a machine with vectors, where `tasks` are wanted."""
    tiles = _tiles(op, machine.vector_bytes or 16, machine.l1_bytes)
    numbers = {
        "queries": tiles.queries,
        "keys": tiles.keys,
        "columns": tiles.columns,
        "key_block": tiles.block,
        "pack": int(tiles.pack),
    }
    # Two vectors of multiply-adds a cycle, some cycles a nanosecond.
    nanoseconds = flops(op) / (8 * max(1, machine.vector_bytes // byte_width(op.score_type)))
    if machine.cores == 1 or nanoseconds < 2 * GRAIN:
        return {**numbers, "parallel": 0}
    count = prod(op.extents[: op.batch]) * parts_of(op, tiles, tasks)
    return {**numbers, "chunk": min(max(1, int(GRAIN * count / nanoseconds)), -(-count // (2 * machine.cores)))}


def parts_of(op: AttentionOp, tiles: AttentionTiles, tasks: int) -> int:
    """Into how many tasks the queries of a batch are cut, where `tasks` are wanted: whole blocks each."""
    blocks = -(-op.extents[op.batch] // tiles.queries)
    wanted = min(blocks, max(1, -(-tasks // prod(op.extents[: op.batch]))))
    return -(-blocks // -(-blocks // wanted))


def tiles_of(op: AttentionOp, numbers: Mapping[str, int], vector_bytes: int) -> AttentionTiles:
    """The tiles a schedule means: what it says, rounded to what the extents allow, and what it leaves open chosen."""
    chosen = _tiles(op, vector_bytes or 16, 32 << 10)
    query, key, _, column = dims_of(op)
    del query
    lanes = max(1, (vector_bytes or 16) // byte_width(op.score_type))
    queries = -(-numbers.get("queries", chosen.queries) // lanes) * lanes
    keys = min(numbers.get("keys", chosen.keys), op.extents[key])
    block = _block(op.extents[key], keys, numbers.get("key_block", chosen.block))
    columns = min(numbers.get("columns", chosen.columns), op.extents[column])
    return AttentionTiles(queries, keys, columns, block, bool(numbers.get("pack", chosen.pack)))


def _tiles(op: AttentionOp, vector_bytes: int, l1_bytes: int) -> AttentionTiles:
    query, key, depth, column = (op.extents[d] for d in dims_of(op))
    lanes, most = max(1, vector_bytes // byte_width(op.score_type)), ROWS.get(vector_bytes, 4)
    single, double = (-(-query // (v * lanes)) * v * lanes for v in (1, 2))
    queries = lanes if single * 1.15 < double else 2 * lanes
    keys = -(-key // -(-key // most))
    if keys % 2 and keys < most and keys < key:
        keys += 1
    # A part of the cache for the scores and the queries: what they are multiplied with passes through the rest.
    wanted = max(2 * keys, l1_bytes * 5 // 8 // (queries * byte_width(op.score_type)) - depth)
    return AttentionTiles(queries, keys, _column_rows(column, most), _block(key, keys, wanted), _packs(op))


def _packs(op: AttentionOp) -> bool:
    """Whether keys or values are of another type than scores, or their lines far apart: few sets of a cache, many pages."""
    _, key, depth, column = dims_of(op)
    width = byte_width(op.score_type)
    if op.extents[key] * (op.extents[depth] + op.extents[column]) * width > MOST_PACKED:
        return False
    for number, other in ((1, depth), (2, column)):
        access = Access(op.operands[number], op.maps[number].results)
        inner, outer = sorted((other, key), key=lambda d: abs(step_in_memory(access, d) or 0))
        apart = abs(step_in_memory(access, outer) or 0) > 2 * op.extents[inner]
        if access.element != op.score_type or apart:
            return True
    return False


def _column_rows(columns: int, most: int) -> int:
    """Rows of a tile of results: a divisor where there is one that fills enough registers."""
    divisors = [n for n in range(most, most * 3 // 4, -1) if columns % n == 0]
    return divisors[0] if divisors else -(-columns // -(-columns // most))


def _block(total: int, tile: int, wanted: int) -> int:
    """Keys of a block: whole tiles, about `wanted`, blocks of about equal size and the last one at least a tile."""
    blocks = max(1, -(-total // max(tile, wanted)))
    while True:
        size = -(-total // (blocks * tile)) * tile
        if total - (-(-total // size) - 1) * size >= min(tile, total) or blocks == 1:
            return size
        blocks -= 1


def flops(op: AttentionOp) -> int:
    """Additions and multiplications of its two products."""
    query, key, depth, column = (op.extents[d] for d in dims_of(op))
    return 2 * prod(op.extents[: op.batch]) * query * key * (depth + column)


__all__ = [
    "AttentionTiles",
    "choose_attention",
    "dims_of",
    "find_attention",
    "flops",
    "index_of",
    "obstacle",
    "parts_of",
    "tiles_of",
]
