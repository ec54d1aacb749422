"""What the wheel contains, and what importing costs."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS: dict[str, str] = PROJECT["tool"]["setuptools"]["package-dir"]


def test_every_package_folder_is_listed():
    """setuptools takes only what is listed: a new subfolder must be added."""
    found: set[str] = set()
    for name, folder in FOLDERS.items():
        base = ROOT / folder
        for init in base.rglob("__init__.py"):
            parts = init.parent.relative_to(base).parts
            found.add(".".join([name, *parts]))
    assert found == set(PROJECT["tool"]["setuptools"]["packages"])


def test_every_folder_with_modules_is_a_package():
    for folder in FOLDERS.values():
        for module in (ROOT / folder).rglob("*.py"):
            assert (module.parent / "__init__.py").exists(), f"{module.parent} lacks __init__.py"


def test_package_data_exists():
    for package, patterns in PROJECT["tool"]["setuptools"]["package-data"].items():
        for pattern in patterns:
            assert list((ROOT / FOLDERS[package]).glob(pattern)), f"{package}: nothing matches {pattern}"


def imported_by(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize(
    "statement",
    ["import stepwell", "import stepwell; dir(stepwell); stepwell.UnsupportedError", "import stepwell.ir.errors"],
)
def test_importing_stepwell_pays_for_no_compiler(statement: str):
    loaded = imported_by(statement)
    assert "stepwell" in loaded
    assert loaded.isdisjoint({"xdsl", "llvmlite", "jax", "torch", "onnx", "cuda"})


def test_unknown_attributes_are_refused():
    import stepwell

    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = stepwell.nonsense


def test_console_scripts_exist():
    for target in PROJECT["project"]["scripts"].values():
        module, _, function = target.partition(":")
        code = f"import {module}; assert callable({module}.{function})"
        subprocess.run([sys.executable, "-c", code], check=True, cwd="/")
