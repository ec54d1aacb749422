"""tanh, sinh, cosh, asinh, acosh, atanh: through expm1 and log1p, so that small arguments keep their precision."""

from __future__ import annotations

import math

from xdsl.ir import SSAValue

from stepwell.passes.math_expansions.division import quotient
from stepwell.passes.math_expansions.emitter import Emitter
from stepwell.passes.math_expansions.exponential import exp, expm1, expm1_below, log, log1p


def tanh(e: Emitter, x: SSAValue) -> SSAValue:
    """Tanh x = -t / (t + 2) with t = expm1(-2 |x|)."""
    t = expm1_below(e, e.at_most(e.abs(x), 10.0 if e.is_f32 else 20.0))
    return e.copysign(quotient(e, t, e.add(t, e.c(2.0))), x)


def _half_exp_squared(e: Emitter, magnitude: SSAValue) -> SSAValue:
    """e^x / 2 without overflow before the result does."""
    root = exp(e, e.mul(magnitude, e.c(0.5)))
    return e.mul(e.mul(root, e.c(0.5)), root)


def sinh(e: Emitter, x: SSAValue) -> SSAValue:
    """Sinh x = (t + t / (t + 1)) / 2 with t = expm1(|x|)."""
    magnitude = e.abs(x)
    t = expm1(e, e.at_most(magnitude, 88.0 if e.is_f32 else 709.0))
    small = e.mul(e.c(0.5), e.add(t, quotient(e, t, e.add(t, e.c(1.0)))))
    large = e.cmp("ogt", magnitude, e.c(20.0))
    return e.copysign(e.select(large, _half_exp_squared(e, magnitude), small), x)


def cosh(e: Emitter, x: SSAValue) -> SSAValue:
    """Cosh x = (e^|x| + e^-|x|) / 2."""
    magnitude = e.abs(x)
    u = exp(e, e.at_most(magnitude, 88.0 if e.is_f32 else 709.0))
    small = e.add(e.mul(e.c(0.5), u), quotient(e, e.c(0.5), u))
    large = e.cmp("ogt", magnitude, e.c(20.0))
    return e.select(large, _half_exp_squared(e, magnitude), small)


def asinh(e: Emitter, x: SSAValue) -> SSAValue:
    """Asinh x = log1p(|x| + x^2 / (1 + sqrt(x^2 + 1))); log(2 |x|) beyond 2^28."""
    magnitude = e.abs(x)
    limit = 2.0**14 if e.is_f32 else 2.0**28
    large = e.cmp("ogt", magnitude, e.c(limit))
    bounded = e.at_most(magnitude, limit)
    square = e.mul(bounded, bounded)
    root = e.sqrt(e.add(square, e.c(1.0)))
    small = log1p(e, e.add(bounded, e.div(square, e.add(e.c(1.0), root))))
    return e.copysign(e.select(large, e.add(log(e, magnitude), e.c(math.log(2))), small), x)


def acosh(e: Emitter, x: SSAValue) -> SSAValue:
    """Acosh x = log1p(t + sqrt(2t + t^2)), t = x - 1; NaN below 1."""
    limit = 2.0**14 if e.is_f32 else 2.0**28
    large = e.cmp("ogt", x, e.c(limit))
    t = e.sub(e.at_most(x, limit), e.c(1.0))
    small = log1p(e, e.add(t, e.sqrt(e.add(e.add(t, t), e.mul(t, t)))))
    small = e.select(e.cmp("olt", x, e.c(1.0)), e.c(math.nan), small)
    return e.select(large, e.add(log(e, x), e.c(math.log(2))), small)


def atanh(e: Emitter, x: SSAValue) -> SSAValue:
    """Atanh x = log1p(2 |x| / (1 - |x|)) / 2; NaN outside [-1, 1]."""
    magnitude = e.abs(x)
    t = e.div(e.add(magnitude, magnitude), e.sub(e.c(1.0), magnitude))
    return e.copysign(e.mul(e.c(0.5), log1p(e, t)), x)
