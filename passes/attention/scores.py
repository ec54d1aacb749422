"""Which ops make the scores of an attention, which values they take from outside, and where the causal mask is in them.

The walk goes from the scores up: through moves, through pointwise ops whose element depends on query and key, to the product.
What else it meets (masks of keys, biases, data) is a leaf: an operand with a place. The outermost `select` by a comparison of
the query's and the key's number is the causal mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from xdsl.dialects.builtin import AnyFloat, DenseIntOrFPElementsAttr, FloatAttr, IntegerAttr, IntegerType, Signedness
from xdsl.ir import Operation, SSAValue

from stepwell.dialects import stablehlo
from stepwell.dialects.stablehlo import ComparisonDirection
from stepwell.ir.dense import dense_to_array
from stepwell.passes.attention.matching import MOST_OPS, Attention, Operand, is_lossless, is_pointwise
from stepwell.passes.attention.tracing import (
    Exprs,
    dim_of,
    element_of,
    identity,
    moved,
    same_place,
    shape_of,
    splat_of,
    trace,
)

Element = tuple[SSAValue, Exprs]
"""A value and a place in it."""
Linear = tuple[int, int, int]
"""`a * query + b * key + c`."""


@dataclass(frozen=True)
class Condition:
    """A boolean at a place, or what it is not."""

    value: SSAValue
    exprs: Exprs
    negated: bool


@dataclass(frozen=True)
class CausalMask:
    """Scores are `fill` where the key is behind `query + offset`, or where one of `others` does not hold; else those at `inner`."""

    offset: int
    fill: FloatAttr[Any]
    others: tuple[Condition, ...]
    inner: Operand


@dataclass
class ScoreOps:
    """The ops from the operands to the scores, operands first, and the leaves: values with their places, once each."""

    inside: dict[Operation, None] = field(default_factory=dict[Operation, None])
    leaves: dict[tuple[SSAValue, Exprs], None] = field(default_factory=dict[tuple[SSAValue, Exprs], None])


def collect(found: Attention, slope: tuple[Element, Element] | None = None) -> ScoreOps | str:
    """The ops that make the scores; of a gradient also those of a slope, from the second element to the first."""
    made = ScoreOps()
    seen: set[tuple[SSAValue, Exprs]] = set()
    # Postorder without recursion: an op is listed when its operands are.
    pending: list[tuple[SSAValue, Exprs, bool]] = [(found.scores, identity(found.rank), False)]
    if slope is not None:
        pending.insert(0, (*slope[0], False))
    while pending:
        value, exprs, ready = pending.pop()
        if ready:
            assert isinstance(value.owner, Operation)
            made.inside[value.owner] = None
            continue
        if (value, exprs) in seen:
            continue
        seen.add((value, exprs))
        if len(seen) > 2 * MOST_OPS:
            return "its scores take too many ops"
        if slope is not None and value is slope[1][0]:
            if not same_place(exprs, slope[1][1], shape_of(value)):
                return "what its softmax passes back is read at several places"
            continue
        inner = operands_at(found, value, exprs)
        if inner is None:
            made.leaves[value, exprs] = None
            continue
        pending.append((value, exprs, True))
        pending += [(v, e, False) for v, e in reversed(inner)]
    if any(v.owner in made.inside for v, _ in made.leaves):
        return "its scores are read at several places"
    if any(not _is_scalar_type(v) for v, _ in made.leaves):
        return "a mask or bias has elements of a type that is not lowered"
    return made


def _is_scalar_type(value: SSAValue) -> bool:
    return isinstance(element_of(value), IntegerType) or hasattr(element_of(value), "bitwidth")


def operands_at(found: Attention, value: SSAValue, exprs: Exprs) -> list[tuple[SSAValue, Exprs]] | None:
    """The operands' elements that an element is made of; None for a leaf."""
    op = value.owner
    if not isinstance(op, Operation):
        return None
    if op is found.product:
        return [] if same_place(exprs, found.product_exprs, shape_of(value)) else None
    if isinstance(op, stablehlo.ConstantOp):
        return [] if splat_of(value) is not None or triangle(found, value, exprs) is not None else None
    if isinstance(op, stablehlo.IotaOp):
        along = dim_of(exprs[op.iota_dimension.value.data])
        return [] if along in (None, found.query_dim, found.key_dim) else None
    before = moved(op, exprs)
    if before is not None:
        return [(op.operands[0], before)]
    dims = {dim_of(e) for e in exprs}
    if is_pointwise(op) and {d for d in (found.query_dim, found.key_dim) if found.sizes[d] > 1} <= dims:
        return [(o, exprs if shape_of(o) else ()) for o in op.operands]
    if is_pointwise(op) and all(splat_of(o) is not None or isinstance(o.owner, stablehlo.IotaOp) for o in op.operands):
        return [(o, exprs if shape_of(o) else ()) for o in op.operands]
    return None


def triangle(found: Attention, value: SSAValue, exprs: Exprs) -> int | None:
    """The offset of a constant mask that holds exactly where the key is at most `query + offset`."""
    op = value.owner
    if not isinstance(op, stablehlo.ConstantOp) or not isinstance(op.value, DenseIntOrFPElementsAttr):
        return None
    if element_of(value) != IntegerType(1):
        return None
    dims = [dim_of(e) for e in exprs]
    if [d for d in dims if d is not None] != [found.query_dim, found.key_dim]:
        return None
    queries, keys = found.sizes[found.query_dim], found.sizes[found.key_dim]
    mask = np.asarray(dense_to_array(op.value), np.bool_).reshape(queries, keys)
    offset = int(mask[0].sum()) - 1
    return offset if np.array_equal(mask, np.tri(queries, keys, offset, dtype=np.bool_)) else None


# The causal mask.


def causal_mask(found: Attention) -> CausalMask | None:
    """The mask that the scores end with, be it before they are widened."""
    value, exprs = trace(found.scores, identity(found.rank))
    while isinstance(value.owner, Operation) and is_lossless(value.owner):
        value, exprs = trace(value.owner.operands[0], exprs)
    return mask_of(found, value, exprs)


def mask_of(found: Attention, value: SSAValue, exprs: Exprs) -> CausalMask | None:
    """The mask that a value is a selection by; its fill is a score."""
    op = value.owner
    if not isinstance(op, stablehlo.SelectOp):
        return None
    fills = [splat_of(o) for o in op.operands[1:]]
    side = 1 if isinstance(fills[1], FloatAttr) else 0
    fill = fills[side]
    if not isinstance(fill, FloatAttr) or not shape_of(op.operands[0]):
        return None
    conditions: list[Condition] = []
    offsets: list[int] = []
    _conjuncts(found, Condition(op.operands[0], exprs, side == 0), conditions, offsets)
    if not offsets:
        return None
    kind = element_of(found.scores)
    assert isinstance(kind, AnyFloat)
    score = FloatAttr(fill.value.data, kind)
    return CausalMask(min(offsets), score, tuple(conditions), Operand(op.operands[2 - side], exprs))


def _conjuncts(found: Attention, given: Condition, others: list[Condition], offsets: list[int]) -> None:
    """Split a condition into comparisons of query and key and what else has to hold."""
    value, exprs = trace(given.value, given.exprs)
    op = value.owner
    parts = _parts(op, given.negated)
    if parts is not None:
        for part, negated in parts:
            _conjuncts(found, Condition(part, exprs, negated), others, offsets)
        return
    known = splat_of(value)
    if isinstance(known, IntegerAttr) and bool(known.value.data) != given.negated:
        return
    offset = _offset(found, value, exprs, given.negated)
    if offset is None:
        others.append(Condition(value, exprs, given.negated))
    else:
        offsets.append(offset)


def _parts(op: object, negated: bool) -> list[tuple[SSAValue, bool]] | None:
    """What has to hold, or not to, for an op to hold (or not)."""
    if isinstance(op, stablehlo.NotOp):
        return [(op.operands[0], not negated)]
    if isinstance(op, stablehlo.OrOp if negated else stablehlo.AndOp):
        return [(o, negated) for o in op.operands]
    if isinstance(op, stablehlo.SelectOp) and shape_of(op.operands[0]):
        branches = [splat_of(o) for o in op.operands[1:]]
        flags = [b.value.data != 0 if isinstance(b, IntegerAttr) else None for b in branches]
        if flags == [True, False]:
            return [(op.operands[0], negated)]
        if flags == [False, True]:
            return [(op.operands[0], not negated)]
    return None


_FLIPPED = {"GE": "LT", "GT": "LE", "LE": "GT", "LT": "GE", "EQ": "NE", "NE": "EQ"}


def _offset(found: Attention, value: SSAValue, exprs: Exprs, negated: bool) -> int | None:
    """The c of a condition that says `key <= query + c`."""
    op = value.owner
    if not negated and (constant := triangle(found, value, exprs)) is not None:
        return constant
    if not isinstance(op, stablehlo.CompareOp) or not isinstance(element_of(op.operands[0]), IntegerType):
        return None
    sides = [linear(found, o, exprs) for o in op.operands]
    if sides[0] is None or sides[1] is None:
        return None
    name = ComparisonDirection(op.comparison_direction.data).value
    name = _FLIPPED[name] if negated else name
    a, b, c = (x - y for x, y in zip(*sides, strict=True))
    # Now a * query + b * key + c is compared to 0.
    if name in ("LE", "LT"):
        a, b, c, name = -a, -b, -c, "GE" if name == "LE" else "GT"
    if (a, b) != (1, -1) or name not in ("GE", "GT"):
        return None
    return c if name == "GE" else c - 1


def linear(found: Attention, value: SSAValue, exprs: Exprs) -> Linear | None:
    """An integer as a sum of query, key and a number; None where it is something else, or might wrap."""
    value, exprs = trace(value, exprs)
    op = value.owner
    if isinstance(op, stablehlo.ConstantOp):
        known = splat_of(value)
        small = isinstance(known, IntegerAttr) and abs(known.value.data) < 1 << 30
        return (0, 0, known.value.data) if small else None
    kind = element_of(value)
    if not isinstance(kind, IntegerType) or kind.width.data < 32 or kind.signedness.data is Signedness.UNSIGNED:
        return None
    if isinstance(op, stablehlo.IotaOp):
        along = dim_of(exprs[op.iota_dimension.value.data])
        return {None: (0, 0, 0), found.query_dim: (1, 0, 0), found.key_dim: (0, 1, 0)}.get(along)
    if isinstance(op, stablehlo.ConvertOp):
        return linear(found, op.operands[0], exprs)
    if isinstance(op, stablehlo.AddOp | stablehlo.SubtractOp):
        sides = [linear(found, o, exprs) for o in op.operands]
        if sides[0] is None or sides[1] is None:
            return None
        sign = 1 if isinstance(op, stablehlo.AddOp) else -1
        x, y = sides[0], sides[1]
        return (x[0] + sign * y[0], x[1] + sign * y[1], x[2] + sign * y[2])
    return None


def on_path(inside: Sequence[Operation], product: Operation) -> list[Operation]:
    """The ops among `inside` (operands first) that what the product makes passes through."""
    reached: dict[Operation, None] = {product: None}
    for op in inside:
        if any(o.owner in reached for o in op.operands):
            reached[op] = None
    return list(reached)


__all__ = [
    "CausalMask",
    "Condition",
    "Element",
    "ScoreOps",
    "causal_mask",
    "collect",
    "linear",
    "mask_of",
    "on_path",
    "operands_at",
    "triangle",
]
