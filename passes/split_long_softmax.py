"""split-long-softmax: sums of exponentials over rows longer than a cache are made part by part, with their maxima.

Before:
    %m = stablehlo.reduce(%x) applies stablehlo.maximum across dimensions = [1] : tensor<4x1000000xf32> ...
    %e = stablehlo.exponential (%x - %m of its row)
    %s = stablehlo.reduce(%e) applies stablehlo.add across dimensions = [1]

After:
    %p = stablehlo.reshape %x : tensor<4x1000000xf32> -> tensor<4x250x4000xf32>
    %n = stablehlo.reduce(%p) applies stablehlo.maximum across dimensions = [2]
    %t = stablehlo.reduce(exponential (%p - %n of its part)) applies stablehlo.add across dimensions = [2]
    %m = stablehlo.reduce(%n) applies stablehlo.maximum across dimensions = [1]
    %s = stablehlo.reduce(%t * exponential (%n - %m)) applies stablehlo.add across dimensions = [1]

A part is read twice while it is in the cache nearest to a core, so that a row comes once from memory instead of twice, and
its parts are work for several cores. What reads the exponentials themselves computes them again, from the row: that is one
more pass instead of two, with nothing stored between. Whatever is subtracted from the row, the sum is the same: a part
whose maximum is infinite is not shifted, and its factor is what its maximum would have made of it.

Needs: the ops of step 1, canonicalized, and the machine (`stepwell.target`).  Keeps: rows that fit in a core's cache, where they are
enough to share out; rows of a length that nothing divides into parts of such a size; elements other than f32 and f64; machines
whose lanes come in subgroups, which have blocks for long rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, prod

from xdsl.context import Context
from xdsl.dialects.builtin import Float32Type, Float64Type, ModuleOp, TensorType
from xdsl.ir import Block, Operation, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import stablehlo
from stepwell.ir.dtypes import byte_width
from stepwell.ir.machine import MachineDescription, machine_of
from stepwell.ir.passes import Pass
from stepwell.passes.attention.tracing import identity, trace
from stepwell.passes.hlo import Hlo, element_of, replace, shape_of

FEW_ROWS = 8
"""Fewer rows leave cores idle, or unequal work, where a core does a row."""


@dataclass(frozen=True)
class LongSoftmax:
    """A maximum along the last dim of `x`, and the sum along it of `exp(x - shift)`."""

    x: SSAValue
    highest: stablehlo.ReduceOp
    total: stablehlo.ReduceOp
    shift: SSAValue
    """What is subtracted, one number a row."""
    part: int
    """Elements of a part."""


def is_too_long(shape: Sequence[int], width: int, machine: MachineDescription) -> bool:
    """Whether rows of so many bytes an element, read, kept and written, do not stay in a core's cache, or are too few."""
    rows, row = prod(shape[:-1]), shape[-1] * width
    return 3 * row > machine.l2_bytes * 7 // 8 or (rows < FEW_ROWS and rows * row > machine.l2_bytes)


def part_length(length: int, width: int, machine: MachineDescription) -> int | None:
    """Elements of a part: what divides a row and comes nearest to half of a core's first cache; None where nothing is near."""
    wanted = machine.l1_bytes // (2 * width)
    near = [n for n in range(max(64, wanted // 8), 4 * wanted) if length % n == 0]
    return min(near, key=lambda n: max(n / wanted, wanted / n), default=None)


def match_long_softmax(total: Operation, machine: MachineDescription) -> LongSoftmax | None:
    """The softmax that sums up in `total`, where its rows are too long."""
    if not isinstance(total, stablehlo.ReduceOp) or not _is_reduction(total, stablehlo.AddOp):
        return None
    exponential = total.inputs[0].owner
    if not isinstance(exponential, stablehlo.ExponentialOp):
        return None
    difference = exponential.operands[0].owner
    if not isinstance(difference, stablehlo.SubtractOp):
        return None
    x, rows = difference.operands
    kind, shape = element_of(x), shape_of(x)
    if not isinstance(kind, Float32Type | Float64Type) or any(n < 1 for n in shape):
        return None
    if not is_too_long(shape, byte_width(kind), machine):
        return None
    highest = next((u.operation for u in x.uses if _is_reduction(u.operation, stablehlo.MaximumOp)), None)
    shift, part = _one_a_row(rows), part_length(shape[-1], byte_width(kind), machine)
    if shift is None or part is None:
        return None
    if not isinstance(highest, stablehlo.ReduceOp) or not _comes_before(highest, total):
        return None
    return LongSoftmax(x, highest, total, shift, part)


def _is_reduction(op: Operation, combiner: type[Operation]) -> bool:
    """Whether an op combines one tensor along its last dim alone, by one op."""
    if not isinstance(op, stablehlo.ReduceOp) or len(op.inputs) != 1:
        return False
    last = len(shape_of(op.inputs[0])) - 1
    ops = list(op.body.block.ops)
    return (
        tuple(op.dimensions.get_values()) == (last,)
        and len(ops) == 2
        and isinstance(ops[0], combiner)
        and set(ops[0].operands) == set(op.body.block.args)
        and tuple(ops[1].operands) == tuple(ops[0].results)
        and ops[0].results[0].type == TensorType(element_of(op.inputs[0]), [])
    )


def _one_a_row(value: SSAValue) -> SSAValue | None:
    """The value with an element for each row that a value of the rows' shape repeats along them."""
    shape = shape_of(value)
    source, exprs = trace(value, identity(len(shape)))
    places = [e for e, n in zip(exprs, shape_of(source), strict=True) if n != 1]
    dims = [AffineExpr.dimension(d) for d, n in enumerate(shape[:-1]) if n != 1]
    return source if places == dims else None


def _comes_before(first: Operation, second: Operation) -> bool:
    block = first.parent
    return isinstance(block, Block) and block is second.parent and first.is_before_in_block(second)


def split(found: LongSoftmax) -> None:
    """Replace the maximum and the sum by those of parts."""
    h, (*rows, length) = Hlo.before(found.highest), shape_of(found.x)
    axis, shape = len(rows), [*rows, length // found.part, found.part]
    x = h.reshape(found.x, shape)
    highest = h.reduce("maximum", x, [axis + 1], -inf)
    below = h.select(h.unary("is_finite", highest), highest, 0.0)
    spread = h.broadcast(below, shape, list(range(axis + 1)))
    totals = h.reduce("add", h.unary("exponential", h.sub(x, spread)), [axis + 1])
    whole = h.reduce("maximum", highest, [axis], found.highest.init_values[0])
    shift = whole if found.shift is found.highest.results[0] else found.shift
    replace(found.highest, [whole])

    h = Hlo.before(found.total)
    spread = h.broadcast(h.reshape(shift, rows), shape[:-1], list(range(axis)))
    factors = h.unary("exponential", h.sub(highest, spread))
    total = h.reduce("add", h.mul(totals, factors), [axis], found.total.init_values[0])
    replace(found.total, [total])


@dataclass(frozen=True)
class SplitLongSoftmaxPass(Pass):
    """Sum exponentials of long rows part by part, so that rows are read once for their maximum and their sum."""

    name = "split-long-softmax"
    numerics = "rounding"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Split every long softmax of the module."""
        del ctx
        assert isinstance(op, ModuleOp)
        machine = machine_of(op)
        if machine.subgroup > 1:
            return
        for inner in list(op.walk()):
            found = match_long_softmax(inner, machine)
            if found is not None:
                split(found)
