"""Affine expressions prepared to be evaluated often, on indices that may be lanes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
    AffineMap,
    AffineSymExpr,
)

from stepwell.dialects.interp.simt.values import Value, is_lanes

Evaluate = Callable[[Sequence[Value]], Value]
"""From the values of dims, then symbols, to the value of an expression."""

_BINARY: dict[AffineBinaryOpKind, Callable[[Any, Any], Any]] = {
    AffineBinaryOpKind.Add: lambda a, b: a + b,
    AffineBinaryOpKind.Mul: lambda a, b: a * b,
    AffineBinaryOpKind.Mod: lambda a, b: a % b,
    AffineBinaryOpKind.FloorDiv: lambda a, b: a // b,
    AffineBinaryOpKind.CeilDiv: lambda a, b: -(-a // b),
}


def prepared(expr: AffineExpr, num_dims: int) -> Evaluate:
    """An expression as a function."""
    match expr:
        case AffineConstantExpr():
            value = expr.value
            return lambda operands: value
        case AffineDimExpr():
            place = expr.position
            return lambda operands: operands[place]
        case AffineSymExpr():
            place = num_dims + expr.position
            return lambda operands: operands[place]
        case AffineBinaryOpExpr():
            combine = _BINARY[expr.kind]
            left = prepared(expr.lhs, num_dims)
            if isinstance(expr.rhs, AffineConstantExpr):
                constant = expr.rhs.value
                return lambda operands: combine(left(operands), constant)
            right = prepared(expr.rhs, num_dims)
            return lambda operands: combine(left(operands), right(operands))
        case _:
            raise AssertionError(f"affine expression {expr}")


def prepared_map(amap: AffineMap) -> Callable[[Sequence[Value]], tuple[Value, ...]]:
    """A map as a function."""
    parts = [prepared(e, amap.num_dims) for e in amap.results]
    return lambda operands: tuple([part(operands) for part in parts])


def least(values: Sequence[Value]) -> Value:
    """The smallest of some indices, by lanes where they differ."""
    return reduce(lambda a, b: np.minimum(a, b) if is_lanes(a) or is_lanes(b) else min(a, b), values)


def greatest(values: Sequence[Value]) -> Value:
    """The largest of some indices, by lanes where they differ."""
    return reduce(lambda a, b: np.maximum(a, b) if is_lanes(a) or is_lanes(b) else max(a, b), values)


__all__ = ["greatest", "least", "prepared", "prepared_map"]
