"""What a user may hand to `compile`, brought to module form: text, a path, a module, or anything with `.as_text()`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.type import get_element_type_or_self

from stepwell.dialects.registry import context
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.errors import InvalidProgramError
from stepwell.ir.parser import parse_module
from stepwell.ir.source_text import decode_source, read_source, read_stream
from stepwell.ir.verify import verify_module
from stepwell.program_input import NamedText, looks_like_path


def program_text(program: Any) -> tuple[str, str]:
    """(text, name for diagnostics) of a program given as text, a path, or an object with `.as_text()`.

    Raises:
        InvalidProgramError: none of these, or the file cannot be read.
        UnsupportedError: MLIR bytecode.
    """
    if isinstance(program, NamedText):
        text = decode_source(program.data, program.name) if program.text is None else program.text
        return text, program.name
    if isinstance(program, bytes | bytearray):
        return decode_source(bytes(program), "<bytes>"), "<bytes>"
    if isinstance(program, Path) or (isinstance(program, str) and looks_like_path(program)):
        return read_source(str(program)), str(program)
    if isinstance(program, str):
        return program, "<string>"
    if hasattr(program, "as_text"):
        return str(program.as_text()), "<as_text>"
    if hasattr(program, "mlir_module"):
        return str(program.mlir_module()), "<mlir_module>"
    raise InvalidProgramError(
        f"a program is text, a path, a module or something with .as_text(), not {type(program).__name__}"
    )


def read_module(stream: BinaryIO, name: str) -> ModuleOp:
    """The module a stream holds, called `name` in diagnostics; not yet verified.

    Raises:
        InvalidProgramError: not text, or not a program.
        UnsupportedError: MLIR bytecode.
    """
    return parse_module(read_stream(stream, name), name, context())


def parse(program: Any) -> ModuleOp:
    """Parse and verify a program of any step.

    Args:
        program: text, a path, a module (cloned), or an object with `.as_text()` (a lowered or exported JAX function).

    Raises:
        InvalidProgramError: the program is malformed; the message has file, line, column and a caret.
        UnsupportedError: it is MLIR bytecode.
    """
    if isinstance(program, ModuleOp):
        module = program.clone()
    else:
        text, name = program_text(program)
        module = parse_module(text, name, context())
    verify_module(module)
    return module


def element_dtypes(module: ModuleOp) -> list[np.dtype[Any]]:
    """The NumPy dtypes of the element types a module's values have, each once, in order of appearance."""
    found: dict[np.dtype[Any], None] = {}
    for op in module.walk():
        for result in op.results:
            element = get_element_type_or_self(result.type)
            try:
                found.setdefault(numpy_dtype(element))
            except TypeError:  # no array type: a pointer, a token
                continue
    return list(found)
