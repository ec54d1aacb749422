"""StableHLO's gather and scatter: reading and updating slices at computed indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from xdsl.dialects.builtin import BoolAttr, DenseArrayBase, IntegerAttr, TensorType, i64
from xdsl.ir import Operation, Region, SSAValue
from xdsl.irdl import (
    SameVariadicOperandSize,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.traits import Pure, RecursiveMemoryEffect

from stepwell.dialects.stablehlo.attrs import (
    GatherDimensionNumbers,
    GatherDimensionNumbersAttr,
    ScatterDimensionNumbers,
    ScatterDimensionNumbersAttr,
)
from stepwell.dialects.stablehlo.base import (
    INTEGER,
    AnyTensor,
    StableHLOOp,
    i64_array,
    tensor_of,
)
from stepwell.dialects.stablehlo.reductions import require_accumulation
from stepwell.ir import shapes


def _shape(value: SSAValue) -> tuple[int, ...]:
    return cast(AnyTensor, value.type).get_shape()


@irdl_op_definition
class GatherOp(StableHLOOp):
    """Slices of `operand` at the index vectors in `start_indices`, clamped so that each lies inside. C1 to C23: dimensions.

    Example::

        %r = "stablehlo.gather"(%x, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1],
          collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>,
          slice_sizes = array<i64: 1, 8>}> : (tensor<9x8xf32>, tensor<3x1xi32>) -> tensor<3x8xf32>
    """

    name = "stablehlo.gather"

    operand = operand_def(TensorType)
    start_indices = operand_def(TensorType)
    dimension_numbers = prop_def(GatherDimensionNumbersAttr)
    slice_sizes = prop_def(DenseArrayBase.constr(i64))
    indices_are_sorted = opt_prop_def(BoolAttr)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(
        self,
        operand: SSAValue | Operation,
        start_indices: SSAValue | Operation,
        numbers: GatherDimensionNumbers,
        slice_sizes: Sequence[int],
        indices_are_sorted: bool = False,
    ):
        """Infer the result type."""
        value, indices = SSAValue.get(operand), SSAValue.get(start_indices)
        shape = shapes.gather(_shape(value), _shape(indices), *numbers, slice_sizes)
        super().__init__(
            operands=[value, indices],
            result_types=[tensor_of(cast(AnyTensor, value.type).element_type, shape)],
            properties={
                "dimension_numbers": GatherDimensionNumbersAttr(numbers),
                "slice_sizes": i64_array(slice_sizes),
                "indices_are_sorted": IntegerAttr.from_bool(indices_are_sorted),
            },
        )

    def verify_(self) -> None:
        """C1 to C23."""
        self.require_kind("I2", self.start_indices, INTEGER, "start_indices")
        shape = self.shape_of(
            shapes.gather,
            _shape(self.operand),
            _shape(self.start_indices),
            *self.dimension_numbers.data,
            self.slice_sizes.get_values(),
        )
        element = cast(AnyTensor, self.operand.type).element_type
        self.require_element("C23", self.result, element, "result")
        self.require_type("C22", self.result, tensor_of(element, shape), "result")


@irdl_op_definition
class ScatterOp(StableHLOOp):
    """`inputs` with slices at the index vectors in `scatter_indices` combined with `updates`; updates outside are dropped.

    C1 to C25: dimensions and types. `update_computation` gets the old elements, then the updates.
    """

    name = "stablehlo.scatter"

    inputs = var_operand_def(TensorType)
    scatter_indices = operand_def(TensorType)
    updates = var_operand_def(TensorType)
    scatter_dimension_numbers = prop_def(ScatterDimensionNumbersAttr)
    indices_are_sorted = opt_prop_def(BoolAttr)
    unique_indices = opt_prop_def(BoolAttr)
    update_computation = region_def()
    results_ = var_result_def(TensorType)

    irdl_options = (SameVariadicOperandSize(),)
    traits = traits_def(RecursiveMemoryEffect())

    def __init__(
        self,
        inputs: Sequence[SSAValue],
        scatter_indices: SSAValue | Operation,
        updates: Sequence[SSAValue],
        numbers: ScatterDimensionNumbers,
        update_computation: Region,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
    ):
        """The results have the inputs' types."""
        super().__init__(
            operands=[inputs, scatter_indices, updates],
            result_types=[[v.type for v in inputs]],
            properties={
                "scatter_dimension_numbers": ScatterDimensionNumbersAttr(numbers),
                "indices_are_sorted": IntegerAttr.from_bool(indices_are_sorted),
                "unique_indices": IntegerAttr.from_bool(unique_indices),
            },
            regions=[update_computation],
        )

    def verify_(self) -> None:
        """C1 to C25."""
        inputs, updates, results = self.inputs, self.updates, self.results
        count = len(inputs)
        self.require("C5", 0 < count == len(results), lambda: f"{count} inputs, {len(results)} results")
        self.require_kind("I2", self.scatter_indices, INTEGER, "scatter_indices")
        for value, update in zip(inputs, updates, strict=True):
            self.require_shape("C1", value, _shape(inputs[0]), "input")
            self.require_shape("C3", update, _shape(updates[0]), "updates")
            self.require_element("C6", update, cast(AnyTensor, value.type).element_type, "updates")
            arguments = (_shape(value), _shape(self.scatter_indices), _shape(update))
            self.shape_of(shapes.scatter, *arguments, *self.scatter_dimension_numbers.data)
        accumulators = require_accumulation(self, "C23", inputs, self.update_computation, "update_computation")
        for value, result, accumulator in zip(inputs, results, accumulators, strict=True):
            self.require_shape("C24", result, _shape(value), "result")
            self.require_element("C25", result, accumulator.element_type, "result")

    @property
    def numbers(self) -> ScatterDimensionNumbers:
        """The dimension numbers."""
        return cast(Any, self.scatter_dimension_numbers.data)


OPS: list[type[Operation]] = [GatherOp, ScatterOp]
