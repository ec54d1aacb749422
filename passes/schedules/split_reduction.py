"""Cutting a reduction into parts: each part is reduced from neutral elements, a second nest reduces the parts.

```
r[i] = init[i] + sum_k x[i, k]      becomes      p[i, s] = sum_(k in part s) x[i, k];   r[i] = init[i] + sum_s p[i, s]
```
The order of the sum is that of the parts, whichever task is done first. Nothing here knows who does the tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from xdsl.dialects.builtin import TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, Operation, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import kernel
from stepwell.passes.schedules.kernel_builder import KernelBuilder
from stepwell.passes.schedules.nest import Access, Fold, Nest, Output, neutral
from stepwell.passes.schedules.plan import Machine, Plan
from stepwell.passes.schedules.selection import merging_selection
from stepwell.passes.schedules.space import Target
from stepwell.passes.schedules.subgroup_plan import can_split
from stepwell.passes.schedules.tasks import Cut, cut_dim, step_of


@dataclass(frozen=True)
class Split:
    """Which reduced dim is cut, and whether the parts are the first dim of what holds them (else the last)."""

    plan: Plan
    cut: Cut
    leading: bool


def find_split(plan: Plan, nests: Sequence[Nest], targets: Sequence[Target], machine: Machine) -> Split | None:
    """The split that the schedule asks for, where the reductions may be merged and have so many points."""
    nest = nests[0]
    if machine.split < 2 or len(nests) != 1 or not plan.inner or (plan.vector is None and nest.fold is None):
        return None
    if not can_split(nest) and nest.selection is None and not all(nest.folds(o) or o.combiner for o in nest.outputs):
        return None
    dim = max(plan.inner, key=lambda d: nest.sizes[d])
    if machine.subgroup == 1:
        # A worker does its part alone: the outermost dim gives it memory that lies together.
        dim = next((d for d in plan.inner if nest.sizes[d] >= machine.split), dim)
    if nest.fold is not None:
        # Parts are in the order of the elements.
        dim = next((d for d in plan.inner if nest.sizes[d] > 1), dim)
    if any(step_of(t, dim) is None for t in targets if not t.output.reduced):
        return None
    grain = plan.unit(dim)
    units = -(-nest.sizes[dim] // grain)
    cut = cut_dim(dim, nest.sizes[dim], -(-units // min(machine.split, units)) * grain)
    # Vectors of results are written along the last dim, single numbers become vectors for whoever merges them.
    return Split(plan, cut, plan.vector in plan.outer) if cut.tasks > 1 else None


def _with_part(values: Sequence[AffineExpr], part: AffineExpr, leading: bool) -> tuple[AffineExpr, ...]:
    return (part, *values) if leading else (*values, part)


def partial_targets(
    builder: KernelBuilder, nest: Nest, split: Split, targets: Sequence[Target], homes: Sequence[SSAValue]
) -> tuple[Nest, list[Target], list[SSAValue]]:
    """The nest that reduces from neutral elements, where its results go, and the tensors they go to."""
    outputs = [from_neutral(builder, o) for o in nest.outputs]
    places: list[Target] = []
    tensors: list[SSAValue] = []
    by_result = {o.original: o for o in outputs}
    for target, home in zip(targets, homes, strict=True):
        output = by_result[target.output.original]
        if not output.reduced:
            places.append(target)
            tensors.append(home)
            continue
        parts = split.cut.tasks
        shape = (parts, *output.shape) if split.leading else (*output.shape, parts)
        exprs = _with_part(output.exprs, AffineExpr.constant(0), split.leading)
        places.append(Target(output, exprs, part=0 if split.leading else len(output.shape)))
        tensors.append(builder.scratch(TensorType(output.element, shape), kernel.ScratchScope.LAUNCH))
    fold = replace(nest.fold, empty=True) if nest.fold is not None else None
    return replace(nest, outputs=outputs, fold=fold), places, tensors


def from_neutral(builder: KernelBuilder, output: Output) -> Output:
    """A result of a part, which starts from what changes nothing."""
    if output.combiner is None:
        return output  # it selects, and any number of parts may start from the same, or it starts with an element
    return replace(output, init=builder.em.constant(neutral(output.combiner, output.element), output.element))


def merging_nest(
    nest: Nest, split: Split, targets: Sequence[Target], partials: Sequence[SSAValue]
) -> tuple[Nest, list[Target]]:
    """The nest over the parallel dims and the parts that merges the reduced results, and where they go."""
    dims = [d for d in nest.dims if not nest.reduction[d]]
    new = [AffineExpr.dimension(dims.index(d) if d in dims else len(dims)) for d in nest.dims]
    part = AffineExpr.dimension(len(dims))

    def moved(exprs: Sequence[AffineExpr], symbols: Sequence[SSAValue] = ()) -> tuple[AffineExpr, ...]:
        kept = [AffineExpr.symbol(i) for i in range(len(symbols))]
        return tuple(e.replace_dims_and_symbols(new, kept) for e in exprs)

    merged = [(t, p) for t, p in zip(targets, partials, strict=True) if t.output.reduced]
    body, combiners, fold = _merging_body(nest, [t.output for t, _ in merged])
    inputs: list[Access | SSAValue] = []
    outputs: list[Output] = []
    places: list[Target] = []
    for (target, partial), combiner in zip(merged, combiners, strict=True):
        output = target.output
        init = output.init
        if isinstance(init, Access):
            init = replace(init, exprs=moved(init.exprs, init.symbols))
        exprs = moved(output.exprs)
        inputs.append(Access(partial, _with_part(exprs, part, split.leading)))
        outputs.append(replace(output, exprs=exprs, combiner=combiner, init=init))
        places.append(replace(target, output=outputs[-1], exprs=moved(target.exprs, target.symbols)))
    sizes = (*(nest.sizes[d] for d in dims), split.cut.tasks)
    reduction = (*(False for _ in dims), True)
    return Nest(sizes, reduction, inputs, outputs, body, nest.location, selection=nest.selection, fold=fold), places


def _merging_body(nest: Nest, outputs: Sequence[Output]) -> tuple[Block, Sequence[Operation | None], Fold | None]:
    """`acc_i = combine_i(acc_i, x_i)` for every result, or what selects among parts, and the region that folds the others."""
    kinds = [o.element for o in outputs]
    if nest.selection is not None:
        return merging_selection(nest.selection, kinds), [None] * len(kinds), None
    body = Block(arg_types=[*kinds, *kinds])
    combiners: list[Operation | None] = []
    results: list[SSAValue] = []
    for i, output in enumerate(outputs):
        old = output.combiner
        if nest.folds(output) or old is None:
            combiners.append(None)
            results.append(body.args[i])
            continue
        operands = [body.args[len(outputs) + i], body.args[i]]
        made = type(old).create(operands=operands, result_types=[kinds[i]], properties=dict(old.properties))
        combiners.append(made)
        body.add_op(made)
        results.append(made.results[0])
    body.add_op(linalg.YieldOp(*results))
    if nest.fold is None:
        return body, combiners, None
    originals = [o.original for o in outputs]
    places = tuple(originals.index(nest.outputs[i].original) for i in nest.fold.outputs)
    return body, combiners, replace(nest.fold, outputs=places)


__all__ = ["Split", "find_split", "from_neutral", "merging_nest", "partial_targets"]
