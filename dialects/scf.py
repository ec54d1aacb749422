"""The `scf` dialect: upstream's ops, `scf.forall` and `scf.forall.in_parallel` in MLIR's syntax.

A forall's iterations are independent tasks. Each sees the shared outputs as they were before the loop and says in its
`in_parallel` terminator which slices of them it replaces; the slices of different tasks do not overlap. After
bufferization there are no shared outputs and the terminator is empty. The `mapping` says who does a task
(`#kernel.level`, one entry for all dims); without one a worker does.

```mlir
%r = scf.forall (%i, %j) in (4, 8) shared_outs(%o = %init) -> (tensor<4x8xf32>) {
  %t = ...
  scf.forall.in_parallel {
    tensor.parallel_insert_slice %t into %o[%i, %j] [1, 1] [1, 1] : tensor<1x1xf32> into tensor<4x8xf32>
  }
}
```
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import scf as upstream
from xdsl.dialects.builtin import DYNAMIC_INDEX, ArrayAttr, DenseArrayBase, IndexType, TensorType, i64
from xdsl.dialects.utils import (
    get_dynamic_index_list,
    parse_assignment,
    parse_dynamic_index_list_without_types,
    print_assignment,
    print_dynamic_index_list,
    split_dynamic_index_list,
)
from xdsl.ir import Attribute, Block, BlockArgument, Dialect, Operation, Region, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
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
from xdsl.traits import HasParent, IsTerminator, NoTerminator, RecursiveMemoryEffect
from xdsl.utils.exceptions import VerifyException

from stepwell.dialects.kernel import Level, level_of

Bound = SSAValue | int


@irdl_op_definition
class ForallOp(IRDLOperation):
    """Independent tasks over a rectangular index space.

    Constraints: C1. lower bounds, upper bounds and steps are as many as the body's leading index arguments. C2. one
    body argument and one result per shared output, of its (tensor) type. C3. the body ends in `scf.forall.in_parallel`
    whose inserts go into this loop's shared outputs. C4. the mapping, if any, is one `#kernel.level`. C5. a mapped loop
    is in no other mapped one, except a subgroup's in a block's, which has static bounds.
    """

    name = "scf.forall"

    dynamic_lower_bound = var_operand_def(IndexType)
    dynamic_upper_bound = var_operand_def(IndexType)
    dynamic_step = var_operand_def(IndexType)
    outputs = var_operand_def(TensorType)
    static_lower_bound = prop_def(DenseArrayBase.constr(i64), prop_name="staticLowerBound")
    static_upper_bound = prop_def(DenseArrayBase.constr(i64), prop_name="staticUpperBound")
    static_step = prop_def(DenseArrayBase.constr(i64), prop_name="staticStep")
    mapping = opt_prop_def(ArrayAttr)
    res = var_result_def(TensorType)
    body = region_def("single_block")

    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    traits = traits_def(RecursiveMemoryEffect())

    def __init__(
        self,
        upper_bounds: Sequence[Bound],
        outputs: Sequence[SSAValue],
        body: Region | Block | None = None,
        lower_bounds: Sequence[Bound] | None = None,
        steps: Sequence[Bound] | None = None,
        *,
        mapping: Sequence[Attribute] | None = None,
    ):
        count = len(upper_bounds)
        lower, lower_values = split_dynamic_index_list(lower_bounds or [0] * count, DYNAMIC_INDEX)
        upper, upper_values = split_dynamic_index_list(upper_bounds, DYNAMIC_INDEX)
        step, step_values = split_dynamic_index_list(steps or [1] * count, DYNAMIC_INDEX)
        if body is None:
            body = Block(arg_types=[IndexType()] * count + [o.type for o in outputs])
        super().__init__(
            operands=[lower_values, upper_values, step_values, outputs],
            result_types=[[o.type for o in outputs]],
            regions=[Region(body) if isinstance(body, Block) else body],
            properties={
                "staticLowerBound": DenseArrayBase.from_list(i64, lower),
                "staticUpperBound": DenseArrayBase.from_list(i64, upper),
                "staticStep": DenseArrayBase.from_list(i64, step),
                "mapping": None if mapping is None else ArrayAttr(mapping),
            },
        )

    @property
    def rank(self) -> int:
        """How many loop dims."""
        return len(self.static_upper_bound)

    @property
    def lower_bounds(self) -> list[Bound]:
        """Per dim an integer or an SSA value."""
        return get_dynamic_index_list(self.static_lower_bound.get_values(), self.dynamic_lower_bound, DYNAMIC_INDEX)

    @property
    def upper_bounds(self) -> list[Bound]:
        """Per dim an integer or an SSA value."""
        return get_dynamic_index_list(self.static_upper_bound.get_values(), self.dynamic_upper_bound, DYNAMIC_INDEX)

    @property
    def steps(self) -> list[Bound]:
        """Per dim an integer or an SSA value."""
        return get_dynamic_index_list(self.static_step.get_values(), self.dynamic_step, DYNAMIC_INDEX)

    @property
    def induction_vars(self) -> Sequence[BlockArgument]:
        """The body's index arguments."""
        return self.body.block.args[: self.rank]

    @property
    def region_outputs(self) -> Sequence[BlockArgument]:
        """The body's arguments for the shared outputs."""
        return self.body.block.args[self.rank :]

    @property
    def terminator(self) -> InParallelOp:
        """The body's `scf.forall.in_parallel`."""
        last = self.body.block.last_op
        assert isinstance(last, InParallelOp)
        return last

    def verify_(self):
        """C1-C5."""
        rank = len(self.static_upper_bound)
        if len(self.static_lower_bound) != rank or len(self.static_step) != rank:
            raise VerifyException("scf.forall: C1: bounds and steps of different length")
        expected = [IndexType()] * rank + [o.type for o in self.outputs]
        if [a.type for a in self.body.block.args] != expected or list(self.res.types) != expected[rank:]:
            raise VerifyException(
                "scf.forall: C2: body arguments must be one index per dim, then one tensor per shared output; "
                "results as the shared outputs"
            )
        last = self.body.block.last_op
        if not isinstance(last, InParallelOp):
            raise VerifyException("scf.forall: C3: the body must end in scf.forall.in_parallel")
        for insert in last.body.block.ops:
            dest = insert.operands[1] if len(insert.operands) > 1 else None
            if dest not in self.region_outputs:
                raise VerifyException("scf.forall: C3: in_parallel must insert into the loop's shared outputs")
        self._verify_mapping()

    def _verify_mapping(self) -> None:
        if self.mapping is None:
            return
        level = level_of(self)
        if level is None:
            raise VerifyException(f"scf.forall: C4: the mapping {self.mapping} is not one #kernel.level")
        outer = self.parent_op()
        while outer is not None and level_of(outer) is None:
            outer = outer.parent_op()
        if outer is None:
            return
        around = level_of(outer)
        if level is not Level.SUBGROUP or around is not Level.BLOCK:
            raise VerifyException(f"scf.forall: C5: a task of a {level} cannot be part of a task of a {around}")
        if self.dynamic_lower_bound or self.dynamic_upper_bound or self.dynamic_step:
            raise VerifyException("scf.forall: C5: the subgroups of a block are not a static number")

    def print(self, printer: Printer):
        """MLIR's syntax; the short form when the bounds start at 0 and step by 1."""
        printer.print_string(" (")
        printer.print_list(self.induction_vars, printer.print_ssa_value)
        zero_based = all(b == 0 for b in self.lower_bounds) and all(s == 1 for s in self.steps)
        delimiter = Parser.Delimiter.PAREN
        printer.print_string(") in " if zero_based else ") = ")
        if not zero_based:
            print_dynamic_index_list(
                printer,
                DYNAMIC_INDEX,
                self.dynamic_lower_bound,
                self.static_lower_bound.get_values(),
                delimiter=delimiter,
            )
            printer.print_string(" to ")
        print_dynamic_index_list(
            printer,
            DYNAMIC_INDEX,
            self.dynamic_upper_bound,
            self.static_upper_bound.get_values(),
            delimiter=delimiter,
        )
        if not zero_based:
            printer.print_string(" step ")
            print_dynamic_index_list(
                printer, DYNAMIC_INDEX, self.dynamic_step, self.static_step.get_values(), delimiter=delimiter
            )
        if self.outputs:
            printer.print_string(" shared_outs(")
            printer.print_list(
                zip(self.region_outputs, self.outputs, strict=True),
                lambda pair: print_assignment(printer, *pair),
            )
            printer.print_string(") -> (")
            printer.print_list(self.res.types, printer.print_attribute)
            printer.print_string(")")
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False, print_block_terminators=bool(self.outputs))
        attributes: dict[str, Attribute] = dict(self.attributes)
        if self.mapping is not None:
            attributes["mapping"] = self.mapping
        printer.print_op_attributes(attributes)

    @classmethod
    def parse(cls, parser: Parser) -> ForallOp:
        """Inverse of `print`."""
        arguments = parser.parse_comma_separated_list(
            parser.Delimiter.PAREN, lambda: parser.parse_argument(expect_type=False)
        )
        lower, step = None, None
        if parser.parse_optional_punctuation("="):
            lower = _parse_bounds(parser)
            parser.parse_keyword("to")
            upper = _parse_bounds(parser)
            parser.parse_keyword("step")
            step = _parse_bounds(parser)
        else:
            parser.parse_keyword("in")
            upper = _parse_bounds(parser)
        ivs = [a.resolve(IndexType()) for a in arguments]
        outputs: list[SSAValue] = []
        if parser.parse_optional_keyword("shared_outs"):
            pairs = parser.parse_comma_separated_list(parser.Delimiter.PAREN, lambda: parse_assignment(parser))
            parser.parse_punctuation("->")
            types = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_type)
            outputs = list(parser.resolve_operands([o for _, o in pairs], types, parser.pos))
            ivs += [a.resolve(t) for (a, _), t in zip(pairs, types, strict=True)]
        body = parser.parse_region(ivs)
        attributes = parser.parse_optional_attr_dict()
        if not outputs and not isinstance(body.block.last_op, InParallelOp):
            body.block.add_op(InParallelOp())
        op = cls(upper, outputs, body, lower, step)
        if (mapping := attributes.pop("mapping", None)) is not None:
            op.properties["mapping"] = mapping
        op.attributes.update(attributes)
        return op


def _parse_bounds(parser: Parser) -> list[Bound]:
    values, static = parse_dynamic_index_list_without_types(
        parser, dynamic_index=DYNAMIC_INDEX, delimiter=Parser.Delimiter.PAREN
    )
    resolved = parser.resolve_operands(values, (IndexType(),) * len(values), parser.pos)
    return get_dynamic_index_list(static, resolved, DYNAMIC_INDEX)


@irdl_op_definition
class InParallelOp(IRDLOperation):
    """The end of a task: which slices of the shared outputs it replaces.

    Constraints: C1. holds only `tensor.parallel_insert_slice`.
    """

    name = "scf.forall.in_parallel"

    body = region_def("single_block")

    traits = traits_def(IsTerminator(), HasParent(ForallOp), NoTerminator(), RecursiveMemoryEffect())

    def __init__(self, ops: Sequence[Operation] = ()):
        super().__init__(regions=[Region(Block(ops))])

    def verify_(self):
        """C1."""
        for op in self.body.block.ops:
            if op.name != "tensor.parallel_insert_slice":
                raise VerifyException(f"scf.forall.in_parallel: C1: cannot hold {op.name}")

    def print(self, printer: Printer):
        """`{ inserts }`."""
        printer.print_string(" ")
        printer.print_region(self.body, print_empty_block=False)
        printer.print_op_attributes(self.attributes)

    @classmethod
    def parse(cls, parser: Parser) -> InParallelOp:
        """Inverse of `print`."""
        region = parser.parse_region()
        if not region.blocks:
            region.add_block(Block())
        op = cls.create(regions=[region])
        op.attributes.update(parser.parse_optional_attr_dict())
        return op


Scf = Dialect("scf", [*upstream.Scf.operations, ForallOp, InParallelOp], [*upstream.Scf.attributes])
