"""Weighing a value: what it takes to compute it in its readers, and to store it, for each generic of a block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from xdsl.dialects import tensor
from xdsl.dialects.builtin import TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Operation, SSAValue

from stepwell.ir.affine_compose import Exprs
from stepwell.ir.dtypes import byte_width
from stepwell.ir.machine import MachineDescription
from stepwell.passes.fusion.classify import CHEAP, body_flops, filled_with, shape_of, splat_of, volume
from stepwell.passes.fusion.prices import Comparison, Producer, Site, compare, prices_of
from stepwell.passes.fusion.roots import Facts, Key, Root
from stepwell.passes.fusion.rows import MAX_ROW_BYTES, MIN_ROWS, SMALL

Reader = tuple[Root, Exprs]
"""A root, and where in the value it reads."""


def bytes_of(value: SSAValue) -> int:
    """Bytes of a value."""
    return volume(value) * byte_width(value.type.element_type) if isinstance(value.type, TensorType) else 0


def _reached(key: Key, bounds: Sequence[int]) -> int:
    """Bytes that loops read of a value: along a dim as many elements as the loops in its index have trips."""
    value, exprs = key
    if not isinstance(value.type, TensorType):
        return 0
    sizes = zip(shape_of(value), exprs, strict=True)
    points = prod(min(n, prod(bounds[d] for d in e.used_dims())) for n, e in sizes)
    return byte_width(value.type.element_type) * points


def _uses(exprs: Exprs, dim: int) -> bool:
    """Whether index expressions depend on a loop."""
    return any(dim in e.used_dims() for e in exprs)


class Weigher:
    """Weighs the elementwise generics of a block."""

    def __init__(self, ops: Sequence[Operation], facts: Mapping[Operation, Facts], machine: MachineDescription):
        self._facts = facts
        self._prices = prices_of(machine)
        self.cost: dict[Operation, int] = {}
        """Simple ops a point of each elementwise generic, with what would be computed along with it."""
        self._on_tiles: dict[Operation, None] = {}
        self._held: dict[SSAValue, int] = {}
        """Elements behind what only moves or repeats them, where they are fewer than those of the value."""
        for op in ops:
            if isinstance(op, tensor.ExpandShapeOp | tensor.CollapseShapeOp):
                self._hold(op.results[0], op.src)
            found = facts.get(op)
            if found is not None and found.elementwise:
                self._measure(found)

    def _measure(self, found: Facts) -> None:
        op = found.op
        if found.moves:
            self._hold(op.results[0], found.inputs[0])
        total, size = found.cost, volume(op.results[0])
        for value in dict.fromkeys(found.inputs):
            before = self.cost.get(value.owner) if isinstance(value.owner, Operation) else None
            if before is None:
                continue
            alone = value.has_one_use() and volume(value) >= size
            if alone or (before <= CHEAP and not self._likely_stays(value)):
                total += before
        self.cost[op] = total
        if any(self._is_on_tiles(value) for value in found.inputs):
            self._on_tiles[op] = None

    def _hold(self, value: SSAValue, source: SSAValue) -> None:
        """Note how little a value is made of: a broadcast disappears into whoever reads it."""
        constant = splat_of(source) is not None or filled_with(source) is not None
        behind, size = 0 if constant else self._elements(source), volume(value)
        if behind < size:
            self._held[value] = behind

    def _elements(self, value: SSAValue) -> int:
        held = self._held.get(value)
        return volume(value) if held is None else held

    def _least(self, value: SSAValue, size: int) -> int:
        """Bytes of a value that is read, at most those of what it is made of."""
        held = self._held.get(value)
        return size if held is None else min(size, held * bytes_of(value) // max(volume(value), 1))

    def _likely_stays(self, value: SSAValue) -> bool:
        """Whether a value read several times will be in memory anyway: its cost goes no further."""
        op = value.owner
        if not isinstance(op, linalg.GenericOp) or value.has_one_use():
            return False
        readers, full = value.uses.get_length(), self.large_reads(op)
        return op in self._on_tiles or readers * full >= full + 1 + readers

    def _is_on_tiles(self, value: SSAValue) -> bool:
        """Whether a value is the result of a sum of products, or of an epilogue that nothing else reads."""
        found = self._facts.get(value.owner) if isinstance(value.owner, Operation) else None
        return found is not None and (found.product or (found.op in self._on_tiles and value.has_one_use()))

    def is_epilogue(self, op: Operation) -> bool:
        """Whether a map may become the epilogue of a sum of products."""
        return op in self._on_tiles

    def large_reads(self, op: linalg.GenericOp) -> int:
        """How many of its operands are about as large as its result."""
        size = volume(op.results[0])
        return sum(1 for v in self._facts[op].inputs if 2 * self._elements(v) > size)

    def compare(self, op: linalg.GenericOp, readers: Sequence[Reader], *, whole: bool) -> Comparison:
        """Computing a value in its readers beside storing it; `whole`: it is stored in any case."""
        result, found = op.results[0], self._facts[op]
        size, moved = volume(result), bytes_of(result)
        if len(readers) == 1 and not whole and readers[0][0].volume <= size:
            return Comparison(0.0, 2 * moved, 0)  # it is computed as often as ever, and not stored
        inputs = dict.fromkeys(found.inputs)
        tiles = [v for v in inputs if len(readers) > 1 and self._joins_tiles(op, v)]
        reads = sum(self._least(v, bytes_of(v)) for v in inputs if v not in tiles)
        # Sums of products convert what they pack, once.
        free = found.widens and all(root.strict for root, _ in readers)
        work = (0, 0) if free else (self.cost[op], body_flops(op))
        producer = Producer(size, *work, self._width(found), reads, moved)
        sites = [self._site(found, reader, tiles) for reader in readers]
        return compare(producer, sites, self._prices, whole=whole)

    def _joins_tiles(self, op: linalg.GenericOp, value: SSAValue) -> bool:
        """Whether an operand need not be stored if `op` becomes the epilogue of what makes it."""
        alike = volume(value) == volume(op.results[0])
        return bool(self.cost[op]) and alike and self._is_on_tiles(value)

    @staticmethod
    def _width(found: Facts) -> int:
        """Bytes of the elements that a body computes with; indices count as four."""
        kinds = [v.type.element_type for v in (*found.inputs, *found.op.results) if isinstance(v.type, TensorType)]
        return max([byte_width(k) for k in kinds] + ([] if found.inputs else [4]))

    def _site(self, found: Facts, reader: Reader, tiles: Sequence[SSAValue]) -> Site:
        """A reader; `tiles` are operands that are stored only if the value is computed there."""
        root, exprs = reader
        result = found.op.results[0]
        _, reads = found.reads_at(exprs, root.bounds)
        new = [key for key in dict.fromkeys(reads) if key not in root.frontier]
        last = len(root.bounds) - 1
        varies = last >= 0 and _uses(exprs, last)
        points = root.volume
        if self.cost[found.op] <= CHEAP and last >= 0 and not varies:
            points //= max(root.bounds[last], 1)  # moved out of the innermost loop
        loads = sum(_uses(e, last) and 2 * self._elements(v) > volume(v) for v, e in new) - varies
        instead = sum(bytes_of(v) for v, _ in new if v in tiles)
        instead += sum(self._least(key[0], _reached(key, root.bounds)) for key in new)
        moves = sum(bytes_of(r) for r in root.op.results) + sum(_reached(key, root.bounds) for key in root.frontier)
        read = _reached((result, exprs), root.bounds)
        return Site(points, root.weight, root.volume, moves, read, instead, loads, _is_near(result, reader))


def _is_near(value: SSAValue, reader: Reader) -> bool:
    """Whether what makes a value and its reader can do the same rows, one after the other in a core's cache."""
    root, exprs = reader
    count = 0
    for expr, row in zip(exprs, root.rows, strict=False):
        if expr != row:
            break
        count += 1
    rows, size = prod(shape_of(value)[:count]), bytes_of(value)
    return count > 0 and (rows >= MIN_ROWS or size <= SMALL) and size <= MAX_ROW_BYTES * rows
