"""Scalars, control flow, memory: native results against NumPy at every level this machine has."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

RNG = np.random.default_rng(0)


def entry(parameters: str, body: str) -> str:
    return f"func.func @main({parameters}) attributes {{stepwell.abi}} {{\n{body}\nfunc.return\n}}\n"


def elementwise(n: int, inputs: list[str], output: str, body: str) -> str:
    """A loop that computes %r from %v0, %v1, ... of each element."""
    parameters = ", ".join(f"%x{i}: memref<{n}x{t}>" for i, t in enumerate([*inputs, output]))
    loads = "\n".join(f"%v{i} = memref.load %x{i}[%i] : memref<{n}x{t}>" for i, t in enumerate(inputs))
    return entry(
        parameters,
        f"""%c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %n = arith.constant {n} : index
        scf.for %i = %c0 to %n step %c1 {{
        {loads}
        {body}
        memref.store %r, %x{len(inputs)}[%i] : memref<{n}x{output}>
        }}""",
    )


SPECIAL = np.array([0.0, -0.0, 1.5, -2.5, np.inf, -np.inf, np.nan, 1e-40, -1e-45, 3.4e38, 0.5, 2.5], np.float32)
PAIRS = np.array([(a, b) for a in SPECIAL for b in SPECIAL], np.float32)


def minimum_2019(a, b, greater):
    """IEEE 754-2019 maximum/minimum: NaN wins, -0 < +0."""
    pick_a = np.where(a == b, np.signbit(a) != greater, (a > b) if greater else (a < b))
    return np.where(np.isnan(a) | np.isnan(b), np.float32(np.nan), np.where(pick_a, a, b))


@pytest.mark.parametrize("op", ["maximumf", "minimumf"])
def test_extremes_follow_ieee_2019(native, op):
    a, b = PAIRS[:, 0].copy(), PAIRS[:, 1].copy()
    out = np.zeros_like(a)
    native(elementwise(len(a), ["f32", "f32"], "f32", f"%r = arith.{op} %v0, %v1 : f32"))(a, b, out)
    want = minimum_2019(a, b, op == "maximumf")
    assert np.array_equal(out, want, equal_nan=True)
    assert np.array_equal(np.signbit(out[out == 0]), np.signbit(want[want == 0]))


@pytest.mark.parametrize(
    ("op", "reference"),
    [
        ("math.sqrt", np.sqrt),
        ("math.floor", np.floor),
        ("math.ceil", np.ceil),
        ("math.roundeven", np.rint),
        ("math.absf", np.abs),
        ("arith.negf", np.negative),
    ],
)
def test_unary_float_ops(native, op, reference):
    x = np.concatenate([SPECIAL, RNG.normal(0, 3, 37).astype(np.float32)])
    out = np.zeros_like(x)
    native(elementwise(len(x), ["f32"], "f32", f"%r = {op} %v0 : f32"))(x, out)
    with np.errstate(invalid="ignore"):
        want = reference(x)
    assert np.array_equal(out, want, equal_nan=True)
    assert np.array_equal(np.signbit(out[out == 0]), np.signbit(want[want == 0]))


def test_fma_rounds_once_in_f32(native):
    a, b, c = (RNG.normal(0, 1, 4000).astype(np.float32) for _ in range(3))
    c[:2000] = -(a[:2000] * b[:2000])  # cancellation: the result is the rounding error of the product
    out = np.zeros_like(a)
    native(elementwise(4000, ["f32", "f32", "f32"], "f32", "%r = math.fma %v0, %v1, %v2 : f32"))(a, b, c, out)
    exact = a.astype(np.longdouble) * b.astype(np.longdouble) + c.astype(np.longdouble)
    assert np.array_equal(out, exact.astype(np.float32))
    assert np.count_nonzero(out[:2000]) > 1000


def test_fma_rounds_once_in_f64(native):
    from fractions import Fraction

    a, b, c = (RNG.normal(0, 1, 500) for _ in range(3))
    c[:250] = -(a[:250] * b[:250])
    out = np.zeros_like(a)
    native(elementwise(500, ["f64", "f64", "f64"], "f64", "%r = math.fma %v0, %v1, %v2 : f64"))(a, b, c, out)
    want = [float(Fraction(x) * Fraction(y) + Fraction(z)) for x, y, z in zip(a, b, c, strict=True)]
    assert np.array_equal(out, np.array(want))


SMALL = {
    "bf16": ml_dtypes.bfloat16,
    "f16": np.float16,
    "f8E3M4": ml_dtypes.float8_e3m4,
    "f8E4M3": ml_dtypes.float8_e4m3,
    "f8E4M3B11FNUZ": ml_dtypes.float8_e4m3b11fnuz,
    "f8E4M3FN": ml_dtypes.float8_e4m3fn,
    "f8E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "f8E5M2": ml_dtypes.float8_e5m2,
    "f8E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
    "f8E8M0FNU": ml_dtypes.float8_e8m0fnu,
    "f6E2M3FN": ml_dtypes.float6_e2m3fn,
    "f6E3M2FN": ml_dtypes.float6_e3m2fn,
    "f4E2M1FN": ml_dtypes.float4_e2m1fn,
}


def every_value(small):
    dtype = np.dtype(SMALL[small])
    return np.arange(1 << ml_dtypes.finfo(dtype).bits).astype(f"u{dtype.itemsize}").view(dtype)


@pytest.mark.parametrize("small", SMALL)
def test_small_floats_widen_exactly(native, small):
    x = every_value(small)
    out = np.zeros(len(x), np.float32)
    native(elementwise(len(x), [small], "f32", f"%r = arith.extf %v0 : {small} to f32"))(x, out)
    assert np.array_equal(out, x.astype(np.float32), equal_nan=True)
    assert np.array_equal(np.signbit(out)[~np.isnan(out)], np.signbit(x.astype(np.float32))[~np.isnan(out)])


@pytest.mark.parametrize("small", SMALL)
@pytest.mark.parametrize("wide", ["f32", "f64"])
@pytest.mark.every(2)
def test_small_floats_narrow_to_nearest_even(native, small, wide):
    dtype = np.dtype({"f32": np.float32, "f64": np.float64}[wide])
    with np.errstate(all="ignore"):
        exact = every_value(small).astype(dtype)
        finite = exact[np.isfinite(exact)]
        halves = (np.sort(finite)[:-1] + np.sort(finite)[1:]) / 2  # ties
        x = np.concatenate([exact, halves, np.nextafter(halves, dtype.type(np.inf)), np.nextafter(halves, -np.inf)])
        x = x.astype(dtype)
        want = _nearest(x, SMALL[small])
    out = np.zeros(len(x), SMALL[small])
    native(elementwise(len(x), [wide], small, f"%r = arith.truncf %v0 : {wide} to {small}"))(x, out)
    got, want = out.astype(np.float32), want.astype(np.float32)
    assert np.array_equal(got, want, equal_nan=True)
    numbers = ~np.isnan(want)
    assert np.array_equal(np.signbit(got)[numbers], np.signbit(want)[numbers])


def _nearest(x, small):
    """NumPy rounds f64 to f16 once; ml_dtypes may go through f32, so f64 is rounded here to odd first."""
    if x.dtype == np.float32 or small is np.float16:
        return x.astype(small)
    near = x.astype(np.float32)
    bits = near.view(np.uint32).copy()
    inexact = (near.astype(np.float64) != x) & ~np.isnan(x)
    bits[inexact & (np.abs(near.astype(np.float64)) > np.abs(x))] -= 1
    bits[inexact] |= 1
    return bits.view(np.float32).astype(small)


def test_booleans_are_bytes_in_memory(native):
    a, b = RNG.integers(0, 2, 33).astype(bool), RNG.integers(0, 2, 33).astype(bool)
    out = np.zeros(33, bool)
    body = "%t = arith.constant true\n%n2 = arith.xori %v1, %t : i1\n%r = arith.andi %v0, %n2 : i1"
    native(elementwise(33, ["i1", "i1"], "i1", body))(a, b, out)
    assert np.array_equal(out.view(np.uint8), (a & ~b).view(np.uint8))


@pytest.mark.parametrize(
    ("op", "reference"),
    [
        ("arith.floordivsi", lambda a, b: a // b),
        ("arith.ceildivsi", lambda a, b: -(-a.astype(np.int64) // b)),
        ("arith.remsi", np.fmod),
        ("arith.maxsi", np.maximum),
    ],
)
def test_integer_division(native, op, reference):
    a = np.repeat(np.arange(-9, 10, dtype=np.int32), 4)
    b = np.tile(np.array([-3, -2, 2, 5], np.int32), 19)
    out = np.zeros_like(a)
    native(elementwise(len(a), ["i32", "i32"], "i32", f"%r = {op} %v0, %v1 : i32"))(a, b, out)
    assert np.array_equal(out, reference(a, b))


def test_widening_multiply(native):
    a, b = (RNG.integers(0, 2**32, 50, dtype=np.uint32) for _ in range(2))
    out = np.zeros_like(a)
    body = "%low, %r = arith.mului_extended %v0, %v1 : i32"
    native(elementwise(50, ["i32", "i32"], "i32", body))(a, b, out)
    assert np.array_equal(out, ((a.astype(np.uint64) * b) >> 32).astype(np.uint32))


def test_loops_carry_values(native):
    """Nested loops with carried scalars and vectors, trip counts 0, 1 and dynamic."""
    text = entry(
        "%x: memref<7x16xf32>, %n: memref<1xi64>, %out: memref<18xf32>",
        """%c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c7 = arith.constant 7 : index
        %f0 = arith.constant 0.0 : f32
        %z = arith.constant dense<0.0> : vector<2x8xf32>
        %n0 = memref.load %n[%c0] : memref<1xi64>
        %ni = arith.index_cast %n0 : i64 to index
        %sum, %acc = scf.for %i = %c0 to %ni step %c1 iter_args(%s = %f0, %a = %z) -> (f32, vector<2x8xf32>) {
          %row = memref.subview %x[%i, 0] [1, 16] [1, 1] : memref<7x16xf32> to memref<16xf32, strided<[1], offset: ?>>
          %wide = memref.expand_shape %row [[0, 1]] output_shape [2, 8]
            : memref<16xf32, strided<[1], offset: ?>> into memref<2x8xf32, strided<[8, 1], offset: ?>>
          %v = vector.load %wide[%c0, %c0] : memref<2x8xf32, strided<[8, 1], offset: ?>>, vector<2x8xf32>
          %a2 = arith.addf %a, %v : vector<2x8xf32>
          %e = memref.load %x[%i, %c7] : memref<7x16xf32>
          %s2 = arith.addf %s, %e : f32
          scf.yield %s2, %a2 : f32, vector<2x8xf32>
        }
        %never = scf.for %i = %c7 to %c7 step %c1 iter_args(%s = %sum) -> (f32) {
          scf.yield %f0 : f32
        }
        %once = scf.for %i = %c0 to %c1 step %c1 iter_args(%s = %never) -> (f32) {
          %t = arith.addf %s, %s : f32
          scf.yield %t : f32
        }
        %flat = vector.shape_cast %acc : vector<2x8xf32> to vector<16xf32>
        vector.store %flat, %out[%c0] : memref<18xf32>, vector<16xf32>
        %c16 = arith.constant 16 : index
        memref.store %never, %out[%c16] : memref<18xf32>
        %c17 = arith.constant 17 : index
        memref.store %once, %out[%c17] : memref<18xf32>""",
    )
    exe = native(text)
    x = RNG.normal(size=(7, 16)).astype(np.float32)
    for n in (0, 1, 5, 7):
        out = np.full(18, 9, np.float32)
        exe(x, np.array([n]), out)
        total = np.float32(0)
        rows = np.zeros(16, np.float32)
        for i in range(n):
            total += x[i, 7]
            rows += x[i]
        assert np.array_equal(out, [*rows, total, total + total])


def test_while_if_and_switch(native):
    """Collatz steps with a while; a switch and an if on its result."""
    text = entry(
        "%x: memref<1xi64>, %out: memref<3xi64>",
        """%c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c2 = arith.constant 2 : index
        %one = arith.constant 1 : i64
        %two = arith.constant 2 : i64
        %three = arith.constant 3 : i64
        %zero = arith.constant 0 : i64
        %start = memref.load %x[%c0] : memref<1xi64>
        %last, %steps = scf.while (%v = %start, %k = %zero) : (i64, i64) -> (i64, i64) {
          %go = arith.cmpi ne, %v, %one : i64
          scf.condition(%go) %v, %k : i64, i64
        } do {
        ^bb0(%v: i64, %k: i64):
          %half = arith.divui %v, %two : i64
          %odd = arith.remui %v, %two : i64
          %is_odd = arith.cmpi eq, %odd, %one : i64
          %next = scf.if %is_odd -> (i64) {
            %t = arith.muli %v, %three : i64
            %u = arith.addi %t, %one : i64
            scf.yield %u : i64
          } else {
            scf.yield %half : i64
          }
          %k2 = arith.addi %k, %one : i64
          scf.yield %next, %k2 : i64, i64
        }
        memref.store %steps, %out[%c0] : memref<3xi64>
        memref.store %last, %out[%c1] : memref<3xi64>
        %which = arith.index_cast %steps : i64 to index
        %picked = scf.index_switch %which -> i64
        case 0 { scf.yield %two : i64 }
        case 7 { scf.yield %three : i64 }
        default { scf.yield %zero : i64 }
        memref.store %picked, %out[%c2] : memref<3xi64>""",
    )
    exe = native(text)
    for start, steps, picked in ((1, 0, 2), (3, 7, 3), (27, 111, 0)):
        out = np.zeros(3, np.int64)
        exe(np.array([start]), out)
        assert out.tolist() == [steps, 1, picked]


def test_views_subviews_and_copies(native):
    """A typed view of raw bytes, a strided 2-d copy into it, and a global."""
    text = (
        '"memref.global"() <{sym_name = "table", sym_visibility = "private", constant, type = memref<2x3xi32>, '
        "initial_value = dense<[[1, -2, 3], [4, 5, -6]]> : tensor<2x3xi32>}> : () -> ()\n"
        + entry(
            "%x: memref<6x8xi32>, %raw: memref<128xi8>, %out: memref<2x3xi32>",
            """%off = arith.constant 64 : index
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %tmp = memref.view %raw[%off][] : memref<128xi8> to memref<2x3xi32>
        %piece = memref.subview %x[1, 2] [2, 3] [3, 2] : memref<6x8xi32> to memref<2x3xi32, strided<[24, 2], offset: 10>>
        "memref.copy"(%piece, %tmp) : (memref<2x3xi32, strided<[24, 2], offset: 10>>, memref<2x3xi32>) -> ()
        %t = memref.get_global @table : memref<2x3xi32>
        %c2 = arith.constant 2 : index
        %c3 = arith.constant 3 : index
        scf.for %i = %c0 to %c2 step %c1 {
          scf.for %j = %c0 to %c3 step %c1 {
            %a = memref.load %tmp[%i, %j] : memref<2x3xi32>
            %b = memref.load %t[%i, %j] : memref<2x3xi32>
            %s = arith.addi %a, %b : i32
            memref.store %s, %out[%i, %j] : memref<2x3xi32>
          }
        }""",
        )
    )
    x = np.arange(48, dtype=np.int32).reshape(6, 8)
    raw, out = np.zeros(128, np.uint8), np.zeros((2, 3), np.int32)
    native(text)(x, raw, out)
    assert np.array_equal(out, x[1:5:3, 2:8:2] + np.array([[1, -2, 3], [4, 5, -6]]))
    assert not raw[:64].any()
    assert not raw[88:].any()


def test_affine_loops_and_maps(native):
    text = entry(
        "%x: memref<20xf32>, %out: memref<4x5xf32>",
        """affine.for %i = 0 to 4 {
          affine.for %j = 0 to 5 {
            %v = affine.load %x[%i * 5 + %j] : memref<20xf32>
            %k = affine.apply affine_map<(d0, d1) -> ((d0 * 5 + d1 - 7) mod 20)> (%i, %j)
            %u = memref.load %x[%k] : memref<20xf32>
            %s = arith.addf %v, %u : f32
            affine.store %s, %out[%i, %j] : memref<4x5xf32>
          }
        }""",
    )
    x = RNG.normal(size=20).astype(np.float32)
    out = np.zeros((4, 5), np.float32)
    native(text)(x, out)
    assert np.array_equal(out.ravel(), x + np.roll(x, 7))


def test_parallel_for_captures_buffers_and_scalars(native):
    text = """
    kernel.func @k(%x: memref<?x10xf32>, %out: memref<37x10xf32>, %w: memref<?x64xi8>) attributes {access = ["read", "write"], worker_bytes = 64 : i64} {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c10 = arith.constant 10 : index
      %two = arith.constant 2.0 : f32
      %scale = memref.load %x[%c0, %c1] : memref<?x10xf32>
      %v = vector.broadcast %scale : f32 to vector<2x5xf32>
      rt.parallel_for (%i) = 0 to 37 grain 4 {
        %id = rt.worker_id : index
        %row = memref.subview %w[%id, 0] [1, 64] [1, 1] : memref<?x64xi8> to memref<64xi8, strided<[1], offset: ?>>
        %plain = "memref.cast"(%row) : (memref<64xi8, strided<[1], offset: ?>>) -> memref<64xi8>
        %tmp = memref.view %plain[%c0][] : memref<64xi8> to memref<10xf32>
        %u = vector.shape_cast %v : vector<2x5xf32> to vector<10xf32>
        %a = vector.load %x[%i, %c0] : memref<?x10xf32>, vector<10xf32>
        %m = arith.mulf %a, %u : vector<10xf32>
        vector.store %m, %tmp[%c0] : memref<10xf32>, vector<10xf32>
        scf.for %j = %c0 to %c10 step %c1 {
          %e = memref.load %tmp[%j] : memref<10xf32>
          %f = arith.mulf %e, %two : f32
          memref.store %f, %out[%i, %j] : memref<37x10xf32>
        }
      }
      kernel.return
    }
    func.func @main(%x: memref<37x10xf32>, %out: memref<37x10xf32>, %w: memref<?x64xi8>) attributes {stepwell.abi} {
      %d = "memref.cast"(%x) : (memref<37x10xf32>) -> memref<?x10xf32>
      kernel.launch @k ins(%d : memref<?x10xf32>) outs(%out : memref<37x10xf32>) scratch(%w : memref<?x64xi8>)
      func.return
    }
    """
    x = RNG.normal(size=(37, 10)).astype(np.float32)
    out, w = np.zeros_like(x), np.zeros(128, np.uint8)
    exe = native(text)
    exe(x, out, w[-w.ctypes.data % 64 :])
    assert np.array_equal(out, x * x[0, 1] * np.float32(2))
    kernel = exe.texts[1].text
    assert "ptr noalias readonly nonnull noundef align 4 %a0" in kernel
    assert "ptr noalias nonnull noundef align 64 %c" in kernel  # the outlined loop keeps it


@pytest.mark.parametrize(("name", "dtype"), [("i4", ml_dtypes.int4), ("i2", ml_dtypes.int2)])
def test_integers_below_a_byte(native, name, dtype):
    x = np.arange(16).astype(np.uint8).view(dtype)
    out, wide = np.zeros(16, dtype), np.zeros(16, np.int32)
    parameters = f"%x: memref<16x{name}>, %out: memref<16x{name}>, %wide: memref<16xi32>"
    text = entry(
        parameters,
        f"""%c0 = arith.constant 0 : index
        %v = vector.load %x[%c0] : memref<16x{name}>, vector<16x{name}>
        %k = arith.constant dense<1> : vector<16x{name}>
        %s = arith.addi %v, %k : vector<16x{name}>
        vector.store %s, %out[%c0] : memref<16x{name}>, vector<16x{name}>
        %e = arith.extsi %v : vector<16x{name}> to vector<16xi32>
        vector.store %e, %wide[%c0] : memref<16xi32>, vector<16xi32>""",
    )
    native(text)(x, out, wide)
    assert np.array_equal(wide, x.astype(np.int32))
    assert np.array_equal(out, x + dtype(1))
