"""Pointwise nests that read along another dim than they write along, in blocks that go through scratch.

```
out[c, v] = f(in[v, c])     a block: rows of `in` along c    ->  scratch[v, c], its lines an odd number of cache lines apart
                                     tiles of the scratch    ->  turned in registers  ->  runs along v of rows of `out`
```
Rows of a large matrix lie pages apart, and where they are a power of two apart, in few sets of a cache. So a block reads
each page of its input from end to end, and writes a few cache lines of each row of its result, the rows after these fetched
meanwhile. What is kept is the results where nothing is read along v, else those inputs that are read across.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from xdsl.dialects import tensor
from xdsl.dialects.builtin import TensorType, i1
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import kernel
from stepwell.ir.dtypes import byte_width
from stepwell.passes.schedules.emit import Index
from stepwell.passes.schedules.lanes import Lanes, Point
from stepwell.passes.schedules.nest import Access, Nest, Output, is_contiguous, step_in_memory
from stepwell.passes.schedules.plan import Plan, crosses, element_bytes
from stepwell.passes.schedules.space import SpaceEmitter, Target

AT_ONCE = 128
"""Bytes of a row that are copied at once."""


ROWS_AHEAD = 16
"""Rows of a result below those that are written whose lines are fetched, at least."""


class TurningEmitter(SpaceEmitter):
    """Emits the loops of a plan with `stage`."""

    def _tile_loops(self, point: Point) -> None:
        """Blocks row after row of blocks, so that a task reads pages one after the other."""
        along, across, (rows, columns) = self._form()
        starts = [self._tensors[s] for s in self._stored]

        def block(i: Index, k: Index, tensors: Sequence[SSAValue]) -> Sequence[SSAValue]:
            self._tensors.update(zip(self._stored, tensors, strict=True))
            self._block(
                point,
                {along: i, across: k},
                {along: self._left(along, i, rows), across: self._left(across, k, columns)},
            )
            return [self._tensors[s] for s in self._stored]

        def row(i: Index, tensors: Sequence[SSAValue]) -> Sequence[SSAValue]:
            return self.em.loop(0, self._total(across), columns, tensors, lambda k, args: block(i, k, args))

        last = self.em.loop(0, self._total(along), rows, starts, row)
        self._tensors.update(zip(self._stored, last, strict=True))

    def _form(self) -> tuple[int, int, tuple[int, int]]:
        """The dim written along, the one read along, and the points of a block along each."""
        along, across, block = self.plan.vector, self.plan.crossed, self.plan.stage
        assert along is not None
        assert across is not None
        assert block is not None
        return along, across, block

    def _total(self, dim: int) -> Index:
        return self.extents.get(dim, self.nests[0].sizes[dim])

    def _left(self, dim: int, begin: Index, step: int) -> Index:
        """Points of the block from `begin`; tasks are cut between blocks, so only the last is smaller."""
        if self.nests[0].sizes[dim] % step == 0:
            return step
        left = self.em.apply(AffineExpr.dimension(0) - AffineExpr.dimension(1), [self._total(dim), begin])
        return self.em.minimum(step, left)

    def _block(self, point: Point, begins: dict[int, Index], extents: dict[int, Index]) -> None:
        """One block: rows into scratch, tiles out of it."""
        starts = {d: self._sum(self.starts.get(d, 0), begin) for d, begin in begins.items()}
        keep = self._keep_results if self._results_turn() else self._keep_inputs
        nests = keep(point, starts, extents)
        along, across, _ = self._form()
        plan = replace(self.plan, outer=(across, along), stage=None, tiles=1, fetch=0)
        emitter = _Tiles(self.em, nests, plan, self.resolve, self.targets, starts, extents, offsets=begins)
        self._tensors.update(emitter.run(self._tensors, list(point.index), list(self._local)))

    def _results_turn(self) -> bool:
        """Whether results may be made as the inputs lie, and turned afterwards: once, however many inputs there are."""
        along, _, _ = self._form()
        outputs = [o for n in self.nests for o in n.outputs]
        return all(o.element != i1 and not isinstance(o.init, Access) for o in outputs) and not any(
            is_contiguous(a.exprs, along) for n in self.nests for a in n.reads
        )

    def _keep_results(self, point: Point, starts: dict[int, Index], extents: dict[int, Index]) -> list[Nest]:
        """Results of the block in scratch; returns the nests that turn them."""
        first = self.nests[0]
        outputs = [o for n in self.nests for o in n.outputs if o.original in self.targets]
        kept = self._keep(point, self.nests, [(o, self._scratch(o)) for o in outputs], starts, extents)
        return [
            Nest(first.sizes, first.reduction, [access], [output], None, self.em.location)
            for access, output in zip(kept, outputs, strict=True)
        ]

    def _keep_inputs(self, point: Point, starts: dict[int, Index], extents: dict[int, Index]) -> list[Nest]:
        """Inputs of the block that are read across in scratch; returns the nests that read them there."""
        along, across, _ = self._form()
        places: dict[tuple[object, ...], int] = {}
        copies: list[Nest] = []
        scratch: list[tuple[Output, SSAValue]] = []
        for nest in self.nests:
            for access in nest.reads:
                if _key(access) in places or not crosses(access, along, across):
                    continue
                places[_key(access)] = len(copies)
                home = self._scratch(access)
                scratch.append((Output(home, access.exprs, reduced=False), home))
                copies.append(Nest(nest.sizes, nest.reduction, [access], [scratch[-1][0]], None, nest.location))
        kept = self._keep(point, copies, scratch, starts, extents)

        def moved(given: Access | SSAValue) -> Access | SSAValue:
            return kept[places[_key(given)]] if isinstance(given, Access) and _key(given) in places else given

        return [replace(n, inputs=[moved(i) for i in n.inputs]) for n in self.nests]

    def _scratch(self, like: Access | Output) -> SSAValue:
        """Scratch of the worker for a block, its lines an odd number of cache lines apart: a column is in many sets."""
        _, _, (rows, columns) = self._form()
        size = byte_width(like.element)
        line_bytes = self.em.line_bytes
        line = (-(-columns * size // line_bytes) | 1) * line_bytes // size
        op = tensor.EmptyOp([], TensorType(like.element, [rows, line]))
        op.attributes["scratch"] = kernel.ScratchAttr(kernel.ScratchScope.WORKER)
        return self.em.add(op).tensor

    def _keep(
        self,
        point: Point,
        nests: Sequence[Nest],
        outputs: Sequence[tuple[Output, SSAValue]],
        starts: dict[int, Index],
        extents: dict[int, Index],
    ) -> list[Access]:
        """Evaluate nests on the rows of a block into the scratch given for each output; returns where that can be read."""
        along, across, (_, columns) = self._form()
        exprs = (AffineExpr.dimension(along), AffineExpr.dimension(across))
        width = min(columns, AT_ONCE // element_bytes(nests))
        plan = Plan((along, across), (), across, width, self.plan.cost, fetch=self.plan.fetch)
        targets = {o.original: Target(o, exprs, streams=False) for o, _ in outputs}
        emitter = SpaceEmitter(self.em, nests, plan, self.resolve, targets, starts, extents)
        last = emitter.run({o.original: home for o, home in outputs}, list(point.index))
        symbols = tuple(self.em.indices([starts[along], starts[across]]))
        there = tuple(e - AffineExpr.symbol(i) for i, e in enumerate(exprs))
        return [Access(last[o.original], there, symbols) for o, _ in outputs]


def _key(access: Access) -> tuple[object, ...]:
    return access.value, access.exprs, access.symbols


class _Tiles(SpaceEmitter):
    """Emits the tiles of a block: what they read is in a cache, what they write is fetched a tile of rows ahead."""

    tiles_ahead: ClassVar[int] = 0

    def _ahead(self, output: Output, lanes: Lanes) -> int:
        across = self.plan.crossed
        assert across is not None
        step = step_in_memory(output, across) if self.plan.prefetch else 0
        return max(lanes.shape[0], ROWS_AHEAD) * (step or 0) * byte_width(output.element)


__all__ = ["TurningEmitter"]
