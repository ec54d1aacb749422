"""Attributes and types of the gpu dialect, and the text that asynchronous ops share."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import MemRefType, NoneAttr
from xdsl.dialects.gpu import AsyncTokenType, DimensionAttr, DimensionEnum
from xdsl.dialects.utils.enum_attribute import EnumAttribute
from xdsl.ir import Attribute, SpacedOpaqueSyntaxAttribute
from xdsl.irdl import IRDLOperation, irdl_attr_definition
from xdsl.irdl.declarative_assembly_format import (
    CustomDirective,
    ParsingState,
    PrintingState,
    TypeDirective,
    VariadicOperandVariable,
    irdl_custom_directive,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.str_enum import StrEnum

from stepwell.ir.definitions import InAngleBrackets


class AddressSpace(StrEnum):
    """Where memory lies: seen by the whole machine, by one thread block, by one thread."""

    GLOBAL = "global"
    WORKGROUP = "workgroup"
    PRIVATE = "private"


class ShuffleMode(StrEnum):
    """Which lane a shuffle reads: own XOR offset, own minus offset, own plus offset, offset itself."""

    XOR = "xor"
    UP = "up"
    DOWN = "down"
    IDX = "idx"


class VoteMode(StrEnum):
    """What a vote asks: whether it is so for some lane, or for every one."""

    ANY = "any"
    ALL = "all"


class ReduceKind(StrEnum):
    """What a reduction combines with, by MLIR's names (`minnumf` drops a NaN, `minimumf` keeps it)."""

    ADD = "add"
    MUL = "mul"
    MINUI = "minui"
    MINSI = "minsi"
    MINNUMF = "minnumf"
    MAXUI = "maxui"
    MAXSI = "maxsi"
    MAXNUMF = "maxnumf"
    AND = "and"
    OR = "or"
    XOR = "xor"
    MINIMUMF = "minimumf"
    MAXIMUMF = "maximumf"


ON_FLOATS = frozenset({ReduceKind.MINNUMF, ReduceKind.MAXNUMF, ReduceKind.MINIMUMF, ReduceKind.MAXIMUMF})
ON_BOTH = frozenset({ReduceKind.ADD, ReduceKind.MUL})


@irdl_attr_definition
class AddressSpaceAttr(InAngleBrackets[AddressSpace], EnumAttribute[AddressSpace]):
    """`#gpu.address_space<global|workgroup|private>`, the memory space of a memref; without one it is global."""

    name = "gpu.address_space"


@irdl_attr_definition
class ShuffleModeAttr(EnumAttribute[ShuffleMode], SpacedOpaqueSyntaxAttribute):
    """The mode of a `gpu.shuffle`."""

    name = "gpu.shuffle_mode"


@irdl_attr_definition
class ReduceKindAttr(EnumAttribute[ReduceKind], SpacedOpaqueSyntaxAttribute):
    """The kind of a `gpu.subgroup_reduce` or `gpu.all_reduce`."""

    name = "gpu.all_reduce_op"


@irdl_attr_definition
class VoteModeAttr(EnumAttribute[VoteMode], SpacedOpaqueSyntaxAttribute):
    """The mode of a `gpu.vote` or `gpu.match`."""

    name = "gpu.vote_mode"


WORKGROUP = AddressSpaceAttr(AddressSpace.WORKGROUP)
PRIVATE = AddressSpaceAttr(AddressSpace.PRIVATE)


def address_space(kind: Attribute) -> AddressSpace | None:
    """Where a memref lies; None for another type, and for a memory space that is not of this dialect."""
    if not isinstance(kind, MemRefType):
        return None
    space = kind.memory_space
    if isinstance(space, NoneAttr):
        return AddressSpace.GLOBAL
    return space.data if isinstance(space, AddressSpaceAttr) else None


@irdl_custom_directive
class AsyncDependencies(CustomDirective):
    """`async [%a, %b]`: with `async` the op returns a token; it starts when the tokens listed are done."""

    token: TypeDirective
    dependencies: VariadicOperandVariable

    def parse(self, parser: Parser, state: ParsingState) -> None:
        """Parse both parts, each optional."""
        is_async = parser.parse_optional_keyword("async") is not None
        self.token.inner.set_types(state, (AsyncTokenType(),) if is_async else ())
        listed = parser.parse_optional_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_unresolved_operand)
        self.dependencies.set(state, tuple(listed or ()))

    def print(self, printer: Printer, state: PrintingState, op: IRDLOperation) -> None:
        """Print what is there."""
        if self.token.inner.get_types(op):
            state.print_whitespace(printer)
            printer.print_string("async")
        if dependencies := self.dependencies.get(op):
            state.print_whitespace(printer)
            with printer.in_square_brackets():
                printer.print_list(dependencies, printer.print_ssa_value)


def types_text(types: Sequence[Attribute]) -> str:
    """`(f32, index)`, for messages."""
    return "(" + ", ".join(str(t) for t in types) + ")"


__all__ = [
    "ON_BOTH",
    "ON_FLOATS",
    "PRIVATE",
    "WORKGROUP",
    "AddressSpace",
    "AddressSpaceAttr",
    "AsyncDependencies",
    "AsyncTokenType",
    "DimensionAttr",
    "DimensionEnum",
    "ReduceKind",
    "ReduceKindAttr",
    "ShuffleMode",
    "ShuffleModeAttr",
    "VoteMode",
    "VoteModeAttr",
    "address_space",
    "types_text",
]
