"""Products of tiles as a lane's code: outer products over a grid of lanes, and `mma.m16n8k16` fed by `ldmatrix`."""

from __future__ import annotations

from xdsl.dialects import arith, math
from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.builtin import IntegerType, VectorType
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import nvgpu, vector
from stepwell.ir.diagnostics import unsupported
from stepwell.passes.gpu_mapping.layouts import LANE, AccumulatorLayout, GridLayout
from stepwell.passes.gpu_mapping.places import access_alignment, place_of
from stepwell.passes.gpu_mapping.products import K, M, N, depth_of, dims_of, operand_layout, roles
from stepwell.passes.gpu_mapping.state import PhaseState


def multiply(state: PhaseState, op: vector.ContractOp) -> list[SSAValue]:
    """The pieces of a contraction's result."""
    layout = state.assignment.layout(op.result)
    total = list(state.pieces(op.acc, layout))
    if isinstance(layout, AccumulatorLayout):
        return _matrix_unit(state, op, layout, total)
    assert isinstance(layout, GridLayout)
    return _outer_product(state, op, layout, total)


def _outer_product(
    state: PhaseState, op: vector.ContractOp, layout: GridLayout, total: list[SSAValue]
) -> list[SSAValue]:
    em = state.em
    m, _, _ = roles(op)
    column, row = (0, 1) if m in dims_of(op, 0) else (1, 0)
    assert isinstance(op.result.type, VectorType)
    element = op.result.type.element_type
    left = [_widened(state, p, element) for p in state.pieces(op._operands[column], operand_layout(op, column, layout))]  # pyright: ignore[reportPrivateUsage]
    right = [_widened(state, p, element) for p in state.pieces(op._operands[row], operand_layout(op, row, layout))]  # pyright: ignore[reportPrivateUsage]
    kind = VectorType(element, layout.piece)
    for i in range(layout.shape[0] // layout.rows):
        block, within = divmod(i, layout.tall)
        factor = em.add(upstream_vector.ExtractOp(left[block], [within], element)).result
        spread = em.add(upstream_vector.BroadcastOp(factor, kind)).results[0]
        for b, piece in enumerate(right):
            at = i * layout.across + b
            total[at] = _multiply_add(state, spread, piece, total[at], element)
    return total


def _widened(state: PhaseState, piece: SSAValue, element: Attribute) -> SSAValue:
    """A factor in the accumulator's type."""
    assert isinstance(piece.type, VectorType)
    if piece.type.element_type == element:
        return piece
    kind = VectorType(element, piece.type.get_shape())
    if isinstance(element, IntegerType):
        return state.em.add(arith.ExtSIOp(piece, kind)).result  # pyright: ignore[reportArgumentType]
    return state.em.add(arith.ExtFOp(piece, kind)).result  # pyright: ignore[reportArgumentType]


def _multiply_add(state: PhaseState, x: SSAValue, y: SSAValue, acc: SSAValue, element: Attribute) -> SSAValue:
    if isinstance(element, IntegerType):
        product = state.em.add(arith.MuliOp(x, y)).result
        return state.em.add(arith.AddiOp(acc, product)).result
    return state.em.add(math.FmaOp(x, y, acc)).results[0]


# The matrix unit.


def _matrix_unit(
    state: PhaseState, op: vector.ContractOp, layout: AccumulatorLayout, total: list[SSAValue]
) -> list[SSAValue]:
    em = state.em
    assert isinstance(op.lhs.type, VectorType)
    half: Attribute = op.lhs.type.element_type
    down, across = layout.shape[0] // M, layout.across
    for depth in range(0, depth_of(op), K):
        rows = [_left_tile(state, op, i * M, depth) for i in range(down)]
        columns: list[SSAValue] = []
        for j in range(0, across, 2):
            columns += _right_tiles(state, op, j * N, depth, half, min(2, across - j))
        for i, a in enumerate(rows):
            for j, b in enumerate(columns):
                at = i * across + j
                total[at] = em.add(nvgpu.MmaSyncOp(a, b, total[at], (M, N, K))).results[0]
    return total


def _factor(state: PhaseState, op: vector.ContractOp, position: int) -> upstream_vector.TransferReadOp:
    """The read of shared memory a factor must be."""
    read = (op.lhs if position == 0 else op.rhs).owner
    if not isinstance(read, upstream_vector.TransferReadOp) or read.mask is not None:
        raise unsupported(op, "the matrix unit takes its factors from whole tiles in scratch of the block")
    place = place_of(read.source)
    buffer = state.buffers.get(place.root)
    if buffer is None or not buffer.shared or place.strides[-2:] != (1, 1):
        raise unsupported(op, "the matrix unit takes its factors from scratch of the block")
    if access_alignment(place.root, place.at(list(read.indices))) < 16:
        raise unsupported(read, "rows of a factor of the matrix unit must start at multiples of 16 bytes")
    return read


def _load(
    state: PhaseState,
    read: upstream_vector.TransferReadOp,
    row: AffineExpr,
    column: AffineExpr,
    tiles: int,
    cross: bool,
) -> SSAValue:
    """`ldmatrix` of 8x8 tiles whose rows' addresses the lanes give."""
    place = place_of(read.source)
    buffer = state.buffers[place.root]
    indices = state.indices(buffer, place, list(read.indices), {-2: row, -1: column})
    return state.em.add(nvgpu.LdMatrixOp(buffer.value, state.em.indices(indices), tiles, transpose=cross)).results[0]


def _left_tile(state: PhaseState, op: vector.ContractOp, m0: int, k0: int) -> SSAValue:
    """The 16x16 factor at (m0, k0): tiles (0,0), (8,0), (0,8), (8,8) of (m, k)."""
    read = _factor(state, op, 0)
    m, _, _ = roles(op)
    if dims_of(op, 0)[0] == m:
        return _load(state, read, LANE % 16 + m0, (LANE // 16) * 8 + k0, 4, cross=False)
    # Stored by columns: tile j of eight lanes has its rows along k.
    tile = LANE // 8
    return _load(state, read, (tile // 2) * 8 + LANE % 8 + k0, (tile % 2) * 8 + m0, 4, cross=True)


def _right_tiles(
    state: PhaseState, op: vector.ContractOp, n0: int, k0: int, half: Attribute, count: int
) -> list[SSAValue]:
    """One or two 16x8 factors at (k0, n0): tiles (0,0), (8,0) of (k, n), then those eight columns further."""
    read = _factor(state, op, 1)
    _, n, _ = roles(op)
    tile = (LANE // 8) % (2 * count)
    along_k, along_n = (tile % 2) * 8, (tile // 2) * 8
    if dims_of(op, 1)[0] == n:
        loaded = _load(state, read, along_n + LANE % 8 + n0, along_k + k0, 2 * count, cross=False)
    else:
        loaded = _load(state, read, along_k + LANE % 8 + k0, along_n + n0, 2 * count, cross=True)
    if count == 1:
        return [loaded]
    return [_pair(state, loaded, half, first) for first in (0, 2)]


def _pair(state: PhaseState, loaded: SSAValue, half: Attribute, first: int) -> SSAValue:
    """Rows `first` and `first + 1` of four as a vector of their own."""
    em = state.em
    kind = VectorType(half, [2, 2])
    result = state.splat(half, (2, 2))
    for i in range(2):
        row = em.add(upstream_vector.ExtractOp(loaded, [first + i], VectorType(half, [2]))).result
        result = em.add(upstream_vector.InsertOp(row, result, [i])).result
    assert result.type == kind
    return result


__all__ = ["multiply"]
