"""`STEPWELL_GUARD`: native programs with guarded memory, for finding accesses outside of buffers (docs/validation.md).

`1` puts a page without access behind every buffer, `2` in front of it. Read when a program is compiled.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

from xdsl.dialects.builtin import DictionaryAttr, ModuleOp
from xdsl.ir import Attribute

from stepwell.ir.errors import InvalidProgramError
from stepwell.passes.memory_guards import END, GUARD, START, Guard, Guarded, guard_in
from stepwell.runtime.executable import Signature
from stepwell.runtime.guards import GuardPlan, Pages, require_guards

VARIABLE = "STEPWELL_GUARD"
_MODES = {"1": END, "2": START}


def guard_from_environment() -> Guard | None:
    """How memory is to be guarded; None when the variable is not set, empty or 0.

    Raises:
        InvalidProgramError: it has another value.
        UnsupportedError: this system cannot protect pages.
    """
    value = os.environ.get(VARIABLE, "")
    if value in ("", "0"):
        return None
    if value not in _MODES:
        raise InvalidProgramError(
            f"{VARIABLE} is 1 (a page behind every buffer), 2 (in front of it) or 0, not {value!r}"
        )
    return Guard(_MODES[value], require_guards())


def guard_memory(module: ModuleOp) -> None:
    """Mark a module to be compiled with guarded memory when the environment asks for it."""
    guard = guard_from_environment()
    if guard is not None:
        module.attributes[GUARD] = guard.attribute()


def guard_plan(guard: Attribute, entries: DictionaryAttr | Mapping[str, Attribute]) -> GuardPlan | None:
    """What the runtime needs, from the entries of a planned program's `stepwell.abi`."""
    found = guard_in(guard)
    if found is None:
        return None
    items = entries.data if isinstance(entries, DictionaryAttr) else entries
    arena, row = (Guarded.of(items, prefix) for prefix in ("", "worker_"))
    return GuardPlan(found.mode, found.page, Pages(arena.pages, arena.buffers), Pages(row.pages, row.buffers))


def guard_signature(signature: Signature) -> Signature:
    """A program that came in with planned memory has no guards inside: at least what it is called with is guarded."""
    guard = guard_from_environment()
    if guard is None or signature.guard is not None:
        return signature
    whole = [Pages(buffers=((0, size),)) for size in (signature.arena_bytes, signature.worker_bytes)]
    return replace(signature, guard=GuardPlan(guard.mode, guard.page, *whole))


__all__ = ["VARIABLE", "guard_from_environment", "guard_memory", "guard_plan", "guard_signature"]
