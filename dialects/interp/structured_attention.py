"""The interpreter rule of `structured.attention`: the whole matrix of scores at once, as the op's definition has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from xdsl.ir import Operation, Region
from xdsl.ir.affine import AffineMap

from stepwell.dialects.interp.linalg import eval_affine
from stepwell.dialects.structured_attention import INNER, AttentionOp
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.interpreter import Interpreter, Value

Array = Any


def elements_over(array: Array, amap: AffineMap, dims: Sequence[int], extents: Sequence[int]) -> Array:
    """An operand over some of the dims, in their order."""
    grids = {
        d: np.arange(extents[d], dtype=np.int64).reshape([extents[d] if d == i else 1 for i in dims]) for d in dims
    }
    # Dims that are left out have one index here.
    zero = np.zeros((1,) * len(dims), np.int64)
    indices = tuple(eval_affine(e, [grids.get(d, zero) for d in range(len(extents))]) for e in amap.results)
    return np.broadcast_to(array[indices] if indices else array, [extents[d] for d in dims])


def region_on_scores(interp: Interpreter, region: Region, numbers: Sequence[Array], extras: Sequence[Array]) -> Array:
    """A region on whole matrices of numbers, with those of queries and keys, and what else it takes."""
    queries, keys = numbers[0].shape[-2:]
    i, j = np.arange(queries)[:, None], np.arange(keys)[None, :]
    (made,) = interp.run_block(region.block, (*numbers, i, j, *extras))
    return np.broadcast_to(np.asarray(made, numbers[0].dtype), numbers[0].shape)


def attention(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    """Scores, the region on all of them, softmax, weighted sums."""
    assert isinstance(op, AttentionOp)
    arrays = [np.asarray(a) for a in args]
    target = np.array(arrays[-1]) if op.results else args[-1]
    extents, maps, batch = op.extents, op.maps, tuple(range(op.batch))
    query, key, depth, column = range(op.batch, op.batch + INNER)
    if 0 in np.shape(target):
        return (target,) if op.results else ()

    def over(number: int, *dims: int) -> Array:
        return elements_over(arrays[number], maps[number], (*batch, *dims), extents)

    kind = numpy_dtype(op.score_type)
    with np.errstate(all="ignore"):
        if extents[key] == 0:
            made = np.zeros([extents[d] for d in (*batch, query, column)], kind)
        else:
            q, k = over(0, query, depth).astype(kind), over(1, key, depth).astype(kind)
            scores = _scores(
                interp, op, q @ np.swapaxes(k, -1, -2), [over(3 + i, query, key) for i in range(len(op.extras))]
            )
            weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
            weights /= weights.sum(axis=-1, keepdims=True)
            made = weights.astype(kind) @ over(2, key, column).astype(kind)
    order = [e.used_dims().pop() for e in maps[-1].results]
    places = [(*batch, query, column).index(d) for d in order]
    target[...] = np.transpose(made, places).astype(np.asarray(target).dtype)
    return (target,) if op.results else ()


def _scores(interp: Interpreter, op: AttentionOp, products: Array, extras: Sequence[Array]) -> Array:
    """The region on every product, and the causal mask."""
    scores = region_on_scores(interp, op.score, [products], extras)
    if op.causal is None or op.fill is None:
        return scores
    queries, keys = products.shape[-2:]
    i, j = np.arange(queries)[:, None], np.arange(keys)[None, :]
    return np.where(j <= i + op.causal.value.data, scores, np.asarray(op.fill.value.data, products.dtype))


__all__ = ["attention", "elements_over", "region_on_scores"]
