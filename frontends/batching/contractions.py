"""Batching rules of contractions, convolutions, reductions, windows and sorts."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import IntegerAttr, TensorType, i64
from xdsl.ir import Operation, SSAValue

from stepwell.dialects import stablehlo
from stepwell.dialects.stablehlo.base import i64_array
from stepwell.dialects.stablehlo.reductions import padding_attr
from stepwell.frontends.batching.batcher import Batched, Batcher, Rule, element_of, refused, shape_of
from stepwell.frontends.batching.movement import behind

Operands = Sequence[Batched]


def _dot_general(batcher: Batcher, op: stablehlo.DotGeneralOp, operands: Operands) -> Sequence[SSAValue]:
    """With one operand the same for all, the batch is one more free dim of the other: one larger product."""
    (lhs, rhs), old = operands, op.dot_dimension_numbers.data
    left, right = old[0::2], old[1::2]
    both = lhs.has_batch and rhs.has_batch
    free = len(shape_of(op.lhs)) - len(left[0]) - len(left[1])
    if rhs.has_batch and not both and sum(map(len, right)) == len(shape_of(op.rhs)) and op.algorithm is None:
        lhs, rhs, left, right, free = rhs, lhs, right, left, 0  # a vector an example: rows of the result, not columns
    if lhs.has_batch:
        left = tuple(behind(dims) for dims in left)
    if rhs.has_batch:
        right = tuple(behind(dims) for dims in right)
    if both:
        left, right = ((0, *left[0]), left[1]), ((0, *right[0]), right[1])
    numbers = stablehlo.DotDimensionNumbers(left[0], right[0], left[1], right[1])
    element = element_of(op.results[0])
    changed = {"dot_dimension_numbers": stablehlo.DotDimensionNumbersAttr(numbers)}
    values = [lhs.value, rhs.value]
    shape = shape_of(op.results[0])
    if both:
        return batcher.again(op, values, None, **changed)
    place = len(old.lhs_batching_dimensions) + (free if rhs.has_batch else 0)  # the first free dim of left or right
    types = [TensorType(element, (*shape[:place], batcher.size, *shape[place:]))]
    (product,) = batcher.again(op, values, types, **changed)
    return [batcher.moved(product, place, 0)]


# Convolutions ----------------------------------------------------------------------------------------------------------


def _folded(batcher: Batcher, value: SSAValue, dim: int) -> SSAValue:
    """The batch put into a dim of the example, which it is the outer part of."""
    moved = batcher.moved(value, 0, dim)
    shape = shape_of(moved)
    return batcher.function.reshape(moved, (*shape[:dim], shape[dim] * shape[dim + 1], *shape[dim + 2 :]))


def _unfolded(batcher: Batcher, value: SSAValue, dim: int, extent: int) -> SSAValue:
    """The inverse, of a dim that has `extent` places in each example."""
    shape = shape_of(value)
    split = batcher.function.reshape(value, (*shape[:dim], batcher.size, extent, *shape[dim + 1 :]))
    return batcher.moved(split, dim, 0)


def _convolution(batcher: Batcher, op: stablehlo.ConvolutionOp, operands: Operands) -> Sequence[SSAValue]:
    """The batch joins images (if kernels are the same), output features (if images are), or groups."""
    (images, kernels), numbers, shape = operands, op.numbers, shape_of(op.results[0])
    groups, batch_groups = op.feature_groups, op.batch_groups
    changed: dict[str, IntegerAttr] = {}
    if not kernels.has_batch and batch_groups == 1:
        values = [_folded(batcher, images.value, numbers.input_batch_dimension), kernels.value]
        place = numbers.output_batch_dimension
    elif not images.has_batch and groups == batch_groups == 1:
        values = [images.value, _folded(batcher, kernels.value, numbers.kernel_output_feature_dimension)]
        place = numbers.output_feature_dimension
    else:
        joined = numbers.input_feature_dimension if batch_groups == 1 else numbers.input_batch_dimension
        name, count = ("feature_group_count", groups) if batch_groups == 1 else ("batch_group_count", batch_groups)
        values = [
            _folded(batcher, batcher.full(images), joined),
            _folded(batcher, batcher.full(kernels), numbers.kernel_output_feature_dimension),
        ]
        changed[name] = IntegerAttr(count * batcher.size, i64)
        place = numbers.output_feature_dimension
    types = [
        TensorType(element_of(op.results[0]), [e * batcher.size if d == place else e for d, e in enumerate(shape)])
    ]
    (result,) = batcher.again(op, values, types, **changed)
    return [_unfolded(batcher, result, place, shape[place])]


# Reductions ------------------------------------------------------------------------------------------------------------


def _reduced(batcher: Batcher, op: Operation, operands: Operands) -> list[SSAValue]:
    """The operands of a reduction: what is combined with the batch, what it starts from without."""
    count = len(operands) // 2
    if any(b.has_batch for b in operands[count:]):
        message = f"what {op.name} starts from differs from element to element of the map"
        raise refused(op, message, "it must be the neutral element: combine with what differs afterwards")
    return [*(batcher.full(b) for b in operands[:count]), *(b.value for b in operands[count:])]


def _reduce(batcher: Batcher, op: stablehlo.ReduceOp, operands: Operands) -> Sequence[SSAValue]:
    values = _reduced(batcher, op, operands)
    return batcher.again(op, values, dimensions=i64_array(behind(op.dimensions.get_values())))


def _reduce_window(batcher: Batcher, op: stablehlo.ReduceWindowOp, operands: Operands) -> Sequence[SSAValue]:
    windows = {
        "window_dimensions": op.window,
        "window_strides": op.strides,
        "base_dilations": op.base_dilation,
        "window_dilations": op.window_dilation,
    }
    changed = {name: i64_array((1, *values)) for name, values in windows.items()}
    padding = padding_attr([(0, 0), *op.pads])
    return batcher.again(op, _reduced(batcher, op, operands), None, **changed, padding=padding)


def _sort(batcher: Batcher, op: stablehlo.SortOp, operands: Operands) -> Sequence[SSAValue]:
    dimension = -1 if op.dimension is None else op.dimension.value.data
    moved = IntegerAttr(dimension if dimension < 0 else dimension + 1, i64)
    return batcher.again(op, [batcher.full(b) for b in operands], dimension=moved)


RULES: dict[type[Operation], Rule] = {
    stablehlo.DotGeneralOp: _dot_general,
    stablehlo.ConvolutionOp: _convolution,
    stablehlo.ReduceOp: _reduce,
    stablehlo.ReduceWindowOp: _reduce_window,
    stablehlo.SortOp: _sort,
}
