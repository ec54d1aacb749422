"""`func` as MLIR defines it: upstream's ops, whose declared functions keep the attributes of arguments and results.

xDSL 0.74 reads the attributes of a declaration's arguments and forgets them, and does not print those of its results. The class stays
upstream's (so `isinstance` agrees everywhere); its assembly is replaced here, once, on import.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr
from xdsl.dialects.func import Func as UpstreamFunc
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Region
from xdsl.parser import Parser
from xdsl.printer import Printer

Attributes = dict[str, Attribute]

_RESERVED = ("sym_name", "function_type", "sym_visibility", "arg_attrs", "res_attrs")
_print_definition = FuncOp.print


def _array(each: Sequence[Attributes]) -> ArrayAttr[DictionaryAttr] | None:
    """The attributes of every value; None when there are none."""
    return ArrayAttr([DictionaryAttr(attributes) for attributes in each]) if any(each) else None


def _parse_input(parser: Parser) -> tuple[Parser.Argument | Attribute, Attributes]:
    """`%x: type {...} loc(...)`, or `type {...}` in a declaration."""
    argument = parser.parse_optional_argument()
    value = parser.parse_type() if argument is None else argument
    attributes = parser.parse_optional_dictionary_attr_dict()
    location = parser.parse_optional_location()
    if argument is not None and location is not None:
        argument.location = location
    return value, attributes


def _parse_outputs(parser: Parser) -> tuple[list[Attribute], list[Attributes]]:
    """`-> type`, `-> (type {...}, ...)`, or nothing."""
    if parser.parse_optional_punctuation("->") is None:
        return [], []
    several = parser.parse_optional_comma_separated_list(
        parser.Delimiter.PAREN,
        lambda: (parser.parse_type(), parser.parse_optional_dictionary_attr_dict()),
    )
    if several is None:
        return [parser.parse_type()], []
    return [type_ for type_, _ in several], [attributes for _, attributes in several]


def _parse(parser: Parser) -> FuncOp:
    """`public @name(...) -> ... attributes {...} {...}`."""
    visibility = parser.parse_optional_visibility_keyword()
    name = parser.parse_symbol_name().data
    position = parser.pos
    inputs = parser.parse_comma_separated_list(parser.Delimiter.PAREN, lambda: _parse_input(parser))
    arguments = [value for value, _ in inputs if isinstance(value, Parser.Argument)]
    types = [value for value, _ in inputs if isinstance(value, Attribute)]
    if arguments and types:
        parser.raise_error("expected all arguments to have names, or none", position, parser.pos)
    outputs, output_attributes = _parse_outputs(parser)
    attributes = parser.parse_optional_attr_dict_with_keyword(_RESERVED)
    region = parser.parse_optional_region(arguments if arguments else None)
    function = FuncOp(
        name,
        ([argument.type for argument in arguments] if arguments else types, outputs),
        Region() if region is None else region,
        visibility,
        arg_attrs=_array([each for _, each in inputs]),
        res_attrs=_array(output_attributes),
    )
    if attributes is not None:
        function.attributes |= attributes.data
    return function


def _print_values(printer: Printer, types: Sequence[Attribute], attributes: ArrayAttr[DictionaryAttr] | None) -> None:
    """`(type {...}, ...)`."""
    with printer.in_parens():
        for number, type_ in enumerate(types):
            printer.print_string(", " if number else "")
            printer.print_attribute(type_)
            if attributes is not None and attributes.data[number].data:
                printer.print_op_attributes(attributes.data[number].data)


def _print(self: FuncOp, printer: Printer) -> None:
    """A definition as upstream does; a declaration with all its attributes."""
    if self.body.blocks or (self.arg_attrs is None and self.res_attrs is None):
        _print_definition(self, printer)
        return
    if self.sym_visibility:
        printer.print_string(f" {self.sym_visibility.data}")
    printer.print_string(" ")
    printer.print_symbol_name(self.sym_name.data)
    _print_values(printer, self.function_type.inputs.data, self.arg_attrs)
    if self.function_type.outputs.data:
        printer.print_string(" -> ")
        _print_values(printer, self.function_type.outputs.data, self.res_attrs)
    printer.print_op_attributes(self.attributes, reserved_attr_names=_RESERVED, print_keyword=True)


FuncOp.parse = _parse
FuncOp.print = _print

Func = UpstreamFunc
