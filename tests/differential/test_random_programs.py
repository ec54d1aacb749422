"""Random programs: native code at every level against the interpreter on the program as written.

pytestmark = pytest.mark.every(2)

STEPWELL_RANDOM_PROGRAMS=N tests N programs instead of the quick number, STEPWELL_RANDOM_SEED=S starts elsewhere.
`stepwell fuzz` runs as many as one wants, and cuts down what differs.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

import stepwell
from stepwell.backends.target import host_target
from stepwell.fuzz.generator import generate
from stepwell.fuzz.values import Value, mismatch

COUNT = int(os.environ.get("STEPWELL_RANDOM_PROGRAMS", "60"))
FIRST = int(os.environ.get("STEPWELL_RANDOM_SEED", "0"))
ORDER = ["scalar", "sse4.2", "avx2", "avx512"]
LEVELS = [level for level in ("sse4.2", "avx2", "avx512") if ORDER.index(level) <= ORDER.index(host_target().level)]


def check(program, executable, want) -> None:
    got = executable(*program.inputs)
    differences = [mismatch(g, w, v) for g, w, v in zip(got, want, program.results, strict=True)]
    assert not any(differences), f"{next(filter(None, differences))}\n{program.text()}"


def ways(seed: int) -> list[dict]:
    """Levels take turns: all of them in three programs, -O0 and the verifier between passes among them."""
    level = LEVELS[seed % len(LEVELS)]
    return [
        {"simd": level, "verify_each": seed % 2 == 0},
        {"simd": LEVELS[(seed + 1) % len(LEVELS)], "opt_level": 0 if seed % 3 == 0 else 2},
    ]


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
@pytest.mark.every(6)
def test_native_code_means_what_the_program_says(seed):
    program = generate(seed)
    text = program.text()
    want = stepwell.compile(text, target="interpreter")(*program.inputs)
    for how in ways(seed):
        check(program, stepwell.compile(text, **how), want)


def test_programs_depend_on_the_seed_only():
    first, again = generate(7), generate(7)
    assert first.text() == again.text()
    assert all(
        np.array_equal(a, b, equal_nan=True)
        for a, b in zip(first.inputs, again.inputs, strict=True)
        if a.dtype.kind in "fiub"
    )
    assert first.text() != generate(8).text()


def test_a_wrong_result_is_noticed():
    exact = Value("%x", (2,), "f32")
    near = Value("%x", (2,), "f32", bound=4.0, error=1e-3)
    want = np.array([1, -0.0], np.float32)
    assert mismatch(want.copy(), want, exact) is None
    assert mismatch(np.array([1, 0], np.float32), want, exact) is not None
    assert mismatch(np.nextafter(want, np.float32(9)), want, exact) is not None
    assert mismatch(want + np.float32(5e-4), want, near) is None
    assert mismatch(want + np.float32(2e-3), want, near) is not None
    assert mismatch(np.array([1, np.nan], np.float32), want, near) is not None
