"""Storing one scalar all over a piece of device memory, whatever its width."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepwell.runtime.cuda.driver import checked
from stepwell.runtime.cuda.program import Fill

_WORD = 4
"""Bytes of the widest value that the driver stores by itself."""


def filler(api: Any, fill: Fill) -> Callable[[int, bytes, Any], None]:
    """What fills the rows at an address with a scalar's bytes, in a stream."""
    doing = f"fill {fill.height} rows of {fill.width} scalars of {fill.size} bytes"
    unit = min(fill.size, _WORD)
    line, area = (getattr(api, f"cuMemset{form}{8 * unit}Async") for form in ("D", "D2D"))

    def store(address: int, value: bytes, stream: Any) -> None:
        words = [int.from_bytes(value[i : i + unit], "little") for i in range(0, fill.size, unit)]
        width = fill.width * len(words)
        if words.count(words[0]) < len(words):
            for row in range(fill.height):  # a column for each word, as high as the row is wide
                for i, word in enumerate(words):
                    start = address + row * fill.pitch + i * unit
                    checked(api, area(start, fill.size, word, 1, fill.width, stream), doing)
        elif fill.height == 1:
            checked(api, line(address, words[0], width, stream), doing)
        else:
            checked(api, area(address, fill.pitch, words[0], width, fill.height, stream), doing)

    return store


__all__ = ["filler"]
