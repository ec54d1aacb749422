"""Complex arithmetic and comparisons on pairs of real numbers.

Sums and products are the textbook formulas, each operation rounded once, as in NumPy and XLA. Quotients, magnitudes and roots
scale by powers of two, so nothing overflows or underflows on the way; special values are those of C99 Annex G.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from stepwell.passes.complex_numbers.reals import Flag, Real, maximum, select, sqrt


class Complex(NamedTuple):
    """Real and imaginary part."""

    re: Real
    im: Real


@dataclass(frozen=True)
class Scaled:
    """A number times a power of two (its exponent is a multiple of 6) that makes squares safe."""

    re: Real
    im: Real
    large: Flag
    """Where it was divided."""
    tiny: Flag
    """Where it was multiplied."""

    def _choose(self, large: float, tiny: float, neutral: float) -> Real:
        return select(self.large, self.re.like(large), select(self.tiny, self.re.like(tiny), neutral))

    def norm(self) -> Real:
        """The squared magnitude of the scaled number."""
        return self.re * self.re + self.im * self.im

    def undo(self, root: int = 1) -> Real:
        """What undoes the factor, or its square or cube root, exactly."""
        form = self.re.format
        return self._choose(2.0 ** (-form.shrink // root), 2.0 ** (-form.grow // root), 1.0)

    def exponent(self) -> Real:
        """The exponent of two of what undoes the factor."""
        return self._choose(float(-self.re.format.shrink), float(-self.re.format.grow), 0.0)


def both(flag: Flag, on_true: Complex, on_false: Complex) -> Complex:
    """A selection of both parts."""
    return Complex(select(flag, on_true.re, on_false.re), select(flag, on_true.im, on_false.im))


def is_nan(z: Complex) -> Flag:
    """Whether a part is NaN."""
    return z.re.is_nan() | z.im.is_nan()


def is_infinite(z: Complex) -> Flag:
    """Whether a part is infinite, whatever the other is."""
    return z.re.is_infinite() | z.im.is_infinite()


def is_zero(z: Complex) -> Flag:
    """Whether both parts are zero."""
    return z.re.equals(0.0) & z.im.equals(0.0)


def larger_part(z: Complex) -> Real:
    """The larger one of the parts' magnitudes."""
    return maximum(abs(z.re), abs(z.im))


def scaling(size: Real) -> tuple[Real, Flag, Flag]:
    """A factor that brings `size` into the safe range, and where it divides and multiplies."""
    form = size.format
    large, tiny = size >= 2.0**form.large, size < 2.0**form.tiny
    return select(large, size.like(2.0**form.shrink), select(tiny, size.like(2.0**form.grow), 1.0)), large, tiny


def scaled(z: Complex) -> Scaled:
    """Brings a number into a range where squares neither overflow nor lose bits of the larger part."""
    factor, large, tiny = scaling(larger_part(z))
    return Scaled(z.re * factor, z.im * factor, large, tiny)


def add(a: Complex, b: Complex) -> Complex:
    """The sum."""
    return Complex(a.re + b.re, a.im + b.im)


def subtract(a: Complex, b: Complex) -> Complex:
    """The difference."""
    return Complex(a.re - b.re, a.im - b.im)


def negate(z: Complex) -> Complex:
    """`-z`."""
    return Complex(-z.re, -z.im)


def conj(z: Complex) -> Complex:
    """The conjugate."""
    return Complex(z.re, -z.im)


def multiply(a: Complex, b: Complex) -> Complex:
    """The product."""
    return Complex(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re)


def square(z: Complex) -> Complex:
    """`z * z` without cancellation; equal parts give an exact zero."""
    x, y = z
    equal = abs(x).equals(abs(y)) & x.is_finite()
    return Complex(select(equal, 0.0, (x - y) * (x + y)), (x * y) * 2.0)


def times_i(z: Complex) -> Complex:
    """`i * z`."""
    return Complex(-z.im, z.re)


def times_minus_i(z: Complex) -> Complex:
    """`-i * z`."""
    return Complex(z.im, -z.re)


def _boxed(z: Complex, flag: Flag) -> Complex:
    """Where the flag holds, infinite parts as 1 and finite ones as 0, with their signs: a direction."""

    def part(x: Real) -> Real:
        return select(flag, select(x.is_infinite(), x.like(1.0), 0.0).with_sign_of(x), x)

    return Complex(part(z.re), part(z.im))


def divide(a: Complex, b: Complex) -> Complex:
    """The quotient, from scaled operands.

    An infinity over something finite is an infinity, something finite over an infinity is a zero, and over zero the
    parts are divided by that zero.
    """
    finite_a, finite_b = a.re.is_finite() & a.im.is_finite(), b.re.is_finite() & b.im.is_finite()
    growing, vanishing = is_infinite(a) & finite_b, is_infinite(b) & finite_a
    p, q = scaled(a), scaled(b)
    norm = q.norm()
    # Two factors of half the exponent: their product may leave the range where the result does not.
    back = p.undo(2) / q.undo(2)
    above = multiply(Complex(p.re, p.im), Complex(q.re, -q.im))
    finite = Complex(*(part / norm * back * back for part in above))
    # Only the directions of infinite operands count.
    direction = multiply(_boxed(a, growing), conj(_boxed(b, vanishing)))
    factor = select(growing, a.re.like(math.inf), 0.0)
    special = Complex(direction.re * factor, direction.im * factor)
    return both(is_zero(b), Complex(a.re / b.re, a.im / b.re), both(growing | vanishing, special, finite))


def absolute(z: Complex) -> Real:
    """The magnitude; infinite when a part is, even beside NaN."""
    near = scaled(z)
    return select(is_infinite(z), math.inf, sqrt(near.norm()) * near.undo())


def sign(z: Complex) -> Complex:
    """`z / |z|`; zero stays, NaN and infinities have no direction here."""
    near = scaled(z)
    # Of a large number only halves are divided: scaled down, its smaller part might vanish.
    size = sqrt(near.norm()) * select(near.large, z.re.like(2.0 ** (-z.re.format.shrink - 1)), 1.0)
    unknown = is_nan(z) | is_infinite(z)

    def part(x: Real, scaled_x: Real) -> Real:
        quotient = select(near.large, x * 0.5, scaled_x) / size
        return select(unknown, math.nan, select(is_zero(z), x, quotient))

    return Complex(part(z.re, near.re), part(z.im, near.im))


def equal(a: Complex, b: Complex) -> Flag:
    """Whether both parts are equal."""
    return a.re.equals(b.re) & a.im.equals(b.im)


def compare(direction: str, a: Complex, b: Complex) -> Flag:
    """Equality, or the order of the real parts and among equal ones of the imaginary parts."""
    if direction == "EQ":
        return equal(a, b)
    if direction == "NE":
        return a.re.compare("NE", b.re) | a.im.compare("NE", b.im)
    return a.re.compare(direction[:1] + "T", b.re) | (a.re.equals(b.re) & a.im.compare(direction, b.im))


def _extremum(direction: str, a: Complex, b: Complex) -> Complex:
    first = is_nan(a) | (~is_nan(b) & compare(direction, a, b))
    return both(first, a, b)


def largest(a: Complex, b: Complex) -> Complex:
    """The later one in the lexicographic order; the one with a NaN, the first of two."""
    return _extremum("GE", a, b)


def smallest(a: Complex, b: Complex) -> Complex:
    """The earlier one in the lexicographic order; the one with a NaN, the first of two."""
    return _extremum("LE", a, b)
