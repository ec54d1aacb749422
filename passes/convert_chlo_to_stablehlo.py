"""convert-chlo-to-stablehlo: decompose what CHLO adds to StableHLO.

Before:
```mlir
%values, %indices = chlo.top_k(%x, k = 3) : tensor<5x9xf32> -> (tensor<5x3xf32>, tensor<5x3xi32>)
```
After:
```mlir
%iota = stablehlo.iota dim = 1 : tensor<5x9xi32>
%s:2 = "stablehlo.sort"(%x, %iota) <{dimension = 1 : i64, is_stable = true}> ({ compare GT, TOTALORDER }) : ...
%values = stablehlo.slice %s#0 [0:5, 0:3] : ...
```
Implicit broadcasting becomes `broadcast_in_dim`, `scan` and `ragged_dot` become loops (`chlo_decompositions/`).

Keeps: elementwise CHLO ops that have scalar code of their own (`erf`, `erf_inv`, `asinh`, ...): `convert-stablehlo-to-linalg`
writes that code into one body, where a decomposition here would be dozens of tensors; `top_k` of long lines and few of their
elements, where the machine (`stepwell.target`) selects them without sorting.

Fails: dynamic shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from xdsl.context import Context
from xdsl.dialects.builtin import ComplexType
from xdsl.ir import Operation, SSAValue

from stepwell.dialects import chlo, stablehlo
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.passes import Pass
from stepwell.passes.chlo_decompositions.broadcasting import broadcast
from stepwell.passes.chlo_decompositions.ragged import ragged_dot
from stepwell.passes.chlo_decompositions.scan import scan
from stepwell.passes.chlo_decompositions.top_k import top_k
from stepwell.passes.chlo_decompositions.zeta import polygamma, zeta
from stepwell.passes.hlo import Hlo, element_of, replace, shape_of
from stepwell.passes.stablehlo_to_linalg.top_k import is_selected

Decompose = Callable[[Hlo, Any], Sequence[SSAValue]]


def _square(h: Hlo, op: chlo.SquareOp) -> Sequence[SSAValue]:
    """A complex number of equal parts has no real part in its square, also where the parts' squares overflow."""
    x = op.operand
    if not isinstance(element_of(x), ComplexType):
        return [h.mul(x, x)]
    a, b = h.real(x), h.imag(x)
    real, product = h.mul(h.sub(a, b), h.add(a, b)), h.mul(a, b)
    equal = h.logical_and(h.eq(h.abs(a), h.abs(b)), h.unary("is_finite", a))
    return [h.complex(h.select(equal, 0.0, real), h.add(product, product))]


def _constant(h: Hlo, op: chlo.ConstantOp) -> Sequence[SSAValue]:
    return [h.insert(stablehlo.ConstantOp(cast(Any, op.value)))]


def _constant_like(h: Hlo, op: chlo.ConstantLikeOp) -> Sequence[SSAValue]:
    shape = shape_of(op.result)
    if any(n < 0 for n in shape):
        raise unsupported(
            op, f"a constant of dynamic shape {op.result.type}", "refine the program to static shapes first"
        )
    return [h.full(op.number, shape, element_of(op.result))]


def _conj(h: Hlo, op: chlo.ConjOp) -> Sequence[SSAValue]:
    return [h.conj(op.operand)]


DECOMPOSITIONS: dict[type[Operation], Decompose] = {
    **{cls: broadcast for cls in chlo.Chlo.operations if issubclass(cls, chlo.BroadcastingOp)},
    chlo.ConjOp: _conj,
    chlo.ConstantLikeOp: _constant_like,
    chlo.ConstantOp: _constant,
    chlo.PolygammaOp: polygamma,
    chlo.RaggedDotOp: ragged_dot,
    chlo.ScanOp: scan,
    chlo.SquareOp: _square,
    chlo.TopKOp: top_k,
    chlo.ZetaOp: zeta,
}
"""What each op becomes, by class."""


REPLACES: tuple[str, ...] = tuple(op.name for op in DECOMPOSITIONS)
"""The ops it takes away, by name (`docs/stablehlo-status.md` reads this)."""


def _decompose(old: Operation) -> None:
    """Replace an op of the table, and what it is replaced by: broadcasting may leave another one."""
    decompose = DECOMPOSITIONS.get(type(old))
    if decompose is None or (isinstance(old, chlo.TopKOp) and is_selected(old)):
        return
    values = decompose(Hlo.before(old), old)
    replace(old, values)
    if isinstance(old, chlo.BroadcastingOp) and isinstance(values[0].owner, Operation):
        _decompose(values[0].owner)


@dataclass(frozen=True)
class ConvertChloToStablehloPass(Pass):
    """Decompose CHLO ops into StableHLO."""

    name = "convert-chlo-to-stablehlo"
    numerics = "rounding"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Decompose every op of the table, wherever it is; the body of a scan before the scan."""
        for old in reversed(list(op.walk())):
            _decompose(old)


__all__ = ["DECOMPOSITIONS", "REPLACES", "ConvertChloToStablehloPass"]
