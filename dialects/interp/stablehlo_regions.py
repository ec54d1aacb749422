"""Interpreter rules of StableHLO's ops with regions: reductions, windows, sorting, mapping and control flow."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
from xdsl.ir import Operation, Region

from stepwell.dialects import stablehlo as hlo
from stepwell.dialects.interp import numerics as num
from stepwell.dialects.interp import regions
from stepwell.dialects.interp.stablehlo_data import Args, Array, pad_array
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.interpreter import Interpreter, Rule, Value


def _accumulator_types(op: Operation) -> list[np.dtype[Any]]:
    return [numpy_dtype(cast(Any, r.type).element_type) for r in op.results]


def _promoted(arrays: Sequence[Array], dtypes: Sequence[np.dtype[Any]]) -> list[Array]:
    """Inputs in the accumulators' types."""
    return [num.convert(a, d) for a, d in zip(arrays, dtypes, strict=True)]


def _accumulation(interp: Interpreter, op: Operation, region: Region) -> tuple[list[np.dtype[Any]], regions.Combine]:
    """(types to accumulate in, how to combine): sums and products of floats below f32 run in f32, to be rounded once."""
    dtypes = _accumulator_types(op)
    combiner = hlo.sole_combiner(region)
    if combiner in (hlo.AddOp, hlo.MultiplyOp) and num.is_float(dtypes[0]) and dtypes[0].itemsize < 4:
        operation = np.add if combiner is hlo.AddOp else np.multiply
        return [np.dtype(np.float32)], lambda left, right: [operation(left[0], right[0])]
    return dtypes, regions.combiner(interp, region)


def _rounded(op: Operation, results: Sequence[Array]) -> tuple[Array, ...]:
    return tuple(num.convert(r, d) for r, d in zip(results, _accumulator_types(op), strict=True))


def _reduce(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    assert isinstance(op, hlo.ReduceOp)
    count = len(args) // 2
    dims = cast(Sequence[int], op.dimensions.get_values())
    dtypes, combine = _accumulation(interp, op, op.body)
    inputs, inits = _promoted(args[:count], dtypes), _promoted(args[count:], dtypes)
    kept = [d for d in range(inputs[0].ndim) if d not in dims]
    shape = tuple(inputs[0].shape[d] for d in kept)
    length = int(np.prod([inputs[0].shape[d] for d in dims], dtype=np.int64))
    rows = [np.transpose(x, [*sorted(dims), *kept]).reshape(length, *shape) for x in inputs]
    return _rounded(op, [np.broadcast_to(r, shape) for r in regions.fold_axis(combine, inits, rows)])


def _windows(
    shape: Sequence[int], window: Sequence[int], strides: Sequence[int], dilation: Sequence[int]
) -> Iterator[tuple[slice, ...]]:
    """For each place in a window, in row-major order: the slice that holds it for all windows (of extents `shape`)."""
    for place in np.ndindex(*window):
        first = [p * d for p, d in zip(place, dilation, strict=True)]
        yield tuple(
            slice(f, f + (n - 1) * s + 1, s) if n else slice(0, 0)
            for f, n, s in zip(first, shape, strides, strict=True)
        )


def _reduce_window(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    assert isinstance(op, hlo.ReduceWindowOp)
    count = len(args) // 2
    dtypes, combine = _accumulation(interp, op, op.body)
    inits = _promoted(args[count:], dtypes)
    low, high = zip(*op.pads, strict=True) if op.pads else ((), ())
    gaps = [d - 1 for d in op.base_dilation]
    padded = [pad_array(x, i, low, high, gaps) for x, i in zip(_promoted(args[:count], dtypes), inits, strict=True)]
    shape = cast(Any, op.results[0].type).get_shape()
    places = _windows(shape, op.window, op.strides, op.window_dilation)
    items = ([x[place] for x in padded] for place in places)
    folded = regions.fold(combine, itertools.chain([[np.broadcast_to(i, shape) for i in inits]], items))
    assert folded is not None
    return _rounded(op, folded)


def _select_and_scatter(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    assert isinstance(op, hlo.SelectAndScatterOp)
    operand, source, init = args
    dtype = _accumulator_types(op)[0]
    low, high = zip(*op.pads, strict=True) if op.pads else ((), ())
    zeros = [0] * operand.ndim
    values = pad_array(operand, np.zeros((), operand.dtype), low, high, zeros)
    number = np.arange(operand.size).reshape(operand.shape)
    numbers = pad_array(number, -1, low, high, zeros)
    best = np.zeros(source.shape, operand.dtype)
    chosen = np.full(source.shape, -1)
    for place in _windows(source.shape, op.window, op.strides, [1] * operand.ndim):
        value, index = values[place], numbers[place]
        (keep,) = regions.apply(interp, op.select, [best, value])
        take = (index >= 0) & ((chosen < 0) | ~keep)
        best, chosen = np.where(take, value, best), np.where(take, index, chosen)
    result = np.full(operand.size, num.convert(init, dtype), dtype)
    valid = (chosen >= 0).reshape(-1)
    updates = num.convert(source, dtype).reshape(-1)[valid]
    regions.scatter_in_order(regions.combiner(interp, op.scatter), [result], chosen.reshape(-1)[valid], [updates])
    return (result.reshape(operand.shape),)


_PAIRWISE_LIMIT = 1 << 22
"""Compare all pairs at once up to this many pairs, else one by one."""


def _sort(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    assert isinstance(op, hlo.SortOp)
    return sort_together(interp, op.comparator, args, op.axis)


def sort_together(interp: Interpreter, comparator: Region, args: Args, axis: int) -> tuple[Value, ...]:
    """Arrays of one shape in the stable order along `axis` that the block of `comparator` says."""
    rows = [np.moveaxis(x, axis, -1) for x in args]
    shape = rows[0].shape
    length = shape[-1]
    flat = [x.reshape(-1, length) if x.size else x.reshape(0, length) for x in rows]
    orders = [_order(interp, comparator, [x[i] for x in flat]) for i in range(flat[0].shape[0])]
    results: list[Array] = []
    for x in flat:
        taken = [x[i][order] for i, order in enumerate(orders)]
        stacked = np.stack(taken) if taken else x
        results.append(np.moveaxis(stacked.reshape(shape), -1, axis))
    return tuple(results)


def _order(interp: Interpreter, comparator: Region, columns: Sequence[Array]) -> Array:
    """The stable order of one slice of each input."""
    length = len(columns[0])
    if regions.is_elementwise(comparator.block) and length * length <= _PAIRWISE_LIMIT:
        pairs = itertools.chain.from_iterable((c[:, None], c[None, :]) for c in columns)
        (less,) = regions.apply(interp, comparator, list(pairs))
        # An element's place: how many come before it, plus the equal ones that already stand before it.
        equal_before = np.tril(~less & ~less.T, -1)
        place = less.sum(0) + equal_before.sum(1)
        if np.array_equal(np.sort(place), np.arange(length)):
            return np.argsort(place)

    def compare(i: int, j: int) -> int:
        def is_less(a: int, b: int) -> bool:
            pairs = itertools.chain.from_iterable((np.asarray(c[a]), np.asarray(c[b])) for c in columns)
            return bool(interp.run_block(comparator.block, list(pairs))[0])

        return -1 if is_less(i, j) else int(is_less(j, i))

    return np.array(sorted(range(length), key=functools.cmp_to_key(compare)), np.int64)


def _map(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    assert isinstance(op, hlo.MapOp)
    return tuple(regions.apply(interp, op.computation, args))


def _if(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    assert isinstance(op, hlo.IfOp)
    return interp.run_block((op.true_branch if args[0] else op.false_branch).block)


def _case(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    index = int(args[0])
    last = len(op.regions) - 1
    return interp.run_block(op.regions[index if 0 <= index <= last else last].block)


def _while(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    assert isinstance(op, hlo.WhileOp)
    values = args
    while interp.run_block(op.cond.block, values)[0]:
        values = interp.run_block(op.body.block, values)
    return values


def _forward(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp, op
    return args


def _tuple(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp, op
    return (args,)


def _get_tuple_element(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.GetTupleElementOp)
    return (args[0][op.index.value.data],)


def _token(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp, op, args
    return (None,)


def _composite(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    assert isinstance(op, hlo.CompositeOp)
    return interp.call(op.decomposition.string_value(), args)


RULES: dict[str, Rule] = {
    "stablehlo.after_all": _token,
    "stablehlo.case": _case,
    "stablehlo.composite": _composite,
    "stablehlo.create_token": _token,
    "stablehlo.get_tuple_element": _get_tuple_element,
    "stablehlo.if": _if,
    "stablehlo.map": _map,
    "stablehlo.optimization_barrier": _forward,
    "stablehlo.reduce": _reduce,
    "stablehlo.reduce_window": _reduce_window,
    "stablehlo.return": _forward,
    "stablehlo.select_and_scatter": _select_and_scatter,
    "stablehlo.sort": _sort,
    "stablehlo.tuple": _tuple,
    "stablehlo.while": _while,
}
