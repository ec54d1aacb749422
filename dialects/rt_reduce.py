"""`rt.parallel_reduce`: a parallel loop whose iterations give values, combined in an order that the op fixes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xdsl.dialects.builtin import AnyFloat, IndexType, IntegerAttr, IntegerType
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.irdl import (
    AnyAttr,
    IRDLOperation,
    irdl_op_definition,
    lazy_traits_def,
    prop_def,
    region_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import HasParent, IsTerminator, Pure, RecursiveMemoryEffect
from xdsl.utils.exceptions import VerifyException

MOST_BLOCKS = 4096
"""Values of so many blocks lie on the stack of the thread that reduces."""


@irdl_op_definition
class PartialOp(IRDLOperation):
    """Ends a region of `rt.parallel_reduce` with its values."""

    name = "rt.partial"

    values = var_operand_def(AnyAttr())

    traits = lazy_traits_def(lambda: (IsTerminator(), HasParent(ParallelReduceOp), Pure()))

    assembly_format = "$values attr-dict `:` type($values)"

    def __init__(self, values: Sequence[SSAValue]):
        super().__init__(operands=[values])


@irdl_op_definition
class ParallelReduceOp(IRDLOperation):
    """Combines what the body gives for every index of [0, count), which may run on any worker.

    Semantics: the indices are cut into blocks of `grain` (the last may be shorter). What the body gives for the indices of a block is
    combined in their order, and then the blocks' values in theirs, beginning with the initial values:
    `combine(... combine(combine(init, block 0), block 1) ...)`. Blocks run in any order on any worker. So the result is the same, to the
    bit, for any number of workers; another grain may round differently. Without indices it is the initial values. The combiner need not be
    commutative, nor the initial values neutral. Iterations must not touch memory that another one writes, except through `rt.atomic_*`; the
    combiner touches none.

    Constraints: C1 the count is not negative; C2 the grain is positive; C3 there are at most 4096 blocks; C4 at least one value, each an
    integer, an index or a float; C5 the results have the types of the initial values; C6 the body takes one index and gives values of these
    types; C7 the combiner takes two values of each type, all of the left side first, and gives one of each.

    Example:
        %s = rt.parallel_reduce (%i) = 0 to 1000 grain 64 init(%zero : f32) {
          %v = memref.load %x[%i] : memref<1000xf32>
          rt.partial %v : f32
        } combine (%a : f32, %b : f32) {
          %c = arith.addf %a, %b : f32
          rt.partial %c : f32
        }
    """

    name = "rt.parallel_reduce"

    init = var_operand_def(AnyAttr())
    count = prop_def(IntegerAttr)
    grain = prop_def(IntegerAttr)
    body = region_def("single_block")
    combiner = region_def("single_block")
    res = var_result_def(AnyAttr())

    traits = traits_def(RecursiveMemoryEffect())

    def __init__(self, count: int, grain: int, init: Sequence[SSAValue], body: Region, combiner: Region):
        super().__init__(
            operands=[init],
            properties={"count": IntegerAttr(count, IndexType()), "grain": IntegerAttr(grain, IndexType())},
            regions=[body, combiner],
            result_types=[[value.type for value in init]],
        )

    @property
    def blocks(self) -> int:
        """How many blocks the indices are cut into."""
        return -(-self.count.value.data // self.grain.value.data)

    def verify_(self) -> None:
        """Check the constraints above."""
        count, grain = self.count.value.data, self.grain.value.data
        if count < 0:
            raise VerifyException(f"rt.parallel_reduce: C1: count {count} is negative")
        if grain < 1:
            raise VerifyException(f"rt.parallel_reduce: C2: grain {grain} is not positive")
        if self.blocks > MOST_BLOCKS:
            raise VerifyException(
                f"rt.parallel_reduce: C3: {self.blocks} blocks are more than {MOST_BLOCKS}; take a grain of "
                f"{-(-count // MOST_BLOCKS)} or more"
            )
        types = [value.type for value in self.init]
        wrong = next((t for t in types if not isinstance(t, IntegerType | IndexType | AnyFloat)), None)
        if not types or wrong is not None:
            found = "none" if wrong is None else str(wrong)
            raise VerifyException(
                f"rt.parallel_reduce: C4: expects values that are integers, indices or floats, not {found}"
            )
        if [r.type for r in self.res] != types:
            raise VerifyException(
                f"rt.parallel_reduce: C5: results of {_listed(r.type for r in self.res)} from {_listed(types)}"
            )
        _check_region("C6: the body", self.body.block, [IndexType()], types)
        _check_region("C7: the combiner", self.combiner.block, [*types, *types], types)

    def print(self, printer: Printer) -> None:
        """Print the custom form."""
        printer.print_string(" (")
        printer.print_ssa_value(self.body.block.args[0])
        printer.print_string(f") = 0 to {self.count.value.data} grain {self.grain.value.data} init(")
        printer.print_list(self.init, printer.print_ssa_value)
        printer.print_string(" : ")
        printer.print_list([value.type for value in self.init], printer.print_attribute)
        printer.print_string(") ")
        printer.print_region(self.body, print_entry_block_args=False)
        printer.print_string(" combine (")
        printer.print_list(self.combiner.block.args, lambda argument: _print_argument(printer, argument))
        printer.print_string(") ")
        printer.print_region(self.combiner, print_entry_block_args=False)
        printer.print_op_attributes(self.attributes, print_keyword=True)

    @classmethod
    def parse(cls, parser: Parser) -> ParallelReduceOp:
        """Parse the custom form."""
        parser.parse_punctuation("(")
        index = parser.parse_argument(expect_type=False).resolve(IndexType())
        parser.parse_punctuation(")")
        parser.parse_punctuation("=")
        if parser.parse_integer() != 0:
            parser.raise_error("rt.parallel_reduce counts from 0")
        parser.parse_keyword("to")
        count = parser.parse_integer()
        parser.parse_keyword("grain")
        grain = parser.parse_integer()
        parser.parse_keyword("init")
        parser.parse_punctuation("(")
        values = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_unresolved_operand)
        parser.parse_punctuation(":")
        types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
        parser.parse_punctuation(")")
        init = parser.resolve_operands(values, types, parser.pos)
        body = parser.parse_region((index,))
        parser.parse_keyword("combine")
        sides = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_argument)
        op = cls(count, grain, init, body, parser.parse_region(sides))
        attributes = parser.parse_optional_attr_dict_with_keyword()
        if attributes is not None:
            op.attributes |= attributes.data
        return op


def _print_argument(printer: Printer, argument: SSAValue) -> None:
    printer.print_ssa_value(argument)
    printer.print_string(" : ")
    printer.print_attribute(argument.type)


def _listed(types: Iterable[Attribute]) -> str:
    return "(" + ", ".join(str(t) for t in types) + ")"


def _check_region(what: str, block: Block, takes: Sequence[Attribute], gives: Sequence[Attribute]) -> None:
    if list(block.arg_types) != list(takes):
        raise VerifyException(f"rt.parallel_reduce: {what} takes {_listed(takes)}, not {_listed(block.arg_types)}")
    last = block.last_op
    found = [value.type for value in last.operands] if isinstance(last, PartialOp) else []
    if found != list(gives):
        raise VerifyException(
            f"rt.parallel_reduce: {what} gives {_listed(gives)} with rt.partial, not {_listed(found)}"
        )


__all__ = ["MOST_BLOCKS", "ParallelReduceOp", "PartialOp"]
