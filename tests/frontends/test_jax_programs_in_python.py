"""The programs of tests/data/jax written in Python (`programs/`) give what XLA gives for JAX's own text."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import stepwell
from stepwell.arrays import load_arrays
from stepwell.compare import Tolerance, first_difference
from stepwell.frontends.pytree import flatten

DATA = Path(__file__).resolve().parents[1] / "data" / "jax"
CASES = {case["name"]: case for case in map(json.loads, (DATA / "cases.jsonl").read_text().splitlines())}


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / "programs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PROGRAMS: dict[str, Any] = {}
for module in (load("networks"), load("forms")):
    PROGRAMS |= {name: value for name, value in vars(module).items() if name in CASES}


def test_every_program_is_there():
    assert sorted(PROGRAMS) == sorted(CASES)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.every(4)
def test_a_program_gives_what_xla_gives(name: str):
    inputs = load_arrays(DATA / CASES[name]["inputs"])
    results = flatten(stepwell.jit(PROGRAMS[name])(*inputs))[0]
    expected = load_arrays(DATA / CASES[name]["expected"])
    assert len(results) == len(expected)
    for i, (got, want, rule) in enumerate(zip(results, expected, CASES[name]["checks"], strict=True)):
        tolerance = Tolerance() if rule["kind"] == "eq" else Tolerance(rule["rtol"], rule["atol"])
        assert first_difference(got.numpy(), want, tolerance) is None, f"result {i}"
