"""Attributes of the StableHLO dialect: enumerations, dimension numbers, accuracy and algorithm requests.

Dimension numbers hold a `NamedTuple` in `.data`, whose fields are named as in the specification; a field with its
default (an empty list, zero) is not printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, cast, get_type_hints

from xdsl.dialects.builtin import ArrayAttr, FloatAttr, IntegerAttr, TensorType, f64, i1, i64
from xdsl.dialects.utils.enum_attribute import EnumAttribute
from xdsl.ir import Attribute, Data, ParametrizedAttribute, SpacedOpaqueSyntaxAttribute, TypeAttribute
from xdsl.irdl import irdl_attr_definition, param_def
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.str_enum import StrEnum

Ints = tuple[int, ...]


class Precision(StrEnum):
    """How precisely a contraction is computed."""

    DEFAULT = "DEFAULT"
    HIGH = "HIGH"
    HIGHEST = "HIGHEST"


class ComparisonDirection(StrEnum):
    """The relation `compare` tests."""

    EQ = "EQ"
    NE = "NE"
    GE = "GE"
    GT = "GT"
    LE = "LE"
    LT = "LT"


class ComparisonType(StrEnum):
    """How the elements of a `compare` are read; `NOTYPE` means from the element type."""

    NOTYPE = "NOTYPE"
    FLOAT = "FLOAT"
    TOTALORDER = "TOTALORDER"
    SIGNED = "SIGNED"
    UNSIGNED = "UNSIGNED"


class ResultAccuracyMode(StrEnum):
    """How the accuracy of a transcendental op is chosen."""

    DEFAULT = "DEFAULT"
    HIGHEST = "HIGHEST"
    TOLERANCE = "TOLERANCE"


class FftType(StrEnum):
    """The Fourier transform computed."""

    FFT = "FFT"
    IFFT = "IFFT"
    RFFT = "RFFT"
    IRFFT = "IRFFT"


class Transpose(StrEnum):
    """What is done to the matrix of a triangular solve."""

    TRANSPOSE_INVALID = "TRANSPOSE_INVALID"
    NO_TRANSPOSE = "NO_TRANSPOSE"
    TRANSPOSE = "TRANSPOSE"
    ADJOINT = "ADJOINT"


class RngDistribution(StrEnum):
    """The distribution `rng` draws from."""

    UNIFORM = "UNIFORM"
    NORMAL = "NORMAL"


class RngAlgorithm(StrEnum):
    """The generator `rng_bit_generator` steps."""

    DEFAULT = "DEFAULT"
    THREE_FRY = "THREE_FRY"
    PHILOX = "PHILOX"


@irdl_attr_definition
class PrecisionAttr(EnumAttribute[Precision], SpacedOpaqueSyntaxAttribute):
    """`#stablehlo<precision DEFAULT>`."""

    name = "stablehlo.precision"


@irdl_attr_definition
class ComparisonDirectionAttr(EnumAttribute[ComparisonDirection], SpacedOpaqueSyntaxAttribute):
    """`#stablehlo<comparison_direction LT>`."""

    name = "stablehlo.comparison_direction"


@irdl_attr_definition
class ComparisonTypeAttr(EnumAttribute[ComparisonType], SpacedOpaqueSyntaxAttribute):
    """`#stablehlo<comparison_type SIGNED>`."""

    name = "stablehlo.comparison_type"


@irdl_attr_definition
class FftTypeAttr(EnumAttribute[FftType], SpacedOpaqueSyntaxAttribute):
    """`#stablehlo<fft_type FFT>`."""

    name = "stablehlo.fft_type"


@irdl_attr_definition
class TransposeAttr(EnumAttribute[Transpose], SpacedOpaqueSyntaxAttribute):
    """`#stablehlo<transpose NO_TRANSPOSE>`."""

    name = "stablehlo.transpose"


@irdl_attr_definition
class RngDistributionAttr(EnumAttribute[RngDistribution], SpacedOpaqueSyntaxAttribute):
    """`#stablehlo<rng_distribution UNIFORM>`."""

    name = "stablehlo.rng_distribution"


@irdl_attr_definition
class RngAlgorithmAttr(EnumAttribute[RngAlgorithm], SpacedOpaqueSyntaxAttribute):
    """`#stablehlo<rng_algorithm THREE_FRY>`."""

    name = "stablehlo.rng_algorithm"


def parse_ints(parser: AttrParser) -> Ints:
    """`[1, 2, -1]`."""
    return tuple(parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_integer))


def print_ints(printer: Printer, values: Ints) -> None:
    """`[1, 2, -1]`."""
    printer.print_string("[" + ", ".join(map(str, values)) + "]")


def _parse_fields(parser: AttrParser, fields: type[Any]) -> Any:
    """`name = value` pairs in any order up to the closing bracket; a trailing comma is allowed."""
    if parser.parse_optional_punctuation(">"):
        return fields()
    hints = get_type_hints(fields)
    values: dict[str, Any] = {}
    while True:
        name = parser.parse_identifier(" of a field")
        if name not in hints:
            parser.raise_error(f"unknown field '{name}', expected one of {', '.join(hints)}")
        if name in values:
            parser.raise_error(f"field '{name}' is given twice")
        parser.parse_punctuation("=")
        values[name] = parser.parse_integer() if hints[name] is int else parse_ints(parser)
        if parser.parse_optional_punctuation(",") is None:
            parser.parse_punctuation(">")
            return fields(**values)
        if parser.parse_optional_punctuation(">") is not None:
            return fields(**values)


def _print_struct(printer: Printer, value: Any) -> None:
    """The fields that differ from zero or empty."""
    parts: list[str] = []
    for name, field in value._asdict().items():
        if isinstance(field, int):
            if field:
                parts.append(f"{name} = {field}")
        elif field:
            parts.append(f"{name} = [{', '.join(map(str, field))}]")
    printer.print_string(", ".join(parts))


class StructAttr(Data[Any]):
    """A NamedTuple printed as `<name = [..], name = n>`."""

    fields: ClassVar[type[Any]]

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Any:
        """The fields inside angle brackets."""
        parser.parse_punctuation("<")
        return _parse_fields(parser, cls.fields)

    def print_parameter(self, printer: Printer) -> None:
        """Print the fields in `<...>`, those with their default left out."""
        printer.print_string("<")
        _print_struct(printer, self.data)
        printer.print_string(">")


class DotDimensionNumbers(NamedTuple):
    """Which dimensions of a `dot_general` are batched and which are contracted, pairwise."""

    lhs_batching_dimensions: Ints = ()
    rhs_batching_dimensions: Ints = ()
    lhs_contracting_dimensions: Ints = ()
    rhs_contracting_dimensions: Ints = ()


class GatherDimensionNumbers(NamedTuple):
    """How the dimensions of a gather's operand, indices and result relate."""

    offset_dims: Ints = ()
    collapsed_slice_dims: Ints = ()
    operand_batching_dims: Ints = ()
    start_indices_batching_dims: Ints = ()
    start_index_map: Ints = ()
    index_vector_dim: int = 0


class ScatterDimensionNumbers(NamedTuple):
    """How the dimensions of a scatter's inputs, indices and updates relate."""

    update_window_dims: Ints = ()
    inserted_window_dims: Ints = ()
    input_batching_dims: Ints = ()
    scatter_indices_batching_dims: Ints = ()
    scatter_dims_to_operand_dims: Ints = ()
    index_vector_dim: int = 0


class ConvDimensionNumbers(NamedTuple):
    """The role of each dimension of a convolution's input, kernel and output."""

    input_batch_dimension: int = 0
    input_feature_dimension: int = 0
    input_spatial_dimensions: Ints = ()
    kernel_input_feature_dimension: int = 0
    kernel_output_feature_dimension: int = 0
    kernel_spatial_dimensions: Ints = ()
    output_batch_dimension: int = 0
    output_feature_dimension: int = 0
    output_spatial_dimensions: Ints = ()


class OutputOperandAlias(NamedTuple):
    """Says that a custom call's output shares the buffer of an operand."""

    output_tuple_indices: Ints = ()
    operand_index: int = 0
    operand_tuple_indices: Ints = ()


class ChannelHandle(NamedTuple):
    """Identifies a communication channel."""

    handle: int = 0
    type: int = 0


@irdl_attr_definition
class DotDimensionNumbersAttr(StructAttr):
    """`#stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [0]>`."""

    name = "stablehlo.dot"
    fields = DotDimensionNumbers
    data: DotDimensionNumbers


@irdl_attr_definition
class GatherDimensionNumbersAttr(StructAttr):
    """`#stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], ...>`."""

    name = "stablehlo.gather"
    fields = GatherDimensionNumbers
    data: GatherDimensionNumbers


@irdl_attr_definition
class ScatterDimensionNumbersAttr(StructAttr):
    """`#stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], ...>`."""

    name = "stablehlo.scatter"
    fields = ScatterDimensionNumbers
    data: ScatterDimensionNumbers


@irdl_attr_definition
class OutputOperandAliasAttr(StructAttr):
    """`#stablehlo.output_operand_alias<output_tuple_indices = [], operand_index = 0, ...>`."""

    name = "stablehlo.output_operand_alias"
    fields = OutputOperandAlias
    data: OutputOperandAlias

    def print_parameter(self, printer: Printer) -> None:
        """All three fields, as their format demands."""
        out, index, operand = (str(list(f)) if isinstance(f, tuple) else str(f) for f in self.data)
        printer.print_string(
            f"<output_tuple_indices = {out}, operand_index = {index}, operand_tuple_indices = {operand}>"
        )


@irdl_attr_definition
class ChannelHandleAttr(StructAttr):
    """`#stablehlo.channel_handle<handle = 1, type = 0>`."""

    name = "stablehlo.channel_handle"
    fields = ChannelHandle
    data: ChannelHandle

    def print_parameter(self, printer: Printer) -> None:
        """Both fields, as their format demands."""
        printer.print_string(f"<handle = {self.data.handle}, type = {self.data.type}>")


def parse_conv_dimensions(parser: AttrParser) -> ConvDimensionNumbers:
    """`[b, f, 0, 1]x[o, i, 0, 1]->[b, f, 0, 1]`: one letter or spatial index per dimension."""
    lhs = _parse_conv_side(parser, "b", "f")
    parser.parse_characters("x")
    rhs = _parse_conv_side(parser, "i", "o")
    parser.parse_punctuation("->")
    out = _parse_conv_side(parser, "b", "f")
    return ConvDimensionNumbers(*lhs, *rhs, *out)


def _parse_conv_side(parser: AttrParser, first: str, second: str) -> tuple[int, int, Ints]:
    start = parser.pos
    tokens = parser.parse_comma_separated_list(
        parser.Delimiter.SQUARE,
        lambda: parser.parse_optional_keyword_in((first, second)) or str(parser.parse_integer()),
    )
    spatial = [str(i) for i in range(len(tokens) - 2)]
    if sorted(tokens) != sorted([first, second, *spatial]):
        parser.raise_error(
            f"expected each of '{first}', '{second}' and the spatial dimensions 0.. once, got [{', '.join(tokens)}]",
            start,
            parser.pos,
        )
    return tokens.index(first), tokens.index(second), tuple(tokens.index(s) for s in spatial)


def print_conv_dimensions(printer: Printer, dims: ConvDimensionNumbers) -> None:
    """The inverse of `parse_conv_dimensions`."""

    def side(first: str, at: int, second: str, second_at: int, spatial: Ints) -> str:
        names = {at: first, second_at: second, **{d: str(i) for i, d in enumerate(spatial)}}
        return "[" + ", ".join(names[d] for d in sorted(names)) + "]"

    lhs = side("b", dims[0], "f", dims[1], dims[2])
    rhs = side("i", dims[3], "o", dims[4], dims[5])
    out = side("b", dims[6], "f", dims[7], dims[8])
    printer.print_string(f"{lhs}x{rhs}->{out}")


@irdl_attr_definition
class ConvDimensionNumbersAttr(Data[ConvDimensionNumbers]):
    """`#stablehlo.conv<[b, f, 0, 1]x[o, i, 0, 1]->[b, f, 0, 1]>`."""

    name = "stablehlo.conv"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> ConvDimensionNumbers:
        """The bracketed form inside angle brackets, or `raw` and the fields by name."""
        parser.parse_punctuation("<")
        if parser.parse_optional_keyword("raw") is not None:
            return _parse_fields(parser, ConvDimensionNumbers)
        dimensions = parse_conv_dimensions(parser)
        parser.parse_punctuation(">")
        return dimensions

    def print_parameter(self, printer: Printer) -> None:
        """The bracketed form inside angle brackets."""
        with printer.in_angle_brackets():
            print_conv_dimensions(printer, self.data)


@irdl_attr_definition
class ResultAccuracyModeAttr(Data[ResultAccuracyMode]):
    """`#stablehlo.result_accuracy_mode<DEFAULT>`."""

    name = "stablehlo.result_accuracy_mode"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> ResultAccuracyMode:
        """The mode inside angle brackets."""
        with parser.in_angle_brackets():
            return parser.parse_str_enum(ResultAccuracyMode)

    def print_parameter(self, printer: Printer) -> None:
        """The mode inside angle brackets."""
        printer.print_string(f"<{self.data.value}>")


@irdl_attr_definition
class ResultAccuracyAttr(ParametrizedAttribute):
    """`#stablehlo.result_accuracy<ulps = 10, mode = #stablehlo.result_accuracy_mode<TOLERANCE>>`."""

    name = "stablehlo.result_accuracy"
    atol: FloatAttr = param_def()
    rtol: FloatAttr = param_def()
    ulps: IntegerAttr = param_def()
    mode: ResultAccuracyModeAttr = param_def()

    def verify(self) -> None:
        """Tolerances are for the mode that asks for them, and not negative."""
        values = (self.atol.value.data, self.rtol.value.data, self.ulps.value.data)
        if self.mode.data != ResultAccuracyMode.TOLERANCE and any(values):
            raise VerifyException(f"result_accuracy: mode {self.mode.data} takes no tolerances, got {values}")
        if any(v < 0 for v in values):
            raise VerifyException(f"result_accuracy: tolerances must not be negative, got {values}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> list[Attribute]:
        """Fields that are zero may be left out; `mode` comes last."""
        values: dict[str, Attribute] = {
            "atol": FloatAttr(0.0, f64),
            "rtol": FloatAttr(0.0, f64),
            "ulps": IntegerAttr(0, i64),
        }
        with parser.in_angle_brackets():
            while (name := parser.parse_optional_keyword_in(("atol", "rtol", "ulps"))) is not None:
                parser.parse_punctuation("=")
                values[name] = (
                    IntegerAttr(parser.parse_integer(), i64)
                    if name == "ulps"
                    else FloatAttr(float(parser.parse_number()), f64)
                )
                parser.parse_punctuation(",")
            parser.parse_keyword("mode")
            parser.parse_punctuation("=")
            values["mode"] = parser.parse_attribute()
        return [values[name] for name in ("atol", "rtol", "ulps", "mode")]

    def print_parameters(self, printer: Printer) -> None:
        """The fields that are not zero, then the mode."""
        with printer.in_angle_brackets():
            for name, value in (("atol", self.atol), ("rtol", self.rtol)):
                if value.value.data:
                    printer.print_string(f"{name} = ")
                    printer.print_float(value.value.data, f64)
                    printer.print_string(", ")
            if self.ulps.value.data:
                printer.print_string(f"ulps = {self.ulps.value.data}, ")
            printer.print_string("mode = ")
            printer.print_attribute(self.mode)


_ALGORITHM_FIELDS = (
    "lhs_precision_type",
    "rhs_precision_type",
    "accumulation_type",
    "lhs_component_count",
    "rhs_component_count",
    "num_primitive_operations",
    "allow_imprecise_accumulation",
)


@irdl_attr_definition
class DotAlgorithmAttr(ParametrizedAttribute):
    """`#stablehlo.dot_algorithm<lhs_precision_type = tf32, ..., allow_imprecise_accumulation = false>`."""

    name = "stablehlo.dot_algorithm"
    lhs_precision_type: Attribute = param_def()
    rhs_precision_type: Attribute = param_def()
    accumulation_type: Attribute = param_def()
    lhs_component_count: IntegerAttr = param_def()
    rhs_component_count: IntegerAttr = param_def()
    num_primitive_operations: IntegerAttr = param_def()
    allow_imprecise_accumulation: IntegerAttr = param_def()

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> list[Attribute]:
        """All seven fields in order."""
        values: list[Attribute] = []
        with parser.in_angle_brackets():
            for index, name in enumerate(_ALGORITHM_FIELDS):
                if index:
                    parser.parse_punctuation(",")
                parser.parse_keyword(name)
                parser.parse_punctuation("=")
                if name.endswith("type"):
                    values.append(parser.parse_type())
                elif name.startswith("allow"):
                    values.append(IntegerAttr(int(parser.parse_boolean()), i1))
                else:
                    values.append(IntegerAttr(parser.parse_integer(), i64))
        return values

    def print_parameters(self, printer: Printer) -> None:
        """All seven fields in order."""
        with printer.in_angle_brackets():
            for index, name in enumerate(_ALGORITHM_FIELDS):
                printer.print_string((", " if index else "") + f"{name} = ")
                value = cast(Attribute, getattr(self, name))
                if not isinstance(value, IntegerAttr):
                    printer.print_attribute(value)
                elif name.startswith("allow"):
                    printer.print_string("true" if value.value.data else "false")
                else:
                    printer.print_string(str(value.value.data))


@irdl_attr_definition
class TypeExtensionsAttr(Data[Ints]):
    """`#stablehlo.bounds<4, ?>`: upper bounds of a tensor type's dynamic dimensions (-1 prints as `?`)."""

    name = "stablehlo.bounds"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Ints:
        """Sizes or `?` inside angle brackets."""
        bounds = parser.parse_comma_separated_list(
            parser.Delimiter.ANGLE,
            lambda: -1 if parser.parse_optional_punctuation("?") else parser.parse_integer(allow_negative=False),
        )
        return tuple(bounds)

    def verify_shape(self, shape: Sequence[int]) -> None:
        """One bound per dim, and `?` for those whose extent is known."""
        if len(self.data) != len(shape):
            raise VerifyException(f"{len(self.data)} bounds for a shape of rank {len(shape)}")
        for d, (bound, extent) in enumerate(zip(self.data, shape, strict=True)):
            if bound >= 0 and extent >= 0:
                raise VerifyException(f"dim {d} has extent {extent}, so it cannot have a bound, got {bound}")

    def print_parameter(self, printer: Printer) -> None:
        """Sizes or `?` inside angle brackets."""
        printer.print_string("<" + ", ".join("?" if b < 0 else str(b) for b in self.data) + ">")


@irdl_attr_definition
class TokenType(ParametrizedAttribute, TypeAttribute):
    """`!stablehlo.token`: orders side effects."""

    name = "stablehlo.token"


@irdl_attr_definition
class FutureType(ParametrizedAttribute, TypeAttribute):
    """`!stablehlo.future<tensor<8x8xf32>>`: what an asynchronous computation will give."""

    name = "stablehlo.future"
    types: ArrayAttr[Attribute] = param_def()

    def verify(self) -> None:
        """It gives tensors."""
        for type_ in self.types.data:
            if not isinstance(type_, TensorType):
                raise VerifyException(f"future: expected tensor types, got {type_}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> list[Attribute]:
        """Types inside angle brackets."""
        return [ArrayAttr(parser.parse_comma_separated_list(parser.Delimiter.ANGLE, parser.parse_type))]

    def print_parameters(self, printer: Printer) -> None:
        """Types inside angle brackets."""
        with printer.in_angle_brackets():
            printer.print_list(self.types.data, printer.print_attribute)


ATTRIBUTES: list[type[Attribute]] = [
    PrecisionAttr,
    ComparisonDirectionAttr,
    ComparisonTypeAttr,
    FftTypeAttr,
    TransposeAttr,
    RngDistributionAttr,
    RngAlgorithmAttr,
    DotDimensionNumbersAttr,
    GatherDimensionNumbersAttr,
    ScatterDimensionNumbersAttr,
    ConvDimensionNumbersAttr,
    OutputOperandAliasAttr,
    ChannelHandleAttr,
    ResultAccuracyModeAttr,
    ResultAccuracyAttr,
    DotAlgorithmAttr,
    TypeExtensionsAttr,
    TokenType,
    FutureType,
]
