"""math.fma of the interpreter rounds once: against exact fractions, where rounding twice would differ."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from xdsl.dialects.builtin import f64
from xdsl.dialects.math import FmaOp
from xdsl.utils.test_value import create_ssa_value

from stepwell.dialects.registry import interpreter_rules
from stepwell.ir.interpreter import Interpreter


def fma(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    op = FmaOp(*(create_ssa_value(f64) for _ in range(3)))
    rule = interpreter_rules()["math.fma"]
    return np.array([rule(Interpreter.__new__(Interpreter), op, t)[0] for t in zip(a, b, c, strict=True)])


def once(a: float, b: float, c: float) -> float:
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def halfway(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Products of 27 by 27 bits plus an addend whose last bit is just above half of, or far below, the sum's last."""
    a = rng.integers(1 << 26, 1 << 27, n).astype(float) * rng.choice([-1, 1], n)
    b = rng.integers(1 << 26, 1 << 27, n).astype(float)
    return a, b, rng.choice([-1.0, 1.0], n) * np.exp2(rng.integers(-60, 110, n).astype(float))


def cancelling(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    a, b = rng.standard_normal((2, n))
    return a, b, -(a * b) * rng.choice([1.0, 1 + 2.0**-52, 1 - 2.0**-50], n)


def anywhere(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every exponent, so that products overflow, underflow and become subnormal."""
    a, b, c = rng.standard_normal((3, n)) * np.exp2(rng.integers(-1060, 1020, (3, n)).astype(float))
    return a, b, c


@pytest.mark.parametrize("arguments", [halfway, cancelling, anywhere])
def test_double_precision_is_rounded_once(arguments):
    a, b, c = arguments(np.random.default_rng(7), 1000)
    got, want = fma(a, b, c), np.array([once(*map(float, t)) for t in zip(a, b, c, strict=True)])
    np.testing.assert_array_equal(got, want)
    with np.errstate(all="ignore"):
        assert (a * b + c != want).any(), "none of these arguments tells one rounding from two"


def test_zeros_keep_their_sign_and_specials_their_kind():
    inf, nan = math.inf, math.nan
    a = np.array([0.0, -0.0, -0.0, 1.0, inf, inf, nan, 0.0])
    b = np.array([1.0, 1.0, 1.0, 2.0, 0.0, 1.0, 1.0, inf])
    c = np.array([-0.0, -0.0, 0.0, -2.0, 1.0, -inf, 1.0, nan])
    want = np.array([0.0, -0.0, 0.0, 0.0, nan, nan, nan, nan])
    got = fma(a, b, c)
    np.testing.assert_array_equal(got, want)
    assert np.array_equal(np.signbit(got[:4]), np.signbit(want[:4]))
