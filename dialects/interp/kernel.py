"""Interpreter rules of the kernel dialect."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.ir import Operation

from stepwell.dialects import kernel
from stepwell.ir.interpreter import Interpreter, InterpreterError, Rule, Value


def _launch(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    assert isinstance(op, kernel.LaunchOp)
    callee = op.kernel()
    if callee is None:
        raise InterpreterError(op, f"no kernel named {op.callee}")
    if op.res:
        first = len(op.ins)
        last = first + len(op.outs)
        outs = tuple(np.array(a, copy=True) for a in args[first:last])
        args = (*args[:first], *outs, *args[last:])
    return interp.call_op(callee, args)


def _prefetch(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    """A hint, which may point anywhere."""
    del interp, op, args
    return ()


RULES: dict[str, Rule] = {"kernel.launch": _launch, "kernel.prefetch": _prefetch}
