"""Which lane of a subgroup holds which elements of a vector.

A lane holds a vector in *pieces*, small vectors of one shape; a piece consists of *runs* of consecutive elements along one
dim. Where a run starts is an affine expression of the lane number (`d0`), so one description serves loads, stores, masks
and index vectors alike. The layouts of matrix-unit operands are those of PTX's `mma.m16n8k16`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from xdsl.ir.affine import AffineExpr

LANE = AffineExpr.dimension(0)


@dataclass(frozen=True)
class Run:
    """Consecutive elements of a piece: their place in it, and the first one's place in the vector."""

    prefix: tuple[int, ...]
    start: tuple[AffineExpr, ...]


class Layout(ABC):
    """How the elements of a vector of `shape` are spread over lanes."""

    shape: tuple[int, ...]

    @property
    @abstractmethod
    def piece(self) -> tuple[int, ...]:
        """Shape of a piece; the last dim is the length of a run."""

    @property
    @abstractmethod
    def count(self) -> int:
        """Pieces a lane holds."""

    @property
    @abstractmethod
    def axis(self) -> int | None:
        """The dim of the vector along which runs go; None when the elements of a run are one element of the vector."""

    @abstractmethod
    def runs(self, index: int) -> Sequence[Run]:
        """The runs of piece `index`, in order."""

    @property
    def partial(self) -> bool:
        """Whether some lanes' elements lie outside of the vector."""
        return False


def _at(constant: int) -> AffineExpr:
    return AffineExpr.constant(constant)


@dataclass(frozen=True)
class LinearLayout(Layout):
    """The last dim in chunks of `lanes * width` elements, `width` consecutive ones a lane; leading dims unrolled."""

    shape: tuple[int, ...]
    lanes: int
    width: int

    @property
    def _chunks(self) -> int:
        return -(-self.shape[-1] // (self.lanes * self.width))

    @property
    def piece(self) -> tuple[int, ...]:
        """One run."""
        return (self.width,)

    @property
    def count(self) -> int:
        """Chunks of all rows."""
        return prod(self.shape[:-1]) * self._chunks

    @property
    def axis(self) -> int | None:
        """The last dim."""
        return len(self.shape) - 1

    @property
    def partial(self) -> bool:
        """Whether the last chunk is larger than what is left."""
        return self.shape[-1] % (self.lanes * self.width) != 0

    def runs(self, index: int) -> Sequence[Run]:
        """One run a piece."""
        row, chunk = divmod(index, self._chunks)
        leading: list[AffineExpr] = []
        for size in reversed(self.shape[:-1]):
            row, position = divmod(row, size)
            leading.insert(0, _at(position))
        start = LANE * self.width + chunk * self.lanes * self.width
        return (Run((), (*leading, start)),)


@dataclass(frozen=True)
class TileLayout(Layout):
    """A matrix whose rows are shorter than the lanes reach: several rows at once, `width` consecutive elements a lane."""

    shape: tuple[int, ...]
    lanes: int
    width: int

    @property
    def _across(self) -> int:
        """Lanes along a row."""
        return self.shape[1] // self.width

    @property
    def _down(self) -> int:
        """Rows at once."""
        return self.lanes // self._across

    @property
    def piece(self) -> tuple[int, ...]:
        """One run."""
        return (self.width,)

    @property
    def count(self) -> int:
        """How often the lanes go over the rows."""
        return -(-self.shape[0] // self._down)

    @property
    def axis(self) -> int | None:
        """Along rows."""
        return 1

    @property
    def partial(self) -> bool:
        """Whether the last rows are fewer than the lanes reach."""
        return self.shape[0] % self._down != 0

    def runs(self, index: int) -> Sequence[Run]:
        """One run a piece."""
        row = (LANE // self._across if self._across > 1 else LANE) + index * self._down
        column = (LANE % self._across) * self.width if self._across > 1 else _at(0)
        return (Run((), (row, column)),)


@dataclass(frozen=True)
class GridLayout(Layout):
    """A matrix over a grid of `rows x columns` lanes; a lane's rows and columns come in chunks of `tall` and `wide`.

    Each four lanes are a square of two rows and two columns, where the grid has such: neighbours that read the same elements
    of a factor are served together, of both factors.
    """

    shape: tuple[int, ...]
    rows: int
    columns: int
    tall: int
    wide: int

    @property
    def piece(self) -> tuple[int, ...]:
        """One run along a row."""
        return (self.wide,)

    @property
    def count(self) -> int:
        """Rows of a lane times its chunks of columns."""
        return self.shape[0] // self.rows * self.across

    @property
    def across(self) -> int:
        """Chunks of columns a lane has."""
        return self.shape[1] // (self.columns * self.wide)

    @property
    def axis(self) -> int | None:
        """Along rows."""
        return 1

    def runs(self, index: int) -> Sequence[Run]:
        """Piece `i * across + b` is chunk b of the lane's row i."""
        row, chunk = divmod(index, self.across)
        block, within = divmod(row, self.tall)
        first = self._lane(0) * self.tall + (block * self.rows * self.tall + within)
        second = self._lane(1) * self.wide + chunk * self.columns * self.wide
        return (Run((), (first, second)),)

    def _lane(self, axis: int) -> AffineExpr:
        """The row or column of the grid that a lane has."""
        if self.rows % 2 or self.columns % 2:
            return LANE // self.columns if axis == 0 else LANE % self.columns
        if axis == 0:
            return (LANE // 2) % 2 + (LANE // (2 * self.columns)) * 2
        return LANE % 2 + ((LANE // 4) % (self.columns // 2)) * 2

    def operand(self, shape: tuple[int, ...], axis: int, dim: int) -> AxisLayout:
        """The layout of a factor whose dim `dim` runs along this matrix's `axis`."""
        lanes, width = (self.rows, self.tall) if axis == 0 else (self.columns, self.wide)
        return AxisLayout(shape, dim, lanes, self._lane(axis), width)


@dataclass(frozen=True)
class AxisLayout(Layout):
    """A row or column spread over one axis of a lane grid: its `lane` of `lanes`, `width` at a time."""

    shape: tuple[int, ...]
    dim: int
    lanes: int
    lane: AffineExpr
    width: int

    @property
    def piece(self) -> tuple[int, ...]:
        """One run."""
        return (self.width,)

    @property
    def count(self) -> int:
        """Chunks."""
        return self.shape[self.dim] // (self.lanes * self.width)

    @property
    def axis(self) -> int | None:
        """The spread dim."""
        return self.dim

    def runs(self, index: int) -> Sequence[Run]:
        """One run a chunk; the other dims have one element."""
        start = [_at(0)] * len(self.shape)
        start[self.dim] = self.lane * self.width + index * self.lanes * self.width
        return (Run((), tuple(start)),)


@dataclass(frozen=True)
class AccumulatorLayout(Layout):
    """A matrix in 16 x 8 tiles as `mma.m16n8k16` accumulates them: two pairs a lane, eight rows apart."""

    shape: tuple[int, ...]

    @property
    def piece(self) -> tuple[int, ...]:
        """Two runs of two."""
        return (2, 2)

    @property
    def count(self) -> int:
        """Tiles."""
        return self.shape[0] // 16 * self.across

    @property
    def across(self) -> int:
        """Tiles along a row."""
        return self.shape[1] // 8

    @property
    def axis(self) -> int | None:
        """Along rows."""
        return 1

    def runs(self, index: int) -> Sequence[Run]:
        """Piece `i * across + j` is tile (i, j)."""
        i, j = divmod(index, self.across)
        column = (LANE % 4) * 2 + j * 8
        return tuple(Run((h,), ((LANE // 4) + (i * 16 + h * 8), column)) for h in range(2))


@dataclass(frozen=True)
class ProjectedLayout(Layout):
    """A vector that is about to be repeated along other dims of `parent`: each lane holds what its part needs.

    Dim d of the vector is dim `dims[d]` of the parent; None where it has one element.
    """

    shape: tuple[int, ...]
    parent: Layout
    dims: tuple[int | None, ...]

    @property
    def piece(self) -> tuple[int, ...]:
        """As the parent's."""
        return self.parent.piece

    @property
    def count(self) -> int:
        """As the parent's."""
        return self.parent.count

    @property
    def axis(self) -> int | None:
        """Where the parent's runs go, if the vector has that dim."""
        return self.dims.index(self.parent.axis) if self.parent.axis in self.dims else None

    @property
    def partial(self) -> bool:
        """As the parent's."""
        return self.parent.partial

    def runs(self, index: int) -> Sequence[Run]:
        """The parent's, seen along the dims of the vector."""
        return tuple(
            Run(run.prefix, tuple(_at(0) if d is None else run.start[d] for d in self.dims))
            for run in self.parent.runs(index)
        )


__all__ = [
    "LANE",
    "AccumulatorLayout",
    "AxisLayout",
    "GridLayout",
    "Layout",
    "LinearLayout",
    "ProjectedLayout",
    "Run",
    "TileLayout",
]
