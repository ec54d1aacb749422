"""raise-convolution: recognize a convolution with its bias and activation, and name them together.

Before: %c = stablehlo.convolution(%x, %w) ...     After: %y = stablehlo.composite "stepwell.convolution_relu" %x, %w, %bias
        %s = %c + %bias                                        {decomposition = @convolution_relu}
        %y = max(%s, 0)                                   func.func private @convolution_relu(...) { what was there }

What is recognized: a bias of one number a feature, then nothing, relu, tanh, a logistic function, gelu (exact or by tanh) or silu.
A sum that something else reads, such as a gradient, becomes a result of the composite.

Needs: step 1, canonicalized.  Keeps: the ops, as the decomposition.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue

from stepwell.dialects import stablehlo
from stepwell.ir.passes import Pass
from stepwell.passes.attention.tracing import Exprs
from stepwell.passes.raising.activations import gelu_erf, gelu_tanh, relu, silu
from stepwell.passes.raising.outline import Form, Raiser
from stepwell.passes.raising.patterns import Match, bound, features, pointwise

Op = stablehlo


def _convolution(found: Match, value: SSAValue, exprs: Exprs) -> bool:
    """A convolution, whatever it reads."""
    value, _ = found.behind(value, exprs)
    if not isinstance(value.owner, Op.ConvolutionOp):
        return False
    found.ops[value.owner] = None
    return True


BIASED = bound("biased", pointwise(Op.AddOp, _convolution, features("bias")))
FORMS: dict[type[Operation], tuple[Form, ...]] = {
    Op.MaximumOp: (Form(relu(BIASED), "convolution_relu"),),
    Op.TanhOp: (Form(pointwise(Op.TanhOp, BIASED), "convolution_tanh"),),
    Op.LogisticOp: (Form(pointwise(Op.LogisticOp, BIASED), "convolution_logistic"),),
    Op.MultiplyOp: (
        Form(silu(BIASED), "convolution_silu"),
        Form(gelu_erf(BIASED), "convolution_gelu"),
        Form(gelu_tanh(BIASED), "convolution_gelu_tanh"),
    ),
    Op.DivideOp: (Form(silu(BIASED), "convolution_silu"),),
    Op.AddOp: (Form(BIASED, "convolution_bias"),),
}


@dataclass(frozen=True)
class RaiseConvolutionPass(Pass):
    """Recognize convolutions with bias and activation and name them, keeping their ops as the decomposition."""

    name = "raise-convolution"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Raise every convolution with a bias of the module."""
        del ctx
        assert isinstance(op, ModuleOp)
        Raiser(op, FORMS, (Op.ConvolutionOp,), reach=12).run()
