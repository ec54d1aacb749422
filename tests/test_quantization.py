"""Quantized programs natively against the interpreter, which follows the specification's definition by floats.

Elementwise ops agree bit for bit. A contraction sums integers exactly where the definition rounds products and sums, so where scales
are not powers of two a result may be the neighbouring integer.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import stepwell
from stepwell.dialects.interp import numerics as num
from stepwell.ir.errors import UnsupportedError

TYPES = {
    "!quant.uniform<i8:f32, 0.1:-30>": np.int8,
    "!quant.uniform<u8:bf16, 0.02:128>": np.uint8,
    "!quant.uniform<i4:f16, 0.5:-3>": ml_dtypes.int4,
    "!quant.uniform<i16:f32, 0.001:5>": np.int16,
    "!quant.uniform<i32:f64, 1.0e-6:9>": np.int32,
    "!quant.uniform<u4<0:10>:f32, 0.5:2>": ml_dtypes.uint4,
}


def program(signature: str, lines: list[str], results: list[tuple[str, str]]) -> str:
    """A module of one function; `results` are (value, type)."""
    types = ", ".join(type_ for _, type_ in results)
    values = ", ".join(value for value, _ in results)
    return (
        f"func.func public @main({signature}) -> ({types}) {{\n" + "\n".join(lines) + f"\nreturn {values} : {types}\n}}"
    )


def check(source: str, args, *, off: int = 0, levels=(2,)):
    """The interpreter's results, which native code has too, but for `off` steps of an integer."""
    expected = stepwell.compile(source, target="interpreter")(*args)
    for level in levels:
        for got, want in zip(stepwell.compile(source, opt_level=level)(*args), expected, strict=True):
            assert got.dtype == want.dtype
            assert got.shape == want.shape
            difference = np.abs(got.astype(np.float64) - want.astype(np.float64))
            assert difference.max(initial=0) <= off, (level, got, want)
    return expected


def integers(dtype, shape, low=None, high=None, seed=0):
    least, most = num.integer_range(np.dtype(dtype))
    least, most = max(least, -(1 << 20)), min(most, 1 << 20)
    rng = np.random.default_rng(seed)
    return rng.integers(least if low is None else low, most if high is None else high, shape, endpoint=True).astype(
        dtype
    )


@pytest.mark.parametrize("quantized", TYPES)
@pytest.mark.every(2)
def test_elementwise_ops_agree_bit_for_bit(quantized):
    n = 300
    of = f"tensor<{n}x{quantized}>"
    low, high = (0, 10) if "<0:10>" in quantized else (None, None)
    x, y = (integers(TYPES[quantized], n, low, high, seed) for seed in (1, 2))
    expressed = next(e for e in ("bf16", "f16", "f32", "f64") if f":{e}" in quantized)
    floats, bools, grid = f"tensor<{n}x{expressed}>", f"tensor<{n}xi1>", f"tensor<3x40x{quantized}>"
    lines, results = [], []
    for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum", "remainder"):
        lines.append(f"%{name} = stablehlo.{name} %a, %b : {of}")
        results.append((f"%{name}", of))
    for name in ("abs", "negate", "floor", "ceil", "sign", "round_nearest_even", "sqrt"):
        lines.append(f"%{name} = stablehlo.{name} %a : {of}")
        results.append((f"%{name}", of))
    lines += [
        f"%lt = stablehlo.compare LT, %a, %b : ({of}, {of}) -> {bools}",
        f"%selected = stablehlo.select %lt, %a, %b : {bools}, {of}",
        f"%clamped = stablehlo.clamp %b, %a, %b : {of}",
        f"%x = stablehlo.uniform_dequantize %a : ({of}) -> {floats}",
        f"%xx = stablehlo.multiply %x, %x : {floats}",
        f"%again = stablehlo.uniform_quantize %xx : ({floats}) -> {of}",
        f"%iota = stablehlo.iota dim = 1 : {grid}",
        f"%finite = stablehlo.is_finite %a : ({of}) -> {bools}",
    ]
    results += [("%lt", bools), ("%selected", of), ("%clamped", of), ("%x", floats), ("%again", of)]
    results += [("%iota", grid), ("%finite", bools)]
    check(program(f"%a: {of}, %b: {of}", lines, results), (x, y))


def test_what_the_specification_shows():
    one, two = "!quant.uniform<i8:f32:0, {0.1:-30, 0.5:-20}>", "!quant.uniform<i8:f32:0, {0.1:-20, 0.2:-30}>"
    source = program(
        "%a: tensor<2xf32>",
        [
            f"%q = stablehlo.uniform_quantize %a : (tensor<2xf32>) -> tensor<2x{one}>",
            f"%r = stablehlo.uniform_quantize %q : (tensor<2x{one}>) -> tensor<2x{two}>",
            f"%d = stablehlo.uniform_dequantize %q : (tensor<2x{one}>) -> tensor<2xf32>",
        ],
        [("%q", f"tensor<2x{one}>"), ("%r", f"tensor<2x{two}>"), ("%d", "tensor<2xf32>")],
    )
    q, r, d = check(source, (np.array([4, 15], np.float32),))
    assert q.tolist() == [10, 10]
    assert r.tolist() == [20, 45]
    assert d.tolist() == [4.0, 15.0]


def test_quantization_saturates_rounds_to_even_and_takes_not_a_number_for_zero():
    of = "tensor<8x!quant.uniform<i8<-100:90>:f32, 2.0:1>>"
    x = np.array([1.0, 3.0, -5.0, 1e9, -1e9, np.inf, -np.inf, np.nan], np.float32)
    source = program(
        "%a: tensor<8xf32>", [f"%q = stablehlo.uniform_quantize %a : (tensor<8xf32>) -> {of}"], [("%q", of)]
    )
    (q,) = check(source, (x,), levels=(0, 2))
    assert q.tolist() == [2, 2, -2, 90, -100, 90, -100, 0]


DOT = "stablehlo.dot_general %a, %b, contracting_dims = [1] x [0]"


@pytest.mark.parametrize(
    ("lhs", "rhs", "result", "dtype", "off"),
    [
        ("i8:f32, 0.5:-3", "i8:f32, 0.25", "i8:f32, 64.0:5", np.int8, 0),
        ("i8:f32, 0.1:-3", "i8:f32:1, {0.2, 0.3, 0.05, 0.7, 0.01, 0.4, 0.9}", "i8:f32:1, {20.0:1, 30.0, 4.0:2, 60.0, 0.5, 20.0, 90.0}", np.int8, 1),
        ("u8:f32, 0.5:128", "u8:f32, 0.25", "u8:f32, 512.0:128", np.uint8, 0),
        ("i4:f32, 0.5:-3", "i4:f32, 0.25", "i32:f32, 0.125", ml_dtypes.int4, 0),
        ("i8:bf16, 0.5:-3", "i8:bf16, 0.25", "i8:bf16, 64.0:5", np.int8, 0),
    ],
)  # fmt: skip
def test_dot_products_are_sums_of_integers(lhs, rhs, result, dtype, off):
    a, b, r = (f"!quant.uniform<{text}>" for text in (lhs, rhs, result))
    types = f"(tensor<9x33x{a}>, tensor<33x7x{b}>) -> tensor<9x7x{r}>"
    source = program(
        f"%a: tensor<9x33x{a}>, %b: tensor<33x7x{b}>", [f"%r = {DOT} : {types}"], [("%r", f"tensor<9x7x{r}>")]
    )
    x, y = integers(dtype, (9, 33), seed=3), integers(dtype, (33, 7), seed=4)
    (got,) = check(source, (x, y), off=off)
    assert len(np.unique(got)) > 20


@pytest.mark.parametrize(
    ("lhs", "rhs"),
    [
        ("i8:f32, 0.5:-128", "i8:f32, 0.25"),
        ("u8:f32, 0.5:255", "u8:f32:1, {0.25, 0.5, 0.125, 0.25, 1.0}"),
        ("i8:f32, 0.5:127", "i8:f32:0, {0.25, 0.5, 1.0}"),
    ],
)
def test_what_a_zero_point_adds_to_stacked_products(lhs, rhs):
    """Contracted along the first dim of the one stack and the last of the other, batches in different places."""
    dtype = np.int8 if lhs.startswith("i8") else np.uint8
    a, b = f"tensor<70x3x6x!quant.uniform<{lhs}>>", f"tensor<3x5x70x!quant.uniform<{rhs}>>"
    r = f"tensor<3x6x5x!quant.uniform<{rhs.split(',')[0].split(':')[0]}:f32, 4096.0:100>>"
    line = f"%r = stablehlo.dot_general %a, %b, batching_dims = [1] x [0], contracting_dims = [0] x [2] : ({a}, {b}) -> {r}"
    args = integers(dtype, (70, 3, 6), seed=8), integers(dtype, (3, 5, 70), seed=9)
    (got,) = check(program(f"%a: {a}, %b: {b}", [line], [("%r", r)]), args)
    assert len(np.unique(got)) > 5


def test_sums_that_a_32_bit_integer_cannot_hold_are_right():
    """Products of 16-bit numbers are summed in 64 bits, of 32-bit ones as floats."""
    for width, dtype in ((16, np.int16), (32, np.int32)):
        of, to = f"!quant.uniform<i{width}:f64, 0.5>", f"!quant.uniform<i32:f64, {2.0 ** (width - 6)}>"
        types = f"(tensor<3x64x{of}>, tensor<64x5x{of}>) -> tensor<3x5x{to}>"
        source = program(
            f"%a: tensor<3x64x{of}>, %b: tensor<64x5x{of}>", [f"%r = {DOT} : {types}"], [("%r", f"tensor<3x5x{to}>")]
        )
        x, y = np.full((3, 64), num.integer_range(np.dtype(dtype))[0], dtype), integers(dtype, (64, 5), seed=5)
        check(source, (x, y))


def test_a_float_times_quantized_weights_is_computed_in_floats():
    of = "!quant.uniform<i8:f32:1, {0.5, 0.25, 0.125}>"
    types = f"(tensor<4x6xf32>, tensor<6x3x{of}>) -> tensor<4x3xf32>"
    source = program(
        f"%a: tensor<4x6xf32>, %b: tensor<6x3x{of}>", [f"%r = {DOT} : {types}"], [("%r", "tensor<4x3xf32>")]
    )
    a = np.arange(24, dtype=np.float32).reshape(4, 6) / 4
    b = integers(np.int8, (6, 3), seed=6)
    (got,) = check(source, (a, b))
    assert np.array_equal(got, a @ (b.astype(np.float32) * np.array([0.5, 0.25, 0.125], np.float32)))


CONVOLUTIONS = {
    "plain": ("1x7x7x3", "3x3x3x4", "1x5x5x4", "stride = [1, 1]", 1, 1),
    "padded": ("2x5x6x3", "3x2x3x4", "2x5x7x4", "stride = [1, 1], pad = [[1, 1], [1, 1]]", 1, 1),
    "strided and dilated": ("1x6x6x2", "2x2x2x4", "1x11x3x4", "stride = [1, 2], pad = [[1, 0], [0, 1]], lhs_dilate = [2, 1], rhs_dilate = [1, 2]", 1, 1),
    "in groups": ("1x5x5x4", "3x3x2x4", "1x5x5x4", "stride = [1, 1], pad = [[1, 1], [1, 1]]", 2, 1),
}  # fmt: skip


@pytest.mark.parametrize("zeros", [(3, 0, -2, 0), (0, 0, 0, 0)])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_pad_with_the_zero_point(name, zeros):
    image, kernel, result, window, features, batches = CONVOLUTIONS[name]
    a = "!quant.uniform<i8:f32, 0.5:-17>"
    scales = zip((0.25, 0.5, 1.0, 0.125), zeros, strict=True)
    b = f"!quant.uniform<i8:f32:3, {{{', '.join(f'{s}:{z}' for s, z in scales)}}}>"
    r = "!quant.uniform<i8:f32:3, {16.0, 32.0:1, 64.0, 8.0:-9}>"
    x, w, y = f"tensor<{image}x{a}>", f"tensor<{kernel}x{b}>", f"tensor<{result}x{r}>"
    line = (
        f"%r = stablehlo.convolution(%a, %b) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {{{window}}}"
        f" {{batch_group_count = {batches} : i64, feature_group_count = {features} : i64}} : ({x}, {w}) -> {y}"
    )
    shapes = [tuple(map(int, s.split("x"))) for s in (image, kernel)]
    args = [integers(np.int8, s, seed=i) for i, s in enumerate(shapes)]
    (got,) = check(program(f"%a: {x}, %b: {w}", [line], [("%r", y)]), args)
    assert len(np.unique(got)) > 20


def test_moving_elements_moves_integers():
    of, along = "!quant.uniform<i8:f32, 0.1:-30>", "!quant.uniform<i8:f32:%d, {0.1:-3, 0.2, 0.3:4}>"
    lines = [
        f"%t = stablehlo.transpose %p, dims = [1, 0] : (tensor<4x3x{along % 1}>) -> tensor<3x4x{along % 0}>",
        f"%r = stablehlo.reshape %p : (tensor<4x3x{along % 1}>) -> tensor<2x2x3x{along % 2}>",
        f"%d = stablehlo.broadcast_in_dim %p, dims = [0, 2] : (tensor<4x3x{along % 1}>) -> tensor<4x5x3x{along % 2}>",
        f"%s = stablehlo.slice %a [1:6:2] : (tensor<6x{of}>) -> tensor<3x{of}>",
        f"%c = stablehlo.concatenate %a, %s, dim = 0 : (tensor<6x{of}>, tensor<3x{of}>) -> tensor<9x{of}>",
        f"%z = stablehlo.constant() <{{value = dense<7> : tensor<i8>}}> : () -> tensor<{of}>",
        f"%e = stablehlo.pad %a, %z, low = [1], high = [2], interior = [0] : (tensor<6x{of}>, tensor<{of}>) -> tensor<9x{of}>",
        f"%v = stablehlo.reverse %a, dims = [0] : tensor<6x{of}>",
        f"%k = stablehlo.bitcast_convert %v : (tensor<6x{of}>) -> tensor<6xui8>",
    ]
    results = [
        ("%t", f"tensor<3x4x{along % 0}>"),
        ("%r", f"tensor<2x2x3x{along % 2}>"),
        ("%d", f"tensor<4x5x3x{along % 2}>"),
        ("%c", f"tensor<9x{of}>"),
        ("%e", f"tensor<9x{of}>"),
        ("%k", "tensor<6xui8>"),
    ]
    a, p = integers(np.int8, 6), integers(np.int8, (4, 3), seed=1)
    t, r, d, c, e, k = check(program(f"%a: tensor<6x{of}>, %p: tensor<4x3x{along % 1}>", lines, results), (a, p))
    assert np.array_equal(t, p.T)
    assert np.array_equal(r, p.reshape(2, 2, 3))
    assert np.array_equal(d[:, 3], p)
    assert np.array_equal(c, np.concatenate([a, a[1::2]]))
    assert e.tolist() == [7, *a.tolist(), 7, 7]
    assert np.array_equal(k, a[::-1].view(np.uint8))


def test_regions_compute_on_quantized_numbers():
    of, wide = "!quant.uniform<i8:f32, 0.5:-3>", "!quant.uniform<i32:f32, 0.25>"
    lines = [
        f"%z = stablehlo.constant() <{{value = dense<-3> : tensor<i8>}}> : () -> tensor<{of}>",
        f"""%sum = "stablehlo.reduce"(%a, %z) <{{dimensions = array<i64: 1>}}> ({{
^bb0(%x: tensor<{wide}>, %y: tensor<{wide}>):
  %s = stablehlo.add %x, %y : tensor<{wide}>
  stablehlo.return %s : tensor<{wide}>
}}) : (tensor<4x6x{of}>, tensor<{of}>) -> tensor<4x{wide}>""",
        f"""%sorted = "stablehlo.sort"(%a) <{{dimension = 1 : i64}}> ({{
^bb0(%x: tensor<{of}>, %y: tensor<{of}>):
  %l = stablehlo.compare GT, %x, %y : (tensor<{of}>, tensor<{of}>) -> tensor<i1>
  stablehlo.return %l : tensor<i1>
}}) : (tensor<4x6x{of}>) -> tensor<4x6x{of}>""",
        "%i = stablehlo.constant dense<0> : tensor<i32>",
        f"""%w:2 = stablehlo.while(%n = %i, %v = %a) : tensor<i32>, tensor<4x6x{of}>
 cond {{
  %three = stablehlo.constant dense<3> : tensor<i32>
  %c = stablehlo.compare LT, %n, %three : (tensor<i32>, tensor<i32>) -> tensor<i1>
  stablehlo.return %c : tensor<i1>
}} do {{
  %one = stablehlo.constant dense<1> : tensor<i32>
  %m = stablehlo.add %n, %one : tensor<i32>
  %u = func.call @twice(%v) : (tensor<4x6x{of}>) -> tensor<4x6x{of}>
  stablehlo.return %m, %u : tensor<i32>, tensor<4x6x{of}>
}}""",
    ]
    results = [("%sum", f"tensor<4x{wide}>"), ("%sorted", f"tensor<4x6x{of}>"), ("%w#1", f"tensor<4x6x{of}>")]
    callee = f"""func.func private @twice(%x: tensor<4x6x{of}>) -> tensor<4x6x{of}> {{
  %r = stablehlo.add %x, %x : tensor<4x6x{of}>
  return %r : tensor<4x6x{of}>
}}
"""
    a = integers(np.int8, (4, 6), -20, 20)
    total, ordered, doubled = check(callee + program(f"%a: tensor<4x6x{of}>", lines, results), (a,), levels=(0, 2))
    assert np.array_equal(total, 2 * (a.astype(np.int32) + 3).sum(1))
    assert np.array_equal(ordered, -np.sort(-a.astype(np.int32), 1))
    assert np.array_equal(doubled, np.clip((a.astype(np.int32) + 3) * 8 - 3, -128, 127))


def test_folding_leaves_quantized_arithmetic_alone():
    """As integers the sum would be 30, and twice negated -128 itself."""
    of = "!quant.uniform<i8:f32, 0.5:10>"
    lines = [
        f"%x = stablehlo.constant() <{{value = dense<20> : tensor<2xi8>}}> : () -> tensor<2x{of}>",
        f"%y = stablehlo.constant() <{{value = dense<[10, 14]> : tensor<2xi8>}}> : () -> tensor<2x{of}>",
        f"%s = stablehlo.add %x, %y : tensor<2x{of}>",
        f"%n = stablehlo.negate %a : tensor<2x{of}>",
        f"%m = stablehlo.negate %n : tensor<2x{of}>",
    ]
    source = program(f"%a: tensor<2x{of}>", lines, [("%s", f"tensor<2x{of}>"), ("%m", f"tensor<2x{of}>")])
    s, m = check(source, (np.array([-128, 5], np.int8),), levels=(0, 2))
    assert s.tolist() == [20, 24]
    assert m.tolist() == [-107, 5]


def test_arguments_are_arrays_of_the_stored_integers():
    of = "tensor<3x!quant.uniform<u8:f32, 0.5:3>>"
    run = stepwell.compile(f"func.func public @main(%a: {of}) -> {of} {{\n return %a : {of}\n}}")
    assert run(np.array([1, 2, 255], np.uint8))[0].tolist() == [1, 2, 255]
    with pytest.raises(Exception, match="uint8"):
        run(np.array([1, 2, 3], np.float32))


def test_what_has_no_meaning_on_quantized_numbers_is_refused_by_name():
    of = "tensor<3x!quant.uniform<i64:f32, 0.5:3>>"
    source = program(f"%a: {of}", [f"%r = stablehlo.abs %a : {of}"], [("%r", of)])
    for target in ({"opt_level": 2}, {"target": "interpreter"}):
        with pytest.raises(UnsupportedError, match="64-bit integers"):
            stepwell.compile(source, **target)(np.zeros(3, np.int64))
