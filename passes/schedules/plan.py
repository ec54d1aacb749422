"""Choosing how to loop over the space of one nest, or of several fused ones: order, vector dim, width, and its cost.

One dim may be a vector: a parallel dim that is last in every output, or a contiguous reduction dim whose combiner may be
reassociated (lanes are combined at the end).
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from xdsl.dialects.builtin import AnyFloat, BFloat16Type, Float16Type, IndexType, IntegerType, i1
from xdsl.ir import Attribute, Operation, SSAValue

from stepwell.ir.dtypes import byte_width
from stepwell.passes.schedules.lanes import MOST_APART, can_vectorize, steps_apart
from stepwell.passes.schedules.nest import Access, Nest, Output, is_contiguous, step_in_memory, strides_of, uses_dim


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
    subgroup: int = 1
    """Lanes that hold a vector between them; above 1 a task is a subgroup's, a block's or a thread's."""
    subgroups: int = 1
    """Subgroups of a block."""
    vectors: int = 1
    """Vectors a subgroup's task does at most, where there are tasks enough."""
    split: int = 1
    """Parts a reduction is cut into, to be merged by a second phase."""
    tile: int = 0
    """Points along each side of a tile that a block transposes; 0: blocks transpose nothing."""
    pad: int = 1
    """Elements a line of such a tile is longer, so that a column lies in different banks."""
    shared_bytes: int = 0
    """Scratch that the subgroups of a block have together."""
    prefetch: int = 0
    """Bytes ahead of what is written to memory that its lines are fetched; 0: never."""
    fetch: int = 0
    """Bytes ahead of what is read once that its lines are fetched; 0: never."""
    kept: int = 0
    """Registers of each lane of a subgroup for a row that is handed on from pass to pass."""
    stage: int = 0
    """Bytes of a row read across that a core's task copies to scratch at once, before it writes them along; 0: none."""
    run: int = 128
    """Bytes of a result's row that are written at once out of such copies."""
    bypass: bool = False
    """Whether results are written past the caches, a line at a time."""
    line_bytes: int = 64
    """Bytes of a cache line."""
    lines: int = 0
    """Lines of a large array that reductions down its columns read at once; 0: a strip of columns, line after line."""


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
    """A second vector dim, along which some input is contiguous: tiles are transposed in registers."""
    height: int = 0
    """Points of a tile along the second vector dim."""
    tiles: int = 4
    """Such tiles next to each other along the second dim, done before the next along the first."""
    subgroup: int = 1
    """Lanes that hold a vector between them; what does not fill a vector is rounded up to so many."""
    prefetch: int = 0
    """Bytes ahead of results written along the vector dim that their lines are fetched."""
    fetch: int = 0
    """Bytes ahead of what is read once, along the vector dim, that its lines are fetched."""
    at_once: int = 1
    """Trips of the innermost loop to be done next to each other, so that what they read is on its way together."""
    stage: tuple[int, int] | None = None
    """Points along the vector dim and along the second one that go through scratch together; None: tiles in place."""
    block_vectors: int = 1
    """Vectors that a fold combines to one number at once."""
    next_rows: bool = False
    """Whether what tiles fetch ahead, which go past the caches, is of the rows below, not further on in theirs."""
    lines: int = 0
    """Lines that are reduced at once into lines of results, which are in scratch; 0: results are in registers."""
    strip: int = 0
    """Points along the vector dim that such a line has at most."""
    bypass: bool = False
    """Whether whole cache lines of results go past the caches, which then do not read them first."""

    def unit(self, dim: int) -> int:
        """Points along a dim that tasks keep together."""
        if self.lines and dim in (self.vector, self.inner[-1]):
            return self.strip if dim == self.vector else self.lines
        if dim == self.vector:
            return self.width * self.block_vectors if self.stage is None else self.stage[0]
        if dim == self.crossed:
            return self.block if self.stage is None else self.stage[1]
        return 1

    @property
    def block(self) -> int:
        """Points along the second vector dim that are done together."""
        return self.height * self.tiles

    @property
    def steps_once(self) -> tuple[int, ...]:
        """The dims when there is one and it is the vector; what is computed along it is one value a nest."""
        dims = (*self.outer, *self.inner)
        return dims if dims == (self.vector,) else ()


LINES_AHEAD = 4
"""Cache lines ahead that rows are fetched of which many are read together: hardware foresees only so many streams."""

MOST_REPEATED = 4
"""How often each number of a tensor is read at most where it is from memory."""

SEGMENT = 16
"""Bytes of a register that are shuffled among themselves by the quickest instructions."""

WIDE_BYTES = 64
"""Vector registers of so many bytes come in twice the number, and with masks."""

EXPENSIVE = {
    "math.exp": 12, "math.exp2": 10, "math.expm1": 16, "math.log": 14, "math.log2": 14, "math.log10": 14,
    "math.log1p": 18, "math.tanh": 16, "math.sin": 16, "math.cos": 16, "math.tan": 24, "math.erf": 18,
    "math.erfc": 22, "math.powf": 36, "math.cbrt": 20, "math.atan": 16, "math.atan2": 24, "math.sqrt": 8,
    "math.erf_inv": 40, "math.lgamma": 120, "math.digamma": 120, "math.bessel_i1e": 100,
    "math.rsqrt": 10, "arith.divf": 6, "arith.remf": 20, "arith.divsi": 12, "arith.remsi": 12,
    "arith.divui": 12, "arith.remui": 12, "tensor.extract": 3, "structured.element": 0,
}  # fmt: skip
"""Cost of ops beyond one, in simple ops."""


ROUNDINGS: dict[type[Attribute], int] = {BFloat16Type: 8, Float16Type: 3}
"""Simple ops of a core that widen a small float and round one; 16 for any other."""
MOVES = ("arith.constant", "arith.select")
"""Ops that compute nothing."""
FOLDED = 8
"""Vectors that are folded at once, at most."""
HEAVY_FOLD = 48
"""Simple ops from which on a region has enough to do with half as many."""


def body_cost(nest: Nest) -> int:
    """Simple ops per point."""
    if nest.body is None:
        return 1
    return sum(EXPENSIVE.get(op.name, 1) for body in nest.bodies for op in body.ops)


def _rounded(op: Operation) -> Attribute | None:
    """The small float that an op computes in f32 and rounds, if it does."""
    if not op.results or not op.name.startswith(("arith.", "math.")) or op.name in MOVES:
        return None
    kind = op.results[0].type
    return kind if isinstance(kind, AnyFloat) and byte_width(kind) < 4 else None


def _simple_ops(nest: Nest) -> int:
    """Simple ops per point of a core, which rounds small floats by several."""
    rounded = [_rounded(op) for body in nest.bodies for op in body.ops]
    return body_cost(nest) + sum(ROUNDINGS.get(type(kind), 16) for kind in rounded if kind is not None)


def element_bytes(nests: Sequence[Nest]) -> int:
    """Width of the widest element a group computes with, in bytes (at least 1)."""
    widest = 1
    for nest in nests:
        for access in (*nest.inputs, *nest.outputs):
            if isinstance(access, Access | Output):
                widest = max(widest, byte_width(access.element))
        # What counts elements is narrowed to the numbers it gives.
        counted = nest.selection is not None
        for result in (r for body in nest.bodies for op in body.ops for r in op.results):
            widest = max(widest, 1 if counted and isinstance(result.type, IndexType) else _width(result.type))
    return widest


def _width(kind: Attribute) -> int:
    return 1 if isinstance(kind, IntegerType) and kind.width.data == 1 else byte_width(kind)


BYTE = 0.05
"""Nanoseconds that a byte takes to or from memory: what one core moves where caches help a little."""


def traffic(nests: Sequence[Nest], inside: Container[SSAValue] = ()) -> float:
    """Estimated nanoseconds to move what nests read and write, each tensor once but those that stay `inside`."""
    moved: dict[SSAValue, int] = {}
    for nest in nests:
        for position, access in enumerate(nest.inputs):
            if isinstance(access, Access) and position not in nest.forwarded and access.value not in inside:
                moved[access.value] = min(prod(access.shape), nest.points) * byte_width(access.element)
        for output in nest.outputs:
            if output.original not in inside:
                moved[output.original] = min(prod(output.shape), nest.points) * byte_width(output.element)
    return BYTE * sum(moved.values())


def tasks_for(work: float, machine: Machine) -> int:
    """How many tasks some nanoseconds of work are worth: all there may be, or halves of that, so that cores get as many."""
    count = machine.tasks
    while count > 1 and work < count * machine.grain:
        count //= 2
    return max(1, count)


def plan_space(nests: Sequence[Nest], machine: Machine, fixed: Sequence[int] = ()) -> Plan:
    """Choose loop order and vector dim for fused nests of one space; `fixed` dims have one known index."""
    first = nests[0]
    free = [d for d in first.dims if d not in fixed]
    reduced = [d for d in free if any(n.reduction[d] for n in nests)]
    parallel = [d for d in free if d not in reduced]
    best = Plan(tuple(parallel), tuple(reduced), None, 1, _scalar_cost(nests))
    if machine.vector_bytes == 0 or not all(can_vectorize(body) for n in nests for body in n.bodies):
        return best
    bytes_per_lane = element_bytes(nests)
    for dim in free:
        folded = dim in reduced and any(n.fold is not None for n in nests)
        width = _lane_count(first.sizes[dim], machine, bytes_per_lane, nests, bool(reduced) and dim in parallel)
        width = min(width, machine.vector_bytes // bytes_per_lane) if folded else width
        if width < 2 or not legal(nests, dim):
            continue
        cost = _vector_cost(nests, dim, width, machine.vector_bytes // bytes_per_lane)
        if cost < best.cost:
            outer = [d for d in parallel if d != dim] + ([dim] if dim in parallel else [])
            inner = [d for d in reduced if d != dim] + ([dim] if dim in reduced else [])
            ahead = machine.prefetch if dim in parallel else 0
            best = Plan(tuple(outer), tuple(inner), dim, width, cost, prefetch=ahead, fetch=machine.fetch)
            if folded:
                best = replace(best, block_vectors=fold_vectors(first.sizes[dim] // width, nests))
    if best.vector is None or reduced:
        return best
    return _crossed(_few_streams(best, nests, machine), nests, machine, bytes_per_lane)


def _few_streams(plan: Plan, nests: Sequence[Nest], machine: Machine) -> Plan:
    """The plan with outer dims in the order of results, or of something large that is read, whichever needs fewer streams at once."""
    vector_dim = plan.vector
    assert vector_dim is not None
    if not machine.fetch or any(op.name == "tensor.extract" for n in nests for b in n.bodies for op in b.ops):
        return plan
    sizes, outer = nests[0].sizes, [d for d in plan.outer if d != vector_dim]
    moved = [a for n in nests for a in (*n.reads, *n.outputs) if prod(a.shape) * MOST_REPEATED >= n.points]
    steps = [{d: step_in_memory(a, d) or 0 for d in outer} for a in moved]
    orders = [outer, *(sorted(outer, key=lambda d: -step[d]) for step in steps if all(s > 0 for s in step.values()))]
    best = min(orders, key=lambda order: sum(_streams(order, step, sizes) for step in steps))
    return replace(plan, outer=(*best, vector_dim))


def _streams(order: Sequence[int], steps: Mapping[int, int], sizes: Sequence[int]) -> int:
    """Places of a tensor that loops come back to in turn, each time a little further on."""
    moving = [d for d in order if steps[d] > 0 and sizes[d] > 1]
    nearest = min(moving, key=lambda d: steps[d], default=None)
    return prod(sizes[d] for d in order[order.index(nearest) + 1 :] if steps[d] > 0) if nearest is not None else 1


def _crossed(plan: Plan, nests: Sequence[Nest], machine: Machine, size: int) -> Plan:
    """The plan with tiles that are turned when some input is contiguous along another dim than the vector's."""
    vector_dim = plan.vector
    assert vector_dim is not None
    width, height = tile_of(machine, size, _on_lines(nests, machine.line_bytes))
    if width < 2 or any(n.body is not None and any(o.name == "tensor.extract" for o in n.body.ops) for n in nests):
        return plan
    sizes = nests[0].sizes
    for dim in reversed(plan.outer):
        if dim == vector_dim or min(sizes[dim], sizes[vector_dim]) < 4:
            continue
        if any(crosses(a, vector_dim, dim) for n in nests for a in n.reads):
            rest = [d for d in plan.outer if d not in (dim, vector_dim)]
            turned = replace(plan, outer=(*rest, dim, vector_dim), width=width, cost=plan.cost / 2, crossed=dim)
            turned = replace(turned, height=height, fetch=0)
            return _staged(_past_caches(turned, sizes[dim], size, machine), sizes, machine, size)
    return plan


def _on_lines(nests: Sequence[Nest], line: int) -> bool:
    """Whether all rows of results begin as far into a cache line as the first."""
    return all(
        step * byte_width(o.element) % line == 0 for n in nests for o in n.outputs for step in strides_of(o.shape)[:-1]
    )


def tile_of(machine: Machine, size: int, on_lines: bool = True) -> tuple[int, int]:
    """Points along the sides of a tile that is turned in registers: of a row of the result, and of one that is read.

    Bytes and halves are turned in segments of registers, all by the same shuffles. What goes past the caches does so in whole lines;
    rows of tiles that are not on lines are half as long, since a store across two of them takes twice the time.
    """
    square = min(16, machine.vector_bytes // size)
    wide = (machine.line_bytes if machine.bypass else machine.vector_bytes) // size
    if size <= 2 and not (on_lines or machine.bypass) and machine.vector_bytes == machine.line_bytes:
        wide //= 2
    if size > 2 and wide <= square:
        return square, square
    return wide, max(1, SEGMENT // size)


def _past_caches(plan: Plan, across: int, size: int, machine: Machine) -> Plan:
    """The plan with results that go past the caches, where the schedule says so; `across`: points along the second vector dim."""
    if not machine.bypass:
        return plan
    ahead = LINES_AHEAD * machine.line_bytes if machine.fetch else 0
    # Rows that are soon at an end are fetched while those before them are read.
    plan = replace(plan, bypass=True, prefetch=0, fetch=ahead, next_rows=across * size < LINES_AHEAD * ahead)
    # Without copies rows are read from end to end, those of a tile together: no line of a result waits to be whole.
    return plan if machine.stage else replace(plan, tiles=-(-across // plan.height))


def crosses(access: Access, along: int, across: int) -> bool:
    """Whether an access is contiguous along another dim than `along`, and moves evenly along that one."""
    return (
        is_contiguous(access.exprs, across)
        and uses_dim(access.exprs, along)
        and step_in_memory(access, along) is not None
        and access.element != i1
    )


def _staged(plan: Plan, sizes: Sequence[int], machine: Machine, size: int) -> Plan:
    """The plan with blocks that go through scratch, where the schedule says so and there is more than a block."""
    along, across = plan.vector, plan.crossed
    assert along is not None
    assert across is not None

    def tiles(points: int, side: int) -> int:
        return max(1, -(-points // side)) * side

    rows, columns = tiles(machine.run // size, plan.width), tiles(machine.stage // size, plan.height)
    if machine.stage < 1 or sizes[along] * sizes[across] <= rows * columns:
        return plan
    outer = (*(d for d in plan.outer if d not in (along, across)), along, across)
    rows, columns = min(rows, tiles(sizes[along], plan.width)), min(columns, tiles(sizes[across], plan.height))
    return replace(plan, outer=outer, stage=(rows, columns))


def _lane_count(size: int, machine: Machine, bytes_per_lane: int, nests: Sequence[Nest], columns: bool) -> int:
    cost = max(body_cost(n) for n in nests)
    registers = machine.unroll if cost < 24 else max(1, machine.unroll // 2)
    selects = any(n.selection is not None for n in nests)
    if columns and (cost < 6 or selects):
        # Columns are reduced in strips: wide ones touch fewer pages, and only accumulators stay live.
        registers *= 4 if machine.vector_bytes >= WIDE_BYTES else 2
        registers = max(1, registers // 2) if selects else registers
    widest = machine.vector_bytes // bytes_per_lane * registers
    return min(widest, 1 << (size - 1).bit_length()) if size > 1 else 1


def legal(nests: Sequence[Nest], dim: int) -> bool:
    """Whether a dim may be a vector: results are contiguous along it or may be reassociated, every read has a form."""
    for nest in nests:
        if nest.after and nest.reduction[dim]:
            continue  # by then there is one number
        for output in nest.outputs:
            if nest.reduction[dim] and output.reduced:
                if output.combiner is None and nest.selection is None and not _in_order(nest, output, dim):
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


def _in_order(nest: Nest, output: Output, dim: int) -> bool:
    """Whether a region combines a result, whose order is that of the dims: no other one is stepped along within `dim`."""
    return nest.folds(output) and all(nest.sizes[d] == 1 for d in nest.dims if d > dim and nest.reduction[d])


def fold_vectors(vectors: int, nests: Sequence[Nest]) -> int:
    """Vectors, of those along a line, that a fold combines at once: the more, the fewer steps are those within a vector."""
    heavy = sum(body_cost(n) for n in nests) > HEAVY_FOLD
    return min(FOLDED // 2 if heavy else FOLDED, 1 << max(0, vectors.bit_length() - 1))


def _scalar_cost(nests: Sequence[Nest]) -> float:
    return 0.4 * sum((len(n.inputs) + len(n.outputs) + _simple_ops(n)) / _repeats(n) for n in nests)


def _repeats(nest: Nest) -> int:
    """Points of a space for each that a nest is done at."""
    return max(1, prod(s for s, r in zip(nest.sizes, nest.reduction, strict=True) if r)) if nest.after else 1


def _vector_cost(nests: Sequence[Nest], dim: int, width: int, register: int) -> float:
    size = nests[0].sizes[dim]
    lanes = min(width, register)
    efficiency = size / (-(-size // lanes) * lanes)
    return 0.4 * sum(_nest_cost(n, dim, lanes) / _repeats(n) for n in nests) / efficiency


def _nest_cost(nest: Nest, dim: int, lanes: int) -> float:
    """Of a point of a nest, in simple ops, where so many lanes along a dim are done at once."""
    total = _simple_ops(nest) / lanes
    for position, access in enumerate(nest.inputs):
        if not isinstance(access, Access) or position in nest.forwarded or not uses_dim(access.exprs, dim):
            total += 0.2 / lanes
        elif is_contiguous(access.exprs, dim):
            total += 1.0 / lanes
        elif 2 <= steps_apart(access, dim) <= MOST_APART:
            total += 2.0 * steps_apart(access, dim) / lanes
        else:
            total += 1.0 if step_in_memory(access, dim) is not None else 2.5
    return total + len(nest.outputs) / lanes


def keeps_vectors(plan: Plan, sizes: Sequence[int]) -> bool:
    """Whether all points of a space are one vector of a subgroup, so that results can stay in registers."""
    return plan.subgroup > 1 and bool(plan.steps_once) and sizes[plan.steps_once[0]] <= plan.width
