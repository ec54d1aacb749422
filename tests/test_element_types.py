"""Every element type of the specification, natively against the interpreter and ml_dtypes.

Conversions between all pairs of types over all bit patterns of the types of a byte and less (of 16 bits: all; of wider ones: what lies
around every tie and limit); arithmetic, comparisons, movement, reductions and contractions of each type.
"""

from __future__ import annotations

import functools

import ml_dtypes
import numpy as np
import pytest

import stepwell
from stepwell.dialects.interp import numerics as num

pytestmark = pytest.mark.every(3)

TYPES = {
    "i1": np.bool_,
    **{f"i{w}": getattr(ml_dtypes if w < 8 else np, f"int{w}") for w in (2, 4, 8, 16, 32, 64)},
    **{f"ui{w}": getattr(ml_dtypes if w < 8 else np, f"uint{w}") for w in (2, 4, 8, 16, 32, 64)},
    "f16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "f32": np.float32,
    "f64": np.float64,
    "f8E3M4": ml_dtypes.float8_e3m4,
    "f8E4M3": ml_dtypes.float8_e4m3,
    "f8E4M3FN": ml_dtypes.float8_e4m3fn,
    "f8E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "f8E4M3B11FNUZ": ml_dtypes.float8_e4m3b11fnuz,
    "f8E5M2": ml_dtypes.float8_e5m2,
    "f8E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
    "f8E8M0FNU": ml_dtypes.float8_e8m0fnu,
    "f4E2M1FN": ml_dtypes.float4_e2m1fn,
    "f6E2M3FN": ml_dtypes.float6_e2m3fn,
    "f6E3M2FN": ml_dtypes.float6_e3m2fn,
}
NARROW = [t for t, d in TYPES.items() if num.bit_width(np.dtype(d)) <= 8]
BYTE_FLOATS = [t for t in NARROW if num.is_float(np.dtype(TYPES[t]))]

FINITE = [np.dtype(TYPES[t]) for t in ("f4E2M1FN", "f6E2M3FN", "f6E3M2FN")]


def kind_of(name: str) -> str:
    dtype = np.dtype(TYPES[name])
    if dtype == np.bool_:
        return "bool"
    if num.is_float(dtype):
        return "float"
    return "signed" if num.is_signed(dtype) else "unsigned"


@functools.cache
def values(name: str):
    """All values of types of at most 16 bits; of others those around ties and limits, and random bits."""
    dtype = np.dtype(TYPES[name])
    width = num.bit_width(dtype)
    if name == "i1":
        return np.array([False, True])
    if width < 8 and num.is_integer(dtype):
        low, high = num.integer_range(dtype)
        return np.arange(low, high + 1).astype(dtype)
    unsigned = np.dtype(f"u{dtype.itemsize}")
    if width <= 16:
        return np.arange(1 << width).astype(unsigned).view(dtype)
    random = np.random.default_rng(width).integers(0, 1 << 63, 1000).astype(unsigned)
    if num.is_integer(dtype):
        edges = [(base << k) + step for k in range(width) for base in (1, 3) for step in (-1, 0, 1)]
        bits = [sign * edge % (1 << width) for edge in edges for sign in (1, -1)]
        return np.concatenate([np.array(bits, unsigned), random]).view(dtype)
    return np.concatenate([_around_ties(dtype), random.view(dtype)])


def _around_ties(dtype):
    with np.errstate(all="ignore"):
        found = [np.array([s * (2.0**k + step) for k in range(65) for step in (-1, -0.5, 0, 0.5) for s in (1, -1)])]
        for name in (*BYTE_FLOATS, "bf16", "f16"):
            numbers = values(name).astype(np.float64)
            numbers = np.unique(numbers[np.isfinite(numbers)])[:: 1 if name in BYTE_FLOATS else 37]
            found += [numbers, numbers[:-1] / 2 + numbers[1:] / 2]
        limits = np.finfo(dtype)
        found.append(np.array([np.nan, np.inf, -np.inf, -0.0, limits.max, limits.tiny, limits.smallest_subnormal]))
        x = np.concatenate(found).astype(dtype)
        return np.concatenate([x, np.nextafter(x, dtype.type(np.inf)), np.nextafter(x, dtype.type(-np.inf))])


def same(got, want) -> np.ndarray:
    """Bit for bit; any NaN is any other."""
    assert got.dtype == want.dtype
    if not num.is_float(want.dtype):
        return got.astype(np.int64) == want.astype(np.int64)
    bits = np.dtype(f"u{want.dtype.itemsize}")
    equal = np.ascontiguousarray(got).view(bits) == np.ascontiguousarray(want).view(bits)
    with np.errstate(invalid="ignore"):  # signalling NaNs
        return equal | (np.isnan(got.astype(np.float64)) & np.isnan(want.astype(np.float64)))


def function(arguments: list[tuple[str, str]], lines: list[str], results: list[str]) -> str:
    """A function whose line i makes result `%ri` of type `results[i]`."""
    parameters = ", ".join(f"{name}: {type_}" for name, type_ in arguments)
    types, names = ", ".join(results), ", ".join(f"%r{i}" for i in range(len(results)))
    body = "\n".join(lines)
    return f"func.func public @main({parameters}) -> ({types}) {{\n{body}\nreturn {names} : {types}\n}}"


def compare(source, args, labels, expected, **options):
    for label, got, want in zip(labels, stepwell.compile(source, **options)(*args), expected, strict=True):
        got, want = np.asarray(got), np.asarray(want)
        if "remainder" in label and want.dtype in FINITE:  # by zero: NaN of either sign, so a zero of either sign
            got, want = np.abs(got), np.abs(want)
        ok = same(got, want)
        assert ok.all(), (label, options, got[~ok][:4], want[~ok][:4])


@pytest.mark.parametrize("source", TYPES)
@pytest.mark.every(6)
def test_conversions_to_every_type_round_once(source):
    x = values(source)
    targets = [t for t in TYPES if t != source]
    with np.errstate(all="ignore"):
        expected = [np.asarray(num.convert(x, np.dtype(TYPES[t]))) for t in targets]
    types = [f"tensor<{len(x)}x{t}>" for t in targets]
    lines = [f"%r{i} = stablehlo.convert %a : (tensor<{len(x)}x{source}>) -> {t}" for i, t in enumerate(types)]
    compare(function([("%a", f"tensor<{len(x)}x{source}>")], lines, types), (x,), targets, expected)


@pytest.mark.parametrize("name", [t for t in BYTE_FLOATS if t != "f8E8M0FNU"])
def test_the_interpreter_converts_as_ml_dtypes_does(name):
    """From f32, which ml_dtypes rounds once; f8E8M0FNU has a test of its own."""
    x = values("f32")
    with np.errstate(all="ignore"):
        assert same(num.convert(x, np.dtype(TYPES[name])), x.astype(TYPES[name])).all()


def test_powers_of_two_alone_have_no_zero_and_no_sign():
    x = np.array([1.0, 1.5, 3.0, 0.0, -0.0, -2.0, np.inf, np.nan, 2.0**-140], np.float32)
    got = num.convert(x, np.dtype(ml_dtypes.float8_e8m0fnu)).astype(np.float32)
    want = np.array([1.0, 2.0, 4.0, np.nan, np.nan, np.nan, np.nan, np.nan, 2.0**-127], np.float32)
    assert np.array_equal(got, want, equal_nan=True)


def operations(name: str, n: int):
    """(lines, result types, labels) of elementwise ops on %a and %b."""
    kind, of, bools = kind_of(name), f"tensor<{n}x{name}>", f"tensor<{n}xi1>"
    ordered = {"float": "FLOAT", "signed": "SIGNED"}.get(kind, "UNSIGNED")
    binary = ["add", "multiply", "maximum", "minimum"]
    binary += ["subtract", "divide", "remainder"] if kind != "bool" else []
    binary += ["and", "or", "xor"] if kind != "float" else []
    unary = ["negate"] if kind != "bool" else []
    unary += ["not"] if kind != "float" else ["floor", "ceil", "round_nearest_afz", "round_nearest_even", "sqrt"]
    unary += ["abs", "sign"] if kind in ("signed", "float") else []
    if kind in ("signed", "unsigned"):
        binary += ["power", "shift_left", "shift_right_logical", "shift_right_arithmetic"]
        unary += ["popcnt", "count_leading_zeros"]
    made = [(f"stablehlo.{o} %a, %b : {of}", of) for o in binary]
    made += [(f"stablehlo.{o} %a : {of}", of) for o in unary]
    made += [
        (f"stablehlo.compare {d}, %a, %b, {ordered} : ({of}, {of}) -> {bools}", bools) for d in ("EQ", "NE", "LT", "GE")
    ]
    if kind == "float":
        made.append((f"stablehlo.compare LT, %a, %b, TOTALORDER : ({of}, {of}) -> {bools}", bools))
        made.append((f"stablehlo.is_finite %a : ({of}) -> {bools}", bools))
        made += [(f"stablehlo.reduce_precision %a, format = {f} : {of}", of) for f in ("e2m1", "e3m0", "e8m2", "e5m10")]
    made.append((f"stablehlo.clamp %b, %a, %b : {of}", of))
    lines = [f"%r{i} = {text}" for i, (text, _) in enumerate(made)]
    return lines, [t for _, t in made], [text for text, _ in made]


def pairs(name: str):
    """All pairs of values of a byte and less; of wider types pairs of some."""
    x = values(name)
    if len(x) > 256:
        dtype = np.dtype(TYPES[name])
        with np.errstate(all="ignore"):
            small = np.arange(-20, 70, 3).astype(dtype)
            edges = [np.nan, np.inf, -np.inf, -0.0] if num.is_float(dtype) else num.integer_range(dtype)
            x = np.concatenate([x[:: len(x) // 100], small, np.array(edges).astype(dtype)])
    a, b = np.meshgrid(x, x)
    return a.reshape(-1), b.reshape(-1)


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.every(6)
def test_elementwise_ops_of_every_type(name):
    a, b = pairs(name)
    lines, types, labels = operations(name, len(a))
    source = function([(v, f"tensor<{len(a)}x{name}>") for v in ("%a", "%b")], lines, types)
    with np.errstate(all="ignore"):
        expected = stepwell.compile(source, target="interpreter")(a, b)
    compare(source, (a, b), labels, expected)


@pytest.mark.parametrize("name", ["i2", "ui4", "f8E4M3FNUZ", "f8E8M0FNU", "f6E3M2FN"])
@pytest.mark.parametrize("step", ["structured", "device"])
def test_elementwise_ops_at_later_steps(name, step):
    a, b = pairs(name)
    chosen = np.random.default_rng(1).permutation(len(a))[:30]
    a, b = a[chosen], b[chosen]
    lines, types, labels = operations(name, len(a))
    source = function([(v, f"tensor<{len(a)}x{name}>") for v in ("%a", "%b")], lines, types)
    expected = stepwell.compile(source, target="interpreter")(a, b)
    compare(source, (a, b), labels, expected, target="interpreter", step=step)


def movement(name: str):
    """A program that moves, reduces, sorts and contracts tensors of a type."""
    kind = kind_of(name)
    of, scalar = f"tensor<6x4x{name}>", f"tensor<{name}>"
    zero, one = {"float": ("0.0", "1.0"), "bool": ("false", "true")}.get(kind, ("0", "1"))
    made = [
        (f"stablehlo.constant dense<{one}> : {scalar}", scalar),
        (f"stablehlo.transpose %a, dims = [1, 0] : ({of}) -> tensor<4x6x{name}>", f"tensor<4x6x{name}>"),
        (f"stablehlo.pad %a, %s, low = [1, -1], high = [0, 2], interior = [1, 0] : ({of}, {scalar}) -> tensor<12x5x{name}>", f"tensor<12x5x{name}>"),
        (f"stablehlo.concatenate %a, %a, dim = 1 : ({of}, {of}) -> tensor<6x8x{name}>", f"tensor<6x8x{name}>"),
        (f"stablehlo.broadcast_in_dim %a, dims = [2, 0] : ({of}) -> tensor<4x2x6x{name}>", f"tensor<4x2x6x{name}>"),
        (f"stablehlo.dynamic_slice %a, %i, %i, sizes = [2, 3] : ({of}, tensor<i32>, tensor<i32>) -> tensor<2x3x{name}>", f"tensor<2x3x{name}>"),
        (f"stablehlo.reduce(%a init: %s) applies stablehlo.maximum across dimensions = [1] : ({of}, {scalar}) -> tensor<6x{name}>", f"tensor<6x{name}>"),
        (f"stablehlo.reduce(%a init: %s) applies stablehlo.minimum across dimensions = [0] : ({of}, {scalar}) -> tensor<4x{name}>", f"tensor<4x{name}>"),
        (f"stablehlo.reduce(%a init: %z) applies stablehlo.add across dimensions = [0, 1] : ({of}, {scalar}) -> {scalar}", scalar),
        (f"stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : ({of}, tensor<4x5x{name}>) -> tensor<6x5x{name}>", f"tensor<6x5x{name}>"),
        (f'"stablehlo.sort"(%a) <{{dimension = 0 : i64}}> ({{\n^bb0(%x: {scalar}, %y: {scalar}):\n%l = stablehlo.compare LT, %x, %y : ({scalar}, {scalar}) -> tensor<i1>\nstablehlo.return %l : tensor<i1> }}) : ({of}) -> {of}', of),
    ]  # fmt: skip
    if kind != "bool":
        wide = {"float": "f64" if name == "f64" else "f32", "signed": "i64" if name == "i64" else "i32"}.get(
            kind, "ui64"
        )
        made.append((f"stablehlo.iota dim = 1 : tensor<2x20x{name}>", f"tensor<2x20x{name}>"))
        made.append((f"stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : ({of}, tensor<4x5x{name}>) -> tensor<6x5x{wide}>", f"tensor<6x5x{wide}>"))  # fmt: skip
    lines = [f"%z = stablehlo.constant dense<{zero}> : {scalar}", *(f"%r{i} = {t}" for i, (t, _) in enumerate(made))]
    arguments = [("%a", of), ("%b", f"tensor<4x5x{name}>"), ("%s", scalar), ("%i", "tensor<i32>")]
    return function(arguments, lines, [t for _, t in made]), [t for t, _ in made]


@pytest.mark.parametrize(
    "name", ["i1", "i2", "ui4", "f8E4M3FN", "f8E5M2", "f8E5M2FNUZ", "f8E8M0FNU", "f6E2M3FN", "f4E2M1FN"]
)
def test_movement_reductions_and_contractions_of_narrow_types(name):
    rng, dtype, kind = np.random.default_rng(5), np.dtype(TYPES[name]), kind_of(name)

    def draw(*shape):
        if kind == "float":
            choice = [0.25, 0.5, 1.0, 2.0, 4.0] if name == "f8E8M0FNU" else [-3.0, -1.0, -0.5, 0.0, 0.5, 1.5, 2.0, 6.0]
            return np.asarray(rng.choice(choice, shape)).astype(dtype)
        if kind == "bool":
            return rng.integers(0, 2, shape).astype(dtype)
        low, high = num.integer_range(dtype)
        return rng.integers(max(low, -9), min(high, 9) + 1, shape).astype(dtype)

    source, labels = movement(name)
    args = (draw(6, 4), draw(4, 5), draw(), np.int32(2))
    expected = stepwell.compile(source, target="interpreter")(*args)
    compare(source, args, labels, expected)


CASTS = [
    ("6xf8E5M2", "6xi8"),
    ("6xf4E2M1FN", "6xui4"),
    ("6x2xf4E2M1FN", "6xi8"),
    ("6xf8E8M0FNU", "6x2xi4"),
    ("6xi4", "6x2xi2"),
    ("6xi32", "6x8xf4E2M1FN"),
    ("6xf6E2M3FN", "6xf6E3M2FN"),
    ("3x64xi1", "3xf64"),
    ("6xi16", "6x16xi1"),
    ("6x2xui2", "6xui4"),
    ("5x4xf8E4M3FN", "5xf32"),
    ("5xf64", "5x4xbf16"),
]


@pytest.mark.parametrize(("source", "target"), CASTS)
def test_bits_are_read_as_other_types_lowest_first(source, target):
    *shape, name = source.split("x")
    dtype = np.dtype(TYPES[name])
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 1 << min(num.bit_width(dtype), 63), [int(n) for n in shape])
    x = bits.astype(dtype) if not num.is_float(dtype) else bits.astype(f"u{dtype.itemsize}").view(dtype)
    program = function([("%a", f"tensor<{source}>")], [f"%r0 = stablehlo.bitcast_convert %a : (tensor<{source}>) -> tensor<{target}>"], [f"tensor<{target}>"])  # fmt: skip
    compare(program, (x,), [target], stepwell.compile(program, target="interpreter")(x))


def test_constants_of_small_floats_fold_as_they_convert():
    lines, types = [], []
    for i, name in enumerate(BYTE_FLOATS):
        lines.append(f"%c{i} = stablehlo.constant dense<1.5> : tensor<f32>")
        lines.append(f"%d{i} = stablehlo.convert %c{i} : (tensor<f32>) -> tensor<{name}>")
        for k, other in enumerate(("f8E5M2", "f8E8M0FNU", "f32", "i8")):
            lines.append(f"%r{4 * i + k} = stablehlo.convert %d{i} : (tensor<{name}>) -> tensor<{other}>")
            types.append(f"tensor<{other}>")
    source = function([], lines, types)
    compare(source, (), types, stepwell.compile(source, target="interpreter")())
