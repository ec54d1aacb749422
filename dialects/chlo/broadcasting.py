"""CHLO's ops with implicit broadcasting: StableHLO's (and CHLO's) elementwise ops on operands of different shapes.

Without `broadcast_dimensions` shapes are aligned at their last dims, as in NumPy; with them, dim i of the operand of lower
rank is dim `broadcast_dimensions[i]` of the other. An extent of one is repeated.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import Any, ClassVar, cast

from xdsl.dialects.builtin import ComplexType, DenseArrayBase, TensorType, i1, i64
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, opt_prop_def, prop_def, result_def, traits_def
from xdsl.traits import Commutative, Pure

from stepwell.dialects import stablehlo
from stepwell.dialects.chlo import elementwise
from stepwell.dialects.chlo.attrs import ChloComparisonDirectionAttr, ChloComparisonTypeAttr
from stepwell.dialects.stablehlo import ComparisonType
from stepwell.dialects.stablehlo.base import (
    ANY_KIND,
    FLOAT,
    FLOAT_OR_COMPLEX,
    INTEGER,
    NOT_QUANTIZED,
    NUMBER,
    PRED,
    PRED_OR_INTEGER,
    AnyTensor,
    FunctionFormOp,
    ints,
    tensor_of,
)
from stepwell.ir.shapes import DYNAMIC, Shape, ShapeError


def merged_extent(a: int, b: int) -> int:
    """The extent two dims have together; an unknown one is taken to fit.

    Raises:
        ShapeError: they differ, and none is one.
    """
    if a == b or b == 1:
        return a
    if a == 1:
        return b
    if DYNAMIC in (a, b):
        return max(a, b)
    raise ShapeError("C2", f"extents {a} and {b} do not broadcast")


def broadcast_maps(shapes: Sequence[Sequence[int]], dimensions: Sequence[int] | None) -> tuple[Shape, list[Shape]]:
    """The shape operands have together, and per operand the dims of it that its own are.

    Raises:
        ShapeError: `dimensions` do not fit (C1), or extents do not (C2).
    """
    rank = max(map(len, shapes))
    maps = [tuple(range(rank - len(s), rank)) for s in shapes]
    if dimensions is not None:
        small = 0 if len(shapes[0]) < len(shapes[1]) else 1
        in_order = list(dimensions) == sorted(set(dimensions)) and all(0 <= d < rank for d in dimensions)
        if len(dimensions) != len(shapes[small]) or not in_order:
            raise ShapeError(
                "C1", f"broadcast_dimensions = {list(dimensions)} do not place {len(shapes[small])} dims in {rank}"
            )
        maps[small] = tuple(dimensions)
    result = [1] * rank
    for shape, dims in zip(shapes, maps, strict=True):
        for extent, d in zip(shape, dims, strict=True):
            result[d] = merged_extent(result[d], extent)
    return tuple(result), maps


class BroadcastingOp(FunctionFormOp, ABC):
    """An elementwise op with implicit broadcasting. C1: `broadcast_dimensions`. C2: extents fit. C3: types agree."""

    QUANTIZED: ClassVar[str] = NOT_QUANTIZED
    COUNTERPART: ClassVar[type[Any]]
    """The op without broadcasting."""

    def dimensions(self) -> Sequence[int] | None:
        """The explicit broadcast dimensions."""
        attribute = self.properties.get("broadcast_dimensions")
        return None if attribute is None else ints(cast("DenseArrayBase[Any]", attribute))

    def broadcast(self) -> tuple[Shape, list[Shape]]:
        """The shape all operands have together, and where the dims of each are in it."""
        return broadcast_maps([cast(AnyTensor, o.type).get_shape() for o in self.operands], self.dimensions())

    def inferred_types(self, view: Any) -> list[Attribute]:
        """The result type, of operands with the extents that `view` sees (`dialects/stablehlo/infer.py`)."""
        shape, _ = broadcast_maps([view.shape(o) for o in self.operands], self.dimensions())
        return [tensor_of(self.element(), shape)]

    def element(self) -> Attribute:
        """The element type of the result."""
        return cast(AnyTensor, self.operands[-1].type).element_type

    def counterpart(self, operands: Sequence[SSAValue]) -> Operation:
        """The op without broadcasting, on operands of one shape."""
        return self.COUNTERPART(*operands)

    def verify_(self) -> None:
        """C1 to C3."""
        shape = self.shape_of(lambda: self.broadcast()[0])
        self.require_type("C3", self.results[0], tensor_of(self.element(), shape), "result")


class BroadcastBinaryOp(BroadcastingOp, ABC):
    """`%r = chlo.broadcast_name %x, %y {broadcast_dimensions = array<i64: 1>} : (type, type) -> type`."""

    KINDS: ClassVar[Sequence[str]] = ANY_KIND

    lhs = operand_def(TensorType)
    rhs = operand_def(TensorType)
    broadcast_dimensions = opt_prop_def(DenseArrayBase.constr(i64))
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def verify_(self) -> None:
        """I1: the element kind. C1 to C3."""
        lhs, rhs = (cast(AnyTensor, o.type) for o in (self.lhs, self.rhs))
        self.require_kind("I1", self.lhs, self.KINDS, "lhs")
        self.require("C3", lhs.element_type == rhs.element_type, lambda: f"lhs has type {lhs}, rhs {rhs}")
        super().verify_()


@irdl_op_definition
class BroadcastAddOp(BroadcastBinaryOp):
    """Sum."""

    name = "chlo.broadcast_add"
    COUNTERPART: ClassVar = stablehlo.AddOp
    traits = traits_def(Commutative())


@irdl_op_definition
class BroadcastAndOp(BroadcastBinaryOp):
    """Conjunction of booleans or bits."""

    name = "chlo.broadcast_and"
    COUNTERPART: ClassVar = stablehlo.AndOp
    KINDS: ClassVar = PRED_OR_INTEGER
    traits = traits_def(Commutative())


@irdl_op_definition
class BroadcastAtan2Op(BroadcastBinaryOp):
    """The angle of the point (rhs, lhs)."""

    name = "chlo.broadcast_atan2"
    COUNTERPART: ClassVar = stablehlo.Atan2Op
    KINDS: ClassVar = FLOAT_OR_COMPLEX


@irdl_op_definition
class BroadcastComplexOp(BroadcastBinaryOp):
    """Complex numbers from their parts."""

    name = "chlo.broadcast_complex"
    COUNTERPART: ClassVar = stablehlo.ComplexOp
    KINDS: ClassVar = (FLOAT,)

    def element(self) -> Attribute:
        """Complex numbers of the operands' type."""
        return ComplexType(cast(Any, super().element()))


@irdl_op_definition
class BroadcastCompareOp(BroadcastBinaryOp):
    """Comparison; without a type, by the kind of the elements."""

    name = "chlo.broadcast_compare"
    COUNTERPART: ClassVar = stablehlo.CompareOp

    comparison_direction = prop_def(ChloComparisonDirectionAttr)
    compare_type = opt_prop_def(ChloComparisonTypeAttr)

    def element(self) -> Attribute:
        """Booleans."""
        return i1

    def counterpart(self, operands: Sequence[SSAValue]) -> Operation:
        """The comparison, by the same relation."""
        kind = self.compare_type.data if self.compare_type is not None else ComparisonType.NOTYPE
        given = [] if kind == ComparisonType.NOTYPE else [kind]
        return stablehlo.CompareOp(operands[0], operands[1], self.comparison_direction.data, *given)


@irdl_op_definition
class BroadcastDivideOp(BroadcastBinaryOp):
    """Quotient."""

    name = "chlo.broadcast_divide"
    COUNTERPART: ClassVar = stablehlo.DivideOp
    KINDS: ClassVar = NUMBER


@irdl_op_definition
class BroadcastMaximumOp(BroadcastBinaryOp):
    """The larger element."""

    name = "chlo.broadcast_maximum"
    COUNTERPART: ClassVar = stablehlo.MaximumOp
    traits = traits_def(Commutative())


@irdl_op_definition
class BroadcastMinimumOp(BroadcastBinaryOp):
    """The smaller element."""

    name = "chlo.broadcast_minimum"
    COUNTERPART: ClassVar = stablehlo.MinimumOp
    traits = traits_def(Commutative())


@irdl_op_definition
class BroadcastMultiplyOp(BroadcastBinaryOp):
    """Product."""

    name = "chlo.broadcast_multiply"
    COUNTERPART: ClassVar = stablehlo.MultiplyOp
    traits = traits_def(Commutative())


@irdl_op_definition
class BroadcastNextAfterOp(BroadcastBinaryOp):
    """The next representable number after lhs in the direction of rhs."""

    name = "chlo.broadcast_next_after"
    COUNTERPART: ClassVar = elementwise.NextAfterOp
    KINDS: ClassVar = (FLOAT,)


@irdl_op_definition
class BroadcastOrOp(BroadcastBinaryOp):
    """Disjunction of booleans or bits."""

    name = "chlo.broadcast_or"
    COUNTERPART: ClassVar = stablehlo.OrOp
    KINDS: ClassVar = PRED_OR_INTEGER
    traits = traits_def(Commutative())


@irdl_op_definition
class BroadcastPolygammaOp(BroadcastBinaryOp):
    """The derivative of order lhs of digamma at rhs."""

    name = "chlo.broadcast_polygamma"
    COUNTERPART: ClassVar = elementwise.PolygammaOp
    KINDS: ClassVar = (FLOAT,)


@irdl_op_definition
class BroadcastPowerOp(BroadcastBinaryOp):
    """Power."""

    name = "chlo.broadcast_power"
    COUNTERPART: ClassVar = stablehlo.PowerOp
    KINDS: ClassVar = NUMBER


@irdl_op_definition
class BroadcastRemainderOp(BroadcastBinaryOp):
    """Remainder, with the sign of lhs."""

    name = "chlo.broadcast_remainder"
    COUNTERPART: ClassVar = stablehlo.RemainderOp
    KINDS: ClassVar = NUMBER


@irdl_op_definition
class BroadcastShiftLeftOp(BroadcastBinaryOp):
    """Shift to the left."""

    name = "chlo.broadcast_shift_left"
    COUNTERPART: ClassVar = stablehlo.ShiftLeftOp
    KINDS: ClassVar = INTEGER


@irdl_op_definition
class BroadcastShiftRightArithmeticOp(BroadcastBinaryOp):
    """Shift to the right, with copies of the sign."""

    name = "chlo.broadcast_shift_right_arithmetic"
    COUNTERPART: ClassVar = stablehlo.ShiftRightArithmeticOp
    KINDS: ClassVar = INTEGER


@irdl_op_definition
class BroadcastShiftRightLogicalOp(BroadcastBinaryOp):
    """Shift to the right, with zeros."""

    name = "chlo.broadcast_shift_right_logical"
    COUNTERPART: ClassVar = stablehlo.ShiftRightLogicalOp
    KINDS: ClassVar = INTEGER


@irdl_op_definition
class BroadcastSubtractOp(BroadcastBinaryOp):
    """Difference."""

    name = "chlo.broadcast_subtract"
    COUNTERPART: ClassVar = stablehlo.SubtractOp
    KINDS: ClassVar = NUMBER


@irdl_op_definition
class BroadcastXorOp(BroadcastBinaryOp):
    """Exclusive disjunction of booleans or bits."""

    name = "chlo.broadcast_xor"
    COUNTERPART: ClassVar = stablehlo.XorOp
    KINDS: ClassVar = PRED_OR_INTEGER
    traits = traits_def(Commutative())


@irdl_op_definition
class BroadcastZetaOp(BroadcastBinaryOp):
    """The Hurwitz zeta function of lhs and rhs."""

    name = "chlo.broadcast_zeta"
    COUNTERPART: ClassVar = elementwise.ZetaOp
    KINDS: ClassVar = (FLOAT,)


@irdl_op_definition
class BroadcastSelectOp(BroadcastingOp):
    """`on_true` where the predicate holds, all three broadcast as in NumPy. C2: extents. C3: types."""

    name = "chlo.broadcast_select"
    COUNTERPART: ClassVar = stablehlo.SelectOp

    pred = operand_def(TensorType)
    on_true = operand_def(TensorType)
    on_false = operand_def(TensorType)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    def verify_(self) -> None:
        """I1: the predicate is boolean. C2, C3."""
        self.require_kind("I1", self.pred, (PRED,), "pred")
        same = cast(AnyTensor, self.on_true.type).element_type == cast(AnyTensor, self.on_false.type).element_type
        self.require("C3", same, lambda: f"on_true has type {self.on_true.type}, on_false {self.on_false.type}")
        super().verify_()


OPS: list[type[Operation]] = [
    BroadcastAddOp,
    BroadcastAndOp,
    BroadcastAtan2Op,
    BroadcastCompareOp,
    BroadcastComplexOp,
    BroadcastDivideOp,
    BroadcastMaximumOp,
    BroadcastMinimumOp,
    BroadcastMultiplyOp,
    BroadcastNextAfterOp,
    BroadcastOrOp,
    BroadcastPolygammaOp,
    BroadcastPowerOp,
    BroadcastRemainderOp,
    BroadcastSelectOp,
    BroadcastShiftLeftOp,
    BroadcastShiftRightArithmeticOp,
    BroadcastShiftRightLogicalOp,
    BroadcastSubtractOp,
    BroadcastXorOp,
    BroadcastZetaOp,
]
