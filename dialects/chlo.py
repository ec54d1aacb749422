"""CHLO: client-side ops that JAX emits beside StableHLO; each has a decomposition into it.

Broadcasting is explicit here: JAX prints operands that already have the result's shape.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import ClassVar, Self, cast

from xdsl.dialects.builtin import BoolAttr, IntegerAttr, TensorType, i1, i32
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, opt_prop_def, prop_def, result_def, traits_def
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Commutative, Pure

from stepwell.dialects.stablehlo.base import (
    FLOAT,
    FLOAT_OR_COMPLEX,
    INTEGER,
    AnyTensor,
    StableHLOOp,
    build,
    i64_attr,
    parse_attr_dict,
    parse_operands,
    print_attr_dict,
    print_operands,
    tensor_of,
)
from stepwell.dialects.stablehlo.data_movement import DenseConstantOp
from stepwell.dialects.stablehlo.missing import CHLO
from stepwell.ir.context import PartialDialect


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

    def verify_(self) -> None:
        """I1: the element kind. C1: one type."""
        first, second = self._operands
        self.require_kind("I1", first, self.KINDS, "operand 0")
        self.require_type("C1", second, first.type, "operand 1")
        self.require_type("C1", self.results[0], first.type, "result")


@irdl_op_definition
class AcosOp(ChloUnaryOp):
    """Inverse cosine."""

    name = "chlo.acos"


@irdl_op_definition
class AcoshOp(ChloUnaryOp):
    """Inverse hyperbolic cosine."""

    name = "chlo.acosh"


@irdl_op_definition
class AsinOp(ChloUnaryOp):
    """Inverse sine."""

    name = "chlo.asin"


@irdl_op_definition
class AsinhOp(ChloUnaryOp):
    """Inverse hyperbolic sine."""

    name = "chlo.asinh"


@irdl_op_definition
class AtanOp(ChloUnaryOp):
    """Inverse tangent."""

    name = "chlo.atan"


@irdl_op_definition
class AtanhOp(ChloUnaryOp):
    """Inverse hyperbolic tangent."""

    name = "chlo.atanh"


@irdl_op_definition
class BesselI1eOp(ChloUnaryOp):
    """Exponentially scaled modified Bessel function of order one, `exp(-|x|) I1(x)`."""

    name = "chlo.bessel_i1e"
    KINDS: ClassVar = (FLOAT,)


@irdl_op_definition
class ConjOp(ChloUnaryOp):
    """Complex conjugate; floats are their own."""

    name = "chlo.conj"


@irdl_op_definition
class CoshOp(ChloUnaryOp):
    """Hyperbolic cosine."""

    name = "chlo.cosh"


@irdl_op_definition
class DigammaOp(ChloUnaryOp):
    """Logarithmic derivative of the gamma function."""

    name = "chlo.digamma"
    KINDS: ClassVar = (FLOAT,)


@irdl_op_definition
class ErfOp(ChloUnaryOp):
    """Error function."""

    name = "chlo.erf"
    KINDS: ClassVar = (FLOAT,)


@irdl_op_definition
class ErfcOp(ChloUnaryOp):
    """`1 - erf(x)`, accurate for large x."""

    name = "chlo.erfc"
    KINDS: ClassVar = (FLOAT,)


@irdl_op_definition
class ErfInvOp(ChloUnaryOp):
    """Inverse of the error function."""

    name = "chlo.erf_inv"
    KINDS: ClassVar = (FLOAT,)


@irdl_op_definition
class IsInfOp(ChloPredicateOp):
    """Whether the operand is infinite."""

    name = "chlo.is_inf"


@irdl_op_definition
class IsNegInfOp(ChloPredicateOp):
    """Whether the operand is minus infinity."""

    name = "chlo.is_neg_inf"


@irdl_op_definition
class IsPosInfOp(ChloPredicateOp):
    """Whether the operand is plus infinity."""

    name = "chlo.is_pos_inf"


@irdl_op_definition
class LgammaOp(ChloUnaryOp):
    """Logarithm of the absolute value of the gamma function."""

    name = "chlo.lgamma"
    KINDS: ClassVar = (FLOAT,)


@irdl_op_definition
class SinhOp(ChloUnaryOp):
    """Hyperbolic sine."""

    name = "chlo.sinh"


@irdl_op_definition
class SquareOp(ChloUnaryOp):
    """The operand times itself."""

    name = "chlo.square"


@irdl_op_definition
class TanOp(ChloUnaryOp):
    """Tangent."""

    name = "chlo.tan"


@irdl_op_definition
class NextAfterOp(ChloBinaryOp):
    """The next representable number after x in the direction of y."""

    name = "chlo.next_after"

    x = operand_def(TensorType)
    y = operand_def(TensorType)
    result = result_def(TensorType)


@irdl_op_definition
class PolygammaOp(ChloBinaryOp):
    """The derivative of order n of digamma at x."""

    name = "chlo.polygamma"

    n = operand_def(TensorType)
    x = operand_def(TensorType)
    result = result_def(TensorType)


@irdl_op_definition
class ZetaOp(ChloBinaryOp):
    """The Hurwitz zeta function: the sum of `(k + q)^-x`."""

    name = "chlo.zeta"

    x = operand_def(TensorType)
    q = operand_def(TensorType)
    result = result_def(TensorType)


@irdl_op_definition
class MulhiOp(ChloBinaryOp):
    """The high half of the product of two integers."""

    name = "chlo.mulhi"
    KINDS: ClassVar = INTEGER

    lhs = operand_def(TensorType)
    rhs = operand_def(TensorType)
    result = result_def(TensorType)

    traits = traits_def(Commutative())


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

    def verify_(self) -> None:
        """C1."""
        element = getattr(self.value, "type", None)
        shape = cast(AnyTensor, self.operand.type).get_shape()
        self.require_type("C1", self.result, tensor_of(cast(Attribute, element), shape), "result")


Chlo = PartialDialect(
    "chlo",
    [
        AcosOp,
        AcoshOp,
        AsinOp,
        AsinhOp,
        AtanOp,
        AtanhOp,
        BesselI1eOp,
        ConjOp,
        ConstantOp,
        ConstantLikeOp,
        CoshOp,
        DigammaOp,
        ErfOp,
        ErfInvOp,
        ErfcOp,
        IsInfOp,
        IsNegInfOp,
        IsPosInfOp,
        LgammaOp,
        MulhiOp,
        NextAfterOp,
        PolygammaOp,
        SinhOp,
        SquareOp,
        TanOp,
        TopKOp,
        ZetaOp,
    ],
    missing=CHLO,
)
