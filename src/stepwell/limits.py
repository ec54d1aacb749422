"""Refusing programs that this machine's memory cannot hold: at once where a tensor must exist, else when memory is planned.

A tensor must exist unless every op that makes or reads it may become part of one loop: fusion may leave nothing of a large
broadcast that is only summed. What fusion did leave is known exactly after `plan-memory`, before any code is made.
"""

from __future__ import annotations

from math import prod

from xdsl.dialects import arith, func, memref
from xdsl.dialects.builtin import IntegerAttr, MemRefType, ModuleOp, TensorType
from xdsl.ir import Attribute, Operation, SSAValue

from stepwell.dialects.stablehlo import elementwise
from stepwell.ir.diagnostics import Diagnostic, InvalidProgramDiagnosticError, invalid, location_of, op_diagnostic
from stepwell.ir.dtypes import numpy_dtype
from stepwell.runtime.executable import Signature
from stepwell.runtime.memory import memory_bytes

_FUSABLE = frozenset(op.name for op in elementwise.OPS) | frozenset(
    f"stablehlo.{name}"
    for name in (
        "broadcast",
        "broadcast_in_dim",
        "constant",
        "iota",
        "reduce",
        "reshape",
        "reverse",
        "slice",
        "transpose",
    )
).union(
    ("tensor.empty", "tensor.expand_shape", "tensor.collapse_shape", "arith.constant", "linalg.fill", "linalg.generic")
)
"""Ops that may read or make a tensor without its being in memory."""

_HINT = "run it where there is more memory, or work on parts"


def check_tensors(module: ModuleOp, *, fused: bool) -> None:
    """Refuse a tensor of a function that is larger than the machine's memory; with `fused`, only those that must exist.

    Raises:
        InvalidProgramError: there is one; located at the op that makes it.
    """
    limit = memory_bytes()
    for function in module.body.block.ops:
        if not isinstance(function, func.FuncOp):
            continue  # a kernel holds no more than its operands and a plan
        for type_ in function.function_type.inputs.data:
            if _bytes(type_) > limit:
                raise _beyond(function, f"takes a {type_}", _bytes(type_), limit)
        for op in function.walk():
            for value in op.results:
                if _bytes(value.type) > limit and not (fused and _may_vanish(value)):
                    raise _beyond(op, f"makes a {value.type}", _bytes(value.type), limit)


def check_plan(entry: func.FuncOp, signature: Signature, workers: int) -> None:
    """Refuse an entry whose planned memory and results are larger than the machine's memory.

    Raises:
        InvalidProgramError: they are; located at the largest temporary.
    """
    results = sum(t.nbytes for t in signature.outputs)
    total = signature.arena_bytes + signature.worker_bytes * workers + results
    _check_sum(entry, "results and temporaries", total, memory_bytes(), "this machine")


def check_call(entry: func.FuncOp, signature: Signature) -> None:
    """Refuse an entry whose `stepwell.abi` is not that of its buffers: native code trusts the sizes of what it is called with.

    Only IR that was not lowered here can have one.

    Raises:
        InvalidProgramError: the arrays and the buffers differ in number or size, or a temporary lies outside of the arena.
    """
    arrays = (*signature.inputs, *signature.outputs)
    buffers = entry.function_type.inputs.data
    if len(buffers) != len(arrays) + 2:
        raise invalid(
            entry, f"takes {len(buffers)} buffers, but its stepwell.abi has {len(arrays)} arrays and 2 of memory"
        )
    for number, (array, buffer) in enumerate(zip(arrays, buffers, strict=False)):
        if not isinstance(buffer, MemRefType) or _exact_bytes(buffer) != array.nbytes:
            raise invalid(entry, f"takes a {buffer} as buffer {number}, but its stepwell.abi has {array}")
    arena = entry.body.block.args[len(arrays)]
    for op in entry.walk():
        if isinstance(op, memref.ViewOp) and op.operands[0] is arena:
            _check_view(op, signature.arena_bytes)


def _check_view(view: memref.ViewOp, arena_bytes: int) -> None:
    """Refuse a temporary that is not inside of the arena."""
    shift = view.operands[1].owner
    offset = shift.value if isinstance(shift, arith.ConstantOp) else None
    kind = view.results[0].type
    size = _exact_bytes(kind) if isinstance(kind, MemRefType) else None
    if not isinstance(offset, IntegerAttr) or size is None or not 0 <= offset.value.data <= arena_bytes - size:
        raise invalid(view, f"lies outside of the arena: its stepwell.abi has {arena_bytes} bytes of temporaries")


def _exact_bytes(type_: MemRefType[Attribute]) -> int | None:
    try:
        return prod(type_.get_shape()) * numpy_dtype(type_.get_element_type()).itemsize
    except TypeError:
        return None


def check_device_plan(entry: func.FuncOp, signature: Signature, limit: int) -> None:
    """Refuse an entry whose arguments, results and planned memory are larger than a device's memory.

    Raises:
        InvalidProgramError: they are; located at the largest temporary.
    """
    total = signature.arena_bytes + sum(t.nbytes for t in (*signature.inputs, *signature.outputs))
    _check_sum(entry, "arguments, results and temporaries", total, limit, "the GPU")


def _check_sum(entry: func.FuncOp, what: str, total: int, limit: int, where: str) -> None:
    if total <= limit:
        return
    views = [op for op in entry.walk() if isinstance(op, memref.ViewOp)]
    largest = max(views, key=lambda op: _bytes(op.results[0].type), default=None)
    message = f"the program's {what} take {total} bytes, more than the {limit} of {where}"
    if largest is not None:
        message += f"; the largest temporary is a {largest.results[0].type}"
    place = location_of(largest if largest is not None else entry)
    raise InvalidProgramDiagnosticError(Diagnostic("error", place, message, hint=_HINT))


def _may_vanish(value: SSAValue) -> bool:
    owner = value.owner
    return (
        isinstance(owner, Operation)
        and owner.name in _FUSABLE
        and all(use.operation.name in _FUSABLE for use in value.uses)
    )


def _bytes(type_: Attribute) -> int:
    if not isinstance(type_, TensorType | MemRefType):
        return 0
    count = prod(size for size in type_.get_shape() if size >= 0)
    if count < 1 << 16:  # no machine is that small: most types need no further look
        return 0
    try:
        return count * numpy_dtype(type_.get_element_type()).itemsize
    except TypeError:
        return count


def _beyond(op: Operation, what: str, size: int, limit: int) -> InvalidProgramDiagnosticError:
    message = f"{what} of {size} bytes, more than the {limit} of this machine"
    return InvalidProgramDiagnosticError(op_diagnostic(op, message, _HINT))
