"""The three forms of a matmul on a GPU: right in the simulator, and machine code without spills for three generations."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import stepwell
from stepwell.backends.ptx import ptxas
from stepwell.native import emit

pytestmark = pytest.mark.every(3)

DTYPES = {"f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16}

FORMS = {
    "shared": "bm = 32 : i64, bn = 32 : i64, bk = 32 : i64, wm = 8 : i64, wn = 32 : i64, lanes_m = 1 : i64, lanes_n = 32 : i64, "
    "stages = 1 : i64, swizzle = 0 : i64, pad = 4 : i64",
    "register": "bm = 128 : i64, bn = 128 : i64, bk = 8 : i64, wm = 64 : i64, wn = 32 : i64, lanes_m = 8 : i64, lanes_n = 4 : i64, "
    "stages = 2 : i64, swizzle = 0 : i64, pad = 4 : i64",
    "matrix": "bm = 128 : i64, bn = 128 : i64, bk = 32 : i64, wm = 64 : i64, wn = 32 : i64, lanes_m = 8 : i64, lanes_n = 4 : i64, "
    "stages = 3 : i64, swizzle = 8 : i64, pad = 0 : i64",
}
CASES = [(form, dtype) for form in FORMS for dtype in DTYPES if form != "matrix" or dtype != "f32"]


def matmul(m: int, n: int, k: int, dtype: str) -> str:
    return f"""func.func public @main(%a: tensor<{m}x{k}x{dtype}>, %b: tensor<{k}x{n}x{dtype}>) -> tensor<{m}x{n}x{dtype}> {{
  %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<{m}x{k}x{dtype}>, tensor<{k}x{n}x{dtype}>) -> tensor<{m}x{n}x{dtype}>
  return %0 : tensor<{m}x{n}x{dtype}>
}}
"""


def scheduled_by_hand(m: int, n: int, k: int, dtype: str, form: str, target: str) -> str:
    """The program on step 3 with the schedule of its kernel written out."""
    text = emit(matmul(m, n, k, dtype), "kernels", target=target)
    assert isinstance(text, str)
    schedule = f'schedule = #kernel.schedule<"block-contraction", {{subgroup = 32 : i64, vector = 512 : i64, unroll = 1 : i64, tasks = 8448 : i64, form = "{form}", {FORMS[form]}}}>, '
    assert text.count('kernel.kind = "contraction"') == 1
    return text.replace('kernel.kind = "contraction"', schedule + 'kernel.kind = "contraction"')


@pytest.mark.parametrize(("m", "n", "k"), [(128, 128, 64), (129, 127, 65), (64, 200, 31)])
@pytest.mark.parametrize(("form", "dtype"), CASES)
@pytest.mark.every(6)
def test_a_matmul_is_right_in_every_form(form, dtype, m, n, k):
    rng = np.random.default_rng(m + n + k)
    a, b = (rng.standard_normal(s).astype(DTYPES[dtype]) for s in ((m, k), (k, n)))
    text = scheduled_by_hand(m, n, k, dtype, form, "gpu-sim")
    (got,) = stepwell.compile(text, target="gpu-sim")(a, b)
    want = a.astype(np.float64) @ b.astype(np.float64)
    bound = {"f32": 1e-5, "f16": 2e-3, "bf16": 2e-2}[dtype]
    scale = np.abs(a.astype(np.float64)) @ np.abs(b.astype(np.float64))
    assert np.all(np.abs(got.astype(np.float64) - want) <= bound * scale + 1e-6)


@pytest.mark.parametrize("parts", [3, 100])
@pytest.mark.parametrize(("form", "dtype"), [("register", "f32"), ("matrix", "bf16"), ("shared", "f16")])
def test_parts_of_sums_are_added_up(form, dtype, parts, monkeypatch):
    monkeypatch.setitem(FORMS, form, f"{FORMS[form]}, k_split = {parts} : i64")
    test_a_matmul_is_right_in_every_form(form, dtype, 40, 33, 150)


@pytest.mark.parametrize(("form", "dtype"), [("matrix", "f16"), ("register", "f32")])
def test_factors_are_copied_to_better_rows_first(form, dtype, monkeypatch):
    monkeypatch.setitem(FORMS, form, f"{FORMS[form]}, pack_a = 1 : i64, pack_b = 1 : i64")
    test_a_matmul_is_right_in_every_form(form, dtype, 40, 33, 71)
    assert len(phases(40, 33, 71, dtype, form)) == 3
    assert len(phases(40, 32, 64, dtype, form)) == 1


def phases(m: int, n: int, k: int, dtype: str, form: str) -> list[str]:
    text = emit(scheduled_by_hand(m, n, k, dtype, form, "gpu-sim"), "device", target="gpu-sim")
    assert isinstance(text, str)
    return [line for line in text.splitlines() if "gpu.launch_func" in line]


EXPECTED = {"shared": "fma.rn.f32", "register": "fma.rn.f32", "matrix": "mma.sync.aligned.m16n8k16"}


@pytest.mark.skipif(ptxas() is None, reason="ptxas is not installed")
@pytest.mark.parametrize("sm", ["sm_80", "sm_90", "sm_100"])
@pytest.mark.parametrize(("m", "n", "k"), [(512, 512, 512), (1000, 777, 513)])
@pytest.mark.parametrize(("form", "dtype"), CASES)
@pytest.mark.every(6)
def test_a_matmul_assembles_without_spills(form, dtype, m, n, k, sm):
    target = f"cuda:{sm}"
    text = scheduled_by_hand(m, n, k, dtype, form, target)
    ptx = emit(text, "ptx", target=target)
    assert isinstance(ptx, str)
    assert EXPECTED[form] in ptx
    if form == "matrix" and m == 512:
        assert "cp.async.cg.shared.global" in ptx
        assert "ldmatrix.sync.aligned.m8n8.x4" in ptx
    table = emit(text, "resources", target=target)
    assert isinstance(table, str)
    header, *rows = table.strip().splitlines()
    assert "spill stores" in header
    for row in rows:
        registers, _, stack, stores, loads, *_ = (int(n) for n in row.split()[1:])
        assert (stack, stores, loads) == (0, 0, 0)
        assert registers <= 255


def test_ptx_is_the_same_every_time():
    text = matmul(200, 100, 64, "f16")
    assert emit(text, "ptx", target="cuda:sm_90") == emit(text, "ptx", target="cuda:sm_90")
