"""Equations, inverses, determinants and ranks, from the factors of matrices (`factors.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from stepwell.frontends.api import api
from stepwell.frontends.dtypes import INT32
from stepwell.frontends.errors import refuse
from stepwell.frontends.numpy_api import reductions
from stepwell.frontends.numpy_api.core import broadcast, broadcast_shapes, lifted, scalar_like
from stepwell.frontends.numpy_api.creation import eye
from stepwell.frontends.numpy_api.elementwise import abs, log, square, where
from stepwell.frontends.numpy_api.factors import (
    adjoint,
    diagonal_and_exchanges,
    eigvalsh,
    eliminated,
    float_eps,
    matrices,
    real_dtype,
    solve_upper,
    svd,
    svdvals,
    wide,
)
from stepwell.frontends.numpy_api.linear import matmul
from stepwell.frontends.numpy_api.manipulation import reshape
from stepwell.frontends.tracer import Tracer, converted, emit, promoted, static_int


class SlogdetResult(NamedTuple):
    """The sign (a number of size one, or zero) and the logarithm of the size of a determinant."""

    sign: Any
    logabsdet: Any


class LstsqResult(NamedTuple):
    """Solutions, the sums of squares of what is left (of each column), rank, singular values."""

    x: Any
    residuals: Any
    rank: Any
    s: Any


@api()
def solve(x1: Any, x2: Any, /) -> Any:
    """`x` of `x1 x = x2`; a 1-d x2 is one vector, all others are matrices, the dims before broadcast. Not finite for singular x1."""
    (a, b), _, _ = promoted(x1, x2)
    a, b = matrices(a, "solve", square=True), lifted(b)
    is_vector = len(b.shape) == 1
    b = converted(reshape(b, (-1, 1)) if is_vector else b, a.dtype)
    if len(b.shape) < 2 or b.shape[-2] != a.shape[-1]:
        raise refuse(f"solve: shapes {a.shape} and {lifted(x2).shape} do not fit", "x2 has as many rows as x1")
    batch = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    dtype = a.dtype
    a = broadcast(wide(a), (*batch, *a.shape[-2:]))
    b = broadcast(wide(b), (*batch, *b.shape[-2:]))
    upper, right = eliminated(a, b)
    result = converted(solve_upper(upper, right), dtype)
    return reshape(result, result.shape[:-1]) if is_vector else result


@api()
def inv(x: Any, /) -> Any:
    """Inverse matrices; not finite for singular ones."""
    a = matrices(x, "inv", square=True)
    return solve(a, broadcast(eye(a.shape[-1], dtype=a.dtype), a.shape))


@api()
def det(x: Any, /) -> Any:
    """Determinants."""
    given = matrices(x, "det", square=True)
    diagonal, moved = diagonal_and_exchanges(wide(given))
    signed = where(moved, emit("unary", "negate", diagonal), diagonal)
    return converted(reductions.prod(signed, -1, dtype=signed.dtype), given.dtype)


@api()
def slogdet(x: Any, /) -> Any:
    """The sign and the logarithm of the size of determinants: (0, -inf) for singular matrices."""
    given = matrices(x, "slogdet", square=True)
    diagonal, moved = diagonal_and_exchanges(wide(given))
    size = abs(diagonal)
    real = real_dtype(diagonal.dtype)
    signs = emit("unary", "sign", diagonal)
    signs = where(moved, emit("unary", "negate", signs), signs)
    sign = converted(reductions.prod(signs, -1, dtype=signs.dtype), given.dtype)
    return SlogdetResult(sign, converted(reductions.sum(log(size), -1, dtype=real), real_dtype(given.dtype)))


@api()
def matrix_power(x: Any, n: int, /) -> Any:
    """The n-th power of matrices by repeated squaring; of their inverses when n is negative."""
    exponent = static_int(n, "the exponent")
    a = lifted(x)
    if len(a.shape) < 2 or a.shape[-1] != a.shape[-2]:
        raise refuse(f"matrix_power takes square matrices, got shape {a.shape}")
    if exponent < 0:
        a, exponent = inv(a), -exponent
    result: Any = None
    while exponent:
        if exponent & 1:
            result = a if result is None else matmul(result, a)
        exponent >>= 1
        a = matmul(a, a) if exponent else a
    return broadcast(eye(a.shape[-1], dtype=a.dtype), a.shape) if result is None else result


def _cutoff(values: Tracer, relative: Any, a: Tracer) -> Tracer:
    """What counts as nothing beside the largest singular value; by default what rounding leaves."""
    if relative is None:
        relative = max(a.shape[-2:]) * float_eps(a.dtype)
    largest = reductions.max(values, -1, keepdims=True)
    factor = converted(relative, values.dtype)
    if factor.shape:
        factor = reshape(factor, (*factor.shape, 1))
    shape = broadcast_shapes(largest.shape, factor.shape)
    return emit("binary", "multiply", broadcast(largest, shape), broadcast(factor, shape))


def _is_more(values: Tracer, cutoff: Tracer) -> Tracer:
    shape = broadcast_shapes(values.shape, cutoff.shape)
    return emit("compare", "GT", broadcast(values, shape), broadcast(cutoff, shape))


@api()
def matrix_rank(x: Any, /, tol: Any = None, *, rtol: Any = None, hermitian: bool = False) -> Any:
    """How many singular values are more than `tol`, or than `rtol` times the largest (default: what rounding leaves)."""
    a = matrices(x, "matrix_rank")
    if 0 in a.shape[-2:]:
        raise refuse(f"matrix_rank needs rows and columns, got shape {a.shape}")
    values = abs(eigvalsh(a)) if hermitian else svdvals(a)
    if tol is None:
        limit = _cutoff(values, rtol, a)
    else:
        limit = converted(tol, values.dtype)
        limit = reshape(limit, (*limit.shape, 1)) if limit.shape else limit
    return reductions.sum(converted(_is_more(values, limit), INT32), -1, dtype=INT32)


@api()
def pinv(x: Any, /, rcond: Any = None, *, rtol: Any = None) -> Any:
    """Pseudo-inverses: singular values up to `rtol` times the largest (default: what rounding leaves) count as nothing."""
    given = matrices(x, "pinv")
    m, n = given.shape[-2:]
    if not m or not n:
        return emit("full", 0, given.dtype, (*given.shape[:-2], n, m))
    a = wide(given)
    u, values, vh = svd(a, full_matrices=False)
    keep = _is_more(values, _cutoff(values, rcond if rtol is None else rtol, a))
    inverse = where(keep, _reciprocal(where(keep, values, scalar_like(1, values))), scalar_like(0, values))
    scaled = _rows_times(adjoint(u), inverse)
    return converted(matmul(adjoint(vh), scaled), given.dtype)


def _reciprocal(x: Tracer) -> Tracer:
    return emit("binary", "divide", scalar_like(1, x), x)


def _rows_times(x: Tracer, factors: Tracer) -> Tracer:
    """Row i of matrices times `factors[i]`."""
    shaped = broadcast(reshape(converted(factors, x.dtype), (*factors.shape, 1)), x.shape)
    return emit("binary", "multiply", x, shaped)


@api()
def lstsq(x1: Any, x2: Any, /, rcond: Any = None) -> Any:
    """The shortest of the `x` for which `x1 x` is closest to x2.

    Returns:
        (x, residuals, rank, singular values of x1); residuals are empty where x1 has not more rows than columns. NumPy has them
        empty also for a rank below the columns, which depends on data.
    """
    (a, b), _, _ = promoted(x1, x2)
    a, b = matrices(a, "lstsq"), lifted(b)
    is_vector = len(b.shape) == 1
    if len(a.shape) != 2 or len(b.shape) not in (1, 2) or b.shape[0] != a.shape[0]:
        raise refuse(f"lstsq: shapes {a.shape} and {b.shape} do not fit", "x1 is one matrix, x2 has as many rows")
    dtype, b = a.dtype, converted(b, a.dtype)
    a, b = wide(a), wide(reshape(b, (-1, 1)) if is_vector else b)
    u, values, vh = svd(a, full_matrices=False)
    keep = _is_more(values, _cutoff(values, rcond, a))
    inverse = where(keep, _reciprocal(where(keep, values, scalar_like(1, values))), scalar_like(0, values))
    x = matmul(adjoint(vh), _rows_times(matmul(adjoint(u), b), inverse))
    left = emit("binary", "subtract", b, matmul(a, x))
    residuals = reductions.sum(square(abs(left)), 0)
    if a.shape[0] <= a.shape[1]:
        residuals = residuals[:0]
    x = reshape(x, (-1,)) if is_vector else x
    rank = reductions.sum(converted(keep, INT32), dtype=INT32)
    real = real_dtype(dtype)
    return LstsqResult(converted(x, dtype), converted(residuals, real), rank, converted(values, real))


@api()
def multi_dot(arrays: Sequence[Any], /) -> Any:
    """The product of several matrices (the first and the last may be vectors), in the order with the fewest multiplications."""
    tracers, _, _ = promoted(*arrays)
    if len(tracers) < 2:
        raise refuse("multi_dot needs at least two arrays")
    for i, t in enumerate(tracers):
        if len(t.shape) != 2 and not (len(t.shape) == 1 and i in (0, len(tracers) - 1)):
            raise refuse(f"multi_dot: array {i} has shape {t.shape}, expected a matrix")
    first, last = len(tracers[0].shape) == 1, len(tracers[-1].shape) == 1
    terms = list(tracers)
    terms[0] = reshape(terms[0], (1, -1)) if first else terms[0]
    terms[-1] = reshape(terms[-1], (-1, 1)) if last else terms[-1]
    for one, other in pairwise(terms):
        if one.shape[1] != other.shape[0]:
            raise refuse(f"multi_dot: shapes {one.shape} and {other.shape} do not fit")
    result = _chained(terms, _splits([terms[0].shape[0], *(t.shape[1] for t in terms)]), 0, len(terms) - 1)
    shape = result.shape[1 if first else 0 : 1 if last else 2]
    return reshape(result, shape)


def _splits(extents: Sequence[int]) -> dict[tuple[int, int], int]:
    """For each part [i, j] of a chain of matrices, after which one it is best cut."""
    count = len(extents) - 1
    cost = {(i, i): 0 for i in range(count)}
    best: dict[tuple[int, int], int] = {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            options = [
                (cost[i, k] + cost[k + 1, j] + extents[i] * extents[k + 1] * extents[j + 1], k) for k in range(i, j)
            ]
            cost[i, j], best[i, j] = min(options)
    return best


def _chained(terms: Sequence[Tracer], best: dict[tuple[int, int], int], i: int, j: int) -> Tracer:
    if i == j:
        return terms[i]
    k = best[i, j]
    return matmul(_chained(terms, best, i, k), _chained(terms, best, k + 1, j))


@api()
def tensorinv(x: Any, /, ind: int = 2) -> Any:
    """The inverse of `tensordot(x, ., ind)` as an array."""
    a, count = lifted(x), static_int(ind, "ind")
    if not 0 < count < len(a.shape) + 1:
        raise refuse(f"tensorinv: ind = {count} must lie in [1, {len(a.shape)}]")
    rows = 1
    for extent in a.shape[:count]:
        rows *= extent
    return reshape(inv(reshape(a, (rows, -1))), (*a.shape[count:], *a.shape[:count]))


__all__ = [
    "LstsqResult",
    "SlogdetResult",
    "det",
    "inv",
    "lstsq",
    "matrix_power",
    "matrix_rank",
    "multi_dot",
    "pinv",
    "slogdet",
    "solve",
    "tensorinv",
]
