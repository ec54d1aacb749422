"""Which composites become one op of the `structured` dialect: those that the machine has a strategy for.

What is refused is put back in place of the composite before anything is converted, so that it is as if nothing had been
recognized: a gradient has copies of what the forward pass makes, which become one again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr
from xdsl.ir import Operation, SSAValue
from xdsl.rewriter import Rewriter

from stepwell.dialects import stablehlo
from stepwell.ir.machine import MachineDescription, machine_of
from stepwell.passes import raise_attention, raise_attention_gradient
from stepwell.passes.attention.gradients import trace_root
from stepwell.passes.cse import eliminate_common_subexpressions
from stepwell.passes.inline import inline_composite
from stepwell.passes.stablehlo_to_linalg import attention, attention_gradient
from stepwell.passes.stablehlo_to_linalg.lowering import REMARKS, Lowering


@dataclass(frozen=True)
class Claim:
    """How a kind of composite is taken whole."""

    title: str
    refused: Callable[[func.FuncOp, MachineDescription], str | None]
    """Why a machine does better with the parts of a decomposition."""
    convert: Callable[[Lowering, stablehlo.CompositeOp, func.FuncOp], Sequence[SSAValue]]
    copies: bool = False
    """Whether a decomposition has ops that are elsewhere as well."""


CLAIMS = {
    raise_attention.COMPOSITE: Claim("attention", attention.refused, attention.attention),
    raise_attention_gradient.COMPOSITE: Claim(
        "gradient of attention", attention_gradient.refused, attention_gradient.attention_gradient, copies=True
    ),
}
"""By the name of the composite."""


def settle_composites(module: ModuleOp) -> tuple[dict[str, func.FuncOp], list[func.FuncOp]]:
    """Put back what is not claimed; returns the decompositions of what is, by name, and all that are not needed any more."""
    functions = {op.sym_name.data: op for op in module.body.block.ops if isinstance(op, func.FuncOp)}
    ops = list(module.walk())
    machine = machine_of(module)
    needed = _needed_otherwise(ops, functions)
    decided: dict[str, str | None] = {}
    composites = [c for op in ops if (c := _claimable(op, functions)) is not None]
    for _, claim, function in composites:
        name = function.sym_name.data
        if name not in decided:
            called = "its decomposition is called as well" if name in needed else None
            decided[name] = called or claim.refused(function, machine)
    stored = {
        _scores_of(op): None for op, claim, f in composites if claim.copies and decided[f.sym_name.data] is not None
    }
    copied = False
    for op, claim, function in composites:
        reason = decided[function.sym_name.data]
        if reason is None and _scores_of(op) in stored:
            reason = "its gradient reads its weights"
        if reason is not None:
            copied = copied or claim.copies
            last = inline_composite(op, function)
            if isinstance(last, Operation):
                last.attributes[REMARKS] = ArrayAttr([StringAttr(f"{claim.title} as its parts: {reason}")])
    if copied:
        eliminate_common_subexpressions(module)
    claimed = {name: functions[name] for name, reason in decided.items() if reason is None}
    # A decomposition may itself hold composites: what a copy of one still names stays, as a function that is called.
    left = {op.decomposition.string_value(): None for op in module.walk() if isinstance(op, stablehlo.CompositeOp)}
    gone = [functions[name] for name in decided if name not in needed and (name in claimed or name not in left)]
    return claimed, gone


def _claimable(
    op: Operation, functions: Mapping[str, func.FuncOp]
) -> tuple[stablehlo.CompositeOp, Claim, func.FuncOp] | None:
    """A composite of a kind that may be claimed, with that and its decomposition."""
    claim = CLAIMS.get(op.composite_name.data) if isinstance(op, stablehlo.CompositeOp) else None
    if claim is None or not isinstance(op, stablehlo.CompositeOp):
        return None
    function = functions[op.decomposition.string_value()]
    if function.is_declaration or function.body.block.next_block is not None:
        return None
    return op, claim, function


def _scores_of(op: stablehlo.CompositeOp) -> tuple[SSAValue, ...]:
    """What the scores of a composite are made of, behind moves: its queries and its keys."""
    return tuple(trace_root(o) for o in op.operands[:2])


def _needed_otherwise(ops: Sequence[Operation], functions: Mapping[str, func.FuncOp]) -> dict[str, None]:
    """The functions that are public, or that calls and other composites name."""
    needed = {
        name: None
        for name, function in functions.items()
        if function.sym_visibility is None or function.sym_visibility.data != "private"
    }
    for op in ops:
        if isinstance(op, func.CallOp):
            needed[op.callee.string_value()] = None
        elif isinstance(op, stablehlo.CompositeOp) and op.composite_name.data not in CLAIMS:
            needed[op.decomposition.string_value()] = None
    return needed


def drop(functions: Iterable[func.FuncOp]) -> None:
    """Erase functions that nothing names any more."""
    for function in functions:
        Rewriter.erase_op(function)


def convert_composite(low: Lowering, op: stablehlo.CompositeOp) -> Sequence[SSAValue]:
    """What `settle_composites` left is claimed; a composite nobody claimed is a call of its decomposition."""
    function = low.decompositions.get(op.decomposition.string_value())
    if function is not None:
        return CLAIMS[op.composite_name.data].convert(low, op, function)
    types = [low.convert_type(r.type, op) for r in op.results]
    return low.builder.insert(func.CallOp(op.decomposition, [low.get(o) for o in op.operands], types)).results


__all__ = ["CLAIMS", "convert_composite", "drop", "settle_composites"]
