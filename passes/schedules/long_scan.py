"""One long line of a scan over tasks: the totals of its chunks, what is before each chunk, then every chunk from there.

```
t[k] = x[k, 0] f x[k, 1] f ...      b[0] = init, b[k] = b[k - 1] f t[k - 1]      y[k] = scan of x[k] from b[k]
```
Chunk 0 is the first that the scan meets. Where a chunk ends is decided here, so the result is that of the schedule, however
many workers there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects import arith, tensor
from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.arith import FastMathFlagsAttr
from xdsl.dialects.builtin import TensorType
from xdsl.dialects.utils.fast_math import FastMathFlag
from xdsl.dialects.vector import CombiningKindAttr, CombiningKindFlag
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import kernel
from stepwell.dialects.structured import ScanOp, element_type_of, shape_of
from stepwell.ir.dtypes import byte_width
from stepwell.passes.schedules.emit import Index
from stepwell.passes.schedules.kernel_builder import KernelBuilder, Slice
from stepwell.passes.schedules.lanes import transfer_read, vector_of
from stepwell.passes.schedules.nest import COMBINERS
from stepwell.passes.schedules.plan import Machine

AT_ONCE = 4
"""Vectors of totals next to each other: a sum waits for the one before it."""


class LongScan:
    """The phases of a scan of one line in `tasks` chunks, all of `chunk` elements but the last."""

    def __init__(self, builder: KernelBuilder, op: ScanOp, machine: Machine, chunk: int, neutral: Attribute):
        self.builder = builder
        self.op = op
        self.chunk = chunk
        self.neutral = neutral
        self.element = element_type_of(op.inputs[0])
        (self.length,) = shape_of(op.inputs[0])
        self.tasks = -(-self.length // chunk)
        self.lanes = machine.vector_bytes // byte_width(self.element)
        combiner = op.combiner.block.first_op
        assert combiner is not None
        self.combiner = combiner

    def emit(self, scan: Callable[[Sequence[SSAValue]], Operation]) -> SSAValue:
        """The three phases; `scan` makes the scan of a chunk from its input, what is before it, and its destination."""
        builder, op = self.builder, self.op
        home = builder.destination(op, op.results[0])
        x, init = builder.value(op.inputs[0]), builder.value(op.inits[0])
        kind = TensorType(self.element, [self.tasks])
        (totals,) = builder.phase(
            [self.tasks - 1],
            [builder.scratch(TensorType(self.element, [self.tasks - 1]), kernel.ScratchScope.LAUNCH)],
            lambda ivs, outs: [self._total(x, ivs[0], outs[0])],
        )
        before = builder.scratch(kind, kernel.ScratchScope.LAUNCH)
        (before,) = builder.phase([1], [before], lambda ivs, outs: [self._before(totals, init, outs[0])])

        def task(ivs: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
            em = builder.em
            start, extent = self._place(ivs[0])
            part = builder.slice_of(x, [start], [extent])
            target = builder.slice_of(outs[0], [start], [extent])
            first = em.add(tensor.ExtractOp(before, em.indices([ivs[0]]), self.element)).result
            given = em.add(tensor.FromElementsOp(first, result_type=TensorType(self.element, []))).results[0]
            return [(em.add(scan([part, given, target])).results[0], [start], [extent])]

        (result,) = builder.phase([self.tasks], [home], task)
        builder.define(op.results[0], result, builder.home(home))
        return result

    def _place(self, number: Index) -> tuple[Index, Index]:
        """Where a chunk starts, and its extent."""
        em, d, chunk = self.builder.em, AffineExpr.dimension(0), self.chunk
        left = em.apply(d * (-chunk) + self.length, [number])
        extent = em.minimum(chunk, left)
        if not self.op.reverse:
            return em.apply(d * chunk, [number]), extent
        return em.apply(AffineExpr.dimension(0) - AffineExpr.dimension(1), [left, extent]), extent

    def _combined(self, before: SSAValue, after: SSAValue) -> SSAValue:
        operands = [after, before] if self.op.reverse else [before, after]
        made = type(self.combiner).create(
            operands=operands, result_types=[before.type], properties=dict(self.combiner.properties)
        )
        return self.builder.em.add(made).results[0]

    def _total(self, x: SSAValue, number: Index, out: SSAValue) -> Slice:
        """All of a whole chunk combined."""
        em, lanes = self.builder.em, self.lanes
        d = AffineExpr.dimension(0)
        start = em.apply(
            d * (-self.chunk) + (self.length - self.chunk) if self.op.reverse else d * self.chunk, [number]
        )
        kind = vector_of(self.element, lanes)
        sums = [em.splat(self.neutral, kind)] * AT_ONCE

        def step(i: Index, carried: Sequence[SSAValue]) -> Sequence[SSAValue]:
            values: list[SSAValue] = []
            for n, acc in enumerate(carried):
                at = em.apply(AffineExpr.dimension(0) + AffineExpr.dimension(1) + n * lanes, [start, i])
                values.append(self._combined(acc, transfer_read(em, x, [at], [lanes])))
            return values

        last = list(em.loop(0, self.chunk, lanes * AT_ONCE, sums, step))
        while len(last) > 1:
            last = [self._combined(a, b) for a, b in zip(last[::2], last[1::2], strict=True)]
        total = em.add(self._across(last[0])).results[0]
        slot = self.builder.slice_of(out, [number], [1])
        return em.add(tensor.InsertOp(total, slot, em.indices([0]))).result, [number], [1]

    def _across(self, value: SSAValue) -> Operation:
        """All lanes as one number."""
        kind = CombiningKindFlag(COMBINERS[type(self.combiner)][0])
        reassociates = isinstance(self.combiner, arith.AddfOp | arith.MulfOp)
        return upstream_vector.ReductionOp.create(
            operands=[value],
            result_types=[self.element],
            properties={
                "kind": CombiningKindAttr(kind),
                "fastmath": FastMathFlagsAttr([FastMathFlag.REASSOC] if reassociates else "none"),
            },
        )

    def _before(self, totals: SSAValue, init: SSAValue, out: SSAValue) -> Slice:
        """What is before each chunk."""
        em = self.builder.em
        value: SSAValue = em.add(tensor.ExtractOp(init, [], self.element)).result
        for k in range(self.tasks):
            out = em.add(tensor.InsertOp(value, out, em.indices([k]))).result
            if k + 1 < self.tasks:
                total = em.add(tensor.ExtractOp(totals, em.indices([k]), self.element)).result
                value = self._combined(value, total)
        return self.builder.whole(out)


__all__ = ["LongScan"]
