"""expand-linear-algebra: Cholesky factors and triangular solves as loops over blocks.

Before:
```mlir
%r = stablehlo.cholesky %a, lower = true : tensor<100x100xf32>
```
After:
```mlir
%r = stablehlo.while(%i = %c0, %factor = %zeros) ... do {
  %update = stablehlo.dot_general %factor, %rows, ...   // what the columns before take from this block
  %panel = stablehlo.while(...) ...                     // the block's own columns, one after the other
  %next = stablehlo.dynamic_update_slice %factor, %panel, ...
}
```
Only the triangle an op names is read. A matrix that is not positive definite has a factor of NaN; the factor's other triangle is zero.
f16, bf16 and narrower types are computed in f32 and rounded once. Complex arithmetic is left to `split-complex`.

Fails: with a diagnostic for dynamic shapes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from xdsl.context import Context
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Operation, SSAValue

from stepwell.dialects import stablehlo
from stepwell.dialects.stablehlo import Transpose
from stepwell.ir.diagnostics import invalid, unsupported
from stepwell.ir.passes import Pass
from stepwell.passes.hlo import replace, shape_of
from stepwell.passes.linear_algebra.cholesky import cholesky, nan_unless_positive
from stepwell.passes.linear_algebra.matrices import Matrices, from_batch, to_batch
from stepwell.passes.linear_algebra.triangular import Triangle, triangular_solve


def _cholesky(h: Matrices, op: Any) -> SSAValue:
    lower = op.lower is not None and bool(op.lower.value.data)
    if 0 in shape_of(op.a):
        return op.a
    a = to_batch(h, op.a)
    factor = nan_unless_positive(h, cholesky(h, a if lower else h.adjoint(a)))
    return from_batch(h, factor if lower else h.adjoint(factor), op.result.type)


def _triangular_solve(h: Matrices, op: Any) -> SSAValue:
    kind = op.transpose_a.data
    if kind == Transpose.TRANSPOSE_INVALID:
        raise invalid(op, "has transpose_a = TRANSPOSE_INVALID", "it is NO_TRANSPOSE, TRANSPOSE or ADJOINT")
    if 0 in shape_of(op.b):
        return op.b
    solved = triangular_solve(
        h,
        to_batch(h, op.a),
        to_batch(h, op.b),
        Triangle(bool(op.lower.value.data), bool(op.unit_diagonal.value.data)),
        left=bool(op.left_side.value.data),
        transpose=kind != Transpose.NO_TRANSPOSE,
        conjugate=kind == Transpose.ADJOINT,
    )
    return from_batch(h, solved, op.result.type)


EXPANSIONS: dict[type[Operation], Callable[[Matrices, Any], SSAValue]] = {
    stablehlo.CholeskyOp: _cholesky,
    stablehlo.TriangularSolveOp: _triangular_solve,
}
"""What each op becomes, by class."""


def require_static(op: Operation) -> None:
    """Refuse an op of dynamic shapes."""
    for value in (*op.operands, *op.results):
        if isinstance(value.type, TensorType) and not cast("TensorType[Any]", value.type).has_static_shape():
            raise unsupported(op, f"the dynamic shape of {value.type}", "run refine-shapes first")


REPLACES: tuple[str, ...] = tuple(op.name for op in EXPANSIONS)
"""The ops it takes away, by name (`docs/stablehlo-status.md` reads this)."""


@dataclass(frozen=True)
class ExpandLinearAlgebraPass(Pass):
    """Write Cholesky factors and triangular solves as loops over blocks."""

    name = "expand-linear-algebra"
    numerics = "rounding"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Expand every op of the table, wherever it is."""
        for old in list(op.walk()):
            expand = EXPANSIONS.get(type(old))
            if expand is not None:
                require_static(old)
                replace(old, [expand(Matrices.before(old), old)])


__all__ = ["ExpandLinearAlgebraPass", "require_static"]
