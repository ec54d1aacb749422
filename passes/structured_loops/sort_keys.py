"""What a comparator compares: the key of an element, an integer, where that is all it looks at.

A comparator `f(a) < f(b)`, with one f on both sides and integers compared, orders elements by the numbers f gives. That is
what JAX and others emit for floats too: f maps them to integers of the same order. A comparison of the floats themselves
orders like the integers of the same order as well, as long as no NaN is among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import copysign, isnan

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, Float64Type, FloatAttr, IntegerAttr, IntegerType
from xdsl.ir import Attribute, Block, BlockArgument, Operation, Region, SSAValue

LESS = {"slt": (False, False), "ult": (False, True), "sgt": (True, False), "ugt": (True, True)}
"""Integer predicates: whether the order descends, and whether it is that of unsigned numbers."""
LESS_FLOATS = {"olt": False, "ogt": True}


@dataclass(frozen=True)
class Key:
    """How the elements of one operand of a sort become integers that are ordered as the comparator says."""

    operand: int
    """Which operand holds the elements."""
    element: BlockArgument
    """The element in the comparator."""
    value: SSAValue
    """What is compared, of that element: an integer, or a float (then no NaN may be among them)."""
    descending: bool
    unsigned: bool

    @property
    def is_float(self) -> bool:
        """Whether floats themselves are compared."""
        return not isinstance(self.value.type, IntegerType)

    @property
    def bits(self) -> int:
        """The width of the numbers compared."""
        kind = self.value.type
        if isinstance(kind, IntegerType):
            return kind.width.data
        return 64 if isinstance(kind, Float64Type) else 32

    def ops(self) -> list[Operation]:
        """The ops that make the value of the element, in order."""
        needed: dict[SSAValue, None] = {self.value: None}
        block = self.element.owner
        assert isinstance(block, Block)
        found: list[Operation] = []
        for op in reversed(list(block.ops)):
            if any(r in needed for r in op.results):
                found.append(op)
                needed |= dict.fromkeys(op.operands)
        return found[::-1]


def key_of(comparator: Region) -> Key | None:
    """The key that a comparator compares; None where it does something else."""
    block = comparator.block
    last = block.last_op
    compared = last.operands[0].owner if last is not None and last.operands else None
    if isinstance(compared, arith.CmpiOp):
        order = LESS.get(arith.CMPI_COMPARISON_OPERATIONS[compared.predicate.value.data])
    elif isinstance(compared, arith.CmpfOp):
        descends = LESS_FLOATS.get(arith.CMPF_COMPARISON_OPERATIONS[compared.predicate.value.data])
        known = isinstance(compared.lhs.type, Float32Type | Float64Type)
        order = (descends, False) if known and descends is not None else None
    else:
        return None
    if order is None or not isinstance(compared.lhs.type, IntegerType | Float32Type | Float64Type):
        return None
    descending, unsigned = order
    for lhs, rhs, flipped in ((compared.lhs, compared.rhs, False), (compared.rhs, compared.lhs, True)):
        pair: dict[SSAValue, SSAValue] = {}
        if not _same(lhs, rhs, pair, block):
            continue
        arguments = [(a, b) for a, b in pair.items() if isinstance(a, BlockArgument)]
        if len(arguments) != 1:
            return None
        first, second = arguments[0]
        assert isinstance(first, BlockArgument)
        assert isinstance(second, BlockArgument)
        if first.index % 2 or second.index != first.index + 1:
            continue
        return Key(first.index // 2, first, lhs, descending != flipped, unsigned)
    return None


def _same(a: SSAValue, b: SSAValue, pair: dict[SSAValue, SSAValue], block: Block) -> bool:
    """Whether `b` is computed as `a` is, from other arguments; `pair` says which value is which."""
    pending = [(a, b)]
    while pending:
        x, y = pending.pop()
        if x in pair:
            if pair[x] is not y:
                return False
            continue
        pair[x] = y
        if isinstance(x, BlockArgument) or isinstance(y, BlockArgument):
            if x.owner is not block or y.owner is not block:
                return False
            continue
        p, q = x.owner, y.owner
        assert isinstance(p, Operation)
        assert isinstance(q, Operation)
        if type(p) is not type(q) or p.properties != q.properties or len(p.operands) != len(q.operands):
            return False
        if x.type != y.type or p.regions or not p.name.startswith(("arith.", "math.")):
            return False
        if not isinstance(p, arith.ConstantOp) and (p.parent is not block or q.parent is not block):
            return False
        pending += zip(p.operands, q.operands, strict=True)
    return True


Direct = str
"""How an element is had back from its key: "same" it is the key, "ordered" the key has its bits in order, "canonical" as
well but all zeros have one key and all NaNs, "float" so have zeros, and a NaN has none."""


def direct_form(key: Key) -> Direct | None:
    """How to get elements back from their keys, where that can be."""
    if key.value is key.element:
        return "float" if key.is_float else "same"
    if key.unsigned or key.is_float:
        return None
    made = _ordered_bits(key.value)
    if made is None or not isinstance(key.element.type, Float32Type | Float64Type):
        return None
    if made is key.element:
        return "ordered"
    return "canonical" if _is_canonical(made, key.element) else None


def _ordered_bits(value: SSAValue) -> SSAValue | None:
    """The float of which `value` is `bits ^ ((bits >>s w - 1) >>u 1)`."""
    xor = value.owner
    if not isinstance(xor, arith.XOrIOp) or not isinstance(xor.lhs.owner, arith.BitcastOp):
        return None
    bits, mask = xor.lhs, xor.rhs.owner
    if not isinstance(mask, arith.ShRUIOp) or _number(mask.rhs) != 1:
        return None
    sign = mask.lhs.owner
    assert isinstance(value.type, IntegerType)
    if not isinstance(sign, arith.ShRSIOp) or sign.lhs is not bits or _number(sign.rhs) != value.type.width.data - 1:
        return None
    return xor.lhs.owner.input


def _is_canonical(value: SSAValue, element: SSAValue) -> bool:
    """Whether `value` is `element != element ? NaN : (element == 0 ? 0 : element)`."""
    outer = value.owner
    if not isinstance(outer, arith.SelectOp) or not _compares(outer.cond, element, element, "une"):
        return False
    nan = _number(outer.lhs)
    inner = outer.rhs.owner
    if nan is None or not isnan(nan) or copysign(1, nan) < 0 or not isinstance(inner, arith.SelectOp):
        return False
    zero = _constant(inner.lhs)
    if not isinstance(zero, FloatAttr) or str(zero.value.data) != "0.0" or inner.rhs is not element:
        return False
    compared = inner.cond.owner
    return (
        isinstance(compared, arith.CmpfOp)
        and compared.lhs is element
        and arith.CMPF_COMPARISON_OPERATIONS[compared.predicate.value.data] == "oeq"
        and _number(compared.rhs) == 0
    )


def _compares(condition: SSAValue, lhs: SSAValue, rhs: SSAValue, predicate: str) -> bool:
    op = condition.owner
    if not isinstance(op, arith.CmpfOp) or op.lhs is not lhs or op.rhs is not rhs:
        return False
    return arith.CMPF_COMPARISON_OPERATIONS[op.predicate.value.data] == predicate


def _constant(value: SSAValue) -> Attribute | None:
    return value.owner.value if isinstance(value.owner, arith.ConstantOp) else None


def _number(value: SSAValue) -> float | int | None:
    found = _constant(value)
    return found.value.data if isinstance(found, IntegerAttr | FloatAttr) else None


__all__ = ["Direct", "Key", "direct_form", "key_of"]
