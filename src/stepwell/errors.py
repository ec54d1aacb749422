"""The public exceptions (defined in `stepwell.ir.errors`)."""

from stepwell.ir.errors import (
    CompileError,
    InternalError,
    InvalidProgramError,
    MiscompileError,
    SimulationError,
    UnsupportedError,
)

__all__ = [
    "CompileError",
    "InternalError",
    "InvalidProgramError",
    "MiscompileError",
    "SimulationError",
    "UnsupportedError",
]
