"""The `attention-gradient` strategy as a choice: tiles as attention has them, and into how many parts queries are cut.

A task owns the keys of a batch and adds up what all queries leave to them, so batches that have keys of their own are tasks;
where these do not share out evenly, queries are cut into parts, which leave gradients of keys and values to be added up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from stepwell.dialects import kernel
from stepwell.dialects.structured_attention_gradient import AttentionGradientOp
from stepwell.ir.dtypes import byte_width
from stepwell.ir.machine import MachineDescription
from stepwell.passes.schedules.attention_choice import AttentionTiles, column_rows, dims_of, lane_tiles
from stepwell.passes.schedules.parameters import GRAIN

SHARE = 4
"""The part of the first cache that the weights and what is passed back of a block of keys may take: one in so many."""
ROWS = {64: 14, 32: 6, 16: 4}
"""Rows of a tile of two vectors that is added to, by bytes of a vector register."""


@dataclass(frozen=True)
class GradientTiles:
    """The numbers of a gradient's schedule."""

    tiles: AttentionTiles
    """Those it has in common with attention; `columns` are rows of a tile of gradients of queries."""
    parts: int
    """Runs of queries whose gradients of keys and values are made apart, and then added up."""


def find_gradient(func: kernel.FuncOp) -> AttentionGradientOp | None:
    """The gradient of attention of a kernel, if it has one."""
    return next((op for op in func.body.block.ops if isinstance(op, AttentionGradientOp)), None)


def choose_gradient(op: AttentionGradientOp, machine: MachineDescription) -> dict[str, int]:
    """The parameters for a machine with vectors."""
    tiles = _tiles(op, machine.vector_bytes or 16, machine.l1_bytes)
    own = prod(op.extents[d] for d in op.own)
    parts = 1
    if own % machine.cores and own < 4 * machine.cores:
        parts = _whole_parts(op, tiles, -(-2 * machine.cores // own))
    numbers = {
        "queries": tiles.queries,
        "keys": tiles.keys,
        "columns": tiles.columns,
        "key_block": tiles.block,
        "pack": int(tiles.pack),
        "parts": parts,
    }
    # Two vectors of multiply-adds a cycle, some cycles a nanosecond.
    nanoseconds = flops(op) / (8 * max(1, machine.vector_bytes // byte_width(op.score_type)))
    if machine.cores == 1 or nanoseconds < 2 * GRAIN:
        return {**numbers, "parts": 1, "parallel": 0}
    count = own * parts
    return {**numbers, "chunk": min(max(1, int(GRAIN * count / nanoseconds)), max(1, count // (2 * machine.cores)))}


def _tiles(op: AttentionGradientOp, vector_bytes: int, l1_bytes: int) -> AttentionTiles:
    chosen = lane_tiles(op, vector_bytes, l1_bytes)
    _, _, depth, _ = dims_of(op)
    wanted = l1_bytes // SHARE // (2 * chosen.queries * byte_width(op.score_type))
    block = max(1, wanted // chosen.keys) * chosen.keys
    columns = column_rows(op.extents[depth], ROWS.get(vector_bytes, 4))
    return AttentionTiles(chosen.queries, chosen.keys, columns, block, chosen.pack)


def _whole_parts(op: AttentionGradientOp, tiles: AttentionTiles, wanted: int) -> int:
    """How many parts there are of about equal numbers of blocks of queries, at most as many as wanted."""
    blocks = -(-op.extents[op.batch] // tiles.queries)
    return -(-blocks // -(-blocks // max(1, min(wanted, blocks))))


def gradient_tiles_of(op: AttentionGradientOp, numbers: Mapping[str, int], vector_bytes: int) -> GradientTiles:
    """The tiles a schedule means: what it says, rounded to what the extents allow, and what it leaves open chosen."""
    chosen = _tiles(op, vector_bytes or 16, 32 << 10)
    _, key, depth, _ = dims_of(op)
    lanes = max(1, (vector_bytes or 16) // byte_width(op.score_type))
    queries = -(-numbers.get("queries", chosen.queries) // lanes) * lanes
    keys = min(numbers.get("keys", chosen.keys), op.extents[key])
    block = max(1, numbers.get("key_block", chosen.block) // keys) * keys
    columns = min(numbers.get("columns", chosen.columns), op.extents[depth])
    tiles = AttentionTiles(queries, keys, columns, block, bool(numbers.get("pack", chosen.pack)))
    return GradientTiles(tiles, _whole_parts(op, tiles, numbers.get("parts", 1)))


def flops(op: AttentionGradientOp) -> int:
    """Additions and multiplications of its five products."""
    query, key, depth, column = (op.extents[d] for d in dims_of(op))
    return 2 * prod(op.extents[: op.batch]) * query * key * (3 * depth + 2 * column)


__all__ = ["GradientTiles", "choose_gradient", "find_gradient", "flops", "gradient_tiles_of"]
