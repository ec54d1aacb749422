"""Destination style: which operand of an op each result is written into.

An op in destination style computes new contents for operands it is given (`outs`, `shared_outs`, the target
of an insert); after bufferization result i lives in the buffer of that operand. Passes ask here instead of
knowing op names.
"""

from __future__ import annotations

from xdsl.dialects import tensor
from xdsl.dialects.builtin import TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Operation

_TRAILING_DIALECTS = ("linalg.", "structured.")
_TRAILING_OPS = frozenset({"kernel.launch", "scf.forall"})
"""The last operands are the destinations, one per result."""

_SINGLE = {
    "tensor.insert": 1,
    "tensor.insert_slice": 1,
    "vector.scatter": 0,
    "vector.transfer_write": 1,
}
"""The one result is written into this operand."""


def destination_index(op: Operation, result: int) -> int | None:
    """The index of the operand whose buffer result `result` takes over; None when the op is not in destination style."""
    single = _SINGLE.get(op.name)
    if single is not None:
        return single if op.results else None
    if op.results and (op.name.startswith(_TRAILING_DIALECTS) or op.name in _TRAILING_OPS):
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
