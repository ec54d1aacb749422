"""StableHLO's conversions between floats and quantized tensors."""

from __future__ import annotations

from typing import ClassVar, cast

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, result_def, traits_def
from xdsl.traits import Pure

from stepwell.dialects.quant import expressed_of, quantized
from stepwell.dialects.stablehlo.base import FLOAT, PER_AXIS, AnyTensor, ShortFormOp, element_kind


class QuantizationOp(ShortFormOp):
    """`%r = stablehlo.name %x : (type) -> type`."""

    QUANTIZED: ClassVar = PER_AXIS

    operand = operand_def(TensorType)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def _verify_shape(self) -> None:
        self.require_shape("C1", self.result, cast(AnyTensor, self.operand.type).get_shape(), "result")


@irdl_op_definition
class UniformQuantizeOp(QuantizationOp):
    """Floats, or numbers of another quantization, as the result's type quantizes them. C1: the shape. C2: the expressed type.

    `round(x / scale + zero_point)` to nearest even, within the range that the type uses.

    Example: `%r = stablehlo.uniform_quantize %x : (tensor<2xf32>) -> tensor<2x!quant.uniform<i8:f32, 0.5:-3>>`.
    """

    name = "stablehlo.uniform_quantize"

    def __init__(self, operand: SSAValue | Operation, result_type: Attribute):
        """Quantize as `result_type` says."""
        super().__init__(operands=[operand], result_types=[result_type])

    def verify_(self) -> None:
        """I1: floats or quantized. C1: the shape. C2: the expressed type."""
        source = cast(AnyTensor, expressed_of(self.operand.type)).element_type
        ok = element_kind(source) == FLOAT
        self.require("I1", ok, lambda: f"operand has type {self.operand.type}, expected floats or quantized numbers")
        of = quantized(self.result.type)
        self.require("O1", of is not None, lambda: f"result has type {self.result.type}, which is not quantized")
        self._verify_shape()
        same = of is not None and of.expressed == source
        self.require("C2", same, lambda: f"operand has type {self.operand.type}, result {self.result.type}")


@irdl_op_definition
class UniformDequantizeOp(QuantizationOp):
    """The floats that quantized numbers stand for, `(i - zero_point) * scale`. C1: the shape. C2: the expressed type.

    Example: `%r = stablehlo.uniform_dequantize %x : (tensor<2x!quant.uniform<i8:f32, 0.5:-3>>) -> tensor<2xf32>`.
    """

    name = "stablehlo.uniform_dequantize"

    def __init__(self, operand: SSAValue | Operation):
        """The result has the operand's expressed type."""
        value = SSAValue.get(operand)
        super().__init__(operands=[value], result_types=[expressed_of(value.type)])

    def verify_(self) -> None:
        """I1: quantized. C1: the shape. C2: the expressed type."""
        of = quantized(self.operand.type)
        self.require("I1", of is not None, lambda: f"operand has type {self.operand.type}, which is not quantized")
        self._verify_shape()
        if of is not None:
            self.require_element("C2", self.result, of.expressed, "result")


OPS: list[type[Operation]] = [UniformDequantizeOp, UniformQuantizeOp]
