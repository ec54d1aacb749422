"""StableHLO ops that combine elements by a region: reductions, windows, sorting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self, cast

from xdsl.dialects.builtin import (
    BoolAttr,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    IntegerAttr,
    TensorType,
    i1,
    i64,
)
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.irdl import (
    SameVariadicOperandSize,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser, UnresolvedOperand
from xdsl.printer import Printer
from xdsl.traits import Commutative, RecursiveMemoryEffect

from stepwell.dialects.stablehlo.base import (
    AnyTensor,
    StableHLOOp,
    build,
    i64_array,
    i64_attr,
    ints,
    ints_text,
    parse_attr_dict,
    parse_function_type,
    parse_named_ints,
    print_attr_dict,
    print_function_type,
    returned_types,
    scalar_of,
    single_block,
    tensor_of,
    type_list,
)
from stepwell.dialects.stablehlo.control_flow import ReturnOp
from stepwell.ir import shapes

Pads = tuple[tuple[int, int], ...]


def _shape(value: SSAValue) -> tuple[int, ...]:
    return cast(AnyTensor, value.type).get_shape()


def padding_rows(attr: DenseIntOrFPElementsAttr[Any] | None, rank: int) -> Pads:
    """The (low, high) rows of an optional `dense<...> : tensor<rank x 2 x i64>`."""
    if attr is None:
        return ((0, 0),) * rank
    values: Any = attr.get_values()
    if len(values) == 1 and rank:
        values = values * (2 * rank)
    return tuple((values[i], values[i + 1]) for i in range(0, len(values), 2))


def padding_attr(rows: Sequence[tuple[int, int]]) -> DenseIntOrFPElementsAttr[Any]:
    """The inverse of `padding_rows`."""
    flat = [value for row in rows for value in row]
    return DenseIntOrFPElementsAttr.from_list(TensorType(i64, [len(rows), 2]), flat)


def _require_padding(op: StableHLOOp, label: str, attr: DenseIntOrFPElementsAttr[Any] | None, rank: int) -> None:
    if attr is not None:
        shape = attr.get_shape()
        op.require(label, tuple(shape) == (rank, 2), lambda: f"padding has shape {list(shape)}, expected [{rank}, 2]")


def require_accumulation(
    op: StableHLOOp, label: str, inputs: Sequence[SSAValue], body: Region, what: str
) -> list[AnyTensor]:
    """`body` combines two scalars per input into one of a type that the input fits; returns these types.

    They may be wider than the inputs'. The results have them as element types.
    """
    returned = returned_types(single_block(op, label, body, what))
    scalars = [t for t in returned if isinstance(t, TensorType) and not t.get_shape()]
    op.require(
        label,
        len(scalars) == len(returned) == len(inputs),
        lambda: f"{what} returns {type_list(returned)}, expected one scalar per input",
    )
    for value, accumulator in zip(inputs, scalars, strict=True):
        op.require_promotable(label, value, accumulator, "input")
    op.require_region(label, body, scalars * 2, scalars, what)
    return scalars


def _require_init_values(op: StableHLOOp, label: str) -> None:
    """The init values are scalars with the inputs' element types."""
    operands = op._operands  # pyright: ignore[reportPrivateUsage]
    count = len(operands) // 2
    for value, init in zip(operands[:count], operands[count:], strict=True):
        op.require("I2", not _shape(init), lambda v=init: f"init value of type {v.type} is not a scalar")
        op.require_element(label, init, cast(AnyTensor, value.type).element_type, "init value")


def sole_combiner(region: Region) -> type[Operation] | None:
    """The class of the one commutative op that `region` applies to its two arguments and returns, if it is so."""
    block = region.blocks.first
    op = block.first_op if block is not None else None
    if block is None or op is None or op.next_op is None or op.next_op is not block.last_op:
        return None
    if not op.has_trait(Commutative) or not op.name.startswith("stablehlo.") or op.attributes or op.properties:
        return None
    args = block.args
    same = len(args) == 2 and len(op.operands) == 2 and op.operands[0] is args[0] and op.operands[1] is args[1]
    types = {a.type for a in args} | {r.type for r in op.results}
    ends = isinstance(op.next_op, ReturnOp) and tuple(op.next_op.operands) == tuple(op.results)
    return type(op) if same and ends and len(types) == 1 else None


@irdl_op_definition
class ReduceOp(StableHLOOp):
    """Combines the elements along `dimensions` by `body`, starting from `init_values`, in an unspecified order.

    C1 to C8: shapes, types, dimensions and the region.

    Example: `%r = stablehlo.reduce(%x init: %z) applies stablehlo.add across dimensions = [1] :
    (tensor<2x3xf32>, tensor<f32>) -> tensor<2xf32>`.
    """

    name = "stablehlo.reduce"
    ELIDED: ClassVar = ("dimensions",)

    inputs = var_operand_def(TensorType)
    init_values = var_operand_def(TensorType)
    dimensions = prop_def(DenseArrayBase.constr(i64))
    body = region_def()
    results_ = var_result_def(TensorType)

    irdl_options = (SameVariadicOperandSize(),)
    traits = traits_def(RecursiveMemoryEffect())

    def __init__(
        self, inputs: Sequence[SSAValue], init_values: Sequence[SSAValue], dimensions: Sequence[int], body: Region
    ):
        """Infer the result types."""
        shape = shapes.reduce([_shape(v) for v in inputs], dimensions)
        super().__init__(
            operands=[inputs, init_values],
            result_types=[[tensor_of(cast(AnyTensor, v.type).element_type, shape) for v in init_values]],
            properties={"dimensions": i64_array(dimensions)},
            regions=[body],
        )

    def verify_(self) -> None:
        """C1 to C8."""
        count = len(self._operands) // 2
        self.require("C3", 0 < count == len(self.results), lambda: f"{count} inputs, {len(self.results)} results")
        inputs = self._operands[:count]
        _require_init_values(self, "C2")
        shape = self.shape_of(shapes.reduce, [_shape(v) for v in inputs], self.dimensions.get_values())
        accumulators = require_accumulation(self, "C6", inputs, self.body, "body")
        for result, accumulator in zip(self.results, accumulators, strict=True):
            self.require_shape("C7", result, shape, "result")
            self.require_element("C8", result, accumulator.element_type, "result")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`(%x init: %z) applies op across dimensions = [..] : type`, or with a `reducer` region."""
        position = parser.pos
        inputs: list[UnresolvedOperand] = []
        inits: list[UnresolvedOperand] = []
        while True:
            parser.parse_punctuation("(")
            inputs.append(parser.parse_unresolved_operand())
            parser.parse_keyword("init")
            parser.parse_punctuation(":")
            inits.append(parser.parse_unresolved_operand())
            parser.parse_punctuation(")")
            if parser.parse_optional_punctuation(",") is None:
                break
        combiner = _parse_combiner(parser) if parser.parse_optional_keyword("applies") else None
        parser.parse_keyword("across")
        properties: dict[str, Attribute] = {"dimensions": parse_named_ints(parser, "dimensions")}
        attributes = parse_attr_dict(parser, cls, properties)
        types = parse_function_type(parser)
        if combiner is None:
            region = _parse_reducer(parser)
        elif types[0] and isinstance(types[0][0], TensorType):
            region = combiner_region(combiner, scalar_of(types[0][0]))
        else:
            parser.raise_error("expected the types of the inputs", position, parser.pos)
        return build(cls, parser, position, [*inputs, *inits], types, properties, attributes, [region])

    def print(self, printer: Printer) -> None:
        """The inverse of `parse`; the short form wherever it says the same."""
        count = len(self._operands) // 2
        for i in range(count):
            printer.print_string(", (" if i else "(")
            printer.print_ssa_value(self._operands[i])
            printer.print_string(" init: ")
            printer.print_ssa_value(self._operands[i + count])
            printer.print_string(")")
        combiner = sole_combiner(self.body)
        if combiner is not None and self.body.block.args[0].type != scalar_of(self._operands[0].type):
            combiner = None
        if combiner is not None:
            printer.print_string(f" applies {combiner.name}")
        values = self.dimensions.get_values()
        printer.print_string(f" across dimensions = {ints_text(values)}")
        print_attr_dict(printer, self)
        print_function_type(printer, self)
        if combiner is None:
            self._print_reducer(printer, count)

    def _print_reducer(self, printer: Printer, count: int) -> None:
        printer.print_string("\n")
        printer.print_string(" reducer")
        args = self.body.block.args
        for i in range(count):
            printer.print_string("(")
            printer.print_block_argument(args[i])
            printer.print_string(", ")
            printer.print_block_argument(args[i + count])
            printer.print_string(") ")
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False)


def combiner_region(combiner: type[Any], element: Attribute) -> Region:
    """A region that applies one binary op to its two scalar arguments."""
    block = Block(arg_types=[element, element])
    op = combiner.create(operands=block.args, result_types=[element])
    block.add_ops([op, ReturnOp.create(operands=op.results)])
    return Region(block)


def _parse_combiner(parser: Parser) -> type[Operation]:
    start = parser.pos
    name = parser.parse_identifier()
    op = parser.ctx.get_optional_op(name)
    if op is None or not name.startswith("stablehlo.") or not any(isinstance(t, Commutative) for t in op.traits.traits):
        parser.raise_error(f"expected a commutative binary op of stablehlo, got {name}", start, parser.pos)
    return op


def _parse_reducer(parser: Parser) -> Region:
    parser.parse_keyword("reducer")
    elements: list[Parser.Argument] = []
    accumulators: list[Parser.Argument] = []
    while parser.parse_optional_punctuation("(") is not None:
        elements.append(parser.parse_argument())
        parser.parse_punctuation(",")
        accumulators.append(parser.parse_argument())
        parser.parse_punctuation(")")
    return parser.parse_region([*elements, *accumulators])


@irdl_op_definition
class ReduceWindowOp(StableHLOOp):
    """Combines the elements in each window of the padded inputs by `body`. C1 to C16: shapes, windows and the region."""

    name = "stablehlo.reduce_window"

    inputs = var_operand_def(TensorType)
    init_values = var_operand_def(TensorType)
    window_dimensions = prop_def(DenseArrayBase.constr(i64))
    window_strides = opt_prop_def(DenseArrayBase.constr(i64))
    base_dilations = opt_prop_def(DenseArrayBase.constr(i64))
    window_dilations = opt_prop_def(DenseArrayBase.constr(i64))
    padding = opt_prop_def(DenseIntOrFPElementsAttr)
    body = region_def()
    results_ = var_result_def(TensorType)

    irdl_options = (SameVariadicOperandSize(),)
    traits = traits_def(RecursiveMemoryEffect())

    def __init__(
        self,
        inputs: Sequence[SSAValue],
        init_values: Sequence[SSAValue],
        window: Sequence[int],
        body: Region,
        strides: Sequence[int] | None = None,
        base_dilations: Sequence[int] | None = None,
        window_dilations: Sequence[int] | None = None,
        padding: Sequence[tuple[int, int]] | None = None,
    ):
        """Infer the result types; what is not given is one (zero for padding)."""
        rank = len(window)
        ones = [1] * rank
        steps, base, dilations = strides or ones, base_dilations or ones, window_dilations or ones
        pads = list(padding) if padding is not None else [(0, 0)] * rank
        shape = shapes.reduce_window([_shape(v) for v in inputs], window, steps, base, dilations, pads)
        super().__init__(
            operands=[inputs, init_values],
            result_types=[[tensor_of(cast(AnyTensor, v.type).element_type, shape) for v in init_values]],
            properties={
                "window_dimensions": i64_array(window),
                "window_strides": i64_array(steps),
                "base_dilations": i64_array(base),
                "window_dilations": i64_array(dilations),
                "padding": padding_attr(pads),
            },
            regions=[body],
        )

    @property
    def rank(self) -> int:
        """Number of dims."""
        return len(_shape(self._operands[0]))

    @property
    def window(self) -> tuple[int, ...]:
        """Extents of the window."""
        return ints(self.window_dimensions)

    @property
    def strides(self) -> tuple[int, ...]:
        """Steps between windows."""
        return ints(self.window_strides, [1] * self.rank)

    @property
    def base_dilation(self) -> tuple[int, ...]:
        """Steps between the elements of the padded inputs."""
        return ints(self.base_dilations, [1] * self.rank)

    @property
    def window_dilation(self) -> tuple[int, ...]:
        """Steps between the elements of a window."""
        return ints(self.window_dilations, [1] * self.rank)

    @property
    def pads(self) -> Pads:
        """(low, high) padding per dim."""
        return padding_rows(self.padding, self.rank)

    def verify_(self) -> None:
        """C1 to C16."""
        count = len(self._operands) // 2
        self.require("C1", 0 < count == len(self.results), lambda: f"{count} inputs, {len(self.results)} results")
        inputs = self._operands[:count]
        _require_init_values(self, "C3")
        _require_padding(self, "C12", self.padding, len(_shape(inputs[0])))
        window = (self.window, self.strides, self.base_dilation, self.window_dilation, self.pads)
        shape = self.shape_of(shapes.reduce_window, [_shape(v) for v in inputs], *window)
        accumulators = require_accumulation(self, "C13", inputs, self.body, "body")
        for result, accumulator in zip(self.results, accumulators, strict=True):
            self.require_shape("C14", result, _shape(self.results[0]), "result")
            self.require_shape("C15", result, shape, "result")
            self.require_element("C16", result, accumulator.element_type, "result")


@irdl_op_definition
class SelectAndScatterOp(StableHLOOp):
    """Adds each element of `source` (by `scatter`) to the element its window of `operand` picks (by `select`).

    C1 to C12: types, windows and regions.
    """

    name = "stablehlo.select_and_scatter"

    operand = operand_def(TensorType)
    source = operand_def(TensorType)
    init_value = operand_def(TensorType)
    window_dimensions = prop_def(DenseArrayBase.constr(i64))
    window_strides = opt_prop_def(DenseArrayBase.constr(i64))
    padding = opt_prop_def(DenseIntOrFPElementsAttr)
    select = region_def()
    scatter = region_def()
    result = result_def(TensorType)

    traits = traits_def(RecursiveMemoryEffect())

    def __init__(
        self,
        operand: SSAValue | Operation,
        source: SSAValue | Operation,
        init_value: SSAValue | Operation,
        select: Region,
        scatter: Region,
        window: Sequence[int],
        strides: Sequence[int] | None = None,
        padding: Sequence[tuple[int, int]] | None = None,
    ):
        """The result has the operand's type."""
        value = SSAValue.get(operand)
        super().__init__(
            operands=[value, source, init_value],
            result_types=[value.type],
            properties={
                "window_dimensions": i64_array(window),
                "window_strides": i64_array(strides or [1] * len(window)),
                "padding": padding_attr(padding or [(0, 0)] * len(window)),
            },
            regions=[select, scatter],
        )

    @property
    def rank(self) -> int:
        """Number of dims."""
        return len(_shape(self.operand))

    @property
    def window(self) -> tuple[int, ...]:
        """Extents of the window."""
        return ints(self.window_dimensions)

    @property
    def strides(self) -> tuple[int, ...]:
        """Steps between windows."""
        return ints(self.window_strides, [1] * self.rank)

    @property
    def pads(self) -> Pads:
        """(low, high) padding per dim."""
        return padding_rows(self.padding, self.rank)

    def verify_(self) -> None:
        """C1 to C12."""
        element = scalar_of(self.operand.type)
        self.require_element("C1", self.source, element.element_type, "source")
        self.require("I3", not _shape(self.init_value), lambda: f"init_value has type {self.init_value.type}")
        self.require_element("C3", self.init_value, element.element_type, "init_value")
        _require_padding(self, "C8", self.padding, self.rank)
        self.shape_of(
            shapes.select_and_scatter, _shape(self.operand), _shape(self.source), self.window, self.strides, self.pads
        )
        self.require_region("C9", self.select, [element, element], [TensorType(i1, [])], "select")
        (accumulator,) = require_accumulation(self, "C10", [self.operand], self.scatter, "scatter")
        self.require_shape("C11", self.result, _shape(self.operand), "result")
        self.require_element("C12", self.result, accumulator.element_type, "result")


@irdl_op_definition
class SortOp(StableHLOOp):
    """Sorts 1-d slices along `dimension` together, by `comparator` on pairs. C1 to C5: shapes, dimension, the region."""

    name = "stablehlo.sort"

    inputs = var_operand_def(TensorType)
    dimension = opt_prop_def(IntegerAttr)
    is_stable = opt_prop_def(BoolAttr)
    comparator = region_def()
    results_ = var_result_def(TensorType)

    traits = traits_def(RecursiveMemoryEffect())

    def __init__(self, inputs: Sequence[SSAValue], dimension: int, is_stable: bool, comparator: Region):
        """The results have the inputs' types."""
        super().__init__(
            operands=[inputs],
            result_types=[[v.type for v in inputs]],
            properties={"dimension": i64_attr(dimension), "is_stable": IntegerAttr.from_bool(is_stable)},
            regions=[comparator],
        )

    @property
    def axis(self) -> int:
        """The sorted dim, not negative."""
        dimension = -1 if self.dimension is None else self.dimension.value.data
        return dimension + len(_shape(self._operands[0])) if dimension < 0 else dimension

    @property
    def stable(self) -> bool:
        """Whether equal elements keep their order."""
        return self.is_stable is not None and bool(self.is_stable.value.data)

    def verify_(self) -> None:
        """C1 to C5."""
        inputs = self._operands
        self.require("C1", len(inputs) > 0, lambda: "needs at least one input")
        first = _shape(inputs[0])
        for value in inputs:
            self.require(
                "C3", shapes.compatible(_shape(value), first), lambda v=value: f"inputs {inputs[0].type}, {v.type}"
            )
        self.require(
            "C2", len(inputs) == len(self.results), lambda: f"{len(inputs)} inputs, {len(self.results)} results"
        )
        for value, result in zip(inputs, self.results, strict=True):
            self.require_type("C2", result, value.type, "result")
        self.require("C4", 0 <= self.axis < len(first), lambda: f"dimension {self.dimension} of rank {len(first)}")
        pairs: list[Attribute] = [scalar_of(v.type) for v in inputs for _ in range(2)]
        self.require_region("C5", self.comparator, pairs, [TensorType(i1, [])], "comparator")


OPS: list[type[Operation]] = [ReduceOp, ReduceWindowOp, SelectAndScatterOp, SortOp]
