"""Every JAX program of tests/data/jax, natively at every instruction set and through the interpreter at every step."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import stepwell
from stepwell.arrays import load_arrays
from stepwell.backends.target import host_target
from stepwell.compare import Tolerance, first_difference
from stepwell.compiler import STEP_NAMES

DATA = Path(__file__).parent / "data" / "jax"
CASES = [json.loads(line) for line in (DATA / "cases.jsonl").read_text().splitlines()]
NAMES = [case["name"] for case in CASES]
LEVELS = ["avx512", "avx2", "sse4.2"]


def check(case: dict, results: tuple[np.ndarray, ...]) -> None:
    expected = load_arrays(DATA / case["expected"])
    assert len(results) == len(expected)
    for i, (got, want, rule) in enumerate(zip(results, expected, case["checks"], strict=True)):
        tolerance = Tolerance() if rule["kind"] == "eq" else Tolerance(rule["rtol"], rule["atol"])
        difference = first_difference(got, want, tolerance)
        assert difference is None, f"{case['name']}: result {i}: {difference}"


def check_arena(exe: stepwell.Executable) -> None:
    """Temporaries take at most a tenth more than those that are needed at once."""
    memory = exe.signature
    assert memory.lower_bound_bytes <= memory.arena_bytes <= 1.1 * memory.lower_bound_bytes


def supported(level: str) -> bool:
    order = ["scalar", "sse4.2", "avx2", "avx512"]
    return order.index(level) <= order.index(host_target().level)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("case", CASES, ids=NAMES)
@pytest.mark.every(4)
def test_native_code_matches_xla_in_memory_near_the_least(case, level):
    if not supported(level):
        pytest.skip(f"this machine has no {level}")
    exe = stepwell.compile(DATA / case["mlir"], simd=level, verify_each=level == "avx2")
    check_arena(exe)
    check(case, exe(*load_arrays(DATA / case["inputs"])))


@pytest.mark.parametrize("case", CASES, ids=NAMES)
@pytest.mark.every(4)
def test_straight_lowering_matches_xla(case):
    exe = stepwell.compile(DATA / case["mlir"], opt_level=0)
    check(case, exe(*load_arrays(DATA / case["inputs"])))


@pytest.mark.parametrize("step", STEP_NAMES)
@pytest.mark.parametrize("case", CASES, ids=NAMES)
@pytest.mark.every(8)
def test_every_step_means_the_same(case, step):
    exe = stepwell.compile(DATA / case["mlir"], target="interpreter", step=step)
    check(case, exe(*load_arrays(DATA / case["inputs"])))
