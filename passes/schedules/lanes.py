"""Evaluating a nest's body at one point, or at a vector of points along one dim.

A lane value is an SSA scalar (equal for all lanes) or a 1-D vector; what does not vary along the vector dim stays scalar
until a vector meets it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.dialects import arith, tensor
from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.builtin import (
    AffineMapAttr,
    ArrayAttr,
    BoolAttr,
    ComplexType,
    DenseArrayBase,
    IndexType,
    IntegerAttr,
    TensorType,
    VectorType,
    i1,
    i32,
    i64,
)
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, Block, BlockArgument, Operation, SSAValue
from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
    AffineMap,
    AffineSymExpr,
)

from stepwell.dialects import structured, vector
from stepwell.ir.dtypes import byte_width
from stepwell.passes.schedules.emit import INDEX, Emitter, Index, number
from stepwell.passes.schedules.gathered_rows import RowLoops, fetch_next_row
from stepwell.passes.schedules.nest import (
    Access,
    Nest,
    coefficient,
    is_contiguous,
    step_in_memory,
    strides_of,
    uses_dim,
)
from stepwell.passes.schedules.small_floats import narrow


@dataclass(frozen=True)
class Lanes:
    """The vector dims (outermost first), lanes along each, and which lanes count (None: all)."""

    dims: tuple[int, ...]
    shape: tuple[int, ...]
    mask: SSAValue | None = None
    ahead: int = 0
    """Of two vector dims: tiles further along the inner one whose lines are fetched with what is read across."""
    fetch: int = 0
    """Of two vector dims: bytes further on, along each line that is read across, that are fetched with it."""
    picks: bool = False
    """Elements a few apart are picked out of the vectors they lie in, rather than gathered."""

    @property
    def dim(self) -> int:
        """The innermost vector dim."""
        return self.dims[-1]

    @property
    def width(self) -> int:
        """Lanes along the innermost vector dim."""
        return self.shape[-1]


def lanes_along(dim: int, width: int, mask: SSAValue | None = None, picks: bool = False) -> Lanes:
    """Lanes along one dim."""
    return Lanes((dim,), (width,), mask, picks=picks)


@dataclass
class Point:
    """Where the loops are: an index per dim (absolute), and the lanes."""

    index: list[Index]
    lanes: Lanes | None = None


Resolve = Callable[[SSAValue, Sequence[AffineExpr]], Access]
"""Maps a tensor of the original kernel, indexed by expressions, to an access of the new kernel."""


def is_vector(value: SSAValue) -> bool:
    """Whether a lane value varies along the vector dim."""
    return isinstance(value.type, VectorType)


def vector_of(element: Attribute, shape: int | Sequence[int]) -> VectorType:
    """`vector<shape x element>`."""
    return VectorType(element, [shape] if isinstance(shape, int) else list(shape))


def broadcast(em: Emitter, value: SSAValue, shape: int | Sequence[int]) -> SSAValue:
    """A scalar in all lanes; constants become dense constants."""
    if is_vector(value):
        return value
    kind = vector_of(value.type, shape)
    if isinstance(value.owner, arith.ConstantOp) and not isinstance(value.type, IndexType):
        return em.splat(value.owner.value, kind)
    return em.add(upstream_vector.BroadcastOp(value, kind)).results[0]


def all_lanes(em: Emitter, lanes: Lanes) -> SSAValue:
    """The mask as a value."""
    if lanes.mask is not None:
        return lanes.mask
    return em.splat(IntegerAttr(-1, i1), vector_of(i1, lanes.shape))


def _transfer_properties(rank: int, vector_rank: int) -> tuple[ArrayAttr[BoolAttr], AffineMapAttr]:
    in_bounds = ArrayAttr([BoolAttr.from_bool(True)] * vector_rank)
    return in_bounds, AffineMapAttr(AffineMap.minor_identity(rank, vector_rank))


def transfer_read(
    em: Emitter, source: SSAValue, indices: Sequence[Index], shape: Sequence[int], mask: SSAValue | None = None
) -> SSAValue:
    """An in-bounds read of the minor dims; masked-off lanes are zero."""
    assert isinstance(source.type, TensorType)
    element = source.type.element_type
    in_bounds, amap = _transfer_properties(len(indices), len(shape))
    op = upstream_vector.TransferReadOp(
        source, em.indices(indices), em.zero(element), VectorType(element, shape), in_bounds, amap, mask
    )
    return em.add(op).result


def transfer_write(
    em: Emitter,
    value: SSAValue,
    target: SSAValue,
    indices: Sequence[Index],
    mask: SSAValue | None = None,
    ahead: int = 0,
    bypass: bool = False,
) -> SSAValue:
    """An in-bounds write of the minor dims; returns the new tensor.

    `ahead`: bytes further on to have fetched as well; `bypass`: cache lines that are written whole need not be read first.
    """
    assert isinstance(target.type, TensorType)
    assert isinstance(value.type, VectorType)
    in_bounds, amap = _transfer_properties(len(indices), len(value.type.get_shape()))
    op = upstream_vector.TransferWriteOp(value, target, em.indices(indices), in_bounds, mask, amap, target.type)
    prefetching(op, ahead)
    if bypass and mask is None:
        op.attributes["nontemporal"] = BoolAttr.from_bool(True)
    result = em.add(op).result
    assert result is not None
    return result


def prefetching(op: Operation, ahead: int) -> None:
    """Let a transfer fetch the lines so many bytes further on, for a later one: hardware foresees no loads of what is written."""
    if ahead:
        op.attributes["prefetch"] = IntegerAttr(ahead, i64)


def read(em: Emitter, access: Access, point: Point) -> SSAValue:
    """Read an access: scalar, contiguous vector, or gathered; as the small float it is where that is kept wider."""
    value = _read(em, access, point)
    return value if access.small is None else narrow(em, value, access.small)


def _read(em: Emitter, access: Access, point: Point) -> SSAValue:
    lanes = point.lanes
    if lanes is not None and len(lanes.dims) == 2:
        return _read_tile(em, access, point, lanes)
    indices = [em.apply(e, point.index, access.symbols) for e in access.exprs]
    if lanes is None or not uses_dim(access.exprs, lanes.dim):
        return em.add(tensor.ExtractOp(access.value, em.indices(indices), access.element)).result
    if is_contiguous(access.exprs, lanes.dim):
        value = transfer_read(em, access.value, indices, [lanes.width], lanes.mask)
        if access.ahead and lanes.mask is None and isinstance(value.owner, Operation):
            prefetching(value.owner, access.ahead)
        return value
    if lanes.picks and 2 <= steps_apart(access, lanes.dim) <= MOST_APART:
        return _picked(em, access, indices, lanes)
    step = step_in_memory(access, lanes.dim)
    if step is not None:
        return _gather(em, access, indices, _multiples(em, step, lanes.width), lanes)
    return _gather_positions(em, access, point, lanes)


MOST_APART = 4
"""Elements so far apart are still picked out of vectors: beyond, a vector has too few of them."""


def steps_apart(access: Access, dim: int) -> int:
    """By how much a point of `dim` moves along the last dim of a tensor, when along nothing else; 0: otherwise."""
    if not access.exprs or uses_dim(access.exprs[:-1], dim) or access.element == i1:
        return 0
    return coefficient(access.exprs[-1], dim) or 0


def _picked(em: Emitter, access: Access, indices: list[Index], lanes: Lanes) -> SSAValue:
    """Every second (third, fourth) element, out of the vectors that hold them and nothing beyond the last."""
    step, width = steps_apart(access, lanes.dim), lanes.width
    *outer, first = indices
    if lanes.mask is None and step == 2:
        # Of two vectors, the second ends at the last element.
        low = transfer_read(em, access.value, indices, [width])
        last = em.apply(AffineExpr.dimension(0) + (width - 1), [first])
        high = transfer_read(em, access.value, [*outer, last], [width])
        picks = [2 * k if 2 * k < width else 2 * k + 1 for k in range(width)]
        return shuffled(em, low, high, picks)
    wide = transfer_read(em, access.value, indices, [width * step], _spread_mask(em, lanes, step))
    return shuffled(em, wide, wide, [step * k for k in range(width)])


def _spread_mask(em: Emitter, lanes: Lanes, step: int) -> SSAValue:
    """The mask of a vector `step` times as wide, up to the last element that counts."""
    wide = lanes.width * step
    if lanes.mask is None:
        return em.constant_mask([wide - step + 1], [wide])
    owner = lanes.mask.owner
    if isinstance(owner, vector.ConstantMaskOp):
        return em.constant_mask([step * (owner.mask_dim_sizes.get_values()[-1] - 1) + 1], [wide])
    assert isinstance(owner, upstream_vector.CreateMaskOp)
    count = em.apply(AffineExpr.dimension(0) * step - (step - 1), [owner.mask_dim_sizes[-1]])
    return em.add(upstream_vector.CreateMaskOp([em.index(count)], vector_of(i1, wide))).results[0]


def shuffled(em: Emitter, low: SSAValue, high: SSAValue, picks: Sequence[int]) -> SSAValue:
    """The lanes of two vectors that `picks` names, those of the second counted on from those of the first."""
    assert isinstance(low.type, VectorType)
    kind = vector_of(low.type.element_type, len(picks))
    mask = DenseArrayBase.from_list(i64, list(picks))
    op = upstream_vector.ShuffleOp.create(operands=[low, high], result_types=[kind], properties={"mask": mask})
    return em.add(op).results[0]


def is_tile(exprs: Sequence[AffineExpr], dims: Sequence[int]) -> bool:
    """The last two indices step by one along the two dims, nothing else moves."""
    if len(exprs) < 2:
        return False
    outer, inner = dims
    return (
        is_contiguous(exprs, inner)
        and coefficient(exprs[-2], outer) == 1
        and not uses_dim([*exprs[:-2], exprs[-1]], outer)
    )


def _read_tile(em: Emitter, access: Access, point: Point, lanes: Lanes) -> SSAValue:
    """Read for two vector dims: a scalar, a tile (perhaps transposed), a row spread over rows, or row by row."""
    outer, inner = lanes.dims
    if not uses_dim(access.exprs, outer):
        row = Lanes((inner,), (lanes.shape[1],), row_mask(em, lanes))
        value = read(em, access, Point(point.index, row))
        if not is_vector(value):
            return value
        return em.add(upstream_vector.BroadcastOp(value, vector_of(access.element, lanes.shape))).results[0]
    if is_tile(access.exprs, lanes.dims):
        indices = [em.apply(e, point.index, access.symbols) for e in access.exprs]
        return transfer_read(em, access.value, indices, lanes.shape, lanes.mask)
    if lanes.mask is None and is_tile(access.exprs, (inner, outer)):
        indices = [em.apply(e, point.index, access.symbols) for e in access.exprs]
        crossed = transfer_read(em, access.value, indices, (lanes.shape[1], lanes.shape[0]))
        step = step_in_memory(access, inner)
        if lanes.fetch and isinstance(crossed.owner, Operation):
            prefetching(crossed.owner, lanes.fetch)
        elif lanes.ahead and step is not None and isinstance(crossed.owner, Operation):
            prefetching(crossed.owner, lanes.ahead * lanes.shape[1] * step * byte_width(access.element))
        return em.add(vector.TransposeOp(crossed, [1, 0])).result
    if lanes.mask is None and is_contiguous(access.exprs, outer):
        crossed = _read_lines(em, access, point, Lanes((inner, outer), lanes.shape[::-1]))
        return em.add(vector.TransposeOp(crossed, [1, 0])).result
    return _read_lines(em, access, point, lanes)


def _read_lines(em: Emitter, access: Access, point: Point, lanes: Lanes) -> SSAValue:
    """A tile line by line, wherever the lines are."""
    outer, inner = lanes.dims
    rows: list[SSAValue] = []
    for i in range(lanes.shape[0]):
        index = list(point.index)
        index[outer] = em.apply(AffineExpr.dimension(0) + i, [index[outer]])
        line = Lanes((inner,), (lanes.shape[1],), row_mask(em, lanes), picks=lanes.picks)
        value = read(em, access, Point(index, line))
        rows.append(broadcast(em, value, lanes.shape[1]))
    tile = em.splat(number(access.element, 0), vector_of(access.element, lanes.shape))
    for i, row in enumerate(rows):
        tile = em.add(upstream_vector.InsertOp(row, tile, [i])).result
    return tile


def row_mask(em: Emitter, lanes: Lanes) -> SSAValue | None:
    """The mask of one row of a tile (tiles mask columns only)."""
    if lanes.mask is None:
        return None
    assert isinstance(lanes.mask.owner, vector.ConstantMaskOp)
    return em.constant_mask([lanes.mask.owner.mask_dim_sizes.get_values()[-1]], lanes.shape[1:])


def write_tile(
    em: Emitter,
    value: SSAValue,
    target: SSAValue,
    exprs: Sequence[AffineExpr],
    index: Sequence[Index],
    lanes: Lanes,
    ahead: int = 0,
    bypass: bool = False,
) -> SSAValue:
    """Write for two vector dims: a tile at once, or row by row."""
    value = broadcast(em, value, lanes.shape)
    outer = lanes.dims[0]
    if is_tile(exprs, lanes.dims):
        return transfer_write(em, value, target, [em.apply(e, index) for e in exprs], lanes.mask, ahead, bypass)
    assert isinstance(value.type, VectorType)
    for i in range(lanes.shape[0]):
        at = list(index)
        at[outer] = em.apply(AffineExpr.dimension(0) + i, [at[outer]])
        kind = vector_of(value.type.element_type, lanes.shape[1])
        row = em.add(upstream_vector.ExtractOp(value, [i], kind)).result
        target = transfer_write(em, row, target, [em.apply(e, at) for e in exprs], row_mask(em, lanes), ahead, bypass)
    return target


def _multiples(em: Emitter, step: int, width: int) -> SSAValue:
    """The vector 0, step, 2 step, ...: of i32 where they fit, of indices in tensors whose rows are gigabytes apart."""
    element = i32 if abs(step) * width < 1 << 31 else INDEX
    lane = em.add(vector.StepOp(width, element)).result
    return em.add(arith.MuliOp(lane, em.splat(IntegerAttr(step, element), vector_of(element, width)))).result


def _gather(em: Emitter, access: Access, indices: Sequence[Index], offsets: SSAValue, lanes: Lanes) -> SSAValue:
    passed = em.splat_zero(access.element, lanes.width)
    op = vector.GatherOp(access.value, em.indices(indices), offsets, all_lanes(em, lanes), passed)
    return em.add(op).result


def _gather_positions(em: Emitter, access: Access, point: Point, lanes: Lanes) -> SSAValue:
    """Gather where the index is no linear function of the vector dim (floordiv, mod): computed per lane."""
    base = list(point.index)
    vectors: list[SSAValue] = [
        lane_indices(em, point, d) if d == lanes.dim else broadcast(em, em.index(i), lanes.width)
        for d, i in enumerate(base)
    ]
    vectors += [broadcast(em, s, lanes.width) for s in access.symbols]
    positions = [_vector_expr(em, e, vectors, len(base), lanes.width) for e in access.exprs]
    return gather_at(em, access.value, positions, lanes)


def _vector_expr(em: Emitter, expr: AffineExpr, values: list[SSAValue], dims: int, width: int) -> SSAValue:
    if isinstance(expr, AffineDimExpr):
        return values[expr.position]
    if isinstance(expr, AffineSymExpr):
        return values[dims + expr.position]
    if isinstance(expr, AffineConstantExpr):
        return broadcast(em, em.index(expr.value), width)
    assert isinstance(expr, AffineBinaryOpExpr)
    lhs = _vector_expr(em, expr.lhs, values, dims, width)
    rhs = _vector_expr(em, expr.rhs, values, dims, width)
    # Positions of a nest are never negative, so truncating division is floor division.
    ops: dict[AffineBinaryOpKind, type[arith.AddiOp | arith.MuliOp | arith.DivUIOp | arith.RemUIOp]] = {
        AffineBinaryOpKind.Add: arith.AddiOp,
        AffineBinaryOpKind.Mul: arith.MuliOp,
        AffineBinaryOpKind.FloorDiv: arith.DivUIOp,
        AffineBinaryOpKind.Mod: arith.RemUIOp,
    }
    return em.add(ops[expr.kind](lhs, rhs)).results[0]


def gather_at(em: Emitter, base: SSAValue, positions: Sequence[SSAValue], lanes: Lanes) -> SSAValue:
    """Gather `base[positions...]`, positions being index scalars or vectors of index."""
    assert isinstance(base.type, TensorType)
    starts: list[Index] = []
    offsets: SSAValue | None = None
    for position, stride in zip(positions, strides_of(base.type.get_shape()), strict=True):
        if not is_vector(position):
            starts.append(position)
            continue
        starts.append(0)
        kind = vector_of(INDEX, lanes.width)
        term = position
        if stride != 1:
            term = em.add(arith.MuliOp(position, em.splat(IntegerAttr(stride, INDEX), kind))).result
        offsets = term if offsets is None else em.add(arith.AddiOp(offsets, term)).result
    assert offsets is not None
    access = Access(base, ())
    return _gather(em, access, starts, offsets, lanes)


def lane_indices(em: Emitter, point: Point, dim: int) -> SSAValue:
    """The index of `dim` per lane: a scalar, or a vector along the vector dim."""
    lanes = point.lanes
    if lanes is None or dim not in lanes.dims:
        return em.index(point.index[dim])
    if len(lanes.dims) == 2:
        return _tile_indices(em, point, dim, lanes)
    step = em.add(vector.StepOp(lanes.width)).result
    start = broadcast(em, em.index(point.index[dim]), lanes.width)
    return em.add(arith.AddiOp(start, step)).result


def _tile_indices(em: Emitter, point: Point, dim: int, lanes: Lanes) -> SSAValue:
    count = lanes.shape[lanes.dims.index(dim)]
    line = lane_indices(em, Point(point.index, Lanes((dim,), (count,))), dim)
    if dim == lanes.dims[0]:
        line = em.add(vector.ShapeCastOp(line, vector_of(INDEX, [count, 1]))).result
    return em.add(upstream_vector.BroadcastOp(line, vector_of(INDEX, lanes.shape))).results[0]


def write(
    em: Emitter,
    value: SSAValue,
    target: SSAValue,
    indices: Sequence[Index],
    lanes: Lanes | None,
    ahead: int = 0,
    bypass: bool = False,
) -> SSAValue:
    """Write a lane value at (the first lane's) indices; vectors along the last dim, as `transfer_write` does."""
    if lanes is not None:
        ahead = 0 if lanes.mask is not None else ahead
        return transfer_write(em, broadcast(em, value, lanes.width), target, indices, lanes.mask, ahead, bypass)
    return em.add(tensor.InsertOp(value, target, em.indices(indices))).result


def can_vectorize(body: Block | None) -> bool:
    """Whether every op of a body has a vector form."""
    if body is None:
        return True
    for op in body.ops:
        if isinstance(op, linalg.YieldOp | linalg.IndexOp | structured.ElementOp):
            continue
        if isinstance(op, tensor.ExtractOp):
            if not op.indices or isinstance(op.result.type, ComplexType) or op.result.type == i1:
                return False
            continue
        if op.regions or not op.name.startswith(("arith.", "math.")):
            return False
        if any(isinstance(v.type, ComplexType) for v in (*op.operands, *op.results)):
            return False
    return True


class BodyEvaluator:
    """Evaluates one nest's body at points; `resolve` finds the tensors its `tensor.extract`s read."""

    def __init__(self, em: Emitter, nest: Nest, resolve: Resolve):
        self.em = em
        self.nest = nest
        self.resolve = resolve
        self.row_loops: RowLoops | None = None
        """Set where rows that are gathered from are to be fetched ahead."""
        self._steps: dict[SSAValue, SSAValue] = {}
        """Vectors of consecutive indices -> the first of them."""
        self._dims: dict[SSAValue, int] = {}
        """Indices that are one number -> their dim."""

    def __call__(
        self, point: Point, inputs: Sequence[SSAValue | None], accumulators: Sequence[SSAValue | None]
    ) -> list[SSAValue]:
        """The yielded lane values, given those of inputs and accumulators (None where unused)."""
        if self.nest.body is None:
            first = inputs[0]
            assert first is not None
            return [first]
        env: dict[SSAValue, SSAValue] = {}
        for argument, value in zip(self.nest.body.args, (*inputs, *accumulators), strict=True):
            if value is not None:
                env[argument] = value
        for op in self.nest.body.ops:
            if isinstance(op, linalg.YieldOp):
                return [env[o] if o in env else self._outside(o) for o in op.operands]
            self._evaluate(op, env, point)
        raise AssertionError("linalg.generic body without linalg.yield")

    def _outside(self, value: SSAValue) -> SSAValue:
        """A scalar defined outside the body, in the kernel."""
        return self.resolve(value, ()).value

    def _evaluate(self, op: Operation, env: dict[SSAValue, SSAValue], point: Point) -> None:
        em = self.em
        if isinstance(op, linalg.IndexOp):
            dims = self.nest.body_dims
            dim = op.dim.value.data
            dim = dims[dim] if dims else dim
            env[op.result] = lane_indices(em, point, dim)
            if not is_vector(env[op.result]):
                self._dims[env[op.result]] = dim
            if point.lanes is not None and point.lanes.dims == (dim,):
                self._steps[env[op.result]] = em.index(point.index[dim])
        elif isinstance(op, arith.ConstantOp):
            env[op.result] = em.constant(op.value, op.result.type)
        elif isinstance(op, structured.ElementOp):
            env[op.result] = env[op.value] if op.value in env else self._outside(op.value)
        elif isinstance(op, tensor.ExtractOp):
            env[op.result] = self._extract(op, env, point)
        else:
            self._clone(op, env, point)

    def _extract(self, op: tensor.ExtractOp, env: dict[SSAValue, SSAValue], point: Point) -> SSAValue:
        em = self.em
        given = [env[i] if i in env else self._outside(i) for i in op.indices]
        access = self.resolve(op.tensor, [AffineExpr.dimension(d) for d in range(len(given))])
        if all(not is_vector(v) for v in given):
            indices = [em.apply(e, given, access.symbols) for e in access.exprs]
            return em.add(tensor.ExtractOp(access.value, em.indices(indices), access.element)).result
        assert point.lanes is not None
        width = point.lanes.width
        *outer, last = given
        if last in self._steps and not any(is_vector(v) for v in outer):
            starts = [*outer, self._steps[last]]
            if is_contiguous(access.exprs, len(outer)):
                indices = [em.apply(e, starts, access.symbols) for e in access.exprs]
                return transfer_read(em, access.value, indices, [width], point.lanes.mask)
        if list(access.exprs) == [AffineExpr.dimension(d) for d in range(len(given))]:
            self._fetch_row(access.value, given, point)
            return gather_at(em, access.value, given, point.lanes)
        vectors = [broadcast(em, v, width) for v in (*given, *access.symbols)]
        positions = [_vector_expr(em, e, vectors, len(given), width) for e in access.exprs]
        return gather_at(em, access.value, positions, point.lanes)

    def _fetch_row(self, base: SSAValue, given: Sequence[SSAValue], point: Point) -> None:
        """Fetch of the row that is gathered from next, where the loop outside goes from row to row."""
        loops, lanes = self.row_loops, point.lanes
        if loops is None or lanes is None or any(is_vector(v) for v in given[:-1]):
            return
        moved = [i for i, v in enumerate(given[:-1]) if self._dims.get(v) == loops.dim]
        if len(moved) == 1:
            fetch_next_row(self.em, loops, base, given, moved[0], point.index[lanes.dim], lanes.width)

    def _clone(self, op: Operation, env: dict[SSAValue, SSAValue], point: Point) -> None:
        operands = [env[o] if o in env else self._outside(o) for o in op._operands]  # pyright: ignore[reportPrivateUsage]
        results: Sequence[Attribute] = [r.type for r in op.results]
        if any(is_vector(o) for o in operands):
            assert point.lanes is not None
            shape = point.lanes.shape
            operands = [broadcast(self.em, o, shape) for o in operands]
            results = [vector_of(t, shape) for t in results]
        copy = type(op).create(
            operands=operands,
            result_types=results,
            properties=dict(op.properties),
            attributes=dict(op.attributes),
        )
        self.em.add(copy)
        for old, new in zip(op.results, copy.results, strict=True):
            env[old] = new
        if isinstance(op, arith.AddiOp) and is_vector(copy.results[0]):
            self._note_step(op, env)

    def _note_step(self, op: arith.AddiOp, env: dict[SSAValue, SSAValue]) -> None:
        """Consecutive indices plus one number are consecutive."""
        for step, other in ((op.lhs, op.rhs), (op.rhs, op.lhs)):
            first = self._steps.get(env.get(step, step))
            added = env[other] if other in env else self._outside(other)
            if first is not None and not is_vector(added):
                self._steps[env[op.result]] = self.em.add(arith.AddiOp(first, added)).result
                return


def evaluate_on_tile(
    em: Emitter,
    nests: Sequence[Nest],
    resolve: Resolve,
    values: dict[SSAValue, SSAValue],
    point: Point,
    read_at: Callable[[Access], SSAValue],
) -> None:
    """Add to `values`, what is known on a tile, the results there of pointwise nests that read them (or `read_at`)."""
    assert point.lanes is not None

    def given(nest: Nest, position: int) -> SSAValue | None:
        access = nest.inputs[position]
        if nest.body is not None and unused(nest.body.args[position]):
            return None
        if not isinstance(access, Access):
            return access
        return values[access.value] if access.value in values else read_at(access)

    for nest in nests:
        em.location = nest.location
        inputs = [given(nest, i) for i in range(len(nest.inputs))]
        results = BodyEvaluator(em, nest, resolve)(point, inputs, [None] * len(nest.outputs))
        for output, value in zip(nest.outputs, results, strict=True):
            values[output.original] = broadcast(em, value, point.lanes.shape)


def unused(argument: BlockArgument) -> bool:
    """Whether a body never looks at an argument."""
    return argument.first_use is None
