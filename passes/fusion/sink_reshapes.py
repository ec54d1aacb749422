"""Moving reshapes out of chains of maps, so that the maps meet.

A map that reads `collapse_shape` of a computed value runs over the expanded space instead and its result is collapsed; a map
that reads `expand_shape` of one runs over the collapsed space, when everything else it reads allows, and its result is
expanded. Reshapes thus move behind the maps, and pairs of them vanish.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xdsl.dialects import tensor
from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, TensorType, i64
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, Operation, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr, AffineExpr
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.ir.affine_compose import Exprs, collapse_exprs, compose, has_division, identity_exprs, simplify
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.structured import indexing_maps, is_identity_map, loop_bounds
from stepwell.passes.fusion.classify import filled_with, is_elementwise, shape_of, splat_of, volume
from stepwell.passes.fusion.rewrite import BodyBuilder, Reshapes
from stepwell.passes.fusion.roots import is_plain

Reassociation = list[list[int]]


def sink_reshapes(block: Block) -> bool:
    """Move the reshapes of a block behind its maps; one walk, in order. Returns whether any moved."""
    reshapes = Reshapes()
    changed = False
    for op in list(block.ops):
        if isinstance(op, tensor.ExpandShapeOp | tensor.CollapseShapeOp):
            _cancel(op)
        elif isinstance(op, linalg.GenericOp) and len(op.results) == 1 and is_elementwise(op):
            if 0 not in loop_bounds(op) and is_identity_map(indexing_maps(op)[-1]):
                changed = _sink_expand(op) or _sink_collapse(op, reshapes) or changed
    return changed


def _cancel(op: tensor.ExpandShapeOp | tensor.CollapseShapeOp) -> None:
    """A reshape back to where another one came from is nothing: both keep the order of elements."""
    before = op.src.owner
    if isinstance(before, tensor.ExpandShapeOp | tensor.CollapseShapeOp) and before.src.type == op.results[0].type:
        op.results[0].replace_all_uses_with(before.src)


def groups_of(op: tensor.ExpandShapeOp | tensor.CollapseShapeOp) -> Reassociation:
    """Dims of the expanded side per dim of the collapsed side."""
    return [[i.value.data for i in group.data] for group in op.reassociation.data]


def _computed(value: SSAValue, block: Block | None) -> bool:
    """Whether a map could be joined with what computes a value."""
    op = value.owner
    return isinstance(op, linalg.GenericOp) and op.parent is block


def _bare_dims(exprs: Exprs) -> list[int] | None:
    dims = [e.position for e in exprs if isinstance(e, AffineDimExpr)]
    return dims if len(dims) == len(exprs) == len(set(dims)) else None


def _reassociation(groups: Reassociation) -> ArrayAttr[ArrayAttr[IntegerAttr]]:
    return ArrayAttr([ArrayAttr([IntegerAttr(d, i64) for d in group]) for group in groups])


def _rebuild(
    op: linalg.GenericOp, dims: Exprs, shape: Sequence[int], reads: Sequence[tuple[SSAValue, Exprs]]
) -> linalg.GenericOp:
    """The map over another space of `shape`; its loop dims in the old body are `dims`."""
    builder = LocatedBuilder(InsertPoint.before(op), op.location)
    kind = op.results[0].type
    assert isinstance(kind, TensorType)
    empty = builder.insert(tensor.EmptyOp([], TensorType(kind.element_type, shape)))
    body = BodyBuilder(len(shape))
    arguments = [body.read(v, e) for v, e in reads]
    own = body.block.insert_arg(kind.element_type, len(body.block.args))
    yielded = body.inline(op, dims, [*arguments, own])
    made = body.finish(op, yielded, [empty.tensor], [identity_exprs(len(shape))])
    made.properties["iterator_types"] = ArrayAttr([op.iterator_types.data[0]] * len(shape))
    made.attributes |= op.attributes
    return builder.insert(made)


# collapse_shape -> map: the map runs over the expanded space.


def _sink_collapse(op: linalg.GenericOp, reshapes: Reshapes) -> bool:
    found = next((i for i, v in enumerate(op.inputs) if _splits_loops(op, i, v)), None)
    if found is None:
        return False
    collapse = op.inputs[found].owner
    assert isinstance(collapse, tensor.CollapseShapeOp)
    split = _splits(op, found, collapse)
    shape: list[int] = []
    dims: list[AffineExpr] = []
    groups: Reassociation = []
    for loop, size in enumerate(loop_bounds(op)):
        groups.append([])
        index: AffineExpr = AffineConstantExpr(0)
        for part in split.get(loop, (size,)):
            index = index * part + AffineDimExpr(len(shape))
            groups[-1].append(len(shape))
            shape.append(part)
        dims.append(index)
    bounds = tuple(shape)
    ordered = tuple(simplify(d, bounds) if len(g) > 1 else d for d, g in zip(dims, groups, strict=True))
    reads: list[tuple[SSAValue, Exprs]] = []
    for value, amap in zip(op.inputs, indexing_maps(op), strict=False):
        key = _behind_collapse(value, compose(amap.results, ordered, bounds), bounds)
        if not is_plain(key, bounds):
            return False
        reads.append(key)
    reads = [reshapes.expanded(key, bounds, op) for key in reads]
    made = _rebuild(op, ordered, shape, reads)
    _replace(op, tensor.CollapseShapeOp, made, groups)
    return True


def _splits_loops(op: linalg.GenericOp, index: int, value: SSAValue) -> bool:
    collapse = value.owner
    if not isinstance(collapse, tensor.CollapseShapeOp) or not _computed(collapse.src, op.parent):
        return False
    return bool(_splits(op, index, collapse))


def _splits(op: linalg.GenericOp, index: int, collapse: tensor.CollapseShapeOp) -> dict[int, tuple[int, ...]]:
    """Loop dims that walk a collapsed dim from end to end, with the sizes they split into."""
    dims = _bare_dims(indexing_maps(op)[index].results)
    if dims is None:
        return {}
    bounds, shape = loop_bounds(op), shape_of(collapse.src)
    split: dict[int, tuple[int, ...]] = {}
    for loop, size, group in zip(dims, shape_of(collapse.result), groups_of(collapse), strict=True):
        sizes = tuple(shape[d] for d in group)
        if sum(n != 1 for n in sizes) > 1 and bounds[loop] == size:
            split[loop] = sizes
    return split


def _behind_collapse(value: SSAValue, exprs: Exprs, bounds: tuple[int, ...]) -> tuple[SSAValue, Exprs]:
    op = value.owner
    if not isinstance(op, tensor.CollapseShapeOp):
        return value, exprs
    read = tuple(simplify(e, bounds) for e in collapse_exprs(exprs, groups_of(op), shape_of(op.src)))
    return (value, exprs) if any(has_division(e) for e in read) else (op.src, read)


# expand_shape -> map: the map runs over the collapsed space.


def _sink_expand(op: linalg.GenericOp) -> bool:
    indexed = [inner.dim.value.data for inner in op.body.block.ops if isinstance(inner, linalg.IndexOp)]
    for index, value in enumerate(op.inputs):
        expand = value.owner
        if not isinstance(expand, tensor.ExpandShapeOp) or not _computed(expand.src, op.parent):
            continue
        groups = _joined_loops(op, index, expand)
        if groups is None or any(len(g) > 1 and d in g for g in groups for d in indexed):
            continue
        if all(_joins(op, i, groups) for i in range(len(op.inputs))):
            _collapse_loops(op, groups)
            return True
    return False


def _joined_loops(op: linalg.GenericOp, index: int, expand: tensor.ExpandShapeOp) -> Reassociation | None:
    """Runs of loop dims that walk one dim of the source of an expand_shape, in order; None when there are none."""
    dims = _bare_dims(indexing_maps(op)[index].results)
    bounds = loop_bounds(op)
    if dims is None or any(bounds[d] != n for d, n in zip(dims, shape_of(expand.result), strict=True)):
        return None
    runs = {group[0]: group for group in ([dims[i] for i in g] for g in groups_of(expand) if len(g) > 1)}
    groups: Reassociation = []
    loop = 0
    while loop < len(bounds):
        run = runs.pop(loop, [loop])
        if run != list(range(loop, loop + len(run))):
            return None
        groups.append(run)
        loop += len(run)
    worth = any(sum(bounds[d] != 1 for d in g) > 1 for g in groups)
    return groups if worth and not runs else None


def _joins(op: linalg.GenericOp, index: int, groups: Reassociation) -> bool:
    """Whether an input can be read over the joined loops, without parting it from what computes it."""
    value, exprs = op.inputs[index], indexing_maps(op)[index].results
    if filled_with(value) is not None or splat_of(value) is not None:
        return all(isinstance(e, AffineDimExpr) for e in exprs) and _runs(value, exprs, groups, op) is not None
    runs = _runs(value, exprs, groups, op)
    if runs is None:
        return False
    touched = any(len(run) > 1 for run in runs)
    return not (touched and _computed(value, op.parent) and 2 * volume(value) > volume(op.results[0]))


def _runs(value: SSAValue, exprs: Exprs, groups: Reassociation, op: linalg.GenericOp) -> Reassociation | None:
    """Dims of an input that become one, or None when the joined loops do not walk it in one piece."""
    bounds, shape = loop_bounds(op), shape_of(value)
    group_of = {d: g for g in groups if len(g) > 1 for d in g}
    runs: Reassociation = []
    position = 0
    while position < len(exprs):
        expr = exprs[position]
        group = group_of.get(expr.position) if isinstance(expr, AffineDimExpr) else None
        if group is None:
            if any(d in group_of for d in expr.used_dims()):
                return None
            runs.append([position])
            position += 1
            continue
        run = list(range(position, position + len(group)))
        if run[-1] >= len(exprs) or [exprs[i] for i in run] != [AffineDimExpr(d) for d in group]:
            return None
        if any(shape[i] != bounds[d] for i, d in zip(run, group, strict=True)):
            return None
        runs.append(run)
        position = run[-1] + 1
    return runs


def _collapse_loops(op: linalg.GenericOp, groups: Reassociation) -> None:
    place = {d: i for i, g in enumerate(groups) for d in g}
    zero = AffineConstantExpr(0)
    alone = {g[0] for g in groups if len(g) == 1}
    dims: Exprs = tuple(AffineDimExpr(place[d]) if d in alone else zero for d in range(len(place)))
    starts = {g[0]: AffineDimExpr(i) for i, g in enumerate(groups)}
    bounds = loop_bounds(op)
    shape = [_product(bounds[d] for d in g) for g in groups]
    reads: list[tuple[SSAValue, Exprs]] = []
    for value, amap in zip(op.inputs, indexing_maps(op), strict=False):
        runs = _runs(value, amap.results, groups, op)
        assert runs is not None
        exprs: list[AffineExpr] = []
        for run in runs:
            first = amap.results[run[0]]
            if isinstance(first, AffineDimExpr):
                exprs.append(starts[first.position])
            else:
                exprs.extend(compose([first], dims, shape))
        reads.append((_collapsed(value, runs, op), tuple(exprs)))
    made = _rebuild(op, dims, shape, reads)
    _replace(op, tensor.ExpandShapeOp, made, groups)


def _collapsed(value: SSAValue, runs: Reassociation, before: Operation) -> SSAValue:
    if all(len(run) == 1 for run in runs):
        return value
    assert isinstance(value.type, TensorType)
    shape = shape_of(value)
    kind = TensorType(value.type.element_type, [_product(shape[i] for i in run) for run in runs])
    if isinstance(value.owner, tensor.ExpandShapeOp) and value.owner.src.type == kind:
        return value.owner.src
    op = tensor.CollapseShapeOp.create(
        operands=[value], result_types=[kind], properties={"reassociation": _reassociation(runs)}
    )
    return LocatedBuilder(InsertPoint.before(before), before.location).insert(op).results[0]


def _product(sizes: Iterable[int]) -> int:
    result = 1
    for size in sizes:
        result *= size
    return result


def _replace(
    op: linalg.GenericOp,
    reshape: type[tensor.ExpandShapeOp] | type[tensor.CollapseShapeOp],
    made: linalg.GenericOp,
    groups: Reassociation,
) -> None:
    """Reshape the new result to the old type and take the old op's place."""
    builder = LocatedBuilder(InsertPoint.before(op), op.location)
    result = op.results[0]
    assert isinstance(result.type, TensorType)
    if reshape is tensor.ExpandShapeOp:
        back: Operation = tensor.ExpandShapeOp(
            made.results[0], [], _reassociation(groups), result.type.get_shape(), result.type
        )
    else:
        back = tensor.CollapseShapeOp.create(
            operands=[made.results[0]],
            result_types=[result.type],
            properties={"reassociation": _reassociation(groups)},
        )
    builder.insert(back)
    back.results[0].name_hint = result.name_hint
    result.replace_all_uses_with(back.results[0])
    Rewriter.erase_op(op)
