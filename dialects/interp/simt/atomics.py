"""Atomic updates: lanes that update one element do so one after the other, in the order of their numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from xdsl.ir import Operation

from stepwell.dialects.interp.memref import updating
from stepwell.dialects.interp.simt.access import check_update
from stepwell.dialects.interp.simt.block import ThreadBlock
from stepwell.dialects.interp.simt.memory import MemRef
from stepwell.dialects.interp.simt.memrefs import finder
from stepwell.dialects.interp.simt.program import Builder, Prepare, Run
from stepwell.dialects.interp.simt.reports import ReportKind
from stepwell.dialects.interp.simt.values import Array, Value, fitted, spread
from stepwell.dialects.memref import AtomicKind, AtomicRMWOp, Scope


def _rounds(positions: Array) -> Iterator[Array]:
    """Places in the list of positions, in rounds without two of one position; equal ones come in order."""
    order = np.argsort(positions, kind="stable")
    placed = positions[order]
    first = np.ones(placed.size, np.bool_)
    first[1:] = placed[1:] != placed[:-1]
    starts = np.flatnonzero(first)
    turn = np.arange(placed.size) - np.repeat(starts, np.diff(starts, append=placed.size))
    by_turn = np.argsort(turn, kind="stable")
    return iter(np.split(order[by_turn], np.cumsum(np.bincount(turn))[:-1]))


def _update(cells: Array, positions: Array, values: Array, combine: Callable[[Any, Any], Array]) -> Array:
    """Update elements of memory; returns what each was before."""
    before = np.empty_like(values)
    for lanes in _rounds(positions):
        here = positions[lanes]
        old = cells[here]
        old = old != 0 if values.dtype == np.bool_ else old
        before[lanes] = old
        cells[here] = combine(old, values[lanes])
    return before


def _atomic_rmw(op: Operation, builder: Builder) -> Run:
    del builder
    assert isinstance(op, AtomicRMWOp)
    find, combine = finder(op), updating(op)
    reads = op.combination is not AtomicKind.ASSIGN or bool(op.result.uses)
    narrow = op.scope is Scope.BLOCK

    def run(block: ThreadBlock, value: Value, ref: MemRef, *indices: Value) -> Sequence[Value]:
        access = find(block, ref, indices)
        values = np.array(spread(value, 0, block.count), ref.dtype)
        if not ref.memory.writable:
            block.report(ReportKind.READ_ONLY, op, f"updates {ref.memory.name}", block.active_threads())
            return (values,)
        check_update(block, op, access, reads=reads, narrow=narrow)
        enabled = access.enabled(block.active)
        chosen = np.flatnonzero(fitted(True if enabled is None else enabled, (block.count,)))
        if chosen.size:
            positions = fitted(access.positions, (block.count,))[chosen]
            values[chosen] = _update(ref.memory.typed(ref.dtype), positions, values[chosen], combine)
        return (values,)

    return run


RULES: dict[str, Prepare] = {"memref.atomic_rmw": _atomic_rmw}
