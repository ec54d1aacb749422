"""`structured.sort` as loops: in vectors where its comparator compares keys (`sort_vectors`), else by merging.

Any comparator will do for an insertion sort of short runs, then stable bottom-up merging.

A merge copies the left run to scratch and merges it with the right one back into the line, so that half a line of scratch
is written per level, and a right element goes first only when it is strictly before the left one (stability). The order
of NaNs is whatever the comparator says.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import DYNAMIC_INDEX, IndexType, IntegerType, MemRefType
from xdsl.ir import Region, SSAValue

from stepwell.dialects.structured import SortOp
from stepwell.ir.diagnostics import unsupported
from stepwell.passes.structured_loops.emit import Emitter, Index, Values
from stepwell.passes.structured_loops.sort_form import form_of
from stepwell.passes.structured_loops.sort_vectors import VectorSort
from stepwell.passes.structured_loops.vectors import VectorEmitter

RUN = 16
"""The length of the runs sorted by insertion; a longer line needs scratch."""


class _Line:
    """One line along the sorted dimension, of every destination."""

    def __init__(self, emit: Emitter, op: SortOp, position: Sequence[Index]):
        self.emit = emit
        self.outs = list(op.outs)
        self.scratch = list(op.scratch[: len(op.outs)])
        self.comparator: Region = op.comparator
        self._position = list(position)
        self._dimension = op.dimension.value.data
        self.length = _extent(op)

    def _at(self, index: Index) -> list[Index]:
        indices = list(self._position)
        indices.insert(self._dimension, index)
        return indices

    def load(self, index: Index) -> list[SSAValue]:
        return [self.emit.load(o, self._at(index)) for o in self.outs]

    def store(self, values: Values, index: Index) -> None:
        for value, out in zip(values, self.outs, strict=True):
            self.emit.store(value, out, self._at(index))

    def load_scratch(self, index: Index) -> list[SSAValue]:
        return [self.emit.load(s, [index]) for s in self.scratch]

    def store_scratch(self, values: Values, index: Index) -> None:
        for value, buffer in zip(values, self.scratch, strict=True):
            self.emit.store(value, buffer, [index])

    def before(self, first: Values, second: Values) -> SSAValue:
        """Whether the elements `first` must come before the elements `second`."""
        pairs = [v for pair in zip(first, second, strict=True) for v in pair]
        (result,) = self.emit.inline(self.comparator, pairs)
        return result


def _extent(op: SortOp) -> int:
    """The length of a line; how many lines there are may be known only at run time."""
    kind = op.outs[0].type
    assert isinstance(kind, MemRefType)
    length = kind.get_shape()[op.dimension.value.data]
    if length == DYNAMIC_INDEX:
        raise unsupported(op, "lines of a length known only at run time", "give the program static shapes")
    return length


def sort_loops(op: SortOp) -> None:
    """Emit the loops of a sort on memrefs in front of it.

    Raises:
        UnsupportedError: a long line without scratch.
    """
    dimension = op.dimension.value.data
    length = _extent(op)
    if length < 2:
        return
    if length > RUN and not op.scratch:
        raise unsupported(op, f"a line of {length} elements has no scratch", "run bufferize, which adds it")
    form = form_of(op) if len(op.scratch) > len(op.outs) else None
    emit = Emitter(op) if form is None else VectorEmitter(op, form.lanes)
    others = [n for d, n in enumerate(emit.sizes(op.outs[0])) if d != dimension]

    def one_line(position: list[Index]) -> None:
        line = _Line(emit, op, position)
        _sort_runs(line)
        if length > RUN:
            _merge_levels(line)

    if form is None:
        emit.nest(others, one_line)
    else:
        assert isinstance(emit, VectorEmitter)
        emit.nest(others, VectorSort(op, form, emit, one_line).line)


def _sort_runs(line: _Line) -> None:
    emit = line.emit

    def run(start: Index) -> None:
        end = emit.minimum(emit.add(start, RUN), line.length)
        emit.loop(emit.add(start, 1), end, 1, lambda i, _: _insert(line, start, i) or ())

    if line.length <= RUN:
        run(0)
    else:
        emit.loop(0, line.length, RUN, lambda start, _: run(start) or ())


def _insert(line: _Line, start: Index, index: SSAValue) -> None:
    """Move element `index` down to its place in the sorted `[start, index)`."""
    emit = line.emit
    element = line.load(index)

    def goes_lower(state: Values) -> SSAValue:
        inside = emit.compare(state[0], "sgt", start)
        (result,) = emit.branch(
            inside,
            [IntegerType(1)],
            lambda: [line.before(element, line.load(emit.sub(state[0], 1)))],
            lambda: [emit.boolean(False)],
        )
        return result

    def shift(state: Values) -> Values:
        below = emit.value(emit.sub(state[0], 1))
        line.store(line.load(below), state[0])
        return [below]

    (place,) = emit.loop_while([index], goes_lower, shift)
    line.store(element, place)


def _merge_levels(line: _Line) -> None:
    emit = line.emit

    def level(state: Values) -> Values:
        (width,) = state
        double = emit.value(emit.add(width, width))

        def pair(low: SSAValue) -> None:
            middle = emit.minimum(emit.add(low, width), line.length)
            high = emit.minimum(emit.add(low, double), line.length)
            _merge(line, low, middle, high)

        emit.loop(0, line.length, double, lambda low, _: pair(low) or ())
        return [double]

    emit.loop_while([emit.value(RUN)], lambda s: emit.compare(s[0], "slt", line.length), level)


def _merge(line: _Line, low: SSAValue, middle: Index, high: Index) -> None:
    """Merge the sorted `[low, middle)` and `[middle, high)`."""
    emit = line.emit
    count = emit.sub(middle, low)
    emit.loop(0, count, 1, lambda i, _: line.store_scratch(line.load(emit.add(low, i)), i) or ())

    def step(state: Values) -> Values:
        left, right = state
        some = emit.compare(right, "slt", high)
        (take_right,) = emit.branch(
            some,
            [IntegerType(1)],
            lambda: [line.before(line.load(right), line.load_scratch(left))],
            lambda: [emit.boolean(False)],
        )
        place = emit.add(emit.add(low, left), emit.sub(right, middle))

        def from_right() -> Values:
            line.store(line.load(right), place)
            return [left, emit.value(emit.add(right, 1))]

        def from_left() -> Values:
            line.store(line.load_scratch(left), place)
            return [emit.value(emit.add(left, 1)), right]

        return emit.branch(take_right, [IndexType(), IndexType()], from_right, from_left)

    emit.loop_while(
        [emit.value(0), emit.value(middle)],
        lambda s: emit.compare(s[0], "slt", count),
        step,
    )
