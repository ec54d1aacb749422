"""A kernel prepared to run: each op's attributes are read once, and its operands are numbered places of a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.traits import IsTerminator

from stepwell.dialects.interp.simt.values import rank_of
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.interpreter import Interpreter

Run = Callable[..., Sequence[Any]]
"""`(thread block, *operands) -> results`."""
Prepare = Callable[[Operation, "Builder"], Run]
"""Reads an op's attributes and prepares its regions; what it returns is run by every block."""


@dataclass(slots=True)
class Step:
    """One op: what to call, where its operands come from, where its results go."""

    op: Operation
    run: Run
    operands: tuple[int, ...]
    results: tuple[int, ...]


@dataclass(slots=True)
class Body:
    """A block of the program: places of its arguments, its steps, places of what its terminator passes on."""

    arguments: tuple[int, ...]
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]


class Follower(Protocol):
    """What follows some values: beside each of them a companion is kept, in a place of its own.

    A companion is an array of the value's shape and one axis more. Control flow carries it as it carries the value.
    """

    def follows(self, value: SSAValue) -> bool:
        """True for a value with a companion."""
        ...

    def steps(self, op: Operation, builder: Builder) -> Iterable[Step]:
        """What runs after an op without regions: it computes the companions of its results, or checks its operands'."""
        ...


class Builder:
    """Prepares the ops of one kernel by the rules of `rules`; `host` lends the rules of arrays and the symbols."""

    def __init__(self, rules: Mapping[str, Prepare], host: Interpreter, follower: Follower | None = None):
        self.rules = rules
        self.host = host
        self.follower = follower
        self.numbers: dict[Operation, int] = {}
        """Every op prepared, in order."""
        self._slots: dict[SSAValue, int] = {}
        self._companions: dict[SSAValue, int] = {}

    @property
    def size(self) -> int:
        """Places that a frame needs."""
        return len(self._slots) + len(self._companions)

    def slot(self, value: SSAValue) -> int:
        """The place of a value."""
        return self._slots.setdefault(value, self.size)

    def companion(self, value: SSAValue) -> int:
        """The place of what is kept beside a value."""
        return self._companions.setdefault(value, self.size)

    def places(self, values: Iterable[SSAValue]) -> tuple[int, ...]:
        """The places of values that go from block to block, then those of their companions."""
        listed = tuple(values)
        own = tuple(self.slot(v) for v in listed)
        follower = self.follower
        if follower is None:
            return own
        return own + tuple(self.companion(v) for v in listed if follower.follows(v))

    def ranks(self, op: Operation) -> list[int]:
        """The ranks of an op's results, then of their companions."""
        own = [rank_of(r.type) for r in op.results]
        follower = self.follower
        if follower is None:
            return own
        return own + [rank_of(r.type) + 1 for r in op.results if follower.follows(r)]

    def region(self, region: Region) -> Body:
        """Prepare the only block of a region."""
        return self.block(region.block)

    def block(self, block: Block) -> Body:
        """Prepare a block.

        Raises:
            UnsupportedDiagnosticError: an op has no meaning in a kernel.
        """
        arguments = self.places(block.args)
        steps: list[Step] = []
        outputs: tuple[int, ...] = ()
        for op in block.ops:
            if op.has_trait(IsTerminator):
                outputs = self.places(op.operands)
            else:
                steps.append(self._step(op))
                if self.follower is not None and not op.regions:
                    steps += self.follower.steps(op, self)
        return Body(arguments, tuple(steps), outputs)

    def _step(self, op: Operation) -> Step:
        prepare = self.rules.get(op.name)
        if prepare is None:
            raise unsupported(op, "the GPU simulator does not know this op inside of a kernel")
        self.numbers[op] = len(self.numbers)
        if op.regions:
            return Step(op, prepare(op, self), self.places(op.operands), self.places(op.results))
        operands = tuple(self.slot(o) for o in op.operands)
        results = tuple(self.slot(r) for r in op.results)
        return Step(op, prepare(op, self), operands, results)


__all__ = ["Body", "Builder", "Follower", "Prepare", "Run", "Step"]
