"""How the lines of a sort are sorted in vectors: of which keys, in which buffers; or why not.

A line becomes integer keys (`sort_keys`), which are sorted in vectors (`sort_network`). Where an element can be had back from
its key, the keys are all there is. Else a key has the number of its element in its low bits: equal elements keep their
order, and the elements are then fetched from a copy of the line, those of all operands.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.builtin import (
    BFloat16Type,
    Float16Type,
    Float32Type,
    Float64Type,
    IntegerType,
    TensorType,
)
from xdsl.ir import Attribute

from stepwell.dialects.structured import SortOp, shape_of
from stepwell.passes.structured_loops.sort_keys import Direct, Key, direct_form, key_of
from stepwell.passes.structured_loops.vectors import vector_bytes

CHUNK_BYTES = 16 << 10
"""Keys sorted by one network at most: they and what they are written to stay in the first cache."""


@dataclass(frozen=True)
class Form:
    """A decision about the lines of one sort."""

    key: Key
    direct: Direct | None
    """How an element is had back from its key; None: keys carry the number of their element."""
    bits: int
    """Width of the integers that are sorted."""
    lanes: int
    length: int
    """Elements of a line."""
    chunk: int
    """Keys sorted by one network: a power of two, at least two vectors."""
    total: int
    """Keys of a line with what fills up the last chunk."""

    @property
    def buffers(self) -> list[tuple[int, ...]]:
        """The shapes of the buffers of keys: a chunk in rows, then sorted keys once, or twice where chunks are merged."""
        count = 1 if self.total == self.chunk else 2
        return [(self.chunk // self.lanes, self.lanes), *[(self.total,)] * count]

    @property
    def position_bits(self) -> int:
        """Low bits of a key that hold the number of its element."""
        return 0 if self.direct else self.bits - self.key.bits


def form_of(op: SortOp) -> Form | None:
    """The vector form of a sort that the schedule gave vectors; None: an element at a time."""
    given, length = vector_bytes(op), shape_of(op.outs[0])[op.dimension.value.data]
    key = key_of(op.comparator) if given and length >= 2 else None
    if key is None or not _has_lanes(key):
        return None
    last = op.dimension.value.data == len(shape_of(op.outs[0])) - 1
    direct = direct_form(key) if len(op.outs) == 1 and last else None
    bits = _width(key, direct, length)
    if bits is None or given * 8 // bits < 2:
        return None
    lanes = given * 8 // bits
    most = CHUNK_BYTES * 8 // bits
    chunk = max(2 * lanes, min(most, 1 << (length - 1).bit_length()))
    return Form(key, direct, bits, lanes, length, chunk, -(-length // chunk) * chunk)


def _width(key: Key, direct: Direct | None, length: int) -> int | None:
    """The width of what is sorted; None where no register has lanes that wide."""
    if direct is not None:
        return max(32, key.bits)
    if key.bits <= 16 and length <= 1 << 16:
        return 32
    return 64 if key.bits <= 32 else None


def _has_lanes(key: Key) -> bool:
    """Whether keys are made in vectors."""
    kinds: list[Attribute] = [key.element.type, *(r.type for op in key.ops() for r in op.results[:1])]
    return _in_memory(kinds[0]) and all(_in_register(k) for k in kinds)


def _in_memory(kind: Attribute) -> bool:
    if isinstance(kind, IntegerType):
        return kind.width.data in (8, 16, 32, 64)
    return isinstance(kind, BFloat16Type | Float16Type | Float32Type | Float64Type)


def _in_register(kind: Attribute) -> bool:
    return _in_memory(kind) or kind == IntegerType(1)


def is_gathered(kind: Attribute) -> bool:
    """Whether vectors of elements are fetched from anywhere."""
    if isinstance(kind, IntegerType):
        return kind.width.data in (32, 64)
    return isinstance(kind, Float32Type | Float64Type)


def key_buffers(op: SortOp) -> list[TensorType]:
    """The types of the buffers that a sort needs for its keys."""
    form = form_of(op)
    return [] if form is None else [TensorType(IntegerType(form.bits), shape) for shape in form.buffers]


__all__ = ["Form", "form_of", "is_gathered", "key_buffers"]
