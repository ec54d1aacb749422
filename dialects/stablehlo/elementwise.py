"""Elementwise StableHLO ops: one result element from the operands' elements at the same index."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import ClassVar, Self, cast

from xdsl.dialects.builtin import ComplexType, TensorType, i1
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    result_def,
    traits_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Commutative, Pure

from stepwell.dialects.quant import quantized
from stepwell.dialects.stablehlo.attrs import (
    ResultAccuracyAttr,
)
from stepwell.dialects.stablehlo.base import (
    ANY_KIND,
    COMPLEX,
    FLOAT,
    FLOAT_OR_COMPLEX,
    INTEGER,
    NOT_QUANTIZED,
    NUMBER,
    PER_AXIS,
    PRED_OR_INTEGER,
    SINT,
    AnyTensor,
    ShortFormOp,
    StableHLOOp,
    build,
    parse_attr_dict,
    parse_function_type,
    parse_operands,
    print_attr_dict,
    print_function_type,
    tensor_of,
)
from stepwell.dialects.stablehlo.quantized import verify_quantized_sum
from stepwell.ir.shapes import compatible


def real_type(value_type: Attribute) -> AnyTensor:
    """The tensor type of the real parts of a tensor of complex numbers (of floats: itself)."""
    tensor = cast(AnyTensor, value_type)
    element = tensor.element_type
    return tensor_of(element.element_type, tensor.get_shape()) if isinstance(element, ComplexType) else tensor


class UnaryElementwiseOp(ShortFormOp, ABC):
    """`%r = stablehlo.name %x : type`. C1: the result has the operand's type (or the one `infer` gives)."""

    KINDS: ClassVar[Sequence[str]] = ANY_KIND

    operand = operand_def(TensorType)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(self, operand: SSAValue | Operation, result_type: Attribute | None = None, **properties: Attribute):
        """Infer the result type from the operand unless it is given."""
        value = SSAValue.get(operand)
        result = result_type if result_type is not None else self.infer(value.type)
        super().__init__(operands=[value], result_types=[result], properties=dict(properties))

    @classmethod
    def infer(cls, operand_type: Attribute) -> Attribute:
        """The result type for an operand type."""
        return operand_type

    def verify_(self) -> None:
        """I1: the element kind. C1: the result type."""
        operand, result = self._operands[0], self.results[0]
        self.require_kind("I1", operand, self.KINDS, "operand")
        self.require_baseline("C1", result, self.infer(operand.type), "result")


class TranscendentalOp(UnaryElementwiseOp, ABC):
    """A unary op whose accuracy may be requested by `result_accuracy`."""

    KINDS: ClassVar = FLOAT_OR_COMPLEX

    result_accuracy = opt_prop_def(ResultAccuracyAttr)


class BinaryElementwiseOp(ShortFormOp, ABC):
    """`%r = stablehlo.name %a, %b : type`. C1: operands and result have one type."""

    KINDS: ClassVar[Sequence[str]] = ANY_KIND
    OPERAND_COUNT: ClassVar = 2

    lhs = operand_def(TensorType)
    rhs = operand_def(TensorType)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(self, lhs: SSAValue | Operation, rhs: SSAValue | Operation, result_type: Attribute | None = None):
        """Infer the result type from `lhs` unless it is given."""
        left = SSAValue.get(lhs)
        super().__init__(operands=[left, rhs], result_types=[left.type if result_type is None else result_type])

    def verify_(self) -> None:
        """I1: the element kind. C1: one type."""
        lhs, rhs = self._operands
        self.require_kind("I1", lhs, self.KINDS, "lhs")
        self.require_baseline("C1", rhs, lhs.type, "rhs")
        self.require_baseline("C1", self.results[0], lhs.type, "result")


class PartOp(UnaryElementwiseOp, ABC):
    """A unary op whose result is real. C1: the result has the operand's shape. C2: the element type of its parts."""

    @classmethod
    def infer(cls, operand_type: Attribute) -> Attribute:
        """The element type of the parts."""
        return real_type(operand_type)

    def verify_(self) -> None:
        """I1: the element kind. C1: the shape. C2: the element type."""
        operand, result = self._operands[0], self.results[0]
        self.require_kind("I1", operand, self.KINDS, "operand")
        expected = real_type(operand.type)
        self.require_shape("C1", result, expected.get_shape(), "result")
        self.require_baseline("C2", result, expected, "result")


@irdl_op_definition
class AbsOp(PartOp):
    """Absolute value; of a complex number its modulus, a float."""

    name = "stablehlo.abs"
    KINDS: ClassVar = (SINT, FLOAT, COMPLEX)


@irdl_op_definition
class CbrtOp(TranscendentalOp):
    """Cube root."""

    name = "stablehlo.cbrt"


@irdl_op_definition
class CeilOp(UnaryElementwiseOp):
    """Smallest integral value not less than the operand (`roundToIntegralTowardPositive`)."""

    name = "stablehlo.ceil"
    KINDS: ClassVar = (FLOAT,)


@irdl_op_definition
class ConvertOp(UnaryElementwiseOp):
    """Conversion between element types; to boolean: whether it is not zero; float to integer truncates."""

    name = "stablehlo.convert"
    QUANTIZED: ClassVar = NOT_QUANTIZED

    def verify_(self) -> None:
        """I1: not quantized (`uniform_quantize` and `uniform_dequantize` are). C1: the shapes agree."""
        self.require_quantization("I1", self._operands[0], "operand")
        self.require_quantization("I1", self.results[0], "result")
        operand, result = self._operands[0].type, self.results[0].type
        shapes = cast(AnyTensor, operand).get_shape(), cast(AnyTensor, result).get_shape()
        self.require("C1", compatible(*shapes), lambda: f"cannot convert {operand} to {result}: the shapes differ")


@irdl_op_definition
class CosineOp(TranscendentalOp):
    """Cosine."""

    name = "stablehlo.cosine"


@irdl_op_definition
class CountLeadingZerosOp(UnaryElementwiseOp):
    """Number of leading zero bits."""

    name = "stablehlo.count_leading_zeros"
    KINDS: ClassVar = INTEGER


@irdl_op_definition
class ExponentialOp(TranscendentalOp):
    """e to the power of the operand."""

    name = "stablehlo.exponential"


@irdl_op_definition
class ExponentialMinusOneOp(TranscendentalOp):
    """`exp(x) - 1`, accurate near zero."""

    name = "stablehlo.exponential_minus_one"


@irdl_op_definition
class FloorOp(UnaryElementwiseOp):
    """Largest integral value not greater than the operand (`roundToIntegralTowardNegative`)."""

    name = "stablehlo.floor"
    KINDS: ClassVar = (FLOAT,)


@irdl_op_definition
class ImagOp(PartOp):
    """Imaginary part; zero for floats."""

    name = "stablehlo.imag"
    KINDS: ClassVar = FLOAT_OR_COMPLEX
    QUANTIZED: ClassVar = NOT_QUANTIZED


@irdl_op_definition
class IsFiniteOp(StableHLOOp):
    """Whether the operand is neither infinite nor NaN."""

    name = "stablehlo.is_finite"

    x = operand_def(TensorType)
    y = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(self, x: SSAValue | Operation):
        """The result is a boolean tensor of the same shape."""
        value = SSAValue.get(x)
        shape = cast(AnyTensor, value.type).get_shape()
        super().__init__(operands=[value], result_types=[tensor_of(i1, shape)])

    def verify_(self) -> None:
        """I1: floats. C1: the shapes agree."""
        self.require_kind("I1", self.x, (FLOAT,), "x")
        self.require_type("C1", self.y, tensor_of(i1, cast(AnyTensor, self.x.type).get_shape()), "y")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`%x : (type) -> type`."""
        position = parser.pos
        operands = parse_operands(parser, 1)
        attributes = parse_attr_dict(parser, cls, {})
        return build(cls, parser, position, operands, parse_function_type(parser), {}, attributes)

    def print(self, printer: Printer) -> None:
        """`%x : (type) -> type`."""
        printer.print_string(" ")
        printer.print_ssa_value(self.x)
        print_attr_dict(printer, self)
        print_function_type(printer, self)


@irdl_op_definition
class LogOp(TranscendentalOp):
    """Natural logarithm."""

    name = "stablehlo.log"


@irdl_op_definition
class LogPlusOneOp(TranscendentalOp):
    """`log(1 + x)`, accurate near zero."""

    name = "stablehlo.log_plus_one"


@irdl_op_definition
class LogisticOp(TranscendentalOp):
    """`1 / (1 + exp(-x))`."""

    name = "stablehlo.logistic"


@irdl_op_definition
class NegateOp(UnaryElementwiseOp):
    """Negation; integers wrap."""

    name = "stablehlo.negate"
    KINDS: ClassVar = NUMBER


@irdl_op_definition
class NotOp(UnaryElementwiseOp):
    """Logical not of booleans, bitwise not of integers."""

    name = "stablehlo.not"
    KINDS: ClassVar = PRED_OR_INTEGER


@irdl_op_definition
class PopcntOp(UnaryElementwiseOp):
    """Number of one bits."""

    name = "stablehlo.popcnt"
    KINDS: ClassVar = INTEGER


@irdl_op_definition
class RealOp(PartOp):
    """Real part; a float is its own."""

    name = "stablehlo.real"
    KINDS: ClassVar = FLOAT_OR_COMPLEX
    QUANTIZED: ClassVar = NOT_QUANTIZED


@irdl_op_definition
class RoundNearestAfzOp(UnaryElementwiseOp):
    """Rounds to the nearest integral value, ties away from zero."""

    name = "stablehlo.round_nearest_afz"
    KINDS: ClassVar = (FLOAT,)


@irdl_op_definition
class RoundNearestEvenOp(UnaryElementwiseOp):
    """Rounds to the nearest integral value, ties to even."""

    name = "stablehlo.round_nearest_even"
    KINDS: ClassVar = (FLOAT,)


@irdl_op_definition
class RsqrtOp(TranscendentalOp):
    """Reciprocal of the square root."""

    name = "stablehlo.rsqrt"


@irdl_op_definition
class SignOp(UnaryElementwiseOp):
    """-1, 0 or 1 by the sign (keeping signed zero and NaN); `x / |x|` of a complex number."""

    name = "stablehlo.sign"
    KINDS: ClassVar = (SINT, FLOAT, COMPLEX)


@irdl_op_definition
class SineOp(TranscendentalOp):
    """Sine."""

    name = "stablehlo.sine"


@irdl_op_definition
class SqrtOp(TranscendentalOp):
    """Square root."""

    name = "stablehlo.sqrt"


@irdl_op_definition
class TanOp(TranscendentalOp):
    """Tangent."""

    name = "stablehlo.tan"


@irdl_op_definition
class TanhOp(TranscendentalOp):
    """Hyperbolic tangent."""

    name = "stablehlo.tanh"


@irdl_op_definition
class AddOp(BinaryElementwiseOp):
    """Sum; logical or of booleans; integers wrap. C2 to C7: quantized operands may have parameters per axis."""

    name = "stablehlo.add"
    QUANTIZED: ClassVar = PER_AXIS

    traits = traits_def(Commutative())

    def verify_(self) -> None:
        """C1 to C7."""
        if any(quantized(v.type) is not None for v in (*self._operands, *self.results)):
            verify_quantized_sum(self)
        else:
            super().verify_()


@irdl_op_definition
class AndOp(BinaryElementwiseOp):
    """Logical and of booleans, bitwise and of integers."""

    name = "stablehlo.and"
    KINDS: ClassVar = PRED_OR_INTEGER

    traits = traits_def(Commutative())


@irdl_op_definition
class Atan2Op(BinaryElementwiseOp):
    """Angle of the point (rhs, lhs)."""

    name = "stablehlo.atan2"
    KINDS: ClassVar = FLOAT_OR_COMPLEX


@irdl_op_definition
class DivideOp(BinaryElementwiseOp):
    """Quotient; integers truncate toward zero, division by zero gives all ones, `MIN / -1` wraps."""

    name = "stablehlo.divide"
    KINDS: ClassVar = NUMBER


@irdl_op_definition
class MaximumOp(BinaryElementwiseOp):
    """Maximum, NaN if either is NaN; logical or of booleans; complex numbers compare lexicographically."""

    name = "stablehlo.maximum"

    traits = traits_def(Commutative())


@irdl_op_definition
class MinimumOp(BinaryElementwiseOp):
    """Minimum, NaN if either is NaN; logical and of booleans; complex numbers compare lexicographically."""

    name = "stablehlo.minimum"

    traits = traits_def(Commutative())


@irdl_op_definition
class MultiplyOp(BinaryElementwiseOp):
    """Product; logical and of booleans; integers wrap."""

    name = "stablehlo.multiply"

    traits = traits_def(Commutative())


@irdl_op_definition
class OrOp(BinaryElementwiseOp):
    """Logical or of booleans, bitwise or of integers."""

    name = "stablehlo.or"
    KINDS: ClassVar = PRED_OR_INTEGER

    traits = traits_def(Commutative())


@irdl_op_definition
class PowerOp(BinaryElementwiseOp):
    """`lhs` to the power of `rhs`; integers wrap, with a negative exponent truncate."""

    name = "stablehlo.power"
    KINDS: ClassVar = NUMBER


@irdl_op_definition
class RemainderOp(BinaryElementwiseOp):
    """Remainder with the sign of `lhs`; integer remainder by zero gives `lhs`."""

    name = "stablehlo.remainder"
    KINDS: ClassVar = NUMBER


@irdl_op_definition
class ShiftLeftOp(BinaryElementwiseOp):
    """Left shift; zero when the amount is not less than the width."""

    name = "stablehlo.shift_left"
    KINDS: ClassVar = INTEGER


@irdl_op_definition
class ShiftRightArithmeticOp(BinaryElementwiseOp):
    """Right shift of the sign; all sign bits when the amount is not less than the width."""

    name = "stablehlo.shift_right_arithmetic"
    KINDS: ClassVar = INTEGER


@irdl_op_definition
class ShiftRightLogicalOp(BinaryElementwiseOp):
    """Right shift of zeros; zero when the amount is not less than the width."""

    name = "stablehlo.shift_right_logical"
    KINDS: ClassVar = INTEGER


@irdl_op_definition
class SubtractOp(BinaryElementwiseOp):
    """Difference; integers wrap."""

    name = "stablehlo.subtract"
    KINDS: ClassVar = NUMBER


@irdl_op_definition
class XorOp(BinaryElementwiseOp):
    """Logical exclusive or of booleans, bitwise of integers."""

    name = "stablehlo.xor"
    KINDS: ClassVar = PRED_OR_INTEGER

    traits = traits_def(Commutative())


OPS: list[type[Operation]] = [
    AbsOp,
    AddOp,
    AndOp,
    Atan2Op,
    CbrtOp,
    CeilOp,
    ConvertOp,
    CosineOp,
    CountLeadingZerosOp,
    DivideOp,
    ExponentialOp,
    ExponentialMinusOneOp,
    FloorOp,
    ImagOp,
    IsFiniteOp,
    LogOp,
    LogPlusOneOp,
    LogisticOp,
    MaximumOp,
    MinimumOp,
    MultiplyOp,
    NegateOp,
    NotOp,
    OrOp,
    PopcntOp,
    PowerOp,
    RealOp,
    RemainderOp,
    RoundNearestAfzOp,
    RoundNearestEvenOp,
    RsqrtOp,
    ShiftLeftOp,
    ShiftRightArithmeticOp,
    ShiftRightLogicalOp,
    SignOp,
    SineOp,
    SqrtOp,
    SubtractOp,
    TanOp,
    TanhOp,
    XorOp,
]
