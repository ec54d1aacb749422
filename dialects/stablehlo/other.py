"""The rest of StableHLO: random numbers, Fourier transforms, linear algebra, batch normalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self, cast

from xdsl.dialects.builtin import BoolAttr, DenseArrayBase, FloatAttr, IntegerAttr, TensorType, i64
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, opt_prop_def, prop_def, result_def, traits_def
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import MemoryReadEffect, MemoryWriteEffect, Pure

from stepwell.dialects.stablehlo.attrs import (
    FftType,
    FftTypeAttr,
    RngAlgorithm,
    RngAlgorithmAttr,
    RngDistribution,
    RngDistributionAttr,
    TransposeAttr,
)
from stepwell.dialects.stablehlo.base import (
    COMPLEX,
    FLOAT,
    FLOAT_OR_COMPLEX,
    NOT_QUANTIZED,
    PRED,
    SINT,
    UINT,
    AnyTensor,
    StableHLOOp,
    build,
    element_kind,
    ints,
    ints_text,
    parse_attr_dict,
    parse_function_type,
    parse_named_ints,
    parse_operands,
    parse_short_type,
    print_attr_dict,
    print_function_type,
    print_operands,
    print_short_type,
)
from stepwell.dialects.stablehlo.dynamic import known_values
from stepwell.dialects.stablehlo.elementwise import real_type
from stepwell.ir import shapes


def _tensor(value: SSAValue) -> AnyTensor:
    return cast(AnyTensor, value.type)


_STATE_SIZES = {RngAlgorithm.THREE_FRY: (2,), RngAlgorithm.PHILOX: (2, 3)}


@irdl_op_definition
class RngBitGeneratorOp(StableHLOOp):
    """Random bits and the generator's next state. C1: the state keeps its type. C2: the algorithm's size of it.

    Example: `%s, %r = stablehlo.rng_bit_generator %state, algorithm = THREE_FRY : (tensor<2xui64>) -> (tensor<2xui64>,
    tensor<4xui64>)`.
    """

    name = "stablehlo.rng_bit_generator"
    ELIDED: ClassVar = ("rng_algorithm",)

    initial_state = operand_def(TensorType)
    rng_algorithm = prop_def(RngAlgorithmAttr)
    output_state = result_def(TensorType)
    output = result_def(TensorType)

    traits = traits_def(Pure())

    def verify_(self) -> None:
        """C1, C2."""
        state = _tensor(self.initial_state).get_shape()
        self.require(
            "I2", len(state) == 1, lambda: f"initial_state has type {self.initial_state.type}, expected rank 1"
        )
        sizes = _STATE_SIZES.get(self.rng_algorithm.data, ())
        ok = not sizes or any(shapes.same_extent(state[0], size) for size in sizes)
        self.require("C2", ok, lambda: f"{self.rng_algorithm.data} has no state of type {self.initial_state.type}")
        self.require_type("C1", self.output_state, self.initial_state.type, "output_state")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`%s, algorithm = THREE_FRY : (type) -> (types)`."""
        position = parser.pos
        operands = parse_operands(parser, 1)
        parser.parse_punctuation(",")
        parser.parse_keyword("algorithm")
        parser.parse_punctuation("=")
        properties: dict[str, Attribute] = {"rng_algorithm": RngAlgorithmAttr(parser.parse_str_enum(RngAlgorithm))}
        attributes = parse_attr_dict(parser, cls, properties)
        return build(cls, parser, position, operands, parse_function_type(parser), properties, attributes)

    def print(self, printer: Printer) -> None:
        """`%s, algorithm = THREE_FRY : (type) -> (types)`."""
        print_operands(printer, self)
        printer.print_string(f", algorithm = {self.rng_algorithm.data.value}")
        print_attr_dict(printer, self)
        print_function_type(printer, self)


@irdl_op_definition
class RngOp(StableHLOOp):
    """Random numbers between `a` and `b`, or of mean `a` and deviation `b`. Not pure: each run may differ. C1 to C3: types."""

    name = "stablehlo.rng"
    QUANTIZED: ClassVar = NOT_QUANTIZED
    ELIDED: ClassVar = ("rng_distribution",)

    a = operand_def(TensorType)
    b = operand_def(TensorType)
    shape = operand_def(TensorType)
    rng_distribution = prop_def(RngDistributionAttr)
    result = result_def(TensorType)

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())

    def verify_(self) -> None:
        """C1 to C3, as far as the values of `shape` are known."""
        element = _tensor(self.a).element_type
        self.require_kind("I1", self.a, (PRED, SINT, UINT, FLOAT), "a")
        for label, value, what in (("I1", self.a, "a"), ("I2", self.b, "b")):
            self.require_shape(label, value, [], what)
        self.require_element("C1", self.b, element, "b")
        self.require_element("C1", self.result, element, "result")
        kind = element_kind(element)
        normal = self.rng_distribution.data == RngDistribution.NORMAL
        self.require("C2", kind == FLOAT or not normal, lambda: f"a normal distribution of {element}")
        extents = _tensor(self.shape).get_shape()
        self.require("I3", len(extents) == 1, lambda: f"shape has type {self.shape.type}, expected rank 1")
        rank = len(_tensor(self.result).get_shape())
        ok = shapes.same_extent(extents[0], rank)
        self.require("C3", ok, lambda: f"shape has type {self.shape.type}, result {self.result.type}")
        if (known := known_values(self.shape)) is not None:
            self.require_shape("C3", self.result, known, "result")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`%a, %b, %shape, distribution = UNIFORM : types`."""
        position = parser.pos
        operands = parse_operands(parser, 3)
        parser.parse_punctuation(",")
        parser.parse_keyword("distribution")
        parser.parse_punctuation("=")
        distribution = RngDistributionAttr(parser.parse_str_enum(RngDistribution))
        properties: dict[str, Attribute] = {"rng_distribution": distribution}
        attributes = parse_attr_dict(parser, cls, properties)
        return build(cls, parser, position, operands, parse_function_type(parser), properties, attributes)

    def print(self, printer: Printer) -> None:
        """`%a, %b, %shape, distribution = UNIFORM : types`."""
        print_operands(printer, self)
        printer.print_string(f", distribution = {self.rng_distribution.data.value}")
        print_attr_dict(printer, self)
        print_function_type(printer, self)


@irdl_op_definition
class FftOp(StableHLOOp):
    """Fourier transform over the last dims. C1, C3: one to three dims of the rank. C2: element types. C4, C5: the shape.

    Example: `%r = stablehlo.fft %x, type = RFFT, length = [9] : (tensor<2x9xf32>) -> tensor<2x5xcomplex<f32>>`.
    """

    name = "stablehlo.fft"
    QUANTIZED: ClassVar = NOT_QUANTIZED
    ELIDED: ClassVar = ("fft_type", "fft_length")

    operand = operand_def(TensorType)
    fft_type = prop_def(FftTypeAttr)
    fft_length = prop_def(DenseArrayBase.constr(i64))
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def verify_(self) -> None:
        """C1 to C5."""
        kind, lengths = self.fft_type.data, ints(self.fft_length)
        operand, result = _tensor(self.operand), _tensor(self.result)
        shape = operand.get_shape()
        self.require("C1", len(lengths) <= len(shape), lambda: f"fft_length {lengths} for rank {len(shape)}")
        self.require("C3", 1 <= len(lengths) <= 3, lambda: f"fft_length {lengths} must have one to three entries")
        self.require_kind("C2", self.operand, (FLOAT,) if kind == FftType.RFFT else (COMPLEX,), "operand")
        self.require_kind("C2", self.result, (FLOAT,) if kind == FftType.IRFFT else (COMPLEX,), "result")
        same = real_type(operand).element_type == real_type(result).element_type
        self.require("C2", same, lambda: f"operand is {operand}, result {result}")
        whole = result if kind == FftType.IRFFT else operand
        ok = shapes.compatible(whole.get_shape()[-len(lengths) :], lengths)
        self.require("C4", ok, lambda: f"{whole} does not end with fft_length {ints_text(lengths)}")
        inner = [*lengths[:-1], lengths[-1] // 2 + 1 if lengths[-1] else 0]
        outer = shape[: len(shape) - len(lengths)]
        if kind == FftType.IRFFT:
            self.require_shape("C5", self.operand, (*outer, *inner), "operand")
        expected = (*outer, *(inner if kind == FftType.RFFT else lengths))
        self.require_shape("C5", self.result, expected, "result")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`%x, type = FFT, length = [9] : (type) -> type`."""
        position = parser.pos
        operands = parse_operands(parser, 1)
        parser.parse_punctuation(",")
        parser.parse_keyword("type")
        parser.parse_punctuation("=")
        properties: dict[str, Attribute] = {"fft_type": FftTypeAttr(parser.parse_str_enum(FftType))}
        parser.parse_punctuation(",")
        properties["fft_length"] = parse_named_ints(parser, "length")
        attributes = parse_attr_dict(parser, cls, properties)
        return build(cls, parser, position, operands, parse_function_type(parser), properties, attributes)

    def print(self, printer: Printer) -> None:
        """`%x, type = FFT, length = [9] : (type) -> type`."""
        print_operands(printer, self)
        printer.print_string(f", type = {self.fft_type.data.value}, length = {ints_text(ints(self.fft_length))}")
        print_attr_dict(printer, self)
        print_function_type(printer, self)


def _square(op: StableHLOOp, rank: str, label: str, value: SSAValue) -> None:
    shape = _tensor(value).get_shape()
    op.require(rank, len(shape) >= 2, lambda: f"a has type {value.type}, expected matrices")
    ok = shapes.same_extent(shape[-1], shape[-2])
    op.require(label, ok, lambda: f"a has type {value.type}, expected square matrices")


@irdl_op_definition
class CholeskyOp(StableHLOOp):
    """Cholesky factors of a batch of matrices. C1: one type. C2, C3: square matrices.

    Example: `%r = stablehlo.cholesky %a, lower = true : tensor<3x3xf32>`.
    """

    name = "stablehlo.cholesky"
    ELIDED: ClassVar = ("lower",)

    a = operand_def(TensorType)
    lower = opt_prop_def(BoolAttr)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def verify_(self) -> None:
        """C1 to C3."""
        self.require_kind("I1", self.a, FLOAT_OR_COMPLEX, "a")
        _square(self, "C2", "C3", self.a)
        self.require_baseline("C1", self.result, self.a.type, "result")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`%a, lower = true : type`."""
        position = parser.pos
        operands = parse_operands(parser, 1)
        properties: dict[str, Attribute] = {}
        if parser.parse_optional_punctuation(",") is not None:
            parser.parse_keyword("lower")
            parser.parse_punctuation("=")
            properties["lower"] = IntegerAttr.from_bool(parser.parse_boolean())
        attributes = parse_attr_dict(parser, cls, properties)
        return build(cls, parser, position, operands, parse_short_type(parser, 1), properties, attributes)

    def print(self, printer: Printer) -> None:
        """`%a, lower = true : type`."""
        print_operands(printer, self)
        if self.lower is not None:
            printer.print_string(f", lower = {'true' if self.lower.value.data else 'false'}")
        print_attr_dict(printer, self)
        print_short_type(printer, self)


@irdl_op_definition
class TriangularSolveOp(StableHLOOp):
    """Solves `op(a) x = b` or `x op(a) = b` for triangular a. C1 to C4: types and shapes."""

    name = "stablehlo.triangular_solve"

    a = operand_def(TensorType)
    b = operand_def(TensorType)
    left_side = prop_def(BoolAttr)
    lower = prop_def(BoolAttr)
    unit_diagonal = prop_def(BoolAttr)
    transpose_a = prop_def(TransposeAttr)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def verify_(self) -> None:
        """C1 to C5."""
        self.require_kind("I1", self.a, FLOAT_OR_COMPLEX, "a")
        a, b = _tensor(self.a).get_shape(), _tensor(self.b).get_shape()
        self.require_baseline_element("C1", self.b, _tensor(self.a).element_type, "b")
        self.require("C2", len(a) == len(b), lambda: f"a has type {self.a.type}, b {self.b.type}")
        _square(self, "C2", "C3", self.a)
        side = -2 if self.left_side.value.data else -1
        ok = shapes.compatible(a[:-2], b[:-2]) and shapes.same_extent(a[-1], b[side])
        self.require("C3", ok, lambda: f"a has type {self.a.type}, b {self.b.type}")
        self.require_baseline("C4", self.result, self.b.type, "result")


def _feature_vectors(
    op: StableHLOOp, operand: SSAValue, index: int, vectors: Sequence[tuple[SSAValue, str, str]]
) -> None:
    """One element of the operand's type per feature in each of the (vector, label of its size, name)."""
    op.require_kind("I1", operand, (FLOAT,), "operand")
    tensor = _tensor(operand)
    for value, label, what in vectors:
        op.require_baseline_element("C2", value, tensor.element_type, what)
        op.require_shape(label, value, [tensor.get_shape()[index]], what)


def _feature_index(op: StableHLOOp, operand: SSAValue, attr: IntegerAttr[Any]) -> int:
    index, rank = attr.value.data, len(_tensor(operand).get_shape())
    op.require("C1", 0 <= index < rank, lambda: f"feature_index = {index} must lie in [0, {rank})")
    return index


@irdl_op_definition
class BatchNormTrainingOp(StableHLOOp):
    """Normalizes each feature by its mean and variance over the other dims, which it returns too. C1 to C7: types."""

    name = "stablehlo.batch_norm_training"

    operand = operand_def(TensorType)
    scale = operand_def(TensorType)
    offset = operand_def(TensorType)
    epsilon = prop_def(FloatAttr)
    feature_index = prop_def(IntegerAttr)
    output = result_def(TensorType)
    batch_mean = result_def(TensorType)
    batch_var = result_def(TensorType)

    traits = traits_def(Pure())

    def verify_(self) -> None:
        """C1 to C7."""
        index = _feature_index(self, self.operand, self.feature_index)
        vectors = [(self.scale, "C3", "scale"), (self.offset, "C4", "offset")]
        vectors += [(self.batch_mean, "C5", "batch_mean"), (self.batch_var, "C6", "batch_var")]
        _feature_vectors(self, self.operand, index, vectors)
        self.require_baseline_element("C2", self.output, _tensor(self.operand).element_type, "output")
        self.require_baseline("C7", self.output, self.operand.type, "output")


@irdl_op_definition
class BatchNormInferenceOp(StableHLOOp):
    """Normalizes each feature by the given mean and variance. C1 to C7: types."""

    name = "stablehlo.batch_norm_inference"

    operand = operand_def(TensorType)
    scale = operand_def(TensorType)
    offset = operand_def(TensorType)
    mean = operand_def(TensorType)
    variance = operand_def(TensorType)
    epsilon = prop_def(FloatAttr)
    feature_index = prop_def(IntegerAttr)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def verify_(self) -> None:
        """C1 to C7."""
        index = _feature_index(self, self.operand, self.feature_index)
        vectors = [(self.scale, "C3", "scale"), (self.offset, "C4", "offset")]
        vectors += [(self.mean, "C5", "mean"), (self.variance, "C6", "variance")]
        _feature_vectors(self, self.operand, index, vectors)
        self.require_baseline_element("C2", self.result, _tensor(self.operand).element_type, "result")
        self.require_baseline("C7", self.result, self.operand.type, "result")


@irdl_op_definition
class BatchNormGradOp(StableHLOOp):
    """Gradients of `batch_norm_training`. C1 to C5: types."""

    name = "stablehlo.batch_norm_grad"

    operand = operand_def(TensorType)
    scale = operand_def(TensorType)
    mean = operand_def(TensorType)
    variance = operand_def(TensorType)
    grad_output = operand_def(TensorType)
    epsilon = prop_def(FloatAttr)
    feature_index = prop_def(IntegerAttr)
    grad_operand = result_def(TensorType)
    grad_scale = result_def(TensorType)
    grad_offset = result_def(TensorType)

    traits = traits_def(Pure())

    def verify_(self) -> None:
        """C1 to C5."""
        operand = _tensor(self.operand)
        index = _feature_index(self, self.operand, self.feature_index)
        _feature_vectors(self, self.operand, index, [(self.scale, "C5", "scale")])
        others = ((self.mean, "mean"), (self.variance, "variance"))
        others += ((self.grad_scale, "grad_scale"), (self.grad_offset, "grad_offset"))
        for value, what in others:
            self.require_baseline_element("C2", value, operand.element_type, what)
            self.require_shape("C4", value, _tensor(self.scale).get_shape(), what)
        for value, what in ((self.grad_output, "grad_output"), (self.grad_operand, "grad_operand")):
            self.require_baseline_element("C2", value, operand.element_type, what)
            self.require_shape("C3", value, operand.get_shape(), what)


OPS: list[type[Operation]] = [
    BatchNormGradOp,
    BatchNormInferenceOp,
    BatchNormTrainingOp,
    CholeskyOp,
    FftOp,
    RngBitGeneratorOp,
    RngOp,
    TriangularSolveOp,
]
