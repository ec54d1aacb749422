"""QR factors by reflections: panels of columns, each panel's reflections applied to the rest as `I - V T V^H`."""

from __future__ import annotations

from xdsl.ir import SSAValue

from stepwell.passes.hlo import element_of, shape_of
from stepwell.passes.linear_algebra.matrices import Blocks, Index, Matrices, is_complex


def qr(h: Matrices, a: SSAValue) -> tuple[SSAValue, SSAValue]:
    """(factors, scales) of `[batch, m, n]` as LAPACK's `geqrf` has them.

    R is on and above the diagonal; below it column j holds what follows the 1 of vector `v` of reflection j, which is
    `I - scales[j] v v^H`. Q is the product of the reflections in order.
    """
    batch, m, n = shape_of(a)
    steps = min(m, n)
    blocks = Blocks(steps)
    columns = max(n, blocks.columns)
    scales = h.full(0, [batch, blocks.columns], element_of(a))
    matrix = h.padded(a, m, columns)
    if blocks.count == 1:
        matrix, scales = _panel(h, matrix, scales, 0, steps, [])
        return matrix, scales

    def block(i: SSAValue, matrix: SSAValue, scales: SSAValue) -> list[SSAValue]:
        first = h.times(i, blocks.width)
        panel = h.read(matrix, [0, 0, first], [batch, m, blocks.width])
        triangle = h.full(0, [batch, blocks.width, blocks.width], element_of(a))
        panel, scales, triangle = _panel(h, panel, scales, first, blocks.width, [triangle])
        vectors = _vectors(h, panel, first)
        # (I - V T V^H)^H = I - V T^H V^H
        taken = h.product(vectors, h.product(h.conj(triangle), _across(h, vectors, matrix), a_rows=True))
        after = h.where_place("GE", shape_of(matrix), 2, h.plus(first, blocks.width))
        matrix = h.select(after, h.sub(matrix, taken), matrix)
        return [h.write(matrix, panel, [0, 0, first]), scales]

    matrix, scales = h.repeat(blocks.count, [matrix, scales], block)
    return h.cropped(matrix, m, n), h.slice(scales, [0, 0], [batch, steps])


def _across(h: Matrices, vectors: SSAValue, matrix: SSAValue) -> SSAValue:
    """`V^H A`."""
    return h.product(h.conj(vectors), matrix, a_rows=True)


def _vectors(h: Matrices, panel: SSAValue, first: Index) -> SSAValue:
    """The vectors of a panel's reflections, as columns: zeros, a one at row `first + j`, what the panel has below it."""
    shape = shape_of(panel)
    places = h.numbers(shape, 2)
    if first != 0:
        places = h.add(places, h.spread(h.index(first), shape)) if isinstance(first, SSAValue) else h.add(places, first)
    rows = h.numbers(shape, 1)
    below = h.select(h.gt(rows, places), panel, 0.0)
    return h.select(h.eq(rows, places), h.full(1, shape, element_of(panel)), below)


def _panel(
    h: Matrices, panel: SSAValue, scales: SSAValue, first: Index, count: int, triangle: list[SSAValue]
) -> tuple[SSAValue, ...]:
    """`count` reflections, the first at row `first`, applied to the panel: the panel, all scales, T of `I - V T V^H` if given."""
    batch, rows, width = shape = shape_of(panel)

    def step(j: Index, panel: SSAValue, scales: SSAValue, *triangle: SSAValue) -> list[SSAValue]:
        place = h.plus(first, j)
        column = h.reshape(h.read(panel, [0, 0, j], [batch, rows, 1]), [batch, rows])
        vector, scale, reflected = reflection(h, column, place)
        across = _along(h, vector, panel)
        grown = [_grow(h, t, h.conj(across), scale, j) for t in triangle]
        factor = h.mul(h.spread(h.conj(scale), [batch, width], 0), across)
        rest = h.sub(panel, h.mul(h.spread(vector, shape, 0, 1), h.spread(factor, shape, 0, 2)))
        rest = h.select(h.where_place("GT", shape, 2, j), rest, panel)
        panel = h.select(h.where_place("EQ", shape, 2, j), h.spread(reflected, shape, 0, 1), rest)
        return [panel, h.write(scales, h.reshape(scale, [batch, 1]), [0, place]), *grown]

    return h.repeat(count, [panel, scales, *triangle], step)


def _along(h: Matrices, vector: SSAValue, matrix: SSAValue) -> SSAValue:
    """`v^H A`."""
    return h.dot_general(h.conj(vector), matrix, ([0], [0]), ([1], [1]))


def _grow(h: Matrices, triangle: SSAValue, across: SSAValue, scale: SSAValue, j: Index) -> SSAValue:
    """T with its column j: `-scale T (V^H v)` above the diagonal, where `across` is `V^H v`, and `scale` on it."""
    batch, width, _ = shape = shape_of(triangle)
    before = h.where_place("LT", [batch, width], 1, j)
    column = h.dot_general(triangle, h.select(before, across, 0.0), ([0], [0]), ([2], [1]))
    scale = h.spread(scale, [batch, width], 0)
    column = h.select(before, h.neg(h.mul(scale, column)), 0.0)
    column = h.select(h.where_place("EQ", [batch, width], 1, j), scale, column)
    return h.select(h.where_place("EQ", shape, 2, j), h.spread(column, shape, 0, 1), triangle)


def reflection(h: Matrices, column: SSAValue, place: Index) -> tuple[SSAValue, SSAValue, SSAValue]:
    """The reflection that makes all after `place` of `[batch, rows]` zero and leaves what is before it.

    Returns: its vector (with its leading one), its scale, and the column as `geqrf` stores it: the new element at
    `place`, the vector after it. The new element is real and of the opposite sign; nothing is done where nothing is to do.
    """
    batch, _ = shape = shape_of(column)
    tail = h.select(h.where_place("GT", shape, 1, place), column, 0.0)
    alpha = h.reshape(h.read(column, [0, place], [batch, 1]), [batch])
    # The norm in units of the largest part: no square overflows, none that matters underflows.
    unit = h.max_of_positive(h.largest_part(tail), 1)
    unit = h.power_of_two(h.maximum(unit, h.largest_part(alpha)))
    scaled = h.divide_by_real(tail, h.spread(unit, shape, 0))
    squares = h.add(h.sum(h.squares(scaled), 1), h.squares(h.divide_by_real(alpha, unit)))
    norm = h.mul(h.sqrt(squares), unit)
    nothing = h.eq(h.max_of_positive(h.largest_part(tail), 1), 0.0)
    if is_complex(column):
        nothing = h.logical_and(nothing, h.eq(h.imag(alpha), 0.0))
    real = h.real(alpha)
    beta = h.select(h.ge(real, 0.0), h.neg(norm), norm)
    beta = h.select(nothing, real, beta)
    wide = h.cast_real(beta, element_of(column))
    difference = h.sub(alpha, wide)
    scale = h.divide_by_real(h.neg(difference), h.select(nothing, 1.0, beta))
    scale = h.select(nothing, 0.0, scale)
    divisor = h.select(nothing, 1.0, difference)
    vector = h.div(tail, h.spread(divisor, shape, 0))
    at = h.where_place("EQ", shape, 1, place)
    stored = h.select(at, h.spread(wide, shape, 0), vector)
    stored = h.select(h.where_place("LT", shape, 1, place), column, stored)
    return h.select(at, h.full(1, shape, element_of(column)), vector), scale, stored


def product_of_reflections(h: Matrices, factors: SSAValue, scales: SSAValue) -> SSAValue:
    """The first n columns of Q, from `qr`'s `[batch, m, n]` factors and k scales, n <= m and k <= n: LAPACK's `orgqr`."""
    batch, m, n = shape_of(factors)
    return apply_reflections(h, factors, scales, h.identity(batch, m, n, element_of(factors)))


def apply_reflections(
    h: Matrices, factors: SSAValue, scales: SSAValue, target: SSAValue, *, adjoint: bool = False
) -> SSAValue:
    """`Q target`, or `Q^H target`, for the Q of `qr`'s `[batch, m, n]` factors and k <= n scales."""
    batch, m, n = shape_of(factors)
    count = shape_of(scales)[1]
    blocks = Blocks(count)
    if not blocks.count:
        return target
    if blocks.count == 1:
        return _apply_one_by_one(h, factors, scales, target, adjoint)
    factors = h.padded(factors, m, max(n, blocks.columns))
    if blocks.columns != count:
        scales = h.pad(scales, 0.0, [0, 0], [0, blocks.columns - count])

    def block(i: Index, target: SSAValue) -> SSAValue:
        number = i if adjoint else h.sub(blocks.count - 1, h.index(i))
        first = h.times(number, blocks.width)
        vectors = _vectors(h, h.read(factors, [0, 0, first], [batch, m, blocks.width]), first)
        triangle = _triangle(h, vectors, h.read(scales, [0, first], [batch, blocks.width]))
        across = _across(h, vectors, target)
        inner = h.product(h.conj(triangle), across, a_rows=True) if adjoint else h.product(triangle, across)
        return h.sub(target, h.product(vectors, inner))

    return h.repeat(blocks.count, [target], block)[0]


def _apply_one_by_one(h: Matrices, factors: SSAValue, scales: SSAValue, target: SSAValue, adjoint: bool) -> SSAValue:
    batch, rows, _ = shape_of(factors)
    count = shape_of(scales)[1]
    scales = h.conj(scales) if adjoint else scales

    def step(i: Index, target: SSAValue) -> SSAValue:
        j = i if adjoint else h.sub(count - 1, h.index(i))
        column = h.read(factors, [0, 0, j], [batch, rows, 1])
        vector = h.reshape(_vectors(h, column, j), [batch, rows])
        across = _along(h, vector, target)
        factor = h.mul(h.spread(h.read(scales, [0, j], [batch, 1]), shape_of(across), 0, 1), across)
        shape = shape_of(target)
        return h.sub(target, h.mul(h.spread(vector, shape, 0, 1), h.spread(factor, shape, 0, 2)))

    return h.repeat(count, [target], step)[0]


def _triangle(h: Matrices, vectors: SSAValue, scales: SSAValue) -> SSAValue:
    """T of `I - V T V^H`, the product of the reflections."""
    batch, width = shape_of(scales)
    gram = _across(h, vectors, vectors)

    def step(j: Index, triangle: SSAValue) -> SSAValue:
        across = h.reshape(h.read(gram, [0, 0, j], [batch, width, 1]), [batch, width])
        scale = h.reshape(h.read(scales, [0, j], [batch, 1]), [batch])
        return _grow(h, triangle, across, scale, j)

    return h.repeat(width, [h.full(0, [batch, width, width], element_of(vectors))], step)[0]


__all__ = ["apply_reflections", "product_of_reflections", "qr", "reflection"]
