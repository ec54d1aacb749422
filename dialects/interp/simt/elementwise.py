"""`arith` and `math` on lanes: the interpreter's own rules, which are elementwise on arrays of any shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from xdsl.dialects import arith
from xdsl.dialects.builtin import MemRefType
from xdsl.ir import Operation

from stepwell.dialects.interp import arith as arith_rules
from stepwell.dialects.interp import math as math_rules
from stepwell.dialects.interp.simt.block import ThreadBlock
from stepwell.dialects.interp.simt.program import Builder, Prepare, Run
from stepwell.dialects.interp.simt.reports import ReportKind
from stepwell.dialects.interp.simt.values import Value, as_mask, choose, is_lanes, rank_of
from stepwell.dialects.vector import vector_shape
from stepwell.ir.interpreter import InterpreterError

_DIVISIONS = frozenset(
    f"arith.{name}" for name in ("divsi", "divui", "remsi", "remui", "floordivsi", "ceildivsi", "ceildivui")
)


def _constant(op: Operation, builder: Builder) -> Run:
    value = tuple(arith_rules.RULES["arith.constant"](builder.host, op, ()))
    return lambda block: value


_EXACT: dict[str, Callable[..., Any]] = {
    "arith.addf": np.add,
    "arith.addi": np.add,
    "arith.andi": np.bitwise_and,
    "arith.divf": np.divide,
    "arith.mulf": np.multiply,
    "arith.muli": np.multiply,
    "arith.ori": np.bitwise_or,
    "arith.subf": np.subtract,
    "arith.subi": np.subtract,
    "arith.xori": np.bitwise_xor,
}
"""Ops that are one NumPy function when neither operand is a boolean."""


def _direct(op: Operation, builder: Builder) -> Run:
    """The NumPy function itself on lanes, whose dtype is known; the interpreter's rule else."""
    general = _elementwise(op, builder)
    function = _EXACT[op.name]
    if arith_rules.dtype_of(op.operands[0]) == np.bool_:
        return general

    def run(block: ThreadBlock, a: Value, b: Value) -> Sequence[Value]:
        if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
            return (function(a, b),)
        return general(block, a, b)

    return run


_SIGNED_ORDER = (np.less, np.less_equal, np.greater, np.greater_equal)
_INTEGER_ORDER = (np.equal, np.not_equal, *_SIGNED_ORDER, *_SIGNED_ORDER)
_FIRST_UNSIGNED = 6
_FLOAT_ORDER = {1: np.equal, 2: np.greater, 3: np.greater_equal, 4: np.less, 5: np.less_equal, 13: np.not_equal}
"""What NumPy's comparisons say of NaN too: false, and true of `une`."""


def _compare(op: Operation, builder: Builder) -> Run:
    """NumPy's comparison on lanes where it means the same; the interpreter's rule else."""
    general = _elementwise(op, builder)
    assert isinstance(op, arith.CmpiOp | arith.CmpfOp)
    predicate, dtype = op.predicate.value.data, arith_rules.dtype_of(op.lhs)
    unsigned = isinstance(op, arith.CmpiOp) and predicate >= _FIRST_UNSIGNED
    function = _INTEGER_ORDER[predicate] if isinstance(op, arith.CmpiOp) else _FLOAT_ORDER.get(predicate)
    if dtype == np.bool_ or dtype.kind == "V" or function is None:
        return general
    view = np.dtype(f"u{dtype.itemsize}")

    def run(block: ThreadBlock, a: Value, b: Value) -> Sequence[Value]:
        if not isinstance(a, np.ndarray) and not isinstance(b, np.ndarray):
            return general(block, a, b)
        if unsigned:
            a, b = np.asarray(a, dtype).view(view), np.asarray(b, dtype).view(view)
        return (function(a, b),)

    return run


_LOW_BITS = np.int64((1 << 29) - 1)
"""Bits of an f64 that an f32 has no room for."""
_HALFWAY = np.int64(1 << 28)
_SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)


def fused(op: Operation, builder: Builder) -> Run:
    """a*b+c in f32: the product is exact in f64, so rounding the sum twice is wrong only halfway between two f32."""
    host = builder.host
    rule = host.rules["math.fma"]
    if arith_rules.dtype_of(op.results[0]) != np.float32:
        return lambda block, *args: rule(host, op, args)

    def run(block: ThreadBlock, a: Value, b: Value, c: Value) -> Sequence[Value]:
        total = np.multiply(a, b, dtype=np.float64) + c
        if not isinstance(total, np.ndarray):
            return rule(host, op, (a, b, c))
        hard = total.view(np.int64) & _LOW_BITS == _HALFWAY
        hard |= (np.abs(total) < _SMALLEST_NORMAL) & (total != 0)  # subnormals have less room
        return rule(host, op, (a, b, c)) if hard.any() else (total.astype(np.float32),)

    return run


def _elementwise(op: Operation, builder: Builder) -> Run:
    host = builder.host
    rule = host.rules[op.name]
    return lambda block, *args: rule(host, op, args)


def _division(op: Operation, builder: Builder) -> Run:
    """A zero divisor is reported where it is an active lane's."""
    host = builder.host
    rule = host.rules[op.name]
    shape = vector_shape(op.results[0])
    rank = len(shape)

    def run(block: ThreadBlock, value: Value, divisor: Value) -> Sequence[Value]:
        zero = np.asarray(divisor == 0)
        if zero.any():
            here = zero if block.active is None else zero & as_mask(block.active, rank)
            lanes = np.flatnonzero(np.broadcast_to(here, (block.count, *shape)).reshape(block.count, -1).any(axis=1))
            if lanes.size:
                block.report(ReportKind.UNDEFINED, op, f"thread {lanes[0]} divides by zero", lanes)
            divisor = np.where(zero, np.ones_like(divisor), divisor)
        return rule(host, op, (value, divisor))

    return run


def _select(op: Operation, builder: Builder) -> Run:
    assert isinstance(op, arith.SelectOp)
    if isinstance(op.result.type, MemRefType):
        return lambda block, condition, a, b: (_select_memref(op, condition, a, b),)
    host = builder.host
    rule = host.rules[op.name]
    spread_condition = rank_of(op.result.type) - rank_of(op.cond.type)

    def run(block: ThreadBlock, condition: Value, a: Value, b: Value) -> Sequence[Value]:
        if spread_condition and is_lanes(condition):
            condition = as_mask(condition, spread_condition)
        return rule(host, op, (condition, a, b))

    return run


def _select_memref(op: Operation, condition: Value, a: Value, b: Value) -> Value:
    if not is_lanes(condition):
        return a if condition else b
    try:
        return choose(condition, a, b, 0)
    except ValueError as error:
        raise InterpreterError(op, str(error)) from None


RULES: dict[str, Prepare] = {
    **{name: _elementwise for name in (*arith_rules.RULES, *math_rules.RULES)},
    **{name: _division for name in sorted(_DIVISIONS)},
    **{name: _direct for name in _EXACT},
    "arith.cmpf": _compare,
    "arith.cmpi": _compare,
    "arith.constant": _constant,
    "arith.select": _select,
    "math.fma": fused,
    "vector.fma": fused,
}
