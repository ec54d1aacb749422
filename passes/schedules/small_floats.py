"""Small floats kept in the wider one that they are computed in, while a kernel works on them.

`arith.truncf ... {exact}` says that a number is one of the small float already: nothing is rounded, and widening it again is
the number itself (`expand-math`).
"""

from __future__ import annotations

from xdsl.dialects import arith
from xdsl.dialects.builtin import AnyFloat, UnitAttr, f32
from xdsl.ir import Attribute, SSAValue
from xdsl.utils.type import get_element_type_or_self

from stepwell.dialects.arith import with_element_type
from stepwell.ir.dtypes import byte_width
from stepwell.passes.schedules.emit import Emitter

EXACT = "exact"
"""Attribute of a narrowing that changes no number."""


def wide_type(kind: Attribute) -> Attribute:
    """What a number is kept as: f32 for a float of less."""
    return f32 if isinstance(kind, AnyFloat) and byte_width(kind) < byte_width(f32) else kind


def widen(em: Emitter, value: SSAValue) -> SSAValue:
    """A number, or lanes of them, as they are kept."""
    kind = get_element_type_or_self(value.type)
    if wide_type(kind) == kind:
        return value
    return em.add(arith.ExtFOp(value, with_element_type(value.type, f32))).result  # pyright: ignore[reportArgumentType]


def narrow(em: Emitter, value: SSAValue, kind: Attribute) -> SSAValue:
    """What was kept, as the numbers that it is."""
    if get_element_type_or_self(value.type) == kind:
        return value
    op = arith.TruncFOp(value, with_element_type(value.type, kind))  # pyright: ignore[reportArgumentType]
    op.attributes[EXACT] = UnitAttr()
    return em.add(op).result


__all__ = ["EXACT", "narrow", "wide_type", "widen"]
