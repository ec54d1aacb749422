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


def allow_winograd(module: ModuleOp, tile: int) -> None:
    """Write on a module which convolutions of Winograd's it allows, if any; a module that says so itself goes on doing so."""
    if not tile:
        return
    from xdsl.dialects.builtin import IntegerAttr, i64

    from stepwell.dialects.stepwell import WINOGRAD

    module.attributes[WINOGRAD] = IntegerAttr(tile, i64)


__all__ = ["allow_contraction", "allow_winograd"]
