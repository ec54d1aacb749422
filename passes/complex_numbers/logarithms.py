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
    square,
)
from stepwell.passes.complex_numbers.exponentials import exp
from stepwell.passes.complex_numbers.inverses import atan
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
    result = exp(multiply(w, log(z)))
    one, zero, nan = (z.re.like(number) for number in (1.0, 0.0, math.nan))
    of_zero = select(w.re > 0.0, zero, nan)
    return both(is_zero(w), Complex(one, zero), both(is_zero(z), Complex(of_zero, of_zero), result))


def power(z: Complex, w: Complex) -> Complex:
    """`exp(w log(z))`; 1 for `w = 0`, and 0 for `z = 0` where the exponent has a positive real part.

    The logarithm's error is multiplied by the exponent: numbers of f32 compute in f64, as real powers do.
    """
    if z.re.format is reals.DOUBLE:
        return _power(z, w)
    wide = _power(*(Complex(v.re.convert(f64), v.im.convert(f64)) for v in (z, w)))
    return Complex(wide.re.convert(f32), wide.im.convert(f32))


def atan2(y: Complex, x: Complex) -> Complex:
    """`-i log((x + i y) / sqrt(x^2 + y^2))`, as the arctangent t of the quotient of the smaller by the larger operand.

    With s = 1 where `larger * sqrt(1 + quotient^2)` is the root (s = -1 where it is the other one), the result is t, moved by a
    half turn for s = -1, or `s pi / 2 - t` where y is the larger one.
    """
    steep = larger_part(y) > larger_part(x)
    above, below = both(steep, x, y), both(steep, y, x)
    quotient = divide(above, below)
    squared = square(quotient)
    root = multiply(below, sqrt(Complex(squared.re + 1.0, squared.im)))
    positive = (root.re > 0.0) | (root.re.equals(0.0) & (root.im >= 0.0))
    angle = atan(quotient)
    half_turn = select(angle.re > 0.0, angle.re.like(-math.pi), math.pi)
    flat = select(positive, angle.re, angle.re + half_turn)
    upright = select(positive, angle.re.like(math.pi / 2), -math.pi / 2) - angle.re
    return Complex(select(steep, upright, flat), select(steep, -angle.im, angle.im))
