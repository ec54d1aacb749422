"""Applying a region on scalars to whole arrays.

A region whose ops are all elementwise means the same on arrays as on each of their elements, so it runs once for all of
them; any other region runs element by element. Rules of reductions, windows, sorts and scatters are built on this.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from xdsl.ir import Block, Region

from stepwell.dialects.interp import stablehlo_elementwise
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.interpreter import Interpreter

Array = np.ndarray[Any, np.dtype[Any]]
Combine = Callable[[Sequence[Array], Sequence[Array]], list[Array]]

_ELEMENTWISE = {*stablehlo_elementwise.RULES, "stablehlo.constant", "stablehlo.return"}


def is_elementwise(block: Block) -> bool:
    """True when the block's meaning on arrays is its meaning on their elements (constants are scalars there)."""
    return all(op.name in _ELEMENTWISE for op in block.ops)


def apply(interp: Interpreter, region: Region, args: Sequence[Array]) -> list[Array]:
    """The region's results for every element of the (broadcast) arguments."""
    block = region.block
    shape = np.broadcast_shapes(*(a.shape for a in args))
    if is_elementwise(block):
        return [np.broadcast_to(r, shape) for r in interp.run_block(block, args)]
    flat = [np.broadcast_to(a, shape).reshape(-1) for a in args]
    rows = [interp.run_block(block, [np.asarray(a[i]) for a in flat]) for i in range(int(np.prod(shape)))]
    types = [o.type for o in block.last_op.operands] if block.last_op is not None else []
    dtypes = [numpy_dtype(getattr(t, "element_type")) for t in types]  # noqa: B009
    return [np.array([row[i] for row in rows], d).reshape(shape) for i, d in enumerate(dtypes)]


def combiner(interp: Interpreter, region: Region) -> Combine:
    """The region as a function of two lists of arrays."""
    return lambda left, right: apply(interp, region, [*left, *right])


def fold_axis(combine: Combine, init: Sequence[Array], arrays: Sequence[Array]) -> list[Array]:
    """Combine along axis 0 by a balanced tree that keeps the order, then with `init` in front."""
    values = list(arrays)
    while (length := values[0].shape[0]) > 1:
        even = length - length % 2
        merged = combine([v[0:even:2] for v in values], [v[1:even:2] for v in values])
        if length % 2:
            merged = [np.concatenate([m, v[-1:]]) for m, v in zip(merged, values, strict=True)]
        values = merged
    if values[0].shape[0] == 0:
        return [np.broadcast_to(i, v.shape[1:]).astype(v.dtype) for i, v in zip(init, values, strict=True)]
    return combine(init, [v[0] for v in values])


def fold(combine: Combine, items: Iterable[Sequence[Array]]) -> list[Array] | None:
    """Combine a stream of items by a balanced tree that keeps the order; None when there is none."""
    stack: list[tuple[int, list[Array]]] = []
    for item in items:
        level, value = 0, list(item)
        while stack and stack[-1][0] == level:
            value = combine(stack.pop()[1], value)
            level += 1
        stack.append((level, value))
    if not stack:
        return None
    value = stack.pop()[1]
    while stack:
        value = combine(stack.pop()[1], value)
    return value


def scatter_in_order(combine: Combine, targets: Sequence[Array], positions: Array, updates: Sequence[Array]) -> None:
    """`targets[positions[i]] = combine(targets[positions[i]], updates[i])` for each i in order, on flat arrays in place.

    Updates of different positions do not meet, so the k-th updates of all positions are applied at once.
    """
    order = np.argsort(positions, kind="stable")
    ordered = positions[order]
    first = np.ones(len(ordered), np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    starts = np.flatnonzero(first)
    rank = np.arange(len(ordered)) - np.repeat(starts, np.diff(np.append(starts, len(ordered))))
    rounds = np.argsort(rank, kind="stable")
    bounds = np.searchsorted(rank[rounds], np.arange(int(rank.max()) + 2)) if len(rank) else np.zeros(1, np.int64)
    for begin, end in itertools.pairwise(bounds.tolist()):
        chosen = order[rounds[begin:end]]
        at = positions[chosen]
        combined = combine([t[at] for t in targets], [u[chosen] for u in updates])
        for target, value in zip(targets, combined, strict=True):
            target[at] = value
