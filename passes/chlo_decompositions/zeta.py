"""The Hurwitz zeta function and the polygamma functions, in f64: Euler-Maclaurin summation after a loop over the first terms.

A negative q (for which the exponent is whole) is reflected to positive ones: with f the fraction of |q|,

    zeta(x, q) = zeta(x, 1 - f) + (-1)^x (zeta(x, f) - zeta(x, |q| + 1))

Terms are powers of whole tensors, not scalar code: the loop keeps the program small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from xdsl.dialects.builtin import f64, i32
from xdsl.ir import SSAValue

from stepwell.dialects import chlo
from stepwell.ir.diagnostics import unsupported
from stepwell.passes.hlo import Hlo, element_of, shape_of

_TERMS = 12
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
"""The even ones, from the second."""


def zeta(h: Hlo, op: chlo.ZetaOp) -> Sequence[SSAValue]:
    """The sum of `(q + k)^-x`.

    Raises:
        UnsupportedError: a dynamic shape.
    """
    x, q = _wide(h, op, op.x), _wide(h, op, op.q)
    return [h.convert(hurwitz(h, x, q), element_of(op.result))]


def polygamma(h: Hlo, op: chlo.PolygammaOp) -> Sequence[SSAValue]:
    """`(-1)^(n + 1) n! zeta(n + 1, x)`, digamma for n = 0; NaN unless n is a whole number that is not negative.

    Raises:
        UnsupportedError: a dynamic shape.
    """
    n, x = _wide(h, op, op.n), _wide(h, op, op.x)
    order = h.add(n, 1.0)
    series = hurwitz(h, order, x)
    # The factorial may overflow where its product with zeta does not.
    size = h.unary("exponential", h.add(h.insert(chlo.LgammaOp(order)), h.unary("log", h.abs(series))))
    negative = h.ne(_odd(h, order), h.lt(series, 0.0))
    value = h.select(negative, h.neg(size), size)
    value = h.select(h.eq(n, 0.0), h.insert(chlo.DigammaOp(x)), value)
    valid = h.logical_and(h.eq(n, h.unary("floor", n)), h.ge(n, 0.0))
    return [h.convert(h.select(valid, value, math.nan), element_of(op.result))]


def _wide(h: Hlo, op: chlo.ZetaOp | chlo.PolygammaOp, x: SSAValue) -> SSAValue:
    if any(n < 0 for n in shape_of(x)):
        raise unsupported(op, f"dynamic shape {x.type}", "refine the program to static shapes first")
    return h.convert(x, f64)


def _odd(h: Hlo, x: SSAValue) -> SSAValue:
    return h.eq(h.abs(h.binary("remainder", x, 2.0)), 1.0)


def hurwitz(h: Hlo, x: SSAValue, q: SSAValue) -> SSAValue:
    """Zeta of doubles, with its domain: NaN for x < 1 and NaN operands; poles at q = 0, -1, ... where x is even."""
    whole_x, whole_q = (h.eq(v, h.unary("floor", v)) for v in (x, q))
    not_positive = h.compare("LE", q, 0.0)
    reflected = h.reduce("or", not_positive, list(range(len(shape_of(q)))))
    (value,) = h.if_(reflected, lambda: _reflected(h, x, q), lambda: _positive(h, x, q))
    nan, infinity = math.nan, math.inf
    at_pole = h.select(_odd(h, x), h.like(nan, x), infinity)
    value = h.select(h.logical_and(not_positive, whole_q), at_pole, value)
    value = h.select(h.logical_and(not_positive, h.logical_not(whole_x)), nan, value)
    value = h.select(h.eq(x, 1.0), infinity, h.select(h.lt(x, 1.0), nan, value))
    unordered = h.logical_or(h.ne(x, x), h.ne(q, q))
    return h.select(unordered, nan, value)


def _reflected(h: Hlo, x: SSAValue, q: SSAValue) -> SSAValue:
    """For any q: three sums at once, of which a positive q takes the first."""
    negative = h.lt(q, 0.0)
    size = h.abs(q)
    fraction = h.sub(size, h.unary("floor", size))
    # 1 - f is rounded where |q| is tiny: it is q + 1.
    first = h.select(negative, h.select(h.lt(size, 1.0), h.add(q, 1.0), h.sub(1.0, fraction)), q)
    starts = h.stack([first, h.select(negative, fraction, 1.0), h.select(negative, h.add(size, 1.0), 1.0)], 0)
    shape = shape_of(q)
    sums = _positive(h, h.broadcast(x, [3, *shape], list(range(1, len(shape) + 1))), starts)
    parts = [h.reshape(h.slice_in_dim(sums, i, i + 1, 0), shape) for i in range(3)]
    finite = h.sub(parts[1], parts[2])
    finite = h.select(_odd(h, x), h.neg(finite), finite)
    return h.select(negative, h.add(parts[0], finite), parts[0])


def _positive(h: Hlo, x: SSAValue, q: SSAValue) -> SSAValue:
    """Euler-Maclaurin summation for positive q, exact in the limits that are zero and infinity."""
    minus_x = h.neg(x)

    def step(k: SSAValue, total: SSAValue) -> SSAValue:
        count = h.broadcast(h.convert(k, f64), shape_of(q), [])
        return h.add(total, h.binary("power", h.add(q, count), minus_x))

    (total,) = h.fori(0, _TERMS, [h.full(0.0, shape_of(q), f64)], step, i32)
    end = h.add(q, float(_TERMS))
    power = h.binary("power", end, minus_x)
    rest = h.add(h.div(end, h.sub(x, 1.0)), 0.5)
    factor = h.div(x, end)
    for k, b in enumerate(_BERNOULLI, 1):
        rest = h.add(rest, h.mul(factor, b / math.factorial(2 * k)))
        factor = h.mul(factor, h.mul(h.div(h.add(x, 2.0 * k - 1), end), h.div(h.add(x, 2.0 * k), end)))
    # Where the power is nothing beside the first term, what it is multiplied by may have overflowed.
    tail = h.select(h.eq(power, 0.0), 0.0, h.mul(power, rest))
    negligible = h.lt(power, h.mul(total, 1e-30))
    return h.add(total, h.select(negligible, 0.0, tail))


__all__ = ["hurwitz", "polygamma", "zeta"]
