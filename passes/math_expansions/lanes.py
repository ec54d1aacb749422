"""Questions over all lanes of a value."""

from __future__ import annotations

from xdsl.dialects import arith, vector
from xdsl.dialects.builtin import VectorType, i1
from xdsl.ir import SSAValue

from stepwell.dialects.vector import ShapeCastOp
from stepwell.passes.math_expansions.emitter import Emitter


def any_lane(e: Emitter, condition: SSAValue) -> SSAValue:
    """True when the i1 holds in some lane (the value itself for a scalar)."""
    if not isinstance(condition.type, VectorType):
        return condition
    shape = condition.type.get_shape()
    lanes = 1
    for size in shape:
        lanes *= size
    if len(shape) != 1:
        condition = e.builder.insert(ShapeCastOp(condition, VectorType(i1, [lanes]))).results[0]
    reduction = vector.ReductionOp.create(
        operands=[condition],
        result_types=[i1],
        properties={
            "kind": vector.CombiningKindAttr(vector.CombiningKindFlag.OR),
            "fastmath": arith.FastMathFlagsAttr("none"),
        },
    )
    return e.builder.insert(reduction).results[0]
