"""Interpreter rules of StableHLO's dynamic ops: each is its static op with the values of its shape operands.

A result type that says another shape is an error here: native code need not notice it.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Block, Operation

from stepwell.dialects.interp import stablehlo_contractions, stablehlo_data
from stepwell.dialects.interp.stablehlo_data import Args
from stepwell.dialects.stablehlo.static_forms import DYNAMIC_OPS, SHAPE_OPERANDS, static_form
from stepwell.ir.interpreter import Interpreter, InterpreterError, Rule, Value
from stepwell.ir.shapes import ShapeError, compatible

_STATIC_RULES = {**stablehlo_contractions.RULES, **stablehlo_data.RULES}


def _as_static(interp: Interpreter, op: Operation, args: Args) -> tuple[Value, ...]:
    types = [TensorType(cast(Any, o.type).element_type, a.shape) for o, a in zip(op.operands, args, strict=True)]

    def known(position: int) -> tuple[int, ...]:
        return tuple(int(v) for v in np.asarray(args[position]).reshape(-1))

    try:
        made = static_form(op, Block(arg_types=types).args, known)
    except ShapeError as error:
        raise InterpreterError(op, str(error)) from error
    assert made is not None
    count = len(made.operands)
    results = tuple(_STATIC_RULES[made.name](interp, made, args[:count]))
    written, shape = cast(Any, op.results[0].type), np.shape(results[0])
    if not compatible(written.get_shape(), shape):
        sizes = ", ".join(str(list(known(i))) for i in SHAPE_OPERANDS.get(op.name, ()))
        raise InterpreterError(op, f"{sizes} makes a result of shape {list(shape)}, its type is {written}")
    return results


RULES: dict[str, Rule] = dict.fromkeys(DYNAMIC_OPS, _as_static)
