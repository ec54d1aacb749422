"""StableHLO's contractions: dot products and convolutions of any dimension numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self, cast

from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    IntegerAttr,
    TensorType,
    i1,
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
    DotAlgorithmAttr,
    DotDimensionNumbers,
    DotDimensionNumbersAttr,
    Precision,
    PrecisionAttr,
    parse_conv_dimensions,
    parse_ints,
    print_conv_dimensions,
)
from stepwell.dialects.stablehlo.base import (
    FLOAT,
    INTEGER,
    NOT_QUANTIZED,
    PER_AXIS,
    AnyTensor,
    StableHLOOp,
    bit_width,
    build,
    element_kind,
    i64_array,
    i64_attr,
    ints,
    ints_text,
    parse_attr_dict,
    parse_function_type,
    parse_operands,
    print_attr_dict,
    print_function_type,
    print_operands,
    tensor_of,
)
from stepwell.dialects.stablehlo.quantized import is_quantized, verify_convolution, verify_dot
from stepwell.dialects.stablehlo.reductions import Pads, padding_attr, padding_rows
from stepwell.ir import shapes


def _shape(value: SSAValue) -> tuple[int, ...]:
    return cast(AnyTensor, value.type).get_shape()


def _is_float8(element: Attribute) -> bool:
    """Whether products of different such types are written without conversions, as JAX does."""
    return element_kind(element) == FLOAT and bit_width(element) == 8


def accumulates(element: Attribute, result: Attribute) -> bool:
    """Whether sums of products of `element` may have the type `result`: a wider one of its kind, or floats of integers."""
    kind, result_kind = element_kind(element), element_kind(result)
    if kind in INTEGER:
        return result_kind in (*INTEGER, FLOAT) and bit_width(element) <= bit_width(result)
    return kind == result_kind and bit_width(element) <= bit_width(result)


def _verify_precision(op: StableHLOOp, label: str, config: ArrayAttr[Any] | None) -> None:
    if config is not None:
        ok = len(config.data) <= 2 and all(isinstance(p, PrecisionAttr) for p in config.data)
        op.require(label, ok, lambda: f"precision_config must have at most two precisions, got {config}")


def _parse_precision(parser: Parser, properties: dict[str, Attribute]) -> None:
    parser.parse_punctuation("=")
    modes = parser.parse_comma_separated_list(
        parser.Delimiter.SQUARE, lambda: PrecisionAttr(parser.parse_str_enum(Precision))
    )
    properties["precision_config"] = ArrayAttr(modes)


def _print_precision(printer: Printer, config: ArrayAttr[Any] | None) -> None:
    if config is not None:
        modes = ", ".join(cast(PrecisionAttr, p).data.value for p in config.data)
        printer.print_string(f", precision = [{modes}]")


@irdl_op_definition
class DotGeneralOp(StableHLOOp):
    """Sums of products over the contracting dims, for each index of the batching dims.

    C1 to C12: dimensions and shape. C13: element types (of 8-bit floats the two may differ, and where an algorithm says what they
    become, of floats no wider than it sums in). C14 to C20: quantized operands. C21 to C24: the algorithm.

    Example: `%r = stablehlo.dot_general %a, %b, batching_dims = [0] x [0], contracting_dims = [2] x [1],
    precision = [DEFAULT, DEFAULT] : (tensor<4x2x3xf32>, tensor<4x3x5xf32>) -> tensor<4x2x5xf32>`.
    """

    name = "stablehlo.dot_general"
    QUANTIZED: ClassVar = PER_AXIS
    ELIDED: ClassVar = ("dot_dimension_numbers", "precision_config", "algorithm")

    lhs = operand_def(TensorType)
    rhs = operand_def(TensorType)
    dot_dimension_numbers = prop_def(DotDimensionNumbersAttr)
    precision_config = opt_prop_def(ArrayAttr)
    algorithm = opt_prop_def(DotAlgorithmAttr)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(
        self,
        lhs: SSAValue | Operation,
        rhs: SSAValue | Operation,
        numbers: DotDimensionNumbers,
        element_type: Attribute | None = None,
        precision: Sequence[Precision] | None = None,
    ):
        """The result has the element type of `lhs` unless one is given."""
        left, right = SSAValue.get(lhs), SSAValue.get(rhs)
        element = element_type if element_type is not None else cast(AnyTensor, left.type).element_type
        shape = shapes.dot_general(_shape(left), _shape(right), *numbers)
        super().__init__(
            operands=[left, right],
            result_types=[tensor_of(element, shape)],
            properties={
                "dot_dimension_numbers": DotDimensionNumbersAttr(numbers),
                "precision_config": None if precision is None else ArrayAttr([PrecisionAttr(p) for p in precision]),
            },
        )

    @property
    def numbers(self) -> DotDimensionNumbers:
        """The dimension numbers."""
        return self.dot_dimension_numbers.data

    def verify_(self) -> None:
        """C1 to C24."""
        shape = self.shape_of(shapes.dot_general, _shape(self.lhs), _shape(self.rhs), *self.numbers)
        _verify_precision(self, "C11", self.precision_config)
        if self.algorithm is not None:
            self._verify_algorithm(self.algorithm)
        self.require_shape("C12", self.result, shape, "result")
        if any(is_quantized(v) for v in (self.lhs, self.rhs, self.result)):
            verify_dot(self, self.numbers.rhs_contracting_dimensions)
            return
        left, right = (cast(AnyTensor, v.type).element_type for v in self._operands)
        same = left == right or (_is_float8(left) and _is_float8(right)) or self._brings_to_one_type(left, right)
        self.require("C13", same, lambda: f"operands have element types {left} and {right}")

    def _brings_to_one_type(self, left: Attribute, right: Attribute) -> bool:
        """Whether an algorithm says what becomes of floats of two types, both no wider than it sums in."""
        if self.algorithm is None:
            return False
        kinds = (left, right, self.algorithm.accumulation_type)
        return all(element_kind(k) == FLOAT for k in kinds) and max(map(bit_width, kinds)) == bit_width(kinds[-1])

    def _verify_algorithm(self, algorithm: DotAlgorithmAttr) -> None:
        """C21 to C24."""
        precision = [] if self.precision_config is None else self.precision_config.data
        default = all(p == PrecisionAttr(Precision.DEFAULT) for p in precision)
        self.require("C21", default, lambda: "an algorithm excludes a precision other than DEFAULT")
        counts = (algorithm.lhs_component_count, algorithm.rhs_component_count, algorithm.num_primitive_operations)
        names = ("lhs_component_count", "rhs_component_count", "num_primitive_operations")
        for label, name, count in zip(("C22", "C23", "C24"), names, counts, strict=True):
            value = count.value.data
            self.require(label, value > 0, lambda n=name, v=value: f"{n} = {v} must be positive")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`%a, %b, batching_dims = [..] x [..], contracting_dims = [..] x [..], precision = [..] : types`."""
        position = parser.pos
        operands = parse_operands(parser, 2)
        parser.parse_punctuation(",")
        batching: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
        if parser.parse_optional_keyword("batching_dims") is not None:
            batching = _parse_dim_pair(parser)
            parser.parse_punctuation(",")
        parser.parse_keyword("contracting_dims")
        numbers = DotDimensionNumbers(*batching, *_parse_dim_pair(parser))
        properties: dict[str, Attribute] = {"dot_dimension_numbers": DotDimensionNumbersAttr(numbers)}
        while parser.parse_optional_punctuation(",") is not None:
            if parser.parse_keyword_in(("precision", "algorithm")) == "precision":
                _parse_precision(parser, properties)
            else:
                parser.parse_punctuation("=")
                properties["algorithm"] = DotAlgorithmAttr.new(DotAlgorithmAttr.parse_parameters(parser))
        attributes = parse_attr_dict(parser, cls, properties)
        return build(cls, parser, position, operands, parse_function_type(parser), properties, attributes)

    def print(self, printer: Printer) -> None:
        """The inverse of `parse`."""
        print_operands(printer, self)
        numbers = self.numbers
        if numbers.lhs_batching_dimensions or numbers.rhs_batching_dimensions:
            left, right = numbers.lhs_batching_dimensions, numbers.rhs_batching_dimensions
            printer.print_string(f", batching_dims = {ints_text(left)} x {ints_text(right)}")
        left, right = numbers.lhs_contracting_dimensions, numbers.rhs_contracting_dimensions
        printer.print_string(f", contracting_dims = {ints_text(left)} x {ints_text(right)}")
        _print_precision(printer, self.precision_config)
        if self.algorithm is not None:
            printer.print_string(", algorithm = ")
            self.algorithm.print_parameters(printer)
        print_attr_dict(printer, self)
        print_function_type(printer, self)


def _parse_dim_pair(parser: Parser) -> tuple[tuple[int, ...], tuple[int, ...]]:
    parser.parse_punctuation("=")
    left = parse_ints(parser)
    parser.parse_characters("x")
    return left, parse_ints(parser)


@irdl_op_definition
class DotOp(StableHLOOp):
    """The product of vectors and matrices: the last dim of `lhs` with the first of `rhs` (deprecated for `dot_general`).

    Example: `%r = stablehlo.dot %a, %b : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>`.
    """

    name = "stablehlo.dot"
    QUANTIZED: ClassVar = NOT_QUANTIZED
    ELIDED: ClassVar = ("precision_config",)

    lhs = operand_def(TensorType)
    rhs = operand_def(TensorType)
    precision_config = opt_prop_def(ArrayAttr)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    @property
    def numbers(self) -> DotDimensionNumbers:
        """The dimension numbers of the same `dot_general`."""
        return DotDimensionNumbers((), (), (len(_shape(self.lhs)) - 1,), (0,))

    def verify_(self) -> None:
        """Ranks one or two, shapes that fit."""
        for value in (self.lhs, self.rhs, self.result):
            self.require_quantization("I1", value, "operand or result")
        ranks = (len(_shape(self.lhs)), len(_shape(self.rhs)))
        self.require("I1", all(r in (1, 2) for r in ranks), lambda: f"operands have ranks {ranks}, expected 1 or 2")
        shape = self.shape_of(shapes.dot_general, _shape(self.lhs), _shape(self.rhs), *self.numbers)
        ok = shapes.compatible(_shape(self.result), shape)
        self.require("C1", ok, lambda: f"result has shape {list(_shape(self.result))}, expected {list(shape)}")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`%a, %b, precision = [..] : types`."""
        position = parser.pos
        operands = parse_operands(parser, 2)
        properties: dict[str, Attribute] = {}
        if parser.parse_optional_punctuation(",") is not None:
            parser.parse_keyword("precision")
            _parse_precision(parser, properties)
        attributes = parse_attr_dict(parser, cls, properties)
        return build(cls, parser, position, operands, parse_function_type(parser), properties, attributes)

    def print(self, printer: Printer) -> None:
        """The inverse of `parse`."""
        print_operands(printer, self)
        _print_precision(printer, self.precision_config)
        print_attr_dict(printer, self)
        print_function_type(printer, self)


_WINDOW = {
    "stride": "window_strides",
    "pad": "padding",
    "lhs_dilate": "lhs_dilation",
    "rhs_dilate": "rhs_dilation",
    "reverse": "window_reversal",
}


@irdl_op_definition
class ConvolutionOp(StableHLOOp):
    """Dot products of windows of `lhs` with slices of `rhs`.

    C1 to C26: dimensions, windows, groups and shape. C27: element types (the result may be wider). C28 to C34: quantized operands.

    Example: `%r = stablehlo.convolution(%x, %w) dim_numbers = [b, f, 0]x[o, i, 0]->[b, f, 0], window = {stride = [1]}
    {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<1x2x9xf32>, tensor<4x2x3xf32>) -> tensor<1x4x7xf32>`.
    """

    name = "stablehlo.convolution"
    QUANTIZED: ClassVar = PER_AXIS
    ELIDED: ClassVar = ("dimension_numbers", *_WINDOW.values())

    lhs = operand_def(TensorType)
    rhs = operand_def(TensorType)
    window_strides = opt_prop_def(DenseArrayBase.constr(i64))
    padding = opt_prop_def(DenseIntOrFPElementsAttr)
    lhs_dilation = opt_prop_def(DenseArrayBase.constr(i64))
    rhs_dilation = opt_prop_def(DenseArrayBase.constr(i64))
    window_reversal = opt_prop_def(DenseArrayBase.constr(i1))
    dimension_numbers = prop_def(ConvDimensionNumbersAttr)
    feature_group_count = prop_def(IntegerAttr)
    batch_group_count = prop_def(IntegerAttr)
    precision_config = opt_prop_def(ArrayAttr)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(
        self,
        lhs: SSAValue | Operation,
        rhs: SSAValue | Operation,
        numbers: ConvDimensionNumbers,
        element_type: Attribute | None = None,
        strides: Sequence[int] | None = None,
        padding: Sequence[tuple[int, int]] | None = None,
        lhs_dilation: Sequence[int] | None = None,
        rhs_dilation: Sequence[int] | None = None,
        reversal: Sequence[bool] | None = None,
        feature_group_count: int = 1,
        batch_group_count: int = 1,
    ):
        """Infer the result type; what is not given is one (zero for padding)."""
        left, right = SSAValue.get(lhs), SSAValue.get(rhs)
        ones = [1] * len(numbers.input_spatial_dimensions)
        pads = list(padding) if padding is not None else [(0, 0) for _ in ones]
        window = (strides or ones, pads, lhs_dilation or ones, rhs_dilation or ones)
        groups = (feature_group_count, batch_group_count)
        shape = shapes.convolution(_shape(left), _shape(right), numbers, *window, *groups)
        element = element_type if element_type is not None else cast(AnyTensor, left.type).element_type
        super().__init__(
            operands=[left, right],
            result_types=[tensor_of(element, shape)],
            properties={
                "window_strides": i64_array(window[0]),
                "padding": padding_attr(pads),
                "lhs_dilation": i64_array(window[2]),
                "rhs_dilation": i64_array(window[3]),
                "window_reversal": DenseArrayBase.from_list(i1, [int(r) for r in reversal or [False for _ in ones]]),
                "dimension_numbers": ConvDimensionNumbersAttr(numbers),
                "feature_group_count": i64_attr(feature_group_count),
                "batch_group_count": i64_attr(batch_group_count),
            },
        )

    @property
    def numbers(self) -> ConvDimensionNumbers:
        """The dimension numbers."""
        return self.dimension_numbers.data

    @property
    def spatial_rank(self) -> int:
        """Number of spatial dims."""
        return len(_shape(self.lhs)) - 2

    @property
    def strides(self) -> tuple[int, ...]:
        """Steps between windows."""
        return ints(self.window_strides, [1] * self.spatial_rank)

    @property
    def pads(self) -> Pads:
        """(low, high) padding per spatial dim."""
        return padding_rows(self.padding, self.spatial_rank)

    @property
    def lhs_dilations(self) -> tuple[int, ...]:
        """Steps between the elements of the padded input."""
        return ints(self.lhs_dilation, [1] * self.spatial_rank)

    @property
    def rhs_dilations(self) -> tuple[int, ...]:
        """Steps between the elements of a window."""
        return ints(self.rhs_dilation, [1] * self.spatial_rank)

    @property
    def reversals(self) -> tuple[bool, ...]:
        """Which spatial dims of the kernel are reversed."""
        return tuple(bool(r) for r in ints(self.window_reversal, [0] * self.spatial_rank))

    @property
    def feature_groups(self) -> int:
        """Number of groups of features."""
        return self.feature_group_count.value.data

    @property
    def batch_groups(self) -> int:
        """Number of groups of the batch."""
        return self.batch_group_count.value.data

    def verify_(self) -> None:
        """C1 to C34."""
        rank = self.spatial_rank
        ranks = len(_shape(self.lhs)), len(_shape(self.rhs))
        self.require("C1", ranks[0] == ranks[1] >= 2, lambda: f"operands have ranks {ranks[0]} and {ranks[1]}")
        if self.padding is not None:
            shape = self.padding.get_shape()
            self.require(
                "C4", tuple(shape) == (rank, 2), lambda: f"padding has shape {list(shape)}, expected [{rank}, 2]"
            )
        self.require("C9", len(self.reversals) == rank, lambda: f"window_reversal has {len(self.reversals)} entries")
        window = (self.strides, self.pads, self.lhs_dilations, self.rhs_dilations)
        groups = (self.feature_groups, self.batch_groups)
        shape = self.shape_of(shapes.convolution, _shape(self.lhs), _shape(self.rhs), self.numbers, *window, *groups)
        _verify_precision(self, "C24", self.precision_config)
        rank = len(_shape(self.result))
        self.require("C26", rank == ranks[0], lambda: f"result has rank {rank}, the operands {ranks[0]}")
        self.require_shape("C25", self.result, shape, "result")
        self._verify_elements()

    def _verify_elements(self) -> None:
        """C27, C28 to C34; the result may be wider, which is how JAX asks for wider sums."""
        if any(is_quantized(v) for v in (self.lhs, self.rhs, self.result)):
            numbers = self.numbers
            verify_convolution(self, (numbers.kernel_output_feature_dimension, numbers.output_feature_dimension))
            return
        left, right, result = (cast(AnyTensor, v.type).element_type for v in (self.lhs, self.rhs, self.result))
        self.require("C27", left == right, lambda: f"operands have element types {left} and {right}")
        fits = left == result or accumulates(left, result)
        self.require("C27", fits, lambda: f"operands have element type {left}, result {result}")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`(%x, %w) dim_numbers = .., window = {..} {attributes} : types`."""
        position = parser.pos
        with parser.in_parens():
            operands = parse_operands(parser, 2)
        parser.parse_keyword("dim_numbers")
        parser.parse_punctuation("=")
        properties: dict[str, Attribute] = {
            "dimension_numbers": ConvDimensionNumbersAttr(parse_conv_dimensions(parser))
        }
        parser.parse_punctuation(",")
        parser.parse_keyword("window")
        parser.parse_punctuation("=")
        with parser.in_braces():
            _parse_window(parser, properties)
        attributes = parse_attr_dict(parser, cls, properties)
        return build(cls, parser, position, operands, parse_function_type(parser), properties, attributes)

    def print(self, printer: Printer) -> None:
        """The inverse of `parse`."""
        with printer.in_parens():
            printer.print_list(self.operands, printer.print_ssa_value)
        printer.print_string(" dim_numbers = ")
        print_conv_dimensions(printer, self.numbers)
        printer.print_string(", window = {")
        parts: list[str] = []
        for keyword, name in _WINDOW.items():
            if name in self.properties:
                parts.append(f"{keyword} = {self._window_text(keyword)}")
        printer.print_string(", ".join(parts) + "}")
        print_attr_dict(printer, self)
        print_function_type(printer, self)

    def _window_text(self, keyword: str) -> str:
        if keyword == "pad":
            return "[" + ", ".join(f"[{low}, {high}]" for low, high in self.pads) + "]"
        if keyword == "reverse":
            return "[" + ", ".join("true" if r else "false" for r in self.reversals) + "]"
        values = {"stride": self.strides, "lhs_dilate": self.lhs_dilations, "rhs_dilate": self.rhs_dilations}
        return ints_text(values[keyword])


def _parse_window(parser: Parser, properties: dict[str, Attribute]) -> None:
    """`stride = [..], pad = [[..], ..], lhs_dilate = [..], rhs_dilate = [..], reverse = [..]`, each at most once."""
    square = parser.Delimiter.SQUARE
    while (keyword := parser.parse_optional_keyword_in(_WINDOW)) is not None:
        if _WINDOW[keyword] in properties:
            parser.raise_error(f"'{keyword}' is given twice")
        parser.parse_punctuation("=")
        if keyword == "pad":
            start = parser.pos
            rows = parser.parse_comma_separated_list(square, lambda: parse_ints(parser))
            if any(len(row) != 2 for row in rows):
                parser.raise_error("expected pairs of low and high padding", start, parser.pos)
            properties["padding"] = padding_attr([(row[0], row[1]) for row in rows])
        elif keyword == "reverse":
            flags = parser.parse_comma_separated_list(square, lambda: int(_parse_flag(parser)))
            properties["window_reversal"] = DenseArrayBase.from_list(i1, flags)
        else:
            properties[_WINDOW[keyword]] = i64_array(parse_ints(parser))
        if parser.parse_optional_punctuation(",") is None:
            break


def _parse_flag(parser: Parser) -> bool:
    flag = parser.parse_optional_boolean()
    return flag if flag is not None else parser.parse_integer() != 0


OPS: list[type[Operation]] = [ConvolutionOp, DotGeneralOp, DotOp]
