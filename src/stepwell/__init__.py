"""Stepwell: a multi-level tensor compiler in Python.

Public names load lazily, so `import stepwell` pays for neither xDSL nor llvmlite.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stepwell.compiler import compile as compile
    from stepwell.compiler import parse as parse
    from stepwell.errors import CompileError as CompileError
    from stepwell.errors import InvalidProgramError as InvalidProgramError
    from stepwell.errors import UnsupportedError as UnsupportedError
    from stepwell.runtime.executable import Executable as Executable

__version__ = "0.1.0"

_LAZY = {
    "compile": "stepwell.compiler",
    "parse": "stepwell.compiler",
    "CompileError": "stepwell.errors",
    "InvalidProgramError": "stepwell.errors",
    "UnsupportedError": "stepwell.errors",
    "Executable": "stepwell.runtime.executable",
}

__all__ = ["CompileError", "Executable", "InvalidProgramError", "UnsupportedError", "__version__", "compile", "parse"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'stepwell' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
