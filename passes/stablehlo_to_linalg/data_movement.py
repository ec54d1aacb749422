"""Ops that only move elements: identity bodies with other index expressions, free reshapes, inserts."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import stablehlo
from stepwell.passes.stablehlo_to_linalg.lowering import Lowering, Rule, Shape, affine, dim, ints, shape_of


def broadcast_in_dim(low: Lowering, op: stablehlo.BroadcastInDimOp) -> Sequence[SSAValue]:
    """A fill when the operand is constant; dimensions of extent 1 read index 0."""
    result = low.result_type(op)
    splat = low.splat_of(op.operand)
    if splat is not None:
        low.splats[op.result] = splat
        return [low.fill(splat, result.get_shape())]
    value, shape = low.get(op.operand), result.get_shape()
    dims = ints(op.broadcast_dimensions)
    if shape_of(value) == shape and tuple(dims) == tuple(range(len(shape))):
        return [value]
    exprs = [dim(d) if n == shape[d] else AffineExpr.constant(0) for d, n in zip(dims, shape_of(value), strict=True)]
    return [low.remap(value, shape, exprs)]


def broadcast(low: Lowering, op: stablehlo.BroadcastOp) -> Sequence[SSAValue]:
    """New leading dimensions."""
    shape = low.result_type(op).get_shape()
    value = low.get(op.operand)
    leading = len(shape) - len(shape_of(value))
    return [low.remap(value, shape, [dim(leading + i) for i in range(len(shape_of(value)))])]


def transpose(low: Lowering, op: stablehlo.TransposeOp) -> Sequence[SSAValue]:
    """Result dim i is operand dim permutation[i]."""
    permutation = list(ints(op.permutation))
    value = low.get(op.operand)
    if permutation == sorted(permutation):
        return [value]
    exprs = [dim(permutation.index(i)) for i in range(len(permutation))]
    return [low.remap(value, low.result_type(op).get_shape(), exprs)]


def static_slice(low: Lowering, op: stablehlo.SliceOp) -> Sequence[SSAValue]:
    """`d * stride + start`."""
    shape = low.result_type(op).get_shape()
    return [low.slice(low.get(op.operand), ints(op.start_indices), shape, ints(op.strides))]


def reverse(low: Lowering, op: stablehlo.ReverseOp) -> Sequence[SSAValue]:
    """`-d + n - 1` on the reversed dimensions."""
    value = low.get(op.operand)
    reversed_dims = ints(op.dimensions)
    exprs = [affine(i, -1, n - 1) if i in reversed_dims else dim(i) for i, n in enumerate(shape_of(value))]
    return [low.remap(value, shape_of(value), exprs)]


def reshape(low: Lowering, op: stablehlo.ReshapeOp) -> Sequence[SSAValue]:
    """Collapse to the finest common shape, then expand."""
    result = low.result_type(op)
    splat = low.splat_of(op.operand)
    if splat is not None:
        low.splats[op.result] = splat
        return [low.fill(splat, result.get_shape())]
    return [reshape_value(low, low.get(op.operand), result.get_shape())]


def reshape_value(low: Lowering, value: SSAValue, shape: Shape) -> SSAValue:
    """`value` with another shape of the same elements."""
    source = shape_of(value)
    if source == shape:
        return value
    if 0 in shape:
        return low.empty(shape, value.type.get_element_type())  # pyright: ignore
    before, after, common = common_groups(source, shape)
    return low.expand(low.collapse(value, before, common), after, shape)


def common_groups(source: Shape, target: Shape) -> tuple[list[list[int]], list[list[int]], list[int]]:
    """Consecutive dims of both shapes with equal products: both groupings, and the shape in between.

    Trailing ones join the last group; a shape without dims has no groups, so the other one must be all ones.
    """
    if not source or not target:
        return [], [], []
    before: list[list[int]] = []
    after: list[list[int]] = []
    common: list[int] = []
    i = j = 0
    while i < len(source) and j < len(target):
        group, other = [i], [j]
        left, right = source[i], target[j]
        i, j = i + 1, j + 1
        while left != right:
            if left < right:
                left *= source[i]
                group.append(i)
                i += 1
            else:
                right *= target[j]
                other.append(j)
                j += 1
        before.append(group)
        after.append(other)
        common.append(left)
    before[-1].extend(range(i, len(source)))
    after[-1].extend(range(j, len(target)))
    return before, after, common


def pad(low: Lowering, op: stablehlo.PadOp) -> Sequence[SSAValue]:
    """Fill, then insert; negative amounts slice first."""
    result = low.result_type(op)
    if 0 in result.get_shape():
        return [low.empty(result.get_shape(), result.get_element_type())]
    amounts = [ints(a) for a in (op.edge_padding_low, op.edge_padding_high, op.interior_padding)]
    return [low.pad(low.get(op.operand), op.padding_value, *amounts)]


def concatenate(low: Lowering, op: stablehlo.ConcatenateOp) -> Sequence[SSAValue]:
    """A chain of inserts into an empty tensor."""
    result = low.result_type(op)
    operands = [low.get(o) for o in op.operands]
    if len(operands) == 1:
        return operands
    axis = op.dimension.value.data
    target = low.empty(result.get_shape(), result.get_element_type())
    offset = 0
    for operand in operands:
        offsets = [offset if i == axis else 0 for i in range(len(result.get_shape()))]
        target = low.insert_slice(operand, target, offsets)
        offset += shape_of(operand)[axis]
    return [target]


RULES: dict[type[Operation], Rule] = {
    stablehlo.BroadcastInDimOp: broadcast_in_dim,
    stablehlo.BroadcastOp: broadcast,
    stablehlo.ConcatenateOp: concatenate,
    stablehlo.PadOp: pad,
    stablehlo.ReshapeOp: reshape,
    stablehlo.ReverseOp: reverse,
    stablehlo.SliceOp: static_slice,
    stablehlo.TransposeOp: transpose,
}
