"""Canonicalization of `stablehlo`: shape ops that do nothing, cancel or compose; scalar constants; loops and branches.

Constants stay as small as they are written: a broadcast of a constant is not expanded, elementwise ops fold
only on splats. Float identities are exact for every input (see `canonicalize/arith.py`).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from xdsl.dialects.builtin import DenseArrayBase, FloatAttr, IntegerAttr, IntegerType, TensorType, i64
from xdsl.ir import Attribute, Operation, OpResult, SSAValue

from stepwell.dialects.canonicalize.arith import INT_RULES, IntRule
from stepwell.dialects.canonicalize.carries import keep_arguments, keep_operands, rebuilt, terminator
from stepwell.dialects.canonicalize.constants import (
    constant_of,
    element_type,
    float_like,
    int_of,
    integer_like,
    is_unsigned,
    numpy_scalar,
    scalar_of,
    width_of,
    wrap,
)
from stepwell.dialects.canonicalize.scf import replace_by_region, simplify_branch_results
from stepwell.dialects.canonicalize.tensor import static_shape
from stepwell.dialects.quant import quantized
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.rewriting import Folder, Pattern, Rewriter

Folded = Sequence[SSAValue | Attribute] | None
Constants = Sequence[Attribute | None]


def _ints(op: Operation, name: str) -> tuple[int, ...]:
    values = op.properties[name]
    assert isinstance(values, DenseArrayBase)
    return tuple(values.get_values())  # pyright: ignore[reportUnknownArgumentType]


def _array(values: Sequence[int]) -> Attribute:
    return DenseArrayBase.from_list(i64, list(values))


def _producer(value: SSAValue, name: str) -> Operation | None:
    return value.op if isinstance(value, OpResult) and value.op.name == name else None


def splat_of(value: SSAValue) -> IntegerAttr[Any] | FloatAttr[Any] | None:
    """The one element of a constant splat, also through a broadcast or a reshape of it."""
    owner = value.owner
    if isinstance(owner, Operation) and owner.name in ("stablehlo.broadcast_in_dim", "stablehlo.reshape"):
        value = owner.operands[0]
    return scalar_of(constant_of(value))


def _unchanged(op: Operation) -> bool:
    """Same static type in and out."""
    return op.operands[0].type == op.results[0].type and static_shape(op.results[0].type) is not None


# Shape ops ---------------------------------------------------------------------------------------------------------


def _fold_same_type(op: Operation, constants: Constants) -> Folded:
    return (op.operands[0],) if _unchanged(op) else None


def _fold_broadcast(op: Operation, constants: Constants) -> Folded:
    dims = _ints(op, "broadcast_dimensions")
    return (op.operands[0],) if _unchanged(op) and dims == tuple(range(len(dims))) else None


def _fold_transpose(op: Operation, constants: Constants) -> Folded:
    permutation = _ints(op, "permutation")
    return (op.operands[0],) if permutation == tuple(range(len(permutation))) else None


def _fold_slice(op: Operation, constants: Constants) -> Folded:
    whole = _unchanged(op) and all(stride == 1 for stride in _ints(op, "strides"))
    return (op.operands[0],) if whole else None


def _fold_pad(op: Operation, constants: Constants) -> Folded:
    names = ("edge_padding_low", "edge_padding_high", "interior_padding")
    nothing = _unchanged(op) and not any(any(_ints(op, name)) for name in names)
    return (op.operands[0],) if nothing else None


def _fold_concatenate(op: Operation, constants: Constants) -> Folded:
    return (op.operands[0],) if len(op.operands) == 1 and _unchanged(op) else None


def _fold_reverse(op: Operation, constants: Constants) -> Folded:
    shape = static_shape(op.results[0].type)
    nothing = shape is not None and all(shape[d] == 1 for d in _ints(op, "dimensions"))
    return (op.operands[0],) if nothing else None


def _fold_dynamic_update_slice(op: Operation, constants: Constants) -> Folded:
    """An update of the whole extent lands at 0 after clamping."""
    operand, update = op.operands[:2]
    whole = operand.type == update.type and static_shape(operand.type) is not None
    return (update,) if whole else None


def _reshape_of_reshape(op: Operation, rewriter: Rewriter) -> bool:
    """`reshape(reshape(x))` is one reshape; a reshape of a splat is a broadcast of its scalar."""
    inner = _producer(op.operands[0], "stablehlo.reshape")
    if inner is None:
        return False
    source, result = inner.operands[0], op.results[0]
    if static_shape(source.type) is None or static_shape(result.type) is None:
        return False
    rewriter.replace_with(op, type(op).create(operands=[source], result_types=[result.type]))
    return True


def _reshape_of_scalar_broadcast(op: Operation, rewriter: Rewriter) -> bool:
    """`reshape(broadcast_in_dim(scalar))` is `broadcast_in_dim(scalar)`."""
    inner = _producer(op.operands[0], "stablehlo.broadcast_in_dim")
    if inner is None or static_shape(inner.operands[0].type) != () or static_shape(op.results[0].type) is None:
        return False
    new = type(inner).create(
        operands=[inner.operands[0]],
        result_types=[op.results[0].type],
        properties={"broadcast_dimensions": _array(())},
    )
    rewriter.replace_with(op, new)
    return True


def _transpose_of_transpose(op: Operation, rewriter: Rewriter) -> bool:
    """`transpose(transpose(x))` is one transpose of the composed permutation."""
    inner = _producer(op.operands[0], "stablehlo.transpose")
    if inner is None:
        return False
    first, second = _ints(inner, "permutation"), _ints(op, "permutation")
    new = type(op).create(
        operands=[inner.operands[0]],
        result_types=[op.results[0].type],
        properties={"permutation": _array([first[d] for d in second])},
    )
    rewriter.replace_with(op, new)
    return True


def _broadcast_of_broadcast(op: Operation, rewriter: Rewriter) -> bool:
    """`broadcast_in_dim(broadcast_in_dim(x))` is one broadcast."""
    inner = _producer(op.operands[0], "stablehlo.broadcast_in_dim")
    if inner is None:
        return False
    source, middle, result = inner.operands[0], inner.results[0], op.results[0]
    shapes = [static_shape(v.type) for v in (source, middle, result)]
    if any(shape is None for shape in shapes):
        return False
    first, second = _ints(inner, "broadcast_dimensions"), _ints(op, "broadcast_dimensions")
    new = type(op).create(
        operands=[source],
        result_types=[result.type],
        properties={"broadcast_dimensions": _array([second[d] for d in first])},
    )
    rewriter.replace_with(op, new)
    return True


def _slice_of_slice(op: Operation, rewriter: Rewriter) -> bool:
    """`slice(slice(x))` is one slice."""
    inner = _producer(op.operands[0], "stablehlo.slice")
    if inner is None or static_shape(op.results[0].type) is None:
        return False
    starts = [_ints(o, "start_indices") for o in (inner, op)]
    strides = [_ints(o, "strides") for o in (inner, op)]
    shape = static_shape(op.results[0].type) or ()
    # Where nothing is taken, the place it would start from need not exist.
    places = zip(starts[0], starts[1], strides[0], shape, strict=True)
    start = [a + b * s if n else 0 for a, b, s, n in places]
    stride = [a * b for a, b in zip(strides[0], strides[1], strict=True)]
    limit = [a + max(n - 1, 0) * s + (1 if n else 0) for a, n, s in zip(start, shape, stride, strict=True)]
    new = type(op).create(
        operands=[inner.operands[0]],
        result_types=[op.results[0].type],
        properties={
            "start_indices": _array(start),
            "limit_indices": _array(limit),
            "strides": _array(stride),
        },
    )
    rewriter.replace_with(op, new)
    return True


# Elementwise -------------------------------------------------------------------------------------------------------


def _by_sign(signed: str, unsigned: str) -> Callable[[Attribute], IntRule]:
    return lambda t: INT_RULES[f"arith.{unsigned if is_unsigned(t) else signed}"]


def _either(name: str) -> Callable[[Attribute], IntRule]:
    return lambda t: INT_RULES[f"arith.{name}"]


_INT_RULES: dict[str, Callable[[Attribute], IntRule]] = {
    "stablehlo.add": _either("addi"),
    "stablehlo.subtract": _either("subi"),
    "stablehlo.multiply": _either("muli"),
    "stablehlo.divide": _by_sign("divsi", "divui"),
    "stablehlo.remainder": _by_sign("remsi", "remui"),
    "stablehlo.maximum": _by_sign("maxsi", "maxui"),
    "stablehlo.minimum": _by_sign("minsi", "minui"),
    "stablehlo.and": _either("andi"),
    "stablehlo.or": _either("ori"),
    "stablehlo.xor": _either("xori"),
    "stablehlo.shift_left": _either("shli"),
    "stablehlo.shift_right_arithmetic": _either("shrsi"),
    "stablehlo.shift_right_logical": _either("shrui"),
}

_FLOAT_RULES: dict[str, Callable[[Any, Any], Any]] = {
    "stablehlo.add": operator.add,
    "stablehlo.subtract": operator.sub,
    "stablehlo.multiply": operator.mul,
    "stablehlo.divide": np.divide,
}

_INT_RIGHT_UNIT = {
    "stablehlo.add": 0,
    "stablehlo.subtract": 0,
    "stablehlo.multiply": 1,
    "stablehlo.divide": 1,
    "stablehlo.or": 0,
    "stablehlo.xor": 0,
    "stablehlo.and": -1,
    "stablehlo.shift_left": 0,
    "stablehlo.shift_right_arithmetic": 0,
    "stablehlo.shift_right_logical": 0,
}

_FLOAT_RIGHT_UNIT = {
    "stablehlo.add": -0.0,
    "stablehlo.subtract": 0.0,
    "stablehlo.multiply": 1.0,
    "stablehlo.divide": 1.0,
    "stablehlo.maximum": -math.inf,
    "stablehlo.minimum": math.inf,
}
"""`op(x, unit)` is x for every x, NaN and -0.0 included."""

_COMMUTATIVE = ("add", "and", "maximum", "minimum", "multiply", "or", "xor")
_ON_EQUAL_SELF = ("stablehlo.and", "stablehlo.maximum", "stablehlo.minimum", "stablehlo.or")
_ON_EQUAL_ZERO = ("stablehlo.subtract", "stablehlo.xor")


def _is_bool(of: Attribute) -> bool:
    element = element_type(of)
    return isinstance(element, IntegerType) and element.width.data == 1


def _is_right_unit(op: Operation, value: IntegerAttr[Any] | FloatAttr[Any] | None) -> bool:
    if isinstance(value, FloatAttr):
        unit = _FLOAT_RIGHT_UNIT.get(op.name)
        number = value.value.data
        return unit is not None and number == unit and math.copysign(1.0, number) == math.copysign(1.0, unit)
    unit = _INT_RIGHT_UNIT.get(op.name)
    if value is None or unit is None or (_is_bool(op.results[0].type) and unit == 1):
        return False
    if _is_bool(op.results[0].type) and op.name == "stablehlo.add":
        return not value.value.data & 1
    width = width_of(op.results[0].type)
    return wrap(value.value.data, width) == wrap(unit, width)


def _fold_binary(op: Operation, constants: Constants) -> Folded:
    lhs, rhs = op.operands
    result = op.results[0].type
    if static_shape(result) is None or lhs.type != result or rhs.type != result:
        return None
    if _is_right_unit(op, splat_of(rhs)):
        return (lhs,)
    if f"{op.name}".removeprefix("stablehlo.") in _COMMUTATIVE and _is_right_unit(op, splat_of(lhs)):
        return (rhs,)
    if lhs is rhs and op.name in _ON_EQUAL_SELF:
        return (lhs,)
    a, b = scalar_of(constants[0]), scalar_of(constants[1])
    if a is None or b is None:
        return None
    return _fold_scalars(op, a, b, constants)


def _fold_scalars(op: Operation, a: Attribute, b: Attribute, constants: Constants) -> Folded:
    result = op.results[0].type
    if isinstance(a, IntegerAttr) and isinstance(b, IntegerAttr) and op.name in _INT_RULES:
        if _is_bool(result) and op.name not in ("stablehlo.and", "stablehlo.or", "stablehlo.xor"):
            return None
        width = width_of(result)
        rule = _INT_RULES[op.name](result)
        left, right = (wrap(v.value.data, width) for v in (a, b))
        value = rule(left, right, width)
        folded = None if value is None else integer_like(result, value)
    else:
        x, y = numpy_scalar(constants[0]), numpy_scalar(constants[1])
        rule = _FLOAT_RULES.get(op.name)
        if rule is None or x is None or y is None:
            return None
        with np.errstate(all="ignore"):
            folded = float_like(result, rule(x, y))
    return None if folded is None else (folded,)


def _fold_twice(op: Operation, constants: Constants) -> Folded:
    """`negate(negate(x))` and `not(not(x))` are x; either of a splat is a splat."""
    inner = _producer(op.operands[0], op.name)
    result = op.results[0].type
    if inner is not None and quantized(result) is None:
        return (inner.operands[0],)
    if (number := numpy_scalar(constants[0])) is not None:
        folded = float_like(result, -number)
    elif (value := int_of(constants[0])) is not None:
        folded = integer_like(result, -value if op.name == "stablehlo.negate" else ~value)
    else:
        return None
    return None if folded is None else (folded,)


_DIRECTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "EQ": operator.eq,
    "NE": operator.ne,
    "LT": operator.lt,
    "LE": operator.le,
    "GT": operator.gt,
    "GE": operator.ge,
}


def _fold_compare(op: Operation, constants: Constants) -> Folded:
    lhs, rhs = op.operands
    kind = op.properties.get("compare_type")
    if kind is not None and "TOTALORDER" in str(kind):
        return None
    direction: Any = op.properties["comparison_direction"]
    compare = _DIRECTIONS[direction.data.value]
    element = element_type(lhs.type)
    if lhs is rhs and isinstance(element, IntegerType) and static_shape(lhs.type) is not None:
        answer = compare(0, 0)
    else:
        a, b = scalar_of(constants[0]), scalar_of(constants[1])
        if a is None or b is None:
            return None
        x, y = a.value.data, b.value.data
        if isinstance(element, IntegerType):
            signed = not is_unsigned(element)
            x, y = (wrap(int(v), width_of(element), signed=signed) for v in (x, y))
        answer = compare(x, y)
    folded = integer_like(op.results[0].type, int(answer))
    return None if folded is None else (folded,)


def _fold_select(op: Operation, constants: Constants) -> Folded:
    _, on_true, on_false = op.operands
    if quantized(op.results[0].type) is not None and not on_true.type == on_false.type == op.results[0].type:
        return None
    if on_true is on_false:
        return (on_true,)
    predicate = splat_of(op.operands[0])
    if isinstance(predicate, IntegerAttr):
        return (on_true,) if predicate.value.data & 1 else (on_false,)
    return None


def _fold_convert(op: Operation, constants: Constants) -> Folded:
    """To the same type; of an integer or float splat where the conversion rounds once and stays in range."""
    if _unchanged(op):
        return (op.operands[0],)
    result = op.results[0].type
    target = element_type(result)
    scalar = scalar_of(constants[0])
    if scalar is None:
        return None
    folded = None
    if isinstance(scalar, IntegerAttr):
        source = element_type(op.operands[0].type)
        value = wrap(int(scalar.value.data), width_of(source), signed=not is_unsigned(source))
        if isinstance(target, IntegerType):
            folded = integer_like(result, int(value != 0) if _is_bool(target) else value)
        elif not isinstance(target, IntegerType) and abs(value) <= 1 << 24 and numpy_dtype(target).kind != "c":
            folded = float_like(result, numpy_dtype(target).type(value))
    elif not isinstance(target, IntegerType) and numpy_dtype(target).kind != "c":
        number = numpy_scalar(scalar)
        if number.dtype.itemsize <= 4 or numpy_dtype(target).itemsize >= 4:
            with np.errstate(all="ignore"):
                folded = float_like(result, numpy_dtype(target).type(number))
    return None if folded is None else (folded,)


def _subtract_self(op: Operation, rewriter: Rewriter) -> bool:
    """`x - x` and `x xor x` on integers are a broadcast zero."""
    from stepwell.dialects.stablehlo import BroadcastInDimOp, ConstantOp

    result = op.results[0].type
    element = element_type(result)
    if op.operands[0] is not op.operands[1] or not isinstance(element, IntegerType) or static_shape(result) is None:
        return False
    scalar: TensorType[Any] = TensorType(element, [])
    zero = integer_like(scalar, 0)
    if zero is None:
        return False
    constant = ConstantOp.create(result_types=[scalar], properties={"value": zero})
    spread = BroadcastInDimOp.create(
        operands=[constant.results[0]],
        result_types=[result],
        properties={"broadcast_dimensions": _array(())},
    )
    rewriter.replace_with(op, constant, spread)
    return True


# Branches and loops ------------------------------------------------------------------------------------------------


def _branch_of_constant(op: Operation, rewriter: Rewriter) -> bool:
    """`if` and `case` of a constant are that branch; a case index out of range takes the last."""
    chosen = int_of(constant_of(op.operands[0]))
    if chosen is None:
        return False
    if op.name == "stablehlo.if":
        region = op.regions[0 if chosen & 1 else 1]
    else:
        region = op.regions[chosen if 0 <= chosen < len(op.regions) else -1]
    replace_by_region(op, region, (), rewriter)
    return True


def _while_invariant_carries(op: Operation, rewriter: Rewriter) -> bool:
    """A carry that the body returns unchanged is its initial value everywhere."""
    condition, body = (region.block for region in op.regions)
    end = terminator(body)
    kept: list[int] = []
    for index, (yielded, init) in enumerate(zip(end.operands, op.operands, strict=True)):
        if yielded is body.args[index] or yielded is init:
            rewriter.replace_value(body.args[index], init)
            rewriter.replace_value(condition.args[index], init)
            rewriter.replace_value(op.results[index], init)
        else:
            kept.append(index)
    if len(kept) == len(op.operands):
        return False
    keep_operands(end, kept, rewriter)
    keep_arguments(condition, kept)
    keep_arguments(body, kept)
    rebuilt(op, kept, kept, rewriter)
    return True


FOLDERS: dict[str, Folder] = {
    **dict.fromkeys(_INT_RULES, _fold_binary),
    "stablehlo.broadcast_in_dim": _fold_broadcast,
    "stablehlo.compare": _fold_compare,
    "stablehlo.concatenate": _fold_concatenate,
    "stablehlo.convert": _fold_convert,
    "stablehlo.dynamic_slice": _fold_same_type,
    "stablehlo.dynamic_update_slice": _fold_dynamic_update_slice,
    "stablehlo.negate": _fold_twice,
    "stablehlo.not": _fold_twice,
    "stablehlo.pad": _fold_pad,
    "stablehlo.reshape": _fold_same_type,
    "stablehlo.reverse": _fold_reverse,
    "stablehlo.select": _fold_select,
    "stablehlo.slice": _fold_slice,
    "stablehlo.transpose": _fold_transpose,
}

PATTERNS: dict[str, tuple[Pattern, ...]] = {
    "stablehlo.broadcast_in_dim": (_broadcast_of_broadcast,),
    "stablehlo.case": (_branch_of_constant, simplify_branch_results),
    "stablehlo.if": (_branch_of_constant, simplify_branch_results),
    "stablehlo.reshape": (_reshape_of_reshape, _reshape_of_scalar_broadcast),
    "stablehlo.slice": (_slice_of_slice,),
    "stablehlo.subtract": (_subtract_self,),
    "stablehlo.transpose": (_transpose_of_transpose,),
    "stablehlo.while": (_while_invariant_carries,),
    "stablehlo.xor": (_subtract_self,),
}
