"""Calling a function of any step in the interpreter with inputs only.

After bufferization a function takes its outputs, and after planning an arena, as arguments: they are made here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import DYNAMIC_INDEX, DenseArrayBase, DictionaryAttr, IntegerAttr, MemRefType
from xdsl.ir import Attribute

from stepwell.dialects.interp.tensor import undefined
from stepwell.dialects.stepwell import ABI, AbiAttr
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.interpreter import Interpreter

Array = np.ndarray[Any, np.dtype[Any]]

WORKERS = 2
"""Rows of the worker slab; the interpreter uses the first."""


def call_function(interp: Interpreter, function: func.FuncOp, inputs: Sequence[Array]) -> tuple[Array, ...]:
    """The results of `function` for `inputs`, which are not changed, at whatever step it is."""
    arguments = function.body.block.args
    if not any(isinstance(a.type, MemRefType) for a in arguments):
        return interp.call_op(function, tuple(inputs))
    count, outputs = _signature(function, len(inputs))
    values: list[Array] = [np.array(a) for a in inputs]
    for argument in arguments[count : count + outputs]:
        values.append(_memory(argument.type, 0))
    rest = arguments[count + outputs :]
    for number, argument in enumerate(rest):
        last = number == len(rest) - 1
        values.append(_memory(argument.type, WORKERS if last else _arena_bytes(function)))
    interp.call_op(function, tuple(values))
    return tuple(values[count : count + outputs])


def _signature(function: func.FuncOp, inputs: int) -> tuple[int, int]:
    abi = function.attributes.get(ABI)
    if isinstance(abi, AbiAttr):
        return len(abi.inputs), len(abi.outputs)
    signature = function.attributes.get("stepwell.signature")
    if isinstance(signature, DenseArrayBase):
        counts = [int(n) for n in signature.get_values()]
        return counts[0], counts[1]
    return inputs, len(function.body.block.args) - inputs


def _arena_bytes(function: func.FuncOp) -> int:
    abi = function.attributes.get(ABI)
    memory = abi.entries if isinstance(abi, AbiAttr) else function.attributes.get("stepwell.memory")
    size = memory.data.get("arena_bytes") if isinstance(memory, DictionaryAttr) else None
    return size.value.data if isinstance(size, IntegerAttr) else 0


def _memory(kind: Attribute, size: int) -> Array:
    """Undefined contents; `size` stands for a dynamic dimension."""
    assert isinstance(kind, MemRefType)
    shape = tuple(size if n == DYNAMIC_INDEX else n for n in kind.get_shape())
    return np.array(undefined(shape, numpy_dtype(kind.element_type)))
