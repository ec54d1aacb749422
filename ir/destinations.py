"""Destination style: which operand of an op each result is written into."""

from __future__ import annotations

from xdsl.dialects import linalg, tensor, vector
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Operation


def destination_index(op: Operation, result: int) -> int | None:
    """The index of the operand whose buffer result `result` takes over; None where the op is not in destination style."""
    if isinstance(op, linalg.GenericOp):
        return len(op.inputs) + result
    if isinstance(op, linalg.FillOp):
        return len(op.operands) - 1
    if isinstance(op, tensor.InsertSliceOp | tensor.InsertOp | vector.TransferWriteOp):
        return 1
    if op.name.startswith("structured.") and op.results:
        return len(op.operands) - len(op.results) + result
    return None


def reads_destination(op: Operation, result: int) -> bool:
    """Whether the old contents of the destination matter (an accumulator, or an update of a part)."""
    if isinstance(op, linalg.GenericOp):
        return bool(op.body.block.args[len(op.inputs) + result].uses)
    return not isinstance(op, linalg.FillOp)


def is_structured(op: Operation) -> bool:
    """Whether an op computes tensors over an iteration space: what kernels are made of."""
    return isinstance(
        op, linalg.GenericOp | linalg.FillOp | tensor.InsertSliceOp | tensor.ExtractSliceOp | tensor.InsertOp
    ) or (op.name.startswith("structured.") and any(isinstance(r.type, TensorType) for r in op.results))
