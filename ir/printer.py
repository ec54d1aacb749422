"""Printing IR: xDSL's printer with each location printed exactly once.

xDSL's own prints a location again for every op whose custom form ends in its function type, and cannot read that back.
"""

from __future__ import annotations

from io import StringIO

from xdsl.ir import Operation
from xdsl.printer import Printer


class SourcePrinter(Printer):
    """The printer; see the module docstring."""

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
