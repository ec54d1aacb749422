"""Every registered pass and dialect imports, is named right, documented and tested."""

from __future__ import annotations

import re
from dataclasses import fields
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from xdsl.ir import Operation

from stepwell.dialects.registry import DIALECTS, get_dialect, interpreter_rules
from stepwell.ir.passes import Pass
from stepwell.passes.registry import PASSES, get_pass

ROOT = Path(__file__).resolve().parent.parent
OURS = tuple(n for n in DIALECTS if DIALECTS[n][0].startswith("stepwell."))
NEW = tuple(n for n in ("chlo", "gpu", "kernel", "nvgpu", "rt", "sdy", "stablehlo", "structured") if n in DIALECTS)
"""Dialects of our own; the others extend upstream's."""

STRUCTURAL = frozenset({"kernel.func", "sdy.mesh"})
"""Ops without an interpreter rule: what they hold is run, or read, not they themselves."""

SIMULATED = frozenset({"gpu", "nvgpu"})
"""Dialects whose ops mean something to a whole block of threads only: `gpu-sim` runs them, and tests that it does."""


@cache
def docs_tool() -> Any:
    """tools/docs.py as a module."""
    spec = spec_from_file_location("stepwell_docs_tool", ROOT / "tools" / "docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", sorted(PASSES))
def test_pass(name: str):
    cls = get_pass(name)
    module, class_name = PASSES[name]
    assert issubclass(cls, Pass)
    assert cls.name == name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert module.partition(".")[0] == name.replace("-", "_") or (ROOT / "passes" / module.split(".")[0]).is_dir()
    assert class_name.lower() == name.replace("-", "") + "pass"
    assert docs_tool().written_docstring(cls), f"{class_name} has no docstring"
    text = import_module(f"stepwell.passes.{module}").__doc__ or ""
    assert text.startswith(f"{name}: "), f"the docstring of passes/{module}.py starts with '{name}: '"
    assert "Before" in text or "before" in text, f"passes/{module}.py shows an example: Before and After"


@pytest.mark.parametrize("name", sorted(PASSES))
def test_pass_has_a_test(name: str):
    stem = name.replace("-", "_")
    candidates = [
        *(ROOT / "tests" / "passes").glob(f"{name}*.mlir"),
        *(ROOT / "tests" / "passes").glob(f"test_{stem}*.py"),
    ]
    assert candidates, f"tests/passes has neither {name}.mlir nor test_{stem}.py"


@pytest.mark.parametrize("name", sorted(PASSES))
def test_pass_options_are_documented(name: str):
    cls = get_pass(name)
    written = docs_tool().field_docs(cls)
    missing = [f.name for f in fields(cls) if f.name not in written]
    assert not missing, f"{name}: options without a docstring line: {missing}"


def test_the_tables_are_sorted():
    assert list(PASSES) == sorted(PASSES)
    assert list(DIALECTS) == sorted(DIALECTS)


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_dialect(name: str):
    dialect = get_dialect(name)
    assert dialect.name == name
    assert all(op.name.startswith(f"{name}.") for op in dialect.operations)


def own_ops() -> list[type[Operation]]:
    return [op for name in OURS for op in get_dialect(name).operations if op.__module__.startswith("stepwell.")]


@pytest.mark.parametrize("op", own_ops(), ids=lambda op: op.name)
def test_own_op_is_documented(op: type[Operation]):
    assert docs_tool().written_docstring(op), f"{op.name} has no docstring"


@pytest.mark.parametrize("name", NEW)
def test_dialect_has_lit_tests(name: str):
    folder = ROOT / "tests" / "dialects" / name
    tests = [*folder.glob("*.mlir"), *folder.glob("test_*.py"), *folder.parent.glob(f"test_{name}*.py")]
    assert tests, f"{folder} has no tests"


def test_every_op_of_ours_runs_in_the_interpreter():
    from xdsl.traits import IsTerminator

    rules = interpreter_rules()
    missing = [
        op.name
        for op in own_ops()
        if op.name not in rules
        and op.name not in STRUCTURAL
        and op.name.partition(".")[0] not in SIMULATED
        and not any(isinstance(t, IsTerminator) for t in op.get_irdl_definition().traits.traits)  # pyright: ignore
    ]
    assert not missing


def test_generated_docs_are_up_to_date():
    """`python tools/docs.py` writes what the code says."""
    made = docs_tool().pages()
    stale = [
        str(path.relative_to(ROOT)) for path, text in made.items() if not path.exists() or path.read_text() != text
    ]
    assert not stale, f"run python tools/docs.py: {stale}"
