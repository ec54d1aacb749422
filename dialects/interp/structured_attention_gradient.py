"""The interpreter rule of `structured.attention_gradient`: whole matrices of scores and weights, as its definition has them."""

from __future__ import annotations

from typing import Any

import numpy as np
from xdsl.ir import Operation

from stepwell.dialects.interp.structured_attention import elements_over, region_on_scores
from stepwell.dialects.structured_attention import INNER
from stepwell.dialects.structured_attention_gradient import RESULTS, AttentionGradientOp
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.interpreter import Interpreter, Value

Array = Any


def attention_gradient(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    """Scores and weights, what is passed back to the products, and three more products."""
    assert isinstance(op, AttentionGradientOp)
    arrays = [np.asarray(a) for a in args]
    targets = [np.array(a) for a in arrays[-RESULTS:]] if op.results else list(args[-RESULTS:])
    kind = numpy_dtype(op.score_type)
    batch = tuple(range(op.batch))
    query, key, depth, column = range(op.batch, op.batch + INNER)

    def over(number: int, *dims: int) -> Array:
        return elements_over(arrays[number], op.maps[number], (*batch, *dims), op.extents)

    with np.errstate(all="ignore"):
        q, k = over(0, query, depth).astype(kind), over(1, key, depth).astype(kind)
        v, g = over(2, key, column).astype(kind), over(3, query, column).astype(kind)
        extras = [over(4 + i, query, key) for i in range(len(op.extras))]
        products = q @ np.swapaxes(k, -1, -2)
        hidden = np.zeros(products.shape[-2:], np.bool_)
        if op.causal is not None:
            i, j = np.indices(hidden.shape)
            hidden = j > i + op.causal.value.data
        scores = region_on_scores(interp, op.score, [products], extras)
        if op.fill is not None:
            scores = np.where(hidden, np.asarray(op.fill.value.data, kind), scores)
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True, initial=-np.inf))
        weights = (weights / weights.sum(axis=-1, keepdims=True)).astype(kind)
        passed = g @ np.swapaxes(v, -1, -2)
        passed = weights * (passed - (weights * passed).sum(axis=-1, keepdims=True))
        passed = region_on_scores(interp, op.slope, [passed.astype(kind), products], extras)
        passed = np.where(hidden, np.asarray(0, kind), passed)
        left_out = tuple(d for d in batch if d not in op.own)
        made = (
            passed @ k,
            (np.swapaxes(passed, -1, -2) @ q).sum(axis=left_out),
            (np.swapaxes(weights, -1, -2) @ g).sum(axis=left_out),
        )
    for number, (target, value) in enumerate(zip(targets, made, strict=True)):
        places = op.places(number)
        order = [sorted(places).index(d) for d in places]
        target[...] = np.transpose(value, order).astype(np.asarray(target).dtype)
    return tuple(targets) if op.results else ()


__all__ = ["attention_gradient"]
