"""Interpreter rules of StableHLO's data movement and indexing ops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from xdsl.ir import Operation, SSAValue

from stepwell.dialects import stablehlo as hlo
from stepwell.dialects.interp import numerics as num
from stepwell.dialects.interp import regions
from stepwell.dialects.interp.stablehlo_elementwise import result_dtype
from stepwell.ir.dense import dense_to_array
from stepwell.ir.interpreter import Interpreter, Rule, Value

Array = np.ndarray[Any, np.dtype[Any]]
Args = tuple[Value, ...]


def shape_of(value: SSAValue) -> tuple[int, ...]:
    """The static shape in a value's type."""
    return cast(Any, value.type).get_shape()


def _constant(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp, args
    return (dense_to_array(cast(Any, op.properties["value"])),)


def _iota(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp, args
    assert isinstance(op, hlo.IotaOp)
    shape, axis = shape_of(op.output), op.iota_dimension.value.data
    along = [shape[axis] if d == axis else 1 for d in range(len(shape))]
    counts = np.arange(shape[axis]).reshape(along).astype(result_dtype(op))
    return (np.broadcast_to(counts, shape),)


def _broadcast_in_dim(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.BroadcastInDimOp)
    shape = shape_of(op.result)
    dims = cast(Sequence[int], op.broadcast_dimensions.get_values())
    order = np.argsort(dims, kind="stable")
    extents = [1] * len(shape)
    for axis, d in enumerate(dims):
        extents[d] = args[0].shape[axis]
    return (np.broadcast_to(np.transpose(args[0], order).reshape(extents), shape),)


def _broadcast(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    return (np.broadcast_to(args[0], shape_of(op.results[0])),)


def _reshape(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    return (args[0].reshape(shape_of(op.results[0])),)


def _transpose(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.TransposeOp)
    return (np.transpose(args[0], op.permutation.get_values()),)


def _reverse(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.ReverseOp)
    return (np.flip(args[0], cast(Any, op.dimensions.get_values())),)


def _slice(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.SliceOp)
    ranges = (op.start_indices.get_values(), op.limit_indices.get_values(), op.strides.get_values())
    return (args[0][tuple(slice(*cast(Any, r)) for r in zip(*ranges, strict=True))],)


def pad_array(x: Array, value: Any, low: Sequence[int], high: Sequence[int], interior: Sequence[int]) -> Array:
    """`x` with `value` around and between its elements; negative edges cut."""
    for axis, (lo, hi, gap) in enumerate(zip(low, high, interior, strict=True)):
        extent = x.shape[axis]
        spread = extent + max(extent - 1, 0) * gap
        total = max(lo + spread + hi, 0)
        result = np.full((*x.shape[:axis], total, *x.shape[axis + 1 :]), value, x.dtype)
        places = lo + np.arange(extent) * (gap + 1)
        inside = (places >= 0) & (places < total)
        before = (slice(None),) * axis
        result[(*before, places[inside])] = x[(*before, inside)]
        x = result
    return x


def _pad(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.PadOp)
    low, high = op.edge_padding_low.get_values(), op.edge_padding_high.get_values()
    interior = op.interior_padding.get_values()
    return (pad_array(args[0], args[1], cast(Any, low), cast(Any, high), cast(Any, interior)),)


def _concatenate(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.ConcatenateOp)
    return (np.concatenate(args, op.dimension.value.data),)


def _clamped(starts: Sequence[Array], shape: Sequence[int], sizes: Sequence[int]) -> tuple[slice, ...]:
    """The slice of `sizes` at run-time starts, moved inside `shape`."""
    first = [min(max(int(s), 0), extent - size) for s, extent, size in zip(starts, shape, sizes, strict=True)]
    return tuple(slice(f, f + size) for f, size in zip(first, sizes, strict=True))


def _dynamic_slice(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.DynamicSliceOp)
    return (args[0][_clamped(args[1:], args[0].shape, cast(Any, op.slice_sizes.get_values()))],)


def _dynamic_update_slice(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp, op
    operand, update, *starts = args
    result = operand.copy()
    result[_clamped(starts, operand.shape, update.shape)] = update
    return (result,)


def _to_bits(x: Array) -> Array:
    """The bits of every element, lowest first, in one row."""
    width = num.bit_width(x.dtype)
    words = num.bits_of(x) if num.is_integer(x.dtype) else x.view(np.dtype(f"u{x.dtype.itemsize}"))
    return ((words.reshape(-1, 1).astype(np.uint64) >> np.arange(width, dtype=np.uint64)) & np.uint64(1)).reshape(-1)


def _from_bits(bits: Array, dtype: np.dtype[Any]) -> Array:
    """The inverse of `_to_bits`."""
    width = num.bit_width(dtype)
    words = (bits.reshape(-1, width) << np.arange(width, dtype=np.uint64)).sum(1, dtype=np.uint64)
    if num.is_bool(dtype):
        return words != 0
    return (
        num.wrap(words.astype(np.int64), dtype)
        if num.is_integer(dtype)
        else words.astype(f"u{dtype.itemsize}").view(dtype)
    )


def _bitcast_convert(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.BitcastConvertOp)
    dtype, shape = result_dtype(op), shape_of(op.result)
    flat = np.ascontiguousarray(args[0]).reshape(-1)
    packed = any(num.bit_width(d) < 8 for d in (flat.dtype, dtype))
    result = _from_bits(_to_bits(flat), dtype) if packed else flat.view(dtype)
    return (result.reshape(shape),)


def index_vectors(indices: Array, index_vector_dim: int) -> Array:
    """The indices with the vector dim last (added when it is implicit), as signed 64-bit numbers that keep their order."""
    if index_vector_dim == indices.ndim:
        indices = indices[..., None]
    vectors = np.moveaxis(indices, index_vector_dim, -1)
    if vectors.dtype == np.uint64:
        vectors = np.minimum(vectors, np.uint64(np.iinfo(np.int64).max))
    return vectors.astype(np.int64)


def batching_positions(index_dims: Sequence[int], index_vector_dim: int, shape: Sequence[int]) -> list[Array]:
    """For each batching dim of the indices: its index at every point of the batch `shape`."""
    result: list[Array] = []
    for d in index_dims:
        axis = d - 1 if d > index_vector_dim else d
        result.append(np.arange(shape[axis]).reshape([-1 if a == axis else 1 for a in range(len(shape))]))
    return result


def _gather(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.GatherOp)
    operand, numbers = args[0], op.dimension_numbers.data
    sizes = cast(Sequence[int], op.slice_sizes.get_values())
    vectors = index_vectors(args[1], numbers.index_vector_dim)
    batch = vectors.shape[:-1]
    dropped = {*numbers.collapsed_slice_dims, *numbers.operand_batching_dims}
    offset_axes = [d for d in range(operand.ndim) if d not in dropped]
    starts: dict[int, Array] = {}
    for k, d in enumerate(numbers.start_index_map):
        starts[d] = np.clip(vectors[..., k], 0, operand.shape[d] - sizes[d])
    positions = batching_positions(numbers.start_indices_batching_dims, numbers.index_vector_dim, batch)
    starts.update(zip(numbers.operand_batching_dims, positions, strict=True))
    index: list[Array] = []
    for d in range(operand.ndim):
        start = np.broadcast_to(starts.get(d, np.zeros((), np.int64)), batch)
        start = start.reshape(batch + (1,) * len(offset_axes))
        offset = np.zeros((), np.int64)
        if d in offset_axes:
            where = offset_axes.index(d)
            offset = np.arange(sizes[d]).reshape([-1 if a == where else 1 for a in range(len(offset_axes))])
        index.append(start + offset)
    shape = (*batch, *(sizes[d] for d in offset_axes))
    values = (
        operand[tuple(np.broadcast_to(i, shape) for i in index)] if operand.ndim else np.broadcast_to(operand, shape)
    )
    batch_axes, offsets = iter(range(len(batch))), iter(range(len(batch), len(shape)))
    order = [next(offsets) if d in numbers.offset_dims else next(batch_axes) for d in range(len(shape))]
    return (np.transpose(values, order),)


def _scatter(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    assert isinstance(op, hlo.ScatterOp)
    count = (len(args) - 1) // 2
    inputs, indices, updates = args[:count], args[count], args[count + 1 :]
    numbers = op.numbers
    shape, update_shape = inputs[0].shape, updates[0].shape
    vectors = index_vectors(indices, numbers.index_vector_dim)
    scatter_dims = [d for d in range(len(update_shape)) if d not in numbers.update_window_dims]
    batch = tuple(update_shape[d] for d in scatter_dims)

    def spread(values: Array, dims: Sequence[int]) -> Array:
        """Values that vary along `dims` of the updates, in the updates' rank."""
        return values.reshape([update_shape[d] if d in dims else 1 for d in range(len(update_shape))])

    full: list[Array] = [np.zeros((), np.int64) for _ in shape]
    for k, d in enumerate(numbers.scatter_dims_to_operand_dims):
        full[d] = full[d] + spread(np.broadcast_to(vectors[..., k], batch), scatter_dims)
    positions = batching_positions(numbers.scatter_indices_batching_dims, numbers.index_vector_dim, batch)
    for d, position in zip(numbers.input_batching_dims, positions, strict=True):
        full[d] = full[d] + spread(np.broadcast_to(position, batch), scatter_dims)
    inserted = {*numbers.inserted_window_dims, *numbers.input_batching_dims}
    window_axes = [d for d in range(len(shape)) if d not in inserted]
    for d, update_dim in zip(window_axes, numbers.update_window_dims, strict=True):
        full[d] = full[d] + spread(np.arange(update_shape[update_dim]), [update_dim])
    flat = np.zeros(update_shape, np.int64)
    inside = np.ones(update_shape, np.bool_)
    for d, extent in enumerate(shape):
        inside &= (full[d] >= 0) & (full[d] < extent)
        flat = flat * extent + np.where((full[d] >= 0) & (full[d] < extent), full[d], 0)
    results = [np.array(x).reshape(-1) for x in inputs]
    chosen = inside.reshape(-1)
    regions.scatter_in_order(
        regions.combiner(interp, op.update_computation),
        results,
        flat.reshape(-1)[chosen],
        [u.reshape(-1)[chosen] for u in updates],
    )
    return tuple(r.reshape(shape) for r in results)


RULES: dict[str, Rule] = {
    "stablehlo.bitcast_convert": _bitcast_convert,
    "stablehlo.broadcast": _broadcast,
    "stablehlo.broadcast_in_dim": _broadcast_in_dim,
    "stablehlo.concatenate": _concatenate,
    "stablehlo.constant": _constant,
    "stablehlo.dynamic_slice": _dynamic_slice,
    "stablehlo.dynamic_update_slice": _dynamic_update_slice,
    "stablehlo.gather": _gather,
    "stablehlo.iota": _iota,
    "stablehlo.pad": _pad,
    "stablehlo.reshape": _reshape,
    "stablehlo.reverse": _reverse,
    "stablehlo.scatter": _scatter,
    "stablehlo.slice": _slice,
    "stablehlo.transpose": _transpose,
}
