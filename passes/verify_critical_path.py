"""verify-critical-path: what a function whose latency counts does at run time neither allocates nor leaves compiled code.

Before and after:  func.func @main(...) attributes {stepwell.latency_target_ns = 2000 : i64} { ... }

Compiled code has all of its memory from its caller (arguments, the arena, a slab for workers) or on the stack, so there is nothing to
take out: this holds it to that, for the function, what it calls and what it launches.

Needs: step 5 with its memory planned, or step 6.  Keeps: everything.
Fails: InvalidProgramError for an op that allocates or frees; UnsupportedError for a call of Python, and for one of a function that is
not of the module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from stepwell.dialects import kernel
from stepwell.dialects.stepwell import LATENCY_TARGET
from stepwell.ir.diagnostics import invalid, unsupported
from stepwell.ir.passes import Pass
from stepwell.passes.critical_path import latency_target
from stepwell.passes.preconditions import needs_buffers

_MEMORY = ("memref.alloc", "memref.dealloc", "memref.realloc")
_ELSEWHERE = {
    "rt.call_external": "what it calls may allocate, or wait",
    "structured.host_call": "it calls Python, which allocates, and may wait for other threads",
}


@dataclass(frozen=True)
class VerifyCriticalPathPass(Pass):
    """Refuse functions whose latency counts that allocate, or call what may."""

    name = "verify-critical-path"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Look at all that marked functions reach."""
        del ctx
        assert isinstance(op, ModuleOp)
        symbols = {f.sym_name.data: f for f in op.body.block.ops if isinstance(f, func.FuncOp | kernel.FuncOp)}
        reached = {name: None for name, f in symbols.items() if latency_target(f) is not None}
        if not reached:
            return
        needs_buffers(op, self.name)
        pending = list(reached)
        while pending:
            for inner in symbols[pending.pop()].walk():
                callee = _checked(inner, symbols)
                if callee is not None and callee not in reached:
                    reached[callee] = None
                    pending.append(callee)


def _checked(op: Operation, symbols: Mapping[str, Operation]) -> str | None:
    """What an op calls, once it is known to be harmless."""
    if op.name in _MEMORY:
        reason = f"manages memory at run time, which a function with a {LATENCY_TARGET} may not"
        raise invalid(op, reason, "run plan-memory first")
    if op.name in _ELSEWHERE:
        raise unsupported(op, f"a function with a {LATENCY_TARGET} reaches it, and {_ELSEWHERE[op.name]}")
    if not isinstance(op, func.CallOp | kernel.LaunchOp):
        return None
    name = op.callee.root_reference.data
    function = symbols.get(name)
    if function is None or (isinstance(function, func.FuncOp) and function.is_declaration):
        reason = f"a function with a {LATENCY_TARGET} calls @{name}, of which nobody here knows what it does"
        raise unsupported(op, reason)
    return name
