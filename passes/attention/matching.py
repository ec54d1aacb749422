"""Reading a product of softmaxed scores and values as attention: which operand is what, over which dims.

The space of the scores (what the softmax reads) names all dims but two: the product of queries and keys sums over `depth`, the
values have a `column`. Matching starts at the last product and goes up; what is not as expected is a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from xdsl.dialects.builtin import BFloat16Type, Float16Type, Float32Type, Float64Type, FloatAttr, IntegerType
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import stablehlo
from stepwell.ir.dtypes import byte_width
from stepwell.passes.attention.tracing import (
    ZERO,
    Exprs,
    dim_of,
    element_of,
    identity,
    moved,
    same_place,
    shape_of,
    splat_of,
)
from stepwell.passes.stablehlo_to_linalg.scalar_rules import SCALAR_RULES

DOT = stablehlo.DotGeneralOp
FLOATS = (BFloat16Type, Float16Type, Float32Type, Float64Type)
MOST_OPS = 48
"""Ops between the product and the softmax that are looked through."""
MOST_CHANGES = 8
"""Ops between the softmax and the values that are looked through for a reason."""


@dataclass(frozen=True)
class Operand:
    """A tensor and where its elements are: `exprs` over the space of the scores, then `depth`, `column` and a dim of one."""

    value: SSAValue
    exprs: Exprs


@dataclass(frozen=True)
class Attention:
    """What was recognized. A space has the dims of the scores, then depth, column, and one that is the query's if it is alone."""

    last: DOT
    """Scores times values."""
    product: DOT
    """Queries times keys."""
    product_exprs: Exprs
    """Where the product's element is that makes a score."""
    scores: SSAValue
    """What the softmax reads."""
    query: Operand
    key: Operand
    value: Operand
    sizes: tuple[int, ...]
    query_dim: int
    key_dim: int
    result: Exprs
    """The dim that each dim of the last product's result is; 0 where it has one element."""
    softmax: tuple[Operation, ...]
    """The ops from the scores to the last product."""

    @property
    def rank(self) -> int:
        """The dims of scores."""
        return len(self.sizes) - 3

    @property
    def depth_dim(self) -> int:
        """What the product of queries and keys sums over."""
        return self.rank

    @property
    def column_dim(self) -> int:
        """What the values have and the scores have not."""
        return self.rank + 1

    @property
    def batch_dims(self) -> tuple[int, ...]:
        """All other dims."""
        return tuple(d for d in range(self.rank) if d not in (self.query_dim, self.key_dim))


@dataclass(frozen=True)
class Softmax:
    """A softmax along one dim."""

    scores: SSAValue
    axis: int
    ops: tuple[Operation, ...]
    """From the scores to the weights."""


def match_attention(last: DOT) -> Attention | str | None:
    """The attention that ends in a product, why it is none although it has a softmax, or None."""
    for side, other in ((0, 1), (1, 0)):
        weights, casts = _through_casts(last.operands[side])
        softmax = softmax_of(weights)
        if isinstance(softmax, Softmax):
            return _match(last, (side, other), replace(softmax, ops=(*softmax.ops, *casts)))
        if isinstance(softmax, str):
            return softmax
    if any(_changes_weights(operand) for operand in last.operands):
        return "its weights are changed between the softmax and the values, as dropout does"
    return None


def _changes_weights(value: SSAValue) -> bool:
    """Whether a factor is made of a softmax's weights, point by point."""
    pending, seen = [value], 0
    while pending and seen < MOST_CHANGES:
        op = pending.pop().owner
        seen += 1
        if isinstance(op, stablehlo.DivideOp) and isinstance(softmax_of(op.result), Softmax):
            return True
        if isinstance(op, stablehlo.MultiplyOp | stablehlo.DivideOp):
            # By what is given, that is: what a softmax passes back multiplies weights too.
            pending += [a for a, b in zip(op.operands, reversed(op.operands), strict=True) if _is_given(b)]
        elif isinstance(op, stablehlo.SelectOp):
            pending += op.operands[1:]
        elif isinstance(op, stablehlo.ConvertOp):
            pending.append(op.operands[0])
    return False


def _is_given(factor: SSAValue) -> bool:
    """Whether a factor is one number, or a mask as numbers."""
    op = factor.owner
    converted = isinstance(op, stablehlo.ConvertOp) and element_of(op.operands[0]) == IntegerType(1)
    return converted or splat_of(factor) is not None


def _through_casts(value: SSAValue) -> tuple[SSAValue, list[Operation]]:
    """The value before converts between floats, and these."""
    casts: list[Operation] = []
    while (op := float_cast(value)) is not None:
        casts.insert(0, op)
        value = op.operands[0]
    return value, casts


def _widened(value: SSAValue) -> SSAValue:
    """The value before converts that lose nothing."""
    while (op := float_cast(value)) is not None and is_lossless(op):
        value = op.operands[0]
    return value


def float_cast(value: SSAValue) -> stablehlo.ConvertOp | None:
    """The convert between floats that makes a value."""
    op = value.owner
    return op if isinstance(op, stablehlo.ConvertOp) and is_float_cast(op) else None


def is_float_cast(op: Operation) -> bool:
    """Whether an op converts between floats."""
    return isinstance(op, stablehlo.ConvertOp) and all(
        isinstance(element_of(v), FLOATS) for v in (op.operands[0], op.results[0])
    )


def is_lossless(op: Operation) -> bool:
    """Whether an op converts floats to a type that has all of their numbers."""
    return is_float_cast(op) and holds(element_of(op.results[0]), element_of(op.operands[0]))


def holds(wide: Attribute, narrow: Attribute) -> bool:
    """Whether every number of a float type is one of another."""
    return wide == narrow or byte_width(wide) > byte_width(narrow)


# The softmax.


def softmax_of(weights: SSAValue) -> Softmax | str | None:
    """`exp(s - max(s)) / sum(exp(s - max(s)))` along one dim."""
    divide = weights.owner
    if isinstance(divide, stablehlo.SelectOp) and isinstance(divide.operands[1].owner, stablehlo.DivideOp):
        weights = divide.operands[1].owner.lhs
        if not isinstance(weights.owner, stablehlo.ExponentialOp):
            return None
        return "the softmax leaves elements out: a row without any is 0, not NaN"
    if not isinstance(divide, stablehlo.DivideOp) or not isinstance(divide.lhs.owner, stablehlo.ExponentialOp):
        return None
    exponential = divide.lhs.owner
    total = _reduced(divide.rhs, divide.lhs, stablehlo.AddOp)
    if total is None:
        return None
    subtract = exponential.operand.owner
    if not isinstance(subtract, stablehlo.SubtractOp):
        return "the softmax does not subtract a maximum"
    scores = subtract.lhs
    highest = _reduced(subtract.rhs, scores, stablehlo.MaximumOp)
    if highest is None:
        return "the softmax subtracts something else than its maximum"
    if highest[0] != total[0]:
        return "the softmax sums along another dim than it takes the maximum of"
    ops = (*highest[1], subtract, exponential, *total[1], divide)
    return Softmax(scores, total[0], ops)


def _reduced(value: SSAValue, source: SSAValue, combiner: type[Operation]) -> tuple[int, list[Operation]] | None:
    """The one dim along which `value`, of the shape of `source`, is that reduced, and the ops of it."""
    ops: list[Operation] = []
    exprs = identity(len(shape_of(source)))
    while isinstance(value.owner, Operation) and (before := moved(value.owner, exprs)) is not None:
        ops.insert(0, value.owner)
        value, exprs = value.owner.operands[0], before
    op = value.owner
    if not isinstance(op, stablehlo.ReduceOp) or len(op.inputs) != 1:
        return None
    axes = op.dimensions.get_values()
    start = splat_of(op.init_values[0])
    neutral = 0.0 if combiner is stablehlo.AddOp else -np.inf
    if len(axes) != 1 or not isinstance(start, FloatAttr) or start.value.data != neutral:
        return None
    body = list(op.body.block.ops)
    if len(body) != 2 or not isinstance(body[0], combiner) or set(body[0].operands) != set(op.body.block.args):
        return None
    found = places_of(op.inputs[0], source)
    if found is None or (axis := dim_of(found[0][axes[0]])) is None:
        return None
    places, between = found
    shape = shape_of(op.inputs[0])
    left = tuple(e for d, e in enumerate(places) if d != axes[0])
    if not same_place(exprs, left, [n for d, n in enumerate(shape) if d != axes[0]]):
        return None
    return axis, [*between, *_behind(op.init_values[0]), op, *ops]


def places_of(
    value: SSAValue, source: SSAValue, casts: Callable[[Operation], bool] | None = None
) -> tuple[Exprs, list[Operation]] | None:
    """Which dim of `source` each dim of a value with the same elements is, and the ops that make it of `source`, if it is so.

    Either may come from the other one, by moves; the value also by what `casts` says are converts to look through.
    """
    shape = shape_of(value)
    upwards = _up_to(source, value)
    if upwards is not None:
        return upwards[0], []
    downwards = _up_to(value, source, casts)
    if downwards is None:
        return None
    dims = [dim_of(e) for e in downwards[0]]
    places = [AffineExpr.dimension(dims.index(d)) if d in dims else ZERO for d in range(len(shape))]
    return tuple(places), downwards[1]


def _up_to(
    value: SSAValue, source: SSAValue, casts: Callable[[Operation], bool] | None = None
) -> tuple[Exprs, list[Operation]] | None:
    """Where each element of a value is in `source`, through moves that repeat and drop nothing, and these."""
    exprs = identity(len(shape_of(value)))
    ops: list[Operation] = []
    volume = prod(shape_of(value))
    while value is not source:
        op = value.owner
        if not isinstance(op, Operation):
            return None
        before = exprs if casts is not None and casts(op) else moved(op, exprs)
        if before is None or prod(shape_of(op.operands[0])) != volume:
            return None
        ops.insert(0, op)
        value, exprs = op.operands[0], before
    return exprs, ops


def _behind(constant: SSAValue) -> list[Operation]:
    """The ops that make a constant."""
    made: list[Operation] = []
    while isinstance(constant.owner, Operation):
        made.insert(0, constant.owner)
        if not constant.owner.operands:
            break
        constant = constant.owner.operands[0]
    return made


# The products.


def _match(last: DOT, sides: tuple[int, int], softmax: Softmax) -> Attention | str:
    scores, axis = softmax.scores, softmax.axis
    shape = shape_of(scores)
    kind = element_of(scores)
    if not isinstance(kind, Float32Type | Float64Type):
        return f"the softmax is computed in {kind}"
    found = find_product(scores)
    if isinstance(found, str):
        return found
    product, product_exprs = found
    for dot in (last, product):
        reason = sums_in_another_type(dot)
        if reason is not None:
            return reason
    values = _values_of(last, sides, axis, shape)
    if isinstance(values, str):
        return values
    value, result, columns = values
    pair = factors_of(product, product_exprs, axis, len(shape))
    if isinstance(pair, str):
        return pair
    query, key, own, depth = pair
    if shape[axis] < 2:
        return "there is one key"
    query_dim = query_dim_of(own, shape)
    for operand in (query, key, value):
        if not isinstance(element_of(operand.value), FLOATS) or not holds(kind, element_of(operand.value)):
            return f"an operand of {element_of(operand.value)} does not fit into the softmax's {kind}"
    sizes = (*shape, depth, columns, 1)
    return Attention(
        last, product, product_exprs, scores, query, key, value, sizes, query_dim, axis, result, softmax.ops
    )


def query_dim_of(own: Sequence[int], shape: Sequence[int]) -> int:
    """The longest of the dims that only queries have; one beyond all others where there is none."""
    lines = [d for d in own if shape[d] > 1]
    return max(lines, key=lambda d: (shape[d], d)) if lines else len(shape) + 2


def find_product(scores: SSAValue) -> tuple[DOT, Exprs] | str:
    """The product with a value for each score, through pointwise ops and moves: the first one on the way."""
    volume = prod(shape_of(scores))
    pending: list[tuple[SSAValue, Exprs]] = [(scores, identity(len(shape_of(scores))))]
    seen: set[SSAValue] = set()
    while pending:
        value, exprs = pending.pop()
        op = value.owner
        if value in seen or not isinstance(op, Operation) or prod(shape_of(value)) != volume:
            continue
        seen.add(value)
        if len(seen) > MOST_OPS:
            return "its scores take too many ops"
        if isinstance(op, DOT):
            return op, exprs
        before = moved(op, exprs)
        if before is not None:
            pending.append((op.operands[0], before))
        elif is_pointwise(op):
            pending += [(o, exprs) for o in reversed(op.operands) if len(shape_of(o)) == len(exprs)]
    return "its scores are no product of queries and keys"


def is_pointwise(op: Operation) -> bool:
    """Whether each element of the result is made of the operands' elements there."""
    return type(op) in SCALAR_RULES and not op.regions


def sums_in_another_type(dot: DOT) -> str | None:
    """Whether a product's algorithm sums in something else than f32 or f64; no road rounds operands to the types it names."""
    plain = dot.algorithm is None or isinstance(dot.algorithm.accumulation_type, Float32Type | Float64Type)
    return None if plain else "a product asks for an algorithm of its own"


def _values_of(last: DOT, sides: tuple[int, int], axis: int, shape: Sequence[int]) -> tuple[Operand, Exprs, int] | str:
    """The values with their places, the dims of the result, and how many columns there are."""
    numbers = last.dot_dimension_numbers.data
    batching = (numbers.lhs_batching_dimensions, numbers.rhs_batching_dimensions)
    contracting = (numbers.lhs_contracting_dimensions, numbers.rhs_contracting_dimensions)
    weights, other = sides
    if tuple(contracting[weights]) != (axis,):
        return "the product with the values sums over another dim than the softmax does"
    places: dict[int, AffineExpr] = {contracting[other][0]: AffineExpr.dimension(axis)}
    places |= {
        theirs: AffineExpr.dimension(ours) for ours, theirs in zip(batching[weights], batching[other], strict=True)
    }
    extents = shape_of(last.operands[other])
    free = [d for d in range(len(extents)) if d not in places]
    lines = [d for d in free if extents[d] > 1]
    if len(lines) != 1:
        return f"the values have {len(lines)} dims of columns"
    column = AffineExpr.dimension(len(shape) + 1)
    places |= {d: column if d in lines else ZERO for d in free}
    exprs = tuple(_unit(places[d], n) for d, n in enumerate(extents))
    ours = [AffineExpr.dimension(d) for d in range(len(shape)) if d != axis and d not in batching[weights]]
    theirs = [places[d] for d in free]
    order = [*ours, *theirs] if weights == 0 else [*theirs, *ours]
    result = (*(AffineExpr.dimension(d) for d in batching[weights]), *order)
    return Operand(_widened(last.operands[other]), exprs), result, extents[lines[0]]


def _unit(expr: AffineExpr, extent: int) -> AffineExpr:
    return expr if extent != 1 else ZERO


def factors_of(product: DOT, exprs: Exprs, axis: int, rank: int) -> tuple[Operand, Operand, list[int], int] | str:
    """Queries and keys with their places, the dims that only queries have, and the extent of the depth."""
    numbers = product.dot_dimension_numbers.data
    batching = (numbers.lhs_batching_dimensions, numbers.rhs_batching_dimensions)
    contracting = (numbers.lhs_contracting_dimensions, numbers.rhs_contracting_dimensions)
    if len(contracting[0]) != 1:
        return "queries and keys are summed over several dims"
    depth = AffineExpr.dimension(rank)
    dims = [dim_of(e) for e in exprs]
    named = [d for d in dims if d is not None]
    if len(set(named)) != len(named) or axis not in named:
        return "the scores are spread or transposed in a way that is not understood"
    at = len(batching[0])
    places: list[dict[int, AffineExpr]] = []
    for side in (0, 1):
        extents = shape_of(product.operands[side])
        mine = {d: exprs[i] for i, d in enumerate(batching[side])} | {contracting[side][0]: depth}
        for d in [d for d in range(len(extents)) if d not in mine]:
            mine[d] = exprs[at]
            at += 1
        places.append(mine)
    free = [
        [dim_of(e) for d, e in mine.items() if d not in batching[side] and d not in contracting[side]]
        for side, mine in enumerate(places)
    ]
    keys = 1 if axis in free[1] else 0
    if [d for d in free[keys] if d is not None] != [axis]:
        return "its keys have several dims"
    operands: list[Operand] = []
    for side in (0, 1):
        extents = shape_of(product.operands[side])
        value = _widened(product.operands[side])
        operands.append(Operand(value, tuple(_unit(places[side][d], n) for d, n in enumerate(extents))))
    own = [d for d in free[1 - keys] if d is not None]
    extent = shape_of(product.operands[0])[contracting[0][0]]
    return operands[1 - keys], operands[keys], own, extent


__all__ = [
    "DOT",
    "FLOATS",
    "Attention",
    "Operand",
    "Softmax",
    "factors_of",
    "find_product",
    "float_cast",
    "holds",
    "is_float_cast",
    "is_lossless",
    "is_pointwise",
    "match_attention",
    "places_of",
    "query_dim_of",
    "softmax_of",
    "sums_in_another_type",
]
