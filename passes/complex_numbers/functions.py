"""What each elementwise op computes on complex numbers, by class."""

from __future__ import annotations

from collections.abc import Callable

from xdsl.ir import Operation

from stepwell.dialects import chlo, stablehlo
from stepwell.passes.complex_numbers import arithmetic, exponentials, inverses, logarithms, roots
from stepwell.passes.complex_numbers.arithmetic import Complex

FUNCTIONS: dict[type[Operation], Callable[..., Complex]] = {
    chlo.AcosOp: inverses.acos,
    chlo.AcoshOp: inverses.acosh,
    chlo.AsinAcosKernelOp: inverses.asin_acos_kernel,
    chlo.AsinOp: inverses.asin,
    chlo.AsinhOp: inverses.asinh,
    chlo.AtanOp: inverses.atan,
    chlo.AtanhOp: inverses.atanh,
    chlo.ConjOp: arithmetic.conj,
    chlo.CoshOp: exponentials.cosh,
    chlo.SinhOp: exponentials.sinh,
    chlo.SquareOp: arithmetic.square,
    chlo.TanOp: exponentials.tan,
    stablehlo.Atan2Op: logarithms.atan2,
    stablehlo.CbrtOp: roots.cbrt,
    stablehlo.CosineOp: exponentials.cos,
    stablehlo.DivideOp: arithmetic.divide,
    stablehlo.ExponentialMinusOneOp: exponentials.expm1,
    stablehlo.ExponentialOp: exponentials.exp,
    stablehlo.LogOp: logarithms.log,
    stablehlo.LogPlusOneOp: logarithms.log1p,
    stablehlo.LogisticOp: exponentials.logistic,
    stablehlo.MaximumOp: arithmetic.largest,
    stablehlo.MinimumOp: arithmetic.smallest,
    stablehlo.MultiplyOp: arithmetic.multiply,
    stablehlo.PowerOp: logarithms.power,
    stablehlo.RsqrtOp: roots.rsqrt,
    stablehlo.SignOp: arithmetic.sign,
    stablehlo.SineOp: exponentials.sin,
    stablehlo.SqrtOp: roots.sqrt,
    stablehlo.TanOp: exponentials.tan,
    stablehlo.TanhOp: exponentials.tanh,
}
"""The ops whose operands and result are complex, and whose parts are not computed one by one."""
