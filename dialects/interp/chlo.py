"""Interpreter rules of CHLO: special functions in double precision, rounded once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from xdsl.ir import Operation

from stepwell.dialects import chlo
from stepwell.dialects.interp import chlo_structural, special
from stepwell.dialects.interp import numerics as num
from stepwell.dialects.interp.complex_numbers import by_kind
from stepwell.dialects.interp.quantization import without_quantization
from stepwell.dialects.interp.stablehlo_data import RULES as DATA_RULES
from stepwell.dialects.interp.stablehlo_data import Args, Array
from stepwell.dialects.interp.stablehlo_elementwise import elementwise, result_dtype
from stepwell.ir.interpreter import Interpreter, Rule, Value


def _each(function: Callable[[float], float]) -> Callable[[Array], Array]:
    """A scalar function on every element."""

    def apply(x: Array) -> Array:
        return np.array([function(v) for v in x.reshape(-1).tolist()], np.float64).reshape(x.shape)

    return apply


def _each_pair(function: Callable[[float, float], float]) -> Callable[[Array, Array], Array]:
    def apply(x: Array, y: Array) -> Array:
        a, b = np.broadcast_arrays(x, y)
        values = [function(v, w) for v, w in zip(a.reshape(-1).tolist(), b.reshape(-1).tolist(), strict=True)]
        return np.array(values, np.float64).reshape(a.shape)

    return apply


def _square(x: Array) -> Array:
    return x * x


def _next_after(x: Array, y: Array) -> Array:
    return np.nextafter(x, y)


def _mulhi(x: Array, y: Array) -> Array:
    product = x.astype(object) * y.astype(object)
    return num.wrap(np.asarray(product >> num.bit_width(x.dtype)), x.dtype)


def _top_k(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, chlo.TopKOp)
    x = args[0]
    key = num.total_order_key(x) if num.is_float(x.dtype) else x
    # A stable ascending order of the reversed rows, read backwards: descending, equal elements by index.
    order = np.flip(np.argsort(np.flip(key, -1), -1, kind="stable"), -1)
    order = (x.shape[-1] - 1 - order)[..., : op.k.value.data]
    return np.take_along_axis(x, order, -1), order.astype(np.int32)


def _constant_like(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    del interp
    assert isinstance(op, chlo.ConstantLikeOp)
    return (np.full(args[0].shape, op.number, result_dtype(op)),)


def _asin_acos_kernel(z: Array) -> Array:
    arcsine = np.arcsin(z)
    angle, size = np.real(arcsine), np.imag(arcsine)
    return np.cos(angle) * np.cosh(size) + 1j * np.abs(size)


_WIDE: dict[type[Operation], Callable[..., Any]] = {
    chlo.AcosOp: np.arccos,
    chlo.AcoshOp: np.arccosh,
    chlo.AsinAcosKernelOp: _asin_acos_kernel,
    chlo.AsinOp: np.arcsin,
    chlo.AsinhOp: np.arcsinh,
    chlo.AtanOp: np.arctan,
    chlo.AtanhOp: np.arctanh,
    chlo.BesselI1eOp: _each(special.bessel_i1e),
    chlo.ConjOp: np.conj,
    chlo.CoshOp: np.cosh,
    chlo.DigammaOp: _each(special.digamma),
    chlo.ErfOp: _each(math.erf),
    chlo.ErfcOp: _each(math.erfc),
    chlo.ErfInvOp: _each(special.erf_inv),
    chlo.LgammaOp: _each(special.lgamma),
    chlo.PolygammaOp: _each_pair(special.polygamma),
    chlo.SinhOp: np.sinh,
    chlo.SquareOp: _square,
    chlo.TanOp: np.tan,
    chlo.ZetaOp: _each_pair(special.zeta),
}

_FUNCTIONS: dict[str, Rule] = {
    **{cls.name: elementwise(by_kind(cls.name, num.via_wide(f))) for cls, f in _WIDE.items()},
    "chlo.constant": DATA_RULES["stablehlo.constant"],
    "chlo.constant_like": _constant_like,
    "chlo.is_inf": elementwise(np.isinf),
    "chlo.is_neg_inf": elementwise(lambda x: np.isinf(x) & (x < 0)),
    "chlo.is_pos_inf": elementwise(lambda x: np.isinf(x) & (x > 0)),
    "chlo.mulhi": elementwise(_mulhi),
    "chlo.next_after": elementwise(_next_after),
    "chlo.top_k": _top_k,
}

RULES: dict[str, Rule] = without_quantization(
    {
        **_FUNCTIONS,
        **chlo_structural.RULES,
        **chlo_structural.broadcasting(_FUNCTIONS),
    }
)
