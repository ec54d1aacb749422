"""Fit the polynomials of `passes/math_expansions/coefficients.py` (needs mpmath); `--write` rewrites that file.

Each is the Chebyshev interpolant of a smooth function on the reduced range, in the monomial basis, highest degree first, rounded
to the type's precision. The error printed is the largest relative (or absolute) one of the rounded polynomial, in high precision.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath as mp
import numpy as np

mp.mp.dps = 60
F = Callable[[Any], Any]


def chebyshev_fit(f: F, lo: Any, hi: Any, degree: int) -> list[Any]:
    """Coefficients (highest first) of the degree-`degree` interpolant of f at Chebyshev nodes of [lo, hi]."""
    n = degree + 1
    nodes = [(lo + hi) / 2 + (hi - lo) / 2 * mp.cos(mp.pi * (2 * k + 1) / (2 * n)) for k in range(n)]
    matrix = mp.matrix(n, n)
    rhs = mp.matrix(n, 1)
    for i, x in enumerate(nodes):
        for j in range(n):
            matrix[i, j] = x**j
        rhs[i] = f(x)
    solution = mp.lu_solve(matrix, rhs)
    return [solution[j] for j in reversed(range(n))]


def rational_fit(f: F, lo: Any, hi: Any, degrees: tuple[int, int]) -> tuple[list[float], list[float]]:
    """P and Q, of as many coefficients, with (1 + x P) / (1 + x Q) = f at Chebyshev nodes of [lo, hi], rounded to f64."""
    n, top = sum(degrees), degrees[0]
    nodes = [(lo + hi) / 2 + (hi - lo) / 2 * mp.cos(mp.pi * (2 * k + 1) / (2 * n)) for k in range(n)]
    matrix, rhs = mp.matrix(n, n), mp.matrix(n, 1)
    for i, x in enumerate(nodes):
        for j in range(n):
            matrix[i, j] = x**j if j < top else -f(x) * x ** (j - top)
        rhs[i] = (f(x) - 1) / x
    solution = [float(mp.nstr(c, 25)) for c in mp.lu_solve(matrix, rhs)]
    return solution[:top][::-1], solution[top:][::-1]


def largest_error(f: F, coefficients: list[float], lo: Any, hi: Any, relative: bool = True) -> Any:
    """The largest error of the rounded polynomial over 400 points."""
    worst = mp.mpf(0)
    for k in range(401):
        x = lo + (hi - lo) * mp.mpf(k) / 400
        want = f(x)
        got = mp.polyval([mp.mpf(c) for c in coefficients], x)
        error = abs(got - want)
        if relative and want != 0:
            error /= abs(want)
        worst = max(worst, error)
    return worst


def weighted_fit(f: F, weight: F, lo: Any, hi: Any, degree: int) -> tuple[list[float], float]:
    """The polynomial of the least largest `weight * error` (Lawson's iteration), and that error; enough for f32."""
    x = np.array([float((lo + hi) / 2 - (hi - lo) / 2 * mp.cos(mp.pi * (k + 0.5) / 1000)) for k in range(1000)])
    values, weights = (np.array([float(g(mp.mpf(v))) for v in x]) for g in (f, weight))
    powers = np.vander(x, degree + 1)
    emphasis, best = np.ones_like(x), (math.inf, np.zeros(degree + 1))
    for _ in range(200):
        scale = np.sqrt(emphasis) * weights
        found = np.linalg.lstsq(powers * scale[:, None], values * scale, rcond=None)[0]
        error = np.abs((powers @ found - values) * weights)
        best = min(best, (error.max(), found), key=lambda pair: pair[0])
        emphasis *= error / error.max() + 1e-3
        emphasis /= emphasis.mean()
    return [float(np.float32(c)) for c in best[1]], float(best[0])


def series(f: F, at: Any = 0) -> F:
    """f, with the removable singularity at 0 filled by its limit."""

    def g(x: Any) -> Any:
        return f(x) if abs(x) > mp.mpf(10) ** -15 else f(mp.mpf(10) ** -15)

    return g


ln2 = mp.log(2)
tan_pi_8 = mp.tan(mp.pi / 8)


def erfcx_scaled(k: Any) -> F:
    """(1 + 2x) exp(x^2) erfc(x) as a function of t = (x - k) / (x + k)."""

    def g(t: Any) -> Any:
        if t >= 1:
            return 2 / mp.sqrt(mp.pi)
        x = k * (1 + t) / (1 - t)
        if x > 50:
            # asymptotic series of erfcx
            total, term = mp.mpf(1), mp.mpf(1)
            for i in range(1, 20):
                term *= -(2 * i - 1) / (2 * x * x)
                total += term
            return (1 + 2 * x) * total / (x * mp.sqrt(mp.pi))
        return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)

    return g


half = ln2 / 2 * mp.mpf("1.01")
# name: (function, lo, hi, degree for f32 if it has this form too, degree for f64, relative)
FITS: dict[str, tuple[F, Any, Any, int | None, int, bool]] = {
    # exp(r) = 1 + r + r^2 * EXP(r)
    "EXP": (series(lambda r: (mp.exp(r) - 1 - r) / r**2), -half, half, 4, 9, True),
    # log(1+f) = f - f^2/2 + f^3 * LOG(f), f in [sqrt(1/2)-1, sqrt(2)-1]
    "LOG": (series(lambda f: (mp.log(1 + f) - f + f**2 / 2) / f**3), mp.sqrt(0.5) - 1, mp.sqrt(2) - 1, None, 20, True),
    # log(1+f) = 2s + s*z*LOG_S(z), s = f/(2+f), z = s^2
    "LOG_S": (
        series(lambda z: (2 * mp.atanh(mp.sqrt(z)) - 2 * mp.sqrt(z)) / mp.sqrt(z) ** 3),
        mp.mpf(0),
        mp.mpf("0.02945"),
        3,
        8,
        True,
    ),
    # sin(r) = r + r*z*SIN(z), cos(r) = 1 - z/2 + z^2*COS(z), z = r^2, |r| <= pi/4
    "SIN": (series(lambda z: (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z), mp.mpf(0), mp.mpf("0.6169"), 2, 6, True),
    "COS": (series(lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2), mp.mpf(0), mp.mpf("0.6169"), 2, 6, True),
    # atan(t) = t + t*z*ATAN(z), z = t^2, |t| <= tan(pi/8)
    "ATAN": (series(lambda z: (mp.atan(mp.sqrt(z)) / mp.sqrt(z) - 1) / z), mp.mpf(0), tan_pi_8**2, 4, 11, True),
    # asin(s) = s + s*z*ASIN(z), z = s^2, s <= 1/2
    "ASIN": (
        series(lambda z: (mp.asin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z),
        mp.mpf(0),
        mp.mpf("0.25"),
        4,
        12,
        True,
    ),
    # erf(x) = x + x*ERF(z), z = x^2, |x| <= 1
    "ERF": (series(lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1), mp.mpf(0), mp.mpf(1), 7, 14, False),
    # exp(x^2) erfc(x) (1 + 2x) = ERFCX(t), t = (x-k)/(x+k)
    "ERFCX": (erfcx_scaled(mp.mpf("2")), (mp.mpf("0.4") - 2) / (mp.mpf("0.4") + 2), mp.mpf("0.9"), 11, 24, True),
}

ERF_LIMIT = mp.mpf("0.9375")
# name: (function, weight of its error, lo, hi, degree), for f32 alone
WEIGHTED: dict[str, tuple[F, F, Any, Any, int]] = {
    # log(1+f) = f + f^2*LOG_NEAR(f), f in [sqrt(1/2)-1, sqrt(2)-1]
    "LOG_NEAR": (
        series(lambda f: (mp.log(1 + f) - f) / f**2),
        series(lambda f: f**2 / abs(mp.log(1 + f))),
        mp.sqrt(0.5) - 1,
        mp.sqrt(2) - 1,
        8,
    ),
    # erf(x) = x + x*ERF_NEAR(z), z = x^2, |x| <= ERF_LIMIT
    "ERF_NEAR": (
        series(lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1),
        series(lambda z: mp.sqrt(z) / mp.erf(mp.sqrt(z))),
        mp.mpf(0),
        ERF_LIMIT**2,
        5,
    ),
    # erf(x) = 1 - exp(ERF_TAIL(x)), ERF_LIMIT <= x <= 4
    "ERF_TAIL": (lambda x: mp.log(mp.erfc(x)), lambda x: mp.erfc(x) / mp.erf(x), ERF_LIMIT, mp.mpf(4), 6),
}

# name: (function, lo, hi, coefficients of numerator and denominator), for f64 alone
RATIONAL: dict[str, tuple[F, Any, Any, tuple[int, int]]] = {
    # tan(r) = r (1 + z*TAN_TOP(z)) / (1 + z*TAN_BOTTOM(z)), z = r^2, |r| <= pi/4
    "TAN": (series(lambda z: mp.tan(mp.sqrt(z)) / mp.sqrt(z)), mp.mpf(0), mp.mpf("0.6169"), (3, 4)),
}

# name: (fit, degree), in f64 for what is rounded to f32 in the end
BETWEEN = {"LOG_MIDDLE": ("LOG", 12), "EXP_MIDDLE": ("EXP", 6)}


def main() -> None:
    """Fit, print errors, and write the table when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    lines = [
        '"""Polynomial coefficients, highest degree first: written by `tools/fit_math.py`, do not edit."""',
        "",
        "from __future__ import annotations",
        "",
    ]
    for name, (f, lo, hi, degree32, degree64, relative) in FITS.items():
        for suffix, degree, dtype in (("32", degree32, np.float32), ("64", degree64, np.float64)):
            if degree is None:
                continue
            exact = chebyshev_fit(f, lo, hi, degree)
            rounded = [float(dtype(mp.nstr(c, 25))) for c in exact]
            error = largest_error(f, rounded, lo, hi, relative)
            print(f"{name}_{suffix}: degree {degree}, error 2^{mp.nstr(mp.log(error, 2), 4)}")
            lines.append(f"{name}_{suffix} = (")
            lines += [f"    {c!r}," for c in rounded]
            lines.append(")")
    for name, (f, weight, lo, hi, degree) in WEIGHTED.items():
        rounded, error = weighted_fit(f, weight, lo, hi, degree)
        print(f"{name}_32: degree {degree}, error 2^{np.log2(error):.1f}")
        lines += [f"{name}_32 = (", *(f"    {c!r}," for c in rounded), ")"]
    for name, (f, lo, hi, degrees) in RATIONAL.items():
        parts = rational_fit(f, lo, hi, degrees)

        def found(x: Any, parts: tuple[list[float], list[float]] = parts) -> Any:
            top, bottom = (1 + x * mp.polyval([mp.mpf(c) for c in part], x) for part in parts)
            return top / bottom

        error = max(abs(found(x) / f(x) - 1) for x in (lo + (hi - lo) * mp.mpf(k) / 400 for k in range(1, 401)))
        print(f"{name}: {degrees} coefficients, error 2^{mp.nstr(mp.log(error, 2), 4)}")
        for suffix, part in zip(("TOP", "BOTTOM"), parts, strict=True):
            lines += [f"{name}_{suffix}_64 = (", *(f"    {c!r}," for c in part), ")"]
    for name, (base, degree) in BETWEEN.items():
        f, lo, hi, *_ = FITS[base]
        rounded = [float(mp.nstr(c, 25)) for c in chebyshev_fit(f, lo, hi, degree)]
        print(f"{name}: degree {degree}, error 2^{mp.nstr(mp.log(largest_error(f, rounded, lo, hi), 2), 4)}")
        lines += [f"{name} = (", *(f"    {c!r}," for c in rounded), ")"]
    if arguments.write:
        target = Path(__file__).parent.parent / "passes" / "math_expansions" / "coefficients.py"
        target.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
