"""The `window` strategy: sums over a window that share no factor between rows and columns, as a depthwise convolution does.

`y[.., t, n] += x[.., t + k, n + l] * w[..]`, where every point of the result has weights that depend on some of its dims alone.
There is nothing to multiply as a matrix; what is shared is `x` between neighbouring points. The last dim `n` of the result is
a vector, and `points` neighbours along another dim `t` of the window are done together, their sums in registers:

```
for other dims                    tasks are runs of one of these
  for points along t, for vectors along n       where n are channels of a copy of the image, their loop is around these and the rows
    for channels, if any, and taps beyond the innermost few
      the innermost taps of all points, each vector of x and w read once
```
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import prod

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import IntegerType, TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineExpr

from stepwell.ir.dtypes import byte_width
from stepwell.ir.machine import machine_of
from stepwell.passes.fusion.epilogue import not_of_a_reduction
from stepwell.passes.schedules.contraction_analysis import ops_between
from stepwell.passes.schedules.emit import Emitter, Index
from stepwell.passes.schedules.kernel_builder import KernelBuilder, Slice, is_scheduled
from stepwell.passes.schedules.lanes import (
    Lanes,
    Point,
    broadcast,
    evaluate_on_tile,
    is_vector,
    lanes_along,
    read,
    vector_of,
    write,
)
from stepwell.passes.schedules.loops import escapes, schedule_around
from stepwell.passes.schedules.nest import Access, step_in_memory, uses_dim
from stepwell.passes.schedules.plan import WIDE_BYTES, Machine, tasks_for
from stepwell.passes.schedules.space import tiled_loop
from stepwell.passes.schedules.staging import Stage, Stager, copied_apart, placeholder
from stepwell.passes.schedules.tasks import Cut, cut_dim, part_of
from stepwell.passes.schedules.window_choice import (
    Window,
    WindowTile,
    by_columns,
    choose_window,
    find_window,
    most_staged,
    stage_of,
    staged,
    window_tile_of,
)
from stepwell.passes.schedules.window_groups import WindowGroups, pick_channel, read_groups
from stepwell.passes.schedules.window_weights import copied_weights

PRODUCTS_PER_LANE = 1.5
"""Products that a lane adds up in a nanosecond: half of what it can, the rest waits for memory."""


def schedule_window(
    builder: KernelBuilder, machine: Machine, tiles: Callable[[Window], WindowTile | str], most: int
) -> None:
    """Sums over windows as tiles, images in borders copied in parts of at most `most` bytes; the rest of the kernel as loops."""
    phases: dict[Operation, tuple[Window, WindowTile, Stage | None]] = {}
    for op in builder.func.body.block.ops:
        found = find_window(op)
        tile = tiles(found) if isinstance(found, Window) else ""
        if isinstance(found, Window) and isinstance(tile, WindowTile):
            phases[op] = (found, tile, stage_of(found, tile, most))
    copied = copied_apart(stage for _, _, stage in phases.values() if stage is not None)
    maps = {op: maps_of(op) for op in phases}

    def whole(op: Operation) -> Sequence[Operation] | None:
        if op in copied:
            return []
        if op not in phases:
            return None
        found, tile, stage = phases[op]
        remove = placeholder(builder, stage.border) if stage is not None else None
        nest = builder.nest(found.op)
        image, weights = nest.inputs[found.image], nest.inputs[1 - found.image]
        if not isinstance(image, Access) or not isinstance(weights, Access) or image.symbols or weights.symbols:
            return None
        stager = Stager(builder, stage, machine.vector_bytes) if stage is not None else None
        skipped = [o for o in ops_between(op, [op, *maps[op]]) if not is_scheduled(o) and builder.pass_through(o)]
        _WindowPhase(builder, found, tile, machine, (image, weights), stager, maps[op]).emit()
        if remove is not None:
            remove()
        return [*maps[op], *skipped]

    schedule_around(builder, machine, whole)


def maps_of(op: Operation) -> list[Operation]:
    """The maps of what a window makes that come next and can be done on its points."""
    taken = [op]
    later = op.next_op
    while later is not None:
        if is_scheduled(later) and not isinstance(later, linalg.FillOp):
            if not_of_a_reduction([*taken, later]) is not None:
                break
            taken.append(later)
        elif any(o.owner in taken for o in later.operands):
            break
        later = later.next_op
    return taken[1:]


class _WindowPhase:
    """Emits the phase of one window, and of the maps of what it makes."""

    def __init__(
        self,
        builder: KernelBuilder,
        found: Window,
        tile: WindowTile,
        machine: Machine,
        inputs: tuple[Access, Access],
        stager: Stager | None,
        maps: Sequence[Operation],
    ):
        self.builder = builder
        self.found = found
        self.tile = tile
        self.machine = machine
        self.em: Emitter = builder.em
        self.image, self.weights = inputs
        self.stager = stager
        self.fused = machine_of(builder.func).has_fma and not isinstance(found.accumulator, IntegerType)
        init = builder.nest(found.op).outputs[0].init
        assert isinstance(init, SSAValue)
        self.init = init
        self.maps = maps
        group = [found.op, *maps]
        self.stored = [(op, r) for op in group for r in op.results if escapes(r, group)]
        self.order = [e.position for e in found.exprs if isinstance(e, AffineDimExpr)]
        self.starts: dict[int, Index] = {}
        self.extents: dict[int, Index] = {}
        self.column: tuple[Index, int] | None = None
        """Where the vector dim is, and how many points of it, where its loop is around all others."""

    def emit(self) -> None:
        """Emit the phase."""
        found, builder = self.found, self.builder
        self.em.location = found.op.location
        homes = [builder.destination(op, r) for op, r in self.stored]
        cuts = self._cuts()
        self.nests = [builder.nest(op) for op in self.maps]
        made = builder.phase([c.tasks for c in cuts] or [1], homes, lambda ivs, outs: self._task(cuts, ivs, outs))
        for (_, result), home, value in zip(self.stored, homes, made, strict=True):
            builder.define(result, value, builder.home(home))

    def _cuts(self) -> list[Cut]:
        """The dim cut over tasks: the first that is long enough, else the longest."""
        found = self.found
        lanes = self.machine.vector_bytes / byte_width(found.accumulator)
        wanted = tasks_for(prod(found.sizes) / (PRODUCTS_PER_LANE * lanes), self.machine)
        dims = [*found.outer, *([] if found.line is None else [found.line]), found.lanes]
        if wanted < 2:
            return []

        def unit(d: int) -> int:
            return self.tile.columns if d == found.lanes else self.tile.points if d == found.line else 1

        pieces = {d: -(-found.sizes[d] // unit(d)) for d in dims}
        dim = next((d for d in dims if pieces[d] >= wanted), max(dims, key=lambda d: pieces[d]))
        cut = cut_dim(dim, found.sizes[dim], -(-pieces[dim] // min(wanted, pieces[dim])) * unit(dim))
        return [cut] if cut.tasks > 1 else []

    def _task(self, cuts: Sequence[Cut], ivs: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
        found = self.found
        self.starts, self.extents = {}, dict(enumerate(found.sizes))
        for cut, iv in zip(cuts, ivs, strict=False):
            part = part_of(self.em, cut, found.sizes[cut.dim], iv)
            self.starts[cut.dim], self.extents[cut.dim] = part.start, part.extent
        offsets = [self.starts.get(d, 0) for d in self.order]
        sizes = [self.extents[d] for d in self.order]
        slices = [self.builder.slice_of(out, offsets, sizes) for out in outs]
        made = self._over(found.outer, [0] * len(found.sizes), slices)
        return [(value, offsets, sizes) for value in made]

    def _over(self, dims: Sequence[int], local: list[Index], outs: Sequence[SSAValue]) -> Sequence[SSAValue]:
        if not dims:
            return self._lines(local, outs)

        def points(first: Index, count: Index, before: Sequence[SSAValue]) -> Sequence[SSAValue]:
            def trip(iv: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
                return self._over(dims[1:], _with(local, dims[0], self._sum(first, iv)), args)

            return self.em.loop(0, count, 1, before, trip)

        return self._staged(dims[0], local, outs, points)

    def _staged(
        self,
        dim: int,
        local: list[Index],
        outs: Sequence[SSAValue],
        body: Callable[[Index, Index, Sequence[SSAValue]], Sequence[SSAValue]],
    ) -> Sequence[SSAValue]:
        """All points of a dim: `body` does some, from the first, reading of the image what was copied for them."""
        stager, extent = self.stager, self.extents[dim]
        if stager is None or dim != stager.stage.block:
            return body(0, extent, outs)

        def part(first: Index, count: Index, image: Access, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            saved, self.image = self.image, image
            if by_columns(self.found, self.tile):
                made = self._columns(args, lambda inner: body(first, count, inner))
            else:
                made = body(first, count, args)
            self.image = saved
            return made

        return stager.parts(extent, lambda first: self._absolute(_with(local, dim, first)), outs, part)

    def _columns(
        self, outs: Sequence[SSAValue], body: Callable[[Sequence[SSAValue]], Sequence[SSAValue]]
    ) -> Sequence[SSAValue]:
        """The vector dim around all others of a part of the image, weights of each vector next to each other."""
        lanes, tile = self.found.lanes, self.tile

        def column(j: Index, columns: int, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            self.column, saved = (j, columns), self.weights
            width, mask = self._width(columns)
            start = self._sum(self.starts.get(lanes, 0), j)
            dims = [(d, self.found.sizes[d]) for d in self.found.reduced]
            self.weights = copied_weights(self.builder, self.weights, dims, start, lanes_along(lanes, width, mask))
            made = body(args)
            self.column, self.weights = None, saved
            return made

        return tiled_loop(
            self.em, self.extents[lanes], self.found.sizes[lanes] % tile.columns, tile.columns, outs, column
        )

    def _lines(self, local: list[Index], outs: Sequence[SSAValue]) -> Sequence[SSAValue]:
        """Tiles along the line and the vector dim; weights that are equal for all of them are read before."""
        found, tile = self.found, self.tile
        ready: dict[tuple[Index, ...], SSAValue] = {}
        if not found.looped and not uses_dim(self.weights.exprs, found.lanes):
            for taps in product(*(range(found.sizes[d]) for d in found.reduced)):
                self._factor(1, self._with_taps(self._absolute(local), 0, taps), 0, None, ready)

        def columns(at: list[Index], points: int, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            if self.column is not None:
                return self._tile(_with(at, found.lanes, self.column[0]), (points, self.column[1]), ready, args)
            return tiled_loop(
                self.em,
                self.extents[found.lanes],
                found.sizes[found.lanes] % tile.columns,
                tile.columns,
                args,
                lambda j, width, inner: self._tile(_with(at, found.lanes, j), (points, width), ready, inner),
            )

        line = found.line
        if line is None:
            return columns(local, 1, outs)

        def tiles(first: Index, count: Index, before: Sequence[SSAValue]) -> Sequence[SSAValue]:
            return tiled_loop(
                self.em,
                count,
                found.sizes[line] % tile.points,
                tile.points,
                before,
                lambda i, points, args: columns(_with(local, line, self._sum(first, i)), points, args),
            )

        return self._staged(line, local, outs, tiles)

    def _sum(self, x: Index, y: Index) -> Index:
        return self.em.apply(AffineExpr.dimension(0) + AffineExpr.dimension(1), [x, y])

    def _absolute(self, local: Sequence[Index]) -> list[Index]:
        return [self._sum(self.starts.get(d, 0), at) for d, at in enumerate(local)]

    def _with_taps(self, index: Sequence[Index], first: int, taps: Sequence[Index]) -> list[Index]:
        at = list(index)
        for dim, tap in zip(self.found.reduced[first:], taps, strict=False):
            at[dim] = tap
        return at

    # A tile.

    def _tile(
        self,
        local: list[Index],
        shape: tuple[int, int],
        ready: dict[tuple[Index, ...], SSAValue],
        outs: Sequence[SSAValue],
    ) -> Sequence[SSAValue]:
        """The sums of some neighbours, a vector each, what maps make of them, and their places in the results."""
        found, em = self.found, self.em
        points, columns = shape
        width, mask = self._width(columns)
        lanes = lanes_along(found.lanes, width, mask, picks=True)
        sums = [broadcast(em, self.init, width)] * points
        current = list(outs)
        for point, value in enumerate(self._sums(0, self._absolute(local), lanes, sums, ready)):
            exprs = [_shifted(e, found.line, point) for e in found.exprs]
            values: dict[SSAValue, SSAValue] = {found.op.results[0]: value}
            self._mapped(values, [em.apply(e, self._absolute(local)) for e in exprs], width, mask)
            at = [em.apply(e, local) for e in exprs]
            for i, (_, result) in enumerate(self.stored):
                current[i] = write(em, values[result], current[i], at, lanes, self._ahead(result))
        return current

    def _ahead(self, result: SSAValue) -> int:
        """Bytes to the lines of a result that the next tile writes: apart from each other, where hardware would foresee neighbours."""
        if self.column is None or not self.machine.prefetch:
            return 0
        assert isinstance(result.type, TensorType)
        step = step_in_memory(Access(result, self.found.exprs), self.found.line or 0) or 0
        return self.tile.points * step * byte_width(result.type.element_type)

    def _mapped(self, values: dict[SSAValue, SSAValue], index: list[Index], width: int, mask: SSAValue | None) -> None:
        """Add what maps make of a vector of sums, which is at `index` of the result."""
        em = self.em
        point = Point(index, lanes_along(len(index) - 1, width, mask, picks=True))
        evaluate_on_tile(em, self.nests, self.builder.resolve, values, point, lambda access: read(em, access, point))
        em.location = self.found.op.location

    def _width(self, columns: int) -> tuple[int, SSAValue | None]:
        """Lanes for some columns: whole vectors under a mask where there are masks, else as many as there are."""
        lanes = self.machine.vector_bytes // byte_width(self.found.accumulator)
        if columns % lanes == 0 or self.machine.vector_bytes < WIDE_BYTES:
            return columns, None
        width = -(-columns // lanes) * lanes
        return width, self.em.constant_mask([columns], [width])

    def _sums(
        self,
        level: int,
        index: list[Index],
        lanes: Lanes,
        sums: Sequence[SSAValue],
        ready: dict[tuple[Index, ...], SSAValue],
    ) -> Sequence[SSAValue]:
        """Loops over the outer reduced dims, carrying the sums; the inner ones one after the other."""
        found = self.found
        if level < found.looped:
            dim = found.reduced[level]

            def trip(k: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
                return self._sums(level + 1, _with(index, dim, k), lanes, args, ready)

            return self.em.loop(0, found.sizes[dim], 1, sums, trip)
        known: tuple[dict[tuple[Index, ...], SSAValue], dict[tuple[Index, ...], SSAValue]] = ({}, dict(ready))
        values = list(sums)
        for at, point in self._terms(level, index, len(values)):
            weight = self._factor(1, at, point, lanes, known[1])
            image = self._factor(0, at, point, lanes, known[0])
            values[point] = self._add(values[point], image, weight, lanes.width)
        return values

    def _terms(self, level: int, index: list[Index], points: int) -> Iterator[tuple[list[Index], int]]:
        """Where the inner taps and the points of a tile are, in the order in which they are multiplied.

        Where lanes are groups, what is shuffled out of the image is used for all points that read it before the next is.
        """
        found = self.found
        all_taps = product(*(range(found.sizes[d]) for d in found.reduced[level:]))
        places = [(self._with_taps(index, level, taps), point) for taps in all_taps for point in range(points)]
        if found.groups is None:
            yield from places
            return
        by_place: dict[tuple[Index, ...], list[tuple[list[Index], int]]] = {}
        channel = found.groups.channel
        places.sort(key=lambda term: 0 if channel is None else _number(term[0][channel]))
        for at, point in places:
            exprs = [_shifted(e, found.line, point) for e in self.image.exprs]
            by_place.setdefault(tuple(self.em.apply(e, at, self.image.symbols) for e in exprs), []).append((at, point))
        for terms in by_place.values():
            yield from terms

    def _factor(
        self,
        which: int,
        at: Sequence[Index],
        point: int,
        lanes: Lanes | None,
        known: dict[tuple[Index, ...], SSAValue],
    ) -> SSAValue:
        """The image (0) or the weights (1) for a neighbour, converted; what was read before is `known` by its place."""
        em, found = self.em, self.found
        source = (self.image, self.weights)[which]
        exprs = tuple(_shifted(e, found.line, point) for e in source.exprs)
        place = tuple(em.apply(e, at, source.symbols) for e in exprs)
        if place in known:
            return known[place]
        access = Access(source.value, exprs, source.symbols)
        if which == 0 and found.groups is not None:
            assert lanes is not None
            known[place] = self._channel(access, found.groups, at, lanes, known)
        else:
            known[place] = self._converted(which, read(em, access, Point(list(at), lanes)))
        return known[place]

    def _channel(
        self,
        access: Access,
        groups: WindowGroups,
        at: Sequence[Index],
        lanes: Lanes,
        known: dict[tuple[Index, ...], SSAValue],
    ) -> SSAValue:
        """What lanes that are features of groups read of one channel of these; all channels are read at once."""
        number = 0 if groups.channel is None else _number(at[groups.channel])
        first = list(at) if groups.channel is None else _with(at, groups.channel, 0)
        place = (*(self.em.apply(e, first, access.symbols) for e in access.exprs), -1)
        if place not in known:
            known[place] = self._converted(0, read_groups(self.em, access, groups, first, lanes))
        return pick_channel(self.em, known[place], groups, number, lanes)

    def _converted(self, which: int, value: SSAValue) -> SSAValue:
        """A number of the image (0) or the weights (1), or some, after its casts."""
        found = self.found
        for cast in found.casts[found.image if which == 0 else 1 - found.image]:
            kind: Attribute = cast.results[0].type
            result = vector_of(kind, value.type.get_shape()) if is_vector(value) else kind  # pyright: ignore[reportAttributeAccessIssue]
            copy = type(cast).create(operands=[value], result_types=[result], properties=dict(cast.properties))
            value = self.em.add(copy).results[0]
        return value

    def _add(self, total: SSAValue, x: SSAValue, w: SSAValue, width: int) -> SSAValue:
        em = self.em
        x, w = broadcast(em, x, width), broadcast(em, w, width)
        if self.fused:
            return em.add(math.FmaOp(x, w, total)).results[0]
        if isinstance(self.found.accumulator, IntegerType):
            return em.add(arith.AddiOp(total, em.add(arith.MuliOp(x, w)).result)).result
        return em.add(arith.AddfOp(total, em.add(arith.MulfOp(x, w)).result)).result


def _number(index: Index) -> int:
    assert isinstance(index, int)
    return index


def _with(index: Sequence[Index], dim: int, value: Index) -> list[Index]:
    changed = list(index)
    changed[dim] = value
    return changed


def _shifted(expr: AffineExpr, dim: int | None, by: int) -> AffineExpr:
    """An expression, of one symbol at most, some points further along a dim."""
    if dim is None or not by or dim not in expr.used_dims():
        return expr
    last = max(expr.used_dims())
    dims = [AffineExpr.dimension(d) + (by if d == dim else 0) for d in range(last + 1)]
    return expr.replace_dims_and_symbols(dims, [AffineExpr.symbol(0)])


__all__ = [
    "Window",
    "WindowTile",
    "choose_window",
    "find_window",
    "most_staged",
    "schedule_window",
    "staged",
    "window_tile_of",
]
