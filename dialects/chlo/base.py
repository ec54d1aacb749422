"""What CHLO's ops share: their assembly, and the ops that keep the type of their operands."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import ClassVar, Self, cast

from xdsl.dialects.builtin import TensorType, i1
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import operand_def, result_def, traits_def
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Pure

from stepwell.dialects.stablehlo.base import (
    FLOAT,
    FLOAT_OR_COMPLEX,
    NOT_QUANTIZED,
    AnyTensor,
    StableHLOOp,
    build,
    parse_attr_dict,
    parse_operands,
    print_attr_dict,
    print_operands,
    tensor_of,
)


def _arrow_types(parser: Parser, count: int) -> tuple[list[Attribute], list[Attribute]]:
    """`: type, type -> type`."""
    parser.parse_punctuation(":")
    inputs: list[Attribute] = [parser.parse_type()]
    for _ in range(count - 1):
        parser.parse_punctuation(",")
        inputs.append(parser.parse_type())
    parser.parse_punctuation("->")
    return inputs, [parser.parse_type()]


class ArrowFormOp(StableHLOOp, ABC):
    """Format `%a, %b attr-dict : type, type -> type`."""

    OPERAND_COUNT: ClassVar[int] = 1
    QUANTIZED: ClassVar[str] = NOT_QUANTIZED

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """Parse the format above."""
        position = parser.pos
        operands = parse_operands(parser, cls.OPERAND_COUNT)
        properties: dict[str, Attribute] = {}
        attributes = parse_attr_dict(parser, cls, properties)
        return build(cls, parser, position, operands, _arrow_types(parser, cls.OPERAND_COUNT), properties, attributes)

    def print(self, printer: Printer) -> None:
        """Print the format above."""
        print_operands(printer, self)
        print_attr_dict(printer, self)
        printer.print_string(" : ")
        printer.print_list([o.type for o in self.operands], printer.print_attribute)
        printer.print_string(" -> ")
        printer.print_attribute(self.results[0].type)


class ChloUnaryOp(ArrowFormOp, ABC):
    """`%r = chlo.name %x : type -> type`. C1: the result has the operand's type (or the one `infer` gives)."""

    KINDS: ClassVar[Sequence[str]] = FLOAT_OR_COMPLEX

    operand = operand_def(TensorType)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(self, operand: SSAValue | Operation):
        """Infer the result type."""
        value = SSAValue.get(operand)
        super().__init__(operands=[value], result_types=[self.infer(value.type)])

    @classmethod
    def infer(cls, operand_type: Attribute) -> Attribute:
        """The result type for an operand type."""
        return operand_type

    def verify_(self) -> None:
        """I1: the element kind. C1: the result type."""
        self.require_kind("I1", self.operand, self.KINDS, "operand")
        self.require_type("C1", self.result, self.infer(self.operand.type), "result")


class ChloPredicateOp(ChloUnaryOp, ABC):
    """A unary op on floats with a boolean result."""

    KINDS: ClassVar = (FLOAT,)

    @classmethod
    def infer(cls, operand_type: Attribute) -> Attribute:
        """A boolean tensor of the same shape."""
        return tensor_of(i1, cast(AnyTensor, operand_type).get_shape())


class ChloBinaryOp(ArrowFormOp, ABC):
    """`%r = chlo.name %x, %y : type, type -> type`. C1: one type."""

    OPERAND_COUNT: ClassVar = 2
    KINDS: ClassVar[Sequence[str]] = (FLOAT,)

    traits = traits_def(Pure())

    def __init__(self, first: SSAValue | Operation, second: SSAValue | Operation):
        """The result has the first operand's type."""
        value = SSAValue.get(first)
        super().__init__(operands=[value, second], result_types=[value.type])

    def verify_(self) -> None:
        """I1: the element kind. C1: one type."""
        first, second = self._operands
        self.require_kind("I1", first, self.KINDS, "operand 0")
        self.require_type("C1", second, first.type, "operand 1")
        self.require_type("C1", self.results[0], first.type, "result")
