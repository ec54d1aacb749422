"""What may come out of a seed.

"ok"; "refused" (a diagnostic that says what is missing, or why not); "wrong" (a result differs); "error" (any other exception).
Whoever runs seeds in a process adds "crash", "timeout" and "memory".
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from pathlib import Path

from stepwell.fuzz.values import Array
from stepwell.ir.diagnostics import DiagnosticError


@dataclass
class Outcome:
    """How a seed came out; `text` and `inputs` reproduce what is not "ok"."""

    seed: int
    kind: str
    detail: str = ""
    text: str = ""
    inputs: list[Array] = field(default_factory=list[Array])
    schedules: dict[str, str] = field(default_factory=dict[str, str])
    """Of kernels by hash, where they were asked for."""


def headline(error: BaseException) -> str:
    """The exception's name and the first line of what it says."""
    lines = [line for line in str(error).splitlines() if line.strip()] or [""]
    return f"{type(error).__name__}: {lines[0][:300]}"


def place(error: BaseException) -> str:
    """The file and line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"


def unlocated(error: BaseException) -> bool:
    """Whether it is a diagnostic that says no place."""
    return isinstance(error, DiagnosticError) and error.diagnostic.location is None


__all__ = ["Outcome", "headline", "place", "unlocated"]
