"""Vectors: native results against NumPy at every level this machine has."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from stepwell.dialects.registry import interpreter_rules
from stepwell.ir.errors import UnsupportedError
from stepwell.ir.interpreter import Interpreter
from stepwell.source import parse

RNG = np.random.default_rng(1)


def entry(parameters: str, body: str) -> str:
    return f"""func.func @main({parameters}) attributes {{stepwell.abi}} {{
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    {body}
    func.return
    }}"""


@pytest.mark.parametrize("n", [1, 3, 15, 16, 17, 40, 64])
@pytest.mark.parametrize(("name", "dtype"), [("f32", np.float32), ("f64", np.float64), ("i8", np.int8), ("i1", bool)])
@pytest.mark.every(3)
def test_masked_tails_touch_nothing_outside(native, n, name, dtype):
    """out[i] = x[i] by 16 lanes with create_mask; what surrounds both arrays is untouched."""
    text = entry(
        f"%x: memref<{n}x{name}>, %out: memref<{n}x{name}>",
        f"""%n = arith.constant {n} : index
        %c16 = arith.constant 16 : index
        %pad = {"arith.constant true" if name == "i1" else f"arith.constant {'7' if name == 'i8' else '7.0'} : {name}"}
        scf.for %i = %c0 to %n step %c16 {{
          %left = arith.subi %n, %i : index
          %m = vector.create_mask %left : vector<16xi1>
          %v = vector.transfer_read %x[%i], %pad, %m {{in_bounds = [true]}} : memref<{n}x{name}>, vector<16x{name}>
          vector.transfer_write %v, %out[%i], %m {{in_bounds = [true]}} : vector<16x{name}>, memref<{n}x{name}>
        }}""",
    )
    whole = RNG.integers(0, 2, n + 64).astype(dtype)
    target = np.ones(n + 64, dtype)
    native(text)(whole[32 : 32 + n], target[32 : 32 + n])
    assert np.array_equal(target[32 : 32 + n], whole[32 : 32 + n])
    assert target[:32].all()
    assert target[32 + n :].all()


@pytest.mark.parametrize("start", [(0, 0), (3, 10), (4, 0), (5, 12), (-1, -2)])
def test_transfers_over_the_edge(native, start):
    """A 3x8 tile of a 5x13 buffer, out of bounds where it sticks out (negative starts belong to no transfer)."""
    if min(start) < 0:
        pytest.skip("starts are in bounds")
    text = entry(
        "%x: memref<5x13xf32>, %at: memref<2xi64>, %tile: memref<3x8xf32>, %out: memref<5x13xf32>",
        """%r64 = memref.load %at[%c0] : memref<2xi64>
        %s64 = memref.load %at[%c1] : memref<2xi64>
        %r = arith.index_cast %r64 : i64 to index
        %s = arith.index_cast %s64 : i64 to index
        %pad = arith.constant -1.0 : f32
        %v = vector.transfer_read %x[%r, %s], %pad {in_bounds = [false, false]} : memref<5x13xf32>, vector<3x8xf32>
        vector.store %v, %tile[%c0, %c0] : memref<3x8xf32>, vector<3x8xf32>
        %w = arith.addf %v, %v : vector<3x8xf32>
        vector.transfer_write %w, %out[%r, %s] {in_bounds = [false, false]} : vector<3x8xf32>, memref<5x13xf32>""",
    )
    x = RNG.normal(size=(5, 13)).astype(np.float32)
    guarded = np.full(65 + 128, 5, np.float32)
    out = guarded[64:129].reshape(5, 13)
    tile = np.zeros((3, 8), np.float32)
    native(text)(x, np.array(start), tile, out)
    padded = np.full((8, 21), -1, np.float32)
    padded[:5, :13] = x
    r, s = start
    assert np.array_equal(tile, padded[r : r + 3, s : s + 8])
    want = np.full((5, 13), 5, np.float32)
    want[r : r + 3, s : s + 8] = 2 * x[r : r + 3, s : s + 8]
    assert np.array_equal(out, want)
    assert (guarded[:64] == 5).all()
    assert (guarded[129:] == 5).all()


def test_transposed_and_broadcast_reads(native):
    text = entry(
        "%x: memref<6x9xf32>, %a: memref<4x5xf32>, %b: memref<4x8xf32>",
        """%pad = arith.constant 0.0 : f32
        %t = vector.transfer_read %x[%c1, %c0], %pad
          {in_bounds = [true, true], permutation_map = affine_map<(d0, d1) -> (d1, d0)>} : memref<6x9xf32>, vector<4x5xf32>
        vector.store %t, %a[%c0, %c0] : memref<4x5xf32>, vector<4x5xf32>
        %s = vector.transfer_read %x[%c1, %c1], %pad
          {in_bounds = [true, true], permutation_map = affine_map<(d0, d1) -> (d0, 0)>} : memref<6x9xf32>, vector<4x8xf32>
        vector.store %s, %b[%c0, %c0] : memref<4x8xf32>, vector<4x8xf32>""",
    )
    x = RNG.normal(size=(6, 9)).astype(np.float32)
    a, b = np.zeros((4, 5), np.float32), np.zeros((4, 8), np.float32)
    native(text)(x, a, b)
    assert np.array_equal(a, x[1:6, 0:4].T)
    assert np.array_equal(b, np.repeat(x[1:5, 1:2], 8, axis=1))


KINDS = [
    ("add", "f32", np.float32, lambda x: x.astype(np.float64).sum()),
    ("mul", "f32", np.float32, lambda x: x.astype(np.float64).prod()),
    ("maximumf", "f32", np.float32, np.max),
    ("minnumf", "f32", np.float32, np.fmin.reduce),
    ("add", "i32", np.int32, np.sum),
    ("minsi", "i8", np.int8, np.min),
    ("maxui", "i16", np.uint16, np.max),
    ("xor", "i64", np.int64, np.bitwise_xor.reduce),
]


@pytest.mark.parametrize("lanes", [1, 4, 7, 16, 33])
@pytest.mark.parametrize("flags", ["", " fastmath<reassoc>"])
@pytest.mark.parametrize(("kind", "name", "dtype", "reference"), KINDS, ids=[f"{k[0]}-{k[1]}" for k in KINDS])
@pytest.mark.every(4)
def test_reductions(native, lanes, flags, kind, name, dtype, reference):
    if flags and name != "f32":
        flags = ""
    text = entry(
        f"%x: memref<{lanes}x{name}>, %acc: memref<1x{name}>",
        f"""%v = vector.load %x[%c0] : memref<{lanes}x{name}>, vector<{lanes}x{name}>
        %a = memref.load %acc[%c0] : memref<1x{name}>
        %r = vector.reduction <{kind}>, %v, %a{flags} : vector<{lanes}x{name}> into {name}
        memref.store %r, %acc[%c0] : memref<1x{name}>""",
    )
    x = RNG.normal(size=lanes).astype(dtype) if name == "f32" else RNG.integers(0, 100, lanes).astype(dtype)
    acc = np.array([2], dtype)
    want = reference(np.concatenate([acc, x]))
    native(text)(x, acc)
    if name == "f32" and kind in ("add", "mul"):
        np.testing.assert_allclose(acc[0], want, rtol=1e-5, atol=1e-5)
    else:
        assert acc[0] == want


def test_ordered_reduction_keeps_the_order(native):
    """1e8 + 1 - 1e8 lane by lane is 0 in f32; any other order may differ."""
    text = entry(
        "%x: memref<4xf32>, %acc: memref<1xf32>",
        """%v = vector.load %x[%c0] : memref<4xf32>, vector<4xf32>
        %a = memref.load %acc[%c0] : memref<1xf32>
        %r = vector.reduction <add>, %v, %a : vector<4xf32> into f32
        memref.store %r, %acc[%c0] : memref<1xf32>""",
    )
    acc = np.array([1], np.float32)
    native(text)(np.array([1e8, -1e8, 3, 0.5], np.float32), acc)
    assert acc[0] == 3.5


@pytest.mark.parametrize("nan", [False, True])
def test_maximum_reduction_propagates_nan(native, nan):
    text = entry(
        "%x: memref<11xf32>, %acc: memref<1xf32>",
        """%v = vector.load %x[%c0] : memref<11xf32>, vector<11xf32>
        %r = vector.reduction <maximumf>, %v : vector<11xf32> into f32
        memref.store %r, %acc[%c0] : memref<1xf32>""",
    )
    x = -np.arange(1, 12, dtype=np.float32)
    x[9] = np.nan if nan else -0.5
    acc = np.zeros(1, np.float32)
    native(text)(x, acc)
    assert np.array_equal(acc, [np.nan if nan else -0.5], equal_nan=True)


@pytest.mark.parametrize(
    ("dims", "axis"), [("[0]", 0), ("[1]", 1), ("[2]", 2), ("[0, 2]", (0, 2)), ("[0, 1, 2]", None)]
)
def test_multi_reduction(native, dims, axis):
    x = RNG.integers(-9, 9, (3, 4, 5)).astype(np.float32)
    want = np.sum(x, axis=axis)
    shape = "x".join(str(n) for n in want.shape)
    vec = f"vector<{shape}xf32>" if want.shape else "f32"
    mem = f"memref<{shape}xf32>" if want.shape else "memref<f32>"
    zeros = ", ".join(["%c0"] * want.ndim)
    load = f"vector.load %out[{zeros}] : {mem}, {vec}" if want.shape else "memref.load %out[] : memref<f32>"
    store = f"vector.store %r, %out[{zeros}] : {mem}, {vec}" if want.shape else "memref.store %r, %out[] : memref<f32>"
    text = entry(
        f"%x: memref<3x4x5xf32>, %out: {mem}",
        f"""%v = vector.load %x[%c0, %c0, %c0] : memref<3x4x5xf32>, vector<3x4x5xf32>
        %a = {load}
        %r = vector.multi_reduction <add>, %v, %a {dims} : vector<3x4x5xf32> to {vec}
        {store}""",
    )
    out = np.asarray(np.full(want.shape, 0.5, np.float32))
    native(text)(x, out)
    assert np.array_equal(out, want + np.float32(0.5))


CONTRACTS = {
    "row times panel": ("(m, n, k) -> (m, k)", "(m, n, k) -> (k, n)", "mk", "kn"),
    "k-major panels": ("(m, n, k) -> (k, m)", "(m, n, k) -> (k, n)", "km", "kn"),
    "dots": ("(m, n, k) -> (m, k)", "(m, n, k) -> (n, k)", "mk", "nk"),
    "n-major": ("(m, n, k) -> (k, m)", "(m, n, k) -> (n, k)", "km", "nk"),
}


@pytest.mark.parametrize("name", ["f32", "f64", "i32", "bf16"])
@pytest.mark.parametrize("form", CONTRACTS, ids=lambda f: f.replace(" ", "-"))
@pytest.mark.every(3)
def test_contractions(native, form, name):
    sizes = {"m": 3, "n": 10, "k": 4}
    left_map, right_map, left_dims, right_dims = CONTRACTS[form]
    left_shape, right_shape = ([sizes[d] for d in dims] for dims in (left_dims, right_dims))
    acc_name = "f32" if name == "bf16" else name
    dtype = {"f32": np.float32, "f64": np.float64, "i32": np.int32, "bf16": ml_dtypes.bfloat16}[name]
    left = RNG.integers(-5, 6, left_shape).astype(dtype)
    right = RNG.integers(-5, 6, right_shape).astype(dtype)
    acc = np.ones((3, 10), np.float32 if name == "bf16" else dtype)
    want = 1 + np.einsum(f"{left_dims},{right_dims}->mn", left.astype(np.float64), right.astype(np.float64))
    a, b = ("x".join(str(n) for n in s) for s in (left_shape, right_shape))
    text = entry(
        f"%a: memref<{a}x{name}>, %b: memref<{b}x{name}>, %c: memref<3x10x{acc_name}>",
        f"""%va = vector.load %a[%c0, %c0] : memref<{a}x{name}>, vector<{a}x{name}>
        %vb = vector.load %b[%c0, %c0] : memref<{b}x{name}>, vector<{b}x{name}>
        %vc = vector.load %c[%c0, %c0] : memref<3x10x{acc_name}>, vector<3x10x{acc_name}>
        %r = vector.contract {{indexing_maps = [affine_map<{left_map}>, affine_map<{right_map}>,
          affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"],
          kind = #vector.kind<add>}} %va, %vb, %vc
          : vector<{a}x{name}>, vector<{b}x{name}> into vector<3x10x{acc_name}>
        vector.store %r, %c[%c0, %c0] : memref<3x10x{acc_name}>, vector<3x10x{acc_name}>""",
    )
    native(text)(left, right, acc)
    assert np.array_equal(acc.astype(np.float64), want)


@pytest.mark.parametrize("index", ["i32", "i64", "index"])
def test_gather_and_scatter_skip_masked_lanes(native, index):
    text = entry(
        f"%x: memref<5x7xf32>, %at: memref<10x{'i64' if index == 'index' else index}>, %m: memref<10xi1>, "
        "%out: memref<10xf32>, %y: memref<35xf32>",
        f"""%i0 = vector.load %at[%c0] : memref<10x{"i64" if index == "index" else index}>, vector<10x{
            "i64" if index == "index" else index
        }>
        {
            "%i = arith.index_cast %i0 : vector<10xi64> to vector<10xindex>"
            if index == "index"
            else f"%z = arith.constant dense<0> : vector<10x{index}>"
            + chr(10)
            + f"%i = arith.addi %i0, %z : vector<10x{index}>"
        }
        %mask = vector.load %m[%c0] : memref<10xi1>, vector<10xi1>
        %other = arith.constant dense<-1.0> : vector<10xf32>
        %v = vector.gather %x[%c1, %c0] [%i], %mask, %other
          : memref<5x7xf32>, vector<10x{index}>, vector<10xi1>, vector<10xf32> into vector<10xf32>
        vector.store %v, %out[%c0] : memref<10xf32>, vector<10xf32>
        vector.scatter %y[%c0] [%i], %mask, %v : memref<35xf32>, vector<10x{index}>, vector<10xi1>, vector<10xf32>""",
    )
    x = RNG.normal(size=(5, 7)).astype(np.float32)
    at = RNG.integers(0, 28, 10).astype(np.int32 if index == "i32" else np.int64)
    at[4] = at[3]
    mask = RNG.integers(0, 2, 10).astype(bool)
    mask[3:5] = True
    at[~mask] = 10**6  # a masked lane may point anywhere
    out, y = np.zeros(10, np.float32), np.zeros(35, np.float32)
    native(text)(x, at, mask, out, y)
    want = np.where(mask, x.ravel()[7 + np.where(mask, at, 0)], -1)
    assert np.array_equal(out, want)
    scattered = np.zeros(35, np.float32)
    scattered[at[mask]] = want[mask]
    assert np.array_equal(y, scattered)


@pytest.mark.parametrize(
    ("shape", "order"),
    [
        ((8, 8), (1, 0)),
        ((3, 5), (1, 0)),
        ((2, 3, 4), (2, 0, 1)),
        ((2, 3, 4), (1, 0, 2)),
        ((2, 3, 4), (0, 2, 1)),
        ((1, 6), (1, 0)),
    ],
)
def test_transposes(native, shape, order):
    source, target = ("x".join(str(n) for n in s) for s in (shape, [shape[d] for d in order]))
    zeros = ", ".join(["%c0"] * len(shape))
    text = entry(
        f"%x: memref<{source}xi32>, %out: memref<{target}xi32>",
        f"""%v = vector.load %x[{zeros}] : memref<{source}xi32>, vector<{source}xi32>
        %t = vector.transpose %v, [{", ".join(str(d) for d in order)}] : vector<{source}xi32> to vector<{target}xi32>
        vector.store %t, %out[{zeros}] : memref<{target}xi32>, vector<{target}xi32>""",
    )
    x = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    out = np.zeros([shape[d] for d in order], np.int32)
    native(text)(x, out)
    assert np.array_equal(out, x.transpose(order))


def test_moves_between_shapes(native):
    """Broadcast, shape_cast, slices, insert, extract, shuffle, step, bitcast in one function."""
    text = entry(
        "%x: memref<4x6xi32>, %out: memref<3x8xi32>, %f: memref<8xf32>",
        """%v = vector.load %x[%c0, %c0] : memref<4x6xi32>, vector<4x6xi32>
        %slice = vector.extract_strided_slice %v {offsets = [1, 2], sizes = [2, 4], strides = [1, 1]} : vector<4x6xi32> to vector<2x4xi32>
        %flat = vector.shape_cast %slice : vector<2x4xi32> to vector<8xi32>
        %odd = vector.shape_cast %v : vector<4x6xi32> to vector<3x8xi32>
        %a = vector.insert %flat, %odd[1] : vector<8xi32> into vector<3x8xi32>
        %e = vector.extract %v[3, 5] : i32 from vector<4x6xi32>
        %b = vector.insert %e, %a[2, 0] : i32 into vector<3x8xi32>
        %patch = vector.broadcast %e : i32 to vector<2x2xi32>
        %c = vector.insert_strided_slice %patch, %b {offsets = [0, 3], strides = [1, 1]} : vector<2x2xi32> into vector<3x8xi32> -> vector<3x8xi32>
        vector.store %c, %out[%c0, %c0] : memref<3x8xi32>, vector<3x8xi32>
        %bits = vector.bitcast %flat : vector<8xi32> to vector<8xf32>
        vector.store %bits, %f[%c0] : memref<8xf32>, vector<8xf32>""",
    )
    x = np.arange(100, 124, dtype=np.int32).reshape(4, 6)
    out, f = np.zeros((3, 8), np.int32), np.zeros(8, np.float32)
    native(text)(x, out, f)
    flat = x[1:3, 2:6].ravel()
    want = x.reshape(3, 8).copy()
    want[1] = flat
    want[2, 0] = x[3, 5]
    want[0:2, 3:5] = x[3, 5]
    assert np.array_equal(out, want)
    assert np.array_equal(f.view(np.int32), flat)


def test_two_dim_masks(native):
    text = entry(
        "%n: memref<2xi64>, %out: memref<4x8xi1>",
        """%a64 = memref.load %n[%c0] : memref<2xi64>
        %b64 = memref.load %n[%c1] : memref<2xi64>
        %a = arith.index_cast %a64 : i64 to index
        %b = arith.index_cast %b64 : i64 to index
        %m = vector.create_mask %a, %b : vector<4x8xi1>
        vector.store %m, %out[%c0, %c0] : memref<4x8xi1>, vector<4x8xi1>""",
    )
    exe = native(text)
    for a, b in ((0, 3), (2, 5), (4, 8), (9, -3), (3, 100)):
        out = np.zeros((4, 8), bool)
        exe(np.array([a, b]), out)
        want = np.zeros((4, 8), bool)
        want[: max(a, 0), : max(b, 0)] = True
        assert np.array_equal(out, want)


@pytest.mark.parametrize(("wide", "narrow", "lanes"), [("i32", "i8", 16), ("i64", "i32", 8), ("i16", "i8", 32)])
def test_one_narrowed_lane_writes_one_element(native, wide, narrow, lanes):
    """LLVM 22 stores the wide element where a narrowed vector goes under a constant mask of one lane."""
    text = entry(
        f"%x: memref<{lanes}x{wide}>, %out: memref<{lanes}x{narrow}>",
        f"""%m = vector.constant_mask [1] : vector<{lanes}xi1>
        %v = vector.load %x[%c0] : memref<{lanes}x{wide}>, vector<{lanes}x{wide}>
        %t = arith.trunci %v : vector<{lanes}x{wide}> to vector<{lanes}x{narrow}>
        vector.transfer_write %t, %out[%c0], %m {{in_bounds = [true]}} : vector<{lanes}x{narrow}>, memref<{lanes}x{narrow}>""",
    )
    target = np.zeros(lanes, f"int{narrow[1:]}")
    native(text)(np.full(lanes, -1, f"int{wide[1:]}"), target)
    assert np.flatnonzero(target).tolist() == [0]


@pytest.mark.parametrize("lanes", [1, 4, 7, 16, 37])
@pytest.mark.parametrize(
    "factors", [("ui8", "si8"), ("si8", "ui8"), ("si8", "si8"), ("si16", "si16"), ("ui16", "si16")]
)
@pytest.mark.every(3)
def test_products_of_what_words_hold_are_exact(native, factors, lanes):
    """Also the largest: 255 * -128 four times, 128 * 128, and -32768 * -32768 twice, which wraps."""
    text = entry(
        f"%a: memref<2x1xi32>, %b: memref<1x{lanes}xi32>, %c: memref<2x{lanes}xi32>",
        f"""%va = vector.load %a[%c0, %c0] : memref<2x1xi32>, vector<2x1xi32>
        %vb = vector.load %b[%c0, %c0] : memref<1x{lanes}xi32>, vector<1x{lanes}xi32>
        %vc = vector.load %c[%c0, %c0] : memref<2x{lanes}xi32>, vector<2x{lanes}xi32>
        %r = kernel.dot %va, %vb, %vc {{lhs_factor = {factors[0]}, rhs_factor = {factors[1]}}}
          : vector<2x1xi32>, vector<1x{lanes}xi32>, vector<2x{lanes}xi32>
        vector.store %r, %c[%c0, %c0] : memref<2x{lanes}xi32>, vector<2x{lanes}xi32>""",
    )
    kinds = [np.dtype(f.replace("si", "int").replace("ui", "uint")) for f in factors]
    sides = []
    for kind, words in zip(kinds, (2, lanes), strict=True):
        limits = np.iinfo(kind)
        side = RNG.integers(limits.min, limits.max + 1, (words, 4 // kind.itemsize)).astype(kind)
        side[0] = limits.min if limits.min else limits.max
        sides.append(side)
    acc = RNG.integers(-(2**31), 2**31, (2, lanes)).astype(np.int32)
    want = (acc + sides[0].astype(np.int64) @ sides[1].astype(np.int64).T).astype(np.int32)
    native(text)(sides[0].view(np.int32), sides[1].view(np.int32).reshape(1, lanes), acc)
    assert np.array_equal(acc, want)


@pytest.mark.parametrize("lanes", [1, 2, 7, 16, 37])
@pytest.mark.parametrize(("name", "dtype"), [("f32", np.float32), ("f64", np.float64)])
@pytest.mark.every(2)
def test_lanes_are_scaled_by_powers_of_two_where_there_is_an_instruction(native, level, lanes, name, dtype):
    """Rounded once, denormals and overflow included; elsewhere it is refused by name."""
    kind = f"vector<2x{lanes}x{name}>"
    text = entry(
        f"%a: memref<2x{lanes}x{name}>, %b: memref<2x{lanes}x{name}>",
        f"""%x = vector.load %a[%c0, %c0] : memref<2x{lanes}x{name}>, {kind}
        %n = vector.load %b[%c0, %c0] : memref<2x{lanes}x{name}>, {kind}
        %r = math.scaleb %x, %n : {kind}
        vector.store %r, %a[%c0, %c0] : memref<2x{lanes}x{name}>, {kind}""",
    )
    if level != "avx512":
        with pytest.raises(
            UnsupportedError, match=r"'math\.scaleb' op is not supported: this machine has no instruction"
        ):
            native(text)
        return
    run = native(text)
    edge = 149 if dtype is np.float32 else 1074
    powers = np.array(
        [0, 1, -1, 30, -edge, -edge - 1, 20 - edge, 127, 1023, 4000, -4000, np.inf, -np.inf, np.nan], dtype
    )
    numbers = np.array([1.0, -1.3, 0.0, -0.0, np.inf, np.nan, 1.9999999, 2.0 ** (1 - edge)], dtype)
    pairs = np.stack(np.meshgrid(numbers, powers)).reshape(2, -1)
    for start in range(0, pairs.shape[1], 2 * lanes):
        a, b = (np.resize(side[start : start + 2 * lanes], (2, lanes)).astype(dtype) for side in pairs)
        with np.errstate(all="ignore"):
            want = Interpreter(parse(SCALE.format(kind=kind)), interpreter_rules()).call("f", [a, b])[0]
        run(a, b)
        np.testing.assert_array_equal(a, want)
        assert np.array_equal(np.signbit(a), np.signbit(want)) or np.isnan(want).any()


SCALE = (
    "func.func @f(%a: {kind}, %b: {kind}) -> {kind} {{\n%r = math.scaleb %a, %b : {kind}\nfunc.return %r : {kind}\n}}"
)


@pytest.mark.parametrize("lanes", [1, 3, 16, 21])
@pytest.mark.parametrize(("name", "dtype"), [("f32", np.float32), ("f64", np.float64)])
@pytest.mark.every(2)
def test_estimates_are_near_and_special_where_they_must_be(native, level, lanes, name, dtype):
    kind, memory = f"vector<{lanes}x{name}>", f"memref<{lanes}x{name}>"
    text = entry(
        f"%x: {memory}, %y: {memory}",
        f"""%a = vector.load %x[%c0] : {memory}, {kind}
        %r = math.rsqrt_estimate %a : {kind}
        %s = math.reciprocal_estimate %a : {kind}
        vector.store %r, %x[%c0] : {memory}, {kind}
        vector.store %s, %y[%c0] : {memory}, {kind}""",
    )
    if level != "avx512":
        with pytest.raises(UnsupportedError, match=r"estimate' op is not supported: this machine has no instruction"):
            native(text)
        return
    run, info = native(text), np.finfo(dtype)
    numbers = np.exp2(np.random.default_rng(1).uniform(info.minexp + 2, info.maxexp - 2, lanes)).astype(dtype)
    root, inverse = numbers.copy(), np.empty_like(numbers)
    run(root, inverse)
    wide = numbers.astype(np.longdouble)
    assert np.abs(root * np.sqrt(wide) - 1).max() <= 2.0**-14
    assert np.abs(inverse * wide - 1).max() <= 2.0**-14
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, -1.0, float(info.smallest_subnormal), 4.0]
    for first in range(0, len(special), lanes):
        root = np.resize(np.array(special[first:], dtype), lanes)
        inverse, x = np.empty_like(root), root.astype(np.longdouble)
        run(root, inverse)
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(root, (1 / np.sqrt(x)).astype(dtype), rtol=2.0**-14)
            normal = np.abs(x) >= info.tiny
            np.testing.assert_allclose(inverse[normal], (1 / x[normal]).astype(dtype), rtol=2.0**-14)
            np.testing.assert_array_equal(inverse[x == 0], (1 / x[x == 0]).astype(dtype))
