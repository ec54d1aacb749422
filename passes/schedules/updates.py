"""Updates at a place known at run time, `structured.update_slice`, where subgroups hold the vectors.

The space is that of the update; a point goes to its own place behind the start, which every task reads and clamps for itself. What is
not updated stays as it is: in place, the work is that of the update, however large the destination.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from xdsl.dialects import arith, tensor
from xdsl.dialects.builtin import IndexType, IntegerAttr, TensorType
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects.kernel import Level
from stepwell.dialects.structured import ElementOp, UpdateSliceOp
from stepwell.passes.schedules.emit import Emitter, Index
from stepwell.passes.schedules.kernel_builder import KernelBuilder, Slice
from stepwell.passes.schedules.merge import collapse, expand, merge_groups, merged_nest, result_runs
from stepwell.passes.schedules.nest import Access, Nest, Output, static_shape
from stepwell.passes.schedules.plan import Machine, element_bytes
from stepwell.passes.schedules.space import Target
from stepwell.passes.schedules.subgroup_plan import choose_cuts, lane_elements, plan_lanes
from stepwell.passes.schedules.tasks import emit_task

SUBGROUP_FORMS: tuple[type[Operation], ...] = (ElementOp, UpdateSliceOp)
"""Ops of the structured dialect that can be done by subgroups: a number as it is, and what has points that do not depend on each other."""


def has_subgroup_form(op: Operation) -> bool:
    """Whether an op of the structured dialect can be done by subgroups."""
    return isinstance(op, SUBGROUP_FORMS)


@dataclass(frozen=True)
class _Start:
    """Where along a dim an update starts: an index, as a scalar or a 0-d tensor, clamped to 0 ... `last`."""

    index: SSAValue
    last: int

    def emit(self, em: Emitter) -> SSAValue:
        """The start, read and clamped here."""
        value = self.index
        if isinstance(value.type, TensorType):
            value = em.add(tensor.ExtractOp(value, [], value.type.element_type)).result
        if not isinstance(value.type, IndexType):
            value = em.add(arith.IndexCastOp(value, IndexType())).result
        at_least = em.add(arith.MaxSIOp(value, em.index(0))).result
        return em.add(arith.MinSIOp(at_least, em.index(self.last))).result


def update_phase(builder: KernelBuilder, op: UpdateSliceOp, machine: Machine) -> None:
    """The phase of one update: a vector a task, or a point a thread where there is no vector."""
    home = builder.destination(op, op.results[0])
    nest, starts = _nest(builder, op)
    if 0 in nest.sizes:
        builder.define(op.results[0], home, builder.home(home))
        return
    groups = merge_groups([nest], None) or [[d] for d in nest.dims]
    runs = result_runs(nest.outputs[0].exprs, groups)
    nest = merged_nest(nest, groups, lambda value, dims: collapse(builder.em, value, dims))
    output = nest.outputs[0]
    plan = plan_lanes([nest], machine)
    if plan.vector is not None:
        # A start may be anywhere: no lane may load more at once than every start allows.
        bytes_at_once = lane_elements([nest], plan.vector) * element_bytes([nest]) * machine.subgroup
        machine = replace(machine, vector_bytes=min(machine.vector_bytes, bytes_at_once))
        plan = plan_lanes([nest], machine)
    target = Target(output, output.exprs)
    cuts = choose_cuts(plan, [nest], [target], machine)

    def task(ivs: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
        placed = replace(target, symbols=tuple([start.emit(builder.em) for start in starts]))
        return emit_task(builder, [nest], plan, [placed], cuts, ivs, outs)

    level = Level.THREAD if plan.vector is None else Level.SUBGROUP
    (result,) = builder.phase([c.tasks for c in cuts] or [1], [collapse(builder.em, home, runs)], task, level)
    assert isinstance(home.type, TensorType)
    builder.define(op.results[0], expand(builder.em, result, runs, home.type), builder.home(home))


def _nest(builder: KernelBuilder, op: UpdateSliceOp) -> tuple[Nest, list[_Start]]:
    """The copy of the update to its place; the starts that are known at run time only are its symbols."""
    sizes, extents = static_shape(op.update, op), static_shape(op.out, op)
    starts: list[_Start] = []
    exprs: list[AffineExpr] = []
    for dim, (index, size, extent) in enumerate(zip(op.indices, sizes, extents, strict=True)):
        known = _known_start(builder, index, extent - size)
        if known is None:
            exprs.append(AffineExpr.dimension(dim) + AffineExpr.symbol(len(starts)))
            scalar = builder.uniform(index)
            starts.append(_Start(builder.value(index) if scalar is None else scalar, extent - size))
        else:
            exprs.append(AffineExpr.dimension(dim) + known if known else AffineExpr.dimension(dim))
    source: Access | SSAValue | None = builder.uniform(op.update)
    if source is None:
        source = builder.resolve(op.update, [AffineExpr.dimension(d) for d in range(len(sizes))])
    output = Output(op.results[0], tuple(exprs), reduced=False)
    return Nest(sizes, (False,) * len(sizes), [source], [output], None, op.location), starts


def _known_start(builder: KernelBuilder, index: SSAValue, last: int) -> int | None:
    """A start that does not depend on the run."""
    if last == 0:
        return 0
    scalar = builder.uniform(index)
    value = scalar.owner.value if scalar is not None and isinstance(scalar.owner, arith.ConstantOp) else None
    return max(0, min(value.value.data, last)) if isinstance(value, IntegerAttr) else None


__all__ = ["has_subgroup_form", "update_phase"]
