"""Short rows, a vector of them at once: lanes are rows, so that nothing is reduced within a vector.

```
rows x[r, 0:17]     a block of 32 rows:  tiles of x     ->  turned in registers  ->  scratch[17, 32]
                                         every pass     ->  vectors of 32 rows, loops over the 17
                                         scratch[17, 32]  ->  turned back          ->  rows of the result
```
A row that is a vector or two waits for each of its reductions, whose steps within a vector depend on each other; what is
one number a row (a root, a quotient) is scalar code. Of rows next to each other all of that is done in lanes, and no lane
is idle. Turning costs two loads or stores and four shuffles a vector. Small floats are in scratch as f32, which they are
computed as. The last block of a task ends with its last row: some rows are done twice, to the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xdsl.dialects import arith
from xdsl.dialects.builtin import ComplexType, TensorType, i1
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import kernel, vector
from stepwell.passes.schedules.emit import Index
from stepwell.passes.schedules.kernel_builder import KernelBuilder
from stepwell.passes.schedules.lanes import can_vectorize, transfer_read, transfer_write
from stepwell.passes.schedules.nest import Access, Nest, Output, is_contiguous, uses_dim
from stepwell.passes.schedules.plan import Machine, Plan, element_bytes
from stepwell.passes.schedules.rows import RowPass, RowShape, RowsPhase, is_row
from stepwell.passes.schedules.small_floats import narrow, wide_type, widen
from stepwell.passes.schedules.space import SpaceEmitter, Target, tiled_loop

VECTORS = 2
"""Vectors of rows of a block: what one waits for the other has done meanwhile."""


TURN = 0.5
"""Cycles that an element takes to be turned, to scratch or from there."""
WAIT = 7
"""Cycles for each of the steps that reduce a vector to one number, which other work waits for."""
ALONE = 3
"""Such a step where nothing waits for it: the next row is begun meanwhile. Of floats that are compared each is several ops."""


def block_rows(machine: Machine, nests: Sequence[Nest]) -> int:
    """Rows of a block: whole vectors of the widest number that is computed with."""
    return VECTORS * _side(machine, nests)


def _side(machine: Machine, nests: Sequence[Nest]) -> int:
    return machine.vector_bytes // max(4, element_bytes(nests))


def pays_across(rows: RowShape, nests: Sequence[Nest], machine: Machine) -> bool:
    """Whether rows are so short that what they wait for is more than turning them."""
    count = len(rows.sizes)
    if across_obstacle(rows, nests, machine) is not None:
        return False
    own = {o.original for n in nests for o in n.outputs}
    read = {a.value: a for n in nests for a in n.inputs if isinstance(a, Access) and a.value not in own}
    turned = [a.shape[-1] for a in read.values() if not _plain(a, count - 1)]
    turned += [o.shape[-1] for n in nests for o in n.outputs if _leaves(rows, o) and is_row(o, count)]
    reductions = [o for n in nests for o in n.outputs if o.reduced]
    steps = (machine.vector_bytes // max(4, element_bytes(nests))).bit_length() - 1
    compared = any(isinstance(o.combiner, arith.MaximumfOp | arith.MinimumfOp) for o in reductions)
    wait = ALONE if len(nests) == 1 and not compared else WAIT
    return bool(reductions and turned) and sum(turned) * TURN <= wait * steps * len(reductions)


def across_obstacle(rows: RowShape, nests: Sequence[Nest], machine: Machine) -> str | None:
    """Why rows cannot be the lanes of vectors; None where they can."""
    if machine.vector_bytes < 16:
        return "there are no vectors"
    count = len(rows.sizes)
    lane, block = count - 1, block_rows(machine, nests)
    if 0 in rows.sizes or rows.sizes[lane] < block:
        return f"there are {rows.sizes[lane]} next to each other, fewer than {block}"
    own = {o.original for n in nests for o in n.outputs}
    for nest in nests:
        if not all(can_vectorize(b) for b in nest.bodies):
            return "what is done has no vector form"
        if any(op.name == "tensor.extract" for b in nest.bodies for op in b.ops):
            return "they gather"
        outer = [a for a in nest.inputs if isinstance(a, Access) and a.value not in own]
        problem = next(filter(None, (_input_obstacle(a, count) for a in outer)), None)
        problem = problem or next(filter(None, (_output_obstacle(rows, o, own, count) for o in nest.outputs)), None)
        if problem is not None:
            return problem
    return None


def _plain(access: Access, lane: int) -> bool:
    """Whether an operand is read as it lies: one number for all rows, or those of neighbours next to each other."""
    return not uses_dim(access.exprs, lane) or is_contiguous(access.exprs, lane)


def _input_obstacle(access: Access, count: int) -> str | None:
    """Why an operand has no rows that can be turned."""
    lane = count - 1
    if access.element == i1 or isinstance(access.element, ComplexType):
        return f"numbers are {access.element}"
    if _plain(access, lane):
        return None
    *outer, row, last = access.exprs if len(access.exprs) > 1 else (*access.exprs, AffineExpr.constant(0))
    if row != AffineExpr.dimension(lane) or uses_dim([*outer, last], lane):
        return "an operand has them further apart"
    if any(d >= count for e in outer for d in e.used_dims()) or any(d < count for d in last.used_dims()):
        return "those of an operand have several dims"
    return None


def _output_obstacle(rows: RowShape, output: Output, own: set[SSAValue], count: int) -> str | None:
    """Why a result is not made of rows that can be turned."""
    init = output.init
    if isinstance(init, Access) and init.value not in own and not _plain(init, count - 1):
        return "results start from other rows"
    if output.element == i1 or isinstance(output.element, ComplexType):
        return f"results are {output.element}"
    if output.exprs[:count] != tuple(AffineExpr.dimension(d) for d in range(count)):
        return "a result has its rows in another order"
    if (
        _leaves(rows, output)
        and len(output.exprs) > count
        and not (len(output.exprs) == count + 1 and is_row(output, count))
    ):
        return "rows of a result have several dims"
    return None


def _columns(edge: int) -> int:
    """Columns of a tile that holds the last few of a row: a power of two."""
    return 1 << (edge - 1).bit_length() if edge else 0


def _leaves(rows: RowShape, output: Output) -> bool:
    """Whether a result is the kernel's."""
    return any(u.operation not in rows.row_dims for u in output.original.uses)


class AcrossRows(RowsPhase):
    """Emits the phase, a block of rows after the other."""

    def __init__(self, builder: KernelBuilder, rows: RowShape, machine: Machine):
        super().__init__(builder, rows, machine)
        self.lane = self.count - 1
        self.side = _side(machine, self.nests)
        self.block = block_rows(machine, self.nests)

    def plan(self, group: RowPass) -> Plan:
        """All rows of the block at each point of theirs."""
        dims = range(self.count, self.count + len(group.rest))
        reduced = [d for d in dims if any(n.reduction[d] for n in group.nests)]
        lane, width = self.count - 1, block_rows(self.machine, self.nests)
        outer = (lane, *(d for d in dims if d not in reduced))
        return Plan(outer, tuple(reduced), lane, width, super().plan(group).cost)

    def cut(self) -> tuple[int, int, int]:
        """Tasks of whole blocks, and no task of less than one."""
        dim, chunk, tasks = super().cut()
        size = self.rows.sizes[dim]
        while dim == self.lane and tasks > 1 and size - (tasks - 1) * chunk < self.block:
            chunk = -(-size // (tasks - 1))
            tasks = -(-size // chunk)
        return dim, chunk, tasks

    def loops(
        self,
        level: int,
        cut: tuple[int, Index, Index],
        index: list[Index],
        local: list[Index],
        outs: Sequence[SSAValue],
    ) -> Sequence[SSAValue]:
        """Loops over the row dims, the last in blocks."""
        if level != self.lane:
            return super().loops(level, cut, index, local, outs)
        em, (dim, start, extent) = self.builder.em, cut
        bound: Index = extent if level == dim else self.rows.sizes[level]

        def trip(iv: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            first = iv
            if not isinstance(bound, int) or bound % self.block:
                first = em.minimum(iv, em.apply(AffineExpr.dimension(0) - self.block, [bound]))
            absolute = first
            if level == dim and not (isinstance(start, int) and start == 0):
                absolute = em.apply(AffineExpr.dimension(0) + AffineExpr.dimension(1), [start, first])
            return self.row([*index, absolute], [*local, first], args)

        return em.loop(0, bound, self.block, outs, trip)

    def row(self, index: list[Index], local: list[Index], outs: Sequence[SSAValue]) -> Sequence[SSAValue]:
        """All passes over a block of rows; returns the outputs' new versions."""
        kept: dict[SSAValue, SSAValue] = {}
        turned: dict[tuple[object, ...], SSAValue] = {}
        for group, plan in zip(self.passes, self.plans, strict=True):
            nests = [self._across(n, group, index, kept, turned) for n in group.nests]
            targets: dict[SSAValue, Target] = {}
            tensors: dict[SSAValue, SSAValue] = {}
            for output in (o for n in nests for o in n.outputs):
                if self._is_wanted(output, group):
                    exprs = (*output.exprs[self.count :], AffineExpr.dimension(self.lane))
                    targets[output.original] = Target(output, exprs, streams=False, wide=True)
                    tensors[output.original] = self._scratch(output)
            starts, extents = {self.lane: index[self.lane]}, {self.lane: self.block}
            emitter = SpaceEmitter(
                self.builder.em, nests, plan, self.builder.resolve, targets, starts, dict[int, Index](extents)
            )
            rest: list[Index] = [0] * len(group.rest)
            kept |= emitter.run(tensors, [*index, *rest], [*local[:-1], 0, *rest])
        versions = zip(self.returned, outs, strict=True)
        return [self._put_back(o, kept[o.original], out, local) for (_, o), out in versions]

    def _is_wanted(self, output: Output, group: RowPass) -> bool:
        """Whether a result is read in another pass, or is one of the kernel's."""
        if any(o.original is output.original for _, o in self.returned):
            return True
        readers = [u.operation for u in output.original.uses]
        return any(self.passes[self.pass_of_user(r)] is not group for r in readers)

    def _scratch(self, like: Output | Access) -> SSAValue:
        """Scratch of the worker for a block, rows of which are lanes; lines that a tile may read are all there."""
        shape = list(like.shape[self.count :]) if isinstance(like, Output) else [like.shape[-1]]
        if len(shape) == 1:
            shape = [self._padded(shape[0])]
        kind: TensorType[Attribute] = TensorType(wide_type(like.element), [*shape, self.block])
        return self.builder.scratch(kind, kernel.ScratchScope.WORKER)

    def _padded(self, length: int) -> int:
        """The length of rows as tiles have it."""
        edge = length % self.side
        return length - edge + _columns(edge)

    def _across(
        self,
        nest: Nest,
        group: RowPass,
        index: list[Index],
        kept: dict[SSAValue, SSAValue],
        turned: dict[tuple[object, ...], SSAValue],
    ) -> Nest:
        """The nest with inputs computed here, and those whose rows are not next to each other, read from scratch."""
        forwarded = dict(nest.forwarded)
        inputs = list(nest.inputs)
        for position, access in enumerate(nest.inputs):
            if not isinstance(access, Access):
                continue
            if access.value in self.pass_of and self.passes[self.pass_of[access.value]] is group:
                forwarded[position] = access.value
            else:
                inputs[position] = self._place(access, index, kept, turned)
        outputs = [
            replace(o, init=self._place(o.init, index, kept, turned)) if isinstance(o.init, Access) else o
            for o in nest.outputs
        ]
        return replace(nest, forwarded=forwarded, inputs=inputs, outputs=outputs)

    def _place(
        self,
        access: Access,
        index: list[Index],
        kept: dict[SSAValue, SSAValue],
        turned: dict[tuple[object, ...], SSAValue],
    ) -> Access:
        """Where an operand is: in memory as it lies, or in scratch with the rows of the block as lanes."""
        rest = access.exprs[self.count :]
        small = access.element if wide_type(access.element) != access.element else None
        if access.value in kept:
            home = kept[access.value]
        elif _plain(access, self.lane):
            return access
        else:
            key = (access.value, access.exprs[:-1], access.symbols)
            if key not in turned:
                turned[key] = self._turned(access, index)
            home, rest = turned[key], access.exprs[-1:]
        first = self.builder.em.index(index[self.lane])
        lane = AffineExpr.dimension(self.lane) - AffineExpr.symbol(0)
        return Access(home, (*rest, lane), (first,), small=small)

    def _turned(self, access: Access, index: list[Index]) -> SSAValue:
        """The rows of the block of an operand, in scratch."""
        em = self.builder.em
        *outer, first = [em.apply(e, index, access.symbols) for e in access.exprs[:-1]]

        def tile(column: Index, columns: int, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            (held,) = args
            width = columns if columns == self.side else _columns(columns)
            for group in range(0, self.block, self.side):
                row = em.apply(AffineExpr.dimension(0) + group, [first])
                mask = None if columns == width else em.constant_mask([self.side, columns], [self.side, width])
                block = transfer_read(em, access.value, [*outer, row, column], [self.side, width], mask)
                block = em.add(vector.TransposeOp(widen(em, block), [1, 0])).result
                held = transfer_write(em, block, held, [column, group])
            return [held]

        length = access.shape[-1]
        return tiled_loop(em, length, length % self.side, self.side, [self._scratch(access)], tile)[0]

    def _put_back(self, output: Output, made: SSAValue, out: SSAValue, local: list[Index]) -> SSAValue:
        """A result of the block where it belongs; returns the output's new version."""
        em = self.builder.em
        ahead = self.machine.prefetch
        if len(output.exprs) == self.count:
            line = transfer_read(em, made, [0], [self.block])
            return transfer_write(em, narrow(em, line, output.element), out, local)

        def tile(column: Index, columns: int, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            (held,) = args
            width = columns if columns == self.side else _columns(columns)
            for group in range(0, self.block, self.side):
                block = transfer_read(em, made, [column, group], [width, self.side])
                block = narrow(em, em.add(vector.TransposeOp(block, [1, 0])).result, output.element)
                row = em.apply(AffineExpr.dimension(0) + group, [local[self.lane]])
                mask = None if columns == width else em.constant_mask([self.side, columns], [self.side, width])
                held = transfer_write(em, block, held, [*local[: self.lane], row, column], mask, 0 if mask else ahead)
            return [held]

        length = output.shape[-1]
        return tiled_loop(em, length, length % self.side, self.side, [out], tile)[0]
