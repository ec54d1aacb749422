"""Interpreter rules of `func`: calls run the callee in a fresh scope."""

from __future__ import annotations

from xdsl.dialects import func
from xdsl.ir import Operation

from stepwell.ir.interpreter import Interpreter, Rule, Value


def _call(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, func.CallOp)
    return interp.call(op.callee.string_value(), args)


def _return(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp, op
    return args


RULES: dict[str, Rule] = {
    "func.call": _call,
    "func.return": _return,
}
