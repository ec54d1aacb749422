"""Canonicalization of `math`: folding of the functions that are exact (rounded once) on every machine.

Transcendental functions are not folded: what the program computes at run time and what the compiler
computes would differ in the last place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from xdsl.ir import Attribute, Operation, SSAValue

from stepwell.dialects.canonicalize.constants import float_like, int_of, integer_like, numpy_scalar, width_of, wrap
from stepwell.ir.rewriting import Folder, Pattern

_FLOAT_RULES: dict[str, Callable[[Any], Any]] = {
    "math.absf": np.abs,
    "math.ceil": np.ceil,
    "math.floor": np.floor,
    "math.roundeven": np.rint,
    "math.sqrt": np.sqrt,
    "math.trunc": np.trunc,
}

_IDEMPOTENT = frozenset({"math.absf", "math.absi", "math.ceil", "math.floor", "math.roundeven", "math.trunc"})


def _same_op_inside(op: Operation) -> SSAValue | None:
    inner = op.operands[0].owner
    if op.name in _IDEMPOTENT and isinstance(inner, Operation) and inner.name == op.name:
        return op.operands[0]
    return None


def _fold_float(op: Operation, constants: Sequence[Attribute | None]) -> Sequence[SSAValue | Attribute] | None:
    if (same := _same_op_inside(op)) is not None:
        return (same,)
    value = numpy_scalar(constants[0])
    if value is None or np.isnan(value):
        return None
    with np.errstate(all="ignore"):
        result = float_like(op.results[0].type, type(value)(_FLOAT_RULES[op.name](value)))
    return None if result is None else (result,)


def _fold_absi(op: Operation, constants: Sequence[Attribute | None]) -> Sequence[SSAValue | Attribute] | None:
    if (same := _same_op_inside(op)) is not None:
        return (same,)
    value = int_of(constants[0])
    if value is None:
        return None
    result = integer_like(op.results[0].type, abs(wrap(value, width_of(op.operands[0].type))))
    return None if result is None else (result,)


FOLDERS: dict[str, Folder] = {**dict.fromkeys(_FLOAT_RULES, _fold_float), "math.absi": _fold_absi}

PATTERNS: dict[str, tuple[Pattern, ...]] = {}
