"""What a program is compiled for, as it was asked for: the options of `stepwell.compile`, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stepwell.ir.errors import InvalidProgramError
from stepwell.latency import checked_latency_target
from stepwell.schedule_files import Schedules, asked_schedules, with_tuned
from stepwell.target_names import CPU, TargetName, cpu_machine, default_target, parse_target


@dataclass(frozen=True)
class Request:
    """The options of `stepwell.compile`; all but `cache` decide the code, and are part of a program's key in the cache."""

    entry: str = "main"
    target: TargetName | None = None
    opt_level: int = 2
    simd: str | None = None
    donate: tuple[int, ...] = ()
    verify_each: bool = False
    step: str | None = None
    validate: int | None = None
    """The seed to validate with, None not to."""
    cache: bool = True
    schedules: Schedules | None = None
    fp_contract: bool = False
    winograd: int = 0
    """Results of the largest tiles of Winograd's convolutions that are allowed, along each side."""
    latency_target_ns: int | None = None
    """Nanoseconds that a call's code should take at most."""
    unchecked_indices: bool = False
    """Whether indices that are out of range are undefined behaviour."""


def checked_request(
    entry: Any = "main",
    target: Any = None,
    opt_level: Any = 2,
    simd: str | None = None,
    donate: Any = (),
    verify_each: bool = False,
    step: str | None = None,
    validate: int | None = None,
    cache: bool = True,
    schedules: Any = None,
    fp_contract: Any = False,
    winograd: Any = 0,
    latency_target_ns: Any = None,
    unchecked_indices: Any = False,
) -> Request:
    """The request that options make.

    Raises:
        InvalidProgramError: one of them is not what it should be.
    """
    asked = None if target is None else parse_target(target)
    if type(opt_level) is not int or opt_level not in range(4):
        raise InvalidProgramError(f"opt_level is 0 to 3, not {opt_level!r}")
    if type(entry) is not str:
        raise InvalidProgramError(f"entry is the name of a function, not {entry!r}")
    donated, obeyed = _donated(donate), asked_schedules(schedules)
    if opt_level == 3:
        obeyed = _tuned(obeyed, asked, simd)
    if type(fp_contract) is not bool:
        raise InvalidProgramError(f"fp_contract is True or False, not {fp_contract!r}")
    if type(winograd) is not int or winograd not in (0, 2, 4):
        raise InvalidProgramError(f"winograd is 2, 4 or, for none, 0, not {winograd!r}")
    if type(unchecked_indices) is not bool:
        raise InvalidProgramError(f"unchecked_indices is True or False, not {unchecked_indices!r}")
    checks = (bool(verify_each), step, validate)
    numbers = (fp_contract, winograd, checked_latency_target(latency_target_ns), unchecked_indices)
    return Request(entry, asked, opt_level, simd, donated, *checks, bool(cache), obeyed, *numbers)


def _tuned(schedules: Schedules | None, asked: TargetName | None, simd: str | None) -> Schedules | None:
    """The schedules with what was tuned on this machine, for code that runs on its CPU."""
    try:
        name = asked or default_target()
        return with_tuned(schedules, cpu_machine(name, simd)) if name.kind == CPU else schedules
    except InvalidProgramError:  # said again by who compiles for that machine
        return schedules


def _donated(donate: Any) -> tuple[int, ...]:
    """The option `donate`, checked."""
    if not isinstance(donate, list | tuple | range):
        raise InvalidProgramError(f"donate is a list of argument positions, not {donate!r}")
    positions: tuple[Any, ...] = tuple(donate)
    if not all(type(i) is int for i in positions):
        raise InvalidProgramError(f"donate is a list of argument positions, not {donate!r}")
    if len(set(positions)) != len(positions):
        raise InvalidProgramError(f"donate={list(positions)} names an argument twice")
    return positions


__all__ = ["Request", "checked_request"]
