"""Reductions that select give the first of the best, at every vector width, however their lines are split."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import stepwell

DTYPES = {
    "f32": np.float32,
    "bf16": ml_dtypes.bfloat16,
    "i8": np.int8,
    "ui16": np.uint16,
    "i64": np.int64,
}

JAX = """
  %better = stablehlo.compare {op}, %a, %b, {kind} : (tensor<{t}>, tensor<{t}>) -> tensor<i1>
  %nan = stablehlo.compare NE, %a, %a, {kind} : (tensor<{t}>, tensor<{t}>) -> tensor<i1>
  %keep = stablehlo.or %better, %nan : tensor<i1>
  %equal = stablehlo.compare EQ, %a, %b, {kind} : (tensor<{t}>, tensor<{t}>) -> tensor<i1>
  %first = stablehlo.compare LT, %i, %j, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
  %tie = stablehlo.and %equal, %first : tensor<i1>
  %keep_index = stablehlo.or %keep, %tie : tensor<i1>
  %v = stablehlo.select %keep, %a, %b : tensor<i1>, tensor<{t}>
  %k = stablehlo.select %keep_index, %i, %j : tensor<i1>, tensor<i32>"""
"""What JAX writes: of equal elements it keeps the value of the last, and the number of the first."""

PLAIN = """
  %keep = stablehlo.compare {op}, %a, %b, {kind} : (tensor<{t}>, tensor<{t}>) -> tensor<i1>
  %v = stablehlo.select %keep, %a, %b : tensor<i1>, tensor<{t}>
  %k = stablehlo.select %keep, %i, %j : tensor<i1>, tensor<i32>"""
"""One comparison: with GE the first of equals, with GT the last; NaN makes way for whatever comes next."""


def kind_of(dtype: str) -> str:
    return "UNSIGNED" if dtype[0] == "u" else "SIGNED" if dtype[0] == "i" else "FLOAT"


def worst(dtype: str, op: str) -> str:
    """What no element is worse than."""
    if kind_of(dtype) == "FLOAT":
        return {
            "f32": "0x{:08X}".format(0xFF800000 if op[0] == "G" else 0x7F800000),
            "bf16": "0x{:04X}".format(0xFF80 if op[0] == "G" else 0x7F80),
        }[dtype]
    limits = np.iinfo(DTYPES[dtype])
    return str(limits.min if op[0] == "G" else limits.max)


def selection(name: str, shape: tuple[int, ...], dim: int, dtype: str, op: str, body: str, valued: bool = False) -> str:
    """A function that selects along a dim."""
    source = "x".join(map(str, shape))
    kept = "".join(f"{s}x" for d, s in enumerate(shape) if d != dim)
    value, index = f"tensor<{kept}{dtype}>", f"tensor<{kept}i32>"
    results, types = ("%r#0, %r#1", f"{value}, {index}") if valued else ("%r#1", index)
    region = body.format(op=op, kind=kind_of(dtype), t=dtype)
    return f"""func.func {"public" if name == "main" else "private"} @{name}(%x: tensor<{source}x{dtype}>) -> ({types}) {{
  %n = stablehlo.iota dim = {dim} : tensor<{source}xi32>
  %w = stablehlo.constant dense<{worst(dtype, op)}> : tensor<{dtype}>
  %z = stablehlo.constant dense<0> : tensor<i32>
  %r:2 = stablehlo.reduce(%x init: %w), (%n init: %z) across dimensions = [{dim}]
    : (tensor<{source}x{dtype}>, tensor<{source}xi32>, tensor<{dtype}>, tensor<i32>) -> ({value}, {index})
    reducer(%a: tensor<{dtype}>, %b: tensor<{dtype}>) (%i: tensor<i32>, %j: tensor<i32>) {{{region}
    stablehlo.return %v, %k : tensor<{dtype}>, tensor<i32>
  }}
  return {results} : {types}
}}"""


def arrays(shape: tuple[int, ...], dtype: str):
    """Inputs with equals, NaNs, zeros of both signs, infinities, and nothing but the worst."""
    rng = np.random.default_rng(3)
    wide = rng.standard_normal(shape) * 30
    if kind_of(dtype) == "UNSIGNED":
        wide = abs(wide)
    yield wide.astype(DTYPES[dtype])
    yield np.round(wide / 20).astype(DTYPES[dtype])
    if kind_of(dtype) == "FLOAT":
        yield np.where(rng.random(shape) < 0.1, np.nan, wide).astype(DTYPES[dtype])
        yield np.where(rng.random(shape) < 0.5, -0.0, 0.0).astype(DTYPES[dtype])
        yield np.full(shape, -np.inf, DTYPES[dtype])
        yield np.full(shape, np.nan, DTYPES[dtype])


@pytest.mark.parametrize(
    ("simd", "dtype", "op"),
    [
        ("avx512", "f32", "GT"),
        ("avx2", "f32", "LT"),
        ("sse4.2", "f32", "GT"),
        ("avx512", "i8", "LT"),
        ("avx2", "bf16", "GT"),
        ("avx512", "ui16", "GT"),
    ],
)
def test_lines_columns_and_all_of_an_array(simd, dtype, op):
    shape = (67, 131)
    whole = (67 * 131,)
    functions = [
        selection(name, size, dim, dtype, op, JAX)
        for name, size, dim in [("lines", shape, 1), ("columns", shape, 0), ("all", whole, 0)]
    ]
    x, flat = f"tensor<67x131x{dtype}>", f"tensor<{whole[0]}x{dtype}>"
    main = f"""func.func public @main(%x: {x}) -> (tensor<67xi32>, tensor<131xi32>, tensor<i32>) {{
      %0 = call @lines(%x) : ({x}) -> tensor<67xi32>
      %1 = call @columns(%x) : ({x}) -> tensor<131xi32>
      %2 = stablehlo.reshape %x : ({x}) -> {flat}
      %3 = call @all(%2) : ({flat}) -> tensor<i32>
      return %0, %1, %3 : tensor<67xi32>, tensor<131xi32>, tensor<i32>
    }}"""
    exe = stepwell.compile("module {\n" + "\n".join([*functions, main]) + "\n}", simd=simd)
    assert exe.ir("scheduled").count("vector.reduction") >= 4
    number = np.argmax if op == "GT" else np.argmin
    for array in arrays(shape, dtype):
        wide = array.astype(np.float64) if kind_of(dtype) == "FLOAT" else array
        for got, axis in zip(exe(array), (1, 0, None), strict=True):
            np.testing.assert_array_equal(got, number(wide, axis))


def test_a_long_line_is_selected_from_in_parts():
    size = 300_007
    exe = stepwell.compile(selection("main", (size,), 0, "f32", "GT", JAX))
    assert "#kernel.scratch<launch>" in exe.ir("scheduled")
    x = np.zeros(size, np.float32)
    for places in [(0,), (size - 1,), (150_000, 299_999), (77, 78, 200_000)]:
        for best in (1.0, np.nan):
            x[list(places)] = best
            assert exe(x)[0] == places[0]
        x[list(places)] = 0


def in_order(line: np.ndarray, body: str) -> tuple[np.float32, int]:
    """What a region gives on a line, element by element."""
    value, number = np.float32(-np.inf), 0
    for n, element in enumerate(line):
        keep = value >= element if body == "GE" else value > element
        keep = keep or (body == "jax" and np.isnan(value))
        if not keep and not (body == "jax" and value == element and number < n):
            number = n
        if not keep:
            value = element
    return value, number


@pytest.mark.parametrize("valued", [False, True])
@pytest.mark.parametrize("body", ["GE", "GT", "jax"])
def test_what_equals_and_nans_give_is_what_the_region_says(body, valued):
    """Regions that select otherwise, and values that are told apart, are reduced in order."""
    shape = (3, 21)
    form, op = (JAX, "GT") if body == "jax" else (PLAIN, body)
    exe = stepwell.compile(selection("main", shape, 1, "f32", op, form, valued))
    for array in arrays(shape, "f32"):
        wanted = [in_order(line, body) for line in array]
        *values, numbers = exe(array)
        assert list(numbers) == [n for _, n in wanted]
        for got in values:
            assert got.tobytes() == np.array([v for v, _ in wanted], np.float32).tobytes()


def test_values_of_integers_come_with_their_numbers():
    exe = stepwell.compile(selection("main", (5, 99), 1, "i64", "LT", JAX, valued=True))
    assert "vector.reduction <minsi>" in exe.ir("scheduled")
    for array in arrays((5, 99), "i64"):
        values, numbers = exe(array)
        np.testing.assert_array_equal(values, array.min(1))
        np.testing.assert_array_equal(numbers, array.argmin(1))
