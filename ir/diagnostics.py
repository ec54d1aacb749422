"""One located diagnostic for parse, verify and pass errors, rendered as clang renders its own.

    model.mlir:3:10: error: use of undeclared SSA value name '%argO'
        %0 = stablehlo.add %argO, %arg1 : tensor<4xf32>
                           ^~~~~
    hint: did you mean '%arg0'?

An error is raised as a `DiagnosticError` (`error.diagnostic` is the object, `str(error)` the rendered text); warnings and
remarks go through `emit` to the innermost handler (standard error by default).
"""

from __future__ import annotations

import linecache
import sys
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import islice
from typing import Literal, TypeAlias

from xdsl.dialects.builtin import CallSiteLoc, FileLineColLoc, FusedLoc, NameLoc
from xdsl.ir import Attribute, BlockArgument, Operation, OpResult, SSAValue

from stepwell.ir.errors import CompileError, InternalError, InvalidProgramError, UnsupportedError

Severity: TypeAlias = Literal["error", "warning", "remark", "note"]

_MAX_SOURCES = 16
_MAX_SOURCE_CHARACTERS = 32 << 20
_MAX_LINE = 240
_MOST_INSIDE = 64
_MAX_MESSAGE = 8000
_LAYOUT = "\n\t"


def printable(text: str, keep: str = "") -> str:
    """`text` with what could start lines or drive a terminal written as escapes, but for the characters in `keep`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)


def clipped(text: str, most: int) -> str:
    """`text`, or its two ends when it is longer than `most`."""
    return text if len(text) <= most else f"{text[: most // 2]} ... {text[-most // 2 :]}"


class Source:
    """The text of one input and its line table (built on first use, then a lookup is a bisection)."""

    def __init__(self, name: str, text: str, line_offset: int = 0):
        self.name = name
        self.text = text
        self.line_offset = line_offset
        self._starts: list[int] | None = None

    def _line_starts(self) -> list[int]:
        if self._starts is None:
            starts = [0]
            find, position = self.text.find, -1
            while (position := find("\n", position + 1)) != -1:
                starts.append(position + 1)
            self._starts = starts
        return self._starts

    def line_and_column(self, position: int) -> tuple[int, int]:
        """One-based line (in the whole file) and column of a character position."""
        starts = self._line_starts()
        index = bisect_right(starts, position) - 1
        return index + 1 + self.line_offset, position - starts[index] + 1

    def line(self, number: int) -> str | None:
        """The text of line `number` without its newline, if this source holds it."""
        starts = self._line_starts()
        index = number - self.line_offset - 1
        if not 0 <= index < len(starts):
            return None
        end = self.text.find("\n", starts[index])
        return self.text[starts[index] : end if end != -1 else len(self.text)].rstrip("\r")


_sources: OrderedDict[str, list[Source]] = OrderedDict()


def register_source(source: Source) -> None:
    """Keep `source` for caret lines; only the latest few inputs (and chunks of one file) are kept."""
    chunks = _sources.setdefault(source.name, [])
    if source.line_offset == 0:
        chunks.clear()
    chunks.append(source)
    del chunks[:-_MAX_SOURCES]
    _sources.move_to_end(source.name)
    size = sum(len(chunk.text) for chunks in _sources.values() for chunk in chunks)
    while len(_sources) > _MAX_SOURCES or (size > _MAX_SOURCE_CHARACTERS and len(_sources) > 1):
        size -= sum(len(chunk.text) for chunk in next(iter(_sources.values())))
        _sources.popitem(last=False)


_running: dict[str, None] = {}


def register_running_code(file: str) -> None:
    """Let lines of a Python file be shown: for the names of files whose code is running, never for names out of a program."""
    _running[file] = None


def _source_line(file: str, line: int) -> str | None:
    """A line of a registered input or of running code. No other file is opened: its name would come from the program."""
    for chunk in reversed(_sources.get(file, ())):
        if (text := chunk.line(line)) is not None:
            return text
    return (linecache.getline(file, line).rstrip() or None) if file in _running else None


@dataclass(frozen=True)
class SourceLocation:
    """A place in a file; `col` is one-based, `length` is how many characters the caret underlines."""

    file: str
    line: int
    col: int
    length: int = 1

    def __str__(self) -> str:
        return f"{clipped(printable(self.file), 1000)}:{self.line}:{self.col}"


@dataclass(frozen=True)
class Diagnostic:
    """One message about one place, with the notes that explain it and a hint what to do."""

    severity: Severity
    location: SourceLocation | None
    message: str
    notes: tuple[Diagnostic, ...] = ()
    hint: str | None = None

    def render(self) -> str:
        """The text a user sees; ends without a newline."""
        prefix = f"{self.location}: " if self.location is not None else ""
        lines = [f"{prefix}{self.severity}: {printable(clipped(self.message, _MAX_MESSAGE), keep=_LAYOUT)}"]
        if self.location is not None:
            lines.extend(_caret_lines(self.location))
        lines.extend(note.render() for note in self.notes)
        if self.hint:
            lines.append(f"hint: {printable(clipped(self.hint, _MAX_MESSAGE), keep=_LAYOUT)}")
        return "\n".join(lines)

    def with_note(self, message: str, location: SourceLocation | None = None) -> Diagnostic:
        """This diagnostic with one more note."""
        return replace(self, notes=(*self.notes, Diagnostic("note", location, message)))


def _caret_lines(location: SourceLocation) -> list[str]:
    text = _source_line(location.file, location.line)
    if not text or location.col < 1 or location.col > len(text) + 1:
        return []
    column, length = location.col - 1, max(1, min(location.length, len(text) - location.col + 1))
    start = 0
    if len(text) > _MAX_LINE:
        start = max(0, min(column - _MAX_LINE // 3, len(text) - _MAX_LINE))
        text = text[start : start + _MAX_LINE]
    text = "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in text)  # each as wide as it was
    padding = "".join("\t" if c == "\t" else " " for c in text[: column - start])
    length = min(length, max(1, len(text) - (column - start)))
    return [text, padding + "^" + "~" * (length - 1)]


class DiagnosticError(CompileError):
    """A compile error with its diagnostic."""

    def __init__(self, diagnostic: Diagnostic):
        super().__init__(diagnostic.render())
        self.diagnostic = diagnostic


class InvalidProgramDiagnosticError(DiagnosticError, InvalidProgramError):
    """The user's program, pipeline or arguments are wrong."""


class UnsupportedDiagnosticError(DiagnosticError, UnsupportedError):
    """A valid program that needs something Stepwell does not do."""


class InternalDiagnosticError(DiagnosticError, InternalError):
    """A bug in Stepwell, located as well as it can be; `pipeline` is what ran, once known."""

    pipeline: str | None = None

    def with_reproducer(self, path: str | None) -> InternalDiagnosticError:
        """The same, saying where its reproducer is and how to see more."""
        diagnostic = self.diagnostic
        if path is not None:
            diagnostic = diagnostic.with_note(f"a reproducer was written to '{path}'; please report it")
        return InternalDiagnosticError(replace(diagnostic, hint="STEPWELL_DEBUG=1 shows the Python traceback"))


class PassFailedError(DiagnosticError):
    """A pass could not do what it was asked."""


def close_name(name: str, candidates: Iterable[str]) -> str | None:
    """A `did you mean` hint, or None when nothing is close."""
    found = get_close_matches(name, sorted(set(candidates)), n=3, cutoff=0.6)
    if not found:
        return None
    return "did you mean " + " or ".join(f"'{f}'" for f in found) + "?"


def source_location(location: Attribute) -> SourceLocation | None:
    """The best file position inside a location attribute: the innermost for names, the callee for call sites."""
    pending: list[Attribute] = [location]
    while pending:
        current = pending.pop()
        match current:
            case FileLineColLoc():
                return SourceLocation(current.filename.data, current.line.data, current.column.data)
            case NameLoc():
                pending.append(current.location)
            case CallSiteLoc():
                pending.extend((current.caller, current.callee))
            case FusedLoc():
                pending.extend(reversed(list(getattr(current.locations, "data", ()))))
            case _:
                pass
    return None


def location_of(op: Operation) -> SourceLocation | None:
    """Where `op` stands in the source, or else the nearest enclosing op with a known place, or else the first one inside.

    JAX gives its functions and modules no place of their own (`loc(unknown)`), but nearly all that is in them.
    """
    current: Operation | None = op
    while current is not None:
        if (found := source_location(current.location)) is not None:
            return _with_name_length(found, current.name)
        current = current.parent_op()
    for inner in islice(op.walk(), 1, _MOST_INSIDE):
        if (found := source_location(inner.location)) is not None:
            return _with_name_length(found, inner.name)
    return None


def _with_name_length(place: SourceLocation, name: str) -> SourceLocation:
    if place.length != 1 or (text := _source_line(place.file, place.line)) is None:
        return place
    return replace(place, length=_name_length(text, place.col - 1, name))


def _name_length(text: str, column: int, name: str) -> int:
    """How much of the op's name stands at the caret (`func.return` may be written `return`)."""
    for spelled in (f'"{name}"', name, name.split(".", 1)[-1]):
        if text.startswith(spelled, column):
            return len(spelled)
    return 1


def op_label(op: Operation) -> str:
    """How messages name an op: `'func.func' op @main`."""
    name = op.attributes.get("op_name__") if op.name == "builtin.unregistered" else None
    symbol = op.properties.get("sym_name") or op.attributes.get("sym_name")
    label = f"'{_name(getattr(name, 'data', op.name))}' op"
    return f"{label} @{_name(getattr(symbol, 'data', symbol))}" if symbol is not None else label


def _name(name: object) -> str:
    return clipped(printable(str(name)), _MAX_LINE)


def op_diagnostic(op: Operation, message: str, hint: str | None = None, severity: Severity = "error") -> Diagnostic:
    """A diagnostic at `op`; the message starts with the op's name unless it already names it."""
    if op.name not in message:
        message = f"{op_label(op)} {message}"
    return Diagnostic(severity, location_of(op), message, hint=hint)


def invalid(op: Operation, message: str, hint: str | None = None) -> InvalidProgramDiagnosticError:
    """The error to raise when the user's program is wrong at `op`."""
    return InvalidProgramDiagnosticError(op_diagnostic(op, message, hint))


def unsupported(op: Operation, reason: str, hint: str | None = None) -> UnsupportedDiagnosticError:
    """The error to raise when `op` is valid but not supported; `hint` says what would help."""
    return UnsupportedDiagnosticError(op_diagnostic(op, f"is not supported: {reason}", hint))


def value_location(value: SSAValue) -> SourceLocation | None:
    """Where a value is defined."""
    if isinstance(value, OpResult):
        return location_of(value.op)
    if isinstance(value, BlockArgument):
        found = source_location(value.location)
        parent = value.block.parent_op()
        return found if found is not None or parent is None else location_of(parent)
    return None


Handler: TypeAlias = Callable[[Diagnostic], None]


def _print_to_stderr(diagnostic: Diagnostic) -> None:
    print(diagnostic.render(), file=sys.stderr)


_handlers: list[Handler] = [_print_to_stderr]


def emit(diagnostic: Diagnostic) -> None:
    """Report a warning or remark to the innermost handler."""
    _handlers[-1](diagnostic)


@contextmanager
def diagnostic_handler(handler: Handler) -> Generator[None, None, None]:
    """Send what is emitted inside the `with` block to `handler`."""
    _handlers.append(handler)
    try:
        yield
    finally:
        _handlers.pop()


def warn(op: Operation, message: str, hint: str | None = None) -> None:
    """Emit a warning at `op`."""
    emit(op_diagnostic(op, message, hint, "warning"))


def remark(op: Operation, message: str, notes: Sequence[str] = ()) -> None:
    """Emit a remark at `op`."""
    diagnostic = op_diagnostic(op, message, severity="remark")
    for note in notes:
        diagnostic = diagnostic.with_note(note)
    emit(diagnostic)
