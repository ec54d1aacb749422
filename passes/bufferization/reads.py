"""When a tensor value is read for the last time.

Ops of a function are numbered in program order. A read inside a loop of a value defined outside of it counts as
happening at the end of that loop, because the next iteration reads again. A view of a value (`tensor.extract_slice`,
a reshape) shares its memory, so reads of the view are reads of the value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xdsl.dialects import tensor
from xdsl.dialects.builtin import TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, Operation, Region, SSAValue, Use

from stepwell.dialects import kernel
from stepwell.dialects.tensor import ParallelInsertSliceOp
from stepwell.passes.bufferization.homes import covers, slice_key
from stepwell.passes.bufferization.order import number_ops

LOOPS = frozenset({"scf.for", "scf.forall", "scf.parallel", "scf.while"})
BRANCHES = frozenset({"scf.if", "scf.index_switch"})
VIEWS = (tensor.ExtractSliceOp, tensor.CollapseShapeOp, tensor.ExpandShapeOp)


@dataclass(frozen=True)
class Read:
    """One read of a value: when (`position`), by which operand, and through which view of the value first."""

    position: int
    op: Operation
    index: int
    via: Operation | None


def is_tensor(value: SSAValue) -> bool:
    """True for a value of ranked tensor type."""
    return isinstance(value.type, TensorType)


class ReadTable:
    """Positions of the ops below `root` and, on demand, the reads of each value, as the IR was at construction."""

    def __init__(self, root: Operation):
        self.start, self.end = number_ops(root)
        self._reads: dict[SSAValue, tuple[Read, ...]] = {}
        self._last: dict[SSAValue, int] = {}
        for op in root.walk():
            for result in op.results:
                if isinstance(result.type, TensorType):
                    self.reads(result)
            for region in op.regions:
                for block in region.blocks:
                    for arg in block.args:
                        if isinstance(arg.type, TensorType):
                            self.reads(arg)

    def reads(self, value: SSAValue) -> tuple[Read, ...]:
        """All reads of the contents of `value`."""
        known = self._reads.get(value)
        if known is not None:
            return known
        block = value.owner if isinstance(value.owner, Block) else value.owner.parent
        assert block is not None
        found: list[Read] = []
        for use in value.uses:
            if isinstance(use.operation, VIEWS):
                for read in self.reads(use.operation.results[0]):
                    found.append(Read(self._effective(block, read.op), read.op, read.index, use.operation))
            elif reads_contents(use):
                found.append(Read(self._effective(block, use.operation), use.operation, use.index, None))
        result = self._reads[value] = tuple(found)
        self._last[value] = max((r.position for r in result), default=-1)
        return result

    def last_read(self, value: SSAValue) -> int:
        """The position of the last read of `value`, -1 when there is none."""
        last = self._last.get(value)
        if last is None:
            self.reads(value)
            last = self._last[value]
        return last

    def _effective(self, block: Block, op: Operation) -> int:
        """When `op` last reads a value of `block`."""
        position = self.start[op]
        while op.parent is not block:
            parent = op.parent_op()
            assert parent is not None, "a use outside of the value's scope"
            if parent.name in LOOPS:
                position = self.end[parent]
            op = parent
        return position


def reads_contents(use: Use) -> bool:
    """Whether the operand's old contents matter to the op (false for destinations it fills)."""
    op = use.operation
    if isinstance(op, tensor.DimOp):
        return False
    if isinstance(op, tensor.InsertSliceOp | ParallelInsertSliceOp) and use.index == 1:
        kind = op.dest.type
        return not isinstance(kind, TensorType) or not covers(slice_key(op), kind.get_shape())
    if isinstance(op, linalg.FillOp):
        return use.index < len(op.inputs)
    if isinstance(op, kernel.LaunchOp):
        first = len(op.ins)
        if use.index < first:
            return True
        callee = op.kernel()
        return callee is None or callee.access_kinds[use.index] != kernel.WRITE
    return True


def exclusive(one: Operation, other: Operation) -> bool:
    """Whether the two ops are in different branches of one `scf.if` or `scf.index_switch`."""
    regions: dict[Operation, Region] = {}
    for parent, region in _enclosing(one):
        regions[parent] = region
    for parent, region in _enclosing(other):
        if parent in regions:
            return parent.name in BRANCHES and regions[parent] is not region
    return False


def _enclosing(op: Operation) -> Iterator[tuple[Operation, Region]]:
    """The ops around `op`, innermost first, each with the region that `op` is in."""
    region = op.parent_region()
    while region is not None and region.parent is not None:
        yield region.parent, region
        region = region.parent.parent_region()
