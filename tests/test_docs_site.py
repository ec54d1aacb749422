"""The site of `docs/`: every page has a place in it, every name of the API page exists, and it is built without a warning."""

from __future__ import annotations

import fnmatch
import importlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"


def places() -> list[str]:
    """What the trees of the index list, as patterns of pages."""
    trees = re.findall(r"```\{toctree\}\n(.*?)```", (DOCS / "index.md").read_text(), re.DOTALL)
    return [line.strip() for tree in trees for line in tree.splitlines() if line.strip() and not line.startswith(":")]


def test_every_page_has_a_place_and_every_place_a_page():
    pages = [p.relative_to(DOCS).with_suffix("").as_posix() for p in sorted(DOCS.rglob("*.md")) if p.name != "index.md"]
    for page in pages:
        assert sum(fnmatch.fnmatch(page, place) for place in places()) == 1, page
    for place in places():
        assert any(fnmatch.fnmatch(page, place) for page in pages), place


def test_names_of_the_api_page_exist():
    names = re.findall(r"^\.\. auto\w+:: (\S+)", (DOCS / "api.md").read_text(), re.MULTILINE)
    assert len(names) > 10
    for name in names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            module, _, attribute = name.rpartition(".")
            assert getattr(importlib.import_module(module), attribute).__doc__, name


@pytest.mark.skipif(importlib.util.find_spec("sphinx") is None, reason="Sphinx is not installed (the extra docs)")
def test_the_site_is_built_without_a_warning(tmp_path):
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-b",
        "html",
        str(DOCS),
        str(tmp_path / "site"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "index.html").exists()
