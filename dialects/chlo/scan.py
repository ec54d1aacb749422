"""CHLO's scan: a loop along a dimension that carries values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self, cast

from xdsl.dialects.builtin import BoolAttr, DenseArrayBase, IntegerAttr, TensorType, i32
from xdsl.ir import Attribute, Operation, Region, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    AttrSizedResultSegments,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    region_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import IsolatedFromAbove, RecursiveMemoryEffect

from stepwell.dialects.stablehlo.base import (
    AnyTensor,
    StableHLOOp,
    i64_attr,
    parse_attr_dict,
    parse_function_type,
    parse_operand_list,
    print_attr_dict,
    print_function_type,
    returned_types,
    tensor_of,
)
from stepwell.ir.shapes import DYNAMIC, Shape


def _without(shape: Sequence[int], dimension: int) -> Shape:
    return (*shape[:dimension], *shape[dimension + 1 :])


@irdl_op_definition
class ScanOp(StableHLOOp):
    """Runs `body` for each index along a dimension, forwards or in reverse, and stacks what it returns.

    `body` gets a slice of each input, without the dimension, and the carries; it returns a slice of each output and the next
    carries. The results are the outputs, which have the dimension again, and the last carries.

    C1: there are inputs or outputs. C2: the dimension is one of every input. C3: inputs have one extent along it, which is
    `scan_dim_size` where that is given. C4, C5: arguments and results of the body. C6: types of the results.

    Example::

        %sums, %total = chlo.scan(%x) inits (%zero) dimension=0 {
        ^bb0(%input: tensor<i32>, %carry: tensor<i32>):
          %sum = stablehlo.add %input, %carry : tensor<i32>
          stablehlo.return %sum, %sum : tensor<i32>, tensor<i32>
        } : (tensor<4xi32>, tensor<i32>) -> (tensor<4xi32>, tensor<i32>)
    """

    name = "chlo.scan"
    ELIDED: ClassVar = ("dimension", "operandSegmentSizes", "resultSegmentSizes")

    inputs = var_operand_def(TensorType)
    inits = var_operand_def(TensorType)
    dimension = prop_def(IntegerAttr)
    scan_dim_size = opt_prop_def(IntegerAttr)
    is_reverse = opt_prop_def(BoolAttr)
    is_associative = opt_prop_def(BoolAttr)
    outputs = var_result_def(TensorType)
    carries = var_result_def(TensorType)
    body = region_def("single_block")

    irdl_options = (AttrSizedOperandSegments(as_property=True), AttrSizedResultSegments(as_property=True))
    traits = traits_def(IsolatedFromAbove(), RecursiveMemoryEffect())

    @property
    def backwards(self) -> bool:
        """Whether the last index comes first."""
        return self.is_reverse is not None and bool(self.is_reverse.value.data)

    def extent(self, shapes: Sequence[Sequence[int]]) -> int:
        """How often the body runs, given the shapes of the inputs; -1 in xDSL's sense (`?`) when nothing says."""
        if self.scan_dim_size is not None:
            return self.scan_dim_size.value.data
        seen = [s[self.dimension.value.data] for s in shapes]
        known = [n for n in seen if n != DYNAMIC]
        if known or not self.outputs:
            return known[0] if known else DYNAMIC
        return cast(AnyTensor, self.outputs[0].type).get_shape()[self.dimension.value.data]

    def inferred_types(self, view: Any) -> list[Attribute]:
        """The result types, of inputs with the extents that `view` sees."""
        dimension, count = self.dimension.value.data, len(self.outputs)
        returned = [cast(AnyTensor, t) for t in returned_types(self.body.block)]
        extent = self.extent([view.shape(x) for x in self.inputs])
        stacked = [
            tensor_of(t.element_type, (*t.get_shape()[:dimension], extent, *t.get_shape()[dimension:]))
            for t in returned[:count]
        ]
        return [*stacked, *returned[count:]]

    def verify_(self) -> None:
        """C1 to C6."""
        self.require("C1", bool(self.inputs or self.outputs), lambda: "there must be an input or an output")
        dimension = self.dimension.value.data
        types = [cast(AnyTensor, x.type) for x in self.inputs]
        shapes = [t.get_shape() for t in types]
        for t in types:
            ok = 0 <= dimension < len(t.get_shape())
            self.require("C2", ok, lambda t=t: f"dimension = {dimension} must be a dimension of every input, got {t}")
        extents = {s[dimension] for s in shapes if s[dimension] != DYNAMIC}
        if self.scan_dim_size is not None:
            extents.add(self.scan_dim_size.value.data)
        self.require("C3", len(extents) <= 1, lambda: f"extents along the dimension differ: {sorted(extents)}")
        arguments = [tensor_of(t.element_type, _without(t.get_shape(), dimension)) for t in types]
        arguments += [cast(AnyTensor, x.type) for x in self.inits]
        self.require_region("C4", self.body, arguments, None, "body")
        returned = returned_types(self.body.block)
        ok = len(returned) == len(self.results) and len(self.carries) == len(self.inits)
        self.require("C5", ok, lambda: f"body returns {len(returned)} values, the op has {len(self.results)} results")
        for init, value in zip(self.inits, returned[len(self.outputs) :], strict=True):
            self.require_type("C5", init, value, "init")
        for result, expected in zip(self.results, self._expected(returned, shapes), strict=True):
            self.require_type("C6", result, expected, "result")

    def _expected(self, returned: Sequence[Attribute], shapes: Sequence[Shape]) -> list[Attribute]:
        """The result types; `dimension` must be one that an output can have."""
        dimension, extent = self.dimension.value.data, self.extent(shapes) if self._placed(returned) else DYNAMIC
        expected: list[Attribute] = []
        for i, t in enumerate(cast("Sequence[AnyTensor]", returned)):
            shape = t.get_shape()
            if i < len(self.outputs):
                shape = (*shape[:dimension], extent, *shape[dimension:])
            expected.append(tensor_of(t.element_type, shape))
        return expected

    def _placed(self, returned: Sequence[Attribute]) -> bool:
        dimension = self.dimension.value.data
        for t in cast("Sequence[AnyTensor]", returned[: len(self.outputs)]):
            ok = dimension <= len(t.get_shape())
            self.require("C6", ok, lambda t=t: f"dimension = {dimension} is none of an output of slices {t}")
        for output in self.outputs:
            ok = dimension < len(cast(AnyTensor, output.type).get_shape())
            self.require("C6", ok, lambda output=output: f"dimension = {dimension} is none of {output.type}")
        return True

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """`(%x) inits (%i) dimension=0 attributes {..} { body } : function type`."""
        position = parser.pos
        with parser.in_parens():
            inputs = parse_operand_list(parser)
        parser.parse_keyword("inits")
        with parser.in_parens():
            inits = parse_operand_list(parser)
        parser.parse_keyword("dimension")
        parser.parse_punctuation("=")
        properties: dict[str, Attribute] = {"dimension": i64_attr(parser.parse_integer())}
        attributes = parse_attr_dict(parser, cls, properties, keyword=True)
        body = parser.parse_region()
        types, results = parse_function_type(parser)
        if len(types) != len(inputs) + len(inits):
            parser.raise_error(
                f"{len(inputs)} inputs and {len(inits)} inits, but {len(types)} types", position, parser.pos
            )
        if len(results) < len(inits):
            parser.raise_error(f"{len(inits)} inits, but {len(results)} results", position, parser.pos)
        operands = [parser.resolve_operand(o, t) for o, t in zip([*inputs, *inits], types, strict=True)]
        sizes = {"operandSegmentSizes": len(inputs), "resultSegmentSizes": len(results) - len(inits)}
        for name, first in sizes.items():
            properties[name] = DenseArrayBase.from_list(i32, [first, len(inits)])
        return cls.create(
            operands=operands, result_types=results, properties=properties, attributes=attributes, regions=[body]
        )

    def print(self, printer: Printer) -> None:
        """The inverse of `parse`."""
        for text, values in (("(", self.inputs), (") inits (", self.inits)):
            printer.print_string(text)
            printer.print_list(cast("Sequence[SSAValue]", values), printer.print_ssa_value)
        printer.print_string(f") dimension={self.dimension.value.data}")
        print_attr_dict(printer, self, keyword=True)
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=True)
        print_function_type(printer, self)

    @classmethod
    def of(
        cls,
        inputs: Sequence[SSAValue],
        inits: Sequence[SSAValue],
        dimension: int,
        results: tuple[Sequence[Attribute], Sequence[Attribute]],
        body: Region,
        *,
        is_reverse: bool = False,
    ) -> Self:
        """A scan with these outputs' and carries' types."""
        return cls.build(
            operands=[inputs, inits],
            result_types=list(results),
            properties={
                "dimension": i64_attr(dimension),
                "is_reverse": IntegerAttr.from_bool(True) if is_reverse else None,
            },
            regions=[body],
        )


OPS: list[type[Operation]] = [ScanOp]
