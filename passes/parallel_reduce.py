"""Lowering `rt.parallel_reduce`: blocks as tasks that leave their values in memory of the thread that merges them, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects import arith, memref, scf
from xdsl.dialects.builtin import IndexType, IntegerAttr
from xdsl.ir import Block, Region, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.dialects import rt
from stepwell.dialects.rt_reduce import ParallelReduceOp
from stepwell.ir.builder import LocatedBuilder


def lower_parallel_reduce(op: ParallelReduceOp, parallel: bool) -> None:
    """Replace a reduction by loops that combine in the order that it says; blocks are done by several workers if `parallel`."""
    builder = LocatedBuilder(InsertPoint.before(op), op.location)
    results: Sequence[SSAValue] = tuple(op.init)
    if op.count.value.data:
        results = _shared_out(builder, op) if parallel and op.blocks > 1 else _alone(builder, op)
    for old, new in zip(op.res, results, strict=True):
        old.replace_all_uses_with(new)
    op.detach()
    op.erase()


def _alone(builder: LocatedBuilder, op: ParallelReduceOp) -> Sequence[SSAValue]:
    """Block after block, on this thread."""

    def add_block(inner: LocatedBuilder, block: SSAValue, total: Sequence[SSAValue]) -> Sequence[SSAValue]:
        return _inlined(inner, op.combiner, [*total, *_block(inner, op, block)])

    return _loop(builder, _index(builder, 0), _index(builder, op.blocks), op.init, add_block)


def _shared_out(builder: LocatedBuilder, op: ParallelReduceOp) -> Sequence[SSAValue]:
    """The values of all blocks by tasks, then merged by this thread."""
    partials = [builder.insert(memref.AllocaOp.get(v.type, shape=[op.blocks])).memref for v in op.init]
    body = Block(arg_types=[IndexType()])
    builder.insert(rt.ParallelForOp(op.blocks, Region(body)))
    task = LocatedBuilder(InsertPoint.at_end(body), op.location)
    for value, buffer in zip(_block(task, op, body.args[0]), partials, strict=True):
        task.insert(memref.StoreOp.get(value, buffer, [body.args[0]]))
    task.insert(rt.YieldOp())

    def merge(inner: LocatedBuilder, block: SSAValue, total: Sequence[SSAValue]) -> Sequence[SSAValue]:
        loaded = [inner.insert(memref.LoadOp.get(buffer, [block])).res for buffer in partials]
        return _inlined(inner, op.combiner, [*total, *loaded])

    return _loop(builder, _index(builder, 0), _index(builder, op.blocks), op.init, merge)


def _block(builder: LocatedBuilder, op: ParallelReduceOp, number: SSAValue) -> Sequence[SSAValue]:
    """What the indices of a block give, combined in order: the first, then each of the others."""
    count, grain = op.count.value.data, op.grain.value.data
    first = builder.insert(arith.MuliOp(number, _index(builder, grain))).result
    after = builder.insert(arith.AddiOp(first, _index(builder, 1))).result
    end = builder.insert(arith.AddiOp(first, _index(builder, grain))).result
    if count % grain:
        end = builder.insert(arith.MinSIOp(end, _index(builder, count))).result

    def add(inner: LocatedBuilder, i: SSAValue, partial: Sequence[SSAValue]) -> Sequence[SSAValue]:
        return _inlined(inner, op.combiner, [*partial, *_inlined(inner, op.body, [i])])

    return _loop(builder, after, end, _inlined(builder, op.body, [first]), add)


def _loop(
    builder: LocatedBuilder,
    lower: SSAValue,
    upper: SSAValue,
    init: Sequence[SSAValue],
    step: Callable[[LocatedBuilder, SSAValue, Sequence[SSAValue]], Sequence[SSAValue]],
) -> Sequence[SSAValue]:
    """A loop from `lower` to `upper` that carries values: `step` makes those after an iteration of those before."""
    block = Block(arg_types=[IndexType(), *(value.type for value in init)])
    loop = scf.ForOp(lower, upper, _index(builder, 1), init, Region(block))
    builder.insert(loop)
    inner = LocatedBuilder(InsertPoint.at_end(block), loop.location)
    inner.insert(scf.YieldOp(*step(inner, block.args[0], block.args[1:])))
    return loop.results


def _inlined(builder: LocatedBuilder, region: Region, values: Sequence[SSAValue]) -> Sequence[SSAValue]:
    """A copy of a region's ops with values for its arguments; what it ends with."""
    copy = region.clone().block
    last = copy.last_op
    assert last is not None
    Rewriter.inline_block(copy, builder.insertion_point, values)
    results = tuple(last.operands)
    last.detach()
    last.erase()
    return results


def _index(builder: LocatedBuilder, value: int) -> SSAValue:
    return builder.insert(arith.ConstantOp(IntegerAttr(value, IndexType()))).result


__all__ = ["lower_parallel_reduce"]
