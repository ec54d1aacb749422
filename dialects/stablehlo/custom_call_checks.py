"""What a custom call says about layouts and aliases must fit its operands and results.

The specification has no labelled constraints here; the names of the attributes stand for labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseIntOrFPElementsAttr,
    DictionaryAttr,
    IntegerAttr,
    MemRefType,
    StringAttr,
    TensorType,
    TupleType,
)
from xdsl.ir import Attribute

from stepwell.dialects.stablehlo.attrs import OutputOperandAliasAttr
from stepwell.dialects.stablehlo.base import StableHLOOp
from stepwell.ir.dense import dense_to_list

_TYPED_FFI = 4
"""The API version whose configuration is a dictionary."""


def verify_custom_call(op: StableHLOOp) -> None:
    """Check the layouts, the aliases and the configuration of a custom call."""
    operands, results = list(op.operand_types), list(op.result_types)
    layouts = [op.properties.get(name) for name in ("operand_layouts", "result_layouts")]
    if any(each is not None for each in layouts):
        both = all(isinstance(each, ArrayAttr) for each in layouts)
        op.require("layouts", both, lambda: "layouts are of both the operands and the results, or of neither")
        alone = results[0] if len(results) == 1 else None
        members = list(alone.types.data) if isinstance(alone, TupleType) else results
        _verify_layouts(op, "operand", operands, cast("ArrayAttr[Attribute]", layouts[0]).data)
        _verify_layouts(op, "result", members, cast("ArrayAttr[Attribute]", layouts[1]).data)
    aliases = op.properties.get("output_operand_aliases")
    if isinstance(aliases, ArrayAttr):
        for alias in cast("ArrayAttr[Attribute]", aliases).data:
            _verify_alias(op, alias, operands, results)
    _verify_configuration(op)


def _verify_layouts(op: StableHLOOp, what: str, types: Sequence[Attribute], layouts: Sequence[Attribute]) -> None:
    label = f"{what}_layouts"
    op.require(label, len(types) == len(layouts), lambda: f"{len(layouts)} layouts of {len(types)} {what}s")
    for number, (type_, layout) in enumerate(zip(types, layouts, strict=True)):
        is_dense = isinstance(layout, DenseIntOrFPElementsAttr)
        op.require(label, is_dense, lambda at=layout: f"layout {at} is not a dense tensor of index")
        order = dense_to_list(cast(Any, layout), flat=True)
        where = f"{what} {number} of type {type_}"
        op.require(label, not isinstance(type_, TupleType), lambda at=where: f"{at} is a tuple, which has no layout")
        if isinstance(type_, TensorType | MemRefType):
            rank = len(cast("TensorType[Any]", type_).get_shape())
            permutes = sorted(order) == list(range(rank))
            op.require(label, permutes, lambda at=where, by=order: f"the layout {by} of {at} is no order of its dims")
        else:
            op.require(label, not order, lambda at=where, by=order: f"{at} has the layout {by}, expected an empty one")


def _verify_alias(op: StableHLOOp, alias: Attribute, operands: list[Attribute], results: list[Attribute]) -> None:
    label = "output_operand_aliases"
    op.require(label, isinstance(alias, OutputOperandAliasAttr), lambda: f"{alias} is no alias")
    data = cast(OutputOperandAliasAttr, alias).data
    index = data.operand_index
    op.require(label, 0 <= index < len(operands), lambda: f"operand_index {index} of {len(operands)} operands")
    # Several results count as one tuple.
    whole = results[0] if len(results) == 1 else TupleType(cast(Any, results))
    given = _member(op, "operand_tuple_indices", operands[index], data.operand_tuple_indices)
    made = _member(op, "output_tuple_indices", whole, data.output_tuple_indices)
    op.require(label, given == made, lambda: f"an operand of type {given} is the memory of a result of type {made}")


def _member(op: StableHLOOp, what: str, type_: Attribute, path: Sequence[int]) -> Attribute:
    """The type of a member of nested tuples."""
    for place in path:
        members = type_.types.data if isinstance(type_, TupleType) else ()
        inside = 0 <= place < len(members)
        op.require("output_operand_aliases", inside, lambda at=type_: f"{what} {list(path)} do not fit {at}")
        type_ = members[place]
    return type_


def _verify_configuration(op: StableHLOOp) -> None:
    config, version = op.properties.get("backend_config"), op.properties.get("api_version")
    if config is None:
        return
    typed = isinstance(version, IntegerAttr) and version.value.data == _TYPED_FFI
    expected = DictionaryAttr if typed else StringAttr
    what = "a dictionary" if typed else "a string"
    op.require(
        "backend_config", isinstance(config, expected), lambda: f"{config} is not {what}, as api_version asks for"
    )
