"""Dequantizing and quantizing as StableHLO on the stored integers, with the roundings of the specification.

`dequantize`: `(i - zero_point) * scale`, the difference exact and rounded once to the expressed type. `quantize`: divide by the
scale, add the zero point, clamp to the range in use, round to nearest even; each step rounds in the expressed type.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from xdsl.dialects.builtin import BFloat16Type, Float16Type, Float32Type, Float64Type, IntegerType, Signedness
from xdsl.ir import Attribute, Operation, SSAValue

from stepwell.dialects import stablehlo
from stepwell.dialects.quant import UniformType
from stepwell.ir.diagnostics import unsupported
from stepwell.passes.hlo import Hlo, Operand, shape_of

_DIGITS: dict[type[Attribute], int] = {Float64Type: 53, Float32Type: 24, Float16Type: 11, BFloat16Type: 8}
"""Bits of the significand."""

_SMALLEST = 2.0**-126
"""Below it a reciprocal of f32 is no power of two that f32 has."""


class Quantizer:
    """Conversions before one op."""

    def __init__(self, op: Operation):
        self.op = op
        self.h = Hlo.before(op)

    def along(self, values: Any, of: UniformType, x: SSAValue, element: Attribute) -> Operand:
        """One value, or one per index of the quantized dim, as an operand beside `x`."""
        if of.axis is None:
            return values[0]
        vector = self.h.constant(np.asarray(values), element)
        return self.h.broadcast(vector, shape_of(x), [of.axis])

    def dequantize(self, x: SSAValue, of: UniformType) -> SSAValue:
        """The floats that stored integers stand for."""
        value = self._difference(x, of)
        return self.h.mul(value, self.along(of.scales, of, value, of.expressed))

    def _difference(self, x: SSAValue, of: UniformType) -> SSAValue:
        """`i - zero_point` in the expressed type."""
        h, width = self.h, of.storage.width.data
        if not any(of.zero_points):
            return h.convert(x, of.expressed)
        if width <= _DIGITS[type(of.expressed)]:  # the difference is exact as a float
            value = h.convert(x, of.expressed)
            return h.sub(value, self.along([float(z) for z in of.zero_points], of, value, of.expressed))
        return h.convert(self.shifted(x, of, self.wider(of)), of.expressed)

    def wider(self, of: UniformType) -> IntegerType:
        """A signed type that holds every difference of a stored integer and a zero point."""
        width = of.storage.width.data
        if width == 64 and any(of.zero_points):
            raise unsupported(self.op, f"{of}: zero points other than 0 of 64-bit integers")
        return IntegerType(max(2 * width, 8))

    def shifted(self, x: SSAValue, of: UniformType, element: Attribute) -> SSAValue:
        """`i - zero_point` as integers of a type that holds it."""
        value = self.h.convert(x, element)
        if not any(of.zero_points):
            return value
        return self.h.sub(value, self.along(of.zero_points, of, value, element))

    def quantize(self, x: SSAValue, of: UniformType) -> SSAValue:
        """The stored integers that floats become."""
        h = self.h
        value = self._divided(x, of)
        if any(of.zero_points):
            value = h.add(value, self.along([float(z) for z in of.zero_points], of, value, of.expressed))
        low, high = (h.scalar(float(v), of.expressed) for v in of.limits)
        clamped = h.insert(stablehlo.ClampOp.create(operands=[low, value, high], result_types=[value.type]))
        return h.convert(h.unary("round_nearest_even", clamped), of.storage)

    def _divided(self, x: SSAValue, of: UniformType) -> SSAValue:
        """`x / scale`; by a power of two a product is the same."""
        scale = of.scales[0]
        exact = math.frexp(scale)[0] == 0.5 and _SMALLEST <= scale <= 1 / _SMALLEST
        if of.axis is None and exact and not isinstance(of.expressed, Float16Type):
            return x if scale == 1.0 else self.h.mul(x, 1.0 / scale)
        return self.h.div(x, self.along(of.scales, of, x, of.expressed))

    def requantize(self, x: SSAValue, of: UniformType, to: UniformType) -> SSAValue:
        """Stored integers of one type as those of another."""
        return x if of == to else self.quantize(self.dequantize(x, of), to)


def is_signed(storage: IntegerType) -> bool:
    """Whether stored integers have a sign (signless ones have)."""
    return storage.signedness.data != Signedness.UNSIGNED


__all__ = ["Quantizer", "is_signed"]
