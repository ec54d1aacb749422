"""Sums of products write their result in the order in which it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects import tensor
from xdsl.dialects.builtin import AffineMapAttr, ArrayAttr, TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block
from xdsl.ir.affine import AffineDimExpr, AffineMap
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.ir.affine_compose import identity_exprs, make_map
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.structured import indexing_maps, is_identity_map, is_projected_permutation
from stepwell.passes.fusion.classify import filled_with, is_elementwise, is_movement, is_sum_of_products, shape_of


def permute_outputs(block: Block) -> None:
    """Let each contraction whose readers all permute its result in one way write it permuted."""
    for op in list(block.ops):
        if not isinstance(op, linalg.GenericOp) or not is_sum_of_products(op) or filled_with(op.outputs[0]) is None:
            continue
        reads = _reads(op, block)
        if reads is None:
            continue
        if not is_identity_map(reads[0].how):
            op = _write_as_read(op, reads)
        for reader in dict.fromkeys(r.reader for r in reads):
            _drop_copy(op, reader)


@dataclass(frozen=True)
class _Read:
    """An elementwise reader of a value, the operand that it is, and how it is read."""

    reader: linalg.GenericOp
    index: int
    how: AffineMap


def _reads(op: linalg.GenericOp, block: Block) -> list[_Read] | None:
    """All readers of a contraction's result, where all are elementwise and read all of it in one order."""
    reads: list[_Read] = []
    for use in op.results[0].uses:
        reader = use.operation
        if reader.parent is not block or not isinstance(reader, linalg.GenericOp) or not is_elementwise(reader):
            return None
        how = indexing_maps(reader)[use.index]
        whole = len(how.results) == how.num_dims and is_projected_permutation(how)
        if use.index >= len(reader.inputs) or not whole or (reads and how != reads[0].how):
            return None
        reads.append(_Read(reader, use.index, how))
    return reads or None


def _write_as_read(op: linalg.GenericOp, reads: Sequence[_Read]) -> linalg.GenericOp:
    """The contraction whose result is in the order in which its readers go through it; they then read it as it is."""
    builder = LocatedBuilder(InsertPoint.before(op), op.location)
    read = reads[0].how
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
    as_it_is = AffineMapAttr(make_map(read.num_dims, identity_exprs(read.num_dims)))
    for r in reads:
        given = list(r.reader.indexing_maps.data)
        given[r.index] = as_it_is
        r.reader.properties["indexing_maps"] = ArrayAttr(given)
        r.reader.operands[r.index] = made.results[0]
    Rewriter.erase_op(op)
    return made


def _drop_copy(op: linalg.GenericOp, reader: linalg.GenericOp) -> None:
    """A reader that only copies the result, all of it, has become useless."""
    if reader.results[0].type != op.results[0].type:
        return
    maps = indexing_maps(reader)
    if is_movement(reader) and len(reader.inputs) == 1 and all(is_identity_map(m) for m in maps):
        reader.results[0].replace_all_uses_with(op.results[0])
        Rewriter.erase_op(reader)
