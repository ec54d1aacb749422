"""split-dilated-windows: what reads an image with gaps through a window becomes plain windows, one a phase, that interleave.

Before: %d = tensor.insert_slice %x into %zeros[0, 1, 1, 0][..][1, 2, 2, 1]
        %y = linalg.generic ins(%d, %w) {y[b, i, j, f] += d[b, i + k, j + l, c] * w[k, l, c, f]}

After, for each phase `p, q` of the result's rows and columns:
        %v = linalg.generic ins(%w) {v[k, l, c, f] = w[2 * k + 1 - p, 2 * l + 1 - q, c, f]}
        %z = linalg.generic ins(%x, %v) {z[b, i, j, f] += x[b, i + k, j + l, c] * v[k, l, c, f]}
        %y = tensor.insert_slice %z into %y'[0, p, q, 0][..][1, 2, 2, 1]

A convolution whose image is dilated (the gradient of one with strides) multiplies mostly zeros between the numbers of its image.
Which of its taps meet a number depends on where a point of the result lies between two of these alone: that is its phase.
A zero times a weight that is infinite or no number is no number, so the sums of zeros times the taps that a phase leaves out are
added to it: made once for all points, and zero nearly always.

Needs: step 2 after fusion, and the machine (`stepwell.target`).  Keeps: windows that move unevenly over the gaps; what is small,
or has more phases than it saves; everything on a machine of subgroups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import gcd, prod

from xdsl.context import Context
from xdsl.dialects import arith, tensor
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    AffineMapAttr,
    AnyFloat,
    ArrayAttr,
    FloatAttr,
    IntegerAttr,
    IntegerType,
    ModuleOp,
    TensorType,
)
from xdsl.dialects.linalg import ops as linalg
from xdsl.dialects.linalg.attrs import IteratorTypeAttr
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr, AffineExpr, AffineMap
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.machine import machine_of
from stepwell.ir.passes import Pass
from stepwell.ir.structured import indexing_maps, iterator_kinds, loop_bounds
from stepwell.passes.fusion.blocks import host_blocks
from stepwell.passes.fusion.classify import filled_with, is_sum_of_products, on_static_tensors, shape_of
from stepwell.passes.preconditions import needs_tensors
from stepwell.passes.schedules.contraction_analysis import product_of
from stepwell.passes.schedules.nest import linear_form

MOST_PHASES = 16
"""Phases beyond which there would be more kernels than anyone wants to compile."""
SAVED = 1 << 18
"""Products by zero that take longer than the kernels a split adds."""


@dataclass(frozen=True)
class SplitDilatedWindowsPass(Pass):
    """Make windows over images with gaps plain windows, one a phase of the result."""

    name = "split-dilated-windows"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Rewrite the sums of products of the host functions that read a dilated image."""
        del ctx
        assert isinstance(op, ModuleOp)
        needs_tensors(op, self.name, "step 2")
        if machine_of(op).subgroup > 1:
            return
        for block in host_blocks(op):
            for inner in [o for o in block.ops if isinstance(o, linalg.GenericOp)]:
                found = find_dilated(inner)
                if found is not None:
                    _Splitter(found).run()


# Deciding.


@dataclass(frozen=True)
class Axis:
    """A dim of the image with gaps, and how the window moves along it: at `step * point + move * tap + offset`."""

    position: int
    """In the image."""
    gap: int
    """By how much its numbers are apart."""
    low: int
    """Where the first one is."""
    point: int
    step: int
    tap: int | None
    move: int
    offset: int

    @property
    def phases(self) -> int:
        """Kinds of points of the result, by the taps that meet numbers there."""
        return self.gap // gcd(self.step, self.gap)

    @property
    def strides(self) -> int:
        """Taps from one that meets a number to the next."""
        return self.gap // gcd(self.move, self.gap)

    def first(self, phase: int) -> int | None:
        """The first tap that meets a number; None where none does."""
        taps = range(self.strides if self.tap is not None else 1)
        return next((k for k in taps if self._at(phase, k) % self.gap == 0), None)

    def start(self, phase: int) -> int:
        """The number of the image that the first tap meets at the first point of a phase."""
        first = self.first(phase)
        assert first is not None
        return self._at(phase, first) // self.gap

    def _at(self, phase: int, tap: int) -> int:
        return self.step * phase + self.move * tap + self.offset - self.low


@dataclass(frozen=True)
class Image:
    """An image with gaps, by the dims that its reader sees."""

    insert: tensor.InsertSliceOp
    """What puts its numbers where they are."""
    expand: tensor.ExpandShapeOp | None
    """What makes several dims of one before it is read, as of the channels of groups."""
    zero: SSAValue
    """What is around the numbers."""
    shape: tuple[int, ...]
    """Of the numbers."""
    low: tuple[int, ...]
    gaps: tuple[int, ...]


@dataclass(frozen=True)
class Dilated:
    """Sums of products over an image with gaps."""

    op: linalg.GenericOp
    side: int
    """Position of the image; the other operand are the weights."""
    image: Image
    axes: tuple[Axis, ...]
    fill: SSAValue
    """What the sums start from."""
    casts: tuple[Operation, ...]
    """What the body does to a weight first."""

    @property
    def weights(self) -> SSAValue:
        """The other operand."""
        return self.op.inputs[1 - self.side]

    @property
    def accumulator(self) -> Attribute:
        """The element type of the sums."""
        kind = self.op.results[0].type
        assert isinstance(kind, TensorType)
        return kind.element_type


def find_dilated(op: linalg.GenericOp) -> Dilated | None:
    """Sums of products that read an image with gaps and are worth splitting; None otherwise."""
    if not on_static_tensors(op) or not is_sum_of_products(op):
        return None
    chains, fill, bounds = product_of(op), filled_with(op.outputs[0]), loop_bounds(op)
    if chains is None or fill is None or not _is_zero(fill) or 0 in bounds:
        return None
    if any(not isinstance(e, AffineDimExpr) for e in indexing_maps(op)[-1].results):
        return None
    for side in (0, 1):
        image = _image_of(op.inputs[side])
        axes = _axes(op, side, image) if image is not None else None
        others = indexing_maps(op)[1 - side].results
        if image is None or axes is None or not all(isinstance(e, AffineDimExpr | AffineConstantExpr) for e in others):
            continue
        phases = prod(a.phases for a in axes)
        if phases <= MOST_PHASES and prod(bounds) * (1 - 1 / phases) >= SAVED:
            return Dilated(op, side, image, axes, fill, chains[1 - side])
    return None


def _image_of(value: SSAValue) -> Image | None:
    """A value as an image with gaps that zeros fill; None where it is none."""
    expand = value.owner if isinstance(value.owner, tensor.ExpandShapeOp) else None
    insert = (value if expand is None else expand.src).owner
    if not isinstance(insert, tensor.InsertSliceOp) or DYNAMIC_INDEX in insert.static_offsets.get_values():
        return None
    gaps, around, shape = insert.static_strides.get_values(), filled_with(insert.dest), shape_of(insert.source)
    if DYNAMIC_INDEX in gaps or all(s == 1 for s in gaps) or around is None or not _is_zero(around):
        return None
    if len(shape) != len(shape_of(insert.result)) or 0 in shape:
        return None
    image = Image(insert, None, around, shape, tuple(insert.static_offsets.get_values()), tuple(gaps))
    return image if expand is None else _expanded(image, expand)


def _expanded(image: Image, expand: tensor.ExpandShapeOp) -> Image | None:
    """An image some of whose dims are made several; None where these have a border."""
    sizes, whole = iter(shape_of(expand.result)), shape_of(image.insert.result)
    dims: list[tuple[int, int, int]] = []
    for i, group in enumerate(expand.reassociation.data):
        parts = [next(sizes) for _ in group.data]
        if len(parts) == 1:
            dims.append((image.shape[i], image.low[i], image.gaps[i]))
        elif image.shape[i] == whole[i]:
            dims.extend((part, 0, 1) for part in parts)
        else:
            return None
    shape, low, gaps = zip(*dims, strict=True)
    return replace(image, expand=expand, shape=shape, low=low, gaps=gaps)


def _is_zero(value: SSAValue) -> bool:
    op = value.owner
    if not isinstance(op, arith.ConstantOp) or not isinstance(op.value, FloatAttr | IntegerAttr):
        return False
    return op.value.value.data == 0


def _axes(op: linalg.GenericOp, side: int, image: Image) -> tuple[Axis, ...] | None:
    """The dims with gaps; None where the window moves over one in another way than by points and taps."""
    kinds, exprs = iterator_kinds(op), indexing_maps(op)[side].results
    axes: list[Axis] = []
    for position, (expr, gap, low) in enumerate(zip(exprs, image.gaps, image.low, strict=True)):
        form = linear_form(expr)
        if form is None:
            return None
        if gap == 1:
            continue
        points = [d for d in form[0] if kinds[d] == "parallel"]
        taps = [d for d in form[0] if kinds[d] != "parallel"]
        if len(points) != 1 or len(taps) > 1 or _elsewhere(exprs, position, [*points, *taps]):
            return None
        step, move = form[0][points[0]], form[0][taps[0]] if taps else 0
        axes.append(Axis(position, gap, low, points[0], step, taps[0] if taps else None, move, form[1]))
    return tuple(axes) if any(a.phases > 1 for a in axes) else None


def _elsewhere(exprs: Sequence[AffineExpr], position: int, dims: Sequence[int]) -> bool:
    """Whether an index of the image besides the one at `position` moves with one of some dims."""
    return any(d in e.used_dims() for i, e in enumerate(exprs) if i != position for d in dims)


# Rewriting.


class _Splitter:
    """Puts the phases in place of one op."""

    def __init__(self, found: Dilated):
        self.found = found
        self.op = found.op
        self.bounds = loop_bounds(found.op)
        self.kinds = iterator_kinds(found.op)
        self.maps = indexing_maps(found.op)
        self.builder = LocatedBuilder(InsertPoint.before(found.op), found.op.location)
        self.order = [e.position for e in self.maps[-1].results if isinstance(e, AffineDimExpr)]
        self.taps = [a.tap for a in found.axes if a.tap is not None]

    def run(self) -> None:
        """Make the phases, interleave them, and remove what they replace."""
        found, result, image = self.found, self.op.results[0], self.found.image
        phases = list(product(*(range(a.phases) for a in found.axes)))
        left_out = self._left_out() if not isinstance(found.accumulator, IntegerType) else None
        whole = any(a.first(p) is None for phase in phases for a, p in zip(found.axes, phase, strict=True))
        made = self._filled(shape_of(result)) if whole else self._empty(shape_of(result), found.accumulator)
        parts = {phase: sizes for phase in phases if (sizes := self._sizes(phase)) is not None}
        # What an epilogue reads is there before the sums are.
        weights = {phase: self._weights(phase, sizes) for phase, sizes in parts.items() if self._meets(phase)}
        leaving = [phase for phase in parts if left_out is not None and self._leaves_out(phase)]
        rests = {phase: self._rest(left_out, phase) for phase in leaving if left_out is not None}
        for phase, sizes in parts.items():
            part = self._sums(phase, sizes, weights[phase]) if phase in weights else None
            if phase in rests:
                part = self._with(rests[phase], part, sizes)
            if part is not None:
                made = self._interleaved(part, made, phase)
        made.name_hint = result.name_hint
        result.replace_all_uses_with(made)
        Rewriter.erase_op(self.op)
        for op in (image.expand, image.insert):
            if op is not None and not op.results[0].uses:
                Rewriter.erase_op(op)

    def _meets(self, phase: Sequence[int]) -> bool:
        """Whether some taps meet numbers."""
        for axis, p in zip(self.found.axes, phase, strict=True):
            first = axis.first(p)
            if first is None or (axis.tap is not None and first >= self.bounds[axis.tap]):
                return False
        return True

    def _leaves_out(self, phase: Sequence[int]) -> bool:
        """Whether some taps meet no numbers."""
        return not self._meets(phase) or any(a.tap is not None and a.strides > 1 for a in self.found.axes)

    def _sizes(self, phase: Sequence[int]) -> list[int] | None:
        """Points of a phase along each dim, and its taps; None where it has no point."""
        sizes = list(self.bounds)
        for axis, p in zip(self.found.axes, phase, strict=True):
            sizes[axis.point] = -(-(self.bounds[axis.point] - p) // axis.phases)
            first = axis.first(p)
            if axis.tap is not None and first is not None:
                sizes[axis.tap] = -(-(self.bounds[axis.tap] - first) // axis.strides)
        return None if any(sizes[axis.point] <= 0 for axis in self.found.axes) else sizes

    def _sums(self, phase: Sequence[int], sizes: Sequence[int], weights: tuple[SSAValue, list[int]]) -> SSAValue:
        """The sums of a phase, over the taps that meet numbers."""
        found = self.found
        exprs = [linear_form(e) for e in self.maps[found.side].results]
        forms = [({}, 0) if f is None else (f[0], f[1] - b) for f, b in zip(exprs, found.image.low, strict=True)]
        for axis, p in zip(found.axes, phase, strict=True):
            steps = {axis.point: axis.step * axis.phases // axis.gap}
            if axis.tap is not None:
                steps[axis.tap] = axis.move * axis.strides // axis.gap
            forms[axis.position] = (steps, axis.start(p))
        read, places = self._bordered(forms, sizes)
        operands, maps = [read, weights[0]], [places, [AffineDimExpr(d) for d in weights[1]]]
        if found.side == 1:
            operands, maps = operands[::-1], maps[::-1]
        start = self._filled([sizes[d] for d in self.order])
        maps.append([AffineDimExpr(d) for d in self.order])
        made = linalg.GenericOp.create(
            operands=[*operands, start],
            result_types=[start.type],
            properties=dict(self.op.properties)
            | {"indexing_maps": ArrayAttr([AffineMapAttr(AffineMap(len(sizes), 0, tuple(m))) for m in maps])},
            attributes=dict(self.op.attributes),
            regions=[self.op.body.clone()],
        )
        return self.builder.insert(made).results[0]

    def _source(self) -> SSAValue:
        """The numbers of the image."""
        image, source = self.found.image, self.found.image.insert.source
        if image.expand is None:
            return source
        assert isinstance(source.type, TensorType)
        kind = TensorType(source.type.element_type, image.shape)
        return self.builder.insert(
            tensor.ExpandShapeOp(source, [], image.expand.reassociation, image.shape, kind)
        ).result

    def _bordered(
        self, forms: Sequence[tuple[dict[int, int], int]], sizes: Sequence[int]
    ) -> tuple[SSAValue, list[AffineExpr]]:
        """The image without gaps in the border that a phase reads, and where it is read."""
        source = self._source()
        low: list[int] = []
        shape: list[int] = []
        places: list[AffineExpr] = []
        for (steps, offset), extent in zip(forms, shape_of(source), strict=True):
            reach = [step * (sizes[d] - 1) for d, step in steps.items()]
            first, last = offset + sum(min(r, 0) for r in reach), offset + sum(max(r, 0) for r in reach)
            low.append(max(0, -first))
            shape.append(low[-1] + extent + max(0, last - extent + 1))
            expr: AffineExpr = AffineConstantExpr(offset + low[-1])
            for d, step in steps.items():
                expr = AffineDimExpr(d) * step + expr if step != 1 else AffineDimExpr(d) + expr
            places.append(expr.simplify(len(sizes), 0))
        if tuple(shape) == shape_of(source):
            return source, places
        assert isinstance(source.type, TensorType)
        around = self._empty(shape, source.type.element_type)
        around = self.builder.insert(linalg.FillOp([self.found.image.zero], [around], [around.type])).results[0]
        made = tensor.InsertSliceOp.from_static_parameters(source, around, low, shape_of(source))
        return self.builder.insert(made).result, places

    def _weights(self, phase: Sequence[int], sizes: Sequence[int]) -> tuple[SSAValue, list[int]]:
        """The taps of a phase, and the dims of what they are copied to: columns of a product last."""
        found = self.found
        exprs = self.maps[1 - found.side].results
        used = [e.position for e in exprs if isinstance(e, AffineDimExpr)]
        shared = [d for d in used if self._is_shared(d)]
        own = sorted((d for d in used if self.kinds[d] == "parallel" and d not in shared), key=lambda d: sizes[d])
        terms = [d for d in used if self.kinds[d] != "parallel"]
        terms.sort(key=lambda d: d not in self.taps)
        order = [*shared, *terms, *own]
        place = {d: i for i, d in enumerate(order)}
        moved: dict[int, AffineExpr] = {d: AffineDimExpr(place[d]) for d in used}
        for axis, p in zip(found.axes, phase, strict=True):
            first = axis.first(p)
            if axis.tap is not None and first is not None:
                moved[axis.tap] = (moved[axis.tap] * axis.strides + first).simplify(len(order), 0)
        kind = found.weights.type
        assert isinstance(kind, TensorType)
        empty = self._empty([sizes[d] for d in order], kind.element_type)
        body = Block(arg_types=[kind.element_type] * 2)
        body.add_op(linalg.YieldOp(body.args[0]))
        maps = [_placed(exprs, moved), [AffineDimExpr(i) for i in range(len(order))]]
        return self._generic([found.weights], empty, body, maps, len(order)), order

    def _is_shared(self, dim: int) -> bool:
        """Whether a parallel dim of the weights is one of the image too."""
        return self.kinds[dim] == "parallel" and any(dim in e.used_dims() for e in self.maps[self.found.side].results)

    # What zeros times weights that are no numbers make of a sum.

    def _left_out(self) -> SSAValue:
        """Zero times each tap, summed over all but taps: over the parallel dims of the weights, then taps."""
        found = self.found
        exprs = self.maps[1 - found.side].results
        used = [e.position for e in exprs if isinstance(e, AffineDimExpr)]
        kept = [*self._own(), *self.taps]
        dims = [*kept, *(d for d in used if d not in kept)]
        place: dict[int, AffineExpr] = {d: AffineDimExpr(i) for i, d in enumerate(dims)}
        kind = found.weights.type
        assert isinstance(kind, TensorType)
        body = Block(arg_types=[kind.element_type, found.accumulator])
        value: SSAValue = body.args[0]
        for cast in found.casts:
            copy = type(cast).create(
                operands=[value], result_types=[cast.results[0].type], properties=dict(cast.properties)
            )
            body.add_op(copy)
            value = copy.results[0]
        zero = _number(found.accumulator)
        term = arith.MulfOp(value, zero.result)
        total = arith.AddfOp(term.result, body.args[1])
        body.add_ops([zero, term, total, linalg.YieldOp(total.result)])
        start = self._filled([self.bounds[d] for d in kept])
        maps = [_placed(exprs, place), [place[d] for d in kept]]
        return self._generic([found.weights], start, body, maps, len(dims), reduced=len(dims) - len(kept))

    def _own(self) -> list[int]:
        """The parallel dims of the weights, in their order."""
        exprs = self.maps[1 - self.found.side].results
        return [e.position for e in exprs if isinstance(e, AffineDimExpr) and self.kinds[e.position] == "parallel"]

    def _with(self, rest: SSAValue, part: SSAValue | None, sizes: Sequence[int]) -> SSAValue:
        """A phase with what the taps that it leaves out add to it."""
        kind, rank = self.found.accumulator, len(self.order)
        places = [AffineDimExpr(self.order.index(d)) for d in self._own()]
        identity = [AffineDimExpr(i) for i in range(rank)]
        empty = self._empty([sizes[d] for d in self.order], kind)
        if part is None:
            body = Block(arg_types=[kind] * 2)
            body.add_op(linalg.YieldOp(body.args[0]))
            return self._generic([rest], empty, body, [places, identity], rank)
        body = Block(arg_types=[kind] * 3)
        total = arith.AddfOp(body.args[0], body.args[1])
        body.add_ops([total, linalg.YieldOp(total.result)])
        return self._generic([part, rest], empty, body, [identity, places, identity], rank)

    def _rest(self, left_out: SSAValue, phase: Sequence[int]) -> SSAValue:
        """The sum over the taps that a phase leaves out."""
        kind, shape, kept = self.found.accumulator, shape_of(left_out), len(self._own())
        if not self.taps:
            return left_out
        block = Block(arg_types=[kind] * 2)
        body = LocatedBuilder(InsertPoint.at_end(block), self.op.location)
        term: SSAValue = block.args[0]
        if self._meets(phase):
            meets: list[SSAValue] = []
            taps = [(axis, p) for axis, p in zip(self.found.axes, phase, strict=True) if axis.tap is not None]
            for position, (axis, p) in enumerate(taps, kept):
                index = body.insert(linalg.IndexOp(position)).result
                stride, first = (body.insert(_index(n)).result for n in (axis.strides, axis.first(p) or 0))
                rest = body.insert(arith.RemUIOp(index, stride)).result
                meets.append(body.insert(arith.CmpiOp(rest, first, "eq")).result)
            met, *others = meets
            for other in others:
                met = body.insert(arith.AndIOp(met, other)).result
            term = body.insert(arith.SelectOp(met, body.insert(_number(kind)).result, term)).result
        body.insert(linalg.YieldOp(body.insert(arith.AddfOp(term, block.args[1])).result))
        rank = len(shape)
        identity = [AffineDimExpr(i) for i in range(rank)]
        start = self._filled(shape[:kept])
        return self._generic([left_out], start, block, [identity, identity[:kept]], rank, reduced=rank - kept)

    # Building.

    def _interleaved(self, part: SSAValue, into: SSAValue, phase: Sequence[int]) -> SSAValue:
        rank = len(self.order)
        offsets, strides = [0] * rank, [1] * rank
        for axis, p in zip(self.found.axes, phase, strict=True):
            position = self.order.index(axis.point)
            offsets[position], strides[position] = p, axis.phases
        made = tensor.InsertSliceOp.from_static_parameters(part, into, offsets, shape_of(part), strides)
        return self.builder.insert(made).result

    def _empty(self, shape: Sequence[int], kind: Attribute) -> SSAValue:
        return self.builder.insert(tensor.EmptyOp([], TensorType(kind, list(shape)))).tensor

    def _filled(self, shape: Sequence[int]) -> SSAValue:
        """A tensor of what the sums start from."""
        empty = self._empty(shape, self.found.accumulator)
        return self.builder.insert(linalg.FillOp([self.found.fill], [empty], [empty.type])).results[0]

    def _generic(
        self,
        inputs: Sequence[SSAValue],
        out: SSAValue,
        body: Block,
        maps: Sequence[Sequence[AffineExpr]],
        rank: int,
        reduced: int = 0,
    ) -> SSAValue:
        """A generic whose last `reduced` dims are summed over."""
        kinds = [IteratorTypeAttr.parallel()] * (rank - reduced) + [IteratorTypeAttr.reduction()] * reduced
        attributes = [AffineMapAttr(AffineMap(rank, 0, tuple(m))) for m in maps]
        op = linalg.GenericOp(list(inputs), [out], Region(body), attributes, kinds, [out.type])
        return self.builder.insert(op).results[0]


def _placed(exprs: Sequence[AffineExpr], dims: Mapping[int, AffineExpr]) -> list[AffineExpr]:
    """Bare dims where they are now; constants stay."""
    return [dims[e.position] if isinstance(e, AffineDimExpr) else e for e in exprs]


def _index(number: int) -> arith.ConstantOp:
    return arith.ConstantOp(IntegerAttr.from_index_int_value(number))


def _number(kind: Attribute) -> arith.ConstantOp:
    assert isinstance(kind, AnyFloat)
    return arith.ConstantOp(FloatAttr(0.0, kind))
