"""Elementwise functions: arithmetic, comparison, logic, bits, `where`, `clip` and the mathematical functions."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

from stepwell.frontends.api import api
from stepwell.frontends.build import Direction
from stepwell.frontends.dtypes import (
    BOOL,
    COMPLEX128,
    FLOAT32,
    FLOAT64,
    DType,
    as_dtype,
    inexact,
    is_float,
    is_integer,
    is_unsigned,
    kind,
)
from stepwell.frontends.errors import refuse
from stepwell.frontends.numpy_api.core import aligned, broadcast, broadcast_shapes, lifted, scalar_like
from stepwell.frontends.tracer import Tracer, converted, emit, promoted, static_int


def _binary(op: str, name: str, doc: str, at_least: Callable[[DType], DType] | None = None) -> Callable[..., Any]:
    def function(x1: Any, x2: Any, /) -> Any:
        (a, b), _, weak = aligned(x1, x2, at_least=at_least)
        return emit("binary", op, a, b, weak=weak)

    return named(function, name, doc, "x1", "x2")


def named(function: Callable[..., Any], name: str, doc: str, *arrays: str) -> Callable[..., Any]:
    """A function of the Python API, called `name`; `arrays` are its parameters."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return api(*arrays)(function)


def _numbers(dtype: DType) -> DType:
    if dtype == BOOL:
        raise refuse("booleans have no subtraction or sign", "use logical_xor, logical_not or astype")
    return dtype


def _integers(dtype: DType) -> DType:
    if kind(dtype) > 1:
        raise refuse(f"a bitwise function is not defined for {dtype.name}")
    return dtype


def _strict_integers(dtype: DType) -> DType:
    if not is_integer(dtype):
        raise refuse(f"shifts and bit counts are defined for integers, not {dtype.name}")
    return dtype


def reals(dtype: DType) -> DType:
    """`inexact`, for functions of real numbers."""
    if kind(dtype) > 2:
        raise refuse(f"the function is not defined for {dtype.name}")
    return inexact(dtype)


add = _binary("add", "add", "The sum of two arrays.")
subtract = _binary("subtract", "subtract", "The difference of two arrays.", _numbers)
multiply = _binary("multiply", "multiply", "The product of two arrays.")
divide = _binary("divide", "divide", "The quotient of two arrays; of integers a float.", inexact)
maximum = _binary("maximum", "maximum", "The larger of two; NaN if either is.")
minimum = _binary("minimum", "minimum", "The smaller of two; NaN if either is.")
arctan2 = _binary("atan2", "arctan2", "The angle of the point (x2, x1).", reals)
bitwise_and = _binary("and", "bitwise_and", "Bitwise (or logical) and.", _integers)
bitwise_or = _binary("or", "bitwise_or", "Bitwise (or logical) or.", _integers)
bitwise_xor = _binary("xor", "bitwise_xor", "Bitwise (or logical) exclusive or.", _integers)
left_shift = _binary("shift_left", "left_shift", "Bits shifted left.", _strict_integers)
fmod = _binary("remainder", "fmod", "Remainder with the sign of x1, as C's.", _numbers)


@api("x1", "x2")
def right_shift(x1: Any, x2: Any, /) -> Any:
    """Bits shifted right; signed integers keep their sign."""
    (a, b), dtype, weak = aligned(x1, x2, at_least=_strict_integers)
    return emit("binary", "shift_right_logical" if is_unsigned(dtype) else "shift_right_arithmetic", a, b, weak=weak)


@api("x1", "x2")
def floor_divide(x1: Any, x2: Any, /) -> Any:
    """The quotient rounded down."""
    (a, b), dtype, weak = aligned(x1, x2, at_least=_numbers)
    quotient = emit("binary", "divide", a, b, weak=weak)
    if kind(dtype) == 3:
        raise refuse("complex numbers have no floor division")
    if is_float(dtype):
        return _floor_divide_floats(a, b)
    if is_unsigned(dtype):
        return quotient
    remainder = emit("binary", "remainder", a, b)
    apart = emit("compare", "NE", emit("unary", "sign", a), emit("unary", "sign", b))
    inexactly = emit("compare", "NE", remainder, scalar_like(0, remainder))
    lower = emit("binary", "subtract", quotient, scalar_like(1, quotient))
    return emit("select", emit("binary", "and", apart, inexactly), lower, quotient, weak=weak)


def _floor_divide_floats(a: Tracer, b: Tracer) -> Tracer:
    """Floor of the exact quotient: from the exact remainder, since a rounded quotient may reach the next integer."""
    exact = emit("binary", "divide", emit("binary", "subtract", a, _modulo(a, b)), b)
    rounded = emit("unary", "round_nearest_even", exact)
    plain = emit("binary", "divide", a, b)
    return emit("select", emit("unary", "is_finite", plain), rounded, emit("unary", "floor", plain))


def _modulo(a: Tracer, b: Tracer) -> Tracer:
    remainder = emit("binary", "remainder", a, b)
    zero = scalar_like(0, remainder)
    nonzero = emit("compare", "NE", remainder, zero)
    apart = emit("compare", "NE", emit("compare", "LT", remainder, zero), emit("compare", "LT", b, zero))
    moved = emit("binary", "add", remainder, b)
    return emit("select", emit("binary", "and", apart, nonzero), moved, remainder)


@api("x1", "x2")
def remainder(x1: Any, x2: Any, /) -> Any:
    """The remainder of `floor_divide`, with the sign of x2."""
    (a, b), dtype, _ = aligned(x1, x2, at_least=_numbers)
    return emit("binary", "remainder", a, b) if is_unsigned(dtype) else _modulo(a, b)


def divmod(x1: Any, x2: Any, /) -> Any:
    """(`floor_divide`, `remainder`)."""
    return floor_divide(x1, x2), remainder(x1, x2)


@api("x1", "x2")
def power(x1: Any, x2: Any, /) -> Any:
    """x1 to the power of x2."""
    if type(x2) is int and builtins.abs(x2) <= _UNROLLED:
        return _integer_power(lifted(x1), x2)
    (a, b), _, weak = aligned(x1, x2)
    return emit("binary", "power", a, b, weak=weak)


_UNROLLED = 64
"""Integer exponents up to this are products."""


@api("x1")
def integer_power(x1: Any, exponent: int, /) -> Any:
    """x1 to the power of a static integer, as products."""
    return _integer_power(lifted(x1), exponent) if builtins.abs(exponent) <= _UNROLLED else power(x1, exponent)


def _integer_power(base: Tracer, exponent: int) -> Tracer:
    if exponent < 0 and kind(base.dtype) <= 1:
        raise refuse("integers to negative powers are not integers", "convert the base with astype(float)")
    if exponent == 0:
        return scalar_like(1, base)
    square, result, rest = base, None, builtins.abs(exponent)
    while rest:
        if rest & 1:
            result = square if result is None else emit("binary", "multiply", result, square, weak=base.weak)
        rest >>= 1
        if rest:
            square = emit("binary", "multiply", square, square, weak=base.weak)
    assert result is not None
    return emit("binary", "divide", scalar_like(1, result), result, weak=base.weak) if exponent < 0 else result


def _comparison(direction: Direction, name: str, doc: str) -> Callable[..., Any]:
    def function(x1: Any, x2: Any, /) -> Any:
        (a, b), _, _ = aligned(x1, x2)
        return emit("compare", direction, a, b)

    return named(function, name, doc, "x1", "x2")


equal = _comparison("EQ", "equal", "Whether elements are equal.")
not_equal = _comparison("NE", "not_equal", "Whether elements differ.")
less = _comparison("LT", "less", "Whether x1 < x2.")
less_equal = _comparison("LE", "less_equal", "Whether x1 <= x2.")
greater = _comparison("GT", "greater", "Whether x1 > x2.")
greater_equal = _comparison("GE", "greater_equal", "Whether x1 >= x2.")


def truth(operand: Any) -> Tracer:
    """Whether elements are not zero."""
    x = lifted(operand)
    return x if x.dtype == BOOL else emit("compare", "NE", x, scalar_like(0, x))


def _logical(op: str, name: str) -> Callable[..., Any]:
    def function(x1: Any, x2: Any, /) -> Any:
        (a, b), _, _ = aligned(truth(x1), truth(x2))
        return emit("binary", op, a, b)

    return named(function, name, f"Logical {op} of truth values.", "x1", "x2")


logical_and = _logical("and", "logical_and")
logical_or = _logical("or", "logical_or")
logical_xor = _logical("xor", "logical_xor")


@api("x")
def logical_not(x: Any, /) -> Any:
    """Whether elements are zero."""
    return emit("unary", "not", truth(x))


def _unary(op: str, name: str, doc: str, at_least: Callable[[DType], DType]) -> Callable[..., Any]:
    def function(x: Any, /) -> Any:
        (a,), _, weak = promoted(x, at_least=at_least)
        return emit("unary", op, a, weak=weak)

    return named(function, name, doc, "x")


def _floats(op: str, name: str, doc: str) -> Callable[..., Any]:
    return _unary(op, name, doc, inexact)


exp = _floats("exponential", "exp", "e to the power of x.")
expm1 = _floats("exponential_minus_one", "expm1", "`exp(x) - 1`, accurate near zero.")
log = _floats("log", "log", "The natural logarithm.")
log1p = _floats("log_plus_one", "log1p", "`log(1 + x)`, accurate near zero.")
sqrt = _floats("sqrt", "sqrt", "The square root.")
rsqrt = _floats("rsqrt", "rsqrt", "The reciprocal of the square root.")
cbrt = _floats("cbrt", "cbrt", "The cube root.")
sin = _floats("sine", "sin", "The sine.")
cos = _floats("cosine", "cos", "The cosine.")
tan = _floats("tan", "tan", "The tangent.")
arcsin = _floats("asin", "arcsin", "The inverse sine.")
arccos = _floats("acos", "arccos", "The inverse cosine.")
arctan = _floats("atan", "arctan", "The inverse tangent.")
sinh = _floats("sinh", "sinh", "The hyperbolic sine.")
cosh = _floats("cosh", "cosh", "The hyperbolic cosine.")
tanh = _floats("tanh", "tanh", "The hyperbolic tangent.")
arcsinh = _floats("asinh", "arcsinh", "The inverse hyperbolic sine.")
arccosh = _floats("acosh", "arccosh", "The inverse hyperbolic cosine.")
arctanh = _floats("atanh", "arctanh", "The inverse hyperbolic tangent.")
sigmoid = _floats("logistic", "sigmoid", "`1 / (1 + exp(-x))`.")
erf = _unary("erf", "erf", "The error function.", reals)
erfc = _unary("erfc", "erfc", "`1 - erf(x)`, accurate for large x.", reals)
erf_inv = _unary("erf_inv", "erf_inv", "The inverse of the error function.", reals)
lgamma = _unary("lgamma", "lgamma", "The logarithm of the gamma function's modulus.", reals)
digamma = _unary("digamma", "digamma", "The derivative of `lgamma`.", reals)
isfinite = _unary("is_finite", "isfinite", "Whether elements are neither infinite nor NaN.", reals)
bitwise_count = _unary("popcnt", "bitwise_count", "The number of one bits.", _strict_integers)
bitwise_invert = _unary("not", "bitwise_invert", "Bitwise (or logical) not.", _integers)
count_leading_zeros = _unary(
    "count_leading_zeros", "count_leading_zeros", "The number of leading zero bits.", _strict_integers
)


@api("x")
def real(x: Any, /) -> Any:
    """The real part."""
    a = lifted(x)
    return emit("unary", "real", a) if kind(a.dtype) == 3 else a


@api("x")
def imag(x: Any, /) -> Any:
    """The imaginary part; zeros of real numbers."""
    a = lifted(x)
    return emit("unary", "imag", a) if kind(a.dtype) == 3 else scalar_like(0, a)


def _rounding(op: str, name: str, doc: str) -> Callable[..., Any]:
    def function(x: Any, /) -> Any:
        a = lifted(x)
        if kind(a.dtype) <= 1:
            return a
        return emit("unary", op, a, weak=a.weak)

    return named(function, name, doc, "x")


floor = _rounding("floor", "floor", "The largest integral value not above x.")
ceil = _rounding("ceil", "ceil", "The smallest integral value not below x.")


@api("x")
def round(x: Any, /, decimals: int = 0) -> Any:
    """The nearest number with so many decimals, ties to even."""
    a, places = lifted(x), static_int(decimals, "decimals")
    if places == 0 or not is_float(a.dtype):
        return _rounded(a, places)
    power = scalar_like(10.0 ** builtins.abs(places), a)
    first, last = ("multiply", "divide") if places > 0 else ("divide", "multiply")
    return emit("binary", last, _rounded(emit("binary", first, a, power), 0), power, weak=a.weak)


def _rounded(a: Tracer, places: int) -> Tracer:
    if kind(a.dtype) == 3:
        raise refuse("complex numbers are not rounded", "round their real and imag")
    if is_float(a.dtype):
        return emit("unary", "round_nearest_even", a, weak=a.weak)
    if places < 0:
        raise refuse("integers are not rounded to tens", "convert with astype")
    return a


@api("x")
def trunc(x: Any, /) -> Any:
    """The integral part."""
    a = lifted(x)
    if kind(a.dtype) <= 1:
        return a
    negative = emit("compare", "LT", a, scalar_like(0, a))
    return emit("select", negative, emit("unary", "ceil", a), emit("unary", "floor", a))


@api("x")
def negative(x: Any, /) -> Any:
    """`-x`; unsigned integers wrap."""
    (a,), _, weak = promoted(x, at_least=_numbers)
    return emit("unary", "negate", a, weak=weak)


@api("x")
def positive(x: Any, /) -> Any:
    """X itself."""
    return lifted(x)


@api("x")
def abs(x: Any, /) -> Any:
    """The absolute value."""
    a = lifted(x)
    return a if a.dtype == BOOL or is_unsigned(a.dtype) else emit("unary", "abs", a, weak=a.weak)


@api("x")
def sign(x: Any, /) -> Any:
    """-1, 0 or 1."""
    (a,), dtype, _ = promoted(x, at_least=_numbers)
    if is_unsigned(dtype):
        return emit("convert", emit("compare", "NE", a, scalar_like(0, a)), dtype)
    return emit("unary", "sign", a)


@api("x")
def square(x: Any, /) -> Any:
    """`x * x`."""
    a = lifted(x)
    return emit("binary", "multiply", a, a, weak=a.weak)


@api("x")
def reciprocal(x: Any, /) -> Any:
    """`1 / x`."""
    return divide(1, x)


@api("x")
def conj(x: Any, /) -> Any:
    """The complex conjugate."""
    a = lifted(x)
    return emit("unary", "conj", a) if kind(a.dtype) == 3 else a


@api("condition", "x1", "x2")
def where(condition: Any, x1: Any = None, x2: Any = None, /) -> Any:
    """x1 where the condition holds, else x2."""
    if x1 is None or x2 is None:
        hint = "give all three operands; the indices of true elements have a shape that depends on data"
        raise refuse("where(condition) alone cannot be compiled", hint)
    (a, b), _, weak = aligned(x1, x2)
    (chosen, *_), _, _ = aligned(truth(condition))
    shape = broadcast_shapes(chosen.shape, a.shape)
    return emit("select", broadcast(chosen, shape), broadcast(a, shape), broadcast(b, shape), weak=weak)


@api("x", "min", "max")
def clip(x: Any, /, min: Any = None, max: Any = None) -> Any:
    """X limited to [min, max]; NumPy's `minimum(maximum(x, min), max)`."""
    result = lifted(x)
    if min is not None:
        result = maximum(result, min)
    return result if max is None else minimum(result, max)


@api("x")
def astype(x: Any, dtype: Any, /) -> Any:
    """X converted: floats to integers truncate, to booleans whether not zero, complex to real the real part."""
    a, wanted = lifted(x), as_dtype(dtype)
    if a.dtype == wanted:
        return strengthened(a)
    if kind(a.dtype) == 3 and kind(wanted) < 3:
        a = emit("unary", "real", a)
    if wanted == BOOL:
        return truth(a)
    return emit("convert", a, wanted)


def strengthened(x: Tracer) -> Tracer:
    """X without weakness."""
    return x if not x.weak else emit("convert", x, x.dtype)


@api("real", "imag")
def make_complex(real: Any, imag: Any, /) -> Any:
    """Complex numbers from real and imaginary parts."""
    (a, b), dtype, _ = aligned(real, imag, at_least=reals)
    wide = FLOAT64 if dtype == FLOAT64 else FLOAT32
    result = emit("complex", converted(a, wide), converted(b, wide))
    assert result.dtype == COMPLEX128 or wide == FLOAT32
    return result
