"""A fixed sample of the StableHLO project's own tests: a few of each op, natively; benchmarks/conformance.py runs them all."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PER_OP = 1
SUITES = ("testdata", "interpret", "math")
"""The JAX programs have a test of their own."""

_CANCELLING = "asks for 3 ulp of sums that cancel: the expected values and ours are equally far from the exact ones, half an ulp of the whole"

_COMPLEX_DOT = "asks for 3 ulp of parts that cancel, which the exact results, rounded once, do not have either"
_LAST_BIT = (
    "asks for 1e-4 of f32 numbers beyond 1000, less than their last bit; the exact results, rounded once, fail too"
)

SHARP = {
    "sinh_float32_20_20_chlo": "the expected values are 7 ulp off the exact ones, ours 1",
    "cosh_float32_20_20_chlo": "the expected values are 4 ulp off the exact ones, ours 1",
    "tanh_float32_20_20": "the expected values are 3 ulp off the exact ones, ours 2",
    "fft_complex64_14_15_16_17": _CANCELLING,
    "fft_complex128_14_15_16_17": _CANCELLING,
    "fft_float32_14_15_16_17": _CANCELLING,
    "fft_float64_14_15_16_17": _CANCELLING,
    **{
        f"dot_general_{a}_4_3_{b}_3_6": _COMPLEX_DOT
        for a, b in (
            ("bfloat16", "complex64"),
            ("bfloat16", "complex128"),
            ("float16", "complex64"),
            ("float16", "complex128"),
            ("float32", "complex128"),
            ("int16", "complex64"),
            ("int64", "complex64"),
            ("uint8", "complex64"),
            ("uint16", "complex64"),
            ("uint32", "complex128"),
        )
    },
    "cos_complex64_20_20": _LAST_BIT,
    "cosh_complex64_20_20_chlo": _LAST_BIT,
    "cumprod_complex64_8_9": _LAST_BIT,
    "expm1_complex64_20_20": _LAST_BIT,
    "integer_pow_complex64_20_30": _LAST_BIT,
    "pow_complex64_20_30_complex64_20_30": _LAST_BIT,
    "sin_complex64_20_20": _LAST_BIT,
    "sinh_complex64_20_20_chlo": "asks for 1e-4 of f32 numbers beyond 1000, less than their last bit; ours are at most 2 ulp off",
    "cumsum_bfloat16_8_9": "the expected values accumulate in bf16, ours in f32",
    "cumlogsumexp_float32_8_9": "asks for 3 ulp of expected values that are 2.3 ulp off the exact ones; ours are 2.0 off",
    "power.2.power_op_test_f64": "asks for the last bit of 1e40",
    "triangular_solve_float32_2_8_8_float32_2_10_8": "asks for 3 ulp of values that are themselves 40 ulp off the exact ones",
}
"""Cases whose check is sharper than our floating-point policy."""


def load_module():
    spec = importlib.util.spec_from_file_location("conformance", ROOT / "benchmarks" / "conformance.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["conformance"] = module
    spec.loader.exec_module(module)
    return module


conformance = load_module()
FOLDER = conformance.find_cases()


def sample():
    """For every op its first cases, and its last: types vary from case to case."""
    if FOLDER is None:
        return []
    by_op: dict[str, list] = {}
    for case in conformance.load_cases(FOLDER, SUITES):
        for op in conformance.ops_of(case):
            by_op.setdefault(op, []).append(case)
    chosen = {}
    for _, cases in sorted(by_op.items()):
        for case in (*cases[:PER_OP], cases[-1]):
            chosen[case["name"]] = case
    return list(chosen.values())


@pytest.fixture(scope="module")
def worker():
    runner = conformance.Worker(FOLDER, conformance.Configuration())
    yield runner
    runner.close()


@pytest.mark.skipif(
    FOLDER is None, reason="no conformance cases: set STEPWELL_CONFORMANCE to the folder of stablehlo.tar.xz"
)
def test_the_sample_is_whole():
    assert len(sample()) > 120


@pytest.mark.parametrize("case", sample(), ids=lambda case: case["name"])
def test_case(case, worker):
    record = worker.run(case, timeout=600)
    if record["outcome"] == "sharp" and case["name"] in SHARP:
        pytest.skip(SHARP[case["name"]])
    assert record["outcome"] == "pass", record["why"]
