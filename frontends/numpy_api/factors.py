"""Factors of matrices, in the last two dims: Cholesky, QR, eigenvalues of Hermitian ones, singular values.

They are calls of what `expand-custom-calls` and `expand-linear-algebra` write as loops. Nothing depends on data but values, so where NumPy
raises `LinAlgError` the results of that matrix are NaN (or infinite), and those of others in the batch are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from xdsl.dialects.builtin import BoolAttr, IntegerAttr, IntegerType, Signedness
from xdsl.ir import Attribute

from stepwell.dialects import stablehlo
from stepwell.frontends.api import api
from stepwell.frontends.build import tensor
from stepwell.frontends.dtypes import FLOAT32, INT32, as_dtype, inexact
from stepwell.frontends.errors import refuse
from stepwell.frontends.numpy_api.core import lifted, scalar_like
from stepwell.frontends.numpy_api.creation import tril, triu
from stepwell.frontends.numpy_api.elementwise import conj
from stepwell.frontends.numpy_api.manipulation import concatenate, matrix_transpose
from stepwell.frontends.tracer import Tracer, converted, current_trace, emit, emit_all

_LETTERS = {"float32": "s", "float64": "d", "complex64": "c", "complex128": "z"}
_UI8 = IntegerType(8, Signedness.UNSIGNED)


class QRResult(NamedTuple):
    """Orthonormal columns, an upper triangle."""

    Q: Any
    R: Any


class SVDResult(NamedTuple):
    """Left singular vectors as columns, singular values, right singular vectors as rows."""

    U: Any
    S: Any
    Vh: Any


class EighResult(NamedTuple):
    """Eigenvalues, ascending; eigenvectors as columns."""

    eigenvalues: Any
    eigenvectors: Any


def matrices(x: Any, what: str, *, square: bool = False) -> Tracer:
    """`x` as floats (or complex numbers), checked to be matrices."""
    a = lifted(x)
    if len(a.shape) < 2:
        raise refuse(f"{what} takes matrices (at least two dims), got shape {a.shape}")
    if square and a.shape[-1] != a.shape[-2]:
        raise refuse(f"{what} takes square matrices, got shape {a.shape}")
    return converted(a, inexact(a.dtype))


def wide(a: Tracer) -> Tracer:
    """In a type that LAPACK has: narrow floats as float32."""
    return a if a.dtype.name in _LETTERS else converted(a, FLOAT32)


def real_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type of magnitudes."""
    return np.dtype(f"float{dtype.itemsize * 4}") if dtype.kind == "c" else dtype


def lapack(
    routine: str, operands: Sequence[Tracer], ends: Sequence[tuple[Any, Sequence[int]]], **letters: str
) -> list[Tracer]:
    """The results, each given by its dtype and the dims after the batch, of a LAPACK routine."""
    first = operands[0]
    batch = first.shape[:-2]
    types = [tensor(dtype, *batch, *end) for dtype, end in ends]
    config: dict[str, Attribute] = {name: IntegerAttr(ord(letter), _UI8) for name, letter in letters.items()}
    return emit_all("custom_call", f"lapack_{_LETTERS[first.dtype.name]}{routine}_ffi", list(operands), types, config)


def adjoint(x: Tracer) -> Tracer:
    """The conjugate transpose."""
    return matrix_transpose(conj(x) if x.dtype.kind == "c" else x)


@api()
def cholesky(x: Any, /, *, upper: bool = False) -> Any:
    """The lower factor of positive definite matrices, of which the lower triangle is read (`upper`: the upper ones); NaN for others."""
    a = matrices(x, "cholesky", square=True)
    types: dict[str, Any] = {"result_types": [_value_type(a)], "properties": {"lower": BoolAttr.from_bool(not upper)}}
    trace = current_trace()
    return trace.tracer(trace.function.one(stablehlo.CholeskyOp.create, operands=[a.value_in(trace)], **types))


def _value_type(a: Tracer) -> Attribute:
    return a.value_in(current_trace()).type


def solve_upper(a: Tracer, b: Tracer) -> Tracer:
    """`x` of `a x = b` for the upper triangles of matrices of one dtype and batch."""
    trace = current_trace()
    properties = {
        "left_side": BoolAttr.from_bool(True),
        "lower": BoolAttr.from_bool(False),
        "unit_diagonal": BoolAttr.from_bool(False),
        "transpose_a": stablehlo.TransposeAttr(stablehlo.Transpose.NO_TRANSPOSE),
    }
    operands = [a.value_in(trace), b.value_in(trace)]
    made: dict[str, Any] = {"operands": operands, "result_types": [_value_type(b)], "properties": properties}
    return trace.tracer(trace.function.one(stablehlo.TriangularSolveOp.create, **made))


@api()
def qr(x: Any, /, *, mode: str = "reduced") -> Any:
    """Orthonormal columns times an upper triangle: "reduced", "complete" (Q is square), "r" (R alone)."""
    if mode not in ("reduced", "complete", "r"):
        raise refuse(f"qr has no mode {mode!r}", "there are 'reduced', 'complete' and 'r'")
    given = matrices(x, "qr")
    a = wide(given)
    m, n = a.shape[-2:]
    k = min(m, n)
    factors, scales = lapack("geqrf", [a], [(a.dtype, (m, n)), (a.dtype, (k,))])
    rows = m if mode == "complete" else k
    r = converted(triu(factors[..., :rows, :]), given.dtype)
    if mode == "r":
        return r
    reflections = factors[..., :, :k]
    if rows > k:
        filler = emit("full", 0, a.dtype, (*a.shape[:-1], rows - k))
        reflections = concatenate([reflections, filler], axis=-1)
    routine = "ungqr" if a.dtype.kind == "c" else "orgqr"
    (q,) = lapack(routine, [reflections, scales], [(a.dtype, (m, rows))])
    return QRResult(converted(q, given.dtype), r)


@api()
def eigh(x: Any, /, UPLO: str = "L") -> Any:
    """Eigenvalues, ascending, and eigenvectors of Hermitian matrices, of which one triangle is read."""
    values, vectors, dtype = _eigh(x, UPLO, "V")
    return EighResult(converted(values, real_dtype(dtype)), converted(vectors, dtype))


@api()
def eigvalsh(x: Any, /, UPLO: str = "L") -> Any:
    """Eigenvalues, ascending, of Hermitian matrices, of which one triangle is read."""
    values, _, dtype = _eigh(x, UPLO, "N")
    return converted(values, real_dtype(dtype))


def _eigh(x: Any, uplo: str, mode: str) -> tuple[Tracer, Tracer, Any]:
    if uplo not in ("L", "U"):
        raise refuse(f"UPLO is 'L' or 'U', not {uplo!r}")
    given = matrices(x, "eigh", square=True)
    a = wide(given)
    n = a.shape[-1]
    routine = "heevd" if a.dtype.kind == "c" else "syevd"
    ends = [(a.dtype, (n, n)), (real_dtype(a.dtype), (n,)), (INT32, ())]
    vectors, values, _ = lapack(routine, [a], ends, mode=mode, uplo=uplo)
    return values, vectors, given.dtype


@api()
def svd(x: Any, /, *, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """Singular values, descending, with both sides' vectors: as bases if `full_matrices`; without `compute_uv` values alone."""
    if not compute_uv:
        return svdvals(x)
    u, values, vh, dtype = _svd(x, "A" if full_matrices else "S")
    return SVDResult(converted(u, dtype), converted(values, real_dtype(dtype)), converted(vh, dtype))


@api()
def svdvals(x: Any, /) -> Any:
    """Singular values, descending."""
    _, values, _, dtype = _svd(x, "N")
    return converted(values, real_dtype(dtype))


def _svd(x: Any, mode: str) -> tuple[Tracer, Tracer, Tracer, Any]:
    given = matrices(x, "svd")
    a = wide(given)
    m, n = a.shape[-2:]
    k = min(m, n)
    left, right = ((m, m), (n, n)) if mode == "A" else ((m, k), (k, n))
    ends = [(a.dtype, (m, n)), (real_dtype(a.dtype), (k,)), (a.dtype, left), (a.dtype, right), (INT32, ())]
    _, values, u, vh, _ = lapack("gesdd", [a], ends, mode=mode)
    return u, values, vh, given.dtype


def eliminated(a: Tracer, b: Tracer) -> tuple[Tracer, Tracer]:
    """(U, what elimination with row exchanges makes of b): `U x` is the second for the `x` of `a x = b`."""
    n, k = b.shape[-2:]
    both = concatenate([a, b], axis=-1)
    factors, _, _ = lapack("getrf", [both], [(a.dtype, (n, n + k)), (INT32, (n,)), (INT32, ())])
    return factors[..., :, :n], factors[..., :, n:]


def diagonal_and_exchanges(a: Tracer) -> tuple[Tracer, Tracer]:
    """(the diagonal of U, for each column whether elimination exchanged rows)."""
    n = a.shape[-1]
    factors, pivots, _ = lapack("getrf", [a], [(a.dtype, (n, n)), (INT32, (n,)), (INT32, ())])
    batch = len(a.shape) - 2
    places = emit("iota", INT32, pivots.shape, batch)
    moved = emit("compare", "NE", pivots, emit("binary", "add", places, scalar_like(1, places)))
    mask = emit("compare", "EQ", emit("iota", INT32, a.shape, batch), emit("iota", INT32, a.shape, batch + 1))
    kept = emit("select", mask, factors, scalar_like(0, factors))
    # One element and zeros: their sum is the element.
    (diagonal,) = emit_all("reduce", [kept], [current_trace().lift(0, a.dtype)], [batch + 1], "add")
    return diagonal, moved


def float_eps(dtype: Any) -> float:
    """The distance from one to the next number."""
    real = real_dtype(as_dtype(dtype))
    return float(np.finfo(real).eps) if real.itemsize >= 4 else float(np.finfo(np.float32).eps)


__all__ = [
    "EighResult",
    "QRResult",
    "SVDResult",
    "adjoint",
    "cholesky",
    "diagonal_and_exchanges",
    "eigh",
    "eigvalsh",
    "eliminated",
    "float_eps",
    "lapack",
    "matrices",
    "qr",
    "real_dtype",
    "solve_upper",
    "svd",
    "svdvals",
    "tril",
    "wide",
]
