"""The caches of this machine, as Linux describes those of its first processor under `/sys`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SYSFS = Path("/sys/devices/system/cpu/cpu0/cache")
"""Where Linux describes the caches that a processor reads through, a folder each."""

_UNITS = {"K": 10, "M": 20, "G": 30}


@dataclass(frozen=True)
class Caches:
    """Bytes of each level of data cache (0: there is none), and of the lines they move; the defaults hold where nothing is said."""

    l1_bytes: int = 32 << 10
    l2_bytes: int = 1 << 20
    l3_bytes: int = 8 << 20
    line_bytes: int = 64


def read_caches(folder: Path = SYSFS) -> Caches:
    """The caches that a folder describes, each entry by default where it is missing or makes no sense.

    A machine that describes its first two levels and no third has no third.
    """
    sizes: dict[int, int] = {}
    lines: dict[int, int] = {}
    for index in sorted(folder.glob("index*")):
        level = _number(_text(index / "level"))
        if level is None or _text(index / "type") == "Instruction":
            continue
        size, line = _number(_text(index / "size")), _number(_text(index / "coherency_line_size"))
        if size is not None:
            sizes.setdefault(level, size)
        if line is not None and 16 <= line <= 4096 and line & (line - 1) == 0:
            lines.setdefault(level, line)
    known = Caches()
    return Caches(
        sizes.get(1, known.l1_bytes),
        sizes.get(2, known.l2_bytes),
        sizes.get(3, 0 if {1, 2} <= set(sizes) else known.l3_bytes),
        lines.get(1, known.line_bytes),
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _number(text: str) -> int | None:
    """A positive number, of kilobytes and so on with a unit behind it."""
    shift = _UNITS.get(text[-1:].upper(), 0)
    digits = text[:-1] if shift else text
    # A size that no cache has is a mistake of who wrote it, whatever its digits.
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 9) or int(digits) == 0:
        return None
    return int(digits) << shift


__all__ = ["SYSFS", "Caches", "read_caches"]
