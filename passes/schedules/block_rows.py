"""The `block-rows` strategy: a row is a block's task, each of its subgroups does a segment.

Each pass over the row is a loop over the subgroups, joined before the next. A reduction leaves one number per subgroup in
scratch of the block; whoever needs the result reduces those again, all in the same order, so that it is the same
everywhere. Rows that a later pass reads stay in scratch of the block too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from xdsl.dialects import tensor
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import kernel
from stepwell.ir.dtypes import byte_width
from stepwell.passes.schedules.emit import Index
from stepwell.passes.schedules.kernel_builder import KernelBuilder, Slice
from stepwell.passes.schedules.lanes import transfer_read
from stepwell.passes.schedules.nest import Access, Nest, Output, neutral
from stepwell.passes.schedules.plan import Machine, Plan, element_bytes
from stepwell.passes.schedules.rows import RowPass, RowShape, is_row, plan_passes, row_nests
from stepwell.passes.schedules.space import SpaceEmitter, Target, combine, combine_lanes
from stepwell.passes.schedules.subgroup_plan import plan_lanes, vector_width
from stepwell.passes.schedules.subgroup_rows import reads_of


def cannot_segment(passes: Sequence[RowPass], count: int, machine: Machine) -> str | None:
    """Why rows, after `count` fixed dims, cannot be done in segments; None when they can."""
    lengths = dict.fromkeys(p.rest for p in passes if p.rest)
    if len(lengths) != 1 or any(len(rest) != 1 for rest in lengths):
        return "the rows of its passes have not one extent"
    if any(p.alone for p in passes):
        return "a pass reduces part of a row only"
    for group in passes:
        if group.rest and plan_lanes(group.nests, machine, range(count)).vector is None:
            return "a pass has no vector form"
    return None


def kept_bytes(nests: Sequence[Nest], passes: Sequence[RowPass], count: int, returned: Sequence[SSAValue]) -> int:
    """Bytes of the rows, beside the returned ones, that a later pass reads."""
    pass_of = {o.original: i for i, p in enumerate(passes) for n in p.nests for o in n.outputs}
    total = 0
    for nest in nests:
        for output in nest.outputs:
            if output.original not in returned and _read_later(output, passes, pass_of[output.original], count):
                total += prod(output.shape[count:]) * byte_width(output.element)
    return total


def _read_later(output: Output, passes: Sequence[RowPass], number: int, count: int) -> bool:
    """Whether a later pass reads a row, not one number, of a result."""
    if not is_row(output, count):
        return False
    return any(a.value is output.original for p in passes[number + 1 :] for n in p.nests for a in reads_of(n))


@dataclass(frozen=True)
class _Segment:
    """A subgroup's part of a row."""

    start: Index
    extent: Index


class BlockRows:
    """Emits the phase; one instance per kernel."""

    def __init__(self, builder: KernelBuilder, rows: RowShape, machine: Machine):
        self.builder, self.em, self.rows, self.machine = builder, builder.em, rows, machine
        self.count = len(rows.sizes)
        self.nests = row_nests(rows, builder.nest)
        self.passes = plan_passes(self.nests, self.count)
        self.pass_of = {o.original: i for i, p in enumerate(self.passes) for n in p.nests for o in n.outputs}
        self.outputs = {o.original: o for n in self.nests for o in n.outputs}
        self.length = next(p.rest[0] for p in self.passes if p.rest)
        self.subgroups = machine.subgroups
        share = -(-self.length // self.subgroups)
        self.width = vector_width(share, machine, element_bytes(self.nests))
        self.segment = -(-share // self.width) * self.width
        self.returned = [
            (op, o)
            for op, n in zip(rows.ops, self.nests, strict=True)
            for o in n.outputs
            if any(u.operation not in rows.row_dims for u in o.original.uses)
        ]
        self.spilled = self._spilled()
        self.updated: list[SSAValue] = []
        """Results that replace in their homes what they start from."""

    def _spilled(self) -> list[Output]:
        """Rows to keep that do not fit the scratch of a block: they go to launch scratch."""
        returned = [o.original for _, o in self.returned]
        left = self.machine.shared_bytes
        spilled: list[Output] = []
        for output in self.outputs.values():
            if output.original in returned or not self.is_kept(output):
                continue
            size = self.length * byte_width(output.element)
            if size > left:
                spilled.append(output)
            else:
                left -= size
        return spilled

    def is_kept(self, output: Output) -> bool:
        """Whether a later pass reads a row of a result."""
        return _read_later(output, self.passes, self.pass_of[output.original], self.count)

    def emit(self) -> None:
        """The forall over the rows, and what its results are called from now on."""
        builder = self.builder
        homes = [builder.destination(op, o.original) for op, o in self.returned]
        self.updated = [o.original for (_, o), home in zip(self.returned, homes, strict=True) if o.updates(home)]
        spills = [builder.scratch(o.original.type, kernel.ScratchScope.LAUNCH) for o in self.spilled]
        results = builder.phase(self.rows.sizes, [*homes, *spills], self._row_task, kernel.Level.BLOCK)
        for (_, output), home, result in zip(self.returned, homes, results, strict=False):
            builder.define(output.original, result, builder.home(home))

    def _row_task(self, task: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
        places: list[tuple[list[Index], list[Index]]] = []
        row = _Row(self, list(task))
        originals = [*(o.original for _, o in self.returned), *(o.original for o in self.spilled)]
        for original, out in zip(originals, outs, strict=True):
            assert isinstance(out.type, TensorType)
            rest = out.type.get_shape()[self.count :]
            places.append(([*task, *(0 for _ in rest)], [*(1 for _ in task), *rest]))
            row.current[original] = self.builder.slice_of(out, *places[-1])
        for number, group in enumerate(self.passes):
            if group.rest:
                row.emit_pass(number, group)
        row.emit_numbers([o for _, o in self.returned if not is_row(o, self.count)])
        self.em.location = self.rows.ops[0].location
        return [(row.current[v], o, s) for v, (o, s) in zip(originals, places, strict=True)]


class _Row:
    """One row: where its results are so far."""

    def __init__(self, phase: BlockRows, index: list[Index]):
        self.phase, self.em, self.builder, self.count = phase, phase.em, phase.builder, phase.count
        self.index = index
        self.current: dict[SSAValue, SSAValue] = {}
        """The row's slices of outputs."""
        self.kept: dict[SSAValue, SSAValue] = {}
        """Rows in scratch of the block."""
        self.partials: dict[SSAValue, SSAValue] = {}
        """What each subgroup has of a reduced number."""

    def emit_pass(self, number: int, group: RowPass) -> None:
        """One loop over the subgroups; rows and partial numbers it makes are kept."""
        written = [o for n in group.nests for o in n.outputs if o.reduced or self._is_stored(o)]
        shared = [self._home(o) for o in written]

        def task(ivs: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
            return self._segment_task(number, group, written, ivs[0], outs)

        results = self.builder.phase([self.phase.subgroups], shared, task, kernel.Level.SUBGROUP)
        for output, result in zip(written, results, strict=True):
            if output.reduced:
                self.partials[output.original] = result
            elif output.original in self.current:
                self.current[output.original] = result
            else:
                self.kept[output.original] = result

    def _is_stored(self, output: Output) -> bool:
        return output.original in self.current or self.phase.is_kept(output)

    def _home(self, output: Output) -> SSAValue:
        if not output.reduced and output.original in self.current:
            return self.current[output.original]
        extent = self.phase.subgroups if output.reduced else self.phase.length
        return self.builder.scratch(TensorType(output.element, [extent]), kernel.ScratchScope.BLOCK)

    def _segment_task(
        self, number: int, group: RowPass, written: Sequence[Output], subgroup: Index, outs: Sequence[SSAValue]
    ) -> Sequence[Slice]:
        em, dim = self.em, self.count
        numbers: dict[SSAValue, SSAValue] = {}
        segment = self._segment(subgroup)
        nests = [self._connected(n, number, numbers, partial=True) for n in group.nests]
        targets: dict[SSAValue, Target] = {}
        slices: dict[SSAValue, SSAValue] = {}
        places: list[tuple[list[Index], list[Index]]] = []
        made = {o.original: o for n in nests for o in n.outputs}
        for output, out in zip(written, outs, strict=True):
            offsets, sizes, exprs = self._place(output, subgroup, segment)
            reads_old = output.original in self.phase.updated and not output.reduced
            targets[output.original] = Target(made[output.original], exprs, reads_old=reads_old)
            slices[output.original] = self.builder.slice_of(out, offsets, sizes)
            places.append((offsets, sizes))
        plan = self._plan(group)
        starts, extents = {dim: segment.start}, {dim: segment.extent}
        emitter = SpaceEmitter(em, nests, plan, self.builder.resolve, targets, starts, extents, dict(numbers))
        last = emitter.run(slices, [*self.index, 0], [*(0 for _ in self.index), 0])
        return [(last[o.original], *p) for o, p in zip(written, places, strict=True)]

    def _plan(self, group: RowPass) -> Plan:
        plan = plan_lanes(group.nests, self.phase.machine, range(self.count))
        return replace(plan, width=self.phase.width)

    def _segment(self, subgroup: Index) -> _Segment:
        em, d = self.em, AffineExpr.dimension
        length, share = self.phase.length, self.phase.segment
        start = em.apply(d(0) * share, [subgroup])
        if share * self.phase.subgroups == length:
            return _Segment(start, share)
        start = em.minimum(start, length)
        return _Segment(start, em.minimum(share, em.apply(d(0) * -1 + length, [start])))

    def _place(
        self, output: Output, subgroup: Index, segment: _Segment
    ) -> tuple[list[Index], list[Index], tuple[AffineExpr, ...]]:
        """A subgroup's slice of what it writes, and positions relative to it."""
        if output.reduced:
            return [subgroup], [1], (AffineExpr.constant(0),)
        if output.original in self.current:
            fixed = tuple(AffineExpr.dimension(i) for i in range(self.count))
            ones: list[Index] = [1] * self.count
            return [*(0 for _ in fixed), segment.start], [*ones, segment.extent], (*fixed, *output.exprs[self.count :])
        return [segment.start], [segment.extent], output.exprs[self.count :]

    def _connected(self, nest: Nest, number: int, numbers: dict[SSAValue, SSAValue], partial: bool) -> Nest:
        """The nest with inputs computed here read from registers, scratch or output slices.

        With `partial` its reductions start from neutral elements: what they start from is added when they are merged.
        """
        forwarded, inputs = dict(nest.forwarded), list(nest.inputs)
        for position, access in enumerate(nest.inputs):
            if not isinstance(access, Access) or access.value not in self.phase.pass_of:
                continue
            if self.phase.pass_of[access.value] == number:
                forwarded[position] = access.value
            elif is_row(self.phase.outputs[access.value], self.count):
                inputs[position] = self._stored(access)
            else:
                self._need(access.value, numbers)
                forwarded[position] = access.value
        outputs: list[Output] = []
        for output in nest.outputs:
            if output.reduced and partial:
                assert output.combiner is not None
                start = neutral(output.combiner, output.element)
                outputs.append(replace(output, init=self.em.constant(start, output.element)))
            else:
                outputs.append(replace(output, init=self._init(output, numbers)))
        return replace(nest, forwarded=forwarded, inputs=inputs, outputs=outputs)

    def _init(self, output: Output, numbers: dict[SSAValue, SSAValue]) -> SSAValue | Access | None:
        init = output.init
        if isinstance(init, Access) and output.original in self.phase.updated:
            # Read where it is written, and only by who writes it once that may have happened.
            return replace(init, value=self.current[output.original], exprs=self._in_row(output))
        if not isinstance(init, Access) or init.value not in self.phase.pass_of:
            return init
        if is_row(self.phase.outputs[init.value], self.count):
            return self._stored(init)
        return self._need(init.value, numbers)

    def _stored(self, access: Access) -> Access:
        if access.value in self.kept:
            return Access(self.kept[access.value], access.exprs[self.count :])
        return Access(self.current[access.value], self._in_row(access))

    def _in_row(self, place: Access | Output) -> tuple[AffineExpr, ...]:
        """Where a place of the whole tensor is in the row's slice."""
        return (*[AffineExpr.constant(0)] * self.count, *place.exprs[self.count :])

    def _need(self, original: SSAValue, numbers: dict[SSAValue, SSAValue]) -> SSAValue:
        """A number of the row, computed here from what the subgroups left, once per loop over them."""
        if original not in numbers:
            output = self.phase.outputs[original]
            if output.reduced:
                numbers[original] = self._merged(output, numbers)
            else:
                self._evaluate(self.phase.pass_of[original], numbers)
        return numbers[original]

    def _merged(self, output: Output, numbers: dict[SSAValue, SSAValue]) -> SSAValue:
        """The partial numbers of the subgroups, in order, and what the reduction starts from."""
        parts = transfer_read(self.em, self.partials[output.original], [0], [self.phase.subgroups])
        value = combine_lanes(self.em, output, parts)
        init = self._init(output, numbers)
        if isinstance(init, Access):
            indices = [self.em.apply(e, [*self.index, 0], init.symbols) for e in init.exprs]
            init = self.em.add(tensor.ExtractOp(init.value, self.em.indices(indices), init.element)).result
        return value if init is None else combine(self.em, output, init, value)

    def _evaluate(self, number: int, numbers: dict[SSAValue, SSAValue]) -> None:
        """A pass over numbers of the row."""
        group = self.phase.passes[number]
        nests = [self._connected(n, number, numbers, partial=False) for n in group.nests]
        plan = Plan((), (), None, 1, 0.0)
        emitter = SpaceEmitter(self.em, nests, plan, self.builder.resolve, {}, scalars=numbers)
        emitter.run({}, list(self.index))

    def emit_numbers(self, outputs: Sequence[Output]) -> None:
        """Let the first subgroup store the numbers that leave the kernel; the slices of the others are empty."""
        if not outputs:
            return

        def task(ivs: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
            em = self.em
            later = em.minimum(ivs[0], 1)
            mine = em.apply(AffineExpr.dimension(0) * -1 + 1, [later])
            rest = [len(o.shape) - 1 for o in outputs]
            places: list[tuple[list[Index], list[Index]]] = [([later] + [0] * n, [mine] + [1] * n) for n in rest]
            slices = [self.builder.slice_of(out, *place) for out, place in zip(outs, places, strict=True)]

            def store(iv: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
                numbers: dict[SSAValue, SSAValue] = {}
                self.current.update(zip((o.original for o in outputs), args, strict=True))
                values = [self._need(o.original, numbers) for o in outputs]
                at = [em.indices([iv] + [0] * n) for n in rest]
                return [em.add(tensor.InsertOp(*given)).result for given in zip(values, args, at, strict=True)]

            last = em.loop(0, mine, 1, slices, store)
            return [(v, *place) for v, place in zip(last, places, strict=True)]

        homes = [self.current[o.original] for o in outputs]
        results = self.builder.phase([self.phase.subgroups], homes, task, kernel.Level.SUBGROUP)
        self.current.update(zip((o.original for o in outputs), results, strict=True))


__all__ = ["BlockRows", "cannot_segment", "kept_bytes"]
