"""Elementwise ops on tensors: one all-parallel generic with the op's scalar code as body.

Operands that are constant everywhere become scalar constants of the body.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType, IntegerType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import stablehlo
from stepwell.ir.dense import splat_value
from stepwell.passes.stablehlo_to_linalg.lowering import Lowering, Rule, dim, shape_of
from stepwell.passes.stablehlo_to_linalg.regions import inline_region, signless_constant
from stepwell.passes.stablehlo_to_linalg.scalar_rules import SCALAR_RULES
from stepwell.passes.stablehlo_to_linalg.scalars import (
    FLOAT,
    SIGNED,
    Scalars,
    element_type,
    kind_of,
    signless_element,
    width_of,
)


def elementwise(low: Lowering, op: Operation) -> Sequence[SSAValue]:
    """An op of the scalar table; 0-d operands beside larger ones are broadcast."""
    rule = SCALAR_RULES[type(op)]
    result = low.result_type(op)
    if type(op) is stablehlo.ConvertOp and low.get(op.operands[0]).type == result and not _changes(op):
        _copy_splat(low, op)
        return [low.get(op.operands[0])]
    splats = [low.splat_of(o) for o in op.operands]
    inputs = [
        (low.get(o), [dim(i) for i in range(len(shape_of(o)))])
        for o, splat in zip(op.operands, splats, strict=True)
        if splat is None
    ]

    def body(s: Scalars, args: list[SSAValue]) -> Sequence[SSAValue]:
        given = iter(args)
        scalars = [s.constant(c, c.type) if c is not None else next(given) for c in splats]
        return [rule(s, op, scalars)]

    return [low.map(inputs, result, body)]


def _changes(op: Operation) -> bool:
    """Whether a convert between equal signless types still computes something (never: the bits are the same)."""
    source, target = element_type(op.operands[0]), element_type(op.results[0])
    return (kind_of(source, op) == FLOAT) != (kind_of(target, op) == FLOAT)


def _copy_splat(low: Lowering, op: Operation) -> None:
    splat = low.splat_of(op.operands[0])
    if splat is not None:
        low.splats[op.results[0]] = splat


def constant(low: Lowering, op: stablehlo.ConstantOp) -> Sequence[SSAValue]:
    """A dense `arith.constant`; unsigned values are the same bits."""
    low.result_type(op)
    kind_of(element_type(op.results[0]), op)
    value = signless_constant(op)
    splat = splat_value(value)
    if splat is not None:
        low.splats[op.results[0]] = splat
    return [low.removable(arith.ConstantOp(value))]


def iota(low: Lowering, op: stablehlo.IotaOp) -> Sequence[SSAValue]:
    """`linalg.index` of the dimension, cast."""
    result = low.result_type(op)
    element = element_type(op.results[0])
    kind = kind_of(element, op)

    def body(s: Scalars, args: list[SSAValue]) -> Sequence[SSAValue]:
        del args
        index = s(linalg.IndexOp, op.iota_dimension.value.data)
        if kind != FLOAT:
            return [s(arith.IndexCastOp, index, signless_element(element))]
        whole = s(arith.IndexCastOp, index, IntegerType(64))
        return [s(arith.SIToFPOp, whole, element)]

    return [low.map([], result, body)]


def map_region(low: Lowering, op: stablehlo.MapOp) -> Sequence[SSAValue]:
    """`stablehlo.map`: its region is the body."""
    result = low.result_type(op)
    inputs = [(low.get(o), [dim(i) for i in range(len(shape_of(o)))]) for o in op.operands]
    return [low.map(inputs, result, lambda s, args: inline_region(s, op.regions[0], args))]


def bitcast_convert(low: Lowering, op: stablehlo.BitcastConvertOp) -> Sequence[SSAValue]:
    """Same width: `arith.bitcast`. Else the last dimension holds the pieces of one wide element, lowest bits first."""
    source, target = element_type(op.operands[0]), element_type(op.results[0])
    for element in (source, target):
        kind_of(element, op)
    wide, narrow = width_of(source), width_of(target)
    if wide == narrow:
        return [_bitcast_same(low, op)]
    return [_bitcast_split(low, op) if wide > narrow else _bitcast_join(low, op)]


def _as_bits(s: Scalars, value: SSAValue) -> SSAValue:
    return (
        value if isinstance(value.type, IntegerType) else s(arith.BitcastOp, value, IntegerType(width_of(value.type)))
    )


def _from_bits(s: Scalars, value: SSAValue, target: Any) -> SSAValue:
    return value if value.type == target else s(arith.BitcastOp, value, target)


def _bitcast_same(low: Lowering, op: Operation) -> SSAValue:
    result, value = low.result_type(op), low.get(op.operands[0])
    if value.type == result:
        return value
    target = result.get_element_type()
    identity = [dim(i) for i in range(len(result.get_shape()))]
    return low.map([(value, identity)], result, lambda s, args: [s(arith.BitcastOp, args[0], target)])


def _bitcast_split(low: Lowering, op: Operation) -> SSAValue:
    result, value = low.result_type(op), low.get(op.operands[0])
    rank, target = len(result.get_shape()), result.get_element_type()
    width = width_of(target)

    def body(s: Scalars, args: list[SSAValue]) -> Sequence[SSAValue]:
        bits = _as_bits(s, args[0])
        piece = s(arith.IndexCastOp, s(linalg.IndexOp, rank - 1), bits.type)
        shifted = s(arith.ShRUIOp, bits, s(arith.MuliOp, piece, s.like(width, bits)))
        return [_from_bits(s, s(arith.TruncIOp, shifted, IntegerType(width)), target)]

    return low.map([(value, [dim(i) for i in range(rank - 1)])], result, body)


def _bitcast_join(low: Lowering, op: Operation) -> SSAValue:
    result, value = low.result_type(op), low.get(op.operands[0])
    rank, target = len(result.get_shape()), result.get_element_type()
    bits, width = IntegerType(width_of(target)), width_of(element_type(op.operands[0]))
    count = bits.width.data // width
    pieces = [(value, [*(dim(i) for i in range(rank)), AffineExpr.constant(k)]) for k in range(count)]

    def body(s: Scalars, args: list[SSAValue]) -> Sequence[SSAValue]:
        joined = s(arith.ExtUIOp, _as_bits(s, args[0]), bits)
        for k, arg in enumerate(args[1:], 1):
            piece = s(arith.ExtUIOp, _as_bits(s, arg), bits)
            joined = s(arith.OrIOp, joined, s(arith.ShLIOp, piece, s.like(k * width, piece)))
        return [_from_bits(s, joined, target)]

    return low.map(pieces, result, body)


def identity(low: Lowering, op: Operation) -> Sequence[SSAValue]:
    """`optimization_barrier`: nothing above moves across ops of this compiler by value."""
    for operand, result in zip(op.operands, op.results, strict=True):
        splat = low.splat_of(operand)
        if splat is not None:
            low.splats[result] = splat
    return [low.get(o) for o in op.operands]


def index_scalar(s: Scalars, value: SSAValue, kind: str) -> SSAValue:
    """An integer scalar as `index`, by its signedness."""
    from stepwell.dialects.arith import IndexCastUIOp

    return s(arith.IndexCastOp if kind == SIGNED else IndexCastUIOp, value, IndexType())


RULES: dict[type[Operation], Rule] = {
    **dict.fromkeys(SCALAR_RULES, elementwise),
    stablehlo.BitcastConvertOp: bitcast_convert,
    stablehlo.ConstantOp: constant,
    stablehlo.IotaOp: iota,
    stablehlo.MapOp: map_region,
    stablehlo.OptimizationBarrierOp: identity,
}
