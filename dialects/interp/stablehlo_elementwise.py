"""Interpreter rules of StableHLO's elementwise ops.

They never look at the shapes in the types, so that a region of them can run on many elements at once (`regions.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from xdsl.ir import Operation

from stepwell.dialects import stablehlo as hlo
from stepwell.dialects.interp import complex_numbers
from stepwell.dialects.interp import numerics as num
from stepwell.dialects.interp.complex_numbers import by_kind
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.interpreter import Interpreter, Rule, Value

Array = num.Array


def result_dtype(op: Operation) -> np.dtype[Any]:
    """The NumPy dtype of the op's first result."""
    return numpy_dtype(cast(Any, op.results[0].type).element_type)


def elementwise(function: Callable[..., Any]) -> Rule:
    """A rule that applies `function` to the operands."""

    def rule(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
        del interp, op
        with np.errstate(all="ignore"):
            return (np.asarray(function(*args)),)

    return rule


def _absolute(x: Array) -> Array:
    return num.wrap(np.abs(x.astype(np.int64)), x.dtype) if num.is_integer(x.dtype) else np.abs(x)


def _rsqrt(x: Array) -> Array:
    return 1.0 / np.sqrt(x)


def _logistic(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


def _negate(x: Array) -> Array:
    return num.subtract(np.zeros_like(x), x) if num.is_integer(x.dtype) else np.negative(x)


def _not(x: Array) -> Array:
    if num.is_bool(x.dtype):
        return np.logical_not(x)
    return num.wrap(~x.astype(np.int64), x.dtype) if x.dtype.kind == "V" else np.invert(x)


def _compare(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.CompareOp)
    lhs, rhs = args
    direction = op.comparison_direction.data
    if num.is_complex(lhs.dtype):
        return (complex_numbers.compare(direction.value, lhs, rhs),)
    if op.effective_type() == hlo.ComparisonType.TOTALORDER:
        lhs, rhs = num.total_order_key(lhs), num.total_order_key(rhs)
    elif lhs.dtype.kind == "V" and num.is_integer(lhs.dtype):
        lhs, rhs = lhs.astype(np.int64), rhs.astype(np.int64)
    with np.errstate(all="ignore"):
        return (np.asarray(_COMPARISONS[direction](lhs, rhs), np.bool_),)


_COMPARISONS: dict[hlo.ComparisonDirection, Callable[[Array, Array], Array]] = {
    hlo.ComparisonDirection.EQ: np.equal,
    hlo.ComparisonDirection.NE: np.not_equal,
    hlo.ComparisonDirection.GE: np.greater_equal,
    hlo.ComparisonDirection.GT: np.greater,
    hlo.ComparisonDirection.LE: np.less_equal,
    hlo.ComparisonDirection.LT: np.less,
}


def _select(pred: Array, on_true: Array, on_false: Array) -> Array:
    return np.where(pred, on_true, on_false)


def _clamp(low: Array, x: Array, high: Array) -> Array:
    return num.minimum(num.maximum(x, low), high)


def _convert(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp
    with np.errstate(all="ignore"):
        return (np.asarray(num.convert(args[0], result_dtype(op))),)


def _complex(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp
    real, imaginary = np.broadcast_arrays(*args)
    result = np.empty(real.shape, result_dtype(op))
    result.real, result.imag = real, imaginary
    return (result,)


def _reduce_precision(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, hlo.ReducePrecisionOp)
    bits = op.exponent_bits.value.data, op.mantissa_bits.value.data
    with np.errstate(all="ignore"):
        return (np.asarray(num.reduce_precision(args[0], *bits)),)


_WIDE: dict[type[Operation], Callable[..., Any]] = {
    hlo.Atan2Op: np.arctan2,
    hlo.CbrtOp: np.cbrt,
    hlo.CeilOp: np.ceil,
    hlo.CosineOp: np.cos,
    hlo.ExponentialOp: np.exp,
    hlo.ExponentialMinusOneOp: np.expm1,
    hlo.FloorOp: np.floor,
    hlo.LogOp: np.log,
    hlo.LogPlusOneOp: np.log1p,
    hlo.LogisticOp: _logistic,
    hlo.RoundNearestAfzOp: num.round_half_away,
    hlo.RoundNearestEvenOp: np.rint,
    hlo.RsqrtOp: _rsqrt,
    hlo.SineOp: np.sin,
    hlo.SqrtOp: np.sqrt,
    hlo.TanOp: np.tan,
    hlo.TanhOp: np.tanh,
}

_DIRECT: dict[type[Operation], Callable[..., Any]] = {
    hlo.AbsOp: _absolute,
    hlo.AddOp: num.add,
    hlo.AndOp: num.bitwise(np.bitwise_and),
    hlo.ClampOp: _clamp,
    hlo.CountLeadingZerosOp: num.count_leading_zeros,
    hlo.DivideOp: num.divide,
    hlo.ImagOp: np.imag,
    hlo.IsFiniteOp: np.isfinite,
    hlo.MaximumOp: num.maximum,
    hlo.MinimumOp: num.minimum,
    hlo.MultiplyOp: num.multiply,
    hlo.NegateOp: _negate,
    hlo.NotOp: _not,
    hlo.OrOp: num.bitwise(np.bitwise_or),
    hlo.PopcntOp: num.population_count,
    hlo.PowerOp: num.power,
    hlo.RealOp: np.real,
    hlo.RemainderOp: num.remainder,
    hlo.SelectOp: _select,
    hlo.ShiftLeftOp: num.shift_left,
    hlo.ShiftRightArithmeticOp: num.shift_right_arithmetic,
    hlo.ShiftRightLogicalOp: num.shift_right_logical,
    hlo.SignOp: num.sign,
    hlo.SubtractOp: num.subtract,
    hlo.XorOp: num.bitwise(np.bitwise_xor),
}

RULES: dict[str, Rule] = {
    **{cls.name: elementwise(by_kind(cls.name, num.via_wide(f))) for cls, f in _WIDE.items()},
    **{cls.name: elementwise(by_kind(cls.name, f)) for cls, f in _DIRECT.items()},
    "stablehlo.compare": _compare,
    "stablehlo.complex": _complex,
    "stablehlo.convert": _convert,
    "stablehlo.reduce_precision": _reduce_precision,
}
