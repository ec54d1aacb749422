"""Interpreter rules of factorizations, triangular solves and custom calls: the textbook algorithms, in double precision."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from xdsl.ir import Operation

from stepwell.dialects import stablehlo as hlo
from stepwell.dialects.interp import numerics as num
from stepwell.dialects.interp.numerics import Array
from stepwell.dialects.interp.stablehlo_regions import sort_together
from stepwell.dialects.stablehlo.custom_calls import (
    ANNOTATIONS,
    APPROXIMATE_TOP_K,
    DEEPEST,
    approximate_top_k,
    check_annotation,
    check_callback,
    host_call_of,
    meaning_of,
    never_ends,
    registered_targets,
    unknown_target,
)
from stepwell.dialects.stablehlo.lapack import LapackCall, is_lapack, lapack_call
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.host_calls import callback_of
from stepwell.ir.interpreter import Interpreter, Rule, Value

Args = tuple[Value, ...]


def _adjoint(x: Array) -> Array:
    return np.conj(np.swapaxes(x, -1, -2))


def _stacked(function: Callable[..., Sequence[Array]], batch: tuple[int, ...], *arrays: Array) -> list[Array] | None:
    """The results of `function` for each member of the batch, stacked; None when there is none."""
    flat = [a.reshape((math.prod(batch), *a.shape[len(batch) :])) for a in arrays]
    results = [function(*members) for members in zip(*flat, strict=True)]
    if not results:
        return None
    return [np.stack(r).reshape((*batch, *np.shape(r[0]))) for r in zip(*results, strict=True)]


# Cholesky and triangular solves.


def _cholesky_factor(matrix: Array) -> tuple[Array, Array]:
    """(the lower factor from the lower triangle, `info`); from the column on whose pivot is not positive all is NaN."""
    n = len(matrix)
    factor = np.zeros_like(matrix)
    for j in range(n):
        row = factor[j, :j]
        pivot = np.real(matrix[j, j]) - np.real(np.vdot(row, row))
        if not pivot > 0:
            hole = np.tril(np.ones((n, n), bool))
            hole[:, :j] = False
            nan = complex(np.nan, np.nan) if np.iscomplexobj(matrix) else np.nan
            return np.where(hole, nan, factor), np.asarray(j + 1)
        factor[j, j] = np.sqrt(pivot)
        factor[j + 1 :, j] = (matrix[j + 1 :, j] - factor[j + 1 :, :j] @ np.conj(row)) / factor[j, j]
    return factor, np.asarray(0)


def _whole_or_nan(matrix: Array) -> tuple[Array]:
    factor, info = _cholesky_factor(matrix)
    nan = complex(np.nan, np.nan) if np.iscomplexobj(matrix) else np.nan
    return (np.where(np.tril(np.ones_like(matrix, bool)) & (info > 0), nan, factor),)


def _cholesky(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.CholeskyOp)
    lower = op.lower is not None and bool(op.lower.value.data)
    a = num.widen(args[0])
    factors = _stacked(_whole_or_nan, a.shape[:-2], a if lower else _adjoint(a))
    if factors is None:
        return (args[0],)
    return (num.round_to(factors[0] if lower else _adjoint(factors[0]), args[0].dtype),)


def _substitute(a: Array, b: Array, lower: bool, unit: bool) -> tuple[Array]:
    """`x` of `a x = b`, row after row."""
    x = b.copy()
    order = range(len(a)) if lower else range(len(a) - 1, -1, -1)
    for i in order:
        if not unit:
            x[i] = x[i] / a[i, i]
        rest = slice(i + 1, None) if lower else slice(0, i)
        x[rest] -= np.outer(a[rest, i], x[i])
    return (x,)


def _solved(a: Array, b: Array, *, left: bool, lower: bool, unit: bool, transpose: str) -> Array:
    """`x` of `op(a) x = b` or `x op(a) = b`; transpose is "N", "T" or "C"."""
    a = np.conj(a) if transpose == "C" else a
    if (transpose != "N") == left:
        a, lower = np.swapaxes(a, -1, -2), not lower
    b = b if left else np.swapaxes(b, -1, -2)
    made = _stacked(lambda p, q: _substitute(p, q, lower, unit), a.shape[:-2], a, b)
    x = b if made is None else made[0]
    return x if left else np.swapaxes(x, -1, -2)


_TRANSPOSES = {"NO_TRANSPOSE": "N", "TRANSPOSE": "T", "ADJOINT": "C"}


def _triangular_solve(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.TriangularSolveOp)
    result = _solved(
        num.widen(args[0]),
        num.widen(args[1]),
        left=bool(op.left_side.value.data),
        lower=bool(op.lower.value.data),
        unit=bool(op.unit_diagonal.value.data),
        transpose=_TRANSPOSES[op.transpose_a.data.value],
    )
    return (num.round_to(result, args[1].dtype),)


# LAPACK's routines, each of one matrix.


def _potrf(call: LapackCall, a: Array) -> tuple[Array, ...]:
    lower = call.letter("uplo", "LU") == "L"
    factor, info = _cholesky_factor(a if lower else _adjoint(a))
    mine = np.tril(np.ones_like(a, bool))
    return np.where(mine if lower else mine.T, factor if lower else _adjoint(factor), a), info


def _trsm(call: LapackCall, a: Array, b: Array) -> tuple[Array, ...]:
    x = _solved(
        a,
        b,
        left=call.letter("side", "LR") == "L",
        lower=call.letter("uplo", "LU") == "L",
        unit=call.letter("diag", "NU") == "U",
        transpose=call.letter("trans_x", "NTC"),
    )
    return (x,)


def _getrf(call: LapackCall, a: Array) -> tuple[Array, ...]:
    del call
    a = a.copy()
    count = min(a.shape)
    pivots = np.zeros(count, np.int32)
    for j in range(count):
        sizes = np.abs(np.real(a[j:, j])) + np.abs(np.imag(a[j:, j]))
        chosen = j + int(np.argmax(np.where(sizes >= 0, sizes, -1)))
        pivots[j] = chosen + 1
        a[[j, chosen]] = a[[chosen, j]]
        if a[j, j] != 0:
            a[j + 1 :, j] /= a[j, j]
        a[j + 1 :, j + 1 :] -= np.outer(a[j + 1 :, j], a[j, j + 1 :])
    zeros = np.flatnonzero(np.diagonal(a) == 0)
    return a, pivots, np.asarray(zeros[0] + 1 if len(zeros) else 0)


def _geqrf(call: LapackCall, a: Array) -> tuple[Array, ...]:
    del call
    a = a.copy()
    scales = np.zeros(min(a.shape), a.dtype)
    for j in range(len(scales)):
        alpha, tail = a[j, j], a[j + 1 :, j]
        if not np.any(tail) and np.imag(alpha) == 0:
            continue
        unit = max(np.abs(a[j:, j]).max(), np.finfo(np.float64).tiny)
        beta = np.linalg.norm(a[j:, j] / unit) * unit
        beta = -beta if np.real(alpha) >= 0 else beta
        scales[j] = (beta - alpha) / beta
        vector = np.concatenate([[1], tail / (alpha - beta)])
        rest = a[j:, j + 1 :]
        rest -= np.conj(scales[j]) * np.outer(vector, np.conj(vector) @ rest)
        a[j, j], a[j + 1 :, j] = beta, vector[1:]
    return a, scales


def _reflected(factors: Array, scales: Array, target: Array, adjoint: bool) -> Array:
    """`Q target` or `Q^H target`, reflection after reflection."""
    target = target.copy()
    order = range(len(scales)) if adjoint else range(len(scales) - 1, -1, -1)
    for j in order:
        vector = np.concatenate([[1], factors[j + 1 :, j]])
        scale = np.conj(scales[j]) if adjoint else scales[j]
        target[j:] -= scale * np.outer(vector, np.conj(vector) @ target[j:])
    return target


def _orgqr(call: LapackCall, factors: Array, scales: Array) -> tuple[Array, ...]:
    del call
    return (_reflected(factors, scales, np.eye(*factors.shape, dtype=factors.dtype), adjoint=False),)


def _ormqr(call: LapackCall, factors: Array, scales: Array, target: Array) -> tuple[Array, ...]:
    left, adjoint = call.flag("left"), call.flag("transpose")
    made = _reflected(factors, scales, target if left else _adjoint(target), adjoint == left)
    return (made if left else _adjoint(made),)


def _phases(vectors: Array) -> Array:
    """What rows are multiplied by so that their sum with fixed, irregular weights is positive: one choice of many."""
    weights = 0.5 + np.modf(np.arange(vectors.shape[-1]) * 0.6180339887498949)[0]
    sums = vectors @ weights
    size = np.abs(sums)
    return np.where(size == 0, 1, np.conj(sums) / np.where(size == 0, 1, size))


def _syevd(call: LapackCall, a: Array) -> tuple[Array, ...]:
    lower = call.letter("uplo", "LU") == "L"
    half = np.tril(a) if lower else np.triu(a)
    if not np.all(np.isfinite(half)):
        return np.full_like(a, np.nan), np.full(len(a), np.nan), np.asarray(1)
    values, vectors = np.linalg.eigh(half, "L" if lower else "U")
    if call.letter("mode", "NV") == "N":
        return a, values, np.asarray(0)
    rows = _adjoint(vectors)
    return _adjoint(rows * _phases(rows)[:, None]), values, np.asarray(0)


def _gesdd(call: LapackCall, a: Array) -> tuple[Array, ...]:
    mode = call.letter("mode", "ASN")
    shapes = [r.type.get_shape()[-2:] for r in call.op.results[2:4]]  # pyright: ignore
    if not np.all(np.isfinite(a)):
        fill = 0 if mode == "N" else np.nan
        return a, np.full(min(a.shape), np.nan), *[np.full(s, fill, a.dtype) for s in shapes], np.asarray(-4)
    if mode == "N":
        return a, np.linalg.svd(a, compute_uv=False), *[np.zeros(s, a.dtype) for s in shapes], np.asarray(0)
    u, values, vh = np.linalg.svd(a, full_matrices=mode == "A")
    if a.shape[0] >= a.shape[1]:
        phases = _phases(vh[: len(values)])
    else:
        phases = np.conj(_phases(_adjoint(u[:, : len(values)])))
    u[:, : len(values)] *= np.conj(phases)
    vh[: len(values)] *= phases[:, None]
    return a, values, u, vh, np.asarray(0)


_ROUTINES: dict[str, Callable[..., tuple[Array, ...]]] = {
    "geqrf": _geqrf,
    "gesdd": _gesdd,
    "getrf": _getrf,
    "orgqr": _orgqr,
    "ormqr": _ormqr,
    "potrf": _potrf,
    "syevd": _syevd,
    "trsm": _trsm,
}


def _lapack(op: hlo.CustomCallOp, args: Args) -> tuple[Value, ...]:
    call = lapack_call(op)
    routine = _ROUTINES[call.routine]
    types: list[Any] = [r.type for r in op.results]
    made = _stacked(lambda *members: routine(call, *members), call.batch, *map(num.widen, args))
    if made is None:
        return tuple(np.zeros(t.get_shape(), numpy_dtype(t.element_type)) for t in types)
    return tuple(num.round_to(v, numpy_dtype(t.element_type)) for v, t in zip(made, types, strict=True))


class _Depth(threading.local):
    calls = 0


_depth = _Depth()


def _registered(interp: Interpreter, op: hlo.CustomCallOp, args: Args) -> tuple[Value, ...]:
    """What a user's function gives."""
    meaning = meaning_of(op.call_target_name.data)
    assert meaning is not None
    if _depth.calls > DEEPEST:
        raise never_ends(op)
    _depth.calls += 1
    try:
        return interp.call_op(meaning(op), args)
    finally:
        _depth.calls -= 1


def _called(op: hlo.CustomCallOp, args: Args) -> tuple[Value, ...]:
    """What the Python function that is registered returns."""
    check_callback(op)
    call = host_call_of(op)
    results = [np.empty(kind.shape, kind.numpy) for kind in call.results]
    given = [np.array(a, kind.numpy) for a, kind in zip(args, call.operands, strict=True)]
    for array in given:
        array.flags.writeable = False
    call.perform(given, results)
    return tuple(results)


def _custom_call(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    assert isinstance(op, hlo.CustomCallOp)
    target = op.call_target_name.data
    if meaning_of(target) is not None:
        return _registered(interp, op, args)
    if callback_of(target) is not None:
        return _called(op, args)
    if is_lapack(target):
        with np.errstate(all="ignore"):
            return _lapack(op, args)
    if target in ANNOTATIONS:
        check_annotation(op)
        return args
    if target == APPROXIMATE_TOP_K:
        call = approximate_top_k(op)
        ordered = sort_together(interp, call.comparator.body, args[: len(op.results)], call.dimension)
        return tuple(np.take(x, range(call.count), call.dimension) for x in ordered)
    raise unknown_target(op, [*registered_targets(), *ANNOTATIONS, APPROXIMATE_TOP_K])


RULES: dict[str, Rule] = {
    "stablehlo.cholesky": _cholesky,
    "stablehlo.custom_call": _custom_call,
    "stablehlo.triangular_solve": _triangular_solve,
}
