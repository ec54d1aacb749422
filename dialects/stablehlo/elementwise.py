"""Elementwise StableHLO ops: one result element from the operands' elements at the same index."""

from __future__ import annotations

import re
from abc import ABC
from collections.abc import Sequence
from typing import Any, ClassVar, Self, cast

from xdsl.dialects.builtin import ComplexType, DenseArrayBase, IntegerAttr, TensorType, i1, i32, i64
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Commutative, Pure, RecursiveMemoryEffect

from stepwell.dialects.stablehlo.attrs import (
    ComparisonDirection,
    ComparisonDirectionAttr,
    ComparisonType,
    ComparisonTypeAttr,
    ResultAccuracyAttr,
)
from stepwell.dialects.stablehlo.base import (
    ANY_KIND,
    COMPLEX,
    FLOAT,
    FLOAT_OR_COMPLEX,
    INTEGER,
    NUMBER,
    PRED,
    PRED_OR_INTEGER,
    SINT,
    UINT,
    AnyTensor,
    ShortFormOp,
    StableHLOOp,
    build,
    element_kind,
    i64_array,
    parse_attr_dict,
    parse_function_type,
    parse_operands,
    parse_short_type,
    print_attr_dict,
    print_function_type,
    scalar_of,
    tensor_of,
)
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
        self.require_type("C1", result, self.infer(operand.type), "result")


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
        self.require_type("C1", rhs, lhs.type, "rhs")
        self.require_type("C1", self.results[0], lhs.type, "result")


@irdl_op_definition
class AbsOp(UnaryElementwiseOp):
    """Absolute value; of a complex number its modulus, a float."""

    name = "stablehlo.abs"
    KINDS: ClassVar = (SINT, FLOAT, COMPLEX)

    @classmethod
    def infer(cls, operand_type: Attribute) -> Attribute:
        """The element type of the parts."""
        return real_type(operand_type)


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

    def verify_(self) -> None:
        """C1: the shapes agree."""
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
class ImagOp(UnaryElementwiseOp):
    """Imaginary part; zero for floats."""

    name = "stablehlo.imag"
    KINDS: ClassVar = FLOAT_OR_COMPLEX

    @classmethod
    def infer(cls, operand_type: Attribute) -> Attribute:
        """The element type of the parts."""
        return real_type(operand_type)


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
class RealOp(UnaryElementwiseOp):
    """Real part; a float is its own."""

    name = "stablehlo.real"
    KINDS: ClassVar = FLOAT_OR_COMPLEX

    @classmethod
    def infer(cls, operand_type: Attribute) -> Attribute:
        """The element type of the parts."""
        return real_type(operand_type)


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
    """Sum; logical or of booleans; integers wrap."""

    name = "stablehlo.add"

    traits = traits_def(Commutative())


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


@irdl_op_definition
class ComplexOp(StableHLOOp):
    """A complex number from its real and imaginary parts (f32 or f64). C1: equal types. C2, C3: the result's type."""

    name = "stablehlo.complex"

    lhs = operand_def(TensorType)
    rhs = operand_def(TensorType)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(self, lhs: SSAValue | Operation, rhs: SSAValue | Operation):
        """The result has the operands' shape."""
        left = SSAValue.get(lhs)
        tensor = cast(AnyTensor, left.type)
        result = tensor_of(ComplexType(tensor.element_type), tensor.get_shape())
        super().__init__(operands=[left, rhs], result_types=[result])

    def verify_(self) -> None:
        """C1, C2, C3."""
        element = cast(AnyTensor, self.lhs.type).element_type
        self.require(
            "I1", element.name in ("f32", "f64"), lambda: f"lhs has element type {element}, expected f32 or f64"
        )
        self.require_type("C1", self.rhs, self.lhs.type, "rhs")
        shape = cast(AnyTensor, self.lhs.type).get_shape()
        self.require_type("C3", self.result, tensor_of(ComplexType(element), shape), "result")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`%a, %b : complex type`."""
        position = parser.pos
        operands = parse_operands(parser, 2)
        attributes = parse_attr_dict(parser, cls, {})
        inputs, (result, *_) = parse_short_type(parser, 2)
        short = inputs[0] == result and isinstance(result, TensorType)
        types = ([real_type(result)] * 2 if short else inputs, [result])
        return build(cls, parser, position, operands, types, {}, attributes)

    def print(self, printer: Printer) -> None:
        """`%a, %b : complex type`."""
        printer.print_string(" ")
        printer.print_list(self.operands, printer.print_ssa_value)
        print_attr_dict(printer, self)
        if any(o.type != real_type(self.result.type) for o in self.operands):
            print_function_type(printer, self)
            return
        printer.print_string(" : ")
        printer.print_attribute(self.result.type)


@irdl_op_definition
class CompareOp(StableHLOOp):
    """Elementwise comparison. C1: equal element types. C2: equal shapes. C3: `compare_type` fits the element type.

    With a NaN every comparison but NE is false; `TOTALORDER` orders NaNs and signed zeros by their bits. Complex
    numbers compare for (in)equality, or lexicographically.

    Example: `%r = stablehlo.compare LT, %a, %b, FLOAT : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>`.
    """

    name = "stablehlo.compare"
    ELIDED: ClassVar = ("comparison_direction", "compare_type")

    lhs = operand_def(TensorType)
    rhs = operand_def(TensorType)
    result = result_def(TensorType)
    comparison_direction = prop_def(ComparisonDirectionAttr)
    compare_type = opt_prop_def(ComparisonTypeAttr)

    traits = traits_def(Pure())

    def __init__(
        self,
        lhs: SSAValue | Operation,
        rhs: SSAValue | Operation,
        direction: ComparisonDirection,
        compare_type: ComparisonType | None = None,
    ):
        """The result is a boolean tensor of the same shape."""
        left = SSAValue.get(lhs)
        super().__init__(
            operands=[left, rhs],
            result_types=[tensor_of(i1, cast(AnyTensor, left.type).get_shape())],
            properties={
                "comparison_direction": ComparisonDirectionAttr(direction),
                "compare_type": None if compare_type is None else ComparisonTypeAttr(compare_type),
            },
        )

    def effective_type(self) -> ComparisonType:
        """`compare_type`, or what the element type implies when it is absent."""
        if self.compare_type is not None and self.compare_type.data != ComparisonType.NOTYPE:
            return self.compare_type.data
        kind = element_kind(cast(AnyTensor, self.lhs.type).element_type)
        by_kind = {PRED: ComparisonType.UNSIGNED, UINT: ComparisonType.UNSIGNED, SINT: ComparisonType.SIGNED}
        return by_kind.get(kind, ComparisonType.FLOAT)

    def verify_(self) -> None:
        """C1, C2, C3."""
        self.require_type("C1", self.rhs, self.lhs.type, "rhs")
        self.require_type("C2", self.result, tensor_of(i1, cast(AnyTensor, self.lhs.type).get_shape()), "result")
        kind = element_kind(cast(AnyTensor, self.lhs.type).element_type)
        allowed = {
            SINT: (ComparisonType.SIGNED,),
            UINT: (ComparisonType.UNSIGNED,),
            PRED: (ComparisonType.UNSIGNED,),
            FLOAT: (ComparisonType.FLOAT, ComparisonType.TOTALORDER),
            COMPLEX: (ComparisonType.FLOAT,),
        }.get(kind)
        actual = self.effective_type()
        self.require("C3", allowed is None or actual in allowed, lambda: f"compare_type {actual} does not fit {kind}s")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`LT, %a, %b, FLOAT : (types) -> type`."""
        position = parser.pos
        properties: dict[str, Attribute] = {
            "comparison_direction": ComparisonDirectionAttr(parser.parse_str_enum(ComparisonDirection))
        }
        parser.parse_punctuation(",")
        operands = parse_operands(parser, 2)
        if parser.parse_optional_punctuation(",") is not None:
            properties["compare_type"] = ComparisonTypeAttr(parser.parse_str_enum(ComparisonType))
        attributes = parse_attr_dict(parser, cls, properties)
        return build(cls, parser, position, operands, parse_function_type(parser), properties, attributes)

    def print(self, printer: Printer) -> None:
        """`LT, %a, %b, FLOAT : (types) -> type`."""
        printer.print_string(f" {self.comparison_direction.data.value}, ")
        printer.print_list(self.operands, printer.print_ssa_value)
        if self.compare_type is not None:
            printer.print_string(f", {self.compare_type.data.value}")
        print_attr_dict(printer, self)
        print_function_type(printer, self)


@irdl_op_definition
class SelectOp(StableHLOOp):
    """`on_true` where `pred`, else `on_false`. C1: `pred` is a scalar or has their shape. C2: they have one type.

    Example: `%r = stablehlo.select %p, %a, %b : tensor<4xi1>, tensor<4xf32>`.
    """

    name = "stablehlo.select"

    pred = operand_def(TensorType)
    on_true = operand_def(TensorType)
    on_false = operand_def(TensorType)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(self, pred: SSAValue | Operation, on_true: SSAValue | Operation, on_false: SSAValue | Operation):
        """The result has the type of `on_true`."""
        value = SSAValue.get(on_true)
        super().__init__(operands=[pred, value, on_false], result_types=[value.type])

    def verify_(self) -> None:
        """C1, C2."""
        self.require_kind("I1", self.pred, (PRED,), "pred")
        shape = cast(AnyTensor, self.pred.type).get_shape()
        ok = not shape or compatible(shape, cast(AnyTensor, self.on_true.type).get_shape())
        self.require("C1", ok, lambda: f"pred has type {self.pred.type}, on_true {self.on_true.type}")
        self.require_type("C2", self.on_false, self.on_true.type, "on_false")
        self.require_type("C2", self.result, self.on_true.type, "result")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`%p, %a, %b : pred type, type` or a function type."""
        position = parser.pos
        operands = parse_operands(parser, 3)
        attributes = parse_attr_dict(parser, cls, {})
        parser.parse_punctuation(":")
        if (function_type := parser.parse_optional_function_type()) is not None:
            types = function_type.inputs.data, function_type.outputs.data
        else:
            pred = parser.parse_type()
            parser.parse_punctuation(",")
            value = parser.parse_type()
            types = (pred, value, value), (value,)
        return build(cls, parser, position, operands, types, {}, attributes)

    def print(self, printer: Printer) -> None:
        """`%p, %a, %b : pred type, type` or a function type."""
        printer.print_string(" ")
        printer.print_list(self.operands, printer.print_ssa_value)
        print_attr_dict(printer, self)
        result = self.result.type
        if self.on_true.type != result or self.on_false.type != result:
            print_function_type(printer, self)
            return
        printer.print_string(" : ")
        printer.print_list((self.pred.type, result), printer.print_attribute)


@irdl_op_definition
class ClampOp(ShortFormOp):
    """`min(max(operand, min), max)`. C1, C2: the bounds are scalars or have its shape. C3, C4: one element type."""

    name = "stablehlo.clamp"
    OPERAND_COUNT: ClassVar = 3

    min = operand_def(TensorType)
    operand = operand_def(TensorType)
    max = operand_def(TensorType)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(self, min: SSAValue | Operation, operand: SSAValue | Operation, max: SSAValue | Operation):
        """The result has the operand's type."""
        value = SSAValue.get(operand)
        super().__init__(operands=[min, value, max], result_types=[value.type])

    def verify_(self) -> None:
        """C1 to C4."""
        tensor = cast(AnyTensor, self.operand.type)
        for label, bound, what in (("C1", self.min, "min"), ("C2", self.max, "max")):
            type_ = cast(AnyTensor, bound.type)
            ok = not type_.get_shape() or compatible(type_.get_shape(), tensor.get_shape())
            self.require(label, ok, lambda t=type_, w=what: f"{w} has type {t}, operand {tensor}")
            same = type_.element_type == tensor.element_type
            self.require("C3", same, lambda t=type_, w=what: f"{w} has type {t}, operand {tensor}")
        self.require_type("C4", self.result, tensor, "result")


@irdl_op_definition
class ReducePrecisionOp(StableHLOOp):
    """Rounds floats to a format with fewer exponent and mantissa bits, and back. C1: types. C2, C3: at least 1 and 0 bits.

    Example: `%r = stablehlo.reduce_precision %x, format = e5m10 : tensor<4xf32>`.
    """

    name = "stablehlo.reduce_precision"
    ELIDED: ClassVar = ("exponent_bits", "mantissa_bits")

    operand = operand_def(TensorType)
    output = result_def(TensorType)
    exponent_bits = prop_def(IntegerAttr)
    mantissa_bits = prop_def(IntegerAttr)

    traits = traits_def(Pure())

    def __init__(self, operand: SSAValue | Operation, exponent_bits: int, mantissa_bits: int):
        """The result has the operand's type."""
        value = SSAValue.get(operand)
        super().__init__(
            operands=[value],
            result_types=[value.type],
            properties={
                "exponent_bits": IntegerAttr(exponent_bits, i32),
                "mantissa_bits": IntegerAttr(mantissa_bits, i32),
            },
        )

    def verify_(self) -> None:
        """C1, C2, C3."""
        self.require_kind("I1", self.operand, (FLOAT,), "operand")
        self.require_type("C1", self.output, self.operand.type, "output")
        exponent, mantissa = self.exponent_bits.value.data, self.mantissa_bits.value.data
        self.require("C2", exponent >= 1, lambda: f"exponent_bits = {exponent} must be at least 1")
        self.require("C3", mantissa >= 0, lambda: f"mantissa_bits = {mantissa} must not be negative")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`%x, format = e5m10 : type`."""
        position = parser.pos
        operands = parse_operands(parser, 1)
        parser.parse_punctuation(",")
        parser.parse_keyword("format")
        parser.parse_punctuation("=")
        start = parser.pos
        text = parser.parse_identifier()
        match = re.fullmatch(r"e(\d+)m(\d+)", text)
        if match is None:
            parser.raise_error(f"expected a format like e5m10, got {text}", start, parser.pos)
        properties: dict[str, Attribute] = {
            "exponent_bits": IntegerAttr(int(match[1]), i32),
            "mantissa_bits": IntegerAttr(int(match[2]), i32),
        }
        attributes = parse_attr_dict(parser, cls, properties)
        parser.parse_punctuation(":")
        type_ = parser.parse_type()
        return build(cls, parser, position, operands, ([type_], [type_]), properties, attributes)

    def print(self, printer: Printer) -> None:
        """`%x, format = e5m10 : type`."""
        printer.print_string(" ")
        printer.print_ssa_value(self.operand)
        printer.print_string(f", format = e{self.exponent_bits.value.data}m{self.mantissa_bits.value.data}")
        print_attr_dict(printer, self)
        printer.print_string(" : ")
        printer.print_attribute(self.output.type)


@irdl_op_definition
class MapOp(StableHLOOp):
    """Applies `computation` to the elements of the inputs. C1: equal shapes. C2: some input. C3: all dims. C4: the region."""

    name = "stablehlo.map"

    inputs = var_operand_def(TensorType)
    result = result_def(TensorType)
    dimensions = prop_def(DenseArrayBase.constr(i64))
    computation = region_def()

    traits = traits_def(RecursiveMemoryEffect())

    def __init__(self, inputs: Sequence[SSAValue], computation: Any, result_type: Attribute):
        """`dimensions` are all dimensions."""
        rank = cast(AnyTensor, result_type).get_num_dims()
        super().__init__(
            operands=[inputs],
            result_types=[result_type],
            properties={"dimensions": i64_array(range(rank))},
            regions=[computation],
        )

    def verify_(self) -> None:
        """C1 to C4."""
        result = cast(AnyTensor, self.result.type)
        self.require("C2", len(self.inputs) > 0, lambda: "needs at least one input")
        for value in self.inputs:
            same = compatible(cast(AnyTensor, value.type).get_shape(), result.get_shape())
            self.require("C1", same, lambda v=value: f"input of type {v.type} for a result of type {result}")
        dims = cast(Any, self.dimensions).get_values()
        self.require(
            "C3", dims == tuple(range(result.get_num_dims())), lambda: f"dimensions = {dims} must be all, in order"
        )
        scalars = [scalar_of(v.type) for v in self.inputs]
        self.require_region("C4", self.computation, scalars, [scalar_of(result)], "computation")


OPS: list[type[Operation]] = [
    AbsOp,
    AddOp,
    AndOp,
    Atan2Op,
    CbrtOp,
    CeilOp,
    ClampOp,
    CompareOp,
    ComplexOp,
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
    MapOp,
    MaximumOp,
    MinimumOp,
    MultiplyOp,
    NegateOp,
    NotOp,
    OrOp,
    PopcntOp,
    PowerOp,
    RealOp,
    ReducePrecisionOp,
    RemainderOp,
    RoundNearestAfzOp,
    RoundNearestEvenOp,
    RsqrtOp,
    SelectOp,
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
