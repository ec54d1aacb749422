"""Custom calls about shapes: assertions, the dynamic ops that have no op of their own, and shape operands of others.

custom_call @shape_assertion(%holds, %n, ...)         checked here, with the message it carries
custom_call @stablehlo.dynamic_reduce_window(...)     stablehlo.reduce_window
custom_call @stablehlo.dynamic_rng_bit_generator(..)  stablehlo.rng_bit_generator
custom_call @stablehlo.dynamic_top_k(%x, %k)          chlo.top_k
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, cast

from xdsl.dialects import func
from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseIntOrFPElementsAttr,
    StringAttr,
    SymbolRefAttr,
    TensorType,
)
from xdsl.ir import Attribute, Operation, SSAValue

from stepwell.dialects import chlo, stablehlo
from stepwell.dialects.stablehlo.attrs import OutputOperandAlias, OutputOperandAliasAttr, RngAlgorithmAttr
from stepwell.dialects.stablehlo.base import AnyTensor, i64_array
from stepwell.dialects.stablehlo.dynamic import known_values
from stepwell.dialects.stablehlo.reductions import padding_attr
from stepwell.ir.dense import dense_to_array
from stepwell.ir.diagnostics import invalid, unsupported
from stepwell.passes.hlo import function_region
from stepwell.passes.shape_refinement.folding import size_constant

Lookup = Callable[[str], "func.FuncOp | None"]
SHAPE_OPERAND_INDICES = "indices_of_shape_operands"


def check_assertion(op: stablehlo.CustomCallOp) -> None:
    """Erase an assertion that holds.

    Raises:
        InvalidProgramError: it does not hold; says its message with the sizes in it.
        UnsupportedError: it depends on data.
    """
    text = op.attributes.get("error_message")
    if not op.operands or not isinstance(text, StringAttr):
        raise invalid(op, "a shape_assertion has a predicate and an error_message")
    known = [size_constant(o) for o in op.operands]
    if known[0] is None:
        raise unsupported(op, "a shape assertion about data", "assert what is computed from shapes alone")
    if bool(dense_to_array(cast(Any, known[0]).value).all()):
        op.detach()
        op.erase()
        return
    values = [_number(k) for k in known[1:]]
    filled = re.sub(r"\{(\d+)\}", lambda m: values[int(m[1])] if int(m[1]) < len(values) else m[0], text.data)
    raise invalid(op, f"'stablehlo.custom_call' op shape assertion failed: {filled}")


def _number(constant: stablehlo.ConstantOp | None) -> str:
    if constant is None:
        return "?"
    values = dense_to_array(cast(Any, constant.value)).reshape(-1).tolist()
    return str(values[0]) if len(values) == 1 else str(values)


def without_shape_operands(op: stablehlo.CustomCallOp) -> stablehlo.CustomCallOp:
    """A new call without the operands that only say the shapes of its results."""
    dropped = [int(i) for i in dense_to_array(cast(Any, op.attributes[SHAPE_OPERAND_INDICES])).reshape(-1)]
    kept = [i for i in range(len(op.operands)) if i not in dropped]
    properties = dict(op.properties)
    layouts = op.operand_layouts
    if layouts is not None and len(layouts.data) == len(op.operands):
        properties["operand_layouts"] = ArrayAttr([layouts.data[i] for i in kept])
    if op.output_operand_aliases is not None:
        properties["output_operand_aliases"] = ArrayAttr([_moved(a, kept) for a in op.output_operand_aliases.data])
    made = stablehlo.CustomCallOp.create(
        operands=[op.operands[i] for i in kept],
        result_types=[r.type for r in op.results],
        properties=properties,
        attributes={k: v for k, v in op.attributes.items() if k != SHAPE_OPERAND_INDICES},
    )
    made.location = op.location
    return made


def _moved(alias: Attribute, kept: Sequence[int]) -> Attribute:
    if not isinstance(alias, OutputOperandAliasAttr) or alias.data.operand_index not in kept:
        return alias
    out, index, operand = alias.data
    return OutputOperandAliasAttr(OutputOperandAlias(out, kept.index(index), operand))


def _sizes(op: stablehlo.CustomCallOp, index: int) -> tuple[int, ...]:
    values = known_values(op.operands[index])
    if values is None:
        raise unsupported(op, f"operand {index} says a shape and depends on data")
    return values


def _reduce_window(op: stablehlo.CustomCallOp, lookup: Lookup) -> Operation:
    """Inputs, initial values, then window, strides, dilations of the base and of the window, padding."""
    count = (len(op.operands) - 5) // 2
    names = () if op.called_computations is None else op.called_computations.data
    callee = lookup(cast(SymbolRefAttr, names[0]).string_value()) if len(names) == 1 else None
    if count < 1 or len(op.operands) != 2 * count + 5 or callee is None:
        raise invalid(op, "needs inputs and initial values, five shape operands and one called computation")
    window, strides, base, dilation, padding = (_sizes(op, 2 * count + i) for i in range(5))
    return stablehlo.ReduceWindowOp.create(
        operands=op.operands[: 2 * count],
        result_types=[r.type for r in op.results],
        properties={
            "window_dimensions": i64_array(window),
            "window_strides": i64_array(strides),
            "base_dilations": i64_array(base),
            "window_dilations": i64_array(dilation),
            "padding": padding_attr(list(zip(padding[::2], padding[1::2], strict=True))),
        },
        regions=[function_region(op, callee)],
    )


def _rng_bit_generator(op: stablehlo.CustomCallOp, lookup: Lookup) -> Operation:
    algorithm = op.attributes.get("rng_algorithm")
    if len(op.operands) != 2 or len(op.results) != 2 or not isinstance(algorithm, RngAlgorithmAttr):
        raise invalid(op, "needs a state, a shape and an rng_algorithm")
    types = [op.operands[0].type, _reshaped(op.results[1], _sizes(op, 1))]
    return stablehlo.RngBitGeneratorOp.create(
        operands=[op.operands[0]], result_types=types, properties={"rng_algorithm": algorithm}
    )


def _top_k(op: stablehlo.CustomCallOp, lookup: Lookup) -> Operation:
    if len(op.operands) != 2 or len(op.results) != 2:
        raise invalid(op, "needs an operand and k")
    (k,) = _sizes(op, 1)
    return chlo.TopKOp(op.operands[0], k)


def _reshaped(value: SSAValue, shape: Sequence[int]) -> Attribute:
    return TensorType(cast(AnyTensor, value.type).element_type, shape)


_EXPANSIONS: dict[str, Callable[[stablehlo.CustomCallOp, Lookup], Operation]] = {
    "stablehlo.dynamic_reduce_window": _reduce_window,
    "stablehlo.dynamic_rng_bit_generator": _rng_bit_generator,
    "stablehlo.dynamic_top_k": _top_k,
}


def static_call(op: stablehlo.CustomCallOp, lookup: Lookup) -> Operation | None:
    """The op that a custom call with sizes stands for, if it does; its result types may still be unknown."""
    target = op.call_target_name.data
    expand = _EXPANSIONS.get(target)
    if expand is not None:
        made = expand(op, lookup)
        made.location = op.location
        return made
    if target.startswith("stablehlo.dynamic_"):
        raise unsupported(op, f"nothing is known of @{target}")
    if isinstance(op.attributes.get(SHAPE_OPERAND_INDICES), DenseIntOrFPElementsAttr):
        return without_shape_operands(op)
    return None


__all__ = ["SHAPE_OPERAND_INDICES", "check_assertion", "static_call", "without_shape_operands"]
