"""Patterns over the ops of step 1, as functions that are put together.

A pattern says whether an element of a value, at index expressions over the dims of a root's result, is what it describes. It looks
through ops that only move elements and through conversions between floats, wherever they stand, and knows where it is: a leaf that
occurs twice must be the same element. Where a reduction is, the dims that are reduced are bound to those of the root that its
result has not. A match keeps the ops it went through; where operands may be exchanged, both ways are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import isclose, prod

from xdsl.dialects.builtin import AnyFloat, FloatAttr, TensorType
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineDimExpr

from stepwell.dialects import chlo, stablehlo
from stepwell.passes.attention.tracing import (
    Exprs,
    dim_of,
    element_of,
    identity,
    moved,
    same_place,
    shape_of,
    splat_of,
)

PRECISION = 2e-3
"""How far a constant may be from the one it stands for: those of small floats are rounded."""


@dataclass
class Match:
    """What was found on the way from a root to its leaves."""

    shape: tuple[int, ...]
    """The root's result's."""
    leaves: dict[str, tuple[SSAValue, Exprs]] = field(default_factory=dict[str, tuple[SSAValue, Exprs]])
    axes: tuple[int, ...] | None = None
    """The dims of the root that reductions reduce."""
    ops: dict[Operation, None] = field(default_factory=dict[Operation, None])

    def copy(self) -> Match:
        """The same, to go on from in another way."""
        return Match(self.shape, dict(self.leaves), self.axes, dict(self.ops))

    def take(self, other: Match) -> None:
        """Become another match."""
        self.leaves, self.axes, self.ops = other.leaves, other.axes, other.ops

    def behind(self, value: SSAValue, exprs: Exprs) -> tuple[SSAValue, Exprs]:
        """The value behind moves and conversions, which become part of the match."""
        while isinstance(value.owner, Operation):
            op = value.owner
            before = exprs if _is_float_cast(op) else moved(op, exprs)
            if before is None:
                break
            self.ops[op] = None
            value, exprs = op.operands[0], before
        return value, exprs


Pattern = Callable[[Match, SSAValue, Exprs], bool]


def match(root: Operation, pattern: Pattern) -> Match | None:
    """The match of a pattern that ends in an op, if there is one."""
    result = root.results[0]
    found = Match(shape_of(result))
    return found if pattern(found, result, identity(len(found.shape))) else None


def _is_float_cast(op: Operation) -> bool:
    return isinstance(op, stablehlo.ConvertOp) and all(
        isinstance(element_of(v), AnyFloat) for v in (op.operands[0], op.results[0])
    )


# Leaves.


def leaf(name: str) -> Pattern:
    """Any value; the same one, at the same place, wherever the name occurs."""

    def pattern(found: Match, value: SSAValue, exprs: Exprs) -> bool:
        known = found.leaves.setdefault(name, (value, exprs))
        if known[0] is value:
            return same_place(known[1], exprs, shape_of(value))
        if not isinstance(value.owner, Operation):
            return False
        value, exprs = found.behind(value, exprs)  # the same through a move or a conversion of its own
        return known[0] is value and same_place(known[1], exprs, shape_of(value))

    return pattern


def features(name: str) -> Pattern:
    """Any value that has one number along some dims of the root and none of the others: a scale, an offset, a bias."""

    def pattern(found: Match, value: SSAValue, exprs: Exprs) -> bool:
        value, exprs = found.behind(value, exprs)
        dims = {dim_of(e) for e, n in zip(exprs, shape_of(value), strict=True) if n != 1}
        found.leaves[name] = (value, exprs)
        return len(dims) < sum(n != 1 for n in found.shape)

    return pattern


def constant(number: float | None = None) -> Pattern:
    """A number everywhere; any where none is said."""

    def pattern(found: Match, value: SSAValue, exprs: Exprs) -> bool:
        known = _number(found, value, exprs)
        return known is not None and (number is None or isclose(known, number, rel_tol=PRECISION))

    return pattern


def _number(found: Match, value: SSAValue, exprs: Exprs) -> float | None:
    value, _ = found.behind(value, exprs)
    splat = splat_of(value)
    if not isinstance(splat, FloatAttr) or not isinstance(value.owner, Operation):
        return None
    found.ops[value.owner] = None
    return splat.value.data


def bound(name: str, inner: Pattern) -> Pattern:
    """What a pattern describes, and the same value wherever the name occurs again."""
    again = leaf(name)

    def pattern(found: Match, value: SSAValue, exprs: Exprs) -> bool:
        value, exprs = found.behind(value, exprs)
        if name in found.leaves:
            return again(found, value, exprs)
        found.leaves[name] = (value, exprs)
        return inner(found, value, exprs)

    return pattern


# Ops.


def pointwise(kind: type[Operation], *operands: Pattern) -> Pattern:
    """An op, element by element; where it has two operands and they may be exchanged, in either order."""
    orders = [operands]
    if len(operands) == 2 and kind in (stablehlo.AddOp, stablehlo.MultiplyOp, stablehlo.MaximumOp):
        orders.append(operands[::-1])

    def pattern(found: Match, value: SSAValue, exprs: Exprs) -> bool:
        value, exprs = found.behind(value, exprs)
        op = value.owner
        if not isinstance(op, kind):
            return False
        found.ops[op] = None
        values = op.operands
        return _first(found, [lambda m, o=order: _all(m, o, values, exprs) for order in orders])

    return pattern


def _all(found: Match, patterns: Sequence[Pattern], values: Sequence[SSAValue], exprs: Exprs) -> bool:
    return all(p(found, v, exprs) for p, v in zip(patterns, values, strict=True))


def _first(found: Match, ways: Sequence[Callable[[Match], bool]]) -> bool:
    """Go the first way that leads to a match."""
    for way in ways[:-1]:
        trial = found.copy()
        if way(trial):
            found.take(trial)
            return True
    return ways[-1](found)


def either(*patterns: Pattern) -> Pattern:
    """The first of several patterns that fits."""

    def pattern(found: Match, value: SSAValue, exprs: Exprs) -> bool:
        return _first(found, [lambda m, p=p: p(m, value, exprs) for p in patterns])

    return pattern


def product(*factors: Pattern) -> Pattern:
    """A product of factors, in any order, multiplied in any order."""
    if len(factors) == 1:
        return factors[0]
    splits: list[tuple[Pattern, Pattern]] = []
    for count in range(1, len(factors)):
        for chosen in combinations(range(len(factors)), count):
            left = [factors[i] for i in chosen]
            right = [f for i, f in enumerate(factors) if i not in chosen]
            splits.append((product(*left), product(*right)))

    def pattern(found: Match, value: SSAValue, exprs: Exprs) -> bool:
        value, exprs = found.behind(value, exprs)
        op = value.owner
        if not isinstance(op, stablehlo.MultiplyOp):
            return False
        found.ops[op] = None
        values = op.operands
        return _first(found, [lambda m, s=split: _all(m, s, values, exprs) for split in splits])

    return pattern


def square(inner: Pattern) -> Pattern:
    """A value times itself."""
    return either(
        pointwise(chlo.SquareOp, inner),
        pointwise(stablehlo.MultiplyOp, inner, inner),
        pointwise(stablehlo.PowerOp, inner, constant(2.0)),
    )


# Reductions.


def reduced(combiner: type[Operation], start: float, inner: Pattern) -> Pattern:
    """A reduction of what a pattern describes along the dims of the root that its result has not."""

    def pattern(found: Match, value: SSAValue, exprs: Exprs) -> bool:
        value, exprs = found.behind(value, exprs)
        op = value.owner
        if not isinstance(op, stablehlo.ReduceOp) or len(op.inputs) != 1 or not _combines(op, combiner, start):
            return False
        place = _place_before(found, op, exprs)
        if place is None or _number(found, op.init_values[0], ()) != start:
            return False
        found.ops[op] = None
        return inner(found, op.inputs[0], place)

    return pattern


def _combines(op: stablehlo.ReduceOp, combiner: type[Operation], start: float) -> bool:
    body = list(op.body.block.ops)
    if len(body) != 2 or not isinstance(body[0], combiner) or set(body[0].operands) != set(op.body.block.args):
        return False
    first = splat_of(op.init_values[0])
    return isinstance(first, FloatAttr) and first.value.data == start


def _place_before(found: Match, op: stablehlo.ReduceOp, exprs: Exprs) -> Exprs | None:
    """Where a reduction reads, with the dims it reduces bound; None when those cannot be told."""
    shape = shape_of(op.inputs[0])
    axes = op.dimensions.get_values()
    used = {dim_of(e) for e in exprs}
    free = [d for d, n in enumerate(found.shape) if d not in used and n != 1]
    sizes = [shape[a] for a in axes]
    if len(free) != len(axes) or [found.shape[d] for d in free] != sizes:
        return None
    if found.axes is None:
        found.axes = tuple(free)
    if found.axes != tuple(free):
        return None
    kept, bound_dims = iter(exprs), iter(free)
    return tuple(AffineDimExpr(next(bound_dims)) if d in axes else next(kept) for d in range(len(shape)))


def mean(inner: Pattern) -> Pattern:
    """A sum by how many there are."""
    total = reduced(stablehlo.AddOp, 0.0, inner)

    def pattern(found: Match, value: SSAValue, exprs: Exprs) -> bool:
        value, exprs = found.behind(value, exprs)
        op = value.owner
        if not isinstance(op, stablehlo.DivideOp | stablehlo.MultiplyOp):
            return False
        found.ops[op] = None
        for part, count in ((0, 1), (1, 0)) if isinstance(op, stablehlo.MultiplyOp) else ((0, 1),):
            trial = found.copy()
            number = _number(trial, op.operands[count], exprs)
            if number is not None and total(trial, op.operands[part], exprs):
                size = float(prod(found.shape[d] for d in trial.axes or ()))
                if isclose(number, size if isinstance(op, stablehlo.DivideOp) else 1 / size, rel_tol=PRECISION):
                    found.take(trial)
                    return True
        return False

    return pattern


def is_static(op: Operation) -> bool:
    """Whether an op has one result to match, of known shape, made of floats, with elements."""
    if len(op.results) != 1:
        return False
    kind = op.results[0].type
    return (
        isinstance(kind, TensorType)
        and isinstance(kind.element_type, AnyFloat)
        and kind.has_static_shape()
        and 0 not in kind.get_shape()
    )


__all__ = [
    "Match",
    "Pattern",
    "bound",
    "constant",
    "either",
    "features",
    "is_static",
    "leaf",
    "match",
    "mean",
    "pointwise",
    "product",
    "reduced",
    "square",
]
