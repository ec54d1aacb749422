"""Whether a parallel loop inside of another is worth sharing out too, on step 5.

A loop inside of a loop is a plain loop as a rule: the outer one was sized for the machine. It is shared out where the outer ones have
fewer tasks than there are cores, and it has enough work to pay for what a loop costs. A task that uses a worker's scratch never does:
while it waits for its loop, its thread may do other tasks, which use the same scratch.
"""

from __future__ import annotations

from math import prod

from xdsl.dialects import affine, arith, scf
from xdsl.dialects.builtin import AffineMapAttr, IntegerAttr, VectorType
from xdsl.ir import Block, Operation, SSAValue
from xdsl.ir.affine import AffineConstantExpr

from stepwell.dialects import rt
from stepwell.dialects.scf import ForallOp
from stepwell.ir.machine import MachineDescription

LEAST_NS = 5000.0
"""Work that is worth sharing among threads that are awake (docs/parallel-runtime.md)."""
_OP_NS = 0.4
"""Of an op on a register: a cycle."""
_FREE = ("arith.constant", "memref.subview", "memref.view", "memref.cast", "affine.yield", "scf.yield")


def tasks_of(loop: ForallOp) -> int | None:
    """How many tasks a loop has; None where the program decides."""
    spans = [
        (lower, upper, step)
        for lower, upper, step in zip(loop.lower_bounds, loop.upper_bounds, loop.steps, strict=True)
    ]
    counts: list[int] = []
    for lower, upper, step in spans:
        if not (isinstance(lower, int) and isinstance(upper, int) and isinstance(step, int)):
            return None
        counts.append(max(0, -(-(upper - lower) // step)))
    return prod(counts)


def why_not_shared(loop: ForallOp, machine: MachineDescription) -> str | None:
    """Why a loop inside of others stays a plain loop; None when it is to be shared out, or is inside of none that is."""
    outer = 1
    around = loop.parent_op()
    while around is not None:
        if isinstance(around, ForallOp):
            tasks = tasks_of(around)
            if tasks is None:
                return "nobody knows how many tasks are around it"
            outer *= tasks
            if tasks > 1 and any(isinstance(op, rt.WorkerIdOp) for op in around.walk()):
                return "the tasks around it use scratch of their worker"
        around = around.parent_op()
    if outer <= 1:
        return None
    if outer >= machine.cores:
        return f"the {outer} tasks around it fill {machine.cores} cores"
    work = (tasks_of(loop) or 1) * work_of(loop.body.block, machine)
    if work < LEAST_NS:
        return f"its {work:.0f} ns of work are not worth it"
    return None


def work_of(block: Block, machine: MachineDescription) -> float:
    """Nanoseconds that a block takes, roughly and rather too few: loops of unknown length count once."""
    total = 0.0
    for op in block.ops:
        if op.regions:
            trips = _trips(op)
            total += trips * sum(work_of(inner, machine) for region in op.regions for inner in region.blocks)
        elif op.name not in _FREE:
            total += _OP_NS * _registers(op, machine)
    return total


def _trips(op: Operation) -> int:
    if isinstance(op, ForallOp):
        return tasks_of(op) or 1
    if isinstance(op, scf.ForOp):
        bounds = [_constant(value) for value in (op.lb, op.ub, op.step)]
        lower, upper, step = bounds
        return max(0, -(-(upper - lower) // step)) if lower is not None and upper is not None and step else 1
    if isinstance(op, affine.ForOp):
        first, last = (_bound(bound) for bound in (op.lowerBoundMap, op.upperBoundMap))
        return max(0, -(-(last - first) // op.step.value.data)) if first is not None and last is not None else 1
    return 1


def _constant(value: SSAValue) -> int | None:
    owner = value.owner
    if isinstance(owner, arith.ConstantOp) and isinstance(owner.value, IntegerAttr):
        return owner.value.value.data
    return None


def _bound(map_: AffineMapAttr) -> int | None:
    """A bound that is a constant."""
    (expr,) = map_.data.results if len(map_.data.results) == 1 else (None,)
    return expr.value if isinstance(expr, AffineConstantExpr) else None


def _registers(op: Operation, machine: MachineDescription) -> int:
    """Vector registers that an op is done on; 1 for a scalar."""
    bits = max(
        (
            prod(type_.get_shape()) * 32
            for type_ in (value.type for value in (*op.results, *op.operands))
            if isinstance(type_, VectorType)
        ),
        default=0,
    )
    return max(1, -(-bits // max(machine.vector_bits, 64)))


__all__ = ["LEAST_NS", "tasks_of", "why_not_shared", "work_of"]
