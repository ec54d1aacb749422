"""Canonicalization of `scf`: known branches and trip counts, invariant carries, results nobody uses.

JAX's scans carry the arrays they only read through every iteration: such carries are replaced by the value
before the loop, which its body then simply uses.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import DenseArrayBase
from xdsl.ir import Block, BlockArgument, Operation, Region, SSAValue

from stepwell.dialects.canonicalize.carries import keep_arguments, keep_operands, rebuilt, terminator
from stepwell.dialects.canonicalize.constants import constant_of, int_of
from stepwell.ir.rewriting import Folder, Pattern, Rewriter


def replace_by_region(op: Operation, region: Region, arguments: Sequence[SSAValue], rewriter: Rewriter) -> None:
    """Put the only block of `region` in the place of `op`."""
    yielded = rewriter.inline_before(region.block, op, arguments)
    rewriter.replace(op, yielded)


def is_outside(value: SSAValue, op: Operation) -> bool:
    """True when `value` is not defined inside the regions of `op`."""
    owner = value.owner.parent_op() if isinstance(value.owner, Block) else value.owner
    while owner is not None:
        if owner is op:
            return isinstance(value.owner, Operation) and value.owner is op
        owner = owner.parent_op()
    return True


def _if_of_constant(op: Operation, rewriter: Rewriter) -> bool:
    """`scf.if true` is its first branch."""
    condition = int_of(constant_of(op.operands[0]))
    if condition is None:
        return False
    region = op.regions[0 if condition & 1 else 1]
    if not region.blocks:
        rewriter.erase(op)
    else:
        replace_by_region(op, region, (), rewriter)
    return True


def _switch_of_constant(op: Operation, rewriter: Rewriter) -> bool:
    """`scf.index_switch` of a constant is that case."""
    chosen = int_of(constant_of(op.operands[0]))
    if chosen is None:
        return False
    cases = op.properties["cases"]
    assert isinstance(cases, DenseArrayBase)
    values: Sequence[int] = cases.get_values()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    region = op.regions[1 + list(values).index(chosen)] if chosen in values else op.regions[0]
    replace_by_region(op, region, (), rewriter)
    return True


def simplify_branch_results(op: Operation, rewriter: Rewriter) -> bool:
    """A result that every branch yields the same outer value for is that value; unused results go."""
    regions = op.regions
    if not op.results or any(not region.blocks for region in regions):
        return False
    ends = [terminator(region.block) for region in regions]
    kept: list[int] = []
    for index, result in enumerate(op.results):
        yielded = ends[0].operands[index]
        if result.first_use is None:
            continue
        if all(end.operands[index] is yielded for end in ends) and is_outside(yielded, op):
            rewriter.replace_value(result, yielded)
            continue
        kept.append(index)
    if len(kept) == len(op.results):
        return False
    for end in ends:
        keep_operands(end, kept, rewriter)
    rebuilt(op, range(len(op.operands)), kept, rewriter)
    return True


def _for_of_known_trips(op: Operation, rewriter: Rewriter) -> bool:
    """A loop that never runs is its initial values; one that runs once is its body."""
    lower, upper, step = (int_of(constant_of(o)) for o in op.operands[:3])
    empty = op.operands[0] is op.operands[1]
    if not empty and (lower is None or upper is None):
        return False
    inits = tuple(op.operands[3:])
    if empty or (lower is not None and upper is not None and lower >= upper):
        rewriter.replace(op, inits)
        return True
    if step is None or lower is None or upper is None or step <= 0 or lower + step < upper:
        return False
    replace_by_region(op, op.regions[0], (op.operands[0], *inits), rewriter)
    return True


def _for_invariant_carries(op: Operation, rewriter: Rewriter) -> bool:
    """A carry that every iteration passes on unchanged is its initial value."""
    body = op.regions[0].block
    end = terminator(body)
    kept: list[int] = []
    for index, (yielded, init) in enumerate(zip(end.operands, op.operands[3:], strict=True)):
        argument = body.args[1 + index]
        if yielded is argument or yielded is init:
            rewriter.replace_value(argument, init)
            rewriter.replace_value(op.results[index], init)
        else:
            kept.append(index)
    if len(kept) == len(op.results):
        return False
    keep_operands(end, kept, rewriter)
    keep_arguments(body, [0, *(1 + i for i in kept)])
    rebuilt(op, [0, 1, 2, *(3 + i for i in kept)], kept, rewriter)
    return True


def _while_invariant_carries(op: Operation, rewriter: Rewriter) -> bool:
    """A carry that comes back unchanged is its initial value, in the condition and in the body."""
    before, after = (region.block for region in op.regions)
    condition, end = terminator(before), terminator(after)
    kept: list[int] = []
    for index, (yielded, init) in enumerate(zip(end.operands, op.operands, strict=True)):
        argument = before.args[index]
        returns = yielded is init or yielded is argument
        if isinstance(yielded, BlockArgument) and yielded.block is after:
            returns = condition.operands[1 + yielded.index] is argument
        if returns:
            rewriter.replace_value(argument, init)
        else:
            kept.append(index)
    if len(kept) == len(op.operands):
        return False
    keep_operands(end, kept, rewriter)
    keep_arguments(before, kept)
    rebuilt(op, kept, range(len(op.results)), rewriter)
    return True


def _while_outer_results(op: Operation, rewriter: Rewriter) -> bool:
    """What the condition passes on from outside the loop is used directly; what nobody uses is not passed on."""
    before, after = (region.block for region in op.regions)
    condition = terminator(before)
    kept: list[int] = []
    for index, passed in enumerate(condition.operands[1:]):
        argument, result = after.args[index], op.results[index]
        if is_outside(passed, op):
            rewriter.replace_value(argument, passed)
            rewriter.replace_value(result, passed)
        elif argument.first_use is not None or result.first_use is not None:
            kept.append(index)
    if len(kept) == len(op.results):
        return False
    keep_operands(condition, [0, *(1 + i for i in kept)], rewriter)
    keep_arguments(after, kept)
    rebuilt(op, range(len(op.operands)), kept, rewriter)
    return True


FOLDERS: dict[str, Folder] = {}

PATTERNS: dict[str, tuple[Pattern, ...]] = {
    "scf.for": (_for_of_known_trips, _for_invariant_carries),
    "scf.if": (_if_of_constant, simplify_branch_results),
    "scf.index_switch": (_switch_of_constant, simplify_branch_results),
    "scf.while": (_while_invariant_carries, _while_outer_results),
}
