"""Scalar code of CHLO's elementwise functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import Float64Type, IntegerType
from xdsl.ir import Operation, SSAValue

from stepwell.dialects import chlo
from stepwell.dialects.math import BesselI1eOp, DigammaOp, ErfcOp, ErfInvOp, LgammaOp
from stepwell.ir.diagnostics import unsupported
from stepwell.passes.stablehlo_to_linalg.elementwise import Args, ScalarRule, widened
from stepwell.passes.stablehlo_to_linalg.scalars import FLOAT, SIGNED, Scalars, element_type, kind_of, width_of

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
    chlo.BesselI1eOp: _float(BesselI1eOp),
    chlo.ConjOp: _conj,
    chlo.CoshOp: _float(math.CoshOp),
    chlo.DigammaOp: _float(DigammaOp),
    chlo.ErfInvOp: _float(ErfInvOp),
    chlo.ErfOp: _float(math.ErfOp),
    chlo.ErfcOp: _float(ErfcOp),
    chlo.IsInfOp: _float(_is_inf),
    chlo.IsNegInfOp: _float(_equals(float("-inf"))),
    chlo.IsPosInfOp: _float(_equals(float("inf"))),
    chlo.LgammaOp: _float(LgammaOp),
    chlo.MulhiOp: _mulhi,
    chlo.NextAfterOp: _next_after,
    chlo.SinhOp: _float(math.SinhOp),
    chlo.TanOp: _float(math.TanOp),
}
"""Scalar code of CHLO's elementwise ops."""
