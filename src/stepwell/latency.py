"""What a user asks of a program's latency and promises for it, written on its entry, where passes find it and a printed step keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepwell.ir.errors import InvalidProgramError

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp
    from xdsl.dialects.func import FuncOp

MOST = 1 << 62


def checked_latency_target(value: Any) -> int | None:
    """The option `latency_target_ns` of `stepwell.compile`, checked.

    Raises:
        InvalidProgramError: it is no number of nanoseconds.
    """
    if value is None or (type(value) is int and 0 < value < MOST):
        return value
    raise InvalidProgramError(f"latency_target_ns is a number of nanoseconds, a whole one from 1 on, not {value!r}")


def ask_latency(module: ModuleOp, entry: str, nanoseconds: int | None) -> None:
    """Write on the entry of a module how long it should take, if anyone asks; what the module says itself goes on being said else.

    Raises:
        InvalidProgramError: there is no such entry, or the module's schedules are carried out already.
    """
    if nanoseconds is None:
        return
    from xdsl.dialects.builtin import IntegerAttr, i64

    from stepwell.dialects.stepwell import LATENCY_TARGET

    reason = "where a latency target changes nothing and nobody estimates its time"
    function = _entry_before_schedules(module, entry, reason, "latency_target_ns")
    function.attributes[LATENCY_TARGET] = IntegerAttr(nanoseconds, i64)


def promise_indices(module: ModuleOp, entry: str, promised: bool) -> None:
    """Write on the entry of a module that its indices are in range, if anyone promises that.

    Raises:
        InvalidProgramError: there is no such entry, or the module's schedules are carried out already.
    """
    if not promised:
        return
    from xdsl.dialects.builtin import UnitAttr

    from stepwell.dialects.stepwell import UNCHECKED_INDICES

    reason = "where checks of indices are code that nobody finds again"
    _entry_before_schedules(module, entry, reason, "unchecked_indices").attributes[UNCHECKED_INDICES] = UnitAttr()


def _entry_before_schedules(module: ModuleOp, entry: str, reason: str, option: str) -> FuncOp:
    from stepwell.ir.diagnostics import invalid
    from stepwell.passes.prepare_entry import find_entry
    from stepwell.steps import STEP_NAMES, current_step

    function = find_entry(module, entry)
    step = STEP_NAMES[current_step(module)]
    if STEP_NAMES.index(step) > STEP_NAMES.index("kernels"):
        hint = f"give the program of an earlier step, or leave {option} out"
        raise invalid(function, f"comes in on step '{step}', {reason}", hint)
    return function


__all__ = ["ask_latency", "checked_latency_target", "promise_indices"]
