"""CHLO's constants, and the selection of the largest elements."""

from __future__ import annotations

from typing import Any, ClassVar, Self, cast

from xdsl.dialects.builtin import BoolAttr, IntegerAttr, TensorType, i32
from xdsl.dialects.complex import ComplexNumberAttr
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, opt_prop_def, prop_def, result_def, traits_def
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Pure

from stepwell.dialects.stablehlo.base import (
    AnyTensor,
    StableHLOOp,
    build,
    i64_attr,
    parse_attr_dict,
    parse_operands,
    print_attr_dict,
    tensor_of,
)
from stepwell.dialects.stablehlo.data_movement import DenseConstantOp


@irdl_op_definition
class TopKOp(StableHLOOp):
    """The k largest elements of each row of the last dim, in descending order, with their indices; equal ones in order.

    Example: `%v, %i = chlo.top_k(%x, k = 3) : tensor<4x9xf32> -> (tensor<4x3xf32>, tensor<4x3xi32>)`.
    """

    name = "chlo.top_k"
    ELIDED: ClassVar = ("k", "is_stable")

    operand = operand_def(TensorType)
    k = prop_def(IntegerAttr)
    is_stable = opt_prop_def(BoolAttr)
    values = result_def(TensorType)
    indices = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(self, operand: SSAValue | Operation, k: int):
        """Infer the result types."""
        value = SSAValue.get(operand)
        tensor = cast(AnyTensor, value.type)
        shape = (*tensor.get_shape()[:-1], k)
        super().__init__(
            operands=[value],
            result_types=[tensor_of(tensor.element_type, shape), tensor_of(i32, shape)],
            properties={"k": i64_attr(k)},
        )

    def verify_(self) -> None:
        """C1: `0 <= k <= dim(operand, -1)`. C2: the result types."""
        tensor, k = cast(AnyTensor, self.operand.type), self.k.value.data
        shape = tensor.get_shape()
        ok = len(shape) > 0 and 0 <= k and (shape[-1] < 0 or k <= shape[-1])
        self.require("C1", ok, lambda: f"k = {k} must lie in [0, last extent] of {tensor}")
        self.require_type("C2", self.values, tensor_of(tensor.element_type, (*shape[:-1], k)), "values")
        self.require_type("C2", self.indices, tensor_of(i32, (*shape[:-1], k)), "indices")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`(%x, k = 3, is_stable = true) : type -> (type, type)`."""
        position = parser.pos
        properties: dict[str, Attribute] = {}
        with parser.in_parens():
            operands = parse_operands(parser, 1)
            parser.parse_punctuation(",")
            parser.parse_keyword("k")
            parser.parse_punctuation("=")
            properties["k"] = i64_attr(parser.parse_integer())
            if parser.parse_optional_punctuation(",") is not None:
                parser.parse_keyword("is_stable")
                parser.parse_punctuation("=")
                properties["is_stable"] = IntegerAttr.from_bool(parser.parse_boolean())
        attributes = parse_attr_dict(parser, cls, properties)
        parser.parse_punctuation(":")
        operand_type = parser.parse_type()
        parser.parse_punctuation("->")
        results = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_type)
        return build(cls, parser, position, operands, ([operand_type], results), properties, attributes)

    def print(self, printer: Printer) -> None:
        """`(%x, k = 3) : type -> (type, type)`."""
        with printer.in_parens():
            printer.print_ssa_value(self.operand)
            printer.print_string(f", k = {self.k.value.data}")
            if self.is_stable is not None:
                printer.print_string(f", is_stable = {'true' if self.is_stable.value.data else 'false'}")
        print_attr_dict(printer, self)
        printer.print_string(" : ")
        printer.print_attribute(self.operand.type)
        printer.print_string(" -> ")
        with printer.in_parens():
            printer.print_list([r.type for r in self.results], printer.print_attribute)


@irdl_op_definition
class ConstantOp(DenseConstantOp):
    """A constant tensor. C1: the value has the result's type."""

    name = "chlo.constant"


@irdl_op_definition
class ConstantLikeOp(StableHLOOp):
    """A scalar constant in the shape of the operand. C1: element types."""

    name = "chlo.constant_like"

    operand = operand_def(TensorType)
    value = prop_def()
    result = result_def(TensorType)

    traits = traits_def(Pure())

    @property
    def number(self) -> int | float | complex:
        """The constant as a Python number."""
        value: Any = self.value
        if isinstance(value, ComplexNumberAttr):
            return complex(value.real.data, value.imag.data)
        return value.value.data

    def verify_(self) -> None:
        """C1."""
        element = getattr(self.value, "type", None)
        shape = cast(AnyTensor, self.operand.type).get_shape()
        self.require_type("C1", self.result, tensor_of(cast(Attribute, element), shape), "result")


OPS: list[type[Operation]] = [ConstantLikeOp, ConstantOp, TopKOp]
