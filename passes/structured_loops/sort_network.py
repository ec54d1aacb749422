"""Sorting a buffer of keys in vectors: a network over its rows and lanes, and merges of what such networks sorted.

The buffer has R rows of L lanes, both powers of two, and is sorted *down the columns*: rank k ends in row k mod R of lane
k / R. So most comparators are between rows, one minimum and one maximum of whole vectors:

1. columns: blocks of rows by Batcher's network in registers, blocks merged by bitonic ones;
2. lanes: for groups of 2, 4, ... L columns, half of a group is laid against the other half upside down (a bitonic
   sequence), then come the distances in lanes, then those in rows.

A comparator of a bitonic merge at distance d takes i and i + d; its first one takes i and its mirror image, so that all of
them put the smaller number first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects import arith
from xdsl.dialects import vector as upstream
from xdsl.dialects.builtin import VectorType
from xdsl.ir import SSAValue

from stepwell.dialects.structured import shape_of
from stepwell.dialects.vector import TransposeOp
from stepwell.passes.structured_loops.emit import Index
from stepwell.passes.structured_loops.vectors import VectorEmitter, element_of

BLOCK = 16
"""Rows sorted in registers at most: half of 32 vectors, or (8 rows then) of 16."""


def batcher_layers(size: int) -> list[list[tuple[int, int]]]:
    """Batcher's odd-even merge sort of `size` (a power of two): comparators, those of a layer independent."""
    layers: list[list[tuple[int, int]]] = []
    p = 1
    while p < size:
        k = p
        while k >= 1:
            layer = [
                (i + j, i + j + k)
                for j in range(k % p, size - k, 2 * k)
                for i in range(min(k, size - j - k))
                if (i + j) // (2 * p) == (i + j + k) // (2 * p)
            ]
            layers.append(layer)
            k //= 2
        p *= 2
    return layers


def distance_layer(size: int, distance: int) -> list[tuple[int, int]]:
    """The comparators of a bitonic merge at one distance."""
    return [(i, i + distance) for i in range(size) if not i & distance]


class Network:
    """Sorts the integers in a buffer of rows."""

    def __init__(self, emit: VectorEmitter, keys: SSAValue, block: int):
        self.emit = emit
        self.keys = keys
        self.rows, self.lanes = shape_of(keys)
        self.block = min(block, self.rows)

    def sort(self) -> None:
        """Emit all of it."""
        self._blocks(batcher_layers(self.block))
        size = 2 * self.block
        while size <= self.rows:
            self._merge_rows(size)
            size *= 2
        group = 2
        while group <= self.lanes:
            self._merge_lanes(group)
            group *= 2

    # Rows.

    def _load(self, row: Index, count: int) -> SSAValue:
        kind = VectorType(element_of(self.keys), [count, self.lanes])
        at = [self.emit.value(row), self.emit.value(0)]
        return self.emit.builder.insert(upstream.LoadOp(self.keys, at, kind)).result

    def _store(self, value: SSAValue, row: Index) -> None:
        self.emit.builder.insert(upstream.StoreOp(value, self.keys, [self.emit.value(row), self.emit.value(0)]))

    def _ordered(self, a: SSAValue, b: SSAValue) -> tuple[SSAValue, SSAValue]:
        insert = self.emit.builder.insert
        return insert(arith.MinSIOp(a, b)).result, insert(arith.MaxSIOp(a, b)).result

    def _layer(self, value: SSAValue, layer: Sequence[tuple[int, int]], size: int) -> SSAValue:
        """One layer of comparators on the rows of a block."""
        emit = self.emit
        small = emit.shuffle(value, value, [i for i, _ in layer])
        large = emit.shuffle(value, value, [j for _, j in layer])
        low, high = self._ordered(small, large)
        count = len(layer)
        both = emit.shuffle(low, high, range(2 * count))
        place = {i: n for n, (i, _) in enumerate(layer)} | {j: count + n for n, (_, j) in enumerate(layer)}
        return emit.shuffle(both, value, [place.get(r, 2 * count + r) for r in range(size)])

    def _blocks(self, layers: Sequence[Sequence[tuple[int, int]]]) -> None:
        """The layers on every block of rows."""
        size = self.block

        def body(row: Index) -> None:
            value = self._load(row, size)
            for layer in layers:
                value = self._layer(value, layer, size)
            self._store(value, row)

        if layers:
            self._loop(0, self.rows, size, body)

    def _loop(self, first: Index, last: Index, step: int, body: Callable[[Index], None]) -> None:
        if isinstance(first, int) and isinstance(last, int) and last - first <= step:
            if last > first:
                body(first)
            return
        self.emit.loop(first, last, step, lambda i, _: body(i) or ())

    def _merge_rows(self, size: int) -> None:
        """Merge two sorted halves of `size` rows, in every column."""
        emit, step = self.emit, self.block // 2

        def mirrored(base: Index) -> None:
            def pair(i: Index) -> None:
                first = emit.add(base, i)
                second = emit.sub(emit.add(base, size - step), i)
                a, b = self._load(first, step), self._load(second, step)
                upside_down = list(reversed(range(step)))
                low, high = self._ordered(a, emit.shuffle(b, b, upside_down))
                self._store(low, first)
                self._store(emit.shuffle(high, high, upside_down), second)

            self._loop(0, size // 2, step, pair)

        self._loop(0, self.rows, size, mirrored)
        self._row_distances(size // 4)

    def _row_distances(self, distance: int) -> None:
        """Comparators at `distance` rows, half of it, ..., 1."""
        emit, step = self.emit, max(1, self.block // 2)
        while distance >= self.block:

            def pairs(base: Index, distance: int = distance) -> None:
                def pair(i: Index) -> None:
                    first = emit.add(base, i)
                    second = emit.add(first, distance)
                    low, high = self._ordered(self._load(first, step), self._load(second, step))
                    self._store(low, first)
                    self._store(high, second)

                self._loop(0, distance, step, pair)

            self._loop(0, self.rows, 2 * distance, pairs)
            distance //= 2
        layers: list[list[tuple[int, int]]] = []
        while distance >= 1:
            layers.append(distance_layer(self.block, distance))
            distance //= 2
        self._blocks(layers)

    # Lanes.

    def _merge_lanes(self, group: int) -> None:
        """Merge the sorted halves of each group of columns."""
        emit, lanes = self.emit, self.lanes
        upper = [bool(c & group // 2) for c in range(lanes)]
        mirror = [c ^ (group - 1) for c in range(lanes)]

        def pair(row: Index) -> None:
            other = emit.sub(self.rows - 1, row)
            a, b = self._row(row), self._row(other)
            b = emit.shuffle(b, b, mirror)
            low, high = self._ordered(a, b)
            a = emit.shuffle(low, high, [lanes + c if upper[c] else c for c in range(lanes)])
            b = emit.shuffle(low, high, [c if upper[c] else lanes + c for c in range(lanes)])
            b = emit.shuffle(b, b, mirror)
            distance = group // 4
            while distance >= 1:
                a, b = self.lane_layer(a, distance), self.lane_layer(b, distance)
                distance //= 2
            emit.store_lanes(a, self.keys, [row, 0])
            emit.store_lanes(b, self.keys, [other, 0])

        self._loop(0, self.rows // 2, 1, pair)
        self._row_distances(self.rows // 2)

    def _row(self, row: Index) -> SSAValue:
        return self.emit.load_lanes(self.keys, [row, 0])

    def lane_layer(self, value: SSAValue, distance: int) -> SSAValue:
        """Comparators between lanes of one vector."""
        return lane_layer(self.emit, value, distance)

    def linearize(self, target: SSAValue, offset: Index) -> None:
        """Write the sorted keys in order into a buffer, from `offset` on."""
        emit, block = self.emit, min(self.rows, self.lanes)

        def body(row: Index) -> None:
            value = emit.builder.insert(TransposeOp(self._load(row, block), [1, 0])).result
            assert isinstance(value.type, VectorType)
            for lane in range(self.lanes):
                kind = VectorType(value.type.element_type, [block])
                line = emit.builder.insert(upstream.ExtractOp(value, [lane], kind)).result
                place = emit.add(emit.add(offset, lane * self.rows), row)
                emit.store_lanes(line, target, [place])

        self._loop(0, self.rows, block, body)


def lane_layer(emit: VectorEmitter, value: SSAValue, distance: int) -> SSAValue:
    """Comparators between the lanes of one vector, `distance` lanes apart."""
    lanes = emit.lanes
    moved = emit.shuffle(value, value, [c ^ distance for c in range(lanes)])
    insert = emit.builder.insert
    low, high = insert(arith.MinSIOp(value, moved)).result, insert(arith.MaxSIOp(value, moved)).result
    return emit.shuffle(low, high, [lanes + c if c & distance else c for c in range(lanes)])


def merge_runs(emit: VectorEmitter, source: SSAValue, target: SSAValue, total: int, width: int) -> None:
    """Merge neighbouring sorted runs of `width` keys (whole vectors) from one buffer into the other.

    The vectors of two runs pass through a bitonic merge of two vectors: its smaller half is the next of the result, its
    larger half stays. The next vector comes from the run whose first key is smaller.
    """
    lanes = emit.lanes

    def pair(low: SSAValue) -> None:
        middle = emit.minimum(emit.add(low, width), total)
        high = emit.minimum(emit.add(low, 2 * width), total)
        first = emit.load_lanes(source, [low])

        def step(place: SSAValue, state: Sequence[SSAValue]) -> Sequence[SSAValue]:
            left, right, kept = state
            # A run at its end gives no more: what is read there instead is not used.
            a = emit.load(source, [emit.minimum(left, total - 1)])
            b = emit.load(source, [emit.minimum(right, total - 1)])
            insert = emit.builder.insert
            smaller = insert(arith.CmpiOp(a, b, "sle")).result
            none_right = emit.compare(right, "sge", high)
            some_left = emit.compare(left, "slt", middle)
            from_left = emit.both(some_left, insert(arith.OrIOp(none_right, smaller)).result)
            at = insert(arith.SelectOp(from_left, left, right)).result
            coming = emit.load_lanes(source, [at])
            coming = emit.shuffle(coming, coming, list(reversed(range(lanes))))
            least, rest = insert(arith.MinSIOp(kept, coming)).result, insert(arith.MaxSIOp(kept, coming)).result
            distance = lanes // 2
            while distance >= 1:
                least, rest = lane_layer(emit, least, distance), lane_layer(emit, rest, distance)
                distance //= 2
            emit.store_lanes(least, target, [place])
            step_left = insert(arith.SelectOp(from_left, emit.value(lanes), emit.value(0))).result
            step_right = insert(arith.SelectOp(from_left, emit.value(0), emit.value(lanes))).result
            return [emit.value(emit.add(left, step_left)), emit.value(emit.add(right, step_right)), rest]

        initial = [emit.value(emit.add(low, lanes)), emit.value(middle), first]
        last = emit.loop(low, emit.sub(high, lanes), lanes, step, initial)
        emit.store_lanes(last[2], target, [emit.sub(high, lanes)])

    emit.loop(0, total, 2 * width, lambda low, _: pair(low) or ())


__all__ = ["Network", "batcher_layers", "distance_layer", "merge_runs"]
