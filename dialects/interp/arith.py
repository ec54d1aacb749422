"""Interpreter rules of `arith`, on scalars and on arrays (tensors, vectors, and the lanes of a vectorized body) alike.

Every result is rounded to the dtype of its type by each op; integers wrap. What MLIR leaves undefined (division by zero,
shifting by the width, float to integer out of range) is defined here, deterministically, and marked below: lowerings
must not rely on it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from xdsl.dialects import arith
from xdsl.dialects.builtin import (
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IndexType,
    IntegerAttr,
    MemRefType,
    TensorType,
    VectorType,
)
from xdsl.ir import Attribute, Operation, SSAValue

from stepwell.dialects.interp import numerics as num
from stepwell.ir.dense import dense_to_array
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.interpreter import Interpreter, InterpreterError, Rule, Value

Array = Any
_Shaped = (TensorType, VectorType, MemRefType)


def element_type(a_type: Attribute) -> Attribute:
    """The element type of a shaped type, else the type itself."""
    return a_type.get_element_type() if isinstance(a_type, _Shaped) else a_type


def dtype_of(value: SSAValue) -> np.dtype[Any]:
    """The NumPy dtype of a value's elements."""
    return numpy_dtype(element_type(value.type))


def finish(value: Array, a_type: Attribute) -> Value:
    """Shape a computed array as the interpreter holds values of `a_type`.

    Tensors and vectors are arrays; scalars are NumPy scalars and indices Python ints, except inside a vectorized
    body, where they are arrays of lanes.
    """
    array = np.asarray(value).astype(numpy_dtype(element_type(a_type)), copy=False)
    if isinstance(a_type, _Shaped) or array.ndim:
        return array
    return int(array) if isinstance(a_type, IndexType) else array[()]


def unsigned(array: Array) -> Array:
    """The same bits read as unsigned integers (booleans stay)."""
    array = np.asarray(array)
    if array.dtype.kind == "i":
        return array.view(f"u{array.dtype.itemsize}")
    if array.dtype.kind in "ub":
        return array
    return array.astype(np.int8).view(np.uint8) & np.uint8((1 << num.bit_width(array.dtype)) - 1)


def signed(array: Array) -> Array:
    """The bits read as signed integers; an i1 true is -1."""
    array = np.asarray(array)
    if array.dtype == np.bool_:
        return -array.astype(np.int8)
    return widened(array)


def widened(array: Array) -> Array:
    """Integers below a byte as bytes, others as they are: NumPy has no bitwise or shifting functions on them."""
    return array.astype(np.int8) if num.is_integer(array.dtype) and num.bit_width(array.dtype) < 8 else array


def _elementwise(function: Callable[..., Array], *, exact_width: bool = False) -> Rule:
    """A rule from a function of arrays of the operands' dtypes.

    Integers below a byte come as bytes, and what results wraps at their width, unless it needs to know their width.
    """

    def rule(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
        del interp
        operands = [np.asarray(a, dtype_of(o)) for a, o in zip(args, op._operands, strict=True)]  # pyright: ignore[reportPrivateUsage]
        if not exact_width:
            operands = [widened(a) for a in operands]
        with np.errstate(all="ignore"):
            result = function(*operands)
        return (finish(result, op.results[0].type),)

    return rule


def _boolean(on_bool: Callable[..., Array], on_int: Callable[..., Array]) -> Rule:
    """A rule with a meaning of its own on i1 (NumPy's bool has no modular arithmetic)."""
    return _elementwise(lambda *a: on_bool(*a) if a[0].dtype == np.bool_ else on_int(*a))


def _checked_divisor(function: Callable[[Array, Array], Array], *, exact_width: bool = False) -> Rule:
    """Integer division: a zero divisor is an error, as the native code would trap."""

    def rule(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
        divisor = np.asarray(args[1])
        if divisor.size and not np.all(divisor):
            raise InterpreterError(op, "division by zero")
        return tuple(_elementwise(function, exact_width=exact_width)(interp, op, args))

    return rule


def _trunc_div(a: Array, b: Array) -> Array:
    if a.dtype == np.bool_:
        return a & b
    quotient = np.floor_divide(a, b)
    remainder = np.subtract(a, np.multiply(quotient, b))
    inexact_negative = (remainder != 0) & ((a < 0) != (b < 0))
    # INT_MIN / -1 overflows: NumPy gives INT_MIN, as XLA does.
    return quotient + inexact_negative.astype(a.dtype)


def _trunc_rem(a: Array, b: Array) -> Array:
    return a & ~b if a.dtype == np.bool_ else np.fmod(a, np.where(b == -1, b.dtype.type(1), b))


def _unsigned_op(function: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    def compute(a: Array, b: Array) -> Array:
        ua, ub = unsigned(a), unsigned(b)
        return function(ua, ub).astype(a.dtype)

    return compute


def _shift(kind: str) -> Callable[[Array, Array], Array]:
    """Shifts; an amount (read unsigned) of at least the width gives 0, or the sign for `shrsi` (poison in MLIR)."""

    def compute(a: Array, b: Array) -> Array:
        if a.dtype == np.bool_:
            return a if kind == "shrsi" else a & ~b
        bits = num.bit_width(a.dtype)
        amount = unsigned(b)
        small = np.minimum(amount, amount.dtype.type(bits - 1))
        if kind == "shrsi":
            wide = widened(a)
            return np.right_shift(wide, small.astype(wide.dtype)).astype(a.dtype)
        ua = unsigned(a)
        shifted = np.left_shift(ua, small) if kind == "shli" else np.right_shift(ua, small)
        return np.where(amount < bits, shifted, ua.dtype.type(0)).astype(a.dtype)

    return compute


def _ceil_div_signed(a: Array, b: Array) -> Array:
    quotient = np.floor_divide(a, b)  # -(-a // b) would overflow at the lowest value
    return np.where(np.remainder(a, b) != 0, quotient + 1, quotient).astype(a.dtype)


def _select_nan(pick_left: Callable[[Array, Array], Array], *, propagate: bool) -> Rule:
    """Float min/max: -0 is below +0; NaN propagates (`maximumf`) or loses (`maxnumf`)."""

    def compute(a: Array, b: Array) -> Array:
        result = np.where(pick_left(a, b), a, b)
        a_nan, b_nan = np.isnan(a), np.isnan(b)
        if propagate:
            return np.where(a_nan, a, np.where(b_nan, b, result))
        return np.where(a_nan, b, np.where(b_nan, a, result))

    return _elementwise(compute)


def _greater(a: Array, b: Array) -> Array:
    return (a > b) | ((a == b) & ~np.signbit(a))


def _less(a: Array, b: Array) -> Array:
    return (a < b) | ((a == b) & np.signbit(a))


_INT_PREDICATES: tuple[Callable[[Array, Array], Array], ...] = (
    np.equal,
    np.not_equal,
    *(lambda a, b, f=f: f(signed(a), signed(b)) for f in (np.less, np.less_equal, np.greater, np.greater_equal)),
    *(lambda a, b, f=f: f(unsigned(a), unsigned(b)) for f in (np.less, np.less_equal, np.greater, np.greater_equal)),
)
_ORDERED: tuple[Callable[[Array, Array], Array], ...] = (
    np.equal,
    np.greater,
    np.greater_equal,
    np.less,
    np.less_equal,
    np.not_equal,
)


def _compare(compute: Callable[[int, Array, Array], Array]) -> Rule:
    def rule(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
        del interp
        assert isinstance(op, arith.CmpiOp | arith.CmpfOp)
        dtype = dtype_of(op.lhs)
        with np.errstate(all="ignore"):
            result = compute(op.predicate.value.data, np.asarray(args[0], dtype), np.asarray(args[1], dtype))
        return (finish(result, op.result.type),)

    return rule


def _cmpf(predicate: int, a: Array, b: Array) -> Array:
    unordered = np.isnan(a) | np.isnan(b)
    if predicate in (0, 15):
        return np.full(unordered.shape, predicate == 15)
    if predicate in (7, 14):
        return unordered if predicate == 14 else ~unordered
    if predicate < 7:
        return _ORDERED[predicate - 1](a, b) & ~unordered
    return _ORDERED[predicate - 8](a, b) | unordered


def _constant(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp, args
    assert isinstance(op, arith.ConstantOp)
    value = op.value
    if isinstance(value, DenseIntOrFPElementsAttr):
        return (dense_to_array(value),)
    if not isinstance(value, IntegerAttr | FloatAttr):
        raise InterpreterError(op, f"constant of kind {type(value).__name__} has no value here")
    data: int | float = value.value.data
    dtype = numpy_dtype(element_type(op.result.type))
    if isinstance(value, IntegerAttr) and dtype.kind == "i":
        bits = num.bit_width(dtype)
        data = (int(data) + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))
    with np.errstate(all="ignore"):
        return (finish(np.asarray(data).astype(dtype), op.result.type),)


def _select(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp
    dtype = dtype_of(op.results[0])
    on_true, on_false = np.asarray(args[1], dtype), np.asarray(args[2], dtype)
    return (finish(np.where(np.asarray(args[0], np.bool_), on_true, on_false), op.results[0].type),)


def _cast(convert: Callable[[Array, np.dtype[Any]], Array]) -> Rule:
    def rule(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
        del interp
        with np.errstate(all="ignore"):
            source = np.asarray(args[0], dtype_of(op.operands[0]))
            return (finish(convert(source, dtype_of(op.results[0])), op.results[0].type),)

    return rule


def _truncate(a: Array, dtype: np.dtype[Any]) -> Array:
    return (a & 1) != 0 if dtype == np.bool_ else a.astype(dtype)


def _from_unsigned(a: Array, dtype: np.dtype[Any]) -> Array:
    return unsigned(a).astype(dtype)


def _from_signed(a: Array, dtype: np.dtype[Any]) -> Array:
    return signed(a).astype(dtype)


def round_to(a: Array, dtype: np.dtype[Any]) -> Array:
    """Convert to a float dtype rounding once (ml_dtypes goes through f32, which would round twice)."""
    return num.round_to(a.astype(np.float32) if num.is_extension(a.dtype) else a, dtype)


def _float_to_int(is_unsigned: bool) -> Callable[[Array, np.dtype[Any]], Array]:
    """Toward zero; out of range saturates and NaN gives 0 (poison in MLIR)."""

    def convert(a: Array, dtype: np.dtype[Any]) -> Array:
        wide = np.trunc(a.astype(np.float64))
        if dtype == np.bool_:
            return wide != 0
        bits = num.bit_width(dtype)
        low, high = (0, 2**bits - 1) if is_unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        target = np.dtype(f"{'u' if is_unsigned else 'i'}{dtype.itemsize}")
        inside = (wide > float(low) - 1) & (wide < float(high + 1))
        result = np.where(inside, wide, 0).astype(target)
        result = np.where(wide >= float(high + 1), target.type(high), result)
        return np.where(wide <= float(low), target.type(low), result).astype(target).astype(dtype)

    return convert


def _bitcast(a: Array, dtype: np.dtype[Any]) -> Array:
    if num.bit_width(dtype) >= 8:
        return a.view(dtype)
    bits = unsigned(a if num.is_integer(a.dtype) else a.view(np.uint8))  # NumPy keeps narrow integers with their sign
    return bits.astype(dtype) if num.is_integer(dtype) else bits.view(dtype)


def _mul_extended(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp
    dtype = dtype_of(op.operands[0])
    read = signed if op.name == "arith.mulsi_extended" else unsigned
    product = read(np.asarray(args[0], dtype)).astype(object) * read(np.asarray(args[1], dtype)).astype(object)
    bits = num.bit_width(dtype)
    low = np.asarray(product % (1 << bits)).astype(f"u{dtype.itemsize}").astype(dtype)
    high = np.asarray((product >> bits) % (1 << bits)).astype(f"u{dtype.itemsize}").astype(dtype)
    return (finish(low, op.results[0].type), finish(high, op.results[1].type))


def _add_extended(interp: Interpreter, op: Operation, args: tuple[Value, ...]) -> tuple[Value, ...]:
    del interp
    dtype = dtype_of(op.operands[0])
    a, b = (unsigned(np.asarray(x, dtype)) for x in args)
    total = unsigned((a + b).astype(dtype))
    return (finish(total.astype(dtype), op.results[0].type), finish(total < a, op.results[1].type))


RULES: dict[str, Rule] = {
    "arith.constant": _constant,
    "arith.select": _select,
    "arith.cmpi": _compare(lambda p, a, b: _INT_PREDICATES[p](a, b)),
    "arith.cmpf": _compare(_cmpf),
    "arith.addi": _boolean(np.logical_xor, np.add),
    "arith.subi": _boolean(np.logical_xor, np.subtract),
    "arith.muli": _boolean(np.logical_and, np.multiply),
    "arith.addui_extended": _add_extended,
    "arith.mului_extended": _mul_extended,
    "arith.mulsi_extended": _mul_extended,
    "arith.divsi": _checked_divisor(_trunc_div),
    "arith.remsi": _checked_divisor(_trunc_rem),
    "arith.divui": _checked_divisor(
        _unsigned_op(lambda a, b: a & b if a.dtype == np.bool_ else a // b), exact_width=True
    ),
    "arith.remui": _checked_divisor(
        _unsigned_op(lambda a, b: a & ~b if a.dtype == np.bool_ else a % b), exact_width=True
    ),
    "arith.floordivsi": _checked_divisor(np.floor_divide),
    "arith.ceildivsi": _checked_divisor(_ceil_div_signed),
    "arith.ceildivui": _checked_divisor(
        _unsigned_op(lambda a, b: a // b + (a % b != 0).astype(a.dtype)), exact_width=True
    ),
    "arith.minsi": _elementwise(lambda a, b: np.where(signed(a) < signed(b), a, b)),
    "arith.maxsi": _elementwise(lambda a, b: np.where(signed(a) > signed(b), a, b)),
    "arith.minui": _elementwise(_unsigned_op(np.minimum), exact_width=True),
    "arith.maxui": _elementwise(_unsigned_op(np.maximum), exact_width=True),
    "arith.andi": _elementwise(np.bitwise_and),
    "arith.ori": _elementwise(np.bitwise_or),
    "arith.xori": _elementwise(np.bitwise_xor),
    "arith.shli": _elementwise(_shift("shli"), exact_width=True),
    "arith.shrui": _elementwise(_shift("shrui"), exact_width=True),
    "arith.shrsi": _elementwise(_shift("shrsi"), exact_width=True),
    "arith.addf": _elementwise(np.add),
    "arith.subf": _elementwise(np.subtract),
    "arith.mulf": _elementwise(np.multiply),
    "arith.divf": _elementwise(np.divide),
    "arith.remf": _elementwise(np.fmod),
    "arith.negf": _elementwise(np.negative),
    "arith.maximumf": _select_nan(_greater, propagate=True),
    "arith.minimumf": _select_nan(_less, propagate=True),
    "arith.maxnumf": _select_nan(_greater, propagate=False),
    "arith.minnumf": _select_nan(_less, propagate=False),
    "arith.bitcast": _cast(_bitcast),
    "arith.index_cast": _cast(_from_signed),
    "arith.index_castui": _cast(_from_unsigned),
    "arith.fptosi": _cast(_float_to_int(is_unsigned=False)),
    "arith.fptoui": _cast(_float_to_int(is_unsigned=True)),
    "arith.sitofp": _cast(lambda a, d: round_to(signed(a), d)),
    "arith.uitofp": _cast(lambda a, d: round_to(unsigned(a), d)),
    "arith.extf": _cast(lambda a, d: a.astype(d)),
    "arith.truncf": _cast(round_to),
    "arith.trunci": _cast(_truncate),
    "arith.extsi": _cast(_from_signed),
    "arith.extui": _cast(_from_unsigned),
}
