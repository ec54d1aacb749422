"""apply-schedule: rebuild a kernel as its `#kernel.schedule` says: phases of tiled, vectorized loops.

Before: %r = linalg.generic {...} ins(%x) outs(%e) {^bb0(%a: f32, %b: f32): %y = arith.addf %a, %a ...}
After:  %r = scf.forall (%t) in (4) shared_outs(%o = %out) -> (tensor<1000xf32>) {
          %v = vector.transfer_read %x[%i], %z {in_bounds = [true]} : tensor<1000xf32>, vector<64xf32> ...
Needs: step 3, a schedule (see choose-schedules).  Keeps: kernels without one.
Fails: UnsupportedError for an op or shape that has no schedule, by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.context import Context
from xdsl.ir import Operation

from stepwell.dialects import kernel
from stepwell.ir.passes import Pass
from stepwell.passes.preconditions import needs_tensors
from stepwell.passes.schedules.strategies import carry_out


@dataclass(frozen=True)
class ApplySchedulePass(Pass):
    """Carry out the schedule of a kernel."""

    name = "apply-schedule"
    anchor: ClassVar[str] = "kernel.func"
    numerics = "rounding"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Rebuild the kernel's body."""
        del ctx
        assert isinstance(op, kernel.FuncOp)
        needs_tensors(op, self.name, "step 3")
        if op.schedule is not None:
            carry_out(op, op.schedule)
