"""Inverse trigonometric and hyperbolic functions of complex numbers.

asin, acos, asinh and acosh are after Hull, Fairgrieve and Tang (1997): with the distances r, s of z from -1 and 1 and
`a = (r + s) / 2`, the angle comes from `sqrt((a + x)(a - x))` and the logarithm from `a - 1`, each difference rewritten so that
nothing cancels. atanh and atan are after Kahan (1987).
"""

from __future__ import annotations

import math

from stepwell.passes.complex_numbers.arithmetic import Complex, is_infinite, times_i, times_minus_i
from stepwell.passes.complex_numbers.reals import Real, atan2, log, log1p, maximum, minimum, select, sqrt


def _angle_and_logarithm(x: Real, y: Real) -> tuple[Real, Real]:
    """For x, y >= 0: `sqrt((a + x)(a - x))`, the cotangent side of the angle; and `log(a + sqrt(a^2 - 1))`."""
    form = x.format
    above, below = x + 1.0, x - 1.0
    squares = y * y
    r = sqrt(above * above + squares)
    s = select(below.equals(0.0), y, sqrt(below * below + squares))
    a = (r + s) * 0.5
    side, logarithm = _side(x, y, a, (r + above, s, below)), _logarithm(x, y, a, (r + above, s, below))
    larger, smaller = maximum(x, y), minimum(x, y)
    huge = larger >= 2.0**form.large
    ratio = smaller / larger
    far = log(larger) + math.log(2.0) + log1p(ratio * ratio) * 0.5
    infinite = x.is_infinite() | y.is_infinite()
    upright = x.equals(0.0) & y.is_nan()
    side = select(huge, y, select(upright, 1.0, side))
    return side, select(infinite, math.inf, select(huge, far, logarithm))


def _side(x: Real, y: Real, a: Real, parts: tuple[Real, Real, Real]) -> Real:
    """`sqrt((a + x)(a - x))`, with a - x as a sum of terms of one sign."""
    r_above, s, below = parts
    half = (a + x) * 0.5
    inner = sqrt(half * (y * y / r_above + (s - below)))
    outer = y * sqrt(half / r_above + half / (s + below))
    return select(x <= 1.0, inner, outer)


def _logarithm(x: Real, y: Real, a: Real, parts: tuple[Real, Real, Real]) -> Real:
    """`log1p(b + sqrt(b (a + 1)))` with b = a - 1, made twice as large (halved it may vanish); below the range of y^2, its limit."""
    r_above, s, below = parts
    squares = y * y
    rest = select(x < 1.0, squares / (s - below), s + below)
    double = squares / r_above + rest
    normal = log1p(double * 0.5 + sqrt(double * ((a + 1.0) * 0.5)))
    tiny = (y < 2.0**x.format.tiny) & (x < 1.0)
    return select(tiny, y / sqrt((1.0 - x) * (1.0 + x)), normal)


def asin_acos_kernel(z: Complex) -> Complex:
    """With `asin(z) = u + i v`, `cos(u) cosh(v) + i |v|`."""
    return Complex(*_angle_and_logarithm(abs(z.re), abs(z.im)))


def asin(z: Complex) -> Complex:
    """Inverse sine."""
    x = abs(z.re)
    side, logarithm = _angle_and_logarithm(x, abs(z.im))
    return Complex(atan2(x, side).with_sign_of(z.re), logarithm.with_sign_of(z.im))


def acos(z: Complex) -> Complex:
    """Inverse cosine."""
    side, logarithm = _angle_and_logarithm(abs(z.re), abs(z.im))
    return Complex(atan2(side, z.re), logarithm.with_sign_of(-z.im))


def asinh(z: Complex) -> Complex:
    """Inverse hyperbolic sine, `-i asin(i z)`."""
    return times_minus_i(asin(times_i(z)))


def acosh(z: Complex) -> Complex:
    """Inverse hyperbolic cosine."""
    side, logarithm = _angle_and_logarithm(abs(z.re), abs(z.im))
    return Complex(logarithm, atan2(side, z.re).with_sign_of(z.im))


def atanh(z: Complex) -> Complex:
    """Inverse hyperbolic tangent: `log1p(4 x / ((1 - x)^2 + y^2)) / 4` and half the angle of `1 - z^2`."""
    form = z.re.format
    x, y = abs(z.re), abs(z.im)
    rest = 1.0 - x
    squares = y * y
    normal = log1p(x * 4.0 / (rest * rest + squares)) * 0.25
    at_one = (math.log(2.0) - log(y)) * 0.5
    re = select(x.equals(1.0) & (y < 2.0**form.tiny), at_one, normal)
    im = atan2(y * 2.0, rest * (x + 1.0) - squares) * 0.5
    a, b = x * 2.0**form.shrink, y * 2.0**form.shrink
    huge = maximum(x, y) >= 2.0**form.large
    re = select(huge, a / (a * a + b * b) * 2.0**form.shrink, re)
    re = select(is_infinite(z) | x.equals(0.0), 0.0, re)
    straight = huge | y.is_infinite()
    return Complex(re.with_sign_of(z.re), select(straight, math.pi / 2, im).with_sign_of(z.im))


def atan(z: Complex) -> Complex:
    """Inverse tangent, `-i atanh(i z)`."""
    return times_minus_i(atanh(times_i(z)))
