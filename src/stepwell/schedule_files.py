"""Schedules as a user hands them over: files, mappings, single ones built in Python; and what an explanation writes.

A file is JSON: `{"format": "stepwell-schedules-1", "kernels": [{"kernel": hash, "schedule": "#kernel.schedule<...>", ...}]}`; `name`,
`kind` and `reason` beside them are for people. They reach the passes as the module's attribute `stepwell.schedules`.
This module imports no IR before it has to: what a cache's key needs is `schedules_bytes`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwell.ir.errors import InvalidProgramError

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from stepwell.device_targets import Machine
    from stepwell.dialects.kernel import ScheduleAttr

FORMAT = "stepwell-schedules-1"
_MOST = 64 << 20


def schedule(strategy: str, **parameters: int | str) -> ScheduleAttr:
    """A schedule to hand to `stepwell.compile(..., schedules={kernel: schedule})`.

    Args:
        strategy: its name (docs/schedules.md).
        **parameters: what it says, as in docs/schedules.md; what is left out holds by default.

    Raises:
        InvalidProgramError: no such strategy or parameter, or a value that it cannot have.
    """
    from xdsl.dialects.builtin import IntegerAttr, StringAttr, i64

    from stepwell.dialects.kernel import ScheduleAttr
    from stepwell.passes.schedules.parameters import problem_of

    entries: dict[str, Any] = {}
    for name, value in parameters.items():
        if isinstance(value, str):
            entries[name] = StringAttr(value)
        elif type(value) in (int, bool):
            entries[name] = IntegerAttr(int(value), i64)
        else:
            raise InvalidProgramError(f"{name} = {value!r} of a schedule is neither a number nor a text")
    made = ScheduleAttr(strategy, entries)
    problem = problem_of(made)
    if problem is not None:
        raise InvalidProgramError(f"a {strategy} schedule that is wrong: {problem}")
    return made


def _read(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > _MOST:
            raise InvalidProgramError(f"{path}: error: {size} bytes are too many for a file of schedules")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidProgramError(f"{path}: error: cannot read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidProgramError(f"{path}: error: is no text, so no file of schedules") from None


def schedules_bytes(schedules: Any) -> bytes:
    """Everything of a user's schedules that decides the code: part of the key of what is cached.

    Raises:
        InvalidProgramError: a file cannot be read, or it is none of what `compile` takes.
    """
    if schedules is None:
        return b""
    if isinstance(schedules, str | Path):
        return b"file\0" + _read(Path(schedules)).encode()
    if isinstance(schedules, Mapping):
        entries: Mapping[Any, Any] = schedules
        return b"mapping\0" + json.dumps([[str(k), str(v)] for k, v in entries.items()]).encode()
    raise InvalidProgramError(
        f"schedules are a file's path or a mapping from kernels to schedules, not {type(schedules).__name__}"
    )


def attach(module: ModuleOp, schedules: Any, machine: Machine, opt_level: int) -> None:
    """Write schedules on a module, for `choose-schedules` to take.

    Args:
        module: a parsed program.
        schedules: a path to a file, a mapping from a kernel's hash or name to a schedule (or its text), or None.
        machine: what it is compiled for.
        opt_level: at 3 what was tuned on this machine is written beside them.

    Raises:
        InvalidProgramError: a file or an entry is wrong; says where.
    """
    del machine, opt_level
    if schedules is None:
        return
    from xdsl.dialects.builtin import DictionaryAttr

    from stepwell.passes.schedules.records import SCHEDULES

    table = _file(Path(schedules)) if isinstance(schedules, str | Path) else _mapping(schedules)
    module.attributes[SCHEDULES] = DictionaryAttr(table)


def _mapping(schedules: Any) -> dict[str, ScheduleAttr]:
    if not isinstance(schedules, Mapping):
        schedules_bytes(schedules)
    entries: Mapping[Any, Any] = schedules
    table: dict[str, ScheduleAttr] = {}
    for key, value in entries.items():
        if not isinstance(key, str):
            raise InvalidProgramError(f"schedules are for kernels by hash or name, not for {key!r}")
        table[key] = _attribute(value) if isinstance(value, str) else _checked_kind(key, value)
    return table


def _checked_kind(key: str, value: Any) -> ScheduleAttr:
    from stepwell.dialects.kernel import ScheduleAttr

    if not isinstance(value, ScheduleAttr):
        raise InvalidProgramError(
            f"'{key}' is given {value!r}, which is no schedule: make one with stepwell.schedule(...)"
        )
    return value


def _attribute(text: str) -> ScheduleAttr:
    """A schedule out of its text.

    Raises:
        InvalidProgramError: it is none.
    """
    from xdsl.parser import Parser
    from xdsl.utils.exceptions import ParseError

    from stepwell.dialects.kernel import ScheduleAttr
    from stepwell.dialects.registry import context

    try:
        parser = Parser(context(), text)
        value = parser.parse_attribute()
        if parser.parse_optional_characters("") is None and isinstance(value, ScheduleAttr):
            return value
    except (ParseError, ValueError):
        pass
    raise InvalidProgramError(f"'{text}' is no schedule, as in '#kernel.schedule<\"loops\", {{vector = 32 : i64}}>'")


def _file(path: Path) -> dict[str, ScheduleAttr]:
    text = _read(path)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise _located(path, text, error.pos, f"no file of schedules: {error.msg}") from None
    except RecursionError:
        raise _located(path, text, 0, "no file of schedules: nested too deep") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        hint = "'stepwell explain --emit-schedules' writes such files"
        raise _located(path, text, 0, f'no file of schedules: its "format" is not "{FORMAT}"', hint)
    return _entries(path, text, content.get("kernels"))


def _entries(path: Path, text: str, kernels: Any) -> dict[str, ScheduleAttr]:
    if not isinstance(kernels, list):
        raise _located(path, text, 0, 'no file of schedules: "kernels" is no list')
    table: dict[str, ScheduleAttr] = {}
    at = 0
    for entry in kernels:
        key, value = (entry.get("kernel"), entry.get("schedule")) if isinstance(entry, dict) else (None, None)
        if not isinstance(key, str) or not isinstance(value, str):
            raise _located(
                path, text, at, f'the entry {json.dumps(entry)[:80]} has no "kernel" and "schedule" that are texts'
            )
        at = max(text.find(json.dumps(value), max(0, text.find(json.dumps(key), at))), 0)
        if key in table:
            raise _located(path, text, at, f"the kernel '{key[:16]}' has two entries")
        try:
            table[key] = _attribute(value)
        except InvalidProgramError as error:
            raise _located(path, text, at, str(error)) from None
    return table


def _located(path: Path, text: str, position: int, message: str, hint: str | None = None) -> InvalidProgramError:
    """An error in a file, with its line shown."""
    from stepwell.ir.diagnostics import (
        Diagnostic,
        InvalidProgramDiagnosticError,
        Source,
        SourceLocation,
        register_source,
    )

    source = Source(str(path), text)
    register_source(source)
    location = SourceLocation(str(path), *source.line_and_column(position))
    return InvalidProgramDiagnosticError(Diagnostic("error", location, message, hint=hint))


def schedules_text(module: ModuleOp, machine: Machine) -> str:
    """The schedule file of a module whose kernels have schedules: what `attach` reads."""
    from stepwell.dialects import kernel
    from stepwell.passes.schedules.records import kernel_hash

    entries = [
        {
            "kernel": kernel_hash(op),
            "name": op.sym_name.data,
            **{k: getattr(op.attributes.get(f"kernel.{k}"), "data", "") for k in ("kind", "reason")},
            "schedule": str(op.schedule),
        }
        for op in module.body.block.ops
        if isinstance(op, kernel.FuncOp) and op.schedule is not None
    ]
    target = getattr(machine, "level", machine.cpu)
    return json.dumps({"format": FORMAT, "target": target, "kernels": entries}, indent=1) + "\n"


__all__ = ["FORMAT", "attach", "schedule", "schedules_bytes", "schedules_text"]
