"""`arith` as MLIR defines it: upstream's ops widened to vectors and tensors, plus `arith.remf` and `arith.index_castui`.

xDSL 0.74 declares comparison, select and casts on scalars only. The class objects stay upstream's (so `isinstance` agrees
everywhere); their operand and result constraints, constructors and assembly are replaced here, once, on import.
"""

from __future__ import annotations

from typing import Any

from xdsl.dialects import arith
from xdsl.dialects.builtin import (
    AnyFloat,
    IndexType,
    IntegerType,
    TensorType,
    VectorType,
    container_of,
    i1,
)
from xdsl.ir import Attribute, Dialect, Operation, SSAValue
from xdsl.irdl import IRDLOperation, irdl_op_definition, operand_def, result_def, traits_def
from xdsl.irdl.constraints import AnyOf
from xdsl.irdl.operations import OperandDef, ResultDef
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.type import get_element_type_or_self, have_compatible_shape

_INTEGER_LIKE = container_of(AnyOf.get(IntegerType, IndexType))
_FLOAT_LIKE = container_of(AnyFloat)


def with_element_type(shaped: Attribute, element: Attribute) -> Attribute:
    """`element`, in the container of `shaped`: a vector or tensor of the same shape, or the scalar itself."""
    if isinstance(shaped, VectorType):
        return VectorType(element, shaped.get_shape(), shaped.scalable_dims)
    if isinstance(shaped, TensorType):
        return TensorType(element, shaped.get_shape(), shaped.encoding)
    return element


@irdl_op_definition
class RemFOp(arith.FloatingPointLikeBinaryOperation):
    """Floating-point remainder with the sign of the dividend (C's fmod); exact."""

    name = "arith.remf"
    traits = traits_def(Pure())


@irdl_op_definition
class IndexCastUIOp(IRDLOperation):
    """Casts between an integer and index, zero-extending where it widens."""

    name = "arith.index_castui"
    input = operand_def(_INTEGER_LIKE)
    result = result_def(_INTEGER_LIKE)
    traits = traits_def(Pure())
    assembly_format = "$input attr-dict `:` type($input) `to` type($result)"

    def __init__(self, input_arg: SSAValue | Operation, target_type: Attribute):
        super().__init__(operands=[input_arg], result_types=[target_type])


def _constrain(cls: type[IRDLOperation], operands: dict[str, Any], results: dict[str, Any]) -> None:
    definition = cls.get_irdl_definition()
    definition.operands[:] = [(n, OperandDef(operands[n]) if n in operands else d) for n, d in definition.operands]
    definition.results[:] = [(n, ResultDef(results[n]) if n in results else d) for n, d in definition.results]


def _widen_comparison(cls: type[arith.CmpiOp] | type[arith.CmpfOp], like: Any) -> None:
    scalar_init = cls.__init__

    def __init__(self: Any, operand1: Any, operand2: Any, arg: int | str, *rest: Any, **named: Any) -> None:
        scalar_init(self, operand1, operand2, arg, *rest, **named)
        lhs = SSAValue.get(operand1)
        if isinstance(lhs.type, VectorType | TensorType):
            self.results[0]._type = with_element_type(lhs.type, i1)  # pyright: ignore[reportPrivateUsage]

    def verify_(self: Any) -> None:
        if self.result.type != with_element_type(self.lhs.type, i1):
            raise VerifyException(f"{cls.name}: result type must be i1 in the shape of its operands")

    cls.__init__ = __init__
    cls.verify_ = verify_
    _constrain(cls, {}, {"result": container_of(IntegerType)})


def _verify_select(self: arith.SelectOp) -> None:
    if self.cond.type == i1:
        return
    if self.cond.type != with_element_type(self.result.type, i1):
        raise VerifyException("arith.select: condition must be i1 or i1 in the shape of the result")


def _print_select(self: arith.SelectOp, printer: Printer) -> None:
    printer.print_string(" ")
    printer.print_list(self.operands, printer.print_ssa_value)
    printer.print_op_attributes(self.attributes)
    printer.print_string(" : ")
    if self.cond.type != i1:
        printer.print_attribute(self.cond.type)
        printer.print_string(", ")
    printer.print_attribute(self.result.type)


def _parse_select(cls: type[arith.SelectOp], parser: Parser) -> arith.SelectOp:
    names = [parser.parse_unresolved_operand()]
    for _ in range(2):
        parser.parse_punctuation(",")
        names.append(parser.parse_unresolved_operand())
    attributes = parser.parse_optional_attr_dict()
    parser.parse_punctuation(":")
    first = parser.parse_type()
    condition, value = (first, parser.parse_type()) if parser.parse_optional_punctuation(",") else (i1, first)
    operands = parser.resolve_operands(names, [condition, value, value], parser.pos)
    op = cls(*operands)
    op.attributes.update(attributes)
    return op


def _verify_cast(name: str, wider: bool | None) -> Any:
    def width(attribute: Attribute) -> int:
        element = get_element_type_or_self(attribute)
        return element.bitwidth if hasattr(element, "bitwidth") else 64  # pyright: ignore

    def verify_(self: Any) -> None:
        source, target = self.operands[0].type, self.results[0].type
        if not have_compatible_shape(source, target):
            raise VerifyException(f"{name}: operand and result must have the same shape")
        if (wider is not None and (width(target) > width(source)) is not wider) or (
            width(target) == width(source) and wider is not None
        ):
            raise VerifyException(f"{name}: result must be {'wider' if wider else 'narrower'} than the operand")

    return verify_


def _verify_index_cast(self: Any) -> None:
    source, target = self.operands[0].type, self.results[0].type
    sides = [isinstance(get_element_type_or_self(t), IndexType) for t in (source, target)]
    if sides[0] == sides[1] or not have_compatible_shape(source, target):
        raise VerifyException(f"{self.name}: exactly one of operand and result must be of index type, in one shape")


def _widen() -> None:
    _widen_comparison(arith.CmpiOp, _INTEGER_LIKE)
    _widen_comparison(arith.CmpfOp, _FLOAT_LIKE)

    select: Any = arith.SelectOp
    _constrain(select, {"cond": container_of(IntegerType)}, {})
    select.verify_, select.print, select.parse = _verify_select, _print_select, classmethod(_parse_select)

    casts: list[tuple[Any, Any, Any, bool | None]] = [
        (arith.FPToSIOp, _FLOAT_LIKE, _INTEGER_LIKE, None),
        (arith.FPToUIOp, _FLOAT_LIKE, _INTEGER_LIKE, None),
        (arith.SIToFPOp, _INTEGER_LIKE, _FLOAT_LIKE, None),
        (arith.UIToFPOp, _INTEGER_LIKE, _FLOAT_LIKE, None),
        (arith.ExtFOp, _FLOAT_LIKE, _FLOAT_LIKE, True),
        (arith.TruncFOp, _FLOAT_LIKE, _FLOAT_LIKE, False),
        (arith.ExtSIOp, _INTEGER_LIKE, _INTEGER_LIKE, True),
        (arith.ExtUIOp, _INTEGER_LIKE, _INTEGER_LIKE, True),
        (arith.TruncIOp, _INTEGER_LIKE, _INTEGER_LIKE, False),
    ]
    for cls, source, target, wider in casts:
        _constrain(cls, {"input": source}, {"result": target})
        cls.verify_ = _verify_cast(cls.name, wider)
    for cast in (arith.IndexCastOp, IndexCastUIOp):
        _constrain(cast, {"input": _INTEGER_LIKE}, {"result": _INTEGER_LIKE})
        cast.verify_ = _verify_index_cast


_widen()

Arith = Dialect(
    "arith",
    [*arith.Arith.operations, RemFOp, IndexCastUIOp],
    list(arith.Arith.attributes),
    [arith.ArithConstantMaterializationInterface()],
)

__all__ = ["Arith", "IndexCastUIOp", "RemFOp", "with_element_type"]
