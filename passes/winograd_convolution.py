"""winograd-convolution: convolutions with windows of 3 x 3 by fewer products, where the program allows it and that is quicker.

Before: %y = linalg.generic ins(%x, %w) {y[n, f, i, j] += x[n, c, i + k, j + l] * w[f, c, k, l]}
After:  %u = structured.winograd_filter ins(%w') {tile = 2}     // 16 matrices of channels by features
        %v = structured.winograd_input ins(%x') {tile = 2, ...} // 16 matrices of tiles by channels, the border included
        %p = linalg.generic ins(%v, %u) {p[b, t, f] += v[b, t, c] * u[b, c, f]}
        %y' = structured.winograd_output ins(%p) {tile = 2}     // the results of each tile

Tiles of 2 x 2 results take 16 products instead of 36 (F(2x2, 3x3)), tiles of 4 x 4 take 36 instead of 144 (F(4x4, 3x3)). The
transforms have channels last: %x', %w' and %y' are maps that turn what has not, and that other maps fuse with.

Rounding is not that of a sum of products, and infinities may become NaN (docs/floating-point.md), so the module has to say that it
takes this: `stepwell.winograd = 2 : i64` allows the former tiles, `4 : i64` the latter as well, which spread what is no number. What
was done, what was not and why is a remark on the products.

Needs: step 2 before fusion, the machine (`stepwell.target`).  Keeps: other ops, strides, dilations, groups, elements other than
f32, and everything on a machine of subgroups.  Fails: InvalidProgramError for tiles that do not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

from xdsl.context import Context
from xdsl.dialects import arith, tensor
from xdsl.dialects.builtin import (
    AffineMapAttr,
    ArrayAttr,
    Float32Type,
    FloatAttr,
    IntegerAttr,
    ModuleOp,
    StringAttr,
    TensorType,
    f32,
)
from xdsl.dialects.linalg import ops as linalg
from xdsl.dialects.linalg.attrs import IteratorTypeAttr
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineExpr, AffineMap
from xdsl.rewriter import InsertPoint, Rewriter

from stepwell.dialects.stepwell import WINOGRAD
from stepwell.dialects.structured_winograd import (
    TAPS,
    TRANSFORMS,
    WinogradFilterOp,
    WinogradInputOp,
    WinogradOutputOp,
    tiles_of,
)
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.diagnostics import invalid
from stepwell.ir.machine import MachineDescription, machine_of
from stepwell.ir.passes import Pass
from stepwell.ir.structured import indexing_maps, iterator_kinds, loop_bounds
from stepwell.passes.fusion.blocks import host_blocks
from stepwell.passes.fusion.classify import filled_with, is_elementwise, is_sum_of_products, on_static_tensors, shape_of
from stepwell.passes.fusion.decisions import REMARKS
from stepwell.passes.fusion.prices import prices_of
from stepwell.passes.preconditions import needs_tensors
from stepwell.passes.schedules.staging import border_of

GAIN = 1.15
"""Estimates are no better than that: what is to win less stays as it is."""

WORTH_SAYING = 1 << 22
"""Products of a convolution that is worth a remark where nothing is allowed."""


@dataclass(frozen=True)
class WinogradConvolutionPass(Pass):
    """Convolutions with windows of 3 x 3 by fewer products, where the program allows it and that is quicker."""

    name = "winograd-convolution"
    numerics = "finite"

    tile: int = 0
    """Results of a tile along each side, for every convolution that can be done so; 0: where it is allowed and quicker."""

    def apply(self, ctx: Context, op: Operation) -> None:
        """Rewrite the convolutions of the host functions."""
        del ctx
        assert isinstance(op, ModuleOp)
        needs_tensors(op, self.name, "step 2")
        if self.tile and self.tile not in TRANSFORMS:
            raise invalid(op, f"'{self.name}' has no tiles of {self.tile} x {self.tile} results", "use 2 or 4")
        allowed, machine = allowed_tiles(op), machine_of(op)
        if machine.subgroup > 1:
            return
        for block in host_blocks(op):
            for inner in [o for o in block.ops if isinstance(o, linalg.GenericOp)]:
                found = find_convolution(inner)
                if found is None:
                    continue
                choice = Choice(self.tile, "asked for") if self.tile else choose(found, allowed, machine)
                if choice.tile:
                    rewrite(found, choice)
                elif choice.reason:
                    _remark(inner, inner, choice.reason)


def allowed_tiles(op: ModuleOp) -> tuple[int, ...]:
    """The tiles that a module allows.

    Raises:
        InvalidProgramError: it allows something that does not exist.
    """
    said = op.attributes.get(WINOGRAD)
    if said is None:
        return ()
    largest = said.value.data if isinstance(said, IntegerAttr) else None
    if largest not in (0, *TRANSFORMS):
        raise invalid(op, f"has {WINOGRAD} = {said}: there are no such tiles", "use 2, 4 or, for none, 0")
    return tuple(tile for tile in TRANSFORMS if tile <= largest)


# What is a convolution.


@dataclass(frozen=True)
class Layout:
    """Where a tensor has the dims that a transform wants in an order of its own: `places[i]` is where its i-th one is."""

    value: SSAValue
    places: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents in the order wanted."""
        return tuple(shape_of(self.value)[p] for p in self.places)

    @property
    def is_turned(self) -> bool:
        """Whether the order is not its own."""
        return self.places != tuple(range(len(self.places)))


@dataclass(frozen=True)
class Convolution:
    """A convolution with windows of 3 x 3 points next to each other."""

    op: linalg.GenericOp
    image: Layout
    """Batch, row, column, channel, without a border of zeros."""
    low: tuple[int, int]
    """Rows and columns of that border before the image."""
    window: Layout
    """Row, column, channel, feature; or `channels_first`."""
    channels_first: bool
    """Whether windows have the channel first: where rows and columns of a window are next to each other in memory, that turns two
    dims, not four."""
    reversed: tuple[bool, bool]
    """Whether windows are walked backwards."""
    result: Layout
    """Batch, row, column, feature."""

    @property
    def flops(self) -> int:
        """Of the sum of products as it is."""
        return 2 * TAPS**2 * self.channels * prod(self.result.shape)

    @property
    def channels(self) -> int:
        """What sums are over, beside the windows."""
        return self.image.shape[3]


def find_convolution(op: linalg.GenericOp) -> Convolution | None:
    """The convolution that a generic is, if it is one that Winograd's algorithm can do."""
    if not on_static_tensors(op) or not is_sum_of_products(op) or not _is_plain(op):
        return None
    maps, bounds = indexing_maps(op), loop_bounds(op)
    kinds = iterator_kinds(op)
    if len(bounds) != 7 or 0 in bounds or [len(m.results) for m in maps] != [4, 4, 4]:
        return None
    order = _bare(maps[2].results)
    if None in order:
        return None
    for image, window in ((0, 1), (1, 0)):
        roles = _roles(maps[image], maps[window], [d for d in range(7) if kinds[d] != "parallel"])
        if roles is not None and all(bounds[t] == TAPS for t in roles.taps):
            return _convolution(op, (op.inputs[image], op.inputs[window]), (maps[image], maps[window]), roles)
    return None


def _is_plain(op: linalg.GenericOp) -> bool:
    """Whether sums of f32 start from zero, with nothing converted."""
    start = filled_with(op.outputs[0])
    zero = start.owner.value if start is not None and isinstance(start.owner, arith.ConstantOp) else None
    types = [a.type for a in op.body.block.args]
    return all(isinstance(t, Float32Type) for t in types) and isinstance(zero, FloatAttr) and zero.value.data == 0


@dataclass(frozen=True)
class _Roles:
    """Loop dims by what they are of a convolution."""

    batch: int
    channel: int
    feature: int
    points: tuple[int, int]
    taps: tuple[int, int]
    reversed: tuple[bool, bool]


def _bare(exprs: Sequence[AffineExpr]) -> list[int | None]:
    return [e.position if isinstance(e, AffineDimExpr) else None for e in exprs]


def _roles(image: AffineMap, window: AffineMap, reduced: Sequence[int]) -> _Roles | None:
    """What each dim is: windows have their own dims bare, the image has rows and columns at sums of two dims."""
    bare, own = _bare(image.results), _bare(window.results)
    if bare.count(None) != 2 or None in own or len(reduced) != 3:
        return None
    shared = [d for d in bare if d in own]
    alone = [d for d in bare if d is not None and d not in own]
    if len(shared) != 1 or len(alone) != 1 or shared[0] not in reduced:
        return None
    channel, batch = shared[0], alone[0]
    assert channel is not None
    taps = [d for d in reduced if d != channel]
    sums = [_sum(e, taps) for e in image.results if not isinstance(e, AffineDimExpr)]
    features = [d for d in own if d is not None and d not in reduced]
    if None in sums or len(features) != 1 or any(t not in own for t in taps):
        return None
    (first, second) = [s for s in sums if s is not None]
    if first[1] == second[1] or batch in reduced or features[0] in (first[0], second[0], batch):
        return None
    return _Roles(batch, channel, features[0], (first[0], second[0]), (first[1], second[1]), (first[2], second[2]))


def _sum(expr: AffineExpr, taps: Sequence[int]) -> tuple[int, int, bool] | None:
    """The point and the tap of `point + tap`, and whether it is `point - tap + 2`."""
    dims = sorted(expr.used_dims())
    if len(dims) != 2:
        return None
    points = [d for d in dims if d not in taps]
    if len(points) != 1:
        return None
    point, tap = points[0], next(d for d in dims if d != points[0])
    for backwards in (False, True):
        wanted = AffineExpr.dimension(tap) * -1 + (TAPS - 1) if backwards else AffineExpr.dimension(tap)
        if _is_same(expr, AffineExpr.dimension(point) + wanted):
            return point, tap, backwards
    return None


def _is_same(x: AffineExpr, y: AffineExpr) -> bool:
    """Whether two sums of two dims are equal: at the corners of a cell they are, and they are linear."""
    count = 1 + max({*x.used_dims(), *y.used_dims()})
    corners = ([0] * count, *([int(i == d) for i in range(count)] for d in sorted(x.used_dims())))
    linear = not any("floordiv" in str(e) or "mod" in str(e) or "ceildiv" in str(e) for e in (x, y))
    return linear and all(x.eval(c, []) == y.eval(c, []) for c in corners)


def _convolution(
    op: linalg.GenericOp, values: tuple[SSAValue, SSAValue], maps: tuple[AffineMap, AffineMap], roles: _Roles
) -> Convolution | None:
    """The convolution with its layouts, and with the border of its image taken off."""
    own = [next(iter(sorted(e.used_dims() - set(roles.taps)))) for e in maps[0].results]
    places = [own.index(d) for d in (roles.batch, *roles.points, roles.channel)]
    window = _bare(maps[1].results)
    result = _bare(indexing_maps(op)[2].results)
    first = window.index(roles.channel) < min(window.index(t) for t in roles.taps)
    order = (roles.channel, *roles.taps, roles.feature) if first else (*roles.taps, roles.channel, roles.feature)
    image, low = _without_border(values[0], (places[1], places[2]))
    found = Convolution(
        op,
        Layout(image, tuple(places)),
        low,
        Layout(values[1], tuple(window.index(d) for d in order)),
        first,
        roles.reversed,
        Layout(op.results[0], tuple(result.index(d) for d in (roles.batch, *roles.points, roles.feature))),
    )
    # A dim of an operand may be longer than its loop: of such images parts are read.
    sizes = shape_of(values[1])[window.index(roles.channel)], found.image.shape[0]
    fits = sizes == (found.channels, found.result.shape[0])
    return found if fits and found.window.shape[3] == found.result.shape[3] else None


def _without_border(value: SSAValue, dims: tuple[int, int]) -> tuple[SSAValue, tuple[int, int]]:
    """The image in a border of zeros along two dims, and how many there are before it."""
    border = border_of(value)
    if border is None:
        return value, (0, 0)
    fill = border.fill.inputs[0].owner
    zero = fill.value if isinstance(fill, arith.ConstantOp) else None
    outer = shape_of(value)
    others = [d for d in range(len(outer)) if d not in dims]
    if not isinstance(zero, FloatAttr) or zero.value.data != 0 or any(border.inner[d] != outer[d] for d in others):
        return value, (0, 0)
    return border.insert.source, (border.low[dims[0]], border.low[dims[1]])


# What is quicker.


@dataclass(frozen=True)
class Choice:
    """Results of a tile along each side (0: the convolution stays), and why; empty where there is nothing to say."""

    tile: int
    reason: str


def choose(found: Convolution, allowed: Sequence[int], machine: MachineDescription) -> Choice:
    """The tile that is quickest of those allowed, or why there is none."""
    if not machine.vector_bytes or (not allowed and found.flops < 2 * WORTH_SAYING):
        return Choice(0, "")
    gains = {tile: gain(found, tile, machine) for tile in TRANSFORMS}
    best = max(allowed, key=lambda tile: gains[tile], default=0)
    if best and gains[best] >= GAIN:
        return Choice(best, f"estimated at {1 / gains[best]:.2f} of the time of the sums as they are")
    known = ", ".join(f"{_name(tile)} {1 / gains[tile]:.2f}" for tile in allowed or TRANSFORMS)
    if allowed:
        return Choice(0, f"no Winograd tiles: estimated at {known} of the time, which is not worth it")
    if max(gains.values()) < GAIN:
        return Choice(0, "")
    return Choice(0, f"no Winograd tiles, estimated at {known} of the time: '{WINOGRAD}' does not allow them")


def gain(found: Convolution, tile: int, machine: MachineDescription) -> float:
    """Cycles of the convolution over those of the transforms and the products."""
    prices = prices_of(machine)
    batch, rows, columns, features = found.result.shape
    channels = found.channels
    points = batch * tiles_of(rows, tile) * tiles_of(columns, tile)
    products = (tile + TAPS - 1) ** 2
    image, window, result = (prod(v.shape) for v in (found.image, found.window, found.result))
    handed = products * (points * (channels + features) + channels * features)
    moved = 2 * handed + image + window + result
    moved += 2 * sum(prod(v.shape) for v in (found.image, found.result) if v.is_turned)
    moved += (
        4 * window * found.window.is_turned
    )  # nine points of a window next to each other: half as quick as other turns
    if not found.result.is_turned and _has_maps(found.op):
        moved += 2 * result
    launches = 4 + sum(v.is_turned for v in (found.image, found.window, found.result))
    width = 4
    sums = prices.computing(found.flops // 2, 1, width)
    fewer = prices.computing(products * points * channels * features, 1, width)
    return sums / (fewer + prices.moving(width * moved, near=False) + launches * prices.launch)


def _has_maps(op: linalg.GenericOp) -> bool:
    """Whether maps read a result: sums do them while they are at it, a transform does not."""
    readers = [use.operation for use in op.results[0].uses]
    return any(isinstance(r, linalg.GenericOp) and is_elementwise(r) for r in readers)


def _name(tile: int) -> str:
    return f"F({tile}x{tile}, {TAPS}x{TAPS})"


# Rewriting.


def rewrite(found: Convolution, choice: Choice) -> None:
    """The transforms and the products instead of the convolution."""
    op, tile = found.op, choice.tile
    builder = LocatedBuilder(InsertPoint.before(op), op.location)
    batch, rows, columns, features = found.result.shape
    channels = found.channels
    products = (tile + TAPS - 1) ** 2
    tiles = tiles_of(rows, tile), tiles_of(columns, tile)
    points = batch * tiles[0] * tiles[1]
    first = int(found.channels_first)
    backwards = {p + first: TAPS for p, back in enumerate(found.reversed) if back}
    window = _turned(builder, found.window, backwards)
    image = _turned(builder, found.image, {})

    out = _empty(builder, (products, channels, features))
    windows = builder.insert(WinogradFilterOp(window, out, tile, channels_first=found.channels_first)).results[0]
    out = _empty(builder, (products, points, channels))
    images = builder.insert(WinogradInputOp(image, out, tile, tiles, found.low)).results[0]
    product = _products(builder, images, windows, found.op)
    _remark(op, product, f"Winograd's {_name(tile)}: {choice.reason}")
    out = _empty(builder, (batch, rows, columns, features))
    result = builder.insert(WinogradOutputOp(product.results[0], out, tile)).results[0]
    back = _back(builder, result, found.result)
    back.name_hint = op.results[0].name_hint
    op.results[0].replace_all_uses_with(back)
    Rewriter.erase_op(op)


def _empty(builder: LocatedBuilder, shape: Sequence[int]) -> SSAValue:
    return builder.insert(tensor.EmptyOp([], TensorType(f32, list(shape)))).tensor


def _turned(builder: LocatedBuilder, layout: Layout, backwards: dict[int, int]) -> SSAValue:
    """A tensor with its dims in the order wanted, those of `backwards` (by extent) walked backwards."""
    if not layout.is_turned and not backwards:
        return layout.value
    exprs: list[AffineExpr] = [AffineExpr.constant(0)] * len(layout.places)
    for loop, place in enumerate(layout.places):
        dim: AffineExpr = AffineDimExpr(loop)
        exprs[place] = dim * -1 + (backwards[loop] - 1) if loop in backwards else dim
    return _moved(builder, layout.value, exprs, layout.shape)


def _back(builder: LocatedBuilder, value: SSAValue, layout: Layout) -> SSAValue:
    """A result in the layout of what it replaces."""
    if not layout.is_turned:
        return value
    exprs: list[AffineExpr] = [AffineDimExpr(place) for place in layout.places]
    return _moved(builder, value, exprs, shape_of(layout.value))


def _moved(builder: LocatedBuilder, value: SSAValue, exprs: Sequence[AffineExpr], shape: Sequence[int]) -> SSAValue:
    """A map that reads a tensor elsewhere. Its extents stand in a tensor of its own shape where the map walks backwards."""
    rank = len(shape)
    maps = [AffineMap(rank, 0, tuple(exprs)), AffineMap.identity(rank)]
    inputs = [value]
    if not all(isinstance(e, AffineDimExpr) for e in exprs):
        inputs.append(_empty(builder, shape))
        maps.append(AffineMap.identity(rank))

    def body(block: Block) -> None:
        block.add_op(linalg.YieldOp(block.args[0]))

    return _generic(builder, inputs, _empty(builder, shape), maps, ["parallel"] * rank, body).results[0]


def _products(builder: LocatedBuilder, images: SSAValue, windows: SSAValue, like: linalg.GenericOp) -> linalg.GenericOp:
    """The products of matrices, summed over channels from zero."""
    b, p, f, c = (AffineDimExpr(i) for i in range(4))
    maps = [AffineMap(4, 0, e) for e in ((b, p, c), (b, c, f), (b, p, f))]
    shape = (*shape_of(images)[:2], shape_of(windows)[2])
    zero = filled_with(like.outputs[0])
    assert zero is not None
    start = builder.insert(linalg.FillOp([zero], [_empty(builder, shape)], [TensorType(f32, list(shape))])).results[0]

    def body(block: Block) -> None:
        term = arith.MulfOp(block.args[0], block.args[1])
        total = arith.AddfOp(block.args[2], term)
        block.add_ops([term, total, linalg.YieldOp(total)])

    return _generic(builder, [images, windows], start, maps, ["parallel"] * 3 + ["reduction"], body)


def _generic(
    builder: LocatedBuilder,
    inputs: Sequence[SSAValue],
    out: SSAValue,
    maps: Sequence[AffineMap],
    kinds: Sequence[str],
    fill: Callable[[Block], None],
) -> linalg.GenericOp:
    block = Block(arg_types=[f32] * (len(inputs) + 1))
    fill(block)
    iterators = [IteratorTypeAttr.parallel() if k == "parallel" else IteratorTypeAttr.reduction() for k in kinds]
    op = linalg.GenericOp(inputs, [out], Region(block), [AffineMapAttr(m) for m in maps], iterators, [out.type])
    return builder.insert(op)


def _remark(old: Operation, op: Operation, text: str) -> None:
    """Say something of an op, behind what was said of the old one."""
    before = old.attributes.get(REMARKS)
    said = list(before.data) if isinstance(before, ArrayAttr) else []
    op.attributes[REMARKS] = ArrayAttr([*said, StringAttr(text)])
