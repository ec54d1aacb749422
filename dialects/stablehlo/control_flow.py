"""StableHLO's control flow, calls and tuples."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Self, cast

from xdsl.dialects.builtin import (
    ArrayAttr,
    BoolAttr,
    DictionaryAttr,
    IntegerAttr,
    StringAttr,
    SymbolRefAttr,
    TensorType,
    TupleType,
    i1,
    i32,
)
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Operation, Region, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
    var_region_def,
    var_result_def,
)
from xdsl.parser import Parser, UnresolvedOperand
from xdsl.printer import Printer
from xdsl.traits import IsTerminator, Pure, RecursiveMemoryEffect, SymbolTable, SymbolUserOpInterface

from stepwell.dialects.stablehlo.attrs import TokenType
from stepwell.dialects.stablehlo.base import (
    PRED,
    StableHLOOp,
    build,
    parse_attr_dict,
    parse_function_type,
    parse_operand_list,
    parse_operands,
    print_attr_dict,
    print_function_type,
    print_operands,
    returned_types,
    single_block,
    type_list,
    types_compatible,
)
from stepwell.dialects.stablehlo.custom_call_checks import verify_custom_call
from stepwell.ir.effects import Effects


def _scalar(value: SSAValue) -> bool:
    return isinstance(value.type, TensorType) and not value.type.get_shape()


class BranchLabels(NamedTuple):
    """What the specification calls the constraints of branches."""

    arguments: str
    same: str
    results: str


def _verify_branches(op: StableHLOOp, labels: BranchLabels, branches: Sequence[tuple[str, Region]]) -> None:
    """Branches take no arguments, return values of the same types, and these are the types of the results."""
    returned: list[list[Attribute]] = []
    for what, region in branches:
        block = single_block(op, labels.arguments, region, what)
        types = [a.type for a in block.args]
        op.require(labels.arguments, not types, lambda w=what, t=types: f"{w} takes {type_list(t)}, expected ()")
        returned.append(returned_types(block))
    for (what, _), types in zip(branches, returned, strict=True):
        op.require(
            labels.same,
            len(types) == len(returned[0]) and all(map(types_compatible, types, returned[0])),
            lambda w=what, t=types: f"{w} returns {type_list(t)}, {branches[0][0]} {type_list(returned[0])}",
        )
    results = [r.type for r in op.results]
    for (what, _), types in zip(branches, returned, strict=True):
        op.require(
            labels.results,
            len(types) == len(results) and all(map(types_compatible, types, results)),
            lambda w=what, t=types: f"{w} returns {type_list(t)}, the results are {type_list(results)}",
        )


@irdl_op_definition
class ReturnOp(StableHLOOp):
    """Ends a region and hands its values on.

    Example: `stablehlo.return %a, %b : tensor<f32>, tensor<i1>`.
    """

    name = "stablehlo.return"

    results_ = var_operand_def()

    traits = traits_def(IsTerminator(), Pure())

    def __init__(self, *values: SSAValue | Operation):
        """Return `values`."""
        super().__init__(operands=[[SSAValue.get(v) for v in values]])

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`%a, %b : types`, or nothing."""
        position = parser.pos
        operands = parse_operand_list(parser)
        attributes = parse_attr_dict(parser, cls, {})
        types: Sequence[Attribute] = []
        if parser.parse_optional_punctuation(":") is not None:
            types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
        return build(cls, parser, position, operands, (types, []), {}, attributes)

    def print(self, printer: Printer) -> None:
        """`%a, %b : types`, or nothing."""
        print_operands(printer, self)
        print_attr_dict(printer, self)
        if self.operands:
            printer.print_string(" : ")
            printer.print_list([o.type for o in self.operands], printer.print_attribute)


@irdl_op_definition
class IfOp(StableHLOOp):
    """Runs one of two regions. C1: no arguments. C2, C3: both return the results' types."""

    name = "stablehlo.if"

    pred = operand_def(TensorType)
    true_branch = region_def()
    false_branch = region_def()
    results_ = var_result_def()

    traits = traits_def(RecursiveMemoryEffect())

    def __init__(
        self, pred: SSAValue | Operation, true_branch: Region, false_branch: Region, result_types: Sequence[Attribute]
    ):
        """Results as `true_branch` returns them."""
        super().__init__(operands=[pred], result_types=[result_types], regions=[true_branch, false_branch])

    def verify_(self) -> None:
        """C1, C2, C3."""
        self.require("I1", _scalar(self.pred), lambda: f"pred has type {self.pred.type}, expected tensor<i1>")
        self.require_kind("I1", self.pred, (PRED,), "pred")
        labels = BranchLabels(arguments="C1", same="C2", results="C3")
        _verify_branches(self, labels, (("true_branch", self.true_branch), ("false_branch", self.false_branch)))


@irdl_op_definition
class CaseOp(StableHLOOp):
    """Runs the region `index` picks, the last one when out of range. C1: some region. C2: no arguments. C3, C4: types."""

    name = "stablehlo.case"

    index = operand_def(TensorType)
    branches = var_region_def()
    results_ = var_result_def()

    traits = traits_def(RecursiveMemoryEffect())

    def __init__(self, index: SSAValue | Operation, branches: Sequence[Region], result_types: Sequence[Attribute]):
        """Results as the branches return them."""
        super().__init__(operands=[index], result_types=[result_types], regions=[branches])

    def verify_(self) -> None:
        """C1 to C4."""
        ok = _scalar(self.index) and cast(Any, self.index.type).element_type == i32
        self.require("I1", ok, lambda: f"index has type {self.index.type}, expected tensor<i32>")
        self.require("C1", len(self.regions) > 0, lambda: "needs at least one branch")
        labels = BranchLabels(arguments="C2", same="C3", results="C4")
        _verify_branches(self, labels, [(f"branch {i}", region) for i, region in enumerate(self.regions)])


@irdl_op_definition
class WhileOp(StableHLOOp):
    """Runs `body` while `cond` returns true, carrying values. C1, C2: the regions. C3: the results' types.

    Example::

        %r = stablehlo.while(%i = %zero) : tensor<i32>
        cond { ... stablehlo.return %c : tensor<i1> } do { ... stablehlo.return %n : tensor<i32> }
    """

    name = "stablehlo.while"

    operand = var_operand_def()
    cond = region_def()
    body = region_def()
    results_ = var_result_def()

    traits = traits_def(RecursiveMemoryEffect())

    def __init__(self, operands: Sequence[SSAValue], cond: Region, body: Region):
        """The results have the operands' types."""
        types = [v.type for v in operands]
        super().__init__(operands=[operands], result_types=[types], regions=[cond, body])

    def verify_(self) -> None:
        """C1, C2, C3."""
        types = [o.type for o in self._operands]
        self.require_region("C1", self.cond, types, [TensorType(i1, [])], "cond")
        self.require_region("C2", self.body, types, types, "body")
        results = [r.type for r in self.results]
        self.require("C3", len(results) == len(types), lambda: f"{len(types)} operands, {len(results)} results")
        for result, type_ in zip(self.results, types, strict=True):
            self.require_type("C3", result, type_, "result")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`(%i = %a, ...) : types attributes {..} cond {..} do {..}`."""
        position = parser.pos
        names: list[Parser.UnresolvedArgument] = []
        operands: list[UnresolvedOperand] = []

        def parse_pair() -> None:
            names.append(parser.parse_argument(expect_type=False))
            parser.parse_punctuation("=")
            operands.append(parser.parse_unresolved_operand())

        parser.parse_comma_separated_list(parser.Delimiter.PAREN, parse_pair)
        types: Sequence[Attribute] = []
        if operands:
            parser.parse_punctuation(":")
            types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
        if len(types) != len(operands):
            parser.raise_error(f"{len(operands)} operands, but {len(types)} types", position, parser.pos)
        arguments = [name.resolve(type_) for name, type_ in zip(names, types, strict=True)]
        properties: dict[str, Attribute] = {}
        attributes = parse_attr_dict(parser, cls, properties, keyword=True)
        parser.parse_keyword("cond")
        cond = parser.parse_region(arguments)
        parser.parse_keyword("do")
        body = parser.parse_region(arguments)
        return build(cls, parser, position, operands, (types, types), properties, attributes, [cond, body])

    def print(self, printer: Printer) -> None:
        """The inverse of `parse`; both regions use the body's argument names."""
        cond, body = self.cond.block, self.body.block
        printer.print_string("(")
        for i, (argument, operand) in enumerate(zip(body.args, self._operands, strict=True)):
            printer.print_string(", " if i else "")
            name = printer.print_ssa_value(argument)
            printer._ssa_values[cond.args[i]] = name  # pyright: ignore[reportPrivateUsage]
            printer.print_string(" = ")
            printer.print_ssa_value(operand)
        printer.print_string(")")
        if self._operands:
            printer.print_string(" : ")
            printer.print_list([o.type for o in self._operands], printer.print_attribute)
        print_attr_dict(printer, self, keyword=True)
        printer.print_string("\ncond ")
        printer.print_region(self.cond, print_entry_block_args=False)
        printer.print_string(" do ")
        printer.print_region(self.body, print_entry_block_args=False)


@irdl_op_definition
class OptimizationBarrierOp(StableHLOOp):
    """The operands, computed before anything that uses a result. C1: equal types.

    Example: `%r:2 = stablehlo.optimization_barrier %a, %b : tensor<f32>, tensor<i1>`.
    """

    name = "stablehlo.optimization_barrier"

    operand = var_operand_def()
    results_ = var_result_def()

    traits = traits_def(Pure())

    def __init__(self, operands: Sequence[SSAValue]):
        """The results have the operands' types."""
        super().__init__(operands=[operands], result_types=[[v.type for v in operands]])

    def verify_(self) -> None:
        """C1."""
        types, results = [o.type for o in self._operands], [r.type for r in self.results]
        self.require("C1", types == results, lambda: f"operands {type_list(types)}, results {type_list(results)}")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`%a, %b : types`, or `()`."""
        position = parser.pos
        properties: dict[str, Attribute] = {}
        attributes = parse_attr_dict(parser, cls, properties)
        operands = parse_operand_list(parser)
        types: Sequence[Attribute] = []
        if operands:
            parser.parse_punctuation(":")
            types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
        elif parser.parse_optional_punctuation("(") is not None:
            parser.parse_punctuation(")")
        return build(cls, parser, position, operands, (types, types), properties, attributes)

    def print(self, printer: Printer) -> None:
        """`%a, %b : types`, or `()`."""
        print_attr_dict(printer, self)
        print_operands(printer, self)
        if not self.operands:
            printer.print_string(" ()")
            return
        printer.print_string(" : ")
        printer.print_list([o.type for o in self.operands], printer.print_attribute)


@irdl_op_definition
class TupleOp(StableHLOOp):
    """A tuple of values. C1: the result's type is the tuple of theirs."""

    name = "stablehlo.tuple"

    val = var_operand_def()
    result = result_def(TupleType)

    traits = traits_def(Pure())

    def verify_(self) -> None:
        """C1."""
        types = [o.type for o in self._operands]
        ok = list(cast(Any, self.result.type).types.data) == types
        self.require("C1", ok, lambda: f"values {type_list(types)}, result {self.result.type}")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`%a, %b : tuple<...>`."""
        position = parser.pos
        operands = parse_operand_list(parser)
        attributes = parse_attr_dict(parser, cls, {})
        parser.parse_punctuation(":")
        result = parser.parse_type()
        if not isinstance(result, TupleType):
            parser.raise_error("expected a tuple type", position, parser.pos)
        return build(cls, parser, position, operands, (result.types.data, [result]), {}, attributes)

    def print(self, printer: Printer) -> None:
        """`%a, %b : tuple<...>`."""
        print_operands(printer, self)
        print_attr_dict(printer, self)
        printer.print_string(" : ")
        printer.print_attribute(self.result.type)


@irdl_op_definition
class GetTupleElementOp(StableHLOOp):
    """One value of a tuple. C1: the index is in range. C2: the type.

    Example: `%r = stablehlo.get_tuple_element %t[0] : (tuple<tensor<f32>>) -> tensor<f32>`.
    """

    name = "stablehlo.get_tuple_element"
    ELIDED: ClassVar = ("index",)

    operand = operand_def(TupleType)
    index = prop_def(IntegerAttr)
    result = result_def()

    traits = traits_def(Pure())

    def verify_(self) -> None:
        """C1, C2."""
        types = cast(Any, self.operand.type).types.data
        index = self.index.value.data
        self.require("C1", 0 <= index < len(types), lambda: f"index {index} of a tuple of {len(types)}")
        self.require_type("C2", self.result, types[index], "result")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`%t[0] : (tuple) -> type`."""
        position = parser.pos
        operands = parse_operands(parser, 1)
        with parser.in_square_brackets():
            properties: dict[str, Attribute] = {"index": IntegerAttr(parser.parse_integer(), i32)}
        attributes = parse_attr_dict(parser, cls, properties)
        return build(cls, parser, position, operands, parse_function_type(parser), properties, attributes)

    def print(self, printer: Printer) -> None:
        """`%t[0] : (tuple) -> type`."""
        print_operands(printer, self)
        printer.print_string(f"[{self.index.value.data}]")
        print_attr_dict(printer, self)
        print_function_type(printer, self)


@irdl_op_definition
class CreateTokenOp(StableHLOOp):
    """A token that orders nothing."""

    name = "stablehlo.create_token"

    output = result_def(TokenType)

    traits = traits_def(Pure())

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`: !stablehlo.token`."""
        position = parser.pos
        attributes = parse_attr_dict(parser, cls, {})
        parser.parse_punctuation(":")
        return build(cls, parser, position, [], ([], [parser.parse_type()]), {}, attributes)

    def print(self, printer: Printer) -> None:
        """`: !stablehlo.token`."""
        print_attr_dict(printer, self)
        printer.print_string(" : ")
        printer.print_attribute(self.output.type)


@irdl_op_definition
class AfterAllOp(StableHLOOp):
    """A token after all the given ones."""

    name = "stablehlo.after_all"

    inputs = var_operand_def(TokenType)
    result = result_def(TokenType)

    traits = traits_def(Pure())

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`%a, %b : !stablehlo.token`."""
        position = parser.pos
        operands = parse_operand_list(parser)
        attributes = parse_attr_dict(parser, cls, {})
        parser.parse_punctuation(":")
        token = parser.parse_type()
        return build(cls, parser, position, operands, ([token] * len(operands), [token]), {}, attributes)

    def print(self, printer: Printer) -> None:
        """`%a, %b : !stablehlo.token`."""
        print_operands(printer, self)
        print_attr_dict(printer, self)
        printer.print_string(" : ")
        printer.print_attribute(self.result.type)


@irdl_op_definition
class CustomCallOp(StableHLOOp):
    """A call of something the implementation knows by name.

    Example: `%r = stablehlo.custom_call @name(%x) {api_version = 2 : i32} : (tensor<f32>) -> tensor<f32>`.
    """

    name = "stablehlo.custom_call"
    ELIDED: ClassVar = ("call_target_name",)

    inputs = var_operand_def()
    call_target_name = prop_def(StringAttr)
    has_side_effect = opt_prop_def(BoolAttr)
    backend_config = opt_prop_def()
    api_version = opt_prop_def(IntegerAttr)
    called_computations = opt_prop_def(ArrayAttr)
    operand_layouts = opt_prop_def(ArrayAttr)
    result_layouts = opt_prop_def(ArrayAttr)
    output_operand_aliases = opt_prop_def(ArrayAttr)
    result_tilings = opt_prop_def(ArrayAttr)
    results_ = var_result_def()

    def verify_(self) -> None:
        """Layouts, aliases and the configuration."""
        verify_custom_call(self)

    def memory_effects(self) -> Effects:
        """None unless `has_side_effect`."""
        effect = self.has_side_effect is not None and bool(self.has_side_effect.value.data)
        return Effects.UNKNOWN if effect else Effects.NONE

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`@name(%a, %b) {attributes} : types`."""
        position = parser.pos
        properties: dict[str, Attribute] = {"call_target_name": parser.parse_symbol_name()}
        operands = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_unresolved_operand)
        attributes = parse_attr_dict(parser, cls, properties)
        return build(cls, parser, position, operands, parse_function_type(parser), properties, attributes)

    def print(self, printer: Printer) -> None:
        """`@name(%a, %b) {attributes} : types`."""
        printer.print_string(" ")
        printer.print_symbol_name(self.call_target_name.data)
        with printer.in_parens():
            printer.print_list(self.operands, printer.print_ssa_value)
        print_attr_dict(printer, self)
        print_function_type(printer, self)


class CompositeSymbolUser(SymbolUserOpInterface):
    """Checks a composite against the function that decomposes it."""

    def verify(self, op: Operation) -> None:
        """C2: the function exists. C3, C4: its types are the composite's."""
        assert isinstance(op, CompositeOp)
        callee = SymbolTable.lookup_symbol(op, op.decomposition)
        known = isinstance(callee, FuncOp)
        op.require("C2", known, lambda: f"decomposition {op.decomposition} is not a function of this module")
        signature = cast(FuncOp, callee).function_type
        inputs, outputs = [o.type for o in op.operands], [r.type for r in op.results]
        wanted = list(signature.inputs.data)
        op.require(
            "C3",
            inputs == wanted,
            lambda: f"inputs are {type_list(inputs)}, {callee_name(op)} takes {type_list(wanted)}",
        )
        returned = list(signature.outputs.data)
        op.require(
            "C4",
            outputs == returned,
            lambda: f"results are {type_list(outputs)}, {callee_name(op)} returns {type_list(returned)}",
        )


def callee_name(op: CompositeOp) -> str:
    """`@name` of the decomposition."""
    return f"@{op.decomposition.string_value()}"


@irdl_op_definition
class CompositeOp(StableHLOOp):
    """An op named by the program, with its meaning in a function. C1 to C4: the name, the function and its types.

    Example: `%r = stablehlo.composite "my.op" %x {decomposition = @impl} : (tensor<f32>) -> tensor<f32>`.
    """

    name = "stablehlo.composite"
    ELIDED: ClassVar = ("name",)

    inputs = var_operand_def()
    composite_name = prop_def(StringAttr, prop_name="name")
    composite_attributes = opt_prop_def(DictionaryAttr)
    decomposition = prop_def(SymbolRefAttr)
    version = opt_prop_def(IntegerAttr)
    composite_regions = var_region_def()
    results_ = var_result_def()

    traits = traits_def(Pure(), CompositeSymbolUser())

    def verify_(self) -> None:
        """C1 (`CompositeSymbolUser` checks the others)."""
        text = self.composite_name.data
        named = re.fullmatch(r"[a-zA-Z]\w*(\.[\w$]+)+", text) is not None
        self.require("C1", named, lambda: f"'{text}' is not a name like 'dialect.op'")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`"name" %a, %b ({...}, {...}) {attributes} : types`; regions are rare."""
        position = parser.pos
        properties: dict[str, Attribute] = {"name": StringAttr(parser.parse_str_literal())}
        operands = parse_operand_list(parser)
        regions = parser.parse_optional_comma_separated_list(parser.Delimiter.PAREN, parser.parse_region)
        attributes = parse_attr_dict(parser, cls, properties)
        types = parse_function_type(parser)
        return build(cls, parser, position, operands, types, properties, attributes, regions or [])

    def print(self, printer: Printer) -> None:
        """`"name" %a, %b ({...}, {...}) {attributes} : types`."""
        printer.print_string(" ")
        printer.print_string_literal(self.composite_name.data)
        print_operands(printer, self)
        if self.regions:
            printer.print_string(" ")
            with printer.in_parens():
                printer.print_list(self.regions, printer.print_region)
        print_attr_dict(printer, self)
        print_function_type(printer, self)


OPS: list[type[Operation]] = [
    AfterAllOp,
    CaseOp,
    CompositeOp,
    CreateTokenOp,
    CustomCallOp,
    GetTupleElementOp,
    IfOp,
    OptimizationBarrierOp,
    ReturnOp,
    TupleOp,
    WhileOp,
]
