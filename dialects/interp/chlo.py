"""Interpreter rules of CHLO: special functions in double precision, rounded once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from xdsl.ir import Operation

from stepwell.dialects import chlo
from stepwell.dialects.interp import numerics as num
from stepwell.dialects.interp.stablehlo_data import RULES as DATA_RULES
from stepwell.dialects.interp.stablehlo_data import Args, Array
from stepwell.dialects.interp.stablehlo_elementwise import elementwise, result_dtype
from stepwell.ir.interpreter import Interpreter, Rule, Value


def _each(function: Callable[[float], float]) -> Callable[[Array], Array]:
    """A scalar function on every element."""

    def apply(x: Array) -> Array:
        return np.array([function(v) for v in x.reshape(-1).tolist()], np.float64).reshape(x.shape)

    return apply


def _erf_inv(x: float) -> float:
    """Newton's iteration on erf (erfc in the tails) from Winitzki's approximation."""
    if math.isnan(x) or abs(x) >= 1:
        return math.copysign(math.inf, x) if abs(x) == 1 else math.nan
    if x == 0:
        return x
    size = abs(x)
    log = math.log1p(-size * size)
    first = 2 / (math.pi * 0.147) + log / 2
    y = math.sqrt(max(math.sqrt(first * first - log / 0.147) - first, 0.0)) or size * math.sqrt(math.pi) / 2
    for _ in range(4):
        error = (1 - size) - math.erfc(y) if size > 0.5 else size - math.erf(y)
        error = -error if size > 0.5 else error
        slope = 2 / math.sqrt(math.pi) * math.exp(-y * y)
        step = error / slope
        y += step / (1 + y * step)
    return math.copysign(y, x)


def _lgamma(x: float) -> float:
    if math.isinf(x):
        return math.inf
    if x <= 0 and x == math.floor(x):
        return math.inf
    return math.lgamma(x)


def _digamma(x: float) -> float:
    """Reflection, recurrence up to 10, then the asymptotic series; NaN at the poles."""
    if math.isnan(x) or x == -math.inf:
        return math.nan
    if x == math.inf:
        return math.inf
    if x <= 0:
        if x == math.floor(x):
            return math.nan
        return _digamma(1 - x) - math.pi / math.tan(math.pi * (x - math.floor(x)))
    shift = 0.0
    while x < 10:
        shift -= 1 / x
        x += 1
    inverse = 1 / (x * x)
    coefficients = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)
    series = 0.0
    for c in reversed(coefficients):
        series = (series + c) * inverse
    return shift + math.log(x) - 0.5 / x - series


def _zeta(x: float, q: float) -> float:
    """The Hurwitz zeta function by Euler-Maclaurin summation after ten terms."""
    if math.isnan(x) or math.isnan(q) or x < 1:
        return math.nan
    if x == 1:
        return math.inf
    if q <= 0:
        if q == math.floor(q):
            return math.inf
        if x != math.floor(x):
            return math.nan
    total, terms = 0.0, 10
    while terms > 0 or q <= 9:
        total += math.pow(q, -x) if q > 0 or x == math.floor(x) else math.nan
        q += 1
        terms -= 1
    total += math.pow(q, 1 - x) / (x - 1) + 0.5 * math.pow(q, -x)
    bernoulli = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
    factor, power = x, math.pow(q, -x - 1)
    for k, b in enumerate(bernoulli, 1):
        total += b / math.factorial(2 * k) * factor * power
        factor *= (x + 2 * k - 1) * (x + 2 * k)
        power /= q * q
    return total


def _polygamma(n: float, x: float) -> float:
    if n == 0:
        return _digamma(x)
    if math.isnan(n) or n < 0 or n != math.floor(n):
        return math.nan
    sign = -1.0 if int(n) % 2 == 0 else 1.0
    return sign * math.exp(math.lgamma(n + 1)) * _zeta(n + 1, x)


def _bessel_i1e(x: float) -> float:
    """`exp(-|x|) I1(x)`: the power series for small, the asymptotic series for large arguments."""
    size = abs(x)
    if math.isnan(x) or math.isinf(x):
        return x if math.isnan(x) else 0.0
    if size < 30:
        term, total, k = size / 2, 0.0, 0
        while term > 1e-18 * total or k < 4:
            total += term
            k += 1
            term *= size * size / 4 / (k * (k + 1))
        return math.copysign(total * math.exp(-size), x)
    term, total = 1.0, 1.0
    for k in range(1, 30):
        following = -term * (4.0 - (2 * k - 1) ** 2) / (k * 8 * size)
        if abs(following) >= abs(term):
            break
        term = following
        total += term
    return math.copysign(total / math.sqrt(2 * math.pi * size), x)


def _each_pair(function: Callable[[float, float], float]) -> Callable[[Array, Array], Array]:
    def apply(x: Array, y: Array) -> Array:
        a, b = np.broadcast_arrays(x, y)
        values = [function(v, w) for v, w in zip(a.reshape(-1).tolist(), b.reshape(-1).tolist(), strict=True)]
        return np.array(values, np.float64).reshape(a.shape)

    return apply


def _square(z: Array) -> Array:
    if not num.is_complex(z.dtype):
        return z * z
    x, y = np.real(z), np.imag(z)
    result = np.empty(z.shape, z.dtype)
    result.real = np.where((np.abs(x) == np.abs(y)) & np.isfinite(x), 0.0, (x - y) * (x + y))
    result.imag = 2 * (x * y)
    return result


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
    value: Any = op.value
    return (np.full(args[0].shape, value.value.data, result_dtype(op)),)


_WIDE: dict[type[Operation], Callable[..., Any]] = {
    chlo.AcosOp: np.arccos,
    chlo.AcoshOp: np.arccosh,
    chlo.AsinOp: np.arcsin,
    chlo.AsinhOp: np.arcsinh,
    chlo.AtanOp: np.arctan,
    chlo.AtanhOp: np.arctanh,
    chlo.BesselI1eOp: _each(_bessel_i1e),
    chlo.ConjOp: np.conj,
    chlo.CoshOp: np.cosh,
    chlo.DigammaOp: _each(_digamma),
    chlo.ErfOp: _each(math.erf),
    chlo.ErfcOp: _each(math.erfc),
    chlo.ErfInvOp: _each(_erf_inv),
    chlo.LgammaOp: _each(_lgamma),
    chlo.PolygammaOp: _each_pair(_polygamma),
    chlo.SinhOp: np.sinh,
    chlo.SquareOp: _square,
    chlo.TanOp: np.tan,
    chlo.ZetaOp: _each_pair(_zeta),
}

RULES: dict[str, Rule] = {
    **{cls.name: elementwise(num.via_wide(f)) for cls, f in _WIDE.items()},
    "chlo.constant": DATA_RULES["stablehlo.constant"],
    "chlo.constant_like": _constant_like,
    "chlo.is_inf": elementwise(np.isinf),
    "chlo.is_neg_inf": elementwise(lambda x: np.isinf(x) & (x < 0)),
    "chlo.is_pos_inf": elementwise(lambda x: np.isinf(x) & (x > 0)),
    "chlo.mulhi": elementwise(_mulhi),
    "chlo.next_after": elementwise(_next_after),
    "chlo.top_k": _top_k,
}
