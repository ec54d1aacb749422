"""Reductions whose region is more than an op: an associative function of two tuples of numbers, applied to parts of a line.

```
^bb0(%x, %n, %s):  %e = structured.element %x into %s;  %r = f(%s, %e)       becomes      elements: x      region: f(a, b)
```
StableHLO lets a reduction be any tree over the elements in their order. So a vector of consecutive elements becomes one number
by combining its even with its odd lanes until one is left, two vectors become one by combining the even lanes of both with the
odd ones, and what tasks found is combined in their order: at no point does the region see its operands in another order than
that of the elements, so it need not commute. Where a line ends within a vector, what is combined with nothing stays as it is:
nothing is asked of what a reduction starts from, which is used once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from xdsl.dialects import arith
from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.builtin import VectorType, i1
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, Operation, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import structured, vector
from stepwell.passes.schedules.associativity import is_associative
from stepwell.passes.schedules.emit import Emitter, Index
from stepwell.passes.schedules.lanes import BodyEvaluator, Lanes, Point, Resolve, broadcast, shuffled, vector_of
from stepwell.passes.schedules.nest import Fold, Nest

Combine = Callable[[Sequence[SSAValue], Sequence[SSAValue], int], list[SSAValue]]
"""The region on two tuples of vectors of so many lanes, or of numbers (0)."""

# Finding the region.


def folding(nest: Nest) -> Nest:
    """The nest with its body cut where elements become those of a region, where there is one."""
    found = _cut(nest)
    return found if isinstance(found, Nest) else nest


def fold_obstacle(nest: Nest) -> str | None:
    """Why a reduction goes from one element to the next, where it does."""
    found = _cut(nest)
    return None if isinstance(found, Nest) else found


def _cut(nest: Nest) -> Nest | str:
    """A nest whose body gives elements and whose fold combines them, or why there is none."""
    outputs = tuple(i for i, o in enumerate(nest.outputs) if o.reduced and o.combiner is None)
    if nest.body is None or nest.fold is not None or nest.selection is not None or not outputs:
        return nest
    marks = sorted((op for op in nest.body.ops if isinstance(op, structured.ElementOp)), key=_place)
    accumulators = [nest.body.args[len(nest.inputs) + i] for i in outputs]
    if [m.accumulator for m in marks] != accumulators:
        return "its region does not say what its elements are"
    later = _made_of(nest.body, [*accumulators, *(m.result for m in marks)])
    end = nest.body.last_op
    assert isinstance(end, linalg.YieldOp)
    yielded = list(end.operands)
    for i, mark in zip(outputs, marks, strict=True):
        yielded[i] = mark.value
    region = _region(nest.body, later, marks, [end.operands[i] for i in outputs])
    if region is None or any(v.owner in later for v in yielded):
        return "its region looks at more than the numbers it combines"
    if not is_associative(region):
        return "its region is not associative"
    return replace(nest, body=_elements(nest.body, later, yielded), fold=Fold(outputs, region))


def _place(mark: structured.ElementOp) -> int:
    return mark.accumulator.index  # pyright: ignore[reportAttributeAccessIssue]


def _made_of(body: Block, values: Sequence[SSAValue]) -> dict[Operation, None]:
    """The ops of a body that depend on some values, and the marks themselves."""
    known = dict.fromkeys(values)
    later: dict[Operation, None] = {}
    for op in body.ops:
        if isinstance(op, linalg.YieldOp):
            continue
        if isinstance(op, structured.ElementOp) or any(o in known for o in op.operands):
            later[op] = None
            known.update(dict.fromkeys(op.results))
    return later


def _elements(body: Block, later: dict[Operation, None], yielded: Sequence[SSAValue]) -> Block:
    """The body as far as it makes the elements."""
    made = Block(arg_types=[a.type for a in body.args])
    mapper: dict[SSAValue, SSAValue] = dict(zip(body.args, made.args, strict=True))
    for op in body.ops:
        if op not in later and not isinstance(op, linalg.YieldOp):
            made.add_op(op.clone(mapper))
    made.add_op(linalg.YieldOp(*(mapper.get(v, v) for v in yielded)))
    return made


def _region(
    body: Block,
    later: dict[Operation, None],
    marks: Sequence[structured.ElementOp],
    results: Sequence[SSAValue],
) -> Block | None:
    """The region as a block of two tuples; None where it looks at more than these and constants."""
    kinds = [m.value.type for m in marks]
    region = Block(arg_types=[*kinds, *kinds])
    mapper: dict[SSAValue, SSAValue] = {}
    for i, mark in enumerate(marks):
        mapper[mark.accumulator], mapper[mark.result] = region.args[i], region.args[len(kinds) + i]

    def known(value: SSAValue) -> bool:
        """Whether the region has a value, or gets it as a constant."""
        op = value.owner
        if value not in mapper and isinstance(op, arith.ConstantOp):
            copy = op.clone()
            region.add_op(copy)
            mapper[value] = copy.results[0]
        return value in mapper

    for op in later:
        if isinstance(op, structured.ElementOp):
            continue
        if op.regions or not all(known(o) for o in op.operands):
            return None
        region.add_op(op.clone(mapper))
    if not all(known(r) for r in results):
        return None
    region.add_op(linalg.YieldOp(*(mapper[r] for r in results)))
    return region


# Applying it.


def combining(em: Emitter, nest: Nest, resolve: Resolve) -> Combine:
    """What applies the region of a nest."""
    assert nest.fold is not None
    evaluate = BodyEvaluator(em, replace(nest, body=nest.fold.body), resolve)

    def combine(left: Sequence[SSAValue], right: Sequence[SSAValue], lanes: int) -> list[SSAValue]:
        em.location = nest.location
        point = Point([], Lanes((0,), (lanes,)) if lanes else None)
        results = evaluate(point, left, right)
        return [broadcast(em, r, lanes) for r in results] if lanes else results

    return combine


def pairwise(em: Emitter, low: Sequence[SSAValue], high: Sequence[SSAValue], combine: Combine) -> list[SSAValue]:
    """Two vectors after each other as one of the same number of lanes: each element combined with its neighbour."""
    width = lanes_of(low[0])
    left = [shuffled(em, a, b, range(0, 2 * width, 2)) for a, b in zip(low, high, strict=True)]
    right = [shuffled(em, a, b, range(1, 2 * width, 2)) for a, b in zip(low, high, strict=True)]
    return combine(left, right, width)


def to_one(em: Emitter, values: Sequence[SSAValue], count: Index, combine: Combine) -> list[SSAValue]:
    """The first `count` lanes of vectors, at least one, as one number each."""
    width = lanes_of(values[0])
    current = list(values)
    while width > 1:
        half = width // 2
        pairs = em.apply(AffineExpr.dimension(0) // 2, [count])
        left = [_lanes(em, v, range(0, width, 2)) for v in current]
        if isinstance(pairs, int) and pairs == 0:
            current = left
        else:
            right = [_lanes(em, v, range(1, width, 2)) for v in current]
            current = _where(em, pairs, half, combine(left, right, half if half > 1 else 0), left)
        count, width = em.apply((AffineExpr.dimension(0) + 1) // 2, [count]), half
    if isinstance(current[0].type, VectorType):
        return [_lanes(em, v, range(1)) for v in current]
    return current


def lanes_of(value: SSAValue) -> int:
    """Lanes of a vector."""
    assert isinstance(value.type, VectorType)
    return value.type.get_shape()[0]


def _lanes(em: Emitter, value: SSAValue, picks: Sequence[int]) -> SSAValue:
    """Some lanes of a vector; one of them as a number."""
    if len(picks) > 1:
        return shuffled(em, value, value, picks)
    assert isinstance(value.type, VectorType)
    return em.add(upstream_vector.ExtractOp(value, [picks[0]], value.type.element_type)).result


def _where(
    em: Emitter, count: Index, width: int, values: Sequence[SSAValue], others: Sequence[SSAValue]
) -> list[SSAValue]:
    """`values` in the first `count` of `width` lanes, `others` in the rest."""
    if isinstance(count, int) and count == width:
        return list(values)
    if width == 1:
        mask = em.add(arith.CmpiOp(em.index(count), em.index(0), "sgt")).result
    elif isinstance(count, int):
        mask = em.constant_mask([count], [width])
    else:
        mask = em.add(upstream_vector.CreateMaskOp([count], vector_of(i1, width))).results[0]
    return [em.add(arith.SelectOp(mask, v, o)).result for v, o in zip(values, others, strict=True)]


def counted(lanes: Lanes) -> Index:
    """How many lanes count: all, or the first of them."""
    if lanes.mask is None:
        return lanes.width
    owner = lanes.mask.owner
    if isinstance(owner, vector.ConstantMaskOp):
        return owner.mask_dim_sizes.get_values()[-1]
    assert isinstance(owner, upstream_vector.CreateMaskOp)
    return owner.mask_dim_sizes[-1]


__all__ = ["Combine", "combining", "counted", "fold_obstacle", "folding", "pairwise", "to_one"]
