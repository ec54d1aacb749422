"""Interpreter rules of StableHLO's contractions and linear algebra.

Floats are multiplied and summed in double precision and rounded once: the value any order of summation approximates.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from xdsl.ir import Operation

from stepwell.dialects import stablehlo as hlo
from stepwell.dialects.interp import numerics as num
from stepwell.dialects.interp.stablehlo_data import Args, Array, pad_array, shape_of
from stepwell.dialects.interp.stablehlo_elementwise import result_dtype
from stepwell.ir.interpreter import Interpreter, Rule, Value


def _accumulated(x: Array, dtype: np.dtype[Any]) -> Array:
    """Operands in the type the products are summed in: doubles, or integers modulo 2**64."""
    if num.is_complex(dtype):
        return x.astype(np.complex128)
    if num.is_float(dtype):
        return x.astype(np.float64)
    return x.astype(np.uint64 if x.dtype.kind == "u" else np.int64).astype(np.int64)


def _rounded(x: Array, dtype: np.dtype[Any]) -> Array:
    if num.is_bool(dtype):
        return x != 0
    return num.wrap(x, dtype) if num.is_integer(dtype) else num.round_to(x, dtype)


def _dot(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.DotGeneralOp | hlo.DotOp)
    numbers, dtype = op.numbers, result_dtype(op)
    lhs, rhs = (_accumulated(x, dtype) for x in args)
    batch, rhs_batch = numbers.lhs_batching_dimensions, numbers.rhs_batching_dimensions
    contract, rhs_contract = numbers.lhs_contracting_dimensions, numbers.rhs_contracting_dimensions
    free = [d for d in range(lhs.ndim) if d not in (*batch, *contract)]
    rhs_free = [d for d in range(rhs.ndim) if d not in (*rhs_batch, *rhs_contract)]

    def extent(x: Array, dims: Any) -> int:
        return int(np.prod([x.shape[d] for d in dims], dtype=np.int64))

    left = np.transpose(lhs, [*batch, *free, *contract])
    right = np.transpose(rhs, [*rhs_batch, *rhs_contract, *rhs_free])
    inner = extent(lhs, contract)
    with np.errstate(all="ignore"):
        product = np.matmul(
            left.reshape(extent(lhs, batch), extent(lhs, free), inner),
            right.reshape(extent(rhs, rhs_batch), inner, extent(rhs, rhs_free)),
        )
        return (np.asarray(_rounded(product, dtype)).reshape(shape_of(op.results[0])),)


def _convolution(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.ConvolutionOp)
    numbers, dtype = op.numbers, result_dtype(op)
    lhs, rhs = (_accumulated(x, dtype) for x in args)
    lhs_order = [numbers.input_batch_dimension, numbers.input_feature_dimension, *numbers.input_spatial_dimensions]
    rhs_order = [numbers.kernel_output_feature_dimension, numbers.kernel_input_feature_dimension]
    image = np.transpose(lhs, lhs_order)
    kernel = np.transpose(rhs, [*rhs_order, *numbers.kernel_spatial_dimensions])
    kernel = np.flip(kernel, tuple(2 + i for i, r in enumerate(op.reversals) if r))
    low, high = zip(*op.pads, strict=True) if op.pads else ((), ())
    gaps = [d - 1 for d in op.lhs_dilations]
    image = pad_array(image, 0, (0, 0, *low), (0, 0, *high), (0, 0, *gaps))
    output = [numbers.output_batch_dimension, numbers.output_feature_dimension, *numbers.output_spatial_dimensions]
    shape = shape_of(op.result)
    spatial = tuple(shape[d] for d in numbers.output_spatial_dimensions)
    with np.errstate(all="ignore"):
        groups = [_convolve(x, w, spatial, op) for x, w in _conv_groups(image, kernel, op)]
    result = np.concatenate(groups, 1)
    return (_rounded(np.transpose(result, np.argsort(output)), dtype),)


def _conv_groups(image: Array, kernel: Array, op: hlo.ConvolutionOp) -> list[tuple[Array, Array]]:
    """The independent convolutions: input features and batch, and output features, split into groups."""
    features, batches = op.feature_groups, op.batch_groups
    images = np.split(image, features, 1) if features > 1 else np.split(image, batches, 0)
    return list(zip(images, np.split(kernel, max(features, batches), 0), strict=True))


def _convolve(image: Array, kernel: Array, spatial: tuple[int, ...], op: hlo.ConvolutionOp) -> Array:
    """One group: `image` [batch, feature, ...], `kernel` [out, in, ...], summed over places of the window."""
    result = np.zeros((image.shape[0], kernel.shape[0], *spatial), image.dtype)
    if not result.size:
        return result
    for place in np.ndindex(*kernel.shape[2:]):
        window = tuple(
            slice(p * d, p * d + (n - 1) * s + 1, s)
            for p, d, n, s in zip(place, op.rhs_dilations, spatial, op.strides, strict=True)
        )
        values = image[(slice(None), slice(None), *window)]
        weights = kernel[(slice(None), slice(None), *place)]
        lines = np.moveaxis(values, 1, -1)
        # Not numpy.tensordot: it passes over a single weight that is 0, whatever it is multiplied with.
        products = np.matmul(lines.reshape(-1, lines.shape[-1]), weights.T)
        result += np.moveaxis(products.reshape(*lines.shape[:-1], len(weights)), -1, 1)
    return result


def _fft(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.FftOp)
    lengths = op.fft_length.get_values()
    axes = tuple(range(-len(lengths), 0))
    function = {"FFT": np.fft.fftn, "IFFT": np.fft.ifftn, "RFFT": np.fft.rfftn, "IRFFT": np.fft.irfftn}
    result = function[op.fft_type.data.value](num.widen(args[0]), lengths, axes)
    return (np.asarray(result).astype(result_dtype(op)),)


def _per_feature(x: Array, rank: int, index: int) -> Array:
    return num.widen(x).reshape([-1 if d == index else 1 for d in range(rank)])


def _batch_norm_training(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.BatchNormTrainingOp)
    x, index = num.widen(args[0]), op.feature_index.value.data
    axes = tuple(d for d in range(x.ndim) if d != index)
    mean, variance = x.mean(axes), x.var(axes)
    output = _normalize(x, args[1], args[2], mean, variance, op.epsilon.value.data, index)
    return tuple(num.round_to(r, args[0].dtype) for r in (output, mean, variance))


def _normalize(
    x: Array, scale: Array, offset: Array, mean: Array, variance: Array, epsilon: float, index: int
) -> Array:
    scale, offset, mean, variance = (_per_feature(v, x.ndim, index) for v in (scale, offset, mean, variance))
    return scale * (x - mean) / np.sqrt(variance + epsilon) + offset


def _batch_norm_inference(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.BatchNormInferenceOp)
    x, scale, offset, mean, variance = args
    settings = (op.epsilon.value.data, op.feature_index.value.data)
    return (num.round_to(_normalize(num.widen(x), scale, offset, mean, variance, *settings), x.dtype),)


def _batch_norm_grad(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.BatchNormGradOp)
    index, epsilon = op.feature_index.value.data, op.epsilon.value.data
    x, grad = num.widen(args[0]), num.widen(args[4])
    scale, mean, variance = (_per_feature(v, x.ndim, index) for v in args[1:4])
    axes = tuple(d for d in range(x.ndim) if d != index)
    inverse = 1 / np.sqrt(variance + epsilon)
    centered = (x - mean) * inverse
    grad_scale, grad_offset = (grad * centered).sum(axes), grad.sum(axes)
    count = x.size // max(x.shape[index], 1)
    wide_scale, wide_offset = (_per_feature(v, x.ndim, index) for v in (grad_scale, grad_offset))
    grad_operand = scale * inverse * (grad - (wide_offset + centered * wide_scale) / count)
    return tuple(num.round_to(r, args[0].dtype) for r in (grad_operand, grad_scale, grad_offset))


RULES: dict[str, Rule] = {
    "stablehlo.batch_norm_grad": _batch_norm_grad,
    "stablehlo.batch_norm_inference": _batch_norm_inference,
    "stablehlo.batch_norm_training": _batch_norm_training,
    "stablehlo.convolution": _convolution,
    "stablehlo.dot": _dot,
    "stablehlo.dot_general": _dot,
    "stablehlo.fft": _fft,
}
