"""The `rows` strategy where subgroups hold vectors: a row is a subgroup's task.

A row that fits the registers of the lanes is one vector: passes hand it on as a value, and memory sees it once. A longer
one goes through scratch of the subgroup, or through launch scratch when that is too small for it. A row of a few points
is a thread's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Operation, SSAValue

from stepwell.dialects import kernel
from stepwell.ir.dtypes import byte_width
from stepwell.passes.schedules.emit import Index
from stepwell.passes.schedules.kernel_builder import KernelBuilder, Slice
from stepwell.passes.schedules.nest import Access, Nest, Output
from stepwell.passes.schedules.plan import Machine, Plan, element_bytes, keeps_vectors
from stepwell.passes.schedules.rows import RowPass, RowShape, RowsPhase, is_row
from stepwell.passes.schedules.subgroup_plan import plan_lanes

REGISTER_BYTES = 4
"""What a register of a lane holds: one element, or part of one."""
SHORT = 4
"""Rows that fill less than one lane in so many are done by a thread each."""


def row_width(size: int, machine: Machine, bytes_per_element: int) -> int | None:
    """Elements of the vector that holds a row of `size` points in registers; None when they are too few."""
    if size * max(1, bytes_per_element // REGISTER_BYTES) > machine.subgroup * machine.kept:
        return None
    loaded = max(1, machine.vector_bytes // bytes_per_element // machine.subgroup)
    while loaded > 1 and size < loaded * machine.subgroup:
        loaded //= 2
    whole = loaded * machine.subgroup
    return -(-size // whole) * whole


def reads_of(nest: Nest) -> Iterator[Access]:
    """The tensors a nest reads: inputs, and what its results start from."""
    for access in (*nest.inputs, *(o.init for o in nest.outputs)):
        if isinstance(access, Access):
            yield access


class SubgroupRows(RowsPhase):
    """Emits the phase: a task per row."""

    scope = kernel.ScratchScope.SUBGROUP

    def __init__(self, builder: KernelBuilder, rows: RowShape, machine: Machine):
        super().__init__(builder, rows, machine)
        self.output_of = {o.original: o for n in self.nests for o in n.outputs}
        self.level = kernel.Level.SUBGROUP
        if all(plan.vector is None for plan in self.plans):
            self.level = kernel.Level.THREAD
        self.spilled = self._spilled()

    def plan(self, group: RowPass) -> Plan:
        """One vector for all passes over rows of one extent, so that they can hand it on; none for very short rows."""
        machine = self.machine
        if all(prod(p.rest) * SHORT <= machine.subgroup for p in self.passes):
            return plan_lanes(group.nests, replace(machine, vector_bytes=0), range(self.count))
        alike = [n for p in self.passes for n in p.nests if p.rest == group.rest]
        width = row_width(group.rest[0], machine, element_bytes(alike)) if len(group.rest) == 1 else None
        plan = plan_lanes(group.nests, machine, range(self.count))
        return replace(plan, width=width) if width is not None and plan.steps_once else plan

    def passes_on(self, access: Access, number: int) -> bool:
        """Numbers always; rows when both passes are one vector and the reader wants the same points."""
        output, made = self.output_of[access.value], self.pass_of[access.value]
        if not is_row(output, self.count):
            return True
        if output.reduced or self.passes[made].rest != self.passes[number].rest:
            return False
        if access.exprs[self.count :] != output.exprs[self.count :]:
            return False
        return all(keeps_vectors(self.plans[n], self.passes[n].nests[0].sizes) for n in (made, number))

    def is_kept(self, output: Output, number: int) -> bool:
        """Whether a later pass reads a row that no register holds for it."""
        if not is_row(output, self.count):
            return False
        for later in range(number + 1, len(self.passes)):
            accesses = [a for n in self.passes[later].nests for a in reads_of(n) if a.value is output.original]
            if any(not self.passes_on(a, later) for a in accesses):
                return True
        return False

    def _spilled(self) -> list[tuple[Operation, Output]]:
        """Results that need a scratch row beyond what the subgroups of a block have together; a thread has none."""
        returned = [o.original for _, o in self.returned]
        left = 0 if self.level is kernel.Level.THREAD else self.machine.shared_bytes // self.machine.subgroups
        spilled: list[tuple[Operation, Output]] = []
        for op, nest in zip(self.rows.ops, self.nests, strict=True):
            for output in nest.outputs:
                if output.original in returned or not self.is_kept(output, self.pass_of[output.original]):
                    continue
                size = prod(output.shape[self.count :]) * byte_width(output.element)
                if size > left:
                    spilled.append((op, output))
                else:
                    left -= size
        return spilled

    def emit(self) -> None:
        """The forall over all row dims, and what its results are called from now on."""
        builder = self.builder
        homes = self.destinations()
        spills = [builder.scratch(o.original.type, kernel.ScratchScope.LAUNCH) for _, o in self.spilled]
        kept_outside = len(self.returned)
        self.returned += self.spilled
        results = builder.phase(self.rows.sizes, [*homes, *spills], self._row_task, self.level)
        for (_, output), home, result in zip(self.returned[:kept_outside], homes, results, strict=False):
            builder.define(output.original, result, builder.home(home))

    def _row_task(self, task: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
        places: list[tuple[list[Index], list[Index]]] = []
        slices: list[SSAValue] = []
        for out in outs:
            assert isinstance(out.type, TensorType)
            rest = out.type.get_shape()[self.count :]
            places.append(([*task, *(0 for _ in rest)], [*(1 for _ in task), *rest]))
            slices.append(self.builder.slice_of(out, *places[-1]))
        last = self.row(list(task), [0] * self.count, slices)
        self.builder.em.location = self.rows.ops[0].location
        return [(v, o, s) for v, (o, s) in zip(last, places, strict=True)]


__all__ = ["SubgroupRows", "reads_of", "row_width"]
