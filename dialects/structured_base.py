"""What the ops of the structured dialect share: `ins` and `outs`, the custom form, effects, and the end of their regions."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Self

from xdsl.dialects.builtin import DenseArrayBase, MemRefType, TensorType, i64
from xdsl.dialects.utils import AbstractYieldOperation
from xdsl.ir import Attribute, Operation, Region, SSAValue
from xdsl.irdl import IRDLOperation, irdl_op_definition, traits_def, var_result_def
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import EffectInstance, IsTerminator, MemoryEffect, MemoryEffectKind, Pure
from xdsl.utils.exceptions import VerifyException

from stepwell.ir.effects import Effects


class DestinationEffects(MemoryEffect):
    """Pure on tensors; on memrefs reads the inputs and the destinations and writes the destinations."""

    @classmethod
    def get_effects(cls, op: Operation) -> AbstractSet[EffectInstance] | None:
        """The effects of one op."""
        assert isinstance(op, StructuredOp)
        reads = {EffectInstance(MemoryEffectKind.READ, v) for v in op.operands if isinstance(v.type, MemRefType)}
        writes = {EffectInstance(MemoryEffectKind.WRITE, v) for v in op.destinations if isinstance(v.type, MemRefType)}
        return reads | writes


def shape_of(value: SSAValue) -> tuple[int, ...]:
    """The shape of a tensor or memref value."""
    assert isinstance(value.type, TensorType | MemRefType)
    return value.type.get_shape()


def element_type_of(value: SSAValue) -> Attribute:
    """The element type of a tensor or memref value."""
    assert isinstance(value.type, TensorType | MemRefType)
    return value.type.get_element_type()


def i64_array(values: Sequence[int]) -> DenseArrayBase[Any]:
    """An `array<i64: ...>` attribute."""
    return DenseArrayBase.from_list(i64, tuple(values))


class StructuredOp(IRDLOperation, ABC):
    """Base of the dialect's ops: `ins`, `outs`, results, effects, the custom form and the rules they share.

    Constraints:
        S1: every operand but indices is a tensor, or every one is a memref.
        S2: on tensors result i has the type of destination i; on memrefs there is none.
    """

    res = var_result_def(TensorType)
    traits = traits_def(DestinationEffects())

    @property
    def ins(self) -> Sequence[SSAValue]:
        """What is only read."""
        return self.operands[: len(self.operands) - len(self.destinations)]

    @property
    def destinations(self) -> Sequence[SSAValue]:
        """The operands updated in place (memrefs) or tied to the results (tensors)."""
        raise NotImplementedError

    @property
    def scratch_operands(self) -> Sequence[SSAValue]:
        """Memory whose contents mean nothing before and after; on memrefs only."""
        return ()

    @classmethod
    def split_operands(cls, ins: Sequence[SSAValue], outs: Sequence[SSAValue]) -> list[Any]:
        """The operands as `build` takes them, from what the custom form lists."""
        raise NotImplementedError

    def memory_effects(self) -> Effects:
        """See `ir.effects.HasMemoryEffects`."""
        on_memrefs = any(isinstance(o.type, MemRefType) for o in self.operands)
        return Effects.READ | Effects.WRITE if on_memrefs else Effects.NONE

    def verify_destinations(self) -> None:
        """Check S1 and S2."""
        kinds = [isinstance(o.type, MemRefType) for o in self.operands]
        if any(kinds) and not all(kinds):
            raise VerifyException(f"{self.name}: S1: operands must be all tensors or all memrefs")
        results = tuple(r.type for r in self.results)
        expected = () if any(kinds) else tuple(d.type for d in self.destinations)
        if results != expected:
            raise VerifyException(
                f"{self.name}: S2: results must have the types of the destinations"
                f" ({', '.join(map(str, expected)) or 'none on memrefs'}), got ({', '.join(map(str, results))})"
            )

    def verify_region(self, region: Region, name: str, args: Sequence[Attribute], results: Sequence[Attribute]) -> None:
        """Check that a scalar region takes `args` and yields `results`."""
        block = region.block
        if tuple(a.type for a in block.args) != tuple(args):
            raise VerifyException(f"{self.name}: {name} must take ({', '.join(map(str, args))})")
        last = block.last_op
        if not isinstance(last, YieldOp) or tuple(o.type for o in last.operands) != tuple(results):
            raise VerifyException(f"{self.name}: {name} must yield ({', '.join(map(str, results))})")

    def print(self, printer: Printer) -> None:
        """Print ` ins(...) outs(...) scratch(...) {properties} regions -> types`."""
        groups = (("ins", self.ins), ("outs", self.destinations), ("scratch", self.scratch_operands))
        for keyword, values in groups:
            if not values:
                continue
            printer.print_string(f" {keyword}(")
            printer.print_list(values, printer.print_ssa_value)
            printer.print_string(" : ")
            printer.print_list([v.type for v in values], printer.print_attribute)
            printer.print_string(")")
        shown = {k: v for k, v in {**self.properties, **self.attributes}.items() if k != "operandSegmentSizes"}
        if shown:
            printer.print_string(" ")
            printer.print_attr_dict(shown)
        for i, region in enumerate(self.regions):
            printer.print_string(", " if i else " ")
            printer.print_region(region)
        if len(self.results) == 1:
            printer.print_string(" -> ")
            printer.print_attribute(self.results[0].type)
        elif self.results:
            printer.print_string(" -> (")
            printer.print_list([r.type for r in self.results], printer.print_attribute)
            printer.print_string(")")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """Parse what `print` prints."""
        ins = _parse_operands(parser, "ins")
        outs = _parse_operands(parser, "outs")
        scratch = _parse_operands(parser, "scratch")
        attributes = dict(parser.parse_optional_attr_dict())
        definition = cls.get_irdl_definition()
        regions: list[Region] = []
        for i in range(len(definition.regions)):
            if i:
                parser.parse_punctuation(",")
            regions.append(parser.parse_region())
        results = _parse_results(parser)
        properties = {k: attributes.pop(k) for k in definition.properties if k in attributes}
        operands = cls.split_operands(ins, outs)
        if scratch:
            operands[-1] = scratch
        return cls.build(
            operands=operands,
            result_types=[results],
            properties=properties,
            attributes=attributes,
            regions=regions,
        )


def _parse_operands(parser: Parser, keyword: str) -> Sequence[SSAValue]:
    if not parser.parse_optional_keyword(keyword):
        return ()
    position = parser.pos
    parser.parse_punctuation("(")
    names = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_unresolved_operand)
    parser.parse_punctuation(":")
    types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
    parser.parse_punctuation(")")
    return parser.resolve_operands(names, types, position)


def _parse_results(parser: Parser) -> Sequence[Attribute]:
    if not parser.parse_optional_punctuation("->"):
        return ()
    several = parser.parse_optional_comma_separated_list(parser.Delimiter.PAREN, parser.parse_type)
    return several if several is not None else (parser.parse_type(),)


@irdl_op_definition
class YieldOp(AbstractYieldOperation[Attribute]):
    """Ends a scalar region of a structured op."""

    name = "structured.yield"
    traits = traits_def(IsTerminator(), Pure())


def results_of(outs: Sequence[SSAValue]) -> list[Attribute]:
    """The types of the results: those of the destinations that are tensors."""
    return [o.type for o in outs if isinstance(o.type, TensorType)]
