"""Dot products along lines of both factors (`dots`): any shape, type and tile, at every width of vectors."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import stepwell
from stepwell.errors import InvalidProgramError
from tests.differential.test_schedules import DTYPES, LEVELS, check, contraction_kernel, values

FORMS = [("f32", "f32"), ("f64", "f64"), ("bf16", "f32"), ("i8", "i32")]


def scheduled(kernel: str, level: str, numbers: str) -> str:
    """A kernel that is to be done by dot products."""
    parameters = f"vector = {LEVELS[level] // 8} : i64, unroll = 1 : i64, tasks = 4 : i64, grain = 1 : i64{numbers}"
    schedule = f'schedule = #kernel.schedule<"dots", {{{parameters}}}>'
    assert kernel.count('"write"]}') == 1
    return kernel.replace('"write"]}', f'"write"], {schedule}}}')


@pytest.mark.parametrize("level", ["avx512", "avx2", "sse4.2"])
@pytest.mark.parametrize("form", FORMS, ids="-".join)
@pytest.mark.every(2)
def test_sums_along_lines_are_those_of_the_products(level, form):
    rng = np.random.default_rng(len(form[0]))
    dtype, total = form
    for (rows, columns, depth), numbers in (
        ((3, 7, 37), ""),
        ((5, 4, 16), ", rows = 2 : i64, columns = 3 : i64"),
        ((1, 5, 9), ", columns = 64 : i64"),
        ((2, 1, 33), ""),
        ((4, 3, 1), ", rows = 64 : i64, columns = 1 : i64"),
    ):
        kernel = contraction_kernel((rows, columns, depth), dtype, total, b_map="d1, d2")
        a, b = values(rng, (rows, depth), dtype), values(rng, (columns, depth), dtype)
        args = [a, b, values(rng, (columns,), total), np.zeros((rows, columns), DTYPES[total])]
        text = check(scheduled(kernel, level, numbers), args, level, expect="dots", tolerance=2e-4)
        assert "vector.contract" not in text
        assert "vector.shuffle" in text


def test_what_sums_start_from_is_added_to_their_lanes():
    rng = np.random.default_rng(9)
    size = (3, 6, 20)
    a, b = values(rng, (3, 20), "f32"), values(rng, (6, 20), "f32")
    start = 1000 * values(rng, (3, 6), "f32")
    kernel = contraction_kernel(size, b_map="d1, d2", epilogue=False).replace("outs(%f :", "outs(%bias :")
    kernel = kernel.replace("%bias: tensor<6xf32>", "%bias: tensor<3x6xf32>")
    check(scheduled(kernel, "avx512", ""), [a, b, start, np.zeros((3, 6), np.float32)], "avx512", expect="dots")


def test_what_has_no_lines_of_terms_is_refused_by_a_schedule_that_asks_for_them():
    kernel = scheduled(contraction_kernel((3, 7, 37)), "avx512", "")
    args = [np.zeros(s, np.float32) for s in ((3, 37), (37, 7), (7,), (3, 7))]
    with pytest.raises(InvalidProgramError, match="terms do not lie one after the other in both factors"):
        check(kernel, args, "avx512")


@pytest.mark.parametrize("level", ["avx512", "avx2", "sse4.2"])
@pytest.mark.parametrize("dtype", ["f32", "f16", "f64"])
@pytest.mark.every(3)
def test_rows_times_weights_as_they_are_stored(level, dtype):
    """Chosen, in a batch, over tasks, with numbers that are none in their own row or column, and the same for any number of threads."""
    rng = np.random.default_rng(4)
    kind = {"f32": np.float32, "f16": np.float16, "f64": np.float64, "bf16": ml_dtypes.bfloat16}[dtype]
    x = (rng.standard_normal((2, 5, 1021)) / 32).astype(kind)
    w = rng.standard_normal((2, 203, 1021)).astype(kind)
    x[1, 4, 1020], w[0, 202, 1020], w[1, 3, 0] = np.nan, np.inf, np.inf
    types = [f"tensor<2x{m}x{n}x{dtype}>" for m, n in ((5, 1021), (203, 1021), (5, 203))]
    exe = stepwell.compile(
        f"""func.func @main(%x: {types[0]}, %w: {types[1]}) -> {types[2]} {{
          %0 = stablehlo.dot_general %x, %w, batching_dims = [0] x [0], contracting_dims = [2] x [2]
            : ({types[0]}, {types[1]}) -> {types[2]}
          %1 = stablehlo.negate %0 : {types[2]}
          return %1 : {types[2]}
        }}""",
        simd=level,
    )
    assert '"dots"' in exe.ir("scheduled")
    with np.errstate(invalid="ignore"):
        want = -np.einsum("bmk,bnk->bmn", x.astype(np.float64), w.astype(np.float64), optimize=True)
    got = exe(x, w)[0]
    tolerance = {"f32": 1e-4, "f16": 1e-2, "f64": 1e-12}[dtype]
    np.testing.assert_allclose(got.astype(np.float64), want, rtol=tolerance, atol=tolerance)
    before = stepwell.num_threads()
    stepwell.set_num_threads(1)
    try:
        assert exe(x, w)[0].tobytes() == got.tobytes()
    finally:
        stepwell.set_num_threads(before)
