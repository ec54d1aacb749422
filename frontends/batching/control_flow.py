"""Batching rules of loops and branches.

What decides (a condition, an index) may be the same for all: then loops and branches stay what they are, around more work. Else
a loop goes on while any example does, and those that are done keep what they have; of branches all are done and the results
chosen from. So a loop whose condition differs takes as many turns as the longest example.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.ir import Block, Operation, SSAValue

from stepwell.dialects import stablehlo
from stepwell.frontends.batching.batcher import Batched, Batcher, ControlRule, refused, shape_of
from stepwell.frontends.batching.flags import Flags
from stepwell.frontends.build import Values

Operands = Sequence[Batched]


def _held(batcher: Batcher, values: Sequence[Batched], flags: Sequence[bool]) -> list[SSAValue]:
    """Values with the batch where the flags say so."""
    return [batcher.full(b) if flag else b.value for b, flag in zip(values, flags, strict=True)]


def _while(batcher: Batcher, op: stablehlo.WhileOp, operands: Operands) -> Sequence[Batched]:
    function = batcher.function
    outer = Flags(lambda v: batcher.lookup(v).has_batch)
    flags, differs = outer.of_loop(op, [b.has_batch for b in operands])

    def of(arguments: Values) -> list[Batched]:
        return [Batched(v, flag) for v, flag in zip(arguments, flags, strict=True)]

    def condition(arguments: Values) -> Values:
        goes_on = batcher.run(op.cond.block, of(arguments))[0]
        if not differs:
            return [goes_on.value]
        return function.reduce([batcher.full(goes_on)], [function.constant(False, "bool")], (0,), "or")

    def body(arguments: Values) -> Values:
        new = _held(batcher, batcher.run(op.body.block, of(arguments)), flags)
        if not differs:
            return new
        goes_on = batcher.full(batcher.run(op.cond.block, of(arguments))[0])
        return [_chosen(batcher, goes_on, n, old) for n, old in zip(new, arguments, strict=True)]

    results = function.while_(_held(batcher, operands, flags), condition, body)
    return [Batched(v, flag) for v, flag in zip(results, flags, strict=True)]


def _chosen(batcher: Batcher, which: SSAValue, yes: SSAValue, no: SSAValue) -> SSAValue:
    return batcher.function.select(batcher.spread(which, shape_of(yes)), yes, no)


def _region(batcher: Batcher, block: Block, flags: Sequence[bool]) -> Callable[[Values], Values]:
    return lambda _: _held(batcher, batcher.run(block, ()), flags)


def _flags(batcher: Batcher, blocks: Sequence[Block]) -> list[bool]:
    """Which results of branches have the batch, if the branches are chosen for all."""
    return [any(flags) for flags in zip(*(batcher.flags(block, ()) for block in blocks), strict=True)]


def _all_done(batcher: Batcher, blocks: Sequence[Block]) -> list[list[SSAValue]]:
    """What every branch gives, with the batch."""
    for block in blocks:
        for inner in block.walk():
            if isinstance(inner, stablehlo.CustomCallOp) and _has_effect(inner):
                message = "a call with side effects would be done whatever is chosen, since the choice differs"
                raise refused(inner, message, "lax.scan does one element after the other")
    return [[batcher.full(b) for b in batcher.run(block, ())] for block in blocks]


def _has_effect(op: stablehlo.CustomCallOp) -> bool:
    return op.has_side_effect is not None and bool(op.has_side_effect.value.data)


def _if(batcher: Batcher, op: stablehlo.IfOp, operands: Operands) -> Sequence[Batched]:
    blocks = [op.true_branch.block, op.false_branch.block]
    (predicate,) = operands
    if not predicate.has_batch:
        flags = _flags(batcher, blocks)
        results = batcher.function.if_(predicate.value, *(_region(batcher, b, flags) for b in blocks))
        return [Batched(v, flag) for v, flag in zip(results, flags, strict=True)]
    yes, no = _all_done(batcher, blocks)
    return [Batched(_chosen(batcher, predicate.value, a, b), True) for a, b in zip(yes, no, strict=True)]


def _case(batcher: Batcher, op: stablehlo.CaseOp, operands: Operands) -> Sequence[Batched]:
    function, blocks = batcher.function, [region.block for region in op.branches]
    (index,) = operands
    if not index.has_batch:
        flags = _flags(batcher, blocks)
        results = function.case(index.value, [_region(batcher, b, flags) for b in blocks])
        return [Batched(v, flag) for v, flag in zip(results, flags, strict=True)]
    *rest, chosen = _all_done(batcher, blocks)  # out of range is the last
    for number, values in enumerate(rest):
        which = function.compare("EQ", index.value, function.full(number, "int32", (batcher.size,)))
        chosen = [_chosen(batcher, which, v, c) for v, c in zip(values, chosen, strict=True)]
    return [Batched(v, True) for v in chosen]


RULES: dict[type[Operation], ControlRule] = {
    stablehlo.WhileOp: _while,
    stablehlo.IfOp: _if,
    stablehlo.CaseOp: _case,
}
