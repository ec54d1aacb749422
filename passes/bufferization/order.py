"""Positions of ops in program order, for liveness."""

from __future__ import annotations

from xdsl.ir import Operation


def number_ops(root: Operation) -> tuple[dict[Operation, int], dict[Operation, int]]:
    """(where each op below `root` starts, where it ends); an op with regions ends one past the last op inside."""
    start: dict[Operation, int] = {}
    end: dict[Operation, int] = {}

    def number(op: Operation, position: int) -> int:
        start[op] = position
        for region in op.regions:
            for block in region.blocks:
                for inner in block.ops:
                    position = number(inner, position + 1)
        if op.regions:
            position += 1
        end[op] = position
        return position

    number(root, 0)
    return start, end
