"""A kernel prepared to run: each op's attributes are read once, and its operands are numbered places of a frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.traits import IsTerminator

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


class Builder:
    """Prepares the ops of one kernel by the rules of `rules`; `host` lends the rules of arrays and the symbols."""

    def __init__(self, rules: Mapping[str, Prepare], host: Interpreter):
        self.rules = rules
        self.host = host
        self.numbers: dict[Operation, int] = {}
        """Every op prepared, in order."""
        self._slots: dict[SSAValue, int] = {}

    @property
    def size(self) -> int:
        """Places that a frame needs."""
        return len(self._slots)

    def slot(self, value: SSAValue) -> int:
        """The place of a value."""
        return self._slots.setdefault(value, len(self._slots))

    def region(self, region: Region) -> Body:
        """Prepare the only block of a region."""
        return self.block(region.block)

    def block(self, block: Block) -> Body:
        """Prepare a block.

        Raises:
            UnsupportedDiagnosticError: an op has no meaning in a kernel.
        """
        arguments = tuple(self.slot(a) for a in block.args)
        steps: list[Step] = []
        outputs: tuple[int, ...] = ()
        for op in block.ops:
            if op.has_trait(IsTerminator):
                outputs = tuple(self.slot(o) for o in op.operands)
            else:
                steps.append(self._step(op))
        return Body(arguments, tuple(steps), outputs)

    def _step(self, op: Operation) -> Step:
        prepare = self.rules.get(op.name)
        if prepare is None:
            raise unsupported(op, "the GPU simulator does not know this op inside of a kernel")
        self.numbers[op] = len(self.numbers)
        operands = tuple(self.slot(o) for o in op.operands)
        results = tuple(self.slot(r) for r in op.results)
        return Step(op, prepare(op, self), operands, results)


__all__ = ["Body", "Builder", "Prepare", "Run", "Step"]
