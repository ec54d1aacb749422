"""deduplicate-kernels: equal kernels become one symbol, launched several times.

Before: `kernel.func @k0 {...}`, `kernel.func @k1 {... the same ...}`, launches of both
After:  `kernel.func @k0 {...}`, launches of @k0

Needs: step 3. Keeps: the first of each class of structurally equal kernels (names, locations and explanations apart).
Linear: one hash a kernel.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, SymbolRefAttr
from xdsl.ir import Operation
from xdsl.rewriter import Rewriter

from stepwell.dialects import kernel
from stepwell.ir.passes import Pass
from stepwell.passes.schedules.records import kernel_hash


@dataclass(frozen=True)
class DeduplicateKernelsPass(Pass):
    """Merge structurally equal kernels."""

    name = "deduplicate-kernels"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Keep the first kernel of each class and retarget the launches of the others."""
        assert isinstance(op, ModuleOp)
        kept: dict[tuple[str, kernel.ScheduleAttr | None], str] = {}
        renamed: dict[str, str] = {}
        for function in list(op.body.block.ops):
            if not isinstance(function, kernel.FuncOp):
                continue
            name = function.sym_name.data
            same = kept.setdefault((kernel_hash(function), function.schedule), name)
            if same != name:
                renamed[name] = same
                Rewriter.erase_op(function)
        if not renamed:
            return
        for launch in op.walk():
            if isinstance(launch, kernel.LaunchOp):
                callee = launch.callee.root_reference.data
                if callee in renamed:
                    launch.properties["callee"] = SymbolRefAttr(renamed[callee])
