"""`structured.top_k` as loops: what beats the k-th best so far is set aside, and the best of it kept when there is no more room.

An entry is an integer of 64 bits: the key of an element (smaller is better) above its position, so that no two are equal and
earlier elements win. A buffer holds the best k in order and behind them what has been set aside since; when a block of
elements might not fit, the buffer is sorted (`sort_network`) and its first k stay. Elements are compared as vectors of 32-bit
keys with the key of the k-th entry: blocks in which nothing beats it cost that comparison. In order, an equal key comes too late.
"""

from __future__ import annotations

from xdsl.dialects import arith
from xdsl.dialects import vector as upstream
from xdsl.dialects.builtin import IntegerAttr, IntegerType, TensorType, VectorType, i1, i32, i64
from xdsl.dialects.vector import CombiningKindAttr, CombiningKindFlag
from xdsl.ir import Attribute, Operation, SSAValue

from stepwell.dialects import vector
from stepwell.dialects.structured import TopKOp, element_type_of, shape_of
from stepwell.ir.diagnostics import unsupported
from stepwell.ir.dtypes import byte_width
from stepwell.passes.structured_loops.emit import Index, Values
from stepwell.passes.structured_loops.sort_network import BLOCK, Network
from stepwell.passes.structured_loops.vectors import VectorEmitter, vector_bytes

VECTORS = 4
"""Vectors of a block."""
SMALLEST = 16
"""Bytes of the vectors of a task that the schedule gave none: the least that networks are made for."""
ENTRIES = 128
"""Entries of a buffer at least."""
WORST = (1 << 63) - 1
"""What no entry is better than."""


def vector_width(op: TopKOp) -> int:
    """Bytes of a vector."""
    return vector_bytes(op) or SMALLEST


def block_length(op: TopKOp) -> int:
    """Elements that are compared before the next."""
    return VECTORS * vector_width(op) // 4


def room(op: TopKOp) -> int:
    """Entries of the buffer, a power of two: k twice, or k and two blocks."""
    k, block = shape_of(op.outs[0])[-1], block_length(op)
    return 1 << (max(ENTRIES, 2 * k, k + 2 * block) - 1).bit_length()


def top_k_buffers(op: TopKOp) -> list[TensorType]:
    """What the lines of a task are selected in: entries in rows, which networks sort, entries in order, keys of a block."""
    lanes, entries = vector_width(op) // 8, room(op)
    shapes = (([entries // lanes, lanes], i64), ([entries], i64), ([block_length(op)], i32))
    return [TensorType(kind, shape) for shape, kind in shapes]


def top_k_loops(op: TopKOp) -> None:
    """Emit the loops of a selection on memrefs in front of it.

    Raises:
        UnsupportedError: there is no scratch, or an element has no key of 32 bits.
    """
    if not op.scratch:
        raise unsupported(op, "there is no scratch to select in", "run bufferize, which adds it")
    if byte_width(element_type_of(op.input)) > 4 or element_type_of(op.input) == i1:
        raise unsupported(op, f"elements of {element_type_of(op.input)}", "sort them, and take the first")
    emit = VectorEmitter(op, vector_width(op) // 8)
    emit.nest(emit.sizes(op.input)[:-1], _Selection(op, emit).line)


class _Selection:
    """Selects from the lines of one op."""

    def __init__(self, op: TopKOp, emit: VectorEmitter):
        self.op = op
        self.emit = emit
        self.rows, self.entries, self.keys = op.scratch
        self.room = room(op)
        self.block = block_length(op)
        self.length, self.k = shape_of(op.input)[-1], shape_of(op.outs[0])[-1]
        self.kind = element_type_of(op.input)

    def line(self, position: list[Index]) -> None:
        """One line: its first elements are entries at once, the others by blocks; the last step only sorts."""
        emit, n, size = self.emit, self.length, self.block
        first = n if n <= self.room else self.room - (self.room - n) % size
        self._begin(position, first)
        best = emit.builder.insert(arith.ConstantOp(IntegerAttr(0, i32))).result

        def step(base: SSAValue, state: Values) -> Values:
            is_last = emit.compare(base, "eq", n)
            full = emit.compare(emit.add(state[0], size), "sgt", self.room)
            either = emit.builder.insert(arith.OrIOp(full, is_last)).result
            types = [v.type for v in state]
            state = emit.branch(either, types, lambda: self._sorted(state[0]), lambda: state)
            return emit.branch(is_last, types, lambda: state, lambda: self._compared(position, base, state))

        emit.loop(first, n + 1, size, step, [emit.value(first), best])
        emit.loop(0, self.k, 1, lambda i, _: self._result(position, i) or ())

    # Entries.

    def _begin(self, position: list[Index], count: int) -> None:
        """The first elements as entries."""
        emit, lanes = self.emit, self.emit.lanes
        full = count - count % lanes

        def vector_at(base: Index, mask: SSAValue | None = None) -> None:
            keys = self._keys(emit.load_lanes(self.op.input, [*position, base], mask), lanes)
            wide = self._add(arith.ExtSIOp(keys, VectorType(i64, [lanes])))  # pyright: ignore[reportArgumentType]
            steps = emit.builder.insert(vector.StepOp(lanes, i64)).result
            number = emit.builder.insert(arith.IndexCastOp(emit.value(base), i64)).result
            places = self._add(arith.AddiOp(emit.broadcast(number), steps))
            high = self._add(arith.ShLIOp(wide, self._all(32, i64, lanes)))
            emit.store_lanes(self._add(arith.OrIOp(high, places)), self.entries, [base], mask)

        emit.loop(0, full, lanes, lambda base, _: vector_at(base) or ())
        if full < count:
            vector_at(full, emit.mask(count - full))

    def _sorted(self, count: SSAValue) -> Values:
        """Sort the entries so far; returns how many stay, and the key that others have to beat."""
        emit, lanes = self.emit, self.emit.lanes
        worst = emit.builder.insert(arith.ConstantOp(IntegerAttr(WORST, i64))).result
        emit.loop(count, self.room, 1, lambda i, _: emit.store(worst, self.entries, [i]) or ())

        def row(i: SSAValue, _: Values) -> Values:
            emit.store_lanes(emit.load_lanes(self.entries, [emit.mul(i, lanes)]), self.rows, [i, 0])
            return ()

        emit.loop(0, self.room // lanes, 1, row)
        network = Network(emit, self.rows, BLOCK if lanes >= 8 else BLOCK // 2)
        network.sort()
        network.linearize(self.entries, 0)
        last = emit.load(self.entries, [self.k - 1])
        bits = emit.builder.insert(arith.ConstantOp(IntegerAttr(32, i64))).result
        high = self._add(arith.ShRSIOp(last, bits))
        return [emit.value(self.k), emit.builder.insert(arith.TruncIOp(high, i32)).result]

    def _result(self, position: list[Index], i: SSAValue) -> None:
        """The i-th best: its position, from its entry, and the element there."""
        emit = self.emit
        values, positions = self.op.outs
        place = emit.builder.insert(arith.TruncIOp(emit.load(self.entries, [i]), i32)).result
        at = emit.as_index(place)
        emit.store(emit.load(self.op.input, [*position, at]), values, [*position, i])
        kind = element_type_of(positions)
        assert isinstance(kind, IntegerType)
        if kind.width.data > 32:
            place = emit.builder.insert(arith.ExtUIOp(place, kind)).result
        elif kind.width.data < 32:
            place = emit.builder.insert(arith.TruncIOp(place, kind)).result
        emit.store(place, positions, [*position, i])

    # Blocks.

    def _compared(self, position: list[Index], base: SSAValue, state: Values) -> Values:
        """Set aside what of a block beats the k-th best; returns the state."""
        emit, lanes = self.emit, self.block // VECTORS
        count, best = state
        limit = self._add(upstream.BroadcastOp(best, VectorType(i32, [lanes])))
        keys: list[SSAValue] = []
        better: list[SSAValue] = []
        for v in range(VECTORS):
            at = [emit.value(i) for i in (*position, emit.add(base, v * lanes))]
            elements = emit.builder.insert(upstream.LoadOp(self.op.input, at, VectorType(self.kind, [lanes]))).result
            keys.append(self._keys(elements, lanes))
            better.append(self._add(arith.CmpiOp(keys[-1], limit, "slt")))
        some = better[0]
        for other in better[1:]:
            some = self._add(arith.OrIOp(some, other))

        def set_aside() -> Values:
            for v, vector_keys in enumerate(keys):
                emit.builder.insert(upstream.StoreOp(vector_keys, self.keys, [emit.value(v * lanes)]))
            so_far = count
            for v, hits in enumerate(better):
                (so_far,) = emit.branch(
                    self._any(hits),
                    [count.type],
                    lambda v=v, so_far=so_far: self._append(base, v * lanes, lanes, so_far, best),
                    lambda so_far=so_far: [so_far],
                )
            return [so_far]

        (count,) = emit.branch(self._any(some), [count.type], set_aside, lambda: [count])
        return [count, best]

    def _append(self, base: SSAValue, first: int, lanes: int, count: SSAValue, best: SSAValue) -> Values:
        """Write every element of a vector behind the entries, going on only past those that are better."""
        emit = self.emit
        bits = emit.builder.insert(arith.ConstantOp(IntegerAttr(32, i64))).result

        def element(i: SSAValue, state: Values) -> Values:
            key = emit.load(self.keys, [i])
            high = self._add(arith.ShLIOp(emit.builder.insert(arith.ExtSIOp(key, i64)).result, bits))
            place = emit.builder.insert(arith.IndexCastOp(emit.value(emit.add(base, i)), i64)).result
            emit.store(self._add(arith.OrIOp(high, place)), self.entries, [state[0]])
            is_better = emit.builder.insert(arith.CmpiOp(key, best, "slt")).result
            step = emit.builder.insert(arith.SelectOp(is_better, emit.value(1), emit.value(0))).result
            return [emit.value(emit.add(state[0], step))]

        return emit.loop(first, first + lanes, 1, element, [count])

    # Keys.

    def _keys(self, elements: SSAValue, lanes: int) -> SSAValue:
        """Keys of a vector of elements: 32-bit integers, smaller for what comes first."""
        narrow = IntegerType(byte_width(self.kind) * 8)
        bits = elements
        if not isinstance(self.kind, IntegerType):
            bits = self._add(arith.BitcastOp(elements, VectorType(narrow, [lanes])))
            sign = self._add(arith.ShRSIOp(bits, self._all(narrow.width.data - 1, narrow, lanes)))
            flipped = self._add(arith.ShRUIOp(sign, self._all(1, narrow, lanes)))
            bits = self._add(arith.XOrIOp(bits, flipped))
        elif self.op.unsigned is not None:
            bits = self._add(arith.XOrIOp(bits, self._all(-(1 << narrow.width.data - 1), narrow, lanes)))
        bits = self._add(arith.XOrIOp(bits, self._all(-1, narrow, lanes)))
        if narrow != i32:
            bits = self._add(arith.ExtSIOp(bits, VectorType(i32, [lanes])))  # pyright: ignore[reportArgumentType]
        return bits

    def _all(self, value: int, kind: IntegerType, lanes: int) -> SSAValue:
        return self.emit.splat(IntegerAttr(value, kind), VectorType(kind, [lanes]))

    def _any(self, hits: SSAValue) -> SSAValue:
        kind = CombiningKindAttr(CombiningKindFlag.OR)
        op = upstream.ReductionOp.create(operands=[hits], result_types=[i1], properties={"kind": kind})
        return self._add(op)

    def _add(self, op: Operation) -> SSAValue:
        return self.emit.builder.insert(op).results[0]


def has_keys(kind: Attribute) -> bool:
    """Whether elements of a type have keys of 32 bits, in vectors."""
    if isinstance(kind, IntegerType):
        return kind.width.data in (8, 16, 32)
    return byte_width(kind) in (2, 4)


__all__ = ["has_keys", "top_k_buffers", "top_k_loops"]
