"""What networks do along dims: standardize, encode classes, attend."""

from __future__ import annotations

from math import sqrt
from typing import Any

import ml_dtypes

from stepwell.frontends.api import api
from stepwell.frontends.dtypes import FLOAT32, bits, is_float, kind
from stepwell.frontends.errors import refuse
from stepwell.frontends.numpy_api.core import aligned, axes, broadcast, lifted, one_axis, scalar_like
from stepwell.frontends.numpy_api.creation import tri
from stepwell.frontends.numpy_api.elementwise import divide, multiply, rsqrt, subtract, where
from stepwell.frontends.numpy_api.exponentials import chosen, softmax, wide
from stepwell.frontends.numpy_api.linear import einsum
from stepwell.frontends.numpy_api.manipulation import moveaxis, reshape
from stepwell.frontends.numpy_api.reductions import mean as mean_along
from stepwell.frontends.numpy_api.reductions import reduced
from stepwell.frontends.numpy_api.searching import one_hot as last_one_hot
from stepwell.frontends.tracer import Tracer, converted


@api()
def standardize(
    x: Any,
    /,
    axis: Any = -1,
    mean: Any = None,
    variance: Any = None,
    epsilon: float = 1e-5,
    where: Any = None,
) -> Any:
    """`(x - mean) / sqrt(variance + epsilon)`, with the mean and the variance along axes where they are not given.

    The variance is the mean of centered squares, which does not cancel; `where` chooses what both are taken of.
    """
    a, dtype = wide(x)
    dims, mask = axes(axis, len(a.shape)), chosen(a, where)
    center = _mean(a, dims, mask) if mean is None else converted(lifted(mean), a.dtype)
    apart = subtract(a, center)
    spread = _mean(multiply(apart, apart), dims, mask) if variance is None else converted(lifted(variance), a.dtype)
    return converted(multiply(apart, rsqrt(spread + epsilon)), dtype)


def _mean(x: Tracer, dims: tuple[int, ...], mask: Tracer | None) -> Any:
    if mask is None:
        return mean_along(x, dims, keepdims=True)
    total = reduced(where(mask, x, scalar_like(0, x)), dims, "add", 0, True)
    return divide(total, reduced(converted(mask, x.dtype), dims, "add", 0, True))


@api()
def one_hot(x: Any, num_classes: int, /, *, dtype: Any = "float32", axis: int = -1) -> Any:
    """A new dim of `num_classes`, at `axis` of the result, with a 1 at each integer's place; zeros for one out of range."""
    encoded = last_one_hot(x, num_classes, dtype=dtype)
    return moveaxis(encoded, -1, one_axis(axis, len(encoded.shape)))


@api()
def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    *,
    scale: float | None = None,
    is_causal: bool = False,
) -> Any:
    """`softmax(query @ key.T * scale + bias) @ value` for every head of a batch, as one kernel where that is quicker.

    Args:
        query: (batch, queries, heads, depth), or without the batch.
        key: (batch, keys, heads, depth); of fewer heads, each serves as many heads of the query, in their order.
        value: (batch, keys, heads, columns), with the key's heads.
        bias: added to the scores, broadcast to (batch, heads, queries, keys).
        mask: booleans, broadcast alike: where they are false a key is not seen.
        scale: `1 / sqrt(depth)` by default.
        is_causal: query i sees keys up to i only.

    Returns:
        (batch, queries, heads, columns) of the query's dtype; scores and weights are float32 at least.
    """
    q, k, v = lifted(query), lifted(key), lifted(value)
    if len(q.shape) == 3:
        alone = dot_product_attention(q[None], k[None], v[None], bias, mask, scale=scale, is_causal=is_causal)
        return reshape(alone, alone.shape[1:])
    _check(q, k, v)
    batch, queries, heads, depth = q.shape
    keys, groups = k.shape[1], k.shape[2]
    inner = FLOAT32 if bits(q.dtype) < 32 else q.dtype
    grouped = q if groups == heads else reshape(q, (batch, queries, groups, heads // groups, depth))
    letters = "btnh,bsnh->bnts" if groups == heads else "btkgh,bskh->bkgts"
    scores = einsum(letters, grouped, k, preferred_element_type=inner)
    scores = scores * (1 / sqrt(depth) if scale is None else scale)
    whole = (batch, heads, queries, keys)
    if bias is not None:
        scores = scores + reshape(broadcast(converted(lifted(bias), inner), whole), scores.shape)
    seen = _seen(mask, is_causal, whole)
    if seen is not None:
        hidden = -0.7 * float(ml_dtypes.finfo(inner).max)  # finite: a query that sees no key gets their mean
        scores = where(reshape(seen, scores.shape), scores, scalar_like(hidden, scores))
    weights = converted(softmax(scores), v.dtype)
    letters = "bnts,bsnh->btnh" if groups == heads else "bkgts,bskh->btkgh"
    result = einsum(letters, weights, v)
    return converted(reshape(result, (batch, queries, heads, v.shape[3])), q.dtype)


def _check(q: Tracer, k: Tracer, v: Tracer) -> None:
    for name, x in (("query", q), ("key", k), ("value", v)):
        if len(x.shape) != 4 or not is_float(x.dtype):
            raise refuse(
                f"attention: the {name} has shape {x.shape} and dtype {x.dtype.name}; it needs 3 or 4 dims of floats"
            )
    fits = k.shape[:3] == v.shape[:3] and q.shape[0] == k.shape[0] and q.shape[3] == k.shape[3]
    if not fits or (k.shape[2] == 0) != (q.shape[2] == 0) or (k.shape[2] and q.shape[2] % k.shape[2]):
        raise refuse(f"attention: query {q.shape}, key {k.shape} and value {v.shape} do not fit together")


def _seen(mask: Any, is_causal: bool, shape: tuple[int, ...]) -> Any:
    """The booleans of the keys that queries see, in the shape of the scores; None for all."""
    seen: Any = None
    if mask is not None:
        seen = lifted(mask)
        if kind(seen.dtype):
            raise refuse(f"attention: the mask must be booleans, not {seen.dtype.name}", "add numbers as the bias")
    if is_causal:
        causal = tri(shape[2], shape[3], dtype=bool)
        seen = causal if seen is None else aligned(seen, causal)[0][0] & causal
    return None if seen is None else broadcast(seen, shape)


__all__ = ["dot_product_attention", "one_hot", "standardize"]
