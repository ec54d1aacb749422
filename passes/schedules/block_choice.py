"""The `block-contraction` strategy as a choice: the parameters for a kernel, and the tiles its parameters mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from xdsl.dialects.builtin import IntegerAttr, StringAttr

from stepwell.dialects import kernel
from stepwell.ir.diagnostics import invalid
from stepwell.ir.machine import MachineDescription
from stepwell.passes.schedules.block_tiles import BlockTile, check_tile, choose_tile, refusal, tile_of
from stepwell.passes.schedules.contraction_analysis import Contraction, find_contraction


def contractions(func: kernel.FuncOp) -> list[Contraction]:
    """The contractions of a kernel that have a form of blocks."""
    found = [find_contraction(op) for op in func.body.block.ops]
    return [f for f in found if isinstance(f, Contraction) and refusal(f) is None]


def choose_blocks(func: kernel.FuncOp, machine: MachineDescription) -> tuple[dict[str, int | str], str] | str:
    """The parameters for a kernel's first contraction worth a block's tiles and the reason, or why there is none.

    An empty reason: the kernel has no contraction.
    """
    reason = ""
    for op in func.body.block.ops:
        found = find_contraction(op)
        if not isinstance(found, Contraction):
            continue
        chosen = choose_tile(found, machine)
        if not isinstance(chosen, str):
            return chosen[0].parameters(), chosen[1]
        reason = chosen
    return reason


def plain_parameters(schedule: kernel.ScheduleAttr) -> dict[str, int | str]:
    """The numbers and strings of a schedule."""
    plain: dict[str, int | str] = {}
    for name, value in schedule.params.data.items():
        if isinstance(value, IntegerAttr):
            plain[name] = value.value.data
        elif isinstance(value, StringAttr):
            plain[name] = value.data
    return plain


def tiles_for(
    func: kernel.FuncOp, parameters: Mapping[str, int | str], machine: MachineDescription
) -> Callable[[Contraction], BlockTile | str]:
    """The tile of each contraction of a kernel: that of the schedule, or the best one where it does not fit.

    Raises:
        InvalidProgramError: the schedule describes no tile, or one that fits none of the kernel's contractions.
    """
    tile = tile_of(parameters)
    if isinstance(tile, str):
        raise invalid(func, f"has a block-contraction schedule that is wrong: {tile}")
    problems = [check_tile(found, tile, machine) for found in contractions(func)]
    if problems and all(p is not None for p in problems):
        raise invalid(func, f"has a block-contraction schedule that does not fit: {problems[0]}")

    def choose(found: Contraction) -> BlockTile | str:
        if check_tile(found, tile, machine) is None:
            return tile
        chosen = choose_tile(found, machine)
        return chosen if isinstance(chosen, str) else chosen[0]

    return choose


__all__ = ["choose_blocks", "contractions", "plain_parameters", "tiles_for"]
