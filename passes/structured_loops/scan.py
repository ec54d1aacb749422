"""`structured.scan` as loops: a vector of a line at a time, a vector of lines at a time, or an element at a time.

Along the last dimension, where the schedule says what is neutral to the combiner (so that it may be reassociated), the
prefixes within a vector are made in log2(lanes) steps: each combines a vector with itself moved by 1, 2, 4... lanes. Then
the line so far goes into all lanes, and the chain from vector to vector is one combination long:

    x = f(move(x, 1), x); x = f(move(x, 2), x); ...        y = f(before, x); before = f(before, last lane of x)

Along another dimension the lanes are different lines: row after row, each from the row of results before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects import arith
from xdsl.dialects.builtin import DYNAMIC_INDEX, VectorType
from xdsl.ir import SSAValue

from stepwell.dialects.structured import ScanOp, shape_of
from stepwell.passes.structured_loops.emit import Emitter, Index, Values
from stepwell.passes.structured_loops.vectors import (
    VectorEmitter,
    element_of,
    has_lanes,
    is_contiguous,
    vector_bytes,
    widest,
)

NEUTRAL = "neutral"
"""The attribute on a scan with what is neutral to its combiner, which may then be reassociated."""
STRIP = 2048
"""Lines at a time where lanes are lines: the results before are still in the first cache."""


def scan_loops(op: ScanOp) -> None:
    """Emit the loops of a scan on memrefs in front of it."""
    shape, axis = shape_of(op.inputs[0]), op.dimension.value.data
    if 0 in shape:
        return
    lanes = vector_bytes(op) // widest(op.combiner)
    kinds = [element_of(v) for v in op.inputs]
    contiguous = all(is_contiguous(v) for v in (*op.inputs, *op.outs))
    if lanes < 2 or not contiguous or not has_lanes(op.combiner, kinds):
        _by_elements(op)
    elif axis != len(shape) - 1:
        _by_rows(op, lanes)
    elif NEUTRAL in op.attributes and len(op.inputs) == 1 and shape[axis] != DYNAMIC_INDEX:
        _Line(op, lanes).emit()
    else:
        _by_elements(op)


def _combine(op: ScanOp, emit: Callable[..., Values], before: Values, elements: Values) -> Values:
    """What comes after `before`: the elements are the later arguments, or the earlier ones in reverse."""
    return emit(op.combiner, [*elements, *before] if op.reverse else [*before, *elements])


def _by_elements(op: ScanOp) -> None:
    """An element at a time."""
    emit = Emitter(op)
    axis = op.dimension.value.data
    sizes = emit.sizes(op.inputs[0])
    length = sizes.pop(axis)

    def line(place: list[Index]) -> None:
        def step(i: SSAValue, before: Values) -> Values:
            at = _along(emit, op, i, length)
            where = [*place[:axis], at, *place[axis:]]
            after = _combine(op, emit.inline, before, [emit.load(v, where) for v in op.inputs])
            for value, out in zip(before if op.exclusive else after, op.outs, strict=True):
                emit.store(value, out, where)
            return after

        emit.loop(0, length, 1, step, _initial(emit, op, place))

    emit.nest(sizes, line)


def _initial(emit: Emitter, op: ScanOp, place: Sequence[Index]) -> list[SSAValue]:
    """The initial values of a line."""
    return [emit.load(v, place if shape_of(v) else []) for v in op.inits]


def _along(emit: Emitter, op: ScanOp, step: Index, length: Index) -> Index:
    """Where the element of a step is."""
    return emit.sub(emit.sub(length, 1), step) if op.reverse else step


def _by_rows(op: ScanOp, lanes: int) -> None:
    """Row after row: the lanes are lines, and what is before is read from the results."""
    emit = VectorEmitter(op, lanes)
    axis = op.dimension.value.data
    sizes = emit.sizes(op.inputs[0])
    length, columns = sizes[axis], sizes[-1]
    others = [n for d, n in enumerate(sizes[:-1]) if d != axis]

    def row(place: list[Index], step: Index, first: Index, last: Index) -> None:
        """The results of one step for the lines from `first` to `last`."""
        start = isinstance(step, int)
        here = _along(emit, op, step, length)
        before = emit.add(here, 1) if op.reverse else emit.sub(here, 1)

        def lines(j: Index, mask: SSAValue | None) -> None:
            def at(i: Index) -> list[Index]:
                return [*place[:axis], i, *place[axis:], j]

            if start:
                inits = [emit.load_lanes(v, [*place, j], mask) if shape_of(v) else emit.load(v, []) for v in op.inits]
                sums = [emit.broadcast(v) for v in inits]
            else:
                sums = [emit.load_lanes(v, at(before), mask) for v in op.outs]
            if not (op.exclusive and start):
                from_ = before if op.exclusive else here
                sums = _combine(op, emit.inline_lanes, sums, [emit.load_lanes(v, at(from_), mask) for v in op.inputs])
            for value, out in zip(sums, op.outs, strict=True):
                emit.store_lanes(value, out, at(here), mask)

        _strips(emit, first, last, lines)

    def plane(place: list[Index]) -> None:
        def strip(first: SSAValue, _: Values) -> Values:
            last = emit.minimum(emit.add(first, STRIP), columns)
            row(place, 0, first, last)
            emit.loop(1, length, 1, lambda i, _: row(place, i, first, last) or ())
            return ()

        emit.loop(0, columns, STRIP, strip)

    emit.nest(others, plane)


def _strips(emit: VectorEmitter, first: Index, last: Index, body: Callable[[Index, SSAValue | None], None]) -> None:
    """`body` on vectors from `first` to `last`; the last one, where they do not fill it, with a mask."""
    lanes = emit.lanes
    count = emit.sub(last, first)
    rest = emit.remainder(count, lanes)
    full = emit.sub(last, rest)
    emit.loop(first, full, lanes, lambda j, _: body(j, None) or ())
    emit.loop(full, last, lanes, lambda j, _: body(j, emit.mask(rest)) or ())


class _Line:
    """Lines along the last dimension, a vector of each at a time."""

    def __init__(self, op: ScanOp, lanes: int):
        self.op = op
        self.emitter = VectorEmitter(op, lanes)
        self.lanes = lanes
        self.length = shape_of(op.inputs[0])[-1]
        kind = VectorType(element_of(op.inputs[0]), [lanes])
        self.neutral = self.emitter.splat(op.attributes[NEUTRAL], kind)

    def emit(self) -> None:
        """All lines."""
        emit = self.emitter
        emit.nest(emit.sizes(self.op.inputs[0])[:-1], self._line)

    def _line(self, place: list[Index]) -> None:
        emit, op, lanes = self.emitter, self.op, self.lanes
        before: Values = [emit.broadcast(v) for v in _initial(emit, op, place)]
        full, rest = self.length // lanes, self.length % lanes
        if op.reverse and rest:
            before = [self._vector([*place, full * lanes], before[0], emit.mask(rest))]

        def step(i: SSAValue, state: Values) -> Values:
            return [self._vector([*place, emit.mul(_along(emit, op, i, full), lanes)], state[0], None)]

        before = emit.loop(0, full, 1, step, before) if full else before
        if rest and not op.reverse:
            self._vector([*place, full * lanes], before[0], emit.mask(rest))

    def _vector(self, place: Sequence[Index], before: SSAValue, mask: SSAValue | None) -> SSAValue:
        """One vector of a line, given what is before it; returns what is before the next."""
        emit, op, lanes = self.emitter, self.op, self.lanes
        x = emit.load_lanes(op.inputs[0], place, mask)
        if mask is not None:
            x = emit.builder.insert(arith.SelectOp(mask, x, self.neutral)).result
        distance = 1
        while distance < lanes:
            x = self._combined(self._moved(x, distance), x)
            distance *= 2
        result = self._combined(before, self._moved(x, 1) if op.exclusive else x)
        emit.store_lanes(result, op.outs[0], place, mask)
        return self._combined(before, emit.lane(x, 0 if op.reverse else lanes - 1))

    def _combined(self, before: SSAValue, after: SSAValue) -> SSAValue:
        (result,) = _combine(self.op, self.emitter.inline_lanes, [before], [after])
        return result

    def _moved(self, x: SSAValue, distance: int) -> SSAValue:
        """Each lane is that of `distance` steps before; neutral where there was none."""
        lanes = self.lanes
        if self.op.reverse:
            picks = [i + distance for i in range(lanes)]
        else:
            picks = [i - distance if i >= distance else lanes + i for i in range(lanes)]
        return self.emitter.shuffle(x, self.neutral, picks)


__all__ = ["NEUTRAL", "scan_loops"]
