"""The public exceptions (defined in `stepwell.ir.errors`)."""

from stepwell.ir.errors import CompileError, InvalidProgramError, UnsupportedError

__all__ = ["CompileError", "InvalidProgramError", "UnsupportedError"]
