"""What definitions of ops and attributes in several dialects share."""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar, cast

from xdsl.dialects.builtin import FunctionType
from xdsl.ir import Attribute, Operation, Region
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.traits import CallableOpInterface
from xdsl.utils.str_enum import StrEnum

Enum = TypeVar("Enum", bound=StrEnum)


class CallableByType(CallableOpInterface):
    """An op with one region, called with the inputs of its property `function_type`."""

    @classmethod
    def get_callable_region(cls, op: Operation) -> Region:
        """The body."""
        return op.regions[0]

    @classmethod
    def get_argument_types(cls, op: Operation) -> tuple[Attribute, ...]:
        """The types of what it takes."""
        return _function_type(op).inputs.data

    @classmethod
    def get_result_types(cls, op: Operation) -> tuple[Attribute, ...]:
        """The types of what it returns."""
        return _function_type(op).outputs.data


def _function_type(op: Operation) -> FunctionType:
    kind = op.properties["function_type"]
    assert isinstance(kind, FunctionType)
    return kind


class InAngleBrackets(Generic[Enum]):
    """Beside `EnumAttribute`, as its first base: the text is `#dialect.name<value>`."""

    data: Enum
    enum_type: ClassVar[type[StrEnum]]

    def print_parameter(self, printer: Printer) -> None:
        """Print `<value>`."""
        with printer.in_angle_brackets():
            printer.print_string(self.data.value)

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Enum:
        """Parse `<value>`."""
        with parser.in_angle_brackets():
            return cast(Enum, parser.parse_str_enum(cls.enum_type))


__all__ = ["CallableByType", "InAngleBrackets"]
