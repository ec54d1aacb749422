"""Asynchronous copies into shared memory: what a thread copies arrives when that thread waits for its group.

Until then both a read and another write of the destination are reported. What arrived is, to the other threads, written
by the one that waited, at the time of the wait: they need a barrier, as on the machine.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.ir import Operation

from stepwell.dialects.interp.simt.access import check_alignment, check_overwrite, load, locate
from stepwell.dialects.interp.simt.block import Copies, ThreadBlock
from stepwell.dialects.interp.simt.memory import MemRef, granules_at, granules_of
from stepwell.dialects.interp.simt.program import Builder, Prepare, Run
from stepwell.dialects.interp.simt.reports import ReportKind
from stepwell.dialects.interp.simt.shadow import IN_FLIGHT, WRITTEN
from stepwell.dialects.interp.simt.values import Array, Mask, Value, is_lanes
from stepwell.dialects.nvgpu import DeviceAsyncCopyOp, DeviceAsyncWaitOp


def _copy(op: Operation, builder: Builder) -> Run:
    del builder
    assert isinstance(op, DeviceAsyncCopyOp)
    count, width = op.elements, op.bytes
    first = len(op.src_indices)
    last = first + 1 + len(op.dst_indices)

    def run(block: ThreadBlock, source: MemRef, *args: Value) -> Sequence[Value]:
        target: MemRef = args[first]
        wanted = args[last] if len(args) > last else count
        mask = _elements_read(block, op, wanted, count)
        origin = locate(block, op, source, args[:first], (count,), mask)
        place = locate(block, op, target, args[first + 1 : last], (count,))
        for access in (origin, place):
            check_alignment(block, op, access, width)
        values = np.broadcast_to(load(block, op, origin, 0), (block.count, count))
        enabled = place.enabled(block.active)
        granules, threads = granules_of(place, enabled, block.threads, block.count)
        check_overwrite(block, op, target, granules, threads, IN_FLIGHT)
        whole = np.ones(block.count, np.bool_)
        if enabled is not None:
            whole = np.broadcast_to(enabled, (block.count, count)).all(axis=1)
        positions = np.broadcast_to(place.positions, (block.count, count))
        groups = np.full(int(whole.sum()), -1, np.int64)
        block.copies.append(Copies(op, target, block.threads[whole], positions[whole], values[whole], groups))
        return (None,)

    return run


def _elements_read(block: ThreadBlock, op: Operation, wanted: Value, count: int) -> Mask | None:
    """Which elements are read from the source; the others are zero."""
    numbers = np.asarray(wanted)
    wrong = (numbers < 0) | (numbers > count)
    if wrong.any() and (block.active is None or np.any(wrong & block.active)):
        lanes = np.flatnonzero(
            np.broadcast_to(wrong, (block.count,)) & (True if block.active is None else block.active)
        )
        message = f"thread {lanes[0]} reads {numbers[wrong].flat[0]} of the {count} elements it copies"
        block.report(ReportKind.OUT_OF_BOUNDS, op, message, lanes)
    if not is_lanes(wanted):
        return None if wanted >= count else np.arange(count) < wanted
    return np.arange(count) < numbers[:, None]


def _create_group(op: Operation, builder: Builder) -> Run:
    del op, builder

    def run(block: ThreadBlock, *tokens: Value) -> Sequence[Value]:
        for copy in block.copies:
            mine = copy.groups < 0
            if block.active is not None:
                mine &= block.active[copy.threads]
            copy.groups = np.where(mine, block.groups[copy.threads], copy.groups)
        block.groups = block.groups + (1 if block.active is None else block.active)
        return (None,)

    return run


def _wait(op: Operation, builder: Builder) -> Run:
    del builder
    assert isinstance(op, DeviceAsyncWaitOp)
    pending = op.pending

    def run(block: ThreadBlock, *group: Value) -> Sequence[Value]:
        left: list[Copies] = []
        for copy in block.copies:
            done = (copy.groups >= 0) & (copy.groups < block.groups[copy.threads] - pending)
            if block.active is not None:
                done &= block.active[copy.threads]
            if done.any():
                _arrive(block, op, copy.take(done))
            if not done.all():
                left.append(copy.take(~done))
        block.copies = left
        return ()

    return run


def _arrive(block: ThreadBlock, op: Operation, copy: Copies) -> None:
    """The data lands, as a write of the waiting threads."""
    memory = copy.ref.memory
    memory.typed(copy.ref.dtype)[copy.positions] = copy.values
    if memory.shadow is None:
        return
    granules = granules_at(copy.ref, copy.positions.reshape(-1))
    threads: Array = np.repeat(copy.threads, granules.size // copy.threads.size)
    memory.shadow.arrive(granules, threads, block.now, block.launch.numbers[op])
    memory.shadow.mark(granules, WRITTEN)


def check_all_arrived(block: ThreadBlock) -> None:
    """Report copies in flight at the end of the block."""
    for copy in block.copies:
        if copy.threads.size:
            what = "is in no group" if (copy.groups < 0).all() else "was never waited for"
            message = f"a copy of thread {copy.threads[0]} {what} when the kernel ends"
            block.report(ReportKind.ASYNC_NEVER_AWAITED, copy.op, message, copy.threads)


RULES: dict[str, Prepare] = {
    "nvgpu.device_async_copy": _copy,
    "nvgpu.device_async_create_group": _create_group,
    "nvgpu.device_async_wait": _wait,
}
