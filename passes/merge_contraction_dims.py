"""merge-contraction-dims: give sums of products the fewest and longest loop dims their operands allow.

Before: %y = linalg.generic ins(%x, %w) {y[b, f, i, j] += x[b, c, i, j] * w[f, c, 0, 0]}
After:  %0 = tensor.collapse_shape %x [[0], [1], [2, 3]]
        %1 = tensor.collapse_shape %w [[0], [1, 2, 3]]
        %2 = linalg.generic ins(%0, %1) {y[b, f, p] += x[b, c, p] * w[f, c]}
        %y = tensor.expand_shape %2 [[0], [1], [2, 3]]

Neighbouring dims that every operand walks as one become one, and dims of extent one are dropped: an image read
point by point is one long row, a batch of heads one batch. Maps of the result that belong in its epilogue are rewritten with
it; where one of them reads something in another order, dims stay apart. A result whose last dim is short, though a product has
a long one, is computed with that last and turned back. Images of short lines get their batch inside (`fusion/batches.py`),
those of few channels a group their points, or several groups are one vector (`fusion/grouped.py`).
Of an operand of which only every second number, say, is read, these are picked out first.

Needs: step 2 after fusion.  Keeps: other ops, the order of sums, and everything on a machine of subgroups, whose strategies
read maps of several dims themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from xdsl.context import Context
from xdsl.dialects import arith, tensor
from xdsl.dialects.builtin import AffineMapAttr, ArrayAttr, IntegerAttr, ModuleOp, TensorType, i64
from xdsl.dialects.linalg import ops as linalg
from xdsl.dialects.linalg.attrs import IteratorTypeAttr
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr, AffineExpr, AffineMap
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.machine import machine_of
from stepwell.ir.passes import Pass
from stepwell.ir.structured import indexing_maps, is_identity_map, iterator_kinds, loop_bounds
from stepwell.passes.fusion.batches import with_batches_inside
from stepwell.passes.fusion.blocks import host_blocks
from stepwell.passes.fusion.classify import (
    captures,
    filled_with,
    is_elementwise,
    is_free,
    is_sum_of_products,
    on_static_tensors,
    shape_of,
)
from stepwell.passes.fusion.grouped import GroupLanes, group_lanes, with_features_last, with_points_inside
from stepwell.passes.preconditions import needs_tensors
from stepwell.passes.schedules.nest import linear_form
from stepwell.passes.schedules.staging import Border, border_of

Groups = list[list[int]]
Exprs = Sequence[AffineExpr]


@dataclass(frozen=True)
class MergeContractionDimsPass(Pass):
    """Give sums of products the fewest and longest loop dims their operands allow."""

    name = "merge-contraction-dims"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Rewrite the contractions of the host functions, with the maps of their results."""
        del ctx
        assert isinstance(op, ModuleOp)
        needs_tensors(op, self.name, "step 2")
        if machine_of(op).subgroup > 1:
            return
        for block in host_blocks(op):
            ops = list(block.ops)
            places = {inner: i for i, inner in enumerate(ops)}
            for inner in [o for o in ops if isinstance(o, linalg.GenericOp)]:
                if inner.parent is block and _is_candidate(inner):
                    _pick_points(inner, places)
                    if _with_groups_as_lanes(inner, places):
                        continue
                    inner = with_batches_inside(with_points_inside(inner, places), places)
                    inner = _with_long_rows(inner, places)
                    _merge(inner, _maps_of_result(inner, places), places)


def _is_candidate(op: linalg.GenericOp) -> bool:
    """A sum of products on static tensors, each parallel dim bare in the result, with something to do."""
    if not on_static_tensors(op) or not is_sum_of_products(op):
        return False
    exprs, bounds = indexing_maps(op)[-1].results, loop_bounds(op)
    return (
        0 not in bounds
        and all(isinstance(e, AffineDimExpr) for e in exprs)
        and any(bounds[d] > 1 for d in _dims(exprs))
    )


def _dims(exprs: Exprs) -> list[int]:
    return [e.position for e in exprs if isinstance(e, AffineDimExpr)]


# Points a stride apart.

USES = 16
"""Products of each number of an operand from which on bringing those that are read next to each other takes no time."""


def _pick_points(op: linalg.GenericOp, places: dict[Operation, int]) -> None:
    """Operands of which every second number, say, is read, and no window, are picked out first: what is left are long rows."""
    bounds, exprs_of = loop_bounds(op), indexing_maps(op)
    for number, value in enumerate(op.inputs):
        exprs = exprs_of[number].results
        forms = [linear_form(e) for e in exprs]
        used = exprs_of[number].used_dims()
        dims = [next(iter(f[0])) for f in forms if f is not None and len(f[0]) == 1]
        apart = [f for f in forms if f is not None and any(c > 1 for c in f[0].values())]
        uses = prod(b for d, b in enumerate(bounds) if d not in used)
        if not apart or len(dims) != len(exprs) or len(set(dims)) != len(dims) or uses < USES:
            continue
        builder = LocatedBuilder(InsertPoint.before(op), op.location)
        assert isinstance(value.type, TensorType)
        kind = TensorType(value.type.element_type, [bounds[d] for d in dims])
        identity = [AffineDimExpr(i) for i in range(len(dims))]
        place: list[AffineExpr] = [AffineConstantExpr(0)] * len(bounds)
        for i, d in enumerate(dims):
            place[d] = identity[i]
        read = AffineMap(len(dims), 0, tuple(e.replace_dims_and_symbols(place, []) for e in exprs))
        empty = builder.insert(tensor.EmptyOp([], kind)).tensor
        body = Block(arg_types=[kind.element_type] * 2)
        body.add_op(linalg.YieldOp(body.args[0]))
        maps = [AffineMapAttr(read), AffineMapAttr(AffineMap.identity(len(dims)))]
        kinds = [IteratorTypeAttr.parallel()] * len(dims)
        picked = builder.insert(linalg.GenericOp([value], [empty], Region(body), maps, kinds, [kind]))
        places[picked] = places[op]
        op.operands[number] = picked.results[0]
        new = list(op.indexing_maps.data)
        new[number] = AffineMapAttr(AffineMap(len(bounds), 0, tuple(AffineDimExpr(d) for d in dims)))
        op.properties["indexing_maps"] = ArrayAttr(new)


# Which dim of the result is last.

SHORT, LONG = 7, 16
"""A last dim of fewer points than the first is no vector; one of the second at least is."""
TERMS = 32
"""Sums of so many terms take longer than turning their results."""


def _with_long_rows(op: linalg.GenericOp, places: dict[Operation, int]) -> linalg.GenericOp:
    """The sums with a long dim last in their result, which a map then turns back; the same op where they have one.

    What a weight's gradient has last are the few taps of a window.
    """
    order = _long_order(op)
    result = op.results[0]
    if order is None or not isinstance(result.type, TensorType):
        return op
    builder = LocatedBuilder(InsertPoint.before(op), op.location)
    exprs = indexing_maps(op)[-1].results
    kind = TensorType(result.type.element_type, [result.type.get_shape()[p] for p in order])
    fill = filled_with(op.outputs[0])
    assert fill is not None
    empty = builder.insert(tensor.EmptyOp([], kind)).tensor
    start = builder.insert(linalg.FillOp([fill], [empty], [kind])).results[0]
    maps = [
        *op.indexing_maps.data[:-1],
        AffineMapAttr(AffineMap(len(loop_bounds(op)), 0, tuple(exprs[p] for p in order))),
    ]
    made = linalg.GenericOp.create(
        operands=[*op.inputs, start],
        result_types=[kind],
        properties=dict(op.properties) | {"indexing_maps": ArrayAttr(maps)},
        attributes=dict(op.attributes),
        regions=[op.detach_region(op.body)],
    )
    builder.insert(made)
    places[made] = places[op]
    back = _turned_back(builder, made.results[0], result.type, order)
    places[back] = places[op]
    back.results[0].name_hint = result.name_hint
    result.replace_all_uses_with(back.results[0])
    Rewriter.erase_op(op)
    return made


def _turned_back(builder: LocatedBuilder, value: SSAValue, kind: TensorType, order: Sequence[int]) -> linalg.GenericOp:
    """The map that gives a result its dims in their own order."""
    rank = len(order)
    empty = builder.insert(tensor.EmptyOp([], kind)).tensor
    body = Block(arg_types=[kind.element_type] * 2)
    body.add_op(linalg.YieldOp(body.args[0]))
    dims = [AffineDimExpr(d) for d in range(rank)]
    maps = [AffineMap(rank, 0, tuple(dims[p] for p in order)), AffineMap(rank, 0, tuple(dims))]
    kinds = [IteratorTypeAttr.parallel()] * rank
    return builder.insert(
        linalg.GenericOp([value], [empty], Region(body), [AffineMapAttr(m) for m in maps], kinds, [kind])
    )


def _long_order(op: linalg.GenericOp) -> list[int] | None:
    """The dims of the result with a row and a column of a product last; None where the last one is long, or none could be.

    Columns are of the operand that is read through no window: its rows are copied once.
    """
    maps, bounds, kinds = indexing_maps(op), loop_bounds(op), iterator_kinds(op)
    order = _dims(maps[-1].results)
    terms = prod(b for b, kind in zip(bounds, kinds, strict=True) if kind != "parallel")
    used = [[d for d in order if any(d in e.used_dims() for e in m.results)] for m in maps[:2]]
    own = [[d for d in used[i] if d not in used[1 - i]] for i in (0, 1)]
    if bounds[order[-1]] >= SHORT or order[-1] not in (*own[0], *own[1]) or terms < TERMS:
        return None
    if filled_with(op.outputs[0]) is None:
        return None
    plain = [i for i in (0, 1) if all(len(e.used_dims()) <= 1 for e in maps[i].results)]
    columns = [(bounds[d], d, i) for i in plain for d in own[i] if bounds[d] >= LONG]
    if not columns:
        return None
    _, last, side = max(columns, key=lambda c: c[0])
    if not own[1 - side]:
        return None
    row = max(own[1 - side], key=lambda d: bounds[d])
    return [*(p for p, d in enumerate(order) if d not in (row, last)), order.index(row), order.index(last)]


# What goes along.


def _maps_of_result(op: linalg.GenericOp, places: dict[Operation, int]) -> dict[linalg.GenericOp, None]:
    """The maps that read the result, or a map of it, point by point, and so could be done on its tiles; in block order.

    All else they read is there before the sums are: what waits for them in another way is no epilogue.
    """
    found: dict[linalg.GenericOp, None] = {}
    values: dict[SSAValue, None] = {op.results[0]: None}
    pending = [op.results[0]]
    while pending:
        for use in pending.pop(0).uses:
            user = use.operation
            if isinstance(user, linalg.GenericOp) and user not in found and user.parent is op.parent:
                if _is_map_of(user, values, shape_of(op.results[0])) and _is_ready(user, values, op, places):
                    found[user] = None
                    values.update(dict.fromkeys(user.results))
                    pending.extend(user.results)
    return dict.fromkeys(sorted(found, key=lambda m: places[m]))


def _is_map_of(user: linalg.GenericOp, values: dict[SSAValue, None], shape: tuple[int, ...]) -> bool:
    if not is_elementwise(user) or any(shape_of(r) != shape for r in user.results):
        return False
    maps, count = indexing_maps(user), len(user.inputs)
    if not all(is_identity_map(m) for m in maps[count:]):
        return False
    if not all(isinstance(v.owner, arith.ConstantOp) for v in captures(user)):
        return False
    return all(is_identity_map(m) for v, m in zip(user.inputs, maps, strict=False) if v in values)


def _is_ready(
    user: linalg.GenericOp, values: dict[SSAValue, None], op: linalg.GenericOp, places: dict[Operation, int]
) -> bool:
    for value in user.inputs:
        owner = value.owner
        while isinstance(owner, tensor.ExpandShapeOp | tensor.CollapseShapeOp):
            owner = owner.src.owner
        if value in values or isinstance(owner, Block) or is_free(owner):
            continue
        if places.get(owner, -1) > places[op]:
            return False
    return True


# Which dims become one.


def _with_groups_as_lanes(op: linalg.GenericOp, places: dict[Operation, int]) -> bool:
    """Make groups and their features one dim, where whole groups fill vectors and maps of the result allow it; whether that was done."""
    lanes, maps = group_lanes(op), _maps_of_result(op, places)
    loops = len(shape_of(op.results[0])) - 2, len(shape_of(op.results[0])) - 1
    if lanes is None or set(loops) & {p for m in maps for p in _indexed(m)}:
        return False
    if not all(_all_inputs(m, loops) for m in maps):
        return False
    with_features_last(op, lanes, places)
    _merge(op, maps, places, lanes)
    return True


def _merge(
    op: linalg.GenericOp,
    maps: dict[linalg.GenericOp, None],
    places: dict[Operation, int],
    lanes: GroupLanes | None = None,
) -> None:
    exprs, bounds = indexing_maps(op)[-1].results, loop_bounds(op)
    order = _dims(exprs)
    indexed = {p for m in maps for p in _indexed(m)}
    dropped = [p for p, d in enumerate(order) if bounds[d] == 1 and p not in indexed]
    kept = [p for p in range(len(order)) if p not in dropped]
    if not kept:
        return
    positions: Groups = [[kept[0]]]
    for p, q in pairwise(kept):
        whole = lanes is not None and (order[p], order[q]) == (lanes.group, lanes.feature)
        if whole or (not {p, q} & indexed and _walk_as_one(op, maps, (order[p], order[q]), (p, q))):
            positions[-1].append(q)
        else:
            positions.append([q])
    parallel = [[order[p] for p in group] for group in positions]
    reduced = _reduced_groups(op)
    whole = len(parallel) == len(order) and all(len(g) == 1 for g in reduced)
    if whole and not any(_flat(v, m.results, bounds) for v, m in zip(op.inputs, indexing_maps(op), strict=False)):
        return
    _rewrite(op, maps, (sorted([*parallel, *reduced]), positions), _spans(positions, len(order)), places, lanes)


def _indexed(op: linalg.GenericOp) -> list[int]:
    return [inner.dim.value.data for inner in op.body.block.ops if isinstance(inner, linalg.IndexOp)]


def _walk_as_one(
    op: linalg.GenericOp, maps: dict[linalg.GenericOp, None], dims: tuple[int, int], loops: tuple[int, int]
) -> bool:
    """Whether two parallel dims are one in every operand: `dims` of the sums, `loops` of the maps."""
    return _all_inputs(op, dims) and all(_all_inputs(m, loops) for m in maps)


def _all_inputs(op: linalg.GenericOp, dims: tuple[int, int]) -> bool:
    bounds = loop_bounds(op)
    inputs = zip(op.inputs, indexing_maps(op), strict=False)
    return all(_one_run(v, m.results, dims, bounds) for v, m in inputs)


def _one_run(value: SSAValue, exprs: Exprs, dims: tuple[int, int], bounds: Sequence[int]) -> bool:
    """Whether an operand has neither dim, or both next to each other, the second from end to end."""
    using = [i for i, e in enumerate(exprs) if any(d in e.used_dims() for d in dims)]
    if not using:
        return True
    if len(using) != 2 or [exprs[i] for i in using] != [AffineDimExpr(d) for d in dims]:
        return False
    shape = shape_of(value)
    return shape[using[1]] == bounds[dims[1]] and all(shape[i] == 1 for i in range(using[0] + 1, using[1]))


def _reduced_groups(op: linalg.GenericOp) -> Groups:
    """Reduced dims, those together that all operands walk as one."""
    kinds = iterator_kinds(op)
    groups: Groups = []
    for d in [d for d in _dims(indexing_maps(op)[0].results) if kinds[d] != "parallel"]:
        if groups and _all_inputs(op, (groups[-1][-1], d)):
            groups[-1].append(d)
        else:
            groups.append([d])
    known = [d for g in groups for d in g]
    return [*groups, *([d] for d, kind in enumerate(kinds) if kind != "parallel" and d not in known)]


def _spans(positions: Groups, rank: int) -> Groups:
    """All dims of the result in as many runs as there are groups: what is dropped goes with its neighbour."""
    starts = [0, *(group[0] for group in positions[1:]), rank]
    return [list(range(a, b)) for a, b in pairwise(starts)]


# Rewriting.


def _rewrite(
    op: linalg.GenericOp,
    maps: dict[linalg.GenericOp, None],
    groups: tuple[Groups, Groups],
    spans: Groups,
    places: dict[Operation, int],
    lanes: GroupLanes | None = None,
) -> None:
    """The sums and their maps over groups: of loop dims in the sums, of dims of the result in the maps."""
    merged: dict[SSAValue, SSAValue] = {}
    _rebuild(op, groups[0], spans, merged, lanes)
    for inner in maps:
        _rebuild(inner, groups[1], spans, merged)
    for inner in (op, *maps):
        builder = LocatedBuilder(InsertPoint.after(inner), inner.location)
        for result in inner.results:
            made = merged[result].owner
            assert isinstance(made, Operation)
            places[made] = places[inner]
            _expand(builder, result, merged[result], spans, maps)
    pending = [v for inner in (op, *maps) for v in inner.inputs]
    for inner in reversed((op, *maps)):
        Rewriter.erase_op(inner)
    while pending:
        owner = pending.pop().owner
        if (
            isinstance(owner, tensor.ExpandShapeOp | tensor.InsertSliceOp)
            and not owner.results[0].uses
            and owner.parent
        ):
            pending.extend(owner.operands[:1])
            Rewriter.erase_op(owner)


def _expand(
    builder: LocatedBuilder, old: SSAValue, new: SSAValue, spans: Groups, maps: dict[linalg.GenericOp, None]
) -> None:
    """Give those who read a result, but the maps rewritten with it, the new one in its old shape."""
    uses = [u for u in old.uses if u.operation not in maps]
    new.name_hint = old.name_hint
    if not uses:
        return
    assert isinstance(old.type, TensorType)
    if new.type != old.type:
        new = builder.insert(tensor.ExpandShapeOp(new, [], _reassociation(spans), shape_of(old), old.type)).result
    for use in uses:
        use.operation.operands[use.index] = new


def _rebuild(
    op: linalg.GenericOp,
    groups: Groups,
    spans: Groups,
    merged: dict[SSAValue, SSAValue],
    lanes: GroupLanes | None = None,
) -> None:
    """One generic over groups of its loop dims, before the old one; `merged` knows and learns results over groups."""
    builder = LocatedBuilder(InsertPoint.before(op), op.location)
    bounds, maps = loop_bounds(op), indexing_maps(op)
    identity = [AffineDimExpr(i) for i in range(len(groups))]
    count = len(op.inputs)
    operands: list[SSAValue] = []
    accesses: list[Exprs] = []
    for number, (value, amap) in enumerate(zip(op.inputs, maps, strict=False)):
        if value in merged:
            operands.append(merged[value])
            accesses.append(identity)
            continue
        exprs = amap.results
        if lanes is not None and number == lanes.side:
            # Groups and channels are one dim of the image, as groups and features are one of the rest.
            exprs, last = (*exprs[: len(exprs) - lanes.inner], lanes.expr), len(exprs) - lanes.inner
            value = _collapsed(builder, value, [*([i] for i in range(last)), list(range(last, len(amap.results)))])
        runs = _runs(value, exprs, groups, bounds)
        operands.append(_collapsed(builder, value, runs))
        accesses.append([_moved(_said(exprs, run, bounds, value), groups, bounds) for run in runs])
    members = {d for g in groups for d in g}
    for value, amap in zip(op.outputs, maps[count:], strict=True):
        operands.append(_destination(builder, value, spans))
        first = [next(amap.results[p] for p in span if amap.results[p].used_dims() & members) for span in spans]
        accesses.append([_moved(e, groups, bounds) for e in first])
    body = op.detach_region(op.body)
    _renumber(body.block, groups)
    made = linalg.GenericOp.create(
        operands=operands,
        result_types=[v.type for v in operands[count:]],
        properties=dict(op.properties)
        | {
            "indexing_maps": ArrayAttr([AffineMapAttr(AffineMap(len(groups), 0, tuple(e))) for e in accesses]),
            "iterator_types": ArrayAttr([op.iterator_types.data[g[0]] for g in groups]),
        },
        attributes=dict(op.attributes),
        regions=[body],
    )
    builder.insert(made)
    merged.update(zip(op.results, made.results, strict=True))


def _moved(expr: AffineExpr, groups: Groups, bounds: Sequence[int]) -> AffineExpr:
    """An expression over the groups; dims that were dropped are 0."""
    dims: list[AffineExpr] = [AffineConstantExpr(0)] * len(bounds)
    for i, group in enumerate(groups):
        dims[group[0]] = AffineDimExpr(i)
    return expr.replace_dims_and_symbols(dims, []).simplify(len(groups), 0)


def _said(exprs: Exprs, run: Sequence[int], bounds: Sequence[int], value: SSAValue) -> AffineExpr:
    """The expression that places a run: of the first of its dims that is not flat."""
    flat = _flat(value, exprs, bounds)
    return exprs[next((i for i in run if i not in flat), run[0])]


def _flat(value: SSAValue, exprs: Exprs, bounds: Sequence[int]) -> list[int]:
    """Dims of an operand that have one element: what is said of the others says all."""
    shape = shape_of(value)
    flat = [i for i, e in enumerate(exprs) if shape[i] == 1 and all(bounds[d] == 1 for d in e.used_dims())]
    return flat if len(flat) < len(shape) else flat[1:]


def _runs(value: SSAValue, exprs: Exprs, groups: Groups, bounds: Sequence[int]) -> Groups:
    """Which dims of an operand become one: those of a group, and flat ones with what is before or behind them."""
    last_of = {g[0]: g[-1] for g in groups if len(g) > 1}
    members = {d for g in groups for d in g}
    flat = {i for i in _flat(value, exprs, bounds) if not exprs[i].used_dims() & members}
    runs: Groups = []
    start = 0
    while start < len(exprs):
        first, end = start, start
        while end + 1 < len(exprs) and end in flat:
            end += 1
        expr = exprs[end]
        if isinstance(expr, AffineDimExpr) and expr.position in last_of:
            end = list(exprs).index(AffineDimExpr(last_of[expr.position]))
        while end + 1 < len(exprs) and end + 1 in flat and (first not in flat or end not in flat):
            end += 1
        runs.append(list(range(first, end + 1)))
        start = end + 1
    return runs


def _collapsed(builder: LocatedBuilder, value: SSAValue, runs: Groups) -> SSAValue:
    """A value with runs of its dims made one: from before it was expanded, and before a border was put around it."""
    if all(len(run) == 1 for run in runs):
        return value
    assert isinstance(value.type, TensorType)
    shape = shape_of(value)
    kind = TensorType(value.type.element_type, [prod(shape[i] for i in run) for run in runs])
    if isinstance(value.owner, tensor.ExpandShapeOp):
        grouped = _regrouped(shape_of(value.owner.src), kind.get_shape())
        if grouped is not None:
            return _collapsed(builder, value.owner.src, grouped)
    border = border_of(value)
    if border is not None and all(_unbordered(border, run) for run in runs):
        return _collapsed_border(builder, border, runs, kind)
    op = tensor.CollapseShapeOp.create(
        operands=[value], result_types=[kind], properties={"reassociation": _reassociation(runs)}
    )
    return builder.insert(op).results[0]


def _regrouped(shape: Sequence[int], wanted: Sequence[int]) -> Groups | None:
    """Runs of dims whose products are the wanted ones, if there are such."""
    runs: Groups = []
    start = 0
    for number, size in enumerate(wanted):
        end, product = start, 1
        while end < len(shape) and (end == start or product < size or (number == len(wanted) - 1 and shape[end] == 1)):
            product *= shape[end]
            end += 1
        if product != size or end == start:
            return None
        runs.append(list(range(start, end)))
        start = end
    return runs if start == len(shape) else None


def _unbordered(border: Border, run: Sequence[int]) -> bool:
    """Whether a run of dims has no border, or is one dim beside such of one element."""
    outer = shape_of(border.insert.result)
    bordered = [i for i in run if border.inner[i] != outer[i]]
    return not bordered or prod(outer[i] for i in run) == outer[bordered[0]]


def _collapsed_border(builder: LocatedBuilder, border: Border, runs: Groups, kind: TensorType) -> SSAValue:
    """The image collapsed, and the border put around that."""
    source = _collapsed(builder, border.insert.source, runs)
    empty = builder.insert(tensor.EmptyOp([], kind)).tensor
    filled = builder.insert(linalg.FillOp([border.fill.inputs[0]], [empty], [kind])).results[0]
    offsets = [sum(border.low[i] for i in run) for run in runs]
    made = tensor.InsertSliceOp.from_static_parameters(source, filled, offsets, shape_of(source))
    return builder.insert(made).result


def _destination(builder: LocatedBuilder, value: SSAValue, spans: Groups) -> SSAValue:
    """What a result starts from, in its new shape: empties and fills anew, all else reshaped."""
    shape = shape_of(value)
    assert isinstance(value.type, TensorType)
    kind = TensorType(value.type.element_type, [prod(shape[i] for i in span) for span in spans])
    filled = filled_with(value)
    if filled is not None or isinstance(value.owner, tensor.EmptyOp):
        empty = builder.insert(tensor.EmptyOp([], kind)).tensor
        return empty if filled is None else builder.insert(linalg.FillOp([filled], [empty], [kind])).results[0]
    return _collapsed(builder, value, spans)


def _renumber(body: Block, groups: Groups) -> None:
    place = {g[0]: i for i, g in enumerate(groups)}
    for op in body.ops:
        if isinstance(op, linalg.IndexOp):
            op.properties["dim"] = IntegerAttr(place[op.dim.value.data], i64)


def _reassociation(groups: Groups) -> ArrayAttr[ArrayAttr[IntegerAttr]]:
    return ArrayAttr([ArrayAttr([IntegerAttr(d, i64) for d in group]) for group in groups])
