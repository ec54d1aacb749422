"""The registered strategies: which applies to a kernel, with which parameters, and how to carry one out."""

from __future__ import annotations

from xdsl.dialects.builtin import IntegerAttr
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Operation, SSAValue

from stepwell.dialects import kernel
from stepwell.ir.machine import MachineDescription
from stepwell.ir.structured import indexing_maps, iterator_kinds
from stepwell.passes.schedules.kernel_builder import KernelBuilder
from stepwell.passes.schedules.loops import schedule_loops
from stepwell.passes.schedules.nest import Access, Nest, generic_extents, generic_outputs
from stepwell.passes.schedules.rows import RowShape, find_rows, row_nests, rows_cost, schedule_rows
from stepwell.passes.schedules.space import Machine, plan_space

Choice = tuple[str, dict[str, int], str]
"""Strategy, parameters, reason."""

GRAIN = 30_000
"""Nanoseconds of estimated work worth a task."""


def choose(func: kernel.FuncOp, machine: MachineDescription, forced: str = "") -> Choice:
    """The schedule of a kernel on a machine."""
    common = {
        "vector": machine.vector_bytes,
        "unroll": 4,
        "tasks": machine.cores * 4 if machine.cores > 1 else 1,
        "grain": GRAIN,
    }
    rows = find_rows(func)
    if isinstance(rows, RowShape) and forced in ("", "rows"):
        costs = _costs(rows, Machine(machine.vector_bytes))
        if forced or costs[0] <= 1.25 * costs[1]:
            return "rows", common, f"{len(rows.ops)} ops share {len(rows.sizes)} leading dims"
        rows = "the rows are not contiguous"
    reason = rows if isinstance(rows, str) else "asked for"
    return "loops", common, f"one vectorized parallel phase per op or pointwise run: {reason}"


def _costs(rows: RowShape, machine: Machine) -> tuple[float, float]:
    """Estimated work by rows, and op by op."""
    nests = {op: _dry_nest(op) for op in rows.ops}
    by_rows = rows_cost(rows, row_nests(rows, lambda op: nests[op]), machine)
    by_ops = sum(n.points * plan_space([n], machine).cost for n in nests.values())
    return by_rows, by_ops


def _dry_nest(op: Operation) -> Nest:
    """A generic as a nest over the kernel's own values, for cost questions."""
    assert isinstance(op, linalg.GenericOp)
    inputs: list[Access | SSAValue] = [
        Access(v, m.results) if hasattr(v.type, "shape") else v
        for v, m in zip(op.inputs, indexing_maps(op), strict=False)
    ]
    kinds = tuple(k != "parallel" for k in iterator_kinds(op))
    return Nest(generic_extents(op), kinds, inputs, generic_outputs(op), op.body.block, op.location)


def carry_out(func: kernel.FuncOp, schedule: kernel.ScheduleAttr) -> None:
    """Rebuild the kernel's body as its schedule says."""
    numbers = {name: value.value.data for name, value in schedule.params.data.items() if isinstance(value, IntegerAttr)}
    machine = Machine(
        numbers.get("vector", 0), numbers.get("unroll", 1), numbers.get("tasks", 1), numbers.get("grain", GRAIN)
    )
    builder = KernelBuilder(func)
    rows = find_rows(func) if schedule.strategy.data == "rows" else ""
    if isinstance(rows, RowShape):
        schedule_rows(builder, rows, machine)
    else:
        schedule_loops(builder, machine)
    builder.finish()
