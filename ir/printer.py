"""Printing IR: xDSL's printer with each location printed exactly once, and in two thirds of the time.

xDSL's own prints a location again for every op whose custom form ends in its function type, and cannot read that back.
"""

from __future__ import annotations

from io import StringIO

from xdsl.ir import Attribute, Operation, TypeAttribute
from xdsl.printer import Printer

_ESCAPES = {byte: f"\\{byte:02X}" for byte in range(256) if byte < 0x20 or byte > 0x7E or byte == 0x22} | {0x5C: "\\\\"}
"""What bytes of a string literal are written as, if not as themselves."""


class SourcePrinter(Printer):
    """The printer; see the module docstring."""

    def __init__(self, stream: StringIO, *, print_generic_format: bool = False, print_debuginfo: bool = False):
        super().__init__(stream, print_generic_format=print_generic_format, print_debuginfo=print_debuginfo)
        self._types: dict[int, tuple[Attribute, str]] = {}  # by identity, which the first of the pair keeps

    def print_string(self, text: str, *, indent: int | None = None) -> None:
        """Print a text; most have no lines."""
        if "\n" in text:
            super().print_string(text, indent=indent)
            return
        self._current_column += len(text)
        assert self.stream is not None
        self.stream.write(text)

    def print_bytes_literal(self, bytestring: bytes) -> None:
        """Print a string literal."""
        self.print_string('"' + bytestring.decode("latin-1").translate(_ESCAPES) + '"')

    def print_attribute(self, attribute: Attribute) -> None:
        """Print an attribute; types, which are printed again and again, are put into words once."""
        known = self._types.get(id(attribute))
        if known is None:
            if not isinstance(attribute, TypeAttribute):
                super().print_attribute(attribute)
                return
            stream, self.stream = self.stream, StringIO()
            column, self._current_column = self._current_column, 0
            super().print_attribute(attribute)
            known = attribute, self.stream.getvalue()
            self.stream, self._current_column = stream, column
            self._types[id(attribute)] = known
        self.print_string(known[1])

    def print_operation_type(self, op: Operation) -> None:
        """Print `(operands) -> results` without the location, which belongs to the whole op."""
        self.print_function_type(op.operand_types, op.result_types)

    def print_op_with_default_format(self, op: Operation) -> None:
        """Print the generic form and its location."""
        super().print_op_with_default_format(op)
        if self.print_debuginfo:
            self.print_string(" ")
            self.print_attribute(op.location)


def print_ir(op: Operation, *, generic: bool = False, debug_info: bool = False) -> str:
    """The text of `op`, ending with a newline."""
    stream = StringIO()
    SourcePrinter(stream, print_generic_format=generic, print_debuginfo=debug_info).print_op(op)
    return stream.getvalue() + "\n"


__all__ = ["SourcePrinter", "print_ir"]
