"""Building ops that keep their source location.

xDSL's builder leaves new ops at `loc(unknown)`; `LocatedBuilder` stamps each inserted op (and its nested ops) with the
location of the op being lowered.
"""

from __future__ import annotations

from typing import TypeVar

from xdsl.builder import Builder
from xdsl.dialects.builtin import LocationAttr, UnknownLoc
from xdsl.ir import Operation
from xdsl.rewriter import InsertPoint

OpT = TypeVar("OpT", bound=Operation)


class LocatedBuilder:
    """Inserts ops at a point and gives each the current `location`."""

    def __init__(self, point: InsertPoint, location: LocationAttr | None = None):
        self._builder = Builder(point)
        self.location: LocationAttr = location if location is not None else UnknownLoc()

    @property
    def insertion_point(self) -> InsertPoint:
        """Where the next op goes."""
        return self._builder.insertion_point

    @insertion_point.setter
    def insertion_point(self, point: InsertPoint) -> None:
        self._builder.insertion_point = point

    def insert(self, op: OpT) -> OpT:
        """Insert `op` and stamp it with the current location unless it already has one."""
        if isinstance(op.location, UnknownLoc):
            op.location = self.location
        return self._builder.insert(op)
