"""convert-chlo-to-stablehlo: decompose what CHLO adds to StableHLO.

Before:
```mlir
%values, %indices = chlo.top_k(%x, k = 3) : tensor<5x9xf32> -> (tensor<5x3xf32>, tensor<5x3xi32>)
```
After:
```mlir
%iota = stablehlo.iota dim = 1 : tensor<5x9xi32>
%s:2 = "stablehlo.sort"(%x, %iota) <{dimension = 1 : i64, is_stable = true}> ({ compare GT, TOTALORDER }) : ...
%values = stablehlo.slice %s#0 [0:5, 0:3] : ...
```
Keeps: elementwise CHLO ops that have scalar code of their own (`erf`, `erf_inv`, `asinh`, ...): `convert-stablehlo-to-linalg`
writes that code into one body, where a decomposition here would be dozens of tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from xdsl.context import Context
from xdsl.dialects.builtin import BoolAttr, ComplexType, IntegerAttr, IntegerType, Signedness, TensorType, i1, i64
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.rewriter import InsertPoint

from stepwell.dialects import chlo, stablehlo
from stepwell.dialects.stablehlo import ComparisonDirection, ComparisonDirectionAttr, ComparisonType, ComparisonTypeAttr
from stepwell.dialects.structured import i64_array
from stepwell.ir.builder import LocatedBuilder
from stepwell.ir.dense import array_to_dense
from stepwell.ir.passes import Pass
from stepwell.passes.hlo import element_of

Decompose = Callable[[LocatedBuilder, Any], Sequence[SSAValue]]


def _insert(builder: LocatedBuilder, cls: Any, operands: Sequence[SSAValue], types: Sequence[Any], **rest: Any) -> Any:
    return builder.insert(cls.create(operands=operands, result_types=types, **rest))


def _square(builder: LocatedBuilder, op: Any) -> Sequence[SSAValue]:
    return _insert(builder, stablehlo.MultiplyOp, [op.operand, op.operand], [op.result.type]).results


def _constant(builder: LocatedBuilder, op: Any) -> Sequence[SSAValue]:
    return _insert(builder, stablehlo.ConstantOp, [], [op.value.type], properties={"value": op.value}).results


def _constant_like(builder: LocatedBuilder, op: Any) -> Sequence[SSAValue]:
    result = op.results[0].type
    value = op.value.value.data
    dense = array_to_dense(dense_of_scalar(value, result), result.get_element_type())
    return _insert(builder, stablehlo.ConstantOp, [], [result], properties={"value": dense}).results


def dense_of_scalar(value: float, a_type: TensorType[Any]) -> Any:
    """An array of `a_type` full of `value`."""
    import numpy as np

    from stepwell.ir.dtypes import numpy_dtype

    return np.full(a_type.get_shape(), value).astype(numpy_dtype(a_type.get_element_type()))


def _top_k(builder: LocatedBuilder, op: Any) -> Sequence[SSAValue]:
    """Sort (value, position) descending and stably, in the total order (NaN above infinity), then slice."""
    source = op.operand.type
    shape, element = source.get_shape(), source.get_element_type()
    index = op.results[1].type.get_element_type()
    axis = len(shape) - 1
    iota_type = TensorType(index, shape)
    properties: dict[str, Any] = {"iota_dimension": IntegerAttr(axis, i64)}
    iota = _insert(builder, stablehlo.IotaOp, [], [iota_type], properties=properties).results[0]
    comparator = _descending(builder, element, index)
    properties = {"dimension": IntegerAttr(axis, i64), "is_stable": BoolAttr.from_bool(True)}
    ordered = _insert(
        builder,
        stablehlo.SortOp,
        [op.operand, iota],
        [source, iota_type],
        properties=properties,
        regions=[comparator],
    )
    limits = [*shape[:-1], op.results[0].type.get_shape()[-1]]
    window = {
        "start_indices": i64_array([0] * len(shape)),
        "limit_indices": i64_array(limits),
        "strides": i64_array([1] * len(shape)),
    }
    return [
        _insert(builder, stablehlo.SliceOp, [new], [old.type], properties=dict(window)).results[0]
        for new, old in zip(ordered.results, op.results, strict=True)
    ]


def _descending(builder: LocatedBuilder, element: Any, index: Any) -> Region:
    scalar, position = TensorType(element, ()), TensorType(index, ())
    block = Block(arg_types=[scalar, scalar, position, position])
    kind = ComparisonType.TOTALORDER
    if isinstance(element, IntegerType):
        is_unsigned = element.signedness.data == Signedness.UNSIGNED or element.width.data == 1
        kind = ComparisonType.UNSIGNED if is_unsigned else ComparisonType.SIGNED
    inner = LocatedBuilder(InsertPoint.at_end(block), builder.location)
    properties = {
        "comparison_direction": ComparisonDirectionAttr(ComparisonDirection.GT),
        "compare_type": ComparisonTypeAttr(kind),
    }
    first = _insert(inner, stablehlo.CompareOp, block.args[:2], [TensorType(i1, ())], properties=properties)
    _insert(inner, stablehlo.ReturnOp, first.results, [])
    return Region(block)


DECOMPOSITIONS: dict[type[Operation], Decompose] = {
    chlo.ConstantLikeOp: _constant_like,
    chlo.ConstantOp: _constant,
    chlo.SquareOp: _square,
    chlo.TopKOp: _top_k,
}
"""What each op becomes, by class."""


REPLACES: tuple[str, ...] = tuple(op.name for op in DECOMPOSITIONS)
"""The ops it takes away, by name (`docs/stablehlo-status.md` reads this)."""


def _is_complex_square(op: Operation) -> bool:
    """A product of complex numbers cancels where a square need not: `split-complex` knows it."""
    return isinstance(op, chlo.SquareOp) and isinstance(element_of(op.operand), ComplexType)


@dataclass(frozen=True)
class ConvertChloToStablehloPass(Pass):
    """Decompose CHLO ops into StableHLO."""

    name = "convert-chlo-to-stablehlo"
    numerics = "rounding"

    def apply(self, ctx: Context, op: Operation) -> None:
        """Decompose every op of the table, wherever it is."""
        for old in list(op.walk()):
            decompose = DECOMPOSITIONS.get(type(old))
            if decompose is None or _is_complex_square(old):
                continue
            builder = LocatedBuilder(InsertPoint.before(old), old.location)
            for result, new in zip(old.results, decompose(builder, old), strict=True):
                if result.name_hint and not new.name_hint:
                    new.name_hint = result.name_hint
                result.replace_all_uses_with(new)
            old.detach()
            old.erase()


__all__ = ["DECOMPOSITIONS", "ConvertChloToStablehloPass"]
