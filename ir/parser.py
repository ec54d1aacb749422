"""Parsing MLIR text: xDSL's parser with locations, forward aliases, limits and one located diagnostic.

`parse_module(text, filename, context)` is the entry. On top of xDSL it gives every op without an explicit location its
`file:line:col`, resolves `#loc` aliases that are defined after their use (as JAX prints them), keeps scopes in linear
time, refuses what is too deep or too large before it costs memory, and reports names it does not know with the closest one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, UnknownLoc, UnregisteredOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.parser import Parser
from xdsl.parser.core import ForwardDeclaredValue, UnresolvedOperand
from xdsl.traits import IsolatedFromAbove
from xdsl.utils.exceptions import MultipleSpansParseError, ParseError, VerifyException
from xdsl.utils.lexer import Span
from xdsl.utils.mlir_lexer import MLIRToken, MLIRTokenKind

from stepwell.ir.context import PartialDialect
from stepwell.ir.diagnostics import (
    Diagnostic,
    DiagnosticError,
    Source,
    SourceLocation,
    UnsupportedDiagnosticError,
    close_name,
    register_source,
)
from stepwell.ir.parse_resources import ResourceParser
from stepwell.ir.recursion import deep_recursion
from stepwell.ir.source_text import (
    DEFAULT_LIMITS,
    ParseDiagnosticError,
    ParseLimits,
    check_nesting,
    check_size,
    decode_source,
    read_source,
)


@dataclass
class _Scope:
    """The names one region defines."""

    names: list[str] = field(default_factory=list[str])


class _LocatedArgument(Parser.Argument):
    """An argument whose location was read with it; xDSL's function parser then assigns None, which is ignored."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "location" or value is not None or "location" not in self.__dict__:
            super().__setattr__(name, value)


class SourceParser(ResourceParser):
    """The parser; see the module docstring."""

    def __init__(self, context: Context, source: Source, limits: ParseLimits = DEFAULT_LIMITS):
        super().__init__(context, source, limits)
        self._scopes = [_Scope()]
        self._definitions: dict[str, Span] = {}
        self._forward_uses: dict[tuple[str, int], Span] = {}
        self._forward_depths: dict[tuple[str, int], int] = {}
        """How many regions deep a name was used before it was defined: at the least deep of its uses."""
        self._op_spans: list[Span] = []
        self.external_resources: dict[str, dict[str, Any]] = {}

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
            if isinstance(loaded, PartialDialect) and (reason := loaded.missing.get(name)) is not None:
                location = _span_location(span, self._source)
                raise UnsupportedDiagnosticError(
                    Diagnostic("error", location, f"'{name}' op is not supported: {reason}")
                )
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
            key = (name, operand.index)
            self._forward_uses.setdefault(key, operand.span)
            self._forward_depths[key] = min(len(self._scopes), self._forward_depths.get(key, len(self._scopes)))
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
            if self._forward_depths.pop((name, index), 0) < len(self._scopes):
                # What a region defines is not seen outside; the op that has the region may be the one that used it.
                self._undeclared(name, use)
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
    check_size(source, limits)
    check_nesting(source, limits)
    with deep_recursion():
        parser: SourceParser | None = None
        try:
            parser = SourceParser(context, source, limits)
            return parser.parse_module(), parser.external_resources
        except ParseError as error:
            raise ParseDiagnosticError(_parse_diagnostic(error, source)) from None
        except (KeyboardInterrupt, DiagnosticError):
            raise
        except Exception as error:
            raise ParseDiagnosticError(_unexpected_diagnostic(error, source, parser)) from error


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
    if isinstance(error, MemoryError):
        text = "it needs more memory than there is"
    elif isinstance(error, RecursionError):
        text = "the program is nested too deep"
    elif not isinstance(error, VerifyException | ValueError):
        text = f"its parts do not fit ({type(error).__name__}: {text})" if str(error) else "its parts do not fit"
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
