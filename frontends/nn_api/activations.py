"""Activations: functions of single numbers that networks put between their layers. Defaults and constants are JAX's."""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sqrt
from typing import Any

from stepwell.frontends.api import api
from stepwell.frontends.dtypes import is_float
from stepwell.frontends.errors import refuse
from stepwell.frontends.numpy_api.core import aligned, lifted, one_axis, scalar_like
from stepwell.frontends.numpy_api.elementwise import (
    clip,
    divide,
    erfc,
    expm1,
    maximum,
    minimum,
    multiply,
    named,
    negative,
    reals,
    sigmoid,
    tanh,
    where,
)
from stepwell.frontends.numpy_api.manipulation import split
from stepwell.frontends.numpy_api.special import logaddexp
from stepwell.frontends.tracer import Tracer, emit, promoted

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def _of_floats(name: str, doc: str, rule: Callable[[Tracer], Any]) -> Callable[..., Any]:
    """An activation that takes integers as floats."""

    def function(x: Any, /) -> Any:
        (a,), _, _ = promoted(x, at_least=reals)
        return rule(a)

    return named(function, name, doc, "x")


@api("x")
def relu(x: Any, /) -> Any:
    """`maximum(x, 0)`; NaN stays NaN."""
    return maximum(x, 0)


@api("x")
def relu6(x: Any, /) -> Any:
    """`minimum(maximum(x, 0), 6)`."""
    return minimum(maximum(x, 0), 6)


@api("x")
def hard_tanh(x: Any, /) -> Any:
    """X limited to [-1, 1]."""
    return clip(x, -1, 1)


def _silu(a: Tracer) -> Any:
    return multiply(a, sigmoid(a))


def _softplus(a: Tracer) -> Any:
    return logaddexp(a, 0)


def _hard_sigmoid(a: Tracer) -> Any:
    return divide(relu6(a + 3), 6)


def _sparse_plus(a: Tracer) -> Any:
    square = (a + 1) * (a + 1) * 0.25
    return where(a <= -1, scalar_like(0, a), where(a >= 1, a, square))


silu = _of_floats("silu", "`x * sigmoid(x)`, also known as swish.", _silu)
swish = silu
softplus = _of_floats("softplus", "`log(1 + exp(x))` without overflow.", _softplus)
log_sigmoid = _of_floats(
    "log_sigmoid", "`log(sigmoid(x))`, accurate where the sigmoid is tiny.", lambda a: negative(_softplus(-a))
)
soft_sign = _of_floats("soft_sign", "`x / (1 + |x|)`.", lambda a: divide(a, emit("unary", "abs", a) + 1))
mish = _of_floats("mish", "`x * tanh(softplus(x))`.", lambda a: multiply(a, tanh(_softplus(a))))
hard_sigmoid = _of_floats("hard_sigmoid", "`relu6(x + 3) / 6`.", _hard_sigmoid)
hard_silu = _of_floats("hard_silu", "`x * hard_sigmoid(x)`, also known as hard swish.", lambda a: a * _hard_sigmoid(a))
hard_swish = hard_silu
sparse_plus = _of_floats("sparse_plus", "0 below -1, x above 1, `(x + 1)**2 / 4` between.", _sparse_plus)
sparse_sigmoid = _of_floats(
    "sparse_sigmoid", "0 below -1, 1 above 1, `(x + 1) / 2` between.", lambda a: 0.5 * clip(a + 1, 0, 2)
)


@api("x", "negative_slope")
def leaky_relu(x: Any, /, negative_slope: Any = 0.01) -> Any:
    """X where it is not negative, else `negative_slope * x`."""
    (a, slope), _, _ = aligned(x, negative_slope, at_least=reals)
    return where(a >= 0, a, multiply(slope, a))


@api("x", "alpha")
def elu(x: Any, /, alpha: Any = 1.0) -> Any:
    """X where it is positive, else `alpha * (exp(x) - 1)`."""
    (a, factor), _, _ = aligned(x, alpha, at_least=reals)
    below = where(a > 0, scalar_like(0, a), a)
    return where(a > 0, a, multiply(factor, expm1(below)))


@api("x", "alpha")
def celu(x: Any, /, alpha: Any = 1.0) -> Any:
    """`maximum(x, 0) + alpha * (exp(minimum(x, 0) / alpha) - 1)`."""
    (a, factor), _, _ = aligned(x, alpha, at_least=reals)
    return maximum(a, 0) + factor * expm1(divide(minimum(a, 0), factor))


@api("x")
def selu(x: Any, /) -> Any:
    """`elu` scaled so that means and variances keep themselves."""
    return multiply(_SELU_SCALE, elu(x, _SELU_ALPHA))


@api("x", "b")
def squareplus(x: Any, /, b: Any = 4.0) -> Any:
    """`(x + sqrt(x**2 + b)) / 2`."""
    (a, spread), _, _ = aligned(x, b, at_least=reals)
    return 0.5 * (a + emit("unary", "sqrt", a * a + spread))


@api("x")
def gelu(x: Any, /, approximate: bool = True) -> Any:
    """X times the normal distribution up to x: by tanh, or exactly (by `erfc`, accurate far below 0)."""
    (a,), _, _ = promoted(x, at_least=reals)
    if approximate:
        return a * (0.5 * (1 + tanh(sqrt(2 / pi) * (a + 0.044715 * (a * a * a)))))
    return (0.5 * a) * erfc(-a * sqrt(0.5))


@api()
def glu(x: Any, /, axis: Any = -1) -> Any:
    """The first half of x along an axis times the sigmoid of the second."""
    a = lifted(x)
    dim = one_axis(axis, len(a.shape))
    if a.shape[dim] % 2:
        raise refuse(f"glu halves an axis, and axis {axis} of shape {a.shape} is odd")
    if not is_float(a.dtype):
        raise refuse(f"glu is defined for floats, not {a.dtype.name}", "convert with astype")
    first, second = split(a, 2, dim)
    return multiply(first, sigmoid(second))


@api("x")
def identity(x: Any, /) -> Any:
    """X itself."""
    return lifted(x)
