"""Interpreter rules of StableHLO's batch normalization: the specification's formulas in double precision, rounded once."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from xdsl.ir import Operation

from stepwell.dialects import stablehlo as hlo
from stepwell.dialects.interp import numerics as num
from stepwell.dialects.interp.stablehlo_data import Args, Array
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.interpreter import Interpreter, Rule, Value


def _rounded(op: Operation, values: tuple[Array, ...]) -> tuple[Array, ...]:
    dtypes = [numpy_dtype(cast(Any, r.type).element_type) for r in op.results]
    return tuple(num.round_to(np.asarray(v), d) for v, d in zip(values, dtypes, strict=True))


def _others(x: Array, feature: int) -> tuple[int, ...]:
    """The dims that are normalized over."""
    return tuple(d for d in range(x.ndim) if d != feature)


def _along(vector: Array, x: Array, feature: int) -> Array:
    """One number a feature, to broadcast against `x`."""
    return vector.reshape([-1 if d == feature else 1 for d in range(x.ndim)])


def _normalized(x: Array, mean: Array, variance: Array, epsilon: float, feature: int) -> Array:
    return (x - _along(mean, x, feature)) / np.sqrt(_along(variance, x, feature) + epsilon)


def _training(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.BatchNormTrainingOp)
    x, scale, offset = map(num.widen, args)
    feature, epsilon = op.feature_index.value.data, op.epsilon.value.data
    others = _others(x, feature)
    with np.errstate(all="ignore"):
        count = np.float64(x.size) / x.shape[feature]
        mean = x.sum(others) / count
        variance = np.square(x - _along(mean, x, feature)).sum(others) / count
        normalized = _normalized(x, mean, variance, epsilon, feature)
        output = normalized * _along(scale, x, feature) + _along(offset, x, feature)
        return _rounded(op, (output, mean, variance))


def _inference(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.BatchNormInferenceOp)
    x, scale, offset, mean, variance = map(num.widen, args)
    feature, epsilon = op.feature_index.value.data, op.epsilon.value.data
    with np.errstate(all="ignore"):
        normalized = _normalized(x, mean, variance, epsilon, feature)
        return _rounded(op, (normalized * _along(scale, x, feature) + _along(offset, x, feature),))


def _grad(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.BatchNormGradOp)
    x, scale, mean, variance, grad = map(num.widen, args)
    feature, epsilon = op.feature_index.value.data, op.epsilon.value.data
    others = _others(x, feature)
    with np.errstate(all="ignore"):
        count = np.float64(x.size) / x.shape[feature]
        centered = x - _along(mean, x, feature)
        deviation = np.sqrt(variance + epsilon)
        grad_offset = grad.sum(others)
        product = (grad * centered).sum(others)
        inner = grad * count - _along(grad_offset, x, feature)
        inner -= _along(product / (variance + epsilon), x, feature) * centered
        grad_operand = _along(scale / deviation, x, feature) / count * inner
        grad_scale = (grad * _normalized(x, mean, variance, epsilon, feature)).sum(others)
        return _rounded(op, (grad_operand, grad_scale, grad_offset))


RULES: dict[str, Rule] = {
    "stablehlo.batch_norm_grad": _grad,
    "stablehlo.batch_norm_inference": _inference,
    "stablehlo.batch_norm_training": _training,
}
