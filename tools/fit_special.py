"""Fit the polynomials of `passes/math_expansions/special_coefficients.py` (needs mpmath); `--write` rewrites that file.

As `tools/fit_math.py`, in double precision alone: CHLO's special functions are computed in f64. What ends in `_32` is for results that are
rounded to f32.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import mpmath as mp
from fit_math import F, chebyshev_fit, largest_error

TARGET = Path(__file__).parent.parent / "passes" / "math_expansions" / "special_coefficients.py"


def lgamma_quotient(center: Any) -> F:
    """`log gamma(x) / ((x - 1) (x - 2))`, smooth at both zeros, around a center."""

    def g(t: Any) -> Any:
        x = center + t
        if x == 1:
            return mp.euler
        if x == 2:
            return 1 - mp.euler
        return mp.loggamma(x) / ((x - 1) * (x - 2))

    return g


ROOT = mp.findroot(mp.digamma, mp.mpf("1.4616321449683623"))


def digamma_quotient(t: Any) -> Any:
    """`digamma(x) / (x - root)` for x = 3/2 + t."""
    x = mp.mpf(3) / 2 + t
    return mp.psi(1, ROOT) if x == ROOT else mp.digamma(x) / (x - ROOT)


def bessel_tail(t: Any) -> Any:
    """`sqrt(x) exp(-x) I1(x)` for 8 / x = (1 + t) / 2."""
    u = (1 + t) / 2
    if u == 0:
        return 1 / mp.sqrt(2 * mp.pi)
    x = 8 / u
    return mp.sqrt(x) * mp.exp(-x) * mp.besseli(1, x)


HALF = mp.mpf(1) / 2
FITS: tuple[tuple[str, F, Any, int], ...] = (
    ("LGAMMA_1_2", lgamma_quotient(mp.mpf(3) / 2), HALF, 22),
    ("LGAMMA_2_3", lgamma_quotient(mp.mpf(5) / 2), HALF, 17),
    ("DIGAMMA_1_2", digamma_quotient, HALF, 22),
    ("BESSEL_I1E_TAIL", bessel_tail, mp.mpf(1), 24),
    ("LGAMMA_1_2_32", lgamma_quotient(mp.mpf(3) / 2), HALF, 10),
    ("LGAMMA_2_3_32", lgamma_quotient(mp.mpf(5) / 2), HALF, 8),
    ("BESSEL_I1E_TAIL_32", bessel_tail, mp.mpf(1), 8),
)


def rounded(values: list[Any]) -> list[float]:
    """Doubles."""
    return [float(v) for v in values]


def main() -> None:
    """Print the errors; write the file when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    tables: list[tuple[str, list[float]]] = []
    for name, f, half, degree in FITS:
        coefficients = rounded(chebyshev_fit(f, -half, half, degree))
        print(f"{name}: degree {degree}, relative error {mp.nstr(largest_error(f, coefficients, -half, half), 3)}")
        tables.append((name, coefficients))
    terms = [1 / (2 * mp.factorial(k) * mp.factorial(k + 1) * mp.mpf(4) ** k) for k in range(27)]
    tables.append(("BESSEL_I1_SERIES", rounded(terms[::-1])))
    bernoulli = [mp.bernoulli(2 * k) for k in range(1, 12)]
    tables.append(("STIRLING", rounded([b / (2 * k * (2 * k - 1)) for k, b in enumerate(bernoulli, 1)][::-1])))
    tables.append(("DIGAMMA_TAIL", rounded([b / (2 * k) for k, b in enumerate(bernoulli, 1)][::-1])))
    high = float(ROOT)
    tables.append(("DIGAMMA_ROOT", [high, float(ROOT - mp.mpf(high))]))
    if not write:
        return
    lines = ['"""Polynomial coefficients, highest degree first: written by `tools/fit_special.py`, do not edit."""', ""]
    lines += ["from __future__ import annotations", ""]
    for name, values in tables:
        lines += [f"{name} = (", *(f"    {v!r}," for v in values), ")"]
    TARGET.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
