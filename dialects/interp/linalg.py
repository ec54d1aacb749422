"""Interpreter rules of `linalg.generic` and `linalg.fill`.

A generic's body runs once per step of the reduction dims, in row-major order, on all parallel lanes at a time: each value of
the body is an array over the loop dims (extent 1 where it does not vary). Lanes are independent, so this is the meaning of
the loop nest exactly, in its order of accumulation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
    AffineMap,
)

from stepwell.dialects.interp.tensor import gather
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.interpreter import Interpreter, InterpreterError, Rule, Value
from stepwell.ir.structured import indexing_maps, iterator_kinds, loop_bounds

Array = Any


def eval_affine(expr: AffineExpr, dims: list[Array]) -> Array:
    """The value of an affine expression on arrays of dim values."""
    match expr:
        case AffineDimExpr():
            return dims[expr.position]
        case AffineConstantExpr():
            return np.asarray(expr.value, np.int64)
        case AffineBinaryOpExpr():
            lhs, rhs = eval_affine(expr.lhs, dims), eval_affine(expr.rhs, dims)
            match expr.kind:
                case AffineBinaryOpKind.Add:
                    return lhs + rhs
                case AffineBinaryOpKind.Mul:
                    return lhs * rhs
                case AffineBinaryOpKind.Mod:
                    return lhs % rhs
                case AffineBinaryOpKind.FloorDiv:
                    return lhs // rhs
                case AffineBinaryOpKind.CeilDiv:
                    return -((-lhs) // rhs)
        case _:
            pass
    raise NotImplementedError(f"affine expression {expr}")


def _bounds(op: linalg.GenericOp, args: tuple[Value, ...]) -> tuple[int, ...]:
    """Loop extents; dynamic ones from the arrays."""
    bounds = list(loop_bounds(op))
    for array, amap in zip(args, indexing_maps(op), strict=True):
        for size, expr in zip(np.shape(array), amap.results, strict=False):
            if isinstance(expr, AffineDimExpr) and bounds[expr.position] < 0:
                bounds[expr.position] = size
    return tuple(bounds)


class _Lanes:
    """One run of a generic: index grids, gathered operands, and where its body reads them."""

    def __init__(self, op: linalg.GenericOp, args: tuple[Value, ...]):
        self.op = op
        self.bounds = _bounds(op, args)
        self.rank = len(self.bounds)
        self.grids = [
            np.arange(n, dtype=np.int64).reshape([n if d == i else 1 for d in range(self.rank)])
            for i, n in enumerate(self.bounds)
        ]
        self.maps = indexing_maps(op)
        self.reductions = [i for i, k in enumerate(iterator_kinds(op)) if k == "reduction"]
        self.parallel_shape = tuple(1 if i in self.reductions else n for i, n in enumerate(self.bounds))

    def spread(self, array: Array, amap: AffineMap) -> Array:
        """An operand's elements over the loop dims (extent 1 where its map does not look)."""
        if not isinstance(array, np.ndarray) or not amap.results:
            return np.asarray(array).reshape((1,) * self.rank)
        picked = gather(self.op, array, self.indices(amap))
        return picked.reshape((1,) * (self.rank - picked.ndim) + picked.shape)

    def indices(self, amap: AffineMap) -> tuple[Array, ...]:
        return tuple(eval_affine(e, self.grids) for e in amap.results)

    def at(self, spread: Array, point: tuple[int, ...]) -> Array:
        """The lanes of a spread operand at one point of the reduction dims."""
        where: list[slice] = [slice(None)] * self.rank
        for dim, i in zip(self.reductions, point, strict=True):
            if spread.shape[dim] != 1:
                where[dim] = slice(i, i + 1)
        return spread[tuple(where)]


def _generic(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, linalg.GenericOp)
    lanes = _Lanes(op, args)
    count = len(op.inputs)
    inputs = [
        _input(lanes, a, m, op.body.block.args[i])
        for i, (a, m) in enumerate(zip(args, lanes.maps, strict=True))
        if i < count
    ]
    outputs = [np.asarray(a) for a in args[count:]]
    out_maps = lanes.maps[count:]
    current: list[Array] = [
        np.broadcast_to(lanes.spread(a, m), _lane_shape(lanes, m)) for a, m in zip(outputs, out_maps, strict=True)
    ]
    if 0 not in lanes.bounds:
        for point in np.ndindex(*(lanes.bounds[d] for d in lanes.reductions)):
            here = tuple(lanes.at(s, point) if s is not None else None for s in inputs)
            current = _run_body(interp, lanes, point, (*here, *current))
    return _store(op, lanes, outputs, out_maps, current)


def _input(lanes: _Lanes, array: Value, amap: AffineMap, argument: SSAValue) -> Array | None:
    """The spread operand, or None when the body never looks (shape-only operands)."""
    return lanes.spread(array, amap) if argument.first_use is not None and 0 not in lanes.bounds else None


def _lane_shape(lanes: _Lanes, amap: AffineMap) -> tuple[int, ...]:
    used = {e.position for e in amap.results if isinstance(e, AffineDimExpr)}
    return tuple(n if i in used else 1 for i, n in enumerate(lanes.parallel_shape))


def _run_body(interp: Interpreter, lanes: _Lanes, point: tuple[int, ...], values: tuple[Array, ...]) -> list[Array]:
    """Run the body once; `linalg.index` reads the grids of this point."""
    previous = _CURRENT.get(interp)
    grids = list(lanes.grids)
    for dim, i in zip(lanes.reductions, point, strict=True):
        grids[dim] = np.full((1,) * lanes.rank, i, np.int64)
    _CURRENT[interp] = grids
    try:
        results = interp.run_block(lanes.op.body.block, values)
    finally:
        if previous is None:
            del _CURRENT[interp]
        else:
            _CURRENT[interp] = previous
    shapes = [_lane_shape(lanes, m) for m in lanes.maps[len(lanes.op.inputs) :]]
    return [np.broadcast_to(_collapse(r, s), s) for r, s in zip(results, shapes, strict=True)]


def _collapse(result: Array, shape: tuple[int, ...]) -> Array:
    """Where a result varies along a dim its output drops, the last iteration's value stays."""
    result = np.asarray(result)
    where = tuple(slice(-1, None) if n == 1 else slice(None) for n in shape[len(shape) - result.ndim :])
    return result[where]


_CURRENT: dict[Interpreter, list[Array]] = {}
"""Index grids of the body being run, per interpreter."""


def _store(
    op: linalg.GenericOp,
    lanes: _Lanes,
    outputs: list[Array],
    maps: tuple[AffineMap, ...],
    values: list[Array],
) -> tuple[Value, ...]:
    results: list[Array] = []
    for operand, array, amap, value in zip(op.outputs, outputs, maps, values, strict=True):
        on_tensors = isinstance(operand.type, TensorType)
        target = np.array(array) if on_tensors else array
        if target.size and 0 not in lanes.bounds:
            shape = _lane_shape(lanes, amap)
            where = tuple(np.broadcast_to(i, shape) for i in lanes.indices(amap))
            target[where] = np.broadcast_to(value, shape) if where else np.asarray(value).reshape(())
        results.append(target)
    return tuple(results) if op.results else ()


def _index(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del args
    assert isinstance(op, linalg.IndexOp)
    grids = _CURRENT.get(interp)
    if grids is None:
        raise InterpreterError(op, "outside a running linalg.generic")
    return (grids[op.dim.value.data],)


def _fill(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, linalg.FillOp)
    target = op.outputs[0].type
    if not isinstance(target, TensorType):
        args[1][...] = args[0]
        return ()
    return (np.full(np.shape(args[1]), args[0], numpy_dtype(target.get_element_type())),)


def _yield(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp, op
    return args


RULES: dict[str, Rule] = {
    "linalg.fill": _fill,
    "linalg.generic": _generic,
    "linalg.index": _index,
    "linalg.yield": _yield,
}
