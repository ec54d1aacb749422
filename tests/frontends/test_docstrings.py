"""The examples in docstrings of the Python API: they are run, and give what they say."""

from __future__ import annotations

import doctest
from typing import Any

import pytest

import stepwell
import stepwell.lax
from stepwell import numpy as snp
from stepwell.devices import CpuProperties

PUBLIC: list[Any] = [
    *(getattr(module, name) for module in (snp, stepwell.lax) for name in module.__all__),
    *(getattr(stepwell, name) for name in ("Array", "jit", "schedule", "device_properties")),
    CpuProperties,
]


def examples() -> dict[str, doctest.DocTest]:
    """Those of public functions, and of public classes with their methods, once each."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found: dict[str, doctest.DocTest] = {}
    for value in PUBLIC:
        if callable(value) and value.__module__.startswith("stepwell."):
            for test in finder.find(value, value.__qualname__, globs={}):
                if test.examples:
                    found[f"{value.__module__}.{test.name}"] = test
    return found


EXAMPLES = examples()


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_in_docstrings_give_what_they_say(name: str):
    said: list[str] = []
    failed, tried = doctest.DocTestRunner(verbose=False).run(EXAMPLES[name], out=said.append, clear_globs=False)
    assert tried > 0
    assert failed == 0, "".join(said)


def test_the_examples_are_found():
    names = {name.rsplit(".", 1)[-1] for name in EXAMPLES}
    assert {"matmul", "dot", "einsum", "full", "is_aligned", "lanes"} <= names
