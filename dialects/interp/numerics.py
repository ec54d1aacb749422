"""Exact number handling for the rules of the tensor dialects: rounding once, wrapping, saturating, special values.

Transcendental functions are computed in double precision and rounded once to the element type; arithmetic of the
narrow float types rounds after every op; integers wrap at their width, also the sub-byte ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

_EXPONENTS = np.dtype(ml_dtypes.float8_e8m0fnu)
_NAN_IS_MINUS_ZERO = tuple(
    np.dtype(t) for t in (ml_dtypes.float8_e4m3fnuz, ml_dtypes.float8_e4m3b11fnuz, ml_dtypes.float8_e5m2fnuz)
)
_SUB_BYTE = {
    np.dtype(getattr(ml_dtypes, f"{sign}int{width}")): (width, sign == "") for width in (2, 4) for sign in ("", "u")
}

_NUMPY_FLOATS = tuple(np.dtype(t) for t in (np.float16, np.float32, np.float64))
_NARROW_FLOATS = {
    np.dtype(ml_dtypes.float4_e2m1fn): 4,
    np.dtype(ml_dtypes.float6_e2m3fn): 6,
    np.dtype(ml_dtypes.float6_e3m2fn): 6,
}
"""Floats that take a byte and use only its low bits."""


def is_float(dtype: np.dtype[Any]) -> bool:
    """True for every float type, also those of ml_dtypes."""
    return dtype.kind == "f" or (dtype.kind == "V" and dtype not in _SUB_BYTE)


def is_extension(dtype: np.dtype[Any]) -> bool:
    """True for the floats that ml_dtypes adds, whose conversions it takes through f32."""
    return is_float(dtype) and dtype not in _NUMPY_FLOATS


def is_complex(dtype: np.dtype[Any]) -> bool:
    """True for complex types."""
    return dtype.kind == "c"


def is_bool(dtype: np.dtype[Any]) -> bool:
    """True for booleans."""
    return dtype.kind == "b"


def is_integer(dtype: np.dtype[Any]) -> bool:
    """True for integers of any width, without booleans."""
    return dtype.kind in "iu" or dtype in _SUB_BYTE


def is_signed(dtype: np.dtype[Any]) -> bool:
    """True for signed integers."""
    return dtype.kind == "i" or _SUB_BYTE.get(dtype, (0, False))[1]


def bit_width(dtype: np.dtype[Any]) -> int:
    """Bits of an integer or float type."""
    if dtype in _SUB_BYTE:
        return _SUB_BYTE[dtype][0]
    return 1 if is_bool(dtype) else _NARROW_FLOATS.get(dtype, dtype.itemsize * 8)


def integer_range(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Smallest and largest value."""
    width = bit_width(dtype)
    return (-(1 << (width - 1)), (1 << (width - 1)) - 1) if is_signed(dtype) else (0, (1 << width) - 1)


def widen(x: Array) -> Array:
    """Floats to double, complex to double complex."""
    return x.astype(np.complex128 if is_complex(x.dtype) else np.float64)


def round_to(x: Array, dtype: np.dtype[Any]) -> Array:
    """Doubles or integers rounded once to `dtype` (ml_dtypes goes through float: rounding that to odd makes the second exact)."""
    if is_extension(dtype) and is_integer(x.dtype):
        x = _to_double_odd(x)
    if is_extension(dtype) and x.dtype == np.float64:
        x = _to_float_odd(x)
    return np.asarray(x).astype(dtype)


def _to_double_odd(x: Array) -> Array:
    """Integers as doubles; beyond 53 bits their low bits become a sticky bit for the next rounding."""
    if bit_width(x.dtype) < 64:
        return x.astype(np.float64)
    low = x & np.asarray(0xFFF, x.dtype)
    sticky = np.where(low != 0, np.asarray(0x800, x.dtype), np.asarray(0, x.dtype))
    small = (x < 1 << 52) & (x > -(1 << 52)) if x.dtype.kind == "i" else x < 1 << 52
    return np.where(small, x, (x - low) | sticky).astype(np.float64)


def _to_float_odd(x: Array) -> Array:
    single = np.asarray(x, np.float32)
    back = single.astype(np.float64)
    bits = single.view(np.uint32).copy()
    finite = np.isfinite(single)
    inexact = finite & (back != x)
    # Step back toward zero where rounding went away from it, then set the last bit: a sticky bit for the next rounding.
    away = inexact & (np.abs(back) > np.abs(x))
    bits = np.where(away, bits - 1, bits)
    return np.where(inexact, bits | 1, bits).astype(np.uint32).view(np.float32)


def wrap(x: Array, dtype: np.dtype[Any]) -> Array:
    """Integers modulo two to the width of `dtype`."""
    if dtype not in _SUB_BYTE:
        return np.asarray(x).astype(dtype)
    width, signed = _SUB_BYTE[dtype]
    low = np.asarray(x).astype(np.int64) & ((1 << width) - 1)
    if signed:
        low = (low ^ (1 << (width - 1))) - (1 << (width - 1))
    return low.astype(dtype)


def bits_of(x: Array) -> Array:
    """The bits of integers as unsigned 64-bit numbers."""
    width = bit_width(x.dtype)
    return x.astype(np.int64).astype(np.uint64) & np.uint64((1 << width) - 1) if width < 64 else x.view(np.uint64)


def via_wide(function: Callable[..., Array]) -> Callable[..., Array]:
    """Computes `function` on doubles and rounds the result to the operands' type."""

    def apply(*args: Array) -> Array:
        return round_to(function(*map(widen, args)), args[0].dtype)

    return apply


def total_order_key(x: Array) -> Array:
    """Signed integers that order like floats do in IEEE-754's totalOrder; a NaN with a code of its own has that code's sign."""
    width, storage = bit_width(x.dtype), np.dtype(f"i{x.dtype.itemsize}")
    words = np.ascontiguousarray(x).reshape(x.shape).view(storage)
    if x.dtype == _EXPONENTS:  # no sign; NaN is the last code
        return words.view(np.uint8).astype(np.int16)
    unused = storage.itemsize * 8 - width
    bits = words << unused >> unused
    key = bits ^ ((bits >> (width - 1)) & ((1 << (width - 1)) - 1))
    if x.dtype in _NAN_IS_MINUS_ZERO:
        key = np.where(np.isnan(x), np.int16(-(1 << width)), key)
    return key


def add(a: Array, b: Array) -> Array:
    """Sum; logical or of booleans."""
    if is_bool(a.dtype):
        return a | b
    return wrap(a.astype(np.int64) + b.astype(np.int64), a.dtype) if a.dtype in _SUB_BYTE else np.add(a, b)


def subtract(a: Array, b: Array) -> Array:
    """Difference."""
    return wrap(a.astype(np.int64) - b.astype(np.int64), a.dtype) if a.dtype in _SUB_BYTE else np.subtract(a, b)


def multiply(a: Array, b: Array) -> Array:
    """Product; logical and of booleans."""
    if is_bool(a.dtype):
        return a & b
    return wrap(a.astype(np.int64) * b.astype(np.int64), a.dtype) if a.dtype in _SUB_BYTE else np.multiply(a, b)


def _divide_integers(a: Array, b: Array) -> tuple[Array, Array]:
    """Quotient truncated toward zero and remainder; by zero: all ones and `a`; `MIN / -1`: `MIN` and zero."""
    low, _ = integer_range(a.dtype)
    x, y = (v.astype(np.uint64 if not is_signed(v.dtype) else np.int64) for v in (a, b))
    zero = y == 0
    overflow = (x == low) & (y == -1) if is_signed(a.dtype) else np.zeros_like(zero)
    safe = np.where(zero | overflow, np.ones_like(y), y)
    quotient, remainder = np.floor_divide(x, safe), np.remainder(x, safe)
    if is_signed(a.dtype):
        fix = (remainder != 0) & ((remainder < 0) != (x < 0))
        quotient, remainder = quotient + fix, np.where(fix, remainder - safe, remainder)
    ones = np.asarray(-1 if is_signed(a.dtype) else np.iinfo(np.uint64).max, quotient.dtype)
    quotient = np.where(zero, ones, np.where(overflow, x, quotient))
    remainder = np.where(zero, x, np.where(overflow, np.zeros_like(x), remainder))
    return wrap(quotient, a.dtype), wrap(remainder, a.dtype)


def divide(a: Array, b: Array) -> Array:
    """Quotient; see `_divide_integers` for integers."""
    if is_integer(a.dtype):
        return _divide_integers(a, b)[0]
    if is_complex(a.dtype):
        return round_to(widen(a) / widen(b), a.dtype)
    return np.divide(a, b)


def remainder(a: Array, b: Array) -> Array:
    """Remainder of the truncated quotient, exact for floats."""
    if is_integer(a.dtype):
        return _divide_integers(a, b)[1]
    return round_to(np.fmod(widen(a), widen(b)), a.dtype)


def power(a: Array, b: Array) -> Array:
    """`a` to the power of `b`; integers wrap, a negative exponent gives the truncated inverse."""
    if not is_integer(a.dtype):
        return round_to(np.power(widen(a), widen(b)), a.dtype)
    shape = np.broadcast_shapes(a.shape, b.shape)
    base, exponent = np.broadcast_to(a, shape).astype(np.int64), np.broadcast_to(b, shape)
    negative = exponent.astype(np.int64) < 0 if is_signed(b.dtype) else np.zeros(shape, np.bool_)
    left = bits_of(np.ascontiguousarray(exponent).reshape(shape))
    result = np.ones(shape, np.int64)
    square = base
    for _ in range(bit_width(b.dtype)):
        result = np.where(left & np.uint64(1), result * square, result)
        left, square = left >> np.uint64(1), square * square
    odd = (bits_of(np.ascontiguousarray(exponent).reshape(shape)) & np.uint64(1)) == 1
    inverse = np.where(base == 1, 1, np.where(base == -1, np.where(odd, -1, 1), 0))
    return wrap(np.where(negative, inverse, result), a.dtype)


def maximum(a: Array, b: Array) -> Array:
    """IEEE-754 maximum: NaN if either is, and +0 is more than -0."""
    if not is_float(a.dtype):
        if a.dtype in _SUB_BYTE:
            return np.where(a.astype(np.int64) >= b.astype(np.int64), a, b)
        return np.maximum(a, b)
    nan = np.isnan(a) | np.isnan(b)
    picked = np.where((a == 0) & (b == 0), a + b, np.where(a > b, a, b))
    return np.where(nan, np.where(np.isnan(a), a, b), picked).astype(a.dtype)


def minimum(a: Array, b: Array) -> Array:
    """IEEE-754 minimum: NaN if either is, and -0 is less than +0."""
    if not is_float(a.dtype):
        if a.dtype in _SUB_BYTE:
            return np.where(a.astype(np.int64) <= b.astype(np.int64), a, b)
        return np.minimum(a, b)
    nan = np.isnan(a) | np.isnan(b)
    negative_zero = np.where(np.signbit(a), a, b)
    picked = np.where((a == 0) & (b == 0), negative_zero, np.where(a < b, a, b))
    return np.where(nan, np.where(np.isnan(a), a, b), picked).astype(a.dtype)


def bitwise(function: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    """A bitwise op, also for the sub-byte types that NumPy has none for."""

    def apply(a: Array, b: Array) -> Array:
        if a.dtype in _SUB_BYTE:
            return wrap(function(a.astype(np.int64), b.astype(np.int64)), a.dtype)
        return function(a, b)

    return apply


def shift_left(a: Array, b: Array) -> Array:
    """Zero when the amount, read unsigned, is not less than the width."""
    amount = bits_of(b)
    inside = amount < bit_width(a.dtype)
    shifted = bits_of(a) << np.where(inside, amount, 0).astype(np.uint64)
    return wrap(np.where(inside, shifted, 0).astype(np.uint64).astype(np.int64), a.dtype)


def shift_right_logical(a: Array, b: Array) -> Array:
    """Zero when the amount, read unsigned, is not less than the width."""
    amount = bits_of(b)
    inside = amount < bit_width(a.dtype)
    shifted = bits_of(a) >> np.where(inside, amount, 0).astype(np.uint64)
    return wrap(np.where(inside, shifted, 0).astype(np.uint64).astype(np.int64), a.dtype)


def shift_right_arithmetic(a: Array, b: Array) -> Array:
    """Copies of the top bit when the amount, read unsigned, is not less than the width."""
    width = bit_width(a.dtype)
    bits = bits_of(a)
    sign = np.uint64(1 << (width - 1))
    signed = ((bits ^ sign) - sign).astype(np.int64)
    amount = np.minimum(bits_of(b), np.uint64(width - 1)).astype(np.int64)
    return wrap(signed >> amount, a.dtype)


def count_leading_zeros(x: Array) -> Array:
    """Leading zero bits."""
    bits = bits_of(x)
    length = np.zeros(x.shape, np.uint64)
    for step in (32, 16, 8, 4, 2, 1):
        high = bits >> np.uint64(step)
        length = np.where(high != 0, length + np.uint64(step), length)
        bits = np.where(high != 0, high, bits)
    length = length + bits
    return wrap((np.uint64(bit_width(x.dtype)) - length).astype(np.int64), x.dtype)


def population_count(x: Array) -> Array:
    """One bits."""
    return wrap(np.bitwise_count(bits_of(x)).astype(np.int64), x.dtype)


def sign(x: Array) -> Array:
    """-1, 0, 1; signed zeros and NaNs stay."""
    if is_complex(x.dtype):
        wide = widen(x)
        size = np.abs(wide)
        return np.where(size == 0, 0, wide / np.where(size == 0, 1, size)).astype(x.dtype)
    if is_float(x.dtype):
        wide = widen(x)
        return round_to(np.where((wide == 0) | np.isnan(wide), wide, np.copysign(1.0, wide)), x.dtype)
    return wrap(np.sign(x.astype(np.int64)), x.dtype)


def round_half_away(x: Array) -> Array:
    """To the nearest integral value, ties away from zero."""
    whole = np.trunc(x)
    return np.copysign(np.where(np.abs(x - whole) >= 0.5, whole + np.copysign(1.0, x), whole), x)


def convert(x: Array, dtype: np.dtype[Any]) -> Array:
    """Conversion as XLA does it: floats truncate and saturate to integers (NaN to zero), integers wrap."""
    source = x.dtype
    if source == dtype:
        return x
    if is_complex(source) and not is_complex(dtype):
        return convert(np.real(x), dtype)
    if is_bool(dtype):
        return np.ones(x.shape, np.bool_) if source == _EXPONENTS else x != np.zeros((), source)
    if is_integer(dtype):
        return _float_to_integer(x, dtype) if is_float(source) else wrap(x, dtype)
    if is_integer(source) and is_extension(dtype):
        return round_to(x, dtype)
    if source == np.float64:
        return round_to(x, dtype)
    if is_extension(source) and is_extension(dtype):
        x = x.astype(np.float32)  # not every pair of ml_dtypes has a conversion
    return x.astype(dtype)


def _float_to_integer(x: Array, dtype: np.dtype[Any]) -> Array:
    low, high = integer_range(dtype)
    wide = np.trunc(x.astype(np.float64))
    over, under, nan = wide >= float(high), wide <= float(low), np.isnan(wide)
    inside = np.where(over | under | nan, 0.0, wide)
    values = inside.astype(np.uint64) if not is_signed(dtype) else inside.astype(np.int64)
    values = np.where(over, np.asarray(high, values.dtype), np.where(under, np.asarray(low, values.dtype), values))
    return wrap(values, dtype)


_FORMATS = {
    "float16": (5, 10),
    "bfloat16": (8, 7),
    "float32": (8, 23),
    "float64": (11, 52),
    "float8_e3m4": (3, 4),
    "float8_e4m3": (4, 3),
    "float8_e4m3fn": (4, 3),
    "float8_e4m3fnuz": (4, 3),
    "float8_e4m3b11fnuz": (4, 3),
    "float8_e5m2": (5, 2),
    "float8_e5m2fnuz": (5, 2),
    "float6_e2m3fn": (2, 3),
    "float6_e3m2fn": (3, 2),
    "float4_e2m1fn": (2, 1),
    "float8_e8m0fnu": (8, 0),
}
"""Bits of exponent and mantissa."""


def reduce_precision(x: Array, exponent_bits: int, mantissa_bits: int) -> Array:
    """Rounds to a format with that many bits (no denormals) and back; floats of a byte as the f32 they are equal to."""
    if x.dtype.itemsize == 1:
        exponent, mantissa = _FORMATS[x.dtype.name]
        wide = x.astype(np.float32)
        # What the type has enough bits for stays, also numbers that an IEEE format of so many bits would not have.
        bits = exponent_bits if exponent_bits < exponent else 8, mantissa_bits if mantissa_bits < mantissa else 23
        return reduce_precision(wide, *bits).astype(x.dtype)
    exponent, mantissa = _FORMATS[x.dtype.name]
    unsigned = np.dtype(f"u{x.dtype.itemsize}")
    bits = np.ascontiguousarray(x).reshape(x.shape).view(unsigned).astype(np.uint64)
    width = 1 + exponent + mantissa
    sign_bit = np.uint64(1 << (width - 1))
    if mantissa_bits < mantissa:
        dropped = mantissa - mantissa_bits
        last = (bits >> np.uint64(dropped)) & np.uint64(1)
        bits = (bits + last + np.uint64((1 << (dropped - 1)) - 1)) & np.uint64(~((1 << dropped) - 1) & (2**width - 1))
    if exponent_bits < exponent:
        bias, reduced = (1 << (exponent - 1)) - 1, (1 << (exponent_bits - 1)) - 1
        field = bits & np.uint64(((1 << exponent) - 1) << mantissa)
        infinity = (bits & sign_bit) | np.uint64(((1 << exponent) - 1) << mantissa)
        bits = np.where(field > np.uint64((bias + reduced) << mantissa), infinity, bits)
        bits = np.where(field <= np.uint64((bias - reduced) << mantissa), bits & sign_bit, bits)
    # Without mantissa bits there is no NaN: it becomes an infinity, as in XLA.
    nan = x if mantissa_bits else np.copysign(np.asarray(np.inf, x.dtype), x)
    return np.where(np.isnan(x), nan, bits.astype(unsigned).view(x.dtype)).astype(x.dtype)
