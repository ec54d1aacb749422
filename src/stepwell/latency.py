"""What a user asks of a program's latency, written on its entry, where passes find it and a printed step keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepwell.ir.errors import InvalidProgramError

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

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
    from stepwell.ir.diagnostics import invalid
    from stepwell.passes.prepare_entry import find_entry
    from stepwell.steps import STEP_NAMES, current_step

    function = find_entry(module, entry)
    step = STEP_NAMES[current_step(module)]
    if STEP_NAMES.index(step) > STEP_NAMES.index("kernels"):
        reason = f"comes in on step '{step}', where a latency target changes nothing and nobody estimates its time"
        raise invalid(function, reason, "give the program of an earlier step, or leave latency_target_ns out")
    function.attributes[LATENCY_TARGET] = IntegerAttr(nanoseconds, i64)


__all__ = ["ask_latency", "checked_latency_target"]
