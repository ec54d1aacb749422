"""The text of a program before it is parsed: its limits, reading it from files, and refusing what is not text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from stepwell.ir.diagnostics import (
    Diagnostic,
    InvalidProgramDiagnosticError,
    Source,
    SourceLocation,
    UnsupportedDiagnosticError,
    register_source,
)
from stepwell.ir.errors import CompileError


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

_BRACKETS = re.compile(r'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"?|//[^\n]*+|->|[<>]=|([(\[{<])|([)\]}>])')


class ParseDiagnosticError(InvalidProgramDiagnosticError):
    """The text is not a valid program."""


def read_source(path: str, limits: ParseLimits = DEFAULT_LIMITS) -> str:
    """Read a program's text from a file.

    Raises:
        ParseDiagnosticError: unreadable, too large, binary or not UTF-8.
    """
    try:
        size = Path(path).stat().st_size
        if size > limits.source_bytes:
            raise file_error(path, f"the file has {size} bytes, above the limit of {limits.source_bytes}")
        with open(path, "rb") as stream:
            return read_stream(stream, path, limits)
    except CompileError:
        raise
    except OSError as error:
        raise file_error(path, f"cannot read '{path}': {error.strerror or error}", located=False) from None
    except ValueError as error:  # a null byte, or what is not Unicode
        raise file_error(path, f"cannot read {path!r}: {error}", located=False) from None


def read_stream(stream: BinaryIO, filename: str = "-", limits: ParseLimits = DEFAULT_LIMITS) -> str:
    """Read a program's text from a stream, at most as much as the limit allows.

    Raises:
        ParseDiagnosticError: too large, binary or not UTF-8.
    """
    data = stream.read(limits.source_bytes + 1)
    if len(data) > limits.source_bytes:
        register_source(Source(filename, ""))
        raise file_error(filename, f"the text is above the limit of {limits.source_bytes} bytes")
    return decode_source(data, filename)


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
        raise file_error(filename, "this is a binary file, not MLIR text", line=line)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        register_source(Source(filename, data[: error.end + 200].decode("utf-8", errors="replace")))
        raise file_error(filename, "the text is not UTF-8", line=line, col=column) from None


def file_error(
    filename: str, message: str, hint: str | None = None, *, line: int = 1, col: int = 1, located: bool = True
) -> ParseDiagnosticError:
    """An error about a file as a whole."""
    location = SourceLocation(filename, line, col) if located else None
    return ParseDiagnosticError(Diagnostic("error", location, message, hint=hint))


def check_size(source: Source, limits: ParseLimits) -> None:
    """Refuse a text above the limit."""
    if len(source.text) > limits.source_bytes:
        size = len(source.text)
        raise file_error(source.name, f"the text has {size} characters, above the limit of {limits.source_bytes}")


def check_nesting(source: Source, limits: ParseLimits) -> None:
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
