"""Windows over images with gaps, phase by phase: the same numbers, and no products by the zeros between."""

from __future__ import annotations

import re

import ml_dtypes
import numpy as np
import pytest

import stepwell
from stepwell.dialects.registry import context
from stepwell.passes import split_dilated_windows
from stepwell.passes.registry import get_pass

DTYPES = {"f32": np.float32, "f64": np.float64, "bf16": ml_dtypes.bfloat16, "i32": np.int32}
LAYOUTS = {
    "nchw": ("[b, f, 0, 1]x[o, i, 0, 1]->[b, f, 0, 1]", (0, 1, 2, 3), (0, 1, 2, 3)),
    "nhwc": ("[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]", (0, 2, 3, 1), (2, 3, 1, 0)),
}


def program(layout, image, weights, kind="f32", groups=1, pad=((1, 1), (1, 1)), **window):
    """A convolution and its operands: `image` is (batch, channels, rows, columns), `weights` (features, rows, columns)."""
    numbers, order, weight_order = LAYOUTS[layout]
    given = {"stride": (1, 1), "lhs_dilate": (1, 1), "rhs_dilate": (1, 1)} | window
    sizes = []
    for i in (0, 1):
        padded = (image[2 + i] - 1) * given["lhs_dilate"][i] + 1 + sum(pad[i])
        sizes.append((padded - (weights[1 + i] - 1) * given["rhs_dilate"][i] - 1) // given["stride"][i] + 1)
    shapes = [image, (weights[0], image[1] // groups, *weights[1:]), (image[0], weights[0], *sizes)]
    shapes = [tuple(s[d] for d in o) for s, o in zip(shapes, (order, weight_order, order), strict=True)]
    types = [f"tensor<{'x'.join(map(str, s))}x{kind}>" for s in shapes]
    words = ", ".join(f"{name} = {list(value)}" for name, value in {"pad": [list(p) for p in pad], **window}.items())
    text = f"""func.func @main(%x: {types[0]}, %w: {types[1]}) -> {types[2]} {{
      %0 = stablehlo.convolution(%x, %w) dim_numbers = {numbers}, window = {{{words.replace("'", "")}}}
        {{batch_group_count = 1 : i64, feature_group_count = {groups} : i64}} : ({types[0]}, {types[1]}) -> {types[2]}
      func.return %0 : {types[2]}
    }}"""
    rng = np.random.default_rng(len(text))
    if kind == "i32":
        return text, [rng.integers(-9, 9, s).astype(np.int32) for s in shapes[:2]]
    return text, [rng.standard_normal(s).astype(DTYPES[kind]) for s in shapes[:2]]


def split(text):
    """The program at step 2, its windows split."""
    module = stepwell.parse(text)
    for name in ("convert-stablehlo-to-linalg", "fuse-elementwise", "split-dilated-windows"):
        get_pass(name)().apply(context(), module)
    return str(module)


def same(text, after, args, rtol=1e-5):
    want, got = (np.asarray(stepwell.compile(t, target="interpreter")(*args)).astype(np.float64) for t in (text, after))
    atol = rtol * max(1.0, np.abs(want[np.isfinite(want)]).max(initial=0))
    np.testing.assert_allclose(got, want, rtol=rtol, atol=atol)


CASES = {
    "both_ways": ("nchw", (2, 4, 5, 7), (6, 3, 3), {"lhs_dilate": (2, 2), "reverse": ("true", "true")}),
    "unequal_gaps": ("nhwc", (1, 5, 4, 6), (7, 3, 4), {"lhs_dilate": (2, 3), "pad": ((2, 1), (0, 3))}),
    "fewer_taps_than_phases": ("nchw", (1, 3, 6, 5), (8, 2, 2), {"lhs_dilate": (3, 1), "pad": ((-2, 4), (1, -1))}),
    "strides_and_groups": ("nhwc", (1, 6, 5, 5), (9, 3, 3), {"lhs_dilate": (2, 2), "stride": (2, 3), "groups": 3}),
    "all_dilated": (
        "nchw",
        (1, 4, 7, 6),
        (5, 3, 2),
        {"lhs_dilate": (4, 2), "stride": (2, 1), "rhs_dilate": (2, 3), "pad": ((2, 3), (4, 0))},
    ),
    "one_tap": ("nhwc", (2, 3, 4, 4), (6, 1, 1), {"lhs_dilate": (2, 2), "pad": ((0, 1), (1, 0))}),
    "one_row": ("nhwc", (1, 3, 1, 9), (4, 1, 5), {"lhs_dilate": (1, 2), "rhs_dilate": (1, 2), "pad": ((0, 0), (3, 4))}),
    "one_number": ("nchw", (1, 2, 1, 1), (3, 3, 3), {"lhs_dilate": (2, 2), "pad": ((2, 2), (3, 3))}),
    "one_number_of_each": ("nchw", (1, 1, 2, 2), (1, 2, 2), {"lhs_dilate": (2, 2), "pad": ((0, 1), (1, 0))}),
    "never_a_number": (
        "nchw",
        (1, 4, 7, 6),
        (5, 3, 2),
        {"lhs_dilate": (4, 2), "stride": (2, 1), "rhs_dilate": (2, 3), "pad": ((3, 2), (4, 0))},
    ),
}


@pytest.mark.parametrize(
    ("name", "kind"), [*((n, "f32") for n in CASES), *(("strides_and_groups", k) for k in ("f64", "bf16", "i32"))]
)
def test_phases_are_what_the_whole_was(name, kind, monkeypatch):
    monkeypatch.setattr(split_dilated_windows, "SAVED", 0)
    layout, image, weights, rest = CASES[name]
    text, args = program(layout, image, weights, kind, **rest)
    after = split(text)
    inserts = [line for line in after.splitlines() if "tensor.insert_slice" in line]
    apart = [line for line in inserts if re.search("[2-9]", line.split("[")[3].split("]")[0])]
    assert apart or name == "never_a_number"
    # What has gaps are the phases of the result, not the image.
    assert not any("insert_slice %x " in line for line in apart)
    same(text, after, args, rtol={"bf16": 1e-2, "f64": 1e-12}.get(kind, 1e-5))


@pytest.mark.parametrize("name", ["both_ways", "fewer_taps_than_phases", "one_tap", "never_a_number"])
def test_weights_that_are_no_numbers_meet_the_zeros_between_those_of_an_image(name, monkeypatch):
    monkeypatch.setattr(split_dilated_windows, "SAVED", 0)
    layout, image, weights, rest = CASES[name]
    text, (x, w) = program(layout, image, weights, **rest)
    flat = w.reshape(-1)
    for place, value in ((0, np.nan), (len(flat) // 2, np.inf), (len(flat) - 1, -np.inf)):
        kept = flat[place]
        flat[place] = value
        same(text, split(text), (x, w))
        flat[place] = kept


def test_what_is_small_or_has_too_many_phases_stays():
    text, _ = program("nchw", (1, 2, 3, 3), (4, 3, 3), lhs_dilate=(2, 2))
    assert split(text).count("arith.mulf") == 1
    text, _ = program("nchw", (1, 64, 8, 8), (64, 3, 3), lhs_dilate=(5, 5))
    assert split(text).count("arith.mulf") == 1
    text, _ = program("nchw", (1, 64, 8, 8), (64, 3, 3), lhs_dilate=(2, 2))
    assert split(text).count("arith.mulf") > 1
