"""Room for recursive walks over deeply nested IR."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager

_LIMIT = 20_000


@contextmanager
def deep_recursion() -> Generator[None, None, None]:
    """Raise Python's recursion limit to what IR nested as deep as the parser allows can need."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _LIMIT))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
