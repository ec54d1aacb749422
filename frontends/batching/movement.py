"""Batching rules of ops that move elements: shapes, slices, gathers and scatters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from xdsl.dialects.builtin import IntegerAttr, i64
from xdsl.ir import Operation, SSAValue

from stepwell.dialects import stablehlo
from stepwell.dialects.stablehlo.base import i64_array
from stepwell.frontends.batching.batcher import Batched, Batcher, Rule, element_of, shape_of
from stepwell.ir.dtypes import numpy_dtype

Operands = Sequence[Batched]


def behind(dims: Iterable[int]) -> tuple[int, ...]:
    """Dims by their places behind the batch."""
    return tuple(d + 1 for d in dims)


def _values(attribute: Any) -> tuple[int, ...]:
    return tuple(attribute.get_values())


def _broadcast(batcher: Batcher, op: stablehlo.BroadcastInDimOp, operands: Operands) -> Sequence[SSAValue]:
    dims = (0, *behind(_values(op.broadcast_dimensions)))
    return batcher.again(op, [operands[0].value], broadcast_dimensions=i64_array(dims))


def _transpose(batcher: Batcher, op: stablehlo.TransposeOp, operands: Operands) -> Sequence[SSAValue]:
    order = (0, *behind(_values(op.permutation)))
    return batcher.again(op, [operands[0].value], permutation=i64_array(order))


def _reverse(batcher: Batcher, op: stablehlo.ReverseOp, operands: Operands) -> Sequence[SSAValue]:
    return batcher.again(op, [operands[0].value], dimensions=i64_array(behind(_values(op.dimensions))))


def _slice(batcher: Batcher, op: stablehlo.SliceOp, operands: Operands) -> Sequence[SSAValue]:
    starts, limits, strides = (_values(a) for a in (op.start_indices, op.limit_indices, op.strides))
    whole = ((0, *starts), (batcher.size, *limits), (1, *strides))
    return [batcher.function.slice(operands[0].value, *whole)]


def _pad(batcher: Batcher, op: stablehlo.PadOp, operands: Operands) -> Sequence[SSAValue]:
    function, (operand, value) = batcher.function, operands
    sides = [(0, *_values(a)) for a in (op.edge_padding_low, op.edge_padding_high, op.interior_padding)]
    padded = batcher.full(operand)
    if not value.has_batch:
        return [function.pad(padded, value.value, *sides)]
    anything = function.constant(0, numpy_dtype(element_of(padded)))
    result = function.pad(padded, anything, *sides)
    inside = function.full(True, "bool", shape_of(padded))
    there = function.pad(inside, function.constant(False, "bool"), *sides)
    return [function.select(there, result, batcher.spread(value.value, shape_of(result)))]


def _concatenate(batcher: Batcher, op: stablehlo.ConcatenateOp, operands: Operands) -> Sequence[SSAValue]:
    dimension = IntegerAttr(op.dimension.value.data + 1, i64)
    return batcher.again(op, [batcher.full(b) for b in operands], dimension=dimension)


# Computed places -------------------------------------------------------------------------------------------------------


def _dynamic_slice(batcher: Batcher, op: stablehlo.DynamicSliceOp, operands: Operands) -> Sequence[SSAValue]:
    function, (operand, *starts) = batcher.function, operands
    sizes = _values(op.slice_sizes)
    if not any(s.has_batch for s in starts):
        zero = _first_start(batcher, starts)
        return [function.dynamic_slice(operand.value, [zero, *(s.value for s in starts)], (batcher.size, *sizes))]
    rank = len(sizes)
    places = tuple(range(1, rank + 1))
    batch = (0,) if operand.has_batch else ()
    numbers = stablehlo.GatherDimensionNumbers(
        offset_dims=places,
        operand_batching_dims=batch,
        start_indices_batching_dims=batch,
        start_index_map=places if operand.has_batch else tuple(range(rank)),
        index_vector_dim=1,
    )
    slices = (1, *sizes) if operand.has_batch else sizes
    return [function.gather(operand.value, _index_rows(batcher, starts), numbers, slices)]


def _first_start(batcher: Batcher, starts: Operands) -> SSAValue:
    """0, for the batch, of the type of the other starts."""
    return batcher.function.constant(0, numpy_dtype(element_of(starts[0].value)) if starts else "int32")


def _index_rows(batcher: Batcher, starts: Operands) -> SSAValue:
    """The starts of each example in a row."""
    columns = [batcher.function.reshape(batcher.full(s), (batcher.size, 1)) for s in starts]
    return columns[0] if len(columns) == 1 else batcher.function.concatenate(columns, 1)


def _dynamic_update_slice(
    batcher: Batcher, op: stablehlo.DynamicUpdateSliceOp, operands: Operands
) -> Sequence[SSAValue]:
    function, (operand, update, *starts) = batcher.function, operands
    whole, part = batcher.full(operand), batcher.full(update)
    if not any(s.has_batch for s in starts):
        zero = _first_start(batcher, starts)
        return [function.dynamic_update_slice(whole, part, [zero, *(s.value for s in starts)])]
    places = tuple(range(1, len(starts) + 1))
    numbers = stablehlo.ScatterDimensionNumbers(
        update_window_dims=places,
        input_batching_dims=(0,),
        scatter_indices_batching_dims=(0,),
        scatter_dims_to_operand_dims=places,
        index_vector_dim=1,
    )
    return [function.scatter(whole, _inside(batcher, op, starts), part, numbers, lambda a: [a[1]])]


def _inside(batcher: Batcher, op: stablehlo.DynamicUpdateSliceOp, starts: Operands) -> SSAValue:
    """Starts moved to where the slice does not reach out, as the op does and a scatter does not."""
    function = batcher.function
    moved: list[Batched] = []
    for start, extent, size in zip(starts, shape_of(op.operand), shape_of(op.update), strict=True):
        dtype = numpy_dtype(element_of(start.value))
        bounds = function.constant(0, dtype), function.constant(extent - size, dtype)
        moved.append(Batched(function.clamp(bounds[0], start.value, bounds[1]), start.has_batch))
    return _index_rows(batcher, moved)


def _gather(batcher: Batcher, op: stablehlo.GatherOp, operands: Operands) -> Sequence[SSAValue]:
    (operand, indices), old, sizes = operands, op.dimension_numbers.data, _values(op.slice_sizes)
    numbers = old._replace(offset_dims=behind(old.offset_dims))
    if indices.has_batch:
        numbers = numbers._replace(
            start_indices_batching_dims=behind(old.start_indices_batching_dims),
            index_vector_dim=old.index_vector_dim + 1,
        )
    if operand.has_batch:
        numbers = numbers._replace(
            collapsed_slice_dims=behind(old.collapsed_slice_dims),
            operand_batching_dims=behind(old.operand_batching_dims),
            start_index_map=behind(old.start_index_map),
        )
    if operand.has_batch and indices.has_batch:
        numbers = numbers._replace(
            operand_batching_dims=(0, *numbers.operand_batching_dims),
            start_indices_batching_dims=(0, *numbers.start_indices_batching_dims),
        )
        sizes = (1, *sizes)
    elif operand.has_batch:
        numbers = numbers._replace(offset_dims=(0, *numbers.offset_dims))
        sizes = (batcher.size, *sizes)
    return [batcher.function.gather(operand.value, indices.value, numbers, sizes)]


def _scatter(batcher: Batcher, op: stablehlo.ScatterOp, operands: Operands) -> Sequence[SSAValue]:
    old = op.numbers
    numbers = stablehlo.ScatterDimensionNumbers(
        update_window_dims=behind(old.update_window_dims),
        inserted_window_dims=behind(old.inserted_window_dims),
        input_batching_dims=(0, *behind(old.input_batching_dims)),
        scatter_indices_batching_dims=(0, *behind(old.scatter_indices_batching_dims)),
        scatter_dims_to_operand_dims=behind(old.scatter_dims_to_operand_dims),
        index_vector_dim=old.index_vector_dim + 1,
    )
    values = [batcher.full(b) for b in operands]
    return batcher.again(op, values, scatter_dimension_numbers=stablehlo.ScatterDimensionNumbersAttr(numbers))


RULES: dict[type[Operation], Rule] = {
    stablehlo.BroadcastInDimOp: _broadcast,
    stablehlo.TransposeOp: _transpose,
    stablehlo.ReverseOp: _reverse,
    stablehlo.SliceOp: _slice,
    stablehlo.PadOp: _pad,
    stablehlo.ConcatenateOp: _concatenate,
    stablehlo.DynamicSliceOp: _dynamic_slice,
    stablehlo.DynamicUpdateSliceOp: _dynamic_update_slice,
    stablehlo.GatherOp: _gather,
    stablehlo.ScatterOp: _scatter,
}
