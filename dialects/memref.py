"""The `memref` dialect: upstream's ops, `memref.atomic_rmw` in MLIR's syntax with all of MLIR's kinds, `memref.prefetch`.

```mlir
%old = memref.atomic_rmw addf %v, %sums[%i] : (f32, memref<64xf32>) -> f32
%turn = memref.atomic_rmw addi %c1, %count[] {scope = "system"} : (i32, memref<i32>) -> i32
memref.prefetch %x[%i, %j], read, locality<3>, data : memref<100x100xf32>
```
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from xdsl.dialects import memref as upstream
from xdsl.dialects.builtin import (
    I64,
    AnyFloat,
    AnyFloatConstr,
    BoolAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    MemRefType,
    SignlessIntegerConstraint,
    StringAttr,
    i1,
    i32,
    i64,
)
from xdsl.ir import Attribute, Dialect, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    VarConstraint,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import MemoryReadEffect, MemoryWriteEffect
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.str_enum import StrEnum


class AtomicKind(StrEnum):
    """What an update does, by MLIR's names (`minnumf` drops a NaN, `minimumf` keeps it); MLIR numbers them so."""

    ADDF = "addf"
    ADDI = "addi"
    ASSIGN = "assign"
    MAXIMUMF = "maximumf"
    MAXS = "maxs"
    MAXU = "maxu"
    MINIMUMF = "minimumf"
    MINS = "mins"
    MINU = "minu"
    MULF = "mulf"
    MULI = "muli"
    ORI = "ori"
    ANDI = "andi"
    MAXNUMF = "maxnumf"
    MINNUMF = "minnumf"
    XORI = "xori"

    @property
    def combining(self) -> str | None:
        """The `#vector.kind` that does the same; None for `assign`, which takes the new value."""
        return _COMBINING.get(self, self.value) if self is not AtomicKind.ASSIGN else None


_NUMBERED = tuple(AtomicKind)
_COMBINING = {
    AtomicKind.ADDF: "add",
    AtomicKind.ADDI: "add",
    AtomicKind.MAXS: "maxsi",
    AtomicKind.MAXU: "maxui",
    AtomicKind.MINS: "minsi",
    AtomicKind.MINU: "minui",
    AtomicKind.MULF: "mul",
    AtomicKind.MULI: "mul",
    AtomicKind.ORI: "or",
    AtomicKind.ANDI: "and",
    AtomicKind.XORI: "xor",
}
_ON_FLOATS = frozenset({k for k in _NUMBERED if k.value.endswith("f")})


class Scope(StrEnum):
    """Among which threads memory order holds: those of one thread block, of one device, of the device and its host."""

    BLOCK = "block"
    DEVICE = "device"
    SYSTEM = "system"


def check_scope(name: str, constraint: str, given: Attribute | None) -> None:
    """Refuse what is no scope.

    Raises:
        VerifyException: `given` is neither None nor the name of a scope.
    """
    if given is not None and (not isinstance(given, StringAttr) or given.data not in tuple(Scope)):
        known = ", ".join(f'"{s.value}"' for s in Scope)
        raise VerifyException(f"{name}: {constraint}: the scope {given} is not one of {known}")


@irdl_op_definition
class AtomicRMWOp(IRDLOperation):
    """Replaces an element by what `kind` makes of it and the value, as one step; the result is the element before.

    Semantics: threads that update an element at once do so one after the other, in any order, and nobody sees a part
    of an update. It orders no other memory (LLVM's `monotonic`, C's `relaxed`): see `gpu.fence`. The discardable
    attribute `scope` says among which threads this holds; without it, among those of the device.

    Constraints:
        C1: there is an index for each dimension of the memref.
        C2: the kind is one for such elements: those that end in `f` for floats, `assign` for both, the others for
            integers.
        C3: `scope`, when given, is "block", "device" or "system".

    Example:
        %old = memref.atomic_rmw maxs %v, %m[%i] {scope = "block"} : (i32, memref<64xi32>) -> i32
    """

    name = "memref.atomic_rmw"
    T: ClassVar = VarConstraint("T", AnyFloatConstr | SignlessIntegerConstraint)

    value = operand_def(T)
    memref = operand_def(MemRefType.constr(T))
    indices = var_operand_def(IndexType)
    kind = prop_def(IntegerAttr[I64])
    result = result_def(T)

    traits = traits_def(MemoryWriteEffect(), MemoryReadEffect())

    def __init__(
        self,
        kind: AtomicKind,
        value: SSAValue,
        memref: SSAValue,
        indices: Sequence[SSAValue],
        scope: Scope | None = None,
    ):
        super().__init__(
            operands=[value, memref, indices],
            result_types=[value.type],
            properties={"kind": IntegerAttr(_NUMBERED.index(kind), i64)},
            attributes={"scope": StringAttr(scope.value)} if scope is not None else {},
        )

    @property
    def combination(self) -> AtomicKind:
        """The kind by name."""
        return _NUMBERED[self.kind.value.data]

    @property
    def scope(self) -> Scope:
        """Among which threads the update is one step."""
        given = self.attributes.get("scope")
        return Scope(given.data) if isinstance(given, StringAttr) else Scope.DEVICE

    def verify_(self) -> None:
        """Check C1 to C3."""
        kind = self.memref.type
        assert isinstance(kind, MemRefType)
        if kind.get_num_dims() != len(self.indices):
            raise VerifyException(
                f"memref.atomic_rmw: C1: {len(self.indices)} indices for a memref of rank {kind.get_num_dims()}"
            )
        number = self.kind.value.data
        if not 0 <= number < len(_NUMBERED):
            raise VerifyException(f"memref.atomic_rmw: C2: there is no kind {number}")
        on_floats = isinstance(self.value.type, AnyFloat)
        if self.combination is not AtomicKind.ASSIGN and on_floats != (self.combination in _ON_FLOATS):
            raise VerifyException(f"memref.atomic_rmw: C2: {self.combination} does not update {self.value.type}")
        check_scope(self.name, "C3", self.attributes.get("scope"))

    @classmethod
    def parse(cls, parser: Parser) -> AtomicRMWOp:
        """Parse `kind %value, %memref[%indices] {attributes} : (T, memref type) -> T`."""
        kind = parser.parse_str_enum(AtomicKind)
        value = parser.parse_unresolved_operand()
        parser.parse_punctuation(",")
        memref = parser.parse_unresolved_operand()
        indices = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_unresolved_operand)
        attributes = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        parser.parse_punctuation("(")
        value_type = parser.parse_type()
        parser.parse_punctuation(",")
        memref_type = parser.parse_type()
        parser.parse_punctuation(")")
        parser.parse_punctuation("->")
        return cls.create(
            operands=[
                parser.resolve_operand(value, value_type),
                parser.resolve_operand(memref, memref_type),
                *(parser.resolve_operand(i, IndexType()) for i in indices),
            ],
            result_types=[parser.parse_type()],
            properties={"kind": IntegerAttr(_NUMBERED.index(kind), i64)},
            attributes=attributes,
        )

    def print(self, printer: Printer) -> None:
        """Print what `parse` reads."""
        printer.print_string(f" {self.combination} ")
        printer.print_ssa_value(self.value)
        printer.print_string(", ")
        printer.print_ssa_value(self.memref)
        with printer.in_square_brackets():
            printer.print_list(self.indices, printer.print_ssa_value)
        printer.print_op_attributes(self.attributes)
        printer.print_string(" : (")
        printer.print_list((self.value.type, self.memref.type), printer.print_attribute)
        printer.print_string(") -> ")
        printer.print_attribute(self.result.type)


MOST_LOCALITY = 3
"""The hint of what is kept in every cache."""


@irdl_op_definition
class PrefetchOp(IRDLOperation):
    """Asks that the cache line of an element be brought near, where it will soon be read or written.

    Semantics: none; a hint that may be ignored, and that may point outside of the memref. `localityHint` says how near and
    for how long: 3 into every cache, 2 into those from the second, 1 from the third, 0 past them, as what is used once.
    `isDataCache` is false for a cache of instructions.

    Constraints:
        C1: there is an index for each dimension of the memref.
        C2: the locality is between 0 and 3.

    Example:
        memref.prefetch %x[%i, %j], read, locality<3>, data : memref<100x100xf32>
    """

    name = "memref.prefetch"

    memref = operand_def(MemRefType)
    indices = var_operand_def(IndexType)
    is_write = prop_def(BoolAttr, prop_name="isWrite")
    locality = prop_def(IntegerAttr[IntegerType], prop_name="localityHint")
    is_data = prop_def(BoolAttr, prop_name="isDataCache")

    def __init__(
        self,
        memref: SSAValue,
        indices: Sequence[SSAValue],
        *,
        locality: int = 3,
        writes: bool = False,
        data: bool = True,
    ):
        super().__init__(
            operands=[memref, indices],
            properties={
                "isWrite": IntegerAttr(int(writes), i1),
                "localityHint": IntegerAttr(locality, i32),
                "isDataCache": IntegerAttr(int(data), i1),
            },
        )

    def verify_(self) -> None:
        """Check C1 and C2."""
        kind = self.memref.type
        assert isinstance(kind, MemRefType)
        if kind.get_num_dims() != len(self.indices):
            raise VerifyException(
                f"memref.prefetch: C1: {len(self.indices)} indices for a memref of rank {kind.get_num_dims()}"
            )
        if not 0 <= self.locality.value.data <= MOST_LOCALITY:
            raise VerifyException(f"memref.prefetch: C2: there is no locality {self.locality.value.data}")

    @classmethod
    def parse(cls, parser: Parser) -> PrefetchOp:
        """Parse `%memref[%indices], read|write, locality<0..3>, data|instr {attributes} : memref type`."""
        memref = parser.parse_unresolved_operand()
        indices = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_unresolved_operand)
        parser.parse_punctuation(",")
        writes = _parse_one_of(parser, ("read", "write")) == "write"
        parser.parse_punctuation(",")
        parser.parse_keyword("locality")
        parser.parse_punctuation("<")
        locality = parser.parse_integer(allow_boolean=False)
        parser.parse_punctuation(">")
        parser.parse_punctuation(",")
        data = _parse_one_of(parser, ("data", "instr")) == "data"
        attributes = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        kind = parser.parse_type()
        places = [parser.resolve_operand(i, IndexType()) for i in indices]
        op = cls(parser.resolve_operand(memref, kind), places, locality=locality, writes=writes, data=data)
        op.attributes.update(attributes)
        return op

    def print(self, printer: Printer) -> None:
        """Print what `parse` reads."""
        printer.print_string(" ")
        printer.print_ssa_value(self.memref)
        with printer.in_square_brackets():
            printer.print_list(self.indices, printer.print_ssa_value)
        printer.print_string(", write" if self.is_write else ", read")
        printer.print_string(f", locality<{self.locality.value.data}>")
        printer.print_string(", data" if self.is_data else ", instr")
        printer.print_op_attributes(self.attributes)
        printer.print_string(" : ")
        printer.print_attribute(self.memref.type)


def _parse_one_of(parser: Parser, words: Sequence[str]) -> str:
    for word in words:
        if parser.parse_optional_keyword(word) is not None:
            return word
    parser.raise_error(f"expected {' or '.join(f'`{word}`' for word in words)}")


MemRef = Dialect(
    "memref",
    [*(op for op in upstream.MemRef.operations if op.name != AtomicRMWOp.name), AtomicRMWOp, PrefetchOp],
    [*upstream.MemRef.attributes],
)

__all__ = ["AtomicKind", "AtomicRMWOp", "MemRef", "PrefetchOp", "Scope", "check_scope"]
