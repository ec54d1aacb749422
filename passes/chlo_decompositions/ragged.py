"""`chlo.ragged_dot` as a loop over the groups: a product with all rows, of which those of the group are kept.

With a ragged contracting dimension a group's product has zeros outside of the group on both sides, so that infinities that are
not in the group stay out of it. The loop does as many times the work of a product without groups as there are groups; sizes
are not known before run time, and every product is of full speed.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import i64
from xdsl.ir import SSAValue

from stepwell.dialects import chlo
from stepwell.dialects.chlo import RaggedDotDimensionNumbers, RaggedMode
from stepwell.ir.diagnostics import unsupported
from stepwell.passes.hlo import Hlo, element_of, shape_of


def ragged_dot(h: Hlo, op: chlo.RaggedDotOp) -> Sequence[SSAValue]:
    """The loop, or one product when the batch is ragged.

    Raises:
        UnsupportedError: a dynamic shape.
    """
    if any(n < 0 for o in op.operands for n in shape_of(o)):
        raise unsupported(op, "ragged products of dynamic shapes", "refine the program to static shapes first")
    numbers = op.numbers
    mode = chlo.ragged_mode(numbers)
    if mode == RaggedMode.BATCH:
        return [h.dot_general(op.lhs, op.rhs, *_pairs(numbers), element_of(op.result))]
    zeros = h.full(0, shape_of(op.result), element_of(op.result))
    sizes = h.convert(op.group_sizes, i64)
    ends = _ends(h, sizes)
    bounds = (h.sub(ends, sizes), ends)
    step = _free_step if mode == RaggedMode.FREE else _contracting_step
    count = shape_of(sizes)[-1]
    return h.fori(0, count, [zeros], lambda g, total: step(h, op, _of_group(h, bounds, g), g, total), i64)


def _pairs(
    n: RaggedDotDimensionNumbers,
) -> tuple[tuple[Sequence[int], Sequence[int]], tuple[Sequence[int], Sequence[int]]]:
    batching = (n.lhs_batching_dimensions, n.rhs_batching_dimensions)
    return batching, (n.lhs_contracting_dimensions, n.rhs_contracting_dimensions)


def _ends(h: Hlo, sizes: SSAValue) -> SSAValue:
    """Running sums along the last dim."""
    shape = shape_of(sizes)
    groups, rank = shape[-1], len(shape)
    square = [*shape, groups]
    spread = h.broadcast(sizes, square, list(range(rank)))
    upto = h.compare("LE", h.iota(rank - 1, square, i64), h.iota(rank, square, i64))
    return h.reduce("add", h.select(upto, spread, 0), [rank - 1])


def _at(h: Hlo, x: SSAValue, axis: int, index: SSAValue) -> SSAValue:
    """`x` at an index of one dim, which goes away."""
    shape = shape_of(x)
    zero = h.scalar(0, i64)
    starts = [index if d == axis else zero for d in range(len(shape))]
    row = h.dynamic_slice(x, starts, [1 if d == axis else n for d, n in enumerate(shape)])
    return h.reshape(row, [*shape[:axis], *shape[axis + 1 :]])


def _of_group(h: Hlo, bounds: tuple[SSAValue, SSAValue], group: SSAValue) -> list[SSAValue]:
    """First and last index of a group, per index of the prefix dims."""
    return [_at(h, v, len(shape_of(v)) - 1, group) for v in bounds]


def _kept(
    h: Hlo, x: SSAValue, other: SSAValue | int, bounds: Sequence[SSAValue], prefix: Sequence[int], ragged: int
) -> SSAValue:
    """`x` in the group, `other` outside."""
    shape = shape_of(x)
    where = prefix if shape_of(bounds[0]) else []
    start, end = (h.broadcast(v, shape, where) for v in bounds)
    place = h.iota(ragged, shape, i64)
    return h.select(h.logical_and(h.ge(place, start), h.lt(place, end)), x, other)


def _free_step(h: Hlo, op: chlo.RaggedDotOp, bounds: Sequence[SSAValue], group: SSAValue, total: SSAValue) -> SSAValue:
    """The rows of the group times its own rhs."""
    numbers = op.numbers
    (axis,) = numbers.rhs_group_dimensions
    (lhs_batch, rhs_batch), (lhs_contract, rhs_contract) = _pairs(numbers)
    shifted = [[d - (d > axis) for d in dims] for dims in (rhs_batch, rhs_contract)]
    batching, contracting = (lhs_batch, shifted[0]), (lhs_contract, shifted[1])
    product = h.dot_general(op.lhs, _at(h, op.rhs, axis, group), batching, contracting, element_of(op.result))
    free = [d for d in range(len(shape_of(op.lhs))) if d not in lhs_batch and d not in lhs_contract]
    place = {d: i for i, d in enumerate([*lhs_batch, *free])}
    prefix = [place[d] for d in chlo.prefix_dimensions(numbers)]
    return _kept(h, product, total, bounds, prefix, place[numbers.lhs_ragged_dimensions[0]])


def _contracting_step(
    h: Hlo, op: chlo.RaggedDotOp, bounds: Sequence[SSAValue], group: SSAValue, total: SSAValue
) -> SSAValue:
    """The product of what both sides have in the group."""
    numbers = op.numbers
    batching, contracting = _pairs(numbers)
    prefix, ragged = chlo.prefix_dimensions(numbers), numbers.lhs_ragged_dimensions[0]
    to_rhs = dict(zip([*batching[0], *contracting[0]], [*batching[1], *contracting[1]], strict=True))
    lhs = _kept(h, op.lhs, 0, bounds, prefix, ragged)
    rhs = _kept(h, op.rhs, 0, bounds, [to_rhs[d] for d in prefix], to_rhs[ragged])
    product = h.dot_general(lhs, rhs, batching, contracting, element_of(op.result))
    zero = h.scalar(0, i64)
    starts = [group, *(zero for _ in shape_of(product))]
    return h.dynamic_update_slice(total, h.reshape(product, [1, *shape_of(product)]), starts)


__all__ = ["ragged_dot"]
