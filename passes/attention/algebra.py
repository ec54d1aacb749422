"""What a softmax passes back, whichever way it is written: sums of products of a few symbols.

The symbols of a row are its exponentials e, what is passed back to its weights g, Z = sum e and D = sum e * g. The weights are
e / Z, and what the softmax passes back to the scores is w * (g - sum w * g) = e * g / Z - D * e / Z^2: JAX, torch and people
write it in several ways, which are all this when multiplied out.
"""

from __future__ import annotations

from math import prod

from xdsl.dialects.builtin import FloatAttr
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import stablehlo
from stepwell.passes.attention.matching import DOT, MOST_OPS, Attention, is_float_cast, is_lossless
from stepwell.passes.attention.tracing import (
    ZERO,
    Exprs,
    dim_of,
    element_of,
    identity,
    moved,
    same_place,
    shape_of,
    splat_of,
)

Powers = tuple[int, int, int, int]
"""Of e, g, Z and D."""
Terms = dict[Powers, float]
"""A sum of products of powers, by their factors."""
MOST_TERMS = 4
WEIGHTS: Terms = {(1, 0, -1, 0): 1.0}
GIVEN: Terms = {(0, 1, 0, 0): 1.0}
"""What is passed back to the weights. Neither is rounded to what it is multiplied with or made of."""
PASSED: Terms = {(1, 1, -1, 0): 1.0, (1, 0, -2, 1): -1.0}
"""What a softmax passes back to its scores."""


class Algebra:
    """Reads values as terms, at places over the space of the scores."""

    passed: tuple[DOT, Exprs] | None = None
    """The product that is passed back to the weights, and its element for a score."""

    def __init__(self, found: Attention, exponentials: SSAValue):
        self.found = found
        self.exponentials = exponentials
        self.volume = prod(shape_of(found.scores))
        self.looked_at = 0
        self.known: dict[tuple[SSAValue, Exprs], Terms | None] = {}

    def terms(self, value: SSAValue, exprs: Exprs) -> Terms | None:
        """An element as terms; None where it is something else."""
        key = (value, exprs)
        if key not in self.known:
            # Also bounds how deep this goes.
            self.looked_at += 1
            self.known[key] = self._read(value, exprs) if self.looked_at <= MOST_OPS else None
        return self.known[key]

    def _read(self, value: SSAValue, exprs: Exprs) -> Terms | None:
        if value is self.exponentials:
            return {(1, 0, 0, 0): 1.0} if same_place(exprs, identity(self.found.rank), shape_of(value)) else None
        op = value.owner
        if not isinstance(op, Operation):
            return None
        constant = splat_of(value)
        if isinstance(constant, FloatAttr):
            return {(0, 0, 0, 0): constant.value.data}
        if isinstance(op, DOT):
            return self._product(op, exprs)
        before = moved(op, exprs)
        if before is not None:
            return self.terms(op.operands[0], before)
        if is_float_cast(op):
            made = self.terms(op.operands[0], exprs)
            return made if is_lossless(op) or made in (WEIGHTS, GIVEN) else None
        # Only numbers of the softmax's type: others round after every op.
        if element_of(value) != element_of(self.exponentials):
            return None
        if isinstance(op, stablehlo.ReduceOp):
            return self._sum(op, exprs)
        return self._pointwise(op, exprs)

    def _product(self, op: DOT, exprs: Exprs) -> Terms | None:
        shape = shape_of(op.result)
        if (
            op is self.found.product
            or prod(shape) != self.volume
            or any(n < 0 for v in op.operands for n in shape_of(v))
        ):
            return None
        if self.passed is None:
            self.passed = (op, exprs)
        same = self.passed[0] is op and same_place(exprs, self.passed[1], shape)
        return {(0, 1, 0, 0): 1.0} if same else None

    def _pointwise(self, op: Operation, exprs: Exprs) -> Terms | None:
        kinds = (stablehlo.AddOp, stablehlo.SubtractOp, stablehlo.MultiplyOp, stablehlo.DivideOp, stablehlo.NegateOp)
        if not isinstance(op, kinds):
            return None
        sides = [self.terms(o, exprs if shape_of(o) else ()) for o in op.operands]
        left, right = sides[0], sides[-1]
        if left is None or right is None:
            return None
        if isinstance(op, stablehlo.NegateOp):
            return {powers: -factor for powers, factor in left.items()}
        if isinstance(op, stablehlo.AddOp | stablehlo.SubtractOp):
            return _added(left, right, 1 if isinstance(op, stablehlo.AddOp) else -1)
        if isinstance(op, stablehlo.DivideOp):
            inverse = _inverse(right)
            return None if inverse is None else _multiplied(left, inverse)
        return _multiplied(left, right)

    def _sum(self, op: stablehlo.ReduceOp, exprs: Exprs) -> Terms | None:
        """A sum along the keys, or along dims of one element."""
        start, body = splat_of(op.init_values[0]), list(op.body.block.ops)
        plain = len(op.inputs) == 1 and isinstance(start, FloatAttr) and start.value.data == 0.0
        if not plain or len(body) != 2 or not isinstance(body[0], stablehlo.AddOp):
            return None
        if set(body[0].operands) != set(op.body.block.args):
            return None
        key, shape = self.found.key_dim, shape_of(op.inputs[0])
        axes = list(op.dimensions.get_values())
        large = [d for d in axes if shape[d] > 1]
        if len(large) > 1 or (large and key in [dim_of(e) for e in exprs]):
            return None
        kept = iter(exprs)
        place = tuple(
            (AffineExpr.dimension(key) if d in large else ZERO) if d in axes else next(kept) for d in range(len(shape))
        )
        inner = self.terms(op.inputs[0], place)
        if inner is None or not large:
            return inner
        total: Terms = {}
        for (e, g, z, d), factor in inner.items():
            if (e, g) not in ((1, 0), (1, 1)):
                return None
            total = _added(total, {(0, 0, z + 1 - g, d + g): factor}, 1)
        return total


def _added(left: Terms, right: Terms, sign: int) -> Terms:
    total = dict(left)
    for powers, factor in right.items():
        total[powers] = total.get(powers, 0.0) + sign * factor
    return {powers: factor for powers, factor in total.items() if factor}


def _multiplied(left: Terms, right: Terms) -> Terms | None:
    total: Terms = {}
    for a, x in left.items():
        for b, y in right.items():
            e, g, z, d = (i + j for i, j in zip(a, b, strict=True))
            total = _added(total, {(e, g, z, d): x * y}, 1)
    return total if len(total) <= MOST_TERMS else None


def _inverse(terms: Terms) -> Terms | None:
    """One over a single term of sums; nothing is divided by what is passed back."""
    if len(terms) != 1:
        return None
    ((e, g, z, d), factor) = next(iter(terms.items()))
    return None if g or d or not factor else {(-e, 0, -z, 0): 1.0 / factor}


__all__ = ["PASSED", "Algebra", "Terms"]
