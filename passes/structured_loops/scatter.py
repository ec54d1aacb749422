"""`structured.scatter`, `structured.select_and_scatter` and `structured.update_slice` as loops."""

from __future__ import annotations

from xdsl.dialects import memref
from xdsl.dialects.builtin import IndexType
from xdsl.ir import SSAValue

from stepwell.dialects.structured import ScatterOp, SelectAndScatterOp, UpdateSliceOp
from stepwell.passes.bufferization.homes import SliceKey, slice_type
from stepwell.passes.structured_loops.emit import Emitter, Index, Values, memref_shape
from stepwell.passes.structured_loops.vectors import (
    VectorEmitter,
    element_of,
    has_lanes,
    is_contiguous,
    vector_bytes,
    widest,
)


def update_slice_loops(op: UpdateSliceOp) -> None:
    """A copy into a subview at the start, clamped where it is checked."""
    update, target = memref_shape(op.update), memref_shape(op.out)
    if 0 in update:
        return
    emit = Emitter(op)
    offsets: list[Index] = []
    for index, size, extent in zip(op.indices, update, target, strict=True):
        if size == extent:
            offsets.append(0)
            continue
        start = emit.as_index(emit.load(index, []))
        offsets.append(start if op.unchecked is not None else emit.minimum(emit.maximum(start, 0), extent - size))
    if all(n == 1 for n in update):
        emit.store(emit.load(op.update, [0] * len(update)), op.out, offsets)
        return
    key: SliceKey = (tuple(offsets), tuple(update), (1,) * len(update))
    kind = slice_type(op.out.type, key, update)  # pyright: ignore[reportArgumentType]
    place = emit.builder.insert(memref.SubviewOp.get(op.out, *key, kind))
    emit.builder.insert(memref.CopyOp(op.update, place.result))


class _ScatterDims:
    """Which dimension of what goes where, read off the op's dimension numbers."""

    def __init__(self, op: ScatterOp):
        self.operand = memref_shape(op.outs[0])
        self.updates = memref_shape(op.updates[0])
        self.index_rank = len(memref_shape(op.indices))
        self.vector_dim = op.index_vector_dim.value.data
        window = list(op.update_window_dims.get_values())
        self.scatter = [d for d in range(len(self.updates)) if d not in window]
        skipped = [*op.inserted_window_dims.get_values(), *op.input_batching_dims.get_values()]
        kept = [d for d in range(len(self.operand)) if d not in skipped]
        self.window = dict(zip(kept, window, strict=True))
        """Operand dim -> update dim."""
        self.started = {int(d): i for i, d in enumerate(op.scatter_dims_to_operand_dims.get_values())}
        """Operand dim -> position in the index vector."""
        batching = zip(op.input_batching_dims.get_values(), op.scatter_indices_batching_dims.get_values(), strict=True)
        self.batch = {int(d): self.scatter[i - (1 if self.vector_dim < i else 0)] for d, i in batching}
        """Operand dim -> update dim."""


def scatter_loops(op: ScatterOp) -> None:
    """One update element after the other: index vectors in row-major order, the window inside."""
    dims = _ScatterDims(op)
    if 0 in dims.updates or 0 in dims.operand:
        return
    lanes = _lanes(op, dims)
    emit = Emitter(op) if lanes < 2 else VectorEmitter(op, lanes)

    def per_index(at: list[Index]) -> None:
        where = dict(zip(dims.scatter, at, strict=True))
        starts = {d: _start(emit, op, dims, where, i) for d, i in dims.started.items()}
        fixed: SSAValue | None = None
        for dim, start in starts.items():
            if dim not in dims.window and op.unchecked is None:
                fixed = emit.both(fixed, emit.compare(start, "ult", dims.operand[dim]))

        def windows() -> Values:
            _window(emit, op, dims, where, starts)
            return ()

        if fixed is None:
            windows()
        else:
            emit.branch(fixed, [], windows)

    emit.nest([dims.updates[d] for d in dims.scatter], per_index)


def _lanes(op: ScatterOp, dims: _ScatterDims) -> int:
    """Lanes of vectors along the last dim of the window; 0 where it is not contiguous, or may lie outside in part."""
    last = len(dims.operand) - 1
    along = dims.window.get(last)
    if along is None or along != len(dims.updates) - 1 or (last in dims.started and op.unchecked is None):
        return 0
    if dims.updates[along] > dims.operand[last]:
        return 0
    if not all(is_contiguous(v) for v in (*op.updates, *op.outs)):
        return 0
    if not has_lanes(op.update_computation, [element_of(v) for v in op.outs]):
        return 0
    lanes = vector_bytes(op) // widest(op.update_computation)
    return lanes if dims.updates[along] >= lanes else 0


def _window(
    emit: Emitter, op: ScatterOp, dims: _ScatterDims, where: dict[int, Index], starts: dict[int, SSAValue]
) -> None:
    """All of the window of one index, its last dim in vectors where that can be; what fills none, one by one."""
    window = sorted(dims.window.values())

    def elements(first: Index) -> None:
        sizes: list[Index] = [dims.updates[d] for d in window]

        def one(inner: list[Index]) -> None:
            at = where | dict(zip(window, inner, strict=True))
            if first != 0:
                at[window[-1]] = emit.add(at[window[-1]], first)
            _update(emit, op, dims, at, starts)

        if first != 0:
            sizes[-1] = emit.sub(sizes[-1], first)
        emit.nest(sizes, one)

    if not isinstance(emit, VectorEmitter):
        elements(0)
        return
    size, lanes = dims.updates[window[-1]], emit.lanes
    full = size - size % lanes

    def line(inner: list[Index]) -> None:
        at = where | dict(zip(window[:-1], inner, strict=True))

        def vector(i: SSAValue, _: Values) -> Values:
            _update(emit, op, dims, at | {window[-1]: i}, starts, emit)
            return ()

        emit.loop(0, full, lanes, vector)

    emit.nest([dims.updates[d] for d in window[:-1]], line)
    if full < size:
        elements(full)


def _start(emit: Emitter, op: ScatterOp, dims: _ScatterDims, where: dict[int, Index], i: int) -> SSAValue:
    """Element `i` of the index vector of the scatter position `where`."""
    position: list[Index] = [where[d] for d in dims.scatter]
    if dims.vector_dim < dims.index_rank:
        position.insert(dims.vector_dim, i)
    return emit.as_index(emit.load(op.indices, position))


def _update(
    emit: Emitter,
    op: ScatterOp,
    dims: _ScatterDims,
    at: dict[int, Index],
    starts: dict[int, SSAValue],
    lanes: VectorEmitter | None = None,
) -> None:
    """Combine one update element, or with `lanes` a vector of them, if it lies inside of the destination."""
    target: list[Index] = []
    inside: SSAValue | None = None
    for dim, extent in enumerate(dims.operand):
        index: Index = at[dims.window[dim]] if dim in dims.window else 0
        if dim in dims.batch:
            index = emit.add(index, at[dims.batch[dim]])
        if dim in starts:
            index = emit.add(index, starts[dim])
        update_size = dims.updates[dims.window[dim]] if dim in dims.window else 1
        checked = dim in starts and op.unchecked is None
        if dim in dims.window and (checked or update_size > extent):
            inside = emit.both(inside, emit.compare(index, "ult", extent))
        target.append(index)

    source = [at[d] for d in range(len(dims.updates))]

    def combine_lanes() -> Values:
        assert lanes is not None
        current = [lanes.load_lanes(o, target) for o in op.outs]
        incoming = [lanes.load_lanes(u, source) for u in op.updates]
        results = lanes.inline_lanes(op.update_computation, [*current, *incoming])
        for value, out in zip(results, op.outs, strict=True):
            lanes.store_lanes(value, out, target)
        return ()

    def combine() -> Values:
        if lanes is not None:
            return combine_lanes()
        current = [emit.load(o, target) for o in op.outs]
        incoming = [emit.load(u, source) for u in op.updates]
        results = emit.inline(op.update_computation, [*current, *incoming])
        for value, out in zip(results, op.outs, strict=True):
            emit.store(value, out, target)
        return ()

    if inside is None:
        combine()
    else:
        emit.branch(inside, [], combine)


def select_and_scatter_loops(op: SelectAndScatterOp) -> None:
    """Fill with the initial value; then per window, find the selected element and combine into it."""
    emit = Emitter(op)
    initial = emit.load(op.init, [])
    emit.nest(memref_shape(op.out), lambda at: emit.store(initial, op.out, at))
    if 0 in memref_shape(op.out):
        return
    emit.nest(memref_shape(op.source), lambda at: _one_window(emit, op, at))


def _one_window(emit: Emitter, op: SelectAndScatterOp, at: list[Index]) -> None:
    shape = memref_shape(op.operand)
    sizes = [int(n) for n in op.window_dimensions.get_values()]
    strides = [int(n) for n in op.window_strides.get_values()]
    low = [int(n) for n in op.padding_low.get_values()]
    corner = [emit.sub(emit.mul(i, s), p) for i, s, p in zip(at, strides, low, strict=True)]
    zeros = [emit.value(0)] * len(shape)
    start: Values = [emit.boolean(False), emit.load(op.operand, [0] * len(shape)), *zeros]
    found, _, *best = _search(emit, op, corner, sizes, [], start)

    def combine() -> Values:
        (value,) = emit.inline(op.scatter, [emit.load(op.out, best), emit.load(op.source, at)])
        emit.store(value, op.out, best)
        return ()

    emit.branch(found, [], combine)


def _search(
    emit: Emitter, op: SelectAndScatterOp, corner: list[Index], sizes: list[int], offset: list[Index], state: Values
) -> Values:
    """Loops over the window; the state is whether an element was met, the selected one, and its indices."""
    depth = len(offset)
    if depth < len(sizes):
        if sizes[depth] == 1:
            return _search(emit, op, corner, sizes, [*offset, 0], state)
        return emit.loop(0, sizes[depth], 1, lambda i, s: _search(emit, op, corner, sizes, [*offset, i], s), state)
    place = [emit.add(c, o) for c, o in zip(corner, offset, strict=True)]
    inside: SSAValue | None = None
    for index, extent in zip(place, memref_shape(op.operand), strict=True):
        if isinstance(index, int) and 0 <= index < extent:
            continue
        inside = emit.both(inside, emit.compare(index, "ult", extent))
    types = [v.type for v in state]
    if inside is None:
        return _select(emit, op, place, state)
    return emit.branch(inside, types, lambda: _select(emit, op, place, state), lambda: state)


def _select(emit: Emitter, op: SelectAndScatterOp, place: list[Index], state: Values) -> Values:
    """The state after meeting the element at `place`."""
    met, selected, *_ = state
    candidate = emit.load(op.operand, place)
    (stays,) = emit.inline(op.select, [selected, candidate])
    keep = emit.both(met, stays)
    types = [candidate.type, *([IndexType()] * len(place))]
    chosen = emit.branch(keep, types, lambda: state[1:], lambda: [candidate, *(emit.value(i) for i in place)])
    return [emit.boolean(True), *chosen]
