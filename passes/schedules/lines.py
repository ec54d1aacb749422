"""Reductions down the columns of a large array, a few of its lines at once into lines of results that stay in a cache.

```
r[j] = sum_i x[i, j]      becomes      line[j] = init;   for i by 8: for j: line[j] += x[i, j] + ... + x[i + 7, j];   r[j] = line[j]
```
Results in registers would go down a strip of columns as wide as they are: a piece of each page, again and again. Lines are read
as they lie in memory instead; a line of results is read and written once for a few of them. The order of the sums is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from xdsl.dialects import tensor
from xdsl.dialects.builtin import TensorType, i1
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import kernel
from stepwell.ir.dtypes import byte_width
from stepwell.passes.schedules.emit import Index
from stepwell.passes.schedules.lanes import Point
from stepwell.passes.schedules.nest import Access, Nest, Output
from stepwell.passes.schedules.plan import Machine, Plan, element_bytes
from stepwell.passes.schedules.space import SpaceEmitter, Target, stepped_loop

_Block = Callable[[list[Index], Index, int, Sequence[SSAValue]], Sequence[SSAValue]]
"""A few rows from the first on, at an index of all other dims, into the lines."""

STRIP_BYTES = 16384
"""Bytes of results that are reduced together: what of the smallest first cache is left beside the lines that are read."""


def with_lines(plan: Plan, nests: Sequence[Nest], targets: Sequence[Target], machine: Machine) -> Plan:
    """The plan with lines of results, where the schedule asks for them and columns do not fit into a strip in registers."""
    along, reductions = plan.vector, [n for n in nests if not n.after]
    if machine.lines < 2 or along is None or along not in plan.outer or not plan.inner:
        return plan
    outputs = [o for n in reductions for o in n.outputs]
    if any(n.fold is not None for n in nests) or any(t.reads_old for t in targets):
        return plan
    if not all(o.reduced and o.element != i1 for o in outputs):
        return plan
    sizes = nests[0].sizes
    if sizes[plan.inner[-1]] < machine.lines or sizes[along] <= plan.width:
        return plan
    width = min(plan.width, machine.vector_bytes // element_bytes(nests) * machine.unroll)
    strip = max(1, STRIP_BYTES // sum(byte_width(o.element) for o in outputs) // width) * width
    return replace(plan, width=width, lines=machine.lines, strip=min(strip, -(-sizes[along] // width) * width))


class LinesEmitter(SpaceEmitter):
    """Emits the loops of a plan with `lines`."""

    def _outer(self, level: int, point: Point) -> None:
        if level < len(self.plan.outer) - 1:
            super()._outer(level, point)
            return
        along = self._along_dim
        total = self.extents.get(along, self.nests[0].sizes[along])
        columns = self.plan.strip

        def strip(begin: Index, tensors: Sequence[SSAValue]) -> Sequence[SSAValue]:
            self._tensors.update(zip(self._stored, tensors, strict=True))
            self._strip(point, begin, self._left(total, begin))
            return [self._tensors[s] for s in self._stored]

        last = self.em.loop(0, total, columns, [self._tensors[s] for s in self._stored], strip)
        self._tensors.update(zip(self._stored, last, strict=True))

    @property
    def _along_dim(self) -> int:
        assert self.plan.vector is not None
        return self.plan.vector

    def _left(self, total: Index, begin: Index) -> Index:
        """Columns of the strip from `begin`; tasks are cut between strips, so only the last is narrower."""
        if self.nests[0].sizes[self._along_dim] % self.plan.strip == 0:
            return self.plan.strip
        left = self.em.apply(AffineExpr.dimension(0) - AffineExpr.dimension(1), [total, begin])
        return self.em.minimum(self.plan.strip, left)

    def _strip(self, point: Point, begin: Index, columns: Index) -> None:
        """All rows of a strip: what results start from into lines, the rows into these, and the lines into the results."""
        along, row = self._along_dim, self.plan.inner[-1]
        start = self._sum(self.starts.get(along, 0), begin)
        reductions = [n for n in self.nests if not n.after]
        outputs = [o for n in reductions for o in n.outputs]
        plan = replace(self.plan, outer=(along,), inner=(row,), lines=0, fetch=0)
        exprs = (AffineExpr.dimension(along),)

        def lines(reads_old: bool) -> dict[SSAValue, Target]:
            return {o.original: Target(o, exprs, reads_old=reads_old, streams=False) for o in outputs}

        def part(
            nests: Sequence[Nest], targets: dict[SSAValue, Target], rows: tuple[Index, int], how: Plan = plan
        ) -> SpaceEmitter:
            starts, extents = {along: start, row: rows[0]}, {along: columns, row: rows[1]}
            return SpaceEmitter(self.em, nests, how, self.resolve, targets, starts, dict(extents))

        index = list(point.index)
        begun = {o.original: self._line(o) for o in outputs}
        begun = part(reductions, lines(False), (0, 0)).run(begun, index)

        def block(at: list[Index], first: Index, count: int, values: Sequence[SSAValue]) -> Sequence[SSAValue]:
            ahead = count * plan.width * element_bytes(reductions) if self.plan.fetch else 0
            how = replace(plan, at_once=count, fetch=ahead)
            emitter = part(reductions, lines(True), (self._sum(self.starts.get(row, 0), first), count), how)
            return list(emitter.run(dict(zip(begun, values, strict=True)), list(at)).values())

        summed = self._rows(0, index, list(begun.values()), block)
        finished = self._from_lines(dict(zip(begun, summed, strict=True)), start)
        emitter = part(finished, self.targets, (0, 0))
        emitter.offsets = {along: self._sum(self.offsets.get(along, 0), begin)}
        self._tensors.update(emitter.run(self._tensors, index, list(self._local)))

    def _rows(self, level: int, index: list[Index], values: Sequence[SSAValue], block: _Block) -> Sequence[SSAValue]:
        """Loops over the dims that are reduced, the last in blocks of a few lines."""
        dim = self.plan.inner[level]
        size = self.nests[0].sizes[dim]
        extent = self.extents.get(dim, size)
        if level == len(self.plan.inner) - 1:
            count = self.plan.lines
            return stepped_loop(
                self.em, extent, size % count, (count,), values, lambda i, n, args: block(index, i, n, args)
            )

        def trip(iv: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            at = list(index)
            at[dim] = self._sum(self.starts.get(dim, 0), iv)
            return self._rows(level + 1, at, args, block)

        return self.em.loop(0, extent, 1, values, trip)

    def _from_lines(self, lines: dict[SSAValue, SSAValue], start: Index) -> list[Nest]:
        """The nests, all rows of which are reduced: they start from the lines."""
        symbols = tuple(self.em.indices([start]))
        there = (AffineExpr.dimension(self._along_dim) - AffineExpr.symbol(0),)

        def begun(output: Output) -> Output:
            if output.original not in lines:
                return output
            return replace(output, init=Access(lines[output.original], there, symbols))

        return [replace(n, outputs=[begun(o) for o in n.outputs]) for n in self.nests]

    def _line(self, output: Output) -> SSAValue:
        """Scratch of the worker for a line of results."""
        op = tensor.EmptyOp([], TensorType(output.element, [self.plan.strip]))
        op.attributes["scratch"] = kernel.ScratchAttr(kernel.ScratchScope.WORKER)
        return self.em.add(op).tensor


__all__ = ["LinesEmitter", "with_lines"]
