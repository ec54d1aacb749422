"""Square roots by refined estimates: correctly rounded for every argument, whatever estimate a machine gives."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp

import stepwell
from stepwell.dialects.math import RsqrtEstimateOp
from stepwell.dialects.registry import interpreter_rules
from stepwell.ir.errors import UnsupportedError
from stepwell.ir.interpreter import Interpreter
from stepwell.passes.expand_math import ExpandMathPass
from stepwell.source import parse

PROGRAM = """func.func @main(%x: {t}) -> ({t}, {t}) {{
  %0 = stablehlo.sqrt %x : {t}
  %1 = stablehlo.rsqrt %x : {t}
  return %0, %1 : {t}, {t}
}}"""
EDGES = [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 4.0, 2.0, 0.25]


FUNCTION = """module attributes {{stepwell.target = {{level = "{level}", features = "+fma"}}}} {{
  func.func @f(%x: {t}) -> {t} {{
    %0 = {op} %x : {t}
    func.return %0 : {t}
  }}
}}"""


def expanded(op: str, name: str, count: int, level: str = "avx512") -> ModuleOp:
    module = parse(FUNCTION.format(op=op, t=f"vector<{count}x{name}>", level=level))
    ExpandMathPass().apply(None, next(iter(module.body.block.ops)))  # pyright: ignore
    module.verify()
    return module


def run(op: str, name: str, x: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return Interpreter(expanded(op, name, x.size), interpreter_rules()).call("f", [x])[0]


def square_roots_of(c: int, bits: int) -> list[int]:
    """All n with n^2 = c modulo 2^bits."""
    if c % 8 != 1:
        return []
    x, modulus = 1, 1 << bits
    for k in range(3, bits):
        if (x * x - c) % (1 << (k + 1)):
            x += 1 << (k - 1)
    return sorted({x % modulus, -x % modulus, (x + modulus // 2) % modulus, (-x + modulus // 2) % modulus})


def hard_cases(p: int, most: int) -> list[float]:
    """Numbers of p bits in [1, 4) whose root m + d is nearest to a middle m of two: 2^(2p) |x - m^2| is `most` at most."""
    middle = math.isqrt(1 << (2 * p + 1))
    found = []
    for bits, low, high in ((p + 1, 1 << p, middle), (p + 2, middle, 1 << (p + 1))):
        for r in range(-most, most + 1):
            for n in square_roots_of(-r % (1 << bits), bits):
                if low <= n < high:
                    found.append(math.ldexp((n * n + r) >> bits, bits - 2 * p))
    return found


def rounded(x: Fraction, p: int) -> Fraction:
    if x == 0:
        return x
    size = abs(x)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent -= Fraction(2) ** exponent > size
    unit = Fraction(2) ** (exponent - p + 1)
    return round(x / unit) * unit  # halves to even, as Python has it


def refined(x: Fraction, estimate: Fraction, p: int) -> Fraction:
    """What `math_expansions.roots` computes, in exact arithmetic rounded to p bits."""

    def fma(a: Fraction, b: Fraction, c: Fraction) -> Fraction:
        return rounded(a * b + c, p)

    half = Fraction(1, 2)
    g, h = rounded(x * estimate, p), rounded(half * estimate, p)
    for _ in range(1 if p == 24 else 2):
        rest = fma(-h, g, half)
        g, h = fma(g, rest, g), fma(h, rest, h)
    return fma(fma(-g, g, x), h, g)


@pytest.mark.parametrize("p", [24, 53])
def test_roots_next_to_the_middle_of_two_numbers_round_right_for_any_estimate(p):
    """Beyond these the error before the last rounding, less than u^2, cannot decide: others are 41 u^2 / 16 away."""
    rng = np.random.default_rng(1)
    cases = hard_cases(p, 41)
    assert len(cases) > 10
    for x in cases:
        want = Fraction(float(np.sqrt(np.float32(x) if p == 24 else np.float64(x))))
        for error in (-(2.0**-14.001), 2.0**-14.001, 0.0, *rng.uniform(-(2.0**-14.1), 2.0**-14.1, 9)):
            estimate = rounded(Fraction(1 / math.sqrt(x)) * (1 + Fraction(float(error))), 24)
            assert refined(Fraction(x), estimate, p) == want, (x.hex(), error)


@pytest.mark.parametrize(("name", "dtype", "p"), [("f32", np.float32, 24), ("f64", np.float64, 53)])
def test_the_steps_of_the_pass_are_correctly_rounded(name, dtype, p):
    rng = np.random.default_rng(2)
    info = np.finfo(dtype)
    x = np.concatenate(
        [
            np.array(hard_cases(p, 41)),
            np.exp2(rng.uniform(info.minexp - info.nmant, info.maxexp, 3000)),
            rng.uniform(1, 4, 3000),
            [info.tiny, info.max, float(info.smallest_subnormal), 2.0**-100, 2.0**-101, 2.0**-900 if p == 53 else 1],
        ]
    ).astype(dtype)
    np.testing.assert_array_equal(run("math.sqrt", name, x), np.sqrt(x))
    usual = x[x > 2.0 ** (-100 if p == 24 else -900)]
    usual = np.append(usual, np.zeros(5, dtype))  # all lanes are quick ones
    np.testing.assert_array_equal(run("math.sqrt", name, usual), np.sqrt(usual))
    edges = np.array([*EDGES, info.max], dtype)
    with np.errstate(all="ignore"):
        for numbers in (edges, np.abs(edges[[0, 2, 7, 8, 9, 10]])):
            got, want = run("math.sqrt", name, numbers), np.sqrt(numbers)
            np.testing.assert_array_equal(got, want)
            np.testing.assert_array_equal(np.signbit(got[want == 0]), np.signbit(want[want == 0]))


def test_only_vectors_that_are_slow_to_root_are_refined():
    def estimates(name, count, level):
        return sum(isinstance(op, RsqrtEstimateOp) for op in expanded("math.sqrt", name, count, level).walk())

    assert estimates("f32", 16, "avx512") == 1
    assert estimates("f64", 8, "avx512") == 1
    assert estimates("f32", 8, "avx512") == 0
    assert estimates("f32", 16, "avx2") == 0


@pytest.mark.parametrize(("name", "dtype"), [("f32", np.float32), ("f64", np.float64)])
@pytest.mark.parametrize("level", ["avx512", "avx2", "sse4.2"])
@pytest.mark.every(2)
def test_native_roots_are_right_with_tails_and_special_lanes(name, dtype, level):
    rng = np.random.default_rng(3)
    info, n = np.finfo(dtype), 1030
    roots = stepwell.compile(PROGRAM.format(t=f"tensor<{n}x{name}>"), simd=level)
    x = np.exp2(rng.uniform(info.minexp, info.maxexp, n)).astype(dtype)
    x[::7] = 0
    special = x.copy()
    edges = np.array([*EDGES, info.tiny, info.smallest_subnormal, info.max], dtype)
    special[::5] = np.resize(edges, special[::5].size)
    for numbers in (x, special):
        root, inverse = roots(numbers)
        with np.errstate(all="ignore"):
            want, exact = np.sqrt(numbers), 1 / np.sqrt(numbers.astype(np.longdouble))
        np.testing.assert_array_equal(root, want)
        np.testing.assert_array_equal(np.signbit(root[want == 0]), np.signbit(want[want == 0]))
        finite = np.isfinite(exact)
        error = np.abs(inverse[finite].astype(np.longdouble) - exact[finite]) / np.spacing(exact[finite].astype(dtype))
        assert error.max() <= 1.5
        np.testing.assert_array_equal(inverse[~finite], exact[~finite].astype(dtype))


@pytest.mark.parametrize("op", ["rsqrt", "reciprocal"])
def test_estimates_are_refused_where_there_is_no_instruction(op):
    text = f"""module attributes {{stepwell.target = #stepwell.target<{{level = "avx2"}}>}} {{
      func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {{
        %0 = math.{op}_estimate %x : tensor<4xf32>
        return %0 : tensor<4xf32>
      }}
    }}"""
    with pytest.raises(UnsupportedError):
        stepwell.compile(text, simd="avx2")


@pytest.mark.parametrize(("op", "exact"), [("rsqrt", lambda x: 1 / np.sqrt(x)), ("reciprocal", lambda x: 1 / x)])
def test_estimates_of_the_interpreter_are_no_better_than_they_must_be(op, exact):
    x = np.exp2(np.random.default_rng(4).uniform(-100, 100, 2000)).astype(np.float32)
    error = run(f"math.{op}_estimate", "f32", x).astype(np.float64) / exact(x.astype(np.float64)) - 1
    assert 2.0**-16 < np.abs(error).max() < 2.0**-14
