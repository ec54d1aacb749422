"""Building scalar code inside a generic's body.

StableHLO types carry signedness and bodies do not, so each rule asks for the kind of the element type as written.
"""

from __future__ import annotations

import math as pymath
from collections.abc import Callable
from typing import Any

import numpy as np
from xdsl.dialects import arith
from xdsl.dialects.builtin import (
    BFloat16Type,
    ComplexType,
    Float16Type,
    Float32Type,
    Float64Type,
    FloatAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    Signedness,
    TensorType,
)
from xdsl.ir import Attribute, Operation, SSAValue

from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.diagnostics import unsupported

FLOAT, SIGNED, UNSIGNED, BOOL = "float", "signed", "unsigned", "bool"


def element_type(value: SSAValue) -> Attribute:
    """The element type of a tensor value, as written (with signedness)."""
    return value.type.get_element_type() if isinstance(value.type, TensorType) else value.type


def kind_of(element: Attribute, op: Operation) -> str:
    """What arithmetic an element type asks for: float, signed, unsigned or bool.

    Raises:
        UnsupportedError: complex and other types without scalar arithmetic here.
    """
    if isinstance(element, IntegerType):
        if element.width.data == 1:
            return BOOL
        return UNSIGNED if element.signedness.data == Signedness.UNSIGNED else SIGNED
    if isinstance(element, ComplexType):
        raise unsupported(op, "complex numbers are not lowered", "run split-complex first")
    if hasattr(element, "bitwidth"):
        return FLOAT
    raise unsupported(op, f"element type {element} has no scalar arithmetic")


def signless_element(element: Attribute) -> Attribute:
    """The signless counterpart of an integer element type; other types as they are."""
    if isinstance(element, IntegerType) and element.signedness.data != Signedness.SIGNLESS:
        return IntegerType(element.width.data)
    return element


def width_of(element: Attribute) -> int:
    """Bits of an integer or float type."""
    return int(element.bitwidth)  # pyright: ignore


def is_small_float(element: Attribute) -> bool:
    """True for floats below f32."""
    return not isinstance(element, Float32Type | Float64Type | ComplexType | IntegerType | IndexType)


class Scalars:
    """Inserts scalar ops at the end of one body and shares its constants."""

    def __init__(self, builder: LocatedBuilder):
        self.builder = builder
        self._constants: dict[tuple[str, str], SSAValue] = {}

    def __call__(self, cls: Callable[..., Operation], *operands: Any) -> SSAValue:
        """Insert `cls(*operands)` and return its result."""
        return self.builder.insert(cls(*operands)).results[0]

    def constant(self, value: float | IntegerAttr[Any] | FloatAttr[Any], a_type: Attribute) -> SSAValue:
        """A scalar constant, built once per body."""
        attribute = value if isinstance(value, IntegerAttr | FloatAttr) else scalar_attr(value, a_type)
        key = (repr(attribute.value.data), str(a_type))
        if key not in self._constants:
            self._constants[key] = self(arith.ConstantOp, attribute)
        return self._constants[key]

    def select(self, condition: SSAValue, on_true: SSAValue, on_false: SSAValue) -> SSAValue:
        """`arith.select`."""
        return self(arith.SelectOp, condition, on_true, on_false)

    def cmpi(self, predicate: str, lhs: SSAValue, rhs: SSAValue) -> SSAValue:
        """`arith.cmpi`."""
        return self(arith.CmpiOp, lhs, rhs, predicate)

    def cmpf(self, predicate: str, lhs: SSAValue, rhs: SSAValue) -> SSAValue:
        """`arith.cmpf`."""
        return self(arith.CmpfOp, lhs, rhs, predicate)

    def like(self, value: float, other: SSAValue) -> SSAValue:
        """A constant of the type of another value."""
        return self.constant(value, other.type)

    def extend_float(self, value: SSAValue, a_type: Attribute) -> SSAValue:
        """A float widened to `a_type` (the value itself when it has that type)."""
        return value if value.type == a_type else self(arith.ExtFOp, value, a_type)

    def index_constant(self, value: int) -> SSAValue:
        """An `index` constant."""
        return self.constant(value, IndexType())


def scalar_attr(value: float, a_type: Attribute) -> IntegerAttr[Any] | FloatAttr[Any]:
    """A scalar attribute; integers wrap to the width, so unsigned values may be given."""
    if isinstance(a_type, IntegerType):
        return IntegerAttr(wrap(int(value), a_type.width.data), a_type)
    if isinstance(a_type, IndexType):
        return IntegerAttr(int(value), a_type)
    return FloatAttr(float(value), a_type)  # pyright: ignore


def wrap(value: int, width: int) -> int:
    """The signed reading of the low `width` bits (1 bit: 0 or 1)."""
    low = value & ((1 << width) - 1)
    return low - (1 << width) if width > 1 and low >> (width - 1) else low


def known(value: SSAValue) -> float | int | None:
    """The value of a scalar constant, None when it is not one."""
    owner = value.owner
    if not isinstance(owner, arith.ConstantOp) or not isinstance(owner.value, IntegerAttr | FloatAttr):
        return None
    return owner.value.value.data


def float_limit(element: Attribute) -> float:
    """The largest finite value of a float type."""
    if isinstance(element, Float64Type):
        return float(np.finfo(np.float64).max)
    if isinstance(element, Float32Type):
        return float(np.finfo(np.float32).max)
    if isinstance(element, BFloat16Type):
        return float.fromhex("0x1.fep127")
    if isinstance(element, Float16Type):
        return 65504.0
    return pymath.inf
