"""The static op that a dynamic one is once its sizes are known.

    %r = stablehlo.dynamic_reshape %x, %c : (tensor<6xf32>, tensor<2xi32>) -> tensor<?x?xf32>     // %c is dense<[2, 3]>
    %r = stablehlo.reshape %x : (tensor<6xf32>) -> tensor<2x3xf32>

The canonicalizer, `refine-shapes` and the interpreter ask for it, each with its own idea of what is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

import numpy as np
from xdsl.dialects.builtin import TensorType, i32
from xdsl.ir import Attribute, Operation, SSAValue

from stepwell.dialects.stablehlo import contractions, data_movement, dynamic, indexing
from stepwell.dialects.stablehlo.base import AnyTensor
from stepwell.dialects.stablehlo.dynamic import Known, known_values
from stepwell.ir import shapes
from stepwell.ir.dense import array_to_dense
from stepwell.ir.shapes import DYNAMIC, Shape, ShapeError

Ask: TypeAlias = Callable[[int], Known]
"""The values of the operand at a position, if they are known."""
Values: TypeAlias = Sequence[SSAValue]


def _shape(value: SSAValue) -> Shape:
    return cast(AnyTensor, value.type).get_shape()


def implied_sizes(op: Operation, position: int, known: Ask) -> Known:
    """The extents in the operand at a position: what is known of it, else those of the result when all are static."""
    values = known(position)
    if values is None and DYNAMIC not in _shape(op.results[0]):
        return _shape(op.results[0])
    if values is not None and any(v < 0 for v in values):
        raise ShapeError("C1", f"sizes {list(values)} must not be negative")
    return values


def _typed(op: Operation, made: Operation, shape: Sequence[int]) -> Operation:
    """`made` with the element type that is written, for quantized results."""
    element = cast(Attribute, cast(AnyTensor, op.results[0].type).element_type)
    if cast(AnyTensor, made.results[0].type).element_type != element:
        made.results[0]._type = TensorType(element, shape)  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
    return made


def _broadcast(op: dynamic.DynamicBroadcastInDimOp, operands: Values, known: Ask) -> Operation | None:
    sizes = implied_sizes(op, 1, known)
    if sizes is None:
        return None
    dims = op.broadcast_dimensions.get_values()
    result = TensorType(cast(AnyTensor, op.result.type).element_type, sizes)
    shapes.broadcast_in_dim(_shape(operands[0]), dims, sizes)
    return data_movement.BroadcastInDimOp(operands[0], dims, result)


def _reshape(op: dynamic.DynamicReshapeOp, operands: Values, known: Ask) -> Operation | None:
    sizes = implied_sizes(op, 1, known)
    if sizes is None:
        return None
    shapes.reshape(_shape(operands[0]), sizes)
    return _typed(op, data_movement.ReshapeOp(operands[0], sizes), sizes)


def _iota(op: dynamic.DynamicIotaOp, operands: Values, known: Ask) -> Operation | None:
    sizes = implied_sizes(op, 0, known)
    if sizes is None:
        return None
    result = TensorType(cast(AnyTensor, op.result.type).element_type, sizes)
    return data_movement.IotaOp(op.iota_dimension.value.data, result)


def _pad(op: dynamic.DynamicPadOp, operands: Values, known: Ask) -> Operation | None:
    paddings = [known(i) for i in (2, 3, 4)]
    if any(p is None for p in paddings):
        return None
    return data_movement.PadOp(operands[0], operands[1], *cast(Any, paddings))


def _slice(op: dynamic.RealDynamicSliceOp, operands: Values, known: Ask) -> Operation | None:
    ranges = [known(i) for i in (1, 2, 3)]
    if any(r is None for r in ranges):
        return None
    return data_movement.SliceOp(operands[0], *cast(Any, ranges))


def gather_sizes(op: dynamic.DynamicGatherOp, operand: Shape, known: Ask) -> Known:
    """The slice sizes, or those that a static result implies (a dim that is dropped has one element, if it has any)."""
    sizes, result = known(2), _shape(op.result)
    numbers = op.dimension_numbers.data
    if sizes is not None or any(result[d] == DYNAMIC for d in numbers.offset_dims):
        return sizes
    dropped = {*numbers.collapsed_slice_dims, *numbers.operand_batching_dims}
    if any(operand[d] == DYNAMIC for d in dropped):
        return None
    offsets = iter([result[d] for d in numbers.offset_dims])
    return tuple(min(1, e) if d in dropped else next(offsets) for d, e in enumerate(operand))


def _gather(op: dynamic.DynamicGatherOp, operands: Values, known: Ask) -> Operation | None:
    sizes = gather_sizes(op, _shape(operands[0]), known)
    if sizes is None:
        return None
    made = indexing.GatherOp(operands[0], operands[1], op.dimension_numbers.data, sizes)
    if op.indices_are_sorted is not None:
        made.properties["indices_are_sorted"] = op.indices_are_sorted
    return made


def static_conv(op: dynamic.DynamicConvOp, lhs: SSAValue, rhs: SSAValue, window: dict[str, Any]) -> Operation:
    """The convolution with this `padding` (and other parts of the window, if they are not the op's own)."""
    given: dict[str, Any] = {name: op.window(name) for name in ("window_strides", "lhs_dilation", "rhs_dilation")}
    given |= window
    reversal = None if op.window_reversal is None else [bool(r) for r in op.window_reversal.get_values()]
    made = contractions.ConvolutionOp(
        lhs,
        rhs,
        op.numbers,
        cast(AnyTensor, op.result.type).element_type,
        given["window_strides"],
        given["padding"],
        given["lhs_dilation"],
        given["rhs_dilation"],
        reversal,
        op.feature_group_count.value.data,
        op.batch_group_count.value.data,
    )
    if op.precision_config is not None:
        made.properties["precision_config"] = op.precision_config
    return made


def _conv(op: dynamic.DynamicConvOp, operands: Values, known: Ask) -> Operation | None:
    padding = known(2)
    if padding is None:
        return None
    rows = list(zip(padding[::2], padding[1::2], strict=True))
    return static_conv(op, operands[0], operands[1], {"padding": rows})


def _get_dimension_size(op: dynamic.GetDimensionSizeOp, operands: Values, known: Ask) -> Operation | None:
    extent = _shape(operands[0])[op.dimension.value.data]
    return None if extent == DYNAMIC else data_movement.ConstantOp(array_to_dense(np.array(extent, np.int32), i32))


def _set_dimension_size(op: dynamic.SetDimensionSizeOp, operands: Values, known: Ask) -> Operation | None:
    size, shape, d = known(1), list(_shape(operands[0])), op.dimension.value.data
    if size is None and DYNAMIC not in _shape(op.result):
        size = (_shape(op.result)[d],)
    if size is None or DYNAMIC in (*shape[:d], *shape[d + 1 :]):
        return None
    shape[d] = size[0]
    return data_movement.SliceOp(operands[0], [0] * len(shape), shape)


_FORMS: dict[str, Callable[[Any, Values, Ask], Operation | None]] = {
    "stablehlo.dynamic_broadcast_in_dim": _broadcast,
    "stablehlo.dynamic_conv": _conv,
    "stablehlo.dynamic_gather": _gather,
    "stablehlo.dynamic_iota": _iota,
    "stablehlo.dynamic_pad": _pad,
    "stablehlo.dynamic_reshape": _reshape,
    "stablehlo.get_dimension_size": _get_dimension_size,
    "stablehlo.real_dynamic_slice": _slice,
    "stablehlo.set_dimension_size": _set_dimension_size,
}

DYNAMIC_OPS = tuple(_FORMS)
"""The ops that have a static form."""

SHAPE_OPERANDS: dict[str, tuple[int, ...]] = {
    "stablehlo.dynamic_broadcast_in_dim": (1,),
    "stablehlo.dynamic_conv": (2,),
    "stablehlo.dynamic_gather": (2,),
    "stablehlo.dynamic_iota": (0,),
    "stablehlo.dynamic_pad": (2, 3, 4),
    "stablehlo.dynamic_reshape": (1,),
    "stablehlo.real_dynamic_slice": (1, 2, 3),
    "stablehlo.rng": (2,),
    "stablehlo.set_dimension_size": (1,),
}
"""The operands that say what shape a result has."""


def static_form(op: Operation, operands: Values | None = None, known: Ask | None = None) -> Operation | None:
    """A new op, on `operands` (its own by default), that means what `op` does; None when a size is not known.

    Raises:
        ShapeError: the sizes break a constraint of the static op.
    """
    values = tuple(op.operands) if operands is None else operands
    made = _FORMS[op.name](op, values, known or (lambda i: known_values(op.operands[i])))
    if made is not None:
        made.attributes = dict(op.attributes)
        made.location = op.location
    return made


__all__ = ["DYNAMIC_OPS", "SHAPE_OPERANDS", "Ask", "gather_sizes", "implied_sizes", "static_conv", "static_form"]
