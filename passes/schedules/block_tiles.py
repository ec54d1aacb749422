"""How a contraction is shared out among blocks, subgroups and lanes: what the numbers of `block-contraction` mean.

A block makes a `bm x bn` tile of the result in steps of `bk` terms, whose operands it brings to block scratch (`stages` of
them at a time); each of its subgroups makes a `wm x wn` part. Three forms differ in who multiplies:
- `matrix`: a matrix unit, f16 or bf16 operands and f32 sums;
- `register`: lanes in a grid of `lanes_m x lanes_n`, each with a small tile of sums that it feeds by columns and rows;
- `shared`: all lanes along n, a few rows each: small tiles, for problems that would leave larger ones to few blocks.

`refusal` says what has no such form at all, `check_tile` what is wrong with numbers; `block_search` picks them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import gcd, prod

from xdsl.dialects import arith
from xdsl.dialects.builtin import BFloat16Type, Float16Type, Float32Type, IntegerType, TensorType
from xdsl.ir import Attribute, Operation
from xdsl.ir.affine import AffineExpr

from stepwell.ir.dtypes import byte_width
from stepwell.ir.machine import MachineDescription
from stepwell.passes.schedules.contraction_analysis import Contraction
from stepwell.passes.schedules.nest import coefficient, is_contiguous

MATRIX, REGISTER, SHARED = "matrix", "register", "shared"

COPIES_AHEAD = "async_copy"
"""The feature of a machine whose copies to scratch go on beside products."""
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
    pack_a: int = 0
    """Copy A to memory first, to rows that copies to scratch can take 16 bytes at a time of; 0: do not."""
    pack_b: int = 0

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
    return factor_type(found, which)


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


def lane_bytes(found: Contraction, tile: BlockTile, which: int) -> int:
    """What a lane copies at once of A or B: as much as the start of each row allows."""
    kind = found.op.inputs[found.a if which == 0 else found.b].type
    assert isinstance(kind, TensorType)
    size = byte_width(kind.element_type)
    side = staged(found, tile)[which]
    if side.contiguous is None or (copied_singly(side) and not casts_of(found, tile)[which]):
        return size
    packed = tile.pack_a if which == 0 else tile.pack_b
    return COPY_BYTES if packed else gcd(kind.get_shape()[-1] * size, COPY_BYTES)


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
    if tile.stages > 1 and COPIES_AHEAD not in machine.features:
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
    if not has_matrix_unit(found, machine):
        return f"the machine has no matrix unit for {factor_type(found)}"
    if tile.wm % UNIT or tile.wn % (UNIT // 2) or tile.bk % UNIT:
        return f"{tile.wm}x{tile.wn} parts with sums of {tile.bk} are not made of {UNIT}x{UNIT // 2} tiles with sums of {UNIT}"
    return None


def suits_matrix_unit(found: Contraction) -> bool:
    """Both factors are f16, or both bf16, widened to f32 only."""
    kind = factor_type(found)
    if factor_type(found, 1) != kind or not isinstance(kind, Float16Type | BFloat16Type):
        return False
    widened = all(len(c) == 1 and isinstance(c[0], arith.ExtFOp) for c in (found.a_casts, found.b_casts))
    return widened and isinstance(found.accumulator, Float32Type)


def factor_type(found: Contraction, which: int = 0) -> Attribute:
    """Element type of A (0) or B (1) in memory."""
    kind = found.op.inputs[found.a if which == 0 else found.b].type
    assert isinstance(kind, TensorType)
    return kind.element_type


def has_matrix_unit(found: Contraction, machine: MachineDescription) -> bool:
    """Whether the machine has one for the type of the factors."""
    name = "mma_f16" if isinstance(factor_type(found), Float16Type) else "mma_bf16"
    return name in machine.features


def trips(found: Contraction, tile: BlockTile) -> int:
    """Steps along all summed dims."""
    *outer, inner = (found.sizes[d] for d in found.reduced)
    return prod(outer) * -(-inner // tile.bk)


def k_parts(found: Contraction, tile: BlockTile) -> tuple[int, int]:
    """The parts that the sums are cut into, as many as asked for or fewer, and steps of each (the last may have less)."""
    total = trips(found, tile)
    each = -(-total // tile.k_split)
    return -(-total // each), each


def blocks_of(found: Contraction, tile: BlockTile) -> int:
    """Tiles of the result, each as often as the sums have parts."""
    down, across = -(-found.rows // tile.bm), -(-found.sizes[found.n] // tile.bn)
    return prod(found.sizes[d] for d in found.outer) * down * across * k_parts(found, tile)[0]


def is_plain(exprs: Sequence[AffineExpr], dim: int) -> int | None:
    """The position along which `dim` moves a tensor by ones, and nothing else of it does; None when there is no such."""
    using = [i for i, e in enumerate(exprs) if dim in e.used_dims()]
    return using[0] if len(using) == 1 and coefficient(exprs[using[0]], dim) == 1 else None


__all__ = [
    "COPIES_AHEAD",
    "COPY_BYTES",
    "MATRIX",
    "REGISTER",
    "SHARED",
    "BlockTile",
    "Share",
    "Staging",
    "blocks_of",
    "casts_of",
    "check_tile",
    "copied_singly",
    "factor_type",
    "has_matrix_unit",
    "is_plain",
    "k_parts",
    "lane_bytes",
    "refusal",
    "scratch_bytes",
    "share",
    "shared_room",
    "staged",
    "suits_matrix_unit",
    "tile_of",
    "trips",
    "worth",
]
