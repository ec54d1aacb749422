"""Special functions of one double, for the interpreter's rules: written for their accuracy, not for speed."""

from __future__ import annotations

import math


def erf_inv(x: float) -> float:
    """Newton's iteration on erf (erfc in the tails) from Winitzki's approximation."""
    if math.isnan(x) or abs(x) >= 1:
        return math.copysign(math.inf, x) if abs(x) == 1 else math.nan
    if x == 0:
        return x
    size = abs(x)
    log = math.log1p(-size * size)
    first = 2 / (math.pi * 0.147) + log / 2
    y = math.sqrt(max(math.sqrt(first * first - log / 0.147) - first, 0.0)) or size * math.sqrt(math.pi) / 2
    for _ in range(4):
        error = (1 - size) - math.erfc(y) if size > 0.5 else size - math.erf(y)
        error = -error if size > 0.5 else error
        slope = 2 / math.sqrt(math.pi) * math.exp(-y * y)
        step = error / slope
        y += step / (1 + y * step)
    return math.copysign(y, x)


_EULER = 0.57721566490153286061


def lgamma(x: float) -> float:
    """`log |gamma(x)|`; infinity at the poles. Taylor's series around the zeros at 1 and 2, where the library loses digits."""
    if math.isinf(x) or (x <= 0 and x == math.floor(x)):
        return math.inf
    center = 1 if abs(x - 1) < 0.3 else 2
    if abs(x - center) >= 0.3:
        return math.lgamma(x)
    u = x - center
    terms = [(center - 1 - _EULER) * u]
    terms += [zeta(k, center) * (-u) ** k / k for k in range(2, 40)]
    return math.fsum(terms)


_DIGAMMA_ROOT = (1.4616321449683622, 9.549995429965697e-17)
"""The positive root, as the sum of two doubles."""


def digamma(x: float) -> float:
    """Reflection, recurrence up to 10, then the asymptotic series; Taylor's series near the root; NaN at the poles."""
    if math.isnan(x) or x == -math.inf or (x <= 0 and x == math.floor(x)):
        return math.nan
    if x == math.inf:
        return math.inf
    if x < 0:
        return digamma(-x) - 1 / x + math.pi / math.tan(math.pi * math.remainder(-x, 1))
    near = x - _DIGAMMA_ROOT[0] - _DIGAMMA_ROOT[1]
    if abs(near) < 0.2:
        return -math.fsum(zeta(k + 1, _DIGAMMA_ROOT[0]) * (-near) ** k for k in range(1, 30))
    parts: list[float] = []
    while x < 10:
        parts.append(-1 / x)
        x += 1
    inverse = 1 / (x * x)
    coefficients = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)
    series = 0.0
    for c in reversed(coefficients):
        series = (series + c) * inverse
    return math.fsum([*parts, math.log(x), -0.5 / x, -series])


_ZETA_TERMS = 12
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)


def zeta(x: float, q: float) -> float:
    """The Hurwitz zeta function, the sum of `(q + k)^-x`, by Euler-Maclaurin summation after the first terms.

    Not defined for x < 1, nor for q <= 0 unless x is whole; at a pole q it is infinite when x is even.
    """
    if math.isnan(x) or math.isnan(q) or x < 1:
        return math.nan
    if x == 1:
        return math.inf
    if q <= 0:
        if x != math.floor(x):
            return math.nan
        if q == math.floor(q):
            return math.inf if x % 2 == 0 else math.nan
    if math.isinf(x) or math.isinf(q):
        return _zeta_at_infinity(x, q)
    terms = max(_ZETA_TERMS, math.ceil(min(-q, 1e4)) + _ZETA_TERMS)
    parts = [_power(q + k, -x) for k in range(terms)]
    end = q + terms
    power = _power(end, -x)
    parts += [power * end / (x - 1), 0.5 * power]
    factor = x * power / end
    for k, b in enumerate(_BERNOULLI, 1):
        parts.append(b / math.factorial(2 * k) * factor)
        factor *= (x + 2 * k - 1) / end * ((x + 2 * k) / end)
    if math.inf in parts or -math.inf in parts:
        return sum(parts)
    return math.fsum(p for p in parts if not math.isnan(p))


def _power(base: float, exponent: float) -> float:
    """`base ** exponent` that overflows to infinity."""
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return math.copysign(math.inf, base) if exponent % 2 == 1 else math.inf


def _zeta_at_infinity(x: float, q: float) -> float:
    """The limits: only the term of the smallest |q + k| counts as x grows."""
    if math.isinf(q):
        return 0.0 if q > 0 else math.nan
    nearest = q if q > 0 else min(abs(q - math.floor(q)), abs(math.ceil(q) - q))
    return 0.0 if nearest > 1 else 1.0 if nearest == 1 else math.inf


def polygamma(n: float, x: float) -> float:
    """The derivative of order n of `digamma`; NaN unless n is a whole number."""
    if n == 0:
        return digamma(x)
    if math.isnan(n) or n < 0 or n != math.floor(n):
        return math.nan
    sign = -1.0 if int(n) % 2 == 0 else 1.0
    # The factorial and zeta may leave the range where their product does not.
    series = zeta(n + 1, x)
    if series == 0 or math.isinf(series) or math.isnan(series) or n <= 170:
        return sign * (float(math.factorial(int(n))) if n <= 170 else math.inf) * series
    size = math.lgamma(n + 1) + math.log(abs(series))
    return sign * math.copysign(math.exp(size) if size < 709.78 else math.inf, series)


def bessel_i1e(x: float) -> float:
    """`exp(-|x|) I1(x)`: the power series for small, the asymptotic series for large arguments."""
    size = abs(x)
    if math.isnan(x) or math.isinf(x):
        return x if math.isnan(x) else math.copysign(0.0, x)
    if size < 30:
        term, total, k = size / 2, 0.0, 0
        while term > 1e-18 * total or k < 4:
            total += term
            k += 1
            term *= size * size / 4 / (k * (k + 1))
        return math.copysign(total * math.exp(-size), x)
    term, total = 1.0, 1.0
    for k in range(1, 30):
        following = -term * (4.0 - (2 * k - 1) ** 2) / (k * 8 * size)
        if abs(following) >= abs(term):
            break
        term = following
        total += term
    return math.copysign(total / math.sqrt(2 * math.pi * size), x)
