"""Whether a region is associative, as far as trying it can tell.

StableHLO asks that of the region of a reduction, and lets elements be grouped in any way. Programs break the rule (`a * 0.9 + b`,
`a + |b|`, a maximum that loses a NaN), and mean what going from one element to the next gives. So the region is done on many
triples of numbers, `f(f(a, b), c)` beside `f(a, f(b, c))`; where these differ by more than rounding, elements are reduced in turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from xdsl.dialects.builtin import Float32Type, Float64Type, IntegerType, ModuleOp
from xdsl.ir import Attribute, Block

from stepwell.ir.dtypes import byte_width, numpy_dtype
from stepwell.ir.interpreter import Interpreter

TRIPLES = 1024
"""Triples that are tried."""
APART = 0.04
"""The share of triples that may differ: what rounds badly, as a quotient by a sum that is nearly 0."""

Array = Any


def is_associative(region: Block) -> bool:
    """Whether a region on two tuples of numbers gives the same in both groupings."""
    from stepwell.dialects.interp import arith, math  # only programs with such regions pay for them

    interpreter = Interpreter(ModuleOp([]), {**arith.RULES, **math.RULES})
    kinds = [a.type for a in region.args[: len(region.args) // 2]]
    if any(op.name not in interpreter.rules for op in region.ops if op is not region.last_op):
        return False

    def combine(left: Sequence[Array], right: Sequence[Array]) -> list[Array]:
        results = interpreter.run_block(region, (*left, *right))
        return [np.broadcast_to(np.asarray(r), left[0].shape) for r in results]

    rng = np.random.default_rng(0)
    for nans in (0.0, 0.2) if any(not isinstance(k, IntegerType) for k in kinds) else (0.0,):
        a, b, c = ([_sample(rng, kind, nans) for kind in kinds] for _ in range(3))
        with np.errstate(all="ignore"):
            first, second = combine(combine(a, b), c), combine(a, combine(b, c))
        same = np.logical_and.reduce([_equal(x, y, k) for x, y, k in zip(first, second, kinds, strict=True)])
        if np.mean(same) < 1 - APART:
            return False
    return True


def _sample(rng: np.random.Generator, kind: Attribute, nans: float) -> Array:
    """Numbers of a type, of both signs and none far from 1."""
    if isinstance(kind, IntegerType):
        width = kind.width.data
        if width == 1:
            return rng.random(TRIPLES) < 0.5
        return rng.integers(-min(8, 1 << (width - 1)), min(8, 1 << (width - 1)), TRIPLES).astype(numpy_dtype(kind))
    numbers = rng.standard_normal(TRIPLES) * 2
    numbers[rng.random(TRIPLES) < nans] = np.nan
    return numbers.astype(numpy_dtype(kind))


def _equal(x: Array, y: Array, kind: Attribute) -> Array:
    """Where two results are the same but for rounding; NaN is NaN."""
    if isinstance(kind, IntegerType):
        return x == y
    x, y = x.astype(np.float64), y.astype(np.float64)
    loose = 1e-3 if isinstance(kind, Float32Type | Float64Type) else 0.1 if byte_width(kind) == 2 else 0.5
    with np.errstate(all="ignore"):
        near = abs(x - y) <= loose * (1 + np.maximum(abs(x), abs(y)))
    return near | (x == y) | (np.isnan(x) & np.isnan(y))


__all__ = ["is_associative"]
