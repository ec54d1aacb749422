"""Rows that are gathered from: the next one is fetched, line after line, while elements of one are gathered.

```
for i: for j: y[i, j] = x[i, index[i, j]]        fetches x[i + 1, j...] with each vector of j
```
Gathers find the lines of a row in no order that hardware could foresee, so each first one is waited for; the row itself can be
foreseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import TensorType, VectorType
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import kernel
from stepwell.ir.dtypes import byte_width
from stepwell.passes.schedules.emit import Emitter, Index

LONGEST = 16 << 10
"""Bytes of a row that is fetched while the one before is worked on: both have to stay in the L1 cache or near it."""
LINE = 64
"""Bytes that are fetched for one element, at least: rows of which fewer elements are gathered than they have such lines are not."""


@dataclass(frozen=True)
class RowLoops:
    """The two innermost loops: `dim` goes from row to row, and then `points` are done along the vector dim."""

    dim: int
    points: int


def row_loops(sizes: Sequence[int], outer: Sequence[int], vector: int | None) -> RowLoops | None:
    """The loops of a space whose vector dim is the innermost one, where there is one around it."""
    around = [d for d in outer[:-1] if sizes[d] > 1]
    if vector is None or not around or outer[-1] != vector:
        return None
    return RowLoops(around[-1], sizes[vector])


def fetch_next_row(
    em: Emitter, loops: RowLoops, base: SSAValue, position: Sequence[SSAValue], moved: int, at: Index, width: int
) -> None:
    """Fetch a vector's share of the row behind the one at `position`, whose index `moved` is that of the outer loop.

    `at` is the vector's first point. Nothing is fetched where the row is too long to keep, or few of it is gathered.
    """
    assert isinstance(base.type, TensorType)
    length, size = base.type.get_shape()[-1], byte_width(base.type.element_type)
    if length * size > LONGEST or loops.points * LINE < length * size:
        return
    share = max(1, -(-length * width // loops.points))
    d = AffineExpr.dimension(0)
    start = em.apply(d if length == loops.points else (d * length) // loops.points, [at])
    indices: list[Index] = [*position[:-1], start]
    indices[moved] = em.apply(d + 1, [position[moved]])
    em.add(kernel.PrefetchOp(base, em.indices(indices), VectorType(base.type.element_type, [share])))


__all__ = ["RowLoops", "fetch_next_row", "row_loops"]
