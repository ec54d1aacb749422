"""Triangular solves: substitution, block after block; what the solved rows take from the next block is one product."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import SSAValue

from stepwell.passes.hlo import element_of, shape_of
from stepwell.passes.linear_algebra.matrices import Blocks, Index, Matrices


@dataclass(frozen=True)
class Triangle:
    """Which part of a matrix is meant."""

    lower: bool
    unit: bool = False


def solve_left(h: Matrices, a: SSAValue, b: SSAValue, triangle: Triangle) -> SSAValue:
    """`x` of `a x = b` for `[batch, n, n]` and `[batch, n, k]`; of `a` only the triangle is read."""
    batch, n, k = shape_of(b)
    if 0 in (batch, n, k):
        return b
    blocks = Blocks(n)
    size, width = blocks.columns, blocks.width
    shape = shape_of(a)
    inside = h.compare("GT" if triangle.lower else "LT", h.numbers(shape, 1), h.numbers(shape, 2))
    strict = h.padded(h.select(inside, a, 0.0), size, size)
    diagonal = None
    if not triangle.unit:
        diagonal = h.diagonal(a)
        if size != n:
            diagonal = h.pad(diagonal, 1.0, [0, 0], [0, size - n])
    right = h.padded(b, size, k)

    def block(i: Index, solved: SSAValue) -> SSAValue:
        number = (
            i if triangle.lower else h.plus(h.sub(h.scalar(0, element_of(h.index(i))), h.index(i)), blocks.count - 1)
        )
        first = h.times(number, width)
        mine = h.read(strict, [0, first, 0], [batch, width, size])
        rest = h.sub(h.read(right, [0, first, 0], [batch, width, k]), h.product(mine, solved))
        tile = h.read(strict, [0, first, first], [batch, width, width])
        part = None if diagonal is None else h.read(diagonal, [0, first], [batch, width])
        return h.write(solved, _substitute(h, tile, part, rest, triangle.lower), [0, first, 0])

    if blocks.count == 1:
        return _substitute(h, strict, diagonal, right, triangle.lower)
    (solved,) = h.repeat(blocks.count, [h.full(0, shape_of(right), element_of(b))], block)
    return h.cropped(solved, n, k)


def _substitute(h: Matrices, strict: SSAValue, diagonal: SSAValue | None, b: SSAValue, forward: bool) -> SSAValue:
    """Row after row of one block; a solved row is taken from those that follow, and from no other."""
    batch, n, k = shape = shape_of(b)

    def step(i: Index, b: SSAValue) -> SSAValue:
        j = i if forward else h.sub(h.scalar(n - 1, element_of(h.index(i))), h.index(i))
        row = h.read(b, [0, j, 0], [batch, 1, k])
        if diagonal is not None:
            row = h.div(row, h.spread(h.read(diagonal, [0, j], [batch, 1]), [batch, 1, k], 0, 1))
        row = h.spread(row, shape, 0, 1, 2)
        column = h.spread(h.read(strict, [0, 0, j], [batch, n, 1]), shape, 0, 1, 2)
        later = h.where_place("GT" if forward else "LT", shape, 1, j)
        b = h.select(later, h.sub(b, h.mul(column, row)), b)
        return h.select(h.where_place("EQ", shape, 1, j), row, b)

    return h.repeat(n, [b], step)[0]


def triangular_solve(
    h: Matrices,
    a: SSAValue,
    b: SSAValue,
    triangle: Triangle,
    *,
    left: bool,
    transpose: bool,
    conjugate: bool,
) -> SSAValue:
    """`x` of `op(a) x = b`, or `x op(a) = b`; op transposes and conjugates."""
    a = h.conj(a) if conjugate else a
    # x op(a) = b is op(a)^T x^T = b^T.
    if transpose == left:
        a = h.matrix_transpose(a)
        triangle = Triangle(not triangle.lower, triangle.unit)
    if left:
        return solve_left(h, a, b, triangle)
    return h.matrix_transpose(solve_left(h, a, h.matrix_transpose(b), triangle))


__all__ = ["Triangle", "solve_left", "triangular_solve"]
