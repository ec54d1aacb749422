"""Short lines of images, with the batch inside: `x[b, c, i, j]` as `x[i, c, (j, b)]`, so that rows of a product are long.

Before: y[b, f, i, j] += x[b, c, i + k, j + l] * w[f, c, k, l]
After:  z[i, m, f] += x'[i + k, c, m + l * batch] * w[f, c, k, l]   where m = j * batch + b, and a map makes y of z

Lines of few points make tiles of few rows, which read the weights more often than a cache gives them; the images of a batch are
as many points more, and what a window moves by along a line is then a line of batches. Since the image is turned anyway, lines of
its channels come one after the other: what a tile reads is near, however large the image.
Where points are a step apart, lines are `x'[.., step, (j, b)]`: those at each step first, then those one further.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeVar

from xdsl.dialects import tensor
from xdsl.dialects.builtin import AffineMapAttr, ArrayAttr, IntegerAttr, TensorType, i64
from xdsl.dialects.linalg import ops as linalg
from xdsl.dialects.linalg.attrs import IteratorTypeAttr
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineExpr, AffineMap
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.structured import indexing_maps, iterator_kinds, loop_bounds
from stepwell.passes.fusion.classify import filled_with, shape_of
from stepwell.passes.schedules.lanes import MOST_APART
from stepwell.passes.schedules.nest import linear_form
from stepwell.passes.schedules.staging import Border, border_of

OpT = TypeVar("OpT", bound=Operation)

SHORT_LINE = 7
"""Points of a line up to which batches go inside of it."""
ROWS = 14
"""Rows from which on a tile reads weights seldom enough."""
FEATURES, TERMS = 16, 64
"""Columns and terms from which on products take longer than turning the image and the result."""


@dataclass(frozen=True)
class _Lines:
    """Sums of products over an image of short lines."""

    op: linalg.GenericOp
    side: int
    """Position of the image."""
    batch: int
    point: int
    """The dim along a line."""
    feature: int
    place: int
    """Of the batch, in the image."""
    along: int
    """The dim of the image that is a line of it."""
    step: int
    """By how much points are apart there."""


def with_batches_inside(op: linalg.GenericOp, places: dict[Operation, int]) -> linalg.GenericOp:
    """The sums over an image with the batch inside of its lines, where these are short; else the same op."""
    found = next((lines for side in (0, 1) if (lines := _find(op, side)) is not None), None)
    return op if found is None else _Rewriter(found, places).run()


def _find(op: linalg.GenericOp, side: int) -> _Lines | None:
    maps, bounds, kinds = indexing_maps(op), loop_bounds(op), iterator_kinds(op)
    exprs, weights = maps[side].results, maps[1 - side].used_dims()
    along = next((p for p in reversed(range(len(exprs))) if len(exprs[p].used_dims()) > 1), None)
    form = None if along is None else linear_form(exprs[along])
    if along is None or form is None or filled_with(op.outputs[0]) is None:
        return None
    points = [d for d in form[0] if kinds[d] == "parallel"]
    if len(points) != 1 or not 1 <= form[0][points[0]] <= MOST_APART:
        return None
    (point,), value = points, op.inputs[side]
    if form[0][point] > 1 and shape_of(value)[along] % form[0][point] and border_of(value) is None:
        return None  # lines of whole steps want a border
    if any(bounds[d] > bounds[point] for d in form[0]):
        return None  # a gradient of weights: its points are taps, and it has long rows another way
    elsewhere = {d for p, e in enumerate(exprs) if p != along for d in e.used_dims()}
    if point in elsewhere or point in weights or bounds[point] > SHORT_LINE:
        return None
    shape, features = shape_of(value), [d for d in weights if kinds[d] == "parallel" and d not in elsewhere]
    batches = [
        (p, e.position)
        for p, e in enumerate(exprs)
        if isinstance(e, AffineDimExpr)
        and kinds[e.position] == "parallel"
        and e.position not in weights
        and shape[p] == bounds[e.position]
        and sum(e.position in other.used_dims() for other in exprs) == 1
    ]
    if not batches or not features:
        return None
    place, batch = max(batches, key=lambda b: bounds[b[1]])
    feature = max(features, key=lambda d: (bounds[d], -d))
    terms = prod(b for b, kind in zip(bounds, kinds, strict=True) if kind != "parallel")
    if bounds[batch] < 2 or bounds[batch] * bounds[point] < ROWS or bounds[feature] < FEATURES or terms < TERMS:
        return None
    return _Lines(op, side, batch, point, feature, place, along, form[0][point])


class _Rewriter:
    """Puts the batch inside."""

    def __init__(self, found: _Lines, places: dict[Operation, int]):
        self.found = found
        self.places = places
        self.op = found.op
        self.bounds = loop_bounds(found.op)
        self.builder = LocatedBuilder(InsertPoint.before(found.op), found.op.location)
        self.batch = self.bounds[found.batch]

    def run(self) -> linalg.GenericOp:
        """Rewrite; returns the new sums."""
        found, op, result = self.found, self.op, self.op.results[0]
        before = op.inputs[found.side].owner
        maps, fill = indexing_maps(op), filled_with(op.outputs[0])
        assert isinstance(result.type, TensorType)
        assert fill is not None
        order = [e.position for e in maps[-1].results if isinstance(e, AffineDimExpr)]
        outer = [d for d in order if d not in (found.batch, found.point, found.feature)]
        inner = [found.point, found.batch, found.feature]
        sizes = [*(self.bounds[d] for d in outer), self.bounds[found.point] * self.batch, self.bounds[found.feature]]
        kind = TensorType(result.type.element_type, sizes)
        empty = self.builder.insert(tensor.EmptyOp([], kind)).tensor
        start = self.builder.insert(linalg.FillOp([fill], [empty], [kind])).results[0]
        operands, exprs = list(op.inputs), [list(m.results) for m in maps[:2]]
        operands[found.side], exprs[found.side] = self._image()
        exprs.append([AffineDimExpr(d) for d in (*outer, found.point, found.feature)])
        made = linalg.GenericOp.create(
            operands=[*operands, start],
            result_types=[kind],
            properties=dict(op.properties)
            | {
                "indexing_maps": ArrayAttr([AffineMapAttr(self._renumbered(e)) for e in exprs]),
                "iterator_types": ArrayAttr([t for d, t in enumerate(op.iterator_types.data) if d != found.batch]),
            },
            attributes=dict(op.attributes),
            regions=[op.detach_region(op.body)],
        )
        self._insert(made)
        runs = [*([i] for i in range(len(outer))), [len(outer), len(outer) + 1], [len(outer) + 2]]
        parts = TensorType(kind.element_type, [self.bounds[d] for d in (*outer, *inner)])
        apart = self._insert(tensor.ExpandShapeOp(made.results[0], [], _groups(runs), parts.get_shape(), parts)).result
        back = self._moved(apart, result.type, [order.index(d) for d in (*outer, *inner)])
        back.name_hint = result.name_hint
        result.replace_all_uses_with(back)
        Rewriter.erase_op(op)
        if isinstance(before, tensor.InsertSliceOp) and not before.result.uses:
            Rewriter.erase_op(before)
        return made

    def _renumbered(self, exprs: Sequence[AffineExpr]) -> AffineMap:
        """A map over the dims without the batch."""
        count, batch = len(self.bounds), self.found.batch
        dims: list[AffineExpr] = [AffineDimExpr(d - (d > batch)) for d in range(count)]
        return AffineMap(count - 1, 0, tuple(e.replace_dims_and_symbols(dims, []) for e in exprs))

    def _image(self) -> tuple[SSAValue, list[AffineExpr]]:
        """The image with the batch inside, turned before a border is put around it, and where it is read."""
        found, value = self.found, self.op.inputs[self.found.side]
        exprs = indexing_maps(self.op)[found.side].results
        kept = self._order(len(exprs))
        form = linear_form(exprs[found.along])
        assert form is not None
        rest: AffineExpr = AffineExpr.constant(form[1])
        for d, move in form[0].items():
            rest = rest if d == found.point else AffineDimExpr(d) * move + rest
        rest = rest.simplify(len(self.bounds), 0)
        at, places = kept.index(found.along), [exprs[p] for p in kept]
        if found.step == 1:
            places[at] = (AffineDimExpr(found.point) + rest * self.batch).simplify(len(self.bounds), 0)
            return self._in_border(value, kept, at), places
        border = self._border(value)
        if border is not None and border.inner[found.along] % found.step == 0:
            more = -border.low[found.along] % found.step
            image, rest = self._steps_in_border(value, border, kept, at), (rest + more).simplify(len(self.bounds), 0)
        else:
            image = self._by_step(self._in_border(value, kept, at), at)
        line = AffineDimExpr(found.point) + (rest // found.step) * self.batch
        return image, [*places[:at], rest % found.step, line, *places[at + 1 :]]

    def _border(self, value: SSAValue) -> Border | None:
        """The border of the image, if its batch has none."""
        border, place = border_of(value), self.found.place
        return border if border is not None and border.inner[place] == shape_of(value)[place] else None

    def _steps_in_border(self, value: SSAValue, border: Border, kept: Sequence[int], at: int) -> SSAValue:
        """The image turned and its points a step apart brought together at once, and a border of whole steps around that."""
        found, source, step = self.found, border.insert.source, self.found.step
        shape, along, place = shape_of(source), found.along, found.place
        assert isinstance(source.type, TensorType)
        runs = [[p] if p < along else [p, p + 1] if p == along else [p + 1] for p in range(len(shape))]
        parts = TensorType(source.type.element_type, [*shape[:along], shape[along] // step, step, *shape[along + 1 :]])
        apart = self._insert(tensor.ExpandShapeOp(source, [], _groups(runs), parts.get_shape(), parts)).result
        order = [p + (p > along) for p in kept]
        order[at : at + 1] = [along + 1, along, place + (place > along)]
        turned = TensorType(source.type.element_type, [parts.get_shape()[p] for p in order])
        image = self._flattened(self._moved(apart, turned, [order.index(p) for p in range(len(order))]), at + 1)
        low = [border.low[p] for p in kept]
        outer = [shape_of(value)[p] for p in kept]
        more = -low[at] % step
        low[at : at + 1] = [0, (low[at] + more) // step * self.batch]
        outer[at : at + 1] = [step, -(-(outer[at] + more) // step) * self.batch]
        return self._surrounded(image, border, low, outer)

    def _in_border(self, value: SSAValue, kept: Sequence[int], at: int) -> SSAValue:
        """The image with its batch inside, in its border, which ends lines after whole steps."""
        found, border = self.found, self._border(value)
        if border is None:
            return self._turned(value, kept)
        source = self._turned(border.insert.source, kept)
        low = [border.low[p] for p in kept]
        shape = [shape_of(value)[p] for p in kept]
        low[at], shape[at] = low[at] * self.batch, -(-shape[at] // found.step) * found.step * self.batch
        return self._surrounded(source, border, low, shape)

    def _surrounded(self, source: SSAValue, border: Border, low: Sequence[int], shape: Sequence[int]) -> SSAValue:
        """What an image was surrounded with, around another one."""
        assert isinstance(source.type, TensorType)
        kind = TensorType(source.type.element_type, shape)
        empty = self.builder.insert(tensor.EmptyOp([], kind)).tensor
        around = self.builder.insert(linalg.FillOp([border.fill.inputs[0]], [empty], [kind])).results[0]
        made = tensor.InsertSliceOp.from_static_parameters(source, around, low, shape_of(source))
        return self._insert(made).result

    def _by_step(self, image: SSAValue, at: int) -> SSAValue:
        """Lines with points that are a step apart next to each other: first those at each step, then those one further."""
        kind, step = image.type, self.found.step
        assert isinstance(kind, TensorType)
        shape = list(kind.get_shape())
        run = shape[at] // (step * self.batch)
        runs = [[i] if i < at else [at, at + 1, at + 2] if i == at else [i + 2] for i in range(len(shape))]
        parts = TensorType(kind.element_type, [*shape[:at], run, step, self.batch, *shape[at + 1 :]])
        apart = self._insert(tensor.ExpandShapeOp(image, [], _groups(runs), parts.get_shape(), parts)).result
        turned = TensorType(kind.element_type, [*shape[:at], step, run, self.batch, *shape[at + 1 :]])
        places = list(range(len(turned.get_shape())))
        places[at], places[at + 1] = at + 1, at
        moved = self._moved(apart, turned, places)
        return self._flattened(moved, at + 1)

    def _order(self, rank: int) -> list[int]:
        """The dims of the image but the batch: channels, where they are not last, next to the lines."""
        found, exprs, kinds = self.found, indexing_maps(self.op)[self.found.side].results, iterator_kinds(self.op)
        before = [p for p in range(found.along) if p != found.place]
        channels = [p for p in before if all(kinds[d] != "parallel" for d in exprs[p].used_dims())]
        return [*(p for p in before if p not in channels), *channels, *range(found.along, rank)]

    def _turned(self, value: SSAValue, kept: Sequence[int]) -> SSAValue:
        """An image with its batch inside of its lines, as one dim, and its other dims in the order they are kept in."""
        shape, order = shape_of(value), list(kept)
        at = order.index(self.found.along)
        order.insert(at + 1, self.found.place)
        assert isinstance(value.type, TensorType)
        kind = TensorType(value.type.element_type, [shape[p] for p in order])
        return self._flattened(self._moved(value, kind, [order.index(p) for p in range(len(shape))]), at)

    def _flattened(self, value: SSAValue, at: int) -> SSAValue:
        """A value with one of its dims and the next one made one."""
        kind = value.type
        assert isinstance(kind, TensorType)
        shape = kind.get_shape()
        runs = [[i] if i != at else [at, at + 1] for i in range(len(shape)) if i != at + 1]
        flat = TensorType(kind.element_type, [prod(shape[i] for i in run) for run in runs])
        op = tensor.CollapseShapeOp.create(
            operands=[value], result_types=[flat], properties={"reassociation": _groups(runs)}
        )
        return self._insert(op).results[0]

    def _moved(self, value: SSAValue, kind: TensorType, places: Sequence[int]) -> SSAValue:
        """A value with its dims in another order: dim i of it is dim `places[i]` of the new one."""
        rank = len(places)
        empty = self.builder.insert(tensor.EmptyOp([], kind)).tensor
        body = Block(arg_types=[kind.element_type] * 2)
        body.add_op(linalg.YieldOp(body.args[0]))
        maps = [AffineMap(rank, 0, tuple(AffineDimExpr(p) for p in places)), AffineMap.identity(rank)]
        kinds = [IteratorTypeAttr.parallel()] * rank
        op = linalg.GenericOp([value], [empty], Region(body), [AffineMapAttr(m) for m in maps], kinds, [kind])
        return self._insert(op).results[0]

    def _insert(self, op: OpT) -> OpT:
        self.builder.insert(op)
        self.places[op] = self.places[self.op]
        return op


def _groups(runs: Sequence[Sequence[int]]) -> ArrayAttr[ArrayAttr[IntegerAttr]]:
    return ArrayAttr([ArrayAttr([IntegerAttr(d, i64) for d in run]) for run in runs])


__all__ = ["with_batches_inside"]
