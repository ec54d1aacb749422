"""dot_general and convolution: one generic over the original operand layouts, multiply and accumulate.

Floats below f32 accumulate in f32 and are rounded once by a generic of their own; integers extend to the result type.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.dialects import arith
from xdsl.dialects.builtin import TensorType, f32
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import stablehlo
from stepwell.ir.diagnostics import unsupported
from stepwell.passes.stablehlo_to_linalg.data_movement import reshape_value
from stepwell.passes.stablehlo_to_linalg.lowering import Body, Lowering, Rule, dim, element_of, shape_of
from stepwell.passes.stablehlo_to_linalg.reductions import scaled
from stepwell.passes.stablehlo_to_linalg.scalars import (
    BOOL,
    FLOAT,
    SIGNED,
    Scalars,
    element_type,
    is_small_float,
    kind_of,
    scalar_attr,
    signless_element,
    width_of,
)

Indexed = tuple[SSAValue, Sequence[AffineExpr]]


def contract(
    low: Lowering,
    op: Operation,
    inputs: tuple[Indexed, Indexed],
    out: tuple[Sequence[int], Sequence[AffineExpr]],
    loops: str,
) -> SSAValue:
    """The generic of a contraction with result shape and index expressions `out`, in the op's result element type."""
    target = element_type(op.results[0])
    kind = kind_of(target, op)
    result = signless_element(target)
    accumulator: Attribute = f32 if kind == FLOAT and is_small_float(result) else result
    shape, exprs = out
    zero = low.fill(scalar_attr(0, accumulator), shape)
    if 0 in shape or any(0 in shape_of(v) for v, _ in inputs):
        return low.fill(scalar_attr(0, result), shape)
    body = _multiply_add(op, accumulator)
    total = low.generic(list(inputs), [(zero, exprs)], loops, body)[0]
    if accumulator == result:
        return total
    identity = [dim(i) for i in range(len(shape))]
    rounded = TensorType(result, shape)
    return low.map([(total, identity)], rounded, lambda s, args: [s(arith.TruncFOp, args[0], result)])


def _multiply_add(op: Operation, accumulator: Attribute) -> Body:
    kinds = [kind_of(element_type(o), op) for o in op.operands[:2]]
    if (FLOAT in kinds) != (kind_of(element_type(op.results[0]), op) == FLOAT) or kinds.count(FLOAT) == 1:
        raise unsupported(op, "operands and result mix integers and floats", "convert the operands first")
    if kind_of(element_type(op.results[0]), op) == BOOL:
        return lambda s, a: [s(arith.OrIOp, a[2], s(arith.AndIOp, a[0], a[1]))]

    def body(s: Scalars, args: list[SSAValue]) -> Sequence[SSAValue]:
        lhs, rhs = (_extend(s, op, a, k, accumulator) for a, k in zip(args[:2], kinds, strict=True))
        if FLOAT in kinds:
            return [s(arith.AddfOp, args[2], s(arith.MulfOp, lhs, rhs))]
        return [s(arith.AddiOp, args[2], s(arith.MuliOp, lhs, rhs))]

    return body


def _extend(s: Scalars, op: Operation, value: SSAValue, kind: str, target: Attribute) -> SSAValue:
    if value.type == target:
        return value
    if width_of(value.type) >= width_of(target):
        raise unsupported(op, f"{value.type} operands do not extend to {target}", "convert the operands first")
    if kind == FLOAT:
        return s(arith.ExtFOp, value, target)
    return s(arith.ExtSIOp if kind == SIGNED else arith.ExtUIOp, value, target)


def dot_general(low: Lowering, op: stablehlo.DotGeneralOp) -> Sequence[SSAValue]:
    """Loops in result order (batch, lhs free, rhs free), then the contracting dims."""
    numbers = op.dot_dimension_numbers.data
    return [
        _dot(
            low,
            op,
            list(zip(numbers.lhs_batching_dimensions, numbers.rhs_batching_dimensions, strict=True)),
            list(zip(numbers.lhs_contracting_dimensions, numbers.rhs_contracting_dimensions, strict=True)),
        )
    ]


def dot(low: Lowering, op: stablehlo.DotOp) -> Sequence[SSAValue]:
    """The last dimension of lhs with the first of rhs."""
    return [_dot(low, op, [], [(len(shape_of(low.get(op.operands[0]))) - 1, 0)])]


def _dot(low: Lowering, op: Any, batch: list[tuple[int, int]], contracting: list[tuple[int, int]]) -> SSAValue:
    values = [low.get(o) for o in op.operands[:2]]
    exprs: list[dict[int, AffineExpr]] = [{}, {}]
    shape: list[int] = []

    def loop(positions: Sequence[tuple[int, int]], loops: list[str], kind: str) -> None:
        for side, axis in positions:
            exprs[side][axis] = dim(len(loops))
        if kind == "p":
            shape.append(shape_of(values[positions[0][0]])[positions[0][1]])
        loops.append(kind)

    loops: list[str] = []
    for left, right in batch:
        loop([(0, left), (1, right)], loops, "p")
    for side in (0, 1):
        taken = [pair[side] for pair in (*batch, *contracting)]
        for axis in range(len(shape_of(values[side]))):
            if axis not in taken:
                loop([(side, axis)], loops, "p")
    for left, right in contracting:
        loop([(0, left), (1, right)], loops, "r")
    inputs = tuple((v, [e[i] for i in range(len(e))]) for v, e in zip(values, exprs, strict=True))
    out = [dim(i) for i in range(len(shape))]
    return contract(low, op, (inputs[0], inputs[1]), (shape, out), "".join(loops))


class _Convolution:
    """Loop dims of a convolution: the result's in its order (a group dim before the feature), then the reduced ones."""

    def __init__(self, op: stablehlo.ConvolutionOp, result_shape: Sequence[int]):
        self.op = op
        self.numbers = op.dimension_numbers.data
        self.groups = op.feature_group_count.value.data
        self.batch_groups = op.batch_group_count.value.data
        self.count = self.groups * self.batch_groups
        self.loops: list[str] = []
        self.shape: list[int] = []
        self.spatial: dict[int, AffineExpr] = {}
        self.group: AffineExpr | None = None
        for axis, size in enumerate(result_shape):
            if axis == self.numbers.output_feature_dimension:
                self._feature(size)
            elif axis == self.numbers.output_batch_dimension:
                self.batch = self._loop(size)
            else:
                self.spatial[self.numbers.output_spatial_dimensions.index(axis)] = self._loop(size)

    def _loop(self, size: int) -> AffineExpr:
        self.loops.append("p")
        self.shape.append(size)
        return dim(len(self.loops) - 1)

    def _feature(self, size: int) -> None:
        if self.count > 1:
            self.group = self._loop(self.count)
        if self.count > 1 and size == self.count:
            self.feature: AffineExpr = AffineExpr.constant(0)  # what reads the result meets no dim of one element
        else:
            self.feature = self._loop(size // self.count)

    @property
    def split(self) -> int | None:
        """The dim of the image that its groups are made of."""
        if self.count == 1:
            return None
        return self.numbers.input_feature_dimension if self.groups > 1 else self.numbers.input_batch_dimension

    def reduced(self) -> AffineExpr:
        """One more reduction loop."""
        self.loops.append("r")
        return dim(len(self.loops) - 1)


def convolution(low: Lowering, op: stablehlo.ConvolutionOp) -> Sequence[SSAValue]:
    """Zero padding (and base dilation) first, then one generic; groups are one more loop over a split feature dim."""
    result_shape = low.result_type(op).get_shape()
    conv = _Convolution(op, result_shape)
    if 0 in result_shape:
        return [low.empty(result_shape, signless_element(element_type(op.results[0])))]
    image, kernel = _padded_image(low, conv), low.get(op.rhs)
    inputs = _convolution_operands(low, conv, image, kernel)
    out = [dim(i) for i in range(len(conv.shape))]
    total = contract(low, op, inputs, (conv.shape, out), "".join(conv.loops))
    return [reshape_value(low, total, result_shape)]


def _padded_image(low: Lowering, conv: _Convolution) -> SSAValue:
    """The image, its groups a dim of their own, in its border: split first, so that what reads it reads what was padded."""
    op, image, split = conv.op, low.get(conv.op.lhs), conv.split
    if split is not None:
        image = _split(low, image, split, conv.count)
    low_edge, high_edge, interior = ([0] * len(shape_of(image)) for _ in range(3))
    spatial = op.dimension_numbers.data.input_spatial_dimensions
    for axis, (lo, hi), dilation in zip(spatial, op.pads, op.lhs_dilations, strict=True):
        place = axis + (split is not None and axis > split)
        low_edge[place], high_edge[place], interior[place] = lo, hi, dilation - 1
    zero = scalar_attr(0, element_of(image))
    return low.pad_with(image, lambda shape: low.fill(zero, shape), low_edge, high_edge, interior)


def _split(low: Lowering, value: SSAValue, axis: int, count: int) -> SSAValue:
    """Expand dimension `axis` into (count, rest)."""
    shape = shape_of(value)
    return reshape_value(low, value, (*shape[:axis], count, shape[axis] // count, *shape[axis + 1 :]))


def _convolution_operands(
    low: Lowering, conv: _Convolution, image: SSAValue, kernel: SSAValue
) -> tuple[Indexed, Indexed]:
    op, numbers = conv.op, conv.numbers
    image_exprs: list[list[AffineExpr]] = [[] for _ in shape_of(image)]
    kernel_exprs: list[list[AffineExpr]] = [[] for _ in shape_of(kernel)]
    image_exprs[numbers.input_batch_dimension] = [conv.batch]
    kernel_exprs[numbers.kernel_output_feature_dimension] = [conv.feature]
    channel = conv.reduced()
    image_exprs[numbers.input_feature_dimension] = [channel]
    kernel_exprs[numbers.kernel_input_feature_dimension] = [channel]
    for i, axis in enumerate(numbers.input_spatial_dimensions):
        tap_axis = numbers.kernel_spatial_dimensions[i]
        extent = shape_of(kernel)[tap_axis]
        position = scaled(conv.spatial[i], op.strides[i])
        if extent == 1:
            image_exprs[axis], kernel_exprs[tap_axis] = [position], [AffineExpr.constant(0)]
            continue
        tap, dilation = conv.reduced(), op.rhs_dilations[i]
        # The kernel is indexed by the bare loop dim, which gives it its extent; a reversed one walks the image backwards.
        offset = scaled(tap, -dilation) + (extent - 1) * dilation if op.reversals[i] else scaled(tap, dilation)
        image_exprs[axis], kernel_exprs[tap_axis] = [position + offset], [tap]
    if conv.group is not None and conv.split is not None:
        image_exprs[conv.split].insert(0, conv.group)
        kernel = _split(low, kernel, numbers.kernel_output_feature_dimension, conv.count)
        kernel_exprs[numbers.kernel_output_feature_dimension].insert(0, conv.group)
    flat = [[e for group in exprs for e in group] for exprs in (image_exprs, kernel_exprs)]
    return (image, flat[0]), (kernel, flat[1])


RULES: dict[type[Operation], Rule] = {
    stablehlo.ConvolutionOp: convolution,
    stablehlo.DotGeneralOp: dot_general,
    stablehlo.DotOp: dot,
}
