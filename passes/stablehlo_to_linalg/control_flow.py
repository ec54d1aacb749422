"""Host control flow: while, if, case, calls and returns."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import arith, func, scf
from xdsl.dialects.builtin import DenseArrayBase, IndexType, IntegerAttr, i64
from xdsl.ir import Block, Operation, Region, SSAValue

from stepwell.dialects import stablehlo
from stepwell.ir.diagnostics import unsupported
from stepwell.passes.stablehlo_to_linalg.composites import convert_composite
from stepwell.passes.stablehlo_to_linalg.lowering import Lowering, Rule
from stepwell.passes.stablehlo_to_linalg.trips import TRIPS, trip_count


def convert_block(low: Lowering, block: Block) -> tuple[Block, Sequence[SSAValue]]:
    """A block with converted ops; returns what its terminator returned, and leaves the terminator to the caller."""
    new = Block(arg_types=[low.convert_type(a.type, _owner(block)) for a in block.args])
    for old_arg, new_arg in zip(block.args, new.args, strict=True):
        low.values[old_arg] = new_arg
        new_arg.location = old_arg.location
        if old_arg.name_hint:
            new_arg.name_hint = old_arg.name_hint
    with low.inside(new):
        for op in block.ops:
            if isinstance(op, stablehlo.ReturnOp | func.ReturnOp):
                low.builder.location = op.location
                return new, [low.get(o) for o in op.operands]
            low.convert_op(op)
    raise unsupported(_owner(block), "a region does not end in a return")


def _owner(block: Block) -> Operation:
    parent = block.parent_op()
    assert parent is not None
    return parent


def _yielding_region(low: Lowering, region: Region) -> Region:
    if len(region.blocks) != 1:
        raise unsupported(_owner(region.blocks[0]), "a region with several blocks")
    block, results = convert_block(low, region.block)
    with low.inside(block):
        low.builder.insert(scf.YieldOp(*results))
    return Region(block)


def while_loop(low: Lowering, op: stablehlo.WhileOp) -> Sequence[SSAValue]:
    """`scf.while` passing all carried values through its condition; with how often it runs where constants say it."""
    location, trips = op.location, trip_count(op)
    cond_region, body_region = op.regions
    before, (condition,) = convert_block(low, cond_region.block)
    with low.inside(before):
        low.builder.insert(scf.ConditionOp(low.extract_scalar(condition), *before.args))
    after = _yielding_region(low, body_region)
    low.builder.location = location
    types = [low.convert_type(r.type, op) for r in op.results]
    loop = scf.WhileOp([low.get(o) for o in op.operands], types, Region(before), after)
    if trips is not None:
        loop.attributes[TRIPS] = IntegerAttr(trips, i64)
    return low.builder.insert(loop).results


def conditional(low: Lowering, op: stablehlo.IfOp) -> Sequence[SSAValue]:
    """`scf.if`."""
    condition = low.extract_scalar(low.get(op.operands[0]))
    types = [low.convert_type(r.type, op) for r in op.results]
    on_true, on_false = (_yielding_region(low, r) for r in op.regions)
    low.builder.location = op.location
    return low.builder.insert(scf.IfOp(condition, types, on_true, on_false)).results


def case(low: Lowering, op: stablehlo.CaseOp) -> Sequence[SSAValue]:
    """`scf.index_switch`; the last branch is also the one for indices out of range."""
    types = [low.convert_type(r.type, op) for r in op.results]
    index = low.extract_scalar(low.get(op.operands[0]))
    selector = low.builder.insert(arith.IndexCastOp(index, IndexType())).results[0]
    regions = [_yielding_region(low, r) for r in op.regions]
    low.builder.location = op.location
    switch = scf.IndexSwitchOp(
        selector, DenseArrayBase.from_list(i64, tuple(range(len(regions) - 1))), regions[-1], regions[:-1], types
    )
    return low.builder.insert(switch).results


def call(low: Lowering, op: func.CallOp) -> Sequence[SSAValue]:
    """A call of the converted function."""
    types = [low.convert_type(r.type, op) for r in op.results]
    return low.builder.insert(func.CallOp(op.callee, [low.get(o) for o in op.operands], types)).results


RULES: dict[type[Operation], Rule] = {
    func.CallOp: call,
    stablehlo.CaseOp: case,
    stablehlo.CompositeOp: convert_composite,
    stablehlo.IfOp: conditional,
    stablehlo.WhileOp: while_loop,
}
