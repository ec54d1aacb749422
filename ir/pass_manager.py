"""Pipelines: parsing their text, and running passes on the ops they are anchored on.

    builtin.module(inline, func.func(canonicalize, my-pass{tile=4,8 mode="fast"}), kernel.func(apply-schedule), cse)

A pipeline names passes and, in parentheses after an op name, what runs on each op of that name nested directly in the current
one. A pass written where its `anchor` is not the current op runs on each op of its anchor's name nested directly inside. The
outer `builtin.module(...)` may be left out around passes. In names and options `-` and `_` mean the same.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

from xdsl.context import Context
from xdsl.ir import Operation
from xdsl.utils.exceptions import DiagnosticException

from stepwell.ir.diagnostics import (
    Diagnostic,
    DiagnosticError,
    InternalDiagnosticError,
    InvalidProgramDiagnosticError,
    PassFailedError,
    Source,
    SourceLocation,
    UnsupportedDiagnosticError,
    close_name,
    op_diagnostic,
    register_source,
)
from stepwell.ir.errors import CompileError, UnsupportedError
from stepwell.ir.instrumentation import Instrumentation
from stepwell.ir.passes import ANY_ANCHOR, Pass
from stepwell.ir.recursion import deep_recursion
from stepwell.ir.verify import VerifyDiagnosticError

PassLookup = Callable[[str], type[Pass]]
"""Finds a pass class by its kebab-case name; raises KeyError."""

SOURCE_NAME = "<pass-pipeline>"


class PipelineError(InvalidProgramDiagnosticError):
    """The text of a pipeline is wrong."""


@dataclass(frozen=True)
class PassSpec:
    """A pass as written: its name and the raw text of its options."""

    name: str
    options: tuple[tuple[str, str | None, int], ...] = ()
    """(name, raw value or None for a bare flag, position) in order."""
    position: int = 0


@dataclass(frozen=True)
class NestedSpec:
    """`anchor(items...)` as written."""

    anchor: str
    items: tuple[PassSpec | NestedSpec, ...]
    position: int = 0


# The text


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")
_BLANK = re.compile(r"\s*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"|\'([^\']*)\'')
_PIECE = re.compile(r'(?:"(?:[^"\\]|\\.)*"|\'[^\']*\'|[^,])+')
"""Of a list: up to a comma outside of quotes."""


class _PipelineReader:
    """Recursive descent over the text of a pipeline."""

    def __init__(self, text: str):
        self.text = text
        self.position = 0
        register_source(Source(SOURCE_NAME, text))

    def fail(self, message: str, position: int | None = None, hint: str | None = None, length: int = 1) -> NoReturn:
        raise pipeline_error(message, self.position if position is None else position, hint, length)

    def skip(self) -> None:
        match = _BLANK.match(self.text, self.position)
        assert match is not None
        self.position = match.end()

    def take(self, char: str) -> bool:
        self.skip()
        if self.text.startswith(char, self.position):
            self.position += 1
            return True
        return False

    def name(self, what: str) -> str:
        self.skip()
        match = _NAME.match(self.text, self.position)
        if match is None:
            self.fail(f"expected {what}")
        self.position = match.end()
        return match[0]

    def items(self, depth: int = 0) -> tuple[PassSpec | NestedSpec, ...]:
        """A comma-separated list up to `)` or the end."""
        if depth > 64:
            self.fail("the pipeline is nested too deep")
        found: list[PassSpec | NestedSpec] = []
        self.skip()
        while self.position < len(self.text) and self.text[self.position] != ")":
            self.skip()
            start = self.position
            name = self.name("a pass name or an op name")
            if self.take("("):
                nested = self.items(depth + 1)
                if not self.take(")"):
                    self.fail(f"expected ',' or ')' to close '{name}('", hint="parentheses must be balanced")
                found.append(NestedSpec(name, nested, start))
            else:
                found.append(PassSpec(name.replace("_", "-"), self.options(), start))
            if not self.take(","):
                break
            self.skip()
            if self.position >= len(self.text) or self.text[self.position] == ")":
                self.fail("expected a pass name or an op name after ','", hint="remove the last ','")
        self.skip()
        return tuple(found)

    def options(self) -> tuple[tuple[str, str | None, int], ...]:
        """`{a=1 b="text" flag c=1,2}` if present."""
        if not self.text.startswith("{", self.position):
            return ()
        opening = self.position
        self.position += 1
        found: list[tuple[str, str | None, int]] = []
        while not self.take("}"):
            if self.position >= len(self.text):
                self.fail("the options are not closed", opening, "add '}'")
            found.append(self.option())
        return tuple(found)

    def option(self) -> tuple[str, str | None, int]:
        start = self.position
        name = self.name("an option name").replace("-", "_")
        if not self.text.startswith("=", self.position):
            return name, None, start
        self.position += 1
        return name, self.value(), start

    def value(self) -> str:
        """Raw text up to a space or `}` outside of quotes and brackets."""
        start, depth = self.position, 0
        while self.position < len(self.text):
            char = self.text[self.position]
            if char in "\"'":
                quoted = _QUOTED.match(self.text, self.position)
                if quoted is None:
                    self.fail("the quoted value is not closed")
                self.position = quoted.end()
                continue
            if depth == 0 and (char.isspace() or char == "}"):
                break
            depth += (char in "{[(") - (char in "}])")
            self.position += 1
        return self.text[start : self.position]


def pipeline_error(message: str, position: int, hint: str | None = None, length: int = 1) -> PipelineError:
    """An error at a position of the pipeline's text."""
    return PipelineError(Diagnostic("error", SourceLocation(SOURCE_NAME, 1, position + 1, length), message, hint=hint))


def parse_pipeline(text: str) -> tuple[PassSpec | NestedSpec, ...]:
    """The items of a pipeline's text, with an outer `builtin.module(...)` or `any(...)` taken off.

    Raises:
        PipelineError: the text is malformed.
    """
    reader = _PipelineReader(" ".join(text.splitlines()))
    items = reader.items()
    if reader.position < len(reader.text):
        reader.fail(f"unexpected '{reader.text[reader.position]}'", hint="parentheses must be balanced")
    if len(items) == 1 and isinstance(items[0], NestedSpec) and items[0].anchor in ("builtin.module", ANY_ANCHOR):
        return items[0].items
    if len(items) == 1 and isinstance(items[0], NestedSpec):
        anchor = items[0].anchor
        message = f"a pipeline on '{anchor}' cannot run on 'builtin.module'"
        raise pipeline_error(message, items[0].position, f"write builtin.module({text.strip()})", len(anchor))
    return items


# Building passes


def build_pass(spec: PassSpec, lookup: PassLookup, names: Sequence[str]) -> Pass:
    """The pass object a spec describes.

    Raises:
        PipelineError: no such pass or option, or a value of the wrong kind.
    """
    try:
        cls = lookup(spec.name)
    except KeyError:
        hint = close_name(spec.name, names) or "stepwell-opt --list-passes lists all passes"
        raise pipeline_error(f"unknown pass '{spec.name}'", spec.position, hint, len(spec.name)) from None
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}
    hints = _type_hints(cls)
    values: dict[str, Any] = {}
    for name, raw, position in spec.options:
        if name not in fields:
            known = [f.replace("_", "-") for f in fields]
            hint = close_name(name.replace("_", "-"), known) or (
                f"its options are: {', '.join(known)}" if known else "it has no options"
            )
            raise pipeline_error(f"pass '{spec.name}' has no option '{name}'", position, hint, len(name))
        if name in values:
            raise pipeline_error(f"option '{name}' is given twice", position, None, len(name))
        try:
            values[name] = _convert(raw, hints[name])
        except ValueError as error:
            message = f"pass '{spec.name}': option '{name}' expects {error}, not {raw!r}"
            if raw is None:
                message = f"pass '{spec.name}': option '{name}' expects {error}, but no value is given"
            raise pipeline_error(message, position, f"write {name}=VALUE", len(name)) from None
    _check_required(spec, fields, values)
    try:
        return cls(**values)
    except (ValueError, TypeError) as error:
        raise pipeline_error(f"pass '{spec.name}': {error}", spec.position, None, len(spec.name)) from None


def _check_required(spec: PassSpec, fields: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    for name, info in fields.items():
        missing = info.default is dataclasses.MISSING and info.default_factory is dataclasses.MISSING
        if missing and name not in values:
            raise pipeline_error(
                f"pass '{spec.name}' needs the option '{name.replace('_', '-')}'",
                spec.position,
                f"write {spec.name}{{{name.replace('_', '-')}=VALUE}}",
                len(spec.name),
            )


@cache
def _type_hints(cls: type[Pass]) -> dict[str, Any]:
    return get_type_hints(cls)


def _convert(raw: str | None, kind: Any) -> Any:
    """`raw` as a value of the type `kind`; a ValueError says what is expected."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _convert_union(raw, arguments)
    if kind is bool:
        if raw is None or raw.lower() in ("true", "1"):
            return True
        if raw.lower() in ("false", "0"):
            return False
        raise ValueError("true or false")
    if raw is None:
        raise ValueError(type_text(kind))
    if origin is Literal:
        text = _unquote(raw)
        for choice in arguments:
            if str(choice) == text:
                return choice
        raise ValueError("one of " + ", ".join(str(c) for c in arguments))
    if origin in (tuple, list):
        pieces = _split_list(raw)
        return tuple(_convert(piece, arguments[0]) for piece in pieces)
    if kind is str:
        return _unquote(raw)
    if kind is int:
        return _convert_number(raw, lambda text: int(text, 0), "an integer")
    if kind is float:
        return _convert_number(raw, float, "a number")
    raise ValueError(type_text(kind))


def _convert_number(raw: str, parse: Callable[[str], Any], what: str) -> Any:
    try:
        return parse(raw)
    except ValueError:
        raise ValueError(what) from None


def _convert_union(raw: str | None, arguments: tuple[Any, ...]) -> Any:
    if NoneType in arguments and (raw is None or raw == "none"):
        return None
    choices = [argument for argument in arguments if argument is not NoneType]
    # The narrowest kind first, so that "4" is an integer before it is a string.
    choices.sort(key=lambda c: [bool, int, float, str].index(c) if c in (bool, int, float, str) else -1)
    for choice in choices:
        try:
            return _convert(raw, choice)
        except ValueError:
            continue
    raise ValueError(" or ".join(type_text(choice) for choice in choices))


def _unquote(raw: str) -> str:
    match = _QUOTED.fullmatch(raw)
    if match is None:
        return raw
    return re.sub(r"\\(.)", r"\1", match[1]) if match[1] is not None else match[2]


def _split_list(raw: str) -> list[str]:
    if raw[:1] in "[{(" and raw[-1:] in "]})":
        raw = raw[1:-1]
    return [piece for piece in (p.strip() for p in _PIECE.findall(raw)) if piece]


def type_text(kind: Any) -> str:
    """An option's type as messages and the documentation name it."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return " or ".join(type_text(a) for a in arguments if a is not NoneType)
    if origin is Literal:
        return "one of " + ", ".join(str(a) for a in arguments)
    if origin in (tuple, list):
        return f"a list of {type_text(arguments[0])}"
    return {bool: "true or false", int: "an integer", float: "a number", str: "a string"}.get(kind, str(kind))


def option_infos(cls: type[Pass]) -> list[tuple[str, str, str | None]]:
    """(name, type, default) of a pass's options, for lists and documentation."""
    hints = _type_hints(cls)
    infos: list[tuple[str, str, str | None]] = []
    for info in dataclasses.fields(cls):
        default = None if info.default is dataclasses.MISSING else _value_text(info.default)
        infos.append((info.name.replace("_", "-"), type_text(hints[info.name]), default))
    return infos


def _value_text(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case tuple() | list():
            return ",".join(_value_text(v) for v in value)  # pyright: ignore[reportUnknownVariableType]
        case str():
            plain = re.fullmatch(r"[A-Za-z0-9_.\-]+", value)
            return value if plain else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case None:
            return "none"
        case _:
            return str(value)


# Running


@dataclass(frozen=True)
class Nested:
    """Passes that run on each op named `anchor` nested directly in the current op."""

    anchor: str
    items: tuple[Pass | Nested, ...]


@dataclass
class Pipeline:
    """Passes in order, and what watches them."""

    items: tuple[Pass | Nested, ...]
    instrumentations: list[Instrumentation] = field(default_factory=list[Instrumentation])

    def run(self, context: Context, op: Operation) -> None:
        """Run all passes on `op`, in place.

        Raises:
            DiagnosticError: a pass failed, refused, or broke the IR.
        """
        for instrumentation in self.instrumentations:
            instrumentation.before_pipeline(self, op)
        try:
            with deep_recursion():
                self._run_items(self.items, context, op)
        except BaseException as error:
            if isinstance(error, InternalDiagnosticError):
                error.pipeline = str(self)
            for instrumentation in reversed(self.instrumentations):
                instrumentation.pipeline_failed(self, op, error)
            raise
        for instrumentation in reversed(self.instrumentations):
            instrumentation.after_pipeline(self, op)

    def _run_items(self, items: Sequence[Pass | Nested], context: Context, op: Operation) -> None:
        for item in items:
            if isinstance(item, Nested):
                for nested in nested_ops(op, item.anchor):
                    self._run_items(item.items, context, nested)
            elif item.anchor in (op.name, ANY_ANCHOR):
                self._run_pass(item, context, op)
            else:
                for nested in nested_ops(op, item.anchor):
                    self._run_pass(item, context, nested)

    def _run_pass(self, item: Pass, context: Context, op: Operation) -> None:
        for instrumentation in self.instrumentations:
            instrumentation.before_pass(item, op)
        try:
            item.apply(context, op)
        except Exception as error:
            failure = pass_failure(item, op, error)
            for instrumentation in reversed(self.instrumentations):
                instrumentation.pass_failed(item, op, failure)
            if failure is error:
                error.add_note(f"while running pass '{item.name}' on {_op_text(op)}")
                raise
            raise failure from error
        for instrumentation in reversed(self.instrumentations):
            instrumentation.after_pass(item, op)

    def __str__(self) -> str:
        return f"builtin.module({','.join(_item_text(item) for item in self.items)})"


def nested_ops(op: Operation, name: str) -> list[Operation]:
    """The ops called `name` directly inside `op`'s regions."""
    return [nested for region in op.regions for block in region.blocks for nested in block.ops if nested.name == name]


def _item_text(item: Pass | Nested) -> str:
    if isinstance(item, Nested):
        return f"{item.anchor}({','.join(_item_text(inner) for inner in item.items)})"
    return pass_text(item)


def pass_text(item: Pass) -> str:
    """A pass with the options that differ from their defaults, as a pipeline writes it."""
    options: list[str] = []
    for info in dataclasses.fields(item):
        value = getattr(item, info.name)
        if info.default is dataclasses.MISSING or value != info.default:
            options.append(f"{info.name.replace('_', '-')}={_value_text(value)}")
    return f"{item.name}{{{' '.join(options)}}}" if options else item.name


def pass_failure(item: Pass, op: Operation, error: Exception) -> Exception:
    """What a failed pass raises to the user: located, and naming the pass; anything unforeseen is an internal error."""
    note = f"while running pass '{item.name}' on {_op_text(op)}"
    if isinstance(error, VerifyDiagnosticError):
        return VerifyDiagnosticError(error.diagnostic.with_note(note), error.op)
    if isinstance(error, DiagnosticError):
        return type(error)(error.diagnostic.with_note(note))
    where = getattr(error, "op", None)
    place = where if isinstance(where, Operation) else op
    if isinstance(error, UnsupportedError):
        return UnsupportedDiagnosticError(_plain(place, str(error)).with_note(note))
    if isinstance(error, CompileError):
        return InvalidProgramDiagnosticError(_plain(place, str(error)).with_note(note))
    if isinstance(error, DiagnosticException):
        return PassFailedError(_plain(place, str(error)).with_note(note))
    if isinstance(error, MemoryError):
        message = f"pass '{item.name}' needs more memory than there is"
        return InvalidProgramDiagnosticError(_plain(place, message).with_note(note))
    if isinstance(error, RecursionError):
        message = f"the program is nested too deep for pass '{item.name}'"
        return UnsupportedDiagnosticError(_plain(place, message).with_note(note))
    return InternalDiagnosticError(_plain(place, f"internal error: pass '{item.name}': {_reason(error)}"))


def _reason(error: Exception) -> str:
    """An exception in one short line."""
    text = " ".join(str(error).split())
    name = type(error).__name__
    return f"{name}: {text[:300]}" if text else name


def _plain(op: Operation, message: str) -> Diagnostic:
    """A diagnostic at `op` whose message is kept as it is."""
    diagnostic = op_diagnostic(op, message)
    return dataclasses.replace(diagnostic, message=message)


def _op_text(op: Operation) -> str:
    symbol = op.properties.get("sym_name") or op.attributes.get("sym_name")
    return f"'{op.name}' @{getattr(symbol, 'data', symbol)}" if symbol is not None else f"'{op.name}'"


def build_pipeline(
    text: str,
    lookup: PassLookup,
    names: Sequence[str],
    context: Context | None = None,
    instrumentations: Sequence[Instrumentation] = (),
) -> Pipeline:
    """The pipeline a text describes; `context`, when given, checks that anchors are known ops.

    Raises:
        PipelineError: malformed text, unknown pass, option or anchor.
    """
    builder = _PipelineBuilder(lookup, names, context)
    return Pipeline(builder.items(parse_pipeline(text), "builtin.module"), list(instrumentations))


@dataclass(frozen=True)
class _PipelineBuilder:
    lookup: PassLookup
    names: Sequence[str]
    context: Context | None

    def items(self, specs: Sequence[PassSpec | NestedSpec], anchor: str) -> tuple[Pass | Nested, ...]:
        return tuple(self.item(spec, anchor) for spec in specs)

    def item(self, spec: PassSpec | NestedSpec, anchor: str) -> Pass | Nested:
        if isinstance(spec, NestedSpec):
            self.check_anchor(spec)
            if spec.anchor == anchor:
                hint = f"write the passes of '{anchor}(...)' only once"
                raise pipeline_error(f"'{anchor}' cannot be nested in itself here", spec.position, hint, len(anchor))
            return Nested(spec.anchor, self.items(spec.items, spec.anchor))
        built = build_pass(spec, self.lookup, self.names)
        if anchor != "builtin.module" and built.anchor not in (anchor, ANY_ANCHOR):
            message = f"pass '{spec.name}' runs on '{built.anchor}', not inside '{anchor}'"
            hint = f"write it outside of '{anchor}(...)'"
            raise pipeline_error(message, spec.position, hint, len(spec.name))
        return built

    def check_anchor(self, spec: NestedSpec) -> None:
        if self.context is None or self.context.get_optional_op(spec.anchor) is not None:
            return
        known = [op.name for op in self.context.loaded_ops]
        hint = close_name(spec.anchor, (*known, "func.func", "kernel.func", *self.names))
        if spec.anchor.replace("_", "-") in self.names:
            hint = f"'{spec.anchor}' is a pass; write its options in braces"
        raise pipeline_error(f"unknown op '{spec.anchor}' to nest on", spec.position, hint, len(spec.anchor))
