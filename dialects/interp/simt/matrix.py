"""The matrix unit: `ldmatrix` and `mma.sync`, with the fragment layouts of PTX.

Lane `l` has group `g = l / 4` and place `p = l % 4` in it. Of the accumulator it holds rows g and g + 8, columns 2p and
2p + 1; of A the same rows, columns 2p and 2p + 1 of each half of K; of B rows 2p and 2p + 1 of each half of K, column g.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from xdsl.ir import Operation

from stepwell.dialects.interp.simt.access import check_alignment, load, locate
from stepwell.dialects.interp.simt.block import SUBGROUP, ThreadBlock
from stepwell.dialects.interp.simt.memory import Access, Extent, MemRef, start_of
from stepwell.dialects.interp.simt.program import Builder, Prepare, Run
from stepwell.dialects.interp.simt.reports import ReportKind
from stepwell.dialects.interp.simt.subgroups import by_subgroup, by_thread, check_whole_subgroups
from stepwell.dialects.interp.simt.values import Array, Value, spread
from stepwell.dialects.nvgpu import LdMatrixOp, MmaSyncOp

ROW = 8
"""Rows of an 8x8 tile, and elements of each."""
ROW_BYTES = 16


def rows_of_a(fragments: Array) -> Array:
    """Fragments of A, (subgroup, lane, register, pair), as matrices of 16 rows."""
    count, _, registers, _ = fragments.shape
    parts = fragments.reshape(count, 8, 4, registers // 2, 2, 2)  # group, place, half of K, half of M, pair
    return parts.transpose(0, 4, 1, 3, 2, 5).reshape(count, 16, registers * 4)


def rows_of_b(fragments: Array) -> Array:
    """Fragments of B as matrices of 8 columns."""
    count, _, registers, _ = fragments.shape
    parts = fragments.reshape(count, 8, 4, registers, 2)  # group, place, part of K, pair
    return parts.transpose(0, 3, 2, 4, 1).reshape(count, registers * 8, 8)


def rows_of_c(fragments: Array) -> Array:
    """Fragments of an accumulator as 16 x 8 matrices."""
    parts = fragments.reshape(-1, 8, 4, 2, 2)  # group, place, half of M, pair
    return parts.transpose(0, 3, 1, 2, 4).reshape(-1, 16, 8)


def fragments_of_c(rows: Array) -> Array:
    """The inverse of `rows_of_c`."""
    parts = rows.reshape(-1, 2, 8, 4, 2)
    return parts.transpose(0, 2, 3, 1, 4).reshape(-1, SUBGROUP, 2, 2)


def _check_lanes(block: ThreadBlock, op: Operation) -> None:
    """A matrix is spread over a subgroup of one size."""
    if block.subgroup != SUBGROUP:
        message = f"the matrix unit takes subgroups of {SUBGROUP} lanes; this machine's have {block.subgroup}"
        raise block.error(ReportKind.UNDEFINED, op, message, block.active_threads())


def _mma_sync(op: Operation, builder: Builder) -> Run:
    """Products and their sum are exact (in f64), rounded once to the accumulator's type."""
    del builder
    assert isinstance(op, MmaSyncOp)

    def run(block: ThreadBlock, a: Value, b: Value, c: Value) -> Sequence[Value]:
        _check_lanes(block, op)
        check_whole_subgroups(block, op, all_lanes=True)
        parts = [by_subgroup(spread(v, 2, block.count), SUBGROUP) for v in (a, b, c)]
        dtype = parts[2].dtype
        lhs, rhs, acc = (
            to_rows(part.astype(np.float64))
            for to_rows, part in zip((rows_of_a, rows_of_b, rows_of_c), parts, strict=True)
        )
        with np.errstate(all="ignore"):
            result = (np.matmul(lhs, rhs) + acc).astype(dtype)
        return (by_thread(fragments_of_c(result), block.count),)

    return run


def _tile_places(op: LdMatrixOp) -> tuple[Array, Array]:
    """By (lane, tile, pair) who addresses the row an element comes from, and which of that row's elements it is."""
    lane = np.arange(SUBGROUP)
    pair = np.arange(2)
    # (lane, pair): row of a tile, element of that row
    row, element = np.broadcast_arrays((lane // 4)[:, None], (lane % 4 * 2)[:, None] + pair)
    if op.transpose:
        row, element = element, row
    owner = np.arange(op.num_tiles.value.data)[:, None] * ROW + row[:, None, :]
    return owner, np.broadcast_to(element[:, None, :], owner.shape)


def tile_gatherer(op: LdMatrixOp) -> Callable[[ThreadBlock, Extent], Array]:
    """From where the rows that the lanes address start to where each element of `ldmatrix` lies."""
    owner, step = _tile_places(op)

    def gather(block: ThreadBlock, starts: Extent) -> Array:
        return by_thread(by_subgroup(spread(starts, 0, block.count), SUBGROUP)[:, owner] + step, block.count)

    return gather


def _ldmatrix(op: Operation, builder: Builder) -> Run:
    """Every lane checks the address of its row; what a lane gets comes from rows that others address."""
    del builder
    assert isinstance(op, LdMatrixOp)
    tiles = op.num_tiles.value.data
    owner, step = _tile_places(op)
    gather = tile_gatherer(op)

    def run(block: ThreadBlock, ref: MemRef, *indices: Value) -> Sequence[Value]:
        _check_lanes(block, op)
        check_whole_subgroups(block, op, all_lanes=True)
        addressing = np.broadcast_to((block.threads % SUBGROUP < tiles * ROW)[:, None], (block.count, ROW))
        rows = locate(block, op, ref, indices, (ROW,), addressing)
        check_alignment(block, op, rows, ROW_BYTES)
        valid = by_subgroup(addressing if rows.mask is None else rows.mask, SUBGROUP)
        positions = gather(block, start_of(ref, indices))
        mask = by_thread(valid[:, owner, step], block.count)
        return (load(block, op, Access(ref, (tiles, 2), positions, mask)),)

    return run


RULES: dict[str, Prepare] = {
    "nvgpu.ldmatrix": _ldmatrix,
    "nvgpu.mma.sync": _mma_sync,
}
