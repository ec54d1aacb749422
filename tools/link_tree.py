"""Make build/typing/stepwell: links that show the static checkers the package as it is installed.

The rooms are root folders mapped under `stepwell` by pyproject.toml, which checkers do not follow. Run this
once per clone, and again when a folder or a file of src/stepwell is added:

    python tools/link_tree.py && pyright
"""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TREE = ROOT / "build" / "typing"
FACE = "stepwell"


def package_folders() -> dict[str, Path]:
    """Package name -> folder, as pyproject.toml maps them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    mapping: dict[str, str] = project["tool"]["setuptools"]["package-dir"]
    return {name: ROOT / folder for name, folder in mapping.items()}


def make_tree() -> int:
    """Make the tree anew; returns the number of links."""
    shutil.rmtree(TREE, ignore_errors=True)
    face = TREE / FACE
    face.mkdir(parents=True)
    folders = package_folders()
    links = {face / name.removeprefix(f"{FACE}."): folder for name, folder in folders.items() if name != FACE}
    for path in sorted(folders[FACE].iterdir()):
        if path.name != "__pycache__":
            links[face / path.name] = path
    for link, target in links.items():
        link.symlink_to(target)
    return len(links)


if __name__ == "__main__":
    print(f"{TREE.relative_to(ROOT)}: {make_tree()} links")
