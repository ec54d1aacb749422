"""flatten-tuples: tuples become their members, and tokens nothing.

Before:
```mlir
func.func private @f(%t: tuple<tensor<2xf32>, !stablehlo.token>) -> tensor<2xf32> {
  %0 = stablehlo.get_tuple_element %t[0] : (tuple<tensor<2xf32>, !stablehlo.token>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
```
After:
```mlir
func.func private @f(%t: tensor<2xf32>) -> tensor<2xf32> {
  return %t : tensor<2xf32>
```
Everywhere: arguments and results of functions, carries, branches, calls, custom calls, barriers; nested tuples in the order of their
leaves. A token orders effects, and what is left has none, or keeps its place. The entry's own signature is flattened by
`prepare-entry`, so that the recorded one has a tensor for every leaf and no tokens.

Needs: `func`, `stablehlo`, no communication with the host (`drop-distribution`). Keeps: everything else.
Fails: `UnsupportedError` for an op that takes or gives a tuple or token and is not one of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import (
    ArrayAttr,
    DictionaryAttr,
    FunctionType,
    IntegerAttr,
    ModuleOp,
    TupleType,
    i32,
)
from xdsl.ir import Attribute, Block, BlockArgument, Operation, SSAValue
from xdsl.rewriter import InsertPoint

from stepwell.dialects import stablehlo
from stepwell.dialects.stablehlo.attrs import OutputOperandAlias
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.passes import Pass

_CARRYING = frozenset(
    {
        *("func.call", "func.return", "stablehlo.return", "stablehlo.while", "stablehlo.if", "stablehlo.case"),
        *("stablehlo.composite", "stablehlo.custom_call", "stablehlo.optimization_barrier"),
    }
)
"""Ops that pass on whatever they are given: they are made again with the leaves."""


def leaves(type_: Attribute) -> list[Attribute]:
    """The types a value is flattened to."""
    if isinstance(type_, TupleType):
        return [leaf for member in type_.types.data for leaf in leaves(member)]
    return [] if isinstance(type_, stablehlo.TokenType) else [type_]


def is_flat(type_: Attribute) -> bool:
    """Neither a tuple nor a token."""
    return not isinstance(type_, TupleType | stablehlo.TokenType)


def _all_leaves(types: Sequence[Attribute]) -> list[Attribute]:
    return [leaf for type_ in types for leaf in leaves(type_)]


@dataclass
class _Flattening:
    """One walk over a module."""

    members: dict[SSAValue, list[SSAValue]] = field(default_factory=dict[SSAValue, list[SSAValue]])
    """The leaves of each tuple and token."""
    dead_ops: list[Operation] = field(default_factory=list[Operation])
    dead_arguments: list[BlockArgument] = field(default_factory=list[BlockArgument])

    def expand(self, values: Sequence[SSAValue]) -> list[SSAValue]:
        """The leaves of values."""
        return [leaf for value in values for leaf in self.members.get(value, [value])]

    def function(self, function: func.FuncOp) -> None:
        """Flatten the signature and the body of a function."""
        signature = function.function_type
        inputs, outputs = list(signature.inputs.data), list(signature.outputs.data)
        for name, types in (("arg_attrs", inputs), ("res_attrs", outputs)):
            _expand_attributes(function, name, types)
        if not all(map(is_flat, (*inputs, *outputs))):
            function.properties["function_type"] = FunctionType.from_lists(_all_leaves(inputs), _all_leaves(outputs))
        for block in function.body.blocks:
            self.block(block)

    def block(self, block: Block) -> None:
        """Flatten the arguments and the ops of a block."""
        for argument in list(block.args):
            if not is_flat(argument.type):
                self._argument(block, argument)
        for op in list(block.ops):
            self.op(op)

    def _argument(self, block: Block, argument: BlockArgument) -> None:
        made: list[SSAValue] = []
        for offset, leaf in enumerate(leaves(argument.type)):
            value = block.insert_arg(leaf, argument.index + 1 + offset)
            value.location = argument.location
            value.name_hint = argument.name_hint
            made.append(value)
        self.members[argument] = made
        self.dead_arguments.append(argument)

    def op(self, op: Operation) -> None:
        """Flatten one op and what is in its regions."""
        if isinstance(op, stablehlo.TupleOp | stablehlo.CreateTokenOp | stablehlo.AfterAllOp):
            self.members[op.results[0]] = self.expand(op.operands)
            self.dead_ops.append(op)
            return
        if isinstance(op, stablehlo.GetTupleElementOp):
            self._get_element(op)
            return
        types = (*op.operand_types, *op.result_types)
        if not all(map(is_flat, types)):
            if op.name not in _CARRYING:
                raise unsupported(op, "it takes or gives a tuple or token", "only control flow and calls pass them on")
            op = self._rebuild(op)
        for region in op.regions:
            for block in region.blocks:
                self.block(block)

    def _get_element(self, op: stablehlo.GetTupleElementOp) -> None:
        types = cast(TupleType, op.operand.type).types.data
        index = op.index.value.data
        first = len(_all_leaves(types[:index]))
        found = self.members[op.operand][first : first + len(leaves(types[index]))]
        if is_flat(op.result.type):
            if op.result.name_hint and not found[0].name_hint:
                found[0].name_hint = op.result.name_hint
            op.result.replace_all_uses_with(found[0])
        else:
            self.members[op.result] = found
        self.dead_ops.append(op)

    def _rebuild(self, op: Operation) -> Operation:
        """The op with the leaves of its operands and results."""
        properties = dict(op.properties)
        if isinstance(op, stablehlo.CustomCallOp):
            _flatten_custom_call(op, properties)
        new = type(op).create(
            operands=self.expand(op.operands),
            result_types=_all_leaves(op.result_types),
            properties=properties,
            attributes=dict(op.attributes),
            regions=[op.detach_region(region) for region in list(op.regions)],
        )
        new.location = op.location
        assert op.parent is not None
        op.parent.insert_op_before(new, op)
        rest = iter(new.results)
        for result in op.results:
            made: list[SSAValue] = [next(rest) for _ in leaves(result.type)]
            for value in made:
                value.name_hint = result.name_hint
            if is_flat(result.type):
                result.replace_all_uses_with(made[0])
            else:
                self.members[result] = made
        self.dead_ops.append(op)
        return new

    def finish(self) -> None:
        """Erase what is flat now, users first."""
        for op in reversed(self.dead_ops):
            op.detach()
            op.erase()
        for argument in self.dead_arguments:
            argument.block.erase_arg(argument)


def _expand_attributes(function: func.FuncOp, name: str, types: Sequence[Attribute]) -> None:
    """Repeat a value's attributes for each of its leaves."""
    attributes = function.properties.get(name)
    if not isinstance(attributes, ArrayAttr) or all(map(is_flat, types)):
        return
    each = cast("ArrayAttr[DictionaryAttr]", attributes).data
    function.properties[name] = ArrayAttr([a for a, type_ in zip(each, types, strict=True) for _ in leaves(type_)])


def _leaf_number(types: Sequence[Attribute], index: int, path: Sequence[int]) -> int | None:
    """Which leaf of values of these types is that of value `index` at `path`; None when there is not exactly one."""
    if not 0 <= index < len(types):
        return None
    number, type_ = len(_all_leaves(types[:index])), types[index]
    for place in path:
        members = type_.types.data if isinstance(type_, TupleType) else ()
        if not 0 <= place < len(members):
            return None
        number += len(_all_leaves(members[:place]))
        type_ = members[place]
    return number if len(leaves(type_)) == 1 else None


def _flatten_custom_call(op: stablehlo.CustomCallOp, properties: dict[str, Attribute]) -> None:
    """Layouts and aliases of a custom call, by leaf; what cannot be said by leaf is left out, as it only says how, not what."""
    operands, results = list(op.operand_types), list(op.result_types)
    for name, types in (("operand_layouts", operands), ("result_layouts", results)):
        layouts = properties.get(name)
        if not isinstance(layouts, ArrayAttr):
            continue
        single = types[0] if len(types) == 1 else None
        # The layouts of a single tuple are those of its members.
        members = list(single.types.data) if isinstance(single, TupleType) else types
        each = cast("ArrayAttr[Attribute]", layouts).data
        if len(each) != len(members) or any(isinstance(m, TupleType) for m in members):
            del properties[name]
        else:
            properties[name] = ArrayAttr([layout for layout, m in zip(each, members, strict=True) if is_flat(m)])
    aliases = properties.get("output_operand_aliases")
    if not isinstance(aliases, ArrayAttr):
        return
    kept: list[Attribute] = []
    for alias in cast("ArrayAttr[Attribute]", aliases).data:
        data = cast(stablehlo.OutputOperandAliasAttr, alias).data
        operand = _leaf_number(operands, data.operand_index, data.operand_tuple_indices)
        output = _output_number(results, data.output_tuple_indices)
        if operand is not None and output is not None:
            kept.append(stablehlo.OutputOperandAliasAttr(OutputOperandAlias(output, operand, ())))
    properties["output_operand_aliases"] = ArrayAttr(kept)


def _output_number(results: Sequence[Attribute], path: Sequence[int]) -> tuple[int, ...] | None:
    """The place of an aliased result among the leaves, as the attribute has it: no index when there is one result."""
    alone = len(results) == 1
    number = _leaf_number(results, 0, path) if alone else _leaf_number(results, path[0] if path else -1, path[1:])
    if number is None:
        return None
    return () if len(_all_leaves(results)) == 1 else (number,)


def flatten_entry(entry: func.FuncOp) -> None:
    """Give a function the leaves as arguments and results; its body still has the tuples and tokens.

    Raises:
        UnsupportedError: it has several blocks or no body, or a function of the module calls it.
    """
    signature = entry.function_type
    inputs, outputs = list(signature.inputs.data), list(signature.outputs.data)
    if all(map(is_flat, (*inputs, *outputs))):
        return
    block = entry.body.blocks.first
    module = entry.parent_op()
    if block is None or block.next_block is not None or block.last_op is None or module is None:
        raise unsupported(entry, "the tuples and tokens of its signature need a body of one block")
    name = entry.sym_name.data
    if any(isinstance(op, func.CallOp) and op.callee.string_value() == name for op in module.walk()):
        raise unsupported(entry, "it is called by the module itself, and has tuples or tokens in its signature")
    for attributes, types in (("arg_attrs", inputs), ("res_attrs", outputs)):
        _expand_attributes(entry, attributes, types)
    for argument in list(block.args):
        if not is_flat(argument.type):
            _pack_argument(block, argument)
    end = block.last_op
    builder = LocatedBuilder(InsertPoint.before(end), end.location)
    end.operands = [leaf for value in end.operands for leaf in _unpack(builder, value)]
    entry.properties["function_type"] = FunctionType.from_lists(_all_leaves(inputs), _all_leaves(outputs))


def _pack_argument(block: Block, argument: BlockArgument) -> None:
    """Replace an argument by its leaves, and make it again from them at the start of the block."""
    made: list[SSAValue] = []
    for offset, leaf in enumerate(leaves(argument.type)):
        value = block.insert_arg(leaf, argument.index + 1 + offset)
        value.location = argument.location
        value.name_hint = argument.name_hint
        made.append(value)
    builder = LocatedBuilder(InsertPoint.at_start(block), argument.location)
    packed = _pack(builder, argument.type, made)
    argument.replace_all_uses_with(packed)
    block.erase_arg(argument)


def _pack(builder: LocatedBuilder, type_: Attribute, values: list[SSAValue]) -> SSAValue:
    """A value of a type from its leaves, which are taken off the front of `values`."""
    if isinstance(type_, TupleType):
        members = [_pack(builder, member, values) for member in type_.types.data]
        return builder.insert(stablehlo.TupleOp.create(operands=members, result_types=[type_])).results[0]
    if isinstance(type_, stablehlo.TokenType):
        return builder.insert(stablehlo.CreateTokenOp.create(result_types=[type_])).results[0]
    return values.pop(0)


def _unpack(builder: LocatedBuilder, value: SSAValue) -> list[SSAValue]:
    """The leaves of a value."""
    if is_flat(value.type):
        return [value]
    found: list[SSAValue] = []
    types = value.type.types.data if isinstance(value.type, TupleType) else ()
    for index, member in enumerate(types):
        element = stablehlo.GetTupleElementOp.create(
            operands=[value], result_types=[member], properties={"index": IntegerAttr(index, i32)}
        )
        found += _unpack(builder, builder.insert(element).results[0])
    return found


REPLACES: tuple[str, ...] = (
    "stablehlo.after_all",
    "stablehlo.create_token",
    "stablehlo.get_tuple_element",
    "stablehlo.tuple",
)
"""The ops it takes away, by name (`docs/stablehlo-status.md` reads this)."""


@dataclass(frozen=True)
class FlattenTuplesPass(Pass):
    """Replace tuples by their members everywhere, and drop tokens."""

    name = "flatten-tuples"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Flatten all functions of the module."""
        assert isinstance(op, ModuleOp)
        flattening = _Flattening()
        for function in op.body.block.ops:
            if isinstance(function, func.FuncOp):
                flattening.function(function)
        flattening.finish()
