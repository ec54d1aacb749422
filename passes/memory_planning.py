"""Offsets for buffers that are needed at different times: the arithmetic behind arenas and scratch.

Two buffers whose intervals meet must not overlap. Best fit: one buffer after the other, each in the smallest gap between those
already placed that it meets in time; large ones first, and where that needs more than is needed at any one time, other
orders too: each with what ended up on top moved to the front, a few times. With very many buffers, a sweep over time with a
free list instead, so that the cost stays near linear.
"""

from __future__ import annotations

import heapq
from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ALIGNMENT = 64
_EXHAUSTIVE = 1500
"""Buffers beyond which a sweep places them."""
_RETRIED = 200
"""Buffers up to which other orders are tried."""
_ROUNDS = 16


@dataclass(frozen=True)
class Interval:
    """A buffer of `size` bytes needed from `first` to `last`, both included."""

    size: int
    first: int
    last: int


@dataclass(frozen=True)
class Plan:
    """The offset of each buffer, the bytes needed for all, and the most that is needed at any one time."""

    offsets: tuple[int, ...]
    total: int
    lower_bound: int


def align(size: int) -> int:
    """`size` rounded up to the alignment of buffers."""
    return (size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


def assign_offsets(intervals: Sequence[Interval]) -> Plan:
    """Place the buffers at aligned offsets."""
    bound = _peak(intervals)
    offsets = _by_orders(intervals, bound) if len(intervals) <= _EXHAUSTIVE else _sweep(intervals)
    return Plan(tuple(offsets), _total(intervals, offsets), bound)


def _total(intervals: Sequence[Interval], offsets: Sequence[int]) -> int:
    return max((o + align(i.size) for o, i in zip(offsets, intervals, strict=True)), default=0)


def _peak(intervals: Sequence[Interval]) -> int:
    events: list[tuple[int, int, int]] = []
    for i in intervals:
        events.append((i.first, 1, align(i.size)))
        events.append((i.last + 1, 0, -align(i.size)))
    peak = live = 0
    for _, _, change in sorted(events):
        live += change
        peak = max(peak, live)
    return peak


def _by_orders(intervals: Sequence[Interval], bound: int) -> list[int]:
    """The offsets of the order that needs least, the first of them; no more orders are tried than it takes to reach the bound."""
    best, least = list[int](), -1
    for key in _ORDERS:
        order = sorted(range(len(intervals)), key=lambda n, key=key: (*key(intervals[n]), n))
        for _ in range(_ROUNDS):
            offsets = _best_fit(intervals, order)
            total = _total(intervals, offsets)
            if least < 0 or total < least:
                best, least = offsets, total
            if least <= bound or len(intervals) > _RETRIED:
                return best
            top = max(range(len(intervals)), key=lambda n: (offsets[n] + align(intervals[n].size), -n))
            if order[0] == top:
                break
            order.remove(top)
            order.insert(0, top)
    return best


_ORDERS: tuple[Callable[[Interval], tuple[int, ...]], ...] = (
    lambda i: (-i.size, i.first),
    lambda i: (-i.size * (i.last - i.first + 1),),
    lambda i: (i.first - i.last, -i.size),
    lambda i: (i.first, -i.size),
)
"""What buffers are sorted by: size, size and time, time, beginning."""


def _best_fit(intervals: Sequence[Interval], order: Sequence[int]) -> list[int]:
    """Offsets, given to the buffers in an order."""
    offsets = [0] * len(intervals)
    placed: list[tuple[int, int, int]] = []
    for n in order:
        wanted = intervals[n]
        size = align(wanted.size)
        best: tuple[int, int] | None = None
        free = 0
        for offset, end, other in placed:
            if intervals[other].last < wanted.first or wanted.last < intervals[other].first:
                continue
            gap = offset - free
            if gap >= size and (best is None or gap < best[0]):
                best = (gap, free)
            free = max(free, end)
        offsets[n] = best[1] if best is not None else free
        if size:
            insort(placed, (offsets[n], offsets[n] + size, n))
    return offsets


def _sweep(intervals: Sequence[Interval]) -> list[int]:
    order = sorted(range(len(intervals)), key=lambda n: (intervals[n].first, n))
    offsets = [0] * len(intervals)
    running: list[tuple[int, int, int]] = []
    gaps: list[tuple[int, int]] = []  # (offset, size), sorted by offset
    top = 0
    for n in order:
        while running and running[0][0] < intervals[n].first:
            _, offset, size = heapq.heappop(running)
            gaps = _merge(gaps, offset, size)
        size = align(intervals[n].size)
        if not size:
            continue
        fitting = [(g[1], g[0]) for g in gaps if g[1] >= size]
        if fitting:
            room, offset = min(fitting)
            gaps.remove((offset, room))
            if room > size:
                insort(gaps, (offset + size, room - size))
        else:
            offset, top = top, top + size
        offsets[n] = offset
        heapq.heappush(running, (intervals[n].last, offset, size))
    return offsets


def _merge(gaps: list[tuple[int, int]], offset: int, size: int) -> list[tuple[int, int]]:
    insort(gaps, (offset, size))
    merged: list[tuple[int, int]] = []
    for start, length in gaps:
        if merged and merged[-1][0] + merged[-1][1] == start:
            merged[-1] = (merged[-1][0], merged[-1][1] + length)
        else:
            merged.append((start, length))
    return merged
