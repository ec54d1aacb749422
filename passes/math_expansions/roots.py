"""sqrt, rsqrt and cbrt.

Wide vectors take a root in as many cycles as ten or twenty products. Where the machine has estimates of 1 / sqrt(x), they are
refined by fused steps (Markstein): g approaches sqrt(x) and h half its inverse, each step squaring the error; the last one,
g + h (x - g g), has an exact difference and rounds once. Its error before that is less than the square of the last place, and
the only arguments whose root is that near to the middle of two numbers are the solutions of N^2 = -r modulo 2^54 (2^25 in f32)
for a few small r: `tests/passes/test_roots.py` finds them and tries them all, so the root is correctly rounded, always. The
difference is exact as long as it cannot underflow: smaller numbers, and what is no positive number, take the root as it is.
"""

from __future__ import annotations

import math

from xdsl.dialects import arith, scf
from xdsl.dialects import math as upstream
from xdsl.dialects.builtin import VectorType
from xdsl.ir import Block, Region, SSAValue
from xdsl.utils.type import get_element_type_or_self

from stepwell.ir.dtypes import byte_width
from stepwell.passes.math_expansions.emitter import Emitter
from stepwell.passes.math_expansions.lanes import any_lane

INF = math.inf
SMALLEST = {True: -100, False: -900}
"""Powers of two from which on what is left of a root is a normal number."""


def refines_root(e: Emitter, least_bytes: int) -> bool:
    """Whether roots of vectors of so many bytes are refined estimates."""
    if not e.has_estimates or not isinstance(e.type, VectorType):
        return False
    return e.type.get_shape()[-1] * byte_width(get_element_type_or_self(e.type)) >= least_bytes


def sqrt(e: Emitter, x: SSAValue) -> SSAValue:
    """The correctly rounded square root of a vector, by an estimate of its inverse."""
    low, infinite = (e.bias + SMALLEST[e.is_f32]) << e.mantissa, (2 * e.bias + 1) << e.mantissa
    bits = e.to_bits(x)
    regular = e.icmp("ult", e.isub(bits, e.ci(low)), e.ci(infinite - low))
    safe = e.builder.insert(arith.OrIOp(regular, e.icmp("eq", bits, e.ci(0)))).result
    branch = scf.IfOp(any_lane(e, e.not_(safe)), [x.type], Region(Block()), Region(Block()))
    e.builder.insert(branch)
    exact = e.in_block(branch.true_region.block)
    exact.builder.insert(scf.YieldOp(exact.builder.insert(upstream.SqrtOp(x)).result))
    quick = e.in_block(branch.false_region.block)
    quick.builder.insert(scf.YieldOp(_refined(quick, x)))
    return branch.results[0]


def _refined(e: Emitter, x: SSAValue) -> SSAValue:
    # The estimate of zero is infinite; any number in its place gives a zero.
    estimate = e.at_most(e.rsqrt_estimate(x), 2.0 ** (1 - SMALLEST[e.is_f32] // 2))
    half = e.c(0.5)
    g, h = e.mul(x, estimate), e.mul(half, estimate)
    for _ in range(1 if e.is_f32 else 2):
        rest = e.fma(e.neg(h), g, half)
        g, h = e.fma(g, rest, g), e.fma(h, rest, h)
    return e.fma(e.fma(e.neg(g), g, x), h, g)


def rsqrt(e: Emitter, x: SSAValue) -> SSAValue:
    """1 / sqrt(x): two roundings, or an estimate refined (1 ULP)."""
    if not e.has_estimates:
        return e.div(e.c(1.0), e.sqrt(x))
    estimate = e.rsqrt_estimate(x)
    y = estimate
    if not e.is_f32:
        y, _ = _better_inverse(e, x, y)
    y, rest = _better_inverse(e, x, y)
    # Of zeros, infinities and what is no root the estimate is what there is.
    return e.select(e.cmp("uno", rest, rest), estimate, y)


def _better_inverse(e: Emitter, x: SSAValue, y: SSAValue) -> tuple[SSAValue, SSAValue]:
    """Y (1 - d)^(-1/2) and d, with d = 1 - x y^2 small, to d^3."""
    rest = e.fma(e.neg(e.mul(x, y)), y, e.c(1.0))
    correction = e.fma(rest, e.c(0.375), e.c(0.5))
    return e.fma(e.mul(y, rest), correction, y), rest


def cbrt(e: Emitter, x: SSAValue) -> SSAValue:
    """Cube root: a guess from the exponent, then Halley's iteration in f64."""
    if e.is_f32:
        wide = e.wide()
        root = cbrt(wide, e.builder.insert(arith.ExtFOp(x, wide.type)).result)
        return e.builder.insert(arith.TruncFOp(root, e.type)).result
    magnitude = e.abs(x)
    tiny, huge = e.cmp("olt", magnitude, e.c(2.0**-900)), e.cmp("ogt", magnitude, e.c(2.0**900))
    factor = e.select(tiny, e.c(2.0**300), e.select(huge, e.c(2.0**-300), e.c(1.0)))
    scaled = e.mul(magnitude, factor)
    # bits / 3 by a multiplication in floating point: the exponent field fits easily.
    third = e.builder.insert(
        arith.FPToSIOp(e.mul(e.int_to_float(e.shr(e.to_bits(scaled), 32)), e.c(1 / 3)), e.int_type)  # pyright: ignore
    ).results[0]
    t = e.to_float(e.shl(e.iadd(third, e.ci(715094163)), 32))
    for _ in range(3):
        cube = e.mul(e.mul(t, t), t)
        t = e.mul(t, e.div(e.add(cube, e.add(scaled, scaled)), e.add(e.add(cube, cube), scaled)))
    # One Newton step on the residual leaves a correctly rounded value but for rare ties.
    square, square_low = e.two_product(t, t)
    cube, cube_low = e.two_product(square, t)
    residual = e.sub(e.sub(e.sub(scaled, cube), cube_low), e.mul(square_low, t))
    t = e.add(t, e.div(residual, e.mul(e.c(3.0), square)))
    t = e.mul(t, e.select(tiny, e.c(2.0**-100), e.select(huge, e.c(2.0**100), e.c(1.0))))
    result = e.copysign(t, x)
    regular = e.cmp("olt", e.abs(e.sub(x, x)), e.c(INF))
    regular = e.builder.insert(arith.AndIOp(regular, e.cmp("one", x, e.c(0.0)))).results[0]
    return e.select(regular, result, x)


__all__ = ["cbrt", "refines_root", "rsqrt", "sqrt"]
