"""Eigenvalues of Hermitian matrices and singular values, by rotations of all pairs of rows.

A round rotates n / 2 disjoint pairs at once: row i of the upper half with row i of the lower half. Then the rows move on by one place,
the first staying where it is, so that n - 1 rounds (a sweep) bring every pair together: a round-robin tournament. Sweeps go on
until one finds nothing to rotate; convergence is quadratic at the end, six to ten sweeps in all.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from xdsl.dialects.builtin import TensorType, i32
from xdsl.ir import SSAValue

from stepwell.dialects import stablehlo
from stepwell.passes.hlo import element_of, shape_of
from stepwell.passes.linear_algebra.householder import product_of_reflections, qr
from stepwell.passes.linear_algebra.matrices import Matrices, epsilon, least_size, real_element

MOST_SWEEPS = 30
"""Never needed; only to end in any case."""


class Rotations(NamedTuple):
    """Rows p and q of a pair become `cosine p - sine q` and `conj(sine) p + cosine q`; `rest` is `1 - cosine`, real.

    What is small is kept, since errors of a cosine near one all point the same way after thousands of rotations.
    """

    rest: SSAValue
    sine: SSAValue


def _rotations(h: Matrices, upper: SSAValue, lower: SSAValue, off: SSAValue, skip: SSAValue) -> Rotations:
    """What makes each 2 by 2 Hermitian matrix (`upper`, `lower` on the diagonal, `off` above it) diagonal."""
    size = h.abs(off)
    divisor = h.select(skip, 1.0, size)
    slope = h.div(h.sub(lower, upper), h.mul(divisor, 2.0))
    # The smaller root of t^2 + 2 slope t - 1: the rotation by less than 45 degrees.
    tangent = h.div(h.like(1.0, slope), h.add(h.abs(slope), h.sqrt(h.add(h.mul(slope, slope), 1.0))))
    tangent = h.select(h.lt(slope, 0.0), h.neg(tangent), tangent)
    tangent = h.select(skip, 0.0, tangent)
    cosine = h.div(h.like(1.0, tangent), h.sqrt(h.add(h.mul(tangent, tangent), 1.0)))
    sine = h.mul(tangent, cosine)
    rest = h.div(h.mul(sine, sine), h.add(cosine, 1.0))
    return Rotations(rest, h.times_real(off, h.div(sine, divisor)))


def _rotate(h: Matrices, x: SSAValue, by: Rotations) -> SSAValue:
    """The rows of both halves of `[batch, n, k]` rotated in pairs, and moved on by one place."""
    batch, n, k = shape_of(x)
    half = n // 2
    shape = [batch, half, k]
    rest = h.spread(by.rest, shape, 0, 1)
    sine = h.spread(by.sine, shape, 0, 1)
    upper, lower = h.slice_in_dim(x, 0, half, 1), h.slice_in_dim(x, half, n, 1)
    first = h.sub(upper, h.add(h.mul(sine, lower), h.times_real(upper, rest)))
    second = h.add(lower, h.sub(h.mul(h.conj(sine), upper), h.times_real(lower, rest)))
    if half == 1:
        return h.concatenate([first, second], 1)
    parts = (
        (first, 0, 1),
        (second, 0, 1),
        (first, 1, half - 1),
        (second, 1, half),
        (first, half - 1, half),
    )
    return h.concatenate([h.slice_in_dim(v, start, end, 1) for v, start, end in parts if end > start], 1)


def _order(h: Matrices, keys: SSAValue, direction: str) -> tuple[SSAValue, SSAValue]:
    """(the rows of keys sorted, where each was)."""
    element = element_of(keys)
    scalars = [TensorType(element, [])] * 2 + [TensorType(i32, [])] * 2
    region = h.region(scalars, lambda a, b, *_: h.compare(direction, a, b))
    op = h.builder.insert(stablehlo.SortOp([keys, h.numbers(shape_of(keys), 1)], 1, True, region))
    return op.results[0], op.results[1]


def _sweeps(h: Matrices, n: int, inits: list[SSAValue], round_: Any, limit: SSAValue) -> tuple[SSAValue, ...]:
    """`*state, found = round_(*state)` until, in a sweep, nothing above the limit was found; both are per matrix."""

    def rotated(_: Any, *carries: SSAValue) -> list[SSAValue]:
        *state, worst = carries
        *state, found = round_(*state)
        return [*state, h.maximum(worst, found)]

    def goes_on(sweep: SSAValue, *carries: SSAValue) -> SSAValue:
        found = h.reduce("or", h.gt(carries[-1], limit), [0], False)
        return h.logical_and(found, h.lt(sweep, MOST_SWEEPS))

    def sweep(number: SSAValue, *carries: SSAValue) -> list[SSAValue]:
        start = [*carries[:-1], h.like(0.0, limit)]
        return [h.add(number, 1), *h.repeat(n - 1, start, rotated)]

    start = [h.scalar(0, i32), *inits, h.full(math.inf, shape_of(limit), element_of(limit))]
    return h.while_(start, goes_on, sweep)[1:-1]


def _scale(h: Matrices, x: SSAValue) -> tuple[SSAValue, SSAValue, SSAValue]:
    """(the matrices divided by a power of two so that squares are safe, that power, whether all elements are finite)."""
    largest = h.max_of_positive(h.largest_part(x), 1, 2)
    unit = h.power_of_two(largest)
    return h.divide_by_real(x, h.spread(unit, shape_of(x), 0)), unit, h.unary("is_finite", largest)


def _nan_unless(h: Matrices, ok: SSAValue, x: SSAValue) -> SSAValue:
    return h.select(h.spread(ok, shape_of(x), 0), x, h.nan_like(x))


def _phases(h: Matrices, rows: SSAValue) -> SSAValue:
    """What each row of `[batch, n, k]` is multiplied by so that its sum with fixed, irregular weights is positive.

    Vectors are given up to a phase; so every machine (and the interpreter) takes the same one.
    """
    shape = shape_of(rows)
    real = real_element(element_of(rows))
    places = h.mul(h.iota(2, shape, real), 0.6180339887498949)
    weights = h.add(h.sub(places, h.unary("floor", places)), 0.5)
    sums = h.sum(h.times_real(rows, weights), 2)
    size = h.abs(sums)
    none = h.eq(size, 0.0)
    return h.select(none, 1.0, h.divide_by_real(h.conj(sums), h.select(none, 1.0, size)))


class Eigen(NamedTuple):
    """Eigenvalues, ascending `[batch, n]`; eigenvectors as columns `[batch, n, n]`; whether all was finite `[batch]`."""

    values: SSAValue
    vectors: SSAValue | None
    ok: SSAValue


def eigh(h: Matrices, a: SSAValue, lower: bool, vectors: bool = True) -> Eigen:
    """Eigenvalues and eigenvectors of Hermitian `[batch, n, n]`, of which one triangle is read; NaN where not all is finite."""
    batch, n, _ = shape_of(a)
    a = _hermitian(h, a, lower)
    element = element_of(a)
    scaled, unit, ok = _scale(h, a)
    even = n + n % 2
    matrix = h.padded(scaled, even, even)
    if even != n and n > 1:
        # The place that was added has an eigenvalue beyond all others, and nothing to rotate with.
        corner = h.logical_and(
            h.where_place("EQ", [batch, even, even], 1, n), h.where_place("EQ", [batch, even, even], 2, n)
        )
        matrix = h.select(corner, 1e30, matrix)
    bases = [h.identity(batch, even, even, element)] if vectors else []
    if n > 1:
        norm = h.sqrt(h.sum(h.squares(scaled), 1, 2))
        limit = h.mul(norm, epsilon(element) / math.sqrt(n))
        matrix, *bases = _sweeps(h, even, [matrix, *bases], lambda *state: _eigen_round(h, *state), limit)
        values, order = _order(h, h.real(h.diagonal(matrix)), "LT")
        values = h.slice(values, [0, 0], [batch, n])
        order = h.slice(order, [0, 0], [batch, n])
        bases = [h.rows_at(h.slice(w, [0, 0, 0], [batch, even, n]), h.reshape(order, [batch, n, 1])) for w in bases]
    else:
        values = h.reshape(h.real(scaled), [batch, n])
        bases = [h.cropped(w, n, n) for w in bases]
    values = _nan_unless(h, ok, h.mul(values, h.spread(unit, [batch, n], 0)))
    if not vectors:
        return Eigen(values, None, ok)
    rows = h.mul(bases[0], h.spread(_phases(h, bases[0]), shape_of(bases[0]), 0, 1))
    return Eigen(values, _nan_unless(h, ok, h.adjoint(rows)), ok)


def _hermitian(h: Matrices, a: SSAValue, lower: bool) -> SSAValue:
    """The whole matrix from one triangle; the imaginary part of its diagonal is not read."""
    shape = shape_of(a)
    rows, columns = h.numbers(shape, 1), h.numbers(shape, 2)
    mine = h.compare("GT" if lower else "LT", rows, columns)
    whole = h.select(mine, a, h.adjoint(a))
    on = h.eq(rows, columns)
    return h.select(on, h.cast_real(h.real(a), element_of(a)), whole)


def _eigen_round(h: Matrices, matrix: SSAValue, *bases: SSAValue) -> list[SSAValue]:
    n = shape_of(matrix)[1]
    half = n // 2
    diagonal = h.real(h.diagonal(matrix))
    upper, lower = h.slice_in_dim(diagonal, 0, half, 1), h.slice_in_dim(diagonal, half, n, 1)
    # Rounding leaves an antihermitian part, which rotations never take away: look at the Hermitian one.
    below = h.diagonal(h.slice_in_dim(matrix, half, n, 1), 0, half)
    off = h.add(h.diagonal(matrix, half, half), h.conj(below))
    off = h.times_real(off, h.full(0.5, shape_of(off), real_element(element_of(off))))
    size = h.abs(off)
    by = _rotations(h, upper, lower, off, h.lt(size, least_size(element_of(matrix))))
    # J^H A J = J^H (J^H A)^H for a Hermitian A.
    matrix = _rotate(h, h.adjoint(_rotate(h, matrix, by)), by)
    return [matrix, *[_rotate(h, w, by) for w in bases], h.max_of_positive(size, 1)]


class Singular(NamedTuple):
    """Singular values, descending `[batch, k]`; U and V^H, if asked for; whether all was finite `[batch]`."""

    values: SSAValue
    u: SSAValue | None
    vh: SSAValue | None
    ok: SSAValue


def svd(h: Matrices, a: SSAValue, *, full: bool = False, vectors: bool = True) -> Singular:
    """Singular values and vectors of `[batch, m, n]`; NaN where not all is finite."""
    _, m, n = shape_of(a)
    if m < n:
        values, v, uh, ok = svd(h, h.adjoint(a), full=full, vectors=vectors)
        return Singular(values, h.adjoint(uh) if uh is not None else None, h.adjoint(v) if v is not None else None, ok)
    scaled, unit, ok = _scale(h, a)
    columns, bases = _orthogonal_columns(h, h.adjoint(scaled), vectors)
    sizes = _norms(h, columns)
    values, order = _order(h, sizes, "GT")
    values = _nan_unless(h, ok, h.mul(values, h.spread(unit, shape_of(values), 0)))
    if not vectors:
        return Singular(values, None, None, ok)
    order = h.reshape(order, [*shape_of(order), 1])
    vh = h.rows_at(bases[0], order)
    phases = _phases(h, vh)
    columns = h.adjoint(h.rows_at(columns, order))
    # A v = s u: a phase of v is one of u.
    columns = h.mul(columns, h.spread(h.conj(phases), shape_of(columns), 0, 2))
    vh = h.mul(vh, h.spread(phases, shape_of(vh), 0, 1))
    return Singular(values, _nan_unless(h, ok, _left_vectors(h, columns, full)), _nan_unless(h, ok, vh), ok)


def _orthogonal_columns(h: Matrices, rows: SSAValue, vectors: bool) -> tuple[SSAValue, list[SSAValue]]:
    """(A V as the conjugates of its columns in rows, [V^H]) from A so written, V such that the columns are orthogonal."""
    batch, n, m = shape_of(rows)
    even = n + n % 2 if n > 1 else 1
    state = [h.padded(rows, even, m)]
    if vectors:
        state.append(h.identity(batch, even, even, element_of(rows)))
    if n > 1:
        real = real_element(element_of(rows))
        limit = h.full(epsilon(real) * (2 + math.sqrt(m)), [batch], real)
        state = list(_sweeps(h, even, state, lambda *carries: _singular_round(h, *carries), limit))
    return h.cropped(state[0], n, m), [h.cropped(w, n, n) for w in state[1:]]


def _singular_round(h: Matrices, rows: SSAValue, *bases: SSAValue) -> list[SSAValue]:
    n = shape_of(rows)[1]
    half = n // 2
    first, second = h.slice_in_dim(rows, 0, half, 1), h.slice_in_dim(rows, half, n, 1)
    upper, lower = h.sum(h.squares(first), 2), h.sum(h.squares(second), 2)
    off = h.sum(h.mul(first, h.conj(second)), 2)
    least = least_size(element_of(rows))
    size = h.abs(off)
    skip = h.logical_or(h.lt(upper, least), h.logical_or(h.lt(lower, least), h.lt(size, least)))
    relative = h.div(size, h.mul(h.sqrt(upper), h.sqrt(lower)))
    by = _rotations(h, upper, lower, off, skip)
    found = h.max_of_positive(h.select(skip, 0.0, relative), 1)
    return [*[_rotate(h, x, by) for x in (rows, *bases)], found]


def _norms(h: Matrices, rows: SSAValue) -> SSAValue:
    """The norm of each row."""
    unit = h.power_of_two(h.max_of_positive(h.largest_part(rows), 2))
    scaled = h.divide_by_real(rows, h.spread(unit, shape_of(rows), 0, 1))
    return h.mul(h.sqrt(h.sum(h.squares(scaled), 2)), unit)


def _left_vectors(h: Matrices, columns: SSAValue, full: bool) -> SSAValue:
    """Orthogonal columns, the longest first, as orthonormal ones, however short (or nothing) some of them are; `full`: a basis."""
    batch, m, n = shape_of(columns)
    factors, scales = qr(h, columns)
    # R is diagonal, its elements the lengths up to a sign.
    negative = h.lt(h.real(h.diagonal(factors, 0, n)), 0.0)
    signs = h.select(negative, -1.0, h.full(1, [batch, n], real_element(element_of(columns))))
    if full and m != n:
        factors = h.padded(factors, m, m)
        signs = h.pad(signs, 1.0, [0, 0], [0, m - n])
    q = product_of_reflections(h, factors, scales)
    return h.times_real(q, h.spread(signs, shape_of(q), 0, 2))


__all__ = ["Eigen", "Singular", "eigh", "svd"]
