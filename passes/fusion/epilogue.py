"""Which maps can be done on each part of a result as it is made: of a sum of products on its tiles, of a reduction on its points."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineDimExpr

from stepwell.ir.structured import indexing_maps, is_identity_map
from stepwell.passes.fusion.classify import captures, is_elementwise, is_parallel, shape_of
from stepwell.passes.schedules.lanes import can_vectorize


def not_an_epilogue(user: linalg.GenericOp, made: Operation, values: dict[SSAValue, None]) -> str | None:
    """Why a user of the result of `made`, or of its epilogue so far (`values`), does not belong to the epilogue."""
    if not is_elementwise(user):
        return "a reduction reads the result"
    if shape_of(user.results[0]) != shape_of(made.results[0]):
        return "the reader has another space"
    maps = indexing_maps(user)
    if not all(is_identity_map(m) for m in maps[len(user.inputs) :]):
        return "the reader permutes the result"
    if not all(is_identity_map(m) for v, m in zip(user.inputs, maps, strict=False) if v in values):
        return "the reader does not read the result point by point"
    if any(v in values for v in captures(user)) or any(inner.name == "tensor.extract" for inner in user.body.block.ops):
        return "the reader gathers"
    if not can_vectorize(user.body.block):
        return "the reader has no vector form"
    return None


def not_of_a_reduction(ops: Sequence[Operation]) -> str | None:
    """Why ops, in their order, are not one reduction and maps of its results, each point of them right after the reduction's."""
    first, *others = ops
    if not isinstance(first, linalg.GenericOp) or is_parallel(first) or not others:
        return "no reduction makes what is read"
    written = [m.results for m in indexing_maps(first)[len(first.inputs) :]]
    if any(w != written[0] for w in written) or not all(isinstance(e, AffineDimExpr) for e in written[0]):
        return "its results are written apart"
    if any(shape_of(r) != shape_of(first.results[0]) for r in first.results) or not can_vectorize(first.body.block):
        return "the reduction has no vector form"
    values: dict[SSAValue, None] = {r: None for r in first.results}
    for op in others:
        if not isinstance(op, linalg.GenericOp):
            return "not all of its ops are loops over tensors"
        reason = not_an_epilogue(op, first, values)
        if reason is not None:
            return reason
        values.update(dict.fromkeys(op.results))
    return None


__all__ = ["not_an_epilogue", "not_of_a_reduction"]
