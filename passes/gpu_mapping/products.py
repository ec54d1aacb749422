"""What a contraction of tiles is for the lanes of a subgroup, and how its operands are spread.

`(m, k) * (k, n)` with one k is an outer product over a grid of lanes; with f16 or bf16 factors, an f32 accumulator and k in
sixteens it is a grid of `mma.m16n8k16`.
"""

from __future__ import annotations

from xdsl.dialects.builtin import BFloat16Type, Float16Type, Float32Type, VectorType
from xdsl.ir.affine import AffineDimExpr

from stepwell.dialects import vector
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.dtypes import byte_width
from stepwell.passes.gpu_mapping.layouts import AccumulatorLayout, GridLayout, Layout

M, N, K = 16, 8, 16
"""The shape of the matrix unit's product."""


def roles(op: vector.ContractOp) -> tuple[int, int, int]:
    """The iterators m (first of the result), n and k."""
    maps = [m.data.results for m in op.indexing_maps.data]
    result = [e.position for e in maps[2] if isinstance(e, AffineDimExpr)]
    kinds = [t.data for t in op.iterator_types.data]
    reduced = [d for d, kind in enumerate(kinds) if kind == "reduction"]
    if len(result) != 2 or len(reduced) != 1 or len(kinds) != 3:
        raise unsupported(op, "only products of two matrices have a form on the lanes of a subgroup")
    return result[0], result[1], reduced[0]


def dims_of(op: vector.ContractOp, position: int) -> list[int]:
    """The iterators along the dims of a factor."""
    return [e.position for e in op.indexing_maps.data[position].data.results if isinstance(e, AffineDimExpr)]


def depth_of(op: vector.ContractOp) -> int:
    """Terms of each sum."""
    k = roles(op)[2]
    assert isinstance(op.lhs.type, VectorType)
    return op.lhs.type.get_shape()[dims_of(op, 0).index(k)]


def uses_matrix_unit(op: vector.ContractOp) -> bool:
    """Whether a contraction is one for the matrix unit; the others must be outer products."""
    return depth_of(op) != 1


def contraction_layout(op: vector.ContractOp, lanes_m: int, lanes_n: int) -> Layout:
    """The layout of a contraction's result.

    Raises:
        UnsupportedError: its shape or types suit neither form.
    """
    assert isinstance(op.result.type, VectorType)
    shape = tuple(op.result.type.get_shape())
    roles(op)
    if uses_matrix_unit(op):
        assert isinstance(op.lhs.type, VectorType)
        small = isinstance(op.lhs.type.element_type, Float16Type | BFloat16Type)
        if not small or not isinstance(op.result.type.element_type, Float32Type):
            raise unsupported(op, f"the matrix unit does not multiply {op.lhs.type} into {op.result.type}")
        if shape[0] % M or shape[1] % N or depth_of(op) % K:
            raise unsupported(op, f"{shape} is not made of {M}x{N} tiles with sums of {K}")
        return AccumulatorLayout(shape)
    if shape[0] % lanes_m or shape[1] % lanes_n:
        raise unsupported(op, f"a {shape[0]}x{shape[1]} tile over a grid of {lanes_m}x{lanes_n} lanes")
    most = max(1, 16 // byte_width(op.result.type.element_type))
    return GridLayout(shape, lanes_m, lanes_n, _common(shape[0] // lanes_m, most), _common(shape[1] // lanes_n, most))


def _common(extent: int, most: int) -> int:
    width = most
    while extent % width:
        width //= 2
    return max(1, width)


def operand_layout(op: vector.ContractOp, position: int, result: Layout) -> Layout:
    """The layout of a factor of an outer product (the matrix unit's factors are read by `multiply` itself)."""
    operand = op.lhs if position == 0 else op.rhs
    assert isinstance(operand.type, VectorType)
    shape = tuple(operand.type.get_shape())
    if not isinstance(result, GridLayout):
        return result
    m, n, _ = roles(op)
    dims = dims_of(op, position)
    axis = 0 if m in dims else 1
    return result.operand(shape, axis, dims.index(m if axis == 0 else n))


__all__ = ["K", "M", "N", "contraction_layout", "depth_of", "dims_of", "operand_layout", "roles", "uses_matrix_unit"]
