"""`math` as MLIR defines it: upstream's ops, functions that CHLO has, and what some machines have (`math.scaleb`, estimates)."""

from __future__ import annotations

from xdsl.dialects import math
from xdsl.ir import Dialect
from xdsl.irdl import irdl_op_definition, traits_def
from xdsl.traits import Pure, SameOperandsAndResultType


@irdl_op_definition
class ErfcOp(math.FloatingPointLikeUnaryMathOperation):
    """The complementary error function, 1 - erf(x), accurate in its tail."""

    name = "math.erfc"
    traits = traits_def(Pure(), SameOperandsAndResultType())


@irdl_op_definition
class ScaleBOp(math.FloatingPointLikeBinaryMathOperation):
    """A number times two to a power: `a * 2^floor(b)`, rounded once, also where that is a denormal or overflows.

    For b = -inf it is a zero, for b = inf an infinity, also of a NaN (but NaN where a is the other one of these), as processors
    have it. Made by `expand-math` where the machine has it as an instruction.
    """

    name = "math.scaleb"
    traits = traits_def(Pure(), SameOperandsAndResultType())


@irdl_op_definition
class ErfInvOp(math.FloatingPointLikeUnaryMathOperation):
    """The inverse of the error function: infinite at 1 and -1, NaN beyond."""

    name = "math.erf_inv"
    traits = traits_def(Pure(), SameOperandsAndResultType())


@irdl_op_definition
class LgammaOp(math.FloatingPointLikeUnaryMathOperation):
    """`log |gamma(x)|`: infinity at the poles (0, -1, -2, ...) and of both infinities."""

    name = "math.lgamma"
    traits = traits_def(Pure(), SameOperandsAndResultType())


@irdl_op_definition
class DigammaOp(math.FloatingPointLikeUnaryMathOperation):
    """The derivative of `log gamma(x)`: NaN at the poles (0, -1, -2, ...) and of -inf."""

    name = "math.digamma"
    traits = traits_def(Pure(), SameOperandsAndResultType())


@irdl_op_definition
class BesselI1eOp(math.FloatingPointLikeUnaryMathOperation):
    """`exp(-|x|) I1(x)`, the scaled modified Bessel function of order 1."""

    name = "math.bessel_i1e"
    traits = traits_def(Pure(), SameOperandsAndResultType())


@irdl_op_definition
class RsqrtEstimateOp(math.FloatingPointLikeUnaryMathOperation):
    """`1 / sqrt(a)`, within 2^-14 of itself, denormals included: what a better approximation begins with.

    An infinity with the sign of a zero, zero of an infinity, NaN of a negative number. Which of the numbers that are near enough it
    is, is the machine's affair. Made by `expand-math` where the machine has it as an instruction.
    """

    name = "math.rsqrt_estimate"
    traits = traits_def(Pure(), SameOperandsAndResultType())


@irdl_op_definition
class ReciprocalEstimateOp(math.FloatingPointLikeUnaryMathOperation):
    """`1 / a`, within 2^-14 of itself where that is a normal number: what a better approximation begins with.

    Which of the numbers that are near enough it is, is the machine's affair. Made by `expand-math` where the machine has it as an
    instruction.
    """

    name = "math.reciprocal_estimate"
    traits = traits_def(Pure(), SameOperandsAndResultType())


Math = Dialect(
    "math",
    [
        *math.Math.operations,
        BesselI1eOp,
        DigammaOp,
        ErfcOp,
        ErfInvOp,
        LgammaOp,
        ReciprocalEstimateOp,
        RsqrtEstimateOp,
        ScaleBOp,
    ],
    list(math.Math.attributes),
)
