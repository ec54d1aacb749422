"""estimate-costs: write on every kernel what it has to compute and to move.

Before: kernel.func @k(%x: tensor<1000xf32>, %out: tensor<1000xf32>) -> tensor<1000xf32> {... one addf a point ...}
After:  the same, attributes {kernel.cost = {bytes_read = 4000 : i64, bytes_written = 4000 : i64, element = "f32",
          flops = 1000 : i64, integer_ops = 0 : i64, work = 2000 : i64}}

Each input counts once, however often it is read, and only as far as it is reached (a slice, the rows a gather can name); each
output once. An op on floats is one flop, a square root or an exponential too; `work` weighs ops by what they cost a core,
in halves of a multiply-add. `element` is the type that most flops are in.

Needs: step 3.  Keeps: everything else.  Used by `stepwell explain` and profiles; compiling does not need it.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import DictionaryAttr, IntegerAttr, ModuleOp, StringAttr, i64
from xdsl.ir import Operation

from stepwell.dialects import kernel
from stepwell.ir.passes import Pass
from stepwell.passes.costs.counts import Counts, operations_of
from stepwell.passes.costs.traffic import bytes_of
from stepwell.passes.preconditions import needs_tensors

COST = "kernel.cost"
"""Name of the attribute."""


@dataclass(frozen=True)
class EstimateCostsPass(Pass):
    """Write flops and bytes on every kernel."""

    name = "estimate-costs"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Annotate the kernels of the module that have no cost yet."""
        del ctx
        assert isinstance(op, ModuleOp)
        needs_tensors(op, self.name, "step 3")
        for function in op.body.block.ops:
            if isinstance(function, kernel.FuncOp) and COST not in function.attributes:
                function.attributes[COST] = _cost(function)


def _cost(function: kernel.FuncOp) -> DictionaryAttr:
    counts = Counts()
    for op in function.body.block.ops:
        counts.add(operations_of(op))
    read, written = bytes_of(function)
    entries = {
        "bytes_read": IntegerAttr(read, i64),
        "bytes_written": IntegerAttr(written, i64),
        "element": StringAttr(counts.element),
        "flops": IntegerAttr(counts.flops, i64),
        "integer_ops": IntegerAttr(counts.integer_ops, i64),
        "work": IntegerAttr(counts.work, i64),
    }
    return DictionaryAttr(entries)
