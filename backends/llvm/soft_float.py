"""Float conversions and fused multiply-add in plain integer and float operations, so that none is a library call.

Every function works on one scalar (`lanes=None`) or one row. Floats of 16 bits are `i16`; smaller ones, in `byte_floats.py`, `i8`.
Rounding is to nearest even; NaNs stay NaNs. Narrowing `f64` goes through `f32` rounded to odd, which makes the two roundings
one (Boldo and Melquiond, "When double rounding is odd").
"""

from __future__ import annotations

from xdsl.dialects.builtin import BFloat16Type, Float32Type
from xdsl.ir import Attribute
from xdsl.utils.type import get_element_type_or_self

from stepwell.backends.llvm.byte_floats import extend_byte_float, truncate_byte_float
from stepwell.backends.llvm.straight_line import Rows, typed
from stepwell.backends.llvm.writer import FunctionWriter
from stepwell.ir.dtypes import is_byte_float


def extend(w: FunctionWriter, value: str, small: Attribute, lanes: int | None) -> str:
    """A small float (as an integer) to f32."""
    rows = Rows(w, lanes)
    if is_byte_float(small):
        return extend_byte_float(rows, value, small)
    if isinstance(small, BFloat16Type):
        wide = rows.cast("zext", value, "i16", "i32")
        return rows.cast("bitcast", rows.i("shl", wide, 16), "i32", "float")
    if w.module.strategy.half:
        half = rows.cast("bitcast", value, "i16", "half")
        return rows.cast("fpext", half, "half", "float")
    wide = rows.cast("zext", value, "i16", "i32")
    magnitude = rows.i("and", wide, 0x7FFF)
    sign = rows.i("shl", rows.i("and", wide, 0x8000), 16)
    moved = rows.cast("bitcast", rows.i("shl", magnitude, 13), "i32", "float")
    scaled = rows.cast("bitcast", rows.f("fmul", moved, 2.0**112), "float", "i32")
    special = rows.i("icmp uge", magnitude, 0x7C00)
    infinite = rows.i("or", scaled, 0x7F800000)
    return rows.cast("bitcast", rows.i("or", rows.select(special, infinite, scaled), sign), "i32", "float")


def truncate(w: FunctionWriter, value: str, small: Attribute, lanes: int | None, short_nans: bool = False) -> str:
    """f32 to a small float (as an integer), to nearest even; `short_nans`: of NaNs the lower half is zero."""
    rows = Rows(w, lanes)
    if is_byte_float(small):
        return truncate_byte_float(rows, value, small)
    if isinstance(small, BFloat16Type):
        if w.module.strategy.bfloat:
            return rows.cast("bitcast", rows.cast("fptrunc", value, "float", "bfloat"), "bfloat", "i16")
        return _truncate_bf16(rows, value, short_nans)
    if w.module.strategy.half:
        return rows.cast("bitcast", rows.cast("fptrunc", value, "float", "half"), "half", "i16")
    return _truncate_f16(rows, value)


def halves(w: FunctionWriter, source: Attribute, target: Attribute) -> bool:
    """Whether narrowing a number that is one of the target already takes no rounding: bf16 is the upper half of f32."""
    kinds = get_element_type_or_self(source), get_element_type_or_self(target)
    return isinstance(kinds[0], Float32Type) and isinstance(kinds[1], BFloat16Type) and not w.module.strategy.bfloat


def upper_half(w: FunctionWriter, value: str, lanes: int | None) -> str:
    """An f32 that is a bf16 already as one (as an integer)."""
    rows = Rows(w, lanes)
    bits = rows.cast("bitcast", value, "float", "i32")
    return rows.cast("trunc", rows.i("lshr", bits, 16), "i32", "i16")


def _truncate_bf16(rows: Rows, value: str, short_nans: bool) -> str:
    bits = rows.cast("bitcast", value, "float", "i32")
    lowest = rows.i("and", rows.i("lshr", bits, 16), 1)
    rounded = rows.i("lshr", rows.i("add", bits, rows.i("add", lowest, 0x7FFF)), 16)
    if short_nans:
        return rows.cast("trunc", rounded, "i32", "i16")
    quiet = rows.i("or", rows.i("lshr", bits, 16), 0x40)
    unordered = rows.f("fcmp uno", value, 0.0)
    return rows.cast("trunc", rows.select(unordered, quiet, rounded), "i32", "i16")


def _truncate_f16(rows: Rows, value: str) -> str:
    """Fabian Giesen's `float_to_half_fast3_rtne`, with selects for its branches."""
    bits = rows.cast("bitcast", value, "float", "i32")
    magnitude = rows.i("and", bits, 0x7FFFFFFF)
    sign = rows.i("and", rows.i("lshr", bits, 16), 0x8000)
    denormal_magic = ((127 - 15) + (23 - 10) + 1) << 23
    shifted = rows.f("fadd", rows.cast("bitcast", magnitude, "i32", "float"), 0.5)
    denormal = rows.i("sub", rows.cast("bitcast", shifted, "float", "i32"), denormal_magic)
    odd = rows.i("and", rows.i("lshr", magnitude, 13), 1)
    rebased = rows.i("add", magnitude, ((15 - 127) << 23) + 0xFFF)
    normal = rows.i("lshr", rows.i("add", rebased, odd), 13)
    finite = rows.select(rows.i("icmp ult", magnitude, 113 << 23), denormal, normal)
    special = rows.select(rows.i("icmp ugt", magnitude, 0x7F800000), 0x7E00, 0x7C00)
    result = rows.select(rows.i("icmp uge", magnitude, (127 + 16) << 23), special, finite)
    return rows.cast("trunc", rows.i("or", result, sign), "i32", "i16")


def round_to_odd_f32(w: FunctionWriter, value: str, lanes: int | None) -> str:
    """f64 to f32, truncated, with the last bit set when inexact."""
    rows = Rows(w, lanes)
    near = rows.cast("fptrunc", value, "double", "float")
    back = rows.cast("fpext", near, "float", "double")
    bits = rows.cast("bitcast", near, "float", "i32")
    size = w.call(typed("double", lanes), f"llvm.fabs.{_suffix('f64', lanes)}", [(typed("double", lanes), value)])
    back_size = w.call(typed("double", lanes), f"llvm.fabs.{_suffix('f64', lanes)}", [(typed("double", lanes), back)])
    beyond = rows.cast("zext", rows.f("fcmp ogt", back_size, size, "double"), "i1", "i32")
    towards_zero = rows.i("or", rows.i("sub", bits, beyond), 1)
    inexact = rows.f("fcmp one", back, value, "double")
    return rows.cast("bitcast", rows.select(inexact, towards_zero, bits), "i32", "float")


def _suffix(short: str, lanes: int | None) -> str:
    return short if lanes is None else f"v{lanes}{short}"


def fma(w: FunctionWriter, name: str, lanes: int | None, a: str, b: str, c: str, flags: str = "") -> str:
    """`a * b + c` rounded once.

    Without FMA hardware an f32 is computed in f64, where the product is exact and the sum is rounded to odd; an f64
    by error-free transformations. With the `contract` flag two roundings are allowed and cost less.
    """
    type_ = typed(name, lanes)
    if w.module.strategy.fma:
        short = _suffix("f32" if name == "float" else "f64", lanes)
        return w.call(type_, f"llvm.fma.{short}", [(type_, a), (type_, b), (type_, c)], flags)
    if "contract" in flags:
        product = w.emit(f"fmul {flags}{type_} {a}, {b}")
        return w.emit(f"fadd {flags}{type_} {product}, {c}")
    rows = Rows(w, lanes)
    if name == "float":
        a, b, c = (rows.cast("fpext", x, "float", "double") for x in (a, b, c))
        total = _add_to_odd(rows, rows.f("fmul", a, b, "double"), c)
        return rows.cast("fptrunc", total, "double", "float")
    return _fma_f64(rows, a, b, c)


def _two_sum(rows: Rows, a: str, b: str) -> tuple[str, str]:
    total = rows.f("fadd", a, b, "double")
    b_part = rows.f("fsub", total, a, "double")
    a_part = rows.f("fsub", total, b_part, "double")
    error = rows.f("fadd", rows.f("fsub", a, a_part, "double"), rows.f("fsub", b, b_part, "double"), "double")
    return total, error


def _add_to_odd(rows: Rows, a: str, b: str) -> str:
    """`a + b` in f64, rounded to odd (infinities and NaNs as the plain sum gives them)."""
    total, error = _two_sum(rows, a, b)
    bits = rows.cast("bitcast", total, "double", "i64")
    even = rows.i("icmp eq", rows.i("and", bits, 1, "i64"), 0, "i64")
    inexact = rows.f("fcmp one", error, 0.0, "double")
    error_bits = rows.cast("bitcast", error, "double", "i64")
    opposite = rows.i("icmp slt", rows.i("xor", bits, error_bits, "i64"), 0, "i64")
    moved = rows.i("add", bits, rows.select(opposite, -1, 1, "i64"), "i64")
    change = rows.w.emit(f"and {typed('i1', rows.lanes)} {even}, {inexact}")
    return rows.cast("bitcast", rows.select(change, moved, bits, "i64"), "i64", "double")


def _split(rows: Rows, a: str) -> tuple[str, str]:
    scaled = rows.f("fmul", a, 134217729.0, "double")
    high = rows.f("fsub", scaled, rows.f("fsub", scaled, a, "double"), "double")
    return high, rows.f("fsub", a, high, "double")


def _fma_f64(rows: Rows, a: str, b: str, c: str) -> str:
    """Boldo and Melquiond's emulation; where a step overflows, the twice rounded `a * b + c` is the answer."""
    product = rows.f("fmul", a, b, "double")
    plain = rows.f("fadd", product, c, "double")
    (a_high, a_low), (b_high, b_low) = _split(rows, a), _split(rows, b)
    rest = rows.f("fsub", rows.f("fmul", a_high, b_high, "double"), product, "double")
    rest = rows.f("fadd", rest, rows.f("fmul", a_high, b_low, "double"), "double")
    rest = rows.f("fadd", rest, rows.f("fmul", a_low, b_high, "double"), "double")
    product_error = rows.f("fadd", rest, rows.f("fmul", a_low, b_low, "double"), "double")
    low_sum, low_error = _two_sum(rows, c, product_error)
    high_sum, high_error = _two_sum(rows, product, low_sum)
    tail = _add_to_odd(rows, low_error, high_error)
    exact = rows.f("fadd", high_sum, tail, "double")
    finite = rows.f("fcmp ord", exact, 0.0, "double")
    return rows.select(finite, exact, plain, "double")
