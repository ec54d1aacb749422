"""The rewrite: one walk in program order that gives every tensor value a home and every tensor op its buffer form.

An op that updates a destination does so in place when that is right: the memory may be written, and nothing in it is
read afterwards (`ReadTable`), except by the `insert_slice` that puts the updated slice back where it was taken, by ops of
the other branch, or at places that provably do not overlap. Otherwise the result gets memory of its own: that of its
hint (`hints`) when nothing there is needed any more, else fresh memory; the old contents are copied where they matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from xdsl.dialects import arith, memref, scf, tensor
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    DenseIntOrFPElementsAttr,
    IndexType,
    IntegerAttr,
    MemRefType,
    TensorType,
)
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, Block, BlockArgument, Operation, SSAValue
from xdsl.rewriter import InsertPoint

from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.dense import splat_value
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.errors import UnsupportedError
from stepwell.passes.bufferization.hints import Hint, collect_hints
from stepwell.passes.bufferization.homes import (
    UNDEFINED,
    Buffer,
    Home,
    Place,
    disjoint,
    disjoint_keys,
    is_identity,
    reshaped_type,
    slice_key,
    slice_type,
)
from stepwell.passes.bufferization.reads import Read, ReadTable, exclusive, is_tensor

TensorT = TensorType[Attribute]
MemRefT = MemRefType[Attribute]


class Memory(Protocol):
    """Where new memory and constants come from; differs between kernels and host functions."""

    @property
    def remote(self) -> bool:
        """Whether it is another machine's: what is copied or filled, however small, does not pass through this one."""
        ...

    def allocate(
        self, builder: LocatedBuilder, type: MemRefT, buffer: Buffer, asked: tensor.EmptyOp | None
    ) -> SSAValue:
        """Memory for `buffer`; `asked` is the `tensor.empty` whose `scratch` attribute says which kind, if one does."""
        ...

    def constant(self, builder: LocatedBuilder, value: DenseIntOrFPElementsAttr) -> SSAValue:
        """Read-only memory that holds `value`."""
        ...


def memref_type(tensor_type: Attribute) -> MemRefT:
    """The dense memref type of a tensor type.

    Raises:
        UnsupportedError: a dimension is dynamic.
    """
    assert isinstance(tensor_type, TensorType)
    shape = tensor_type.get_shape()
    if DYNAMIC_INDEX in shape:
        raise UnsupportedError(
            f"bufferize: {tensor_type} needs memory of its own, and its size is only known at run time"
        )
    return MemRefType(tensor_type.get_element_type(), shape)


Handler = Callable[["Bufferizer", Operation], None]


class Bufferizer:
    """State of the walk over one function; see the module docstring."""

    def __init__(self, function: Operation, memory: Memory, handlers: dict[str, Handler]):
        self.table = ReadTable(function)
        self.hints = collect_hints(function, self.table)
        self.memory = memory
        self.handlers = handlers
        self.homes: dict[SSAValue, Home] = {}
        self.wanted: dict[Operation, list[Home | None]] = {}
        """Per terminator whose region is being walked: the home each operand must end in."""
        self.task: Operation | None = None
        self._dead: list[Operation] = []
        self._dead_args: list[BlockArgument] = []

    # --- walking -------------------------------------------------------------------------------------------------

    def run_block(self, block: Block) -> None:
        """Bufferize the ops of `block`."""
        op = block.first_op
        while op is not None:
            following = op.next_op
            self.visit(op)
            op = following

    def visit(self, op: Operation) -> None:
        """Bufferize one op."""
        handler = self.handlers.get(op.name)
        if handler is not None:
            handler(self, op)
            return
        tensors = [v for v in (*op.operands, *op.results) if is_tensor(v)]
        if tensors:
            raise unsupported(
                op, f"bufferize has no buffer form of it on {tensors[0].type}", "run the passes of steps 2 to 4 first"
            )
        for region in op.regions:
            self.run_block(region.block)

    def retire(self, op: Operation) -> None:
        """`op` is replaced; it goes away at the end of the walk."""
        self._dead.append(op)

    def retire_args(self, block: Block, keep: Callable[[BlockArgument], bool]) -> None:
        """Block arguments of tensor type go away at the end of the walk."""
        self._dead_args.extend(a for a in block.args if not keep(a))

    def finish(self) -> None:
        """Remove what was replaced."""
        for op in reversed(self._dead):
            op.detach()
            op.erase()
        for arg in reversed(self._dead_args):
            arg.block.erase_arg(arg)

    def builder(self, op: Operation) -> LocatedBuilder:
        """Builds before `op`, at its location."""
        return LocatedBuilder(InsertPoint.before(op), op.location)

    def index(self, builder: LocatedBuilder, value: int) -> SSAValue:
        """A constant of type index."""
        return builder.insert(arith.ConstantOp(IntegerAttr(value, IndexType()))).result

    # --- homes ---------------------------------------------------------------------------------------------------

    def define(self, value: SSAValue, home: Home) -> None:
        """`value` now lives in `home`."""
        self.homes[value] = home
        if home.place is None:
            return
        buffer = home.place.buffer
        last = self.table.last_read(value)
        buffer.touch(last)
        if last >= 0:
            buffer.members.append(value)

    def home(self, value: SSAValue) -> Home:
        """The home of a tensor value that was defined."""
        return self.homes[value]

    def read(self, value: SSAValue, op: Operation) -> SSAValue:
        """The memref with the contents of `value`, for an op to read."""
        home = self.homes[value]
        if home.memref is not None:
            return home.memref
        if home.constant is not None:
            owner = value.owner
            builder = self.builder(owner if isinstance(owner, Operation) else op)
            reached = self.memory.constant(builder, home.constant)
            buffer = Buffer(writable=False, task=self.task)
            self.homes[value] = Home(Place(buffer), reached, constant=home.constant)
            return reached
        fresh = self.fresh(op, value.type, self._asked(value))
        self.define(value, Home(fresh.place, fresh.memref, undefined=True))
        assert fresh.memref is not None
        return fresh.memref

    def read_dense(self, value: SSAValue, op: Operation) -> SSAValue:
        """As `read`, in identity layout (copied where it is a strided view)."""
        source = self.read(value, op)
        if is_identity(source.type):
            return source
        home = self.fresh(op, value.type, None)
        assert home.memref is not None
        assert home.place is not None
        home.place.buffer.touch(self.table.end[op])
        self.copy(self.builder(op), source, home.memref)
        return home.memref

    def fresh(self, op: Operation, tensor_type: Attribute, asked: tensor.EmptyOp | None) -> Home:
        """New memory, allocated before `op`."""
        buffer = Buffer(writable=True, task=self.task, first=self.table.start[op])
        buffer.touch(self.table.end[op])
        reached = self.memory.allocate(self.builder(op), memref_type(tensor_type), buffer, asked)
        return Home(Place(buffer), reached)

    def _asked(self, value: SSAValue) -> tensor.EmptyOp | None:
        owner = value.owner
        return owner if isinstance(owner, tensor.EmptyOp) and "scratch" in owner.attributes else None

    def inner(self, home: Home, value: SSAValue, task: Operation | None, loop: Operation) -> Home:
        """The home of a block argument that `loop` updates in `home`; tasks see what was there, iterations what they made."""
        assert home.place is not None
        home.place.buffer.touch(self.table.end[loop])
        buffer = Buffer(writable=True, task=task, outer=home.place.buffer)
        result = Home(Place(buffer), home.memref, undefined=home.undefined and task is loop)
        self.define(value, result)
        return result

    # --- in place or not -----------------------------------------------------------------------------------------

    def destination(
        self,
        op: Operation,
        operand: int,
        result: SSAValue | None,
        *,
        others: Sequence[SSAValue] = (),
        taken: Sequence[Home] = (),
        overwrites: bool = False,
        dense: bool = False,
    ) -> Home:
        """Where `op` writes what updates its operand number `operand`; copies the old contents there if needed.

        `others` are the other tensors it reads, `taken` the homes of its earlier destinations; `overwrites`: the old
        contents do not matter; `dense`: the destination must have identity layout.
        """
        value = op.operands[operand]
        old = self.homes[value]
        if old.place is not None and old.memref is not None and (not dense or is_identity(old.memref.type)):
            if self.may_write(op, old.place, others, taken):
                return old
        asked = self._asked(value)
        new = self.storage(
            op, result, value.type, others=[*others, *([] if overwrites else [value])], taken=taken, asked=asked
        )
        if not overwrites and not old.undefined:
            self.copy_home(op, value, new)
        return Home(new.place, new.memref, undefined=old.undefined or overwrites)

    def storage(
        self,
        op: Operation,
        result: SSAValue | None,
        tensor_type: Attribute,
        *,
        others: Sequence[SSAValue] = (),
        taken: Sequence[Home] = (),
        asked: tensor.EmptyOp | None = None,
    ) -> Home:
        """Memory for a new value: that of its hint when it is free at `op`, else fresh."""
        hint = self.hints.get(result) if result is not None and asked is None else None
        homes = self.wanted.get(hint.terminator) if hint is not None else None
        home = homes[hint.index] if homes is not None and hint is not None else None
        if hint is not None and home is not None and home.place is not None:
            if self.may_write(op, home.place, others, taken):
                reached = self._unreshape(op, home, hint)
                if reached is not None:
                    home.place.buffer.touch(self.table.end[op])
                    return Home(home.place, reached)
        return self.fresh(op, tensor_type, asked)

    def _unreshape(self, op: Operation, home: Home, hint: Hint) -> SSAValue | None:
        """The memref of the hint's home in the shape the value has before the reshapes."""
        reached = home.memref
        builder = self.builder(op)
        for reshape in hint.reshapes:
            assert reached is not None
            assert isinstance(reshape, tensor.CollapseShapeOp | tensor.ExpandShapeOp)
            source = reshape.src.type
            assert isinstance(source, TensorType)
            expand = isinstance(reshape, tensor.CollapseShapeOp)
            reached = reshape_memref(builder, reached, source.get_shape(), reshape.reassociation, expand)
            if reached is None:
                return None
        return reached

    def may_write(
        self, op: Operation, place: Place, others: Sequence[SSAValue] = (), taken: Sequence[Home] = ()
    ) -> bool:
        """Whether nothing that `op` or a later op reads is lost when `op` writes `place`."""
        buffer = place.buffer
        if not buffer.writable or buffer.task is not self.task:
            return False
        for home in taken:
            if home.place is not None and home.place.buffer is buffer and not disjoint(home.place, place):
                return False
        for value in others:
            home = self.homes.get(value)
            if home is not None and home.place is not None and home.place.buffer is buffer:
                if not disjoint(home.place, place):
                    return False
        now = self.table.start[op]
        buffer.members = [m for m in buffer.members if self.table.last_read(m) > now]
        return not any(self._lost(member, place, op, now) for member in buffer.members)

    def may_replace(self, op: Operation, place: Place) -> bool:
        """Whether nothing is lost when `place` holds something else after `op`, whose regions see to what they read."""
        buffer = place.buffer
        if not buffer.writable or buffer.task is not self.task:
            return False
        return not any(self._lost(member, place, op, self.table.end[op]) for member in buffer.members)

    def _lost(self, member: SSAValue, place: Place, op: Operation, now: int) -> bool:
        home = self.homes[member].place
        assert home is not None
        if disjoint(home, place):
            return False
        inside = {p.parent: p.key for p in place.chain()}.get(home)
        return any(r.position > now and not self._harmless(r, inside, op) for r in self.table.reads(member))

    def _harmless(self, read: Read, inside: object, op: Operation) -> bool:
        """Whether a later read does not see what `op` writes into slice `inside` of the read value's place."""
        at_once = read.position == self.table.start[read.op]
        if at_once and exclusive(read.op, op):
            return True
        if not isinstance(inside, tuple):
            return False
        if read.via is not None:
            return isinstance(read.via, tensor.ExtractSliceOp) and disjoint_keys(slice_key(read.via), inside)  # pyright: ignore
        puts_back = read.op.name in ("tensor.insert_slice", "tensor.parallel_insert_slice") and read.index == 1
        return at_once and puts_back and slice_key(read.op) == inside

    # --- moving contents -----------------------------------------------------------------------------------------

    def copy_home(self, op: Operation, value: SSAValue, new: Home) -> None:
        """Copy the contents of `value` to `new` before `op`."""
        old = self.homes[value]
        assert new.memref is not None
        if old.constant is not None and old.memref is None and splat_value(old.constant) is not None:
            self.fill(self.builder(op), old.constant, new.memref)
            return
        self.copy(self.builder(op), self.read(value, op), new.memref)

    def fill(self, builder: LocatedBuilder, value: DenseIntOrFPElementsAttr, target: SSAValue) -> None:
        """Store a splat constant into every element of `target`."""
        (fill_remote if self.memory.remote else fill_memref)(builder, value, target)

    def copy(self, builder: LocatedBuilder, source: SSAValue, target: SSAValue) -> None:
        """Copy between memrefs of one shape; one element goes through a register where it is this machine's."""
        kind = target.type
        assert isinstance(kind, MemRefType)
        shape = kind.get_shape()
        if 0 in shape:
            return
        if all(n == 1 for n in shape) and not self.memory.remote:
            zeros = [self.index(builder, 0) for _ in shape]
            loaded = builder.insert(memref.LoadOp.get(source, zeros))
            builder.insert(memref.StoreOp.get(loaded.res, target, zeros))
            return
        builder.insert(memref.CopyOp(source, target))

    def settle(self, terminator: Operation, values: Sequence[SSAValue], homes: Sequence[Home | None]) -> None:
        """Move each value into its home before `terminator`, all at once (they may trade places)."""
        moves: list[tuple[SSAValue, Home]] = []
        for value, home in zip(values, homes, strict=True):
            if home is None or self.homes[value].undefined:
                continue
            if self.homes[value].place is not home.place:
                moves.append((value, home))
        overwritten = [home.place.buffer for _, home in moves if home.place is not None]
        held: list[tuple[SSAValue | None, SSAValue, Home]] = []
        for value, home in moves:
            place = self.homes[value].place
            clash = (
                place is not None
                and home.place is not None
                and any(b is place.buffer for b in overwritten if b is not home.place.buffer)
            )
            clash = clash or (place is not None and home.place is not None and place.buffer is home.place.buffer)
            if clash:
                spare = self.fresh(terminator, value.type, None)
                assert spare.memref is not None
                self.copy(self.builder(terminator), self.read(value, terminator), spare.memref)
                held.append((spare.memref, value, home))
            else:
                held.append((None, value, home))
        for spare, value, home in held:
            assert home.memref is not None
            assert home.place is not None
            home.place.buffer.touch(self.table.end[terminator])
            if spare is not None:
                self.copy(self.builder(terminator), spare, home.memref)
            else:
                self.copy_home(terminator, value, home)


def reshape_memref(
    builder: LocatedBuilder, source: SSAValue, shape: Sequence[int], reassociation: Attribute, expand: bool
) -> SSAValue | None:
    """A memref reshaped without moving data, None when its strides forbid it."""
    kind = source.type
    assert isinstance(kind, MemRefType)
    groups = [[i.value.data for i in g.data] for g in reassociation.data]  # pyright: ignore
    result = reshaped_type(kind, shape, groups, expand)  # pyright: ignore
    if result is None:
        return None
    if expand:
        op = memref.ExpandShapeOp.build(
            operands=[source, []],
            result_types=[result],
            properties={"reassociation": reassociation, "static_output_shape": _i64_array(shape)},
        )
        return builder.insert(op).result
    op = memref.CollapseShapeOp.build(
        operands=[source], result_types=[result], properties={"reassociation": reassociation}
    )
    return builder.insert(op).result


def _i64_array(values: Sequence[int]) -> Attribute:
    from xdsl.dialects.builtin import DenseArrayBase, i64

    return DenseArrayBase.from_list(i64, tuple(values))


def fill_memref(builder: LocatedBuilder, value: DenseIntOrFPElementsAttr, target: SSAValue) -> None:
    """Store a splat constant into every element of `target`."""
    kind = target.type
    assert isinstance(kind, MemRefType)
    if 0 in kind.get_shape():
        return
    scalar_attr = splat_value(value)
    assert scalar_attr is not None
    scalar = builder.insert(arith.ConstantOp(scalar_attr)).result
    constants: dict[int, SSAValue] = {}

    def constant(number: int) -> SSAValue:
        if number not in constants:
            constants[number] = builder.insert(arith.ConstantOp(IntegerAttr(number, IndexType()))).result
        return constants[number]

    shape = kind.get_shape()
    bounds = [constant(n) for n in (0, 1, *shape)] if shape else []
    point = builder.insertion_point
    indices: list[SSAValue] = []
    for upper in bounds[2:]:
        body = Block(arg_types=[IndexType()])
        builder.insert(scf.ForOp(bounds[0], upper, bounds[1], [], body))
        last = scf.YieldOp()
        last.location = builder.location
        body.add_op(last)
        indices.append(body.args[0])
        builder.insertion_point = InsertPoint.before(last)
    builder.insert(memref.StoreOp.get(scalar, target, indices))
    builder.insertion_point = point


def fill_remote(builder: LocatedBuilder, value: DenseIntOrFPElementsAttr, target: SSAValue) -> None:
    """The same in memory of another machine, which does it itself."""
    kind = target.type
    assert isinstance(kind, MemRefType)
    scalar = splat_value(value)
    assert scalar is not None
    if 0 not in kind.get_shape():
        builder.insert(linalg.FillOp([builder.insert(arith.ConstantOp(scalar)).result], [target], []))


def subview(builder: LocatedBuilder, source: SSAValue, op: Operation, shape: Sequence[int]) -> SSAValue:
    """The memref of the slice that a tensor slice op names, with its unit dims dropped to give `shape`."""
    kind = source.type
    assert isinstance(kind, MemRefType)
    key = slice_key(op)
    result = slice_type(kind, key, shape)  # pyright: ignore
    return builder.insert(memref.SubviewOp.get(source, *key, result)).result  # pyright: ignore


__all__ = [
    "UNDEFINED",
    "Bufferizer",
    "Handler",
    "Memory",
    "fill_memref",
    "fill_remote",
    "memref_type",
    "reshape_memref",
    "subview",
]
