"""The rule of every op on complex numbers: what stands for it on pairs of real tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import ComplexType, DenseIntOrFPElementsAttr, TensorType
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from stepwell.dialects import stablehlo
from stepwell.dialects.stablehlo.reductions import combiner_region
from stepwell.ir.dense import array_to_dense, dense_to_array
from stepwell.ir.diagnostics import unsupported
from stepwell.passes.complex_numbers import arithmetic
from stepwell.passes.complex_numbers.functions import FUNCTIONS
from stepwell.passes.complex_numbers.reals import Reals
from stepwell.passes.complex_numbers.selection import select_and_scatter
from stepwell.passes.complex_numbers.splitter import (
    Pair,
    Rule,
    Splitter,
    expanded,
    interleaved_type,
    is_complex,
    part_type,
)
from stepwell.passes.hlo import Hlo, element_of, shape_of

Results = Sequence[SSAValue | Pair]


def _part(element: Attribute) -> Attribute:
    return element.element_type if isinstance(element, ComplexType) else element


# Each part by itself.


def _partwise(splitter: Splitter, h: Hlo, op: Operation) -> Results:
    """An op that moves elements, or adds them: once for each part."""
    types = [part_type(r.type) for r in op.results]
    re, im = (splitter.clone(h, op, [splitter.part(o, i) for o in op.operands], types)[0] for i in range(2))
    return [(re, im)]


def _forwards_update(region: Region) -> bool:
    """Whether a region returns its second argument: an assignment."""
    block = region.block
    last = block.last_op
    return last is block.first_op and last is not None and list(last.operands) == [block.args[1]]


def _assignment(element: Attribute) -> Region:
    block = Block(arg_types=[TensorType(element, [])] * 2)
    block.add_op(stablehlo.ReturnOp(block.args[1]))
    return Region(block)


def _separable(splitter: Splitter, h: Hlo, op: Operation) -> Results:
    """A reduction or scatter: sums and assignments once for each part, any other region on pairs."""
    region = op.regions[0]
    if len(op.results) == 1 and stablehlo.sole_combiner(region) is stablehlo.AddOp:

        def combine(element: Attribute) -> Region:
            return combiner_region(stablehlo.AddOp, TensorType(element, []))

    elif len(op.results) == 1 and _forwards_update(region):
        combine = _assignment
    else:
        return splitter.expanded_clone(h, op)
    element = _part(element_of(region.block.args[0]))
    types = [part_type(r.type) for r in op.results]
    re, im = (
        splitter.clone(h, op, [splitter.part(o, i) for o in op.operands], types, [combine(element)])[0]
        for i in range(2)
    )
    return [(re, im)]


# Both parts.


def _function(splitter: Splitter, h: Hlo, op: Operation) -> Results:
    """A function of the table."""
    result = FUNCTIONS[type(op)](*splitter.numbers(Reals(h), op.operands))
    return [(result.re.value, result.im.value)]


def _absolute(splitter: Splitter, h: Hlo, op: Operation) -> Results:
    (number,) = splitter.numbers(Reals(h), op.operands)
    return [arithmetic.absolute(number).value]


def _compare(splitter: Splitter, h: Hlo, op: stablehlo.CompareOp) -> Results:
    lhs, rhs = splitter.numbers(Reals(h), op.operands)
    return [arithmetic.compare(op.comparison_direction.data.value, lhs, rhs).value]


def _clamp(splitter: Splitter, h: Hlo, op: stablehlo.ClampOp) -> Results:
    shape = shape_of(op.operand)

    def full(value: SSAValue) -> SSAValue:
        return value if shape_of(value) == shape else h.broadcast(value, shape, [])

    reals = Reals(h)
    low, number, high = (
        arithmetic.Complex(*(reals.real(full(part)) for part in splitter.pair(value))) for value in op.operands
    )
    result = arithmetic.smallest(arithmetic.largest(number, low), high)
    return [(result.re.value, result.im.value)]


def _complex(splitter: Splitter, h: Hlo, op: stablehlo.ComplexOp) -> Results:
    del splitter, h
    return [(op.lhs, op.rhs)]


def _real(splitter: Splitter, h: Hlo, op: Operation) -> Results:
    del h
    value = op.operands[0]
    return [splitter.pair(value)[0] if is_complex(value.type) else value]


def _imag(splitter: Splitter, h: Hlo, op: Operation) -> Results:
    value = op.operands[0]
    return [splitter.pair(value)[1] if is_complex(value.type) else h.like(0.0, value)]


def _convert(splitter: Splitter, h: Hlo, op: Operation) -> Results:
    """Of the parts; a real number gets a zero imaginary part, a complex one loses its own."""
    value, element = op.operands[0], element_of(op.results[0])
    re = h.convert(splitter.part(value, 0), _part(element))
    if not is_complex(op.results[0].type):
        return [re]
    im = h.convert(splitter.part(value, 1), _part(element)) if is_complex(value.type) else h.like(0.0, re)
    return [(re, im)]


def _constant(splitter: Splitter, h: Hlo, op: stablehlo.ConstantOp) -> Results:
    del splitter
    if not isinstance(op.value, DenseIntOrFPElementsAttr):
        raise unsupported(op, f"complex constant of kind {type(op.value).__name__}", "write it as dense<...>")
    value = dense_to_array(op.value)
    element = _part(element_of(op.output))
    splat = value.size > 1 and value.strides == (0,) * value.ndim
    re, im = (
        h.broadcast(h.constant(part.reshape(-1)[:1].reshape(()), element), value.shape, [])
        if splat
        else h.insert(stablehlo.ConstantOp(array_to_dense(part, element)))
        for part in (np.real(value), np.imag(value))
    )
    return [(re, im)]


def _iota(splitter: Splitter, h: Hlo, op: stablehlo.IotaOp) -> Results:
    kind = cast("TensorType[Any]", part_type(op.output.type))
    re = splitter.clone(h, op, [], [kind])[0]
    return [(re, h.like(0.0, re))]


def _bitcast_convert(splitter: Splitter, h: Hlo, op: stablehlo.BitcastConvertOp) -> Results:
    """Each part's bits are one element of the last dim: of a wider number, or of the narrower ones."""
    pair, result = splitter.pair(op.operand), cast("TensorType[Any]", part_type(op.result.type))
    shape, element = shape_of(op.operand), result.element_type
    if len(result.get_shape()) == len(shape):
        re, im = pair
    elif len(result.get_shape()) > len(shape):
        kind = TensorType(element, [*shape, 2])
        halves = [h.insert(stablehlo.BitcastConvertOp(part, kind)) for part in pair]
        re, im = (h.stack([h.reshape(h.slice_in_dim(half, i, i + 1, -1), shape) for half in halves]) for i in range(2))
    else:
        whole = [[h.reshape(h.slice_in_dim(part, i, i + 1, -1), shape[:-1]) for part in pair] for i in range(2)]
        re, im = (h.insert(stablehlo.BitcastConvertOp(h.stack(bits), result)) for bits in whole)
    return [(re, im)]


def _bilinear(splitter: Splitter, h: Hlo, op: Operation) -> Results:
    """A contraction or convolution: four real ones (two when an operand is real)."""
    types = [part_type(r.type) for r in op.results]

    def product(i: int, j: int) -> SSAValue:
        return splitter.clone(h, op, [splitter.part(op.operands[0], i), splitter.part(op.operands[1], j)], types)[0]

    left, right = (is_complex(o.type) for o in op.operands)
    if not (left and right):
        return [(product(0, 0), product(int(left), int(right)))]
    re = h.sub(product(0, 0), product(1, 1))
    return [(re, h.add(product(0, 1), product(1, 0)))]


# Regions.


def _expanded(splitter: Splitter, h: Hlo, op: Operation) -> Results:
    return splitter.expanded_clone(h, op)


def _sort(splitter: Splitter, h: Hlo, op: stablehlo.SortOp) -> Results:
    """The comparator takes both elements of each operand side by side: first the real parts, then the imaginary ones."""
    region = splitter.take_region(op.regions[0], group=2)
    types = expanded([r.type for r in op.results])
    return splitter.regroup(op, splitter.clone(h, op, splitter.expand(op.operands), types, [region]))


def _map(splitter: Splitter, h: Hlo, op: stablehlo.MapOp) -> Results:
    """One map for each part of its result."""
    region = splitter.take_region(op.regions[0])
    operands, kind = splitter.expand(op.operands), part_type(op.result.type)
    if not is_complex(op.result.type):
        return [splitter.clone(h, op, operands, [kind], [region])[0]]
    other = region.clone()
    for i, part in enumerate((region, other)):
        last = part.block.last_op
        assert last is not None
        last.operands = [last.operands[i]]
    re, im = (splitter.clone(h, op, operands, [kind], [part])[0] for part in (region, other))
    return [(re, im)]


def _call(splitter: Splitter, h: Hlo, op: func.CallOp) -> Results:
    """A private function takes and returns pairs; the interface of the program, interleaved parts."""
    if op.callee.string_value() not in splitter.interfaces:
        return splitter.expanded_clone(h, op)
    operands = [splitter.joined(h, o) for o in op.operands]
    results = splitter.clone(h, op, operands, [interleaved_type(r.type) for r in op.results])
    return [splitter.cut(h, new) if is_complex(old.type) else new for old, new in zip(op.results, results, strict=True)]


def _return(splitter: Splitter, h: Hlo, op: func.ReturnOp) -> Results:
    """The end of a function, by what it returns to."""
    function = op.parent_op()
    assert isinstance(function, func.FuncOp)
    if function.sym_name.data not in splitter.interfaces:
        return splitter.expanded_clone(h, op)
    return splitter.clone(h, op, [splitter.joined(h, o) for o in op.operands], [])


_PARTWISE = (
    stablehlo.AddOp,
    stablehlo.BroadcastInDimOp,
    stablehlo.BroadcastOp,
    stablehlo.ConcatenateOp,
    stablehlo.DynamicSliceOp,
    stablehlo.DynamicUpdateSliceOp,
    stablehlo.GatherOp,
    stablehlo.NegateOp,
    stablehlo.PadOp,
    stablehlo.ReshapeOp,
    stablehlo.ReverseOp,
    stablehlo.SelectOp,
    stablehlo.SliceOp,
    stablehlo.SubtractOp,
    stablehlo.TransposeOp,
)
_EXPANDED = (
    stablehlo.CaseOp,
    stablehlo.IfOp,
    stablehlo.OptimizationBarrierOp,
    stablehlo.ReturnOp,
    stablehlo.WhileOp,
)

RULES: dict[type[Operation], Rule] = {
    **dict.fromkeys(_PARTWISE, _partwise),
    **dict.fromkeys(FUNCTIONS, _function),
    **dict.fromkeys(_EXPANDED, _expanded),
    func.CallOp: _call,
    func.ReturnOp: _return,
    stablehlo.AbsOp: _absolute,
    stablehlo.BitcastConvertOp: _bitcast_convert,
    stablehlo.ClampOp: _clamp,
    stablehlo.CompareOp: _compare,
    stablehlo.ComplexOp: _complex,
    stablehlo.ConstantOp: _constant,
    stablehlo.ConvertOp: _convert,
    stablehlo.ConvolutionOp: _bilinear,
    stablehlo.DotGeneralOp: _bilinear,
    stablehlo.DotOp: _bilinear,
    stablehlo.ImagOp: _imag,
    stablehlo.IotaOp: _iota,
    stablehlo.MapOp: _map,
    stablehlo.RealOp: _real,
    stablehlo.ReduceOp: _separable,
    stablehlo.ReduceWindowOp: _separable,
    stablehlo.ScatterOp: _separable,
    stablehlo.SelectAndScatterOp: select_and_scatter,
    stablehlo.SortOp: _sort,
}
"""By class; an op without a rule is refused when it touches complex numbers."""
