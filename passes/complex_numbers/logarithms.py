"""Logarithms of complex numbers, and what is made from them: powers and the arctangent of a quotient.

The logarithm of a magnitude near 1 is `log1p(|z|^2 - 1) / 2`, with the difference summed as if in three times the digits.
"""

from __future__ import annotations

import math

from xdsl.dialects.builtin import f32, f64

from stepwell.passes.complex_numbers import reals
from stepwell.passes.complex_numbers.arithmetic import (
    Complex,
    both,
    divide,
    is_infinite,
    is_zero,
    larger_part,
    multiply,
    scaled,
    scaling,
    times_i,
    times_minus_i,
)
from stepwell.passes.complex_numbers.reals import Flag, Real, exact_sum, select, two_square
from stepwell.passes.complex_numbers.roots import sqrt


def _near_one(norm: Real) -> Flag:
    """Where the logarithm of a squared magnitude comes from its difference to 1."""
    return (norm > 0.5) & (norm < 2.0)


def log_absolute(z: Complex) -> Real:
    """`log(|z|)`."""
    near = scaled(z)
    norm = near.norm()
    far = reals.log(norm) * 0.5 + near.exponent() * math.log(2.0)
    (a, b), (c, d) = two_square(near.re), two_square(near.im)
    difference = exact_sum([z.re.like(-1.0), a, c, b, d])
    close = reals.log1p(difference) * 0.5
    inside = _near_one(norm) & near.exponent().equals(0.0)
    return select(is_infinite(z), math.inf, select(inside, close, far))


def log(z: Complex) -> Complex:
    """`log(|z|) + i arg(z)`."""
    return Complex(log_absolute(z), reals.atan2(z.im, z.re))


def _norm_minus_one(z: Complex) -> Real:
    """`|1 + z|^2 - 1 = 2 x + x^2 + y^2`; tiny numbers scaled so that the squares do not underflow."""
    form = z.re.format
    exponent = form.grow // 2 - form.grow // 2 % 2
    tiny = larger_part(z) < 2.0 ** (form.tiny // 2)
    factor = select(tiny, z.re.like(2.0**exponent), 1.0)
    (a, b), (c, d) = two_square(z.re * factor), two_square(z.im * factor)
    total = exact_sum([z.re * 2.0 * factor * factor, c, a, d, b])
    return total / factor / factor


def log1p(z: Complex) -> Complex:
    """`log(|1 + z|) + i arg(1 + z)`."""
    shifted = Complex(z.re + 1.0, z.im)
    near = scaled(shifted)
    norm = near.norm()
    inside = _near_one(norm) & near.exponent().equals(0.0)
    re = select(inside, reals.log1p(_norm_minus_one(z)) * 0.5, log_absolute(shifted))
    return Complex(re, reals.atan2(z.im, shifted.re))


def _power(z: Complex, w: Complex) -> Complex:
    size, angle = log_absolute(z), reals.atan2(z.im, z.re)
    exponent, turn = w.re * size - w.im * angle, w.im * size + w.re * angle
    radius = reals.exp(exponent * 0.5)
    one, zero = z.re.like(1.0), z.re.like(0.0)
    flat = turn.equals(0.0)
    result = Complex(radius * reals.cos(turn) * radius, select(flat, turn, radius * reals.sin(turn) * radius))
    nowhere = Complex(z.re.like(math.nan), z.re.like(math.nan))
    of_zero = both(w.re > 0.0, Complex(zero, zero), nowhere)
    return both(is_zero(w), Complex(one, zero), both(is_zero(z), of_zero, result))


def power(z: Complex, w: Complex) -> Complex:
    """`exp(w log(z))`; 1 for `w = 0`, and 0 for `z = 0` where the exponent has a positive real part.

    The logarithm's error is multiplied by the exponent: numbers of f32 compute in f64, as real powers do.
    """
    if z.re.format is reals.DOUBLE:
        return _power(z, w)
    wide = _power(*(Complex(v.re.convert(f64), v.im.convert(f64)) for v in (z, w)))
    return Complex(wide.re.convert(f32), wide.im.convert(f32))


def atan2(y: Complex, x: Complex) -> Complex:
    """`-i log((x + i y) / sqrt(x^2 + y^2))`, both operands scaled by one power of two."""
    factor, _, _ = scaling(reals.maximum(larger_part(x), larger_part(y)))
    x, y = (Complex(v.re * factor, v.im * factor) for v in (x, y))
    turned = times_i(y)
    point = Complex(x.re + turned.re, x.im + turned.im)
    a, b = multiply(x, x), multiply(y, y)
    radius = sqrt(Complex(a.re + b.re, a.im + b.im))
    return times_minus_i(log(divide(point, radius)))
