"""The registered strategies: which applies to a kernel, with which parameters, and how to carry one out."""

from __future__ import annotations

from stepwell.dialects import kernel
from stepwell.ir.machine import MachineDescription
from stepwell.passes.schedules.kernel_builder import KernelBuilder
from stepwell.passes.schedules.loops import schedule_loops
from stepwell.passes.schedules.space import Machine

Choice = tuple[str, dict[str, int], str]
"""Strategy, parameters, reason."""

GRAIN = 30_000
"""Nanoseconds of estimated work worth a task."""


def choose(func: kernel.FuncOp, machine: MachineDescription, forced: str = "") -> Choice:
    """The schedule of a kernel on a machine."""
    del func, forced
    common = {
        "vector": machine.vector_bytes,
        "unroll": 4,
        "tasks": machine.cores * 4 if machine.cores > 1 else 1,
        "grain": GRAIN,
    }
    return "loops", common, "one vectorized parallel phase per op or pointwise run"


def carry_out(func: kernel.FuncOp, schedule: kernel.ScheduleAttr) -> None:
    """Rebuild the kernel's body as its schedule says."""
    parameters = {name: getattr(value, "value", None) for name, value in schedule.params.data.items()}
    numbers = {name: value.data for name, value in parameters.items() if value is not None}
    builder = KernelBuilder(func)
    machine = Machine(
        numbers.get("vector", 0), numbers.get("unroll", 1), numbers.get("tasks", 1), numbers.get("grain", GRAIN)
    )
    schedule_loops(builder, machine)
    builder.finish()
