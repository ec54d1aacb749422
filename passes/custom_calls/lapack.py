"""JAX's LAPACK calls as StableHLO: each result as the routine defines it, `info` included."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from xdsl.dialects.builtin import BoolAttr, i32
from xdsl.ir import SSAValue

from stepwell.dialects import stablehlo
from stepwell.dialects.stablehlo import CustomCallOp, Transpose
from stepwell.dialects.stablehlo.lapack import LapackCall, lapack_call
from stepwell.passes.hlo import element_of, shape_of
from stepwell.passes.linear_algebra.cholesky import cholesky, failures
from stepwell.passes.linear_algebra.householder import apply_reflections, product_of_reflections, qr
from stepwell.passes.linear_algebra.jacobi import eigh, svd
from stepwell.passes.linear_algebra.lu import lu, zero_pivots
from stepwell.passes.linear_algebra.matrices import Matrices

_TRANSPOSES = {"N": Transpose.NO_TRANSPOSE, "T": Transpose.TRANSPOSE, "C": Transpose.ADJOINT}


def _batched(h: Matrices, call: LapackCall, operand: int) -> SSAValue:
    """An operand with one batch dim."""
    value = call.op.operands[operand]
    return h.reshape(value, [math.prod(call.batch), *shape_of(value)[len(call.batch) :]])


def _potrf(h: Matrices, call: LapackCall) -> Sequence[SSAValue]:
    """The other triangle stays as it was."""
    lower = call.letter("uplo", "LU") == "L"
    a = _batched(h, call, 0)
    factor = cholesky(h, a if lower else h.adjoint(a))
    info = failures(h, factor)
    rows, columns = h.numbers(shape_of(a), 1), h.numbers(shape_of(a), 2)
    mine = h.compare("GE" if lower else "LE", rows, columns)
    return [h.select(mine, factor if lower else h.adjoint(factor), a), info]


def _trsm(h: Matrices, call: LapackCall) -> Sequence[SSAValue]:
    a, b = call.op.operands
    properties = {
        "left_side": BoolAttr.from_bool(call.letter("side", "LR") == "L"),
        "lower": BoolAttr.from_bool(call.letter("uplo", "LU") == "L"),
        "unit_diagonal": BoolAttr.from_bool(call.letter("diag", "NU") == "U"),
        "transpose_a": stablehlo.TransposeAttr(_TRANSPOSES[call.letter("trans_x", "NTC")]),
    }
    return h.create(stablehlo.TriangularSolveOp, [a, b], b.type, **properties).results


def _getrf(h: Matrices, call: LapackCall) -> Sequence[SSAValue]:
    factors, pivots = lu(h, _batched(h, call, 0))
    return [factors, h.add(pivots, 1), zero_pivots(h, factors)]


def _geqrf(h: Matrices, call: LapackCall) -> Sequence[SSAValue]:
    return qr(h, _batched(h, call, 0))


def _orgqr(h: Matrices, call: LapackCall) -> Sequence[SSAValue]:
    return [product_of_reflections(h, _batched(h, call, 0), _batched(h, call, 1))]


def _ormqr(h: Matrices, call: LapackCall) -> Sequence[SSAValue]:
    factors, scales, target = (_batched(h, call, i) for i in range(3))
    left, adjoint = call.flag("left"), call.flag("transpose")
    # C Q = (Q^H C^H)^H
    target = target if left else h.adjoint(target)
    made = apply_reflections(h, factors, scales, target, adjoint=adjoint == left)
    return [made if left else h.adjoint(made)]


def _syevd(h: Matrices, call: LapackCall) -> Sequence[SSAValue]:
    a = _batched(h, call, 0)
    wanted = call.letter("mode", "NV") == "V"
    found = eigh(h, a, lower=call.letter("uplo", "LU") == "L", vectors=wanted)
    vectors = a if found.vectors is None else found.vectors
    return [vectors, found.values, h.select(found.ok, 0, h.full(1, shape_of(found.ok), i32))]


def _gesdd(h: Matrices, call: LapackCall) -> Sequence[SSAValue]:
    """Of a matrix that is not finite all results are NaN and `info` is -4, LAPACK's word for a wrong matrix."""
    a = _batched(h, call, 0)
    mode = call.letter("mode", "ASN")
    found = svd(h, a, full=mode == "A", vectors=mode != "N")
    info = h.select(found.ok, 0, h.full(-4, shape_of(found.ok), i32))
    batch = shape_of(a)[0]
    ends = [shape_of(r)[len(call.batch) :] for r in call.op.results[2:4]]
    u, vh = (
        h.full(0, [batch, *end], element_of(a)) if made is None else made
        for end, made in zip(ends, (found.u, found.vh), strict=True)
    )
    return [a, found.values, u, vh, info]


ROUTINES: dict[str, Callable[[Matrices, LapackCall], Sequence[SSAValue]]] = {
    "geqrf": _geqrf,
    "gesdd": _gesdd,
    "getrf": _getrf,
    "orgqr": _orgqr,
    "ormqr": _ormqr,
    "potrf": _potrf,
    "syevd": _syevd,
    "trsm": _trsm,
}
"""The expansion of each routine: its results, with one batch dim."""


def expand_lapack(op: CustomCallOp) -> Sequence[SSAValue]:
    """The results of a LAPACK call as values in front of it."""
    call = lapack_call(op)
    h = Matrices.before(op)
    empty = _of_nothing(h, call)
    made = ROUTINES[call.routine](h, call) if empty is None else empty
    return [h.reshape(value, shape_of(result)) for value, result in zip(made, op.results, strict=True)]


def _of_nothing(h: Matrices, call: LapackCall) -> Sequence[SSAValue] | None:
    """The results for matrices without elements (or none at all): products of no reflections, and zeros."""
    if all(math.prod(shape_of(v)) for v in call.op.operands):
        return None
    if call.routine == "ormqr":
        return [call.op.operands[2]]
    identities = {"orgqr": (0,), "gesdd": (2, 3)}.get(call.routine, ())
    if call.routine == "gesdd" and call.letter("mode", "ASN") == "N":
        identities = ()
    results: list[SSAValue] = []
    for i, result in enumerate(call.op.results):
        shape, element = shape_of(result), element_of(result)
        if i in identities and 0 not in shape:
            results.append(h.identity(math.prod(shape[:-2]), shape[-2], shape[-1], element))
        else:
            results.append(h.full(0, shape, element))
    return results


__all__ = ["ROUTINES", "expand_lapack"]
