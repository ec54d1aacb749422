"""Which stream of numbers a `stablehlo.rng` draws: the specification leaves it open, we take the op's position in the module."""

from __future__ import annotations

from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import Operation

from stepwell.dialects.stablehlo.other import RngOp

STREAM_ATTRIBUTE = "stepwell.stream"
"""A discardable integer attribute of a `stablehlo.rng`: its stream, instead of its position."""

STREAM_TAG = 0x53574C4C
"""The other key word of every stream: none of them is one that a small seed of Threefry's users gives."""


def stream_numbers(root: Operation) -> dict[Operation, int]:
    """The stream of every `stablehlo.rng` below `root`, in walk order: what it says of itself, else its position."""
    streams: dict[Operation, int] = {}
    for op in root.walk():
        if isinstance(op, RngOp):
            chosen = op.attributes.get(STREAM_ATTRIBUTE)
            streams[op] = chosen.value.data & 0xFFFFFFFF if isinstance(chosen, IntegerAttr) else len(streams)
    return streams


def stream_of(op: RngOp) -> int:
    """The stream of one op."""
    root: Operation = op
    while (parent := root.parent_op()) is not None:
        root = parent
    return stream_numbers(root)[op]


__all__ = ["STREAM_ATTRIBUTE", "STREAM_TAG", "stream_numbers", "stream_of"]
