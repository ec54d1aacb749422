"""The benchmark workloads written in Python (`programs/workloads.py`) give what NumPy gives."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import stepwell
from stepwell.compare import first_difference
from stepwell.frontends.pytree import flatten

HERE = Path(__file__).resolve().parent


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("workloads", HERE / "programs" / "workloads.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


WORKLOADS = load().WORKLOADS


def family(name: str) -> str:
    return re.sub(r"_\d+x\d+x\d+$|_$", "", name)


def test_every_benchmark_workload_is_there():
    tree = ast.parse((HERE.parents[1] / "benchmarks" / "workloads.py").read_text())
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "add"]
    first = [c.args[0].values[0] if isinstance(c.args[0], ast.JoinedStr) else c.args[0] for c in calls]
    names = {family(c.value) for c in first if isinstance(c, ast.Constant)}
    assert names == {family(name) for name in WORKLOADS}


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_gives_what_numpy_gives(name: str):
    ours, numpys, arguments = WORKLOADS[name]
    results = flatten(stepwell.jit(ours)(*arguments))[0]
    exact = flatten(numpys(*[a.astype(np.float64) if a.dtype == np.float32 else a for a in arguments]))[0]
    assert len(results) == len(exact)
    for i, (got, want) in enumerate(zip(results, exact, strict=True)):
        assert first_difference(got.numpy(), np.asarray(want, np.float32)) is None, f"result {i}"
