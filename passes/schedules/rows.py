"""The `rows` strategy: ops that share leading parallel dims run row by row, in as few passes over a row as possible.

A pass fuses ops over one space of remaining dims that do not wait for each other's reductions; what a later pass needs
stays in a scratch row of the worker (in L1), or in a register when it is one number per row. Softmax is three passes:
maximum; exponential, kept, and sum; quotient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Protocol

from xdsl.dialects.builtin import TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineExpr

from stepwell.dialects import kernel
from stepwell.ir.dtypes import byte_width
from stepwell.ir.structured import indexing_maps, iterator_kinds
from stepwell.passes.schedules.emit import Index
from stepwell.passes.schedules.fold import folding
from stepwell.passes.schedules.kernel_builder import RESHAPES, KernelBuilder, Slice, is_scheduled
from stepwell.passes.schedules.nest import Access, Nest, Output, generic_extents, renumber, step_in_memory
from stepwell.passes.schedules.plan import Machine, Plan, plan_space, tasks_for, traffic
from stepwell.passes.schedules.small_floats import wide_type
from stepwell.passes.schedules.space import SpaceEmitter, Target

LONGEST_AHEAD = 16 << 10
"""Bytes of a row that is fetched while the one before is worked on, or kept: both have to stay in the L1 cache or near it."""


@dataclass(frozen=True)
class RowShape:
    """How a kernel's ops share rows: the generics, the leading dims, and each op's loop dims for them."""

    ops: tuple[linalg.GenericOp, ...]
    sizes: tuple[int, ...]
    row_dims: dict[Operation, tuple[int, ...]]


class EmitsRows(Protocol):
    """What makes the phase of a kernel done by rows."""

    def emit(self) -> None:
        """Build the phase and define its results."""
        ...


@dataclass
class RowPass:
    """Nests over one space of remaining dims, evaluated together."""

    rest: tuple[int, ...]
    nests: list[Nest] = field(default_factory=list[Nest])
    alone: bool = False


def find_rows(func: kernel.FuncOp, least: int = 2) -> RowShape | str:
    """The rows of a kernel of so many ops at `least` with the most leading dims, or why there are none."""
    ops: list[linalg.GenericOp] = []
    for op in func.body.block.ops:
        if isinstance(op, linalg.FillOp):
            if any(not isinstance(u.operation, linalg.GenericOp) for u in op.results[0].uses):
                return "a filled tensor leaves the kernel"
        elif isinstance(op, linalg.GenericOp):
            ops.append(op)
        elif is_scheduled(op):
            return f"{op.name} does not work by rows"
        elif any(o.owner in ops for o in op._operands) and not _only_returned(op):  # pyright: ignore[reportPrivateUsage]
            return f"{op.name} of a value computed here"
    if len(ops) < least:
        return "fewer than two ops to keep a row for"
    rank = min(len(_shape(r)) for op in ops for r in op.results)
    for count in range(rank, 0, -1):
        shape = _shared_rows(ops, count)
        if shape is not None:
            return shape
    return "no leading parallel dims shared by all ops"


def _only_returned(op: Operation) -> bool:
    if isinstance(op, kernel.ReturnOp):
        return True
    return isinstance(op, RESHAPES) and all(_only_returned(u.operation) for r in op.results for u in r.uses)


def _shape(value: SSAValue) -> tuple[int, ...]:
    assert isinstance(value.type, TensorType)
    return value.type.get_shape()


def _shared_rows(ops: Sequence[linalg.GenericOp], count: int) -> RowShape | None:
    row_dims: dict[Operation, tuple[int, ...]] = {}
    sizes: tuple[int, ...] | None = None
    for op in ops:
        maps = indexing_maps(op)
        leading = [m.results[:count] for m in maps[len(op.inputs) :]]
        if any(lead != leading[0] for lead in leading):
            return None
        dims = [e.position for e in leading[0] if isinstance(e, AffineDimExpr)]
        kinds = iterator_kinds(op)
        if len(dims) != count or any(kinds[d] != "parallel" for d in dims):
            return None
        extents = tuple(generic_extents(op)[d] for d in dims)
        if sizes is not None and extents != sizes:
            return None
        sizes = extents
        row_dims[op] = tuple(dims)
        for operand, amap in zip((*op.inputs, *op.outputs), maps, strict=True):
            if operand.owner in row_dims and amap.results[:count] != leading[0]:
                return None
    return RowShape(tuple(ops), sizes, row_dims) if sizes is not None else None


def rows_cost(rows: RowShape, builder_nests: Sequence[Nest], machine: Machine) -> float:
    """Estimated nanoseconds of all ops done by rows."""
    fixed = range(len(rows.sizes))
    return sum(n.points * plan_space([n], machine, fixed).cost for n in builder_nests)


def row_nests(rows: RowShape, make: Callable[[Operation], Nest]) -> list[Nest]:
    """The ops as nests whose leading dims are the row dims; other dims of one point are left out."""
    nests: list[Nest] = []
    for op in rows.ops:
        nest = make(op)
        dims = rows.row_dims[op]
        rest = [d for d in nest.dims if d not in dims]
        if not any(isinstance(inner, linalg.IndexOp) for inner in op.body.block.ops):
            rest = [d for d in rest if nest.sizes[d] != 1 or nest.reduction[d]]
        nests.append(renumber(nest, [*dims, *rest]))
    return nests


def is_row(output: Output, count: int) -> bool:
    """Whether a result, after `count` row dims, is more than one number per row."""
    return any(e.used_dims() for e in output.exprs[count:])


def plan_passes(nests: Sequence[Nest], count: int) -> list[RowPass]:
    """Put each nest in the earliest pass its operands allow."""
    passes: list[RowPass] = []
    producers: dict[SSAValue, tuple[int, Output]] = {}
    for nest in nests:
        rest = nest.sizes[count:]
        alone = any(o.reduced for o in nest.outputs) and not all(nest.reduction[count:])
        earliest = 0
        for access in (*nest.inputs, *(o.init for o in nest.outputs)):
            if not isinstance(access, Access) or access.value not in producers:
                continue
            at, output = producers[access.value]
            pointwise = not output.reduced and access.exprs[count:] == output.exprs[count:] and bool(rest)
            same = pointwise and passes[at].rest == rest and not passes[at].alone and not alone
            earliest = max(earliest, at if same else at + 1)
        at = next(
            (i for i in range(earliest, len(passes)) if passes[i].rest == rest and not passes[i].alone and not alone),
            len(passes),
        )
        if at == len(passes):
            passes.append(RowPass(rest, alone=alone))
        passes[at].nests.append(nest)
        for output in nest.outputs:
            producers[output.original] = (at, output)
    return passes


def schedule_rows(
    builder: KernelBuilder,
    rows: RowShape,
    machine: Machine,
    phase: Callable[[KernelBuilder, RowShape, Machine], EmitsRows] | None = None,
) -> None:
    """One phase over blocks of rows that does the whole kernel; `phase` makes another form of it."""
    tail: list[Operation] = []
    for op in builder.func.body.block.ops:
        if op is builder.func.return_op or op in rows.row_dims or isinstance(op, linalg.FillOp):
            continue
        if any(o.owner in rows.row_dims for o in op._operands):  # pyright: ignore[reportPrivateUsage]
            tail.append(op)
        else:
            builder.pass_through(op)
    builder.em.location = rows.ops[0].location
    if 0 in rows.sizes:
        for op in rows.ops:
            for result in op.results:
                builder.define(result, home := builder.destination(op, result), builder.home(home))
    else:
        (phase or RowsPhase)(builder, rows, machine).emit()
    for op in tail:
        builder.pass_through(op)


class RowsPhase:
    """Emits the phase; one instance per kernel."""

    scope = kernel.ScratchScope.WORKER
    """Who has the scratch rows."""

    def __init__(self, builder: KernelBuilder, rows: RowShape, machine: Machine):
        self.builder = builder
        self.rows = rows
        self.machine = machine
        self.count = len(rows.sizes)
        self.nests = row_nests(rows, builder.nest if machine.subgroup > 1 else lambda op: folding(builder.nest(op)))
        self.passes = plan_passes(self.nests, self.count)
        self.plans = [self.plan(p) for p in self.passes]
        self.pass_of = {o.original: i for i, p in enumerate(self.passes) for n in p.nests for o in n.outputs}
        self.returned = [
            (op, o)
            for op, n in zip(rows.ops, self.nests, strict=True)
            for o in n.outputs
            if any(u.operation not in rows.row_dims for u in o.original.uses)
        ]
        self._updated: list[SSAValue] = []
        self._readers: dict[tuple[SSAValue, tuple[AffineExpr, ...]], list[int]] = {}
        for i, group in enumerate(self.passes):
            for access in (a for n in group.nests for a in n.inputs if isinstance(a, Access)):
                readers = self._readers.setdefault((access.value, access.exprs), [])
                if i not in readers:
                    readers.append(i)

    def plan(self, group: RowPass) -> Plan:
        """How a pass goes over its row."""
        return plan_space(group.nests, self.machine, range(self.count))

    def emit(self) -> None:
        """The forall, and what its results are called from now on."""
        builder = self.builder
        homes = self.destinations()
        dim, chunk, tasks = self.cut()

        def task(ivs: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
            return self._task(dim, chunk, tasks, ivs[0], outs)

        results = builder.phase([tasks], homes, task)
        for (_, output), home, result in zip(self.returned, homes, results, strict=True):
            builder.define(output.original, result, builder.home(home))

    def destinations(self) -> list[SSAValue]:
        """Where the results go; those that are updated there read in their own slices what was there."""
        homes = [self.builder.destination(op, o.original) for op, o in self.returned]
        self._updated = [o.original for (_, o), home in zip(self.returned, homes, strict=True) if o.updates(home)]
        return homes

    def cut(self) -> tuple[int, int, int]:
        """The row dim cut over tasks, rows of it per task, how many tasks."""
        work = sum(n.points * p.cost for q, p in zip(self.passes, self.plans, strict=True) for n in q.nests)
        returned = [o.original for _, o in self.returned]
        work = max(work, traffic(self.nests, {v: None for v in self.pass_of if v not in returned}))
        wanted = tasks_for(work, self.machine)
        sizes = self.rows.sizes
        dim = next((d for d, s in enumerate(sizes) if s >= wanted), max(range(self.count), key=lambda d: sizes[d]))
        chunk = -(-sizes[dim] // min(wanted, sizes[dim]))
        return dim, chunk, -(-sizes[dim] // chunk)

    def _task(self, dim: int, chunk: int, tasks: int, task: Index, outs: Sequence[SSAValue]) -> Sequence[Slice]:
        em, size = self.builder.em, self.rows.sizes[dim]
        start = em.apply(AffineExpr.dimension(0) * chunk, [task])
        extent: Index = chunk
        if tasks * chunk != size:
            extent = em.minimum(chunk, em.apply(AffineExpr.dimension(0) * (-chunk) + size, [task]))
        places: list[tuple[list[Index], list[Index]]] = []
        slices: list[SSAValue] = []
        for out in outs:
            offsets: list[Index] = [0] * len(_shape(out))
            sizes: list[Index] = list(_shape(out))
            offsets[dim], sizes[dim] = start, extent
            places.append((offsets, sizes))
            slices.append(self.builder.slice_of(out, offsets, sizes))
        last = self.loops(0, (dim, start, extent), [], [], slices)
        em.location = self.rows.ops[0].location
        return [(v, o, s) for v, (o, s) in zip(last, places, strict=True)]

    def loops(
        self,
        level: int,
        cut: tuple[int, Index, Index],
        index: list[Index],
        local: list[Index],
        outs: Sequence[SSAValue],
    ) -> Sequence[SSAValue]:
        """Loops over the row dims from `level` on, the one that is cut (dim, start, extent) over its chunk."""
        em, (dim, start, extent) = self.builder.em, cut
        if level == self.count:
            return self.row(index, local, outs)
        bound: Index = extent if level == dim else self.rows.sizes[level]

        def trip(iv: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            absolute = iv
            if level == dim and not (isinstance(start, int) and start == 0):
                absolute = em.apply(AffineExpr.dimension(0) + AffineExpr.dimension(1), [start, iv])
            return self.loops(level + 1, cut, [*index, absolute], [*local, iv], args)

        return em.loop(0, bound, 1, outs, trip)

    def row(self, index: list[Index], local: list[Index], outs: Sequence[SSAValue]) -> Sequence[SSAValue]:
        """All passes over one row; returns the outputs' new versions."""
        current = dict(zip([o.original for _, o in self.returned], outs, strict=True))
        kept: dict[SSAValue, SSAValue] = {}
        scalars: dict[SSAValue, SSAValue] = {}
        for number, (group, plan) in enumerate(zip(self.passes, self.plans, strict=True)):
            nests = [self._connected(n, number, current, kept, scalars, local) for n in group.nests]
            targets: dict[SSAValue, Target] = {}
            tensors: dict[SSAValue, SSAValue] = {}
            for nest in nests:
                for output in nest.outputs:
                    self._target(output, number, current, targets, tensors)
            emitter = SpaceEmitter(self.builder.em, nests, plan, self.builder.resolve, targets, scalars=scalars)
            rest: list[Index] = [0] * len(group.rest)
            for original, version in emitter.run(tensors, [*index, *rest], [*local, *rest]).items():
                (current if original in current else kept)[original] = version
        return list(current.values())

    def _target(
        self,
        output: Output,
        number: int,
        current: dict[SSAValue, SSAValue],
        targets: dict[SSAValue, Target],
        tensors: dict[SSAValue, SSAValue],
    ) -> None:
        """Store a result in its output slice, or in a scratch row when a later pass reads more than one number."""
        original = output.original
        if original in current:
            target = Target(output, output.exprs, reads_old=original in self._updated)
            targets[original], tensors[original] = target, current[original]
            return
        if not self.is_kept(output, number):
            return
        kind = self.row_type(output)
        wide = kind.element_type != output.element
        targets[original] = Target(output, output.exprs[self.count :], streams=False, wide=wide)
        tensors[original] = self.builder.scratch(kind, self.scope)

    def row_type(self, output: Output) -> TensorType[Attribute]:
        """A row of a result that later passes read: of small floats as they are computed with, where it stays next to the core."""
        shape = output.shape[self.count :]
        wide = wide_type(output.element)
        near = self.machine.subgroup == 1 and prod(shape) * byte_width(wide) <= LONGEST_AHEAD
        return TensorType(wide if near else output.element, shape)

    def is_kept(self, output: Output, number: int) -> bool:
        """Whether a later pass than `number` reads more than one number of a row of a result."""
        readers = [self.pass_of_user(u.operation) for u in output.original.uses]
        return is_row(output, self.count) and any(reader > number for reader in readers)

    def pass_of_user(self, op: Operation) -> int:
        """The pass that does an op, -1 for an op of none."""
        return max((self.pass_of[r] for r in op.results if r in self.pass_of), default=-1)

    def _connected(
        self,
        nest: Nest,
        number: int,
        current: dict[SSAValue, SSAValue],
        kept: dict[SSAValue, SSAValue],
        scalars: dict[SSAValue, SSAValue],
        local: list[Index],
    ) -> Nest:
        """The nest with inputs computed here read from registers, scratch rows or output slices."""
        forwarded = dict(nest.forwarded)
        inputs = list(nest.inputs)
        for position, access in enumerate(nest.inputs):
            if not isinstance(access, Access):
                continue
            if access.value not in self.pass_of:
                inputs[position] = replace(access, ahead=self._next_row(access, number))
                continue
            if self.pass_of[access.value] == number or (access.value in scalars and self.passes_on(access, number)):
                forwarded[position] = access.value
            else:
                inputs[position] = self._stored(access, current, kept, local)
        outputs: list[Output] = []
        for output in nest.outputs:
            init = output.init
            if isinstance(init, Access) and init.value in self.pass_of:
                held = scalars.get(init.value) if self.passes_on(init, number) else None
                init = held or self._stored(init, current, kept, local)
            outputs.append(replace(output, init=init))
        return replace(nest, forwarded=forwarded, inputs=inputs, outputs=outputs)

    def _next_row(self, access: Access, number: int) -> int:
        """Bytes to the next row, where pass `number` is the last that reads this one again.

        The first pass over a row waits for memory while later ones have it idle: these can fetch what the next row needs.
        """
        readers = self._readers.get((access.value, access.exprs), [])
        if not self.machine.prefetch or len(readers) < 2 or number != readers[-1] or not self.passes[number].rest:
            return 0
        step = step_in_memory(access, self.count - 1) or 0
        distance = step * byte_width(access.element)
        return distance if 0 < distance <= LONGEST_AHEAD else 0

    def passes_on(self, access: Access, number: int) -> bool:
        """Whether what pass `number` reads can be had from a register that holds it."""
        del access, number
        return True

    def _stored(
        self,
        access: Access,
        current: dict[SSAValue, SSAValue],
        kept: dict[SSAValue, SSAValue],
        local: list[Index],
    ) -> Access:
        if access.value in kept:
            held = Access(kept[access.value], access.exprs[self.count :])
            return held if held.element == access.element else replace(held, small=access.element)
        row = tuple(AffineExpr.symbol(i) for i in range(self.count))
        symbols = tuple(self.builder.em.indices(local))
        return Access(current[access.value], (*row, *access.exprs[self.count :]), symbols)


__all__ = [
    "RowPass",
    "RowShape",
    "RowsPhase",
    "find_rows",
    "is_row",
    "plan_passes",
    "row_nests",
    "rows_cost",
    "schedule_rows",
]
