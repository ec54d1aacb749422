"""A small vocabulary for writing numeric algorithms as `arith` ops, on scalars and vectors alike.

An `Emitter` is bound to one value type (f32 or f64, scalar or vector of any shape) and a place to insert; constants go once to the
front of the enclosing function, so that they stay out of loops.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import (
    DenseIntOrFPElementsAttr,
    Float32Type,
    FloatAttr,
    IntegerAttr,
    IntegerType,
    VectorType,
    f32,
    f64,
)
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.rewriter import InsertPoint
from xdsl.utils.type import get_element_type_or_self

from stepwell.dialects.arith import with_element_type
from stepwell.dialects.math import ReciprocalEstimateOp, RsqrtEstimateOp, ScaleBOp
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.machine import MachineDescription

LONG = 10
"""Coefficients from which on a polynomial takes longer than a core has other work for meanwhile."""


class Constants:
    """Constants of one function, deduplicated, at the front of its entry block."""

    def __init__(self, block: Block):
        self._block = block
        self._known: dict[tuple[Attribute, str], SSAValue] = {}

    def get(self, type_: Attribute, value: float | int) -> SSAValue:
        """A constant of scalar or vector type `type_`."""
        key = (type_, repr(value))
        if key not in self._known:
            element = get_element_type_or_self(type_)
            if isinstance(type_, VectorType):
                attr = DenseIntOrFPElementsAttr.from_list(type_, [value])  # pyright: ignore
            elif isinstance(element, IntegerType):
                attr = IntegerAttr(int(value), element, truncate_bits=True)
            else:
                attr = FloatAttr(value, element)  # pyright: ignore
            op = arith.ConstantOp(attr, type_)
            first = self._block.first_op
            if first is None:
                self._block.add_op(op)
            else:
                self._block.insert_op_before(op, first)
            self._known[key] = op.result
        return self._known[key]


class Emitter:
    """Inserts arithmetic of one float type at a builder's position."""

    def __init__(self, builder: LocatedBuilder, constants: Constants, type_: Attribute, machine: MachineDescription):
        self.builder = builder
        self.constants = constants
        self.type = type_
        self.machine = machine
        self.has_fma = machine.has_fma
        in_lanes = isinstance(type_, VectorType)
        self.has_scaleb = in_lanes and machine.has_scaleb
        self.has_estimates = in_lanes and machine.has_estimates and machine.has_fma
        element = get_element_type_or_self(type_)
        self.is_f32 = isinstance(element, Float32Type)
        self.bits = 32 if self.is_f32 else 64
        self.mantissa = 23 if self.is_f32 else 52
        self.bias = 127 if self.is_f32 else 1023
        self.int_type = with_element_type(type_, IntegerType(self.bits))
        self.bool_type = with_element_type(type_, IntegerType(1))

    def _add(self, op: Operation) -> SSAValue:
        return self.builder.insert(op).results[0]

    def wide(self) -> Emitter:
        """The same place, computing in f64."""
        return self.of(with_element_type(self.type, f64))

    def narrow(self) -> Emitter:
        """The same place, computing in f32."""
        return self.of(with_element_type(self.type, f32))

    def of(self, type_: Attribute) -> Emitter:
        """The same place, computing in another type."""
        return Emitter(self.builder, self.constants, type_, self.machine)

    def in_block(self, block: Block) -> Emitter:
        """The same at the end of a block."""
        builder = LocatedBuilder(InsertPoint.at_end(block), self.builder.location)
        return Emitter(builder, self.constants, self.type, self.machine)

    def pick(self, for_f32: Sequence[float], for_f64: Sequence[float]) -> Sequence[float]:
        """The coefficients of this type."""
        return for_f32 if self.is_f32 else for_f64

    # Constants ----------------------------------------------------------------------------------------------------
    def c(self, value: float) -> SSAValue:
        """A float constant, rounded to the type."""
        if self.is_f32:
            value = struct.unpack("<f", struct.pack("<f", value))[0]
        return self.constants.get(self.type, value)

    def ci(self, value: int) -> SSAValue:
        """An integer constant as wide as the type (two's complement)."""
        if value >= 1 << (self.bits - 1):
            value -= 1 << self.bits
        return self.constants.get(self.int_type, value)

    # Floats -------------------------------------------------------------------------------------------------------
    def add(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """A + b."""
        return self._add(arith.AddfOp(a, b))

    def sub(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """A - b."""
        return self._add(arith.SubfOp(a, b))

    def mul(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """A * b."""
        return self._add(arith.MulfOp(a, b))

    def div(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """A / b."""
        return self._add(arith.DivfOp(a, b))

    def neg(self, a: SSAValue) -> SSAValue:
        """-a."""
        return self._add(arith.NegfOp(a))

    def abs(self, a: SSAValue) -> SSAValue:
        """|a|."""
        return self._add(math.AbsFOp(a))

    def sqrt(self, a: SSAValue) -> SSAValue:
        """Square root, correctly rounded."""
        return self._add(math.SqrtOp(a))

    def floor(self, a: SSAValue) -> SSAValue:
        """Largest integer not above a."""
        return self._add(math.FloorOp(a))

    def copysign(self, magnitude: SSAValue, sign: SSAValue) -> SSAValue:
        """|magnitude| with the sign of `sign`."""
        return self._add(math.CopySignOp(magnitude, sign))

    def fma(self, a: SSAValue, b: SSAValue, c: SSAValue) -> SSAValue:
        """A * b + c, fused where the target fuses; use only where a rounding of the product does not matter."""
        if self.has_fma:
            return self._add(math.FmaOp(a, b, c))
        return self.add(self.mul(a, b), c)

    def poly(self, x: SSAValue, coefficients: Sequence[float]) -> SSAValue:
        """Horner's rule, highest degree first; long polynomials by odd and even powers, which need not wait for each other."""
        if len(coefficients) >= LONG:
            square = self.mul(x, x)
            # The last coefficient is that of an even power.
            odd, even = coefficients[-2::-2][::-1], coefficients[-1::-2][::-1]
            return self.fma(self.poly(square, odd), x, self.poly(square, even))
        result = self.c(coefficients[0])
        for coefficient in coefficients[1:]:
            result = self.fma(result, x, self.c(coefficient))
        return result

    def two_product(self, a: SSAValue, b: SSAValue) -> tuple[SSAValue, SSAValue]:
        """A * b as an unevaluated sum high + low, exact (Dekker's splitting without FMA)."""
        high = self.mul(a, b)
        if self.has_fma:
            return high, self._add(math.FmaOp(a, b, self.neg(high)))
        a1, a2 = self._split(a)
        b1, b2 = self._split(b)
        error = self.sub(self.mul(a1, b1), high)
        error = self.add(self.add(error, self.mul(a1, b2)), self.mul(a2, b1))
        return high, self.add(error, self.mul(a2, b2))

    def _split(self, a: SSAValue) -> tuple[SSAValue, SSAValue]:
        mask = -(1 << (12 if self.is_f32 else 27))
        high = self.to_float(self.and_(self.to_bits(a), self.ci(mask)))
        return high, self.sub(a, high)

    def two_sum(self, a: SSAValue, b: SSAValue) -> tuple[SSAValue, SSAValue]:
        """A + b as high + low, exact (Knuth)."""
        high = self.add(a, b)
        b1 = self.sub(high, a)
        a1 = self.sub(high, b1)
        return high, self.add(self.sub(a, a1), self.sub(b, b1))

    # Comparisons and choice ---------------------------------------------------------------------------------------
    def cmp(self, predicate: str, a: SSAValue, b: SSAValue) -> SSAValue:
        """Float comparison (`olt`, `oge`, `uno`, ...)."""
        return self._add(arith.CmpfOp(a, b, predicate))

    def icmp(self, predicate: str, a: SSAValue, b: SSAValue) -> SSAValue:
        """Integer comparison (`eq`, `slt`, `ult`, ...)."""
        return self._add(arith.CmpiOp(a, b, predicate))

    def select(self, condition: SSAValue, a: SSAValue, b: SSAValue) -> SSAValue:
        """Condition ? a : b, lane by lane."""
        return self._add(arith.SelectOp(condition, a, b))

    def at_most(self, a: SSAValue, limit: float) -> SSAValue:
        """The smaller of a and limit; NaN stays NaN."""
        bound = self.c(limit)
        return self.select(self.cmp("ogt", a, bound), bound, a)

    def at_least(self, a: SSAValue, limit: float) -> SSAValue:
        """The larger of a and limit; NaN stays NaN."""
        bound = self.c(limit)
        return self.select(self.cmp("olt", a, bound), bound, a)

    # Integers and bits ---------------------------------------------------------------------------------------------
    def to_bits(self, a: SSAValue) -> SSAValue:
        """The bit pattern of a float."""
        return self._add(arith.BitcastOp(a, self.int_type))

    def to_float(self, a: SSAValue) -> SSAValue:
        """The float of a bit pattern."""
        return self._add(arith.BitcastOp(a, self.type))

    def iadd(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """Integer a + b."""
        return self._add(arith.AddiOp(a, b))

    def isub(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """Integer a - b."""
        return self._add(arith.SubiOp(a, b))

    def imul(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """Integer a * b."""
        return self._add(arith.MuliOp(a, b))

    def and_(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """Bitwise and."""
        return self._add(arith.AndIOp(a, b))

    def or_(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """Bitwise or."""
        return self._add(arith.OrIOp(a, b))

    def xor(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """Bitwise exclusive or."""
        return self._add(arith.XOrIOp(a, b))

    def shl(self, a: SSAValue, amount: int) -> SSAValue:
        """Shift left by a constant."""
        return self._add(arith.ShLIOp(a, self.ci(amount)))

    def shr(self, a: SSAValue, amount: int) -> SSAValue:
        """Logical shift right by a constant."""
        return self._add(arith.ShRUIOp(a, self.ci(amount)))

    def sar(self, a: SSAValue, amount: int) -> SSAValue:
        """Arithmetic shift right by a constant."""
        return self._add(arith.ShRSIOp(a, self.ci(amount)))

    def int_to_float(self, a: SSAValue) -> SSAValue:
        """A signed integer as a float."""
        return self._add(arith.SIToFPOp(a, self.type))  # pyright: ignore[reportArgumentType]

    def not_(self, condition: SSAValue) -> SSAValue:
        """Negation of an i1."""
        return self._add(arith.XOrIOp(condition, self.constants.get(self.bool_type, -1)))

    # Steps many functions share --------------------------------------------------------------------------------------
    def nearest_int(self, a: SSAValue) -> tuple[SSAValue, SSAValue]:
        """(round(a) as float, as integer) for |a| < 2^(mantissa - 2), by the add-magic trick: no conversion that NaN upsets."""
        magic = 1.5 * 2.0**self.mantissa
        shifted = self.add(a, self.c(magic))
        bits = self.isub(self.to_bits(shifted), self.ci(self._magic_bits()))
        return self.sub(shifted, self.c(magic)), bits

    def nearest_power(self, a: SSAValue, factor: SSAValue) -> tuple[SSAValue, SSAValue]:
        """(n = round(a * factor) as float, what `scale_by` takes for 2^n), for -2 bias <= n <= 2 bias."""
        magic = self.c(1.5 * 2.0**self.mantissa + 2 * self.bias)
        shifted = self.fma(a, factor, magic)
        return self.sub(shifted, magic), self.to_bits(shifted)

    def scale_by(self, a: SSAValue, power: SSAValue) -> SSAValue:
        """A * 2^n, n from `nearest_power`, in two steps so that overflow and denormals come out right.

        The low bits of `power` are n + 2 bias: each half of it is the exponent field of a factor as it stands. At
        n = -2 bias both factors are zero, so that what underflows far meets no denormals, which are slow.
        """
        half = self.sar(power, 1)
        first, second = (self.to_float(self.shl(h, self.mantissa)) for h in (half, self.isub(power, half)))
        return self.mul(self.mul(a, first), second)

    def scaleb(self, a: SSAValue, n: SSAValue) -> SSAValue:
        """A * 2^n, for whole n: one op of machines that have it."""
        return self._add(ScaleBOp(a, n))

    def rsqrt_estimate(self, a: SSAValue) -> SSAValue:
        """1 / sqrt(a) to fourteen bits: one op of machines that have it."""
        return self._add(RsqrtEstimateOp(a))

    def reciprocal_estimate(self, a: SSAValue) -> SSAValue:
        """1 / a to fourteen bits: one op of machines that have it."""
        return self._add(ReciprocalEstimateOp(a))

    def _magic_bits(self) -> int:
        magic = 1.5 * 2.0**self.mantissa
        if self.is_f32:
            return struct.unpack("<I", struct.pack("<f", magic))[0]
        return struct.unpack("<Q", struct.pack("<d", magic))[0]

    def power_of_two(self, n: SSAValue) -> SSAValue:
        """2^n as a float, for integer n in the normal exponent range."""
        return self.to_float(self.shl(self.iadd(n, self.ci(self.bias)), self.mantissa))

    def scale(self, a: SSAValue, n: SSAValue) -> SSAValue:
        """A * 2^n for |n| < 2 * bias, in two steps so that overflow and denormals come out right."""
        half = self.sar(n, 1)
        return self.mul(self.mul(a, self.power_of_two(half)), self.power_of_two(self.isub(n, half)))


def at(op: Operation) -> LocatedBuilder:
    """A builder before `op`, with its location."""
    return LocatedBuilder(InsertPoint.before(op), op.location)
