"""plan-kernels: decide which ops make up each kernel, and say why.

Before: %m = linalg.generic ... {max}              After: %m = linalg.generic ... {kernel.group = 0 : i64, kernel.kind = "rows"}
        %e = linalg.generic ins(%x, %m) {exp}             %e = linalg.generic ins(%x, %m) {kernel.group = 0 : i64, ...,
                                                               kernel.reason = "2 ops share 1 leading dim"}

A kernel is one of: `map` (one space of parallel loops), `rows` (reductions and maps sharing their leading parallel dims),
`contraction` (a matrix product and the maps of its result), `attention`, `single` (anything else, a chain of insert_slice).
Fills, empty tensors and constants belong to whoever uses them. A group never waits for something that waits for it.
`kernel.reason` says why a group is together, `kernel.remarks` (on its last op) why others stayed out.

Needs: step 2; what rows leave idle depends on the machine (`stepwell.target`).  Keeps: the ops; only attributes are written.
`fuse=false` gives every op its own kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import tensor
from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, ModuleOp, StringAttr, i64
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, Operation, SSAValue

from stepwell.dialects.structured_attention import AttentionOp
from stepwell.ir.destinations import is_structured
from stepwell.ir.machine import MachineDescription, machine_of
from stepwell.ir.passes import Pass
from stepwell.ir.structured import indexing_maps, is_identity_map
from stepwell.passes.fusion.blocks import host_blocks
from stepwell.passes.fusion.classify import captures, is_elementwise, is_parallel, shape_of, volume
from stepwell.passes.fusion.graph import Group, Groups
from stepwell.passes.fusion.rows import shared_rows
from stepwell.passes.fusion.sweeps import reads_once
from stepwell.passes.preconditions import needs_tensors
from stepwell.passes.schedules.block_tiles import refusal, worth
from stepwell.passes.schedules.contraction_analysis import Contraction, find_contraction
from stepwell.passes.schedules.contraction_choice import choose_tiling
from stepwell.passes.schedules.lanes import can_vectorize

MAX_OPS = 32
"""Ops in one group at most."""
TILED = MachineDescription(vector_bits=512)
"""The machine whose tiles decide what is a contraction: the same on every machine with vectors."""


@dataclass(frozen=True)
class PlanKernelsPass(Pass):
    """Decide which ops make up each kernel, and say why."""

    name = "plan-kernels"

    fuse: bool = True
    """Group ops; without it every op is a kernel of its own."""

    def apply(self, ctx: Context, op: Operation) -> None:
        """Annotate every structured op of the host functions."""
        del ctx
        assert isinstance(op, ModuleOp)
        needs_tensors(op, self.name, "step 2")
        machine = machine_of(op)
        number = 0
        for block in host_blocks(op):
            groups = Groups(block)
            if self.fuse:
                _join_epilogues(groups, machine)
                _join_rows(groups, machine)
                _join_maps(groups)
                _join_inserts(groups)
                if machine.subgroup == 1:
                    _join_sweeps(groups)
                _join_scalars(groups)
            number = _annotate(groups, number)


def _generics(groups: Groups) -> list[linalg.GenericOp]:
    return [op for op in groups.block.ops if isinstance(op, linalg.GenericOp)]


def is_tiled(op: Operation, machine: MachineDescription) -> bool:
    """Whether a sum of products is done in tiles: of registers on any machine with vectors, of blocks where there are some.

    Else it is a plain reduction.
    """
    found = find_contraction(op)
    if not isinstance(found, Contraction):
        return False
    if machine.subgroup > 1:
        return refusal(found) is None and worth(found) is None
    return not isinstance(choose_tiling(found, TILED), str)


def _join_epilogues(groups: Groups, machine: MachineDescription) -> None:
    """Put the maps that read a contraction's result point by point into its kernel, and the maps that read those."""
    for op in _generics(groups):
        if not is_tiled(op, machine):
            continue
        group = groups.of[op]
        group.kind = "contraction"
        values: dict[SSAValue, None] = {op.results[0]: None}
        refusals: dict[str, None] = {}
        pending = list(values)
        while pending:
            value = pending.pop(0)
            for user in dict.fromkeys(u.operation for u in value.uses):
                if not isinstance(user, linalg.GenericOp) or groups.of.get(user) is group:
                    continue
                reason = _not_an_epilogue(user, op, values, groups)
                if reason is None and groups.merge(group, groups.of[user]) is None:
                    reason = "a value would leave and come back"
                if reason is not None:
                    refusals[reason] = None
                    continue
                group = groups.of[op]
                values.update(dict.fromkeys(user.results))
                pending.extend(user.results)
        group.reason = f"a sum of products in tiles, with {len(group.ops) - 1} maps of its result"
        group.notes.extend(f"not in the epilogue: {r}" for r in refusals)


def _not_an_epilogue(
    user: linalg.GenericOp, contraction: linalg.GenericOp, values: dict[SSAValue, None], groups: Groups
) -> str | None:
    """Why a user of a contraction's result, or of its epilogue so far (`values`), does not belong to the epilogue."""
    if user not in groups.of:
        return "control flow reads the result"
    if not is_elementwise(user):
        return "a reduction reads the result"
    if groups.of[user].kind:
        return "the reader belongs to another contraction"
    if shape_of(user.results[0]) != shape_of(contraction.results[0]):
        return "the reader has another space"
    maps = indexing_maps(user)
    if not all(is_identity_map(m) for m in maps[len(user.inputs) :]):
        return "the reader permutes the result"
    if not all(is_identity_map(m) for v, m in zip(user.inputs, maps, strict=False) if v in values):
        return "the reader does not read the result point by point"
    if any(v in values for v in captures(user)) or any(inner.name == "tensor.extract" for inner in user.body.block.ops):
        return "the reader gathers"
    if not can_vectorize(user.body.block):
        return "the reader has no vector form"
    if len(groups.of[contraction].ops) >= MAX_OPS:
        return "the epilogue is long enough"
    return None


def _join_rows(groups: Groups, machine: MachineDescription) -> None:
    """Grow groups of reductions and maps that share their leading parallel dims, along the values between them."""
    for op in _generics(groups):
        if groups.of[op].kind == "contraction":
            continue
        for value in dict.fromkeys(op.inputs):
            before = groups.group_of(value)
            group = groups.of[op]
            if before is None or before is group or before.kind == "contraction":
                continue
            members = [*before.ops, *group.ops]
            generics = [o for o in members if isinstance(o, linalg.GenericOp)]
            if not MAX_OPS >= len(generics) == len(members) or _one_space(generics):
                continue
            rows = _rows_of(generics, machine, (before.ops, group.ops))
            if isinstance(rows, str):
                group.notes.append(rows)
                continue
            joined = groups.merge(before, group)
            if joined is None:
                group.notes.append("a value would leave and come back")
                continue
            joined.kind = "rows"
            joined.reason = f"{len(members)} ops share {len(rows)} leading dims"


def _one_space(ops: Sequence[linalg.GenericOp]) -> bool:
    """Whether all are maps over one space: they need no rows."""
    shape = shape_of(ops[0].results[0])
    return all(is_parallel(op) and shape_of(op.results[0]) == shape for op in ops)


def _rows_of(
    ops: Sequence[linalg.GenericOp], machine: MachineDescription, parts: Sequence[Sequence[Operation]]
) -> tuple[int, ...] | str:
    """Extents of the rows that ops run in together, or why they do not."""
    rows = shared_rows(ops, machine, parts)
    if isinstance(rows, str):
        return rows
    results = {r: None for op in ops for r in op.results}
    for op in ops:
        if any(v in results for v in captures(op)):
            return "a row gathers from other rows"
        if any(v in results for v in op.outputs):
            return "a result is updated in place"
        if not is_parallel(op) and _runs_over_columns(op, len(rows)):
            return "its rows are not contiguous"
    return rows


def _runs_over_columns(op: linalg.GenericOp, count: int) -> bool:
    """Whether one row of a reduction's largest input lies scattered: its last index is that of the row."""
    maps = indexing_maps(op)
    dims = {d for e in maps[len(op.inputs)].results[:count] for d in e.used_dims()}
    sized = [(volume(v), m.results) for v, m in zip(op.inputs, maps, strict=False) if m.results]
    if not sized:
        return False
    last = max(sized, key=lambda pair: pair[0])[1][-1].used_dims()
    return bool(last) and last <= dims


def _join_maps(groups: Groups) -> None:
    """One kernel for maps over one space that read each other point by point: values pass in registers."""
    for op in _generics(groups):
        if not _is_plain_map(op) or groups.of[op].kind not in ("", "map"):
            continue
        for value in dict.fromkeys(op.inputs):
            before, group = groups.group_of(value), groups.of[op]
            if before is None or before is group or before.kind not in ("", "map"):
                continue
            members = [o for o in (*before.ops, *group.ops) if isinstance(o, linalg.GenericOp)]
            if not MAX_OPS >= len(members) == len(before.ops) + len(group.ops):
                continue
            reason = _not_one_map(members)
            joined = groups.merge(before, group) if reason is None else None
            if joined is None:
                group.notes.append(reason or "a value would leave and come back")
                continue
            joined.kind = "map"
            joined.reason = f"{len(members)} maps over one space"


def _is_plain_map(op: linalg.GenericOp) -> bool:
    maps = indexing_maps(op)[len(op.inputs) :]
    return is_elementwise(op) and all(is_identity_map(m) for m in maps)


def _not_one_map(ops: Sequence[linalg.GenericOp]) -> str | None:
    """Why maps cannot run in one loop, each point of the later ones right after that of the earlier ones."""
    shape = shape_of(ops[0].results[0])
    results = {r: None for op in ops for r in op.results}
    for op in ops:
        if not _is_plain_map(op) or shape_of(op.results[0]) != shape:
            return "another space reads the result"
        reads = zip(op.inputs, indexing_maps(op), strict=False)
        if any(v in results and not is_identity_map(m) for v, m in reads):
            return "the result is not read point by point"
        if any(v in results for v in captures(op)):
            return "the reader gathers from the result"
    return None


def _join_sweeps(groups: Groups) -> None:
    """One kernel for reductions of one array along different dims: it is read once."""
    first: dict[SSAValue, linalg.GenericOp] = {}
    for op in _generics(groups):
        if groups.of[op].kind or len(groups.of[op].ops) > 1 or not reads_once([op]):
            continue
        other = first.setdefault(op.inputs[0], op)
        group = groups.of[other]
        if other is op or not reads_once([*group.ops, op]) or len(group.ops) >= MAX_OPS:
            continue
        joined = groups.merge(group, groups.of[op])
        if joined is not None:
            joined.kind = "single"
            joined.reason = f"{len(joined.ops)} reductions read one array once"


def _join_inserts(groups: Groups) -> None:
    """One kernel for a chain of insert_slice into one tensor."""
    for op in list(groups.block.ops):
        if not isinstance(op, tensor.InsertSliceOp) or not op.dest.has_one_use():
            continue
        before = op.dest.owner
        if isinstance(before, tensor.InsertSliceOp) and before in groups.of:
            groups.merge(groups.of[before], groups.of[op])


def _join_scalars(groups: Groups) -> None:
    """Computing on 0-d tensors goes along with what it waits for."""
    for op in _generics(groups):
        if not is_elementwise(op) or any(shape_of(r) for r in op.results):
            continue
        for group in (groups.group_of(v) for v in op.inputs):
            if group is None or not _takes_scalars(group) or len(group.ops) >= MAX_OPS:
                continue
            joined = groups.merge(group, groups.of[op])
            if joined is not None:
                joined.kind = "map" if _all_maps(joined.ops) else "single"
                joined.reason = f"{len(joined.ops)} ops on 0-d tensors"
                break


def _takes_scalars(group: Group) -> bool:
    return group.kind in ("", "map", "single") and all(
        isinstance(o, linalg.GenericOp) and not any(shape_of(r) for r in o.results) for o in group.ops
    )


def _all_maps(ops: Sequence[Operation]) -> bool:
    return all(isinstance(o, linalg.GenericOp) and is_elementwise(o) for o in ops)


def _annotate(groups: Groups, number: int) -> int:
    """Write the decisions; returns the next free group number."""
    for group in groups.all():
        if not is_structured(group.ops[0]):
            continue
        kind = group.kind or _kind_of(group.ops)
        _write(group.ops, number, kind, group.reason or ("one op" if len(group.ops) == 1 else f"{len(group.ops)} ops"))
        _remark(group)
        number += 1
    for op in groups.block.ops:
        if isinstance(op, linalg.FillOp) and _is_needed_whole(op.results[0], groups.block):
            _write([op], number, "map", "the host reads the filled tensor")
            number += 1
    return number


def _kind_of(ops: Sequence[Operation]) -> str:
    """The kind of a group that nothing joined."""
    if any(isinstance(op, AttentionOp) for op in ops):
        return "attention"
    return "map" if _all_maps(ops) else "single"


def _write(ops: Sequence[Operation], number: int, kind: str, reason: str) -> None:
    for op in ops:
        op.attributes["kernel.group"] = IntegerAttr(number, i64)
        op.attributes["kernel.kind"] = StringAttr(kind)
        op.attributes["kernel.reason"] = StringAttr(reason)


def _remark(group: Group) -> None:
    """Note on the group's last op why others did not join, beside what earlier passes noted there."""
    if not group.notes:
        return
    last = group.ops[-1]
    before = last.attributes.get("kernel.remarks")
    remarks = list(before.data) if isinstance(before, ArrayAttr) else []
    remarks += [StringAttr(note) for note in dict.fromkeys(group.notes)]
    last.attributes["kernel.remarks"] = ArrayAttr(remarks)


def _is_needed_whole(value: SSAValue, block: Block) -> bool:
    """Whether something that becomes no kernel reads a tensor."""
    for use in value.uses:
        if use.operation.parent is not block or not is_structured(use.operation):
            return True
    return False
