"""Parsing MLIR text: xDSL's parser with locations, forward aliases, limits and one located diagnostic.

`parse_module(text, filename, context)` is the entry. On top of xDSL it gives every op without an explicit location its
`file:line:col`, resolves `#loc` aliases that are defined after their use (as JAX prints them), keeps scopes in linear
time, refuses what is too deep or too large before it costs memory, and reports names it does not know with the closest one.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from xdsl.context import Context
from xdsl.dialects.builtin import (
    AnyFloat,
    ArrayAttr,
    BytesAttr,
    CallSiteLoc,
    DenseIntOrFPElementsAttr,
    FileLineColLoc,
    FusedLoc,
    IntAttr,
    IntegerType,
    LocationAttr,
    ModuleOp,
    NameLoc,
    NoneAttr,
    StringAttr,
    UnknownLoc,
    UnregisteredOp,
)
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.parser import Parser
from xdsl.parser.core import ForwardDeclaredValue, UnresolvedOperand
from xdsl.parser.generic_parser import ParserState
from xdsl.traits import IsolatedFromAbove
from xdsl.utils.exceptions import MultipleSpansParseError, ParseError
from xdsl.utils.lexer import Input, Span
from xdsl.utils.mlir_lexer import MLIRToken, MLIRTokenKind

from stepwell.ir.diagnostics import (
    Diagnostic,
    InvalidProgramDiagnosticError,
    Source,
    SourceLocation,
    UnsupportedDiagnosticError,
    close_name,
    register_source,
)
from stepwell.ir.lexer import SourceLexer
from stepwell.ir.recursion import deep_recursion


@dataclass(frozen=True)
class ParseLimits:
    """What a program may cost before it is refused."""

    source_bytes: int = 256 << 20
    """Size of the text."""
    nesting: int = 256
    """Depth of brackets and regions."""
    literal_elements: int = 4 << 20
    """Elements written one by one in one dense literal (hex strings are limited by the text's size only)."""
    splat_bytes: int = 64 << 20
    """A splat up to this size is stored element by element, as xDSL does; a larger one as its single value."""
    rank: int = 64
    """Dimensions of one shaped type."""


DEFAULT_LIMITS = ParseLimits()

_LOCATION_TYPES = (UnknownLoc, FileLineColLoc, CallSiteLoc, NameLoc, FusedLoc)
_BRACKETS = re.compile(r'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"?|//[^\n]*+|->|[<>]=|([(\[{<])|([)\]}>])')
_ALIAS_DEFINITION = re.compile(r"^[ \t]*+([#!][a-zA-Z$._-][a-zA-Z0-9$._-]*+)[ \t]*+=", re.MULTILINE)
_MAX_ALIAS_DEPTH = 500
_BUILTIN_TYPES = (
    *("i1", "i2", "i4", "i8", "i16", "i32", "i64", "ui8", "ui16", "ui32", "ui64", "si32", "index", "none"),
    *("f16", "bf16", "f32", "f64", "f80", "f128", "tf32", "complex", "tuple", "tensor", "memref", "vector"),
)
_INT64_MAX = (1 << 63) - 1


class ParseDiagnosticError(InvalidProgramDiagnosticError):
    """The text is not a valid program."""


class _HintedParseError(ParseError):
    """A parse error that knows what would help and where the cause is."""

    def __init__(self, span: Span, msg: str, hint: str | None, notes: Sequence[tuple[Span, str]] = ()):
        super().__init__(span, msg)
        self.hint = hint
        self.notes = tuple(notes)


@dataclass
class _Alias:
    """A top-level `#name = ...` or `!name = ...` found by the scan for forward references."""

    position: int
    end: int = -1
    """Where the text after the definition starts, once it was read ahead."""


@dataclass
class _Scope:
    """The names one region defines."""

    names: list[str] = field(default_factory=list[str])


class _LocatedArgument(Parser.Argument):
    """An argument whose location was read with it; xDSL's function parser then assigns None, which is ignored."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "location" or value is not None or "location" not in self.__dict__:
            super().__setattr__(name, value)


class SourceParser(Parser):
    """The parser; see the module docstring."""

    def __init__(self, context: Context, source: Source, limits: ParseLimits = DEFAULT_LIMITS):
        super().__init__(context, "", source.name)
        self._source = source
        self._parser_state = ParserState(SourceLexer(Input(source.text, source.name)))
        self._limits = limits
        self._scopes = [_Scope()]
        self._definitions: dict[str, Span] = {}
        self._forward_uses: dict[tuple[str, int], Span] = {}
        self._aliases: dict[str, _Alias] | None = None
        self._alias_stack: list[str] = []
        self._filename = StringAttr(source.name)
        self._op_spans: list[Span] = []
        self._has_explicit_location = False
        self._literal_count = 0
        self.external_resources: dict[str, dict[str, Any]] = {}

    # Errors

    def fail(
        self, message: str, span: Span, hint: str | None = None, notes: Sequence[tuple[Span, str]] = ()
    ) -> NoReturn:
        """Raise a parse error at `span`."""
        raise _HintedParseError(span, message, hint, notes)

    # Tokens (hot)

    def _consume_token(self, expected_kind: MLIRTokenKind | None = None) -> MLIRToken:
        state = self._parser_state
        token = state.current_token
        state.current_token = state.lexer.lex()
        return token

    def _parse_optional_token(self, expected_kind: MLIRTokenKind) -> MLIRToken | None:
        state = self._parser_state
        token = state.current_token
        if token.kind is not expected_kind:
            return None
        state.current_token = state.lexer.lex()
        return token

    # Module

    def parse_module(self, allow_implicit_module: bool = True) -> ModuleOp:
        """Parse the whole text; several top-level ops are wrapped in a module, no op at all is an empty module."""
        ops: list[Operation] = []
        while (kind := self._current_token.kind) is not MLIRTokenKind.EOF:
            if kind in (MLIRTokenKind.HASH_IDENT, MLIRTokenKind.EXCLAMATION_IDENT):
                self._parse_alias_def()
            elif kind is MLIRTokenKind.FILE_METADATA_BEGIN:
                self._parse_file_metadata_dictionary()
            elif (op := self.parse_optional_operation()) is not None:
                ops.append(op)
            else:
                self.fail("expected an operation", self._current_token.span)
        self._check_forward_uses({}, 0)
        if len(ops) == 1 and isinstance(ops[0], ModuleOp):
            return ops[0]
        module = ModuleOp(ops)
        module.location = self._location_at(0)
        return module

    def _parse_external_resources(self) -> None:
        """Parse `{ group: { key: value, ... }, ... }`; kept in `external_resources`."""

        def entry() -> tuple[str, Any]:
            key = self.parse_identifier()
            self.parse_punctuation(":")
            text = self.parse_optional_str_literal()
            return key, text if text is not None else self._parse_resource_scalar()

        def group() -> None:
            name = self.parse_identifier()
            self.parse_punctuation(":")
            self.external_resources[name] = dict(self.parse_comma_separated_list(self.Delimiter.BRACES, entry))

        self.parse_comma_separated_list(self.Delimiter.BRACES, group)

    def _parse_resource_scalar(self) -> bool | int:
        if (flag := self.parse_optional_boolean()) is not None:
            return flag
        return self.parse_integer(context_msg=" as resource value")

    # Locations

    def _location_at(self, position: int) -> FileLineColLoc:
        line, column = self._source.line_and_column(position)
        return FileLineColLoc(self._filename, IntAttr(line), IntAttr(column))

    def _parse_location(self) -> LocationAttr:
        """`unknown`, `"f":1:2`, `"f":1:2 to 3:4`, `"name"(loc)`, `callsite(a at b)`, `fused<m>[...]` or an alias."""
        token = self._current_token
        if token.kind is MLIRTokenKind.STRING_LIT:
            return self._parse_file_or_name_location()
        if token.kind is MLIRTokenKind.HASH_IDENT:
            attribute = self.parse_attribute()
            if isinstance(attribute, _LOCATION_TYPES):
                return attribute
            self.fail(f"'{token.text}' is not a location", token.span)
        if token.kind is MLIRTokenKind.BARE_IDENT:
            match token.text:
                case "unknown":
                    self._consume_token()
                    return UnknownLoc()
                case "callsite":
                    return self._parse_callsite_location()
                case "fused":
                    return self._parse_fused_location()
                case _:
                    self.fail(
                        f"unknown kind of location '{token.text}'",
                        token.span,
                        close_name(token.text, ("unknown", "callsite", "fused")),
                    )
        self.fail("expected a location", token.span)

    def _parse_file_or_name_location(self) -> LocationAttr:
        text = StringAttr(self.parse_str_literal())
        if self.parse_optional_punctuation(":") is not None:
            line = self.parse_integer(False, False)
            column = 0
            if self.parse_optional_punctuation(":") is not None:
                column = self.parse_integer(False, False)
            if self.parse_optional_keyword("to") is not None:
                # A range; xDSL's locations hold its start only.
                self.parse_optional_integer(False, False)
                self.parse_punctuation(":")
                self.parse_integer(False, False)
            return FileLineColLoc(text, IntAttr(line), IntAttr(column))
        if self.parse_optional_punctuation("(") is None:
            return NameLoc(text, NoneAttr())
        nested = self._parse_location()
        self.parse_punctuation(")")
        return NameLoc(text, nested)

    def _parse_callsite_location(self) -> LocationAttr:
        self._consume_token()
        self.parse_punctuation("(")
        callee = self._parse_location()
        self.parse_keyword("at")
        caller = self._parse_location()
        self.parse_punctuation(")")
        return CallSiteLoc(callee, caller)

    def _parse_fused_location(self) -> LocationAttr:
        self._consume_token()
        metadata: Attribute = NoneAttr()
        if self.parse_optional_punctuation("<") is not None:
            metadata = self.parse_attribute()
            self.parse_punctuation(">")
        locations = self.parse_comma_separated_list(self.Delimiter.SQUARE, self._parse_location)
        return FusedLoc(ArrayAttr[Attribute](locations), metadata)

    # Aliases

    def _parse_extended_type_or_attribute(self, attr_or_dialect_name: str, is_type: bool) -> Any:
        prefix = "!" if is_type else "#"
        if "." not in attr_or_dialect_name and self._current_token.kind is not MLIRTokenKind.LESS:
            return self._resolve_alias(prefix + attr_or_dialect_name)
        return super()._parse_extended_type_or_attribute(attr_or_dialect_name, is_type)  # pyright: ignore[reportCallIssue, reportArgumentType, reportUnknownVariableType]

    def _resolve_alias(self, name: str) -> Attribute:
        """The value of an alias, read ahead when its definition comes later; each definition is parsed once."""
        if (known := self.attribute_aliases.get(name)) is not None:
            return known
        if self._aliases is None:
            self._aliases = {}
            for match in _ALIAS_DEFINITION.finditer(self._source.text):
                self._aliases.setdefault(match[1], _Alias(match.end()))
        span = self._previous_span(name)
        alias = self._aliases.get(name)
        if alias is None:
            self.fail(f"use of undefined alias '{name}'", span, close_name(name, self._aliases))
        if name in self._alias_stack:
            self.fail(f"alias '{name}' is defined by itself", span)
        if len(self._alias_stack) >= _MAX_ALIAS_DEPTH:
            self.fail(f"aliases refer to each other more than {_MAX_ALIAS_DEPTH} deep", span)
        lexer, token, position = self.lexer, self._current_token, self.lexer.pos
        self._alias_stack.append(name)
        self._resume_from(alias.position)
        value = self.parse_attribute()
        alias.end = self._current_token.span.start
        self._alias_stack.pop()
        self.attribute_aliases[name] = value
        lexer.pos, self._parser_state.current_token = position, token
        return value

    def _parse_alias_def(self) -> None:
        token = self._consume_token()
        name = token.text
        alias = (self._aliases or {}).get(name)
        if alias is not None and alias.end >= 0 and alias.position > token.span.start:
            end, alias.end = alias.end, -1
            self._resume_from(end)
            return
        if name in self.attribute_aliases:
            self.fail(f"alias '{name}' is defined twice", token.span)
        self.parse_punctuation("=", " after alias name")
        self.attribute_aliases[name] = self.parse_attribute()

    def _previous_span(self, text: str) -> Span:
        """The span of `text`, which was just consumed."""
        start = self.lexer.input.content.rfind(text, 0, self._current_token.span.start)
        return Span(max(start, 0), max(start, 0) + len(text), self.lexer.input)

    def _parse_dialect_type_or_attribute_body(
        self, attr_name: str, is_type: bool, is_opaque: bool, starting_opaque_pos: int | None
    ) -> Any:
        known = self.ctx.get_optional_type(attr_name) if is_type else self.ctx.get_optional_attr(attr_name)
        if known is None and "." in attr_name:
            kind, prefix = ("type", "!") if is_type else ("attribute", "#")
            loaded = self.ctx.loaded_types if is_type else self.ctx.loaded_attrs
            dialect = attr_name.split(".", 1)[0]
            message = f"unknown {kind} '{prefix}{attr_name}'"
            span = self._previous_span(attr_name if not is_opaque else attr_name.split(".", 1)[1])
            names = (a.name for a in loaded)
            self.fail(message, span, self._dialect_hint(dialect) or close_name(attr_name, names))
        return super()._parse_dialect_type_or_attribute_body(attr_name, is_type, is_opaque, starting_opaque_pos)

    def _dialect_hint(self, dialect: str) -> str | None:
        names = list(self.ctx.registered_dialect_names)
        if dialect in names:
            return None
        guess = close_name(dialect, names)
        return f"there is no dialect '{dialect}'" + (f"; {guess}" if guess else "")

    # Operations

    def parse_operation(self) -> Operation:
        """Parse one operation with its results, location and regions."""
        first = self._current_token.span
        bound = self._parse_op_result_list()
        token = self._current_token
        forward_before = dict(self.forward_ssa_references) if self.forward_ssa_references else {}
        self._op_spans.append(token.span)
        op, op_type = self._parse_operation_body(token)
        self._op_spans.pop()
        if isinstance(op.location, UnknownLoc) and not self._has_explicit_location:
            op.location = self._location_at(token.span.start)
        if self.forward_ssa_references and op_type.has_trait(IsolatedFromAbove, value_if_unregistered=False):
            self._check_forward_uses(forward_before, first.start)
        self._bind_results(op, bound, first)
        return op

    def _parse_operation_body(self, token: MLIRToken) -> tuple[Operation, type[Operation]]:
        stack = self._parser_state.dialect_stack
        if token.kind is MLIRTokenKind.BARE_IDENT:
            op_type = self._lookup_op(token.text, token.span, custom=True)
            self._consume_token()
            stack.append(op_type.dialect_name())
            op = op_type.parse(self)
            stack.pop()
            location = self.parse_optional_location()
            self._has_explicit_location = location is not None
            if location is not None:
                op.location = location
            return op, op_type
        if token.kind not in (MLIRTokenKind.STRING_LIT, MLIRTokenKind.BYTES_LIT):
            self.fail("expected an operation name", token.span)
        op_type = self._lookup_op(self.parse_str_literal(), token.span, custom=False)
        stack.append(op_type.dialect_name())
        self._has_explicit_location = False
        op = self._parse_generic_operation(op_type)
        stack.pop()
        return op, op_type

    def parse_optional_location(self) -> LocationAttr | None:
        """Parse `loc(...)` if present."""
        token = self._current_token
        if token.kind is not MLIRTokenKind.BARE_IDENT or token.text != "loc":
            self._has_explicit_location = False
            return None
        self._consume_token()
        self.parse_punctuation("(", " in location")
        location = self._parse_location()
        self.parse_punctuation(")", " in location")
        self._has_explicit_location = True
        return location

    def _bind_results(self, op: Operation, bound: list[tuple[Span, int]], first: Span) -> None:
        count = sum(size for _, size in bound)
        if bound and count != len(op.results):
            plural = "result" if len(op.results) == 1 else "results"
            self.fail(f"'{op.name}' op has {len(op.results)} {plural}, but {count} names are bound to it", first)
        position = 0
        for span, size in bound:
            values = op.results[position : position + size]
            self._register_ssa_definition(span.content[1:], values, span)
            position += size

    def _lookup_op(self, name: str, span: Span, *, custom: bool) -> type[Operation]:
        """The op class called `name`, or an error with the closest names."""
        stack = self._parser_state.dialect_stack
        found = self.ctx.get_optional_op(name, dialect_stack=stack)
        if found is not None and not issubclass(found, UnregisteredOp):
            return found
        dialect = name.split(".", 1)[0] if "." in name else stack[-1]
        registered = dialect in set(self.ctx.registered_dialect_names)
        if found is not None and not registered:
            if custom:
                self.fail(
                    f"custom syntax of unregistered op '{name}' cannot be parsed",
                    span,
                    "write it in the generic form, with its name in quotes",
                )
            return found
        if registered:
            loaded = self.ctx.get_optional_dialect(dialect)
            names = [op.name for op in loaded.operations] if loaded is not None else []
            if "." not in name:
                names = [n.split(".", 1)[1] for n in names]
            self.fail(f"unknown op '{name}' in dialect '{dialect}'", span, close_name(name, names))
        self.fail(f"unknown op '{name}'", span, self._dialect_hint(dialect) or self._op_hint(name))

    def _op_hint(self, name: str) -> str | None:
        return close_name(name, (op.name for op in self.ctx.loaded_ops))

    # SSA names

    def resolve_operand(self, operand: UnresolvedOperand, type: Any) -> Any:
        """The value `operand` names; a use before the definition leaves a placeholder."""
        name = operand.operand_name
        values = self.ssa_values.get(name)
        if values is None:
            self._forward_uses.setdefault((name, operand.index), operand.span)
            references = self.forward_ssa_references.setdefault(name, {})
            if (placeholder := references.get(operand.index)) is None:
                placeholder = references[operand.index] = ForwardDeclaredValue(type)
            resolved: SSAValue = placeholder
        else:
            resolved = self._indexed_value(name, values, operand)
        if resolved.type is not type and resolved.type != type:
            notes: list[tuple[Span, str]] = []
            if (where := self._definitions.get(name)) is not None:
                notes.append((where, f"'%{name}' is defined here with type {resolved.type}"))
            self.fail(
                f"'{operand.span.content}' is used as {type} but has type {resolved.type}",
                operand.span,
                notes=notes,
            )
        return resolved

    def _indexed_value(self, name: str, values: tuple[SSAValue, ...], operand: UnresolvedOperand) -> SSAValue:
        if operand.index >= len(values):
            self.fail(f"'%{name}#{operand.index}' does not exist: '%{name}' has {len(values)} values", operand.span)
        return values[operand.index]

    def _parse_optional_operand_without_type(self) -> SSAValue | None:
        operand = self.parse_optional_unresolved_operand()
        if operand is None:
            return None
        values = self.ssa_values.get(operand.operand_name)
        if values is None:
            self._undeclared(operand.operand_name, operand.span)
        return self._indexed_value(operand.operand_name, values, operand)

    def _undeclared(self, name: str, span: Span, start: int = 0) -> NoReturn:
        """Refuse a name that nothing visible defines; `start` is where the enclosing isolated op begins."""
        notes: list[tuple[Span, str]] = []
        hint = None
        if (where := self._definitions.get(name)) is not None:
            notes.append((where, f"'%{name}' is defined here, in a region that does not enclose the use"))
        else:
            known = (f"%{n}" for n, s in self._definitions.items() if s.start >= start)
            hint = close_name(f"%{name}", known)
        self.fail(f"use of undeclared SSA value name '%{name}'", span, hint, notes)

    def _check_forward_uses(self, allowed: Mapping[str, Any], start: int) -> None:
        """Refuse names that were used but are still undefined, except those in `allowed`."""
        missing = [name for name in self.forward_ssa_references if name not in allowed]
        if not missing:
            return
        uses = [(span.start, name, span) for (name, _), span in self._forward_uses.items() if name in missing]
        _, name, span = min(uses)
        self._undeclared(name, span, start)

    def _register_ssa_definition(self, name: str, values: Sequence[SSAValue], span: Span) -> None:
        if name in self.ssa_values:
            notes = [(self._definitions[name], "first defined here")] if name in self._definitions else []
            self.fail(f"redefinition of SSA value '%{name}'", span, notes=notes)
        self.ssa_values[name] = values if isinstance(values, tuple) else tuple(values)
        self._definitions[name] = span
        self._scopes[-1].names.append(name)
        if self.forward_ssa_references and name in self.forward_ssa_references:
            self._bind_forward_uses(name, values, span)
        if SSAValue.is_valid_name(name):
            for value in values:
                value.name_hint = name

    def _bind_forward_uses(self, name: str, values: Sequence[SSAValue], span: Span) -> None:
        for index, placeholder in self.forward_ssa_references.pop(name).items():
            use = self._forward_uses.pop((name, index), span)
            if index >= len(values):
                self.fail(f"'%{name}#{index}' does not exist: '%{name}' has {len(values)} values", use)
            value = values[index]
            if placeholder.type != value.type:
                self.fail(
                    f"'%{name}' is used as {placeholder.type} but has type {value.type}",
                    use,
                    notes=[(span, f"'%{name}' is defined here")],
                )
            placeholder.replace_all_uses_with(value)

    # Regions

    def parse_optional_region(self, arguments: Iterable[Parser.Argument] | None = None) -> Region | None:
        """Parse `{ ... }` if present; `arguments` become the entry block's."""
        opening = self._parse_optional_token(MLIRTokenKind.L_BRACE)
        if opening is None:
            return None
        region = Region()
        outer_blocks, outer_forward = self.blocks, self.forward_block_references
        self.blocks, self.forward_block_references = {}, defaultdict(list)
        self._scopes.append(_Scope())
        if arguments is not None:
            if self._current_token.kind is MLIRTokenKind.CARET_IDENT:
                self.fail("a region with named arguments cannot label its entry block", self._current_token.span)
            region.add_block(self._parse_entry_block(list(arguments)))
        elif self._current_token.kind not in (MLIRTokenKind.CARET_IDENT, MLIRTokenKind.R_BRACE):
            block = Block()
            self._parse_block_body(block)
            region.add_block(block)
        while self._parse_optional_token(MLIRTokenKind.R_BRACE) is None:
            if self._current_token.kind is not MLIRTokenKind.CARET_IDENT:
                self.fail(
                    "expected an operation or '}' to close this region",
                    self._current_token.span,
                    notes=[(opening.span, "the region starts here")],
                )
            region.add_block(self._parse_block())
        self._check_block_references()
        for name in self._scopes.pop().names:
            del self.ssa_values[name]
        self.blocks, self.forward_block_references = outer_blocks, outer_forward
        return region

    def parse_optional_argument(self, expect_type: bool = True) -> Any:
        """`%name : type loc(...)`, if present; the location may be left out."""
        argument = super().parse_optional_argument(expect_type)
        if isinstance(argument, Parser.Argument):
            location = self.parse_optional_location()
            if location is not None:
                return _LocatedArgument(argument.name, argument.type, location)
        return argument

    def _parse_entry_block(self, arguments: list[Parser.Argument]) -> Block:
        block = Block(arg_types=[argument.type for argument in arguments])
        for value, argument in zip(block.args, arguments, strict=True):
            self._register_ssa_definition(argument.name.content[1:], (value,), argument.name)
            if argument.location is not None:
                value.location = argument.location
            else:
                value.location = self._location_at(argument.name.start)
        self._parse_block_body(block)
        return block

    def _check_block_references(self) -> None:
        for name, spans in self.forward_block_references.items():
            self.fail(f"use of undefined block '^{name}'", spans[0], close_name(name, self.blocks.keys() - {name}))

    # Types, shapes and dense literals

    def parse_type(self) -> Any:
        """A type, or an error that names what stands there instead."""
        if (found := self.parse_optional_type()) is None:
            self._unknown_type("expected a type")
        return found

    def parse_ranked_shape(self) -> tuple[list[int], Attribute]:
        """`4x?xf32`: extents and the element type."""
        sizes = self.parse_dimension_list()
        if sizes:
            self.parse_shape_delimiter()
        if (found := self.parse_optional_type()) is None:
            self._unknown_type("expected an element type")
        return sizes, found

    def _unknown_type(self, expected: str) -> NoReturn:
        token = self._current_token
        if token.kind is MLIRTokenKind.BARE_IDENT:
            self.fail(f"unknown type '{token.text}'", token.span, close_name(token.text, _BUILTIN_TYPES))
        if token.kind is MLIRTokenKind.MINUS:
            self.fail("a dimension cannot be negative", token.span, "write ? for a dynamic dimension")
        self.fail(expected, token.span)

    def parse_shape_dimension(self, allow_dynamic: bool = True) -> int:
        """One extent of a shape; it must fit in 64 bits."""
        span = self._current_token.span
        if span.end - span.start > 20:
            self.fail("the dimension does not fit in 64 bits", span)
        size = super().parse_shape_dimension(allow_dynamic)
        if size > _INT64_MAX:
            self.fail("the dimension does not fit in 64 bits", span)
        return size

    def parse_dimension_list(self) -> list[int]:
        """The extents of a shape; the rank is limited."""
        span = self._current_token.span
        sizes = super().parse_dimension_list()
        if len(sizes) > self._limits.rank:
            self.fail(f"a shape of rank {len(sizes)} is above the limit of {self._limits.rank}", span)
        return sizes

    def parse_optional_integer(self, allow_boolean: bool = True, allow_negative: bool = True) -> int | None:
        """An integer, if present; absurdly long ones are refused before Python converts them."""
        span = self._current_token.span
        if span.end - span.start > 4096 and self._current_token.kind is MLIRTokenKind.INTEGER_LIT:
            self.fail("the integer is too long", span)
        return super().parse_optional_integer(allow_boolean, allow_negative)

    def parse_dense_int_or_fp_elements_attr(self, type: Any | None) -> DenseIntOrFPElementsAttr[Any]:
        """`dense<...>`; a splat larger than the limit is stored as its single value (see `stepwell.ir.dense`)."""
        self.parse_punctuation("<", " in dense attribute")
        start = self._current_token.span
        text: str | None = None
        elements: list[Any] = []
        shape: list[int] = []
        if self._current_token.kind is MLIRTokenKind.GREATER:
            shape = [0]
        elif (text := self.parse_optional_str_literal()) is None:
            self._literal_count = 0
            elements, shape = self._parse_tensor_literal()
        self.parse_punctuation(">", " in dense attribute")
        if type is None:
            self.parse_punctuation(":", " in dense attribute")
            type = self._parse_dense_literal_type()
        if text is not None:
            return self._dense_from_hex(text, type, start)
        return self._dense_from_elements(elements, shape, type, start)

    def _parse_tensor_literal_element(self) -> Any:
        self._literal_count += 1
        if self._literal_count > self._limits.literal_elements:
            self.fail(
                f"a dense literal of more than {self._limits.literal_elements} written elements",
                self._current_token.span,
                'write the data as one hexadecimal string: dense<"0x...">',
            )
        return super()._parse_tensor_literal_element()

    def _dense_from_hex(self, text: str, type: Any, span: Span) -> DenseIntOrFPElementsAttr[Any]:
        try:
            if not text.startswith("0x"):
                raise ValueError
            data = bytes.fromhex(text[2:])
        except ValueError:
            self.fail("expected a hexadecimal string that starts with 0x", span)
        count = math.prod(type.get_shape())
        size = type.element_type.compile_time_size
        if len(data) == size:
            return self._splat(data, count, type)
        if len(data) != count * size:
            self.fail(f"{type} needs {count * size} bytes of data, but {len(data)} are given", span)
        return DenseIntOrFPElementsAttr(type, BytesAttr(data))

    def _dense_from_elements(
        self, elements: list[Any], shape: list[int], type: Any, span: Span
    ) -> DenseIntOrFPElementsAttr[Any]:
        type_shape = list(type.get_shape())
        count = math.prod(type_shape)
        values = [element.to_type(self, type.element_type) for element in elements]
        if shape == [0] and count == 0:
            return DenseIntOrFPElementsAttr.from_list(type, [])
        if shape and shape != type_shape:
            self.fail(f"the literal has shape {shape} but its type {type} has {type_shape}", span)
        try:
            data = _pack(type.element_type, elements, values)
        except Exception as error:
            self.fail(f"an element does not fit in {type.element_type}: {error}", span)
        if not shape:
            return self._splat(data, count, type)
        return DenseIntOrFPElementsAttr(type, BytesAttr(data))

    def _splat(self, data: bytes, count: int, type: Any) -> DenseIntOrFPElementsAttr[Any]:
        if count * len(data) <= self._limits.splat_bytes:
            data *= count
        return DenseIntOrFPElementsAttr(type, BytesAttr(data))


def _pack(element_type: Any, elements: Sequence[Any], values: Sequence[Any]) -> bytes:
    """The bytes of dense elements; a hexadecimal literal of a float type is its bit pattern, as MLIR prints inf."""
    if isinstance(element_type, AnyFloat) and any(e.span.content.startswith("0x") for e in elements):
        size = element_type.compile_time_size
        return b"".join(
            int(e.span.content, 16).to_bytes(size, "little")
            if e.span.content.startswith("0x")
            else element_type.pack((v,))
            for e, v in zip(elements, values, strict=True)
        )
    if isinstance(element_type, IntegerType):
        values = [element_type.get_normalized_value(value) for value in values]
    return element_type.pack(values)


# Entry points


def parse_module(
    text: str | bytes,
    filename: str,
    context: Context,
    *,
    line_offset: int = 0,
    limits: ParseLimits = DEFAULT_LIMITS,
) -> ModuleOp:
    """Parse a program; `line_offset` is the number of lines before `text` in the file.

    Raises:
        ParseDiagnosticError: the text is not a valid program; the diagnostic says where and what would help.
    """
    return parse_with_resources(text, filename, context, line_offset=line_offset, limits=limits)[0]


def parse_with_resources(
    text: str | bytes,
    filename: str,
    context: Context,
    *,
    line_offset: int = 0,
    limits: ParseLimits = DEFAULT_LIMITS,
) -> tuple[ModuleOp, dict[str, dict[str, Any]]]:
    """Like `parse_module`, and the `external_resources` of the text beside the module."""
    content = text if isinstance(text, str) else decode_source(text, filename)
    source = Source(filename, content, line_offset)
    register_source(source)
    _check_size(source, limits)
    _check_nesting(source, limits)
    with deep_recursion():
        parser: SourceParser | None = None
        try:
            parser = SourceParser(context, source, limits)
            return parser.parse_module(), parser.external_resources
        except ParseError as error:
            raise ParseDiagnosticError(_parse_diagnostic(error, source)) from None
        except (MemoryError, KeyboardInterrupt):
            raise
        except Exception as error:
            raise ParseDiagnosticError(_unexpected_diagnostic(error, source, parser)) from error


def read_source(path: str, limits: ParseLimits = DEFAULT_LIMITS) -> str:
    """Read a program's text from a file.

    Raises:
        ParseDiagnosticError: unreadable, too large, binary or not UTF-8.
    """
    try:
        size = Path(path).stat().st_size
        if size > limits.source_bytes:
            raise _file_error(path, f"the file has {size} bytes, above the limit of {limits.source_bytes}")
        return decode_source(Path(path).read_bytes(), path)
    except OSError as error:
        raise _file_error(path, f"cannot read '{path}': {error.strerror or error}", located=False) from None


def decode_source(data: bytes, filename: str) -> str:
    """The text of a program's bytes.

    Raises:
        ParseDiagnosticError: binary or not UTF-8.
        UnsupportedDiagnosticError: MLIR bytecode.
    """
    if data.startswith(b"ML\xefR"):
        register_source(Source(filename, ""))
        raise UnsupportedDiagnosticError(
            Diagnostic(
                "error",
                SourceLocation(filename, 1, 1),
                "this is MLIR bytecode (a VHLO portable artifact), which is not supported",
                hint="print the module as text instead, in JAX with jax.jit(f).lower(*args).as_text()",
            )
        )
    register_source(Source(filename, ""))
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise _file_error(filename, "this is a binary file, not MLIR text", line=line)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        register_source(Source(filename, data[: error.end + 200].decode("utf-8", errors="replace")))
        raise _file_error(filename, "the text is not UTF-8", line=line, col=column) from None


def _file_error(
    filename: str, message: str, hint: str | None = None, *, line: int = 1, col: int = 1, located: bool = True
) -> ParseDiagnosticError:
    location = SourceLocation(filename, line, col) if located else None
    return ParseDiagnosticError(Diagnostic("error", location, message, hint=hint))


def _check_size(source: Source, limits: ParseLimits) -> None:
    if len(source.text) > limits.source_bytes:
        size = len(source.text)
        raise _file_error(source.name, f"the text has {size} characters, above the limit of {limits.source_bytes}")


def _check_nesting(source: Source, limits: ParseLimits) -> None:
    """Refuse brackets nested too deep, before any recursion (strings and comments do not count)."""
    depth = 0
    for match in _BRACKETS.finditer(source.text):
        index = match.lastindex
        if index == 1:
            depth += 1
            if depth > limits.nesting:
                line, column = source.line_and_column(match.start())
                raise ParseDiagnosticError(
                    Diagnostic(
                        "error",
                        SourceLocation(source.name, line, column),
                        f"nesting is deeper than the limit of {limits.nesting}",
                        hint="split the program into functions",
                    )
                )
        elif index == 2 and depth > 0:
            depth -= 1


def _span_location(span: Span[Any], source: Source) -> SourceLocation:
    line, column = source.line_and_column(min(span.start, len(source.text)))
    return SourceLocation(source.name, line, column, max(1, span.end - span.start))


def _parse_diagnostic(error: ParseError, source: Source) -> Diagnostic:
    message = error.msg.strip().rstrip(".!")
    if message[:9].lower() in ("expected ", "unexpecte"):
        message = message[0].lower() + message[1:]
    hint = getattr(error, "hint", None)
    notes: tuple[tuple[Span[Any], str | None], ...] = getattr(error, "notes", ())
    if isinstance(error, MultipleSpansParseError):
        notes = tuple((span, text or error.ref_text) for span, text in error.refs)
    location = _span_location(error.span, source)
    if source.text and error.span.start >= (end := len(source.text.rstrip())) and hint is None:
        message, hint = f"{message}, but the file ends here", "is the file truncated?"
        line, column = source.line_and_column(end)
        location = SourceLocation(source.name, line, column)
    diagnostic = Diagnostic("error", location, message, hint=hint)
    for span, text in notes:
        diagnostic = diagnostic.with_note(text or "see here", _span_location(span, source))
    return diagnostic


def _unexpected_diagnostic(error: Exception, source: Source, parser: SourceParser | None) -> Diagnostic:
    """An exception other than a parse error: an attribute or op that refused its parts while being built."""
    if parser is None:
        return Diagnostic("error", SourceLocation(source.name, 1, 1), f"cannot parse: {error}")
    spans = parser._op_spans  # pyright: ignore[reportPrivateUsage]
    span = spans[-1] if spans else parser._current_token.span  # pyright: ignore[reportPrivateUsage]
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    if isinstance(error, RecursionError):
        text = "the program is nested too deep"
    what = f"cannot parse this operation: {text[:400]}" if spans else text[:400]
    return Diagnostic("error", _span_location(span, source), what)


__all__ = [
    "DEFAULT_LIMITS",
    "ParseDiagnosticError",
    "ParseLimits",
    "SourceParser",
    "decode_source",
    "parse_module",
    "parse_with_resources",
    "read_source",
]
