"""Small JAX programs of many kinds (tests/data/jax_corpus), natively: control flow, narrow types, modes of indexing, windows, complex numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import stepwell
from stepwell.compare import Tolerance, first_difference

DATA = Path(__file__).parent / "data" / "jax_corpus"
NAMES = sorted(p.stem for p in DATA.glob("*.mlir"))
CLOSE = {name: Tolerance(3e-5, 1e-5) for name in ("float32", "complex64")}
"""Tighter than the table: both sides compute in the same precision."""


def typed(array: Any, name: str) -> Any:
    """An array as its key says; types that NumPy lacks are stored as unsigned integers."""
    return array if array.dtype.name == name else array.view(getattr(ml_dtypes, name))


@pytest.fixture(scope="module")
def arrays():
    with np.load(DATA / "arrays.npz") as file:
        return {key.rpartition("@")[0]: typed(value, key.rpartition("@")[2]) for key, value in file.items()}


def of(arrays, prefix: str) -> list[Any]:
    return [arrays[f"{prefix}/{i}"] for i in range(sum(key.startswith(f"{prefix}/") for key in arrays))]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.every(4)
def test_a_program_gives_natively_what_it_gives_in_jax(name, arrays):
    results = stepwell.compile(DATA / f"{name}.mlir")(*of(arrays, f"{name}/in"))
    expected = of(arrays, f"{name}/out")
    assert len(results) == len(expected) > 0
    for i, (got, want) in enumerate(zip(results, expected, strict=True)):
        difference = first_difference(np.asarray(got), want, CLOSE.get(want.dtype.name))
        assert difference is None, f"{name}: result {i}: {difference}"


def test_the_corpus_is_there(arrays):
    assert len(NAMES) == len({key.partition("/")[0] for key in arrays}) > 40
