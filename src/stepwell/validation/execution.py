"""Calling a function of any step in the interpreter on the same arrays, and getting the same arrays back.

Passes change how a function is called: unsigned becomes signless, complex numbers become pairs, results become buffers. Here a
call always takes and gives the arrays of the types that the function had first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import IndexType, MemRefType, TensorType, VectorType
from xdsl.ir import Attribute, Block, Operation

from stepwell.dialects.interp.entry import call_in_memory
from stepwell.dialects.registry import interpreter_rules
from stepwell.dialects.stepwell import ABI, AbiAttr
from stepwell.generated_inputs import Array, NoInputError, array_form
from stepwell.ir.errors import SimulationError
from stepwell.ir.interpreter import Interpreter, InterpreterError, Rule, Value
from stepwell.ir.recursion import deep_recursion

STEP_LIMIT = 200_000
"""Ops one call may run in the interpreter; beyond that the function is not validated."""

_SHAPED = (TensorType, MemRefType, VectorType)
Form: TypeAlias = tuple[tuple[int, ...], np.dtype[Any]]


@dataclass(frozen=True)
class Outcome:
    """What a call gave: results, or why there are none."""

    results: tuple[Array, ...] | None = None
    fault: str | None = None
    """What the program did wrong, as an access out of bounds."""
    unknown: str | None = None
    """Why nothing can be said, as an op without a rule."""
    too_long: bool = False
    """The call did not end within `STEP_LIMIT`, and will not on later steps."""


class _TooLongError(Exception):
    """The call ran more ops than it may."""


class _BoundedInterpreter(Interpreter):
    """Counts ops, so that a call ends by itself after the same number of ops everywhere."""

    def __init__(self, module: Operation, rules: dict[str, Rule]):
        super().__init__(module, rules)
        self._left = STEP_LIMIT
        self._sizes: dict[Block, int] = {}

    def run_block(self, block: Block, args: Sequence[Value] = ()) -> tuple[Value, ...]:
        size = self._sizes.get(block)
        if size is None:
            size = self._sizes[block] = sum(1 for _ in block.ops)
        self._left -= size
        if self._left < 0:
            raise _TooLongError
        return super().run_block(block, args)


@dataclass(frozen=True)
class Interface:
    """The arrays a function takes and gives, whatever its step."""

    inputs: tuple[Attribute, ...]
    outputs: tuple[Form, ...]
    in_place: tuple[int, ...] = ()
    """Inputs that are memory the function writes: they count as results too."""

    @classmethod
    def of(cls, function: func.FuncOp) -> Interface:
        """The interface of a function as it is now.

        Raises:
            NoInputError: no array can be passed or returned for some type.
        """
        signature = function.function_type
        inputs, outputs = tuple(signature.inputs.data), tuple(signature.outputs.data)
        abi = function.attributes.get(ABI)
        if any(isinstance(t, MemRefType) for t in inputs):
            if isinstance(abi, AbiAttr):
                count, results = len(abi.inputs), len(abi.outputs)
                inputs, outputs = inputs[:count], inputs[count : count + results]
                return cls(inputs, tuple(array_form(t) for t in outputs))
            memory = tuple(i for i, t in enumerate(inputs) if isinstance(t, MemRefType))
            _ = [array_form(t) for t in inputs]
            return cls(inputs, tuple(array_form(t) for t in outputs), memory)
        _ = [array_form(t) for t in inputs]
        return cls(inputs, tuple(array_form(t) for t in outputs))


def call(
    module: Operation,
    name: str,
    interface: Interface,
    inputs: Sequence[Array],
    rules: dict[str, Rule] | None = None,
) -> Outcome:
    """The outcome of calling `@name` of `module`, at whatever step, on arrays of `interface`."""
    function = find_function(module, name)
    if function is None:
        return Outcome(fault=f"there is no function @{name} any more")
    interpreter = _BoundedInterpreter(module, interpreter_rules() if rules is None else rules)
    try:
        with np.errstate(all="ignore"), deep_recursion():
            return _call(interpreter, function, interface, inputs)
    except _TooLongError:
        return Outcome(unknown=f"it takes more than {STEP_LIMIT:,} steps in the interpreter", too_long=True)
    except InterpreterError as error:
        if "no interpreter rule" in str(error):
            return Outcome(unknown=f"the interpreter has no rule for {error.op.name}")
        return Outcome(fault=f"the interpreter stops: {error}")
    except SimulationError as error:  # a race, an access out of bounds: what no GPU allows
        return Outcome(fault=f"the simulator stops: {str(error).splitlines()[0]}")
    except NoInputError as error:
        return Outcome(unknown=str(error))
    except MemoryError:
        return Outcome(unknown="it takes more memory than there is")
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        return Outcome(unknown=f"the interpreter fails: {type(error).__name__}: {reason}")


def find_function(module: Operation, name: str) -> func.FuncOp | None:
    """The function called `name` with a body."""
    for op in module.regions[0].block.ops:
        if isinstance(op, func.FuncOp) and op.sym_name.data == name and not op.is_declaration:
            return op
    return None


def _call(interpreter: Interpreter, function: func.FuncOp, interface: Interface, inputs: Sequence[Array]) -> Outcome:
    types = function.function_type.inputs.data
    arguments = [_argument(a.copy(), t) for a, t in zip(inputs, types, strict=False)]
    if interface.in_place:
        returned = interpreter.call_op(function, tuple(arguments))
        memory = [arguments[i] for i in interface.in_place]
        forms = [array_form(interface.inputs[i]) for i in interface.in_place]
        values, forms = [*returned, *memory], [*interface.outputs, *forms]
    else:
        values, after = call_in_memory(interpreter, function, arguments, len(interface.outputs))
        forms = list(interface.outputs)
        written = _overwritten(function, arguments, after)
        if written is not None:
            return Outcome(fault=f"it writes its input {written}, which is not donated")
    if len(values) != len(forms):
        return Outcome(fault=f"it gives {len(values)} results instead of {len(forms)}")
    return Outcome(tuple(_result(v, form) for v, form in zip(values, forms, strict=True)))


def _overwritten(function: func.FuncOp, before: Sequence[Value], after: Sequence[Value]) -> int | None:
    """The first input whose memory a call changed without leave."""
    abi = function.attributes.get(ABI)
    donated = abi.donated if isinstance(abi, AbiAttr) else ()
    for i, (old, new) in enumerate(zip(before, after, strict=True)):
        if i not in donated and isinstance(new, np.ndarray) and old is not new:
            if new.tobytes() != np.asarray(old).tobytes():
                return i
    return None


def _argument(array: Array, type_: Attribute) -> Value:
    """An array as the interpreter holds a value of `type_`, which may have become signless, or a pair of reals."""
    shape, dtype = array_form(type_)
    if array.dtype != dtype:
        array = _viewed(np.ascontiguousarray(array).reshape(array.shape), dtype)
    if not isinstance(type_, _SHAPED):
        return int(array) if isinstance(type_, IndexType) else array[()]
    return array.reshape(shape)


def _result(value: Value, form: Form) -> Array:
    """A result in the form that the function's results had first; its own form where that is another."""
    shape, dtype = form
    array = np.asarray(value)
    if array.dtype != dtype:
        array = _viewed(np.ascontiguousarray(array).reshape(array.shape), dtype)
    return array.reshape(shape) if array.size == int(np.prod(shape)) and dtype.kind == "c" else np.array(array)


def _viewed(array: Array, dtype: np.dtype[Any]) -> Array:
    """The same bits as another type: signs, or complex numbers as pairs of reals in a last dim, and back."""
    if array.dtype.kind == "c" and dtype.itemsize * 2 == array.dtype.itemsize:
        return array.reshape(*array.shape, 1).view(dtype)
    if dtype.kind == "c" and array.dtype.itemsize * 2 == dtype.itemsize and array.shape[-1:] == (2,):
        return array.view(dtype).reshape(array.shape[:-1])
    return array.view(dtype) if array.dtype.itemsize == dtype.itemsize else array


__all__ = ["STEP_LIMIT", "Interface", "Outcome", "call", "find_function"]
