"""select_and_scatter on complex numbers: it has one operand, so the choice of each window travels as an index.

A windowed reduction over (parts, index) finds which element each window selects; a scatter then adds the source there.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.dialects.builtin import IntegerType, TensorType
from xdsl.ir import Region, SSAValue

from stepwell.dialects import stablehlo
from stepwell.dialects.stablehlo import ScatterDimensionNumbers
from stepwell.passes.complex_numbers.splitter import Pair, Splitter
from stepwell.passes.hlo import Hlo, element_of, shape_of


def select_and_scatter(splitter: Splitter, h: Hlo, op: stablehlo.SelectAndScatterOp) -> Sequence[SSAValue | Pair]:
    """Indices of what the windows select, then a scatter into the init value."""
    shape = shape_of(op.operand)
    chosen = _selected(splitter, h, op)
    init = [h.broadcast(part, shape, []) for part in splitter.pair(op.init_value)]
    numbers = ScatterDimensionNumbers(
        inserted_window_dims=tuple(range(len(shape))),
        scatter_dims_to_operand_dims=tuple(range(len(shape))),
        index_vector_dim=len(shape),
    )
    scatter = stablehlo.ScatterOp(
        init, _coordinates(h, chosen, shape), splitter.pair(op.source), numbers, splitter.take_region(op.scatter)
    )
    scatter.attributes.update(op.attributes)
    re, im = h.builder.insert(scatter).results
    return [(re, im)]


def _selected(splitter: Splitter, h: Hlo, op: stablehlo.SelectAndScatterOp) -> SSAValue:
    """For each window the row-major index of the element it selects; -1 where it holds nothing but padding."""
    re, im = splitter.pair(op.operand)
    shape, element = shape_of(re), element_of(re)
    index = IntegerType(32 if prod(shape) < 1 << 31 else 64)
    places = h.reshape(h.iota(0, [prod(shape)], index), shape)
    select = splitter.take_region(op.select)

    def body(*args: SSAValue) -> list[SSAValue]:
        best, candidate = args[:3], args[3:]
        kept = _inline(h, select, [*best[:2], *candidate[:2]])
        # Padding never wins, and anything does against it: -1 on either side.
        kept = h.logical_and(h.ge(best[2], 0), h.logical_or(h.lt(candidate[2], 0), kept))
        return [h.select(kept, a, b) for a, b in zip(best, candidate, strict=True)]

    scalars = [TensorType(kind, []) for kind in (element, element, index)]
    inits = [h.scalar(0.0, element), h.scalar(0.0, element), h.scalar(-1, index)]
    window = stablehlo.ReduceWindowOp(
        [re, im, places],
        inits,
        op.window,
        h.region(scalars * 2, body),
        strides=op.strides,
        padding=op.pads,
    )
    return h.builder.insert(window).results[2]


def _inline(h: Hlo, region: Region, args: Sequence[SSAValue]) -> SSAValue:
    """Move the ops of a region here; returns the one value it returns."""
    block = region.block
    for old, new in zip(block.args, args, strict=True):
        old.replace_all_uses_with(new)
    result: SSAValue | None = None
    for inner in list(block.ops):
        inner.detach()
        if isinstance(inner, stablehlo.ReturnOp):
            (result,) = inner.operands
            inner.erase()
        else:
            h.builder.insert(inner)
    assert result is not None
    return result


def _coordinates(h: Hlo, index: SSAValue, shape: Sequence[int]) -> SSAValue:
    """Index vectors, in a new last dim, from row-major indices; a negative index stays outside."""
    outside = h.lt(index, 0)
    columns: list[SSAValue] = []
    for i, extent in enumerate(shape):
        stride = prod(shape[i + 1 :])
        column = h.binary("remainder", h.div(index, stride), max(extent, 1))
        columns.append(h.select(outside, -1, column))
    return h.stack(columns)
