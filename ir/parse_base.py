"""The lowest layer of the parser: errors with hints, fast tokens, locations, and aliases defined after their use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from xdsl.context import Context
from xdsl.dialects.builtin import (
    ArrayAttr,
    CallSiteLoc,
    FileLineColLoc,
    FusedLoc,
    IntAttr,
    LocationAttr,
    NameLoc,
    NoneAttr,
    StringAttr,
    UnknownLoc,
)
from xdsl.ir import Attribute
from xdsl.parser import Parser
from xdsl.parser.generic_parser import ParserState
from xdsl.utils.exceptions import ParseError
from xdsl.utils.lexer import Input, Span
from xdsl.utils.mlir_lexer import MLIRToken, MLIRTokenKind

from stepwell.ir.diagnostics import Source, close_name
from stepwell.ir.lexer import SourceLexer
from stepwell.ir.source_text import DEFAULT_LIMITS, ParseLimits

_LOCATION_TYPES = (UnknownLoc, FileLineColLoc, CallSiteLoc, NameLoc, FusedLoc)
_ALIAS_DEFINITION = re.compile(r"^[ \t]*+([#!][a-zA-Z$._-][a-zA-Z0-9$._-]*+)[ \t]*+=", re.MULTILINE)
_MAX_ALIAS_DEPTH = 500


class HintedParseError(ParseError):
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


class LocatedParser(Parser):
    """xDSL's parser with our lexer, errors, locations and aliases."""

    def __init__(self, context: Context, source: Source, limits: ParseLimits = DEFAULT_LIMITS):
        super().__init__(context, "", source.name)
        self._source = source
        self._parser_state = ParserState(SourceLexer(Input(source.text, source.name)))
        self._limits = limits
        self._aliases: dict[str, _Alias] | None = None
        self._alias_stack: list[str] = []
        self._filename = StringAttr(source.name)
        self._has_explicit_location = False

    # Errors

    def fail(
        self, message: str, span: Span, hint: str | None = None, notes: Sequence[tuple[Span, str]] = ()
    ) -> NoReturn:
        """Raise a parse error at `span`."""
        raise HintedParseError(span, message, hint, notes)

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
