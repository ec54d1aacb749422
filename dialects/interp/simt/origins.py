"""Where 16-bit elements came from: followed from memory to the operands of `mma.sync`, in kernels that have one.

Beside a followed value, a companion holds two numbers per element: the *source*, the element of a memref that it was
loaded from last, and the *origin*, the element that one was copied from before it came to shared memory (the source
itself when that lies elsewhere). What was computed, is constant or left out is `UNKNOWN`. Ops that only move elements do
to companions what they do to values; shared memory keeps the origins of what it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from xdsl.dialects import affine, arith, scf
from xdsl.dialects import vector as upstream
from xdsl.dialects.builtin import DYNAMIC_INDEX, FixedBitwidthType, MemRefType, VectorType, i64
from xdsl.ir import Attribute, Block, Operation, OpResult, SSAValue

from stepwell.dialects.gpu import FuncOp
from stepwell.dialects.interp.simt.access import locate
from stepwell.dialects.interp.simt.block import ThreadBlock
from stepwell.dialects.interp.simt.matrix import tile_gatherer
from stepwell.dialects.interp.simt.memory import Access, Extent, MemRef, contiguous, elements, start_of, window
from stepwell.dialects.interp.simt.memrefs import index_map
from stepwell.dialects.interp.simt.program import Builder, Run, Step
from stepwell.dialects.interp.simt.values import Array, Mask, Value, fitted, is_lanes, spread
from stepwell.dialects.nvgpu import DeviceAsyncCopyOp, LdMatrixOp, MmaSyncOp

UNKNOWN = -1
"""The code of no element."""
LEVELS = 2
"""Numbers per element: its source and its origin."""
PLACE_BITS = 44
"""Bits of a code that say where in a memref; those above say in which."""
PLACE_MASK = (1 << PLACE_BITS) - 1
_CELL = 2
"""Bytes of a followed element."""


# Codes of elements.


@dataclass(frozen=True, slots=True)
class View:
    """A memref that elements came from, by its own indices: however it lies in memory, a row is a row."""

    name: str
    offset: int | None
    """None when it differs between the lanes; then it counts as the first index."""
    shape: tuple[int, ...]

    @property
    def width(self) -> int:
        """Elements of a row."""
        return self.shape[-1]

    @property
    def height(self) -> int:
        """Rows of a slot of the leading indices."""
        return self.shape[-2]

    def text(self, place: int) -> str:
        """An element as it is written in IR."""
        size = elements(self.shape)
        inside = place if self.offset is not None else place % size
        return f"{self.name}[{', '.join(str(int(i)) for i in np.unravel_index(inside, self.shape))}]"


@dataclass
class Views:
    """The views of a launch, numbered in the order they are seen."""

    known: list[View] = field(default_factory=list[View])
    _numbers: dict[View, int] = field(default_factory=dict[View, int])

    def codes(self, ref: MemRef, positions: Array, place: Callable[[MemRef], Array]) -> Array:
        """The codes of elements at some positions; `place` tells the positions they would have in another memref."""
        numbered = self._numbered(ref)
        if numbered is None:
            return np.full_like(positions, UNKNOWN)
        first, rows = numbered
        if not any(map(is_lanes, (ref.offset, *ref.strides))) and ref.strides == rows.strides:
            return positions + (first - ref.offset)
        return place(rows) + first

    def _numbered(self, ref: MemRef) -> tuple[int, MemRef] | None:
        """The code of a memref's first element, and a memref that says where the others stand; None when it has no rows."""
        shape = ref.shape
        if len(shape) < 2 or ref.dtype.itemsize != _CELL or any(is_lanes(n) for n in shape):
            return None
        extents = tuple(int(n) for n in shape)
        size, last = elements(extents), ref.memory.data.size // _CELL
        offset = None if is_lanes(ref.offset) else int(ref.offset)
        if size * (1 if offset is not None else last) >= 1 << PLACE_BITS or not size:
            return None
        view = View(ref.memory.name, offset, extents)
        number = self._numbers.get(view)
        if number is None:
            number = self._numbers[view] = len(self.known)
            self.known.append(view)
        first: Extent = 0 if offset is not None else ref.offset * size
        return number << PLACE_BITS, contiguous(ref.memory, ref.dtype, first, extents)

    def size_of(self, code: int) -> tuple[int, int]:
        """Rows and columns of a slot of the memref an element is of."""
        view = self.known[code >> PLACE_BITS]
        return view.height, view.width

    def text(self, code: int) -> str:
        """An element as it is written in IR."""
        return self.known[code >> PLACE_BITS].text(code & PLACE_MASK)


def unknown(shape: Sequence[int]) -> Array:
    """Companions of elements that came from nowhere."""
    return np.full((*shape, LEVELS), UNKNOWN, np.int64)


# Which values are followed.


def has_companion(kind: Attribute) -> bool:
    """True for 16-bit elements, alone or as vectors: what a matrix product takes."""
    element = kind.element_type if isinstance(kind, VectorType) else kind
    return isinstance(element, FixedBitwidthType) and element.bitwidth == 8 * _CELL


def followed(function: FuncOp) -> frozenset[SSAValue]:
    """The values of a kernel that reach a matrix product, or shared memory from which one may be fed."""
    ops = list(function.walk())
    work = [value for op in ops if isinstance(op, MmaSyncOp) for value in (op.a, op.b)]
    if not work:
        return frozenset()
    work += [op.operands[0] for op in ops if op.name in _STORES and _is_shared(op.operands[1])]
    together: dict[SSAValue, list[SSAValue]] = {}
    for op in ops:
        for group in _carried(op) if op.regions else ():
            for value in group:
                together.setdefault(value, []).extend(group)
    found: set[SSAValue] = set()
    while work:
        value = work.pop()
        if value in found or not has_companion(value.type):
            continue
        found.add(value)
        work += together.get(value, ())
        if isinstance(value, OpResult) and _moves_elements(value.op):
            work += value.op.operands
    return frozenset(found)


def _is_shared(value: SSAValue) -> bool:
    return isinstance(value.type, MemRefType) and getattr(value.type.memory_space, "data", None) == "workgroup"


def _carried(op: Operation) -> Iterator[tuple[SSAValue, ...]]:
    """Values that become one another through an op's regions."""
    ends = [tuple(region.block.last_op.operands) for region in op.regions if region.blocks and region.block.last_op]
    match op:
        case scf.ForOp():
            yield from zip(op.iter_args, op.body.block.args[1:], ends[0], op.results, strict=True)
        case affine.ForOp():
            yield from zip(op.inits, op.body.block.args[1:], ends[0], op.results, strict=True)
        case scf.WhileOp():
            yield from zip(op.arguments, op.before_region.block.args, ends[1], strict=True)
            yield from zip(ends[0][1:], op.after_region.block.args, op.results, strict=True)
        case _ if op.results:
            yield from zip(op.results, *ends, strict=True)
        case _:
            return


def _moves_elements(op: Operation) -> bool:
    """True for ops whose results hold elements of their operands, at places that are known."""
    match op:
        case upstream.ExtractOp() | upstream.InsertOp():
            return DYNAMIC_INDEX not in op.static_position.get_values()
        case arith.SelectOp():
            return not isinstance(op.cond.type, VectorType)
        case _:
            return op.name in _MOVES


_MOVES = frozenset({"arith.bitcast", "vector.broadcast", "vector.extract_strided_slice", "vector.shape_cast"})
_LOADS = frozenset({"affine.load", "affine.vector_load", "memref.load", "vector.load", "vector.transfer_read"})
_STORES = frozenset({"affine.store", "affine.vector_store", "memref.store", "vector.store", "vector.transfer_write"})
_OTHER_WRITES = {"memref.atomic_rmw": 1, "memref.copy": 1, "vector.maskedstore": 0, "vector.scatter": 0}
"""Ops that write memory in ways that are not followed, and where they have its memref."""

Check = Callable[[ThreadBlock, MmaSyncOp, Array, Array], None]
"""What is done with the companions of A and B."""


class Origins:
    """Follows elements to the matrix products of one launch, and has `check` look at what arrives."""

    def __init__(self, function: FuncOp, views: Views, check: Check):
        self.views = views
        self._check = check
        self._followed = followed(function)

    def follows(self, value: SSAValue) -> bool:
        """True for a value with a companion."""
        return value in self._followed

    def steps(self, op: Operation, builder: Builder) -> Iterable[Step]:
        """What runs after an op without regions."""
        if isinstance(op, MmaSyncOp):
            yield Step(op, self._product(op), (builder.companion(op.a), builder.companion(op.b)), ())
        elif op.name in _STORES:
            value = op.operands[0]
            own = (builder.companion(value),) if self.follows(value) else ()
            operands = (*own, *(builder.slot(o) for o in op.operands[1:]))
            yield Step(op, self._store(op, bool(own)), operands, ())
        elif isinstance(op, DeviceAsyncCopyOp):
            yield Step(op, self._asynchronous_copy(op), tuple(builder.slot(o) for o in op.operands), ())
        elif op.name in _OTHER_WRITES:
            yield Step(op, _forget, (builder.slot(op.operands[_OTHER_WRITES[op.name]]),), ())
        for result in op.results:
            if self.follows(result):
                yield self._companion_of(op, result, builder)

    def _companion_of(self, op: Operation, result: SSAValue, builder: Builder) -> Step:
        place = (builder.companion(result),)
        operands = tuple(builder.slot(o) for o in op.operands)
        if isinstance(op, LdMatrixOp):
            return Step(op, self._tiles(op), operands, place)
        if op.name in _LOADS:
            return Step(op, self._load(op), operands, place)
        if _moves_elements(op):
            moved = tuple(builder.companion(o) if self.follows(o) else builder.slot(o) for o in op.operands)
            return Step(op, _move(op, builder), moved, place)
        nothing = (unknown(_shape(result.type)),)
        return Step(op, lambda block: nothing, (), place)

    def _product(self, op: MmaSyncOp) -> Run:
        def run(block: ThreadBlock, a: Value, b: Value) -> Sequence[Value]:
            self._check(block, op, spread(a, 3, block.count), spread(b, 3, block.count))
            return ()

        return run

    def _codes(self, block: ThreadBlock, touch: _Touch, ref: MemRef, args: Sequence[Value]) -> tuple[Access, Value]:
        """Where elements lie, and their codes."""
        access = touch.access(block, ref, args)

        def place(rows: MemRef) -> Array:
            return np.asarray(window(rows, start_of(rows, touch.indices(args)), touch.spans))

        codes = self.views.codes(ref, np.asarray(access.positions), place)
        return access, codes if access.mask is None else np.where(access.mask, codes, UNKNOWN)

    def _load(self, op: Operation) -> Run:
        touch = _Touch.of(op, _shape(op.results[0].type))

        def run(block: ThreadBlock, ref: MemRef, *args: Value) -> Sequence[Value]:
            if ref.memory.space == "private":
                return (unknown(touch.spans),)
            access, codes = self._codes(block, touch, ref, args)
            rank = len(touch.spans)
            uniform = access.is_uniform and not is_lanes(codes, rank)
            shape = touch.spans if uniform else (block.count, *touch.spans)
            return (_beside(ref, fitted(codes, shape), fitted(access.positions, shape)),)

        return run

    def _tiles(self, op: LdMatrixOp) -> Run:
        gather = tile_gatherer(op)

        def run(block: ThreadBlock, ref: MemRef, *indices: Value) -> Sequence[Value]:
            positions = gather(block, start_of(ref, indices))
            codes = self.views.codes(ref, positions, lambda rows: gather(block, start_of(rows, indices)))
            return (_beside(ref, codes, positions),)

        return run

    def _store(self, op: Operation, has_origins: bool) -> Run:
        touch = _Touch.of(op, _shape(op.operands[0].type))

        def run(block: ThreadBlock, *args: Value) -> Sequence[Value]:
            companion, ref, indices = (args[0], args[1], args[2:]) if has_origins else (None, args[0], args[1:])
            if ref.memory.space == "workgroup":
                rank = len(touch.spans)
                origins = UNKNOWN if companion is None else spread(companion, rank + 1, block.count)[..., 1]
                _put(block, touch.access(block, ref, indices), origins)
            return ()

        return run

    def _asynchronous_copy(self, op: DeviceAsyncCopyOp) -> Run:
        """Origins are there at once: who reads the elements before they arrive is reported anyway."""
        count, first = op.elements, len(op.src_indices)
        last = first + 1 + len(op.dst_indices)

        def run(block: ThreadBlock, source: MemRef, *args: Value) -> Sequence[Value]:
            target: MemRef = args[first]
            read = None
            if len(args) > last:
                wanted = args[last]
                read = np.arange(count) < (wanted[:, None] if is_lanes(wanted) else wanted)
            origin = _Touch(op, lambda given: given, (count,), mask=read)
            _, codes = self._codes(block, origin, source, args[:first])
            place = _Touch(op, lambda given: given, (count,))
            _put(block, place.access(block, target, args[first + 1 : last]), codes)
            return ()

        return run


@dataclass(frozen=True, slots=True)
class _Touch:
    """How an op accesses memory: `named` makes indices of the first `last` of what follows its memref (of all if None)."""

    op: Operation
    named: Callable[[Sequence[Value]], Sequence[Value]]
    spans: tuple[int, ...]
    last: int | None = None
    mask_place: int | None = None
    mask: Mask | None = None
    may_leave: tuple[bool, ...] = ()

    @staticmethod
    def of(op: Operation, spans: tuple[int, ...]) -> _Touch:
        """How a load or store does it."""
        if not isinstance(op, upstream.TransferReadOp | upstream.TransferWriteOp):
            return _Touch(op, index_map(op), spans)
        rank = len(op.indices)
        place = rank + isinstance(op, upstream.TransferReadOp) if op.mask is not None else None
        leaving = tuple(not bool(claim) for claim in op.in_bounds.data)
        return _Touch(op, lambda given: given, spans, rank, place, None, leaving)

    def indices(self, args: Sequence[Value]) -> Sequence[Value]:
        """The indices of the first element."""
        return self.named(args[: self.last])

    def access(self, block: ThreadBlock, ref: MemRef, args: Sequence[Value]) -> Access:
        """Where the op accesses memory. It just did: it lies inside, unless reports of the contrary are collected."""
        mask = self.mask if self.mask_place is None else args[self.mask_place]
        indices = self.indices(args)
        if any(self.may_leave) or block.launch.reports.limit:
            return locate(block, self.op, ref, indices, self.spans, mask, self.may_leave)
        return Access(ref, self.spans, window(ref, start_of(ref, indices), self.spans), mask)


def _shape(kind: Attribute) -> tuple[int, ...]:
    return kind.get_shape() if isinstance(kind, VectorType) else ()


def _beside(ref: MemRef, sources: Array, positions: Array) -> Array:
    """Companions of elements that lie at some positions of memory."""
    memory = ref.memory
    if memory.space != "workgroup":
        return np.stack([sources, sources], axis=-1)
    if memory.origins is None:
        return np.stack([sources, np.full_like(sources, UNKNOWN)], axis=-1)
    origins = memory.origins.take(positions, mode="clip")
    return np.stack([sources, np.where(sources == UNKNOWN, UNKNOWN, origins)], axis=-1)


def _put(block: ThreadBlock, access: Access, origins: Value) -> None:
    """Keep the origins of what was stored in shared memory."""
    memory, size = access.ref.memory, access.ref.dtype.itemsize
    if memory.origins is None:
        memory.origins = np.full(-(-memory.data.size // _CELL), UNKNOWN, np.int64)
    shape = (block.count, *access.spans)
    positions, values = fitted(access.positions, shape), fitted(origins, shape)
    enabled = access.enabled(block.active)
    if enabled is not None:
        chosen = fitted(enabled, shape)
        positions, values = positions[chosen], values[chosen]
    if size == _CELL:
        memory.origins[positions] = values
        return
    parts = max(1, size // _CELL)  # elements of another size bring no origins
    first = positions * size // _CELL
    memory.origins[first[..., None] + np.arange(parts)] = UNKNOWN


def _forget(block: ThreadBlock, ref: MemRef) -> Sequence[Value]:
    del block
    ref.memory.origins = None
    return ()


def _move(op: Operation, builder: Builder) -> Run:
    """The op's own rule, on companions as vectors of one dimension more."""
    if op.name == "arith.bitcast":
        return lambda block, companion: (companion,)
    stand_ins = Block(arg_types=[_companion_type(o.type) for o in op.operands]).args
    on_companions = type(op).create(
        operands=stand_ins,
        result_types=[_companion_type(r.type) for r in op.results],
        properties=op.properties,
        attributes=op.attributes,
    )
    return builder.rules[op.name](on_companions, builder)


def _companion_type(kind: Attribute) -> Attribute:
    return VectorType(i64, [*_shape(kind), LEVELS]) if has_companion(kind) else kind


__all__ = ["LEVELS", "PLACE_BITS", "PLACE_MASK", "UNKNOWN", "Check", "Origins", "View", "Views", "unknown"]
