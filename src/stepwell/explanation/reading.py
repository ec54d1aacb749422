"""Reading a module on the kernel steps: what the host does in which order, and what each kernel's attributes say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from xdsl.dialects import arith, func, scf
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, IntegerAttr, MemRefType, ModuleOp, StringAttr, TensorType
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from stepwell.dialects import kernel
from stepwell.explanation.model import Branch, Call, Launch, Loop, Node, Value
from stepwell.ir.diagnostics import source_location
from stepwell.passes.fusion.decisions import decisions_on
from stepwell.passes.stablehlo_to_linalg.trips import TRIPS

_ALIASES = ("tensor.collapse_shape", "tensor.expand_shape", "memref.collapse_shape", "memref.expand_shape")
"""Ops whose result is their operand under another type."""


def type_text(type_: Attribute) -> str:
    """A type as explanations write it: `f32[4x256]`."""
    if isinstance(type_, TensorType | MemRefType):
        sizes = "x".join("?" if d < 0 else str(d) for d in type_.get_shape())
        return f"{type_.element_type}[{sizes}]"
    return str(type_)


def location_text(op: Operation) -> str:
    """Where an op comes from, as `file:line`; empty when nobody knows."""
    found = source_location(op.location)
    return f"{found.file}:{found.line}" if found is not None else ""


@dataclass
class Names:
    """Names of the host's values: arguments keep theirs, results are numbered."""

    known: dict[SSAValue, str] = field(default_factory=dict[SSAValue, str])
    _next: int = 0

    def argument(self, value: SSAValue, index: int) -> Value:
        """An argument of a function, called as in the source."""
        self.known[value] = value.name_hint or f"arg{index}"
        return self.value(value)

    def define(self, value: SSAValue) -> Value:
        """A new value."""
        if value not in self.known:
            self.known[value] = f"t{self._next}"
            self._next += 1
        return self.value(value)

    def value(self, value: SSAValue) -> Value:
        """A value as it is called; what nobody named is called by what makes it."""
        owner = value.owner
        name = self.known.get(value)
        if name is None:
            name = {"arith.constant": "constant", "memref.get_global": "constant"}.get(
                getattr(owner, "name", ""), "new"
            )
        return Value(name, type_text(value.type))


@dataclass(frozen=True)
class Often:
    """How often a block runs.

    Attributes:
        times: where all branches are taken, and loops whose trips are unknown go round once.
        certain: whatever is taken, and however often these go round.
        unknown: whether it is in such a loop.
    """

    times: int = 1
    certain: int = 1
    unknown: bool = False

    def repeated(self, trips: int | None, extra: int = 0) -> Often:
        """In a loop: of its condition, which runs once more, `extra` is 1."""
        if trips is None:
            return Often(self.times, self.certain * extra, True)
        return replace(self, times=self.times * (trips + extra), certain=self.certain * (trips + extra))


@dataclass
class Reader:
    """Turns blocks of a host function into nodes, counting launches and calls on the way."""

    names: Names
    launches: dict[str, int] = field(default_factory=dict[str, int])
    calls: dict[str, int] = field(default_factory=dict[str, int])
    certain: dict[str, int] = field(default_factory=dict[str, int])
    """How often kernels and functions run at least."""
    repeated: dict[str, None] = field(default_factory=dict[str, None])
    """Kernels and functions in loops whose trips are unknown."""

    def block(self, block: Block, often: Often) -> tuple[Node, ...]:
        """The nodes of a block that runs so often."""
        nodes: list[Node] = []
        for op in block.ops:
            node = self._node(op, often)
            if node is not None:
                nodes.append(node)
        return tuple(nodes)

    def _node(self, op: Operation, often: Often) -> Node | None:
        if isinstance(op, kernel.LaunchOp):
            return self._launch(op, often)
        if isinstance(op, func.CallOp):
            name = op.callee.root_reference.data
            self._count(self.calls, name, often)
            reads = tuple(self.names.value(v) for v in op.operands)
            return Call(name, reads, self._results(op))
        if op.regions:
            return self._control(op, often)
        if op.name in _ALIASES and op.operands[0] in self.names.known:
            self.names.known[op.results[0]] = self.names.known[op.operands[0]]
        return None

    def _launch(self, op: kernel.LaunchOp, often: Often) -> Launch:
        name = op.callee.root_reference.data
        self._count(self.launches, name, often)
        remarks = op.attributes.get("kernel.remarks")
        texts = (
            tuple(r.data for r in remarks.data if isinstance(r, StringAttr)) if isinstance(remarks, ArrayAttr) else ()
        )
        reads = tuple(self.names.value(v) for v in (*op.ins, *_updated(op)))
        makes = self._results(op) if op.results else tuple(self.names.define(v) for v in op.outs)
        return Launch(name, reads, makes, texts, location_text(op), decisions_on(op))

    def _count(self, table: dict[str, int], name: str, often: Often) -> None:
        table[name] = table.get(name, 0) + often.times
        self.certain[name] = self.certain.get(name, 0) + often.certain
        if often.unknown:
            self.repeated[name] = None

    def launches_in(self, function: func.FuncOp) -> list[str]:
        """The kernels that a function launches."""
        return [op.callee.root_reference.data for op in function.walk() if isinstance(op, kernel.LaunchOp)]

    def _results(self, op: Operation) -> tuple[Value, ...]:
        return tuple(self.names.define(r) for r in op.results)

    def _control(self, op: Operation, often: Often) -> Node:
        if isinstance(op, scf.ForOp | scf.WhileOp):
            trips = _trips(op) if isinstance(op, scf.ForOp) else _number_of(op.attributes.get(TRIPS))
            inner = [
                *self._arms(op.regions[:-1], often.repeated(trips, 1)),  # the condition
                *self._arms(op.regions[-1:], often.repeated(trips)),
            ]
            return Loop(trips, tuple(node for arm in inner for node in arm), self._results(op))
        return Branch(self._arms(op.regions, replace(often, certain=0)), self._results(op))

    def _arms(self, regions: Sequence[Region], often: Often) -> tuple[tuple[Node, ...], ...]:
        arms: list[tuple[Node, ...]] = []
        for region in regions:
            for block in region.blocks:
                for argument in block.args:
                    self.names.define(argument)
                arms.append(self.block(block, often))
        return tuple(arms)


def _updated(op: kernel.LaunchOp) -> list[SSAValue]:
    """The destinations whose contents a kernel reads, too."""
    function = op.kernel()
    kinds = function.access_kinds[len(op.ins) :] if function is not None else ()
    return [out for out, kind in zip(op.outs, kinds, strict=False) if kind == kernel.READWRITE]


def _number_of(attribute: Attribute | None) -> int | None:
    return attribute.value.data if isinstance(attribute, IntegerAttr) else None


def _trips(op: scf.ForOp) -> int | None:
    bounds = [_constant(v) for v in (op.lb, op.ub, op.step)]
    if any(b is None for b in bounds):
        return None
    low, high, step = (b or 0 for b in bounds)
    return max(0, -(-(high - low) // step)) if step > 0 else None


def _constant(value: SSAValue) -> int | None:
    owner = value.owner
    if isinstance(owner, arith.ConstantOp) and isinstance(owner.value, IntegerAttr):
        return owner.value.value.data
    return None


def host_functions(module: ModuleOp) -> dict[str, func.FuncOp]:
    """The functions of the host that have a body, by name."""
    return {op.sym_name.data: op for op in module.body.block.ops if isinstance(op, func.FuncOp) and op.body.blocks}


def kernels_of(module: ModuleOp) -> list[kernel.FuncOp]:
    """The kernels of a module."""
    return [op for op in module.body.block.ops if isinstance(op, kernel.FuncOp)]


def text_of(op: Operation, name: str) -> str:
    """A text attribute, empty when it is not there."""
    value = op.attributes.get(name)
    return value.data if isinstance(value, StringAttr) else ""


def entries_of(attribute: Attribute | None) -> dict[str, Any]:
    """The numbers and texts of a dictionary attribute, as Python values."""
    if not isinstance(attribute, DictionaryAttr):
        return {}
    values: dict[str, Any] = {}
    for name, value in attribute.data.items():
        if isinstance(value, IntegerAttr):
            values[name] = value.value.data
        elif isinstance(value, StringAttr):
            values[name] = value.data
    return values
