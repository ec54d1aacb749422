"""`memref`: views are arithmetic on `Buffer`s while compiling; loads and stores are LLVM's, aligned to the element."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

from xdsl.dialects.builtin import DenseArrayBase, IntegerAttr, MemRefType, NoneAttr, SymbolRefAttr
from xdsl.ir import Attribute, Operation, SSAValue

from stepwell.backends.llvm.control_flow import emit_loop
from stepwell.backends.llvm.rows import narrowed
from stepwell.backends.llvm.strategy import GENERIC
from stepwell.backends.llvm.types import SUB_BYTE, element_bytes, memory_type, scalar_type
from stepwell.backends.llvm.writer import (
    DYNAMIC,
    Buffer,
    Emitter,
    FunctionWriter,
    Index,
    attribute,
    operand,
    row_major_strides,
    unsupported,
)


def load_scalar(w: FunctionWriter, op: Operation, buffer: Buffer, indices: Sequence[Index], suffix: str = "") -> str:
    """Load one element into its register type."""
    pointer = w.address(buffer, indices)
    element = buffer.element
    text = f"load {memory_type(element)}, {buffer.pointer} {pointer}, align {alignment(op, buffer)}{suffix}"
    name = w.emit(text)
    kind = scalar_type(element)
    return narrowed(w, name, kind) if kind in SUB_BYTE else name


def store_scalar(
    w: FunctionWriter, op: Operation, value: str, buffer: Buffer, indices: Sequence[Index], suffix: str = ""
) -> None:
    """Store one element."""
    register = scalar_type(buffer.element)
    if register in SUB_BYTE:
        value = w.emit(f"zext {register} {value} to i8")
    pointer = w.address(buffer, indices)
    kind = memory_type(buffer.element)
    w.line(f"store {kind} {value}, {buffer.pointer} {pointer}, align {alignment(op, buffer)}{suffix}")


def alignment(op: Operation, buffer: Buffer) -> int:
    """The bytes the address of an access is surely aligned to: what its `alignment` says, or those of an element."""
    given = attribute(op, "alignment")
    width = element_bytes(buffer.element)
    return max(width, given.value.data) if isinstance(given, IntegerAttr) else width


def nontemporal(w: FunctionWriter, op: Operation, *, writes: bool = False) -> str:
    """`, !nontemporal !0` where the op asks for it."""
    flag = attribute(op, "nontemporal")
    if isinstance(flag, IntegerAttr) and flag.value.data:
        w.module.nontemporal = True
        w.bypasses = w.bypasses or writes
        return ", !nontemporal !0"
    return ""


def _load(w: FunctionWriter, op: Operation) -> None:
    memref, *indices = op.operands
    w.values[op.results[0]] = load_scalar(w, op, w.buffer(memref), [w.index(i) for i in indices], nontemporal(w, op))


def _store(w: FunctionWriter, op: Operation) -> None:
    value, memref, *indices = op.operands
    store_scalar(
        w, op, w.scalar(value), w.buffer(memref), [w.index(i) for i in indices], nontemporal(w, op, writes=True)
    )


def _result_type(op: Operation) -> MemRefType[Attribute]:
    type_ = op.results[0].type
    assert isinstance(type_, MemRefType)
    return type_


def _alloca(w: FunctionWriter, op: Operation) -> None:
    type_ = _result_type(op)
    if DYNAMIC in type_.get_shape() or op.operands:
        raise unsupported(op, "stack memory must have a static shape")
    if w.module.strategy.space(type_) != w.module.strategy.stack_space and not isinstance(type_.memory_space, NoneAttr):
        raise unsupported(op, f"memory of this kind is not a thread's own: {type_}")
    align = attribute(op, "alignment")
    w.values[op.results[0]] = allocate(w, type_, align.value.data if isinstance(align, IntegerAttr) else 64)


def allocate(w: FunctionWriter, type_: MemRefType[Attribute], align: int = 64) -> Buffer:
    """Stack memory of a static shape."""
    shape = tuple(type_.get_shape())
    pointer = w.alloca(f"[{math.prod(shape)} x {memory_type(type_.element_type)}]", align)
    w.noalias_roots[pointer] = "noalias"
    strides = row_major_strides(shape, type_)
    return Buffer(pointer, type_.element_type, shape, strides, space=w.module.strategy.stack_space)


def _get_global(w: FunctionWriter, op: Operation) -> None:
    symbol = attribute(op, "name")
    assert isinstance(symbol, SymbolRefAttr)
    type_ = _result_type(op)
    shape = tuple(type_.get_shape())
    name = w.module.use_global(symbol.root_reference.data, op)
    space = w.module.strategy.space(type_)
    w.values[op.results[0]] = Buffer(name, type_.element_type, shape, row_major_strides(shape, type_), space=space)


def _dim(w: FunctionWriter, op: Operation) -> None:
    index = w.index(operand(op, 1))
    if not isinstance(index, int):
        raise unsupported(op, "the dimension must be a constant")
    size = w.buffer(operand(op, 0)).sizes[index]
    if size == DYNAMIC:
        raise unsupported(op, "this size is not known here: dynamic sizes of arguments are not passed to native code")
    w.values[op.results[0]] = str(size)


def _view(w: FunctionWriter, op: Operation) -> None:
    source = w.buffer(operand(op, 0))
    type_ = _result_type(op)
    sizes = _mixed(w, tuple(type_.get_shape()), op.operands[2:])
    offset = source.offset
    shift = w.index(operand(op, 1))
    static, dynamic = source.byte_offset, source.dynamic_bytes
    for part in (offset, shift):
        if isinstance(part, int):
            static += part
        else:
            total = w.add(dynamic if dynamic is not None else 0, part)
            dynamic = str(total)
    strides = row_major_strides(sizes, type_)
    w.values[op.results[0]] = Buffer(source.root, type_.element_type, sizes, strides, static, 0, dynamic, source.space)


def _mixed(w: FunctionWriter, static: Sequence[int], dynamic: Sequence[SSAValue]) -> tuple[Index, ...]:
    rest = iter(dynamic)
    return tuple(w.index(next(rest)) if s == DYNAMIC else s for s in static)


def _offsets_sizes_strides(w: FunctionWriter, op: Operation) -> list[tuple[Index, ...]]:
    """The three mixed lists of `subview` and `reinterpret_cast`."""
    segments = attribute(op, "operandSegmentSizes")
    assert isinstance(segments, DenseArrayBase)
    counts = [int(n) for n in segments.get_values()]
    position = counts[0]
    lists: list[tuple[Index, ...]] = []
    for name, count in zip(("static_offsets", "static_sizes", "static_strides"), counts[1:], strict=True):
        static = attribute(op, name)
        assert isinstance(static, DenseArrayBase)
        lists.append(_mixed(w, [int(s) for s in static.get_values()], op.operands[position : position + count]))
        position += count
    return lists


def _subview(w: FunctionWriter, op: Operation) -> None:
    source = w.buffer(operand(op, 0))
    offsets, sizes, steps = _offsets_sizes_strides(w, op)
    offset = source.offset
    strides: list[Index] = []
    for start, step, stride in zip(offsets, steps, source.strides, strict=True):
        offset = w.add(offset, w.mul(start, stride))
        strides.append(w.mul(step, stride))
    kept = _kept_dims(tuple(_result_type(op).get_shape()), sizes, op)
    w.values[op.results[0]] = replace(
        source, sizes=tuple(sizes[d] for d in kept), strides=tuple(strides[d] for d in kept), offset=offset
    )


def _kept_dims(shape: Sequence[int], sizes: Sequence[Index], op: Operation) -> list[int]:
    """Which dims a rank-reducing subview keeps (dropped ones have size 1, so any choice addresses alike)."""
    kept: list[int] = []
    dropped = len(sizes) - len(shape)
    for position, size in enumerate(sizes):
        wanted = shape[len(kept)] if len(kept) < len(shape) else None
        matches = wanted == (size if isinstance(size, int) else DYNAMIC)
        if size == 1 and dropped and not (matches and dropped < sizes[position:].count(1)):
            dropped -= 1
            continue
        if not matches:
            raise unsupported(op, f"the sizes {list(sizes)} do not reduce to the shape {list(shape)}")
        kept.append(position)
    return kept


def _reinterpret_cast(w: FunctionWriter, op: Operation) -> None:
    source = w.buffer(operand(op, 0))
    offsets, sizes, strides = _offsets_sizes_strides(w, op)
    w.values[op.results[0]] = replace(source, sizes=sizes, strides=strides, offset=offsets[0])


def _same_buffer(w: FunctionWriter, op: Operation) -> None:
    w.values[op.results[0]] = w.buffer(operand(op, 0))


def _reassociation(op: Operation) -> list[list[int]]:
    groups = attribute(op, "reassociation")
    assert groups is not None
    return [[int(i.value.data) for i in group.data] for group in groups.data]  # pyright: ignore


def _expand_shape(w: FunctionWriter, op: Operation) -> None:
    source = w.buffer(operand(op, 0))
    static = attribute(op, "static_output_shape")
    assert isinstance(static, DenseArrayBase)
    sizes = _mixed(w, [int(s) for s in static.get_values()], op.operands[1:])
    strides: list[Index] = [1] * len(sizes)
    for dim, group in enumerate(_reassociation(op)):
        step = source.strides[dim]
        for position in reversed(group):
            strides[position] = step
            if position != group[0]:
                step = w.mul(step, sizes[position])
    w.values[op.results[0]] = replace(source, sizes=sizes, strides=tuple(strides))


def _collapse_shape(w: FunctionWriter, op: Operation) -> None:
    source = w.buffer(operand(op, 0))
    sizes: list[Index] = []
    strides: list[Index] = []
    for group in _reassociation(op):
        size: Index = 1
        for position in group:
            size = w.mul(size, source.sizes[position]) if source.sizes[position] != DYNAMIC else DYNAMIC
        inner = [p for p in group if source.sizes[p] != 1] or group[-1:]
        for outer, next_ in itertools.pairwise(inner):
            pitch, extent, stride = source.strides[next_], source.sizes[next_], source.strides[outer]
            known = isinstance(pitch, int) and isinstance(extent, int) and isinstance(stride, int)
            if known and stride != pitch * extent:  # pyright: ignore[reportOperatorIssue]
                raise unsupported(op, "the collapsed dims are not contiguous")
        sizes.append(size)
        strides.append(source.strides[inner[-1]])
    w.values[op.results[0]] = replace(source, sizes=tuple(sizes), strides=tuple(strides))


def _copy(w: FunctionWriter, op: Operation) -> None:
    source, target = w.buffer(operand(op, 0)), w.buffer(operand(op, 1))
    sizes = [t if s == DYNAMIC else s for s, t in zip(source.sizes, target.sizes, strict=True)]
    if DYNAMIC in sizes:
        raise unsupported(op, "the size to copy is not known")
    if 0 in sizes:
        return
    copy_buffers(w, source, target, sizes)


def copy_buffers(w: FunctionWriter, source: Buffer, target: Buffer, sizes: Sequence[Index]) -> None:
    """Copy element by element of equal shapes: one `memcpy` for the contiguous inner part, loops around it.

    Truth values that are copied are 0 or 1, whatever bytes say so where they come from.
    """
    truth = scalar_type(source.element) == "i1" and source.space == target.space == GENERIC
    inner = len(sizes)
    run: Index = 1
    while inner:
        if sizes[inner - 1] != 1 and not (source.strides[inner - 1] == run == target.strides[inner - 1]):
            break
        run = w.mul(run, sizes[inner - 1])
        if not isinstance(run, int):
            inner -= 1
            break
        inner -= 1

    def body(indices: list[Index]) -> None:
        depth = len(indices)
        if depth < inner:
            emit_loop(w, 0, sizes[depth], 1, lambda i: body([*indices, i]))
            return
        full = [*indices, *([0] * (len(sizes) - depth))]
        width = element_bytes(source.element)
        if truth:
            _copy_truth(w, w.address(source, full), w.address(target, full), run)
            return
        if run == 1:
            kind = memory_type(source.element)
            value = w.emit(f"load {kind}, {source.pointer} {w.address(source, full)}, align {width}")
            w.line(f"store {kind} {value}, {target.pointer} {w.address(target, full)}, align {width}")
            return
        to, from_ = w.address(target, full), w.address(source, full)
        name = f"llvm.memcpy.p{target.space}.p{source.space}.i64"
        w.module.declare(name, f"declare void @{name}({target.pointer}, {source.pointer}, i64, i1)")
        size = w.mul(run, width)
        w.line(
            f"call void @{name}({target.pointer} align {width} {to}, {source.pointer} align {width} {from_}, "
            f"i64 {size}, i1 false)"
        )

    body([])


_TRUTH_LANES = 64


def _copy_truth(w: FunctionWriter, source: str, target: str, count: Index) -> None:
    """Copy so many bytes next to each other as 0 or 1."""

    def move(at: Index, lanes: int) -> None:
        kind = f"<{lanes} x i8>" if lanes > 1 else "i8"
        from_, to = (w.emit(f"getelementptr i8, ptr {p}, i64 {at}") for p in (source, target))
        value = w.emit(f"load {kind}, ptr {from_}, align 1")
        holds = narrowed(w, value, "i1", lanes if lanes > 1 else 0)
        bits = f"<{lanes} x i1>" if lanes > 1 else "i1"
        w.line(f"store {kind} {w.emit(f'zext {bits} {holds} to {kind}')}, ptr {to}, align 1")

    whole: Index = count // _TRUTH_LANES * _TRUTH_LANES if isinstance(count, int) else w.emit(f"and i64 {count}, -64")
    emit_loop(w, 0, whole, _TRUTH_LANES, lambda i: move(i, _TRUTH_LANES))
    emit_loop(w, whole, count, 1, lambda i: move(i, 1))


def _prefetch(w: FunctionWriter, op: Operation) -> None:
    """A hint for one line; where there is no instruction for it, nothing."""
    buffer, *indices = w.buffer(op.operands[0]), *(w.index(i) for i in op.operands[1:])
    writes, locality, data = (attribute(op, name) for name in ("isWrite", "localityHint", "isDataCache"))
    assert isinstance(writes, IntegerAttr)
    assert isinstance(locality, IntegerAttr)
    assert isinstance(data, IntegerAttr)
    if not data.value.data:
        return  # a memref holds no instructions that could run
    prefetch_line(w, w.address(buffer, indices), buffer, writes=bool(writes.value.data), locality=locality.value.data)


def prefetch_line(w: FunctionWriter, pointer: str, buffer: Buffer, *, writes: bool, locality: int) -> None:
    """Ask for the cache line of an address, where the machine can be asked."""
    if not w.module.strategy.prefetches or buffer.space != GENERIC:
        return
    name = "llvm.prefetch.p0"
    w.module.declare(name, f"declare void @{name}(ptr, i32, i32, i32)")
    w.line(f"call void @{name}(ptr {pointer}, i32 {int(writes)}, i32 {locality}, i32 1)")


EMITTERS: dict[str, Emitter] = {
    "memref.alloca": _alloca,
    "memref.assume_alignment": _same_buffer,
    "memref.cast": _same_buffer,
    "memref.collapse_shape": _collapse_shape,
    "memref.copy": _copy,
    "memref.dim": _dim,
    "memref.expand_shape": _expand_shape,
    "memref.get_global": _get_global,
    "memref.load": _load,
    "memref.prefetch": _prefetch,
    "memref.reinterpret_cast": _reinterpret_cast,
    "memref.store": _store,
    "memref.subview": _subview,
    "memref.view": _view,
}
