"""`--import MODULE`: Python modules that a command runs first, for what they register."""

from __future__ import annotations

import importlib
import os
import runpy
import sys
from collections.abc import Iterable
from pathlib import Path

from stepwell.ir.errors import InvalidProgramError

IMPORT = "--import"
IMPORT_HELP = "a Python module, or FILE.py, to run first: it may call stepwell.register_custom_call; may be repeated"


def import_modules(names: Iterable[str]) -> None:
    """Run modules: names (also of the working directory), or paths of `.py` files.

    Raises:
        InvalidProgramError: there is none of that name, or it fails.
    """
    for name in names:
        try:
            _import(name)
        except InvalidProgramError:
            raise
        except Exception as error:
            raise InvalidProgramError(f"cannot import '{name}': {type(error).__name__}: {error}") from error


def _import(name: str) -> None:
    if not name.endswith(".py"):
        here = os.getcwd()
        if here not in sys.path:
            sys.path.append(here)
        importlib.import_module(name)
        return
    if not Path(name).is_file():
        raise InvalidProgramError(f"cannot import '{name}': no such file")
    runpy.run_path(name)


__all__ = ["IMPORT", "IMPORT_HELP", "import_modules"]
