"""What the rules of `convert-stablehlo-to-linalg` share: the value map, types, and builders of the few forms of step 2.

A rule takes the lowering and an op of step 1 and returns the step-2 values of its results. Rules look values up with
`get`, read types (with signedness) from the old ops, and insert at the lowering's current point.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from xdsl.dialects import arith, func, tensor
from xdsl.dialects.builtin import (
    AffineMapAttr,
    ArrayAttr,
    ComplexType,
    DenseArrayBase,
    FloatAttr,
    FunctionType,
    IntegerAttr,
    TensorType,
    i64,
)
from xdsl.dialects.linalg import ops as linalg
from xdsl.dialects.linalg.attrs import IteratorType, IteratorTypeAttr
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap
from xdsl.rewriter import InsertPoint

from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.diagnostics import unsupported
from stepwell.passes.stablehlo_to_linalg.scalars import Scalars, signless_element

REMARKS = "kernel.remarks"
"""What passes of step 1 have to say about an op: goes to what becomes of it."""
Shape = tuple[int, ...]
Rule = Callable[["Lowering", Any], Sequence[SSAValue]]
Body = Callable[[Scalars, list[SSAValue]], Sequence[SSAValue]]
Splat = IntegerAttr[Any] | FloatAttr[Any]


def shape_of(value: SSAValue) -> Shape:
    """The shape of a tensor value."""
    assert isinstance(value.type, TensorType)
    return value.type.get_shape()


def element_of(value: SSAValue) -> Attribute:
    """The element type of a tensor value."""
    assert isinstance(value.type, TensorType)
    return value.type.get_element_type()


def ints(array: Any) -> Shape:
    """The values of an `array<i64: ...>` attribute."""
    return tuple(array.get_values())


def dim(position: int) -> AffineExpr:
    """The affine expression `d<position>`."""
    return AffineExpr.dimension(position)


def affine(position: int, scale: int = 1, offset: int = 0) -> AffineExpr:
    """`d<position> * scale + offset`, without what is neutral."""
    expr = dim(position) if scale == 1 else dim(position) * scale
    return expr if offset == 0 else expr + offset


def _is_complex(a_type: Attribute) -> bool:
    return isinstance(a_type, TensorType) and isinstance(a_type.element_type, ComplexType)


class Lowering:
    """The state of one conversion."""

    def __init__(
        self,
        builder: LocatedBuilder,
        rules: dict[type[Operation], Rule],
        decompositions: Mapping[str, func.FuncOp] | None = None,
    ):
        self.builder = builder
        self.rules = rules
        self.decompositions = decompositions or {}
        """What the composites are that rules claim, by the name of their decomposition."""
        self.values: dict[SSAValue, SSAValue] = {}
        self.splats: dict[SSAValue, Splat] = {}
        """Values of step 1 known to hold one constant everywhere."""
        self._removable: list[Operation] = []

    def get(self, value: SSAValue) -> SSAValue:
        """The step-2 value of a step-1 value."""
        return self.values[value]

    def convert_type(self, a_type: Attribute, op: Operation) -> Attribute:
        """The step-2 type.

        Raises:
            UnsupportedError: not a statically shaped tensor.
        """
        if isinstance(a_type, FunctionType):
            return FunctionType.from_lists(
                [self.convert_type(t, op) for t in a_type.inputs], [self.convert_type(t, op) for t in a_type.outputs]
            )
        if not isinstance(a_type, TensorType):
            raise unsupported(op, f"type {a_type} is not lowered", "only ranked tensors pass")
        if any(n < 0 for n in a_type.get_shape()):
            raise unsupported(op, f"dynamic shape {a_type}", "specialize the program to static shapes")
        element = a_type.get_element_type()
        signless = signless_element(element)
        return a_type if signless is element else TensorType(signless, a_type.get_shape())

    def result_type(self, op: Operation, index: int = 0) -> TensorType[Any]:
        """The step-2 type of a result of a step-1 op."""
        converted = self.convert_type(op.results[index].type, op)
        assert isinstance(converted, TensorType)
        return converted

    @contextmanager
    def inside(self, block: Block) -> Generator[None]:
        """Insert at the end of `block` meanwhile."""
        previous = self.builder.insertion_point
        self.builder.insertion_point = InsertPoint.at_end(block)
        try:
            yield
        finally:
            self.builder.insertion_point = previous

    def convert_op(self, op: Operation) -> None:
        """Lower one op and record its results."""
        rule = self.rules.get(type(op))
        if rule is None:
            raise unsupported(op, "no lowering to the structured step", "write it with ops that are lowered")
        if any(_is_complex(v.type) for v in (*op.operands, *op.results)):
            raise unsupported(op, "complex numbers are not lowered", "run split-complex first")
        self.builder.location = op.location
        for old, new in zip(op.results, rule(self, op), strict=True):
            self.values[old] = new
            if REMARKS in op.attributes and isinstance(new.owner, Operation):
                new.owner.attributes[REMARKS] = op.attributes[REMARKS]
            if old.name_hint and not new.name_hint:
                new.name_hint = old.name_hint

    # Values without computation.

    def removable(self, op: Operation) -> SSAValue:
        """Insert an op that may turn out unused; see `remove_unused`."""
        self._removable.append(self.builder.insert(op))
        return op.results[0]

    def remove_unused(self) -> None:
        """Erase the constants, fills and empties that nothing uses."""
        for op in reversed(self._removable):
            if all(r.first_use is None for r in op.results):
                op.detach()
                op.erase()
        self._removable.clear()

    def empty(self, shape: Sequence[int], element: Attribute) -> SSAValue:
        """`tensor.empty`."""
        return self.removable(tensor.EmptyOp((), TensorType(element, shape)))

    def fill(self, value: Splat, shape: Sequence[int]) -> SSAValue:
        """`linalg.fill` of a constant."""
        scalar = self.removable(arith.ConstantOp(value))
        target = self.empty(shape, value.type)
        return self.removable(linalg.FillOp([scalar], [target], [target.type]))

    def splat_of(self, value: SSAValue) -> Splat | None:
        """The constant a step-1 value holds everywhere, with a signless type."""
        return self.splats.get(value)

    def broadcast_scalar(self, value: SSAValue, shape: Sequence[int]) -> SSAValue:
        """The 0-d step-1 `value` in every element of a new tensor: a fill when constant, else a generic."""
        splat = self.splat_of(value)
        if splat is not None:
            return self.fill(splat, shape)
        return self.remap(self.get(value), shape, [])

    def extract_scalar(self, value: SSAValue) -> SSAValue:
        """The element of a 0-d step-2 tensor, on the host."""
        return self.builder.insert(tensor.ExtractOp(value, (), element_of(value))).results[0]

    # Generics.

    def generic(
        self,
        inputs: Sequence[tuple[SSAValue, Sequence[AffineExpr]]],
        outputs: Sequence[tuple[SSAValue, Sequence[AffineExpr]]],
        loops: Sequence[str],
        body: Body,
    ) -> Sequence[SSAValue]:
        """A `linalg.generic` on operands with their index expressions; `loops` has "p" or "r" per loop dim."""
        operands = [*inputs, *outputs]
        block = Block(arg_types=[element_of(v) for v, _ in operands])
        location = self.builder.location
        for arg in block.args:
            arg.location = location
        with self.inside(block):
            results = body(Scalars(self.builder), list(block.args))
            self.builder.location = location  # a region's ops bring their own
            self.builder.insert(linalg.YieldOp(*results))
        maps = [AffineMapAttr(AffineMap(len(loops), 0, tuple(exprs))) for _, exprs in operands]
        kinds = [IteratorTypeAttr(IteratorType.PARALLEL if k == "p" else IteratorType.REDUCTION) for k in loops]
        op = linalg.GenericOp(
            [v for v, _ in inputs],
            [v for v, _ in outputs],
            Region(block),
            ArrayAttr(maps),
            ArrayAttr(kinds),
            [v.type for v, _ in outputs],
        )
        return self.builder.insert(op).results

    def map(
        self, inputs: Sequence[tuple[SSAValue, Sequence[AffineExpr]]], result: TensorType[Any], body: Body
    ) -> SSAValue:
        """An all-parallel generic over the result's elements; nothing to compute where it has none.

        The body gets the input elements only.
        """
        shape = result.get_shape()
        target = self.empty(shape, result.get_element_type())
        if 0 in shape:
            return target
        identity = [dim(i) for i in range(len(shape))]
        return self.generic(inputs, [(target, identity)], "p" * len(shape), lambda s, args: body(s, args[:-1]))[0]

    def remap(self, value: SSAValue, shape: Sequence[int], exprs: Sequence[AffineExpr]) -> SSAValue:
        """A tensor of `shape` whose elements are those of `value` at the index expressions."""
        result = TensorType(element_of(value), shape)
        return self.map([(value, exprs)], result, lambda s, args: [args[0]])

    # Reshapes and slices.

    def collapse(self, value: SSAValue, groups: Sequence[Sequence[int]], shape: Sequence[int]) -> SSAValue:
        """`tensor.collapse_shape`, or the value when it has that shape."""
        if tuple(shape) == shape_of(value):
            return value
        op = tensor.CollapseShapeOp.build(
            operands=[value],
            result_types=[TensorType(element_of(value), shape)],
            properties={"reassociation": _reassociation(groups)},
        )
        return self.builder.insert(op).results[0]

    def expand(self, value: SSAValue, groups: Sequence[Sequence[int]], shape: Sequence[int]) -> SSAValue:
        """`tensor.expand_shape`, or the value when it has that shape."""
        if tuple(shape) == shape_of(value):
            return value
        op = tensor.ExpandShapeOp(
            value,
            (),
            _reassociation(groups),
            DenseArrayBase.from_list(i64, tuple(shape)),
            TensorType(element_of(value), shape),
        )
        return self.builder.insert(op).results[0]

    def insert_slice(
        self, source: SSAValue, dest: SSAValue, offsets: Sequence[int], strides: Sequence[int] | None = None
    ) -> SSAValue:
        """`tensor.insert_slice` at static offsets; `dest` itself when there is nothing to insert."""
        if 0 in shape_of(source):
            return dest
        op = tensor.InsertSliceOp.from_static_parameters(source, dest, offsets, shape_of(source), strides)
        return self.builder.insert(op).results[0]

    def slice(
        self, value: SSAValue, starts: Sequence[int], shape: Sequence[int], strides: Sequence[int] | None = None
    ) -> SSAValue:
        """A static slice as a generic; the value itself when it is all of it."""
        if tuple(shape) == shape_of(value):
            return value
        steps = strides if strides is not None else [1] * len(starts)
        exprs = [affine(i, step, start) for i, (start, step) in enumerate(zip(starts, steps, strict=True))]
        return self.remap(value, shape, exprs)

    def pad(
        self,
        value: SSAValue,
        fill: SSAValue,
        low: Sequence[int],
        high: Sequence[int],
        interior: Sequence[int],
    ) -> SSAValue:
        """Pad step-2 `value` by the 0-d step-1 `fill`; negative amounts cut off."""
        return self.pad_with(value, lambda shape: self.broadcast_scalar(fill, shape), low, high, interior)

    def pad_with(
        self,
        value: SSAValue,
        filled: Callable[[Shape], SSAValue],
        low: Sequence[int],
        high: Sequence[int],
        interior: Sequence[int],
    ) -> SSAValue:
        """Pad `value` into what `filled` makes: element k of a dimension lands at low + k * (interior + 1)."""
        if not any(low) and not any(high) and not any(interior):
            return value
        starts: list[int] = []
        sizes: list[int] = []
        offsets: list[int] = []
        target: list[int] = []
        for n, lo, hi, gap in zip(shape_of(value), low, high, interior, strict=True):
            step = gap + 1
            extent = max(0, lo + hi + (n + (n - 1) * gap if n else 0))
            first = max(0, -(lo // step)) if lo < 0 else 0
            last = min(n - 1, (extent - 1 - lo) // step)
            starts.append(first)
            sizes.append(max(0, last - first + 1))
            offsets.append(lo + first * step)
            target.append(extent)
        if 0 in sizes or 0 in target:
            return filled(tuple(target))
        kept = self.slice(value, starts, sizes)
        if sizes == target:
            return kept
        return self.insert_slice(kept, filled(tuple(target)), offsets, [g + 1 for g in interior])


def _reassociation(groups: Sequence[Sequence[int]]) -> ArrayAttr[ArrayAttr[IntegerAttr[Any]]]:
    return ArrayAttr([ArrayAttr([IntegerAttr(i, i64) for i in group]) for group in groups])
