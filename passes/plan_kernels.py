"""plan-kernels: decide which ops make up each kernel, and say why.

Before: `linalg.generic ...`                 After: `linalg.generic ... {kernel.group = 0 : i64, kernel.kind = "single", kernel.reason = "..."}`

Needs: step 2. Keeps: the ops; only attributes are written. `fuse=false` gives every op its own kernel, with only what it starts from (its initial fill).
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, StringAttr, i64
from xdsl.ir import Block, Operation

from stepwell.ir.destinations import destination_index, is_structured
from stepwell.ir.passes import Pass


@dataclass(frozen=True)
class PlanKernelsPass(Pass):
    """Decide which ops make up each kernel, and say why."""

    name = "plan-kernels"

    fuse: bool = True
    """Group ops; without it every op is a kernel of its own."""

    def apply(self, ctx: Context, op: Operation) -> None:
        """Annotate every structured op of the host functions."""
        next_group = 0
        for function in op.regions[0].block.ops:
            if function.name != "func.func":
                continue
            for inner in list(function.walk()):
                for region in inner.regions:
                    for block in region.blocks:
                        if not is_structured(inner):
                            next_group = _plan_block(block, next_group)


def _plan_block(block: Block, next_group: int) -> int:
    groups: dict[Operation, int] = {}
    for op in reversed(list(block.ops)):
        if not is_structured(op):
            continue
        group = _consumer_group(op, groups)
        if group is None:
            group = next_group
            next_group += 1
        groups[op] = group
        op.attributes["kernel.group"] = IntegerAttr(group, i64)
        op.attributes["kernel.kind"] = StringAttr("single")
    return next_group


def _consumer_group(op: Operation, groups: dict[Operation, int]) -> int | None:
    """The group of the only user, when it takes this op's result as its destination."""
    if len(op.results) != 1 or op.name not in ("linalg.fill", "tensor.insert_slice"):
        return None
    uses = list(op.results[0].uses)
    if len(uses) != 1 or uses[0].operation not in groups:
        return None
    user = uses[0].operation
    if uses[0].index not in [destination_index(user, i) for i in range(len(user.results))]:
        return None
    return groups[user]
