"""Cholesky factors: blocks of columns from the left, the update of each a product with all columns before it."""

from __future__ import annotations

import math

from xdsl.ir import SSAValue

from stepwell.passes.hlo import element_of, shape_of
from stepwell.passes.linear_algebra.matrices import Blocks, Index, Matrices, is_complex


def cholesky(h: Matrices, a: SSAValue) -> SSAValue:
    """The lower factors of `[batch, n, n]`, of which only the lower triangle is read.

    Where the leading minor of order i + 1 is not positive, all from column i on is NaN.
    """
    batch, n, _ = shape_of(a)
    blocks = Blocks(n)
    if blocks.count <= 1:
        return _panel(h, a, 0, n) if n else a
    padded = h.padded(a, blocks.columns, blocks.columns)
    shape = shape_of(padded)
    fill = h.logical_and(h.eq(h.numbers(shape, 1), h.numbers(shape, 2)), h.ge(h.numbers(shape, 1), n))
    padded = h.select(fill, h.full(1, shape, element_of(a)), padded)

    def block(i: SSAValue, factor: SSAValue) -> SSAValue:
        first = h.times(i, blocks.width)
        mine = h.conj(h.read(factor, [0, first, 0], [batch, blocks.width, blocks.columns]))
        panel = h.read(padded, [0, 0, first], [batch, blocks.columns, blocks.width])
        panel = h.sub(panel, h.product(factor, mine, b_rows=False))
        return h.write(factor, _panel(h, panel, first, blocks.width), [0, 0, first])

    (factor,) = h.repeat(blocks.count, [h.full(0, shape, element_of(a))], block)
    return h.cropped(factor, n, n)


def _panel(h: Matrices, panel: SSAValue, first: Index, width: int) -> SSAValue:
    """Columns `first` to `first + width` of the factor from what is left of them in the matrix; zeros above the diagonal."""
    batch, rows, _ = shape = shape_of(panel)

    def step(j: Index, panel: SSAValue) -> SSAValue:
        place = h.plus(first, j)
        column = h.reshape(h.read(panel, [0, 0, j], [batch, rows, 1]), [batch, rows])
        pivot = h.real(h.reshape(h.read(panel, [0, place, j], [batch, 1, 1]), [batch]))
        root = h.select(h.gt(pivot, 0.0), h.sqrt(pivot), math.nan)
        roots = h.spread(root, [batch, rows])
        scaled = h.divide_by_real(column, roots)
        scaled = h.select(h.where_place("EQ", [batch, rows], 1, place), h.cast_real(roots, element_of(panel)), scaled)
        scaled = h.select(h.where_place("GE", [batch, rows], 1, place), scaled, 0.0)
        mine = h.conj(h.read(scaled, [0, first], [batch, width]))
        rest = h.sub(panel, h.mul(h.spread(scaled, shape, 0, 1), h.spread(mine, shape, 0, 2)))
        panel = h.select(h.where_place("GT", shape, 2, j), rest, panel)
        return h.select(h.where_place("EQ", shape, 2, j), h.spread(scaled, shape, 0, 1), panel)

    return h.repeat(width, [panel], step)[0]


def failures(h: Matrices, factor: SSAValue) -> SSAValue:
    """Per matrix, 1 + the first column of `cholesky`'s result that is NaN on the diagonal; 0 when none is: LAPACK's `info`."""
    batch, n, _ = shape_of(factor)
    diagonal = h.real(h.diagonal(factor))
    numbers = h.add(h.numbers([batch, n], 1), 1)
    failed = h.select(h.ne(diagonal, diagonal), numbers, n + 1)
    first = h.reduce("minimum", failed, [1], n + 1)
    return h.select(h.gt(first, n), 0, first)


def nan_unless_positive(h: Matrices, factor: SSAValue) -> SSAValue:
    """`cholesky`'s result, its lower triangle NaN all over where the matrix was not positive definite."""
    batch, n, _ = shape = shape_of(factor)
    last = h.reshape(h.slice(factor, [0, n - 1, n - 1], [batch, n, n]), [batch])
    last = h.real(last) if is_complex(last) else last
    failed = h.spread(h.ne(last, last), shape, 0)
    below = h.ge(h.numbers(shape, 1), h.numbers(shape, 2))
    return h.select(h.logical_and(failed, below), h.nan_like(factor), factor)


__all__ = ["cholesky", "failures", "nan_unless_positive"]
