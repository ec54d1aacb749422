"""The user's place in the source: the innermost Python frame that is not Stepwell's or NumPy's."""

from __future__ import annotations

import sys
from itertools import islice
from types import CodeType, FrameType

from xdsl.dialects.builtin import FileLineColLoc, IntAttr, LocationAttr, StringAttr, UnknownLoc

from stepwell.ir.diagnostics import SourceLocation, register_running_code

_INTERNAL = ("stepwell.", "numpy.", "functools", "contextlib", "stepwell", "numpy")
_LIMIT = 8192
_places: dict[tuple[CodeType, int], FileLineColLoc] = {}


def _is_internal(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__", "")
    return name.startswith(("stepwell.", "numpy.")) or name in _INTERNAL


def caller_location() -> LocationAttr:
    """File, line and column of the user's expression that is running."""
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and _is_internal(frame):
        frame = frame.f_back
    if frame is None:
        return UnknownLoc()
    key = (frame.f_code, frame.f_lasti)
    found = _places.get(key)
    if found is None:
        if len(_places) >= _LIMIT:
            _places.clear()
        line, column = frame.f_lineno or 1, _column(frame.f_code, frame.f_lasti)
        found = FileLineColLoc(StringAttr(frame.f_code.co_filename), IntAttr(line), IntAttr(column))
        _places[key] = found
        register_running_code(frame.f_code.co_filename)
    return found


def _column(code: CodeType, instruction: int) -> int:
    position = next(islice(code.co_positions(), instruction // 2, None), None)
    column = position[2] if position is not None else None
    return 1 if column is None else column + 1


def caller_source() -> SourceLocation | None:
    """The same as a diagnostic's location."""
    place = caller_location()
    if not isinstance(place, FileLineColLoc):
        return None
    return SourceLocation(place.filename.data, place.line.data, place.column.data)
