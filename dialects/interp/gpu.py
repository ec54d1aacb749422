"""Interpreter rules of the `gpu` ops of the host: launches run in the simulator, copies at once.

Host and device share the interpreter's memory; so a copy is a copy and a wait does nothing. `simulator_rules` makes
rules that check less, or that collect what they find instead of raising it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from xdsl.dialects.builtin import DYNAMIC_INDEX, MemRefType
from xdsl.ir import Operation

from stepwell.dialects import gpu
from stepwell.dialects.interp.tensor import undefined
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.interpreter import Interpreter, InterpreterError, Rule, Value


def _launch_rule(check: bool, collect: int, found: list[Any] | None) -> Rule:
    def rule(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
        from stepwell.dialects.interp.simt import launch

        del interp
        assert isinstance(op, gpu.LaunchFuncOp)
        function = op.kernel_func()
        if function is None:
            raise InterpreterError(op, f"there is no kernel {op.callee}")
        sizes = [int(n) for n in args[len(op.async_dependencies) :][:6]]
        rest = args[len(op.async_dependencies) + 6 :]
        shared = 0
        if op.dynamic_shared_memory_size is not None:
            shared, *rest = rest
        reports = launch(
            function,
            rest,
            grid=sizes[:3],
            block=sizes[3:],
            shared_bytes=int(shared),
            check=check,
            collect=collect,
            at=op,
        )
        if found is not None:
            found.extend(reports)
        return _token(op)

    return rule


def _token(op: Operation) -> Sequence[Value]:
    """The values of an op whose last result may be a token."""
    return [None for r in op.results if isinstance(r.type, gpu.AsyncTokenType)]


def _alloc(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    assert isinstance(op, gpu.AllocOp)
    kind = op.memref.type
    assert isinstance(kind, MemRefType)
    sizes = iter(args[len(op.async_dependencies) :])
    shape = tuple(int(next(sizes)) if n == DYNAMIC_INDEX else n for n in kind.get_shape())
    return (np.array(undefined(shape, numpy_dtype(kind.element_type))), *_token(op))


def _memcpy(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    assert isinstance(op, gpu.MemcpyOp)
    target, source = args[len(op.async_dependencies) :]
    if target.shape != source.shape:
        raise InterpreterError(op, f"copies an array of shape {source.shape} into one of {target.shape}")
    if np.shares_memory(source, target):
        raise InterpreterError(op, "source and destination overlap")
    target[...] = source
    return _token(op)


def _memset(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp
    assert isinstance(op, gpu.MemsetOp)
    target, value = args[len(op.async_dependencies) :]
    target[...] = value
    return _token(op)


def _nothing(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> Sequence[Value]:
    del interp, args
    return _token(op)


def simulator_rules(*, check: bool = True, collect: int = 0, found: list[Any] | None = None) -> dict[str, Rule]:
    """Rules of the host's `gpu` ops.

    Args:
        check: Look for races, uninitialized reads and copies never waited for in kernels.
        collect: How many reports of one launch to collect into `found`; with 0 the first is raised.
        found: Where the reports go, `SimulationError`s.
    """
    return {
        "gpu.alloc": _alloc,
        "gpu.dealloc": _nothing,
        "gpu.func": _nothing,
        "gpu.host_register": _nothing,
        "gpu.host_unregister": _nothing,
        "gpu.launch_func": _launch_rule(check, collect, found),
        "gpu.memcpy": _memcpy,
        "gpu.memset": _memset,
        "gpu.module": _nothing,
        "gpu.wait": _nothing,
    }


RULES: dict[str, Rule] = simulator_rules()
