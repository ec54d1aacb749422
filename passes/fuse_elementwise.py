"""fuse-elementwise: compute elementwise producers inside their readers, and siblings together.

Before:                                                  After:
    %1 = linalg.generic ins(%x) {exp}                        %2 = linalg.generic ins(%x, %y) {exp, then mul}
    %2 = linalg.generic ins(%1, %y) {mul}

A producer without reductions disappears into the generics that read it: its body is copied there and its operands' maps are
composed with the reader's. Cheap ones are repeated for each reader; costly ones move only into a single reader that does
not repeat them. Constants, fills, broadcasts, transposes, slices and reshapes become maps. Sums of products take in moved
data only; attention too, and writes its result as it is read. Then generics over one iteration space that share data become
one generic with several results.

Needs: step 2.  Keeps: step 2; host control flow; generics whose shapes are not static.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith, tensor
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, Operation
from xdsl.rewriter import Rewriter

from stepwell.dialects.structured_attention import AttentionOp
from stepwell.dialects.structured_attention_gradient import AttentionGradientOp
from stepwell.ir.machine import MachineDescription, machine_of
from stepwell.ir.passes import Pass
from stepwell.passes.fusion.attention import fold_attention_moves
from stepwell.passes.fusion.blocks import host_blocks
from stepwell.passes.fusion.decide import Decider
from stepwell.passes.fusion.decisions import keep_taken, note, take_over
from stepwell.passes.fusion.merge import merge_siblings
from stepwell.passes.fusion.permute import permute_outputs
from stepwell.passes.fusion.reshape import replace_by_reshape
from stepwell.passes.fusion.rewrite import Reshapes, rebuild
from stepwell.passes.fusion.sink_reshapes import sink_reshapes
from stepwell.passes.fusion.unit_dims import drop_unit_reductions
from stepwell.passes.preconditions import needs_tensors


@dataclass(frozen=True)
class FuseElementwisePass(Pass):
    """Compute elementwise producers inside their readers, and siblings together."""

    name = "fuse-elementwise"

    siblings: bool = True
    """Join generics over one iteration space into one with several results."""

    def apply(self, ctx: Context, op: Operation) -> None:
        """Fuse within each block of the host functions."""
        del ctx
        assert isinstance(op, ModuleOp)
        needs_tensors(op, self.name, "step 2")
        machine = machine_of(op)
        for block in host_blocks(op):
            drop_unit_reductions(block)
            _fold_producers(block, machine)
            if sink_reshapes(block):
                _fold_producers(block, machine)
            permute_outputs(block)
            fold_attention_moves(block)
            if self.siblings:
                merge_siblings(block)
            _drop_dead(block)


def _fold_producers(block: Block, machine: MachineDescription) -> None:
    reshapes = Reshapes()
    for root in Decider(block, machine).run():
        op = rebuild(root, reshapes) if root.changed else root.op
        keep_taken(op)
        for instance in root.instances.values():
            take_over(op, instance.op)
        note(op, root.decisions)
        if op is not root.op:
            Rewriter.erase_op(root.op)
    for op in list(block.ops):
        if isinstance(op, linalg.GenericOp):
            replace_by_reshape(op)
    _drop_dead(block)


_DROPPED = (
    AttentionGradientOp,
    AttentionOp,
    linalg.GenericOp,
    linalg.FillOp,
    tensor.EmptyOp,
    tensor.ExpandShapeOp,
    tensor.CollapseShapeOp,
    tensor.ExtractSliceOp,
    arith.ConstantOp,
)


def _drop_dead(block: Block) -> None:
    for op in reversed(list(block.ops)):
        if isinstance(op, _DROPPED) and op.results and not any(r.uses for r in op.results):
            Rewriter.erase_op(op)
