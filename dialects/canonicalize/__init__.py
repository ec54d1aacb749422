"""Folders and canonicalization patterns, one module a dialect, each with `FOLDERS` and `PATTERNS` by op name."""

from __future__ import annotations

from importlib import import_module

from stepwell.ir.rewriting import Folder, Pattern

TABLES: tuple[str, ...] = ("arith", "math", "scf", "stablehlo", "stablehlo_dynamic", "tensor")
"""Modules of this package with tables; keep sorted."""


def all_folders() -> dict[str, Folder]:
    """Every folder, by op name."""
    found: dict[str, Folder] = {}
    for table in TABLES:
        found.update(import_module(f"stepwell.dialects.canonicalize.{table}").FOLDERS)
    return found


def all_patterns() -> dict[str, tuple[Pattern, ...]]:
    """Every pattern, by op name."""
    found: dict[str, tuple[Pattern, ...]] = {}
    for table in TABLES:
        found.update(import_module(f"stepwell.dialects.canonicalize.{table}").PATTERNS)
    return found
