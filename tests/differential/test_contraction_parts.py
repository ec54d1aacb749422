"""Sums of products in parts along K (`k_split`): the same as whole sums, wherever parts, runs and steps end."""

from __future__ import annotations

import re

import ml_dtypes
import numpy as np
import pytest

import stepwell
from tests.differential.test_schedules import check, contraction_kernel, values

FORMS = [
    {},
    {"a_map": "d2, d0", "b_map": "d1, d2"},
    {"dtype": "bf16"},
    {"dtype": "i8", "total": "i32"},
    {"dtype": "f64", "total": "f64", "epilogue": False},
]


def arguments(size, form) -> list[np.ndarray]:
    """Random operands of a kernel of `contraction_kernel`."""
    rng = np.random.default_rng(sum(size))
    extents = dict(zip(("d0", "d1", "d2"), size, strict=True))
    dtype, total = form.get("dtype", "f32"), form.get("total", "f32")
    maps = (form.get("a_map", "d0, d2"), form.get("b_map", "d2, d1"))
    a, b = (values(rng, [extents[d] for d in m.split(", ")], dtype) for m in maps)
    return [a, b, values(rng, size[1:2], total), np.zeros(size[:2], values(rng, (1,), total).dtype)]


@pytest.mark.parametrize("level", ["avx512", "avx2", "sse4.2"])
@pytest.mark.parametrize("form", FORMS, ids=lambda f: "-".join(map(str, f.values())) or "plain")
@pytest.mark.every(5)
def test_parts_of_sums_are_added_up(level, form):
    for size, parts, run in (
        ((4, 5, 71), 2, 16),  # the last part and its last run are shorter
        ((4, 5, 75), 3, 75),  # each part is one run
        ((4, 4, 64), 2, 8),  # parts of equal length
        ((5, 4, 65), 100, 4),  # no more parts than steps
    ):
        text = check(
            contraction_kernel(size, **form), arguments(size, form), level, "contraction", "contraction",
            tolerance=2e-4, k_split=parts, kc=run, grain=1,
        )  # fmt: skip
        assert re.search(rf"tensor<\d+x{size[0]}x{size[1]}x", text), "no scratch for parts"


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_what_sums_start_from_is_added_once(parts):
    size = (6, 20, 40)
    a, b, _, _ = arguments(size, {})
    start = np.full((6, 20), 1000, np.float32)
    kernel = contraction_kernel(size, epilogue=False).replace("outs(%f :", "outs(%bias :")
    kernel = kernel.replace("%bias: tensor<20xf32>", "%bias: tensor<6x20xf32>")
    check(kernel, [a, b, start, np.zeros((6, 20), np.float32)], "avx512", "contraction", "contraction", k_split=parts)


def gradient(batch: int, rows: int, columns: int, dtype: str = "f32", tail: str = "") -> str:
    """The sum over a batch and its positions of outer products, and what is done with it."""
    x, y, z = (f"tensor<{s}x{dtype}>" for s in (f"{batch}x7x{rows}", f"{batch}x7x{columns}", f"{rows}x{columns}"))
    return f"""func.func @main(%x: {x}, %y: {y}) -> {z} {{
      %0 = stablehlo.dot_general %x, %y, contracting_dims = [0, 1] x [0, 1] : ({x}, {y}) -> {z}
      {tail.format(z=z)}
      return %{1 if tail else 0} : {z}
    }}"""


@pytest.mark.parametrize("level", ["avx512", "avx2", "sse4.2"])
@pytest.mark.parametrize("dtype", ["f32", "f16"])
@pytest.mark.every(3)
def test_few_results_of_many_terms_are_summed_in_parts_that_no_number_of_threads_changes(level, dtype):
    rng = np.random.default_rng(5)
    batch, rows, columns = 4999, 11, 19
    kind = {"f32": np.float32, "f16": np.float16}[dtype]
    x = (rng.standard_normal((batch, 7, rows)) / 8).astype(kind)
    y = rng.standard_normal((batch, 7, columns)).astype(kind)
    x[4998, 6, 2], x[0, 0, 3], y[1, 1, 18] = np.nan, 0, np.inf
    exe = stepwell.compile(gradient(batch, rows, columns, dtype, "%1 = stablehlo.tanh %0 : {z}"), simd=level)
    scheduled = exe.ir("scheduled")
    parts = re.search(r"k_split = (\d+)", scheduled)
    assert parts is not None
    assert f"in {parts[1]} parts that are added up then" in scheduled
    got = {threads: with_threads(threads, lambda: exe(x, y)[0]) for threads in (1, 2)}
    assert got[1].tobytes() == got[2].tobytes()
    assert got[1].shape == (rows, columns)
    with np.errstate(invalid="ignore"):
        want = np.tanh(x.reshape(-1, rows).T.astype(np.float64) @ y.reshape(-1, columns).astype(np.float64))
    np.testing.assert_allclose(got[1].astype(np.float64), want, rtol=1e-2 if dtype == "f16" else 1e-4, atol=1e-4)
    assert np.isnan(got[1][2]).all()
    assert np.isnan(got[1]).sum() == np.isnan(want).sum()


def with_threads(count, call):
    """What a call gives with so many threads."""
    before = stepwell.num_threads()
    stepwell.set_num_threads(min(count, before))
    try:
        return call()
    finally:
        stepwell.set_num_threads(before)


def test_whole_numbers_wrap_in_parts_as_in_whole_sums():
    rng = np.random.default_rng(6)
    x, y = (rng.integers(-128, 128, shape, dtype=np.int8) for shape in ((8, 40013), (40013, 12)))
    types = "tensor<8x40013xi8>", "tensor<40013x12xi8>", "tensor<8x12xi32>"
    exe = stepwell.compile(
        f"""func.func @main(%x: {types[0]}, %y: {types[1]}) -> {types[2]} {{
          %0 = stablehlo.dot_general %x, %y, contracting_dims = [1] x [0] : ({types[0]}, {types[1]}) -> {types[2]}
          return %0 : {types[2]}
        }}"""
    )
    assert "k_split" in exe.ir("scheduled")
    np.testing.assert_array_equal(exe(x, y)[0], x.astype(np.int32) @ y.astype(np.int32))


@pytest.mark.parametrize("level", ["avx512", "avx2", "sse4.2"])
@pytest.mark.parametrize(
    ("dtype", "rows", "depth", "columns"), [("f32", 7, 301, 1031), ("f32", 13, 531, 4099), ("bf16", 4, 601, 1100)]
)
@pytest.mark.every(3)
def test_a_matrix_from_memory_is_read_once_for_several_rows(level, dtype, rows, depth, columns):
    rng = np.random.default_rng(rows)
    kind = {"f32": np.float32, "bf16": ml_dtypes.bfloat16}[dtype]
    x, y = (rng.standard_normal(shape).astype(kind) for shape in ((rows, depth), (depth, columns)))
    x[0, 3], y[depth - 1, columns - 1], y[5, 2] = -0.0, np.nan, np.inf
    types = [f"tensor<{m}x{n}x{dtype}>" for m, n in ((rows, depth), (depth, columns), (rows, columns))]
    exe = stepwell.compile(
        f"""func.func @main(%x: {types[0]}, %y: {types[1]}) -> {types[2]} {{
          %0 = stablehlo.dot_general %x, %y, contracting_dims = [1] x [0] : ({types[0]}, {types[1]}) -> {types[2]}
          return %0 : {types[2]}
        }}""",
        simd=level,
    )
    assert "k_unroll = 8" in exe.ir("scheduled")
    assert "pack_b = 0" in exe.ir("scheduled")
    with np.errstate(invalid="ignore"):
        want = x.astype(np.float64) @ y.astype(np.float64)
    tolerance = 1e-4 if dtype == "f32" else 1e-2
    np.testing.assert_allclose(exe(x, y)[0].astype(np.float64), want, rtol=tolerance, atol=20 * tolerance)
