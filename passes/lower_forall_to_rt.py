"""lower-forall-to-rt: phases of a kernel become calls of the parallel runtime, or plain loops when small.

Before:
    scf.forall (%i, %j) in (4, 8) { body }

After:
    rt.parallel_for (%t) = 0 to 32 grain 1 {
      %c8 = arith.constant 8 : index
      %i = arith.divui %t, %c8 : index
      %j = arith.remui %t, %c8 : index
      body
    }

A forall of one task is inlined. In a kernel whose schedule says `parallel = false` all become `scf.for`, and so does one
inside of another, unless the outer ones have too few tasks for the machine and it has work to share (`nested_loops.py`).
`chunk` of the schedule is how many tasks a worker takes at once. A `rt.parallel_reduce` becomes loops over its blocks, shared
out unless it is inside of a forall or in such a kernel, and one that merges their values in order.

Needs: `bufferize` (no shared outputs). Keeps: everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from xdsl.context import Context
from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import IndexType, IntegerAttr
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.dialects import kernel, rt
from stepwell.dialects.rt_reduce import ParallelReduceOp
from stepwell.dialects.scf import ForallOp
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.machine import machine_of
from stepwell.ir.passes import Pass
from stepwell.passes.nested_loops import why_not_shared
from stepwell.passes.parallel_reduce import lower_parallel_reduce
from stepwell.passes.preconditions import needs_buffers


def is_parallel(function: kernel.FuncOp) -> bool:
    """Whether the schedule lets the kernel use several workers."""
    choice = function.schedule.params.data.get("parallel") if function.schedule is not None else None
    return not isinstance(choice, IntegerAttr) or choice.value.data != 0


def chunk_of(function: kernel.FuncOp) -> int:
    """How many tasks a worker takes at once."""
    grain = function.schedule.params.data.get("chunk") if function.schedule is not None else None
    return max(1, grain.value.data) if isinstance(grain, IntegerAttr) else 1


def lower_forall(op: ForallOp, parallel: bool, grain: int) -> None:
    """Replace one forall, whose nested ones are lowered already."""
    builder = LocatedBuilder(InsertPoint.before(op), op.location)
    terminator = op.terminator
    terminator.detach()
    terminator.erase()
    sizes = [_size(builder, op, d) for d in range(op.rank)]
    static = [s for s in sizes if isinstance(s, int)]
    count: int | SSAValue = prod(static)
    if len(static) == len(sizes) and count <= 1:
        if count == 1:
            _inline_once(builder, op)
        op.detach()
        op.erase(safe_erase=False)
        return
    if len(static) != len(sizes):
        count = _index(builder, 1)
        for size in sizes:
            count = builder.insert(arith.MuliOp(count, _value(builder, size))).result
    body = op.body.detach_block(op.body.block)
    task = body.insert_arg(IndexType(), 0)
    task.name_hint = "task"
    _delinearize(op, body, task, sizes)
    if parallel:
        body.add_op(_located(rt.YieldOp(), op))
        builder.insert(rt.ParallelForOp(count, Region(body), grain))
    else:
        body.add_op(_located(scf.YieldOp(), op))
        zero, one = _index(builder, 0), _index(builder, 1)
        builder.insert(scf.ForOp(zero, _value(builder, count), one, [], Region(body)))
    op.detach()
    op.erase()


def _located(new: Operation, op: Operation) -> Operation:
    new.location = op.location
    return new


def _index(builder: LocatedBuilder, value: int) -> SSAValue:
    return builder.insert(arith.ConstantOp(IntegerAttr(value, IndexType()))).result


def _value(builder: LocatedBuilder, bound: int | SSAValue) -> SSAValue:
    return _index(builder, bound) if isinstance(bound, int) else bound


def _size(builder: LocatedBuilder, op: ForallOp, dim: int) -> int | SSAValue:
    """The number of iterations of a dim."""
    lower, upper, step = op.lower_bounds[dim], op.upper_bounds[dim], op.steps[dim]
    if isinstance(lower, int) and isinstance(upper, int) and isinstance(step, int):
        return max(0, -(-(upper - lower) // step))
    span = builder.insert(arith.SubiOp(_value(builder, upper), _value(builder, lower))).result
    if step == 1:
        return span
    return builder.insert(arith.CeilDivSIOp(span, _value(builder, step))).result


def _from_iteration(builder: LocatedBuilder, number: SSAValue, lower: int | SSAValue, step: int | SSAValue) -> SSAValue:
    """`lower + number * step`."""
    if step != 1:
        number = builder.insert(arith.MuliOp(number, _value(builder, step))).result
    if lower != 0:
        number = builder.insert(arith.AddiOp(number, _value(builder, lower))).result
    return number


def _inline_once(builder: LocatedBuilder, op: ForallOp) -> None:
    values = [_value(builder, lower) for lower in op.lower_bounds]
    Rewriter.inline_block(op.body.block, InsertPoint.before(op), values)


def _delinearize(op: ForallOp, body: Block, task: SSAValue, sizes: Sequence[int | SSAValue]) -> None:
    """Compute the loop's indices from the task number at the start of `body`, and drop their arguments."""
    first = body.first_op
    point = InsertPoint.before(first) if first is not None else InsertPoint.at_end(body)
    builder = LocatedBuilder(point, op.location)
    rest = task
    values: list[SSAValue] = []
    lowers, steps = op.lower_bounds, op.steps
    for dim in range(op.rank - 1, -1, -1):
        size = sizes[dim]
        if size == 1:
            values.append(_value(builder, lowers[dim]))
            continue
        number = rest
        if any(s != 1 for s in sizes[:dim]):
            bound = _value(builder, size)
            number = builder.insert(arith.RemUIOp(rest, bound)).result
            rest = builder.insert(arith.DivUIOp(rest, bound)).result
        values.append(_from_iteration(builder, number, lowers[dim], steps[dim]))
    for argument, value in zip(list(body.args[1:]), reversed(values), strict=True):
        if value.name_hint is None:
            value.name_hint = argument.name_hint
        argument.replace_all_uses_with(value)
        body.erase_arg(argument)


def _is_outermost(op: Operation) -> bool:
    """Whether nothing around an op is done by several workers, and its kernel may be."""
    outer = op.parent_op()
    while outer is not None:
        if isinstance(outer, ForallOp | ParallelReduceOp) or (
            isinstance(outer, kernel.FuncOp) and not is_parallel(outer)
        ):
            return False
        outer = outer.parent_op()
    return True


@dataclass(frozen=True)
class LowerForallToRtPass(Pass):
    """`scf.forall` to `rt.parallel_for`, or to loops when small."""

    name = "lower-forall-to-rt"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Lower the reductions, then the foralls of each kernel, inner ones first."""
        del ctx
        needs_buffers(op, self.name)
        reductions = [found for found in op.walk() if isinstance(found, ParallelReduceOp)]
        for reduction in reversed(reductions):
            lower_parallel_reduce(reduction, _is_outermost(reduction))
        loops: list[tuple[ForallOp, bool, int]] = []
        for function in op.walk():
            if isinstance(function, kernel.FuncOp):
                self._collect(function, loops)
        for loop, parallel, grain in reversed(loops):
            lower_forall(loop, parallel, grain)

    def _collect(self, function: kernel.FuncOp, loops: list[tuple[ForallOp, bool, int]]) -> None:
        parallel, grain = is_parallel(function), chunk_of(function)
        machine = machine_of(function)
        for loop in function.walk():
            if not isinstance(loop, ForallOp):
                continue
            if loop.outputs:
                raise unsupported(loop, "it still has shared outputs", "run bufferize first")
            loops.append((loop, parallel and why_not_shared(loop, machine) is None, grain))


__all__ = ["LowerForallToRtPass", "chunk_of", "is_parallel", "lower_forall"]
