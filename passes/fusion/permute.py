"""Sums of products write their result in the order in which it is read."""

from __future__ import annotations

from xdsl.dialects import tensor
from xdsl.dialects.builtin import AffineMapAttr, ArrayAttr, TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, Operation
from xdsl.ir.affine import AffineDimExpr, AffineMap
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.ir.affine_compose import identity_exprs, make_map
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.structured import indexing_maps, is_identity_map, is_projected_permutation
from stepwell.passes.fusion.classify import filled_with, is_elementwise, is_movement, is_sum_of_products, shape_of


def permute_outputs(block: Block) -> None:
    """Let each contraction whose only reader permutes its result write it permuted."""
    for op in list(block.ops):
        if not isinstance(op, linalg.GenericOp) or not is_sum_of_products(op) or not op.results[0].has_one_use():
            continue
        use = op.results[0].first_use
        assert use is not None
        reader = use.operation
        if reader.parent is not block or not isinstance(reader, linalg.GenericOp) or not is_elementwise(reader):
            continue
        read = indexing_maps(reader)[use.index]
        fill = op.outputs[0]
        whole = len(read.results) == read.num_dims and is_projected_permutation(read)
        if use.index >= len(reader.inputs) or not whole or filled_with(fill) is None:
            continue
        if not is_identity_map(read):
            op = _write_as_read(op, reader, use.index, read)
        _drop_copy(op, reader)


def _write_as_read(op: linalg.GenericOp, reader: linalg.GenericOp, index: int, read: AffineMap) -> linalg.GenericOp:
    builder = LocatedBuilder(InsertPoint.before(op), op.location)
    position = {e.position: i for i, e in enumerate(read.results) if isinstance(e, AffineDimExpr)}
    order = [position[d] for d in range(read.num_dims)]
    old = op.results[0]
    assert isinstance(old.type, TensorType)
    kind = TensorType(old.type.element_type, [shape_of(old)[i] for i in order])
    scalar = filled_with(op.outputs[0])
    assert scalar is not None
    empty = builder.insert(tensor.EmptyOp([], kind))
    fill = builder.insert(linalg.FillOp([scalar], [empty.tensor], [kind]))
    maps = indexing_maps(op)
    written = make_map(maps[-1].num_dims, [maps[-1].results[i] for i in order])
    attributes = ArrayAttr([*op.indexing_maps.data[:-1], AffineMapAttr(written)])
    region = op.detach_region(op.body)
    made = linalg.GenericOp(op.inputs, [fill.results[0]], region, attributes, op.iterator_types, [kind])
    made.attributes |= op.attributes
    builder.insert(made)
    made.results[0].name_hint = old.name_hint
    reads = list(reader.indexing_maps.data)
    reads[index] = AffineMapAttr(make_map(read.num_dims, identity_exprs(read.num_dims)))
    reader.properties["indexing_maps"] = ArrayAttr(reads)
    reader.operands[index] = made.results[0]
    Rewriter.erase_op(op)
    return made


def _drop_copy(op: linalg.GenericOp, reader: Operation) -> None:
    """A reader that only copies the result, all of it, has become useless."""
    assert isinstance(reader, linalg.GenericOp)
    if reader.results[0].type != op.results[0].type:
        return
    maps = indexing_maps(reader)
    if is_movement(reader) and len(reader.inputs) == 1 and all(is_identity_map(m) for m in maps):
        reader.results[0].replace_all_uses_with(op.results[0])
        Rewriter.erase_op(reader)
