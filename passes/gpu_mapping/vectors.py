"""Vector ops of a subgroup as a lane's code: each piece of the vector in turn.

Reads and writes go run by run, masked where the run crosses the vector's or the mask's end; a run that is not consecutive in
memory goes element by element.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import gcd, isinf, prod

from xdsl.dialects import arith, memref
from xdsl.dialects import vector as upstream_vector
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    AffineMapAttr,
    ArrayAttr,
    BoolAttr,
    IntegerAttr,
    IntegerType,
    MemRefType,
    VectorType,
    i32,
    i64,
)
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr, AffineExpr, AffineMap

from stepwell.dialects import gpu, nvgpu, vector
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.dtypes import byte_width, float_limits
from stepwell.passes.gpu_mapping.assignment import Transfer, element_of, is_line, is_vector, shape_of
from stepwell.passes.gpu_mapping.contractions import multiply
from stepwell.passes.gpu_mapping.layouts import Layout, LinearLayout, Run
from stepwell.passes.gpu_mapping.places import BASE_ALIGNMENT, Place, access_alignment, place_of
from stepwell.passes.gpu_mapping.state import ALL, NONE, Buffer, Mask, PhaseState
from stepwell.passes.schedules.emit import INDEX, Index, number


def map_vector_op(state: PhaseState, op: Operation, demands: list[Layout]) -> None:
    """Write one op that has vectors among its operands or results; `demands` are the layouts a read is needed in."""
    if isinstance(op, upstream_vector.TransferReadOp):
        for layout in demands:
            state.set_pieces(op.result, layout, read(state, op, layout))
    elif isinstance(op, upstream_vector.TransferWriteOp):
        write(state, op)
    elif isinstance(op, upstream_vector.ReductionOp):
        state.values[op.dest] = reduce(state, op)
    elif isinstance(op, upstream_vector.ExtractOp):
        state.values[op.result] = extract(state, op)
    elif isinstance(op, vector.ContractOp):
        state.set_pieces(op.result, state.assignment.layout(op.result), multiply(state, op))
    elif is_line(op):
        for layout in demands:
            state.set_pieces(op.results[0], layout, state.remade(op.results[0], layout))
    elif isinstance(op, upstream_vector.BroadcastOp):
        if is_vector(op.source):
            repeat(state, op)
    elif not isinstance(op, vector.ConstantMaskOp | upstream_vector.CreateMaskOp | vector.StepOp | arith.ConstantOp):
        elementwise(state, op)


def elementwise(state: PhaseState, op: Operation) -> None:
    """The op on each piece; scalars and buffers are the same for all."""
    layout = state.assignment.layout(op.results[0])
    operands = _operands(state, op, layout)
    results: list[list[SSAValue]] = [[] for _ in op.results]
    kinds = [VectorType(element_of(r), layout.piece) for r in op.results]
    guarded = isinstance(op, vector.GatherOp) and layout.partial
    for i in range(layout.count):
        given = [o[i] for o in operands]
        if guarded:
            # Lanes beyond the vector's end must not follow whatever index they have.
            given[-2] = _inside(state, given[-2], layout, i)
        copy = type(op).create(
            operands=given, result_types=kinds, properties=dict(op.properties), attributes=dict(op.attributes)
        )
        state.em.add(copy)
        for collected, result in zip(results, copy.results, strict=True):
            collected.append(result)
    for result, collected in zip(op.results, results, strict=True):
        state.set_pieces(result, layout, collected)


def _inside(state: PhaseState, mask: SSAValue, layout: Layout, index: int) -> SSAValue:
    bounds = state.mask(None, layout, index, 0)
    if bounds == ALL:
        return mask
    return state.em.add(arith.AndIOp(mask, state.mask_vector(bounds, layout.piece[-1]))).result


def _operands(state: PhaseState, op: Operation, layout: Layout) -> list[Sequence[SSAValue]]:
    """The operands for each piece; a gather's buffer may have more dims than the window that it names."""
    operands: Sequence[SSAValue] = op._operands  # pyright: ignore[reportPrivateUsage]
    address: list[SSAValue] = []
    if isinstance(op, vector.GatherOp):
        address, operands = _address(state, op), (op.index_vec, op.mask, op.pass_thru)
    mapped = [state.pieces(o, layout) if is_vector(o) else [state.value(o)] * layout.count for o in operands]
    return [*([a] * layout.count for a in address), *mapped]


def _address(state: PhaseState, op: vector.GatherOp) -> list[SSAValue]:
    """The buffer, and where in it the element lies that offsets count from."""
    place = place_of(op.base)
    buffer = state.buffer_of(op, place.root)
    if not place.is_run(op.base) or buffer.swizzled:
        raise unsupported(op, "it addresses lanes by offsets, which needs a buffer or a part of one without gaps")
    return [buffer.value, *state.em.indices(state.indices(buffer, place, list(op.indices), {}))]


def repeat(state: PhaseState, op: upstream_vector.BroadcastOp) -> None:
    """A vector repeated along other dims: its pieces were laid out to be those of the result."""
    layout = state.assignment.layout(op.results[0])
    source = state.pieces(op.source, state.assignment.wanted(op, 0))
    state.set_pieces(op.results[0], layout, source)


# Reading and writing.


def _moved(op: Transfer, run: Run) -> dict[int, AffineExpr]:
    """By how much each dim of the window moves for a run."""
    moved: dict[int, AffineExpr] = {}
    for expr, start in zip(op.permutation_map.data.results, run.start, strict=True):
        if isinstance(expr, AffineDimExpr):
            moved[expr.position] = start
        elif not isinstance(expr, AffineConstantExpr):
            raise unsupported(op, f"its map {op.permutation_map.data} has no form on lanes")
    return moved


def _consecutive(op: Transfer, place: Place, layout: Layout) -> bool:
    """Whether elements along the runs of a layout follow each other in memory."""
    if layout.axis is None:
        return False
    along = op.permutation_map.data.results[layout.axis]
    if not isinstance(along, AffineDimExpr):
        return False
    last = len(place.kind.get_shape()) - 1
    return place.dims[along.position] == last and place.strides[along.position] == 1


def _alignment(op: Transfer, place: Place, layout: Layout) -> int:
    """Bytes by which every run is known to be aligned, at most its own size; runs start at multiples of their width."""
    shape = place.kind.get_shape()
    size = byte_width(place.kind.element_type)
    found = access_alignment(place.root, place.at(list(op.indices)))
    for d, expr in enumerate(op.permutation_map.data.results):
        if d == layout.axis or not isinstance(expr, AffineDimExpr) or layout.shape[d] == 1:
            continue
        inner = shape[place.dims[expr.position] + 1 :]
        step = size if DYNAMIC_INDEX in inner else prod(inner) * place.strides[expr.position] * size
        found = gcd(found, step)
    return min(found, size * layout.piece[-1], BASE_ALIGNMENT)


def _register(state: PhaseState, op: Transfer) -> SSAValue | None:
    return state.registers.get(place_of(op.source).root)


def read(state: PhaseState, op: upstream_vector.TransferReadOp, layout: Layout) -> list[SSAValue]:
    """A lane's pieces of what is read."""
    held = _register(state, op)
    if held is not None:
        return [_held(state, held, layout, i) for i in range(layout.count)]
    place = place_of(op.source)
    element = element_of(op.result)
    padding = state.value(op.padding)
    pieces: list[SSAValue] = []
    for i in range(layout.count):
        runs = [
            _read_run(state, op, place, layout, run, state.mask(op.mask, layout, i, r), padding)
            for r, run in enumerate(layout.runs(i))
        ]
        pieces.append(state.from_runs(runs, element, layout))
    return pieces


def _held(state: PhaseState, held: SSAValue, layout: Layout, index: int) -> SSAValue:
    """A piece of a register buffer."""
    em = state.em
    assert isinstance(held.type, MemRefType)
    kind = VectorType(held.type.element_type, layout.piece)
    at = em.indices([index, *(0 for _ in layout.piece)])
    bounds, amap = _transfer(len(at), len(layout.piece))
    return em.add(upstream_vector.TransferReadOp(held, at, em.zero(held.type.element_type), kind, bounds, amap)).result


def _transfer(rank: int, vector_rank: int) -> tuple[ArrayAttr[BoolAttr], AffineMapAttr]:
    bounds = ArrayAttr([BoolAttr.from_bool(True)] * vector_rank)
    return bounds, AffineMapAttr(AffineMap.minor_identity(rank, vector_rank))


def _read_run(
    state: PhaseState,
    op: upstream_vector.TransferReadOp,
    place: Place,
    layout: Layout,
    run: Run,
    mask: Mask,
    padding: SSAValue,
) -> SSAValue:
    em = state.em
    element = element_of(op.result)
    width = layout.piece[-1]
    if mask == NONE:
        return em.add(upstream_vector.BroadcastOp(padding, VectorType(element, [width]))).results[0]
    buffer = state.buffer_of(op, place.root)
    indices = state.indices(buffer, place, list(op.indices), _moved(op, run))
    if layout.axis is None:
        single = _read_at(state, buffer, indices, 1, mask, padding, 0)
        scalar = em.add(upstream_vector.ExtractOp(single, [0], element)).result
        return em.add(upstream_vector.BroadcastOp(scalar, VectorType(element, [width]))).results[0]
    alignment = _alignment(op, place, layout)
    if width == 1 or (_consecutive(op, place, layout) and _fits_chunk(buffer, place, alignment, width)):
        return _read_at(state, buffer, indices, width, mask, padding, alignment)
    line = state.splat(element, (width,))

    def element_at(j: int, each: Mask) -> None:
        nonlocal line
        single = _read_at(state, buffer, _stepped(state, op, place, buffer, layout, run, j), 1, each, padding, 0)
        scalar = em.add(upstream_vector.ExtractOp(single, [0], element)).result
        line = em.add(upstream_vector.InsertOp(scalar, line, [j])).result

    _each_element(state, mask, width, element_at)
    return line


def _fits_chunk(buffer: Buffer, place: Place, alignment: int, width: int) -> bool:
    """A permuted row keeps runs whole only inside of one 16-byte chunk."""
    return not buffer.swizzled or alignment >= width * byte_width(place.kind.element_type)


def _stepped(
    state: PhaseState, op: Transfer, place: Place, buffer: Buffer, layout: Layout, run: Run, j: int
) -> list[Index]:
    """Indices of element j of a run."""
    assert layout.axis is not None
    start = list(run.start)
    start[layout.axis] = start[layout.axis] + j
    return state.indices(buffer, place, list(op.indices), _moved(op, Run(run.prefix, tuple(start))))


def _each_element(state: PhaseState, mask: Mask, width: int, body: Callable[[int, Mask], None]) -> None:
    """`body(j, mask of element j)` for the elements of a run."""
    em = state.em
    for j in range(width):
        if mask == ALL:
            body(j, ALL)
            continue
        if isinstance(mask, SSAValue) and isinstance(mask.type, VectorType):
            bit = em.add(upstream_vector.ExtractOp(mask, [j], IntegerType(1))).result
            body(j, em.add(upstream_vector.BroadcastOp(bit, VectorType(IntegerType(1), [1]))).results[0])
            continue
        assert not isinstance(mask, str)
        body(j, em.apply(AffineExpr.dimension(0) - j, [mask]))


def _read_at(
    state: PhaseState, buffer: Buffer, indices: list[Index], width: int, mask: Mask, padding: SSAValue, alignment: int
) -> SSAValue:
    em = state.em
    kind = buffer.value.type
    assert isinstance(kind, MemRefType)
    bounds, amap = _transfer(len(indices), 1)
    if not indices:
        assert mask == ALL, "without dims there is nothing to mask"
        scalar = em.add(memref.LoadOp.get(buffer.value, [])).res
        return em.add(upstream_vector.BroadcastOp(scalar, VectorType(scalar.type, [1]))).results[0]
    lanes = None if mask == ALL else state.mask_vector(mask, width)
    op = upstream_vector.TransferReadOp(
        buffer.value, em.indices(indices), padding, VectorType(kind.element_type, [width]), bounds, amap, lanes
    )
    if alignment > byte_width(kind.element_type):
        op.attributes["alignment"] = IntegerAttr(alignment, i64)
    return em.add(op).result


def write(state: PhaseState, op: upstream_vector.TransferWriteOp) -> None:
    """Each lane writes its part; parts do not overlap."""
    layout = state.assignment.wanted(op, 0)
    held = _register(state, op)
    if held is None and "async" in op.attributes and _copied(state, op, layout):
        return
    source = op.vector.owner
    if isinstance(source, upstream_vector.TransferReadOp) and "async" in op.attributes and op.vector.has_one_use():
        state.set_pieces(op.vector, layout, read(state, source, layout))
    pieces = state.pieces(op.vector, layout)
    if held is not None:
        for i, piece in enumerate(pieces):
            at = state.em.indices([i, *(0 for _ in layout.piece)])
            bounds, amap = _transfer(len(at), len(layout.piece))
            state.em.add(upstream_vector.TransferWriteOp(piece, held, at, bounds, None, amap))
        return
    place = place_of(op.source)
    for i, piece in enumerate(pieces):
        for r, run in enumerate(layout.runs(i)):
            mask = state.mask(op.mask, layout, i, r)
            if mask != NONE:
                _write_run(state, op, place, layout, run, mask, state.run_of(piece, run))


def _write_run(
    state: PhaseState,
    op: upstream_vector.TransferWriteOp,
    place: Place,
    layout: Layout,
    run: Run,
    mask: Mask,
    value: SSAValue,
) -> None:
    em = state.em
    width = layout.piece[-1]
    buffer = state.buffer_of(op, place.root)
    alignment = _alignment(op, place, layout)
    if width == 1 or (_consecutive(op, place, layout) and _fits_chunk(buffer, place, alignment, width)):
        indices = state.indices(buffer, place, list(op.indices), _moved(op, run))
        _write_at(state, buffer, indices, value, mask, alignment)
        return
    element = element_of(op.vector)

    def element_at(j: int, each: Mask) -> None:
        scalar = em.add(upstream_vector.ExtractOp(value, [j], element)).result
        single = em.add(upstream_vector.BroadcastOp(scalar, VectorType(element, [1]))).results[0]
        _write_at(state, buffer, _stepped(state, op, place, buffer, layout, run, j), single, each, 0)

    _each_element(state, mask, width, element_at)


def _write_at(
    state: PhaseState, buffer: Buffer, indices: list[Index], value: SSAValue, mask: Mask, alignment: int
) -> None:
    em = state.em
    assert isinstance(value.type, VectorType)
    bounds, amap = _transfer(len(indices), 1)
    lanes = None if mask == ALL else state.mask_vector(mask, value.type.get_shape()[0])
    op = upstream_vector.TransferWriteOp(value, buffer.value, em.indices(indices), bounds, lanes, amap)
    if alignment > byte_width(value.type.element_type):
        op.attributes["alignment"] = IntegerAttr(alignment, i64)
    em.add(op)


# Copies that complete later.


def _copied(state: PhaseState, op: upstream_vector.TransferWriteOp, layout: Layout) -> bool:
    """Write a read and its write as asynchronous copies; False when the memory does not allow it."""
    source = op.vector.owner
    if not isinstance(source, upstream_vector.TransferReadOp) or not op.vector.has_one_use() or op.mask is not None:
        return False
    here, there = place_of(source.source), place_of(op.source)
    origin, target = state.buffers.get(here.root), state.buffers.get(there.root)
    if origin is None or target is None or origin.shared or not target.shared or origin.swizzled:
        return False
    width = layout.piece[-1]
    size = width * byte_width(element_of(op.vector))
    if size not in (4, 8, 16) or len(layout.piece) != 1:
        return False
    for transfer, place in ((source, here), (op, there)):
        whole = width == 1 or _consecutive(transfer, place, layout)
        if not whole or _alignment(transfer, place, layout) < size:
            return False
    if source.mask is not None and not _is_prefix(source.mask):
        return False
    if layout.axis is None or layout.shape[layout.axis] % width:
        return False
    for i in range(layout.count):
        run = layout.runs(i)[0]
        mask = state.mask(source.mask, layout, i, 0)
        bounds = state.mask(None, layout, i, 0)
        copy = partial(_copy_run, state, (origin, here, source), (target, there, op), run, width, mask)
        if bounds == ALL:
            copy()
        elif bounds != NONE:
            # A lane beyond the vector's end copies nothing, not even zeros.
            assert not isinstance(bounds, str)
            there_is = state.em.add(arith.CmpiOp(state.em.index(bounds), state.em.index(0), "sgt")).result
            state.when(there_is, copy)
    return True


def _is_prefix(mask: SSAValue) -> bool:
    return isinstance(mask.owner, vector.ConstantMaskOp | upstream_vector.CreateMaskOp)


Side = tuple[Buffer, Place, Transfer]


def _copy_run(state: PhaseState, origin: Side, target: Side, run: Run, width: int, mask: Mask) -> None:
    em = state.em
    sides = [state.indices(b, p, list(t.indices), _moved(t, run)) for b, p, t in (origin, target)]
    count: SSAValue | None = None
    if mask == NONE:
        count = em.index(0)
        sides[0] = [0] * len(sides[0])
    elif mask != ALL:
        assert not isinstance(mask, str)
        bounded = em.minimum(mask, width)
        count = em.add(arith.MaxSIOp(em.index(bounded), em.index(0))).result
        # An address beyond the end is not formed even for a copy of no elements.
        some = em.add(arith.CmpiOp(count, em.index(0), "sgt")).result
        sides[0] = [em.add(arith.SelectOp(some, em.index(i), em.index(0))).result for i in sides[0]]
    whole = width * byte_width(origin[1].kind.element_type) == BASE_ALIGNMENT
    copy = nvgpu.DeviceAsyncCopyOp(
        origin[0].value, em.indices(sides[0]), target[0].value, em.indices(sides[1]), width, count, bypass_l1=whole
    )
    em.add(copy)


# Across lanes.

_NEUTRAL = {
    "add": (-0.0, 0), "mul": (1.0, 1), "maximumf": (float("-inf"), 0), "minimumf": (float("inf"), 0),
    "maxnumf": (float("-inf"), 0), "minnumf": (float("inf"), 0), "and": (0.0, -1), "or": (0.0, 0), "xor": (0.0, 0),
    "maxui": (0.0, 0), "minui": (0.0, -1),
}  # fmt: skip
"""What a lane that holds nothing contributes, per kind of combination: of floats, of integers."""


def neutral_of(kind: str, element: Attribute) -> Attribute:
    """The neutral element of a combining kind."""
    if isinstance(element, IntegerType):
        width = element.width.data
        if kind in ("maxsi", "minsi"):
            if width == 1:
                return IntegerAttr(-1 if kind == "maxsi" else 0, element)
            return IntegerAttr(-(1 << (width - 1)) if kind == "maxsi" else (1 << (width - 1)) - 1, element)
        return IntegerAttr(_NEUTRAL[kind][1], element)
    if element == INDEX:
        return IntegerAttr(_NEUTRAL[kind][1], INDEX)
    value = _NEUTRAL[kind][0]
    if isinf(value):
        value = float_limits(element)[0 if value < 0 else 1]
    return number(element, value)


_COMBINE: dict[str, type[Operation]] = {
    "maximumf": arith.MaximumfOp, "minimumf": arith.MinimumfOp, "maxnumf": arith.MaxnumfOp,
    "minnumf": arith.MinnumfOp, "maxsi": arith.MaxSIOp, "minsi": arith.MinSIOp, "maxui": arith.MaxUIOp,
    "minui": arith.MinUIOp, "and": arith.AndIOp, "or": arith.OrIOp, "xor": arith.XOrIOp,
}  # fmt: skip


def combine(state: PhaseState, kind: str, x: SSAValue, y: SSAValue, element: Attribute) -> SSAValue:
    """`x kind y`, of scalars or vectors."""
    integer = isinstance(element, IntegerType) or element == INDEX
    known: dict[str, type[Operation]] = {
        "add": arith.AddiOp if integer else arith.AddfOp,
        "mul": arith.MuliOp if integer else arith.MulfOp,
    }
    cls = known.get(kind) or _COMBINE[kind]
    return state.em.add(cls(x, y)).results[0]  # pyright: ignore[reportCallIssue]


def reduce(state: PhaseState, op: upstream_vector.ReductionOp) -> SSAValue:
    """All elements combined, in every lane: a lane's pieces, then the elements of the last, then the lanes."""
    em = state.em
    layout = state.assignment.wanted(op, 0)
    if not isinstance(layout, LinearLayout) or len(layout.shape) != 1:
        raise unsupported(op, "its operand is not spread over lanes one by one")
    kind = op.kind.data.value
    element = element_of(op.vector)
    pieces = [_completed(state, p, layout, i, kind, element) for i, p in enumerate(state.pieces(op.vector, layout))]
    while len(pieces) > 1:
        pairs = [combine(state, kind, *pieces[i : i + 2], element) for i in range(0, len(pieces) - 1, 2)]
        pieces = [*pairs, *pieces[len(pieces) - len(pieces) % 2 :]]
    if layout.width == 1:
        own = em.add(upstream_vector.ExtractOp(pieces[0], [0], element)).result
    else:
        own = em.add(
            upstream_vector.ReductionOp.create(
                operands=[pieces[0]], result_types=[element], properties=_reduction_properties(op)
            )
        ).results[0]
    total = em.add(gpu.SubgroupReduceOp(own, kind, uniform=True)).results[0]
    return total if op.acc is None else combine(state, kind, state.value(op.acc), total, element)


def _reduction_properties(op: upstream_vector.ReductionOp) -> dict[str, Attribute]:
    return {name: value for name, value in op.properties.items() if name in ("kind", "fastmath")}


def _completed(
    state: PhaseState, piece: SSAValue, layout: Layout, index: int, kind: str, element: Attribute
) -> SSAValue:
    """A piece with the neutral element where it lies outside of the vector."""
    bounds = state.mask(None, layout, index, 0)
    if bounds == ALL:
        return piece
    rest = state.splat_of(neutral_of(kind, element), element, layout.piece)
    mask = state.mask_vector(bounds, layout.piece[-1])
    return state.em.add(arith.SelectOp(mask, piece, rest)).result


def extract(state: PhaseState, op: upstream_vector.ExtractOp) -> SSAValue:
    """One element in all lanes: from the lane that has it."""
    em = state.em
    layout = state.assignment.wanted(op, 0)
    position = op.static_position.get_values()
    if not isinstance(layout, LinearLayout) or len(layout.shape) != 1 or len(position) != 1 or op.dynamic_position:
        raise unsupported(op, "only one element of a one-dimensional vector can be given to all lanes")
    element = element_of(op.vector)
    if not isinstance(element, IntegerType) and element == INDEX:
        raise unsupported(op, "an index of one lane cannot be given to the others")
    chunk, rest = divmod(position[0], layout.lanes * layout.width)
    lane, within = divmod(rest, layout.width)
    own = em.add(upstream_vector.ExtractOp(state.pieces(op.vector, layout)[chunk], [within], element)).result
    offset, width = (em.constant(IntegerAttr(n, i32), i32) for n in (lane, layout.lanes))
    return em.add(gpu.ShuffleOp(own, offset, width, "idx")).results[0]


__all__ = ["combine", "map_vector_op", "neutral_of", "read", "reduce", "shape_of", "write"]
