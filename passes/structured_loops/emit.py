"""A small emitter of scalar loop nests over memrefs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects import arith, memref, scf
from xdsl.dialects.builtin import DYNAMIC_INDEX, IndexType, IntegerAttr, IntegerType, MemRefType
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.rewriter import InsertPoint

from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.errors import UnsupportedError

Index = int | SSAValue
Values = Sequence[SSAValue]


class Emitter:
    """Inserts before one op; integers stand for constants of type index, shared at the top."""

    def __init__(self, op: Operation):
        self._top = LocatedBuilder(InsertPoint.before(op), op.location)
        self.builder = LocatedBuilder(InsertPoint.before(op), op.location)
        self._constants: dict[int, SSAValue] = {}
        anchor = self._top.insert(arith.ConstantOp(IntegerAttr(0, IndexType())))
        self._constants[0] = anchor.result
        self._top.insertion_point = InsertPoint.before(anchor)

    def at_top(self, op: Operation) -> SSAValue:
        """Insert a constant where all of the loops see it."""
        return self._top.insert(op).results[0]

    def value(self, index: Index) -> SSAValue:
        """An SSA value for an index."""
        if not isinstance(index, int):
            return index
        known = self._constants.get(index)
        if known is None:
            constant = arith.ConstantOp(IntegerAttr(index, IndexType()))
            known = self._top.insert(constant).result
            self._constants[index] = known
        return known

    def add(self, a: Index, b: Index) -> Index:
        """`a + b`, folded where it can be."""
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if a == 0:
            return b
        if b == 0:
            return a
        return self.builder.insert(arith.AddiOp(self.value(a), self.value(b))).result

    def sub(self, a: Index, b: Index) -> Index:
        """`a - b`."""
        if isinstance(a, int) and isinstance(b, int):
            return a - b
        if b == 0:
            return a
        return self.builder.insert(arith.SubiOp(self.value(a), self.value(b))).result

    def mul(self, a: Index, b: Index) -> Index:
        """`a * b`."""
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        if a == 1:
            return b
        if b == 1:
            return a
        return self.builder.insert(arith.MuliOp(self.value(a), self.value(b))).result

    def remainder(self, a: Index, b: int) -> Index:
        """`a mod b` of what is not negative."""
        if isinstance(a, int):
            return a % b
        return self.builder.insert(arith.RemUIOp(a, self.value(b))).result

    def quotient(self, a: Index, b: int) -> Index:
        """`a div b` of what is not negative."""
        if isinstance(a, int):
            return a // b
        return self.builder.insert(arith.DivUIOp(a, self.value(b))).result

    def minimum(self, a: Index, b: Index) -> Index:
        """The smaller of two signed indices."""
        if isinstance(a, int) and isinstance(b, int):
            return min(a, b)
        return self.builder.insert(arith.MinSIOp(self.value(a), self.value(b))).result

    def maximum(self, a: Index, b: Index) -> Index:
        """The larger of two signed indices."""
        if isinstance(a, int) and isinstance(b, int):
            return max(a, b)
        return self.builder.insert(arith.MaxSIOp(self.value(a), self.value(b))).result

    def compare(self, a: Index, predicate: str, b: Index) -> SSAValue:
        """An i1."""
        return self.builder.insert(arith.CmpiOp(self.value(a), self.value(b), predicate)).result

    def boolean(self, value: bool) -> SSAValue:
        """A constant i1."""
        return self.builder.insert(arith.ConstantOp(IntegerAttr(int(value), IntegerType(1)))).result

    def both(self, a: SSAValue | None, b: SSAValue) -> SSAValue:
        """`a and b`."""
        return b if a is None else self.builder.insert(arith.AndIOp(a, b)).result

    def as_index(self, value: SSAValue) -> SSAValue:
        """A signed integer as an index."""
        if isinstance(value.type, IndexType):
            return value
        return self.builder.insert(arith.IndexCastOp(value, IndexType())).result

    def load(self, source: SSAValue, indices: Sequence[Index]) -> SSAValue:
        """An element of a memref."""
        return self.builder.insert(memref.LoadOp.get(source, [self.value(i) for i in indices])).res

    def store(self, value: SSAValue, target: SSAValue, indices: Sequence[Index]) -> None:
        """Set an element of a memref."""
        self.builder.insert(memref.StoreOp.get(value, target, [self.value(i) for i in indices]))

    def loop(
        self,
        lower: Index,
        upper: Index,
        step: Index,
        body: Callable[[SSAValue, Values], Values],
        carried: Values = (),
    ) -> Values:
        """An `scf.for`; `body(index, carried)` returns the carried values of the next iteration."""
        block = Block(arg_types=[IndexType(), *(v.type for v in carried)])
        op = scf.ForOp(self.value(lower), self.value(upper), self.value(step), list(carried), Region(block))
        self.builder.insert(op)
        self._fill(block, lambda: scf.YieldOp(*body(block.args[0], block.args[1:])))
        return op.results

    def sizes(self, value: SSAValue) -> list[Index]:
        """The extents of a memref, run-time ones too (a task's share of the lines of a sort)."""
        assert isinstance(value.type, MemRefType)
        return [
            self.builder.insert(memref.DimOp(value, self.value(d))).result if n == DYNAMIC_INDEX else n
            for d, n in enumerate(value.type.get_shape())
        ]

    def nest(self, sizes: Sequence[Index], body: Callable[[list[Index]], None]) -> None:
        """Nested loops over `sizes` without carried values; unit dims are the constant 0."""
        if 0 in sizes:
            return

        def descend(dim: int, indices: list[Index]) -> None:
            if dim == len(sizes):
                body(indices)
            elif sizes[dim] == 1:
                descend(dim + 1, [*indices, 0])
            else:
                self.loop(0, sizes[dim], 1, lambda i, _: descend(dim + 1, [*indices, i]) or ())

        descend(0, [])

    def branch(
        self,
        condition: SSAValue,
        types: Sequence[Attribute],
        then: Callable[[], Values],
        otherwise: Callable[[], Values] | None = None,
    ) -> Values:
        """An `scf.if`."""
        blocks = [Block(), Block()]
        second = Region(blocks[1]) if otherwise is not None else Region()
        op = scf.IfOp(condition, list(types), Region(blocks[0]), second)
        self.builder.insert(op)
        self._fill(blocks[0], lambda: scf.YieldOp(*then()))
        if otherwise is not None:
            self._fill(blocks[1], lambda: scf.YieldOp(*otherwise()))
        return op.results

    def loop_while(
        self,
        initial: Values,
        condition: Callable[[Values], SSAValue],
        body: Callable[[Values], Values],
    ) -> Values:
        """An `scf.while` whose state is passed on unchanged by the condition."""
        types = [v.type for v in initial]
        before, after = Block(arg_types=types), Block(arg_types=types)
        op = scf.WhileOp(list(initial), types, Region(before), Region(after))
        self.builder.insert(op)
        self._fill(before, lambda: scf.ConditionOp(condition(before.args), *before.args))
        self._fill(after, lambda: scf.YieldOp(*body(after.args)))
        return op.results

    def inline(self, region: Region, arguments: Values) -> Values:
        """The scalar body of `region` on `arguments`; what its terminator yields."""
        block = region.block
        mapping: dict[SSAValue, SSAValue] = dict(zip(block.args, arguments, strict=True))
        last = block.last_op
        for op in block.ops:
            if op is last:
                break
            self.builder.insert(op.clone(mapping))
        assert last is not None
        return [mapping.get(v, v) for v in last.operands]

    def _fill(self, block: Block, build: Callable[[], Operation]) -> None:
        outside = self.builder.insertion_point
        self.builder.insertion_point = InsertPoint.at_end(block)
        self.builder.insert(build())
        self.builder.insertion_point = outside


def memref_shape(value: SSAValue) -> tuple[int, ...]:
    """The static shape of a memref value.

    Raises:
        UnsupportedError: an extent is known only at run time.
    """
    assert isinstance(value.type, MemRefType)
    shape = value.type.get_shape()
    if DYNAMIC_INDEX in shape:
        raise UnsupportedError(
            f"a structured op on {value.type}: its sizes must be known; give the program static shapes"
        )
    return shape
