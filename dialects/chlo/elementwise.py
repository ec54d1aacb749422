"""CHLO's elementwise functions."""

from __future__ import annotations

from typing import ClassVar

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Operation
from xdsl.irdl import irdl_op_definition, operand_def, result_def, traits_def
from xdsl.traits import Commutative

from stepwell.dialects.chlo.base import ChloBinaryOp, ChloPredicateOp, ChloUnaryOp
from stepwell.dialects.stablehlo.base import COMPLEX, FLOAT, INTEGER


@irdl_op_definition
class AcosOp(ChloUnaryOp):
    """Inverse cosine."""

    name = "chlo.acos"


@irdl_op_definition
class AcoshOp(ChloUnaryOp):
    """Inverse hyperbolic cosine."""

    name = "chlo.acosh"


@irdl_op_definition
class AsinAcosKernelOp(ChloUnaryOp):
    """What the complex arcsine and arccosine share: with `asin(z) = u + i v` it is `cos(u) cosh(v) + i |v|`.

    An intermediate value of decompositions: no program needs to write it.
    """

    name = "chlo._asin_acos_kernel"
    KINDS: ClassVar = (COMPLEX,)


@irdl_op_definition
class AsinOp(ChloUnaryOp):
    """Inverse sine."""

    name = "chlo.asin"


@irdl_op_definition
class AsinhOp(ChloUnaryOp):
    """Inverse hyperbolic sine."""

    name = "chlo.asinh"


@irdl_op_definition
class AtanOp(ChloUnaryOp):
    """Inverse tangent."""

    name = "chlo.atan"


@irdl_op_definition
class AtanhOp(ChloUnaryOp):
    """Inverse hyperbolic tangent."""

    name = "chlo.atanh"


@irdl_op_definition
class BesselI1eOp(ChloUnaryOp):
    """Exponentially scaled modified Bessel function of order one, `exp(-|x|) I1(x)`."""

    name = "chlo.bessel_i1e"
    KINDS: ClassVar = (FLOAT,)


@irdl_op_definition
class ConjOp(ChloUnaryOp):
    """Complex conjugate; floats are their own."""

    name = "chlo.conj"


@irdl_op_definition
class CoshOp(ChloUnaryOp):
    """Hyperbolic cosine."""

    name = "chlo.cosh"


@irdl_op_definition
class DigammaOp(ChloUnaryOp):
    """Logarithmic derivative of the gamma function."""

    name = "chlo.digamma"
    KINDS: ClassVar = (FLOAT,)


@irdl_op_definition
class ErfOp(ChloUnaryOp):
    """Error function."""

    name = "chlo.erf"
    KINDS: ClassVar = (FLOAT,)


@irdl_op_definition
class ErfcOp(ChloUnaryOp):
    """`1 - erf(x)`, accurate for large x."""

    name = "chlo.erfc"
    KINDS: ClassVar = (FLOAT,)


@irdl_op_definition
class ErfInvOp(ChloUnaryOp):
    """Inverse of the error function."""

    name = "chlo.erf_inv"
    KINDS: ClassVar = (FLOAT,)


@irdl_op_definition
class IsInfOp(ChloPredicateOp):
    """Whether the operand is infinite."""

    name = "chlo.is_inf"


@irdl_op_definition
class IsNegInfOp(ChloPredicateOp):
    """Whether the operand is minus infinity."""

    name = "chlo.is_neg_inf"


@irdl_op_definition
class IsPosInfOp(ChloPredicateOp):
    """Whether the operand is plus infinity."""

    name = "chlo.is_pos_inf"


@irdl_op_definition
class LgammaOp(ChloUnaryOp):
    """Logarithm of the absolute value of the gamma function."""

    name = "chlo.lgamma"
    KINDS: ClassVar = (FLOAT,)


@irdl_op_definition
class SinhOp(ChloUnaryOp):
    """Hyperbolic sine."""

    name = "chlo.sinh"


@irdl_op_definition
class SquareOp(ChloUnaryOp):
    """The operand times itself."""

    name = "chlo.square"


@irdl_op_definition
class TanOp(ChloUnaryOp):
    """Tangent."""

    name = "chlo.tan"


@irdl_op_definition
class NextAfterOp(ChloBinaryOp):
    """The next representable number after x in the direction of y."""

    name = "chlo.next_after"

    x = operand_def(TensorType)
    y = operand_def(TensorType)
    result = result_def(TensorType)


@irdl_op_definition
class PolygammaOp(ChloBinaryOp):
    """The derivative of order n of digamma at x."""

    name = "chlo.polygamma"

    n = operand_def(TensorType)
    x = operand_def(TensorType)
    result = result_def(TensorType)


@irdl_op_definition
class ZetaOp(ChloBinaryOp):
    """The Hurwitz zeta function: the sum of `(k + q)^-x`."""

    name = "chlo.zeta"

    x = operand_def(TensorType)
    q = operand_def(TensorType)
    result = result_def(TensorType)


@irdl_op_definition
class MulhiOp(ChloBinaryOp):
    """The high half of the product of two integers."""

    name = "chlo.mulhi"
    KINDS: ClassVar = INTEGER

    lhs = operand_def(TensorType)
    rhs = operand_def(TensorType)
    result = result_def(TensorType)

    traits = traits_def(Commutative())


OPS: list[type[Operation]] = [
    AcosOp,
    AcoshOp,
    AsinAcosKernelOp,
    AsinOp,
    AsinhOp,
    AtanOp,
    AtanhOp,
    BesselI1eOp,
    ConjOp,
    CoshOp,
    DigammaOp,
    ErfInvOp,
    ErfOp,
    ErfcOp,
    IsInfOp,
    IsNegInfOp,
    IsPosInfOp,
    LgammaOp,
    MulhiOp,
    NextAfterOp,
    PolygammaOp,
    SinhOp,
    SquareOp,
    TanOp,
    ZetaOp,
]
