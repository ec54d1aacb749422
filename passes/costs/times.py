"""How long a program of kernels takes by the description of its machine: each kernel alone, and a host function with what it calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from xdsl.dialects import arith, func, scf
from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import Block, Operation, Region, SSAValue

from stepwell.dialects import kernel
from stepwell.ir.machine import MachineDescription
from stepwell.passes.costs.counts import Counts, operations_of
from stepwell.passes.costs.traffic import bytes_of
from stepwell.passes.fusion.prices import prices_of
from stepwell.passes.stablehlo_to_linalg.trips import TRIPS

CALL_NS = 2.0
"""Of a launch of a kernel of one task: a call (docs/latency.md)."""
CYCLES_A_NS = 2.5
"""Of a core that nobody measured."""
HALVES_A_LANE = 9.0
"""Halves of a multiply-add that a lane does in a nanosecond at best: two units, two halves each."""


def kernel_ns(function: kernel.FuncOp, machine: MachineDescription, *, vectors: bool = True) -> float:
    """Nanoseconds of one launch on one thread: the longer of computing and moving, and the call."""
    counts = Counts()
    for op in function.body.block.ops:
        counts.add(operations_of(op))
    width = 8 if counts.element == "f64" else 4
    lanes = max(machine.vector_bytes // width, 1) if vectors else 1
    prices = prices_of(machine)
    computing = counts.work / (HALVES_A_LANE * lanes)
    moving = prices.moving(sum(bytes_of(function)), near=False) / CYCLES_A_NS
    return CALL_NS + max(computing, moving)


@dataclass(frozen=True)
class Count:
    """How often a call of a function launches a kernel."""

    times: int
    repeated: bool = False
    """At least so often: it is in a loop whose trips nobody knows."""


Counted = Mapping[str, Count]
"""By the kernel's name, in the order of the first launch."""


class HostTimes:
    """Counts launches of host functions, and adds up what they take; of a choice the arm that takes longest counts."""

    def __init__(self, functions: Mapping[str, func.FuncOp], nanoseconds: Mapping[str, float]):
        self._functions = functions
        self._nanoseconds = nanoseconds
        self._known: dict[str, Counted] = {}

    def total(self, counted: Counted) -> float:
        """Nanoseconds of so many launches."""
        return sum(self._nanoseconds.get(name, 0.0) * count.times for name, count in counted.items())

    def function(self, name: str) -> Counted:
        """The launches of a call of a function; none of one that is declared only. One that calls itself counts once."""
        function = self._functions.get(name)
        if name not in self._known:
            self._known[name] = {}
            if function is not None and not function.is_declaration:
                self._known[name] = self._block(function.body.block)
        return self._known[name]

    def _block(self, block: Block) -> Counted:
        found: dict[str, Count] = {}
        for op in block.ops:
            for name, count in self._op(op):
                old = found.get(name, Count(0))
                found[name] = Count(old.times + count.times, old.repeated or count.repeated)
        return found

    def _op(self, op: Operation) -> Iterator[tuple[str, Count]]:
        if isinstance(op, kernel.LaunchOp):
            yield op.callee.root_reference.data, Count(1)
        elif isinstance(op, func.CallOp):
            yield from self.function(op.callee.root_reference.data).items()
        elif isinstance(op, scf.ForOp):
            yield from self._loop(op.regions, trips_of(op))
        elif isinstance(op, scf.WhileOp):
            trips = op.attributes.get(TRIPS)
            yield from self._loop(op.regions, trips.value.data if isinstance(trips, IntegerAttr) else None)
        elif op.regions:
            arms = [self._block(block) for region in op.regions for block in region.blocks]
            yield from max(arms, key=self.total, default={}).items()

    def _loop(self, regions: Sequence[Region], trips: int | None) -> Iterator[tuple[str, Count]]:
        """A loop's condition, if it has one, runs once more than its body."""
        for region in regions:
            runs = 1 if trips is None else trips if region is regions[-1] else trips + 1
            for block in region.blocks:
                for name, count in self._block(block).items():
                    repeated = count.repeated or trips is None
                    yield name, replace(count, times=count.times * runs, repeated=repeated)


def trips_of(op: scf.ForOp) -> int | None:
    """How often a loop of the host runs; None where constants do not say it."""
    lower, upper, step = (_constant(value) for value in (op.lb, op.ub, op.step))
    if lower is None or upper is None or step is None or step <= 0:
        return None
    return max(0, -(-(upper - lower) // step))


def _constant(value: SSAValue) -> int | None:
    owner = value.owner
    if isinstance(owner, arith.ConstantOp) and isinstance(owner.value, IntegerAttr):
        return owner.value.value.data
    return None


__all__ = ["CALL_NS", "Count", "Counted", "HostTimes", "kernel_ns", "trips_of"]
