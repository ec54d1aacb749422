"""Winograd's convolution: the numbers of the sums it replaces, for every size, layout and machine; and only where it is allowed."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

import stepwell
from stepwell import lax
from stepwell.cli import main
from stepwell.compiler import lower
from stepwell.compiling import place_of
from stepwell.dialects.registry import context
from stepwell.dialects.structured_winograd import TRANSFORMS
from stepwell.passes.winograd_convolution import Choice, WinogradConvolutionPass
from stepwell.request import checked_request
from stepwell.source import parse
from stepwell.validate import Comparison

LAYOUTS = {
    "nchw": ("[b, f, 0, 1]x[o, i, 0, 1]->[b, f, 0, 1]", "nchw", "ocij", "nohw"),
    "nhwc": ("[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]", "nhwc", "ijco", "nhwo"),
    "mixed": ("[0, b, f, 1]x[i, 1, 0, o]->[1, f, b, 0]", "hncw", "cjio", "wonh"),
}
"""Dimension numbers, and the same as letters."""
UNIT = 2.0**-24
BOUND = {2: 16, 4: 32}
"""Units of rounding of the sum of |x| |w|, with large tiles of the largest one (docs/floating-point.md), for 16 channels and more."""


def convolution(number, sizes, layout="nhwc", pads=(1, 1, 1, 1), reverse=(0, 0), kind="f32"):
    """The types of image, windows and result of a convolution of images `n h w c` to `o` features, and its line."""
    n, h, w, c, o = sizes
    numbers, *letters = LAYOUTS[layout]
    rows, columns = h + pads[0] + pads[1] - 2, w + pads[2] + pads[3] - 2
    extents = {"n": n, "c": c, "o": o, "i": 3, "j": 3}
    shapes = [
        [{**extents, "h": hw[0], "w": hw[1]}[x] for x in names]
        for names, hw in zip(letters, ((h, w), (3, 3), (rows, columns)), strict=True)
    ]
    x, k, y = (f"tensor<{'x'.join(map(str, s))}x{kind}>" for s in shapes)
    window = f"pad = [[{pads[0]}, {pads[1]}], [{pads[2]}, {pads[3]}]], reverse = [{reverse[0]}, {reverse[1]}]"
    line = f"""%y{number} = stablehlo.convolution(%x{number}, %k{number}) dim_numbers = {numbers}, window = {{{window}}}
    {{batch_group_count = 1 : i64, feature_group_count = 1 : i64}} : ({x}, {k}) -> {y}"""
    return (x, k, y), line


def program(*convolutions, tile=0):
    """Convolutions (arguments of `convolution`) beside each other, of a module that allows tiles."""
    made = [convolution(i, *c) for i, c in enumerate(convolutions)]
    operands = ", ".join(f"%x{i}: {x}, %k{i}: {k}" for i, ((x, k, _), _) in enumerate(made))
    types = ", ".join(y for (_, _, y), _ in made)
    lines = "\n  ".join(line for _, line in made)
    allowed = f"attributes {{stepwell.winograd = {tile} : i64}} " if tile else ""
    return f"""module {allowed}{{ func.func @main({operands}) -> ({types}) {{
  {lines}
  return {", ".join(f"%y{i}" for i in range(len(made)))} : {types} }} }}"""


def operands(sizes, layout="nhwc", *rest):
    n, h, w, c, o = sizes
    rng = np.random.default_rng(h)
    extents = {"n": n, "h": h, "w": w, "c": c, "o": o, "i": 3, "j": 3}
    _, image, window, _ = LAYOUTS[layout]
    return [rng.standard_normal([extents[x] for x in s]).astype(np.float32) for s in (image, window)]


def reference(x, k, layout="nhwc", pads=(1, 1, 1, 1), reverse=(0, 0)):
    """The sums in f64."""
    _, image, window, result = LAYOUTS[layout]
    x = np.einsum(f"{image}->nhwc", x.astype(np.float64))
    k = np.einsum(f"{window}->ijco", k.astype(np.float64))
    k = k[:: -1 if reverse[0] else 1, :: -1 if reverse[1] else 1]
    cut = [
        slice(max(0, -low), n - max(0, -high)) for n, low, high in zip(x.shape[1:3], pads[::2], pads[1::2], strict=True)
    ]
    x = np.pad(x[:, cut[0], cut[1]], ((0, 0), *((max(0, p), max(0, q)) for p, q in (pads[:2], pads[2:])), (0, 0)))
    rows, columns = x.shape[1] - 2, x.shape[2] - 2
    with np.errstate(all="ignore"):
        parts = [x[:, i : i + rows, j : j + columns] @ k[i, j] for i, j in itertools.product(range(3), repeat=2)]
        return np.einsum(f"nhwo->{result}", sum(parts))


@pytest.fixture
def always(monkeypatch):
    """Every convolution that can be done so is, whatever it costs: with small tiles where features are odd."""

    def chosen(found, allowed, machine):
        return Choice(2 if found.window.shape[3] % 2 or allowed == (2,) else 4, "a test")

    monkeypatch.setattr("stepwell.passes.winograd_convolution.choose", chosen)
    monkeypatch.setenv("STEPWELL_CACHE", "0")


def check(*convolutions, **options):
    """Whether convolutions are within their bounds; returns the executable."""
    exe = stepwell.compile(program(*convolutions, tile=4), **options)
    results = exe(*(a for c in convolutions for a in operands(*c)))
    results = results if isinstance(results, tuple) else (results,)
    for given, got in zip(convolutions, results, strict=True):
        (sizes, *rest), (x, k) = given, operands(*given)
        want = reference(x, k, *rest)
        scale = reference(abs(x), abs(k), *rest)
        tile = 2 if sizes[4] % 2 else 4
        scale = scale.max() if tile == 4 else scale
        assert got.shape == want.shape
        assert np.all(abs(got - want) <= (4 if sizes[3] < 16 else 1) * BOUND[tile] * UNIT * scale)
    return exe


NATIVE = {
    "avx512": [((2, 5, 6, 7, 9), "mixed"), ((1, 14, 16, 17, 34), "nhwc", (0, 2, 3, 0)), ((1, 20, 13, 64, 41),)],
    "avx2": [((2, 3, 56, 9, 6), "nchw")],
    "sse4.2": [((1, 5, 7, 5, 3), "nhwc")],
}


@pytest.mark.parametrize("simd", NATIVE)
def test_every_size_channels_layout_and_machine(always, simd):
    exe = check(*NATIVE[simd], simd=simd, opt_level=1)
    assert exe.ir("structured").count("structured.winograd_output") == len(NATIVE[simd])


SIZES = [
    ((n, size, size + more, c, o), layout)
    for size, n, more, c, o, layout in [
        (1, 1, 0, 1, 1, "nchw"), (2, 2, 1, 3, 2, "nhwc"), (3, 1, 2, 4, 3, "mixed"), (4, 2, 0, 5, 4, "nchw"), (5, 1, 3, 6, 5, "nhwc"),
        (7, 2, 0, 7, 6, "mixed"), (14, 1, 1, 8, 7, "nchw"), (56, 2, 0, 2, 2, "nhwc"), (56, 1, 1, 3, 1, "nchw"),
    ]
]  # fmt: skip
BORDERS = [
    ((1, 5, 9, 4, 3), "nhwc", (0, 0, 0, 0)),
    ((1, 9, 4, 4, 2), "nhwc", (0, 2, 3, 0)),
    ((1, 1, 1, 4, 2), "nhwc", (6, 1, 2, 7)),
    ((2, 8, 6, 4, 3), "nhwc", (-1, 2, 1, -2)),
    ((1, 6, 5, 3, 4), "nchw", (1, 1, 1, 1), (1, 0)),
]
"""Of any width, images of which a part is read, and windows walked backwards."""


@pytest.mark.parametrize("step", ["structured", "scheduled"])
def test_every_step_means_the_same(always, step):
    chosen = [*SIZES, *BORDERS] if step == "structured" else [SIZES[1], BORDERS[3]]
    check(*chosen, target="interpreter", step=step)


def test_scratch_holds_as_many_channels_as_fit(always, monkeypatch):
    monkeypatch.setattr("stepwell.passes.schedules.winograd.SHARE", 1 << 16)
    exe = check(((1, 2, 3, 5, 7),), target="interpreter", step="scheduled", simd="sse4.2")
    assert "tensor<4x6x4xf32>" in exe.ir("scheduled")


def test_tasks_are_rows_of_tiles_and_channels_of_windows(always):
    text = program(((2, 40, 24, 64, 41),), tile=4)
    scheduled = stepwell.compile(text, target="interpreter", step="scheduled", simd="avx512").ir("scheduled")
    assert len(re.findall(r"scf.forall \(.*\) in \(2, [2-9]\)", scheduled)) == 2


def test_channels_of_windows_are_tasks(always):
    x, out = "tensor<3x3x65x129xf32>", "tensor<16x65x129xf32>"
    text = f"""func.func @main(%x: {x}) -> {out} {{
  %e = tensor.empty() : {out}
  %u = structured.winograd_filter ins(%x : {x}) outs(%e : {out}) {{tile = 2 : i64}} -> {out}
  return %u : {out} }}"""
    x = np.random.default_rng(3).standard_normal((3, 3, 65, 129)).astype(np.float32)
    exe = stepwell.compile(text, opt_level=1)
    assert "rt.parallel_for" in exe.ir("device")
    window = np.array(TRANSFORMS[2].window)
    want = np.einsum("ai,bj,ijcf->abcf", window, window, x.astype(np.float64)).reshape(16, 65, 129)
    np.testing.assert_allclose(exe(x)[0], want, rtol=1e-5, atol=1e-6)


def test_transforms_are_exact_where_numbers_are_small():
    for m, t in TRANSFORMS.items():
        image, window, result = (np.array(a) for a in (t.image, t.window, t.result))
        for d, g in itertools.product(np.eye(m + 2), np.eye(3)):
            want = [d[i : i + 3] @ g for i in range(m)]
            np.testing.assert_allclose(result @ ((window @ g) * (image @ d)), want, atol=1e-15)


def remarks_of(explanation):
    """What passes said of a program's kernels."""
    return " ".join(remark for launch in explanation.graph for remark in launch.remarks)


def test_what_is_no_number_reaches_the_results_that_read_it_and_with_small_tiles_no_other(always):
    given = ((1, 9, 9, 2, 3),)
    x, k = operands(*given)
    exe = stepwell.compile(program(given, tile=2), opt_level=1)
    for value in (np.nan, np.inf, -np.inf):
        for row, column in ((0, 0), (2, 2), (2, 3), (3, 2), (5, 5), (8, 6)):
            special = x.copy()
            special[0, row, column, 1] = value
            finite = np.isfinite(reference(special, k))
            assert not finite.all()
            np.testing.assert_array_equal(np.isfinite(exe(special, k)[0]), finite)
    k[1, 2, 0, 1] = np.inf
    (got,) = exe(x, k)
    assert not np.isfinite(got[..., 1]).any()
    assert np.isfinite(got[..., [0, 2]]).all()


def test_nothing_changes_unless_it_is_allowed(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("STEPWELL_CACHE_DIR", str(tmp_path / "kept"))
    text = program(((8, 14, 14, 256, 256),))

    def kernels(**options):
        explained = stepwell.explain(text, simd="avx512", **options)
        return explained.kernels, remarks_of(explained)

    found, remarks = kernels()
    assert len(found) <= 2  # a border may be one
    assert "'stepwell.winograd' does not allow them" in remarks
    for tile in (2, 4):
        found, remarks = kernels(winograd=tile)
        assert [k.kind for k in found] == ["single", "single", "contraction", "single"]
        assert f"Winograd's F({tile}x{tile}, 3x3)" in remarks
    keys = [place_of(text, checked_request(winograd=tile)) for tile in (0, 2, 4)]
    if None not in keys:  # the compiler's own files are being changed
        assert len({place.key for place in keys}) == 3
    file = tmp_path / "p.mlir"
    file.write_text(text)
    assert main(["compile", str(file), "--emit=structured", "--winograd", "2", "--simd", "avx512"]) == 0
    assert "structured.winograd_output" in capsys.readouterr().out


def test_validation_takes_what_was_asked_for_and_nothing_else():
    module = lower(parse(program(((1, 3, 4, 2, 3),))), "structured")
    for numerics, changed in (("finite", False), ("rounding", True)):
        made, comparison = module.clone(), Comparison(module, seed=0, report=False)
        WinogradConvolutionPass(tile=2).apply(context(), made)
        assert (comparison.advance(made, numerics, "") is not None) == changed
        assert comparison.advance(made, "exact", "") is None or changed


def test_jitted_functions_take_the_option():
    rng = np.random.default_rng(1)
    x, k = (rng.standard_normal(s).astype(np.float32) for s in ((8, 14, 14, 256), (3, 3, 256, 256)))

    def product(x, k):
        numbers = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(x, k, (1, 1), "SAME", dimension_numbers=numbers)

    assert "structured.winograd" in stepwell.jit(product, winograd=2).lower(x, k).ir("structured")
    assert "structured.winograd" not in stepwell.jit(product).lower(x, k).ir("structured")


def test_the_option_names_tiles():
    with pytest.raises(stepwell.InvalidProgramError, match="winograd is 2, 4 or, for none, 0, not 3"):
        stepwell.compile(program(((1, 4, 4, 1, 1),)), winograd=3)
    with pytest.raises(stepwell.InvalidProgramError, match="'winograd-convolution' has no tiles of 3 x 3 results"):
        WinogradConvolutionPass(tile=3).apply(context(), parse(program(((1, 4, 4, 1, 1),))))
    with pytest.raises(stepwell.InvalidProgramError, match=r"has stepwell.winograd = 6 : i64: there are no such tiles"):
        stepwell.compile(program(((1, 4, 4, 1, 1),), tile=6))


def test_other_convolutions_stay(always):
    text = program(((1, 8, 8, 4, 4),), tile=4)
    changes = [
        ("pad = [[1, 1], [1, 1]]", "pad = [[2, 2], [1, 1]], rhs_dilate = [2, 1]"),
        ("f32", "f64"),
        ("f32", "bf16"),
    ]
    strided = text.replace("window = {pad", "window = {stride = [2, 2], pad").replace(
        "-> (tensor<1x8x8", "-> (tensor<1x4x4"
    )
    strided = strided.replace("-> tensor<1x8x8", "-> tensor<1x4x4").replace(
        ": tensor<1x8x8x4xf32> }", ": tensor<1x4x4x4xf32> }"
    )
    grouped = program(((1, 8, 8, 4, 4),), tile=4).replace("feature_group_count = 1", "feature_group_count = 2")
    grouped = grouped.replace("tensor<3x3x4x4xf32>", "tensor<3x3x2x4xf32>")
    for other in (strided, grouped, *(text.replace(*c) for c in changes)):
        assert "Winograd" not in remarks_of(stepwell.explain(other))
    assert "Winograd" in remarks_of(stepwell.explain(text))
