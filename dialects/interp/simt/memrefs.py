"""`memref` and the accesses of `affine` in a kernel: loads and stores of elements, and views, which only move addresses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from xdsl.dialects import memref
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    AffineMapAttr,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    IndexType,
    IntegerAttr,
    MemRefType,
)
from xdsl.ir import Operation

from stepwell.dialects.interp.simt.access import check_alignment, load, locate, store
from stepwell.dialects.interp.simt.affine_maps import prepared_map
from stepwell.dialects.interp.simt.block import ThreadBlock, poisoned
from stepwell.dialects.interp.simt.memory import Access, Extent, Memory, MemRef, contiguous, elements
from stepwell.dialects.interp.simt.program import Builder, Prepare, Run
from stepwell.dialects.interp.simt.reports import ReportKind
from stepwell.dialects.interp.simt.values import Value, is_lanes
from stepwell.dialects.kernel import lookup_symbol
from stepwell.ir.dense import dense_to_array
from stepwell.ir.diagnostics import invalid, unsupported
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.interpreter import InterpreterError

Indices = Callable[[Sequence[Value]], Sequence[Value]]


def alignment_of(op: Operation) -> int:
    """The bytes an access claims to be aligned to; 1 when it claims nothing."""
    claimed = op.properties.get("alignment") or op.attributes.get("alignment")
    return claimed.value.data if isinstance(claimed, IntegerAttr) else 1


def index_map(op: Operation) -> Indices:
    """How an op's index operands name an element: as they are, or through its map."""
    attribute = op.properties.get("map")
    if not isinstance(attribute, AffineMapAttr):
        return lambda indices: indices
    return prepared_map(attribute.data)


def finder(op: Operation, spans: tuple[int, ...] = ()) -> Callable[[ThreadBlock, MemRef, Sequence[Value]], Access]:
    """Where an op's index operands lead: to an element, or the vector of shape `spans` that begins there, checked."""
    indices, alignment = index_map(op), alignment_of(op)

    def find(block: ThreadBlock, ref: MemRef, args: Sequence[Value]) -> Access:
        access = locate(block, op, ref, indices(args), spans)
        if alignment > 1:
            check_alignment(block, op, access, alignment)
        return access

    return find


def _load(op: Operation, builder: Builder) -> Run:
    del builder
    find = finder(op)
    is_index = isinstance(op.results[0].type, IndexType)

    def run(block: ThreadBlock, ref: MemRef, *args: Value) -> Sequence[Value]:
        value = load(block, op, find(block, ref, args))
        return (int(value) if is_index and not is_lanes(value) else value,)

    return run


def _store(op: Operation, builder: Builder) -> Run:
    del builder
    find = finder(op)

    def run(block: ThreadBlock, value: Value, ref: MemRef, *args: Value) -> Sequence[Value]:
        store(block, op, find(block, ref, args), value)
        return ()

    return run


def _copy(op: Operation, builder: Builder) -> Run:
    del builder
    source = op.operands[0].type
    assert isinstance(source, MemRefType)
    shape = source.get_shape()
    if DYNAMIC_INDEX in shape:
        raise unsupported(op, f"a thread copies {source}, whose size is not static")

    def run(block: ThreadBlock, origin: MemRef, target: MemRef) -> Sequence[Value]:
        zeros = (0,) * len(shape)
        values = load(block, op, locate(block, op, origin, zeros, shape))
        store(block, op, locate(block, op, target, zeros, shape), values)
        return ()

    return run


def _alloca(op: Operation, builder: Builder) -> Run:
    """Each thread's own memory; the rows of all threads lie one after the other."""
    del builder
    kind = op.results[0].type
    assert isinstance(kind, MemRefType)
    shape = kind.get_shape()
    if DYNAMIC_INDEX in shape:
        raise unsupported(op, f"private memory of type {kind}, whose size is not static")
    dtype = numpy_dtype(kind.element_type)
    return lambda block: (private_memory(block, f"private memory {op.results[0].name_hint or ''}", shape, dtype),)


def private_memory(block: ThreadBlock, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> MemRef:
    """Fresh memory of each thread."""
    count = elements(shape)
    memory = Memory(name.strip(), poisoned(block.count * count * dtype.itemsize), space="private")
    block.launch.watch(memory)
    return contiguous(memory, dtype, block.threads * count, shape)


def _get_global(op: Operation, builder: Builder) -> Run:
    assert isinstance(op, memref.GetGlobalOp)
    name = op.name_.root_reference.data
    found = lookup_symbol(op, name)
    if not isinstance(found, memref.GlobalOp) or not isinstance(found.initial_value, DenseIntOrFPElementsAttr):
        raise invalid(op, f"there is no memref.global @{name} with a value")
    array = np.array(dense_to_array(found.initial_value))
    del builder

    def run(block: ThreadBlock) -> Sequence[Value]:
        ref = block.launch.constants.get(found)
        if ref is None:
            memory = Memory(f"@{name}", array.reshape(-1).view(np.uint8), space="constant", writable=False)
            ref = block.launch.constants[found] = contiguous(memory, array.dtype, 0, array.shape)
        return (ref,)

    return run


def _dim(op: Operation, builder: Builder) -> Run:
    del builder

    def run(block: ThreadBlock, ref: MemRef, dim: Value) -> Sequence[Value]:
        del block
        if is_lanes(dim) or not 0 <= dim < len(ref.shape):
            raise InterpreterError(op, f"dimension {dim} of a memref of rank {len(ref.shape)}")
        return (ref.shape[dim],)

    return run


def _cast(op: Operation, builder: Builder) -> Run:
    del op, builder
    return lambda block, ref: (ref,)


def _assume_alignment(op: Operation, builder: Builder) -> Run:
    del builder
    alignment = alignment_of(op)

    def run(block: ThreadBlock, ref: MemRef) -> Sequence[Value]:
        check_alignment(block, op, Access(ref, (), ref.offset), alignment)
        return (ref,) * len(op.results)

    return run


def _prefetch(op: Operation, builder: Builder) -> Run:
    """A hint, which may point anywhere."""
    del op, builder
    return lambda block, *operands: ()


def mixed(static: DenseArrayBase[Any], dynamic: Sequence[Value]) -> list[Extent]:
    """Static numbers, with operands in the places left open."""
    rest = iter(dynamic)
    return [next(rest) if s == DYNAMIC_INDEX else int(s) for s in static.get_values()]


def _kept_dims(sizes: Sequence[int], shape: Sequence[int]) -> list[int]:
    """Which dimensions of a subview its (rank-reduced) result keeps."""
    kept: list[int] = []
    for axis, size in enumerate(sizes):
        if len(kept) < len(shape) and (shape[len(kept)] == size or DYNAMIC_INDEX in (shape[len(kept)], size)):
            left = len(sizes) - axis - 1
            if size != 1 or left < len(shape) - len(kept) or shape[len(kept)] == 1:
                kept.append(axis)
    return kept


def _subview(op: Operation, builder: Builder) -> Run:
    del builder
    assert isinstance(op, memref.SubviewOp)
    assert isinstance(op.result.type, MemRefType)
    kept = _kept_dims(op.static_sizes.get_values(), op.result.type.get_shape())
    if len(kept) != op.result.type.get_num_dims():
        raise unsupported(op, f"cannot tell which dimensions {op.result.type} keeps")
    first, second = len(op.offsets), len(op.offsets) + len(op.sizes)
    statics = (op.static_offsets, op.static_sizes, op.static_strides)

    def run(block: ThreadBlock, ref: MemRef, *args: Value) -> Sequence[Value]:
        parts = (args[:first], args[first:second], args[second:])
        offsets, sizes, strides = (mixed(s, d) for s, d in zip(statics, parts, strict=True))
        offset = ref.offset
        for dim, (start, size, step) in enumerate(zip(offsets, sizes, strides, strict=True)):
            _check_slice(block, op, ref, dim, (start, size, step))
            offset = offset + start * ref.strides[dim]
        shape = tuple(sizes[d] for d in kept)
        return (MemRef(ref.memory, ref.dtype, offset, shape, tuple(strides[d] * ref.strides[d] for d in kept)),)

    return run


def _check_slice(block: ThreadBlock, op: Operation, ref: MemRef, dim: int, part: tuple[Extent, Extent, Extent]) -> None:
    start, size, step = part
    last = start + (size - 1) * step
    extent = ref.shape[dim]
    fits = (size == 0) | ((size > 0) & (start >= 0) & (start < extent) & (last >= 0) & (last < extent))
    wrong = np.broadcast_to(~np.asarray(fits, np.bool_), (block.count,))
    wrong = wrong if block.active is None else wrong & block.active
    if not wrong.any():
        return
    lanes = np.flatnonzero(wrong)
    numbers = [int(np.broadcast_to(n, (block.count,))[lanes[0]]) for n in (start, size, step, extent)]
    message = "thread {} takes the slice [{} : {} : {}] of dimension {} of {}, whose extent is {}".format(
        lanes[0], *numbers[:3], dim, ref.memory.name, numbers[3]
    )
    block.report(ReportKind.OUT_OF_BOUNDS, op, message, lanes)


def _groups(op: memref.CollapseShapeOp | memref.ExpandShapeOp) -> list[list[int]]:
    return [[int(i.value.data) for i in group.data] for group in op.reassociation.data]


def _collapse(op: Operation, builder: Builder) -> Run:
    del builder
    assert isinstance(op, memref.CollapseShapeOp)
    groups = _groups(op)

    def run(block: ThreadBlock, ref: MemRef) -> Sequence[Value]:
        del block
        shape: list[Extent] = []
        strides: list[Extent] = []
        for group in groups:
            dims = [d for d in group if is_lanes(ref.shape[d]) or ref.shape[d] != 1]
            for outer, inner in pairwise(dims):
                if not np.all(ref.strides[outer] == ref.strides[inner] * ref.shape[inner]):
                    raise InterpreterError(op, f"dimensions {outer} and {inner} do not lie one in the other")
            size: Extent = 1
            for d in dims:
                size = size * ref.shape[d]
            shape.append(size)
            strides.append(ref.strides[dims[-1]] if dims else 1)
        return (MemRef(ref.memory, ref.dtype, ref.offset, tuple(shape), tuple(strides)),)

    return run


def _expand(op: Operation, builder: Builder) -> Run:
    del builder
    assert isinstance(op, memref.ExpandShapeOp)
    groups = _groups(op)
    static = op.static_output_shape

    def run(block: ThreadBlock, ref: MemRef, *args: Value) -> Sequence[Value]:
        del block
        shape = mixed(static, args)
        strides: list[Extent] = [1] * len(shape)
        for dim, group in enumerate(groups):
            step = ref.strides[dim]
            for d in reversed(group):
                strides[d] = step
                step = step * shape[d]
        return (MemRef(ref.memory, ref.dtype, ref.offset, tuple(shape), tuple(strides)),)

    return run


def _view(op: Operation, builder: Builder) -> Run:
    del builder
    kind = op.results[0].type
    assert isinstance(kind, MemRefType)
    dtype, static = numpy_dtype(kind.element_type), kind.get_shape()

    def run(block: ThreadBlock, ref: MemRef, shift: Value, *sizes: Value) -> Sequence[Value]:
        rest = iter(sizes)
        shape = [next(rest) if s == DYNAMIC_INDEX else s for s in static]
        length: Extent = dtype.itemsize
        for size in shape:
            length = length * size
        start = ref.offset + shift
        fits = (shift >= 0) & (length >= 0) & (shift + length <= ref.shape[0])
        _report_where(
            block,
            op,
            ~np.asarray(fits, np.bool_),
            ReportKind.OUT_OF_BOUNDS,
            lambda t: (
                f"thread {t} views {_of(length, t)} bytes from byte {_of(shift, t)} of {ref.memory.name}, which "
                f"has {_of(ref.shape[0], t)}"
            ),
        )
        _report_where(
            block,
            op,
            np.asarray(start % dtype.itemsize != 0),
            ReportKind.MISALIGNED,
            lambda t: f"thread {t} views {dtype} at byte {_of(start, t)} of {ref.memory.name}",
        )
        return (contiguous(ref.memory, dtype, start // dtype.itemsize, shape),)

    return run


def _of(value: Extent, thread: int) -> int:
    return int(value[thread]) if isinstance(value, np.ndarray) else value


def _report_where(
    block: ThreadBlock, op: Operation, wrong: Any, kind: ReportKind, message: Callable[[int], str]
) -> None:
    """Report what is wrong in some active lane."""
    if not wrong.any():
        return
    lanes = np.broadcast_to(wrong, (block.count,))
    lanes = np.flatnonzero(lanes if block.active is None else lanes & block.active)
    if lanes.size:
        block.report(kind, op, message(int(lanes[0])), lanes)


def _reinterpret_cast(op: Operation, builder: Builder) -> Run:
    del builder
    assert isinstance(op, memref.ReinterpretCastOp)
    first, second = len(op.offsets), len(op.offsets) + len(op.sizes)
    statics = (op.static_offsets, op.static_sizes, op.static_strides)

    def run(block: ThreadBlock, ref: MemRef, *args: Value) -> Sequence[Value]:
        parts = (args[:first], args[first:second], args[second:])
        (offset,), sizes, strides = (mixed(s, d) for s, d in zip(statics, parts, strict=True))
        last, count = offset, 1
        for size, stride in zip(sizes, strides, strict=True):
            last = last + (size - 1) * stride
        for size in ref.shape:
            count = count * size
        empty = np.any([np.asarray(size == 0) for size in sizes]) if sizes else np.False_
        _report_where(
            block,
            op,
            ~np.asarray((offset >= 0) & (last < count), np.bool_) & ~empty,
            ReportKind.OUT_OF_BOUNDS,
            lambda t: (
                f"thread {t} casts {ref.memory.name} of {_of(count, t)} elements to a view that ends at element "
                f"{_of(last, t)}"
            ),
        )
        return (MemRef(ref.memory, ref.dtype, ref.offset + offset, tuple(sizes), tuple(strides)),)

    return run


RULES: dict[str, Prepare] = {
    "affine.load": _load,
    "affine.store": _store,
    "memref.alloca": _alloca,
    "memref.assume_alignment": _assume_alignment,
    "memref.cast": _cast,
    "memref.collapse_shape": _collapse,
    "memref.copy": _copy,
    "memref.dim": _dim,
    "memref.expand_shape": _expand,
    "memref.get_global": _get_global,
    "memref.load": _load,
    "memref.memory_space_cast": _cast,
    "memref.prefetch": _prefetch,
    "memref.reinterpret_cast": _reinterpret_cast,
    "memref.store": _store,
    "memref.subview": _subview,
    "memref.view": _view,
}
