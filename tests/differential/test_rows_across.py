"""Short rows are lanes: results and numbers a row are those of rows one after the other, whatever the count and length."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import stepwell
import stepwell.numpy as sn
from stepwell.errors import InvalidProgramError
from tests.differential.test_schedules import DTYPES, check, tensor, values

ROUNDING = {np.float32: 2e-6, ml_dtypes.bfloat16: 1e-2, np.float16: 2e-3}


def norm(x, g, s):
    """A normalization with a factor a column, a summand a row, and a number a row as a second result."""
    centered = x - sn.mean(x, axis=-1, keepdims=True)
    variance = sn.mean(centered * centered, axis=-1)
    return centered / sn.sqrt(variance + 0.25)[..., None] * g + s[..., None], variance


def softmax(x):
    return sn.softmax(x, axis=-1)


def run(function, args, level, across: bool):
    """The results as compiled for a level, and those of one op after the other."""
    traced = stepwell.jit(function).lower(*args)
    text = traced.as_text() if hasattr(traced, "as_text") else str(traced)
    exe = stepwell.compile(text, simd=level, cache=False)
    assert ("across = 1" in str(exe.ir("scheduled"))) == across, exe.ir("scheduled")
    plain = stepwell.compile(text, opt_level=0, cache=False)
    results = [e(*args) for e in (exe, plain)]
    return [r if isinstance(r, tuple | list) else [r] for r in results]


@pytest.mark.parametrize("level", ["avx512", "avx2", "sse4.2"])
@pytest.mark.parametrize("kind", [np.float32, ml_dtypes.bfloat16])
@pytest.mark.parametrize("shape", [(32, 17), (3, 33, 5)])
@pytest.mark.every(4)
def test_norms_of_short_rows_are_those_of_each_row(shape, kind, level):
    rng = np.random.default_rng(1)
    args = [rng.standard_normal(s).astype(kind) for s in (shape, shape[-1:], shape[:-1])]
    got, want = run(norm, args, level, True)
    for g, w in zip(got, want, strict=True):
        assert g.dtype == kind
        w = np.asarray(w, np.float64)
        np.testing.assert_allclose(np.asarray(g, np.float64), w, rtol=ROUNDING[kind], atol=ROUNDING[kind])


@pytest.mark.parametrize("kind", [np.float32, ml_dtypes.bfloat16, np.float16])
def test_softmaxes_of_short_rows_keep_what_is_no_number(kind):
    x = np.random.default_rng(2).standard_normal((65, 19)).astype(kind)
    x[3, 18], x[4, 0], x[5, 7], x[6] = np.nan, np.inf, -np.inf, -np.inf
    x[64, 18], x[40] = np.nan, -0.0
    (got,), (want,) = run(softmax, [x], "avx512", True)
    np.testing.assert_allclose(
        np.asarray(got, np.float64), np.asarray(want, np.float64), rtol=ROUNDING[kind], atol=ROUNDING[kind]
    )


@pytest.mark.parametrize("shape", [(0, 17), (31, 17), (40, 0), (64, 1000)])
def test_rows_that_are_few_or_long_are_done_one_by_one(shape):
    x = np.random.default_rng(3).standard_normal(shape).astype(np.float32)
    (got,), (want,) = run(softmax, [x], "avx512", False)
    np.testing.assert_allclose(got, want, rtol=2e-6)


def kernel(shape, dtype: str, transposed: bool = False) -> str:
    """Differences to the largest of a row, and their sums."""
    rows, length = shape[:-1], shape[-1]
    dims = [f"d{d}" for d in range(len(shape))]
    space, row = ", ".join(dims), ", ".join(dims[:-1])
    x = tensor([length, *rows] if transposed else shape, dtype)
    y, n = tensor(shape, dtype), tensor(rows, dtype)
    first = f"d{len(shape) - 1}, {row}" if transposed else space
    over, kinds = ', "reduction"', ", ".join('"parallel"' for _ in rows)
    floats = dtype[0] in "bf"
    most, minus, plus = ("maximumf", "subf", "addf") if floats else ("maxsi", "subi", "addi")
    least, zero = ("-1000.0", "0.5") if floats else ("-1", "0") if dtype == "i1" else ("-128", "3")
    return f"""kernel.func @k(%x: {x}, %o: {y}, %p: {n}) -> ({y}, {n}) attributes {{access = ["read", "write", "write"]}} {{
      %e = tensor.empty() : {n}
      %f = tensor.empty() : {y}
      %c = arith.constant {least} : {dtype}
      %z = arith.constant {zero} : {dtype}
      %i = linalg.fill ins(%c : {dtype}) outs(%e : {n}) -> {n}
      %j = linalg.fill ins(%z : {dtype}) outs(%e : {n}) -> {n}
      %m = linalg.generic {{indexing_maps = [affine_map<({space}) -> ({first})>, affine_map<({space}) -> ({row})>],
          iterator_types = [{kinds}{over}]}} ins(%x : {x}) outs(%i : {n}) {{
      ^bb0(%a: {dtype}, %s: {dtype}):
        %t = arith.{most} %s, %a : {dtype}
        linalg.yield %t : {dtype}
      }} -> {n}
      %d = linalg.generic {{indexing_maps = [affine_map<({space}) -> ({first})>, affine_map<({space}) -> ({row})>,
          affine_map<({space}) -> ({space})>], iterator_types = [{kinds}, "parallel"]}} ins(%x, %m : {x}, {n}) outs(%f : {y}) {{
      ^bb0(%a: {dtype}, %b: {dtype}, %s: {dtype}):
        %t = arith.{minus} %b, %a : {dtype}
        linalg.yield %t : {dtype}
      }} -> {y}
      %t = linalg.generic {{indexing_maps = [affine_map<({space}) -> ({space})>, affine_map<({space}) -> ({row})>],
          iterator_types = [{kinds}{over}]}} ins(%d : {y}) outs(%j : {n}) {{
      ^bb0(%a: {dtype}, %s: {dtype}):
        %u = arith.{plus} %s, %a : {dtype}
        linalg.yield %u : {dtype}
      }} -> {n}
      kernel.return %d, %t : {y}, {n}
    }}"""


@pytest.mark.parametrize("level", ["avx512", "avx2", "sse4.2"])
@pytest.mark.parametrize("dtype", ["f32", "f64", "bf16", "i8"])
@pytest.mark.every(3)
def test_blocks_of_rows_are_whole_in_every_task(level, dtype):
    rng = np.random.default_rng(4)
    for shape in ((32, 15), (33, 16), (65, 17), (100, 2), (2, 71, 5)):
        results = [np.zeros(s, DTYPES[dtype]) for s in (shape, shape[:-1])]
        tolerance = 0.05 if dtype == "bf16" else 1e-4
        args = [values(rng, shape, dtype), *results]
        text = check(kernel(shape, dtype), args, level, "rows", grain=1, across=1, tolerance=tolerance)
        assert "vector.transpose" in text


def test_rows_that_lie_next_to_each_other_are_read_as_they_lie():
    rng = np.random.default_rng(5)
    args = [values(rng, (17, 64), "f32"), np.zeros((64, 17), np.float32), np.zeros(64, np.float32)]
    text = check(kernel((64, 17), "f32", transposed=True), args, "avx512", "rows", across=1)
    assert "vector.transfer_read %x" in text
    assert "vector<16x16xf32>, tensor<17x64xf32>" not in text


def test_one_reduction_of_short_rows_is_that_of_each_row():
    x = np.random.default_rng(7).standard_normal((71, 17)).astype(np.float32)
    x[3, 16], x[70, 0] = np.nan, -np.inf
    (got,), (want,) = run(lambda x: sn.max(x, axis=1), [x], "avx512", True)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    ("shape", "dtype", "problem"),
    [((31, 17), "f32", "31 next to each other, fewer than 32"), ((64, 17), "i1", "numbers are i1")],
)
def test_rows_that_cannot_be_lanes_are_refused_with_a_reason(shape, dtype, problem):
    results = [np.zeros(s, DTYPES[dtype]) for s in (shape, shape[:-1])]
    args = [values(np.random.default_rng(6), shape, dtype), *results]
    with pytest.raises(InvalidProgramError, match=problem):
        check(kernel(shape, dtype), args, "avx512", "rows", across=1)
