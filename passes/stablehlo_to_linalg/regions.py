"""Scalar regions: the bodies of reduce, scatter, sort and the like, on 0-d tensors, as scalar code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.dialects import arith
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, TensorType, UnknownLoc
from xdsl.ir import Block, Operation, Region, SSAValue

from stepwell.dialects import stablehlo, structured
from stepwell.ir.dense import splat_value
from stepwell.ir.diagnostics import unsupported
from stepwell.passes.stablehlo_to_linalg.lowering import Lowering
from stepwell.passes.stablehlo_to_linalg.scalar_rules import SCALAR_RULES
from stepwell.passes.stablehlo_to_linalg.scalars import Scalars, element_type, signless_element

_FORWARDS = (stablehlo.ReshapeOp, stablehlo.BroadcastInDimOp, stablehlo.OptimizationBarrierOp)


def signless_constant(op: Any) -> DenseIntOrFPElementsAttr[Any]:
    """The value of a `stablehlo.constant` with a signless element type: the same bytes."""
    value = op.value
    if not isinstance(value, DenseIntOrFPElementsAttr):
        raise unsupported(op, f"constant of kind {type(value).__name__}", "write it as dense<...>")
    element = value.type.get_element_type()
    signless = signless_element(element)
    if signless is element:
        return value
    return DenseIntOrFPElementsAttr(TensorType(signless, value.type.get_shape()), value.data)  # pyright: ignore


def inline_region(s: Scalars, region: Region, args: Sequence[SSAValue]) -> list[SSAValue]:
    """Emit the ops of a scalar region on scalar arguments; returns what it returns.

    Raises:
        UnsupportedError: the region has an op that is not elementwise.
    """
    block = region.block
    values: dict[SSAValue, SSAValue] = dict(zip(block.args, args, strict=True))
    for op in block.ops:
        if isinstance(op, stablehlo.ReturnOp):
            return [values[o] for o in op.operands]
        values.update(zip(op.results, _inline_op(s, op, values), strict=True))
    raise AssertionError("region without stablehlo.return")


def _inline_op(s: Scalars, op: Operation, values: dict[SSAValue, SSAValue]) -> list[SSAValue]:
    if not isinstance(op.location, UnknownLoc):  # as a region is whose op is only named
        s.builder.location = op.location
    for operand in op.operands:
        if operand not in values and isinstance(operand.owner, stablehlo.ConstantOp):
            values[operand] = _inline_op(s, operand.owner, values)[0]  # cse let the region use an equal one outside
        if operand not in values:
            raise unsupported(op, "a scalar region uses a value from outside", "pass it as an operand")
    if isinstance(op, stablehlo.ConstantOp):
        value = splat_value(signless_constant(op))
        if value is None:
            raise unsupported(op, "a scalar region holds a constant that is not one scalar")
        return [s.constant(value, value.type)]
    if isinstance(op, stablehlo.BitcastConvertOp):
        target = signless_element(element_type(op.results[0]))
        source = values[op.operands[0]]
        return [source if source.type == target else s(arith.BitcastOp, source, target)]
    if isinstance(op, _FORWARDS):
        return [values[o] for o in op.operands]
    rule = SCALAR_RULES.get(type(op))
    if rule is None:
        raise unsupported(op, "in a scalar region only elementwise ops are lowered", "compute it outside of the region")
    return [rule(s, op, [values[o] for o in op.operands])]


def scalar_region(low: Lowering, region: Region) -> Region:
    """A region of a structured op: scalar arguments, `structured.yield`."""
    old = region.block
    location = low.builder.location
    block = Block(arg_types=[signless_element(element_type(a)) for a in old.args])
    with low.inside(block):
        results = inline_region(Scalars(low.builder), region, block.args)
        low.builder.location = location
        low.builder.insert(structured.YieldOp(*results))
    return Region(block)


__all__ = ["inline_region", "scalar_region", "signless_constant"]
