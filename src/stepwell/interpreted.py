"""Running a module of any step with the interpreter, behind the interface of an executable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import ComplexType, ModuleOp

from stepwell.dialects.registry import interpreter_rules
from stepwell.ir.diagnostics import Diagnostic, DiagnosticError, UnsupportedDiagnosticError, location_of
from stepwell.ir.errors import InvalidProgramError
from stepwell.ir.interpreter import Interpreter, InterpreterError
from stepwell.runtime.executable import Array, Signature


def _signless(array: Array) -> Array:
    """The same memory with signed elements, as step 2 and below have them."""
    name = array.dtype.name
    if name in ("uint2", "uint4"):
        return array.view(getattr(ml_dtypes, name[1:]))
    return array.view(f"i{array.dtype.itemsize}") if array.dtype.kind == "u" else array


def interleaved(array: Array) -> Array:
    """A complex array as its real type with the parts in a last dim of 2, the same memory; any other array itself."""
    return array[..., None].view(np.real(array).dtype) if array.dtype.kind == "c" else array


def _is_split(module: ModuleOp, entry: str) -> bool:
    """Whether the entry takes and returns complex arrays as interleaved parts: no type of it is complex."""
    for op in module.body.block.ops:
        if isinstance(op, func.FuncOp) and op.sym_name.data == entry:
            types = (*op.function_type.inputs.data, *op.function_type.outputs.data)
            return not any(isinstance(getattr(t, "element_type", None), ComplexType) for t in types)
    return False


def _located(error: InterpreterError) -> DiagnosticError:
    """What the interpreter met, as a diagnostic at its op."""
    kind = UnsupportedDiagnosticError if "no interpreter rule" in str(error) else DiagnosticError
    return kind(Diagnostic("error", location_of(error.op), str(error)))


def runner(
    module: ModuleOp,
    entry: str,
    signature: Signature,
    step: int,
    staging: int | None = None,
) -> Callable[[Sequence[Array], Sequence[Array]], None]:
    """What runs `entry` of a module at a step (index into the steps) on arrays and fills the results.

    `staging` is how much memory of its host a program for a device asks for, None for a program of the host alone.
    """
    split = _is_split(module, entry)

    def fed(array: Array) -> Array:
        array = interleaved(array) if split else array
        return array if step == 0 else _signless(array)

    def on_tensors(interpreter: Interpreter, inputs: Sequence[Array]) -> Sequence[Any]:
        return interpreter.call(entry, [fed(a) for a in inputs])

    def on_buffers(interpreter: Interpreter, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        arena = np.zeros(max(signature.arena_bytes, 64), np.int8)
        workers = np.zeros((1, max(signature.worker_bytes, 1)), np.int8)
        arrays = [fed(a.copy() if i not in signature.donated else a) for i, a in enumerate(inputs)]
        host = [] if staging is None else [np.zeros(max(staging, 1), np.int8)]
        interpreter.call(entry, [*arrays, *(fed(o) for o in outputs), arena, workers, *host])

    def run(inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        interpreter = Interpreter(module, interpreter_rules())
        try:
            with np.errstate(all="ignore"):
                if step >= 4:
                    on_buffers(interpreter, inputs, outputs)
                    return
                for target, result in zip(outputs, on_tensors(interpreter, inputs), strict=True):
                    place = fed(target)
                    value = np.asarray(result)
                    place[...] = value.view(place.dtype) if value.dtype != place.dtype else value
        except InterpreterError as error:
            raise _located(error) from error
        except MemoryError as error:
            raise InvalidProgramError(f"the program needs more memory than there is: {error}") from None

    return run
