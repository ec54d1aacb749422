"""Square roots, their reciprocals and cube roots of complex numbers."""

from __future__ import annotations

import math

from stepwell.passes.complex_numbers.arithmetic import Complex, both, is_infinite, is_zero, scaled
from stepwell.passes.complex_numbers.reals import Real, atan2, cos, select, sin
from stepwell.passes.complex_numbers.reals import sqrt as real_sqrt


def _larger_root(z: Complex) -> tuple[Real, Real, Real]:
    """Of the scaled number: its magnitude, the larger part of its root; and what undoes the scaling of the root."""
    near = scaled(z)
    size = select(is_infinite(z), math.inf, real_sqrt(near.norm()))
    return size, real_sqrt((abs(near.re) + size) * 0.5), near.undo(2)


def sqrt(z: Complex) -> Complex:
    """The root in the right half plane: the larger part by a sum, the other by division."""
    _, root, back = _larger_root(z)
    larger = root * back
    smaller = z.im / (larger * 2.0)
    left = z.re < 0.0
    finite = Complex(select(left, abs(smaller), larger), select(left, larger.with_sign_of(z.im), smaller))
    upright = z.im.is_infinite()
    re = select(upright, math.inf, select(is_zero(z), 0.0, finite.re))
    return Complex(re, select(upright | is_zero(z), z.im, finite.im))


def rsqrt(z: Complex) -> Complex:
    """`conj(sqrt(z)) / |z|`; of zero an infinity without direction, of an infinity zero."""
    near = scaled(z)
    size, root, back = _larger_root(z)
    larger = root / size / back
    # The larger factor first, and lifted: a denormal quotient on the way would lose digits of a normal result.
    lift = 2.0**z.re.format.digits
    smaller = near.im * lift / size / (root * 2.0) / back / lift
    left = z.re < 0.0
    re = select(left, abs(smaller), larger)
    im = -select(left, larger.with_sign_of(z.im), smaller)
    zero = z.re.like(0.0)
    finite = both(is_zero(z), Complex(z.re.like(math.inf), z.re.like(math.nan)), Complex(re, im))
    return both(is_infinite(z), Complex(zero, -zero.with_sign_of(z.im)), finite)


def cbrt(z: Complex) -> Complex:
    """The principal root: a third of the angle."""
    near = scaled(z)
    root = select(is_infinite(z), math.inf, real_sqrt(near.norm()).unary("cbrt") * near.undo(3))
    third = atan2(z.im, z.re) / 3.0
    # A small angle may be denormal where its product with the root is not.
    small = (z.re > 0.0) & (abs(z.im) < z.re * 2.0 ** -(z.re.format.digits // 2 + 3))
    slight = select(z.im.equals(0.0), z.im, z.im * (root / z.re) / 3.0)
    zero = is_zero(z)
    im = select(small, slight, root * sin(third))
    return Complex(select(zero, z.re, root * cos(third)), select(zero, z.im, im))
