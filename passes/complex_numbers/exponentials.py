"""The exponential function of complex numbers and its kin: sin, cos, tan, sinh, cosh, tanh, logistic.

`exp(x)` overflows before `exp(x) * cos(y)` does: where it is near, the factor is split in two. A zero part stays zero beside
an infinite one, as in C99 Annex G.
"""

from __future__ import annotations

import math

from stepwell.passes.complex_numbers import reals
from stepwell.passes.complex_numbers.arithmetic import Complex, times_i, times_minus_i
from stepwell.passes.complex_numbers.reals import Flag, Real, select


def _exponent_limit(x: Real) -> float:
    """From here on `exp` is taken of the half: a bit below its overflow."""
    return 88.0 if x.format is reals.SINGLE else 709.0


def _polar(size: Real, half: Real, big: Flag, direction: Real) -> Real:
    """`size * direction`; where the size overflows, `half * half * direction` in the order that does not."""
    return select(big, half * direction * half, size * direction)


def exp(z: Complex) -> Complex:
    """`exp(x) * (cos(y) + i sin(y))`; NaN for an infinity in both parts, which has no direction."""
    x, y = z
    big = x > _exponent_limit(x)
    half = reals.exp(select(big, x * 0.5, x))
    re, im = _polar(half, half, big, reals.cos(y)), _polar(half, half, big, reals.sin(y))
    unknown = x.is_infinite() & y.is_nan()
    size = select(x > 0.0, x, 0.0)
    return Complex(select(unknown, size, re), select(y.equals(0.0), y, select(unknown & (x < 0.0), 0.0, im)))


def expm1(z: Complex) -> Complex:
    """`expm1(x) * cos(y) - 2 sin(y / 2)^2` and `exp(x) * sin(y)`."""
    x, y = z
    half_sine = reals.sin(y * 0.5)
    near = reals.expm1(x) * reals.cos(y) - (half_sine * half_sine) * 2.0
    far = exp(z)
    re = select(x > _exponent_limit(x), far.re - 1.0, near)
    return Complex(select(x.equals(-math.inf), -1.0, re), far.im)


def _hyperbolic(z: Complex) -> tuple[Complex, Complex]:
    """(sinh(x) cos(y), cosh(x) sin(y)) and (cosh(x) cos(y), sinh(x) sin(y)), not yet at zeros and infinities."""
    x, y = z
    cosine, sine = reals.cos(y), reals.sin(y)
    size = abs(x)
    big = size > _exponent_limit(x)
    half = reals.exp(select(big, size * 0.5, 0.0))
    quarter = half * 0.5
    unit = x.like(1.0).with_sign_of(x)
    sinh, cosh = reals.sinh(x), reals.cosh(x)

    def product(factor: Real, direction: Real, far: Real) -> Real:
        return select(big, quarter * far * half, factor * direction)

    first = Complex(product(sinh, cosine, unit * cosine), product(cosh, sine, sine))
    second = Complex(product(cosh, cosine, cosine), product(sinh, sine, unit * sine))
    return first, second


def sinh(z: Complex) -> Complex:
    """Hyperbolic sine."""
    (re, im), (x, y) = _hyperbolic(z)[0], z
    unknown = x.is_infinite() & ~y.is_finite()
    re = select(unknown, math.inf, select(x.equals(0.0), x, re))
    return Complex(re, select(y.equals(0.0), y, im))


def cosh(z: Complex) -> Complex:
    """Hyperbolic cosine."""
    (re, im), (x, y) = _hyperbolic(z)[1], z
    unknown = x.is_infinite() & ~y.is_finite()
    flat = y * x.like(1.0).with_sign_of(x)
    im = select(y.equals(0.0), flat, select(x.equals(0.0) & ~y.is_finite(), x, im))
    return Complex(select(unknown, math.inf, re), im)


def sin(z: Complex) -> Complex:
    """`i sinh(-i z)`."""
    return times_i(sinh(times_minus_i(z)))


def cos(z: Complex) -> Complex:
    """`cosh(i z)`."""
    return cosh(times_i(z))


def tanh(z: Complex) -> Complex:
    """`(sinh(x) cosh(x) + i sin(y) cos(y)) / (sinh(x)^2 + cos(y)^2)`: sums of squares, nothing cancels.

    Beyond half the digits of 1 - tanh(x) the real part is 1 and the imaginary one falls as `exp(-2 |x|)`.
    """
    x, y = z
    size = abs(x)
    far = size > (11.0 if x.format is reals.SINGLE else 22.0)
    inner = select(far, 0.0, x)
    sinh, cosh = reals.sinh(inner), reals.cosh(inner)
    sine, cosine = reals.sin(y), reals.cos(y)
    norm = sinh * sinh + cosine * cosine
    decay = reals.exp(-size)
    product = sine * cosine
    far_im = select(x.is_infinite() & ~y.is_finite(), 0.0, product * 4.0 * decay * decay)
    unit = x.like(1.0).with_sign_of(x)
    far_re = select(y.is_finite() | x.is_infinite(), unit, math.nan)
    re = select(far, far_re, select(x.equals(0.0), x, sinh * cosh / norm))
    return Complex(re, select(y.equals(0.0), y, select(far, far_im, product / norm)))


def tan(z: Complex) -> Complex:
    """`-i tanh(i z)`."""
    return times_minus_i(tanh(times_i(z)))


def logistic(z: Complex) -> Complex:
    """`1 / (1 + exp(-z))` from `t = exp(-|x|)`, with `|1 + t e^(iy)|^2 = (1 - t)^2 + 4 t cos(y / 2)^2`."""
    x, y = z
    t, rest = reals.exp(-abs(x)), reals.expm1(-abs(x))
    cosine = reals.cos(y * 0.5)
    lift = (cosine * cosine) * 2.0
    norm = rest * rest + t * lift * 2.0
    right = t * lift - rest
    left = t * (lift + rest)
    unknown = x.is_infinite() & ~y.is_finite()
    limit = select(x > 0.0, x.like(1.0), 0.0)
    re = select(unknown, limit, select(x < 0.0, left, right) / norm)
    return Complex(re, select(unknown | y.equals(0.0), y.like(0.0).with_sign_of(y), t * reals.sin(y) / norm))
