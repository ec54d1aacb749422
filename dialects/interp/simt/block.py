"""The state of one running thread block: who it is, which threads are active, the time, its copies in flight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from xdsl.ir import Operation

from stepwell.dialects.interp.simt.memory import Memory, MemRef
from stepwell.dialects.interp.simt.program import Body
from stepwell.dialects.interp.simt.reports import ReportKind, Reports, SimulationError
from stepwell.dialects.interp.simt.shadow import CODES, Now, Shadow
from stepwell.dialects.interp.simt.values import Array, Mask, Value
from stepwell.ir.diagnostics import Diagnostic, location_of
from stepwell.ir.interpreter import InterpreterError

SUBGROUP = 32
"""Lanes of a subgroup where the module names no machine, and of one with a matrix unit."""
POISON = 0xFF
"""Each byte of memory that nobody wrote: NaN as floats, -1 as integers."""
_NAMED_THREADS = 32
"""Threads that a report lists."""

Dims = tuple[int, int, int]


@dataclass
class LaunchState:
    """What the blocks of one launch share."""

    grid: Dims
    block: Dims
    shared_bytes: int
    check: bool
    reports: Reports
    ops: tuple[Operation, ...]
    numbers: dict[Operation, int]
    """Where each op stands in `ops`."""
    granules: dict[str, int]
    """Per memory space the smallest element that the kernel accesses."""
    has_subgroup_barriers: bool
    subgroup: int = SUBGROUP
    """Lanes of a subgroup."""
    epoch: int = 0
    constants: dict[Operation, MemRef] = field(default_factory=dict[Operation, MemRef])

    def watch(self, memory: Memory) -> None:
        """Give memory the shadow its space asks for."""
        if not self.check:
            return
        granule = self.granules.get(memory.space, 1)
        count = -(-memory.data.size // granule)
        if memory.space == "global":
            memory.watch(granule, Shadow(count, initialized=True, races=True, across_blocks=True))
        else:
            memory.watch(granule, Shadow(count, initialized=False, races=memory.space == "workgroup"))


@dataclass
class Copies:
    """Rows of an asynchronous copy in flight: one a thread, until that thread waits for its group."""

    op: Operation
    ref: MemRef
    threads: Array
    positions: Array
    values: Array
    groups: Array
    """The group of each row; -1 before it is closed."""

    def take(self, rows: Mask) -> Copies:
        """The rows of a mask."""
        return Copies(self.op, self.ref, self.threads[rows], self.positions[rows], self.values[rows], self.groups[rows])


class ThreadBlock:
    """One block of threads, run from the first op to the last."""

    def __init__(self, launch: LaunchState, index: Dims, number: int, frame_size: int):
        self.launch = launch
        self.index = index
        self.number = number
        self.count = launch.block[0] * launch.block[1] * launch.block[2]
        self.threads: Array = np.arange(self.count)
        self.subgroup = launch.subgroup
        self.active: Mask | None = None
        """The threads that execute the current op; None for all."""
        self.frame: list[Value] = [None] * frame_size
        self.dynamic_shared: Memory | None = None
        self.copies: list[Copies] = []
        self.groups: Array = np.zeros(self.count, np.int64)
        """Groups of copies each thread has closed."""
        self._subgroup_clock = (
            np.zeros(-(-self.count // self.subgroup), np.int32)
            if launch.has_subgroup_barriers and launch.check
            else None
        )
        launch.epoch += 1
        start = launch.epoch * CODES
        self.now = Now(start, start, number, self._subgroup_clock, self.subgroup)
        """The time, as shadows count it."""

    @property
    def active_count(self) -> int:
        """How many threads are active."""
        return self.count if self.active is None else int(np.count_nonzero(self.active))

    def next_epoch(self) -> None:
        """All threads met: what any did before comes before what any does from now on."""
        self.launch.epoch += 1
        self.now = replace(self.now, epoch_start=self.launch.epoch * CODES)

    def next_subgroup_epoch(self, subgroups: Mask) -> None:
        """The lanes of some subgroups met."""
        if self._subgroup_clock is not None:
            self._subgroup_clock = self._subgroup_clock + subgroups
            self.now = replace(self.now, subgroup_clock=self._subgroup_clock)

    def run(self, body: Body, values: Sequence[Value] = ()) -> tuple[Value, ...]:
        """Run a body under the current mask; returns what its terminator passes on.

        Raises:
            SimulationError: the kernel is wrong.
        """
        frame = self.frame
        for slot, value in zip(body.arguments, values, strict=True):
            frame[slot] = value
        for step in body.steps:
            try:
                results = step.run(self, *[frame[s] for s in step.operands])
            except InterpreterError as error:
                if error.op is not step.op:
                    raise
                message = str(error).removeprefix(f"{step.op.name}: ")
                raise self.error(ReportKind.UNDEFINED, step.op, message, self.active_threads()) from None
            for slot, value in zip(step.results, results, strict=True):
                frame[slot] = value
        return tuple([frame[s] for s in body.outputs])

    def run_under(self, mask: Mask, body: Body, values: Sequence[Value] = ()) -> tuple[Value, ...]:
        """Run a body with only some of the active threads."""
        saved = self.active
        self.active = mask
        results = self.run(body, values)
        self.active = saved
        return results

    def error(
        self,
        kind: ReportKind,
        op: Operation,
        message: str,
        threads: Sequence[int] | Array = (),
        notes: Sequence[Diagnostic] = (),
    ) -> SimulationError:
        """A report about some threads of this block."""
        listed = tuple(int(t) for t in threads[:_NAMED_THREADS])
        return SimulationError(kind, op, message, block=self.index, threads=listed, notes=notes)

    def report(
        self,
        kind: ReportKind,
        op: Operation,
        message: str,
        threads: Sequence[int] | Array = (),
        notes: Sequence[Diagnostic] = (),
    ) -> None:
        """Report, and go on when reports are collected."""
        self.launch.reports.add(self.error(kind, op, message, threads, notes))

    def active_threads(self) -> Array:
        """The numbers of the active threads."""
        return self.threads if self.active is None else np.flatnonzero(self.active)

    def op_note(self, number: int, text: str) -> Diagnostic:
        """A note at another op of the kernel."""
        op = self.launch.ops[number]
        return Diagnostic("note", location_of(op), f"{text}: '{op.name}'")


def poisoned(size: int) -> np.ndarray[Any, np.dtype[Any]]:
    """Bytes that nobody wrote."""
    return np.full(size, POISON, np.uint8)


__all__ = ["POISON", "SUBGROUP", "Copies", "Dims", "LaunchState", "ThreadBlock", "poisoned"]
