"""One LLVM module per `gpu.module`: the emitters of a CPU's kernels, those of `gpu`, and the strategy of the GPU.

A kernel has the arguments of its `gpu.func` in order; a memref is the address of its first element. Global memory is address
space 1, a block's is 3, and a thread's is the stack, which becomes registers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xdsl.dialects import memref
from xdsl.dialects.builtin import ArrayAttr, DenseIntOrFPElementsAttr, MemRefType, ModuleOp, StringAttr, UnitAttr
from xdsl.ir import BlockArgument, Operation

from stepwell.backends.gpu_target import SHARED_ALIGN, DeviceTarget, check_gpu_module
from stepwell.backends.llvm import (
    affine,
    arith,
    atomics,
    control_flow,
    math,
    vector,
    vector_combine,
    vector_memory,
)
from stepwell.backends.llvm import gpu as gpu_ops
from stepwell.backends.llvm import memref as memref_ops
from stepwell.backends.llvm.device import GLOBAL_SPACE, DeviceStrategy, device_of
from stepwell.backends.llvm.memref import allocate
from stepwell.backends.llvm.module import global_text
from stepwell.backends.llvm.types import element_bytes, encoded, memory_type, quoted, scalar_type
from stepwell.backends.llvm.writer import (
    Emitter,
    FunctionWriter,
    ModuleContext,
    located,
    static_buffer,
    unsupported,
)
from stepwell.dialects import gpu, kernel

MAX_CONSTANT_BYTES = 1 << 16
"""Of a constant that is written into device code instead of being passed."""


@dataclass
class DeviceModule(ModuleContext):
    """The LLVM module of one `gpu.module`."""

    symbols: Mapping[str, Operation] = field(default_factory=dict[str, Operation])

    def use_global(self, name: str, op: Operation) -> str:
        """The name of a constant `memref.global`, of which this module gets a copy of its own."""
        found = self.symbols.get(name)
        if not isinstance(found, memref.GlobalOp):
            raise unsupported(op, f"no memref.global named @{name}")
        type_ = found.properties["type"]
        assert isinstance(type_, MemRefType)
        count = 1
        for size in type_.get_shape():
            count *= size
        constant = isinstance(found.properties.get("constant"), UnitAttr)
        if not constant or not isinstance(found.properties.get("initial_value"), DenseIntOrFPElementsAttr):
            raise unsupported(op, f"@{name} is not a constant; memory is passed to a kernel")
        if count * element_bytes(type_.element_type) > MAX_CONSTANT_BYTES:
            raise unsupported(op, f"@{name} has more than {MAX_CONSTANT_BYTES} bytes; pass it to the kernel")
        symbol = f"stepwell.global.{encoded(name)}"
        self.globals.setdefault(
            name, global_text(found, symbol, define=True, space=f"internal addrspace({GLOBAL_SPACE})")
        )
        return f"@{quoted(symbol)}"


def kernel_symbol(name: str) -> str:
    """The name in assembly of the `gpu.func` called `name`: letters, digits and `_` as they are, other bytes as `$XX`."""
    text = encoded(name).replace(".", "$2E")
    return text if text[0].isalpha() or text[0] == "$" or (text[0] == "_" and len(text) > 1) else f"${text}"


def device_module(
    program: ModuleOp,
    module: gpu.ModuleOp,
    target: DeviceTarget,
    strategy: DeviceStrategy,
    emitters: Mapping[str, Emitter],
) -> DeviceModule:
    """The LLVM module of a `gpu.module` of a step-6 program, for a processor that can run it.

    Args:
        program: where its constants are.
        module: the kernels.
        target: the processor.
        strategy: how the writer treats it.
        emitters: rules of ops beside those that every GPU has.

    Raises:
        InvalidProgramError: a launch is beyond the machine.
        UnsupportedError: an op or type has no rule, or no form on this processor.
    """
    check_gpu_module(module, target)
    symbols: dict[str, Operation] = {}
    for op in program.body.block.ops:
        name = op.properties.get("sym_name")
        if isinstance(name, StringAttr):
            symbols[name.data] = op
    context = DeviceModule(module.sym_name.data, {**EMITTERS, **emitters}, strategy, symbols=symbols)
    for op in module.body.block.ops:
        assert isinstance(op, gpu.FuncOp)
        with located(op):
            _write_function(context, op)
    return context


def _write_function(context: DeviceModule, op: gpu.FuncOp) -> None:
    symbol = kernel_symbol(op.sym_name.data)
    w = FunctionWriter(context, symbol)
    kinds = _access(op)
    parameters = [_parameter(w, argument, f"%a{i}", kinds) for i, argument in enumerate(op.args)]
    for number, argument in enumerate(op.workgroup_args):
        _share(w, argument, f"{symbol}$shared{number}")
    for argument in op.private_args:
        assert isinstance(argument.type, MemRefType)
        w.values[argument] = allocate(w, argument.type)
    w.write_block(op.body.block)
    w.line("ret void")
    machine = device_of(w)
    head = f"define {machine.convention} void @{quoted(symbol)}({', '.join(parameters)}) #0 {machine.bounds(op)} {{"
    context.functions.append(w.text(head))


def _access(op: gpu.FuncOp) -> list[str]:
    """What the kernel does with each argument, as `kernel.func` says it; nothing when it does not say."""
    access = op.attributes.get("access")
    if not isinstance(access, ArrayAttr):
        return []
    kinds = [a.data for a in access.data if isinstance(a, StringAttr)]
    if len(kinds) != len(op.args):
        raise unsupported(op, f"{len(kinds)} kinds of access for {len(op.args)} arguments")
    return kinds


_ALIASING = {kernel.READ: "noalias readonly ", kernel.WRITE: "noalias ", kernel.READWRITE: ""}
"""What threads read of each other is reached through each one's own pointer: for LLVM, another pointer to the same memory."""


def _parameter(w: FunctionWriter, argument: BlockArgument, name: str, kinds: list[str]) -> str:
    if not isinstance(argument.type, MemRefType):
        w.values[argument] = name
        return f"{scalar_type(argument.type)} {name}"
    buffer = static_buffer(name, argument.type, space=w.module.strategy.space(argument.type))
    w.values[argument] = buffer
    aliasing = _ALIASING.get(kinds[argument.index], "") if kinds else ""
    return f"{buffer.pointer} {aliasing}nonnull noundef align {element_bytes(argument.type.element_type)} {name}"


def _share(w: FunctionWriter, argument: BlockArgument, symbol: str) -> None:
    type_ = argument.type
    assert isinstance(type_, MemRefType)
    count = 1
    for size in type_.get_shape():
        count *= size
    space = w.module.strategy.space(type_)
    w.module.globals[symbol] = (
        f"@{quoted(symbol)} = internal addrspace({space}) global [{count} x {memory_type(type_.element_type)}] poison, "
        f"align {SHARED_ALIGN}"
    )
    w.values[argument] = static_buffer(f"@{quoted(symbol)}", type_, space=space)


EMITTERS: Mapping[str, Emitter] = {
    **affine.EMITTERS,
    **arith.EMITTERS,
    **atomics.EMITTERS,
    **control_flow.EMITTERS,
    **math.EMITTERS,
    **memref_ops.EMITTERS,
    **vector.EMITTERS,
    **vector_combine.EMITTERS,
    **vector_memory.EMITTERS,
    **gpu_ops.EMITTERS,
}
"""The rules of every op that every GPU has in a `gpu.func` (terminators are written with their parents)."""
