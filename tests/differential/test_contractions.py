"""Contractions natively against NumPy: runs of terms, packed operands, edges, epilogues, windows, at every vector width."""

from __future__ import annotations

import itertools

import ml_dtypes
import numpy as np
import pytest

import stepwell

pytestmark = pytest.mark.every(2)

LEVELS = ["avx512", "avx2", "sse4.2"]
DTYPES = {"f32": np.float32, "f64": np.float64, "bf16": ml_dtypes.bfloat16, "f16": np.float16, "i8": np.int8}
SHAPES = [(1, 70, 131), (3, 9, 100), (13, 300, 33), (14, 1203, 31), (27, 520, 64), (40, 31, 7)]


def tensor(shape, kind: str) -> str:
    return f"tensor<{''.join(f'{s}x' for s in shape)}{kind}>"


def values(rng, shape, kind: str):
    if kind.startswith("i"):
        return rng.integers(-100, 100, shape).astype(DTYPES[kind])
    return rng.standard_normal(shape).astype(DTYPES[kind])


def product_program(size, kind: str, total: str, across: tuple[int, int]) -> str:
    """`A B + bias`, contracting the given dims of A and B."""
    m, k, n = size
    a, b = tensor((m, k) if across[0] else (k, m), kind), tensor((n, k) if across[1] else (k, n), kind)
    c, bias = tensor((m, n), total), tensor((n,), total)
    return f"""func.func @main(%a: {a}, %b: {b}, %c: {bias}) -> {c} {{
      %r = stablehlo.dot_general %a, %b, contracting_dims = [{across[0]}] x [{across[1]}] : ({a}, {b}) -> {c}
      %d = stablehlo.broadcast_in_dim %c, dims = [1] : ({bias}) -> {c}
      %s = stablehlo.add %r, %d : {c}
      func.return %s : {c}
    }}"""


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("number", range(len(SHAPES)))
def test_products_of_any_layout(level, number):
    """Every shape has another layout at each width, and every layout occurs."""
    rng = np.random.default_rng(number)
    across = list(itertools.product((1, 0), (0, 1)))[(number + LEVELS.index(level)) % 4]
    m, k, n = SHAPES[number]
    a, b, c = values(rng, (m, k), "f32"), values(rng, (k, n), "f32"), values(rng, (n,), "f32")
    exe = stepwell.compile(product_program(SHAPES[number], "f32", "f32", across), simd=level)
    (got,) = exe(a if across[0] else a.T.copy(), b.T.copy() if across[1] else b, c)
    np.testing.assert_allclose(got, a.astype(np.float64) @ b + c, rtol=1e-4, atol=2e-4)


TOGETHER = [(47, 40, 64), (61, 170, 33), (121, 37, 70)]
"""Rows that are packed together: fewer than go together, one more, two lots and a tile's edge."""


@pytest.mark.parametrize(
    ("level", "kind"), [*((level, "f32") for level in LEVELS), ("avx512", "bf16"), ("avx512", "f64")]
)
def test_rows_that_lie_next_to_each_other_are_packed_together(level, kind):
    """Products `A^T B` with tiles of six and of thirteen rows, cut over tasks in the middle of what is packed together."""
    rng = np.random.default_rng(3)
    total = "f64" if kind == "f64" else "f32"
    bytes_of = {"avx512": 64, "avx2": 32, "sse4.2": 16}[level]
    for number, (m, k, n) in enumerate(TOGETHER):
        mr, lanes = (6, 13)[number % 2], bytes_of // (8 if kind == "f64" else 4)
        numbers = {"vector": bytes_of, "tasks": 4, "grain": 1, "mr": mr, "nr": 2 * lanes, "k_unroll": 2, "kc": 64}
        schedule = stepwell.schedule("contraction", pack_a=1, pack_b=1, block=2, **numbers)
        a, b, c = values(rng, (k, m), kind), values(rng, (k, n), kind), values(rng, (n,), total)
        text = product_program((m, k, n), kind, total, (0, 0))
        (name,) = [kernel.name for kernel in stepwell.explain(text, simd=level).kernels]
        (got,) = stepwell.compile(text, simd=level, schedules={name: schedule})(a, b, c)
        np.testing.assert_allclose(got, a.T.astype(np.float64) @ b.astype(np.float64) + c, rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize(("kind", "total"), [("f64", "f64"), ("bf16", "f32"), ("f16", "f32"), ("i8", "i32")])
def test_element_types_are_converted_while_packed(kind, total):
    rng = np.random.default_rng(7)
    m, k, n = 15, 700, 37
    wide = {**DTYPES, "i32": np.int32}[total]
    a, b = values(rng, (m, k), kind), values(rng, (k, n), kind)
    c = rng.integers(-5, 5, n).astype(wide)
    (got,) = stepwell.compile(product_program((m, k, n), kind, total, (1, 0)))(a, b, c)
    want = a.astype(np.float64) @ b.astype(np.float64) + c
    assert got.dtype == wide
    if kind == "i8":
        np.testing.assert_array_equal(got, want)
    else:
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-3)


def test_infinities_and_nan_stay_in_their_rows_and_columns():
    a, b = np.ones((20, 600), np.float32), np.ones((600, 50), np.float32)
    a[3, 599], b[0, 49], a[7, 300] = np.inf, np.nan, -np.inf
    (got,) = stepwell.compile(product_program((20, 600, 50), "f32", "f32", (1, 0)))(a, b, np.zeros(50, np.float32))
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(got, a @ b)


def test_results_are_the_same_bits_from_call_to_call():
    """How work is cut is part of the program, whoever does which part."""
    rng = np.random.default_rng(3)
    a, b, c = values(rng, (300, 600), "f32"), values(rng, (600, 300), "f32"), values(rng, (300,), "f32")
    exe = stepwell.compile(product_program((300, 600, 300), "f32", "f32", (1, 0)))
    assert exe.ir("scheduled").count("scf.forall (") == 1
    (first,) = exe(a, b, c)
    for _ in range(3):
        np.testing.assert_array_equal(exe(a, b, c)[0], first)
    np.testing.assert_allclose(first, a.astype(np.float64) @ b + c, rtol=1e-4, atol=2e-4)


def convolved(x, k, stride: int, pad: int, dilation: int, groups: int):
    """NCHW convolution in float64, tap by tap."""
    x = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    (images, channels, *_), (features, per_group, kh, kw) = x.shape, k.shape
    rows, columns = ((s - dilation * (t - 1) - 1) // stride + 1 for s, t in zip(x.shape[2:], (kh, kw), strict=True))
    total = np.zeros((images, features, rows, columns))
    for g, i, j in itertools.product(range(groups), range(kh), range(kw)):
        part = x[:, g * per_group : (g + 1) * per_group]
        part = part[:, :, i * dilation :, j * dilation :][:, :, : stride * rows : stride, : stride * columns : stride]
        weights = k.reshape(groups, features // groups, per_group, kh, kw)[g, :, :, i, j]
        total.reshape(images, groups, -1, rows, columns)[:, g] += np.einsum("ncij,oc->noij", part, weights)
    assert channels == groups * per_group
    return total


CONVOLUTIONS = [
    # images, channels, side, features, window, stride, pad, dilation, groups
    (2, 5, 9, 40, 3, 1, 1, 1, 1),
    (1, 16, 15, 33, 3, 1, 2, 2, 1),
    (1, 6, 14, 16, 1, 1, 0, 1, 1),
    (2, 4, 11, 18, 3, 2, 1, 1, 1),
    (1, 8, 13, 32, 3, 1, 1, 1, 2),
    (1, 8, 20, 8, 3, 1, 1, 1, 8),
]


@pytest.mark.parametrize("number", range(len(CONVOLUTIONS)))
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_convolutions(number, layout):
    images, channels, side, features, window, stride, pad, dilation, groups = CONVOLUTIONS[number]
    level = LEVELS[(number + (layout == "nhwc")) % 3]
    rng = np.random.default_rng(number)
    x = values(rng, (images, channels, side, side), "f32")
    k = values(rng, (features, channels // groups, window, window), "f32")
    want = convolved(x, k, stride, pad, dilation, groups)
    dims = "[b, f, 0, 1]x[o, i, 0, 1]->[b, f, 0, 1]"
    if layout == "nhwc":
        dims = "[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]"
        x, k, want = x.transpose(0, 2, 3, 1).copy(), k.transpose(2, 3, 1, 0).copy(), want.transpose(0, 2, 3, 1)
    types = [tensor(v.shape, "f32") for v in (x, k, want)]
    config = (
        f"stride = [{stride}, {stride}], pad = [[{pad}, {pad}], [{pad}, {pad}]], rhs_dilate = [{dilation}, {dilation}]"
    )
    text = f"""func.func @main(%x: {types[0]}, %k: {types[1]}) -> {types[2]} {{
      %r = stablehlo.convolution(%x, %k) dim_numbers = {dims}, window = {{{config}}}
        {{batch_group_count = 1 : i64, feature_group_count = {groups} : i64}} : ({types[0]}, {types[1]}) -> {types[2]}
      func.return %r : {types[2]}
    }}"""
    (got,) = stepwell.compile(text, simd=level)(x, k)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=2e-4)
