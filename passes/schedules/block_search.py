"""Choosing the tile of a contraction by blocks: candidates, and an estimate of the time each takes.

The estimate counts cycles of a core. A core does a block's steps one after the other: its products, slowed down by what feeds
them, and what a step waits for, which blocks that are on the core together share. All that is read has to come from memory
once; parts of sums are written, read again and added up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod

from xdsl.dialects import math

from stepwell.ir.dtypes import byte_width
from stepwell.ir.machine import MachineDescription
from stepwell.passes.schedules.block_tiles import (
    COPIES_AHEAD,
    COPY_BYTES,
    MATRIX,
    REGISTER,
    SHARED,
    BlockTile,
    blocks_of,
    check_tile,
    factor_type,
    has_matrix_unit,
    k_parts,
    lane_bytes,
    refusal,
    scratch_bytes,
    shared_room,
    suits_matrix_unit,
    trips,
    worth,
)
from stepwell.passes.schedules.contraction_analysis import Contraction, epilogue_of

_MATRIX_GRIDS = (
    (64, 64, 2, 2), (64, 32, 2, 2), (64, 32, 1, 4), (32, 32, 2, 2), (32, 16, 1, 4), (16, 32, 1, 4), (16, 16, 2, 2),
)  # fmt: skip
"""Rows and columns of a subgroup's part, parts of a block down and across."""
_LANE_GRIDS = ((8, 8, 4, 2), (8, 8, 4, 1), (8, 8, 2, 2), (8, 4, 2, 2), (4, 4, 2, 2))
"""The same with rows and columns of a lane."""
_LANE_SUMS = 256
"""Bytes of sums a lane can hold beside what it multiplies; half of them where functions follow, which need as much again."""
_FUNCTIONS = (
    math.ExpOp,
    math.Exp2Op,
    math.ExpM1Op,
    math.LogOp,
    math.Log1pOp,
    math.TanhOp,
    math.ErfOp,
    math.PowFOp,
    math.SinOp,
    math.CosOp,
)
"""Functions that take many simple ops."""
_STAGES = 4
"""Steps of operands in scratch: as many as hide what memory takes to answer."""
_MATRIX_DEPTHS, _LANE_DEPTH = (32, 64), 16
"""Terms of a step: few, so that several blocks find room on a core; more, where there are not several."""
_MOST_PARTS = 64
"""Parts that sums are cut into, at most: the last to add them up reads all."""

# What a core does, in its cycles.

_MATRIX_RATE = 2048
"""Products of a matrix unit in a cycle."""
_LANE_RATE = 4
"""Subgroups that multiply in a cycle."""
_FEED = 128
"""Bytes that come to a core's scratch in a cycle."""
_MEMORY = 16
"""Bytes that memory has for each core in a cycle."""
_STEP, _MATRIX_STEP = 400, 150
"""What a step waits for: the subgroups for each other, and products for what they read of scratch."""
_COPY = 10
"""Instructions that copy less than a lane could; twice as many where some of a tile may be beyond an edge."""
_ALONE = 4
"""Bytes below which a lane copies nothing beside products."""
_WAIT = 800
"""Until memory has answered those."""
_BLOCK = 1500
"""What a block takes before its first step and after its last."""
_LAUNCH = 7000
"""Until a phase does its work that follows another: one that adds parts up, then one for what is done with the sums."""
_REGISTERS = 1 << 16
"""Words that a core has for the sums of its lanes, and all else they hold."""
_OTHER_WORDS = 48
"""What a lane holds beside sums and factors."""


def choose_tile(found: Contraction, machine: MachineDescription) -> tuple[BlockTile, str] | str:
    """The tile with the least estimated time, with the reason; or why there should be none."""
    problem = refusal(found) or worth(found)
    if problem is not None:
        return problem
    best: tuple[float, BlockTile] | None = None
    for tile in _candidates(found, machine):
        if check_tile(found, tile, machine) is not None:
            continue
        for parted in _varied(found, tile, machine):
            time = estimate(found, parted, machine)
            # Large tiles come first, and the estimate is no better than this.
            if best is None or time < 0.97 * best[0]:
                best = time, parted
    if best is None:
        return "no tile fits the machine"
    tile = best[1]
    what = {MATRIX: "a matrix unit", REGISTER: "lanes with sums in registers", SHARED: "lanes along rows"}[tile.form]
    parts, _ = k_parts(found, tile)
    tiles = f"{blocks_of(found, tile) // parts} tiles of {tile.bm}x{tile.bn}"
    if parts > 1:
        return tile, f"sum of products by {what}: {tiles}, in {parts} parts that are added up then"
    return tile, f"sum of products by {what}: {tiles}, epilogue on the tile"


# Candidates.


def _candidates(found: Contraction, machine: MachineDescription) -> Iterator[BlockTile]:
    if suits_matrix_unit(found) and has_matrix_unit(found, machine):
        for wm, wn, down, across in _MATRIX_GRIDS:
            for depth in _MATRIX_DEPTHS:
                tile = BlockTile(MATRIX, wm * down, wn * across, depth, wm, wn, 8, 4, _STAGES, 8)
                yield _staged_well(found, tile, machine)
        return
    lanes, size = machine.subgroup, byte_width(found.accumulator)
    rows = 1 << (lanes.bit_length() - 1) // 2
    columns = lanes // rows
    most = _LANE_SUMS // 2 if _functions_follow(found) else _LANE_SUMS
    for tall, broad, down, across in _LANE_GRIDS:
        if tall * broad * size > most:
            continue
        wm, wn, pad = tall * rows, broad * columns, COPY_BYTES // size
        tile = BlockTile(REGISTER, wm * down, wn * across, _LANE_DEPTH, wm, wn, rows, columns, _STAGES, 0, pad)
        yield _staged_well(found, tile, machine)
    yield _staged_well(found, BlockTile(SHARED, 32, lanes, 32, 8, lanes, 1, lanes), machine)


def _functions_follow(found: Contraction) -> bool:
    """Whether more than a few simple ops are done on the sums."""
    ops = [inner for op in epilogue_of(found) for inner in op.body.block.ops]
    return any(isinstance(op, _FUNCTIONS) for op in ops)


def _staged_well(found: Contraction, tile: BlockTile, machine: MachineDescription) -> BlockTile:
    """The tile with a step along k no longer than needed, and as many stages as there are steps and there is room for.

    One where copies are not asynchronous: nothing would be gained by making them early. A step is straight code: what is next
    is read while products go on.
    """
    depth = found.sizes[found.reduced[-1]]
    bk = tile.bk
    while bk // 2 >= max(depth, tile.depth):
        bk //= 2
    tile = replace(tile, bk=bk, k_unroll=bk // tile.depth if tile.form != SHARED else min(tile.k_unroll, bk))
    stages = min(tile.stages, trips(found, tile)) if COPIES_AHEAD in machine.features else 1
    while stages > 1 and scratch_bytes(found, replace(tile, stages=stages)) > shared_room(machine):
        stages -= 1
    return replace(tile, stages=stages)


def _parted(found: Contraction, tile: BlockTile, machine: MachineDescription) -> Iterator[BlockTile]:
    """The tile, and the same with sums in parts where its blocks are too few for the cores."""
    yield tile
    steps, parts = trips(found, tile), 2
    while parts <= _MOST_PARTS and parts * tile.stages <= steps:
        if (parts // 2) * blocks_of(found, tile) >= _resident(found, tile, machine) * machine.cores:
            return
        yield replace(tile, k_split=parts)
        parts *= 2


def _varied(found: Contraction, tile: BlockTile, machine: MachineDescription) -> Iterator[BlockTile]:
    """The tile, with sums in parts or not, with factors copied to better rows first or not."""
    whole = replace(tile, pack_a=1, pack_b=1)
    gain = [lane_bytes(found, tile, which) < lane_bytes(found, whole, which) for which in (0, 1)]
    for parted in _parted(found, tile, machine):
        yield parted
        if any(gain):
            yield replace(parted, pack_a=int(gain[0]), pack_b=int(gain[1]))


# The estimate.


def estimate(found: Contraction, tile: BlockTile, machine: MachineDescription) -> float:
    """Cycles from the first block's start to the last one's end."""
    cores = max(1, machine.cores)
    blocks = blocks_of(found, tile)
    rounds = -(-blocks // cores)
    parts, steps = k_parts(found, tile)
    together = min(rounds, _resident(found, tile, machine))
    waits = (_MATRIX_STEP if tile.form == MATRIX else _STEP) / together
    step = _products(tile, machine) * _fed(found, tile) + _copying(found, tile, machine) + waits
    time = max(rounds * (steps * step + _BLOCK / together), _moved(found) / (cores * _MEMORY))
    for which, packed in enumerate((tile.pack_a, tile.pack_b)):
        if packed:
            time += _LAUNCH + 2 * _factor_bytes(found, which) / (cores * _MEMORY)
    if parts == 1:
        return time
    sums = prod(found.sizes[d] for d in (*found.outer, *((found.m,) if found.m is not None else ()), found.n))
    launches = 1 + bool(epilogue_of(found))
    return time + launches * _LAUNCH + 2 * parts * sums * byte_width(found.accumulator) / (cores * _MEMORY)


def _products(tile: BlockTile, machine: MachineDescription) -> float:
    """Cycles of a step's products, were nothing in their way."""
    rate = _MATRIX_RATE if tile.form == MATRIX else _LANE_RATE * machine.subgroup
    return tile.bm * tile.bn * tile.bk / rate


def _fed(found: Contraction, tile: BlockTile) -> float:
    """How much longer products take for what brings factors to scratch, and from there to where they are multiplied."""
    sizes = [byte_width(factor_type(found, which)) for which in (0, 1)]
    rate = _MATRIX_RATE if tile.form == MATRIX else _LANE_RATE * tile.lanes_m * tile.lanes_n
    copied = rate / _FEED * (sizes[0] / tile.bn + sizes[1] / tile.bm)
    if tile.form == MATRIX:
        products, loads = (tile.wm // 16) * (tile.wn // 8), tile.wm / 16 + tile.wn / 16
    else:
        tall, broad = tile.wm // tile.lanes_m, tile.wn // tile.lanes_n
        # Columns of A are read four rows at a time where they are contiguous.
        products, loads = tall * broad, (-(-tall // 4) if tile.form == REGISTER else tall) + -(-broad // 4)
    return (1 + copied) * (1 + 2 * loads / products)


def _copying(found: Contraction, tile: BlockTile, machine: MachineDescription) -> float:
    """Cycles that copies of a step take from products, beyond those of whole lanes: each finds its place, and may be beyond an edge.

    Those that cannot go on beside products are waited for.
    """
    cycles = 0.0
    m = 1 if found.m is None else found.sizes[found.m]
    partial = any(
        size % step
        for size, step in ((m, tile.bm), (found.sizes[found.n], tile.bn), (found.sizes[found.reduced[-1]], tile.bk))
    )
    for which, extent in enumerate((tile.bm, tile.bn)):
        each = lane_bytes(found, tile, which)
        if each < COPY_BYTES:
            size = byte_width(factor_type(found, which))
            copies = extent * tile.bk * size / each
            cycles += copies * (2 if partial else 1) * _COPY / (_LANE_RATE * machine.subgroup)
            cycles += _WAIT if each < _ALONE else 0
    return cycles


def _resident(found: Contraction, tile: BlockTile, machine: MachineDescription) -> int:
    """Blocks that a core has room for at once."""
    lanes = machine.subgroup
    words = max(1, byte_width(found.accumulator) // 4)
    sums = tile.wm * tile.wn // lanes
    factors = (tile.wm + tile.wn) * tile.depth // lanes // 2 if tile.form == MATRIX else 2 * (tile.wm + tile.wn) // 8
    held = tile.subgroups * lanes * (sums * words + min(factors, 32) * words + _OTHER_WORDS)
    scratch = scratch_bytes(found, tile)
    return max(1, min(_REGISTERS // held, shared_room(machine) // scratch if scratch else 1))


def _moved(found: Contraction) -> int:
    """Bytes of both factors and the result."""
    m = () if found.m is None else (found.m,)
    result = prod(found.sizes[d] for d in (*found.outer, *m, found.n)) * byte_width(found.accumulator)
    return result + _factor_bytes(found, 0) + _factor_bytes(found, 1)


def _factor_bytes(found: Contraction, which: int) -> int:
    exprs = found.maps[which].results
    used = [d for d in range(len(found.sizes)) if any(d in e.used_dims() for e in exprs)]
    return prod(found.sizes[d] for d in used) * byte_width(factor_type(found, which))


__all__ = ["choose_tile", "estimate"]
