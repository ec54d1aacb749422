"""`structured.top_k`: the largest elements of each line, and where they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.dialects.builtin import AnyFloat, IntegerType, MemRefType, TensorType, UnitAttr
from xdsl.ir import SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    var_operand_def,
)
from xdsl.utils.exceptions import VerifyException

from stepwell.dialects.structured_base import StructuredOp, element_type_of, results_of, shape_of


@irdl_op_definition
class TopKOp(StructuredOp):
    """The k largest elements of each line along the last dimension, largest first, and their positions in the line.

    Semantics: destinations are the elements and their positions; k is their last extent. Equal elements keep their order.
    Floats are in the total order: NaN with a sign bit of 0 above infinity, -0 below 0. Integers have a sign, but with
    `unsigned`. On memrefs, `scratch` holds what the lines of a task are selected in.

    Constraints:
        C1: an input of floats or integers, of one dim at least; elements of its type and positions of an integer type.
        C2: the destinations have the input's shape, but for the last extent k, 1 <= k <= that of the input.
        C3: scratch, where given, is three buffers of integers.

    Example:
        ```mlir
        %v, %p = structured.top_k ins(%x : tensor<4x900xf32>) outs(%e, %f : tensor<4x8xf32>, tensor<4x8xi32>)
            -> (tensor<4x8xf32>, tensor<4x8xi32>)
        ```
    """

    name = "structured.top_k"
    input = operand_def(TensorType | MemRefType)
    outs = var_operand_def(TensorType | MemRefType)
    scratch = var_operand_def(MemRefType)
    unsigned = opt_prop_def(UnitAttr)
    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    def __init__(self, value: SSAValue, outs: Sequence[SSAValue], *, unsigned: bool = False):
        super().__init__(
            operands=[value, outs, []],
            result_types=[results_of(outs)],
            properties={"unsigned": UnitAttr() if unsigned else None},
        )

    @property
    def ins(self) -> Sequence[SSAValue]:
        """What is only read."""
        return (self.input,)

    @property
    def destinations(self) -> Sequence[SSAValue]:
        """See `StructuredOp`."""
        return self.outs

    @property
    def scratch_operands(self) -> Sequence[SSAValue]:
        """See `StructuredOp`."""
        return self.scratch

    @classmethod
    def split_operands(cls, ins: Sequence[SSAValue], outs: Sequence[SSAValue]) -> list[Any]:
        """See `StructuredOp`."""
        return [ins[0], outs, []]

    def verify_(self) -> None:
        """Check the constraints."""
        self.verify_destinations()
        kind = element_type_of(self.input)
        kinds = [element_type_of(o) for o in self.outs]
        if not isinstance(kind, AnyFloat | IntegerType) or not shape_of(self.input) or len(kinds) != 2:
            raise VerifyException("structured.top_k: C1: needs lines of floats or integers, and two destinations")
        if kinds[0] != kind or not isinstance(kinds[1], IntegerType):
            raise VerifyException(f"structured.top_k: C1: destinations must be of {kind} and of an integer type")
        *lines, length = shape_of(self.input)
        shapes = [shape_of(o) for o in self.outs]
        if shapes[0] != shapes[1] or shapes[0][:-1] != tuple(lines) or not 1 <= shapes[0][-1] <= length:
            raise VerifyException(
                f"structured.top_k: C2: destinations must have the shape {[*lines, 'k']}, 1 <= k <= {length}"
            )
        if len(self.scratch) not in (0, 3) or not all(
            isinstance(element_type_of(s), IntegerType) for s in self.scratch
        ):
            raise VerifyException("structured.top_k: C3: scratch must be three buffers of integers")


__all__ = ["TopKOp"]
