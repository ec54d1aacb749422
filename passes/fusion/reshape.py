"""Generics that only add or drop dims of extent one are reshapes, which cost nothing."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import tensor
from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, TensorType, i64
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineDimExpr
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.structured import indexing_maps, is_identity_map
from stepwell.passes.fusion.classify import is_elementwise, is_movement, shape_of


def replace_by_reshape(op: linalg.GenericOp) -> bool:
    """Replace a generic that copies its input in order, unit dims apart, by reshapes; whether it was one."""
    if len(op.inputs) != 1 or not is_elementwise(op) or not is_movement(op):
        return False
    source, result = op.inputs[0], op.results[0]
    read, written = indexing_maps(op)
    if not is_identity_map(written) or 0 in shape_of(result):
        return False
    wanted = [(n, d) for d, n in enumerate(shape_of(result)) if n != 1]
    given = [
        (n, e.position if isinstance(e, AffineDimExpr) else None)
        for n, e in zip(shape_of(source), read.results, strict=True)
        if n != 1
    ]
    if given != wanted:
        return False
    builder = LocatedBuilder(InsertPoint.before(op), op.location)
    value = _reshape(builder, source, [n for n, _ in wanted])
    value = _reshape(builder, value, shape_of(result))
    result.replace_all_uses_with(value)
    Rewriter.erase_op(op)
    return True


def _reshape(builder: LocatedBuilder, value: SSAValue, shape: Sequence[int]) -> SSAValue:
    """Add or drop unit dims."""
    assert isinstance(value.type, TensorType)
    before = shape_of(value)
    if list(before) == list(shape):
        return value
    kind = TensorType(value.type.element_type, shape)
    if len(before) > len(shape):
        drop = tensor.CollapseShapeOp.create(
            operands=[value], result_types=[kind], properties={"reassociation": _groups(before, len(shape))}
        )
        return builder.insert(drop).results[0]
    return builder.insert(tensor.ExpandShapeOp(value, [], _groups(shape, len(before)), shape, kind)).result


def _groups(shape: Sequence[int], count: int) -> ArrayAttr[ArrayAttr[IntegerAttr]]:
    """Dims of `shape` in `count` groups, each with one that is not of extent one (none at all for a scalar)."""
    groups: list[list[int]] = [[] for _ in range(count)]
    current = -1
    for dim, size in enumerate(shape):
        if size != 1:
            current += 1
        if count:
            groups[max(current, 0)].append(dim)
    return ArrayAttr([ArrayAttr([IntegerAttr(d, i64) for d in group]) for group in groups])
