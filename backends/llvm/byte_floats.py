"""Conversions of the float formats of 8, 6 and 4 bits from and to f32, in integer and float operations.

All are held as `i8` (bits above the format are ignored when read, zero when written). What a format is, its type says
(`FloatSemantics` of xDSL); here are four kinds: with infinities as IEEE has them; without, where what is too large becomes NaN (the
code of all ones, or that of minus zero); finite ones, where it becomes the largest and NaN a zero of the opposite sign, as in
ml_dtypes; and f8E8M0FNU, an exponent alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from xdsl.dialects.builtin import FloatNanEncoding, FloatNonfiniteBehavior
from xdsl.ir import Attribute

from stepwell.backends.llvm.straight_line import Rows


@dataclass(frozen=True)
class Format:
    """A format with a sign. `ieee`: has infinities; `fn`: the all-ones code is NaN; `fnuz`: minus zero's is; `finite`: none."""

    bits: int
    mantissa: int
    bias: int
    kind: str

    @property
    def all_ones(self) -> int:
        """Every bit but the sign."""
        return (1 << (self.bits - 1)) - 1

    @property
    def sign(self) -> int:
        """The sign's bit."""
        return 1 << (self.bits - 1)

    @property
    def largest(self) -> int:
        """The code of the largest finite value."""
        if self.kind == "ieee":
            return (self.all_ones >> self.mantissa << self.mantissa) - 1
        return self.all_ones - 1 if self.kind == "fn" else self.all_ones

    @property
    def nan(self) -> int:
        """A code of NaN, for formats that have one."""
        return self.sign if self.kind == "fnuz" else self.all_ones


def format_of(element: Attribute) -> Format | None:
    """The format of a float type of at most 8 bits; None for f8E8M0FNU, which has neither sign nor mantissa."""
    semantics = cast(Any, element).SEMANTICS
    if not semantics.has_sign:
        return None
    if semantics.nonfinite is FloatNonfiniteBehavior.FINITE_ONLY:
        kind = "finite"
    elif semantics.nonfinite is FloatNonfiniteBehavior.IEEE:
        kind = "ieee"
    else:
        kind = "fn" if semantics.nan_encoding is FloatNanEncoding.ALL_ONES else "fnuz"
    return Format(cast(Any, element).bitwidth, semantics.mantissa_bits, semantics.exponent_bias, kind)


def extend_byte_float(rows: Rows, value: str, element: Attribute) -> str:
    """An `i8` that holds a small float to f32, exactly."""
    wide = rows.cast("zext", value, "i8", "i32")
    form = format_of(element)
    if form is None:
        return _extend_exponent(rows, wide)
    magnitude = rows.i("and", wide, form.all_ones)
    sign = rows.i("shl", rows.i("and", wide, form.sign), 32 - form.bits)
    moved = rows.cast("bitcast", rows.i("shl", magnitude, 23 - form.mantissa), "i32", "float")
    scaled = rows.cast("bitcast", rows.f("fmul", moved, 2.0 ** (127 - form.bias)), "float", "i32")
    if form.kind == "ieee":
        special = rows.i("icmp ugt", magnitude, form.largest)
        scaled = rows.select(special, rows.i("or", scaled, 0x7F800000), scaled)
    elif form.kind != "finite":
        special = rows.i("icmp eq", magnitude if form.kind == "fn" else wide, form.nan)
        scaled = rows.select(special, rows.i("or", scaled, 0x7FC00000), scaled)
    return rows.cast("bitcast", rows.i("or", scaled, sign), "i32", "float")


def truncate_byte_float(rows: Rows, value: str, element: Attribute) -> str:
    """f32 to a small float as `i8`, to nearest even.

    An addition rounds what is subnormal in the format, an integer addition the rest; what rounds beyond the largest overflows.
    """
    form = format_of(element)
    bits = rows.cast("bitcast", value, "float", "i32")
    if form is None:
        return rows.cast("trunc", _truncate_exponent(rows, bits), "i32", "i8")
    magnitude = rows.i("and", bits, 0x7FFFFFFF)
    drop = 23 - form.mantissa
    smallest_normal = (128 - form.bias) << 23
    magic = (127 - form.bias + drop + 1) << 23
    magic_float = 2.0 ** ((magic >> 23) - 127)
    shifted = rows.f("fadd", rows.cast("bitcast", magnitude, "i32", "float"), magic_float)
    subnormal = rows.i("sub", rows.cast("bitcast", shifted, "float", "i32"), magic)
    odd = rows.i("and", rows.i("lshr", magnitude, drop), 1)
    rebased = rows.i("sub", magnitude, ((127 - form.bias) << 23) - ((1 << (drop - 1)) - 1))
    normal = rows.i("lshr", rows.i("add", rebased, odd), drop)
    finite = rows.select(rows.i("icmp ult", magnitude, smallest_normal), subnormal, normal)
    beyond = rows.i("icmp ugt", finite, form.largest)
    nan = rows.i("icmp ugt", magnitude, 0x7F800000)
    overflow = {"ieee": form.largest + 1, "finite": form.largest}.get(form.kind, form.nan)
    result = rows.select(beyond, overflow, finite)
    sign = rows.i("and", rows.i("lshr", bits, 32 - form.bits), form.sign)
    if form.kind == "finite":
        sign = rows.select(nan, rows.i("xor", sign, form.sign), sign)
        result = rows.select(nan, 0, result)
    else:
        result = rows.select(nan, form.nan, result)
    if form.kind == "fnuz":
        sign = rows.select(rows.i("icmp eq", result, 0), 0, sign)
    return rows.cast("trunc", rows.i("or", result, sign), "i32", "i8")


def _extend_exponent(rows: Rows, code: str) -> str:
    """The code is f32's exponent, but that of 0 is a power of two there, and the last one NaN."""
    normal = rows.i("shl", code, 23)
    bits = rows.select(rows.i("icmp eq", code, 0), 0x00400000, normal)
    return rows.cast("bitcast", rows.select(rows.i("icmp eq", code, 0xFF), 0x7FC00000, bits), "i32", "float")


def _truncate_exponent(rows: Rows, bits: str) -> str:
    """To the nearest power of two, a tie to the larger (the significand 1 is odd, 2 even); zero and negative numbers are NaN.

    What is above the smallest power and a denormal of f32 becomes the one after it, as in ml_dtypes.
    """
    nearest = rows.i("lshr", rows.i("add", bits, 0x00400000), 23)
    denormal = rows.select(rows.i("icmp ugt", bits, 0x00400000), 1, 0)
    nearest = rows.select(rows.i("icmp ult", bits, 0x00800000), denormal, nearest)
    zero = rows.i("icmp eq", bits, 0)
    out_of_range = rows.i("icmp ugt", bits, 0x7F7FFFFF)
    nearest = rows.select(rows.i("icmp ugt", nearest, 0xFF), 0xFF, nearest)
    return rows.select(zero, 0xFF, rows.select(out_of_range, 0xFF, nearest))


__all__ = ["Format", "extend_byte_float", "format_of", "truncate_byte_float"]
