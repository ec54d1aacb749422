"""Canonicalization of `stablehlo`'s dynamic ops: static ones where sizes are constants, or the result's type says them.

Only where the result keeps its type: other ops must go on to fit. `refine-shapes` is what changes types.
"""

from __future__ import annotations

from xdsl.ir import Operation

from stepwell.dialects.stablehlo.static_forms import DYNAMIC_OPS, static_form
from stepwell.ir.rewriting import Folder, Pattern, Rewriter
from stepwell.ir.shapes import ShapeError


def _known_sizes(op: Operation, rewriter: Rewriter) -> bool:
    """`dynamic_reshape(x, constant)` is `reshape(x)`, and so for the others; wrong sizes are left to the verifier."""
    try:
        made = static_form(op)
    except ShapeError:
        return False
    if made is None:
        return False
    if made.results[0].type != op.results[0].type:
        made.erase()
        return False
    rewriter.replace_with(op, made)
    return True


FOLDERS: dict[str, Folder] = {}

PATTERNS: dict[str, tuple[Pattern, ...]] = dict.fromkeys(DYNAMIC_OPS, (_known_sizes,))
