"""`gpu.printf`: each active thread prints, in the order of their numbers, to standard output."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any

from xdsl.ir import Operation

from stepwell.dialects.gpu import PrintfOp
from stepwell.dialects.interp.arith import dtype_of
from stepwell.dialects.interp.simt.block import ThreadBlock
from stepwell.dialects.interp.simt.program import Builder, Prepare, Run
from stepwell.dialects.interp.simt.values import Value, spread

_CONVERSION = re.compile(r"%([-+ #0]*\d*(?:\.\d+)?)(?:hh|h|ll|l)?([diouxXeEfFgGc%])")
_UNSIGNED = frozenset("oxXu")


def _printf(op: Operation, builder: Builder) -> Run:
    del builder
    assert isinstance(op, PrintfOp)
    found = [m.group(2) for m in _CONVERSION.finditer(op.format.data) if m.group(2) != "%"]
    bits = [8 * dtype_of(arg).itemsize for arg in op.args]
    pattern = _CONVERSION.sub(_in_python, op.format.data)

    def run(block: ThreadBlock, *args: Value) -> Sequence[Value]:
        columns = [spread(arg, 0, block.count) for arg in args]
        for thread in block.active_threads():
            row = [_plain(c[thread], how, width) for c, how, width in zip(columns, found, bits, strict=True)]
            sys.stdout.write(pattern % tuple(row))
        return ()

    return run


def _in_python(match: re.Match[str]) -> str:
    """A conversion of C as Python writes it: no length, signs are the argument's."""
    flags, how = match.groups()
    return f"%{flags}{'d' if how in 'iu' else how}"


def _plain(value: Any, how: str, bits: int) -> int | float:
    if how in "eEfFgG":
        return float(value)
    number = int(value)
    return number % (1 << bits) if how in _UNSIGNED else number


RULES: dict[str, Prepare] = {"gpu.printf": _printf}
