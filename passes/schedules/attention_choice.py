"""The `attention` strategy as a choice: which kernels it is for, and the tiles a machine is given.

Queries are the lanes of a tile, keys (then columns) its rows. A score tile has as many accumulators as leave registers for
a row of queries and a broadcast; keys come in blocks whose scores stay in the first cache, about equal in size. Queries that
would fill few lanes, those of batches that share their keys counted together, are rows instead: lanes are then depths, keys
and columns in turn, and tasks are runs of keys where there are few batches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Attribute
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import kernel
from stepwell.dialects.structured_attention import INNER, AttentionOp
from stepwell.dialects.structured_attention_gradient import AttentionGradientOp
from stepwell.ir.dtypes import byte_width
from stepwell.ir.machine import MachineDescription
from stepwell.passes.schedules.nest import Access, coefficient, is_contiguous, step_in_memory, uses_dim
from stepwell.passes.schedules.parameters import GRAIN

AnyAttention = AttentionOp | AttentionGradientOp
"""What has queries, keys and values."""
MOST_PACKED = 8 << 20
"""Bytes that a task copies at most."""
ROWS = {64: 14, 32: 6, 16: 4}
"""Rows of a tile of results of two vectors, by bytes of a vector register."""
KEYS = {64: 12, 32: 6, 16: 4}
"""The same of a tile of scores, where more is alive: one accumulator too many goes through memory at every step."""
SUMS = {64: 16, 32: 8, 16: 8}
"""Vectors of sums at once for few queries, by bytes of a vector register."""
MOST_KEYS = 256
"""Keys between two corrections, for few queries."""
ACROSS = 3
"""Cycles to add up the lanes of a sum, where it is done for as many as there are lanes."""
ROW = 150
"""Cycles that a row takes beside its products, each time that its results are corrected."""
ONE_VECTOR = 0.9
"""What a product of one vector and a number takes, of two."""
BYTES_A_NANOSECOND = 8
"""What a core reads of memory."""


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
    few: bool = False
    """Whether queries are rows: then `queries` are done together, `keys` are lines read together, `columns` lanes of a tile."""


def find_attention(func: kernel.FuncOp) -> AttentionOp | None:
    """The attention of a kernel, if it has one."""
    return next((op for op in func.body.block.ops if isinstance(op, AttentionOp)), None)


def dims_of(op: AnyAttention) -> tuple[int, int, int, int]:
    """The numbers of the query, key, depth and column dims."""
    query, key, depth, column = range(op.batch, op.batch + INNER)
    return query, key, depth, column


def index_of(exprs: tuple[AffineExpr, ...], dim: int) -> int | None:
    """Which index of a tensor moves by one with a dim, where no other one moves."""
    using = [i for i, e in enumerate(exprs) if uses_dim([e], dim)]
    return using[0] if len(using) == 1 and coefficient(exprs[using[0]], dim) == 1 else None


def obstacle(op: AnyAttention) -> str | None:
    """Why the strategy is not for an attention, or the gradient of one."""
    query, key, depth, column = dims_of(op)
    if 0 in op.extents:
        return "it is empty"
    lines = [("query", 0, (depth,)), ("key", 1, (key, depth)), ("value", 2, (key, column))]
    if isinstance(op, AttentionGradientOp):
        lines.append(("gradient", 3, (column,)))
    for name, number, dims in lines:
        exprs = op.maps[number].results
        places = [index_of(exprs, d) for d in dims]
        if None in places or len(set(places)) < len(places):
            return f"its {name} is not read along its rows"
    for extra, amap in zip(op.extras, op.extra_maps, strict=True):
        kind = extra.type.get_element_type()  # pyright: ignore[reportAttributeAccessIssue]
        exprs = amap.results
        along = [d for d in (query, key) if uses_dim(exprs, d)]
        if kind == IntegerType(1) and query in along and not any(is_contiguous(exprs, d) for d in along):
            return "a mask's elements are apart in memory"
    return None


def row_dims_of(op: AnyAttention) -> list[int]:
    """The dims that only queries and results have: batches that share keys and values, then the queries."""
    shared = [d for d in range(op.batch) if not any(uses_dim(op.maps[i].results, d) for i in (1, 2))]
    return [*shared, op.batch]


def few_obstacle(op: AttentionOp, lanes: int) -> str | None:
    """Why queries cannot be rows."""
    _, key, depth, column = dims_of(op)
    for name, number, along, across in (("keys", 1, depth, key), ("values", 2, key, column)):
        exprs = op.maps[number].results
        if is_contiguous(exprs, across):
            continue
        if not is_contiguous(exprs, along):
            return f"its {name} are apart in memory"
        if op.extents[across] < lanes:
            return f"its {name} are fewer than the lanes of a vector"
    for extra, amap in zip(op.extras, op.extra_maps, strict=True):
        kind = extra.type.get_element_type()  # pyright: ignore[reportAttributeAccessIssue]
        if kind == IntegerType(1) and uses_dim(amap.results, key) and not is_contiguous(amap.results, key):
            return "a mask's elements are apart in memory"
    return None


def _prefers_rows(op: AttentionOp, machine: MachineDescription) -> bool:
    """Whether queries as rows are estimated to take less time than queries as lanes."""
    lanes = max(1, (machine.vector_bytes or 16) // byte_width(op.score_type))
    if few_obstacle(op, lanes) is not None:
        return False
    query, key, depth, column = (op.extents[d] for d in dims_of(op))
    tiles = lane_tiles(op, machine.vector_bytes or 16, machine.l1_bytes)
    batches = prod(op.extents[: op.batch])
    blocks = -(-query // tiles.queries)
    seen = key if op.causal is None else min(key, max(1, query + op.causal.value.data))
    # Cycles a key. Two vectors of multiply-adds go with a broadcast, and one takes about as long.
    vertical = ONE_VECTOR if tiles.queries == lanes else 1.0
    by_lanes = batches * blocks * vertical * (depth + column) * seen / key / min(machine.cores, batches * blocks)
    across = ACROSS + ROW / min(key, MOST_KEYS)
    by_rows = batches * query * ((depth + column) / (2 * lanes) + across) / machine.cores
    return by_rows < by_lanes


def choose_attention(op: AttentionOp, machine: MachineDescription, tasks: int) -> dict[str, int]:
    """The parameters for an attention on a machine with vectors, where `tasks` are wanted."""
    if _prefers_rows(op, machine):
        return _choose_few(op, machine, tasks)
    tiles = lane_tiles(op, machine.vector_bytes or 16, machine.l1_bytes)
    # Two vectors of multiply-adds a cycle, some cycles a nanosecond.
    nanoseconds = flops(op) / (8 * max(1, machine.vector_bytes // byte_width(op.score_type)))
    if machine.cores == 1 or nanoseconds < 2 * GRAIN:
        return {**_numbers(tiles), "parallel": 0}
    count = prod(op.extents[: op.batch]) * parts_of(op, tiles, tasks)
    return {**_numbers(tiles), "chunk": min(max(1, int(GRAIN * count / nanoseconds)), -(-count // (2 * machine.cores)))}


def _numbers(tiles: AttentionTiles) -> dict[str, int]:
    return {
        "queries": tiles.queries,
        "keys": tiles.keys,
        "columns": tiles.columns,
        "key_block": tiles.block,
        "few" if tiles.few else "pack": int(tiles.few or tiles.pack),
    }


def _choose_few(op: AttentionOp, machine: MachineDescription, tasks: int) -> dict[str, int]:
    """The parameters for few queries: tasks are worth their while by the bytes they read, or by their work."""
    _, key, depth, column = dims_of(op)
    own = _own_batches(op)
    lanes = max(1, (machine.vector_bytes or 16) // byte_width(op.score_type))
    terms = op.extents[depth] + op.extents[column]
    bytes_read = own * op.extents[key] * terms * byte_width(_element(op))
    work = prod(op.extents[: op.batch + 2]) * (terms / (2 * lanes) + ACROSS) / 2.5
    nanoseconds = max(work, bytes_read / BYTES_A_NANOSECOND)
    if machine.cores == 1 or nanoseconds < 2 * GRAIN:
        return {**_numbers(_few_tiles(op, machine.vector_bytes or 16, 1)), "tasks": 1, "parallel": 0}
    tasks = min(tasks, max(machine.cores, int(nanoseconds / GRAIN)))
    tiles = _few_tiles(op, machine.vector_bytes or 16, tasks)
    count = own * key_parts(op, tiles, tasks)[0]
    chunk = min(max(1, int(GRAIN * count / nanoseconds)), -(-count // (2 * machine.cores)))
    return {**_numbers(tiles), "tasks": tasks, "chunk": chunk}


def _element(op: AttentionOp) -> Attribute:
    return op.operands[1].type.get_element_type()  # pyright: ignore[reportAttributeAccessIssue]


def _own_batches(op: AnyAttention) -> int:
    """Batches that have keys of their own."""
    rows = row_dims_of(op)
    return prod(op.extents[d] for d in range(op.batch) if d not in rows)


def key_parts(op: AnyAttention, tiles: AttentionTiles, tasks: int) -> tuple[int, int]:
    """Into how many parts the keys of a batch are cut, where `tasks` are wanted, and the keys of a part: whole blocks."""
    blocks = -(-op.extents[op.batch + 1] // tiles.block)
    wanted = min(blocks, max(1, -(-tasks // _own_batches(op))))
    each = -(-blocks // wanted)
    return -(-blocks // each), each * tiles.block


def _few_tiles(op: AttentionOp, vector_bytes: int, tasks: int) -> AttentionTiles:
    """Tiles for queries that are rows."""
    _, key, _, column = dims_of(op)
    lanes, sums = max(1, vector_bytes // byte_width(op.score_type)), SUMS.get(vector_bytes, 8)
    rows = prod(op.extents[d] for d in row_dims_of(op))
    together = next(n for n in (4, 3, 2, 1) if rows % n == 0 or (rows > 4 and n == 4))
    high = _power_below(min(lanes, sums // together))
    wide = lanes * min(-(-op.extents[column] // lanes), sums // 2, sums // together)
    parts = max(1, -(-tasks // _own_batches(op)))
    block = _block(op.extents[key], lanes, max(2 * lanes, min(MOST_KEYS, -(-op.extents[key] // parts))))
    return AttentionTiles(together, high, wide, block, few=True)


def _power_below(number: int) -> int:
    """The largest power of two that is no larger."""
    return 1 << (max(1, number).bit_length() - 1)


def parts_of(op: AnyAttention, tiles: AttentionTiles, tasks: int) -> int:
    """Into how many tasks the queries of a batch are cut, where `tasks` are wanted: whole blocks each."""
    blocks = -(-op.extents[op.batch] // tiles.queries)
    wanted = min(blocks, max(1, -(-tasks // prod(op.extents[: op.batch]))))
    return -(-blocks // -(-blocks // wanted))


def tiles_of(op: AttentionOp, numbers: Mapping[str, int], vector_bytes: int) -> AttentionTiles:
    """The tiles a schedule means: what it says, rounded to what the extents allow, and what it leaves open chosen."""
    if numbers.get("few", 0):
        return _few_tiles_of(op, numbers, vector_bytes or 16)
    chosen = lane_tiles(op, vector_bytes or 16, 32 << 10)
    query, key, _, column = dims_of(op)
    del query
    lanes = max(1, (vector_bytes or 16) // byte_width(op.score_type))
    queries = -(-numbers.get("queries", chosen.queries) // lanes) * lanes
    keys = min(numbers.get("keys", chosen.keys), op.extents[key])
    block = _block(op.extents[key], keys, numbers.get("key_block", chosen.block))
    columns = min(numbers.get("columns", chosen.columns), op.extents[column])
    return AttentionTiles(queries, keys, columns, block, bool(numbers.get("pack", chosen.pack)))


def _few_tiles_of(op: AttentionOp, numbers: Mapping[str, int], vector_bytes: int) -> AttentionTiles:
    chosen = _few_tiles(op, vector_bytes, numbers.get("tasks", 1))
    lanes = max(1, vector_bytes // byte_width(op.score_type))
    rows = min(numbers.get("queries", chosen.queries), prod(op.extents[d] for d in row_dims_of(op)))
    high = _power_below(min(lanes, numbers.get("keys", chosen.keys)))
    wide = -(-numbers.get("columns", chosen.columns) // lanes) * lanes
    block = _block(op.extents[op.batch + 1], lanes, numbers.get("key_block", chosen.block))
    return AttentionTiles(rows, high, wide, block, few=True)


def lane_tiles(op: AnyAttention, vector_bytes: int, l1_bytes: int) -> AttentionTiles:
    """The tiles for queries that are lanes, by the extents and the machine."""
    query, key, depth, column = (op.extents[d] for d in dims_of(op))
    lanes, most = max(1, vector_bytes // byte_width(op.score_type)), ROWS.get(vector_bytes, 4)
    single, double = (-(-query // (v * lanes)) * v * lanes for v in (1, 2))
    queries = lanes if single * 1.15 < double else 2 * lanes
    most_keys = KEYS.get(vector_bytes, 4)
    keys = -(-key // -(-key // most_keys))
    if keys % 2 and keys < most_keys and keys < key:
        keys += 1
    # A part of the cache for the scores and the queries: what they are multiplied with passes through the rest.
    wanted = max(2 * keys, l1_bytes * 5 // 8 // (queries * byte_width(op.score_type)) - depth)
    return AttentionTiles(queries, keys, column_rows(column, most), _block(key, keys, wanted), _packs(op))


def _packs(op: AnyAttention) -> bool:
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


def column_rows(columns: int, most: int) -> int:
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
    "AnyAttention",
    "AttentionTiles",
    "choose_attention",
    "column_rows",
    "dims_of",
    "few_obstacle",
    "find_attention",
    "flops",
    "index_of",
    "key_parts",
    "lane_tiles",
    "obstacle",
    "parts_of",
    "row_dims_of",
    "tiles_of",
]
