"""Roundings the targets lack."""

from __future__ import annotations

from xdsl.ir import SSAValue

from stepwell.passes.math_expansions.emitter import Emitter


def trunc(e: Emitter, x: SSAValue) -> SSAValue:
    """Toward zero; -0 stays."""
    return e.copysign(e.floor(e.abs(x)), x)


def round_half_away(e: Emitter, x: SSAValue) -> SSAValue:
    """To nearest, ties away from zero; exact (no x + 0.5)."""
    magnitude = e.abs(x)
    whole = e.floor(magnitude)
    up = e.cmp("oge", e.sub(magnitude, whole), e.c(0.5))
    return e.copysign(e.select(up, e.add(whole, e.c(1.0)), whole), x)
