"""Division of vectors by one number, or by a vector that a loop does not change, correctly rounded, by the reciprocal.

Wide vectors are divided in many cycles and multiplied in one. With y the correctly rounded reciprocal of b, two steps of
`q + y (a - b q)`, each difference exact by a fused step, end at the correctly rounded quotient (Markstein's theorem): the
first leaves q within a unit of the last place, the second rounds once. That holds as long as nothing over- or underflows:
other lanes, but zeros, are divided, all lanes with them. Reciprocals of a vector are taken before the loop.
"""

from __future__ import annotations

from collections.abc import Callable

from xdsl.dialects import arith, scf
from xdsl.dialects import vector as upstream
from xdsl.dialects.builtin import Float32Type, VectorType, f32
from xdsl.ir import Block, Region, SSAValue

from stepwell.passes.math_expansions.emitter import Emitter
from stepwell.passes.math_expansions.lanes import any_lane

DIVISOR, DIVIDEND = 30, 90
"""Magnitudes between 2^-n and 2^n are safe: quotients are normal, and so are the differences that are left."""


def scalar_divisor(op: arith.DivfOp) -> SSAValue | None:
    """The one number that a vector of f32 is divided by, which may be a smaller float; None where there are several."""
    kind = op.result.type
    if not isinstance(kind, VectorType) or not isinstance(kind.element_type, Float32Type):
        return None
    source = op.rhs.owner.input if isinstance(op.rhs.owner, arith.ExtFOp) else op.rhs
    if not isinstance(source.owner, upstream.BroadcastOp):
        return None
    number = source.owner.source
    return None if isinstance(number.type, VectorType) or isinstance(number.owner, arith.ConstantOp) else number


def _magnitude_within(e: Emitter, x: SSAValue, power: int) -> SSAValue:
    """Whether 2^-power <= |x| <= 2^power."""
    low, high = (e.bias - power) << e.mantissa, (e.bias + power) << e.mantissa
    bits = e.and_(e.to_bits(x), e.ci((1 << e.bits - 1) - 1))
    return e.icmp("ule", e.isub(bits, e.ci(low)), e.ci(high - low))


def invariant_divisor(op: arith.DivfOp) -> scf.ForOp | None:
    """The innermost loop around a division of vectors of f32, where it does not change what is divided by."""
    kind, loop = op.result.type, op.parent_op()
    if not isinstance(kind, VectorType) or not isinstance(kind.element_type, Float32Type):
        return None
    if not isinstance(loop, scf.ForOp) or isinstance(op.rhs.owner, arith.ConstantOp):
        return None
    block = op.rhs.owner if isinstance(op.rhs.owner, Block) else op.rhs.owner.parent
    return loop if block is not None and not loop.is_ancestor(block) else None


def divide(e: Emitter, a: SSAValue, b: SSAValue, number: SSAValue) -> SSAValue:
    """`a / b` where every lane of b is `number`."""
    scalar = e.of(f32)
    if number.type != f32:
        number = e.builder.insert(arith.ExtFOp(number, f32)).result
    unsafe = scalar.not_(_magnitude_within(scalar, number, DIVISOR))

    def reciprocal(quick: Emitter) -> tuple[SSAValue, SSAValue]:
        scalar = quick.of(f32)
        factors = scalar.div(scalar.c(1.0), number), scalar.neg(number)
        y, minus_b = (quick.builder.insert(upstream.BroadcastOp(f, a.type)).results[0] for f in factors)  # pyright: ignore
        return y, minus_b

    return _by_reciprocal(e, a, b, unsafe, reciprocal)


def divide_in_loop(e: Emitter, before: Emitter, a: SSAValue, b: SSAValue) -> SSAValue:
    """`a / b` in a loop that does not change b; `before` emits in front of it."""
    unsafe = any_lane(before, before.not_(_magnitude_within(before, b, DIVISOR)))
    factors = before.div(before.c(1.0), b), before.neg(b)
    return _by_reciprocal(e, a, b, unsafe, lambda _: factors)


def _by_reciprocal(
    e: Emitter,
    a: SSAValue,
    b: SSAValue,
    unsafe: SSAValue,
    reciprocal: Callable[[Emitter], tuple[SSAValue, SSAValue]],
) -> SSAValue:
    """`a / b`, by 1 / b and -b unless some b is `unsafe` or some a: then by division."""
    zero = e.cmp("oeq", a, e.c(0.0))
    safe = e.builder.insert(arith.OrIOp(_magnitude_within(e, a, DIVIDEND), zero)).result
    fails = e.builder.insert(arith.OrIOp(any_lane(e, e.not_(safe)), unsafe)).result
    branch = scf.IfOp(fails, [a.type], Region(Block()), Region(Block()))
    e.builder.insert(branch)
    exact = e.in_block(branch.true_region.block)
    exact.builder.insert(scf.YieldOp(exact.div(a, b)))

    e = e.in_block(branch.false_region.block)
    y, minus_b = reciprocal(e)
    first = e.mul(a, y)
    q = first
    for _ in range(2):
        q = e.fma(e.fma(minus_b, q, a), y, q)
    e.builder.insert(scf.YieldOp(e.select(zero, first, q)))
    return branch.results[0]


def quotient(e: Emitter, a: SSAValue, b: SSAValue) -> SSAValue:
    """`a / b` to a unit of the last place, where |b| and the quotient are far from over- and underflow: for parts of functions.

    Elsewhere, and where b is infinite, it may be NaN.
    """
    if not e.has_estimates:
        return e.div(a, b)
    y = e.reciprocal_estimate(b)
    rest = e.fma(e.neg(b), y, e.c(1.0))
    y = e.fma(y, rest if e.is_f32 else e.fma(rest, rest, rest), y)
    q = e.mul(a, y)
    return e.fma(e.fma(e.neg(b), q, a), y, q)


__all__ = ["divide", "divide_in_loop", "invariant_divisor", "quotient", "scalar_divisor"]
