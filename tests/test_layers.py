"""Imports point down only; llvmlite and ctypes stay where they belong; no relative imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

ALLOWED: dict[str, frozenset[str]] = {
    "ir": frozenset({"ir"}),
    "dialects": frozenset({"dialects", "ir"}),
    "passes": frozenset({"passes", "dialects", "ir"}),
    "frontends": frozenset({"frontends", "dialects", "ir"}),
    "backends": frozenset({"backends", "dialects", "ir"}),
    "runtime": frozenset({"runtime", "ir"}),
}
"""Room -> the rooms it may import; src/stepwell may import all."""

ONLY_IN: dict[str, frozenset[str]] = {
    "llvmlite": frozenset({"backends", "runtime"}),
    "ctypes": frozenset({"runtime"}),
    "cuda": frozenset({"runtime"}),
}
"""Package -> the rooms that may import it, anywhere in a file."""

OPTIONAL = frozenset({"jax", "torch", "onnx", "cuda"})
"""Imported inside functions only."""


def sources() -> list[Path]:
    folders = [*ALLOWED, "src/stepwell"]
    return sorted(p for folder in folders for p in (ROOT / folder).rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


def imports(tree: ast.Module) -> Iterator[tuple[str, bool, int]]:
    """(module, at top level, relative level) of every import."""
    top = frozenset(id(node) for node in tree.body)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in top, 0
        elif isinstance(node, ast.ImportFrom):
            names = (
                [f"{node.module}.{a.name}" for a in node.names] if node.module == "stepwell" else [node.module or ""]
            )
            for name in names:
                yield name, id(node) in top, node.level


def violations(path: Path, text: str) -> list[str]:
    here = room(path)
    found: list[str] = []
    for module, top_level, level in imports(ast.parse(text)):
        parts = module.split(".")
        if level:
            found.append(f"relative import of {module}")
        if parts[0] == "stepwell" and here in ALLOWED and (len(parts) == 1 or parts[1] not in ALLOWED[here]):
            found.append(f"{here} imports {module}")
        if parts[0] in ONLY_IN and here not in ONLY_IN[parts[0]]:
            found.append(f"{here} imports {module}")
        if parts[0] in OPTIONAL and top_level:
            found.append(f"{module} is optional: import it where it is used")
        if parts[0] in ALLOWED:
            found.append(f"import stepwell.{module}, not {module}")
    return found


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path: Path):
    assert violations(path, path.read_text()) == []


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("ir/x.py", "from stepwell.dialects import registry"),
        ("dialects/x.py", "import stepwell.passes.cse"),
        ("runtime/x.py", "def f():\n    from stepwell.backends import target"),
        ("passes/x.py", "import llvmlite.binding"),
        ("backends/x.py", "import ctypes"),
        ("passes/x.py", "from . import cse"),
        ("frontends/x.py", "import jax"),
        ("ir/x.py", "import stepwell"),
        ("ir/x.py", "from stepwell import compile"),
        ("passes/x.py", "import ir.effects"),
    ],
)
def test_the_check_sees_violations(file: str, text: str):
    assert len(violations(ROOT / file, text)) == 1
