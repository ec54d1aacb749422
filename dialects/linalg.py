"""`linalg` as this compiler uses it: upstream's `linalg.generic` with two methods replaced, once, on import.

The class object stays upstream's, so `isinstance` agrees everywhere.
- `parse`: several results are printed as `-> (tensor<..>, tensor<..>)`, which xDSL 0.74 reads as a function type.
- `verify_`: upstream wants every operand indexed by a bare dim to be as large as the loop. Here the loop has the smallest
  such extent (`ir.structured.loop_bounds`), so that `x[d0]` may read the beginning of a larger `x`; and index expressions are
  checked by interval arithmetic, `floordiv` and `mod` included.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.dialects import linalg as upstream
from xdsl.dialects.builtin import MemRefType, TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, Dialect, SSAValue
from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
    AffineMap,
)
from xdsl.parser import Parser
from xdsl.utils.exceptions import VerifyException

from stepwell.ir.structured import indexing_maps, loop_bounds

_SHAPED = (TensorType, MemRefType)


def expression_range(expr: AffineExpr, bounds: Sequence[int]) -> tuple[int, int]:
    """Smallest and largest value of an index expression over loops `0 .. bound - 1` (every bound positive)."""
    if isinstance(expr, AffineDimExpr):
        return 0, bounds[expr.position] - 1
    if isinstance(expr, AffineConstantExpr):
        return expr.value, expr.value
    if not isinstance(expr, AffineBinaryOpExpr):
        raise VerifyException(f"linalg.generic: symbols in index expression {expr}")
    low, high = expression_range(expr.lhs, bounds)
    other_low, other_high = expression_range(expr.rhs, bounds)
    match expr.kind:
        case AffineBinaryOpKind.Add:
            return low + other_low, high + other_high
        case AffineBinaryOpKind.Mul:
            products = [a * b for a in (low, high) for b in (other_low, other_high)]
            return min(products), max(products)
        case _:
            pass
    if other_low != other_high or other_low <= 0:
        raise VerifyException(f"linalg.generic: division by {expr.rhs}, which is not a positive constant")
    match expr.kind:
        case AffineBinaryOpKind.Mod:
            same = low // other_low == high // other_low
            return (low % other_low, high % other_low) if same else (0, other_low - 1)
        case AffineBinaryOpKind.FloorDiv:
            return low // other_low, high // other_low
        case _:
            return -(-low // other_low), -(-high // other_low)


def _shape(value: SSAValue) -> tuple[int, ...]:
    return value.type.get_shape() if isinstance(value.type, _SHAPED) else ()


def _verify_operands(op: linalg.GenericOp, maps: Sequence[AffineMap]) -> None:
    kinds = [type(o.type) for o in op.operands if isinstance(o.type, _SHAPED)]
    if any(k is not kinds[0] for k in kinds):
        raise VerifyException("expected to have pure tensor or buffer semantics")
    if len(maps) != len(op.operands):
        raise VerifyException(
            f"expected the number of indexing_map ({len(maps)}) to be equal to the number of operands ({len(op.operands)})"
        )
    loops = len(op.iterator_types.data)
    for i, (operand, amap) in enumerate(zip(op.operands, maps, strict=True)):
        if amap.num_dims != loops or amap.num_symbols:
            raise VerifyException(f"expected indexing_map #{i} to have {loops} dim(s) and no symbols")
        rank = len(_shape(operand))
        if len(amap.results) != rank:
            raise VerifyException(f"expected operand #{i} of rank {rank} to match indexing_map #{i}: {amap}")


def _verify_body(op: linalg.GenericOp) -> None:
    elements = [o.type.get_element_type() if isinstance(o.type, _SHAPED) else o.type for o in op.operands]
    found = [a.type for a in op.body.block.args]
    if found != elements:
        raise VerifyException(f"expected the body to take ({', '.join(map(str, elements))}), one argument per operand")
    last = op.body.block.last_op
    outs = elements[len(op.inputs) :]
    if not isinstance(last, linalg.YieldOp) or [o.type for o in last.operands] != outs:
        raise VerifyException(f"expected the body to yield ({', '.join(map(str, outs))}), one value per output")


def _verify_results(op: linalg.GenericOp) -> None:
    tied = [o.type for o in op.outputs if isinstance(o.type, TensorType)]
    if [r.type for r in op.results] != tied:
        raise VerifyException(f"expected one result per output tensor: ({', '.join(map(str, tied))})")


def _verify_indices(op: linalg.GenericOp, maps: Sequence[AffineMap]) -> None:
    try:
        bounds = loop_bounds(op)
    except ValueError as error:
        raise VerifyException(str(error)) from None
    if any(b <= 0 for b in bounds):
        return
    for i, (operand, amap) in enumerate(zip(op.operands, maps, strict=True)):
        for axis, (expr, size) in enumerate(zip(amap.results, _shape(operand), strict=True)):
            if size < 0:
                continue
            low, high = expression_range(expr, bounds)
            if low < 0 or high >= size:
                raise VerifyException(
                    f"operand #{i} dimension #{axis} has size {size}, but {expr} reaches [{low}, {high}]"
                )
            if i >= len(op.inputs) and isinstance(expr, AffineDimExpr) and high != size - 1:
                raise VerifyException(
                    f"output operand #{i} dimension #{axis} must have size {high + 1}, the extent of its loop, not {size}"
                )


def _verify_generic(self: linalg.GenericOp) -> None:
    maps = indexing_maps(self)
    _verify_operands(self, maps)
    _verify_body(self)
    _verify_results(self)
    _verify_indices(self, maps)


class _ResultListParser:
    """Answers the one question `GenericOp.parse` asks wrongly: the result types after `->`; else the parser itself."""

    def __init__(self, parser: Parser):
        self._parser = parser
        self.Delimiter = parser.Delimiter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    def parse_comma_separated_list(self, delimiter: Any, parse: Any, context: str = "") -> list[Any]:
        """The list; where attributes are asked for without delimiters, one in parentheses is taken too."""
        if parse == self._parser.parse_attribute and delimiter is self._parser.Delimiter.NONE:
            several = self._parser.parse_optional_comma_separated_list(self._parser.Delimiter.PAREN, parse)
            if several is not None:
                return several
        return self._parser.parse_comma_separated_list(delimiter, parse, context)


def _parse_generic(cls: type[linalg.GenericOp], parser: Any) -> linalg.GenericOp:
    return _UPSTREAM_PARSE(cls, _ResultListParser(parser))


_UPSTREAM_PARSE: Any = linalg.GenericOp.parse.__func__  # pyright: ignore[reportFunctionMemberAccess]
_GENERIC: Any = linalg.GenericOp
_GENERIC.parse = classmethod(_parse_generic)
_GENERIC.verify_ = _verify_generic

Linalg = Dialect("linalg", list(upstream.Linalg.operations), list[type[Attribute]](upstream.Linalg.attributes))
