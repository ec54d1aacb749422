"""Random programs: native code at every level against the interpreter on the program as written.

STEPWELL_RANDOM_PROGRAMS=N tests N programs instead of the quick number, STEPWELL_RANDOM_SEED=S starts elsewhere.
`random_programs.py SEED` (beside this file) prints a program and finds its first wrong value.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
import pytest

import stepwell
from stepwell.backends.target import host_target


def load(name: str):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


random_programs = load("random_programs")
COUNT = int(os.environ.get("STEPWELL_RANDOM_PROGRAMS", "60"))
FIRST = int(os.environ.get("STEPWELL_RANDOM_SEED", "0"))
ORDER = ["scalar", "sse4.2", "avx2", "avx512"]
LEVELS = [level for level in ("sse4.2", "avx2", "avx512") if ORDER.index(level) <= ORDER.index(host_target().level)]


def check(program, executable, want) -> None:
    got = executable(*program.inputs)
    differences = [random_programs.mismatch(g, w, v) for g, w, v in zip(got, want, program.results, strict=True)]
    assert not any(differences), f"{next(filter(None, differences))}\n{program.text()}"


def ways(seed: int) -> list[dict]:
    """Levels take turns: all of them in three programs, -O0 and the verifier between passes among them."""
    level = LEVELS[seed % len(LEVELS)]
    return [
        {"simd": level, "verify_each": seed % 2 == 0},
        {"simd": LEVELS[(seed + 1) % len(LEVELS)], "opt_level": 0 if seed % 3 == 0 else 2},
    ]


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_native_code_means_what_the_program_says(seed):
    program = random_programs.generate(seed)
    text = program.text()
    want = stepwell.compile(text, target="interpreter")(*program.inputs)
    for how in ways(seed):
        check(program, stepwell.compile(text, **how), want)


def test_programs_depend_on_the_seed_only():
    first, again = random_programs.generate(7), random_programs.generate(7)
    assert first.text() == again.text()
    assert all(
        np.array_equal(a, b, equal_nan=True)
        for a, b in zip(first.inputs, again.inputs, strict=True)
        if a.dtype.kind in "fiub"
    )
    assert first.text() != random_programs.generate(8).text()


def test_a_wrong_result_is_noticed():
    exact = random_programs.Value("%x", (2,), "f32")
    near = random_programs.Value("%x", (2,), "f32", bound=4.0, error=1e-3)
    want = np.array([1, -0.0], np.float32)
    assert random_programs.mismatch(want.copy(), want, exact) is None
    assert random_programs.mismatch(np.array([1, 0], np.float32), want, exact) is not None
    assert random_programs.mismatch(np.nextafter(want, np.float32(9)), want, exact) is not None
    assert random_programs.mismatch(want + np.float32(5e-4), want, near) is None
    assert random_programs.mismatch(want + np.float32(2e-3), want, near) is not None
    assert random_programs.mismatch(np.array([1, np.nan], np.float32), want, near) is not None
