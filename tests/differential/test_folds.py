"""Reductions by any associative region: elements meet in their order, however a line is cut into lanes and tasks."""

from __future__ import annotations

import numpy as np
import pytest

import stepwell

MATRICES = """
  %p0 = stablehlo.multiply %a0, %b0 : tensor<i32>
  %p1 = stablehlo.multiply %a1, %b2 : tensor<i32>
  %p2 = stablehlo.multiply %a0, %b1 : tensor<i32>
  %p3 = stablehlo.multiply %a1, %b3 : tensor<i32>
  %p4 = stablehlo.multiply %a2, %b0 : tensor<i32>
  %p5 = stablehlo.multiply %a3, %b2 : tensor<i32>
  %p6 = stablehlo.multiply %a2, %b1 : tensor<i32>
  %p7 = stablehlo.multiply %a3, %b3 : tensor<i32>
  %r0 = stablehlo.add %p0, %p1 : tensor<i32>
  %r1 = stablehlo.add %p2, %p3 : tensor<i32>
  %r2 = stablehlo.add %p4, %p5 : tensor<i32>
  %r3 = stablehlo.add %p6, %p7 : tensor<i32>
  stablehlo.return %r0, %r1, %r2, %r3 : tensor<i32>, tensor<i32>, tensor<i32>, tensor<i32>"""
"""The product of two matrices of 2x2, of numbers that wrap: associative to the bit, and far from commutative."""

FIRST = """
  %z = stablehlo.constant dense<0> : tensor<{t}>
  %n = stablehlo.compare NE, %a0, %z : (tensor<{t}>, tensor<{t}>) -> tensor<i1>
  %r0 = stablehlo.select %n, %a0, %b0 : tensor<i1>, tensor<{t}>
  stablehlo.return %r0 : tensor<{t}>"""
"""The first number that is not zero."""

STATISTICS = """
  %n = stablehlo.add %a0, %b0 : tensor<f32>
  %d = stablehlo.subtract %b1, %a1 : tensor<f32>
  %w = stablehlo.divide %b0, %n : tensor<f32>
  %dw = stablehlo.multiply %d, %w : tensor<f32>
  %mean = stablehlo.add %a1, %dw : tensor<f32>
  %dd = stablehlo.multiply %d, %dw : tensor<f32>
  %da = stablehlo.multiply %dd, %a0 : tensor<f32>
  %m = stablehlo.add %a2, %b2 : tensor<f32>
  %squares = stablehlo.add %m, %da : tensor<f32>
  stablehlo.return %n, %mean, %squares : tensor<f32>, tensor<f32>, tensor<f32>"""
"""Count, mean and sum of squared deviations of two samples together."""


def fold(shape, dims, region, types, inits, name="main", prologue="", operands=None) -> str:
    """A function that reduces arguments of a shape along dims, from some initial values."""
    source = "x".join(map(str, shape)) + ("x" if shape else "")
    kept = "".join(f"{n}x" for d, n in enumerate(shape) if d not in dims)
    count = len(types)
    arrays, results = [f"tensor<{source}{t}>" for t in types], [f"tensor<{kept}{t}>" for t in types]
    operands = operands or [f"%x{i}" for i in range(count)]
    arguments = [f"%x{i}: {t}" for i, t in enumerate(arrays) if f"%x{i}" in " ".join([*operands, prologue])]
    constants = "\n".join(
        f"%i{i} = stablehlo.constant dense<{v}> : tensor<{t}>"
        for i, (v, t) in enumerate(zip(inits, types, strict=True))
    )
    pairs = ", ".join(f"({o} init: %i{i})" for i, o in enumerate(operands))
    kinds = ", ".join([*arrays, *(f"tensor<{t}>" for t in types)])
    reducer = " ".join(f"(%a{i}: tensor<{t}>, %b{i}: tensor<{t}>)" for i, t in enumerate(types))
    many = f"%r:{count}" if count > 1 else "%r"
    values = ", ".join(f"%r#{i}" for i in range(count)) if count > 1 else "%r"
    return f"""func.func public @{name}({", ".join(arguments)}) -> ({", ".join(results)}) {{
{constants}
{prologue}
{many} = stablehlo.reduce{pairs} across dimensions = {list(dims)} : ({kinds}) -> ({", ".join(results)})
  reducer{reducer} {{{region}
}}
return {values} : {", ".join(results)}
}}"""


def product(matrices: np.ndarray) -> np.ndarray:
    """The products of lines of matrices (last two dims), neighbours first, in order."""
    while matrices.shape[1] > 1:
        pairs = matrices[:, : matrices.shape[1] // 2 * 2]
        matrices = np.concatenate([pairs[:, ::2] @ pairs[:, 1::2], matrices[:, pairs.shape[1] :]], axis=1)
    return matrices[:, 0]


def results_of(exe, *arrays):
    got = exe(*arrays)
    return list(got) if isinstance(got, (list, tuple)) else [got]


@pytest.mark.parametrize(
    ("shape", "dims", "simd"),
    [((397,), [0], "avx512"), ((7, 33), [1], "avx2"), ((9, 20_001), [0, 1], "avx512")],
)
def test_products_of_matrices_come_out_in_order(shape, dims, simd):
    exe = stepwell.compile(fold(shape, dims, MATRICES, ["i32"] * 4, [1, 0, 0, 1]), simd=simd)
    assert "vector.shuffle" in exe.ir("scheduled")
    assert ("#kernel.scratch<launch>" in exe.ir("scheduled")) == (np.prod(shape) > 10_000)
    parts = np.random.default_rng(1).integers(-(2**31), 2**31, (4, *shape)).astype(np.int32)
    got = np.moveaxis(np.stack(exe(*parts)).reshape(2, 2, -1), -1, 0)
    np.testing.assert_array_equal(got, product(np.moveaxis(parts, 0, -1).reshape(len(got), -1, 2, 2)))


STEPS = """
  %f = stablehlo.multiply %a0, %b0 : tensor<i16>
  %p = stablehlo.multiply %a1, %b0 : tensor<i16>
  %s = stablehlo.add %p, %b1 : tensor<i16>
  stablehlo.return %f, %s : tensor<i16>, tensor<i16>"""
"""What y -> b1 + b0 * (a1 + a0 * y) is: two steps of a linear recurrence as one."""


def run_steps(factors: np.ndarray, terms: np.ndarray, axis: int) -> list[np.ndarray]:
    """The recurrence step by step along an axis."""
    factors, terms = np.moveaxis(factors, axis, 0), np.moveaxis(terms, axis, 0)
    f, s = np.ones(factors.shape[1:], np.int16), np.zeros(factors.shape[1:], np.int16)
    for factor, term in zip(factors, terms, strict=True):
        with np.errstate(over="ignore"):
            f, s = f * factor, s * factor + term
    return [f, s]


@pytest.mark.parametrize("simd", ["avx512", "avx2", "sse4.2"])
def test_recurrences_of_all_lengths_are_done_in_lanes(simd):
    """Lines, columns and all of an array, of lengths around those of vectors and blocks of them."""
    width = {"avx512": 32, "avx2": 16, "sse4.2": 8}[simd]
    lengths = {"avx512": (0, 1, 2, width, 31), "avx2": (width + 1,), "sse4.2": (3, 8 * width + 1)}[simd]
    cases = [((n,), 0) for n in lengths] + [((3, width * 8 + width + 3), 1), ((13, width + 1), 0)]
    functions, calls, arguments, names, types = [], [], [], [], []
    for i, (shape, axis) in enumerate(cases):
        text = fold(shape, [axis], STEPS, ["i16", "i16"], [1, 0], name=f"f{i}").replace("public", "private")
        functions.append(text)
        kind = f"tensor<{'x'.join(map(str, shape))}xi16>"
        rest = "".join(f"{n}x" for d, n in enumerate(shape) if d != axis)
        arguments += [f"%u{i}: {kind}", f"%v{i}: {kind}"]
        calls.append(f"%r{i}:2 = call @f{i}(%u{i}, %v{i}) : ({kind}, {kind}) -> (tensor<{rest}i16>, tensor<{rest}i16>)")
        names += [f"%r{i}#0", f"%r{i}#1"]
        types += [f"tensor<{rest}i16>"] * 2
    main = f"func.func public @main({', '.join(arguments)}) -> ({', '.join(types)}) {{"
    main += "\n".join(["", *calls, f"return {', '.join(names)} : {', '.join(types)}", "}"])
    exe = stepwell.compile("module {" + "\n".join([*functions, main]) + "}", simd=simd)
    rng = np.random.default_rng(2)
    arrays = [rng.integers(-(2**15), 2**15, shape).astype(np.int16) for shape, _ in cases for _ in range(2)]
    got = results_of(exe, *arrays)
    for i, (_, axis) in enumerate(cases):
        for mine, wanted in zip(got[2 * i :], run_steps(arrays[2 * i], arrays[2 * i + 1], axis), strict=False):
            np.testing.assert_array_equal(mine, wanted)


@pytest.mark.parametrize("shape", [(400_003,), (30_001, 16)])
def test_tasks_take_parts_of_long_lines(shape):
    source = fold(shape, [0], FIRST.format(t="f32"), ["f32"], [0.0])
    exe = stepwell.compile(source)
    assert "#kernel.scratch<launch>" in exe.ir("scheduled")
    length = shape[0]
    for places in ([], [length - 1], [0], [77, 78, length - 1], [length // 2 - 1, length // 2]):
        x = np.zeros(shape, np.float32)
        x[places] = np.arange(3, 3 + len(places), dtype=np.float32).reshape(-1, *[1] * (len(shape) - 1))
        (got,) = results_of(exe, x)
        np.testing.assert_array_equal(got, x[places[0]] if places else 0 * x[0])
    x[:] = -0.0
    x[5] = np.nan
    x[6] = 1
    assert np.isnan(results_of(exe, x)[0]).all()


def test_mean_and_variance_of_two_samples_make_those_of_both():
    shape = (3, 3_001)
    ones = "".join(
        f"""
        %c{n} = stablehlo.constant dense<{v}> : tensor<f32>
        %{n} = stablehlo.broadcast_in_dim %c{n}, dims = [] : (tensor<f32>) -> tensor<3x3001xf32>"""
        for n, v in (("one", 1.0), ("zero", 0.0))
    )
    shifted = ones + "\n%y = stablehlo.add %x1, %one : tensor<3x3001xf32>"
    exe = stepwell.compile(
        fold(shape, [1], STATISTICS, ["f32"] * 3, [0, 0, 0], "main", shifted, ["%one", "%y", "%zero"])
    )
    assert "vector.shuffle" in exe.ir("scheduled")
    x = (np.random.default_rng(3).standard_normal(shape) * 2 + 50).astype(np.float32)
    count, mean, squares = exe(x)
    assert (count == 3001).all()
    np.testing.assert_allclose(mean, x.astype(np.float64).mean(1) + 1, rtol=1e-5)
    np.testing.assert_allclose(squares / count, x.astype(np.float64).var(1), rtol=1e-3)
    x[1, 2_000] = np.inf
    assert np.isnan(exe(x)[1]).tolist() == [False, True, False]


DECAY = """
  %c = stablehlo.constant dense<0.5> : tensor<f32>
  %s = stablehlo.multiply %a0, %c : tensor<f32>
  %r0 = stablehlo.add %s, %b0 : tensor<f32>
  stablehlo.return %r0 : tensor<f32>"""
MAGNITUDES = """
  %s = stablehlo.abs %b0 : tensor<f32>
  %r0 = stablehlo.add %a0, %s : tensor<f32>
  stablehlo.return %r0 : tensor<f32>"""


@pytest.mark.parametrize("region", [DECAY, MAGNITUDES])
def test_regions_that_are_not_associative_are_done_element_by_element(region):
    exe = stepwell.compile(fold((1_000,), [0], region, ["f32"], [0.0]))
    x = np.random.default_rng(4).integers(-9, 9, 1_000).astype(np.float32)
    wanted = np.float32(0)
    for number in x:
        wanted = np.float32(wanted * np.float32(0.5) + number) if region is DECAY else wanted + abs(number)
    assert results_of(exe, x)[0] == wanted


def test_what_a_reduction_starts_from_is_used_once():
    """An initial value that is not neutral counts once, as it does in order."""
    doubled = "%d = stablehlo.negate %b0 : tensor<i32>\n%r0 = stablehlo.subtract %a0, %d : tensor<i32>"
    exe = stepwell.compile(fold((300_007,), [0], f"{doubled}\nstablehlo.return %r0 : tensor<i32>", ["i32"], [1_000]))
    assert "#kernel.scratch<launch>" in exe.ir("scheduled")
    assert results_of(exe, np.full(300_007, 3, np.int32))[0] == 1_000 + 3 * 300_007
