"""Elementwise ops: one table from op to the scalar code of a body, used by generics and by scalar regions alike.

XLA's rules where StableHLO leaves a choice: integer division by zero gives -1 (remainder: the dividend), INT_MIN / -1 gives
INT_MIN, shifting by the width or more gives 0 (or the sign), float to integer saturates with NaN to 0. Nothing here is
undefined behaviour below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import (
    BFloat16Type,
    Float8E8M0FNUType,
    Float16Type,
    Float32Type,
    Float64Type,
    IntegerType,
    ReducedPrecisionFloatType,
    f32,
    f64,
)
from xdsl.ir import Attribute, Operation, SSAValue

from stepwell.dialects import stablehlo
from stepwell.dialects.arith import RemFOp
from stepwell.dialects.stablehlo import ComparisonDirection, ComparisonType
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.dtypes import is_byte_float
from stepwell.passes.stablehlo_to_linalg.scalars import (
    BOOL,
    FLOAT,
    SIGNED,
    UNSIGNED,
    Scalars,
    element_type,
    is_small_float,
    kind_of,
    known,
    signless_element,
    width_of,
)

Args = Sequence[SSAValue]
ScalarRule = Callable[[Scalars, Any, Args], SSAValue]


def operand_kind(op: Operation) -> str:
    """The kind of the first operand's elements."""
    return kind_of(element_type(op.operands[0]), op)


def _by_kind(**makers: Any) -> ScalarRule:
    """A rule from one maker per kind: an op class, or a function of (scalars, *operands)."""

    def rule(s: Scalars, op: Operation, args: Args) -> SSAValue:
        kind = operand_kind(op)
        maker = makers.get(kind, makers.get("integer") if kind in (SIGNED, UNSIGNED) else None)
        if maker is None:
            raise unsupported(op, f"not defined on {kind} elements")
        return s(maker, *args) if isinstance(maker, type) else maker(s, *args)

    return rule


def _signed_divisor(s: Scalars, a: SSAValue, b: SSAValue) -> tuple[SSAValue, SSAValue | None]:
    """The divisor with 0 and the overflowing -1 replaced by 1, and whether it was 0 (None: never)."""
    constant = known(b)
    if constant is not None and constant not in (0, -1):
        return b, None
    width = width_of(a.type)
    zero = s.cmpi("eq", b, s.like(0, b))
    lowest = s.cmpi("eq", a, s.like(-(1 << (width - 1)), a))
    overflow = s(arith.AndIOp, lowest, s.cmpi("eq", b, s.like(-1, b)))
    return s.select(s(arith.OrIOp, zero, overflow), s.like(1, b), b), zero


def _unsigned_divisor(s: Scalars, b: SSAValue) -> tuple[SSAValue, SSAValue | None]:
    if known(b) not in (None, 0):
        return b, None
    zero = s.cmpi("eq", b, s.like(0, b))
    return s.select(zero, s.like(1, b), b), zero


def _divide_signed(s: Scalars, a: SSAValue, b: SSAValue) -> SSAValue:
    divisor, zero = _signed_divisor(s, a, b)
    quotient = s(arith.DivSIOp, a, divisor)
    return quotient if zero is None else s.select(zero, s.like(-1, a), quotient)


def _divide_unsigned(s: Scalars, a: SSAValue, b: SSAValue) -> SSAValue:
    divisor, zero = _unsigned_divisor(s, b)
    quotient = s(arith.DivUIOp, a, divisor)
    return quotient if zero is None else s.select(zero, s.like(-1, a), quotient)


def _remainder_signed(s: Scalars, a: SSAValue, b: SSAValue) -> SSAValue:
    divisor, zero = _signed_divisor(s, a, b)
    remainder = s(arith.RemSIOp, a, divisor)
    return remainder if zero is None else s.select(zero, a, remainder)


def _remainder_unsigned(s: Scalars, a: SSAValue, b: SSAValue) -> SSAValue:
    divisor, zero = _unsigned_divisor(s, b)
    remainder = s(arith.RemUIOp, a, divisor)
    return remainder if zero is None else s.select(zero, a, remainder)


def _logical_shift(maker: Any) -> Callable[[Scalars, SSAValue, SSAValue], SSAValue]:
    def shift(s: Scalars, a: SSAValue, amount: SSAValue) -> SSAValue:
        width = width_of(a.type)
        constant = known(amount)
        if constant is not None:
            return s(maker, a, amount) if 0 <= constant < width else s.like(0, a)
        inside = s.cmpi("ult", amount, s.like(width, amount))
        shifted = s(maker, a, s.select(inside, amount, s.like(0, amount)))
        return s.select(inside, shifted, s.like(0, a))

    return shift


def _arithmetic_shift(s: Scalars, a: SSAValue, amount: SSAValue) -> SSAValue:
    return s(arith.ShRSIOp, a, s(arith.MinUIOp, amount, s.like(width_of(a.type) - 1, amount)))


def _negate_integer(s: Scalars, a: SSAValue) -> SSAValue:
    return s(arith.SubiOp, s.like(0, a), a)


def _not(s: Scalars, op: Operation, args: Args) -> SSAValue:
    return s(arith.XOrIOp, args[0], s.like(1 if operand_kind(op) == BOOL else -1, args[0]))


def widened(rule: Callable[..., SSAValue]) -> Callable[..., SSAValue]:
    """Compute small floats in f32 and round once."""

    def compute(s: Scalars, *args: SSAValue) -> SSAValue:
        a_type = args[0].type
        if not is_small_float(a_type):
            return rule(s, *args)
        return s(arith.TruncFOp, rule(s, *(s.extend_float(a, f32) for a in args)), a_type)

    return compute


@widened
def _sign_float(s: Scalars, a: SSAValue) -> SSAValue:
    """Zero keeps its sign and NaN stays."""
    one = s(math.CopySignOp, s.like(1.0, a), a)
    return s.select(s.cmpf("une", s(math.AbsFOp, a), s.like(0.0, a)), s.select(s.cmpf("uno", a, a), a, one), a)


def _sign_signed(s: Scalars, a: SSAValue) -> SSAValue:
    negative = s.select(s.cmpi("slt", a, s.like(0, a)), s.like(-1, a), s.like(1, a))
    return s.select(s.cmpi("eq", a, s.like(0, a)), a, negative)


def _sign_unsigned(s: Scalars, a: SSAValue) -> SSAValue:
    return s.select(s.cmpi("eq", a, s.like(0, a)), a, s.like(1, a))


@widened
def _logistic(s: Scalars, a: SSAValue) -> SSAValue:
    """`exp` of what is not positive never overflows: results that are denormal keep their digits."""
    small = s(math.ExpOp, s(arith.NegfOp, s(math.AbsFOp, a)))
    numerator = s.select(s.cmpf("olt", a, s.like(0.0, a)), small, s.like(1.0, a))
    return s(arith.DivfOp, numerator, s(arith.AddfOp, s.like(1.0, a), small))


def _power_float(s: Scalars, a: SSAValue, b: SSAValue) -> SSAValue:
    """Small whole exponents are products; the rest is left to `expand-math`."""
    exponent = known(b)
    if exponent in (1.0, 2.0, 3.0, 4.0):
        return widened(lambda s, a: _whole_power(s, a, int(exponent)))(s, a)
    if exponent == -1.0:
        return s(arith.DivfOp, s.like(1.0, a), a)
    return s(math.PowFOp, a, b)


def _whole_power(s: Scalars, a: SSAValue, exponent: int) -> SSAValue:
    if exponent == 1:
        return a
    square = s(arith.MulfOp, a, a)
    if exponent == 2:
        return square
    return s(arith.MulfOp, square, a if exponent == 3 else square)


def _power_unsigned(s: Scalars, a: SSAValue, b: SSAValue) -> SSAValue:
    """`math.ipowi` reads the exponent signed: narrow types widen; 64-bit exponents use the period 2^62 of odd bases."""
    width = width_of(a.type)
    if width < 64:
        wide = IntegerType(64)
        power = s(math.IPowIOp, s(arith.ExtUIOp, a, wide), s(arith.ExtUIOp, b, wide))
        return s(arith.TruncIOp, power, a.type)
    period = 1 << 62
    low = s(arith.AndIOp, b, s.like(period - 1, b))
    reduced = s.select(s.cmpi("ult", b, s.like(period, b)), b, s(arith.OrIOp, low, s.like(period, b)))
    return s(math.IPowIOp, a, reduced)


def _is_finite(s: Scalars, op: Operation, args: Args) -> SSAValue:
    """In f32 at least: not every small float has an infinity."""
    value = s.extend_float(args[0], f32) if is_small_float(args[0].type) else args[0]
    return s.cmpf("olt", s(math.AbsFOp, value), s.like(float("inf"), value))


_FLOAT_PREDICATES = {
    ComparisonDirection.EQ: "oeq",
    ComparisonDirection.NE: "une",
    ComparisonDirection.LT: "olt",
    ComparisonDirection.LE: "ole",
    ComparisonDirection.GT: "ogt",
    ComparisonDirection.GE: "oge",
}


def _integer_predicate(direction: ComparisonDirection, *, is_signed: bool) -> str:
    name = direction.value.lower()
    return name if name in ("eq", "ne") else f"{'s' if is_signed else 'u'}{name}"


def _compare(s: Scalars, op: stablehlo.CompareOp, args: Args) -> SSAValue:
    direction = ComparisonDirection(op.comparison_direction.data)
    kind = operand_kind(op)
    if kind != FLOAT:
        return s.cmpi(_integer_predicate(direction, is_signed=kind == SIGNED), *args)
    if op.compare_type is not None and op.compare_type.data == ComparisonType.TOTALORDER:
        keys = [_total_order_key(s, a) for a in args]
        return s.cmpi(_integer_predicate(direction, is_signed=True), *keys)
    return s.cmpf(_FLOAT_PREDICATES[direction], *args)


def _total_order_key(s: Scalars, a: SSAValue) -> SSAValue:
    """A signed integer ordered as IEEE's total order: negative floats have their magnitude bits flipped."""
    if is_byte_float(a.type):  # whose NaN may have the code of minus zero; f32's bits keep all they tell apart
        a = s.extend_float(a, f32)
    width = width_of(a.type)
    bits = s(arith.BitcastOp, a, IntegerType(width))
    sign = s(arith.ShRSIOp, bits, s.like(width - 1, bits))
    return s(arith.XOrIOp, bits, s(arith.ShRUIOp, sign, s.like(1, bits)))


def _select(s: Scalars, op: Operation, args: Args) -> SSAValue:
    return s.select(*args)


def _clamp(s: Scalars, op: Operation, args: Args) -> SSAValue:
    low, value, high = args
    kind = kind_of(element_type(op.operands[1]), op)
    return _MINIMUM[kind](s, _MAXIMUM[kind](s, value, low), high)


def _maker(cls: Any) -> Callable[[Scalars, SSAValue, SSAValue], SSAValue]:
    return lambda s, a, b: s(cls, a, b)


_MAXIMUM = {
    FLOAT: _maker(arith.MaximumfOp),
    SIGNED: _maker(arith.MaxSIOp),
    UNSIGNED: _maker(arith.MaxUIOp),
    BOOL: _maker(arith.OrIOp),
}
_MINIMUM = {
    FLOAT: _maker(arith.MinimumfOp),
    SIGNED: _maker(arith.MinSIOp),
    UNSIGNED: _maker(arith.MinUIOp),
    BOOL: _maker(arith.AndIOp),
}


def _convert(s: Scalars, op: Operation, args: Args) -> SSAValue:
    source, target = element_type(op.operands[0]), element_type(op.results[0])
    return convert_scalar(s, op, args[0], source, target)


def convert_scalar(s: Scalars, op: Operation, value: SSAValue, source: Attribute, target: Attribute) -> SSAValue:
    """`stablehlo.convert` of one scalar between element types as written."""
    source_kind, target_kind = kind_of(source, op), kind_of(target, op)
    result = signless_element(target)
    if source_kind == FLOAT:
        if target_kind == FLOAT:
            return _convert_float(s, value, result)
        if target_kind == BOOL:
            value = s.extend_float(value, f32) if is_small_float(value.type) else value  # f8E8M0FNU has no zero
            return s.cmpf("une", value, s.like(0.0, value))
        return _float_to_integer(s, value, result, is_signed=target_kind == SIGNED)
    if target_kind == FLOAT:
        return _integer_to_float(s, value, result, is_signed=source_kind == SIGNED)
    if target_kind == BOOL:
        return value if source_kind == BOOL else s.cmpi("ne", value, s.like(0, value))
    wider = width_of(result) - width_of(value.type)
    if wider == 0:
        return value
    if wider < 0:
        return s(arith.TruncIOp, value, result)
    return s(arith.ExtSIOp if source_kind == SIGNED else arith.ExtUIOp, value, result)


def _convert_float(s: Scalars, value: SSAValue, target: Attribute) -> SSAValue:
    if value.type == target:
        return value
    source_width, target_width = width_of(value.type), width_of(target)
    if source_width == target_width or (is_small_float(value.type) and is_small_float(target)):
        return s(arith.TruncFOp, s.extend_float(value, f32), target)
    return s(arith.ExtFOp if target_width > source_width else arith.TruncFOp, value, target)


def _integer_to_float(s: Scalars, value: SSAValue, target: Attribute, *, is_signed: bool) -> SSAValue:
    """To nearest, rounded once: a float of few bits but a wide range must not see what f32 or f64 rounded before."""
    cast, width = arith.SIToFPOp if is_signed else arith.UIToFPOp, width_of(value.type)
    if width <= 24 or not isinstance(target, BFloat16Type | Float8E8M0FNUType):
        return s(cast, value, target)
    if width > 53:
        # Bits below the 53 of f64 only matter by whether there are any: they become one sticky bit, where f64 keeps it.
        low = s(arith.AndIOp, value, s.like(0xFFF, value))
        sticky = s.select(s.cmpi("eq", low, s.like(0, low)), low, s.like(0x800, low))
        high = s(arith.OrIOp, s(arith.AndIOp, value, s.like(-0x1000, value)), sticky)
        size = s(math.AbsIOp, value) if is_signed else value
        value = s.select(s.cmpi("ult", size, s.like(1 << 52, value)), value, high)
    return s(arith.TruncFOp, s(cast, value, f64), target)


def _float_to_integer(s: Scalars, value: SSAValue, target: Attribute, *, is_signed: bool) -> SSAValue:
    """Toward zero, saturating, NaN to 0: the cast itself only sees values in range."""
    if not isinstance(value.type, Float32Type | Float64Type):
        value = s(arith.ExtFOp, value, f32)
    width = width_of(target)
    low, high = (-(2 ** (width - 1)), 2 ** (width - 1) - 1) if is_signed else (0, 2**width - 1)
    below = s.cmpf("olt", value, s.like(float(low), value))
    above = s.cmpf("oge", value, s.like(float(high + 1), value))
    ordered = s.cmpf("ord", value, value)
    outside = s(arith.OrIOp, below, above)
    inside = s(arith.AndIOp, ordered, s(arith.XOrIOp, outside, s.like(1, outside)))
    safe = s.select(inside, value, s.like(0.0, value))
    result = s(arith.FPToSIOp if is_signed else arith.FPToUIOp, safe, target)
    result = s.select(above, s.constant(high, target), result)
    return s.select(below, s.constant(low, target), result)


def _reduce_precision(s: Scalars, op: stablehlo.ReducePrecisionOp, args: Args) -> SSAValue:
    """Round the mantissa to nearest even in the bits, overflow to infinity, flush what the exponent cannot hold to 0.

    NaN stays, or becomes infinity in a format without mantissa bits. Floats of a byte are rounded as the f32 they are equal to.
    """
    value = args[0]
    layout = original = _float_layout(value.type)
    exponent_bits, mantissa_bits = op.exponent_bits.value.data, op.mantissa_bits.value.data
    wide = value
    if is_byte_float(value.type):
        wide, layout = s.extend_float(value, f32), _float_layout(f32)
    bits = s(arith.BitcastOp, wide, IntegerType(width_of(wide.type)))
    if mantissa_bits < original[1]:
        bits = _round_mantissa(s, bits, layout[1] - mantissa_bits)
    if exponent_bits < original[0]:
        bits = _clamp_exponent(s, bits, layout, exponent_bits)
    unordered = s.cmpf("uno", wide, wide)
    nan = wide if mantissa_bits or not original[1] else s(math.CopySignOp, s.like(float("inf"), wide), wide)
    result = s.select(unordered, nan, s(arith.BitcastOp, bits, wide.type))
    return result if result.type == value.type else s(arith.TruncFOp, result, value.type)


def _float_layout(element: Attribute) -> tuple[int, int]:
    """Exponent and mantissa bits."""
    layouts: dict[type[Attribute], tuple[int, int]] = {
        Float64Type: (11, 52),
        Float32Type: (8, 23),
        Float16Type: (5, 10),
        BFloat16Type: (8, 7),
    }
    if type(element) in layouts:
        return layouts[type(element)]
    assert isinstance(element, ReducedPrecisionFloatType)
    return element.SEMANTICS.exponent_bits, element.SEMANTICS.mantissa_bits


def _round_mantissa(s: Scalars, bits: SSAValue, dropped: int) -> SSAValue:
    last = s(arith.AndIOp, s(arith.ShRUIOp, bits, s.like(dropped, bits)), s.like(1, bits))
    rounded = s(arith.AddiOp, bits, s(arith.AddiOp, last, s.like((1 << (dropped - 1)) - 1, bits)))
    return s(arith.AndIOp, rounded, s.like(~((1 << dropped) - 1), bits))


def _clamp_exponent(s: Scalars, bits: SSAValue, layout: tuple[int, int], exponent_bits: int) -> SSAValue:
    width, (full, mantissa) = width_of(bits.type), layout
    bias, small_bias = (1 << (full - 1)) - 1, (1 << (exponent_bits - 1)) - 1
    exponent_mask = ((1 << full) - 1) << mantissa
    sign = s(arith.AndIOp, bits, s.like(1 << (width - 1), bits))
    exponent = s(arith.AndIOp, bits, s.like(exponent_mask, bits))
    infinity = s(arith.OrIOp, sign, s.like(exponent_mask, bits))
    too_big = s.cmpi("ugt", exponent, s.like((bias + small_bias) << mantissa, bits))
    too_small = s.cmpi("ule", exponent, s.like((bias - small_bias) << mantissa, bits))
    return s.select(too_big, infinity, s.select(too_small, sign, bits))


def _float_op(cls: Any) -> ScalarRule:
    return _by_kind(float=cls)


ELEMENTWISE_RULES: dict[type[Operation], ScalarRule] = {
    stablehlo.AbsOp: _by_kind(float=math.AbsFOp, signed=math.AbsIOp),
    stablehlo.AddOp: _by_kind(float=arith.AddfOp, integer=arith.AddiOp, bool=arith.OrIOp),
    stablehlo.AndOp: _by_kind(integer=arith.AndIOp, bool=arith.AndIOp),
    stablehlo.Atan2Op: _float_op(math.Atan2Op),
    stablehlo.CbrtOp: _float_op(math.CbrtOp),
    stablehlo.CeilOp: _float_op(math.CeilOp),
    stablehlo.ClampOp: _clamp,
    stablehlo.CompareOp: _compare,
    stablehlo.ConvertOp: _convert,
    stablehlo.CosineOp: _float_op(math.CosOp),
    stablehlo.CountLeadingZerosOp: _by_kind(integer=math.CountLeadingZerosOp),
    stablehlo.DivideOp: _by_kind(float=arith.DivfOp, signed=_divide_signed, unsigned=_divide_unsigned),
    stablehlo.ExponentialMinusOneOp: _float_op(math.ExpM1Op),
    stablehlo.ExponentialOp: _float_op(math.ExpOp),
    stablehlo.FloorOp: _float_op(math.FloorOp),
    stablehlo.IsFiniteOp: _is_finite,
    stablehlo.LogOp: _float_op(math.LogOp),
    stablehlo.LogPlusOneOp: _float_op(math.Log1pOp),
    stablehlo.LogisticOp: _by_kind(float=_logistic),
    stablehlo.MaximumOp: _by_kind(**_MAXIMUM),
    stablehlo.MinimumOp: _by_kind(**_MINIMUM),
    stablehlo.MultiplyOp: _by_kind(float=arith.MulfOp, integer=arith.MuliOp, bool=arith.AndIOp),
    stablehlo.NegateOp: _by_kind(float=arith.NegfOp, integer=_negate_integer),
    stablehlo.NotOp: _not,
    stablehlo.OrOp: _by_kind(integer=arith.OrIOp, bool=arith.OrIOp),
    stablehlo.PopcntOp: _by_kind(integer=math.CtPopOp),
    stablehlo.PowerOp: _by_kind(float=_power_float, signed=math.IPowIOp, unsigned=_power_unsigned),
    stablehlo.ReducePrecisionOp: _reduce_precision,
    stablehlo.RemainderOp: _by_kind(float=RemFOp, signed=_remainder_signed, unsigned=_remainder_unsigned),
    stablehlo.RoundNearestAfzOp: _float_op(math.RoundOp),
    stablehlo.RoundNearestEvenOp: _float_op(math.RoundEvenOp),
    stablehlo.RsqrtOp: _float_op(math.RsqrtOp),
    stablehlo.SelectOp: _select,
    stablehlo.ShiftLeftOp: _by_kind(integer=_logical_shift(arith.ShLIOp)),
    stablehlo.ShiftRightArithmeticOp: _by_kind(integer=_arithmetic_shift),
    stablehlo.ShiftRightLogicalOp: _by_kind(integer=_logical_shift(arith.ShRUIOp)),
    stablehlo.SignOp: _by_kind(float=_sign_float, signed=_sign_signed, unsigned=_sign_unsigned),
    stablehlo.SineOp: _float_op(math.SinOp),
    stablehlo.SqrtOp: _float_op(math.SqrtOp),
    stablehlo.SubtractOp: _by_kind(float=arith.SubfOp, integer=arith.SubiOp),
    stablehlo.TanOp: _float_op(math.TanOp),
    stablehlo.TanhOp: _float_op(math.TanhOp),
    stablehlo.XorOp: _by_kind(integer=arith.XOrIOp, bool=arith.XOrIOp),
}
"""Scalar code of StableHLO's elementwise ops."""
