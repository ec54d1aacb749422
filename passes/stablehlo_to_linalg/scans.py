"""reduce_window: where its windows grow by an element from one to the next, a `structured.scan`, else windows and a reduction.

A window as long as the dimension, padded on one side by its length less one, is what running sums, products and maxima are
written as: window i holds the padding and the elements up to i (or from i on). The padding is the initial value, so that the
reduction of window i starts from several of them; that is a scan from one where f(init, init) = init.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.dialects import arith
from xdsl.dialects.builtin import FloatAttr, IntegerAttr, TensorType, f32
from xdsl.ir import Block, Operation, Region, SSAValue

from stepwell.dialects import stablehlo, structured
from stepwell.ir.machine import machine_of
from stepwell.passes.stablehlo_to_linalg.lowering import Lowering, Rule, Splat, dim, element_of, ints, shape_of
from stepwell.passes.stablehlo_to_linalg.reductions import reduce_window
from stepwell.passes.stablehlo_to_linalg.regions import scalar_region
from stepwell.passes.stablehlo_to_linalg.scalars import is_small_float


def scanned_dimension(op: stablehlo.ReduceWindowOp, shape: Sequence[int]) -> tuple[int, bool] | None:
    """The dimension along which a reduce_window is a scan, and whether it runs from the end; None where it is none."""
    window, edges = ints(op.window_dimensions), op.pads
    moved = [d for d, n in enumerate(window) if n != 1]
    if len(moved) != 1 or any(n != 1 for n in (*op.strides, *op.window_dilation, *op.base_dilation)):
        return None
    (axis,) = moved
    if window[axis] != shape[axis] or any(tuple(p) != (0, 0) for d, p in enumerate(edges) if d != axis):
        return None
    length = shape[axis]
    if tuple(edges[axis]) == (length - 1, 0):
        return axis, False
    return (axis, True) if tuple(edges[axis]) == (0, length - 1) else None


def _absorbs(region: Region, inits: Sequence[Splat | None]) -> bool:
    """Whether f(init, init) is init, to the bit, by what is known of single ops."""
    combiner = stablehlo.sole_combiner(region)
    if combiner is None or len(inits) != 1 or inits[0] is None:
        return False
    if combiner in (stablehlo.MaximumOp, stablehlo.MinimumOp, stablehlo.AndOp, stablehlo.OrOp):
        return True
    value = inits[0].value.data
    if combiner is stablehlo.AddOp:
        return value == 0
    return combiner is stablehlo.MultiplyOp and value in (0, 1)


def window(low: Lowering, op: stablehlo.ReduceWindowOp) -> Sequence[SSAValue]:
    """A scan where the machine has one and the windows are those of one, else a reduction of windows."""
    shape = shape_of(low.get(op.inputs[0]))
    found = scanned_dimension(op, shape) if 0 not in shape else None
    inits = [low.splat_of(v) for v in op.init_values]
    if found is None or machine_of(op).subgroup > 1 or not _absorbs(op.regions[0], inits):
        return reduce_window(low, op)
    axis, reverse = found
    value = low.get(op.inputs[0])
    small = element_of(value)
    combiner = stablehlo.sole_combiner(op.regions[0])
    if not is_small_float(small) or combiner not in (stablehlo.AddOp, stablehlo.MultiplyOp):
        return [_scan(low, value, low.get(op.init_values[0]), axis, reverse, scalar_region(low, op.regions[0]))]
    # As every sum of small floats: in f32, rounded once.
    identity = [dim(i) for i in range(len(shape))]
    wide = low.map([(value, identity)], TensorType(f32, shape), lambda s, args: [s.extend_float(args[0], f32)])
    assert isinstance(inits[0], FloatAttr | IntegerAttr)
    init = low.fill(FloatAttr(inits[0].value.data, f32), ())
    combined = arith.AddfOp if combiner is stablehlo.AddOp else arith.MulfOp
    total = _scan(low, wide, init, axis, reverse, _wide_region(low, combined))
    return [low.map([(total, identity)], TensorType(small, shape), lambda s, args: [s(arith.TruncFOp, args[0], small)])]


def _wide_region(low: Lowering, combiner: type[arith.AddfOp | arith.MulfOp]) -> Region:
    block = Block(arg_types=[f32, f32])
    with low.inside(block):
        result = low.builder.insert(combiner(block.args[0], block.args[1])).result
        low.builder.insert(structured.YieldOp(result))
    return Region(block)


def _scan(low: Lowering, value: SSAValue, init: SSAValue, axis: int, reverse: bool, region: Region) -> SSAValue:
    """A `structured.scan` of what is before the dimension, the dimension, and what is after it, as a dim each."""
    shape = shape_of(value)
    sides = [list(range(axis)), list(range(axis + 1, len(shape)))]
    before, after = (prod(shape[d] for d in side) for side in sides)
    sizes = [n for n, kept in ((before, before > 1), (shape[axis], True), (after, after > 1)) if kept]
    groups = _groups(len(shape), axis, before > 1, after > 1)
    flat = low.collapse(value, groups, sizes)
    target = low.empty(sizes, element_of(value))
    where = 1 if before > 1 else 0
    scan = structured.ScanOp([flat], [init], [target], where, region, reverse=reverse)
    return low.expand(low.builder.insert(scan).results[0], groups, shape)


def _groups(rank: int, axis: int, before: bool, after: bool) -> list[list[int]]:
    """The dims that become one: those in front of the axis and behind it, unit dims with a neighbour."""
    first = list(range(axis + 1)) if not before else list(range(axis))
    groups = [first] if not before else [first, [axis]]
    rest = list(range(axis + 1, rank))
    if not rest:
        return groups
    return [*groups, rest] if after else [*groups[:-1], [*groups[-1], *rest]]


RULES: dict[type[Operation], Rule] = {stablehlo.ReduceWindowOp: window}

__all__ = ["RULES", "scanned_dimension", "window"]
