"""One LLVM module per kernel and one for the host, or one for all: functions, globals, calls, and the C entry.

The entry gets a C wrapper `i32 @stepwell_entry_<name>(ptr args)` that unpacks the array of pointers. With it, every other symbol
is ours: `stepwell.func.<name>` (internal), `stepwell.kernel.<name>`, `stepwell.global.<name>`, so that a program may use any name,
also one of C's or LLVM's. A module without entry (the thread pool) keeps its names. A kernel is `void @...(ptr noalias ...)`; in a
module for all it is internal, for LLVM to put where it is launched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xdsl.dialects import func, memref
from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseIntOrFPElementsAttr,
    IntegerAttr,
    MemRefType,
    StringAttr,
    SymbolRefAttr,
    UnitAttr,
    VectorType,
)
from xdsl.ir import Attribute, BlockArgument, Operation

from stepwell.backends.llvm import (
    affine,
    arith,
    atomics,
    control_flow,
    dot,
    host_calls,
    math,
    parallel,
    vector,
    vector_combine,
    vector_memory,
)
from stepwell.backends.llvm import memref as memref_ops
from stepwell.backends.llvm.promises import promises
from stepwell.backends.llvm.strategy import Strategy
from stepwell.backends.llvm.types import (
    constant_bytes_literal,
    dense_array,
    element_bytes,
    encoded,
    memory_type,
    quoted,
    scalar_type,
)
from stepwell.backends.llvm.writer import (
    DYNAMIC,
    Emitter,
    FunctionWriter,
    ModuleContext,
    attribute,
    located,
    operand,
    static_buffer,
    unsupported,
)
from stepwell.backends.marks import WHOLE_PROGRAM

HOST = "host"
MAX_GLOBAL_BYTES = 1 << 30
"""What the small code model of an object surely reaches."""

ENTRY_ATTRIBUTE = "stepwell.abi"


@dataclass
class Program:
    """The module being written, as the functions of all LLVM modules see it."""

    strategy: Strategy = field(default_factory=Strategy)
    symbols: dict[str, Operation] = field(default_factory=dict[str, Operation])
    has_entry: bool = False
    joined: bool = False
    """Whether all of it is one LLVM module."""
    _promises: dict[str, str] = field(default_factory=dict[str, str])

    def promises(self, name: str) -> str:
        """LLVM's attributes of the `kernel.func` called `name`."""
        if name not in self._promises:
            found = self.symbols.get(name)
            self._promises[name] = promises(found) if found is not None else ""
        return self._promises[name]

    def symbol(self, kind: str, name: str) -> str:
        """The LLVM symbol of a "func", "kernel" or "global"; a module without entry keeps its names."""
        return f"stepwell.{kind}.{encoded(name)}" if self.has_entry else name

    def context(self, name: str) -> LlvmModule:
        """A fresh LLVM module."""
        return LlvmModule(name, _EMITTERS, self.strategy, program=self)


@dataclass
class LlvmModule(ModuleContext):
    """An LLVM module being written."""

    program: Program = field(default_factory=Program)

    def use_global(self, name: str, op: Operation) -> str:
        """The name of a `memref.global`, defined here when the host owns it, declared otherwise."""
        found = self.program.symbols.get(name)
        if not isinstance(found, memref.GlobalOp):
            raise unsupported(op, f"no memref.global named @{name}")
        if name not in self.globals:
            symbol = self.program.symbol("global", name)
            self.globals[name] = global_text(found, symbol, define=self.name == HOST)
        return f"@{quoted(self.program.symbol('global', name))}"

    def use_function(self, name: str, op: Operation) -> str:
        """The LLVM symbol of a function of the host; declares it when it is external."""
        found = self.program.symbols.get(name)
        if not isinstance(found, func.FuncOp):
            raise unsupported(op, f"no func.func named @{name}")
        if found.body.blocks.first is None:
            kinds = ", ".join(_parameter_type(t) for t in found.function_type.inputs.data)
            self.declare(name, f"declare {result_type(found)} @{quoted(name)}({kinds})")
            return quoted(name)
        return quoted(self.program.symbol("func", name))

    def kernel_symbol(self, name: str) -> str:
        """The LLVM symbol of a `kernel.func`."""
        return self.program.symbol("kernel", name)

    def declare_kernel(self, name: str, types: Sequence[str]) -> None:
        """Declare a `kernel.func` that is launched, unless it is part of this module."""
        if not self.program.joined:
            symbol = self.kernel_symbol(name)
            promised = f" {self.program.promises(name)}".rstrip()
            self.declare(symbol, f"declare void @{quoted(symbol)}({', '.join(types)}){promised}")


def module_text(module: ModuleContext) -> str:
    """The whole LLVM module."""
    name = encoded(module.name)
    parts = [f'; ModuleID = "{name}"', f'source_filename = "{name}"', ""]
    parts += list(module.globals.values())
    parts += [""] if module.globals else []
    for function in module.functions:
        parts += [function, ""]
    parts += [module.declarations[name] for name in module.declarations]
    more = f" {module.strategy.attributes}" if module.strategy.attributes else ""
    parts += ["", f"attributes #0 = {{ nounwind{more} }}", f"attributes #1 = {{ noinline nounwind{more} }}"]
    if module.nontemporal:
        parts.append("!0 = !{i32 1}")
    parts += module.metadata
    return "\n".join(parts) + "\n"


def is_entry(op: func.FuncOp) -> bool:
    """True for the function a user calls."""
    return ENTRY_ATTRIBUTE in op.attributes


def entry_symbol(name: str) -> str:
    """The C symbol of the entry called `name`."""
    return f"stepwell_entry_{encoded(name)}"


def global_text(op: memref.GlobalOp, symbol: str, *, define: bool, space: str = "") -> str:
    """A `memref.global` as an LLVM global, aligned for vectors; `space` is what LLVM calls its linkage and memory."""
    type_ = op.properties["type"]
    assert isinstance(type_, MemRefType)
    element: Attribute = type_.element_type
    count = 1
    for size in type_.get_shape():
        count *= size
    nbytes = count * element_bytes(element)
    constant = "constant" if isinstance(op.properties.get("constant"), UnitAttr) else "global"
    align = op.properties.get("alignment")
    bytes_ = max(64, align.value.data) if isinstance(align, IntegerAttr) else 64
    head = f"@{quoted(symbol)} = {space}".rstrip()
    if not define:
        return f"{head} external {constant} [{nbytes} x i8], align {bytes_}"
    if nbytes > MAX_GLOBAL_BYTES:
        raise unsupported(
            op, f"a constant of {nbytes} bytes; pass data of more than {MAX_GLOBAL_BYTES} bytes as an argument"
        )
    value = op.properties.get("initial_value")
    if not isinstance(value, DenseIntOrFPElementsAttr):
        return f"{head} {constant} [{nbytes} x i8] zeroinitializer, align {bytes_}"
    data = dense_array(value, element).tobytes()
    if len(data) < nbytes:
        data *= nbytes // len(data)
    if not any(data[:64]) and not any(data):  # a writable global of zeros takes no room in the object
        return f"{head} global [{nbytes} x i8] zeroinitializer, align {bytes_}"
    return f"{head} {constant} [{nbytes} x i8] {constant_bytes_literal(data)}, align {bytes_}"


def _parameter_type(type_: Attribute) -> str:
    if isinstance(type_, VectorType):
        raise TypeError("vectors are not passed to functions")
    return scalar_type(type_)


def result_type(op: func.FuncOp) -> str:
    """The LLVM return type: void, a scalar, or a struct of scalars."""
    types = [scalar_type(t) for t in op.function_type.outputs.data]
    for type_ in op.function_type.outputs.data:
        if isinstance(type_, MemRefType):
            raise unsupported(op, "functions do not return buffers; pass a destination instead")
    return "void" if not types else types[0] if len(types) == 1 else "{ " + ", ".join(types) + " }"


def write_kernel(program: Program, op: Operation) -> str:
    """The LLVM module of one `kernel.func`."""
    name = op.properties["sym_name"]
    assert isinstance(name, StringAttr)
    module = program.context(name.data)
    _write_kernel(module, op)
    return module_text(module)


def _write_kernel(module: LlvmModule, op: Operation) -> None:
    name, access = op.properties["sym_name"], op.properties["access"]
    assert isinstance(name, StringAttr)
    assert isinstance(access, ArrayAttr)
    kinds = [a.data for a in access.data if isinstance(a, StringAttr)]
    symbol = module.kernel_symbol(name.data)
    w = FunctionWriter(module, symbol)
    with located(op):
        parameters = _write_kernel_body(w, op, kinds)
    linkage = "internal " if module.program.joined else ""
    promised = " ".join(filter(None, (module.program.promises(name.data), "#0")))
    module.functions.append(w.text(f"define {linkage}void @{quoted(symbol)}({', '.join(parameters)}) {promised} {{"))


def _write_kernel_body(w: FunctionWriter, op: Operation, kinds: Sequence[str]) -> list[str]:
    """Write what a kernel does; its parameters."""
    parameters: list[str] = []
    block = op.regions[0].block
    for i, argument in enumerate(block.args):
        pointer = f"%a{i}"
        if not isinstance(argument.type, MemRefType):
            w.values[argument] = pointer
            parameters.append(f"{scalar_type(argument.type)} {pointer}")
            continue
        attributes = _pointer_attributes(argument.type, kinds[i] if i < len(kinds) else None)
        w.noalias_roots[pointer] = attributes
        w.values[argument] = static_buffer(pointer, argument.type)
        parameters.append(f"ptr {attributes} {pointer}")
    w.write_block(block)
    w.leave("ret void")
    return parameters


def _pointer_attributes(type_: MemRefType[Attribute], access: str | None) -> str:
    """Parameter attributes of a kernel argument; scratch (no access) is aligned for vectors."""
    if access is None:
        return "noalias nonnull noundef align 64"
    readonly = "readonly " if access == "read" else ""
    return f"noalias {readonly}nonnull noundef align {element_bytes(type_.element_type)}"


def write_host(program: Program, functions: Sequence[func.FuncOp], globals_: Sequence[memref.GlobalOp]) -> str:
    """The LLVM module of all host functions and constants."""
    module = program.context(HOST)
    _write_host(module, functions, globals_)
    return module_text(module)


def write_joined(
    program: Program,
    functions: Sequence[func.FuncOp],
    globals_: Sequence[memref.GlobalOp],
    kernels: Sequence[Operation],
) -> str:
    """One LLVM module of all: the host functions and constants, and the kernels."""
    program.joined = True
    module = program.context(HOST)
    _write_host(module, functions, globals_)
    for op in kernels:
        _write_kernel(module, op)
    return f"{module_text(module)}{WHOLE_PROGRAM}\n"


def _write_host(module: LlvmModule, functions: Sequence[func.FuncOp], globals_: Sequence[memref.GlobalOp]) -> None:
    for op in globals_:
        name = op.properties["sym_name"]
        assert isinstance(name, StringAttr)
        with located(op):
            module.use_global(name.data, op)
    for op in functions:
        if op.body.blocks.first is not None:
            with located(op):
                _write_function(module, op)


def _write_function(module: LlvmModule, op: func.FuncOp) -> None:
    name = op.sym_name.data
    entry = is_entry(op)
    symbol = module.program.symbol("func", name)
    w = FunctionWriter(module, symbol)
    parameters: list[str] = []
    for i, argument in enumerate(op.body.block.args):
        parameters.append(_bind_parameter(w, argument, f"%a{i}", aligned=False))
    terminator = w.write_block(op.body.block)
    _write_return(w, terminator, op)
    public = not module.program.has_entry and (op.sym_visibility is None or op.sym_visibility.data != "private")
    linkage = "" if public else "internal "
    head = f"define {linkage}{result_type(op)} @{quoted(symbol)}({', '.join(parameters)}) #0 {{"
    module.functions.append(w.text(head))
    if entry:
        module.functions.append(_entry_wrapper(op, entry_symbol(name), quoted(symbol)))


def _bind_parameter(w: FunctionWriter, argument: BlockArgument, name: str, *, aligned: bool) -> str:
    if isinstance(argument.type, MemRefType):
        w.values[argument] = static_buffer(name, argument.type)
        return f"ptr {name}"
    w.values[argument] = name
    return f"{scalar_type(argument.type)} {name}"


def _write_return(w: FunctionWriter, terminator: Operation, op: func.FuncOp) -> None:
    kind = result_type(op)
    values = [(scalar_type(v.type), w.scalar(v)) for v in terminator.operands]
    if not values:
        w.leave("ret void")
    elif len(values) == 1:
        w.leave(f"ret {kind} {values[0][1]}")
    else:
        struct = "poison"
        for i, (type_, value) in enumerate(values):
            struct = w.emit(f"insertvalue {kind} {struct}, {type_} {value}, {i}")
        w.leave(f"ret {kind} {struct}")


def _entry_wrapper(op: func.FuncOp, name: str, symbol: str) -> str:
    """`i32 @name(ptr args)`: one pointer per argument of the entry."""
    if op.function_type.outputs.data:
        raise unsupported(op, "the entry returns values; its results must be destinations (run bufferize)")
    lines = [f"define i32 @{name}(ptr %args) #0 {{", "entry:"]
    arguments: list[str] = []
    for i, type_ in enumerate(op.function_type.inputs.data):
        lines.append(f"  %p{i} = getelementptr inbounds ptr, ptr %args, i64 {i}")
        lines.append(f"  %a{i} = load ptr, ptr %p{i}, align 8")
        if isinstance(type_, MemRefType):
            arguments.append(f"ptr %a{i}")
        else:
            kind = memory_type(type_)
            lines.append(f"  %s{i} = load {kind}, ptr %a{i}")
            arguments.append(f"{scalar_type(type_)} %s{i}")
    lines += [f"  call void @{symbol}({', '.join(arguments)})", "  ret i32 0", "}"]
    return "\n".join(lines)


def _launch(w: FunctionWriter, op: Operation) -> None:
    if op.results:
        raise unsupported(op, "a launch on tensors (run bufferize)")
    callee = attribute(op, "callee")
    assert isinstance(callee, SymbolRefAttr)
    assert isinstance(w.module, LlvmModule)
    name = callee.root_reference.data
    symbol = w.module.kernel_symbol(name)
    pairs = [_passed(w, op, i) for i in range(len(op.operands))]
    w.module.declare_kernel(name, [t for t, _ in pairs])
    w.line(f"call void @{quoted(symbol)}({', '.join(f'{t} {v}' for t, v in pairs)})")


def _passed(w: FunctionWriter, op: Operation, index: int) -> tuple[str, str]:
    """An operand as a callee sees it: a buffer of identity layout as its pointer."""
    value = operand(op, index)
    if not isinstance(value.type, MemRefType):
        return scalar_type(value.type), w.scalar(value)
    buffer = w.buffer(value)
    shape = tuple(value.type.get_shape())
    if 1 not in shape and 0 not in shape and DYNAMIC not in shape:
        expected = static_buffer("", value.type).strides
        identity = MemRefType(value.type.element_type, shape).get_strides()
        if expected != tuple(identity or ()) or buffer.strides != expected:
            raise unsupported(op, f"operand {index} is not contiguous: {value.type}")
    return "ptr", w.buffer_pointer(buffer)


def _call(w: FunctionWriter, op: Operation) -> None:
    callee = attribute(op, "callee")
    assert isinstance(callee, SymbolRefAttr)
    symbol = w.module.use_function(callee.root_reference.data, op)
    pairs = [_passed(w, op, i) for i in range(len(op.operands))]
    types = [scalar_type(r.type) for r in op.results]
    kind = "void" if not types else types[0] if len(types) == 1 else "{ " + ", ".join(types) + " }"
    text = f"call {kind} @{symbol}({', '.join(f'{t} {v}' for t, v in pairs)})"
    if not types:
        w.line(text)
    elif len(types) == 1:
        w.values[op.results[0]] = w.emit(text)
    else:
        packed = w.emit(text)
        for i, result in enumerate(op.results):
            w.values[result] = w.emit(f"extractvalue {kind} {packed}, {i}")


_EMITTERS: Mapping[str, Emitter] = {
    **affine.EMITTERS,
    **arith.EMITTERS,
    **atomics.EMITTERS,
    **control_flow.EMITTERS,
    **dot.EMITTERS,
    **host_calls.EMITTERS,
    **math.EMITTERS,
    **memref_ops.EMITTERS,
    **parallel.EMITTERS,
    **vector.EMITTERS,
    **vector_combine.EMITTERS,
    **vector_memory.EMITTERS,
    "func.call": _call,
    "kernel.launch": _launch,
}

SUPPORTED_OPS: tuple[str, ...] = tuple(sorted(_EMITTERS))
"""Every op the writer has a rule for (terminators are written with their parents)."""
