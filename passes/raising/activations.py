"""The activations that are recognized, as patterns of what they are applied to."""

from __future__ import annotations

from math import pi, sqrt

from stepwell.dialects import chlo, stablehlo
from stepwell.passes.raising.patterns import Pattern, constant, either, pointwise, product

Op = stablehlo
HALF = sqrt(0.5)
CUBIC = 0.044715


def gelu_tanh(x: Pattern) -> Pattern:
    """`x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))`."""
    cube = either(
        product(constant(CUBIC), x, x, x),
        pointwise(Op.MultiplyOp, constant(CUBIC), pointwise(Op.PowerOp, x, constant(3.0))),
    )
    inner = product(constant(sqrt(2 / pi)), pointwise(Op.AddOp, x, cube))
    return product(x, constant(0.5), pointwise(Op.AddOp, constant(1.0), pointwise(Op.TanhOp, inner)))


def gelu_erf(x: Pattern) -> Pattern:
    """`x / 2 * (1 + erf(x / sqrt(2)))`, or with the complement of erf."""
    scaled = either(product(x, constant(HALF)), pointwise(Op.DivideOp, x, constant(1 / HALF)))
    minus = either(
        product(pointwise(Op.NegateOp, x), constant(HALF)), product(x, constant(-HALF)), pointwise(Op.NegateOp, scaled)
    )
    error = either(
        pointwise(Op.AddOp, constant(1.0), pointwise(chlo.ErfOp, scaled)),
        pointwise(chlo.ErfcOp, minus),
    )
    return product(x, constant(0.5), error)


def silu(x: Pattern) -> Pattern:
    """`x / (1 + exp(-x))`."""
    below = pointwise(Op.AddOp, constant(1.0), pointwise(Op.ExponentialOp, pointwise(Op.NegateOp, x)))
    sigmoid = either(pointwise(Op.LogisticOp, x), pointwise(Op.DivideOp, constant(1.0), below))
    return either(product(x, sigmoid), pointwise(Op.DivideOp, x, below))


def relu(x: Pattern) -> Pattern:
    """`max(x, 0)`."""
    return pointwise(Op.MaximumOp, x, constant(0.0))
