"""Every expansion of expand-math against NumPy and mpmath-grade references: ULP bounds and edge values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from xdsl.builder import Builder, InsertPoint
from xdsl.dialects import func
from xdsl.dialects import math as math_dialect
from xdsl.dialects.builtin import DictionaryAttr, FunctionType, ModuleOp, StringAttr, VectorType, f32, f64
from xdsl.ir import Block, Region

from stepwell.dialects.arith import RemFOp
from stepwell.dialects.math import ErfcOp, ScaleBOp
from stepwell.dialects.registry import interpreter_rules
from stepwell.ir.interpreter import Interpreter
from stepwell.passes.expand_math import BINARY, UNARY, ExpandMathPass

TINY32 = np.float32(2.0**-149)
EDGES = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    math.inf,
    -math.inf,
    math.nan,
    1e-30,
    -1e-30,
    3e38,
    -3e38,
    2.5,
    -2.5,
    2.0**-140,
]

erf = np.vectorize(math.erf, otypes=[np.float64])
erfc = np.vectorize(math.erfc, otypes=[np.float64])

# op, NumPy reference in f64, range of random arguments, ULP bound for f32, for f64.
CASES: list[tuple[type, Any, tuple[float, float], float, float]] = [
    (math_dialect.ExpOp, np.exp, (-104, 89), 1.5, 2),
    (math_dialect.Exp2Op, np.exp2, (-149, 128), 1.5, 2),
    (math_dialect.ExpM1Op, np.expm1, (-20, 88), 3, 3),
    (math_dialect.LogOp, np.log, (1e-38, 100), 2, 2),
    (math_dialect.Log2Op, np.log2, (1e-38, 100), 3, 3),
    (math_dialect.Log10Op, np.log10, (1e-38, 100), 3, 3),
    (math_dialect.Log1pOp, np.log1p, (-0.999, 50), 3, 3),
    (math_dialect.SinOp, np.sin, (-100, 100), 1.5, 2),
    (math_dialect.CosOp, np.cos, (-100, 100), 1.5, 2),
    (math_dialect.TanOp, np.tan, (-100, 100), 3, 4),
    (math_dialect.AtanOp, np.arctan, (-10, 10), 3, 3),
    (math_dialect.AsinOp, np.arcsin, (-1, 1), 4, 4),
    (math_dialect.AcosOp, np.arccos, (-1, 1), 4, 4),
    (math_dialect.TanhOp, np.tanh, (-12, 12), 3, 3),
    (math_dialect.SinhOp, np.sinh, (-89, 89), 4, 4),
    (math_dialect.CoshOp, np.cosh, (-89, 89), 4, 4),
    (math_dialect.AsinhOp, np.arcsinh, (-1e5, 1e5), 4, 4),
    (math_dialect.AcoshOp, np.arccosh, (1, 1e5), 4, 4),
    (math_dialect.AtanhOp, np.arctanh, (-1, 1), 4, 4),
    (math_dialect.ErfOp, erf, (-5, 5), 1.5, 4),
    (ErfcOp, erfc, (-5, 10), 5, 6),
    (math_dialect.CbrtOp, np.cbrt, (-1e6, 1e6), 0.6, 1),
    (math_dialect.RsqrtOp, lambda x: 1 / np.sqrt(x), (1e-30, 1e30), 1.5, 1.5),
    (math_dialect.TruncOp, np.trunc, (-50, 50), 0, 0),
    (math_dialect.RoundOp, lambda x: np.copysign(np.floor(np.abs(x) + 0.5), x), (-50, 50), 0, 0),
]


def expanded(op_class: type, element: Any, count: int, arity: int, level: str = "sse4.2") -> Interpreter:
    vector = VectorType(element, [count])
    block = Block(arg_types=[vector] * arity)
    builder = Builder(InsertPoint.at_end(block))
    op = builder.insert(op_class.create(operands=list(block.args), result_types=[vector]))
    builder.insert(func.ReturnOp(op.results[0]))
    function = func.FuncOp("f", FunctionType.from_lists([vector] * arity, [vector]), Region(block))
    target = DictionaryAttr({"level": StringAttr(level), "features": StringAttr("+fma")})
    module = ModuleOp([function], {"stepwell.target": target})
    ExpandMathPass().apply(None, function)  # pyright: ignore
    module.verify()
    assert not any(type(o) in UNARY or type(o) in BINARY for o in module.walk())
    assert level == "avx512" or not any(isinstance(o, ScaleBOp) for o in module.walk())
    return Interpreter(module, interpreter_rules())


def run(op_class: type, element: Any, *arguments: np.ndarray, level: str = "sse4.2") -> np.ndarray:
    with np.errstate(all="ignore"):
        return expanded(op_class, element, arguments[0].size, len(arguments), level).call("f", arguments)[0]


def ulps(got: np.ndarray, exact: np.ndarray) -> float:
    """Largest distance from the f64 (or longdouble) reference in units of the result's last place."""
    with np.errstate(all="ignore"):
        want = exact.astype(got.dtype)
        spacing = np.spacing(np.abs(want)).astype(exact.dtype)
        spacing = np.maximum(spacing, np.finfo(got.dtype).smallest_subnormal)
        error = np.abs(got.astype(exact.dtype) - exact) / spacing
    finite = np.isfinite(want) & np.isfinite(got)
    return float(error[finite].max(initial=0.0))


def check_edges(got: np.ndarray, want: np.ndarray, arguments: np.ndarray, limit: float) -> None:
    for x, g, w in zip(arguments, got, want, strict=True):
        if np.isnan(w) or np.isinf(w) or w == 0:
            same = (np.isnan(w) and np.isnan(g)) or (g == w and np.signbit(g) == np.signbit(w))
            assert same, f"f({x!r}) = {g!r}, expected {w!r}"
        else:
            assert abs(float(g) - float(w)) <= max(limit, 1) * np.spacing(abs(w)), f"f({x!r}) = {g!r}, expected {w!r}"


@pytest.mark.parametrize(
    ("op_class", "reference", "bounds", "limit", "_limit64"), CASES, ids=lambda c: getattr(c, "name", None)
)
def test_f32_is_within_its_ulp_bound(op_class, reference, bounds, limit, _limit64):
    rng = np.random.default_rng(1)
    x = rng.uniform(*bounds, 20000).astype(np.float32)
    near = np.clip((rng.standard_normal(5000) * np.exp2(rng.uniform(-30, 2, 5000))), *bounds).astype(np.float32)
    x = np.concatenate([x, near])
    with np.errstate(all="ignore"):
        exact = reference(x.astype(np.float64))
        assert ulps(run(op_class, f32, x), exact) <= limit
        edges = np.array(EDGES, np.float32)
        check_edges(run(op_class, f32, edges), reference(edges.astype(np.float64)).astype(np.float32), edges, limit)


@pytest.mark.parametrize(
    ("op_class", "reference", "bounds", "_limit32", "limit"), CASES, ids=lambda c: getattr(c, "name", None)
)
def test_f64_is_within_its_ulp_bound(op_class, reference, bounds, _limit32, limit):
    rng = np.random.default_rng(2)
    x = np.concatenate(
        [rng.uniform(*bounds, 10000), np.clip(rng.standard_normal(3000) * np.exp2(rng.uniform(-60, 2, 3000)), *bounds)]
    )
    with np.errstate(all="ignore"):
        assert ulps(run(op_class, f64, x), reference(x)) <= limit + 1  # NumPy's own error
        edges = np.array([*EDGES, 5e-324, 1e308, -1e308])
        check_edges(run(op_class, f64, edges), reference(edges), edges, limit + 1)


OF_SOME_MACHINES = [
    case
    for case in CASES
    if case[0].name.removeprefix("math.") in "exp exp2 sinh cosh tanh tan atan erf erfc rsqrt cbrt".split()
]
"""Functions that scale by an op, or divide and take roots from estimates, where the machine has that."""


@pytest.mark.parametrize("element", [f32, f64])
@pytest.mark.parametrize(
    ("op_class", "reference", "bounds", "limit32", "limit64"), OF_SOME_MACHINES, ids=lambda c: getattr(c, "name", None)
)
def test_functions_by_ops_that_some_machines_have_are_within_the_same_bounds(
    op_class, reference, bounds, limit32, limit64, element
):
    dtype, limit = (np.float32, limit32) if element == f32 else (np.float64, limit64 + 1)
    rng = np.random.default_rng(11)
    low, high = bounds if element == f32 or op_class is ErfcOp else (8 * bounds[0], 7.9 * bounds[1])
    x = rng.uniform(low, high, 5000).astype(dtype)
    smallest, least = np.finfo(dtype).smallest_subnormal, {np.float32: (-150, 104), np.float64: (-1075, 746)}[dtype]
    borders = np.array([least[0], -least[1], -least[1] + 0.5, 128, 88.7, 89.5, 1024, 709.7, 710.5], dtype)
    edges = np.concatenate([np.array([*EDGES, smallest, -smallest], dtype), borders, np.nextafter(borders, dtype(0))])
    with np.errstate(all="ignore"):
        assert ulps(run(op_class, element, x, level="avx512"), reference(x.astype(np.float64))) <= limit
        got, want = run(op_class, element, edges, level="avx512"), reference(edges.astype(np.float64)).astype(dtype)
        check_edges(got, want, edges, limit)


@pytest.mark.parametrize("element", [f32, f64])
def test_sine_and_cosine_are_right_for_huge_arguments(element):
    dtype = np.float32 if element == f32 else np.float64
    rng = np.random.default_rng(3)
    x = np.exp(rng.uniform(10, 88 if element == f32 else 700, 2000)).astype(dtype) * rng.choice([-1, 1], 2000).astype(
        dtype
    )
    for op_class, reference in ((math_dialect.SinOp, np.sin), (math_dialect.CosOp, np.cos)):
        assert ulps(run(op_class, element, x), reference(x.astype(np.float64))) <= 2


@pytest.mark.parametrize("op_class", [math_dialect.LogOp, math_dialect.Log2Op, math_dialect.Log10Op])
def test_logarithms_beside_special_lanes_are_the_same(op_class):
    x = np.exp(np.random.default_rng(9).uniform(-87, 88, 1000)).astype(np.float32)
    x[:2] = np.finfo(np.float32).tiny, np.finfo(np.float32).max
    alone = run(op_class, f32, x)
    for special in (0.0, -0.0, -1.0, np.inf, np.nan, 1e-45, np.nextafter(np.finfo(np.float32).tiny, np.float32(0))):
        np.testing.assert_array_equal(run(op_class, f32, np.append(x, np.float32(special)))[:-1], alone)


@pytest.mark.parametrize("level", ["avx512", "sse4.2"])
def test_tangent_of_f64_is_right_around_multiples_of_an_eighth_turn(level):
    """Where it is near zero, one, or its poles: against more digits than a f64 has."""
    rng = np.random.default_rng(12)
    x = rng.integers(-4000, 4000, 4000) * (np.pi / 4) * (1 + rng.choice([0, 1e-15, 1e-9, 1e-3], 4000))
    x = np.concatenate([x, np.exp(rng.uniform(-700, 0, 1000)) * rng.choice([-1, 1], 1000)])
    assert ulps(run(math_dialect.TanOp, f64, x, level=level), np.tan(x.astype(np.longdouble))) <= 4


def test_sine_and_cosine_of_f32_are_right_at_multiples_of_a_quarter_turn():
    rng = np.random.default_rng(8)
    turns = np.concatenate([rng.integers(1, 100, 500), rng.integers(100, 41722, 5000), rng.integers(41722, 10**7, 500)])
    x = (turns * (np.pi / 2)).astype(np.float32)
    x = np.concatenate([np.nextafter(x, np.float32(0)), x, -np.nextafter(x, np.float32(np.inf))])
    for op_class, reference in ((math_dialect.SinOp, np.sin), (math_dialect.CosOp, np.cos)):
        small = x[np.abs(x) < 65536]
        assert ulps(run(op_class, f32, small), reference(small.astype(np.float64))) <= 1.5
        # Some lanes beyond the limit: the others stay as they are.
        np.testing.assert_array_equal(run(op_class, f32, x)[np.abs(x) < 65536], run(op_class, f32, small))
        assert ulps(run(op_class, f32, x), reference(x.astype(np.float64))) <= 1.5


@pytest.mark.parametrize("element", [f32, f64])
def test_pow_follows_c(element):
    dtype = np.float32 if element == f32 else np.float64
    rng = np.random.default_rng(4)
    x, y = np.exp(rng.uniform(-5, 5, 5000)).astype(dtype), rng.uniform(-15, 15, 5000).astype(dtype)
    with np.errstate(all="ignore"):
        exact = np.power(x.astype(np.longdouble), y.astype(np.longdouble))
        assert ulps(run(math_dialect.PowFOp, element, x, y), exact) <= (1 if element == f32 else 2)
        edges = np.array([*EDGES, 3.0, -3.0, 2.0, -2.0], dtype)
        a, b = (v.ravel() for v in np.meshgrid(edges, edges))
        got, want = run(math_dialect.PowFOp, element, a, b), np.power(a, b)
    for p, q, g, w in zip(a, b, got, want, strict=True):
        message = f"pow({p}, {q}) = {g}, expected {w}"
        assert (np.isnan(g) and np.isnan(w)) or np.isclose(g, w, rtol=1e-6, atol=0), message
        assert np.isnan(w) or np.signbit(g) == np.signbit(w), message


@pytest.mark.parametrize("element", [f32, f64])
def test_atan2_has_all_quadrants_and_signed_zeros(element):
    dtype = np.float32 if element == f32 else np.float64
    rng = np.random.default_rng(5)
    y, x = rng.standard_normal((2, 5000)).astype(dtype)
    edges = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 2.0], dtype)
    a, b = (v.ravel() for v in np.meshgrid(edges, edges))
    assert (
        ulps(run(math_dialect.Atan2Op, element, y, x), np.arctan2(y.astype(np.longdouble), x.astype(np.longdouble)))
        <= 4
    )
    np.testing.assert_allclose(run(math_dialect.Atan2Op, element, a, b), np.arctan2(a, b), rtol=1e-6, atol=0)
    assert np.array_equal(np.signbit(run(math_dialect.Atan2Op, element, a, b)), np.signbit(np.arctan2(a, b)))


@pytest.mark.parametrize("element", [f32, f64])
def test_float_remainder_is_exact(element):
    dtype = np.float32 if element == f32 else np.float64
    rng = np.random.default_rng(6)
    top = 80 if element == f32 else 700
    x = (np.exp(rng.uniform(-top, top, 2000)) * rng.choice([-1, 1], 2000)).astype(dtype)
    y = (np.exp(rng.uniform(-top, top, 2000)) * rng.choice([-1, 1], 2000)).astype(dtype)
    edges = np.array([*EDGES, 3.0, 5.5], dtype)
    a, b = (v.ravel() for v in np.meshgrid(edges, edges))
    with np.errstate(all="ignore"):
        for p, q in ((x, y), (a, b)):
            got, want = run(RemFOp, element, p, q), np.fmod(p, q)
            same = (got == want) | (np.isnan(got) & np.isnan(want))
            assert same.all(), (p[~same][:3], q[~same][:3], got[~same][:3], want[~same][:3])
