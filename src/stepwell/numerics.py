"""What a user allows of a program's numbers, written on its module, where passes find it and a printed step keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp


def allow_contraction(module: ModuleOp, allowed: bool) -> None:
    """Write on a module that products and sums may be one op, if that is allowed; a module that says so itself goes on doing so."""
    if not allowed:
        return
    from xdsl.dialects.builtin import UnitAttr

    from stepwell.dialects.stepwell import FP_CONTRACT

    module.attributes[FP_CONTRACT] = UnitAttr()


__all__ = ["allow_contraction"]
