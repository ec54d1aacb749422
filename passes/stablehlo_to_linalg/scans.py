"""reduce_window: where its windows grow by an element from one to the next, a `structured.scan`, else windows and a reduction.

A window as long as the dimension, padded on one side by its length less one, is what running sums, products and maxima are
written as: window i holds the padding and the elements up to i (or from i on). The padding is the initial value, so that the
reduction of window i starts from several of them; that is a scan from one where f(init, init) = init.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from xdsl.dialects import arith
from xdsl.dialects.builtin import FloatAttr, IntegerAttr, TensorType, f32
from xdsl.ir import Block, Operation, Region, SSAValue

from stepwell.dialects import stablehlo, structured
from stepwell.ir.dtypes import numpy_dtype
from stepwell.ir.interpreter import Interpreter
from stepwell.ir.machine import machine_of
from stepwell.passes.stablehlo_to_linalg.lowering import Lowering, Rule, Splat, dim, element_of, ints, shape_of
from stepwell.passes.stablehlo_to_linalg.reductions import reduce_window
from stepwell.passes.stablehlo_to_linalg.regions import scalar_region
from stepwell.passes.stablehlo_to_linalg.scalars import element_type, is_small_float

LINES = 16
"""Lines along one dim that are enough to be shared out."""


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


def _absorbs(op: stablehlo.ReduceWindowOp, inits: Sequence[Splat | None]) -> bool:
    """Whether f(init, init) is init, to the bit: by what is known of single ops, else by doing it."""
    values = [v for v in inits if v is not None]
    if len(values) != len(inits):
        return False
    combiner = stablehlo.sole_combiner(op.regions[0])
    if combiner in (stablehlo.MaximumOp, stablehlo.MinimumOp, stablehlo.AndOp, stablehlo.OrOp):
        return True
    if combiner is stablehlo.AddOp:
        return values[0].value.data == 0
    if combiner is stablehlo.MultiplyOp:
        return values[0].value.data in (0, 1)
    return _evaluates_to_itself(op, values)


def _evaluates_to_itself(op: stablehlo.ReduceWindowOp, inits: Sequence[Splat]) -> bool:
    """Whether a region of several ops has f(init, init) = init."""
    from stepwell.dialects.interp.stablehlo import RULES  # only programs with such regions pay for them

    if any(inner.name not in RULES for inner in op.regions[0].block.ops):
        return False
    kinds = [numpy_dtype(element_type(v)) for v in op.init_values]
    numbers = [np.asarray(v.value.data).astype(kind) for v, kind in zip(inits, kinds, strict=True)]
    with np.errstate(all="ignore"):
        results = Interpreter(op, RULES).run_block(op.regions[0].block, (*numbers, *numbers))
    return all(np.asarray(r).tobytes() == n.tobytes() for r, n in zip(results, numbers, strict=True))


def window(low: Lowering, op: stablehlo.ReduceWindowOp) -> Sequence[SSAValue]:
    """A scan where the machine has one and the windows are those of one, else a reduction of windows."""
    shape = shape_of(low.get(op.inputs[0]))
    found = scanned_dimension(op, shape) if 0 not in shape else None
    inits = [low.splat_of(v) for v in op.init_values]
    if found is None or machine_of(op).subgroup > 1 or not _absorbs(op, inits):
        return reduce_window(low, op)
    axis, reverse = found
    combiner = stablehlo.sole_combiner(op.regions[0])
    values = [low.get(v) for v in op.inputs]
    value, small = values[0], element_of(values[0])
    if not is_small_float(small) or combiner not in (stablehlo.AddOp, stablehlo.MultiplyOp):
        first = [low.get(v) for v in op.init_values]
        return _scan(low, values, first, axis, reverse, scalar_region(low, op.regions[0]))
    # As every sum of small floats: in f32, rounded once.
    identity = [dim(i) for i in range(len(shape))]
    wide = low.map([(value, identity)], TensorType(f32, shape), lambda s, args: [s.extend_float(args[0], f32)])
    assert isinstance(inits[0], FloatAttr | IntegerAttr)
    init = low.fill(FloatAttr(inits[0].value.data, f32), ())
    combined = arith.AddfOp if combiner is stablehlo.AddOp else arith.MulfOp
    (total,) = _scan(low, [wide], [init], axis, reverse, _wide_region(low, combined))
    return [low.map([(total, identity)], TensorType(small, shape), lambda s, args: [s(arith.TruncFOp, args[0], small)])]


def _wide_region(low: Lowering, combiner: type[arith.AddfOp | arith.MulfOp]) -> Region:
    block = Block(arg_types=[f32, f32])
    with low.inside(block):
        result = low.builder.insert(combiner(block.args[0], block.args[1])).result
        low.builder.insert(structured.YieldOp(result))
    return Region(block)


def _scan(
    low: Lowering, values: Sequence[SSAValue], inits: Sequence[SSAValue], axis: int, reverse: bool, region: Region
) -> list[SSAValue]:
    """A `structured.scan` of what is before the dimension, the dimension, and what is after it, as a dim each.

    Lines of the last dimension stay as they are where one dim has lines enough for all tasks: so maps meet the scan.
    """
    shape = shape_of(values[0])
    before, after = prod(shape[:axis]), prod(shape[axis + 1 :])
    if axis == len(shape) - 1 and max(shape[:axis], default=1) >= LINES:
        targets = [low.empty(shape, element_of(v)) for v in values]
        return list(
            low.builder.insert(structured.ScanOp(values, inits, targets, axis, region, reverse=reverse)).results
        )
    sizes = [n for n, kept in ((before, before > 1), (shape[axis], True), (after, after > 1)) if kept]
    groups = _groups(len(shape), axis, before > 1, after > 1)
    flat = [low.collapse(v, groups, sizes) for v in values]
    targets = [low.empty(sizes, element_of(v)) for v in values]
    scan = structured.ScanOp(flat, inits, targets, int(before > 1), region, reverse=reverse)
    return [low.expand(r, groups, shape) for r in low.builder.insert(scan).results]


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
