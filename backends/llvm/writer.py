"""The state of one function being written: lines, names, the current block, and what each SSA value became.

A scalar is an LLVM operand (a name or a literal). A vector is a list of operands, one per row. A memref is a
`Buffer`, known while compiling: a root pointer, an offset, sizes and strides; it never exists as a value in LLVM.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from xdsl.dialects.builtin import MemRefType, VectorType
from xdsl.ir import Attribute, Block, Operation, SSAValue

from stepwell.backends.llvm.strategy import Strategy, pointer_type
from stepwell.backends.llvm.types import element_bytes, memory_type, scalar_type
from stepwell.ir.diagnostics import DiagnosticError, UnsupportedDiagnosticError
from stepwell.ir.diagnostics import unsupported as unsupported_op
from stepwell.ir.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping

Index = int | str
"""An `i64`: known while compiling, or an LLVM name."""

DYNAMIC = -(2**63)


@dataclass(frozen=True)
class Buffer:
    """A memref: element `[i, j]` is at `root + byte_offset + element_bytes * (offset + i * strides[0] + ...)`.

    Buffers with one root share its aliasing facts, so views keep the root of what they view.
    """

    root: str
    element: Attribute
    sizes: tuple[Index, ...]
    strides: tuple[Index, ...]
    byte_offset: int = 0
    offset: Index = 0
    dynamic_bytes: str | None = None
    space: int = 0

    @property
    def pointer(self) -> str:
        """The LLVM type of pointers into it."""
        return pointer_type(self.space)


Value = str | list[str] | Buffer

Emitter = Callable[["FunctionWriter", Operation], None]


@dataclass
class ModuleContext:
    """What the functions of one LLVM module share: declarations, constants, metadata, outlined functions."""

    name: str
    emitters: Mapping[str, Emitter]
    strategy: Strategy = field(default_factory=Strategy)
    declarations: dict[str, str] = field(default_factory=dict[str, str])
    globals: dict[str, str] = field(default_factory=dict[str, str])
    functions: list[str] = field(default_factory=list[str])
    metadata: list[str] = field(default_factory=list[str])
    nontemporal: bool = False
    counter: int = 0
    _next_metadata: int = 1
    _vectorized: dict[Operation, bool] = field(default_factory=dict[Operation, bool])

    def declare(self, name: str, text: str) -> None:
        """Declare an external function or intrinsic once."""
        self.declarations.setdefault(name, text)

    def use_global(self, name: str, op: Operation) -> str:
        """The LLVM name of a `memref.global`."""
        raise NotImplementedError

    def use_function(self, name: str, op: Operation) -> str:
        """The LLVM symbol of a `func.func`."""
        raise NotImplementedError

    def kernel_symbol(self, name: str) -> str:
        """The LLVM symbol of a `kernel.func`."""
        raise NotImplementedError

    def has_vectors(self, op: Operation) -> bool:
        """Whether the regions of `op` compute on vectors; each op is looked at once."""
        known = self._vectorized.get(op)
        if known is None:
            known = False
            for region in op.regions:
                for block in region.blocks:
                    for inner in block.ops:
                        vector = any(isinstance(r.type, VectorType) for r in inner.results)
                        if (inner.regions and self.has_vectors(inner)) or vector:
                            known = True
            self._vectorized[op] = known
        return known

    def loop_node(self, unroll: int, vectorized: bool) -> str:
        """A metadata node for a loop: unrolled `unroll` times when positive, not vectorized again."""
        parts: list[str] = []
        if vectorized:
            parts.append('!{!"llvm.loop.vectorize.enable", i1 false}')
        if unroll > 1:
            parts.append(f'!{{!"llvm.loop.unroll.count", i32 {unroll}}}')
        elif vectorized:
            parts.append('!{!"llvm.loop.unroll.disable"}')
        number = self._next_metadata
        names: list[str] = []
        for part in parts:
            number += 1
            names.append(f"!{number}")
            self.metadata.append(f"!{number} = {part}")
        loop = f"!{self._next_metadata}"
        self.metadata.append(f"{loop} = distinct !{{{', '.join([loop, *names])}}}")
        self._next_metadata = number + 1
        return loop

    def flag(self, name: str, value: int) -> None:
        """Say something of the whole module, once for each of its flags: metadata that LLVM knows by name."""
        self.metadata.append(f"!llvm.module.flags = !{{!{self._next_metadata}}}")
        self.metadata.append(f'!{self._next_metadata} = !{{i32 1, !"{name}", i32 {value}}}')
        self._next_metadata += 1

    def fresh_symbol(self, stem: str) -> str:
        """A symbol name private to this module."""
        self.counter += 1
        return f"{stem}.{self.counter}"


def unsupported(op: Operation, reason: str) -> UnsupportedDiagnosticError:
    """The error for an op the writer refuses."""
    return unsupported_op(op, reason)


@contextmanager
def located(op: Operation) -> Generator[None, None, None]:
    """Give refusals that know no op (of types, of layouts) the place of `op`."""
    try:
        yield
    except UnsupportedError as error:
        if isinstance(error, DiagnosticError):
            raise
        raise unsupported(op, str(error)) from error


def attribute(op: Operation, name: str) -> Attribute | None:
    """A property or discardable attribute of `op`."""
    found = op.properties.get(name)
    return found if found is not None else op.attributes.get(name)


def operand(op: Operation, index: int) -> SSAValue:
    """Operand `index`, without the cost of xDSL's accessors."""
    return op._operands[index]  # pyright: ignore[reportPrivateUsage]


class FunctionWriter:
    """Writes one LLVM function; the emitters of each dialect call its methods."""

    def __init__(self, module: ModuleContext, symbol: str):
        self.module = module
        self.symbol = symbol
        self.noalias_roots: dict[str, str] = {}
        self.lines: list[str] = []
        self.allocas: list[str] = []
        self.values: dict[SSAValue, Value] = {}
        self.block = "entry"
        self.worker: str = "0"
        self.prefixes: dict[str, Index] = {}
        self.bypasses = False
        """Whether a store of this function goes past the caches, and so past the order of other stores."""
        self._names = 0

    # Text

    def fresh(self) -> str:
        """A new local name."""
        self._names += 1
        return f"%v{self._names}"

    def emit(self, text: str) -> str:
        """Append `%v = text`; returns the name."""
        name = self.fresh()
        self.lines.append(f"  {name} = {text}")
        return name

    def line(self, text: str) -> None:
        """Append an instruction without a result."""
        self.lines.append(f"  {text}")

    def fresh_labels(self, *stems: str) -> tuple[str, ...]:
        """Labels of blocks that belong together."""
        self._names += 1
        return tuple(f"{stem}{self._names}" for stem in stems)

    def start_block(self, label: str) -> None:
        """Begin the block `label`; the one before has its terminator."""
        self.lines.append(f"{label}:")
        self.block = label

    def branch(self, label: str) -> None:
        """Jump to `label`."""
        self.line(f"br label %{label}")

    def leave(self, text: str) -> None:
        """Return, as `text` says; what the function stored is seen before anything that comes after it."""
        if self.bypasses:
            self.line("fence seq_cst")
        self.line(text)

    def call(self, result: str, name: str, arguments: Sequence[tuple[str, str]], flags: str = "") -> str:
        """Call the intrinsic `name` with (type, operand) pairs, declaring it; returns the result's name."""
        types = ", ".join(t for t, _ in arguments)
        self.module.declare(name, f"declare {result} @{name}({types})")
        text = f"call {flags}{result} @{name}({', '.join(f'{t} {v}' for t, v in arguments)})"
        if result == "void":
            self.line(text)
            return ""
        return self.emit(text)

    def alloca(self, type_: str, align: int) -> str:
        """A stack slot in the entry block (so that it is allocated once, also inside loops)."""
        name = self.fresh()
        space = self.module.strategy.stack_space
        place = f", addrspace({space})" if space else ""
        self.allocas.append(f"  {name} = alloca {type_}, align {align}{place}")
        return name

    def text(self, head: str) -> str:
        """The whole function, given its `define` line."""
        return "\n".join([head, "entry:", *self.allocas, *self.lines, "}"])

    # Values

    def scalar(self, value: SSAValue) -> str:
        """The operand of a scalar."""
        found = self.values[value]
        assert isinstance(found, str), f"{value.type} is not a scalar"
        return found

    def index(self, value: SSAValue) -> Index:
        """An index operand, as an int when known."""
        return parse_index(self.scalar(value))

    def rows(self, value: SSAValue) -> list[str]:
        """The rows of a vector."""
        found = self.values[value]
        assert isinstance(found, list), f"{value.type} is not a vector"
        return found

    def buffer(self, value: SSAValue) -> Buffer:
        """The buffer of a memref."""
        found = self.values[value]
        assert isinstance(found, Buffer), f"{value.type} is not a memref"
        return found

    def pieces(self, value: SSAValue) -> list[tuple[str, str]]:
        """A value as (LLVM type, operand) pairs, as block arguments and captures carry it."""
        found = self.values[value]
        if isinstance(found, Buffer):
            return [(found.pointer, self.buffer_pointer(found))]
        if isinstance(found, list):
            from stepwell.backends.llvm.types import row_type

            assert isinstance(value.type, VectorType)
            name = row_type(value.type)
            return [(name, row) for row in found]
        return [(scalar_type(value.type), found)]

    def bind(self, value: SSAValue, names: list[str], like: Value | None = None) -> None:
        """Give `value` the operands `names`, in the form of `pieces`."""
        if isinstance(value.type, MemRefType):
            self.values[value] = static_buffer(names[0], value.type, like, self.module.strategy.space(value.type))
        elif isinstance(value.type, VectorType):
            self.values[value] = names
        else:
            self.values[value] = names[0]

    # Index arithmetic, folded where known

    def add(self, lhs: Index, rhs: Index) -> Index:
        """`lhs + rhs`."""
        if isinstance(lhs, int) and isinstance(rhs, int):
            return lhs + rhs
        if lhs == 0:
            return rhs
        if rhs == 0:
            return lhs
        return self.emit(f"add nsw i64 {lhs}, {rhs}")

    def sub(self, lhs: Index, rhs: Index) -> Index:
        """`lhs - rhs`."""
        if isinstance(lhs, int) and isinstance(rhs, int):
            return lhs - rhs
        return lhs if rhs == 0 else self.emit(f"sub nsw i64 {lhs}, {rhs}")

    def mul(self, lhs: Index, rhs: Index) -> Index:
        """`lhs * rhs`."""
        if isinstance(lhs, int) and isinstance(rhs, int):
            return lhs * rhs
        if lhs == 0 or rhs == 0:
            return 0
        if lhs == 1:
            return rhs
        if rhs == 1:
            return lhs
        return self.emit(f"mul nsw i64 {lhs}, {rhs}")

    # Addresses

    def address(self, buffer: Buffer, indices: Sequence[Index]) -> str:
        """The address of one element. The constant part comes last, so that unrolled rows share the rest."""
        constant, linear = 0, buffer.offset
        if isinstance(linear, int):
            constant, linear = linear, 0
        for index, stride in zip(indices, buffer.strides, strict=True):
            term = self.mul(index, stride)
            if isinstance(term, int):
                constant += term
            else:
                linear = self.add(linear, term)
        width = element_bytes(buffer.element)
        pointer, kind = buffer.root, buffer.pointer
        if buffer.dynamic_bytes is not None:
            pointer = self.emit(f"getelementptr i8, {kind} {pointer}, i64 {buffer.dynamic_bytes}")
        if linear != 0:
            pointer = self.emit(f"getelementptr {memory_type(buffer.element)}, {kind} {pointer}, i64 {linear}")
        if total := buffer.byte_offset + constant * width:
            pointer = self.emit(f"getelementptr i8, {kind} {pointer}, i64 {total}")
        return pointer

    def buffer_pointer(self, buffer: Buffer) -> str:
        """The address of the first element of a buffer."""
        return self.address(buffer, [0] * len(buffer.strides))

    # Walking

    def write_block(self, block: Block) -> Operation:
        """Write all ops of a block but its terminator, which is returned."""
        emitters = self.module.emitters
        last = block.last_op
        assert last is not None, "a block without terminator"
        for op in block.ops:
            if op is last:
                break
            emitter = emitters.get(op.name)
            if emitter is None:
                raise unsupported(
                    op,
                    "the LLVM writer has no rule for this op; lower it to arith, the basic math ops, memref, "
                    "vector, scf, affine or rt first",
                )
            try:
                emitter(self, op)
            except UnsupportedError as error:
                if isinstance(error, DiagnosticError):
                    raise
                raise unsupported(op, str(error)) from error
        return last


def parse_index(text: str) -> Index:
    """A literal as an int, a name as it is."""
    return text if text[0] == "%" or text[0] == "@" else int(text)


def row_major_strides(sizes: Sequence[Index], op_text: object) -> tuple[Index, ...]:
    """Strides of an identity layout; only the first size may be dynamic.

    Raises:
        UnsupportedError: a dynamic size other than the first.
    """
    strides: list[Index] = []
    step: int = 1
    for position in range(len(sizes) - 1, -1, -1):
        strides.append(step)
        size = sizes[position]
        if position and not isinstance(size, int):
            raise UnsupportedError(f"the LLVM writer needs static inner sizes in the identity layout of {op_text}")
        step *= size if isinstance(size, int) else 1
    return tuple(reversed(strides))


def static_buffer(pointer: str, type_: MemRefType[Attribute], like: Value | None = None, space: int = 0) -> Buffer:
    """The buffer at `pointer` of a memref type; sizes and strides the type leaves open come from `like`, its space too.

    Raises:
        UnsupportedError: they are dynamic and unknown.
    """
    sizes: tuple[Index, ...] = tuple(type_.get_shape())
    strides = type_.get_strides()
    other = like if isinstance(like, Buffer) else None
    if strides is None:
        raise UnsupportedError(f"the LLVM writer needs a strided layout, not {type_}")
    known: list[Index] = []
    for position, stride in enumerate(strides):
        if stride is None or stride == DYNAMIC:
            if other is None:
                raise UnsupportedError(f"the LLVM writer cannot know the strides of a value of type {type_}")
            known.append(other.strides[position])
        else:
            known.append(stride)
    if other is not None:
        sizes = tuple(o if s == DYNAMIC else s for s, o in zip(sizes, other.sizes, strict=True))
    place = other.space if other is not None else space
    return Buffer(pointer, type_.element_type, sizes, tuple(known), space=place)
