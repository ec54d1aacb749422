"""expand-custom-calls: custom calls with a known target as StableHLO.

Before:
```mlir
%x = stablehlo.custom_call @lapack_strsm_ffi(%a, %b) {mhlo.backend_config = {side = 76 : ui8, ...}} : ...
```
After:
```mlir
%x = "stablehlo.triangular_solve"(%a, %b) <{left_side = true, lower = true, ...}> : ...
```
Known are the LAPACK routines that JAX calls on a CPU (Cholesky, LU and QR factors, eigenvalues of symmetric matrices, singular
values, triangular solves), `ApproxTopK` (exactly), annotations, and what `stepwell.register_custom_call` has registered, which wins.

Keeps: `shape_assertion`, which belongs to `refine-shapes`, and calls of callbacks, which call Python when the program runs.
Fails: with a diagnostic for every other target.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import CallSiteLoc, LocationAttr, UnknownLoc
from xdsl.ir import Operation, SSAValue

from stepwell.dialects.stablehlo import CustomCallOp
from stepwell.dialects.stablehlo.custom_calls import (
    ANNOTATIONS,
    APPROXIMATE_TOP_K,
    DEEPEST,
    check_callback,
    meaning_of,
    never_ends,
    registered_targets,
    unknown_target,
)
from stepwell.dialects.stablehlo.lapack import is_lapack
from stepwell.ir.host_calls import callback_of
from stepwell.ir.passes import Pass
from stepwell.passes.custom_calls.annotations import expand_annotation
from stepwell.passes.custom_calls.approximate_top_k import expand_approximate_top_k
from stepwell.passes.custom_calls.lapack import expand_lapack
from stepwell.passes.hlo import replace
from stepwell.passes.symbol_dce import SymbolDCEPass

KEPT = ("shape_assertion",)
"""Targets that other passes take."""
EXPANSIONS: dict[str, Callable[[CustomCallOp], Sequence[SSAValue]]] = {
    **dict.fromkeys(ANNOTATIONS, expand_annotation),
    APPROXIMATE_TOP_K: expand_approximate_top_k,
}
"""What calls of single targets become."""


def _expansion(target: str) -> Callable[[CustomCallOp], Sequence[SSAValue]] | None:
    return expand_lapack if is_lapack(target) else EXPANSIONS.get(target)


def _call_site(callee: LocationAttr, caller: LocationAttr) -> LocationAttr:
    if isinstance(caller, UnknownLoc):
        return callee
    return caller if isinstance(callee, UnknownLoc) else CallSiteLoc(callee, caller)


def _inlined(op: CustomCallOp) -> tuple[list[SSAValue], list[CustomCallOp]]:
    """(what a registered target returns, as values in front of the call; the custom calls in there)."""
    meaning = meaning_of(op.call_target_name.data)
    assert meaning is not None
    block = meaning(op).body.block
    values: dict[SSAValue, SSAValue] = dict(zip(block.args, op.operands, strict=True))
    parent, end = op.parent, block.last_op
    assert parent is not None
    assert end is not None
    calls: list[CustomCallOp] = []
    for inner in block.ops:
        if inner is end:
            break
        copy = inner.clone(values)
        for part in copy.walk():
            part.location = _call_site(part.location, op.location)
            if isinstance(part, CustomCallOp):
                calls.append(part)
        parent.insert_op_before(copy, op)
    return [values.get(v, v) for v in end.operands], calls


def expand(root: Operation) -> None:
    """Expand all custom calls in `root`."""
    pending = [(op, 0) for op in root.walk() if isinstance(op, CustomCallOp)]
    pending.reverse()
    while pending:
        op, depth = pending.pop()
        target = op.call_target_name.data
        if depth > DEEPEST:
            raise never_ends(op)
        if meaning_of(target) is not None:
            results, calls = _inlined(op)
            replace(op, results)
            pending.extend((call, depth + 1) for call in reversed(calls))
        elif callback_of(target) is not None:
            check_callback(op)
        elif (expansion := _expansion(target)) is not None:
            replace(op, expansion(op))
        elif target not in KEPT:
            raise unknown_target(op, [*registered_targets(), *EXPANSIONS])


REPLACES: tuple[str, ...] = ("stablehlo.custom_call",)
"""The ops it takes away, by name (`docs/stablehlo-status.md` reads this)."""


@dataclass(frozen=True)
class ExpandCustomCallsPass(Pass):
    """Write custom calls with a known target as StableHLO."""

    name = "expand-custom-calls"
    numerics = "rounding"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Expand every custom call, wherever it is, and drop private functions that only they named."""
        names_functions = any(isinstance(o, CustomCallOp) and o.called_computations is not None for o in op.walk())
        expand(op)
        if names_functions:
            SymbolDCEPass().apply(ctx, op)


__all__ = ["EXPANSIONS", "KEPT", "ExpandCustomCallsPass", "expand"]
