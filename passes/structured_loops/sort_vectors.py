"""`structured.sort` in vectors: keys of a line, networks over chunks of them, merges of the chunks, and the line from its keys.

Special cases of floats, found while keys are made and dealt with where they are met only:
- zeros of both signs, or NaNs of several kinds, that the comparator takes for equal: what is had back from the key is one
  kind of each, so the elements themselves are kept aside in their order and put where their kind begins;
- a NaN where floats are compared as they are: such a line is merged an element at a time, by what the comparator says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects import arith
from xdsl.dialects import vector as upstream
from xdsl.dialects.builtin import FloatAttr, IntegerAttr, IntegerType, VectorType, i32
from xdsl.dialects.vector import CombiningKindAttr, CombiningKindFlag
from xdsl.ir import Operation, SSAValue

from stepwell.dialects import vector
from stepwell.dialects.structured import SortOp, shape_of
from stepwell.passes.structured_loops.emit import Index, Values
from stepwell.passes.structured_loops.sort_form import Form, is_gathered
from stepwell.passes.structured_loops.sort_network import BLOCK, Network, merge_runs
from stepwell.passes.structured_loops.vectors import VectorEmitter, element_of, is_contiguous, vector_bytes

WIDE = 64
"""Vector registers of so many bytes come in twice the number."""


class VectorSort:
    """Sorts the lines of one op in vectors; `merge(position)` emits the merges of a line an element at a time."""

    def __init__(self, op: SortOp, form: Form, emit: VectorEmitter, merge: Callable[[list[Index]], None]):
        self.op = op
        self.form = form
        self.emit = emit
        self.merge = merge
        self.axis = op.dimension.value.data
        count = len(op.outs)
        self.lines = list(op.scratch[:count])
        self.keys, *self.sorted = op.scratch[count:]
        self.contiguous = self.axis == len(shape_of(op.outs[0])) - 1 and all(is_contiguous(o) for o in op.outs)
        self.integer = IntegerType(form.bits)

    def line(self, position: list[Index]) -> None:
        """One line."""
        emit, form = self.emit, self.form
        if form.direct is None:
            self._copy(position)
            source, start = self.lines[form.key.operand], list[Index]()
        else:
            source, start = self.op.outs[0], position
        flags = self._sorted_chunks(source, start)
        result = self._merged_chunks()
        write = self._elements if form.direct is None else self._direct

        def fast() -> Values:
            write(position, result, flags)
            return ()

        if not form.key.is_float:
            fast()
            return

        def slow() -> Values:
            self.merge(position)
            return ()

        emit.branch(self._any(flags[1]), [], slow, fast)

    def _at(self, position: Sequence[Index], index: Index) -> list[Index]:
        place = list(position)
        place.insert(self.axis, index)
        return place

    # Keys.

    def _sorted_chunks(self, source: SSAValue, start: Sequence[Index]) -> Values:
        """Make the keys of each chunk, sort them, and write them in order; returns what was met."""
        emit, form = self.emit, self.form
        block = BLOCK if vector_bytes(self.op) == WIDE else BLOCK // 2
        network = Network(emit, self.keys, block)
        nothing = emit.splat(IntegerAttr(0, self._flag), VectorType(self._flag, [form.lanes]))
        none: Values = [nothing, nothing]

        def chunk(base: Index, flags: Values) -> Values:
            flags = self._make_keys(source, start, base, flags)
            network.sort()
            network.linearize(self.sorted[0], base)
            return flags

        if form.total == form.chunk:
            return chunk(0, none)
        return emit.loop(0, form.total, form.chunk, chunk, none)

    @property
    def _flag(self) -> IntegerType:
        return IntegerType(self.form.key.bits)

    def _make_keys(self, source: SSAValue, start: Sequence[Index], base: Index, flags: Values) -> Values:
        emit, form = self.emit, self.form
        lanes = form.lanes
        count = emit.minimum(emit.sub(form.length, base), form.chunk)
        full, rest = emit.quotient(count, lanes), emit.remainder(count, lanes)
        greatest = IntegerAttr((1 << form.bits - 1) - 1, self.integer)
        filler = emit.splat(greatest, VectorType(self.integer, [lanes]))

        def row(at: Index, mask: SSAValue | None, flags: Values) -> Values:
            first = emit.add(base, emit.mul(at, lanes))
            elements = emit.load_lanes(source, [*start, first], mask)
            keys, flags = self._keys_of(elements, first, flags)
            if mask is not None:
                keys = emit.builder.insert(arith.SelectOp(mask, keys, filler)).result
            emit.store_lanes(keys, self.keys, [at, 0])
            return flags

        flags = emit.loop(0, full, 1, lambda i, state: row(i, None, state), flags)
        end = emit.quotient(emit.add(count, lanes - 1), lanes)
        if rest != 0:
            flags = emit.loop(full, end, 1, lambda i, state: row(i, emit.mask(rest), state), flags)
        emit.loop(end, form.chunk // lanes, 1, lambda i, _: emit.store_lanes(filler, self.keys, [i, 0]) or ())
        return flags

    def _keys_of(self, elements: SSAValue, first: Index, flags: Values) -> tuple[SSAValue, Values]:
        """The keys of a vector of elements, the first of which has the number `first`; and what was met so far."""
        emit, form = self.emit, self.form
        key = form.key
        values: dict[SSAValue, SSAValue] = {key.element: elements}
        for op in key.ops():
            emit.on_lanes(op, values)
        value = values[key.value]
        if key.is_float:
            value, flags = self._ordered(value, flags)
        elif form.direct == "canonical":
            flags = [self._or(flags[0], self._differs(elements, self._element(value))), flags[1]]
        if key.unsigned:
            value = self._xor(value, -(1 << key.bits - 1))
        if key.descending:
            value = self._xor(value, -1)
        if key.bits < form.bits:
            wide = VectorType(self.integer, [form.lanes])
            value = self._insert(arith.ExtSIOp(value, wide))  # pyright: ignore[reportArgumentType]
        if form.direct is None:
            value = self._insert(arith.ShLIOp(value, self._all(form.position_bits)))
            steps = emit.builder.insert(vector.StepOp(form.lanes, self.integer)).result
            number = emit.builder.insert(arith.IndexCastOp(emit.value(first), self.integer)).result
            number = self._insert(arith.AddiOp(emit.broadcast(number), steps))
            value = self._insert(arith.OrIOp(value, number))
        return value, flags

    def _insert(self, op: Operation) -> SSAValue:
        return self.emit.builder.insert(op).results[0]

    def _all(self, value: int, kind: IntegerType | None = None) -> SSAValue:
        """An integer in all lanes."""
        kind = self.integer if kind is None else kind
        return self.emit.splat(IntegerAttr(value, kind), VectorType(kind, [self.form.lanes]))

    def _xor(self, value: SSAValue, number: int) -> SSAValue:
        assert isinstance(value.type, VectorType)
        kind = value.type.element_type
        assert isinstance(kind, IntegerType)
        return self._insert(arith.XOrIOp(value, self._all(number, kind)))

    def _truncated(self, value: SSAValue, kind: IntegerType) -> SSAValue:
        lanes = VectorType(kind, [self.form.lanes])
        return self._insert(arith.TruncIOp(value, lanes))  # pyright: ignore[reportArgumentType]

    def _or(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self._insert(arith.OrIOp(a, b))

    def _bits(self, value: SSAValue) -> SSAValue:
        return self.emit.builder.insert(arith.BitcastOp(value, VectorType(self._flag, [self.form.lanes]))).result

    def _differs(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """Bits that are not equal."""
        return self._insert(arith.XOrIOp(self._bits(a), self._bits(b)))

    def _in_order(self, bits: SSAValue) -> SSAValue:
        """The bits of floats as integers of their order, and back."""
        sign = self._insert(arith.ShRSIOp(bits, self._all(self.form.key.bits - 1, self._flag)))
        return self._insert(arith.XOrIOp(bits, self._insert(arith.ShRUIOp(sign, self._all(1, self._flag)))))

    def _ordered(self, value: SSAValue, flags: Values) -> tuple[SSAValue, Values]:
        """Floats that are compared themselves as integers of the same order; zeros of both signs are one number."""
        emit = self.emit
        assert isinstance(value.type, VectorType)
        kind = self.form.key.value.type
        zero = emit.zeros(kind)
        is_zero = emit.builder.insert(arith.CmpfOp(value, zero, "oeq")).result
        canonical = emit.builder.insert(arith.SelectOp(is_zero, zero, value)).result
        is_nan = emit.builder.insert(arith.CmpfOp(value, value, "uno")).result
        nan = emit.builder.insert(arith.SelectOp(is_nan, self._all(-1, self._flag), self._all(0, self._flag))).result
        met = [self._or(flags[0], self._differs(value, canonical)), self._or(flags[1], nan)]
        return self._in_order(self._bits(canonical)), met

    def _any(self, flags: SSAValue) -> SSAValue:
        """Whether any bit of any lane is set."""
        emit = self.emit
        kind = CombiningKindAttr(CombiningKindFlag.OR)
        op = upstream.ReductionOp.create(operands=[flags], result_types=[self._flag], properties={"kind": kind})
        bits = emit.builder.insert(op).results[0]
        zero = emit.builder.insert(arith.ConstantOp(IntegerAttr(0, self._flag))).result
        return emit.builder.insert(arith.CmpiOp(bits, zero, "ne")).result

    def _merged_chunks(self) -> SSAValue:
        """The buffer that holds all keys in order."""
        form = self.form
        if form.total == form.chunk:
            return self.sorted[0]
        source, target = self.sorted
        width = form.chunk
        while width < form.total:
            merge_runs(self.emit, source, target, form.total, width)
            source, target = target, source
            width *= 2
        return source

    # Elements from keys.

    def _element(self, keys: SSAValue) -> SSAValue:
        """Floats from the integers of their order."""
        kind = VectorType(self.form.key.element.type, [self.form.lanes])
        return self.emit.builder.insert(arith.BitcastOp(self._in_order(keys), kind)).result

    def _vectors(self, body: Callable[[Index, SSAValue | None], None]) -> None:
        """`body` on all vectors of the line: what does not fill one is done with elements before it, or with a mask."""
        emit, lanes, length = self.emit, self.form.lanes, self.form.length
        emit.loop(0, length - length % lanes, lanes, lambda k, _: body(k, None) or ())
        if length < lanes:
            body(0, emit.mask(length))
        elif length % lanes:
            body(length - lanes, None)

    def _direct(self, position: list[Index], result: SSAValue, flags: Values) -> None:
        """Elements had back from their keys; zeros and NaNs of other kinds than one from where they were kept."""
        emit, form = self.emit, self.form
        out, key = self.op.outs[0], form.key
        special = self._any(flags[0]) if form.direct in ("canonical", "float") else None
        kept = self._keep(position, special) if special is not None else ()

        def vector_at(k: Index, mask: SSAValue | None) -> None:
            value = emit.load_lanes(result, [k])
            if key.bits < form.bits:
                value = self._truncated(value, self._flag)
            if key.descending:
                value = self._xor(value, -1)
            if key.unsigned:
                value = self._xor(value, -(1 << key.bits - 1))
            if form.direct != "same":
                value = self._element(value)
            emit.store_lanes(value, out, self._at(position, k), mask)

        self._vectors(vector_at)
        if special is not None:
            emit.branch(special, [], lambda: self._put_back(position, kept))

    def _keep(self, position: list[Index], special: SSAValue) -> Values:
        """Keep zeros from the start of the scratch line and NaNs from its end, in order; returns how many."""
        emit, out, line = self.emit, self.op.outs[0], self.lines[0]
        none = emit.value(0)

        def element(i: SSAValue, counts: Values) -> Values:
            zeros, nans = counts
            value = emit.load(out, self._at(position, i))
            is_zero, is_nan = self._compared(value, "oeq", self._zero()), self._compared(value, "uno", value)

            def keep_zero() -> Values:
                emit.store(value, line, [zeros])
                return ()

            def keep_nan() -> Values:
                emit.store(value, line, [emit.sub(self.form.length - 1, nans)])
                return ()

            emit.branch(is_zero, [], keep_zero)
            emit.branch(is_nan, [], keep_nan)
            return [self._counted(zeros, is_zero), self._counted(nans, is_nan)]

        def all_elements() -> Values:
            return emit.loop(0, self.form.length, 1, element, [none, none])

        return emit.branch(special, [none.type, none.type], all_elements, lambda: [none, none])

    def _counted(self, count: SSAValue, one: SSAValue) -> SSAValue:
        emit = self.emit
        step = emit.builder.insert(arith.SelectOp(one, emit.value(1), emit.value(0))).result
        return emit.value(emit.add(count, step))

    def _zero(self) -> SSAValue:
        return self.emit.builder.insert(arith.ConstantOp(FloatAttr(0.0, self.form.key.element.type))).result  # pyright: ignore

    def _compared(self, a: SSAValue, predicate: str, b: SSAValue) -> SSAValue:
        return self.emit.builder.insert(arith.CmpfOp(a, b, predicate)).result

    def _put_back(self, position: list[Index], kept: Values) -> Values:
        """The zeros where zeros begin, the NaNs at the end that they are sorted to."""
        emit, out, line, length = self.emit, self.op.outs[0], self.lines[0], self.form.length
        zeros, nans = kept
        descending = self.form.key.descending
        before = "ugt" if descending else "olt"

        def count(i: SSAValue, state: Values) -> Values:
            return [
                self._counted(state[0], self._compared(emit.load(out, self._at(position, i)), before, self._zero()))
            ]

        (first,) = emit.loop(0, length, 1, count, [emit.value(0)])
        first_nan = 0 if descending else emit.sub(length, nans)

        def zero(i: SSAValue, _: Values) -> Values:
            emit.store(emit.load(line, [i]), out, self._at(position, emit.add(first, i)))
            return ()

        def nan(i: SSAValue, _: Values) -> Values:
            value = emit.load(line, [emit.sub(length - 1, i)])
            emit.store(value, out, self._at(position, emit.add(first_nan, i)))
            return ()

        emit.loop(0, zeros, 1, zero)
        emit.loop(0, nans, 1, nan)
        return ()

    def _copy(self, position: list[Index]) -> None:
        """Copy the lines of all operands to scratch."""
        emit = self.emit
        for out, line in zip(self.op.outs, self.lines, strict=True):
            if self.contiguous and element_of(out) != IntegerType(1):
                self._vectors(
                    lambda k, mask, out=out, line=line: emit.store_lanes(
                        emit.load_lanes(out, self._at(position, k), mask), line, [k], mask
                    )
                )
            else:
                emit.loop(0, self.form.length, 1, self._mover(out, line, position))

    def _mover(self, out: SSAValue, line: SSAValue, position: list[Index]) -> Callable[[SSAValue, Values], Values]:
        """What copies an element of a line to scratch."""

        def move(i: SSAValue, _: Values) -> Values:
            self.emit.store(self.emit.load(out, self._at(position, i)), line, [i])
            return ()

        return move

    def _elements(self, position: list[Index], result: SSAValue, flags: Values) -> None:
        """The elements of all operands by the numbers in the keys."""
        del flags
        emit, form = self.emit, self.form
        low = (1 << form.position_bits) - 1
        gathered = [self.contiguous and is_gathered(element_of(o)) for o in self.op.outs]
        pairs = list(zip(self.op.outs, self.lines, gathered, strict=True))

        def vector_at(k: Index, mask: SSAValue | None) -> None:
            number = self._insert(arith.AndIOp(emit.load_lanes(result, [k]), self._all(low)))
            if form.bits > 32:
                number = self._truncated(number, i32)
            lanes = mask if mask is not None else emit.mask(form.lanes)
            for out, line in [(o, s) for o, s, wide in pairs if wide]:
                passed = emit.zeros(element_of(out))
                op = vector.GatherOp(line, [emit.value(0)], number, lanes, passed)
                emit.store_lanes(emit.builder.insert(op).result, out, self._at(position, k), mask)

        def element(i: SSAValue, _: Values) -> Values:
            key = emit.load(result, [i])
            bits = emit.builder.insert(arith.ConstantOp(IntegerAttr(low, self.integer))).result
            number = emit.as_index(emit.builder.insert(arith.AndIOp(key, bits)).result)
            for out, line in [(o, s) for o, s, wide in pairs if not wide]:
                emit.store(emit.load(line, [number]), out, self._at(position, i))
            return ()

        if any(gathered):
            self._vectors(vector_at)
        if not all(gathered):
            emit.loop(0, form.length, 1, element)


__all__ = ["VectorSort"]
