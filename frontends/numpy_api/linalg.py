"""`stepwell.numpy.linalg`: norms, factors, solutions, and the contractions under the Array API's names."""

from __future__ import annotations

import math
from typing import Any

from stepwell.frontends.api import api
from stepwell.frontends.errors import refuse
from stepwell.frontends.numpy_api import reductions
from stepwell.frontends.numpy_api.core import axes, lifted
from stepwell.frontends.numpy_api.elementwise import abs, astype, inexact, power, sqrt, square
from stepwell.frontends.numpy_api.factors import (
    EighResult,
    QRResult,
    SVDResult,
    cholesky,
    eigh,
    eigvalsh,
    qr,
    svd,
    svdvals,
)
from stepwell.frontends.numpy_api.indexing import diagonal
from stepwell.frontends.numpy_api.linear import matmul, outer, tensordot, trace, vecdot
from stepwell.frontends.numpy_api.manipulation import matrix_transpose, moveaxis, reshape
from stepwell.frontends.numpy_api.solving import (
    LstsqResult,
    SlogdetResult,
    det,
    inv,
    lstsq,
    matrix_power,
    matrix_rank,
    multi_dot,
    pinv,
    slogdet,
    solve,
    tensorinv,
)
from stepwell.frontends.tracer import Tracer, converted


@api()
def norm(x: Any, /, ord: Any = None, axis: Any = None, *, keepdims: bool = False) -> Any:
    """NumPy's norm: of vectors along one axis, of matrices along two; of all elements if neither is said."""
    a = lifted(x)
    rank = len(axes(axis, len(a.shape)))
    if ord is None or (axis is None and rank == 1) or rank == 1:
        return vector_norm(a, 2 if ord is None else ord, axis=axis, keepdims=keepdims)
    if rank != 2:
        raise refuse(f"a norm of order {ord!r} needs one or two axes, not {rank}", "give axis")
    return matrix_norm(a, ord, axis=axis, keepdims=keepdims)


@api()
def vector_norm(x: Any, ord: Any = 2, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    """`sum(abs(x) ** ord) ** (1 / ord)` along axes; the largest or smallest size for an infinite order."""
    a, size = _sizes(x)
    if not isinstance(ord, int | float):
        raise refuse(f"a vector norm has no order {ord!r}", "it is a number")
    if math.isinf(ord):
        return (reductions.max if ord > 0 else reductions.min)(size, axis, keepdims=keepdims)
    if ord == 0:
        return converted(reductions.count_nonzero(a, axis, keepdims=keepdims), size.dtype)
    if ord == 1:
        return reductions.sum(size, axis, keepdims=keepdims)
    if ord == 2:
        return sqrt(reductions.sum(square(size), axis, keepdims=keepdims))
    return power(reductions.sum(power(size, ord), axis, keepdims=keepdims), 1 / ord)


@api()
def matrix_norm(x: Any, ord: Any = "fro", /, *, axis: Any = (-2, -1), keepdims: bool = False) -> Any:
    """The norm of matrices.

    "fro" is the root of the sum of squares, 1 and inf the largest sum of sizes of a column or row (-1, -inf: the smallest), 2 the
    largest singular value (-2: the smallest), "nuc" the sum of singular values.
    """
    a, size = _sizes(x)
    rows, columns = _two_axes(axis, len(size.shape))
    if ord in (2, -2, "nuc"):
        return _spectral(a, ord, rows, columns, keepdims)
    if ord == "fro":
        return sqrt(reductions.sum(square(size), (rows, columns), keepdims=keepdims))
    if ord not in (1, -1, math.inf, -math.inf):
        raise refuse(f"a matrix norm has no order {ord!r}", "there are 'fro', 'nuc', 1, -1, 2, -2, inf and -inf")
    summed, picked = (rows, columns) if ord in (1, -1) else (columns, rows)
    sums = reductions.sum(size, summed, keepdims=True)
    extreme = (reductions.max if ord > 0 else reductions.min)(sums, picked, keepdims=True)
    return extreme if keepdims else reductions.sum(extreme, (rows, columns))


def _spectral(a: Tracer, ord: Any, rows: int, columns: int, keepdims: bool) -> Tracer:
    values = svdvals(moveaxis(a, (rows, columns), (-2, -1)))
    norm = reductions.sum(values, -1) if ord == "nuc" else (reductions.max if ord > 0 else reductions.min)(values, -1)
    if not keepdims:
        return norm
    return reshape(norm, tuple(1 if d in (rows, columns) else e for d, e in enumerate(a.shape)))


@api()
def cond(x: Any, /, p: Any = None) -> Any:
    """How much errors of `x` grow in solutions: the norm of order `p` (2 by default) times that of the inverse."""
    a = lifted(x)
    if p is None or p in (2, -2):
        values = svdvals(a)
        largest, smallest = values[..., 0], values[..., -1]
        return smallest / largest if p == -2 else largest / smallest
    return matrix_norm(a, p) * matrix_norm(inv(a), p)


def _two_axes(axis: Any, rank: int) -> tuple[int, int]:
    given = (0, 1) if axis is None else tuple(axis) if isinstance(axis, tuple | list) else (axis,)
    if len(given) != 2 or rank < 2:
        raise refuse(f"a matrix norm needs two axes of an array of at least two dims, not {axis} of {rank}")
    axes(given, rank)
    return given[0] % rank, given[1] % rank


def _sizes(x: Any) -> tuple[Tracer, Tracer]:
    a = lifted(x)
    size = abs(a)
    return a, astype(size, inexact(size.dtype))


__all__ = [
    "EighResult",
    "LstsqResult",
    "QRResult",
    "SVDResult",
    "SlogdetResult",
    "cholesky",
    "cond",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "multi_dot",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "tensorinv",
    "trace",
    "vecdot",
    "vector_norm",
]
