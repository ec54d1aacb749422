"""`math` as MLIR defines it: upstream's ops plus `math.erfc` and `math.scaleb`."""

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


Math = Dialect("math", [*math.Math.operations, ErfcOp, ScaleBOp], list(math.Math.attributes))
