"""Structural identity of ops: two functions that differ only in names and locations have the same hash.

Counts: op names, attributes and properties, types, which value each operand is (by order of definition),
regions, successors. Does not count: the hashed op's own symbol name, locations, SSA name hints. One walk;
attributes are hashed once per object and large constants by their bytes, never by printing them.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence, Set
from typing import Any

from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, StringAttr, SymbolRefAttr
from xdsl.ir import Attribute, Block, Data, Operation, ParametrizedAttribute, Region, SSAValue
from xdsl.traits import SymbolOpInterface

_ATTRIBUTE_LIMIT = 4096
"""Attribute digests kept between calls; the table is emptied when it is full."""


class _AttributeDigests:
    """Digest of an attribute's kind and contents; equal attributes have equal digests, in every process.

    Digests are remembered by object; dense constants are not, so that the table never keeps weights alive.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[Attribute, bytes]] = {}

    def digest(self, attribute: Attribute) -> bytes:
        found = self._known.get(id(attribute))
        if found is not None:
            return found[1]
        result = self._compute(attribute)
        if not isinstance(attribute, DenseIntOrFPElementsAttr):
            if len(self._known) >= _ATTRIBUTE_LIMIT:
                self._known.clear()
            self._known[id(attribute)] = (attribute, result)  # holding the attribute keeps its id taken
        return result

    def _compute(self, attribute: Attribute) -> bytes:
        state = hashlib.sha256(attribute.name.encode() + b":")
        if isinstance(attribute, DenseIntOrFPElementsAttr):
            state.update(self.digest(attribute.type))
            state.update(attribute.data.data)
        elif isinstance(attribute, ParametrizedAttribute):
            for parameter in attribute.parameters:
                state.update(self.digest(parameter))
        elif isinstance(attribute, Data):
            data: Any = attribute.data  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            self._update_data(state, data)
        else:
            state.update(str(attribute).encode())
        return state.digest()

    def _update_data(self, state: Any, data: Any) -> None:
        """Hash what a `Data` attribute holds: scalars, and containers of attributes or scalars."""
        if isinstance(data, Attribute):
            state.update(b"a" + self.digest(data))
        elif isinstance(data, bytes):
            state.update(b"b%d:" % len(data) + data)
        elif isinstance(data, float):
            state.update(b"f" + struct.pack("<d", data))
        elif isinstance(data, Mapping):
            items: Mapping[Any, Any] = data
            state.update(b"d%d:" % len(items))
            for key in sorted(items, key=str):
                self._update_data(state, key)
                self._update_data(state, items[key])
        elif isinstance(data, tuple | list):
            sequence: Sequence[Any] = data
            state.update(b"l%d:" % len(sequence))
            for item in sequence:
                self._update_data(state, item)
        elif isinstance(data, Set):
            members: Set[Any] = data
            self._update_data(state, sorted(repr(member) for member in members))
        else:
            text = f"{type(data).__name__}:{data!r}".encode()
            state.update(b"s%d:" % len(text) + text)


_DIGESTS = _AttributeDigests()


class _Walk:
    """One walk over an op, feeding everything that counts into one hash."""

    def __init__(self, own_name: SymbolRefAttr | None):
        self._state = hashlib.sha256()
        self._values: dict[SSAValue, int] = {}
        self._blocks: dict[Block, int] = {}
        self._own_name = own_name
        self.free: list[SSAValue] = []
        """Values defined outside, in the order of their first use."""

    def finish(self) -> str:
        return self._state.hexdigest()

    def op(self, op: Operation, *, root: bool = False) -> None:
        update = self._state.update
        operands = op._operands  # pyright: ignore[reportPrivateUsage]
        update(f"o{op.name}({len(operands)},{len(op.results)},{len(op.regions)},{len(op.successors)})".encode())
        for operand in operands:
            self._operand(operand)
        skip = "sym_name" if root else None
        self._attributes(b"p", op.properties, skip)
        self._attributes(b"t", op.attributes, skip)
        for result in op.results:
            self._define(result)
        for successor in op.successors:
            update(b"s%d" % self._blocks.get(successor, -1))
        for region in op.regions:
            self.region(region)

    def region(self, region: Region) -> None:
        blocks = tuple(region.blocks)
        self._state.update(b"r%d" % len(blocks))
        for block in blocks:
            self._blocks[block] = len(self._blocks)
        for block in blocks:
            self._block(block)

    def _block(self, block: Block) -> None:
        self._state.update(b"b%d" % len(block.args))
        for arg in block.args:
            self._define(arg)
        for op in block.ops:
            self.op(op)
        self._state.update(b"e")

    def _define(self, value: SSAValue) -> None:
        self._values[value] = len(self._values)
        self._state.update(_DIGESTS.digest(value.type))

    def _operand(self, value: SSAValue) -> None:
        number = self._values.get(value)
        if number is None:  # defined outside, or in a block not seen yet: numbered by first use
            number = self._values[value] = len(self._values)
            self.free.append(value)
            self._state.update(b"x")
            self._state.update(_DIGESTS.digest(value.type))
        self._state.update(b"v%d" % number)

    def _attributes(self, tag: bytes, attributes: dict[str, Attribute], skip: str | None) -> None:
        for name in sorted(attributes):
            if name != skip:
                attribute = attributes[name]
                self._state.update(tag + name.encode() + b"=")
                self._state.update(b"self" if attribute == self._own_name else _DIGESTS.digest(attribute))


def _own_name(op: Operation) -> SymbolRefAttr | None:
    name = op.get_attr_or_prop("sym_name") if op.has_trait(SymbolOpInterface) else None
    return SymbolRefAttr(name) if isinstance(name, StringAttr) else None


def structural_hash(op: Operation) -> str:
    """Hex SHA-256 of the structure of `op`; the same in every process and for every order of attributes.

    A symbol's own name does not count, nor does calling itself by it; names of other symbols do.
    """
    walk = _Walk(_own_name(op))
    walk.op(op, root=True)
    return walk.finish()


def structurally_equal(first: Operation, second: Operation) -> bool:
    """True when the two ops differ in nothing that `structural_hash` counts."""
    return first.name == second.name and structural_hash(first) == structural_hash(second)


def structure_of_regions(op: Operation) -> tuple[str, tuple[SSAValue, ...]]:
    """The structure of the regions of `op` and, in order of first use, the outer values they use.

    Two ops in one scope whose regions agree in both compute the same when their operands and attributes
    agree too.
    """
    walk = _Walk(None)
    for region in op.regions:
        walk.region(region)
    return walk.finish(), tuple(walk.free)
