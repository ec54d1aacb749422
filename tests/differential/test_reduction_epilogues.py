"""Maps of what a reduction makes are done on its points: windows, columns, all of an array, in parts or not."""

from __future__ import annotations

import numpy as np
import pytest

import stepwell


def pooled(shape, window, strides, op, init, after, dtype="f32") -> str:
    """A reduction of windows and what comes after it (of `%r`, `%q`; `O` is the type)."""
    result = [(n - w) // s + 1 for n, w, s in zip(shape, window, strides, strict=True)]
    source, target = (f"tensor<{'x'.join(map(str, n))}x{dtype}>" for n in (shape, result))
    numbers = [", ".join(map(str, n)) for n in (window, strides)]
    return f"""func.func public @main(%x: {source}, %q: {target}) -> {target} {{
      %i = stablehlo.constant dense<{init}> : tensor<{dtype}>
      %r = "stablehlo.reduce_window"(%x, %i) <{{window_dimensions = array<i64: {numbers[0]}>, window_strides = array<i64: {numbers[1]}>}}> ({{
        ^bb0(%a: tensor<{dtype}>, %b: tensor<{dtype}>):
          %s = stablehlo.{op} %a, %b : tensor<{dtype}>
          stablehlo.return %s : tensor<{dtype}>
      }}) : ({source}, tensor<{dtype}>) -> {target}
      {after.replace("O", target)}
      return %y : {target}
    }}"""


def windows(x, window, strides):
    view = np.lib.stride_tricks.sliding_window_view(x, window)[tuple(slice(None, None, s) for s in strides)]
    return view.reshape(*view.shape[: x.ndim], -1)


TANH = "%y = stablehlo.tanh %r : O"
MEAN = "%t = stablehlo.multiply %r, %r : O\n%y = stablehlo.subtract %t, %q : O"


@pytest.mark.parametrize(
    ("shape", "window", "strides", "op", "simd"),
    [
        ((2, 9, 11, 33), (1, 3, 3, 1), (1, 2, 2, 1), "add", "avx512"),
        ((2, 3, 17, 19), (1, 1, 2, 2), (1, 1, 2, 2), "maximum", "avx2"),
        ((7,), (2,), (1,), "maximum", "sse4.2"),
        ((3, 40), (3, 1), (3, 1), "add", "sse4.2"),
    ],
)
def test_windows_have_maps_on_their_points(shape, window, strides, op, simd):
    after = MEAN if op == "add" else TANH
    init = "0.0" if op == "add" else "0xFF800000"
    exe = stepwell.compile(pooled(shape, window, strides, op, init, after), simd=simd)
    assert exe.ir("scheduled").count("scf.forall (") == 1
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    x.flat[::13] = np.nan
    x.flat[5::17] = -np.inf
    found = windows(x.astype(np.float64), window, strides)
    q = np.arange(found[..., 0].size, dtype=np.float32).reshape(found.shape[:-1])
    with np.errstate(invalid="ignore"):
        wanted = found.sum(-1) ** 2 - q if op == "add" else np.tanh(found.max(-1))
    (got,) = exe(x, q)
    np.testing.assert_allclose(np.asarray(got), wanted, rtol=1e-5, atol=1e-5)


def reduced(shape, dims, after, region="applies stablehlo.add", init="0.0", dtype="f32") -> str:
    source = f"tensor<{'x'.join(map(str, shape))}x{dtype}>"
    target = f"tensor<{''.join(f'{n}x' for d, n in enumerate(shape) if d not in dims)}{dtype}>"
    return f"""func.func public @main(%x: {source}, %q: {target}) -> ({target}, {target}) {{
      %i = stablehlo.constant dense<{init}> : tensor<{dtype}>
      %r = stablehlo.reduce(%x init: %i) {region.replace("across", f"across dimensions = {list(dims)} : ({source}, tensor<{dtype}>) -> {target}", 1) if "across" in region else f"{region} across dimensions = {list(dims)} : ({source}, tensor<{dtype}>) -> {target}"}
      {after.replace("O", target)}
      return %y, %r : {target}, {target}
    }}"""


FOLDED = """across reducer(%a: tensor<f32>, %b: tensor<f32>) {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %n = stablehlo.compare NE, %a, %z : (tensor<f32>, tensor<f32>) -> tensor<i1>
  %s = stablehlo.select %n, %a, %b : tensor<i1>, tensor<f32>
  stablehlo.return %s : tensor<f32>
}"""


@pytest.mark.parametrize(
    ("shape", "dims", "region"),
    [((30_011, 17), [0], "applies stablehlo.add"), ((501, 700), [0, 1], FOLDED), ((1, 3), [0], FOLDED)],
)
def test_reductions_in_parts_have_maps_where_parts_are_merged(shape, dims, region):
    exe = stepwell.compile(reduced(shape, dims, MEAN, region))
    scheduled = exe.ir("scheduled")
    assert scheduled.count("kernel.func") == 1
    assert scheduled.count("scf.forall (") == (2 if np.prod(shape) > 100_000 else 1)
    x = np.zeros(shape, np.float32)
    x[shape[0] // 2] = np.arange(1, shape[1] + 1)
    x[-1] = 3
    total = x.astype(np.float64).sum(tuple(dims))
    wanted = total if region is not FOLDED else x[shape[0] // 2] if dims == [0] else np.float64(1)
    q = np.ones_like(wanted, dtype=np.float32)
    y, r = exe(x, q)
    np.testing.assert_allclose(np.asarray(r), wanted, rtol=1e-6)
    np.testing.assert_allclose(np.asarray(y), wanted**2 - 1, rtol=1e-6)


def depthwise(simd, shape, stride, pad):
    """A depthwise convolution with bias, relu and a residual, whose sums are a result too."""
    n, h, w, c = shape
    height, width = ((size + 2 * pad - 3) // stride + 1 for size in (h, w))
    x, o = f"tensor<{n}x{h}x{w}x{c}xf32>", f"tensor<{n}x{height}x{width}x{c}xf32>"
    window = f"{{stride = [{stride}, {stride}], pad = [[{pad}, {pad}], [{pad}, {pad}]]}}"
    groups = f"{{batch_group_count = 1 : i64, feature_group_count = {c} : i64}}"
    text = f"""func.func public @main(%x: {x}, %k: tensor<3x3x1x{c}xf32>, %b: tensor<{c}xf32>, %q: {o}) -> ({o}, {o}) {{
      %r = stablehlo.convolution(%x, %k) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f],
        window = {window} {groups} : ({x}, tensor<3x3x1x{c}xf32>) -> {o}
      %v = stablehlo.broadcast_in_dim %b, dims = [3] : (tensor<{c}xf32>) -> {o}
      %s = stablehlo.add %r, %v : {o}
      %z = stablehlo.constant dense<0.0> : {o}
      %t = stablehlo.maximum %s, %z : {o}
      %y = stablehlo.add %t, %q : {o}
      return %y, %r : {o}, {o}
    }}"""
    return stepwell.compile(text, simd=simd), (n, height, width, c)


@pytest.mark.parametrize(
    ("simd", "shape", "stride", "pad"),
    [("avx512", (1, 7, 9, 33), 1, 1), ("avx2", (2, 11, 8, 16), 2, 1), ("sse4.2", (1, 5, 5, 5), 1, 0)],
)
def test_depthwise_convolutions_have_maps_on_their_tiles(simd, shape, stride, pad):
    exe, result = depthwise(simd, shape, stride, pad)
    scheduled = exe.ir("scheduled")
    assert '#kernel.schedule<"window"' in scheduled
    assert scheduled.count("scf.forall (") == 1
    rng = np.random.default_rng(0)
    x, k, b, q = (rng.standard_normal(n).astype(np.float32) for n in (shape, (3, 3, 1, shape[3]), shape[3:], result))
    padded = np.pad(x.astype(np.float64), [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    view = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))[:, ::stride, ::stride]
    sums = np.einsum("nhwcij,ijc->nhwc", view, k[:, :, 0].astype(np.float64))
    y, r = exe(x, k, b, q)
    np.testing.assert_allclose(np.asarray(r), sums, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(np.asarray(y), np.maximum(sums + b, 0) + q, rtol=1e-4, atol=1e-4)
