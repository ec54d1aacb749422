"""Attention reads and writes through maps: what only moves data before or after it disappears into them.

An operand may come from a transpose, a broadcast, a slice or a reshape that splits dims; the result may go through transposes
and dims of one element, and be rounded to a narrower type. What is left of the result's reshapes is free.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from xdsl.dialects import arith, tensor
from xdsl.dialects.builtin import DYNAMIC_INDEX, AffineMapAttr, ArrayAttr, IntegerAttr, StringAttr, TensorType, i64
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr, AffineExpr, AffineMap
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.dialects.structured_attention import AttentionOp
from stepwell.dialects.structured_attention_gradient import AttentionGradientOp
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.structured import indexing_maps, is_identity_map, iterator_kinds
from stepwell.passes.schedules.attention_choice import AnyAttention, obstacle

REMARKS = "kernel.remarks"
ZERO = AffineExpr.constant(0)
Exprs = tuple[AffineExpr, ...]


def fold_attention_moves(block: Block) -> None:
    """Fold moves into every attention of a block; what moved stays where something else reads it."""
    for op in list(block.ops):
        if not isinstance(op, AttentionOp | AttentionGradientOp):
            continue
        folded = _fold_operands(op)
        for number in range(len(folded.res)):
            folded = _fold_result(folded, number)


# Operands.


def _fold_operands(op: AnyAttention) -> AnyAttention:
    """The attention that reads its operands where they come from."""
    operands, maps, sizes = list(op.operands), list(op.maps), op.extents
    moved = 0
    for number in range(len(op.ins)):
        value, exprs = operands[number], maps[number].results
        while (before := _source(value, exprs)) is not None:
            trial_operands, trial_maps = list(operands), list(maps)
            trial_operands[number], trial_maps[number] = before[0], AffineMap(len(sizes), 0, before[1])
            if _refused(op, trial_operands, trial_maps):
                break
            value, exprs = before
            operands, maps = trial_operands, trial_maps
            moved += 1
    if not moved:
        return op
    made = _rebuilt(op, operands, maps, f"{moved} moves of its operands became maps")
    for old, new in zip(op.res, made.res, strict=True):
        old.replace_all_uses_with(new)
    Rewriter.erase_op(op)
    return made


def _refused(op: AnyAttention, operands: Sequence[SSAValue], maps: Sequence[AffineMap]) -> bool:
    """Whether an attention of these operands would have no strategy."""
    trial = _with(op, operands, maps)
    problem = obstacle(trial)
    trial.erase()
    return problem is not None


def _with(op: AnyAttention, operands: Sequence[SSAValue], maps: Sequence[AffineMap]) -> AnyAttention:
    """The same op of other operands."""
    kinds = [o.type for o in operands[len(op.ins) :]]
    properties = {**op.properties, "indexing_maps": ArrayAttr([AffineMapAttr(m) for m in maps])}
    regions = [r.clone() for r in op.regions]
    return type(op).create(operands=operands, result_types=kinds, properties=properties, regions=regions)


def _source(value: SSAValue, exprs: Exprs) -> tuple[SSAValue, Exprs] | None:
    """Where a move takes an element from; None when the value is no move."""
    op = value.owner
    if isinstance(op, tensor.ExpandShapeOp):
        return op.src, _merged(op, exprs)
    if isinstance(op, tensor.CollapseShapeOp):
        before = _split(op, exprs)
        return None if before is None else (op.src, before)
    if isinstance(op, tensor.ExtractSliceOp):
        return _sliced(op, exprs)
    if isinstance(op, linalg.GenericOp) and _is_move(op):
        inner = indexing_maps(op)[0]
        return op.inputs[0], tuple(e.replace_dims_and_symbols(list(exprs), []) for e in inner.results)
    return None


def _is_move(op: linalg.GenericOp, rounds: bool = False) -> bool:
    """One input, taken to every point of the result: as it is, or only rounded."""
    maps = indexing_maps(op)
    if len(op.inputs) != 1 or len(op.results) != 1 or any(k != "parallel" for k in iterator_kinds(op)):
        return False
    last = op.body.block.last_op
    assert isinstance(last, linalg.YieldOp)
    value: SSAValue | None = last.operands[0]
    if rounds:
        value = value.owner.operands[0] if isinstance(value.owner, arith.TruncFOp) else None
    return is_identity_map(maps[1]) and value is op.body.block.args[0]


def _groups(op: tensor.ExpandShapeOp | tensor.CollapseShapeOp) -> list[list[int]]:
    return [[i.value.data for i in group.data] for group in op.reassociation.data]  # pyright: ignore


def _shape(value: SSAValue) -> tuple[int, ...]:
    assert isinstance(value.type, TensorType)
    return value.type.get_shape()


def _merged(op: tensor.ExpandShapeOp, exprs: Exprs) -> Exprs:
    """Indices before dims were split: row-major sums of the parts."""
    shape = _shape(op.result)
    merged: list[AffineExpr] = []
    for group in _groups(op):
        total = ZERO
        for d in group:
            if shape[d] == 1:
                continue
            inner = prod(shape[i] for i in group if i > d)
            part = exprs[d] if inner == 1 else exprs[d] * inner
            total = part if total == ZERO else total + part
        merged.append(total)
    return tuple(merged)


def _split(op: tensor.CollapseShapeOp, exprs: Exprs) -> Exprs | None:
    """Indices before dims were merged, where at most one of each group has several elements."""
    shape = _shape(op.src)
    split: list[AffineExpr] = [ZERO] * len(shape)
    for group, expr in zip(_groups(op), exprs, strict=True):
        large = [d for d in group if shape[d] != 1]
        if len(large) > 1:
            return None
        for d in large:
            split[d] = expr
    return tuple(split)


def _sliced(op: tensor.ExtractSliceOp, exprs: Exprs) -> tuple[SSAValue, Exprs] | None:
    """Indices in the tensor that a static slice, of its rank, is taken from."""
    offsets, strides = op.static_offsets.get_values(), op.static_strides.get_values()
    if DYNAMIC_INDEX in (*offsets, *strides) or len(offsets) != len(exprs):
        return None
    scaled = [e if s == 1 else e * s for e, s in zip(exprs, strides, strict=True)]
    return op.source, tuple(e if o == 0 else e + o for e, o in zip(scaled, offsets, strict=True))


# The result.


@dataclass(frozen=True)
class _Place:
    """A value the result has become: which dim of the attention each of its dims is, None for one element."""

    value: SSAValue
    dims: tuple[int | None, ...]


def _fold_result(op: AnyAttention, number: int) -> AnyAttention:
    """Let the attention write a result as the transposes after it would, and round it."""
    at = len(op.ins) + number
    places = [e.position for e in op.maps[at].results if isinstance(e, AffineDimExpr)]
    alone = [d for d in places if op.extents[d] == 1]
    inner = places[-1]
    if inner in alone:
        return op
    here = _Place(op.res[number], tuple(None if d in alone else d for d in places))
    best: _Place | None = None
    while (here := _next(here, op.score_type)) is not None:  # pyright: ignore
        large = [d for d in here.dims if d is not None]
        if large[-1] == inner:
            best = here
    if best is None:
        return op
    large = [d for d in best.dims if d is not None]
    kind = best.value.type
    assert isinstance(kind, TensorType)
    if large == [d for d in places if d not in alone] and kind.element_type == _element(op.res[number]):
        return op
    builder = LocatedBuilder(InsertPoint.before(op), op.location)
    order = [*alone, *large]
    target = builder.insert(tensor.EmptyOp([], TensorType(kind.element_type, [op.extents[d] for d in order])))
    operands, maps = list(op.operands), list(op.maps)
    operands[at], maps[at] = target.tensor, AffineMap(len(op.sizes), 0, tuple(AffineExpr.dimension(d) for d in order))
    made = _rebuilt(op, operands, maps, "its result is written as it is read")
    builder.insertion_point = InsertPoint.after(made)
    value: SSAValue = made.res[number]
    if alone:
        value = builder.insert(_without_units(value, len(alone))).results[0]
    if len(large) < len(best.dims):
        value = builder.insert(_expanded(value, best)).results[0]
    best.value.replace_all_uses_with(value)
    # What moved the result has no readers any more; nor has the old op, when that is gone.
    for other in range(len(op.res)):
        if other != number:
            op.res[other].replace_all_uses_with(made.res[other])
    return made


def _element(value: SSAValue) -> Attribute:
    assert isinstance(value.type, TensorType)
    return value.type.element_type


def _next(here: _Place, exact: Attribute) -> _Place | None:
    """The only reader of a value when it only moves it, or rounds what is not rounded yet: of the type `exact`."""
    uses = list(here.value.uses)
    if len(uses) != 1:
        return None
    op = uses[0].operation
    if isinstance(op, tensor.ExpandShapeOp | tensor.CollapseShapeOp):
        return _reshaped(op, here)
    if not isinstance(op, linalg.GenericOp) or not op.inputs or op.inputs[0] is not here.value:
        return None
    if not _is_move(op) and not (_element(here.value) == exact and _is_move(op, rounds=True)):
        return None
    exprs = indexing_maps(op)[0].results
    dims: list[int | None] = [None] * len(_shape(op.results[0]))
    for expr, dim in zip(exprs, here.dims, strict=True):
        if isinstance(expr, AffineDimExpr) and dim is not None:
            dims[expr.position] = dim
        elif dim is not None or not isinstance(expr, AffineConstantExpr | AffineDimExpr):
            return None
    place = _Place(op.results[0], tuple(dims))
    return place if _is_whole(place, here) else None


def _reshaped(op: tensor.ExpandShapeOp | tensor.CollapseShapeOp, here: _Place) -> _Place | None:
    """Through a reshape that only adds or drops dims of one element."""
    before, after = _shape(here.value), _shape(op.results[0])
    if [n for n in before if n != 1] != [n for n in after if n != 1]:
        return None
    large = iter([d for d, n in zip(here.dims, before, strict=True) if n != 1])
    return _Place(op.results[0], tuple(next(large) if n != 1 else None for n in after))


def _is_whole(place: _Place, before: _Place) -> bool:
    """Whether a move left every element once."""
    shape = _shape(place.value)
    return prod(shape) == prod(_shape(before.value)) and all(
        (d is None) == (n == 1) for d, n in zip(place.dims, shape, strict=True)
    )


def _without_units(value: SSAValue, count: int) -> Operation:
    """The reshape that drops so many leading dims of one element."""
    shape = _shape(value)
    groups = [list(range(count + 1)), *([d] for d in range(count + 1, len(shape)))]
    assert isinstance(value.type, TensorType)
    return tensor.CollapseShapeOp.build(
        operands=[value],
        result_types=[TensorType(value.type.element_type, shape[count:])],
        properties={"reassociation": _reassociation(groups)},
    )


def _reassociation(groups: Sequence[Sequence[int]]) -> ArrayAttr[ArrayAttr[IntegerAttr]]:
    return ArrayAttr([ArrayAttr([IntegerAttr(d, i64) for d in group]) for group in groups])


def _expanded(value: SSAValue, place: _Place) -> Operation:
    """The reshape that puts dims of one element back."""
    groups: list[list[int]] = []
    for number, dim in enumerate(place.dims):
        if dim is None and groups:
            groups[-1].append(number)
        elif groups and all(place.dims[d] is None for d in groups[-1]):
            groups[-1].append(number)
        else:
            groups.append([number])
    shape = _shape(place.value)
    return tensor.ExpandShapeOp(value, [], _reassociation(groups), shape, place.value.type)  # pyright: ignore


def _rebuilt(op: AnyAttention, operands: Sequence[SSAValue], maps: Sequence[AffineMap], note: str) -> AnyAttention:
    """The attention with other operands, before the old one."""
    made = _with(op, operands, maps)
    made.attributes.update(op.attributes)
    before = op.attributes.get(REMARKS)
    remarks = list(before.data) if isinstance(before, ArrayAttr) else []
    if StringAttr(note) not in remarks:
        remarks.append(StringAttr(note))
    made.attributes[REMARKS] = ArrayAttr(remarks)
    made.location = op.location
    block = op.parent
    assert block is not None
    block.insert_op_before(made, op)
    return made


__all__ = ["fold_attention_moves"]
