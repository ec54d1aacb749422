"""What threads do together: barriers and fences, shuffles, votes, reductions over subgroups and blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Operation

from stepwell.dialects.gpu import AllReduceOp, MatchOp, ShuffleMode, ShuffleOp, SubgroupReduceOp, VoteMode, VoteOp
from stepwell.dialects.interp.simt.block import ThreadBlock
from stepwell.dialects.interp.simt.program import Builder, Prepare, Run
from stepwell.dialects.interp.simt.reports import ReportKind
from stepwell.dialects.interp.simt.values import Array, Mask, Value, is_lanes, rank_of, spread
from stepwell.dialects.interp.vector import COMBINE, fold


def by_subgroup(lanes: Array, size: int) -> Array:
    """Lanes as (subgroup, lane), `size` a subgroup; lanes that the last subgroup lacks are zero."""
    missing = -lanes.shape[0] % size
    if missing:
        lanes = np.concatenate([lanes, np.zeros((missing, *lanes.shape[1:]), lanes.dtype)])
    return lanes.reshape(-1, size, *lanes.shape[1:])


def by_thread(lanes: Array, count: int) -> Array:
    """The inverse of `by_subgroup`."""
    return lanes.reshape(-1, *lanes.shape[2:])[:count]


def present_subgroups(block: ThreadBlock) -> Mask:
    """Which subgroups have an active lane."""
    active = np.ones(block.count, np.bool_) if block.active is None else block.active
    return np.logical_or.reduce(by_subgroup(active, block.subgroup), axis=1)


def _stragglers(block: ThreadBlock) -> Array:
    """Threads that are not active although another lane of their subgroup is."""
    if block.active is None:
        return np.empty(0, np.int64)
    here = present_subgroups(block)
    return np.flatnonzero(~block.active & here[block.threads // block.subgroup])


def check_whole_subgroups(block: ThreadBlock, op: Operation, *, all_lanes: bool = False) -> None:
    """Report subgroups of which only some lanes are here; with `all_lanes` also one the block has only in part."""
    missing = _stragglers(block)
    if missing.size:
        subgroup = int(missing[0]) // block.subgroup
        lost = missing[missing // block.subgroup == subgroup]
        message = f"executed by a part of subgroup {subgroup}: thread {lost[0]} and {lost.size - 1} more are not there"
        block.report(ReportKind.PARTIAL_SUBGROUP, op, message, lost)
    last = block.count // block.subgroup * block.subgroup
    if all_lanes and last != block.count and (block.active is None or block.active[last:].any()):
        message = (
            f"executed by subgroup {last // block.subgroup}, of which the block has {block.count - last} lanes only"
        )
        block.report(ReportKind.PARTIAL_SUBGROUP, op, message, range(last, block.count))


def check_whole_block(block: ThreadBlock, op: Operation) -> None:
    """Report a block of which only some threads are here."""
    if block.active is None or block.active.all():
        return
    missing = np.flatnonzero(~block.active)
    message = (
        f"reached by {block.active_count} of {block.count} threads; thread {missing[0]} "
        f"{f'and {missing.size - 1} more take' if missing.size > 1 else 'takes'} another way"
    )
    block.report(ReportKind.DIVERGENT_BARRIER, op, message, missing)


def _barrier(op: Operation, builder: Builder) -> Run:
    del builder

    def run(block: ThreadBlock) -> Sequence[Value]:
        check_whole_block(block, op)
        block.next_epoch()
        return ()

    return run


def _subgroup_barrier(op: Operation, builder: Builder) -> Run:
    del builder

    def run(block: ThreadBlock) -> Sequence[Value]:
        missing = _stragglers(block)
        if missing.size:
            message = (
                f"reached by a part of subgroup {missing[0] // block.subgroup}: thread {missing[0]} takes another way"
            )
            block.report(ReportKind.DIVERGENT_BARRIER, op, message, missing)
        block.next_subgroup_epoch(present_subgroups(block))
        return ()

    return run


def _fence(op: Operation, builder: Builder) -> Run:
    """Nothing: threads here see each other's accesses at once, and what a fence orders is not followed."""
    del op, builder
    return lambda block: ()


def _shuffle_sources(mode: ShuffleMode, threads: Array, lanes: int, offset: Value, width: Value) -> tuple[Array, Mask]:
    """The thread each lane reads, and whether that is within its segment."""
    lane = threads % lanes
    offset, width = np.asarray(offset, np.int64), np.asarray(width, np.int64)
    first = lane - lane % width
    match mode:
        case ShuffleMode.XOR:
            source = lane ^ offset
        case ShuffleMode.UP:
            source = lane - offset
        case ShuffleMode.DOWN:
            source = lane + offset
        case ShuffleMode.IDX:
            source = first + offset
    valid = (source >= first) & (source < first + width)
    return np.where(valid, threads - lane + source, threads), valid


def _shuffle(op: Operation, builder: Builder) -> Run:
    del builder
    assert isinstance(op, ShuffleOp)
    mode, rank = op.mode.data, rank_of(op.value.type)

    def run(block: ThreadBlock, value: Value, offset: Value, width: Value) -> Sequence[Value]:
        _check_width(block, op, width)
        source, valid = _shuffle_sources(mode, block.threads, block.subgroup, offset, width)
        source = _check_sources(block, op, source)
        if not is_lanes(value, rank):
            return value, valid
        return value[source], valid

    return run


def _check_width(block: ThreadBlock, op: Operation, width: Value) -> None:
    widths = np.asarray(width)
    wrong = (widths < 1) | (widths > block.subgroup) | (widths & (widths - 1) != 0)
    if wrong.any() and (block.active is None or np.any(wrong & block.active)):
        message = f"the width {widths[wrong].flat[0]} is no power of two up to {block.subgroup}"
        raise block.error(ReportKind.UNDEFINED, op, message, block.active_threads())


def _check_sources(block: ThreadBlock, op: Operation, source: Array) -> Array:
    """Report lanes that read one that is not there; they get their own value."""
    inside = source < block.count
    there = inside if block.active is None else inside & block.active[np.where(inside, source, 0)]
    lost = ~there if block.active is None else ~there & block.active
    if lost.any():
        readers = np.flatnonzero(lost)
        message = f"thread {readers[0]} reads the value of thread {source[readers[0]]}, which is not active"
        block.report(ReportKind.INACTIVE_LANE, op, message, readers)
    else:
        check_whole_subgroups(block, op)
    return np.where(there, source, block.threads)


def _subgroup_reduce(op: Operation, builder: Builder) -> Run:
    """In the order of a butterfly: each lane with its partner half a subgroup away, then a quarter, and so on."""
    del builder
    assert isinstance(op, SubgroupReduceOp)
    combine, rank = COMBINE[op.kind.data.value], rank_of(op.value.type)

    def run(block: ThreadBlock, value: Value) -> Sequence[Value]:
        check_whole_subgroups(block, op, all_lanes=True)
        total = by_subgroup(spread(value, rank, block.count), block.subgroup)
        dtype = total.dtype
        with np.errstate(all="ignore"):
            distance = block.subgroup // 2
            while distance:
                other = total[:, np.arange(block.subgroup) ^ distance]
                total = np.asarray(combine(total, other), dtype)
                distance //= 2
        return (by_thread(total, block.count),)

    return run


def _all_reduce(op: Operation, builder: Builder) -> Run:
    del builder
    assert isinstance(op, AllReduceOp)
    kind, rank = op.kind.data.value, rank_of(op.value.type)

    def run(block: ThreadBlock, value: Value) -> Sequence[Value]:
        check_whole_block(block, op)
        lanes = spread(value, rank, block.count)
        here = lanes if block.active is None else lanes[block.active]
        total = np.asarray(fold(kind, here, 0), lanes.dtype)
        return (total if rank else total[()],)

    return run


def _there(block: ThreadBlock) -> Mask:
    """Which lanes of each subgroup are active."""
    return by_subgroup(np.ones(block.count, np.bool_) if block.active is None else block.active, block.subgroup)


def _masks(block: ThreadBlock, op: Operation, lanes: Mask) -> Array:
    """Booleans of lanes, along the last axis, as bits of the first result."""
    kind = op.results[0].type
    assert isinstance(kind, IntegerType)
    bits = kind.width.data
    if bits < block.subgroup:
        message = f"a mask of {bits} bits of the {block.subgroup} lanes of a subgroup"
        raise block.error(ReportKind.UNDEFINED, op, message, block.active_threads())
    masks = (lanes.astype(np.uint64) << np.arange(block.subgroup, dtype=np.uint64)).sum(axis=-1, dtype=np.uint64)
    return masks.astype(f"u{bits // 8}").view(f"i{bits // 8}")


def _to_lanes(block: ThreadBlock, answers: Array) -> Array:
    """Each thread's answer from one of each subgroup."""
    return answers[block.threads // block.subgroup]


def _ballot(op: Operation, builder: Builder) -> Run:
    del builder

    def run(block: ThreadBlock, predicate: Value) -> Sequence[Value]:
        check_whole_subgroups(block, op, all_lanes=True)
        lanes = by_subgroup(spread(predicate, 0, block.count), block.subgroup) & _there(block)
        return (_to_lanes(block, _masks(block, op, lanes)),)

    return run


def _vote(op: Operation, builder: Builder) -> Run:
    del builder
    assert isinstance(op, VoteOp)
    any_ = op.mode.data is VoteMode.ANY

    def run(block: ThreadBlock, predicate: Value) -> Sequence[Value]:
        check_whole_subgroups(block, op, all_lanes=True)
        lanes, there = by_subgroup(spread(predicate, 0, block.count), block.subgroup), _there(block)
        yes = np.logical_or.reduce(lanes & there, axis=1) if any_ else np.logical_and.reduce(lanes | ~there, axis=1)
        return (_to_lanes(block, yes),)

    return run


def _match(op: Operation, builder: Builder) -> Run:
    del builder
    assert isinstance(op, MatchOp)
    any_ = op.mode.data is VoteMode.ANY

    def run(block: ThreadBlock, value: Value) -> Sequence[Value]:
        check_whole_subgroups(block, op, all_lanes=True)
        lanes, there = by_subgroup(spread(value, 0, block.count), block.subgroup), _there(block)
        equal = (lanes[:, :, None] == lanes[:, None, :]) & there[:, None, :]
        if any_:
            return (by_thread(_masks(block, op, equal), block.count),)
        same = np.logical_and.reduce(equal | ~there[:, None, :] | ~there[:, :, None], axis=(1, 2))
        masks = _masks(block, op, there)
        return _to_lanes(block, np.where(same, masks, np.zeros_like(masks))), _to_lanes(block, same)

    return run


RULES: dict[str, Prepare] = {
    "gpu.all_reduce": _all_reduce,
    "gpu.ballot": _ballot,
    "gpu.barrier": _barrier,
    "gpu.fence": _fence,
    "gpu.match": _match,
    "gpu.shuffle": _shuffle,
    "gpu.subgroup_barrier": _subgroup_barrier,
    "gpu.subgroup_reduce": _subgroup_reduce,
    "gpu.vote": _vote,
}
