"""Host functions: results become output arguments, launches write buffers, temporaries are `memref.alloc` to be planned.

A function `(inputs) -> results` becomes `(inputs, outputs, workers)`; `plan-memory` adds the arena.
"""

from __future__ import annotations

from xdsl.dialects import func, memref, tensor
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    MemRefType,
    i8,
    i64,
)
from xdsl.ir import Attribute, Operation, SSAValue

from stepwell.dialects import kernel
from stepwell.dialects.stepwell import ABI, AbiAttr
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.machine import machine_of
from stepwell.passes.bufferization.control import CONTROL
from stepwell.passes.bufferization.engine import Bufferizer, Handler, fill_memref, fill_remote, memref_type
from stepwell.passes.bufferization.globals import GlobalTable, is_large_splat
from stepwell.passes.bufferization.handlers import HANDLERS
from stepwell.passes.bufferization.homes import Buffer, Home, Place, is_identity
from stepwell.passes.bufferization.reads import is_tensor

SIGNATURE = "stepwell.signature"
"""On a bufferized host function: how many of its arguments are inputs and how many outputs."""


class HostMemory:
    """Allocates in front of the op that needs it; constants are globals, or filled when large and uniform."""

    def __init__(self, constants: GlobalTable, remote: bool):
        self._constants = constants
        self.remote = remote

    def allocate(
        self, builder: LocatedBuilder, type: MemRefType[Attribute], buffer: Buffer, asked: tensor.EmptyOp | None
    ) -> SSAValue:
        """See `Memory`."""
        del buffer, asked
        return builder.insert(memref.AllocOp.get(type.element_type, shape=type.get_shape())).memref

    def constant(self, builder: LocatedBuilder, value: DenseIntOrFPElementsAttr) -> SSAValue:
        """See `Memory`."""
        if not is_large_splat(value):
            return self._constants.get(builder, value)
        alloc = builder.insert(memref.AllocOp.get(value.type.get_element_type(), shape=value.type.get_shape()))
        (fill_remote if self.remote else fill_memref)(builder, value, alloc.memref)
        return alloc.memref


def _launch(state: Bufferizer, op: Operation) -> None:
    assert isinstance(op, kernel.LaunchOp)
    if not op.res:
        if not any(isinstance(v.type, MemRefType) for v in op.operands):
            state.retire(op)  # It makes nothing.
        return
    callee = op.kernel()
    if callee is None:
        raise unsupported(op, f"{op.callee} is no kernel of this module")
    first = len(op.ins)
    access = callee.access_kinds[first : first + len(op.outs)]
    homes: list[Home] = []
    for i, result in enumerate(op.res):
        later = [v for v, a in zip(op.outs[i + 1 :], access[i + 1 :], strict=True) if a != kernel.WRITE]
        home = state.destination(
            op,
            first + i,
            result,
            others=[*op.ins, *later],
            taken=homes,
            overwrites=access[i] == kernel.WRITE,
            dense=True,
        )
        homes.append(home)
    ins = [state.read_dense(v, op) for v in op.ins]
    outs = [h.memref for h in homes if h.memref is not None]
    builder = state.builder(op)
    scratch: list[SSAValue] = []
    for argument in callee.scratch_args:
        kind = argument.type
        assert isinstance(kind, MemRefType)
        if kind.get_num_dims() == 2:
            scratch.append(_workers(op))
        else:
            scratch.append(builder.insert(memref.AllocOp.get(i8, shape=kind.get_shape())).memref)
    new = kernel.LaunchOp(op.callee, ins, outs, scratch)
    new.attributes.update(op.attributes)
    builder.insert(new)
    for result, home in zip(op.res, homes, strict=True):
        state.define(result, Home(home.place, home.memref))
    state.retire(op)


def _workers(op: Operation) -> SSAValue:
    """The worker slab of the function around `op`: its last argument."""
    parent: Operation | None = op
    while parent is not None and not isinstance(parent, func.FuncOp):
        parent = parent.parent_op()
    assert parent is not None
    return parent.body.block.args[-1]


def _call(state: Bufferizer, op: Operation) -> None:
    assert isinstance(op, func.CallOp)
    if not any(is_tensor(v) for v in (*op.operands, *op.results)):
        return
    if not all(is_tensor(r) for r in op.results):
        raise unsupported(op, f"{op.callee} returns scalars beside tensors")
    homes: list[Home] = []
    inputs = list(op.operands)
    for result in op.results:
        homes.append(state.storage(op, result, result.type, others=[v for v in inputs if is_tensor(v)], taken=homes))
    operands = [state.read_dense(v, op) if is_tensor(v) else v for v in inputs]
    outs = [_dense(state, op, h) for h in homes]
    new = func.CallOp(op.callee, [*operands, *outs, _workers(op)], [])
    state.builder(op).insert(new)
    for result, home in zip(op.results, homes, strict=True):
        state.define(result, home)
    state.retire(op)


def _dense(state: Bufferizer, op: Operation, home: Home) -> SSAValue:
    assert home.memref is not None
    if not is_identity(home.memref.type):
        raise unsupported(op, "its destination is a strided buffer")
    return home.memref


def _no_tasks(state: Bufferizer, op: Operation) -> None:
    del state
    raise unsupported(op, "a parallel loop outside of a kernel", "write it in a kernel.func and launch that")


HOST: dict[str, Handler] = {
    **HANDLERS,
    **CONTROL,
    "func.call": _call,
    "scf.forall": _no_tasks,
    "func.return": lambda state, op: None,
    "kernel.launch": _launch,
}


def bufferize_function(function: func.FuncOp, constants: GlobalTable, row: int) -> None:
    """Rewrite `function` to memrefs; `row` is the size of a worker's row of scratch."""
    block = function.body.block
    terminator = block.last_op
    assert isinstance(terminator, func.ReturnOp)
    if not all(is_tensor(v) for v in terminator.operands):
        raise unsupported(function, "it returns values that are no tensors")
    abi = function.attributes.get(ABI)
    donated = abi.donated if isinstance(abi, AbiAttr) else ()
    remote = machine_of(function).subgroup > 1  # that of the machine which this one drives
    state = Bufferizer(function, HostMemory(constants, remote), HOST)
    inputs = list(block.args)
    for number, argument in enumerate(inputs):
        if not is_tensor(argument):
            continue
        place = Place(Buffer(writable=number in donated, task=None))
        reached = block.insert_arg(memref_type(argument.type), argument.index)
        reached.name_hint = argument.name_hint
        state.define(argument, Home(place, reached))
    outputs: list[Home | None] = []
    for value in terminator.operands:
        reached = block.insert_arg(memref_type(value.type), len(block.args))
        reached.name_hint = "out"
        outputs.append(Home(Place(Buffer(writable=True, task=None)), reached, undefined=True))
    workers = block.insert_arg(MemRefType(i8, [DYNAMIC_INDEX, row]), len(block.args))
    workers.name_hint = "workers"
    state.wanted[terminator] = outputs
    state.run_block(block)
    state.settle(terminator, list(terminator.operands), outputs)
    terminator.operands = []
    state.retire_args(block, lambda a: not is_tensor(a))
    state.finish()
    if abi is None:
        function.attributes[SIGNATURE] = DenseArrayBase.from_list(i64, (len(inputs), len(outputs)))
    function.update_function_type()
    function.properties.pop("arg_attrs", None)
    function.properties.pop("res_attrs", None)
