"""Where fusion and kernels happen: the blocks of host functions and their control flow."""

from __future__ import annotations

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation


def host_blocks(module: ModuleOp) -> list[Block]:
    """Function bodies and the blocks of `scf` ops in them, in order; bodies of structured ops are none."""
    found: list[Block] = []
    pending: list[Operation] = [op for op in module.body.block.ops if op.name == "func.func"]
    pending.reverse()
    while pending:
        op = pending.pop()
        nested: list[Operation] = []
        for region in op.regions:
            for block in region.blocks:
                found.append(block)
                nested.extend(o for o in block.ops if o.regions and o.name.startswith("scf."))
        pending.extend(reversed(nested))
    return found
