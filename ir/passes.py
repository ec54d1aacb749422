"""The base of every pass.

A pass is a frozen dataclass with a kebab-case `name`, its options as fields, and `apply(ctx, op)`. `anchor` says which op
it runs on (`builtin.module` by default); the pipeline finds the ops of that name when a pass is written at the top
level, so `apply-schedule` and `kernel.func(apply-schedule)` mean the same. A pass with `anchor = ANY_ANCHOR` runs on
whatever op it is written in. `numerics` says what a pass may do to numbers, for who checks them (`stepwell.validate`).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from xdsl.context import Context
from xdsl.ir import Operation
from xdsl.passes import ModulePass

ANY_ANCHOR = "any"


class Pass(ModulePass):
    """Base class; see the module docstring."""

    anchor: ClassVar[str] = "builtin.module"

    numerics: ClassVar[Literal["exact", "rounding", "finite"]] = "exact"
    """"exact": every result stays as it is, bit for bit. "rounding": floats may round differently (sums in another order,
    functions computed in another way), within what docs/floating-point.md promises. "finite": the same, but for infinities and
    numbers beside them, which may become NaN: whoever compiles has asked for it."""

    def apply(self, ctx: Context, op: Operation) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Transform `op` in place; valid IR before and after.

        Raises:
            PassFailedError: the pass cannot do what it is asked; names the op, the reason and what would help.
        """
        raise NotImplementedError


__all__ = ["ANY_ANCHOR", "Pass"]
