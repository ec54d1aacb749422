"""The largest elements, selected without sorting: what a stable sort in the total order puts first, to the bit."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import stepwell

DTYPES: dict[str, Any] = {
    "f32": np.float32, "bf16": ml_dtypes.bfloat16, "f16": np.float16,
    "i32": np.int32, "ui32": np.uint32, "i8": np.int8, "ui16": np.uint16,
}  # fmt: skip

# Lines a little longer than a buffer of 128 entries and its blocks of 64, primes, and a k whose buffer holds a whole line.
CASES = [
    ("f32", (3, 1009), 8), ("f32", (300,), 1), ("f32", (2, 3, 321), 50), ("f32", (1, 257), 64), ("bf16", (2, 700), 5),
    ("f16", (513,), 100), ("i32", (2, 449), 3), ("ui32", (2, 600), 9), ("i8", (900,), 200), ("ui16", (1, 1, 256), 64),
]  # fmt: skip


def program(dtype: str, shape: tuple[int, ...], k: int) -> str:
    source = f"tensor<{'x'.join(map(str, shape))}x{dtype}>"
    values, places = (f"tensor<{'x'.join(map(str, (*shape[:-1], k)))}x{t}>" for t in (dtype, "i32"))
    return f"""func.func public @main(%x: {source}) -> ({values}, {places}) {{
      %v, %i = chlo.top_k(%x, k = {k}) : {source} -> ({values}, {places})
      return %v, %i : {values}, {places}
    }}"""


def inputs(dtype: str, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    rng, kind = np.random.default_rng(len(shape) + shape[-1]), np.dtype(DTYPES[dtype])
    if np.issubdtype(kind, np.integer):
        info = np.iinfo(kind)
        x = rng.integers(info.min, int(info.max) + 1, shape).astype(kind)
        x[..., ::9], x[..., 1::9] = info.min, info.max
    else:
        x = rng.standard_normal(shape).astype(kind)
    found = {"random": x, "rising": np.sort(x, -1), "falling": np.sort(x, -1)[..., ::-1].copy()}
    found["equal"] = rng.integers(0, 3, shape).astype(kind)
    found["the least"] = np.full(shape, -np.nan if x.dtype.kind not in "iu" else np.iinfo(kind).min, kind)
    if x.dtype.kind not in "iu":
        special = np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0, 0.0, 1e-40, -1e-40], kind)
        found["special"] = special[rng.integers(0, len(special), shape)]
    return found


@pytest.mark.parametrize(("dtype", "shape", "k"), CASES, ids=str)
@pytest.mark.every(2)
def test_the_largest_elements_and_their_places(dtype: str, shape: tuple[int, ...], k: int) -> None:
    text = program(dtype, shape, k)
    want = stepwell.compile(text, target="interpreter")
    for simd in ("avx512", "avx2", "sse4.2") if (dtype, len(shape)) == ("f32", 2) else ("avx512",):
        exe = stepwell.compile(text, simd=simd)
        assert exe.ir("structured").count("structured.top_k") == 1
        for name, x in inputs(dtype, shape).items():
            for a, b in zip(exe(x), want(x), strict=True):
                assert np.asarray(a).tobytes() == np.asarray(b).tobytes(), name


def test_without_vectors_in_the_schedule() -> None:
    text = program("f32", (2, 300), 7)
    exe, want = stepwell.compile(text, opt_level=0), stepwell.compile(text, target="interpreter")
    for x in inputs("f32", (2, 300)).values():
        for a, b in zip(exe(x), want(x), strict=True):
            assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


def test_no_lines_and_small_ones_are_as_before() -> None:
    for shape, k in (((0, 300), 3), ((4, 9), 3), ((4, 300), 0)):
        exe = stepwell.compile(program("f32", shape, k))
        assert "structured.top_k" not in exe.ir("structured")
        values, places = exe(np.zeros(shape, np.float32))
        assert np.asarray(values).shape == np.asarray(places).shape == (*shape[:-1], k)


def test_parts_of_a_long_line() -> None:
    exe = stepwell.compile(program("f32", (1, 1 << 17), 40))
    rng = np.random.default_rng(5)
    for x in (rng.standard_normal((1, 1 << 17)), rng.integers(0, 3, (1, 1 << 17))):
        x = x.astype(np.float32)
        values, places = (np.asarray(v) for v in exe(x))
        order = np.argsort(-x, -1, kind="stable")[:, :40]
        np.testing.assert_array_equal(places, order)
        np.testing.assert_array_equal(values, np.take_along_axis(x, order, -1))
