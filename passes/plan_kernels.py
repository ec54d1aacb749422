"""plan-kernels: decide which ops make up each kernel, and say why.

Before: %m = linalg.generic ... {max}              After: %m = linalg.generic ... {kernel.group = 0 : i64, kernel.kind = "rows"}
        %e = linalg.generic ins(%x, %m) {exp}             %e = linalg.generic ins(%x, %m) {kernel.group = 0 : i64, ...,
                                                               kernel.reason = "2 ops share 1 leading dim"}

A kernel is one of: `map` (one space of parallel loops), `rows` (reductions and maps sharing their leading parallel dims),
`contraction` (a matrix product and the maps of its result), `attention`, `single` (anything else, a chain of insert_slice).
Pairs of ops are joined in the order of the memory traffic that it saves (`fusion/join.py`). Fills, empty tensors and constants
belong to whoever uses them. A group never waits for something that waits for it. `kernel.reason` says why a group is together,
`kernel.decisions` (on its last op) what was put together, what was not, why, and how many bytes it is about.

Needs: step 2; what rows leave idle depends on the machine (`stepwell.target`).  Keeps: the ops; only attributes are written.
`fuse=false` gives every op its own kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import tensor
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, StringAttr, i64
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, Operation, SSAValue

from stepwell.dialects.structured_attention import AttentionOp
from stepwell.dialects.structured_attention_gradient import AttentionGradientOp
from stepwell.dialects.structured_scan import ScanOp
from stepwell.ir.destinations import is_structured
from stepwell.ir.machine import MachineDescription, machine_of
from stepwell.ir.passes import Pass
from stepwell.passes.fusion.blocks import host_blocks
from stepwell.passes.fusion.classify import is_elementwise, shape_of
from stepwell.passes.fusion.decisions import Decision, described, note, place_of, what_it_costs
from stepwell.passes.fusion.graph import Group, Groups
from stepwell.passes.fusion.join import MAX_OPS, Joiner
from stepwell.passes.fusion.sweeps import reads_once
from stepwell.passes.fusion.weigh import bytes_of
from stepwell.passes.preconditions import needs_known_sizes, needs_tensors
from stepwell.passes.schedules.block_tiles import refusal, worth
from stepwell.passes.schedules.contraction_analysis import Contraction, find_contraction
from stepwell.passes.schedules.contraction_choice import choose_tiling
from stepwell.passes.schedules.convolution import copied
from stepwell.passes.schedules.interleaving import find_interleaving, maps_after
from stepwell.passes.schedules.scan_rows import scan_group
from stepwell.passes.schedules.window import staged

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
            for member in groups.of:
                if is_structured(member):
                    needs_known_sizes(member, self.name)
            if self.fuse:
                Joiner(groups, machine, {op: None for op in _generics(groups) if is_tiled(op, machine)}).run()
                _join_inserts(groups)
                if machine.subgroup == 1:
                    _join_sweeps(groups)
                    _join_scans(groups, machine)
                    _join_interleaved(groups)
                    _join_borders(groups, machine)
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


def _join_scans(groups: Groups, machine: MachineDescription) -> None:
    """One kernel for a scan and the maps before and after it, where its lines pass through a cache."""
    places = {op: i for i, op in enumerate(groups.block.ops)}
    for op in [o for o in places if isinstance(o, ScanOp)]:
        given, made = op.inputs[0], op.results[0]
        for other in dict.fromkeys([given.owner, *(use.operation for use in made.uses)]):
            if not isinstance(other, linalg.GenericOp) or other not in groups.of:
                continue
            mine, its = groups.of[op], groups.of[other]
            members = sorted([*mine.ops, *its.ops], key=lambda o: places[o])
            if mine is its or its.kind not in ("", "map") or len(members) > MAX_OPS:
                continue
            if isinstance(scan_group(members, machine.l2_bytes), str):
                continue
            joined = groups.merge(mine, its)
            if joined is not None:
                joined.ops.sort(key=lambda o: places[o])
                joined.kind, joined.reason = "single", f"a scan, with {len(members) - 1} maps, line by line"
                saved = 2 * bytes_of(given if other is given.owner else made)
                about = f"does {described(other)} on each line of {described(op)}: {what_it_costs(saved, 0)}"
                joined.decisions.append(Decision(True, about, saved, 0, place_of(other)))


def _join_inserts(groups: Groups) -> None:
    """One kernel for a chain of insert_slice into one tensor."""
    for op in list(groups.block.ops):
        if not isinstance(op, tensor.InsertSliceOp) or not op.dest.has_one_use():
            continue
        before = op.dest.owner
        if isinstance(before, tensor.InsertSliceOp) and before in groups.of:
            groups.merge(groups.of[before], groups.of[op])


def _join_interleaved(groups: Groups) -> None:
    """One kernel for parts that are put into each other and the maps of what they make."""
    places = {op: i for i, op in enumerate(groups.block.ops)}
    for op in places:
        found = find_interleaving(op)
        if found is None or op not in groups.of:
            continue
        for other in dict.fromkeys(use.operation for use in found.result.uses):
            mine, its = groups.of[op], groups.of.get(other)
            if its is None or mine is its or its.kind not in ("", "map"):
                continue
            maps = sorted(its.ops, key=lambda o: places[o])
            if len(maps_after(found, maps)) < len(maps) or len(mine.ops) + len(maps) > MAX_OPS:
                continue
            joined = groups.merge(mine, its)
            if joined is not None:
                joined.kind = "single"
                joined.reason = f"{len(found.parts)} parts put into each other, with maps of that"
                saved = 2 * bytes_of(found.result)
                about = f"does {described(other)} where parts are put into each other: {what_it_costs(saved, 0)}"
                joined.decisions.append(Decision(True, about, saved, 0, place_of(other)))


def _join_borders(groups: Groups, machine: MachineDescription) -> None:
    """Putting a border around an image goes along with the only op that reads it, where tasks of that copy parts of it."""
    for op in _generics(groups):
        stage = staged(op, machine) or copied(op, machine)
        before = groups.of.get(stage.border.insert) if stage is not None else None
        if before is None or len(before.ops) > 1:
            continue
        group = groups.of[op]
        kind, reason = group.kind or "single", group.reason or "sums over a window"
        joined = groups.merge(before, group)
        if joined is not None:
            joined.kind, joined.reason = kind, f"{reason}, with the border of the image"


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
        note(group.ops[-1], group.decisions)
        number += 1
    for op in groups.block.ops:
        if isinstance(op, linalg.FillOp) and _is_needed_whole(op.results[0], groups.block):
            _write([op], number, "map", "the host reads the filled tensor")
            number += 1
    return number


def _kind_of(ops: Sequence[Operation]) -> str:
    """The kind of a group that nothing joined."""
    if any(isinstance(op, AttentionOp | AttentionGradientOp) for op in ops):
        return "attention"
    return "map" if _all_maps(ops) else "single"


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
