"""`map`: a function of each element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepwell.frontends.api import api
from stepwell.frontends.errors import refuse
from stepwell.frontends.lax_api.control_flow import scan
from stepwell.frontends.mapping import map_leaves, vmap
from stepwell.frontends.numpy_api.core import lifted
from stepwell.frontends.numpy_api.manipulation import concatenate, reshape
from stepwell.frontends.pytree import TreeDef, flatten
from stepwell.frontends.tracer import Tracer, static_int


@api("xs")
def map(function: Callable[[Any], Any], xs: Any, *, batch_size: int | None = None) -> Any:
    """`function` of each element along the first axis of `xs` (a tree of arrays), the results stacked.

    Elements do not wait for each other: all are done at once, as by `vmap`, or `batch_size` at a time, which needs less memory.
    A function with an op that cannot be done for many is done for one element after the other.
    """
    leaves, structure = flatten(xs)
    arrays = [lifted(leaf) for leaf in leaves]
    sizes = [a.shape[0] if a.shape else -1 for a in arrays]
    if not sizes or any(s != sizes[0] or s < 0 for s in sizes):
        raise refuse(f"map needs arrays of one length, got lengths {sizes}")
    if batch_size is None:
        return _at_once(function, arrays, structure)
    size = static_int(batch_size, "batch_size")
    if size < 1:
        raise refuse(f"the batch_size of map is at least 1, not {size}")
    whole = sizes[0] // size * size
    if whole == 0:
        return _at_once(function, arrays, structure)
    batches = structure.unflatten([reshape(a[:whole], (whole // size, size, *a.shape[1:])) for a in arrays])
    _, done = scan(lambda _, batch: (None, vmap(function)(batch)), None, batches)
    results, tree = flatten(done)
    results = [reshape(r, (whole, *r.shape[2:])) for r in results]
    if whole < sizes[0]:
        rest = flatten(_at_once(function, [a[whole:] for a in arrays], structure))[0]
        results = [concatenate(pair) for pair in zip(results, rest, strict=True)]
    return tree.unflatten(results)


def _at_once(function: Callable[[Any], Any], arrays: list[Tracer], structure: TreeDef) -> Any:
    def one_by_one() -> Any:
        return scan(lambda _, x: (None, function(x)), None, structure.unflatten(arrays))[1]

    def of(leaves: Any) -> Any:
        return function(structure.unflatten(leaves))

    return map_leaves(of, arrays, [0] * len(arrays), structure.paths(), otherwise=one_by_one)
