"""raise-softmax: recognize softmax and its logarithm, and name them.

Before: %m = max of %x along a dim                 After: %y = stablehlo.composite "stepwell.softmax" %x
        %e = exp(%x - %m)                                      {composite_attributes = {dims = ...}, decomposition = @softmax}
        %y = %e / sum of %e                               func.func private @softmax(...) { what was there }

What is recognized: any dims, `exp(x - max) / sum` and `x - max - log(sum)`, the maximum with or without a bound below, sums of
small floats in a wider type. What of it is read elsewhere (the exponentials, by a gradient) becomes a result of the composite.

Needs: step 1, canonicalized; after raise-attention, whose softmax is its own.  Keeps: the ops, as the decomposition.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from stepwell.dialects import stablehlo
from stepwell.ir.passes import Pass
from stepwell.passes.raising.outline import Form, Raiser
from stepwell.passes.raising.patterns import Pattern, bound, constant, either, leaf, pointwise, reduced


def _shifted() -> Pattern:
    """`x - max(x)`."""
    highest = reduced(stablehlo.MaximumOp, -inf, leaf("x"))
    return pointwise(
        stablehlo.SubtractOp,
        leaf("x"),
        either(highest, pointwise(stablehlo.MaximumOp, constant(-inf), highest)),
    )


def _softmax() -> Pattern:
    exponential = bound("e", pointwise(stablehlo.ExponentialOp, _shifted()))
    return pointwise(stablehlo.DivideOp, exponential, reduced(stablehlo.AddOp, 0.0, exponential))


def _log_softmax() -> Pattern:
    shifted = bound("s", _shifted())
    total = reduced(stablehlo.AddOp, 0.0, pointwise(stablehlo.ExponentialOp, shifted))
    return pointwise(stablehlo.SubtractOp, shifted, pointwise(stablehlo.LogOp, total))


FORMS: dict[type[Operation], tuple[Form, ...]] = {
    stablehlo.DivideOp: (Form(_softmax(), "softmax"),),
    stablehlo.SubtractOp: (Form(_log_softmax(), "log_softmax"),),
}


@dataclass(frozen=True)
class RaiseSoftmaxPass(Pass):
    """Recognize softmax and its logarithm and name them, keeping their ops as the decomposition."""

    name = "raise-softmax"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Raise every softmax of the module."""
        del ctx
        assert isinstance(op, ModuleOp)
        Raiser(op, FORMS, (stablehlo.ExponentialOp,), reach=3).run()
