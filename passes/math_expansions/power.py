"""pow, integer powers and the exact float remainder."""

from __future__ import annotations

import math

from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import IndexType, IntegerType
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.rewriter import InsertPoint
from xdsl.utils.type import get_element_type_or_self

from stepwell.ir.builder import LocatedBuilder
from stepwell.passes.math_expansions import coefficients as k
from stepwell.passes.math_expansions.emitter import Constants, Emitter
from stepwell.passes.math_expansions.exponential import LN2_HIGH, LN2_LOW, exp, split_exponent

INF = math.inf


def _log_double(e: Emitter, x: SSAValue) -> tuple[SSAValue, SSAValue]:
    """log(x) as high + low to about 60 bits, for positive finite x (f64): 2 atanh(f / (2 + f)), the quotient in two parts."""
    f, n = split_exponent(e, x)
    divisor = e.add(e.c(2.0), f)
    divisor_low = e.sub(f, e.sub(divisor, e.c(2.0)))
    s = e.div(f, divisor)
    product, product_low = e.two_product(s, divisor)
    rest = e.sub(e.sub(e.sub(f, product), product_low), e.mul(s, divisor_low))
    s_low = e.div(rest, divisor)
    z = e.mul(s, s)
    tail = e.mul(e.mul(s, z), e.poly(z, k.LOG_S_64))
    high, low = e.two_sum(e.mul(n, e.c(LN2_HIGH[False])), e.add(s, s))
    low = e.add(low, e.fma(n, e.c(LN2_LOW[False]), e.add(e.add(s_low, s_low), tail)))
    total = e.add(high, low)
    return total, e.sub(low, e.sub(total, high))


def _pow_magnitude(e: Emitter, magnitude: SSAValue, y: SSAValue) -> SSAValue:
    """magnitude^y for magnitude >= 0 in f64; NaN where only special rules decide."""
    regular = e.select(e.cmp("oeq", magnitude, e.c(0.0)), e.c(1.0), magnitude)
    regular = e.select(e.cmp("oeq", magnitude, e.c(INF)), e.c(1.0), regular)
    log_high, log_low = _log_double(e, regular)
    # Huge exponents overflow or vanish long before 2^1000 matters; bounding them keeps the products finite.
    bounded = e.at_least(e.at_most(y, 2.0**900), -(2.0**900))
    high, low = e.two_product(bounded, log_high)
    low = e.fma(bounded, log_low, low)
    high_bounded = e.at_least(e.at_most(high, 800.0), -800.0)
    low = e.select(e.cmp("oeq", high, high_bounded), low, e.c(0.0))
    value = exp(e, high_bounded)
    value_finite = e.cmp("olt", value, e.c(INF))
    return _pow_ends(e, magnitude, y, e.select(value_finite, e.fma(value, low, value), value))


def _pow_signs(e: Emitter, x: SSAValue, y: SSAValue, value: SSAValue) -> SSAValue:
    """x^y of |x|^y: signs, and what is special."""
    one, magnitude = e.c(1.0), e.abs(x)
    integer = e.cmp("oeq", e.floor(y), y)
    half = e.mul(y, e.c(0.5))
    odd = e.builder.insert(arith.AndIOp(integer, e.cmp("one", e.floor(half), half))).results[0]
    finite_negative = e.cmp("olt", x, e.c(0.0))
    signed = e.select(odd, e.copysign(value, x), value)
    invalid = e.builder.insert(arith.AndIOp(finite_negative, e.not_(integer))).results[0]
    invalid = e.builder.insert(arith.AndIOp(invalid, e.cmp("olt", magnitude, e.c(INF)))).results[0]
    result = e.select(invalid, e.c(math.nan), signed)
    result = e.select(e.cmp("uno", x, y), e.add(x, y), result)
    unit = e.builder.insert(arith.AndIOp(e.cmp("oeq", magnitude, one), e.cmp("oeq", e.abs(y), e.c(INF)))).results[0]
    result = e.select(unit, one, result)
    result = e.select(e.cmp("oeq", y, e.c(0.0)), one, result)
    return e.select(e.cmp("oeq", x, one), one, result)


def _pow_ends(e: Emitter, magnitude: SSAValue, y: SSAValue, value: SSAValue) -> SSAValue:
    """The power of a magnitude, with what those of 0 and of infinity are."""
    growing = e.cmp("ogt", y, e.c(0.0))
    at_zero = e.select(growing, e.c(0.0), e.c(INF))
    at_infinity = e.select(growing, e.c(INF), e.c(0.0))
    value = e.select(e.cmp("oeq", magnitude, e.c(0.0)), at_zero, value)
    return e.select(e.cmp("oeq", magnitude, e.c(INF)), at_infinity, value)


def log_middle(w: Emitter, x: SSAValue) -> SSAValue:
    """log(x) in f64 to about 34 bits, for numbers that are no denormals there; some number for what is not positive or finite."""
    bits = w.isub(w.to_bits(x), w.ci(0x3FE6A09E667F3BCD))
    octaves = w.sar(bits, w.mantissa)
    f = w.sub(w.to_float(w.isub(w.to_bits(x), w.shl(octaves, w.mantissa))), w.c(1.0))
    square = w.mul(f, f)
    log = w.fma(square, w.fma(f, w.poly(f, k.LOG_MIDDLE), w.c(-0.5)), f)
    return w.fma(w.int_to_float(octaves), w.c(math.log(2)), log)


def _pow_narrow(e: Emitter, x: SSAValue, y: SSAValue) -> SSAValue:
    """f32: exp(y log|x|) in f64, both to about 34 bits; rounding that to f32 is all of the error."""
    magnitude = e.abs(x)
    w, (base, exponent) = _through_f64(e, [magnitude, y])
    # 0, infinity and NaN give some number here, which nothing is made of.
    power = w.at_least(w.at_most(w.mul(exponent, log_middle(w, base)), 200.0), -200.0)
    magic = w.c(1.5 * 2.0**w.mantissa + w.bias)
    shifted = w.fma(power, w.c(1 / math.log(2)), magic)
    r = w.fma(w.sub(shifted, magic), w.c(-math.log(2)), power)
    one = w.c(1.0)
    value = w.fma(w.fma(w.poly(r, k.EXP_MIDDLE), r, one), r, one)
    value = w.mul(value, w.to_float(w.shl(w.to_bits(shifted), w.mantissa)))
    narrow = e.builder.insert(arith.TruncFOp(value, e.type)).results[0]
    return _pow_signs(e, x, y, _pow_ends(e, magnitude, y, narrow))


def _pow_wide(e: Emitter, x: SSAValue, y: SSAValue) -> SSAValue:
    return _pow_signs(e, x, y, _pow_magnitude(e, e.abs(x), y))


def _through_f64(e: Emitter, values: list[SSAValue]) -> tuple[Emitter, list[SSAValue]]:
    wide = e.wide()
    return wide, [e.builder.insert(arith.ExtFOp(v, wide.type)).results[0] for v in values]


def powf(e: Emitter, x: SSAValue, y: SSAValue) -> SSAValue:
    """x^y with C's special cases: f32 computed in f64, f64 through a logarithm in two parts."""
    return _pow_narrow(e, x, y) if e.is_f32 else _pow_wide(e, x, y)


def _loop(
    builder: LocatedBuilder, constants: Constants, count: int, initial: list[SSAValue]
) -> tuple[scf.ForOp, LocatedBuilder, list[SSAValue], SSAValue]:
    """A counted scf.for with carried values; returns it, a builder inside, the carried arguments and the counter."""
    index = IndexType()
    bounds = [builder.insert(arith.ConstantOp.from_int_and_width(v, index)).result for v in (0, count, 1)]
    block = Block(arg_types=[index, *(v.type for v in initial)])
    loop = builder.insert(scf.ForOp(bounds[0], bounds[1], bounds[2], initial, Region(block)))
    inner = LocatedBuilder(InsertPoint.at_end(block), builder.location)
    return loop, inner, list(block.args[1:]), block.args[0]


def ipowi(builder: LocatedBuilder, constants: Constants, base: SSAValue, exponent: SSAValue) -> SSAValue:
    """Integer power by squaring, wrapping; a negative exponent gives 0, or +-1 for bases +-1."""
    type_: Attribute = base.type
    element = get_element_type_or_self(type_)
    assert isinstance(element, IntegerType)

    def insert(op_class: type, *operands: object) -> SSAValue:
        return builder.insert(op_class(*operands)).results[0]

    zero, one = constants.get(type_, 0), constants.get(type_, 1)
    loop, inner, (result, power, rest), _ = _loop(builder, constants, element.width.data, [one, base, exponent])
    bit = inner.insert(arith.AndIOp(rest, one)).result
    multiplied = inner.insert(arith.MuliOp(result, power)).result
    is_set = inner.insert(arith.CmpiOp(bit, one, "eq")).result
    chosen = inner.insert(arith.SelectOp(is_set, multiplied, result)).result
    squared = inner.insert(arith.MuliOp(power, power)).result
    shifted = inner.insert(arith.ShRUIOp(rest, one)).result
    inner.insert(scf.YieldOp(chosen, squared, shifted))
    minus_one = constants.get(type_, -1)
    odd = insert(arith.CmpiOp, insert(arith.AndIOp, exponent, one), one, "eq")
    alternating = insert(arith.SelectOp, odd, minus_one, one)
    negative = insert(arith.SelectOp, insert(arith.CmpiOp, base, minus_one, "eq"), alternating, zero)
    negative = insert(arith.SelectOp, insert(arith.CmpiOp, base, one, "eq"), one, negative)
    below = insert(arith.CmpiOp, exponent, zero, "slt")
    return insert(arith.SelectOp, below, negative, loop.results[0])


def remf(e: Emitter, x: SSAValue, y: SSAValue) -> SSAValue:
    """C's fmod, exact: long division on integer mantissas, one scf.for over the exponent difference.

    r = mantissa(x) * 2^(ex - ey) mod mantissa(y), ten (f32) or ten (f64) bits a step in 64-bit integers.
    """
    if e.is_f32:
        wide, values = _through_f64(e, [x, y])
        return e.builder.insert(arith.TruncFOp(_remf_wide(wide, *values, steps=30), e.type)).results[0]
    return _remf_wide(e, x, y, steps=212)


def _normalize(e: Emitter, bits: SSAValue) -> tuple[SSAValue, SSAValue]:
    """(mantissa with its leading one at bit 52, exponent) of the bits of a positive finite f64, denormals included."""
    value = e.to_float(bits)
    denormal = e.cmp("olt", value, e.c(2.0**-1022))
    scaled = e.to_bits(e.select(denormal, e.mul(value, e.c(2.0**54)), value))
    mantissa = e.or_(e.and_(scaled, e.ci((1 << 52) - 1)), e.ci(1 << 52))
    exponent = e.isub(e.shr(scaled, 52), e.select(denormal, e.ci(54), e.ci(0)))
    return mantissa, exponent


def _remf_wide(e: Emitter, x: SSAValue, y: SSAValue, steps: int) -> SSAValue:
    magnitude_bits = e.ci((1 << 63) - 1)
    x_bits, y_bits = e.and_(e.to_bits(x), magnitude_bits), e.and_(e.to_bits(y), magnitude_bits)
    x_mantissa, x_exponent = _normalize(e, x_bits)
    y_mantissa, y_exponent = _normalize(e, y_bits)
    difference = e.isub(x_exponent, y_exponent)
    per_step = e.ci(10)
    remainder = e.builder.insert(arith.RemUIOp(x_mantissa, y_mantissa)).result
    loop, inner_builder, (r, left), _ = _loop(e.builder, e.constants, steps, [remainder, difference])
    inner = Emitter(inner_builder, e.constants, e.type, e.machine)
    amount = inner.select(inner.icmp("sgt", left, per_step), per_step, left)
    amount = inner.select(inner.icmp("sgt", amount, inner.ci(0)), amount, inner.ci(0))
    shifted = inner_builder.insert(arith.ShLIOp(r, amount)).result
    reduced = inner_builder.insert(arith.RemUIOp(shifted, y_mantissa)).result
    inner_builder.insert(scf.YieldOp(reduced, inner.isub(left, amount)))
    # The remainder is an integer times 2^(ey - 1075): exact as two scalings.
    value = e.scale(e.int_to_float(loop.results[0]), e.isub(y_exponent, e.ci(1075)))
    result = e.copysign(value, x)
    smaller = e.icmp("ult", x_bits, y_bits)
    result = e.select(smaller, x, result)
    bad = e.cmp("uno", x, y)
    infinite = e.cmp("oeq", e.abs(x), e.c(INF))
    zero = e.cmp("oeq", y, e.c(0.0))
    bad = e.builder.insert(arith.OrIOp(bad, infinite)).result
    bad = e.builder.insert(arith.OrIOp(bad, zero)).result
    return e.select(bad, e.c(math.nan), result)
