"""Interpreter rules of the kernel dialect."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.dialects.builtin import IntegerType, Signedness
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


def _dot(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    assert isinstance(op, kernel.DotOp)
    lhs, rhs = (_factors(words, of) for words, of in zip(args[:2], (op.lhs_factor, op.rhs_factor), strict=True))
    # Sums of bytes stay far from the ends of i64, and those of halves: i32 wraps once, at the end.
    return ((np.asarray(args[2], np.int64) + lhs @ rhs.T).astype(np.int32),)


def _factors(words: Value, of: IntegerType) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """What each word holds, a row per word."""
    sign = "u" if of.signedness.data == Signedness.UNSIGNED else "i"
    flat = np.ascontiguousarray(np.asarray(words, "<i4").reshape(-1, 1))
    return flat.view(f"<{sign}{of.width.data // 8}").astype(np.int64)


RULES: dict[str, Rule] = {"kernel.dot": _dot, "kernel.launch": _launch, "kernel.prefetch": _prefetch}
