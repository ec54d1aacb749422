"""Interpreter rules of `math`: each op computed in at least twice the precision where it matters, then rounded once.

f32 and smaller are computed in f64 and rounded; f64 uses the platform's functions (within 1 ULP or so).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from xdsl.ir import Operation

from stepwell.dialects.interp import numerics as num
from stepwell.dialects.interp import special
from stepwell.dialects.interp.arith import dtype_of, finish, round_to, unsigned, widened
from stepwell.ir.interpreter import Interpreter, Rule, Value

Array = Any


def _elementwise(function: Callable[..., Array]) -> Rule:
    """A rule on the operands' own dtypes."""

    def rule(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
        del interp
        operands = [np.asarray(a, dtype_of(o)) for a, o in zip(args, op._operands, strict=True)]  # pyright: ignore[reportPrivateUsage]
        with np.errstate(all="ignore"):
            return (finish(function(*operands), op.results[0].type),)

    return rule


def _in_double(function: Callable[..., Array]) -> Rule:
    """A rule computed in f64 and rounded to the result's dtype."""

    def rule(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
        del interp
        with np.errstate(all="ignore"):
            result = np.asarray(function(*(np.asarray(a).astype(np.float64) for a in args)))
            return (finish(round_to(result, dtype_of(op.results[0])), op.results[0].type),)

    return rule


def _per_element(function: Callable[[float], float]) -> Callable[[Array], Array]:
    """Apply a scalar function to each element of an f64 array."""

    def apply(a: Array) -> Array:
        flat = np.fromiter((function(x) for x in a.ravel().tolist()), np.float64, a.size)
        return flat.reshape(a.shape)

    return apply


def _scaled(a: Array, b: Array) -> Array:
    """A * 2^floor(b); exponents beyond those that make a difference are bounded, so that they are integers."""
    steps = np.clip(np.nan_to_num(np.floor(b)), -5000, 5000).astype(np.int32)
    scaled = np.ldexp(a, steps)
    number = np.where(np.isnan(a), 1.0, a)
    scaled = np.where(b == -np.inf, number * 0.0, np.where(b == np.inf, number * np.inf, scaled))
    return np.where(np.isnan(b), b, scaled).astype(a.dtype)


def _estimated(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """A function in f64, cut to fifteen bits: no nearer than an instruction has to be."""

    def estimate(a: Array) -> Array:
        bits = np.asarray(function(a), np.float64).view(np.uint64) & ~np.uint64((1 << 38) - 1)
        return bits.view(np.float64)

    return estimate


def _round_half_away(a: Array) -> Array:
    whole = np.trunc(a)
    return np.copysign(np.where(np.abs(a - whole) >= 0.5, np.abs(whole) + 1.0, np.abs(whole)), a)


def _popcount(a: Array) -> Array:
    return a if a.dtype == np.bool_ else np.bitwise_count(unsigned(a)).astype(a.dtype)


def _smear(a: Array) -> Array:
    """Set every bit below the highest set one."""
    bits = np.array(unsigned(a))
    shift = 1
    while shift < 8 * bits.dtype.itemsize:
        bits = bits | (bits >> bits.dtype.type(shift))
        shift *= 2
    return bits


def _count_leading_zeros(a: Array) -> Array:
    if a.dtype == np.bool_:
        return ~a
    return (num.bit_width(a.dtype) - np.bitwise_count(_smear(a)).astype(np.int64)).astype(a.dtype)


def _count_trailing_zeros(a: Array) -> Array:
    if a.dtype == np.bool_:
        return ~a
    bits = unsigned(a)
    below = ~bits & (bits - bits.dtype.type(1))
    return np.minimum(np.bitwise_count(below), num.bit_width(a.dtype)).astype(a.dtype)


def _integer_power(base: Array, exponent: Array) -> Array:
    """Wrapping power; a negative exponent gives 1/base truncated (0 unless base is 1 or -1)."""
    base, exponent = widened(base), widened(exponent)
    result = np.ones(np.broadcast_shapes(base.shape, exponent.shape), base.dtype)
    power, left = np.broadcast_to(base, result.shape).copy(), np.where(exponent < 0, 0, exponent)
    for _ in range(8 * base.dtype.itemsize):
        result = np.where(left & 1, result * power, result)
        power, left = power * power, left >> 1
    odd = (exponent & 1) != 0
    negative = np.where(base == 1, 1, np.where(base == -1, np.where(odd, -1, 1), 0)).astype(base.dtype)
    return np.where(exponent < 0, negative, result)


def _fused(a: Array, b: Array, c: Array) -> Array:
    """a*b+c rounded once (the product of two f32 is exact in f64)."""
    dtype = a.dtype
    wide_a, wide_b, wide_c = (np.asarray(x).astype(np.float64) for x in (a, b, c))
    product = wide_a * wide_b
    total = product + wide_c
    if dtype == np.float64:
        return _fused_double(wide_a, wide_b, wide_c)
    return round_to(_round_sum_to_odd(product, wide_c, total), dtype)


def _round_sum_to_odd(a: Array, b: Array, total: Array) -> Array:
    """The f64 sum of two f64 numbers, rounded to odd (two-sum error), so that narrowing it rounds once."""
    error = _two_sum(a, b)[1]
    finite = np.isfinite(total) & (error != 0)
    toward = np.where((error > 0) == (total > 0), total, np.nextafter(total, 0.0))
    odd = (toward.view(np.uint64) | np.uint64(1)).view(np.float64)
    return np.where(finite, odd, total)


def _fused_double(a: Array, b: Array, c: Array) -> Array:
    """a*b+c in f64: by error-free transformations, or in fractions where these could overflow or underflow."""
    a, b, c = np.broadcast_arrays(a, b, c)
    product = a * b
    plain = product + c
    large = np.maximum(np.maximum(np.abs(a), np.abs(b)), np.maximum(np.abs(c), np.abs(product)))
    easy = (np.abs(product) > 1e-250) & (large < 1e290)
    result = np.where(easy, _fused_by_parts(a, b, c, product), plain)
    rounded_twice = np.isfinite(a) & np.isfinite(b) & np.isfinite(c) & (a != 0) & (b != 0)
    hard = np.flatnonzero((rounded_twice & ~easy).ravel())
    result.reshape(-1)[hard] = [_fused_in_fractions(*(float(x.ravel()[i]) for x in (a, b, c))) for i in hard]
    return result


def _two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """The rounded sum and its error: together exactly a + b."""
    total = a + b
    virtual = total - a
    return total, (a - (total - virtual)) + (b - virtual)


def _split(a: Array) -> tuple[Array, Array]:
    """Veltkamp: a as a sum of two numbers of 26 bits."""
    scaled = a * 134217729.0
    high = scaled - (scaled - a)
    return high, a - high


def _fused_by_parts(a: Array, b: Array, c: Array, product: Array) -> Array:
    """Boldo and Melquiond, "Emulation of FMA and correctly rounded sums": the errors' sum is rounded to odd."""
    (a1, a0), (b1, b0) = _split(a), _split(b)
    error = a0 * b0 - (((product - a1 * b1) - a0 * b1) - a1 * b0)
    low, low_error = _two_sum(c, error)
    high, high_error = _two_sum(product, low)
    rest = _round_sum_to_odd(low_error, high_error, low_error + high_error)
    return np.where(error == 0, product + c, high + rest)


def _fused_in_fractions(a: float, b: float, c: float) -> float:
    from fractions import Fraction

    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if exact == 0:
        return a * b + c
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


RULES: dict[str, Rule] = {
    "math.absf": _elementwise(np.abs),
    "math.absi": _elementwise(lambda a: a if a.dtype == np.bool_ else np.abs(widened(a))),
    "math.ceil": _elementwise(np.ceil),
    "math.floor": _elementwise(np.floor),
    "math.trunc": _elementwise(np.trunc),
    "math.copysign": _elementwise(np.copysign),
    "math.fma": _elementwise(_fused),
    "math.ctpop": _elementwise(_popcount),
    "math.ctlz": _elementwise(_count_leading_zeros),
    "math.cttz": _elementwise(_count_trailing_zeros),
    "math.ipowi": _elementwise(_integer_power),
    "math.roundeven": _in_double(np.rint),
    "math.round": _in_double(_round_half_away),
    "math.sqrt": _in_double(np.sqrt),
    "math.rsqrt": _in_double(lambda a: 1.0 / np.sqrt(a)),
    "math.cbrt": _in_double(np.cbrt),
    "math.exp": _in_double(np.exp),
    "math.exp2": _in_double(np.exp2),
    "math.expm1": _in_double(np.expm1),
    "math.log": _in_double(np.log),
    "math.log2": _in_double(np.log2),
    "math.log10": _in_double(np.log10),
    "math.log1p": _in_double(np.log1p),
    "math.powf": _in_double(np.power),
    "math.fpowi": _in_double(np.power),
    "math.sin": _in_double(np.sin),
    "math.cos": _in_double(np.cos),
    "math.tan": _in_double(np.tan),
    "math.asin": _in_double(np.arcsin),
    "math.acos": _in_double(np.arccos),
    "math.atan": _in_double(np.arctan),
    "math.atan2": _in_double(np.arctan2),
    "math.sinh": _in_double(np.sinh),
    "math.cosh": _in_double(np.cosh),
    "math.tanh": _in_double(np.tanh),
    "math.asinh": _in_double(np.arcsinh),
    "math.acosh": _in_double(np.arccosh),
    "math.atanh": _in_double(np.arctanh),
    "math.erf": _in_double(_per_element(math.erf)),
    "math.scaleb": _elementwise(_scaled),
    "math.rsqrt_estimate": _in_double(_estimated(lambda a: 1.0 / np.sqrt(a))),
    "math.reciprocal_estimate": _in_double(_estimated(lambda a: 1.0 / a)),
    "math.erfc": _in_double(_per_element(math.erfc)),
    "math.erf_inv": _in_double(_per_element(special.erf_inv)),
    "math.lgamma": _in_double(_per_element(special.lgamma)),
    "math.digamma": _in_double(_per_element(special.digamma)),
    "math.bessel_i1e": _in_double(_per_element(special.bessel_i1e)),
}
