"""Choosing how a contraction is shared out among blocks, subgroups and lanes: the numbers of `block-contraction`.

A block makes a `bm x bn` tile of the result in steps of `bk` terms, whose operands it brings to block scratch (`stages` of
them at a time); each of its subgroups makes a `wm x wn` part. Three forms differ in who multiplies:
- `matrix`: a matrix unit, f16 or bf16 operands and f32 sums;
- `register`: lanes in a grid of `lanes_m x lanes_n`, each with a small tile of sums that it feeds by columns and rows;
- `shared`: all lanes along n, a few rows each: small tiles, for problems that would leave larger ones to few blocks.

`refusal` says what has no such form at all, `choose_tile` picks the numbers by an estimate of time, `check_tile` says what is
wrong with numbers written by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from math import prod

from xdsl.dialects import arith
from xdsl.dialects.builtin import BFloat16Type, Float16Type, Float32Type, IntegerType, TensorType
from xdsl.ir import Attribute, Operation
from xdsl.ir.affine import AffineExpr

from stepwell.ir.dtypes import byte_width
from stepwell.ir.machine import MachineDescription
from stepwell.passes.schedules.contraction_analysis import Contraction
from stepwell.passes.schedules.nest import coefficient, is_contiguous

MATRIX, REGISTER, SHARED = "matrix", "register", "shared"

_COPIES_AHEAD = "async_copy"
UNIT = 16
"""Rows, and terms of a sum, that a matrix unit takes at once; half as many columns."""
COPY_BYTES = 16
"""What a lane copies at once."""
COPIED_ALONE = (4, 8)
"""Bytes of an element that can be copied by itself while others work."""
_LEAST = 8
"""Rows and columns below which a block's tile would be mostly empty."""


@dataclass(frozen=True)
class BlockTile:
    """The numbers of the schedule."""

    form: str
    bm: int
    bn: int
    bk: int
    wm: int
    wn: int
    lanes_m: int
    lanes_n: int
    stages: int = 1
    swizzle: int = 0
    """Permute 16-byte chunks of scratch rows so that a column of chunks falls into different banks; 0: do not."""
    pad: int = 0
    """Elements added to rows of A stored by columns, against bank conflicts."""
    k_unroll: int = 4
    """Steps along k per trip of a subgroup's loop."""
    k_split: int = 1
    """Parts that the sums are cut into, each made by blocks of its own."""

    @property
    def subgroups(self) -> int:
        """Subgroups of a block."""
        return (self.bm // self.wm) * (self.bn // self.wn)

    @property
    def depth(self) -> int:
        """Terms multiplied by one op."""
        return UNIT if self.form == MATRIX else 1

    def parameters(self) -> dict[str, int | str]:
        """As the schedule's parameters."""
        numbers = {f.name: getattr(self, f.name) for f in fields(self)}
        return {**numbers, "subgroups": self.subgroups}


def tile_of(parameters: Mapping[str, int | str]) -> BlockTile | str:
    """The tile that the (checked) parameters of a schedule describe, or why they contradict each other."""
    named = {f.name: parameters[f.name] for f in fields(BlockTile) if f.name in parameters}
    tile = BlockTile(**named)  # pyright: ignore[reportArgumentType]
    count = parameters.get("subgroups", tile.subgroups)
    if count != tile.subgroups:
        return f"subgroups = {count}, but {tile.bm}x{tile.bn} is {tile.subgroups} parts of {tile.wm}x{tile.wn}"
    return tile


def refusal(found: Contraction) -> str | None:
    """Why a contraction has no form of blocks; None when it has one."""
    if 0 in found.sizes:
        return "an empty space"
    if found.m is None:
        return "a vector times a matrix"
    kind = found.accumulator
    if isinstance(kind, Float16Type | BFloat16Type) or (isinstance(kind, IntegerType) and kind.width.data < 8):
        return f"sums of {kind}"
    maps = found.maps
    for exprs in (maps[0].results, maps[1].results):
        for expr in exprs:
            dims = expr.used_dims()
            if len(dims) > 1 and any(d in dims for d in found.reduced):
                return f"an index mixes a summed dim with others: {expr}"
    return None


def worth(found: Contraction) -> str | None:
    """Why blocks would be mostly idle; None when tiles pay."""
    if found.rows < _LEAST or found.sizes[found.n] < _LEAST:
        return f"{found.rows} rows and {found.sizes[found.n]} columns are too few for a block's tile"
    return None


# What the numbers imply.


@dataclass(frozen=True)
class Staging:
    """An operand's tile in block scratch: which loop dims it has, the extents there, and its element type."""

    dims: tuple[int, int]
    shape: tuple[int, int]
    pad: int
    element: Attribute
    contiguous: int | None
    """The one of `dims` along which the operand itself is contiguous."""

    @property
    def row(self) -> int:
        """Elements from one row to the next."""
        return self.shape[1] + self.pad

    @property
    def bytes(self) -> int:
        """Of one stage."""
        return self.shape[0] * self.row * byte_width(self.element)

    @property
    def crossed(self) -> bool:
        """Copied with rows and columns exchanged."""
        return self.contiguous == self.dims[0]


def casts_of(found: Contraction, tile: BlockTile) -> tuple[Sequence[Operation], Sequence[Operation]]:
    """The casts of A and B done while copying: all but those a matrix unit does itself."""
    return ((), ()) if tile.form == MATRIX else (found.a_casts, found.b_casts)


def staged(found: Contraction, tile: BlockTile) -> tuple[Staging, Staging]:
    """How A and B lie in block scratch: as the form reads them, for a matrix unit as they lie in memory."""
    assert found.m is not None
    k = found.reduced[-1]
    sides: list[Staging] = []
    for which, (dim, extent) in enumerate(((found.m, tile.bm), (found.n, tile.bn))):
        exprs = found.maps[which].results
        along = next((d for d in (k, dim) if is_contiguous(exprs, d)), None)
        if tile.form == MATRIX:
            by_rows = along != k if which == 1 else along == dim
        else:
            by_rows = which == 1 or tile.form == REGISTER
        dims, shape = ((k, dim), (tile.bk, extent)) if by_rows else ((dim, k), (extent, tile.bk))
        pad = tile.pad if which == 0 and by_rows and along != dim else 0
        sides.append(Staging(dims, shape, pad, _staged_element(found, tile, which), along))
    return sides[0], sides[1]


def _staged_element(found: Contraction, tile: BlockTile, which: int) -> Attribute:
    casts = casts_of(found, tile)[which]
    if casts:
        return found.accumulator
    return _factor_type(found, which)


@dataclass(frozen=True)
class Share:
    """A subgroup's part of a copy: the tile in `parts` along and across its contiguous dim, in `vector`s of these extents."""

    parts: tuple[int, int]
    region: tuple[int, int]
    vector: tuple[int, int]


def share(side: Staging, subgroups: int, lanes: int, singly: bool = False) -> Share | None:
    """Share a copy out, rows of the source first; None when the extents do not allow it. All pairs are as `side.dims`.

    `singly`: a lane copies one element at once, rather than as many as it can.
    """
    along = 0 if side.crossed else 1
    extents = side.shape if along == 1 else side.shape[::-1]
    rows = next((n for n in range(subgroups, 0, -1) if subgroups % n == 0 and extents[0] % n == 0), 1)
    columns = subgroups // rows
    if extents[1] % columns:
        return None
    region = extents[0] // rows, extents[1] // columns
    each = 1 if singly else COPY_BYTES // byte_width(side.element)
    most = max(1, lanes * each // region[1])
    tall = next(n for n in range(min(most, region[0]), 0, -1) if region[0] % n == 0)
    if along == 1:
        return Share((rows, columns), region, (tall, region[1]))
    return Share((columns, rows), (region[1], region[0]), (region[1], tall))


def copied_singly(side: Staging) -> bool:
    """Whether an operand whose rows become columns is copied an element at a time, which can go on beside products."""
    return side.crossed and byte_width(side.element) in COPIED_ALONE


def scratch_bytes(found: Contraction, tile: BlockTile) -> int:
    """Block scratch that the tile needs."""
    return tile.stages * sum(side.bytes for side in staged(found, tile))


def shared_room(machine: MachineDescription) -> int:
    """Bytes of block scratch a machine has."""
    return machine.shared_limit or machine.shared_bytes


def check_tile(found: Contraction, tile: BlockTile, machine: MachineDescription) -> str | None:
    """Why these numbers do not fit a contraction or the machine; None when they do."""
    if tile.bm % tile.wm or tile.bn % tile.wn:
        return f"a {tile.bm}x{tile.bn} tile is not made of {tile.wm}x{tile.wn} parts"
    if tile.subgroups * machine.subgroup > machine.block_threads:
        return f"{tile.subgroups} subgroups of {machine.subgroup} are more than the {machine.block_threads} threads of a block"
    if tile.stages > 1 and _COPIES_AHEAD not in machine.features:
        return f"stages = {tile.stages} need copies that go on beside products, which the machine has not"
    problem = _matrix_problem(found, tile, machine) if tile.form == MATRIX else _grid_problem(tile, machine)
    if problem is not None:
        return problem
    if scratch_bytes(found, tile) > shared_room(machine):
        return f"it needs {scratch_bytes(found, tile)} bytes of block scratch of {shared_room(machine)}"
    for side in staged(found, tile):
        if share(side, tile.subgroups, machine.subgroup) is None:
            return f"a copy of {side.shape[0]}x{side.shape[1]} cannot be shared out among {tile.subgroups} subgroups"
    return None


def _grid_problem(tile: BlockTile, machine: MachineDescription) -> str | None:
    if tile.lanes_m * tile.lanes_n != machine.subgroup:
        return f"a grid of {tile.lanes_m}x{tile.lanes_n} lanes is not a subgroup of {machine.subgroup}"
    if tile.wm % tile.lanes_m or tile.wn % tile.lanes_n:
        return f"a {tile.wm}x{tile.wn} part does not divide into a grid of {tile.lanes_m}x{tile.lanes_n} lanes"
    return None


def _matrix_problem(found: Contraction, tile: BlockTile, machine: MachineDescription) -> str | None:
    if not suits_matrix_unit(found):
        return "a matrix unit multiplies f16 or bf16 and sums f32, and this is not that"
    if not _has_matrix_unit(found, machine):
        return f"the machine has no matrix unit for {_factor_type(found)}"
    if tile.wm % UNIT or tile.wn % (UNIT // 2) or tile.bk % UNIT:
        return f"{tile.wm}x{tile.wn} parts with sums of {tile.bk} are not made of {UNIT}x{UNIT // 2} tiles with sums of {UNIT}"
    return None


def suits_matrix_unit(found: Contraction) -> bool:
    """Both factors are f16, or both bf16, widened to f32 only."""
    kind = _factor_type(found)
    if _factor_type(found, 1) != kind or not isinstance(kind, Float16Type | BFloat16Type):
        return False
    widened = all(len(c) == 1 and isinstance(c[0], arith.ExtFOp) for c in (found.a_casts, found.b_casts))
    return widened and isinstance(found.accumulator, Float32Type)


def _factor_type(found: Contraction, which: int = 0) -> Attribute:
    """Element type of A (0) or B (1) in memory."""
    kind = found.op.inputs[found.a if which == 0 else found.b].type
    assert isinstance(kind, TensorType)
    return kind.element_type


def _has_matrix_unit(found: Contraction, machine: MachineDescription) -> bool:
    name = "mma_f16" if isinstance(_factor_type(found), Float16Type) else "mma_bf16"
    return name in machine.features


# Choosing.


def choose_tile(found: Contraction, machine: MachineDescription) -> tuple[BlockTile, str] | str:
    """The tile with the least estimated time, with the reason; or why there should be none."""
    problem = refusal(found) or worth(found)
    if problem is not None:
        return problem
    best: tuple[float, BlockTile] | None = None
    for tile in _candidates(found, machine):
        if check_tile(found, tile, machine) is not None:
            continue
        time = _estimate(found, tile, machine)
        if best is None or time < best[0]:
            best = time, tile
    if best is None:
        return "no tile fits the machine"
    tile = best[1]
    what = {MATRIX: "a matrix unit", REGISTER: "lanes with sums in registers", SHARED: "lanes along rows"}[tile.form]
    blocks = _blocks(found, tile)
    return tile, f"sum of products by {what}: {blocks} tiles of {tile.bm}x{tile.bn}, epilogue on the tile"


_MATRIX_GRIDS = ((64, 32, 2, 4), (64, 32, 2, 2), (64, 32, 1, 4), (32, 32, 2, 2), (32, 16, 1, 4), (16, 16, 2, 2))
"""Rows and columns of a subgroup's part, parts of a block down and across."""
_LANE_GRIDS = ((8, 8, 4, 2), (8, 8, 4, 1), (8, 8, 2, 2), (8, 4, 2, 2), (4, 4, 2, 2))
"""The same with rows and columns of a lane."""
_LANE_SUMS = 256
"""Bytes of sums a lane can hold beside what it multiplies."""


def _candidates(found: Contraction, machine: MachineDescription) -> Iterator[BlockTile]:
    if suits_matrix_unit(found) and _has_matrix_unit(found, machine):
        for wm, wn, down, across in _MATRIX_GRIDS:
            yield _staged_well(found, BlockTile(MATRIX, wm * down, wn * across, 64, wm, wn, 8, 4, 4, 8), machine)
        return
    lanes, size = machine.subgroup, byte_width(found.accumulator)
    rows = 1 << (lanes.bit_length() - 1) // 2
    columns = lanes // rows
    for tall, broad, down, across in _LANE_GRIDS:
        if tall * broad * size > _LANE_SUMS:
            continue
        wm, wn, pad = tall * rows, broad * columns, COPY_BYTES // size
        tile = BlockTile(REGISTER, wm * down, wn * across, 16, wm, wn, rows, columns, 3, 0, pad)
        yield _staged_well(found, tile, machine)
    yield _staged_well(found, BlockTile(SHARED, 32, lanes, 32, 8, lanes, 1, lanes), machine)


def _staged_well(found: Contraction, tile: BlockTile, machine: MachineDescription) -> BlockTile:
    """The tile with a step along k no longer than needed, and as many stages as there are steps and there is room for.

    One where copies are not asynchronous: nothing would be gained by making them early.
    """
    depth = found.sizes[found.reduced[-1]]
    bk = tile.bk
    while bk // 2 >= max(depth, tile.depth):
        bk //= 2
    tile = replace(tile, bk=bk, k_unroll=min(tile.k_unroll, bk // tile.depth))
    stages = min(tile.stages, trips(found, tile)) if _COPIES_AHEAD in machine.features else 1
    while stages > 1 and scratch_bytes(found, replace(tile, stages=stages)) > shared_room(machine):
        stages -= 1
    return replace(tile, stages=stages)


def trips(found: Contraction, tile: BlockTile) -> int:
    """Steps along all summed dims."""
    *outer, inner = (found.sizes[d] for d in found.reduced)
    return prod(outer) * -(-inner // tile.bk)


def k_parts(found: Contraction, tile: BlockTile) -> tuple[int, int]:
    """The parts that the sums are cut into, as many as asked for or fewer, and steps of each (the last may have less)."""
    total = trips(found, tile)
    each = -(-total // tile.k_split)
    return -(-total // each), each


def _blocks(found: Contraction, tile: BlockTile) -> int:
    down, across = -(-found.rows // tile.bm), -(-found.sizes[found.n] // tile.bn)
    return prod(found.sizes[d] for d in found.outer) * down * across


def _estimate(found: Contraction, tile: BlockTile, machine: MachineDescription) -> float:
    """Time in arbitrary units: rounds of blocks over the cores, times a block's products and what feeds them."""
    rounds = -(-_blocks(found, tile) // max(1, machine.cores))
    # A matrix unit outruns memory sooner.
    traffic = 64 if tile.form == MATRIX else 16
    fed = 1 + traffic / tile.bm + traffic / tile.bn
    if tile.form == MATRIX:
        products, loads = (tile.wm // 16) * (tile.wn // 8), tile.wm / 16 + tile.wn / 16
    else:
        tall, broad = tile.wm // tile.lanes_m, tile.wn // tile.lanes_n
        # Columns of A are read four rows at a time where they are contiguous.
        products, loads = tall * broad, (-(-tall // 4) if tile.form == REGISTER else tall) + -(-broad // 4)
    return rounds * tile.bm * tile.bn * fed * (1 + 2 * loads / products)


def is_plain(exprs: Sequence[AffineExpr], dim: int) -> int | None:
    """The position along which `dim` moves a tensor by ones, and nothing else of it does; None when there is no such."""
    using = [i for i, e in enumerate(exprs) if dim in e.used_dims()]
    return using[0] if len(using) == 1 and coefficient(exprs[using[0]], dim) == 1 else None


__all__ = [
    "MATRIX",
    "REGISTER",
    "SHARED",
    "BlockTile",
    "Share",
    "Staging",
    "casts_of",
    "check_tile",
    "choose_tile",
    "copied_singly",
    "is_plain",
    "k_parts",
    "refusal",
    "share",
    "staged",
    "tile_of",
    "trips",
    "worth",
]
