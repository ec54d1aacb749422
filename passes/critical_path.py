"""critical-path: no thread is woken for small work of a function whose latency counts, and its time is held against a target.

Before: func.func @main(...) attributes {stepwell.latency_target_ns = 2000 : i64} { kernel.launch @k ... }
        kernel.func @k(...) attributes {schedule = #kernel.schedule<"loops", {tasks = 8 : i64, ...}>}
After:  kernel.func @k(...) attributes {schedule = #kernel.schedule<"loops", {tasks = 8 : i64, ..., parallel = 0 : i64}>}

A thread that sleeps comes 30 to 40 microseconds late, so what a call could share among threads is done by the one that calls where
all of it takes less than `SHARED_NS`. Schedules stay as they are otherwise, results are the same bits, and a schedule that says
`parallel` itself is obeyed. What loops repeat nobody knows how often stays shared.

The time is estimated from what kernels compute and move (as in `estimate-costs`) by the machine's description, at its best and without
the call from Python: a call takes that long at least. Where it is above the target, a remark says so, with the launches that take
longest. `verify-critical-path` checks at the last step that nothing allocates or leaves the code.

A function with `stepwell.unchecked_indices` promises that its indices are in range: clamps of what reads are addressed by, and the
bounds tests of scatters and of slices that are written, go (`unchecked_indices.py`), each with a remark. An index out of range is
undefined behaviour then, so nothing does that by itself: the attribute is written by hand, by
`stepwell.compile(..., unchecked_indices=True)`, or by the option `allow-unsafe`, on the entry. What is proven to change nothing is
taken out of every program before (`canonicalize`).

Functions are marked by hand, by `stepwell.compile(..., latency_target_ns=...)`, or by the option `target-latency-ns`, which marks the
entry (`stepwell.abi`). A function that is inlined is its caller's: only what is left counts.

Needs: step 3, schedules chosen.  Keeps: kernels that no marked function launches; without a mark everything. Checks of kernels that a
function with checks launches, too.
Fails: InvalidProgramError for attributes that say something else, and for kernels without a schedule or carried out already;
UnsupportedError on a machine of subgroups, whose launches nobody can estimate so, and for indices without checks in guarded memory,
which is there to find those out of range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import IntegerAttr, IntegerType, ModuleOp, UnitAttr, i64
from xdsl.ir import Operation

from stepwell.dialects import kernel
from stepwell.dialects.scf import ForallOp
from stepwell.dialects.stepwell import ABI, LATENCY_TARGET, UNCHECKED_INDICES
from stepwell.ir.diagnostics import invalid, location_of, remark, unsupported
from stepwell.ir.machine import MachineDescription, machine_of
from stepwell.ir.passes import Pass
from stepwell.passes.costs.times import CALL_NS, Counted, HostTimes, kernel_ns
from stepwell.passes.memory_guards import guard_of
from stepwell.passes.preconditions import needs_tensors
from stepwell.passes.unchecked_indices import drop_checks, is_unchecked

SHARED_NS = 100_000.0
"""Work of a call from which on threads that sleep are worth waking (docs/parallel-runtime.md)."""
_NAMED = 3
"""Kernels that a remark names."""


def latency_target(function: Operation) -> int | None:
    """The nanoseconds that a function asks for; None of one that does not.

    Raises:
        InvalidProgramError: its attribute is no such number.
    """
    value = function.attributes.get(LATENCY_TARGET)
    if value is None:
        return None
    if not isinstance(value, IntegerAttr) or not isinstance(value.type, IntegerType) or value.value.data < 1:
        raise invalid(function, f"has a {LATENCY_TARGET} that is no number of nanoseconds: {value}")
    return value.value.data


@dataclass(frozen=True)
class CriticalPathPass(Pass):
    """Keep small work of functions whose latency counts on one thread, and say where they miss their target."""

    name = "critical-path"

    target_latency_ns: int = 0
    """Mark the entry with this target first; 0: functions are marked as they are."""
    allow_unsafe: bool = False
    """Mark the entry as one whose indices are all in range: they are not checked."""

    def apply(self, ctx: Context, op: Operation) -> None:
        """Do it for every marked function of the module."""
        del ctx
        assert isinstance(op, ModuleOp)
        if self.target_latency_ns or self.allow_unsafe:
            self._mark(op)
        functions = {f.sym_name.data: f for f in op.body.block.ops if isinstance(f, func.FuncOp)}
        marked = [(f, target) for f in functions.values() if (target := latency_target(f)) is not None]
        unchecked = [f for f in functions.values() if is_unchecked(f)]
        if not marked and not unchecked:
            return
        needs_tensors(op, self.name, "step 3")
        kernels = {f.sym_name.data: f for f in op.body.block.ops if isinstance(f, kernel.FuncOp)}
        machine = machine_of(op)
        _check(self.name, [*[f for f, _ in marked], *unchecked][0], list(kernels.values()), machine)
        if unchecked:
            _check_unguarded(unchecked[0])
            drop_checks(functions, kernels)
        alone = {name: kernel_ns(f, machine, vectors=bool(_number(f, "vector"))) for name, f in kernels.items()}
        times = HostTimes(functions, alone)
        for function, _ in marked:
            _keep_together(times, times.function(function.sym_name.data), kernels, machine)
        shared = {name: CALL_NS + (alone[name] - CALL_NS) / _threads(f, machine) for name, f in kernels.items()}
        for function, target in marked:
            _compare(HostTimes(functions, shared), shared, kernels, function, target)

    def _mark(self, module: ModuleOp) -> None:
        if self.target_latency_ns < 0:
            raise invalid(module, f"'{self.name}' was asked for {self.target_latency_ns} nanoseconds")
        entries = [f for f in module.body.block.ops if isinstance(f, func.FuncOp) and ABI in f.attributes]
        if not entries:
            raise invalid(module, f"'{self.name}' has no function to mark", "run prepare-entry first")
        for entry in entries:
            if self.target_latency_ns:
                entry.attributes[LATENCY_TARGET] = IntegerAttr(self.target_latency_ns, i64)
            if self.allow_unsafe:
                entry.attributes[UNCHECKED_INDICES] = UnitAttr()


def _check_unguarded(function: func.FuncOp) -> None:
    if guard_of(function) is not None:
        reason = f"has {UNCHECKED_INDICES}, and its memory is guarded to find accesses out of bounds"
        raise unsupported(function, reason, "have the indices checked, or leave out the guards")


def _check(name: str, function: func.FuncOp, kernels: Sequence[kernel.FuncOp], machine: MachineDescription) -> None:
    """Refuse machines and modules whose times are not known."""
    if machine.subgroup > 1:
        asked = next(name for name in (LATENCY_TARGET, UNCHECKED_INDICES) if name in function.attributes)
        reason = f"its {asked} is for CPUs: nobody can say how long launches on this machine take"
        if asked == UNCHECKED_INDICES:
            reason = f"its {asked} is for CPUs"
        raise unsupported(function, reason, "leave it out, or compile for a CPU")
    for found in kernels:
        if found.schedule is None:
            raise invalid(found, f"has no schedule, which '{name}' needs", "run choose-schedules first")
        if any(isinstance(op, ForallOp) for op in found.body.block.ops):
            raise invalid(
                found, f"is carried out already: '{name}' needs kernels of step 3", "run it before apply-schedule"
            )


def _number(function: kernel.FuncOp, name: str) -> int | None:
    """What the schedule of a kernel says."""
    value = function.schedule.params.data.get(name) if function.schedule is not None else None
    return value.value.data if isinstance(value, IntegerAttr) else None


def _threads(function: kernel.FuncOp, machine: MachineDescription) -> int:
    """Threads that do a kernel's tasks at most."""
    if _number(function, "parallel") == 0:
        return 1
    return max(1, min(_number(function, "tasks") or machine.cores, machine.cores))


def _keep_together(
    times: HostTimes, counted: Counted, kernels: dict[str, kernel.FuncOp], machine: MachineDescription
) -> None:
    """Let one thread do what several could, where all of that is little."""
    shared = {
        name: count for name, count in counted.items() if name in kernels and _threads(kernels[name], machine) > 1
    }
    if any(count.repeated for count in shared.values()) or times.total(shared) >= SHARED_NS:
        return
    for name in shared:
        schedule = kernels[name].schedule
        if schedule is not None and "parallel" not in schedule.params.data:
            params = {**schedule.params.data, "parallel": IntegerAttr(0, i64)}
            kernels[name].properties["schedule"] = kernel.ScheduleAttr(schedule.strategy, params)


def _compare(
    times: HostTimes,
    nanoseconds: dict[str, float],
    kernels: dict[str, kernel.FuncOp],
    function: func.FuncOp,
    target: int,
) -> None:
    """Say where the estimate is above the target."""
    counted = times.function(function.sym_name.data)
    total = times.total(counted)
    if total <= target:
        return
    least = any(count.repeated for count in counted.values())
    totals = {name: nanoseconds.get(name, 0.0) * count.times for name, count in counted.items()}
    longest = sorted(totals, key=lambda name: -totals[name])[:_NAMED]
    notes = [_launches(name, counted[name].times, totals[name], kernels.get(name)) for name in longest]
    if len(totals) > _NAMED:
        notes.append(f"{len(totals) - _NAMED} more kernels take {total - sum(totals[n] for n in longest):.0f} ns")
    counted_once = ", with loops of unknown length counted once" if least else ""
    remark(function, f"takes {total:.0f} ns at least by estimate{counted_once}, above its target of {target} ns", notes)


def _launches(name: str, times: int, total: float, function: kernel.FuncOp | None) -> str:
    place = None if function is None else location_of(function)
    where = f" ({place.file}:{place.line})" if place is not None else ""
    return f"@{name} takes {total:.0f} ns{f' in {times} launches' if times > 1 else ''}{where}"


__all__ = ["SHARED_NS", "CriticalPathPass", "latency_target"]
