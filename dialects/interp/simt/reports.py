"""What the simulator finds wrong with a kernel: typed, located, collected or raised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from xdsl.ir import Operation

from stepwell.ir import errors
from stepwell.ir.diagnostics import Diagnostic, DiagnosticError, SourceLocation, location_of, op_label

_TEXT_LIMIT = 160
"""Characters of an op's text in a note."""


class ReportKind(StrEnum):
    """What is wrong."""

    OUT_OF_BOUNDS = "out of bounds"
    """An access outside of its memref."""
    MISALIGNED = "misaligned access"
    """An address that is no multiple of what the op claims or the machine demands; a GPU faults."""
    READ_ONLY = "write to read-only memory"
    """A store to a constant or to an argument that may not be written."""
    UNINITIALIZED = "uninitialized read"
    """A read of shared or private memory that nobody wrote."""
    ASYNC_PENDING = "access before an asynchronous copy was waited for"
    """Data of a copy in flight was read or overwritten."""
    ASYNC_NEVER_AWAITED = "asynchronous copy never waited for"
    """A thread ended with copies in flight."""
    SHARED_RACE = "race in shared memory"
    """Two threads of a block touched a byte, one wrote, and no barrier stood between."""
    GLOBAL_RACE = "race in global memory"
    """Two threads touched a byte, one wrote, and nothing orders them (across blocks nothing can)."""
    DIVERGENT_BARRIER = "divergent barrier"
    """A barrier that not every thread of the block, or not every lane of the subgroup, reaches."""
    INACTIVE_LANE = "value of an inactive lane"
    """A lane read from one that is not there or took another way."""
    PARTIAL_SUBGROUP = "partial subgroup"
    """An op of a whole subgroup that only some of its lanes execute."""
    WRONG_FRAGMENT = "wrong fragment layout"
    """A lane gives a matrix product another element of a matrix than the machine takes it for."""
    UNDEFINED = "undefined behaviour"
    """An op without a defined result, as a division by zero."""
    LAUNCH = "invalid launch"
    """A launch the machine refuses."""


class SimulationError(DiagnosticError, errors.SimulationError):
    """A kernel did what no GPU allows.

    `op` is the op that did it and `location` where it stands: in the kernel's own text when it was written by hand, in
    the user's program when it was lowered from there. `function` names the kernel, `block` and `threads` who was there
    (threads by their linear number in the block; the first few of them).
    """

    def __init__(
        self,
        kind: ReportKind,
        op: Operation,
        message: str,
        *,
        block: tuple[int, int, int] | None = None,
        threads: Sequence[int] = (),
        notes: Sequence[Diagnostic] = (),
    ):
        self.kind = kind
        self.op = op
        self.message = message
        self.block = block
        self.threads = tuple(threads)
        self.function = function_name(op)
        where = f", block {block}" if block is not None else ""
        text = f"{kind}: {op_label(op)} in {self.function}{where}: {message}"
        own = Diagnostic("note", None, f"the op is `{op_text(op)}`")
        super().__init__(Diagnostic("error", location_of(op), text, (own, *notes)))

    @property
    def location(self) -> SourceLocation | None:
        """Where the op stands."""
        return self.diagnostic.location


class EnoughReportsError(Exception):
    """As many reports as were asked for have been collected."""


@dataclass
class Reports:
    """Raises the first report (`limit` 0) or collects up to `limit` of them, one per op and kind."""

    limit: int = 0
    found: list[SimulationError] = field(default_factory=list[SimulationError])
    _seen: set[tuple[ReportKind, Operation]] = field(default_factory=set[tuple[ReportKind, Operation]])

    def add(self, report: SimulationError) -> None:
        """Take one report.

        Raises:
            SimulationError: the report, when none are collected.
            EnoughReportsError: this was the last one wanted.
        """
        if not self.limit:
            raise report
        if (report.kind, report.op) in self._seen:
            return
        self._seen.add((report.kind, report.op))
        self.found.append(report)
        if len(self.found) >= self.limit:
            raise EnoughReportsError


def function_name(op: Operation) -> str:
    """The kernel an op belongs to, as `@module::@function`."""
    names: list[str] = []
    current: Operation | None = op
    while current is not None:
        if current.name in ("gpu.func", "gpu.module"):
            symbol = current.properties.get("sym_name") or current.attributes.get("sym_name")
            names.append(f"@{getattr(symbol, 'data', '?')}")
        current = current.parent_op()
    return "::".join(reversed(names)) or "no function"


def op_text(op: Operation) -> str:
    """The first line of an op as it is printed."""
    line = str(op).partition("\n")[0]
    return line if len(line) <= _TEXT_LIMIT else line[: _TEXT_LIMIT - 3] + "..."


__all__ = ["EnoughReportsError", "ReportKind", "Reports", "SimulationError", "function_name", "op_text"]
