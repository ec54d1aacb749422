"""raise-attention-gradient: recognize what attention passes back to queries, keys and values, and name it.

Before: %w = softmax of %s, the scores of %q and %k     After: %dq, %dk, %dv = stablehlo.composite "stepwell.attention_gradient"
        %dv = stablehlo.dot_general %w, %g                         %q, %k, %v, %g {decomposition = @attention_gradient}
        %dw = stablehlo.dot_general %g, %v                     func.func private @attention_gradient(...) {
        %ds = what a softmax passes back of %dw                    the scores, their softmax, and what was there }
        %dq = stablehlo.dot_general %ds, %k ...

The decomposition makes scores and weights anew, of the operands alone: the forward pass has no reason to keep them then, and
is recognized as attention after this. What is recognized: any layout and order of the products, grouped queries, what the
softmax passes back in whatever way it is written (JAX's, torch's, anybody's), pointwise ops between the scores' product and
the softmax and their slopes (scales, masks, caps), operands narrower than the softmax with the converts around it. What looks
like it and is not has a remark on the product that sums its weights over the queries.

Needs: step 1, canonicalized.  Keeps: the ops, as the decomposition; on a road that has no strategy for it they are put back
by `convert-stablehlo-to-linalg`, and what was copied is one again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr, SymbolRefAttr, TensorType
from xdsl.ir import Block, Operation, SSAValue
from xdsl.rewriter import Rewriter

from stepwell.dialects import stablehlo
from stepwell.ir.passes import Pass
from stepwell.passes.attention.decompositions import Decompositions
from stepwell.passes.attention.gradients import Gradient, match_gradient

COMPOSITE = "stepwell.attention_gradient"
"""The name of the composite."""
REMARKS = "kernel.remarks"
MOST_OPS = 256
"""Ops of a decomposition."""


@dataclass(frozen=True)
class Outline:
    """What becomes the decomposition: ops, operands first, the values they take, and the products that it returns."""

    ops: tuple[Operation, ...]
    operands: tuple[SSAValue, ...]
    results: tuple[SSAValue, ...]
    before: Operation
    """Where its results have to be known: the first op that reads one."""


def outline_of(found: Gradient) -> Outline | str:
    """The ops of a recognized gradient, or why they cannot be one op."""
    operands = dict.fromkeys([o.value for o in found.operands] + [v for v, _ in found.parts.leaves])
    results = tuple(r.product.result for r in found.results)
    ops = _between(results, operands)
    if isinstance(ops, str):
        return ops
    block = found.results[0].product.parent
    # What is made outside of a loop or branch is copied from there.
    if block is None or any(r.product.parent is not block for r in found.results):
        return "its gradients are made in several blocks"
    before = _first_reader(block, results, ops)
    if before is None:
        return "its results are not read"
    order = {op: i for i, op in enumerate(block.ops)}
    made = [order[v.owner] for v in operands if isinstance(v.owner, Operation) and v.owner in order]
    if max(made, default=-1) >= order[before]:
        return "one of its results is read before an operand is made"
    return Outline(tuple(ops), tuple(operands), results, before)


def _between(results: Sequence[SSAValue], operands: dict[SSAValue, None]) -> list[Operation] | str:
    """The ops that make results of operands alone, operands first."""
    ops: dict[Operation, None] = {}
    pending: list[tuple[SSAValue, bool]] = [(r, False) for r in reversed(results)]
    while pending:
        value, ready = pending.pop()
        op = value.owner
        if value in operands or op in ops:
            continue
        if not isinstance(op, Operation):
            return "it reads more than its operands"
        if ready:
            ops[op] = None
            continue
        if len(ops) + len(pending) > 4 * MOST_OPS or len(ops) > MOST_OPS:
            return "it has too many ops"
        pending.append((value, True))
        pending += [(o, False) for o in reversed(op.operands)]
    return list(ops)


def _first_reader(block: Block, results: Sequence[SSAValue], ops: Sequence[Operation]) -> Operation | None:
    """The first op of a block, but for those that become the decomposition, that reads a result, itself or within."""
    inside = dict.fromkeys(ops)
    readers: dict[Operation, None] = {}
    for result in results:
        for use in result.uses:
            reader: Operation | None = use.operation
            while reader is not None and reader.parent is not block:
                reader = reader.parent_op()
            if reader is not None and reader not in inside:
                readers[reader] = None
    return next((op for op in block.ops if op in readers), None)


def _is_static(op: Operation) -> bool:
    types = [v.type for v in (*op.operands, *op.results)]
    return all(isinstance(t, TensorType) and t.has_static_shape() for t in types)


def _replace(outline: Outline, decompositions: Decompositions) -> None:
    last = outline.results[-1].owner
    assert isinstance(last, Operation)
    function = decompositions.of(outline.ops, outline.operands, outline.results, last)
    composite = stablehlo.CompositeOp.create(
        operands=list(outline.operands),
        result_types=[r.type for r in outline.results],
        properties={"name": StringAttr(COMPOSITE), "decomposition": SymbolRefAttr(function.sym_name)},
    )
    composite.location = last.location
    block = outline.before.parent
    assert block is not None
    block.insert_op_before(composite, outline.before)
    for old, new in zip(outline.results, composite.results, strict=True):
        new.name_hint = old.name_hint
        old.replace_all_uses_with(new)
    for op in reversed(outline.ops):
        if all(r.first_use is None for r in op.results):
            Rewriter.erase_op(op)


@dataclass(frozen=True)
class RaiseAttentionGradientPass(Pass):
    """Recognize the gradient of attention and name it, keeping its ops as the decomposition."""

    name = "raise-attention-gradient"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Raise every gradient of the module."""
        del ctx
        assert isinstance(op, ModuleOp)
        decompositions = Decompositions(op, "attention_gradient")
        divisions = [o for o in op.walk() if isinstance(o, stablehlo.DivideOp) and _is_static(o)]
        for division in divisions:
            made = match_gradient(division)
            if made is None:
                continue
            dot, found = made
            outline = outline_of(found) if isinstance(found, Gradient) else found
            if isinstance(outline, str):
                dot.attributes[REMARKS] = ArrayAttr([StringAttr(f"no gradient of attention: {outline}")])
            else:
                _replace(outline, decompositions)


__all__ = ["COMPOSITE", "RaiseAttentionGradientPass"]
