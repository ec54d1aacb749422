"""Transforms of Winograd's convolution as phases: tasks are rows of tiles, or channels of windows; lanes channels or features.

A row of tiles is transformed along the columns of the image first, all of them once though tiles share some, into scratch of
the task that stays in its core's cache; then along the rows, tile by tile. Each half takes as many values at once as a tile
has along a side, so that they stay in registers on every machine, and reads and writes whole runs of channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, cast

from xdsl.dialects import arith
from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.builtin import AnyFloat, FloatAttr, TensorType, VectorType, i1
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import kernel
from stepwell.dialects.structured import element_type_of, shape_of
from stepwell.dialects.structured_winograd import (
    TAPS,
    TRANSFORMS,
    Matrix,
    WinogradFilterOp,
    WinogradInputOp,
    WinogradOp,
    WinogradOutputOp,
)
from stepwell.ir.dtypes import byte_width
from stepwell.ir.machine import machine_of
from stepwell.passes.schedules.emit import Emitter, Index, boolean
from stepwell.passes.schedules.kernel_builder import KernelBuilder, Slice
from stepwell.passes.schedules.lanes import prefetching, transfer_read, transfer_write
from stepwell.passes.schedules.plan import Machine, tasks_for
from stepwell.passes.schedules.tasks import Part, cut_dim, part_of

D = AffineExpr.dimension

BYTES_A_NANOSECOND = 8
"""What a core moves of what it transforms: for how much work tasks are."""

SHARE = 4
"""One part of so many of a core's second cache is what the first half of a transform leaves for the second, at most."""


class _Algebra:
    """Matrices of constants times vectors of values."""

    def __init__(self, em: Emitter, *, fused: bool):
        self.em = em
        self.fused = fused

    def times(self, matrix: Matrix, values: Sequence[SSAValue]) -> list[SSAValue]:
        """A matrix times a column of values."""
        return [self._combine(row, values) for row in matrix]

    def _combine(self, coefficients: Sequence[float], values: Sequence[SSAValue]) -> SSAValue:
        """The sum of values times coefficients: what is only added or subtracted first."""
        terms = [(c, v) for c, v in zip(coefficients, values, strict=True) if c]
        terms.sort(key=lambda term: (term[0] != 1, abs(term[0]) != 1))
        (first, total), *rest = terms
        if first != 1:
            total = self._product(first, total)
        for coefficient, value in rest:
            total = self._add(total, coefficient, value)
        return total

    def _add(self, total: SSAValue, coefficient: float, value: SSAValue) -> SSAValue:
        if coefficient == 1:
            return self.em.add(arith.AddfOp(total, value)).result
        if coefficient == -1:
            return self.em.add(arith.SubfOp(total, value)).result
        if self.fused:
            return self.em.add(upstream_vector.FMAOp(value, self._splat(coefficient, value.type), total)).res
        return self.em.add(arith.AddfOp(total, self._product(coefficient, value))).result

    def _product(self, coefficient: float, value: SSAValue) -> SSAValue:
        return self.em.add(arith.MulfOp(value, self._splat(coefficient, value.type))).result

    def _splat(self, value: float, kind: Attribute) -> SSAValue:
        assert isinstance(kind, VectorType)
        return self.em.splat(FloatAttr(value, cast("Any", kind.element_type)), kind)


class _Transform:
    """What the phases of one op share."""

    def __init__(self, builder: KernelBuilder, op: WinogradOp, machine: Machine):
        self.builder, self.em, self.op, self.machine = builder, builder.em, op, machine
        self.matrices = TRANSFORMS[op.m]
        self.side = op.m + TAPS - 1
        self.element = cast(AnyFloat, element_type_of(op.input))
        self.width = byte_width(self.element)
        self.lanes = max(1, machine.vector_bytes // self.width)
        description = machine_of(builder.func)
        self.algebra = _Algebra(self.em, fused=description.has_fma)
        self.room = description.l2_bytes // SHARE
        self.source = builder.value(op.input)

    # Loops: over a tensor that is handed on.

    def each(self, extent: Index, out: SSAValue, body: Callable[[Index, SSAValue], SSAValue]) -> SSAValue:
        """A loop from 0."""
        return self.em.loop(0, extent, 1, [out], lambda i, carried: [body(i, carried[0])])[0]

    def in_runs(
        self, extent: int, run: int, out: SSAValue, body: Callable[[Index, int, SSAValue], SSAValue]
    ) -> SSAValue:
        """A dim in runs, and what is left as a shorter one: `body(first, points, out)`."""
        whole = extent // run * run
        (out,) = self.em.loop(0, whole, run, [out], lambda i, carried: [body(i, run, carried[0])])
        return body(whole, extent - whole, out) if whole < extent else out

    def by_vectors(self, extent: int, out: SSAValue, body: Callable[[Index, int, SSAValue], SSAValue]) -> SSAValue:
        """A last dim in vectors."""
        return self.in_runs(extent, self.lanes, out, body)

    # Values.

    def read(self, value: SSAValue, indices: Sequence[Index], lanes: int, ahead: int = 0) -> SSAValue:
        """Neighbours along the last dim; `ahead`: bytes further on to have fetched as well."""
        result = transfer_read(self.em, value, indices, [lanes])
        assert isinstance(result.owner, Operation)
        prefetching(result.owner, ahead)
        return result

    def write(
        self, values: Sequence[SSAValue], out: SSAValue, indices: Callable[[int], Sequence[Index]], ahead: int = 0
    ) -> SSAValue:
        """Each value where its number says."""
        for number, value in enumerate(values):
            out = transfer_write(self.em, value, out, indices(number), ahead=ahead)
        return out

    def plus(self, x: Index, y: Index) -> Index:
        """The sum of two indices."""
        return self.em.apply(D(0) + D(1), [x, y])

    def product_of(self, a: Index, b: Index) -> Index:
        """The number of a product in row a and column b."""
        return self.em.apply(D(0) * self.side + D(1), [a, b])

    # Tasks.

    def scratch(self, rows: int, columns: int, lanes: int) -> SSAValue:
        """What the halves of a transform hand on."""
        kind = TensorType(self.element, [rows, columns, lanes])
        return self.builder.scratch(kind, kernel.ScratchScope.WORKER)

    def run_of(self, points: int, extent: int) -> int:
        """Channels or features that scratch holds of so many points: whole vectors, or all."""
        fitting = self.room // (points * self.width) // self.lanes * self.lanes
        return min(extent, max(self.lanes, fitting))

    def wanted(self) -> int:
        """Tasks that the work is worth: it is moving."""
        moved = sum(prod(shape_of(v)) for v in (self.op.input, self.op.out)) * self.width
        return tasks_for(moved / BYTES_A_NANOSECOND, self.machine)

    def finish(self, task: Callable[[Sequence[Index], SSAValue], Slice], counts: Sequence[int]) -> None:
        """Make the phase, and say where the result is."""
        (result,) = self.op.results
        home = self.builder.destination(self.op, result)
        (new,) = self.builder.phase(counts, [home], lambda ivs, outs: [task(ivs, outs[0])])
        self.builder.define(result, new, self.builder.home(home))


# Windows.


def _filter_phase(t: _Transform, op: WinogradFilterOp) -> None:
    """Tasks are channels."""
    _, channels, features = shape_of(op.out)
    cut = cut_dim(0, channels, -(-channels // min(t.wanted(), channels)))

    def task(ivs: Sequence[Index], out: SSAValue) -> Slice:
        part = part_of(t.em, cut, channels, ivs[0])
        offsets, sizes = [0, part.start, 0], [op.products, part.extent, features]
        halves = t.scratch(t.side, TAPS, features)

        def channel(c: Index, target: SSAValue) -> SSAValue:
            half = _window_columns(t, op, t.plus(part.start, c), halves)
            return t.each(t.side, target, lambda a, target: _window_row(t, (a, c), features, half, target))

        return t.each(part.extent, t.builder.slice_of(out, offsets, sizes), channel), offsets, sizes

    t.finish(task, [cut.tasks])


def _window_columns(t: _Transform, op: WinogradFilterOp, c: Index, half: SSAValue) -> SSAValue:
    """The windows of a channel transformed along their columns."""
    first = op.channels_first is not None

    def column(x: Index, half: SSAValue) -> SSAValue:
        def lanes(f: Index, count: int, half: SSAValue) -> SSAValue:
            places = [[c, k, x, f] if first else [k, x, c, f] for k in range(TAPS)]
            values = [t.read(t.source, place, count) for place in places]
            return t.write(t.algebra.times(t.matrices.window, values), half, lambda a: [a, x, f])

        return t.by_vectors(shape_of(op.input)[-1], half, lanes)

    return t.each(TAPS, half, column)


def _window_row(t: _Transform, place: tuple[Index, Index], features: int, half: SSAValue, out: SSAValue) -> SSAValue:
    """Row a of the transformed windows of a channel (`place`: a, and the channel within the task)."""
    a, c = place

    def lanes(f: Index, count: int, out: SSAValue) -> SSAValue:
        values = t.algebra.times(t.matrices.window, [t.read(half, [a, k, f], count) for k in range(TAPS)])
        return t.write(values, out, lambda b: [t.product_of(a, b), c, f], t.machine.prefetch)

    return t.by_vectors(features, out, lanes)


# Rows of tiles.


class _Tiles:
    """Rows of tiles over tasks: all images one task, or so many for each image."""

    def __init__(self, t: _Transform, batch: int, tiles: tuple[int, int]):
        self.t, self.batch, (self.down, self.across) = t, batch, tiles
        wanted = t.wanted()
        self.shared = wanted > 1 and batch * self.down > 1
        pieces = min(self.down, -(-wanted // batch)) if self.shared else 1
        self.cut = cut_dim(1, self.down, -(-self.down // pieces))

    @property
    def counts(self) -> list[int]:
        """Tasks along images, and along rows of tiles."""
        return [self.batch if self.shared else 1, self.cut.tasks]

    def part(self, ivs: Sequence[Index]) -> tuple[Part, Part]:
        """A task's images and rows of tiles: one image, or all of them."""
        images = Part(0, ivs[0], ivs[0], 1) if self.shared else Part(0, 0, 0, self.batch)
        return images, part_of(self.t.em, self.cut, self.down, ivs[1])

    def rows(
        self,
        part: tuple[Part, Part],
        out: SSAValue,
        body: Callable[[Sequence[Index], Sequence[Index], SSAValue], SSAValue],
    ) -> SSAValue:
        """Loops over a task's rows of tiles: `body`, given image and row, and these within the task."""
        t, (images, rows) = self.t, part

        def image(n: Index, out: SSAValue) -> SSAValue:
            def row(i: Index, out: SSAValue) -> SSAValue:
                return body((t.plus(images.start, n), t.plus(rows.start, i)), (n, i), out)

            return t.each(rows.extent, out, row)

        return t.each(images.extent, out, image)

    def first(self, image: Index, row: Index) -> Index:
        """The number of the first tile of a row."""
        return self.t.em.apply((D(0) * self.down + D(1)) * self.across, [image, row])


# Images.


class _InputPhase:
    """The phase of one `winograd_input`."""

    def __init__(self, t: _Transform, op: WinogradInputOp):
        self.t, self.op = t, op
        self.batch, self.height, self.width, self.channels = shape_of(op.input)
        down, across = op.tiles.get_values()
        self.tiles = _Tiles(t, self.batch, (down, across))
        self.top, self.left = op.low.get_values()
        self.columns = op.m * across + TAPS - 1
        """Columns that a row of tiles reads, with the border."""
        self.run = t.run_of(t.side * self.columns, self.channels)

    def emit(self) -> None:
        """Make the phase."""
        self.t.finish(self._task, self.tiles.counts)

    def _task(self, ivs: Sequence[Index], out: SSAValue) -> Slice:
        t, tiles, part = self.t, self.tiles, self.tiles.part(ivs)
        images, rows = part
        first = tiles.first(images.start, rows.start)
        count = t.em.apply(D(0) * (tiles.across * (1 if tiles.shared else self.batch)), [rows.extent])
        offsets, sizes = [0, first, 0], [self.op.products, count, self.channels]
        halves = t.scratch(t.side, self.columns, self.run)

        def row(place: Sequence[Index], within: Sequence[Index], target: SSAValue) -> SSAValue:
            # Within a task rows follow each other: pieces are of one image.
            number = tiles.first(0 if tiles.shared else within[0], within[1])

            def channels(c: Index, run: int, target: SSAValue) -> SSAValue:
                half = self._columns(place, c, run, halves)
                return self._tiles(number, c, run, half, target)

            return t.in_runs(self.channels, self.run, target, channels)

        return tiles.rows(part, t.builder.slice_of(out, offsets, sizes), row), offsets, sizes

    def _columns(self, place: Sequence[Index], c: Index, run: int, half: SSAValue) -> SSAValue:
        """The columns of the image that a row of tiles reads, transformed; zeros where it has none."""
        t, (image, row) = self.t, place
        inner = max(0, min(self.width, self.columns - self.left))
        before = min(self.left, self.columns)
        half = self._zeros(0, before, run, half)
        half = self._zeros(before + inner, self.columns, run, half)
        if not inner:
            return half
        ys = [self._row(row, k) for k in range(t.side)]

        def column(x: Index, half: SSAValue) -> SSAValue:
            at = t.em.apply(D(0) + self.left, [x])

            def lanes(i: Index, count: int, half: SSAValue) -> SSAValue:
                values = [self._point((image, y, x, t.plus(c, i)), inside, count) for y, inside in ys]
                return t.write(t.algebra.times(t.matrices.image, values), half, lambda a: [a, at, i])

            return t.by_vectors(run, half, lanes)

        return t.each(inner, half, column)

    def _zeros(self, first: int, last: int, run: int, half: SSAValue) -> SSAValue:
        """Columns of the border."""
        t = self.t

        def column(x: Index, half: SSAValue) -> SSAValue:
            at = t.em.apply(D(0) + first, [x])

            def lanes(i: Index, count: int, half: SSAValue) -> SSAValue:
                return t.write([t.em.splat_zero(t.element, count)] * t.side, half, lambda a: [a, at, i])

            return t.by_vectors(run, half, lanes)

        return t.each(last - first, half, column)

    def _row(self, tile: Index, k: int) -> tuple[Index, SSAValue | None]:
        """Row k of a row of tiles, brought inside of the image, and whether it was there (None: always)."""
        t, em, m = self.t, self.t.em, self.op.m
        index = em.apply(D(0) * m + (k - self.top), [tile])
        inside, clamped = None, index
        if (self.tiles.down - 1) * m + k - self.top >= self.height:
            inside = _compare(em, "slt", index, self.height)
            clamped = em.minimum(clamped, self.height - 1)
        if k < self.top:
            above = _compare(em, "sge", index, 0)
            inside = above if inside is None else t.em.add(arith.AndIOp(inside, above)).result
            clamped = _maximum(em, clamped, 0)
        return clamped, inside

    def _point(self, place: Sequence[Index], inside: SSAValue | None, lanes: int) -> SSAValue:
        """Channels of a point of an image, or zeros."""
        t = self.t
        value = t.read(t.source, place, lanes)
        if inside is None:
            return value
        return t.em.add(arith.SelectOp(inside, value, t.em.splat_zero(t.element, lanes))).result

    def _tiles(self, number: Index, c: Index, run: int, half: SSAValue, out: SSAValue) -> SSAValue:
        """The second half: row by row of each tile, the rows of its products."""
        t, m = self.t, self.op.m

        def tile(u: Index, out: SSAValue) -> SSAValue:
            where = t.plus(number, u)

            def row(a: Index, out: SSAValue) -> SSAValue:
                xs = [t.em.apply(D(0) * m + k, [u]) for k in range(t.side)]

                def lanes(i: Index, count: int, out: SSAValue) -> SSAValue:
                    values = t.algebra.times(t.matrices.image, [t.read(half, [a, x, i], count) for x in xs])
                    return t.write(values, out, lambda b: [t.product_of(a, b), where, t.plus(c, i)], t.machine.prefetch)

                return t.by_vectors(run, out, lanes)

            return t.each(t.side, out, row)

        return t.each(self.tiles.across, out, tile)


def _compare(em: Emitter, predicate: str, x: Index, y: int) -> SSAValue:
    if isinstance(x, int):
        return em.constant(boolean(x < y if predicate == "slt" else x >= y), i1)
    return em.add(arith.CmpiOp(x, em.index(y), predicate)).result


def _maximum(em: Emitter, x: Index, y: int) -> Index:
    if isinstance(x, int):
        return max(x, y)
    return em.add(arith.MaxSIOp(x, em.index(y))).result


# Results.


class _OutputPhase:
    """The phase of one `winograd_output`."""

    def __init__(self, t: _Transform, op: WinogradOutputOp):
        self.t, self.op = t, op
        self.batch, self.height, self.width, self.features = shape_of(op.out)
        self.tiles = _Tiles(t, self.batch, op.tiles)
        self.run = t.run_of(op.m * t.side * self.tiles.across, self.features)

    def emit(self) -> None:
        """Make the phase."""
        self.t.finish(self._task, self.tiles.counts)

    def _task(self, ivs: Sequence[Index], out: SSAValue) -> Slice:
        t, tiles, part, m = self.t, self.tiles, self.tiles.part(ivs), self.op.m
        images, rows = part
        top = t.em.apply(D(0) * m, [rows.start])
        extent = t.em.apply(D(0) * m, [rows.extent])
        if tiles.down * m > self.height:
            extent = t.em.minimum(extent, t.em.apply(D(0) * (-1) + self.height, [top]))
        offsets: list[Index] = [images.start, top, 0, 0]
        sizes: list[Index] = [images.extent, extent, self.width, self.features]
        halves = t.scratch(m, t.side * tiles.across, self.run)

        def row(place: Sequence[Index], within: Sequence[Index], target: SSAValue) -> SSAValue:
            first = tiles.first(place[0], place[1])

            def features(f: Index, run: int, target: SSAValue) -> SSAValue:
                half = self._columns(first, f, run, halves)
                return self._rows(place[1], within, (f, run), half, target)

            return t.in_runs(self.features, self.run, target, features)

        return tiles.rows(part, t.builder.slice_of(out, offsets, sizes), row), offsets, sizes

    def _columns(self, first: Index, f: Index, run: int, half: SSAValue) -> SSAValue:
        """The first half: the columns of products of each tile of a row."""
        t = self.t

        def tile(u: Index, half: SSAValue) -> SSAValue:
            where = t.plus(first, u)

            def column(b: Index, half: SSAValue) -> SSAValue:
                numbers = [t.product_of(a, b) for a in range(t.side)]

                def lanes(i: Index, count: int, half: SSAValue) -> SSAValue:
                    at = t.plus(f, i)
                    values = [t.read(t.source, [p, where, at], count, t.machine.prefetch) for p in numbers]
                    return t.write(
                        t.algebra.times(t.matrices.result, values), half, lambda k: [k, t.product_of(u, b), i]
                    )

                return t.by_vectors(run, half, lanes)

            return t.each(t.side, half, column)

        return t.each(self.tiles.across, half, tile)

    def _rows(
        self,
        row: Index,
        within: Sequence[Index],
        lanes: tuple[Index, int],
        half: SSAValue,
        out: SSAValue,
    ) -> SSAValue:
        """The second half: rows of results, as many as there are."""
        t, m, across = self.t, self.op.m, self.width // self.op.m
        n, i = within
        count: Index = m
        if self.tiles.down * m > self.height:
            count = t.em.minimum(m, t.em.apply(D(0) * (-m) + self.height, [row]))

        def line(k: Index, out: SSAValue) -> SSAValue:
            y = t.em.apply(D(0) * m + D(1), [i, k])
            out = t.each(across, out, lambda u, out: self._tile((n, y, u, k), m, lanes, half, out))
            left = self.width - across * m
            return self._tile((n, y, across, k), left, lanes, half, out) if left else out

        return t.each(count, out, line)

    def _tile(
        self, place: Sequence[Index], count: int, lanes: tuple[Index, int], half: SSAValue, out: SSAValue
    ) -> SSAValue:
        """The first `count` results of a row of a tile: `place` is image, row of the image, tile, row of the tile."""
        t, m = self.t, self.op.m
        n, y, u, k = place
        f, run = lanes
        xs = [t.em.apply(D(0) * m + x, [u]) for x in range(count)]
        numbers = [t.product_of(u, b) for b in range(t.side)]

        def vectors(i: Index, width: int, out: SSAValue) -> SSAValue:
            values = t.algebra.times(t.matrices.result[:count], [t.read(half, [k, b, i], width) for b in numbers])
            return t.write(values, out, lambda x: [n, y, xs[x], t.plus(f, i)], t.machine.prefetch)

        return t.by_vectors(run, out, vectors)


def winograd_phase(builder: KernelBuilder, op: WinogradOp, machine: Machine) -> None:
    """The phase of one transform."""
    t = _Transform(builder, op, machine)
    if isinstance(op, WinogradFilterOp):
        _filter_phase(t, op)
    elif isinstance(op, WinogradInputOp):
        _InputPhase(t, op).emit()
    else:
        assert isinstance(op, WinogradOutputOp)
        _OutputPhase(t, op).emit()


__all__ = ["winograd_phase"]
