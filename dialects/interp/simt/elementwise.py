"""`arith` and `math` on lanes: the interpreter's own rules, which are elementwise on arrays of any shape."""

from __future__ import annotations

from collections.abc import Sequence

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
    "arith.constant": _constant,
    "arith.select": _select,
}
