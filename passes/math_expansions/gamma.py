"""The gamma family and Bessel's function, in f64: narrower types are computed there and rounded once.

Where a function has a zero, a polynomial approximates its quotient by the distance to it, so that values near the zero are
relatively accurate; negative arguments are reflected, and are so only in proportion to the terms that cancel. What is rounded to
f32 has shorter polynomials, good to 33 bits, and vectors without a negative lane are not reflected.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from xdsl.dialects import arith, scf
from xdsl.ir import Block, Region, SSAValue

from stepwell.passes.math_expansions import special_coefficients as k
from stepwell.passes.math_expansions.division import quotient
from stepwell.passes.math_expansions.emitter import Emitter
from stepwell.passes.math_expansions.exponential import exp, log
from stepwell.passes.math_expansions.lanes import any_lane
from stepwell.passes.math_expansions.power import log_middle
from stepwell.passes.math_expansions.roots import rsqrt
from stepwell.passes.math_expansions.trigonometric import sine_cosine

INF = math.inf


@dataclass(frozen=True)
class _Precision:
    """The polynomials for results of one type."""

    lgamma_1_2: tuple[float, ...] = k.LGAMMA_1_2
    lgamma_2_3: tuple[float, ...] = k.LGAMMA_2_3
    stirling: tuple[float, ...] = k.STIRLING
    digamma_tail: tuple[float, ...] = k.DIGAMMA_TAIL
    bessel_series: tuple[float, ...] = k.BESSEL_I1_SERIES
    bessel_tail: tuple[float, ...] = k.BESSEL_I1E_TAIL
    log: Callable[[Emitter, SSAValue], SSAValue] = log


_FULL = _Precision()
# The last terms of a series are those that count first.
_SHORT = _Precision(
    k.LGAMMA_1_2_32,
    k.LGAMMA_2_3_32,
    k.STIRLING[-4:],
    k.DIGAMMA_TAIL[-5:],
    k.BESSEL_I1_SERIES[-16:],
    k.BESSEL_I1E_TAIL_32,
    log_middle,
)

Function = Callable[[Emitter, SSAValue, _Precision], SSAValue]


def _in_double(function: Function) -> Callable[[Emitter, SSAValue], SSAValue]:
    """Computed in f64 and rounded to the operand's type."""

    def compute(e: Emitter, x: SSAValue) -> SSAValue:
        if not e.is_f32:
            return function(e, x, _FULL)
        wide = e.wide()
        result = function(wide, e.builder.insert(arith.ExtFOp(x, wide.type)).result, _SHORT)
        return e.builder.insert(arith.TruncFOp(result, e.type)).result

    compute.__doc__ = function.__doc__
    return compute


def _where_negative(e: Emitter, x: SSAValue, positive: SSAValue, reflected: Callable[[Emitter], SSAValue]) -> SSAValue:
    """`positive`, or in lanes below zero what `reflected` makes; that is computed only where there is one."""
    negative = e.cmp("olt", x, e.c(0.0))
    branch = scf.IfOp(any_lane(e, negative), [x.type], Region(Block()), Region(Block()))
    e.builder.insert(branch)
    inner = e.in_block(branch.true_region.block)
    inner.builder.insert(scf.YieldOp(inner.select(negative, reflected(inner), positive)))
    branch.false_region.block.add_op(scf.YieldOp(positive))
    return branch.results[0]


def _of_half_turns(e: Emitter, a: SSAValue) -> tuple[SSAValue, SSAValue]:
    """(sin, cos) of pi times the distance f of a from the nearest whole number, which is exact: those of what is left to a quarter."""
    f = e.sub(a, e.floor(e.add(a, e.c(0.5))))
    size = e.abs(f)
    outer = e.cmp("ogt", size, e.c(0.25))
    r = e.mul(e.select(outer, e.sub(e.c(0.5), size), size), e.c(math.pi))
    sine, cosine = sine_cosine(e, r)
    return e.copysign(e.select(outer, cosine, sine), f), e.select(outer, sine, cosine)


@_in_double
def lgamma(e: Emitter, x: SSAValue, precision: _Precision) -> SSAValue:
    """`log |gamma(x)|`: polynomials up to 3, products up to 8, Stirling's series beyond; infinity at the poles."""
    a = e.abs(x)
    positive = _lgamma_positive(e, a, precision)

    def reflected(e: Emitter) -> SSAValue:
        # log(pi / (a |sin(pi a)|)) - lgamma(a)
        sine, _ = _of_half_turns(e, a)
        return e.sub(e.sub(log(e, e.div(e.c(math.pi), e.abs(sine))), log(e, a)), positive)

    result = _where_negative(e, x, positive, reflected)
    infinite = e.builder.insert(arith.OrIOp(e.cmp("oeq", a, e.c(INF)), e.cmp("oeq", a, e.c(0.0)))).result
    return e.select(infinite, e.c(INF), result)


def _lgamma_positive(e: Emitter, a: SSAValue, precision: _Precision) -> SSAValue:
    below_one, below_two, below_eight = (e.cmp("olt", a, e.c(float(n))) for n in (1, 2, 8))
    # How far a is above a whole number: around the zeros at 1 and 2 of 1 + u, and of 2 + u.
    u = e.sub(a, e.floor(a))
    one, middle = e.c(1.0), e.sub(u, e.c(0.5))
    first = e.mul(e.mul(u, e.sub(u, one)), e.poly(middle, precision.lgamma_1_2))
    second = e.mul(e.mul(u, e.add(u, one)), e.poly(middle, precision.lgamma_2_3))
    # Below 8: the product of the steps down to [2, 3).
    product = one
    for step in range(1, 6):
        far = e.cmp("oge", a, e.c(2.0 + step))
        product = e.mul(product, e.select(far, e.sub(a, e.c(float(step))), one))
    inner = e.builder.insert(arith.AndIOp(e.not_(below_one), below_eight)).result
    logarithm = precision.log(e, e.select(inner, product, a))
    inverse = quotient(e, one, a)
    tail = e.poly(e.mul(inverse, inverse), precision.stirling)
    tail = e.fma(inverse, tail, e.c(0.5 * math.log(2 * math.pi) - 0.5))
    stirling = e.fma(e.sub(a, e.c(0.5)), e.sub(logarithm, one), tail)
    small = e.select(below_two, first, second)
    small = e.select(below_one, e.sub(small, logarithm), e.add(small, logarithm))
    return e.select(below_eight, small, stirling)


@_in_double
def digamma(e: Emitter, x: SSAValue, precision: _Precision) -> SSAValue:
    """The logarithmic derivative of gamma: around its root up to 2, sums up to 8, its asymptotic series beyond; NaN at the poles."""
    a = e.abs(x)
    positive = _digamma_positive(e, a, precision)

    def reflected(e: Emitter) -> SSAValue:
        sine, cosine = _of_half_turns(e, a)
        cotangent = e.div(e.mul(cosine, e.c(math.pi)), sine)
        return e.add(e.add(positive, e.div(e.c(1.0), a)), cotangent)

    result = _where_negative(e, x, positive, reflected)
    whole = e.cmp("oeq", x, e.floor(x))
    pole = e.builder.insert(arith.AndIOp(e.cmp("ole", x, e.c(0.0)), whole)).result
    return e.select(pole, e.c(math.nan), result)


def _digamma_positive(e: Emitter, a: SSAValue, precision: _Precision) -> SSAValue:
    below_one, below_eight = e.cmp("olt", a, e.c(1.0)), e.cmp("olt", a, e.c(8.0))
    one, total = e.c(1.0), e.c(0.0)
    for step in range(1, 7):
        far = e.cmp("oge", a, e.c(1.0 + step))
        # Far beyond 8, where nobody reads the sum, its terms are to be numbers.
        lower = e.select(far, e.at_most(e.sub(a, e.c(float(step))), 8.0), one)
        total = e.select(far, e.add(total, quotient(e, one, lower)), total)
    # 1 + u, up to the step below 1.
    u = e.sub(a, e.floor(a))
    high, low = k.DIGAMMA_ROOT
    distance = e.sub(e.sub(u, e.c(high - 1.0)), e.c(low))
    near = e.mul(distance, e.poly(e.sub(u, e.c(0.5)), k.DIGAMMA_1_2))
    inverse = e.div(one, a)
    small = e.select(below_one, e.sub(near, inverse), e.add(near, total))
    square = e.mul(inverse, inverse)
    series = e.mul(square, e.poly(square, precision.digamma_tail))
    logarithm = log(e, a)
    large = e.sub(e.fma(inverse, e.c(-0.5), logarithm), series)
    return e.select(below_eight, small, large)


@_in_double
def bessel_i1e(e: Emitter, x: SSAValue, precision: _Precision) -> SSAValue:
    """`exp(-|x|) I1(x)`: the power series, whose terms are positive, up to 8; a polynomial in 1 / x beyond."""
    a = e.abs(x)
    near = e.cmp("olt", a, e.c(8.0))
    b = e.select(near, a, e.c(8.0))
    small = e.mul(e.mul(b, exp(e, e.neg(b))), e.poly(e.mul(b, b), precision.bessel_series))
    far = e.select(near, e.c(8.0), a)
    t = e.sub(quotient(e, e.c(16.0), e.at_most(far, 2.0**900)), e.c(1.0))
    large = e.mul(e.poly(t, precision.bessel_tail), rsqrt(e, far))
    return e.copysign(e.select(near, small, large), x)


__all__ = ["bessel_i1e", "digamma", "lgamma"]
