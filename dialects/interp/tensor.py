"""Interpreter rules of `tensor`. Tensors are immutable: what updates one copies it first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from xdsl.dialects import tensor
from xdsl.dialects.builtin import DYNAMIC_INDEX, DenseArrayBase, TensorType
from xdsl.ir import Operation, SSAValue

from stepwell.dialects.interp.arith import finish
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.interpreter import Interpreter, InterpreterError, Rule, Value

Array = Any


def undefined(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An array whose contents nobody may rely on: NaN for floats, else a striking pattern."""
    if dtype == np.bool_:
        return np.ones(shape, dtype)
    if dtype.kind in "iu":
        return np.frombuffer(b"\x5a" * dtype.itemsize, dtype).repeat(int(np.prod(shape))).reshape(shape)
    return np.full(shape, np.nan).astype(dtype)


def mixed_values(interp: Interpreter, static: DenseArrayBase[Any], dynamic: tuple[SSAValue, ...] | Any) -> list[int]:
    """Static and dynamic sizes, offsets or strides as one list of ints."""
    values = iter([int(interp.get(v)) for v in dynamic])
    return [next(values) if s == DYNAMIC_INDEX else int(s) for s in static.get_values()]


def checked_slices(
    op: Operation, shape: tuple[int, ...], parts: tuple[list[int], list[int], list[int]]
) -> tuple[slice, ...]:
    """Offsets, sizes and strides as NumPy slices.

    Raises:
        InterpreterError: the slice leaves the tensor.
    """
    slices: list[slice] = []
    for extent, offset, size, stride in zip(shape, *parts, strict=True):
        last = offset + (size - 1) * stride
        if size < 0 or (size and not (0 <= offset < extent and 0 <= last < extent)):
            raise InterpreterError(op, f"slice [{offset} : {size} : {stride}] leaves the extent {extent}")
        slices.append(slice(offset, offset + max(0, (size - 1) * stride + 1) if size else offset, stride))
    return tuple(slices)


def dropped_dims(sizes: Sequence[int], shape: Sequence[int]) -> tuple[int, ...]:
    """The dims of static size one that a slice of `sizes` lacks when its type has `shape`; other dims are never dropped."""
    kept = 0
    dropped: list[int] = []
    for axis, size in enumerate(sizes):
        if size == 1 and (kept == len(shape) or shape[kept] != 1):
            dropped.append(axis)
        else:
            kept += 1
    return tuple(dropped)


def gather(op: Operation, source: Array, indices: tuple[Value, ...]) -> Array:
    """Elements at (arrays of) indices.

    Raises:
        InterpreterError: an index is out of bounds.
    """
    lanes = tuple(np.asarray(i) for i in indices)
    for axis, (lane, size) in enumerate(zip(lanes, source.shape, strict=True)):
        if lane.size and (lane.min() < 0 or lane.max() >= size):
            worst = int(lane.min() if lane.min() < 0 else lane.max())
            raise InterpreterError(op, f"index {worst} of dimension {axis} out of bounds for size {size}")
    if any(lane.size == 0 for lane in lanes):
        return np.empty(np.broadcast_shapes(*(lane.shape for lane in lanes)), source.dtype)
    return source[lanes]


def _empty(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, tensor.EmptyOp)
    result = op.tensor.type
    assert isinstance(result, TensorType)
    sizes = iter(args)
    shape = tuple(int(next(sizes)) if n == DYNAMIC_INDEX else n for n in result.get_shape())
    return (undefined(shape, numpy_dtype(result.get_element_type())),)


def _dim(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp, op
    return (int(args[0].shape[int(args[1])]),)


def _cast(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp, op
    return (args[0],)


def _collapse_shape(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, tensor.CollapseShapeOp)
    shape = args[0].shape
    groups = [[int(i.value.data) for i in group.data] for group in op.reassociation.data]
    return (args[0].reshape(tuple(int(np.prod([shape[i] for i in g], dtype=np.int64)) for g in groups)),)


def _expand_shape(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, tensor.ExpandShapeOp)
    return (args[0].reshape(mixed_values(interp, op.static_output_shape, op.dynamic_output_shape)),)


def _slice_parts(interp: Interpreter, op: Any) -> tuple[list[int], list[int], list[int]]:
    return (
        mixed_values(interp, op.static_offsets, op.offsets),
        mixed_values(interp, op.static_sizes, op.sizes),
        mixed_values(interp, op.static_strides, op.strides),
    )


def _extract_slice(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, tensor.ExtractSliceOp)
    parts = _slice_parts(interp, op)
    piece = args[0][checked_slices(op, args[0].shape, parts)]
    result = op.result.type
    assert isinstance(result, TensorType)
    dropped = dropped_dims(op.static_sizes.get_values(), result.get_shape())
    return (np.array(np.squeeze(piece, axis=dropped)),)


def _insert_slice(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, tensor.InsertSliceOp)
    parts = _slice_parts(interp, op)
    result = np.array(args[1])
    result[checked_slices(op, result.shape, parts)] = args[0].reshape(parts[1])
    return (result,)


def _extract(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp
    return (finish(gather(op, np.asarray(args[0]), args[1:]), op.results[0].type),)


def _insert(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp
    result = np.array(args[1])
    gather(op, result, args[2:])
    result[tuple(int(i) for i in args[2:])] = args[0]
    return (result,)


def _from_elements(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp
    result = op.results[0].type
    assert isinstance(result, TensorType)
    dtype = numpy_dtype(result.get_element_type())
    return (np.array([np.asarray(a, dtype) for a in args], dtype).reshape(result.get_shape()),)


def _splat(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp
    result = op.results[0].type
    assert isinstance(result, TensorType)
    sizes = iter(args[1:])
    shape = tuple(int(next(sizes)) if n == DYNAMIC_INDEX else n for n in result.get_shape())
    return (np.full(shape, args[0], numpy_dtype(result.get_element_type())),)


def _concat(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, tensor.ConcatOp)
    return (np.concatenate(args, axis=op.dim.value.data),)


def _pad(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, tensor.PadOp)
    source = args[0]
    low = mixed_values(interp, op.static_low, op.low)
    high = mixed_values(interp, op.static_high, op.high)
    shape = tuple(n + lo + hi for n, lo, hi in zip(source.shape, low, high, strict=True))
    grids = np.indices(shape, sparse=True) if shape else ()
    (value,) = interp.run_block(op.region.block, tuple(grids))
    result = np.array(np.broadcast_to(np.asarray(value, source.dtype), shape))
    result[tuple(slice(lo, lo + n) for lo, n in zip(low, source.shape, strict=True))] = source
    return (result,)


RULES: dict[str, Rule] = {
    "tensor.cast": _cast,
    "tensor.collapse_shape": _collapse_shape,
    "tensor.concat": _concat,
    "tensor.dim": _dim,
    "tensor.empty": _empty,
    "tensor.expand_shape": _expand_shape,
    "tensor.extract": _extract,
    "tensor.extract_slice": _extract_slice,
    "tensor.from_elements": _from_elements,
    "tensor.insert": _insert,
    "tensor.insert_slice": _insert_slice,
    "tensor.pad": _pad,
    "tensor.splat": _splat,
}
