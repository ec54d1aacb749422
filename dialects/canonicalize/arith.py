"""Canonicalization of `arith`: folding of constants and identities, exact for every input.

Float identities hold for -0.0, infinities and NaN: `x + 0.0` stays (it turns -0.0 into 0.0), `x * 1.0`, `x
/ 1.0`, `x - 0.0` and `x + -0.0` go. Integer arithmetic wraps. What is undefined (division by zero, shifts
by the width or more) is left.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType, IntegerAttr, IntegerType
from xdsl.ir import Attribute, Operation, OpResult, SSAValue

from stepwell.dialects.canonicalize.constants import (
    constant_of,
    element_type,
    float_like,
    float_of,
    int_of,
    integer_like,
    numpy_scalar,
    width_of,
    wrap,
)
from stepwell.dialects.canonicalize.ranges import range_of
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.rewriting import Folder, Pattern, Rewriter

Folded = Sequence[SSAValue | Attribute] | None
Constants = Sequence[Attribute | None]
IntRule = Callable[[int, int, int], int | None]
"""(lhs, rhs, width) -> result, operands read as signed; None where undefined."""


def _one(value: SSAValue | Attribute | None) -> Folded:
    return None if value is None else (value,)


def _unsigned(rule: IntRule) -> IntRule:
    return lambda a, b, w: rule(wrap(a, w, signed=False), wrap(b, w, signed=False), w)


def _truncated_division(a: int, b: int, width: int) -> int | None:
    if b == 0 or (b == -1 and a == -(1 << (width - 1))):
        return None
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _remainder(a: int, b: int, width: int) -> int | None:
    quotient = _truncated_division(a, b, width)
    return None if quotient is None else a - quotient * b


def _floor_division(a: int, b: int, width: int) -> int | None:
    return None if _truncated_division(a, b, width) is None else a // b


def _ceil_division(a: int, b: int, width: int) -> int | None:
    return None if _truncated_division(a, b, width) is None else -(-a // b)


def _shift(rule: Callable[[int, int], int]) -> IntRule:
    return lambda a, b, w: rule(a, b) if 0 <= b < w else None


INT_RULES: dict[str, IntRule] = {
    "arith.addi": lambda a, b, w: a + b,
    "arith.subi": lambda a, b, w: a - b,
    "arith.muli": lambda a, b, w: a * b,
    "arith.andi": lambda a, b, w: a & b,
    "arith.ori": lambda a, b, w: a | b,
    "arith.xori": lambda a, b, w: a ^ b,
    "arith.shli": _shift(operator.lshift),
    "arith.shrsi": _shift(operator.rshift),
    "arith.shrui": _unsigned(_shift(operator.rshift)),
    "arith.divsi": _truncated_division,
    "arith.remsi": _remainder,
    "arith.floordivsi": _floor_division,
    "arith.ceildivsi": _ceil_division,
    "arith.divui": _unsigned(lambda a, b, w: a // b if b else None),
    "arith.remui": _unsigned(lambda a, b, w: a % b if b else None),
    "arith.ceildivui": _unsigned(lambda a, b, w: -(-a // b) if b else None),
    "arith.minsi": lambda a, b, w: min(a, b),
    "arith.maxsi": lambda a, b, w: max(a, b),
    "arith.minui": _unsigned(lambda a, b, w: min(a, b)),
    "arith.maxui": _unsigned(lambda a, b, w: max(a, b)),
}

_COMMUTATIVE = frozenset(
    f"arith.{name}"
    for name in "addi muli andi ori xori minsi maxsi minui maxui addf mulf minimumf maximumf minnumf maxnumf".split()
)

_RIGHT_UNIT: dict[str, int] = {
    "arith.addi": 0,
    "arith.subi": 0,
    "arith.ori": 0,
    "arith.xori": 0,
    "arith.shli": 0,
    "arith.shrsi": 0,
    "arith.shrui": 0,
    "arith.muli": 1,
    "arith.divsi": 1,
    "arith.divui": 1,
    "arith.floordivsi": 1,
    "arith.ceildivsi": 1,
    "arith.ceildivui": 1,
    "arith.andi": -1,
    "arith.minui": -1,
    "arith.maxui": 0,
}
"""`op(x, unit)` is x; -1 stands for all ones."""

_RIGHT_ABSORBER: dict[str, int] = {
    "arith.muli": 0,
    "arith.andi": 0,
    "arith.ori": -1,
    "arith.minui": 0,
    "arith.maxui": -1,
}
"""`op(x, absorber)` is the absorber."""

_ON_EQUAL_SELF = frozenset(
    f"arith.{name}" for name in "andi ori minsi maxsi minui maxui minimumf maximumf minnumf maxnumf".split()
)
_ON_EQUAL_ZERO = frozenset({"arith.subi", "arith.xori"})


def _fold_integer(op: Operation, constants: Constants) -> Folded:
    lhs, rhs = op.operands
    width = width_of(lhs.type)
    right = int_of(constants[1])
    left = int_of(constants[0])
    if left is not None and right is not None:
        result = INT_RULES[op.name](wrap(left, width), wrap(right, width), width)
        return None if result is None else _one(integer_like(op.results[0].type, result))
    if right is not None:
        right = wrap(right, width)
        if (unit := _RIGHT_UNIT.get(op.name)) is not None and right == wrap(unit, width):
            return (lhs,)
        if (absorber := _RIGHT_ABSORBER.get(op.name)) is not None and right == wrap(absorber, width):
            return (rhs,)
    if lhs is rhs:
        if op.name in _ON_EQUAL_SELF:
            return (lhs,)
        if op.name in _ON_EQUAL_ZERO:
            return _one(integer_like(op.results[0].type, 0))
    return None


def _divide(a: Any, b: Any) -> Any:
    return np.divide(a, b)


FLOAT_RULES: dict[str, Callable[[Any, Any], Any]] = {
    "arith.addf": operator.add,
    "arith.subf": operator.sub,
    "arith.mulf": operator.mul,
    "arith.divf": _divide,
    "arith.minimumf": np.minimum,
    "arith.maximumf": np.maximum,
}
"""On non-NaN operands of one dtype; min and max of differently signed zeros are left alone."""

_FLOAT_RIGHT_UNIT: dict[str, float] = {
    "arith.addf": -0.0,
    "arith.subf": 0.0,
    "arith.mulf": 1.0,
    "arith.divf": 1.0,
}


def _same_float(a: float, b: float) -> bool:
    return a == b and math.copysign(1.0, a) == math.copysign(1.0, b)


def _fold_float(op: Operation, constants: Constants) -> Folded:
    lhs, rhs = op.operands
    right = float_of(constants[1])
    unit = _FLOAT_RIGHT_UNIT.get(op.name)
    if right is not None and unit is not None and _same_float(right, unit):
        return (lhs,)
    if lhs is rhs and op.name in _ON_EQUAL_SELF:
        return (lhs,)
    rule = FLOAT_RULES.get(op.name)
    a, b = numpy_scalar(constants[0]), numpy_scalar(constants[1])
    if rule is None or a is None or b is None or np.isnan(a) or np.isnan(b):
        return None
    if op.name in _ON_EQUAL_SELF and a == b:
        return (lhs,) if _same_float(float(a), float(b)) else None
    with np.errstate(all="ignore"):
        return _one(float_like(op.results[0].type, rule(a, b)))


def _fold_negf(op: Operation, constants: Constants) -> Folded:
    inner = op.operands[0]
    if isinstance(inner, OpResult) and inner.op.name == "arith.negf":
        return (inner.op.operands[0],)
    value = numpy_scalar(constants[0])
    return None if value is None else _one(float_like(op.results[0].type, -value))


_CMPI: tuple[Callable[[int, int], bool], ...] = (
    operator.eq,
    operator.ne,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
)
_FIRST_UNSIGNED = 6
_TRUE_ON_EQUAL = frozenset({0, 3, 5, 7, 9})


def _predicate(op: Operation) -> int:
    predicate = op.properties["predicate"]
    assert isinstance(predicate, IntegerAttr)
    return predicate.value.data


def _fold_cmpi(op: Operation, constants: Constants) -> Folded:
    lhs, rhs = op.operands
    predicate = _predicate(op)
    if lhs is rhs:
        return _one(integer_like(op.results[0].type, int(predicate in _TRUE_ON_EQUAL)))
    a, b = int_of(constants[0]), int_of(constants[1])
    if a is None or b is None:
        return None
    width, signed = width_of(lhs.type), predicate < _FIRST_UNSIGNED
    answer = _CMPI[predicate](wrap(a, width, signed=signed), wrap(b, width, signed=signed))
    return _one(integer_like(op.results[0].type, int(answer)))


_CMPF: tuple[Callable[[float, float], bool], ...] = (
    operator.eq,
    operator.gt,
    operator.ge,
    operator.lt,
    operator.le,
    lambda a, b: a < b or a > b,
)
"""Predicates 1..6 (oeq ogt oge olt ole one); 8..13 are the same or unordered."""


def _fold_cmpf(op: Operation, constants: Constants) -> Folded:
    predicate = _predicate(op)
    if predicate in (0, 15):
        return _one(integer_like(op.results[0].type, int(predicate == 15)))
    a, b = float_of(constants[0]), float_of(constants[1])
    if a is None or b is None:
        return None
    unordered = math.isnan(a) or math.isnan(b)
    if predicate in (7, 14):
        answer = unordered == (predicate == 14)
    elif unordered:
        answer = predicate > 7
    else:
        answer = _CMPF[(predicate - 1) % 7](a, b)
    return _one(integer_like(op.results[0].type, int(answer)))


def _fold_select(op: Operation, constants: Constants) -> Folded:
    condition, on_true, on_false = op.operands
    if on_true is on_false:
        return (on_true,)
    chosen = int_of(constants[0])
    if chosen is not None:
        return (on_true,) if chosen & 1 else (on_false,)
    if condition.type == op.results[0].type:
        true, false = int_of(constants[1]), int_of(constants[2])
        if true is not None and false is not None and true & 1 and not false & 1:
            return (condition,)
    return None


def _fold_extension(op: Operation, constants: Constants) -> Folded:
    value = int_of(constants[0])
    if value is None:
        return None
    width = width_of(op.operands[0].type)
    signed = op.name in ("arith.extsi", "arith.index_cast")
    return _one(integer_like(op.results[0].type, wrap(value, width, signed=signed)))


def _fold_trunci(op: Operation, constants: Constants) -> Folded:
    operand, result = op.operands[0], op.results[0]
    if (value := int_of(constants[0])) is not None:
        return _one(integer_like(result.type, value))
    if isinstance(operand, OpResult) and operand.op.name in ("arith.extsi", "arith.extui"):
        source = operand.op.operands[0]
        if source.type == result.type:
            return (source,)
    return None


def _fold_index_cast(op: Operation, constants: Constants) -> Folded:
    """Also `i32 -> index -> i32`: index has at least the bits of any integer that fits it."""
    operand = op.operands[0]
    if isinstance(operand, OpResult) and operand.op.name == op.name:
        source = operand.op.operands[0]
        if source.type == op.results[0].type and width_of(source.type) <= width_of(operand.type):
            return (source,)
    return _fold_extension(op, constants)


def _fold_int_to_float(op: Operation, constants: Constants) -> Folded:
    value = int_of(constants[0])
    if value is None:
        return None
    exact = wrap(value, width_of(op.operands[0].type), signed=op.name == "arith.sitofp")
    dtype = numpy_dtype(element_type(op.results[0].type))
    if (dtype.itemsize < 4 and abs(exact) > 1 << 24) or (dtype.itemsize < 8 and abs(exact) > 1 << 53):
        return None  # NumPy would round twice
    return _one(float_like(op.results[0].type, dtype.type(exact)))


def _fold_float_to_int(op: Operation, constants: Constants) -> Folded:
    value = float_of(constants[0])
    if value is None or not math.isfinite(value):
        return None
    width, truncated = width_of(op.results[0].type), math.trunc(value)
    signed = op.name == "arith.fptosi"
    if wrap(truncated, width, signed=signed) != truncated:
        return None  # out of range is undefined
    return _one(integer_like(op.results[0].type, truncated))


def _fold_float_cast(op: Operation, constants: Constants) -> Folded:
    operand, result = op.operands[0], op.results[0]
    if op.name == "arith.truncf" and isinstance(operand, OpResult) and operand.op.name == "arith.extf":
        source = operand.op.operands[0]
        if source.type == result.type:
            return (source,)
    value = numpy_scalar(constants[0])
    target = element_type(result.type)
    if value is None or np.isnan(value):
        return None
    if op.name == "arith.truncf" and numpy_dtype(element_type(operand.type)).itemsize > 4:
        if numpy_dtype(target).itemsize < 4:
            return None  # through float32 it would round twice
    with np.errstate(all="ignore"):
        return _one(float_like(result.type, numpy_dtype(target).type(value)))


def _fold_bitcast(op: Operation, constants: Constants) -> Folded:
    if op.operands[0].type == op.results[0].type:
        return (op.operands[0],)
    return None


def _constant_to_the_right(op: Operation, rewriter: Rewriter) -> bool:
    """`op(c, x)` becomes `op(x, c)` for commutative ops."""
    lhs, rhs = op.operands
    if constant_of(lhs) is None or constant_of(rhs) is not None:
        return False
    op.operands = (rhs, lhs)
    rewriter.modified(op)
    return True


_SWAPPED_CMPI = (0, 1, 4, 5, 2, 3, 8, 9, 6, 7)


def _comparison_constant_to_the_right(op: Operation, rewriter: Rewriter) -> bool:
    """`cmpi lt, c, x` becomes `cmpi gt, x, c`."""
    lhs, rhs = op.operands
    if constant_of(lhs) is None or constant_of(rhs) is not None:
        return False
    predicate = op.properties["predicate"]
    assert isinstance(predicate, IntegerAttr)
    op.properties["predicate"] = IntegerAttr(_SWAPPED_CMPI[predicate.value.data], predicate.type)
    op.operands = (rhs, lhs)
    rewriter.modified(op)
    return True


def _combine_constants(op: Operation, rewriter: Rewriter) -> bool:
    """`op(op(x, c1), c2)` becomes `op(x, op(c1, c2))` for addi, muli, andi, ori, xori (all wrap, so exactly)."""
    inner, outer_constant = op.operands
    second = constant_of(outer_constant)
    if second is None or not isinstance(inner, OpResult) or inner.op.name != op.name:
        return False
    x, inner_constant = inner.op.operands
    first = constant_of(inner_constant)
    a, b = int_of(first), int_of(second)
    if a is None or b is None or constant_of(x) is not None:
        return False
    width = width_of(x.type)
    combined = INT_RULES[op.name](wrap(a, width), wrap(b, width), width)
    value = None if combined is None else integer_like(x.type, combined)
    if value is None:
        return False
    constant = arith.ConstantOp.create(result_types=[x.type], properties={"value": value})
    rewriter.insert_before(op, (constant,))
    op.operands = (x, constant.result)
    rewriter.modified(op)
    rewriter.modified(inner.op)
    return True


def _select_of_negated_condition(op: Operation, rewriter: Rewriter) -> bool:
    """`select(xori(c, true), a, b)` becomes `select(c, b, a)`; `select(c, false, true)` becomes `xori(c, true)`."""
    condition, on_true, on_false = op.operands
    if isinstance(condition, OpResult) and condition.op.name == "arith.xori":
        inner, ones = condition.op.operands
        if (value := int_of(constant_of(ones))) is not None and value & 1:
            op.operands = (inner, on_false, on_true)
            rewriter.modified(op)
            rewriter.modified(condition.op)
            return True
    if condition.type != op.results[0].type or not isinstance(element_type(condition.type), IntegerType):
        return False
    true, false = int_of(constant_of(on_true)), int_of(constant_of(on_false))
    if true is not None and false is not None and not true & 1 and false & 1:
        rewriter.replace_with(op, arith.XOrIOp(condition, on_false))
        return True
    return False


def _multiply_by_minus_one(op: Operation, rewriter: Rewriter) -> bool:
    """`x * -1.0` becomes `negf x`."""
    if float_of(constant_of(op.operands[1])) != -1.0:
        return False
    flags = op.properties.get("fastmath")
    negated = arith.NegfOp.create(
        operands=[op.operands[0]],
        result_types=[op.results[0].type],
        properties={} if flags is None else {"fastmath": flags},
    )
    rewriter.replace_with(op, negated)
    return True


def _drop_clamp(op: Operation, rewriter: Rewriter) -> bool:
    """`minsi(x, y)` becomes `x` where x is known never to be larger, and so on: clamps that change nothing."""
    a, b = op.operands
    if not isinstance(a.type, IntegerType | IndexType):
        return False
    (low_a, high_a), (low_b, high_b) = range_of(a), range_of(b)
    if op.name.endswith("ui") and (low_a < 0 or low_b < 0):
        return False
    smaller = a if high_a <= low_b else b if high_b <= low_a else None
    if smaller is None:
        return False
    rewriter.replace(op, (smaller if "min" in op.name else b if smaller is a else a,))
    return True


FOLDERS: dict[str, Folder] = {
    **dict.fromkeys(INT_RULES, _fold_integer),
    **dict.fromkeys(FLOAT_RULES, _fold_float),
    "arith.minnumf": _fold_float,
    "arith.maxnumf": _fold_float,
    "arith.negf": _fold_negf,
    "arith.cmpi": _fold_cmpi,
    "arith.cmpf": _fold_cmpf,
    "arith.select": _fold_select,
    "arith.extsi": _fold_extension,
    "arith.extui": _fold_extension,
    "arith.trunci": _fold_trunci,
    "arith.index_cast": _fold_index_cast,
    "arith.index_castui": _fold_index_cast,
    "arith.sitofp": _fold_int_to_float,
    "arith.uitofp": _fold_int_to_float,
    "arith.fptosi": _fold_float_to_int,
    "arith.fptoui": _fold_float_to_int,
    "arith.extf": _fold_float_cast,
    "arith.truncf": _fold_float_cast,
    "arith.bitcast": _fold_bitcast,
}


def _patterns() -> dict[str, tuple[Pattern, ...]]:
    table: dict[str, tuple[Pattern, ...]] = dict.fromkeys(sorted(_COMMUTATIVE), (_constant_to_the_right,))
    for name in ("arith.addi", "arith.muli", "arith.andi", "arith.ori", "arith.xori"):
        table[name] += (_combine_constants,)
    for name in ("arith.minsi", "arith.maxsi", "arith.minui", "arith.maxui"):
        table[name] += (_drop_clamp,)
    table["arith.mulf"] += (_multiply_by_minus_one,)
    table["arith.cmpi"] = (_comparison_constant_to_the_right,)
    table["arith.select"] = (_select_of_negated_condition,)
    return table


PATTERNS: dict[str, tuple[Pattern, ...]] = _patterns()
