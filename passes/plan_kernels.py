"""plan-kernels: decide which ops make up each kernel, and say why.

Before: %m = linalg.generic ... {max}              After: %m = linalg.generic ... {kernel.group = 0 : i64, kernel.kind = "rows"}
        %e = linalg.generic ins(%x, %m) {exp}             %e = linalg.generic ins(%x, %m) {kernel.group = 0 : i64, ...,
                                                               kernel.reason = "2 ops share 1 leading dim"}

A kernel is one of: `map` (one space of parallel loops), `rows` (reductions and maps sharing their leading parallel dims),
`contraction` (a matrix product and the maps of its result), `single` (anything else, a chain of insert_slice).
Fills, empty tensors and constants belong to whoever uses them. A group never waits for something that waits for it.

Needs: step 2.  Keeps: the ops; only attributes are written. `fuse=false` gives every op its own kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import tensor
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, StringAttr, i64
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, Operation, SSAValue

from stepwell.ir.destinations import is_structured
from stepwell.ir.passes import Pass
from stepwell.ir.structured import indexing_maps, is_identity_map
from stepwell.passes.fusion.blocks import host_blocks
from stepwell.passes.fusion.classify import is_contraction, is_elementwise, is_parallel, is_sum_of_products, shape_of
from stepwell.passes.fusion.graph import Group, Groups
from stepwell.passes.fusion.rows import shared_rows

MAX_OPS = 32
"""Ops in one group at most."""


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
        number = 0
        for block in host_blocks(op):
            groups = Groups(block)
            if self.fuse:
                _join_epilogues(groups)
                _join_rows(groups)
                _join_inserts(groups)
                _join_scalars(groups)
            number = _annotate(groups, number)


def _generics(groups: Groups) -> list[linalg.GenericOp]:
    return [op for op in groups.block.ops if isinstance(op, linalg.GenericOp)]


def _join_epilogues(groups: Groups) -> None:
    """Put the maps that read a contraction's result point by point into its kernel."""
    for op in _generics(groups):
        if not is_contraction(op):
            continue
        group = groups.of[op]
        group.kind = "contraction"
        users = list(dict.fromkeys(u.operation for u in op.results[0].uses))
        refusals = [_not_an_epilogue(user, op, groups) for user in users]
        reason = next((r for r in refusals if r is not None), None)
        if reason is not None:
            group.notes.append(f"no epilogue: {reason}")
            continue
        for user in users:
            joined = groups.merge(group, groups.of[user])
            group.notes.append("its maps as epilogue" if joined else "no epilogue: a value would leave and come back")


def _not_an_epilogue(user: Operation, contraction: linalg.GenericOp, groups: Groups) -> str | None:
    """Why a user of a contraction's result is not its epilogue."""
    if user not in groups.of or user.parent is not groups.block or not isinstance(user, linalg.GenericOp):
        return f"{user.name} reads the result"
    if not is_elementwise(user):
        return "a reduction reads the result"
    if groups.of[user].kind:
        return "the reader belongs to another contraction"
    if shape_of(user.results[0]) != shape_of(contraction.results[0]):
        return "the reader has another space"
    maps = indexing_maps(user)
    if not all(is_identity_map(m) for m in maps[len(user.inputs) :]):
        return "the reader permutes the result"
    reads = [m for v, m in zip(user.inputs, maps, strict=False) if v is contraction.results[0]]
    if len(reads) != 1 or not is_identity_map(reads[0]):
        return "the reader does not read the result point by point"
    return None


def _join_rows(groups: Groups) -> None:
    """Grow groups of reductions and maps that share their leading parallel dims, along the values between them."""
    for op in _generics(groups):
        if is_sum_of_products(op) or groups.of[op].kind == "contraction":
            continue
        for value in dict.fromkeys(op.inputs):
            before = groups.group_of(value)
            group = groups.of[op]
            if before is None or before is group or before.kind == "contraction":
                continue
            members = [*before.ops, *group.ops]
            if not all(isinstance(o, linalg.GenericOp) and not is_sum_of_products(o) for o in members):
                continue
            generics = [o for o in members if isinstance(o, linalg.GenericOp)]
            if len(members) > MAX_OPS or all(is_parallel(o) for o in generics):
                continue
            rows = shared_rows(generics, (before.ops, group.ops))
            if isinstance(rows, str):
                group.notes.append(rows)
                continue
            joined = groups.merge(before, group)
            if joined is None:
                group.notes.append("a value would leave and come back")
                continue
            joined.kind = "rows"
            joined.notes = [f"{len(members)} ops share {len(rows)} leading dims"]


def _join_inserts(groups: Groups) -> None:
    """One kernel for a chain of insert_slice into one tensor."""
    for op in list(groups.block.ops):
        if not isinstance(op, tensor.InsertSliceOp) or not op.dest.has_one_use():
            continue
        before = op.dest.owner
        if isinstance(before, tensor.InsertSliceOp) and before in groups.of:
            groups.merge(groups.of[before], groups.of[op])


def _join_scalars(groups: Groups) -> None:
    """Computing on 0-d tensors goes along with what it waits for, or with other such work."""
    last: Group | None = None
    for op in _generics(groups):
        if not is_elementwise(op) or any(shape_of(r) for r in op.results):
            continue
        candidates = [groups.group_of(v) for v in op.inputs]
        joined: Group | None = None
        for group in (*candidates, last):
            if group is not None and _takes_scalars(group) and len(group.ops) < MAX_OPS:
                joined = groups.merge(group, groups.of[op])
                if joined is not None:
                    joined.kind = joined.kind or ("map" if _all_maps(joined.ops) else "single")
                    break
        last = groups.of[op]


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
        kind = group.kind or ("map" if _all_maps(group.ops) else "single")
        _write(group.ops, number, kind, _reason(group))
        number += 1
    for op in groups.block.ops:
        if isinstance(op, linalg.FillOp) and _is_needed_whole(op.results[0], groups.block):
            _write([op], number, "map", "the host reads the filled tensor")
            number += 1
    return number


def _reason(group: Group) -> str:
    if group.notes:
        return "; ".join(dict.fromkeys(group.notes))
    return "one op" if len(group.ops) == 1 else f"{len(group.ops)} ops"


def _write(ops: Sequence[Operation], number: int, kind: str, reason: str) -> None:
    for op in ops:
        op.attributes["kernel.group"] = IntegerAttr(number, i64)
        op.attributes["kernel.kind"] = StringAttr(kind)
        op.attributes["kernel.reason"] = StringAttr(reason)


def _is_needed_whole(value: SSAValue, block: Block) -> bool:
    """Whether something that becomes no kernel reads a tensor."""
    for use in value.uses:
        if use.operation.parent is not block or not is_structured(use.operation):
            return True
    return False
