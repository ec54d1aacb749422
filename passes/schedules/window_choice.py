"""Sums over a window: which generics are some, in which tiles, and what of their image is copied with its border."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from xdsl.dialects.builtin import TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, Operation
from xdsl.ir.affine import AffineDimExpr, AffineExpr

from stepwell.ir.dtypes import byte_width
from stepwell.ir.machine import MachineDescription
from stepwell.ir.structured import indexing_maps, iterator_kinds
from stepwell.passes.schedules.contraction_analysis import product_of
from stepwell.passes.schedules.kernel_builder import is_uniform
from stepwell.passes.schedules.lanes import MOST_APART, steps_apart
from stepwell.passes.schedules.nest import Access, generic_extents, is_contiguous, uses_dim
from stepwell.passes.schedules.parameters import too_many_sums
from stepwell.passes.schedules.plan import WIDE_BYTES
from stepwell.passes.schedules.staging import Stage, border_of, plan_stage
from stepwell.passes.schedules.window_groups import WindowGroups, window_groups

UNROLLED = 32
"""Taps written one after the other, at most; outer ones are loops."""
SHORT = 4
"""Points of the last dim below which there is no vector of it."""


@dataclass(frozen=True)
class Window:
    """A generic understood as sums over a window."""

    op: linalg.GenericOp
    sizes: tuple[int, ...]
    image: int
    """Position of the operand that is read through the window; the other one are the weights."""
    casts: tuple[tuple[Operation, ...], tuple[Operation, ...]]
    """Of the two inputs, in their order."""
    lanes: int
    """The vector dim."""
    line: int | None
    """The dim whose neighbours are done together."""
    outer: tuple[int, ...]
    reduced: tuple[int, ...]
    """Outermost first: what only adds up, then what moves in the window, then the channels of a group."""
    groups: WindowGroups | None = None
    """Set where lanes are features of groups, which read the channels of theirs."""

    @property
    def accumulator(self) -> Attribute:
        """The element type of the sums."""
        kind = self.op.results[0].type
        assert isinstance(kind, TensorType)
        return kind.element_type

    @property
    def exprs(self) -> tuple[AffineExpr, ...]:
        """Where a point goes in the result."""
        return indexing_maps(self.op)[-1].results

    @property
    def looped(self) -> int:
        """How many of the reduced dims are loops."""
        count, taps = len(self.reduced), 1
        while count and taps * self.sizes[self.reduced[count - 1]] <= UNROLLED:
            count -= 1
            taps *= self.sizes[self.reduced[count]]
        return count


@dataclass(frozen=True)
class WindowTile:
    """The numbers of a window's schedule."""

    points: int
    """Neighbours along `line`."""
    columns: int
    """Lanes along the last dim."""

    def numbers(self) -> dict[str, int]:
        """As parameters of a schedule."""
        return {"points": self.points, "columns": self.columns}


def find_window(op: Operation) -> Window | str:
    """Read a generic as sums over a window, or say why it is none."""
    if not isinstance(op, linalg.GenericOp) or len(op.results) != 1 or len(op.inputs) != 2:
        return "not a generic of two inputs and one output"
    chains = product_of(op)
    if chains is None:
        return "the body is no sum of products"
    if not isinstance(op.outputs[0].owner, linalg.FillOp):
        return "its sums do not start from one number"
    maps, kinds, sizes = indexing_maps(op), iterator_kinds(op), generic_extents(op)
    order = [e.position for e in maps[2].results if isinstance(e, AffineDimExpr)]
    reduced = [d for d, kind in enumerate(kinds) if kind != "parallel"]
    if len(order) != len(maps[2].results) or not order or not reduced or 0 in sizes:
        return "the output is a scalar, or nothing is summed"
    whole = [i for i in (0, 1) if all(uses_dim(maps[i].results, d) for d in order)]
    if len(whole) != 1:
        return "both factors, or none, have all dims of the result"
    if any(is_uniform(x) for x in op.inputs):
        return "a factor is the same everywhere"
    image, n = whole[0], order[-1]
    exprs, weights = maps[image].results, maps[1 - image].results
    lines = [d for d in order[:-1] if _moves(exprs, d, reduced) and not uses_dim(weights, d)]
    if not lines and not _moves(exprs, n, reduced):
        return "nothing is read through a window"
    groups = window_groups(exprs[-1], n, sizes) if lines else None
    problem = _no_vectors(op, image, n, sizes[n]) if groups is None else None
    if problem is not None:
        return problem
    line = lines[-1] if lines else None
    channel = None if groups is None else groups.channel
    reduced.sort(key=lambda d: (d == channel, any(_moves(exprs, p, [d]) for p in order)))
    outer = tuple(d for d in order if d not in (line, n))
    return Window(op, sizes, image, chains, n, line, outer, tuple(reduced), groups)


def _moves(exprs: Sequence[AffineExpr], dim: int, reduced: Sequence[int]) -> bool:
    """Whether a dim of the result and one of the sums move along the same dim of the image."""
    return any(dim in e.used_dims() and any(d in e.used_dims() for d in reduced) for e in exprs)


def _no_vectors(op: linalg.GenericOp, image: int, dim: int, size: int) -> str | None:
    """Why the last dim of the result is no vector dim."""
    if size < SHORT:
        return "lines are too short for vectors"
    maps = indexing_maps(op)
    access = Access(op.inputs[image], maps[image].results)
    if not is_contiguous(access.exprs, dim) and not 2 <= steps_apart(access, dim) <= MOST_APART:
        return "lines of the image are not contiguous"
    weights = maps[1 - image].results
    if uses_dim(weights, dim) and not is_contiguous(weights, dim):
        return "lines of the weights are not contiguous"
    return None


def choose_window(found: Window, machine: MachineDescription) -> WindowTile | str:
    """The tile for a machine, or why other loops do better."""
    if machine.vector_bytes == 0:
        return "scalar code"
    lanes = max(1, machine.vector_bytes // byte_width(found.accumulator))
    most = 8 if machine.vector_bytes >= WIDE_BYTES else 4
    extent = 1 if found.line is None else found.sizes[found.line]
    if found.groups is not None:
        if max(lanes, found.groups.features) % found.groups.features:
            return "groups do not fill vectors"
        # One vector of each point, of more points: what is shuffled out of the image is used for several of them.
        most = machine.registers * 3 // 8
        return WindowTile(-(-extent // -(-extent // most)), max(lanes, found.groups.features))
    points = -(-extent // -(-extent // most))
    vectors = min(max(1, most // 2 // points), -(-found.sizes[found.lanes] // lanes))
    return WindowTile(points, vectors * lanes)


def window_tile_of(found: Window, numbers: Mapping[str, int], machine: MachineDescription) -> WindowTile | str:
    """The tile that a schedule's numbers describe, chosen where they do not say."""
    chosen = choose_window(found, machine)
    if isinstance(chosen, str):
        return chosen
    extent = 1 if found.line is None else found.sizes[found.line]
    columns = numbers.get("columns", chosen.columns)
    if found.groups is not None:
        columns = -(-columns // chosen.columns) * chosen.columns  # whole groups, and vectors of them
    tile = WindowTile(min(numbers.get("points", chosen.points), extent), columns)
    return too_many_sums(tile.points, tile.columns, machine.vector_bytes // byte_width(found.accumulator)) or tile


def stage_of(found: Window, tile: WindowTile, most: int) -> Stage | None:
    """What is copied with its border at once, in at most so many bytes: down from the first dim that moves in the window."""
    border = border_of(found.op.inputs[found.image])
    loops = [*found.outer, *([] if found.line is None else [found.line])]
    if border is None or not loops or not most:
        return None
    exprs = indexing_maps(found.op)[found.image].results
    number = next((i for i, d in enumerate(loops) if _moves(exprs, d, found.reduced)), len(loops) - 1)
    unit = tile.points if loops[number] == found.line else 1
    stage = plan_stage(border, exprs, found.sizes, loops[:number], (loops[number], unit), most)
    return replace(stage, spread=True) if stage is not None and by_columns(found, tile) else stage


def by_columns(found: Window, tile: WindowTile) -> bool:
    """Whether the vector dim is the outermost loop over a part of the image: channels that are last, of more than one vector.

    Then the numbers of the image that neighbours share and the weights of a vector stay in the L1 cache.
    """
    image, weights = (indexing_maps(found.op)[i] for i in (found.image, 1 - found.image))
    used = {found.lanes, *found.reduced}
    channels = {found.lanes, None if found.groups is None else found.groups.channel}
    return (
        found.line is not None
        and found.sizes[found.lanes] > tile.columns
        and found.lanes in weights.used_dims() <= used
        and set(image.results[-1].used_dims()) <= channels
    )


def staged(op: Operation, machine: MachineDescription) -> Stage | None:
    """How an op that is sums over an image in a border has it copied in parts, if it can be."""
    found = find_window(op)
    tile = choose_window(found, machine) if isinstance(found, Window) else found
    if isinstance(found, str) or isinstance(tile, str):
        return None
    return stage_of(found, tile, most_staged(machine))


def most_staged(machine: MachineDescription) -> int:
    """Bytes of an image that are copied at once."""
    return machine.l2_bytes // 2


__all__ = [
    "Window",
    "WindowTile",
    "by_columns",
    "choose_window",
    "find_window",
    "most_staged",
    "stage_of",
    "staged",
    "window_tile_of",
]
