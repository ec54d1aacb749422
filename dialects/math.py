"""`math` as MLIR defines it: upstream's ops plus `math.erfc`."""

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


Math = Dialect("math", [*math.Math.operations, ErfcOp], list(math.Math.attributes))
