"""What the functions of `stepwell.numpy` share: broadcasting, axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stepwell.frontends.dtypes import DType
from stepwell.frontends.errors import refuse
from stepwell.frontends.tracer import Tracer, current_trace, emit, promoted, static_int


def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The shape that arrays of these shapes broadcast to."""
    rank = max((len(s) for s in shapes), default=0)
    result = [1] * rank
    for shape in shapes:
        for i, extent in enumerate(shape, rank - len(shape)):
            if extent != 1 and result[i] not in (1, extent):
                shown = " and ".join(str(tuple(s)) for s in shapes)
                hint = "dims are matched from the last one; insert dims with x[:, None] or reshape"
                raise refuse(f"the shapes {shown} do not broadcast together", hint)
            result[i] = extent if extent != 1 else result[i]
    return tuple(result)


def broadcast(operand: Tracer, shape: Sequence[int]) -> Tracer:
    """`operand` repeated to `shape`, dims matched from the last one."""
    if operand.shape == tuple(shape):
        return operand
    if broadcast_shapes(operand.shape, shape) != tuple(shape):
        raise refuse(f"an array of shape {operand.shape} cannot be broadcast to {tuple(shape)}")
    offset = len(shape) - len(operand.shape)
    dims = range(offset, len(shape))
    return emit("broadcast_in_dim", operand, tuple(shape), tuple(dims), weak=operand.weak)


def aligned(*operands: Any, at_least: Callable[[DType], DType] | None = None) -> tuple[list[Tracer], DType, bool]:
    """The operands promoted and broadcast to each other."""
    tracers, dtype, weak = promoted(*operands, at_least=at_least)
    shape = broadcast_shapes(*[t.shape for t in tracers])
    return [broadcast(t, shape) for t in tracers], dtype, weak


def scalar_like(value: float, operand: Tracer) -> Tracer:
    """A number as an array of `operand`'s dtype and shape."""
    return broadcast(current_trace().lift(value, operand.dtype), operand.shape)


def one_axis(axis: Any, rank: int) -> int:
    """An axis of an array of `rank` dims, not negative."""
    position = static_int(axis, "an axis")
    if not -rank <= position < rank:
        raise refuse(f"axis {position} is out of bounds for an array of {rank} dims")
    return position % rank


def axes(axis: Any, rank: int) -> tuple[int, ...]:
    """One axis, several or (None) all, sorted."""
    if axis is None:
        return tuple(range(rank))
    chosen = [one_axis(a, rank) for a in (axis if isinstance(axis, tuple | list) else (axis,))]
    if len({*chosen}) != len(chosen):
        raise refuse(f"axis {axis} names a dim twice")
    return tuple(sorted(chosen))


def shape_tuple(shape: Any) -> tuple[int, ...]:
    """A shape given as an integer or a sequence of them."""
    extents = shape if isinstance(shape, tuple | list) else (shape,)
    return tuple(static_int(e, "an extent of a shape") for e in extents)


def extents(shape: Any) -> tuple[int, ...]:
    """The shape of a new array: a `shape_tuple` without negative numbers."""
    result = shape_tuple(shape)
    if any(extent < 0 for extent in result):
        raise refuse(f"an array of shape {result} cannot be: extents are not negative")
    return result


def lifted(operand: Any) -> Tracer:
    """`operand` as a tracer of the current trace."""
    return current_trace().lift(operand)
