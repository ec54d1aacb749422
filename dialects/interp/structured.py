"""Interpreter rules of `structured`; regions run on many lanes at a time where these are independent."""

from __future__ import annotations

from typing import Any

import numpy as np
from xdsl.ir import Operation, Region

from stepwell.dialects import structured
from stepwell.dialects.interp import numerics as num
from stepwell.dialects.interp.structured_attention import attention
from stepwell.dialects.interp.structured_attention_gradient import attention_gradient
from stepwell.dialects.interp.structured_winograd import winograd_filter, winograd_input, winograd_output
from stepwell.dialects.structured import StructuredOp
from stepwell.dialects.structured_host_call import as_kind
from stepwell.ir.interpreter import Interpreter, Rule, Value

Array = Any


def _finish(op: StructuredOp, targets: list[Array]) -> tuple[Value, ...]:
    return tuple(targets) if op.results else ()


def _targets(op: StructuredOp, arrays: tuple[Value, ...]) -> list[Array]:
    """The arrays to update: copies of tensors, memrefs themselves."""
    return [np.array(a) for a in arrays] if op.results else list(arrays)


def _sort(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    """Bottom-up merge sort, every merge of every line in step."""
    assert isinstance(op, structured.SortOp)
    targets = _targets(op, args[: len(op.outs)])
    axis, shape = op.dimension.value.data, targets[0].shape
    if 0 in shape:
        return _finish(op, targets)
    lines = [np.moveaxis(np.array(t), axis, -1).reshape(-1, shape[axis]) for t in targets]
    width = 1
    while width < shape[axis]:
        lines = _merge_runs(interp, op.comparator, lines, width)
        width *= 2
    moved = tuple(n for i, n in enumerate(shape) if i != axis)
    for target, line in zip(targets, lines, strict=True):
        target[...] = np.moveaxis(line.reshape(*moved, shape[axis]), -1, axis)
    return _finish(op, targets)


def _merge_runs(interp: Interpreter, comparator: Region, lines: list[Array], width: int) -> list[Array]:
    """Merge neighbouring sorted runs of `width`; the right one goes first only when strictly before the left."""
    count, size = lines[0].shape
    starts = np.arange(0, size, 2 * width)[None, :]
    rows = np.arange(count)[:, None]
    left_end, right_end = np.minimum(starts + width, size), np.minimum(starts + 2 * width, size)
    left = np.broadcast_to(starts, (count, starts.shape[1])).copy()
    right = np.broadcast_to(left_end, left.shape).copy()
    merged = [np.empty_like(line) for line in lines]
    for step in range(2 * width):
        valid = np.broadcast_to(starts + step < right_end, left.shape)
        at_left, at_right = np.minimum(left, size - 1), np.minimum(right, size - 1)
        pairs = [v for line in lines for v in (line[rows, at_right], line[rows, at_left])]
        (before,) = interp.run_block(comparator.block, tuple(pairs))
        take_right = (right < right_end) & ((left >= left_end) | np.broadcast_to(before, left.shape))
        source = np.where(take_right, at_right, at_left)
        to_row, to_block = np.nonzero(valid)
        for line, result in zip(lines, merged, strict=True):
            result[to_row, starts[0, to_block] + step] = line[to_row, source[to_row, to_block]]
        right += take_right & valid
        left += ~take_right & valid
    return merged


def _scan(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    """Element after element, all lines at once."""
    assert isinstance(op, structured.ScanOp)
    count, axis = len(op.outs), op.dimension.value.data
    inputs = [np.moveaxis(np.asarray(a), axis, 0) for a in args[:count]]
    targets = _targets(op, args[2 * count :])
    lines = [np.moveaxis(t, axis, 0) for t in targets]
    sums = [np.broadcast_to(np.array(a), t.shape[1:]) for a, t in zip(args[count : 2 * count], lines, strict=True)]
    order = range(lines[0].shape[0])
    for i in reversed(order) if op.reverse else order:
        elements = [x[i].copy() for x in inputs]
        before = sums
        pair = (*elements, *sums) if op.reverse else (*sums, *elements)
        results = interp.run_block(op.combiner.block, pair)
        sums = [np.broadcast_to(np.asarray(r), b.shape) for r, b in zip(results, before, strict=True)]
        for line, value in zip(lines, before if op.exclusive else sums, strict=True):
            line[i] = value
    return _finish(op, targets)


def _index_vectors(op: structured.ScatterOp, indices: Array) -> Array:
    """Index tensor as `[scatter dims..., vector]`."""
    vector_dim = op.index_vector_dim.value.data
    return indices[..., None] if vector_dim == indices.ndim else np.moveaxis(indices, vector_dim, -1)


def _scatter(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    """One index vector at a time, all of its window at once (its elements are distinct)."""
    assert isinstance(op, structured.ScatterOp)
    count = len(op.outs)
    indices, updates, targets = np.asarray(args[0]), args[1 : 1 + count], _targets(op, args[1 + count :])
    window_dims = op.update_window_dims.get_values()
    skipped = (*op.inserted_window_dims.get_values(), *op.input_batching_dims.get_values())
    shape = targets[0].shape
    window_operand_dims = [d for d in range(len(shape)) if d not in skipped]
    scatter_dims = [d for d in range(updates[0].ndim) if d not in window_dims]
    vectors = _index_vectors(op, indices)
    moved = [np.transpose(u, (*scatter_dims, *window_dims)) for u in updates]
    window_shape = tuple(updates[0].shape[d] for d in window_dims)
    offsets = np.indices(window_shape, sparse=True) if window_shape else ()
    batching = list(
        zip(op.input_batching_dims.get_values(), op.scatter_indices_batching_dims.get_values(), strict=True)
    )
    vector_dim = op.index_vector_dim.value.data
    for point in np.ndindex(*vectors.shape[:-1]):
        start = np.zeros(len(shape), np.int64)
        for value, dim in zip(vectors[point], op.scatter_dims_to_operand_dims.get_values(), strict=True):
            start[dim] = int(value)
        for operand_dim, indices_dim in batching:
            start[operand_dim] = point[indices_dim - (indices_dim > vector_dim)]
        where: list[Array] = [np.asarray(s) for s in start]
        for dim, offset in zip(window_operand_dims, offsets, strict=True):
            where[dim] = start[dim] + offset
        _combine(interp, op.update_computation, targets, where, [m[point] for m in moved])
    return _finish(op, targets)


def _combine(
    interp: Interpreter, region: Region, targets: list[Array], where: list[Array], updates: list[Array]
) -> None:
    """Combine a window of updates into the elements of the targets that exist."""
    lanes = np.broadcast_arrays(*where, updates[0])[:-1]
    inside = np.ones(updates[0].shape, np.bool_)
    for lane, size in zip(lanes, targets[0].shape, strict=True):
        inside &= (lane >= 0) & (lane < size)
    if not inside.any():
        return
    picked = tuple(lane[inside] for lane in lanes)
    current = [t[picked] if picked else t.reshape(1) for t in targets]
    new = [np.asarray(u)[inside] for u in updates]
    results = interp.run_block(region.block, (*current, *new))
    for target, result in zip(targets, results, strict=True):
        target[picked] = result if picked else np.asarray(result).reshape(())


def _select_and_scatter(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, structured.SelectAndScatterOp)
    operand, source, init = (np.asarray(a) for a in args[:3])
    (target,) = _targets(op, args[3:])
    target[...] = init
    if not source.size:
        return _finish(op, [target])
    chosen, found = _select(interp, op, operand, source.shape)
    for point in np.ndindex(*source.shape):
        if not found[point]:
            continue
        where = tuple(int(c[point]) for c in chosen)
        (target[where],) = interp.run_block(op.scatter.block, (target[where], source[point]))
    return _finish(op, [target])


def _select(
    interp: Interpreter, op: structured.SelectAndScatterOp, operand: Array, windows: tuple[int, ...]
) -> tuple[list[Array], Array]:
    """The selected element's index per window (all windows at a time), and whether any was inside."""
    strides, low = op.window_strides.get_values(), op.padding_low.get_values()
    origins = [g * s - p for g, s, p in zip(np.indices(windows), strides, low, strict=True)]
    found = np.zeros(windows, np.bool_)
    chosen = [np.zeros(windows, np.int64) for _ in windows]
    for offset in np.ndindex(*op.window_dimensions.get_values()):
        at = [o + k for o, k in zip(origins, offset, strict=True)]
        inside = np.ones(windows, np.bool_)
        for a, n in zip(at, operand.shape, strict=True):
            inside &= (a >= 0) & (a < n)
        clipped = tuple(np.clip(a, 0, n - 1) for a, n in zip(at, operand.shape, strict=True))
        (keep,) = interp.run_block(op.select.block, (operand[tuple(chosen)], operand[clipped]))
        take = inside & (~found | ~np.asarray(keep, np.bool_))
        chosen = [np.where(take, a, c) for a, c in zip(clipped, chosen, strict=True)]
        found |= inside
    return chosen, found


def _update_slice(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, structured.UpdateSliceOp)
    (target,) = _targets(op, args[-1:])
    starts = [min(max(int(i), 0), n - u) for i, n, u in zip(args[1:-1], target.shape, args[0].shape, strict=True)]
    where = tuple(slice(s, s + u) for s, u in zip(starts, args[0].shape, strict=True))
    target[where] = args[0]
    return _finish(op, [target])


def _top_k(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    """A stable ascending order of the reversed lines, read backwards: descending, equal elements by position."""
    del interp
    assert isinstance(op, structured.TopKOp)
    x: Array = args[0]
    values, positions = _targets(op, args[1:3])
    key = num.total_order_key(x) if num.is_float(x.dtype) else x
    if op.unsigned is not None:
        key = x.view(f"u{x.dtype.itemsize}")
    order = x.shape[-1] - 1 - np.flip(np.argsort(np.flip(key, -1), -1, kind="stable"), -1)
    order = order[..., : values.shape[-1]]
    values[...], positions[...] = np.take_along_axis(x, order, -1), order
    return _finish(op, [values, positions])


def _yield(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp, op
    return args


def _element(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp, op
    return args[:1]


def _host_call(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, structured.HostCallOp)
    call, count = op.call(), len(op.inputs)
    targets = _targets(op, args[count:])
    given = [as_kind(np.array(a), k) for a, k in zip(args[:count], call.operands, strict=True)]
    for array in given:
        array.flags.writeable = False
    call.perform(given, [as_kind(t, k) for t, k in zip(targets, call.results, strict=True)])
    return _finish(op, targets)


RULES: dict[str, Rule] = {
    "structured.attention": attention,
    "structured.attention_gradient": attention_gradient,
    "structured.element": _element,
    "structured.host_call": _host_call,
    "structured.scan": _scan,
    "structured.scatter": _scatter,
    "structured.select_and_scatter": _select_and_scatter,
    "structured.sort": _sort,
    "structured.top_k": _top_k,
    "structured.update_slice": _update_slice,
    "structured.winograd_filter": winograd_filter,
    "structured.winograd_input": winograd_input,
    "structured.winograd_output": winograd_output,
    "structured.yield": _yield,
}
