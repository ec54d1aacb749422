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
    smaller = near.im / (root * 2.0) / size / back
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
    flat = z.im.equals(0.0) & (z.re >= 0.0)
    return Complex(root * cos(third), select(flat, z.im, root * sin(third)))
