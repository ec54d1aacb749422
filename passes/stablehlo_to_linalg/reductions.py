"""reduce, the windows of reduce_window, sort and select_and_scatter.

Sums and products of floats below f32 accumulate in f32 and round once (docs/floating-point.md), whatever the schedule. Maxima
and minima of many do as well: that changes none of them, and leaves out a conversion for each element.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from xdsl.dialects import arith
from xdsl.dialects.builtin import FloatAttr, TensorType, f32
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import stablehlo, structured
from stepwell.ir.dtypes import numpy_dtype
from stepwell.passes.schedules.nest import generic_outputs
from stepwell.passes.stablehlo_to_linalg.lowering import Body, Lowering, Rule, Shape, dim, element_of, ints, shape_of
from stepwell.passes.stablehlo_to_linalg.regions import inline_region, scalar_region
from stepwell.passes.stablehlo_to_linalg.scalars import is_small_float

_EXACT: dict[type[Operation], type[Operation]] = {
    stablehlo.MaximumOp: arith.MaximumfOp,
    stablehlo.MinimumOp: arith.MinimumfOp,
}
_WIDE: dict[type[Operation], type[Operation]] = {
    stablehlo.AddOp: arith.AddfOp,
    stablehlo.MultiplyOp: arith.MulfOp,
    **_EXACT,
}
"""What combines small floats in f32."""
MANY = 64
"""Elements for each result of a maximum, so that the f32 numbers in between are few."""


def _accumulate(
    low: Lowering,
    region: Region,
    inputs: Sequence[tuple[SSAValue, Sequence[AffineExpr]]],
    inits: Sequence[SSAValue],
    exprs: Sequence[AffineExpr],
    loops: Sequence[str],
) -> Sequence[SSAValue]:
    """The generic that combines the first `len(inits)` inputs into `inits`; small floats in f32, where they may be."""
    count, first_out = len(inits), len(inputs)
    combiner = stablehlo.sole_combiner(region)
    small = element_of(inits[0])
    op_class = _WIDE.get(combiner) if combiner is not None and is_small_float(small) else None
    few = prod(shape_of(inputs[0][0])) < MANY * prod(shape_of(inits[0]))
    if op_class is None or (combiner in _EXACT and few):
        body: Body = lambda s, args: inline_region(s, region, [*args[first_out:], *args[:count]])  # noqa: E731
        results = low.generic(inputs, [(v, exprs) for v in inits], loops, body)
        _mark_elements(results[0].owner, count)
        return results
    shape = shape_of(inits[0])
    identity = [dim(i) for i in range(len(shape))]
    wide = _extended(low, inits[0])
    (total,) = low.generic(
        inputs, [(wide, exprs)], loops, lambda s, args: [s(op_class, args[first_out], s.extend_float(args[0], f32))]
    )
    rounded = TensorType(small, shape)
    return [low.map([(total, identity)], rounded, lambda s, args: [s(arith.TruncFOp, args[0], small)])]


def _mark_elements(op: Operation | Block, count: int) -> None:
    """Say where the region begins, unless it is one op a result that says so itself.

    What is fused into the body later comes before, so that lines can be reduced in parts (`structured.element`).
    """
    assert isinstance(op, linalg.GenericOp)
    outputs = generic_outputs(op)
    arguments = op.body.block.args
    pairs = list(zip(arguments[:count], arguments[len(op.inputs) :], strict=True))
    if all(o.combiner is not None for o in outputs) or any(x.type != old.type for x, old in pairs):
        return
    for x, old in reversed(pairs):
        element = structured.ElementOp(x, old)
        element.location = op.location
        x.replace_uses_with_if(element.result, lambda use: not isinstance(use.operation, structured.ElementOp))
        op.body.block.insert_op_before(element, op.body.block.first_op)  # pyright: ignore[reportArgumentType]


def _extended(low: Lowering, init: SSAValue) -> SSAValue:
    """Initial values in f32; a constant stays one, which needs no memory."""
    shape = shape_of(init)
    filled = init.owner.inputs[0].owner if isinstance(init.owner, linalg.FillOp) else None
    if isinstance(filled, arith.ConstantOp) and isinstance(filled.value, FloatAttr):
        number = np.asarray(filled.value.value.data).astype(numpy_dtype(element_of(init)))
        return low.fill(FloatAttr(float(number), f32), shape)
    identity = [dim(i) for i in range(len(shape))]
    return low.map([(init, identity)], TensorType(f32, shape), lambda s, args: [s.extend_float(args[0], f32)])


def reduce(low: Lowering, op: stablehlo.ReduceOp) -> Sequence[SSAValue]:
    """One generic: the outputs start as the init values, the region combines (accumulators, elements)."""
    operands = [low.get(o) for o in op.inputs]
    shape = shape_of(operands[0])
    reduced = ints(op.dimensions)
    kept = [i for i in range(len(shape)) if i not in reduced]
    result_shape = tuple(shape[i] for i in kept)
    inits = [low.broadcast_scalar(v, result_shape) for v in op.init_values]
    if 0 in shape:
        return inits
    every = [dim(i) for i in range(len(shape))]
    return _accumulate(
        low,
        op.regions[0],
        [(o, every) for o in operands],
        inits,
        [dim(i) for i in kept],
        ["r" if i in reduced else "p" for i in range(len(shape))],
    )


def reduce_window(low: Lowering, op: stablehlo.ReduceWindowOp) -> Sequence[SSAValue]:
    """Padding by the init values, then a generic over results and window positions.

    Window dimensions of extent 1 need no loop; the others are named by a shape-only operand.
    """
    result_shape = low.result_type(op).get_shape()
    inits = [low.broadcast_scalar(v, result_shape) for v in op.init_values]
    window = ints(op.window_dimensions)
    if 0 in result_shape or 0 in window:
        return inits
    edges = op.pads
    low_edge, high_edge = [p[0] for p in edges], [p[1] for p in edges]
    interior = [d - 1 for d in op.base_dilation]
    padded = [
        low.pad(low.get(v), init, low_edge, high_edge, interior)
        for v, init in zip(op.inputs, op.init_values, strict=True)
    ]
    exprs, extents = window_exprs(len(result_shape), window, op.strides, op.window_dilation)
    identity = [dim(i) for i in range(len(result_shape))]
    inputs = [(p, exprs) for p in padded]
    if extents:
        shape_only = low.empty(extents, element_of(padded[0]))
        inputs.append((shape_only, [dim(len(result_shape) + i) for i in range(len(extents))]))
    loops = ["p"] * len(result_shape) + ["r"] * len(extents)
    return _accumulate(low, op.regions[0], inputs, inits, identity, loops)


def window_exprs(
    rank: int, window: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> tuple[list[AffineExpr], Shape]:
    """Index expressions `d_i * stride + w_i * dilation`, with loop dims after `rank` for extents above 1."""
    exprs: list[AffineExpr] = []
    extents: list[int] = []
    for i, (size, stride, dilation) in enumerate(zip(window, strides, dilations, strict=True)):
        expr = scaled(dim(i), stride)
        if size != 1:
            expr = expr + scaled(dim(rank + len(extents)), dilation)
            extents.append(size)
        exprs.append(expr)
    return exprs, tuple(extents)


def scaled(expr: AffineExpr, factor: int) -> AffineExpr:
    """`expr * factor`, without a factor of 1."""
    return expr if factor == 1 else expr * factor


def sort(low: Lowering, op: stablehlo.SortOp) -> Sequence[SSAValue]:
    """`structured.sort`; lines of at most one element are sorted already."""
    operands = [low.get(o) for o in op.operands]
    shape = shape_of(operands[0])
    axis = op.dimension.value.data if op.dimension is not None else -1
    axis = axis + len(shape) if axis < 0 else axis
    if 0 in shape or not shape or shape[axis] == 1:
        return operands
    stable = op.is_stable is not None and bool(op.is_stable.value.data)
    region = scalar_region(low, op.regions[0])
    return low.builder.insert(structured.SortOp(operands, axis, region, stable=stable)).results


def select_and_scatter(low: Lowering, op: stablehlo.SelectAndScatterOp) -> Sequence[SSAValue]:
    """`structured.select_and_scatter`, with every window attribute written out."""
    operand, source = low.get(op.operand), low.get(op.source)
    if 0 in shape_of(operand) or 0 in shape_of(source):
        return [low.broadcast_scalar(op.init_value, shape_of(operand))]
    window = ints(op.window_dimensions)
    arrays = {
        "window_dimensions": window,
        "window_strides": op.strides,
        "padding_low": [p[0] for p in op.pads],
        "padding_high": [p[1] for p in op.pads],
    }
    target = low.empty(shape_of(operand), element_of(operand))
    inputs = (operand, source, low.get(op.init_value))
    select, scatter = scalar_region(low, op.regions[0]), scalar_region(low, op.regions[1])
    return low.builder.insert(structured.SelectAndScatterOp(inputs, target, arrays, select, scatter)).results


RULES: dict[type[Operation], Rule] = {
    stablehlo.ReduceOp: reduce,
    stablehlo.SelectAndScatterOp: select_and_scatter,
    stablehlo.SortOp: sort,
}
