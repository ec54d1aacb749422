"""Vectors to and from memory: plain, masked, transfers with masks and out-of-bounds edges, gathers and scatters.

An n-D vector moves row by row. A row that is not contiguous in memory moves by a masked gather or scatter, or lane by lane
when nothing is masked. No lane outside the mask or outside the buffer is touched.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from xdsl.dialects.builtin import AffineMapAttr, ArrayAttr, DenseArrayBase, IntegerAttr, VectorType
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr

from stepwell.backends.llvm.arith import suffix_of
from stepwell.backends.llvm.memref import load_at, nontemporal, store_scalar
from stepwell.backends.llvm.types import (
    SUB_BYTE,
    element_bytes,
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


def splat(w: FunctionWriter, value: str, name: str, lanes: int) -> str:
    """A row with every lane equal to a scalar."""
    if value[0] not in "%@":
        return splat_literal(value, name)
    row = f"<{lanes} x {name}>"
    first = w.emit(f"insertelement {row} poison, {name} {value}, i64 0")
    if lanes == 1:
        return first
    return w.emit(f"shufflevector {row} {first}, {row} poison, <{lanes} x i32> zeroinitializer")


def lane_mask(w: FunctionWriter, limit: Index, lanes: int) -> str:
    """The mask of lanes below `limit` (any integer)."""
    if isinstance(limit, int):
        if limit <= 0:
            return "zeroinitializer"
        if limit >= lanes:
            return splat_literal("true", "i1")
        return "<" + ", ".join(f"i1 {'true' if i < limit else 'false'}" for i in range(lanes)) + ">"
    low = w.call("i64", "llvm.smax.i64", [("i64", str(limit)), ("i64", "0")])
    clamped = w.call("i64", "llvm.smin.i64", [("i64", low), ("i64", str(lanes))])
    narrow = splat(w, w.emit(f"trunc i64 {clamped} to i32"), "i32", lanes)
    steps = "<" + ", ".join(f"i32 {i}" for i in range(lanes)) + ">"
    return w.emit(f"icmp ult <{lanes} x i32> {steps}, {narrow}")


def and_masks(w: FunctionWriter, masks: Sequence[str | None], lanes: int) -> str | None:
    """The conjunction of masks; None is all true."""
    known = [m for m in masks if m is not None and m != splat_literal("true", "i1")]
    if not known:
        return None
    result = known[0]
    for mask in known[1:]:
        result = w.emit(f"and <{lanes} x i1> {result}, {mask}")
    return result


class RowAccess:
    """Reads and writes one row of `lanes` elements of a buffer, `stride` elements apart."""

    def __init__(self, w: FunctionWriter, buffer: Buffer, lanes: int, stride: Index, suffix: str = ""):
        self.w = w
        self.element = buffer.element
        self.lanes = lanes
        self.stride = stride
        self.suffix = suffix
        self.name = scalar_type(buffer.element)
        self.memory = memory_type(buffer.element)
        self.width = element_bytes(buffer.element)
        self.row = f"<{lanes} x {self.name}>"
        self.stored = f"<{lanes} x {self.memory}>"

    def _narrow(self, value: str) -> str:
        if self.name not in SUB_BYTE:
            return value
        return self.w.emit(f"trunc {self.stored} {value} to {self.row}")

    def _widen(self, value: str) -> str:
        if self.name not in SUB_BYTE:
            return value
        return self.w.emit(f"zext {self.row} {value} to {self.stored}")

    def _lane_pointers(self, pointer: str) -> str:
        offsets = [f"i64 {self.stride * i}" if isinstance(self.stride, int) else "" for i in range(self.lanes)]
        if isinstance(self.stride, int):
            steps = f"<{', '.join(offsets)}>"
        else:
            counts = "<" + ", ".join(f"i64 {i}" for i in range(self.lanes)) + ">"
            wide = splat(self.w, self.stride, "i64", self.lanes)
            steps = self.w.emit(f"mul <{self.lanes} x i64> {counts}, {wide}")
        return self.pointers(pointer, steps, "i64")

    def pointers(self, pointer: str, offsets: str, kind: str) -> str:
        """`pointer` moved by a vector of element offsets."""
        return self.w.emit(f"getelementptr {self.memory}, ptr {pointer}, <{self.lanes} x {kind}> {offsets}")

    def read(self, pointer: str, mask: str | None = None, other: str | None = None) -> str:
        """The row at `pointer`; lanes outside the mask are those of `other` (a row in register form)."""
        w = self.w
        if mask is None:
            if self.stride == 1 or self.lanes == 1:
                text = f"load {self.stored}, ptr {pointer}, align {self.width}{self.suffix}"
                return self._narrow(w.emit(text))
            return self._read_lanes(pointer)
        if self.stride != 1 and self.lanes != 1:
            return self.gather(self._lane_pointers(pointer), mask, other)
        name = f"llvm.masked.load.{suffix_of(self.memory, self.lanes)}.p0"
        through = self._widen(other) if other is not None else "zeroinitializer"
        mask_type = f"<{self.lanes} x i1>"
        w.module.declare(name, f"declare {self.stored} @{name}(ptr, {mask_type}, {self.stored})")
        loaded = w.emit(
            f"call {self.stored} @{name}(ptr align {self.width} {pointer}, {mask_type} {mask}, {self.stored} {through})"
        )
        return self._narrow(loaded)

    def _read_lanes(self, pointer: str) -> str:
        w, result = self.w, "poison"
        for lane in range(self.lanes):
            offset = w.mul(self.stride, lane)
            at = pointer if offset == 0 else w.emit(f"getelementptr {self.memory}, ptr {pointer}, i64 {offset}")
            value = load_at(w, at, self.element, self.suffix)
            result = w.emit(f"insertelement {self.row} {result}, {self.name} {value}, i64 {lane}")
        return result

    def write(self, value: str, pointer: str, mask: str | None = None) -> None:
        """Store a row at `pointer`."""
        w = self.w
        value = self._widen(value)
        if self.stride != 1 and self.lanes != 1:
            all_lanes = splat_literal("true", "i1")
            self._scatter(value, self._lane_pointers(pointer), mask if mask is not None else all_lanes)
            return
        if mask is None:
            w.line(f"store {self.stored} {value}, ptr {pointer}, align {self.width}{self.suffix}")
            return
        name = f"llvm.masked.store.{suffix_of(self.memory, self.lanes)}.p0"
        mask_type = f"<{self.lanes} x i1>"
        w.module.declare(name, f"declare void @{name}({self.stored}, ptr, {mask_type})")
        w.line(f"call void @{name}({self.stored} {value}, ptr align {self.width} {pointer}, {mask_type} {mask})")

    def gather(self, pointers: str, mask: str, other: str | None) -> str:
        """Lanes read from a vector of pointers."""
        name = f"llvm.masked.gather.{suffix_of(self.memory, self.lanes)}.v{self.lanes}p0"
        through = self._widen(other) if other is not None else "zeroinitializer"
        types = (f"<{self.lanes} x ptr>", f"<{self.lanes} x i1>", self.stored)
        self.w.module.declare(name, f"declare {self.stored} @{name}({', '.join(types)})")
        loaded = self.w.emit(
            f"call {self.stored} @{name}({types[0]} align {self.width} {pointers}, {types[1]} {mask}, "
            f"{types[2]} {through})"
        )
        return self._narrow(loaded)

    def scatter(self, value: str, pointers: str, mask: str) -> None:
        """Lanes written to a vector of pointers, in lane order."""
        self._scatter(self._widen(value), pointers, mask)

    def _scatter(self, value: str, pointers: str, mask: str) -> None:
        name = f"llvm.masked.scatter.{suffix_of(self.memory, self.lanes)}.v{self.lanes}p0"
        types = (self.stored, f"<{self.lanes} x ptr>", f"<{self.lanes} x i1>")
        self.w.module.declare(name, f"declare void @{name}({', '.join(types)})")
        self.w.line(
            f"call void @{name}({types[0]} {value}, {types[1]} align {self.width} {pointers}, {types[2]} {mask})"
        )


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
    return [access.read(pointer) for pointer in _row_pointers(w, buffer, indices, shape, rank)]


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
    access = RowAccess(w, buffer, shape[-1], stride, nontemporal(w, op))
    pointers = _row_pointers(w, buffer, indices, shape, len(type_.get_shape()))
    for row, pointer in zip(rows, pointers, strict=True):
        access.write(row, pointer)


def _row_pointers(
    w: FunctionWriter, buffer: Buffer, indices: Sequence[Index], shape: Sequence[int], rank: int
) -> list[str]:
    """The address of each row. Rows a constant apart share the address of the first."""
    return _offset_pointers(w, buffer, indices, [_dim_steps(p, len(indices), rank) for p in _leading(shape)])


def _dim_steps(position: Sequence[int], dims: int, rank: int) -> dict[int, int]:
    return {dims - rank + d: step for d, step in enumerate(position)}


def _offset_pointers(
    w: FunctionWriter, buffer: Buffer, indices: Sequence[Index], steps: Sequence[dict[int, int]]
) -> list[str]:
    """`address(indices)` moved by `steps` (buffer dim -> distance), one pointer each."""
    base = w.address(buffer, indices)
    width = element_bytes(buffer.element)
    pointers: list[str] = []
    for moves in steps:
        distance: Index = 0
        for dim, step in moves.items():
            distance = w.add(distance, w.mul(step, buffer.strides[dim]))
        if distance == 0:
            pointers.append(base)
        elif isinstance(distance, int):
            pointers.append(w.emit(f"getelementptr i8, ptr {base}, i64 {distance * width}"))
        else:
            kind = memory_type(buffer.element)
            pointers.append(w.emit(f"getelementptr {kind}, ptr {base}, i64 {distance}"))
    return pointers


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
    pointer = w.address(buffer, [w.index(i) for i in indices])
    w.values[result] = [access.read(pointer, w.rows(mask)[0], w.rows(through)[0])]


def _masked_store(w: FunctionWriter, op: Operation) -> None:
    base, *indices, mask, value = op.operands
    buffer = w.buffer(base)
    assert isinstance(value.type, VectorType)
    access = RowAccess(w, buffer, vector_shape(value.type)[-1], buffer.strides[-1])
    access.write(w.rows(value)[0], w.address(buffer, [w.index(i) for i in indices]), w.rows(mask)[0])


class _Transfer:
    """What `transfer_read` and `transfer_write` share: per row, a pointer and a mask."""

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

    def rows(self, indices: Sequence[Index], masks: Sequence[str] | None) -> list[tuple[str, str | None, bool]]:
        """(pointer, mask, surely out of bounds) of each row."""
        w = self.w
        minor = self._minor_mask(indices)
        positions = _leading(self.shape) if self.dims else [()]
        steps = [self._steps(position) for position in positions]
        pointers = _offset_pointers(w, self.buffer, indices, steps)
        result: list[tuple[str, str | None, bool]] = []
        for row, (position, pointer) in enumerate(zip(positions, pointers, strict=True)):
            inside = self._row_condition(indices, position)
            given = masks[row] if masks is not None else None
            if inside == "false":
                result.append((pointer, None, True))
                continue
            spread = splat(w, inside, "i1", self.lanes) if inside is not None else None
            result.append((pointer, and_masks(w, [given, minor, spread], self.lanes), False))
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

    @property
    def minor_stride(self) -> Index | None:
        """Distance between lanes, None when the minor dim is a broadcast."""
        if not self.dims:
            return 1
        return None if self.dims[-1] is None else self.buffer.strides[self.dims[-1]]


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
    for pointer, mask, outside in transfer.rows(indices, masks):
        if (outside or mask is not None) and other is None:
            other = splat(w, padding, name, transfer.lanes)
        rows.append(other if outside and other is not None else access.read(pointer, mask, other))
    w.values[result] = rows


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
    name = access.name
    rows: list[str] = []
    condition = transfer.lanes
    for pointer, mask, outside in transfer.rows(indices, None):
        if outside:
            rows.append(splat(w, padding, name, condition))
            continue
        if mask is not None:
            bit = w.emit(f"extractelement <{transfer.lanes} x i1> {mask}, i64 0")
            mask = splat(w, bit, "i1", 1)
        single = access.read(pointer, mask, splat(w, padding, name, 1))
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
    access = RowAccess(w, transfer.buffer, transfer.lanes, stride, nontemporal(w, op))
    for row, (pointer, mask, outside) in zip(w.rows(vector), transfer.rows(indices, masks), strict=True):
        if not outside:
            access.write(row, pointer, mask)


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


EMITTERS: dict[str, Emitter] = {
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

__all__ = ["EMITTERS", "RowAccess", "lane_mask", "load_rows", "splat", "store_rows", "store_scalar"]
