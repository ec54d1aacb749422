"""Quantized dot products and convolutions in integers.

    sum (a - za) * (b - zb)         of i8, exact in i32 (i64 where i32 could wrap)
        = sum a * b - za * sum b        of bytes, which stay bytes, where zb is 0; modulo 2**32
    * (scale_a * scale_b)           per tensor, or per output channel
    quantized as the result

The sum is exact where the specification's sum of products of floats rounds, so a result may be the neighbour of what that gives
where the two fall on different sides of a tie. Padding adds zeros, which is what `a - za` is for 0.0: of `a` itself it is `za`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.dialects.builtin import Float32Type, Float64Type, IntegerType, TensorType, f32, i32, i64
from xdsl.ir import Attribute, SSAValue

from stepwell.dialects import stablehlo
from stepwell.dialects.quant import UniformType, storage_range
from stepwell.passes.hlo import element_of, shape_of
from stepwell.passes.quantized.conversions import Quantizer, is_signed

Product = stablehlo.DotGeneralOp | stablehlo.ConvolutionOp


def integer_product(
    q: Quantizer, op: Product, lhs: UniformType, rhs: UniformType, result: UniformType
) -> SSAValue | None:
    """The stored integers of the result; None when no integer type holds the sums."""
    accumulator = _accumulator(op, lhs, rhs)
    if accumulator is None:
        return None
    if accumulator == i32 and _of_bytes(lhs, rhs):
        total = _sum_of_bytes(q, op, lhs)
    else:
        factor = _factor_type(lhs, rhs)
        operands = [q.shifted(v, of, factor) for v, of in zip(op.operands, (lhs, rhs), strict=True)]
        total = _product(q, op, operands, accumulator)
    # Floats of 16 bits would round a sum before it is scaled.
    wide = result.expressed if isinstance(result.expressed, Float32Type | Float64Type) else f32
    scales = [lhs.scales[0] * s for s in rhs.scales]
    value = q.h.convert(total, wide)
    if rhs.axis is None:
        value = q.h.mul(value, scales[0])
    else:
        channels = q.h.constant(scales, wide)
        value = q.h.mul(value, q.h.broadcast(channels, shape_of(value), [_result_axis(op, rhs.axis)]))
    return q.quantize(q.h.convert(value, result.expressed), result)


def _product(
    q: Quantizer, op: Product, operands: Sequence[SSAValue], accumulator: IntegerType, without: Sequence[str] = ()
) -> SSAValue:
    """The op on integers, `without` some of its properties."""
    type_ = TensorType(accumulator, shape_of(op.results[0]))
    dropped = ("precision_config", "algorithm", *without)
    properties = {k: v for k, v in op.properties.items() if k not in dropped}
    return q.h.insert(type(op).create(operands=operands, result_types=[type_], properties=properties))


def _of_bytes(lhs: UniformType, rhs: UniformType) -> bool:
    """Whether both operands are stored in bytes of one type, the right one without zero points (dot products have no other)."""
    return lhs.storage == rhs.storage and lhs.storage.width.data == 8 and not any(rhs.zero_points)


def _sum_of_bytes(q: Quantizer, op: Product, lhs: UniformType) -> SSAValue:
    """The product of bytes as they are stored, less what the zero point adds to it; only the result has to fit into i32."""
    (zero,) = lhs.zero_points
    if not zero:
        return _product(q, op, op.operands, i32)
    rank = len(shape_of(op.rhs))
    if isinstance(op, stablehlo.ConvolutionOp):
        # Padding is zero points as well, so that each sum has all of a kernel's terms.
        operands = [_padded(q, op, zero), op.rhs]
        total = _product(q, op, operands, i32, without=("padding", "lhs_dilation"))
        over = [d for d in range(rank) if d != op.numbers.kernel_output_feature_dimension]
    else:
        total = _product(q, op, op.operands, i32)
        over = list(op.numbers.rhs_contracting_dimensions)
    columns = q.h.reduce("add", q.h.convert(op.rhs, i32), over)
    kept = [_result_axis(op, d) for d in range(rank) if d not in over]
    return q.h.sub(total, q.h.broadcast(q.h.mul(columns, zero), shape_of(total), kept))


def _padded(q: Quantizer, op: stablehlo.ConvolutionOp, zero: int) -> SSAValue:
    """The image with its padding, of zero points."""
    rank = len(shape_of(op.lhs))
    low, high, interior = [0] * rank, [0] * rank, [0] * rank
    dims = op.numbers.input_spatial_dimensions
    for d, (before, after), dilation in zip(dims, op.pads, op.lhs_dilations, strict=True):
        low[d], high[d], interior[d] = before, after, dilation - 1
    if not any((*low, *high, *interior)):
        return op.lhs
    return q.h.insert(stablehlo.PadOp(op.lhs, q.h.scalar(zero, element_of(op.lhs)), low, high, interior))


def _accumulator(op: Product, lhs: UniformType, rhs: UniformType) -> IntegerType | None:
    """The narrowest of i32 and i64 that holds every sum of products."""
    largest = _terms(op) * _largest(lhs) * _largest(rhs)
    if largest < 1 << 31:
        return i32
    return i64 if largest < 1 << 63 else None


def _largest(of: UniformType) -> int:
    low, high = storage_range(of.storage)
    return max(max(high - z, z - low) for z in of.zero_points)


def _terms(op: Product) -> int:
    """How many products a sum has."""
    shape = shape_of(op.rhs)
    if isinstance(op, stablehlo.DotGeneralOp):
        return prod(shape[d] for d in op.numbers.rhs_contracting_dimensions)
    return prod(n for d, n in enumerate(shape) if d != op.numbers.kernel_output_feature_dimension)


def _factor_type(lhs: UniformType, rhs: UniformType) -> Attribute:
    """A signed type for both factors: that of the storage when nothing is subtracted from it."""
    plain = is_signed(lhs.storage) and not any((*lhs.zero_points, *rhs.zero_points))
    width = lhs.storage.width.data
    return IntegerType(max(width if plain else min(2 * width, 64), 8))


def _result_axis(op: Product, axis: int) -> int:
    """The result's dim that comes from a dim of rhs."""
    if isinstance(op, stablehlo.ConvolutionOp):
        return op.numbers.output_feature_dimension
    numbers = op.numbers
    if axis in numbers.rhs_batching_dimensions:
        return numbers.rhs_batching_dimensions.index(axis)
    taken = {*numbers.rhs_batching_dimensions, *numbers.rhs_contracting_dimensions}
    free = [d for d in range(len(shape_of(op.rhs))) if d not in taken]
    return len(shape_of(op.results[0])) - len(free) + free.index(axis)


__all__ = ["Product", "integer_product"]
