"""unroll-loops: write out loops of few trips that only compute point by point on arrays.

Before:                                                     After:
    %r:2 = stablehlo.while(%i = %zero, %a = %x)                 %0 = stablehlo.xor %x, ...
      cond { %i < 5 }                                           %1 = stablehlo.xor %0, ...
      do { %b = stablehlo.xor %a, ...; return %i + 1, %b }      ...

A loop carries its arrays through memory: each trip reads them and writes them. Written out, its trips are one chain of maps,
which `fuse-elementwise` makes one kernel that keeps them in registers, and what a counter selects is known. JAX's random
numbers are such a loop on CPUs: the rounds of Threefry, four at a time.

Needs: step 1; runs before `canonicalize`, which computes what has become constant.  Keeps: loops that may run another number
of times than constants say, that do more than pointwise ops and moves, whose arrays are few numbers, or that are long.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import Operation, SSAValue
from xdsl.rewriter import Rewriter

from stepwell.dialects import stablehlo
from stepwell.ir.instrumentation import count
from stepwell.ir.passes import Pass
from stepwell.passes.attention.matching import is_pointwise
from stepwell.passes.stablehlo_to_linalg.trips import trip_count

MOST_OPS = 512
"""Ops of all trips together: about what one kernel computes at most."""
LEAST_NUMBERS = 4096
"""Numbers that a loop carries, below which reading and writing them costs little."""
MOVES = (
    stablehlo.BroadcastInDimOp,
    stablehlo.ConstantOp,
    stablehlo.IotaOp,
    stablehlo.ReshapeOp,
    stablehlo.SliceOp,
    stablehlo.TransposeOp,
)


def trips_of(loop: stablehlo.WhileOp) -> int | str:
    """How many trips of a loop are to be written out, or why it stays."""
    trips = trip_count(loop)
    if trips is None:
        return "how often it runs is not known"
    ops = [op for region in loop.regions for op in region.block.ops]
    if trips * len(ops) > MOST_OPS:
        return "it is long"
    for op in ops:
        if op is not op.parent_block().last_op and not isinstance(op, MOVES) and not is_pointwise(op):  # pyright: ignore
            return f"{op.name} is more than a pointwise op"
    kinds = [v.type for v in loop.operands]
    if not all(isinstance(t, TensorType) and t.has_static_shape() for t in kinds):
        return "sizes are not known"
    carried = sum(prod(t.get_shape()) for t in kinds if isinstance(t, TensorType))
    return trips if carried >= LEAST_NUMBERS else "it carries few numbers"


def unroll(loop: stablehlo.WhileOp, trips: int) -> None:
    """Replace a loop by its trips."""
    block, body = loop.parent, loop.body.block
    end = body.last_op
    assert block is not None
    assert end is not None
    carried: list[SSAValue] = list(loop.operands)
    for _ in range(trips):
        values: dict[SSAValue, SSAValue] = dict(zip(body.args, carried, strict=True))
        for op in body.ops:
            if op is not end:
                block.insert_op_before(op.clone(values), loop)
        carried = [values.get(v, v) for v in end.operands]
    for result, value in zip(loop.results, carried, strict=True):
        result.replace_all_uses_with(value)
    Rewriter.erase_op(loop)


@dataclass(frozen=True)
class UnrollLoopsPass(Pass):
    """Write out loops of few trips that only compute point by point on arrays."""

    name = "unroll-loops"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Unroll every such loop of the module, inner ones first."""
        del ctx
        assert isinstance(op, ModuleOp)
        for loop in reversed([o for o in op.walk() if isinstance(o, stablehlo.WhileOp)]):
            trips = trips_of(loop)
            if isinstance(trips, int):
                unroll(loop, trips)
                count("rewritten")


__all__ = ["UnrollLoopsPass", "trips_of"]
