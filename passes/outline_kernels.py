"""outline-kernels: make each planned group a kernel, launched from the host.

Before:                                             After:
    %e = tensor.empty() : tensor<8xf32>                 kernel.func @k0(%x: ..., %out: ...) -> tensor<8xf32> {...}
    %r = linalg.generic ins(%x) outs(%e) {...}          %d = tensor.empty() : tensor<8xf32>
         {kernel.group = 0 : i64}                       %r = kernel.launch @k0 ins(%x) outs(%d)

Needs: `kernel.group` on ops (plan-kernels). Keeps: host control flow, reshapes and 0-d extracts. A result of the
group becomes a destination: `write`
when its buffer starts as a `tensor.empty`, `readwrite` when it updates a value from outside. Scalars are recomputed inside the kernel.
Fails: CompileError for groups that wait for each other (a value leaves and comes back).
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith, tensor
from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseIntOrFPElementsAttr,
    IntegerAttr,
    ModuleOp,
    StringAttr,
    TensorType,
    i64,
)
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, Block, Operation, OpResult, Region, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.dialects import kernel
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.destinations import destination_index, reads_destination
from stepwell.ir.passes import Pass
from stepwell.passes.fusion.blocks import host_blocks
from stepwell.passes.fusion.decisions import DECISIONS
from stepwell.passes.fusion.graph import is_scalar_code, sort_block
from stepwell.passes.preconditions import needs_tensors

GROUP, KIND, REASON, REMARKS = "kernel.group", "kernel.kind", "kernel.reason", "kernel.remarks"


@dataclass
class _Destination:
    """Where a leaving result lives: the operand slot at which its buffer enters the group."""

    result: SSAValue
    op: Operation
    slot: int
    base: SSAValue | None
    """The outside value that is updated in place; None when the buffer starts empty."""


def _group_of(op: Operation) -> int | None:
    attribute = op.attributes.get(GROUP)
    return attribute.value.data if attribute is not None else None  # pyright: ignore


def _groups(block: Block) -> list[list[Operation]]:
    """The groups of one block, each with its own fills, adjacent and in an order in which values are defined first."""
    groups: dict[int, list[Operation]] = {}
    for op in list(block.ops):
        number = _group_of(op)
        if number is not None:
            groups.setdefault(number, []).extend((*_own_fills(op, number), op))
    sort_block(block, list(groups.values()))
    numbers = dict.fromkeys(_group_of(op) for op in block.ops)
    return [groups[number] for number in numbers if number is not None]


def _own_fills(op: Operation, number: int) -> list[Operation]:
    """Give `op` its own copy of each filled tensor of another group that it uses."""
    copies: list[Operation] = []
    for slot, operand in enumerate(op.operands):
        fill = operand.owner
        if not isinstance(fill, linalg.FillOp) or _group_of(fill) == number:
            continue
        builder = LocatedBuilder(InsertPoint.before(op), fill.location)
        empty = builder.insert(tensor.EmptyOp([], operand.type))
        copy = builder.insert(linalg.FillOp(fill.inputs, [empty.tensor], [operand.type]))
        copy.attributes[GROUP] = IntegerAttr(number, i64)
        op.operands[slot] = copy.results[0]
        copies.append(copy)
    return copies


def _is_recomputed(value: SSAValue) -> bool:
    """Scalars (constants, 0-d extracts and arithmetic on them) and empty tensors are made again inside the kernel."""
    op = value.owner
    if not isinstance(op, Operation):
        return False
    if isinstance(op, tensor.EmptyOp):
        return True
    if isinstance(op, arith.ConstantOp):
        return not isinstance(op.result.type, TensorType) or _is_splat(op)
    return is_scalar_code(op)


def _is_splat(op: arith.ConstantOp) -> bool:
    """Whether a constant has one value throughout, or no element at all."""
    if not isinstance(op.value, DenseIntOrFPElementsAttr):
        return False
    data, size = op.value.data.data, op.value.type.get_element_type().compile_time_size
    return data == data[:size] * (len(data) // size)


class _Outliner:
    """Outlines one group."""

    def __init__(self, ops: list[Operation], name: str):
        self.ops = ops
        self.inside = {op: None for op in ops}
        self.name = name
        self.inputs: dict[SSAValue, None] = {}

    def run(self) -> kernel.FuncOp:
        destinations = [
            self.destination(result)
            for op in self.ops
            for result in op.results
            if any(use.operation not in self.inside for use in self._outer_uses(result))
        ]
        slots = {(d.op, d.slot): i for i, d in enumerate(destinations)}
        for op in self.ops:
            self.collect_inputs(op, slots)
        function = self.build(destinations, slots)
        self.launch(function, destinations)
        return function

    def _outer_uses(self, result: SSAValue):
        for use in result.uses:
            owner: Operation | None = use.operation
            while owner is not None and owner not in self.inside and owner.parent_block() is not self.ops[0].parent:
                owner = owner.parent_op()
            if owner is not None and owner in self.inside:
                continue
            yield use

    def destination(self, result: SSAValue) -> _Destination:
        assert isinstance(result, OpResult)
        op, index = result.op, result.index
        while True:
            slot = destination_index(op, index)
            if slot is None:
                # Not in destination style: the kernel copies it out at the end (bufferize sees to it).
                return _Destination(result, op, -1, None)
            value = op.operands[slot]
            if isinstance(value, OpResult) and value.op in self.inside:
                op, index = value.op, value.index
                continue
            unused = isinstance(value.owner, tensor.EmptyOp) or not reads_destination(op, index)
            return _Destination(result, op, slot, None if unused else value)

    def collect_inputs(self, op: Operation, slots: dict[tuple[Operation, int], int]) -> None:
        for slot, operand in enumerate(op.operands):
            if (op, slot) not in slots:
                self.note(operand)
        for region in op.regions:
            for inner in region.walk():
                for operand in inner.operands:
                    self.note(operand, op)

    def note(self, value: SSAValue, within: Operation | None = None) -> None:
        owner = value.owner
        if isinstance(owner, Operation):
            if owner in self.inside:
                return
            if within is not None and within.is_ancestor(owner):
                return
            if _is_recomputed(value):
                for operand in owner.operands:
                    self.note(operand)
                return
        elif within is not None and owner.parent_op() is not None and within.is_ancestor(owner):
            return
        self.inputs.setdefault(value)

    def build(self, destinations: list[_Destination], slots: dict[tuple[Operation, int], int]) -> kernel.FuncOp:
        inputs = list(self.inputs)
        input_types = [v.type for v in inputs]
        output_types = [d.result.type for d in destinations]
        access = [kernel.READ] * len(inputs)
        access += [kernel.WRITE if d.base is None else kernel.READWRITE for d in destinations]
        block = Block(arg_types=[*input_types, *output_types])
        mapper: dict[SSAValue, SSAValue] = dict(zip(inputs, block.args[: len(inputs)], strict=True))
        outs = block.args[len(inputs) :]
        builder = LocatedBuilder(InsertPoint.at_end(block))
        for op in self.ops:
            builder.location = op.location
            self.recompute_operands(op, builder, mapper)
            copy = op.clone(mapper)
            for attribute in (GROUP, KIND, REASON, REMARKS, DECISIONS):
                copy.attributes.pop(attribute, None)
            for slot in range(len(op.operands)):
                if (op, slot) in slots:
                    copy.operands[slot] = outs[slots[op, slot]]
            builder.insert(copy)
        builder.insert(kernel.ReturnOp(*(mapper[d.result] for d in destinations)))
        self.drop_unused(block)
        function = kernel.FuncOp(self.name, ([*input_types, *output_types], output_types), access, Region(block))
        function.location = self.ops[-1].location
        for attribute in (KIND, REASON):
            if attribute in self.ops[-1].attributes:
                function.attributes[attribute] = self.ops[-1].attributes[attribute]
        return function

    def recompute_operands(self, op: Operation, builder: LocatedBuilder, mapper: dict[SSAValue, SSAValue]) -> None:
        def make(value: SSAValue) -> None:
            owner = value.owner
            if value in mapper or not isinstance(owner, Operation) or owner in self.inside:
                return
            if not _is_recomputed(value):
                return
            for operand in owner.operands:
                make(operand)
            builder.insert(owner.clone(mapper))

        for operand in op.operands:
            make(operand)
        for region in op.regions:
            for inner in region.walk():
                for operand in inner.operands:
                    owner = operand.owner
                    if isinstance(owner, Operation) and not op.is_ancestor(owner):
                        make(operand)

    @staticmethod
    def drop_unused(block: Block) -> None:
        for op in reversed(list(block.ops)):
            if isinstance(op, tensor.EmptyOp | arith.ConstantOp) and not any(r.uses for r in op.results):
                Rewriter.erase_op(op)

    def launch(self, function: kernel.FuncOp, destinations: list[_Destination]) -> None:
        last = self.ops[-1]
        builder = LocatedBuilder(InsertPoint.before(last), last.location)
        outs: list[SSAValue] = []
        for destination in destinations:
            if destination.base is not None:
                outs.append(destination.base)
                continue
            type_ = destination.result.type
            assert isinstance(type_, TensorType)
            outs.append(builder.insert(tensor.EmptyOp([], type_)).results[0])
        launch = builder.insert(kernel.LaunchOp(self.name, list(self.inputs), outs))
        for name in (REMARKS, DECISIONS):
            notes = _notes(self.ops, name)
            if notes:
                launch.attributes[name] = ArrayAttr(notes)
        for destination, result in zip(destinations, launch.results, strict=True):
            destination.result.replace_all_uses_with(result)
        for op in reversed(self.ops):
            Rewriter.erase_op(op)


def _notes(ops: list[Operation], name: str) -> list[Attribute]:
    """What passes noted on the ops, once each; it goes to the launch, so that equal kernels stay equal."""
    found = [op.attributes[name] for op in ops if name in op.attributes]
    noted = [list(array.data) for array in found if isinstance(array, ArrayAttr)]
    return noted[0] if len(noted) == 1 else list(dict.fromkeys(one for array in noted for one in array))


def _drop_unused_starts(block: Block) -> None:
    """Erase fills, empty tensors, constants and scalars that only kernels used."""
    for op in reversed(list(block.ops)):
        remade = isinstance(op, linalg.FillOp | tensor.EmptyOp | arith.ConstantOp) or is_scalar_code(op)
        if remade and not any(r.uses for r in op.results):
            Rewriter.erase_op(op)


class _Names:
    """Symbols that are free in a module, numbered across all prefixes."""

    def __init__(self, module: ModuleOp):
        symbols = [op.properties.get("sym_name") for op in module.body.block.ops]
        self._taken = {s.data: None for s in symbols if isinstance(s, StringAttr)}
        self._next = 0

    def take(self, prefix: str) -> str:
        while (name := f"{prefix}{self._next}") in self._taken:
            self._next += 1
        self._next += 1
        return name


@dataclass(frozen=True)
class OutlineKernelsPass(Pass):
    """Make each planned group a kernel.func, launched from the host."""

    name = "outline-kernels"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Outline every group of every block of the host functions."""
        assert isinstance(op, ModuleOp)
        needs_tensors(op, self.name, "step 2")
        names = _Names(op)
        first = op.body.block.first_op
        for block in host_blocks(op):
            for group in _groups(block):
                kind = group[-1].attributes.get(KIND)
                prefix = kind.data if isinstance(kind, StringAttr) else "single"
                made = _Outliner(group, names.take(f"k_{prefix}_")).run()
                assert first is not None
                op.body.block.insert_op_before(made, first)
            _drop_unused_starts(block)
