"""Convolutions natively against the interpreter: layouts, strides, borders, dilations, groups, at every vector width."""

from __future__ import annotations

import re

import ml_dtypes
import numpy as np
import pytest

import stepwell

pytestmark = pytest.mark.every(6)

LEVELS = ["avx512", "avx2", "sse4.2"]
DTYPES = {"f32": np.float32, "f64": np.float64, "bf16": ml_dtypes.bfloat16, "i32": np.int32}
LAYOUTS = {
    "nchw": "[b, f, 0, 1]x[o, i, 0, 1]->[b, f, 0, 1]",
    "nhwc": "[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]",
}


def extent(size, taps, pad, stride, lhs_dilation, rhs_dilation):
    padded = (size - 1) * lhs_dilation + 1 + sum(pad)
    return (padded - (taps - 1) * rhs_dilation - 1) // stride + 1


def case(layout, image, weights, groups=1, kind="f32", pad=((1, 1), (1, 1)), stride=(1, 1), after="", **window):
    """A program and its operands: `image` is (batch, channels, rows, columns), `weights` (features, rows, columns)."""
    lhs_dilation, rhs_dilation = window.get("lhs_dilate", (1, 1)), window.get("rhs_dilate", (1, 1))
    sizes = [
        extent(image[2 + i], weights[1 + i], pad[i], stride[i], lhs_dilation[i], rhs_dilation[i]) for i in range(2)
    ]
    shapes = [image, (weights[0], image[1] // groups, *weights[1:]), (image[0], weights[0], *sizes)]
    if layout == "nhwc":
        orders = (0, 2, 3, 1), (2, 3, 1, 0), (0, 2, 3, 1)
        shapes = [tuple(s[d] for d in o) for s, o in zip(shapes, orders, strict=True)]
    types = [f"tensor<{'x'.join(map(str, s))}x{kind}>" for s in shapes]
    words = [f"stride = {list(stride)}", f"pad = {[list(p) for p in pad]}"]
    words += [f"{name} = {list(value)}" for name, value in window.items()]
    text = f"""func.func @main(%x: {types[0]}, %w: {types[1]}) -> {types[2]} {{
      %0 = stablehlo.convolution(%x, %w) dim_numbers = {LAYOUTS[layout]}, window = {{{", ".join(words)}}}
        {{batch_group_count = 1 : i64, feature_group_count = {groups} : i64}} : ({types[0]}, {types[1]}) -> {types[2]}
      {after or "func.return %0"} : {types[2]}
    }}"""
    rng = np.random.default_rng(len(text))
    if kind == "i32":
        return text, [rng.integers(-9, 9, s).astype(np.int32) for s in shapes[:2]]
    return text, [rng.standard_normal(s).astype(DTYPES[kind]) for s in shapes[:2]]


def same(text, args, level, rtol=1e-5):
    want = np.asarray(stepwell.compile(text, target="interpreter")(*args)).astype(np.float64)
    got = np.asarray(stepwell.compile(text, simd=level)(*args)).astype(np.float64)
    np.testing.assert_allclose(
        got, want, rtol=rtol, atol=rtol * max(1.0, np.abs(want[np.isfinite(want)]).max(initial=0))
    )


DEPTHWISE = [
    # layout, (batch, channels, rows, columns), (features, rows, columns), what else
    ("nchw", (2, 5, 9, 17), (5, 3, 3), {}),
    ("nchw", (1, 3, 20, 33), (3, 3, 3), {"stride": (2, 2), "pad": ((0, 1), (1, 2))}),
    ("nchw", (1, 2, 7, 16), (2, 7, 7), {"pad": ((3, 3), (3, 3))}),
    ("nchw", (1, 3, 12, 31), (3, 3, 5), {"rhs_dilate": (2, 3), "pad": ((2, 2), (-1, 6))}),
    ("nchw", (1, 4, 5, 15), (4, 3, 3), {"reverse": ("true", "true"), "stride": (1, 3)}),
    ("nchw", (1, 4, 5, 8), (8, 2, 2), {"lhs_dilate": (2, 2)}),
    ("nhwc", (2, 17, 7, 9), (17, 3, 3), {}),
    ("nhwc", (1, 16, 9, 12), (16, 3, 3), {"stride": (2, 2)}),
    ("nhwc", (1, 33, 6, 5), (33, 5, 5), {"pad": ((4, 0), (2, 7)), "rhs_dilate": (1, 2)}),
    ("nhwc", (1, 4, 3, 3), (8, 1, 2), {"pad": ((0, 0), (9, 9))}),
    ("nhwc", (1, 6, 40, 3), (6, 3, 1), {"pad": ((-2, 5), (0, 0)), "reverse": ("true", "false")}),
]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("number", range(len(DEPTHWISE)))
def test_depthwise_convolutions_of_any_window(level, number):
    layout, image, weights, rest = DEPTHWISE[number]
    text, args = case(layout, image, weights, groups=image[1], **rest)
    same(text.replace("'", ""), args, level)


@pytest.mark.parametrize("kind", ["f64", "bf16", "i32"])
def test_depthwise_convolutions_of_other_types(kind):
    text, args = case("nhwc", (1, 21, 6, 6), (21, 3, 3), groups=21, kind=kind)
    same(text, args, "avx512", rtol=1e-2 if kind == "bf16" else 1e-12)


@pytest.mark.parametrize("kind", ["f64", "bf16", "i32"])
def test_convolutions_of_other_types_pack_weights_along_lines(kind):
    text, args = case("nchw", (2, 19, 6, 9), (37, 3, 3), kind=kind)
    same(text, args, "avx512", rtol=1e-2 if kind == "bf16" else 1e-12)


def test_borders_are_zeros_beside_infinities_and_nan():
    """A weight that is no number is one wherever it meets the border; an image's infinity stays in its window."""
    text, (x, w) = case("nchw", (1, 2, 6, 20), (2, 3, 3), groups=2)
    x[0, 0, 3, 4], w[1, 0, 0, 0] = np.inf, np.nan
    same(text, (x, w), "avx512")
    same(text, (x, w), "sse4.2")


def test_large_images_are_copied_into_their_border_in_parts():
    """More than the copy of a task may hold: parts overlap, and the last one is shorter."""
    text, args = case("nhwc", (1, 64, 75, 90), (64, 3, 3), groups=64)
    exe = stepwell.compile(text, simd="avx512")
    assert exe.ir("scheduled").count("border = ") == 1
    same(text, args, "avx512")


def test_padded_images_of_depthwise_convolutions_are_not_stored():
    text, _ = case("nchw", (4, 32, 56, 56), (32, 3, 3), groups=32)
    kernels = stepwell.compile(text).ir("kernels")
    assert kernels.count("kernel.launch") == 1
    assert "tensor.insert_slice" in kernels


DENSE = [
    # layout, (batch, channels, rows, columns), (features, rows, columns), what else
    ("nchw", (2, 5, 9, 14), (16, 3, 3), {}),
    ("nchw", (1, 3, 21, 27), (33, 7, 7), {"stride": (2, 2), "pad": ((3, 3), (2, 4))}),
    ("nchw", (2, 16, 7, 7), (40, 3, 3), {"after": "%1 = stablehlo.maximum %0, %0 : R\n func.return %1"}),
    ("nchw", (1, 6, 8, 30), (18, 3, 3), {"groups": 3, "rhs_dilate": (2, 1), "pad": ((2, 2), (1, -3))}),
    ("nchw", (1, 4, 6, 9), (17, 3, 2), {"reverse": ("true", "false"), "pad": ((2, 0), (5, 5))}),
    ("nhwc", (2, 9, 7, 15), (33, 3, 3), {}),
    ("nhwc", (1, 64, 9, 9), (32, 3, 3), {"stride": (2, 1)}),
    ("nhwc", (1, 3, 12, 40), (20, 5, 5), {"stride": (2, 2), "lhs_dilate": (1, 2), "pad": ((2, 2), (4, 4))}),
    ("nchw", (3, 7, 1, 50), (24, 1, 5), {"pad": ((0, 0), (2, 2))}),
    ("nchw", (2, 20, 13, 29), (33, 3, 3), {"stride": (1, 3)}),
    ("nchw", (3, 18, 5, 7), (37, 5, 3), {"pad": ((2, 2), (1, 1))}),
    ("nchw", (1, 35, 6, 15), (70, 1, 2), {}),
    (
        "nchw",
        (5, 12, 9, 7),
        (34, 3, 3),
        {"pad": ((0, 0), (0, 1)), "groups": 2, "rhs_dilate": (1, 2), "reverse": ("false", "true")},
    ),
    ("nchw", (1, 9, 13, 29), (40, 3, 3), {"stride": (2, 2), "reverse": ("true", "true")}),
    ("nhwc", (1, 5, 13, 29), (33, 3, 5), {"stride": (3, 4), "rhs_dilate": (1, 2)}),
]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("number", range(len(DENSE)))
def test_convolutions_of_any_window(level, number):
    layout, image, weights, rest = DENSE[number]
    text, args = case(layout, image, weights, **rest)
    result = text.split("-> ")[1].split(" {")[0]
    same(text.replace("'", "").replace(": R", f": {result}"), args, level, rtol=2e-5)


def test_borders_of_a_product_are_zeros_beside_infinities_and_nan():
    text, (x, w) = case("nchw", (1, 3, 6, 13), (16, 3, 3))
    x[0, 0, 3, 4], w[1, 0, 0, 0], w[2, 1, 1, 1] = np.inf, np.nan, -np.inf
    same(text, (x, w), "avx512")


def test_padded_images_of_convolutions_are_not_stored():
    for layout, groups in [("nchw", 1), ("nhwc", 1), ("nchw", 2)]:
        text, _ = case(layout, (2, 32, 28, 28), (64, 3, 3), groups)
        exe = stepwell.compile(text)
        assert exe.ir("kernels").count("kernel.launch") == 1
        assert "border = " in exe.ir("scheduled")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_points_a_stride_apart_are_next_to_each_other_in_copies(layout):
    """So that tiles read them as they lie there; without copies they are packed tile by tile."""
    text, args = case(layout, (2, 6, 9, 33), (24, 3, 3), stride=(2, 2))
    exe = stepwell.compile(text, simd="avx512")
    chosen = re.search(r"#kernel.schedule<[^>]*>", exe.ir("scheduled"))
    assert chosen is not None
    assert "pack_a = 0" in chosen[0]
    same(text, args, "avx512")
    without = re.sub("border = [0-9]*", "border = 0", chosen[0])
    assert without != chosen[0]
    kernels = exe.ir("kernels").replace("attributes {access", f"attributes {{schedule = {without}, access")
    packed = stepwell.compile(kernels)
    assert "border = 0" in packed.ir("scheduled")
    np.testing.assert_allclose(np.asarray(packed(*args)), np.asarray(exe(*args)), rtol=1e-5, atol=1e-5)


def with_numbers(exe, **numbers):
    """The program with other numbers in its contraction's schedule."""
    chosen = re.search(r'#kernel.schedule<"contraction"[^>]*>', exe.ir("scheduled"))
    assert chosen is not None
    other = chosen[0]
    for name, value in numbers.items():
        other = re.sub(rf", {name} = [0-9]*", f", {name} = {value}", other)
    assert other != chosen[0]
    before, after = exe.ir("kernels").split('kernel.kind = "contraction"')
    return f'{before}schedule = {other}, kernel.kind = "contraction"{after}'


RUNS = [
    # layout, (batch, channels, rows, columns), (features, rows, columns), what else, terms of a run, level
    ("nhwc", (2, 37, 6, 17), (70, 3, 3), {}, 16, "avx512"),
    ("nhwc", (1, 37, 6, 17), (35, 3, 2), {"kind": "bf16", "pad": ((1, 1), (0, 1))}, 16, "avx512"),
    ("nhwc", (1, 37, 7, 18), (70, 3, 3), {"stride": (2, 2)}, 40, "avx2"),
    ("nhwc", (1, 33, 5, 16), (35, 3, 3), {"kind": "i32"}, 8, "sse4.2"),
]


@pytest.mark.parametrize("number", range(len(RUNS)))
def test_runs_of_terms_may_be_shorter_than_what_one_tap_has(number):
    layout, image, weights, rest, terms, level = RUNS[number]
    text, args = case(layout, image, weights, **rest)
    exe = stepwell.compile(text, simd=level)
    runs = stepwell.compile(with_numbers(exe, kc=terms, border=0))
    # Sums go on from what a run before left.
    assert "arith.andi" in runs.ir("scheduled")
    assert f"kc = {terms}" in runs.ir("scheduled")
    want, got = (np.asarray(e(*args)).astype(np.float64) for e in (exe, runs))
    tolerance = 2e-2 if rest.get("kind") == "bf16" else 1e-5
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * np.abs(want).max())


STRIDED = [
    ("nchw", (3, 16, 9, 13), (18, 3, 3), {"stride": (2, 2)}),
    ("nhwc", (4, 9, 5, 14), (20, 3, 3), {"stride": (1, 3), "pad": ((1, 1), (2, 1)), "reverse": ("true", "true")}),
    ("nchw", (3, 40, 6, 12), (17, 2, 2), {"stride": (2, 2), "pad": ((0, 0), (0, 0))}),
    ("nchw", (5, 12, 8, 11), (34, 3, 4), {"stride": (1, 2), "groups": 2, "rhs_dilate": (1, 2)}),
]


@pytest.mark.parametrize(("number", "level"), [(0, "avx512"), (1, "avx512"), (2, "avx2"), (3, "sse4.2")])
def test_points_a_stride_apart_on_short_lines_with_the_batch_inside(number, level):
    layout, image, weights, rest = STRIDED[number]
    text, args = case(layout, image, weights, **rest)
    text = text.replace("'", "")
    kernels = stepwell.compile(text, simd=level).ir("kernels")
    assert "floordiv" in kernels
    same(text, args, level, rtol=2e-5)


@pytest.mark.parametrize(("layout", "stride"), [("nchw", (2, 2)), ("nhwc", (3, 1)), ("nchw", (1, 2))])
def test_points_apart_that_no_window_shares_are_picked_out_first(layout, stride):
    text, args = case(layout, (2, 9, 9, 21), (20, 1, 1), pad=((0, 0), (0, 0)), stride=stride)
    kernels = stepwell.compile(text, simd="avx512").ir("kernels")
    # Then the points of an image are one long row.
    rows = -(-9 // stride[0]) * -(-21 // stride[1])
    assert f"tensor<2x9x{rows}xf32>" in kernels or f"tensor<{2 * rows}x9xf32>" in kernels
    same(text, args, "avx512")


def test_images_of_short_lines_have_their_batch_inside():
    text, args = case("nchw", (4, 18, 5, 6), (20, 3, 3))
    kernels = stepwell.compile(text, simd="avx512").ir("kernels")
    # Lines of six points by four images, those of all channels one after the other, in a border of as many points of four.
    assert "tensor<7x18x32xf32>" in kernels
    same(text, args, "avx512")
    args[0][1, 3, 2, 5], args[1][3, 2, 1, 1] = np.nan, np.inf
    same(text, args, "sse4.2")
    text, args = case("nhwc", (3, 18, 4, 7), (20, 3, 3), pad=((0, 0), (1, 1)))
    assert "tensor<4x27x18xf32>" in stepwell.compile(text, simd="avx512").ir("kernels")
    same(text, args, "avx512")


GROUPED = [
    # batch and channels, rows and columns, (features, rows, columns), what else: few channels and features a group
    ((2, 12, 5, 17), (12, 3, 3), {"groups": 4}, "avx512"),
    ((1, 15, 6, 31), (10, 3, 2), {"groups": 5, "stride": (2, 2), "pad": ((1, 1), (0, 2))}, "avx512"),
    ((1, 14, 4, 20), (8, 2, 3), {"groups": 2, "rhs_dilate": (1, 2), "pad": ((0, 0), (0, 0))}, "avx2"),
    ((2, 8, 3, 16), (12, 3, 3), {"groups": 4, "kind": "bf16"}, "avx512"),
    ((1, 6, 4, 18), (9, 3, 3), {"groups": 3, "kind": "i32", "reverse": ("true", "false")}, "sse4.2"),
]


@pytest.mark.parametrize("number", range(len(GROUPED)))
def test_few_channels_of_a_group_make_room_for_points(number):
    image, weights, rest, level = GROUPED[number]
    text, args = case("nhwc", image, weights, **rest)
    text = text.replace("'", "")
    per_group = image[1] // rest["groups"]
    turned = (
        f"x{rest['groups']}x{per_group}x{image[2]}x{image[3]}x" if image[0] > 1 else f"<{rest['groups']}x{per_group}x"
    )
    assert turned in stepwell.compile(text, simd=level).ir("kernels")
    if rest.get("kind", "f32") == "f32":
        args[0].reshape(-1)[7], args[1].reshape(-1)[3] = np.nan, np.inf
    same(text, args, level, rtol=2e-2 if rest.get("kind") == "bf16" else 2e-5)


GROUP_LANES = [
    # batch and channels, rows and columns, (features, rows, columns), what else, level: groups of a power of two last
    ((2, 40, 5, 17), (40, 3, 3), {"groups": 10}, "avx512"),
    ((1, 16, 6, 13), (8, 3, 2), {"groups": 4, "stride": (2, 3), "pad": ((1, 1), (0, 2))}, "avx512"),
    ((1, 12, 4, 29), (24, 2, 3), {"groups": 12, "rhs_dilate": (1, 2), "pad": ((0, 0), (0, 0))}, "avx512"),
    ((1, 24, 3, 9), (24, 3, 5), {"groups": 3, "pad": ((4, 0), (2, 7)), "reverse": ("true", "true")}, "avx512"),
    ((3, 12, 7, 3), (12, 3, 3), {"groups": 3, "lhs_dilate": (1, 2)}, "avx2"),
    ((1, 6, 4, 18), (12, 3, 3), {"groups": 6, "kind": "i32"}, "avx2"),
    ((1, 6, 9, 6), (6, 3, 3), {"groups": 3, "stride": (2, 1)}, "sse4.2"),
    ((2, 8, 3, 16), (16, 3, 3), {"groups": 4, "kind": "bf16"}, "avx512"),
]


@pytest.mark.parametrize("number", range(len(GROUP_LANES)))
def test_groups_of_few_features_are_lanes(number):
    image, weights, rest, level = GROUP_LANES[number]
    text, args = case("nhwc", image, weights, **rest)
    text = text.replace("'", "")
    exe = stepwell.compile(text, simd=level)
    assert '"window"' in exe.ir("scheduled")
    assert "vector.gather" not in exe.ir("scheduled")
    if rest.get("kind", "f32") == "f32":
        args[0].reshape(-1)[7], args[1].reshape(-1)[3] = np.nan, np.inf
    same(text, args, level, rtol=2e-2 if rest.get("kind") == "bf16" else 2e-5)


def test_groups_as_lanes_with_weights_in_another_order_and_maps_of_the_result():
    """Features before channels, as torch has them; a bias for each, and a maximum."""
    x, w, b, y = (f"tensor<{s}xf32>" for s in ("2x6x11x24", "16x3x3x6", "16", "2x6x11x16"))
    text = f"""func.func @main(%x: {x}, %w: {w}, %b: {b}) -> {y} {{
      %z = stablehlo.constant dense<0.5> : {y}
      %0 = stablehlo.convolution(%x, %w) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f],
        window = {{pad = [[1, 1], [1, 1]]}} {{batch_group_count = 1 : i64, feature_group_count = 4 : i64}} : ({x}, {w}) -> {y}
      %1 = stablehlo.broadcast_in_dim %b, dims = [3] : ({b}) -> {y}
      %2 = stablehlo.add %0, %1 : {y}
      %3 = stablehlo.maximum %2, %z : {y}
      func.return %3 : {y}
    }}"""
    # Six channels of a group are no power of two; eight are.
    for channels in (6, 8):
        program = text.replace("2x6x11x24", f"2x6x11x{4 * channels}").replace("16x3x3x6", f"16x3x3x{channels}")
        rng = np.random.default_rng(channels)
        shapes = (2, 6, 11, 4 * channels), (16, 3, 3, channels), (16,)
        args = [rng.standard_normal(s).astype(np.float32) for s in shapes]
        scheduled = stepwell.compile(program, simd="avx512").ir("scheduled")
        assert ('"window"' in scheduled) == (channels == 8)
        same(program, args, "avx512")
    # Weights are turned by themselves; the rest is one kernel.
    assert scheduled.count("kernel.launch") == 2


LINES_OF_GROUPS = [
    # batch and channels, rows and columns, (features, rows, columns), what else: points of a line are the vectors
    ((2, 12, 9, 33), (12, 3, 3), {"groups": 2, "stride": (2, 2)}, "avx512"),
    ((1, 15, 7, 31), (20, 3, 4), {"groups": 5, "stride": (1, 3), "pad": ((1, 1), (3, 0))}, "avx2"),
    ((1, 10, 6, 16), (14, 2, 3), {"groups": 2, "rhs_dilate": (2, 1), "pad": ((2, 0), (1, 1))}, "sse4.2"),
    ((1, 8, 5, 40), (16, 3, 3), {"groups": 2, "stride": (2, 2), "kind": "bf16"}, "avx512"),
]


@pytest.mark.parametrize("number", range(len(LINES_OF_GROUPS)))
def test_images_of_groups_with_few_features_are_copied_into_their_border_in_parts(number):
    image, weights, rest, level = LINES_OF_GROUPS[number]
    text, args = case("nchw", image, weights, **rest)
    exe = stepwell.compile(text, simd=level)
    assert exe.ir("kernels").count("kernel.launch") == 1
    assert "border = " in exe.ir("scheduled")
    args[0][0, 1, 2, 5], args[1][1, 0, 0, 0] = np.inf, np.nan
    same(text, args, level, rtol=2e-2 if rest.get("kind") == "bf16" else 2e-5)
    if number < 2:
        # Without copies, points a stride apart are packed.
        packed = stepwell.compile(with_numbers(exe, border=0))
        np.testing.assert_allclose(np.asarray(packed(*args)), np.asarray(exe(*args)), rtol=1e-5, atol=1e-5)


def test_a_task_copies_the_groups_that_it_does_and_no_others():
    text, args = case("nhwc", (2, 20, 12, 18), (20, 3, 3), groups=4)
    exe = stepwell.compile(text, simd="avx512")
    copies = re.findall(r"scratch = #kernel.scratch<worker>} : tensor<([^>]*)>", exe.ir("scheduled"))
    # A line of 18 points and its border, of the 5 channels of one group.
    assert any(sorted(c.split("x")[:-1], key=int)[:2] == ["1", "1"] and "x5x20x" in f"x{c}" for c in copies), copies
    same(text, args, "avx512")


@pytest.mark.parametrize(("dims", "inside"), [("2", False), ("3", True)])
def test_channels_are_summed_inside_of_taps_on_more_lines_than_hardware_follows(dims, inside):
    from stepwell.passes.schedules.contraction_analysis import find_contraction
    from stepwell.passes.schedules.contraction_choice import turned

    image, window = "x".join(["14"] * int(dims)), "x".join(["3"] * int(dims))
    result = "x".join(["7"] * int(dims))
    axes = ", ".join(str(i) for i in range(int(dims)))
    text = f"""func.func @main(%x: tensor<2x64x{image}xf32>, %w: tensor<48x64x{window}xf32>) -> tensor<2x48x{result}xf32> {{
      %0 = stablehlo.convolution(%x, %w) dim_numbers = [b, f, {axes}]x[o, i, {axes}]->[b, f, {axes}],
        window = {{stride = {[2] * int(dims)}, pad = {[[1, 1]] * int(dims)}}} {{batch_group_count = 1 : i64, feature_group_count = 1 : i64}}
        : (tensor<2x64x{image}xf32>, tensor<48x64x{window}xf32>) -> tensor<2x48x{result}xf32>
      return %0 : tensor<2x48x{result}xf32>
    }}"""
    module = stepwell.parse(stepwell.compile(text, simd="avx512").ir("kernels"))
    products = [c for op in module.walk() if not isinstance(c := find_contraction(op), str)]
    found = turned(products[0])
    channel = next(d for d in found.reduced if found.sizes[d] == 64)
    assert (found.reduced[-1] == channel) == inside


LONG_LINES = [
    # (batch, channels, rows, columns), (features, rows, columns), what else, level: lines of 64 points and more, few terms
    ((1, 3, 6, 131), (21, 7, 7), {"stride": (2, 2), "pad": ((3, 3), (3, 3))}, "avx512"),
    ((2, 3, 4, 67), (19, 3, 3), {}, "avx512"),
    ((1, 5, 5, 70), (17, 2, 3), {"rhs_dilate": (2, 1), "pad": ((1, 1), (2, 0))}, "avx2"),
    ((1, 4, 3, 200), (16, 3, 4), {"stride": (1, 3), "pad": ((1, 1), (0, 3))}, "sse4.2"),
]


@pytest.mark.parametrize("number", range(len(LONG_LINES)))
def test_sums_of_few_terms_over_long_lines_read_these_in_the_copy_of_the_image(number):
    image, weights, rest, level = LONG_LINES[number]
    text, args = case("nchw", image, weights, **rest)
    scheduled = stepwell.compile(text, simd=level).ir("scheduled")
    assert "border = " in scheduled
    assert "pack_b = 0" in scheduled
    args[0][0, 1, 2, 5], args[1][1, 0, 0, 0] = np.inf, np.nan
    same(text, args, level, rtol=2e-5)


def gradient_of_weights(stride):
    """As JAX writes it: channels are the batch, the gradient of the result is the window."""
    size, taps = 11, 3
    rows = (size + 2 - taps) // stride + 1
    rest = size + 2 - taps - (rows - 1) * stride
    x, y, w = (2, 20, size, size), (2, 24, rows, rows), (24, 20, taps, taps)
    types = [f"tensor<{'x'.join(map(str, s))}xf32>" for s in (x, y, w)]
    pad = f"[1, {1 - rest}]"
    text = f"""func.func @main(%x: {types[0]}, %y: {types[1]}) -> {types[2]} {{
      %0 = stablehlo.convolution(%x, %y) dim_numbers = [f, b, 0, 1]x[i, o, 0, 1]->[f, b, 0, 1],
        window = {{stride = [1, 1], pad = [{pad}, {pad}], rhs_dilate = [{stride}, {stride}]}}
        {{batch_group_count = 1 : i64, feature_group_count = 1 : i64}} : ({types[0]}, {types[1]}) -> {types[2]}
      return %0 : {types[2]}
    }}"""
    rng = np.random.default_rng(stride)
    return text, [rng.standard_normal(s).astype(np.float32) for s in (x, y)]


@pytest.mark.parametrize("level", ["avx512", "sse4.2"])
@pytest.mark.parametrize("stride", [1, 2])
def test_gradients_of_weights_are_products_of_long_rows(stride, level):
    text, args = gradient_of_weights(stride)
    scheduled = stepwell.compile(text, simd=level).ir("scheduled")
    assert '"contraction"' in scheduled
    # Points of the image that are two apart are shuffled out of vectors.
    assert "vector.gather" not in scheduled
    same(text, args, level)


@pytest.mark.parametrize(("level", "columns"), [("avx512", 2), ("avx2", 1), ("sse4.2", 1)])
def test_gradients_of_images_multiply_no_zeros(level, columns):
    """As JAX writes that of a convolution with strides; a weight that is no number meets zeros all the same."""
    width = 7 * columns
    x, w, y = "tensor<2x20x7x7xf32>", "tensor<20x17x3x3xf32>", f"tensor<2x17x14x{width}xf32>"
    text = f"""func.func @main(%x: {x}, %w: {w}) -> {y} {{
      %0 = stablehlo.convolution(%x, %w) dim_numbers = [b, f, 0, 1]x[i, o, 0, 1]->[b, f, 0, 1],
        window = {{pad = [[1, 2], [1, {columns}]], lhs_dilate = [2, {columns}], reverse = [1, 1]}}
        {{batch_group_count = 1 : i64, feature_group_count = 1 : i64}} : ({x}, {w}) -> {y}
      return %0 : {y}
    }}"""
    exe = stepwell.compile(text, simd=level)
    assert exe.ir("kernels").count('kernel.kind = "contraction"') == 2 * columns
    oracle = stepwell.compile(text, target="interpreter")
    rng = np.random.default_rng(3)
    args = [rng.standard_normal(s).astype(np.float32) for s in ((2, 20, 7, 7), (20, 17, 3, 3))]
    for place, number in (((0, 0, 0, 0), 1.5), ((3, 1, 0, 2), np.nan), ((9, 0, 1, 1), -np.inf)):
        args[1][place] = number
        got, want = np.asarray(exe(*args)), np.asarray(oracle(*args))
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-4)
