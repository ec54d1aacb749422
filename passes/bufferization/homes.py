"""Where tensor values live: buffers, places inside of them, and homes.

A `Buffer` is a piece of memory. A `Place` is a region of one: all of it, or a slice of a place; equal slices of one
place are one `Place` object, and a reshape of a place is that place. The `Home` of a value is its place and the memref
that reaches it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from xdsl.dialects import arith
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    DenseIntOrFPElementsAttr,
    IntegerAttr,
    MemRefType,
    NoneAttr,
    StridedLayoutAttr,
)
from xdsl.dialects.utils import get_dynamic_index_list
from xdsl.ir import Attribute, Operation, SSAValue

Bound = int | SSAValue
SliceKey = tuple[tuple[Bound, ...], tuple[Bound, ...], tuple[Bound, ...]]


@dataclass(eq=False)
class Buffer:
    """Memory for tensor values; `members` are those in it that may still be read."""

    writable: bool
    task: Operation | None
    """The `scf.forall` whose tasks each have their own such buffer, None outside of any."""
    members: list[SSAValue] = field(default_factory=list[SSAValue])
    first: int = -1
    last: int = -1
    """Positions between which it holds something needed (for planning)."""
    outer: Buffer | None = None
    """The same memory as seen outside of a loop that updates it."""

    def touch(self, position: int) -> None:
        """The buffer is needed at `position`."""
        self.last = max(self.last, position)
        if self.outer is not None:
            self.outer.touch(position)


@dataclass(eq=False)
class Place:
    """A region of a buffer: `key` of `parent`, or all of it."""

    buffer: Buffer
    parent: Place | None = None
    key: SliceKey | None = None
    children: dict[SliceKey, Place] = field(default_factory=dict[SliceKey, "Place"])

    def child(self, key: SliceKey) -> Place:
        """The place of a slice."""
        found = self.children.get(key)
        if found is None:
            found = self.children[key] = Place(self.buffer, self, key)
        return found

    def chain(self) -> list[Place]:
        """This place and what it is a part of, outermost last."""
        places: list[Place] = []
        place: Place | None = self
        while place is not None:
            places.append(place)
            place = place.parent
        return places


@dataclass(frozen=True, eq=False)
class Home:
    """Where a value lives.

    `place` is None for a `tensor.empty`, which gets memory where it is first written. `undefined`: nothing was written
    yet. `constant`: the value of a constant that has no memory yet.
    """

    place: Place | None
    memref: SSAValue | None
    undefined: bool = False
    constant: DenseIntOrFPElementsAttr | None = None


UNDEFINED = Home(None, None, undefined=True)


def disjoint_keys(one: SliceKey, other: SliceKey) -> bool:
    """Whether two slices of one place provably share no element (static ranges that do not meet in some dim)."""
    for a_off, a_size, a_step, b_off, b_size, b_step in zip(*one, *other, strict=True):
        values = (a_off, a_size, a_step, b_off, b_size, b_step)
        if not all(isinstance(v, int) for v in values):
            continue
        ao, an, ast, bo, bn, bst = (int(v) for v in values)  # pyright: ignore[reportArgumentType]
        if ao + (an - 1) * ast < bo or bo + (bn - 1) * bst < ao or an == 0 or bn == 0:
            return True
    return False


def disjoint(one: Place, other: Place) -> bool:
    """Whether two places of one buffer provably share no element."""
    if one.buffer is not other.buffer:
        return True
    ancestors = {p.parent: p.key for p in one.chain()}
    for place in other.chain():
        if place.parent in ancestors:
            key = ancestors[place.parent]
            return key is not None and place.key is not None and disjoint_keys(key, place.key)
    return False


def slice_key(op: Operation) -> SliceKey:
    """Offsets, sizes and strides of a slice op, constants as ints."""

    def bounds(static: str, dynamic: str) -> tuple[Bound, ...]:
        values = get_dynamic_index_list(getattr(op, static).get_values(), getattr(op, dynamic), DYNAMIC_INDEX)
        return tuple(_fold(v) for v in values)

    return (
        bounds("static_offsets", "offsets"),
        bounds("static_sizes", "sizes"),
        bounds("static_strides", "strides"),
    )


def _fold(value: Bound) -> Bound:
    if isinstance(value, int):
        return value
    owner = value.owner
    if isinstance(owner, arith.ConstantOp) and isinstance(owner.value, IntegerAttr):
        return owner.value.value.data
    return value


def row_major(shape: Sequence[int]) -> list[int | None]:
    """The strides of a dense buffer of `shape`, None outside of a dynamic dimension."""
    strides: list[int | None] = []
    step: int | None = 1
    for size in reversed(shape):
        strides.append(step)
        step = None if step is None or size == DYNAMIC_INDEX else step * size
    return strides[::-1]


def covers(key: SliceKey, shape: Sequence[int]) -> bool:
    """Whether a slice is all of a tensor of `shape`."""
    offsets, sizes, strides = key
    return all(o == 0 for o in offsets) and all(s == 1 for s in strides) and sizes == tuple(shape)


def slice_place(place: Place, op: Operation, shape: Sequence[int]) -> Place:
    """The place of the slice that `op` names of a value of `shape` in `place`."""
    key = slice_key(op)
    return place if covers(key, shape) else place.child(key)


def make_memref_type(
    element: Attribute, shape: Sequence[int], strides: Sequence[int | None], offset: int | None
) -> MemRefType[Attribute]:
    """A strided memref type; identity layout where the strides say so."""
    dense = row_major(shape)
    same = all((s == d and d is not None) or n == 1 for s, d, n in zip(strides, dense, shape, strict=True))
    if (same or 0 in shape) and offset == 0:
        return MemRefType(element, shape)
    return MemRefType(element, shape, StridedLayoutAttr(strides, offset))


def is_identity(memref_type: Attribute) -> bool:
    """Whether a memref is dense, row-major and starts at its base."""
    assert isinstance(memref_type, MemRefType)
    return isinstance(memref_type.layout, NoneAttr)


def slice_type(source: MemRefType[Attribute], key: SliceKey, shape: Sequence[int]) -> MemRefType[Attribute]:
    """The type of a subview, with unit dims dropped so that its shape is `shape`."""
    offsets, sizes, steps = key
    strides, offset = source.get_strides(), source.get_offset()
    assert strides is not None
    for off, stride in zip(offsets, strides, strict=True):
        if off == 0:
            continue
        known = isinstance(off, int) and stride is not None and offset is not None
        offset = offset + off * stride if known else None  # pyright: ignore
    scaled = [s * t if isinstance(s, int) and isinstance(t, int) else None for s, t in zip(strides, steps, strict=True)]
    kept: list[int | None] = []
    for size, stride in zip(sizes, scaled, strict=True):
        # As MLIR reads a slice: only a dim of static size one can be missing from its type.
        if size != 1 or (len(kept) < len(shape) and shape[len(kept)] == 1):
            kept.append(stride)
    assert len(kept) == len(shape)
    return make_memref_type(source.element_type, shape, kept, offset)


def reshaped_type(
    source: MemRefType[Attribute], shape: Sequence[int], groups: Sequence[Sequence[int]], expand: bool
) -> MemRefType[Attribute] | None:
    """The type of an expanded or collapsed memref, None when the strides do not allow the collapse."""
    if is_identity(source):
        return MemRefType(source.element_type, shape)
    strides, offset = source.get_strides(), source.get_offset()
    assert strides is not None
    old = source.get_shape()
    result: list[int | None] = []
    if expand:
        for stride, group in zip(strides, groups, strict=True):
            steps: list[int | None] = []
            for d in reversed(group):
                steps.append(stride)
                stride = stride * shape[d] if stride is not None else None
            result += reversed(steps)
        return make_memref_type(source.element_type, shape, result, offset)
    for group in groups:
        dims = [d for d in group if old[d] != 1]
        for a, b in itertools.pairwise(dims):
            outer, inner = strides[a], strides[b]
            if outer is None or inner is None or outer != inner * old[b]:
                return None
        result.append(strides[dims[-1]] if dims else 1)
    return make_memref_type(source.element_type, shape, result, offset)
