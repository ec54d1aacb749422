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


def call_function(
    interp: Interpreter, function: func.FuncOp, inputs: Sequence[Array], outputs: int | None = None
) -> tuple[Array, ...]:
    """The results of `function` for `inputs`, which are not changed, at whatever step it is.

    `outputs` is how many results it has, for a function on buffers that does not say (before plan-memory).
    """
    return call_in_memory(interp, function, inputs, outputs)[0]


def call_in_memory(
    interp: Interpreter, function: func.FuncOp, inputs: Sequence[Array], outputs: int | None = None
) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """(results, what the call left in the inputs' memory); see `call_function`."""
    arguments = function.body.block.args
    if not any(isinstance(a.type, MemRefType) for a in arguments):
        return interp.call_op(function, tuple(inputs)), tuple(inputs)
    count, results = _signature(function, len(inputs), outputs)
    values: list[Array] = [np.array(a) for a in inputs]
    values.extend(_memory(argument.type, 0) for argument in arguments[count : count + results])
    sizes = iter((_bytes_of(function, "arena_bytes"), _bytes_of(function, "staging_bytes")))
    for argument in arguments[count + results :]:
        assert isinstance(argument.type, MemRefType)
        # The workers' slab has a row for each; the arena and what is staged through are bytes in a row.
        values.append(_memory(argument.type, WORKERS if argument.type.get_num_dims() == 2 else next(sizes)))
    interp.call_op(function, tuple(values))
    return tuple(values[count : count + results]), tuple(values[:count])


def _signature(function: func.FuncOp, inputs: int, outputs: int | None) -> tuple[int, int]:
    abi = function.attributes.get(ABI)
    if isinstance(abi, AbiAttr):
        return len(abi.inputs), len(abi.outputs)
    signature = function.attributes.get("stepwell.signature")
    if isinstance(signature, DenseArrayBase):
        counts = [int(n) for n in signature.get_values()]
        return counts[0], counts[1]
    return inputs, len(function.body.block.args) - inputs if outputs is None else outputs


def _bytes_of(function: func.FuncOp, entry: str) -> int:
    abi = function.attributes.get(ABI)
    memory = abi.entries if isinstance(abi, AbiAttr) else function.attributes.get("stepwell.memory")
    size = memory.data.get(entry) if isinstance(memory, DictionaryAttr) else None
    return size.value.data if isinstance(size, IntegerAttr) else 0


def _memory(kind: Attribute, size: int) -> Array:
    """Undefined contents; `size` stands for a dynamic dimension."""
    assert isinstance(kind, MemRefType)
    shape = tuple(size if n == DYNAMIC_INDEX else n for n in kind.get_shape())
    return np.array(undefined(shape, numpy_dtype(kind.element_type)))
