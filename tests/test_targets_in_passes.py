"""Passes know machines by their description only: no file of passes/ names one, but the pipelines and the mapping of step 6."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

NAMES = (
    r"gpu|nvgpu|cuda|nvidia|nvptx\w*|ptx|sm_?\d+|avx\w*|sse\d?\w*|x86\w*|amd64|neon|aarch64|amdgpu|amdgcn|rocm|gfx\d\w*"
)
WORD = re.compile(rf"(?<![a-z])(?:{NAMES})(?![a-z])", re.IGNORECASE)
"""A machine's name as a part of an identifier or of a text."""


def may_name_a_machine(path: Path) -> bool:
    inside = path.relative_to(ROOT / "passes")
    return inside.as_posix() == "pipelines.py" or inside.parts[0].startswith("gpu_")


def sources() -> list[Path]:
    return [p for p in sorted((ROOT / "passes").rglob("*.py")) if not may_name_a_machine(p)]


def docstring_lines(tree: ast.Module) -> frozenset[int]:
    """Lines on which a text that is a statement of its own begins."""
    return frozenset(
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    )


def registered(line: str) -> bool:
    """A line of the table of passes that names one of step 6's."""
    return re.fullmatch(r'\s*"gpu-[a-z0-9-]+": \("gpu_\w+", "Gpu\w+Pass"\),\s*', line) is not None


def machines_named(text: str) -> Iterator[tuple[int, str]]:
    """(line, token) of each identifier and text that names a machine; comments and docstrings may."""
    docstrings = docstring_lines(ast.parse(text))
    literals = (tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING))
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in (tokenize.NAME, *literals) or registered(token.line):
            continue
        if token.type in literals and token.start[0] in docstrings:
            continue
        if WORD.search(re.sub("([a-z])([A-Z])", r"\1_\2", token.string)):
            yield token.start[0], token.string


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_no_machine_is_named(path: Path):
    assert list(machines_named(path.read_text())) == []


@pytest.mark.parametrize(
    "text",
    [
        "gpu_schedule = 1",
        "from stepwell.dialects import gpu",
        'if machine.level == "avx512": pass',
        'x = f"runs on {name} of CUDA"',
        "def for_x86_64(): pass",
        "class MapToGpuPass: pass",
        "is_sse42 = 1",
        'names = {"arch": "nvptx64"}',
        "sm_90 = 0",
        'if machine.cpu == "gfx90a": pass',
    ],
)
def test_the_check_sees_a_machine(text: str):
    assert list(machines_named(text))


@pytest.mark.parametrize(
    "text",
    [
        "# as on a GPU",
        '"""How AVX-512 does it."""',
        'def f():\n    """On a GPU."""',
        "assess = processed = classes = 1",
        'messages = "passes, expressed: 12"',
        "max_width = gputs = 1",
    ],
)
def test_the_check_lets_pass(text: str):
    assert list(machines_named(text)) == []
