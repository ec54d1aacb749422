"""A kernel alone: a program that launches it once, compiled with a schedule, and timed against another in turn."""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from xdsl.dialects import func, tensor
from xdsl.dialects.builtin import FunctionType, ModuleOp, TensorType
from xdsl.ir import Block, Region, SSAValue

from stepwell.backends.llvm_ir import entry_symbol, write_llvm
from stepwell.backends.target import Target
from stepwell.compare import Tolerance, first_difference, tolerance_for
from stepwell.compiler import lower, no_garbage_collection
from stepwell.dialects import kernel
from stepwell.dialects.stepwell import TARGET
from stepwell.generated_inputs import generated_inputs
from stepwell.ir.errors import CompileError
from stepwell.native import signature_of
from stepwell.native_program import NativeProgram
from stepwell.objects import compile_objects, pool_object
from stepwell.runtime.executable import Executable
from stepwell.runtime.pool import worker_count
from stepwell.source import element_dtypes
from stepwell.steps import mark_step

Array = np.ndarray[Any, np.dtype[Any]]
_SEED = 42
SAME = "the same code as another schedule"
_LONG = 0.05
"""Seconds of a call from which fewer are measured."""


def alone(function: kernel.FuncOp, schedule: kernel.ScheduleAttr, target: Target) -> ModuleOp:
    """A program on step 3 that launches one kernel, with a schedule; what it updates in place is an argument too."""
    copy = function.clone()
    copy.properties["schedule"] = schedule
    count = function.num_inputs
    access = function.access_kinds
    types = function.function_type
    given = [t for t, kind in zip(types.inputs.data, access, strict=True) if kind != kernel.WRITE]
    block = Block(arg_types=given)
    outs: list[SSAValue] = []
    rest = iter(block.args[count:])
    for type_, kind in zip(types.inputs.data[count:], access[count:], strict=True):
        if kind == kernel.READWRITE:
            outs.append(next(rest))
            continue
        assert isinstance(type_, TensorType)
        empty = tensor.EmptyOp([], type_)
        block.add_op(empty)
        outs.append(empty.results[0])
    launch = kernel.LaunchOp(function.sym_name.data, list(block.args[:count]), outs)
    block.add_op(launch)
    block.add_op(func.ReturnOp(*launch.results))
    main = func.FuncOp("main", FunctionType.from_lists(given, types.outputs.data), Region(block), visibility="public")
    for op in (main, *main.walk()):
        op.location = function.location
    module = ModuleOp([copy, main])
    module.attributes[TARGET] = target.attribute()
    mark_step(module, "kernels")
    return module


@dataclass
class Candidate:
    """A kernel compiled with a schedule."""

    schedule: kernel.ScheduleAttr
    executable: Executable
    outputs: list[Array]

    def seconds(self, inputs: Sequence[Array]) -> float:
        """One call: the thread's own time where there is only one, so that others on its core do not count."""
        clock = time.thread_time if worker_count() == 1 else time.perf_counter
        start = clock()
        self.executable(*inputs, out=self.outputs)
        return clock() - start


class Bench:
    """Builds one kernel with schedules, checks what they give and times them."""

    def __init__(self, function: kernel.FuncOp, schedule: kernel.ScheduleAttr, target: Target, opt_level: int):
        """Build it with the schedule that others are held against.

        Raises:
            CompileError: the kernel cannot be built, or no arguments can be made for it.
        """
        self._function, self._target, self._opt_level = function, target, opt_level
        module = alone(function, schedule, target)
        entry = next(op for op in module.body.block.ops if isinstance(op, func.FuncOp))
        self.inputs = generated_inputs(entry.function_type.inputs.data, _SEED)
        self._dtypes = element_dtypes(module)
        self._known: dict[str, None] = {}
        chosen = self._built(module, schedule)
        assert chosen is not None
        self.chosen = chosen
        self.chosen.seconds(self.inputs)
        self.call = min(self.chosen.seconds(self.inputs) for _ in range(3))

    def _built(self, module: ModuleOp, schedule: kernel.ScheduleAttr) -> Candidate | None:
        """The kernel with a schedule; None where its code is that of one built before."""
        with no_garbage_collection():
            lower(module, "device", target=self._target, opt_level=self._opt_level)
            name, signature = signature_of(module)
            texts = [part.text for part in write_llvm(module, self._target)]
        digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()
        if digest in self._known:
            return None
        self._known[digest] = None
        objects = compile_objects(texts, self._target, self._opt_level, cache=False)
        native = NativeProgram(signature, entry_symbol(name), tuple(objects), pool_object(self._target))
        outputs = [np.zeros(t.shape, t.dtype) for t in signature.outputs]
        return Candidate(schedule, native.load(lambda _: "", lambda: ""), outputs)

    def candidate(self, schedule: kernel.ScheduleAttr) -> Candidate | str:
        """The kernel with another schedule, or why not: refused, the same code as another, or not the same results."""
        try:
            made = self._built(alone(self._function, schedule, self._target), schedule)
        except CompileError as error:
            return str(error).splitlines()[0]
        if made is None:
            return SAME
        made.seconds(self.inputs)
        for got, want in zip(made.outputs, self.chosen.outputs, strict=True):
            difference = first_difference(got, want, self._tolerance(want))
            if difference is not None:
                return f"other results: {difference}"
        return made

    def _tolerance(self, want: Array) -> Tolerance:
        """The table's, absolute in units of the largest result: sums in another order are off by that much."""
        table = tolerance_for(want.dtype, self._dtypes)
        if not table.atol or not want.size:
            return table
        largest = float(np.nanmax(np.abs(want.astype(np.float64))))
        return Tolerance(table.rtol, table.atol * max(1.0, largest if np.isfinite(largest) else 1.0))

    def race(self, first: Candidate, second: Candidate, rounds: int) -> tuple[float, float]:
        """Median seconds of two, called in turn."""
        rounds = max(3, rounds // 3) if self.call > _LONG else rounds
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(rounds):
            times[0].append(first.seconds(self.inputs))
            times[1].append(second.seconds(self.inputs))
        return statistics.median(times[0]), statistics.median(times[1])


__all__ = ["SAME", "Bench", "Candidate", "alone"]
