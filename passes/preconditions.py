"""What a pass asks of its input, checked on signatures before it touches anything.

A pass written for one step meets a module of another when a person composes pipelines by hand. Looking at the arguments and
results of functions is cheap and tells tensors from buffers, so the refusal comes first and says which pass is missing.
"""

from __future__ import annotations

from collections.abc import Iterator

from xdsl.dialects.builtin import FunctionType, MemRefType, TensorType, UnrankedMemRefType, UnrankedTensorType
from xdsl.ir import Attribute, Operation

from stepwell.ir.diagnostics import invalid, unsupported

_FUNCTIONS = ("func.func", "kernel.func")


def functions_of(op: Operation) -> Iterator[Operation]:
    """`op` itself when it is a function, else the host functions and kernels directly in it."""
    if op.name in _FUNCTIONS:
        yield op
        return
    for region in op.regions:
        for block in region.blocks:
            for inner in block.ops:
                if inner.name in _FUNCTIONS:
                    yield inner


def _signature(function: Operation) -> tuple[Attribute, ...]:
    kind = function.properties.get("function_type")
    return (*kind.inputs.data, *kind.outputs.data) if isinstance(kind, FunctionType) else ()


def needs_tensors(op: Operation, pass_name: str, step: str) -> None:
    """Refuse a module on buffers; `step` says what the pass takes, as `"step 3"`.

    Raises:
        InvalidProgramError: a function has a memref argument or result; located there.
    """
    for function in functions_of(op):
        for type_ in _signature(function):
            if isinstance(type_, MemRefType | UnrankedMemRefType):
                reason = f"'{pass_name}' needs tensors ({step}); its signature has {type_}"
                raise invalid(function, f"cannot be transformed: {reason}", "run it before bufferize")


def needs_buffers(op: Operation, pass_name: str) -> None:
    """Refuse a module on tensors.

    Raises:
        InvalidProgramError: a function has a tensor argument or result; located there.
    """
    for function in functions_of(op):
        for type_ in _signature(function):
            if isinstance(type_, TensorType | UnrankedTensorType):
                reason = f"'{pass_name}' needs buffers (step 5); its signature has {type_}"
                raise invalid(function, f"cannot be transformed: {reason}", "run bufferize first")


__all__ = ["functions_of", "needs_buffers", "needs_tensors"]


def needs_known_sizes(op: Operation, pass_name: str) -> None:
    """Refuse an op on tensors some of whose sizes only a run knows.

    Raises:
        UnsupportedError: an operand or a result has such a size; located at the op.
    """
    for value in (*op.operands, *op.results):
        if isinstance(value.type, TensorType) and not value.type.has_static_shape():
            reason = f"'{pass_name}' weighs bytes, which {value.type} does not say"
            raise unsupported(op, reason, "run refine-shapes with the shapes of the arguments first")
