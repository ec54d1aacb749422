"""Functions of complex arrays, for the interpreter rules of StableHLO and CHLO.

Computed in the next wider format (complex64 in complex128, complex128 in NumPy's `clongdouble`) and rounded once, with the
special values of C99 Annex G. Where NumPy has the function it is NumPy's. Products are the textbook formula in their own format.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Function = Callable[..., Array]


def widen(z: Array) -> Array:
    """The same numbers in the next wider complex format."""
    return z.astype(np.complex128 if z.dtype == np.complex64 else np.clongdouble)


def real(z: Array) -> Array:
    """The real parts."""
    return np.real(z)


def imag(z: Array) -> Array:
    """The imaginary parts."""
    return np.imag(z)


def join(re: Array, im: Array) -> Array:
    """Complex numbers from their parts, whatever is in them."""
    re, im = np.broadcast_arrays(re, im)
    result: Any = np.empty(re.shape, np.result_type(re.dtype, np.complex64))
    result.real, result.imag = re, im
    return result


def _rounded(function: Function) -> Function:
    """`function` in the wider format; complex results are rounded to the operands' type, real ones to its parts'."""

    def apply(*args: Array) -> Array:
        result = function(*(widen(a) for a in args))
        target = args[0].dtype if result.dtype.kind == "c" else real(args[0]).dtype
        return np.asarray(result.astype(target))

    return apply


def _is_infinite(z: Array) -> Array:
    return np.isinf(real(z)) | np.isinf(imag(z))


def _is_nan(z: Array) -> Array:
    return np.isnan(real(z)) | np.isnan(imag(z))


# Arithmetic.


def _multiply(a: Array, b: Array) -> Array:
    """The textbook formula, each operation rounded once."""
    return join(real(a) * real(b) - imag(a) * imag(b), real(a) * imag(b) + imag(a) * real(b))


def _square(z: Array) -> Array:
    x, y = real(z), imag(z)
    equal = (np.abs(x) == np.abs(y)) & np.isfinite(x)
    return join(np.where(equal, 0, (x - y) * (x + y)), 2 * (x * y))


def _boxed(z: Array, where: Array) -> Array:
    """There, infinite parts are 1 and finite ones 0, with their signs."""

    def part(x: Array) -> Array:
        return np.where(where, np.copysign(np.isinf(x).astype(x.dtype), x), x)

    return join(part(real(z)), part(imag(z)))


def _divide(a: Array, b: Array) -> Array:
    """The wider format's exponents leave room for the squares; infinite operands are directions, a zero divides the parts."""
    grown = _is_infinite(a) & np.isfinite(b)
    vanished = np.isfinite(a) & _is_infinite(b)
    p, q = _boxed(a, grown), _boxed(b, vanished)
    norm = real(q) * real(q) + imag(q) * imag(q)
    factor = np.where(grown, np.inf, np.where(vanished, 0, 1)).astype(norm.dtype)
    re = (real(p) * real(q) + imag(p) * imag(q)) / norm * factor
    im = (imag(p) * real(q) - real(p) * imag(q)) / norm * factor
    zero = b == 0
    return join(np.where(zero, real(a) / real(b), re), np.where(zero, imag(a) / real(b), im))


def _sign(z: Array) -> Array:
    unknown, size = _is_nan(z) | _is_infinite(z), np.abs(z)
    parts = (np.where(unknown, np.nan, np.where(size == 0, x, x / size)) for x in (real(z), imag(z)))
    return join(*parts)


def compare(name: str, a: Array, b: Array) -> Array:
    """The comparison "EQ", "NE", or the lexicographic "GE", "GT", "LE", "LT": a NaN is neither before, after nor equal."""
    if name == "NE":
        return (real(a) != real(b)) | (imag(a) != imag(b))
    parts = {"EQ": np.equal, "GE": np.greater_equal, "GT": np.greater, "LE": np.less_equal, "LT": np.less}
    first = {"G": np.greater, "L": np.less}.get(name[0])
    decided = np.zeros(np.broadcast_shapes(a.shape, b.shape), np.bool_) if first is None else first(real(a), real(b))
    return decided | ((real(a) == real(b)) & parts[name](imag(a), imag(b)))


def maximum(a: Array, b: Array) -> Array:
    """The later one in the lexicographic order; the one with a NaN, the first of two."""
    return np.where(_is_nan(a) | (~_is_nan(b) & compare("GE", a, b)), a, b)


def minimum(a: Array, b: Array) -> Array:
    """The earlier one in the lexicographic order; the one with a NaN, the first of two."""
    return np.where(_is_nan(a) | (~_is_nan(b) & compare("LE", a, b)), a, b)


def _clamp(low: Array, z: Array, high: Array) -> Array:
    return minimum(maximum(z, low), high)


# Roots.


def _rsqrt(z: Array) -> Array:
    root, size = np.sqrt(z), np.abs(z)
    re, im = real(root) / size, -imag(root) / size
    far, zero = _is_infinite(z), z == 0
    return join(
        np.where(zero, np.inf, np.where(far, 0, re)), np.where(zero, np.nan, np.where(far, np.copysign(0, im), im))
    )


def _cbrt(z: Array) -> Array:
    root, third = np.cbrt(np.abs(z)), np.arctan2(imag(z), real(z)) / 3
    flat = (imag(z) == 0) & (real(z) >= 0)
    return join(root * np.cos(third), np.where(flat, imag(z), root * np.sin(third)))


# Exponentials.


def _exp(z: Array) -> Array:
    """An infinite angle has no direction, however small or large the radius."""
    unknown = np.isinf(real(z)) & np.isinf(imag(z))
    return np.where(unknown, join(*[np.full(z.shape, np.nan, real(z).dtype)] * 2), np.exp(z))


def _expm1(z: Array) -> Array:
    x, y = real(z), imag(z)
    wave = np.sin(y / 2)
    far = real(_exp(z)) - 1
    near = np.expm1(x) * np.cos(y) - 2 * wave * wave
    re = np.where(np.abs(x) < 40, near, np.where(x == -np.inf, -1, far))
    return join(re, imag(_exp(z)))


def _logistic(z: Array) -> Array:
    """By the exponential that does not overflow."""
    t = np.exp(-np.abs(real(z)))
    lift = 2 * np.cos(imag(z) / 2) ** 2
    rest = np.expm1(-np.abs(real(z)))
    norm = rest * rest + 2 * t * lift
    unknown = np.isinf(real(z)) & ~np.isfinite(imag(z))
    re = np.where(real(z) < 0, t * (lift + rest), t * lift - rest) / norm
    re = np.where(unknown, np.where(real(z) > 0, 1, 0), re)
    flat = unknown | (imag(z) == 0)
    return join(re, np.where(flat, np.copysign(0, imag(z)), t * np.sin(imag(z)) / norm))


# Logarithms.


def _log1p(z: Array) -> Array:
    """Where `1 + x` is exact in the wider format, the logarithm of `1 + z`."""
    x, y = real(z), imag(z)
    small = np.log1p(x * (2 + x) + y * y) / 2
    return join(np.where(np.abs(x) < 1e-3, small, real(np.log(1 + z))), np.arctan2(y, 1 + x))


def _power(z: Array, w: Array) -> Array:
    nowhere = np.where(real(w) > 0, 0, np.nan)
    one = (w == 0).astype(real(z).dtype)
    result = _exp(_multiply(w, np.log(z)))
    re = np.where(w == 0, one, np.where(z == 0, nowhere, real(result)))
    return join(re, np.where(w == 0, 0, np.where(z == 0, nowhere, imag(result))))


def _atan2(y: Array, x: Array) -> Array:
    """`-i log((x + i y) / sqrt(x^2 + y^2))`: the arctangent of `y / x` or what `x / y` leaves of a right angle.

    It lies in the half plane of `x / sqrt(x^2 + y^2)`, or of `y / sqrt(x^2 + y^2)`.
    """
    steep = np.maximum(np.abs(real(y)), np.abs(imag(y))) > np.maximum(np.abs(real(x)), np.abs(imag(x)))
    below = np.where(steep, y, x)
    quotient = _divide(np.where(steep, x, y), below)
    root = _multiply(below, np.sqrt(1 + _square(quotient)))
    side = np.where((real(root) > 0) | ((real(root) == 0) & (imag(root) >= 0)), 1, -1)
    angle, pi = np.arctan(quotient), 4 * np.arctan(np.ones((), real(x).dtype))
    turned = np.where(side > 0, real(angle), real(angle) + np.where(real(angle) > 0, -pi, pi))
    re = np.where(steep, side * pi / 2 - real(angle), turned)
    return join(re, np.where(steep, -imag(angle), imag(angle)))


ON_COMPLEX: dict[str, Function] = {
    "chlo.acos": _rounded(np.arccos),
    "chlo.acosh": _rounded(np.arccosh),
    "chlo.asin": _rounded(np.arcsin),
    "chlo.asinh": _rounded(np.arcsinh),
    "chlo.atan": _rounded(np.arctan),
    "chlo.atanh": _rounded(np.arctanh),
    "chlo.conj": np.conj,
    "chlo.cosh": _rounded(np.cosh),
    "chlo.sinh": _rounded(np.sinh),
    "chlo.square": _rounded(_square),
    "chlo.tan": _rounded(np.tan),
    "stablehlo.abs": _rounded(np.abs),
    "stablehlo.atan2": _rounded(_atan2),
    "stablehlo.cbrt": _rounded(_cbrt),
    "stablehlo.clamp": _clamp,
    "stablehlo.cosine": _rounded(np.cos),
    "stablehlo.divide": _rounded(_divide),
    "stablehlo.exponential": _rounded(_exp),
    "stablehlo.exponential_minus_one": _rounded(_expm1),
    "stablehlo.log": _rounded(np.log),
    "stablehlo.log_plus_one": _rounded(_log1p),
    "stablehlo.logistic": _rounded(_logistic),
    "stablehlo.maximum": maximum,
    "stablehlo.minimum": minimum,
    "stablehlo.multiply": _multiply,
    "stablehlo.power": _rounded(_power),
    "stablehlo.rsqrt": _rounded(_rsqrt),
    "stablehlo.sign": _rounded(_sign),
    "stablehlo.sine": _rounded(np.sin),
    "stablehlo.sqrt": _rounded(np.sqrt),
    "stablehlo.tan": _rounded(np.tan),
    "stablehlo.tanh": _rounded(np.tanh),
}
"""What an elementwise op means on complex operands, by name, where it is not what it means on others."""


def by_kind(name: str, otherwise: Function) -> Function:
    """The function of an op: the one of the table on complex operands."""
    function = ON_COMPLEX.get(name)
    if function is None:
        return otherwise

    def apply(*args: Array) -> Array:
        return function(*args) if args[0].dtype.kind == "c" else otherwise(*args)

    return apply
