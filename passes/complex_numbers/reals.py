"""`Real` and `Flag`: real tensors as Python numbers, so that an algorithm reads as it is written in a paper.

    x, y = reals.real(a), reals.real(b)
    size = sqrt(x * x + y * y)
    select(size < 1.0, size, 1.0 / size)

Every operator is one StableHLO op, rounded once; nothing below contracts or reassociates them (docs/floating-point.md), so
error-free transformations (`two_sum`, `two_product`) hold. Python numbers become constants, each made once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from xdsl.dialects.builtin import Float64Type, IntegerType
from xdsl.ir import Attribute, SSAValue

from stepwell.dialects import chlo
from stepwell.ir.dtypes import numpy_dtype
from stepwell.passes.hlo import Hlo, element_of, shape_of

Number: TypeAlias = "Real | float"


class Format(NamedTuple):
    """What the algorithms need to know of a floating-point format; all but `digits` are exponents of two."""

    digits: int
    """Bits of the significand."""
    large: int
    """From here on squares may overflow."""
    shrink: int
    """The factor for what is `large` (a multiple of 6: square and cube root are exact)."""
    tiny: int
    """Below this the lower half of a square may underflow."""
    grow: int
    """The factor for what is `tiny` (a multiple of 6)."""


SINGLE = Format(24, large=60, shrink=-66, tiny=-50, grow=102)
DOUBLE = Format(53, large=500, shrink=-600, tiny=-450, grow=702)


class Reals:
    """Makes the numbers of one expansion, at one place; what was made already is not made again."""

    def __init__(self, h: Hlo):
        self.h = h
        self._made: dict[tuple[Any, ...], SSAValue] = {}

    def make(self, name: str, *operands: SSAValue | Attribute | float, build: Callable[[], SSAValue]) -> SSAValue:
        """What `build` returns, once for a name and operands."""
        # Numbers by their text: 0.0 and -0.0 are equal, NaN is not equal to itself.
        key = (name, *(repr(o) if isinstance(o, float) else o for o in operands))
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = build()
        return made

    def real(self, value: SSAValue) -> Real:
        """A tensor of floats as a number."""
        return Real(self, value)

    def constant(self, number: float, like: SSAValue) -> SSAValue:
        """A number in every element of a tensor of the type of `like`."""
        return self.make("constant", number, like.type, build=lambda: self.h.like(number, like))


@dataclass(frozen=True, eq=False)
class Flag:
    """A tensor of booleans."""

    reals: Reals
    value: SSAValue

    def _binary(self, name: str, other: Flag) -> Flag:
        made = self.reals.make(
            name, self.value, other.value, build=lambda: self.reals.h.binary(name, self.value, other.value)
        )
        return Flag(self.reals, made)

    def __and__(self, other: Flag) -> Flag:
        return self._binary("and", other)

    def __or__(self, other: Flag) -> Flag:
        return self._binary("or", other)

    def __invert__(self) -> Flag:
        made = self.reals.make("not", self.value, build=lambda: self.reals.h.logical_not(self.value))
        return Flag(self.reals, made)


@dataclass(frozen=True, eq=False)
class Real:
    """A tensor of floats."""

    reals: Reals
    value: SSAValue

    @property
    def format(self) -> Format:
        """The format of the elements."""
        return DOUBLE if isinstance(element_of(self.value), Float64Type) else SINGLE

    def like(self, number: Number) -> Real:
        """`number` as a tensor of this one's type."""
        return number if isinstance(number, Real) else Real(self.reals, self.reals.constant(number, self.value))

    def _binary(self, name: str, left: Number, right: Number) -> Real:
        a, b = self.like(left).value, self.like(right).value
        return Real(self.reals, self.reals.make(name, a, b, build=lambda: self.reals.h.binary(name, a, b)))

    def unary(self, name: str) -> Real:
        """A StableHLO function of the elements."""
        made = self.reals.make(name, self.value, build=lambda: self.reals.h.unary(name, self.value))
        return Real(self.reals, made)

    def chlo(self, cls: Any) -> Real:
        """A CHLO function of the elements."""
        made = self.reals.make(cls.name, self.value, build=lambda: self.reals.h.insert(cls(self.value)))
        return Real(self.reals, made)

    def binary(self, name: str, other: Number) -> Real:
        """A StableHLO function of this and another number."""
        return self._binary(name, self, other)

    def __add__(self, other: Number) -> Real:
        return self._binary("add", self, other)

    def __radd__(self, other: float) -> Real:
        return self._binary("add", other, self)

    def __sub__(self, other: Number) -> Real:
        return self._binary("subtract", self, other)

    def __rsub__(self, other: float) -> Real:
        return self._binary("subtract", other, self)

    def __mul__(self, other: Number) -> Real:
        return self._binary("multiply", self, other)

    def __rmul__(self, other: float) -> Real:
        return self._binary("multiply", other, self)

    def __truediv__(self, other: Number) -> Real:
        return self._binary("divide", self, other)

    def __rtruediv__(self, other: float) -> Real:
        return self._binary("divide", other, self)

    def __neg__(self) -> Real:
        return self.unary("negate")

    def __abs__(self) -> Real:
        return self.unary("abs")

    def compare(self, direction: str, other: Number) -> Flag:
        """A comparison by its name, as "GE"; false with a NaN, but for "NE"."""
        a, b = self.value, self.like(other).value
        made = self.reals.make(direction, a, b, build=lambda: self.reals.h.compare(direction, a, b))
        return Flag(self.reals, made)

    def __lt__(self, other: Number) -> Flag:
        return self.compare("LT", other)

    def __le__(self, other: Number) -> Flag:
        return self.compare("LE", other)

    def __gt__(self, other: Number) -> Flag:
        return self.compare("GT", other)

    def __ge__(self, other: Number) -> Flag:
        return self.compare("GE", other)

    def equals(self, other: Number) -> Flag:
        """Whether the values are equal (`==` stays the identity of Python objects)."""
        return self.compare("EQ", other)

    def is_nan(self) -> Flag:
        """Whether it is NaN."""
        return self.compare("NE", self)

    def is_infinite(self) -> Flag:
        """Whether it is an infinity."""
        return abs(self).equals(math.inf)

    def is_finite(self) -> Flag:
        """Whether it is neither an infinity nor NaN."""
        made = self.reals.make("is_finite", self.value, build=lambda: self.reals.h.unary("is_finite", self.value))
        return Flag(self.reals, made)

    def with_sign_of(self, other: Real) -> Real:
        """This magnitude (it is not negative) with the sign bit of `other`."""
        h, bits = self.reals.h, IntegerType(64 if self.format is DOUBLE else 32)

        def sign() -> SSAValue:
            mask = h.broadcast(h.constant(np.iinfo(numpy_dtype(bits)).min, bits), shape_of(other.value), [])
            return h.logical_and(h.bitcast(other.value, bits), mask)

        def build() -> SSAValue:
            taken = self.reals.make("sign", other.value, build=sign)
            return h.bitcast(h.logical_or(h.bitcast(self.value, bits), taken), element_of(self.value))

        return Real(self.reals, self.reals.make("with_sign_of", self.value, other.value, build=build))

    def convert(self, element: Attribute) -> Real:
        """Rounded to another format."""
        made = self.reals.make("convert", self.value, element, build=lambda: self.reals.h.convert(self.value, element))
        return Real(self.reals, made)


def select(flag: Flag, on_true: Number, on_false: Number) -> Real:
    """`on_true` where the flag holds."""
    model = on_true if isinstance(on_true, Real) else on_false
    assert isinstance(model, Real)
    a, b, reals = model.like(on_true).value, model.like(on_false).value, model.reals
    return Real(reals, reals.make("select", flag.value, a, b, build=lambda: reals.h.select(flag.value, a, b)))


def maximum(a: Real, b: Real) -> Real:
    """The larger one; NaN when one is."""
    return a.binary("maximum", b)


def minimum(a: Real, b: Real) -> Real:
    """The smaller one; NaN when one is."""
    return a.binary("minimum", b)


def sqrt(x: Real) -> Real:
    """Square root, correctly rounded."""
    return x.unary("sqrt")


def exp(x: Real) -> Real:
    """The exponential function."""
    return x.unary("exponential")


def expm1(x: Real) -> Real:
    """`exp(x) - 1`."""
    return x.unary("exponential_minus_one")


def log(x: Real) -> Real:
    """The natural logarithm."""
    return x.unary("log")


def log1p(x: Real) -> Real:
    """`log(1 + x)`."""
    return x.unary("log_plus_one")


def sin(x: Real) -> Real:
    """Sine."""
    return x.unary("sine")


def cos(x: Real) -> Real:
    """Cosine."""
    return x.unary("cosine")


def sinh(x: Real) -> Real:
    """Hyperbolic sine."""
    return x.chlo(chlo.SinhOp)


def cosh(x: Real) -> Real:
    """Hyperbolic cosine."""
    return x.chlo(chlo.CoshOp)


def atan2(y: Real, x: Real) -> Real:
    """The angle of the point (x, y)."""
    return y.binary("atan2", x)


def two_sum(a: Real, b: Real) -> tuple[Real, Real]:
    """The rounded sum and its error, exactly (Knuth)."""
    total = a + b
    other = total - a
    return total, (a - (total - other)) + (b - other)


def _halves(x: Real) -> tuple[Real, Real]:
    """Two numbers of half the digits with this sum (Veltkamp); overflows for |x| near the largest number."""
    scaled = x * float((1 << (x.format.digits + 1) // 2) + 1)
    high = scaled - (scaled - x)
    return high, x - high


def two_square(x: Real) -> tuple[Real, Real]:
    """The rounded square and its error (Dekker), exactly unless it is below the smallest normal number."""
    square = x * x
    high, low = _halves(x)
    return square, ((high * high - square) + (high * low) * 2.0) + low * low


def two_product(a: Real, b: Real) -> tuple[Real, Real]:
    """The rounded product and its error (Dekker), exactly unless it is below the smallest normal number."""
    product = a * b
    (ah, al), (bh, bl) = _halves(a), _halves(b)
    return product, ((ah * bh - product) + ah * bl + al * bh) + al * bl


def exact_sum(terms: Sequence[Real]) -> Real:
    """A sum as if with three times the digits (Ogita, Rump and Oishi: SumK): right also where it cancels."""
    values = list(terms)
    for _ in range(2):
        for i in range(1, len(values)):
            values[i], values[i - 1] = two_sum(values[i], values[i - 1])
    total = values[0]
    for value in values[1:-1]:
        total = total + value
    return total + values[-1]


__all__ = [
    "DOUBLE",
    "SINGLE",
    "Flag",
    "Format",
    "Number",
    "Real",
    "Reals",
    "atan2",
    "cos",
    "cosh",
    "exact_sum",
    "exp",
    "expm1",
    "log",
    "log1p",
    "maximum",
    "minimum",
    "select",
    "sin",
    "sinh",
    "sqrt",
    "two_product",
    "two_square",
    "two_sum",
]
