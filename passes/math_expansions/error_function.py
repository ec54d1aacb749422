"""erf and erfc: a polynomial near 0; beyond, exp(-x^2) times a fit of the scaled tail (after Shepherd and Laframboise).

The f32 erf needs its tail to no relative accuracy, and so has it as the exponential of a polynomial: nothing is divided.
"""

from __future__ import annotations

from xdsl.ir import SSAValue

from stepwell.passes.math_expansions import coefficients as k
from stepwell.passes.math_expansions.division import quotient
from stepwell.passes.math_expansions.emitter import Emitter
from stepwell.passes.math_expansions.exponential import exp, exp_normal


def _erf_near_zero(e: Emitter, x: SSAValue) -> SSAValue:
    z = e.mul(x, x)
    return e.fma(x, e.poly(z, e.pick(k.ERF_32, k.ERF_64)), x)


def _tail(e: Emitter, magnitude: SSAValue) -> SSAValue:
    """erfc(x) for x >= 0.4: exp(-x^2) P(t) / (1 + 2x), t = (x - 2) / (x + 2)."""
    x = e.at_most(magnitude, 11.0 if e.is_f32 else 28.0)
    t = quotient(e, e.sub(x, e.c(2.0)), e.add(x, e.c(2.0)))
    scaled = quotient(e, e.poly(t, e.pick(k.ERFCX_32, k.ERFCX_64)), e.fma(e.c(2.0), x, e.c(1.0)))
    high, low = e.two_product(x, x)
    gauss = exp(e, e.neg(high))
    # exp(-high - low) = exp(-high) (1 - low); low is below half an ulp of high.
    return e.mul(e.fma(e.neg(low), gauss, gauss), scaled)


def _erf_narrow(e: Emitter, x: SSAValue) -> SSAValue:
    """f32: x + x P(x^2), or 1 - exp(Q(x)) from where that is exact enough up to where it is 1."""
    magnitude = e.abs(x)
    near = e.fma(magnitude, e.poly(e.mul(x, x), k.ERF_NEAR_32), magnitude)
    far = e.sub(e.c(1.0), exp_normal(e, e.poly(e.at_most(magnitude, 4.0), k.ERF_TAIL_32)))
    return e.copysign(e.select(e.cmp("olt", magnitude, e.c(0.9375)), near, far), x)


def erf(e: Emitter, x: SSAValue) -> SSAValue:
    """The error function."""
    if e.is_f32:
        return _erf_narrow(e, x)
    magnitude = e.abs(x)
    near = e.cmp("olt", magnitude, e.c(0.9))
    result = e.select(near, _erf_near_zero(e, e.at_most(magnitude, 1.0)), e.sub(e.c(1.0), _tail(e, magnitude)))
    return e.copysign(result, x)


def erfc(e: Emitter, x: SSAValue) -> SSAValue:
    """1 - erf(x), relatively accurate for large x."""
    magnitude = e.abs(x)
    near = e.cmp("olt", magnitude, e.c(0.5))
    inner = e.sub(e.c(1.0), _erf_near_zero(e, e.at_least(e.at_most(x, 0.5), -0.5)))
    tail = _tail(e, magnitude)
    outer = e.select(e.cmp("olt", x, e.c(0.0)), e.sub(e.c(2.0), tail), tail)
    return e.select(near, inner, outer)
