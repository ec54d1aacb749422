"""Kernels: arguments become memrefs, temporaries become slices of scratch.

`bufferize_kernel` leaves each temporary as a `memref.alloc`; `place_scratch` turns them into views of the launch scratch
or of the running worker's row, once the row size common to all kernels of the module is known. What a task of a mapped
loop has to itself is a `memref.alloca` instead (`task_memory`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from xdsl.dialects import arith, memref, tensor
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    ArrayAttr,
    DenseIntOrFPElementsAttr,
    DictionaryAttr,
    IndexType,
    IntegerAttr,
    MemRefType,
    TensorType,
    i8,
    i64,
)
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.rewriter import InsertPoint

from stepwell.dialects import kernel, rt
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.dtypes import byte_width
from stepwell.passes.bufferization.control import CONTROL
from stepwell.passes.bufferization.engine import Bufferizer, Handler, memref_type
from stepwell.passes.bufferization.globals import GlobalTable
from stepwell.passes.bufferization.handlers import HANDLERS, redirect_foreign_reads
from stepwell.passes.bufferization.homes import Buffer, Home, Place
from stepwell.passes.bufferization.task_memory import TaskMemory, is_task_memory
from stepwell.passes.memory_guards import GUARDS, Guard, guarded_plan, poison_at_start
from stepwell.passes.memory_planning import Interval, Plan, assign_offsets


@dataclass(eq=False)
class Temporary:
    """One `memref.alloc` to be placed: in the row of the worker running `task`, or in the launch's scratch."""

    alloc: memref.AllocOp
    buffer: Buffer
    task: Operation | None


@dataclass(eq=False)
class BufferizedKernel:
    """A kernel on memrefs and its temporaries, placed but not yet addressed."""

    function: kernel.FuncOp
    launch: list[Temporary] = field(default_factory=list[Temporary])
    worker: list[Temporary] = field(default_factory=list[Temporary])
    launch_plan: Plan = field(default_factory=lambda: assign_offsets(()))
    worker_plan: Plan = field(default_factory=lambda: assign_offsets(()))
    guarded: bool = False


class KernelMemory:
    """Allocates placeholders at the start of the kernel or of the running task."""

    remote = False

    def __init__(self, function: kernel.FuncOp, constants: GlobalTable):
        self.result = BufferizedKernel(function)
        self._constants = constants
        self._task_memory = TaskMemory()

    def allocate(
        self, builder: LocatedBuilder, type: MemRefType[Attribute], buffer: Buffer, asked: tensor.EmptyOp | None
    ) -> SSAValue:
        """See `Memory`."""
        task = buffer.task
        if is_task_memory(task, asked):
            return self._task_memory.allocate(builder, type, task, asked)
        # Memory that is shared by all tasks is allocated outside of them, and the other way round.
        home: Operation = task if task is not None else self.result.function
        block = home.regions[0].block
        alloc = memref.AllocOp.get(type.element_type, shape=type.get_shape())
        first = block.first_op
        assert first is not None
        LocatedBuilder(InsertPoint.before(first), builder.location).insert(alloc)
        temporary = Temporary(alloc, buffer, task)
        (self.result.launch if task is None else self.result.worker).append(temporary)
        return alloc.memref

    def constant(self, builder: LocatedBuilder, value: DenseIntOrFPElementsAttr) -> SSAValue:
        """See `Memory`."""
        return self._constants.get(builder, value)

    def finish(self) -> BufferizedKernel:
        """The kernel, when nothing more will be allocated."""
        self._task_memory.finish()
        return self.result


KERNEL: dict[str, Handler] = {**HANDLERS, **CONTROL, "kernel.return": lambda state, op: None}


def bufferize_kernel(function: kernel.FuncOp, constants: GlobalTable) -> BufferizedKernel:
    """Rewrite the body of `function` to memrefs; scratch stays to be placed."""
    redirect_foreign_reads(function)
    memory = KernelMemory(function, constants)
    state = Bufferizer(function, memory, KERNEL)
    outputs: list[Home | None] = []
    for argument, access in zip(list(function.args), function.access_kinds, strict=True):
        if isinstance(argument.type, MemRefType):
            continue
        if not isinstance(argument.type, TensorType):
            raise unsupported(function, f"argument {argument.index} has type {argument.type}", "kernels take tensors")
        place = Place(Buffer(writable=access != kernel.READ, task=None))
        reached = function.body.block.insert_arg(memref_type(argument.type), argument.index)
        reached.name_hint = argument.name_hint
        state.define(argument, Home(place, reached, undefined=access == kernel.WRITE))
        if access != kernel.READ:
            outputs.append(Home(place, reached))
    terminator = function.return_op
    state.wanted[terminator] = outputs
    state.run_block(function.body.block)
    state.settle(terminator, list(terminator.operands), outputs)
    terminator.operands = []
    state.retire_args(function.body.block, lambda a: isinstance(a.type, MemRefType))
    state.finish()
    result = memory.finish()
    result.launch_plan = assign_offsets([_interval(t) for t in result.launch])
    result.worker_plan = assign_offsets([_interval(t) for t in result.worker])
    return result


def guard_scratch(results: list[BufferizedKernel], guard: Guard) -> None:
    """Plan the temporaries of kernels anew, guarded; the kernels have parts of a worker's row of their own."""
    row = 0
    for result in results:
        result.launch_plan, launch = guarded_plan([_interval(t) for t in result.launch], guard)
        plan, worker = guarded_plan([_interval(t) for t in result.worker], guard)
        result.worker_plan = Plan(tuple(row + o for o in plan.offsets), row + plan.total, row + plan.total)
        guards = {**launch.entries(), **worker.moved(row).entries("worker_")}
        result.function.attributes[GUARDS] = DictionaryAttr(guards)
        row += plan.total
        result.guarded = True


def _interval(temporary: Temporary) -> Interval:
    kind = temporary.alloc.memref.type
    assert isinstance(kind, MemRefType)
    size = prod(kind.get_shape()) * byte_width(kind.element_type)
    buffer = temporary.buffer
    return Interval(size, buffer.first, max(buffer.first, buffer.last))


def place_scratch(result: BufferizedKernel, row: int) -> None:
    """Replace the placeholders by views; `row` is the size of a worker's row in bytes."""
    function = result.function
    block = function.body.block
    if result.launch:
        slab = block.insert_arg(MemRefType(i8, [result.launch_plan.total]), len(block.args))
        slab.name_hint = "scratch"
        function.properties["scratch_bytes"] = IntegerAttr(result.launch_plan.total, i64)
        for temporary, offset in zip(result.launch, result.launch_plan.offsets, strict=True):
            _view(temporary, slab, offset, None, poison=result.guarded)
    if result.worker:
        rows = block.insert_arg(MemRefType(i8, [DYNAMIC_INDEX, row]), len(block.args))
        rows.name_hint = "workers"
        function.properties["worker_bytes"] = IntegerAttr(row, i64)
        bases: dict[Operation, tuple[SSAValue, SSAValue]] = {}
        for temporary, offset in zip(result.worker, result.worker_plan.offsets, strict=True):
            assert temporary.task is not None
            if temporary.task not in bases:
                bases[temporary.task] = _row(temporary, rows, row)
            slab, start = bases[temporary.task]
            _view(temporary, slab, offset, start, poison=result.guarded)
    function.update_function_type()


def _row(temporary: Temporary, rows: SSAValue, row: int) -> tuple[SSAValue, SSAValue]:
    """All rows as bytes, and where the running worker's row starts, computed at the start of the task."""
    block = temporary.alloc.parent
    assert block is not None
    assert block.first_op is not None
    builder = LocatedBuilder(InsertPoint.before(block.first_op), temporary.alloc.location)
    flat = builder.insert(
        memref.CollapseShapeOp.build(
            operands=[rows],
            result_types=[MemRefType(i8, [DYNAMIC_INDEX])],
            properties={"reassociation": _all_dims()},
        )
    ).result
    worker = builder.insert(rt.WorkerIdOp()).worker
    size = builder.insert(arith.ConstantOp(IntegerAttr(row, IndexType()))).result
    return flat, builder.insert(arith.MuliOp(worker, size)).result


def _all_dims() -> Attribute:
    return ArrayAttr([ArrayAttr([IntegerAttr(0, i64), IntegerAttr(1, i64)])])


def _view(temporary: Temporary, slab: SSAValue, offset: int, start: SSAValue | None, *, poison: bool) -> None:
    alloc = temporary.alloc
    if not alloc.memref.uses:
        alloc.detach()
        alloc.erase()
        return
    point = InsertPoint.before(alloc)
    if start is not None and isinstance(start.owner, Operation):
        point = InsertPoint.after(start.owner)
    builder = LocatedBuilder(point, alloc.location)
    shift = start
    if start is None or offset:
        shift = builder.insert(arith.ConstantOp(IntegerAttr(offset, IndexType()))).result
        if start is not None:
            shift = builder.insert(arith.AddiOp(start, shift)).result
    assert shift is not None
    kind = alloc.memref.type
    assert isinstance(kind, MemRefType)
    view = builder.insert(memref.ViewOp(slab, shift, [], kind))
    view.result.name_hint = alloc.memref.name_hint
    alloc.memref.replace_all_uses_with(view.result)
    alloc.detach()
    alloc.erase()
    if poison:
        poison_at_start(view.result)


def row_bytes(kernels: list[BufferizedKernel]) -> int:
    """The row size all kernels of a module share: the largest need, rounded so that few sizes occur."""
    need = max((k.worker_plan.total for k in kernels), default=0)
    if need == 0 or any(k.guarded for k in kernels):
        return need
    size = 1024
    while size < need:
        size *= 2
    return size if need * 4 > size * 3 else size * 3 // 4
