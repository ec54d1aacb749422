"""Elementwise functions made of others: powers and logarithms of other bases, lengths, signs, special values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes

from stepwell.frontends.api import api
from stepwell.frontends.dtypes import BOOL, as_dtype, bits, inexact, is_float, kind
from stepwell.frontends.numpy_api.core import aligned, broadcast, lifted, scalar_like
from stepwell.frontends.numpy_api.elementwise import (
    abs,
    add,
    clip,
    equal,
    imag,
    isfinite,
    less_equal,
    logical_and,
    logical_or,
    multiply,
    named,
    real,
    reals,
    sqrt,
    subtract,
    where,
)
from stepwell.frontends.tracer import Tracer, converted, emit, promoted


@api("x")
def exp2(x: Any, /) -> Any:
    """2 to the power of x."""
    (a,), _, _ = promoted(x, at_least=inexact)
    return emit("binary", "power", scalar_like(2, a), a)


def _log_base(base: float, name: str) -> Callable[..., Any]:
    def function(x: Any, /) -> Any:
        (a,), _, _ = promoted(x, at_least=inexact)
        return emit("binary", "divide", emit("unary", "log", a), scalar_like(base, a))

    return named(function, name, f"The logarithm to base {name[3:]}.", "x")


log2 = _log_base(0.6931471805599453, "log2")
log10 = _log_base(2.302585092994046, "log10")


@api("x1", "x2")
def logaddexp(x1: Any, x2: Any, /) -> Any:
    """`log(exp(x1) + exp(x2))` without overflow."""
    (a, b), _, _ = aligned(x1, x2, at_least=reals)
    high = emit("binary", "maximum", a, b)
    apart = emit("unary", "negate", emit("unary", "abs", emit("binary", "subtract", a, b)))
    finite = emit("binary", "add", high, emit("unary", "log_plus_one", emit("unary", "exponential", apart)))
    same = emit("compare", "EQ", a, b)  # infinities of one sign: their difference is NaN
    both = emit("binary", "add", a, scalar_like(0.6931471805599453, a))
    return emit("select", same, both, finite)


@api("x1", "x2")
def hypot(x1: Any, x2: Any, /) -> Any:
    """The length of the vector (x1, x2), without overflow."""
    (a, b), dtype, _ = aligned(x1, x2, at_least=reals)
    a, b = emit("unary", "abs", a), emit("unary", "abs", b)
    high, low = emit("binary", "maximum", a, b), emit("binary", "minimum", a, b)
    zero = emit("compare", "EQ", high, scalar_like(0, high))
    ratio = emit("binary", "divide", low, emit("select", zero, scalar_like(1, high), high))
    one = scalar_like(1, high)
    length = multiply(high, sqrt(add(one, multiply(ratio, ratio))))
    infinite = logical_or(isinf(a), isinf(b))
    return emit("select", infinite, scalar_like(float("inf"), length), converted(length, dtype))


@api("x1", "x2")
def copysign(x1: Any, x2: Any, /) -> Any:
    """The magnitude of x1 with the sign of x2."""
    (a, b), _, _ = aligned(x1, x2, at_least=reals)
    size = emit("unary", "abs", a)
    return emit("select", _signbit(b), emit("unary", "negate", size), size)


def _signbit(x: Tracer) -> Tracer:
    pattern = emit("bitcast", x, as_dtype(f"int{bits(x.dtype)}"))
    return emit("compare", "LT", pattern, scalar_like(0, pattern))


@api("x")
def signbit(x: Any, /) -> Any:
    """Whether the sign bit is set."""
    a = lifted(x)
    if is_float(a.dtype):
        return _signbit(a)
    return emit("compare", "LT", a, scalar_like(0, a))


@api("x")
def isnan(x: Any, /) -> Any:
    """Whether elements are NaN."""
    a = lifted(x)
    return emit("compare", "NE", a, a)


@api("x")
def isinf(x: Any, /) -> Any:
    """Whether elements are infinite."""
    a = lifted(x)
    if kind(a.dtype) == 3:
        return logical_or(isinf(real(a)), isinf(imag(a)))
    if kind(a.dtype) <= 1:
        return broadcast(converted(False, BOOL), a.shape)
    return emit("compare", "EQ", emit("unary", "abs", a), scalar_like(float("inf"), a))


@api("x1", "x2")
def isclose(x1: Any, x2: Any, /, rtol: float = 1e-5, atol: float = 1e-8) -> Any:
    """Whether `|x1 - x2| <= atol + rtol * |x2|`, or both are the same infinity."""
    (a, b), _, _ = aligned(x1, x2, at_least=inexact)
    near = less_equal(abs(subtract(a, b)), add(atol, multiply(rtol, abs(b))))
    return logical_or(equal(a, b), logical_and(near, isfinite(b)))


@api("x")
def nan_to_num(x: Any, /, nan: float = 0.0) -> Any:
    """NaN replaced by `nan`, infinities by the largest finite numbers."""
    a = lifted(x)
    if not is_float(a.dtype):
        return a
    largest = float(ml_dtypes.finfo(a.dtype).max)
    finite = clip(a, -largest, largest)
    return where(isnan(a), nan, finite)
