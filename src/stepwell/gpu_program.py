"""From the host function of step 6 in GPU form to the runtime's `Program`, and from that to an executable.

The host function holds launches, copies, scalars and control flow only (docs/decisions/0005): every buffer is an argument or a constant
at a static offset, and every scalar is its bits. What does not fit that is refused at the op.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from xdsl.dialects import arith, func, memref, scf
from xdsl.dialects.builtin import (
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    MemRefType,
    ModuleOp,
)
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.ir import Block as IrBlock

from stepwell.dialects import gpu, kernel
from stepwell.dialects.stepwell import ABI, AbiAttr
from stepwell.gpu_buffers import View, constant_index, copies, derived, element, fills, typed_view
from stepwell.ir.dense import dense_to_array
from stepwell.ir.diagnostics import invalid, unsupported
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.errors import InvalidProgramError
from stepwell.runtime.cuda.executable import CudaExecutable
from stepwell.runtime.cuda.program import (
    Assign,
    Block,
    Buffer,
    Call,
    Compute,
    For,
    Function,
    HostCall,
    If,
    Instruction,
    Launch,
    Load,
    Operand,
    Program,
    Register,
    Space,
    Store,
    Switch,
    While,
)
from stepwell.runtime.cuda.scalars import OPERATIONS, SIGN_EXTENDS
from stepwell.runtime.executable import Signature
from stepwell.runtime.memory import ALIGNMENT
from stepwell.sections import record_calls_of

record_calls_of(CudaExecutable)

INDEX_BITS = 64
_PREDICATES = ("eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge")
_VIEWS = (
    "memref.view",
    "memref.subview",
    "memref.collapse_shape",
    "memref.expand_shape",
    "memref.reinterpret_cast",
    "memref.cast",
)
_ARITHMETIC = tuple(name for name in OPERATIONS if name not in (*_PREDICATES, "select", "truncate"))
_HOST_ARGUMENTS = 2
"""The last arguments of a host function: the workers' slab and the staging memory."""


def cuda_executable(
    signature: Signature,
    program: Program,
    images: Mapping[str, bytes | str],
    *,
    host_kernels: Mapping[str, int] | None = None,
    device: int = 0,
    ir: Callable[[str], str] | None = None,
    asm: Callable[[], str] | None = None,
    keep_alive: Any = None,
) -> CudaExecutable:
    """An executable that gives `stepwell.Array`s; nothing is asked of a driver before its first call.

    Args:
        signature: how the program is called.
        program: what `program_of` made.
        images: PTX or cubin of each `gpu.module`, by its name; functions have the names of the `gpu.func`s.
        host_kernels: addresses of native kernels `void (ptr...)`, by name.
        device: which GPU.
        ir: the program at a step, as text.
        asm: the assembly.
        keep_alive: whatever the host kernels' code needs.

    Raises:
        InvalidProgramError: there is no code for a kernel of the program.
    """
    from stepwell.dispatch import Array  # with its operators; it compiles, so it is above what compiles

    natives = host_kernels or {}
    for name in [
        *(m for m, _ in program.kernels if m not in images),
        *(k for k in program.host_kernels if k not in natives),
    ]:
        raise InvalidProgramError(f"there is no code for kernel '{name}'")
    code = {name: image.encode() if isinstance(image, str) else image for name, image in images.items()}
    return CudaExecutable(
        signature,
        program,
        code,
        host_kernels=natives,
        ordinal=device,
        wrap=Array,
        ir=ir,
        asm=asm,
        keep_alive=keep_alive,
    )


def program_of(module: ModuleOp) -> Program:
    """The program of a step-6 module in GPU form.

    Raises:
        InvalidProgramError: the module has no entry, or an op is not of step 6.
        UnsupportedError: an op of the host that the runtime has no instruction for.
    """
    functions = {op.sym_name.data: op for op in module.body.block.ops if isinstance(op, func.FuncOp)}
    entry = next((f for f in functions.values() if isinstance(f.attributes.get(ABI), AbiAttr)), None)
    if entry is None:
        raise InvalidProgramError("no function of the module has a stepwell.abi: run prepare-entry first")
    abi = entry.attributes[ABI]
    assert isinstance(abi, AbiAttr)
    sizes = {key: value.value.data for key, value in abi.entries.data.items() if isinstance(value, IntegerAttr)}
    expected = len(abi.inputs) + len(abi.outputs) + 1 + _HOST_ARGUMENTS
    if len(entry.args) != expected:
        message = f"takes {len(entry.args)} buffers, not the {expected} of inputs, outputs, arena, workers and staging"
        raise invalid(entry, message, "run gpu-outline-kernels first")
    constants = _Constants(module)
    translated = {n: _Translation(f, functions, constants).function() for n, f in functions.items() if f.body.blocks}
    return Program(
        entry.sym_name.data,
        translated,
        tuple(constants.arrays),
        sizes.get("arena_bytes", 0),
        sizes.get("worker_bytes", 0),
        sizes.get("staging_bytes", 0),
    )


class _Constants:
    """The dense constants that host functions use, each once."""

    def __init__(self, module: ModuleOp):
        self.arrays: list[np.ndarray[Any, Any]] = []
        self._globals = {op.sym_name.data: op for op in module.body.block.ops if isinstance(op, memref.GlobalOp)}
        self._slots: dict[str, int] = {}

    def buffer(self, op: memref.GetGlobalOp) -> Buffer:
        name = op.name_.root_reference.data
        if name not in self._slots:
            found = self._globals.get(name)
            if found is None or not isinstance(found.initial_value, DenseIntOrFPElementsAttr):
                raise invalid(op, f"there is no memref.global @{name} with a value")
            self._slots[name] = len(self.arrays)
            self.arrays.append(np.ascontiguousarray(dense_to_array(found.initial_value)))
        return Buffer(self._slots[name], constant=True)


def _bits(op: Operation, kind: Attribute) -> int:
    """Bits of an integer."""
    if isinstance(kind, IndexType):
        return INDEX_BITS
    if isinstance(kind, IntegerType):
        return kind.width.data
    raise unsupported(op, f"the host of a GPU program computes on integers, not on {kind}")


def _constant_bits(op: arith.ConstantOp) -> int:
    """The bits of a scalar constant."""
    value = op.value
    if isinstance(value, IntegerAttr):
        return value.value.data & (1 << _bits(op, value.type)) - 1
    if isinstance(value, FloatAttr):
        return int.from_bytes(np.array(value.value.data, numpy_dtype(value.type)).tobytes(), "little")
    raise unsupported(op, f"the host of a GPU program has no value {value.name}")


class _Translation:
    """One host function; `handlers` has what becomes of each op."""

    def __init__(self, function: func.FuncOp, functions: Mapping[str, func.FuncOp], constants: _Constants):
        self._function = function
        self._functions = functions
        self._constants = constants
        self._views: dict[SSAValue, View] = {}
        self._scalars: dict[SSAValue, Operand] = {}
        self._registers = 0
        self._code: list[Instruction] = []
        self._handlers: dict[str, Callable[[Any], None]] = {
            "arith.cmpi": self._compare,
            "arith.constant": self._constant,
            "arith.extsi": self._cast,
            "arith.extui": self._cast,
            "arith.index_cast": self._cast,
            "arith.index_castui": self._cast,
            "arith.select": self._select,
            "arith.trunci": self._cast,
            "affine.load": self._load,
            "affine.store": self._store,
            "func.call": self._call,
            "func.return": self._nothing,
            "gpu.launch_func": self._launch,
            "gpu.memcpy": self._memcpy,
            "gpu.memset": self._memset,
            "kernel.launch": self._host_call,
            "memref.copy": self._copy,
            "memref.get_global": self._get_global,
            "memref.load": self._load,
            "memref.store": self._store,
            "scf.for": self._for,
            "scf.if": self._if,
            "scf.index_switch": self._switch,
            "scf.while": self._while,
        }
        self._handlers |= dict.fromkeys(_VIEWS, self._view)
        self._handlers |= {f"arith.{name}": self._compute for name in _ARITHMETIC}

    def function(self) -> Function:
        """The function, translated."""
        block = self._function.body.block
        if self._function.function_type.outputs.data:
            raise invalid(self._function, "returns values: on step 6 results are written to buffers")
        for argument in block.args:
            if not isinstance(argument.type, MemRefType):
                raise unsupported(self._function, f"it takes a {argument.type}, which is not a buffer")
        split = len(block.args) - _HOST_ARGUMENTS
        spaces: list[Space] = ["device" if slot < split else "host" for slot in range(len(block.args))]
        for slot, (argument, space) in enumerate(zip(block.args, spaces, strict=True)):
            self._views[argument] = typed_view(self._function, argument.type, Buffer(slot), space)
        body = self._block(block)
        return Function(tuple(spaces), body, self._registers)

    def _block(self, block: IrBlock, last: Callable[[Operation], None] | None = None) -> Block:
        """A block's instructions; `last` translates its terminator."""
        outside, self._code = self._code, []
        for op in block.ops:
            if last is not None and op is block.last_op:
                last(op)
                continue
            handler = self._handlers.get(op.name)
            if handler is None:
                raise unsupported(op, "the host of a GPU program has no form of it", "it belongs into a kernel")
            handler(op)
        code, self._code = tuple(self._code), outside
        return code

    def _register(self, value: SSAValue) -> Register:
        """A fresh register for a scalar."""
        register = Register(self._registers)
        self._registers += 1
        self._scalars[value] = register
        return register

    def _on(self, op: Operation, value: SSAValue, space: Space) -> View:
        """A dense operand that must be in `space`."""
        view = self._views[value]
        if view.space != space:
            raise invalid(op, f"uses memory of the {view.space} where memory of the {space} is needed")
        if not view.dense:
            raise unsupported(op, "an operand is not dense")
        return view

    def _nothing(self, op: Operation) -> None:
        """A return."""

    # Buffers ------------------------------------------------------------------------------------------------------

    def _view(self, op: Operation) -> None:
        self._views[op.results[0]] = derived(op, self._views[op.operands[0]])

    def _get_global(self, op: memref.GetGlobalOp) -> None:
        self._views[op.memref] = typed_view(op, op.memref.type, self._constants.buffer(op), "device")

    def _memcpy(self, op: gpu.MemcpyOp) -> None:
        if op.async_token is not None or op.async_dependencies:
            raise unsupported(op, "the host's order is that of its ops: it has no tokens")
        self._code.extend(copies(op, self._views[op.dst], self._views[op.src]))

    def _memset(self, op: gpu.MemsetOp) -> None:
        if op.async_token is not None or op.async_dependencies:
            raise unsupported(op, "the host's order is that of its ops: it has no tokens")
        target = self._views[op.dst]
        if target.space != "device":
            raise invalid(op, "fills memory of the host, which is not the device's to write", "store its elements")
        self._code.extend(fills(op, target, self._scalars[op.value]))

    def _copy(self, op: memref.CopyOp) -> None:
        self._code.extend(copies(op, self._views[op.destination], self._views[op.source]))

    def _host_element(self, op: Operation, buffer: SSAValue, indices: Sequence[SSAValue]) -> tuple[Buffer, int]:
        view = self._views[buffer]
        if view.space != "host":
            raise invalid(op, "the host reads or writes memory of the device", "copy it with gpu.memcpy")
        return element(op, view, tuple(indices)), view.width

    def _load(self, op: Any) -> None:
        place, width = self._host_element(op, op.memref, op.indices)
        self._code.append(Load(self._register(op.results[0]), place, width))

    def _store(self, op: Any) -> None:
        place, width = self._host_element(op, op.memref, op.indices)
        value: SSAValue = op.operands[0]
        self._code.append(Store(self._scalars[value], place, width))

    # Kernels ------------------------------------------------------------------------------------------------------

    def _launch(self, op: gpu.LaunchFuncOp) -> None:
        if op.async_token is not None or op.async_dependencies:
            raise unsupported(op, "the host's order is that of its ops: it has no tokens")
        sizes = {name: constant_index(op, getattr(op, name), f"its size {name}") for name in _SIZES}
        for name in ("grid_y", "grid_z", "block_y", "block_z"):
            if sizes[name] != 1:
                raise unsupported(op, f"{name} is {sizes[name]}: grids and blocks have one dimension")
        shared = op.dynamic_shared_memory_size
        nested = [part.data for part in op.callee.nested_references.data]
        if len(nested) != 1:
            raise invalid(op, f"launches {op.callee}, which is not @module::@function")
        self._code.append(
            Launch(
                (op.callee.root_reference.data, nested[0]),
                sizes["grid_x"],
                sizes["block_x"],
                0 if shared is None else constant_index(op, shared, "the size of shared memory"),
                self._buffers(op, op.args, "device"),
            )
        )

    def _buffers(self, op: Operation, operands: Sequence[SSAValue], space: Space) -> tuple[Buffer, ...]:
        for operand in operands:
            if operand not in self._views:
                raise unsupported(op, f"it passes a {operand.type}, which is not a buffer")
        return tuple([self._on(op, operand, space).buffer for operand in operands])

    def _host_call(self, op: kernel.LaunchOp) -> None:
        for operand in op.scratch:
            offset = self._views[operand].buffer.offset
            if offset % ALIGNMENT:
                raise invalid(op, f"scratch is at byte {offset}, not at a multiple of {ALIGNMENT}")
        name = op.callee.root_reference.data
        self._code.append(HostCall(name, self._buffers(op, list(op.operands), "host")))

    def _call(self, op: func.CallOp) -> None:
        callee = self._functions.get(op.callee.root_reference.data)
        if callee is None or not callee.body.blocks:
            raise invalid(op, f"there is no function {op.callee} with a body")
        split = len(op.operands) - _HOST_ARGUMENTS
        device = self._buffers(op, op.operands[:split], "device")
        self._code.append(Call(callee.sym_name.data, (*device, *self._buffers(op, op.operands[split:], "host"))))

    # Scalars ------------------------------------------------------------------------------------------------------

    def _constant(self, op: arith.ConstantOp) -> None:
        if not isinstance(op.value, DenseIntOrFPElementsAttr):
            self._scalars[op.result] = _constant_bits(op)
            return
        raise unsupported(op, "the host of a GPU program has no tensors or vectors")

    def _emit(self, op: Operation, name: str, operands: Sequence[SSAValue], bits: int) -> None:
        values = tuple([self._scalars[o] for o in operands])
        self._code.append(Compute(self._register(op.results[0]), name, values, bits))

    def _compute(self, op: Operation) -> None:
        self._emit(op, op.name.removeprefix("arith."), op.operands, _bits(op, op.results[0].type))

    def _compare(self, op: arith.CmpiOp) -> None:
        self._emit(op, _PREDICATES[op.predicate.value.data], op.operands, _bits(op, op.lhs.type))

    def _select(self, op: arith.SelectOp) -> None:
        if isinstance(op.result.type, MemRefType):
            raise unsupported(op, "it chooses between buffers")
        self._emit(op, "select", op.operands, 8 * numpy_dtype(op.result.type).itemsize)

    def _cast(self, op: Operation) -> None:
        source, result = (_bits(op, v.type) for v in (op.operands[0], op.results[0]))
        signed = op.name in ("arith.extsi", "arith.index_cast") and source < result
        self._emit(op, f"{SIGN_EXTENDS}{source}" if signed else "truncate", op.operands, result)

    # Control flow -------------------------------------------------------------------------------------------------

    def _assign(self, op: Operation, registers: Sequence[Register], values: Sequence[SSAValue]) -> None:
        """Hand scalars on; buffers stay where they are on step 6."""
        if not registers:
            return
        for value in values:
            if value not in self._scalars:
                raise unsupported(op, f"it hands on a {value.type}: buffers have fixed places here")
        self._code.append(Assign(tuple(registers), tuple([self._scalars[v] for v in values])))

    def _yields_to(self, registers: Sequence[Register]) -> Callable[[Operation], None]:
        return lambda op: self._assign(op, registers, op.operands)

    def _if(self, op: scf.IfOp) -> None:
        results = [self._register(r) for r in op.results]
        then, otherwise = (
            self._block(region.block, self._yields_to(results)) if region.blocks else ()
            for region in (op.true_region, op.false_region)
        )
        self._code.append(If(self._scalars[op.cond], then, otherwise))

    def _switch(self, op: scf.IndexSwitchOp) -> None:
        results = [self._register(r) for r in op.results]
        cases: DenseArrayBase[IntegerType] = op.cases
        blocks = [self._block(region.block, self._yields_to(results)) for region in op.case_regions]
        pairs = tuple(zip([int(c) for c in cases.get_values()], blocks, strict=True))
        default = self._block(op.default_region.block, self._yields_to(results))
        self._code.append(Switch(self._scalars[op.arg], pairs, default))

    def _while(self, op: scf.WhileOp) -> None:
        before, after = op.before_region.block, op.after_region.block
        carried = [self._register(a) for a in before.args]
        self._assign(op, carried, op.arguments)
        passed = [self._register(a) for a in after.args]
        self._scalars.update(zip(op.results, passed, strict=True))  # what the last condition passes on
        condition: list[SSAValue] = []

        def last(terminator: Operation) -> None:
            condition.append(terminator.operands[0])
            self._assign(terminator, passed, terminator.operands[1:])

        first = self._block(before, last)
        body = self._block(after, self._yields_to(carried))
        self._code.append(While(first, self._scalars[condition[0]], body))

    def _for(self, op: scf.ForOp) -> None:
        block = op.body.block
        bounds = (op.lb, op.ub, op.step)
        if not isinstance(op.lb.type, IndexType):
            raise unsupported(op, f"a loop of the host counts in index, not in {op.lb.type}")
        iv, *carried = [self._register(a) for a in block.args]
        self._assign(op, carried, op.iter_args)
        self._scalars.update(zip(op.results, carried, strict=True))
        lower, upper, step = (self._scalars[b] for b in bounds)
        self._code.append(For(iv, lower, upper, step, self._block(block, self._yields_to(carried))))


_SIZES = ("grid_x", "grid_y", "grid_z", "block_x", "block_y", "block_z")

__all__ = ["cuda_executable", "program_of"]
