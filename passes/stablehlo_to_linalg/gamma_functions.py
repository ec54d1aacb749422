"""Scalar code of the gamma family and of Bessel's function, in f64: narrower types are computed there and rounded once.

Where a function has a zero, a polynomial approximates its quotient by the distance to it, so that values near the zero are
relatively accurate; negative arguments are reflected, and are so only in proportion to the terms that cancel.
"""

from __future__ import annotations

import math as pymath
from collections.abc import Callable, Sequence

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import Float32Type, Float64Type, f32, f64
from xdsl.ir import SSAValue

from stepwell.passes.stablehlo_to_linalg import special_coefficients as table
from stepwell.passes.stablehlo_to_linalg.scalars import Scalars

Function = Callable[[Scalars, SSAValue], SSAValue]


def in_double(function: Function) -> Function:
    """Computed in f64 and rounded to the operand's type."""

    def compute(s: Scalars, x: SSAValue) -> SSAValue:
        if isinstance(x.type, Float64Type):
            return function(s, x)
        wide = s.extend_float(s.extend_float(x, f32), f64) if x.type != f32 else s.extend_float(x, f64)
        result = function(s, wide)
        if isinstance(x.type, Float32Type):
            return s(arith.TruncFOp, result, f32)
        return s(arith.TruncFOp, s(arith.TruncFOp, result, f32), x.type)

    return compute


class _Doubles:
    """Arithmetic on doubles, with Python numbers as constants."""

    def __init__(self, s: Scalars):
        self.s = s

    def value(self, x: SSAValue | float) -> SSAValue:
        return x if isinstance(x, SSAValue) else self.s.constant(x, f64)

    def add(self, a: SSAValue | float, b: SSAValue | float) -> SSAValue:
        return self.s(arith.AddfOp, self.value(a), self.value(b))

    def sub(self, a: SSAValue | float, b: SSAValue | float) -> SSAValue:
        return self.s(arith.SubfOp, self.value(a), self.value(b))

    def mul(self, a: SSAValue | float, b: SSAValue | float) -> SSAValue:
        return self.s(arith.MulfOp, self.value(a), self.value(b))

    def div(self, a: SSAValue | float, b: SSAValue | float) -> SSAValue:
        return self.s(arith.DivfOp, self.value(a), self.value(b))

    def below(self, a: SSAValue, b: float) -> SSAValue:
        return self.s.cmpf("olt", a, self.value(b))

    def select(self, condition: SSAValue, a: SSAValue | float, b: SSAValue | float) -> SSAValue:
        return self.s.select(condition, self.value(a), self.value(b))

    def polynomial(self, x: SSAValue, coefficients: Sequence[float]) -> SSAValue:
        result = self.value(coefficients[0])
        for c in coefficients[1:]:
            result = self.add(self.mul(result, x), c)
        return result

    def log(self, x: SSAValue) -> SSAValue:
        return self.s(math.LogOp, x)

    def abs(self, x: SSAValue) -> SSAValue:
        return self.s(math.AbsFOp, x)

    def fraction(self, a: SSAValue) -> SSAValue:
        """Distance to the nearest whole number below or above, exact."""
        return self.sub(a, self.s(math.RoundEvenOp, a))


@in_double
def lgamma(s: Scalars, x: SSAValue) -> SSAValue:
    """`log |gamma(x)|`: polynomials up to 3, products up to 8, Stirling's series beyond; infinity at the poles."""
    d = _Doubles(s)
    a = d.abs(x)
    positive = _lgamma_positive(d, a)
    # log(pi / (a |sin(pi a)|)) - lgamma(a), by the distance to the nearest whole number.
    sine = s(math.SinOp, d.mul(d.abs(d.fraction(a)), pymath.pi))
    reflected = d.sub(d.sub(d.log(d.div(pymath.pi, sine)), d.log(a)), positive)
    result = d.select(d.below(x, 0.0), reflected, positive)
    infinite = s.cmpf("oeq", a, d.value(float("inf")))
    return d.select(infinite, float("inf"), result)


def _lgamma_positive(d: _Doubles, a: SSAValue) -> SSAValue:
    below_one, below_two, below_three, below_eight = (d.below(a, float(k)) for k in (1, 2, 3, 8))
    # Below 2: around the zero at 1 and the one at 2, of 1 + u.
    u = d.select(below_one, a, d.sub(a, 1.0))
    first = d.mul(d.mul(u, d.sub(u, 1.0)), d.polynomial(d.sub(u, 0.5), table.LGAMMA_1_2))
    # Below 8: steps of one down to [2, 3), and their product.
    y, product = a, d.value(1.0)
    for _ in range(5):
        far = d.s.cmpf("oge", y, d.value(3.0))
        lower = d.sub(y, 1.0)
        y, product = d.select(far, lower, y), d.select(far, d.mul(product, lower), product)
    v = d.sub(y, 2.0)
    second = d.mul(d.mul(v, d.add(v, 1.0)), d.polynomial(d.sub(v, 0.5), table.LGAMMA_2_3))
    argument = d.select(below_one, a, d.select(below_three, 1.0, d.select(below_eight, product, a)))
    logarithm = d.log(argument)
    inverse = d.div(1.0, a)
    tail = d.mul(inverse, d.polynomial(d.mul(inverse, inverse), table.STIRLING))
    stirling = d.mul(d.sub(a, 0.5), d.sub(logarithm, 1.0))
    stirling = d.add(stirling, d.add(tail, 0.5 * pymath.log(2 * pymath.pi) - 0.5))
    small = d.select(below_two, first, second)
    small = d.select(below_one, d.sub(small, logarithm), d.add(small, logarithm))
    return d.select(below_eight, small, stirling)


@in_double
def digamma(s: Scalars, x: SSAValue) -> SSAValue:
    """The logarithmic derivative of gamma: around its root up to 2, sums up to 8, its asymptotic series beyond; NaN at the poles."""
    d = _Doubles(s)
    a = d.abs(x)
    positive = _digamma_positive(d, a)
    angle = d.mul(d.fraction(a), pymath.pi)
    cotangent = d.div(d.mul(s(math.CosOp, angle), pymath.pi), s(math.SinOp, angle))
    reflected = d.add(d.add(positive, d.div(1.0, a)), cotangent)
    result = d.select(d.below(x, 0.0), reflected, positive)
    whole = s.cmpf("oeq", x, s(math.FloorOp, x))
    pole = s(arith.AndIOp, s.cmpf("ole", x, d.value(0.0)), whole)
    return d.select(pole, float("nan"), result)


def _digamma_positive(d: _Doubles, a: SSAValue) -> SSAValue:
    below_one, below_eight = d.below(a, 1.0), d.below(a, 8.0)
    y, total = a, d.value(0.0)
    for _ in range(6):
        far = d.s.cmpf("oge", y, d.value(2.0))
        lower = d.sub(y, 1.0)
        y, total = d.select(far, lower, y), d.select(far, d.add(total, d.div(1.0, lower)), total)
    # y = 1 + u, up to the step below 1.
    u = d.select(below_one, a, d.sub(y, 1.0))
    high, low = table.DIGAMMA_ROOT
    distance = d.sub(d.sub(u, high - 1.0), low)
    near = d.mul(distance, d.polynomial(d.sub(u, 0.5), table.DIGAMMA_1_2))
    inverse = d.div(1.0, a)
    small = d.select(below_one, d.sub(near, inverse), d.add(near, total))
    square = d.mul(inverse, inverse)
    series = d.mul(square, d.polynomial(square, table.DIGAMMA_TAIL))
    large = d.sub(d.sub(d.log(a), d.mul(inverse, 0.5)), series)
    return d.select(below_eight, small, large)


@in_double
def bessel_i1e(s: Scalars, x: SSAValue) -> SSAValue:
    """`exp(-|x|) I1(x)`: the power series, whose terms are positive, up to 8; a polynomial in 1 / x beyond."""
    d = _Doubles(s)
    a = d.abs(x)
    near = d.below(a, 8.0)
    b = d.select(near, a, 8.0)
    small = d.mul(d.mul(b, s(math.ExpOp, s(arith.NegfOp, b))), d.polynomial(d.mul(b, b), table.BESSEL_I1_SERIES))
    t = d.sub(d.div(16.0, d.select(near, 8.0, a)), 1.0)
    large = d.div(d.polynomial(t, table.BESSEL_I1E_TAIL), s(math.SqrtOp, a))
    return s(math.CopySignOp, d.select(near, small, large), x)


__all__ = ["bessel_i1e", "digamma", "in_double", "lgamma"]
