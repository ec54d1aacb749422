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
from xdsl.dialects.builtin import VectorType, i1
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
    special = e.icmp("uge", e.isub(e.to_bits(x), e.ci(low)), e.ci(infinite - low))
    branch = scf.IfOp(_any_but_zero(e, special, x), [x.type], Region(Block()), Region(Block()))
    e.builder.insert(branch)
    exact = e.in_block(branch.true_region.block)
    exact.builder.insert(scf.YieldOp(exact.builder.insert(upstream.SqrtOp(x)).result))
    quick = e.in_block(branch.false_region.block)
    quick.builder.insert(scf.YieldOp(_refined(quick, x)))
    return branch.results[0]


def _any_but_zero(e: Emitter, special: SSAValue, x: SSAValue) -> SSAValue:
    """Whether a special lane is none with a zero, which is asked only where there are special ones."""
    branch = scf.IfOp(any_lane(e, special), [i1], Region(Block()), Region(Block()))
    e.builder.insert(branch)
    inner = e.in_block(branch.true_region.block)
    other = inner.icmp("ne", inner.to_bits(x), inner.ci(0))
    both = inner.builder.insert(arith.AndIOp(special, other)).result
    inner.builder.insert(scf.YieldOp(any_lane(inner, both)))
    branch.false_region.block.add_op(scf.YieldOp(e.constants.get(i1, 0)))
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


_GUESSES = {True: 0x54A1F800, False: 0x553EE900}
"""Less a third of the bits of x (of their upper half in f64), these are those of a number within 4 % of x^(-1/3)."""
_CUBE_SCALES = {True: (-60.0, 100.0, 24.0), False: (-900.0, 900.0, 100.0)}
"""Powers of two below and above which numbers are scaled, by the cube of the third, so that what is left of a cube is a normal number."""


def cbrt(e: Emitter, x: SSAValue) -> SSAValue:
    """Cube root: x r^2 of an inverse root r, which begins as a third of the bits of x and is refined without a division."""
    magnitude = e.abs(x)
    low, high, step = _CUBE_SCALES[e.is_f32]
    tiny, huge = e.cmp("olt", magnitude, e.c(2.0**low)), e.cmp("ogt", magnitude, e.c(2.0**high))
    factor = e.select(tiny, e.c(8.0**step), e.select(huge, e.c(8.0**-step), e.c(1.0)))
    scaled = e.mul(magnitude, factor)
    r = _better_inverse_cbrt(e, scaled, _inverse_cbrt_guess(e, scaled))
    r = _better_inverse_cbrt(e, scaled, r, 2 if e.is_f32 else 3)
    # One step on what is left of the root leaves a correctly rounded value but for rare ties.
    inverse_square = e.mul(r, r)
    t = e.mul(scaled, inverse_square)
    square, square_low = e.two_product(t, t)
    cube, cube_low = e.two_product(square, t)
    residual = e.sub(e.sub(e.sub(scaled, cube), cube_low), e.mul(square_low, t))
    t = e.fma(residual, e.mul(inverse_square, e.c(1 / 3)), t)
    t = e.mul(t, e.select(tiny, e.c(2.0**-step), e.select(huge, e.c(2.0**step), e.c(1.0))))
    # The guess for zero is a number, and zero times it is zero.
    return e.copysign(e.select(e.cmp("oeq", magnitude, e.c(INF)), magnitude, t), x)


def _inverse_cbrt_guess(e: Emitter, x: SSAValue) -> SSAValue:
    if e.is_f32:
        third = e.mul(e.int_to_float(e.to_bits(x)), e.c(1 / 3))
        bits = e.builder.insert(arith.FPToSIOp(third, e.int_type)).result  # pyright: ignore[reportArgumentType]
        return e.to_float(e.isub(e.ci(_GUESSES[True]), bits))
    # The upper half of the bits becomes a float, and a third of it an integer, as the last bits of sums.
    one = e.ci((e.bias + e.mantissa) << e.mantissa)
    upper = e.sub(e.to_float(e.or_(e.shr(e.to_bits(x), 32), one)), e.c(2.0**52))
    third = e.isub(e.to_bits(e.fma(upper, e.c(1 / 3), e.c(2.0**52))), one)
    return e.to_float(e.shl(e.isub(e.ci(_GUESSES[False]), third), 32))


def _better_inverse_cbrt(e: Emitter, x: SSAValue, r: SSAValue, terms: int = 3) -> SSAValue:
    """R (1 - d)^(-1/3), with d = 1 - x r^3 small, to d^terms."""
    rest = e.fma(e.neg(e.mul(x, e.mul(r, r))), r, e.c(1.0))
    series = e.poly(rest, (14 / 81, 2 / 9, 1 / 3)[3 - terms :])
    return e.fma(e.mul(r, rest), series, r)


__all__ = ["cbrt", "refines_root", "rsqrt", "sqrt"]
