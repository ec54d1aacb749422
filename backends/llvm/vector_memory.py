"""Vectors to and from memory: plain, masked, transfers with masks and out-of-bounds edges, gathers and scatters.

An n-D vector moves row by row (`rows.RowAccess`). No lane outside the mask or outside the buffer is touched. An `alignment`
on the op, in bytes, is of the first element; the other rows have what their distance leaves of it. A transfer with `prefetch`
also asks for the cache lines so many bytes further on, for writing where it writes: a hint, which may point anywhere. One that
is `nontemporal` writes whole cache lines past the caches, where its rows are such; what a function wrote so is seen when it returns.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from xdsl.dialects.builtin import AffineMapAttr, ArrayAttr, DenseArrayBase, IntegerAttr, VectorType
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr

from stepwell.backends.llvm.memref import alignment, nontemporal, prefetch_line
from stepwell.backends.llvm.rows import Place, RowAccess, and_masks, lane_mask, splat
from stepwell.backends.llvm.strategy import GENERIC
from stepwell.backends.llvm.types import (
    element_bytes,
    element_type,
    memory_type,
    row_type,
    scalar_type,
    splat_literal,
    vector_shape,
)
from stepwell.backends.llvm.writer import (
    DYNAMIC,
    Buffer,
    Emitter,
    FunctionWriter,
    Index,
    attribute,
    row_major_strides,
    unsupported,
)
from stepwell.dialects.vector import ContractOp


def _leading(shape: Sequence[int]) -> list[tuple[int, ...]]:
    """The positions of the rows of a vector of `shape`, in order."""
    return list(itertools.product(*(range(n) for n in shape[:-1])))


def load_rows(
    w: FunctionWriter,
    op: Operation,
    buffer: Buffer,
    indices: Sequence[Index],
    type_: VectorType[Attribute],
) -> list[str]:
    """All rows of an unmasked vector load over the buffer's last dims."""
    shape = vector_shape(type_)
    if isinstance(buffer.element, VectorType):
        raise unsupported(op, "memrefs of vectors")
    stride: Index = buffer.strides[-1] if buffer.strides else 1
    access = RowAccess(w, buffer, shape[-1], stride, nontemporal(w, op))
    rank = len(type_.get_shape())
    return [access.read(at) for at in _row_places(w, op, buffer, indices, shape, rank)]


def store_rows(
    w: FunctionWriter,
    op: Operation,
    rows: Sequence[str],
    buffer: Buffer,
    indices: Sequence[Index],
    type_: VectorType[Attribute],
) -> None:
    """All rows of an unmasked vector store over the buffer's last dims."""
    shape = vector_shape(type_)
    stride: Index = buffer.strides[-1] if buffer.strides else 1
    access = RowAccess(w, buffer, shape[-1], stride, nontemporal(w, op, writes=True))
    places = _row_places(w, op, buffer, indices, shape, len(type_.get_shape()))
    for row, at in zip(rows, places, strict=True):
        access.write(row, at)


def _row_places(
    w: FunctionWriter, op: Operation, buffer: Buffer, indices: Sequence[Index], shape: Sequence[int], rank: int
) -> list[Place]:
    """Where each row is. Rows a constant apart share the address of the first."""
    return _moved_places(w, op, buffer, indices, [_dim_steps(p, len(indices), rank) for p in _leading(shape)])


def _dim_steps(position: Sequence[int], dims: int, rank: int) -> dict[int, int]:
    return {dims - rank + d: step for d, step in enumerate(position)}


def _moved_places(
    w: FunctionWriter, op: Operation, buffer: Buffer, indices: Sequence[Index], steps: Sequence[dict[int, int]]
) -> list[Place]:
    """`address(indices)` moved by `steps` (buffer dim -> distance), one place each."""
    base = Place(w.address(buffer, indices), alignment(op, buffer))
    width = element_bytes(buffer.element)
    kind = memory_type(buffer.element)
    places: list[Place] = []
    for moves in steps:
        distance: Index = 0
        for dim, step in moves.items():
            distance = w.add(distance, w.mul(step, buffer.strides[dim]))
        if distance == 0:
            places.append(base)
        elif isinstance(distance, int):
            moved = w.emit(f"getelementptr i8, {buffer.pointer} {base.pointer}, i64 {distance * width}")
            places.append(Place(moved, math.gcd(base.align, distance * width)))
        else:
            moved = w.emit(f"getelementptr {kind}, {buffer.pointer} {base.pointer}, i64 {distance}")
            places.append(Place(moved, width))
    return places


def _load(w: FunctionWriter, op: Operation) -> None:
    result = op.results[0]
    assert isinstance(result.type, VectorType)
    base, *indices = op.operands
    w.values[result] = load_rows(w, op, w.buffer(base), [w.index(i) for i in indices], result.type)


def _store(w: FunctionWriter, op: Operation) -> None:
    value, base, *indices = op.operands
    assert isinstance(value.type, VectorType)
    store_rows(w, op, w.rows(value), w.buffer(base), [w.index(i) for i in indices], value.type)


def _masked_load(w: FunctionWriter, op: Operation) -> None:
    base, *indices, mask, through = op.operands
    buffer = w.buffer(base)
    result = op.results[0]
    assert isinstance(result.type, VectorType)
    access = RowAccess(w, buffer, vector_shape(result.type)[-1], buffer.strides[-1])
    at = Place(w.address(buffer, [w.index(i) for i in indices]), alignment(op, buffer))
    w.values[result] = [access.read(at, w.rows(mask)[0], w.rows(through)[0])]


def _masked_store(w: FunctionWriter, op: Operation) -> None:
    base, *indices, mask, value = op.operands
    buffer = w.buffer(base)
    assert isinstance(value.type, VectorType)
    access = RowAccess(w, buffer, vector_shape(value.type)[-1], buffer.strides[-1])
    at = Place(w.address(buffer, [w.index(i) for i in indices]), alignment(op, buffer))
    access.write(w.rows(value)[0], at, w.rows(mask)[0])


class _Transfer:
    """What `transfer_read` and `transfer_write` share: per row, a place and a mask."""

    def __init__(self, w: FunctionWriter, op: Operation, base: SSAValue, type_: VectorType[Attribute]):
        self.w, self.op = w, op
        self.buffer = w.buffer(base)
        self.shape = vector_shape(type_)
        self.lanes = self.shape[-1]
        amap = attribute(op, "permutation_map")
        assert isinstance(amap, AffineMapAttr)
        self.dims = [_transfer_dim(op, e) for e in amap.data.results]
        if type_.get_num_dims() == 0:
            self.dims = []
        in_bounds = attribute(op, "in_bounds")
        assert isinstance(in_bounds, ArrayAttr)
        flags = [isinstance(b, IntegerAttr) and bool(b.value.data) for b in in_bounds.data]
        self.checked = [not flag and dim is not None for flag, dim in zip(flags, self.dims, strict=True)]

    def rows(self, indices: Sequence[Index], masks: Sequence[str] | None) -> list[tuple[Place, str | None, bool]]:
        """(place, mask, surely out of bounds) of each row."""
        w = self.w
        minor = self._minor_mask(indices)
        positions = _leading(self.shape) if self.dims else [()]
        steps = [self._steps(position) for position in positions]
        places = _moved_places(w, self.op, self.buffer, indices, steps)
        result: list[tuple[Place, str | None, bool]] = []
        for row, (position, at) in enumerate(zip(positions, places, strict=True)):
            inside = self._row_condition(indices, position)
            given = masks[row] if masks is not None else None
            if inside == "false":
                result.append((at, None, True))
                continue
            spread = splat(w, inside, "i1", self.lanes) if inside is not None else None
            result.append((at, and_masks(w, [given, minor, spread], self.lanes), False))
        return result

    def _steps(self, position: Sequence[int]) -> dict[int, int]:
        return {dim: step for dim, step in zip(self.dims, position, strict=False) if dim is not None and step}

    def _limit(self, indices: Sequence[Index], dim: int) -> Index:
        size = self.buffer.sizes[dim]
        if size == DYNAMIC:
            raise unsupported(self.op, f"dim {dim} may end inside the vector, but its size is not known here")
        return self.w.sub(size, indices[dim])

    def _minor_mask(self, indices: Sequence[Index]) -> str | None:
        if not self.dims or not self.checked[-1]:
            return None
        dim = self.dims[-1]
        assert dim is not None
        return lane_mask(self.w, self._limit(indices, dim), self.lanes)

    def _row_condition(self, indices: Sequence[Index], position: Sequence[int]) -> str | None:
        conditions: list[str] = []
        for step, dim, checked in zip(position, self.dims, self.checked, strict=False):
            if not checked or dim is None:
                continue
            limit = self._limit(indices, dim)
            if isinstance(limit, int):
                if step >= limit:
                    return "false"
                continue
            conditions.append(self.w.emit(f"icmp sgt i64 {limit}, {step}"))
        if not conditions:
            return None
        total = conditions[0]
        for condition in conditions[1:]:
            total = self.w.emit(f"and i1 {total}, {condition}")
        return total

    def whole_lines(self) -> bool:
        """Whether rows are cache lines from end to end if the first one is."""
        line, width = self.w.module.strategy.line_bytes, element_bytes(self.buffer.element)
        distances = [self.buffer.strides[d] for d in self.dims[:-1] if d is not None]
        return (
            self.buffer.space == GENERIC
            and self.minor_stride == 1
            and self.lanes * width % line == 0
            and all(isinstance(d, int) and d * width % line == 0 for d in distances)
        )

    @property
    def minor_stride(self) -> Index | None:
        """Distance between lanes, None when the minor dim is a broadcast."""
        if not self.dims:
            return 1
        return None if self.dims[-1] is None else self.buffer.strides[self.dims[-1]]


def _prefetch(transfer: _Transfer, at: Place, writes: bool) -> None:
    """Ask for the lines that a later transfer of this loop will need."""
    ahead = attribute(transfer.op, "prefetch")
    if not isinstance(ahead, IntegerAttr) or ahead.value.data == 0 or transfer.buffer.space != GENERIC:
        return
    w = transfer.w
    if not w.module.strategy.prefetches:
        return
    for offset in range(0, transfer.lanes * element_bytes(transfer.buffer.element), w.module.strategy.line_bytes):
        line = w.emit(f"getelementptr i8, ptr {at.pointer}, i64 {ahead.value.data + offset}")
        prefetch_line(w, line, transfer.buffer, writes=writes, locality=3)


def _transfer_dim(op: Operation, expr: object) -> int | None:
    if isinstance(expr, AffineDimExpr):
        return expr.position
    if isinstance(expr, AffineConstantExpr) and expr.value == 0:
        return None
    raise unsupported(op, f"the permutation map result {expr} is neither a dim nor 0")


def _segments(op: Operation) -> list[int]:
    segments = attribute(op, "operandSegmentSizes")
    assert isinstance(segments, DenseArrayBase)
    return [int(n) for n in segments.get_values()]


def _transfer_read(w: FunctionWriter, op: Operation) -> None:
    result = op.results[0]
    assert isinstance(result.type, VectorType)
    _, index_count, _, mask_count = _segments(op)
    operands = op.operands
    indices = [w.index(i) for i in operands[1 : 1 + index_count]]
    padding = w.scalar(operands[1 + index_count])
    transfer = _Transfer(w, op, operands[0], result.type)
    masks = w.rows(operands[2 + index_count]) if mask_count else None
    name = scalar_type(result.type.element_type)
    stride = transfer.minor_stride
    if stride is None:
        w.values[result] = _read_broadcast(w, op, transfer, indices, padding, masks)
        return
    access = RowAccess(w, transfer.buffer, transfer.lanes, stride, nontemporal(w, op))
    other: str | None = None
    rows: list[str] = []
    for at, mask, outside in transfer.rows(indices, masks):
        _prefetch(transfer, at, writes=False)
        if (outside or mask is not None) and other is None:
            other = splat(w, padding, name, transfer.lanes)
        rows.append(other if outside and other is not None else access.read(at, mask, other))
    w.values[result] = rows


class RowsOnDemand(list[str]):
    """Rows of one element, each read when it is first asked for."""

    def __init__(self, count: int, load: Callable[[int], str]):
        super().__init__([""] * count)
        self._load = load

    def __getitem__(self, row: Any) -> Any:
        known = super().__getitem__(row)
        if known == "":
            known = self._load(row)
            self[row] = known
        return known


def _feeds_contraction(op: Operation) -> bool:
    """Whether a column of numbers is only multiplied with rows, before anything is written.

    Then each number is read where it is multiplied: read all at once they would fill the registers that sums are in.
    """
    result = op.results[0]
    use = result.get_user_of_unique_use()
    if not isinstance(use, ContractOp) or use.parent is not op.parent or use.lhs is not result:
        return False
    if element_type(result.type) != element_type(use.result.type):
        return False
    other = op.next_op
    while other is not None and other is not use:
        if not other.name.startswith(("arith.", "affine.apply", "vector.transfer_read", "vector.contract")):
            return False
        other = other.next_op
    return other is use


def _read_broadcast(
    w: FunctionWriter,
    op: Operation,
    transfer: _Transfer,
    indices: Sequence[Index],
    padding: str,
    masks: Sequence[str] | None,
) -> list[str]:
    """Rows whose lanes all read one element."""
    if masks is not None:
        raise unsupported(op, "a mask with a broadcast minor dim; broadcast in a register instead")
    access = RowAccess(w, transfer.buffer, 1, 1)
    if transfer.lanes == 1 and not any(transfer.checked) and _feeds_contraction(op):
        places = [at for at, _, _ in transfer.rows(indices, None)]
        return RowsOnDemand(len(places), lambda row: access.read(places[row]))
    name = access.name
    rows: list[str] = []
    condition = transfer.lanes
    for at, mask, outside in transfer.rows(indices, None):
        if outside:
            rows.append(splat(w, padding, name, condition))
            continue
        if mask is not None:
            bit = w.emit(f"extractelement <{transfer.lanes} x i1> {mask}, i64 0")
            mask = splat(w, bit, "i1", 1)
        single = access.read(at, mask, splat(w, padding, name, 1))
        value = w.emit(f"extractelement <1 x {name}> {single}, i64 0")
        rows.append(splat(w, value, name, transfer.lanes))
    return rows


def _transfer_write(w: FunctionWriter, op: Operation) -> None:
    if op.results:
        raise unsupported(op, "writing to a tensor (run bufferize)")
    _, _, index_count, mask_count = _segments(op)
    operands = op.operands
    vector = operands[0]
    assert isinstance(vector.type, VectorType)
    indices = [w.index(i) for i in operands[2 : 2 + index_count]]
    masks = w.rows(operands[2 + index_count]) if mask_count else None
    transfer = _Transfer(w, op, operands[1], vector.type)
    stride = transfer.minor_stride
    if stride is None or None in transfer.dims:
        raise unsupported(op, "a broadcast dim in a write")
    access = RowAccess(w, transfer.buffer, transfer.lanes, stride)
    rows: list[tuple[str, Place, str | None]] = []
    for row, (at, mask, outside) in zip(w.rows(vector), transfer.rows(indices, masks), strict=True):
        if not outside:
            _prefetch(transfer, at, writes=True)
            rows.append((row, at, mask))
    if transfer.whole_lines() and all(mask is None for _, _, mask in rows) and nontemporal(w, op):
        _past_caches(w, op, access, rows)
        return
    for row, at, mask in rows:
        access.write(row, at, mask)


def _past_caches(
    w: FunctionWriter, op: Operation, access: RowAccess, rows: Sequence[tuple[str, Place, str | None]]
) -> None:
    """Rows of whole cache lines go to memory without being read first, where they lie on lines: whoever calls knows that only."""
    line = w.module.strategy.line_bytes
    address = w.emit(f"ptrtoint {access.buffer.pointer} {rows[0][1].pointer} to i64")
    begun = w.emit(f"icmp eq i64 {w.emit(f'and i64 {address}, {line - 1}')}, 0")
    past, through, end = w.fresh_labels("past.caches", "through.caches", "stored")
    w.line(f"br i1 {begun}, label %{past}, label %{through}")
    w.start_block(past)
    around = RowAccess(w, access.buffer, access.lanes, 1, nontemporal(w, op, writes=True))
    for row, at, _ in rows:
        around.write(row, Place(at.pointer, line))
    w.branch(end)
    w.start_block(through)
    for row, at, _ in rows:
        access.write(row, at)
    w.branch(end)
    w.start_block(end)


def _indexed(w: FunctionWriter, op: Operation, act: Callable[[RowAccess, int, str, str], None]) -> None:
    """Gather and scatter: call `act(access, row, pointers, mask)` for each row of offsets."""
    base, *indices, offsets, mask, _ = op.operands
    buffer = w.buffer(base)
    if len(buffer.strides) > 1 and row_major_strides(buffer.sizes, base.type) != buffer.strides:
        raise unsupported(op, "the base must have an identity layout (or one dim)")
    stride: Index = buffer.strides[0] if len(buffer.strides) == 1 else 1
    assert isinstance(offsets.type, VectorType)
    lanes = vector_shape(offsets.type)[-1]
    kind = scalar_type(offsets.type.element_type)
    access = RowAccess(w, buffer, lanes, 1)
    pointer = w.address(buffer, [w.index(i) for i in indices])
    for row, (offset, bits) in enumerate(zip(w.rows(offsets), w.rows(mask), strict=True)):
        scaled, row_kind = offset, kind
        if stride != 1:
            if kind != "i64":
                scaled = w.emit(f"sext {row_type(offsets.type)} {scaled} to <{lanes} x i64>")
                row_kind = "i64"
            scaled = w.emit(f"mul <{lanes} x i64> {scaled}, {splat(w, str(stride), 'i64', lanes)}")
        act(access, row, access.pointers(pointer, scaled, row_kind), bits)


def _gather(w: FunctionWriter, op: Operation) -> None:
    through = w.rows(op.operands[-1])
    rows: list[str] = []

    def act(access: RowAccess, row: int, pointers: str, mask: str) -> None:
        rows.append(access.gather(pointers, mask, through[row]))

    _indexed(w, op, act)
    w.values[op.results[0]] = rows


def _scatter(w: FunctionWriter, op: Operation) -> None:
    if op.results:
        raise unsupported(op, "writing to a tensor (run bufferize)")
    values = w.rows(op.operands[-1])
    _indexed(w, op, lambda access, row, pointers, mask: access.scatter(values[row], pointers, mask))


def _create_mask(w: FunctionWriter, op: Operation) -> None:
    result = op.results[0]
    assert isinstance(result.type, VectorType)
    w.values[result] = mask_rows(w, [w.index(s) for s in op.operands], vector_shape(result.type))


def _constant_mask(w: FunctionWriter, op: Operation) -> None:
    result = op.results[0]
    sizes = attribute(op, "mask_dim_sizes")
    assert isinstance(result.type, VectorType)
    assert isinstance(sizes, DenseArrayBase)
    w.values[result] = mask_rows(w, [int(n) for n in sizes.get_values()], vector_shape(result.type))


def mask_rows(w: FunctionWriter, sizes: Sequence[Index], shape: Sequence[int]) -> list[str]:
    """Rows of the mask whose first `sizes[d]` positions of each dim are set."""
    lanes = shape[-1]
    minor = lane_mask(w, sizes[-1], lanes)
    rows: list[str] = []
    for position in _leading(shape):
        parts: list[str | None] = [minor]
        dead = False
        for step, size in zip(position, sizes, strict=False):
            if isinstance(size, int):
                dead = dead or step >= size
            else:
                parts.append(splat(w, w.emit(f"icmp sgt i64 {size}, {step}"), "i1", lanes))
        everything = splat_literal("true", "i1")
        rows.append("zeroinitializer" if dead else and_masks(w, parts, lanes) or everything)
    return rows


def _prefetch_part(w: FunctionWriter, op: Operation) -> None:
    """`kernel.prefetch`: every line of every row, into the cache that packed panels live in, or past it."""
    locality = 2 if attribute(op, "once") is None else 0
    base, *indices = op.operands
    buffer, part = w.buffer(base), attribute(op, "part")
    assert isinstance(part, VectorType)
    if buffer.space != GENERIC or not w.module.strategy.prefetches:
        return
    shape = vector_shape(part)
    places = _row_places(w, op, buffer, [w.index(i) for i in indices], shape, len(part.get_shape()))
    for at in places:
        for offset in range(0, shape[-1] * element_bytes(buffer.element), w.module.strategy.line_bytes):
            line = at.pointer if not offset else w.emit(f"getelementptr i8, ptr {at.pointer}, i64 {offset}")
            prefetch_line(w, line, buffer, writes=False, locality=locality)


EMITTERS: dict[str, Emitter] = {
    "kernel.prefetch": _prefetch_part,
    "vector.constant_mask": _constant_mask,
    "vector.create_mask": _create_mask,
    "vector.gather": _gather,
    "vector.load": _load,
    "vector.maskedload": _masked_load,
    "vector.maskedstore": _masked_store,
    "vector.scatter": _scatter,
    "vector.store": _store,
    "vector.transfer_read": _transfer_read,
    "vector.transfer_write": _transfer_write,
}
