"""The `tensor` dialect: upstream's ops and `tensor.parallel_insert_slice`.

Upstream's `tensor.empty` drops its attributes when printed; `#kernel.scratch` lives there, so its assembly is replaced by
one that keeps them: `tensor.empty() {scratch = #kernel.scratch<worker>} : tensor<1024xf32>`.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import tensor as upstream
from xdsl.dialects.builtin import DYNAMIC_INDEX, DenseArrayBase, IndexType, TensorType, i64
from xdsl.dialects.utils import (
    DynamicIndexList,
    get_dynamic_index_list,
    split_dynamic_index_list,
    verify_dynamic_index_list,
)
from xdsl.ir import Dialect, Operation, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    prop_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import HasParent
from xdsl.utils.exceptions import VerifyException

from stepwell.dialects.scf import InParallelOp


@irdl_op_definition
class ParallelInsertSliceOp(IRDLOperation):
    """Inside `scf.forall.in_parallel`: the task's result replaces a slice of a shared output.

    Constraints: C1. offsets, sizes and strides are as many as the destination's dims, dynamic ones given as operands.
    C2. the element types agree.
    """

    name = "tensor.parallel_insert_slice"

    source = operand_def(TensorType)
    dest = operand_def(TensorType)
    offsets = var_operand_def(IndexType)
    sizes = var_operand_def(IndexType)
    strides = var_operand_def(IndexType)
    static_offsets = prop_def(DenseArrayBase.constr(i64))
    static_sizes = prop_def(DenseArrayBase.constr(i64))
    static_strides = prop_def(DenseArrayBase.constr(i64))

    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    assembly_format = (
        "$source `into` $dest ``"
        "custom<DynamicIndexList>($offsets, $static_offsets)"
        "custom<DynamicIndexList>($sizes, $static_sizes)"
        "custom<DynamicIndexList>($strides, $static_strides)"
        "attr-dict `:` type($source) `into` type($dest)"
    )
    custom_directives = (DynamicIndexList,)
    traits = traits_def(HasParent(InParallelOp))

    def __init__(
        self,
        source: SSAValue | Operation,
        dest: SSAValue | Operation,
        offsets: Sequence[SSAValue | int],
        sizes: Sequence[SSAValue | int],
        strides: Sequence[SSAValue | int] | None = None,
    ):
        static_offsets, dynamic_offsets = split_dynamic_index_list(offsets, DYNAMIC_INDEX)
        static_sizes, dynamic_sizes = split_dynamic_index_list(sizes, DYNAMIC_INDEX)
        static_strides, dynamic_strides = split_dynamic_index_list(strides or [1] * len(sizes), DYNAMIC_INDEX)
        super().__init__(
            operands=[source, dest, dynamic_offsets, dynamic_sizes, dynamic_strides],
            properties={
                "static_offsets": DenseArrayBase.from_list(i64, static_offsets),
                "static_sizes": DenseArrayBase.from_list(i64, static_sizes),
                "static_strides": DenseArrayBase.from_list(i64, static_strides),
            },
        )

    @property
    def mixed_offsets(self) -> list[SSAValue | int]:
        """Per dim an integer or an SSA value."""
        return get_dynamic_index_list(self.static_offsets.get_values(), self.offsets, DYNAMIC_INDEX)

    @property
    def mixed_sizes(self) -> list[SSAValue | int]:
        """Per dim an integer or an SSA value."""
        return get_dynamic_index_list(self.static_sizes.get_values(), self.sizes, DYNAMIC_INDEX)

    @property
    def mixed_strides(self) -> list[SSAValue | int]:
        """Per dim an integer or an SSA value."""
        return get_dynamic_index_list(self.static_strides.get_values(), self.strides, DYNAMIC_INDEX)

    def verify_(self):
        """C1, C2."""
        assert isinstance(self.source.type, TensorType)
        assert isinstance(self.dest.type, TensorType)
        lists = (
            (self.static_offsets, self.offsets, "offset"),
            (self.static_sizes, self.sizes, "size"),
            (self.static_strides, self.strides, "stride"),
        )
        for static, dynamic, what in lists:
            if len(static) != self.dest.type.get_num_dims():
                raise VerifyException(f"tensor.parallel_insert_slice: C1: {len(static)} {what}s for {self.dest.type}")
            verify_dynamic_index_list(static.get_values(), dynamic, DYNAMIC_INDEX, f" in the {what} arguments")
        if self.source.type.element_type != self.dest.type.element_type:
            raise VerifyException(
                f"tensor.parallel_insert_slice: C2: {self.source.type} inserted into {self.dest.type}"
            )


def _print_empty(self: upstream.EmptyOp, printer: Printer) -> None:
    printer.print_string("(")
    printer.print_list(self.dynamic_sizes, printer.print_ssa_value)
    printer.print_string(")")
    printer.print_op_attributes(self.attributes)
    printer.print_string(" : ")
    printer.print_attribute(self.tensor.type)


def _parse_empty(parser: Parser) -> upstream.EmptyOp:
    sizes = parser.parse_comma_separated_list(parser.Delimiter.PAREN, lambda: parser.parse_operand(IndexType()))
    attributes = parser.parse_optional_attr_dict()
    parser.parse_punctuation(":")
    op = upstream.EmptyOp(sizes, parser.parse_type())
    op.attributes.update(attributes)
    return op


def _verify_expand_shape(self: upstream.ExpandShapeOp) -> None:
    """As upstream, and as in MLIR a 0-d tensor expands to extents of one with no reassociation."""
    source, result = self.src.type, self.result.type
    assert isinstance(source, TensorType)
    assert isinstance(result, TensorType)
    if source.get_num_dims() == 0 and not self.reassociation.data:
        shape = result.get_shape()
        if any(n != 1 for n in shape) or tuple(self.static_output_shape.get_values()) != shape:
            raise VerifyException("tensor.expand_shape: a 0-d tensor expands to extents of one only")
        return
    _upstream_verify_expand_shape(self)


_upstream_verify_expand_shape = upstream.ExpandShapeOp.verify_
upstream.ExpandShapeOp.verify_ = _verify_expand_shape
upstream.EmptyOp.print = _print_empty
upstream.EmptyOp.parse = staticmethod(_parse_empty)  # pyright: ignore[reportAttributeAccessIssue]

Tensor = Dialect("tensor", [*upstream.Tensor.operations, ParallelInsertSliceOp], [*upstream.Tensor.attributes])
