"""Schedules that a program brings along: which entry is for which kernel.

A module may carry two tables, each from a kernel to the schedule it is to have: `stepwell.schedules`, asked for by the user (an entry that
fits nothing is worth a warning), and `stepwell.tuned`, what the tuner found best on this machine (taken where it fits).
A key is the structural hash of the kernel before its schedule, or in the user's table the kernel's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xdsl.dialects.builtin import DictionaryAttr, ModuleOp
from xdsl.ir import Attribute

from stepwell.dialects import kernel
from stepwell.ir.diagnostics import close_name, invalid, warn
from stepwell.ir.errors import InvalidProgramError, UnsupportedError
from stepwell.ir.structural_hash import structural_hash
from stepwell.passes.schedules.parameters import checked

SCHEDULES = "stepwell.schedules"
"""Name of the module's attribute with the schedules that the user asks for."""
TUNED = "stepwell.tuned"
"""Name of the one with those of the tuner."""
EXPLANATIONS = ("kernel.cost", "kernel.kind", "kernel.reason")
"""Attributes of a kernel that say how it came about, not what it does."""


def kernel_hash(function: kernel.FuncOp) -> str:
    """What a kernel computes, whatever it is called, however it came about and is scheduled: a hex SHA-256."""
    attributes, schedule = function.attributes, function.properties.pop("schedule", None)
    function.attributes = {k: v for k, v in attributes.items() if k not in EXPLANATIONS}
    digest = structural_hash(function)
    function.attributes = attributes
    if schedule is not None:
        function.properties["schedule"] = schedule
    return digest


def _table(module: ModuleOp, name: str) -> Mapping[str, Attribute]:
    table = module.attributes.get(name)
    if table is None:
        return {}
    if not isinstance(table, DictionaryAttr):
        raise invalid(module, f"has an attribute {name} that is no dictionary from kernels to schedules")
    return table.data


@dataclass
class Records:
    """The schedules a module brings along, and which of them were used."""

    asked: Mapping[str, Attribute]
    tuned: Mapping[str, Attribute]
    _used: dict[str, None] = field(default_factory=dict[str, None])

    @classmethod
    def of(cls, module: ModuleOp) -> Records:
        """The tables of a module.

        Raises:
            InvalidProgramError: a table is none.
        """
        return cls(_table(module, SCHEDULES), _table(module, TUNED))

    def find(self, function: kernel.FuncOp) -> kernel.ScheduleAttr | None:
        """The schedule for a kernel, if there is one.

        Raises:
            InvalidProgramError: what the user asks for is no schedule, or one that no kernel has.
        """
        if not self.asked and not self.tuned:
            return None
        digest = kernel_hash(function)
        keys = [key for key in (digest, function.sym_name.data) if key in self.asked]
        if len(keys) == 2 and self.asked[keys[0]] != self.asked[keys[1]]:
            raise invalid(
                function, f"is given two schedules, by its hash '{digest[:16]}' and by its name", "leave one out"
            )
        self._used.update(dict.fromkeys(keys))
        if keys:
            return _asked(function, keys[0], self.asked[keys[0]])
        entry = self.tuned.get(digest) if function.schedule is None else None
        return entry if isinstance(entry, kernel.ScheduleAttr) and _holds(function, entry) else None

    def warn_unused(self, module: ModuleOp) -> None:
        """Report what was asked for and fits no kernel."""
        unused = [key for key in self.asked if key not in self._used]
        if not unused:
            return
        names = [op.sym_name.data for op in module.body.block.ops if isinstance(op, kernel.FuncOp)]
        hint = "'stepwell explain --emit-schedules' writes what fits; its kernels are " + ", ".join(names[:8])
        for key in unused[:8]:
            warn(module, f"has no kernel '{key}' that a schedule is given for", close_name(key, names) or hint)
        if len(unused) > 8:
            warn(module, f"has no kernels for {len(unused) - 8} more schedules")


def _asked(function: kernel.FuncOp, key: str, entry: Attribute) -> kernel.ScheduleAttr:
    if not isinstance(entry, kernel.ScheduleAttr):
        raise invalid(function, f"is given '{entry}' as its schedule ('{key}' of {SCHEDULES}), which is none")
    checked(function, entry)
    return entry


def _holds(function: kernel.FuncOp, entry: kernel.ScheduleAttr) -> bool:
    """Whether a kernel can have a schedule: nobody asked for it, so one that was found by another compiler is no error."""
    from stepwell.passes.schedules.strategies import carry_out

    module = function.parent_op()
    target = module.attributes.get("stepwell.target") if module is not None else None
    tried = function.clone()
    ModuleOp([tried], {"stepwell.target": target} if target is not None else None)
    try:
        checked(tried, entry)
        carry_out(tried, entry)
    except (InvalidProgramError, UnsupportedError):
        return False
    return True


__all__ = ["EXPLANATIONS", "SCHEDULES", "TUNED", "Records", "kernel_hash"]
