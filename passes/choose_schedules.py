"""choose-schedules: write a `#kernel.schedule` on every kernel, from the machine and the shapes.

Before: kernel.func @k(...) attributes {access = ["read", "write"]}
After:  kernel.func @k(...) attributes {access = ["read", "write"],
          schedule = #kernel.schedule<"loops", {vector = 16 : i64, unroll = 4 : i64, tasks = 8 : i64, grain = 20000 : i64,
                                                reason = "..."}>}
The module may bring schedules along (`stepwell.schedules`, from a kernel's hash or name to its schedule, asked for by the user;
`stepwell.tuned`, by the tuner): they come first, and the tables are gone afterwards.
Needs: `stepwell.target` on the module (else the narrowest machine).  Keeps: schedules already there, but for those asked for.
Fails: InvalidProgramError for a `strategy` that does not exist, and for a schedule asked for that no kernel can have; a warning
for one that is asked for a kernel that does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from stepwell.dialects import kernel
from stepwell.ir.diagnostics import close_name, invalid
from stepwell.ir.machine import MachineDescription, machine_of
from stepwell.ir.passes import Pass
from stepwell.passes.preconditions import needs_tensors
from stepwell.passes.schedules.parameters import STRATEGIES, schedule
from stepwell.passes.schedules.records import SCHEDULES, TUNED, Records
from stepwell.passes.schedules.strategies import choose, scalar_parameters


@dataclass(frozen=True)
class ChooseSchedulesPass(Pass):
    """Choose a schedule for every kernel that has none."""

    name = "choose-schedules"

    strategy: str = ""
    """Force this strategy (docs/schedules.md) where it applies."""
    scalar: bool = False
    """Scalar loops everywhere, for debugging."""

    def apply(self, ctx: Context, op: Operation) -> None:
        """Annotate the kernels of the module."""
        del ctx
        assert isinstance(op, ModuleOp)
        needs_tensors(op, self.name, "step 3")
        if self.strategy and self.strategy not in STRATEGIES:
            hint = close_name(self.strategy, STRATEGIES) or f"there are {', '.join(STRATEGIES)}"
            raise invalid(op, f"'{self.name}' was asked for a strategy that does not exist: '{self.strategy}'", hint)
        records = Records.of(op)
        for inner in op.body.block.ops:
            if isinstance(inner, kernel.FuncOp):
                found = records.find(inner) or inner.schedule
                inner.properties["schedule"] = found or self._schedule(inner, machine_of(inner))
        records.warn_unused(op)
        for table in (SCHEDULES, TUNED):
            op.attributes.pop(table, None)

    def _schedule(self, func: kernel.FuncOp, machine: MachineDescription) -> kernel.ScheduleAttr:
        if self.scalar:
            return schedule("loops", scalar_parameters(machine), "scalar code asked for")
        strategy, parameters, reason = choose(func, machine, self.strategy)
        return schedule(strategy, parameters, reason)
