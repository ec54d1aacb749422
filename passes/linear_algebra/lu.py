"""LU factors with partial pivoting: panels from the left, the update of all that follows a panel one product."""

from __future__ import annotations

from xdsl.dialects.builtin import i32
from xdsl.ir import SSAValue

from stepwell.passes.hlo import shape_of
from stepwell.passes.linear_algebra.matrices import Blocks, Index, Matrices
from stepwell.passes.linear_algebra.triangular import Triangle, solve_left


def lu(h: Matrices, a: SSAValue) -> tuple[SSAValue, SSAValue]:
    """(factors, pivots) of `[batch, m, n]`: L below the diagonal, U above; row i was exchanged with row `pivots[i]` (from 0)."""
    batch, m, n = shape_of(a)
    steps = min(m, n)
    blocks = Blocks(steps)
    rows, columns = max(m, blocks.columns), max(n, blocks.columns)
    pivots = h.full(0, [batch, blocks.columns], i32)
    if blocks.count == 1:
        panel, pivots, _ = _panel(h, h.padded(a, rows, columns), pivots, 0, steps)
        return h.cropped(panel, m, n), h.slice(pivots, [0, 0], [batch, steps])

    def block(i: SSAValue, matrix: SSAValue, pivots: SSAValue) -> list[SSAValue]:
        first = h.times(i, blocks.width)
        panel = h.read(matrix, [0, 0, first], [batch, rows, blocks.width])
        count = h.minimum(h.sub(h.scalar(steps, i32), h.index(first)), blocks.width)
        panel, pivots, order = _panel(h, panel, pivots, first, count)
        matrix = h.rows_at(matrix, h.reshape(order, [batch, rows, 1]))
        return [_update(h, matrix, panel, first), pivots]

    matrix, pivots = h.repeat(blocks.count, [h.padded(a, rows, columns), pivots], block)
    return h.cropped(matrix, m, n), h.slice(pivots, [0, 0], [batch, steps])


def _update(h: Matrices, matrix: SSAValue, panel: SSAValue, first: Index) -> SSAValue:
    """The matrix (its rows exchanged) with a factored panel, the rows of U beside it, and their product taken from the rest."""
    batch, _, columns = shape = shape_of(matrix)
    width = shape_of(panel)[2]
    after = h.plus(first, width)
    triangle = h.read(panel, [0, first, 0], [batch, width, width])
    beside = h.read(matrix, [0, first, 0], [batch, width, columns])
    upper = solve_left(h, triangle, beside, Triangle(lower=True, unit=True))
    upper = h.select(h.where_place("GE", shape_of(upper), 2, after), upper, 0.0)
    lower = h.select(h.where_place("GE", shape_of(panel), 1, after), panel, 0.0)
    right, below = h.where_place("GE", shape, 2, after), h.where_place("GE", shape, 1, after)
    rest = h.sub(matrix, h.product(lower, upper))
    matrix = h.select(h.logical_and(right, below), rest, matrix)
    upper = h.select(h.where_place("GE", shape_of(upper), 2, after), upper, beside)
    matrix = h.write(matrix, upper, [0, first, 0])
    return h.write(matrix, panel, [0, 0, first])


def _panel(
    h: Matrices, panel: SSAValue, pivots: SSAValue, first: Index, count: Index
) -> tuple[SSAValue, SSAValue, SSAValue]:
    """`count` columns factored, the first at row `first`: (the panel, the pivots, which row each row was)."""
    batch, rows, width = shape = shape_of(panel)
    per_row = [batch, rows]

    def step(j: Index, panel: SSAValue, pivots: SSAValue, order: SSAValue) -> list[SSAValue]:
        place = h.plus(first, j)
        column = h.reshape(h.read(panel, [0, 0, j], [batch, rows, 1]), per_row)
        # LAPACK picks complex pivots by the sum of the magnitudes of their parts.
        chosen = h.largest(h.sum_of_parts(column), h.where_place("GE", per_row, 1, place))
        is_chosen = h.eq(h.numbers(per_row, 1), h.spread(chosen, per_row, 0))
        is_here = h.where_place("EQ", per_row, 1, place)
        chosen_row = h.sum(h.select(h.spread(is_chosen, shape, 0, 1), panel, 0.0), 1)
        here_row = h.reshape(h.read(panel, [0, place, 0], [batch, 1, width]), [batch, width])
        moved = h.select(h.spread(is_chosen, shape, 0, 1), h.spread(here_row, shape, 0, 2), panel)
        moved = h.select(h.spread(is_here, shape, 0, 1), h.spread(chosen_row, shape, 0, 2), moved)
        panel = _eliminate(h, moved, chosen_row, place, j)
        chosen_order = h.sum(h.select(is_chosen, order, 0), 1)
        here_order = h.read(order, [0, place], [batch, 1])
        order = h.select(is_chosen, h.spread(here_order, per_row, 0, 1), order)
        order = h.select(is_here, h.spread(chosen_order, per_row, 0), order)
        return [panel, h.write(pivots, h.reshape(chosen, [batch, 1]), [0, place]), order]

    panel, pivots, order = h.repeat(count, [panel, pivots, h.numbers(per_row, 1)], step)
    return panel, pivots, order


def _eliminate(h: Matrices, panel: SSAValue, pivot_row: SSAValue, place: Index, j: Index) -> SSAValue:
    """Column j of L, and its product with row j of U taken from the columns after it."""
    batch, rows, _ = shape = shape_of(panel)
    column = h.reshape(h.read(panel, [0, 0, j], [batch, rows, 1]), [batch, rows])
    pivot = h.spread(h.read(pivot_row, [0, j], [batch, 1]), [batch, rows], 0, 1)
    # A pivot of zero has only zeros below it; what follows is not divided.
    scaled = h.select(h.ne(pivot, 0.0), h.div(column, pivot), column)
    scaled = h.spread(scaled, shape, 0, 1)
    rest = h.sub(panel, h.mul(scaled, h.spread(pivot_row, shape, 0, 2)))
    rest = h.select(h.where_place("GT", shape, 2, j), rest, panel)
    rest = h.select(h.where_place("EQ", shape, 2, j), scaled, rest)
    return h.select(h.where_place("GT", shape, 1, place), rest, panel)


def zero_pivots(h: Matrices, factors: SSAValue) -> SSAValue:
    """Per matrix, 1 + the first place where U has a zero on its diagonal; 0 when it has none: LAPACK's `info`."""
    batch, m, n = shape_of(factors)
    count = min(m, n)
    shape = [batch, count]
    diagonal = h.diagonal(factors, 0, count)
    numbers = h.select(h.eq(diagonal, 0.0), h.add(h.numbers(shape, 1), 1), count + 1)
    first = h.reduce("minimum", numbers, [1], count + 1)
    return h.select(h.gt(first, count), 0, first)


__all__ = ["lu", "zero_pivots"]
