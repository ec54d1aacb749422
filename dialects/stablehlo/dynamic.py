"""StableHLO ops whose result's extents are operands, and those that read or set an extent.

Each is its static counterpart with sizes as values. Where such an operand is a constant, what it says is checked too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self, TypeAlias, cast

from xdsl.dialects.builtin import (
    ArrayAttr,
    BoolAttr,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    TensorType,
    i1,
    i32,
    i64,
)
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, opt_prop_def, prop_def, result_def, traits_def
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Pure

from stepwell.dialects.stablehlo.attrs import (
    ConvDimensionNumbers,
    ConvDimensionNumbersAttr,
    GatherDimensionNumbersAttr,
)
from stepwell.dialects.stablehlo.base import (
    PER_AXIS,
    AnyTensor,
    FunctionFormOp,
    StableHLOOp,
    build,
    i64_array,
    i64_attr,
    ints,
    ints_text,
    parse_attr_dict,
    parse_function_type,
    parse_named_int,
    parse_named_ints,
    parse_operands,
    print_attr_dict,
    print_function_type,
    print_operands,
    tensor_of,
)
from stepwell.dialects.stablehlo.contractions import accumulates
from stepwell.dialects.stablehlo.data_movement import ConstantOp
from stepwell.dialects.stablehlo.quantized import (
    is_quantized,
    verify_broadcast_axis,
    verify_convolution,
    verify_moved,
    verify_reshape_axis,
)
from stepwell.ir import shapes
from stepwell.ir.dense import dense_to_list
from stepwell.ir.shapes import DYNAMIC, Shape, ShapeError

Known: TypeAlias = "tuple[int, ...] | None"
"""The values of a shape operand, row by row; None when they are not constant."""


def _shape(value: SSAValue) -> Shape:
    return cast(AnyTensor, value.type).get_shape()


def _element(value: SSAValue) -> Attribute:
    return cast(AnyTensor, value.type).element_type


def known_values(value: SSAValue) -> Known:
    """The values of a shape operand that is a constant."""
    owner = value.owner
    if not isinstance(owner, ConstantOp) or not isinstance(owner.value, DenseIntOrFPElementsAttr):
        return None
    return tuple(dense_to_list(cast(Any, owner.value), flat=True))


def extents(value: SSAValue, rank: int) -> Shape:
    """The extents a shape operand stands for: its values when constant, else `?`."""
    known = known_values(value)
    return (DYNAMIC,) * rank if known is None else known


def _require_sizes(op: StableHLOOp, label: str, value: SSAValue, rank: int | None, what: str) -> None:
    """`value` is a static tensor of `rank` integers (any number of them for None)."""
    shape, element = _shape(value), _element(value)
    ok = isinstance(element, IndexType | IntegerType) and element != i1
    op.require("I2", ok and len(shape) == 1, lambda: f"{what} has type {value.type}, expected a 1-d tensor of integers")
    op.require("I2", shape[0] != DYNAMIC, lambda: f"{what} has type {value.type}: the number of sizes must be known")
    op.require(label, rank is None or shape[0] == rank, lambda: f"{what} has {shape[0]} entries for rank {rank}")


def _require_extents(op: StableHLOOp, label: str, value: SSAValue, what: str) -> None:
    """A constant shape operand agrees with the type of the result, and has no negative size."""
    known, result = known_values(value), _shape(op.results[0])
    if known is None:
        return
    op.require(label, all(v >= 0 for v in known), lambda: f"{what} = {list(known)} must not be negative")
    ok = shapes.compatible(known, result)
    op.require(label, ok, lambda: f"{what} = {list(known)}, but the result has type {op.results[0].type}")


@irdl_op_definition
class DynamicBroadcastInDimOp(StableHLOOp):
    """`broadcast_in_dim` to the extents in `output_dimensions`. C1 to C10: types, dims, extents, what is known of dims.

    `known_expanding_dimensions` have extent one and grow; `known_nonexpanding_dimensions` keep their extent.

    Example: `%r = stablehlo.dynamic_broadcast_in_dim %x, %sizes, dims = [1] : (tensor<4xf32>, tensor<2xi32>) -> tensor<?x4xf32>`.
    """

    name = "stablehlo.dynamic_broadcast_in_dim"
    QUANTIZED: ClassVar = PER_AXIS
    ELIDED: ClassVar = ("broadcast_dimensions",)

    operand = operand_def(TensorType)
    output_dimensions = operand_def(TensorType)
    broadcast_dimensions = prop_def(DenseArrayBase.constr(i64))
    known_expanding_dimensions = opt_prop_def(DenseArrayBase.constr(i64))
    known_nonexpanding_dimensions = opt_prop_def(DenseArrayBase.constr(i64))
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(
        self,
        operand: SSAValue | Operation,
        output_dimensions: SSAValue | Operation,
        dimensions: Sequence[int],
        result_type: Attribute,
    ):
        """Broadcast to `result_type`."""
        super().__init__(
            operands=[operand, output_dimensions],
            result_types=[result_type],
            properties={"broadcast_dimensions": i64_array(dimensions)},
        )

    def verify_(self) -> None:
        """C1 to C10."""
        verify_moved(self, self.operand, self.result, rescaled=True)
        dims, rank = self.broadcast_dimensions.get_values(), len(_shape(self.operand))
        self.shape_of(shapes.broadcast_in_dim, _shape(self.operand), dims, _shape(self.result))
        verify_broadcast_axis(self, self.operand, self.result, dims)
        _require_sizes(self, "C7", self.output_dimensions, len(_shape(self.result)), "output_dimensions")
        _require_extents(self, "C7", self.output_dimensions, "output_dimensions")
        expanding, keeping = ints(self.known_expanding_dimensions), ints(self.known_nonexpanding_dimensions)
        once = len({*expanding, *keeping}) == len(expanding) + len(keeping)
        self.require("C8", once, lambda: f"known dimensions {list(expanding)} and {list(keeping)} must not repeat one")
        for label, name, known in (("C9", "expanding", expanding), ("C10", "nonexpanding", keeping)):
            ok = all(0 <= d < rank for d in known)
            self.require(label, ok, lambda n=name, k=known: f"known_{n}_dimensions = {list(k)} must lie in [0, {rank})")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`%x, %sizes, dims = [1] : (types) -> type`."""
        position = parser.pos
        operands = parse_operands(parser, 2)
        parser.parse_punctuation(",")
        properties: dict[str, Attribute] = {"broadcast_dimensions": parse_named_ints(parser, "dims")}
        attributes = parse_attr_dict(parser, cls, properties)
        return build(cls, parser, position, operands, parse_function_type(parser), properties, attributes)

    def print(self, printer: Printer) -> None:
        """`%x, %sizes, dims = [1] : (types) -> type`."""
        print_operands(printer, self)
        printer.print_string(f", dims = {ints_text(self.broadcast_dimensions.get_values())}")
        print_attr_dict(printer, self)
        print_function_type(printer, self)


@irdl_op_definition
class DynamicReshapeOp(FunctionFormOp):
    """`reshape` to the extents in `output_shape`. C1: element types. C2: equal numbers of elements. C4: the rank.

    Example: `%r = stablehlo.dynamic_reshape %x, %sizes : (tensor<?x3xf32>, tensor<1xi32>) -> tensor<?xf32>`.
    """

    name = "stablehlo.dynamic_reshape"
    QUANTIZED: ClassVar = PER_AXIS

    operand = operand_def(TensorType)
    output_shape = operand_def(TensorType)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(self, operand: SSAValue | Operation, output_shape: SSAValue | Operation, result_type: Attribute):
        """Reshape to `result_type`."""
        super().__init__(operands=[operand, output_shape], result_types=[result_type])

    def verify_(self) -> None:
        """C1 to C4."""
        verify_moved(self, self.operand, self.result)
        self.shape_of(shapes.reshape, _shape(self.operand), _shape(self.result))
        verify_reshape_axis(self, self.operand, self.result)
        _require_sizes(self, "C4", self.output_shape, len(_shape(self.result)), "output_shape")
        _require_extents(self, "C4", self.output_shape, "output_shape")
        self.shape_of(
            shapes.reshape, _shape(self.operand), shapes.join([_shape(self.result), self.extents(self.output_shape)])
        )

    def extents(self, value: SSAValue) -> Shape:
        """What is known of the result's extents."""
        return extents(value, len(_shape(self.result)))


@irdl_op_definition
class DynamicIotaOp(StableHLOOp):
    """`iota` of the extents in `output_shape`. C1: `0 <= iota_dimension < size(output_shape)`. C2: the rank.

    Example: `%r = stablehlo.dynamic_iota %sizes, dim = 0 : (tensor<1xi32>) -> tensor<?xi32>`.
    """

    name = "stablehlo.dynamic_iota"
    ELIDED: ClassVar = ("iota_dimension",)

    output_shape = operand_def(TensorType)
    iota_dimension = prop_def(IntegerAttr)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(self, output_shape: SSAValue | Operation, dimension: int, result_type: Attribute):
        """Count along `dimension`."""
        super().__init__(
            operands=[output_shape],
            result_types=[result_type],
            properties={"iota_dimension": i64_attr(dimension)},
        )

    def verify_(self) -> None:
        """C1, C2."""
        _require_sizes(self, "C2", self.output_shape, len(_shape(self.result)), "output_shape")
        self.shape_of(shapes.iota, _shape(self.result), self.iota_dimension.value.data)
        _require_extents(self, "C2", self.output_shape, "output_shape")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`%sizes, dim = 0 : (type) -> type`."""
        return _parse_with_dim(cls, parser, 1, "iota_dimension")

    def print(self, printer: Printer) -> None:
        """`%sizes, dim = 0 : (type) -> type`."""
        _print_with_dim(self, printer, self.iota_dimension.value.data)


def _parse_with_dim(cls: type[Any], parser: Parser, count: int, name: str) -> Any:
    position = parser.pos
    operands = parse_operands(parser, count)
    parser.parse_punctuation(",")
    properties: dict[str, Attribute] = {name: parse_named_int(parser, "dim")}
    attributes = parse_attr_dict(parser, cls, properties)
    return build(cls, parser, position, operands, parse_function_type(parser), properties, attributes)


def _print_with_dim(op: StableHLOOp, printer: Printer, dimension: int) -> None:
    print_operands(printer, op)
    printer.print_string(f", dim = {dimension}")
    print_attr_dict(printer, op)
    print_function_type(printer, op)


@irdl_op_definition
class DynamicPadOp(FunctionFormOp):
    """`pad` by paddings that are operands. C1: element types. C2: sizes. C3: interior padding. C4: the shape.

    Example: `%r = stablehlo.dynamic_pad %x, %v, %low, %high, %interior
    : (tensor<3xf32>, tensor<f32>, tensor<1xi32>, tensor<1xi32>, tensor<1xi32>) -> tensor<?xf32>`.
    """

    name = "stablehlo.dynamic_pad"

    operand = operand_def(TensorType)
    padding_value = operand_def(TensorType)
    edge_padding_low = operand_def(TensorType)
    edge_padding_high = operand_def(TensorType)
    interior_padding = operand_def(TensorType)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def verify_(self) -> None:
        """C1 to C4."""
        element = _element(self.operand)
        self.require_type("C1", self.padding_value, tensor_of(element, []), "padding_value")
        same = _element(self.result) == element
        self.require("C1", same, lambda: f"operand has type {self.operand.type}, result {self.result.type}")
        rank = len(_shape(self.operand))
        for name, value in zip(
            ("edge_padding_low", "edge_padding_high", "interior_padding"), self.paddings, strict=True
        ):
            _require_sizes(self, "C2", value, rank, name)
        inner = known_values(self.interior_padding)
        ok = inner is None or all(i >= 0 for i in inner)
        self.require("C3", ok, lambda: f"interior padding {list(inner or ())} must not be negative")
        self.require_type("C4", self.result, tensor_of(element, self.shape_of(self.result_shape)), "result")

    @property
    def paddings(self) -> tuple[SSAValue, SSAValue, SSAValue]:
        """Low, high, interior."""
        return self.edge_padding_low, self.edge_padding_high, self.interior_padding

    def result_shape(self) -> Shape:
        """The shape that the operand's type and constant paddings imply."""
        return shapes.dynamic_pad(_shape(self.operand), *map(known_values, self.paddings))


@irdl_op_definition
class RealDynamicSliceOp(FunctionFormOp):
    """`slice` with starts, limits and strides that are operands. C1: element types. C2: sizes. C3, C4: ranges. C5: the shape.

    Example: `%r = stablehlo.real_dynamic_slice %x, %start, %limit, %stride
    : (tensor<9xf32>, tensor<1xi32>, tensor<1xi32>, tensor<1xi32>) -> tensor<?xf32>`.
    """

    name = "stablehlo.real_dynamic_slice"

    operand = operand_def(TensorType)
    start_indices = operand_def(TensorType)
    limit_indices = operand_def(TensorType)
    strides = operand_def(TensorType)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def verify_(self) -> None:
        """C1 to C5."""
        element, rank = _element(self.operand), len(_shape(self.operand))
        same = _element(self.result) == element
        self.require("C1", same, lambda: f"operand has type {self.operand.type}, result {self.result.type}")
        for name, value in zip(("start_indices", "limit_indices", "strides"), self.ranges, strict=True):
            _require_sizes(self, "C2", value, rank, name)
        self.require_type("C5", self.result, tensor_of(element, self.shape_of(self.result_shape)), "result")

    @property
    def ranges(self) -> tuple[SSAValue, SSAValue, SSAValue]:
        """Starts, limits, strides."""
        return self.start_indices, self.limit_indices, self.strides

    def result_shape(self) -> Shape:
        """The shape that constant ranges imply; `?` otherwise."""
        shape, known = _shape(self.operand), [known_values(v) for v in self.ranges]
        if any(k is None for k in known):
            return (DYNAMIC,) * len(shape)
        return shapes.slice_(shape, *cast(Any, known))


@irdl_op_definition
class DynamicGatherOp(StableHLOOp):
    """`gather` of slices whose sizes are an operand. C1 to C14: dimensions and types.

    Example::

        %r = "stablehlo.dynamic_gather"(%x, %i, %sizes) <{dimension_numbers = #stablehlo.gather<offset_dims = [1],
          collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>}>
          : (tensor<9x8xf32>, tensor<3x1xi32>, tensor<2xi32>) -> tensor<3x?xf32>
    """

    name = "stablehlo.dynamic_gather"

    operand = operand_def(TensorType)
    start_indices = operand_def(TensorType)
    slice_sizes = operand_def(TensorType)
    dimension_numbers = prop_def(GatherDimensionNumbersAttr)
    indices_are_sorted = opt_prop_def(BoolAttr)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def verify_(self) -> None:
        """C1 to C14."""
        element = _element(self.start_indices)
        ok = isinstance(element, IntegerType | IndexType) and element != i1
        self.require("I2", ok, lambda: f"start_indices has element type {element}, expected integers")
        _require_sizes(self, "C11", self.slice_sizes, len(_shape(self.operand)), "slice_sizes")
        shape = self.shape_of(self.result_shape)
        ok = shapes.compatible(_shape(self.result), shape)
        self.require("C13", ok, lambda: f"result has shape {list(_shape(self.result))}, expected {list(shape)}")
        same = _element(self.result) == _element(self.operand)
        self.require("C14", same, lambda: f"operand has type {self.operand.type}, result {self.result.type}")

    def result_shape(self) -> Shape:
        """The shape that the types and constant sizes imply."""
        numbers, known = self.dimension_numbers.data, known_values(self.slice_sizes)
        sizes = (0,) * len(_shape(self.operand)) if known is None else known
        try:
            shape = shapes.gather(_shape(self.operand), _shape(self.start_indices), *numbers, sizes)
        except ShapeError as error:
            raise ShapeError(_GATHER_LABELS.get(error.label, f"gather {error.label}"), str(error)) from error
        if known is not None:
            return shape
        return tuple(DYNAMIC if d in numbers.offset_dims else e for d, e in enumerate(shape))


_GATHER_LABELS = {
    **{label: label for label in ("C1", "C2", "C3", "C4", "C5", "C6")},
    **{"C7": "C6", "C8": "C7", "C9": "C8", "C18": "C9", "C19": "C10", "C20": "C11", "C21": "C12"},
}
"""A constraint of `gather` -> the same one of `dynamic_gather`."""


@irdl_op_definition
class DynamicConvOp(StableHLOOp):
    """`convolution` with a padding that is an operand. C1 to C34: as there.

    Example::

        %r = "stablehlo.dynamic_conv"(%x, %w, %padding) <{window_strides = array<i64: 1>,
          dimension_numbers = #stablehlo.conv<[b, f, 0]x[o, i, 0]->[b, f, 0]>,
          feature_group_count = 1 : i64, batch_group_count = 1 : i64}>
          : (tensor<1x2x9xf32>, tensor<4x2x3xf32>, tensor<1x2xi32>) -> tensor<1x4x?xf32>
    """

    name = "stablehlo.dynamic_conv"

    lhs = operand_def(TensorType)
    rhs = operand_def(TensorType)
    padding = operand_def(TensorType)
    window_strides = opt_prop_def(DenseArrayBase.constr(i64))
    lhs_dilation = opt_prop_def(DenseArrayBase.constr(i64))
    rhs_dilation = opt_prop_def(DenseArrayBase.constr(i64))
    window_reversal = opt_prop_def(DenseArrayBase.constr(i1))
    dimension_numbers = prop_def(ConvDimensionNumbersAttr)
    feature_group_count = prop_def(IntegerAttr)
    batch_group_count = prop_def(IntegerAttr)
    precision_config = opt_prop_def(ArrayAttr)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    @property
    def numbers(self) -> ConvDimensionNumbers:
        """The dimension numbers."""
        return self.dimension_numbers.data

    @property
    def spatial_rank(self) -> int:
        """Number of spatial dims."""
        return len(_shape(self.lhs)) - 2

    def window(self, name: str) -> tuple[int, ...]:
        """A property with one entry per spatial dim; one where it is not given."""
        return ints(cast("DenseArrayBase[Any] | None", self.properties.get(name)), [1] * self.spatial_rank)

    def verify_(self) -> None:
        """C1 to C34."""
        rank = self.spatial_rank
        if any(is_quantized(v) for v in (self.lhs, self.rhs, self.result)):
            numbers = self.numbers
            verify_convolution(self, (numbers.kernel_output_feature_dimension, numbers.output_feature_dimension))
        else:
            left, right, result = _element(self.lhs), _element(self.rhs), _element(self.result)
            fits = left == right and (left == result or accumulates(left, result))
            self.require("C27", fits, lambda: f"operands are {left} and {right}, the result {result}")
        shape, element = _shape(self.padding), _element(self.padding)
        ok = isinstance(element, IntegerType | IndexType) and element != i1
        self.require("I3", ok and len(shape) == 2, lambda: f"padding has type {self.padding.type}")
        self.require("C4", shape == (rank, 2), lambda: f"padding has shape {list(shape)}, expected [{rank}, 2]")
        reversal = ints(self.window_reversal, [0] * rank)
        self.require("C9", len(reversal) == rank, lambda: f"window_reversal has {len(reversal)} entries, not {rank}")
        expected = self.shape_of(self.result_shape)
        precision = self.precision_config
        ok = precision is None or len(precision.data) == 2
        self.require("C24", ok, lambda: f"precision_config must have two precisions, got {precision}")
        got = _shape(self.result)
        self.require("C26", len(got) == rank + 2, lambda: f"result has rank {len(got)}, expected {rank + 2}")
        ok = shapes.compatible(got, expected)
        self.require("C25", ok, lambda: f"result has shape {list(got)}, expected {list(expected)}")

    def result_shape(self) -> Shape:
        """The shape that the types and a constant padding imply."""
        known = known_values(self.padding)
        rows = [(0, 0)] * self.spatial_rank if known is None else list(zip(known[::2], known[1::2], strict=True))
        windows = (self.window("window_strides"), rows, self.window("lhs_dilation"), self.window("rhs_dilation"))
        groups = (self.feature_group_count.value.data, self.batch_group_count.value.data)
        shape = shapes.convolution(_shape(self.lhs), _shape(self.rhs), self.numbers, *windows, *groups)
        if known is not None:
            return shape
        spatial = self.numbers.output_spatial_dimensions
        return tuple(DYNAMIC if d in spatial else e for d, e in enumerate(shape))


@irdl_op_definition
class GetDimensionSizeOp(StableHLOOp):
    """The extent of a dim of the operand, as a 0-d i32. C1: `0 <= dimension < rank(operand)`.

    Example: `%n = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?x3xf32>) -> tensor<i32>`.
    """

    name = "stablehlo.get_dimension_size"
    ELIDED: ClassVar = ("dimension",)

    operand = operand_def(TensorType)
    dimension = prop_def(IntegerAttr)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(self, operand: SSAValue | Operation, dimension: int):
        """The extent of `dimension`."""
        super().__init__(
            operands=[operand], result_types=[TensorType(i32, [])], properties={"dimension": i64_attr(dimension)}
        )

    def verify_(self) -> None:
        """C1."""
        rank, dimension = len(_shape(self.operand)), self.dimension.value.data
        self.require("C1", 0 <= dimension < rank, lambda: f"dimension = {dimension} must lie in [0, {rank})")
        self.require_type("O1", self.result, TensorType(i32, []), "result")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`%x, dim = 0 : (type) -> tensor<i32>`."""
        return _parse_with_dim(cls, parser, 1, "dimension")

    def print(self, printer: Printer) -> None:
        """`%x, dim = 0 : (type) -> tensor<i32>`."""
        _print_with_dim(self, printer, self.dimension.value.data)


@irdl_op_definition
class SetDimensionSizeOp(StableHLOOp):
    """The first `size` elements of the operand along a dim, whose extent bounds it. C1: the dim. C2: `size`. C3: the type.

    The result's dim is `?`, bounded by the operand's extent (`#stablehlo.bounds`).

    Example: `%r = stablehlo.set_dimension_size %x, %n, dim = 0
    : (tensor<4xf32>, tensor<i32>) -> tensor<?xf32, #stablehlo.bounds<4>>`.
    """

    name = "stablehlo.set_dimension_size"
    ELIDED: ClassVar = ("dimension",)

    operand = operand_def(TensorType)
    size = operand_def(TensorType)
    dimension = prop_def(IntegerAttr)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def verify_(self) -> None:
        """C1, C2, C3."""
        shape, dimension = _shape(self.operand), self.dimension.value.data
        self.require(
            "C1", 0 <= dimension < len(shape), lambda: f"dimension = {dimension} must lie in [0, {len(shape)})"
        )
        self.require_type("C2", self.size, TensorType(i32, []), "size")
        known, extent = known_values(self.size), shape[dimension]
        ok = known is None or (0 <= known[0] and (extent == DYNAMIC or known[0] <= extent))
        self.require("C2", ok, lambda: f"size {known and known[0]} must lie in [0, {extent}]")
        expected = tensor_of(_element(self.operand), self.result_shape())
        self.require_type("C3", self.result, expected, "result")

    def result_shape(self) -> Shape:
        """The operand's shape with `size` for the dim, `?` when it is not constant."""
        shape, known = list(_shape(self.operand)), known_values(self.size)
        shape[self.dimension.value.data] = DYNAMIC if known is None else known[0]
        return tuple(shape)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`%x, %n, dim = 0 : (types) -> type`."""
        return _parse_with_dim(cls, parser, 2, "dimension")

    def print(self, printer: Printer) -> None:
        """`%x, %n, dim = 0 : (types) -> type`."""
        _print_with_dim(self, printer, self.dimension.value.data)


OPS: list[type[Operation]] = [
    DynamicBroadcastInDimOp,
    DynamicConvOp,
    DynamicGatherOp,
    DynamicIotaOp,
    DynamicPadOp,
    DynamicReshapeOp,
    GetDimensionSizeOp,
    RealDynamicSliceOp,
    SetDimensionSizeOp,
]
