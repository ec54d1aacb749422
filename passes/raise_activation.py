"""raise-activation: recognize gelu, exact and by tanh, and silu, and name them.

Before: %a = %x * 0.5                              After: %y = stablehlo.composite "stepwell.gelu" %x {decomposition = @gelu}
        %b = 1 + erf(%x * 0.70710678)                     func.func private @gelu(...) { what was there }
        %y = %a * %b

What is recognized: products in any order and association, `erf`, its complement or tanh, cubes as products or powers; a sigmoid as
`logistic` or spelled out. What of it is read elsewhere, such as tanh by a gradient, becomes a result of the composite.

Needs: step 1, canonicalized; after raise-convolution, whose activation is its own.  Keeps: the ops, as the decomposition.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from stepwell.dialects import chlo, stablehlo
from stepwell.ir.passes import Pass
from stepwell.passes.raising.activations import gelu_erf, gelu_tanh, silu
from stepwell.passes.raising.outline import Form, Raiser
from stepwell.passes.raising.patterns import leaf

FORMS: dict[type[Operation], tuple[Form, ...]] = {
    stablehlo.MultiplyOp: (
        Form(gelu_tanh(leaf("x")), "gelu_tanh"),
        Form(gelu_erf(leaf("x")), "gelu"),
        Form(silu(leaf("x")), "silu"),
    ),
    stablehlo.DivideOp: (Form(silu(leaf("x")), "silu"),),
}
ANCHORS = (stablehlo.TanhOp, chlo.ErfOp, chlo.ErfcOp, stablehlo.LogisticOp, stablehlo.ExponentialOp)


@dataclass(frozen=True)
class RaiseActivationPass(Pass):
    """Recognize gelu and silu and name them, keeping their ops as the decomposition."""

    name = "raise-activation"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Raise every activation of the module."""
        del ctx
        assert isinstance(op, ModuleOp)
        Raiser(op, FORMS, ANCHORS, reach=4).run()
