"""`Hlo`: StableHLO written as expressions, for passes that express an op of step 1 by others.

    h = Hlo.before(op)
    root = h.sqrt(h.add(h.mul(x, x), 1.0))          # a Python number becomes a constant of the other operand's type
    total = h.reduce("add", root, [0])
    (count, state) = h.while_([h.scalar(0, i32), x], lambda i, x: h.lt(i, 8), lambda i, x: [h.add(i, 1), h.mul(x, x)])

Operands have one type, as the ops ask; nothing broadcasts but Python numbers. Every op gets the location of the op that is being
expanded. Frontends have a builder of their own (`frontends/build.py`), which checks what users write.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self, TypeAlias, cast

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import ComplexType, IntegerType, Signedness, TensorType
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.rewriter import InsertPoint

from stepwell.dialects import stablehlo
from stepwell.dialects.stablehlo import ComparisonDirection, ComparisonType, DotDimensionNumbers
from stepwell.dialects.stablehlo.elementwise import BinaryElementwiseOp, UnaryElementwiseOp
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.dense import array_to_dense
from stepwell.ir.diagnostics import invalid
from stepwell.ir.dtypes import numpy_dtype

Number: TypeAlias = "int | float | complex | bool"
Operand: TypeAlias = "SSAValue | Number"
Body: TypeAlias = Callable[..., "Sequence[SSAValue] | SSAValue"]

_UNARY: dict[str, type[Any]] = {
    **{op.name.split(".")[1]: op for op in stablehlo.StableHLO.operations if issubclass(op, UnaryElementwiseOp)},
    "is_finite": stablehlo.IsFiniteOp,
    "real": stablehlo.RealOp,
    "imag": stablehlo.ImagOp,
}
_BINARY: dict[str, type[Any]] = {
    op.name.split(".")[1]: op for op in stablehlo.StableHLO.operations if issubclass(op, BinaryElementwiseOp)
}


def shape_of(value: SSAValue) -> tuple[int, ...]:
    """Extents of a tensor value."""
    return cast("TensorType[Any]", value.type).get_shape()


def element_of(value: SSAValue) -> Any:
    """Element type of a tensor value, as written (with signedness)."""
    return cast("TensorType[Any]", value.type).element_type


def _comparison(element: Attribute) -> ComparisonType:
    if not isinstance(element, IntegerType):
        return ComparisonType.FLOAT
    unsigned = element.width.data == 1 or element.signedness.data == Signedness.UNSIGNED
    return ComparisonType.UNSIGNED if unsigned else ComparisonType.SIGNED


class Hlo:
    """Appends StableHLO ops at one place and returns their results."""

    def __init__(self, builder: LocatedBuilder):
        self.builder = builder

    @classmethod
    def before(cls, op: Operation) -> Self:
        """A builder in front of `op`, with its location."""
        return cls(LocatedBuilder(InsertPoint.before(op), op.location))

    def insert(self, op: Operation) -> SSAValue:
        """Append an op and return its only result."""
        return self.builder.insert(op).results[0]

    def create(self, cls: type[Operation], operands: Sequence[SSAValue], *types: Attribute, **properties: Any) -> Any:
        """Append `cls` with these operands, result types and properties; returns the op."""
        return self.builder.insert(cls.create(operands=operands, result_types=types, properties=properties))

    # Constants.

    def constant(self, array: Any, element: Attribute) -> SSAValue:
        """A constant with the values of an array."""
        values = np.asarray(array).astype(numpy_dtype(element))
        return self.insert(stablehlo.ConstantOp(array_to_dense(values, element)))

    def scalar(self, value: Number, element: Attribute) -> SSAValue:
        """A 0-d constant."""
        return self.constant(value, element)

    def full(self, value: Number, shape: Sequence[int], element: Attribute) -> SSAValue:
        """A constant broadcast to a shape."""
        scalar = self.scalar(value, element)
        return self.broadcast(scalar, shape, []) if len(shape) else scalar

    def like(self, value: Operand, other: SSAValue) -> SSAValue:
        """`value`, a Python number as a tensor of the type of `other`."""
        return value if isinstance(value, SSAValue) else self.full(value, shape_of(other), element_of(other))

    def iota(self, dimension: int, shape: Sequence[int], element: Attribute) -> SSAValue:
        """0, 1, 2, ... along a dimension."""
        return self.insert(stablehlo.IotaOp(dimension, TensorType(element, shape)))

    # Elementwise.

    def unary(self, name: str, x: SSAValue) -> SSAValue:
        """An elementwise op of one operand by its name: "exponential", "is_finite", "real", ..."""
        return self.insert(_UNARY[name](x))

    def binary(self, name: str, a: Operand, b: Operand) -> SSAValue:
        """An elementwise op of two operands by its name; one of them may be a Python number."""
        if not isinstance(a, SSAValue):
            assert isinstance(b, SSAValue)
            a = self.like(a, b)
        return self.insert(_BINARY[name](a, self.like(b, a)))

    def add(self, a: Operand, b: Operand) -> SSAValue:
        """`a + b`."""
        return self.binary("add", a, b)

    def sub(self, a: Operand, b: Operand) -> SSAValue:
        """`a - b`."""
        return self.binary("subtract", a, b)

    def mul(self, a: Operand, b: Operand) -> SSAValue:
        """`a * b`."""
        return self.binary("multiply", a, b)

    def div(self, a: Operand, b: Operand) -> SSAValue:
        """`a / b`."""
        return self.binary("divide", a, b)

    def maximum(self, a: Operand, b: Operand) -> SSAValue:
        """The larger one; NaN when one is NaN."""
        return self.binary("maximum", a, b)

    def minimum(self, a: Operand, b: Operand) -> SSAValue:
        """The smaller one; NaN when one is NaN."""
        return self.binary("minimum", a, b)

    def neg(self, x: SSAValue) -> SSAValue:
        """`-x`."""
        return self.unary("negate", x)

    def abs(self, x: SSAValue) -> SSAValue:
        """Magnitude."""
        return self.unary("abs", x)

    def sqrt(self, x: SSAValue) -> SSAValue:
        """Square root."""
        return self.unary("sqrt", x)

    def logical_and(self, a: Operand, b: Operand) -> SSAValue:
        """`a & b`, of booleans or bits."""
        return self.binary("and", a, b)

    def logical_or(self, a: Operand, b: Operand) -> SSAValue:
        """`a | b`, of booleans or bits."""
        return self.binary("or", a, b)

    def logical_not(self, x: SSAValue) -> SSAValue:
        """`~x`, of booleans or bits."""
        return self.unary("not", x)

    def compare(self, direction: str, a: SSAValue, b: Operand) -> SSAValue:
        """Elementwise comparison: "EQ", "NE", "GE", "GT", "LE", "LT"."""
        how = _comparison(element_of(a))
        return self.insert(stablehlo.CompareOp(a, self.like(b, a), ComparisonDirection(direction), how))

    def lt(self, a: SSAValue, b: Operand) -> SSAValue:
        """`a < b`."""
        return self.compare("LT", a, b)

    def gt(self, a: SSAValue, b: Operand) -> SSAValue:
        """`a > b`."""
        return self.compare("GT", a, b)

    def ge(self, a: SSAValue, b: Operand) -> SSAValue:
        """`a >= b`."""
        return self.compare("GE", a, b)

    def eq(self, a: SSAValue, b: Operand) -> SSAValue:
        """`a == b`."""
        return self.compare("EQ", a, b)

    def ne(self, a: SSAValue, b: Operand) -> SSAValue:
        """`a != b`."""
        return self.compare("NE", a, b)

    def select(self, predicate: SSAValue, on_true: Operand, on_false: Operand) -> SSAValue:
        """`on_true` where the predicate holds; one of the two may be a Python number."""
        if not isinstance(on_true, SSAValue):
            assert isinstance(on_false, SSAValue)
            on_true = self.like(on_true, on_false)
        return self.insert(stablehlo.SelectOp(predicate, on_true, self.like(on_false, on_true)))

    def convert(self, x: SSAValue, element: Attribute) -> SSAValue:
        """Another element type; the value itself when it has it."""
        if element_of(x) == element:
            return x
        return self.insert(stablehlo.ConvertOp(x, TensorType(element, shape_of(x))))

    def bitcast(self, x: SSAValue, element: Attribute) -> SSAValue:
        """The same bits as another element type of the same width."""
        return self.insert(stablehlo.BitcastConvertOp(x, TensorType(element, shape_of(x))))

    # Complex numbers.

    def complex(self, real: SSAValue, imag: SSAValue) -> SSAValue:
        """Complex numbers from their parts."""
        return self.insert(stablehlo.ComplexOp(real, imag))

    def real(self, x: SSAValue) -> SSAValue:
        """The real part; a real `x` itself."""
        return self.unary("real", x) if isinstance(element_of(x), ComplexType) else x

    def imag(self, x: SSAValue) -> SSAValue:
        """The imaginary part of a complex `x`."""
        return self.unary("imag", x)

    def conj(self, x: SSAValue) -> SSAValue:
        """The complex conjugate; a real `x` itself."""
        if not isinstance(element_of(x), ComplexType):
            return x
        return self.complex(self.real(x), self.neg(self.imag(x)))

    # Moving data.

    def broadcast(self, x: SSAValue, shape: Sequence[int], dimensions: Sequence[int]) -> SSAValue:
        """Dim i of `x` becomes dim `dimensions[i]` of the result, the others repeat it; nothing when it has that shape."""
        if tuple(shape) == shape_of(x):
            return x
        return self.insert(stablehlo.BroadcastInDimOp(x, dimensions, TensorType(element_of(x), shape)))

    def reshape(self, x: SSAValue, shape: Sequence[int]) -> SSAValue:
        """The same elements in another shape; the value itself when it has that shape."""
        return x if tuple(shape) == shape_of(x) else self.insert(stablehlo.ReshapeOp(x, shape))

    def transpose(self, x: SSAValue, permutation: Sequence[int]) -> SSAValue:
        """Dim i of the result is dim `permutation[i]` of `x`."""
        if list(permutation) == list(range(len(permutation))):
            return x
        return self.insert(stablehlo.TransposeOp(x, permutation))

    def matrix_transpose(self, x: SSAValue) -> SSAValue:
        """The last two dims exchanged."""
        rank = len(shape_of(x))
        return self.transpose(x, [*range(rank - 2), rank - 1, rank - 2])

    def reverse(self, x: SSAValue, dimensions: Sequence[int]) -> SSAValue:
        """The elements in opposite order along dims."""
        return self.insert(stablehlo.ReverseOp(x, dimensions))

    def slice(
        self, x: SSAValue, starts: Sequence[int], limits: Sequence[int], strides: Sequence[int] | None = None
    ) -> SSAValue:
        """`x[start:limit:stride]` per dim; the value itself when that is all of it."""
        steps = [1] * len(starts) if strides is None else list(strides)
        if not any(starts) and tuple(limits) == shape_of(x) and set(steps) <= {1}:
            return x
        return self.insert(stablehlo.SliceOp(x, starts, limits, steps))

    def slice_in_dim(self, x: SSAValue, start: int, limit: int, dimension: int, stride: int = 1) -> SSAValue:
        """`x[start:limit:stride]` along one dim (negative: from the last)."""
        shape = shape_of(x)
        dimension %= len(shape)
        starts, limits, strides = [0] * len(shape), list(shape), [1] * len(shape)
        starts[dimension], limits[dimension], strides[dimension] = start, limit, stride
        return self.slice(x, starts, limits, strides)

    def pad(self, x: SSAValue, value: Operand, low: Sequence[int], high: Sequence[int]) -> SSAValue:
        """`value` before and after the elements of each dim."""
        fill = value if isinstance(value, SSAValue) else self.scalar(value, element_of(x))
        return self.insert(stablehlo.PadOp(x, fill, low, high, [0] * len(low)))

    def concatenate(self, values: Sequence[SSAValue], dimension: int) -> SSAValue:
        """The values one after the other along a dim (negative: from the last); one value itself."""
        if len(values) == 1:
            return values[0]
        return self.insert(stablehlo.ConcatenateOp(values, dimension % len(shape_of(values[0]))))

    def stack(self, values: Sequence[SSAValue], dimension: int = -1) -> SSAValue:
        """The values along a new dim (negative: from the end of the result's dims)."""
        shape = list(shape_of(values[0]))
        at = dimension % (len(shape) + 1)
        return self.concatenate([self.reshape(v, [*shape[:at], 1, *shape[at:]]) for v in values], at)

    def dynamic_slice(self, x: SSAValue, starts: Sequence[SSAValue], sizes: Sequence[int]) -> SSAValue:
        """A slice at run-time indices, clamped."""
        return self.insert(stablehlo.DynamicSliceOp(x, starts, sizes))

    def dynamic_update_slice(self, x: SSAValue, update: SSAValue, starts: Sequence[SSAValue]) -> SSAValue:
        """`x` with `update` written at run-time indices, clamped."""
        return self.insert(stablehlo.DynamicUpdateSliceOp(x, update, starts))

    # Contractions and reductions.

    def dot_general(
        self,
        a: SSAValue,
        b: SSAValue,
        batching: tuple[Sequence[int], Sequence[int]] = ((), ()),
        contracting: tuple[Sequence[int], Sequence[int]] = ((), ()),
        element: Attribute | None = None,
    ) -> SSAValue:
        """Batch dims, then the free dims of `a`, then of `b`."""
        numbers = DotDimensionNumbers(*map(tuple, (*batching, *contracting)))
        return self.insert(stablehlo.DotGeneralOp(a, b, numbers, element))

    def matmul(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """Matrix products over the last two dims; all dims before them are batch dims of both."""
        rank = len(shape_of(a))
        batch = list(range(rank - 2))
        return self.dot_general(a, b, (batch, batch), ([rank - 1], [rank - 2]))

    def reduce(self, kind: str, x: SSAValue, dimensions: Sequence[int], init: Operand | None = None) -> SSAValue:
        """The elements along dims combined by a binary op; `init` is the neutral element of add, multiply, and, or."""
        if init is None:
            init = {"add": 0, "or": 0, "multiply": 1, "and": 1}[kind]
        element = element_of(x)
        start = init if isinstance(init, SSAValue) else self.scalar(init, element)
        scalar = TensorType(element, [])
        region = self.region([scalar, scalar], lambda a, b: self.binary(kind, a, b))
        return self.insert(stablehlo.ReduceOp([x], [start], dimensions, region))

    # Regions.

    def region(self, types: Sequence[Attribute], body: Body) -> Region:
        """A region with these argument types that returns what `body(*arguments)` makes."""
        block = Block(arg_types=types)
        for argument in block.args:
            argument.location = self.builder.location
        outer = self.builder.insertion_point
        self.builder.insertion_point = InsertPoint.at_end(block)
        try:
            made = body(*block.args)
            self.builder.insert(stablehlo.ReturnOp(*([made] if isinstance(made, SSAValue) else made)))
        finally:
            self.builder.insertion_point = outer
        return Region(block)

    def while_(self, inits: Sequence[SSAValue], condition: Body, body: Body) -> tuple[SSAValue, ...]:
        """`body` repeated while `condition` holds; both get the carries as arguments."""
        types = [v.type for v in inits]
        regions = self.region(types, condition), self.region(types, body)
        return tuple(self.builder.insert(stablehlo.WhileOp(inits, *regions)).results)

    def fori(
        self, start: int, stop: int, inits: Sequence[SSAValue], body: Body, element: Attribute
    ) -> tuple[SSAValue, ...]:
        """`inits = body(i, *inits)` for i in [start, stop), i a 0-d tensor of an integer type."""
        results = self.while_(
            [self.scalar(start, element), *inits],
            lambda i, *_: self.lt(i, stop),
            lambda i, *carries: self._next(i, body, carries),
        )
        return results[1:]

    def _next(self, i: SSAValue, body: Body, carries: Sequence[SSAValue]) -> list[SSAValue]:
        made = body(i, *carries)
        return [self.add(i, 1), *([made] if isinstance(made, SSAValue) else made)]

    def if_(self, predicate: SSAValue, on_true: Body, on_false: Body) -> tuple[SSAValue, ...]:
        """What `on_true()` returns where the 0-d predicate holds, else what `on_false()` does."""
        branches = self.region([], on_true), self.region([], on_false)
        returned = branches[0].block.last_op
        assert returned is not None
        return tuple(self.builder.insert(stablehlo.IfOp(predicate, *branches, returned.operand_types)).results)


def function_region(op: Operation, function: func.FuncOp) -> Region:
    """A copy of a function's body, returning as regions do; `op` is whose region it shall be.

    Raises:
        InvalidProgramError: the function has no body of one block.
    """
    if function.is_declaration or function.body.block.next_block is not None:
        raise invalid(op, f"@{function.sym_name.data} has no body of one block")
    region = function.body.clone()
    last = region.block.last_op
    assert last is not None
    end = stablehlo.ReturnOp(*last.operands)
    end.location = last.location
    last.detach()
    last.erase()
    region.block.add_op(end)
    return region


def replace(old: Operation, values: Sequence[SSAValue]) -> None:
    """Replace an op by values, which take over its names, and erase it."""
    for result, new in zip(old.results, values, strict=True):
        if result.name_hint and not new.name_hint:
            new.name_hint = result.name_hint
        result.replace_all_uses_with(new)
    old.detach()
    old.erase()


__all__ = ["Body", "Hlo", "Number", "Operand", "element_of", "function_region", "replace", "shape_of"]
