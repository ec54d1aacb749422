"""What loops with carried values share: dropping results, operands and arguments of one op, region by region."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import Block, Operation

from stepwell.ir.rewriting import Rewriter


def with_only(op: Operation, operands: Sequence[int], results: Sequence[int]) -> Operation:
    """A new op like `op` with only these operands and results, not inserted yet; the regions of `op` move to it.

    For ops with one variadic group at the end of operands and of results (all of scf's and stablehlo's).
    """
    return type(op).create(
        operands=[op.operands[i] for i in operands],
        result_types=[op.results[i].type for i in results],
        properties=dict(op.properties),
        attributes=dict(op.attributes),
        regions=[op.detach_region(region) for region in tuple(op.regions)],
        location=op.location,
    )


def rebuilt(op: Operation, operands: Sequence[int], results: Sequence[int], rewriter: Rewriter) -> Operation:
    """Replace `op` by one with only these operands and results; the other results are unused."""
    new = with_only(op, operands, results)
    rewriter.insert_alone_before(op, new)
    for old, result in zip(results, new.results, strict=True):
        rewriter.replace_value(op.results[old], result)
    rewriter.erase(op)
    return new


def keep_arguments(block: Block, kept: Sequence[int]) -> None:
    """Erase the unused arguments of `block` that are not in `kept`."""
    wanted = frozenset(kept)
    for index in reversed(range(len(block.args))):
        if index not in wanted:
            block.erase_arg(block.args[index])


def keep_operands(op: Operation, kept: Sequence[int], rewriter: Rewriter) -> None:
    """Leave `op` (a terminator) only these operands."""
    dropped = frozenset(range(len(op.operands))) - frozenset(kept)
    rewriter.dropping(op, [op.operands[i] for i in sorted(dropped)])
    op.operands = [op.operands[i] for i in kept]


def terminator(block: Block) -> Operation:
    """The last op of a block that has one."""
    last = block.last_op
    assert last is not None, "the block has a terminator"
    return last
