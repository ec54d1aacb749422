"""`chlo.top_k` where the machine selects without sorting: `structured.top_k`."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.dialects import arith, tensor
from xdsl.dialects.builtin import IndexType, IntegerType, Signedness, TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Operation, SSAValue

from stepwell.dialects import chlo, structured
from stepwell.ir.machine import machine_of
from stepwell.passes.hlo import element_of as written_element
from stepwell.passes.hlo import shape_of as written_shape
from stepwell.passes.stablehlo_to_linalg.lowering import Lowering, Rule, dim, element_of, shape_of
from stepwell.passes.stablehlo_to_linalg.scalars import Scalars, signless_element
from stepwell.passes.structured_loops.top_k import has_keys

LONG = 256
"""Shorter lines are sorted: that takes no longer."""
LONG_PART = 1 << 16
"""Elements of a part of a line at least."""
PART = 4
"""A k that is more than one part in so many of a line asks for most of a sort."""


def is_selected(op: chlo.TopKOp) -> bool:
    """Whether the largest elements are selected, not sorted out."""
    shape, k = written_shape(op.operand), op.k.value.data
    if any(n < 1 for n in shape) or shape[-1] < LONG or not 1 <= k <= shape[-1] // PART:
        return False
    return machine_of(op).subgroup == 1 and has_keys(signless_element(written_element(op.operand)))


def parts_of(op: chlo.TopKOp) -> int:
    """Parts that a line is cut into, each for a worker: 1 unless lines are long and fewer than twice the workers."""
    *lines, length = written_shape(op.operand)
    if prod(lines) >= 2 * machine_of(op).cores or machine_of(op).cores < 2:
        return 1
    fitting = (p for p in (8, 4, 2) if length % p == 0 and length // p >= max(LONG_PART, LONG * op.k.value.data))
    return next(fitting, 1)


def top_k(low: Lowering, op: chlo.TopKOp) -> Sequence[SSAValue]:
    """Lines of one dim in front, so that they can be shared out; of few and long ones the best of the best of their parts."""
    value, parts = low.get(op.operand), parts_of(op)
    *lines, length = shape_of(value)
    count, k, rank = prod(lines), op.k.value.data, len(lines) + 1
    every = list(range(rank))
    flat = low.collapse(value, [every], [count * length])
    found, places = _select(low, op, low.expand(flat, [[0, 1]], [count * parts, length // parts]))
    if parts > 1:
        firsts = [
            low.expand(low.collapse(v, [[0, 1]], [count * parts * k]), [[0, 1]], [count, parts * k])
            for v in (found, places)
        ]
        found, chosen = _select(low, op, firsts[0])
        places = _places(low, firsts[1], chosen, k, length // parts)
    flats = [low.collapse(v, [[0, 1]], [count * k]) for v in (found, places)]
    return [low.expand(v, [every], [*lines, k]) for v in flats]


def _select(low: Lowering, op: chlo.TopKOp, value: SSAValue) -> Sequence[SSAValue]:
    kind = written_element(op.operand)
    unsigned = isinstance(kind, IntegerType) and kind.signedness.data == Signedness.UNSIGNED
    shape = [shape_of(value)[0], op.k.value.data]
    targets = [low.empty(shape, element_of(value)), low.empty(shape, low.result_type(op, 1).element_type)]
    return low.builder.insert(structured.TopKOp(value, targets, unsigned=unsigned)).results


def _places(low: Lowering, places: SSAValue, chosen: SSAValue, k: int, length: int) -> SSAValue:
    """Where in their lines the chosen ones are: `places` are those in parts of `length`, k of each part after k of the one before."""
    kind = element_of(chosen)

    def body(s: Scalars, args: list[SSAValue]) -> Sequence[SSAValue]:
        at = s(arith.IndexCastOp, args[0], IndexType())
        place = s(tensor.ExtractOp, places, [s(linalg.IndexOp, 0), at], kind)
        part = s(arith.DivUIOp, args[0], s.constant(k, kind))
        return [s(arith.AddiOp, place, s(arith.MuliOp, part, s.constant(length, kind)))]

    result = TensorType(kind, shape_of(chosen))
    return low.map([(chosen, [dim(0), dim(1)])], result, body)


RULES: dict[type[Operation], Rule] = {chlo.TopKOp: top_k}

__all__ = ["RULES", "is_selected", "parts_of", "top_k"]
