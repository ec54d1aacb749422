"""The weights of one vector of a window, copied next to each other: they are read for every tile, and stay in the L1 cache."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import kernel
from stepwell.passes.schedules.emit import Index
from stepwell.passes.schedules.kernel_builder import KernelBuilder
from stepwell.passes.schedules.lanes import Lanes, Point, broadcast, read, transfer_write
from stepwell.passes.schedules.nest import Access


def copied_weights(
    builder: KernelBuilder, weights: Access, dims: Sequence[tuple[int, int]], start: Index, lanes: Lanes
) -> Access:
    """The weights at all points of some dims (with their extents), for lanes from `start` on, as `[dims..][lane]` in scratch."""
    em = builder.em
    kind = TensorType(weights.element, [*(extent for _, extent in dims), lanes.width])
    count = 1 + max(lanes.dim, *(d for d, _ in dims))

    def over(at: list[Index], out: SSAValue) -> SSAValue:
        if len(at) < len(dims):
            return em.loop(0, dims[len(at)][1], 1, [out], lambda i, args: [over([*at, i], args[0])])[0]
        index: list[Index] = [0] * count
        index[lanes.dim] = start
        for (d, _), i in zip(dims, at, strict=True):
            index[d] = i
        value = broadcast(em, read(em, weights, Point(index, lanes)), lanes.width)
        return transfer_write(em, value, out, [*at, 0])

    target = over([], builder.scratch(kind, kernel.ScratchScope.WORKER))
    first = AffineExpr.constant(start) if isinstance(start, int) else AffineExpr.symbol(0)
    exprs = (*(AffineExpr.dimension(d) for d, _ in dims), AffineExpr.dimension(lanes.dim) - first)
    return Access(target, exprs, () if isinstance(start, int) else (start,))


__all__ = ["copied_weights"]
