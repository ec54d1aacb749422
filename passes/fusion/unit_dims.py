"""Reduced dims of extent one are no reductions: the generic becomes a smaller reduction, or a map of its init."""

from __future__ import annotations

from xdsl.dialects import tensor
from xdsl.dialects.builtin import ArrayAttr, TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr, AffineExpr
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.ir.affine_compose import compose
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.structured import indexing_maps, iterator_kinds, loop_bounds
from stepwell.passes.fusion.classify import on_static_tensors
from stepwell.passes.fusion.rewrite import BodyBuilder


def drop_unit_reductions(block: Block) -> None:
    """Drop reduced dims of extent one from the generics of a block."""
    for op in list(block.ops):
        if not isinstance(op, linalg.GenericOp) or not on_static_tensors(op):
            continue
        kinds, bounds = iterator_kinds(op), loop_bounds(op)
        dropped = [d for d, kind in enumerate(kinds) if kind != "parallel" and bounds[d] == 1]
        if dropped:
            _drop(op, dropped, bounds)


def _drop(op: linalg.GenericOp, dropped: list[int], bounds: tuple[int, ...]) -> None:
    kinds = iterator_kinds(op)
    kept = [d for d in range(len(kinds)) if d not in dropped]
    dims: list[AffineExpr] = [AffineConstantExpr(0)] * len(kinds)
    for position, dim in enumerate(kept):
        dims[dim] = AffineDimExpr(position)
    smaller = [bounds[d] for d in kept]
    maps = [compose(m.results, dims, smaller) for m in indexing_maps(op)]
    count = len(op.inputs)
    still_reduces = any(kinds[d] != "parallel" for d in kept)
    body = BodyBuilder(len(kept))
    arguments = [body.read(v, e) for v, e in zip(op.inputs, maps, strict=False)]
    outs: list[SSAValue] = list(op.outputs)
    builder = LocatedBuilder(InsertPoint.before(op), op.location)
    if not still_reduces:
        arguments += [body.read(v, e) for v, e in zip(op.outputs, maps[count:], strict=True)]
        outs = [builder.insert(tensor.EmptyOp([], o.type)).tensor for o in op.outputs]
    own = [body.block.insert_arg(_element(o), len(body.block.args)) for o in outs]
    yielded = body.inline(op, tuple(dims), [*arguments, *own])
    made = body.finish(op, yielded, outs, maps[count:])
    made.properties["iterator_types"] = ArrayAttr([op.iterator_types.data[d] for d in kept])
    made.attributes |= op.attributes
    builder.insert(made)
    for old, new in zip(op.results, made.results, strict=True):
        new.name_hint = old.name_hint
        old.replace_all_uses_with(new)
    Rewriter.erase_op(op)


def _element(value: SSAValue):
    assert isinstance(value.type, TensorType)
    return value.type.element_type
