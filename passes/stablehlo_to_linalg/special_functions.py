"""Scalar code of CHLO's elementwise functions.

`erf_inv` is Giles' approximation ("Approximating the erfinv function", GPU Computing Gems, 2011) in the form XLA uses: a
polynomial in w = -log(1 - x^2), one per range of w.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import Float64Type, IntegerType
from xdsl.ir import Operation, SSAValue

from stepwell.dialects import chlo
from stepwell.dialects.math import ErfcOp
from stepwell.ir.diagnostics import unsupported
from stepwell.passes.stablehlo_to_linalg.elementwise import Args, ScalarRule, widened
from stepwell.passes.stablehlo_to_linalg.gamma_functions import bessel_i1e, digamma, lgamma
from stepwell.passes.stablehlo_to_linalg.scalars import FLOAT, SIGNED, Scalars, element_type, kind_of, width_of

_F32_CENTRAL = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503,
    -0.00417768164, 0.246640727, 1.50140941,
)  # fmt: skip
_F32_TAIL = (
    -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613,
    0.00943887047, 1.00167406, 2.83297682,
)  # fmt: skip
_F64_CENTRAL = (
    -3.6444120640178196996e-21, -1.685059138182016589e-19, 1.2858480715256400167e-18, 1.115787767802518096e-17,
    -1.333171662854620906e-16, 2.0972767875968561637e-17, 6.6376381343583238325e-15, -4.0545662729752068639e-14,
    -8.1519341976054721522e-14, 2.6335093153082322977e-12, -1.2975133253453532498e-11, -5.4154120542946279317e-11,
    1.051212273321532285e-09, -4.1126339803469836976e-09, -2.9070369957882005086e-08, 4.2347877827932403518e-07,
    -1.3654692000834678645e-06, -1.3882523362786468719e-05, 0.0001867342080340571352, -0.00074070253416626697512,
    -0.0060336708714301490533, 0.24015818242558961693, 1.6536545626831027356,
)  # fmt: skip
_F64_MIDDLE = (
    2.2137376921775787049e-09, 9.0756561938885390979e-08, -2.7517406297064545428e-07, 1.8239629214389227755e-08,
    1.5027403968909827627e-06, -4.013867526981545969e-06, 2.9234449089955446044e-06, 1.2475304481671778723e-05,
    -4.7318229009055733981e-05, 6.8284851459573175448e-05, 2.4031110387097893999e-05, -0.0003550375203628474796,
    0.00095328937973738049703, -0.0016882755560235047313, 0.0024914420961078508066, -0.0037512085075692412107,
    0.005370914553590063617, 1.0052589676941592334, 3.0838856104922207635,
)  # fmt: skip
_F64_TAIL = (
    -2.7109920616438573243e-11, -2.5556418169965252055e-10, 1.5076572693500548083e-09, -3.7894654401267369937e-09,
    7.6157012080783393804e-09, -1.4960026627149240478e-08, 2.9147953450901080826e-08, -6.7711997758452339498e-08,
    2.2900482228026654717e-07, -9.9298272942317002539e-07, 4.5260625972231537039e-06, -1.9681778105531670567e-05,
    7.5995277030017761139e-05, -0.00021503011930044477347, -0.00013871931833623122026, 1.0103004648645343977,
    4.8499064014085844221,
)  # fmt: skip


def _polynomial(s: Scalars, x: SSAValue, coefficients: Sequence[float]) -> SSAValue:
    """Horner's scheme, highest degree first."""
    result = s.like(coefficients[0], x)
    for coefficient in coefficients[1:]:
        result = s(arith.AddfOp, s(arith.MulfOp, result, x), s.like(coefficient, x))
    return result


def _minus(s: Scalars, x: SSAValue, constant: float) -> SSAValue:
    return s(arith.SubfOp, x, s.like(constant, x))


@widened
def _erf_inv(s: Scalars, x: SSAValue) -> SSAValue:
    # (1 - |x|) (1 + |x|), not 1 - x^2: near 1 the rounding of the square would be all that is left.
    size, one = s(math.AbsFOp, x), s.like(1.0, x)
    w = s(arith.NegfOp, s(math.LogOp, s(arith.MulfOp, s(arith.SubfOp, one, size), s(arith.AddfOp, one, size))))
    root = s(math.SqrtOp, w)
    if isinstance(x.type, Float64Type):
        tail = s.select(
            s.cmpf("olt", w, s.like(16.0, w)),
            _polynomial(s, _minus(s, root, 3.25), _F64_MIDDLE),
            _polynomial(s, _minus(s, root, 5.0), _F64_TAIL),
        )
        limit, central = 6.25, _polynomial(s, _minus(s, w, 3.125), _F64_CENTRAL)
    else:
        tail = _polynomial(s, _minus(s, root, 3.0), _F32_TAIL)
        limit, central = 5.0, _polynomial(s, _minus(s, w, 2.5), _F32_CENTRAL)
    factor = s.select(s.cmpf("olt", w, s.like(limit, w)), central, tail)
    at_one = s.cmpf("oeq", s(math.AbsFOp, x), s.like(1.0, x))
    return s(arith.MulfOp, x, s.select(at_one, s.like(float("inf"), x), factor))


_LN2 = 0.6931471805599453


def _big(x: SSAValue) -> float:
    """From here on x^2 + 1 is x^2 to the last bit."""
    return 2.0**28 if isinstance(x.type, Float64Type) else 2.0**13


@widened
def _asinh(s: Scalars, x: SSAValue) -> SSAValue:
    """sign(x) log1p(a + a^2 / (1 + sqrt(a^2 + 1))), or log(a) + log(2) where the square could overflow."""
    a, one = s(math.AbsFOp, x), s.like(1.0, x)
    big = s.cmpf("ogt", a, s.like(_big(x), x))
    b = s.select(big, one, a)
    square = s(arith.MulfOp, b, b)
    root = s(math.SqrtOp, s(arith.AddfOp, square, one))
    small = s(math.Log1pOp, s(arith.AddfOp, b, s(arith.DivfOp, square, s(arith.AddfOp, one, root))))
    large = s(arith.AddfOp, s(math.LogOp, a), s.like(_LN2, x))
    return s(math.CopySignOp, s.select(big, large, small), x)


@widened
def _acosh(s: Scalars, x: SSAValue) -> SSAValue:
    """log1p(t + sqrt(t (t + 2))) with t = x - 1; NaN below 1."""
    one = s.like(1.0, x)
    big = s.cmpf("ogt", x, s.like(_big(x), x))
    t = s(arith.SubfOp, s.select(big, one, x), one)
    root = s(math.SqrtOp, s(arith.MulfOp, t, s(arith.AddfOp, t, s.like(2.0, x))))
    inside = s(math.Log1pOp, s(arith.AddfOp, t, root))
    result = s.select(big, s(arith.AddfOp, s(math.LogOp, x), s.like(_LN2, x)), inside)
    return s.select(s.cmpf("olt", x, one), s.like(float("nan"), x), result)


@widened
def _atanh(s: Scalars, x: SSAValue) -> SSAValue:
    """log1p(2a / (1 - a)) / 2 on the magnitude a, with the sign of x."""
    a, one = s(math.AbsFOp, x), s.like(1.0, x)
    ratio = s(arith.DivfOp, s(arith.AddfOp, a, a), s(arith.SubfOp, one, a))
    half = s(arith.MulfOp, s.like(0.5, x), s(math.Log1pOp, ratio))
    valid = s.select(s.cmpf("ogt", a, one), s.like(float("nan"), x), half)
    return s(math.CopySignOp, valid, x)


def _equals(value: float) -> Callable[[Scalars, SSAValue], SSAValue]:
    return lambda s, x: s.cmpf("oeq", x, s.like(value, x))


def _is_inf(s: Scalars, x: SSAValue) -> SSAValue:
    return s.cmpf("oeq", s(math.AbsFOp, x), s.like(float("inf"), x))


def _next_after(s: Scalars, op: Operation, args: Args) -> SSAValue:
    """One step in the bits from x towards y; NaN where either is, y where they are equal."""
    del op
    x, y = args
    width = width_of(x.type)
    bits = IntegerType(width)
    xb, yb = s(arith.BitcastOp, x, bits), s(arith.BitcastOp, y, bits)
    sign = s.constant(1 << (width - 1), bits)
    magnitude = s.constant((1 << (width - 1)) - 1, bits)
    x_sign, y_sign = s(arith.AndIOp, xb, sign), s(arith.AndIOp, yb, sign)
    x_abs, y_abs = s(arith.AndIOp, xb, magnitude), s(arith.AndIOp, yb, magnitude)
    one, zero = s.constant(1, bits), s.constant(0, bits)
    shrink = s(arith.OrIOp, s.cmpi("ne", x_sign, y_sign), s.cmpi("ugt", x_abs, y_abs))
    moved = s(arith.AddiOp, xb, s.select(shrink, s.constant(-1, bits), one))
    from_zero = s(arith.OrIOp, y_sign, one)
    result = s.select(s.cmpi("eq", x_abs, zero), from_zero, moved)
    result = s.select(s.cmpf("oeq", x, y), yb, result)
    unordered = s.cmpf("uno", x, y)
    return s.select(unordered, s.like(float("nan"), x), s(arith.BitcastOp, result, x.type))


def _mulhi(s: Scalars, op: Operation, args: Args) -> SSAValue:
    """The high half of the product: in twice the width, or from 32-bit halves."""
    signed = kind_of(element_type(op.operands[0]), op) == SIGNED
    a, b = args
    width = width_of(a.type)
    if width == 64:
        return _mulhi_signed_64(s, a, b) if signed else _mulhi_unsigned_64(s, a, b)
    wide = IntegerType(2 * width)
    extend = arith.ExtSIOp if signed else arith.ExtUIOp
    product = s(arith.MuliOp, s(extend, a, wide), s(extend, b, wide))
    return s(arith.TruncIOp, s(arith.ShRUIOp, product, s.constant(width, wide)), a.type)


def _mulhi_unsigned_64(s: Scalars, a: SSAValue, b: SSAValue) -> SSAValue:
    """Schoolbook multiplication of 32-bit halves."""
    mask, half = s.like((1 << 32) - 1, a), s.like(32, a)
    a_low, b_low = s(arith.AndIOp, a, mask), s(arith.AndIOp, b, mask)
    a_high, b_high = s(arith.ShRUIOp, a, half), s(arith.ShRUIOp, b, half)
    carry = s(arith.ShRUIOp, s(arith.MuliOp, a_low, b_low), half)
    first = s(arith.AddiOp, s(arith.MuliOp, a_high, b_low), carry)
    second = s(arith.AddiOp, s(arith.MuliOp, a_low, b_high), s(arith.AndIOp, first, mask))
    high = s(arith.AddiOp, s(arith.MuliOp, a_high, b_high), s(arith.ShRUIOp, first, half))
    return s(arith.AddiOp, high, s(arith.ShRUIOp, second, half))


def _mulhi_signed_64(s: Scalars, a: SSAValue, b: SSAValue) -> SSAValue:
    """The unsigned result less b where a is negative, and less a where b is."""
    zero = s.like(0, a)
    correction_a = s.select(s.cmpi("slt", a, zero), b, zero)
    correction_b = s.select(s.cmpi("slt", b, zero), a, zero)
    return s(arith.SubiOp, s(arith.SubiOp, _mulhi_unsigned_64(s, a, b), correction_a), correction_b)


def _float(maker: Any) -> ScalarRule:
    """A rule of one operand on floats: an op class, or a function of (scalars, x)."""

    def rule(s: Scalars, op: Operation, args: Args) -> SSAValue:
        if kind_of(element_type(op.operands[0]), op) != FLOAT:
            raise unsupported(op, "only defined on floats")
        return s(maker, *args) if isinstance(maker, type) else maker(s, *args)

    return rule


def _conj(s: Scalars, op: Operation, args: Args) -> SSAValue:
    kind_of(element_type(op.operands[0]), op)
    return args[0]


SPECIAL_RULES: dict[type[Operation], ScalarRule] = {
    chlo.AcosOp: _float(math.AcosOp),
    chlo.AcoshOp: _float(_acosh),
    chlo.AsinOp: _float(math.AsinOp),
    chlo.AsinhOp: _float(_asinh),
    chlo.AtanOp: _float(math.AtanOp),
    chlo.AtanhOp: _float(_atanh),
    chlo.BesselI1eOp: _float(bessel_i1e),
    chlo.ConjOp: _conj,
    chlo.CoshOp: _float(math.CoshOp),
    chlo.DigammaOp: _float(digamma),
    chlo.ErfInvOp: _float(_erf_inv),
    chlo.ErfOp: _float(math.ErfOp),
    chlo.ErfcOp: _float(ErfcOp),
    chlo.IsInfOp: _float(_is_inf),
    chlo.IsNegInfOp: _float(_equals(float("-inf"))),
    chlo.IsPosInfOp: _float(_equals(float("inf"))),
    chlo.LgammaOp: _float(lgamma),
    chlo.MulhiOp: _mulhi,
    chlo.NextAfterOp: _next_after,
    chlo.SinhOp: _float(math.SinhOp),
    chlo.TanOp: _float(math.TanOp),
}
"""Scalar code of CHLO's elementwise ops."""
