"""Step-1 functions built op by op, with inferred types and no text.

    f = Function("main", [tensor("float32", 4, 8), tensor("float32", 8)])
    x, b = f.arguments
    y = f.unary("tanh", f.binary("add", x, f.broadcast_in_dim(b, (4, 8), (1,))))
    module = f.finish(y)

Every op gets the location of the caller's line. Operands must have the types the ops ask for: what broadcasts and promotes is
`stepwell.numpy`, which emits through this builder as well. A violated shape constraint is an error at the caller's line.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias, TypeVar, cast

import numpy as np
from xdsl.dialects.builtin import (
    ComplexType,
    DenseArrayBase,
    DictionaryAttr,
    IntegerAttr,
    LocationAttr,
    ModuleOp,
    StringAttr,
    TensorType,
    i32,
    i64,
)
from xdsl.dialects.func import CallOp, FuncOp
from xdsl.dialects.func import ReturnOp as FuncReturnOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.rewriter import InsertPoint
from xdsl.utils.exceptions import VerifyException

from stepwell.dialects import chlo, stablehlo
from stepwell.dialects.stablehlo.elementwise import BinaryElementwiseOp, UnaryElementwiseOp
from stepwell.frontends.dtypes import as_dtype, bits, element_type
from stepwell.frontends.errors import TracingError, refuse
from stepwell.frontends.locations import caller_location
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.dense import array_to_dense
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.shapes import ShapeError, broadcast_in_dim
from stepwell.ir.verify import VerifyDiagnosticError, verify_module

Values: TypeAlias = Sequence[SSAValue]
Body: TypeAlias = Callable[[Values], Values]
"""What a region computes: from its arguments to what it returns; emits through the same builder."""
Direction: TypeAlias = Literal["EQ", "NE", "GE", "GT", "LE", "LT"]
OpT = TypeVar("OpT", bound=Operation)

UNARY: dict[str, type[Any]] = {
    **{op.name.split(".")[1]: op for op in chlo.Chlo.operations if issubclass(op, chlo.ChloUnaryOp)},
    **{op.name.split(".")[1]: op for op in stablehlo.StableHLO.operations if issubclass(op, UnaryElementwiseOp)},
    "is_finite": stablehlo.IsFiniteOp,
}
"""Elementwise ops of one operand, by name; where both dialects have one, StableHLO's."""
BINARY: dict[str, type[Any]] = {
    op.name.split(".")[1]: op for op in stablehlo.StableHLO.operations if issubclass(op, BinaryElementwiseOp)
}
"""Elementwise ops of two operands, by name."""


def tensor(dtype: Any, *shape: int) -> TensorType[Any]:
    """The type of tensors of `dtype` and `shape`."""
    return TensorType(element_type(as_dtype(dtype)), shape)


def shape_of(value: SSAValue) -> tuple[int, ...]:
    """Extents of a tensor value."""
    return cast("TensorType[Any]", value.type).get_shape()


def element_of(value: SSAValue) -> Attribute:
    """Element type of a tensor value."""
    return cast("TensorType[Any]", value.type).element_type


def _fft(operand: SSAValue, kind: stablehlo.FftType, lengths: tuple[int, ...]) -> stablehlo.FftOp:
    """The op with the result type that its kind implies."""
    shape, element = shape_of(operand), element_of(operand)
    last = lengths[-1]
    if kind == stablehlo.FftType.RFFT:
        shape, element = (*shape[:-1], last // 2 + 1 if last else 0), ComplexType(cast(Any, element))
    elif kind == stablehlo.FftType.IRFFT:
        shape, element = (*shape[:-1], last), cast("ComplexType[Any]", element).element_type
    return stablehlo.FftOp.build(
        operands=[operand],
        result_types=[TensorType(element, shape)],
        properties={
            "fft_type": stablehlo.FftTypeAttr(kind),
            "fft_length": DenseArrayBase.from_list(i64, list(lengths)),
        },
    )


class Function:
    """A function of step 1 under construction; its methods append ops and return their results.

    Attributes:
        arguments: the function's arguments.
    """

    def __init__(
        self,
        name: str = "main",
        inputs: Sequence[Attribute] = (),
        *,
        locate: Callable[[], LocationAttr] = caller_location,
    ):
        self.name = name
        self._locate = locate
        self._block = Block(arg_types=inputs)
        self._callees: dict[str, FuncOp] = {}
        self._location = locate()
        self._builder = LocatedBuilder(InsertPoint.at_end(self._block))
        self._open = [self._block]
        self._finished = False

    @property
    def arguments(self) -> tuple[SSAValue, ...]:
        """The function's arguments."""
        return tuple(self._block.args)

    def is_visible(self, value: SSAValue) -> bool:
        """Whether a value belongs to a block that is still being built."""
        owner = value.owner
        block = owner if isinstance(owner, Block) else owner.parent_block()
        return any(block is known for known in self._open)

    def emit(self, make: Callable[..., OpT], *operands: Any, **options: Any) -> OpT:
        """Append the op `make` constructs, at the caller's line.

        Raises:
            TracingError: a constraint of the op does not hold.
        """
        if self._finished:
            raise refuse(f"the function '{self.name}' is finished")
        try:
            op = make(*operands, **options)
        except (ShapeError, VerifyException) as error:
            raise refuse(f"{getattr(make, 'name', make.__name__)}: {error}") from None
        self._builder.location = self._locate()
        return self._builder.insert(op)

    def one(self, make: Callable[..., Operation], *operands: Any, **options: Any) -> SSAValue:
        """The only result of the op `emit` appends."""
        return self.emit(make, *operands, **options).results[0]

    @contextmanager
    def _inside(self, block: Block) -> Generator[None]:
        outer = self._builder.insertion_point
        self._open.append(block)
        self._builder.insertion_point = InsertPoint.at_end(block)
        try:
            yield
        finally:
            self._open.pop()
            self._builder.insertion_point = outer

    def region(self, inputs: Sequence[Attribute], body: Body) -> Region:
        """A region with these argument types that returns what `body` makes of them."""
        block = Block(arg_types=inputs)
        with self._inside(block):
            self.emit(stablehlo.ReturnOp, *body(block.args))
        return Region(block)

    @contextmanager
    def sketch(self, inputs: Sequence[Attribute], body: Body) -> Generator[tuple[Block, Values]]:
        """(a block with these argument types and what `body` emits, what it returns), thrown away in the end."""
        block = Block(arg_types=inputs)
        try:
            with self._inside(block):
                values = body(block.args)
            yield block, values
        finally:
            for op in reversed(tuple(block.ops)):
                block.erase_op(op, safe_erase=False)

    @contextmanager
    def located(self, location: LocationAttr) -> Generator[None]:
        """Ops get `location` instead of the caller's line."""
        outer, self._locate = self._locate, lambda: location
        try:
            yield
        finally:
            self._locate = outer

    # Elementwise ---------------------------------------------------------------------------------------------------

    def unary(self, name: str, operand: SSAValue) -> SSAValue:
        """An elementwise op of one operand: "tanh", "negate", "erf", ...; the names are `UNARY`'s."""
        return self.one(_named(UNARY, name), operand)

    def binary(self, name: str, lhs: SSAValue, rhs: SSAValue) -> SSAValue:
        """An elementwise op of two operands of one type: "add", "maximum", ...; the names are `BINARY`'s."""
        if lhs.type != rhs.type:
            raise refuse(f"stablehlo.{name}: the operands have types {lhs.type} and {rhs.type}")
        return self.one(_named(BINARY, name), lhs, rhs)

    def compare(self, direction: Direction, lhs: SSAValue, rhs: SSAValue, total_order: bool = False) -> SSAValue:
        """Elementwise comparison; the operands have one type."""
        if lhs.type != rhs.type:
            raise refuse(f"stablehlo.compare: the operands have types {lhs.type} and {rhs.type}")
        how = stablehlo.ComparisonType.TOTALORDER if total_order else _comparison(element_of(lhs))
        return self.one(stablehlo.CompareOp, lhs, rhs, stablehlo.ComparisonDirection(direction), how)

    def select(self, pred: SSAValue, on_true: SSAValue, on_false: SSAValue) -> SSAValue:
        """`on_true` where `pred`, else `on_false`."""
        return self.one(stablehlo.SelectOp, pred, on_true, on_false)

    def clamp(self, low: SSAValue, operand: SSAValue, high: SSAValue) -> SSAValue:
        """`operand` limited to [low, high]."""
        return self.one(stablehlo.ClampOp, low, operand, high)

    def convert(self, operand: SSAValue, dtype: Any) -> SSAValue:
        """Conversion to another element type."""
        return self.one(stablehlo.ConvertOp, operand, tensor(dtype, *shape_of(operand)))

    def bitcast(self, operand: SSAValue, dtype: Any) -> SSAValue:
        """The same bits as another element type; a last dim holds (or held) the parts of the wider one."""
        shape, wide, narrow = shape_of(operand), bits(numpy_dtype(element_of(operand))), bits(as_dtype(dtype))
        if wide > narrow:
            shape = (*shape, wide // narrow)
        elif wide < narrow:
            shape = shape[:-1]
        return self.one(stablehlo.BitcastConvertOp, operand, tensor(dtype, *shape))

    def next_after(self, operand: SSAValue, towards: SSAValue) -> SSAValue:
        """The next representable number in the direction of another one."""
        return self.one(chlo.NextAfterOp, operand, towards)

    def complex(self, real: SSAValue, imag: SSAValue) -> SSAValue:
        """Complex numbers from their parts."""
        return self.one(stablehlo.ComplexOp, real, imag)

    # Constants -----------------------------------------------------------------------------------------------------

    def constant(self, value: Any, dtype: Any = None) -> SSAValue:
        """A constant with the values of an array (or scalar)."""
        array = np.asarray(value, None if dtype is None else as_dtype(dtype))
        return self.one(stablehlo.ConstantOp, array_to_dense(array, element_type(array.dtype)))

    def full(self, value: Any, dtype: Any, shape: Sequence[int] = ()) -> SSAValue:
        """A tensor of one value: a scalar constant, broadcast."""
        scalar = self.constant(value, dtype)
        return self.broadcast_in_dim(scalar, shape, ()) if len(shape) else scalar

    def iota(self, dtype: Any, shape: Sequence[int], dimension: int) -> SSAValue:
        """0, 1, 2, ... along `dimension`."""
        return self.one(stablehlo.IotaOp, dimension, tensor(dtype, *shape))

    # Moving data ---------------------------------------------------------------------------------------------------

    def broadcast_in_dim(self, operand: SSAValue, shape: Sequence[int], dimensions: Sequence[int]) -> SSAValue:
        """Dim i of the operand becomes dim `dimensions[i]` of the result; the others repeat it."""
        try:
            broadcast_in_dim(shape_of(operand), dimensions, shape)
        except ShapeError as error:
            raise refuse(f"stablehlo.broadcast_in_dim: {error}") from None
        return self.one(stablehlo.BroadcastInDimOp, operand, dimensions, TensorType(element_of(operand), shape))

    def reshape(self, operand: SSAValue, shape: Sequence[int]) -> SSAValue:
        """The same elements in another shape."""
        return self.one(stablehlo.ReshapeOp, operand, shape)

    def transpose(self, operand: SSAValue, permutation: Sequence[int]) -> SSAValue:
        """Dim i of the result is dim `permutation[i]` of the operand."""
        return self.one(stablehlo.TransposeOp, operand, permutation)

    def reverse(self, operand: SSAValue, dimensions: Sequence[int]) -> SSAValue:
        """The elements in opposite order along `dimensions`."""
        return self.one(stablehlo.ReverseOp, operand, dimensions)

    def slice(
        self, operand: SSAValue, starts: Sequence[int], limits: Sequence[int], strides: Sequence[int] | None = None
    ) -> SSAValue:
        """`operand[start:limit:stride]` per dim."""
        return self.one(stablehlo.SliceOp, operand, starts, limits, strides)

    def pad(
        self,
        operand: SSAValue,
        value: SSAValue,
        low: Sequence[int],
        high: Sequence[int],
        interior: Sequence[int] | None = None,
    ) -> SSAValue:
        """`value` before, after and between the elements of each dim."""
        return self.one(stablehlo.PadOp, operand, value, low, high, interior or [0] * len(low))

    def concatenate(self, operands: Values, dimension: int) -> SSAValue:
        """The operands one after the other."""
        return self.one(stablehlo.ConcatenateOp, operands, dimension)

    def dynamic_slice(self, operand: SSAValue, starts: Values, sizes: Sequence[int]) -> SSAValue:
        """A slice at run-time indices, clamped."""
        return self.one(stablehlo.DynamicSliceOp, operand, starts, sizes)

    def dynamic_update_slice(self, operand: SSAValue, update: SSAValue, starts: Values) -> SSAValue:
        """The operand with `update` written at run-time indices, clamped."""
        return self.one(stablehlo.DynamicUpdateSliceOp, operand, update, starts)

    def gather(
        self,
        operand: SSAValue,
        indices: SSAValue,
        numbers: stablehlo.GatherDimensionNumbers,
        slice_sizes: Sequence[int],
    ) -> SSAValue:
        """Slices of the operand at indices, clamped."""
        return self.one(stablehlo.GatherOp, operand, indices, numbers, slice_sizes)

    def scatter(
        self,
        operand: SSAValue,
        indices: SSAValue,
        updates: SSAValue,
        numbers: stablehlo.ScatterDimensionNumbers,
        body: str | Body,
    ) -> SSAValue:
        """The operand with slices at indices combined with `updates`, in the order of the indices; those outside are dropped.

        `body` is the name of a binary op or a region on scalars: (old element, update).
        """
        region = self._combiner([operand], body)
        return self.one(stablehlo.ScatterOp, [operand], indices, [updates], numbers, region)

    # Contractions, reductions, sorting -----------------------------------------------------------------------------

    def dot_general(
        self,
        lhs: SSAValue,
        rhs: SSAValue,
        batching: tuple[Sequence[int], Sequence[int]] = ((), ()),
        contracting: tuple[Sequence[int], Sequence[int]] = ((), ()),
        dtype: Any = None,
    ) -> SSAValue:
        """Batch dims, then free dims of `lhs`, then of `rhs`; `dtype` is the result's (and the sum's)."""
        numbers = stablehlo.DotDimensionNumbers(*map(tuple, (*batching, *contracting)))
        result = None if dtype is None else element_type(as_dtype(dtype))
        return self.one(stablehlo.DotGeneralOp, lhs, rhs, numbers, result)

    def fft(self, operand: SSAValue, kind: str, lengths: Sequence[int]) -> SSAValue:
        """A Fourier transform over the last dims: "FFT", "IFFT", "RFFT" or "IRFFT"."""
        return self.one(_fft, operand, stablehlo.FftType(kind), tuple(lengths))

    def convolution(
        self,
        lhs: SSAValue,
        rhs: SSAValue,
        numbers: stablehlo.ConvDimensionNumbers,
        strides: Sequence[int] | None = None,
        padding: Sequence[tuple[int, int]] | None = None,
        lhs_dilation: Sequence[int] | None = None,
        rhs_dilation: Sequence[int] | None = None,
        feature_group_count: int = 1,
        batch_group_count: int = 1,
        dtype: Any = None,
    ) -> SSAValue:
        """Dot products of windows of `lhs` with `rhs`; `dtype` is the result's (and the sum's)."""
        return self.one(
            stablehlo.ConvolutionOp,
            lhs,
            rhs,
            numbers,
            None if dtype is None else element_type(as_dtype(dtype)),
            strides,
            padding,
            lhs_dilation,
            rhs_dilation,
            feature_group_count=feature_group_count,
            batch_group_count=batch_group_count,
        )

    def reduce(
        self, operands: Values, inits: Values, dimensions: Sequence[int], body: str | Body
    ) -> tuple[SSAValue, ...]:
        """The elements along `dimensions` combined by a binary op (its name) or by a region on scalars."""
        region = self._combiner(inits, body)
        return tuple(self.emit(stablehlo.ReduceOp, operands, inits, dimensions, region).results)

    def reduce_window(
        self,
        operands: Values,
        inits: Values,
        window: Sequence[int],
        body: str | Body,
        strides: Sequence[int] | None = None,
        padding: Sequence[tuple[int, int]] | None = None,
        base_dilations: Sequence[int] | None = None,
        window_dilations: Sequence[int] | None = None,
    ) -> tuple[SSAValue, ...]:
        """Every window of the operands reduced."""
        region = self._combiner(inits, body)
        options = (strides, base_dilations, window_dilations, padding)
        return tuple(self.emit(stablehlo.ReduceWindowOp, operands, inits, window, region, *options).results)

    def _combiner(self, values: Values, body: str | Body) -> Region:
        """A region on two scalars of each value's element type."""
        types = [TensorType(element_of(value), []) for value in values]
        if isinstance(body, str):
            name = body
            return self.region(types * 2, lambda args: [self.binary(name, args[0], args[1])])
        return self.region(types * 2, body)

    def sort(self, operands: Values, dimension: int, comparator: Body, stable: bool = True) -> tuple[SSAValue, ...]:
        """The operands reordered together along `dimension`; the comparator's arguments are (a0, b0, a1, b1, ...)."""
        types = [TensorType(element_of(v), []) for v in operands for _ in range(2)]
        region = self.region(types, comparator)
        return tuple(self.emit(stablehlo.SortOp, operands, dimension, stable, region).results)

    def top_k(self, operand: SSAValue, k: int) -> tuple[SSAValue, SSAValue]:
        """(the k largest of each row, their indices)."""
        values, indices = self.emit(chlo.TopKOp, operand, k).results
        return values, indices

    # Control flow --------------------------------------------------------------------------------------------------

    def while_(self, inits: Values, condition: Body, body: Body) -> tuple[SSAValue, ...]:
        """`body` repeated while `condition` holds."""
        types = [v.type for v in inits]
        regions = self.region(types, condition), self.region(types, body)
        _require_types("the loop body", [v.type for v in _returned(regions[1])], types)
        return tuple(self.emit(stablehlo.WhileOp, inits, *regions).results)

    def scan(
        self,
        inits: Values,
        length: int,
        body: Callable[[SSAValue, Values], tuple[Values, Values]],
        reverse: bool = False,
    ) -> tuple[tuple[SSAValue, ...], tuple[SSAValue, ...]]:
        """(the last carries, the others stacked) of `carries, others = body(index, carries)` for each i32 index.

        `reverse` counts down; what is stacked stands at its index all the same.
        """
        block = Block(arg_types=[tensor("int32"), *(v.type for v in inits)])
        with self._inside(block):
            step, *carries = block.args
            index = self.binary("subtract", self.constant(length - 1, "int32"), step) if reverse else step
            new, others = body(index, carries)
            _require_types("the carry of the scan", [v.type for v in new], [v.type for v in inits])
            stacked = [self._stacked(block, length, index, value) for value in others]
            following = self.binary("add", step, self.constant(1, "int32"))
            self.emit(stablehlo.ReturnOp, following, *new, *stacked)
        buffers = [self.full(0, numpy_dtype(element_of(v)), shape_of(v)) for v in stacked]
        inside = self.region(
            [a.type for a in block.args], lambda a: [self.compare("LT", a[0], self.constant(length, "int32"))]
        )
        start = [self.constant(0, "int32"), *inits, *buffers]
        results = tuple(self.emit(stablehlo.WhileOp, start, inside, Region(block)).results)
        return results[1 : 1 + len(inits)], results[1 + len(inits) :]

    def _stacked(self, block: Block, length: int, index: SSAValue, value: SSAValue) -> SSAValue:
        """The value written at an index of one more carry of the loop."""
        shape = shape_of(value)
        buffer = block.insert_arg(TensorType(element_of(value), (length, *shape)), len(block.args))
        zero = self.constant(0, "int32")
        return self.dynamic_update_slice(buffer, self.reshape(value, (1, *shape)), [index, *([zero] * len(shape))])

    def case(self, index: SSAValue, branches: Sequence[Body]) -> tuple[SSAValue, ...]:
        """What the branch that the i32 `index` picks returns; out of range picks the last."""
        if index.type != TensorType(i32, []):
            raise refuse(f"stablehlo.case: the index has type {index.type}, expected tensor<i32>")
        regions = [self.region([], branch) for branch in branches]
        types = [v.type for v in _returned(regions[0])]
        for number, region in enumerate(regions):
            _require_types(f"branch {number}", [v.type for v in _returned(region)], types)
        return tuple(self.emit(stablehlo.CaseOp, index, regions, types).results)

    def if_(self, pred: SSAValue, on_true: Body, on_false: Body) -> tuple[SSAValue, ...]:
        """What one of two branches returns."""
        regions = self.region([], on_true), self.region([], on_false)
        types = [v.type for v in _returned(regions[0])]
        _require_types("the false branch", [v.type for v in _returned(regions[1])], types)
        return tuple(self.emit(stablehlo.IfOp, pred, *regions, types).results)

    def call(self, callee: Function, operands: Values) -> tuple[SSAValue, ...]:
        """Call a finished function, which becomes a private function of this module."""
        function = callee.function()
        for name, known in {**callee._callees, callee.name: function}.items():
            if self._callees.setdefault(name, known) is not known or name == self.name:
                raise refuse(f"two functions are called '{name}'")
        types = function.function_type
        _require_types(f"the call of '{callee.name}'", [v.type for v in operands], list(types.inputs.data))
        return tuple(self.emit(CallOp, callee.name, list(operands), list(types.outputs.data)).results)

    def custom_call(
        self,
        target: str,
        operands: Values,
        results: Sequence[Attribute],
        config: dict[str, Attribute] | None = None,
        has_side_effect: bool = False,
    ) -> tuple[SSAValue, ...]:
        """A call of what `expand-custom-calls` knows by a name; `config` holds its attributes."""
        properties: dict[str, Attribute] = {
            "call_target_name": StringAttr(target),
            "api_version": IntegerAttr(4, i32),
            "backend_config": DictionaryAttr(config or {}),
        }
        if has_side_effect:
            properties["has_side_effect"] = IntegerAttr.from_bool(True)
        made = self.emit(
            stablehlo.CustomCallOp.create, operands=list(operands), result_types=list(results), properties=properties
        )
        return tuple(made.results)

    # The end -------------------------------------------------------------------------------------------------------

    def finish(self, *results: SSAValue) -> ModuleOp:
        """Return `results` and give the verified module.

        Raises:
            TracingError: some op is not valid.
        """
        self.return_(*results)
        function = self.function()
        module = ModuleOp([function, *self._callees.values()])
        function.properties.pop("sym_visibility", None)
        try:
            verify_module(module)
        except VerifyDiagnosticError as error:
            raise TracingError(error.diagnostic) from None
        return module

    def return_(self, *results: SSAValue) -> None:
        """End the function, which others may then call."""
        self.emit(FuncReturnOp, *results)
        self._finished = True
        inputs = [a.type for a in self._block.args]
        outputs = [v.type for v in results]
        self._function = FuncOp(self.name, (inputs, outputs), Region(self._block), "private")
        self._function.location = self._location

    def function(self) -> FuncOp:
        """The op of a finished function."""
        if not self._finished:
            raise refuse(f"the function '{self.name}' is not finished")
        return self._function


def _named(table: dict[str, type[Any]], name: str) -> type[Any]:
    if name not in table:
        raise refuse(f"no elementwise op is called '{name}'", f"the names are {', '.join(sorted(table))}")
    return table[name]


def _comparison(element: Attribute) -> stablehlo.ComparisonType:
    dtype = numpy_dtype(element)
    if dtype.name.startswith(("uint", "bool")):
        return stablehlo.ComparisonType.UNSIGNED
    return stablehlo.ComparisonType.SIGNED if dtype.name.startswith("int") else stablehlo.ComparisonType.FLOAT


def _returned(region: Region) -> Values:
    last = region.block.last_op
    assert last is not None
    return tuple(last.operands)


def _require_types(what: str, types: Sequence[Attribute], expected: Sequence[Attribute]) -> None:
    if list(types) != list(expected):
        shown = [", ".join(map(str, group)) for group in (types, expected)]
        raise refuse(f"{what} has types ({shown[0]}), expected ({shown[1]})")
