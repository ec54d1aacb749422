"""Ops with indices known at run time: gathers as generics with `tensor.extract`, updates as structured ops in place."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import arith, tensor
from xdsl.dialects.builtin import IndexType, IntegerAttr, IntegerType, TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import stablehlo, structured
from stepwell.dialects.arith import IndexCastUIOp
from stepwell.passes.stablehlo_to_linalg.lowering import Lowering, Rule, dim, element_of, ints, shape_of
from stepwell.passes.stablehlo_to_linalg.regions import scalar_region
from stepwell.passes.stablehlo_to_linalg.scalars import SIGNED, Scalars, element_type, kind_of


def _clamped(s: Scalars, start: SSAValue, limit: int, kind: str) -> SSAValue:
    """A start index as `index`, clamped to [0, limit]; unsigned ones are compared unsigned."""
    if kind == SIGNED:
        index = s(arith.IndexCastOp, start, IndexType())
        at_most = s(arith.MinSIOp, index, s.index_constant(limit))
        return s(arith.MaxSIOp, at_most, s.index_constant(0))
    index = s(IndexCastUIOp, start, IndexType())
    return s(arith.MinUIOp, index, s.index_constant(limit))


def _plus(s: Scalars, a: SSAValue, b: SSAValue | None) -> SSAValue:
    return a if b is None else s(arith.AddiOp, a, b)


def _constant_starts(low: Lowering, indices: Sequence[SSAValue], limits: Sequence[int]) -> list[int] | None:
    """Clamped start indices when all are constants."""
    starts: list[int] = []
    for index, limit in zip(indices, limits, strict=True):
        splat = low.splat_of(index)
        if not isinstance(splat, IntegerAttr):
            return None
        value = splat.value.data
        element = element_type(index)
        if value < 0 and isinstance(element, IntegerType) and element.signedness.data.value == "ui":
            value += 1 << element.width.data
        starts.append(min(max(value, 0), limit))
    return starts


def dynamic_slice(low: Lowering, op: stablehlo.DynamicSliceOp) -> Sequence[SSAValue]:
    """`operand[clamp(start_i) + i]`; constant starts make it a static slice."""
    value, result = low.get(op.operand), low.result_type(op)
    sizes = result.get_shape()
    limits = [n - size for n, size in zip(shape_of(value), sizes, strict=True)]
    starts = _constant_starts(low, op.start_indices, limits)
    if starts is not None:
        return [low.slice(value, starts, sizes)]
    moving = [i for i, limit in enumerate(limits) if limit]
    inputs: list[tuple[SSAValue, Sequence[AffineExpr]]] = [(low.get(op.start_indices[i]), []) for i in moving]
    kinds = [kind_of(element_type(i), op) for i in op.start_indices]

    def body(s: Scalars, args: list[SSAValue]) -> Sequence[SSAValue]:
        where = [s(linalg.IndexOp, i) for i in range(len(sizes))]
        for i, start in zip(moving, args, strict=False):
            where[i] = s(arith.AddiOp, _clamped(s, start, limits[i], kinds[i]), where[i])
        return [s(tensor.ExtractOp, value, where, element_of(value))]

    return [low.map(inputs, result, body)]


def signed_indices(low: Lowering, value: SSAValue, op: Operation) -> SSAValue:
    """An index tensor whose elements read right as signed: unsigned ones are widened (u64: saturated)."""
    new = low.get(value)
    if kind_of(element_type(value), op) == SIGNED:
        return new
    wide = IntegerType(64)
    identity = [dim(i) for i in range(len(shape_of(new)))]

    def body(s: Scalars, args: list[SSAValue]) -> Sequence[SSAValue]:
        if args[0].type != wide:
            return [s(arith.ExtUIOp, args[0], wide)]
        return [s(arith.MinUIOp, args[0], s.constant((1 << 63) - 1, wide))]

    return low.map([(new, identity)], TensorType(wide, shape_of(new)), body)


def dynamic_update_slice(low: Lowering, op: stablehlo.DynamicUpdateSliceOp) -> Sequence[SSAValue]:
    """`structured.update_slice`, or an insert at constant offsets."""
    value, update = low.get(op.operand), low.get(op.update)
    limits = [n - size for n, size in zip(shape_of(value), shape_of(update), strict=True)]
    if 0 in shape_of(update):
        return [value]
    if shape_of(update) == shape_of(value):
        return [update]
    starts = _constant_starts(low, op.start_indices, limits)
    if starts is not None:
        return [low.insert_slice(update, value, starts)]
    indices = [signed_indices(low, i, op) for i in op.start_indices]
    return low.builder.insert(structured.UpdateSliceOp(update, indices, value)).results


def gather(low: Lowering, op: stablehlo.GatherOp) -> Sequence[SSAValue]:
    """Per result element: the start vector (one operand per component), clamped, plus the offset in the slice."""
    value, indices, result = low.get(op.operand), low.get(op.start_indices), low.result_type(op)
    numbers = op.dimension_numbers.data
    sizes = ints(op.slice_sizes)
    vector_dim, rank = numbers.index_vector_dim, len(result.get_shape())
    batch_dims = [i for i in range(rank) if i not in numbers.offset_dims]
    start_dims = [i for i in range(len(shape_of(indices))) if i != vector_dim]
    position = dict(zip(start_dims, batch_dims, strict=True))
    inputs: list[tuple[SSAValue, Sequence[AffineExpr]]] = []
    for component in range(len(numbers.start_index_map)):
        exprs = [
            AffineExpr.constant(component) if i == vector_dim else dim(position[i])
            for i in range(len(shape_of(indices)))
        ]
        inputs.append((indices, exprs))
    skipped = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
    window = [i for i in range(len(sizes)) if i not in skipped]
    offsets = dict(zip(window, numbers.offset_dims, strict=True))
    batching = dict(zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True))
    kind = kind_of(element_type(op.start_indices), op)

    def body(s: Scalars, args: list[SSAValue]) -> Sequence[SSAValue]:
        starts = dict(zip(numbers.start_index_map, args, strict=False))
        where: list[SSAValue] = []
        for i, (extent, size) in enumerate(zip(shape_of(value), sizes, strict=True)):
            offset = s(linalg.IndexOp, offsets[i]) if i in offsets else None
            if i in batching:
                where.append(s(linalg.IndexOp, position[batching[i]]))
            elif i in starts and extent != size:
                where.append(_plus(s, _clamped(s, starts[i], extent - size, kind), offset))
            else:
                where.append(offset if offset is not None else s.index_constant(0))
        return [s(tensor.ExtractOp, value, where, element_of(value))]

    return [low.map(inputs, result, body)]


def scatter(low: Lowering, op: stablehlo.ScatterOp) -> Sequence[SSAValue]:
    """`structured.scatter` with the operands as destinations."""
    numbers = op.scatter_dimension_numbers.data
    operands, updates = [low.get(o) for o in op.inputs], [low.get(o) for o in op.updates]
    if 0 in shape_of(updates[0]) or 0 in shape_of(operands[0]):
        return operands
    arrays = {
        "update_window_dims": numbers.update_window_dims,
        "inserted_window_dims": numbers.inserted_window_dims,
        "input_batching_dims": numbers.input_batching_dims,
        "scatter_indices_batching_dims": numbers.scatter_indices_batching_dims,
        "scatter_dims_to_operand_dims": numbers.scatter_dims_to_operand_dims,
    }
    unique = op.unique_indices is not None and bool(op.unique_indices.value.data)
    new = structured.ScatterOp(
        signed_indices(low, op.scatter_indices, op),
        updates,
        operands,
        arrays,
        numbers.index_vector_dim,
        scalar_region(low, op.regions[0]),
        unique_indices=unique,
    )
    return low.builder.insert(new).results


RULES: dict[type[Operation], Rule] = {
    stablehlo.DynamicSliceOp: dynamic_slice,
    stablehlo.DynamicUpdateSliceOp: dynamic_update_slice,
    stablehlo.GatherOp: gather,
    stablehlo.ScatterOp: scatter,
}
