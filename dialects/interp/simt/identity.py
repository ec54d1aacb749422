"""Who a thread is: indices and extents of grid, block and subgroup."""

from __future__ import annotations

from collections.abc import Callable

from xdsl.ir import Operation

from stepwell.dialects.gpu.attrs import DimensionAttr
from stepwell.dialects.interp.simt.block import ThreadBlock
from stepwell.dialects.interp.simt.program import Builder, Prepare, Run
from stepwell.dialects.interp.simt.values import Value

_AXES = ("x", "y", "z")


def thread_id(block: ThreadBlock, axis: int) -> Value:
    """Each thread's index along an axis; the threads are numbered along x first."""
    x, y, _ = block.launch.block
    if axis == 0:
        return block.threads % x if x != block.count else block.threads
    return block.threads // x % y if axis == 1 else block.threads // (x * y)


def _along_axis(compute: Callable[[ThreadBlock, int], Value]) -> Prepare:
    def prepare(op: Operation, builder: Builder) -> Run:
        del builder
        dimension = op.properties["dimension"]
        assert isinstance(dimension, DimensionAttr)
        axis = _AXES.index(dimension.data.value)
        return lambda block: (compute(block, axis),)

    return prepare


def _of_block(compute: Callable[[ThreadBlock], Value]) -> Prepare:
    def prepare(op: Operation, builder: Builder) -> Run:
        del op, builder
        return lambda block: (compute(block),)

    return prepare


RULES: dict[str, Prepare] = {
    "gpu.block_dim": _along_axis(lambda block, axis: block.launch.block[axis]),
    "gpu.block_id": _along_axis(lambda block, axis: block.index[axis]),
    "gpu.global_id": _along_axis(
        lambda block, axis: block.index[axis] * block.launch.block[axis] + thread_id(block, axis)
    ),
    "gpu.grid_dim": _along_axis(lambda block, axis: block.launch.grid[axis]),
    "gpu.lane_id": _of_block(lambda block: block.threads % block.subgroup),
    "gpu.num_subgroups": _of_block(lambda block: -(-block.count // block.subgroup)),
    "gpu.subgroup_id": _of_block(lambda block: block.threads // block.subgroup if block.count > block.subgroup else 0),
    "gpu.subgroup_size": _of_block(lambda block: block.subgroup),
    "gpu.thread_id": _along_axis(thread_id),
}
