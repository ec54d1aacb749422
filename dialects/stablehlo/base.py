"""What StableHLO ops share: parsing and printing of their types and attribute dictionaries, and verification helpers.

Assembly follows the reference: when all operand types equal the result type only that type is written, else a function
type; properties without a place of their own in the format go into the attribute dictionary, defaults left out.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, ClassVar, Self, cast

from xdsl.dialects.builtin import (
    ArrayAttr,
    ComplexType,
    DenseArrayBase,
    FunctionType,
    IntegerAttr,
    IntegerType,
    Signedness,
    TensorType,
    i64,
)
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.irdl import IRDLOperation
from xdsl.parser import Parser, UnresolvedOperand
from xdsl.printer import Printer
from xdsl.traits import Pure, RecursiveMemoryEffect
from xdsl.utils.exceptions import VerifyException

from stepwell.dialects.quant import quantized
from stepwell.dialects.stablehlo.attrs import TypeExtensionsAttr
from stepwell.ir.shapes import DYNAMIC, ShapeError, compatible

AnyTensor = TensorType[Any]

PRED, SINT, UINT, FLOAT, COMPLEX = "boolean", "signed integer", "unsigned integer", "float", "complex"
INTEGER = (SINT, UINT)
PRED_OR_INTEGER = (PRED, SINT, UINT)
FLOAT_OR_COMPLEX = (FLOAT, COMPLEX)
NUMBER = (SINT, UINT, FLOAT, COMPLEX)
ANY_KIND = (PRED, SINT, UINT, FLOAT, COMPLEX)

NOT_QUANTIZED, PER_TENSOR, PER_AXIS = "not quantized", "per tensor", "per tensor or per axis"


def element_kind(element_type: Attribute) -> str:
    """Which family an element type belongs to; signless integers are signed, `i1` is boolean."""
    if isinstance(element_type, IntegerType):
        if element_type.width.data == 1:
            return PRED
        return UINT if element_type.signedness.data == Signedness.UNSIGNED else SINT
    if isinstance(element_type, ComplexType):
        return COMPLEX
    return FLOAT if element_type.name.startswith(("f", "bf", "tf")) else element_type.name


def bit_width(element_type: Attribute) -> int:
    """Bits of an integer, float or complex type, or of a quantized type's integers."""
    if (of := quantized(element_type)) is not None:
        return of.storage.width.data
    if isinstance(element_type, ComplexType):
        return 2 * bit_width(cast(Attribute, element_type.element_type))
    return cast(Any, element_type).bitwidth


def i64_array(values: Iterable[int]) -> DenseArrayBase[Any]:
    """`array<i64: ...>`."""
    return DenseArrayBase.from_list(i64, list(values))


def i64_attr(value: int) -> IntegerAttr[Any]:
    """`value : i64`."""
    return IntegerAttr(value, i64)


def ints(attr: DenseArrayBase[Any] | None, default: Sequence[int] = ()) -> tuple[int, ...]:
    """The values of an optional `array<i64: ...>`."""
    return tuple(default) if attr is None else attr.get_values()


class StableHLOOp(IRDLOperation, ABC):
    """Base of all StableHLO and CHLO ops."""

    ELIDED: ClassVar[Collection[str]] = ()
    """Properties that the custom format writes somewhere else than in the attribute dictionary."""

    QUANTIZED: ClassVar[str] = PER_TENSOR
    """How operands and results may be quantized that may be floats."""

    def require(self, label: str, condition: bool, message: Callable[[], str]) -> None:
        """Raise a verification error that names the op and the constraint when `condition` does not hold."""
        if not condition:
            raise VerifyException(f"{self.name}: {label}: {message()}")

    def shape_of(self, rule: Callable[..., tuple[int, ...]], *args: Any) -> tuple[int, ...]:
        """Call a shape function; its error becomes this op's verification error."""
        try:
            return rule(*args)
        except ShapeError as error:
            raise VerifyException(f"{self.name}: {error.label}: {error}") from error

    def require_quantization(self, label: str, value: SSAValue, what: str) -> None:
        """`value` is not quantized, or as the op allows."""
        of = quantized(value.type)
        ok = of is None or self.QUANTIZED == PER_AXIS or (self.QUANTIZED == PER_TENSOR and of.axis is None)
        self.require(label, ok, lambda: f"{what} has type {value.type}, which must be {self.QUANTIZED}")

    def require_baseline(self, label: str, value: SSAValue, expected: Attribute, what: str) -> None:
        """As `require_type`, but scales and zero points of quantized types may differ."""
        self.require_quantization("I1", value, what)
        self.require(
            label,
            value.type == expected or baselines_compatible(value.type, expected),
            lambda: f"{what} has type {value.type}, expected {expected}{_but_parameters(expected)}",
        )

    def require_baseline_element(self, label: str, value: SSAValue, expected: Attribute, what: str) -> None:
        """As `require_element`, but scales and zero points of quantized types may differ."""
        self.require_quantization("I1", value, what)
        element = cast(AnyTensor, value.type).element_type
        self.require(
            label,
            element == expected or same_baseline(element, expected),
            lambda: f"{what} has type {value.type}, expected element type {expected}{_but_parameters(expected)}",
        )

    def require_type(self, label: str, value: SSAValue, expected: Attribute, what: str) -> None:
        """The type of `value` agrees with `expected` (a `?` agrees with every extent)."""
        self.require_quantization("I1", value, what)
        self.require(
            label,
            value.type == expected or types_compatible(value.type, expected),
            lambda: f"{what} has type {value.type}, expected {expected}",
        )

    def require_shape(self, label: str, value: SSAValue, expected: Sequence[int], what: str) -> None:
        """The shape of `value` agrees with `expected` (a `?` agrees with every extent)."""
        self.require(
            label,
            compatible(cast(AnyTensor, value.type).get_shape(), expected),
            lambda: f"{what} has type {value.type}, expected shape {extents_text(expected)}",
        )

    def require_element(self, label: str, value: SSAValue, expected: Attribute, what: str) -> None:
        """The element type of `value` is `expected`."""
        self.require_quantization("I1", value, what)
        self.require(
            label,
            cast(AnyTensor, value.type).element_type == expected,
            lambda: f"{what} has type {value.type}, expected element type {expected}",
        )

    def require_kind(self, label: str, value: SSAValue, kinds: Sequence[str], what: str) -> None:
        """The element type of `value` is of one of `kinds`."""
        element = cast(AnyTensor, value.type).element_type
        if quantized(element) is not None and FLOAT in kinds:
            self.require_quantization(label, value, what)
            return
        self.require(
            label,
            element_kind(element) in kinds,
            lambda: f"{what} has element type {element}, expected {' or '.join(kinds)}",
        )

    def require_promotable(self, label: str, source: SSAValue, target: Attribute, what: str) -> None:
        """The element type of `source` is that of `target` or a narrower one of the same kind."""
        narrow, wide = cast(AnyTensor, source.type).element_type, cast(AnyTensor, target).element_type
        self.require_quantization("I1", source, what)
        of, to = quantized(narrow), quantized(wide)
        same = element_kind(narrow) == element_kind(wide) and (of is None or to is None or of.expressed == to.expressed)
        self.require(
            label,
            narrow == wide or (same and bit_width(narrow) <= bit_width(wide)),
            lambda: f"{what} has type {source.type}, which does not fit the accumulator's {target}",
        )

    def require_region(
        self, label: str, region: Region, inputs: Sequence[Attribute], outputs: Sequence[Attribute] | None, what: str
    ) -> None:
        """A single-block region with these argument types, returning values of these types."""
        block = single_block(self, label, region, what)
        types = [a.type for a in block.args]
        self.require(
            label,
            len(types) == len(inputs) and all(map(types_compatible, types, inputs)),
            lambda: f"{what} takes {type_list(types)}, expected {type_list(inputs)}",
        )
        if outputs is not None:
            returned = returned_types(block)
            self.require(
                label,
                len(returned) == len(outputs) and all(map(types_compatible, returned, outputs)),
                lambda: f"{what} returns {type_list(returned)}, expected {type_list(outputs)}",
            )


def single_block(op: Operation, label: str, region: Region, what: str) -> Block:
    """The only block of `region`, ended by a return."""
    block = region.blocks.first
    if block is None or block.next_block is not None:
        raise VerifyException(f"{op.name}: {label}: {what} must have exactly one block")
    last = block.last_op
    if last is None or last.name not in ("stablehlo.return", "chlo.return"):
        raise VerifyException(f"{op.name}: {label}: {what} must end with stablehlo.return")
    return block


def returned_types(block: Block) -> list[Attribute]:
    """Types of the operands of a block's terminator."""
    last = block.last_op
    return [o.type for o in last.operands] if last is not None else []


def type_list(types: Iterable[Attribute]) -> str:
    """`(tensor<f32>, tensor<i1>)`."""
    return "(" + ", ".join(map(str, types)) + ")"


def types_compatible(a: Attribute, b: Attribute) -> bool:
    """Equal up to `?` extents (within the other's bounds) and encodings."""
    if a == b:
        return True
    return (
        isinstance(a, TensorType)
        and isinstance(b, TensorType)
        and a.element_type == b.element_type
        and compatible(a.get_shape(), b.get_shape())
        and within_bounds(a, b)
        and within_bounds(b, a)
    )


def bounds_of(type_: AnyTensor) -> tuple[int, ...]:
    """The upper bound of each extent of a type, `?` where it has none."""
    encoding = type_.encoding
    if not isinstance(encoding, TypeExtensionsAttr):
        return (DYNAMIC,) * type_.get_num_dims()
    return tuple(DYNAMIC if b < 0 else b for b in encoding.data)


def within_bounds(type_: Attribute, declared: Attribute) -> bool:
    """No extent of `type_` is beyond the bounds of `declared` (of the same rank: else that is what is wrong)."""
    if not isinstance(type_, TensorType) or not isinstance(declared, TensorType):
        return True
    if not isinstance(declared.encoding, TypeExtensionsAttr):
        return True
    pairs = zip(type_.get_shape(), bounds_of(declared), strict=False)
    return all(DYNAMIC in (extent, bound) or extent <= bound for extent, bound in pairs)


def _but_parameters(expected: Attribute) -> str:
    return " but for scales and zero points" if quantized(expected) is not None else ""


def same_baseline(a: Attribute, b: Attribute) -> bool:
    """Quantized element types that differ only in scales and zero points."""
    of, to = quantized(a), quantized(b)
    return of is not None and to is not None and of.baseline == to.baseline


def baselines_compatible(a: Attribute, b: Attribute) -> bool:
    """Equal up to `?` extents, encodings, and the scales and zero points of quantized types."""
    if types_compatible(a, b):
        return True
    return (
        isinstance(a, TensorType)
        and isinstance(b, TensorType)
        and same_baseline(cast(Attribute, a.element_type), cast(Attribute, b.element_type))
        and compatible(a.get_shape(), b.get_shape())
    )


def scalar_of(value_type: Attribute) -> AnyTensor:
    """`tensor<E>` for a tensor of E."""
    return TensorType(cast(AnyTensor, value_type).element_type, [])


def tensor_of(element_type: Attribute, shape: Sequence[int]) -> AnyTensor:
    """`tensor<shape x element_type>`."""
    return TensorType(element_type, shape)


def pure() -> Pure:
    """The trait of ops without effects."""
    return Pure()


def region_effects() -> RecursiveMemoryEffect:
    """The trait of ops that do what their regions do."""
    return RecursiveMemoryEffect()


# Assembly ----------------------------------------------------------------------------------------------------------


def parse_operands(parser: Parser, count: int) -> list[UnresolvedOperand]:
    """`%a, %b, ...`, exactly `count` of them."""
    operands = [parser.parse_unresolved_operand()]
    for _ in range(count - 1):
        parser.parse_punctuation(",")
        operands.append(parser.parse_unresolved_operand())
    return operands


def parse_operands_until_keyword(parser: Parser) -> list[UnresolvedOperand]:
    """`%a, %b, ` up to (not including) the first thing that is no operand."""
    operands: list[UnresolvedOperand] = []
    while (operand := parser.parse_optional_unresolved_operand()) is not None:
        operands.append(operand)
        parser.parse_punctuation(",")
    return operands


def parse_operand_list(parser: Parser) -> list[UnresolvedOperand]:
    """`%a, %b` or nothing."""
    operands = parser.parse_optional_undelimited_comma_separated_list(
        parser.parse_optional_unresolved_operand, parser.parse_unresolved_operand
    )
    return operands or []


def parse_attr_dict(
    parser: Parser, cls: type[StableHLOOp], properties: dict[str, Attribute], keyword: bool = False
) -> dict[str, Attribute]:
    """An optional attribute dictionary; entries that are properties of `cls` move to `properties`."""
    if keyword and parser.parse_optional_keyword("attributes") is None:
        return {}
    attributes = parser.parse_optional_attr_dict()
    if attributes:
        for name in [n for n in attributes if n in cls.get_irdl_definition().properties]:
            properties[name] = attributes.pop(name)
    return attributes


def print_attr_dict(printer: Printer, op: StableHLOOp, keyword: bool = False) -> None:
    """Attributes, and the properties that the format does not write elsewhere."""
    shown = {name: value for name, value in op.properties.items() if name not in op.ELIDED}
    printer.print_op_attributes(shown | op.attributes, print_keyword=keyword)


def parse_function_type(parser: Parser) -> tuple[Sequence[Attribute], Sequence[Attribute]]:
    """`: (types) -> types`."""
    parser.parse_punctuation(":")
    function_type = parser.parse_function_type()
    return function_type.inputs.data, function_type.outputs.data


def parse_short_type(parser: Parser, count: int) -> tuple[Sequence[Attribute], Sequence[Attribute]]:
    """`: type` when all `count` operands and the result have it, else `: (types) -> type`."""
    parser.parse_punctuation(":")
    parsed = parser.parse_type()
    if isinstance(parsed, FunctionType):
        return parsed.inputs.data, parsed.outputs.data
    return (parsed,) * count, (parsed,)


def print_short_type(printer: Printer, op: Operation) -> None:
    """The inverse of `parse_short_type`."""
    printer.print_string(" : ")
    result = op.results[0].type
    if all(o.type == result for o in op._operands):  # pyright: ignore[reportPrivateUsage]
        printer.print_attribute(result)
    else:
        printer.print_operation_type(op)


def print_function_type(printer: Printer, op: Operation) -> None:
    """` : (types) -> types`."""
    printer.print_string(" : ")
    printer.print_operation_type(op)


def build(
    cls: type[Any],
    parser: Parser,
    position: int,
    operands: Sequence[UnresolvedOperand],
    types: tuple[Sequence[Attribute], Sequence[Attribute]],
    properties: dict[str, Attribute],
    attributes: dict[str, Attribute] | None = None,
    regions: Sequence[Region] = (),
) -> Any:
    """Resolve the operands and create the op."""
    if len(operands) != len(types[0]):
        parser.raise_error(f"{len(operands)} operands, but {len(types[0])} operand types", position, parser.pos)
    values = [parser.resolve_operand(o, t) for o, t in zip(operands, types[0], strict=True)]
    return cls.create(
        operands=values,
        result_types=types[1],
        properties=properties,
        attributes=attributes or {},
        regions=regions,
    )


def parse_named_ints(parser: Parser, name: str) -> DenseArrayBase[Any]:
    """`name = [1, 2]`."""
    parser.parse_keyword(name)
    parser.parse_punctuation("=")
    return i64_array(parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_integer))


def parse_named_int(parser: Parser, name: str) -> IntegerAttr[Any]:
    """`name = 3`."""
    parser.parse_keyword(name)
    parser.parse_punctuation("=")
    return i64_attr(parser.parse_integer())


def ints_text(values: Iterable[int]) -> str:
    """`[1, 2]`."""
    return "[" + ", ".join(map(str, values)) + "]"


def extents_text(extents: Iterable[int]) -> str:
    """`[1, ?]`."""
    return "[" + ", ".join("?" if e == DYNAMIC else str(e) for e in extents) + "]"


class ShortFormOp(StableHLOOp, ABC):
    """Format `%a, %b attr-dict : type`, the one type standing for all operands and the result when they are equal."""

    OPERAND_COUNT: ClassVar[int] = 1

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """Parse the format above."""
        position = parser.pos
        operands = parse_operands(parser, cls.OPERAND_COUNT)
        properties: dict[str, Attribute] = {}
        attributes = parse_attr_dict(parser, cls, properties)
        types = parse_short_type(parser, cls.OPERAND_COUNT)
        return build(cls, parser, position, operands, types, properties, attributes)

    def print(self, printer: Printer) -> None:
        """Print the format above."""
        print_operands(printer, self)
        print_attr_dict(printer, self)
        print_short_type(printer, self)


class FunctionFormOp(StableHLOOp, ABC):
    """Format `%a, %b attr-dict : (types) -> types`."""

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """Parse the format above."""
        position = parser.pos
        operands = parse_operand_list(parser)
        properties: dict[str, Attribute] = {}
        attributes = parse_attr_dict(parser, cls, properties)
        return build(cls, parser, position, operands, parse_function_type(parser), properties, attributes)

    def print(self, printer: Printer) -> None:
        """Print the format above."""
        print_operands(printer, self)
        print_attr_dict(printer, self)
        print_function_type(printer, self)


def print_operands(printer: Printer, op: Operation) -> None:
    """` %a, %b`."""
    if op.operands:
        printer.print_string(" ")
        printer.print_list(op.operands, printer.print_ssa_value)


def array_of(attributes: Iterable[Attribute]) -> ArrayAttr[Any]:
    """`[a, b]`."""
    return ArrayAttr(list(attributes))
