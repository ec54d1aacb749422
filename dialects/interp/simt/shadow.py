"""Who touched which byte when: the memory beside the memory that finds races and reads of what nobody wrote.

Memory is watched in granules, the smallest element that the kernel accesses it by. Time is counted in epochs, one more at
each barrier of a block and at each new block. An access is a number, `epoch * CODES + thread`; so the accesses of this
epoch are those not below `epoch * CODES`, and those of other blocks lie below the block's first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

CODES = 2048
"""Codes within an epoch: threads, then groups of threads."""
_SUBGROUP_CODE = 1024
"""Code of several lanes of subgroup 0; the next are those of the next subgroups."""
_MANY = 2047
"""Code of threads of several subgroups."""
_SUBGROUP = 32

UNWRITTEN, WRITTEN, IN_FLIGHT = 0, 1, 2


@dataclass(frozen=True)
class Now:
    """The time of accesses: where this epoch and this block began, and the subgroups' own barriers."""

    epoch_start: int
    block_start: int
    block_number: int
    subgroup_clock: Array | None
    """Barriers each subgroup has passed; None in kernels without barriers of subgroups."""


@dataclass(frozen=True)
class Conflict:
    """Two accesses without order between: the later is by `thread`, the earlier by `other` (None: several) of `op`."""

    granule: int
    thread: int
    other: int | None
    op_number: int
    other_block: bool
    other_wrote: bool


class Shadow:
    """The shadow of one piece of memory; `ordered_by` barriers of blocks, and of subgroups where these exist."""

    def __init__(self, granules: int, *, initialized: bool, races: bool, across_blocks: bool = False):
        self.state = None if initialized else np.full(granules, UNWRITTEN, np.uint8)
        self._complete, self._changed = initialized, False
        self.races = races
        self._granules = granules
        self._across_blocks = across_blocks
        self._writer, self._writer_op, self._writer_clock = self._empty()
        self._reader, self._reader_op, self._reader_clock = self._empty()
        self._first_reader = np.full(granules if across_blocks and races else 0, np.iinfo(np.int64).max, np.int64)

    def _empty(self) -> tuple[Array, Array, Array]:
        count = self._granules if self.races else 0
        return np.full(count, -1, np.int64), np.zeros(count, np.int32), np.zeros(count, np.int32)

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
        """Note a read; the conflict with an earlier write, if any."""
        mine = threads + now.epoch_start
        conflict = self._conflict(self._writer, self._writer_clock, self._writer_op, granules, threads, now, True)
        self._note_read(granules, threads, mine, now, op_number)
        return conflict

    def write(self, granules: Array, threads: Array, now: Now, op_number: int) -> Conflict | None:
        """Note a write; the conflict with an earlier access, or between the lanes of this one, if any."""
        mine = threads + now.epoch_start
        conflict = self._conflict(self._writer, self._writer_clock, self._writer_op, granules, threads, now, True)
        if conflict is None:
            conflict = self._conflict(self._reader, self._reader_clock, self._reader_op, granules, threads, now, False)
        if conflict is None and self._across_blocks:
            conflict = self._read_by_earlier_block(granules, threads, now)
        self._writer[granules] = mine
        self._writer_op[granules] = op_number
        if now.subgroup_clock is not None:
            self._writer_clock[granules] = now.subgroup_clock[threads // _SUBGROUP]
        if conflict is None:
            winners = self._writer[granules]
            lost = winners != mine
            if lost.any():
                i = int(np.argmax(lost))
                other = int(winners[i] - now.epoch_start)
                conflict = Conflict(int(granules[i]), int(threads[i]), other, op_number, False, True)
        return conflict

    def arrive(self, granules: Array, threads: Array, now: Now, op_number: int) -> None:
        """Note that data of copies, whose start was noted as a write, is there now."""
        if self.races:
            self._writer[granules] = threads + now.epoch_start
            self._writer_op[granules] = op_number
            if now.subgroup_clock is not None:
                self._writer_clock[granules] = now.subgroup_clock[threads // _SUBGROUP]

    def _conflict(
        self, last: Array, clocks: Array, ops: Array, granules: Array, threads: Array, now: Now, other_wrote: bool
    ) -> Conflict | None:
        """The first access of another thread that nothing orders before this one."""
        keys = last[granules]
        unordered = (keys >= now.epoch_start) & (keys != threads + now.epoch_start)
        if self._across_blocks:
            unordered |= (keys < now.block_start) & (keys >= 0)
        if now.subgroup_clock is not None and unordered.any():
            unordered &= ~self._ordered_by_subgroup(keys - now.epoch_start, clocks[granules], threads, now)
        if not unordered.any():
            return None
        i = int(np.argmax(unordered))
        key = int(keys[i])
        code = key % CODES
        other = code if code < _SUBGROUP_CODE else None
        return Conflict(
            int(granules[i]), int(threads[i]), other, int(ops[granules[i]]), key < now.block_start, other_wrote
        )

    @staticmethod
    def _subgroups(codes: Array) -> Array:
        """The subgroup of a code; -1 for several and for codes of other epochs."""
        groups = np.where(codes >= _SUBGROUP_CODE, codes - _SUBGROUP_CODE, codes // _SUBGROUP)
        return np.where((codes < 0) | (codes == _MANY), -1, groups)

    def _ordered_by_subgroup(self, codes: Array, clocks: Array, threads: Array, now: Now) -> Array:
        """Accesses of this epoch by lanes of one's own subgroup, before the subgroup's last barrier."""
        assert now.subgroup_clock is not None
        mine = threads // _SUBGROUP
        return (self._subgroups(codes) == mine) & (clocks < now.subgroup_clock[mine])

    def _note_read(self, granules: Array, threads: Array, mine: Array, now: Now, op_number: int) -> None:
        before = self._reader[granules]
        forgotten = before < now.epoch_start
        if now.subgroup_clock is not None:
            clocks = self._reader_clock[granules]
            forgotten |= self._ordered_by_subgroup(before - now.epoch_start, clocks, threads, now)
        self._reader[granules] = mine
        self._reader_op[granules] = op_number
        winner = self._reader[granules]
        several = (winner != mine) | (~forgotten & (before != mine))
        if several.any():
            self._note_several(granules, threads, several, forgotten, before, winner, now)
        if now.subgroup_clock is not None:
            self._reader_clock[granules] = now.subgroup_clock[threads // _SUBGROUP]
        if self._across_blocks:
            self._first_reader[granules] = np.minimum(self._first_reader[granules], now.block_number)

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
        """Granules read by more than one thread: of one subgroup (where that matters) or of any."""
        if now.subgroup_clock is None:
            self._reader[granules[several]] = now.epoch_start + _MANY
            return
        group = threads // _SUBGROUP
        same = self._subgroups(winner - now.epoch_start) == group
        same &= forgotten | (self._subgroups(before - now.epoch_start) == group)
        self._reader[granules[several]] = now.epoch_start + _SUBGROUP_CODE + group[several]
        self._reader[granules[several & ~same]] = now.epoch_start + _MANY

    def _read_by_earlier_block(self, granules: Array, threads: Array, now: Now) -> Conflict | None:
        earlier = self._first_reader[granules] < now.block_number
        if not earlier.any():
            return None
        i = int(np.argmax(earlier))
        return Conflict(int(granules[i]), int(threads[i]), None, int(self._reader_op[granules[i]]), True, False)


__all__ = ["CODES", "IN_FLIGHT", "UNWRITTEN", "WRITTEN", "Conflict", "Now", "Shadow"]
