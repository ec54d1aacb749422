"""Memory and memrefs of a simulated GPU: addresses per lane, checked against shape, alignment and shadow.

A memref is a piece of memory with an offset, a shape and strides in elements, each of which may differ between lanes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from stepwell.dialects.interp.simt.shadow import Shadow
from stepwell.dialects.interp.simt.values import Array, Mask, Value, as_mask, fitted, is_lanes

_ALIGNED = 64
"""What a caller that aligns its memory aligns it to (NumPy itself promises 16 bytes)."""

Extent = int | Array
"""A size, stride or offset: of all lanes, or one a lane."""


class Memory:
    """One allocation: its bytes, and its shadow when the simulator checks."""

    def __init__(self, name: str, data: Array, *, space: str, skew: int = 0, writable: bool = True):
        self.name = name
        self.space = space
        self.data = data
        self.skew = skew
        """Bytes between the address of `data` and one that is aligned to anything."""
        self.writable = writable
        self.granule = 1
        self.shadow: Shadow | None = None
        self.origins: Array | None = None
        """Where each two bytes were copied from, when somebody follows that."""
        self._typed: dict[np.dtype[Any], Array] = {}

    def watch(self, granule: int, shadow: Shadow) -> None:
        """Check accesses from now on."""
        self.granule, self.shadow = granule, shadow

    def typed(self, dtype: np.dtype[Any]) -> Array:
        """The memory as elements of a dtype; booleans as their bytes, which may hold anything."""
        found = self._typed.get(dtype)
        if found is None:
            size = dtype.itemsize
            whole = self.data[: self.data.size // size * size]
            found = self._typed[dtype] = whole.view(np.uint8 if dtype == np.bool_ else dtype)
        return found


@dataclass(frozen=True, slots=True)
class MemRef:
    """A memref of lanes."""

    memory: Memory
    dtype: np.dtype[Any]
    offset: Extent
    shape: tuple[Extent, ...]
    strides: tuple[Extent, ...]

    def merged(self, mask: Mask, other: MemRef) -> MemRef:
        """Per lane this one or the other.

        Raises:
            ValueError: they lie in different memory, or differ in more than their place and size.
        """
        if self.memory is not other.memory or self.dtype != other.dtype or len(self.shape) != len(other.shape):
            raise ValueError(f"lanes hold memrefs of different memory ({self.memory.name} and {other.memory.name})")

        def pick(mine: Extent, theirs: Extent) -> Extent:
            return mine if mine is theirs or _same(mine, theirs) else np.where(mask, mine, theirs)

        return replace(
            self,
            offset=pick(self.offset, other.offset),
            shape=tuple(map(pick, self.shape, other.shape)),
            strides=tuple(map(pick, self.strides, other.strides)),
        )


def _same(one: Extent, other: Extent) -> bool:
    return isinstance(one, int) and isinstance(other, int) and one == other


def contiguous(memory: Memory, dtype: np.dtype[Any], offset: Extent, shape: Sequence[Extent]) -> MemRef:
    """A memref of identity layout."""
    return MemRef(memory, dtype, offset, tuple(shape), row_major(shape))


def row_major(shape: Sequence[Extent]) -> tuple[Extent, ...]:
    """Strides of identity layout."""
    strides: list[Extent] = []
    step: Extent = 1
    for size in reversed(shape):
        strides.append(step)
        step = step * size
    return tuple(reversed(strides))


def start_of(ref: MemRef, indices: Sequence[Value]) -> Extent:
    """The position in memory, in elements, of an element."""
    position = ref.offset
    for index, stride in zip(indices, ref.strides, strict=True):
        position = position + index * stride
    return position


@dataclass(slots=True)
class Access:
    """Where an op touches memory: positions in elements, and which elements (beside the inactive lanes) it leaves out.

    Both are uniform (of the shape of the vector accessed) or lanes.
    """

    ref: MemRef
    spans: tuple[int, ...]
    positions: Extent
    mask: Mask | None = None

    @property
    def is_uniform(self) -> bool:
        """True when all lanes touch the same elements."""
        rank = len(self.spans)
        return not is_lanes(self.positions, rank) and not is_lanes(self.mask, rank)

    def enabled(self, active: Mask | None) -> Mask | None:
        """Which elements are touched, by lanes (broadcastable); None for all."""
        if active is None:
            return self.mask
        lanes = as_mask(active, len(self.spans))
        return lanes if self.mask is None else lanes & self.mask


def window(ref: MemRef, start: Extent, spans: tuple[int, ...]) -> Extent:
    """Positions of a vector's elements that begins at `start` and lies along the last dimensions."""
    if not spans:
        return start
    rank = len(spans)
    strides = ref.strides[len(ref.strides) - rank :]
    result = start.reshape(-1, *(1,) * rank) if isinstance(start, np.ndarray) else np.full((1,) * rank, start)
    for axis, (count, stride) in enumerate(zip(spans, strides, strict=True)):
        result = result + along(count, axis, rank) * (
            as_mask(stride, rank) if isinstance(stride, np.ndarray) else stride
        )
    return result


_STEPS: dict[tuple[int, int, int], Array] = {}


def along(count: int, axis: int, rank: int) -> Array:
    """0, 1, ... along one axis of `rank`."""
    key = (count, axis, rank)
    found = _STEPS.get(key)
    if found is None:
        found = np.arange(count).reshape([count if a == axis else 1 for a in range(rank)])
        found.flags.writeable = False
        _STEPS[key] = found
    return found


def granules_of(access: Access, enabled: Mask | None, threads: Array, count: int) -> tuple[Array, Array]:
    """The granules an access touches, and by which thread each."""
    shape = (count, *access.spans)
    positions = fitted(access.positions, shape)
    owners = fitted(as_mask(threads, len(access.spans)), shape)
    if enabled is None:
        flat, owners = positions.reshape(-1), owners.reshape(-1)
    else:
        chosen = fitted(enabled, shape)
        flat, owners = positions[chosen], owners[chosen]
    return expand(access.ref, flat, owners)


def expand(ref: MemRef, positions: Array, threads: Array) -> tuple[Array, Array]:
    """Element positions, each with its thread, as granules."""
    parts = ref.dtype.itemsize // ref.memory.granule
    if parts <= 1:
        return positions, threads
    return granules_at(ref, positions), np.repeat(threads, parts)


def granules_at(ref: MemRef, positions: Array) -> Array:
    """The granules of elements, in order."""
    parts = ref.dtype.itemsize // ref.memory.granule
    return positions if parts <= 1 else (positions[:, None] * parts + np.arange(parts)).reshape(-1)


def arguments_in_memory(arrays: Sequence[tuple[str, Array]]) -> list[MemRef]:
    """Memrefs of a launch's named arrays; arrays that overlap (views of an arena, say) share their memory.

    Raises:
        ValueError: an array's elements do not lie at multiples of their size.
    """
    bounds = [np.lib.array_utils.byte_bounds(a) if a.size else (address_of(a),) * 2 for _, a in arrays]
    order = sorted(range(len(arrays)), key=lambda i: bounds[i])
    result: dict[int, MemRef] = {}
    while order:
        low, high = bounds[order[0]]
        group = [order.pop(0)]
        while order and bounds[order[0]][0] < high:
            high = max(high, bounds[order[0]][1])
            group.append(order.pop(0))
        memory = _allocation([arrays[i] for i in group], low, high)
        result.update((i, _memref(memory, *arrays[i], low)) for i in group)
    return [result[i] for i in range(len(arrays))]


def _allocation(arrays: Sequence[tuple[str, Array]], low: int, high: int) -> Memory:
    """The bytes from `low` to `high`, which the arrays cover together."""
    names = ", ".join(name for name, _ in arrays)
    first = arrays[0][1]
    if high == low:
        return Memory(names, np.empty(0, np.uint8), space="global")
    ends = [slice(0, 1) if s >= 0 else slice(n - 1, n) for n, s in zip(first.shape, first.strides, strict=True)]
    corner = first[(..., *ends)].reshape(1).view(np.uint8)[:1]  # without the dots a scalar would be copied
    data = np.lib.stride_tricks.as_strided(corner, (high - low,), (1,))
    writable = all(array.flags.writeable for _, array in arrays)
    return Memory(names, data, space="global", skew=_skew(first, low), writable=writable)


def _skew(array: Array, low: int) -> int:
    """How far an address is from one that a device would align: the start of the allocation, or what was aligned."""
    if low % _ALIGNED == 0:
        return 0
    root = array
    while isinstance(root.base, np.ndarray):
        root = root.base
    return low - address_of(root)


def address_of(array: Array) -> int:
    """Where an array's first element lies."""
    return array.__array_interface__["data"][0]


def _memref(memory: Memory, name: str, array: Array, low: int) -> MemRef:
    width = array.itemsize
    offset = address_of(array) - low
    if offset % width or any(stride % width for stride in array.strides):
        raise ValueError(f"the elements of {name} do not lie at multiples of their {width} bytes")
    return MemRef(memory, array.dtype, offset // width, array.shape, tuple(s // width for s in array.strides))


def elements(shape: Sequence[int]) -> int:
    """How many elements a static shape has."""
    return prod(shape)
