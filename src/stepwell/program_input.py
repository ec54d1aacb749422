"""The text of a program before anything looks at it, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_BYTES = 256 << 20
"""What is larger is refused when it is parsed."""

_MOST_PATH = 4096


@dataclass(frozen=True)
class NamedText:
    """The bytes of a program, and what diagnostics call it."""

    data: bytes
    name: str
    text: str | None = None
    """Where it was given as text."""


def looks_like_path(program: str) -> bool:
    """Whether a text is the path of a program instead of one."""
    return len(program) <= _MOST_PATH and not set(program) & set("\n({") and bool(program.strip())


def named_text(program: Any) -> NamedText | None:
    """The text of a program that is given as one, as a path, or as an object with `.as_text()`.

    None where there is none, or it cannot be had or is too large: whoever parses the program says why.
    """
    if isinstance(program, NamedText):
        found = program
    elif isinstance(program, bytes | bytearray):
        found = NamedText(bytes(program), "<bytes>")
    elif isinstance(program, Path) or (isinstance(program, str) and looks_like_path(program)):
        found = _read(program)
    elif isinstance(program, str):
        found = _encoded(program, "<string>")
    elif hasattr(program, "as_text"):
        found = _encoded(str(program.as_text()), "<as_text>")
    elif hasattr(program, "mlir_module"):
        found = _encoded(str(program.mlir_module()), "<mlir_module>")
    else:
        found = None
    return found if found is not None and len(found.data) <= MOST_BYTES else None


def _read(path: str | Path) -> NamedText | None:
    try:
        with open(path, "rb") as stream:
            return NamedText(stream.read(MOST_BYTES + 1), str(path))
    except (OSError, ValueError):
        return None


def _encoded(text: str, name: str) -> NamedText | None:
    try:
        return NamedText(text.encode(), name, text)
    except UnicodeEncodeError:
        return None


__all__ = ["MOST_BYTES", "NamedText", "looks_like_path", "named_text"]
