"""Interpreter rules of `vector`: vectors are arrays, memrefs are views written in place, tensors are never written.

A transfer or gather lane that is masked off touches nothing; an unmasked lane outside the source is an error where the
op claims `in_bounds`, padding (or not written) where it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from xdsl.dialects import vector as upstream
from xdsl.dialects.builtin import DYNAMIC_INDEX, IndexType, MemRefType, VectorType
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineMap

from stepwell.dialects import vector
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.interpreter import Interpreter, InterpreterError, Rule, Value

Array = np.ndarray[Any, Any]


def _scalar(value: Any, like: SSAValue) -> Value:
    """A lane of a vector as the interpreter holds scalars."""
    return int(value) if isinstance(like.type, IndexType) else np.asarray(value)[()]


def _dtype(value: SSAValue) -> np.dtype[Any]:
    return numpy_dtype(vector.element_type(value))


def _finish(value: Any, like: SSAValue) -> Value:
    return np.asarray(value, _dtype(like)) if isinstance(like.type, VectorType) else _scalar(value, like)


def _maximum(x: Array, y: Array) -> Array:
    """IEEE maximum: NaN propagates, -0 < +0."""
    both = (x == y) & np.signbit(x)
    return np.where(both, y, np.maximum(x, y))


def _minimum(x: Array, y: Array) -> Array:
    both = (x == y) & np.signbit(y)
    return np.where(both, y, np.minimum(x, y))


def _unsigned(function: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    def combined(x: Array, y: Array) -> Array:
        if x.dtype == np.bool_:
            return function(x, y)
        kind = f"u{x.dtype.itemsize}"
        return function(x.view(kind), y.view(kind)).view(x.dtype)

    return combined


def _signed(function: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    def combined(x: Array, y: Array) -> Array:
        if x.dtype == np.bool_:
            return function(-x.astype(np.int8), -y.astype(np.int8)).astype(np.bool_)
        return function(x, y)

    return combined


def _add(x: Array, y: Array) -> Array:
    return x ^ y if x.dtype == np.bool_ else x + y


COMBINE: dict[str, Callable[[Array, Array], Array]] = {
    "add": _add,
    "mul": np.multiply,
    "maximumf": _maximum,
    "minimumf": _minimum,
    "maxnumf": np.fmax,
    "minnumf": np.fmin,
    "maxsi": _signed(np.maximum),
    "minsi": _signed(np.minimum),
    "maxui": _unsigned(np.maximum),
    "minui": _unsigned(np.minimum),
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}
"""What each `#vector.kind` does to two arrays of one dtype."""


def fold(kind: str, array: Array, axis: int) -> Array:
    """Reduce one axis pairwise in halves (a fixed order, rounding to the dtype each time)."""
    parts = [np.asarray(p, array.dtype) for p in np.moveaxis(array, axis, 0)]
    combine = COMBINE[kind]
    with np.errstate(all="ignore"):
        while len(parts) > 1:
            half = len(parts) // 2
            pairs = [np.asarray(combine(parts[2 * i], parts[2 * i + 1]), array.dtype) for i in range(half)]
            parts = pairs + parts[2 * half :]
    return parts[0]


def _combine(kind: str, x: Any, y: Any, dtype: np.dtype[Any]) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(COMBINE[kind](np.asarray(x, dtype), np.asarray(y, dtype)), dtype)


def _broadcast(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    (result,) = op.results
    return (np.broadcast_to(np.asarray(args[0], _dtype(result)), vector.vector_shape(result)),)


def _mixed(static: Sequence[int], dynamic: Sequence[Value]) -> tuple[int, ...]:
    rest = iter(dynamic)
    return tuple(int(next(rest)) if s == DYNAMIC_INDEX else s for s in static)


def _extract(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    assert isinstance(op, upstream.ExtractOp)
    return (_finish(args[0][_mixed(op.static_position.get_values(), args[1:])], op.result),)


def _insert(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    assert isinstance(op, upstream.InsertOp)
    result = np.array(args[1])
    result[_mixed(op.static_position.get_values(), args[2:])] = args[0]
    return (result,)


def _shuffle(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    assert isinstance(op, upstream.ShuffleOp)
    both = np.concatenate([np.atleast_1d(args[0]), np.atleast_1d(args[1])])
    return (both[[max(i, 0) for i in op.mask.get_values()]],)


def _bitcast(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    (result,) = op.results
    array = np.ascontiguousarray(args[0]).view(_dtype(result))
    return (array.reshape(vector.vector_shape(result)),)


def _fma(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    x, y, z = args
    return interp.rules["math.fma"](interp, op, (x, y, z))


def _reduction(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    assert isinstance(op, upstream.ReductionOp)
    kind = op.kind.data.value
    total = fold(kind, np.asarray(args[0], _dtype(op.vector)), 0)
    if len(args) > 1:
        total = _combine(kind, args[1], total, _dtype(op.vector))
    return (_finish(total, op.dest),)


def _multi_reduction(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    assert isinstance(op, vector.MultiReductionOp)
    array = np.asarray(args[0], _dtype(op.source))
    kind = op.kind.data.value
    for axis in sorted(op.reduction_dims.get_values(), reverse=True):
        array = fold(kind, array, axis)
    return (_finish(_combine(kind, args[1], array, _dtype(op.source)), op.dest),)


def _contract(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    assert isinstance(op, vector.ContractOp)
    dtype = numpy_dtype(vector.element_type(op.acc))
    maps = [m.data for m in op.indexing_maps.data]
    lhs, rhs = (_align(np.asarray(a, dtype), m) for a, m in zip(args[:2], maps[:2], strict=True))
    with np.errstate(all="ignore"):
        products = np.asarray(lhs * rhs, dtype)
    kept = [_position(e) for e in maps[2].results]
    for axis in reversed([d for d in range(maps[2].num_dims) if d not in kept]):
        products = fold(op.kind.data.value, products, axis)
    order = sorted(kept)
    products = products.transpose([order.index(d) for d in kept]) if kept else products
    return (_finish(_combine(op.kind.data.value, args[2], products, dtype), op.result),)


def _position(expr: object) -> int:
    assert isinstance(expr, AffineDimExpr)
    return expr.position


def _align(array: Array, amap: AffineMap) -> Array:
    """Permute and expand an operand so that its axes are the iterators in order."""
    positions = [_position(e) for e in amap.results]
    array = array.transpose(np.argsort(positions, kind="stable")) if positions else array
    return np.expand_dims(array, tuple(d for d in range(amap.num_dims) if d not in positions))


def _outerproduct(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    assert isinstance(op, vector.OuterProductOp)
    dtype = _dtype(op.result)
    with np.errstate(all="ignore"):
        product = np.asarray(np.multiply.outer(args[0], args[1]), dtype)
    return (_combine(op.kind.data.value, args[2], product, dtype) if len(args) > 2 else product,)


def _transpose(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    assert isinstance(op, vector.TransposeOp)
    return (np.transpose(args[0], op.permutation.get_values()),)


def _shape_cast(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    return (np.reshape(args[0], vector.vector_shape(op.results[0])),)


def _extract_strided_slice(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    assert isinstance(op, vector.ExtractStridedSliceOp)
    pairs = zip(vector.integers(op.offsets), vector.integers(op.sizes), strict=True)
    return (args[0][tuple(slice(o, o + n) for o, n in pairs)],)


def _insert_strided_slice(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    assert isinstance(op, vector.InsertStridedSliceOp)
    result = np.array(args[1])
    offsets = vector.integers(op.offsets)
    lead = len(offsets) - args[0].ndim
    inner = tuple(slice(o, o + n) for o, n in zip(offsets[lead:], args[0].shape, strict=True))
    result[(*offsets[:lead], *inner)] = args[0]
    return (result,)


def _create_mask(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    return (_mask(vector.vector_shape(op.results[0]), args),)


def _constant_mask(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp, args
    assert isinstance(op, vector.ConstantMaskOp)
    return (_mask(vector.vector_shape(op.result), op.mask_dim_sizes.get_values()),)


def _mask(shape: tuple[int, ...], sizes: Sequence[int]) -> Array:
    result = np.zeros(shape, np.bool_)
    result[tuple(slice(0, max(0, n)) for n in sizes)] = True
    return result


def _step(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp, args
    return (np.arange(vector.vector_shape(op.results[0])[0], dtype=_dtype(op.results[0])),)


Grid = tuple[Array, ...]


def _lanes(
    op: upstream.TransferReadOp | upstream.TransferWriteOp,
    source: Array,
    starts: Sequence[int],
    mask: Array | None,
    shape: tuple[int, ...],
) -> tuple[Grid, Array]:
    """Per source dim the index of each lane (clipped), and which lanes touch the source."""
    grid = [np.full(shape, s, np.int64) for s in starts]
    for axis, (expr, size) in enumerate(zip(op.permutation_map.data.results, shape, strict=True)):
        if isinstance(expr, AffineDimExpr):
            steps = np.arange(size).reshape([-1 if a == axis else 1 for a in range(len(shape))])
            grid[expr.position] = grid[expr.position] + steps
    active = np.ones(shape, np.bool_) if mask is None else _spread_mask(op, mask, shape)
    for dim, extent in enumerate(source.shape):
        outside = (grid[dim] < 0) | (grid[dim] >= extent)
        claimed = _claims_in_bounds(op, dim)
        if claimed and bool((outside & active).any()):
            raise InterpreterError(op, f"accesses dim {dim} of extent {extent} outside, at {starts}")
        active = active & ~outside
    clipped = tuple(np.clip(g, 0, max(0, e - 1)) for g, e in zip(grid, source.shape, strict=True))
    return clipped, active


def _spread_mask(op: upstream.TransferReadOp | upstream.TransferWriteOp, mask: Array, shape: tuple[int, ...]) -> Array:
    """The mask follows the order of source dims; bring it to the vector's, broadcasting."""
    exprs = op.permutation_map.data.results
    used = sorted(_position(e) for e in exprs if isinstance(e, AffineDimExpr))
    axes = [used.index(_position(e)) for e in exprs if isinstance(e, AffineDimExpr)]
    spread = mask.transpose(axes) if axes else mask
    spread = np.expand_dims(spread, tuple(i for i, e in enumerate(exprs) if not isinstance(e, AffineDimExpr)))
    return np.broadcast_to(spread, shape)


def _claims_in_bounds(op: upstream.TransferReadOp | upstream.TransferWriteOp, dim: int) -> bool:
    """Dims the vector does not span must always be inside."""
    for expr, claim in zip(op.permutation_map.data.results, op.in_bounds.data, strict=True):
        if isinstance(expr, AffineDimExpr) and expr.position == dim:
            return bool(claim)
    return True


def _transfer_read(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    assert isinstance(op, upstream.TransferReadOp)
    source, rank = np.asarray(args[0]), len(op.indices)
    mask = args[rank + 2] if op.mask is not None else None
    shape = vector.vector_shape(op.result)
    grid, active = _lanes(op, source, args[1 : rank + 1], mask, shape)
    padding = np.asarray(args[rank + 1], source.dtype)
    if source.size == 0:
        return (np.broadcast_to(padding, shape),)
    return (np.where(active, source[grid], padding).astype(source.dtype, copy=False),)


def _transfer_write(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    assert isinstance(op, upstream.TransferWriteOp)
    target, rank = args[1], len(op.indices)
    mask = args[rank + 2] if op.mask is not None else None
    values = np.asarray(args[0])
    if op.result is not None:
        target = np.array(target)
    grid, active = _lanes(op, target, args[2 : rank + 2], mask, values.shape)
    target[tuple(g[active] for g in grid)] = values[active]
    return () if op.result is None else (target,)


def _load(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    shape = vector.vector_shape(op.results[0])
    return (np.array(args[0][_window(op, args[0], args[1:], shape)]).reshape(shape),)


def _store(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    args[1][_window(op, args[1], args[2:], args[0].shape)] = args[0]
    return ()


def _window(op: Operation, base: Array, starts: Sequence[int], shape: tuple[int, ...]) -> tuple[slice | int, ...]:
    lead = base.ndim - len(shape)
    for start, extent, length in zip(starts, base.shape, (1,) * lead + shape, strict=True):
        if start < 0 or start + length > extent:
            raise InterpreterError(op, f"accesses [{start}, {start + length}) of extent {extent}")
    inner = tuple(slice(s, s + n) for s, n in zip(starts[lead:], shape, strict=True))
    return (*starts[:lead], *inner)


def _flat_lanes(op: Operation, base: Array, starts: Sequence[int], offsets: Array, mask: Array) -> Array:
    """Row-major positions of the active lanes."""
    start = 0
    for index, extent in zip(starts, base.shape, strict=True):
        start = start * extent + int(index)
    positions = np.asarray(offsets, np.int64)[mask] + start
    if positions.size and (positions.min() < 0 or positions.max() >= base.size):
        raise InterpreterError(op, f"lane outside: positions {positions} of {base.size} elements")
    return positions


def _gather(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    base, starts, (offsets, mask, passed) = args[0], args[1:-3], args[-3:]
    result = np.array(passed)
    mask = np.asarray(mask, np.bool_)
    positions = _flat_lanes(op, base, starts, offsets, mask)
    result[mask] = base[np.unravel_index(positions, base.shape)] if positions.size else result[mask]
    return (result,)


def _scatter(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    base, starts, (offsets, mask, values) = args[0], args[1:-3], args[-3:]
    on_memref = isinstance(op.operands[0].type, MemRefType)
    target = base if on_memref else np.array(base)
    mask = np.asarray(mask, np.bool_)
    positions = _flat_lanes(op, base, starts, offsets, mask)
    for position, value in zip(positions, np.asarray(values)[mask], strict=True):
        target[np.unravel_index(position, target.shape)] = value
    return () if on_memref else (target,)


def _masked_load(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    base, starts, (mask, passed) = args[0], args[1:-2], args[-2:]
    result = np.array(passed)
    for lane in np.flatnonzero(mask):
        result[lane] = base[(*starts[:-1], starts[-1] + int(lane))]
    return (result,)


def _masked_store(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    base, starts, (mask, values) = args[0], args[1:-2], args[-2:]
    for lane in np.flatnonzero(mask):
        base[(*starts[:-1], starts[-1] + int(lane))] = values[lane]
    return ()


RULES: dict[str, Rule] = {
    "vector.bitcast": _bitcast,
    "vector.broadcast": _broadcast,
    "vector.constant_mask": _constant_mask,
    "vector.contract": _contract,
    "vector.create_mask": _create_mask,
    "vector.extract": _extract,
    "vector.extract_strided_slice": _extract_strided_slice,
    "vector.fma": _fma,
    "vector.gather": _gather,
    "vector.insert": _insert,
    "vector.insert_strided_slice": _insert_strided_slice,
    "vector.load": _load,
    "vector.maskedload": _masked_load,
    "vector.maskedstore": _masked_store,
    "vector.multi_reduction": _multi_reduction,
    "vector.outerproduct": _outerproduct,
    "vector.reduction": _reduction,
    "vector.scatter": _scatter,
    "vector.shape_cast": _shape_cast,
    "vector.shuffle": _shuffle,
    "vector.step": _step,
    "vector.store": _store,
    "vector.transfer_read": _transfer_read,
    "vector.transfer_write": _transfer_write,
    "vector.transpose": _transpose,
}
