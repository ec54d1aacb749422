"""sin, cos, tan, atan, atan2, asin, acos.

Range reduction to |r| <= pi/4: Cody and Waite in three parts below 2^20, Payne and Hanek's exact product with the bits of 2/pi
beyond, taken only when a lane needs it. f32 is widened to f64 for it, but for sine and cosine below 2^16 where products
and sums are fused: then its own three parts leave no error. The tangent of a f64 is one polynomial over another, which takes half
the steps of sine and cosine.
"""

from __future__ import annotations

import math

from xdsl.dialects import arith, scf
from xdsl.ir import Block, Region, SSAValue

from stepwell.passes.math_expansions import coefficients as k
from stepwell.passes.math_expansions.division import quotient
from stepwell.passes.math_expansions.emitter import Emitter
from stepwell.passes.math_expansions.lanes import any_lane

PI_2 = (1.57079632673412561417, 6.07710050630396597660e-11, 2.02226624879595063154e-21)
"""pi/2 in three parts, the first two with 33 bits each."""

LARGE = 2.0**20

# A quarter turn in two parts.
PI_2_HIGH = {True: 1.57079637050628662109375, False: math.pi / 2}
PI_2_LOW = {True: -4.37113900018624283e-8, False: 6.123233995736766e-17}

PI_2_NARROW = (float.fromhex("0x1.921fb0p+0"), float.fromhex("0x1.5110b4p-22"), float.fromhex("0x1.846988p-48"))
"""pi/2 in three parts of f32, the first with 21 bits: what is left after it is exact."""

LARGE_NARROW = 2.0**16


def _two_over_pi_words(count: int) -> list[int]:
    """The first `count` 64-bit words of the binary fraction of 2/pi (Machin's formula in integers)."""
    bits = 64 * count + 64
    one = 1 << bits

    def arctan_inverse(n: int) -> int:
        total = term = one // n
        divisor, sign = 1, 1
        while term:
            term //= n * n
            divisor, sign = divisor + 2, -sign
            total += sign * (term // divisor)
        return total

    pi = 4 * (4 * arctan_inverse(5) - arctan_inverse(239))
    fraction = (2 * one * one // pi) >> 64
    return [(fraction >> (64 * (count - 1 - i))) & (2**64 - 1) for i in range(count)]


WORDS = [0, *_two_over_pi_words(19)]
"""A leading zero word lets the window start before the binary point, for arguments below 2^55."""


def _shift(e: Emitter, a: SSAValue, amount: SSAValue, left: bool) -> SSAValue:
    return e.builder.insert((arith.ShLIOp if left else arith.ShRUIOp)(a, amount)).results[0]


def _funnel(e: Emitter, high: SSAValue, low: SSAValue, amount: SSAValue) -> SSAValue:
    """The 64 bits of high:low that start `amount` (0..63) bits in."""
    rest = e.isub(e.ci(63), amount)
    return e.or_(_shift(e, high, amount, True), _shift(e, e.shr(low, 1), rest, False))


def _multiply_high(e: Emitter, a: SSAValue, b: SSAValue) -> SSAValue:
    """The upper 64 bits of the unsigned product a * b, a < 2^53."""
    mask = e.ci(0xFFFFFFFF)
    a1, a0, b1, b0 = e.shr(a, 32), e.and_(a, mask), e.shr(b, 32), e.and_(b, mask)
    middle = e.iadd(e.imul(a1, b0), e.shr(e.imul(a0, b0), 32))
    other = e.iadd(e.imul(a0, b1), e.and_(middle, mask))
    return e.iadd(e.imul(a1, b1), e.iadd(e.shr(middle, 32), e.shr(other, 32)))


def _payne_hanek(e: Emitter, x: SSAValue) -> tuple[SSAValue, SSAValue]:
    """(r, quadrant) of a f64 |x| >= LARGE, exact to f64 precision: x * 2/pi mod 4 from the bits of 2/pi that matter."""
    bits = e.and_(e.to_bits(x), e.ci(0x7FFFFFFFFFFFFFFF))
    mantissa = e.or_(e.and_(bits, e.ci(0xFFFFFFFFFFFFF)), e.ci(1 << 52))
    skip = e.isub(e.shr(bits, 52), e.ci(1075 + 2 - 64))
    index, amount = e.shr(skip, 6), e.and_(skip, e.ci(63))
    words = [e.ci(WORDS[i]) for i in range(4)]
    for i in range(1, 17):
        here = e.icmp("eq", index, e.ci(i))
        words = [e.select(here, e.ci(WORDS[i + j]), w) for j, w in enumerate(words)]
    window = [_funnel(e, words[i], words[i + 1], amount) for i in range(3)]
    low_b = e.imul(mantissa, window[1])
    low = e.iadd(low_b, _multiply_high(e, mantissa, window[2]))
    carry = e.select(e.icmp("ult", low, low_b), e.ci(1), e.ci(0))
    high = e.iadd(e.iadd(e.imul(mantissa, window[0]), _multiply_high(e, mantissa, window[1])), carry)
    quadrant = e.shr(e.iadd(high, e.ci(1 << 61)), 62)
    fraction = e.isub(high, e.shl(quadrant, 62))
    scaled = e.mul(e.int_to_float(fraction), e.c(2.0**-62))
    scaled = e.add(scaled, e.mul(e.int_to_float(e.shr(low, 1)), e.c(2.0**-125)))
    negative = e.cmp("olt", x, e.c(0.0))
    r = e.mul(scaled, e.c(math.pi / 2))
    return e.select(negative, e.neg(r), r), e.select(negative, e.isub(e.ci(0), quadrant), quadrant)


def _reduce_large(e: Emitter, x: SSAValue, large: SSAValue, r: SSAValue, n: SSAValue) -> tuple[SSAValue, SSAValue]:
    """Replace (r, n) where `large`, computing Payne and Hanek's way only when some lane is; NaN where x is no finite number."""
    types = [r.type, n.type]
    branch = scf.IfOp(any_lane(e, large), types, Region(Block()), Region(Block()))
    e.builder.insert(branch)
    inner = e.in_block(branch.true_region.block)
    exact_r, exact_n = _payne_hanek(inner, x)
    not_finite = inner.cmp("uge", inner.abs(x), inner.c(math.inf))
    exact_r = inner.select(not_finite, inner.c(math.nan), exact_r)
    inner.builder.insert(scf.YieldOp(inner.select(large, exact_r, r), inner.select(large, exact_n, n)))
    branch.false_region.block.add_op(scf.YieldOp(r, n))
    return branch.results[0], branch.results[1]


def _reduce(e: Emitter, x: SSAValue) -> tuple[SSAValue, SSAValue]:
    """(r, quadrant) in e's type with x = quadrant * pi/2 + r, |r| <= pi/4 (quadrant modulo 4, e's integer width)."""
    w = e.wide() if e.is_f32 else e
    wide_x = x if not e.is_f32 else e.builder.insert(arith.ExtFOp(x, w.type)).results[0]
    large = w.cmp("uge", w.abs(wide_x), w.c(LARGE))
    magic = w.c(1.5 * 2.0**w.mantissa)
    shifted = w.fma(wide_x, w.c(2 / math.pi), magic)
    # The magic number's own low bits are 0: those of the sum count quarter turns.
    n_float, n = w.sub(shifted, magic), w.to_bits(shifted)
    r = wide_x
    for part in PI_2:
        r = w.fma(n_float, w.c(-part), r)
    r, n = _reduce_large(w, wide_x, large, r, n)
    if not e.is_f32:
        return r, n
    narrow_n = e.builder.insert(arith.TruncIOp(n, e.int_type)).results[0]  # pyright: ignore
    return e.builder.insert(arith.TruncFOp(r, e.type)).results[0], narrow_n


def sine_cosine(e: Emitter, r: SSAValue) -> tuple[SSAValue, SSAValue]:
    """Both, for |r| <= pi / 4."""
    z = e.mul(r, r)
    sine = e.fma(e.mul(r, z), e.poly(z, e.pick(k.SIN_32, k.SIN_64)), r)
    if e.has_fma:
        return sine, e.poly(z, (*e.pick(k.COS_32, k.COS_64), -0.5, 1.0))
    half_z = e.mul(z, e.c(0.5))
    top = e.sub(e.c(1.0), half_z)
    lost = e.sub(e.sub(e.c(1.0), top), half_z)
    cosine = e.add(top, e.fma(e.mul(z, z), e.poly(z, e.pick(k.COS_32, k.COS_64)), lost))
    return sine, cosine


def _bit_set(e: Emitter, n: SSAValue, bit: int) -> SSAValue:
    return e.icmp("ne", e.and_(n, e.ci(bit)), e.ci(0))


def _reduce_narrow(e: Emitter, magnitude: SSAValue) -> tuple[SSAValue, SSAValue]:
    """(r, quadrant) of a f32 at least 0, by fused steps; as `_reduce` has it where some lane is large."""
    magic = e.c(1.5 * 2.0**e.mantissa)
    shifted = e.fma(magnitude, e.c(2 / math.pi), magic)
    # The magic number's own low bits are 0: those of the sum count quarter turns.
    n_float, n = e.sub(shifted, magic), e.to_bits(shifted)
    r = magnitude
    for part in PI_2_NARROW:
        r = e.fma(n_float, e.c(-part), r)
    large = e.cmp("oge", magnitude, e.c(LARGE_NARROW))
    branch = scf.IfOp(any_lane(e, large), [r.type, n.type], Region(Block()), Region(Block()))
    e.builder.insert(branch)
    inner = e.in_block(branch.true_region.block)
    wide_r, wide_n = _reduce(inner, magnitude)
    inner.builder.insert(scf.YieldOp(inner.select(large, wide_r, r), inner.select(large, wide_n, n)))
    branch.false_region.block.add_op(scf.YieldOp(r, n))
    return branch.results[0], branch.results[1]


def _sine_narrow(e: Emitter, x: SSAValue, quarter_turns: int) -> SSAValue:
    """Sine of a f32, or cosine by a quarter turn: that of its magnitude, with a sign."""
    r, n = _reduce_narrow(e, e.abs(x))
    sign = e.ci(1 << 31)
    turns = e.iadd(n, e.ci(quarter_turns)) if quarter_turns else n
    sine, cosine = sine_cosine(e, r)
    result = e.to_bits(e.select(_bit_set(e, turns, 1), cosine, sine))
    result = e.xor(result, e.and_(e.shl(turns, 30), sign))
    return e.to_float(result if quarter_turns else e.xor(result, e.and_(e.to_bits(x), sign)))


def _sine_at(e: Emitter, x: SSAValue, quarter_turns: int) -> SSAValue:
    r, n = _reduce(e, x)
    if quarter_turns:
        n = e.iadd(n, e.ci(quarter_turns))
    sine, cosine = sine_cosine(e, r)
    result = e.select(_bit_set(e, n, 1), cosine, sine)
    return e.select(_bit_set(e, n, 2), e.neg(result), result)


def sin(e: Emitter, x: SSAValue) -> SSAValue:
    """Sine, right for every finite argument, with -0 at -0."""
    if e.is_f32 and e.has_fma:
        return _sine_narrow(e, x, 0)
    return e.select(e.cmp("oeq", x, e.c(0.0)), x, _sine_at(e, x, 0))


def cos(e: Emitter, x: SSAValue) -> SSAValue:
    """Cosine, right for every finite argument."""
    return _sine_narrow(e, x, 1) if e.is_f32 and e.has_fma else _sine_at(e, x, 1)


def _tangent_narrow(e: Emitter, x: SSAValue) -> SSAValue:
    """Tangent of a f32: that of its magnitude, with a sign where a quarter turn is odd, and with its own."""
    r, n = _reduce_narrow(e, e.abs(x))
    sign = e.ci(1 << 31)
    sine, cosine = sine_cosine(e, r)
    odd = _bit_set(e, n, 1)
    result = e.to_bits(quotient(e, e.select(odd, cosine, sine), e.select(odd, sine, cosine)))
    result = e.xor(result, e.and_(e.shl(n, 31), sign))
    return e.to_float(e.xor(result, e.and_(e.to_bits(x), sign)))


def _tangent_parts(e: Emitter, r: SSAValue) -> tuple[SSAValue, SSAValue]:
    """What divided by each other is the tangent, for |r| <= pi / 4: fewer steps than sine and cosine."""
    if e.is_f32:
        return sine_cosine(e, r)
    z = e.mul(r, r)
    top = e.fma(e.mul(r, z), e.poly(z, k.TAN_TOP_64), r)
    return top, e.poly(z, (*k.TAN_BOTTOM_64, 1.0))


def tan(e: Emitter, x: SSAValue) -> SSAValue:
    """Tangent of the reduced argument, or its negative inverse where a quarter turn is odd."""
    if e.is_f32 and e.has_fma:
        return _tangent_narrow(e, x)
    r, n = _reduce(e, x)
    top, bottom = _tangent_parts(e, r)
    odd = _bit_set(e, n, 1)
    result = quotient(e, e.select(odd, e.neg(bottom), top), e.select(odd, top, bottom))
    return e.select(e.cmp("oeq", x, e.c(0.0)), x, result)


def _atan_positive(e: Emitter, t: SSAValue) -> SSAValue:
    """atan(t) for t in [0, 1]: pi/4 + atan((t - 1) / (t + 1)) above tan(pi/8)."""
    upper = e.cmp("ogt", t, e.c(math.sqrt(2) - 1))
    moved = quotient(e, e.sub(t, e.c(1.0)), e.add(t, e.c(1.0)))
    result = _atan_near_zero(e, e.select(upper, moved, t))
    return e.select(upper, e.add(e.c(PI_2_HIGH[e.is_f32] / 2), e.add(result, e.c(PI_2_LOW[e.is_f32] / 2))), result)


def _atan_near_zero(e: Emitter, u: SSAValue) -> SSAValue:
    z = e.mul(u, u)
    return e.fma(e.mul(u, z), e.poly(z, e.pick(k.ATAN_32, k.ATAN_64)), u)


def atan2(e: Emitter, y: SSAValue, x: SSAValue) -> SSAValue:
    """The angle of (x, y), all quadrants, signed zeros and infinities as C's atan2."""
    abs_y, abs_x = e.abs(y), e.abs(x)
    steep = e.cmp("ogt", abs_y, abs_x)
    smaller, larger = e.select(steep, abs_x, abs_y), e.select(steep, abs_y, abs_x)
    ratio = e.div(smaller, larger)
    # 0/0 is 0 here, inf/inf is 1; NaN operands are restored at the end.
    ratio = e.select(e.cmp("oeq", larger, e.c(0.0)), e.c(0.0), ratio)
    ratio = e.select(e.cmp("oeq", smaller, e.c(math.inf)), e.c(1.0), ratio)
    angle = _atan_positive(e, ratio)
    angle = e.select(steep, e.sub(e.c(math.pi / 2), angle), angle)
    negative_x = e.icmp("slt", e.to_bits(x), e.ci(0))
    angle = e.select(negative_x, e.sub(e.c(math.pi), angle), angle)
    result = e.copysign(angle, y)
    return e.select(e.cmp("uno", x, y), e.add(x, y), result)


def atan(e: Emitter, x: SSAValue) -> SSAValue:
    """Arc tangent in [-pi/2, pi/2]: of (x - 1) / (x + 1) above tan(pi/8), of -1 / x above its inverse, by one division."""
    one, magnitude = e.c(1.0), e.abs(x)
    upper, steep = e.cmp("ogt", magnitude, e.c(math.sqrt(2) - 1)), e.cmp("ogt", magnitude, e.c(math.sqrt(2) + 1))
    # From where the angle is a quarter turn, so that what is divided by is a finite number.
    bounded = e.at_most(magnitude, 2.0**60)
    above = e.select(steep, e.c(-1.0), e.sub(magnitude, one))
    below = e.select(steep, bounded, e.add(magnitude, one))
    angle = _atan_near_zero(e, quotient(e, e.select(upper, above, magnitude), e.select(upper, below, one)))
    high, low = PI_2_HIGH[e.is_f32], PI_2_LOW[e.is_f32]
    high, low = (e.select(steep, e.c(part), e.c(part / 2)) for part in (high, low))
    return e.copysign(e.select(upper, e.add(high, e.add(angle, low)), angle), x)


def _asin_parts(e: Emitter, x: SSAValue) -> tuple[SSAValue, SSAValue]:
    """(whether |x| > 1/2, asin |x|, or asin sqrt((1 - |x|) / 2) where it is, which is half of acos |x|)."""
    magnitude = e.abs(x)
    large = e.cmp("ogt", magnitude, e.c(0.5))
    square = e.select(large, e.mul(e.sub(e.c(1.0), magnitude), e.c(0.5)), e.mul(magnitude, magnitude))
    root = e.select(large, e.sqrt(square), magnitude)
    return large, e.fma(e.mul(root, square), e.poly(square, e.pick(k.ASIN_32, k.ASIN_64)), root)


def asin(e: Emitter, x: SSAValue) -> SSAValue:
    """Arc sine; NaN outside [-1, 1]."""
    large, angle = _asin_parts(e, x)
    doubled = e.sub(e.c(PI_2_HIGH[e.is_f32]), e.sub(e.add(angle, angle), e.c(PI_2_LOW[e.is_f32])))
    return e.copysign(e.select(large, doubled, angle), x)


def acos(e: Emitter, x: SSAValue) -> SSAValue:
    """Arc cosine; NaN outside [-1, 1]."""
    large, angle = _asin_parts(e, x)
    high, low = e.c(PI_2_HIGH[e.is_f32]), e.c(PI_2_LOW[e.is_f32])
    small = e.sub(high, e.sub(e.copysign(angle, x), low))
    doubled = e.add(angle, angle)
    back = e.sub(e.add(high, high), e.sub(doubled, e.add(low, low)))
    far = e.select(e.cmp("olt", x, e.c(0.0)), back, doubled)
    return e.select(large, far, small)
