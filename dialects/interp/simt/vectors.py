"""`vector` in a kernel: vectors of one thread, all threads at once along a leading axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from xdsl.dialects import vector as upstream
from xdsl.dialects.builtin import DYNAMIC_INDEX
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineMap

from stepwell.dialects import vector
from stepwell.dialects.interp.simt.access import check_alignment, load, locate, store
from stepwell.dialects.interp.simt.block import ThreadBlock
from stepwell.dialects.interp.simt.memory import Access, MemRef, along
from stepwell.dialects.interp.simt.memrefs import alignment_of, finder
from stepwell.dialects.interp.simt.program import Builder, Prepare, Run
from stepwell.dialects.interp.simt.reports import ReportKind
from stepwell.dialects.interp.simt.values import Array, Mask, Value, is_lanes, rank_of, spread
from stepwell.dialects.interp.vector import COMBINE, fold
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.dtypes import numpy_dtype


def _dtype(value: SSAValue) -> np.dtype[Any]:
    return numpy_dtype(vector.element_type(value))


def _per_lane(op: Operation, builder: Builder) -> Run:
    """The interpreter's own rule, once while all is uniform, else active thread by active thread."""
    host = builder.host
    rule = host.rules[op.name]
    ranks = [rank_of(o.type) for o in op.operands]

    def run(block: ThreadBlock, *args: Value) -> Sequence[Value]:
        varies = [is_lanes(a, rank) for a, rank in zip(args, ranks, strict=True)]
        if not any(varies):
            return rule(host, op, args)
        threads = block.active_threads()
        rows = [rule(host, op, tuple(a[t] if v else a for a, v in zip(args, varies, strict=True))) for t in threads]
        results: list[Array] = []
        for index in range(len(op.results)):
            parts = np.stack([np.asarray(row[index]) for row in rows])
            lanes = np.zeros((block.count, *parts.shape[1:]), parts.dtype)
            lanes[threads] = parts
            results.append(lanes)
        return results

    return run


def _uniform_or(compute: Callable[[Operation, Builder], Callable[..., Value]]) -> Prepare:
    """An op of one operand: the interpreter's rule when that is uniform, else `compute` on its lanes."""

    def prepare(op: Operation, builder: Builder) -> Run:
        host = builder.host
        rule, rank, on_lanes = host.rules[op.name], rank_of(op.operands[0].type), compute(op, builder)

        def run(block: ThreadBlock, *args: Value) -> Sequence[Value]:
            if not any(map(is_lanes, args, (rank, *(0,) * (len(args) - 1)))):
                return rule(host, op, args)
            return (on_lanes(spread(args[0], rank, block.count), *args[1:]),)

        return run

    return prepare


def _broadcast(op: Operation, builder: Builder) -> Callable[..., Value]:
    del builder
    shape, rank, dtype = vector.vector_shape(op.results[0]), rank_of(op.operands[0].type), _dtype(op.results[0])
    ones = (1,) * (len(shape) - rank)

    def compute(lanes: Array) -> Value:
        wide = lanes.reshape(lanes.shape[0], *ones, *lanes.shape[1:])
        return np.broadcast_to(wide.astype(dtype, copy=False), (lanes.shape[0], *shape))

    return compute


def _shape_cast(op: Operation, builder: Builder) -> Callable[..., Value]:
    del builder
    shape = vector.vector_shape(op.results[0])
    return lambda lanes: lanes.reshape(lanes.shape[0], *shape)


def _transpose(op: Operation, builder: Builder) -> Callable[..., Value]:
    del builder
    assert isinstance(op, vector.TransposeOp)
    order = (0, *(p + 1 for p in op.permutation.get_values()))
    return lambda lanes: lanes.transpose(order)


def _extract_strided_slice(op: Operation, builder: Builder) -> Callable[..., Value]:
    del builder
    assert isinstance(op, vector.ExtractStridedSliceOp)
    pairs = zip(vector.integers(op.offsets), vector.integers(op.sizes), strict=True)
    piece = (slice(None), *(slice(o, o + n) for o, n in pairs))
    return lambda lanes: lanes[piece]


def _reduction(op: Operation, builder: Builder) -> Callable[..., Value]:
    del builder
    assert isinstance(op, upstream.ReductionOp)
    kind, dtype = op.kind.data.value, _dtype(op.vector)

    def compute(lanes: Array, *acc: Value) -> Value:
        total = fold(kind, lanes.astype(dtype, copy=False), 1)
        if not acc:
            return total
        with np.errstate(all="ignore"):
            return np.asarray(COMBINE[kind](np.asarray(acc[0], dtype), total), dtype)

    return compute


def _multi_reduction(op: Operation, builder: Builder) -> Run:
    host = builder.host
    assert isinstance(op, vector.MultiReductionOp)
    rule, kind, dtype = host.rules[op.name], op.kind.data.value, _dtype(op.source)
    axes = sorted((d + 1 for d in op.reduction_dims.get_values()), reverse=True)
    ranks = (rank_of(op.source.type), rank_of(op.acc.type))

    def run(block: ThreadBlock, source: Value, acc: Value) -> Sequence[Value]:
        if not is_lanes(source, ranks[0]) and not is_lanes(acc, ranks[1]):
            return rule(host, op, (source, acc))
        total = spread(source, ranks[0], block.count).astype(dtype, copy=False)
        for axis in axes:
            total = fold(kind, total, axis)
        with np.errstate(all="ignore"):
            return (np.asarray(COMBINE[kind](np.asarray(acc, dtype), total), dtype),)

    return run


def _positions(block: ThreadBlock, op: Operation, given: Sequence[Value], shape: Sequence[int]) -> list[Value]:
    """Positions in a vector, kept inside; an active lane outside is reported."""
    result: list[Value] = []
    for position, extent in zip(given, shape, strict=False):
        wrong = np.broadcast_to((np.asarray(position) < 0) | (np.asarray(position) >= extent), (block.count,))
        wrong = wrong if block.active is None else wrong & block.active
        if wrong.any():
            lanes = np.flatnonzero(wrong)
            at = int(np.broadcast_to(position, (block.count,))[lanes[0]])
            message = f"thread {lanes[0]} names position {at} of a vector's dimension of {extent}"
            block.report(ReportKind.OUT_OF_BOUNDS, op, message, lanes)
        result.append(np.clip(position, 0, extent - 1))
    return result


def _place(static: Sequence[int], dynamic: Sequence[Value], count: int) -> tuple[Value, ...]:
    """An index of lanes of vectors: all lanes, then the position within each."""
    rest = iter(dynamic)
    positions = [next(rest) if s == DYNAMIC_INDEX else s for s in static]
    return (np.arange(count) if any(map(is_lanes, positions)) else slice(None), *positions)


def _extract(op: Operation, builder: Builder) -> Run:
    host = builder.host
    assert isinstance(op, upstream.ExtractOp)
    rule, rank, static = host.rules[op.name], rank_of(op.vector.type), op.static_position.get_values()
    shape = vector.vector_shape(op.vector)
    bounds = [n for n, s in zip(shape, static, strict=False) if s == DYNAMIC_INDEX]

    def run(block: ThreadBlock, source: Value, *dynamic: Value) -> Sequence[Value]:
        positions = _positions(block, op, dynamic, bounds) if dynamic else []
        if not is_lanes(source, rank) and not any(map(is_lanes, dynamic)):
            return rule(host, op, (source, *positions))
        return (spread(source, rank, block.count)[_place(static, positions, block.count)],)

    return run


def _insert(op: Operation, builder: Builder) -> Run:
    host = builder.host
    assert isinstance(op, upstream.InsertOp)
    rule, static = host.rules[op.name], op.static_position.get_values()
    ranks = (rank_of(op.source.type), rank_of(op.dest.type))
    shape = vector.vector_shape(op.dest)
    bounds = [n for n, s in zip(shape, static, strict=False) if s == DYNAMIC_INDEX]

    def run(block: ThreadBlock, value: Value, target: Value, *dynamic: Value) -> Sequence[Value]:
        positions = _positions(block, op, dynamic, bounds) if dynamic else []
        lanes = is_lanes(value, ranks[0]) or is_lanes(target, ranks[1]) or any(map(is_lanes, dynamic))
        if not lanes:
            return rule(host, op, (value, target, *positions))
        result = np.array(spread(target, ranks[1], block.count))
        result[_place(static, positions, block.count)] = value
        return (result,)

    return run


def _create_mask(op: Operation, builder: Builder) -> Run:
    host = builder.host
    rule, shape = host.rules[op.name], vector.vector_shape(op.results[0])

    def run(block: ThreadBlock, *sizes: Value) -> Sequence[Value]:
        if not any(map(is_lanes, sizes)):
            return rule(host, op, sizes)
        result: Any = True
        for axis, (size, count) in enumerate(zip(sizes, shape, strict=True)):
            limit = size.reshape(-1, *(1,) * len(shape)) if is_lanes(size) else size
            result = result & (along(count, axis, len(shape)) < limit)
        return (np.broadcast_to(result, (block.count, *shape)),)

    return run


def _constant(op: Operation, builder: Builder) -> Run:
    value = tuple(builder.host.rules[op.name](builder.host, op, ()))
    return lambda block: value


def _checked_transfer(op: upstream.TransferReadOp | upstream.TransferWriteOp, rank: int, spans: int) -> None:
    if op.permutation_map.data != AffineMap.minor_identity(rank, spans):
        raise unsupported(op, "a thread's transfer along other than the last dimensions in order")


def _locate_transfer(
    op: upstream.TransferReadOp | upstream.TransferWriteOp, spans: tuple[int, ...]
) -> Callable[[ThreadBlock, MemRef, Sequence[Value], Mask | None], Access]:
    may_leave = tuple(not bool(claim) for claim in op.in_bounds.data)
    alignment = alignment_of(op)

    def find(block: ThreadBlock, ref: MemRef, indices: Sequence[Value], mask: Mask | None) -> Access:
        access = locate(block, op, ref, indices, spans, mask, may_leave)
        if alignment > 1:
            check_alignment(block, op, access, alignment)
        return access

    return find


def _transfer_read(op: Operation, builder: Builder) -> Run:
    del builder
    assert isinstance(op, upstream.TransferReadOp)
    rank, spans = len(op.indices), vector.vector_shape(op.result)
    _checked_transfer(op, rank, len(spans))
    find = _locate_transfer(op, spans)

    def run(block: ThreadBlock, ref: MemRef, *args: Value) -> Sequence[Value]:
        mask = args[rank + 1] if len(args) > rank + 1 else None
        return (load(block, op, find(block, ref, args[:rank], mask), args[rank]),)

    return run


def _transfer_write(op: Operation, builder: Builder) -> Run:
    del builder
    assert isinstance(op, upstream.TransferWriteOp)
    rank, spans = len(op.indices), vector.vector_shape(op.vector)
    _checked_transfer(op, rank, len(spans))
    find = _locate_transfer(op, spans)

    def run(block: ThreadBlock, value: Value, ref: MemRef, *args: Value) -> Sequence[Value]:
        mask = args[rank] if len(args) > rank else None
        store(block, op, find(block, ref, args[:rank], mask), value)
        return ()

    return run


def _load(op: Operation, builder: Builder) -> Run:
    del builder
    find = finder(op, vector.vector_shape(op.results[0]))
    return lambda block, ref, *args: (load(block, op, find(block, ref, args)),)


def _store(op: Operation, builder: Builder) -> Run:
    del builder
    find = finder(op, vector.vector_shape(op.operands[0]))

    def run(block: ThreadBlock, value: Value, ref: MemRef, *args: Value) -> Sequence[Value]:
        store(block, op, find(block, ref, args), value)
        return ()

    return run


def _masked_load(op: Operation, builder: Builder) -> Run:
    del builder
    spans = vector.vector_shape(op.results[0])

    def run(block: ThreadBlock, ref: MemRef, *args: Value) -> Sequence[Value]:
        *indices, mask, passed = args
        values = load(block, op, locate(block, op, ref, indices, spans, mask))
        return (np.where(mask, values, passed),)

    return run


def _masked_store(op: Operation, builder: Builder) -> Run:
    del builder
    spans = vector.vector_shape(op.operands[-1])

    def run(block: ThreadBlock, ref: MemRef, *args: Value) -> Sequence[Value]:
        *indices, mask, values = args
        store(block, op, locate(block, op, ref, indices, spans, mask), values)
        return ()

    return run


def _scattered(block: ThreadBlock, op: Operation, ref: MemRef, args: Sequence[Value]) -> tuple[Access, Mask]:
    """Elements at offsets, in row-major order, from an addressed one, and which of them are accessed."""
    *indices, offsets, mask = args
    size: Any = 1
    for extent in ref.shape:
        size = size * extent
    row: Any = 0
    wanted = np.asarray(offsets, np.int64)
    for index, extent in zip(indices, ref.shape, strict=True):
        row = row * extent + index
    rank = wanted.ndim - is_lanes(wanted, 1)
    row = row.reshape(-1, *(1,) * rank) if is_lanes(row) else row
    place = row + wanted
    outside = (place < 0) | (place >= size)
    access = Access(ref, wanted.shape[-rank:], _address(ref, place), mask)
    enabled = access.enabled(block.active)
    wrong = np.broadcast_to(outside if enabled is None else outside & enabled, (block.count, *access.spans))
    if wrong.any():
        lanes = np.flatnonzero(wrong.reshape(block.count, -1).any(axis=1))
        at = int(np.broadcast_to(place, wrong.shape)[wrong][0])
        message = f"thread {lanes[0]} accesses element {at} of {ref.memory.name}, which has {size}"
        block.report(ReportKind.OUT_OF_BOUNDS, op, message, lanes)
    inside = np.asarray(mask) & ~outside
    access.mask = inside
    return access, inside


def _address(ref: MemRef, place: Array) -> Array:
    """Where elements lie that are counted in row-major order."""
    position: Any = (
        ref.offset.reshape(-1, *(1,) * (place.ndim - 1)) if isinstance(ref.offset, np.ndarray) else ref.offset
    )
    for extent, stride in zip(reversed(ref.shape), reversed(ref.strides), strict=True):
        position = position + place % extent * stride
        place = place // extent
    return position


def _gather(op: Operation, builder: Builder) -> Run:
    del builder

    def run(block: ThreadBlock, ref: MemRef, *args: Value) -> Sequence[Value]:
        *rest, passed = args
        access, mask = _scattered(block, op, ref, rest)
        return (np.where(mask, load(block, op, access), passed),)

    return run


def _scatter(op: Operation, builder: Builder) -> Run:
    del builder

    def run(block: ThreadBlock, ref: MemRef, *args: Value) -> Sequence[Value]:
        *rest, values = args
        store(block, op, _scattered(block, op, ref, rest)[0], values)
        return ()

    return run


RULES: dict[str, Prepare] = {
    "affine.vector_load": _load,
    "affine.vector_store": _store,
    "vector.bitcast": _per_lane,
    "vector.broadcast": _uniform_or(_broadcast),
    "vector.constant_mask": _constant,
    "vector.contract": _per_lane,
    "vector.create_mask": _create_mask,
    "vector.extract": _extract,
    "vector.extract_strided_slice": _uniform_or(_extract_strided_slice),
    "vector.gather": _gather,
    "vector.insert": _insert,
    "vector.insert_strided_slice": _per_lane,
    "vector.load": _load,
    "vector.maskedload": _masked_load,
    "vector.maskedstore": _masked_store,
    "vector.multi_reduction": _multi_reduction,
    "vector.outerproduct": _per_lane,
    "vector.reduction": _uniform_or(_reduction),
    "vector.scatter": _scatter,
    "vector.shape_cast": _uniform_or(_shape_cast),
    "vector.shuffle": _per_lane,
    "vector.step": _constant,
    "vector.store": _store,
    "vector.transfer_read": _transfer_read,
    "vector.transfer_write": _transfer_write,
    "vector.transpose": _uniform_or(_transpose),
}
