"""The host's side of step 6 on a GPU: launches of grids, copies between the device and the host, kernels placed on the host.

Every buffer a host function knows is device memory, except the workers' slab and the staging memory, its last arguments.
What the host itself reads, writes or computes passes through the staging memory; each use of it is over before the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from xdsl.dialects import affine, arith, func, memref
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    FunctionType,
    IndexType,
    IntegerAttr,
    MemRefType,
    NoneAttr,
    SymbolRefAttr,
    i8,
    i32,
    i64,
)
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.rewriter import InsertPoint

from stepwell.dialects import gpu, kernel
from stepwell.dialects.stepwell import ABI, AbiAttr
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.dtypes import byte_width
from stepwell.passes.gpu_mapping.ordering import storage_of
from stepwell.passes.gpu_mapping.phases import Phase

STAGING_BYTES = "staging_bytes"
ALIGNMENT = 64


@dataclass
class _Staging:
    """The staging memory of one function, and the most any use takes."""

    memory: SSAValue
    needed: int = 0


class HostWriter:
    """Rewrites the host functions of a module; `phases` has the grids of each device kernel."""

    def __init__(self, phases: dict[str, Sequence[Phase]]):
        self.phases = phases
        self.needed = 0

    def rewrite(self, function: func.FuncOp) -> None:
        """One host function, in place."""
        block = function.body.block
        memory = block.insert_arg(MemRefType(i8, [DYNAMIC_INDEX]), len(block.args))
        memory.name_hint = "staging"
        kinds = function.function_type
        inputs = [*kinds.inputs.data, memory.type]
        function.properties["function_type"] = FunctionType.from_lists(inputs, list(kinds.outputs.data))
        staging = _Staging(memory)
        for op in list(function.walk()):
            self._op(op, staging)
        self.needed = max(self.needed, staging.needed)

    def finish(self, function: func.FuncOp) -> None:
        """Say in the signature how much staging memory a call needs."""
        abi = function.attributes.get(ABI)
        if isinstance(abi, AbiAttr):
            entries = dict(abi.entries.data)
            entries[STAGING_BYTES] = IntegerAttr(self.needed, i64)
            function.attributes[ABI] = AbiAttr(entries)

    def _op(self, op: Operation, staging: _Staging) -> None:
        if isinstance(op, kernel.LaunchOp):
            phases = self.phases.get(op.callee.root_reference.data)
            if phases is not None:
                _launch(op, phases)
            else:
                _on_host(op, staging)
        elif isinstance(op, memref.CopyOp):
            _replace(op, gpu.MemcpyOp(op.destination, op.source))
        elif isinstance(op, linalg.FillOp):
            _replace(op, gpu.MemsetOp(op.outputs[0], op.inputs[0]))
        elif isinstance(op, memref.LoadOp | affine.LoadOp):
            _load(op, staging)
        elif isinstance(op, memref.StoreOp | affine.StoreOp):
            _store(op, staging)
        elif isinstance(op, func.CallOp):
            op.operands = [*op.operands, staging.memory]


def _before(op: Operation) -> LocatedBuilder:
    return LocatedBuilder(InsertPoint.before(op), op.location)


def _index(builder: LocatedBuilder, value: int) -> SSAValue:
    return builder.insert(arith.ConstantOp(IntegerAttr(value, IndexType()))).result


def _erase(op: Operation) -> None:
    op.detach()
    op.erase()


def _launch(op: kernel.LaunchOp, phases: Sequence[Phase]) -> None:
    """One grid after the other."""
    builder = _before(op)
    name = op.callee.root_reference.data
    one = _index(builder, 1)
    for phase in phases:
        args: list[SSAValue] = []
        for argument, kind in zip(phase.arguments, phase.function.function_type.inputs.data, strict=True):
            if isinstance(argument, SymbolRefAttr):
                assert isinstance(kind, MemRefType)
                args.append(builder.insert(memref.GetGlobalOp(argument.root_reference.data, kind)).memref)
            else:
                args.append(op.operands[argument])
        shared: SSAValue | None = None
        if phase.shared_bytes:
            shared = builder.insert(arith.ConstantOp(IntegerAttr(phase.shared_bytes, i32))).result
        grid, block = _index(builder, phase.grid), _index(builder, phase.block)
        launch = gpu.LaunchFuncOp(name, phase.function.sym_name.data, (grid, one, one), (block, one, one), args, shared)
        launch.attributes.update(op.attributes)
        builder.insert(launch)
    _erase(op)


class _Stage:
    """Pieces of the staging memory for one op of the host."""

    def __init__(self, builder: LocatedBuilder, staging: _Staging):
        self.builder = builder
        self._staging = staging
        self._offset = 0

    def view(self, kind: MemRefType[Attribute], user: Operation) -> SSAValue:
        """Fresh host memory for a dense buffer of a type."""
        shape = kind.get_shape()
        if DYNAMIC_INDEX in shape:
            raise unsupported(user, f"the host needs a copy of {kind}, whose size is known at run time only")
        dense = MemRefType(kind.element_type, shape)
        view = memref.ViewOp(self._staging.memory, _index(self.builder, self._offset), [], dense)
        size = prod(shape) * byte_width(kind.element_type)
        self._offset += -(-size // ALIGNMENT) * ALIGNMENT
        self._staging.needed = max(self._staging.needed, self._offset)
        return self.builder.insert(view).result

    def copy(self, target: SSAValue, source: SSAValue) -> None:
        """Copy between the device and the host."""
        self.builder.insert(gpu.MemcpyOp(target, source))


def _is_dense(value: SSAValue) -> bool:
    return isinstance(value.type, MemRefType) and isinstance(value.type.layout, NoneAttr)


def _on_host(op: kernel.LaunchOp, staging: _Staging) -> None:
    """A kernel of the host, on copies of what it reads; what it writes is copied back."""
    callee = op.kernel()
    assert callee is not None
    builder = _before(op)
    stage = _Stage(builder, staging)
    here: dict[SSAValue, SSAValue] = {}
    operands: list[SSAValue] = []
    written: list[SSAValue] = []
    kinds = callee.access_kinds
    for position, value in enumerate(op.operands):
        assert isinstance(value.type, MemRefType)
        if position >= len(kinds) and DYNAMIC_INDEX in value.type.get_shape():
            operands.append(value)  # the workers' memory is the host's already
            continue
        access = kinds[position] if position < len(kinds) else ""
        if value not in here:
            here[value] = stage.view(value.type, op)
            if access in (kernel.READ, kernel.READWRITE) and 0 not in value.type.get_shape():
                stage.copy(here[value], value)
        if access in (kernel.WRITE, kernel.READWRITE):
            written.append(value)
        operands.append(here[value])
    op.operands = operands
    after = _Stage(LocatedBuilder(InsertPoint.after(op), op.location), staging)
    for value in written:
        assert isinstance(value.type, MemRefType)
        if 0 not in value.type.get_shape():
            after.copy(value, here[value])


def _replace(op: Operation, by: Operation) -> None:
    """What the device does on its memory, strided or not."""
    _before(op).insert(by)
    _erase(op)


def _strided(stage: _Stage, value: SSAValue, user: Operation, *, fill: bool) -> tuple[SSAValue, SSAValue, SSAValue]:
    """(the same window of a copy of its whole buffer, that buffer, the copy)."""
    chain: list[Operation] = []
    base = value
    while not _is_dense(base):
        if not isinstance(base.owner, memref.SubviewOp):
            raise unsupported(user, f"it copies memory of layout {base.type}")
        chain.append(base.owner)
        base = base.owner.source
    assert isinstance(base.type, MemRefType)
    staged = stage.view(base.type, user)
    if fill:
        stage.copy(staged, base)
    window = staged
    for op in reversed(chain):
        window = stage.builder.insert(op.clone({op.operands[0]: window})).results[0]
    return window, base, staged


def _load(op: memref.LoadOp | affine.LoadOp, staging: _Staging) -> None:
    """A load of device memory: its buffer is copied to the host first."""
    if storage_of(op.memref) is staging.memory:
        return
    stage = _Stage(_before(op), staging)
    window, _, _ = _strided(stage, op.memref, op, fill=True)
    op.operands = [window, *op.operands[1:]]


def _store(op: memref.StoreOp | affine.StoreOp, staging: _Staging) -> None:
    """A store to device memory: into a copy of its buffer, which is copied back."""
    stage = _Stage(_before(op), staging)
    assert isinstance(op.memref.type, MemRefType)
    window, base, staged = _strided(stage, op.memref, op, fill=prod(op.memref.type.get_shape()) != 1)
    op.operands = [op.operands[0], window, *op.operands[2:]]
    LocatedBuilder(InsertPoint.after(op), op.location).insert(gpu.MemcpyOp(base, staged))


__all__ = ["STAGING_BYTES", "HostWriter"]
