"""StableHLO ops that create, move, cut and join tensors without computing on their elements."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import Any, ClassVar, Self, cast

from xdsl.dialects.builtin import (
    ComplexType,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    IntegerAttr,
    IntegerType,
    TensorType,
    i64,
)
from xdsl.interfaces import HasFolderInterface
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, prop_def, result_def, traits_def, var_operand_def
from xdsl.parser import Parser, UnresolvedOperand
from xdsl.printer import Printer
from xdsl.traits import ConstantLike, Pure

from stepwell.dialects.quant import quantized
from stepwell.dialects.stablehlo.base import (
    NUMBER,
    PER_AXIS,
    AnyTensor,
    FunctionFormOp,
    StableHLOOp,
    bit_width,
    build,
    i64_array,
    i64_attr,
    ints_text,
    parse_attr_dict,
    parse_function_type,
    parse_named_int,
    parse_named_ints,
    parse_operands,
    parse_operands_until_keyword,
    parse_short_type,
    print_attr_dict,
    print_function_type,
    print_operands,
    print_short_type,
    tensor_of,
)
from stepwell.dialects.stablehlo.quantized import (
    verify_broadcast_axis,
    verify_moved,
    verify_reshape_axis,
    verify_transpose_axis,
)
from stepwell.ir import shapes


def _shape(value: SSAValue) -> tuple[int, ...]:
    return cast(AnyTensor, value.type).get_shape()


def _element(value: SSAValue) -> Attribute:
    return cast(AnyTensor, value.type).element_type


def _result(operand: SSAValue, shape: Sequence[int]) -> AnyTensor:
    return tensor_of(_element(operand), shape)


class DenseConstantOp(StableHLOOp, HasFolderInterface, ABC):
    """A constant tensor, `value : type` in the text."""

    ELIDED: ClassVar = ("value",)

    value = prop_def()
    output = result_def(TensorType)

    traits = traits_def(Pure(), ConstantLike())

    def __init__(self, value: DenseIntOrFPElementsAttr[Any]):
        """The result has the value's type."""
        super().__init__(result_types=[value.type], properties={"value": value})

    def verify_(self) -> None:
        """C1; of a quantized output the value is the stored integers. C1: their type. C2: their shape."""
        type_ = getattr(self.value, "type", None)
        if (of := quantized(self.output.type)) is not None and isinstance(type_, TensorType):
            element = cast(Attribute, type_.element_type)
            ok = element in (of.storage, IntegerType(of.storage.width.data))
            self.require("C1", ok, lambda: f"value has type {type_}, output {self.output.type}")
            same = type_.get_shape() == _shape(self.output)
            self.require("C2", same, lambda: f"value has type {type_}, output {self.output.type}")
            return
        self.require("C1", type_ == self.output.type, lambda: f"value has type {type_}, output {self.output.type}")

    def fold(self) -> Sequence[SSAValue | Attribute] | None:
        """Itself."""
        return (self.value,)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`dense<...> : type`, or the generic form `() <{value = ...}> : () -> type`."""
        properties: dict[str, Attribute] = {}
        start = parser.pos
        if parser.parse_optional_punctuation("(") is not None:
            parser.parse_punctuation(")")
            properties.update(parser.parse_optional_properties_dict())
            attributes = parse_attr_dict(parser, cls, properties)
            if "value" not in properties:
                parser.raise_error("expected a constant with a value", start, parser.pos)
            return build(cls, parser, start, [], parse_function_type(parser), properties, attributes)
        attributes = parse_attr_dict(parser, cls, properties)
        start = parser.pos
        value = parser.parse_attribute()
        type_ = getattr(value, "type", None)
        if not isinstance(type_, TensorType):
            parser.raise_error("expected a dense constant with a tensor type", start, parser.pos)
        return build(cls, parser, start, [], ([], [type_]), {"value": value, **properties}, attributes)

    def print(self, printer: Printer) -> None:
        """`dense<...> : type`, or the generic form where the output has another type than the value."""
        if quantized(self.output.type) is not None:
            printer.print_string("() <{value = ")
            printer.print_attribute(self.value)
            printer.print_string("}>")
            print_attr_dict(printer, self)
            print_function_type(printer, self)
            return
        print_attr_dict(printer, self)
        printer.print_string(" ")
        printer.print_attribute(self.value)


@irdl_op_definition
class ConstantOp(DenseConstantOp):
    """A constant tensor. C1: the value has the result's type.

    Example: `%c = stablehlo.constant dense<[1, 2]> : tensor<2xi32>`.
    """

    name = "stablehlo.constant"


@irdl_op_definition
class IotaOp(StableHLOOp):
    """Counts from zero along a dimension. C1: `0 <= iota_dimension < rank`.

    Example: `%r = stablehlo.iota dim = 0 : tensor<4x5xi32>`.
    """

    name = "stablehlo.iota"
    ELIDED: ClassVar = ("iota_dimension",)

    iota_dimension = prop_def(IntegerAttr)
    output = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(self, dimension: int, result_type: Attribute):
        """Count along `dimension`."""
        super().__init__(result_types=[result_type], properties={"iota_dimension": i64_attr(dimension)})

    def verify_(self) -> None:
        """C1."""
        self.require_kind("O1", self.output, NUMBER, "output")
        self.shape_of(shapes.iota, _shape(self.output), self.iota_dimension.value.data)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`dim = 0 : type`."""
        position = parser.pos
        properties: dict[str, Attribute] = {"iota_dimension": parse_named_int(parser, "dim")}
        attributes = parse_attr_dict(parser, cls, properties)
        parser.parse_punctuation(":")
        return build(cls, parser, position, [], ([], [parser.parse_type()]), properties, attributes)

    def print(self, printer: Printer) -> None:
        """`dim = 0 : type`."""
        printer.print_string(f" dim = {self.iota_dimension.value.data}")
        print_attr_dict(printer, self)
        printer.print_string(" : ")
        printer.print_attribute(self.output.type)


class NamedIntsOp(StableHLOOp):
    """Format `%x, keyword = [ints] : (type) -> type`."""

    KEYWORD: ClassVar[str] = "dims"
    SHORT: ClassVar[bool] = False

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """Parse the format above."""
        position = parser.pos
        operands = parse_operands(parser, 1)
        parser.parse_punctuation(",")
        (name,) = cls.ELIDED
        properties: dict[str, Attribute] = {name: parse_named_ints(parser, cls.KEYWORD)}
        attributes = parse_attr_dict(parser, cls, properties)
        types = parse_short_type(parser, 1) if cls.SHORT else parse_function_type(parser)
        return build(cls, parser, position, operands, types, properties, attributes)

    def print(self, printer: Printer) -> None:
        """Print the format above."""
        (name,) = self.ELIDED
        print_operands(printer, self)
        values = cast(DenseArrayBase[Any], self.properties[name]).get_values()
        printer.print_string(f", {self.KEYWORD} = {ints_text(values)}")
        print_attr_dict(printer, self)
        (print_short_type if self.SHORT else print_function_type)(printer, self)


@irdl_op_definition
class BroadcastInDimOp(NamedIntsOp):
    """Operand dim i becomes result dim `dims[i]`; extents of one and new dims are repeated. C1 to C6: types, dims, extents.

    Example: `%r = stablehlo.broadcast_in_dim %x, dims = [1] : (tensor<4xf32>) -> tensor<3x4xf32>`.
    """

    name = "stablehlo.broadcast_in_dim"
    QUANTIZED: ClassVar = PER_AXIS
    ELIDED: ClassVar = ("broadcast_dimensions",)

    operand = operand_def(TensorType)
    broadcast_dimensions = prop_def(DenseArrayBase.constr(i64))
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(self, operand: SSAValue | Operation, dimensions: Sequence[int], result_type: Attribute):
        """Broadcast to `result_type`."""
        super().__init__(
            operands=[operand],
            result_types=[result_type],
            properties={"broadcast_dimensions": i64_array(dimensions)},
        )

    def verify_(self) -> None:
        """C1 to C6."""
        verify_moved(self, self.operand, self.result, rescaled=True)
        dims = self.broadcast_dimensions.get_values()
        self.shape_of(shapes.broadcast_in_dim, _shape(self.operand), dims, _shape(self.result))
        verify_broadcast_axis(self, self.operand, self.result, dims)


@irdl_op_definition
class BroadcastOp(NamedIntsOp):
    """Adds leading dims of the given sizes.

    Example: `%r = stablehlo.broadcast %x, sizes = [2] : (tensor<4xf32>) -> tensor<2x4xf32>`.
    """

    name = "stablehlo.broadcast"
    ELIDED: ClassVar = ("broadcast_sizes",)
    KEYWORD: ClassVar = "sizes"

    operand = operand_def(TensorType)
    broadcast_sizes = prop_def(DenseArrayBase.constr(i64))
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(self, operand: SSAValue | Operation, sizes: Sequence[int]):
        """Prepend `sizes`."""
        value = SSAValue.get(operand)
        super().__init__(
            operands=[value],
            result_types=[_result(value, (*sizes, *_shape(value)))],
            properties={"broadcast_sizes": i64_array(sizes)},
        )

    def verify_(self) -> None:
        """The result's shape is the sizes and the operand's shape."""
        shape = (*self.broadcast_sizes.get_values(), *_shape(self.operand))
        self.require_type("C1", self.result, _result(self.operand, shape), "result")


@irdl_op_definition
class ReshapeOp(FunctionFormOp):
    """The same elements in row-major order in another shape. C1: element types. C2: equal numbers of elements. C3: quantized dims.

    Example: `%r = stablehlo.reshape %x : (tensor<2x3xf32>) -> tensor<6xf32>`.
    """

    name = "stablehlo.reshape"
    QUANTIZED: ClassVar = PER_AXIS

    operand = operand_def(TensorType)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(self, operand: SSAValue | Operation, shape: Sequence[int]):
        """Reshape to `shape`."""
        value = SSAValue.get(operand)
        super().__init__(operands=[value], result_types=[_result(value, shape)])

    def verify_(self) -> None:
        """C1 to C3."""
        verify_moved(self, self.operand, self.result)
        self.shape_of(shapes.reshape, _shape(self.operand), _shape(self.result))
        verify_reshape_axis(self, self.operand, self.result)


@irdl_op_definition
class TransposeOp(NamedIntsOp):
    """Result dim i is operand dim `permutation[i]`. C1: element types. C2: a permutation. C3: the shape. C4: quantized dims.

    Example: `%r = stablehlo.transpose %x, dims = [1, 0] : (tensor<2x3xf32>) -> tensor<3x2xf32>`.
    """

    name = "stablehlo.transpose"
    QUANTIZED: ClassVar = PER_AXIS
    ELIDED: ClassVar = ("permutation",)

    operand = operand_def(TensorType)
    permutation = prop_def(DenseArrayBase.constr(i64))
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(self, operand: SSAValue | Operation, permutation: Sequence[int]):
        """Permute the dims."""
        value = SSAValue.get(operand)
        super().__init__(
            operands=[value],
            result_types=[_result(value, shapes.transpose(_shape(value), permutation))],
            properties={"permutation": i64_array(permutation)},
        )

    def verify_(self) -> None:
        """C1 to C4."""
        verify_moved(self, self.operand, self.result)
        shape = self.shape_of(shapes.transpose, _shape(self.operand), self.permutation.get_values())
        self.require_shape("C3", self.result, shape, "result")
        verify_transpose_axis(self, self.operand, self.result, self.permutation.get_values())


@irdl_op_definition
class ReverseOp(NamedIntsOp):
    """Reverses the order of the elements along some dims. C1: the type. C2, C3: distinct dims in range.

    Example: `%r = stablehlo.reverse %x, dims = [1] : tensor<2x3xf32>`.
    """

    name = "stablehlo.reverse"
    ELIDED: ClassVar = ("dimensions",)
    SHORT: ClassVar = True

    operand = operand_def(TensorType)
    dimensions = prop_def(DenseArrayBase.constr(i64))
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(self, operand: SSAValue | Operation, dimensions: Sequence[int]):
        """Reverse along `dimensions`."""
        value = SSAValue.get(operand)
        super().__init__(operands=[value], result_types=[value.type], properties={"dimensions": i64_array(dimensions)})

    def verify_(self) -> None:
        """C1 to C3."""
        self.shape_of(shapes.reverse, _shape(self.operand), self.dimensions.get_values())
        self.require_type("C1", self.result, self.operand.type, "result")


@irdl_op_definition
class SliceOp(StableHLOOp):
    """`x[start:limit:stride]` with constants. C1: element types. C2: sizes. C3, C4: ranges. C5: the shape.

    Example: `%r = stablehlo.slice %x [0:2, 1:9:2] : (tensor<4x9xf32>) -> tensor<2x4xf32>`.
    """

    name = "stablehlo.slice"
    ELIDED: ClassVar = ("start_indices", "limit_indices", "strides")

    operand = operand_def(TensorType)
    start_indices = prop_def(DenseArrayBase.constr(i64))
    limit_indices = prop_def(DenseArrayBase.constr(i64))
    strides = prop_def(DenseArrayBase.constr(i64))
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(
        self,
        operand: SSAValue | Operation,
        starts: Sequence[int],
        limits: Sequence[int],
        strides: Sequence[int] | None = None,
    ):
        """Slice with stride one unless strides are given."""
        value = SSAValue.get(operand)
        steps = strides if strides is not None else [1] * len(starts)
        super().__init__(
            operands=[value],
            result_types=[_result(value, shapes.slice_(_shape(value), starts, limits, steps))],
            properties={
                "start_indices": i64_array(starts),
                "limit_indices": i64_array(limits),
                "strides": i64_array(steps),
            },
        )

    def verify_(self) -> None:
        """C1 to C5."""
        self.require_element("C1", self.result, _element(self.operand), "result")
        ranges = (self.start_indices.get_values(), self.limit_indices.get_values(), self.strides.get_values())
        shape = self.shape_of(shapes.slice_, _shape(self.operand), *ranges)
        self.require_type("C5", self.result, _result(self.operand, shape), "result")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`%x [0:2, 1:9:2] : (type) -> type`."""
        position = parser.pos
        operands = parse_operands(parser, 1)
        ranges = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, lambda: _parse_range(parser))
        properties: dict[str, Attribute] = {name: i64_array(r[i] for r in ranges) for i, name in enumerate(cls.ELIDED)}
        attributes = parse_attr_dict(parser, cls, properties)
        return build(cls, parser, position, operands, parse_function_type(parser), properties, attributes)

    def print(self, printer: Printer) -> None:
        """`%x [0:2, 1:9:2] : (type) -> type`."""
        print_operands(printer, self)
        ranges = zip(
            self.start_indices.get_values(),
            self.limit_indices.get_values(),
            self.strides.get_values(),
            strict=True,
        )
        text = [f"{start}:{limit}" + (f":{stride}" if stride != 1 else "") for start, limit, stride in ranges]
        printer.print_string(f" [{', '.join(text)}]")
        print_attr_dict(printer, self)
        print_function_type(printer, self)


def _parse_range(parser: Parser) -> tuple[int, int, int]:
    start = parser.parse_integer()
    parser.parse_punctuation(":")
    limit = parser.parse_integer()
    stride = parser.parse_integer() if parser.parse_optional_punctuation(":") is not None else 1
    return start, limit, stride


_PADDINGS = {"low": "edge_padding_low", "high": "edge_padding_high", "interior": "interior_padding"}


@irdl_op_definition
class PadOp(StableHLOOp):
    """Pads edges (negative: cuts) and between elements. C1: element types. C2: sizes. C3: interior. C4: the shape.

    Example: `%r = stablehlo.pad %x, %v, low = [1], high = [2], interior = [0] : (tensor<3xf32>, tensor<f32>) -> tensor<6xf32>`.
    """

    name = "stablehlo.pad"
    ELIDED: ClassVar = tuple(_PADDINGS.values())

    operand = operand_def(TensorType)
    padding_value = operand_def(TensorType)
    edge_padding_low = prop_def(DenseArrayBase.constr(i64))
    edge_padding_high = prop_def(DenseArrayBase.constr(i64))
    interior_padding = prop_def(DenseArrayBase.constr(i64))
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(
        self,
        operand: SSAValue | Operation,
        padding_value: SSAValue | Operation,
        low: Sequence[int],
        high: Sequence[int],
        interior: Sequence[int],
    ):
        """Pad `operand`."""
        value = SSAValue.get(operand)
        super().__init__(
            operands=[value, padding_value],
            result_types=[_result(value, shapes.pad(_shape(value), low, high, interior))],
            properties={
                "edge_padding_low": i64_array(low),
                "edge_padding_high": i64_array(high),
                "interior_padding": i64_array(interior),
            },
        )

    def verify_(self) -> None:
        """C1 to C4."""
        for value, what in ((self.padding_value, "padding_value"), (self.result, "result")):
            self.require_element("C1", value, _element(self.operand), what)
        self.require("I2", not _shape(self.padding_value), lambda: "padding_value must be a scalar")
        paddings = [cast(DenseArrayBase[Any], self.properties[name]).get_values() for name in self.ELIDED]
        shape = self.shape_of(shapes.pad, _shape(self.operand), *paddings)
        self.require_type("C4", self.result, _result(self.operand, shape), "result")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`%x, %v, low = [1], high = [2], interior = [0] : (types) -> type`."""
        position = parser.pos
        operands = parse_operands(parser, 2)
        properties: dict[str, Attribute] = {}
        for keyword, name in _PADDINGS.items():
            parser.parse_punctuation(",")
            properties[name] = parse_named_ints(parser, keyword)
        attributes = parse_attr_dict(parser, cls, properties)
        return build(cls, parser, position, operands, parse_function_type(parser), properties, attributes)

    def print(self, printer: Printer) -> None:
        """`%x, %v, low = [1], high = [2], interior = [0] : (types) -> type`."""
        print_operands(printer, self)
        for keyword, name in _PADDINGS.items():
            values = cast(DenseArrayBase[Any], self.properties[name]).get_values()
            printer.print_string(f", {keyword} = {ints_text(values)}")
        print_attr_dict(printer, self)
        print_function_type(printer, self)


@irdl_op_definition
class ConcatenateOp(StableHLOOp):
    """Joins tensors along a dimension. C1, C5: element types. C2: shapes. C3: some input. C4: the dim. C6: the shape.

    Example: `%r = stablehlo.concatenate %a, %b, dim = 0 : (tensor<2xf32>, tensor<3xf32>) -> tensor<5xf32>`.
    """

    name = "stablehlo.concatenate"
    ELIDED: ClassVar = ("dimension",)

    inputs = var_operand_def(TensorType)
    dimension = prop_def(IntegerAttr)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(self, inputs: Sequence[SSAValue], dimension: int):
        """Join `inputs` along `dimension`."""
        shape = shapes.concatenate([_shape(v) for v in inputs], dimension)
        super().__init__(
            operands=[inputs],
            result_types=[_result(inputs[0], shape)],
            properties={"dimension": i64_attr(dimension)},
        )

    def verify_(self) -> None:
        """C1 to C6."""
        inputs = self._operands
        shape = self.shape_of(shapes.concatenate, [_shape(v) for v in inputs], self.dimension.value.data)
        for value in inputs:
            same = _element(value) == _element(inputs[0])
            self.require("C1", same, lambda v=value: f"inputs of types {inputs[0].type} and {v.type}")
        self.require_element("C5", self.result, _element(inputs[0]), "result")
        self.require_type("C6", self.result, _result(inputs[0], shape), "result")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`%a, %b, dim = 0 : (types) -> type`."""
        position = parser.pos
        operands = parse_operands_until_keyword(parser)
        properties: dict[str, Attribute] = {"dimension": parse_named_int(parser, "dim")}
        attributes = parse_attr_dict(parser, cls, properties)
        return build(cls, parser, position, operands, parse_function_type(parser), properties, attributes)

    def print(self, printer: Printer) -> None:
        """`%a, %b, dim = 0 : (types) -> type`."""
        print_operands(printer, self)
        printer.print_string(f", dim = {self.dimension.value.data}")
        print_attr_dict(printer, self)
        print_function_type(printer, self)


@irdl_op_definition
class DynamicSliceOp(StableHLOOp):
    """A slice at run-time start indices, clamped so that it lies inside. C1 to C5: types, sizes and shape.

    Example: `%r = stablehlo.dynamic_slice %x, %i, sizes = [2] : (tensor<4xf32>, tensor<i32>) -> tensor<2xf32>`.
    """

    name = "stablehlo.dynamic_slice"
    ELIDED: ClassVar = ("slice_sizes",)

    operand = operand_def(TensorType)
    start_indices = var_operand_def(TensorType)
    slice_sizes = prop_def(DenseArrayBase.constr(i64))
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(self, operand: SSAValue | Operation, starts: Sequence[SSAValue], sizes: Sequence[int]):
        """One start index per dim."""
        value = SSAValue.get(operand)
        super().__init__(
            operands=[value, starts],
            result_types=[_result(value, shapes.dynamic_slice(_shape(value), len(starts), sizes))],
            properties={"slice_sizes": i64_array(sizes)},
        )

    def verify_(self) -> None:
        """C1 to C5."""
        self.require_element("C1", self.result, _element(self.operand), "result")
        sizes = self.slice_sizes.get_values()
        shape = self.shape_of(shapes.dynamic_slice, _shape(self.operand), len(self._operands) - 1, sizes)
        _verify_starts(self, "I2", "C3", self._operands[1:])
        self.require_type("C5", self.result, _result(self.operand, shape), "result")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`%x, %i, %j, sizes = [1, 2] : (types) -> type`."""
        position = parser.pos
        operands: list[UnresolvedOperand] = parse_operands_until_keyword(parser)
        properties: dict[str, Attribute] = {"slice_sizes": parse_named_ints(parser, "sizes")}
        attributes = parse_attr_dict(parser, cls, properties)
        return build(cls, parser, position, operands, parse_function_type(parser), properties, attributes)

    def print(self, printer: Printer) -> None:
        """`%x, %i, %j, sizes = [1, 2] : (types) -> type`."""
        print_operands(printer, self)
        printer.print_string(f", sizes = {ints_text(self.slice_sizes.get_values())}")
        print_attr_dict(printer, self)
        print_function_type(printer, self)


def _verify_starts(op: StableHLOOp, scalar: str, label: str, starts: Sequence[SSAValue]) -> None:
    for value in starts:
        op.require(scalar, not _shape(value), lambda v=value: f"start index of type {v.type} is not a scalar")
        op.require_kind(scalar, value, ("signed integer", "unsigned integer"), "start index")
        same = value.type == starts[0].type
        op.require(label, same, lambda v=value: f"start indices of types {starts[0].type} and {v.type}")


@irdl_op_definition
class DynamicUpdateSliceOp(FunctionFormOp):
    """The operand with a slice at run-time indices (clamped so that it lies inside) replaced. C1 to C6: types and sizes.

    Example: `%r = stablehlo.dynamic_update_slice %x, %u, %i : (tensor<4xf32>, tensor<2xf32>, tensor<i32>) -> tensor<4xf32>`.
    """

    name = "stablehlo.dynamic_update_slice"

    operand = operand_def(TensorType)
    update = operand_def(TensorType)
    start_indices = var_operand_def(TensorType)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(self, operand: SSAValue | Operation, update: SSAValue | Operation, starts: Sequence[SSAValue]):
        """One start index per dim."""
        value = SSAValue.get(operand)
        super().__init__(operands=[value, update, starts], result_types=[value.type])

    def verify_(self) -> None:
        """C1 to C6."""
        operand, update, *starts = self._operands
        self.shape_of(shapes.dynamic_update_slice, _shape(operand), _shape(update), len(starts))
        same = _element(update) == _element(operand)
        self.require("C2", same, lambda: f"update has type {update.type}, operand {operand.type}")
        _verify_starts(self, "I3", "C5", starts)
        self.require_type("C1", self.results[0], operand.type, "result")


@irdl_op_definition
class BitcastConvertOp(FunctionFormOp):
    """Reads the bits as another element type; a narrower one adds a last dim. C1: shapes. C2: complex to complex only.

    Example: `%r = stablehlo.bitcast_convert %x : (tensor<4xf32>) -> tensor<4xi32>`.
    """

    name = "stablehlo.bitcast_convert"
    QUANTIZED: ClassVar = PER_AXIS

    operand = operand_def(TensorType)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(self, operand: SSAValue | Operation, result_type: Attribute):
        """Reinterpret as `result_type`."""
        super().__init__(operands=[operand], result_types=[result_type])

    def verify_(self) -> None:
        """C1, C2."""
        source, target = cast(AnyTensor, self.operand.type), cast(AnyTensor, self.result.type)
        both = isinstance(source.element_type, ComplexType), isinstance(target.element_type, ComplexType)
        self.require("C2", both[0] == both[1], lambda: f"cannot reinterpret {source} as {target}")
        narrow, wide = bit_width(source.element_type), bit_width(target.element_type)
        low, high = source.get_shape(), target.get_shape()
        if narrow > wide:
            narrow, wide, low, high = wide, narrow, high, low
        if narrow == wide:
            ok = shapes.compatible(low, high)
        else:
            ok = bool(low) and shapes.compatible(low[:-1], high) and shapes.same_extent(low[-1], wide // narrow)
        self.require("C1", ok, lambda: f"cannot reinterpret {source} as {target}: the shapes do not fit")


OPS: list[type[Operation]] = [
    BitcastConvertOp,
    BroadcastInDimOp,
    BroadcastOp,
    ConcatenateOp,
    ConstantOp,
    DynamicSliceOp,
    DynamicUpdateSliceOp,
    IotaOp,
    PadOp,
    ReshapeOp,
    ReverseOp,
    SliceOp,
    TransposeOp,
]
