"""Interpreter rules of `rt`: parallel loops and tasks run serially as worker 0; atomics are plain reads and writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Operation

from stepwell.dialects import rt
from stepwell.dialects.rt_reduce import ParallelReduceOp
from stepwell.ir.interpreter import Interpreter, InterpreterError, Rule, Value


def _parallel_for(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, rt.ParallelForOp)
    count = op.static_count if op.static_count is not None else int(args[0])
    for i in range(count):
        status = interp.run_block(op.body.block, (i,))
        if status and int(status[0]):
            return status
    return () if op.status is None else (np.int32(0),)


def _parallel_reduce(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, ParallelReduceOp)
    count, grain = op.count.value.data, op.grain.value.data
    total = args
    for first in range(0, count, grain):
        partial = interp.run_block(op.body.block, (first,))
        for i in range(first + 1, min(first + grain, count)):
            partial = interp.run_block(op.combiner.block, (*partial, *interp.run_block(op.body.block, (i,))))
        total = interp.run_block(op.combiner.block, (*total, *partial))
    return total


def _spawn(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    """The task is done at once: its future is its status."""
    assert isinstance(op, rt.SpawnOp)
    return interp.run_block(op.body.block) or (np.int32(0),)


def _as_unsigned(value: Any) -> int:
    return int(value) % (1 << (8 * np.asarray(value).dtype.itemsize))


_UPDATES: dict[rt.AtomicKind, Callable[[Any, Any], Any]] = {
    rt.AtomicKind.XCHG: lambda old, value: value,
    rt.AtomicKind.ADD: lambda old, value: old + value,
    rt.AtomicKind.SUB: lambda old, value: old - value,
    rt.AtomicKind.AND: lambda old, value: old & value,
    rt.AtomicKind.OR: lambda old, value: old | value,
    rt.AtomicKind.XOR: lambda old, value: old ^ value,
    rt.AtomicKind.MAX: lambda old, value: max(old, value),
    rt.AtomicKind.MIN: lambda old, value: min(old, value),
    rt.AtomicKind.UMAX: lambda old, value: max(old, value, key=_as_unsigned),
    rt.AtomicKind.UMIN: lambda old, value: min(old, value, key=_as_unsigned),
}


def _atomic_rmw(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, rt.AtomicRMWOp)
    value, memref, *indices = args
    old = memref[tuple(indices)]
    with np.errstate(over="ignore"):
        memref[tuple(indices)] = _UPDATES[op.kind.data](old, value)
    return (old,)


def _atomic_load(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    return (args[0][tuple(args[1:])],)


def _atomic_store(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    args[1][tuple(args[2:])] = args[0]
    return ()


def _compare_exchange(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    expected, desired, memref, *indices = args
    old = memref[tuple(indices)]
    exchanged = old == expected
    if exchanged:
        memref[tuple(indices)] = desired
    return (old, np.bool_(exchanged))


def _nothing(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    return ()


def _poison(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    args[0].reshape(-1).view(np.uint8)[...] = 0xFF
    return ()


def _worker_id(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    return (0,)


def _call_external(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    assert isinstance(op, rt.CallExternalOp)
    raise InterpreterError(op, f"the interpreter cannot call the C function {op.callee}")


def _func_addr(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    """An address is the symbol itself."""
    assert isinstance(op, rt.FuncAddrOp)
    return (op.callee.root_reference.data,)


def _call_indirect(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    if not isinstance(args[0], str):
        raise InterpreterError(op, "the address is not that of a function of this module")
    return interp.call(args[0], args[1:])


def _identity(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    result = op.results[0].type
    if isinstance(result, IntegerType) and not isinstance(args[0], int | np.integer):
        raise InterpreterError(op, "an address has no integer value in the interpreter")
    return args


RULES: dict[str, Rule] = {
    "rt.atomic_load": _atomic_load,
    "rt.atomic_rmw": _atomic_rmw,
    "rt.atomic_store": _atomic_store,
    "rt.await": _identity,
    "rt.call_external": _call_external,
    "rt.call_indirect": _call_indirect,
    "rt.compare_exchange": _compare_exchange,
    "rt.fence": _nothing,
    "rt.func_addr": _func_addr,
    "rt.int_to_ptr": _identity,
    "rt.memref_to_ptr": _identity,
    "rt.parallel_for": _parallel_for,
    "rt.parallel_reduce": _parallel_reduce,
    "rt.pause": _nothing,
    "rt.poison": _poison,
    "rt.ptr_to_int": _identity,
    "rt.ptr_to_memref": _identity,
    "rt.spawn": _spawn,
    "rt.worker_id": _worker_id,
}
