"""What a trace refuses, with the line of the user's file where it was asked for."""

from __future__ import annotations

from stepwell.frontends.locations import caller_source
from stepwell.ir.diagnostics import Diagnostic, InvalidProgramDiagnosticError


class TracingError(InvalidProgramDiagnosticError):
    """A Python function cannot be traced; the message shows the user's line and a hint."""


class ConcretizationError(TracingError, TypeError):
    """The value of a traced array was asked for: `if`, `int()`, a NumPy function, a shape that depends on data."""


class LeakedTracerError(TracingError):
    """A traced array was used after its trace, or the region it was made in, had ended."""


class PromotionError(TracingError, TypeError):
    """Two dtypes have no common type, or a value is of none that arrays hold."""


def refuse(message: str, hint: str | None = None, kind: type[TracingError] = TracingError) -> TracingError:
    """The error to raise at the user's line."""
    return kind(Diagnostic("error", caller_source(), message, hint=hint))
