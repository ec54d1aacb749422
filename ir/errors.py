"""The exceptions a user sees; plain Python, no xDSL, so that importing them is free.

`CompileError` is the root. `InvalidProgramError`: the user's program or arguments are wrong. `UnsupportedError`: valid,
but not something Stepwell does yet; names the op, the reason and what would help.
"""

from __future__ import annotations


class CompileError(Exception):
    """Compiling failed; `str(error)` is the rendered diagnostic (location, message, caret line, notes)."""


class InvalidProgramError(CompileError, ValueError):
    """The program, the inputs or the options are wrong."""


class InternalError(CompileError):
    """A bug in Stepwell, not in the program; the exception it came from is its `__cause__`."""


class MiscompileError(InternalError):
    """Validation found a pass, or native code, that changed what the program computes."""


class UnsupportedError(CompileError):
    """A valid program that needs something Stepwell does not do; names the op, the reason and what would help."""


class SimulationError(CompileError):
    """A simulated kernel did what a device does not define: an access out of bounds, a race, a barrier not all reach."""
