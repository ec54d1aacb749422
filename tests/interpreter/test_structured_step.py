"""The structured step means what the program means: JAX's programs, and each elementwise op at its edges against NumPy."""

from __future__ import annotations

import itertools
import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp

from stepwell.arrays import load_arrays
from stepwell.compare import Tolerance, first_difference
from stepwell.dialects.registry import context, interpreter_rules
from stepwell.ir.interpreter import Interpreter, InterpreterError
from stepwell.ir.parser import parse_module
from stepwell.ir.verify import verify_module
from stepwell.passes.registry import get_pass

DATA = Path(__file__).parents[1] / "data" / "jax"
CASES = [json.loads(line) for line in (DATA / "cases.jsonl").read_text().splitlines()]
PASSES = ("prepare-entry", "convert-chlo-to-stablehlo", "convert-stablehlo-to-linalg")
TYPES = {
    **{f"i{w}": np.dtype(f"int{w}") for w in (8, 16, 32, 64)},
    **{f"ui{w}": np.dtype(f"uint{w}") for w in (8, 16, 32, 64)},
    "i1": np.dtype(bool),
    "f16": np.dtype(np.float16),
    "bf16": np.dtype(ml_dtypes.bfloat16),
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
}
FLOATS = ("f16", "bf16", "f32", "f64")
INTEGERS = tuple(t for t in TYPES if t not in (*FLOATS, "i1"))


def structured(text: str, name: str = "test.mlir") -> ModuleOp:
    ctx = context()
    module = parse_module(text, name, ctx)
    for pass_name in PASSES:
        get_pass(pass_name)().apply(ctx, module)
    verify_module(module)
    return module


def signless(array: np.ndarray) -> np.ndarray:
    """The same bits as the structured step holds them."""
    return array.view(f"i{array.dtype.itemsize}") if array.dtype.kind == "u" else array


def run(module: ModuleOp, inputs: list[np.ndarray]) -> list[np.ndarray]:
    inputs = [signless(a) for a in inputs]
    with np.errstate(all="raise"):
        return [np.asarray(r) for r in Interpreter(module, interpreter_rules()).call("main", inputs)]


def apply(op: str, inputs: list[np.ndarray], types: list[str], result: str) -> np.ndarray:
    """Run one elementwise op; `%s` in `op` stands for the operand list."""
    n = inputs[0].size
    args = ", ".join(f"%a{i}: tensor<{n}x{t}>" for i, t in enumerate(types))
    names = ", ".join(f"%a{i}" for i in range(len(types)))
    operands = ", ".join(f"tensor<{n}x{t}>" for t in types)
    text = f"""func.func @main({args}) -> tensor<{n}x{result}> {{
      %0 = {op % names} : ({operands}) -> tensor<{n}x{result}>
      return %0 : tensor<{n}x{result}>
    }}"""
    (got,) = run(structured(text), inputs)
    return got.view(TYPES[result])


def edge_integers(dtype: np.dtype[Any]) -> np.ndarray:
    info = np.iinfo(dtype)
    values = {info.min, info.min + 1, info.max - 1, info.max, 0, 1, 2, 3, 5, 7, 31, 32, 33, 63, 64, 100}
    if info.min:
        values |= {-1, -2, -3, -7, -100}
    return np.array(sorted(v for v in values if info.min <= v <= info.max), dtype)


def pairs(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    grid = list(itertools.product(range(values.size), repeat=2))
    return values[[i for i, _ in grid]], values[[j for _, j in grid]]


def wrap(value: int, dtype: np.dtype[Any]) -> int:
    bits = 8 * dtype.itemsize
    low = value % (1 << bits)
    return low - (1 << bits) if dtype.kind == "i" and low >> (bits - 1) else low


def truncated(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def shift(op: str, a: int, b: int, dtype: np.dtype[Any]) -> int:
    bits = 8 * dtype.itemsize
    amount, unsigned = b % (1 << bits), a % (1 << bits)
    if op == "shift_left":
        return unsigned << amount if amount < bits else 0
    if op == "shift_right_logical":
        return unsigned >> amount if amount < bits else 0
    signed = unsigned - (1 << bits) if unsigned >> (bits - 1) else unsigned
    return signed >> min(amount, bits - 1)


def power(a: int, b: int, dtype: np.dtype[Any]) -> int:
    if b >= 0:
        return pow(a, b, 1 << (8 * dtype.itemsize))
    return {1: 1, -1: -1 if b % 2 else 1}.get(a, 0)


INTEGER_OPS: dict[str, Any] = {
    "add": lambda a, b, d: a + b,
    "subtract": lambda a, b, d: a - b,
    "multiply": lambda a, b, d: a * b,
    "divide": lambda a, b, d: truncated(a, b) if b else -1,
    "remainder": lambda a, b, d: a - b * truncated(a, b) if b else a,
    "maximum": lambda a, b, d: max(a, b),
    "minimum": lambda a, b, d: min(a, b),
    "and": lambda a, b, d: a & b,
    "xor": lambda a, b, d: a ^ b,
    "power": power,
    **{
        op: (lambda a, b, d, op=op: shift(op, a, b, d))
        for op in ("shift_left", "shift_right_logical", "shift_right_arithmetic")
    },
}


@pytest.mark.parametrize("case", CASES, ids=[c["name"] for c in CASES])
@pytest.mark.every(2)
def test_jax_programs_mean_the_same(case):
    module = structured((DATA / case["mlir"]).read_text(), case["mlir"])
    expected = load_arrays(DATA / case["expected"])
    results = Interpreter(module, interpreter_rules()).call(
        "main", [signless(a) for a in load_arrays(DATA / case["inputs"])]
    )
    assert len(results) == len(expected)
    for got, want, rule in zip(results, expected, case["checks"], strict=True):
        tolerance = Tolerance() if rule["kind"] == "eq" else Tolerance(rule["rtol"], rule["atol"])
        same_bits = got if got.dtype == want.dtype else got.view(want.dtype)
        assert first_difference(same_bits, want, tolerance) is None


@pytest.mark.parametrize("element", INTEGERS)
@pytest.mark.parametrize("op", INTEGER_OPS)
@pytest.mark.every(3)
def test_integer_ops_at_their_edges(op, element):
    dtype = TYPES[element]
    lhs, rhs = pairs(edge_integers(dtype))
    want = [wrap(INTEGER_OPS[op](int(a), int(b), dtype), dtype) for a, b in zip(lhs, rhs, strict=True)]
    got = apply(f'"stablehlo.{op}"(%s)', [lhs, rhs], [element, element], element)
    np.testing.assert_array_equal(got, np.array(want, dtype))


@pytest.mark.parametrize("divisor", [0, -1, 1, 7, -128])
@pytest.mark.parametrize("op", ["divide", "remainder"])
def test_division_by_a_constant(op, divisor):
    x = edge_integers(np.dtype(np.int8))
    text = f"""func.func @main(%x: tensor<{x.size}xi8>) -> tensor<{x.size}xi8> {{
      %c = stablehlo.constant dense<{divisor}> : tensor<{x.size}xi8>
      %0 = stablehlo.{op} %x, %c : tensor<{x.size}xi8>
      return %0 : tensor<{x.size}xi8>
    }}"""
    (got,) = run(structured(text), [x])
    want = [wrap(INTEGER_OPS[op](int(a), divisor, x.dtype), x.dtype) for a in x]
    np.testing.assert_array_equal(got, np.array(want, np.int8))


def edge_floats(dtype: np.dtype[Any]) -> np.ndarray:
    info = ml_dtypes.finfo(dtype)
    big = [float(info.max), float(info.tiny), float(info.smallest_subnormal), 2.0**31, 2.0**32, 2.0**63, 2.0**64]
    values = [0.0, 0.5, 0.75, 1.0, 1.5, 2.5, 3.0, 127.0, 127.5, 128.0, 255.0, 256.0, 1e4, math.inf, *big]
    with np.errstate(all="ignore"):
        return np.array([*values, *(-v for v in values), math.nan]).astype(dtype)


@pytest.mark.parametrize("target", [*INTEGERS, "i1"])
@pytest.mark.parametrize("element", FLOATS)
def test_float_to_integer_saturates(element, target):
    x, dtype = edge_floats(TYPES[element]), TYPES[target]

    def convert(value: float) -> int:
        if dtype == np.bool_:
            return value != 0
        if math.isnan(value):
            return 0
        info = np.iinfo(dtype)
        return int(max(info.min, min(info.max, int(value) if math.isfinite(value) else value)))

    got = apply("stablehlo.convert %s", [x], [element], target)
    np.testing.assert_array_equal(got, np.array([convert(float(v)) for v in x], dtype))


@pytest.mark.parametrize("element", FLOATS)
@pytest.mark.parametrize("target", FLOATS)
def test_float_to_float_rounds_once(element, target):
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        x = np.concatenate([edge_floats(TYPES[element]), rng.standard_normal(200).astype(TYPES[element])])
    if target == "bf16" and element == "f64":
        x = np.concatenate([x, [1.00390625 + 2.0**-40, 1.00390625 - 2.0**-40, 1.00390625]])
    got = apply("stablehlo.convert %s", [x], [element], target)
    for value, result in zip(x, got, strict=True):
        check_rounding(float(value), float(result), TYPES[target])


def check_rounding(value: float, result: float, dtype: np.dtype[Any]) -> None:
    """No neighbour of `result` is nearer to `value`."""
    if not math.isfinite(value) or value == 0:
        assert result == value or (math.isnan(value) and math.isnan(result))
        assert math.copysign(1, result) == math.copysign(1, value) or math.isnan(value)
        return
    limit = float(ml_dtypes.finfo(dtype).max)
    if math.isinf(result):
        assert abs(value) > limit
        return
    bits = np.array(result).astype(dtype).view(f"i{dtype.itemsize}")
    for step in (-1, 1):
        neighbour = float((bits + bits.dtype.type(step)).view(dtype))
        if math.isfinite(neighbour):
            assert abs(Fraction(value) - Fraction(result)) <= abs(Fraction(value) - Fraction(neighbour))


@pytest.mark.parametrize("element", FLOATS)
def test_float_minimum_maximum_and_sign(element):
    x = edge_floats(TYPES[element])
    lhs, rhs = pairs(x)
    for op, sign in (("maximum", 1), ("minimum", -1)):
        got = apply(f'"stablehlo.{op}"(%s)', [lhs, rhs], [element, element], element).astype(np.float64)
        for a, b, r in zip(lhs.astype(float), rhs.astype(float), got, strict=True):
            if math.isnan(a) or math.isnan(b):
                assert math.isnan(r)
            else:
                want = max((a, b), key=lambda v: (sign * v, sign * math.copysign(1, v)))
                assert (r, math.copysign(1, r)) == (want, math.copysign(1, want))
    signs = apply("stablehlo.sign %s", [x], [element], element).astype(np.float64)
    for v, r in zip(x.astype(float), signs, strict=True):
        want = v if v == 0 or math.isnan(v) else math.copysign(1, v)
        np.testing.assert_array_equal(
            [r, math.copysign(1, r)], [want, math.copysign(1, want) if want == want else math.copysign(1, r)]
        )


@pytest.mark.parametrize("element", FLOATS)
def test_total_order(element):
    dtype = TYPES[element]
    with np.errstate(all="ignore"):
        ordered = np.array([-math.inf, -2.5, -1.0, -0.0, 0.0, 1.0, 2.5, math.inf]).astype(dtype)
    negative_nan = np.array([math.nan]).astype(dtype)
    negative_nan = np.copysign(negative_nan, np.array([-1.0]).astype(dtype))
    ordered = np.concatenate([negative_nan, ordered, -negative_nan])
    lhs, rhs = pairs(ordered)
    ranks = pairs(np.arange(ordered.size))
    for direction, compare in (("LT", np.less), ("GE", np.greater_equal), ("EQ", np.equal)):
        direction_text = f"comparison_direction = #stablehlo<comparison_direction {direction}>"
        properties = f"<{{{direction_text}, compare_type = #stablehlo<comparison_type TOTALORDER>}}>"
        got = apply(f'"stablehlo.compare"(%s) {properties}', [lhs, rhs], [element, element], "i1")
        np.testing.assert_array_equal(got, compare(*ranks))


@pytest.mark.parametrize("exponent", [1.0, 2.0, 3.0, 4.0, -1.0, 0.5, 2.5])
def test_power_by_a_constant(exponent):
    x = np.array([0.0, 0.25, 1.0, 1.5, 2.0, 7.3, 100.0], np.float32)
    text = f"""func.func @main(%x: tensor<7xf32>) -> tensor<7xf32> {{
      %c = stablehlo.constant dense<{exponent}> : tensor<7xf32>
      %0 = stablehlo.power %x, %c : tensor<7xf32>
      return %0 : tensor<7xf32>
    }}"""
    (got,) = run(structured(text), [x])
    with np.errstate(all="ignore"):
        want = np.power(x.astype(np.float64), exponent)
    np.testing.assert_allclose(got, want, rtol=3e-7)


@pytest.mark.parametrize(("element", "rtol"), [("f32", 2e-6), ("f64", 1e-14)])
def test_erf_inv_inverts_erf(element, rtol):
    y = np.array([0.0, 1e-6, 0.1, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0])
    x = np.array([math.erf(v) for v in y]).astype(TYPES[element])
    signed = np.concatenate([x, -x, np.array([1.0, -1.0, 1.5], x.dtype)])
    got = apply('"chlo.erf_inv"(%s)', [signed], [element], element).astype(np.float64)
    # The inverse is as good as x is exact: an ulp of x moves it by ulp / erf'(y).
    slack = np.finfo(TYPES[element]).eps * np.sqrt(np.pi) / 2 * np.exp(y * y)
    assert (np.abs(got[: y.size] - y) <= rtol * y + slack).all()
    np.testing.assert_array_equal(got[y.size : 2 * y.size], -got[: y.size])
    np.testing.assert_array_equal(got[2 * y.size :], [math.inf, -math.inf, math.nan])


def test_division_by_zero_in_arith_is_an_error():
    text = """func.func @main(%a: i32, %b: i32) -> i32 {
      %0 = arith.divsi %a, %b : i32
      func.return %0 : i32
    }"""
    module = parse_module(text, "test.mlir", context())
    with pytest.raises(InterpreterError, match="division by zero"):
        run(module, [np.int32(1), np.int32(0)])


def test_extract_out_of_bounds_is_an_error():
    text = """func.func @main(%x: tensor<4xf32>, %i: index) -> f32 {
      %0 = tensor.extract %x[%i] : tensor<4xf32>
      func.return %0 : f32
    }"""
    module = parse_module(text, "test.mlir", context())
    interpreter = Interpreter(module, interpreter_rules())
    assert interpreter.call("main", [np.arange(4, dtype=np.float32), 3]) == (3.0,)
    with pytest.raises(InterpreterError, match="index -1 of dimension 0 out of bounds"):
        interpreter.call("main", [np.arange(4, dtype=np.float32), -1])
