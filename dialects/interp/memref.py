"""Interpreter rules of `memref`: a memref is a NumPy view written in place, so views alias as buffers do.

Fresh memory holds a striking pattern, so that a read before the first write shows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from xdsl.dialects import memref
from xdsl.dialects.builtin import DYNAMIC_INDEX, DenseIntOrFPElementsAttr, MemRefType
from xdsl.ir import Operation

from stepwell.dialects.interp.tensor import checked_slices, dropped_dims, mixed_values, undefined
from stepwell.dialects.interp.vector import COMBINE
from stepwell.dialects.kernel import lookup_symbol
from stepwell.dialects.memref import AtomicRMWOp
from stepwell.ir.dense import dense_to_array
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.interpreter import Interpreter, InterpreterError, Rule, Value

Array = Any


def _element(op: Operation, array: Array, indices: tuple[Value, ...]) -> tuple[int, ...]:
    """The indices as ints, checked: native code would read or write out of bounds."""
    where = tuple(int(i) for i in indices)
    for axis, (i, size) in enumerate(zip(where, array.shape, strict=True)):
        if not 0 <= i < size:
            raise InterpreterError(op, f"index {i} of dimension {axis} out of bounds for size {size}")
    return where


def _load(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    value = args[0][_element(op, args[0], args[1:])]
    return (int(value),) if op.results[0].type.name == "index" else (value,)


def _store(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    args[1][_element(op, args[1], args[2:])] = args[0]
    return ()


def updating(op: AtomicRMWOp) -> Callable[[Any, Any], Array]:
    """What an update makes of elements and values, of its dtype."""
    dtype, kind = numpy_dtype(op.value.type), op.combination.combining
    if kind is None:
        return lambda old, value: value
    combine = COMBINE[kind]

    def update(old: Any, value: Any) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(combine(np.asarray(old, dtype), np.asarray(value, dtype)), dtype)

    return update


def _atomic_rmw(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, AtomicRMWOp)
    value, array, *indices = args
    where = _element(op, array, tuple(indices))
    old = array[where]
    array[where] = updating(op)(old, value)
    return (old,)


def _alloc(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    result = op.results[0].type
    assert isinstance(result, MemRefType)
    sizes = iter(args)
    shape = tuple(int(next(sizes)) if n == DYNAMIC_INDEX else n for n in result.get_shape())
    return (np.array(undefined(shape, numpy_dtype(result.element_type))),)


def _nothing(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    return ()


def _copy(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    source, target = args
    if np.shares_memory(source, target):
        raise InterpreterError(op, "source and destination overlap")
    target[...] = source
    return ()


def _get_global(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, memref.GetGlobalOp)
    found = lookup_symbol(interp.module, op.name_.root_reference.data)
    if not isinstance(found, memref.GlobalOp) or not isinstance(found.initial_value, DenseIntOrFPElementsAttr):
        raise InterpreterError(op, f"no initialized memref.global {op.name_}")
    array = np.array(dense_to_array(found.initial_value))
    array.flags.writeable = False
    return (array,)


def _dim(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    return (int(args[0].shape[int(args[1])]),)


def _cast(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    return (args[0],)


def _subview(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, memref.SubviewOp)
    parts = (
        mixed_values(interp, op.static_offsets, op.offsets),
        mixed_values(interp, op.static_sizes, op.sizes),
        mixed_values(interp, op.static_strides, op.strides),
    )
    piece = args[0][checked_slices(op, args[0].shape, parts)]
    result = op.result.type
    assert isinstance(result, MemRefType)
    dropped = dropped_dims(op.static_sizes.get_values(), result.get_shape())
    return (np.squeeze(piece, axis=dropped),)


def _reshaped(op: Operation, source: Array, shape: tuple[int, ...]) -> Array:
    view = source.reshape(shape)
    if view.size and not np.may_share_memory(view, source):  # reshape copies what it cannot view
        raise InterpreterError(op, f"cannot view strides {source.strides} as shape {shape}")
    return view


def _collapse(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, memref.CollapseShapeOp)
    old = args[0].shape
    groups = [[int(i.value.data) for i in group.data] for group in op.reassociation.data]
    return (_reshaped(op, args[0], tuple(int(np.prod([old[i] for i in g], dtype=np.int64)) for g in groups)),)


def _expand(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, memref.ExpandShapeOp)
    return (_reshaped(op, args[0], tuple(mixed_values(interp, op.static_output_shape, op.output_shape))),)


def _view(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, memref.ViewOp)
    source, shift, *sizes = args
    result = op.result.type
    assert isinstance(result, MemRefType)
    dynamic = iter(sizes)
    shape = tuple(int(next(dynamic)) if n == DYNAMIC_INDEX else n for n in result.get_shape())
    dtype = numpy_dtype(result.element_type)
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if not 0 <= shift <= shift + size <= source.size:
        raise InterpreterError(op, f"bytes {shift} to {shift + size} of a buffer of {source.size} bytes")
    return (source[shift : shift + size].view(dtype).reshape(shape),)


def _reinterpret_cast(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, memref.ReinterpretCastOp)
    (offset,) = mixed_values(interp, op.static_offsets, op.offsets)
    sizes = mixed_values(interp, op.static_sizes, op.sizes)
    strides = mixed_values(interp, op.static_strides, op.strides)
    source = args[0]
    if not source.flags.c_contiguous:
        raise InterpreterError(op, "the source is no dense buffer")
    last = offset + sum((n - 1) * s for n, s in zip(sizes, strides, strict=True))
    if all(sizes) and not 0 <= offset <= last < source.size:
        raise InterpreterError(op, f"element {last} of a buffer of {source.size} elements")
    width = source.itemsize
    flat = source.reshape(-1)[offset:]
    return (np.lib.stride_tricks.as_strided(flat, sizes, [s * width for s in strides]),)


RULES: dict[str, Rule] = {
    "memref.alloc": _alloc,
    "memref.alloca": _alloc,
    "memref.assume_alignment": _cast,
    "memref.atomic_rmw": _atomic_rmw,
    "memref.cast": _cast,
    "memref.collapse_shape": _collapse,
    "memref.copy": _copy,
    "memref.dealloc": _nothing,
    "memref.dim": _dim,
    "memref.expand_shape": _expand,
    "memref.get_global": _get_global,
    "memref.global": _nothing,
    "memref.load": _load,
    "memref.prefetch": _nothing,
    "memref.reinterpret_cast": _reinterpret_cast,
    "memref.store": _store,
    "memref.subview": _subview,
    "memref.view": _view,
}
