"""Images in borders: the part that a task reads next is copied to scratch of its own, where its border is put around it.

A convolution reads `pad(x)` through a window. Storing the padded image costs as much as many convolutions do; instead a task
copies what a few lines of the result need, all that lies inside of the image and the fill value for the rest, into scratch that
stays in its cache. The tiles read that, at positions counted from where the copy begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import prod

from xdsl.dialects import arith, tensor
from xdsl.dialects.builtin import DYNAMIC_INDEX, TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineExpr
from xdsl.rewriter import Rewriter

from stepwell.dialects import kernel
from stepwell.ir.dtypes import byte_width
from stepwell.passes.schedules.emit import Index
from stepwell.passes.schedules.kernel_builder import KernelBuilder
from stepwell.passes.schedules.lanes import Point, broadcast, lanes_along, read, transfer_write
from stepwell.passes.schedules.nest import Access, linear_form, scalar_of_fill
from stepwell.passes.schedules.plan import WIDE_BYTES

LINE_BYTES = 64
"""Bytes of a cache line: where a machine has others, lines of a copy are merely elsewhere."""


@dataclass(frozen=True)
class Border:
    """A tensor that is another one with one number around it."""

    insert: tensor.InsertSliceOp
    fill: linalg.FillOp

    @property
    def low(self) -> tuple[int, ...]:
        """Elements before the image, along each dim."""
        return tuple(self.insert.static_offsets.get_values())

    @property
    def inner(self) -> tuple[int, ...]:
        """The shape of the image."""
        return _shape(self.insert.source)


def border_of(value: SSAValue) -> Border | None:
    """How a value is an image in a border, if it is one that only one op reads."""
    insert = value.owner
    if not isinstance(insert, tensor.InsertSliceOp) or not value.has_one_use():
        return None
    fill = insert.dest.owner
    if (
        not isinstance(fill, linalg.FillOp)
        or not insert.dest.has_one_use()
        or scalar_of_fill(insert.source) is not None
    ):
        return None
    if any(s != 1 for s in insert.static_strides.get_values()) or DYNAMIC_INDEX in insert.static_offsets.get_values():
        return None
    shapes = _shape(insert.source), _shape(value)
    if DYNAMIC_INDEX in (*shapes[0], *shapes[1]) or len(shapes[0]) != len(shapes[1]) or 0 in shapes[0]:
        return None
    return Border(insert, fill)


def _shape(value: SSAValue) -> tuple[int, ...]:
    assert isinstance(value.type, TensorType)
    return value.type.get_shape()


@dataclass(frozen=True)
class Apart:
    """Points of `dim`, `step` apart along a dim of a tensor, that lie next to each other in a copy: what is between them is a dim."""

    dim: int
    position: int
    step: int


@dataclass(frozen=True)
class Stage:
    """What is copied at once: all that is read while some dims are fixed, one of them to a run of `rows` points."""

    border: Border
    exprs: tuple[AffineExpr, ...]
    """Where the padded tensor is read."""
    fixed: tuple[int, ...]
    block: int
    rows: int
    first: tuple[int, ...]
    """Where a copy begins along each dim, while all dims are 0."""
    extents: tuple[int, ...]
    by_line: bool
    """Whether the order of dims may change so that what belongs to a line is together."""
    apart: Apart | None = None
    spread: bool = False
    """Whether lines of the copy are an odd number of cache lines apart, so that points of them spread over the sets of a cache."""

    def steps(self, position: int) -> dict[int, int]:
        """By how much fixed dims move the copy along a dim of the tensor."""
        form = linear_form(self.exprs[position])
        return {} if form is None else {d: c for d, c in form[0].items() if d in (*self.fixed, self.block)}

    @property
    def order(self) -> tuple[int, ...]:
        """The dims of a copy, by those of the tensor: lines of a block lie behind each other, channels within one.

        What a tile reads from channel to channel is then near.
        """
        last = len(self.extents) - 1
        if not self.by_line or last < 2 or self.block not in self.steps(last - 1):
            return tuple(range(last + 1))
        before = [p for p in range(last - 1) if self.extents[p] == 1]
        return (*before, last - 1, *(p for p in range(last - 1) if p not in before), last)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a copy."""
        shape = tuple(n for p in self.order for n in self._parts(p, self.extents[p]))
        if not self.spread:
            return shape
        assert isinstance(self.border.insert.result.type, TensorType)
        line = LINE_BYTES // byte_width(self.border.insert.result.type.element_type)
        return (*shape[:-1], (-(-shape[-1] // line) // 2 * 2 + 1) * line)

    def _parts(self, position: int, extent: int) -> tuple[int, ...]:
        """The extents of a copy along a dim of the tensor: two where points of it are brought together."""
        if self.apart is None or self.apart.position != position:
            return (extent,)
        run = -(-extent // self.apart.step)
        return (self.apart.step, run) if position == len(self.extents) - 1 else (run, self.apart.step)

    def place(self, position: int, expr: AffineExpr, along: AffineExpr | None = None) -> tuple[AffineExpr, ...]:
        """Where a copy holds what is at `expr` (and `along` steps further) along a dim of the tensor."""
        if self.apart is None or self.apart.position != position:
            return (expr,)
        run, within = expr // self.apart.step, expr % self.apart.step
        run = run if along is None else run + along
        return (within, run) if position == len(self.extents) - 1 else (run, within)

    def access(self, scratch: SSAValue, start: Index, symbol: Callable[[Index], SSAValue]) -> Access:
        """How the copy is read, at any point of the block, which begins at `start`."""
        exprs: list[tuple[AffineExpr, ...]] = []
        symbols = [] if isinstance(start, int) else [symbol(start)]
        begin = AffineExpr.constant(start) if isinstance(start, int) else AffineExpr.symbol(0)
        for position, expr in enumerate(self.exprs):
            count = 1 + max((*expr.used_dims(), 0))
            gone, along = self.fixed, None
            if self.apart is not None and self.apart.position == position:
                gone, along = (*self.fixed, self.apart.dim), AffineExpr.dimension(self.apart.dim)
            dims = [AffineExpr.constant(0) if d in gone else AffineExpr.dimension(d) for d in range(count)]
            moved = expr.replace_dims_and_symbols(dims, []) + (-self.first[position])
            moved = moved + begin * -self.steps(position).get(self.block, 0)
            exprs.append(self.place(position, moved.simplify(count, len(symbols)), along))
        return Access(scratch, tuple(e for p in self.order for e in exprs[p]), tuple(symbols))


def plan_stage(
    border: Border,
    exprs: Sequence[AffineExpr],
    sizes: Sequence[int],
    fixed: Sequence[int],
    block: tuple[int, int],
    most: int,
    by_line: bool = False,
) -> Stage | None:
    """The largest copy of at most `most` bytes with `fixed` dims fixed and a run of points of another; None: none fits.

    `block` is the other dim, and the points of it that stay together.
    """
    dim, unit = block
    forms = [linear_form(e) for e in exprs]
    if any(d in e.used_dims() for d in (*fixed, dim) for e in exprs[-1:]):
        return None
    if any(form is None and set(e.used_dims()) & {*fixed, dim} for form, e in zip(forms, exprs, strict=True)):
        return None
    if any(form is not None and form[0].get(dim, 0) < 0 for form in forms):
        return None
    kind = border.insert.result.type
    assert isinstance(kind, TensorType)

    def reach(rows: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        first: list[int] = []
        extents: list[int] = []
        for position, form in enumerate(forms):
            if form is None:  # groups and their channels: all of them
                first.append(0)
                extents.append(kind.get_shape()[position])
                continue
            free = [c * ((rows if d == dim else sizes[d]) - 1) for d, c in form[0].items() if d not in fixed]
            first.append(form[1] + sum(c for c in free if c < 0))
            extents.append(1 + sum(abs(c) for c in free))
        return tuple(first), tuple(extents)

    for parts in range(1, sizes[dim] + 1):
        rows = -(-sizes[dim] // parts)
        rows = min(sizes[dim], -(-rows // unit) * unit)
        if prod(reach(rows)[1]) * byte_width(kind.element_type) <= most:
            return Stage(border, tuple(exprs), tuple(fixed), dim, rows, *reach(rows), by_line)
    return None


class Stager:
    """Copies the parts of one image in its border."""

    def __init__(self, builder: KernelBuilder, stage: Stage, vector_bytes: int):
        self.builder = builder
        self.em = builder.em
        self.stage = stage
        self.vector_bytes = vector_bytes
        exprs = [AffineExpr.dimension(i) for i in range(len(stage.extents))]
        self.source = builder.resolve(stage.border.insert.source, exprs)
        self.fill = builder.value(stage.border.fill.inputs[0])

    def copy(self, index: Sequence[Index]) -> Access:
        """Copy what is read from the block's point of `index` on, and say how it is read now."""
        em, stage = self.em, self.stage
        kind = TensorType(self.fill.type, stage.shape)
        scratch = self.builder.scratch(kind, kernel.ScratchScope.WORKER)
        begin = [self._begin(p, index) for p in range(len(stage.extents))]
        filled = self._dims([], begin, True, scratch)
        return stage.access(filled, index[stage.block], em.index)

    def parts(
        self,
        extent: Index,
        index: Callable[[Index], Sequence[Index]],
        outs: Sequence[SSAValue],
        body: Callable[[Index, Index, Access, Sequence[SSAValue]], Sequence[SSAValue]],
    ) -> Sequence[SSAValue]:
        """The block's dim in runs: `body` does so many points from the first, reading the copy made for them."""
        em, rows = self.em, self.stage.rows

        def run(first: Index, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            left = em.apply(AffineExpr.dimension(0) - AffineExpr.dimension(1), [extent, first])
            whole = isinstance(extent, int) and extent % rows == 0
            return body(first, rows if whole else em.minimum(rows, left), self.copy(index(first)), args)

        return em.loop(0, extent, rows, outs, run)

    def _begin(self, position: int, index: Sequence[Index]) -> Index:
        """Where the copy begins in the image, along one dim; less than 0 in the border."""
        expr: AffineExpr = AffineExpr.constant(self.stage.first[position] - self.stage.border.low[position])
        for d, step in self.stage.steps(position).items():
            expr = expr + AffineExpr.dimension(d) * step
        return self.em.apply(expr.simplify(len(index), 0), list(index))

    def _dims(self, at: list[Index], begin: Sequence[Index], inside: bool, out: SSAValue) -> SSAValue:
        """Loops over the dims of the copy: what is before the image, in it, and behind it."""
        position, em = len(at), self.em
        extent = self.stage.extents[position]
        if position == len(begin) - 1:
            return self._line(at, begin, inside, out)

        def loop(lower: Index, upper: Index, within: bool, value: SSAValue) -> SSAValue:
            return em.loop(lower, upper, 1, [value], lambda i, args: [self._dims([*at, i], begin, within, args[0])])[0]

        if not inside:
            return loop(0, extent, False, out)
        low, high = self._inside(position, begin[position])
        out = loop(0, low, False, out)
        out = loop(low, high, True, out)
        return loop(high, extent, False, out)

    def _inside(self, position: int, begin: Index) -> tuple[Index, Index]:
        """The run of places of a copy that lie in the image."""
        em, extent, size = self.em, self.stage.extents[position], self.stage.border.inner[position]
        d = AffineExpr.dimension(0)
        low = self._most(em.apply(d * -1, [begin]), 0)
        high = em.minimum(em.apply(d * -1 + size, [begin]), extent)
        return em.minimum(low, extent), self._most(high, 0)

    def _most(self, x: Index, y: Index) -> Index:
        if isinstance(x, int) and isinstance(y, int):
            return max(x, y)
        return self.em.add(arith.MaxSIOp(self.em.index(x), self.em.index(y))).result

    def _line(self, at: list[Index], begin: Sequence[Index], inside: bool, out: SSAValue) -> SSAValue:
        """One line: its place in the image is known."""
        extent, start = self.stage.extents[-1], begin[-1]
        assert isinstance(start, int)
        low, high = self._inside(len(at), start) if inside else (extent, extent)
        assert isinstance(low, int)
        assert isinstance(high, int)
        d = AffineExpr.dimension
        source = [self.em.apply(d(0) + d(1), [b, i]) for b, i in zip(begin, at, strict=False)]
        step = self._spread
        for within in range(step):
            # Of every `step` numbers one: next to each other in the copy.
            count, first, last = (max(0, -(-(n - within) // step)) for n in (extent, low, high))
            out = self._filled(at, within, (0, first), out)
            out = self._copied((at, source), within, (first, max(first, last)), start, out)
            out = self._filled(at, within, (max(first, last), count), out)
        return out

    @property
    def _spread(self) -> int:
        """How far apart the numbers of a line are that lie next to each other in the copy."""
        apart = self.stage.apart
        return apart.step if apart is not None and apart.position == len(self.stage.extents) - 1 else 1

    def _filled(self, at: list[Index], within: int, run: tuple[int, int], out: SSAValue) -> SSAValue:
        def piece(i: Index, width: int, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            shape, mask = self._width(width)
            value = self._splat(shape)
            return [self._put(value, at, within, self._sum(run[0], i), mask, args[0])]

        return self._pieces(run[1] - run[0], out, piece)

    def _copied(
        self, places: tuple[list[Index], list[Index]], within: int, run: tuple[int, int], start: int, out: SSAValue
    ) -> SSAValue:
        at, source = places
        step, last = self._spread, len(self.stage.extents) - 1
        line = AffineExpr.dimension(last) * step + (start + within)
        dims = [*(AffineExpr.dimension(d) for d in range(last)), line]
        count = len(self.source.symbols)
        symbols = [AffineExpr.symbol(i) for i in range(count)]
        exprs = [e.replace_dims_and_symbols(dims, symbols).simplify(last + 1, count) for e in self.source.exprs]
        read_at = Access(self.source.value, tuple(exprs), self.source.symbols)

        def piece(i: Index, width: int, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            shape, mask = self._width(width)
            point = Point([*source, self._sum(run[0], i)], lanes_along(last, shape, mask, picks=True))
            value = broadcast(self.em, read(self.em, read_at, point), shape)
            return [self._put(value, at, within, self._sum(run[0], i), mask, args[0])]

        return self._pieces(run[1] - run[0], out, piece)

    def _put(
        self, value: SSAValue, at: Sequence[Index], within: int, line: Index, mask: SSAValue | None, out: SSAValue
    ) -> SSAValue:
        """Write part of a line of the copy: of the numbers `within` each step, from `line` on."""
        stage, d = self.stage, AffineExpr.dimension(0)
        places: list[Index] = []
        for position in stage.order:
            if position < len(at):
                places += [self.em.apply(e, [at[position]]) for e in stage.place(position, d)]
            else:
                places += [line] if self._spread == 1 else [within, line]
        return transfer_write(self.em, value, out, places, mask)

    def _pieces(
        self, extent: int, out: SSAValue, body: Callable[[Index, int, Sequence[SSAValue]], Sequence[SSAValue]]
    ) -> SSAValue:
        lanes = self._lanes()
        step = lanes * (4 if extent >= 4 * lanes else 1)
        main = extent - extent % step
        out = self.em.loop(0, main, step, [out], lambda i, args: body(i, step, args))[0]
        rest = self.em.loop(main, main + (extent - main) // lanes * lanes, lanes, [out], lambda i, a: body(i, lanes, a))
        return body(extent - extent % lanes, extent % lanes, rest)[0] if extent % lanes else rest[0]

    def _lanes(self) -> int:
        return max(1, self.vector_bytes // byte_width(self.fill.type))

    def _width(self, count: int) -> tuple[int, SSAValue | None]:
        """Lanes for some elements, as a tile's: under a mask where there are masks and it is not one alone."""
        lanes = self._lanes()
        if count % lanes == 0 or count == 1 or self.vector_bytes < WIDE_BYTES:
            return count, None
        return -(-count // lanes) * lanes, self.em.constant_mask([count], [-(-count // lanes) * lanes])

    def _splat(self, width: int) -> SSAValue:
        return broadcast(self.em, self.fill, width)

    def _sum(self, x: Index, y: Index) -> Index:
        return self.em.apply(AffineExpr.dimension(0) + AffineExpr.dimension(1), [x, y])


def copied_apart(stages: Iterable[Stage]) -> dict[Operation, None]:
    """The ops that copies in parts replace: those that put the borders, and fills that nobody else reads."""
    ops: dict[Operation, None] = {}
    for stage in stages:
        ops[stage.border.insert] = None
        if stage.border.insert.dest.has_one_use():
            ops[stage.border.fill] = None
    return ops


def placeholder(builder: KernelBuilder, border: Border) -> Callable[[], None]:
    """Let a border be there for who asks what reads it; the function returned takes it away again."""
    result = border.insert.result
    made = builder.em.add(tensor.EmptyOp([], result.type))
    builder.define(result, made.tensor, made.tensor)
    return lambda: Rewriter.erase_op(made)


__all__ = ["Border", "Stage", "Stager", "border_of", "copied_apart", "placeholder", "plan_stage"]
