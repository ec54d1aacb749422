"""StableHLO ops on elements at one index that choose, compare, assemble or apply a region."""

from __future__ import annotations

import re
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
from xdsl.traits import Pure, RecursiveMemoryEffect

from stepwell.dialects.stablehlo.attrs import (
    ComparisonDirection,
    ComparisonDirectionAttr,
    ComparisonType,
    ComparisonTypeAttr,
)
from stepwell.dialects.stablehlo.base import (
    COMPLEX,
    FLOAT,
    PRED,
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
from stepwell.dialects.stablehlo.elementwise import real_type
from stepwell.ir.shapes import compatible


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
        self.require_shape("C2", self.result, shape, "result")
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
        lhs = cast(AnyTensor, self.lhs.type)
        self.require_quantization("I1", self.lhs, "lhs")
        self.require_baseline_element("C1", self.rhs, lhs.element_type, "rhs")
        self.require_shape("C2", self.rhs, lhs.get_shape(), "rhs")
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
        self.require_quantization("I2", self.on_true, "on_true")
        self.require_baseline("C2", self.on_false, self.on_true.type, "on_false")
        self.require_baseline("C2", self.result, self.on_true.type, "result")

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
            self.require_baseline_element("C3", bound, tensor.element_type, what)
        self.require_baseline("C4", self.result, tensor, "result")


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
        self.require_baseline("C1", self.output, self.operand.type, "output")
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
    ClampOp,
    CompareOp,
    ComplexOp,
    MapOp,
    ReducePrecisionOp,
    SelectOp,
]
