"""Where the buffers of a GPU program's host function are: views at static offsets, and what copying between two of them takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from xdsl.dialects import affine, memref
from xdsl.dialects.builtin import DYNAMIC_INDEX, DenseArrayBase, IntegerType, MemRefType
from xdsl.ir import Operation, SSAValue

from stepwell.dialects.canonicalize.constants import constant_of, int_of
from stepwell.ir.diagnostics import invalid, unsupported
from stepwell.ir.dtypes import byte_width
from stepwell.runtime.cuda.program import Buffer, Copy, Fill, Operand, Space

MOST_COPIES = 4096
"""Driver calls that one copy of memory in more than two strided dimensions may become."""


@dataclass(frozen=True)
class View:
    """A memref of the host function: where it starts, its shape, its strides in bytes."""

    buffer: Buffer
    space: Space
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    width: int
    """Bytes of an element."""

    def moved(self, offset: int) -> View:
        """The same, `offset` bytes further on."""
        return replace(self, buffer=replace(self.buffer, offset=self.buffer.offset + offset))

    @property
    def dense(self) -> bool:
        """Whether its elements follow each other."""
        return not rows([(n, s, s) for n, s in zip(self.shape, self.strides, strict=True)], self.width)[1]


def constant_index(op: Operation, value: SSAValue, what: str) -> int:
    """The value of a constant.

    Raises:
        UnsupportedError: it is known at run time only.
    """
    found = int_of(constant_of(value))
    if found is None:
        raise unsupported(op, f"{what} is not a constant")
    return found


def typed_view(op: Operation, kind: object, buffer: Buffer, space: Space) -> View:
    """The view of a memref type at an address; a `?` in front counts as no element."""
    assert isinstance(kind, MemRefType)
    strides = kind.get_strides()
    if strides is None or any(s is None for s in strides):
        raise unsupported(op, f"the layout of {kind} is known at run time only")
    width = byte_width(kind.element_type)
    shape = tuple(0 if n == DYNAMIC_INDEX else n for n in kind.get_shape())
    return View(buffer, space, shape, tuple([s * width for s in strides if s is not None]), width)


def static_values(op: Operation, attribute: DenseArrayBase[IntegerType]) -> tuple[int, ...]:
    """The numbers of a list that may have run-time entries.

    Raises:
        UnsupportedError: it has.
    """
    values = tuple([int(v) for v in attribute.get_values()])
    if DYNAMIC_INDEX in values:
        raise unsupported(op, "an offset, size or stride is not a constant")
    return values


def derived(op: Operation, source: View) -> View:
    """What a `memref` op that makes a view of `source` gives.

    Raises:
        UnsupportedError: an offset or layout is known at run time only.
        InvalidProgramError: it is outside of a buffer of known size.
    """
    result = typed_view(op, op.results[0].type, source.buffer, source.space)
    match op:
        case memref.ViewOp():
            offset = constant_index(op, op.byte_shift, "the offset")
            end = offset + extent(result)
            if source.shape[0] and end > source.shape[0]:
                raise invalid(op, f"bytes {offset} to {end} of a buffer of {source.shape[0]} bytes")
            return result.moved(offset)
        case memref.SubviewOp():
            offsets, sizes = static_values(op, op.static_offsets), static_values(op, op.static_sizes)
            steps = static_values(op, op.static_strides)
            for at, n, step, size in zip(offsets, sizes, steps, source.shape, strict=True):
                if n and at + (n - 1) * step >= size:
                    raise invalid(op, f"element {at + (n - 1) * step} of a dimension of {size}")
            return result.moved(sum(at * s for at, s in zip(offsets, source.strides, strict=True)))
        case memref.ReinterpretCastOp():
            (offset,) = static_values(op, op.static_offsets)
            return result.moved(offset * result.width)
        case _:
            return result


def extent(view: View) -> int:
    """Bytes from the first element to the end of the last."""
    if 0 in view.shape:
        return 0
    return sum((n - 1) * s for n, s in zip(view.shape, view.strides, strict=True)) + view.width


def element(op: Operation, view: View, indices: tuple[SSAValue, ...]) -> Buffer:
    """The address of one element.

    Raises:
        UnsupportedError: an index is known at run time only.
        InvalidProgramError: it is out of bounds.
    """
    where = tuple([constant_index(op, i, "an index") for i in indices])
    if isinstance(op, affine.LoadOp | affine.StoreOp):
        where = tuple(op.map.data.eval(where[: op.map.data.num_dims], where[op.map.data.num_dims :]))
    for i, size in zip(where, view.shape, strict=True):
        if not 0 <= i < size:
            raise invalid(op, f"index {i} is out of bounds for size {size}")
    return view.moved(sum(i * s for i, s in zip(where, view.strides, strict=True))).buffer


Dimension = tuple[int, int, int]
"""Size, then bytes from one to the next on both sides of a copy."""


def rows(dimensions: list[Dimension], width: int) -> tuple[int, list[Dimension]]:
    """(bytes that follow each other on both sides, the dimensions outside of them, neighbours joined where they can be)."""
    left = [d for d in dimensions if d[0] != 1]
    while left and left[-1][1] == width == left[-1][2]:
        width *= left.pop()[0]
    joined: list[Dimension] = []
    for size, target, source in left:
        if joined and joined[-1][1] == target * size and joined[-1][2] == source * size:
            joined[-1] = (joined[-1][0] * size, target, source)
        else:
            joined.append((size, target, source))
    return width, joined


def copies(op: Operation, target: View, source: View) -> Iterator[Copy]:
    """The copies of rows that copy one view to another of its shape.

    Raises:
        UnsupportedError: they would be very many.
    """
    if target.shape != source.shape or target.width != source.width:
        raise invalid(op, f"memory of shape {list(source.shape)} cannot be copied to {list(target.shape)}")
    if 0 in target.shape:
        return
    width, outer = rows(list(zip(target.shape, target.strides, source.strides, strict=True)), target.width)
    if not outer:
        yield Copy(target.buffer, source.buffer, width)
        return
    *outer, (height, target_pitch, source_pitch) = outer
    for ahead, behind in _starts(op, outer, "its layouts differ in so many dimensions that it is {} copies of rows"):
        pair = target.moved(ahead).buffer, source.moved(behind).buffer
        yield Copy(*pair, width, height, target_pitch, source_pitch)


def fills(op: Operation, target: View, value: Operand) -> Iterator[Fill]:
    """The fills of rows that store a scalar everywhere in a view.

    Raises:
        UnsupportedError: they would be very many.
    """
    if 0 in target.shape:
        return
    width, outer = rows([(n, s, s) for n, s in zip(target.shape, target.strides, strict=True)], target.width)
    width //= target.width
    if not outer:
        yield Fill(value, target.buffer, target.width, width)
        return
    *outer, (height, pitch, _) = outer
    for ahead, _ in _starts(op, outer, "its layout has so many dimensions that it is {} fills of rows"):
        yield Fill(value, target.moved(ahead).buffer, target.width, width, height, pitch)


def _starts(op: Operation, outer: list[Dimension], too_many: str) -> Iterator[tuple[int, int]]:
    """How far from the first each piece is, on both sides."""
    count = prod(size for size, _, _ in outer)
    if count > MOST_COPIES:
        raise unsupported(op, too_many.format(count))
    for at in product(*[range(size) for size, _, _ in outer]):
        ahead = sum(i * d[1] for i, d in zip(at, outer, strict=True))
        yield ahead, sum(i * d[2] for i, d in zip(at, outer, strict=True))
