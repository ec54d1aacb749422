"""Parts of a result put into each other: every second row, or element, from another tensor, with the maps of the result.

A chain of `insert_slice` with strides, one for each of the places between two steps, writes every element once, as the phases
of a window over an image with gaps do. Done part by part each cache line is written as often as it has parts, an element at a
time where the last dim is one of those. Here a row of the result is made at once: vectors of its parts are shuffled into each
other, maps are done on what that gives, and it is stored as whole vectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from xdsl.dialects import tensor
from xdsl.dialects.builtin import DYNAMIC_INDEX, AnyFloat, IntegerType, TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, BlockArgument, Operation, SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.ir.dtypes import byte_width
from stepwell.passes.fusion.epilogue import not_an_epilogue
from stepwell.passes.schedules.contraction_analysis import ops_between
from stepwell.passes.schedules.emit import Index
from stepwell.passes.schedules.kernel_builder import KernelBuilder, Slice, is_scheduled
from stepwell.passes.schedules.lanes import (
    MOST_APART,
    Point,
    evaluate_on_tile,
    lanes_along,
    read,
    shuffled,
    transfer_read,
    transfer_write,
)
from stepwell.passes.schedules.plan import BYTE, Machine, tasks_for
from stepwell.passes.schedules.space import tiled_loop
from stepwell.passes.schedules.tasks import Cut, cut_dim, part_of

MOST_PARTS = 16
"""Parts of a result, at most: rows of so many tensors are read side by side."""


@dataclass(frozen=True)
class Interleaving:
    """Inserts that write each element of a tensor once, those of each some steps apart."""

    inserts: tuple[tensor.InsertSliceOp, ...]
    steps: tuple[int, ...]
    """By how much the elements of a part are apart, along each dim."""
    parts: Mapping[tuple[int, ...], SSAValue]
    """By where the first element of a part is."""

    @property
    def result(self) -> SSAValue:
        """The tensor of all parts."""
        return self.inserts[-1].result

    @property
    def shape(self) -> tuple[int, ...]:
        """Its extents."""
        return _shape(self.result)


def find_interleaving(op: Operation) -> Interleaving | None:
    """The inserts from `op` on as parts put into each other; None where they are not, or `op` is not the first."""
    if not isinstance(op, tensor.InsertSliceOp) or not isinstance(op.dest.owner, tensor.EmptyOp | Block):
        return None
    chain = [op]
    while chain[-1].result.has_one_use():
        later = next(iter(chain[-1].result.uses)).operation
        if not isinstance(later, tensor.InsertSliceOp) or later.dest is not chain[-1].result:
            break
        chain.append(later)
    steps = tuple(op.static_strides.get_values())
    if not all(1 <= s <= MOST_APART for s in steps) or len(chain) != prod(steps) or not 2 <= len(chain) <= MOST_PARTS:
        return None
    parts = {tuple(i.static_offsets.get_values()): i.source for i in chain}
    found = Interleaving(tuple(chain), steps, parts)
    return found if _fills(found) else None


def _fills(found: Interleaving) -> bool:
    """Whether every element is written once."""
    shape = found.shape
    element = found.result.type.element_type  # pyright: ignore[reportAttributeAccessIssue]
    whole = isinstance(element, AnyFloat) or (isinstance(element, IntegerType) and element.width.data % 8 == 0)
    if len(found.parts) != len(found.inserts) or not whole or DYNAMIC_INDEX in shape or 0 in shape:
        return False
    if any(tuple(i.static_strides.get_values()) != found.steps for i in found.inserts):
        return False
    for offsets, part in found.parts.items():
        extents = [-(-(n - o) // s) for n, o, s in zip(shape, offsets, found.steps, strict=True)]
        if not all(0 <= o < s for o, s in zip(offsets, found.steps, strict=True)) or _shape(part) != tuple(extents):
            return False
    return True


def maps_after(found: Interleaving, ops: Sequence[Operation]) -> list[linalg.GenericOp]:
    """Those of some ops, in their order, that are maps of the result, and of what these make; up to the first that is none."""
    values: dict[SSAValue, None] = {found.result: None}
    maps: list[linalg.GenericOp] = []
    for op in ops:
        if not isinstance(op, linalg.GenericOp) or not_an_epilogue(op, found.inserts[-1], values) is not None:
            break
        values.update(dict.fromkeys(op.results))
        maps.append(op)
    return maps


def schedule_interleaving(builder: KernelBuilder, machine: Machine, op: Operation) -> Sequence[Operation] | None:
    """Do the parts that begin with `op`, and maps of the result that come next; the other ops that were done, or None."""
    found = find_interleaving(op) if machine.subgroup == 1 and machine.vector_bytes else None
    if found is None or not all(isinstance(p, BlockArgument) for p in found.parts.values()):
        return None
    later: list[Operation] = []
    after = found.inserts[-1].next_op
    while after is not None:
        later += [after] if is_scheduled(after) and not isinstance(after, linalg.FillOp) else []
        after = after.next_op
    maps = maps_after(found, later)
    ops = [*found.inserts, *maps]
    skipped = [o for o in ops_between(op, ops) if not is_scheduled(o) and builder.pass_through(o)]
    _Phase(builder, found, maps, machine).emit()
    return [*ops, *skipped]


class _Phase:
    """Emits the phase."""

    def __init__(self, builder: KernelBuilder, found: Interleaving, maps: Sequence[linalg.GenericOp], machine: Machine):
        self.builder = builder
        self.em = builder.em
        self.found = found
        self.machine = machine
        self.nests = [builder.nest(op) for op in maps]
        group: list[Operation] = [found.inserts[-1], *maps]
        self.stored = [(op, r) for op in group for r in op.results if any(u.operation not in group for u in r.uses)]
        self.parts = {offsets: builder.value(part) for offsets, part in found.parts.items()}
        element = next(iter(self.parts.values())).type.element_type  # pyright: ignore[reportAttributeAccessIssue]
        self.bytes = byte_width(element)
        lanes = max(1, machine.vector_bytes // self.bytes)
        # Of each part; rows that are not interleaved are copied several vectors at a time.
        self.lanes = lanes if found.steps[-1] > 1 else lanes * machine.unroll
        self.starts: dict[int, Index] = {}
        self.extents: dict[int, Index] = {}

    def emit(self) -> None:
        """Emit the phase."""
        builder, found = self.builder, self.found
        self.em.location = found.inserts[0].location
        homes = [
            builder.destination(found.inserts[0] if result is found.result else op, result)
            for op, result in self.stored
        ]
        cuts = self._cuts()
        made = builder.phase([c.tasks for c in cuts] or [1], homes, lambda ivs, outs: self._task(cuts, ivs, outs))
        for (_, result), home, value in zip(self.stored, homes, made, strict=True):
            builder.define(result, value, builder.home(home))

    def _cuts(self) -> list[Cut]:
        """The dim cut over tasks: the first that is long enough, else the longest."""
        shape, steps = self.found.shape, self.found.steps
        wanted = tasks_for(2 * BYTE * prod(shape) * self.bytes, self.machine)
        units = [*steps[:-1], steps[-1] * self.lanes]
        pieces = [-(-n // u) for n, u in zip(shape, units, strict=True)]
        dim = next((d for d, n in enumerate(pieces) if n >= wanted), pieces.index(max(pieces)))
        cut = cut_dim(dim, shape[dim], -(-pieces[dim] // min(wanted, pieces[dim])) * units[dim])
        return [cut] if cut.tasks > 1 else []

    def _task(self, cuts: Sequence[Cut], ivs: Sequence[Index], outs: Sequence[SSAValue]) -> Sequence[Slice]:
        shape = self.found.shape
        self.starts, self.extents = {}, dict(enumerate(shape))
        for cut, iv in zip(cuts, ivs, strict=False):
            part = part_of(self.em, cut, shape[cut.dim], iv)
            self.starts[cut.dim], self.extents[cut.dim] = part.start, part.extent
        offsets = [self.starts.get(d, 0) for d in range(len(shape))]
        sizes = [self.extents[d] for d in range(len(shape))]
        slices = [self.builder.slice_of(out, offsets, sizes) for out in outs]
        made = self._rows([], [], slices)
        return [(value, offsets, sizes) for value in made]

    def _rows(self, local: list[Index], offsets: list[int], outs: Sequence[SSAValue]) -> Sequence[SSAValue]:
        """Loops over all dims but the last, in steps; `local` counts from the task's start, `offsets` tell the part."""
        dim, (shape, steps) = len(local), (self.found.shape, self.found.steps)
        step = steps[dim]
        if dim == len(shape) - 1:
            unit = step * self.lanes
            return tiled_loop(
                self.em,
                self.extents[dim],
                shape[dim] % unit,
                unit,
                outs,
                lambda j, width, args: self._vector([*local, j], offsets, width, args),
            )

        def rows(i: Index, count: int, args: Sequence[SSAValue]) -> Sequence[SSAValue]:
            for p in range(count):
                args = self._rows([*local, self._sum(i, p)], [*offsets, p], args)
            return args

        return tiled_loop(self.em, self.extents[dim], shape[dim] % step, step, outs, rows)

    def _vector(
        self, local: list[Index], offsets: list[int], width: int, outs: Sequence[SSAValue]
    ) -> Sequence[SSAValue]:
        """So many elements of a row: of each part some, shuffled into each other, and maps of that."""
        em, found, step = self.em, self.found, self.found.steps[-1]
        index = [self._sum(self.starts.get(d, 0), i) for d, i in enumerate(local)]
        steps = [em.apply(AffineExpr.dimension(0) // s, [i]) for i, s in zip(index, found.steps, strict=True)]
        lanes = self.lanes

        def part(p: int) -> SSAValue:
            count = -(-(width - p) // step)
            if count < 1:
                return part(0)
            mask = None if count == lanes else em.constant_mask([count], [lanes])
            return transfer_read(em, self.parts[(*offsets, p)], steps, [lanes], mask)

        value = self._together([part(p) for p in range(step)])
        mask = None if width == step * lanes else em.constant_mask([width], [step * lanes])
        values = {found.result: value}
        along = lanes_along(len(index) - 1, step * lanes, mask, picks=True)
        point = Point(index, along)
        evaluate_on_tile(em, self.nests, self.builder.resolve, values, point, lambda access: read(em, access, point))
        em.location = found.inserts[0].location
        ahead = self.machine.prefetch if mask is None else 0
        return [
            transfer_write(em, values[result], out, local, mask, ahead)
            for (_, result), out in zip(self.stored, outs, strict=True)
        ]

    def _together(self, parts: Sequence[SSAValue]) -> SSAValue:
        """The lanes of up to four vectors, one of each in turn."""
        em, lanes, count = self.em, self.lanes, len(parts)
        if count == 1:
            return parts[0]
        if count == 2:
            return shuffled(em, parts[0], parts[1], [lane + p * lanes for lane in range(lanes) for p in range(2)])
        every = list(range(2 * lanes))
        low, high = shuffled(em, parts[0], parts[1], every), shuffled(em, parts[2], parts[-1], every)
        return shuffled(em, low, high, [lane + p * lanes for lane in range(lanes) for p in range(count)])

    def _sum(self, x: Index, y: Index) -> Index:
        return self.em.apply(AffineExpr.dimension(0) + AffineExpr.dimension(1), [x, y])


def _shape(value: SSAValue) -> tuple[int, ...]:
    assert isinstance(value.type, TensorType)
    return value.type.get_shape()


__all__ = ["Interleaving", "find_interleaving", "maps_after", "schedule_interleaving"]
