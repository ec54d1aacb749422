"""Sums of exponentials and what is divided by them: `logsumexp`, `softmax` and its logarithm, none of which overflows."""

from __future__ import annotations

from typing import Any

from stepwell.frontends.api import api
from stepwell.frontends.dtypes import FLOAT32, DType, bits, inexact, kind
from stepwell.frontends.errors import refuse
from stepwell.frontends.numpy_api.core import aligned, axes, broadcast, lifted, scalar_like
from stepwell.frontends.numpy_api.elementwise import abs, divide, exp, isfinite, log, multiply, sign, subtract, where
from stepwell.frontends.numpy_api.reductions import extreme, reduced
from stepwell.frontends.tracer import Tracer, converted, emit

Dims = tuple[int, ...]


def wide(x: Any) -> tuple[Tracer, DType]:
    """(x as a float of at least 32 bits, the dtype of results)."""
    a = lifted(x)
    result = inexact(a.dtype)
    if kind(result) == 3:
        raise refuse(f"exponentials of {a.dtype.name} have no largest one", "take them of real and imag")
    return converted(a, FLOAT32 if bits(result) < 32 else result), result


def chosen(x: Tracer, where: Any) -> Tracer | None:
    """The mask `where` in the shape of x; None for all of it."""
    if where is None:
        return None
    mask = lifted(where)
    if kind(mask.dtype):
        raise refuse(f"where must be booleans, not {mask.dtype.name}", "compare with a number")
    return broadcast(mask, x.shape)


def _kept(x: Tracer, mask: Tracer | None, other: float) -> Tracer:
    return x if mask is None else where(mask, x, scalar_like(other, x))


def _highest(x: Tracer, dims: Dims) -> Tracer:
    return reduced(x, dims, "maximum", extreme(x.dtype, False), True)


@api()
def logsumexp(
    x: Any,
    /,
    axis: Any = None,
    b: Any = None,
    *,
    keepdims: bool = False,
    return_sign: bool = False,
    where: Any = None,
) -> Any:
    """`log(sum(b * exp(x)))` along axes, without overflow; of the elements that `where` chooses, if it is given.

    With `return_sign` the pair (logarithm of the sum's magnitude, its sign); without it a negative sum is NaN.
    """
    a, dtype = wide(x)
    factors: Tracer | None = None
    if b is not None:
        (a, factors), _, _ = aligned(a, b)
        mask = chosen(a, where)
        nothing = emit("compare", "EQ", factors, scalar_like(0, factors))
        a = _kept(a, emit("unary", "not", nothing), -float("inf"))  # 0 times an infinity is not there either
    else:
        mask = chosen(a, where)
    dims = axes(axis, len(a.shape))
    a = _kept(a, mask, -float("inf"))
    shift = _finite(_highest(a, dims))
    powers = exp(subtract(a, shift))
    total = reduced(powers if factors is None else multiply(factors, powers), dims, "add", 0, True)
    result = log(abs(total) if return_sign else total) + shift
    rest = tuple(e for d, e in enumerate(a.shape) if d not in dims)
    results = [converted(r, dtype) for r in ((result, sign(total)) if return_sign else (result,))]
    if not keepdims:
        results = [emit("reshape", r, rest) for r in results]
    return tuple(results) if return_sign else results[0]


def _finite(top: Tracer) -> Tracer:
    return where(isfinite(top), top, 0)


def _shifted(x: Any, axis: Any, mask: Any) -> tuple[Tracer, Dims, Tracer | None, DType]:
    """(x less its maximum, the axes, what is chosen, the dtype of results)."""
    a, dtype = wide(x)
    dims, picked = axes(axis, len(a.shape)), chosen(a, mask)
    return subtract(a, _highest(_kept(a, picked, -float("inf")), dims)), dims, picked, dtype


@api()
def softmax(x: Any, /, axis: Any = -1, where: Any = None) -> Any:
    """`exp(x) / sum(exp(x))` along axes, without overflow; 0 for elements that `where` does not choose."""
    shifted, dims, mask, dtype = _shifted(x, axis, where)
    powers = _kept(exp(shifted), mask, 0)
    return converted(_kept(divide(powers, reduced(powers, dims, "add", 0, True)), mask, 0), dtype)


@api()
def log_softmax(x: Any, /, axis: Any = -1, where: Any = None) -> Any:
    """`log(softmax(x))` along axes, accurate where the softmax is tiny; -inf for elements that `where` does not choose."""
    shifted, dims, mask, dtype = _shifted(x, axis, where)
    total = reduced(_kept(exp(shifted), mask, 0), dims, "add", 0, True)
    return converted(_kept(subtract(shifted, log(total)), mask, -float("inf")), dtype)


__all__ = ["log_softmax", "logsumexp", "softmax"]
