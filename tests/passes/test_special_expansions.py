"""The gamma family, Bessel's function and the inverse of erf: ULP bounds where nothing cancels, and lanes that do not disturb others."""

from __future__ import annotations

import math

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp

from stepwell.dialects.interp import special
from stepwell.dialects.math import ReciprocalEstimateOp
from stepwell.dialects.registry import interpreter_rules
from stepwell.ir.interpreter import Interpreter
from stepwell.passes.expand_math import UNARY, ExpandMathPass
from stepwell.source import parse

FUNCTION = """module attributes {{stepwell.target = {{level = "{level}", features = "+fma"}}}} {{
  func.func @f(%x: {t}) -> {t} {{
    %0 = math.{op} %x : {t}
    func.return %0 : {t}
  }}
}}"""
# Function, reference, ranges where nothing cancels, and a range of ordinary arguments beside.
CASES = {
    "lgamma": (special.lgamma, [(1e-30, 3), (0.9, 1.1), (1.9, 2.1), (2, 9), (8, 1e6)], (-9.7, -0.2)),
    "digamma": (special.digamma, [(1e-30, 3), (1.4, 1.5), (2.1, 9), (8, 1e6)], (-9.7, -0.2)),
    "bessel_i1e": (special.bessel_i1e, [(-9, 9), (7.9, 8.1), (8, 1e6)], (-1e5, -8)),
    "erf_inv": (special.erf_inv, [(-0.99, 0.99), (-1e-3, 1e-3)], (0.999, 0.99999)),
}
LIMITS = {"lgamma": 0.6, "digamma": 0.6, "bessel_i1e": 0.6, "erf_inv": 3.5}
"""Of f32: references have errors of their own in f64, whose last places `test_chlo_functions.py` looks at."""
INF, NAN = math.inf, math.nan
SPECIAL = {
    "lgamma": (
        [0.0, -0.0, -1.0, -4.0, INF, -INF, NAN, 1.0, 2.0, 3e38],
        [INF] * 6 + [NAN, 0.0, 0.0, special.lgamma(3e38)],
    ),
    "digamma": ([0.0, -0.0, -1.0, -7.0, INF, -INF, NAN], [NAN] * 4 + [INF, NAN, NAN]),
    "bessel_i1e": ([0.0, -0.0, INF, -INF, NAN], [0.0, -0.0, 0.0, -0.0, NAN]),
    "erf_inv": ([0.0, -0.0, 1.0, -1.0, 1.5, -2.0, INF, NAN], [0.0, -0.0, INF, -INF, NAN, NAN, NAN, NAN]),
}


def expanded(op: str, name: str, count: int, level: str) -> ModuleOp:
    module = parse(FUNCTION.format(op=op, t=f"vector<{count}x{name}>", level=level))
    ExpandMathPass().apply(None, next(iter(module.body.block.ops)))  # pyright: ignore
    module.verify()
    assert not any(type(o) in UNARY for o in module.walk())
    return module


def run(op: str, x: np.ndarray, level: str) -> np.ndarray:
    module = expanded(op, "f32" if x.dtype == np.float32 else "f64", x.size, level)
    with np.errstate(all="ignore"):
        return Interpreter(module, interpreter_rules()).call("f", [x])[0]


@pytest.mark.parametrize("level", ["avx512", "sse4.2"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("op", list(CASES))
def test_special_functions_are_within_their_ulp_bounds(op, dtype, level):
    reference, ranges, beside = CASES[op]
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.uniform(*bounds, 150) for bounds in ranges]).astype(dtype)
    want = np.array([reference(float(v)) for v in x])
    got = run(op, x, level)
    if dtype == np.float32:
        error = np.abs(got.astype(np.float64) - want) / np.spacing(np.abs(want).astype(dtype)).astype(np.float64)
        assert error.max() <= LIMITS[op], x[error.argmax()]
    else:
        np.testing.assert_allclose(got, want, rtol=2e-15, atol=0 if op in ("bessel_i1e", "erf_inv") else 1e-15)
    # What other lanes need done to them changes nothing here.
    others = rng.uniform(*beside, 50).astype(dtype)
    both = run(op, np.concatenate([x, others, np.array(SPECIAL[op][0], dtype)]), level)
    np.testing.assert_array_equal(both[: x.size], got)
    want = np.array([reference(float(v)) for v in others])
    close = 2e-6 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(both[x.size : x.size + 50], want, rtol=close, atol=8 * close)
    with np.errstate(over="ignore"):
        exact = np.array(SPECIAL[op][1], dtype)
    np.testing.assert_array_equal(both[x.size + 50 :], exact)
    known = ~np.isnan(exact)
    np.testing.assert_array_equal(np.signbit(both[x.size + 50 :][known]), np.signbit(exact[known]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_denormals_have_the_values_of_their_limits(dtype):
    least = np.finfo(dtype).smallest_subnormal
    tiny = np.array([least, 3 * least, np.finfo(dtype).tiny / 2], dtype)
    wide = tiny.astype(np.longdouble)
    close = {"rtol": 3 * np.finfo(dtype).eps}
    np.testing.assert_allclose(run("lgamma", tiny, "avx512"), -np.log(wide).astype(dtype), **close)
    np.testing.assert_array_equal(run("bessel_i1e", tiny, "avx512"), (wide / 2).astype(dtype))
    np.testing.assert_allclose(
        run("erf_inv", tiny, "avx512"),
        (wide * np.sqrt(np.longdouble(np.pi)) / 2).astype(dtype),
        atol=2 * least,
        **close,
    )
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(run("digamma", tiny, "avx512"), (-1 / wide).astype(dtype), **close)


def test_quotients_inside_of_functions_come_from_estimates_where_there_are_some():
    def estimates(level):
        return sum(isinstance(o, ReciprocalEstimateOp) for o in expanded("lgamma", "f32", 8, level).walk())

    assert (estimates("avx512"), estimates("avx2")) == (1, 0)
