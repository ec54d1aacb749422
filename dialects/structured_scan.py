"""`structured.scan`: running sums, products, maxima and the like along one dimension."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.dialects.builtin import IntegerAttr, MemRefType, TensorType, UnitAttr, i64
from xdsl.ir import Region, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    region_def,
    var_operand_def,
)
from xdsl.utils.exceptions import VerifyException

from stepwell.dialects.structured_base import (
    StructuredOp,
    element_type_of,
    results_of,
    shape_of,
)


@irdl_op_definition
class ScanOp(StructuredOp):
    """Combines the elements of each line along one dimension so far, and leaves every stage of it.

    Semantics: with n elements x of a line, `r[0] = f(init, x[0])` and `r[i] = f(r[i - 1], x[i])`; with `exclusive` the
    result at i is what the inclusive one has at i - 1, and init at 0; with `reverse` the line is walked from its end, and
    f takes the element first (`f(x[i], r[i + 1])`), so that the order in the line is kept. The region is f: it takes one
    accumulator and one element of each input (`%a0, %a1, ..., %x0, %x1, ...`). Whoever carries it out may reassociate f.
    `ins` are the inputs, then as many initial values: one number each, or one a line.

    Constraints:
        C1: one initial value and one destination per input.
        C2: inputs and destinations have one shape, initial values that shape without the dimension, or none.
        C3: 0 <= dimension < rank.
        C4: the initial values and destinations have the element types of the inputs.
        C5: the region takes the element types twice and yields them.

    Example:
        ```mlir
        %y = structured.scan ins(%x, %i : tensor<4x9xf32>, tensor<f32>) outs(%e : tensor<4x9xf32>) {dimension = 1 : i64} {
        ^bb0(%a: f32, %b: f32):
          %s = arith.addf %a, %b : f32
          structured.yield %s : f32
        } -> tensor<4x9xf32>
        ```
    """

    name = "structured.scan"
    inputs = var_operand_def(TensorType | MemRefType)
    inits = var_operand_def(TensorType | MemRefType)
    outs = var_operand_def(TensorType | MemRefType)
    dimension = prop_def(IntegerAttr.constr(i64))
    reverse = opt_prop_def(UnitAttr)
    exclusive = opt_prop_def(UnitAttr)
    combiner = region_def("single_block")
    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    def __init__(
        self,
        inputs: Sequence[SSAValue],
        inits: Sequence[SSAValue],
        outs: Sequence[SSAValue],
        dimension: int,
        combiner: Region,
        *,
        reverse: bool = False,
        exclusive: bool = False,
    ):
        super().__init__(
            operands=[inputs, inits, outs],
            result_types=[results_of(outs)],
            properties={
                "dimension": IntegerAttr(dimension, i64),
                "reverse": UnitAttr() if reverse else None,
                "exclusive": UnitAttr() if exclusive else None,
            },
            regions=[combiner],
        )

    @property
    def destinations(self) -> Sequence[SSAValue]:
        """See `StructuredOp`."""
        return self.outs

    @classmethod
    def split_operands(cls, ins: Sequence[SSAValue], outs: Sequence[SSAValue]) -> list[Any]:
        """See `StructuredOp`."""
        return [ins[: len(ins) // 2], ins[len(ins) // 2 :], outs]

    def verify_(self) -> None:
        """Check the constraints."""
        self.verify_destinations()
        if not self.inputs or not len(self.inputs) == len(self.inits) == len(self.outs):
            raise VerifyException("structured.scan: C1: needs one initial value and one destination per input")
        shape, dimension = shape_of(self.inputs[0]), self.dimension.value.data
        if not 0 <= dimension < len(shape):
            raise VerifyException(f"structured.scan: C3: dimension {dimension} out of range for rank {len(shape)}")
        line = (*shape[:dimension], *shape[dimension + 1 :])
        same = all(shape_of(v) == shape for v in (*self.inputs, *self.outs))
        if not same or any(shape_of(v) not in ((), line) for v in self.inits):
            raise VerifyException(
                f"structured.scan: C2: inputs and destinations must have one shape, initial values {list(line)} or none"
            )
        elements = [element_type_of(v) for v in self.inputs]
        for values in (self.inits, self.outs):
            if [element_type_of(v) for v in values] != elements:
                raise VerifyException(
                    "structured.scan: C4: initial values and destinations must have the inputs' types"
                )
        self.verify_region(self.combiner, "C5: the region", elements * 2, elements)


__all__ = ["ScanOp"]
