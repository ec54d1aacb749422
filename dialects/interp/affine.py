"""Interpreter rules of `affine`: maps are evaluated exactly, on Python integers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.dialects import affine
from xdsl.dialects.builtin import AffineMapAttr, VectorType
from xdsl.ir import Operation

from stepwell.ir.interpreter import Interpreter, InterpreterError, Rule, Value


def _evaluate(attribute: AffineMapAttr, operands: Sequence[Value]) -> list[int]:
    """The results of a map on its dims, then symbols."""
    amap = attribute.data
    values = [int(v) for v in operands]
    return list(amap.eval(values[: amap.num_dims], values[amap.num_dims :]))


def _apply(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, affine.ApplyOp)
    return tuple(_evaluate(op.map, args))


def _min(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, affine.MinOp)
    return (min(_evaluate(op.map, args)),)


def _max(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    attribute = op.properties["map"]
    assert isinstance(attribute, AffineMapAttr)
    return (max(_evaluate(attribute, args)),)


def _for(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, affine.ForOp)
    lower, upper = len(op.lowerBoundOperands), len(op.upperBoundOperands)
    start = max(_evaluate(op.lowerBoundMap, args[:lower]))
    end = min(_evaluate(op.upperBoundMap, args[lower : lower + upper]))
    carried = args[lower + upper :]
    for i in range(start, end, op.step.value.data):
        carried = interp.run_block(op.body.block, (i, *carried))
    return carried


def _place(op: Operation, array: Any, indices: Sequence[Value], extents: Sequence[int]) -> tuple[int, ...]:
    """The element a map names, with room for `extents` from there."""
    attribute = op.properties["map"]
    assert isinstance(attribute, AffineMapAttr)
    where = tuple(_evaluate(attribute, indices))
    room = [1] * (len(where) - len(extents)) + list(extents)
    for axis, (i, count, size) in enumerate(zip(where, room, array.shape, strict=True)):
        if not 0 <= i <= size - count:
            raise InterpreterError(op, f"index {i} of dimension {axis} out of bounds for size {size}")
    return where


def _load(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    value = args[0][_place(op, args[0], args[1:], ())]
    return (int(value),) if op.results[0].type.name == "index" else (value,)


def _store(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    args[1][_place(op, args[1], args[2:], ())] = args[0]
    return ()


def _block(op: Operation, array: Any, indices: Sequence[Value], kind: Any) -> tuple[Any, ...]:
    assert isinstance(kind, VectorType)
    shape = kind.get_shape()
    where = _place(op, array, indices, shape)
    lead = len(where) - len(shape)
    return (*where[:lead], *(slice(i, i + n) for i, n in zip(where[lead:], shape, strict=True)))


def _vector_load(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    return (args[0][_block(op, args[0], args[1:], op.results[0].type)].copy(),)


def _vector_store(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    args[1][_block(op, args[1], args[2:], op.operands[0].type)] = args[0]
    return ()


def _yield(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    return args


RULES: dict[str, Rule] = {
    "affine.apply": _apply,
    "affine.for": _for,
    "affine.load": _load,
    "affine.max": _max,
    "affine.min": _min,
    "affine.store": _store,
    "affine.vector_load": _vector_load,
    "affine.vector_store": _vector_store,
    "affine.yield": _yield,
}
