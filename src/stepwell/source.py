"""What a user may hand to `compile`, brought to module form: text, a path, a module, or anything with `.as_text()`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xdsl.dialects.builtin import ModuleOp

from stepwell.dialects.registry import context
from stepwell.ir.errors import InvalidProgramError, UnsupportedError
from stepwell.ir.parser import parse_module
from stepwell.ir.verify import verify_module

VHLO_MAGIC = b"ML\xefR"


def _refuse_bytecode(name: str) -> None:
    raise UnsupportedError(
        f"{name}: error: this is MLIR bytecode (a VHLO portable artifact), which Stepwell does not read\n"
        "hint: export text instead, for example `jax.jit(f).lower(*args).as_text()`"
    )


def read_text(path: str | Path) -> str:
    """The text of a program file.

    Raises:
        InvalidProgramError: missing, unreadable or not text.
        UnsupportedError: MLIR bytecode.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InvalidProgramError(f"{path}: error: cannot read the program: {error.strerror}") from None
    if data.startswith(VHLO_MAGIC):
        _refuse_bytecode(str(path))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidProgramError(f"{path}:1:1: error: not a text file (byte {error.start} is not UTF-8)") from None


def _looks_like_path(program: str) -> bool:
    return "\n" not in program and "(" not in program and "{" not in program and bool(program.strip())


def program_text(program: Any) -> tuple[str, str]:
    """(text, name for diagnostics) of a program given as text, a path, or an object with `.as_text()`.

    Raises:
        InvalidProgramError: none of these, or the file cannot be read.
        UnsupportedError: MLIR bytecode.
    """
    if isinstance(program, bytes | bytearray):
        if bytes(program[:4]) == VHLO_MAGIC:
            _refuse_bytecode("<bytes>")
        return bytes(program).decode("utf-8", errors="replace"), "<bytes>"
    if isinstance(program, Path) or (isinstance(program, str) and _looks_like_path(program)):
        return read_text(program), str(program)
    if isinstance(program, str):
        return program, "<string>"
    if hasattr(program, "as_text"):
        return str(program.as_text()), "<as_text>"
    if hasattr(program, "mlir_module"):
        return str(program.mlir_module()), "<mlir_module>"
    raise InvalidProgramError(
        f"a program is text, a path, a module or something with .as_text(), not {type(program).__name__}"
    )


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
