"""Values that stand in for others while a module gets smaller, and erasing what nobody needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from xdsl.dialects import arith
from xdsl.dialects.builtin import (
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IndexType,
    IntegerType,
    MemRefType,
    Signedness,
    TensorType,
    VectorType,
)
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.rewriter import InsertPoint
from xdsl.traits import IsTerminator

from stepwell.dialects import stablehlo as hlo
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.dense import array_to_dense
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.effects import is_pure


class NoValueError(Exception):
    """There is no constant of a type."""


def zeros(type_: Attribute, before: Operation) -> SSAValue:
    """A constant of zeros (false) of `type_`, built before an op.

    Raises:
        NoValueError: there are no constants of that type.
    """
    if isinstance(type_, MemRefType):
        raise NoValueError(f"no constant has type {type_}")
    builder = LocatedBuilder(InsertPoint.before(before), before.location)
    if isinstance(type_, TensorType | VectorType):
        if any(n < 0 for n in type_.get_shape()):
            raise NoValueError(f"no constant has type {type_}")
        element: Attribute = type_.get_element_type()
        dtype = _dtype(element)
        value = array_to_dense(np.zeros(type_.get_shape(), dtype), element, vector=isinstance(type_, VectorType))
        if isinstance(type_, TensorType) and (_on_tensor_step(before) or _is_signed(element) or dtype.kind == "c"):
            return builder.insert(
                hlo.ConstantOp.create(properties={"value": value}, result_types=[value.type])
            ).results[0]
        return builder.insert(arith.ConstantOp.create(properties={"value": value}, result_types=[type_])).results[0]
    dtype = _dtype(type_)
    if isinstance(type_, IndexType | IntegerType):
        return builder.insert(arith.ConstantOp.from_int_and_width(0, type_)).result
    return builder.insert(arith.ConstantOp(FloatAttr(0.0, type_))).result  # pyright: ignore


def _dtype(element: Attribute) -> np.dtype[np.generic]:
    try:
        return numpy_dtype(element)
    except TypeError:
        raise NoValueError(f"no constant has elements of type {element}") from None


def _is_signed(element: Attribute) -> bool:
    return isinstance(element, IntegerType) and element.signedness.data != Signedness.SIGNLESS


def _on_tensor_step(op: Operation) -> bool:
    """True for ops of StableHLO, what lies inside them, and what stands in a block that starts with them."""
    current: Operation | None = op
    while current is not None:
        first = None if current.parent is None else current.parent.first_op
        for near in (current, first, current.next_op):
            if near is not None and near.name.startswith(("stablehlo.", "chlo.")):
                return True
        current = current.parent_op()
    return False


def replace_by_zeros(op: Operation) -> None:
    """Make constants of the results of `op` that are used, and erase it.

    Raises:
        NoValueError: a result has no constants of its type.
    """
    for result in op.results:
        if result.first_use is not None:
            result.replace_all_uses_with(zeros(result.type, op))
    erase(op)


def erase(op: Operation) -> None:
    """Erase an op without users, and what only it used."""
    operands = list(op.operands)
    for inner in list(op.walk()):
        operands.extend(o for o in inner.operands)
    op.detach()
    op.erase(safe_erase=False)
    erase_unused(o.owner for o in operands if isinstance(o.owner, Operation))


def erase_unused(ops: Iterable[Operation]) -> None:
    """Erase those of `ops` that are pure and unused, and what only they used."""
    pending = list(ops)
    while pending:
        op = pending.pop()
        if op.parent is None or not is_unused(op):
            continue
        operands = [o.owner for inner in op.walk() for o in inner.operands]
        op.detach()
        op.erase(safe_erase=False)
        pending.extend(o for o in operands if isinstance(o, Operation))


def is_unused(op: Operation) -> bool:
    """True when an op does nothing but make values that nobody uses."""
    if op.has_trait(IsTerminator) or not op.results or any(r.first_use is not None for r in op.results):
        return False
    return is_pure(op)


def inner_ops(op: Operation) -> list[Operation]:
    """All ops inside `op` in program order, those in which others lie first; without terminators and functions' own ops."""
    return [o for o in op.walk() if o is not op and not o.has_trait(IsTerminator) and not is_symbol(o)]


def is_symbol(op: Operation) -> bool:
    """True for functions, globals and the like."""
    return "sym_name" in op.properties or "sym_name" in op.attributes


def is_attached(op: Operation, module: Operation) -> bool:
    """False once the op, or one in which it lies, was erased."""
    current: Operation | None = op
    while current is not None and current is not module:
        current = current.parent_op()
    return current is module


def inline_block(block: Block, arguments: Sequence[SSAValue], before: Operation) -> list[SSAValue]:
    """Move the ops of a block in front of an op; the operands of its terminator, which is dropped."""
    for formal, actual in zip(block.args, arguments, strict=True):
        formal.replace_all_uses_with(actual)
    terminator = block.last_op
    assert terminator is not None
    values = list(terminator.operands)
    terminator.detach()
    terminator.erase()
    parent = before.parent
    assert parent is not None
    for op in list(block.ops):
        op.detach()
        parent.insert_op_before(op, before)
    return values


def dense_of(op: Operation) -> DenseIntOrFPElementsAttr | None:
    """The dense value of a constant op."""
    value = op.properties.get("value", op.attributes.get("value"))
    return value if isinstance(value, DenseIntOrFPElementsAttr) and len(op.results) == 1 and not op.operands else None
