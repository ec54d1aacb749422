"""Which schedule a kernel gets on a machine whose vectors are held by subgroups, from the machine's numbers and the shapes.

Memory decides: how much a lane may load at once, whether rows fit registers, how many tasks fill the machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from xdsl.dialects import tensor
from xdsl.ir import Block, Operation, SSAValue

from stepwell.dialects import kernel
from stepwell.dialects.structured import StructuredOp
from stepwell.ir.dtypes import byte_width
from stepwell.ir.machine import MachineDescription
from stepwell.passes.fusion.rows import fill_blocks, fill_subgroups
from stepwell.passes.schedules.block_rows import cannot_segment, kept_bytes
from stepwell.passes.schedules.block_transpose import find_crossing
from stepwell.passes.schedules.kernel_builder import KernelBuilder, is_scheduled
from stepwell.passes.schedules.loops import depends, forward_within, groups_for, is_only_init, joins, selecting_nest
from stepwell.passes.schedules.merge import collapsed_type, merged_nest
from stepwell.passes.schedules.nest import Access, Nest, uses_dim
from stepwell.passes.schedules.plan import Machine, Plan, element_bytes
from stepwell.passes.schedules.rows import RowPass, RowShape, find_rows, plan_passes, row_nests
from stepwell.passes.schedules.space import Target
from stepwell.passes.schedules.subgroup_plan import LANE_BYTES, can_split, lane_elements, plan_lanes
from stepwell.passes.schedules.subgroup_rows import row_width

Choice = tuple[str, Mapping[str, int | str], str]
"""Strategy, parameters, reason."""

TASKS_PER_SLOT = 2
"""Tasks for each subgroup that can be on the machine at once."""
VECTORS_PER_TASK = 4
"""Vectors of a task, where the machine is full: enough for its index arithmetic to be little."""
KEPT = 32
"""Registers of a lane for a row; more would cost other subgroups their place."""
MOST_UNROLLED = 4
"""Vectors at once."""
FEWEST_VECTORS = 4
"""Vectors that a part of a split reduction has at least."""
MERGED_VECTORS = 32
"""Vectors of parts that one subgroup merges at most; it has several on the way."""
BLOCK_LANE_ELEMENTS = 8
"""Elements of a row for each lane of a block."""
BLOCK_LANE_BYTES = 32
"""And bytes of what is read."""
STREAMS = 2
"""Operands of which a lane can have as many vectors at once as it may; of more, fewer."""
RESERVED = 4096
"""Scratch of a block that is not for rows, but for the numbers of its subgroups."""
MOST_SUBGROUPS = 16
"""Subgroups of a block that does a row."""


class _Survey(KernelBuilder):
    """Looks at a kernel's nests without building anything: every value stands for itself."""

    def __init__(self, func: kernel.FuncOp):
        super().__init__(func, lambda builder, source, target: target)

    def value(self, old: SSAValue) -> SSAValue:
        """The value itself."""
        return old

    def look_at(self, op: Operation) -> None:
        """Note slices, which accesses go through."""
        if isinstance(op, tensor.ExtractSliceOp):
            self.pass_through(op)


@dataclass(frozen=True)
class _Phase:
    """A phase the `loops` strategy would make: nests over merged dims, and its plan."""

    nests: list[Nest]
    plan: Plan

    @property
    def points(self) -> int:
        """Size of the space."""
        return self.nests[0].points

    @property
    def targets(self) -> list[Target]:
        """Where the results would go."""
        return [Target(o, o.exprs) for n in self.nests for o in n.outputs]


def choose_simt(func: kernel.FuncOp, description: MachineDescription, forced: str = "") -> Choice:
    """The schedule of a kernel without a tiled contraction."""
    machine = probe(description)
    rows = find_rows(func)
    if isinstance(rows, RowShape) and forced in ("", "rows", "block-rows"):
        chosen = _by_rows(func, rows, description, machine, forced)
        if not isinstance(chosen, str):
            return chosen
        reason = chosen
    else:
        reason = rows if isinstance(rows, str) else "asked for"
    return _by_loops(func, description, machine, forced, reason)


def probe(description: MachineDescription) -> Machine:
    """What plans are made for before anything is chosen: vectors as wide as lanes can load them."""
    slots = description.cores * max(1, description.block_threads // description.subgroup)
    return Machine(
        min(description.vector_bytes, LANE_BYTES * description.subgroup),
        unroll=1,
        tasks=TASKS_PER_SLOT * slots,
        subgroup=description.subgroup,
        subgroups=8 if description.block_threads >= 8 * description.subgroup else 1,
        vectors=VECTORS_PER_TASK,
        split=TASKS_PER_SLOT * slots,
        kept=KEPT,
    )


def parameters(machine: Machine, **more: int) -> dict[str, int]:
    """The numbers of a schedule."""
    return {
        "vector": machine.vector_bytes,
        "unroll": machine.unroll,
        "subgroup": machine.subgroup,
        "subgroups": machine.subgroups,
        "tasks": machine.tasks,
        **more,
    }


# Loops.


def survey(func: kernel.FuncOp, machine: Machine) -> list[_Phase]:
    """The phases of the `loops` strategy."""
    looker = _Survey(func)
    phases: list[_Phase] = []
    group: list[Operation] = []
    for op in [*func.body.block.ops]:
        if is_scheduled(op) and group and joins(group, op):
            group.append(op)
            continue
        if is_scheduled(op) or depends(op, group):
            phases += _phase_of(looker, group, machine)
            group = [op] if is_scheduled(op) else []
        looker.look_at(op)
    return [*phases, *_phase_of(looker, group, machine)]


def _phase_of(looker: _Survey, ops: Sequence[Operation], machine: Machine) -> list[_Phase]:
    if not ops or is_only_init(ops[0]) or isinstance(ops[0], StructuredOp):
        return []
    nests = [selecting_nest(looker, op, ops) for op in ops]
    if any(0 in n.sizes for n in nests):
        return []
    forward_within(nests)
    groups = groups_for(nests, machine)
    if groups is not None:
        nests = [merged_nest(n, groups, _stand_in) for n in nests]
    return [_Phase(nests, plan_lanes(nests, machine))]


def _stand_in(value: SSAValue, runs: list[list[int]]) -> SSAValue:
    """A value of a collapsed tensor's type."""
    kind = collapsed_type(value.type, runs)
    return value if kind == value.type else Block(arg_types=[kind]).args[0]


def _by_loops(
    func: kernel.FuncOp, description: MachineDescription, machine: Machine, forced: str, reason: str
) -> Choice:
    phases = survey(func, machine)
    lanes, why = _lane_load(phases, machine, description)
    machine = replace(machine, vector_bytes=lanes)
    crossed = _crossed(phases, machine) if forced in ("", "block-transpose") else None
    if crossed is not None:
        machine = replace(machine, tile=crossed)
    split = max((_split(p, machine) for p in phases), default=1)
    machine = replace(machine, split=split)
    machine = replace(machine, unroll=_unroll(phases, machine))
    numbers = parameters(machine, vectors=machine.vectors, split=split)
    notes = [why]
    if any(p.plan.vector is None for p in phases):
        notes.append("a thread a point where no vector is as good")
    if split > 1:
        notes.append(f"{split} parts of a reduction to few points fill the machine")
    if crossed is not None:
        notes.insert(0, f"tiles of {crossed} x {crossed} read along one dim and written along another")
        numbers = {**numbers, "tile": crossed, "pad": machine.pad}
        return "block-transpose", numbers, f"{'; '.join(notes)}; {reason}"
    return "loops", numbers, f"one parallel phase per op or pointwise run, {'; '.join(notes)}; {reason}"


def _lane_load(phases: Sequence[_Phase], machine: Machine, description: MachineDescription) -> tuple[int, str]:
    """Bytes of a vector: what lanes may load at once where every row allows it and there is work for all."""
    widest = [p for p in phases if p.plan.vector is not None]
    if not widest:
        return machine.vector_bytes, "no vectors"
    loads: list[tuple[int, str]] = []
    for phase in widest:
        assert phase.plan.vector is not None
        size = element_bytes(phase.nests)
        elements = full = max(1, machine.vector_bytes // size // machine.subgroup)
        elements = min(elements, lane_elements(phase.nests, phase.plan.vector))
        why = "as much as lanes load at once" if elements == full else "as little as the start of rows allows"
        few = description.cores * machine.subgroups * machine.subgroup
        while elements > 1 and phase.points < few * elements:
            elements //= 2
            why = "little, so that little work has many tasks"
        loads.append((elements * size * machine.subgroup, f"{elements * size} bytes a lane at once: {why}"))
    return min(loads)


def _units(phase: _Phase, machine: Machine) -> tuple[int, int]:
    """Tasks of a phase with a vector each, or all that is reduced to one; and vectors in each."""
    nests, plan = phase.nests, phase.plan
    width = max(1, machine.vector_bytes // element_bytes(nests))
    vectors = {d: -(-nests[0].sizes[d] // (width if d == plan.vector else 1)) for d in nests[0].dims}
    return prod(vectors[d] for d in plan.outer), prod(vectors[d] for d in plan.inner)


def _split(phase: _Phase, machine: Machine) -> int:
    """Parts of a reduction that has too few tasks for the machine."""
    nest = phase.nests[0]
    if phase.plan.vector is None or not phase.plan.inner or not (can_split(nest) or nest.selection is not None):
        return 1
    tasks, inside = _units(phase, machine)
    # Lanes along what is reduced have several vectors at once, the others one: these take as many subgroups again.
    wanted = machine.tasks // (TASKS_PER_SLOT * (2 if phase.plan.vector in phase.plan.inner else 1)) // tasks
    merged = MERGED_VECTORS * max(1, machine.vector_bytes // element_bytes(phase.nests))
    parts = min(wanted, inside // FEWEST_VECTORS, merged)
    return parts if parts > 1 else 1


def _unroll(phases: Sequence[_Phase], machine: Machine) -> int:
    """Vectors at once: more where lanes load little, or there is more work than a full machine has in flight."""
    vectors = [p for p in phases if p.plan.vector is not None]
    unroll = 1
    while vectors and 2 * unroll <= MOST_UNROLLED and all(_unrolls(p, 2 * unroll, machine) for p in vectors):
        unroll *= 2
    return unroll


def _unrolls(phase: _Phase, unroll: int, machine: Machine) -> bool:
    """Whether a phase fills the machine with so many vectors at once, no lane loading more than two loads hold."""
    if machine.vector_bytes * unroll > 2 * LANE_BYTES * machine.subgroup:
        return False
    tasks, inside = _units(phase, machine)
    if phase.plan.vector in phase.plan.inner:
        return inside >= FEWEST_VECTORS * unroll * machine.split
    return tasks * (machine.split if phase.plan.inner else 1) >= unroll * machine.tasks


def _crossed(phases: Sequence[_Phase], machine: Machine) -> int | None:
    """Side of the tiles, when a phase reads along another dim than it writes along; larger for small elements."""
    for phase in phases:
        for tile in (2 * machine.subgroup, machine.subgroup):
            if tile > machine.subgroup and element_bytes(phase.nests) > 2:
                continue
            if find_crossing(phase.plan, phase.nests, phase.targets, replace(machine, tile=tile)) is not None:
                return tile
    return None


def crosses(func: kernel.FuncOp, machine: Machine) -> bool:
    """Whether some phase of the kernel goes through tiles of the machine's size."""
    phases = survey(func, machine)
    return any(find_crossing(p.plan, p.nests, p.targets, machine) is not None for p in phases)


# Rows.


@dataclass(frozen=True)
class _Rows:
    """What a choice among the forms of rows depends on."""

    shape: RowShape
    nests: list[Nest]
    passes: list[RowPass]

    @property
    def count(self) -> int:
        """How many leading dims."""
        return len(self.shape.sizes)

    @property
    def number(self) -> int:
        """How many rows."""
        return prod(self.shape.sizes)

    @property
    def length(self) -> int:
        """Points of the longest row."""
        return max(prod(p.rest) for p in self.passes)

    @property
    def what(self) -> str:
        """For reasons."""
        return f"{len(self.shape.ops)} ops share {self.count} leading dims"


def _rows_of(func: kernel.FuncOp, shape: RowShape) -> _Rows:
    nests = row_nests(shape, _Survey(func).nest)
    return _Rows(shape, nests, plan_passes(nests, len(shape.sizes)))


def _by_rows(
    func: kernel.FuncOp, shape: RowShape, description: MachineDescription, machine: Machine, forced: str
) -> Choice | str:
    """A schedule by rows, or why it is none."""
    rows = _rows_of(func, shape)
    if any(0 in n.sizes for n in rows.nests):
        return "rows", parameters(machine), "there is nothing to compute"
    machine = replace(machine, vector_bytes=_row_load(rows.passes, rows.count, machine))
    held = all(len(p.rest) < 2 for p in rows.passes)
    held = held and row_width(rows.length, machine, element_bytes(rows.nests)) is not None
    segments = cannot_segment(rows.passes, rows.count, machine) is None
    if segments and (forced == "block-rows" or (not forced and (not held or _few_long_rows(rows, description)))):
        if not forced and not fill_blocks(rows.number, rows.length, description):
            return f"{rows.number} rows of {rows.length} leave most of the machine idle"
        return _by_blocks(rows, description, machine)
    obstacle = _row_obstacle(rows.passes, rows.count, machine)
    if obstacle is None and not fill_subgroups(rows.number, rows.length, description, machine.subgroups):
        obstacle = f"{rows.number} rows of {rows.length}, which subgroups do one by one, leave most of the machine idle"
    if obstacle is not None and not forced:
        return obstacle
    while machine.subgroups > 1 and rows.number < description.cores * machine.subgroups:
        machine = replace(machine, subgroups=machine.subgroups // 2)
    where = "in registers" if held else "through scratch"
    reason = f"{rows.what}, a subgroup does a row of {rows.length}, held {where}"
    return "rows", parameters(machine, kept=machine.kept, shared=description.shared_bytes), reason


def _by_blocks(rows: _Rows, description: MachineDescription, machine: Machine) -> Choice:
    """Rows in segments, kept in as much scratch as they need and the machine has."""
    leaving = [o.original for n in rows.nests for o in n.outputs if _leaves(o.original, rows.shape)]
    kept = kept_bytes(rows.nests, rows.passes, rows.count, leaving)
    most = description.shared_bytes if kept <= description.shared_bytes else description.shared_limit
    machine = replace(machine, subgroups=_row_subgroups(rows, description))
    machine = replace(machine, unroll=_row_unroll(rows, machine))
    reason = f"{rows.what}, {machine.subgroups} subgroups do a row of {rows.length}"
    return "block-rows", parameters(machine, shared=max(0, most - RESERVED)), reason


def segment_obstacle(func: kernel.FuncOp, shape: RowShape, machine: Machine) -> str | None:
    """Why the subgroups of a block cannot do a row of the kernel together; None when they can."""
    rows = _rows_of(func, shape)
    return cannot_segment(rows.passes, rows.count, machine)


def _leaves(value: SSAValue, rows: RowShape) -> bool:
    return any(u.operation not in rows.row_dims for u in value.uses)


def _row_load(passes: Sequence[RowPass], count: int, machine: Machine) -> int:
    """Bytes of a vector along the rows."""
    loads = [machine.vector_bytes]
    for group in passes:
        plan = plan_lanes(group.nests, machine, range(count))
        if plan.vector is not None:
            size = element_bytes(group.nests)
            loads.append(lane_elements(group.nests, plan.vector) * size * machine.subgroup)
    return min(loads)


def _few_long_rows(rows: _Rows, description: MachineDescription) -> bool:
    """Whether rows are too few for the machine, and long enough for several subgroups."""
    enough = 4 * BLOCK_LANE_ELEMENTS * description.subgroup
    return rows.number < 4 * description.cores and rows.length >= enough


def _row_subgroups(rows: _Rows, description: MachineDescription) -> int:
    """Subgroups for a row: some bytes of what is read for each lane, a power of two."""
    most = min(MOST_SUBGROUPS, description.block_threads // description.subgroup)
    narrowest = min([byte_width(a.element) for a in _streams(rows)], default=1)
    each = max(BLOCK_LANE_ELEMENTS, BLOCK_LANE_BYTES // narrowest)
    wanted = max(2, rows.length // (each * description.subgroup))
    return min(most, 1 << (wanted.bit_length() - 1))


def _row_unroll(rows: _Rows, machine: Machine) -> int:
    """Vectors of a segment at once: as many as it has, and few where each is of several operands."""
    vectors = rows.length // (machine.subgroups * max(1, machine.vector_bytes // element_bytes(rows.nests)))
    most = MOST_UNROLLED // max(1, -(-len(_streams(rows)) // STREAMS))
    unroll = 1
    while 2 * unroll <= min(vectors, most):
        unroll *= 2
    return unroll


def _streams(rows: _Rows) -> list[Access]:
    """What is read of memory along the rows, each once."""
    found: dict[SSAValue, Access] = {}
    for nest in rows.nests:
        for position, access in enumerate(nest.inputs):
            if not isinstance(access, Access) or position in nest.forwarded or access.value.owner in rows.shape.ops:
                continue
            if uses_dim(access.exprs, len(nest.sizes) - 1):
                found.setdefault(access.value, access)
    return list(found.values())


def _row_obstacle(passes: Sequence[RowPass], count: int, machine: Machine) -> str | None:
    """Why a subgroup should not do a row: a pass in which all its lanes would do the same for long."""
    for group in passes:
        if prod(group.rest) > machine.subgroup and plan_lanes(group.nests, machine, range(count)).vector is None:
            return "a pass over a row has no vector form"
    return None


__all__ = ["Choice", "choose_simt", "crosses", "parameters", "probe", "segment_obstacle", "survey"]
