"""Which integers a value may be: what proves that a clamp of an index changes nothing.

A range is signed and inclusive. It follows from constants, the index of a loop, narrow types, what a clamp, a remainder, a shift or a
conversion leaves, and through the elements of tensors: of constants, fills, what moves them, and of generics, whose bodies it reads.
What might wrap around, and what is not known, has the range of its type. Questions go at most `DEPTH` values back, so that asking is
cheap however long a chain is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from xdsl.dialects import tensor
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, IndexType, IntegerAttr, IntegerType, TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, Block, BlockArgument, Operation, OpResult, SSAValue

from stepwell.ir.dense import dense_to_array
from stepwell.ir.structured import iterator_kinds, loop_bounds

DEPTH = 12
"""Values that a question goes back at most."""
MOST_ELEMENTS = 1 << 16
"""Elements of a constant that are looked at."""

Range = tuple[int, int]
Known = dict[SSAValue, Range]
"""What one question has found so far, so that no value is asked twice; and what it assumes of accumulators."""


def range_of(value: SSAValue) -> Range:
    """The least and the largest integer that a value of integer or index type, or an element of such a tensor, may be."""
    return _range(value, {}, DEPTH)


def _element(kind: Attribute) -> Attribute:
    return kind.element_type if isinstance(kind, TensorType) else kind


def _full(kind: Attribute) -> Range:
    """All that a type holds."""
    element = _element(kind)
    width = element.width.data if isinstance(element, IntegerType) else 64
    return -(1 << (width - 1)), (1 << (width - 1)) - 1


def _fitting(low: int, high: int, kind: Attribute) -> Range:
    """A range, or that of the type where the numbers would not fit in it: they would wrap around."""
    least, most = _full(kind)
    return (low, high) if least <= low <= high <= most else (least, most)


def _range(value: SSAValue, known: Known, depth: int) -> Range:
    if value in known:
        return known[value]
    full = _full(value.type)
    if depth == 0 or not isinstance(_element(value.type), IntegerType | IndexType):
        return full
    if isinstance(value, BlockArgument):
        return _argument(value, known, depth - 1)
    assert isinstance(value, OpResult)
    rule = _RULES.get(value.op.name)
    if rule is None:
        return full
    low, high = rule(value.op, value, lambda operand: _range(operand, known, depth - 1))
    known[value] = _fitting(low, high, value.type)
    return known[value]


def _argument(value: BlockArgument, known: Known, depth: int) -> Range:
    """An element of what a generic reads; an accumulator has no range of its own here."""
    op = value.block.parent_op()
    if isinstance(op, linalg.GenericOp) and value.index < len(op.inputs):
        return _range(op.inputs[value.index], known, depth)
    return _full(value.type)


Ask = Callable[[SSAValue], Range]
Rule = Callable[[Operation, OpResult, Ask], Range]


def _constant(op: Operation, result: OpResult, ask: Ask) -> Range:
    del ask
    value = op.properties.get("value")
    if isinstance(value, IntegerAttr):
        number, (least, most) = value.value.data, _full(result.type)
        number = number - (most - least + 1) if number > most else number  # written without a sign
        return number, number
    element = _element(result.type)
    wide = isinstance(element, IndexType) or (isinstance(element, IntegerType) and element.width.data >= 8)
    if wide and isinstance(value, DenseIntOrFPElementsAttr) and 0 < prod(value.type.get_shape()) <= MOST_ELEMENTS:
        numbers = dense_to_array(value)
        return int(numbers.min()), int(numbers.max())
    return _full(result.type)


def _loop_index(op: Operation, result: OpResult, ask: Ask) -> Range:
    del ask
    generic = op.parent_op()
    dim = op.properties.get("dim")
    if not isinstance(generic, linalg.GenericOp) or not isinstance(dim, IntegerAttr):
        return _full(result.type)
    try:
        extent = loop_bounds(generic)[dim.value.data]
    except (ValueError, IndexError):
        return _full(result.type)
    return (0, extent - 1) if extent > 0 else _full(result.type)


def _same(op: Operation, result: OpResult, ask: Ask) -> Range:
    """What only moves or converts: numbers that do not fit in the result wrap around."""
    del result
    return ask(op.operands[0])


def _without_sign(op: Operation, result: OpResult, ask: Ask) -> Range:
    """What reads its operand without a sign."""
    del result
    low, high = ask(op.operands[0])
    if low >= 0:
        return low, high
    least, most = _full(op.operands[0].type)
    return 0, most - least


def _minimum(op: Operation, result: OpResult, ask: Ask) -> Range:
    del result
    (a, b), (c, d) = ask(op.operands[0]), ask(op.operands[1])
    return min(a, c), min(b, d)


def _maximum(op: Operation, result: OpResult, ask: Ask) -> Range:
    del result
    (a, b), (c, d) = ask(op.operands[0]), ask(op.operands[1])
    return max(a, c), max(b, d)


def _unsigned(rule: Rule) -> Rule:
    """A rule for numbers with a sign, of numbers that have none: where both are known not to be negative."""

    def narrowed(op: Operation, result: OpResult, ask: Ask) -> Range:
        ranges = [ask(o) for o in op.operands]
        if all(low >= 0 for low, _ in ranges):
            return rule(op, result, ask)
        bounds = [high for low, high in ranges if low >= 0]
        return (0, min(bounds)) if bounds and op.name == "arith.minui" else _full(result.type)

    return narrowed


def _sum(op: Operation, result: OpResult, ask: Ask) -> Range:
    del result
    (a, b), (c, d) = ask(op.operands[0]), ask(op.operands[1])
    return a + c, b + d


def _difference(op: Operation, result: OpResult, ask: Ask) -> Range:
    del result
    (a, b), (c, d) = ask(op.operands[0]), ask(op.operands[1])
    return a - d, b - c


def _product(op: Operation, result: OpResult, ask: Ask) -> Range:
    del result
    (a, b), (c, d) = ask(op.operands[0]), ask(op.operands[1])
    corners = (a * c, a * d, b * c, b * d)
    return min(corners), max(corners)


def _remainder(op: Operation, result: OpResult, ask: Ask) -> Range:
    """Of the sign of what is divided, smaller than what divides."""
    (low, high), (least, most) = ask(op.operands[0]), ask(op.operands[1])
    if least <= 0:
        return _full(result.type)
    return (0 if low >= 0 else max(low, 1 - most)), (0 if high <= 0 else min(high, most - 1))


def _unsigned_remainder(op: Operation, result: OpResult, ask: Ask) -> Range:
    least, most = ask(op.operands[1])
    low, high = ask(op.operands[0])
    if least <= 0:
        return _full(result.type)
    return 0, min(high, most - 1) if low >= 0 else most - 1


def _quotient(op: Operation, result: OpResult, ask: Ask) -> Range:
    """Towards zero, by a positive number."""
    (low, high), (least, most) = ask(op.operands[0]), ask(op.operands[1])
    if least <= 0:
        return _full(result.type)
    down = low // most if low >= 0 else -(-low // least)
    up = high // least if high >= 0 else -(-high // most)
    return down, up


def _both_bits(op: Operation, result: OpResult, ask: Ask) -> Range:
    """No larger than either of them that is not negative."""
    bounds = [high for low, high in map(ask, op.operands) if low >= 0]
    return (0, min(bounds)) if bounds else _full(result.type)


def _shifted(op: Operation, result: OpResult, ask: Ask) -> Range:
    """Right, filled with zeros or (`shrsi`) the sign, by one number of bits."""
    (low, high), (by, most) = ask(op.operands[0]), ask(op.operands[1])
    least, largest = _full(result.type)
    if by != most or not 0 <= by < (largest - least + 1).bit_length() - 1:
        return least, largest
    if low < 0 and op.name == "arith.shrui" and by:
        return 0, (largest - least) >> by
    return low >> by, high >> by


def _either(op: Operation, result: OpResult, ask: Ask) -> Range:
    del result
    (a, b), (c, d) = ask(op.operands[1]), ask(op.operands[2])
    return min(a, c), max(b, d)


def _generic(op: Operation, result: OpResult, ask: Ask) -> Range:
    """What the body yields; of a reduction, whose body also reads what it has so far, also what it starts from.

    That is right when it holds for the next step too: one step from the range gives nothing outside of it, as when elements are
    selected or compared.
    """
    assert isinstance(op, linalg.GenericOp)
    body: Block = op.body.block
    last = body.last_op
    assert last is not None
    yielded = last.operands[result.index]
    if all(kind == "parallel" for kind in iterator_kinds(op)):
        return ask(yielded)
    accumulators = body.args[len(op.inputs) :]
    start: Known = {a: ask(o) for a, o in zip(accumulators, op.outputs, strict=True) if _is_integer(a.type)}
    once = _step(start, accumulators, last)
    again = _step(once, accumulators, last)
    own = accumulators[result.index]
    return once[own] if once == again else _full(result.type)


def _is_integer(kind: Attribute) -> bool:
    return isinstance(kind, IntegerType | IndexType)


def _step(before: Known, accumulators: Sequence[BlockArgument], last: Operation) -> Known:
    """The ranges of accumulators after a step, together with those before."""
    after: Known = {}
    known = dict(before)
    for argument, value in zip(accumulators, last.operands, strict=True):
        if argument in before:
            (a, b), (c, d) = before[argument], _range(value, known, DEPTH // 2)
            after[argument] = min(a, c), max(b, d)
    return after


_RULES: dict[str, Rule] = {
    "arith.constant": _constant,
    "linalg.index": _loop_index,
    "arith.index_cast": _same,
    "arith.extsi": _same,
    "arith.trunci": _same,
    "arith.index_castui": _without_sign,
    "arith.extui": _without_sign,
    "arith.minsi": _minimum,
    "arith.maxsi": _maximum,
    "arith.minui": _unsigned(_minimum),
    "arith.maxui": _unsigned(_maximum),
    "arith.addi": _sum,
    "arith.subi": _difference,
    "arith.muli": _product,
    "arith.remsi": _remainder,
    "arith.remui": _unsigned_remainder,
    "arith.divsi": _quotient,
    "arith.divui": _unsigned(_quotient),
    "arith.andi": _both_bits,
    "arith.shrsi": _shifted,
    "arith.shrui": _shifted,
    "arith.select": _either,
    "linalg.fill": _same,
    "linalg.generic": _generic,
    "structured.element": _same,
    tensor.ExtractOp.name: _same,
    tensor.CollapseShapeOp.name: _same,
    tensor.ExpandShapeOp.name: _same,
    tensor.ExtractSliceOp.name: _same,
}

__all__ = ["DEPTH", "MOST_ELEMENTS", "Range", "range_of"]
