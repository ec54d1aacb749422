"""Planning for a machine whose vectors are held by a subgroup of lanes: which dim, how wide, how many tasks.

A vector there is as wide as the subgroup times what a lane loads at once. A dim that fills no subgroup is not worth one:
then each thread does a point, and neighbouring threads neighbouring points.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, prod

from xdsl.ir.affine import AffineExpr, AffineSymExpr

from stepwell.ir.dtypes import byte_width
from stepwell.passes.schedules.lanes import can_vectorize
from stepwell.passes.schedules.nest import Access, Nest, Output, coefficient, is_contiguous, step_in_memory, uses_dim
from stepwell.passes.schedules.plan import Machine, Plan, body_cost, element_bytes, legal
from stepwell.passes.schedules.space import Target
from stepwell.passes.schedules.tasks import Cut, cut_dim, step_of

LANE_BYTES = 16
"""What a lane loads at once, at most."""
ON_THE_WAY = 64
"""Bytes that a lane should have asked of memory before it waits: enough subgroups to hide the rest fit a core."""
MOST_AT_ONCE = 8
"""Trips of a loop next to each other, at most."""
HEAVY = 16
"""Simple ops per point from which on a trip has enough to do on its own."""
SECTOR_BYTES = 32
"""What memory moves at once, at least."""
DELINEARIZED = 4
"""Simple ops that find one index of a task's number."""


def plan_lanes(nests: Sequence[Nest], machine: Machine, fixed: Sequence[int] = ()) -> Plan:
    """Loop order and vector dim for fused nests of one space; no vector dim means a thread a point."""
    first = nests[0]
    free = [d for d in first.dims if d not in fixed]
    reduced = [d for d in free if any(n.reduction[d] for n in nests)]
    parallel = _stored_order(nests, [d for d in free if d not in reduced])
    cost = _thread_cost(nests, parallel, reduced, machine)
    best = Plan(tuple(parallel), tuple(reduced), None, 1, cost, at_once=trips_at_once(nests, 1))
    if machine.vector_bytes == 0 or not all(can_vectorize(n.body) for n in nests):
        return best
    if fixed:
        # Inside a row there is nobody to do a point each: any vector is better than all lanes doing the same.
        best = Plan(best.outer, best.inner, None, 1, float("inf"))
    for dim in free:
        if first.sizes[dim] < 2 or not legal(nests, dim):
            continue
        cost = _vector_cost(nests, dim, parallel, reduced, machine)
        if cost < best.cost:
            outer = [d for d in parallel if d != dim] + ([dim] if dim in parallel else [])
            inner = [d for d in reduced if d != dim] + ([dim] if dim in reduced else [])
            width = vector_width(first.sizes[dim], machine, element_bytes(nests))
            at_once = trips_at_once(nests, max(1, width // machine.subgroup))
            best = Plan(tuple(outer), tuple(inner), dim, width, cost, subgroup=machine.subgroup, at_once=at_once)
    return best


def trips_at_once(nests: Sequence[Nest], elements: int) -> int:
    """Trips of an innermost loop to do next to each other, when one reads `elements` a lane of each input."""
    if sum(body_cost(n) for n in nests) > HEAVY:
        return 1
    read = [a for n in nests for i, a in enumerate(n.inputs) if isinstance(a, Access) and i not in n.forwarded]
    each = sum(elements * byte_width(a.element) for a in read)
    return min(MOST_AT_ONCE, max(1, ON_THE_WAY // max(1, each)))


def vector_width(size: int, machine: Machine, bytes_per_element: int) -> int:
    """Elements of a vector along a dim of `size` points: whole subgroups, no more than needed."""
    widest = max(machine.subgroup, machine.vector_bytes // bytes_per_element) * machine.unroll
    return min(widest, -(-size // machine.subgroup) * machine.subgroup)


def _stored_order(nests: Sequence[Nest], dims: Sequence[int]) -> list[int]:
    """Parallel dims as the first result has them in memory, so that neighbouring tasks write neighbouring points."""
    exprs = nests[0].outputs[0].exprs
    places = {d: i for i, e in enumerate(exprs) for d in e.used_dims()}
    return sorted(dims, key=lambda d: places.get(d, -1))


def _traffic(nests: Sequence[Nest], dim: int | None) -> float:
    """Simple ops per point: those of the bodies, and accesses by the memory they move when lanes differ in `dim`."""
    total = 0.0
    for nest in nests:
        total += body_cost(nest) + sum(_moved(o, o.shape, dim) for o in nest.outputs)
        for position, access in enumerate(nest.inputs):
            if isinstance(access, Access) and position not in nest.forwarded:
                total += _moved(access, access.shape, dim)
    return total


def _moved(access: Access | Output, shape: Sequence[int], dim: int | None) -> float:
    """Memory moved per point, in elements."""
    if dim is None or not uses_dim(access.exprs, dim):
        return 0.1
    most = SECTOR_BYTES / byte_width(access.element)
    if is_contiguous(access.exprs, dim):
        return 1.0
    step = step_in_memory(access, dim) if isinstance(access, Access) else None
    return most if step is None else min(most, 1.0 + abs(step))


def _idle(lanes: float, reduced: Sequence[int], machine: Machine) -> float:
    """How many times longer a reduction takes because it has fewer lanes than the machine."""
    return max(1.0, machine.tasks * machine.subgroup / 4 / max(1.0, lanes)) if reduced else 1.0


def _thread_cost(nests: Sequence[Nest], parallel: Sequence[int], reduced: Sequence[int], machine: Machine) -> float:
    points = prod(nests[0].sizes[d] for d in parallel)
    last = parallel[-1] if parallel else None
    cost = _traffic(nests, last) + DELINEARIZED * len(parallel)
    return cost / machine.subgroup * _idle(points, reduced, machine)


def _vector_cost(
    nests: Sequence[Nest], dim: int, parallel: Sequence[int], reduced: Sequence[int], machine: Machine
) -> float:
    size = nests[0].sizes[dim]
    filled = size / (-(-size // machine.subgroup) * machine.subgroup)
    cost = _traffic(nests, dim) / (machine.subgroup * filled)
    if machine.split > 1 and all(can_split(n) for n in nests):
        return cost
    points = prod(nests[0].sizes[d] for d in parallel)
    lanes = points * machine.subgroup if dim in reduced else points / filled
    return cost * _idle(lanes, reduced, machine)


def can_split(nest: Nest) -> bool:
    """Whether parts of all its reductions can be merged later."""
    return all(o.combiner is not None for o in nest.outputs if o.reduced)


def lane_elements(nests: Sequence[Nest], dim: int) -> int:
    """Consecutive elements along `dim` that a lane may load at once: all rows start at multiples of so many."""
    elements = LANE_BYTES // min(LANE_BYTES, element_bytes(nests))
    for nest in nests:
        read = [a for i, a in enumerate(nest.inputs) if isinstance(a, Access) and i not in nest.forwarded]
        for access in (*read, *nest.outputs):
            if uses_dim(access.exprs, dim) and is_contiguous(access.exprs, dim):
                elements = gcd(elements, _row_offsets(access, dim))
    return elements


def _row_offsets(access: Access | Output, dim: int) -> int:
    """The greatest common divisor of the places, in elements, where vectors along `dim` may start."""
    found, stride = 0, 1
    for expr, extent in zip(reversed(access.exprs), reversed(access.shape), strict=True):
        steps = [coefficient(expr, d) for d in sorted(expr.used_dims()) if d != dim]
        if None in steps or any(isinstance(e, AffineSymExpr) for e in expr.dfs()):
            found = gcd(found, stride)
        for step in (*steps, _at_origin(expr)):
            found = gcd(found, stride * (step or 0))
        stride *= extent
    return found


def _at_origin(expr: AffineExpr) -> int:
    """The value of an expression where all dims and symbols are 0."""
    symbols = [e.position for e in expr.dfs() if isinstance(e, AffineSymExpr)]
    return expr.eval([0] * (1 + max(expr.used_dims(), default=-1)), [0] * (1 + max(symbols, default=-1)))


def choose_cuts(plan: Plan, nests: Sequence[Nest], targets: Sequence[Target], machine: Machine) -> list[Cut]:
    """The parallel dims cut over tasks: as many tasks as there are units of work, larger ones once they fill the machine.

    A unit is a vector (with all that is reduced into it), or a row of reduced vectors, or a thread's point.
    """
    sizes = nests[0].sizes
    dims = [d for d in plan.outer if sizes[d] > 1 and all(step_of(t, d) is not None for t in targets)]
    if plan.vector is None:
        return [cut_dim(d, sizes[d], 1) for d in dims]
    grain = {d: plan.width if d == plan.vector else 1 for d in dims}
    units = {d: -(-sizes[d] // grain[d]) for d in dims}
    inside = prod(-(-sizes[d] // (plan.width if d == plan.vector else 1)) for d in nests[0].dims if d not in dims)
    each = max(1, min(prod(units.values()) // max(1, machine.tasks), machine.vectors // max(1, inside)))
    cuts: list[Cut] = []
    for dim in reversed(dims):
        chunk = _chunk(units[dim], each)
        each = max(1, each // chunk)
        if chunk < units[dim]:
            cuts.append(cut_dim(dim, sizes[dim], chunk * grain[dim]))
    return cuts[::-1]


def _chunk(units: int, most: int) -> int:
    """Units of a task: equal pieces if about so many can be, since then every task knows its extent; else about equal."""
    for chunk in range(min(units, most), most // 2, -1):
        if units % chunk == 0:
            return chunk
    return -(-units // -(-units // most))


__all__ = ["can_split", "choose_cuts", "lane_elements", "plan_lanes", "trips_at_once", "vector_width"]
