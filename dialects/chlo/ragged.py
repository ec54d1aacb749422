"""CHLO's products of matrices in groups of different sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from xdsl.dialects.builtin import ArrayAttr, TensorType
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, opt_prop_def, prop_def, result_def, traits_def
from xdsl.traits import Pure
from xdsl.utils.str_enum import StrEnum

from stepwell.dialects.chlo.attrs import ChloPrecisionAttr, RaggedDotDimensionNumbers, RaggedDotDimensionNumbersAttr
from stepwell.dialects.stablehlo.base import INTEGER, AnyTensor, StableHLOOp, tensor_of
from stepwell.ir import shapes
from stepwell.ir.shapes import Shape, ShapeError


class RaggedMode(StrEnum):
    """What kind of dimension is cut into groups."""

    FREE = "FREE"
    CONTRACTING = "CONTRACTING"
    BATCH = "BATCH"


def ragged_mode(numbers: RaggedDotDimensionNumbers) -> RaggedMode:
    """The mode, by the role of the one ragged dimension of lhs."""
    (ragged,) = numbers.lhs_ragged_dimensions
    if ragged in numbers.lhs_batching_dimensions:
        return RaggedMode.BATCH
    return RaggedMode.CONTRACTING if ragged in numbers.lhs_contracting_dimensions else RaggedMode.FREE


def prefix_dimensions(numbers: RaggedDotDimensionNumbers) -> list[int]:
    """The dimensions of lhs for each index of which there are groups of their own: those outside of the ragged one."""
    (ragged,) = numbers.lhs_ragged_dimensions
    batch, contracting = list(numbers.lhs_batching_dimensions), list(numbers.lhs_contracting_dimensions)
    match ragged_mode(numbers):
        case RaggedMode.BATCH:
            return batch[: batch.index(ragged)]
        case RaggedMode.CONTRACTING:
            return batch + contracting[: contracting.index(ragged)]
        case RaggedMode.FREE:
            return batch + [d for d in range(ragged) if d not in batch and d not in contracting]


def ragged_dot_shape(lhs: Shape, rhs: Shape, groups: Shape, numbers: RaggedDotDimensionNumbers) -> Shape:
    """Groups first when the contracting dimension is ragged, then batch, lhs and rhs dims as in `dot_general`.

    Raises:
        ShapeError: a constraint of `ragged_dot` does not hold.
    """
    _check("C2", len(numbers.lhs_ragged_dimensions) == 1, "lhs must have exactly one ragged dimension")
    ragged = numbers.lhs_ragged_dimensions[0]
    _check("C2", 0 <= ragged < len(lhs), f"lhs_ragged_dimensions = [{ragged}] must lie in [0, {len(lhs)})")
    mode, group_dims = ragged_mode(numbers), numbers.rhs_group_dimensions
    wanted = 1 if mode == RaggedMode.FREE else 0
    _check("C3", len(group_dims) == wanted, f"rhs must have {wanted} group dimensions, got {list(group_dims)}")
    taken = (*numbers.rhs_batching_dimensions, *numbers.rhs_contracting_dimensions)
    ok = all(0 <= d < len(rhs) and d not in taken for d in group_dims)
    _check(
        "C4", ok, f"rhs_group_dimensions = {list(group_dims)} must be dims of rhs that are not batched or contracted"
    )
    dims = (*numbers[:4],)
    whole = shapes.dot_general(lhs, rhs, *dims)
    _check("C5", len(groups) > 0, "group_sizes must have a dimension")
    prefix = [lhs[d] for d in prefix_dimensions(numbers)]
    ok = len(groups) == 1 or shapes.compatible(groups[:-1], prefix)
    _check("C5", ok, f"group_sizes has shape {list(groups)}, expected {[*prefix, groups[-1]]} or [{groups[-1]}]")
    if mode == RaggedMode.CONTRACTING:
        return (groups[-1], *whole)
    if mode == RaggedMode.BATCH:
        return whole
    extent = rhs[group_dims[0]]
    _check("C6", shapes.same_extent(extent, groups[-1]), f"rhs has {extent} groups, group_sizes {groups[-1]}")
    free = [d for d in range(len(rhs)) if d not in taken]
    position = len(whole) - len(free) + free.index(group_dims[0])
    return (*whole[:position], *whole[position + 1 :])


def _check(label: str, condition: bool, message: str) -> None:
    if not condition:
        raise ShapeError(label, message)


@irdl_op_definition
class RaggedDotOp(StableHLOOp):
    """A `dot_general` one dimension of which is cut into consecutive groups, of sizes known at run time.

    A ragged free dimension of lhs: each group has its own rhs, `[b, m, k], [g, b, k, n], [b, g] -> [b, m, n]`; rows beyond
    the groups are zero. A ragged contracting dimension: each group is a sum of its own, `[b, m, k], [b, k, n], [b, g] ->
    [g, b, m, n]`. A ragged batch dimension: `[b, m, k], [b, k, n], [g] -> [b, m, n]`, as without groups. Sizes of shape
    `[g]` are the same everywhere.

    C1: integer sizes. C2: one ragged dimension. C3, C4: group dimensions of rhs. C5, C6: the shape of
    `group_sizes`. C7: the result. C8: at most two precisions.
    """

    name = "chlo.ragged_dot"

    lhs = operand_def(TensorType)
    rhs = operand_def(TensorType)
    group_sizes = operand_def(TensorType)
    ragged_dot_dimension_numbers = prop_def(RaggedDotDimensionNumbersAttr)
    precision_config = opt_prop_def(ArrayAttr)
    result = result_def(TensorType)

    traits = traits_def(Pure())

    @property
    def numbers(self) -> RaggedDotDimensionNumbers:
        """The dimension numbers."""
        return self.ragged_dot_dimension_numbers.data

    def inferred_types(self, view: Any) -> list[Attribute]:
        """The result type, of operands with the extents that `view` sees; its element type is as written."""
        lhs, rhs, groups = (view.shape(o) for o in self.operands)
        return [tensor_of(_element(self.result), ragged_dot_shape(lhs, rhs, groups, self.numbers))]

    def verify_(self) -> None:
        """C1 to C8."""
        self.require_kind("C1", self.group_sizes, INTEGER, "group_sizes")
        lhs, rhs, groups = (cast(AnyTensor, o.type) for o in self.operands)
        shape = self.shape_of(ragged_dot_shape, lhs.get_shape(), rhs.get_shape(), groups.get_shape(), self.numbers)
        self.require_type("C7", self.result, tensor_of(_element(self.result), shape), "result")
        if self.precision_config is not None:
            config = cast("Sequence[Attribute]", self.precision_config.data)
            ok = len(config) <= 2 and all(isinstance(p, ChloPrecisionAttr) for p in config)
            self.require("C8", ok, lambda: f"precision_config must have at most two precisions, got {config}")


def _element(value: SSAValue) -> Attribute:
    return cast(AnyTensor, value.type).element_type


OPS: list[type[Operation]] = [RaggedDotOp]
