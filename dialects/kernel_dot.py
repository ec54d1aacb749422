"""`kernel.dot`: sums of products of what lies packed in the 32-bit words of vectors, as matrix-like instructions of cores do them."""

from __future__ import annotations

from typing import ClassVar

from xdsl.dialects.builtin import IntegerType, Signedness, VectorType, i32
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    BaseAttr,
    IRDLOperation,
    ParsePropInAttrDict,
    VarConstraint,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

WORD_BITS = 32
"""Bits of a word, and of a sum."""
FACTORS = ("si8", "ui8", "si16", "ui16")
"""What a word may hold."""


def factor_type(width: int, *, signed: bool) -> IntegerType:
    """The type of the factors in a word."""
    return IntegerType(width, Signedness.SIGNED if signed else Signedness.UNSIGNED)


@irdl_op_definition
class DotOp(IRDLOperation):
    """Adds to each lane the products of what two words hold: four bytes, or two halves.

    Semantics: `acc[i, j] += sum over t of lhs[i, 0].t * rhs[0, j].t`, where `w.t` are the factors in a word, the lowest bits
    first, read as `lhs_factor` and `rhs_factor` say; in 32 bits, wrapping.

    Constraints:
        C1: the vectors are `rows x 1`, `1 x columns` and `rows x columns` of i32, the result is as the accumulator.
        C2: factors are `si8`, `ui8`, `si16` or `ui16`, of one width.

    Example:
        %r = kernel.dot %a, %b, %acc {lhs_factor = ui8, rhs_factor = si8}
            : vector<13x1xi32>, vector<1x32xi32>, vector<13x32xi32>
    """

    name = "kernel.dot"

    T: ClassVar = VarConstraint("T", BaseAttr(VectorType))

    lhs = operand_def(VectorType)
    rhs = operand_def(VectorType)
    acc = operand_def(T)
    lhs_factor = prop_def(IntegerType)
    rhs_factor = prop_def(IntegerType)
    result = result_def(T)

    assembly_format = "$lhs `,` $rhs `,` $acc attr-dict `:` type($lhs) `,` type($rhs) `,` type($acc)"
    irdl_options = (ParsePropInAttrDict(),)
    traits = traits_def(Pure())

    def __init__(self, lhs: SSAValue, rhs: SSAValue, acc: SSAValue, lhs_factor: IntegerType, rhs_factor: IntegerType):
        super().__init__(
            operands=[lhs, rhs, acc],
            result_types=[acc.type],
            properties={"lhs_factor": lhs_factor, "rhs_factor": rhs_factor},
        )

    def verify_(self) -> None:
        """Check C1 and C2."""
        lhs, rhs, acc = (_words(v.type) for v in (self.lhs, self.rhs, self.acc))
        if acc is None or lhs != (acc[0], 1) or rhs != (1, acc[1]):
            types = ", ".join(str(v.type) for v in (self.lhs, self.rhs, self.acc))
            raise VerifyException(f"kernel.dot: C1: {types} are not rows x 1, 1 x columns and rows x columns of i32")
        factors = str(self.lhs_factor), str(self.rhs_factor)
        if any(f not in FACTORS for f in factors) or self.lhs_factor.width != self.rhs_factor.width:
            raise VerifyException(
                f"kernel.dot: C2: {' and '.join(factors)} are not two of {', '.join(FACTORS)}, equally wide"
            )


def _words(type_: Attribute) -> tuple[int, ...] | None:
    """The shape of a vector of words with two dims."""
    assert isinstance(type_, VectorType)
    shape = type_.get_shape()
    return shape if type_.element_type == i32 and len(shape) == 2 else None
