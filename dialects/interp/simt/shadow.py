"""Who touched which byte when: the memory beside the memory that finds races and reads of what nobody wrote.

Memory is watched in granules, the smallest element that the kernel accesses it by. Time is counted in epochs, one more at
each barrier of a block and at each new block. An access is a number, `epoch * CODES + thread`; so the accesses of this
epoch are those not below `epoch * CODES`, and those of other blocks lie below the block's first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

CODES = 2048
"""Codes within an epoch: threads, then groups of threads."""
_SUBGROUP_CODE = 1024
"""Code of several lanes of subgroup 0; the next are those of the next subgroups."""
_MANY = 2047
"""Code of threads of several subgroups."""
_NEVER = np.iinfo(np.int64).max

UNWRITTEN, WRITTEN, IN_FLIGHT = 0, 1, 2


@dataclass(frozen=True)
class Now:
    """The time of accesses: where this epoch and this block began, and the subgroups' own barriers."""

    epoch_start: int
    block_start: int
    block_number: int
    subgroup_clock: Array | None
    """Barriers each subgroup has passed; None in kernels without barriers of subgroups."""
    subgroup: int
    """Lanes of one."""


@dataclass(frozen=True)
class Conflict:
    """Two accesses without order between: the later is by `thread`, the earlier by `other` (None: several) of `op`."""

    granule: int
    thread: int
    other: int | None
    op_number: int
    other_block: bool
    did: str
    """What the earlier access did: `read`, `wrote` or `updated` (atomically)."""
    narrow: bool = False
    """Both are atomic, but one of them among the threads of its block only."""


def _subgroups(codes: Array, lanes: int) -> Array:
    """The subgroup of a code; -1 for several and for codes of other epochs."""
    groups = np.where(codes >= _SUBGROUP_CODE, codes - _SUBGROUP_CODE, codes // lanes)
    return np.where((codes < 0) | (codes == _MANY), -1, groups)


def _ordered_by_subgroup(codes: Array, clocks: Array, threads: Array, now: Now) -> Array:
    """Accesses of this epoch by lanes of one's own subgroup, before the subgroup's last barrier."""
    assert now.subgroup_clock is not None
    mine = threads // now.subgroup
    return (_subgroups(codes, now.subgroup) == mine) & (clocks < now.subgroup_clock[mine])


class _Accesses:
    """Per granule the last access of one kind: by which thread or group of threads, by which op, when."""

    def __init__(self, granules: int, did: str, *, across_blocks: bool):
        self.did = did
        self.last = np.full(granules, -1, np.int64)
        self.op = np.zeros(granules, np.int32)
        self.clock = np.zeros(granules, np.int32)
        self._across_blocks = across_blocks
        self._first_block = np.full(granules if across_blocks else 0, _NEVER, np.int64)

    def put(self, granules: Array, threads: Array, now: Now, op_number: int) -> None:
        """Note accesses; of several to one granule one is kept."""
        self.last[granules] = threads + now.epoch_start
        self.op[granules] = op_number
        if now.subgroup_clock is not None:
            self.clock[granules] = now.subgroup_clock[threads // now.subgroup]

    def add(self, granules: Array, threads: Array, now: Now, op_number: int) -> None:
        """Note accesses beside those that are there: a granule knows of all threads of this epoch."""
        mine = threads + now.epoch_start
        before = self.last[granules]
        forgotten = before < now.epoch_start
        if now.subgroup_clock is not None:
            clocks = self.clock[granules]
            forgotten |= _ordered_by_subgroup(before - now.epoch_start, clocks, threads, now)
        self.put(granules, threads, now, op_number)
        winner = self.last[granules]
        several = (winner != mine) | (~forgotten & (before != mine))
        if several.any():
            self._note_several(granules, threads, several, forgotten, before, winner, now)
        if self._across_blocks:
            self._first_block[granules] = np.minimum(self._first_block[granules], now.block_number)

    def _note_several(
        self,
        granules: Array,
        threads: Array,
        several: Array,
        forgotten: Array,
        before: Array,
        winner: Array,
        now: Now,
    ) -> None:
        """Granules accessed by more than one thread: of one subgroup (where that matters) or of any."""
        if now.subgroup_clock is None:
            self.last[granules[several]] = now.epoch_start + _MANY
            return
        group = threads // now.subgroup
        same = _subgroups(winner - now.epoch_start, now.subgroup) == group
        same &= forgotten | (_subgroups(before - now.epoch_start, now.subgroup) == group)
        self.last[granules[several]] = now.epoch_start + _SUBGROUP_CODE + group[several]
        self.last[granules[several & ~same]] = now.epoch_start + _MANY

    def conflict(self, granules: Array, threads: Array, now: Now) -> Conflict | None:
        """The first access of another thread that nothing orders before now."""
        keys = self.last[granules]
        unordered = (keys >= now.epoch_start) & (keys != threads + now.epoch_start)
        if self._across_blocks:
            unordered |= (keys < now.block_start) & (keys >= 0)
        if now.subgroup_clock is not None and unordered.any():
            unordered &= ~_ordered_by_subgroup(keys - now.epoch_start, self.clock[granules], threads, now)
        if not unordered.any():
            return None
        i = int(np.argmax(unordered))
        key = int(keys[i])
        code = key % CODES
        other = code if code < _SUBGROUP_CODE else None
        op_number = int(self.op[granules[i]])
        return Conflict(int(granules[i]), int(threads[i]), other, op_number, key < now.block_start, self.did)

    def any_conflict(self, granules: Array, threads: Array, now: Now) -> Conflict | None:
        """The same, also with accesses of earlier blocks that others of this block cover."""
        return self.conflict(granules, threads, now) or (
            self.of_earlier_block(granules, threads, now) if self._across_blocks else None
        )

    def of_earlier_block(self, granules: Array, threads: Array, now: Now) -> Conflict | None:
        """The first access of an earlier block, also where this block accessed the granule since."""
        earlier = self._first_block[granules] < now.block_number
        if not earlier.any():
            return None
        i = int(np.argmax(earlier))
        return Conflict(int(granules[i]), int(threads[i]), None, int(self.op[granules[i]]), True, self.did)


class Shadow:
    """The shadow of one piece of memory; `ordered_by` barriers of blocks, and of subgroups where these exist."""

    def __init__(self, granules: int, *, initialized: bool, races: bool, across_blocks: bool = False):
        self.state = None if initialized else np.full(granules, UNWRITTEN, np.uint8)
        self._complete, self._changed = initialized, False
        self.races = races
        self._granules = granules
        self._across_blocks = across_blocks
        watched = granules if races else 0
        self._writes = _Accesses(watched, "wrote", across_blocks=across_blocks)
        self._reads = _Accesses(watched, "read", across_blocks=across_blocks)
        self._updates: _Accesses | None = None
        """Atomic updates; None before the first."""
        self._narrow_updates: _Accesses | None = None
        """Those among the threads of a block only."""

    def first_not_written(self, granules: Array) -> tuple[int, bool] | None:
        """Which of the granules nobody wrote, by place in the list, and if it is because a copy is in flight."""
        if self.state is None:
            return None
        if self._changed:  # most memory is written whole before it is read, and then needs no look at its parts
            self._complete, self._changed = bool((self.state == WRITTEN).all()), False
        if self._complete:
            return None
        states = self.state[granules]
        bad = states != WRITTEN
        if not bad.any():
            return None
        first = int(np.argmax(bad))
        return first, bool(states[first] == IN_FLIGHT)

    def first_in_flight(self, granules: Array) -> int | None:
        """Which of the granules a copy in flight is going to, by place in the list."""
        if self.state is None or self._complete:
            return None
        bad = self.state[granules] == IN_FLIGHT
        return int(np.argmax(bad)) if bad.any() else None

    def mark(self, granules: Array, state: int) -> None:
        """Say that granules are written, or will be."""
        if self.state is None or (self._complete and state == WRITTEN):
            return
        self.state[granules] = state
        self._complete, self._changed = False, True

    def read(self, granules: Array, threads: Array, now: Now, op_number: int) -> Conflict | None:
        """Note a read; the conflict with an earlier write or update, if any."""
        conflict = self._writes.conflict(granules, threads, now)
        if conflict is None and self._updates is not None:
            conflict = self._updates.any_conflict(granules, threads, now)
        self._reads.add(granules, threads, now, op_number)
        return conflict

    def write(self, granules: Array, threads: Array, now: Now, op_number: int) -> Conflict | None:
        """Note a write; the conflict with an earlier access, or between the lanes of this one, if any."""
        conflict = self._conflict_of_write(granules, threads, now)
        if conflict is None and self._updates is not None:
            conflict = self._updates.any_conflict(granules, threads, now)
        self._writes.put(granules, threads, now, op_number)
        if conflict is None:
            mine = threads + now.epoch_start
            winners = self._writes.last[granules]
            lost = winners != mine
            if lost.any():
                i = int(np.argmax(lost))
                other = int(winners[i] - now.epoch_start)
                conflict = Conflict(int(granules[i]), int(threads[i]), other, op_number, False, "wrote")
        return conflict

    def update(self, granules: Array, threads: Array, now: Now, op_number: int, *, narrow: bool) -> Conflict | None:
        """Note an atomic update; the conflict with an earlier access that is not one, if any.

        Updates do not conflict with each other, unless they are of two blocks and one is `narrow`: among the threads of
        its block only.
        """
        if self._updates is None:
            self._updates, self._narrow_updates = (
                _Accesses(self._granules, "updated", across_blocks=self._across_blocks) for _ in range(2)
            )
        assert self._narrow_updates is not None
        conflict = self._conflict_of_write(granules, threads, now)
        if conflict is None and self._across_blocks:
            others = self._updates if narrow else self._narrow_updates
            conflict = others.of_earlier_block(granules, threads, now)
            conflict = conflict and replace(conflict, narrow=True)
        self._updates.add(granules, threads, now, op_number)
        if narrow:
            self._narrow_updates.add(granules, threads, now, op_number)
        return conflict

    def arrive(self, granules: Array, threads: Array, now: Now, op_number: int) -> None:
        """Note that data of copies, whose start was noted as a write, is there now."""
        if self.races:
            self._writes.put(granules, threads, now, op_number)

    def _conflict_of_write(self, granules: Array, threads: Array, now: Now) -> Conflict | None:
        """The conflict with an earlier plain access."""
        return self._writes.conflict(granules, threads, now) or self._reads.any_conflict(granules, threads, now)


__all__ = ["CODES", "IN_FLIGHT", "UNWRITTEN", "WRITTEN", "Conflict", "Now", "Shadow"]
