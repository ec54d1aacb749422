"""Warnings and remarks of a compilation in the form the cache keeps, so that a program that is found says what it said when it was made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stepwell.ir.diagnostics import Diagnostic, Source, SourceLocation, emit, register_source
from stepwell.program_input import NamedText


def diagnostics_as_json(diagnostics: Sequence[Diagnostic], program: str) -> list[dict[str, Any]]:
    """Diagnostics as what JSON can say; places in the file `program` are those of any file with its text."""
    return [_as_json(diagnostic, program) for diagnostic in diagnostics]


def _as_json(diagnostic: Diagnostic, program: str) -> dict[str, Any]:
    place = diagnostic.location
    file = None if place is None or place.file == program else place.file
    return {
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "hint": diagnostic.hint,
        "place": None if place is None else [file, place.line, place.col, place.length],
        "notes": diagnostics_as_json(diagnostic.notes, program),
    }


def emit_again(made: Sequence[dict[str, Any]], program: NamedText | None) -> None:
    """Emit what `diagnostics_as_json` kept, for a program of the same text."""
    name = "<unknown>" if program is None else program.name
    if program is not None:
        register_source(Source(name, program.data.decode("utf-8-sig", errors="replace")))
    for item in made:
        emit(_from_json(item, name))


def _from_json(made: dict[str, Any], program: str) -> Diagnostic:
    place = None
    if made["place"] is not None:
        file, line, col, length = made["place"]
        place = SourceLocation(program if file is None else file, line, col, length)
    notes = tuple(_from_json(note, program) for note in made["notes"])
    return Diagnostic(made["severity"], place, made["message"], notes, made["hint"])


__all__ = ["diagnostics_as_json", "emit_again"]
