"""The state of `split-complex`: which pair of real values stands for a complex value, and ops built anew on the pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

from xdsl.dialects.builtin import ComplexType, FunctionType, TensorType
from xdsl.ir import Attribute, Block, BlockArgument, Operation, Region, SSAValue
from xdsl.rewriter import InsertPoint

from stepwell.dialects import stablehlo
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.diagnostics import unsupported
from stepwell.passes.complex_numbers.arithmetic import Complex
from stepwell.passes.complex_numbers.reals import Reals
from stepwell.passes.hlo import Hlo

Pair: TypeAlias = tuple[SSAValue, SSAValue]
"""Real and imaginary part."""
Rule: TypeAlias = Callable[["Splitter", Hlo, Any], "Sequence[SSAValue | Pair]"]
"""Builds what stands for an op: per result a value, a pair for a complex one."""


def is_complex(a_type: Attribute) -> bool:
    """Whether it is a tensor of complex numbers."""
    return isinstance(a_type, TensorType) and isinstance(cast("TensorType[Any]", a_type).element_type, ComplexType)


def part_type(a_type: Attribute) -> Attribute:
    """The type of the parts of a complex tensor; any other type itself."""
    if not is_complex(a_type):
        return a_type
    tensor = cast("TensorType[ComplexType[Any]]", a_type)
    return TensorType(tensor.element_type.element_type, tensor.get_shape(), tensor.encoding)


def interleaved_type(a_type: Attribute) -> Attribute:
    """The type of a complex tensor as memory has it, the parts side by side in a last dim; any other type itself."""
    if not is_complex(a_type):
        return a_type
    part = cast("TensorType[Any]", part_type(a_type))
    return TensorType(part.element_type, [*part.get_shape(), 2])


def expanded(types: Sequence[Attribute]) -> list[Attribute]:
    """The types with each complex one replaced by those of its parts."""
    return [t for a_type in types for t in ([part_type(a_type)] * 2 if is_complex(a_type) else [a_type])]


def check_static(op: Operation, types: Sequence[Attribute]) -> None:
    """Refuse complex tensors of unknown extents.

    Raises:
        UnsupportedError: there is one.
    """
    for a_type in types:
        if is_complex(a_type) and any(n < 0 for n in cast("TensorType[Any]", a_type).get_shape()):
            raise unsupported(op, f"dynamic shape {a_type}", "specialize the program to static shapes")


PARTS = (stablehlo.RealOp, stablehlo.ImagOp)
"""Ops that are taken away on real operands as well."""


class Splitter:
    """Replaces complex values by pairs, block by block in the order of the ops."""

    def __init__(self, rules: dict[type[Operation], Rule], interfaces: set[str]):
        self._rules = rules
        self.interfaces = interfaces
        """Functions that are called from outside: their complex arguments and results are interleaved."""
        self._pairs: dict[SSAValue, Pair] = {}

    # Values.

    def pair(self, value: SSAValue) -> Pair:
        """The parts of a complex value."""
        return self._pairs[value]

    def part(self, value: SSAValue, index: int) -> SSAValue:
        """A part (0: real, 1: imaginary) of a complex value; any other value itself."""
        return self._pairs[value][index] if is_complex(value.type) else value

    def expand(self, values: Sequence[SSAValue]) -> list[SSAValue]:
        """The values with each complex one replaced by its parts, side by side."""
        return [v for value in values for v in (self._pairs[value] if is_complex(value.type) else (value,))]

    def regroup(self, old: Operation, values: Sequence[SSAValue]) -> list[SSAValue | Pair]:
        """The results of an op whose result types were `expanded`, per old result."""
        given = iter(values)
        return [(next(given), next(given)) if is_complex(r.type) else next(given) for r in old.results]

    def numbers(self, reals: Reals, values: Sequence[SSAValue]) -> list[Complex]:
        """Complex values as numbers to compute with."""
        return [Complex(*(reals.real(part) for part in self.pair(value))) for value in values]

    def define(self, old: SSAValue, new: SSAValue | Pair) -> None:
        """Let new values stand for an old one and take over its name."""
        parts = ((new, ""),) if isinstance(new, SSAValue) else tuple(zip(new, ("_re", "_im"), strict=True))
        for value, suffix in parts:
            if old.name_hint and not value.name_hint:
                value.name_hint = old.name_hint + suffix
        if isinstance(new, SSAValue):
            old.replace_all_uses_with(new)
        else:
            self._pairs[old] = new

    # Ops.

    def clone(
        self,
        h: Hlo,
        old: Operation,
        operands: Sequence[SSAValue],
        types: Sequence[Attribute],
        regions: Sequence[Region] = (),
    ) -> Sequence[SSAValue]:
        """An op of the same class, properties and attributes; returns its results."""
        new = type(old).create(
            operands=operands,
            result_types=types,
            properties=dict(old.properties),
            attributes=dict(old.attributes),
            regions=regions,
        )
        return h.builder.insert(new).results

    def expanded_clone(self, h: Hlo, old: Operation) -> list[SSAValue | Pair]:
        """The op on pairs: operands, results, and arguments and results of its regions doubled where they are complex."""
        regions = [self.take_region(region) for region in old.regions]
        types = expanded([r.type for r in old.results])
        return self.regroup(old, self.clone(h, old, self.expand(old.operands), types, regions))

    def take_region(self, region: Region, group: int = 1) -> Region:
        """The converted contents of a region, detached from their op; `group` as for `convert_block`."""
        for block in region.blocks:
            self.convert_block(block, group)
        taken = Region()
        region.move_blocks(taken)
        return taken

    # Blocks.

    def convert_block(self, block: Block, group: int = 1) -> None:
        """Split everything in a block: complex arguments, `group` at a time, become their real, then imaginary parts."""
        arguments = list(block.args)
        replaced: list[BlockArgument] = []
        for i in range(0, len(arguments), group):
            together = arguments[i : i + group]
            if is_complex(together[0].type):
                self._split_arguments(block, together)
                replaced.extend(together)
        self._convert_ops(block, replaced)

    def convert_interface_block(self, block: Block) -> None:
        """Split everything in the body of a function called from outside: its complex arguments are interleaved."""
        replaced = [argument for argument in block.args if is_complex(argument.type)]
        for argument in reversed(replaced):
            self._join_argument(block, argument)
        self._convert_ops(block, replaced)

    def _split_arguments(self, block: Block, together: Sequence[BlockArgument]) -> None:
        parts: list[list[SSAValue]] = []
        for _ in range(2):
            parts.append([block.insert_arg(part_type(a.type), together[0].index, a.location) for a in together])
        for argument, *pair in zip(together, *parts, strict=True):
            self.define(argument, (pair[0], pair[1]))

    def _join_argument(self, block: Block, argument: BlockArgument) -> None:
        new = block.insert_arg(interleaved_type(argument.type), argument.index, argument.location)
        new.name_hint = argument.name_hint
        first = block.first_op
        assert first is not None
        self.define(argument, self.cut(Hlo(LocatedBuilder(InsertPoint.before(first), argument.location)), new))

    def _convert_ops(self, block: Block, replaced: Sequence[BlockArgument]) -> None:
        """Convert the ops in order, then erase what nothing uses any more."""
        dead = [op for op in list(block.ops) if self._convert(op)]
        for op in reversed(dead):
            op.detach()
            op.erase()
        for argument in reversed(replaced):
            block.erase_arg(argument)

    def _convert(self, op: Operation) -> bool:
        """Convert an op and what is in it; whether something else stands for it now."""
        touched = isinstance(op, PARTS) or any(is_complex(v.type) for v in (*op.operands, *op.results))
        inside = any(is_complex(a.type) for region in op.regions for block in region.blocks for a in block.args)
        if not touched and not inside:
            for region in op.regions:
                for block in region.blocks:
                    self.convert_block(block)
            return False
        check_static(op, [v.type for v in (*op.operands, *op.results)])
        rule = self._rules.get(type(op))
        if rule is None:
            raise unsupported(op, "not lowered on complex numbers", "compute on the real and imaginary parts")
        for old, new in zip(op.results, rule(self, Hlo.before(op), op), strict=True):
            self.define(old, new)
        return True

    # Interfaces.

    def cut(self, h: Hlo, value: SSAValue) -> Pair:
        """The parts of an interleaved value."""
        shape = cast("TensorType[Any]", value.type).get_shape()[:-1]
        re, im = (h.reshape(h.slice_in_dim(value, i, i + 1, -1), shape) for i in range(2))
        return re, im

    def joined(self, h: Hlo, value: SSAValue) -> SSAValue:
        """The interleaved form of a complex value; any other value itself."""
        return h.stack(self.pair(value)) if is_complex(value.type) else value

    def convert_signature(self, types: FunctionType, *, interface: bool) -> FunctionType:
        """A function's type on pairs, or on interleaved parts."""
        if interface:
            return FunctionType.from_lists(
                [interleaved_type(t) for t in types.inputs], [interleaved_type(t) for t in types.outputs]
            )
        return FunctionType.from_lists(expanded(types.inputs.data), expanded(types.outputs.data))


__all__ = ["Pair", "Rule", "Splitter", "check_static", "expanded", "interleaved_type", "is_complex", "part_type"]
