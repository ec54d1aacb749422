"""Shorthand for straight-line code on one scalar or one row of a vector."""

from __future__ import annotations

from stepwell.backends.llvm.types import float_literal
from stepwell.backends.llvm.writer import FunctionWriter


def typed(name: str, lanes: int | None) -> str:
    """`name`, or a vector of it."""
    return name if lanes is None else f"<{lanes} x {name}>"


def literal(text: str, name: str, lanes: int | None) -> str:
    """A literal, or a splat of it."""
    return text if lanes is None else f"splat ({name} {text})"


class Rows:
    """Shorthand for straight-line code on one type."""

    def __init__(self, w: FunctionWriter, lanes: int | None):
        self.w = w
        self.lanes = lanes

    def i(self, opcode: str, a: str, b: str | int, name: str = "i32") -> str:
        """An integer instruction; a number is a constant of the operand's type."""
        rhs = literal(str(b), name, self.lanes) if isinstance(b, int) else b
        return self.w.emit(f"{opcode} {typed(name, self.lanes)} {a}, {rhs}")

    def f(self, opcode: str, a: str, b: str | float, name: str = "float") -> str:
        """A float instruction; a number is a constant of the operand's type."""
        rhs = b if isinstance(b, str) else literal(float_literal(b, name), name, self.lanes)
        return self.w.emit(f"{opcode} {typed(name, self.lanes)} {a}, {rhs}")

    def cast(self, opcode: str, a: str, source: str, target: str) -> str:
        """A conversion between two scalar types, lane by lane."""
        return self.w.emit(f"{opcode} {typed(source, self.lanes)} {a} to {typed(target, self.lanes)}")

    def select(self, c: str, a: str | int, b: str | int, name: str = "i32") -> str:
        """`a` where `c` holds, else `b`."""
        a, b = (literal(str(x), name, self.lanes) if isinstance(x, int) else x for x in (a, b))
        type_ = typed(name, self.lanes)
        return self.w.emit(f"select {typed('i1', self.lanes)} {c}, {type_} {a}, {type_} {b}")
