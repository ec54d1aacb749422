"""Indices that nobody checks: what StableHLO does with an index out of range, taken out of kernels whose program promises that none is.

StableHLO clamps the starts of slices and gathers and drops updates outside of a scatter's destination. A function with
`stepwell.unchecked_indices` promises that every index is in range; one that is not is undefined behaviour: any memory may be read
or written. `critical-path` takes the checks out on step 3, where those that canonicalization could prove needless are gone already.

On step 3 an index of a read is clamped by `index` minima and maxima with constants, of an integer of the program; nothing else looks so:
what pads and windows compute of loop indices is no integer of the program, and stays.
"""

from __future__ import annotations

from collections.abc import Mapping

from xdsl.dialects import arith, func, tensor
from xdsl.dialects.builtin import IndexType, IntegerAttr, UnitAttr
from xdsl.ir import Operation, SSAValue
from xdsl.rewriter import Rewriter

from stepwell.dialects import kernel, structured
from stepwell.dialects.arith import IndexCastUIOp
from stepwell.dialects.stepwell import UNCHECKED_INDICES
from stepwell.ir.diagnostics import invalid, remark

_BOUNDS = (arith.MinSIOp, arith.MaxSIOp, arith.MinUIOp)
_CASTS = (arith.IndexCastOp, IndexCastUIOp)
_UPDATES: dict[type[Operation], str] = {
    structured.ScatterOp: "an update outside of the destination",
    structured.UpdateSliceOp: "a start that leaves no room for the update",
}


def is_unchecked(function: Operation) -> bool:
    """Whether a function promises that its indices are in range.

    Raises:
        InvalidProgramError: its attribute says something else.
    """
    value = function.attributes.get(UNCHECKED_INDICES)
    if value is not None and not isinstance(value, UnitAttr):
        raise invalid(function, f"has a {UNCHECKED_INDICES} that is no unit attribute: {value}", "leave out its value")
    return value is not None


def drop_checks(functions: Mapping[str, func.FuncOp], kernels: Mapping[str, kernel.FuncOp]) -> None:
    """Take the checks out of the kernels that only functions without them launch, with a remark for each."""
    launched: dict[str, dict[str, bool]] = {}
    for name, function in functions.items():
        for op in function.walk():
            if isinstance(op, kernel.LaunchOp):
                launched.setdefault(op.callee.root_reference.data, {})[name] = is_unchecked(function)
    for name, by in launched.items():
        if name not in kernels or not any(by.values()):
            continue
        checked = next((function for function, unchecked in by.items() if not unchecked), None)
        if checked is None:
            _drop(kernels[name])
        elif _clamps(kernels[name]) or _updates(kernels[name]):
            remark(
                kernels[name], f"keeps the checks of its indices: @{checked}, which has them checked, launches it too"
            )


def _drop(function: kernel.FuncOp) -> None:
    for last, read, (index, low, high) in _clamps(function):
        remark(read, f"does not check an index: one that is not in {low} ... {high} is undefined behaviour")
        bounds = list(last.operands)
        Rewriter.replace_op(last, [], [index])
        for operand in bounds:
            _drop_unused(operand)
    for op in _updates(function):
        remark(op, f"does not check its indices: {_UPDATES[type(op)]} is undefined behaviour")
        op.properties["unchecked"] = UnitAttr()


def _drop_unused(value: SSAValue) -> None:
    """Erase the rest of a chain of bounds."""
    op = value.owner
    if isinstance(op, Operation) and _is_bound(op) and not list(value.uses):
        operands = list(op.operands)
        Rewriter.erase_op(op)
        for operand in operands:
            _drop_unused(operand)


def _updates(function: kernel.FuncOp) -> list[Operation]:
    return [op for op in function.walk() if type(op) in _UPDATES and "unchecked" not in op.properties]


def _clamps(function: kernel.FuncOp) -> list[tuple[Operation, Operation, tuple[SSAValue, int, int]]]:
    """The last op of each clamp that only addresses reads, one of them, and the index that is clamped, with its bounds."""
    found: list[tuple[Operation, Operation, tuple[SSAValue, int, int]]] = []
    for op in function.walk():
        if not _is_bound(op) or any(_is_bound(use.operation) for use in op.results[0].uses):
            continue
        clamped = _clamped(op)
        read = _addressed(op.results[0])
        if clamped is not None and read is not None:
            found.append((op, read, clamped))
    return found


def _is_bound(op: Operation) -> bool:
    return isinstance(op, _BOUNDS) and isinstance(op.results[0].type, IndexType)


def _clamped(op: Operation) -> tuple[SSAValue, int, int] | None:
    """What a chain of bounds is of, if that is an integer of the program, and what it leaves of it."""
    low, high = 0, (1 << 63) - 1
    while _is_bound(op):
        number = next((n for operand in op.operands if (n := _constant(operand)) is not None), None)
        if number is None:
            return None
        low, high = (number, high) if isinstance(op, arith.MaxSIOp) else (low, min(high, number))
        value = next((operand for operand in op.operands if _constant(operand) is None), None)
        if value is None or not isinstance(value.owner, Operation):
            return None
        op = value.owner
    return (op.results[0], low, high) if isinstance(op, _CASTS) else None


def _constant(value: SSAValue) -> int | None:
    owner = value.owner
    held = owner.value if isinstance(owner, arith.ConstantOp) else None
    return held.value.data if isinstance(held, IntegerAttr) else None


def _addressed(value: SSAValue) -> Operation | None:
    """A read that an index addresses, perhaps by additions; None where anything else is made of it."""
    pending, read = [value], None
    while pending:
        for use in pending.pop().uses:
            if isinstance(use.operation, arith.AddiOp):
                pending.append(use.operation.result)
            elif isinstance(use.operation, tensor.ExtractOp) and use.index > 0:
                read = read or use.operation
            else:
                return None
    return read


__all__ = ["drop_checks", "is_unchecked"]
