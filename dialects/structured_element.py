"""`structured.element`: where the region of a reduction begins in the body of a generic."""

from __future__ import annotations

from typing import ClassVar

from xdsl.dialects.builtin import AnyFloatConstr, IntegerType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import BlockArgument, SSAValue
from xdsl.irdl import (
    BaseAttr,
    IRDLOperation,
    VarConstraint,
    irdl_op_definition,
    operand_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException


@irdl_op_definition
class ElementOp(IRDLOperation):
    """An element of a reduction, on its way into the region that combines it with what was reduced before it.

    Semantics: the result is `value`. In the body of a `linalg.generic` that reduces, what is made of the result and of
    `accumulator` is the region of the reduction: an associative function of two such numbers, or of two tuples of them where
    there are several results. What is made before is how elements are computed. So the region is found again, and applied to
    what two parts of a line gave, whatever has been fused into the body.

    Constraints:
        C1: value, accumulator and result are numbers of one type.
        C2: the accumulator is one of the body that the op is in.

    Example: `%e = structured.element %x into %acc : f32`.
    """

    name = "structured.element"
    T: ClassVar = VarConstraint("T", AnyFloatConstr | BaseAttr(IntegerType))
    value = operand_def(T)
    accumulator = operand_def(T)
    result = result_def(T)
    traits = traits_def(Pure())
    assembly_format = "$value `into` $accumulator attr-dict `:` type($value)"

    def __init__(self, value: SSAValue, accumulator: SSAValue):
        super().__init__(operands=[value, accumulator], result_types=[value.type])

    def verify_(self) -> None:
        """C2."""
        accumulator, around = self.accumulator, self.parent_op()
        first = len(around.inputs) if isinstance(around, linalg.GenericOp) else 0
        if (
            not isinstance(accumulator, BlockArgument)
            or accumulator.block is not self.parent
            or accumulator.index < first
        ):
            raise VerifyException("structured.element: C2: the accumulator must be one of the body that the op is in")
