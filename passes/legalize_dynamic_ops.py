"""legalize-dynamic-ops: express dynamic ops whose operand and result types are static by static ones.

Before:
```mlir
%r = stablehlo.dynamic_pad %x, %v, %low, %high, %interior : (tensor<5xf32>, tensor<f32>, tensor<1xi32>, ...) -> tensor<9xf32>
```
After:
```mlir
// position o of the result is element (o - low) / (interior + 1), where that is one, else the padding
%taken = "stablehlo.gather"(%x, %clamped) ... : (tensor<5xf32>, tensor<9x1xi64>) -> tensor<9xf32>
%r = stablehlo.select %inside, %taken, %padding : tensor<9xi1>, tensor<9xf32>
```
Sizes come from constants, else from the result's type: a program whose sizes do not fit the types it states has no meaning,
and the interpreter reports it. Paddings and starts that are values become index arithmetic. Keeps: everything else.
Fails: `UnsupportedError` for an op with a `?` (`refine-shapes` takes those).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from xdsl.context import Context
from xdsl.dialects.builtin import TensorType, i64
from xdsl.ir import Operation, SSAValue

from stepwell.dialects import stablehlo
from stepwell.dialects.stablehlo import GatherDimensionNumbers
from stepwell.dialects.stablehlo.base import types_compatible
from stepwell.dialects.stablehlo.dynamic import known_values
from stepwell.dialects.stablehlo.static_forms import DYNAMIC_OPS, static_conv, static_form
from stepwell.ir.diagnostics import invalid, unsupported
from stepwell.ir.passes import Pass
from stepwell.ir.shapes import ShapeError, dilate
from stepwell.passes.hlo import Hlo, element_of, replace, shape_of


def take(h: Hlo, x: SSAValue, positions: SSAValue, dimension: int) -> SSAValue:
    """The slices of `x` at 1-d positions along a dim that has elements; positions outside count as the nearest inside."""
    shape, (count,) = shape_of(x), shape_of(positions)
    others = tuple(d for d in range(len(shape)) if d != dimension)
    numbers = GatherDimensionNumbers(
        offset_dims=others, collapsed_slice_dims=(dimension,), start_index_map=(dimension,), index_vector_dim=1
    )
    sizes = [1 if d == dimension else e for d, e in enumerate(shape)]
    return h.insert(stablehlo.GatherOp(x, h.reshape(positions, [count, 1]), numbers, sizes))


def _entry(h: Hlo, sizes: SSAValue, index: int) -> SSAValue:
    """One entry of a 1-d shape operand, as a 0-d i64."""
    return h.convert(h.reshape(h.slice(sizes, [index], [index + 1]), []), i64)


def _positions(h: Hlo, count: int) -> SSAValue:
    return h.iota(0, [count], i64)


def _spread(h: Hlo, scalar: SSAValue, count: int) -> SSAValue:
    return h.broadcast(scalar, [count], [])


def _pad_dimension(
    h: Hlo, x: SSAValue, fill: SSAValue, dimension: int, extent: int, low: SSAValue, step: SSAValue
) -> SSAValue:
    """`x` as `extent` positions along a dim: element e stands at `low + e * step` (0-d i64), `fill` elsewhere."""
    shape = [extent if d == dimension else e for d, e in enumerate(shape_of(x))]
    padding = h.broadcast(fill, shape, [])
    size = shape_of(x)[dimension]
    if size == 0 or 0 in shape:
        return padding
    offset = h.sub(_positions(h, extent), _spread(h, low, extent))
    steps = _spread(h, step, extent)
    source = h.div(offset, steps)
    on_element = h.eq(h.mul(source, steps), offset)
    inside = h.logical_and(on_element, h.logical_and(h.ge(offset, 0), h.lt(source, size)))
    taken = take(h, x, source, dimension)
    return h.select(h.broadcast(inside, shape, [dimension]), taken, padding)


def _dynamic_pad(h: Hlo, op: Any) -> SSAValue:
    value, shape = op.operand, shape_of(op.result)
    for d, extent in enumerate(shape):
        step = h.add(_entry(h, op.interior_padding, d), 1)
        value = _pad_dimension(h, value, op.padding_value, d, extent, _entry(h, op.edge_padding_low, d), step)
    return value


def _real_dynamic_slice(h: Hlo, op: Any) -> SSAValue:
    value, shape = op.operand, shape_of(op.result)
    if 0 in shape:
        return h.full(0, shape, element_of(value))
    for d, extent in enumerate(shape):
        start, stride = (_spread(h, _entry(h, v, d), extent) for v in (op.start_indices, op.strides))
        value = take(h, value, h.add(start, h.mul(_positions(h, extent), stride)), d)
    return value


def _dynamic_conv(h: Hlo, op: Any) -> SSAValue:
    """Pads the input as far as windows reach, by index arithmetic, then convolves without padding."""
    numbers, result = op.numbers, shape_of(op.result)
    if 0 in result:
        return h.full(0, result, element_of(op.result))
    value, fill = op.lhs, h.scalar(0, element_of(op.lhs))
    strides, dilations = op.window("window_strides"), op.window("rhs_dilation")
    for i, d in enumerate(numbers.input_spatial_dimensions):
        window = dilate(shape_of(op.rhs)[numbers.kernel_spatial_dimensions[i]], dilations[i])
        reach = (result[numbers.output_spatial_dimensions[i]] - 1) * strides[i] + window
        low = h.convert(h.reshape(h.slice(op.padding, [i, 0], [i + 1, 1]), []), i64)
        value = _pad_dimension(h, value, fill, d, reach, low, h.scalar(op.window("lhs_dilation")[i], i64))
    count = len(strides)
    made = static_conv(op, value, op.rhs, {"padding": [(0, 0)] * count, "lhs_dilation": [1] * count})
    return h.insert(made)


_BY_VALUES: dict[str, Callable[[Hlo, Any], SSAValue]] = {
    "stablehlo.dynamic_conv": _dynamic_conv,
    "stablehlo.dynamic_pad": _dynamic_pad,
    "stablehlo.real_dynamic_slice": _real_dynamic_slice,
}


def _check_static(op: Operation) -> None:
    for value in (*op.operands, *op.results):
        if not cast("TensorType[Any]", value.type).has_static_shape():
            hint = "call it through stepwell.compile, or run refine-shapes with the types of the arguments"
            raise unsupported(op, f"its sizes are not known: it has a value of type {value.type}", hint)


def legalize(op: Operation) -> None:
    """Replace one dynamic op."""
    _check_static(op)
    h = Hlo.before(op)
    try:
        made = static_form(op, known=lambda i: known_values(op.operands[i]))
    except ShapeError as error:
        raise invalid(op, str(error)) from error
    if made is None:
        if element_of(op.results[0]).name.startswith("quant."):
            raise unsupported(op, "its paddings are not constant, and it is quantized", "dequantize it first")
        replace(op, [_BY_VALUES[op.name](h, op)])
        return
    if not types_compatible(made.results[0].type, op.results[0].type):
        raise invalid(op, f"its sizes make a result of type {made.results[0].type}, not {op.results[0].type}")
    replace(op, [h.insert(made)])


REPLACES: tuple[str, ...] = tuple(sorted(DYNAMIC_OPS))
"""The ops it takes away, by name (`docs/stablehlo-status.md` reads this)."""


@dataclass(frozen=True)
class LegalizeDynamicOpsPass(Pass):
    """Express dynamic ops whose operand and result types are static by static ones."""

    name = "legalize-dynamic-ops"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Legalize the dynamic ops of `op`."""
        for inner in [o for o in op.walk() if o.name in DYNAMIC_OPS]:
            legalize(inner)


__all__ = ["LegalizeDynamicOpsPass", "legalize", "take"]
