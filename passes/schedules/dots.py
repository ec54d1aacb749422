"""The `dots` strategy: sums of products along lines of both factors, lanes being terms of the sums.

Where the terms lie one after the other in both factors (`x W^T`, rows of weights as they are stored) and few rows share the lines
of B, tiles with columns as lanes would have to turn B first, which takes longer than its products. Here a few lines of B are
read at once, each vector of them multiplied with those of a few rows of A, and every result has lanes of its own, which are
added up in the end:

```
for outer dims, for columns, so many at once:      lines of B
  for rows, so many at once:                       lines of A, in a cache
    for terms, a vector at once:  sums[i][j] += A[i, k..] * B[j, k..]
    C[i, j] = init + the lanes of sums[i][j]
```
B is read once where a tile has all rows there are. Maps of the results are loops of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import IntegerType, VectorType
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineExpr

from stepwell.ir.dtypes import byte_width
from stepwell.ir.machine import MachineDescription, machine_of
from stepwell.passes.schedules.contraction_analysis import Contraction, find_contraction
from stepwell.passes.schedules.contraction_choice import TASK
from stepwell.passes.schedules.contraction_words import terms_at_once
from stepwell.passes.schedules.emit import Emitter, Index, number
from stepwell.passes.schedules.kernel_builder import KernelBuilder, Slice
from stepwell.passes.schedules.lanes import (
    Lanes,
    Point,
    broadcast,
    is_vector,
    lanes_along,
    read,
    shuffled,
    vector_of,
    write,
)
from stepwell.passes.schedules.loops import schedule_around
from stepwell.passes.schedules.nest import Access, is_contiguous, uses_dim
from stepwell.passes.schedules.parameters import too_many_sums
from stepwell.passes.schedules.plan import BYTE, WIDE_BYTES, Machine, tasks_for
from stepwell.passes.schedules.space import tiled_loop
from stepwell.passes.schedules.tasks import Cut, cut_dim, part_of

MOST_ROWS = 12
"""Rows up to which turning B takes longer than what lines of many rows cost besides."""
SHORT = 8
"""Vectors of terms below which adding up lanes takes longer than turning B; half as many where columns do not fill a vector."""
MOST_LINES = 8
"""Lines of B that are read at once: hardware foresees so many."""
PRODUCTS_PER_LANE = 3.0
"""Products that a lane adds up in a nanosecond."""

Tiles = Callable[[Contraction], "DotTile | str"]


@dataclass(frozen=True)
class DotTile:
    """The numbers of a schedule of dot products."""

    rows: int
    """Lines of A at once."""
    columns: int
    """Lines of B at once."""

    def numbers(self) -> dict[str, int]:
        """As parameters of a schedule."""
        return {"grain": TASK, "rows": self.rows, "columns": self.columns}


def dot_obstacle(found: Contraction, machine: MachineDescription) -> str | None:
    """Why the sums of a contraction cannot be taken along lines of both factors."""
    if machine.vector_bytes == 0:
        return "scalar code"
    if 0 in found.sizes:
        return "an empty space"
    if not all(is_contiguous(found.maps[i].results, found.reduced[-1]) for i in (0, 1)):
        return "terms do not lie one after the other in both factors"
    return None


def choose_dots(found: Contraction, machine: MachineDescription) -> DotTile | str:
    """The tile for a machine, or why other loops do better."""
    problem = dot_obstacle(found, machine)
    if problem is not None:
        return problem
    if not 2 <= found.rows <= MOST_ROWS:
        return "one row, or so many that B is better turned"
    if terms_at_once(found, machine) > 1:
        return "terms are better taken a word at a time"
    lanes = _lanes_of(found, machine)
    if found.sizes[found.reduced[-1]] < (SHORT if found.sizes[found.n] >= lanes else SHORT // 2) * lanes:
        return "short sums"
    tile = _tile(found, machine)
    if max(_pieces(found, tile).values()) < machine.cores:
        return "too few results for all cores"
    return tile


def dot_tile_of(found: Contraction, numbers: Mapping[str, int], machine: MachineDescription) -> DotTile | str:
    """The tile that a schedule's numbers describe, chosen where they do not say."""
    problem = dot_obstacle(found, machine)
    if problem is not None:
        return problem
    chosen = _tile(found, machine)
    # The lanes of no more lines than a vector has are added up together.
    columns = min(numbers.get("columns", chosen.columns), found.sizes[found.n], _lanes_of(found, machine))
    rows = min(numbers.get("rows", chosen.rows), found.rows)
    return too_many_sums(rows, columns, 1) or DotTile(rows, columns)


def _lanes_of(found: Contraction, machine: MachineDescription) -> int:
    return max(1, machine.vector_bytes // byte_width(found.accumulator))


def _tile(found: Contraction, machine: MachineDescription) -> DotTile:
    """All rows, if registers hold their sums with two lines of B at least; of B as many lines as they have room for."""
    registers = machine.registers
    most = 12 if machine.vector_bytes >= WIDE_BYTES else (registers - 4) // 3
    rows = -(-found.rows // -(-found.rows // most))
    columns = MOST_LINES
    while columns > 1 and rows * columns + min(rows, columns) + 1 > registers:
        columns -= 1
    return DotTile(rows, min(columns, found.sizes[found.n], _lanes_of(found, machine)))


def _pieces(found: Contraction, tile: DotTile) -> dict[int, int]:
    """Pieces that the dims which tasks share out could be cut into."""
    return {**{d: found.sizes[d] for d in found.outer}, found.n: -(-found.sizes[found.n] // tile.columns)}


def schedule_dots(builder: KernelBuilder, machine: Machine, tiles: Tiles) -> None:
    """Contractions of the kernel as dot products; the rest as loops."""

    def whole(op: Operation) -> Sequence[Operation] | None:
        found = find_contraction(op)
        tile = tiles(found) if isinstance(found, Contraction) else ""
        if not isinstance(found, Contraction) or not isinstance(tile, DotTile):
            return None
        nest = builder.nest(op)
        a, b = nest.inputs[found.a], nest.inputs[found.b]
        if not isinstance(a, Access) or not isinstance(b, Access):
            return None
        _DotPhase(builder, found, tile, machine, (a, b), nest.outputs[0].init).emit()
        return []

    schedule_around(builder, machine, whole)


class _DotPhase:
    """Emits the phase of one contraction."""

    def __init__(
        self,
        builder: KernelBuilder,
        found: Contraction,
        tile: DotTile,
        machine: Machine,
        factors: tuple[Access, Access],
        init: SSAValue | Access | None,
    ):
        self.builder = builder
        self.found = found
        self.tile = tile
        self.machine = machine
        self.em: Emitter = builder.em
        self.a, self.b = factors
        self.init = init
        self.kind = found.accumulator
        description = machine_of(builder.func)
        self.integer = isinstance(self.kind, IntegerType)
        self.fused = description.has_fma and not self.integer
        self.lanes = max(1, machine.vector_bytes // byte_width(self.kind))
        self.exprs = found.maps[2].results
        self.starts: dict[int, Index] = {}
        self.extents: dict[int, Index] = {}

    def emit(self) -> None:
        """Emit the phase."""
        builder, found = self.builder, self.found
        self.em.location = found.op.location
        (result,) = found.op.results
        home = builder.destination(found.op, result)
        self.in_place = isinstance(self.init, Access) and self.init.value is home
        cuts = self._cuts()
        made = builder.phase([c.tasks for c in cuts] or [1], [home], lambda ivs, outs: self._task(cuts, ivs, outs[0]))
        builder.define(result, made[0], builder.home(home))

    def _cuts(self) -> list[Cut]:
        """The dim cut over tasks: the first that is long enough, else the longest."""
        found = self.found
        moved = sum(
            prod(found.sizes[d] for d in range(len(found.sizes)) if uses_dim(m.results, d)) * byte_width(access.element)
            for m, access in zip(found.maps, (self.a, self.b), strict=False)
        )
        wanted = tasks_for(max(prod(found.sizes) / (PRODUCTS_PER_LANE * self.lanes), moved * BYTE), self.machine)
        if wanted < 2:
            return []
        pieces = _pieces(found, self.tile)
        dim = next((d for d in pieces if pieces[d] >= wanted), max(pieces, key=lambda d: pieces[d]))
        unit = self.tile.columns if dim == found.n else 1
        cut = cut_dim(dim, found.sizes[dim], -(-pieces[dim] // min(wanted, pieces[dim])) * unit)
        return [cut] if cut.tasks > 1 else []

    def _task(self, cuts: Sequence[Cut], ivs: Sequence[Index], out: SSAValue) -> Sequence[Slice]:
        found, em = self.found, self.em
        self.starts, self.extents = {}, dict(enumerate(found.sizes))
        for cut, iv in zip(cuts, ivs, strict=False):
            part = part_of(em, cut, found.sizes[cut.dim], iv)
            self.starts[cut.dim], self.extents[cut.dim] = part.start, part.extent
        order = [e.position for e in self.exprs if isinstance(e, AffineDimExpr)]
        offsets: list[Index] = [self.starts.get(d, 0) for d in order]
        sizes: list[Index] = [self.extents[d] for d in order]
        part_out = self.builder.slice_of(out, offsets, sizes)
        made = self._over(found.outer, [0] * len(found.sizes), part_out)
        em.location = found.op.location
        return [(made, offsets, sizes)]

    def _over(self, dims: Sequence[int], local: list[Index], out: SSAValue) -> SSAValue:
        if not dims:
            return self._tiles(local, out)

        def point(iv: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            return [self._over(dims[1:], self._at(local, dims[0], iv), args[0])]

        return self.em.loop(0, self.extents[dims[0]], 1, [out], point)[0]

    def _tiles(self, local: list[Index], out: SSAValue) -> SSAValue:
        """Lines of B, of these all rows of A."""
        found, tile = self.found, self.tile

        def columns(j: Index, width: int, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            at = self._at(local, found.n, j)
            if found.m is None:
                return [self._tile(at, (1, width), args[0])]
            m = found.m
            return tiled_loop(
                self.em,
                found.sizes[m],
                found.sizes[m] % tile.rows,
                tile.rows,
                args,
                lambda i, height, inner: [self._tile(self._at(at, m, i), (height, width), inner[0])],
            )

        edge = found.sizes[found.n] % tile.columns
        return tiled_loop(self.em, self.extents[found.n], edge, tile.columns, [out], columns)[0]

    def _tile(self, local: list[Index], shape: tuple[int, int], out: SSAValue) -> SSAValue:
        """The results of some rows and columns."""
        em, found = self.em, self.found
        zero = em.splat(number(self.kind, 0), vector_of(self.kind, self.lanes))
        index = [self._sum(self.starts.get(d, 0), i) for d, i in enumerate(local)]
        sums = self._accumulate(0, index, shape, [zero] * (shape[0] * shape[1]))
        em.location = found.op.location
        each = max(1, self.lanes // shape[1])
        for first in range(0, shape[0], each):
            rows = range(first, min(first + each, shape[0]))
            totals = self._added_up(sums[rows[0] * shape[1] : (rows[-1] + 1) * shape[1]])
            for i in rows:
                begin = (i - first) * shape[1]
                row = shuffled(em, totals, totals, range(begin, begin + shape[1]))
                out = self._written(row, self._moved(local, i), self._moved(index, i), out)
        return out

    def _written(self, row: SSAValue, local: list[Index], index: list[Index], out: SSAValue) -> SSAValue:
        """The results of a row, with what they start from, in their place."""
        em, init = self.em, self.init
        assert isinstance(row.type, VectorType)
        (width,) = row.type.get_shape()
        lanes = lanes_along(self.found.n, width)
        if isinstance(init, Access):
            source, at = (Access(out, tuple(self.exprs)), local) if self.in_place else (init, index)
            init = read(em, source, Point(at, lanes))
        if init is not None:
            row = self._plus(broadcast(em, init, width), row)
        return write(em, row, out, [em.apply(e, local) for e in self.exprs], lanes)

    def _accumulate(
        self, level: int, index: list[Index], shape: tuple[int, int], sums: Sequence[SSAValue]
    ) -> Sequence[SSAValue]:
        """Loops over the dims of the sums, the innermost in vectors; the last one is masked."""
        em, dim = self.em, self.found.reduced[level]
        size = self.found.sizes[dim]
        if level < len(self.found.reduced) - 1:
            return em.loop(
                0, size, 1, sums, lambda k, args: self._accumulate(level + 1, self._at(index, dim, k), shape, args)
            )
        main = size // self.lanes * self.lanes

        def vectors(k: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            return self._step(self._at(index, dim, k), shape, args, lanes_along(dim, self.lanes))

        sums = em.loop(0, main, self.lanes, sums, vectors)
        if main == size:
            return sums
        mask = em.constant_mask([size - main], [self.lanes])
        return self._step(self._at(index, dim, main), shape, sums, lanes_along(dim, self.lanes, mask))

    def _step(
        self, index: list[Index], shape: tuple[int, int], sums: Sequence[SSAValue], lanes: Lanes
    ) -> Sequence[SSAValue]:
        """One vector of every line."""
        found, result = self.found, list(sums)
        rows = [self._line(self.a, found.a_casts, self._moved(index, i), lanes) for i in range(shape[0])]
        for j in range(shape[1]):
            line = self._line(self.b, found.b_casts, self._moved(index, 0, j), lanes)
            for i, row in enumerate(rows):
                result[i * shape[1] + j] = self._multiplied(row, line, result[i * shape[1] + j])
        return result

    def _line(self, source: Access, casts: Sequence[Operation], index: list[Index], lanes: Lanes) -> SSAValue:
        """A vector of a line, converted."""
        value = read(self.em, source, Point(index, lanes))
        assert is_vector(value)
        for cast in casts:
            kind = vector_of(cast.results[0].type, self.lanes)
            copy = type(cast).create(operands=[value], result_types=[kind], properties=dict(cast.properties))
            value = self.em.add(copy).results[0]
        return value

    def _multiplied(self, x: SSAValue, y: SSAValue, total: SSAValue) -> SSAValue:
        em = self.em
        if self.fused:
            return em.add(math.FmaOp(x, y, total)).results[0]
        if self.integer:
            return em.add(arith.AddiOp(total, em.add(arith.MuliOp(x, y)).result)).result
        return em.add(arith.AddfOp(total, em.add(arith.MulfOp(x, y)).result)).result

    def _plus(self, x: SSAValue, y: SSAValue) -> SSAValue:
        return self.em.add((arith.AddiOp if self.integer else arith.AddfOp)(x, y)).results[0]

    def _added_up(self, sums: Sequence[SSAValue]) -> SSAValue:
        """The lanes of so many vectors, no more than each has lanes, added up: the total of each in the lane of its number.

        Neighbours are added, those of two vectors at once, until all lanes of a vector are one.
        """
        values = [*sums, *[sums[-1]] * ((1 << (len(sums) - 1).bit_length()) - len(sums))]
        even, odd = range(0, 2 * self.lanes, 2), range(1, 2 * self.lanes, 2)
        for _ in range(self.lanes.bit_length() - 1):
            pairs = zip(values[::2], values[1::2], strict=True) if len(values) > 1 else [(values[0], values[0])]
            values = [self._plus(shuffled(self.em, x, y, even), shuffled(self.em, x, y, odd)) for x, y in pairs]
        return values[0]

    # Indices.

    def _at(self, index: Sequence[Index], dim: int, value: Index) -> list[Index]:
        changed = list(index)
        changed[dim] = value
        return changed

    def _moved(self, index: Sequence[Index], row: int, column: int = 0) -> list[Index]:
        """So many rows and columns further on."""
        changed = list(index)
        for dim, by in ((self.found.m, row), (self.found.n, column)):
            if dim is not None and by:
                changed[dim] = self._sum(index[dim], by)
        return changed

    def _sum(self, x: Index, y: Index) -> Index:
        return self.em.apply(AffineExpr.dimension(0) + AffineExpr.dimension(1), [x, y])


def first_dots(func_ops: Sequence[Operation], machine: MachineDescription) -> dict[str, int] | None:
    """The tile of the first contraction whose sums are better taken along lines, as parameters."""
    for op in func_ops:
        found = find_contraction(op)
        if isinstance(found, Contraction):
            tile = choose_dots(found, machine)
            return tile.numbers() if isinstance(tile, DotTile) else None
    return None


__all__ = ["DotTile", "choose_dots", "dot_obstacle", "dot_tile_of", "first_dots", "schedule_dots"]
