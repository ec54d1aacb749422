"""Integer arithmetic of the host function: scalars are their bits, unsigned; an operation knows how wide they are."""

from __future__ import annotations

from collections.abc import Callable

from stepwell.ir.errors import InvalidProgramError

Operation = Callable[..., int]
"""`(bits, *operands) -> bits`; what is above the width is cut off by the caller."""


def signed(bits: int, value: int) -> int:
    """The value in two's complement."""
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


def _divided(bits: int, x: int, y: int) -> tuple[int, int]:
    """Quotient and remainder, rounded towards zero as machines do."""
    a, b = signed(bits, x), signed(bits, y)
    quotient = abs(a) // _nonzero(abs(b))
    if (a < 0) != (b < 0):
        quotient = -quotient
    return quotient, a - quotient * b


def _nonzero(value: int) -> int:
    if value == 0:
        raise InvalidProgramError("the program divides by zero on the host")
    return value


def _signed_pair(function: Callable[[int, int], int]) -> Operation:
    return lambda bits, x, y: function(signed(bits, x), signed(bits, y))


def _shifted(function: Callable[[int, int, int], int]) -> Operation:
    """A shift; by the width or more it leaves nothing but the sign."""
    return lambda bits, x, y: function(bits, x, min(y, bits))


OPERATIONS: dict[str, Operation] = {
    "addi": lambda bits, x, y: x + y,
    "subi": lambda bits, x, y: x - y,
    "muli": lambda bits, x, y: x * y,
    "divui": lambda bits, x, y: x // _nonzero(y),
    "remui": lambda bits, x, y: x % _nonzero(y),
    "divsi": lambda bits, x, y: _divided(bits, x, y)[0],
    "remsi": lambda bits, x, y: _divided(bits, x, y)[1],
    "andi": lambda bits, x, y: x & y,
    "ori": lambda bits, x, y: x | y,
    "xori": lambda bits, x, y: x ^ y,
    "shli": _shifted(lambda bits, x, y: x << y),
    "shrui": _shifted(lambda bits, x, y: x >> y),
    "shrsi": _shifted(lambda bits, x, y: signed(bits, x) >> y),
    "minui": lambda bits, x, y: min(x, y),
    "maxui": lambda bits, x, y: max(x, y),
    "minsi": _signed_pair(min),
    "maxsi": _signed_pair(max),
    "eq": lambda bits, x, y: int(x == y),
    "ne": lambda bits, x, y: int(x != y),
    "ult": lambda bits, x, y: int(x < y),
    "ule": lambda bits, x, y: int(x <= y),
    "ugt": lambda bits, x, y: int(x > y),
    "uge": lambda bits, x, y: int(x >= y),
    "slt": _signed_pair(lambda a, b: int(a < b)),
    "sle": _signed_pair(lambda a, b: int(a <= b)),
    "sgt": _signed_pair(lambda a, b: int(a > b)),
    "sge": _signed_pair(lambda a, b: int(a >= b)),
    "select": lambda bits, c, x, y: x if c else y,
    "truncate": lambda bits, x: x,
}
"""By name; `truncate` cuts off and, from a narrower operand, extends with zeros."""

SIGN_EXTENDS = "sign_extend_"
"""`sign_extend_8` extends from 8 bits to the width."""


def operation(name: str) -> Operation:
    """The operation of a `Compute`."""
    if name.startswith(SIGN_EXTENDS):
        width = int(name.removeprefix(SIGN_EXTENDS))
        return lambda bits, x: signed(width, x)
    return OPERATIONS[name]
