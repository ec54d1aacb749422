"""Schedules as a user hands them over: files, mappings, single ones built in Python; and what an explanation writes.

A file is JSON: `{"format": "stepwell-schedules-1", "kernels": [{"kernel": hash, "schedule": "#kernel.schedule<...>", ...}]}`; `name`,
`kind` and `reason` beside them are for people. They reach the passes as the module's attribute `stepwell.schedules`.
Reading a file imports no IR: `Schedules` is part of a request (`stepwell.request`), and so of what a cache's keys are made of.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwell.ir.errors import InvalidProgramError

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from stepwell.backends.target import Target
    from stepwell.device_targets import Machine
    from stepwell.dialects.kernel import ScheduleAttr

FORMAT = "stepwell-schedules-1"
_MOST = 64 << 20


@dataclass(frozen=True)
class Schedules:
    """Schedules that a user asks for, as text, and those the tuner found; equal where they decide the same."""

    asked: tuple[tuple[str, str], ...] = ()
    """A kernel's hash or name, and the schedule it is to have."""
    tuned: tuple[tuple[str, str], ...] = ()
    """A kernel's hash, and the schedule that was best."""
    source: str | None = field(default=None, compare=False, repr=False)
    """The file they are from."""
    text: str = field(default="", compare=False, repr=False)
    """What the file said."""


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
        elif type(value) in (int, bool) and abs(value) < 1 << 63:
            entries[name] = IntegerAttr(int(value), i64)
        else:
            raise InvalidProgramError(f"{name} = {value!r} of a schedule is neither a number of 64 bits nor a text")
    made = ScheduleAttr(strategy, entries)
    problem = problem_of(made)
    if problem is not None:
        raise InvalidProgramError(f"a schedule '{strategy}' that is wrong: {problem}")
    return made


def with_tuned(schedules: Schedules | None, target: Target) -> Schedules | None:
    """The schedules, and beside them what was tuned for a machine by this version: what -O3 takes."""
    import stepwell
    from stepwell.tuning.records import tuned_for

    kept = tuned_for(target, stepwell.__version__)
    if not kept:
        return schedules
    known = schedules or Schedules()
    return replace(known, tuned=tuple({**dict(kept), **dict(known.tuned)}.items()))


def schedules_for(schedules: Schedules | None, opt_level: int, machine: Machine) -> Schedules | None:
    """What a program is compiled with for a machine at a level."""
    from stepwell.backends.target import Target

    return with_tuned(schedules, machine) if opt_level == 3 and isinstance(machine, Target) else schedules


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
    except ValueError as error:
        raise InvalidProgramError(f"{str(path)!r} is no path of a file of schedules: {error}") from None


def asked_schedules(schedules: Any) -> Schedules | None:
    """What a user hands over as schedules.

    Args:
        schedules: the path of a file of schedules, or of tuning records (.jsonl, or another name if it begins with one); a mapping
            from a kernel's hash or name to a schedule (or its text); or None.

    Raises:
        InvalidProgramError: it is none of these, or a file is wrong; says where.
    """
    if schedules is None or isinstance(schedules, Schedules):
        return schedules
    if isinstance(schedules, str | Path):
        text = _read(Path(schedules))
        if Path(schedules).suffix == ".jsonl" or _begins_with_record(text):
            return Schedules(tuned=_records(str(schedules), text), source=str(schedules), text=text)
        return Schedules(_file_entries(str(schedules), text), source=str(schedules), text=text)
    if not isinstance(schedules, Mapping):
        kind = type(schedules).__name__
        raise InvalidProgramError(f"schedules are a file's path or a mapping from kernels to schedules, not {kind}")
    entries: Mapping[Any, Any] = schedules
    for key, value in entries.items():
        if not isinstance(key, str):
            raise InvalidProgramError(f"schedules are for kernels by hash or name, not for {key!r}")
        if not isinstance(value, str) and getattr(value, "name", "") != "kernel.schedule":
            raise InvalidProgramError(f"'{key}' is given {value!r}, no schedule: make one with stepwell.schedule(...)")
    return Schedules(tuple((key, str(value)) for key, value in entries.items()))


def _begins_with_record(text: str) -> bool:
    from stepwell.tuning.records import parse_record

    try:
        parse_record(text.partition("\n")[0])
    except (ValueError, RecursionError):
        return False
    return True


def _records(path: str, text: str) -> tuple[tuple[str, str], ...]:
    """The entries of a file of tuning records; later lines come before earlier ones of the same kernel."""
    from stepwell.tuning.records import parse_record

    entries: dict[str, str] = {}
    position = 0
    for line in text.splitlines(keepends=True):
        try:
            record = parse_record(line)
        except (ValueError, RecursionError) as error:
            raise _located(path, text, position, f"no tuning record: {error}") from None
        entries[record.kernel] = record.schedule
        position += len(line)
    return tuple(entries.items())


def _file_entries(path: str, text: str) -> tuple[tuple[str, str], ...]:
    """The entries of a file: (kernel, schedule)."""
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise _located(path, text, error.pos, f"no file of schedules: {error.msg}") from None
    except RecursionError:
        raise _located(path, text, 0, "no file of schedules: nested too deep") from None
    except ValueError:  # Python reads no numbers of more than some thousand digits
        raise _located(path, text, 0, "no file of schedules: a number is too long") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        hint = "'stepwell explain --emit-schedules' writes such files"
        raise _located(path, text, 0, f'no file of schedules: its "format" is not "{FORMAT}"', hint)
    kernels = content.get("kernels")
    if not isinstance(kernels, list):
        raise _located(path, text, 0, 'no file of schedules: "kernels" is no list')
    entries: dict[str, str] = {}
    for entry in kernels:
        key, value = (entry.get("kernel"), entry.get("schedule")) if isinstance(entry, dict) else (None, None)
        if not isinstance(key, str) or not isinstance(value, str):
            shown = json.dumps(entry)[:80]
            raise _located(path, text, 0, f'the entry {shown} has no "kernel" and "schedule" that are texts')
        if key in entries:
            raise _located(path, text, text.rfind(json.dumps(key)), f"the kernel '{key[:16]}' has two entries")
        entries[key] = value
    return tuple(entries.items())


def attach(module: ModuleOp, schedules: Schedules | None) -> None:
    """Write schedules on a module, for `choose-schedules` to take.

    Raises:
        InvalidProgramError: an entry is no schedule, which says where; or the module's schedules are carried out already.
    """
    if schedules is None:
        return
    from xdsl.dialects.builtin import DictionaryAttr

    from stepwell.passes.schedules.records import SCHEDULES, TUNED

    asked = {key: _attribute(key, text, schedules) for key, text in schedules.asked}
    if asked:
        check_before_schedules(module, "leave schedules out")
        module.attributes[SCHEDULES] = DictionaryAttr(asked)
    tuned: dict[str, ScheduleAttr] = {}
    for key, text in schedules.tuned:
        try:
            tuned[key] = _attribute(key, text, schedules)
        except InvalidProgramError:
            if json.dumps(text) in schedules.text:  # of a file that was asked for, not of what happens to be kept
                raise
    if tuned:
        module.attributes[TUNED] = DictionaryAttr(tuned)


def check_before_schedules(module: ModuleOp, otherwise: str) -> None:
    """Refuse a module whose schedules are carried out already.

    Raises:
        InvalidProgramError: they are; the hint says to give an earlier step, or `otherwise`.
    """
    from stepwell.ir.diagnostics import invalid
    from stepwell.steps import STEP_NAMES, current_step

    step = current_step(module)
    if step > STEP_NAMES.index("kernels"):
        hint = f"give the program of an earlier step, or {otherwise}"
        raise invalid(
            module, f"comes in on step '{STEP_NAMES[step]}', where its schedules are carried out already", hint
        )


def _attribute(key: str, text: str, schedules: Schedules) -> ScheduleAttr:
    """A schedule out of its text.

    Raises:
        InvalidProgramError: it is none.
    """
    from xdsl.parser import Parser
    from xdsl.utils.exceptions import ParseError, VerifyException

    from stepwell.dialects.kernel import ScheduleAttr
    from stepwell.dialects.registry import context

    try:
        parser = Parser(context(), text + " ")
        value = parser.parse_attribute()
        if isinstance(value, ScheduleAttr) and not text[parser.pos :].strip():
            return value
    except (ParseError, ValueError, VerifyException):
        pass
    message = f"'{text}' is no schedule, as in '#kernel.schedule<\"loops\", {{vector = 32 : i64}}>'"
    if schedules.source is None:
        raise InvalidProgramError(f"the schedule of '{key}' is wrong: {message}")
    at = max(schedules.text.find(json.dumps(text), max(schedules.text.find(json.dumps(key)), 0)), 0)
    raise _located(schedules.source, schedules.text, at, message)


def _located(path: str, text: str, position: int, message: str, hint: str | None = None) -> InvalidProgramError:
    """An error in a file, with its line shown."""
    from stepwell.ir.diagnostics import (
        Diagnostic,
        InvalidProgramDiagnosticError,
        Source,
        SourceLocation,
        register_source,
    )

    source = Source(path, text)
    register_source(source)
    location = SourceLocation(path, *source.line_and_column(max(position, 0)))
    return InvalidProgramDiagnosticError(Diagnostic("error", location, message, hint=hint))


def schedules_text(module: ModuleOp, machine: Machine) -> str:
    """The schedule file of a module whose kernels have schedules: what `asked_schedules` reads; empty where these are carried out."""
    from stepwell.dialects import kernel
    from stepwell.passes.schedules.records import kernel_hash
    from stepwell.steps import STEP_NAMES, current_step

    if current_step(module) > STEP_NAMES.index("kernels"):
        return ""  # the hashes are those of other kernels

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


__all__ = [
    "FORMAT",
    "Schedules",
    "asked_schedules",
    "attach",
    "check_before_schedules",
    "schedule",
    "schedules_for",
    "schedules_text",
    "with_tuned",
]
