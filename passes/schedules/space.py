"""Looping over the space of one nest, or of several fused ones, as planned: accumulators, vectors, tails.

Parallel dims are outer loops carrying the tensors being written; reduction dims are inner loops carrying accumulators as
well. See `plan` for who decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from xdsl.dialects import arith
from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.arith import FastMathFlagsAttr
from xdsl.dialects.builtin import i1
from xdsl.dialects.utils.fast_math import FastMathFlag
from xdsl.dialects.vector import CombiningKindAttr, CombiningKindFlag
from xdsl.ir import BlockArgument, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.ir.dtypes import byte_width
from stepwell.passes.schedules.emit import Emitter, Index, boolean, number
from stepwell.passes.schedules.fold import Combine, combining, counted, pairwise, to_one
from stepwell.passes.schedules.gathered_rows import row_loops
from stepwell.passes.schedules.lanes import (
    BodyEvaluator,
    Lanes,
    Point,
    Resolve,
    broadcast,
    is_vector,
    lanes_along,
    read,
    unused,
    vector_of,
    write,
    write_tile,
)
from stepwell.passes.schedules.nest import (
    COMBINERS,
    Access,
    Nest,
    Output,
    neutral,
    step_in_memory,
    uses_dim,
)
from stepwell.passes.schedules.plan import Plan, keeps_vectors
from stepwell.passes.schedules.selection import combine_selection
from stepwell.passes.schedules.small_floats import widen


def tiled_loop(
    em: Emitter,
    extent: Index,
    edge: int,
    step: int,
    values: Sequence[SSAValue],
    body: Callable[[Index, int, Sequence[SSAValue]], Sequence[SSAValue]],
) -> Sequence[SSAValue]:
    """Full steps of `step` points, then the edge of `edge` points, known even where the extent (of a task) is not."""
    return stepped_loop(em, extent, edge, (step,), values, body)


def stepped_loop(
    em: Emitter,
    extent: Index,
    edge: int,
    steps: Sequence[int],
    values: Sequence[SSAValue],
    body: Callable[[Index, int, Sequence[SSAValue]], Sequence[SSAValue]],
) -> Sequence[SSAValue]:
    """Full steps of the first of `steps` points, then of the next, which divides it..., then the edge.

    `edge`: what the longest steps leave, where they leave anything, even where the extent (of a task) is not known.
    """

    def run(first: Index, last: Index, step: int, width: int) -> Sequence[SSAValue]:
        return em.loop(first, last, step, values, lambda iv, args: body(iv, width, args))

    first: Index = 0
    for step in steps:
        if isinstance(extent, int):
            last: Index = extent - extent % step
        else:
            last = extent if edge % step == 0 else em.apply(AffineExpr.dimension(0) // step * step, [extent])
        values, first = run(first, last, step, step), last
        if edge % step == 0 or (isinstance(extent, int) and extent % step == 0):
            return values
    return run(first, extent, steps[-1], edge % steps[-1])


def distance_ahead(access: Access, sizes: Sequence[int], plan: Plan) -> int:
    """Bytes from what an access reads to what it reads `fetch` bytes later, in the order of the loops; 0: to nothing."""
    size = byte_width(access.element)
    later = max(1, plan.fetch // (plan.width * size))
    run: tuple[int, int] | None = None
    loops = (*plan.outer, *plan.inner)
    for dim in reversed((*(d for d in range(len(sizes)) if d not in loops), *loops)):
        width = plan.width if dim == plan.vector else 1
        trips = -(-sizes[dim] // width)
        step = (step_in_memory(access, dim) or 0) * width * size
        if trips == 1:
            continue
        if run is None or run[0] * run[1] != step:
            if run is not None:
                later = -(-later // run[1])
            run = (step, trips)
        else:
            run = (run[0], run[1] * trips)
        if later < run[1]:
            return max(0, later * run[0])
    return 0


@dataclass
class Target:
    """A tensor being written: its current version's slot, and where a point of the space goes in it."""

    output: Output
    exprs: tuple[AffineExpr, ...]
    """Position over the local dims (relative to the slice at hand), then `symbols`."""
    symbols: tuple[SSAValue, ...] = ()
    reads_old: bool = False
    """The init is what the destination holds, read in place."""
    streams: bool = True
    """The tensor is memory that comes from afar, not a row kept in a cache."""
    wide: bool = False
    """Small floats are kept as the wider one that they are computed in."""
    part: int | None = None
    """The dim of the tensor that counts the parts of a split reduction; position 0 of it is this task's."""


def combine_lanes(em: Emitter, output: Output, value: SSAValue) -> SSAValue:
    """All lanes of an accumulator as one number."""
    assert output.combiner is not None
    kind = CombiningKindFlag(COMBINERS[type(output.combiner)][0])
    reassociates = kind in (CombiningKindFlag.ADD, CombiningKindFlag.MUL)
    op = upstream_vector.ReductionOp.create(
        operands=[value],
        result_types=[output.element],
        properties={
            "kind": CombiningKindAttr(kind),
            "fastmath": FastMathFlagsAttr([FastMathFlag.REASSOC] if reassociates else "none"),
        },
    )
    return em.add(op).results[0]


def combine(em: Emitter, output: Output, init: SSAValue, value: SSAValue) -> SSAValue:
    """A reduced number with what its reduction starts from."""
    op = output.combiner
    assert op is not None
    made = type(op).create(operands=[init, value], result_types=[value.type], properties=dict(op.properties))
    return em.add(made).results[0]


@dataclass
class SpaceEmitter:
    """Emits the loops of a plan over fused nests.

    `targets[original result]` says which results are stored and where; others are only forwarded in registers. `starts`, `extents` and
    `offsets` give the first index and the extent per free dim; absolute indices start at the first one, local ones at the offset (0
    where there is none). After `run`, `scalars` holds the reduction results that are
    scalars, and the results of a space that is one vector (used by later passes over a row).
    """

    em: Emitter
    nests: Sequence[Nest]
    plan: Plan
    resolve: Resolve
    targets: dict[SSAValue, Target]
    starts: dict[int, Index] = field(default_factory=dict[int, Index])
    extents: dict[int, Index] = field(default_factory=dict[int, Index])
    scalars: dict[SSAValue, SSAValue] = field(default_factory=dict[SSAValue, SSAValue])
    offsets: dict[int, Index] = field(default_factory=dict[int, Index])
    tiles_ahead: ClassVar[int] = 2
    """Tiles along the rows of a transposed result that are fetched before they are needed."""

    def __post_init__(self) -> None:
        self._evaluators = [BodyEvaluator(self.em, n, self.resolve) for n in self.nests]
        if self.plan.fetch and self.plan.crossed is None and not self.plan.inner:
            for evaluator in self._evaluators:
                evaluator.row_loops = row_loops(self.nests[0].sizes, self.plan.outer, self.plan.vector)
        self._stored = [o.original for n in self.nests for o in n.outputs if o.original in self.targets]
        self._reduced = [o for n in self.nests for o in n.outputs if o.reduced]
        late = [o.original for n in self.nests for o in n.outputs if o.reduced or n.after]
        self._streamed = [s for s in self._stored if s not in late]
        self._tensors: dict[SSAValue, SSAValue] = {}
        self._local: list[Index] = []
        self._loaded: list[dict[int, SSAValue]] = [{} for _ in self.nests]
        self._keeps = keeps_vectors(self.plan, self.nests[0].sizes)
        self._reads = [[self._fetching(n, a) for a in n.inputs] for n in self.nests]
        self._folds = [(n, combining(self.em, n, self.resolve)) for n in self.nests if n.fold is not None]
        self._folded = [o.original for n in self.nests for o in n.outputs if n.folds(o)]
        self._along = self.plan.vector is not None and self.plan.vector in self.plan.inner
        """Whether lanes are elements of one reduction."""
        self._empty = any(n.fold is not None and n.fold.empty for n in self.nests)
        """Whether folds start with an element: whether they have is one more accumulator, the last."""

    def run(
        self, tensors: dict[SSAValue, SSAValue], index: list[Index], local: list[Index] | None = None
    ) -> dict[SSAValue, SSAValue]:
        """Emit; `tensors` maps stored results to the tensors to write into; returns their last versions.

        `index` holds the absolute indices of fixed dims, `local` those relative to the tensors written.
        """
        self._tensors = dict(tensors)
        self._local = list(index if local is None else local)
        self._outer(0, Point(list(index)))
        return {s: self._tensors[s] for s in self._stored}

    def _outer(self, level: int, point: Point) -> None:
        if level == len(self.plan.outer):
            self._at_point(point)
            return
        if self.plan.crossed is not None and level == len(self.plan.outer) - 2:
            self._tile_loops(point)
            return
        self._dim_loop(self.plan.outer[level], point, self._stored, [], lambda p, _: (self._outer(level + 1, p), [])[1])

    def _tile_loops(self, point: Point) -> None:
        """Loops over the two vector dims in square tiles, a few of them across at each step along.

        So lines of what is read across and of what is written along are used whole before they leave the cache. Edge tiles
        have their own static size.
        """
        crossed, vector_dim = self.plan.crossed, self.plan.vector
        assert crossed is not None
        assert vector_dim is not None
        width, height = self.plan.width, self.plan.height
        steps = (width, height) if height < width else (width,)

        def tile(at: tuple[Index, Index], shape: tuple[int, int], tensors: Sequence[SSAValue]) -> Sequence[SSAValue]:
            self._tensors.update(zip(self._stored, tensors, strict=True))
            index = list(point.index)
            for dim, iv in zip((crossed, vector_dim), at, strict=True):
                index[dim] = self._sum(self.starts.get(dim, 0), iv)
                self._local[dim] = self._sum(self.offsets.get(dim, 0), iv)
            saved = [dict(loaded) for loaded in self._loaded]
            ahead = self.tiles_ahead if self.plan.prefetch and shape == (height, width) else 0
            fetch = self.plan.fetch if self.plan.bypass else 0
            if fetch and self.plan.next_rows:
                ahead, fetch = 1, 0
            self._step(Point(index, Lanes((crossed, vector_dim), shape, ahead=ahead, fetch=fetch)), [])
            self._loaded = saved
            return [self._tensors[s] for s in self._stored]

        def across(i: Index, rows: int, outer: Sequence[SSAValue]) -> Sequence[SSAValue]:
            def along(j: Index, columns: int, tensors: Sequence[SSAValue]) -> Sequence[SSAValue]:
                def one(k: Index, lines: int, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
                    return tile((self._sum(k, i), j), (lines, columns), args)

                return tiled_loop(self.em, rows, rows % height, height, tensors, one)

            return self._whole_and_edge(vector_dim, steps, outer, along)

        last = self._whole_and_edge(crossed, (self.plan.block,), [self._tensors[s] for s in self._stored], across)
        self._tensors.update(zip(self._stored, last, strict=True))

    def _whole_and_edge(
        self,
        dim: int,
        steps: Sequence[int],
        values: Sequence[SSAValue],
        body: Callable[[Index, int, Sequence[SSAValue]], Sequence[SSAValue]],
    ) -> Sequence[SSAValue]:
        size = self.nests[0].sizes[dim]
        return stepped_loop(self.em, self.extents.get(dim, size), size % steps[0], steps, values, body)

    def _dim_loop(
        self,
        dim: int,
        point: Point,
        stored: Sequence[SSAValue],
        carried: Sequence[SSAValue],
        body: Callable[[Point, Sequence[SSAValue]], Sequence[SSAValue]],
    ) -> Sequence[SSAValue]:
        """Loop over `dim` (in vectors when it is the vector dim), carrying stored tensors and `carried`."""
        saved_local, saved_loaded = list(self._local), [dict(loaded) for loaded in self._loaded]
        self._hoist(point, dim)
        hoisted = [dict(loaded) for loaded in self._loaded]
        values = [*(self._tensors[s] for s in stored), *carried]

        def trip(iv: Index, args: Sequence[SSAValue], lanes: Lanes | None) -> Sequence[SSAValue]:
            self._loaded = [dict(loaded) for loaded in hoisted]
            self._tensors.update(zip(stored, args, strict=False))
            index = list(point.index)
            start = self.starts.get(dim, 0)
            index[dim] = self._sum(start, iv)
            self._local = list(saved_local)
            self._local[dim] = self._sum(self.offsets.get(dim, 0), iv)
            rest = body(Point(index, lanes or point.lanes), args[len(stored) :])
            return [*(self._tensors[s] for s in stored), *rest]

        extent = self.extents.get(dim, self.nests[0].sizes[dim])
        if dim == self.plan.vector:
            last = self._vector_loop(dim, extent, values, trip)
        else:
            last = self.em.loop(0, extent, 1, values, lambda iv, args: trip(iv, args, None), self._at_once(dim))
        self._tensors.update(zip(stored, last, strict=False))
        self._local, self._loaded = saved_local, saved_loaded
        return last[len(stored) :]

    def _at_once(self, dim: int) -> int:
        """Trips of the loop over `dim` to be done next to each other: of the innermost loop that has several."""
        order = (*self.plan.outer, *self.plan.inner)
        for later in order[order.index(dim) + 1 :]:
            extent = self.extents.get(later, self.nests[0].sizes[later])
            if not isinstance(extent, int) or extent > (self.plan.width if later == self.plan.vector else 1):
                return 1
        return self.plan.at_once

    def _sum(self, start: Index, iv: Index) -> Index:
        if isinstance(start, int) and start == 0:
            return iv
        return self.em.apply(AffineExpr.dimension(0) + AffineExpr.dimension(1), [start, iv])

    def _vector_loop(
        self,
        dim: int,
        extent: Index,
        values: Sequence[SSAValue],
        trip: Callable[[Index, Sequence[SSAValue], Lanes], Sequence[SSAValue]],
    ) -> Sequence[SSAValue]:
        """Whole vectors, then a masked rest; the rest is narrower where no accumulator or other pass wants the width."""
        em, width, at_once = self.em, self.plan.width, self._at_once(dim)
        first: Index = 0
        block = width * self.plan.block_vectors
        if block > width:
            first = em.apply(AffineExpr.dimension(0) // block * block, [extent])
            values = em.loop(0, first, block, values, lambda iv, args: trip(iv, args, self._lanes(dim, block)))
        if isinstance(extent, int):
            main = extent - extent % width
            values = em.loop(
                first, main, width, values, lambda iv, args: trip(iv, args, self._lanes(dim, width)), at_once
            )
            rest = extent - main
            if not rest:
                return values
            whole = self._keeps or (dim in self.plan.inner and len(self._folded) < len(self._reduced))
            narrow = width if whole else min(width, self._rounded(rest))
            mask = None
            if narrow != rest:
                mask = em.constant_mask([rest], [narrow])
            return trip(main, values, self._lanes(dim, narrow, mask))
        count = em.index(extent)
        rest = em.add(arith.RemUIOp(count, em.index(width))).result
        main = em.add(arith.SubiOp(count, rest)).result
        values = em.loop(first, main, width, values, lambda iv, args: trip(iv, args, self._lanes(dim, width)), at_once)

        def tail(iv: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            mask = em.add(upstream_vector.CreateMaskOp([rest], vector_of(i1, width))).results[0]
            return trip(iv, args, self._lanes(dim, width, mask))

        return em.loop(main, count, width, values, tail)

    def _lanes(self, dim: int, width: int, mask: SSAValue | None = None) -> Lanes:
        return lanes_along(dim, width, mask, picks=self.plan.subgroup == 1)

    def _rounded(self, rest: int) -> int:
        """Lanes for what does not fill a vector: whole subgroups, or what a register may hold."""
        subgroup = self.plan.subgroup
        return -(-rest // subgroup) * subgroup if subgroup > 1 else 1 << (rest - 1).bit_length()

    def _hoist(self, point: Point, entering: int) -> None:
        """Before the loop over `entering`, read what varies with no loop still to come."""
        order = (*self.plan.outer, *self.plan.inner)
        ahead = order[order.index(entering) :]
        for nest, loaded in zip(self.nests, self._loaded, strict=True):
            for position, access in enumerate(nest.inputs):
                if not isinstance(access, Access) or position in loaded or position in nest.forwarded:
                    continue
                if self._input_unused(nest, position) or any(uses_dim(access.exprs, d) for d in ahead):
                    continue
                loaded[position] = read(self.em, access, point)

    @staticmethod
    def _input_unused(nest: Nest, position: int) -> bool:
        return nest.body is not None and unused(nest.body.args[position])

    def _at_point(self, point: Point) -> None:
        """All reductions of one output point, then its results."""
        first = [self._initial(o, point) for o in self._reduced]
        if self._empty:
            first.append(self.em.constant(boolean(False), i1))
        last = self._inner(0, point, first)[: len(self._reduced)]
        if self._along:
            last = self._from_lanes(last, point)
        for output, value in zip(self._reduced, last, strict=True):
            self._finish(output, value, point)
        made = dict(zip([o.original for o in self._reduced], last, strict=True))
        for which, nest in enumerate(self.nests):
            if nest.after:
                self._evaluate_nest(which, point, made, {})

    def _initial(self, output: Output, point: Point) -> SSAValue:
        """The accumulator before the first step: the init, or neutral lanes."""
        element, folded = output.element, output.original in self._folded
        if self._along and output.combiner is not None:
            return self.em.splat(neutral(output.combiner, element), vector_of(element, self.plan.width))
        value = self.em.zero(element) if folded and self._empty else self._init_value(output, point)
        if self._along and folded:
            return value
        if self._along:
            # Selecting: every lane starts with what the reduction starts from.
            return broadcast(self.em, value, self.plan.width)
        return broadcast(self.em, value, point.lanes.width) if point.lanes is not None else value

    def _from_lanes(self, values: Sequence[SSAValue], point: Point) -> list[SSAValue]:
        """What all lanes reduced to, with what the reductions start from."""
        selections = [n.selection for n in self.nests if n.selection is not None]
        if selections:
            assert all(n.selection is not None or n.after for n in self.nests)
            return combine_selection(self.em, selections[0], self._reduced, values)
        results: list[SSAValue] = []
        for output, value in zip(self._reduced, values, strict=True):
            if output.original not in self._folded:
                value = combine(self.em, output, self._init_value(output, point), combine_lanes(self.em, output, value))
            results.append(value)
        return results

    def _init_value(self, output: Output, point: Point) -> SSAValue:
        init = output.init
        target = self.targets.get(output.original)
        if target is not None and target.reads_old:
            old = Access(self._tensors[output.original], target.exprs, target.symbols)
            return read(self.em, old, Point(list(self._local), point.lanes))
        if isinstance(init, Access):
            return read(self.em, init, point)
        if init is None:
            return self.em.constant(number(output.element, 0), output.element)
        return init

    def _inner(self, level: int, point: Point, accumulators: Sequence[SSAValue]) -> Sequence[SSAValue]:
        if level == len(self.plan.inner):
            return self._step(point, accumulators)
        dim = self.plan.inner[level]
        return self._dim_loop(dim, point, self._streamed, accumulators, lambda p, accs: self._inner(level + 1, p, accs))

    def _step(self, point: Point, accumulators: Sequence[SSAValue]) -> Sequence[SSAValue]:
        """Evaluate every nest at one point (or vector of points); returns the new accumulators."""
        accs = dict(zip([o.original for o in self._reduced], accumulators, strict=False))
        begun = accumulators[len(accs) :]
        if self._folds and self._along:
            elements = self._elements_of(point, accs)
        else:
            elements = self._evaluate(point, accs)
        lanes = point.lanes.width if point.lanes is not None and not self._along else 0
        for nest, combine in self._folds:
            originals = [o.original for o in nest.outputs if nest.folds(o)]
            right = [broadcast(self.em, elements[o], lanes) if lanes else elements[o] for o in originals]
            results = combine([accs[o] for o in originals], right, lanes)
            if begun:
                results = [
                    self.em.add(arith.SelectOp(begun[0], a, b)).result for a, b in zip(results, right, strict=True)
                ]
            accs.update(zip(originals, results, strict=True))
        return [*accs.values(), *(self.em.constant(boolean(True), i1) for _ in begun)]

    def _elements_of(self, point: Point, accs: dict[SSAValue, SSAValue]) -> dict[SSAValue, SSAValue]:
        """What all lanes, in their order, are combined to, for every result that is folded."""
        lanes, width = point.lanes, self.plan.width
        assert lanes is not None
        local, loaded = list(self._local), [dict(given) for given in self._loaded]

        def vectors(first: int, count: int) -> dict[SSAValue, SSAValue]:
            if count > 1:
                low, high = vectors(first, count // 2), vectors(first + count // 2, count // 2)
                return self._joined(low, high, lambda a, b, f: pairwise(self.em, a, b, f))
            self._loaded = [dict(given) for given in loaded]
            at = point
            if lanes.width > width:
                step = AffineExpr.dimension(0) + first * width
                index = list(point.index)
                index[lanes.dim] = self.em.apply(step, [index[lanes.dim]])
                self._local[lanes.dim] = self.em.apply(step, [local[lanes.dim]])
                at = Point(index, self._lanes(lanes.dim, width))
            assert at.lanes is not None
            elements = self._evaluate(at, accs)
            return {o: broadcast(self.em, v, at.lanes.width) for o, v in elements.items()}

        found = vectors(0, max(1, lanes.width // width))
        self._local = local
        return self._joined(
            found, found, lambda a, _, f: to_one(self.em, a, width if lanes.width > width else counted(lanes), f)
        )

    def _joined(
        self,
        low: dict[SSAValue, SSAValue],
        high: dict[SSAValue, SSAValue],
        join: Callable[[Sequence[SSAValue], Sequence[SSAValue], Combine], list[SSAValue]],
    ) -> dict[SSAValue, SSAValue]:
        """What `join` makes of the elements of each fold."""
        joined: dict[SSAValue, SSAValue] = {}
        for nest, combine in self._folds:
            originals = [o.original for o in nest.outputs if nest.folds(o)]
            results = join([low[o] for o in originals], [high[o] for o in originals], combine)
            joined.update(zip(originals, results, strict=True))
        return joined

    def _evaluate(self, point: Point, accs: dict[SSAValue, SSAValue]) -> dict[SSAValue, SSAValue]:
        """Evaluate every nest at one point (or vector of points), update accumulators; returns the elements of folds."""
        produced: dict[SSAValue, SSAValue] = {}
        elements: dict[SSAValue, SSAValue] = {}
        for which, nest in enumerate(self.nests):
            if not nest.after:
                elements |= self._evaluate_nest(which, point, produced, accs)
        return elements

    def _evaluate_nest(
        self, which: int, point: Point, produced: dict[SSAValue, SSAValue], accs: dict[SSAValue, SSAValue]
    ) -> dict[SSAValue, SSAValue]:
        """One of them, which adds what it makes to `produced`."""
        nest = self.nests[which]
        elements: dict[SSAValue, SSAValue] = {}
        self.em.location = nest.location
        inputs = [self._input(which, i, produced, point) for i in range(len(nest.inputs))]
        given = [self._accumulator(o, accs, point, nest, i) for i, o in enumerate(nest.outputs)]
        for output, value in zip(nest.outputs, self._evaluators[which](point, inputs, given), strict=True):
            if output.original in self._folded:
                elements[output.original] = value
                continue
            if output.reduced:
                accs[output.original] = self._accumulated(accs[output.original], value, point)
                continue
            produced[output.original] = value
            if self._keeps or (not self.plan.outer and not self.plan.inner):
                self.scalars[output.original] = value
            if output.original in self.targets:
                self._store(output, value, point)
        return elements

    def _fetching(self, nest: Nest, access: Access | SSAValue) -> Access | SSAValue:
        """An access, with the bytes from an element to one read later where each element is read once."""
        if not isinstance(access, Access) or not self.plan.fetch or self.plan.crossed is not None:
            return access
        once = all(uses_dim(access.exprs, d) for d, size in enumerate(nest.sizes) if size > 1)
        return replace(access, ahead=access.ahead or distance_ahead(access, nest.sizes, self.plan)) if once else access

    def _input(self, which: int, position: int, produced: dict[SSAValue, SSAValue], point: Point) -> SSAValue | None:
        nest, loaded, access = self.nests[which], self._loaded[which], self._reads[which][position]
        if self._input_unused(nest, position):
            return None
        if position in nest.forwarded:
            source = nest.forwarded[position]
            return produced[source] if source in produced else self.scalars[source]
        if not isinstance(access, Access):
            return access
        if position not in loaded:
            loaded[position] = read(self.em, access, point)
        return loaded[position]

    def _accumulator(
        self, output: Output, accs: dict[SSAValue, SSAValue], point: Point, nest: Nest, position: int
    ) -> SSAValue | None:
        if output.reduced:
            return accs[output.original]
        if nest.body is None or unused(self._argument(nest, position)):
            return None
        return self._init_value(output, point)

    @staticmethod
    def _argument(nest: Nest, position: int) -> BlockArgument:
        assert nest.body is not None
        return nest.body.args[len(nest.inputs) + position]

    def _accumulated(self, old: SSAValue, new: SSAValue, point: Point) -> SSAValue:
        """Masked-off lanes keep their accumulator; a result equal in all lanes is spread."""
        if not is_vector(old):
            return new
        assert point.lanes is not None
        new = broadcast(self.em, new, point.lanes.width)
        mask = point.lanes.mask
        if mask is None or point.lanes.dim not in self.plan.inner:
            return new
        return self.em.add(arith.SelectOp(mask, new, old)).result

    def _finish(self, output: Output, value: SSAValue, point: Point) -> None:
        """Store or keep the result."""
        if output.original in self.targets:
            self._store(output, value, point)
        if not is_vector(value) and not self.plan.outer:
            self.scalars[output.original] = value

    def _store(self, output: Output, value: SSAValue, point: Point) -> None:
        target = self.targets[output.original]
        indices = [self.em.apply(e, self._local, target.symbols) for e in target.exprs]
        value = widen(self.em, value) if target.wide else value
        lanes = point.lanes
        if lanes is not None and len(lanes.dims) == 2:
            self._tensors[output.original] = write_tile(
                self.em,
                value,
                self._tensors[output.original],
                target.exprs,
                self._local,
                lanes,
                self._ahead(output, lanes),
                self.plan.bypass and target.streams,
            )
            return
        if lanes is not None and not uses_dim(target.exprs, lanes.dim):
            lanes = None
        ahead = self.plan.prefetch if target.streams else 0
        bypass = self.plan.bypass and target.streams
        old = self._tensors[output.original]
        self._tensors[output.original] = write(self.em, value, old, indices, lanes, ahead, bypass)

    def _ahead(self, output: Output, lanes: Lanes) -> int:
        """Bytes from a tile's lines to those of a later tile."""
        return 0 if self.plan.bypass else lanes.ahead * lanes.width * byte_width(output.element)


__all__ = ["SpaceEmitter", "Target", "combine", "combine_lanes", "distance_ahead", "stepped_loop", "tiled_loop"]
