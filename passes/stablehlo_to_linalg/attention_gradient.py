"""The claim of `stablehlo.composite "stepwell.attention_gradient"`: one op where the machine has a strategy for it."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, Float64Type, StringAttr
from xdsl.ir import Operation, Region, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from stepwell.dialects import stablehlo
from stepwell.dialects.structured_attention_gradient import AttentionGradientOp
from stepwell.ir.dtypes import byte_width
from stepwell.ir.machine import MachineDescription
from stepwell.passes.attention.gradients import Gradient, match_gradient
from stepwell.passes.attention.tracing import ZERO, element_of
from stepwell.passes.stablehlo_to_linalg.attention import ScoreRegion, laid_out, refusal, used_leaves
from stepwell.passes.stablehlo_to_linalg.lowering import REMARKS, Lowering

STORED = 8
"""Matrices of scores that a core's second cache has room for where one more product takes longer than storing weights; a causal
mask hides half of them from the product."""


def decomposed(function: func.FuncOp) -> Gradient | str:
    """The gradient that a decomposition is."""
    end = function.body.block.last_op
    assert end is not None
    for op in function.body.block.ops:
        made = match_gradient(op) if isinstance(op, stablehlo.DivideOp) else None
        found = None if made is None else made[1]
        if not isinstance(found, Gradient) or tuple(r.product.result for r in found.results) != tuple(end.operands):
            continue
        outside = [*(o.value for o in found.operands), *(v for v, _ in found.parts.leaves)]
        if any(isinstance(v.owner, Operation) for v in outside):
            return "its decomposition does more than the gradient of attention"
        return found
    return "its decomposition is none"


def refused(function: func.FuncOp, machine: MachineDescription) -> str | None:
    """Why a machine does better with the parts of a decomposition."""
    gradient = decomposed(function)
    if isinstance(gradient, str):
        return gradient
    found = gradient.attention
    reason = refusal(found, list(gradient.parts.leaves), machine)
    if reason is not None:
        return reason
    lanes = machine.vector_bytes // (8 if isinstance(element_of(found.scores), Float64Type) else 4)
    queries, keys = found.sizes[found.query_dim], found.sizes[found.key_dim]
    if queries * 2 < lanes:
        return f"{queries} queries do not fill the lanes of a vector"
    if gradient.mask is None and STORED * queries * keys * byte_width(element_of(found.scores)) < machine.l2_bytes:
        return f"weights of {queries} queries and {keys} keys stay in a cache, and take less time to read than to make again"
    return None


def attention_gradient(low: Lowering, op: stablehlo.CompositeOp, function: func.FuncOp) -> Sequence[SSAValue]:
    """`structured.attention_gradient` and, where a result has another layout, a transpose."""
    gradient = decomposed(function)
    assert isinstance(gradient, Gradient)
    found, leaves = gradient.attention, list(gradient.parts.leaves)
    given: dict[SSAValue, SSAValue] = dict(
        zip(function.body.block.args, (low.get(o) for o in op.operands), strict=True)
    )
    # Dims of one element have no loop.
    batch = [d for d in found.batch_dims if found.sizes[d] > 1]
    space = [*batch, found.query_dim, found.key_dim, found.depth_dim, found.column_dim]
    place = [AffineExpr.dimension(space.index(d)) if d in space else ZERO for d in range(len(found.sizes))]

    def amap(exprs: Sequence[AffineExpr]) -> AffineMap:
        return AffineMap(len(space), 0, tuple(e.replace_dims_and_symbols(place, []) for e in exprs))

    regions = (ScoreRegion(low, found, leaves), ScoreRegion(low, found, leaves, gradient.core.value, gradient.masking))
    regions[0].score(gradient.mask)
    regions[1].slope(gradient.slope)
    extras = used_leaves(leaves, regions)
    lines = [
        [*batch, found.query_dim, found.depth_dim],
        [*gradient.own, found.key_dim, found.depth_dim],
        [*gradient.own, found.key_dim, found.column_dim],
    ]
    kinds = [element_of(r.product.result) for r in gradient.results]
    targets = [low.empty([found.sizes[d] for d in dims], k) for dims, k in zip(lines, kinds, strict=True)]
    query, key, value, passed = (given[o.value] for o in gradient.operands)
    mask = None if gradient.mask is None else (gradient.mask.offset, gradient.mask.fill)
    made = AttentionGradientOp(
        (query, key, value, passed),
        [given[v] for v, _ in extras],
        (targets[0], targets[1], targets[2]),
        [
            *(amap(o.exprs) for o in gradient.operands),
            *(amap(e) for _, e in extras),
            *(amap([AffineExpr.dimension(d) for d in dims]) for dims in lines),
        ],
        [found.sizes[d] for d in space],
        (Region(regions[0].block), Region(regions[1].block)),
        mask,
    )
    made.attributes[REMARKS] = ArrayAttr([StringAttr(_described(gradient, len(extras)))])
    results = low.builder.insert(made).res
    return [
        laid_out(low, r, dims, found, result.exprs, low.result_type(op, i).get_shape())
        for i, (r, dims, result) in enumerate(zip(results, lines, gradient.results, strict=True))
    ]


def _described(gradient: Gradient, extras: int) -> str:
    found = gradient.attention
    queries, keys = found.sizes[found.query_dim], found.sizes[found.key_dim]
    text = f"recognized as the gradient of attention of {queries} queries and {keys} keys"
    if gradient.mask is not None:
        text += f", causal from {gradient.mask.offset}"
    return f"{text}, {extras} masks or biases" if extras else text


__all__ = ["attention_gradient", "decomposed", "refused"]
