"""exp, exp2, expm1, log, log2, log10, log1p: Cody and Waite's argument reduction and a fitted polynomial.

Logarithms of vectors ask first whether any lane is 0, negative, denormal or not finite: without one they are done in
two thirds of the steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from xdsl.dialects import scf
from xdsl.dialects.builtin import VectorType
from xdsl.ir import Block, Region, SSAValue

from stepwell.passes.math_expansions import coefficients as k
from stepwell.passes.math_expansions.emitter import Emitter
from stepwell.passes.math_expansions.lanes import any_lane

# ln 2 in two parts; the high part has enough trailing zeros that n * high is exact for every exponent n.
LN2_HIGH = {True: 0.693359375, False: 0.693147180369123816490}
LN2_LOW = {True: -2.12194440054690583e-4, False: 1.90821492927058770002e-10}
LN2 = math.log(2)
INF = math.inf

Part = Callable[[Emitter, bool], SSAValue]
Reduction = Callable[[SSAValue, SSAValue], SSAValue]


def _reduce(e: Emitter, x: SSAValue) -> tuple[SSAValue, SSAValue]:
    """(r, n) with x = n ln 2 + r, |r| <= ln 2 / 2."""
    n_float, n = e.nearest_int(e.mul(x, e.c(1 / LN2)))
    return _remainder(e, x, n_float), n


def _remainder(e: Emitter, x: SSAValue, n: SSAValue) -> SSAValue:
    """X - n ln 2."""
    r = e.fma(n, e.c(-LN2_HIGH[e.is_f32]), x)
    return e.fma(n, e.c(-LN2_LOW[e.is_f32]), r)


def _exp_minus_one(e: Emitter, r: SSAValue) -> SSAValue:
    """exp(r) - 1 on the reduced range: r + r^2 P(r)."""
    return e.fma(e.mul(r, r), e.poly(r, e.pick(k.EXP_32, k.EXP_64)), r)


def _clamp(e: Emitter, x: SSAValue, low32: float, high32: float, low64: float, high64: float) -> SSAValue:
    low, high = (low32, high32) if e.is_f32 else (low64, high64)
    return e.at_least(e.at_most(x, high), low)


def _exp_of(e: Emitter, r: SSAValue) -> SSAValue:
    """exp(r) on the reduced range: 1 + r (1 + r P(r))."""
    one = e.c(1.0)
    return e.fma(e.fma(e.poly(r, e.pick(k.EXP_32, k.EXP_64)), r, one), r, one)


UNDERFLOWS = {True: -150.0, False: -1075.0}
"""Powers of two below these are zero when they are rounded."""


def _exp_scaled(e: Emitter, x: SSAValue, factor: float, limit: float, reduce: Reduction) -> SSAValue:
    """exp(r) * 2^n of `reduce(x, n)` = r and n = round(x * factor), by an op that scales.

    What underflows is not scaled, since an op that ends below the denormals takes as long as one that makes one.
    """
    zero = e.cmp("olt", x, e.c(limit))
    x = e.at_most(x, 1025.0 / factor if not e.is_f32 else 129.0 / factor)
    magic = e.c(1.5 * 2.0**e.mantissa)
    n = e.sub(e.fma(x, e.c(factor), magic), magic)
    return e.select(zero, e.c(0.0), e.scaleb(_exp_of(e, reduce(x, n)), n))


def exp(e: Emitter, x: SSAValue) -> SSAValue:
    """e^x; 1.0 ULP (f32), 1.0 ULP (f64), denormal results rounded twice where two products scale."""
    if e.has_scaleb:
        # Below -103.98 (f32), -745.14 (f64) the result is a zero.
        return _exp_scaled(e, x, 1 / LN2, -104.0 if e.is_f32 else -745.2, lambda x, n: _remainder(e, x, n))
    x = _clamp(e, x, -254 * LN2, 89.0, -2046 * LN2, 710.0)
    n, power = e.nearest_power(x, e.c(1 / LN2))
    return e.scale_by(_exp_of(e, _remainder(e, x, n)), power)


def exp_normal(e: Emitter, x: SSAValue) -> SSAValue:
    """e^x where that is a normal number, so that one factor is its power of two."""
    # The integer's low bits are the exponent field of 2^n as they stand.
    magic = e.c(1.5 * 2.0**e.mantissa + e.bias)
    shifted = e.fma(x, e.c(1 / LN2), magic)
    power = e.to_float(e.shl(e.to_bits(shifted), e.mantissa))
    return e.mul(_exp_of(e, _remainder(e, x, e.sub(shifted, magic))), power)


def exp2(e: Emitter, x: SSAValue) -> SSAValue:
    """2^x; the reduction is exact."""
    if e.has_scaleb:
        return _exp_scaled(e, x, 1.0, UNDERFLOWS[e.is_f32], lambda x, n: e.mul(e.sub(x, n), e.c(LN2)))
    x = _clamp(e, x, -254.0, 129.0, -2046.0, 1025.0)
    n, power = e.nearest_power(x, e.c(1.0))
    return e.scale_by(_exp_of(e, e.mul(e.sub(x, n), e.c(LN2))), power)


def expm1_below(e: Emitter, magnitude: SSAValue) -> SSAValue:
    """e^(-2 m) - 1 for 0 <= m <= 20 (10 in f32), m itself by -2 where it is tiny: 2^n (exp(r) - 1) + (2^n - 1)."""
    # The integer's low bits are the exponent field of 2^n as they stand.
    magic = e.c(1.5 * 2.0**e.mantissa + e.bias)
    shifted = e.fma(magnitude, e.c(-2 / LN2), magic)
    power = e.to_float(e.shl(e.to_bits(shifted), e.mantissa))
    r = _remainder(e, e.mul(magnitude, e.c(-2.0)), e.sub(shifted, magic))
    return e.fma(power, _exp_minus_one(e, r), e.sub(power, e.c(1.0)))


def expm1(e: Emitter, x: SSAValue) -> SSAValue:
    """e^x - 1 without cancellation near 0: 2 (2^(n-1) (exp(r) - 1) + (2^(n-1) - 1/2))."""
    clamped = _clamp(e, x, -40.0, 89.0, -50.0, 710.0)
    r, n = _reduce(e, clamped)
    half_power = e.power_of_two(e.isub(n, e.ci(1)))
    result = e.fma(half_power, _exp_minus_one(e, r), e.sub(half_power, e.c(0.5)))
    result = e.add(result, result)
    # -0 and tiny arguments are their own result.
    tiny = e.cmp("olt", e.abs(x), e.c(1e-10 if e.is_f32 else 1e-18))
    return e.select(tiny, x, result)


def split_exponent(e: Emitter, x: SSAValue, *, normal: bool = False) -> tuple[SSAValue, SSAValue]:
    """(f, n) with x = 2^n (1 + f), 1 + f in [sqrt 1/2, sqrt 2), for positive finite x; none is a denormal where all are `normal`."""
    scaled, correction = x, None
    if not normal:
        steps = 25 if e.is_f32 else 54
        denormal = e.cmp("olt", x, e.c(2.0 ** (1 - e.bias)))
        scaled = e.select(denormal, e.mul(x, e.c(2.0**steps)), x)
        correction = e.select(denormal, e.c(float(steps)), e.c(0.0))
    # Subtracting the bits of sqrt(1/2) rounds the exponent at the middle of the binade.
    middle = 0x3F3504F3 if e.is_f32 else 0x3FE6A09E667F3BCD
    bits = e.isub(e.to_bits(scaled), e.ci(middle))
    octaves = e.sar(bits, e.mantissa)
    one_f = e.to_float(e.isub(e.to_bits(scaled), e.shl(octaves, e.mantissa)))
    n = e.int_to_float(octaves)
    return e.sub(one_f, e.c(1.0)), n if correction is None else e.sub(n, correction)


def _log_tail(e: Emitter, f: SSAValue) -> SSAValue:
    """log(1 + f) - f in f64."""
    square = e.mul(f, f)
    tail = e.mul(e.mul(square, f), e.poly(f, k.LOG_64))
    return e.fma(square, e.c(-0.5), tail)


def _log_near(e: Emitter, f: SSAValue) -> SSAValue:
    """log(1 + f)."""
    if e.is_f32:
        return e.fma(e.mul(f, f), e.poly(f, k.LOG_NEAR_32), f)
    return e.add(f, _log_tail(e, f))


def _log_specials(e: Emitter, x: SSAValue, result: SSAValue) -> SSAValue:
    result = e.select(e.cmp("oeq", x, e.c(INF)), x, result)
    result = e.select(e.cmp("oeq", x, e.c(0.0)), e.c(-INF), result)
    return e.select(e.cmp("ult", x, e.c(0.0)), e.c(math.nan), result)


def _where_normal(e: Emitter, x: SSAValue, compute: Part) -> SSAValue:
    """What `compute` makes of vectors: without what is special where all lanes are normal and positive."""
    if not isinstance(x.type, VectorType):
        return compute(e, False)
    smallest, infinite = 1 << e.mantissa, (2 * e.bias + 1) << e.mantissa
    special = e.icmp("uge", e.isub(e.to_bits(x), e.ci(smallest)), e.ci(infinite - smallest))
    branch = scf.IfOp(any_lane(e, special), [x.type], Region(Block()), Region(Block()))
    e.builder.insert(branch)
    for region, normal in ((branch.true_region, False), (branch.false_region, True)):
        inner = e.in_block(region.block)
        inner.builder.insert(scf.YieldOp(compute(inner, normal)))
    return branch.results[0]


def log(e: Emitter, x: SSAValue) -> SSAValue:
    """Natural logarithm; -inf at 0, NaN below."""

    def of(e: Emitter, normal: bool) -> SSAValue:
        f, n = split_exponent(e, x, normal=normal)
        if e.is_f32:
            # ln 2 itself is off by less than a twentieth of its last place.
            result = e.fma(n, e.c(LN2), _log_near(e, f))
        else:
            low = e.fma(n, e.c(LN2_LOW[False]), _log_tail(e, f))
            result = e.fma(n, e.c(LN2_HIGH[False]), e.add(f, low))
        return result if normal else _log_specials(e, x, result)

    return _where_normal(e, x, of)


def _log_in_base(e: Emitter, x: SSAValue, scale: float, per_octave: float) -> SSAValue:
    def of(e: Emitter, normal: bool) -> SSAValue:
        f, n = split_exponent(e, x, normal=normal)
        result = e.fma(n, e.c(per_octave), e.mul(_log_near(e, f), e.c(scale)))
        return result if normal else _log_specials(e, x, result)

    return _where_normal(e, x, of)


def log2(e: Emitter, x: SSAValue) -> SSAValue:
    """Logarithm to base 2; exact at powers of two."""
    return _log_in_base(e, x, 1.4426950408889634, 1.0)


def log10(e: Emitter, x: SSAValue) -> SSAValue:
    """Logarithm to base 10."""
    return _log_in_base(e, x, 0.4342944819032518, 0.30102999566398120)


def log1p(e: Emitter, x: SSAValue) -> SSAValue:
    """log(1 + x), accurate near 0: Kahan's correction by x / ((1 + x) - 1)."""
    u = e.add(e.c(1.0), x)
    difference = e.sub(u, e.c(1.0))
    corrected = e.mul(log(e, u), e.div(x, difference))
    same = e.cmp("oeq", difference, e.c(0.0))
    result = e.select(same, x, corrected)
    return e.select(e.cmp("oeq", x, e.c(INF)), x, result)
