"""Contractions of bytes and halves into 32-bit sums, done a word at a time: which they are, and what is in a word.

The terms of a sum are taken four bytes or two halves at once, next to each other in the words of both operands (`kernel.dot`).
Bytes as halves are exact: they are widened when they are packed. Four bytes at once want one side without a sign; where both
have one, or none, A's sign bits are flipped, which adds (or takes) 128 times the sums of B's columns: these are known when B is
packed, and the sums of products start without them. All of it is arithmetic modulo 2**32, as the sums are.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects import arith
from xdsl.dialects.builtin import IntegerType, TensorType, i32
from xdsl.ir import Attribute, Operation, SSAValue

from stepwell.dialects.kernel_dot import WORD_BITS, factor_type
from stepwell.ir.machine import MachineDescription
from stepwell.passes.schedules.contraction_analysis import Contraction

BYTE_BITS, HALF_BITS = 8, 16
RATES = {1: 1.0, 2: 0.9, 4: 3.5}
"""Products of a lane in the time of one, by the terms of a word: two halves take two instructions, and words want packing."""


@dataclass(frozen=True)
class Words:
    """What the words of A and B hold."""

    terms: int
    """Terms of a sum in a word."""
    signed: tuple[bool, bool]
    """Whether factors of A and of B have a sign, in their tensors."""
    narrow: tuple[bool, bool]
    """Whether they are narrower there than in a word."""

    @property
    def bits(self) -> int:
        """Bits of a factor in a word."""
        return WORD_BITS // self.terms

    @property
    def flips(self) -> bool:
        """Whether A's sign bits are flipped."""
        return self.terms == WORD_BITS // BYTE_BITS and self.signed[0] == self.signed[1]

    @property
    def factors(self) -> tuple[IntegerType, IntegerType]:
        """The factors in a word: bytes as they are (of A flipped), all halves with a sign."""
        if self.bits == HALF_BITS:
            return factor_type(HALF_BITS, signed=True), factor_type(HALF_BITS, signed=True)
        signs = self.signed[0] != self.flips, self.signed[1]
        return factor_type(BYTE_BITS, signed=signs[0]), factor_type(BYTE_BITS, signed=signs[1])

    @property
    def excess(self) -> int:
        """How often the sum of a column of B is in a sum of products of flipped factors."""
        if not self.flips:
            return 0
        return 1 << (BYTE_BITS - 1) if self.signed[0] else -(1 << (BYTE_BITS - 1))


def words_of(found: Contraction, terms: int) -> Words | None:
    """What words of so many terms would hold; None where the contraction cannot be done so."""
    if terms < 2 or found.accumulator != i32:
        return None
    a = _factor(found.op.inputs[found.a], found.a_casts)
    b = _factor(found.op.inputs[found.b], found.b_casts)
    bits = WORD_BITS // terms
    if a is None or b is None or max(a[0], b[0]) > bits:
        return None
    if bits == HALF_BITS and any(width == HALF_BITS and not signed for width, signed in (a, b)):
        return None
    return Words(terms, (a[1], b[1]), (a[0] < bits, b[0] < bits))


def terms_at_once(found: Contraction, machine: MachineDescription) -> int:
    """How many terms of its sums a machine takes at once: 1 where nothing is gained by it."""
    inner = found.sizes[found.reduced[-1]]
    if machine.vector_bytes == 0 or machine.subgroup > 1:
        return 1
    if machine.has_byte_dots and inner > 2 and words_of(found, 4) is not None:
        return 4
    return 2 if machine.has_half_dots and inner > 1 and words_of(found, 2) is not None else 1


def _factor(value: SSAValue, casts: tuple[Operation, ...]) -> tuple[int, bool] | None:
    """Bits of an operand's elements, and whether they are read with a sign; None for others than bytes and halves."""
    kind: Attribute = value.type.element_type if isinstance(value.type, TensorType) else value.type
    if not isinstance(kind, IntegerType) or kind.width.data not in (BYTE_BITS, HALF_BITS) or not casts:
        return None
    signed = isinstance(casts[0], arith.ExtSIOp)
    # What was extended without a sign stays what it is; another narrowing or widening would not.
    if not all(isinstance(c, arith.ExtSIOp) or (isinstance(c, arith.ExtUIOp) and not signed) for c in casts):
        return None
    return kind.width.data, signed
