"""Numbers of a distribution, from a key."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np

from stepwell.frontends.api import api
from stepwell.frontends.dtypes import FLOAT32, INT32, DType, as_dtype, inexact, is_float, is_integer
from stepwell.frontends.dtypes import bits as width_of
from stepwell.frontends.errors import refuse
from stepwell.frontends.numpy_api.core import broadcast, broadcast_shapes, extents, lifted, one_axis, scalar_like
from stepwell.frontends.numpy_api.elementwise import astype, clip, erf, erf_inv, where
from stepwell.frontends.numpy_api.reductions import argmax
from stepwell.frontends.random_api.keys import checked, raw_bits, split_in_two
from stepwell.frontends.tracer import Tracer, converted, emit, is_scalar


def _float(dtype: Any, what: str) -> DType:
    wanted = as_dtype(dtype)
    if not is_float(wanted) or width_of(wanted) < 16:
        raise refuse(f"{what} numbers are floats of at least 16 bits, not {wanted.name}")
    return wanted


def _shape(shape: Any, *parameters: Tracer) -> tuple[int, ...]:
    """The shape asked for, or that of the parameters."""
    natural = broadcast_shapes(*(p.shape for p in parameters))
    if shape is None:
        return natural
    wanted = extents(shape)
    if broadcast_shapes(natural, wanted) != wanted:
        raise refuse(f"parameters of shape {natural} do not fit numbers of shape {wanted}")
    return wanted


def unit(key: Tracer, shape: tuple[int, ...], dtype: DType) -> Tracer:
    """Numbers in [0, 1): random mantissa bits under the exponent of one, less one."""
    mantissa = ml_dtypes.finfo(dtype).nmant
    width = 8 if mantissa < 8 else width_of(dtype)
    pattern = as_dtype(f"uint{width_of(dtype)}")
    random = converted(raw_bits(key, width, shape), pattern)
    random = emit("binary", "shift_right_logical", random, scalar_like(width - mantissa, random))
    one = int(np.array(1, dtype).view(pattern))
    return emit("bitcast", emit("binary", "or", random, scalar_like(one, random)), dtype) - 1.0


def between(key: Tracer, shape: tuple[int, ...], dtype: DType, low: Any, high: Any) -> Tracer:
    """Numbers in [low, high)."""
    a, b = (broadcast(converted(v if is_scalar(v) else lifted(v), dtype), shape) for v in (low, high))
    value = emit("binary", "add", emit("binary", "multiply", unit(key, shape, dtype), b - a), a)
    return emit("binary", "maximum", a, value)


@api("minval", "maxval")
def uniform(key: Any, shape: Any = (), dtype: Any = FLOAT32, minval: Any = 0.0, maxval: Any = 1.0) -> Any:
    """Numbers uniform in [minval, maxval)."""
    return between(checked(key), extents(shape), _float(dtype, "uniform"), minval, maxval)


@api()
def normal(key: Any, shape: Any = (), dtype: Any = FLOAT32) -> Any:
    """Numbers of the standard normal distribution."""
    wanted = _float(dtype, "normal")
    low = float(np.nextafter(np.array(-1, wanted), np.array(0, wanted)))
    u = between(checked(key), extents(shape), wanted, low, 1.0)
    return erf_inv(u) * math.sqrt(2)


@api("lower", "upper")
def truncated_normal(key: Any, lower: Any, upper: Any, shape: Any = None, dtype: Any = FLOAT32) -> Any:
    """Numbers of the standard normal distribution between bounds."""
    wanted = _float(dtype, "normal")
    low, high = (converted(v if is_scalar(v) else lifted(v), wanted) for v in (lower, upper))
    size = _shape(shape, low, high)
    root = math.sqrt(2)
    u = between(checked(key), size, wanted, erf(low / root), erf(high / root))
    inner = emit("next_after", low, scalar_like(math.inf, low)), emit("next_after", high, scalar_like(-math.inf, high))
    return clip(erf_inv(u) * root, *inner)


@api("minval", "maxval")
def randint(key: Any, shape: Any, minval: Any, maxval: Any, dtype: Any = INT32) -> Any:
    """Integers uniform in [minval, maxval), minval where that is empty."""
    wanted = as_dtype(dtype)
    if not is_integer(wanted) or width_of(wanted) < 8:
        raise refuse(f"randint gives integers of at least 8 bits, not {wanted.name}")
    info = np.iinfo(wanted)
    for bound, largest in ((minval, info.max), (maxval, info.max + 1)):
        if isinstance(bound, int) and not info.min <= bound <= largest:
            raise refuse(f"the bound {bound} is no {wanted.name}", "give another dtype")
    if width_of(wanted) >= 32:
        return _integers(checked(key), extents(shape), minval, maxval, wanted)
    # In 32 bits: the remainder of few bits is far from uniform.
    low = clip(_integer(minval, INT32), int(info.min), int(info.max))
    high = clip(_integer(maxval, INT32), int(info.min), int(info.max) + 1)
    return converted(_integers(checked(key), extents(shape), low, high, INT32), wanted)


def _integers(key: Tracer, size: tuple[int, ...], minval: Any, maxval: Any, dtype: DType) -> Tracer:
    """The remainder of twice as many bits as the type has."""
    largest = np.iinfo(dtype).max
    whole = is_scalar(maxval) and maxval == largest + 1
    low = broadcast(_integer(minval, dtype), size)
    high = broadcast(_integer(largest if whole else maxval, dtype), size)
    span = converted(emit("binary", "subtract", high, low), as_dtype(f"uint{width_of(dtype)}"))
    filled = emit("compare", "GT", high, low)
    span = emit("select", filled, span, scalar_like(1, span))
    if whole:
        # All numbers: the span wraps around to 0, by which the remainder is the number itself.
        one_more = emit("binary", "add", span, scalar_like(1, span))
        span = emit("select", filled, one_more, span)
    first, second = split_in_two(key)
    upper, lower = (raw_bits(k, width_of(dtype), size) for k in (first, second))
    # 2**bits modulo the span: the weight of the upper bits.
    half = emit("binary", "remainder", scalar_like(1 << (width_of(dtype) // 2), span), span)
    weight = emit("binary", "remainder", emit("binary", "multiply", half, half), span)
    offset = emit("binary", "multiply", emit("binary", "remainder", upper, span), weight)
    offset = emit("binary", "add", offset, emit("binary", "remainder", lower, span))
    return emit("binary", "add", low, converted(emit("binary", "remainder", offset, span), dtype))


def _integer(value: Any, dtype: DType) -> Tracer:
    if is_scalar(value) and isinstance(value, bool | int):
        return converted(value, dtype)
    tracer = lifted(value)
    if not is_integer(tracer.dtype):
        raise refuse(f"randint takes integer bounds, not {tracer.dtype.name}")
    return converted(tracer, dtype)


@api("p")
def bernoulli(key: Any, p: Any = 0.5, shape: Any = None) -> Any:
    """Booleans that are true with probability p."""
    chance = lifted(p)
    chance = converted(chance, inexact(chance.dtype))
    size = _shape(shape, chance)
    u = between(checked(key), size, _float(chance.dtype, "uniform"), 0.0, 1.0)
    return emit("compare", "LT", u, broadcast(chance, size))


@api()
def exponential(key: Any, shape: Any = (), dtype: Any = FLOAT32) -> Any:
    """Numbers of the exponential distribution of rate one."""
    u = between(checked(key), extents(shape), _float(dtype, "exponential"), 0.0, 1.0)
    return emit("unary", "negate", emit("unary", "log_plus_one", emit("unary", "negate", u)))


def _gumbel(key: Tracer, shape: tuple[int, ...], dtype: DType) -> Tracer:
    u = between(key, shape, dtype, float(ml_dtypes.finfo(dtype).tiny), 1.0)
    inner = emit("unary", "negate", emit("unary", "log", u))
    return emit("unary", "negate", emit("unary", "log", inner))


@api()
def gumbel(key: Any, shape: Any = (), dtype: Any = FLOAT32) -> Any:
    """Numbers of the standard Gumbel distribution."""
    return _gumbel(checked(key), extents(shape), _float(dtype, "gumbel"))


@api()
def laplace(key: Any, shape: Any = (), dtype: Any = FLOAT32) -> Any:
    """Numbers of the standard Laplace distribution."""
    wanted = _float(dtype, "laplace")
    # The lowest number above -1: the logarithm of zero is none.
    low = -1.0 + float(ml_dtypes.finfo(wanted).epsneg)
    u = between(checked(key), extents(shape), wanted, low, 1.0)
    size = emit("unary", "log_plus_one", emit("unary", "negate", emit("unary", "abs", u)))
    return emit("binary", "multiply", emit("unary", "sign", u), size)


@api()
def logistic(key: Any, shape: Any = (), dtype: Any = FLOAT32) -> Any:
    """Numbers of the standard logistic distribution."""
    wanted = _float(dtype, "logistic")
    u = between(checked(key), extents(shape), wanted, float(ml_dtypes.finfo(wanted).tiny), 1.0)
    other = emit("unary", "log_plus_one", emit("unary", "negate", u))
    return emit("binary", "subtract", emit("unary", "log", u), other)


@api()
def cauchy(key: Any, shape: Any = (), dtype: Any = FLOAT32) -> Any:
    """Numbers of the standard Cauchy distribution."""
    wanted = _float(dtype, "cauchy")
    u = between(checked(key), extents(shape), wanted, float(ml_dtypes.finfo(wanted).eps), 1.0)
    return emit("unary", "tan", (u - 0.5) * math.pi)


@api()
def rademacher(key: Any, shape: Any = (), dtype: Any = INT32) -> Any:
    """-1 or 1, each half of the time."""
    u = between(checked(key), extents(shape), FLOAT32, 0.0, 1.0)
    positive = emit("compare", "LT", u, scalar_like(0.5, u))
    return astype(where(positive, 1, -1), as_dtype(dtype))


def draw_gumbel(key: Any, shape: tuple[int, ...], dtype: DType) -> Tracer:
    """`gumbel` inside of a trace."""
    return _gumbel(checked(key), shape, dtype)


@api()
def categorical(key: Any, logits: Any, axis: int = -1, shape: Any = None) -> Any:
    """Indices along an axis of unnormalized logarithms of probabilities: the largest one after Gumbel's noise."""
    values = lifted(logits)
    values = converted(values, inexact(values.dtype))
    dim = one_axis(axis, len(values.shape))
    batch = tuple(e for d, e in enumerate(values.shape) if d != dim)
    size = batch if shape is None else extents(shape)
    lead = size[: len(size) - len(batch)]
    if size[len(lead) :] != batch:
        raise refuse(f"categorical: the shape {size} does not end in {batch}, the shape of the logits without the axis")
    whole = (*lead, *values.shape)
    noise = _gumbel(checked(key), whole, _float(values.dtype, "gumbel"))
    return argmax(emit("binary", "add", noise, broadcast(values, whole)), len(lead) + dim)


__all__ = [
    "bernoulli",
    "between",
    "categorical",
    "cauchy",
    "draw_gumbel",
    "exponential",
    "gumbel",
    "laplace",
    "logistic",
    "normal",
    "rademacher",
    "randint",
    "truncated_normal",
    "uniform",
    "unit",
]
