"""The `block-contraction` strategy as a choice: the parameters for a kernel, and the tiles its parameters mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stepwell.dialects import kernel
from stepwell.ir.machine import MachineDescription
from stepwell.passes.schedules.block_search import choose_tile
from stepwell.passes.schedules.block_tiles import BlockTile, check_tile, refusal, tile_of
from stepwell.passes.schedules.contraction_analysis import Contraction, find_contraction
from stepwell.passes.schedules.parameters import wrong


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


def tiles_for(
    func: kernel.FuncOp, parameters: Mapping[str, int | str], machine: MachineDescription
) -> Callable[[Contraction], BlockTile | str]:
    """The tile of each contraction of a kernel: that of the schedule, or the best one where it does not fit.

    Raises:
        InvalidProgramError: the schedule describes no tile, or one that fits none of the kernel's contractions, or there
            is none.
    """
    tile = tile_of(parameters)
    if isinstance(tile, str):
        raise wrong(func, "block-contraction", tile)
    found = contractions(func)
    if not found:
        raise wrong(
            func, "block-contraction", "no op of the kernel is a contraction with a form of blocks", "use 'loops'"
        )
    problems = [check_tile(f, tile, machine) for f in found]
    if all(p is not None for p in problems):
        raise wrong(func, "block-contraction", str(problems[0]))

    def choose(found: Contraction) -> BlockTile | str:
        if check_tile(found, tile, machine) is None:
            return tile
        chosen = choose_tile(found, machine)
        return chosen if isinstance(chosen, str) else chosen[0]

    return choose


__all__ = ["choose_blocks", "contractions", "tiles_for"]
