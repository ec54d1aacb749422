"""Interpreter rules of CHLO's ops that are more than one function of each element: broadcasting, ragged products, scans."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from xdsl.ir import Operation

from stepwell.dialects import chlo
from stepwell.dialects.interp import complex_numbers
from stepwell.dialects.interp import numerics as num
from stepwell.dialects.interp.stablehlo_data import Args, Array, shape_of
from stepwell.dialects.interp.stablehlo_elementwise import RULES as ELEMENTWISE
from stepwell.dialects.interp.stablehlo_elementwise import result_dtype
from stepwell.dialects.stablehlo import ComparisonDirection, ComparisonType
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.interpreter import Interpreter, Rule, Value


def _spread(op: chlo.BroadcastingOp, args: Args) -> list[Array]:
    """The operands in one shape."""
    _, maps = op.broadcast()
    rank = max(x.ndim for x in args)
    aligned: list[Array] = []
    for x, dims in zip(args, maps, strict=True):
        extents = [1] * rank
        for d, n in zip(dims, x.shape, strict=True):
            extents[d] = n
        aligned.append(x.reshape(extents))
    return list(np.broadcast_arrays(*aligned))


def broadcasting(others: dict[str, Rule]) -> dict[str, Rule]:
    """Rules of the ops with implicit broadcasting, by those of their counterparts."""

    def rule(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
        assert isinstance(op, chlo.BroadcastingOp)
        name = cast(str, op.COUNTERPART.name)
        return tuple((ELEMENTWISE.get(name) or others[name])(interp, op, tuple(_spread(op, args))))

    names = (cls.name for cls in chlo.Chlo.operations if issubclass(cls, chlo.BroadcastingOp))
    return {**dict.fromkeys(names, rule), "chlo.broadcast_compare": _broadcast_compare}


_COMPARISONS: dict[ComparisonDirection, Callable[[Array, Array], Array]] = {
    ComparisonDirection.EQ: np.equal,
    ComparisonDirection.NE: np.not_equal,
    ComparisonDirection.GE: np.greater_equal,
    ComparisonDirection.GT: np.greater,
    ComparisonDirection.LE: np.less_equal,
    ComparisonDirection.LT: np.less,
}


def _broadcast_compare(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, chlo.BroadcastCompareOp)
    lhs, rhs = _spread(op, args)
    direction = op.comparison_direction.data
    if num.is_complex(lhs.dtype):
        return (complex_numbers.compare(direction.value, lhs, rhs),)
    if op.compare_type is not None and op.compare_type.data == ComparisonType.TOTALORDER:
        lhs, rhs = num.total_order_key(lhs), num.total_order_key(rhs)
    elif lhs.dtype.kind == "V" and num.is_integer(lhs.dtype):
        lhs, rhs = lhs.astype(np.int64), rhs.astype(np.int64)
    with np.errstate(all="ignore"):
        return (np.asarray(_COMPARISONS[direction](lhs, rhs), np.bool_),)


# Ragged products.


def _wide(x: Array, dtype: np.dtype[Any]) -> Array:
    """Operands in the type products are summed in: doubles, or integers modulo 2**64."""
    if num.is_complex(dtype) or num.is_float(dtype):
        return x.astype(np.complex128 if num.is_complex(dtype) else np.float64)
    return x.astype(np.uint64 if x.dtype.kind == "u" else np.int64).astype(np.int64)


def _narrow(x: Array, dtype: np.dtype[Any]) -> Array:
    if num.is_bool(dtype):
        return x != 0
    return num.wrap(x, dtype) if num.is_integer(dtype) else num.round_to(x, dtype)


def _product(lhs: Array, rhs: Array, dims: Sequence[Sequence[int]]) -> Array:
    """`dot_general`, by Einstein's convention."""
    lhs_batch, rhs_batch, lhs_contract, rhs_contract = dims
    left = list(range(lhs.ndim))
    right = list(range(lhs.ndim, lhs.ndim + rhs.ndim))
    for a, b in zip((*lhs_batch, *lhs_contract), (*rhs_batch, *rhs_contract), strict=True):
        right[b] = left[a]
    batch = [left[d] for d in lhs_batch]
    free = [left[d] for d in range(lhs.ndim) if d not in (*lhs_batch, *lhs_contract)]
    free += [right[d] for d in range(rhs.ndim) if d not in (*rhs_batch, *rhs_contract)]
    with np.errstate(all="ignore"):
        return np.asarray(np.einsum(lhs, left, rhs, right, [*batch, *free]))


def _ragged_dot(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    """Group by group; what lies outside of all groups is zero."""
    del interp
    assert isinstance(op, chlo.RaggedDotOp)
    numbers, dtype, shape = op.numbers, result_dtype(op), shape_of(op.result)
    lhs, rhs = (_wide(x, dtype) for x in args[:2])
    mode, dims = chlo.ragged_mode(numbers), numbers[:4]
    if mode == chlo.RaggedMode.BATCH:
        return (_narrow(_product(lhs, rhs, dims), dtype).reshape(shape),)
    prefix = chlo.prefix_dimensions(numbers)
    sizes = args[2].astype(np.int64)
    sizes = np.broadcast_to(sizes, (*(lhs.shape[d] for d in prefix), sizes.shape[-1]))
    result = np.zeros(shape, _wide(np.zeros(0, dtype), dtype).dtype)
    for group in range(sizes.shape[-1]):
        inside = _inside(lhs.shape, sizes, group, prefix, numbers.lhs_ragged_dimensions[0])
        if mode == chlo.RaggedMode.CONTRACTING:
            result[group] = _contracted(lhs, rhs, inside, numbers)
            continue
        (axis,) = numbers.rhs_group_dimensions
        batch, contract = (tuple(d - (d > axis) for d in part) for part in (dims[1], dims[3]))
        product = _product(lhs, rhs.take(group, axis), (dims[0], batch, dims[2], contract))
        # Whether a row of lhs is in the group does not depend on the contracted dims.
        free = [d for d in range(lhs.ndim) if d not in (*dims[0], *dims[2])]
        rows = np.transpose(inside, [*dims[0], *free, *dims[2]])
        rows = rows.reshape(*rows.shape[: len(dims[0]) + len(free)], -1).any(-1)
        chosen = rows.reshape(rows.shape + (1,) * (product.ndim - rows.ndim))
        result = np.where(chosen, product, result)
    return (_narrow(result, dtype),)


def _inside(shape: tuple[int, ...], sizes: Array, group: int, prefix: Sequence[int], ragged: int) -> Array:
    """Which elements of lhs are in a group."""
    inside = np.zeros(shape, np.bool_)
    for place in itertools.product(*(range(shape[d]) for d in prefix)):
        start = int(sizes[place][:group].sum())
        where: list[Any] = [slice(None)] * len(shape)
        for d, i in zip(prefix, place, strict=True):
            where[d] = i
        where[ragged] = slice(start, start + int(sizes[place][group]))
        inside[tuple(where)] = True
    return inside


def _contracted(lhs: Array, rhs: Array, inside: Array, numbers: chlo.RaggedDotDimensionNumbers) -> Array:
    """The product of what both sides have in a group."""
    shared = [*numbers.lhs_batching_dimensions, *numbers.lhs_contracting_dimensions]
    other = [*numbers.rhs_batching_dimensions, *numbers.rhs_contracting_dimensions]
    free = tuple(d for d in range(lhs.ndim) if d not in shared)
    rows = np.transpose(inside, [*shared, *free]).reshape(*(lhs.shape[d] for d in shared), -1).any(-1)
    # The shared dims, where rhs has them.
    ordered = np.transpose(rows, np.argsort(other))
    extents = [n if d in other else 1 for d, n in enumerate(rhs.shape)]
    return _product(np.where(inside, lhs, 0), np.where(ordered.reshape(extents), rhs, 0), numbers[:4])


# Scans.


def _scan(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    assert isinstance(op, chlo.ScanOp)
    count, axis = len(op.inputs), op.dimension.value.data
    inputs, carries = args[:count], list(args[count:])
    length = op.extent([x.shape for x in inputs])
    rows: list[list[Array]] = [[] for _ in op.outputs]
    order = range(length - 1, -1, -1) if op.backwards else range(length)
    for i in order:
        returned = interp.run_block(op.body.block, [*(x.take(i, axis) for x in inputs), *carries])
        carries = list(returned[len(rows) :])
        for row, value in zip(rows, returned, strict=False):
            row.append(np.asarray(value))
    outputs: list[Array] = []
    for row, output in zip(rows, op.outputs, strict=True):
        shape, dtype = shape_of(output), numpy_dtype(cast(Any, output.type).element_type)
        stacked = np.stack(row[::-1] if op.backwards else row, axis) if row else np.zeros(shape, dtype)
        outputs.append(num.convert(stacked, dtype))
    return (*outputs, *carries)


RULES: dict[str, Rule] = {"chlo.ragged_dot": _ragged_dot, "chlo.scan": _scan}
