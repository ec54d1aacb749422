"""`--verify-diagnostics`: comparing what was reported with the `expected-...` comments of the input.

    // expected-error @+1 {{use of undeclared SSA value name}}
    %0 = arith.addf %x, %y : f32

Severities: error, warning, remark, note. Places: `@+N`, `@-N`, `@above`, `@below`, `@unknown`, `@N` (none: the comment's own
line). The text must be part of the message; `expected-error-re` gives regular expressions between `{{` and `}}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stepwell.ir.diagnostics import Diagnostic, SourceLocation

_EXPECTED = re.compile(
    r"expected-(error|warning|remark|note)(-re)?[ \t]*(?:@([+-]?\d+|above|below|unknown))?[ \t]*\{\{(.*)\}\}"
)
_MALFORMED = re.compile(r"//.*?(expected-(?:error|warning|remark|note)(?:-re)?)[ \t]*(?:@[^ \t]*)?[ \t]*(.*)")
_PATTERN = re.compile(r"\{\{(.*?)\}\}")


@dataclass
class _Expectation:
    severity: str
    line: int | None
    text: str
    is_pattern: bool
    comment: SourceLocation
    met: bool = False

    def matches(self, diagnostic: Diagnostic) -> bool:
        line = diagnostic.location.line if diagnostic.location is not None else None
        if diagnostic.severity != self.severity or (self.line is not None and line != self.line):
            return False
        if self.line is None and line is not None:
            return False
        if not self.is_pattern:
            return self.text in diagnostic.message
        return re.search(_regular_expression(self.text), diagnostic.message) is not None


def _regular_expression(text: str) -> str:
    """The pattern of an `-re` expectation: what stands between `{{` and `}}` is one, the rest is itself."""
    return "".join(p if i % 2 else re.escape(p) for i, p in enumerate(_PATTERN.split(text)))


def _expectations(filename: str, text: str, line_offset: int) -> Iterator[_Expectation]:
    previous: int | None = None
    lines = text.split("\n")
    for index, content in enumerate(lines):
        number = index + 1 + line_offset
        match = _EXPECTED.search(content)
        if match is None:
            if content.strip():
                previous = number
            continue
        severity, pattern, place, message = match.groups()
        comment = SourceLocation(filename, number, match.start() + 1, match.end() - match.start())
        yield _Expectation(severity, _line(place, number, previous, lines, index), message, bool(pattern), comment)


def _line(place: str | None, number: int, previous: int | None, lines: Sequence[str], index: int) -> int | None:
    match place:
        case None:
            return number
        case "unknown":
            return None
        case "above":
            return previous
        case "below":
            for offset, content in enumerate(lines[index + 1 :], 1):
                if content.strip() and not _EXPECTED.search(content):
                    return number + offset
            return number
        case _ if place[0] in "+-":
            return number + int(place)
        case _:
            return int(place)


def _malformed(filename: str, text: str, line_offset: int) -> Iterator[Diagnostic]:
    """Errors of `expected-...` comments that would otherwise mean nothing, or not what they say."""
    for number, content in enumerate(text.split("\n"), 1 + line_offset):
        comment = _MALFORMED.search(content)
        if comment is None:
            continue
        reason, match = None, _EXPECTED.search(content)
        if match is None:
            reason = f"the expected text must stand in {{{{...}}}}: {comment[0]}"
        elif match[2]:
            reason = _pattern_problem(match[4])
        if reason is not None:
            start, end = comment.span(1)
            yield Diagnostic("error", SourceLocation(filename, number, start + 1, end - start), reason)


def _pattern_problem(text: str) -> str | None:
    if text.count("{{") > text.count("}}"):
        return f"'{{{{' is not closed: {text}"
    try:
        re.compile(_regular_expression(text))
    except re.error as error:
        return f"is no regular expression: {text} ({error})"
    return None


def _flatten(diagnostics: Sequence[Diagnostic]) -> Iterator[tuple[Diagnostic, bool]]:
    for diagnostic in diagnostics:
        yield diagnostic, True
        for note in diagnostic.notes:
            yield note, False


def check_diagnostics(filename: str, text: str, line_offset: int, emitted: Sequence[Diagnostic]) -> list[Diagnostic]:
    """The mismatches as errors: expectations not met, and errors, warnings or remarks nobody expected."""
    problems = list(_malformed(filename, text, line_offset))
    if problems:
        return problems
    expectations = list(_expectations(filename, text, line_offset))
    for diagnostic, must_be_expected in _flatten(emitted):
        for expectation in expectations:
            if not expectation.met and expectation.matches(diagnostic):
                expectation.met = True
                break
        else:
            if must_be_expected:
                message = f"unexpected {diagnostic.severity}: {diagnostic.message}"
                problems.append(Diagnostic("error", diagnostic.location, message))
    for expectation in expectations:
        if not expectation.met:
            message = f'expected {expectation.severity} "{expectation.text}" was not produced'
            problems.append(Diagnostic("error", expectation.comment, message))
    return problems
