"""Scans of lines with the maps before and after them: a line at a time, so that what passes between them stays in a cache.

```
for each line of a task      maps of the line, into a row of worker scratch
                             its scan, from row to row
                             maps of the row, into the results
```
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from xdsl.dialects.builtin import TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import kernel
from stepwell.dialects.structured import ScanOp, element_type_of, shape_of
from stepwell.ir.dtypes import byte_width
from stepwell.ir.structured import indexing_maps, is_identity_map
from stepwell.passes.fusion.classify import captures, is_elementwise
from stepwell.passes.schedules.contraction_analysis import ops_between
from stepwell.passes.schedules.emit import Index
from stepwell.passes.schedules.kernel_builder import KernelBuilder, Slice, is_scheduled
from stepwell.passes.schedules.nest import Access, Nest, Output
from stepwell.passes.schedules.plan import Machine, plan_space
from stepwell.passes.schedules.scan import cut_of, scan_of
from stepwell.passes.schedules.space import SpaceEmitter, Target
from stepwell.passes.schedules.tasks import Cut, part_of

SHORT = 32
"""Elements of a line below which its loops cost more than the memory they save."""


@dataclass(frozen=True)
class ScanGroup:
    """A scan and the maps around it."""

    before: tuple[linalg.GenericOp, ...]
    scan: ScanOp
    after: tuple[linalg.GenericOp, ...]

    @property
    def ops(self) -> list[Operation]:
        """All of them."""
        return [*self.before, self.scan, *self.after]


def scan_group(ops: Sequence[Operation], cache_bytes: int) -> ScanGroup | str:
    """Ops, in their order, as a scan with maps around it whose lines pass through a cache; or why they are not."""
    scans = [op for op in ops if isinstance(op, ScanOp)]
    if len(scans) != 1 or len(ops) < 2 or len(scans[0].inputs) != 1:
        return "there is no scan of one array among them"
    (scan,) = scans
    shape = shape_of(scan.outs[0])
    if len(shape) < 2 or scan.dimension.value.data != len(shape) - 1 or 0 in shape:
        return "its lines are not those of the last dim"
    if not SHORT <= shape[-1] <= cache_bytes // (4 * byte_width(element_type_of(scan.outs[0]))):
        return "its lines are too short, or too long for a cache"
    values: dict[SSAValue, None] = {r: None for op in ops for r in op.results}
    if any(v in values for v in (*scan.inits, *scan.outs)):
        return "what it starts from is made here"
    maps = [op for op in ops if isinstance(op, linalg.GenericOp)]
    if len(maps) < len(ops) - 1 or not all(_is_map(op, shape, values) for op in maps):
        return "what is around it is not done point by point"
    before = _makers(scan.inputs[0], maps)
    if any(scan.results[0] in op.operands for op in before):
        return "a scan needs another one"
    return ScanGroup(tuple(before), scan, tuple(op for op in maps if op not in before))


def _is_map(op: linalg.GenericOp, shape: Sequence[int], values: dict[SSAValue, None]) -> bool:
    """Whether an op is a map over the elements of the scan that reads what the group makes point by point."""
    maps = indexing_maps(op)
    if not is_elementwise(op) or any(shape_of(r) != tuple(shape) for r in op.results):
        return False
    if any(v in values for v in (*captures(op), *op.outputs)):
        return False
    whole = all(is_identity_map(m) for m in maps[len(op.inputs) :])
    return whole and all(is_identity_map(m) for v, m in zip(op.inputs, maps, strict=False) if v in values)


def _makers(value: SSAValue, maps: Sequence[linalg.GenericOp]) -> list[linalg.GenericOp]:
    """The maps that a value is made by, in their order."""
    needed: dict[Operation, None] = {}
    waiting = [value]
    while waiting:
        owner = waiting.pop().owner
        if isinstance(owner, linalg.GenericOp) and owner in maps and owner not in needed:
            needed[owner] = None
            waiting += owner.inputs
    return [op for op in maps if op in needed]


def schedule_scan_groups(
    builder: KernelBuilder, machine: Machine, op: Operation, fill: Callable[[Operation], None]
) -> Sequence[Operation] | None:
    """Do the ops of a kernel that is a scan with maps around it, when `op` is the first of them; which were done.

    `fill` makes a phase of a filled tensor that a scan starts from.
    """
    ops = [o for o in builder.func.body.block.ops if is_scheduled(o) and not isinstance(o, linalg.FillOp)]
    if machine.subgroup > 1 or not any(isinstance(o, ScanOp) for o in ops) or op is not ops[0]:
        return None
    group = scan_group(ops, 1 << 62)
    if isinstance(group, str):
        return None
    between = ops_between(op, ops)
    starts = [o for o in between if isinstance(o, linalg.FillOp) and group.scan.inits[0].owner is o]
    skipped = [o for o in between if not is_scheduled(o) and builder.pass_through(o)]
    for start in starts:
        fill(start)
    _ScanRows(builder, group, machine).emit()
    return [*ops, *starts, *skipped]


class _ScanRows:
    """Emits the phase."""

    def __init__(self, builder: KernelBuilder, group: ScanGroup, machine: Machine):
        self.builder = builder
        self.group = group
        self.machine = machine
        self.shape = shape_of(group.scan.outs[0])
        self.count = len(self.shape) - 1
        self.row = [1] * self.count + [self.shape[-1]]
        self.place = (*(AffineExpr.constant(0) for _ in range(self.count)), AffineExpr.dimension(self.count))
        self.before = [builder.nest(op) for op in group.before]
        after = [builder.nest(op) for op in group.after]
        self.stored = [(op, r) for op in group.ops for r in op.results if self._escapes(r)]
        late = [r for op in group.after for r in op.results]
        copies = [self._copied(r) for _, r in self.stored if r not in late]
        self.after = [*after, *copies]
        self.outputs = {o.original: o for n in (*self.before, *self.after) for o in n.outputs}
        _forward(self.before)
        _forward(self.after)

    def _escapes(self, value: SSAValue) -> bool:
        return any(u.operation not in self.group.ops for u in value.uses)

    def _copied(self, value: SSAValue) -> Nest:
        """A result that a row of scratch holds, on its way out."""
        exprs = tuple(AffineExpr.dimension(d) for d in range(len(self.shape)))
        output = Output(value, exprs, reduced=False)
        return Nest(
            self.shape, (False,) * len(self.shape), [Access(value, exprs)], [output], None, self.group.scan.location
        )

    def emit(self) -> None:
        """The phase, and what its results are called from now on."""
        builder = self.builder
        homes = [builder.destination(op, r) for op, r in self.stored]
        cut = cut_of(self.group.scan, self.machine) or Cut(0, self.shape[0], 1)

        def task(ivs: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
            part = part_of(builder.em, cut, self.shape[cut.dim], ivs[0])
            offsets: list[Index] = [0] * len(self.shape)
            sizes: list[Index] = list(self.shape)
            offsets[cut.dim], sizes[cut.dim] = part.start, part.extent
            slices = [builder.slice_of(out, offsets, sizes) for out in outs]
            made = self._lines(offsets, sizes, [], slices)
            return [(value, offsets, sizes) for value in made]

        results = builder.phase([cut.tasks], homes, task)
        for (_, result), home, value in zip(self.stored, homes, results, strict=True):
            builder.define(result, value, builder.home(home))

    def _lines(
        self, offsets: Sequence[Index], sizes: Sequence[Index], local: list[Index], outs: Sequence[SSAValue]
    ) -> Sequence[SSAValue]:
        """Loops over the lines of a task."""
        em, level = self.builder.em, len(local)
        if level == self.count:
            d = AffineExpr.dimension(0) + AffineExpr.dimension(1)
            return self._line([em.apply(d, [o, i]) for o, i in zip(offsets, local, strict=False)], local, outs)
        return em.loop(0, sizes[level], 1, outs, lambda iv, args: self._lines(offsets, sizes, [*local, iv], args))

    def _line(self, index: list[Index], local: list[Index], outs: Sequence[SSAValue]) -> Sequence[SSAValue]:
        """One line through the maps and the scan."""
        builder, scan = self.builder, self.group.scan
        rows: dict[SSAValue, SSAValue] = {}
        kept: list[SSAValue] = [r for op in self.group.before for r in op.results if self._is_read_later(r)]
        tensors = {
            r: builder.scratch(TensorType(element_type_of(r), self.row), kernel.ScratchScope.WORKER) for r in kept
        }
        targets = {r: Target(self._made(self.before, r), self.place, streams=False) for r in kept}
        rows |= self._pass(self.before, targets, tensors, index, local)
        given = scan.inputs[0]
        whole = [*index, 0]
        x = rows[given] if given in rows else builder.slice_of(builder.value(given), whole, self.row)
        init = builder.value(scan.inits[0])
        init = builder.slice_of(init, index, self.row[:-1]) if shape_of(init) else init
        home = builder.scratch(TensorType(element_type_of(scan.outs[0]), self.row), kernel.ScratchScope.WORKER)
        rows[scan.results[0]] = builder.em.add(scan_of(scan, [x, init, home], self.machine)).results[0]
        ends = [self._from_rows(n, rows) for n in self.after]
        names: list[SSAValue] = [r for _, r in self.stored]
        last = self._pass(
            ends,
            {r: Target(self._made(ends, r), self._made(ends, r).exprs) for r in names},
            dict(zip(names, outs, strict=True)),
            index,
            local,
        )
        builder.em.location = scan.location
        return [last[r] for r in names]

    def _pass(
        self,
        nests: Sequence[Nest],
        targets: dict[SSAValue, Target],
        tensors: dict[SSAValue, SSAValue],
        index: list[Index],
        local: list[Index],
    ) -> dict[SSAValue, SSAValue]:
        """Maps over one line, together."""
        if not nests:
            return {}
        plan = plan_space(nests, self.machine, range(self.count))
        emitter = SpaceEmitter(self.builder.em, nests, plan, self.builder.resolve, targets)
        return emitter.run(tensors, [*index, 0], [*local, 0])

    def _made(self, nests: Sequence[Nest], value: SSAValue) -> Output:
        return next(o for n in nests for o in n.outputs if o.original is value)

    def _is_read_later(self, value: SSAValue) -> bool:
        """Whether what maps before the scan make is read by it, or after it."""
        return any(u.operation not in self.group.before for u in value.uses)

    def _from_rows(self, nest: Nest, rows: dict[SSAValue, SSAValue]) -> Nest:
        """The nest, reading from the rows what is in them."""
        inputs = [
            Access(rows[a.value], self.place) if isinstance(a, Access) and a.value in rows else a for a in nest.inputs
        ]
        return replace(nest, inputs=inputs)


def _forward(nests: Sequence[Nest]) -> None:
    """Let each nest take what earlier ones make from registers."""
    made: list[SSAValue] = []
    for nest in nests:
        for position, access in enumerate(nest.inputs):
            if isinstance(access, Access) and access.value in made:
                nest.forwarded[position] = access.value
        made += [o.original for o in nest.outputs]


__all__ = ["ScanGroup", "scan_group", "schedule_scan_groups"]
