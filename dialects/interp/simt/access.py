"""Loads and stores of all lanes at once, with every check: bounds, alignment, initialization, copies in flight, races."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.ir import Operation

from stepwell.dialects.interp.simt.block import ThreadBlock
from stepwell.dialects.interp.simt.memory import Access, MemRef, along, granules_at, granules_of, start_of, window
from stepwell.dialects.interp.simt.reports import ReportKind
from stepwell.dialects.interp.simt.shadow import WRITTEN, Conflict
from stepwell.dialects.interp.simt.values import Array, Mask, Value, as_mask, fitted, is_lanes, spread
from stepwell.ir.diagnostics import Diagnostic, location_of


def locate(
    block: ThreadBlock,
    op: Operation,
    ref: MemRef,
    indices: Sequence[Value],
    spans: tuple[int, ...] = (),
    mask: Mask | None = None,
    may_leave: tuple[bool, ...] = (),
) -> Access:
    """Where `ref[indices]`, or the vector of shape `spans` that begins there, lies; what is outside is left out.

    `mask` leaves elements of the vector out. Along dimensions that it `may_leave` an outside element is left out too,
    silently; along all others it is reported.
    """
    access = Access(ref, spans, window(ref, start_of(ref, indices), spans), mask)
    lead = len(ref.shape) - len(spans)
    for dim, (index, extent) in enumerate(zip(indices, ref.shape, strict=True)):
        axis = dim - lead
        count = spans[axis] if axis >= 0 else 1
        if _fits(block, index, extent - count):
            continue
        inside = _inside(index, extent, axis if count > 1 else -1, spans)
        if not (axis >= 0 and may_leave and may_leave[axis]):
            _report_outside(block, op, access, inside, dim, index, extent)
        access.mask = inside if access.mask is None else access.mask & inside
    return access


def _fits(block: ThreadBlock, index: Value, last: Value) -> bool:
    """True when 0 <= index <= last in every active lane."""
    if isinstance(index, np.ndarray) and isinstance(last, int) and index.dtype == np.int64:
        if last < 0:
            return False
        fits = index.view(np.uint64) <= last  # a negative index is a large one
    else:
        fits = (index >= 0) & (index <= last)
        if not isinstance(fits, np.ndarray):
            return bool(fits)
    return bool(fits.all()) or (block.active is not None and bool((fits | ~block.active).all()))


def _inside(index: Value, extent: Value, axis: int, spans: tuple[int, ...]) -> Mask:
    """Per element of the vector whether it is inside along one dimension."""
    rank = len(spans)

    def shaped(value: Value) -> Value:
        return as_mask(value, rank) if is_lanes(value) else value

    place = shaped(index) + (along(spans[axis], axis, rank) if axis >= 0 else np.zeros((1,) * rank, np.int64))
    return (place >= 0) & (place < shaped(extent))


def _report_outside(
    block: ThreadBlock, op: Operation, access: Access, inside: Mask, dim: int, index: Value, extent: Value
) -> None:
    enabled = access.enabled(block.active)
    shape = (block.count, *access.spans)
    outside = np.broadcast_to(~inside if enabled is None else enabled & ~inside, shape)
    lanes = np.flatnonzero(outside.reshape(block.count, -1).any(axis=1))
    if not lanes.size:
        return
    first = int(lanes[0])
    at, size = (int(spread(v, 0, block.count)[first]) for v in (index, extent))
    what = f"index {at}" if not access.spans else f"a vector of shape {list(access.spans)} at index {at}"
    message = f"thread {first} accesses {access.ref.memory.name} with {what} of dimension {dim}, whose extent is {size}"
    block.report(ReportKind.OUT_OF_BOUNDS, op, message, lanes)


def check_alignment(block: ThreadBlock, op: Operation, access: Access, alignment: int) -> None:
    """Report addresses of first elements that are no multiple of `alignment` bytes."""
    rank = len(access.spans)
    first = (slice(None),) * is_lanes(access.positions, rank) + (0,) * rank
    starts = np.asarray(access.positions)[first] if first else np.asarray(access.positions)
    addresses = starts * access.ref.dtype.itemsize + access.ref.memory.skew
    wrong = np.broadcast_to(addresses % alignment != 0, (block.count,))
    enabled = access.enabled(block.active)
    if enabled is not None:
        touched = np.broadcast_to(enabled, (block.count, *access.spans)).reshape(block.count, -1).any(axis=1)
        wrong = wrong & touched
    if wrong.any():
        lanes = np.flatnonzero(wrong)
        address = int(np.broadcast_to(addresses, (block.count,))[lanes[0]])
        message = (
            f"thread {lanes[0]} accesses byte {address} of {access.ref.memory.name}, "
            f"which is no multiple of {alignment} bytes"
        )
        block.report(ReportKind.MISALIGNED, op, message, lanes)


def load(block: ThreadBlock, op: Operation, access: Access, padding: Value = 0) -> Value:
    """The elements of an access, `padding` where one is left out; uniform when all lanes read the same."""
    ref, rank = access.ref, len(access.spans)
    enabled = access.enabled(block.active)
    if ref.memory.shadow is not None:
        _check_read(block, op, access, enabled)
    cells = ref.memory.typed(ref.dtype)
    if access.is_uniform:
        return _load_uniform(cells, access, padding)
    if not cells.size:
        return spread(np.broadcast_to(np.asarray(padding, ref.dtype), access.spans), rank, block.count)
    shape = (block.count, *access.spans)
    positions = access.positions if enabled is None else np.where(enabled, access.positions, 0)
    values = cells[fitted(positions, shape)]
    values = values != 0 if ref.dtype == np.bool_ else values
    if access.mask is not None:
        filler = np.asarray(padding, ref.dtype)
        filler = as_mask(filler, rank) if is_lanes(padding) else filler
        values = np.where(access.mask, values, filler)
    return values


def _load_uniform(cells: Array, access: Access, padding: Value) -> Value:
    dtype = access.ref.dtype
    if access.mask is None:
        values = cells[access.positions]
    elif not cells.size or not access.mask.any():
        values = np.broadcast_to(np.asarray(padding, dtype), access.spans)
    else:
        values = np.where(access.mask, cells[np.where(access.mask, access.positions, 0)], padding)
    values = np.asarray(values != 0 if dtype == np.bool_ else values).astype(dtype, copy=False)
    return values if access.spans else values[()]


def store(block: ThreadBlock, op: Operation, access: Access, values: Value) -> None:
    """Write the elements of an access."""
    ref, rank = access.ref, len(access.spans)
    enabled = access.enabled(block.active)
    if not ref.memory.writable:
        block.report(ReportKind.READ_ONLY, op, f"stores into {ref.memory.name}", block.active_threads())
        return
    if ref.memory.shadow is not None:
        _check_write(block, op, access, enabled)
    cells = ref.memory.typed(ref.dtype)
    shape = (block.count, *access.spans)
    positions = fitted(access.positions, shape)
    spread_values = spread(values, rank, block.count)
    if enabled is None:
        cells[positions] = spread_values
    else:
        chosen = fitted(enabled, shape)
        cells[positions[chosen]] = spread_values[chosen]


def _check_read(block: ThreadBlock, op: Operation, access: Access, enabled: Mask | None) -> None:
    memory = access.ref.memory
    shadow = memory.shadow
    assert shadow is not None
    if not shadow.races and shadow.state is None:
        return
    granules, threads = granules_of(access, enabled, block.threads, block.count)
    if not granules.size:
        return
    check_written(block, op, access.ref, granules, threads)
    if shadow.races:
        report_race(block, op, access.ref, shadow.read(granules, threads, block.now, block.launch.numbers[op]), "reads")


def check_written(block: ThreadBlock, op: Operation, ref: MemRef, granules: Array, threads: Array) -> None:
    """Report a read of what nobody wrote, or of what is still being copied."""
    memory = ref.memory
    assert memory.shadow is not None
    missing = memory.shadow.first_not_written(granules)
    if missing is None:
        return
    place, in_flight = missing
    thread = int(threads[place])
    where = f"thread {thread} reads byte {int(granules[place]) * memory.granule} of {memory.name}"
    if in_flight:
        message = f"{where}, to which an asynchronous copy is under way that nobody waited for"
        block.report(ReportKind.ASYNC_PENDING, op, message, [thread], _copies_into(block, ref, int(granules[place])))
    else:
        block.report(ReportKind.UNINITIALIZED, op, f"{where}, which nobody wrote", [thread])


def _copies_into(block: ThreadBlock, ref: MemRef, granule: int) -> list[Diagnostic]:
    """Notes at the copies in flight that reach a granule."""
    notes: list[Diagnostic] = []
    for copy in block.copies:
        if copy.ref.memory is ref.memory and bool((granules_at(copy.ref, copy.positions.reshape(-1)) == granule).any()):
            notes.append(Diagnostic("note", location_of(copy.op), f"the copy: '{copy.op.name}'"))
    return notes


def _check_write(block: ThreadBlock, op: Operation, access: Access, enabled: Mask | None) -> None:
    granules, threads = granules_of(access, enabled, block.threads, block.count)
    check_overwrite(block, op, access.ref, granules, threads, WRITTEN)


def check_overwrite(
    block: ThreadBlock, op: Operation, ref: MemRef, granules: Array, threads: Array, state: int
) -> None:
    """Report a write to where a copy is under way, or a race; then note the write, done (`WRITTEN`) or `IN_FLIGHT`."""
    shadow = ref.memory.shadow
    if shadow is None or not granules.size:
        return
    _check_arrived(block, op, ref, granules, threads)
    if shadow.races:
        report_race(block, op, ref, shadow.write(granules, threads, block.now, block.launch.numbers[op]), "writes")
    shadow.mark(granules, state)


def _check_arrived(block: ThreadBlock, op: Operation, ref: MemRef, granules: Array, threads: Array) -> None:
    """Report a write to where a copy is under way."""
    memory = ref.memory
    assert memory.shadow is not None
    pending = memory.shadow.first_in_flight(granules)
    if pending is not None:
        thread, byte = int(threads[pending]), int(granules[pending]) * memory.granule
        message = f"thread {thread} writes byte {byte} of {memory.name}, to which an asynchronous copy is under way"
        block.report(ReportKind.ASYNC_PENDING, op, message, [thread], _copies_into(block, ref, int(granules[pending])))


def check_update(block: ThreadBlock, op: Operation, access: Access, *, reads: bool, narrow: bool) -> None:
    """Report an atomic update of what nobody wrote (when it `reads`), of what is being copied, or a race; then note it.

    A `narrow` update is atomic among the threads of its block only.
    """
    ref = access.ref
    shadow = ref.memory.shadow
    if shadow is None:
        return
    granules, threads = granules_of(access, access.enabled(block.active), block.threads, block.count)
    if not granules.size:
        return
    if reads:
        check_written(block, op, ref, granules, threads)
    else:
        _check_arrived(block, op, ref, granules, threads)
    if shadow.races:
        conflict = shadow.update(granules, threads, block.now, block.launch.numbers[op], narrow=narrow)
        report_race(block, op, ref, conflict, "updates")
    shadow.mark(granules, WRITTEN)


def report_race(block: ThreadBlock, op: Operation, ref: MemRef, conflict: Conflict | None, verb: str) -> None:
    """Report two accesses that nothing orders."""
    if conflict is None:
        return
    memory = ref.memory
    kind = ReportKind.SHARED_RACE if memory.space == "workgroup" else ReportKind.GLOBAL_RACE
    did = conflict.did
    who = "other threads" if conflict.other is None else f"thread {conflict.other}"
    if conflict.other_block:
        who = f"{who} of another block"
        why = "one of them among the threads of a block only" if conflict.narrow else "nothing orders blocks"
    else:
        why = "without a barrier between"
    message = f"thread {conflict.thread} {verb} byte {conflict.granule * memory.granule} of {memory.name}, which {who} {did}, {why}"
    threads = [conflict.thread] if conflict.other is None or conflict.other_block else [conflict.thread, conflict.other]
    block.report(kind, op, message, threads, [block.op_note(conflict.op_number, f"{who} {did} it here")])


__all__ = [
    "check_alignment",
    "check_overwrite",
    "check_update",
    "check_written",
    "load",
    "locate",
    "report_race",
    "store",
]
