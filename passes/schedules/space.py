"""Looping over the space of one nest, or of several fused ones: order, vector dim, accumulators, tails.

`plan_space` decides, `SpaceEmitter` obeys. Parallel dims are outer loops carrying the tensors being written; reduction
dims are inner loops carrying accumulators as well. One dim may be a vector: a parallel dim that is last in every output,
or a contiguous reduction dim whose combiner may be reassociated (lanes are combined at the end).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from xdsl.dialects import arith
from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.arith import FastMathFlagsAttr
from xdsl.dialects.builtin import IntegerType, VectorType, i1
from xdsl.dialects.utils.fast_math import FastMathFlag
from xdsl.dialects.vector import CombiningKindAttr, CombiningKindFlag
from xdsl.ir import Attribute, BlockArgument, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineExpr

from stepwell.ir.dtypes import byte_width
from stepwell.passes.schedules.emit import Emitter, Index, number
from stepwell.passes.schedules.lanes import (
    BodyEvaluator,
    Lanes,
    Point,
    Resolve,
    broadcast,
    can_vectorize,
    is_tile,
    is_vector,
    lanes_along,
    read,
    transfer_read,
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
    is_contiguous,
    neutral,
    step_in_memory,
    uses_dim,
)


@dataclass(frozen=True)
class Machine:
    """What the schedule says about vectors and tasks."""

    vector_bytes: int
    """Bytes of a vector register; 0 for scalar code."""
    unroll: int = 4
    """Registers per vector value, for latency."""
    tasks: int = 1
    """At most so many tasks per phase."""
    grain: int = 20_000
    """Nanoseconds of work a task should have at least."""


@dataclass(frozen=True)
class Plan:
    """Loop order and the vector dim of a space."""

    outer: tuple[int, ...]
    inner: tuple[int, ...]
    vector: int | None
    width: int
    cost: float
    """Estimated nanoseconds per point."""
    crossed: int | None = None
    """A second vector dim, `width` points too, along which some input is contiguous: tiles are transposed in registers."""


EXPENSIVE = {
    "math.exp": 12, "math.exp2": 10, "math.expm1": 16, "math.log": 14, "math.log2": 14, "math.log10": 14,
    "math.log1p": 18, "math.tanh": 16, "math.sin": 16, "math.cos": 16, "math.tan": 24, "math.erf": 18,
    "math.erfc": 22, "math.powf": 36, "math.cbrt": 20, "math.atan": 16, "math.atan2": 24, "math.sqrt": 8,
    "math.rsqrt": 10, "arith.divf": 6, "arith.remf": 20, "arith.divsi": 12, "arith.remsi": 12,
    "arith.divui": 12, "arith.remui": 12, "tensor.extract": 3,
}  # fmt: skip
"""Cost of ops beyond one, in simple ops."""


def body_cost(nest: Nest) -> int:
    """Simple ops per point."""
    if nest.body is None:
        return 1
    return sum(EXPENSIVE.get(op.name, 1) for op in nest.body.ops)


def element_bytes(nests: Sequence[Nest]) -> int:
    """Width of the widest element a group computes with, in bytes (at least 1)."""
    widest = 1
    for nest in nests:
        for access in (*nest.inputs, *nest.outputs):
            if isinstance(access, Access | Output):
                widest = max(widest, byte_width(access.element))
        if nest.body is not None:
            for op in nest.body.ops:
                for result in op.results:
                    widest = max(widest, _width(result.type))
    return widest


def _width(kind: Attribute) -> int:
    return 1 if isinstance(kind, IntegerType) and kind.width.data == 1 else byte_width(kind)


def plan_space(nests: Sequence[Nest], machine: Machine, fixed: Sequence[int] = ()) -> Plan:
    """Choose loop order and vector dim for fused nests of one space; `fixed` dims have one known index."""
    first = nests[0]
    free = [d for d in first.dims if d not in fixed]
    reduced = [d for d in free if any(n.reduction[d] for n in nests)]
    parallel = [d for d in free if d not in reduced]
    best = Plan(tuple(parallel), tuple(reduced), None, 1, _scalar_cost(nests))
    if machine.vector_bytes == 0 or not all(can_vectorize(n.body) for n in nests):
        return best
    bytes_per_lane = element_bytes(nests)
    for dim in free:
        strip = bool(reduced) and dim in parallel and max(body_cost(n) for n in nests) < 6
        width = _lane_count(first.sizes[dim], machine, bytes_per_lane, nests, strip)
        if width < 2 or not _legal(nests, dim, dim in reduced, fixed):
            continue
        cost = _vector_cost(nests, dim, width, machine.vector_bytes // bytes_per_lane)
        if cost < best.cost:
            outer = [d for d in parallel if d != dim] + ([dim] if dim in parallel else [])
            inner = [d for d in reduced if d != dim] + ([dim] if dim in reduced else [])
            best = Plan(tuple(outer), tuple(inner), dim, width, cost)
    if best.vector is None or reduced:
        return best
    return _crossed(best, nests, min(16, machine.vector_bytes // bytes_per_lane))


def _crossed(plan: Plan, nests: Sequence[Nest], width: int) -> Plan:
    """The plan with square tiles when some input is contiguous along another dim than the vector's."""
    vector_dim = plan.vector
    assert vector_dim is not None
    sizes = nests[0].sizes
    if width < 2 or any(n.body is not None and any(o.name == "tensor.extract" for o in n.body.ops) for n in nests):
        return plan
    for nest in nests:
        for position, access in enumerate(nest.inputs):
            if not isinstance(access, Access) or position in nest.forwarded:
                continue
            for dim in plan.outer:
                if dim == vector_dim or not is_tile(access.exprs, (vector_dim, dim)):
                    continue
                if min(sizes[dim], sizes[vector_dim]) >= 4:
                    outer = [*(d for d in plan.outer if d not in (dim, vector_dim)), dim, vector_dim]
                    return Plan(tuple(outer), (), vector_dim, width, plan.cost / 2, dim)
    return plan


def _lane_count(size: int, machine: Machine, bytes_per_lane: int, nests: Sequence[Nest], strip: bool) -> int:
    registers = machine.unroll if max(body_cost(n) for n in nests) < 24 else max(1, machine.unroll // 2)
    if strip:
        # Columns are reduced in strips: wide ones touch fewer pages, and only accumulators stay live.
        registers *= 4 if machine.vector_bytes == 64 else 2
    widest = machine.vector_bytes // bytes_per_lane * registers
    return min(widest, 1 << (size - 1).bit_length()) if size > 1 else 1


def _legal(nests: Sequence[Nest], dim: int, reduced: bool, fixed: Sequence[int]) -> bool:
    for nest in nests:
        for output in nest.outputs:
            if nest.reduction[dim] and output.reduced:
                if output.combiner is None:
                    return False
            elif output.exprs and uses_dim(output.exprs, dim):
                if not is_contiguous(output.exprs, dim):
                    return False
            else:
                return False
        for position, access in enumerate(nest.inputs):
            if isinstance(access, Access) and uses_dim(access.exprs, dim) and position not in nest.forwarded:
                if not is_contiguous(access.exprs, dim) and access.element == i1:
                    return False
    return True


def _scalar_cost(nests: Sequence[Nest]) -> float:
    return 0.4 * sum(len(n.inputs) + len(n.outputs) + body_cost(n) for n in nests)


def _vector_cost(nests: Sequence[Nest], dim: int, width: int, register: int) -> float:
    size = nests[0].sizes[dim]
    lanes = min(width, register)
    efficiency = size / (-(-size // lanes) * lanes)
    total = 0.0
    for nest in nests:
        total += body_cost(nest) / lanes
        for position, access in enumerate(nest.inputs):
            if not isinstance(access, Access) or position in nest.forwarded or not uses_dim(access.exprs, dim):
                total += 0.2 / lanes
            elif is_contiguous(access.exprs, dim):
                total += 1.0 / lanes
            else:
                total += 1.0 if step_in_memory(access, dim) is not None else 2.5
        total += len(nest.outputs) / lanes
    return 0.4 * total / efficiency


def tiled_loop(
    em: Emitter,
    extent: Index,
    edge: int,
    step: int,
    values: Sequence[SSAValue],
    body: Callable[[Index, int, Sequence[SSAValue]], Sequence[SSAValue]],
) -> Sequence[SSAValue]:
    """Full steps of `step` points, then the edge of `edge` points, known even where the extent (of a task) is not."""
    if isinstance(extent, int):
        main: Index = extent - extent % step
    elif edge == 0:
        main = extent
    else:
        main = em.apply(AffineExpr.dimension(0) // step * step, [extent])
    values = em.loop(0, main, step, values, lambda iv, args: body(iv, step, args))
    if not edge or (isinstance(extent, int) and extent % step == 0):
        return values
    return em.loop(main, extent, step, values, lambda iv, args: body(iv, edge, args))


@dataclass
class Target:
    """A tensor being written: its current version's slot, and where a point of the space goes in it."""

    output: Output
    exprs: tuple[AffineExpr, ...]
    """Position over the local dims (relative to the slice at hand), then `symbols`."""
    symbols: tuple[SSAValue, ...] = ()
    reads_old: bool = False
    """The init is what the destination holds, read in place."""


@dataclass
class SpaceEmitter:
    """Emits the loops of a plan over fused nests.

    `targets[original result]` says which results are stored and where; others are only forwarded in registers. `bounds`
    gives the first index, the extent and whether the extent is a multiple of the vector width, per free dim; local
    indices start at 0, absolute ones at the first index. After `run`, `scalars` holds the reduction results that are
    scalars (used by later passes over a row).
    """

    em: Emitter
    nests: Sequence[Nest]
    plan: Plan
    resolve: Resolve
    targets: dict[SSAValue, Target]
    starts: dict[int, Index] = field(default_factory=dict[int, Index])
    extents: dict[int, Index] = field(default_factory=dict[int, Index])
    scalars: dict[SSAValue, SSAValue] = field(default_factory=dict[SSAValue, SSAValue])

    def __post_init__(self) -> None:
        self._evaluators = [BodyEvaluator(self.em, n, self.resolve) for n in self.nests]
        self._stored = [o.original for n in self.nests for o in n.outputs if o.original in self.targets]
        self._reduced = [o for n in self.nests for o in n.outputs if o.reduced]
        self._streamed = [s for s in self._stored if s not in [o.original for o in self._reduced]]
        self._tensors: dict[SSAValue, SSAValue] = {}
        self._local: list[Index] = []
        self._loaded: list[dict[int, SSAValue]] = [{} for _ in self.nests]

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
        if self.plan.outer[level] == self.plan.crossed:
            self._tile_loops(point)
            return
        self._dim_loop(self.plan.outer[level], point, self._stored, [], lambda p, _: (self._outer(level + 1, p), [])[1])

    def _tile_loops(self, point: Point) -> None:
        """Loops over the two vector dims in square tiles; edge tiles have their own static size."""
        crossed, vector_dim = self.plan.crossed, self.plan.vector
        assert crossed is not None
        assert vector_dim is not None

        def across(i: Index, rows: int, outer: Sequence[SSAValue]) -> Sequence[SSAValue]:
            def along(j: Index, columns: int, tensors: Sequence[SSAValue]) -> Sequence[SSAValue]:
                self._tensors.update(zip(self._stored, tensors, strict=True))
                index = list(point.index)
                for dim, iv in ((crossed, i), (vector_dim, j)):
                    index[dim] = self._sum(self.starts.get(dim, 0), iv)
                    self._local[dim] = iv
                saved = [dict(loaded) for loaded in self._loaded]
                self._step(Point(index, Lanes((crossed, vector_dim), (rows, columns))), [])
                self._loaded = saved
                return [self._tensors[s] for s in self._stored]

            return self._whole_and_edge(vector_dim, outer, along)

        last = self._whole_and_edge(crossed, [self._tensors[s] for s in self._stored], across)
        self._tensors.update(zip(self._stored, last, strict=True))

    def _whole_and_edge(
        self,
        dim: int,
        values: Sequence[SSAValue],
        body: Callable[[Index, int, Sequence[SSAValue]], Sequence[SSAValue]],
    ) -> Sequence[SSAValue]:
        width, size = self.plan.width, self.nests[0].sizes[dim]
        return tiled_loop(self.em, self.extents.get(dim, size), size % width, width, values, body)

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
            self._local[dim] = iv
            rest = body(Point(index, lanes or point.lanes), args[len(stored) :])
            return [*(self._tensors[s] for s in stored), *rest]

        extent = self.extents.get(dim, self.nests[0].sizes[dim])
        if dim == self.plan.vector:
            last = self._vector_loop(dim, extent, values, trip)
        else:
            last = self.em.loop(0, extent, 1, values, lambda iv, args: trip(iv, args, None))
        self._tensors.update(zip(stored, last, strict=False))
        self._local, self._loaded = saved_local, saved_loaded
        return last[len(stored) :]

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
        """Whole vectors, then a masked rest; the rest is narrower where no accumulator forces the width."""
        em, width = self.em, self.plan.width
        if isinstance(extent, int):
            main = extent - extent % width
            values = em.loop(0, main, width, values, lambda iv, args: trip(iv, args, lanes_along(dim, width)))
            rest = extent - main
            if not rest:
                return values
            narrow = width if dim in self.plan.inner else min(width, 1 << (rest - 1).bit_length())
            mask = None
            if narrow != rest:
                mask = em.constant_mask([rest], [narrow])
            return trip(main, values, lanes_along(dim, narrow, mask))
        count = em.index(extent)
        rest = em.add(arith.RemUIOp(count, em.index(width))).result
        main = em.add(arith.SubiOp(count, rest)).result
        values = em.loop(0, main, width, values, lambda iv, args: trip(iv, args, lanes_along(dim, width)))

        def tail(iv: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            mask = em.add(upstream_vector.CreateMaskOp([rest], vector_of(i1, width))).results[0]
            return trip(iv, args, lanes_along(dim, width, mask))

        return em.loop(main, count, width, values, tail)

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
        last = self._inner(0, point, first)
        for output, value in zip(self._reduced, last, strict=True):
            self._finish(output, value, point)

    def _initial(self, output: Output, point: Point) -> SSAValue:
        """The accumulator before the first step: the init, or neutral lanes."""
        element = output.element
        if self.plan.vector is not None and self.plan.vector in self.plan.inner:
            assert output.combiner is not None
            return self.em.splat(neutral(output.combiner, element), vector_of(element, self.plan.width))
        value = self._init_value(output, point)
        return broadcast(self.em, value, point.lanes.width) if point.lanes is not None else value

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
        produced: dict[SSAValue, SSAValue] = {}
        accs = dict(zip([o.original for o in self._reduced], accumulators, strict=True))
        for nest, evaluate, loaded in zip(self.nests, self._evaluators, self._loaded, strict=True):
            self.em.location = nest.location
            inputs = [self._input(nest, i, loaded, produced, point) for i in range(len(nest.inputs))]
            given = [self._accumulator(o, accs, point, nest, i) for i, o in enumerate(nest.outputs)]
            for output, value in zip(nest.outputs, evaluate(point, inputs, given), strict=True):
                if output.reduced:
                    accs[output.original] = self._accumulated(accs[output.original], value, point)
                    continue
                produced[output.original] = value
                if not self.plan.outer and not self.plan.inner:
                    self.scalars[output.original] = value
                if output.original in self.targets:
                    self._store(output, value, point)
        return list(accs.values())

    def _input(
        self, nest: Nest, position: int, loaded: dict[int, SSAValue], produced: dict[SSAValue, SSAValue], point: Point
    ) -> SSAValue | None:
        access = nest.inputs[position]
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
        """Combine lanes with the init, and store or keep the result."""
        if self.plan.vector is not None and self.plan.vector in self.plan.inner:
            assert output.combiner is not None
            value = self._combine_lanes(output, value)
            init = self._init_value(output, point)
            combine = output.combiner
            value = self.em.add(
                type(combine).create(
                    operands=[init, value], result_types=[value.type], properties=dict(combine.properties)
                )
            ).results[0]
        if output.original in self.targets:
            self._store(output, value, point)
        if not is_vector(value) and not self.plan.outer:
            self.scalars[output.original] = value

    def _combine_lanes(self, output: Output, value: SSAValue) -> SSAValue:
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
        return self.em.add(op).results[0]

    def _store(self, output: Output, value: SSAValue, point: Point) -> None:
        target = self.targets[output.original]
        indices = [self.em.apply(e, self._local, target.symbols) for e in target.exprs]
        lanes = point.lanes
        if lanes is not None and len(lanes.dims) == 2:
            self._tensors[output.original] = write_tile(
                self.em, value, self._tensors[output.original], target.exprs, self._local, lanes
            )
            return
        if lanes is not None and not uses_dim(target.exprs, lanes.dim):
            lanes = None
        self._tensors[output.original] = write(self.em, value, self._tensors[output.original], indices, lanes)


__all__ = [
    "AffineDimExpr",
    "Machine",
    "Plan",
    "SpaceEmitter",
    "Target",
    "VectorType",
    "body_cost",
    "element_bytes",
    "plan_space",
    "transfer_read",
]
